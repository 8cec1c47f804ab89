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
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import NoticeTrigger
from shopaccounts.subscriptions.notices.checks import part_of
from shopaccounts.subscriptions.notices.occasions import occasions
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, Duration, Forever, Once, Percent
from shopaccounts.subscriptions.plans.offers import Cycles, Days, Months, Phase, PhaseKind, Term
from shopaccounts.subscriptions.plans.tariffs import Flat, PerUnit, Tariff
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


@pytest.mark.proves("NOT-5")
@given(courses(), st.integers(0, 6))
def test_the_amount_that_is_announced_is_that_of_the_invoice_later(course: Course, steps: int) -> None:
    for _ in range(steps):
        if course.subscription.due_at is not None:
            course.advance(course.subscription.due_at)
    now = (course.subscription.due_at or START) - timedelta(days=2)
    wanted = {NoticeTrigger.PRE_DEBIT, NoticeTrigger.RENEWAL, NoticeTrigger.TRIAL_END, NoticeTrigger.INTRO_END}
    named = []
    for occasion in occasions(course.subscription, course.facts, course.policy, None, now):
        if occasion.trigger in wanted:
            decision = foreseen(course.subscription, occasion, course.facts, course.policy)
            amount = amount_of(decision, occasion, course.account, {}, course.facts, course.policy)
            named.append((occasion, amount))
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
    foreseen(course.subscription, debit, Facts(), course.policy)
    assert attrs.astuple(course.subscription, recurse=False) == before
