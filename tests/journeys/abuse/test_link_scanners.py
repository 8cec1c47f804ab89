"""Somebody else opens the link: a scanner, a browser that prefetches, a friend it was forwarded to."""

from datetime import timedelta

import pytest

from shopaccounts.registration import HolderUnknown, RegistrationForm
from shopaccounts.signin import SignedIn, SignInRefused
from shopaccounts.testing.builders import PASSWORD, request_from

ANN = "ann@lamp.example"
HERE, SCANNER, FRIEND = request_from("192.0.2.1"), request_from("198.51.100.99"), request_from("203.0.113.5")
OWN = "a lantern on a rainy evening"


@pytest.mark.proves("KER-234", "REG-16")
async def test_a_scanner_that_opens_every_link_changes_nothing(shop, builder) -> None:
    started = await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    letter, before = builder.mailbag.last, builder.storage.snapshot()
    offers = {await shop.registration.peek_contact(letter.token, SCANNER) for _ in range(20)}
    assert builder.storage.snapshot() == before
    (offer,) = offers
    assert (offer.referrer_policy, offer.cache_control) == ("no-referrer", "no-store")
    done = await shop.registration.complete_registration(started.handle, letter.code, HERE)
    assert isinstance(done.step, SignedIn)

    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(ANN, HERE)
    link, before = builder.mailbag.last.token, builder.storage.snapshot()
    shown = [await shop.recovery.peek_reset(link, SCANNER) for _ in range(20)]
    assert builder.storage.snapshot() == before
    assert (shown[0].referrer_policy, shown[0].cache_control) == ("no-referrer", "no-store")
    await shop.recovery.reset_password(link, OWN, HERE)


@pytest.mark.proves("REG-16", "REG-17")
async def test_whoever_is_sent_a_strangers_link_activates_nothing_of_the_stranger(shop, builder) -> None:
    """Eve registers Ann's address; Ann clicks, as people do."""
    handle = (await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), FRIEND)).handle
    link = builder.mailbag.last.token
    assert await shop.registration.confirm_contact(link, None, HERE) == HolderUnknown()
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, FRIEND)
    assert await shop.registration.confirm_contact(link, None, HERE) == HolderUnknown(), "clicking twice neither"
    await shop.registration.take_over_contact(link, OWN, HERE)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, FRIEND)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, OWN, HERE), SignedIn)
    assert handle
