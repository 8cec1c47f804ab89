"""When usage counts as reported, and at which amounts somebody is told."""

from datetime import timedelta

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.kernel.policy import require

__all__ = ["UsagePolicy"]


@attrs.frozen(kw_only=True)
class UsagePolicy:
    """How usage is billed that a meter counts.

    Args:
        usage_grace: How long after the end of a period reports of its usage are waited for.
        late_reports: How long after the last bill of usage that a subscription has late reports are waited for: then
            what they come to is billed for good. Nothing for not at all.
        alerts: Amounts; what one meter counts in one period is told once when it comes to one of them in its currency.

    Why these defaults:
        usage_grace: 1 hour, of the house: reports are sent in batches.
        late_reports: 7 days, of the house: whoever counts has a week for what was missed, and the customer then has the
            last word on what it cost.
        alerts: none; what is much differs from shop to shop.

    Raises:
        BadPolicy: The wait is negative, or an amount isn't above zero.
    """

    usage_grace: timedelta = timedelta(hours=1)
    late_reports: timedelta = timedelta(days=7)
    alerts: tuple[Money, ...] = ()

    def __attrs_post_init__(self) -> None:
        require(self.usage_grace >= timedelta(0), "usage is reported after it happened")
        require(self.late_reports >= timedelta(0), "late reports come after the bill")
        require(all(alert.minor > 0 for alert in self.alerts), "there is something to tell about an amount")
