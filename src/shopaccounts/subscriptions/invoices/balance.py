"""What a shop owes a customer: the entries of a balance, and the lines that wait for an invoice.

The rules, in plain English:

* A balance is the sum of its entries, one balance for each currency. Entries are added and never changed; each comes
  from one document, once.
* It is never below zero: what a customer owes is an invoice.
* It pays invoices by itself when they are issued. A void invoice gives back what it got.
* Lines that aren't invoiced yet wait with the account, and join its next invoice in their currency, the oldest first.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.money import Currency, Money
from shopaccounts.subscriptions.errors import BalanceTooLow
from shopaccounts.subscriptions.model import BillingAccount
from shopaccounts.subscriptions.papers.documents import BalanceEntry, BalanceReason
from shopaccounts.subscriptions.papers.lines import LineDraft, PendingLine

__all__ = [
    "Booked",
    "apply",
    "credit",
    "give_back",
    "joined",
    "pay_out",
    "put_off",
    "replay",
    "require_amount",
    "waiting",
]


@attrs.frozen
class Booked:
    """An account after an entry, and the entry."""

    account: BillingAccount
    entry: BalanceEntry


def require_amount(amount: Money) -> Money:
    """Answer an amount that money can be moved by.

    Raises:
        InvalidInput: It isn't above zero.
        TypeError: It is no ``Money``.
    """
    if type(amount) is not Money:
        msg = f"an amount is Money, not {amount!r}"
        raise TypeError(msg)
    if amount.minor <= 0:
        raise InvalidInput(field="amount", reason="range")
    return amount


def credit(account: BillingAccount, amount: Money, reason: BalanceReason, document: str, now: datetime) -> Booked:
    """Give a customer an amount.

    Args:
        account: Whose.
        amount: How much, above zero.
        reason: Why it grows.
        document: What it comes from: a credit note, a payment, an invoice, or the request of a clerk. What comes from
            the same document for the same reason is the same entry.
        now: This instant.

    Raises:
        InvalidInput: The amount isn't above zero.
    """
    return _booked(account, require_amount(amount), reason, document, now, id=f"{document}:{reason.value}")


def apply(account: BillingAccount, amount: Money, invoice: str, now: datetime, *, brought_by: str = "") -> Booked:
    """Pay an amount of an invoice out of a balance.

    Args:
        account: Whose.
        amount: How much, above zero.
        invoice: What is paid.
        now: This instant.
        brought_by: The payment that brought the money after the invoice was issued; empty for what it was issued with.

    Raises:
        BalanceTooLow: The balance has less.
        InvalidInput: The amount isn't above zero.
    """
    reason = BalanceReason.APPLIED
    id = f"{invoice}:{reason.value}:{brought_by}" if brought_by else f"{invoice}:{reason.value}"
    return _booked(account, -require_amount(amount), reason, invoice, now, id=id)


def give_back(account: BillingAccount, amount: Money, invoice: str, now: datetime) -> Booked:
    """Give back what an invoice got of a balance, because it is void.

    Raises:
        InvalidInput: The amount isn't above zero.
    """
    reason = BalanceReason.APPLIED
    return _booked(account, require_amount(amount), reason, invoice, now, id=f"{invoice}:{reason.value}:back")


def pay_out(account: BillingAccount, amount: Money, document: str, now: datetime) -> Booked:
    """Pay a customer an amount of the balance in money.

    Args:
        account: Whose.
        amount: How much, above zero.
        document: What asked for it, such as a request of a clerk; the same one pays out once.
        now: This instant.

    Raises:
        BalanceTooLow: The balance has less.
        InvalidInput: The amount isn't above zero.
    """
    reason = BalanceReason.PAID_OUT
    return _booked(account, -require_amount(amount), reason, document, now, id=f"{document}:{reason.value}")


def _booked(
    account: BillingAccount, amount: Money, reason: BalanceReason, document: str, now: datetime, *, id: str
) -> Booked:
    entry = BalanceEntry(
        id=id,
        realm=account.realm,
        store=account.store,
        account=account.id,
        customer=account.customer,
        at=now,
        reason=reason,
        amount=amount,
        document=document,
    )
    before = account.balance(amount.currency)
    after = before + amount
    if after.minor < 0:
        raise BalanceTooLow(available=before)
    others = tuple(balance for balance in account.balances if balance.currency != amount.currency)
    balances = others if after.is_zero else (*others, after)
    return Booked(attrs.evolve(account, balances=balances), entry)


def replay(entries: Iterable[BalanceEntry], currency: Currency) -> Money:
    """Answer the balance in a currency that an account's entries come to, oldest first.

    Raises:
        BalanceTooLow: It was below zero in between, which no sequence of entries that were booked is.
    """
    balance = Money.zero(currency)
    for entry in entries:
        if entry.amount.currency == currency:
            if (balance + entry.amount).minor < 0:
                raise BalanceTooLow(available=balance)
            balance += entry.amount
    return balance


def waiting(account: BillingAccount, currency: Currency) -> tuple[PendingLine, ...]:
    """Answer the lines that wait for the account's next invoice in a currency, oldest first."""
    lines = (pending for pending in account.pending if pending.line.amount.currency == currency)
    return tuple(sorted(lines, key=lambda pending: pending.since))


def put_off(account: BillingAccount, lines: Sequence[LineDraft], key: str, now: datetime) -> BillingAccount:
    """Let lines wait for the account's next invoice in their currency.

    Args:
        account: Whose.
        lines: What was billed.
        key: Natural key of what caused them.
        now: This instant.
    """
    more = tuple(PendingLine(id=f"{key}:{place}", line=line, since=now) for place, line in enumerate(lines, 1))
    return attrs.evolve(account, pending=account.pending + more) if more else account


def joined(account: BillingAccount, lines: Collection[PendingLine]) -> BillingAccount:
    """Answer an account without lines that wait no more: they joined an invoice, or were waived."""
    if not lines:
        return account
    ids = {pending.id for pending in lines}
    return attrs.evolve(account, pending=tuple(pending for pending in account.pending if pending.id not in ids))
