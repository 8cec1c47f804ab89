"""Somebody who can't sign in tries the ways that are for people who forgot, or that open something else."""

from datetime import timedelta

import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, Trigger
from shopaccounts.kernel.errors import Rejected
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import SESSIONS, AccountSuspended, SignInRefused
from shopaccounts.testing.builders import PASSWORD, request_from

ANN, HERE, EVE = "ann@lamp.example", request_from("192.0.2.1"), request_from("203.0.113.66", agent="eve")
NEW = "a lantern on a rainy evening"


def sessions(builder):
    return len(builder.storage.snapshot()["main"].books.get(SESSIONS.name, {}))


@pytest.mark.proves("SIG-3", "SIG-1", "RCV-2")
@pytest.mark.parametrize("trigger", [Trigger.SUSPEND, Trigger.REQUEST_CLOSING])
async def test_no_way_in_forgets_that_the_account_was_stopped(shop, builder, trigger) -> None:
    """Every way that existed before the stop is tried after it."""
    ann = await shop.open_account(ANN)
    builder.clock.advance(timedelta(days=1))
    await shop.recovery.request_reset(ANN, HERE)
    reset = builder.mailbag.last.token
    await builder.step(ann.id, trigger)
    before = sessions(builder)
    with pytest.raises(Rejected):
        await shop.recovery.reset_password(reset, NEW, HERE)
    with pytest.raises(Rejected):
        await shop.sessions.list_sessions(ann.session, HERE)
    builder.clock.advance(timedelta(minutes=2))
    await shop.registration.register(RegistrationForm(identifier=ANN, password=NEW), EVE)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, NEW, EVE)
    assert sessions(builder) == before
    if trigger is Trigger.SUSPEND:
        assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), AccountSuspended)
        assert sessions(builder) == before


@pytest.mark.proves("RCV-11", "RCV-14", "SIG-1")
async def test_a_reset_gives_a_password_and_no_session(shop, builder) -> None:
    await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    before = sessions(builder)
    answer = await shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
    assert sessions(builder) == before
    assert "session" not in repr(answer).lower()


@pytest.mark.proves("KER-220", "REG-19", "REG-13")
async def test_an_address_that_nobody_proved_is_no_way_in_and_stays_free(shop, builder) -> None:
    """Eve writes Ann's address into her own account; it neither opens that account nor keeps Ann from it."""
    eves = await shop.arrange("unverified contact", ANN)
    letters = len(builder.mailbag.letters)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, EVE)
    await shop.recovery.request_reset(ANN, EVE)
    assert not any(letter.deliver for letter in builder.mailbag.letters[letters:])
    builder.clock.advance(timedelta(minutes=2))
    ann = await shop.open_account(ANN, NEW)
    assert ann.id != eves
    theirs = await builder.kept(CUSTOMERS, eves)
    assert theirs.status is AccountStatus.ACTIVE
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, EVE)
