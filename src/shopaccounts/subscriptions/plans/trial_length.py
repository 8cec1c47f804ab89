"""How long a trial lasts, and the periods around its end.

The rules, in plain English:

* A trial ends at the wall time at which it began, so many local days or months later. It is compared as an instant,
  and nothing is due before it.
* A trial of so many cycles lasts so many intervals of its plan.
"""

from datetime import datetime

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.time import Zone, add_days, add_months, instant_of, local_date
from shopaccounts.subscriptions.plans.phases import Cycles, Days, Length, Months

__all__ = ["trial_end", "trial_interval"]


def trial_interval(length: Length | None, interval: Interval) -> Interval:
    """Answer the length of a trial as an interval; so many cycles are so many intervals of the plan."""
    match length:
        case Days(count):
            return Interval.days(count)
        case Months(count):
            return Interval.months(count)
        case Cycles(count):
            return Interval(interval.count * count, interval.unit)
        case None:
            return interval


def trial_end(start: datetime, length: Length, zone: Zone, interval: Interval) -> datetime:
    """Answer when a trial ends: at the wall time of its start, so many local days or months later.

    Args:
        start: When it begins.
        length: How long it lasts.
        zone: Where its days are.
        interval: How long a cycle of the plan is.

    Raises:
        DateOutOfRange: It lies beyond the year 9999.
        TypeError: *start* has no zone of its own.
    """
    whole = trial_interval(length, interval)
    if whole.total_days:
        return add_days(start, whole.total_days, zone)
    day = add_months(local_date(start, zone), whole.total_months)
    return instant_of(day, start.astimezone(zone.info).time(), zone)
