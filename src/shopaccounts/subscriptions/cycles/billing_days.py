"""On which days a subscription is billed: the billing day of a plan, and the cycle that it opens.

The rules, in plain English:

* A plan bills from the day somebody starts, or on a day that is the same for many: a day of the month or year, a
  weekday, a date agreed on, or the days on which calendars change.
* The billing day and the start together give the cycle. The first boundary is the first one on or after the start; what
  lies before it is a stub.
* A day of the month is a wish: 31 means the last day of a shorter month, and the 31st again after it.
* A day that has gone by in the month or year of the start comes again one whole interval later: quarterly on the 5th,
  from 18 March, is 5 June.
* Days of months and years need intervals of months or years, and weekdays need weeks.
"""

from datetime import date, time
from typing import Final, TypeAlias, final

import attrs

from shopaccounts.kernel.cycles import Anchor, Cycle, Interval, Unit
from shopaccounts.kernel.time import Zone, days_in_month, require_day
from shopaccounts.subscriptions.errors import BadPlan

__all__ = [
    "BillingDay",
    "CalendarDay",
    "DayOfMonth",
    "DayOfYear",
    "GridDate",
    "StartDay",
    "Weekday",
    "first_boundary",
    "open_cycle",
]

_MIDNIGHT: Final = time(0)
_MONDAY: Final = 1
_SUNDAY: Final = 7
_MONTHS_IN_YEAR: Final = 12
_LONGEST_MONTH: Final = 31


def _require_number(what: str, number: int, highest: int) -> None:
    if type(number) is not int:
        msg = f"{what} is an int, not {number!r}"
        raise TypeError(msg)
    if not 1 <= number <= highest:
        problem = f"{what} is 1 to {highest}, not {number}"
        raise BadPlan(problem)


@final
@attrs.frozen
class StartDay:
    """Bill from the day of the start: no stub."""


@final
@attrs.frozen
class DayOfMonth:
    """Bill on this day of the month, in the rhythm of the interval.

    Args:
        day: 1 to 31, or the last day of a shorter month.

    Raises:
        BadPlan: There is no such day.
        TypeError: It is no int.
    """

    day: int

    def __attrs_post_init__(self) -> None:
        _require_number("a day of the month", self.day, _LONGEST_MONTH)


@final
@attrs.frozen
class DayOfYear:
    """Bill on this day of the year, in the rhythm of the interval.

    Args:
        month: 1 to 12.
        day: 1 to 31, or the last day of a shorter month.

    Raises:
        BadPlan: There is no such day or month.
        TypeError: One of them is no int.
    """

    month: int
    day: int

    def __attrs_post_init__(self) -> None:
        _require_number("a month", self.month, _MONTHS_IN_YEAR)
        _require_number("a day of the month", self.day, _LONGEST_MONTH)


@final
@attrs.frozen
class Weekday:
    """Bill on this day of the week; several weeks count from the first one on or after the start.

    Args:
        number: 1 for Monday to 7 for Sunday, as ISO 8601 numbers them.

    Raises:
        BadPlan: There is no such day.
        TypeError: It is no int.
    """

    number: int

    def __attrs_post_init__(self) -> None:
        _require_number("a weekday", self.number, _SUNDAY)


@final
@attrs.frozen
class GridDate:
    """Bill on this date, and every interval before and after it.

    Args:
        on: A boundary, past or future.
        day: The day of the month that was agreed, where *on* is the last day of a month too short for it.

    Raises:
        BadPlan: *day* does not fall on *on*.
        TypeError: *on* is a datetime, or *day* no int.
    """

    on: date
    day: int | None = None

    def __attrs_post_init__(self) -> None:
        require_day(self.on)
        if self.day is None:
            return
        _require_number("a day of the month", self.day, _LONGEST_MONTH)
        if min(self.day, days_in_month(self.on.year, self.on.month)) != self.on.day:
            problem = f"day {self.day} of the month is not {self.on}"
            raise BadPlan(problem)


@final
@attrs.frozen
class CalendarDay:
    """Bill when calendars change: on the first day of a week, month, quarter, half-year or year.

    Intervals that do not divide a year count from the first such day on or after the start.
    """


BillingDay: TypeAlias = StartDay | DayOfMonth | DayOfYear | Weekday | GridDate | CalendarDay
"""When a plan bills."""

_OF_MONTHS: Final = (Unit.MONTH, Unit.YEAR)
_UNITS: Final = {DayOfMonth: _OF_MONTHS, DayOfYear: _OF_MONTHS, Weekday: (Unit.WEEK,)}


def open_cycle(
    start: date, interval: Interval, day: BillingDay, *, zone: Zone, at: time = _MIDNIGHT, week_start: int = _MONDAY
) -> Cycle:
    """Answer the cycle of a service that starts on a day.

    Args:
        start: The first local day of service.
        interval: How long a period is.
        day: When it is billed.
        zone: Where that day is.
        at: The wall time at which periods change.
        week_start: The weekday on which calendars change, 1 for Monday; for weeks and ``CalendarDay``.

    Raises:
        BadPlan: The billing day does not suit the interval's unit, or *week_start* is no weekday.
        DateOutOfRange: The first boundary lies beyond the year 9999.
        TypeError: *start* is a datetime, or *day* no billing day.
    """
    require_day(start)
    units = _UNITS.get(type(day), tuple(Unit))
    if interval.unit not in units:
        problem = f"{day} needs an interval of {' or '.join(unit.name.lower() + 's' for unit in units)}"
        raise BadPlan(problem)
    year, month, nominal = _anchor(start, interval, day, zone, week_start)
    return Cycle(Anchor(year=year, month=month, day=nominal, at=at, zone=zone), interval)


def first_boundary(start: date, interval: Interval, day: BillingDay, *, zone: Zone, week_start: int = _MONDAY) -> date:
    """Answer the first boundary on or after the start; what lies between the two is a stub.

    Args:
        start: The first local day of service.
        interval: How long a period is.
        day: When it is billed.
        zone: Where that day is.
        week_start: The weekday on which calendars change, 1 for Monday; for weeks and ``CalendarDay``.

    Raises:
        BadPlan: The billing day does not suit the interval's unit, or *week_start* is no weekday.
        DateOutOfRange: It lies beyond the year 9999.
        TypeError: *start* is a datetime, or *day* no billing day.
    """
    return open_cycle(start, interval, day, zone=zone, week_start=week_start).boundary_on_or_after(start)


def _anchor(start: date, interval: Interval, day: BillingDay, zone: Zone, week_start: int) -> tuple[int, int, int]:
    """Answer year, month and nominal day of one boundary."""
    match day:
        case StartDay():
            return start.year, start.month, start.day
        case DayOfMonth():
            return start.year, start.month, day.day
        case DayOfYear():
            return start.year, day.month, day.day
        case GridDate():
            return day.on.year, day.on.month, day.day or day.on.day
        case Weekday():
            first = _next(start, Interval.weeks(1), zone, weekday=day.number)
        case CalendarDay():
            first = _calendar_day(start, interval, zone, week_start)
        case _:
            msg = f"a billing day is one of {BillingDay}, not {day!r}"
            raise TypeError(msg)
    return first.year, first.month, first.day


def _calendar_day(start: date, interval: Interval, zone: Zone, week_start: int) -> date:
    if interval.unit is Unit.DAY:
        return start
    if interval.unit is Unit.WEEK:
        return _next(start, Interval.weeks(1), zone, weekday=Weekday(week_start).number)
    if _MONTHS_IN_YEAR % interval.total_months == 0:
        return date(start.year, 1, 1)
    whole_years = interval.total_months % _MONTHS_IN_YEAR == 0
    return _next(start, Interval.years(1) if whole_years else Interval.months(1), zone)


def _next(start: date, interval: Interval, zone: Zone, *, weekday: int = 1) -> date:
    """Answer the first beginning of a week, month or year on or after *start*: the calendar begins on a Monday."""
    return Cycle(Anchor(year=1, month=1, day=weekday, zone=zone), interval).boundary_on_or_after(start)
