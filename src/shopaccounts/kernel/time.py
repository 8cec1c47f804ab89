"""Instants, local days, months and clocks.

The rules, in plain English:

* What happened, or is due, is an *instant*: an aware datetime in UTC. A *day* is what a calendar on a wall shows, so it
  belongs to a named time zone. The two are never compared with one another.
* A zone is named by its key in the tz database, or is an offset such as ``+05:30``. The host's own zone plays no part.
* A wall time that comes twice, because clocks were set back, means the first time. A wall time that clocks jumped over
  means the first instant after the jump, wherever the jump began.
* So many days later, in a local calendar, is the same wall time on a later day, whatever clocks did in between.
* So many months later is the same day of the month, or the last day of a month that is too short for it.
* ``SystemClock`` is the one place in the library that looks at the wall clock. Everybody else is told what time it is.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from pkgutil import get_data
from typing import Protocol, final
from zoneinfo import ZoneInfo

import attrs

from shopaccounts.kernel.errors import Kind, Rejected

__all__ = [
    "BadAnchor",
    "BadInterval",
    "Clock",
    "ClockWentBack",
    "DateOutOfRange",
    "FixedClock",
    "InvalidDateSequence",
    "SystemClock",
    "UnknownZone",
    "Zone",
    "add_days",
    "add_months",
    "days_in_month",
    "instant_of",
    "local_date",
    "require_day",
    "require_instant",
    "start_of_day",
    "zone",
]

_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
_MIDNIGHT = time(0)
_MONTHS_IN_YEAR = 12
_LONGEST_MONTH = 31
_FEBRUARY = 2
_DAYS_IN_MONTH = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@attrs.frozen
class UnknownZone(Rejected):
    """The name is neither a zone of the tz database nor an offset such as ``+05:30``."""

    code = "time.unknown_zone"
    kind = Kind.INVALID
    name: str


@attrs.frozen
class ClockWentBack(Rejected):
    """A clock that tests or simulations move was asked to go back from ``was`` to ``asked``."""

    code = "time.clock_went_back"
    kind = Kind.INVALID
    was: datetime
    asked: datetime


@attrs.frozen
class DateOutOfRange(Rejected):
    """The result lies outside the years 1 to 9999."""

    code = "time.date_out_of_range"
    kind = Kind.INVALID


@attrs.frozen
class InvalidDateSequence(Rejected):
    """Dates that must follow one another do not; ``target`` is the date asked about, where there is one."""

    code = "time.invalid_date_sequence"
    kind = Kind.INVALID
    start: date
    end: date
    target: date | None = None


@attrs.frozen
class BadInterval(Rejected):
    """The length is zero or too long to be repeated, or the text is no ``P<n>D``, ``P<n>W``, ``P<n>M`` or ``P<n>Y``."""

    code = "time.bad_interval"
    kind = Kind.INVALID
    value: str


@attrs.frozen
class BadAnchor(Rejected):
    """The day that fixes a cycle does not exist, or not for this kind of interval."""

    code = "time.bad_anchor"
    kind = Kind.INVALID
    value: str


class Clock(Protocol):
    """Tells what time it is.

    Promises:
        1. ``now`` is an aware datetime in UTC.
    """

    def now(self) -> datetime:
        """Answer this instant, aware and in UTC."""
        ...


@final
class SystemClock:
    """The clock of the machine: the only place in the library that reads it."""

    def now(self) -> datetime:
        """Answer this instant, aware and in UTC."""
        return datetime.now(UTC)


@final
class FixedClock:
    """A clock that stands still until it is moved, and moves forward only: for tests and simulations.

    Args:
        at: The instant it shows first, in any zone.
    """

    def __init__(self, at: datetime) -> None:
        self._now = require_instant(at)

    def now(self) -> datetime:
        """Answer the instant that the clock was last set to, in UTC."""
        return self._now

    def advance(self, delta: timedelta) -> None:
        """Move the clock on by *delta*.

        Raises:
            ClockWentBack: *delta* is negative.
            DateOutOfRange: The clock would leave the year 9999.
        """
        try:
            self.set(self._now + delta)
        except OverflowError:
            raise DateOutOfRange from None

    def set(self, at: datetime) -> None:
        """Move the clock on to *at*.

        Raises:
            ClockWentBack: *at* is before what the clock shows.
            TypeError: *at* has no zone.
        """
        asked = require_instant(at)
        if asked < self._now:
            raise ClockWentBack(was=self._now, asked=asked)
        self._now = asked


def require_instant(at: datetime) -> datetime:
    """Answer *at* in UTC.

    Raises:
        TypeError: *at* is not a datetime, or does not say how far from UTC it is.
        DateOutOfRange: In UTC it lies outside the years 1 to 9999.
    """
    if not isinstance(at, datetime) or at.utcoffset() is None:
        msg = f"an instant is an aware datetime, not {at!r}"
        raise TypeError(msg)
    if at.tzinfo is UTC:
        return at
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise DateOutOfRange from None


def require_day(day: date) -> date:
    """Answer *day*, which must be a date without a time.

    Raises:
        TypeError: *day* is a datetime, which Python counts as a date, or no date at all.
    """
    if isinstance(day, datetime) or not isinstance(day, date):
        msg = f"a day is a date without a time, not {day!r}"
        raise TypeError(msg)
    return day


def _time_zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(offset if sign == "+" else -offset, name)
    if name in _keys():
        return ZoneInfo(name)
    raise UnknownZone(name)


@cache
def _keys() -> frozenset[str]:
    """List the tz database's own keys, legacy ones included.

    A zoneinfo directory also holds names that must not get in: ``localtime`` is whatever the host is set to, and the
    trees ``posix`` and ``right`` hold every zone again, the latter with leap seconds.
    """
    return frozenset((get_data("tzdata", "zones") or b"").decode("ascii").split())


@final
@attrs.frozen
class Zone:
    """A time zone under the name by which it is stored; equal names are equal zones. ``zone`` makes one.

    Raises:
        UnknownZone: The name is neither a key of the tz database nor an offset of the form ``±HH:MM`` below 24 hours.
        TypeError: The name is not text.
    """

    name: str
    info: tzinfo = attrs.field(init=False, repr=False, eq=False)
    """What the standard library computes with."""

    @info.default
    def _look_up(self) -> tzinfo:
        return _time_zone(self.name)

    @property
    def is_offset(self) -> bool:
        """Whether this is a bare offset from UTC, which knows no daylight-saving time."""
        return self.name[0] in "+-"


@lru_cache(maxsize=1024)
def zone(name: str) -> Zone:
    """Answer the zone of that name; asking again costs next to nothing.

    Args:
        name: A key of the tz database (``Europe/Berlin``), ``UTC``, or an offset such as ``-03:30``.

    Raises:
        UnknownZone: There is no such zone. Keys are case-sensitive.
        TypeError: *name* is not text.
    """
    return Zone(name)


def local_date(at: datetime, zone: Zone) -> date:
    """Answer the day that a calendar in *zone* shows at the instant *at*.

    Raises:
        TypeError: *at* has no zone of its own.
        DateOutOfRange: That day lies outside the years 1 to 9999.
    """
    return _in_zone(at, zone).date()


def _in_zone(at: datetime, zone: Zone) -> datetime:
    try:
        return require_instant(at).astimezone(zone.info)
    except OverflowError:
        raise DateOutOfRange from None


def instant_of(day: date, at: time, zone: Zone) -> datetime:
    """Answer the instant at which clocks in *zone* show *at* on *day*, in UTC.

    Args:
        day: The local day.
        at: The wall time, without a zone of its own.
        zone: Where the clock hangs.

    Returns:
        The only such instant; the earlier one where there are two; the first instant after the gap where there is none.

    Raises:
        TypeError: *day* is a datetime, or *at* has a zone.
        DateOutOfRange: In UTC it lies outside the years 1 to 9999.
    """
    if at.tzinfo is not None:
        msg = f"a wall time has no zone of its own: {at!r}"
        raise TypeError(msg)
    return _instant_of(require_day(day), at, zone)


@lru_cache(maxsize=4096)
def _instant_of(day: date, at: time, zone: Zone) -> datetime:
    """Answer the same of what was checked; in a billing run most subscriptions ask for the same few instants."""
    wall = datetime.combine(day, at.replace(fold=0), zone.info)
    try:
        instant = wall.astimezone(UTC)
        if instant.astimezone(zone.info).replace(tzinfo=None) == wall.replace(tzinfo=None):
            return instant
        return _after_gap(wall, instant)
    except OverflowError:
        raise DateOutOfRange from None


def _after_gap(wall: datetime, after: datetime) -> datetime:
    """Find the first whole second at which clocks read more than *wall*, which they jumped over before *after*."""
    missing = wall.replace(tzinfo=None)
    before = wall.replace(fold=1).astimezone(UTC).replace(microsecond=0)
    low, high = 0, (after - before) // timedelta(seconds=1)
    while low < high:
        middle = (low + high) // 2
        shown = (before + timedelta(seconds=middle)).astimezone(wall.tzinfo).replace(tzinfo=None)
        low, high = (middle + 1, high) if shown < missing else (low, middle)
    return before + timedelta(seconds=low)


def start_of_day(day: date, zone: Zone) -> datetime:
    """Answer the first instant of a local day, in UTC.

    That is midnight; or the first of two midnights; or, where clocks jumped over midnight, the end of the jump.

    Raises:
        TypeError: *day* is a datetime.
        DateOutOfRange: In UTC it lies outside the years 1 to 9999.
    """
    return instant_of(day, _MIDNIGHT, zone)


def add_days(at: datetime, days: int, zone: Zone) -> datetime:
    """Answer the instant *days* local days after *at*: the same wall time, though clocks changed in between.

    Args:
        at: The instant to count from.
        days: How many days; negative ones lie before.
        zone: Whose days they are.

    Raises:
        TypeError: *at* has no zone of its own.
        DateOutOfRange: The result lies outside the years 1 to 9999.
    """
    if days == 0:
        return require_instant(at)
    wall = _in_zone(at, zone)
    try:
        return instant_of(wall.date() + timedelta(days=days), wall.time(), zone)
    except OverflowError:
        raise DateOutOfRange from None


def days_in_month(year: int, month: int) -> int:
    """Answer how many days a month of the Gregorian calendar has, 28 to 31."""
    if month == _FEBRUARY and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        return 29
    return _DAYS_IN_MONTH[month]


def add_months(day: date, months: int, *, anchor_day: int | None = None) -> date:
    """Answer the day *months* months after *day*: the same day number, or the month's last day if it is too short.

    Always count from the original day. Adding one month to the result of adding one month drifts: 31 January, 28
    February, 28 March. ``shopaccounts.kernel.cycles.Cycle`` counts right.

    Args:
        day: Where to count from.
        months: How many months; negative ones lie before.
        anchor_day: The day number to aim at, 1 to 31, where it is not that of *day*.

    Raises:
        BadAnchor: *anchor_day* is no day of a month.
        DateOutOfRange: The result lies outside the years 1 to 9999.
        TypeError: *day* is a datetime.
    """
    require_day(day)
    nominal = day.day if anchor_day is None else anchor_day
    if not 1 <= nominal <= _LONGEST_MONTH:
        raise BadAnchor(str(anchor_day))
    year, month = divmod(day.year * _MONTHS_IN_YEAR + day.month - 1 + months, _MONTHS_IN_YEAR)
    try:
        return date(year, month + 1, min(nominal, days_in_month(year, month + 1)))
    except (ValueError, OverflowError):
        raise DateOutOfRange from None
