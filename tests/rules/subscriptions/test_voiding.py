"""What is void can be billed anew, as if nobody had billed it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.changing.relocating import relocate
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import CycleAlreadyBilled
from shopaccounts.subscriptions.invoices.voiding import freed, put_off_rest
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.plans.add_ons import AddOn, SetupFee
from shopaccounts.subscriptions.plans.offers import Phase, PhaseKind
from shopaccounts.subscriptions.plans.phases import Months
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.subscribers import EUR, Course, flat_plan

BEGAN = datetime(2031, 1, 31, 12, tzinfo=UTC)
POLICY = SubscriptionPolicy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
FEE = SetupFee(prices=(Money.of("5", EUR),))
MILK = AddOn(key="milk", product="milk", prices=(Flat(Money.of("3", EUR)),), mode=BillingMode.IN_ARREARS)


def course(**more):
    return Course.begin(flat_plan("10", setup_fee=FEE, add_ons=(MILK,)), BEGAN, policy=POLICY, **more)


@pytest.mark.proves("INV-7")
def test_the_fee_for_setting_up_is_due_again_with_its_cycle() -> None:
    run = course()
    (invoice,) = run.invoices.values()
    again = freed(run.subscription, invoice, run.cycles)
    assert (again.billed_to, again.setup_fee_due, again.live) == (0, True, ())
    kinds = [line.kind for line in invoice.lines]
    run.invoices, run.cycles = {}, []
    run.take(Decision(subscription=again), BEGAN)
    run.settle(BEGAN + timedelta(days=1))
    (anew,) = run.invoices.values()
    assert [line.kind for line in anew.lines] == kinds == [LineKind.SETUP_FEE, LineKind.RECURRING]
    assert anew.total == invoice.total


@pytest.mark.proves("INV-7")
def test_only_lines_in_arrears_wait_and_keep_their_amount() -> None:
    run = course(add_ons={"milk": 1})
    run.settle(BEGAN + timedelta(days=28))
    invoice = list(run.invoices.values())[-1]
    rows = [row for row in run.cycles if row.invoice == invoice.id]
    waits = put_off_rest(run.account, invoice, rows, [run.subscription], BEGAN).pending
    assert [(one.line.key, one.line.amount) for one in waits] == [("milk", Money.of("3", EUR))]


@pytest.mark.proves("INV-7")
def test_a_cycle_with_a_later_one_isnt_freed() -> None:
    run = course()
    run.settle(BEGAN + timedelta(days=28))
    first, second = run.invoices.values()
    with pytest.raises(CycleAlreadyBilled) as refused:
        freed(run.subscription, first, [row for row in run.cycles if row.invoice == first.id])
    assert refused.value.invoice == second.id


@pytest.mark.proves("SCH-10")
def test_a_later_phase_with_other_cycles_begins_on_its_day_in_the_new_zone() -> None:
    weekly = Phase(PhaseKind.INTRO, Months(1), (Flat(Money.of("2", EUR)),), Interval.weeks(1))
    plan = flat_plan("10", phases=(weekly, *flat_plan("10").phases))
    run = Course.begin(plan, BEGAN, policy=POLICY)
    before = run.subscription.segments
    tokyo = zone("Asia/Tokyo")
    after = relocate(run.subscription, tokyo, BEGAN).subscription.segments
    assert [one.number for one in after] == list(range(len(before) + 1))
    assert after[-1].start == before[-1].start == date(2031, 2, 28)
    assert (after[-1].first_index, after[-1].cycle.interval) == (before[-1].first_index, Interval.months(1))
    assert after[-1].start_instant == datetime(2031, 2, 28, tzinfo=tokyo.info).astimezone(UTC)
