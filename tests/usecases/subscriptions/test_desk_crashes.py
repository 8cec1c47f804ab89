"""The machine stops in the middle of a clerk's act: nothing is lost or done twice, and asking again ends well."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import BillingPorts, HoldMode, Order, RunningElsewhere, SubscriptionPolicy
from shopaccounts.subscriptions.plans.discounts import Discount, Once, Percent
from shopaccounts.subscriptions.plans.offers import CatchUpMode
from shopaccounts.subscriptions.policy.running import CatchUpPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.subscribers import EUR, flat_plan
from tests.usecases.crashing import assert_ends_well

ANN, WHY, COFFEE = CustomerId("ann"), "she rang us", flat_plan("17.90")
START = datetime(2031, 1, 31, 12, tzinfo=UTC)
POLICY = SubscriptionPolicy(
    subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED),
    catch_up=CatchUpPolicy(digital=CatchUpMode.HOLD),
)
SORRY = Discount(code="SORRY", kind=Percent(Rate.percent(10)), duration=Once())
KEY = {"request_id": "k-1"}


class World:
    """What survives a crash."""

    def __init__(self, host: str) -> None:
        staff = StaffRoom()
        staff.hire("eve")
        self.builder: Any = ShopBuilder(
            host=host,
            clock=FixedClock(START),
            agents=staff,
            policies=quick_policies(subscriptions=POLICY),
            ports={"billing": BillingPorts(plans=FixedPlans([COFFEE]), taxes=FlatTax("19"))},
        )
        self.builder.scope = attrs.evolve(self.builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
        self.made: Any = None

    def rows(self, name):
        return tuple(self.builder.storage.snapshot()["main"].books[name].values())


async def subscribed(world, days=0):
    order = Order(plan=COFFEE.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
    shop = world.builder.build()
    world.made = await shop.subscriptions.subscribe(ANN, order, request_id="o-1")
    world.builder.clock.advance(timedelta(days=days))
    if days:
        await shop.billing.run_billing(worker="w")


async def nothing(_world):
    return None


async def held(world):
    await subscribed(world, 31 * 30)


ACTS = {
    "give_goodwill": (
        subscribed,
        lambda shop, _: shop.document_desk.give_goodwill(ANN, Money.of("5", EUR), WHY, **KEY),
    ),
    "issue_credit_note": (
        subscribed,
        lambda shop, made: shop.document_desk.issue_credit_note(made.invoice.id, {1: Money.of("5", EUR)}, WHY, **KEY),
    ),
    "void_invoice": (
        subscribed,
        lambda shop, made: shop.document_desk.void_invoice(made.invoice.id, WHY, rebill=True, **KEY),
    ),
    "write_off": (subscribed, lambda shop, made: shop.document_desk.write_off(made.invoice.id, WHY, **KEY)),
    "apply_discount": (
        subscribed,
        lambda shop, made: shop.billing_desk.apply_discount(made.subscription.id, SORRY, WHY, now=True, **KEY),
    ),
    "change_zone": (subscribed, lambda shop, _: shop.billing_desk.change_zone(ANN, "Asia/Tokyo", WHY, **KEY)),
    "lock_price": (
        subscribed,
        lambda shop, made: shop.billing_desk.lock_price(made.subscription.id, date(2033, 1, 1), WHY, **KEY),
    ),
    "resolve_hold": (
        held,
        lambda shop, made: shop.billing_desk.resolve_hold(made.subscription.id, HoldMode.EACH, WHY, **KEY),
    ),
    "import_subscription": (
        nothing,
        lambda shop, _: shop.subscription_imports.import_subscription(
            RunningElsewhere(
                customer=ANN, plan=COFFEE.id, currency="EUR", zone="Europe/Berlin", period_start=date(2031, 1, 15)
            ),
            WHY,
            **KEY,
        ),
    ),
}


@pytest.mark.proves("INV-7", "INV-12", "RUN-8", "SUB-9")
@pytest.mark.parametrize("act", ACTS)
async def test_an_interrupted_act_ends_well_when_it_is_asked_for_again(host, act) -> None:
    prepare, work = ACTS[act]

    async def begin():
        world = World(host)
        await prepare(world)
        return world

    async def perform(world, wrap):
        await work(world.builder.build(wrap), world.made)

    await assert_ends_well(begin, perform)
