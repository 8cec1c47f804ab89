"""Cancelling a subscription, and taking that back.

The rules, in plain English:

* Unless somebody says otherwise, a cancelled subscription runs on to the end of its paid period. Who cancels again gets
  the same answer. An earlier end brings it forward; for a later one it has to be taken back first.
* Until the end comes, it can be taken back, and nothing is left of it in the bills.
* A shop may want to know some days before a boundary. Who comes later stays until the next one.
* Who is bound leaves when the minimum is over, or not at all before, or at once for a price: as was agreed.
* Who leaves at once leaves paid time behind, or gets it credited or paid back. What is served stays due. An open
  invoice for time that isn't served at all is taken back, but for the fee for setting up.
* A trial is used to its end, or left at once; neither costs anything. What never began is called off, with its invoice.
* Who closes the account leaves with it, at the end of the paid period or at once as the shop wants, and never pays for
  that.
* A cancellation in writing counts from the day on which it came in. What was charged after the end that it asked for is
  paid back.
"""

import re
from datetime import date, datetime, timedelta
from typing import Final, cast

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.time import instant_of, local_date, require_day
from shopaccounts.subscriptions.billing.unused import Unused as UnusedLine
from shopaccounts.subscriptions.billing.unused import credits_for_unused, notes_for, unused_lines
from shopaccounts.subscriptions.billing.waiting_lines import cut_waiting
from shopaccounts.subscriptions.cycles.segments import index_at, start_instant_of
from shopaccounts.subscriptions.decision import Decision, TakenBack
from shopaccounts.subscriptions.due import fixed_end, renewal_due
from shopaccounts.subscriptions.errors import CancellationScheduled, CommitmentRunning
from shopaccounts.subscriptions.events import CancellationPlanned, CancellationUndone, SubscriptionCanceled
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.lifecycle.early_exit import first_exit
from shopaccounts.subscriptions.lifecycle.ending import dropped, end
from shopaccounts.subscriptions.model import Parting, Subscription
from shopaccounts.subscriptions.papers.documents import CreditTo, Invoice, InvoiceState
from shopaccounts.subscriptions.plans.terms import AtCommitmentEnd, Fee, Refuse, RemainderDue
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.pausing import Unused
from shopaccounts.subscriptions.remarks import clean_remark
from shopaccounts.subscriptions.scheduled import NOTHING_SCHEDULED, CancelAt
from shopaccounts.subscriptions.states import ENDED, Lifecycle, Trigger, moved

__all__ = ["CancelWish", "call_off", "cancel", "cancel_as_stated", "leave_with_account", "undo_cancellation"]

_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NOT_BEGUN: Final = frozenset({Lifecycle.PENDING, Lifecycle.INCOMPLETE})
_FARTHEST_WISH: Final = timedelta(days=3660)
_WHY: Final = "cancel"


def _word(value: str) -> str:
    if value and not _WORD.fullmatch(require_text(value, "reason", cap=64)):
        raise InvalidInput(field="reason", reason="unknown")
    return value


def _comment(value: str) -> str:
    return clean_remark(value, "comment")


@attrs.frozen(kw_only=True)
class CancelWish:
    """How a customer leaves.

    Args:
        when: At once, at the end of the paid period, or on a local day; None for the shop's way.
        unused: What becomes of paid time that is left when it ends at once; None for the shop's way.
        reason: A word of the shop's own list, such as ``too_expensive``: small letters, digits, ``_``, at most 64.
        comment: What the customer says besides, up to 2000 characters; it is kept, and told nobody.

    Raises:
        InvalidInput: The reason is no such word, or the comment too long.
    """

    when: CancelWhen | date | None = None
    unused: Unused | None = None
    reason: str = attrs.field(default="", converter=_word)
    comment: str = attrs.field(default="", converter=_comment, repr=False)


@attrs.frozen
class _Exit:
    """When a subscription ends, and whether that is within a minimum, for a price."""

    at: datetime
    early: bool = False


def cancel(
    subscription: Subscription, wish: CancelWish, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Decision:
    """Cancel a subscription, now or for later.

    Args:
        subscription: Which.
        wish: When, and why.
        now: This instant.
        facts: The invoices of the time that isn't over.
        policy: How the shop lets customers go.

    Returns:
        What that leads to. When it ends stands in ``scheduled.cancel`` or ``ended_at`` of the subscription.

    Raises:
        OperationNotAllowed: It has ended.
        CancellationReached: Its planned end has come.
        CancellationScheduled: It ends earlier than on the day wished for.
        CommitmentRunning: The customer is bound for longer.
        InvalidInput: The day is in the past.
        DateOutOfRange: It lies beyond the year 9999.
    """
    require_operation(subscription, Operation.CANCEL, now, policy)
    if subscription.lifecycle in _NOT_BEGUN:
        return call_off(subscription, now, facts, reason=wish.reason, comment=wish.comment)
    leaves, planned = _exit(subscription, wish, now, policy), subscription.scheduled.cancel
    if leaves.at <= now:
        return _leave(subscription, wish, leaves, now, facts, policy)
    if planned is None or leaves.at < planned.at:
        return _plan(subscription, leaves, now, wish.reason, wish.comment)
    if planned.at < leaves.at and isinstance(wish.when, date):
        raise CancellationScheduled(planned.at)
    return Decision(subscription=subscription)


def _plan(subscription: Subscription, leaves: _Exit, now: datetime, reason: str, comment: str) -> Decision:
    planned = CancelAt(at=leaves.at, asked_at=now, reason=reason, comment=comment, charge_remainder=leaves.early)
    later = attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, cancel=planned))
    told = CancellationPlanned(at=now, account=later.customer, subscription=later.id, ends_at=leaves.at)
    return Decision(subscription=later, events=(told,))


# When


def _exit(subscription: Subscription, wish: CancelWish, now: datetime, policy: SubscriptionPolicy) -> _Exit:
    """Answer when somebody leaves who wants to leave in a certain way.

    Raises:
        CommitmentRunning: They are bound for longer.
    """
    when = policy.cancelling.when if wish.when is None else wish.when
    boundary, is_next = _boundary(subscription, _next_index(subscription, now, policy), now, policy)
    if when is CancelWhen.NOW:
        at = now
    elif when is CancelWhen.AT_PERIOD_END:
        at = boundary
    else:
        at = _on(subscription, when, now)
    at = at if is_next else max(at, boundary)
    if (fixed := fixed_end(subscription)) is not None:
        at = min(at, fixed)
    return _bound(subscription, at, now)


def _on(subscription: Subscription, day: date, now: datetime) -> datetime:
    """Answer the instant at which somebody leaves on a day: now, if it is today."""
    today = local_date(now, subscription.zone)
    if require_day(day) < today:
        raise InvalidInput(field="when", reason="range")
    anchor = subscription.segments[-1].cycle.anchor
    return now if day == today else max(now, instant_of(day, anchor.at, anchor.zone))


def _boundary(
    subscription: Subscription, index: int | None, asked_at: datetime, policy: SubscriptionPolicy
) -> tuple[datetime, bool]:
    """Answer the first boundary from a cycle on at which somebody may leave, and whether it is that cycle's."""
    if subscription.lifecycle is Lifecycle.TRIALING and subscription.trial:
        return max(subscription.trial.ends_at, asked_at), True
    if index is None:
        return asked_at, True
    told = local_date(asked_at, subscription.zone) + timedelta(days=policy.cancelling.notice_days)
    first = index
    while local_date(_start(subscription, index), subscription.zone) < told:
        index += 1
    return _start(subscription, index), index == first


def _next_index(subscription: Subscription, now: datetime, policy: SubscriptionPolicy) -> int | None:
    """Answer the number of the cycle at whose beginning the paid time ends; None if that is over."""
    if _start(subscription, subscription.billed_to) > now:
        return subscription.billed_to
    going_on = attrs.evolve(subscription, scheduled=NOTHING_SCHEDULED)
    if renewal_due(going_on, policy) is None:
        return None
    return _running(subscription, now) + 1


def _running(subscription: Subscription, at: datetime) -> int:
    """Answer the number of the cycle that runs at an instant, -1 before the first."""
    index = index_at(subscription.segments, at, moved=subscription.moved)
    return -1 if index is None else index


def _start(subscription: Subscription, index: int) -> datetime:
    return start_instant_of(subscription.segments, index, moved=subscription.moved)


def _bound(subscription: Subscription, at: datetime, now: datetime) -> _Exit:
    """Answer when somebody leaves who may be bound for longer."""
    free = first_exit(subscription, now)
    if free is None or free <= at:
        return _Exit(at)
    match subscription.terms.early_exit:
        case None | AtCommitmentEnd():
            return _Exit(free)
        case Refuse():
            raise CommitmentRunning(local_date(free, subscription.zone))
        case Fee() | RemainderDue():
            return _Exit(at, early=True)


# At once


def _leave(
    subscription: Subscription,
    wish: CancelWish,
    leaves: _Exit,
    now: datetime,
    facts: Facts,
    policy: SubscriptionPolicy,
) -> Decision:
    """End a subscription at once, and take back what isn't owed."""
    over = end(
        subscription,
        now,
        Trigger.CANCELED,
        policy,
        reason=wish.reason,
        comment=wish.comment,
        leaves_early=leaves.early,
    )
    day = policy.proration.first_unused(local_date(now, subscription.zone))
    if leaves.early and isinstance(subscription.terms.early_exit, RemainderDue):
        day = max(day, _bound_until(subscription, now))
    unused = wish.unused or policy.cancelling.unused
    lines = unused_lines(subscription, facts.invoices, day)
    if unused is Unused.KEEP:
        lines = (left for left in lines if _is_unserved_and_owed(left, day))
    to = CreditTo.REFUND if unused is Unused.REFUND else CreditTo.BALANCE
    waits = () if unused is Unused.KEEP else cut_waiting(subscription, facts.pending, day)
    return attrs.evolve(over, credits=notes_for(subscription, lines, day, to, reason=_WHY), waits=waits)


def _bound_until(subscription: Subscription, now: datetime) -> date:
    """Answer the day up to which all is paid that was agreed as a minimum, be it used or not."""
    return local_date(first_exit(subscription, now) or now, subscription.zone)


def _is_unserved_and_owed(left: UnusedLine, day: date) -> bool:
    """Tell whether a line is on an open invoice on which this subscription has no time that is served."""
    mine = (line for line in left.invoice.lines if line.subscription == left.line.subscription)
    return left.invoice.state is InvoiceState.OPEN and all(line.start >= day for line in mine)


def call_off(subscription: Subscription, now: datetime, facts: Facts, *, reason: str, comment: str = "") -> Decision:
    """End a subscription that never began: its invoice is void, or what was paid of it is paid back.

    Args:
        subscription: One that waits for its start, or for its first payment.
        now: This instant.
        facts: Its first invoice, if there is one.
        reason: Why.
        comment: What the customer said besides.
    """
    over = attrs.evolve(
        subscription,
        lifecycle=moved(subscription.lifecycle, Trigger.CANCELED),
        scheduled=NOTHING_SCHEDULED,
        first_payment_by=None,
        setup_fee_due=subscription.terms.setup_fee is not None,
        usage_to=subscription.billed_to,
        arrears_to=subscription.billed_to,
        ended_at=now,
        parting=Parting(reason=reason, comment=comment),
    )
    told = SubscriptionCanceled(at=now, account=over.customer, subscription=over.id, reason=reason, voluntary=True)
    first = [facts.invoices[live.invoice] for live in subscription.live if live.invoice in facts.invoices]
    open_ones = [invoice for invoice in first if invoice.state is InvoiceState.OPEN]
    return Decision(
        subscription=over,
        voids=tuple(invoice.id for invoice in open_ones if invoice.paid.is_zero),
        credits=tuple(_whole(over, invoice) for invoice in open_ones if not invoice.paid.is_zero),
        events=(*dropped(subscription, now, spare=("cancel",)), told),
    )


def _whole(subscription: Subscription, invoice: Invoice) -> TakenBack:
    """Answer what takes back all of an invoice of which something is paid."""
    wanted = {number: line.creditable for number, line in enumerate(invoice.lines, 1) if not line.creditable.is_zero}
    key = f"{subscription.id}/{_WHY}/{invoice.id}"
    return TakenBack(key=key, invoice=invoice.id, wanted=wanted, to=CreditTo.REFUND, reason=_WHY)


# Taking it back


def undo_cancellation(subscription: Subscription, now: datetime, policy: SubscriptionPolicy) -> Decision:
    """Let a subscription go on whose end is planned.

    Args:
        subscription: Which.
        now: This instant, before that end.
        policy: What the shop allows.

    Raises:
        CancellationReached: It has ended.
        OperationNotAllowed: No end is planned.
        OnHold: It waits for a decision of the shop.
    """
    require_operation(subscription, Operation.UNDO_CANCELLATION, now, policy)
    planned = cast("CancelAt", subscription.scheduled.cancel)  # where nothing is planned, that was just refused
    goes_on = attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, cancel=None))
    told = CancellationUndone(at=now, account=goes_on.customer, subscription=goes_on.id, ends_at=planned.at)
    return Decision(subscription=goes_on, events=(told,))


# In writing


def cancel_as_stated(
    subscription: Subscription,
    wish: date | None,
    received_at: datetime,
    now: datetime,
    facts: Facts,
    policy: SubscriptionPolicy,
    *,
    reason: str = "statement",
) -> Decision:
    """Cancel a subscription as somebody stated in writing: at the first permitted boundary from a day on.

    Nobody pays for leaving early who didn't agree to it: who is bound stays until the minimum is over.

    Args:
        subscription: Which; one that has ended, or ends by then, stays as it is.
        wish: The local day on which it is to end; None for as early as possible.
        received_at: When the statement came in.
        now: This instant.
        facts: The invoices of the time that isn't over.
        policy: How the shop lets customers go.
        reason: Why, in a word.
    """
    if subscription.lifecycle in ENDED:
        return Decision(subscription=subscription)
    if subscription.lifecycle in _NOT_BEGUN:
        return call_off(subscription, now, facts, reason=reason)
    at, planned = _stated_end(subscription, wish, received_at, now, policy), subscription.scheduled.cancel
    if planned is not None and planned.at <= at:
        return Decision(subscription=subscription)
    if at > now:
        return _plan(subscription, _Exit(at), received_at, reason, "")
    over = end(subscription, now, Trigger.CANCELED, policy, reason=reason)
    day = local_date(at, subscription.zone)
    back = credits_for_unused(subscription, facts.invoices, day, CreditTo.REFUND, reason=_WHY)
    return attrs.evolve(over, credits=back, waits=cut_waiting(subscription, facts.pending, day))


def leave_with_account(subscription: Subscription, now: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Let a subscription end because its customer has closed the account.

    Nobody pays for that: who is bound stays until the minimum is over.

    Args:
        subscription: Which; one that has ended stays as it is, and one that ends anyway ends no later.
        now: This instant.
        facts: The invoices of the time that isn't over.
        policy: When it ends.
    """
    at_once = policy.cancelling.with_account is CancelWhen.NOW and first_exit(subscription, now) is None
    if at_once and subscription.lifecycle not in ENDED:
        return cancel(subscription, CancelWish(when=CancelWhen.NOW, reason=_CLOSED), now, facts, policy)
    return cancel_as_stated(subscription, None, now, now, facts, policy, reason=_CLOSED)


_CLOSED: Final = "account_closed"


def _stated_end(
    subscription: Subscription, wish: date | None, received_at: datetime, now: datetime, policy: SubscriptionPolicy
) -> datetime:
    zone = subscription.zone
    earliest = local_date(received_at, zone)
    day = earliest if wish is None else min(max(wish, earliest), earliest + _FARTHEST_WISH)
    late = received_at < now
    index = _running(subscription, received_at) + 1 if late else _next_index(subscription, now, policy)
    at, _ = _boundary(subscription, index, received_at, policy)
    if local_date(at, zone) < day:
        at = _boundary_from(subscription, day)
    free = first_exit(subscription, now)
    at = at if free is None else max(at, free)
    fixed = fixed_end(subscription)
    return at if fixed is None else min(at, fixed)


def _boundary_from(subscription: Subscription, day: date) -> datetime:
    """Answer the first boundary from a day on."""
    anchor = subscription.segments[-1].cycle.anchor
    begins = instant_of(day, anchor.at, anchor.zone)
    index = _running(subscription, begins)
    start = _start(subscription, index) if index >= 0 else begins
    return start if index >= 0 and start >= begins else _start(subscription, index + 1)
