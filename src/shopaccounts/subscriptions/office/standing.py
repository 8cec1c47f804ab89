"""Cycles that are on file already, though their subscription doesn't know: after data was put back in part, say.

The rules, in plain English:

* What is on file is neither billed nor told a second time, and it is never written over.
* Where it agrees with what would be billed now in period, currency and amount, the subscription goes on behind it. It
  remembers the invoice on which the cycle was billed, so that a later change can take something of that back.
* Where it doesn't agree nobody can know which of both is right: a person decides. Whatever that person decides holds
  for the cycles that aren't on file.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from types import MappingProxyType

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.reading import all_picked
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.decision import Bill, Claimed, Decision
from shopaccounts.subscriptions.events import CyclesLapsed, SubscriptionRenewed
from shopaccounts.subscriptions.invoices.issuing import require_same
from shopaccounts.subscriptions.model import LiveInvoice, Subscription
from shopaccounts.subscriptions.papers.documents import (
    CYCLES,
    INVOICES,
    BilledCycle,
    BilledFor,
    Invoice,
    InvoiceKind,
    InvoiceState,
    cycle_key,
)
from shopaccounts.subscriptions.planning.beginning import first_paid
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["Standing", "behind", "on_file", "require_agreed"]


@attrs.frozen(kw_only=True)
class Standing:
    """Which cycles of some decisions are on file.

    Args:
        rows: How they ended, by their keys.
        invoices: Those on which they were billed and that still count, by id.
    """

    rows: Mapping[str, BilledCycle] = MappingProxyType({})
    invoices: Mapping[str, Invoice] = MappingProxyType({})

    def of(self, decision: Decision) -> tuple[BilledCycle, ...]:
        """Answer those that a decision would settle once more."""
        return tuple(self.rows[key] for key in _keys(decision) if key in self.rows)


async def on_file(records: Records, decisions: Iterable[Decision]) -> Standing:
    """Look up which cycles of some decisions are on file.

    Args:
        records: Where.
        decisions: What would be recorded.
    """
    rows = await all_picked(records, CYCLES, (key for one in decisions for key in _keys(one)))
    invoices = await all_picked(records, INVOICES, (row.invoice for row in rows.values() if row.invoice))
    counting = {id: one for id, one in invoices.items() if one.state is not InvoiceState.VOID}
    return Standing(rows=rows, invoices=counting)


def require_agreed(stored: Iterable[BilledCycle], planned: Mapping[str, BilledCycle]) -> None:
    """Demand that cycles are on file as they would be settled now.

    Args:
        stored: How they ended.
        planned: How they would end, by their keys.

    Raises:
        InvoiceKeyClash: Period, currency or total of one of them differ.
    """
    for row in stored:
        require_same(row, planned[row.id])


def behind(decision: Decision, standing: Standing, now: datetime) -> Decision:
    """Answer a decision without what is on file: the subscription goes on as if it had settled that itself.

    Left out are the rows of such cycles, their lines, with these their invoice and its payment, and the events which
    tell that they were renewed or lapsed. All else that was decided stays. A subscription whose first invoice that
    was runs, unless the invoice is still to be paid.

    Args:
        decision: What would be recorded.
        standing: What ``on_file`` found.
        now: This instant.
    """
    if not standing.of(decision):
        return decision
    left = {bill.key: _left_of(bill, standing) for bill in decision.bills}
    rest = attrs.evolve(
        decision,
        subscription=_remembering(decision, standing),
        bills=tuple(bill for bill in left.values() if bill is not None),
        cycles=tuple(row for row in decision.cycles if row.id not in standing.rows),
        events=tuple(event for event in decision.events if not _was_told(event, standing)),
    )
    began = any(bill.kind is InvoiceKind.START and left[bill.key] is None for bill in decision.bills)
    return rest.then(_running(rest.subscription, standing, now)) if began else rest


def _keys(decision: Decision) -> Iterator[str]:
    yield from (_key(claimed) for bill in decision.bills for claimed in bill.cycles)
    yield from (row.id for row in decision.cycles)


def _key(claimed: Claimed) -> str:
    return cycle_key(claimed.cycle, claimed.part)


def _left_of(bill: Bill, standing: Standing) -> Bill | None:
    """Answer what of a bill isn't on file."""
    settled = {claimed.cycle for claimed in bill.cycles if _key(claimed) in standing.rows}
    if not settled:
        return bill
    lines = tuple(line for line in bill.lines if line.cycle not in settled)
    cycles = tuple(claimed for claimed in bill.cycles if claimed.cycle not in settled)
    return attrs.evolve(bill, lines=lines, cycles=cycles) if lines else None


def _was_told(event: Event, standing: Standing) -> bool:
    if not isinstance(event, SubscriptionRenewed | CyclesLapsed):
        return False
    last = event.last if isinstance(event, CyclesLapsed) else event.index
    refs = (CycleRef(event.subscription, event.segment, index) for index in range(event.index, last + 1))
    return all(cycle_key(ref, BilledFor.ADVANCE) in standing.rows for ref in refs)


def _remembering(decision: Decision, standing: Standing) -> Subscription:
    """Answer the subscription with the invoices on which its cycles were billed."""
    subscription = decision.subscription
    until: dict[str, date] = {}
    for row in standing.of(decision):
        if row.invoice in standing.invoices:
            until[row.invoice] = max(row.end, until.get(row.invoice, row.end))
    known = {one.invoice for one in subscription.live}
    live = [LiveInvoice(invoice=id, until=end) for id, end in until.items() if id not in known]
    return subscription.but(live=(*subscription.live, *live)) if live else subscription


def _running(subscription: Subscription, standing: Standing, now: datetime) -> Decision:
    """Let a subscription run that waits for a first invoice which isn't to be paid any more."""
    waits = any(
        one.state is InvoiceState.OPEN for one in standing.invoices.values() if subscription.id in one.subscriptions
    )
    if waits or subscription.lifecycle is not Lifecycle.INCOMPLETE:
        return Decision(subscription=subscription)
    return first_paid(subscription, now)
