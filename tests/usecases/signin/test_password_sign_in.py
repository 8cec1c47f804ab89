"""Signing in with a password: who gets in, as what, and what anybody else is told."""

import ast
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

import shopaccounts
from shopaccounts.customers import CUSTOMERS, AccountStatus, Standing, StatusReason, Trigger, follow
from shopaccounts.kernel.assurance import Level, Method, SessionScope
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.contact import EmailInvalid
from shopaccounts.kernel.errors import InsecureTransport, InvalidInput
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, Argon2Profile, PasswordPolicy
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import (
    SESSIONS,
    AccountClosing,
    AccountSuspended,
    NoSession,
    Resumed,
    SignedIn,
    SignInRefused,
)
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.races import race

ANN, HERE = "ann@lamp.example", request_from(agent="a browser")


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder):
    return [event.name for event in rows(builder, EVENTS)]


@pytest.mark.proves("SIG-1", "SIG-6")
async def test_the_right_password_opens_a_session_of_one_factor(shop, builder) -> None:
    account = await shop.open_account(ANN)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, SignedIn)
    assert (step.account, step.auth.level, step.auth.scope) == (account.id, Level.SINGLE, SessionScope.FULL)
    assert [proof.method for proof in step.auth.proofs] == [Method.PASSWORD]
    resumed = await shop.sessions.resume(step.session, HERE)
    assert resumed == Resumed(account=account.id, auth=step.auth, public_id=step.public_id)
    assert told(builder)[-1] == "signin.signed_in"


@pytest.mark.proves("SIG-6")
async def test_every_sign_in_has_a_value_of_its_own(shop) -> None:
    await shop.open_account(ANN)
    steps = [await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE) for _ in range(3)]
    assert len({step.session.reveal() for step in steps}) == 3
    assert len({step.public_id for step in steps}) == 3


@pytest.mark.proves("SIG-6", "SIG-78")
async def test_the_cookie_of_a_session_outlives_the_browser_only_if_it_is_remembered(shop) -> None:
    await shop.open_account(ANN)
    passing, _ = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).set_cookies
    staying, _ = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE, remember=True)).set_cookies
    assert (passing.name, passing.max_age, staying.max_age) == ("__Host-session", None, timedelta(days=30))
    assert (passing.secure, passing.http_only, passing.same_site, passing.path) == (True, True, "Lax", "/")


@pytest.mark.proves("SIG-1")
def test_only_the_gate_makes_sessions() -> None:
    """Who would let in past the gate has to make a session or keep one; only these places do."""
    package = Path(shopaccounts.__file__).parent
    makers, keepers = set(), set()
    for path in package.rglob("*.py"):
        name = path.relative_to(package).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="Session")):
                    makers.add(name)
                case ast.Call(func=ast.Attribute(value=ast.Name(id="SESSIONS"), attr="add")):
                    keepers.add(name)
    assert makers == {"signin/gate.py"}
    assert keepers == {"signin/gate.py"}


@pytest.mark.proves("SIG-1")
async def test_confirming_an_address_and_setting_a_password_sign_nobody_in(shop, builder) -> None:
    started = await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    await shop.registration.confirm_contact(builder.mailbag.last.token, started.handle, HERE)
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "another lamp by the river", HERE)
    assert not rows(builder, SESSIONS)


# What the account's status says


@pytest.mark.proves("SIG-2", "CUS-16")
@pytest.mark.parametrize("status", AccountStatus)
async def test_the_status_decides_only_after_the_password_was_right(shop, builder, status) -> None:
    account = await shop.open_account(ANN)
    standing = Standing(status=status, reason=StatusReason.ABUSE, until=builder.clock.now() + timedelta(days=9))
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, standing=standing))
    sessions = len(rows(builder, SESSIONS))
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, "seven other lamps in the wind", HERE)
    expected = {
        AccountStatus.ACTIVE: SignedIn,
        AccountStatus.SUSPENDED: AccountSuspended,
        AccountStatus.CLOSING: AccountClosing,
    }
    if status not in expected:
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
        return
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, expected[status])
    assert len(rows(builder, SESSIONS)) == sessions + (status is not AccountStatus.SUSPENDED)


@pytest.mark.proves("SIG-2")
async def test_who_is_suspended_is_told_why_and_until_when(shop, builder) -> None:
    account = await shop.open_account(ANN)
    until = builder.clock.now() + timedelta(days=2)
    await builder.step(account.id, Trigger.SUSPEND, until)
    assert await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE) == AccountSuspended(reason="abuse", until=until)
    builder.clock.set(until)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)


@pytest.mark.proves("SIG-2")
async def test_the_owner_of_a_suspended_account_hears_once_a_day_that_somebody_knows_the_password(
    shop, builder
) -> None:
    account = await shop.open_account(ANN)
    await builder.step(account.id, Trigger.SUSPEND)
    letters = len(builder.mailbag.letters)
    for _ in range(3):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    (letter,) = builder.mailbag.letters[letters:]
    assert (letter.template, letter.to, letter.deliver) == ("signin.suspended_tried", ANN, True)
    assert told(builder).count("signin.suspended_tried") == 3
    builder.clock.advance(timedelta(days=1))
    await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert len(builder.mailbag.letters) == letters + 2


@pytest.mark.proves("SIG-2", "SIG-9")
async def test_a_closing_account_gives_a_short_session_that_may_do_one_thing(shop, builder) -> None:
    account = await shop.open_account(ANN)
    closes_at = builder.clock.now() + timedelta(days=14)
    await builder.step(account.id, Trigger.REQUEST_CLOSING, closes_at)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE, remember=True)
    assert isinstance(step, AccountClosing)
    assert step.closes_at == closes_at
    assert step.set_cookies[0].max_age is None
    resumed = await shop.sessions.resume(step.session, HERE)
    assert isinstance(resumed, Resumed)
    assert resumed.auth.scope is SessionScope.CLOSING
    builder.clock.advance(timedelta(minutes=30))
    assert isinstance(await shop.sessions.resume(step.session, HERE), NoSession)


# What somebody else did meanwhile


@pytest.mark.proves("SIG-7", "KER-181")
@pytest.mark.parametrize("meanwhile", ["suspended", "password changed", "signed out everywhere"])
async def test_what_was_stored_first_makes_a_sign_in_decide_anew(builder, meanwhile) -> None:
    account = await builder.build().open_account(ANN)
    changes = {
        "suspended": (CUSTOMERS, lambda c: follow(c, Trigger.SUSPEND, reason=StatusReason.ABUSE)),
        "password changed": (PASSWORDS, lambda p: attrs.evolve(p, hash="$none$")),
        "signed out everywhere": (SECURITY, lambda s: s.bump()),
    }
    book, change = changes[meanwhile]
    between = Between(lambda: builder.edit(book, account.id, change))
    shop = builder.build(between)
    if meanwhile == "password changed":
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    else:
        step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
        assert isinstance(step, AccountSuspended if meanwhile == "suspended" else SignedIn)
    assert between.happened


@pytest.mark.proves("SIG-8")
async def test_right_data_opens_as_many_sessions_at_once_as_try(host) -> None:
    builder = ShopBuilder(host=host, entropy=SystemEntropy())
    shop = builder.build()
    await shop.open_account(ANN)
    outcomes = await race(5, lambda _: shop.signin.sign_in_with_password(ANN, PASSWORD, HERE))
    assert [one.error for one in outcomes] == [None] * 5
    for one in outcomes:
        assert isinstance(await shop.sessions.resume(one.value.session, HERE), Resumed)


@pytest.mark.proves("SIG-7", "PAS-31")
async def test_a_hash_of_older_settings_is_made_anew_with_the_sign_in(shop, builder) -> None:
    account = await shop.open_account(ANN)
    before = await builder.kept(PASSWORDS, account.id)
    builder.policies = quick_policies(
        passwords=PasswordPolicy(hashing=Argon2Profile(memory_kib=16, passes=1, for_tests=True))
    )
    dearer = builder.build()
    assert isinstance(await dearer.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    after = await builder.kept(PASSWORDS, account.id)
    assert "m=16" in after.hash
    assert (after.set_at, after.version) == (before.set_at, before.version + 1)
    assert "passwords.rehashed" in told(builder)
    assert isinstance(await shop.sessions.resume(account.session, HERE), Resumed), "it is the same password"
    assert isinstance(await dearer.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    assert (await builder.kept(PASSWORDS, account.id)).version == after.version


# What is kept of a failure


async def test_a_failure_is_told_with_the_account_or_a_digest_and_never_with_what_was_typed(shop, builder) -> None:
    account = await shop.open_account(ANN)
    for address in (ANN, "eve@lamp.example"):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(address, "seven other lamps in the wind", HERE)
    known, unknown = [event for event in rows(builder, EVENTS) if event.name == "signin.refused"]
    assert account.id in known.data
    assert "eve@" not in unknown.data
    assert "192.0.2.1" not in known.data + unknown.data
    assert (known.subject, unknown.subject) == ("", "")


# Odd input


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize("identifier", [None, [ANN], ANN.encode(), "a" * 321, "no-address", 7])
async def test_what_can_be_no_address_is_refused_before_anything_is_counted(shop, builder, identifier) -> None:
    with pytest.raises((InvalidInput, EmailInvalid)):
        await shop.signin.sign_in_with_password(identifier, PASSWORD, HERE)
    assert not builder.storage.snapshot()["main"].counters


@pytest.mark.proves("KER-201")
async def test_a_password_may_come_as_a_secret(shop) -> None:
    await shop.open_account(ANN)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, Secret(PASSWORD), HERE), SignedIn)


async def test_nobody_signs_in_over_an_unencrypted_connection(shop) -> None:
    account = await shop.open_account(ANN)
    bare = request_from(secure=False)
    for use in (
        shop.signin.sign_in_with_password(ANN, PASSWORD, bare),
        shop.sessions.resume(account.session, bare),
        shop.sessions.list_sessions(account.session, bare),
        shop.sessions.end_session(account.session, "x", bare),
        shop.sessions.sign_out(account.session, bare),
        shop.sessions.sign_out_everywhere(account.session, bare),
        shop.sessions.end_other_sessions(account.session, bare),
    ):
        with pytest.raises(InsecureTransport):
            await use
