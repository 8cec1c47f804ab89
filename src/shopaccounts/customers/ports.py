"""What the customers context asks of others."""

from typing import Protocol

from shopaccounts.customers.closing import Holding
from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.ids import AccountId

__all__ = ["ClosingObjections", "ErasureObjections"]


class ClosingObjections(Protocol):
    """What one part of the shop knows that matters when an account is closed.

    Promises:
        1. ``against`` answers the present state, changes nothing, and tells nothing twice.
        2. An account that it knows nothing of has nothing against it.
    """

    def against(self, account: AccountId) -> Answer[tuple[Holding, ...]]:
        """Answer what blocks the closing of this account, and what its owner would lose."""
        ...


class ErasureObjections(Protocol):
    """Whether one part of the shop has to keep something with a customer's name on it.

    Promises:
        1. ``require_erasable`` answers for the present state, and changes nothing.
        2. It lets a customer pass that it knows nothing of, and one that it has forgotten.
    """

    def require_erasable(self, account: AccountId) -> Answer[None]:
        """Let a customer be erased.

        Raises:
            Rejected: Something has to be kept for now; it says why, and until when if that is known.
        """
        ...
