"""When boxes go out, and what customers get for one that they paid for and didn't have."""

from enum import Enum

import attrs

from shopaccounts.subscriptions.plans.offers import ShipWhen

__all__ = ["DeliveryPolicy", "LostBox"]


class LostBox(Enum):
    """What becomes of a box that is paid for, and skipped or missed."""

    CREDIT = "credit"
    """What it cost goes to the customer's balance."""
    PUSH_BACK = "push_back"
    """It comes after the last box of its period, if there is a day left for it; else it is credited."""
    FORFEIT = "forfeit"
    """Nothing."""


@attrs.frozen(kw_only=True)
class DeliveryPolicy:
    """How boxes are handed over.

    Args:
        ship_when: Whether a box waits for its money, where the plan doesn't say.
        skipped: What becomes of a box that is paid for, and skipped or missed.

    Why these defaults:
        ship_when: when it is paid, of the house: what is shipped doesn't come back.
        skipped: a credit, of the house: nobody pays for what didn't come.
    """

    ship_when: ShipWhen = ShipWhen.PAID
    skipped: LostBox = LostBox.CREDIT
