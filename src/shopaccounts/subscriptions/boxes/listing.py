"""Which boxes a subscription has: those to come, computed, and those that something happened to, kept.

The rules, in plain English:

* What is to come isn't stored. It follows from the subscription alone, at any time and for any days: the deliveries of
  two stretches of days are together those of both.
* A box belongs to the billing period that its day is in, also where the beginning of that period was moved. Between the
  end of one period and a return there are no boxes, nor after the end of a subscription.
* Who skips a billing period skips its boxes. A pause cancels the boxes in it that can still be changed when it begins;
  what was settled before goes out.
* A box has the lines of the subscription, or those that its period was given.
* A box is kept as soon as it is no longer as it was planned. What is kept goes before what is computed.
* What a box cost is its part of the line that its period was billed with, divided over the boxes of the period so that
  no cent is lost.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from heapq import merge
from typing import Final, final

import attrs

from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import Money, split
from shopaccounts.kernel.personal import Category, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.time import start_of_day
from shopaccounts.subscriptions.billing.bills import is_skipped
from shopaccounts.subscriptions.boxes.states import DeliveryState
from shopaccounts.subscriptions.charges.period_lines import lines_in
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.cycles.segments import segment_of, service_period_of
from shopaccounts.subscriptions.due import last_day
from shopaccounts.subscriptions.marks import AN_ID, KEPT
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.delivery_schedule import delivery_dates
from shopaccounts.subscriptions.states import Lifecycle

__all__ = [
    "SUBSCRIPTION_DELIVERIES",
    "Delivery",
    "DeliveryKey",
    "DeliveryRecord",
    "OpenBoxes",
    "boxes_ahead",
    "deliveries",
    "deliveries_from",
    "deliveries_of_cycle",
    "delivery_value",
    "joined",
    "pauses_of",
]


_TO_COME: Final = frozenset({DeliveryState.PLANNED, DeliveryState.LOCKED, DeliveryState.HELD})
Window = tuple[datetime, datetime | None]
"""From when, included, to when, excluded; None: for the time being."""


@final
@attrs.frozen(order=True)
class DeliveryKey:
    """The name of one box, unique for good.

    Args:
        subscription: Whose.
        segment: Which stretch of its deliveries.
        index: Which boundary of that stretch's cycle.
        again: How often it was put off to the end of its period.
    """

    subscription: str
    segment: int
    index: int
    again: int = 0

    def __str__(self) -> str:
        """Answer it as text, such as ``sub-1/0/3``: the id under which the box is kept."""
        place = f"{self.subscription}/{self.segment}/{self.index}"
        return f"{place}/{self.again}" if self.again else place


@final
@attrs.frozen(kw_only=True)
class Delivery:
    """One box.

    Args:
        key: Which.
        cycle: The billing cycle that its day is in, and that pays for it.
        on: The local day of the delivery.
        cut_off: Until when it can be changed, that instant excluded.
        state: What became of it.
        lines: What is in it.
        ship_to: The id of the address it goes to.
        made_good: Whether the customer got what the shop gives for a box that was paid for and didn't come.
        done: Whether nothing can become of it any more.
    """

    key: DeliveryKey
    cycle: CycleRef
    on: date
    cut_off: datetime
    state: DeliveryState = DeliveryState.PLANNED
    lines: tuple[SubscribedLine, ...]
    ship_to: str = attrs.field(default="", metadata=personal("delivery", Category.LOCATION))
    made_good: bool = False
    done: bool = False


@described(data_class="delivery", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class DeliveryRecord:
    """A box that is no longer as it was planned. Its id is its key, so that there can't be a second."""

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    customer: CustomerId
    made_at: datetime
    delivery: Delivery = attrs.field(metadata=personal("delivery", Category.PURCHASE, on_erase=KEPT))

    @classmethod
    def of(cls, subscription: Subscription, delivery: Delivery, now: datetime) -> "DeliveryRecord":
        """Answer the record of one of a subscription's boxes that has none yet."""
        return cls(
            id=str(delivery.key),
            realm=subscription.realm,
            store=subscription.store,
            customer=subscription.customer,
            made_at=now,
            delivery=delivery,
        )


def _open_of(record: DeliveryRecord) -> str | None:
    return None if record.delivery.done else record.delivery.key.subscription


SUBSCRIPTION_DELIVERIES: Final = Book(
    name="subscription_deliveries",
    of=DeliveryRecord,
    groups={
        "subscription": lambda record: record.delivery.key.subscription,
        "open": _open_of,
        "customer": lambda record: record.customer,
    },
    order=lambda record: record.made_at,
)


def deliveries(subscription: Subscription, start: date, end: date) -> tuple[Delivery, ...]:
    """Answer the boxes from *start*, included, to *end*, excluded, as planned; ``joined`` has what is kept, too.

    Args:
        subscription: Whose.
        start: The first local day.
        end: The day after the last one.

    Returns:
        Oldest first: planned ones, those that are skipped with their period, and those that a pause cancels.

    Raises:
        DateOutOfRange: One of them lies outside the years 1 to 9999.
    """
    return tuple(deliveries_from(subscription, start, end))


def deliveries_from(subscription: Subscription, start: date, end: date | None = None) -> Iterator[Delivery]:
    """Answer one box after the other, as ``deliveries`` does; without an end as long as the subscription runs."""
    if subscription.terms.deliveries is None or subscription.lifecycle is Lifecycle.INCOMPLETE_EXPIRED:
        return
    until = min((day for day in (end, last_day(subscription)) if day is not None), default=None)
    pauses = pauses_of(subscription)
    for segment, index, day, cut_off in delivery_dates(subscription.delivery_segments, start, until):
        cycle = _cycle_on(subscription, day)
        if cycle is None:
            continue
        yield Delivery(
            key=DeliveryKey(subscription.id, segment.number, index),
            cycle=cycle,
            on=day,
            cut_off=cut_off,
            state=_planned_state(subscription, cycle, pauses, cut_off, start_of_day(day, segment.cycle.anchor.zone)),
            lines=lines_in(subscription, cycle.index),
            ship_to=subscription.ship_to,
        )


def pauses_of(subscription: Subscription) -> tuple[Window, ...]:
    """Answer from when to when a subscription is paused: the pause that runs, and the one that is planned."""
    pause, planned, resume = subscription.pause, subscription.scheduled.pause, subscription.scheduled.resume
    windows: list[Window] = []
    if pause:
        ends = [at for at in (pause.until, resume and resume.at) if at]
        windows.append((pause.since, min(ends, default=None)))
    if planned:
        windows.append((planned.at, planned.until or _after_cycles(subscription, planned.at, planned.cycles)))
    return tuple(windows)


def _after_cycles(subscription: Subscription, at: datetime, cycles: int | None) -> datetime | None:
    if cycles is None:
        return None
    cycle = subscription.segments[-1].cycle
    return cycle.boundary_instant(cycle.index_at(at) + cycles)


def _planned_state(
    subscription: Subscription, cycle: CycleRef, pauses: tuple[Window, ...], cut_off: datetime, begins: datetime
) -> DeliveryState:
    if is_skipped(subscription, cycle.index):
        return DeliveryState.SKIPPED
    paused = any(since < cut_off and (until is None or begins < until) for since, until in pauses)
    return DeliveryState.CANCELED if paused else DeliveryState.PLANNED


def _cycle_on(subscription: Subscription, day: date) -> CycleRef | None:
    """Answer the cycle that a day of service is in; None before the first one and in a gap."""
    segments, moved = subscription.segments, subscription.moved
    place = len(segments) - 1
    while place and segments[place].start > day:
        place -= 1
    segment = segments[place]
    index = segment.cycle.index_on(day) - segment.cycle.index_on(segment.start) + segment.first_index
    following = segments[place + 1] if place + 1 < len(segments) else None
    if following:
        index = min(index, following.first_index - 1)
    if moved:
        index = _moved_index(moved, index, day)
    follows_a_gap = following is not None and following.reason.follows_a_gap
    if index < 0 or (follows_a_gap and service_period_of(segments, index, moved=moved).end <= day):
        return None
    return CycleRef(subscription.id, segment_of(segments, index).number, index)


def _moved_index(moved: Mapping[int, date], index: int, day: date) -> int:
    """Answer the number of the cycle that a day is in where beginnings were moved, be it by several cycles."""
    while moved.get(index, day) > day:
        index -= 1
    while moved.get(index + 1, date.max) <= day:
        index += 1
    return index


def deliveries_of_cycle(subscription: Subscription, index: int) -> tuple[Delivery, ...]:
    """Answer the boxes of one billing period, as they are planned.

    Args:
        subscription: Whose.
        index: The number of the billing cycle.

    Raises:
        InvalidDateSequence: The subscription has no such period.
    """
    period = service_period_of(subscription.segments, index, moved=subscription.moved)
    return deliveries(subscription, period.start, period.end)


def joined(subscription: Subscription, kept: Iterable[Delivery], start: date, end: date) -> tuple[Delivery, ...]:
    """Answer all boxes from *start*, included, to *end*, excluded: those that are kept, and the planned ones besides.

    Args:
        subscription: Whose.
        kept: The boxes on record that are, or were planned, on these days; others do no harm.
        start: The first local day.
        end: The day after the last one.

    Returns:
        Oldest first.
    """
    kept = tuple(kept)
    known = {delivery.key for delivery in kept}
    planned = [each for each in deliveries_from(subscription, start, end) if each.key not in known]
    here = [_as_planned_now(subscription, each) for each in kept if start <= each.on < end]
    return tuple(sorted(planned + here, key=_place))


@attrs.frozen
class OpenBoxes:
    """What is on record of boxes that aren't decided.

    Args:
        decided_to: The first local day whose box isn't decided.
        kept: The boxes on record of which something may still become.
    """

    decided_to: date = date.min
    kept: tuple[Delivery, ...] = ()


def boxes_ahead(subscription: Subscription, on_record: OpenBoxes, start: date, end: date) -> Iterator[Delivery]:
    """Answer the boxes of some days that are still to come, one after the other, oldest first.

    Args:
        subscription: Whose.
        on_record: What is on record of them.
        start: The first local day.
        end: The day after the last one.
    """
    kept = on_record.kept
    known = {delivery.key for delivery in kept}
    computed = deliveries_from(subscription, max(start, on_record.decided_to), end)
    planned = (each for each in computed if each.key not in known)
    here = (_as_planned_now(subscription, each) for each in kept if start <= each.on < end)
    every = merge(planned, sorted(here, key=_place), key=_place)
    return (each for each in every if each.state in _TO_COME)


def _place(delivery: Delivery) -> tuple[date, DeliveryKey]:
    return delivery.on, delivery.key


def _as_planned_now(subscription: Subscription, kept: Delivery) -> Delivery:
    """Answer a box that was changed and is still planned as skips and pauses leave it."""
    if kept.state is not DeliveryState.PLANNED:
        return kept
    begins = start_of_day(kept.on, subscription.zone)
    state = _planned_state(subscription, kept.cycle, pauses_of(subscription), kept.cut_off, begins)
    return kept if state is kept.state else attrs.evolve(kept, state=state)


def delivery_value(net: Money, of_period: Iterable[Delivery], key: DeliveryKey) -> Money:
    """Answer what one box cost: its part of a line that was billed for the boxes of a period, to the cent.

    Args:
        net: What the line cost, after discounts and before tax.
        of_period: The boxes of the period, from ``deliveries_of_cycle``.
        key: Which box; one that was put off counts as the one that it was.

    Returns:
        Nothing for a box that isn't one of the period.
    """
    places = [(each.key.segment, each.key.index) for each in of_period]
    if (key.segment, key.index) not in places:
        return Money.zero(net.currency)
    return split(net, len(places))[places.index((key.segment, key.index))]
