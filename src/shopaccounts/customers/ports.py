"""What the customers context asks of others."""

from typing import Protocol

from shopaccounts.customers.closing import Holding
from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.ids import AccountId

__all__ = ["ClosingObjections"]


class ClosingObjections(Protocol):
    """What one part of the shop knows that matters when an account is closed.

    Promises:
        1. ``against`` answers the present state, changes nothing, and tells nothing twice.
        2. An account that it knows nothing of has nothing against it.
    """

    def against(self, account: AccountId) -> Answer[tuple[Holding, ...]]:
        """Answer what blocks the closing of this account, and what its owner would lose."""
        ...
