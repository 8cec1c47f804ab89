"""Somebody guesses with a thousand machines: another network, another spelling, at once, with new codes, from anew."""

from datetime import timedelta
from ipaddress import IPv6Address

import pytest

from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import Throttled
from shopaccounts.registration import CodeExhausted, CodeWrong, ContactLinkExpired, ContactLinkInvalid, RegistrationForm
from shopaccounts.signin import SignedIn, SignInRefused
from shopaccounts.testing.builders import BEGINNING, PASSWORD, ShopBuilder, request_from
from shopaccounts.testing.races import race

ANN = "ann@lamp.example"
SPELLINGS = (ANN, "Ann@lamp.example", "ANN@LAMP.EXAMPLE", "ann@Lamp.Example")
DAY = timedelta(days=1)


def machine(number):
    """A request from a network that no other request comes from."""
    return request_from(str(IPv6Address("2001:db8::") + (number << 64)))


@pytest.mark.proves("KER-260", "KER-261", "KER-206")
async def test_a_day_of_guessing_from_everywhere_gets_forty_looks_at_most(shop, builder) -> None:
    await shop.open_account(ANN)
    looked = number = 0
    end = builder.clock.now() + DAY
    while builder.clock.now() < end:
        number += 1
        spelling = SPELLINGS[number % len(SPELLINGS)]
        try:
            await shop.signin.sign_in_with_password(spelling, f"guess number {number} of many", machine(number))
        except SignInRefused:
            looked += 1
        except Throttled as held:
            builder.clock.advance(held.retry_after)
    assert 30 <= looked <= 40
    builder.clock.advance(timedelta(hours=1))
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, request_from()), SignedIn)


@pytest.mark.proves("KER-260")
async def test_a_thousand_machines_at_once_get_five_looks(host) -> None:
    shop = ShopBuilder(host=host, entropy=SystemEntropy()).build()
    await shop.open_account(ANN)
    guesses = await race(24, lambda n: shop.signin.sign_in_with_password(SPELLINGS[n % 4], f"guess {n}", machine(n)))
    assert [type(guess.error) for guess in guesses].count(SignInRefused) == 5


@pytest.mark.proves("KER-244", "KER-245", "KER-264", "REG-12")
async def test_a_day_of_guessing_codes_with_every_trick_gets_fifty_looks_at_most(shop, builder) -> None:
    """Five tries for a code, then another mail, then the form again: what bounds it all is the mailbox's budget."""
    looked = number = 0
    handle = await begun(shop, builder, machine(number))
    while builder.clock.now() < BEGINNING + DAY:
        number += 1
        for attempt in range(24):
            try:
                await shop.registration.complete_registration(handle, "wrong", machine(number))
            except CodeWrong:
                looked += 1
            except (CodeExhausted, ContactLinkExpired, ContactLinkInvalid):
                break
            if attempt % 3 == 2:
                await another_mail(shop, builder, handle, machine(number))
        handle = await begun(shop, builder, machine(number))
    assert 40 <= looked <= 50
    assert len(builder.mailbag.letters) <= 11


async def begun(shop, builder, context):
    while True:
        try:
            return (
                await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), context)
            ).handle
        except Throttled as held:
            builder.clock.advance(held.retry_after)


async def another_mail(shop, builder, handle, context):
    try:
        await shop.registration.resend_verification(handle, context)
    except (Throttled, CodeExhausted):
        builder.clock.advance(timedelta(minutes=1))
