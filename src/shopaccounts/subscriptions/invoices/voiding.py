"""What becomes of subscriptions when an invoice of theirs is voided.

The rules, in plain English:

* A void invoice gives the use of its discounts back, and nobody looks at it again when something changes.
* Its cycles stay settled, as waived. Voided in order to be billed anew, those that were paid in advance are billed by
  the next run as if nobody had billed them, with the fee for setting up if it stood there. All other lines wait for the
  account's next invoice as they are.
* Only the latest cycles can be billed anew: whoever wants an older one voids the later ones first.
* The first invoice of a subscription that waits for its payment is void when that is cancelled, and not before.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from shopaccounts.subscriptions.charges.period_lines import is_in_arrears
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.errors import CycleAlreadyBilled, InvoiceNotOpen, OnHold, OperationNotAllowed
from shopaccounts.subscriptions.invoices.balance import put_off
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.papers.documents import BilledCycle, BilledFor, Invoice
from shopaccounts.subscriptions.papers.lines import Line, LineDraft, LineKind
from shopaccounts.subscriptions.plans.agreed import PrepaidCycles
from shopaccounts.subscriptions.plans.discounts import given_back
from shopaccounts.subscriptions.states import ENDED, Lifecycle

__all__ = ["freed", "put_off_rest", "require_begun", "require_voidable", "waits_again", "without"]

_VOID = "void_invoice"
_PARTLY_CREDITED = "partly_credited"
_ADVANCE = frozenset({LineKind.RECURRING, LineKind.STUB, LineKind.ADD_ON, LineKind.SETUP_FEE, LineKind.CHARGE})


def require_begun(subscriptions: Iterable[Subscription], operation: str) -> None:
    """Refuse what would settle the first invoice of a subscription that waits for its payment.

    Raises:
        OperationNotAllowed: One of them does; it can be cancelled.
    """
    for one in subscriptions:
        if one.lifecycle is Lifecycle.INCOMPLETE:
            raise OperationNotAllowed(operation, one.lifecycle.value, one.collection.value)


def require_voidable(invoice: Invoice, subscriptions: Iterable[Subscription], *, rebill: bool) -> None:
    """Refuse to void what can't be undone as a whole.

    Args:
        invoice: Which.
        subscriptions: Those that have lines on it.
        rebill: Whether it is to be billed anew.

    Raises:
        InvoiceNotOpen: A part of it was taken back already.
        OperationNotAllowed: A subscription waits for its first payment, or is to be billed anew and has ended.
        OnHold: A subscription is to be billed anew, and waits for a decision.
    """
    if any(not line.credited.is_zero for line in invoice.lines):
        raise InvoiceNotOpen(_PARTLY_CREDITED)
    mine = tuple(subscriptions)
    require_begun(mine, _VOID)
    for one in mine if rebill else ():
        if one.lifecycle in ENDED:
            raise OperationNotAllowed(_VOID, one.lifecycle.value, one.collection.value)
        if one.hold is not None:
            raise OnHold(one.hold.since)


def without(subscription: Subscription, invoice: Invoice) -> Subscription:
    """Answer a subscription one of whose invoices is void: it gives the uses of discounts back, and counts no more.

    Args:
        subscription: One with lines on it.
        invoice: Which.
    """
    uses = {
        (taken.code, line.cycle)
        for line in invoice.lines
        if line.subscription == subscription.id and line.cycle is not None
        for taken in line.discounts
    }
    discounts = subscription.discounts
    for code, cycle in sorted(uses, key=lambda use: -use[1].index):
        discounts = tuple(given_back(one, cycle) if one.discount.code == code else one for one in discounts)
    live = tuple(one for one in subscription.live if one.invoice != invoice.id)
    return attrs.evolve(subscription, discounts=discounts, live=live)


def freed(subscription: Subscription, invoice: Invoice, rows: Sequence[BilledCycle]) -> Subscription:
    """Answer a subscription whose cycles of an invoice are billed anew by the next run.

    Args:
        subscription: One with lines on it.
        invoice: What is void.
        rows: How the cycles ended that were billed on it.

    Raises:
        CycleAlreadyBilled: A later cycle is billed elsewhere.
    """
    mine = sorted(row.index for row in rows if _is_freed(row) and row.subscription == subscription.id)
    if not mine:
        return without(subscription, invoice)
    if mine != list(range(mine[0], subscription.billed_to)):
        later = [one.invoice for one in subscription.live if one.invoice != invoice.id]
        raise CycleAlreadyBilled(later[-1] if later else "")
    fee = any(line.kind is LineKind.SETUP_FEE and line.subscription == subscription.id for line in invoice.lines)
    return attrs.evolve(
        _uncounted(without(subscription, invoice), mine),
        billed_to=mine[0],
        prepaid=_to_be_billed_again(subscription.prepaid, mine[0]),
        setup_fee_due=subscription.setup_fee_due or fee,
    )


def _to_be_billed_again(run: PrepaidCycles | None, first: int) -> PrepaidCycles | None:
    """Let cycles be billed at once again whose invoice is void."""
    return attrs.evolve(run, until=first) if run is not None and run.first == first else run


def _is_freed(row: BilledCycle) -> bool:
    return row.part is BilledFor.ADVANCE


def _uncounted(subscription: Subscription, indices: Iterable[int]) -> Subscription:
    """Answer a subscription whose term doesn't count these cycles any more."""
    if subscription.term is None:
        return subscription
    periods = [service_period_of(subscription.segments, one, moved=subscription.moved) for one in indices]
    whole = sum(not period.is_stub for period in periods)
    term = attrs.evolve(subscription.term, begun=max(subscription.term.begun - whole, 0))
    return attrs.evolve(subscription, term=term)


def put_off_rest(
    account: BillingAccount,
    invoice: Invoice,
    rows: Sequence[BilledCycle],
    subscriptions: Sequence[Subscription],
    now: datetime,
) -> BillingAccount:
    """Let all lines of a void invoice wait for the next one that aren't billed anew with their cycles.

    Args:
        account: Whose it is.
        invoice: What is void.
        rows: How the cycles ended that were billed on it.
        subscriptions: Those that have lines on it.
        now: This instant.
    """
    again = {CycleRef(row.subscription, row.segment, row.index) for row in rows if _is_freed(row)}
    late = {(one.id, line.key) for one in subscriptions for line in one.lines if is_in_arrears(line)}
    rest = [_draft(line) for line in invoice.lines if not _comes_again(line, again, late)]
    return put_off(account, rest, f"{invoice.id}/again", now)


def waits_again(account: BillingAccount, invoice: Invoice, owner: str, now: datetime) -> BillingAccount:
    """Let lines of others that had joined an invoice wait for the next one, as far as nothing was taken back of them.

    Args:
        account: Whose it is.
        invoice: What is void.
        owner: The subscription that it was written for.
        now: This instant.
    """
    joined = (line for line in invoice.lines if line.subscription != owner)
    return put_off(account, [left for line in joined if (left := _left(line)).amount.minor], f"{invoice.id}/again", now)


def _left(line: Line) -> LineDraft:
    draft = _draft(line)
    if line.credited.is_zero:
        return draft
    return attrs.evolve(draft, amount=line.creditable, discounts=(), end=line.live_until or line.end)


def _comes_again(line: Line, again: set[CycleRef], late: set[tuple[str, str]]) -> bool:
    return line.cycle in again and line.kind in _ADVANCE and (line.subscription, line.key) not in late


def _draft(line: Line) -> LineDraft:
    """Answer a line as it was before it was billed; what takes something back keeps its tax."""
    named = {field.name: getattr(line, field.name) for field in attrs.fields(LineDraft)}
    return LineDraft(**named | {"taxed": line.taxed if line.credits_line else None})
