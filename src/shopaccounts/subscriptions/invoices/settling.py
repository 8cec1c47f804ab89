"""What becomes of an issued invoice: it is paid, voided, written off, or a payment of it is taken back.

The rules, in plain English:

* At any time total = balance + paid + credited + due, and nothing of it is ever below zero.
* A part payment leaves an invoice open. What is paid beyond what is due, or on a void invoice, is the customer's and
  goes to the balance.
* A void invoice counts no more. Only one without money on it can be voided, and it gives back what the balance paid.
  Its cycles stay settled, as waived, unless it is voided in order to be billed anew.
* An invoice that is written off can still be paid.
* A bank that takes a payment back makes an invoice open again.
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.errors import InvoiceNotOpen, RefundTooLarge
from shopaccounts.subscriptions.invoices.balance import credit, give_back, require_amount
from shopaccounts.subscriptions.invoices.states import InvoiceTrigger, led_to
from shopaccounts.subscriptions.model import BillingAccount
from shopaccounts.subscriptions.papers.documents import (
    BalanceEntry,
    BalanceReason,
    BilledCycle,
    CycleEnd,
    Invoice,
    InvoiceState,
)

__all__ = ["Settled", "closed", "pay", "refund", "reverse", "void", "waive", "write_off"]

_PARTLY_PAID: Final = "partly_paid"
_OWED: Final = frozenset({InvoiceState.OPEN, InvoiceState.UNCOLLECTIBLE})


@attrs.frozen(kw_only=True)
class Settled:
    """An invoice after money moved, its account, and the entry of its balance, if there is one.

    Args:
        invoice: As it is now.
        account: As it is now.
        entries: What was booked.
    """

    invoice: Invoice
    account: BillingAccount
    entries: tuple[BalanceEntry, ...] = ()

    @property
    def overpaid(self) -> Money:
        """What was paid too much, and is the customer's."""
        over = (entry.amount for entry in self.entries if entry.reason is BalanceReason.OVERPAYMENT)
        return next(over, Money.zero(self.invoice.currency))


def pay(invoice: Invoice, amount: Money, account: BillingAccount, *, payment: str, now: datetime) -> Settled:
    """Take money for an invoice.

    Args:
        invoice: What is paid, in whatever state but draft.
        amount: How much came, above zero.
        account: Whose invoice it is.
        payment: What brought it, such as the key of a payment intent; one payment is too much only once.
        now: This instant.

    Raises:
        InvoiceNotOpen: It is a draft.
        CurrencyMismatch: The money is in another currency.
        InvalidInput: The amount isn't above zero.
    """
    if invoice.state is InvoiceState.DRAFT:
        raise InvoiceNotOpen(invoice.state.value)
    paid = min(require_amount(amount), invoice.due)
    if paid.minor:
        invoice = closed(attrs.evolve(invoice, paid=invoice.paid + paid))
    over = amount - paid
    if over.is_zero:
        return Settled(invoice=invoice, account=account)
    booked = credit(account, over, BalanceReason.OVERPAYMENT, payment, now)
    return Settled(invoice=invoice, account=booked.account, entries=(booked.entry,))


def closed(invoice: Invoice) -> Invoice:
    """Answer an invoice that somebody owes as paid, if nothing is due on it any more."""
    if not invoice.due.is_zero or invoice.state not in _OWED:
        return invoice
    return attrs.evolve(invoice, state=led_to(invoice.state, InvoiceTrigger.SETTLED))


def void(invoice: Invoice, account: BillingAccount, now: datetime, *, rebill: bool = False) -> Settled:
    """Make an invoice count no more, and give back what the balance paid of it.

    Args:
        invoice: One that is open, and of which nothing is paid.
        account: Whose it is.
        now: This instant.
        rebill: Whether what it billed is to be billed anew. Its cycles are removed then, and its key is free; otherwise
            ``waive`` says what becomes of them.

    Raises:
        InvoiceNotOpen: It isn't open, or something is paid.
    """
    state = led_to(invoice.state, InvoiceTrigger.VOIDED)
    if not invoice.paid.is_zero:
        raise InvoiceNotOpen(_PARTLY_PAID)
    nothing = Money.zero(invoice.currency)
    voided = attrs.evolve(invoice, state=state, balance_applied=nothing, freed=rebill)
    if invoice.balance_applied.is_zero:
        return Settled(invoice=voided, account=account)
    booked = give_back(account, invoice.balance_applied, invoice.id, now)
    return Settled(invoice=voided, account=booked.account, entries=(booked.entry,))


def waive(cycle: BilledCycle) -> BilledCycle:
    """Answer how a cycle ended whose invoice was voided: nobody pays it, and it isn't billed again."""
    return attrs.evolve(cycle, ended=CycleEnd.WAIVED)


def write_off(invoice: Invoice) -> Invoice:
    """Give up an open invoice; whoever pays it after all is welcome.

    Raises:
        InvoiceNotOpen: It isn't open.
    """
    return attrs.evolve(invoice, state=led_to(invoice.state, InvoiceTrigger.WRITTEN_OFF))


def reverse(invoice: Invoice, amount: Money) -> Invoice:
    """Take a payment off an invoice again, because the customer's bank took it back.

    Args:
        invoice: What was paid.
        amount: How much was taken back, above zero.

    Raises:
        RefundTooLarge: No more than that is paid and not refunded.
        CurrencyMismatch: The money is in another currency.
        InvalidInput: The amount isn't above zero.
    """
    _require_refundable(invoice, amount)
    back = attrs.evolve(invoice, paid=invoice.paid - amount)
    if invoice.state is not InvoiceState.PAID:
        return back
    return attrs.evolve(back, state=led_to(invoice.state, InvoiceTrigger.PAYMENT_REVERSED))


def refund(invoice: Invoice, amount: Money) -> Invoice:
    """Count money as paid back, from the moment at which that is decided, so that it isn't paid back twice.

    The invoice stays paid. Who wants to take something of it back writes a credit note.

    Raises:
        RefundTooLarge: No more than that is paid and not refunded.
        CurrencyMismatch: The money is in another currency.
        InvalidInput: The amount isn't above zero.
    """
    _require_refundable(invoice, amount)
    return attrs.evolve(invoice, refunded=invoice.refunded + amount)


def _require_refundable(invoice: Invoice, amount: Money) -> None:
    if require_amount(amount) > invoice.refundable:
        raise RefundTooLarge(invoice.refundable)
