"""The planner: what is due is decided in order, each thing at its own instant, whenever somebody looks."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.billing.catchup import backlog
from shopaccounts.subscriptions.due import What, next_due, renewal_due
from shopaccounts.subscriptions.events import (
    CyclesLapsed,
    FirstPaymentExpired,
    SubscriptionCanceled,
    SubscriptionExpired,
    SubscriptionHeld,
    TrialConverted,
    TrialLapsed,
)
from shopaccounts.subscriptions.papers.documents import BilledFor, CycleEnd, InvoiceKind, InvoiceState
from shopaccounts.subscriptions.plans.add_ons import AddOn
from shopaccounts.subscriptions.plans.agreed import Trial
from shopaccounts.subscriptions.plans.offers import CatchUpMode, Goods, PlanVersion
from shopaccounts.subscriptions.plans.phases import Days, Months, Phase, PhaseKind
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.plans.terms import Term
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.running import CatchUpPolicy, RunPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.policy.trials import OnMissingMethod, TrialPolicy
from shopaccounts.subscriptions.scheduled import CancelAt, Scheduled
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.subscribers import EUR, Course, flat_plan, somebody

LATE_JANUARY = datetime(2031, 1, 31, 12, tzinfo=UTC)
COFFEE = flat_plan("17.90")


def euro(amount: str) -> Money:
    return Money.of(amount, EUR)


def days_of(course: Course) -> list[date]:
    return [invoice.lines[0].start for invoice in course.invoices.values()]


def lifecycle_of(course: Course) -> Lifecycle:
    return course.subscription.lifecycle


def course_in(mode: CatchUpMode, **limits: Any) -> Course:
    """A course that was billed up to its fourth month, and then nobody looked."""
    policy = SubscriptionPolicy(catch_up=CatchUpPolicy(digital=mode, **limits))
    course = Course.begin(COFFEE, datetime(2031, 1, 5, tzinfo=UTC), policy=policy)
    for month in (2, 3, 4):
        course.advance(datetime(2031, month, 6, tzinfo=UTC))
    assert course.subscription.billed_to == 4
    return course


def test_a_month_that_is_short_has_the_last_day_and_the_next_the_agreed_one_again() -> None:
    course = Course.begin(COFFEE, LATE_JANUARY)
    course.settle(LATE_JANUARY + timedelta(days=150))
    assert days_of(course) == [
        date(2031, 1, 31),
        date(2031, 2, 28),
        date(2031, 3, 31),
        date(2031, 4, 30),
        date(2031, 5, 31),
        date(2031, 6, 30),
    ]


@pytest.mark.proves("RUN-9")
def test_a_missed_month_changes_nothing_but_the_time_of_issue() -> None:
    in_time, late = Course.begin(COFFEE, LATE_JANUARY), Course.begin(COFFEE, LATE_JANUARY)
    for days in range(100):
        in_time.advance(LATE_JANUARY + timedelta(days=days))
    late.settle(LATE_JANUARY + timedelta(days=99))
    assert late.totals == in_time.totals
    assert days_of(late) == days_of(in_time)
    assert late.subscription.due_at == in_time.subscription.due_at


@pytest.mark.proves("RUN-8")
def test_after_an_outage_each_cycle_gets_its_invoice() -> None:
    course = course_in(CatchUpMode.EACH)
    before = len(course.invoices)
    course.advance(datetime(2031, 8, 6, tzinfo=UTC))
    assert len(course.invoices) - before == 4
    assert days_of(course)[before:] == [date(2031, month, 5) for month in (5, 6, 7, 8)]


@pytest.mark.proves("RUN-8")
def test_after_an_outage_all_cycles_may_share_an_invoice_each_with_its_lines() -> None:
    course = course_in(CatchUpMode.COLLAPSE)
    papers = course.advance(datetime(2031, 8, 6, tzinfo=UTC))
    (invoice,) = papers.invoices
    assert [line.start for line in invoice.lines] == [date(2031, month, 5) for month in (5, 6, 7, 8)]
    assert [cycle.index for cycle in papers.cycles] == [4, 5, 6, 7]
    assert {cycle.invoice for cycle in papers.cycles} == {invoice.id}


@pytest.mark.proves("RUN-8")
def test_after_an_outage_the_latest_alone_may_be_billed_and_the_others_lapse() -> None:
    course = course_in(CatchUpMode.LATEST_ONLY)
    papers = course.advance(datetime(2031, 8, 6, tzinfo=UTC))
    (invoice,) = papers.invoices
    assert invoice.lines[0].start == date(2031, 8, 5)
    assert [(c.index, c.ended) for c in papers.cycles] == [
        (4, CycleEnd.LAPSED),
        (5, CycleEnd.LAPSED),
        (6, CycleEnd.LAPSED),
        (7, CycleEnd.BILLED),
    ]
    (told,) = [event for event in papers.events if isinstance(event, CyclesLapsed)]
    assert (told.index, told.last) == (4, 6)


@pytest.mark.proves("RUN-8", "RUN-12")
@pytest.mark.parametrize(
    ("mode", "limits"), [(CatchUpMode.HOLD, {}), (CatchUpMode.EACH, {"hold_over": 3})], ids=["hold", "limit"]
)
def test_after_an_outage_a_person_may_decide(mode: CatchUpMode, limits: dict[str, int]) -> None:
    course = course_in(mode, **limits)
    papers = course.advance(datetime(2031, 8, 6, tzinfo=UTC))
    assert papers.invoices == ()
    assert [type(event) for event in papers.events] == [SubscriptionHeld]
    hold = course.subscription.hold
    assert hold is not None
    assert hold.periods == (4, 5, 6, 7)
    assert next_due(course.subscription, course.policy) is None


@pytest.mark.proves("RUN-8", "ABU-8")
def test_more_than_sixty_cycles_are_always_for_a_person() -> None:
    daily = flat_plan("1.00", Interval.days(1))
    course = Course.begin(daily, LATE_JANUARY)
    course.advance(LATE_JANUARY + timedelta(days=3650))
    assert course.subscription.hold is not None


@pytest.mark.proves("RUN-8")
def test_of_a_long_backlog_a_part_is_billed_at_a_time() -> None:
    course = Course.begin(flat_plan("1.00", Interval.weeks(1)), LATE_JANUARY)
    now = LATE_JANUARY + timedelta(weeks=30)
    assert len(course.advance(now).invoices) == 12
    assert course.subscription.due_at is not None
    assert course.subscription.due_at <= now
    assert len(course.advance(now).invoices) == 12
    assert len(course.advance(now).invoices) == 6
    assert course.advance(now).invoices == ()


@pytest.mark.proves("CAN-3", "SUB-4")
@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=90)], ids=["in time", "late"])
def test_a_cancellation_wins_over_the_renewal_of_the_same_instant(late: timedelta) -> None:
    course = Course.begin(COFFEE, LATE_JANUARY)
    boundary = course.subscription.due_at
    assert boundary is not None
    cancel = CancelAt(at=boundary, asked_at=LATE_JANUARY, reason="too_dear")
    course.subscription = attrs.evolve(course.subscription, scheduled=Scheduled(cancel=cancel))
    papers = course.advance(boundary + late)
    assert papers.invoices == ()
    assert course.subscription.lifecycle is Lifecycle.CANCELED
    (told,) = papers.events
    assert isinstance(told, SubscriptionCanceled)
    assert (told.at, told.reason, told.voluntary) == (boundary, "too_dear", True)
    assert course.subscription.due_at is None


@pytest.mark.proves("SCH-5")
def test_an_end_within_a_cycle_cuts_its_last_period() -> None:
    course = Course.begin(COFFEE, datetime(2031, 3, 1, tzinfo=UTC))
    cancel = CancelAt(at=datetime(2031, 4, 15, 22, tzinfo=UTC), asked_at=LATE_JANUARY)
    course.subscription = attrs.evolve(course.subscription, scheduled=Scheduled(cancel=cancel))
    papers = course.advance(datetime(2031, 4, 1, tzinfo=UTC))
    line = papers.invoices[0].lines[0]
    assert (line.start, line.end) == (date(2031, 4, 1), date(2031, 4, 16))
    assert line.amount == euro("8.95")


@pytest.mark.proves("SUB-9", "RUN-7")
def test_a_first_payment_that_never_comes_ends_the_subscription_and_voids_its_invoice() -> None:
    course = Course.begin(COFFEE, LATE_JANUARY, paid=False)
    papers = course.advance(LATE_JANUARY + timedelta(hours=23))
    assert course.subscription.lifecycle is Lifecycle.INCOMPLETE_EXPIRED
    assert [invoice.state for invoice in papers.changed] == [InvoiceState.VOID]
    assert any(isinstance(event, FirstPaymentExpired) for event in papers.events)
    assert course.subscription.due_at is None


@pytest.mark.proves("SUB-9")
def test_a_start_in_the_future_is_billed_on_its_day() -> None:
    start = datetime(2031, 2, 9, 23, tzinfo=UTC)
    course = Course.begin(COFFEE, LATE_JANUARY, starts_at=start)
    assert lifecycle_of(course) is Lifecycle.PENDING
    assert course.invoices == {}
    papers = course.advance(start)
    assert course.subscription.lifecycle is Lifecycle.INCOMPLETE
    assert papers.invoices[0].kind is InvoiceKind.START
    assert papers.invoices[0].lines[0].start == date(2031, 2, 10)


def with_trial(days: int = 14) -> PlanVersion:
    phases = (Phase(PhaseKind.TRIAL, Days(days)), *COFFEE.phases)
    return attrs.evolve(COFFEE, phases=phases)


@pytest.mark.proves("TRI-1", "TRI-2", "PLN-2")
def test_a_trial_bills_nothing_and_then_begins_a_grid_of_its_own() -> None:
    course = Course.begin(with_trial(), datetime(2031, 1, 17, 14, 10, tzinfo=UTC))
    assert course.invoices == {}
    assert course.subscription.trial == Trial(
        started_at=datetime(2031, 1, 17, 14, 10, tzinfo=UTC), ends_at=datetime(2031, 1, 31, 14, 10, tzinfo=UTC)
    )
    assert course.advance(datetime(2031, 1, 31, 14, 9, tzinfo=UTC)).events == ()
    papers = course.advance(datetime(2031, 1, 31, 14, 10, tzinfo=UTC))
    assert TrialConverted in {type(event) for event in papers.events}
    course.settle(datetime(2031, 4, 1, tzinfo=UTC))
    assert days_of(course) == [date(2031, 1, 31), date(2031, 2, 28), date(2031, 3, 31)]


@pytest.mark.proves("TRI-4")
@pytest.mark.parametrize(
    ("choice", "lifecycle"),
    [
        (OnMissingMethod.CANCEL, Lifecycle.CANCELED),
        (OnMissingMethod.PAUSE, Lifecycle.PAUSED),
        (OnMissingMethod.CREATE_INVOICE, Lifecycle.ACTIVE),
    ],
    ids=lambda value: getattr(value, "value", ""),
)
def test_a_trial_that_ends_without_a_payment_method_does_what_the_shop_wants(
    choice: OnMissingMethod, lifecycle: Lifecycle
) -> None:
    policy = SubscriptionPolicy(trials=TrialPolicy(on_missing_method=choice))
    course = Course.begin(with_trial(), LATE_JANUARY, account=somebody(payment_method=None), policy=policy)
    papers = course.advance(LATE_JANUARY + timedelta(days=14))
    assert course.subscription.lifecycle is lifecycle
    assert (TrialLapsed in {type(event) for event in papers.events}) == (choice is OnMissingMethod.CANCEL)
    assert bool(papers.invoices) == (choice is OnMissingMethod.CREATE_INVOICE)


@pytest.mark.proves("PLN-3")
def test_a_phase_that_ends_within_a_cycle_cuts_its_line() -> None:
    intro = Phase(PhaseKind.INTRO, Days(45), (Flat(euro("10.00")),))
    course = Course.begin(attrs.evolve(COFFEE, phases=(intro, *COFFEE.phases)), datetime(2031, 3, 1, tzinfo=UTC))
    course.settle(datetime(2031, 4, 2, tzinfo=UTC))
    second = list(course.invoices.values())[1]
    assert [(line.start, line.end, str(line.amount)) for line in second.lines] == [
        (date(2031, 4, 1), date(2031, 4, 15), "4.67 EUR"),
        (date(2031, 4, 15), date(2031, 5, 1), "9.55 EUR"),
    ]


@pytest.mark.proves("PLN-10")
def test_a_term_counts_whole_cycles_and_then_is_over() -> None:
    course = Course.begin(attrs.evolve(COFFEE, term=Term(3)), LATE_JANUARY)
    course.settle(LATE_JANUARY + timedelta(days=400))
    assert len(course.invoices) == 3
    assert course.subscription.lifecycle is Lifecycle.EXPIRED
    assert any(isinstance(event, SubscriptionExpired) for papers in course.papers for event in papers.events)


@pytest.mark.proves("PLN-10")
def test_a_term_that_renews_itself_goes_on() -> None:
    course = Course.begin(attrs.evolve(COFFEE, term=Term(3, auto_renew=True, renewal_cycles=2)), LATE_JANUARY)
    course.settle(LATE_JANUARY + timedelta(days=200))
    assert course.subscription.lifecycle is Lifecycle.ACTIVE
    assert len(course.invoices) == 7


@pytest.mark.proves("PLN-8")
def test_a_fee_for_this_cycle_and_arrears_of_the_last_share_an_invoice() -> None:
    calls = AddOn(key="calls", product="calls", prices=(Flat(euro("3.00")),), mode=BillingMode.IN_ARREARS)
    course = Course.begin(attrs.evolve(COFFEE, add_ons=(calls,)), LATE_JANUARY, add_ons={"calls": 1})
    assert [line.key for line in course.papers[0].invoices[0].lines] == ["plan"]
    papers = course.advance(datetime(2031, 3, 1, tzinfo=UTC))
    (invoice,) = papers.invoices
    assert [(line.key, line.start) for line in invoice.lines] == [
        ("plan", date(2031, 2, 28)),
        ("calls", date(2031, 1, 31)),
    ]
    assert {cycle.part for cycle in papers.cycles} == {BilledFor.ADVANCE, BilledFor.ARREARS}


@pytest.mark.proves("CAN-4", "PLN-8")
def test_arrears_up_to_the_end_are_on_a_final_invoice() -> None:
    calls = AddOn(key="calls", product="calls", prices=(Flat(euro("3.10")),), mode=BillingMode.IN_ARREARS)
    start = datetime(2031, 3, 1, tzinfo=UTC)
    course = Course.begin(attrs.evolve(COFFEE, add_ons=(calls,)), start, add_ons={"calls": 1})
    cancel = CancelAt(at=datetime(2031, 3, 10, 23, tzinfo=UTC), asked_at=start)
    course.subscription = attrs.evolve(course.subscription, scheduled=Scheduled(cancel=cancel))
    papers = course.advance(datetime(2031, 3, 20, tzinfo=UTC))
    (invoice,) = papers.invoices
    assert invoice.kind is InvoiceKind.FINAL
    assert [(line.key, line.start, line.end, str(line.amount)) for line in invoice.lines] == [
        ("calls", date(2031, 3, 1), date(2031, 3, 11), "1.00 EUR")
    ]


@pytest.mark.proves("SCH-13")
def test_a_shop_may_bill_ahead_and_still_lets_the_end_win() -> None:
    policy = SubscriptionPolicy(running=RunPolicy(bill_ahead_days=5))
    course = Course.begin(COFFEE, datetime(2031, 3, 1, tzinfo=UTC), policy=policy)
    assert course.subscription.due_at == datetime(2031, 3, 26, 23, tzinfo=UTC)
    boundary = datetime(2031, 3, 31, 22, tzinfo=UTC)
    planned = Scheduled(cancel=CancelAt(at=boundary, asked_at=LATE_JANUARY))
    course.subscription = attrs.evolve(course.subscription, scheduled=planned)
    due = next_due(course.subscription, policy)
    assert due is not None
    assert (due.what, due.at) == (What.END, boundary)


@pytest.mark.proves("SCH-12")
def test_when_it_is_due_is_computed_and_the_copy_agrees() -> None:
    course = Course.begin(COFFEE, LATE_JANUARY)
    for days in range(0, 400, 13):
        course.settle(LATE_JANUARY + timedelta(days=days))
        due = next_due(course.subscription, course.policy)
        assert due is not None
        assert course.subscription.due_at == due.at


def test_what_costs_nothing_is_never_incomplete_and_its_cycles_are_done_with() -> None:
    course = Course.begin(flat_plan("0.00"), LATE_JANUARY)
    assert course.subscription.lifecycle is Lifecycle.ACTIVE
    course.settle(LATE_JANUARY + timedelta(days=40))
    assert course.invoices == {}
    assert [cycle.index for cycle in course.cycles] == [0, 1]


def test_a_shop_may_let_it_run_before_the_first_payment() -> None:
    policy = SubscriptionPolicy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
    assert Course.begin(COFFEE, LATE_JANUARY, policy=policy).subscription.lifecycle is Lifecycle.ACTIVE


def test_there_is_no_backlog_of_what_is_not_due_yet() -> None:
    course = Course.begin(COFFEE, LATE_JANUARY)
    renews = renewal_due(course.subscription, course.policy)
    assert len(backlog(course.subscription, renews, course.policy, LATE_JANUARY + timedelta(days=1))) == 0


VERSIONS = st.builds(
    lambda price, interval, trial, months, term: attrs.evolve(
        flat_plan(price, interval),
        phases=(
            *((Phase(PhaseKind.TRIAL, Days(trial)),) if trial else ()),
            *((Phase(PhaseKind.INTRO, Months(months), (Flat(euro("1.00")),)),) if months else ()),
            Phase(PhaseKind.EVERGREEN, None, (Flat(euro(price)),)),
        ),
        term=term,
    ),
    st.sampled_from(["0.00", "17.90", "0.01"]),
    st.sampled_from([Interval.months(1), Interval.weeks(2), Interval.days(10), Interval.months(3), Interval.years(1)]),
    st.sampled_from([0, 3, 40]),
    st.sampled_from([0, 2]),
    st.sampled_from([None, Term(4), Term(2, auto_renew=True, renewal_cycles=3)]),
)


@pytest.mark.proves("RUN-6", "RUN-7", "SIM-4")
@given(
    version=VERSIONS,
    start=st.datetimes(datetime(2030, 12, 25), datetime(2031, 3, 5)),  # noqa: DTZ001  (made aware below)
    jumps=st.lists(st.integers(1, 90), max_size=8),
    ends=st.none() | st.integers(5, 300),
)
def test_one_jump_of_the_clock_equals_many_small_steps(
    version: PlanVersion, start: datetime, jumps: list[int], ends: int | None
) -> None:
    at = start.replace(tzinfo=UTC)
    courses = [Course.begin(version, at) for _ in range(2)]
    if ends is not None:
        planned = Scheduled(cancel=CancelAt(at=at + timedelta(days=ends), asked_at=at))
        for course in courses:
            course.subscription = attrs.evolve(course.subscription, scheduled=planned)
    stepped, jumped = courses
    now = at
    for days in jumps:
        now += timedelta(days=days)
        stepped.settle(now)
    jumped.settle(now)
    assert jumped.totals == stepped.totals
    assert days_of(jumped) == days_of(stepped)
    assert [(c.id, c.ended) for c in jumped.cycles] == [(c.id, c.ended) for c in stepped.cycles]
    assert attrs.evolve(jumped.subscription, live=()) == attrs.evolve(stepped.subscription, live=())


@pytest.mark.proves("RUN-8")
@given(version=VERSIONS, jumps=st.lists(st.integers(1, 90), min_size=1, max_size=8), mode=st.sampled_from(CatchUpMode))
def test_each_cycle_ends_in_exactly_one_way(version: PlanVersion, jumps: list[int], mode: CatchUpMode) -> None:
    course = Course.begin(attrs.evolve(version, catch_up=mode), LATE_JANUARY)
    now = LATE_JANUARY
    for days in jumps:
        now += timedelta(days=days)
        course.settle(now)
    ids = [cycle.id for cycle in course.cycles]
    assert len(set(ids)) == len(ids)
    if course.subscription.hold is None:
        assert sorted(cycle.index for cycle in course.cycles) == list(range(course.subscription.billed_to))


def test_physical_goods_do_not_pile_up_after_an_outage() -> None:
    course = Course.begin(flat_plan("20.00", goods=Goods.PHYSICAL), LATE_JANUARY)
    papers = course.advance(LATE_JANUARY + timedelta(days=200))
    assert len(papers.invoices) == 1
