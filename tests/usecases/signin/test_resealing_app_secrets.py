"""A new root: the secrets of apps come under its key, by use or all at once, and codes go on counting."""

import attrs
import pytest

from shopaccounts.adapters.crypto import AesVault
from shopaccounts.kernel.answers import got, run
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import KeyState, Ring
from shopaccounts.signin import AUTHENTICATORS, RecoveryCodeAnswer, TotpCode, reseal_app_secrets
from shopaccounts.signin.authenticators import SEVERAL_KEYS
from shopaccounts.testing.apps import AuthenticatorApp, enrol_app
from shopaccounts.testing.builders import PASSWORD, request_from

ANN, BEA, HERE = "ann@lamp.example", "bea@lamp.example", request_from(agent="a browser")


async def protected(shop, builder, address=ANN):
    account = await shop.open_account(address)
    return account, await enrol_app(shop.factors, account.session, HERE, builder.clock)


def keys_of(builder, account):
    """The states of the keys that an account's secrets lie under."""
    kept = run(got(builder.storage.open(builder.scope).find(AUTHENTICATORS, account.id))).it
    apps = [factor.totp for factor in (*kept.factors, *((kept.enrolling.factor,) if kept.enrolling else ()))]
    return [builder.keyring.key(Ring.SEEDS, app.sealed.key_id).state for app in apps]


def walked(builder, limit=500):
    """Every page of a walk over the shop's books."""
    records, vault = builder.storage.open(builder.scope), AesVault(builder.keyring, builder.entropy)
    pages = [run(reseal_app_secrets(records, builder.keyring, vault, None, limit))]
    while pages[-1].next:
        pages.append(run(reseal_app_secrets(records, builder.keyring, vault, pages[-1].next, limit)))
    return pages


@pytest.mark.proves("SIG-39", "KER-166")
async def test_a_secret_under_an_older_key_is_sealed_anew_when_a_code_is_used(shop, builder) -> None:
    account, enrolled = await protected(shop, builder)
    builder.keyring.add(Secret(b"n" * 32))
    assert keys_of(builder, account) == [KeyState.READING]
    again = builder.build()
    session = (await again.signin.confirm_identity(enrolled.session, PASSWORD, HERE)).session
    assert (await again.signin.confirm_identity(session, TotpCode(enrolled.app.next_code()), HERE)).session
    assert keys_of(builder, account) == [KeyState.ACTIVE]


@pytest.mark.proves("SIG-39", "KER-166")
@pytest.mark.parametrize("limit", [1, 500])
async def test_all_secrets_come_under_the_new_key_at_once_and_codes_go_on_counting(shop, builder, limit: int) -> None:
    account, enrolled = await protected(shop, builder)
    other, theirs = await protected(shop, builder, BEA)
    session = (await shop.signin.confirm_identity(theirs.session, PASSWORD, HERE)).session
    session = (await shop.signin.confirm_identity(session, TotpCode(theirs.app.next_code()), HERE)).session
    builder.keyring.add(Secret(b"n" * 32))
    shop = builder.build()
    waiting = AuthenticatorApp((await shop.factors.start_totp(session, "", HERE)).uri, builder.clock)
    assert keys_of(builder, other) == [KeyState.READING, KeyState.ACTIVE]
    records = builder.storage.open(builder.scope)
    assert [own.id for own in records.rows(AUTHENTICATORS, "seeds", SEVERAL_KEYS, None, 5).items] == [other.id]
    before = await builder.kept(AUTHENTICATORS, account.id)
    assert sum(page.moved for page in walked(builder, limit)) == 2
    assert sum(page.moved for page in walked(builder, limit)) == 0
    assert keys_of(builder, account) + keys_of(builder, other) == [KeyState.ACTIVE] * 3
    after = await builder.kept(AUTHENTICATORS, account.id)
    kept = attrs.evolve(before.factors[0].totp, sealed=after.factors[0].totp.sealed)
    assert after.factors == (attrs.evolve(before.factors[0], totp=kept),)
    session = (await shop.factors.confirm_totp(session, waiting.code(), HERE)).next_value.session
    assert (await shop.signin.confirm_identity(enrolled.session, TotpCode(enrolled.app.next_code()), HERE)).session


@pytest.mark.proves("SIG-39", "KER-164")
async def test_what_can_not_be_opened_is_named_and_left_alone(shop, builder) -> None:
    account, enrolled = await protected(shop, builder)
    other, theirs = await protected(shop, builder, BEA)
    strange = (await builder.kept(AUTHENTICATORS, other.id)).factors[0].totp
    await builder.edit(
        AUTHENTICATORS, account.id, lambda own: own.with_factor(attrs.evolve(own.factors[0], totp=strange))
    )
    builder.keyring.add(Secret(b"n" * 32))
    pages = walked(builder)
    assert (sum(page.moved for page in pages), [id for page in pages for id in page.unreadable]) == (1, [account.id])
    assert enrolled.id
    assert theirs.id


@pytest.mark.proves("SIG-40")
async def test_recovery_codes_count_under_the_key_that_they_were_made_with(shop, builder) -> None:
    _, enrolled = await protected(shop, builder)
    builder.keyring.add(Secret(b"n" * 32))
    again = builder.build()
    answer = RecoveryCodeAnswer(enrolled.recovery_codes[0])
    assert (await again.signin.confirm_identity(enrolled.session, answer, HERE)).session
