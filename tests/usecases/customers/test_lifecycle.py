"""The life of a customer record: which step leads where, and what a record remembers of it."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.customers import (
    CUSTOMERS,
    TRANSITIONS,
    AccountStatus,
    Customer,
    Origin,
    Standing,
    StatusForbids,
    StatusReason,
    Trigger,
    as_of,
    follow,
)
from shopaccounts.kernel.errors import InvalidInput, Kind
from shopaccounts.kernel.ids import CustomerId, RealmId

NOW = datetime(2031, 1, 1, tzinfo=UTC)
S, T = AccountStatus, Trigger
BACK = None
EXPECTED = {
    (S.GUEST, T.OPEN_ACCOUNT): S.PENDING,
    (S.GUEST, T.LAPSE): S.ERASED,
    (S.GUEST, T.SUSPEND): S.SUSPENDED,
    (S.GUEST, T.MERGE): S.MERGED,
    (S.GUEST, T.ERASE): S.ERASED,
    (S.PENDING, T.VERIFY): S.ACTIVE,
    (S.PENDING, T.RESTART): S.PENDING,
    (S.PENDING, T.LAPSE): S.ERASED,
    (S.PENDING, T.SUSPEND): S.SUSPENDED,
    (S.PENDING, T.MERGE): S.MERGED,
    (S.PENDING, T.ERASE): S.ERASED,
    (S.ACTIVE, T.SUSPEND): S.SUSPENDED,
    (S.ACTIVE, T.REQUEST_CLOSING): S.CLOSING,
    (S.ACTIVE, T.MERGE): S.MERGED,
    (S.ACTIVE, T.ERASE): S.ERASED,
    (S.SUSPENDED, T.REINSTATE): BACK,
    (S.SUSPENDED, T.LIFT): BACK,
    (S.SUSPENDED, T.REQUEST_CLOSING): S.CLOSING,
    (S.SUSPENDED, T.MERGE): S.MERGED,
    (S.SUSPENDED, T.ERASE): S.ERASED,
    (S.CLOSING, T.CANCEL_CLOSING): BACK,
    (S.CLOSING, T.CLOSE): S.CLOSED,
    (S.CLOSING, T.ERASE): S.ERASED,
    (S.CLOSED, T.REOPEN): S.PENDING,
    (S.CLOSED, T.ERASE): S.ERASED,
    (S.MERGED, T.UNMERGE): BACK,
}
WAYS_BACK = (T.REINSTATE, T.LIFT, T.CANCEL_CLOSING, T.UNMERGE)


def record(status: AccountStatus, **more) -> Customer:
    standing = Standing(status=status, **more)
    return Customer(
        id=CustomerId("c"), realm=RealmId("main"), standing=standing, created_at=NOW, origin=Origin.REGISTRATION
    )


def step(customer: Customer, trigger: Trigger, until: datetime | None = None) -> Customer:
    return follow(customer, trigger, reason=StatusReason.ABUSE if trigger is T.SUSPEND else None, until=until)


@pytest.mark.proves("CUS-11")
def test_the_table_is_complete() -> None:
    assert dict(TRANSITIONS) == EXPECTED


@pytest.mark.proves("CUS-11")
@pytest.mark.parametrize(("status", "trigger"), [pair for pair in EXPECTED if EXPECTED[pair]])
def test_a_step_of_the_table_is_taken(status: AccountStatus, trigger: Trigger) -> None:
    assert step(record(status), trigger).status is EXPECTED[status, trigger]


@pytest.mark.proves("CUS-11", "CUS-12")
@pytest.mark.parametrize(("status", "trigger"), [pair for pair in product(S, T) if pair not in EXPECTED])
def test_a_step_that_is_not_in_the_table_is_refused_with_both_facts(status: AccountStatus, trigger: Trigger) -> None:
    with pytest.raises(StatusForbids) as refused:
        step(record(status), trigger)
    assert (refused.value.status, refused.value.trigger) == (status.value, trigger.value)
    assert (refused.value.code, refused.value.kind) == ("customers.status_forbids", Kind.CONFLICT)


@pytest.mark.proves("CUS-12")
def test_nothing_leads_out_of_erased() -> None:
    assert not [trigger for status, trigger in TRANSITIONS if status is S.ERASED]


@pytest.mark.proves("CUS-11")
@pytest.mark.parametrize("trigger", WAYS_BACK)
def test_a_record_without_a_way_back_stays_where_it_is(trigger: Trigger) -> None:
    status = next(status for status, other in EXPECTED if other is trigger)
    with pytest.raises(StatusForbids):
        step(record(status), trigger)


@pytest.mark.proves("CUS-11")
@pytest.mark.parametrize("start", [S.GUEST, S.PENDING, S.ACTIVE])
@pytest.mark.parametrize("way_back", [T.REINSTATE, T.LIFT])
def test_who_is_reinstated_stands_where_the_suspension_found_them(start: AccountStatus, way_back: Trigger) -> None:
    before = record(start, until=NOW + timedelta(days=30))
    again = step(step(before, T.SUSPEND), way_back)
    assert (again.status, again.standing.until) == (start, before.standing.until)


@pytest.mark.proves("CUS-11")
def test_who_is_suspended_and_asks_to_close_and_stays_is_still_suspended() -> None:
    suspended = follow(record(S.ACTIVE), T.SUSPEND, reason=StatusReason.PAYMENT_DISPUTE, until=NOW)
    stayed = step(step(suspended, T.REQUEST_CLOSING, NOW + timedelta(days=14)), T.CANCEL_CLOSING)
    assert (stayed.status, stayed.standing.reason, stayed.standing.until) == (
        S.SUSPENDED,
        StatusReason.PAYMENT_DISPUTE,
        NOW,
    )
    assert step(stayed, T.REINSTATE).status is S.ACTIVE


@pytest.mark.proves("CUS-11")
def test_a_never_proven_account_does_not_come_alive_by_being_suspended_and_closed_and_reinstated() -> None:
    merged = step(step(record(S.PENDING), T.SUSPEND), T.MERGE)
    back = step(step(merged, T.UNMERGE), T.REINSTATE)
    assert back.status is S.PENDING


@pytest.mark.proves("CUS-11")
def test_a_suspension_is_over_at_its_time_though_nobody_wrote_so() -> None:
    until = NOW + timedelta(days=3)
    suspended = step(record(S.ACTIVE), T.SUSPEND, until)
    assert as_of(suspended, until - timedelta(microseconds=1)).status is S.SUSPENDED
    assert as_of(suspended, until).status is S.ACTIVE
    assert as_of(suspended, until).version == suspended.version


@pytest.mark.proves("CUS-11")
def test_a_suspension_without_an_end_does_not_end_by_itself() -> None:
    suspended = step(record(S.ACTIVE), T.SUSPEND)
    assert as_of(suspended, NOW + timedelta(days=36500)) is suspended


@pytest.mark.proves("CUS-13")
@pytest.mark.parametrize(("status", "trigger"), [pair for pair in EXPECTED if pair != (S.PENDING, T.RESTART)])
def test_a_step_that_led_here_is_no_step_when_it_is_repeated(status: AccountStatus, trigger: Trigger) -> None:
    before = Standing(status=S.ACTIVE)
    once = step(record(status, before=before), trigger, NOW)
    again = follow(once, trigger, reason=StatusReason.OTHER, note="another reason", until=NOW + timedelta(days=9))
    assert again is once


@pytest.mark.proves("CUS-15")
def test_a_suspension_needs_a_reason() -> None:
    with pytest.raises(InvalidInput) as refused:
        follow(record(S.ACTIVE), T.SUSPEND)
    assert (refused.value.field, refused.value.reason) == ("reason", "missing")


@pytest.mark.proves("CUS-15")
@pytest.mark.parametrize(("note", "reason"), [(None, "type"), ("ab", "too_short"), ("a" * 501, "too_long")])
def test_another_reason_than_those_of_the_list_needs_words(note: str | None, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        follow(record(S.ACTIVE), T.SUSPEND, reason=StatusReason.OTHER, note=note)
    assert (refused.value.field, refused.value.reason) == ("note", reason)


@pytest.mark.proves("CUS-15")
@pytest.mark.parametrize("note", ["abc", "a" * 500])
def test_another_reason_is_kept_in_words_and_not_shown_by_accident(note: str) -> None:
    suspended = follow(record(S.ACTIVE), T.SUSPEND, reason=StatusReason.OTHER, note=note)
    assert suspended.standing.note == note
    assert note not in repr(suspended)


@pytest.mark.proves("CUS-15")
def test_the_reasons_are_those_of_the_list() -> None:
    assert {reason.value for reason in StatusReason} == {
        "fraud_suspected",
        "payment_dispute",
        "abuse",
        "security_hold",
        "legal_request",
        "customer_asked",
        "other",
    }


@pytest.mark.proves("CUS-11")
@given(st.lists(st.sampled_from(T), max_size=12))
def test_whatever_happens_to_a_record_it_is_active_only_if_it_was_or_proved_an_address(triggers: list[Trigger]) -> None:
    customer, may_live = record(S.PENDING), False
    for trigger in triggers:
        try:
            customer = step(customer, trigger)
        except StatusForbids:
            continue
        may_live = may_live or trigger is T.VERIFY
        assert may_live or customer.status is not S.ACTIVE
        assert serial.load(Customer, serial.dump(customer)) == customer


@pytest.mark.proves("CUS-16")
@pytest.mark.parametrize("status", S)
def test_only_a_pending_record_lapses_by_time(status: AccountStatus) -> None:
    assert CUSTOMERS.due is not None
    due = CUSTOMERS.due(record(status, until=NOW))
    assert due == (NOW if status is S.PENDING else None)
