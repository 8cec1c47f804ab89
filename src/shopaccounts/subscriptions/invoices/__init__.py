"""From lines to an invoice, and what becomes of it afterwards."""

from shopaccounts.subscriptions.invoices.balance import credit, pay_out, replay
from shopaccounts.subscriptions.invoices.crediting import credit_note, credit_note_lines, settle_note
from shopaccounts.subscriptions.invoices.invoicing import assemble
from shopaccounts.subscriptions.invoices.issuing import issue
from shopaccounts.subscriptions.invoices.settling import pay, void

__all__ = [
    "assemble",
    "credit",
    "credit_note",
    "credit_note_lines",
    "issue",
    "pay",
    "pay_out",
    "replay",
    "settle_note",
    "void",
]
