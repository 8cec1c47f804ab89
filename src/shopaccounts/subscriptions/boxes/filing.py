"""What a change of a subscription means for its boxes, and for the round in which they are looked after.

The rules, in plain English:

* The stretches of deliveries follow those of billing: whatever opens one of billing opens, where dates change by it,
  one of deliveries. That is done in one place, when a decision is written up, whatever the decision was.
* A subscription that begins to deliver gets a round, which is due at once. Whatever may make a box go out earlier than
  its round expects makes the round due at once: another rhythm, the end of a pause, another end of the subscription.
* Boxes that a pause took away are kept as cancelled when it is over, so that they don't come back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Write
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.boxes.changes import canceled_by_pause
from shopaccounts.subscriptions.boxes.delivering import DELIVERY_ROUNDS, DeliveryRound
from shopaccounts.subscriptions.boxes.listing import (
    SUBSCRIPTION_DELIVERIES,
    Delivery,
    DeliveryRecord,
    OpenBoxes,
    deliveries,
)
from shopaccounts.subscriptions.due import last_day
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.delivery_schedule import DeliverySegment, open_deliveries

__all__ = [
    "NOTHING_ON_FILE",
    "BoxesOnFile",
    "box_writes",
    "boxes_on_file",
    "in_step",
    "kept_boxes",
    "open_boxes",
    "woken",
]

_MOST_IDS: Final = 1000
_ONE_DAY: Final = timedelta(days=1)


def in_step(subscription: Subscription, now: datetime) -> Subscription:
    """Answer a subscription whose stretches of deliveries are those that its billing asks for.

    Args:
        subscription: Which.
        now: This instant: stretches that begin later are looked at anew.
    """
    plan, segments, before = subscription.terms.deliveries, subscription.segments, subscription.delivery_segments
    if plan is None:
        return subscription
    today = local_date(now, subscription.zone)
    history = tuple(each for each in before if each.start <= today)
    for place, segment in enumerate(segments, 1):
        if not history or segment.number > history[-1].follows:
            opened = open_deliveries(history, plan, segments[:place])
            history = opened if opened == history else (*history, _as_known(opened[-1], before, now))
    if history[-1].plan != plan:
        history = open_deliveries(history, plan, segments, max(now, history[-1].ordered_at))
    if history == before:
        return subscription
    return attrs.evolve(subscription, delivery_segments=history)


def _as_known(opened: DeliverySegment, before: tuple[DeliverySegment, ...], now: datetime) -> DeliverySegment:
    """Answer a stretch that takes over from another as ordered when it was first known, which may be long before."""
    if opened.anew:
        return opened
    known = attrs.evolve(opened, ordered_at=min(opened.ordered_at, now))
    was = before[opened.number] if opened.number < len(before) else None
    same = was is not None and attrs.evolve(was, ordered_at=known.ordered_at) == known
    return was if same and was is not None and was.ordered_at < known.ordered_at else known


@attrs.frozen(kw_only=True)
class BoxesOnFile:
    """What is stored of the boxes of subscriptions.

    Args:
        rounds: Their rounds, by their ids.
        boxes: Boxes on record, by their ids.
    """

    rounds: Mapping[str, DeliveryRound] = MappingProxyType({})
    boxes: Mapping[str, DeliveryRecord] = MappingProxyType({})


NOTHING_ON_FILE: Final = BoxesOnFile()


async def kept_boxes(records: Records, ids: Iterable[str]) -> dict[str, DeliveryRecord]:
    """Answer those boxes of some ids that are on record."""
    wanted, kept = sorted(set(ids)), dict[str, DeliveryRecord]()
    for place in range(0, len(wanted), _MOST_IDS):
        found = await got(records.pick(SUBSCRIPTION_DELIVERIES, wanted[place : place + _MOST_IDS]))
        kept |= {one.id: one for one in found}
    return kept


async def open_boxes(records: Records, subscriptions: Iterable[Subscription]) -> dict[str, OpenBoxes]:
    """Answer what is on record of boxes that aren't decided, by the ids of their subscriptions.

    Args:
        records: Where.
        subscriptions: Whose.
    """
    ids = sorted(one.id for one in subscriptions if one.delivery_segments)
    rounds = await got(records.pick(DELIVERY_ROUNDS, ids)) if ids else ()
    kept = await kept_boxes(records, (name for one in rounds for name in one.open))
    boxes = {one.id: tuple(kept[name].delivery for name in one.open if name in kept) for one in rounds}
    return {one.id: OpenBoxes(one.decided_to, boxes[one.id]) for one in rounds}


async def boxes_on_file(
    records: Records,
    after: Iterable[Subscription],
    stored: Mapping[str, Subscription],
    now: datetime,
    *,
    paid: Iterable[str] = (),
) -> BoxesOnFile:
    """Look up what the changes of some subscriptions mean for their boxes; nothing, where they mean nothing.

    Args:
        records: Where.
        after: The subscriptions as they are going to be.
        stored: As they are stored, by their ids.
        now: This instant.
        paid: The ids of those of which something is paid now.
    """
    pairs = ((was, one) for one in after if (was := stored.get(one.id)) is not None)
    ids = {was.id for was, one in pairs if _is_touched(was, one)} | {*paid}
    touched = [stored[id] for id in sorted(ids) if stored[id].delivery_segments]
    if not touched:
        return NOTHING_ON_FILE
    rounds = await got(records.pick(DELIVERY_ROUNDS, [one.id for one in touched]))
    by_id = {one.id: one for one in rounds}
    rested = [one for one in touched if one.pause is not None]
    names = [name for one in rested for name in (*_around_pause(one, now), *_open(by_id, one))]
    return BoxesOnFile(rounds=by_id, boxes=await kept_boxes(records, names) if names else {})


def _is_touched(was: Subscription, now: Subscription) -> bool:
    """Tell whether a change may make a box go out earlier than expected, or not at all."""
    return was.billed_to != now.billed_to or _moves_dates(was, now)


def _moves_dates(was: Subscription, now: Subscription) -> bool:
    return (
        was.segments != now.segments
        or was.delivery_segments != now.delivery_segments
        or (was.pause is not None and now.pause is None)
        or last_day(was) != last_day(now)
    )


def _open(rounds: Mapping[str, DeliveryRound], subscription: Subscription) -> Sequence[str]:
    mine = rounds.get(subscription.id)
    return mine.open if mine else ()


def _around_pause(subscription: Subscription, now: datetime) -> Iterator[str]:
    """Answer the names of the boxes that a pause may have taken away."""
    if subscription.pause is None:
        return
    zone = subscription.zone
    furthest = max(segment.plan.cut_off_days for segment in subscription.delivery_segments)
    since, until = local_date(subscription.pause.since, zone), local_date(now, zone)
    for box in deliveries(subscription, since, until + (furthest + 1) * _ONE_DAY):
        yield str(box.key)


def box_writes(
    after: Iterable[Subscription], stored: Mapping[str, Subscription], on_file: BoxesOnFile, now: datetime
) -> Iterator[Write]:
    """Answer what is written of boxes and rounds together with subscriptions.

    Args:
        after: The subscriptions as they are going to be.
        stored: As they are stored, by their ids; one that isn't among them is new.
        on_file: What ``boxes_on_file`` found.
        now: This instant.
    """
    for one in after:
        was = stored.get(one.id)
        if one.delivery_segments and not (was and was.delivery_segments):
            yield DELIVERY_ROUNDS.add(DeliveryRound.of(one, now))
        elif was is not None and (its_round := on_file.rounds.get(one.id)) is not None:
            yield from _woken(was, one, its_round, on_file, now)


def _woken(
    was: Subscription, subscription: Subscription, its_round: DeliveryRound, on_file: BoxesOnFile, now: datetime
) -> Iterator[Write]:
    """Answer what is written where something changes for boxes; nothing, where no box waits for it."""
    gone = _gone(was, on_file, now) if was.pause is not None and subscription.pause is None else ()
    if not its_round.open and not _moves_dates(was, subscription):
        return
    for box in gone:
        kept = on_file.boxes.get(str(box.key))
        if kept is None:
            yield SUBSCRIPTION_DELIVERIES.add(DeliveryRecord.of(subscription, box, now))
        else:
            yield SUBSCRIPTION_DELIVERIES.change(kept, attrs.evolve(kept, delivery=box))
    open_ones = dict.fromkeys((*its_round.open, *(str(box.key) for box in gone)))
    yield DELIVERY_ROUNDS.change(its_round, attrs.evolve(its_round, due_at=now, open=tuple(open_ones)))


def _gone(was: Subscription, on_file: BoxesOnFile, now: datetime) -> tuple[Delivery, ...]:
    ends = [at for at in (was.pause and was.pause.until, was.scheduled.resume and was.scheduled.resume.at) if at]
    kept = [one.delivery for one in on_file.boxes.values() if one.delivery.key.subscription == was.id]
    return canceled_by_pause(was, kept, min([now, *ends]))


def woken(on_file: BoxesOnFile, subscriptions: Iterable[str], now: datetime) -> Change:
    """Answer the part of a change that lets boxes go out whose money has come: their rounds are due at once.

    Args:
        on_file: What ``boxes_on_file`` found.
        subscriptions: The ids of those that are paid, and that don't change otherwise.
        now: This instant.
    """
    rounds = (its_round for id in subscriptions if (its_round := on_file.rounds.get(id)) is not None)
    return Change(writes=tuple(_due_at_once(one, now) for one in rounds if one.open))


def _due_at_once(its_round: DeliveryRound, now: datetime) -> Write:
    return DELIVERY_ROUNDS.change(its_round, attrs.evolve(its_round, due_at=now))
