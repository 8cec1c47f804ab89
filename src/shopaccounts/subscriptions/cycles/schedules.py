"""Schedules: the service periods that a cycle gives a subscription, from its start to its end.

The rules, in plain English:

* Service periods count from 0, the one that begins at the start. Period *i* lies in the cycle's own period of number
  ``cycle.index_on(start) + i``, its *nominal* period, which is found by the cycle and never by counting back.
* A service period that has not all the days of its nominal period is a *stub*: the first one, if the start is no
  boundary, and the last one, if the end is none.
* In advance a period is due from its first day on; in arrears when it has ended.
* The periods of a schedule touch, do not overlap, and cover every day from the start to the end.
* The history of a subscription is a tuple of *segments*, one for each cycle that it ever had. A new one is added at the
  end, the old ones stay as they are, and the numbers of the periods run on.
"""

from datetime import date, datetime, timedelta
from enum import Enum
from typing import Final, final

import attrs

from shopaccounts.kernel.cycles import BillingMode, Cycle, Period, period_billed_at
from shopaccounts.kernel.time import InvalidDateSequence, require_day, require_instant
from shopaccounts.subscriptions.cycles.billing_days import (
    BillingDay,
    CalendarDay,
    DayOfMonth,
    DayOfYear,
    GridDate,
    StartDay,
    Weekday,
    first_boundary,
    open_cycle,
)

__all__ = [
    "BillingDay",
    "BillingMode",
    "CalendarDay",
    "CycleRef",
    "DayOfMonth",
    "DayOfYear",
    "GridDate",
    "Schedule",
    "Segment",
    "SegmentReason",
    "ServicePeriod",
    "StartDay",
    "Weekday",
    "elapsed_cycles",
    "first_boundary",
    "open_cycle",
    "period_billed_at",
    "periods_due",
    "require_index",
    "service_period",
]

_ONE_DAY: Final = timedelta(days=1)


@final
@attrs.frozen
class ServicePeriod:
    """The days of one cycle of a subscription, from ``start``, included, to ``end``, excluded.

    Args:
        index: Its number, 0 for the first one of the subscription.
        segment: The number of the segment that it belongs to.
        start: Its first day.
        end: The day after its last one.
        nominal: The whole period of the cycle that it lies in.
        scheduled_start: Where it would begin if nobody had moved its boundary.
        scheduled_end: Where it would end if nobody had moved its boundary. What it costs goes by the scheduled days.

    Raises:
        InvalidDateSequence: It would end before it begins: the service has no such period.
    """

    index: int
    segment: int
    start: date
    end: date
    nominal: Period
    scheduled_start: date
    scheduled_end: date

    def __attrs_post_init__(self) -> None:
        if self.end <= self.start:
            raise InvalidDateSequence(self.start, self.end)

    @property
    def is_stub(self) -> bool:
        """Whether the schedule gives it fewer days than its nominal period has."""
        return self.scheduled_start != self.nominal.start or self.scheduled_end != self.nominal.end

    @property
    def is_moved(self) -> bool:
        """Whether it begins or ends on another day than the schedule says."""
        return self.start != self.scheduled_start or self.end != self.scheduled_end


@final
@attrs.frozen
class Schedule:
    """One cycle, and the days between which it is served.

    Args:
        cycle: Where the boundaries are.
        start: The first day of service.
        end: The day after the last one; on the start there are no periods.

    Raises:
        InvalidDateSequence: *end* is before *start*.
        TypeError: One of them is a datetime, or *cycle* is no ``Cycle``.
    """

    cycle: Cycle = attrs.field(validator=attrs.validators.instance_of(Cycle))
    start: date
    end: date | None = None

    def __attrs_post_init__(self) -> None:
        require_day(self.start)
        if self.end is not None and require_day(self.end) < self.start:
            raise InvalidDateSequence(self.start, self.end)

    @property
    def first(self) -> int:
        """Where service period 0 lies: the number of its nominal period in the cycle."""
        return self.cycle.index_on(self.start)


class SegmentReason(Enum):
    """Why a subscription began a new segment."""

    START = "start"
    TRIAL_END = "trial_end"
    RESET = "reset"
    RESUME = "resume"
    """After a pause; what was paid for had ended before."""
    EXTENSION = "extension"
    """The period before was made longer, and lasts until this segment begins."""
    BILLING_DAY = "billing_day"
    FREQUENCY = "frequency"
    ZONE = "zone"
    REACTIVATION = "reactivation"

    @property
    def follows_a_gap(self) -> bool:
        """Whether the period before may end earlier than this segment begins."""
        return self in _AFTER_A_GAP


_AFTER_A_GAP: Final = frozenset({SegmentReason.RESUME, SegmentReason.REACTIVATION})


@final
@attrs.frozen
class Segment:
    """A stretch of a subscription's history with one cycle; ``shopaccounts.subscriptions.cycles.segments`` opens them.

    Args:
        number: Its own, from 0; the later of two segments has the higher one.
        cycle: Where its boundaries are.
        first_index: The number of its first service period.
        start: The first local day of that period.
        start_instant: The instant at which it begins, in UTC.
        reason: Why it was opened.

    Raises:
        TypeError: *start* is a datetime, or *start_instant* has no zone of its own.
    """

    number: int
    cycle: Cycle
    first_index: int
    start: date = attrs.field(converter=require_day)
    start_instant: datetime = attrs.field(converter=require_instant)
    reason: SegmentReason
    shift: int = attrs.field(init=False, repr=False, eq=False)
    """How far the cycle's own numbers are ahead of those of its service periods; worked out once."""

    @shift.default
    def _shift(self) -> int:
        return self.cycle.index_on(self.start) - self.first_index


@final
@attrs.frozen
class CycleRef:
    """The address of one cycle of a subscription: what may be billed once."""

    subscription: str
    segment: int
    index: int


def require_index(index: int) -> int:
    """Answer the number of a period.

    Raises:
        TypeError: It is no int.
    """
    if type(index) is not int:
        msg = f"the number of a period is an int, not {index!r}"
        raise TypeError(msg)
    return index


def service_period(schedule: Schedule, index: int) -> ServicePeriod:
    """Answer the service period of a number; near or far, it costs the same.

    Raises:
        InvalidDateSequence: The schedule has no such period.
        DateOutOfRange: It lies outside the years 1 to 9999.
        TypeError: *index* is no int.
    """
    nominal = schedule.cycle.period(schedule.first + require_index(index))
    start = max(nominal.start, schedule.start)
    end = nominal.end if schedule.end is None else min(nominal.end, schedule.end)
    return ServicePeriod(index, 0, start, end, nominal, start, end)


def periods_due(schedule: Schedule, target: date, mode: BillingMode) -> tuple[ServicePeriod, ...]:
    """Answer the service periods that are to be billed by a day, oldest first.

    Args:
        schedule: Whose periods.
        target: The last day that counts.
        mode: Periods that have begun by then (in advance), or those that have ended (in arrears).

    Returns:
        Also a last period that the end cuts short; but none for a day that never existed in the zone.

    Raises:
        InvalidDateSequence: *target* is before the start.
        DateOutOfRange: One of them ends beyond the year 9999.
        TypeError: *target* is a datetime, or *mode* no ``BillingMode``.
    """
    if not isinstance(mode, BillingMode):
        msg = f"a billing mode is a BillingMode, not {mode!r}"
        raise TypeError(msg)
    if require_day(target) < schedule.start:
        raise InvalidDateSequence(schedule.start, schedule.end or target, target)
    count = elapsed_cycles(schedule, target) if mode is BillingMode.IN_ARREARS else _begun(schedule, target)
    first = schedule.first
    return tuple(service_period(schedule, i) for i in range(count) if not schedule.cycle.is_empty(first + i))


def elapsed_cycles(schedule: Schedule, target: date) -> int:
    """Count the service periods that have ended by a day, stubs included; none before the start.

    Raises:
        TypeError: *target* is a datetime.
    """
    if require_day(target) <= schedule.start:
        return 0
    if schedule.end is not None and schedule.end <= target:
        return _begun(schedule, schedule.end)
    return schedule.cycle.index_on(target) - schedule.first


def _begun(schedule: Schedule, target: date) -> int:
    """Count the periods that begin on *target*, which is not before the start, or earlier."""
    if schedule.end is not None and schedule.end <= target:
        if schedule.end == schedule.start:
            return 0
        target = schedule.end - _ONE_DAY
    return schedule.cycle.index_on(target) - schedule.first + 1
