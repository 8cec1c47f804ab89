"""The cycles of a trial: one for all of it, or those that the calendar or the customer's billing day makes of it.

The rules, in plain English:

* A trial is one period as a rule, and what is paid for begins with its end.
* A shop whose billing days are set by the calendar, or by what the customer has already, may cut a trial into the
  ordinary cycles of what comes after it. Those go on past its end: nothing is counted anew there.
* The cycle in which such a trial ends is cut there too, so that what is paid for begins with a cycle of its own. Or it
  is left whole: a part of it is free, the rest is paid for, and neither is billed before the trial has ended.
* What is settled isn't opened again: a cycle that was given away, and in which the trial now ends early, is cut.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from shopaccounts.kernel.cycles import Anchor, Cycle, Interval
from shopaccounts.kernel.time import InvalidDateSequence, instant_of, local_date, require_day
from shopaccounts.subscriptions.cycles.schedules import Schedule, Segment, SegmentReason, ServicePeriod
from shopaccounts.subscriptions.cycles.segments import open_segment, service_period_of
from shopaccounts.subscriptions.policy.trials import TrialCycles, TrialPolicy

__all__ = ["trial_periods", "tried_by_grid", "tried_whole"]

_ONE_DAY: Final = timedelta(days=1)


def tried_whole(whole: Cycle, paid: Cycle, starts: datetime, ends: datetime) -> tuple[Segment, ...]:
    """Answer the segments of a trial that is one period, and of what comes after it.

    Args:
        whole: The cycle of the trial.
        paid: The cycle of what is paid for.
        starts: When the trial begins.
        ends: When it ends.
    """
    free = open_segment((), whole, starts, first_index=0, reason=SegmentReason.START)
    return open_segment(free, paid, ends, first_index=1, reason=SegmentReason.TRIAL_END)


def tried_by_grid(
    grid: Cycle, starts: datetime, ends: datetime, policy: TrialPolicy, *, settled: int = 0
) -> tuple[tuple[Segment, ...], Segment]:
    """Answer the segments of a trial that is cut into ordinary cycles, and what is paid for as a segment.

    Args:
        grid: The cycle of the trial and of what comes after it.
        starts: When the trial begins.
        ends: When it ends.
        policy: Whether the cycle in which it ends is cut.
        settled: So many cycles are settled already; none of them is left whole.

    Returns:
        What is paid for is one of the segments only where the trial is cut at its end.
    """
    free = open_segment((), grid, starts, first_index=0, reason=SegmentReason.START)
    first, on = free[0], local_date(ends, grid.anchor.zone)
    ends_in = grid.index_on(on) - first.shift
    if not policy.cut_at_end and ends_in >= settled:
        return free, Segment(0, grid, ends_in, on, ends, SegmentReason.TRIAL_END)
    begun = grid.index_on(max(on - _ONE_DAY, first.start)) - first.shift + 1
    cut = open_segment(free, grid, ends, first_index=begun, reason=SegmentReason.TRIAL_END)
    return cut, cut[-1]


def trial_periods(schedule: Schedule, ends_on: date, policy: TrialPolicy, count: int) -> tuple[ServicePeriod, ...]:
    """Answer the first periods of a service that is tried first.

    Args:
        schedule: From when to when it is served, and in which cycles what is paid for.
        ends_on: The local day on which the trial ends.
        policy: Into which cycles a trial is cut.
        count: How many periods at most; there are fewer where the service ends.

    Raises:
        InvalidDateSequence: The trial ends before it has begun, or on that day.
        DateOutOfRange: One of them lies beyond the year 9999.
        TypeError: *ends_on* is a datetime.
    """
    if require_day(ends_on) <= schedule.start:
        raise InvalidDateSequence(schedule.start, ends_on)
    anchor = schedule.cycle.anchor
    starts, ends = (instant_of(day, anchor.at, anchor.zone) for day in (schedule.start, ends_on))
    if policy.cycles is TrialCycles.GRID:
        segments, _ = tried_by_grid(schedule.cycle, starts, ends, policy)
    else:
        length = Interval.days((ends_on - schedule.start).days)
        whole = Cycle(Anchor.on(schedule.start, anchor.zone, anchor.at), length)
        segments = tried_whole(whole, schedule.cycle, starts, ends)
    return tuple(_periods(segments, schedule.end, count))


def _periods(segments: tuple[Segment, ...], end: date | None, count: int) -> Iterator[ServicePeriod]:
    for index in range(count):
        if end is not None and service_period_of(segments, index).start >= end:
            return
        yield service_period_of(segments, index, end=end)
