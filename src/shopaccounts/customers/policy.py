"""How long the life of a customer record may pause."""

from datetime import timedelta

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["LifecyclePolicy", "NoticePolicy"]


@attrs.frozen(kw_only=True)
class LifecyclePolicy:
    """When records that nobody finished lapse.

    Why these defaults:
        unverified_after: 30 days, of the house; OWASP ASVS 5.0 14.2.7 asks for a schedule.
    """

    unverified_after: timedelta = timedelta(days=30)

    def __attrs_post_init__(self) -> None:
        require(self.unverified_after > timedelta(0), "an unverified account lives for a while")


@attrs.frozen(kw_only=True)
class NoticePolicy:
    """What owners are told about their accounts.

    Why these defaults:
        link_life: 14 days to object, long enough for a holiday; of the house.
    """

    link_life: timedelta = timedelta(days=14)

    def __attrs_post_init__(self) -> None:
        require(timedelta(days=1) <= self.link_life <= timedelta(days=30), "one may object for 1 to 30 days")
