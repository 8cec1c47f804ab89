"""Taking a subscription up again that has ended.

The rules, in plain English:

* For some days after its end a customer may take it up again: it is the same subscription, with a new segment. The time
  between is never billed. There is no second trial, and no second fee for setting up.
* What is owed is paid first, if the shop wants it so.
* Its cycles count from the day of coming back, or go on as they did before. One that follows the calendar, or its
  customer's billing day, goes on following it.
* Who went in the middle of a period that is paid, and comes back within it, pays when it is over; unless what was left
  of it was credited or paid back, or cycles count anew.
* Nobody is bound once more. A term that is over begins again without a minimum.
"""

from collections.abc import Iterable
from datetime import datetime

import attrs

from shopaccounts.kernel.cycles import Cycle, Interval
from shopaccounts.kernel.money import total
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.billing.bills import bill_next
from shopaccounts.subscriptions.billing.unused import unused_lines
from shopaccounts.subscriptions.changing.wishes import phase_on_day
from shopaccounts.subscriptions.charges.period_lines import is_in_arrears
from shopaccounts.subscriptions.cycles.schedules import CycleRef, SegmentReason
from shopaccounts.subscriptions.cycles.segments import next_number, segment_of, start_instant_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import SettleFirst
from shopaccounts.subscriptions.events import SubscriptionReactivated
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.lifecycle.regrouping import anchored_anew, regrouped
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import Invoice, InvoiceKind, InvoiceState
from shopaccounts.subscriptions.plans.agreed import RunningTerm, Terms, Trial
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, add_discount
from shopaccounts.subscriptions.plans.offers import PhaseKind
from shopaccounts.subscriptions.plans.terms import Term
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cancelling import WinBackAnchor
from shopaccounts.subscriptions.states import Collection, Trigger, moved

__all__ = ["Return", "owed", "reactivate"]

_OWED = frozenset({InvoiceState.OPEN, InvoiceState.UNCOLLECTIBLE})


@attrs.frozen(kw_only=True)
class Return:
    """How a customer comes back.

    Args:
        anchor: From where cycles count; None for the shop's way.
        discount: What makes it cheaper from now on; the host has checked that the customer may have it.
    """

    anchor: WinBackAnchor | None = None
    discount: Discount | None = None


def owed(subscription: Subscription, invoices: Iterable[Invoice]) -> tuple[Invoice, ...]:
    """Answer which invoices of a subscription aren't paid.

    Args:
        subscription: Whose.
        invoices: Those of its account.
    """
    mine = (invoice for invoice in invoices if subscription.id in invoice.subscriptions)
    return tuple(invoice for invoice in mine if invoice.state in _OWED and not invoice.due.is_zero)


def reactivate(
    subscription: Subscription,
    wish: Return,
    unpaid: Iterable[Invoice],
    now: datetime,
    facts: Facts,
    policy: SubscriptionPolicy,
) -> Decision:
    """Take a subscription up again that has ended.

    Args:
        subscription: Which.
        wish: How.
        unpaid: What is still owed of it.
        now: This instant.
        facts: The invoices of the time that isn't over.
        policy: How the shop wins customers back.

    Raises:
        OperationNotAllowed: It runs, never ran, or was of a fixed length that is over.
        WinBackWindowClosed: It ended too long ago.
        SettleFirst: These invoices are to be paid first.
        DiscountAlreadyApplied: It has or had a discount of that code.
        TooManyDiscounts: It has as many as there may be.
        CurrencyMismatch: The discount is in another currency.
    """
    require_operation(subscription, Operation.REACTIVATE, now, policy)
    debts = tuple(unpaid)
    if debts and policy.winning_back.settle_first:
        amount = total((invoice.due for invoice in debts), subscription.currency)
        raise SettleFirst(tuple(invoice.id for invoice in debts), amount)
    again = _revived(subscription, now, owes=bool(debts))
    if wish.discount is not None:
        again = attrs.evolve(again, discounts=_with(again, wish.discount, now))
    waits = _is_paid_for(subscription, wish, now, facts, policy)
    at = start_instant_of(subscription.segments, subscription.billed_to) if waits else now
    cycle = _cycle(again, wish, now, policy)
    again, gone = regrouped(again, cycle, at, again.billed_to, SegmentReason.REACTIVATION, told_at=now)
    told = SubscriptionReactivated(
        at=now,
        account=again.customer,
        subscription=again.id,
        segment=segment_of(again.segments, again.billed_to).number,
    )
    begun = Decision(subscription=again, events=(told, *gone))
    return begun if waits else begun.then(bill_next(again, now, policy, InvoiceKind.START))


def _revived(subscription: Subscription, now: datetime, *, owes: bool) -> Subscription:
    """Answer a subscription that runs again, before its cycles count anew."""
    on = local_date(now, subscription.zone)
    return attrs.evolve(
        subscription,
        lifecycle=moved(subscription.lifecycle, Trigger.REACTIVATED),
        collection=subscription.collection if owes else Collection.OK,
        past_due=subscription.past_due if owes else None,
        terms=_without_trial(subscription.terms, now, subscription),
        trial=_over(subscription.trial, now),
        lines=tuple(attrs.evolve(line, since=on) if is_in_arrears(line) else line for line in subscription.lines),
        cut=(),
        arrears_to=subscription.billed_to,
        spent=None,
        term=_term(subscription.term),
        hold=None,
        ended_at=None,
        parting=None,
    )


def _without_trial(terms: Terms, now: datetime, subscription: Subscription) -> Terms:
    """Answer what was agreed, without what was left of a trial: what is paid for begins now."""
    first, on = terms.phases[0], local_date(now, subscription.zone)
    if first.kind is not PhaseKind.TRIAL or first.end is None or first.end <= on:
        return terms
    paid = attrs.evolve(terms.phases[1], start=on)
    return attrs.evolve(terms, phases=(attrs.evolve(first, end=on), paid, *terms.phases[2:]))


def _over(trial: Trial | None, now: datetime) -> Trial | None:
    """Answer a trial that is over now: nothing waits for its end any more."""
    return attrs.evolve(trial, ends_at=min(trial.ends_at, now)) if trial else None


def _term(term: RunningTerm | None) -> RunningTerm | None:
    """Answer the term of somebody who has come back: nobody is bound by it."""
    if term is None:
        return None
    agreed = term.agreed
    free = Term(agreed.cycles, 0, agreed.auto_renew, agreed.renewal_cycles)
    return RunningTerm(agreed=free, begun=0 if term.begun >= agreed.cycles else term.begun)


def _with(subscription: Subscription, discount: Discount, now: datetime) -> tuple[AppliedDiscount, ...]:
    ref = CycleRef(subscription.id, next_number(subscription.segments), subscription.billed_to)
    on = local_date(now, subscription.zone)
    return add_discount(subscription.discounts, discount, subscription.currency, ref, on)


def _cycle(subscription: Subscription, wish: Return, now: datetime, policy: SubscriptionPolicy) -> Cycle:
    """Answer where boundaries are from now on."""
    if (wish.anchor or policy.winning_back.anchor) is WinBackAnchor.KEEP_ANCHOR:
        return segment_of(subscription.segments, subscription.billed_to).cycle
    on = local_date(now, subscription.zone)
    return anchored_anew(subscription, on, _interval(subscription, now), policy)


def _interval(subscription: Subscription, now: datetime) -> Interval:
    return phase_on_day(subscription.terms, local_date(now, subscription.zone)).interval


def _is_paid_for(
    subscription: Subscription, wish: Return, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> bool:
    """Tell whether the period that runs is paid and wasn't credited, so that nothing is due before it is over."""
    keeps = (wish.anchor or policy.winning_back.anchor) is WinBackAnchor.KEEP_ANCHOR
    if not keeps or any(map(is_in_arrears, subscription.lines)):
        return False
    left = unused_lines(subscription, facts.invoices, local_date(now, subscription.zone))
    ends = start_instant_of(subscription.segments, subscription.billed_to, moved=subscription.moved)
    return ends > now and any(one.line.cycle is not None for one in left)
