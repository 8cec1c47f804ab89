"""The rules of a contact's change: a table, who has to agree, and what it does to the contacts."""

from datetime import UTC, datetime, timedelta
from itertools import product

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.customers import (
    AccountStatus,
    ContactPoint,
    ContactRole,
    Customer,
    Origin,
    Standing,
    VerificationMethod,
    is_verified,
)
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import ContactId, CustomerId, RealmId
from shopaccounts.registration import CHANGES, ChangeNotPossible, ChangeState, ChangeTrigger, ConfirmOld
from shopaccounts.registration.changing import (
    ContactChange,
    advanced,
    contact_in_force,
    needs_old,
    with_change,
    with_change_undone,
)
from shopaccounts.registration.policy import ContactChangePolicy

NOW = datetime(2031, 1, 1, 12, tzinfo=UTC)
WAITING = {ChangeState.REQUESTED, ChangeState.OLD_PENDING, ChangeState.NEW_PENDING}
LOGIN = frozenset({ContactRole.LOGIN, ContactRole.PRIMARY, ContactRole.NOTIFY})


def contact(address, roles=frozenset(), added_at=NOW):
    plain = ContactPoint(
        id=ContactId(address), kind=ContactKind.EMAIL, value=EmailAddress.parse(address), added_at=added_at
    )
    return attrs.evolve(plain, roles=roles).proven(VerificationMethod.CODE, "", added_at)


def customer(*contacts):
    return Customer(
        id=CustomerId("ann"),
        realm=RealmId("main"),
        standing=Standing(status=AccountStatus.ACTIVE),
        contacts=contacts,
        created_at=NOW,
        origin=Origin.REGISTRATION,
    )


def change(old, new, state=ChangeState.REQUESTED, epoch=0, at=NOW):
    return ContactChange(
        id=f"{old.id} {epoch}",
        realm=RealmId("main"),
        account=CustomerId("ann"),
        kind=ContactKind.EMAIL,
        old=old,
        new=new,
        state=state,
        session="",
        epoch=epoch,
        requested_at=at,
        until=at + timedelta(days=30),
    )


@pytest.mark.proves("REG-60", "REG-61", "REG-69")
@pytest.mark.parametrize(("state", "trigger"), list(product(ChangeState, ChangeTrigger)))
def test_a_change_takes_the_steps_of_its_table_and_no_others(state, trigger) -> None:
    one = change(contact("a@lamp.example"), contact("b@lamp.example"), state)
    if (state, trigger) in CHANGES:
        assert advanced(one, trigger).state is CHANGES[state, trigger]
        return
    with pytest.raises(ChangeNotPossible) as refused:
        advanced(one, trigger)
    assert refused.value.state == state.value


@pytest.mark.proves("REG-61", "REG-69")
def test_only_two_confirmations_lead_into_force_and_what_has_ended_stays_so() -> None:
    into_force = {pair for pair, target in CHANGES.items() if target is ChangeState.APPLIED}
    assert into_force == {
        (ChangeState.OLD_PENDING, ChangeTrigger.CONFIRM_OLD),
        (ChangeState.NEW_PENDING, ChangeTrigger.CONFIRM_NEW),
    }
    assert {state for state, _ in CHANGES} == WAITING | {ChangeState.APPLIED}
    for ends in (ChangeTrigger.CANCEL, ChangeTrigger.EXPIRE, ChangeTrigger.SUPERSEDE):
        assert {state for state, trigger in CHANGES if trigger is ends} >= WAITING


@pytest.mark.proves("REG-61")
@pytest.mark.parametrize(
    ("confirm_old", "can_reach", "needed"),
    [
        (ConfirmOld.UNLESS_MULTI_FACTOR, Level.SINGLE, True),
        (ConfirmOld.UNLESS_MULTI_FACTOR, Level.NONE, True),
        (ConfirmOld.UNLESS_MULTI_FACTOR, Level.MULTI, False),
        (ConfirmOld.ALWAYS, Level.MULTI, True),
        (ConfirmOld.ALWAYS, Level.SINGLE, True),
    ],
)
def test_the_old_address_agrees_unless_a_second_factor_vouches(confirm_old, can_reach, needed) -> None:
    assert needs_old(ContactChangePolicy(confirm_old=confirm_old), can_reach) is needed


@pytest.mark.proves("REG-66", "REG-67")
@pytest.mark.parametrize(
    "values",
    [
        {"link_life": timedelta(0)},
        {"link_life": timedelta(hours=25)},
        {"hold_after": timedelta(days=31)},
        {"hold_after": -timedelta(1)},
        {"undo_window": timedelta(days=91)},
        {"undo_window": timedelta(hours=80), "link_life": timedelta(hours=24), "hold_after": timedelta(hours=81)},
        {"per_30_days": 0},
        {"checks_per_30_days": 31},
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(values) -> None:
    with pytest.raises(BadPolicy):
        ContactChangePolicy(**values)


def test_the_defaults_are_those_that_the_docs_name() -> None:
    policy = ContactChangePolicy()
    assert (policy.link_life, policy.undo_window, policy.hold_after, policy.per_30_days) == (
        timedelta(hours=24),
        timedelta(days=30),
        timedelta(hours=72),
        3,
    )


@pytest.mark.proves("REG-64", "CUS-32")
def test_the_new_contact_takes_the_place_of_the_old_one() -> None:
    old, other = contact("a@lamp.example", LOGIN), contact("c@lamp.example", frozenset({ContactRole.NOTIFY}))
    new = contact("b@lamp.example", LOGIN)
    after = with_change(customer(old, other), change(old, new), NOW + timedelta(days=30), NOW)
    assert {c.value.stored: c.roles for c in after.contacts} == {
        "c@lamp.example": {ContactRole.NOTIFY},
        "b@lamp.example": LOGIN,
    }
    assert all(is_verified(c) for c in after.contacts)
    assert [f.contact for f in after.former_contacts] == [old]


STEPS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), min_size=1, max_size=8)


@pytest.mark.proves("REG-68", "CUS-32")
@given(STEPS, st.integers(0, 7))
def test_taking_back_any_change_of_a_chain_leaves_one_address_in_force(steps, taken_back) -> None:
    """However changes and removals followed each other, one signs in by what was in force before the one taken back."""
    now, ann, chain = NOW, customer(contact("a0@lamp.example", LOGIN, NOW - timedelta(1))), []
    for epoch, (number, gap) in enumerate(steps):
        now += timedelta(hours=gap)
        old = contact_in_force(ann, ContactKind.EMAIL)
        assert old is not None
        if old.value.stored == f"a{number}@lamp.example":
            continue
        step = change(old, contact(f"a{number}@lamp.example", LOGIN, now), ChangeState.APPLIED, epoch, now)
        ann = with_change(ann, step, now + timedelta(days=30), now)
        chain.append(step)
    first = min(taken_back, len(chain) - 1)
    if first < 0:
        return
    after = with_change_undone(ann, chain[first], tuple(chain[first + 1 :]))
    (in_force,) = after.contacts_for(ContactRole.LOGIN)
    assert in_force.key == chain[first].old.key
    later = {one.new.key for one in chain[first:]} - {in_force.key}
    assert not later & {c.key for c in after.contacts}
    assert not later & {f.contact.key for f in after.former_contacts}
