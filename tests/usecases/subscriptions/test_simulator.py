"""The simulator: a real shop, through the years, in one jump or day by day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.time import ClockWentBack, FixedClock
from shopaccounts.subscriptions import (
    DELIVERY_ROUNDS,
    INTENTS,
    INVOICES,
    NOTICE_AGENDAS,
    SUBSCRIPTIONS,
    BillingPorts,
    Order,
    SubscriptionPolicy,
    SweepReport,
)
from shopaccounts.subscriptions.payments.charging import Charged, Declined, DeclineKind
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, Goods
from shopaccounts.subscriptions.policy.dunning import DunningPolicy, OnExhausted
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.gateway import ScriptedGateway
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


@pytest.mark.proves("RUN-3", "KER-142")
@pytest.mark.parametrize("answer", [Charged("ok"), Declined(DeclineKind.HARD, "stolen")])
async def test_nothing_that_was_worked_off_is_claimed_any_more(host: str, answer: Charged | Declined) -> None:
    """A renewal, its payment, its box, its agenda and its invoice: each is free with the write that ends the work."""
    boxes = flat_plan("17.90", goods=Goods.PHYSICAL, deliveries=DeliveryPlan(interval=Interval.months(1)))
    gateway = ScriptedGateway()
    outcome: Any = answer
    billing = BillingPorts(plans=FixedPlans([boxes]), gateway=gateway)
    dunning = SubscriptionPolicy(dunning=DunningPolicy(on_exhausted=OnExhausted.KEEP))
    builder: Any = ShopBuilder(
        host=host, clock=FixedClock(START), policies=quick_policies(subscriptions=dunning), ports={"billing": billing}
    )
    time = Simulator(builder)
    order = Order(plan=boxes.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
    await time.shop.subscriptions.subscribe(CustomerId("anna"), order, request_id="o-1")
    gateway.cards["card-1"] = outcome
    seen = set[str]()
    books: tuple[Any, ...] = (SUBSCRIPTIONS, INTENTS, INVOICES, NOTICE_AGENDAS, DELIVERY_ROUNDS)
    while time.now < START + timedelta(days=65):
        kept = builder.storage.snapshot()["main"].books
        dues = [book.due(one) for book in books for one in kept.get(book.name, {}).values()]
        await time.advance_to(min(due for due in dues if due is not None and due > time.now))
        claims = builder.storage.snapshot()["main"].claims
        assert [place for place, claim in claims.items() if claim.until > time.now] == []
        seen |= {book for book, _ in claims}
    charged = isinstance(answer, Charged)  # then nobody is chased
    assert seen == {book.name for book in books if book is not INVOICES or not charged}
