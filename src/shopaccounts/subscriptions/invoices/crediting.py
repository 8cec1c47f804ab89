"""Taking back: credit notes, and lines of later invoices that credit earlier ones.

The rules, in plain English:

* A credit starts from what was billed: the base of a line, after discounts. No more of it is taken back than is left.
* Its tax is a part of the line's own tax, so that all credits of a line together take exactly its tax (see ``taxing``).
* A note first pays what is still owed on its invoice. The rest goes to the customer's balance; or back as money, up to
  what was paid and isn't paid back yet, and then to the balance.
* Taken off + paid back + to the balance is the note, always. Nothing is paid back that wasn't paid.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.money import Money, total
from shopaccounts.subscriptions.cycles.proration import Factor
from shopaccounts.subscriptions.errors import CreditTooLarge, InvoiceNotOpen
from shopaccounts.subscriptions.invoices.balance import credit, require_amount
from shopaccounts.subscriptions.invoices.settling import closed
from shopaccounts.subscriptions.invoices.taxing import tax_taken_back
from shopaccounts.subscriptions.model import BillingAccount
from shopaccounts.subscriptions.papers.documents import (
    BalanceEntry,
    BalanceReason,
    CreditLine,
    CreditNote,
    CreditTo,
    Invoice,
    InvoiceState,
)
from shopaccounts.subscriptions.papers.lines import DiscountTaken, Line, LineDraft, LineKind, LineRef, TaxMode

__all__ = [
    "Credited",
    "NoteUse",
    "credit_draft",
    "credit_note",
    "credit_note_lines",
    "ended_on",
    "returned",
    "settle_note",
    "taken_back",
]

_CREDITABLE: Final = frozenset({InvoiceState.OPEN, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE})


@attrs.frozen(kw_only=True)
class NoteUse:
    """Where the amount of a credit note goes: the three together are the note.

    Args:
        applied: What it takes off what is owed.
        refund: What is paid back in money.
        to_balance: What the customer's balance gets.
    """

    applied: Money
    refund: Money
    to_balance: Money


@attrs.frozen(kw_only=True)
class Credited:
    """A credit note without its number yet, its invoice and account as they are now, and what was booked."""

    note: CreditNote
    invoice: Invoice
    account: BillingAccount
    entries: tuple[BalanceEntry, ...]


def credit_note_lines(invoice: Invoice, wanted: Mapping[int, Money]) -> tuple[CreditLine, ...]:
    """Answer what taking back comes to, with tax.

    Args:
        invoice: Of which; one that was issued and isn't void.
        wanted: The number of a line to how much of its base is taken back, on the side of tax where prices are quoted.

    Returns:
        In the order of the invoice's lines.

    Raises:
        CreditTooLarge: Less than that is left of a line.
        InvoiceNotOpen: The invoice is a draft or void.
        InvalidInput: An amount isn't above zero, nothing is wanted, or there is no such line.
        CurrencyMismatch: An amount is in another currency.
    """
    if invoice.state not in _CREDITABLE:
        raise InvoiceNotOpen(invoice.state.value)
    if not wanted or not all(type(number) is int and 0 < number <= len(invoice.lines) for number in wanted):
        raise InvalidInput(field="lines", reason="unknown")
    return tuple(_credit_line(invoice.lines[number - 1], number, wanted[number]) for number in sorted(wanted))


def _credit_line(line: Line, number: int, base: Money) -> CreditLine:
    if require_amount(base) > line.creditable:
        raise CreditTooLarge(line.creditable)
    taxed = tax_taken_back(line, base)
    gross = base if line.mode is TaxMode.INCLUSIVE else base + Money(sum(taxed), base.currency)
    return CreditLine(line=number, base=base, taxed=taxed, gross=gross)


def taken_back(invoice: Invoice, backs: Iterable[CreditLine], *, live_until: date | None = None) -> Invoice:
    """Answer an invoice whose lines remember what was taken back of them.

    Args:
        invoice: Of which ``credit_note_lines`` were computed.
        backs: What they are.
        live_until: The day from which on the lines count no more, where a change replaces them.
    """
    lines = list(invoice.lines)
    for back in backs:
        line = lines[back.line - 1]
        tax = tuple(before + now for before, now in zip(line.tax_credited, back.taxed, strict=True))
        until = live_until or line.live_until
        lines[back.line - 1] = attrs.evolve(
            line, credited=line.credited + back.base, tax_credited=tax, live_until=until
        )
    return attrs.evolve(invoice, lines=tuple(lines))


def ended_on(invoice: Invoice, numbers: Iterable[int], day: date) -> Invoice:
    """Answer an invoice of which some lines count no more from a day on."""
    lines = list(invoice.lines)
    for number in numbers:
        lines[number - 1] = attrs.evolve(lines[number - 1], live_until=day)
    return attrs.evolve(invoice, lines=tuple(lines))


def returned(invoice: Invoice, backs: Iterable[Line]) -> Invoice:
    """Answer an invoice of which lines were taken back on another that is void now: they can be taken back again.

    Args:
        invoice: Of which they were taken back.
        backs: The lines of the void invoice that did so; others are passed over.
    """
    lines = list(invoice.lines)
    for back in backs:
        if back.credits_line is not None and back.credits_line.invoice == invoice.id:
            place = back.credits_line.number - 1
            line = lines[place]
            tax = tuple(before + negative for before, negative in zip(line.tax_credited, back.taxed, strict=True))
            lines[place] = attrs.evolve(line, credited=line.credited + back.base, tax_credited=tax)
    return attrs.evolve(invoice, lines=tuple(lines))


def credit_draft(
    invoice: Invoice,
    back: CreditLine,
    *,
    start: date,
    end: date,
    factor: Factor | None = None,
    discounts: tuple[DiscountTaken, ...] = (),
) -> LineDraft:
    """Answer the line that takes something back on a later invoice, with the tax of the line that it takes back.

    Args:
        invoice: Of which something is taken back.
        back: What of which line.
        start: First day of what is taken back.
        end: The day after the last.
        factor: Which part of the nominal period that is.
        discounts: What of the discounts of the line is given back with it.
    """
    line = invoice.lines[back.line - 1]
    return LineDraft(
        kind=LineKind.CREDIT,
        subscription=line.subscription,
        cycle=line.cycle,
        key=line.key,
        product=line.product,
        quantity=line.quantity,
        tariff=line.tariff,
        start=start,
        end=end,
        factor=factor,
        amount=-back.base - Money(sum(taken.minor for taken in discounts), back.base.currency),
        discounts=tuple(DiscountTaken(taken.code, -taken.minor) for taken in discounts if taken.minor),
        rates=line.rates,
        taxed=tuple(-minor for minor in back.taxed),
        category=line.category,
        credits_line=LineRef(invoice.id, back.line),
    )


def settle_note(note_total: Money, owed: Money, refundable: Money, credit_to: CreditTo) -> NoteUse:
    """Answer where the amount of a credit note goes.

    Args:
        note_total: What it comes to.
        owed: What is still owed on its invoice.
        refundable: What was paid of it and isn't paid back.
        credit_to: Where the rest goes that isn't owed.

    Raises:
        CurrencyMismatch: They aren't all in one currency.
    """
    applied = min(note_total, owed)
    rest = note_total - applied
    refund = min(rest, refundable) if credit_to is CreditTo.REFUND else rest * 0
    return NoteUse(applied=applied, refund=refund, to_balance=rest - refund)


def credit_note(
    invoice: Invoice,
    wanted: Mapping[int, Money],
    account: BillingAccount,
    credit_to: CreditTo,
    *,
    id: str,
    key: str,
    reason: str,
    now: datetime,
) -> Credited:
    """Take back a part of an invoice.

    Args:
        invoice: Of which.
        wanted: The number of a line to how much of its base is taken back.
        account: Whose invoice it is.
        credit_to: Where goes what isn't owed any more. Money counts as paid back from now on, see ``settling.refund``.
        id: What the note is to be called.
        key: Natural key of what causes it, the same at every try.
        reason: Why, in the shop's words.
        now: This instant.

    Raises:
        CreditTooLarge: Less than that is left of a line.
        InvoiceNotOpen: The invoice is a draft or void.
        InvalidInput: An amount isn't above zero, nothing is wanted, or there is no such line.
        CurrencyMismatch: An amount is in another currency.
    """
    lines = credit_note_lines(invoice, wanted)
    note_total = total((line.gross for line in lines), invoice.currency)
    use = settle_note(note_total, invoice.due, invoice.refundable, credit_to)
    less = attrs.evolve(
        taken_back(invoice, lines),
        credited=invoice.credited + use.applied,
        refunded=invoice.refunded + use.refund,
    )
    note = CreditNote(
        id=id,
        realm=invoice.realm,
        store=invoice.store,
        key=key,
        invoice=invoice.id,
        account=invoice.account,
        customer=invoice.customer,
        issued_at=now,
        reason=reason,
        lines=lines,
        total=note_total,
        applied=use.applied,
        refund=use.refund,
        to_balance=use.to_balance,
    )
    if use.to_balance.is_zero:
        return Credited(note=note, invoice=closed(less), account=account, entries=())
    booked = credit(account, use.to_balance, BalanceReason.CREDIT_NOTE, id, now)
    return Credited(note=note, invoice=closed(less), account=booked.account, entries=(booked.entry,))
