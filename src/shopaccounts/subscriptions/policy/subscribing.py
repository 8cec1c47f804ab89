"""How a subscription begins."""

from datetime import timedelta
from enum import Enum

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["FirstPayment", "OneLivePer", "SubscribePolicy"]


class FirstPayment(Enum):
    """Whether a subscription runs before its first invoice is paid."""

    REQUIRED = "required"
    NOT_REQUIRED = "not_required"


class OneLivePer(Enum):
    """Of what a customer has one subscription at a time."""

    PLAN_GROUP = "plan_group"
    NONE = "none"


@attrs.frozen(kw_only=True)
class SubscribePolicy:
    """How a subscription begins.

    Args:
        first_payment: Whether it runs before its first invoice is paid.
        first_payment_timeout: How long it waits for that.
        one_live_per: Of what a customer has one at a time.
        furthest_start: How far in the future it may begin.
        guests: Whether somebody without an account may subscribe.

    Why these defaults:
        first_payment: REQUIRED, as Stripe's ``incomplete``.
        first_payment_timeout: 23 hours, as Stripe's ``incomplete_expired``.
        one_live_per: PLAN_GROUP; double clicks are a common report at several vendors.
        furthest_start: 366 days, of the house.
        guests: no, of the house: who pays again and again wants to see for what.
    """

    first_payment: FirstPayment = FirstPayment.REQUIRED
    first_payment_timeout: timedelta = timedelta(hours=23)
    one_live_per: OneLivePer = OneLivePer.PLAN_GROUP
    furthest_start: timedelta = timedelta(days=366)
    guests: bool = False

    def __attrs_post_init__(self) -> None:
        require(self.first_payment_timeout > timedelta(0), "a first payment takes some time")
        require(self.furthest_start >= timedelta(0), "a subscription doesn't begin in the past")
