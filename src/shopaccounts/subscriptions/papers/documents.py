"""What a shop puts on paper: invoices, credit notes, the entries of a customer's balance, and how each cycle ended.

The rules, in plain English:

* An invoice is the sum of its lines, and each line was rounded once. Nothing else is ever added up.
* What was issued is never edited. It is paid, voided, credited, written off, or charged anew.
* Invoices and credit notes are numbered in a series of their own for each store, without gaps. A void one keeps its
  number.
* A cycle is billed once. Each cycle of a subscription has one row that says how it ended, under a key of its own.
"""

from collections.abc import Iterable
from datetime import date, datetime
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import Currency, Money
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.marks import AN_ID, KEPT
from shopaccounts.subscriptions.papers.lines import (
    DiscountTaken,
    Line,
    LineDraft,
    LineKind,
    LineRef,
    LineTax,
    PendingLine,
    TaxMode,
)

__all__ = [
    "BALANCE_ENTRIES",
    "CREDIT_NOTES",
    "CYCLES",
    "INVOICES",
    "BalanceEntry",
    "BalanceReason",
    "BilledCycle",
    "BilledFor",
    "CreditLine",
    "CreditNote",
    "CreditTo",
    "CycleEnd",
    "DiscountTaken",
    "Invoice",
    "InvoiceKind",
    "InvoiceState",
    "Line",
    "LineDraft",
    "LineKind",
    "LineRef",
    "LineTax",
    "PendingLine",
    "TaxMode",
    "cycle_key",
    "segment_key",
]

_BILLED: Final = personal("billing_document", Category.PURCHASE, on_erase=KEPT)


class InvoiceKind(Enum):
    """Why an invoice was written."""

    START = "start"
    PERIODIC = "periodic"
    CHANGE = "change"
    USAGE = "usage"
    FINAL = "final"
    MANUAL = "manual"


class InvoiceState(Enum):
    """What became of an invoice."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class CreditTo(Enum):
    """Where goes what a credit note leaves after its invoice is settled."""

    BALANCE = "balance"
    REFUND = "refund"


class CycleEnd(Enum):
    """How a cycle ended: each in exactly one of these ways."""

    BILLED = "billed"
    FREE = "free"
    SKIPPED = "skipped"
    LAPSED = "lapsed"
    WAIVED = "waived"
    PAUSED = "paused"


class BilledFor(Enum):
    """What of a cycle is billed: what is paid when it begins, or when it has ended, or what a meter counted."""

    ADVANCE = "advance"
    ARREARS = "arrears"
    USAGE = "usage"


class BalanceReason(Enum):
    """Why a balance grew or shrank."""

    CREDIT_NOTE = "credit_note"
    OVERPAYMENT = "overpayment"
    GOODWILL = "goodwill"
    TO_BALANCE = "to_balance"
    APPLIED = "applied"
    PAID_OUT = "paid_out"


@described(data_class="billing_document", default=impersonal("ids, numbers, states, times, amounts"))
@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class Invoice:
    """What a customer owes for some lines, and what became of it.

    Args:
        id: Opaque and sortable by time.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        number: Its place in the store's series of invoices, without gaps; None until it was issued.
        key: Natural key of what caused it; a second invoice with it can't be.
        freed: Whether it was voided so that what it billed can be billed anew: its key is free then.
        account: The billing account.
        customer: Who owes it.
        subscriptions: Those that have lines on it.
        currency: Of every amount on it.
        kind: Why it was written.
        state: What became of it.
        mode: On which side of tax its prices are quoted.
        written_at: When it was written, as a draft or at once as an invoice.
        issued_at: When it was really issued, None for a draft.
        due_on: The local day until which it is to be paid, None for a draft.
        lines: At least one; the first has the number 1.
        subtotal: Sum of the amounts of its lines.
        discount: Sum of what was taken off.
        tax: Sum of the taxes.
        total: What it comes to.
        balance_applied: What the customer's balance paid of it.
        paid: What was paid in money.
        credited: What credit notes took off while it was owed.
        refunded: What of the paid was paid back.
        chase_at: When somebody looks after it again by itself: it becomes overdue, is given up, or was settled by
            something else than a payment; None for never.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    number: int | None = None
    key: str = attrs.field(metadata=AN_ID)
    freed: bool = False
    account: str = attrs.field(metadata=AN_ID)
    customer: CustomerId
    subscriptions: tuple[str, ...] = attrs.field(metadata=AN_ID)
    currency: Currency
    kind: InvoiceKind
    state: InvoiceState
    mode: TaxMode
    written_at: datetime
    issued_at: datetime | None
    due_on: date | None = attrs.field(metadata=_BILLED)
    lines: tuple[Line, ...] = attrs.field(metadata=_BILLED)
    subtotal: Money
    discount: Money
    tax: Money
    total: Money
    balance_applied: Money
    paid: Money
    credited: Money
    refunded: Money
    chase_at: datetime | None = None

    @property
    def due(self) -> Money:
        """What is still owed: nothing on a void invoice."""
        if self.state is InvoiceState.VOID:
            return Money.zero(self.currency)
        return self.total - self.balance_applied - self.paid - self.credited

    @property
    def refundable(self) -> Money:
        """How much money can still be paid back."""
        return self.paid - self.refunded


@attrs.frozen(kw_only=True)
class CreditLine:
    """What a credit note takes back of one line.

    Args:
        line: The number of the line on its invoice.
        base: How much of the line's base.
        taxed: How much of each of its taxes, in minor units.
        gross: What the customer gets back of it.
    """

    line: int
    base: Money
    taxed: tuple[int, ...]
    gross: Money

    @property
    def tax(self) -> Money:
        """How much tax is taken back."""
        return Money(sum(self.taxed), self.base.currency)


@described(data_class="billing_document", default=impersonal("ids, numbers, times, amounts"))
@attrs.frozen(kw_only=True)
class CreditNote:
    """What was taken back of an invoice: ``total`` is ``applied`` + ``refund`` + ``to_balance``.

    Args:
        id: Opaque and sortable by time.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        number: Its place in the store's series of credit notes, without gaps.
        key: Natural key of what caused it; a second note with it can't be.
        invoice: What it takes back of.
        account: The billing account.
        customer: Who gets it.
        issued_at: When it was issued.
        reason: Why, in the shop's own words.
        lines: What it takes back of each line.
        total: What that comes to, with tax.
        applied: What it took off what was owed.
        refund: What is paid back in money.
        to_balance: What went to the customer's balance.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    number: int | None = None
    key: str = attrs.field(metadata=AN_ID)
    invoice: str = attrs.field(metadata=AN_ID)
    account: str = attrs.field(metadata=AN_ID)
    customer: CustomerId
    issued_at: datetime
    reason: str = attrs.field(metadata=personal("billing_document", Category.CONTENT, on_erase=OnErase.BLANK))
    lines: tuple[CreditLine, ...]
    total: Money
    applied: Money
    refund: Money
    to_balance: Money


@described(data_class="billing_document", default=impersonal("ids, reasons, times, amounts"))
@attrs.frozen(kw_only=True)
class BalanceEntry:
    """One entry of a customer's balance, below zero where it shrank; entries are added and never changed.

    Its id is made of its document and its reason, so that one thing is entered once.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    account: str = attrs.field(metadata=AN_ID)
    customer: CustomerId
    at: datetime
    reason: BalanceReason
    amount: Money
    document: str = attrs.field(metadata=AN_ID)


@described(data_class="billing_document", default=impersonal("ids, numbers, states, times, amounts"))
@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class BilledCycle:
    """How one cycle of a subscription ended. Its id is its key, so that there can't be a second.

    Args:
        id: Its key, see ``cycle_key``.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        subscription: Whose cycle.
        segment: In which segment.
        index: Which one.
        part: What of it was billed.
        start: Its first day.
        end: The day after its last.
        ended: How it ended.
        invoice: On what it was billed, empty where that is none.
        total: What its lines came to, with tax.
        at: When that was recorded.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    subscription: str = attrs.field(metadata=AN_ID)
    segment: int
    index: int
    part: BilledFor
    start: date = attrs.field(metadata=_BILLED)
    end: date = attrs.field(metadata=_BILLED)
    ended: CycleEnd
    invoice: str = attrs.field(default="", metadata=AN_ID)
    total: Money
    at: datetime


def cycle_key(cycle: CycleRef, part: BilledFor) -> str:
    """Answer the key under which a part of a cycle is claimed: it is billed once."""
    return f"{cycle.subscription}/{cycle.segment}/{cycle.index}/{part.value}"


def segment_key(subscription: str, segment: int, kind: InvoiceKind) -> str:
    """Answer the key of what a segment of a subscription has once: its first and its final invoice."""
    return f"{subscription}/{kind.value}/{segment}"


def _key_held(invoice: Invoice) -> Iterable[str]:
    """Answer the key of an invoice, unless that is the id of the row which claims its cycle."""
    return () if invoice.freed or _is_claimed_by_a_cycle(invoice) else (invoice.key,)


def _is_claimed_by_a_cycle(invoice: Invoice) -> bool:
    cycles = (line.cycle for line in invoice.lines if line.cycle)
    return any(cycle_key(cycle, part) == invoice.key for cycle in cycles for part in BilledFor)


def _unsettled(invoice: Invoice) -> str | None:
    return invoice.account if invoice.state in {InvoiceState.DRAFT, InvoiceState.OPEN} else None


def _series(invoice: Invoice) -> str | None:
    return None if invoice.state is InvoiceState.DRAFT else invoice.store


INVOICES = Book(
    name="invoices",
    of=Invoice,
    unique={"invoice_key": _key_held},
    groups={
        "account": lambda invoice: invoice.account,
        "customer": lambda invoice: invoice.customer,
        "unsettled": _unsettled,
    },
    order=lambda invoice: invoice.written_at,
    due=lambda invoice: invoice.chase_at,
    numbered=_series,
)
CREDIT_NOTES = Book(
    name="credit_notes",
    of=CreditNote,
    unique={"note_key": lambda note: (note.key,)},
    groups={
        "invoice": lambda note: note.invoice,
        "account": lambda note: note.account,
        "customer": lambda n: n.customer,
    },
    order=lambda note: note.issued_at,
    numbered=lambda note: note.store,
)
BALANCE_ENTRIES = Book(
    name="balance_entries",
    of=BalanceEntry,
    groups={"account": lambda entry: entry.account, "customer": lambda entry: entry.customer},
    order=lambda entry: entry.at,
)
CYCLES = Book(
    name="billed_cycles",
    of=BilledCycle,
    groups={"subscription": lambda cycle: cycle.subscription, "invoice": lambda cycle: cycle.invoice or None},
    order=lambda cycle: cycle.at,
)
