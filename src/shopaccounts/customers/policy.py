"""How long the life of a customer record may pause."""

from datetime import timedelta

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["LifecyclePolicy"]


@attrs.frozen(kw_only=True)
class LifecyclePolicy:
    """When records that nobody finished lapse.

    Why these defaults:
        unverified_after: 30 days, of the house; OWASP ASVS 5.0 14.2.7 asks for a schedule.
    """

    unverified_after: timedelta = timedelta(days=30)

    def __attrs_post_init__(self) -> None:
        require(self.unverified_after > timedelta(0), "an unverified account lives for a while")
