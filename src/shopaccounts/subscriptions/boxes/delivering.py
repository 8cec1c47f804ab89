"""Handing boxes over: which one goes out, and which one waits for its money.

The rules, in plain English:

* On its day a box goes out if it is paid for, or invoiced where the shop waits for no money. What is free, and what is
  billed afterwards, waits for nothing. Otherwise it is held, and goes out as soon as the money is there.
* One box goes out at a time. When the next one is due, one that is still held is missed; and after an outage the latest
  box goes out, and the older ones are missed.
* The boxes of a period that lapsed, or was waived, don't go out, nor do those after the end of a subscription.
* A box that was paid for and skipped or missed is made good once, as soon as its day has come and its money.
* Asking again changes nothing: what was decided is decided.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from itertools import islice
from typing import Any, Final

import attrs

from shopaccounts.kernel.cycles import BillingMode
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId, CustomerId, RealmId, StoreId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.time import local_date, start_of_day
from shopaccounts.subscriptions.boxes.listing import (
    Delivery,
    DeliveryKey,
    deliveries_from,
    joined,
)
from shopaccounts.subscriptions.boxes.states import DeliveryState, DeliveryTrigger, delivered
from shopaccounts.subscriptions.due import last_day
from shopaccounts.subscriptions.events import DeliveryDue, DeliveryMissed, DeliverySkipped
from shopaccounts.subscriptions.marks import AN_ID
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import BilledCycle, CycleEnd, Invoice, InvoiceState
from shopaccounts.subscriptions.plans.offers import ShipWhen
from shopaccounts.subscriptions.policy.deliveries import DeliveryPolicy
from shopaccounts.subscriptions.states import Lifecycle

__all__ = [
    "DELIVERY_ROUNDS",
    "DeliveryRound",
    "DueDeliveries",
    "Settlement",
    "due_deliveries",
    "reached",
    "settlement",
]


_ONE_DAY: Final = timedelta(days=1)
_S, _T = DeliveryState, DeliveryTrigger
_WAITING: Final = frozenset({_S.LOCKED, _S.HELD})
_TOLD: Final = frozenset({_S.SKIPPED, _S.MISSED, _S.HANDED_OVER})
_LOST: Final = frozenset({_S.SKIPPED, _S.MISSED})
_SETTLED: Final = frozenset({_S.LOCKED, _S.HELD, _S.HANDED_OVER, _S.MISSED})


@described(data_class="delivery", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class DeliveryRound:
    """Up to where a subscription's boxes are decided. Its id is the subscription's.

    Args:
        id: The subscription's.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        customer: Whose.
        decided_to: The first local day whose box isn't decided.
        due_at: When a box next wants work, None for never.
        open: The names of the boxes on record that something may still become of.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    customer: CustomerId
    decided_to: date = attrs.field(metadata=impersonal("a day of the schedule"))
    due_at: datetime | None
    open: tuple[str, ...] = attrs.field(default=(), metadata=impersonal("opaque ids"))

    @classmethod
    def of(cls, subscription: Subscription, now: datetime) -> "DeliveryRound":
        """Answer the round of a subscription that begins to deliver; it is due at once."""
        return cls(
            id=subscription.id,
            realm=subscription.realm,
            store=subscription.store,
            customer=subscription.customer,
            decided_to=subscription.delivery_segments[0].start,
            due_at=now,
        )


DELIVERY_ROUNDS: Final = Book(
    name="subscription_delivery_rounds",
    of=DeliveryRound,
    groups={"customer": lambda each: each.customer},
    due=lambda each: each.due_at,
)


class Settlement(Enum):
    """What became of the money for a billing cycle."""

    UNBILLED = "unbilled"
    INVOICED = "invoiced"
    PAID = "paid"
    NONE = "none"
    """Nothing is owed for it, and nothing is delivered: it was skipped, paused or waived, or it lapsed."""


def settlement(cycle: BilledCycle | None, invoice: Invoice | None) -> Settlement:
    """Answer what became of the money for a cycle.

    Args:
        cycle: How the cycle ended; None as long as it hasn't.
        invoice: The invoice that it is on; None where it cost nothing, or too little to be invoiced.
    """
    if cycle is None:
        return Settlement.UNBILLED
    if cycle.ended not in {CycleEnd.BILLED, CycleEnd.FREE}:
        return Settlement.NONE
    if invoice is None or invoice.state is InvoiceState.PAID:
        return Settlement.PAID
    return Settlement.INVOICED


@attrs.frozen(kw_only=True)
class DueDeliveries:
    """What is decided about the boxes of a subscription.

    Args:
        changed: Those of which something became, as they are now: to be recorded.
        lost: Those among them that were paid for and don't come: to be made good.
        events: What happened, in the order in which it should have happened; each thing is told once.
        decided_to: The first local day whose box isn't decided.
        due_at: When a box next wants work, None for never. A payment may make one go out earlier.
    """

    changed: tuple[Delivery, ...]
    lost: tuple[Delivery, ...]
    events: tuple[Event, ...]
    decided_to: date
    due_at: datetime | None


def reached(
    subscription: Subscription, kept: Iterable[Delivery], decided_to: date, now: datetime
) -> tuple[Delivery, ...]:
    """Answer the boxes whose cut-off has come and that something may become of; for their cycles ask ``settlement``.

    Args:
        subscription: Whose.
        kept: All boxes on record that aren't done.
        decided_to: The first local day whose box isn't decided.
        now: An aware time.
    """
    kept = tuple(kept)
    furthest = max((segment.plan.cut_off_days for segment in subscription.delivery_segments), default=0)
    horizon = local_date(now, subscription.zone) + (furthest + 1) * _ONE_DAY
    earlier = [each for each in kept if each.on < decided_to]
    boxes = [*earlier, *joined(subscription, kept, decided_to, max(horizon, decided_to))]
    return tuple(each for each in boxes if each.cut_off <= now)


def due_deliveries(
    subscription: Subscription,
    kept: Iterable[Delivery],
    decided_to: date,
    settled: Mapping[int, Settlement],
    policy: DeliveryPolicy,
    now: datetime,
) -> DueDeliveries:
    """Decide what becomes of a subscription's boxes by now.

    Args:
        subscription: Whose.
        kept: All boxes on record that aren't done.
        decided_to: The first local day whose box isn't decided.
        settled: What became of the money for each billing cycle, by its number; a cycle that isn't there isn't billed.
        policy: How the shop hands boxes over.
        now: An aware time.
    """
    kept = tuple(kept)
    today = local_date(now, subscription.zone)
    bill = _Bill(subscription, settled, policy)
    before = reached(subscription, kept, decided_to, now)
    packed = [_at_cut_off(each, bill, today) for each in before]
    waiting = [each for each in packed if each.on <= today and each.state in _WAITING]
    latest = max(waiting, key=lambda each: (each.on, each.key), default=None)
    handled = [_on_its_day(each, latest, bill) if each in waiting else each for each in packed]
    after = [_closed(each, bill) if each.on <= today else each for each in handled]
    known = {each.key: each for each in kept}
    current = known | {each.key: each for each in after}
    decided_to = max(decided_to, today + _ONE_DAY)
    changed = tuple(each for each in after if each != known.get(each.key))
    return DueDeliveries(
        changed=changed,
        lost=tuple(each for each, was in zip(after, before, strict=True) if each.made_good and not was.made_good),
        events=tuple(_events(subscription, changed, known, latest, now)),
        decided_to=decided_to,
        due_at=min(_wakes(subscription, current.values(), decided_to, now), default=None),
    )


@attrs.frozen
class _Bill:
    """What a box costs, and whether that is paid."""

    subscription: Subscription
    settled: Mapping[int, Settlement]
    policy: DeliveryPolicy

    def settlement(self, box: Delivery) -> Settlement:
        """Answer what became of the money for the box's cycle."""
        return self.settled.get(box.cycle.index, Settlement.UNBILLED)

    def is_off(self, box: Delivery) -> bool:
        """Tell whether the box doesn't go out, because its cycle has no boxes or the subscription has ended."""
        end = last_day(self.subscription)
        if self.subscription.lifecycle is Lifecycle.INCOMPLETE_EXPIRED:
            return True
        return self.settlement(box) is Settlement.NONE or (end is not None and end <= box.on)

    def is_prepaid(self, box: Delivery) -> bool:
        """Tell whether the box is billed before it is delivered, and costs something."""
        if self.subscription.plan_line.mode is BillingMode.IN_ARREARS:
            return False
        phases = self.subscription.terms.phases
        phase = next((each for each in phases if each.start <= box.on and (not each.end or box.on < each.end)), None)
        return phase is None or phase.tariff is not None

    def lets_go(self, box: Delivery) -> bool:
        """Tell whether the box waits for no money."""
        settled = self.settlement(box)
        if settled is Settlement.PAID or not self.is_prepaid(box):
            return True
        ship_when = self.subscription.delivery_segments[box.key.segment].plan.ship_when or self.policy.ship_when
        return settled is Settlement.INVOICED and ship_when is ShipWhen.INVOICED


def _after(box: Delivery, trigger: DeliveryTrigger) -> Delivery:
    return attrs.evolve(box, state=delivered(box.state, trigger))


def _at_cut_off(box: Delivery, bill: _Bill, today: date) -> Delivery:
    if box.state is _S.PLANNED:
        box = _after(box, _T.CUT_OFF)
    if box.on <= today and box.state in _WAITING and bill.is_off(box):
        box = _after(box, _T.CANCELED)
    return box


def _on_its_day(box: Delivery, latest: Delivery | None, bill: _Bill) -> Delivery:
    if box is not latest:
        return _after(box, _T.OVERTAKEN)
    if bill.lets_go(box):
        return _after(box, _T.DUE)
    return box if box.state is _S.HELD else _after(box, _T.UNPAID)


def _closed(box: Delivery, bill: _Bill) -> Delivery:
    """Answer a box whose day has come, marked if nothing can become of it any more."""
    if box.state in _WAITING:
        return box
    if box.state not in _LOST or box.made_good or bill.is_off(box) or not bill.is_prepaid(box):
        return attrs.evolve(box, done=True)
    return attrs.evolve(box, made_good=True, done=True) if bill.settlement(box) is Settlement.PAID else box


def _events(
    subscription: Subscription,
    changed: Iterable[Delivery],
    known: Mapping[DeliveryKey, Delivery],
    latest: Delivery | None,
    now: datetime,
) -> Iterator[Event]:
    for box in changed:
        was = known[box.key].state if box.key in known else _S.PLANNED
        if was is box.state or box.state not in _TOLD:
            continue
        facts: dict[str, Any] = {
            "account": AccountId(subscription.customer),
            "billing_account": subscription.account,
            "subscription": subscription.id,
            "delivery": str(box.key),
            "segment": box.cycle.segment,
            "index": box.cycle.index,
        }
        if box.state is _S.SKIPPED:
            yield DeliverySkipped(at=box.cut_off, **facts)
        elif box.state is _S.MISSED:
            day = latest.on if latest else box.on
            yield DeliveryMissed(at=start_of_day(day, subscription.zone), **facts)
        else:
            at = now if was is _S.HELD else start_of_day(box.on, subscription.zone)
            lines = tuple(f"{line.quantity} {line.product}" for line in box.lines)
            yield DeliveryDue(at=at, lines=lines, ship_to=box.ship_to, **facts)


def _wakes(
    subscription: Subscription, boxes: Iterable[Delivery], decided_to: date, now: datetime
) -> Iterator[datetime]:
    """Answer when something becomes of boxes: at the cut-off of one, on the day of one that is settled."""
    for box in boxes:
        if box.cut_off > now:
            yield box.cut_off
        elif box.on >= decided_to:
            yield start_of_day(box.on, subscription.zone)
    yield from islice((box.cut_off for box in deliveries_from(subscription, decided_to) if box.cut_off > now), 1)
