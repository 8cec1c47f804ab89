"""What the tests of passwords share."""

import attrs
import pytest

from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.testing.builders import BuiltShop, ShopBuilder
from shopaccounts.testing.doubles import LeakedPasswords, StaffRoom


@pytest.fixture
def staff() -> StaffRoom:
    """The shop's people."""
    return StaffRoom()


@pytest.fixture
def leaked() -> LeakedPasswords:
    """The list of leaked passwords; empty unless a test fills it."""
    return LeakedPasswords()


@pytest.fixture
def builder(host: str, staff: StaffRoom, leaked: LeakedPasswords) -> ShopBuilder:
    """A shop with agents and a list of leaked passwords."""
    return ShopBuilder(host=host, agents=staff, breached=leaked)


@pytest.fixture
def office(builder: ShopBuilder, staff: StaffRoom) -> BuiltShop:
    """The same shop on behalf of an agent."""
    staff.hire("eve", signed_in_at=builder.clock.now())
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    office = builder.build()
    builder.scope = Scope.single()
    return office
