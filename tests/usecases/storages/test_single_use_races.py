"""Sixteen do what counts once, at the same moment; on every kind of storage."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, Delivery, NotFound, VerificationMethod
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.recovery import CaseClosed, ResetLinkUsed
from shopaccounts.registration import ChangeNotPossible, ContactLinkUsed, HolderUnknown
from shopaccounts.signin import (
    DEVICES,
    IMPERSONATIONS,
    SESSIONS,
    ActingScope,
    DevicePolicy,
    ImpersonationNotAllowed,
    Resumed,
    SessionPolicy,
    SignedIn,
    SignInRequired,
)
from shopaccounts.testing.builders import PASSWORD, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.races import assert_one_winner, race

ANN, BOB, OTHER, HERE = "ann@lamp.example", "bob@lamp.example", "ann@other.example", request_from()
CROWD, WHY = 16, "as the customer asked"
MINUTE, WEEK = timedelta(minutes=1), timedelta(days=7)
pytestmark = pytest.mark.proves("KER-180")


def from_device(index):
    """A request from a browser that nobody has seen."""
    return request_from(f"203.0.113.{index}", agent=f"Browser{index}/1")


async def listed(builder, book, group, value):
    return (await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))).items


async def told(builder, account, name):
    return [event for event in await listed(builder, EVENTS, "subject", account) if event.name == name]


def newest(builder, template):
    return next(one for one in reversed(builder.mailbag.letters) if one.template.partition(".")[2] == template)


async def adding(shop, builder):
    account = await shop.open_account(ANN)
    started = await shop.contacts.add_contact(account.session, OTHER, HERE)
    return account, started.addition, newest(builder, "add_contact")


@pytest.mark.proves("SIG-83")
async def test_one_objection_to_a_sign_in_counts_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await shop.signin.sign_in_with_password(ANN, PASSWORD, from_device(1))
    token = newest(builder, "new_device").ticket("not_me_link")
    outcomes = await race(CROWD, lambda _: builder.build().objections.not_me_sign_in(token, HERE))
    assert_one_winner(outcomes, ResetLinkUsed)
    assert len(await told(builder, account.id, "signin.repudiated")) == 1


@pytest.mark.proves("REG-20")
async def test_one_added_contact_is_proven_once_by_code_and_link(shop, builder) -> None:
    account, addition, letter = await adding(shop, builder)

    async def either(index):
        contacts = builder.build().contacts
        if index % 2:
            return await contacts.confirm_added_contact(letter.token, account.session, HERE)
        return await contacts.prove_added_contact(account.session, addition, letter.code, HERE)

    outcomes = await race(CROWD, either)
    late = (ContactLinkUsed, SignInRequired, ChangeNotPossible)
    done = assert_one_winner([one for one in outcomes if one.value != HolderUnknown()], *late)
    contacts = (await builder.kept(CUSTOMERS, account.id)).contacts
    assert [one.value.stored for one in contacts] == [ANN, OTHER]
    assert contacts[1].id == done.contact
    assert len(await told(builder, account.id, "customers.contact_added")) == 1


@pytest.mark.proves("CUS-23")
async def test_a_removed_contact_comes_back_once(shop, builder) -> None:
    account, _, letter = await adding(shop, builder)
    contact = (await shop.contacts.confirm_added_contact(letter.token, account.session, HERE)).contact
    session = (await shop.contacts.remove_contact(account.session, contact, HERE)).next_value.session
    outcomes = await race(CROWD, lambda _: builder.build().contact_changes.restore_contact(session, contact, HERE))
    following = assert_one_winner(outcomes, SignInRequired, NotFound)
    assert isinstance(await shop.sessions.resume(following.session, HERE), Resumed)
    assert len((await builder.kept(CUSTOMERS, account.id)).contacts) == 2


@pytest.mark.proves("CUS-39")
async def test_one_check_of_a_contact_is_answered_once(builder) -> None:
    builder.agents = StaffRoom()
    builder.agents.hire("eve")
    account = await builder.build().open_account(ANN)
    (contact,) = (await builder.kept(CUSTOMERS, account.id)).contacts
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    office = builder.build()
    await office.contact_care.note_delivery(account.id, contact.id, Delivery.IMPOSSIBLE)
    await office.contact_care.check_contact(account.id, contact.id, WHY)
    token = newest(builder, "contact_check").token
    outcomes = await race(CROWD, lambda _: builder.build().contact_care.answer_contact_check(token, HERE))
    assert_one_winner(outcomes, ContactLinkUsed)


@pytest.mark.proves("REG-51")
async def test_one_invitation_is_taken_up_once_with_an_account(shop, builder) -> None:
    ann, bob = await shop.open_account(ANN), await shop.open_account(BOB)
    await shop.invitations.invite(bob.session, ANN, HERE)
    token = builder.mailbag.last.token
    outcomes = await race(CROWD, lambda _: builder.build().invitations.accept_with_account(token, ann.session, HERE))
    assert_one_winner(outcomes, ContactLinkUsed)


def with_second(customer):
    point = ContactPoint(
        id=ContactId("second"),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse("ann@second.example"),
        added_at=customer.created_at,
        roles=frozenset({ContactRole.RECOVERY}),
    ).proven(VerificationMethod.CODE, "a challenge", customer.created_at)
    return attrs.evolve(customer, contacts=(*customer.contacts, point))


@pytest.mark.proves("RCV-24")
async def test_one_link_cancels_a_case_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(CUSTOMERS, account.id, with_second)
    builder.clock.advance(WEEK + MINUTE)
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    await shop.cases.start_mailbox_recovery(session, OTHER, HERE)
    link, code = newest(builder, "prove_mailbox").token, newest(builder, "recovery_code").code
    await shop.cases.open_mailbox_case(session, link, code, HERE)
    cancel = newest(builder, "case_waiting").ticket("cancel_link")
    outcomes = await race(CROWD, lambda _: builder.build().cases.cancel_case(cancel, HERE))
    assert_one_winner(outcomes, ResetLinkUsed, CaseClosed)
    assert len(await told(builder, account.id, "recovery.case_cancelled")) == 1


@pytest.mark.proves("SIG-95")
async def test_an_agent_acts_for_one_customer_at_a_time(builder) -> None:
    builder.agents = StaffRoom()
    accounts = [await builder.build().open_account(f"ann{number}@lamp.example") for number in range(4)]
    builder.agents.hire("eve", signed_in_at=builder.clock.now())
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    outcomes = await race(
        CROWD,
        lambda index: builder.build().impersonation.start_impersonation(
            accounts[index % 4].id, WHY, ActingScope.READ_ONLY, HERE
        ),
    )
    begun = assert_one_winner(outcomes, ImpersonationNotAllowed)
    assert (await builder.kept(IMPERSONATIONS, begun.public_id)).account == begun.account


async def crowd_in(builder, request):
    """Sixteen sign in at once with the right password; some have to wait, since each is charged before it is judged."""
    outcomes = await race(
        CROWD, lambda index: builder.build().signin.sign_in_with_password(ANN, PASSWORD, request(index))
    )
    assert all(one.error is None or isinstance(one.error, Throttled) for one in outcomes)
    steps = [one.value for one in outcomes if one.error is None]
    assert len(steps) > len("two")
    assert all(isinstance(step, SignedIn) for step in steps)
    return steps


@pytest.mark.proves("SIG-50")
async def test_of_many_new_devices_at_once_each_is_known_as_far_as_there_is_room(builder) -> None:
    account = await builder.build().open_account(ANN)
    steps = await crowd_in(builder, lambda index: from_device(index + 1))
    known = await builder.kept(DEVICES, account.id)
    assert len({device.id for device in known.devices}) == len(known.devices) == len(steps) + 1


@pytest.mark.proves("SIG-50")
async def test_of_many_new_devices_at_once_no_more_are_known_than_may_be(builder) -> None:
    builder.policies = quick_policies(sends=without_gaps(), devices=DevicePolicy(at_most=3))
    account = await builder.build().open_account(ANN)
    await crowd_in(builder, lambda index: from_device(index + 1))
    assert len((await builder.kept(DEVICES, account.id)).devices) == 3


@pytest.mark.proves("SIG-75")
async def test_of_many_sign_ins_at_once_no_more_stay_than_there_may_be(builder) -> None:
    builder.policies = quick_policies(sends=without_gaps(), sessions=SessionPolicy(max_sessions=3))
    shop = builder.build()
    account = await shop.open_account(ANN)
    steps = await crowd_in(builder, lambda _: HERE)
    alive = [isinstance(await shop.sessions.resume(step.session, HERE), Resumed) for step in steps]
    assert 1 <= sum(alive) <= 3
    assert len(await listed(builder, SESSIONS, "open", account.id)) <= 3
