"""How a shop changes its prices."""

from datetime import timedelta
from enum import Enum
from functools import cached_property
from typing import Final

import attrs

from shopaccounts.kernel.money import Rate
from shopaccounts.kernel.policy import require
from shopaccounts.subscriptions.laws.notice_rules import NoticeEffect, NoticeRule, NoticeTrigger, Offset
from shopaccounts.subscriptions.policy.notices import house_rule

__all__ = ["OnSilence", "PricePolicy"]

_DAY: Final = timedelta(days=1)


class OnSilence(Enum):
    """What becomes of a customer who was asked for consent to a new price and did not give it."""

    KEEP_OLD = "keep_old"
    CANCEL_AT_PERIOD_END = "cancel_at_period_end"


@attrs.frozen(kw_only=True)
class PricePolicy:
    """How long before, how much, and what silence means.

    Args:
        min_notice: How long a customer knows of a higher price before it is charged; whole local days.
        on_silence: What becomes of a customer who was asked for consent and did not give it.
        cap: By how much of the old price a price rises at most, at once; None for any.

    Why these defaults:
        min_notice: 14 days, inside California's 7 to 30 days.
            [California Business and Professions Code § 17602, AB 2863]
        on_silence: the old price stays; of the house, since silence is no consent.
        cap: none, of the house.

    Raises:
        BadPolicy: The notice is negative or not of whole days.
    """

    min_notice: timedelta = timedelta(days=14)
    on_silence: OnSilence = OnSilence.KEEP_OLD
    cap: Rate | None = None

    def __attrs_post_init__(self) -> None:
        require(self.min_notice >= timedelta(0), "a notice comes before the change")
        require(self.min_notice % _DAY == timedelta(0), "a notice is counted in whole days")

    @cached_property
    def rule(self) -> NoticeRule:
        """The notice that a higher price takes, wherever the customer is."""
        return house_rule(
            "shop.price_change",
            NoticeTrigger.PRICE_CHANGE,
            latest=Offset.days(self.min_notice // _DAY),
            effect=NoticeEffect.DEFERS_CHANGE,
        )
