"""How the billing run works, and what it does after an outage."""

from datetime import timedelta
from typing import Final

import attrs

from shopaccounts.kernel.policy import require
from shopaccounts.subscriptions.plans.offers import CatchUpMode, Goods

__all__ = ["MOST_PERIODS", "CatchUpPolicy", "RunPolicy"]

MOST_PERIODS: Final = 60
"""More periods than these are never billed without a person."""
_MOST_AT_ONCE: Final = 500
_SHORTEST_LEASE: Final = timedelta(seconds=30)


@attrs.frozen(kw_only=True)
class CatchUpPolicy:
    """What happens to several periods that are due at once.

    Args:
        digital: For what isn't shipped.
        physical: For what is shipped.
        cap: How many periods of a subscription are billed in one go; the rest follows in the next.
        hold_over: With more periods than these a person decides; None for no such limit below 60.

    Why these defaults:
        digital: EACH: the service was there all the while.
        physical: LATEST_ONLY: boxes don't pile up.
        cap: 12, of the house.
        hold_over: none, of the house.
    """

    digital: CatchUpMode = CatchUpMode.EACH
    physical: CatchUpMode = CatchUpMode.LATEST_ONLY
    cap: int = 12
    hold_over: int | None = None

    def __attrs_post_init__(self) -> None:
        require(1 <= self.cap <= MOST_PERIODS, f"1 to {MOST_PERIODS} periods are billed in one go")
        require(self.hold_over is None or self.hold_over >= 1, "one period that is due is no backlog")

    def mode(self, goods: Goods) -> CatchUpMode:
        """Answer what happens to goods of a kind."""
        return self.physical if goods is Goods.PHYSICAL else self.digital


@attrs.frozen(kw_only=True)
class RunPolicy:
    """How the billing run goes through what is due.

    Args:
        limit: How many subscriptions are worked on at once.
        lease: How long a worker has for them before another may take them.
        spread: Within which time after midnight the accounts of a shop are billed, each at its own moment.
        bill_ahead_days: How many days before a period begins its invoice is written.

    Why these defaults:
        limit: 500, of the house: many times the speed of one row at a time, and little memory.
        lease: 5 minutes, of the house.
        spread, bill_ahead_days: none, of the house.
    """

    limit: int = 500
    lease: timedelta = timedelta(minutes=5)
    spread: timedelta = timedelta(0)
    bill_ahead_days: int = 0

    def __attrs_post_init__(self) -> None:
        require(1 <= self.limit <= _MOST_AT_ONCE, f"1 to {_MOST_AT_ONCE} subscriptions are worked on at once")
        require(self.lease >= _SHORTEST_LEASE, "the clocks of two hosts differ by some seconds")
        require(timedelta(0) <= self.spread < timedelta(days=1), "invoices are spread over less than a day")
        require(self.bill_ahead_days >= 0, "nothing is billed ahead of time by fewer than no days")
