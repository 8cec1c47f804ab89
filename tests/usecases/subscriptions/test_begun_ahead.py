"""Customers begin with several cycles paid at once: what they see is what they pay, once, and then it runs."""

from datetime import date, timedelta

import attrs
import pytest

from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Rate
from shopaccounts.kernel.staff import Permission
from shopaccounts.subscriptions import INVOICES, SUBSCRIPTIONS, PaymentPending, Preview, Subscribed, UpcomingKind
from shopaccounts.subscriptions.errors import CancellationScheduled, PrepayNotOffered, RequestIdReused
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.plans.add_ons import PrepayOption
from shopaccounts.subscriptions.plans.offers import Phase, PhaseKind, PlanVersionId
from shopaccounts.subscriptions.plans.phases import Days
from shopaccounts.subscriptions.plans.terms import Term
from shopaccounts.subscriptions.pricing import Consent
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.changing import a_plan
from tests.usecases.subscriptions.conftest import acting

ANN, BEN, DAY, WORKER = CustomerId("ann"), CustomerId("ben"), timedelta(days=1), WorkerId("w")
OFFERS = (PrepayOption(3, Rate.percent(10)), PrepayOption(6, Rate.percent(20)))
MONTHLY = a_plan("28.00", id="monthly", prepay=OFFERS)
CHEAPER = attrs.evolve(a_plan("25.00", id="monthly-2", prepay=OFFERS), plan=MONTHLY.plan)
TRIED = attrs.evolve(MONTHLY, id=PlanVersionId("tried"), phases=(Phase(PhaseKind.TRIAL, Days(14)), *MONTHLY.phases))
SHORT = attrs.evolve(MONTHLY, id=PlanVersionId("short"), term=Term(cycles=4))


@pytest.fixture
def plans() -> FixedPlans:
    """What the shop sells."""
    return FixedPlans([MONTHLY, CHEAPER, TRIED, SHORT])


def ordered(coffee, version=MONTHLY, cycles=3, **more):
    return coffee.order(plan=version.id, prepay=cycles, **more)


def bases(invoice) -> list[tuple[int, str]]:
    return [(line.cycle.index, str(line.base)) for line in invoice.lines]


def but_ids(subscription, invoices) -> tuple[object, ...]:
    """Answer what was made, without ids and what tells requests apart."""
    lines = [attrs.evolve(line, subscription="", cycle=None) for one in invoices for line in one.lines]
    fresh = [attrs.evolve(one, id="", key="", version=0, number=None, subscriptions=(), lines=()) for one in invoices]
    return attrs.evolve(subscription, id="", version=0, live=(), request=""), lines, fresh


@pytest.mark.proves("PLN-13", "SIM-1", "SUB-9")
@pytest.mark.parametrize(("cycles", "each"), [(3, "25.20 EUR"), (6, "22.40 EUR")])
async def test_it_costs_what_the_preview_said_and_runs_when_it_is_paid(coffee, cycles, each):
    seen = await coffee.shop.subscriptions.preview_subscribe(ANN, ordered(coffee, cycles=cycles))
    assert isinstance(seen, Preview)
    assert await coffee.shop.subscription_views.my_subscriptions(ANN) == ()
    made = await coffee.subscribed(ordered(coffee, cycles=cycles))
    assert isinstance(made, PaymentPending)
    assert made.invoice
    assert but_ids(seen.subscription, seen.invoices) == but_ids(made.subscription, [made.invoice])
    assert bases(made.invoice) == [(index, each) for index in range(cycles)]
    await coffee.shop.payments.record_payment(made.invoice.id, made.invoice.due, "RF18")
    stored = await coffee.builder.kept(SUBSCRIPTIONS, made.subscription.id)
    assert (stored.lifecycle, stored.billed_to, stored.prepaid.until) == (Lifecycle.ACTIVE, cycles, cycles)


@pytest.mark.proves("PLN-13")
async def test_it_is_charged_once_and_as_many_again_when_they_are_over(till, gateway) -> None:
    made = await till.subscribed(ordered(till))
    assert isinstance(made, Subscribed)
    for _ in range(4):
        till.builder.clock.advance(29 * DAY)
        await till.shop.sweeping.sweep(worker=WORKER)
    assert [str(debit.amount) for debit in gateway.debits] == ["89.97 EUR", "89.97 EUR"]
    invoices = (await till.shop.subscription_views.my_invoices(ANN)).invoices[::-1]
    assert [[index for index, _ in bases(one)] for one in invoices] == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.proves("PLN-13", "SUB-8")
async def test_asking_again_makes_nothing_new_and_another_number_of_cycles_is_another_order(till, gateway) -> None:
    first = await till.subscribed(ordered(till))
    again = await till.subscribed(ordered(till))
    assert (again.subscription.id, len(gateway.debits)) == (first.subscription.id, 1)
    for other in (6, None):
        with pytest.raises(RequestIdReused):
            await till.subscribed(ordered(till, cycles=other))


@pytest.mark.proves("PLN-13", "SIM-1")
async def test_what_cannot_be_paid_ahead_is_refused_alike_in_the_preview_and_nothing_is_recorded(till) -> None:
    before = till.builder.storage.snapshot()["main"].books
    for wanted, refusal in (
        (ordered(till, cycles=4), PrepayNotOffered),
        (ordered(till, cycles=0), PrepayNotOffered),
        (ordered(till, cycles=3.0), TypeError),
        (ordered(till, SHORT, 6), CancellationScheduled),
    ):
        for ask in (till.shop.subscriptions.preview_subscribe, till.subscribed):
            with pytest.raises(refusal):
                await (ask(wanted) if ask == till.subscribed else ask(ANN, wanted))
    assert till.builder.storage.snapshot()["main"].books == before


@pytest.mark.proves("PLN-13")
@pytest.mark.parametrize("waits", ["future", "trial"])
async def test_after_a_trial_or_on_a_later_day_the_run_bills_them_as_it_was_shown(till, gateway, waits) -> None:
    on = date(2031, 2, 14)
    wanted = ordered(till, TRIED) if waits == "trial" else ordered(till, start=on)
    id = (await till.subscribed(wanted)).subscription.id
    assert gateway.debits == []
    shown = await till.shop.subscription_views.upcoming(ANN, id, count=3)
    charge = next(one for one in shown if one.kind is UpcomingKind.CHARGE)
    till.builder.clock.advance(timedelta(days=14, hours=1))
    await till.shop.sweeping.sweep(worker=WORKER)
    stored = await till.builder.kept(SUBSCRIPTIONS, id)
    assert (stored.lifecycle, stored.begins_on(stored.prepaid.first)) == (Lifecycle.ACTIVE, on)
    invoice = await till.builder.kept(INVOICES, stored.live[0].invoice)
    assert [base for _, base in bases(invoice)] == ["25.20 EUR"] * 3
    assert (str(charge.amount), str(invoice.total)) == ("89.97 EUR", "89.97 EUR")
    assert [str(debit.amount) for debit in gateway.debits] == ["89.97 EUR"]


@pytest.mark.proves("PLN-13")
async def test_who_cannot_pay_for_them_has_nothing_when_the_time_for_that_is_over(till, gateway) -> None:
    gateway.cards["card-1"] = Declined(DeclineKind.SOFT, "no_funds")
    made = await till.subscribed(ordered(till))
    till.builder.clock.advance(timedelta(hours=24))
    await till.shop.sweeping.sweep(worker=WORKER)
    stored = await till.builder.kept(SUBSCRIPTIONS, made.subscription.id)
    assert (stored.lifecycle, stored.live) == (Lifecycle.INCOMPLETE_EXPIRED, ())
    gateway.cards.clear()
    assert isinstance(await till.subscribed(ordered(till), key="o-2"), Subscribed)


@pytest.mark.proves("PLN-13", "PRI-1")
@pytest.mark.parametrize("start", [None, date(2031, 2, 1)])
async def test_a_new_price_holds_from_its_cycle_on_as_right_after_the_start(till, staff, start) -> None:
    staff.hire("eve", set(Permission))
    await acting(till.builder, "eve").subscription_prices.announce_price_change(
        MONTHLY.id,
        CHEAPER.id,
        effective_on=date(2031, 3, 20),
        reason="cheaper beans",
        consent=Consent.NOT_NEEDED,
        request_id="p-1",
    )
    id = (await till.subscribed(ordered(till, start=start))).subscription.id
    after = await till.subscribed(ordered(till, cycles=None, payment_method="card-2"), BEN, "o-2")
    till.builder.clock.advance(DAY)
    await till.shop.sweeping.sweep(worker=WORKER)
    more = await till.shop.subscription_changes.prepay(BEN, after.subscription.id, 3)
    invoice = await till.builder.kept(INVOICES, (await till.builder.kept(SUBSCRIPTIONS, id)).live[0].invoice)
    assert [str(line.amount) for line in invoice.lines] == ["28.00 EUR", "28.00 EUR", "25.00 EUR"]
    assert [str(line.amount) for line in more.invoices[0].lines] == ["28.00 EUR", "25.00 EUR", "25.00 EUR"]
