"""Cycles that count anew from a change on.

The rules, in plain English:

* A change of frequency keeps the agreed day and counts other steps from it, or begins anew on the day of the change. A
  plan that follows the calendar, or its customer's day, goes on following it.
* Whoever moves the billing day keeps what is paid: the new cycles begin where the paid time ends, with a stub of theirs
  up to the first new day.
* What was different about a later cycle is dropped, and told: it was about cycles that aren't any more.
"""

from datetime import date, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.cycles import Anchor, Cycle, Interval
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.time import instant_of, local_date
from shopaccounts.subscriptions.cycles.schedules import BillingDay, Segment, SegmentReason, StartDay, open_cycle
from shopaccounts.subscriptions.cycles.segments import next_number, open_segment, segment_of, service_period_of
from shopaccounts.subscriptions.errors import NothingToChange
from shopaccounts.subscriptions.events import OverrideDropped
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.delivery_schedule import open_deliveries
from shopaccounts.subscriptions.plans.offers import Alignment
from shopaccounts.subscriptions.policy import SubscriptionPolicy

__all__ = ["anchored_anew", "instant_on", "moved_to", "on_the_same_anchor", "overrides_dropped", "regrouped"]

_ONE_DAY: Final = timedelta(days=1)
_FAR_ENOUGH: Final = 14  # boundaries after which two cycles of months that agreed so far agree for ever


def on_the_same_anchor(cycle: Cycle, interval: Interval) -> Cycle:
    """Answer the cycle that counts other steps from the same day.

    Raises:
        BadAnchor: The steps are days or weeks, and the agreed day doesn't exist in the anchor's month.
    """
    anchor = cycle.anchor
    if interval.total_days and not cycle.interval.total_days:
        anchor = Anchor.on(cycle.boundary(0), anchor.zone, anchor.at)
    return Cycle(anchor, interval)


def anchored_anew(subscription: Subscription, day: date, interval: Interval, policy: SubscriptionPolicy) -> Cycle:
    """Answer the cycle that begins on a day, unless the calendar or the customer's day says otherwise."""
    anchor = subscription.segments[-1].cycle.anchor
    terms = subscription.terms
    own = terms.alignment is Alignment.SUBSCRIPTION
    return open_cycle(
        day,
        interval,
        StartDay() if own else terms.billing_day,
        zone=anchor.zone,
        at=anchor.at,
        week_start=policy.cycles.week_start,
    )


def moved_to(subscription: Subscription, index: int, day: BillingDay, policy: SubscriptionPolicy) -> Cycle:
    """Answer the cycle with another billing day, from a period on that isn't billed.

    Raises:
        BadPlan: The day doesn't suit the interval.
        NothingToChange: It is the billing day already.
    """
    start = service_period_of(subscription.segments, index, moved=subscription.moved).start
    now = segment_of(subscription.segments, index).cycle
    anchor = now.anchor
    cycle = open_cycle(start, now.interval, day, zone=anchor.zone, at=anchor.at, week_start=policy.cycles.week_start)
    new, old = cycle.index_on(start), now.index_on(start)
    if all(cycle.boundary(new + n) == now.boundary(old + n) for n in range(1, _FAR_ENOUGH)):
        raise NothingToChange
    return cycle


def regrouped(
    subscription: Subscription, cycle: Cycle, at: datetime, index: int, reason: SegmentReason, *, told_at: datetime
) -> tuple[Subscription, tuple[Event, ...]]:
    """Answer a subscription whose cycles count anew, and what of later cycles is dropped.

    Args:
        subscription: Which.
        cycle: Where boundaries are from now on.
        at: The instant at which the first new cycle begins.
        index: The number of that cycle.
        reason: Why.
        told_at: When that is decided.
    """
    before = tuple(segment for segment in subscription.segments if segment.start_instant <= at)
    number = next_number(subscription.segments)
    segments = open_segment(before, cycle, at, first_index=index, reason=reason, number=number)
    segments = _with_later_phases(segments, subscription)
    changed = attrs.evolve(
        subscription,
        segments=segments,
        overrides=tuple(override for override in subscription.overrides if override.index < index),
    )
    plan = subscription.terms.deliveries
    if plan is not None:
        changed = attrs.evolve(changed, delivery_segments=open_deliveries(changed.delivery_segments, plan, segments))
    return changed, overrides_dropped(subscription, changed, told_at)


def overrides_dropped(before: Subscription, after: Subscription, told_at: datetime) -> tuple[Event, ...]:
    """Tell what was different about single cycles and isn't any more, since cycles are others now.

    Args:
        before: As the subscription was.
        after: As it is.
        told_at: When that is decided.
    """
    return tuple(
        OverrideDropped(
            at=told_at,
            account=before.customer,
            subscription=before.id,
            segment=segment_of(before.segments, override.index).number,
            index=override.index,
            kind=override.kind.value,
        )
        for override in before.overrides
        if override not in after.overrides
    )


def _with_later_phases(segments: tuple[Segment, ...], subscription: Subscription) -> tuple[Segment, ...]:
    """Add the segments of phases to come that have cycles of another length."""
    for phase in subscription.terms.phases:
        last = segments[-1]
        if phase.start > last.start and phase.interval != last.cycle.interval:
            anchor = last.cycle.anchor
            cycle = open_cycle(phase.start, phase.interval, StartDay(), zone=anchor.zone, at=anchor.at)
            begun = last.cycle.index_on(phase.start - _ONE_DAY) - last.cycle.index_on(last.start) + 1
            begins = instant_of(phase.start, anchor.at, anchor.zone)
            number = last.first_index + begun
            segments = open_segment(segments, cycle, begins, first_index=number, reason=SegmentReason.FREQUENCY)
    return segments


def instant_on(subscription: Subscription, day: date, at: datetime) -> datetime:
    """Answer the instant from which on a change of a day holds: now if it is today, or else when the day begins."""
    anchor = subscription.segments[-1].cycle.anchor
    if local_date(at, anchor.zone) == day:
        return at
    began = max((one.start_instant for one in subscription.segments if one.start <= day), default=at)
    return max(instant_of(day, anchor.at, anchor.zone), began)
