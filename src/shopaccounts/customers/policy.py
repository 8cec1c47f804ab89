"""How long the life of a customer record may pause, and how long its owner may object to what happened."""

from datetime import timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["BlockedClosing", "LifecyclePolicy", "NoticePolicy"]


class BlockedClosing(Enum):
    """What becomes of the wish to close an account while something blocks it."""

    REFUSE = "refuse"
    DEFER = "defer"


LONGEST_GRACE: Final = timedelta(days=28)
"""Fits into every month: the law gives one for an erasure. [GDPR Art. 12(3)]"""


@attrs.frozen(kw_only=True)
class LifecyclePolicy:
    """When records that nobody finished lapse, and how an account is closed.

    Why these defaults:
        unverified_after: 30 days, of the house; OWASP ASVS 5.0 14.2.7 asks for a schedule.
        closing_grace: 14 days to stay after all, of the house; at most 28, so that it fits into the one month of GDPR
            Art. 12(3).
        reopen_window: 30 days after the account was closed, of the house.
        sign_in_cancels_closing: no, of the house: a thief's sign-in must not undo the owner's wish.
        closing_with_blockers: refused, of the house.
    """

    unverified_after: timedelta = timedelta(days=30)
    closing_grace: timedelta = timedelta(days=14)
    reopen_window: timedelta = timedelta(days=30)
    sign_in_cancels_closing: bool = False
    closing_with_blockers: BlockedClosing = BlockedClosing.REFUSE

    def __attrs_post_init__(self) -> None:
        nothing = timedelta(0)
        require(self.unverified_after > nothing, "an unverified account lives for a while")
        require(nothing <= self.closing_grace <= LONGEST_GRACE, "an account is closed within 28 days [GDPR 12(3)]")
        require(nothing <= self.reopen_window, "an account can't be reopened before it is closed")


@attrs.frozen(kw_only=True)
class NoticePolicy:
    """What owners are told about their accounts.

    Why these defaults:
        link_life: 14 days to object, long enough for a holiday; of the house.
    """

    link_life: timedelta = timedelta(days=14)

    def __attrs_post_init__(self) -> None:
        require(timedelta(days=1) <= self.link_life <= timedelta(days=30), "one may object for 1 to 30 days")
