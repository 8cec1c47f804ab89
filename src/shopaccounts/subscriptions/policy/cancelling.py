"""How subscriptions end, and how their customers are won back."""

from datetime import timedelta
from enum import Enum

import attrs

from shopaccounts.kernel.policy import require
from shopaccounts.subscriptions.policy.pausing import Unused

__all__ = ["CancelPolicy", "CancelWhen", "WinBackAnchor", "WinBackPolicy"]


class CancelWhen(Enum):
    """When a cancelled subscription ends, unless the customer names a day."""

    NOW = "now"
    AT_PERIOD_END = "at_period_end"


class WinBackAnchor(Enum):
    """From where a subscription that was taken up again counts."""

    REANCHOR = "reanchor"
    KEEP_ANCHOR = "keep_anchor"


@attrs.frozen(kw_only=True)
class CancelPolicy:
    """How a subscription ends.

    Args:
        when: At once or at the end of the paid period, unless the customer says.
        unused: What becomes of the paid time that is left when it ends at once.
        notice_days: How many days before a boundary a cancellation must come to take effect at it.
        with_account: When the subscriptions of a customer end who closed the account; whoever is bound for longer stays
            until the minimum is over.

    Why these defaults:
        when: AT_PERIOD_END, as Stripe and Kill Bill do it.
        unused: KEEP, as Kill Bill does it.
        notice_days: none, of the house.
        with_account: AT_PERIOD_END, of the house: what was paid is served, and nobody pays for leaving. Stripe
            ends them at once when a customer is deleted.
    """

    when: CancelWhen = CancelWhen.AT_PERIOD_END
    unused: Unused = Unused.KEEP
    notice_days: int = 0
    with_account: CancelWhen = CancelWhen.AT_PERIOD_END

    def __attrs_post_init__(self) -> None:
        require(self.notice_days >= 0, "a notice isn't given afterwards")


@attrs.frozen(kw_only=True)
class WinBackPolicy:
    """How a subscription that ended is taken up again.

    Args:
        window: How long after its end.
        anchor: From where its cycles count then.
        settle_first: Whether its unpaid invoices are to be paid first.

    Why these defaults:
        window: 30 days, of the house.
        anchor: REANCHOR, of the house: who comes back pays from that day on.
        settle_first: yes, of the house.
    """

    window: timedelta = timedelta(days=30)
    anchor: WinBackAnchor = WinBackAnchor.REANCHOR
    settle_first: bool = True

    def __attrs_post_init__(self) -> None:
        require(self.window >= timedelta(0), "nobody comes back before they left")
