"""What the stories of abuse share: a shop as its customers see it, and the two people in every story."""

import pytest

from shopaccounts.testing.builders import BuiltShop, ShopBuilder


@pytest.fixture
def builder(host: str) -> ShopBuilder:
    """Everything that outlives a shop, in the host of the test."""
    return ShopBuilder(host=host)


@pytest.fixture
def shop(builder: ShopBuilder) -> BuiltShop:
    """A shop that has just opened."""
    return builder.build()
