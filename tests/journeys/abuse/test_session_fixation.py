"""Somebody plants a session in the victim's browser, or keeps one that should be over."""

from datetime import timedelta

import pytest

from shopaccounts.customers import Trigger
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import NoSession, SessionUnknown, SignedIn
from shopaccounts.testing.builders import PASSWORD, request_from

ANN, HERE, THIEF = "ann@lamp.example", request_from("192.0.2.1"), request_from("203.0.113.66", agent="a thief")
NEW = "a lantern on a rainy evening"


async def opens(shop, value):
    return not isinstance(await shop.sessions.resume(value, THIEF), NoSession)


@pytest.mark.proves("SIG-6", "SIG-70")
async def test_a_value_that_was_there_before_is_never_the_one_after_signing_in(shop) -> None:
    """Eve plants a value of her own account, and one that she made up; Ann signs in and gets neither."""
    eve = await shop.open_account("eve@lamp.example")
    await shop.open_account(ANN)
    invented = Secret("sa1.ses." + "A" * 22 + "." + "B" * 43)
    values = {eve.session.reveal(), invented.reveal()}
    for planted in (eve.session, invented):
        step = await shop.signin.sign_in_with_password(ANN, PASSWORD, request_from("192.0.2.1", agent=planted.reveal()))
        assert isinstance(step, SignedIn)
        assert step.session.reveal() not in values
        values.add(step.session.reveal())
    assert not await opens(shop, invented)
    resumed = await shop.sessions.resume(eve.session, THIEF)
    assert resumed.account == eve.id


@pytest.mark.proves("SIG-75")
async def test_the_ids_that_a_list_shows_open_nothing_and_end_nothing_of_others(shop) -> None:
    ann, eve = await shop.open_account(ANN), await shop.open_account("eve@lamp.example")
    (shown,) = await shop.sessions.list_sessions(ann.session, HERE)
    with pytest.raises(SessionUnknown):
        await shop.sessions.end_session(eve.session, shown.public_id, THIEF)
    assert not await opens(shop, Secret(shown.public_id))
    assert await opens(shop, ann.session)


async def reset(shop, _stolen):
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(shop.builder.mailbag.last.token, NEW, HERE)


async def sign_out(shop, stolen):
    await shop.sessions.sign_out(stolen, HERE)


async def sign_out_everywhere(shop, _stolen):
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    await shop.sessions.sign_out_everywhere(step.session, HERE)


async def end_the_others(shop, _stolen):
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    await shop.sessions.end_other_sessions(step.session, HERE)


async def suspend_and_reinstate(shop, stolen):
    account = (await shop.sessions.resume(stolen, HERE)).account
    await shop.builder.step(account, Trigger.SUSPEND)
    await shop.builder.step(account, Trigger.REINSTATE)


async def wait(shop, _stolen):
    shop.builder.clock.advance(timedelta(hours=24))


@pytest.mark.proves("SIG-76", "SIG-71", "SIG-77")
@pytest.mark.parametrize("over", [reset, sign_out, sign_out_everywhere, end_the_others, suspend_and_reinstate, wait])
async def test_a_stolen_session_is_over_when_its_reason_is(shop, builder, over) -> None:
    """The thief copied the cookie. Whatever the owner does about it ends the copy, for good."""
    ann = await shop.open_account(ANN)
    stolen = ann.session
    assert await opens(shop, stolen)
    await over(shop, ann.session)
    assert not await opens(shop, stolen)
    builder.clock.advance(timedelta(days=31))
    await shop.upkeep.tick()
    assert not await opens(shop, stolen)
