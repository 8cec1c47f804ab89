"""A number that several customers have proven: all hear by it, one signs in by it, and it gives back no account."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, Trigger
from shopaccounts.kernel.contact import PhoneNumber
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.registration import PROVEN_NUMBERS
from shopaccounts.signin import SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from, without_gaps
from shopaccounts.testing.phones import with_phones

TEL, ANN, BOB = "+4915123456789", "ann@lamp.example", "bob@lamp.example"
HERE = request_from(browser=Secret("the value of the owner's own browser"))
WIDE = attrs.evolve(
    without_gaps(), phone_hourly=without_gaps().mailbox_hourly, phone_daily=without_gaps().mailbox_daily
)


@pytest.fixture
def builder(host) -> ShopBuilder:
    """Shops that reach phones as often as a test wants."""
    return with_phones(host, sends=WIDE)


async def adds(shop, account, number=TEL):
    """Proves a number for notices, and answers the id of the contact."""
    started = await shop.contacts.add_contact(account.session, number, HERE)
    code = shop.builder.mailbag.last.code
    return (await shop.contacts.prove_added_contact(account.session, started.addition, code, HERE)).contact


async def signs_in_by(shop, account, contact):
    value = await shop.contacts.sign_in_by_contact(account.session, contact, HERE)
    return attrs.evolve(account, session=value.session)


async def family(shop):
    """Ann signs in by a number that Bob hears by; answers both, and Bob's contact."""
    ann, bob = await shop.open_account(ANN), await shop.open_account(BOB)
    first, second = await adds(shop, ann), await adds(shop, bob)
    return await signs_in_by(shop, ann, first), bob, second


async def reset(shop):
    """Asks for a new password by text message, and answers what went out."""
    await shop.recovery.request_reset(TEL, HERE, Channel.SMS)
    return shop.builder.mailbag.last


def rows(builder):
    return tuple(builder.storage.snapshot()["main"].books[PROVEN_NUMBERS.name].values())


@pytest.mark.proves("CUS-40", "RCV-2")
async def test_a_number_that_two_have_proven_gives_nobody_a_new_password_by_itself(shop, builder) -> None:
    await family(shop)
    letter = await reset(shop)
    assert (letter.template, letter.to) == ("recovery.reset_password", ANN)
    assert builder.mailbag.to(TEL)[-1].template != "recovery.reset_code"


@pytest.mark.proves("CUS-40")
async def test_it_signs_in_the_one_who_holds_it_and_takes_the_notices_of_both(shop, builder) -> None:
    ann, bob, _ = await family(shop)
    entered = await shop.signin.sign_in_with_password(TEL, PASSWORD, HERE)
    assert isinstance(entered, SignedIn)
    sent = await shop.code_signin.request_sign_in_code(TEL, Channel.SMS, HERE)
    step = await shop.code_signin.sign_in_with_code(sent.handle, builder.mailbag.last.code, HERE)
    assert (await shop.sessions.resume(step.session, HERE)).account == ann.id
    for account in (ann, bob):
        told = (await builder.kept(CUSTOMERS, account.id)).notice_contacts(builder.clock.now())
        assert PhoneNumber.parse(TEL).e164 in {one.send_to for one in told}


@pytest.mark.proves("CUS-40")
async def test_who_alone_has_proven_a_number_gets_a_code(shop) -> None:
    ann = await shop.open_account(ANN)
    await signs_in_by(shop, ann, await adds(shop, ann))
    assert (await reset(shop)).template == "recovery.reset_code"


@pytest.mark.proves("CUS-40")
async def test_a_number_is_its_owners_again_when_the_other_gives_it_up(shop) -> None:
    _, bob, contact = await family(shop)
    await shop.contacts.remove_contact(bob.session, contact, HERE)
    assert (await reset(shop)).template == "recovery.reset_code"


@pytest.mark.proves("CUS-40")
async def test_a_number_is_its_owners_again_when_the_others_account_is_closed(shop, builder) -> None:
    _, bob, _ = await family(shop)
    await builder.step(bob.id, Trigger.REQUEST_CLOSING, until=builder.clock.now() + timedelta(days=1))
    assert (await reset(shop)).template == "recovery.reset_password"
    await builder.step(bob.id, Trigger.CLOSE)
    assert (await reset(shop)).template == "recovery.reset_code"


@pytest.mark.proves("CUS-40", "REG-8")
async def test_who_opens_an_account_by_a_number_shares_it_with_who_hears_by_it(shop, builder) -> None:
    await adds(shop, await shop.open_account(BOB))
    await shop.open_account(TEL)
    before = len(builder.mailbag.letters)
    letter = await reset(shop)
    assert len(builder.mailbag.letters) == before + 1
    assert not letter.deliver, "it has no address that a link could be mailed to"


@pytest.mark.proves("CUS-40")
async def test_the_place_of_who_gave_a_number_up_is_the_next_ones(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    contact = await adds(shop, ann)
    others = [await shop.open_account(f"{name}@lamp.example") for name in ("bob", "cleo", "dan", "eve")]
    for other in others[:3]:
        await adds(shop, other)
    assert {row.account for row in rows(builder)} == {ann.id, *(one.id for one in others[:2])}, "three are kept"
    await shop.contacts.remove_contact(ann.session, contact, HERE)
    await adds(shop, others[3])
    assert {row.account for row in rows(builder)} == {others[3].id, *(one.id for one in others[:2])}


@pytest.mark.proves("CUS-40")
async def test_a_place_is_taken_once_and_addresses_take_none(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    contact = await adds(shop, ann)
    removed = await shop.contacts.remove_contact(ann.session, contact, HERE)
    await shop.contact_changes.restore_contact(removed.next_value.session, contact, HERE)
    await adds(shop, attrs.evolve(ann, session=await again(shop)), "ann@home.example")
    assert [(row.account, row.number) for row in rows(builder)] == [(ann.id, TEL)]


@pytest.mark.proves("CUS-40", "CUS-35")
async def test_a_number_that_comes_back_to_hear_by_is_shared_with_its_next_owner(shop, builder) -> None:
    ann = await shop.open_account(TEL)
    ann = await signs_in_by(shop, ann, await adds(shop, ann, ANN))
    (phone,) = [one for one in (await builder.kept(CUSTOMERS, ann.id)).contacts if one.key == TEL]
    removed = await shop.contacts.remove_contact(ann.session, phone.id, HERE)
    ann = attrs.evolve(ann, session=removed.next_value.session)
    ann = await signs_in_by(shop, ann, await adds(shop, ann, "+4915198765432"))
    await shop.contact_changes.restore_contact(ann.session, phone.id, HERE)
    await shop.open_account(TEL)
    assert not (await reset(shop)).deliver


async def again(shop):
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, SignedIn)
    return step.session
