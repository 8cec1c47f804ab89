"""How a subscription begins: fees for setting up, trials that cost something, and what is told of it."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.events import STEPS
from shopaccounts.subscriptions.papers.documents import Invoice
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.planning.beginning import first_paid
from shopaccounts.subscriptions.plans.add_ons import SetupFee, SetupFeeWhen
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.plans.phases import Days, Phase, PhaseKind
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.scheduled import CancelAt, Scheduled
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.subscribers import EUR, Course, flat_plan

START = datetime(2031, 1, 31, 12, tzinfo=UTC)
COFFEE = flat_plan("17.90")
FREE_TRIAL = Phase(PhaseKind.TRIAL, Days(14))
PAID_TRIAL = Phase(PhaseKind.TRIAL, Days(14), (Flat(Money.of("1.00", EUR)),))


def with_fee(when: SetupFeeWhen, *, trial: Phase | None = None) -> PlanVersion:
    fee = SetupFee((Money.of("30.00", EUR),), when)
    phases = (*((trial,) if trial else ()), *COFFEE.phases)
    return attrs.evolve(COFFEE, setup_fee=fee, phases=phases)


def kinds(invoice: Invoice) -> list[LineKind]:
    return [line.kind for line in invoice.lines]


@pytest.mark.proves("PLN-7")
def test_a_setup_fee_comes_once_and_whole_with_the_first_invoice_that_charges_money() -> None:
    course = Course.begin(with_fee(SetupFeeWhen.WITH_FIRST_PAID), START)
    course.settle(START + timedelta(days=90))
    first, *later = course.invoices.values()
    assert kinds(first) == [LineKind.SETUP_FEE, LineKind.RECURRING]
    assert first.lines[0].amount == Money.of("30.00", EUR)
    assert all(kinds(invoice) == [LineKind.RECURRING] for invoice in later)


@pytest.mark.proves("PLN-7")
@pytest.mark.parametrize(
    ("when", "at_start"), [(SetupFeeWhen.WITH_FIRST_PAID, 0), (SetupFeeWhen.AT_START, 1)], ids=["first paid", "start"]
)
def test_a_setup_fee_waits_for_the_end_of_a_free_trial_unless_it_is_due_at_the_start(
    when: SetupFeeWhen, at_start: int
) -> None:
    course = Course.begin(with_fee(when, trial=FREE_TRIAL), START)
    assert len(course.invoices) == at_start
    course.settle(START + timedelta(days=60))
    fees = [line for invoice in course.invoices.values() for line in invoice.lines if line.kind is LineKind.SETUP_FEE]
    assert [fee.amount for fee in fees] == [Money.of("30.00", EUR)]


@pytest.mark.proves("TRI-8")
def test_a_trial_with_a_price_is_billed_like_any_phase() -> None:
    plan = attrs.evolve(COFFEE, phases=(PAID_TRIAL, *COFFEE.phases))
    course = Course.begin(plan, START, paid=False)
    assert course.subscription.lifecycle is Lifecycle.INCOMPLETE
    assert list(course.totals.values()) == ["1.00 EUR"]
    course.take(first_paid(course.subscription, START), START)
    assert course.subscription.lifecycle.value == "trialing"
    course.settle(START + timedelta(days=14))
    assert list(course.totals.values()) == ["1.00 EUR", "17.90 EUR"]
    assert course.subscription.lifecycle.value == "active"


@pytest.mark.proves("EVT-1")
def test_each_step_is_told_once_at_its_own_instant_and_in_the_order_of_business() -> None:
    plan = attrs.evolve(COFFEE, phases=(FREE_TRIAL, *COFFEE.phases))
    course = Course.begin(plan, START)
    ends = CancelAt(at=START + timedelta(days=80), asked_at=START)
    course.subscription = attrs.evolve(course.subscription, scheduled=Scheduled(cancel=ends))
    late = START + timedelta(days=200)
    papers = course.advance(late)
    steps = [event for event in papers.events if type(event) in set(STEPS.values())]
    assert [event.name for event in steps] == [
        "subscriptions.trial_converted",
        "subscriptions.subscription_canceled",
    ]
    business = [event for event in papers.events if event.at < late]
    assert [event.at for event in business] == sorted(event.at for event in business)
