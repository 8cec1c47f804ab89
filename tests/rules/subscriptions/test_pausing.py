"""Pausing: what is paid stays paid, what is used is billed, and nothing is billed twice or for a time of rest."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.time import local_date, zone
from shopaccounts.subscriptions.billing.unused import credits_for_unused
from shopaccounts.subscriptions.charges.period_lines import arrears_lines
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.due import next_due, projected
from shopaccounts.subscriptions.errors import (
    CancellationScheduled,
    NotPaused,
    OperationNotAllowed,
    PauseLimitReached,
    PaymentMethodNeeded,
)
from shopaccounts.subscriptions.events import (
    ChangeScheduled,
    ScheduledChangeDropped,
    SubscriptionCanceled,
    SubscriptionPaused,
    SubscriptionResumed,
)
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.model import CutLine, PauseReason
from shopaccounts.subscriptions.papers.documents import CreditTo, InvoiceKind
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.pausing.pauses import PauseWish, pause, pause_begins, pause_now, undo_pause
from shopaccounts.subscriptions.pausing.resuming import resume, resume_now
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.plans.add_ons import AddOn, Metered, MinimumSpend
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, Percent
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.plans.phases import Days, Months, Phase, PhaseKind
from shopaccounts.subscriptions.plans.tariffs import Flat, PerUnit
from shopaccounts.subscriptions.plans.terms import Term
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cycles import ChangeDay, ProrationPolicy
from shopaccounts.subscriptions.policy.operations import OperationPolicy
from shopaccounts.subscriptions.policy.pausing import AtLimit, OnResume, PauseHow, PausePolicy, Unused
from shopaccounts.subscriptions.policy.trials import OnMissingMethod, TrialPolicy
from shopaccounts.subscriptions.scheduled import CancelAt, Override, OverrideKind, Scheduled
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.subscribers import EUR, Course, flat_plan, somebody

MARCH = datetime(2031, 2, 28, 23, tzinfo=UTC)  # 1 March in Berlin
COFFEE = flat_plan("31.00")
AT_ONCE = PauseWish(how=PauseHow.NOW)
CALLS = AddOn(
    key="calls",
    product="calls",
    prices=(Flat(Money.of("6.20", EUR)),),
    mode=BillingMode.IN_ARREARS,
)


def day(month: int, number: int, hour: int = 0) -> datetime:
    """An hour of a day of 2031, in Berlin's winter time."""
    return datetime(2031, month, number, hour, tzinfo=UTC) - timedelta(hours=1)


def policy(**pausing: Any) -> SubscriptionPolicy:
    return SubscriptionPolicy(pausing=PausePolicy(**pausing))


def course(version: PlanVersion = COFFEE, how: SubscriptionPolicy | None = None, **choice: Any) -> Course:
    return Course.begin(version, MARCH, policy=how, **choice)


def paused(one: Course, at: datetime, wish: PauseWish = AT_ONCE) -> Course:
    one.settle(at)
    one.take(pause(one.subscription, wish, at, one.facts, one.policy), at)
    return one


def resumed(one: Course, at: datetime) -> Course:
    one.settle(at)
    one.take(resume(one.subscription, None, at, one.facts, one.policy), at)
    one.settle(at)
    return one


def billed(one: Course) -> list[tuple[date, date, str]]:
    """The days and amounts of everything that was billed."""
    return [(line.start, line.end, str(line.amount.minor)) for each in one.invoices.values() for line in each.lines]


def lifecycle_of(one: Course) -> Lifecycle:
    return one.subscription.lifecycle


def told(one: Course) -> list[type]:
    return [type(event) for papers in one.papers for event in papers.events]


@pytest.mark.proves("PAU-1")
def test_by_default_a_pause_begins_when_the_paid_time_ends() -> None:
    one = paused(course(), day(3, 10), PauseWish())
    assert lifecycle_of(one) is Lifecycle.ACTIVE
    planned = one.subscription.scheduled.pause
    assert planned is not None
    assert planned.at == datetime(2031, 3, 31, 22, tzinfo=UTC)
    assert ChangeScheduled in told(one)
    one.settle(day(4, 2))
    assert one.subscription.lifecycle is Lifecycle.PAUSED
    assert len(one.invoices) == 1
    assert one.subscription.pause is not None
    assert one.subscription.pause.days_left == 0


@pytest.mark.proves("PAU-1")
def test_while_it_is_paused_nothing_is_billed_and_at_the_limit_it_goes_on() -> None:
    one = paused(course(), day(3, 10))
    assert told(one)[-1] is SubscriptionPaused
    one.settle(day(6, 7))
    assert len(one.invoices) == 1
    one.settle(day(6, 9))
    assert one.subscription.lifecycle is Lifecycle.ACTIVE
    assert billed(one)[1:] == [(date(2031, 6, 8), date(2031, 7, 1), "2377")]


@pytest.mark.proves("PAU-1")
@pytest.mark.parametrize(("wish", "ended"), [(PauseWish(how=PauseHow.NOW), True), (PauseWish(cycles=2), False)])
def test_at_the_limit_a_shop_may_end_what_nobody_takes_up_again(wish: PauseWish, *, ended: bool) -> None:
    one = paused(course(how=policy(at_limit=AtLimit.CANCEL)), day(3, 10), wish)
    one.settle(day(8, 1))
    assert (one.subscription.lifecycle is Lifecycle.CANCELED) == ended
    assert (SubscriptionCanceled in told(one)) == ended


@pytest.mark.proves("PAU-1", "ABU-5")
def test_an_end_of_its_own_is_kept_though_the_shop_allows_less_by_now() -> None:
    until = day(5, 9)
    one = paused(course(how=policy(at_limit=AtLimit.CANCEL)), day(3, 10), PauseWish(how=PauseHow.NOW, until=until))
    one.policy = policy(at_limit=AtLimit.CANCEL, max_length=timedelta(days=10))
    one.settle(day(6, 1))
    assert one.subscription.lifecycle is Lifecycle.ACTIVE


@pytest.mark.proves("PAU-1", "PAU-3")
def test_some_whole_cycles_are_left_out_and_the_next_is_billed_on_its_day() -> None:
    one = paused(course(), day(3, 10), PauseWish(cycles=2))
    one.settle(day(6, 2))
    assert billed(one) == [
        (date(2031, 3, 1), date(2031, 4, 1), "3100"),
        (date(2031, 6, 1), date(2031, 7, 1), "3100"),
    ]


@pytest.mark.proves("PAU-1")
def test_a_pause_can_begin_at_once_and_end_after_whole_cycles() -> None:
    one = paused(course(), day(3, 10), PauseWish(how=PauseHow.NOW, cycles=1))
    assert one.subscription.pause is not None
    assert one.subscription.pause.until == datetime(2031, 4, 30, 22, tzinfo=UTC)


@pytest.mark.proves("PAU-1", "PAU-5")
@pytest.mark.parametrize(
    "wish",
    [
        PauseWish(cycles=0),
        PauseWish(cycles=1, until=day(5, 1)),
        PauseWish(how=PauseHow.NOW, until=day(3, 9)),
        PauseWish(until=day(3, 20)),
    ],
    ids=["no cycle", "two ends", "over", "over before it begins"],
)
def test_a_pause_without_time_is_refused(wish: PauseWish) -> None:
    one = course()
    with pytest.raises(InvalidInput):
        paused(one, day(3, 10), wish)


@pytest.mark.proves("PAU-5", "ABU-5")
def test_nobody_pauses_for_longer_than_the_shop_allows() -> None:
    one = course(how=policy(max_length=timedelta(days=40)))
    with pytest.raises(PauseLimitReached) as refused:
        paused(one, day(3, 10), PauseWish(how=PauseHow.NOW, until=day(3, 10) + timedelta(days=41)))
    assert (refused.value.limit, refused.value.available_on) == (40, date(2031, 4, 19))
    with pytest.raises(PauseLimitReached):
        paused(one, day(3, 10), PauseWish(cycles=2))


@pytest.mark.proves("PAU-5", "ABU-5")
def test_there_are_so_many_pauses_in_a_year() -> None:
    one = course()
    for month in (3, 5):
        resumed(paused(one, day(month, 10)), day(month, 20))
    with pytest.raises(PauseLimitReached) as refused:
        paused(one, day(7, 10))
    assert (refused.value.limit, refused.value.available_on) == (2, date(2032, 3, 9))
    one.settle(datetime(2032, 3, 9, 12, tzinfo=UTC))
    assert paused(one, datetime(2032, 3, 9, 12, tzinfo=UTC)).subscription.lifecycle is Lifecycle.PAUSED


@pytest.mark.proves("PAU-5")
def test_a_shop_without_pauses_says_so() -> None:
    with pytest.raises(PauseLimitReached) as refused:
        paused(course(how=policy(max_pauses_per_year=0)), day(3, 10))
    assert refused.value.available_on == date.max


@pytest.mark.proves("PAU-5")
def test_between_two_pauses_some_time_passes() -> None:
    one = resumed(paused(course(how=policy(min_between=timedelta(days=30))), day(3, 10)), day(3, 20))
    with pytest.raises(PauseLimitReached) as refused:
        paused(one, day(4, 18))
    assert refused.value.available_on == date(2031, 4, 19)
    assert paused(one, day(4, 20)).subscription.lifecycle is Lifecycle.PAUSED


@pytest.mark.proves("PAU-2")
def test_paid_days_are_kept_or_credited_to_the_balance() -> None:
    kept = paused(course(), day(3, 11))
    assert kept.account.balance(EUR) == Money.zero(EUR)
    credited = course(how=policy(unused=Unused.CREDIT))
    (invoice,) = credited.invoices.values()
    credited.invoices[invoice.id] = attrs.evolve(invoice, state=type(invoice.state).PAID, paid=invoice.total)
    paused(credited, day(3, 11))
    assert credited.account.balance(EUR) == Money.of("21.00", EUR)


@pytest.mark.proves("PAU-2", "PAU-3", "ABU-5")
def test_who_was_credited_and_comes_back_pays_for_the_rest_again() -> None:
    one = resumed(paused(course(how=policy(unused=Unused.CREDIT)), day(3, 11)), day(3, 11))
    assert [papers.notes[0].total for papers in one.papers if papers.notes] == [Money.of("21.00", EUR)]
    assert billed(one)[1:] == [(date(2031, 3, 11), date(2031, 4, 1), "2100")]


@pytest.mark.proves("PAU-2", "PRO-10")
def test_where_the_day_of_a_change_is_used_it_is_neither_credited_nor_charged_again() -> None:
    how = attrs.evolve(policy(unused=Unused.CREDIT), proration=ProrationPolicy(change_day=ChangeDay.OLD))
    one = resumed(paused(course(how=how), day(3, 11)), day(3, 11, 5))
    one.settle(day(3, 13))
    assert [papers.notes[0].total for papers in one.papers if papers.notes] == [Money.of("20.00", EUR)]
    assert billed(one)[1:] == [(date(2031, 3, 12), date(2031, 4, 1), "2000")]


@pytest.mark.proves("PAU-2")
def test_what_was_used_is_billed_when_the_pause_begins_and_the_rest_when_the_cycle_ends() -> None:
    one = paused(course(attrs.evolve(COFFEE, add_ons=(CALLS,)), add_ons={"calls": 1}), day(3, 11))
    assert billed(one)[1:] == [(date(2031, 3, 1), date(2031, 3, 11), "200")]
    resumed(one, day(3, 21))
    one.settle(day(4, 2))
    assert billed(one)[2:] == [
        (date(2031, 4, 1), date(2031, 5, 1), "3100"),
        (date(2031, 3, 21), date(2031, 4, 1), "220"),
    ]


@pytest.mark.proves("PAU-2")
@pytest.mark.parametrize("back", [day(4, 1), day(4, 1, 2), day(5, 3)], ids=["at once", "soon", "later"])
def test_a_pause_at_a_boundary_bills_the_whole_cycle_that_is_over(back: datetime) -> None:
    one = paused(course(attrs.evolve(COFFEE, add_ons=(CALLS,)), add_ons={"calls": 1}), day(3, 11), PauseWish())
    one.settle(back)
    resumed(one, back)
    one.settle(day(8, 2))
    calls = [line for invoice in one.invoices.values() for line in invoice.lines if line.key == "calls"]
    spans = [(line.start, line.end) for line in calls]
    assert spans[0] == (date(2031, 3, 1), date(2031, 4, 1))
    assert spans[1][0] >= date(2031, 4, 1)
    assert all(first[1] == second[0] for first, second in pairwise(spans[1:]))


@pytest.mark.proves("PAU-2", "CAN-4")
def test_ending_a_paused_subscription_bills_nothing_for_the_time_of_rest() -> None:
    one = paused(course(attrs.evolve(COFFEE, add_ons=(CALLS,)), add_ons={"calls": 1}), day(3, 11))
    cancel = CancelAt(at=day(5, 20), asked_at=day(3, 12))
    one.subscription = projected(attrs.evolve(one.subscription, scheduled=Scheduled(cancel=cancel)), one.policy)
    before = len(one.invoices)
    one.settle(day(5, 21))
    assert one.subscription.lifecycle is Lifecycle.CANCELED
    assert len(one.invoices) == before


@pytest.mark.proves("PAU-2", "PLN-12")
def test_ending_a_paused_subscription_asks_for_no_minimum_of_the_time_of_rest() -> None:
    one = paused(course(attrs.evolve(COFFEE, minimum=(MinimumSpend(Money.of("50.00", EUR)),))), day(3, 11))
    cancel = CancelAt(at=day(5, 20), asked_at=day(3, 12))
    one.subscription = projected(attrs.evolve(one.subscription, scheduled=Scheduled(cancel=cancel)), one.policy)
    one.settle(day(5, 21))
    assert one.subscription.lifecycle is Lifecycle.CANCELED
    assert len(one.invoices) == 1


@pytest.mark.proves("PAU-2", "PRO-8")
def test_a_line_that_was_so_for_a_whole_moved_cycle_costs_a_whole_cycle() -> None:
    one = course(attrs.evolve(COFFEE, add_ons=(CALLS,)), add_ons={"calls": 1})
    line = one.subscription.lines[1]
    cut = CutLine(line=line, start=date(2031, 3, 1), end=date(2031, 4, 9))
    move = Override(kind=OverrideKind.MOVE, index=1, on=date(2031, 4, 9), made_on=date(2031, 3, 1))
    later = attrs.evolve(one.subscription, lines=one.subscription.lines[:1], cut=(cut,), overrides=(move,))
    period = service_period_of(later.segments, 0, moved=later.moved)
    assert [each.amount.minor for each in arrears_lines(later, period, one.policy)] == [620]


@pytest.mark.proves("PAU-2")
def test_metered_days_wait_for_the_meter_also_where_cycles_count_anew() -> None:
    minutes = Metered(key="minutes", meter="minutes", prices=(PerUnit(Money.of("0.10", EUR)),))
    one = paused(course(attrs.evolve(COFFEE, metered=(minutes,))), day(3, 11))
    again = resume_now(one.subscription, day(4, 16), one.policy).subscription
    assert (again.usage_to, len(again.cut)) == (0, 1)
    none = resume_now(attrs.evolve(one.subscription, cut=()), day(4, 16), one.policy).subscription
    assert none.usage_to == none.billed_to


@pytest.mark.proves("PAU-2")
def test_metered_days_before_a_pause_wait_for_the_meter_and_those_of_the_pause_are_none() -> None:
    minutes = Metered(key="minutes", meter="minutes", prices=(PerUnit(Money.of("0.10", EUR)),))
    one = paused(course(attrs.evolve(COFFEE, metered=(minutes,))), day(3, 11))
    (cut,) = one.subscription.cut
    assert (cut.start, cut.end) == (date(2031, 3, 1), date(2031, 3, 11))
    resumed(one, day(3, 21))
    (line,) = [line for line in one.subscription.lines if line.meter]
    assert line.since == date(2031, 3, 21)


@pytest.mark.proves("PAU-3")
def test_who_comes_back_within_the_paid_time_pays_nothing() -> None:
    one = resumed(paused(course(), day(3, 10)), day(3, 25))
    assert one.subscription.segments == course().subscription.segments
    one.settle(day(4, 2))
    assert billed(one)[1:] == [(date(2031, 4, 1), date(2031, 5, 1), "3100")]


@pytest.mark.proves("PAU-3")
def test_who_comes_back_later_pays_a_stub_up_to_the_same_billing_day() -> None:
    one = resumed(paused(course(), day(3, 10)), day(4, 16))
    one.settle(day(5, 2))
    assert billed(one)[1:] == [
        (date(2031, 4, 16), date(2031, 5, 1), "1550"),
        (date(2031, 5, 1), date(2031, 6, 1), "3100"),
    ]
    assert [line.kind for invoice in one.invoices.values() for line in invoice.lines][1] is LineKind.STUB


@pytest.mark.proves("PAU-3")
@pytest.mark.parametrize("back", [day(3, 25), day(4, 16)], ids=["paid", "later"])
def test_a_shop_may_begin_anew_on_the_day_on_which_it_is_taken_up_again(back: datetime) -> None:
    one = resumed(paused(course(how=policy(on_resume=OnResume.REANCHOR)), day(3, 10)), back)
    start = back.date() + timedelta(days=1)
    one.settle(back + timedelta(days=40))
    assert [(line[0], line[2]) for line in billed(one)[1:]] == [
        (start, "3100"),
        (date(2031, start.month + 1, start.day), "3100"),
    ]


@pytest.mark.proves("PAU-3")
@pytest.mark.parametrize("back", [day(3, 25), day(4, 16)], ids=["paid", "later"])
def test_a_shop_may_give_the_days_that_were_left_and_bill_from_there(back: datetime) -> None:
    one = resumed(paused(course(how=policy(on_resume=OnResume.EXTEND)), day(3, 11)), back)
    one.settle(back + timedelta(days=60))
    assert billed(one)[1][0] == back.date() + timedelta(days=1 + 21)
    assert {line[2] for line in billed(one)} == {"3100"}


@pytest.mark.proves("PAU-2", "PAU-3", "ABU-5")
def test_who_was_credited_the_days_does_not_get_them_as_well() -> None:
    one = paused(course(how=policy(on_resume=OnResume.EXTEND, unused=Unused.CREDIT)), day(3, 11))
    resumed(one, day(3, 25))
    assert billed(one)[1] == (date(2031, 3, 25), date(2031, 4, 25), "3100")


@pytest.mark.proves("PAU-3")
def test_a_trial_that_is_made_longer_by_a_pause_is_followed_by_cycles_as_agreed() -> None:
    trial = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.TRIAL, Days(14)), *COFFEE.phases))
    how = attrs.evolve(policy(on_resume=OnResume.EXTEND), operations=OperationPolicy(pause_in_trial=True))
    one = resumed(paused(course(trial, how), day(3, 5)), day(3, 8))
    one.settle(day(4, 20))
    assert [line[:2] for line in billed(one)] == [
        (date(2031, 3, 18), date(2031, 4, 18)),
        (date(2031, 4, 18), date(2031, 5, 18)),
    ]


@pytest.mark.proves("PAU-3")
def test_a_pause_that_took_no_day_moves_no_billing_day() -> None:
    one = Course.begin(COFFEE, day(1, 31), policy=policy(on_resume=OnResume.EXTEND))
    resumed(paused(one, day(2, 10)), day(2, 10, 3))
    one.settle(day(4, 1))
    assert [line[0] for line in billed(one)] == [date(2031, 1, 31), date(2031, 2, 28), date(2031, 3, 31)]


@pytest.mark.proves("PAU-3")
def test_on_the_very_day_on_which_a_cycle_began_one_may_pause_and_begin_anew() -> None:
    one = course(attrs.evolve(COFFEE, add_ons=(CALLS,)), policy(on_resume=OnResume.REANCHOR), add_ons={"calls": 1})
    resumed(paused(one, day(3, 1, 8)), day(3, 1, 9))
    (back,) = credits_for_unused(one.subscription, one.invoices, date(2031, 3, 11), CreditTo.BALANCE, reason="test")
    assert [money.minor for money in back.wanted.values()] == [2100]
    one.settle(day(5, 2))
    assert [line[0] for line in billed(one) if line[2] == "3100"] == [
        date(2031, 3, 1),
        date(2031, 3, 1),
        date(2031, 4, 1),
        date(2031, 5, 1),
    ]


@pytest.mark.proves("PAU-3")
@pytest.mark.parametrize("how", list(OnResume))
def test_a_phase_with_other_cycles_comes_as_agreed_whenever_it_goes_on(how: OnResume) -> None:
    intro = Phase(PhaseKind.INTRO, Months(3), (Flat(Money.of("10.00", EUR)),))
    yearly = Phase(PhaseKind.EVERGREEN, None, (Flat(Money.of("365.00", EUR)),), Interval.years(1))
    version = attrs.evolve(COFFEE, phases=(intro, yearly))
    for back in (day(4, 16), day(6, 20)):
        one = resumed(paused(course(version, policy(on_resume=how, max_length=timedelta(days=200))), day(3, 11)), back)
        one.settle(day(12, 1))
        assert any(line[2] == "36500" for line in billed(one)) or how is OnResume.KEEP_ANCHOR
        starts = [line[0] for line in billed(one)]
        assert starts == sorted(set(starts))


@pytest.mark.proves("PAU-4")
def test_what_is_not_paused_is_not_taken_up_again() -> None:
    one = course()
    with pytest.raises(NotPaused):
        resume(one.subscription, None, day(3, 10), one.facts, one.policy)
    with pytest.raises(NotPaused):
        resume_now(one.subscription, day(3, 10), one.policy)
    resumed(paused(one, day(3, 10)), day(3, 11))
    with pytest.raises(NotPaused):
        resume(one.subscription, None, day(3, 11), one.facts, one.policy)


@pytest.mark.proves("PAU-4")
def test_taking_it_up_again_can_be_planned() -> None:
    one = paused(course(), day(3, 10))
    one.take(resume(one.subscription, day(4, 16), day(3, 12), one.facts, one.policy), day(3, 12))
    assert told(one)[-1] is ChangeScheduled
    one.settle(day(4, 17))
    assert one.subscription.lifecycle is Lifecycle.ACTIVE
    assert billed(one)[1:] == [(date(2031, 4, 16), date(2031, 5, 1), "1550")]


@pytest.mark.proves("PAU-4")
@pytest.mark.parametrize("at", [day(3, 9), day(9, 1)], ids=["past", "after its end"])
def test_it_is_planned_within_the_pause(at: datetime) -> None:
    one = paused(course(), day(3, 10))
    with pytest.raises(InvalidInput):
        resume(one.subscription, at, day(3, 10), one.facts, one.policy)


@pytest.mark.proves("PAU-4", "TRI-4")
def test_a_trial_that_waits_for_a_payment_method_begins_to_be_paid_for_when_it_is_there() -> None:
    how = SubscriptionPolicy(trials=TrialPolicy(on_missing_method=OnMissingMethod.PAUSE))
    trial = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.TRIAL, Days(14)), *COFFEE.phases))
    one = course(trial, how, account=somebody(payment_method=None))
    one.settle(day(4, 20))
    assert one.subscription.lifecycle is Lifecycle.PAUSED
    with pytest.raises(PaymentMethodNeeded):
        resume(one.subscription, None, day(4, 20), one.facts, one.policy)
    one.account = attrs.evolve(one.account, payment_method="card-1")
    resumed(one, day(4, 20, 9))
    one.settle(day(5, 21))
    assert billed(one) == [
        (date(2031, 4, 20), date(2031, 5, 20), "3100"),
        (date(2031, 5, 20), date(2031, 6, 20), "3100"),
    ]


@pytest.mark.proves("PAU-1")
def test_a_trial_that_a_shop_lets_pause_goes_on_as_paid() -> None:
    trial = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.TRIAL, Days(14)), *COFFEE.phases))
    how = attrs.evolve(policy(), operations=OperationPolicy(pause_in_trial=True))
    one = paused(course(trial, how), day(3, 5), PauseWish())
    one.settle(day(3, 16))
    assert one.subscription.lifecycle is Lifecycle.PAUSED
    assert one.invoices == {}
    resumed(one, day(3, 20))
    assert billed(one) == [(date(2031, 3, 20), date(2031, 4, 15), "2600")]


@pytest.mark.proves("ABU-5", "PAU-4")
def test_a_pause_for_debts_counts_as_none_and_ends_by_paying() -> None:
    one = course()
    one.subscription = attrs.evolve(one.subscription, collection=Collection.UNPAID)
    one.take(pause_now(one.subscription, day(3, 20), None, PauseReason.UNPAID, one.facts, one.policy), day(3, 20))
    assert one.subscription.pauses == ()
    with pytest.raises(OperationNotAllowed):
        require_operation(one.subscription, Operation.RESUME, day(3, 21), one.policy)
    one.subscription = attrs.evolve(one.subscription, collection=Collection.OK)
    require_operation(one.subscription, Operation.RESUME, day(3, 21), one.policy)
    assert billed(resumed(one, day(3, 25)))[1:] == []


@pytest.mark.proves("ABU-5", "SUB-5")
def test_who_owes_does_not_pause() -> None:
    one = course()
    owing = attrs.evolve(one.subscription, collection=Collection.PAST_DUE)
    with pytest.raises(OperationNotAllowed):
        require_operation(owing, Operation.PAUSE, day(3, 20), one.policy, begins=day(3, 20))


@pytest.mark.proves("SUB-4")
def test_an_end_that_comes_first_or_with_it_wins_over_a_pause() -> None:
    one = course()
    boundary = pause_begins(one.subscription, PauseWish(), day(3, 10), one.policy)
    cancel = CancelAt(at=boundary, asked_at=day(3, 9))
    one.subscription = attrs.evolve(one.subscription, scheduled=Scheduled(cancel=cancel))
    with pytest.raises(CancellationScheduled) as refused:
        paused(one, day(3, 10), PauseWish())
    assert refused.value.at == boundary
    assert paused(one, day(3, 10)).subscription.lifecycle is Lifecycle.PAUSED


@pytest.mark.proves("SUB-4")
def test_a_cancellation_for_the_instant_of_a_pause_drops_the_pause() -> None:
    one = paused(course(), day(3, 10), PauseWish())
    planned = one.subscription.scheduled.pause
    assert planned is not None
    cancel = CancelAt(at=planned.at, asked_at=day(3, 11))
    one.subscription = attrs.evolve(one.subscription, scheduled=Scheduled(cancel=cancel, pause=planned))
    one.settle(day(4, 2))
    assert one.subscription.lifecycle is Lifecycle.CANCELED
    assert ScheduledChangeDropped in told(one)
    assert SubscriptionPaused not in told(one)


@pytest.mark.proves("SUB-4")
@pytest.mark.parametrize(
    "version",
    [
        attrs.evolve(COFFEE, term=Term(1)),
        attrs.evolve(COFFEE, phases=(Phase(PhaseKind.FIXED_TERM, Months(1), COFFEE.phases[0].prices),)),
    ],
    ids=["term", "fixed"],
)
def test_a_term_that_is_over_by_then_wins_as_well(version: PlanVersion) -> None:
    with pytest.raises(CancellationScheduled):
        paused(course(version), day(3, 10), PauseWish())


@pytest.mark.proves("PAU-1")
def test_a_second_plan_replaces_the_first_and_a_plan_can_be_taken_back() -> None:
    one = paused(course(), day(3, 10), PauseWish())
    paused(one, day(3, 11), PauseWish(cycles=1))
    assert one.subscription.scheduled.pause is not None
    assert one.subscription.scheduled.pause.cycles == 1
    one.take(undo_pause(one.subscription, day(3, 12)), day(3, 12))
    assert one.subscription == attrs.evolve(course().subscription, due_at=one.subscription.due_at)
    assert told(one)[-1] is ScheduledChangeDropped
    with pytest.raises(NotPaused):
        undo_pause(one.subscription, day(3, 12))


@pytest.mark.proves("PAU-1")
def test_a_planned_pause_that_would_be_over_by_then_is_dropped() -> None:
    one = paused(course(), day(3, 10), PauseWish(until=day(4, 5)))
    planned = one.subscription.scheduled.pause
    assert planned is not None
    late = attrs.evolve(planned, at=day(4, 6))
    one.subscription = attrs.evolve(one.subscription, scheduled=Scheduled(pause=late))
    one.settle(day(4, 7))
    one.advance(day(4, 7))
    assert one.subscription.lifecycle is Lifecycle.ACTIVE
    assert one.subscription.scheduled.pause is None
    assert ScheduledChangeDropped in told(one)


@pytest.mark.proves("PAU-1", "PAU-3", "DIS-3")
def test_a_discount_by_the_month_runs_on_while_it_rests() -> None:
    half = AppliedDiscount(discount=Discount(code="half", kind=Percent(Rate.percent("50")), duration=Months(2)))
    one = course(discounts=(half,))
    resumed(paused(one, day(3, 10)), day(4, 16))
    one.settle(day(5, 2))
    assert [str(invoice.total.minor) for invoice in one.invoices.values()] == ["1550", "775", "3100"]


@pytest.mark.proves("PAU-1")
def test_what_a_customer_did_is_told_once() -> None:
    one = resumed(paused(course(), day(3, 10)), day(3, 12))
    assert told(one).count(SubscriptionPaused) == 1
    assert told(one).count(SubscriptionResumed) == 1
    assert {each.kind for each in one.invoices.values()} == {InvoiceKind.START}


PAUSES = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 60), st.integers(0, 23)), max_size=3)
INTERVALS = st.sampled_from([Interval.months(1), Interval.weeks(2), Interval.days(10), Interval.months(3)])
FREELY = {"max_pauses_per_year": 50, "max_length": timedelta(days=400)}


def lived(one: Course, pauses: list[tuple[int, int, int]], wish: PauseWish = AT_ONCE) -> list[tuple[date, date]]:
    """Let a course pause and go on; answer the local days on which it rested."""
    now, rests = MARCH, []
    for runs, lasts, hour in pauses:
        now += timedelta(days=runs, hours=hour)
        paused(one, now, wish)
        since = now
        now += timedelta(days=lasts)
        resumed(one, now)
        rests.append((_local(since), _local(now)))
    one.settle(now + timedelta(days=100))
    return rests


def _local(at: datetime) -> date:
    return local_date(at, zone("Europe/Berlin"))


@pytest.mark.proves("PAU-3")
@given(interval=INTERVALS, pauses=PAUSES)
def test_extended_time_is_exactly_the_days_that_were_paid_for(
    interval: Interval, pauses: list[tuple[int, int, int]]
) -> None:
    one = course(flat_plan("31.00", interval), policy(on_resume=OnResume.EXTEND, **FREELY))
    rests = lived(one, pauses)
    lines = [line for invoice in one.invoices.values() for line in invoice.lines]
    for line, following in pairwise(lines):
        rested = sum(max((min(until, following.start) - max(since, line.start)).days, 0) for since, until in rests)
        assert (following.start - line.start).days - rested == (line.end - line.start).days
        assert line.amount == Money.of("31.00", EUR)


@pytest.mark.proves("PAU-3", "SCH-9")
@given(
    interval=INTERVALS,
    pauses=PAUSES,
    unused=st.sampled_from([Unused.KEEP, Unused.CREDIT]),
    change_day=st.sampled_from(ChangeDay),
)
def test_no_day_is_billed_twice_and_no_day_of_use_is_left_out(
    interval: Interval, pauses: list[tuple[int, int, int]], unused: Unused, change_day: ChangeDay
) -> None:
    how = attrs.evolve(policy(unused=unused, **FREELY), proration=ProrationPolicy(change_day=change_day))
    calls = attrs.evolve(flat_plan("31.00", interval), add_ons=(CALLS,))
    one = course(calls, how, add_ons={"calls": 1})
    rests = lived(one, pauses)
    lines = [line for invoice in one.invoices.values() for line in invoice.lines]
    for key in ("plan", "calls"):
        counts: dict[date, int] = {}
        for line in (line for line in lines if line.key == key):
            for n in range(((line.live_until or line.end) - line.start).days):
                on = line.start + timedelta(days=n)
                counts[on] = counts.get(on, 0) + 1
        assert set(counts.values()) <= {1}
        last = max(counts)
        n = 0
        while (on := date(2031, 3, 1) + timedelta(days=n)) <= last:
            used = not any(since <= on < until for since, until in rests)
            assert not used or counts.get(on) == 1
            rested = any(since < on < until for since, until in rests)
            assert not (key == "calls" and rested and counts.get(on))
            n += 1


@pytest.mark.proves("PAU-1", "SIM-4", "RUN-7")
@given(
    interval=INTERVALS,
    begins=st.integers(0, 80),
    lasts=st.none() | st.integers(1, 90),
    jumps=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    on_resume=st.sampled_from(OnResume),
    at_limit=st.sampled_from(AtLimit),
    cycles=st.none() | st.integers(1, 3),
)
def test_one_jump_of_the_clock_equals_many_steps_with_pauses_as_well(
    interval: Interval,
    begins: int,
    lasts: int | None,
    jumps: list[int],
    on_resume: OnResume,
    at_limit: AtLimit,
    cycles: int | None,
) -> None:
    how = policy(on_resume=on_resume, at_limit=at_limit, max_length=timedelta(days=400))
    version = attrs.evolve(flat_plan("31.00", interval), add_ons=(CALLS,))
    courses = [course(version, how, add_ons={"calls": 1}) for _ in range(2)]
    at = MARCH + timedelta(days=begins)
    for one in courses:
        one.settle(at)
        starts = pause_begins(one.subscription, PauseWish(), at, how)
        until = starts + timedelta(days=lasts) if lasts and cycles is None else None
        paused(one, at, PauseWish(how=PauseHow.AT_PERIOD_END, until=until, cycles=cycles))
    stepped, jumped = courses
    now = at
    for days in jumps:
        now += timedelta(days=days)
        stepped.settle(now)
    jumped.settle(now)
    assert jumped.totals == stepped.totals
    assert billed(jumped) == billed(stepped)
    assert attrs.evolve(jumped.subscription, live=()) == attrs.evolve(stepped.subscription, live=())


@pytest.mark.proves("SCH-12")
def test_planning_what_is_planned_already_changes_nothing() -> None:
    one = paused(course(), day(3, 10), PauseWish())
    one.settle(day(4, 2))
    again = plan(one.subscription, one.facts, one.policy, day(4, 2))
    assert again.subscription == one.subscription
    due = next_due(one.subscription, one.policy)
    assert due is not None
    assert due.at == one.subscription.due_at
