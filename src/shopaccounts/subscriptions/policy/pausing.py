"""How subscriptions are paused, and single cycles left out."""

from datetime import timedelta
from enum import Enum

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["AtLimit", "OnResume", "PauseHow", "PausePolicy", "SkipPolicy", "Unused"]


class PauseHow(Enum):
    """From when on a subscription pauses."""

    NOW = "now"
    AT_PERIOD_END = "at_period_end"


class Unused(Enum):
    """What becomes of paid time that isn't used: nothing, a credit to the balance, or money back."""

    KEEP = "keep"
    CREDIT = "credit"
    REFUND = "refund"


class OnResume(Enum):
    """From where on a resumed subscription counts."""

    KEEP_ANCHOR = "keep_anchor"
    REANCHOR = "reanchor"
    EXTEND = "extend"


class AtLimit(Enum):
    """What becomes of a pause that nobody ends."""

    RESUME = "resume"
    CANCEL = "cancel"


@attrs.frozen(kw_only=True)
class PausePolicy:
    """How a pause begins and ends, and how often there may be one.

    Args:
        how: From when on, unless the customer says.
        unused: What becomes of the paid days that a pause interrupts; KEEP or CREDIT.
        on_resume: From where on it counts afterwards.
        at_limit: What becomes of a pause of which nobody said when it ends, when it reaches ``max_length``.
        max_length: How long it may last.
        max_pauses_per_year: How many may begin within a year.
        min_between: How long after the end of one the next may begin.

    Why these defaults:
        how, unused, on_resume, at_limit: as Recurly does it.
        max_length: 90 days, of the house.
        max_pauses_per_year: 2, of the house.
        min_between: nothing, of the house.
    """

    how: PauseHow = PauseHow.AT_PERIOD_END
    unused: Unused = Unused.KEEP
    on_resume: OnResume = OnResume.KEEP_ANCHOR
    at_limit: AtLimit = AtLimit.RESUME
    max_length: timedelta = timedelta(days=90)
    max_pauses_per_year: int = 2
    min_between: timedelta = timedelta(0)

    def __attrs_post_init__(self) -> None:
        require(self.unused is not Unused.REFUND, "a pause pays no money back")
        require(self.max_length > timedelta(0), "a pause lasts for some time")
        require(self.max_pauses_per_year >= 0, "a number of pauses isn't below zero")
        require(self.min_between >= timedelta(0), "a pause doesn't begin before the last one")


@attrs.frozen(kw_only=True)
class SkipPolicy:
    """How many cycles may be left out, and until when.

    Args:
        max_successive_skips: How many in a row.
        max_skips_per_year: How many within a year.
        cut_off_days_digital: How many days before a cycle begins it can be left out, for what isn't shipped.
        cut_off_days_physical: The same for what is shipped.
        furthest_ahead: How many cycles ahead.

    Why these defaults:
        max_successive_skips: 1, as Solidus does it.
        max_skips_per_year: 6, of the house.
        cut_off_days_digital, cut_off_days_physical: 0 and 3, of the house: a box has to be packed.
        furthest_ahead: 12, of the house.
    """

    max_successive_skips: int = 1
    max_skips_per_year: int = 6
    cut_off_days_digital: int = 0
    cut_off_days_physical: int = 3
    furthest_ahead: int = 12

    def __attrs_post_init__(self) -> None:
        counts = attrs.astuple(self)
        require(all(count >= 0 for count in counts), "skips and days aren't below zero")
