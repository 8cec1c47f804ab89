"""Trials that are cut by the calendar or the customer's billing day, and the cycle in which such a trial ends."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import InvalidDateSequence, zone
from shopaccounts.subscriptions.announcing.timeline import Upcoming, UpcomingKind, upcoming
from shopaccounts.subscriptions.changing.changes import move_billing_day
from shopaccounts.subscriptions.changing.changing_early import change_plan_early
from shopaccounts.subscriptions.changing.relocating import relocate
from shopaccounts.subscriptions.cycles import (
    CalendarDay,
    DayOfMonth,
    Schedule,
    SegmentReason,
    ServicePeriod,
    end_instant_of,
    open_cycle,
    service_period_of,
    start_instant_of,
)
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import renewal_due
from shopaccounts.subscriptions.entitlements import EntitlementReason, entitlement
from shopaccounts.subscriptions.errors import DateNotPossible
from shopaccounts.subscriptions.events import OverrideDropped
from shopaccounts.subscriptions.leaving.cancelling import CancelWish, cancel, undo_cancellation
from shopaccounts.subscriptions.leaving.winning_back import Return, reactivate
from shopaccounts.subscriptions.lifecycle.early_exit import first_exit
from shopaccounts.subscriptions.lifecycle.trial_cycles import trial_periods
from shopaccounts.subscriptions.lifecycle.trials import end_trial_now, extend_trial, leave_trial
from shopaccounts.subscriptions.notices.occasions import occasions
from shopaccounts.subscriptions.papers.documents import CycleEnd, InvoiceKind
from shopaccounts.subscriptions.papers.lines import LineDraft, LineKind
from shopaccounts.subscriptions.pausing.overrides import skip_cycle
from shopaccounts.subscriptions.pausing.pauses import PauseWish, pause
from shopaccounts.subscriptions.pausing.rescheduling import reschedule_cycle
from shopaccounts.subscriptions.pausing.resuming import resume_now
from shopaccounts.subscriptions.plans import (
    Alignment,
    Cycles,
    Days,
    Flat,
    Goods,
    Phase,
    PhaseKind,
    PlanVersion,
    PlanVersionId,
    SetupFee,
    SetupFeeWhen,
    Term,
)
from shopaccounts.subscriptions.plans.add_ons import AddOn, MinimumSpend
from shopaccounts.subscriptions.plans.offers import CatchUpMode
from shopaccounts.subscriptions.policy import (
    CancelWhen,
    CatchUpPolicy,
    CyclePolicy,
    InvoicePolicy,
    OnMissingMethod,
    OnResume,
    OperationPolicy,
    PauseHow,
    PausePolicy,
    RunPolicy,
    SubscriptionPolicy,
    TrialCycles,
    TrialPolicy,
)
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.subscribers import EUR, Course, flat_plan, somebody

BERLIN = zone("Europe/Berlin")
START = datetime(2026, 4, 20, 13, 10, tzinfo=UTC)  # a quarter past three in Berlin
ENDS = datetime(2026, 5, 11, 13, 10, tzinfo=UTC)
COFFEE = flat_plan("31.00")
TRIED = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.TRIAL, Days(21)), *COFFEE.phases))
PAID_TRIAL = Phase(PhaseKind.TRIAL, Days(21), (Flat(Money.of("6.20", EUR)),))
PAID = attrs.evolve(COFFEE, phases=(PAID_TRIAL, *COFFEE.phases))


def shop(*, cut: bool = True, alignment: Alignment = Alignment.CALENDAR, **more: Any) -> SubscriptionPolicy:
    """Answer how a shop bills that cuts trials by billing days."""
    trials = TrialPolicy(cycles=TrialCycles.GRID, cut_at_end=cut)
    return SubscriptionPolicy(cycles=CyclePolicy(alignment=alignment), trials=trials, **more)


CUT, UNCUT = shop(), shop(cut=False)
BOTH = pytest.mark.parametrize("policy", [CUT, UNCUT], ids=["cut", "uncut"])


def begun(policy: SubscriptionPolicy, version: PlanVersion = TRIED, at: datetime = START, **how: Any) -> Course:
    return Course.begin(version, at, policy=policy, **how)


def day(month: int, number: int) -> date:
    return date(2026, month, number)


def at(month: int, number: int, hour: int = 12) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


def spans(periods: Iterable[ServicePeriod]) -> list[tuple[date, date]]:
    return [(one.start, one.end) for one in periods]


def cycles_of(course: Course, count: int) -> list[tuple[date, date]]:
    return spans(service_period_of(course.subscription.segments, index) for index in range(count))


def rows_of(course: Course) -> list[tuple[date, date, CycleEnd]]:
    return [(row.start, row.end, row.ended) for row in course.cycles]


def lines_of(course: Course) -> list[tuple[date, date, str]]:
    lines = (line for invoice in course.invoices.values() for line in invoice.lines)
    return [(line.start, line.end, str(line.amount)) for line in lines]


def ahead(course: Course, **how: Any) -> tuple[Upcoming, ...]:
    return upcoming(course.subscription, course.account, course.facts, course.policy, **how)


# The rule alone

APRIL_20 = day(4, 20)
CALENDAR = Schedule(open_cycle(APRIL_20, Interval.months(1), CalendarDay(), zone=BERLIN), APRIL_20)
EXAMPLES = {
    "cut": (
        TrialPolicy(cycles=TrialCycles.GRID),
        [(day(4, 20), day(5, 1)), (day(5, 1), day(5, 11)), (day(5, 11), day(6, 1)), (day(6, 1), day(7, 1))],
    ),
    "uncut": (
        TrialPolicy(cycles=TrialCycles.GRID, cut_at_end=False),
        [(day(4, 20), day(5, 1)), (day(5, 1), day(6, 1)), (day(6, 1), day(7, 1)), (day(7, 1), day(8, 1))],
    ),
    "whole": (
        TrialPolicy(),
        [(day(4, 20), day(5, 11)), (day(5, 11), day(6, 1)), (day(6, 1), day(7, 1)), (day(7, 1), day(8, 1))],
    ),
}


@pytest.mark.proves("TRI-3")
@pytest.mark.parametrize(("policy", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_a_trial_of_three_weeks_in_a_calendar_of_months(policy: TrialPolicy, expected: list[tuple[date, date]]) -> None:
    assert spans(trial_periods(CALENDAR, day(5, 11), policy, 4)) == expected


@pytest.mark.proves("TRI-3")
def test_a_trial_that_ends_with_a_cycle_is_cut_nowhere_else() -> None:
    expected = [(day(4, 20), day(5, 1)), (day(5, 1), day(6, 1)), (day(6, 1), day(7, 1))]
    for cut in (True, False):
        policy = TrialPolicy(cycles=TrialCycles.GRID, cut_at_end=cut)
        assert spans(trial_periods(CALENDAR, day(5, 1), policy, 3)) == expected


@pytest.mark.proves("TRI-3")
def test_periods_stop_where_the_service_does_and_a_trial_lasts_a_day() -> None:
    short = attrs.evolve(CALENDAR, end=day(5, 20))
    policy = TrialPolicy(cycles=TrialCycles.GRID)
    assert spans(trial_periods(short, day(5, 11), policy, 9)) == [
        (day(4, 20), day(5, 1)),
        (day(5, 1), day(5, 11)),
        (day(5, 11), day(5, 20)),
    ]
    with pytest.raises(InvalidDateSequence):
        trial_periods(CALENDAR, day(4, 20), policy, 1)


INTERVALS = st.sampled_from([Interval.weeks(1), Interval.months(1), Interval.months(3), Interval.months(5)])
BILLING_DAYS = st.one_of(st.just(CalendarDay()), st.builds(DayOfMonth, st.integers(1, 31)))


@pytest.mark.proves("TRI-3")
@given(
    start=st.dates(date(2024, 1, 1), date(2032, 12, 31)),
    days=st.integers(1, 366),
    interval=INTERVALS,
    billing_day=BILLING_DAYS,
    grid=st.sampled_from(TrialCycles),
    cut=st.booleans(),
)
def test_the_periods_of_a_trial_touch_and_cover_every_day(
    *, start: date, days: int, interval: Interval, billing_day: CalendarDay | DayOfMonth, grid: TrialCycles, cut: bool
) -> None:
    on = billing_day if interval.total_months else CalendarDay()
    schedule = Schedule(open_cycle(start, interval, on, zone=BERLIN), start)
    ends_on, policy = start + timedelta(days=days), TrialPolicy(cycles=grid, cut_at_end=cut)
    periods = trial_periods(schedule, ends_on, policy, 60)
    assert periods[0].start == start
    assert all(one.end == following.start for one, following in pairwise(periods))
    boundaries = {one.start for one in periods}
    if cut or grid is TrialCycles.WHOLE:
        assert ends_on in boundaries
    within = {one.start for one in periods if start < one.start < ends_on}
    ordinary = {schedule.cycle.boundary(schedule.first + n) for n in range(1, 60)}
    expected = {one for one in ordinary if start < one < ends_on} if grid is TrialCycles.GRID else set()
    assert within == expected
    if grid is TrialCycles.GRID:
        assert {one.start for one in periods if one.start > ends_on} <= ordinary


# The course of a subscription


@pytest.mark.proves("TRI-3")
def test_free_cycles_are_settled_one_by_one_and_what_is_paid_for_begins_with_the_end_of_the_trial() -> None:
    course = begun(CUT)
    assert course.subscription.lifecycle is Lifecycle.TRIALING
    course.settle(at(6, 2))
    assert rows_of(course) == [
        (day(4, 20), day(5, 1), CycleEnd.FREE),
        (day(5, 1), day(5, 11), CycleEnd.FREE),
        (day(5, 11), day(6, 1), CycleEnd.BILLED),
        (day(6, 1), day(7, 1), CycleEnd.BILLED),
    ]
    assert lines_of(course) == [(day(5, 11), day(6, 1), "21.00 EUR"), (day(6, 1), day(7, 1), "31.00 EUR")]


@pytest.mark.proves("TRI-3", "PLN-3", "TRI-1")
def test_a_cycle_that_is_left_whole_has_a_free_line_and_a_paid_one_and_waits_for_the_end_of_the_trial() -> None:
    course = begun(UNCUT)
    course.settle(ENDS - timedelta(seconds=1))
    assert course.invoices == {}
    assert rows_of(course) == [(day(4, 20), day(5, 1), CycleEnd.FREE)]
    course.settle(ENDS)
    assert lines_of(course) == [(day(5, 1), day(5, 11), "0.00 EUR"), (day(5, 11), day(6, 1), "21.00 EUR")]
    (invoice,) = course.invoices.values()
    assert [line.kind for line in invoice.lines] == [LineKind.RECURRING] * 2
    course.settle(at(6, 2))
    assert rows_of(course)[1:] == [
        (day(5, 1), day(6, 1), CycleEnd.BILLED),
        (day(6, 1), day(7, 1), CycleEnd.BILLED),
    ]


def of_nominal(lines: Iterable[LineDraft]) -> Fraction:
    return sum((Fraction(one.factor.numerator, one.factor.denominator) for one in lines if one.factor), Fraction(0))


@pytest.mark.proves("TRI-3", "PLN-3")
@given(start=st.dates(date(2026, 1, 1), date(2028, 12, 31)), days=st.integers(1, 90), cut=st.booleans())
def test_free_and_paid_parts_make_up_the_nominal_period(*, start: date, days: int, cut: bool) -> None:
    phases = (Phase(PhaseKind.TRIAL, Days(days)), *COFFEE.phases)
    version = attrs.evolve(COFFEE, phases=phases)
    course = begun(shop(cut=cut), version, datetime(start.year, start.month, start.day, 12, tzinfo=UTC))
    ends = course.subscription.trial.ends_at if course.subscription.trial else START
    course.settle(ends - timedelta(seconds=1))
    assert course.invoices == {}
    course.settle(ends + timedelta(days=70))
    first, *_ = course.invoices.values()
    assert first.lines[-1].start == start + timedelta(days=days)
    period = service_period_of(course.subscription.segments, course.subscription.paid_from)
    share = of_nominal(first.lines)
    if period.is_stub:
        assert share == Fraction((period.end - period.start).days, (period.nominal.end - period.nominal.start).days)
    else:
        assert share == 1
    assert sum(line.amount.minor for line in first.lines if line.tariff is None) == 0
    billed = sorted((row.start, row.end) for row in course.cycles)
    assert all(end == begins for (_, end), (begins, _) in pairwise(billed))


@pytest.mark.proves("TRI-3", "SIM-4")
@pytest.mark.parametrize("version", [TRIED, PAID], ids=["free", "paid"])
@BOTH
def test_one_jump_of_the_clock_gives_what_daily_steps_give(policy: SubscriptionPolicy, version: PlanVersion) -> None:
    jump, steps = begun(policy, version), begun(policy, version)
    jump.settle(START + timedelta(days=90))
    for days in range(91):
        steps.settle(START + timedelta(days=days))
    assert jump.totals == steps.totals
    assert rows_of(jump) == rows_of(steps)
    assert lines_of(jump) == lines_of(steps)


@pytest.mark.proves("TRI-3", "RUN-8")
@pytest.mark.parametrize("mode", list(CatchUpMode))
def test_free_cycles_that_nobody_looked_at_are_no_backlog(mode: CatchUpMode) -> None:
    course = begun(shop(catch_up=CatchUpPolicy(digital=mode)))
    course.settle(ENDS + timedelta(hours=1))
    assert [ended for *_, ended in rows_of(course)] == [CycleEnd.FREE, CycleEnd.FREE, CycleEnd.BILLED]
    assert course.subscription.hold is None


@pytest.mark.proves("TRI-3", "RUN-8")
def test_of_a_trial_with_a_price_the_late_cycles_lapse_among_themselves() -> None:
    long = attrs.evolve(PAID, phases=(attrs.evolve(PAID_TRIAL, length=Days(80)), *COFFEE.phases))
    course = begun(shop(catch_up=CatchUpPolicy(digital=CatchUpMode.LATEST_ONLY)), long)
    course.settle(at(7, 20))
    ended = {start: how for start, _, how in rows_of(course)}
    assert ended[day(5, 1)] is ended[day(6, 1)] is CycleEnd.LAPSED
    assert ended[day(7, 1)] is ended[day(7, 9)] is CycleEnd.BILLED


@pytest.mark.proves("TRI-3", "TRI-8")
def test_the_cycles_of_a_trial_with_a_price_are_billed_at_that_price() -> None:
    course = begun(CUT, PAID)
    course.settle(at(6, 2))
    assert lines_of(course) == [
        (day(4, 20), day(5, 1), "2.27 EUR"),
        (day(5, 1), day(5, 11), "2.00 EUR"),
        (day(5, 11), day(6, 1), "21.00 EUR"),
        (day(6, 1), day(7, 1), "31.00 EUR"),
    ]


@pytest.mark.proves("TRI-3", "TRI-8", "TRI-1")
def test_a_whole_cycle_has_a_line_at_the_price_of_the_trial_and_one_at_that_of_the_plan() -> None:
    course = begun(UNCUT, PAID)
    course.settle(ENDS - timedelta(seconds=1))
    assert lines_of(course) == [(day(4, 20), day(5, 1), "2.27 EUR")]
    course.settle(ENDS)
    assert lines_of(course)[1:] == [(day(5, 1), day(5, 11), "2.00 EUR"), (day(5, 11), day(6, 1), "21.00 EUR")]


@pytest.mark.proves("TRI-3", "TRI-1", "PLN-7")
@pytest.mark.parametrize("when", list(SetupFeeWhen))
def test_a_trial_within_the_first_cycle_leaves_that_whole_and_a_fee_at_the_start_comes_alone(
    when: SetupFeeWhen,
) -> None:
    fee = SetupFee((Money.of("5.00", EUR),), when)
    phases = (Phase(PhaseKind.TRIAL, Days(7)), *COFFEE.phases)
    course = begun(UNCUT, attrs.evolve(COFFEE, phases=phases, setup_fee=fee))
    assert course.cycles == []
    at_start = [invoice.kind for invoice in course.invoices.values()]
    assert at_start == ([InvoiceKind.START] if when is SetupFeeWhen.AT_START else [])
    course.settle(at(5, 2))
    lines = [(line.kind, str(line.amount)) for invoice in course.invoices.values() for line in invoice.lines]
    assert sorted(lines, key=lambda one: one[1]) == [
        (LineKind.STUB, "0.00 EUR"),
        (LineKind.RECURRING, "31.00 EUR"),
        (LineKind.STUB, "4.13 EUR"),
        (LineKind.SETUP_FEE, "5.00 EUR"),
    ]
    assert rows_of(course)[0] == (day(4, 20), day(5, 1), CycleEnd.BILLED)


@pytest.mark.proves("TRI-3", "PLN-10")
@BOTH
def test_a_cycle_in_which_a_trial_ends_counts_toward_no_term(policy: SubscriptionPolicy) -> None:
    course = begun(policy, attrs.evolve(TRIED, term=Term(6, 2)))
    course.settle(ENDS)
    assert course.subscription.term is not None
    assert course.subscription.term.begun == 0
    assert first_exit(course.subscription, ENDS) == datetime(2026, 7, 31, 22, tzinfo=UTC)
    course.settle(at(6, 2))
    assert course.subscription.term.begun == 1


@pytest.mark.proves("TRI-3", "PLN-10")
@BOTH
def test_who_was_paused_in_a_trial_is_bound_for_whole_cycles_too(policy: SubscriptionPolicy) -> None:
    lets = attrs.evolve(policy, operations=OperationPolicy(pause_in_trial=True))
    course = begun(lets, attrs.evolve(TRIED, term=Term(6, 2)))
    now = at(4, 25)
    course.take(pause(course.subscription, PauseWish(how=PauseHow.NOW), now, course.facts, lets), now)
    course.take(resume_now(course.subscription, at(5, 5), lets), at(5, 5))
    assert course.subscription.lifecycle is Lifecycle.ACTIVE
    assert first_exit(course.subscription, at(5, 5)) == datetime(2026, 7, 31, 22, tzinfo=UTC)


@pytest.mark.proves("TRI-3", "TRI-8")
def test_what_is_paid_later_and_was_paused_in_a_trial_is_free_as_long_as_that_lasts() -> None:
    policy = attrs.evolve(
        CUT, operations=OperationPolicy(pause_in_trial=True), invoices=InvoicePolicy(issue_zero_invoices=True)
    )
    course = begun(policy, attrs.evolve(TRIED, mode=BillingMode.IN_ARREARS))
    now = at(4, 25)
    course.take(pause(course.subscription, PauseWish(how=PauseHow.NOW), now, course.facts, policy), now)
    course.take(resume_now(course.subscription, at(4, 28), policy), at(4, 28))
    course.settle(at(6, 2))
    assert lines_of(course) == [(day(5, 11), day(6, 1), "21.00 EUR")]


@pytest.mark.proves("TRI-3")
@BOTH
def test_add_ons_for_so_many_cycles_have_what_is_left_of_the_running_one_on_top(policy: SubscriptionPolicy) -> None:
    pods = AddOn(key="pods", product="pods", prices=(Flat(Money.of("3.10", EUR)),), cycles=Cycles(1))
    course = begun(policy, attrs.evolve(TRIED, add_ons=(pods,)), add_ons={"pods": 1})
    course.settle(at(7, 2))
    lines = (line for invoice in course.invoices.values() for line in invoice.lines if line.key == "pods")
    assert [(line.start, str(line.amount)) for line in lines if not line.amount.is_zero] == [
        (day(5, 11), "2.10 EUR"),
        (day(6, 1), "3.10 EUR"),
    ]


@pytest.mark.proves("TRI-3", "RUN-9")
@BOTH
def test_nothing_of_a_trial_is_billed_ahead_and_nothing_paid_before_its_end(policy: SubscriptionPolicy) -> None:
    early = attrs.evolve(policy, running=RunPolicy(bill_ahead_days=5, spread=timedelta(hours=23)))
    course = begun(early, PAID)
    course.settle(at(4, 29))
    assert len(course.invoices) == 1
    course.settle(ENDS - timedelta(seconds=1))
    assert all(end <= day(5, 11) for _, end, _ in lines_of(course))
    converted = leave_trial(course.subscription, ENDS, course.facts, early).subscription
    due = renewal_due(converted, early)
    assert due is not None
    assert timedelta(0) < due - ENDS < timedelta(days=1)
    course.settle(ENDS + timedelta(days=1))
    assert lines_of(course)[-1] == (day(5, 11), day(6, 1), "21.00 EUR")


@pytest.mark.proves("TRI-3")
def test_a_minimum_is_asked_of_what_is_paid_for_alone() -> None:
    course = begun(CUT, attrs.evolve(TRIED, minimum=(MinimumSpend(Money.of("62.00", EUR)),)))
    course.settle(at(6, 2))
    asked = [line for invoice in course.invoices.values() for line in invoice.lines if line.kind is LineKind.MINIMUM]
    assert [(line.start, str(line.amount)) for line in asked] == [(day(5, 11), "21.00 EUR")]


# Whose days


@pytest.mark.proves("TRI-3")
def test_the_customers_billing_day_cuts_a_trial_and_one_that_isnt_set_yet_doesnt() -> None:
    policy = shop(alignment=Alignment.CUSTOMER)
    course = begun(policy, account=somebody(billing_day=1))
    assert cycles_of(course, 3) == [(day(4, 20), day(5, 1)), (day(5, 1), day(5, 11)), (day(5, 11), day(6, 1))]
    first = begun(policy)
    assert cycles_of(first, 2) == [(day(4, 20), day(5, 11)), (day(5, 11), day(6, 11))]


@pytest.mark.proves("TRI-3")
def test_a_plan_with_a_billing_day_of_its_own_has_its_trial_whole() -> None:
    course = begun(CUT, attrs.evolve(TRIED, alignment=Alignment.SUBSCRIPTION))
    assert cycles_of(course, 2) == [(day(4, 20), day(5, 11)), (day(5, 11), day(6, 11))]


@pytest.mark.proves("TRI-3", "POL-1")
def test_a_shop_whose_subscriptions_have_days_of_their_own_cuts_no_trial() -> None:
    for cut in (True, False):
        with pytest.raises(BadPolicy):
            shop(cut=cut, alignment=Alignment.SUBSCRIPTION)
        for alignment in (Alignment.CALENDAR, Alignment.CUSTOMER):
            assert shop(cut=cut, alignment=alignment).trials.cycles is TrialCycles.GRID
    assert SubscriptionPolicy(trials=TrialPolicy(cut_at_end=False)).trials.cycles is TrialCycles.WHOLE


# Longer and shorter


def tried_until(course: Course, until: datetime) -> None:
    longer = extend_trial(course.subscription, until, TRIED, course.account, course.policy)
    course.take(Decision(subscription=longer), START)


def ended_now(course: Course, now: datetime, version: PlanVersion = TRIED) -> None:
    over = end_trial_now(course.subscription, now, version, course.account, course.policy)
    course.take(Decision(subscription=over), now)
    course.settle(now)


@pytest.mark.proves("TRI-3", "TRI-5")
@BOTH
def test_a_trial_that_is_made_longer_goes_on_in_cycles(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    course.settle(at(5, 6))
    tried_until(course, at(6, 10))
    course.settle(at(7, 2))
    assert lines_of(course)[-2:] == [(day(6, 10), day(7, 1), "21.70 EUR"), (day(7, 1), day(8, 1), "31.00 EUR")]
    assert sum(line.minor for line in (i.total for i in course.invoices.values())) == 5270


@pytest.mark.proves("TRI-3", "TRI-5")
@BOTH
@pytest.mark.parametrize("on", [20, 21, 25, 30], ids=str)
def test_a_trial_that_ends_in_a_cycle_that_was_given_away_is_cut_there(policy: SubscriptionPolicy, on: int) -> None:
    course = begun(policy)
    now = at(4, on, 14)
    ended_now(course, now)
    assert course.subscription.lifecycle is Lifecycle.ACTIVE
    ((start, end, _),) = lines_of(course)
    assert (start, end) == (day(4, on), day(5, 1))


@pytest.mark.proves("TRI-3", "TRI-5")
def test_a_cycle_that_waits_stays_whole_when_the_trial_ends_early_in_it() -> None:
    course = begun(UNCUT)
    course.settle(at(5, 4))
    now = at(5, 5)
    ended_now(course, now)
    assert lines_of(course) == [(day(5, 1), day(5, 5), "0.00 EUR"), (day(5, 5), day(6, 1), "27.00 EUR")]


@pytest.mark.proves("TRI-5")
def test_what_is_paid_later_of_a_trial_that_ends_on_its_first_day_is_nothing_of_the_trial() -> None:
    for policy in (CUT, UNCUT, SubscriptionPolicy()):
        later = attrs.evolve(TRIED, minimum=(MinimumSpend(Money.of("62.00", EUR)),))
        course = begun(policy, later)
        now = START + timedelta(hours=1)
        ended_now(course, now, later)
        assert course.subscription.usage_to == course.subscription.arrears_to == course.subscription.paid_from
        course.settle(now + timedelta(days=40))
        assert {line.start for i in course.invoices.values() for line in i.lines if line.kind is LineKind.MINIMUM} == {
            day(4, 20)
        }


# Leaving


@pytest.mark.proves("TRI-3", "TRI-5", "CAN-1")
@BOTH
def test_who_cancels_in_the_first_cycle_of_a_trial_keeps_it_to_its_end_and_pays_nothing(
    policy: SubscriptionPolicy,
) -> None:
    course = begun(policy)
    left = cancel(course.subscription, CancelWish(), at(4, 25), course.facts, course.policy)
    course.take(left, at(4, 25))
    assert course.subscription.scheduled.cancel is not None
    assert course.subscription.scheduled.cancel.at == ENDS
    assert entitlement(course.subscription, at(5, 10), course.policy).granted
    course.settle(at(8, 1))
    assert course.subscription.lifecycle is Lifecycle.CANCELED
    assert course.subscription.ended_at == ENDS
    assert course.invoices == {}


@pytest.mark.proves("TRI-3", "TRI-5")
@BOTH
def test_until_its_end_the_cancellation_of_a_trial_is_taken_back_and_all_is_as_it_was(
    policy: SubscriptionPolicy,
) -> None:
    course, plain = begun(policy), begun(policy)
    course.take(cancel(course.subscription, CancelWish(), at(4, 25), course.facts, policy), at(4, 25))
    course.settle(at(5, 10))
    course.take(undo_cancellation(course.subscription, at(5, 10), policy), at(5, 10))
    for one in (course, plain):
        one.settle(at(7, 2))
    assert lines_of(course) == lines_of(plain)
    assert rows_of(course) == rows_of(plain)


@pytest.mark.proves("TRI-3", "TRI-5")
@BOTH
def test_a_trial_that_is_left_at_once_and_taken_up_again_is_paid_for_at_once(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    course.settle(at(5, 2))
    now = at(5, 3)
    course.take(cancel(course.subscription, CancelWish(when=CancelWhen.NOW), now, course.facts, policy), now)
    assert course.subscription.lifecycle is Lifecycle.CANCELED
    back = at(5, 5)
    course.take(reactivate(course.subscription, Return(), (), back, course.facts, policy), back)
    assert lines_of(course) == [(day(5, 5), day(6, 1), "27.00 EUR")]
    course.settle(at(6, 1))
    assert lines_of(course)[1:] == [(day(6, 1), day(7, 1), "31.00 EUR")]


@pytest.mark.proves("TRI-3", "TRI-4")
@BOTH
@pytest.mark.parametrize("missing", list(OnMissingMethod), ids=lambda one: one.value)
def test_a_trial_without_a_payment_method_does_what_the_shop_wants(
    policy: SubscriptionPolicy, missing: OnMissingMethod
) -> None:
    wants = attrs.evolve(policy, trials=attrs.evolve(policy.trials, on_missing_method=missing))
    course = begun(wants, account=somebody(payment_method=None))
    course.settle(ENDS)
    assert bool(course.invoices) == (missing is OnMissingMethod.CREATE_INVOICE)
    if missing is OnMissingMethod.PAUSE:
        course.take(resume_now(course.subscription, at(5, 20), wants), at(5, 20))
        course.settle(at(5, 20))
        assert lines_of(course) == [(day(5, 20), day(6, 20), "31.00 EUR")]


@pytest.mark.proves("TRI-5", "CAN-7")
def test_after_coming_back_nothing_waits_for_the_end_that_the_trial_would_have_had() -> None:
    weekly = attrs.evolve(TRIED, interval=Interval.weeks(1), term=Term(10, 2))
    course = begun(SubscriptionPolicy(), weekly)
    left, back = at(4, 22), at(4, 23)
    course.take(cancel(course.subscription, CancelWish(when=CancelWhen.NOW), left, course.facts, course.policy), left)
    course.take(reactivate(course.subscription, Return(), (), back, course.facts, course.policy), back)
    course.settle(at(5, 8))
    assert [start for start, *_ in lines_of(course)] == [day(4, 23), day(4, 30), day(5, 7)]
    assert course.subscription.term is not None
    assert course.subscription.term.begun == 3


# Changing


LARGE = attrs.evolve(TRIED, id=PlanVersionId("large"), phases=(TRIED.phases[0], *flat_plan("62.00").phases))
UNTRIED = attrs.evolve(LARGE, id=PlanVersionId("untried"), phases=LARGE.phases[1:])


@pytest.mark.proves("TRI-3", "TRI-6")
@BOTH
def test_another_plan_in_a_trial_keeps_its_cycles(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    course.settle(at(5, 6))
    changed = change_plan_early(course.subscription, LARGE, None, course.account, policy, at(5, 6))
    course.take(changed, at(5, 6))
    course.settle(at(6, 2))
    paid = [one for one in lines_of(course) if one[2] != "0.00 EUR"]
    assert paid == [(day(5, 11), day(6, 1), "42.00 EUR"), (day(6, 1), day(7, 1), "62.00 EUR")]


@pytest.mark.proves("TRI-3", "TRI-6")
@BOTH
def test_a_plan_without_a_trial_ends_it_within_its_cycle(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    course.settle(at(5, 6))
    course.take(change_plan_early(course.subscription, UNTRIED, None, course.account, policy, at(5, 6)), at(5, 6))
    course.settle(at(6, 2))
    assert rows_of(course)[:3] == [
        (day(4, 20), day(5, 1), CycleEnd.FREE),
        (day(5, 1), day(5, 11 if policy is CUT else 6), CycleEnd.FREE),
        (day(5, 6), day(6, 1), CycleEnd.BILLED),
    ]
    assert lines_of(course) == [(day(5, 6), day(6, 1), "52.00 EUR"), (day(6, 1), day(7, 1), "62.00 EUR")]


@pytest.mark.proves("TRI-3", "TRI-6", "PLN-12")
@BOTH
def test_longer_cycles_in_a_trial_leave_nothing_out_that_is_paid_later(policy: SubscriptionPolicy) -> None:
    least = (MinimumSpend(Money.of("62.00", EUR)),)
    weekly = attrs.evolve(TRIED, interval=Interval.weeks(1), minimum=least)
    yearly = attrs.evolve(LARGE, interval=Interval.years(1), minimum=(MinimumSpend(Money.of("730.00", EUR)),))
    course = begun(policy, weekly)
    course.settle(at(5, 8))
    course.take(change_plan_early(course.subscription, yearly, None, course.account, policy, at(5, 8)), at(5, 8))
    read = attrs.evolve(course.subscription, usage_to=2)
    assert leave_trial(read, ENDS, course.facts, policy).subscription.usage_to == read.paid_from < 2
    course.settle(datetime(2027, 1, 1, 12, tzinfo=UTC))
    asked = [line for invoice in course.invoices.values() for line in invoice.lines if line.kind is LineKind.MINIMUM]
    assert len(asked) == 1
    assert asked[0].end == date(2027, 1, 1)


@pytest.mark.proves("TRI-3", "CHG-14")
@BOTH
def test_a_billing_day_that_moves_in_a_trial_counts_from_its_end(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    course.settle(at(5, 6))
    course.take(move_billing_day(course.subscription, DayOfMonth(20), policy, at(5, 6)), at(5, 6))
    course.settle(at(5, 21))
    assert lines_of(course) == [(day(5, 11), day(5, 20), "9.30 EUR"), (day(5, 20), day(6, 20), "31.00 EUR")]
    assert rows_of(course)[1] == (day(5, 1), day(5, 11), CycleEnd.FREE)


@pytest.mark.proves("TRI-3", "SCH-10")
@BOTH
def test_who_moves_to_another_zone_in_a_trial_has_it_to_the_same_instant(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    course.take(relocate(course.subscription, zone("America/New_York"), at(4, 22)), at(4, 22))
    course.settle(ENDS - timedelta(seconds=1))
    assert course.invoices == {}
    course.settle(ENDS)
    assert [one for one in lines_of(course) if one[2] != "0.00 EUR"] == [(day(5, 11), day(6, 1), "21.00 EUR")]
    ends_trial = [one for one in course.subscription.segments if one.reason is SegmentReason.TRIAL_END]
    assert [one.start_instant for one in ends_trial] == ([ENDS] if policy is CUT else [])


ELEVEN_DAYS = attrs.evolve(TRIED, phases=(Phase(PhaseKind.TRIAL, Days(11)), *COFFEE.phases))


@pytest.mark.proves("TRI-3", "CHG-14")
@BOTH
def test_a_billing_day_that_moves_in_a_trial_which_ends_with_a_cycle_counts_from_there(
    policy: SubscriptionPolicy,
) -> None:
    course = begun(policy, ELEVEN_DAYS)
    course.take(move_billing_day(course.subscription, DayOfMonth(20), policy, at(4, 25)), at(4, 25))
    course.settle(at(5, 2))
    assert lines_of(course) == [(day(5, 1), day(5, 20), "19.63 EUR")]


@pytest.mark.proves("TRI-3", "TRI-6")
@BOTH
def test_add_ons_of_another_plan_last_as_many_cycles_after_a_trial_as_were_agreed(policy: SubscriptionPolicy) -> None:
    pods = AddOn(key="pods", product="pods", prices=(Flat(Money.of("3.10", EUR)),), cycles=Cycles(1))
    before = attrs.evolve(ELEVEN_DAYS, add_ons=(pods,))
    large = attrs.evolve(before, id=PlanVersionId("large"), phases=(before.phases[0], *flat_plan("62.00").phases))
    course = begun(policy, before, add_ons={"pods": 1})
    course.take(change_plan_early(course.subscription, large, None, course.account, policy, at(4, 25)), at(4, 25))
    course.settle(at(7, 2))
    lines = (line for invoice in course.invoices.values() for line in invoice.lines if line.key == "pods")
    assert [line.start for line in lines] == [day(5, 1)]


# Skipping, moving, pausing


@pytest.mark.proves("TRI-3", "PAU-6")
@BOTH
def test_a_cycle_of_a_trial_is_left_out_and_the_trial_is_no_longer_for_it(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    course.take(skip_cycle(course.subscription, 1, at(4, 25), course.facts, policy), at(4, 25))
    assert entitlement(course.subscription, at(5, 3), policy).reason is EntitlementReason.SKIPPED
    course.settle(at(6, 2))
    whole = policy is UNCUT
    assert rows_of(course)[1] == (day(5, 1), day(6, 1) if whole else day(5, 11), CycleEnd.SKIPPED)
    expected = [] if whole else [(day(5, 11), day(6, 1), "21.00 EUR")]
    assert lines_of(course) == [*expected, (day(6, 1), day(7, 1), "31.00 EUR")]


@pytest.mark.proves("TRI-3", "PAU-9")
@BOTH
def test_nothing_is_moved_across_the_end_of_a_trial(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    for index, on in ((1, day(5, 11)), (1, day(5, 20)), (2, day(5, 12)), (2, day(5, 10))):
        if policy is UNCUT and on == day(5, 12):
            continue
        with pytest.raises(DateNotPossible):
            reschedule_cycle(course.subscription, index, on, at(4, 25), course.facts, policy)
    moved = reschedule_cycle(course.subscription, 1, day(5, 10), at(4, 25), course.facts, policy)
    course.take(moved, at(4, 25))
    course.settle(ENDS)
    paid = [one for one in lines_of(course) if one[2] != "0.00 EUR"]
    assert paid == [(day(5, 11), day(6, 1), "21.00 EUR")]


@pytest.mark.proves("TRI-3", "PAU-3")
@pytest.mark.parametrize("on_resume", [OnResume.KEEP_ANCHOR, OnResume.EXTEND], ids=lambda one: one.value)
@BOTH
def test_a_pause_takes_nothing_of_a_trial_that_it_gives_back(policy: SubscriptionPolicy, on_resume: OnResume) -> None:
    lets = attrs.evolve(
        policy, operations=OperationPolicy(pause_in_trial=True), pausing=PausePolicy(on_resume=on_resume)
    )
    course = begun(lets)
    now = at(4, 25)
    course.take(pause(course.subscription, PauseWish(how=PauseHow.NOW), now, course.facts, lets), now)
    course.take(resume_now(course.subscription, at(5, 5), lets), at(5, 5))
    course.settle(ENDS - timedelta(seconds=1))
    assert course.invoices == {}
    course.settle(at(5, 25))
    paid = [one for one in lines_of(course) if one[2] != "0.00 EUR"]
    ends = day(5, 11) if on_resume is OnResume.KEEP_ANCHOR else day(5, 21)
    assert [start for start, *_ in paid] == [ends]


@pytest.mark.proves("TRI-3", "PAU-1")
@BOTH
def test_a_pause_at_the_end_of_the_paid_time_begins_with_the_end_of_the_trial(policy: SubscriptionPolicy) -> None:
    lets = attrs.evolve(policy, operations=OperationPolicy(pause_in_trial=True))
    course = begun(lets)
    wish = PauseWish(how=PauseHow.AT_PERIOD_END)
    course.take(pause(course.subscription, wish, at(4, 25), course.facts, lets), at(4, 25))
    assert course.subscription.scheduled.pause is not None
    assert course.subscription.scheduled.pause.at == ENDS
    for_one = pause(begun(lets).subscription, PauseWish(cycles=1), at(4, 25), course.facts, lets)
    assert for_one.subscription.scheduled.pause is not None
    assert for_one.subscription.scheduled.pause.until == datetime(2026, 5, 31, 22, tzinfo=UTC)


# What is shown and announced


@pytest.mark.proves("TRI-3", "SIM-2")
@BOTH
def test_what_is_shown_ahead_is_what_happens(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    shown = ahead(course, count=3)
    assert [(one.at, one.kind) for one in shown[:2]] == [(ENDS, UpcomingKind.TRIAL_END), (ENDS, UpcomingKind.CHARGE)]
    assert [str(one.amount) for one in shown[1:]] == ["21.00 EUR", "31.00 EUR"]
    course.settle(at(6, 2))
    assert [str(one) for one in course.totals.values()] == ["21.00 EUR", "31.00 EUR"]


@pytest.mark.proves("TRI-3", "SIM-2")
def test_a_trial_of_many_free_cycles_hides_nothing_that_is_to_come() -> None:
    weekly = attrs.evolve(TRIED, interval=Interval.days(1), phases=(Phase(PhaseKind.TRIAL, Days(60)), *COFFEE.phases))
    (first,) = ahead(begun(CUT, weekly), count=1)
    assert first.kind is UpcomingKind.TRIAL_END


@pytest.mark.proves("TRI-3")
@BOTH
def test_the_first_charge_is_announced_for_the_end_of_the_trial(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    found = occasions(course.subscription, course.facts, policy, None, at(4, 25))
    announced = {one.trigger.value: (one.at, one.index) for one in found}
    index = 2 if policy is CUT else 1
    assert announced["trial_end"] == announced["pre_debit"] == (ENDS, index)


@pytest.mark.proves("TRI-3", "SUB-7")
@BOTH
def test_there_is_access_on_every_day_of_a_trial(policy: SubscriptionPolicy) -> None:
    course = begun(policy)
    for days in range(21):
        now = START + timedelta(days=days)
        course.settle(now)
        assert entitlement(course.subscription, now, policy).reason is EntitlementReason.TRIAL
    course.settle(ENDS)
    assert entitlement(course.subscription, ENDS, policy).reason is EntitlementReason.PAID


@pytest.mark.proves("TRI-3")
@BOTH
def test_the_instants_of_cycles_touch_also_where_a_trial_ends(policy: SubscriptionPolicy) -> None:
    segments = begun(policy).subscription.segments
    assert (SegmentReason.TRIAL_END in {one.reason for one in segments}) == (policy is CUT)
    assert start_instant_of(segments, 0) == START
    for index in range(6):
        assert end_instant_of(segments, index) == start_instant_of(segments, index + 1)


@pytest.mark.proves("TRI-3")
def test_boxes_of_a_shipped_trial_are_no_backlog() -> None:
    phases = (Phase(PhaseKind.TRIAL, Days(80)), *COFFEE.phases)
    shipped = flat_plan("31.00", goods=Goods.PHYSICAL, phases=phases)
    course = begun(CUT, shipped)
    course.settle(at(7, 2))
    assert [ended for *_, ended in rows_of(course)] == [CycleEnd.FREE] * 4


@pytest.mark.proves("PAU-8", "TRI-5")
@pytest.mark.parametrize("policy", [CUT, UNCUT, SubscriptionPolicy()], ids=["cut", "uncut", "whole"])
def test_what_was_different_about_a_cycle_goes_when_the_end_of_the_trial_gives_it_other_days(
    policy: SubscriptionPolicy,
) -> None:
    course = begun(policy)
    index = course.subscription.paid_from
    course.take(skip_cycle(course.subscription, index, at(4, 25), course.facts, policy), at(4, 25))
    same = extend_trial(course.subscription, ENDS + timedelta(hours=1), TRIED, course.account, policy)
    assert same.overrides == course.subscription.overrides
    longer = extend_trial(course.subscription, at(6, 10), TRIED, course.account, policy)
    assert (longer.overrides == ()) == (policy is not UNCUT)  # the cycle that was whole has the same days still
    changed = change_plan_early(course.subscription, UNTRIED, None, course.account, policy, at(4, 26))
    told = [event for event in changed.events if isinstance(event, OverrideDropped)]
    assert [event.index for event in told] == [index]
    assert changed.subscription.overrides == ()
