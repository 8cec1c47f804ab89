"""What an objection takes away and what it leaves, as rules: by what was there before, and to the instant."""

from datetime import UTC, datetime, timedelta

import pytest

from shopaccounts.customers import (
    AccountStatus,
    Closing,
    ContactPoint,
    ContactRole,
    Customer,
    Origin,
    Standing,
    StatusReason,
    Trigger,
    VerificationMethod,
    follow,
)
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.ids import ContactId, CustomerId, RealmId
from shopaccounts.recovery.objecting import ended_changes, recovering, withdrawn
from shopaccounts.recovery.recent import RECENT
from shopaccounts.registration import ChangeState, ContactChange

SINCE = datetime(2031, 1, 1, 12, tzinfo=UTC)
MOMENT, DAY = timedelta(microseconds=1), timedelta(days=1)
BEFORE, LATER = SINCE - DAY, SINCE + DAY


def contact(address, *roles, added_at=BEFORE, proven_at=BEFORE):
    point = ContactPoint(
        id=ContactId(address),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(address),
        roles=frozenset(roles),
        added_at=added_at,
    )
    return point.proven(VerificationMethod.CODE, "", proven_at)


def customer(*contacts):
    return Customer(
        id=CustomerId("ann"),
        realm=RealmId("main"),
        standing=Standing(status=AccountStatus.ACTIVE),
        contacts=contacts,
        created_at=BEFORE,
        origin=Origin.REGISTRATION,
    )


def change(state, epoch, at=SINCE):
    return ContactChange(
        id=f"change {epoch}",
        realm=RealmId("main"),
        account=CustomerId("ann"),
        kind=ContactKind.EMAIL,
        old=contact("old@lamp.example", ContactRole.LOGIN),
        new=contact("new@lamp.example"),
        state=state,
        session="",
        epoch=epoch,
        requested_at=at,
        until=at + 30 * DAY,
    )


def left(after):
    return {one.id for one in after.contacts}


@pytest.mark.proves("SIG-83")
def test_what_was_added_in_the_very_instant_is_gone_and_what_was_there_just_before_stays() -> None:
    mine = contact("ann@lamp.example", ContactRole.LOGIN, added_at=SINCE - MOMENT)
    theirs = contact("thief@elsewhere.example", ContactRole.RECOVERY, added_at=SINCE)
    assert left(withdrawn(customer(mine, theirs), None, SINCE)) == {mine.id}


@pytest.mark.proves("SIG-83")
def test_nothing_is_taken_from_an_owner_who_could_not_sign_in_by_what_is_left() -> None:
    earlier = contact("ann@lamp.example", ContactRole.RECOVERY)
    later = contact("new@lamp.example", ContactRole.LOGIN, added_at=LATER, proven_at=LATER)
    assert left(withdrawn(customer(earlier, later), None, SINCE)) == {earlier.id, later.id}


@pytest.mark.proves("SIG-83")
@pytest.mark.parametrize(
    ("asked_at", "stays"), [(SINCE - MOMENT, False), (SINCE, True), (LATER, True), (None, True)], ids=str
)
def test_an_account_stays_unless_its_closing_was_asked_for_before(asked_at, stays) -> None:
    leaving = follow(customer(contact("ann@lamp.example", ContactRole.LOGIN)), Trigger.REQUEST_CLOSING, until=LATER)
    wish = Closing(id=leaving.id, realm=leaving.realm, asked_at=asked_at, look_at=LATER) if asked_at else None
    expected = AccountStatus.ACTIVE if stays else AccountStatus.CLOSING
    assert withdrawn(leaving, wish, SINCE).status is expected


@pytest.mark.proves("SIG-83")
def test_a_way_back_goes_to_proven_contacts_from_before_that_recover_and_to_no_others() -> None:
    mine = contact("ann@lamp.example", ContactRole.LOGIN, proven_at=SINCE - MOMENT)
    spare = contact("spare@lamp.example", ContactRole.RECOVERY, proven_at=SINCE - RECENT)
    others = (
        contact("bills@lamp.example", ContactRole.BILLING, proven_at=SINCE - RECENT),
        contact("late@lamp.example", ContactRole.LOGIN, proven_at=SINCE),
        contact("young@lamp.example", ContactRole.RECOVERY, proven_at=SINCE - RECENT + MOMENT),
    )
    ann = customer(mine, spare, *others)
    assert [point.id for point, _ in recovering(ann, SINCE)] == [mine.id, spare.id]


@pytest.mark.proves("SIG-83", "SIG-85", "SIG-3")
@pytest.mark.parametrize(
    ("reason", "ways"), [(StatusReason.SECURITY_HOLD, 1), (StatusReason.ABUSE, 0), (StatusReason.PAYMENT_DISPUTE, 0)]
)
def test_an_owner_who_holds_the_account_finds_back_and_one_whom_the_shop_stopped_does_not(reason, ways) -> None:
    stopped = follow(customer(contact("ann@lamp.example", ContactRole.LOGIN)), Trigger.SUSPEND, reason=reason)
    assert len(recovering(stopped, SINCE)) == ways


@pytest.mark.proves("SIG-83")
def test_of_the_changes_one_is_undone_those_after_it_and_under_way_are_off_and_the_others_stay() -> None:
    earlier, undone, later = (change(ChangeState.APPLIED, epoch) for epoch in (1, 2, 3))
    over = [change(state, 4) for state in (ChangeState.CANCELLED, ChangeState.SETTLED, ChangeState.UNDONE)]
    waiting = change(ChangeState.REQUESTED, 0)
    became = {write.now.id: write.now.state for write in ended_changes((earlier, undone, later, waiting), undone)}
    assert became == {
        undone.id: ChangeState.UNDONE,
        later.id: ChangeState.CANCELLED,
        waiting.id: ChangeState.CANCELLED,
    }
    assert list(ended_changes((*over, earlier), None)) == []
    assert [write.now.state for write in ended_changes((earlier, waiting), None)] == [ChangeState.CANCELLED]
