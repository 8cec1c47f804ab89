"""On which days boxes are delivered, and until when each of them can still be changed.

The rules, in plain English:

* Deliveries have a rhythm of their own. Delivery j of a stretch falls on boundary j of its cycle, and that is computed
  from the anchor, as billing days are: a box of the 31st comes on the last day of a short month, and on the 31st again
  after it.
* Deliveries from the day of the start aim at the same day of the month as the bills do, if they start on a boundary.
  Bills that come more or less often, and on the same day as ever, leave them on theirs.
* A box is settled at its cut-off: local midnight, so many days before it is delivered. Who orders at or after the
  cut-off of a date has the first box on the following date.
* A shop that delivers at once does so on the day on which somebody starts or comes back, whatever day that is; from
  then on the cut-off decides.
* The history is a tuple of stretches, which never change. A new one begins where the delivery plan, the time zone or
  the billing day that it follows changes. A box that was settled by then still goes out as it was, and the new rhythm
  begins after it: there are never two boxes instead of one, nor none.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final, final

import attrs

from shopaccounts.kernel.cycles import Anchor, Cycle
from shopaccounts.kernel.time import days_in_month, local_date, require_day, require_instant, start_of_day
from shopaccounts.subscriptions.cycles.schedules import Segment, StartDay, open_cycle
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, FirstDelivery

__all__ = ["DeliverySegment", "cut_off_of", "delivery_dates", "open_deliveries"]

_ONE_DAY: Final = timedelta(days=1)


@final
@attrs.frozen
class DeliverySegment:
    """A stretch of a subscription's history with one rhythm of deliveries; ``open_deliveries`` opens them.

    Args:
        number: Its place in the history, from 0.
        plan: How boxes are delivered meanwhile.
        cycle: Where the dates are; its boundaries are at midnight.
        start: The first day on which there may be a delivery.
        ordered_at: From when on it holds, in UTC: it has no box on a date whose cut-off had passed by then.
        anew: Whether the customer had nothing delivered before it: a start, or a return after a gap.
        follows: The number of the newest stretch of billing that it takes into account.

    Raises:
        TypeError: *start* is a datetime, or *ordered_at* has no zone of its own.
    """

    number: int
    plan: DeliveryPlan
    cycle: Cycle
    start: date = attrs.field(converter=require_day)
    ordered_at: datetime = attrs.field(converter=require_instant)
    anew: bool
    follows: int = -1


def open_deliveries(
    before: tuple[DeliverySegment, ...],
    plan: DeliveryPlan,
    billing: tuple[Segment, ...],
    at: datetime | None = None,
) -> tuple[DeliverySegment, ...]:
    """Answer the history of deliveries after something changed: with another stretch at its end, if dates change by it.

    Ask after a subscription starts, after it gets another segment of billing, and after its delivery plan changes.

    Args:
        before: The history so far; empty for a subscription that starts.
        plan: How boxes are delivered from now on.
        billing: The segments of billing, the newest included.
        at: When the plan takes effect; None: when the newest segment of billing begins.

    Raises:
        BadPlan: The plan's day doesn't suit its interval.
        TypeError: *at* has no zone of its own.
    """
    newest = billing[-1]
    at = newest.start_instant if at is None else require_instant(at)
    zone, follows = newest.cycle.anchor.zone, at == newest.start_instant
    start = newest.start if follows else local_date(at, zone)
    anew = not before or (follows and newest.reason.follows_a_gap)
    cycle = _cycle(plan, start, newest.cycle)
    if before and before[-1].plan == plan and before[-1].cycle.anchor.zone == zone:
        last = before[-1].cycle
        moved = follows and (len(billing) == 1 or billing[-2].cycle.anchor != newest.cycle.anchor)
        cycle = cycle if moved and not _same_dates(last, cycle, start) else last
        if cycle is last and not anew:
            return before
    return (*before, DeliverySegment(len(before), plan, cycle, start, at, anew, newest.number))


def _cycle(plan: DeliveryPlan, start: date, billing: Cycle) -> Cycle:
    zone, agreed = billing.anchor.zone, billing.anchor.day
    if isinstance(plan.day, StartDay) and plan.interval.total_months and billing.interval.total_months:
        stands_for_it = min(agreed, days_in_month(start.year, start.month)) == start.day
        nominal = agreed if stands_for_it else start.day
        return Cycle(Anchor(year=start.year, month=start.month, day=nominal, zone=zone), plan.interval)
    return open_cycle(start, plan.interval, plan.day, zone=zone)


def _same_dates(last: Cycle, new: Cycle, start: date) -> bool:
    """Tell whether two cycles of one interval have the same boundaries from *start* on."""
    nominal = new.anchor.day == last.anchor.day or not new.interval.total_months
    return nominal and last.boundary_on_or_after(start) == new.boundary_on_or_after(start)


def cut_off_of(segment: DeliverySegment, day: date) -> datetime:
    """Answer until when the box of a day can be changed, that instant excluded: local midnight, days before.

    Raises:
        DateOutOfRange: It lies outside the years 1 to 9999.
    """
    return start_of_day(day - segment.plan.cut_off_days * _ONE_DAY, segment.cycle.anchor.zone)


def delivery_dates(
    segments: tuple[DeliverySegment, ...], start: date, end: date | None = None
) -> Iterator[tuple[DeliverySegment, int, date, datetime]]:
    """Answer the dates from *start*, included, to *end*, excluded; without an end there are ever more of them.

    Args:
        segments: The history of deliveries.
        start: The first day of interest.
        end: The day after the last one; None for no end.

    Returns:
        For each date, oldest first: its stretch, the number of the boundary that it is, the day, the cut-off. The box
        that is delivered at once has the number of the boundary before the day of the start.
    """
    begins = _begins(segments)
    for place, segment in enumerate(segments):
        stops = begins[place + 1 :] + ([end] if end else [])
        yield from _dates_within(segment, max(start, begins[place]), min(stops, default=None))


def _begins(segments: tuple[DeliverySegment, ...]) -> list[date]:
    """Answer the first day of each stretch, which lies after the last box that was settled before it."""
    begins: list[date] = []
    for place, segment in enumerate(segments):
        begin = segment.start
        if not segment.anew:
            last = segments[place - 1]
            settled = local_date(segment.ordered_at, last.cycle.anchor.zone) + last.plan.cut_off_days * _ONE_DAY
            begin = max(begin, begins[-1], last.cycle.boundary(last.cycle.index_on(settled)) + _ONE_DAY)
        begins.append(begin)
    return begins


def _dates_within(
    segment: DeliverySegment, day: date, end: date | None
) -> Iterator[tuple[DeliverySegment, int, date, datetime]]:
    cycle = segment.cycle
    index = cycle.index_on(day)
    at_once = segment.anew and day == segment.start and segment.plan.first is FirstDelivery.ASAP
    if not at_once and cycle.boundary(index) < day:
        index += 1
        day = cycle.boundary(index)
    while end is None or day < end:
        cut_off = cut_off_of(segment, day)
        if at_once or segment.ordered_at < cut_off:
            yield segment, index, day, cut_off
        at_once = False
        index += 1
        day = cycle.boundary(index)
