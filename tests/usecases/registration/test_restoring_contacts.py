"""A contact that was removed can be taken back for a while."""

from datetime import timedelta

import pytest

from shopaccounts.customers import CUSTOMERS, ContactLimit, ContactRole, NotFound, is_verified
from shopaccounts.kernel.errors import FreshSignInNeeded
from shopaccounts.registration import CONTACT_CHANGES, ChangeState
from shopaccounts.signin import NoSession, Resumed
from shopaccounts.testing.builders import ShopBuilder, quick_policies, request_from, without_gaps

ANN, WORK, HERE = "ann@lamp.example", "work@lamp.example", request_from(agent="a browser")
WINDOW, MOMENT = timedelta(days=30), timedelta(microseconds=1)


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))


async def customer(builder, account):
    return await builder.kept(CUSTOMERS, account.id)


async def add(shop, builder, value, address):
    await shop.contacts.add_contact(value, address, HERE)
    return (await shop.contacts.confirm_added_contact(builder.mailbag.last.token, value, HERE)).contact


async def removed(shop, builder, account):
    """Answer the id of a contact that was just removed, and the session's value since."""
    contact = await add(shop, builder, account.session, WORK)
    return contact, (await shop.contacts.remove_contact(account.session, contact, HERE)).next_value.session


@pytest.mark.proves("CUS-23", "CUS-35")
async def test_it_comes_back_as_it_was_proven_and_is_told_to_every_address(shop, builder) -> None:
    account = await shop.open_account(ANN)
    contact, value = await removed(shop, builder, account)
    elsewhere = (await shop.signin.sign_in_with_password(ANN, account.password, HERE)).session
    before = len(builder.mailbag.letters)
    back = await shop.contact_changes.restore_contact(value, contact, HERE)
    after = await customer(builder, account)
    (restored,) = [c for c in after.contacts if c.id == contact]
    assert (is_verified(restored), restored.value.stored, after.former_contacts) == (True, WORK, ())
    assert ContactRole.LOGIN not in restored.roles
    assert isinstance(await shop.sessions.resume(back.session, HERE), Resumed)
    assert isinstance(await shop.sessions.resume(value, HERE), NoSession)
    assert isinstance(await shop.sessions.resume(elsewhere, HERE), NoSession)
    events = [event.name for event in builder.storage.snapshot()["main"].books["events"].values()]
    assert events.count("customers.contact_added") == 2
    told = builder.mailbag.letters[before:]
    assert {(letter.template, letter.to) for letter in told} == {
        ("registration.contact_added", ANN),
        ("registration.contact_added", WORK),
    }


@pytest.mark.proves("CUS-23")
async def test_it_comes_back_once_and_within_thirty_days(shop, builder) -> None:
    account = await shop.open_account(ANN)
    contact, value = await removed(shop, builder, account)
    value = (await shop.contact_changes.restore_contact(value, contact, HERE)).session
    with pytest.raises(NotFound):
        await shop.contact_changes.restore_contact(value, contact, HERE)
    value = (await shop.contacts.remove_contact(value, contact, HERE)).next_value.session
    builder.clock.advance(WINDOW - MOMENT)
    step = await shop.signin.sign_in_with_password(ANN, account.password, HERE)
    builder.clock.advance(MOMENT)
    with pytest.raises(NotFound):
        await shop.contact_changes.restore_contact(step.session, contact, HERE)
    await shop.upkeep.tick()
    assert (await customer(builder, account)).former_contacts == ()


@pytest.mark.proves("CUS-23", "CUS-1")
async def test_nobody_takes_back_what_is_not_theirs(shop, builder) -> None:
    account, other = await shop.open_account(ANN), await shop.open_account("ben@lamp.example")
    contact, _ = await removed(shop, builder, account)
    for id in (contact, "never there"):
        with pytest.raises(NotFound):
            await shop.contact_changes.restore_contact(other.session, id, HERE)


@pytest.mark.proves("CUS-23")
async def test_it_takes_a_fresh_proof(shop, builder) -> None:
    account = await shop.open_account(ANN)
    contact, value = await removed(shop, builder, account)
    builder.clock.advance(timedelta(minutes=15))
    with pytest.raises(FreshSignInNeeded):
        await shop.contact_changes.restore_contact(value, contact, HERE)


@pytest.mark.proves("CUS-23", "CUS-32")
async def test_there_is_no_way_back_into_a_full_list(shop, builder) -> None:
    account = await shop.open_account(ANN)
    contact, value = await removed(shop, builder, account)
    for number in range(9):
        builder.clock.advance(timedelta(minutes=1))
        await add(shop, builder, value, f"more{number}@lamp.example")
    with pytest.raises(ContactLimit):
        await shop.contact_changes.restore_contact(value, contact, HERE)
    (change,) = builder.storage.snapshot()["main"].books[CONTACT_CHANGES.name].values()
    assert change.state is ChangeState.APPLIED
