"""Writing decisions up: invoices, credit notes, payments and entries, for one billing account at a time.

The rules, in plain English:

* The balance pays first, then the payment method. An invoice that is covered is paid, and nobody is charged.
* What is issued is charged later, from an intent that is recorded with it. No gateway is ever asked in here.
* Subscriptions that share their customer's billing day may share an invoice, if the shop wants it so. But one that
  begins when its first invoice is paid has that for itself: whoever pays one of two wants that one.
* A line that takes something back marks the line that it takes back, so that nothing is taken back twice.
* What waits of another subscription joins an invoice, and that one remembers it as its own. If nobody pays the invoice
  and it counts no more, what joined it waits again.
* Writing up looks nothing up and leaves nothing anywhere: a preview is what it answers, not recorded.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.money import Currency, Rate
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.boxes.filing import in_step
from shopaccounts.subscriptions.charges.usage import Meter
from shopaccounts.subscriptions.decision import Bill, Decision, TakenBack
from shopaccounts.subscriptions.events import (
    BalanceApplied,
    CreditNoteIssued,
    InvoiceIssued,
    InvoicePaid,
    InvoiceVoided,
)
from shopaccounts.subscriptions.invoices.balance import put_off, waiting
from shopaccounts.subscriptions.invoices.crediting import credit_note, ended_on, returned, taken_back
from shopaccounts.subscriptions.invoices.invoicing import assemble
from shopaccounts.subscriptions.invoices.issuing import NotIssued, issue, keep, overdue_from
from shopaccounts.subscriptions.invoices.settling import void
from shopaccounts.subscriptions.invoices.voiding import waits_again, without
from shopaccounts.subscriptions.model import BillingAccount, CollectionMode, LiveInvoice, Subscription
from shopaccounts.subscriptions.notices.agenda import WaitingCharge
from shopaccounts.subscriptions.notices.checks import Watched, on_invoice
from shopaccounts.subscriptions.papers.documents import (
    BalanceEntry,
    BilledCycle,
    CreditLine,
    CreditNote,
    CreditTo,
    Invoice,
    InvoiceKind,
    InvoiceState,
)
from shopaccounts.subscriptions.papers.lines import LineDraft
from shopaccounts.subscriptions.payments.intents import PaymentIntent
from shopaccounts.subscriptions.payments.refunds import refund_intents, refundable_by
from shopaccounts.subscriptions.planning.beginning import first_paid
from shopaccounts.subscriptions.planning.billed_cycles import billed_cycles
from shopaccounts.subscriptions.planning.taxes import RatesOf
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import Collection, Lifecycle

__all__ = ["NameId", "PaperDesk", "PaperFacts", "Papers", "write_up"]

_REMOVED = ""
"""The method of a charge that can only fail, since what paid was taken away."""
NameId = Callable[[str], str]
"""From the natural key of a document to the id that it gets."""


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class PaperFacts:
    """What writing up is told.

    Args:
        rates: The rates that hold for this account, by tax category and the day on which a service begins.
        method: The payment method that pays what names none itself; None for none.
        invoices: Those of which something is taken back, or that are voided, by id.
        intents: Their payments, where money may be paid back.
        watched: What laws want to be announced before a charge, by subscription.
        beside: The account's other subscriptions whose lines wait, by id; those that something is decided about may be
            among them.
    """

    rates: RatesOf = MappingProxyType({})
    method: str | None = None
    invoices: Mapping[str, Invoice] = MappingProxyType({})
    intents: Mapping[str, tuple[PaymentIntent, ...]] = MappingProxyType({})
    watched: Mapping[str, Watched] = MappingProxyType({})
    beside: Mapping[str, Subscription] = MappingProxyType({})


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class Papers:
    """What decisions come to on paper.

    Args:
        account: With its balance and its waiting lines as they are now.
        subscriptions: As they are now.
        invoices: New ones, without their numbers.
        changed: Older invoices of which something was taken back, or that are void.
        notes: New credit notes, without their numbers.
        cycles: How cycles ended.
        intents: Payments to be made.
        entries: What the balance got or gave.
        events: What happened.
        waiting: Charges that wait for a notice, each with its subscription.
        meters: What is remembered of meters, where that changed.
        beside: Other subscriptions whose waiting lines are on the new invoices, as they are now.
    """

    account: BillingAccount
    subscriptions: tuple[Subscription, ...]
    invoices: tuple[Invoice, ...]
    changed: tuple[Invoice, ...]
    notes: tuple[CreditNote, ...]
    cycles: tuple[BilledCycle, ...]
    intents: tuple[PaymentIntent, ...]
    entries: tuple[BalanceEntry, ...]
    events: tuple[Event, ...]
    waiting: tuple[tuple[str, WaitingCharge], ...] = ()
    meters: tuple[Meter, ...] = ()
    beside: tuple[Subscription, ...] = ()


def write_up(
    account: BillingAccount,
    decisions: Sequence[Decision],
    facts: PaperFacts,
    policy: SubscriptionPolicy,
    now: datetime,
    name: NameId,
) -> Papers:
    """Write up what was decided about subscriptions of one account.

    Args:
        account: Whose they are.
        decisions: One for each subscription.
        facts: What is known besides.
        policy: How the shop bills.
        now: When it is really issued.
        name: Gives documents their ids.
    """
    desk = PaperDesk(account, facts, policy, now, name, {one.subscription.id: one.subscription for one in decisions})
    for one in decisions:
        desk.void(one)
        desk.replace(one)
        desk.cycles.extend(one.cycles)
        desk.events.extend(one.events)
        desk.meters.extend(one.meters)
    for bills in _by_invoice(decisions):
        desk.bill(bills)
    for one in decisions:
        for back in one.credits:
            desk.take_back(back)
    return desk.papers()


def _by_invoice(decisions: Sequence[Decision]) -> Iterator[list[Bill]]:
    """Answer which bills share an invoice: those of subscriptions that consolidate, due at one instant, paid alike."""
    apart = [[bill] for one in decisions if not _shares(one.subscription) for bill in one.bills]
    shared: dict[tuple[datetime, Currency, str | None, InvoiceKind], list[Bill]] = {}
    for one in decisions:
        if _shares(one.subscription):
            for bill in one.bills:
                by = (bill.at, one.subscription.currency, one.subscription.payment_method, bill.kind)
                shared.setdefault(by, []).append(bill)
    yield from sorted([*apart, *shared.values()], key=lambda bills: (bills[0].at, bills[0].key))


def _shares(subscription: Subscription) -> bool:
    """Tell whether a subscription's bills may stand beside those of others: from when its first invoice is paid."""
    return subscription.terms.consolidate and subscription.lifecycle is not Lifecycle.INCOMPLETE


class PaperDesk:
    """Where the papers of one account pile up.

    Args:
        account: Whose.
        facts: What is known besides.
        policy: How the shop bills.
        now: When it is really issued.
        name: Gives documents their ids.
        subscriptions: As decisions leave them, by id.
    """

    def __init__(
        self,
        account: BillingAccount,
        facts: PaperFacts,
        policy: SubscriptionPolicy,
        now: datetime,
        name: NameId,
        subscriptions: dict[str, Subscription],
    ) -> None:
        self.account, self.facts, self.policy, self.now, self.name = account, facts, policy, now, name
        self.subscriptions = subscriptions
        self.beside: dict[str, Subscription] = {}
        self.older = dict(facts.invoices)
        self.invoices: list[Invoice] = []
        self.notes: list[CreditNote] = []
        self.cycles: list[BilledCycle] = []
        self.intents: list[PaymentIntent] = []
        self.entries: list[BalanceEntry] = []
        self.events: list[Event] = []
        self.waiting: list[tuple[str, WaitingCharge]] = []
        self.meters: list[Meter] = []

    def papers(self) -> Papers:
        """Answer all of them."""
        return Papers(
            account=self.account,
            subscriptions=tuple(in_step(one, self.now) for one in self.subscriptions.values()),
            invoices=tuple(self.invoices),
            changed=tuple(
                self._chased(id, one) for id, one in self.older.items() if one is not self.facts.invoices[id]
            ),
            notes=tuple(self.notes),
            cycles=tuple(self.cycles),
            intents=tuple(self.intents),
            entries=tuple(self.entries),
            events=tuple(self.events),
            waiting=tuple(self.waiting),
            meters=tuple(self.meters),
            beside=tuple(self.beside.values()),
        )

    def _chased(self, id: str, now: Invoice) -> Invoice:
        """Let whoever chased an invoice look after it at once, if it was settled by something else than a payment."""
        was_open = self.facts.invoices[id].state is InvoiceState.OPEN
        return attrs.evolve(now, chase_at=self.now) if was_open and now.state is not InvoiceState.OPEN else now

    # Billing

    def bill(self, bills: Sequence[Bill]) -> None:
        """Write one invoice, or say what becomes of its lines instead."""
        first = bills[0]
        lines = [line for bill in bills for line in bill.lines]
        self._mark(lines)
        currency = lines[0].amount.currency
        draft = assemble(
            lines,
            [self._rates(line) for line in lines],
            key=first.key,
            kind=first.kind,
            mode=self.account.tax_mode,
            tax=self.policy.tax,
            waiting=waiting(self.account, currency),
        )
        if first.waits:
            taxed = [line if line.rates else attrs.evolve(line, rates=self._rates(line)) for line in lines]
            self.account = put_off(self.account, taxed, first.key, self.now)
            self.cycles.extend(billed_cycles(bills, draft.lines, self.account, None, self.now))
            return
        id = self.name(first.key)
        issued = (
            keep(draft, self.account, id=id, now=self.now)
            if self._is_unpaid(lines)
            else issue(draft, self.account, self.policy.invoices, id=id, now=self.now)
        )
        self.account = issued.account
        invoice = None if isinstance(issued, NotIssued) else issued.invoice
        self.cycles.extend(billed_cycles(bills, draft.lines, self.account, invoice, self.now))
        if not isinstance(issued, NotIssued):
            self.entries.extend(issued.entries)
            self.file(issued.invoice, bills)
        if first.kind is InvoiceKind.START and (invoice is None or invoice.state is InvoiceState.PAID):
            self._runs(first.cycles[0].cycle.subscription)

    def _rates(self, line: LineDraft) -> tuple[Rate, ...]:
        """Answer the rates of a line's category; what takes something back brings its own."""
        return line.rates or self.facts.rates.get((line.category, line.start), ())

    def _is_unpaid(self, lines: Sequence[LineDraft]) -> bool:
        owners = {line.subscription for line in lines}
        return any(self.subscriptions[id].collection is Collection.UNPAID for id in owners if id in self.subscriptions)

    def file(self, invoice: Invoice, bills: Sequence[Bill]) -> None:
        """File an invoice: what its subscriptions remember of it, what it asks for, and what is told.

        Args:
            invoice: One that was issued, or is kept as a draft.
            bills: What it is for.
        """
        method = self._method(invoice)
        if method is None and invoice.state is InvoiceState.OPEN:
            invoice = attrs.evolve(invoice, chase_at=overdue_from(invoice, self.account.zone))
        self.invoices.append(invoice)
        for id in invoice.subscriptions:
            if id in self.subscriptions:
                self.subscriptions[id] = self._remembering(self.subscriptions[id], invoice)
            elif (one := self.facts.beside.get(id)) is not None:
                self.beside[id] = self._remembering(one, invoice)
        if invoice.state is InvoiceState.DRAFT:
            return
        facts = self._about(invoice)
        at = self.now
        self.events.append(InvoiceIssued(at=at, amount=invoice.total, kind=invoice.kind.value, **facts))
        if not invoice.balance_applied.is_zero:
            self.events.append(BalanceApplied(at=at, amount=invoice.balance_applied, **facts))
        if invoice.state is InvoiceState.PAID:
            self.events.append(InvoicePaid(at=at, amount=invoice.total, **facts))
        intent = None if method is None or invoice.state is InvoiceState.PAID else self._intent(invoice, method)
        if self.facts.watched:
            intent, waiting, told = on_invoice(self.facts.watched, bills, invoice, intent, self.now)
            self.waiting.extend(waiting)
            self.events.extend(told)
        if intent is not None:
            self.intents.append(intent)

    def _remembering(self, subscription: Subscription, invoice: Invoice) -> Subscription:
        """Answer a subscription that knows the invoices of the time that isn't over."""
        today = local_date(self.now, subscription.zone)
        until = max(line.end for line in invoice.lines if line.subscription == subscription.id)
        live = tuple(one for one in subscription.live if one.until > today)
        return subscription.but(live=(*live, LiveInvoice(invoice=invoice.id, until=until)))

    def _method(self, invoice: Invoice) -> str | None:
        """Answer what pays an invoice automatically."""
        if self.account.collection_mode is CollectionMode.SEND_INVOICE:
            return None
        own = next((one.payment_method for one in map(self.subscriptions.get, invoice.subscriptions) if one), None)
        return own or self.facts.method or (_REMOVED if self.account.method_removed else None)

    def _intent(self, invoice: Invoice, method: str) -> PaymentIntent:
        return PaymentIntent(
            id=f"{invoice.id}:1",
            realm=invoice.realm,
            store=invoice.store,
            invoice=invoice.id,
            account=invoice.account,
            subscriptions=invoice.subscriptions,
            attempt=1,
            amount=invoice.due,
            method=method,
            due_at=self.now,
            planned_at=self.now,
        )

    def _runs(self, id: str) -> None:
        """Let a subscription run whose first invoice is paid, or asks for nothing."""
        subscription = self.subscriptions[id]
        if subscription.lifecycle is Lifecycle.INCOMPLETE:
            begun = first_paid(subscription, self.now)
            self.subscriptions[id] = begun.subscription
            self.events.extend(begun.events)

    # Taking back

    def _mark(self, lines: Sequence[LineDraft]) -> None:
        """Let older lines remember what a new invoice takes back of them."""
        for line in lines:
            if line.credits_line is not None:
                back = CreditLine(
                    line=line.credits_line.number,
                    base=-line.base,
                    taxed=tuple(-minor for minor in line.taxed or ()),
                    gross=-line.base,
                )
                older = self.older[line.credits_line.invoice]
                self.older[older.id] = taken_back(older, (back,), live_until=line.start)

    def take_back(self, back: TakenBack) -> None:
        """Write a credit note, and pay money back where that is wanted."""
        invoice = self.older[back.invoice]
        credited = credit_note(
            invoice,
            back.wanted,
            self.account,
            self._where_to(back, invoice),
            id=self.name(back.key),
            key=back.key,
            reason=back.reason,
            now=self.now,
        )
        ended = ended_on(credited.invoice, back.wanted, back.live_until) if back.live_until else credited.invoice
        self.older[invoice.id], self.account = ended, credited.account
        self.notes.append(credited.note)
        self.entries.extend(credited.entries)
        self._refund(credited.note, credited.invoice)
        facts = self._about(credited.invoice)
        note = credited.note
        self.events.append(CreditNoteIssued(at=self.now, amount=note.total, credit_note=note.id, **facts))
        if credited.invoice.state is InvoiceState.PAID and invoice.state is not InvoiceState.PAID:
            self.events.append(InvoicePaid(at=self.now, amount=invoice.total, **facts))

    def replace(self, one: Decision) -> None:
        """Let older lines count no more, and waiting lines wait otherwise, because something replaces them."""
        for gone in one.outdated:
            older = self.older[gone.line.invoice]
            self.older[older.id] = ended_on(older, (gone.line.number,), gone.day)
        for waits in one.waits:
            others = tuple(pending for pending in self.account.pending if pending.id != waits.id)
            now = (*others, waits.pending) if waits.pending else others
            self.account = attrs.evolve(self.account, pending=now)

    def _where_to(self, back: TakenBack, invoice: Invoice) -> CreditTo:
        """Answer where a note's rest goes: to the balance where what was paid didn't come from a charge."""
        if back.to is not CreditTo.REFUND:
            return back.to
        charged = refundable_by(self.facts.intents.get(invoice.id, ()), invoice.currency)
        return CreditTo.REFUND if invoice.refundable <= charged else CreditTo.BALANCE

    def void(self, one: Decision) -> None:
        """Void what a decision makes pointless."""
        owner = one.subscription.id
        for id in one.voids:
            settled = void(self.older[id], self.account, self.now)
            self.older[id], self.account = settled.invoice, settled.account
            self.entries.extend(settled.entries)
            self.subscriptions[owner] = without(self.subscriptions[owner], settled.invoice)
            self.account = waits_again(self.account, settled.invoice, owner, self.now)
            mine = [line for line in settled.invoice.lines if line.subscription == owner]
            for credited in {line.credits_line.invoice for line in mine if line.credits_line}:
                self.older[credited] = returned(self.older[credited], mine)
            facts = self._about(settled.invoice)
            self.events.append(InvoiceVoided(at=self.now, amount=settled.invoice.total, rebill=False, **facts))

    def _refund(self, note: CreditNote, invoice: Invoice) -> None:
        if note.refund.is_zero:
            return
        before = self.facts.intents.get(invoice.id, ())
        self.intents.extend(refund_intents(invoice, note.refund, before, self.now))

    @staticmethod
    def _about(invoice: Invoice) -> dict[str, Any]:
        """Answer what every event about an invoice says."""
        return {
            "account": invoice.customer,
            "billing_account": invoice.account,
            "invoice": invoice.id,
            "subscriptions": invoice.subscriptions,
        }
