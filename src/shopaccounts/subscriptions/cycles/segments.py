"""The periods of a subscription through all its segments, as days and as instants.

The rules, in plain English:

* The numbers of service periods run on from segment to segment. A period belongs to the last segment whose first period
  is not after it.
* The last period of a segment ends where the next segment begins: cut short, or made longer. Only after a pause or an
  end may there be a gap; then it ends at its boundary, unless the next segment begins earlier still.
* A segment that was to begin later gives way to cycles that count anew. Its number isn't given again: what was billed
  of it ahead of its time is known by that number.
* One boundary can be moved to another day. The periods on both sides change, the others don't, and the price of each
  stays that of its scheduled days.
* A period begins at the wall time of its boundary, but not before its segment began: somebody whose trial ends at 10
  past 3 in the afternoon is not billed from midnight on.
* A customer who moves to another time zone keeps the billing days. The first period in the new zone begins at the
  instant at which the one before it ends in the old zone: nothing is billed twice, and nothing is left out.
* In advance a period is due when it begins, or some days before; in arrears when it ends, and usage a while later, when
  it has been reported. A shop may spread what is due at one instant over a while; an account always waits equally long.
"""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.cycles import Cycle
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.time import InvalidDateSequence, Zone, add_days, instant_of, local_date, require_instant
from shopaccounts.subscriptions.cycles.schedules import Segment, SegmentReason, ServicePeriod, require_index

__all__ = [
    "NOTHING_MOVED",
    "change_zone",
    "delay_of",
    "due_in_advance",
    "due_in_arrears",
    "end_instant_of",
    "index_at",
    "next_number",
    "open_segment",
    "segment_numbered",
    "segment_of",
    "service_period_of",
    "start_instant_of",
]

NOTHING_MOVED: Final[Mapping[int, date]] = MappingProxyType({})
"""That no boundary was moved."""

_NO_TIME: Final = timedelta(0)
_ONE_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_FARTHEST_APART: Final = timedelta(hours=26)  # from UTC-12 to UTC+14


def open_segment(
    segments: tuple[Segment, ...],
    cycle: Cycle,
    at: datetime,
    *,
    first_index: int,
    reason: SegmentReason,
    number: int | None = None,
) -> tuple[Segment, ...]:
    """Answer the history with a new segment at its end.

    Args:
        segments: The history so far; empty for a subscription that starts.
        cycle: Where the boundaries of the new segment are.
        at: The instant at which its first period begins; its first day is the local day of that instant.
        first_index: The number of its first period.
        reason: Why it is opened.
        number: Its own number, where it takes the place of segments that were to begin later; None for the next one.

    Raises:
        InvalidDateSequence: The last segment begins after *at*.
        Defect: The last segment begins with a later period.
        TypeError: *at* has no zone of its own.
    """
    start = local_date(at, cycle.anchor.zone)
    number = next_number(segments) if number is None else number
    return _with(segments, Segment(number, cycle, first_index, start, at, reason))


def next_number(segments: tuple[Segment, ...]) -> int:
    """Answer the number that no segment of a history has had."""
    return segments[-1].number + 1 if segments else 0


def segment_numbered(segments: tuple[Segment, ...], number: int) -> Segment | None:
    """Answer the segment of a number; None for one that gave way to others before it began."""
    return next((one for one in reversed(segments) if one.number == number), None)


def change_zone(segments: tuple[Segment, ...], index: int, zone: Zone) -> tuple[Segment, ...]:
    """Answer the history of a customer who lives in another time zone from a period on.

    Args:
        segments: The history so far.
        index: The next period that is not billed yet.
        zone: Where the customer lives now.

    Raises:
        Defect: The day begins 26 hours apart or more in the two zones, as it does in no two inhabited places; or the
            last segment begins with a later period than *index*.
        InvalidDateSequence: The subscription has no such period.
    """
    cycle = segment_of(segments, index).cycle
    anchor = cycle.anchor
    start = service_period_of(segments, index).start
    apart = instant_of(start, anchor.at, anchor.zone) - instant_of(start, anchor.at, zone)
    if abs(apart) >= _FARTHEST_APART:
        msg = f"{anchor.zone.name} and {zone.name} are {abs(apart)} apart"
        raise Defect(msg)
    at = start_instant_of(segments, index)
    there = Cycle(attrs.evolve(anchor, zone=zone), cycle.interval)
    return _with(segments, Segment(next_number(segments), there, index, start, at, SegmentReason.ZONE))


def _with(segments: tuple[Segment, ...], segment: Segment) -> tuple[Segment, ...]:
    if segments:
        last = segments[-1]
        if segment.start_instant < last.start_instant:
            raise InvalidDateSequence(last.start, segment.start)
        if segment.first_index < last.first_index:
            msg = f"period {segment.first_index} lies before the last segment, which begins with {last.first_index}"
            raise Defect(msg)
    return (*segments, segment)


def segment_of(segments: tuple[Segment, ...], index: int) -> Segment:
    """Answer the segment that a service period belongs to.

    Raises:
        TypeError: *index* is no int.
    """
    return segments[_place(segments, index)]


def _place(segments: tuple[Segment, ...], index: int) -> int:
    place = len(segments) - 1
    require_index(index)
    while place and segments[place].first_index > index:
        place -= 1
    return place


def _ahead(segments: tuple[Segment, ...], place: int, index: int) -> Segment | None:
    """Answer the segment that begins with the period after *index*, if one does."""
    following = segments[place + 1] if place + 1 < len(segments) else None
    return following if following and following.first_index == index + 1 else None


def service_period_of(
    segments: tuple[Segment, ...],
    index: int,
    *,
    moved: Mapping[int, date] = NOTHING_MOVED,
    end: date | None = None,
) -> ServicePeriod:
    """Answer the service period of a number, as it was or will be served; near or far, it costs the same.

    Args:
        segments: The history of the subscription.
        index: The number of the period.
        moved: Boundaries on other days than scheduled: the number of the period that begins there, and the day.
        end: The day after the last day of service, if it is known.

    Raises:
        InvalidDateSequence: The subscription has no such period.
        DateOutOfRange: It lies outside the years 1 to 9999.
    """
    place = _place(segments, index)
    segment = segments[place]
    cycle = segment.cycle
    nominal = cycle.period(segment.shift + index)
    scheduled_start = max(nominal.start, segment.start)
    scheduled_end = stop = nominal.end
    following = _ahead(segments, place, index)
    if following:
        scheduled_end = min(stop, following.start)
        stop = scheduled_end if following.reason.follows_a_gap else following.start
    start = scheduled_start
    if moved:
        start = moved.get(index, start)
        if not (following and following.reason.follows_a_gap):
            stop = moved.get(index + 1, stop)
    if end is not None and end < stop:
        stop, scheduled_end = end, min(end, scheduled_end)
    if following and following.start == start:
        stop = start + _ONE_DAY  # who came back within the day has used something on it
    return ServicePeriod(
        index, segment.number, start, stop, nominal, scheduled_start, max(scheduled_start, scheduled_end)
    )


def start_instant_of(
    segments: tuple[Segment, ...], index: int, *, moved: Mapping[int, date] = NOTHING_MOVED
) -> datetime:
    """Answer the instant at which a service period begins, in UTC.

    Args:
        segments: The history of the subscription.
        index: The number of the period.
        moved: Boundaries on other days than scheduled.

    Raises:
        DateOutOfRange: It lies outside the years 1 to 9999.
    """
    segment = segment_of(segments, index)
    changes_zone = segment.reason is SegmentReason.ZONE and index == segment.first_index
    if index in moved:
        anchor = (segment_of(segments, index - 1) if changes_zone else segment).cycle.anchor
        return instant_of(moved[index], anchor.at, anchor.zone)
    return segment.start_instant if changes_zone else max(_boundary_instant(segment, index), segment.start_instant)


def _boundary_instant(segment: Segment, index: int) -> datetime:
    return segment.cycle.boundary_instant(segment.shift + index)


def end_instant_of(
    segments: tuple[Segment, ...],
    index: int,
    *,
    moved: Mapping[int, date] = NOTHING_MOVED,
    end: date | None = None,
) -> datetime:
    """Answer the instant at which a service period ends, in UTC: the beginning of the next one, but for gaps.

    Args:
        segments: The history of the subscription.
        index: The number of the period.
        moved: Boundaries on other days than scheduled.
        end: The day after the last day of service, if it is known.

    Raises:
        DateOutOfRange: It lies outside the years 1 to 9999.
    """
    place = _place(segments, index)
    segment = segments[place]
    following = _ahead(segments, place, index)
    if following and following.reason.follows_a_gap:
        stop = min(_boundary_instant(segment, index + 1), following.start_instant)
    else:
        stop = start_instant_of(segments, index + 1, moved=moved)
    if end is None:
        return stop
    return min(stop, instant_of(end, segment.cycle.anchor.at, segment.cycle.anchor.zone))


def index_at(segments: tuple[Segment, ...], at: datetime, *, moved: Mapping[int, date] = NOTHING_MOVED) -> int | None:
    """Answer the number of the service period that began last by an instant; in a gap, that of the one before it.

    Args:
        segments: The history of the subscription.
        at: The instant.
        moved: Boundaries on other days than scheduled.

    Returns:
        None before the service begins.

    Raises:
        TypeError: *at* has no zone of its own.
        DateOutOfRange: *at* is near the end of the calendar.
    """
    now = require_instant(at)
    place = len(segments) - 1
    while place and segments[place].start_instant > now:
        place -= 1
    segment = segments[place]
    index = segment.cycle.index_at(now) - segment.shift
    if place + 1 < len(segments):
        index = min(index, segments[place + 1].first_index - 1)
    while index >= 0 and start_instant_of(segments, index, moved=moved) > now:
        index -= 1
    while start_instant_of(segments, index + 1, moved=moved) <= now:
        index += 1
    return index if index >= 0 else None


def due_in_advance(
    segments: tuple[Segment, ...],
    index: int,
    *,
    moved: Mapping[int, date] = NOTHING_MOVED,
    bill_ahead: timedelta = _NO_TIME,
    delay: timedelta = _NO_TIME,
) -> datetime:
    """Answer the instant from which on a period is billed in advance.

    Args:
        segments: The history of the subscription.
        index: The number of the period.
        moved: Boundaries on other days than scheduled.
        bill_ahead: How long before it begins; whole days keep the wall time.
        delay: The account's own, from ``delay_of``.

    Raises:
        DateOutOfRange: It lies outside the years 1 to 9999.
    """
    start = start_instant_of(segments, index, moved=moved)
    if bill_ahead:
        whole = bill_ahead.days
        zone = segment_of(segments, index).cycle.anchor.zone
        start = add_days(start, -whole, zone) - (bill_ahead - timedelta(days=whole))
    return start + delay


def due_in_arrears(
    segments: tuple[Segment, ...],
    index: int,
    *,
    moved: Mapping[int, date] = NOTHING_MOVED,
    end: date | None = None,
    usage_grace: timedelta = _NO_TIME,
    delay: timedelta = _NO_TIME,
) -> datetime:
    """Answer the instant from which on a period is billed in arrears.

    Args:
        segments: The history of the subscription.
        index: The number of the period.
        moved: Boundaries on other days than scheduled.
        end: The day after the last day of service, if it is known.
        usage_grace: How long reports of usage may take; for metered lines alone.
        delay: The account's own, from ``delay_of``.

    Raises:
        DateOutOfRange: It lies outside the years 1 to 9999.
    """
    return end_instant_of(segments, index, moved=moved, end=end) + usage_grace + delay


def delay_of(account: str, spread: timedelta) -> timedelta:
    """Answer how much later than others an account is billed, so that not all are billed at midnight.

    Args:
        account: The id of the billing account; the same account always waits equally long.
        spread: How long at most, excluded; whole seconds count.
    """
    seconds = spread // _SECOND
    if seconds <= 0:
        return _NO_TIME
    digest = hashlib.sha256(account.encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:8], "big") % seconds)
