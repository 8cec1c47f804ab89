"""What a notice names is what the invoice comes to, whatever was agreed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.subscriptions.announcing.amounts import amount_of, foreseen
from shopaccounts.subscriptions.changing.wanting import plan_wish
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import NoticeTrigger, Offset
from shopaccounts.subscriptions.notices.checks import Watched, judged, part_of
from shopaccounts.subscriptions.notices.occasions import Occasion, occasions
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, Duration, Forever, Once, Percent
from shopaccounts.subscriptions.plans.offers import Cycles, Days, Months, Phase, PhaseKind, PlanVersionId, Term
from shopaccounts.subscriptions.plans.tariffs import Flat, PerUnit, Tariff
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.policy.notices import house_rule
from shopaccounts.subscriptions.scheduled import ChangeAt, Scheduled
from shopaccounts.testing.subscribers import EUR, Course, flat_plan, somebody

START = datetime(2031, 1, 31, 12, tzinfo=UTC)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Somebody with a plan that begins somehow, at some discount, with something in the balance."""
    price = Money(draw(st.integers(100, 5000)), EUR)
    tariffs: st.SearchStrategy[Tariff] = st.sampled_from([Flat(price), PerUnit(price)])
    last = Phase(PhaseKind.EVERGREEN, None, (draw(tariffs),))
    first = draw(
        st.sampled_from(
            [
                (),
                (Phase(PhaseKind.TRIAL, Days(10), ()),),
                (Phase(PhaseKind.INTRO, Cycles(2), (Flat(Money(99, EUR)),)),),
                (Phase(PhaseKind.TRIAL, Days(45), ()), Phase(PhaseKind.INTRO, Months(1), (Flat(Money(99, EUR)),))),
            ]
        )
    )
    more: dict[str, Any] = {"term": Term(cycles=3)} if draw(st.booleans()) else {}
    version = flat_plan(
        "1.00", draw(st.sampled_from([Interval.weeks(1), Interval.months(1)])), phases=(*first, last), **more
    )
    durations: st.SearchStrategy[Duration] = st.sampled_from([Once(), Forever()])
    half = Discount(code="HALF", kind=Percent(Rate.percent("50")), duration=draw(durations))
    discounts = (AppliedDiscount(discount=half),) if draw(st.booleans()) else ()
    account = somebody(balances=(Money(draw(st.integers(0, 3000)), EUR),))
    return Course.begin(version, START, account=account, trial=version.has_trial, discounts=discounts)


def announced(course: Course, occasion: Occasion) -> Money:
    return amount_of(foreseen(course.subscription, occasion, course.account, {}, course.facts, course.policy), occasion)


@pytest.mark.proves("NOT-5")
@given(courses(), st.integers(0, 6))
def test_the_amount_that_is_announced_is_that_of_the_invoice_later(course: Course, steps: int) -> None:
    for _ in range(steps):
        if course.subscription.due_at is not None:
            course.advance(course.subscription.due_at)
    now = (course.subscription.due_at or START) - timedelta(days=2)
    wanted = {NoticeTrigger.PRE_DEBIT, NoticeTrigger.RENEWAL, NoticeTrigger.TRIAL_END, NoticeTrigger.INTRO_END}
    ahead = occasions(course.subscription, course.facts, course.policy, None, now)
    named = [(occasion, announced(course, occasion)) for occasion in ahead if occasion.trigger in wanted]
    for occasion, amount in sorted(named, key=lambda each: each[0].at):
        course.settle(occasion.at)
        keys = [cycle.invoice for cycle in course.cycles if cycle.index == occasion.index and cycle.invoice]
        invoices = [course.invoices[key] for key in keys]
        charged = [one.due if occasion.trigger is NoticeTrigger.PRE_DEBIT else part_of(one, "box") for one in invoices]
        assert [amount] == (charged or [Money.zero(EUR)]), occasion


def test_looking_ahead_changes_nothing() -> None:
    course = Course.begin(flat_plan("10.00"), START)
    (debit, *_) = occasions(course.subscription, Facts(), course.policy, None, START)
    before = attrs.astuple(course.subscription, recurse=False)
    foreseen(course.subscription, debit, course.account, {}, Facts(), course.policy)
    assert attrs.astuple(course.subscription, recurse=False) == before


@pytest.mark.proves("NOT-5", "CHG-3")
@pytest.mark.parametrize("preset", [Preset.PRORATE_NOW, Preset.PRORATE_NEXT, Preset.RESET_CREDIT])
@pytest.mark.parametrize("price", ["5.00", "80.00"])
def test_a_change_in_between_gives_back_what_will_have_been_billed_by_then(preset: Preset, price: str) -> None:
    intro = Phase(PhaseKind.INTRO, Cycles(3), (Flat(Money.of("28.00", EUR)),))
    course = Course.begin(flat_plan("56.00", phases=(intro, *flat_plan("56.00").phases)), START)
    course.account = attrs.evolve(course.account, balances=(Money.of("50.00", EUR),))
    other = flat_plan(price, id=PlanVersionId("other-1"))
    on = datetime(2031, 3, 10, 12, tzinfo=UTC)  # the second month begins on 28 February, and isn't billed yet
    wish = plan_wish(course.subscription, other, course.account, on.date(), course.policy)
    planned = Scheduled(change=ChangeAt(at=on, wishes=(wish,), preset=preset.value))
    course.take(Decision(subscription=attrs.evolve(course.subscription, scheduled=planned)), START)
    debit = Occasion(trigger=NoticeTrigger.PRE_DEBIT, instance="2", at=datetime(2031, 3, 30, 22, tzinfo=UTC), index=2)
    amount = announced(course, debit)
    while course.subscription.billed_to < 3 and course.subscription.due_at:
        course.advance(course.subscription.due_at)
    (cycle,) = [cycle for cycle in course.cycles if cycle.index == 2]
    assert amount == course.invoices[cycle.invoice].due


@pytest.mark.proves("NOT-4", "NOT-5")
@pytest.mark.parametrize(("part", "missed"), [("-5.00", False), ("0.00", False), ("5.00", True)])
def test_nobody_is_told_of_a_debit_of_what_gets_more_back_than_it_costs(part: str, missed: bool) -> None:
    rule = house_rule("shop.test", NoticeTrigger.PRE_DEBIT, earliest=None, latest=Offset.days(2))
    course = Course.begin(flat_plan("10.00"), START)
    one = course.subscription
    watched = Watched(
        subscription=one.id,
        customer=one.customer,
        account=one.account,
        zone=one.zone,
        rules=((NoticeTrigger.PRE_DEBIT, rule),),
        expected=(),
        sent=(),
    )
    at = START + timedelta(days=28)
    verdict = judged(watched, 1, at, Money.of(part, EUR), Money.of("20.00", EUR), at)
    assert [event.name for event in verdict.events] == ["subscriptions.notice_missed"] * missed
