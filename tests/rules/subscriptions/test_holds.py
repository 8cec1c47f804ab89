"""What a person decides late comes to what would have been decided in time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.money import Rate
from shopaccounts.kernel.time import start_of_day
from shopaccounts.subscriptions.changing.wanting import plan_wish
from shopaccounts.subscriptions.desk.holds import HoldMode, resolve_hold
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.errors import NothingToChange
from shopaccounts.subscriptions.papers.documents import BilledFor, CycleEnd
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, Percent
from shopaccounts.subscriptions.plans.offers import CatchUpMode, PlanVersionId, Term
from shopaccounts.subscriptions.plans.phases import Cycles
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.policy.running import CatchUpPolicy
from shopaccounts.subscriptions.scheduled import CancelAt, ChangeAt, Scheduled
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.subscribers import Course, flat_plan

BEGAN = datetime(2031, 1, 31, 12, tzinfo=UTC)
HOLDING = SubscriptionPolicy(catch_up=CatchUpPolicy(digital=CatchUpMode.HOLD))
HALF = AppliedDiscount(discount=Discount(code="HALF", kind=Percent(Rate.percent(50)), duration=Cycles(4)))
INTERVALS = st.sampled_from([Interval.days(1), Interval.weeks(1), Interval.months(1)])


def resolved(course: Course, mode: HoldMode, at: datetime) -> Course:
    """Decide until nothing is on hold any more."""
    while course.subscription.hold is not None:
        course.take(resolve_hold(course.subscription, mode, course.facts, course.policy, at), at)
    return course


def held(at: datetime, **more: Any) -> Course:
    course = Course.begin(flat_plan("10", **more), BEGAN, policy=HOLDING, discounts=(HALF,))
    course.settle(at)
    return course


@pytest.mark.proves("RUN-8", "RUN-12")
@settings(max_examples=25)
@given(days=st.integers(2, 90), interval=INTERVALS)
def test_each_is_what_quiet_runs_would_have_billed(days: int, interval: Interval) -> None:
    at = BEGAN + timedelta(days=days)
    late = resolved(held(at, interval=interval), HoldMode.EACH, at)
    in_time = Course.begin(flat_plan("10", interval), BEGAN, discounts=(HALF,))
    for step in range(days + 1):
        in_time.settle(BEGAN + timedelta(days=step))
    assert late.totals == in_time.totals
    assert late.subscription.billed_to == in_time.subscription.billed_to
    assert late.subscription.discounts == in_time.subscription.discounts
    assert late.subscription.due_at == in_time.subscription.due_at


@pytest.mark.proves("RUN-8")
@settings(max_examples=25)
@given(days=st.integers(2, 200), interval=INTERVALS, mode=st.sampled_from(HoldMode))
def test_every_cycle_ends_in_exactly_one_way_whatever_is_decided(days: int, interval: Interval, mode: HoldMode) -> None:
    at = BEGAN + timedelta(days=days)
    course = resolved(held(at, interval=interval), mode, at)
    rows = [row for row in course.cycles if row.part is BilledFor.ADVANCE]
    assert sorted(row.index for row in rows) == list(range(course.subscription.billed_to))
    assert course.subscription.due_at is not None
    assert course.subscription.due_at > at


@pytest.mark.proves("RUN-8")
@settings(max_examples=25)
@given(days=st.integers(70, 200))
def test_waived_cycles_cost_nothing_use_no_discount_and_count_toward_the_term(days: int) -> None:
    at = BEGAN + timedelta(days=days)
    course = held(at, term=Term(cycles=12))
    before, papers = course.subscription, len(course.invoices)
    after = resolved(course, HoldMode.WAIVE, at).subscription
    waived = sum(row.ended is CycleEnd.WAIVED for row in course.cycles)
    assert len(course.invoices) == papers
    assert waived == after.billed_to - before.billed_to > 1
    assert (before.term, after.term) != (None, None)
    assert after.term is not None
    assert before.term is not None
    assert after.term.begun == before.term.begun + waived
    assert after.discounts == before.discounts


@pytest.mark.proves("RUN-12")
@pytest.mark.parametrize("mode", HoldMode)
def test_an_end_that_came_meanwhile_ends_it_and_nothing_after_it_is_billed(mode: HoldMode) -> None:
    course = Course.begin(flat_plan("10"), BEGAN, policy=HOLDING)
    ends = datetime(2031, 4, 29, 22, tzinfo=UTC)
    planned = Scheduled(cancel=CancelAt(at=ends, asked_at=BEGAN))
    course.subscription = attrs.evolve(course.subscription, scheduled=planned)
    at = BEGAN + timedelta(days=200)
    course.settle(at)
    assert course.subscription.hold is not None
    over = resolved(course, mode, at).subscription
    assert (over.lifecycle, over.ended_at) == (Lifecycle.CANCELED, ends)
    assert max(row.index for row in course.cycles) == 2


def with_a_planned_change(course: Course, day: date) -> Course:
    dearer = flat_plan("20", id=PlanVersionId("coffee-2"))
    wish = plan_wish(course.subscription, dearer, course.account, day, course.policy)
    at = start_of_day(day, course.subscription.zone)
    planned = Scheduled(change=ChangeAt(at=at, wishes=(wish,), preset=Preset.PRORATE_NOW.value))
    changed = attrs.evolve(course.subscription, scheduled=planned)
    course.subscription = projected(changed, course.policy)
    return course


@pytest.mark.proves("RUN-8", "RUN-12", "CHG-3")
@pytest.mark.parametrize("day", [date(2031, 4, 15), date(2031, 6, 15)])
def test_a_change_within_what_was_held_gives_back_what_was_billed_for_its_month(day: date) -> None:
    at = datetime(2031, 6, 20, 12, tzinfo=UTC)
    late = with_a_planned_change(Course.begin(flat_plan("10"), BEGAN, policy=HOLDING), day)
    late.settle(at)
    assert late.subscription.hold is not None
    resolved(late, HoldMode.EACH, at)
    late.settle(at)
    in_time = with_a_planned_change(Course.begin(flat_plan("10"), BEGAN), day)
    for step in range((at - BEGAN).days + 1):
        in_time.settle(BEGAN + timedelta(days=step))
    assert sorted(late.totals.values()) == sorted(in_time.totals.values())
    assert late.subscription.due_at == in_time.subscription.due_at


def test_a_change_after_all_that_was_held_needs_no_second_decision() -> None:
    at = datetime(2031, 6, 20, 12, tzinfo=UTC)
    late = with_a_planned_change(Course.begin(flat_plan("10"), BEGAN, policy=HOLDING), date(2031, 6, 15))
    late.settle(at)
    late.take(resolve_hold(late.subscription, HoldMode.EACH, late.facts, late.policy, at), at)
    assert late.subscription.hold is None
    assert late.subscription.scheduled.change is not None


def test_what_isnt_on_hold_needs_no_decision() -> None:
    course = Course.begin(flat_plan("10"), BEGAN)
    with pytest.raises(NothingToChange):
        resolve_hold(course.subscription, HoldMode.EACH, course.facts, course.policy, BEGAN)
