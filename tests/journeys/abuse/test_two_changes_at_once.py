"""Somebody who has got into an account changes its address, while the owner does something about it."""

from datetime import timedelta

import pytest

from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import FreshSignInNeeded, Rejected
from shopaccounts.recovery import ResetLinkStale
from shopaccounts.registration import ConfirmationNeeded
from shopaccounts.signin import SignedIn, SignInRefused
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from
from shopaccounts.testing.races import race

ANN, THIEFS, OTHER = "ann@lamp.example", "thief@evil.example", "other@evil.example"
HERE, THERE = request_from("192.0.2.1"), request_from("203.0.113.66", agent="a thief")
NEW = "a lantern on a rainy evening"


def newest(builder, template, to):
    letters = (one for one in reversed(builder.mailbag.letters) if one.to == to)
    return next(one.token for one in letters if one.template == f"registration.{template}")


async def entered(shop):
    """The owner's session, and the thief's."""
    await shop.open_account(ANN)
    return [(await shop.signin.sign_in_with_password(ANN, PASSWORD, where)).session for where in (HERE, THERE)]


@pytest.mark.proves("REG-60", "REG-62", "KER-222", "KER-235")
async def test_of_two_changes_at_once_one_is_open_and_a_link_proves_its_own_address_only(host) -> None:
    builder = ShopBuilder(host=host, entropy=SystemEntropy())
    shop = builder.build()
    _, thief = await entered(shop)
    await race(2, lambda n: shop.contact_changes.promote_contact(thief, (THIEFS, OTHER)[n], THERE))
    alive = []
    for address in (THIEFS, OTHER):
        try:
            await shop.contact_changes.peek_contact_change(newest(builder, "confirm_new_contact", address), THERE)
        except Rejected:
            continue
        alive.append(address)
    (open_one,) = alive
    (dead,) = {THIEFS, OTHER} - {open_one}
    with pytest.raises(Rejected):
        await shop.contact_changes.confirm_change_new(newest(builder, "confirm_new_contact", dead), thief, THERE)
    answer = await shop.contact_changes.confirm_change_new(
        newest(builder, "confirm_new_contact", open_one), thief, THERE
    )
    assert isinstance(answer, ConfirmationNeeded), "the old address has to agree"


@pytest.mark.proves("REG-61", "REG-64", "KER-222", "RCV-10")
async def test_a_reset_by_the_owner_ends_what_a_thief_has_begun(shop, builder) -> None:
    owner, thief = await entered(shop)
    await shop.contact_changes.promote_contact(thief, THIEFS, THERE)
    link = newest(builder, "confirm_new_contact", THIEFS)
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
    with pytest.raises(Rejected):
        await shop.contact_changes.confirm_change_new(link, thief, THERE)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(THIEFS, PASSWORD, THERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)
    assert owner


@pytest.mark.proves("REG-68", "KER-222", "KER-265")
async def test_an_owner_who_comes_late_takes_everything_back_with_the_first_mail(shop, builder) -> None:
    """The thief reads the mailbox too, changes address and password, and stays for a week."""
    _, thief = await entered(shop)
    await shop.contact_changes.promote_contact(thief, THIEFS, THERE)
    await shop.contact_changes.confirm_change_old(newest(builder, "confirm_old_contact", ANN), None, THERE)
    done = await shop.contact_changes.confirm_change_new(newest(builder, "confirm_new_contact", THIEFS), thief, THERE)
    thief = done.next_value.session
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(THIEFS, THERE)
    theirs = builder.mailbag.last.token
    await shop.passwords.change_password(thief, PASSWORD, NEW, THERE)
    with pytest.raises(ResetLinkStale):
        await shop.recovery.reset_password(theirs, NEW, THERE)
    builder.clock.advance(timedelta(days=7))
    with pytest.raises((FreshSignInNeeded, Rejected)):
        await shop.contact_changes.promote_contact(thief, OTHER, THERE)
    await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change", ANN), HERE)
    for address, password in ((THIEFS, NEW), (ANN, NEW), (THIEFS, PASSWORD)):
        try:
            step = await shop.signin.sign_in_with_password(address, password, THERE)
        except SignInRefused:
            continue
        assert not isinstance(step, SignedIn), address
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "my own lantern in the hall", HERE)
    step = await shop.signin.sign_in_with_password(ANN, "my own lantern in the hall", HERE)
    assert isinstance(step, SignedIn)
