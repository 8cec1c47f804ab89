"""Invoices are issued: what the balance pays, when the rest is to be paid, and what gets no paper.

The rules, in plain English:

* An invoice has its number and its time from the moment at which it is really issued, however late that is. The days
  that it is for stand on its lines.
* The balance pays first, up to the total. An invoice on which nothing is left to pay is paid when it is issued.
* What costs nothing gets no paper, unless the shop wants it or something is taken back on it. What is less than the
  gateway's floor waits for the next invoice; with the account's last one it is waived.
* Each cycle is billed once. A second try under the same key does nothing, provided it would have billed the same.
"""

from datetime import date, datetime, timedelta
from enum import Enum

import attrs

from shopaccounts.kernel.money import Money, total
from shopaccounts.kernel.time import Zone, local_date, start_of_day
from shopaccounts.subscriptions.errors import InvoiceKeyClash
from shopaccounts.subscriptions.invoices.balance import apply, credit, joined, put_off
from shopaccounts.subscriptions.invoices.invoicing import InvoiceDraft
from shopaccounts.subscriptions.invoices.states import InvoiceTrigger, led_to
from shopaccounts.subscriptions.model import BillingAccount, CollectionMode
from shopaccounts.subscriptions.papers.documents import BalanceEntry, BalanceReason, BilledCycle, Invoice, InvoiceState
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy

__all__ = ["Issued", "NotIssued", "WhyNot", "due_on", "issue", "issue_kept", "keep", "overdue_from", "require_same"]


class WhyNot(Enum):
    """Why something that was billed has no invoice."""

    NOTHING = "nothing"
    """It comes to nothing."""
    TOO_SMALL = "too_small"
    """It waits for the next invoice."""
    WAIVED = "waived"
    """It was too small, and there is no next invoice."""


@attrs.frozen(kw_only=True)
class Issued:
    """An invoice that counts, without its number yet; the account with what is left of its balance; and the entries."""

    invoice: Invoice
    account: BillingAccount
    entries: tuple[BalanceEntry, ...]


@attrs.frozen(kw_only=True)
class NotIssued:
    """Nothing to send: why, and the account with the lines that wait now."""

    why: WhyNot
    account: BillingAccount


def due_on(account: BillingAccount, policy: InvoicePolicy, now: datetime) -> date:
    """Answer the local day until which an invoice is to be paid that is issued *now*."""
    terms, automatic = policy.payment_terms, account.collection_mode is CollectionMode.AUTOMATIC
    return local_date(now, account.zone) + (terms.automatic if automatic else terms.send_invoice)


def overdue_from(invoice: Invoice, zone: Zone) -> datetime:
    """Answer the first instant at which an invoice is overdue: when the day is over until which it is to be paid.

    Args:
        invoice: One that was issued.
        zone: Where the customer's days begin.
    """
    last = invoice.due_on or local_date(invoice.written_at, zone)
    return start_of_day(last + timedelta(days=1), zone)


def issue(
    draft: InvoiceDraft, account: BillingAccount, policy: InvoicePolicy, *, id: str, now: datetime, last: bool = False
) -> Issued | NotIssued:
    """Issue an invoice, or say why there is none; the cycles on it are billed either way.

    Args:
        draft: What ``assemble`` made.
        account: Who owes it, with balance and waiting lines.
        policy: The shop's.
        id: What the invoice is to be called.
        now: When it is really issued.
        last: Whether the account has no next invoice that small amounts could wait for.
    """
    if draft.total.is_zero and not draft.takes_back and not policy.issue_zero_invoices:
        return NotIssued(why=WhyNot.NOTHING, account=joined(account, draft.joined))
    if policy.is_too_small(draft.total):
        if last:
            return NotIssued(why=WhyNot.WAIVED, account=joined(account, draft.joined))
        return NotIssued(why=WhyNot.TOO_SMALL, account=_waiting(draft, account, now))
    covered = _covered(draft.total, draft.to_balance, joined(account, draft.joined), id, now)
    invoice = _written(
        draft,
        account,
        id,
        now,
        state=covered.state,
        issued_at=now,
        due_on=due_on(account, policy, now),
        applied=covered.applied,
    )
    return Issued(invoice=invoice, account=covered.account, entries=covered.entries)


def _waiting(draft: InvoiceDraft, account: BillingAccount, now: datetime) -> BillingAccount:
    """Answer the account with the lines of a draft; those that had waited before keep their place."""
    lines = [line if line.rates == rates else attrs.evolve(line, rates=rates) for line, rates in draft.fresh]
    return put_off(account, lines, draft.key, now)


def keep(draft: InvoiceDraft, account: BillingAccount, *, id: str, now: datetime) -> Issued:
    """Keep an invoice as a draft, for a customer who isn't billed until older invoices are paid.

    It has no number and no day, and the balance isn't touched. ``issue_kept`` issues it.
    """
    return Issued(invoice=_written(draft, account, id, now), account=joined(account, draft.joined), entries=())


def issue_kept(invoice: Invoice, account: BillingAccount, policy: InvoicePolicy, now: datetime) -> Issued:
    """Issue an invoice that was kept as a draft.

    Raises:
        InvoiceNotOpen: It is no draft.
    """
    led_to(invoice.state, InvoiceTrigger.ISSUED)
    lifted = (line.amount for line in invoice.lines if line.kind is LineKind.TO_BALANCE)
    covered = _covered(invoice.total, total(lifted, invoice.currency), account, invoice.id, now)
    issued = attrs.evolve(
        invoice,
        state=covered.state,
        issued_at=now,
        due_on=due_on(account, policy, now),
        balance_applied=covered.applied,
    )
    return Issued(invoice=issued, account=covered.account, entries=covered.entries)


@attrs.frozen
class _Covered:
    """What the balance does for an invoice that is issued."""

    state: InvoiceState
    applied: Money
    account: BillingAccount
    entries: tuple[BalanceEntry, ...]


def _covered(due: Money, to_balance: Money, account: BillingAccount, invoice: str, now: datetime) -> _Covered:
    applied = min(due, account.balance(due.currency))
    state = led_to(InvoiceState.DRAFT, InvoiceTrigger.ISSUED)
    if applied == due:
        state = led_to(state, InvoiceTrigger.SETTLED)
    if to_balance.minor:
        booked = credit(account, to_balance, BalanceReason.TO_BALANCE, invoice, now)
    elif applied.minor:
        booked = apply(account, applied, invoice, now)
    else:
        return _Covered(state, applied, account, ())
    return _Covered(state, applied, booked.account, (booked.entry,))


def _written(
    draft: InvoiceDraft,
    account: BillingAccount,
    id: str,
    now: datetime,
    *,
    state: InvoiceState = InvoiceState.DRAFT,
    issued_at: datetime | None = None,
    due_on: date | None = None,
    applied: Money | None = None,
) -> Invoice:
    nothing = Money.zero(draft.currency)
    return Invoice(
        id=id,
        realm=account.realm,
        store=account.store,
        key=draft.key,
        account=account.id,
        customer=account.customer,
        subscriptions=tuple(dict.fromkeys(line.subscription for line in draft.lines if line.subscription)),
        currency=draft.currency,
        kind=draft.kind,
        state=state,
        mode=draft.mode,
        written_at=now,
        issued_at=issued_at,
        due_on=due_on,
        lines=draft.lines,
        subtotal=draft.subtotal,
        discount=draft.discount,
        tax=draft.tax,
        total=draft.total,
        balance_applied=nothing if applied is None else applied,
        paid=nothing,
        credited=nothing,
        refunded=nothing,
    )


def require_same(stored: BilledCycle, planned: BilledCycle) -> None:
    """Demand that a cycle that is billed already was billed as it would be now: then there is nothing to do.

    Raises:
        InvoiceKeyClash: Period, currency or total differ.
    """
    if _what(stored) != _what(planned):
        raise InvoiceKeyClash(planned.id, _what(stored), _what(planned))


def _what(cycle: BilledCycle) -> str:
    return f"{cycle.start.isoformat()}/{cycle.end.isoformat()} {cycle.total}"
