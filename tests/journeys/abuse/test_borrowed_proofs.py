"""Somebody sits down at an open session, and wants to do what takes a fresh proof."""

from datetime import timedelta

import pytest

from shopaccounts.kernel.errors import FreshSignInNeeded, Rejected, Throttled
from shopaccounts.signin import NoSession
from shopaccounts.testing.builders import PASSWORD, request_from

ANN, EVE, HERE = "ann@lamp.example", "eve@lamp.example", request_from("192.0.2.1")
EVES = "eve has a lamp in the cellar"
LATER = timedelta(minutes=20)


async def sessions(shop, count=2):
    await shop.open_account(ANN)
    opened = [(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session for _ in range(count)]
    shop.builder.clock.advance(LATER)
    return opened


async def may(shop, value):
    """Whether a session may do what takes a fresh proof."""
    try:
        await shop.contact_changes.promote_contact(value, "ann@new.example", HERE)
    except FreshSignInNeeded:
        return False
    return True


@pytest.mark.proves("SIG-61")
async def test_the_password_of_somebody_else_is_no_proof_and_costs_a_try(shop) -> None:
    (value,) = await sessions(shop, 1)
    await shop.open_account(EVE, EVES)
    looked = 0
    for _ in range(8):
        try:
            await shop.signin.confirm_identity(value, EVES, HERE)
        except Throttled:
            break
        except Rejected:
            looked += 1
    assert looked == 5
    assert not await may(shop, value)
    assert not isinstance(await shop.sessions.resume(value, HERE), NoSession), "failing ends no session"


@pytest.mark.proves("SIG-62", "SIG-63", "KER-271")
async def test_a_proof_is_good_for_its_own_session_and_for_a_while(shop, builder) -> None:
    here, other = await sessions(shop)
    following = await shop.signin.confirm_identity(here, PASSWORD, HERE)
    assert isinstance(await shop.sessions.resume(here, HERE), NoSession), "the value from before is dead"
    assert not await may(shop, other)
    assert await may(shop, following.session)
    builder.clock.advance(LATER)
    assert not await may(shop, following.session)


@pytest.mark.proves("SIG-60", "KER-271")
async def test_using_a_session_all_day_makes_its_proof_no_fresher(shop, builder) -> None:
    (value,) = await sessions(shop, 1)
    for _ in range(60):
        builder.clock.advance(timedelta(minutes=10))
        await shop.sessions.resume(value, HERE)
    assert not await may(shop, value)
