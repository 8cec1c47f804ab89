"""The simulator: a real shop, through the years, in one jump or day by day."""

from datetime import UTC, datetime, timedelta

import pytest

from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.time import ClockWentBack, FixedClock
from shopaccounts.subscriptions import BillingPorts, Order, SubscriptionPolicy, SweepReport
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.simulator import Simulator
from shopaccounts.testing.subscribers import flat_plan

START = datetime(2031, 1, 31, 12, tzinfo=UTC)
COFFEE = flat_plan("17.90")


def simulator(host: str) -> Simulator:
    """A shop that has one customer with a coffee subscription to come."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    return Simulator(
        ShopBuilder(
            host=host,
            clock=FixedClock(START),
            policies=quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing)),
            ports={"billing": BillingPorts(plans=FixedPlans([COFFEE]), taxes=FlatTax("19"))},
        )
    )


async def with_anna(host: str) -> Simulator:
    time = simulator(host)
    order = Order(plan=COFFEE.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
    await time.shop.subscriptions.subscribe(CustomerId("anna"), order, request_id="o-1")
    return time


@pytest.mark.proves("SIM-3")
async def test_a_year_is_twelve_renewals_each_at_its_own_instant(host: str) -> None:
    time = await with_anna(host)
    await time.advance_to(START + timedelta(days=366))
    renewed = time.happened("subscriptions.subscription_renewed")
    assert len(renewed) == 12
    assert [event.occurred_at for event in renewed][:2] == [
        datetime(2031, 2, 27, 23, tzinfo=UTC),
        datetime(2031, 3, 30, 22, tzinfo=UTC),
    ]
    assert all(event.recorded_at == event.occurred_at for event in renewed)
    assert time.log[-1].startswith("2032-01-30 23:00  subscriptions.")


@pytest.mark.proves("RUN-13")
async def test_one_call_does_all_that_is_due_until_nothing_is_left(host: str) -> None:
    time = await with_anna(host)
    quiet = await time.shop.sweeping.sweep(worker=WorkerId("cron"))
    assert quiet == SweepReport(notices=1)
    await time.advance_by(timedelta(days=27))
    assert await time.shop.sweeping.sweep(worker=WorkerId("cron")) == SweepReport()
    assert await time.shop.sweeping.sweep_page(500, WorkerId("upkeep")) == 0
    tick = await time.shop.upkeep.tick()
    assert tick.finished


@pytest.mark.proves("SIM-4")
async def test_one_jump_tells_the_same_as_a_jump_a_day(host: str) -> None:
    jumped, stepped = await with_anna(host), await with_anna(host)
    await jumped.advance_by(timedelta(days=100))
    for _ in range(100):
        await stepped.advance_by(timedelta(days=1))
    assert [event.name for event in stepped.happened()] == [event.name for event in jumped.happened()]
    assert [event.occurred_at for event in stepped.happened()] == [event.occurred_at for event in jumped.happened()]


@pytest.mark.proves("SIM-3")
async def test_time_goes_forward_only(host: str) -> None:
    time = simulator(host)
    with pytest.raises(ClockWentBack):
        await time.advance_by(-timedelta(seconds=1))
    await time.advance_to(START)
