"""Single cycles: left out, moved, filled differently; and everything put off."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.errors import InvalidInput, Rejected
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.billing.unused import credits_for_unused
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.due import last_day, next_due, projected
from shopaccounts.subscriptions.entitlements import EntitlementReason, entitlement
from shopaccounts.subscriptions.errors import (
    BadPlan,
    BadQuantity,
    CancellationScheduled,
    CutOffPassed,
    CycleAlreadyBilled,
    DateNotPossible,
    NothingToChange,
    OperationNotAllowed,
    SkipLimitReached,
)
from shopaccounts.subscriptions.events import (
    BillingDayMoved,
    CycleEdited,
    CycleRescheduled,
    CycleSkipped,
    CyclesLapsed,
    CycleUnskipped,
    OverrideDropped,
)
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.papers.documents import CreditTo, CycleEnd
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.pausing.cycle_content import CycleContent, content_of, edit_cycle
from shopaccounts.subscriptions.pausing.overrides import cut_off_of_cycle, skip_cycle, unskip_cycle
from shopaccounts.subscriptions.pausing.pauses import PauseWish, pause
from shopaccounts.subscriptions.pausing.rescheduling import postpone_all, reschedule_cycle, unreschedule_cycle
from shopaccounts.subscriptions.pausing.resuming import resume
from shopaccounts.subscriptions.plans.add_ons import AddOn, MinimumSpend, QuantityRule, SetupFee, SetupFeeWhen
from shopaccounts.subscriptions.plans.offers import CatchUpMode, DeliveryPlan, Goods, PlanVersion
from shopaccounts.subscriptions.plans.phases import Days, Months, Phase, PhaseKind
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.plans.terms import Term
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cycles import BoundaryClock, CyclePolicy
from shopaccounts.subscriptions.policy.operations import OperationPolicy
from shopaccounts.subscriptions.policy.pausing import OnResume, PauseHow, PausePolicy, SkipPolicy, Unused
from shopaccounts.subscriptions.policy.running import RunPolicy
from shopaccounts.subscriptions.scheduled import CancelAt, Override, OverrideKind, Scheduled
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.subscribers import EUR, Course, flat_plan, somebody

MARCH = datetime(2031, 2, 28, 23, tzinfo=UTC)  # 1 March in Berlin
COFFEE = flat_plan("31.00")
BOX = flat_plan("31.00", goods=Goods.PHYSICAL)
MUG = AddOn(key="mug", product="mug", prices=(Flat(Money.of("9.00", EUR)),))
CALLS = AddOn(key="calls", product="calls", prices=(Flat(Money.of("6.20", EUR)),), mode=BillingMode.IN_ARREARS)
FREELY = SubscriptionPolicy(skipping=SkipPolicy(max_skips_per_year=99, max_successive_skips=99))


def day(month: int, number: int, hour: int = 0) -> datetime:
    """An hour of a day of 2031, in Berlin's winter time."""
    return datetime(2031, month, number, hour, tzinfo=UTC) - timedelta(hours=1)


NOW = day(3, 10)


def course(version: PlanVersion = COFFEE, how: SubscriptionPolicy | None = None, **choice: Any) -> Course:
    one = Course.begin(version, MARCH, policy=how, **choice)
    one.settle(NOW)
    return one


def skip(one: Course, index: int, now: datetime = NOW) -> Course:
    one.take(skip_cycle(one.subscription, index, now, one.facts, one.policy), now)
    return one


def unskip(one: Course, index: int, now: datetime = NOW) -> Course:
    one.take(unskip_cycle(one.subscription, index, now, one.facts, one.policy), now)
    return one


def move(one: Course, index: int, on: date, now: datetime = NOW) -> Course:
    one.take(reschedule_cycle(one.subscription, index, on, now, one.facts, one.policy), now)
    return one


def unmove(one: Course, index: int, now: datetime = NOW) -> Course:
    one.take(unreschedule_cycle(one.subscription, index, now, one.facts, one.policy), now)
    return one


def edit(one: Course, index: int, content: CycleContent, version: PlanVersion, now: datetime = NOW) -> Course:
    lines = content_of(one.subscription, index, content, version)
    one.take(edit_cycle(one.subscription, index, lines, now, one.facts, one.policy), now)
    return one


def planned(one: Course, scheduled: Scheduled) -> Course:
    one.subscription = projected(attrs.evolve(one.subscription, scheduled=scheduled), one.policy)
    return one


def billed(one: Course) -> list[tuple[date, date, int]]:
    return [(line.start, line.end, line.amount.minor) for each in one.invoices.values() for line in each.lines]


def lifecycle_of(one: Course) -> Lifecycle:
    return one.subscription.lifecycle


def told(one: Course) -> list[type]:
    return [type(event) for papers in one.papers for event in papers.events]


# Leaving one out


@pytest.mark.proves("PAU-6")
def test_who_skips_a_cycle_pays_nothing_for_it_and_keeps_the_billing_day() -> None:
    one = skip(course(), 1)
    assert told(one)[-1] is CycleSkipped
    one.settle(day(5, 2))
    assert [start for start, _, _ in billed(one)] == [date(2031, 3, 1), date(2031, 5, 1)]
    assert [(cycle.index, cycle.ended) for cycle in one.cycles] == [
        (0, CycleEnd.BILLED),
        (1, CycleEnd.SKIPPED),
        (2, CycleEnd.BILLED),
    ]


@pytest.mark.proves("PAU-6", "SUB-7")
def test_in_a_cycle_that_is_skipped_there_is_nothing_to_use() -> None:
    one = skip(course(), 1)
    assert entitlement(one.subscription, day(4, 10), one.policy).reason is EntitlementReason.SKIPPED
    one.settle(day(4, 10))
    assert not entitlement(one.subscription, day(4, 10), one.policy).granted
    assert entitlement(one.subscription, day(5, 10), one.policy).granted


@pytest.mark.proves("PAU-6")
def test_what_is_billed_is_not_skipped_and_the_invoice_is_named() -> None:
    one = course()
    with pytest.raises(CycleAlreadyBilled) as refused:
        skip(one, 0)
    assert refused.value.invoice == next(iter(one.invoices))
    one.settle(day(4, 2))
    free = course(flat_plan("0.00"))
    with pytest.raises(CycleAlreadyBilled) as refused:
        skip(free, 0)
    assert refused.value.invoice == ""


@pytest.mark.proves("PAU-6")
@pytest.mark.parametrize("index", [-1, 13])
def test_a_cycle_is_one_of_the_next_twelve(index: int) -> None:
    with pytest.raises(InvalidInput):
        skip(course(), index)
    assert skip(course(), 12).subscription.overrides[0].index == 12


@pytest.mark.proves("PAU-6")
def test_the_number_of_a_cycle_is_a_number() -> None:
    with pytest.raises(TypeError):
        skip(course(), True)


@pytest.mark.proves("PAU-6", "ABU-5")
@pytest.mark.parametrize(
    ("version", "cut_off"),
    [
        (COFFEE, day(4, 1) - timedelta(hours=1)),
        (BOX, day(3, 29)),
        (attrs.evolve(BOX, deliveries=DeliveryPlan(interval=Interval.months(1), cut_off_days=5)), day(3, 27)),
        (attrs.evolve(BOX, deliveries=DeliveryPlan(interval=Interval.months(1), cut_off_days=0)), day(3, 29)),
    ],
    ids=["digital", "box", "packed earlier", "packed later"],
)
def test_until_the_cut_off_a_cycle_is_skipped_and_not_after(version: PlanVersion, cut_off: datetime) -> None:
    in_time = cut_off - timedelta(seconds=1)
    one = course(version)
    assert cut_off_of_cycle(one.subscription, 1, one.policy) == cut_off
    assert skip(course(version), 1, in_time).subscription.overrides
    with pytest.raises(CutOffPassed) as refused:
        skip(one, 1, cut_off)
    assert refused.value.cut_off == cut_off
    with pytest.raises(CutOffPassed):
        unskip(skip(one, 1, in_time), 1, cut_off)


@pytest.mark.proves("PAU-6")
def test_so_many_cycles_in_a_row_are_skipped_and_the_next_possible_one_is_named() -> None:
    one = skip(course(), 2)
    for index, available in ((1, date(2031, 7, 1)), (3, date(2031, 7, 1))):
        with pytest.raises(SkipLimitReached) as refused:
            skip(one, index)
        assert (refused.value.limit, refused.value.available_on) == (1, available)
    assert len(skip(one, 4).subscription.overrides) == 2


@pytest.mark.proves("PAU-6")
def test_a_skipped_cycle_that_has_passed_counts_in_a_row() -> None:
    one = skip(course(), 1)
    one.settle(day(4, 2))
    with pytest.raises(SkipLimitReached):
        skip(one, 2, day(4, 2))


@pytest.mark.proves("PAU-6")
def test_a_shop_where_nothing_is_skipped_says_so() -> None:
    for limits in (SkipPolicy(max_successive_skips=0), SkipPolicy(max_skips_per_year=0)):
        with pytest.raises(SkipLimitReached) as refused:
            skip(course(how=SubscriptionPolicy(skipping=limits)), 1)
        assert refused.value.available_on == date.max


@pytest.mark.proves("PAU-6")
def test_so_many_cycles_are_skipped_in_a_year_and_what_is_taken_back_does_not_count() -> None:
    one = course(how=SubscriptionPolicy(skipping=SkipPolicy(max_skips_per_year=2)))
    skip(one, 2)
    unskip(skip(one, 4), 4)
    skip(one, 6)
    with pytest.raises(SkipLimitReached) as refused:
        skip(one, 8)
    assert (refused.value.limit, refused.value.available_on) == (2, date(2032, 3, 9))
    later = datetime(2032, 3, 9, 12, tzinfo=UTC)
    one.settle(later)
    skip(one, 14, later)
    assert [each.index for each in one.subscription.overrides] == [14]


@pytest.mark.proves("PAU-6")
def test_what_is_skipped_already_or_not_at_all_is_left_alone() -> None:
    with pytest.raises(NothingToChange):
        skip(skip(course(), 1), 1)
    with pytest.raises(NothingToChange):
        unskip(course(), 1)


@pytest.mark.proves("PAU-6")
def test_what_is_taken_back_is_told_and_billed() -> None:
    one = unskip(skip(course(), 1), 1)
    assert told(one)[-1] is CycleUnskipped
    one.settle(day(4, 2))
    assert len(one.invoices) == 2


@pytest.mark.proves("PAU-6")
def test_a_skip_that_was_settled_ahead_is_not_taken_back() -> None:
    one = skip(course(how=SubscriptionPolicy(running=RunPolicy(bill_ahead_days=5))), 1)
    one.settle(day(3, 28))
    with pytest.raises(CycleAlreadyBilled):
        unskip(one, 1, day(3, 28))


@pytest.mark.proves("PAU-6")
def test_a_cycle_that_will_not_come_is_not_skipped_moved_or_edited() -> None:
    ends = day(5, 1) - timedelta(hours=1)
    one = planned(course(), Scheduled(cancel=CancelAt(at=ends, asked_at=NOW)))
    for refused in (
        lambda: skip(one, 2),
        lambda: move(one, 2, date(2031, 5, 7)),
        lambda: edit(one, 3, CycleContent(quantity=2), COFFEE),
    ):
        with pytest.raises(CancellationScheduled) as because:
            refused()
        assert because.value.at == ends
    assert skip(one, 1).subscription.overrides


@pytest.mark.proves("PAU-7", "PLN-10")
def test_a_skipped_cycle_does_not_count_toward_a_term_which_ends_later() -> None:
    one = skip(course(attrs.evolve(COFFEE, term=Term(3))), 1)
    one.settle(day(9, 1))
    assert [start.month for start, _, _ in billed(one)] == [3, 5, 6]
    assert one.subscription.lifecycle is Lifecycle.EXPIRED
    assert last_day(one.subscription) == date(2031, 7, 1)


@pytest.mark.proves("PAU-6")
def test_a_skipped_cycle_has_no_minimum_and_no_fee() -> None:
    minimum = (MinimumSpend(Money.of("50.00", EUR)),)
    one = skip(course(attrs.evolve(COFFEE, minimum=minimum)), 1)
    one.settle(day(4, 20))
    assert [start for start, _, _ in billed(one)] == [date(2031, 3, 1), date(2031, 3, 1)]
    one.settle(day(5, 2))
    assert date(2031, 4, 1) not in [start for start, _, _ in billed(one)]
    fee = SetupFee((Money.of("5.00", EUR),), SetupFeeWhen.AT_START)
    waits = Course.begin(attrs.evolve(COFFEE, setup_fee=fee), MARCH - timedelta(days=9), starts_at=MARCH)
    skip(waits, 0, MARCH - timedelta(days=9))
    waits.settle(day(4, 2))
    assert [kind for each in waits.invoices.values() for kind in {line.kind for line in each.lines}]
    assert waits.cycles[0].ended is CycleEnd.SKIPPED
    assert billed(waits)[0] == (date(2031, 4, 1), date(2031, 5, 1), 500)


@pytest.mark.proves("PAU-6")
def test_in_a_trial_the_first_paid_cycle_can_be_skipped() -> None:
    trial = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.TRIAL, Days(14)), *COFFEE.phases))
    one = skip(course(trial), 1)
    assert one.subscription.lifecycle is Lifecycle.TRIALING
    one.settle(day(4, 16))
    assert [start for start, _, _ in billed(one)] == [date(2031, 4, 15)]


@pytest.mark.proves("PAU-6", "RUN-8")
@pytest.mark.parametrize("skipped", [2, 3], ids=["an earlier one", "the latest"])
def test_after_an_outage_a_skipped_cycle_is_skipped_and_not_lapsed(skipped: int) -> None:
    one = skip(course(attrs.evolve(COFFEE, catch_up=CatchUpMode.LATEST_ONLY)), skipped)
    one.settle(day(6, 2))
    ends = {cycle.index: cycle.ended for cycle in one.cycles}
    assert ends[skipped] is CycleEnd.SKIPPED
    assert ends[1] is CycleEnd.LAPSED
    assert (ends[3] is CycleEnd.BILLED) == (skipped == 2)
    assert told(one).count(CyclesLapsed) == 1


@pytest.mark.proves("PAU-6", "RUN-8")
def test_after_an_outage_nothing_lapses_where_all_was_skipped() -> None:
    one = skip(course(attrs.evolve(COFFEE, catch_up=CatchUpMode.LATEST_ONLY)), 1)
    one.settle(day(5, 2))
    assert CyclesLapsed not in told(one)
    assert [cycle.ended for cycle in one.cycles] == [CycleEnd.BILLED, CycleEnd.SKIPPED, CycleEnd.BILLED]


@pytest.mark.proves("ABU-5", "SUB-5")
@pytest.mark.parametrize("operation", [Operation.SKIP_CYCLE, Operation.RESCHEDULE_CYCLE, Operation.EDIT_CYCLE])
def test_who_owes_skips_moves_and_edits_nothing_unless_the_shop_lets_them(operation: Operation) -> None:
    one = course()
    owing = attrs.evolve(one.subscription, collection=Collection.PAST_DUE)
    with pytest.raises(OperationNotAllowed):
        require_operation(owing, operation, NOW, one.policy)
    kind = attrs.evolve(one.policy, operations=OperationPolicy(skip_past_due=True))
    require_operation(owing, operation, NOW, kind)


@pytest.mark.proves("PLN-12")
def test_what_was_spent_in_a_cycle_counts_toward_its_own_minimum() -> None:
    one = course(attrs.evolve(COFFEE, minimum=(MinimumSpend(Money.of("50.00", EUR)),)))
    one.settle(day(5, 2))
    lines = [line for each in one.invoices.values() for line in each.lines if line.kind is LineKind.MINIMUM]
    assert [(line.start.month, line.amount.minor) for line in lines] == [(3, 1900), (4, 1900)]


# Moving one


@pytest.mark.proves("PAU-9", "PRO-8")
@pytest.mark.parametrize("on", [date(2031, 4, 9), date(2031, 3, 20)], ids=["later", "earlier"])
def test_one_beginning_is_moved_at_the_same_price_and_all_others_stay(on: date) -> None:
    one = move(course(), 1, on)
    event = one.papers[-1].events[-1]
    assert isinstance(event, CycleRescheduled)
    assert event.on == on
    one.settle(day(5, 2))
    assert billed(one)[1:] == [(on, date(2031, 5, 1), 3100), (date(2031, 5, 1), date(2031, 6, 1), 3100)]


@pytest.mark.proves("PAU-9", "PRO-8")
@pytest.mark.parametrize(("on", "left"), [(date(2031, 4, 9), 10), (date(2031, 4, 9), 4), (date(2031, 3, 25), 5)])
def test_what_is_left_of_a_moved_cycle_counts_up_to_its_actual_end(on: date, left: int) -> None:
    one = move(course(), 1, on)
    since = on - timedelta(days=left)
    (back,) = credits_for_unused(one.subscription, one.invoices, since, CreditTo.BALANCE, reason="test")
    assert [money.minor for money in back.wanted.values()] == [100 * left]
    assert [live.until for live in one.subscription.live] == [on]


@pytest.mark.proves("PAU-9", "PRO-8")
def test_a_phase_that_ends_with_a_cycle_costs_what_it_would_have_cost_where_its_end_was_moved() -> None:
    intro = Phase(PhaseKind.INTRO, Months(2), (Flat(Money.of("10.00", EUR)),))
    one = move(course(attrs.evolve(COFFEE, phases=(intro, *COFFEE.phases))), 2, date(2031, 5, 9))
    one.settle(day(6, 2))
    assert [amount for _, _, amount in billed(one)] == [1000, 1000, 3100, 3100]


@pytest.mark.proves("PAU-9", "PRO-8", "PLN-3")
@pytest.mark.parametrize("on", [date(2031, 3, 20), date(2031, 4, 9), date(2031, 4, 20)])
def test_a_phase_that_ends_within_a_moved_cycle_costs_the_same_too(on: date) -> None:
    intro = Phase(PhaseKind.INTRO, Days(45), (Flat(Money.of("15.00", EUR)),))
    version = attrs.evolve(COFFEE, phases=(intro, *COFFEE.phases))
    plain, moved = course(version), move(course(version), 1, on)
    for one in (plain, moved):
        one.settle(day(4, 21))
    assert [amount for _, _, amount in billed(moved)] == [amount for _, _, amount in billed(plain)]
    assert {(start, end) for start, end, _ in billed(moved)[1:]} <= {
        (on, date(2031, 4, 15)),
        (max(on, date(2031, 4, 15)), date(2031, 5, 1)),
        (on, date(2031, 5, 1)),
    }


@pytest.mark.proves("PAU-9")
@pytest.mark.parametrize(
    "on", [date(2031, 3, 9), date(2031, 5, 1), date(2031, 6, 1)], ids=["past", "on the next", "beyond the next"]
)
def test_a_day_that_is_not_between_its_neighbours_is_refused_with_those_that_are(on: date) -> None:
    with pytest.raises(DateNotPossible) as refused:
        move(course(), 1, on)
    assert (refused.value.earliest, refused.value.latest) == (date(2031, 3, 10), date(2031, 4, 30))


@pytest.mark.proves("PAU-9")
def test_the_neighbours_are_where_they_were_moved_to() -> None:
    one = move(course(), 2, date(2031, 5, 10))
    assert move(one, 1, date(2031, 5, 9)).subscription.moved == {1: date(2031, 5, 9), 2: date(2031, 5, 10)}
    with pytest.raises(DateNotPossible) as refused:
        unmove(one, 2)
    assert (refused.value.earliest, refused.value.latest) == (date(2031, 5, 10), date(2031, 5, 31))


@pytest.mark.proves("PAU-9")
def test_today_is_possible_and_then_it_is_due() -> None:
    one = move(course(), 1, date(2031, 3, 10), day(3, 10, 9))
    one.settle(day(3, 10, 10))
    assert billed(one)[1:] == [(date(2031, 3, 10), date(2031, 5, 1), 3100)]


@pytest.mark.proves("PAU-9")
def test_a_day_is_a_day_and_another_one() -> None:
    with pytest.raises(NothingToChange):
        move(course(), 1, date(2031, 4, 1))
    with pytest.raises(NothingToChange):
        unmove(course(), 1)
    with pytest.raises(TypeError):
        move(course(), 1, day(4, 5))
    with pytest.raises(CycleAlreadyBilled):
        move(course(), 0, date(2031, 3, 20))


@pytest.mark.proves("PAU-9", "ABU-5")
def test_the_end_of_a_trial_is_not_moved_and_no_trial_is_made_longer_so() -> None:
    trial = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.TRIAL, Days(14)), *COFFEE.phases))
    with pytest.raises(DateNotPossible) as refused:
        move(course(trial), 1, date(2031, 3, 30))
    assert refused.value.earliest == refused.value.latest == date(2031, 3, 15)
    assert move(course(trial), 2, date(2031, 4, 20)).subscription.moved


@pytest.mark.proves("PAU-9", "SUB-4")
def test_a_pause_that_was_planned_for_a_beginning_goes_along_with_it() -> None:
    one = course()
    one.take(pause(one.subscription, PauseWish(), NOW, one.facts, one.policy), NOW)
    move(one, 1, date(2031, 4, 9))
    one.settle(day(4, 8))
    assert lifecycle_of(one) is Lifecycle.ACTIVE
    one.settle(day(4, 9))
    assert one.subscription.lifecycle is Lifecycle.PAUSED
    assert len(one.invoices) == 1


# Filling one differently


@pytest.mark.proves("PAU-10")
def test_one_cycle_holds_something_else_and_the_next_what_was_agreed() -> None:
    version = attrs.evolve(COFFEE, add_ons=(MUG,))
    one = edit(course(version), 1, CycleContent(quantity=2, product="decaf", add_ons={"mug": 3}), version)
    assert told(one)[-1] is CycleEdited
    one.settle(day(5, 2))
    lines = [
        [(line.product, line.quantity, line.amount.minor) for line in each.lines] for each in one.invoices.values()
    ]
    assert lines == [[("coffee", 1, 3100)], [("decaf", 2, 3100), ("mug", 3, 900)], [("coffee", 1, 3100)]]


@pytest.mark.proves("PAU-10")
def test_the_shop_can_give_one_cycle_a_price_of_its_own() -> None:
    one = edit(course(), 1, CycleContent(price=Flat(Money.of("1.00", EUR))), COFFEE)
    one.settle(day(4, 2))
    assert billed(one)[1][2] == 100


@pytest.mark.proves("PAU-10")
def test_what_is_added_once_is_paid_when_the_cycle_begins_and_what_was_agreed_can_be_left_out() -> None:
    version = attrs.evolve(COFFEE, add_ons=(CALLS, MUG))
    one = edit(course(version, add_ons={"mug": 1}), 1, CycleContent(add_ons={"calls": 1, "mug": 0}), version)
    one.settle(day(6, 2))
    keys = [[line.key for line in each.lines] for each in one.invoices.values()]
    assert keys == [["plan", "mug"], ["plan", "calls"], ["plan", "mug"], ["plan", "mug"]]


@pytest.mark.proves("PAU-10")
def test_an_edit_is_replaced_by_the_next_and_taken_back_by_what_was_agreed() -> None:
    version = attrs.evolve(COFFEE, add_ons=(MUG,))
    one = course(version)
    before = one.subscription
    edit(one, 1, CycleContent(quantity=2), version)
    edit(one, 1, CycleContent(quantity=3), version)
    with pytest.raises(NothingToChange):
        edit(one, 1, CycleContent(quantity=3), version)
    assert [each.lines[0].quantity for each in one.subscription.overrides] == [3]
    assert edit(one, 1, CycleContent(), version).subscription == before
    with pytest.raises(NothingToChange):
        edit(one, 1, CycleContent(), version)


@pytest.mark.proves("PAU-10")
@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (CycleContent(quantity=3), BadQuantity),
        (CycleContent(add_ons={"cup": 1}), BadPlan),
        (CycleContent(add_ons={"mug": 11}), BadQuantity),
        (CycleContent(price=Flat(Money.of("1.00", "USD"))), BadPlan),
    ],
)
def test_what_a_cycle_holds_is_checked_as_a_change_is(content: CycleContent, refusal: type[Rejected]) -> None:
    mug = attrs.evolve(MUG, quantities=QuantityRule(1, 10))
    version = attrs.evolve(COFFEE, quantities=QuantityRule(2, 8, 2), add_ons=(mug,))
    with pytest.raises(refusal):
        edit(course(version, quantity=2), 1, content, version)


@pytest.mark.proves("PAU-10")
def test_a_cycle_has_the_line_of_the_plan_and_each_line_once() -> None:
    one = course()
    plan = one.subscription.plan_line
    mug = attrs.evolve(plan, key="mug")
    for lines in ((), (mug,), (plan, mug, mug), (plan, *(attrs.evolve(mug, key=str(n)) for n in range(250)))):
        with pytest.raises(BadPlan):
            edit_cycle(one.subscription, 1, lines, NOW, one.facts, one.policy)


@pytest.mark.proves("PAU-10", "PAU-2")
def test_a_pause_within_a_cycle_that_was_edited_bills_what_it_holds_once() -> None:
    version = attrs.evolve(COFFEE, mode=BillingMode.IN_ARREARS)
    one = edit(course(version), 1, CycleContent(price=Flat(Money.of("60.00", EUR))), version)
    one.settle(day(4, 11))
    one.take(pause(one.subscription, PauseWish(how=PauseHow.NOW), day(4, 11), one.facts, one.policy), day(4, 11))
    one.settle(day(4, 21))
    one.take(resume(one.subscription, None, day(4, 21), one.facts, one.policy), day(4, 21))
    one.settle(day(5, 2))
    assert [(start.day, end.day, amount) for start, end, amount in billed(one)] == [
        (1, 1, 3100),
        (1, 11, 2000),
        (21, 1, 2000),
    ]


# New segments, and everything put off


@pytest.mark.proves("PAU-8")
def test_where_cycles_count_anew_what_was_different_is_dropped_and_told() -> None:
    one = move(skip(course(how=FREELY), 3), 4, date(2031, 7, 9))
    one.take(pause(one.subscription, PauseWish(how=PauseHow.NOW), NOW, one.facts, one.policy), NOW)
    resting = one.subscription
    assert len(resting.overrides) == 2
    one.settle(day(5, 20))
    one.take(resume(one.subscription, None, day(5, 20), one.facts, one.policy), day(5, 20))
    assert one.subscription.overrides == ()
    dropped = [event for papers in one.papers for event in papers.events if isinstance(event, OverrideDropped)]
    assert [(event.index, event.kind) for event in dropped] == [(3, "skip"), (4, "move")]


@pytest.mark.proves("PAU-8")
def test_who_comes_back_within_the_paid_time_keeps_what_is_different() -> None:
    one = skip(course(), 2)
    one.take(pause(one.subscription, PauseWish(how=PauseHow.NOW), NOW, one.facts, one.policy), NOW)
    one.take(resume(one.subscription, None, day(3, 20), one.facts, one.policy), day(3, 20))
    assert [each.index for each in one.subscription.overrides] == [2]


@pytest.mark.proves("PAU-8")
def test_what_was_different_is_remembered_for_a_year() -> None:
    one = course(how=FREELY)
    old = Override(kind=OverrideKind.SKIP, index=0, made_on=date(2030, 3, 10))
    young = Override(kind=OverrideKind.SKIP, index=1, made_on=date(2030, 3, 11))
    one.settle(day(9, 2))
    one.subscription = attrs.evolve(
        one.subscription,
        overrides=(old, young),
    )
    skip(one, 9, datetime(2031, 3, 10, tzinfo=UTC))
    assert [each.index for each in one.subscription.overrides] == [1, 9]


@pytest.mark.proves("PAU-11", "CHG-14")
def test_everything_is_put_off_and_what_is_paid_lasts_longer_for_nothing() -> None:
    one = skip(course(how=FREELY), 2)
    one.take(postpone_all(one.subscription, 10, NOW), NOW)
    assert [event for event in told(one) if event in {OverrideDropped, BillingDayMoved}] == [
        OverrideDropped,
        BillingDayMoved,
    ]
    assert service_period_of(one.subscription.segments, 0).end == date(2031, 4, 11)
    assert [live.until for live in one.subscription.live] == [date(2031, 4, 11)]
    (back,) = credits_for_unused(one.subscription, one.invoices, date(2031, 4, 5), CreditTo.BALANCE, reason="test")
    assert [money.minor for money in back.wanted.values()] == [600]
    assert entitlement(one.subscription, day(4, 10), one.policy).granted
    one.settle(day(5, 12))
    assert billed(one)[1:] == [
        (date(2031, 4, 11), date(2031, 5, 11), 3100),
        (date(2031, 5, 11), date(2031, 6, 11), 3100),
    ]


@pytest.mark.proves("PAU-11")
def test_what_was_planned_for_the_next_beginning_is_put_off_too() -> None:
    one = course()
    one.take(pause(one.subscription, PauseWish(), NOW, one.facts, one.policy), NOW)
    one.take(postpone_all(one.subscription, 10, NOW), NOW)
    one.settle(day(4, 12))
    assert one.subscription.lifecycle is Lifecycle.PAUSED
    assert len(one.invoices) == 1
    assert one.subscription.pause is not None
    assert one.subscription.pause.since == day(4, 11) - timedelta(hours=1)


@pytest.mark.proves("PAU-11")
def test_what_does_not_run_or_will_not_come_is_not_put_off() -> None:
    one = course()
    for days in (0, 367):
        with pytest.raises(InvalidInput):
            postpone_all(one.subscription, days, NOW)
    rests = attrs.evolve(one.subscription, lifecycle=Lifecycle.PAUSED)
    with pytest.raises(OperationNotAllowed):
        postpone_all(rests, 5, NOW)
    with pytest.raises(InvalidInput):
        postpone_all(one.subscription, 5, day(4, 20))
    ends = Scheduled(cancel=CancelAt(at=day(4, 1) - timedelta(hours=1), asked_at=NOW))
    with pytest.raises(CancellationScheduled):
        postpone_all(attrs.evolve(one.subscription, scheduled=ends), 5, NOW)


# Laws

INTERVALS = st.sampled_from([Interval.months(1), Interval.weeks(2), Interval.days(10), Interval.months(3)])


@pytest.mark.proves("PAU-6")
@given(interval=INTERVALS, index=st.integers(1, 12))
def test_to_skip_and_to_take_it_back_is_nothing(interval: Interval, index: int) -> None:
    one = course(flat_plan("31.00", interval))
    index += one.subscription.billed_to - 1
    before = one.subscription
    assert unskip(skip(one, index), index).subscription == before


@pytest.mark.proves("PAU-9")
@given(interval=INTERVALS, index=st.integers(1, 12), by=st.integers(-90, 90), paused=st.booleans())
def test_to_move_and_to_move_back_is_nothing(interval: Interval, index: int, by: int, *, paused: bool) -> None:
    one = course(flat_plan("31.00", interval))
    if paused:
        one.take(pause(one.subscription, PauseWish(), NOW, one.facts, one.policy), NOW)
    index += one.subscription.billed_to - 1
    before = one.subscription
    on = service_period_of(before.segments, index).start + timedelta(days=by)
    assume(on > NOW.date() + timedelta(days=1))  # what is moved to today begins, and isn't moved back
    try:
        move(one, index, on)
    except (DateNotPossible, NothingToChange):
        assert one.subscription == before
        return
    assert attrs.evolve(unmove(one, index).subscription, live=before.live) == before
    assert {live.until for live in one.subscription.live} >= {live.until for live in before.live}


ACTS = st.lists(
    st.tuples(st.sampled_from(["skip", "move", "edit"]), st.integers(0, 11), st.integers(-20, 20)), max_size=6
)


def act(one: Course, acts: list[tuple[str, int, int]], version: PlanVersion) -> None:
    for what, ahead, by in acts:
        index = one.subscription.billed_to + ahead
        try:
            if what == "skip":
                skip(one, index)
            elif what == "move":
                on = service_period_of(one.subscription.segments, index).start + timedelta(days=by)
                move(one, index, on)
            else:
                edit(one, index, CycleContent(quantity=abs(by) + 1), version)
        except (NothingToChange, DateNotPossible, CutOffPassed):
            continue


@pytest.mark.proves("PAU-6", "PAU-9", "PAU-10", "SIM-4", "SCH-9")
@given(interval=INTERVALS, acts=ACTS, jumps=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_one_jump_equals_many_steps_and_no_day_is_left_out_or_billed_twice(
    interval: Interval, acts: list[tuple[str, int, int]], jumps: list[int]
) -> None:
    version = attrs.evolve(flat_plan("31.00", interval), add_ons=(CALLS,))
    courses = [course(version, FREELY, add_ons={"calls": 1}) for _ in range(2)]
    for one in courses:
        act(one, acts, version)
    stepped, jumped = courses
    now = NOW
    for days in jumps:
        now += timedelta(days=days)
        stepped.settle(now)
    jumped.settle(now)
    assert jumped.totals == stepped.totals
    assert billed(jumped) == billed(stepped)
    assert attrs.evolve(jumped.subscription, live=()) == attrs.evolve(stepped.subscription, live=())
    begun = sorted((cycle.index, cycle.start) for cycle in jumped.cycles if cycle.part.value == "advance")
    moved = jumped.subscription.moved
    periods = [service_period_of(jumped.subscription.segments, index, moved=moved) for index, _ in begun]
    assert [period.start for period in periods] == [start for _, start in begun]
    assert all(first.end == second.start for first, second in pairwise(periods))
    prices = {line.amount.minor for each in jumped.invoices.values() for line in each.lines if line.key == "plan"}
    assert prices <= {3100}
    assume(any(line.kind is LineKind.RECURRING for each in jumped.invoices.values() for line in each.lines))


@pytest.mark.proves("PAU-6")
def test_somebody_without_a_card_skips_as_well() -> None:
    one = Course.begin(COFFEE, MARCH, account=somebody(payment_method=None))
    assert skip(one, 1).subscription.overrides


WHATEVER = st.lists(
    st.tuples(
        st.integers(0, 45),
        st.sampled_from(["skip", "move", "edit", "unskip", "pause", "plan a pause", "resume", "postpone"]),
        st.integers(0, 3),
        st.integers(-20, 20),
    ),
    max_size=8,
)


def do(one: Course, what: str, ahead: int, by: int, version: PlanVersion, now: datetime) -> None:
    """Try one thing that a customer or a clerk may do."""
    index = one.subscription.billed_to + ahead
    facts, how = one.facts, one.policy
    operation = {"skip": Operation.SKIP_CYCLE, "resume": Operation.RESUME, "postpone": Operation.MOVE_BILLING_DAY}
    require_operation(one.subscription, operation.get(what, Operation.SKIP_CYCLE), now, how)
    match what:
        case "skip":
            skip(one, index, now)
        case "unskip":
            unskip(one, index, now)
        case "move":
            move(one, index, service_period_of(one.subscription.segments, index).start + timedelta(days=by), now)
        case "edit":
            edit(one, index, CycleContent(quantity=abs(by) + 1), version, now)
        case "pause" | "plan a pause":
            wish = PauseWish(how=PauseHow.NOW if what == "pause" else PauseHow.AT_PERIOD_END)
            one.take(pause(one.subscription, wish, now, facts, how), now)
        case "resume":
            one.take(resume(one.subscription, None, now, facts, how), now)
        case _:
            one.take(postpone_all(one.subscription, abs(by) + 1, now), now)


@pytest.mark.proves("PAU-3", "PAU-8", "PAU-11", "SCH-9", "SCH-12")
@example(
    interval=Interval.months(1),
    trial=True,
    on_resume=OnResume.REANCHOR,
    unused=Unused.KEEP,
    ahead=0,
    clock=BoundaryClock.MIDNIGHT,
    life=[(0, "pause", 0, 0), (0, "resume", 0, 0)],
)
@example(  # the running cycle was filled differently, and the next one is paid ahead
    interval=Interval.months(1),
    trial=False,
    on_resume=OnResume.REANCHOR,
    unused=Unused.KEEP,
    ahead=3,
    clock=BoundaryClock.MIDNIGHT,
    life=[(17, "edit", 0, 1), (18, "skip", 0, 0), (22, "pause", 0, 0)],
)
@example(  # paid ahead, and put off before the pause
    interval=Interval.months(1),
    trial=False,
    on_resume=OnResume.REANCHOR,
    unused=Unused.KEEP,
    ahead=3,
    clock=BoundaryClock.MIDNIGHT,
    life=[(17, "skip", 0, 0), (18, "skip", 0, 0), (22, "postpone", 0, 0), (0, "pause", 0, 0), (1, "skip", 0, 0)],
)
@given(
    interval=INTERVALS,
    trial=st.booleans(),
    on_resume=st.sampled_from(OnResume),
    unused=st.sampled_from([Unused.KEEP, Unused.CREDIT]),
    ahead=st.sampled_from([0, 3]),
    clock=st.sampled_from(BoundaryClock),
    life=WHATEVER,
)
def test_whatever_they_do_cycles_touch_none_is_billed_twice_and_what_is_due_is_computed(
    interval: Interval,
    *,
    trial: bool,
    on_resume: OnResume,
    unused: Unused,
    ahead: int,
    clock: BoundaryClock,
    life: list[tuple[int, str, int, int]],
) -> None:
    how = SubscriptionPolicy(
        skipping=FREELY.skipping,
        pausing=PausePolicy(on_resume=on_resume, unused=unused, max_pauses_per_year=50),
        running=RunPolicy(bill_ahead_days=ahead),
        cycles=CyclePolicy(clock=clock),
    )
    version = attrs.evolve(flat_plan("31.00", interval), add_ons=(CALLS,))
    if trial:
        version = attrs.evolve(version, phases=(Phase(PhaseKind.TRIAL, Days(14)), *version.phases))
    now = MARCH + timedelta(hours=13)
    one = Course.begin(version, now, policy=how, add_ons={"calls": 1})
    for days, what, later, by in life:
        now += timedelta(days=days, hours=5)
        one.settle(now)
        with suppress(Rejected):
            do(one, what, later, by, version, now)
        due = next_due(one.subscription, how)
        assert one.subscription.due_at == (due.at if due else None)
    one.settle(now + timedelta(days=120))
    assert len({cycle.id for cycle in one.cycles}) == len(one.cycles)
    begun = sorted((cycle.start, cycle.index) for cycle in one.cycles if cycle.part.value == "advance")
    assert [index for _, index in begun] == list(range(len(begun)))
    for key in ("plan", "calls"):
        lines = [line for each in one.invoices.values() for line in each.lines if line.key == key]
        spans = sorted((line.start, line.end) for line in lines)
        if key == "calls":
            assert all(first[1] <= second[0] for first, second in pairwise(spans))
        cut = {one.subscription.trial.ends_at.date()} if one.subscription.trial else set()
        whole = [line for line in lines if line.kind is LineKind.RECURRING and cut.isdisjoint({line.start, line.end})]
        prices = sum(line.amount.minor for line in whole)  # a trial that ends within a cycle cuts its line
        assert prices % (3100 if key == "plan" else 1) == 0
