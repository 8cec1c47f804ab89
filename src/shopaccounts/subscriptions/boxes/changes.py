"""Changing single boxes, and what a customer gets for one that doesn't come.

The rules, in plain English:

* Until its cut-off a box can be skipped, refilled, sent elsewhere, or moved within its billing period to a day between
  the box before and the box after it. From the cut-off on it can't.
* A box that was paid for and skipped or missed is made good: its part of the price is credited; or it comes after the
  last box of its period, half way to the next period, if there is such a day; or it is forfeited.
* Boxes that a pause took away stay away when the pause is over.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import local_date, require_day, require_instant
from shopaccounts.subscriptions.boxes.delivering import reached
from shopaccounts.subscriptions.boxes.listing import Delivery, deliveries_of_cycle, delivery_value, joined
from shopaccounts.subscriptions.boxes.states import DeliveryState, DeliveryTrigger, delivered
from shopaccounts.subscriptions.cycles.schedules import ServicePeriod
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.due import last_day
from shopaccounts.subscriptions.errors import BadPlan, CutOffPassed, DateNotPossible, TransitionRefused
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.delivery_schedule import DeliverySegment, cut_off_of
from shopaccounts.subscriptions.policy.deliveries import DeliveryPolicy, LostBox

__all__ = ["canceled_by_pause", "edit_delivery", "make_good", "move_delivery", "skip_delivery"]

_ONE_DAY: Final = timedelta(days=1)
_S = DeliveryState
_SETTLED: Final = frozenset({_S.LOCKED, _S.HELD, _S.HANDED_OVER, _S.MISSED})


def _require_planned(box: Delivery, now: datetime) -> None:
    """Refuse to change a box that is settled.

    Raises:
        CutOffPassed: Its cut-off has come.
    """
    if require_instant(now) >= box.cut_off or box.state in _SETTLED:
        raise CutOffPassed(box.cut_off)


def skip_delivery(box: Delivery, now: datetime) -> Delivery:
    """Leave out one box.

    Raises:
        CutOffPassed: Its cut-off has come.
        TransitionRefused: It doesn't come anyway.
    """
    _require_planned(box, now)
    return attrs.evolve(box, state=delivered(box.state, DeliveryTrigger.SKIPPED))


def edit_delivery(
    box: Delivery, now: datetime, *, lines: tuple[SubscribedLine, ...] | None = None, ship_to: str | None = None
) -> Delivery:
    """Refill one box, or send it elsewhere.

    Args:
        box: Which.
        now: An aware time.
        lines: What is in it; None leaves it as it is.
        ship_to: The id of the address; None leaves it as it is.

    Raises:
        CutOffPassed: Its cut-off has come.
        TransitionRefused: It doesn't come anyway.
        BadPlan: Nothing would be in it.
    """
    _require_planned(box, now)
    _require_coming(box)
    if lines is not None and not lines:
        problem = "a box has something in it"
        raise BadPlan(problem)
    return attrs.evolve(
        box,
        lines=box.lines if lines is None else lines,
        ship_to=box.ship_to if ship_to is None else ship_to,
    )


def _require_coming(box: Delivery) -> None:
    if box.state is not _S.PLANNED:
        raise TransitionRefused(box.state.value, "edited")


def move_delivery(
    subscription: Subscription, box: Delivery, on: date, kept: Iterable[Delivery], now: datetime
) -> Delivery:
    """Deliver one box on another day of its billing period, after the box before and before the box after it.

    Args:
        subscription: Whose.
        box: Which.
        on: The new day; its own cut-off, which goes along, must not have come.
        kept: The boxes of the period that are on record.
        now: An aware time.

    Raises:
        CutOffPassed: Its cut-off has come.
        TransitionRefused: It doesn't come anyway.
        DateNotPossible: Another day would be; says from when to when.
        TypeError: *on* is a datetime.
    """
    require_day(on)
    _require_planned(box, now)
    _require_coming(box)
    segment = subscription.delivery_segments[box.key.segment]
    period = _period(subscription, box)
    others = [each.on for each in joined(subscription, kept, period.start, period.end) if each.key != box.key]
    before = [day + _ONE_DAY for day in others if day < box.on]
    after = [day for day in others if day > box.on]
    earliest = max([period.start, _first_open(segment, now), *before])
    latest = min([period.end, *after]) - _ONE_DAY
    if not earliest <= on <= latest:
        raise DateNotPossible(earliest, latest)
    return attrs.evolve(box, on=on, cut_off=cut_off_of(segment, on))


def _period(subscription: Subscription, box: Delivery) -> ServicePeriod:
    end = last_day(subscription)
    return service_period_of(subscription.segments, box.cycle.index, moved=subscription.moved, end=end)


def _first_open(segment: DeliverySegment, now: datetime) -> date:
    """Answer the first day whose cut-off hasn't come."""
    return local_date(now, segment.cycle.anchor.zone) + (segment.plan.cut_off_days + 1) * _ONE_DAY


def make_good(
    subscription: Subscription,
    box: Delivery,
    net: Money,
    kept: Iterable[Delivery],
    policy: DeliveryPolicy,
    now: datetime,
) -> Money | Delivery | None:
    """Answer what a customer gets for a box that was paid for, and skipped or missed.

    Args:
        subscription: Whose.
        box: Which.
        net: What the boxes of its period cost on the line that billed them, after discounts and before tax.
        kept: The boxes of the period that are on record.
        policy: What the shop gives.
        now: An aware time.

    Returns:
        An amount for the balance; a box that comes later; or None: nothing.
    """
    if policy.skipped is LostBox.FORFEIT:
        return None
    if policy.skipped is LostBox.PUSH_BACK and (later := _put_off(subscription, box, kept, now)):
        return later
    return delivery_value(net, deliveries_of_cycle(subscription, box.cycle.index), box.key)


def _put_off(subscription: Subscription, box: Delivery, kept: Iterable[Delivery], now: datetime) -> Delivery | None:
    """Answer the box again, half way between the last one of its period and the next period, if that can be."""
    segment = subscription.delivery_segments[box.key.segment]
    period = _period(subscription, box)
    last = max((each.on for each in joined(subscription, kept, period.start, period.end)), default=box.on)
    on = max(last + (period.end - last) // 2, _first_open(segment, now))
    if not last < on < period.end:
        return None
    key = attrs.evolve(box.key, again=box.key.again + 1)
    return Delivery(
        key=key, cycle=box.cycle, on=on, cut_off=cut_off_of(segment, on), lines=box.lines, ship_to=box.ship_to
    )


def canceled_by_pause(
    subscription: Subscription, kept: Iterable[Delivery], resumed_at: datetime
) -> tuple[Delivery, ...]:
    """Answer the boxes that a pause took away, so that they stay away when it is over.

    Args:
        subscription: Whose; still paused.
        kept: The boxes on record since the pause began, those that are done among them.
        resumed_at: When the pause ends: boxes whose cut-off came in it are gone too.
    """
    if subscription.pause is None:
        return ()
    since, kept = subscription.pause.since, tuple(kept)
    boxes = reached(subscription, kept, local_date(since, subscription.zone), resumed_at)
    gone = (each for each in boxes if since < each.cut_off and each.state in {_S.PLANNED, _S.CANCELED})
    canceled = (attrs.evolve(each, state=_S.CANCELED) for each in gone)
    return tuple(each for each in canceled if each not in kept)
