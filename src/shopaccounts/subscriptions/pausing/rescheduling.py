"""Moving the beginning of one cycle, and putting off all that is to come.

The rules, in plain English:

* One beginning can be moved, to a day between the beginnings before and after it, not into the past. The cycle before
  is longer or shorter then, and costs what it would have cost. All others stay. Where a trial ends, or a subscription
  starts, isn't moved so, and nothing is moved across the end of a trial.
* What is planned for a beginning that is moved, is moved along.
* The shop can put off all that is to come by some days. What is paid for lasts longer by as much, for nothing, and
  cycles count anew from there.
"""

from datetime import date, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.time import instant_of, local_date, require_day
from shopaccounts.subscriptions.cycles.schedules import SegmentReason
from shopaccounts.subscriptions.cycles.segments import segment_of, start_instant_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import DateNotPossible, NothingToChange, OperationNotAllowed
from shopaccounts.subscriptions.events import BillingDayMoved, CycleRescheduled
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.lifecycle.regrouping import regrouped
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.pausing.overrides import (
    override_of,
    require_not_over,
    require_open,
    with_override,
    without_override,
)
from shopaccounts.subscriptions.pausing.resuming import anchored_on, lasting_until
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.scheduled import Override, OverrideKind, Scheduled
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["MOST_DAYS", "possible_days", "postpone_all", "reschedule_cycle", "unreschedule_cycle"]

MOST_DAYS: Final = 366
"""By how many days everything can be put off at once."""

_POSTPONE_ALL: Final = "postpone_all"
_ONE_DAY: Final = timedelta(days=1)
_FIXED: Final = frozenset({SegmentReason.START, SegmentReason.TRIAL_END})


def reschedule_cycle(
    subscription: Subscription, index: int, on: date, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Decision:
    """Move the beginning of one cycle to another day.

    Args:
        subscription: Whose.
        index: Which cycle.
        on: The local day on which it is to begin.
        now: This instant.
        facts: The invoices of the time that isn't over.
        policy: Until when that is possible.

    Raises:
        InvalidInput: There is no such cycle, or it is too far ahead.
        CycleAlreadyBilled: It is billed.
        CancellationScheduled: The subscription ends first.
        CutOffPassed: It is too late.
        DateNotPossible: Another day would be possible; says from when to when.
        NothingToChange: It begins on that day already.
        TypeError: *on* is a datetime.
    """
    require_day(on)
    require_open(subscription, index, now, facts, policy)
    if on == subscription.begins_on(index):
        raise NothingToChange
    _require_possible(subscription, index, on, now)
    gone = override_of(subscription, index, OverrideKind.MOVE)
    after = without_override(subscription, gone)
    if on != after.begins_on(index):
        made_on = local_date(now, subscription.zone)
        after = with_override(after, Override(kind=OverrideKind.MOVE, index=index, on=on, made_on=made_on))
    return _rescheduled(subscription, after, index, now)


def unreschedule_cycle(
    subscription: Subscription, index: int, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Decision:
    """Let a cycle that was moved begin again when it should.

    Args:
        subscription: Whose.
        index: Which cycle.
        now: This instant.
        facts: The invoices of the time that isn't over.
        policy: Until when that is possible.

    Raises:
        InvalidInput: There is no such cycle.
        CycleAlreadyBilled: It is billed.
        CancellationScheduled: The subscription ends first.
        CutOffPassed: It is too late.
        DateNotPossible: The day has passed, or a neighbour was moved there.
        NothingToChange: It wasn't moved.
    """
    require_open(subscription, index, now, facts, policy)
    gone = override_of(subscription, index, OverrideKind.MOVE)
    if gone is None:
        raise NothingToChange
    after = without_override(subscription, gone)
    _require_possible(subscription, index, after.begins_on(index), now)
    return _rescheduled(subscription, after, index, now)


def possible_days(subscription: Subscription, index: int, now: datetime) -> tuple[date, date]:
    """Answer between which days, both included, a cycle can begin: strictly between its neighbours, not in the past.

    Args:
        subscription: Whose.
        index: Which cycle.
        now: This instant.
    """
    segment = segment_of(subscription.segments, index)
    if index == segment.first_index and segment.reason in _FIXED:
        fixed = subscription.begins_on(index)
        return fixed, fixed
    earliest = max(subscription.begins_on(index - 1) + _ONE_DAY, local_date(now, subscription.zone))
    latest = subscription.begins_on(index + 1) - _ONE_DAY
    if subscription.trial and subscription.billed_to <= subscription.paid_from:
        ends_on = local_date(subscription.trial.ends_at, subscription.zone)
        if subscription.begins_on(index) < ends_on:
            latest = min(latest, ends_on - _ONE_DAY)
        else:
            earliest = max(earliest, ends_on + _ONE_DAY)
    return earliest, latest


def _require_possible(subscription: Subscription, index: int, on: date, now: datetime) -> None:
    earliest, latest = possible_days(subscription, index, now)
    if not earliest <= on <= latest:
        raise DateNotPossible(earliest, latest)


def _rescheduled(before: Subscription, after: Subscription, index: int, now: datetime) -> Decision:
    """Answer what a moved beginning leads to: what was planned for it goes along, and is paid for until then."""
    moved = _along(before, after, index)
    told = CycleRescheduled(
        at=now,
        account=moved.customer,
        subscription=moved.id,
        segment=segment_of(moved.segments, index).number,
        index=index,
        on=moved.begins_on(index),
    )
    return Decision(subscription=moved, events=(told,))


def _along(before: Subscription, after: Subscription, index: int) -> Subscription:
    was = start_instant_of(before.segments, index, moved=before.moved)
    now = start_instant_of(after.segments, index, moved=after.moved)
    after = attrs.evolve(after, scheduled=_moved_along(after.scheduled, was, now))
    if index != before.billed_to:
        return after
    return lasting_until(after, local_date(was, before.zone), local_date(now, before.zone))


def _moved_along(scheduled: Scheduled, was: datetime, now: datetime) -> Scheduled:
    """Answer what is planned, with what was planned for an instant at another one."""
    change, pause = scheduled.change, scheduled.pause
    if change is not None and change.at == was:
        scheduled = attrs.evolve(scheduled, change=attrs.evolve(change, at=now))
    if pause is not None and pause.at == was:
        scheduled = attrs.evolve(scheduled, pause=attrs.evolve(pause, at=now))
    return scheduled


def postpone_all(subscription: Subscription, days: int, now: datetime) -> Decision:
    """Put off all that is to come; what is paid for lasts longer by as much, for nothing.

    Args:
        subscription: One that runs.
        days: By how many days, 1 to 366.
        now: This instant.

    Raises:
        OperationNotAllowed: It doesn't run.
        InvalidInput: A number of days that can't be.
        CancellationScheduled: It ends before the next cycle, or with it.
    """
    if subscription.lifecycle is not Lifecycle.ACTIVE:
        raise OperationNotAllowed(_POSTPONE_ALL, subscription.lifecycle.value, subscription.collection.value)
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput(field="days", reason="range")
    index = subscription.billed_to
    require_not_over(subscription, index)
    was = start_instant_of(subscription.segments, index, moved=subscription.moved)
    return _postponed(subscription, subscription.begins_on(index) + days * _ONE_DAY, was, now)


def _postponed(subscription: Subscription, day: date, was: datetime, now: datetime) -> Decision:
    index = subscription.billed_to
    grid = segment_of(subscription.segments, index).cycle
    begins = instant_of(day, grid.anchor.at, grid.anchor.zone)
    if begins <= now:
        raise InvalidInput(field="days", reason="range")
    reached = tuple(segment for segment in subscription.segments if segment.first_index <= index)
    after, dropped = regrouped(
        attrs.evolve(subscription, segments=reached),
        anchored_on(grid, day),
        begins,
        index,
        SegmentReason.EXTENSION,
        told_at=now,
    )
    after = attrs.evolve(after, scheduled=_moved_along(after.scheduled, was, begins))
    after = lasting_until(after, local_date(was, subscription.zone), day)
    told = BillingDayMoved(
        at=now,
        account=after.customer,
        subscription=after.id,
        segment=segment_of(after.segments, index).number,
        starts_on=day,
    )
    return Decision(subscription=after, events=(*dropped, told))
