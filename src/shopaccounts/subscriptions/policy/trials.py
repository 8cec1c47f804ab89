"""How trials work."""

from datetime import timedelta
from enum import Enum

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["OnMissingMethod", "OncePer", "TrialChange", "TrialCycles", "TrialPolicy"]


class OnMissingMethod(Enum):
    """What becomes of a trial that ends without a payment method."""

    CANCEL = "cancel"
    PAUSE = "pause"
    CREATE_INVOICE = "create_invoice"


class TrialCycles(Enum):
    """Into which periods a trial is cut."""

    WHOLE = "whole"
    """Into none: it is one period."""
    GRID = "grid"
    """Into the ordinary cycles of what comes after it, where the calendar or the customer's billing day makes them."""


class TrialChange(Enum):
    """When a trial ends after its plan was changed."""

    FROM_START = "from_start"
    KEEP_END = "keep_end"
    END_NOW = "end_now"


class OncePer(Enum):
    """How often a customer may try."""

    PLAN_GROUP = "plan_group"
    PLAN = "plan"


@attrs.frozen(kw_only=True)
class TrialPolicy:
    """How trials begin, end and are protected from abuse.

    Args:
        needs_payment_method: Whether a trial begins with a payment method only.
        on_missing_method: What becomes of one that ends without.
        cycles: Into which periods it is cut. Where a plan has billing days of its own, or the customer has none yet,
            there is nothing to cut by, and it is one period.
        cut_at_end: Where it is cut, whether the cycle in which it ends is cut as well; else that one is free in part.
        plan_change: When it ends after a change of plan.
        once_per: What a customer may try once.
        again_after: After how long it may be tried once more; None for never.
        without_if_used: Whether somebody who had a trial starts without one, instead of being refused.
        max_length: How long it may become by extensions.

    Why these defaults:
        needs_payment_method: no, of the house: asking for nothing is what makes people try.
        on_missing_method: CANCEL avoids a debt that nobody asked for; Stripe offers the same three.
        cycles: WHOLE, as Stripe does it.
        cut_at_end: yes, as Silver does it.
        plan_change: FROM_START, as Lago does it: hopping between plans lengthens no trial.
        once_per: PLAN_GROUP, of the house.
        again_after: never, of the house.
        without_if_used: no, of the house: nobody is charged who expects a trial.
        max_length: 366 days, of the house.
    """

    needs_payment_method: bool = False
    on_missing_method: OnMissingMethod = OnMissingMethod.CANCEL
    cycles: TrialCycles = TrialCycles.WHOLE
    cut_at_end: bool = True
    plan_change: TrialChange = TrialChange.FROM_START
    once_per: OncePer = OncePer.PLAN_GROUP
    again_after: timedelta | None = None
    without_if_used: bool = False
    max_length: timedelta = timedelta(days=366)

    def __attrs_post_init__(self) -> None:
        require(self.max_length > timedelta(0), "a trial lasts for some time")
        require(self.again_after is None or self.again_after > timedelta(0), "a trial comes again later, not at once")
