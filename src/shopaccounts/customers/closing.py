"""Closing an account: what speaks against it, what gets lost, and when it is over.

* Before anything happens the customer sees the plan: what has to be settled first (blockers), what gets lost
  (warnings), and when the account will be closed. Planning changes nothing.
* Who closes an account although something gets lost says so by handing back the plan's fingerprint. A plan that has
  changed since is shown again.
* While something blocks it, a closing is refused, or, where the shop wants it so, waits until nothing does.
* Between the wish and the end lies a time of grace, in which the customer may stay. It fits into the month that the
  law gives for an erasure. [GDPR Art. 12(3), 17]
* What blocks is looked at again at the end.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Final, TypeAlias

import attrs

from shopaccounts.customers.errors import (
    ClosingLinkExpired,
    ClosingLinkInvalid,
    ClosingLinkStale,
    ClosingLinkUsed,
)
from shopaccounts.customers.model import Customer
from shopaccounts.customers.policy import LifecyclePolicy
from shopaccounts.kernel.canonical import canonical
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.security import Stamp
from shopaccounts.kernel.tickets import Purpose, Refusals
from shopaccounts.kernel.web import Landing

__all__ = [
    "CLOSE_ACCOUNT",
    "CLOSINGS",
    "Blocker",
    "Closing",
    "ClosingAsked",
    "ClosingDeferred",
    "ClosingOffer",
    "ClosingPlan",
    "ClosingStarted",
    "ClosingWarning",
    "CreditLeft",
    "Holding",
    "PointsLost",
    "SubscriptionEnds",
    "WishlistShared",
    "plan_closing",
]

CLOSE_ACCOUNT: Final = Purpose(
    "close_account",
    "cls",
    frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS, Stamp.FACTORS}),
    Refusals(ClosingLinkInvalid, ClosingLinkExpired, ClosingLinkUsed, ClosingLinkStale),
)
"""Proves that whoever closes an account reads its mailbox."""


class Blocker(Enum):
    """What has to be settled before an account can be closed."""

    ORDER_NOT_DELIVERED = "order_not_delivered"
    RETURN_OPEN = "return_open"
    INVOICE_UNPAID = "invoice_unpaid"
    DISPUTE_OPEN = "dispute_open"
    MERGE_RUNNING = "merge_running"


@attrs.frozen
class PointsLost:
    """Bonus points that lapse."""

    points: int


@attrs.frozen
class CreditLeft:
    """Credit that can't be spent any more."""

    amount: Money


@attrs.frozen
class SubscriptionEnds:
    """A subscription that ends with the account."""

    id: str


@attrs.frozen
class WishlistShared:
    """A wishlist that others can see now."""


ClosingWarning: TypeAlias = PointsLost | CreditLeft | SubscriptionEnds | WishlistShared
"""What gets lost with an account."""
Holding: TypeAlias = Blocker | ClosingWarning
"""What one context knows that matters when an account is closed."""


@attrs.frozen(kw_only=True)
class ClosingPlan:
    """What closing an account would mean.

    Args:
        blockers: What has to be settled first.
        warnings: What gets lost.
        closes_at: When the account would be closed if it were asked for now.
        fingerprint: Stands for blockers and warnings; handing it back says that one has seen them.
    """

    blockers: tuple[Blocker, ...]
    warnings: tuple[ClosingWarning, ...]
    closes_at: datetime
    fingerprint: str

    def is_accepted(self, fingerprint: str | None) -> bool:
        """Tell whether somebody who hands back *fingerprint* knows what gets lost."""
        return not self.warnings or fingerprint == self.fingerprint


@described(data_class="customer", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class Closing:
    """A customer's proven wish to leave.

    Args:
        id: Whose.
        asked_at: Since when.
        look_at: When the shop looks whether the account can be closed, or the time of grace can begin.
        deferred: Whether the time of grace waits until nothing blocks it.
    """

    id: AccountId
    realm: RealmId
    version: int = 1
    asked_at: datetime
    look_at: datetime
    deferred: bool = False


CLOSINGS = Book(name="closings", of=Closing, due=lambda c: c.look_at)


@attrs.frozen(kw_only=True)
class ClosingAsked:
    """A mail with the proof is on its way; nothing about the account has changed."""

    masked: str
    expires_at: datetime
    plan: ClosingPlan


@attrs.frozen(kw_only=True)
class ClosingOffer(Landing):
    """What the page of the link shows; looking changes nothing."""

    plan: ClosingPlan
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ClosingStarted:
    """The time of grace has begun, and every session has ended."""

    closes_at: datetime


@attrs.frozen(kw_only=True)
class ClosingDeferred:
    """The closing waits until nothing blocks it."""

    blockers: tuple[Blocker, ...]


def plan_closing(
    customer: Customer, holdings: Iterable[Holding], policy: LifecyclePolicy, now: datetime
) -> ClosingPlan:
    """Answer what closing the account of *customer* would mean.

    Args:
        customer: Who leaves.
        holdings: What each context answered; their order doesn't matter.
        policy: How long the time of grace is.
        now: When.
    """
    known = sorted(set(holdings), key=_words)
    blockers = tuple(holding for holding in known if isinstance(holding, Blocker))
    warnings = tuple(holding for holding in known if not isinstance(holding, Blocker))
    seen = canonical([customer.id, *(_words(holding) for holding in known)])
    return ClosingPlan(
        blockers=blockers,
        warnings=warnings,
        closes_at=now + policy.closing_grace,
        fingerprint=hashlib.sha256(seen.encode()).hexdigest(),
    )


def _words(holding: Holding) -> list[str]:
    match holding:
        case Blocker():
            return ["blocker", holding.value]
        case PointsLost(points):
            return ["points", str(points)]
        case CreditLeft(amount):
            return ["credit", amount.currency, str(amount.minor)]
        case SubscriptionEnds(id):
            return ["subscription", id]
        case WishlistShared():
            return ["wishlist"]
