"""Somebody wants to drown an owner in mail, or to lock them out of their own account."""

from datetime import timedelta
from ipaddress import IPv6Address

import pytest

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.errors import Rejected, Throttled
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import NoSession, SignedIn, SignInRefused
from shopaccounts.testing.builders import PASSWORD, request_from

ANN, HOME = "ann@lamp.example", request_from("192.0.2.1")


def machine(number):
    """A request from a network that no other request comes from."""
    return request_from(str(IPv6Address("2001:db8::") + (number << 64)))


async def harass(shop, number):
    """Everything that a stranger can do with an address, from a network that nobody has counted yet."""
    form = RegistrationForm(identifier="Ann+sale@lamp.example" if number % 2 else ANN, password=PASSWORD)
    for deed in (
        lambda: shop.recovery.request_reset(ANN, machine(number)),
        lambda: shop.registration.register(form, machine(number)),
        lambda: shop.signin.sign_in_with_password(ANN, f"guess number {number}", machine(number)),
    ):
        try:
            await deed()
        except Rejected:
            continue


@pytest.mark.proves("KER-264", "KER-265", "RCV-3")
async def test_a_day_of_harassment_costs_the_owner_ten_mails_and_nothing_else(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    before = [await builder.kept(book, ann.id) for book in (CUSTOMERS, PASSWORDS, SECURITY)]
    letters = len(builder.mailbag.letters)
    began = builder.clock.now()
    for number in range(480):
        await harass(shop, number)
        builder.clock.set(began + timedelta(minutes=3 * (number + 1)))
    mailed = [one for one in builder.mailbag.letters[letters:] if one.deliver]
    assert len(mailed) <= 10
    assert [await builder.kept(book, ann.id) for book in (CUSTOMERS, PASSWORDS, SECURITY)] == before
    builder.clock.advance(timedelta(hours=1))
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HOME), SignedIn)


@pytest.mark.proves("KER-265")
async def test_while_the_password_waits_the_session_at_home_goes_on_and_a_reset_comes_in(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    await wear_out(shop, builder)
    with pytest.raises(Throttled):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HOME)
    assert not isinstance(await shop.sessions.resume(ann.session, HOME), NoSession)
    await shop.recovery.request_reset(ANN, HOME)
    await shop.recovery.reset_password(builder.mailbag.last.token, "a lantern on a rainy evening", HOME)
    step = await shop.signin.sign_in_with_password(ANN, "a lantern on a rainy evening", HOME)
    assert isinstance(step, SignedIn)


async def wear_out(shop, builder):
    """Guesses until the password has to wait for more than a minute."""
    for number in range(100):
        try:
            await shop.signin.sign_in_with_password(ANN, f"guess number {number}", machine(number))
        except SignInRefused:
            continue
        except Throttled as held:
            if held.retry_after > timedelta(minutes=1):
                return
            builder.clock.advance(held.retry_after)


async def held_for(work):
    try:
        await work
    except Throttled as held:
        return held.retry_after
    return None


@pytest.mark.proves("KER-264", "KER-265")
async def test_a_stranger_who_asks_all_hour_leaves_the_owner_a_reset_from_home(shop, builder) -> None:
    await shop.open_account(ANN)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HOME)
    known = request_from("192.0.2.1", device=step.set_cookies[1].value)
    for number in range(30):
        await harass(shop, number)
        builder.clock.advance(timedelta(minutes=1))
    assert await held_for(shop.recovery.request_reset(ANN, HOME)) is not None
    assert await held_for(shop.recovery.request_reset(ANN, known)) is None
    await shop.recovery.reset_password(builder.mailbag.last.token, "a lantern on a rainy evening", known)


@pytest.mark.proves("KER-264")
async def test_a_browser_that_another_account_knows_is_a_stranger_here(shop, builder) -> None:
    await shop.open_account(ANN)
    await shop.open_account("eve@lamp.example")
    step = await shop.signin.sign_in_with_password("eve@lamp.example", PASSWORD, HOME)
    eves = request_from("192.0.2.1", device=step.set_cookies[1].value)
    builder.clock.advance(timedelta(hours=2))
    waits = []
    for address in (ANN, "nobody@lamp.example"):
        for _ in range(3):
            assert await held_for(shop.recovery.request_reset(address, eves)) is None
            builder.clock.advance(timedelta(minutes=1))
        waits.append(await held_for(shop.recovery.request_reset(address, eves)))
    assert waits == [timedelta(minutes=57)] * 2
