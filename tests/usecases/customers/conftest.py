"""What these tests share: a shop with an agent in its office."""

import attrs
import pytest

from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.testing.builders import BuiltShop, ShopBuilder, quick_policies, without_gaps
from shopaccounts.testing.doubles import StaffRoom

EVE = Actor(ActorKind.AGENT, "eve")


@pytest.fixture
def staff() -> StaffRoom:
    """The shop's own people; Eve may do everything."""
    room = StaffRoom()
    room.hire("eve")
    return room


@pytest.fixture
def builder(host: str, staff: StaffRoom) -> ShopBuilder:
    """Everything that outlives a shop, in the host of the test."""
    return ShopBuilder(host=host, agents=staff, policies=quick_policies(sends=without_gaps()))


@pytest.fixture
def office(builder: ShopBuilder) -> BuiltShop:
    """The same shop on behalf of an agent."""
    builder.scope = attrs.evolve(builder.scope, actor=EVE)
    office = builder.build()
    builder.scope = Scope.single()
    return office
