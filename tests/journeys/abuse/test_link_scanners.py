"""Somebody else opens the link: a scanner, a browser that prefetches, a friend it was forwarded to."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.registration import HolderUnknown, RegistrationForm
from shopaccounts.signin import CodeWrong, OpenedElsewhere, SignedIn, SignInRefused
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


@pytest.mark.proves("KER-234", "SIG-16")
async def test_a_scanner_that_opens_and_confirms_a_sign_in_link_gets_in_nowhere(shop, builder) -> None:
    """Some even press the button on the page."""
    await shop.open_account(ANN)
    sent = await shop.code_signin.request_sign_in_link(ANN, HERE)
    letter = builder.mailbag.last
    for _ in range(20):
        offer = await shop.code_signin.peek_sign_in_link(letter.token, SCANNER)
        assert not offer.same_browser
        answer = await shop.code_signin.sign_in_with_link(letter.token, SCANNER, confirmed=True)
        assert isinstance(answer, OpenedElsewhere)
    owner = attrs.evolve(HERE, binding=sent.set_cookies[0].value)
    assert isinstance(await shop.code_signin.sign_in_with_link(letter.token, owner), SignedIn)


@pytest.mark.proves("SIG-16", "KER-241")
async def test_a_link_that_a_stranger_asked_for_signs_the_stranger_in_nowhere(shop, builder) -> None:
    """Eve asks for a link for Ann's address; Ann clicks, as people do, and forwards the mail besides."""
    await shop.open_account(ANN)
    eves = await shop.code_signin.request_sign_in_link(ANN, FRIEND)
    letter = builder.mailbag.last
    assert isinstance(await shop.code_signin.sign_in_with_link(letter.token, HERE), OpenedElsewhere)
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await shop.code_signin.sign_in_with_code(eves.handle, "000000", FRIEND)
    another = request_from("203.0.113.6")
    assert isinstance(await shop.code_signin.sign_in_with_link(letter.token, another), OpenedElsewhere)
    builder.clock.advance(timedelta(minutes=2))
    own = await shop.code_signin.request_sign_in_link(ANN, HERE)
    with pytest.raises(CodeWrong):
        await shop.code_signin.sign_in_with_code(own.handle, letter.code, HERE)
    code = builder.mailbag.last.code
    builder.clock.advance(timedelta(minutes=2))
    assert isinstance(await shop.code_signin.sign_in_with_code(own.handle, code, HERE), SignedIn)


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
