"""How a subscription ends: because it was cancelled, because its term is over, or because nobody pays.

The rules, in plain English:

* What was used and is paid in arrears is billed up to the end, on a final invoice. So is what it costs to leave before
  a minimum that was agreed is over.
* An end makes everything else pointless that was planned, and says so.
* The end wins over what is due at the same instant, also when it is found late: nothing that begins after it is billed.
"""

from datetime import datetime
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.subscriptions.billing.bills import bill_ended
from shopaccounts.subscriptions.cycles.segments import segment_of, service_period_of
from shopaccounts.subscriptions.decision import Bill, Decision
from shopaccounts.subscriptions.due import arrears_due, last_day
from shopaccounts.subscriptions.events import (
    ScheduledChangeDropped,
    SubscriptionCanceled,
    SubscriptionExpired,
    TrialLapsed,
)
from shopaccounts.subscriptions.lifecycle.doubles import unmarked
from shopaccounts.subscriptions.lifecycle.early_exit import exit_lines
from shopaccounts.subscriptions.model import Parting, Subscription
from shopaccounts.subscriptions.papers.documents import InvoiceKind, segment_key
from shopaccounts.subscriptions.papers.lines import LineDraft
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.scheduled import NOTHING_SCHEDULED
from shopaccounts.subscriptions.states import Lifecycle, Trigger, moved

__all__ = ["INVOLUNTARY", "dropped", "end", "reach_end"]

INVOLUNTARY: Final = "involuntary"
"""The reason of an end that nobody asked for: its invoices were not paid."""

_WHY: Final = MappingProxyType({Trigger.GAVE_UP: INVOLUNTARY})


def reach_end(subscription: Subscription, at: datetime, policy: SubscriptionPolicy) -> Decision:
    """End a subscription whose end has come: that of its cancellation, or of its fixed length."""
    planned = subscription.scheduled.cancel
    if planned is None or planned.at > at:
        return end(subscription, at, Trigger.TERM_ENDED, policy)
    return end(
        subscription,
        at,
        Trigger.CANCEL_REACHED,
        policy,
        reason=planned.reason,
        comment=planned.comment,
        leaves_early=planned.charge_remainder,
    )


def end(
    subscription: Subscription,
    at: datetime,
    trigger: Trigger,
    policy: SubscriptionPolicy,
    *,
    reason: str = "",
    comment: str = "",
    leaves_early: bool = False,
) -> Decision:
    """End a subscription, and bill what is paid in arrears up to its end.

    Args:
        subscription: Which.
        at: When it ends.
        trigger: CANCELED, CANCEL_REACHED, GAVE_UP, TERM_ENDED or TRIAL_LAPSED.
        policy: How the shop bills.
        reason: Why it was cancelled, as the customer chose it.
        comment: What the customer said besides.
        leaves_early: Whether the customer pays for leaving before a minimum is over.

    Raises:
        TransitionRefused: It can't end that way in its state.
    """
    exit_price = exit_lines(subscription, at, policy) if leaves_early else ()
    over = attrs.evolve(
        unmarked(subscription),
        lifecycle=moved(subscription.lifecycle, trigger),
        scheduled=NOTHING_SCHEDULED,
        pause=None,
        first_payment_by=None,
        ended_at=at,
        parting=_parting(subscription, trigger, reason, comment),
    )
    told = (*dropped(subscription, at, spare=("cancel",)), _ended(subscription, at, trigger, reason))
    rested = subscription.lifecycle is Lifecycle.PAUSED  # what was used before is billed since the pause began
    done = _billed_to_the_end(Decision(subscription=over, events=told), at, policy, exit_price, rested=rested)
    return done.leaving(done.subscription.but(prepaid=None))


def _parting(subscription: Subscription, trigger: Trigger, reason: str, comment: str) -> Parting:
    """Answer why it ended: where nobody paid, with what wasn't paid."""
    if trigger is not Trigger.GAVE_UP:
        return Parting(reason=reason, comment=comment)
    unpaid = subscription.past_due.invoices if subscription.past_due else ()
    return Parting(reason=INVOLUNTARY, voluntary=False, invoices=unpaid)


def dropped(subscription: Subscription, at: datetime, *, spare: tuple[str, ...] = ()) -> tuple[Event, ...]:
    """Tell what was planned and won't happen, but for what is in *spare*."""
    plans = attrs.asdict(subscription.scheduled, recurse=False)
    return tuple(
        ScheduledChangeDropped(
            at=at,
            account=subscription.customer,
            subscription=subscription.id,
            kind=kind,
            takes_effect_at=plan.at,
        )
        for kind, plan in plans.items()
        if plan is not None and kind not in spare
    )


def _billed_to_the_end(
    decision: Decision, at: datetime, policy: SubscriptionPolicy, more: tuple[LineDraft, ...], *, rested: bool
) -> Decision:
    """Bill every cycle in arrears that began before the end, and what else is due with it."""
    while not rested and arrears_due(decision.subscription, policy) is not None:
        subscription = decision.subscription
        index, until = subscription.arrears_to, last_day(subscription)
        first = service_period_of(subscription.segments, index, moved=subscription.moved)
        if (until is not None and first.start >= until) or index > subscription.billed_to:
            break
        decision = decision.then(bill_ended(subscription, at, policy, InvoiceKind.FINAL))
    return attrs.evolve(decision, bills=_on_one_invoice(decision, at, more))


def _on_one_invoice(decision: Decision, at: datetime, more: tuple[LineDraft, ...]) -> tuple[Bill, ...]:
    """Put everything that is billed at the end on the one final invoice of the segment."""
    lines = tuple(line for bill in decision.bills for line in bill.lines) + more
    if not lines:
        return ()
    subscription = decision.subscription
    last = segment_of(subscription.segments, max(subscription.billed_to - 1, 0))
    final = Bill(
        key=segment_key(subscription.id, last.number, InvoiceKind.FINAL),
        kind=InvoiceKind.FINAL,
        at=at,
        lines=lines,
        cycles=tuple(cycle for bill in decision.bills for cycle in bill.cycles),
    )
    if not decision.bills:
        return (final,)
    return (attrs.evolve(final, fixed_part=decision.bills[0].fixed_part),)


def _ended(subscription: Subscription, at: datetime, trigger: Trigger, reason: str) -> Event:
    account, id = subscription.customer, subscription.id
    if trigger is Trigger.TERM_ENDED:
        return SubscriptionExpired(at=at, account=account, subscription=id)
    if trigger is Trigger.TRIAL_LAPSED:
        return TrialLapsed(at=at, account=account, subscription=id)
    said = _WHY.get(trigger, reason)
    voluntary = trigger is not Trigger.GAVE_UP
    return SubscriptionCanceled(at=at, account=account, subscription=id, reason=said, voluntary=voluntary)
