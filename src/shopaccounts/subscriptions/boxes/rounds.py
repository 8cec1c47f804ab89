"""The delivery run: everything that has become of boxes by now, a page of subscriptions at a time.

The rules, in plain English:

* A page is claimed, decided without looking anything up, and recorded: boxes, events, what the customer gets for a box
  that was lost. Asking again changes nothing.
* Correct it is by two things alone: a box has one name and one record, and a round that somebody else changed meanwhile
  is decided anew. Claims only keep workers out of each other's way.
* What a box cost is what was billed for its period and not taken back: its part of that is credited once.
* A subscription whose boxes can't be decided is set aside and tried again later; at last a person has to look.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.money import Currency, Money
from shopaccounts.kernel.ports import Claimed, DueWork
from shopaccounts.kernel.record import Change, ClaimGuard, PageResult, Write
from shopaccounts.subscriptions.boxes.changes import make_good
from shopaccounts.subscriptions.boxes.delivering import (
    DELIVERY_ROUNDS,
    DeliveryRound,
    DueDeliveries,
    Settlement,
    due_deliveries,
    reached,
    settlement,
)
from shopaccounts.subscriptions.boxes.filing import kept_boxes
from shopaccounts.subscriptions.boxes.listing import SUBSCRIPTION_DELIVERIES, Delivery, DeliveryRecord
from shopaccounts.subscriptions.boxes.states import DeliveryState
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.events import BalanceCredited
from shopaccounts.subscriptions.failures import BillingFailure, failed
from shopaccounts.subscriptions.invoices.balance import credit
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.papers.documents import (
    BALANCE_ENTRIES,
    CYCLES,
    INVOICES,
    BalanceEntry,
    BalanceReason,
    BilledCycle,
    BilledFor,
    Invoice,
    cycle_key,
)
from shopaccounts.subscriptions.papers.lines import Line, LineKind, TaxMode
from shopaccounts.subscriptions.policy import SubscriptionPolicy

__all__ = ["DeliveryReport", "DeliveryRun"]

log = logging.getLogger("shopaccounts")

_FOR_BOXES: Final = frozenset({LineKind.RECURRING, LineKind.STUB, LineKind.ADD_ON, LineKind.CHARGE})
_NO_BOXES: Final[Mapping[DeliveryState, int]] = Counter()


@attrs.frozen(kw_only=True)
class DeliveryReport:
    """What a delivery run did; it tells nothing about any person.

    Args:
        pages: How many pages were worked on.
        subscriptions: How many subscriptions were decided and recorded.
        boxes: How many boxes came into each state.
        credited: What customers got for boxes that were lost, for each currency.
        put_off: How many boxes come later instead.
        stale: How many subscriptions were changed by somebody else meanwhile; they come again.
        failures: Those that could not be decided.
    """

    pages: int = 0
    subscriptions: int = 0
    boxes: Mapping[DeliveryState, int] = attrs.field(default=_NO_BOXES, hash=False)
    credited: tuple[Money, ...] = ()
    put_off: int = 0
    stale: int = 0
    failures: tuple[BillingFailure, ...] = ()

    def __add__(self, more: "DeliveryReport") -> "DeliveryReport":
        return DeliveryReport(
            pages=self.pages + more.pages,
            subscriptions=self.subscriptions + more.subscriptions,
            boxes=Counter(self.boxes) + Counter(more.boxes),
            credited=_summed((*self.credited, *more.credited)),
            put_off=self.put_off + more.put_off,
            stale=self.stale + more.stale,
            failures=self.failures + more.failures,
        )


def _summed(amounts: Iterable[Money]) -> tuple[Money, ...]:
    sums: Counter[Currency] = Counter()
    for amount in amounts:
        sums[amount.currency] += amount.minor
    return tuple(Money(sums[currency], currency) for currency in sorted(sums))


@attrs.frozen(kw_only=True)
class _Case:
    """The boxes of one subscription, and what has to be known about them."""

    subscription: Subscription
    account: BillingAccount
    round: DeliveryRound
    kept: Mapping[str, DeliveryRecord]

    def boxes(self) -> tuple[Delivery, ...]:
        return tuple(record.delivery for record in self.kept.values())

    def reached(self, now: datetime) -> tuple[Delivery, ...]:
        return reached(self.subscription, self.boxes(), self.round.decided_to, now)


@attrs.frozen(kw_only=True)
class _Money:
    """What became of the money for the boxes of a page."""

    cycles: Mapping[str, BilledCycle]
    invoices: Mapping[str, Invoice]

    def settled(self, boxes: Iterable[Delivery]) -> dict[int, Settlement]:
        """Answer what became of the money for the cycle of each box."""
        return {box.cycle.index: self._settlement(box.cycle) for box in boxes}

    def _settlement(self, cycle: CycleRef) -> Settlement:
        row = self.cycles.get(_key(cycle))
        return settlement(row, self.invoices.get(row.invoice) if row else None)

    def net(self, box: Delivery, currency: Currency) -> Money:
        """Answer what the boxes of a box's period cost, before tax, as far as nothing of it was taken back."""
        lines = (line for invoice in self.invoices.values() for line in invoice.lines)
        mine = (line for line in lines if line.cycle == box.cycle and line.kind in _FOR_BOXES)
        return Money(sum(_left(line) for line in mine), currency)


def _key(cycle: CycleRef) -> str:
    return cycle_key(cycle, BilledFor.ADVANCE)


def _left(line: Line) -> int:
    """Answer what is left of a line, before tax, in minor units."""
    if line.mode is TaxMode.EXCLUSIVE:
        return line.creditable.minor
    return line.creditable.minor - (sum(line.taxed) - sum(line.tax_credited))


@attrs.frozen(kw_only=True)
class _Outcome:
    """What is decided about the boxes of one subscription."""

    case: _Case
    due: DueDeliveries
    later: tuple[Delivery, ...]
    account: BillingAccount
    entries: tuple[BalanceEntry, ...]

    @property
    def boxes(self) -> tuple[Delivery, ...]:
        return (*self.due.changed, *self.later)

    def round(self) -> DeliveryRound:
        """Answer the round as it is afterwards."""
        now = {str(box.key): box for box in self.boxes}
        names = dict.fromkeys((*self.case.kept, *now))
        wakes = [at for at in (self.due.due_at, *(box.cut_off for box in self.later)) if at is not None]
        return attrs.evolve(
            self.case.round,
            decided_to=self.due.decided_to,
            due_at=min(wakes, default=None),
            open=tuple(name for name in names if name not in now or not now[name].done),
        )


@attrs.frozen(kw_only=True)
class DeliveryRun:
    """Hands over the boxes that are due.

    Args:
        desk: Whose books.
        work: Who hands out what is due.
        policy: How the shop delivers.
    """

    desk: Desk
    work: DueWork
    policy: SubscriptionPolicy

    async def run(self, *, limit: int, max_pages: int | None, worker: WorkerId) -> DeliveryReport:
        """Decide what has become of boxes by now, page by page, until nothing is left.

        Args:
            limit: How many subscriptions a page has at most.
            max_pages: After how many pages to stop; None for never.
            worker: Who works.
        """
        report = DeliveryReport()
        while max_pages is None or report.pages < max_pages:
            page = await self._page(limit, worker)
            if page is None:
                break
            report += page
        return report

    async def _page(self, limit: int, worker: WorkerId) -> DeliveryReport | None:
        now = self.desk.now()
        claims = await got(self.work.claim_due(DELIVERY_ROUNDS, now, limit, self.policy.running.lease, worker))
        if not claims:
            return None
        by_id = {claim.item.id: claim for claim in claims}
        cases = await self._cases(claims)
        money = await self._money(cases, now)
        outcomes, failed = self._decided(cases, money, now)
        changes = [self._change(one, by_id[one.case.round.id], now) for one in outcomes]
        results = await got(self.desk.records.record_page(changes)) if changes else ()
        stale = [
            by_id[one.case.round.id]
            for one, result in zip(outcomes, results, strict=True)
            if result != PageResult.RECORDED
        ]
        if stale:
            await got(self.work.release(DELIVERY_ROUNDS, stale, None))
        failures = [await self._set_aside(by_id[id], failure, now) for id, failure in failed.items()]
        recorded = [one for one, result in zip(outcomes, results, strict=True) if result == PageResult.RECORDED]
        return _report(recorded, len(stale), failures)

    async def _cases(self, claims: Sequence[Claimed[DeliveryRound]]) -> list[_Case]:
        rounds = [claim.item for claim in claims]
        records = self.desk.records
        subscriptions = await got(records.pick(SUBSCRIPTIONS, sorted(one.id for one in rounds)))
        by_id = {one.id: one for one in subscriptions}
        accounts = await got(records.pick(ACCOUNTS, sorted({one.account for one in subscriptions})))
        accounts_by_id = {one.id: one for one in accounts}
        kept = await kept_boxes(records, [id for one in rounds for id in one.open])
        return [
            _Case(
                subscription=by_id[one.id],
                account=accounts_by_id[by_id[one.id].account],
                round=one,
                kept={id: kept[id] for id in one.open},
            )
            for one in rounds
        ]

    async def _money(self, cases: Sequence[_Case], now: datetime) -> _Money:
        keys = sorted({_key(cycle) for case in cases for cycle in _cycles_of(case, now)})
        cycles = [row for part in _parts(keys) for row in await got(self.desk.records.pick(CYCLES, part))]
        live = {one.invoice for case in cases for one in case.subscription.live}
        ids = sorted(live | {row.invoice for row in cycles if row.invoice})
        invoices = [one for part in _parts(ids) for one in await got(self.desk.records.pick(INVOICES, part))]
        return _Money(cycles={row.id: row for row in cycles}, invoices={one.id: one for one in invoices})

    def _decided(
        self, cases: Sequence[_Case], money: _Money, now: datetime
    ) -> tuple[list[_Outcome], dict[str, Exception]]:
        """Decide each subscription by itself; one that can't be decided stops no other."""
        outcomes, failed = [], dict[str, Exception]()
        for case in cases:
            try:
                outcomes.append(self._outcome(case, money, now))
            except Exception as failure:  # noqa: BLE001  (whatever it is, the others are delivered)
                failed[case.round.id] = failure
        return outcomes, failed

    def _outcome(self, case: _Case, money: _Money, now: datetime) -> _Outcome:
        subscription, policy = case.subscription, self.policy.deliveries
        settled = money.settled(case.reached(now))
        due = due_deliveries(subscription, case.boxes(), case.round.decided_to, settled, policy, now)
        account, entries, later = case.account, list[BalanceEntry](), list[Delivery]()
        for box in due.lost:
            kept = {each.key: each for each in (*case.boxes(), *due.changed, *later)}
            net = money.net(box, subscription.currency)
            given = make_good(subscription, box, net, kept.values(), policy, now)
            if isinstance(given, Delivery):
                later.append(given)
            elif given is not None and given.minor > 0:
                booked = credit(account, given, BalanceReason.TO_BALANCE, str(box.key), now)
                account = booked.account
                entries.append(booked.entry)
        return _Outcome(case=case, due=due, later=tuple(later), account=account, entries=tuple(entries))

    def _change(self, outcome: _Outcome, claim: Claimed[DeliveryRound], now: datetime) -> Change:
        case = outcome.case
        writes: list[Write] = [DELIVERY_ROUNDS.change(case.round, outcome.round())]
        for box in outcome.boxes:
            was = case.kept.get(str(box.key))
            if was is None:
                writes.append(SUBSCRIPTION_DELIVERIES.add(DeliveryRecord.of(case.subscription, box, now)))
            else:
                writes.append(SUBSCRIPTION_DELIVERIES.change(was, attrs.evolve(was, delivery=box)))
        writes += map(BALANCE_ENTRIES.add, outcome.entries)
        if outcome.entries:
            writes.append(ACCOUNTS.change(case.account, outcome.account))
        given = (_credited(case, entry, now) for entry in outcome.entries)
        return Change(
            writes=tuple(writes),
            guards=(SUBSCRIPTIONS.unchanged(case.subscription),),
            claims=(ClaimGuard(DELIVERY_ROUNDS, claim.item.id, claim.fence),),
            events=self.desk.by_itself.tell(*outcome.due.events, *given),
        )

    async def _set_aside(self, claim: Claimed[DeliveryRound], failure: Exception, now: datetime) -> BillingFailure:
        told = failed(claim.item.id, failure, claim.attempts, now)
        log.error("the boxes of subscription %s can't be decided: %s", told.subscription, told.code, exc_info=failure)
        if told.next_try is None:
            await got(self.work.park(DELIVERY_ROUNDS, claim, told.code))
        else:
            await got(self.work.release(DELIVERY_ROUNDS, [claim], told.next_try))
        return told


def _cycles_of(case: _Case, now: datetime) -> set[CycleRef]:
    """Answer the cycles whose money has to be known; none of a case that can't be decided anyway."""
    try:
        return {box.cycle for box in case.reached(now)}
    except Exception:  # noqa: BLE001  (it comes again when it is decided)
        return set()


def _parts(ids: Sequence[str], most: int = 1000) -> list[Sequence[str]]:
    return [ids[place : place + most] for place in range(0, len(ids), most)]


def _credited(case: _Case, entry: BalanceEntry, now: datetime) -> Event:
    return BalanceCredited(
        at=now,
        account=AccountId(case.subscription.customer),
        billing_account=case.account.id,
        amount=entry.amount,
        reason=entry.reason.value,
        document=entry.document,
    )


def _report(recorded: Sequence[_Outcome], stale: int, failures: Sequence[BillingFailure]) -> DeliveryReport:
    return DeliveryReport(
        pages=1,
        subscriptions=len(recorded),
        boxes=Counter(box.state for one in recorded for box in one.due.changed),
        credited=_summed(entry.amount for one in recorded for entry in one.entries),
        put_off=sum(len(one.later) for one in recorded),
        stale=stale,
        failures=tuple(failures),
    )
