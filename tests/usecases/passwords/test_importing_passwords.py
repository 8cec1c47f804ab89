"""Passwords come along from another system: row by row, once, and replaced by ours at the first sign-in."""

import pytest

from shopaccounts.adapters.legacy_hashes import LegacyHasher
from shopaccounts.customers import CUSTOMERS, Trigger, follow
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import (
    PASSWORDS,
    Argon2Profile,
    ImportRow,
    LegacyScheme,
    MustChange,
    PasswordPolicy,
    RowOutcome,
)
from shopaccounts.signin import SignInRefused
from shopaccounts.testing.builders import (
    BEGINNING,
    PASSWORD,
    Between,
    QuickHasher,
    ShopBuilder,
    quick_policies,
    request_from,
)

ANN, BERT = "ann@lamp.example", "bert@lamp.example"
TYPED = "winter teapot é"
PHPASS, MD5 = "$P$5saltsaltgjx/Kg6DhY9NviBWSvO/V.", "f280daf28f2678977216e89cf2b84709"
ALLOWED = (LegacyScheme.PHPASS, LegacyScheme.MD5)
pytestmark = pytest.mark.proves("PAS-33")


def legacy(port):
    """Put the reader of foreign hashes around the shop's hasher."""
    return LegacyHasher(port, ALLOWED) if isinstance(port, QuickHasher) else port


@pytest.fixture
def shop(builder):
    """A shop that takes over two schemes."""
    return builder.build(legacy)


def row(account: AccountId | str, text: str = PHPASS, scheme: LegacyScheme = LegacyScheme.PHPASS) -> ImportRow:
    return ImportRow(account=AccountId(account), scheme=scheme, text=Secret(text))


async def outcomes(shop, *rows) -> list[RowOutcome]:
    return [outcome for _, outcome in (await shop.password_imports.import_passwords(rows)).rows]


async def imported(builder, account: str) -> list[str]:
    page = await got(builder.storage.open(builder.scope).rows(EVENTS, "subject", account, None, 50))
    return [event.data for event in page.items if event.name == "passwords.imported"]


async def scheme_of(builder, account: str) -> str:
    return str((await builder.kept(PASSWORDS, account)).stored.scheme)


async def test_a_password_is_taken_over_and_told_without_its_hash(shop, builder) -> None:
    ann = await shop.open_account(ANN, None)
    assert await outcomes(shop, row(ann.id)) == [RowOutcome.IMPORTED]
    kept = await builder.kept(PASSWORDS, ann.id)
    assert kept.hash == f"$legacy$phpass${PHPASS}"
    assert (kept.must_change, kept.must_change_since) == (None, None)
    assert await imported(builder, ann.id) == [f'{{"account":"{ann.id}","scheme":"phpass"}}']


async def test_a_weak_one_is_wrapped_and_has_to_be_changed(shop, builder) -> None:
    ann = await shop.open_account(ANN, None)
    at = builder.clock.now()
    assert await outcomes(shop, row(ann.id, MD5, LegacyScheme.MD5)) == [RowOutcome.IMPORTED]
    kept = await builder.kept(PASSWORDS, ann.id)
    assert MD5 not in kept.hash
    assert (kept.must_change, kept.must_change_since) == (MustChange.IMPORT_WEAK, at)
    assert at > BEGINNING


@pytest.mark.proves("REG-24", "REG-30", "REG-31")
async def test_an_account_whose_address_nobody_proved_takes_none_and_its_owner_registers_anew(shop, builder) -> None:
    pending = await shop.arrange("pending", ANN)
    assert await outcomes(shop, row(pending)) == [RowOutcome.UNKNOWN_ACCOUNT]
    assert await builder.kept(PASSWORDS, pending) is None
    anns = await shop.open_account(ANN)
    assert anns.id == pending
    assert (await builder.kept(PASSWORDS, anns.id)).hash != f"$legacy$phpass${PHPASS}"


async def test_each_row_has_its_own_outcome_and_only_imported_ones_are_stored(shop, builder) -> None:
    ann, bert = await shop.open_account(ANN, None), await shop.open_account(BERT)
    before = await builder.kept(PASSWORDS, bert.id)
    rows = (
        row("nobody"),
        row(ann.id, "!"),
        row(ann.id, PHPASS, LegacyScheme.MD5),
        row(ann.id, "secret", LegacyScheme.PLAIN),
        row(bert.id),
        row(ann.id),
        row(ann.id),
    )
    report = await shop.password_imports.import_passwords(rows)
    assert [name for name, _ in report.rows] == [each.account for each in rows]
    assert [outcome for _, outcome in report.rows] == [
        RowOutcome.UNKNOWN_ACCOUNT,
        RowOutcome.UNPARSABLE,
        RowOutcome.UNPARSABLE,
        RowOutcome.SCHEME_NOT_ALLOWED,
        RowOutcome.HAS_PASSWORD,
        RowOutcome.IMPORTED,
        RowOutcome.HAS_PASSWORD,
    ]
    assert report.count(RowOutcome.UNPARSABLE) == 2
    assert await builder.kept(PASSWORDS, bert.id) == before


async def test_a_row_that_is_turned_away_leaves_nothing(shop, builder) -> None:
    ann = await shop.open_account(ANN, None)
    await outcomes(shop, row(ann.id, "!"), row(ann.id, "secret", LegacyScheme.PLAIN))
    assert await builder.kept(PASSWORDS, ann.id) is None
    assert await imported(builder, ann.id) == []


async def test_a_page_can_be_imported_again_and_changes_nothing(shop, builder) -> None:
    ann, bert = await shop.open_account(ANN, None), await shop.open_account(BERT, None)
    await outcomes(shop, row(ann.id))
    first = await builder.kept(PASSWORDS, ann.id)
    assert await outcomes(shop, row(ann.id), row(bert.id)) == [RowOutcome.HAS_PASSWORD, RowOutcome.IMPORTED]
    assert await builder.kept(PASSWORDS, ann.id) == first
    assert len(await imported(builder, ann.id)) == 1


async def test_an_account_that_is_closed_is_none(shop) -> None:
    ann = await shop.arrange("closed", ANN)
    assert await outcomes(shop, row(ann)) == [RowOutcome.UNKNOWN_ACCOUNT]


@pytest.mark.parametrize("situation", ["suspended", "closing"])
async def test_an_account_that_is_stopped_for_a_while_has_its_password(shop, situation) -> None:
    ann = await shop.arrange(situation, ANN)
    assert await outcomes(shop, row(ann)) == [RowOutcome.HAS_PASSWORD]


async def test_a_shop_that_names_no_scheme_takes_over_nothing(builder) -> None:
    shop = builder.build()
    ann = await shop.open_account(ANN, None)
    assert await outcomes(shop, row(ann.id)) == [RowOutcome.SCHEME_NOT_ALLOWED]


async def test_a_page_has_at_most_500_rows(shop) -> None:
    assert await outcomes(shop, *[row("nobody")] * 500) == [RowOutcome.UNKNOWN_ACCOUNT] * 500
    with pytest.raises(Defect, match="at most 500"):
        await outcomes(shop, *[row("nobody")] * 501)


@pytest.mark.proves("KER-181")
async def test_an_account_that_closes_meanwhile_gets_no_password(shop, builder) -> None:
    ann = await shop.open_account(ANN, None)

    def closed(customer):
        return follow(follow(customer, Trigger.REQUEST_CLOSING), Trigger.CLOSE)

    between = Between(lambda: builder.edit(CUSTOMERS, ann.id, closed))
    other = builder.build(lambda port: legacy(port) if isinstance(port, QuickHasher) else between(port))
    assert await outcomes(other, row(ann.id)) == [RowOutcome.UNKNOWN_ACCOUNT]
    assert between.happened
    assert await builder.kept(PASSWORDS, ann.id) is None


@pytest.mark.proves("PAS-31")
async def test_at_the_first_sign_in_the_whole_password_is_hashed_anew(shop, builder) -> None:
    ann = await shop.open_account(ANN, None)
    await outcomes(shop, row(ann.id))
    await shop.signin.sign_in_with_password(ANN, TYPED, request_from())
    assert (await builder.kept(PASSWORDS, ann.id)).hash.startswith("$argon2id-owner$")
    await shop.signin.sign_in_with_password(ANN, TYPED, request_from())


@pytest.mark.proves("PAS-32")
async def test_with_a_pepper_every_new_and_every_imported_hash_is_sealed(host) -> None:
    policies = quick_policies(passwords=PasswordPolicy(hashing=Argon2Profile.tests_only(), pepper=True))
    builder = ShopBuilder(host=host, policies=policies)
    shop = builder.build(legacy)
    ann, bert = await shop.open_account(ANN), await shop.open_account(BERT, None)
    assert await outcomes(shop, row(bert.id)) == [RowOutcome.IMPORTED]
    for account, typed in ((ann, PASSWORD), (bert, TYPED)):
        assert await scheme_of(builder, account.id) == "pepper"
        await shop.signin.sign_in_with_password(account.email, typed, request_from())
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(account.email, "another lamp by the river", request_from())
    assert await scheme_of(builder, bert.id) == "pepper"
