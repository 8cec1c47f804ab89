"""Using a reset link: what it does, once, and what makes it die before."""

import ast
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

import shopaccounts
from shopaccounts.customers import (
    CUSTOMERS,
    ContactPoint,
    ContactRole,
    StatusReason,
    Trigger,
    VerificationMethod,
    follow,
)
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import Defect, InsecureTransport, InvalidInput
from shopaccounts.kernel.ids import ContactId, RealmId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.tickets import TicketSpent
from shopaccounts.passwords import PASSWORDS, NewPassword, PasswordPolicy, PasswordUnacceptable, StoredHash
from shopaccounts.passwords.model import MustChange
from shopaccounts.recovery import (
    PasswordWasReset,
    ResetLinkExpired,
    ResetLinkInvalid,
    ResetLinkStale,
    ResetLinkUsed,
)
from shopaccounts.recovery.deciding import new_password
from shopaccounts.signin import (
    EnrolmentNeeded,
    NoSession,
    SecondFactorMode,
    SecondFactorPolicy,
    SignedIn,
    SignInRefused,
)
from shopaccounts.testing.builders import BEGINNING, PASSWORD, quick_policies, request_from

ANN, HERE = "ann@lamp.example", request_from()
NEW = "another lamp by the river"


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


@pytest.fixture
def link(builder):
    """Asks for a link and answers it."""

    async def ask(shop, address=ANN):
        await shop.recovery.request_reset(address, HERE)
        return builder.mailbag.last.token

    return ask


@pytest.mark.proves("RCV-10", "RCV-11")
async def test_a_link_sets_a_new_password_and_ends_everything_else(shop, builder, link) -> None:
    account = await shop.open_account(ANN)
    security = await builder.kept(SECURITY, account.id)
    await builder.edit(PASSWORDS, account.id, lambda p: attrs.evolve(p, must_change=MustChange.REPORTED))
    token = await link(shop)
    done = await shop.recovery.reset_password(token, NEW, HERE)
    assert isinstance(done, PasswordWasReset)
    assert done.masked == "a***@lamp.example"
    kept = await builder.kept(PASSWORDS, account.id)
    assert (kept.must_change, kept.set_at) == (None, builder.clock.now())
    assert (await builder.kept(SECURITY, account.id)).stamps == security.stamps.bump(Stamp.PASSWORD)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert [e.name for e in rows(builder, EVENTS)][-2:] == ["passwords.set", "recovery.password_reset"]
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("RCV-10")
async def test_every_proven_address_hears_of_it_and_no_other(shop, builder, link) -> None:
    account = await shop.open_account(ANN)

    def contact(address, *, proven, role=ContactRole.NOTIFY):
        fresh = ContactPoint(
            id=ContactId(address),
            kind=ContactKind.EMAIL,
            value=EmailAddress.parse(address),
            roles=frozenset({role}),
            added_at=builder.clock.now(),
        )
        return fresh.proven(VerificationMethod.CODE, "challenge", builder.clock.now()) if proven else fresh

    more = (
        contact("work@lamp.example", proven=True),
        contact("unproven@lamp.example", proven=False),
        contact("bills@lamp.example", proven=True, role=ContactRole.BILLING),
    )
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, *more)))
    token = await link(shop)
    before = len(builder.mailbag.letters)
    await shop.recovery.reset_password(token, NEW, HERE)
    notices = builder.mailbag.letters[before:]
    assert {(n.template, n.to, n.deliver) for n in notices} == {
        ("passwords.was_reset", ANN, True),
        ("passwords.was_reset", "work@lamp.example", True),
    }
    assert {name for notice in notices for name in notice.secrets} == {"not_me_link", "freeze_link"}


@pytest.mark.proves("RCV-10", "KER-235")
@pytest.mark.parametrize("password", ["short", PASSWORD, "ann@lamp.example", None, 7])
async def test_a_password_that_will_not_do_leaves_the_link_good(shop, builder, link, password) -> None:
    await shop.open_account(ANN)
    token = await link(shop)
    before = builder.storage.snapshot()
    with pytest.raises((PasswordUnacceptable, InvalidInput)):
        await shop.recovery.reset_password(token, password, HERE)
    assert builder.storage.snapshot() == before
    await shop.recovery.reset_password(token, NEW, HERE)


@pytest.mark.proves("RCV-13")
async def test_an_account_without_a_password_gets_its_first_one(shop, link) -> None:
    await shop.arrange("no password", ANN)
    await shop.recovery.reset_password(await link(shop), NEW, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("RCV-10")
async def test_looking_at_a_link_changes_nothing_however_often(shop, builder, link) -> None:
    await shop.open_account(ANN)
    token = await link(shop)
    before = builder.storage.snapshot()
    for _ in range(3):
        offer = await shop.recovery.peek_reset(token, HERE)
    assert builder.storage.snapshot() == before
    assert (offer.masked, offer.expires_at) == ("a***@lamp.example", builder.clock.now() + timedelta(hours=1))
    assert offer.guide.minimum == 15
    assert (offer.referrer_policy, offer.cache_control) == ("no-referrer", "no-store")


async def refused(shop, token, error):
    for use in (shop.recovery.peek_reset(token, HERE), shop.recovery.reset_password(token, NEW, HERE)):
        with pytest.raises(error):
            await use


@pytest.mark.proves("RCV-10")
async def test_a_link_works_once(shop, link) -> None:
    await shop.open_account(ANN)
    token = await link(shop)
    await shop.recovery.reset_password(token, NEW, HERE)
    await refused(shop, token, ResetLinkUsed)


@pytest.mark.proves("RCV-1")
async def test_a_link_works_for_an_hour(shop, builder, link) -> None:
    await shop.open_account(ANN)
    token = await link(shop)
    builder.clock.advance(timedelta(hours=1) - timedelta(microseconds=1))
    await shop.recovery.peek_reset(token, HERE)
    builder.clock.advance(timedelta(microseconds=1))
    await refused(shop, token, ResetLinkExpired)


@pytest.mark.proves("KER-235")
async def test_a_link_dies_when_its_owner_signs_in(shop, builder, link) -> None:
    await shop.open_account(ANN)
    token = await link(shop)
    builder.clock.advance(timedelta(seconds=1))
    await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    await refused(shop, token, ResetLinkStale)


@pytest.mark.proves("KER-235", "SIG-9")
async def test_a_link_outlives_a_sign_in_that_may_only_enrol(shop, builder, link) -> None:
    """Eve has the password, in a shop that asks everybody for a second step; Ann's way back stays hers."""
    await shop.open_account(ANN)
    token = await link(shop)
    builder.clock.advance(timedelta(seconds=1))
    builder.policies = quick_policies(second_factor=SecondFactorPolicy(mode=SecondFactorMode.REQUIRED))
    shop = builder.build()
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), EnrolmentNeeded)
    await shop.recovery.peek_reset(token, HERE)
    await shop.recovery.reset_password(token, NEW, HERE)


@pytest.mark.proves("KER-235")
async def test_a_renewed_session_is_no_sign_in(shop, builder, link) -> None:
    """Ending the other sessions moves a stamp, so the link dies for that; not because a session is new."""
    account = await shop.open_account(ANN)
    token = await link(shop)
    builder.clock.advance(timedelta(hours=0, minutes=10))
    await shop.sessions.resume(account.session, HERE)
    await shop.recovery.peek_reset(token, HERE)


@pytest.mark.proves("RCV-10")
@pytest.mark.parametrize("stamp", Stamp)
async def test_a_link_dies_when_something_it_rests_on_has_moved(shop, builder, link, stamp) -> None:
    account = await shop.open_account(ANN)
    token = await link(shop)
    await builder.edit(SECURITY, account.id, lambda s: s.bump(stamp))
    if stamp in {Stamp.FACTORS, Stamp.PROVIDERS}:
        await shop.recovery.reset_password(token, NEW, HERE)
    else:
        await refused(shop, token, ResetLinkStale)


@pytest.mark.proves("RCV-10")
async def test_a_link_dies_with_the_address_it_was_sent_to(shop, builder, link) -> None:
    account = await shop.open_account(ANN)
    token = await link(shop)
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=()))
    await refused(shop, token, ResetLinkStale)


@pytest.mark.proves("RCV-2")
@pytest.mark.parametrize("trigger", [Trigger.SUSPEND, Trigger.REQUEST_CLOSING, Trigger.MERGE])
async def test_a_link_dies_when_the_account_is_stopped(shop, builder, link, trigger) -> None:
    account = await shop.open_account(ANN)
    token = await link(shop)
    await builder.edit(CUSTOMERS, account.id, lambda c: stopped(c, trigger))
    await refused(shop, token, ResetLinkStale)


def stopped(customer, trigger):
    return follow(customer, trigger, reason=StatusReason.ABUSE)


@pytest.mark.proves("RCV-14")
async def test_a_link_sets_the_password_of_its_own_account(shop, builder, link) -> None:
    ann, eve = await shop.open_account(ANN), await shop.open_account("eve@lamp.example")
    before = await builder.kept(PASSWORDS, ann.id)
    await shop.recovery.reset_password(await link(shop, "eve@lamp.example"), NEW, HERE)
    assert await builder.kept(PASSWORDS, ann.id) == before
    assert (await builder.kept(PASSWORDS, eve.id)).version == 2


@pytest.mark.proves("RCV-14")
def test_a_new_password_comes_of_a_spent_reset_link_only() -> None:
    new = NewPassword(stored=StoredHash("$x$y"), meets_single_factor_minimum=True)
    spent = TicketSpent("password_reset", "ann", "contact", BEGINNING)
    kept = new_password(spent, RealmId("main"), new, PasswordPolicy())
    assert (kept.id, kept.set_at) == ("ann", BEGINNING)
    with pytest.raises(Defect):
        new_password(attrs.evolve(spent, purpose="verify_contact"), RealmId("main"), new, PasswordPolicy())


@pytest.mark.proves("RCV-14")
def test_only_spending_makes_a_spent_ticket() -> None:
    package = Path(shopaccounts.__file__).parent
    makers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "TicketSpent"
    }
    assert makers == {"kernel/tickets.py"}


@pytest.mark.proves("REG-32")
async def test_a_reset_of_a_proven_account_wipes_nothing(shop, builder, link) -> None:
    account = await shop.open_account(ANN)
    before = await builder.kept(CUSTOMERS, account.id)
    await shop.recovery.reset_password(await link(shop), NEW, HERE)
    assert await builder.kept(CUSTOMERS, account.id) == before
    assert "guests.account_cleansed" not in {e.name for e in rows(builder, EVENTS)}


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize("odd", [None, 7, b"x", Secret(b"bytes"), Secret("x" * 200)])
async def test_what_can_be_no_link_is_refused(shop, odd) -> None:
    await refused(shop, odd, InvalidInput)


@pytest.mark.parametrize("text", ["", "nonsense", "sa1.rst.short.text", f"sa1.rst.{'a' * 22}.{'b' * 43}"])
async def test_a_link_that_nobody_sent_is_none(shop, text) -> None:
    await refused(shop, Secret(text), ResetLinkInvalid)


async def test_nothing_is_reset_over_an_unencrypted_connection(shop, link) -> None:
    await shop.open_account(ANN)
    token, bare = await link(shop), request_from(secure=False)
    for use in (shop.recovery.peek_reset(token, bare), shop.recovery.reset_password(token, NEW, bare)):
        with pytest.raises(InsecureTransport):
            await use
