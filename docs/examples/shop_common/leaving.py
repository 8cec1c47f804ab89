"""What speaks against closing an account, in the customer's words."""

from typing import assert_never

from shop_common.catalogue import price_tag
from shopaccounts.customers import Blocker, CreditLeft, Holding, PointsLost, SubscriptionEnds, WishlistShared

__all__ = ["reason_to_stay"]


def reason_to_stay(holding: Holding) -> str:
    """Answer what has to be settled first, or gets lost."""
    match holding:
        case Blocker():
            return holding.value.replace("_", " ").capitalize()
        case PointsLost(points):
            return f"{points} bonus points"
        case CreditLeft(amount):
            return f"{price_tag(amount)} of credit"
        case SubscriptionEnds():
            return "A subscription"
        case WishlistShared():
            return "A wishlist that others can see"
        case _:
            assert_never(holding)
