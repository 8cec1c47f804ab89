"""Meters and boxes on real databases: few statements a page, and many workers that hand each box over once."""

from datetime import UTC, date, datetime, timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import SUBSCRIPTION_DELIVERIES, BillingPorts, Order, SubscriptionPolicy
from shopaccounts.subscriptions.boxes.states import DeliveryState
from shopaccounts.subscriptions.charges.metering import Measured
from shopaccounts.subscriptions.plans.add_ons import Metered
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, Goods, PlanVersionId, ShipWhen
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.races import race
from shopaccounts.testing.sql import statements_made
from shopaccounts.testing.subscribers import flat_plan

START = datetime(2031, 1, 31, 12, tzinfo=UTC)
WORKER = WorkerId("w")
CALLS = Metered(key="calls", meter="calls", prices=(PerUnit(Money.of("0.10", "EUR")),))
PHONE = flat_plan("10.00", metered=(CALLS,))
INVOICED = DeliveryPlan(interval=Interval.months(1), cut_off_days=3, ship_when=ShipWhen.INVOICED)
BOX = flat_plan("90.00", Interval.months(3), id=PlanVersionId("box-1"), goods=Goods.PHYSICAL, deliveries=INVOICED)


class Hundred:
    """Whoever is asked about has made a hundred calls; a ``Usage`` port that counts the pages."""

    def __init__(self) -> None:
        self.pages = 0

    def quantities(self, requests):
        self.pages += 1
        return tuple(Measured(100, "w") for _ in requests)


@pytest.fixture
def source() -> Hundred:
    """The meter."""
    return Hundred()


@pytest.fixture
def shop(builder, source):
    """A shop that sells calls and boxes, and lets subscriptions run before the first payment."""
    policy = SubscriptionPolicy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
    builder.policies = quick_policies(subscriptions=policy)
    ports = BillingPorts(plans=FixedPlans([PHONE, BOX]), taxes=FlatTax("19"), usage=source)
    builder.ports = {**builder.ports, "billing": ports}
    builder.clock, builder.entropy = FixedClock(START), SystemEntropy()
    return builder.build()


async def subscribed(shop, plan, count: int) -> list[str]:
    """Subscribe so many customers."""
    order = Order(plan=plan.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1", ship_to="address-1")
    made = [await shop.subscriptions.subscribe(CustomerId(f"c{n:03}"), order, request_id="o-1") for n in range(count)]
    return [one.subscription.id for one in made]


async def rows(builder, book, group: str, value: str):
    return (await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))).items


@pytest.mark.proves("USE-1", "PRF-4")
@pytest.mark.parametrize("flavour", ["sqlite", "postgresql"])
async def test_a_page_with_meters_asks_once_and_costs_the_same_for_ten_as_for_sixty(builder, shop, source) -> None:
    await subscribed(shop, PHONE, 70)
    builder.clock.set(datetime(2031, 2, 28, 12, tzinfo=UTC))
    costs = []
    for size in (10, 60):
        builder.clock.advance(timedelta(seconds=1))
        with statements_made(builder.storage.engine) as statements:
            report = await shop.billing.run_billing(limit=size, max_pages=1, worker=WORKER)
        assert (report.invoices, report.failures) == (2 * size, ())
        of_meters = [one for one in statements if "subscription_meters" in one]
        once_a_run = [one for one in statements if one.startswith("SELECT shopaccounts_last_billing_runs")]
        costs.append((len(statements) - len(of_meters) - len(once_a_run), len(of_meters)))
    assert costs[0] == costs[1], statements
    assert costs[1][0] <= 12
    assert costs[1][1] <= 3
    assert source.pages == 2


@pytest.mark.proves("DLV-6", "PRF-4")
@pytest.mark.parametrize("flavour", ["sqlite", "postgresql"])
async def test_a_page_of_boxes_costs_the_same_for_thirty_as_for_sixty(builder, shop) -> None:
    await subscribed(shop, BOX, 90)
    costs = []
    for size in (30, 60):
        with statements_made(builder.storage.engine) as statements:
            report = await shop.boxes.run_deliveries(limit=size, max_pages=1, worker=WORKER)
        assert report.boxes == {DeliveryState.HANDED_OVER: size}
        costs.append(len(statements))
    assert costs[0] == costs[1], statements
    assert costs[1] <= 12, "\n\n".join(statements)


@pytest.mark.proves("DLV-6")
async def test_many_workers_hand_each_box_over_once(builder, shop) -> None:
    ids = await subscribed(shop, BOX, 8)

    async def work(n: int) -> object:
        return await builder.build().boxes.run_deliveries(limit=2, worker=WorkerId(f"w{n}"))

    outcomes = await race(4, work)
    assert [one.error for one in outcomes if one.error] == []
    builder.clock.advance(timedelta(minutes=6))
    await shop.boxes.run_deliveries(worker=WorkerId("late"))
    for n, id in enumerate(ids):
        told = await rows(builder, EVENTS, "subject", f"c{n:03}")
        assert [one.name for one in told].count("subscriptions.delivery_due") == 1
        (record,) = await rows(builder, SUBSCRIPTION_DELIVERIES, "subscription", id)
        assert record.delivery.state is DeliveryState.HANDED_OVER


@pytest.mark.proves("DLV-4", "DLV-6")
async def test_a_box_is_either_skipped_or_locked_where_customer_and_run_meet(builder, shop) -> None:
    (id,) = await subscribed(shop, BOX, 1)
    await shop.boxes.run_deliveries(worker=WORKER)
    cut_off = (await shop.boxes.deliveries(CustomerId("c000"), id, date(2031, 2, 1), date(2031, 3, 10)))[0].cut_off
    builder.clock.set(cut_off - timedelta(seconds=1))
    ahead = attrs.evolve(builder, clock=FixedClock(cut_off + timedelta(seconds=1)))

    async def act(n: int) -> object:
        if n:
            return await ahead.build().boxes.run_deliveries(worker=WORKER)
        return await builder.build().boxes.skip_delivery(CustomerId("c000"), id, f"{id}/0/1")

    skipped, ran = await race(2, act)
    assert ran.error is None
    kept = [one.delivery for one in await rows(builder, SUBSCRIPTION_DELIVERIES, "subscription", id)]
    (february,) = [one for one in kept if one.key.index == 1]
    assert february.state is (DeliveryState.LOCKED if skipped.error else DeliveryState.SKIPPED)
