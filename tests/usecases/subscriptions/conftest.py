"""A shop that sells a coffee subscription, to a customer with a card."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.staff import Permission
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import BillingPorts
from shopaccounts.subscriptions.usecases.orders import Order
from shopaccounts.subscriptions.usecases.subscribing import SubscribeAnswer
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import BuiltShop, ShopBuilder
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.gateway import ScriptedGateway
from shopaccounts.testing.subscribers import flat_plan

ANN = CustomerId("ann")
START = datetime(2031, 1, 31, 12, tzinfo=UTC)
COFFEE = flat_plan("17.90")


@attrs.frozen
class CoffeeShop:
    """A shop with plans, and short ways to where a test begins."""

    builder: ShopBuilder
    shop: BuiltShop

    def order(self, **more: Any) -> Order:
        """An order by somebody in Berlin, who pays by card."""
        usual = Order(plan=COFFEE.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
        return attrs.evolve(usual, **more)

    async def subscribed(
        self, wanted: Order | None = None, customer: CustomerId = ANN, key: str = "o-1"
    ) -> SubscribeAnswer:
        """Subscribe a customer."""
        return await self.shop.subscriptions.subscribe(customer, wanted or self.order(), request_id=key)


@pytest.fixture
def plans() -> FixedPlans:
    """What the shop sells."""
    return FixedPlans([COFFEE])


@pytest.fixture
def builder(host: str, plans: FixedPlans) -> ShopBuilder:
    """Everything that outlives a shop, in the host of the test."""
    billing = BillingPorts(plans=plans, taxes=FlatTax("19"))
    return ShopBuilder(host=host, clock=FixedClock(START), ports={"billing": billing})


@pytest.fixture
def coffee(builder: ShopBuilder) -> CoffeeShop:
    """The shop that has just opened."""
    return CoffeeShop(builder, builder.build())


@pytest.fixture
def gateway() -> ScriptedGateway:
    """The bank that moves money."""
    return ScriptedGateway()


@pytest.fixture
def till(builder: ShopBuilder, gateway: ScriptedGateway) -> CoffeeShop:
    """The shop, with a gateway that takes its money."""
    builder.ports = {"billing": attrs.evolve(builder.ports["billing"], gateway=gateway)}
    return CoffeeShop(builder, builder.build())


@pytest.fixture
def staff(builder: ShopBuilder) -> StaffRoom:
    """The shop's own people."""
    builder.agents = StaffRoom()
    return builder.agents


def acting(builder: ShopBuilder, agent: str) -> BuiltShop:
    """The same shop, on behalf of one of its people."""
    was, builder.scope = builder.scope, attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, agent))
    shop = builder.build()
    builder.scope = was
    return shop


@pytest.fixture
def clerk(staff: StaffRoom, till: CoffeeShop) -> BuiltShop:
    """The shop with a gateway, on behalf of Eve, who looks after bills and nothing else."""
    staff.hire("eve", [Permission.BILLING])
    return acting(till.builder, "eve")


@pytest.fixture
def others(staff: StaffRoom, till: CoffeeShop) -> tuple[BuiltShop, ...]:
    """The shop on behalf of those who may not: Tom, who does all but that; a stranger; a customer."""
    staff.hire("tom", set(Permission) - {Permission.BILLING})
    return acting(till.builder, "tom"), acting(till.builder, "nobody"), till.shop
