"""The planner: what has become due of a subscription, decided without looking anything up.

The rules, in plain English:

* What is due is decided in the order in which it should have happened, each thing at its own instant, also when several
  are found at once. A run that comes a week late decides as many runs in time would have.
* Cycles that are due together follow the shop's wish: see ``catchup``.
* A change or a pause that follows a bill waits until that is on paper: it may give back what was just billed. So does
  the end of the time for a first payment: it voids that bill.
* The planner knows no store, no clock and no gateway. So a preview is this decision without the recording, and the same
  facts give the same answer, however often it is asked.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.time import require_instant
from shopaccounts.subscriptions.billing.bills import bill_due, ended_cycle, is_skipped, with_ended
from shopaccounts.subscriptions.billing.catchup import backlog, catch_up_mode, is_too_much
from shopaccounts.subscriptions.billing.usage_billing import bill_late_usage, bill_usage
from shopaccounts.subscriptions.changing.changes import change_due
from shopaccounts.subscriptions.changing.prepaying import bill_coming
from shopaccounts.subscriptions.changing.price_moves import price_step
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import Due, What, next_due, renewal_due, usage_due, waiting_for
from shopaccounts.subscriptions.events import CyclesLapsed, GraceEnded, SubscriptionHeld
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.lifecycle.ending import end, reach_end
from shopaccounts.subscriptions.lifecycle.trials import leave_trial
from shopaccounts.subscriptions.model import Hold, Subscription
from shopaccounts.subscriptions.papers.documents import CycleEnd, InvoiceKind
from shopaccounts.subscriptions.pausing.pauses import pause_due
from shopaccounts.subscriptions.pausing.resuming import resume_due
from shopaccounts.subscriptions.planning.beginning import begin, give_up_first_payment
from shopaccounts.subscriptions.plans.agreed import RunningTerm
from shopaccounts.subscriptions.plans.offers import CatchUpMode
from shopaccounts.subscriptions.plans.terms import next_term
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import Trigger

__all__ = ["BACKLOG", "plan"]

BACKLOG: Final = "backlog"
"""The code of a hold because too many cycles were due at once."""

Step = Callable[[Subscription, datetime, Facts, SubscriptionPolicy], Decision]


def plan(
    subscription: Subscription,
    facts: Facts,
    policy: SubscriptionPolicy,
    now: datetime,
    *,
    mode: CatchUpMode | None = None,
) -> Decision:
    """Decide everything that has become due of a subscription by now.

    Args:
        subscription: Which.
        facts: What is known besides.
        policy: How the shop bills.
        now: This instant.
        mode: What happens to a backlog; by default what the plan or the shop says.

    Returns:
        What it leads to. Of a long backlog, and of what is followed by a change or a pause, a part: what is left is due
        at once.
    """
    require_instant(now)
    catching_up = mode or catch_up_mode(subscription, policy)
    decision, billed = Decision(subscription=subscription), 0
    while (due := next_due(decision.subscription, policy)) and due.at <= now and billed < policy.catch_up.cap:
        if due.what in _BILLS:
            step = _bill(decision.subscription, due, facts, policy, now, catching_up, decided=mode is not None)
            billed += 1
        elif due.what in _TAKES_BACK and decision.is_written:
            break
        else:
            step = _STEPS[due.what](decision.subscription, due.at, facts, policy)
        decision = decision.then(step)
        if step.meters:
            facts = attrs.evolve(facts, meters={**facts.meters, **{one.id: one for one in step.meters}})
    return _collapsed(decision.leaving(waiting_for(decision.subscription, due)), catching_up)


def _bill(
    subscription: Subscription,
    due: Due,
    facts: Facts,
    policy: SubscriptionPolicy,
    now: datetime,
    mode: CatchUpMode,
    *,
    decided: bool,
) -> Decision:
    renews = due.at if due.what is What.RENEW else renewal_due(subscription, policy)
    periods = backlog(subscription, renews, policy, now)
    if is_too_much(periods, mode, policy) and not decided:
        return _hold(subscription, periods, now)
    if not periods or due.what is What.BILL_PAST:
        return _bill_past(subscription, due.at, facts, policy)
    if _is_term_over(subscription):
        return _next_term(subscription, due.at, policy)
    if mode is CatchUpMode.LATEST_ONLY and len(periods) > 1:
        return _lapse(subscription, periods[:-1], due.at)
    if not facts.price_changes:
        return _renew(subscription, due.at, facts, policy)
    return _renew_at_new_price(subscription, due.at, facts, policy)


def _renew(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Bill what begins, be it several cycles that are paid at once, and the cycle that has ended."""
    return with_ended(subscription, bill_coming(subscription, at, facts, policy), at, policy)


def _renew_at_new_price(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Let an announced change of price take effect, if one does here, and bill what is due then."""
    priced = price_step(subscription, at, facts, policy)
    if renewal_due(priced.subscription, policy) is None:
        return priced
    return priced.then(_renew(priced.subscription, at, facts, policy))


def _bill_past(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Bill a cycle that has ended: what a meter counted in it, or else what is paid in arrears."""
    if usage_due(subscription, policy) == at:
        return bill_usage(subscription, at, facts, policy)
    return bill_due(subscription, at, policy)


def _hold(subscription: Subscription, periods: range, now: datetime) -> Decision:
    held = attrs.evolve(subscription, hold=Hold(since=now, code=BACKLOG, periods=tuple(periods)))
    told = SubscriptionHeld(at=now, account=held.customer, subscription=held.id, reason=BACKLOG)
    return Decision(subscription=held, events=(told,))


def _lapse(subscription: Subscription, periods: range, at: datetime) -> Decision:
    """Leave cycles out that nobody was there to bill, but for the latest; those that were skipped stay so."""
    passed = [service_period_of(subscription.segments, index, moved=subscription.moved) for index in periods]
    lapsed = [period for period in passed if not is_skipped(subscription, period.index)]
    rows = tuple(
        ended_cycle(subscription, period, CycleEnd.LAPSED if period in lapsed else CycleEnd.SKIPPED, at)
        for period in passed
    )
    after = attrs.evolve(subscription, billed_to=periods.stop)
    if not lapsed:
        return Decision(subscription=after, cycles=rows)
    told = CyclesLapsed(
        at=at,
        account=subscription.customer,
        subscription=subscription.id,
        segment=lapsed[0].segment,
        index=lapsed[0].index,
        last=lapsed[-1].index,
    )
    return Decision(subscription=after, cycles=rows, events=(told,))


def _is_term_over(subscription: Subscription) -> bool:
    term = subscription.term
    return term is not None and term.begun >= term.agreed.cycles


def _next_term(subscription: Subscription, at: datetime, policy: SubscriptionPolicy) -> Decision:
    """Let the next term begin, or a time without one, or the end."""
    term = subscription.term
    if term is None or not term.agreed.auto_renew:
        return end(subscription, at, Trigger.TERM_ENDED, policy)
    following = next_term(term.agreed)
    running = RunningTerm(agreed=following) if following else None
    return Decision(subscription=attrs.evolve(subscription, term=running))


def _end_grace(subscription: Subscription, at: datetime) -> Decision:
    past_due = subscription.past_due
    told = attrs.evolve(past_due, grace_told=True) if past_due else None
    account = subscription.customer
    event = GraceEnded(at=at, account=account, billing_account=subscription.account, subscription=subscription.id)
    return Decision(subscription=attrs.evolve(subscription, past_due=told), events=(event,))


def _collapsed(decision: Decision, mode: CatchUpMode) -> Decision:
    """Put what was billed late on one invoice, where the shop wants it so."""
    if len(decision.bills) < 2 or mode not in _ONE_INVOICE:  # noqa: PLR2004  (one invoice is one already)
        return decision
    bills = decision.bills
    for kind in (InvoiceKind.PERIODIC, InvoiceKind.USAGE):
        late = [bill for bill in bills if bill.kind is kind]
        if len(late) > 1:
            lines = tuple(line for bill in late for line in bill.lines)
            cycles = tuple(cycle for bill in late for cycle in bill.cycles)
            bills = (*(bill for bill in bills if bill not in late), attrs.evolve(late[-1], lines=lines, cycles=cycles))
    return decision if bills is decision.bills else attrs.evolve(decision, bills=bills)


_BILLS: Final = frozenset({What.RENEW, What.BILL_PAST})
_TAKES_BACK: Final = frozenset({What.CHANGE, What.PAUSE, What.GIVE_UP_FIRST_PAYMENT})
"""What may give back or void what is billed; what was decided before has to be on paper then."""
_ONE_INVOICE: Final = frozenset({CatchUpMode.COLLAPSE, CatchUpMode.LATEST_ONLY})
_STEPS: Final[Mapping[What, Step]] = MappingProxyType(
    {
        What.GIVE_UP_FIRST_PAYMENT: lambda subscription, at, _, __: give_up_first_payment(subscription, at),
        What.START: begin,
        What.END: lambda subscription, at, _, policy: reach_end(subscription, at, policy),
        What.CHANGE: change_due,
        What.PAUSE: pause_due,
        What.RESUME: resume_due,
        What.LEAVE_TRIAL: leave_trial,
        What.LATE_USAGE: bill_late_usage,
        What.END_GRACE: lambda subscription, at, _, __: _end_grace(subscription, at),
    }
)
