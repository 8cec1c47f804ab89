"""Cycles: days that repeat by the month, week, day or year, and the periods between them.

The rules, in plain English:

* A cycle has an *anchor* and an *interval*. Boundary number n is computed from the anchor, never from the boundary
  before it, so that a customer who joined on the 31st pays on the last day of a short month and on the 31st again after
  it.
* The day of an anchor is nominal: 31 means "the 31st, or the last day of a shorter month", in February too. The 28th is
  the 28th; it does not mean "the last day".
* A boundary is an instant as well: the anchor's wall time on that day, in the anchor's zone.
* Period n runs from boundary n, which belongs to it, to boundary n + 1, which does not: periods touch, without overlap.
* A period that has no length, because its only day never existed in that zone, is never billed.
* Something is due from its boundary on, for ever. A day on which nobody looked does not make it less due.
"""

from datetime import MINYEAR, date, datetime, time, timedelta
from enum import Enum
from typing import Self, final

import attrs

from shopaccounts.kernel._intervals import Interval, Unit
from shopaccounts.kernel.time import (
    BadAnchor,
    DateOutOfRange,
    InvalidDateSequence,
    Zone,
    days_in_month,
    instant_of,
    local_date,
    require_day,
    require_instant,
    zone,
)

__all__ = [
    "Anchor",
    "BillingMode",
    "Cycle",
    "Interval",
    "Period",
    "Unit",
    "adopt_cycle",
    "period_billed_at",
    "whole_periods",
]

_ONE_DAY = timedelta(days=1)
_MONTHS_IN_YEAR = 12
_LONGEST_MONTH = 31
_EVERY_MONTH_HAS = 28
_MIDNIGHT = time(0)


class BillingMode(Enum):
    """Whether a period is paid for when it begins or when it has ended."""

    IN_ADVANCE = "in_advance"
    IN_ARREARS = "in_arrears"


@final
@attrs.frozen(kw_only=True)
class Anchor:
    """The day from which a cycle counts, and the wall time at which its periods change.

    Args:
        year: 1 to 9999.
        month: 1 to 12.
        day: 1 to 31 whatever the month: 31 February means "the 31st, or the last day of a shorter month".
        at: The wall time of every boundary, without a zone of its own.
        zone: Where that wall time holds.

    Raises:
        BadAnchor: A number is out of range, or *at* has a zone.
        TypeError: *at* is no ``time``, or *zone* no ``Zone``.
    """

    year: int
    month: int
    day: int
    at: time = attrs.field(default=_MIDNIGHT, validator=attrs.validators.instance_of(time))
    zone: Zone = attrs.field(validator=attrs.validators.instance_of(Zone))

    def __attrs_post_init__(self) -> None:
        possible = 1 <= self.day <= _LONGEST_MONTH and 1 <= self.month <= _MONTHS_IN_YEAR
        if not possible or not MINYEAR <= self.year <= date.max.year or self.at.tzinfo is not None:
            raise BadAnchor(str(self))

    def __str__(self) -> str:
        """Answer year, month, nominal day and wall time as one text."""
        return f"{self.year:04d}-{self.month:02d}-{self.day:02d}T{self.at.isoformat()}"

    @classmethod
    def on(cls, day: date, zone: Zone, at: time = _MIDNIGHT) -> Self:
        """Answer the anchor on a real day.

        Raises:
            BadAnchor: *at* has a zone.
            TypeError: *day* is a datetime, or *zone* is no ``Zone``.
        """
        require_day(day)
        return cls(year=day.year, month=day.month, day=day.day, at=at, zone=zone)


@final
@attrs.frozen
class Period:
    """The days from ``start``, included, to ``end``, excluded; ``index`` is its number in the cycle.

    Raises:
        InvalidDateSequence: ``end`` is not after ``start``.
    """

    index: int
    start: date
    end: date

    def __attrs_post_init__(self) -> None:
        if self.end <= self.start:
            raise InvalidDateSequence(self.start, self.end)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    def contains(self, day: date) -> bool:
        """Tell whether *day* is one of its days.

        Raises:
            TypeError: *day* is a datetime.
        """
        return self.start <= require_day(day) < self.end


@final
@attrs.frozen
class Cycle:
    """Boundaries that repeat from an anchor, in both directions, and the periods between them.

    Every answer is computed from the anchor in a few steps, however far away the boundary is. Answers outside the years
    1 to 9999 are refused with ``DateOutOfRange``.

    Args:
        anchor: Where boundary 0 is. Its day of the month is the one that all boundaries aim at.
        interval: How far it is from one boundary to the next.

    Raises:
        BadAnchor: The interval counts days or weeks, and the anchor's day does not exist in its month.
    """

    anchor: Anchor
    interval: Interval
    # What boundary() needs, worked out once: a billing run asks for boundaries by the hundred thousand.
    _nominal: int = attrs.field(init=False, repr=False, eq=False)
    _months: int = attrs.field(init=False, repr=False, eq=False)
    _days: int = attrs.field(init=False, repr=False, eq=False)
    _origin: int = attrs.field(init=False, repr=False, eq=False)

    @_nominal.default
    def _nominal_day(self) -> int:
        return self.anchor.day

    @_months.default
    def _step_in_months(self) -> int:
        return self.interval.total_months

    @_days.default
    def _step_in_days(self) -> int:
        return self.interval.total_days

    @_origin.default
    def _count_from(self) -> int:
        """Number the anchor's month, or its day, from the beginning of the calendar."""
        anchor = self.anchor
        if self.interval.total_months:
            return anchor.year * _MONTHS_IN_YEAR + anchor.month - 1
        try:
            return date(anchor.year, anchor.month, anchor.day).toordinal()
        except ValueError:
            raise BadAnchor(str(anchor)) from None

    def boundary(self, n: int) -> date:
        """Answer the local day on which period *n* begins; *n* may be negative.

        Raises:
            DateOutOfRange: It lies outside the years 1 to 9999.
        """
        try:
            if not self._months:
                return date.fromordinal(self._origin + n * self._days)
            year, month = divmod(self._origin + n * self._months, 12)
            day = self._nominal
            if day > _EVERY_MONTH_HAS:
                day = min(day, days_in_month(year, month + 1))
            return date(year, month + 1, day)
        except (ValueError, OverflowError):
            raise DateOutOfRange from None

    def boundary_instant(self, n: int) -> datetime:
        """Answer the instant at which period *n* begins: the anchor's wall time on ``boundary(n)``, in UTC.

        Raises:
            DateOutOfRange: It lies outside the years 1 to 9999.
        """
        anchor = self.anchor
        return instant_of(self.boundary(n), anchor.at, anchor.zone)

    def period(self, n: int) -> Period:
        """Answer period *n*, from ``boundary(n)`` to ``boundary(n + 1)``.

        Raises:
            DateOutOfRange: One of the two lies outside the years 1 to 9999.
        """
        return Period(n, self.boundary(n), self.boundary(n + 1))

    def index_on(self, day: date) -> int:
        """Answer the number of the period that *day* is in: the greatest n with ``boundary(n) <= day``.

        Raises:
            TypeError: *day* is a datetime.
        """
        return self._place(day)[0]

    def _place(self, day: date) -> tuple[int, bool]:
        """Tell which period *day* is in, and whether it is the first day of it."""
        require_day(day)
        if not self._months:
            index, rest = divmod(day.toordinal() - self._origin, self._days)
            return index, not rest
        index, rest = divmod(day.year * 12 + day.month - 1 - self._origin, self._months)
        if rest:
            return index, False
        first = min(self._nominal, days_in_month(day.year, day.month))
        return (index - 1, False) if day.day < first else (index, day.day == first)

    def index_at(self, at: datetime) -> int:
        """Answer the number of the period that an instant is in: the greatest n with ``boundary_instant(n) <= at``.

        Raises:
            TypeError: *at* has no zone of its own.
            DateOutOfRange: *at* is within a day of the end of the calendar.
        """
        now = require_instant(at)
        today = local_date(now, self.anchor.zone)
        index = self.index_on(today)
        if self.boundary_instant(index) > now:
            return index - 1
        # Clocks set back across midnight show yesterday's date again, after the boundary.
        if self._begins_after(today) and self.boundary_instant(index + 1) <= now:
            return index + 1
        return index

    def _begins_after(self, day: date) -> bool:
        try:
            return self._place(day + _ONE_DAY)[1]
        except OverflowError:
            raise DateOutOfRange from None

    def next_boundary(self, after: date) -> date:
        """Answer the first boundary strictly after the day *after*.

        Raises:
            DateOutOfRange: It lies beyond the year 9999.
            TypeError: *after* is a datetime.
        """
        return self.boundary(self.index_on(after) + 1)

    def boundary_on_or_after(self, day: date) -> date:
        """Answer *day* if it is a boundary, else the next one.

        Raises:
            DateOutOfRange: It lies beyond the year 9999.
            TypeError: *day* is a datetime.
        """
        index, is_boundary = self._place(day)
        return day if is_boundary else self.boundary(index + 1)

    def is_billing_day(self, at: datetime) -> bool:
        """Tell whether the local day of *at* is a boundary, from its midnight to the next: for display.

        Whether something is *due* is another question: it is from ``boundary_instant(n)`` on, for ever.

        Raises:
            TypeError: *at* has no zone of its own.
        """
        return self._place(local_date(at, self.anchor.zone))[1]

    def is_empty(self, n: int) -> bool:
        """Tell whether period *n* begins and ends at one instant, because its only day never existed in the zone.

        Raises:
            DateOutOfRange: Its bounds lie outside the years 1 to 9999.
        """
        return self._days == 1 and self.boundary_instant(n) == self.boundary_instant(n + 1)

    def last_ended(self, at: datetime) -> Period:
        """Answer the last period that is over at the instant *at*, leaving out one that has no length.

        Raises:
            TypeError: *at* has no zone of its own.
            DateOutOfRange: It lies outside the years 1 to 9999.
        """
        index = self.index_at(at) - 1
        return self.period(index - 1 if self.is_empty(index) else index)


def period_billed_at(cycle: Cycle, at: datetime, mode: BillingMode) -> Period:
    """Answer the period that a bill written at the instant *at* is for.

    Args:
        cycle: The customer's cycle; its zone decides which day it is.
        at: The instant of billing.
        mode: The period that *at* is in (in advance), or the last one that is over (in arrears).

    Raises:
        TypeError: *at* has no zone of its own.
        DateOutOfRange: The period lies outside the years 1 to 9999.
    """
    return cycle.period(cycle.index_at(at)) if mode is BillingMode.IN_ADVANCE else cycle.last_ended(at)


def whole_periods(start: date, end: date, interval: Interval) -> int:
    """Answer how many whole intervals fit between two days, counted from *start*.

    Raises:
        InvalidDateSequence: *end* is before *start*.
        TypeError: One of them is a datetime.
    """
    cycle = Cycle(Anchor.on(start, zone("UTC")), interval)
    count = cycle.index_on(end)
    if count < 0:
        raise InvalidDateSequence(start, end)
    return count


def adopt_cycle(current_start: date, anchor: Anchor, interval: Interval) -> Cycle:
    """Answer the cycle of a subscription that already runs elsewhere and is being taken over.

    If the running period began on one of the anchor's days, the cycle has a boundary there, and the anchor keeps its
    nominal day, wall time and zone. A day cycle may begin on any day; a week cycle on the anchor's weekday; a month
    cycle on its day of the month, or the last day of a shorter one; a year cycle on that day in the anchor's month.
    Otherwise the anchor's own boundaries hold, and the rest of the running period until the next of them is a stub.

    Args:
        current_start: The day on which the running period began.
        anchor: The billing day that was agreed.
        interval: The length of a period.

    Raises:
        BadAnchor: The interval counts days or weeks, and the anchor's day does not exist in its month.
        TypeError: *current_start* is a datetime.
    """
    agreed = Cycle(anchor, interval)
    if not _is_day_of(current_start, anchor, interval.unit):
        return agreed
    day = anchor.day if interval.total_months else current_start.day
    return Cycle(attrs.evolve(anchor, year=current_start.year, month=current_start.month, day=day), interval)


def _is_day_of(day: date, anchor: Anchor, unit: Unit) -> bool:
    """Tell whether *day* is a day on which a cycle of one *unit* from *anchor* has a boundary."""
    return Cycle(anchor, Interval(1, unit)).boundary_on_or_after(day) == day
