"""Customers pay for several cycles at once: what they see is what they pay, once, and unused cycles come back."""

from datetime import date, timedelta
from typing import cast

import attrs
import pytest

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money, Rate, currency
from shopaccounts.kernel.staff import Permission
from shopaccounts.subscriptions import (
    CYCLES,
    INVOICES,
    SUBSCRIPTIONS,
    Allowed,
    CancelWish,
    Changed,
    Operation,
    SubscriptionPolicy,
    UpcomingKind,
)
from shopaccounts.subscriptions.errors import (
    AlreadyPrepaid,
    CancellationScheduled,
    OperationNotAllowed,
    PrepayNotOffered,
    RequestIdReused,
    SubscriptionUnknown,
)
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.plans.add_ons import AfterPrepaid, PrepayOption
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, Goods, Plan, PlanId, PlanVersionId
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.pausing import Unused
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.pricing import Consent
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.changing import a_plan
from shopaccounts.testing.subscribers import flat_plan
from tests.usecases.subscriptions.conftest import acting

ANN, BEN = CustomerId("ann"), CustomerId("ben")
EUR, DAY, WORKER = currency("EUR"), timedelta(days=1), WorkerId("w")
OFFERS = (PrepayOption(3, Rate.percent(10)), PrepayOption(6, Rate.percent(20), AfterPrepaid.EXPIRE))
MONTHLY = a_plan("28.00", id="monthly", prepay=OFFERS)
CHEAPER = attrs.evolve(a_plan("25.00", id="monthly-2", prepay=OFFERS), plan=MONTHLY.plan)
BOX = flat_plan(
    "30.00",
    id=PlanVersionId("box"),
    plan=Plan(id=PlanId("box"), code="box", group="box", goods=Goods.PHYSICAL),
    deliveries=DeliveryPlan(interval=Interval.months(1), cut_off_days=3),
    prepay=OFFERS,
)
SOFT = Declined(DeclineKind.SOFT, "no_funds")
WANTS = {"request_id": "click-1"}


@pytest.fixture
def plans() -> FixedPlans:
    """What the shop sells."""
    return FixedPlans([MONTHLY, CHEAPER, BOX])


@pytest.fixture
def builder(builder):
    """A shop that lets a subscription run before its first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing))
    return builder


async def begun(coffee, version=MONTHLY, days: int = 14, **more) -> str:
    """Subscribe Ann, and let some days go by."""
    made = await coffee.subscribed(coffee.order(plan=version.id, **more))
    coffee.builder.clock.advance(days * DAY)
    await coffee.shop.billing.run_billing(worker=WORKER)
    id: str = made.subscription.id
    return id


async def goes_on(coffee, days: int) -> None:
    """Let time go by, and bill."""
    coffee.builder.clock.advance(days * DAY)
    await coffee.shop.billing.run_billing(worker=WORKER)


async def invoices_of(coffee):
    """All invoices, the oldest first."""
    return (await coffee.shop.subscription_views.my_invoices(ANN)).invoices[::-1]


def but_ids(changed: Changed) -> tuple[object, ...]:
    """Answer what was done, without ids and versions."""
    fresh = [attrs.evolve(invoice, id="", version=0, number=None) for invoice in changed.invoices]
    subscription = attrs.evolve(changed.subscription, version=0, live=())
    return subscription, fresh, changed.notes, attrs.evolve(changed.account, version=0)


@pytest.mark.proves("PLN-13", "SIM-1")
@pytest.mark.parametrize("cycles", [3, 6])
async def test_it_costs_what_the_preview_said(coffee, cycles) -> None:
    id = await begun(coffee)
    changes = coffee.shop.subscription_changes
    before = await coffee.builder.kept(SUBSCRIPTIONS, id)
    seen = await changes.preview_prepay(ANN, id, cycles)
    assert await coffee.builder.kept(SUBSCRIPTIONS, id) == before
    done = await changes.prepay(ANN, id, cycles)
    assert but_ids(seen) == but_ids(done)
    (invoice,) = done.invoices
    off = {3: "25.20 EUR", 6: "22.40 EUR"}[cycles]
    assert [(line.cycle.index, str(line.base)) for line in invoice.lines] == [
        (index, off) for index in range(1, cycles + 1)
    ]
    assert invoice.total == sum((line.gross for line in invoice.lines), Money.zero(EUR))
    stored = await coffee.builder.kept(SUBSCRIPTIONS, id)
    assert (stored.billed_to, stored.prepaid.option.cycles, stored.prepaid.until) == (cycles + 1, cycles, cycles + 1)


@pytest.mark.proves("PLN-13", "SIM-1")
async def test_what_is_due_by_then_is_billed_first_in_the_preview_too(coffee) -> None:
    id = await begun(coffee)
    coffee.builder.clock.advance(20 * DAY)
    seen = await coffee.shop.subscription_changes.preview_prepay(ANN, id, 3)
    done = await coffee.shop.subscription_changes.prepay(ANN, id, 3)
    assert but_ids(seen) == but_ids(done)
    assert [[line.cycle.index for line in one.lines] for one in done.invoices] == [[1], [2, 3, 4]]


@pytest.mark.proves("PLN-13", "INV-6")
async def test_each_cycle_is_claimed_and_nothing_is_billed_again_before_they_are_over(coffee) -> None:
    id = await begun(coffee)
    done = await coffee.shop.subscription_changes.prepay(ANN, id, 3)
    for index in range(1, 4):
        row = await coffee.builder.kept(CYCLES, f"{id}/0/{index}/advance")
        assert (row.invoice, str(row.total)) == (done.invoices[0].id, "29.99 EUR")
    for _ in range(3):
        await goes_on(coffee, 30)
        assert len(await invoices_of(coffee)) == 2
    await goes_on(coffee, 16)
    await coffee.shop.billing.run_billing(worker=WORKER)
    assert [[line.cycle.index for line in one.lines] for one in await invoices_of(coffee)] == [
        [0],
        [1, 2, 3],
        [4, 5, 6],
    ]


@pytest.mark.proves("PLN-13", "RUN-9")
async def test_a_run_that_comes_late_bills_as_many_at_once_as_runs_in_time(coffee) -> None:
    id = await begun(coffee)
    await coffee.shop.subscription_changes.prepay(ANN, id, 3)
    await goes_on(coffee, 250)
    assert [[line.cycle.index for line in one.lines] for one in await invoices_of(coffee)][2:] == [
        [4, 5, 6],
        [7, 8, 9],
    ]


@pytest.mark.proves("PLN-13")
async def test_all_is_over_after_them_where_that_was_offered(coffee) -> None:
    id = await begun(coffee)
    await coffee.shop.subscription_changes.prepay(ANN, id, 6)
    (end,) = await coffee.shop.subscription_views.upcoming(ANN, id)
    assert (end.kind, end.at.date()) == (UpcomingKind.END, date(2031, 8, 30))
    await goes_on(coffee, 250)
    stored = await coffee.builder.kept(SUBSCRIPTIONS, id)
    assert (stored.lifecycle, stored.ended_at) == (Lifecycle.EXPIRED, end.at)
    assert len(await invoices_of(coffee)) == 2


@pytest.mark.proves("PLN-13", "CHG-12")
async def test_asking_again_under_one_key_pays_nothing_twice(till, gateway) -> None:
    id = await begun(till)
    changes = till.shop.subscription_changes
    first = await changes.prepay(ANN, id, 3, **WANTS)
    assert [str(debit.amount) for debit in gateway.debits][-1:] == ["89.97 EUR"]
    paid = len(gateway.debits)
    again = await changes.prepay(ANN, id, 3, **WANTS)
    assert [one.id for one in again.invoices] == [one.id for one in first.invoices]
    assert len(gateway.debits) == paid
    with pytest.raises(RequestIdReused):
        await changes.prepay(ANN, id, 6, **WANTS)


@pytest.mark.proves("PLN-13")
async def test_what_cannot_be_paid_ahead_is_refused_alike_in_the_preview_and_nothing_is_recorded(coffee) -> None:
    id = await begun(coffee)
    changes = coffee.shop.subscription_changes

    async def refused(customer, cycles) -> tuple[object, ...]:
        before = await coffee.builder.kept(SUBSCRIPTIONS, id)
        found = []
        for ask in (changes.preview_prepay, changes.prepay):
            with pytest.raises(Rejected) as no:
                await ask(customer, id, cycles)
            found.append((type(no.value), *attrs.astuple(cast("attrs.AttrsInstance", no.value))))
        assert found[0] == found[1]
        assert await coffee.builder.kept(SUBSCRIPTIONS, id) == before
        return found[1]

    with pytest.raises(TypeError):
        await changes.prepay(ANN, id, 3.0)
    assert await refused(ANN, 4) == (PrepayNotOffered, (3, 6))
    assert await refused(BEN, 3) == (SubscriptionUnknown,)
    await changes.prepay(ANN, id, 3)
    assert await refused(ANN, 3) == (AlreadyPrepaid, date(2031, 4, 30))
    await coffee.builder.edit(SUBSCRIPTIONS, id, lambda one: attrs.evolve(one, collection=Collection.PAST_DUE))
    assert await refused(ANN, 3) == (OperationNotAllowed, "prepay", "active", "past_due")


@pytest.mark.proves("PLN-13", "SUB-6")
async def test_the_account_page_offers_it_where_it_can_be_done(coffee) -> None:
    id = await begun(coffee)

    async def offered() -> bool:
        (view,) = await coffee.shop.subscription_views.my_subscriptions(ANN)
        return Allowed(Operation.PREPAY) in view.operations

    assert await offered()
    await coffee.shop.subscription_changes.prepay(ANN, id, 3)
    assert not await offered()
    await coffee.shop.cancellations.cancel(ANN, id)
    assert not await offered()


@pytest.mark.proves("PLN-13")
async def test_who_leaves_pays_nothing_ahead(coffee) -> None:
    id = await begun(coffee)
    await coffee.shop.cancellations.cancel(ANN, id)
    with pytest.raises(CancellationScheduled):
        await coffee.shop.subscription_changes.prepay(ANN, id, 3)


@pytest.mark.proves("PLN-13", "CAN-4")
async def test_who_leaves_in_between_is_paid_back_what_the_unused_cycles_cost_to_the_cent(till) -> None:
    id = await begun(till)
    done = await till.shop.subscription_changes.prepay(ANN, id, 3)
    assert done.invoices[0].due.is_zero
    await goes_on(till, 30)  # the 16th of March: 15 of the 31 days of the first of them are left
    wish = CancelWish(when=CancelWhen.NOW, unused=Unused.REFUND)
    gone = await till.shop.cancellations.cancel(ANN, id, wish)
    (note,) = gone.papers.notes
    assert [str(line.base) for line in note.lines] == ["12.19 EUR", "25.20 EUR", "25.20 EUR"]
    after = await till.builder.kept(INVOICES, done.invoices[0].id)
    assert [line.creditable.minor for line in after.lines] == [1301, 0, 0]


@pytest.mark.proves("PLN-13", "PRI-1")
async def test_a_new_price_holds_from_its_cycle_on(coffee, staff) -> None:
    id = await begun(coffee)
    staff.hire("eve", set(Permission))
    shop = acting(coffee.builder, "eve")
    await shop.subscription_prices.announce_price_change(
        MONTHLY.id,
        CHEAPER.id,
        effective_on=date(2031, 4, 1),
        reason="cheaper beans",
        consent=Consent.NOT_NEEDED,
        request_id="p-1",
    )
    seen = await coffee.shop.subscription_changes.preview_prepay(ANN, id, 3)
    done = await coffee.shop.subscription_changes.prepay(ANN, id, 3)
    assert but_ids(seen) == but_ids(done)
    assert [str(line.amount) for line in done.invoices[0].lines] == ["28.00 EUR", "28.00 EUR", "25.00 EUR"]


@pytest.mark.proves("PLN-13", "DLV-3")
async def test_boxes_go_out_in_each_of_the_cycles_as_they_are_paid(till) -> None:
    id = await begun(till, BOX, ship_to="address-1")
    await till.shop.subscription_changes.prepay(ANN, id, 3)
    boxes = await till.shop.boxes.deliveries(ANN, id, date(2031, 2, 20), date(2031, 5, 20))
    assert [box.cycle.index for box in boxes] == [1, 2, 3]
    for _ in range(3):
        await goes_on(till, 30)
        await till.shop.boxes.run_deliveries(worker=WORKER)
    gone = await till.shop.boxes.deliveries(ANN, id, date(2031, 2, 20), date(2031, 5, 20))
    assert [box.state.value for box in gone] == ["handed_over"] * 3


@pytest.mark.proves("PLN-13")
async def test_who_cannot_pay_for_them_owes_them_like_any_invoice(till, gateway) -> None:
    id = await begun(till)
    gateway.cards["card-1"] = SOFT
    done = await till.shop.subscription_changes.prepay(ANN, id, 3)
    assert not done.invoices[0].due.is_zero
    stored = await till.builder.kept(SUBSCRIPTIONS, id)
    assert (stored.lifecycle, stored.collection) == (Lifecycle.ACTIVE, Collection.PAST_DUE)
