"""What somebody else added to an account to get in by: shown after a reset, taken out, gone with "that wasn't me"."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, FactorProtectsShortPassword
from shopaccounts.signin import (
    AUTHENTICATORS,
    DEVICES,
    Factor,
    FactorKind,
    Identity,
    NoSession,
    Passkey,
    Resumed,
    SecondFactorNeeded,
    SignedIn,
    TotpCode,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps

ANN, NEW, THIEF = "ann@lamp.example", "another lamp by the river", "thief@else.example"
BROWSER = Secret("the value of the owner's own browser")
HERE = request_from(agent="Mozilla/5.0 (X11; Linux) Firefox/1", browser=BROWSER)
STRANGE = request_from("203.0.113.9", agent="Mozilla/5.0 (Windows) Chrome/1", browser=Secret("another browser's value"))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))


def told(builder, name):
    rows = builder.storage.snapshot()["main"].books[EVENTS.name].values()
    return [event for event in rows if event.name == name]


def newest(builder, template):
    return next(letter for letter in reversed(builder.mailbag.letters) if letter.template == template)


def a_passkey(at, name):
    return Passkey(
        id=name, credential=name.encode(), public_key=b"key", counter=0, label=f"{name}'s key", created_at=at
    )


def an_identity(at, name):
    return Identity(id=name, provider="lamps", issuer="https://lamps.example", subject=name, linked_at=at)


def names(own):
    return (
        {factor.label for factor in own.factors},
        {passkey.id for passkey in own.passkeys},
        {identity.id for identity in own.identities},
    )


async def add(builder, account, who, *, factor=""):
    """What can't be added by a use-case in a line: a passkey and an identity."""
    now = builder.clock.now()
    mail = Factor(id=f"{who} mail", kind=FactorKind.EMAIL_STEP, label=factor, created_at=now)
    await builder.edit(
        AUTHENTICATORS,
        account.id,
        lambda own: attrs.evolve(
            own,
            factors=(*own.factors, *((mail,) if factor else ())),
            passkeys=(*own.passkeys, a_passkey(now, who)),
            identities=(*own.identities, an_identity(now, who)),
        ),
    )


async def the_owners(shop, builder):
    """An account that has had an app, a passkey and a provider for long."""
    account = await shop.open_account(ANN)
    app = await enrol_app(shop.factors, account.session, HERE, builder.clock, "the owner's app")
    await add(builder, account, "owner")
    builder.clock.advance(60 * DAY)
    return account, app.app


async def sign_in(shop, app, password=PASSWORD, context=HERE, **how):
    step = await shop.signin.sign_in_with_password(ANN, password, context)
    assert isinstance(step, SecondFactorNeeded)
    done = await shop.second_step.give_second_factor(step.progress, TotpCode(app.next_code()), context, **how)
    assert isinstance(done, SignedIn)
    return done.session


async def reset(shop, builder, password=NEW):
    await shop.recovery.request_reset(ANN, HERE)
    return await shop.recovery.reset_password(newest(builder, "recovery.reset_password").token, password, HERE)


@pytest.mark.proves("SIG-83", "KER-222")
async def test_who_was_not_the_owner_loses_what_they_added_and_the_owner_keeps_theirs(shop, builder) -> None:
    account, app = await the_owners(shop, builder)
    await sign_in(shop, app, context=STRANGE)
    token = newest(builder, "signin.new_device").ticket("not_me_link")
    builder.clock.advance(MINUTE)
    await add(builder, account, "thief", factor="the thief's")
    before = (await builder.kept(SECURITY, account.id)).stamps
    await shop.objections.not_me_sign_in(token, HERE)
    kept = await builder.kept(AUTHENTICATORS, account.id)
    assert names(kept) == ({"the owner's app"}, {"owner"}, {"owner"})
    assert kept.recovery_codes.left == 10
    after = (await builder.kept(SECURITY, account.id)).stamps
    assert (after.factors, after.providers) == (before.factors + 1, before.providers + 1)
    assert len(told(builder, "signin.factor_removed")) == len(told(builder, "signin.passkey_removed")) == 1


@pytest.mark.proves("SIG-83")
async def test_recovery_codes_that_somebody_else_drew_are_worth_nothing(shop, builder) -> None:
    account, app = await the_owners(shop, builder)
    strange = await sign_in(shop, app, context=STRANGE)
    token = newest(builder, "signin.new_device").ticket("not_me_link")
    await shop.factors.renew_recovery_codes(strange, STRANGE)
    await shop.objections.not_me_sign_in(token, HERE)
    kept = await builder.kept(AUTHENTICATORS, account.id)
    assert kept.recovery_codes is None
    assert names(kept) == ({"the owner's app"}, {"owner"}, {"owner"})


@pytest.mark.proves("SIG-83")
async def test_where_nothing_was_added_no_stamp_of_it_moves(shop, builder) -> None:
    account, app = await the_owners(shop, builder)
    await sign_in(shop, app, context=STRANGE)
    before = await builder.kept(AUTHENTICATORS, account.id)
    stamps = (await builder.kept(SECURITY, account.id)).stamps
    await shop.objections.not_me_sign_in(newest(builder, "signin.new_device").ticket("not_me_link"), HERE)
    assert await builder.kept(AUTHENTICATORS, account.id) == before
    after = (await builder.kept(SECURITY, account.id)).stamps
    assert (after.factors, after.providers) == (stamps.factors, stamps.providers)


@pytest.mark.proves("SIG-83")
async def test_no_device_stands_for_the_second_step_after_that(shop, builder) -> None:
    account, app = await the_owners(shop, builder)
    await sign_in(shop, app, trust_device=True)
    (trusted,) = [d for d in (await builder.kept(DEVICES, account.id)).devices if d.trusted_until]
    assert trusted.trusted_until > builder.clock.now()
    builder.clock.advance(MINUTE)
    await sign_in(shop, app, context=STRANGE)
    await shop.objections.not_me_sign_in(newest(builder, "signin.new_device").ticket("not_me_link"), HERE)
    stamps = (await builder.kept(SECURITY, account.id)).stamps
    assert stamps.account > trusted.trusted_under.account


@pytest.mark.proves("SIG-84")
async def test_who_objects_to_a_change_takes_back_what_came_with_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.clock.advance(60 * DAY)
    strange = (await shop.signin.sign_in_with_password(ANN, PASSWORD, STRANGE)).session
    builder.clock.advance(MINUTE)
    enrolled = await enrol_app(shop.factors, strange, STRANGE, builder.clock, "the thief's")
    token = newest(builder, "signin.factor_enrolled").ticket("not_me_link")
    await shop.objections.not_me_change(token, HERE)
    kept = await builder.kept(AUTHENTICATORS, account.id)
    assert (kept.factors, kept.recovery_codes) == ((), None)
    assert isinstance(await shop.sessions.resume(enrolled.session, STRANGE), NoSession)
    await shop.recovery.reset_password(newest(builder, "recovery.choose_new_password").token, NEW, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("REG-68")
async def test_taking_an_address_back_takes_out_what_was_added_since_the_change_was_asked_for(shop, builder) -> None:
    account, app = await the_owners(shop, builder)
    strange = await sign_in(shop, app, context=STRANGE)
    await shop.contact_changes.promote_contact(strange, THIEF, STRANGE)
    builder.clock.advance(MINUTE)
    await add(builder, account, "thief", factor="the thief's")
    link = newest(builder, "registration.confirm_new_contact").token
    changed = await shop.contact_changes.confirm_change_new(link, strange, STRANGE)
    builder.clock.advance(DAY)
    before = (await builder.kept(SECURITY, account.id)).stamps
    await shop.contact_changes.reverse_contact_change(newest(builder, "registration.undo_contact_change").token, HERE)
    assert names(await builder.kept(AUTHENTICATORS, account.id)) == ({"the owner's app"}, {"owner"}, {"owner"})
    after = (await builder.kept(SECURITY, account.id)).stamps
    assert (after.factors, after.providers) == (before.factors + 1, before.providers + 1)
    assert isinstance(await shop.sessions.resume(changed.next_value.session, STRANGE), NoSession)


@pytest.mark.proves("RCV-15")
async def test_a_reset_shows_second_steps_passkeys_and_providers_of_late(shop, builder) -> None:
    account, _ = await the_owners(shop, builder)
    await add(builder, account, "thief", factor="the thief's")
    builder.clock.advance(DAY)
    answer = await reset(shop, builder)
    shown = {(one.kind, one.id, one.label) for one in answer.recent}
    assert shown == {
        ("factor", "thief mail", "the thief's"),
        ("passkey", "thief", "thief's key"),
        ("provider", "thief", "lamps"),
    }
    assert {one.at for one in answer.recent} == {builder.clock.now() - DAY}


@pytest.mark.proves("RCV-15", "KER-223")
async def test_one_call_takes_them_out(shop, builder) -> None:
    account, app = await the_owners(shop, builder)
    await add(builder, account, "thief", factor="the thief's")
    answer = await reset(shop, builder)
    mine = await sign_in(shop, app, NEW)
    other = await sign_in(shop, app, NEW)
    before = (await builder.kept(SECURITY, account.id)).stamps
    following = await shop.recovery.drop_recent(mine, [one.id for one in answer.recent], HERE)
    assert names(await builder.kept(AUTHENTICATORS, account.id)) == ({"the owner's app"}, {"owner"}, {"owner"})
    after = (await builder.kept(SECURITY, account.id)).stamps
    assert (after.factors, after.providers) == (before.factors + 1, before.providers + 1)
    assert isinstance(await shop.sessions.resume(following.session, HERE), Resumed)
    assert isinstance(await shop.sessions.resume(other, HERE), NoSession)
    assert len((await builder.kept(CUSTOMERS, account.id)).contacts) == 1
    assert len(told(builder, "signin.factor_removed")) == len(told(builder, "signin.passkey_removed")) == 1


@pytest.mark.proves("RCV-15")
async def test_a_short_password_is_not_left_alone(shop, builder) -> None:
    account = await shop.open_account(ANN)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock, "the owner's app")
    await builder.edit(PASSWORDS, account.id, lambda p: attrs.evolve(p, meets_single_factor_minimum=False))
    session = await sign_in(shop, enrolled.app)
    with pytest.raises(FactorProtectsShortPassword):
        await shop.recovery.drop_recent(session, [enrolled.id], HERE)
    await builder.edit(PASSWORDS, account.id, lambda p: attrs.evolve(p, meets_single_factor_minimum=True))
    await shop.recovery.drop_recent(session, [enrolled.id], HERE)
    kept = await builder.kept(AUTHENTICATORS, account.id)
    assert (kept.factors, kept.recovery_codes) == ((), None)
