"""Boxes: what customers see of them and change about them, and the run that hands them over."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId, CustomerId, WorkerId
from shopaccounts.kernel.ports import DueWork
from shopaccounts.kernel.reading import all_rows
from shopaccounts.kernel.record import Change, Write
from shopaccounts.kernel.time import require_day
from shopaccounts.subscriptions.boxes.changes import edit_delivery, move_delivery, skip_delivery
from shopaccounts.subscriptions.boxes.delivering import DELIVERY_ROUNDS, DeliveryRound
from shopaccounts.subscriptions.boxes.filing import kept_boxes
from shopaccounts.subscriptions.boxes.listing import (
    SUBSCRIPTION_DELIVERIES,
    Delivery,
    DeliveryRecord,
    deliveries_from,
    deliveries_of_cycle,
    joined,
)
from shopaccounts.subscriptions.boxes.rounds import DeliveryReport, DeliveryRun
from shopaccounts.subscriptions.errors import SubscriptionUnknown
from shopaccounts.subscriptions.events import DeliverySkipped
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, Subscription
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.requests import KeptRequest, Request, asked_by, once, remembered

__all__ = ["Boxes"]

_ATTEMPTS: Final = 3
_FURTHEST: Final = timedelta(days=3 * 366)
_ONE_DAY: Final = timedelta(days=1)
_MOST_PRODUCTS: Final = 50
_NAME: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})(?:/([0-9]{1,6}))?", re.ASCII)


@attrs.frozen(kw_only=True)
class _Shelf:
    """A subscription with one of its boxes, and what is stored of them."""

    subscription: Subscription
    round: DeliveryRound
    box: Delivery
    record: DeliveryRecord | None
    kept: tuple[Delivery, ...]
    now: datetime


Rule = Callable[[_Shelf], Delivery]
"""Decides about one box."""


@attrs.frozen(kw_only=True)
class Boxes:
    """Shows customers their boxes, lets them change single ones, and hands over what is due.

    Args:
        desk: Whose books.
        work: Who hands out what is due.
        policy: How the shop delivers.
    """

    desk: Desk
    work: DueWork
    policy: SubscriptionPolicy

    async def deliveries(self, customer: CustomerId, subscription: str, start: date, end: date) -> tuple[Delivery, ...]:
        """Answer the boxes of some days: those to come, and what became of the others.

        Args:
            customer: Whose.
            subscription: Of which subscription.
            start: The first local day.
            end: The day after the last one; at most three years later.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            InvalidInput: The end isn't after the start, or lies too far from it.
        """
        if not start < end <= start + _FURTHEST:
            raise InvalidInput(field="end", reason="range")
        mine, _ = await self._mine(customer, subscription)
        kept = [
            record.delivery
            for record in await all_rows(self.desk.records, SUBSCRIPTION_DELIVERIES, "subscription", mine.id)
        ]
        return joined(mine, kept, start, end)

    async def skip_delivery(
        self, customer: CustomerId, subscription: str, delivery: str, *, request_id: str = ""
    ) -> Delivery:
        """Leave one box out; if it was paid for, it is made good on its day.

        Args:
            customer: Whose.
            subscription: Of which subscription.
            delivery: The name of the box: its key as text.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            InvalidInput: There is no such box.
            CutOffPassed: Somebody packs it already.
            TransitionRefused: It doesn't come anyway.
            OperationNotAllowed: The subscription has ended.
            OnHold: The subscription waits for a decision of the shop.
            RequestIdReused: The key was used for another request.
        """

        def rule(shelf: _Shelf) -> Delivery:
            return skip_delivery(shelf.box, shelf.now)

        request = Request("skip_delivery", request_id)
        return await self._changed(customer, subscription, delivery, rule, request, _skipped)

    async def edit_delivery(
        self,
        customer: CustomerId,
        subscription: str,
        delivery: str,
        *,
        contents: Mapping[str, int] | None = None,
        ship_to: str | None = None,
        request_id: str = "",
    ) -> Delivery:
        """Fill one box with something else, or send it elsewhere; what it costs stays as it is.

        Args:
            customer: Whose.
            subscription: Of which subscription.
            delivery: The name of the box: its key as text.
            contents: How many of which products; the host has checked that they are worth the same. None: as it is.
            ship_to: The id of the address; None: as it is.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            InvalidInput: There is no such box, or the contents are none.
            CutOffPassed: Somebody packs it already.
            TransitionRefused: It doesn't come anyway.
            OperationNotAllowed: The subscription has ended.
            OnHold: The subscription waits for a decision of the shop.
            RequestIdReused: The key was used for another request.
        """
        lines = None if contents is None else _lines(contents)

        def rule(shelf: _Shelf) -> Delivery:
            return edit_delivery(shelf.box, shelf.now, lines=lines, ship_to=ship_to)

        content = {"contents": dict(contents) if contents is not None else None, "ship_to": ship_to}
        request = Request("edit_delivery", request_id, content)
        return await self._changed(customer, subscription, delivery, rule, request)

    async def move_delivery(
        self, customer: CustomerId, subscription: str, delivery: str, on: date, *, request_id: str = ""
    ) -> Delivery:
        """Deliver one box on another day, between its neighbours and within its billing period.

        Args:
            customer: Whose.
            subscription: Of which subscription.
            delivery: The name of the box: its key as text.
            on: The new local day.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            InvalidInput: There is no such box.
            CutOffPassed: Somebody packs it already.
            DateNotPossible: Another day would be; says from when to when.
            TransitionRefused: It doesn't come anyway.
            OperationNotAllowed: The subscription has ended.
            OnHold: The subscription waits for a decision of the shop.
            RequestIdReused: The key was used for another request.
        """

        def rule(shelf: _Shelf) -> Delivery:
            return move_delivery(shelf.subscription, shelf.box, on, shelf.kept, shelf.now)

        request = Request("move_delivery", request_id, {"on": require_day(on).isoformat()})
        return await self._changed(customer, subscription, delivery, rule, request)

    async def run_deliveries(
        self, *, limit: int = 500, max_pages: int | None = None, worker: WorkerId
    ) -> DeliveryReport:
        """Hand over the boxes that are due, page by page, until nothing is left; it may be run at any time, and twice.

        Args:
            limit: How many subscriptions a page has at most, up to 500.
            max_pages: After how many pages to stop; None for never.
            worker: Who works.

        Raises:
            InvalidInput: *limit* is out of bounds.
        """
        if not 1 <= limit <= 500:  # noqa: PLR2004  (as said above)
            raise InvalidInput(field="limit", reason="range")
        run = DeliveryRun(desk=self.desk, work=self.work, policy=self.policy)
        return await run.run(limit=limit, max_pages=max_pages, worker=worker)

    async def _mine(self, customer: CustomerId, id: str) -> tuple[Subscription, DeliveryRound | None]:
        found = await got(self.desk.records.find(SUBSCRIPTIONS, id, bring=(DELIVERY_ROUNDS.via(),)))
        if found is None or found.it.customer != customer or found.it.store != self.desk.scope.store:
            raise SubscriptionUnknown
        return found.it, found[DELIVERY_ROUNDS]

    async def _changed(
        self,
        customer: CustomerId,
        subscription: str,
        delivery: str,
        rule: Rule,
        request: Request,
        told: Callable[[_Shelf], Iterable[Event]] = lambda _: (),
    ) -> Delivery:
        named = attrs.evolve(request, content={"delivery": delivery, **request.content})
        asked = asked_by(self.desk, customer, subscription, named)

        async def work() -> Delivery:
            shelf = await self._shelf(customer, subscription, delivery)
            box, kept = rule(shelf), remembered(self.desk, asked)
            if box != shelf.box:
                events = self.desk.tell(*told(shelf))
                guards = (SUBSCRIPTIONS.unchanged(shelf.subscription),)
                kept |= Change(writes=_writes(shelf, box), guards=guards, events=events)
            await self.desk.record(kept)
            return box

        async def again(_: KeptRequest) -> Delivery:
            return await self._again(customer, subscription, delivery)

        async def decide() -> Delivery:
            return await once(self.desk, asked, work, again)

        return await self.desk.retrying(decide, _ATTEMPTS, on_taken=True)

    async def _again(self, customer: CustomerId, id: str, delivery: str) -> Delivery:
        """Answer a box about which something was asked before, as it is now."""
        subscription, _ = await self._mine(customer, id)
        records = await kept_boxes(self.desk.records, (delivery,))
        box = records[delivery].delivery if delivery in records else _planned(subscription, delivery)
        if box is None:
            raise InvalidInput(field="delivery", reason="unknown")
        return box

    async def _shelf(self, customer: CustomerId, id: str, delivery: str) -> _Shelf:
        now = self.desk.now()
        subscription, its_round = await self._mine(customer, id)
        require_operation(subscription, Operation.SKIP_DELIVERY, now, self.policy)
        planned = _planned(subscription, delivery)
        if its_round is None:
            raise InvalidInput(field="delivery", reason="unknown")
        index = planned.cycle.index if planned else None
        around = [str(box.key) for box in deliveries_of_cycle(subscription, index)] if index is not None else []
        records = await kept_boxes(self.desk.records, (delivery, *around, *its_round.open))
        record = records.get(delivery)
        box = record.delivery if record else planned
        if box is None or box.key.subscription != subscription.id:
            raise InvalidInput(field="delivery", reason="unknown")
        return _Shelf(
            subscription=subscription,
            round=its_round,
            box=box,
            record=record,
            kept=tuple(each.delivery for each in records.values()),
            now=now,
        )


def _planned(subscription: Subscription, name: str) -> Delivery | None:
    """Answer the box of a name as it is planned; None for one that was put off, which is on record.

    Raises:
        InvalidInput: There is no such box.
    """
    match = _NAME.fullmatch(name.removeprefix(f"{subscription.id}/"))
    if match is None or int(match[1]) >= len(subscription.delivery_segments):
        raise InvalidInput(field="delivery", reason="unknown")
    if match[3] is not None:
        return None
    segment = subscription.delivery_segments[int(match[1])]
    day = max(segment.cycle.boundary(int(match[2])), segment.start)
    there = deliveries_from(subscription, day, day + _ONE_DAY)
    return next((box for box in there if str(box.key) == name), None)


def _lines(contents: Mapping[str, int]) -> tuple[SubscribedLine, ...]:
    if not 1 <= len(contents) <= _MOST_PRODUCTS:
        raise InvalidInput(field="contents", reason="range")
    for product, quantity in contents.items():
        if not product or type(quantity) is not int or not 1 <= quantity <= 1_000_000:  # noqa: PLR2004  (a lorry-load)
            raise InvalidInput(field="contents", reason="range")
    return tuple(SubscribedLine(key=product, product=product, quantity=n) for product, n in contents.items())


def _writes(shelf: _Shelf, box: Delivery) -> tuple[Write, ...]:
    """Answer what is written of a box that changed: the box, and its round, which looks after it from now on."""
    was, its_round, name = shelf.record, shelf.round, str(box.key)
    wakes = [at for at in (its_round.due_at, box.cut_off) if at is not None]
    opened = tuple(dict.fromkeys((*its_round.open, name)))
    return (
        SUBSCRIPTION_DELIVERIES.change(was, attrs.evolve(was, delivery=box))
        if was
        else SUBSCRIPTION_DELIVERIES.add(DeliveryRecord.of(shelf.subscription, box, shelf.now)),
        DELIVERY_ROUNDS.change(its_round, attrs.evolve(its_round, due_at=min(wakes), open=opened)),
    )


def _skipped(shelf: _Shelf) -> Iterable[Event]:
    box, subscription = shelf.box, shelf.subscription
    yield DeliverySkipped(
        at=shelf.now,
        account=AccountId(subscription.customer),
        billing_account=subscription.account,
        subscription=subscription.id,
        delivery=str(box.key),
        segment=box.cycle.segment,
        index=box.cycle.index,
    )
