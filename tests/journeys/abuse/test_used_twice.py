"""Somebody uses a second time what works once: at the same moment, after a restart, long after it was cleared away."""

from datetime import timedelta

import pytest

from shopaccounts.kernel.errors import Rejected
from shopaccounts.recovery import PasswordWasReset, ResetLinkInvalid, ResetLinkUsed
from shopaccounts.registration import ContactLinkInvalid, Registered, RegistrationForm
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from
from shopaccounts.testing.races import race

ANN, HERE = "ann@lamp.example", request_from()
NEW, OTHER = "a lantern on a rainy evening", "another lantern, brighter yet"


async def reset_link(shop):
    await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    return shop.builder.mailbag.last.token


@pytest.mark.proves("KER-236", "RCV-14")
async def test_of_two_people_with_the_same_reset_link_one_sets_the_password(host) -> None:
    shop = ShopBuilder(host=host).build()
    link = await reset_link(shop)
    outcomes = await race(8, lambda number: shop.recovery.reset_password(link, f"{NEW} {number}", HERE))
    assert [type(one.value) for one in outcomes if one.error is None] == [PasswordWasReset]
    assert {type(one.error) for one in outcomes if one.error} == {ResetLinkUsed}


@pytest.mark.proves("KER-236")
async def test_a_restart_and_a_clearing_bring_no_link_back(builder) -> None:
    link = await reset_link(builder.build())
    await builder.build().recovery.reset_password(link, NEW, HERE)
    with pytest.raises(ResetLinkUsed):
        await builder.build().recovery.reset_password(link, OTHER, HERE)
    builder.clock.advance(timedelta(days=60))
    await builder.build().upkeep.tick()
    with pytest.raises(ResetLinkInvalid):
        await builder.build().recovery.reset_password(link, OTHER, HERE)


@pytest.mark.proves("KER-236", "REG-17", "REG-19")
async def test_code_and_link_of_one_mail_are_one_proof(shop, builder) -> None:
    """Whoever reads the mail later, in a backup or over a shoulder, finds nothing in it that still works."""
    started = await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    letter = builder.mailbag.last
    done = await shop.registration.complete_registration(started.handle, letter.code, HERE)
    assert isinstance(done, Registered)
    for again in (
        lambda: shop.registration.complete_registration(started.handle, letter.code, HERE),
        lambda: shop.registration.confirm_contact(letter.token, started.handle, HERE),
        lambda: shop.registration.take_over_contact(letter.token, OTHER, HERE),
    ):
        with pytest.raises(Rejected):
            await again()
    builder.clock.advance(timedelta(days=60))
    await shop.upkeep.tick()
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.take_over_contact(letter.token, OTHER, HERE)
