"""What the tests of use-cases share: a shop in the host of the test."""

from collections.abc import Iterator

import pytest

from shopaccounts.kernel import contact as contact_rules
from shopaccounts.registration import contact_care
from shopaccounts.testing.builders import BuiltShop, ShopBuilder


@pytest.fixture
def builder(host: str) -> ShopBuilder:
    """Everything that outlives a shop, in the host of the test."""
    return ShopBuilder(host=host)


@pytest.fixture
def shop(builder: ShopBuilder) -> BuiltShop:
    """A shop that has just opened."""
    return builder.build()


class Tomorrow:
    """What a shop of today hasn't: a newer version of keys."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def __call__(self) -> None:
        """Begin it."""
        self._patch.setattr(contact_rules, "KEY_VERSION", 2)
        self._patch.setattr(contact_care, "KEY_VERSION", 2)

    def undo(self) -> None:
        """End it."""
        self._patch.undo()


@pytest.fixture
def tomorrow() -> Iterator[Tomorrow]:
    """Begins, when it is called, what a shop of today hasn't."""
    with pytest.MonkeyPatch.context() as patch:
        yield Tomorrow(patch)
