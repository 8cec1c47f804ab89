"""A customer who moves to another time zone keeps the days on which things happen.

The rules, in plain English:

* The new zone takes effect from the next cycle on that isn't billed. It begins at the very instant at which the one
  before it ends, on the day that it would have had (see ``segments``).
* Whatever comes after that keeps its local day and time: later phases, and what is planned. A trial ends at the very
  instant at which it was to end.
"""

from datetime import datetime

import attrs

from shopaccounts.kernel.cycles import Cycle
from shopaccounts.kernel.time import Zone, instant_of, local_date
from shopaccounts.subscriptions.cycles.schedules import Segment, SegmentReason
from shopaccounts.subscriptions.cycles.segments import change_zone, next_number
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import NothingToChange
from shopaccounts.subscriptions.events import ZoneChanged
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.scheduled import Scheduled
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["relocate"]


def relocate(subscription: Subscription, zone: Zone, now: datetime) -> Decision:
    """Let a subscription's days begin where those of another zone do.

    Args:
        subscription: One that hasn't ended.
        zone: Where the customer lives now.
        now: This instant.

    Raises:
        NothingToChange: They begin there already.
        Defect: The two zones are 26 hours apart or more.
    """
    former = subscription.zone
    if former == zone:
        raise NothingToChange
    segments, opened = _segments(subscription, zone)
    after = attrs.evolve(
        subscription,
        segments=segments,
        scheduled=_planned(subscription.scheduled, opened.start_instant, former, zone),
    )
    told = ZoneChanged(
        at=now, account=after.customer, subscription=after.id, segment=opened.number, starts_on=opened.start
    )
    return Decision(subscription=after, events=(told,))


def _segments(subscription: Subscription, zone: Zone) -> tuple[tuple[Segment, ...], Segment]:
    """Answer the history with the new zone in it, and the segment in which it takes effect."""
    index, before = subscription.billed_to, subscription.segments
    if subscription.lifecycle is Lifecycle.PENDING:
        begun = tuple(attrs.evolve(one, cycle=_in_zone(one.cycle, zone)) for one in before)
        return begun, begun[0]
    so_far = tuple(one for one in before if one.first_index <= index)
    segments = change_zone(so_far, index, zone)
    opened = segments[-1]
    for later in before[len(so_far) :]:
        segments = (*segments, _there(later, next_number(segments), zone))
    return segments, opened


def _in_zone(cycle: Cycle, zone: Zone) -> Cycle:
    return Cycle(attrs.evolve(cycle.anchor, zone=zone), cycle.interval)


def _there(segment: Segment, number: int, zone: Zone) -> Segment:
    cycle = _in_zone(segment.cycle, zone)
    ends_trial = segment.reason is SegmentReason.TRIAL_END
    at = segment.start_instant if ends_trial else instant_of(segment.start, cycle.anchor.at, zone)
    return Segment(number, cycle, segment.first_index, segment.start, at, segment.reason)


def _planned(planned: Scheduled, starts: datetime, former: Zone, zone: Zone) -> Scheduled:
    """Answer what is planned: what comes after the new zone takes effect keeps its local day and time."""
    plans = attrs.asdict(planned, recurse=False)
    later = {
        kind: attrs.evolve(plan, at=_moved(plan.at, former, zone))
        for kind, plan in plans.items()
        if plan is not None and plan.at > starts
    }
    return attrs.evolve(planned, **later) if later else planned


def _moved(at: datetime, former: Zone, zone: Zone) -> datetime:
    return instant_of(local_date(at, former), at.astimezone(former.info).time(), zone)
