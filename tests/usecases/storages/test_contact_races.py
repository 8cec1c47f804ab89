"""Many change contacts at the same moment: one wins, and the others end as they were promised to."""

import pytest

from shopaccounts.customers import CUSTOMERS, ContactRole
from shopaccounts.kernel.answers import got
from shopaccounts.registration import (
    CONTACT_CHANGES,
    ChangeState,
    ConfirmationNeeded,
    ContactBelongsElsewhere,
    ContactChanged,
    ContactLinkStale,
    ContactLinkUsed,
    HolderUnknown,
)
from shopaccounts.signin import Resumed, SignInRequired
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.races import assert_one_winner, race

ANN, EVE, NEW, HERE = "ann@lamp.example", "eve@lamp.example", "new@lamp.example", request_from()
CROWD = 16
pytestmark = pytest.mark.proves("KER-180")


def newest(builder, template, subject):
    letters = [one for one in builder.mailbag.letters if one.template == f"registration.{template}"]
    return [one.token for one in letters if one.message.subject == subject][-1]


async def asked(shop, account, to=NEW):
    await shop.contact_changes.promote_contact(account.session, to, HERE)
    builder = shop.builder
    return tuple(newest(builder, f"confirm_{side}_contact", account.id) for side in ("new", "old"))


async def changes_of(builder, account):
    rows = await got(builder.storage.open(builder.scope).rows(CONTACT_CHANGES, "account", account.id, None, 500))
    return rows.items


@pytest.mark.proves("REG-60", "REG-62")
async def test_two_requests_of_two_sessions_at_once_leave_one_pending_and_prove_their_own_value(shop, builder) -> None:
    account = await shop.open_account(ANN)
    other = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    sessions, values = (account.session, other), ("a@new.example", "b@new.example")
    outcomes = await race(
        2, lambda index: builder.build().contact_changes.promote_contact(sessions[index], values[index], HERE)
    )
    assert [one.error for one in outcomes] == [None, None]
    changes = await changes_of(builder, account)
    assert sorted(one.state.value for one in changes) == ["requested", "superseded"]
    (pending,) = [one for one in changes if one.is_pending]
    links = {one.to: one.token for one in builder.mailbag.letters if one.template == "registration.confirm_new_contact"}
    for value, link in links.items():
        if value == pending.new.value.stored:
            waits = await shop.contact_changes.confirm_change_new(link, account.session, HERE)
            assert isinstance(waits, ConfirmationNeeded)
        else:
            with pytest.raises(ContactLinkStale):
                await shop.contact_changes.confirm_change_new(link, account.session, HERE)


@pytest.mark.proves("REG-64")
async def test_a_change_comes_into_force_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    new, old = await asked(shop, account)
    await shop.contact_changes.confirm_change_old(old, None, HERE)
    outcomes = await race(
        CROWD, lambda _: builder.build().contact_changes.confirm_change_new(new, account.session, HERE)
    )
    losers = [one for one in outcomes if not isinstance(one.value, ContactChanged)]
    assert len(losers) == CROWD - 1
    assert all(one.value == HolderUnknown() or isinstance(one.error, ContactLinkUsed) for one in losers)
    (done,) = [one.value for one in outcomes if isinstance(one.value, ContactChanged)]
    assert done.next_value is not None
    assert isinstance(await shop.sessions.resume(done.next_value.session, HERE), Resumed)


@pytest.mark.proves("REG-64", "CUS-33")
async def test_of_two_accounts_that_want_one_address_at_once_one_gets_it(shop, builder) -> None:
    accounts = [await shop.open_account(address) for address in (ANN, EVE)]
    links = []
    for account in accounts:
        new, old = await asked(shop, account)
        await shop.contact_changes.confirm_change_old(old, None, HERE)
        links.append(new)
    outcomes = await race(
        2,
        lambda index: builder.build().contact_changes.confirm_change_new(links[index], accounts[index].session, HERE),
    )
    assert_one_winner(outcomes, ContactBelongsElsewhere)
    customers = [await builder.kept(CUSTOMERS, account.id) for account in accounts]
    signs_in = [c.value.stored for one in customers for c in one.contacts if ContactRole.LOGIN in c.roles]
    assert sorted(signs_in) in (sorted([NEW, ANN]), sorted([NEW, EVE]))


@pytest.mark.proves("REG-64")
async def test_a_change_to_an_address_that_is_taken_by_then_changes_nothing(shop, builder) -> None:
    account = await shop.open_account(ANN)
    new, old = await asked(shop, account)
    await shop.open_account(NEW)
    await shop.contact_changes.confirm_change_old(old, None, HERE)
    before = await builder.kept(CUSTOMERS, account.id)
    with pytest.raises(ContactBelongsElsewhere):
        await shop.contact_changes.confirm_change_new(new, account.session, HERE)
    assert await builder.kept(CUSTOMERS, account.id) == before


@pytest.mark.proves("REG-68")
async def test_a_change_is_taken_back_once_by_many_at_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    new, old = await asked(shop, account)
    await shop.contact_changes.confirm_change_old(old, None, HERE)
    await shop.contact_changes.confirm_change_new(new, account.session, HERE)
    undo = newest(builder, "undo_contact_change", account.id)
    outcomes = await race(CROWD, lambda _: builder.build().contact_changes.reverse_contact_change(undo, HERE))
    assert_one_winner(outcomes, ContactLinkUsed)
    (contact,) = (await builder.kept(CUSTOMERS, account.id)).contacts
    assert contact.value.stored == ANN
    assert [one.state for one in await changes_of(builder, account)] == [ChangeState.UNDONE]


@pytest.mark.proves("REG-21")
async def test_one_contact_is_removed_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await shop.contacts.add_contact(account.session, NEW, HERE)
    added = await shop.contacts.confirm_added_contact(builder.mailbag.last.token, account.session, HERE)
    outcomes = await race(
        CROWD, lambda _: builder.build().contacts.remove_contact(account.session, added.contact, HERE)
    )
    assert_one_winner(outcomes, SignInRequired)
