"""Paying several cycles at once.

The rules, in plain English:

* A plan offers so many cycles at once, 2 to 36, at a reduction. They stand on one invoice, each with its own lines and
  under its own key: each costs what it would have cost by itself, with its phase, its price and its discounts.
* The reduction is computed on the sum of what they cost, rounded once, and divided over the lines to the cent. So each
  cycle can be given back by itself. The fee for setting up isn't reduced.
* So many whole cycles are paid that are served: a stub and a cycle that was left out come on top.
* A subscription may begin with them. After a trial they are billed when it has ended; another plan before that has
  them, if it offers as many.
* When the last one is over, as many are billed again, if the plan then still offers it; or the next is billed by
  itself; or all is over. Near an end those cycles are billed again that are left.
* Nobody pays for cycles that won't come.
* What is paid in arrears, be it the difference to the least that a cycle costs, is billed when its cycle has ended.
"""

from collections.abc import Sequence
from datetime import datetime

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.billing.bills import bill_next
from shopaccounts.subscriptions.billing.spending import with_spent
from shopaccounts.subscriptions.changing.price_moves import price_step
from shopaccounts.subscriptions.cycles.segments import start_instant_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import stops_before
from shopaccounts.subscriptions.errors import CancellationScheduled, PrepayNotOffered
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.lifecycle.early_exit import is_whole
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import InvoiceKind
from shopaccounts.subscriptions.papers.lines import DiscountTaken, LineDraft, LineKind
from shopaccounts.subscriptions.plans.add_ons import AfterPrepaid, PrepayOption, prepaid
from shopaccounts.subscriptions.plans.agreed import PrepaidCycles, RunningTerm
from shopaccounts.subscriptions.plans.checks import require_whole
from shopaccounts.subscriptions.plans.discounts import PREPAID_CODE
from shopaccounts.subscriptions.plans.terms import next_term
from shopaccounts.subscriptions.policy import SubscriptionPolicy

__all__ = ["begin_ahead", "bill_coming", "following_option", "prepay"]


def prepay(
    subscription: Subscription, cycles: int, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Decision:
    """Bill the next cycles at once, from the end of what is paid on.

    Args:
        subscription: One that runs and is paid.
        cycles: How many, as its plan offers it.
        now: This instant.
        facts: The changes of price that were announced.
        policy: How the shop bills.

    Raises:
        PrepayNotOffered: The plan doesn't offer so many at once.
        CancellationScheduled: It ends before so many have begun.
        TypeError: *cycles* is no whole number.
    """
    decision, count = _at_once(subscription, _offered(subscription, cycles), now, facts, policy)
    if count < cycles:
        after = decision.subscription
        raise CancellationScheduled(start_instant_of(after.segments, after.billed_to, moved=after.moved))
    return decision


def _offered(subscription: Subscription, cycles: int) -> PrepayOption:
    require_whole("cycles", cycles)
    offers = {option.cycles: option for option in subscription.terms.prepay}
    if cycles not in offers:
        raise PrepayNotOffered(tuple(offers))
    return offers[cycles]


def begin_ahead(
    subscription: Subscription, cycles: int, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Subscription:
    """Answer a subscription whose first cycles are paid at once when it begins, or when its trial has ended.

    Args:
        subscription: As agreed; it waits for its start.
        cycles: How many, as its plan offers it.
        now: This instant.
        facts: The changes of price that were announced.
        policy: How the shop bills.

    Raises:
        PrepayNotOffered: The plan doesn't offer so many at once.
        CancellationScheduled: It ends before so many have begun.
        TypeError: *cycles* is no whole number.
    """
    prepay(subscription, cycles, now, facts, policy)
    first = subscription.paid_from
    return subscription.but(prepaid=PrepaidCycles(option=_offered(subscription, cycles), first=first, until=first))


def bill_coming(
    subscription: Subscription,
    at: datetime,
    facts: Facts,
    policy: SubscriptionPolicy,
    kind: InvoiceKind = InvoiceKind.PERIODIC,
) -> Decision:
    """Bill the cycle that begins, or as many as are paid at once; those of a trial by themselves.

    Args:
        subscription: Whose next cycle is due.
        at: When it became due.
        facts: The changes of price that were announced.
        policy: How the shop bills.
        kind: START for the first invoice of a subscription, else PERIODIC.
    """
    if subscription.prepaid is None or subscription.billed_to < subscription.paid_from:
        return bill_next(subscription, at, policy, kind)
    option = following_option(subscription)
    if option is None:
        return bill_next(subscription.but(prepaid=None), at, policy, kind)
    return _at_once(subscription, option, at, facts, policy, kind)[0]


def following_option(subscription: Subscription) -> PrepayOption | None:
    """Answer how many cycles are paid at once next, such as when those are over that were; None for one by one.

    Args:
        subscription: Whose.
    """
    run = subscription.prepaid
    if run is None or (run.until != run.first and run.option.after is not AfterPrepaid.RENEW):
        return None
    return next((one for one in subscription.terms.prepay if one.cycles == run.option.cycles), None)


def _at_once(
    subscription: Subscription,
    option: PrepayOption,
    at: datetime,
    facts: Facts,
    policy: SubscriptionPolicy,
    kind: InvoiceKind = InvoiceKind.PERIODIC,
) -> tuple[Decision, int]:
    """Bill the next cycles on one invoice; answer also how many whole ones there are before an end."""
    decision, count = Decision(subscription=subscription.but(prepaid=None)), 0
    while count < option.cycles:
        step = _next(decision.subscription, at, facts, policy, kind)
        if step is None:
            break
        count += is_whole(subscription, decision.subscription.billed_to)
        decision = decision.then(step)
    decision = _on_one_invoice(decision, option)
    return decision.leaving(_remembering(subscription, decision, option)), count


def _remembering(before: Subscription, decision: Decision, option: PrepayOption) -> Subscription:
    """Answer a subscription that knows which cycles were paid at once, and what the running one has cost as before."""
    first, until = before.billed_to, decision.subscription.billed_to
    run = PrepaidCycles(option=option, first=first, until=until)
    if before.terms.minimum:
        run = attrs.evolve(run, spent=(Money.zero(before.currency),) * (until - first))
    after = decision.subscription.but(prepaid=run, spent=before.spent)
    return with_spent(after, [line for bill in decision.bills for line in bill.lines]) if run.spent else after


def _next(
    subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy, kind: InvoiceKind
) -> Decision | None:
    """Bill one more cycle as it would be by itself; None where none follows."""
    term = subscription.term
    if term is not None and term.begun >= term.agreed.cycles:
        if not term.agreed.auto_renew:
            return None
        following = next_term(term.agreed)
        subscription = subscription.but(term=RunningTerm(agreed=following) if following else None)
    priced = Decision(subscription=subscription)
    if facts.price_changes and (step := price_step(subscription, at, facts, policy)).subscription != subscription:
        priced = step
    if stops_before(priced.subscription):
        return None
    return priced.then(bill_next(priced.subscription, at, policy, kind))


def _on_one_invoice(decision: Decision, option: PrepayOption) -> Decision:
    if not decision.bills:
        return decision
    lines = [line for bill in decision.bills for line in bill.lines]
    cycles = tuple(cycle for bill in decision.bills for cycle in bill.cycles)
    bill = attrs.evolve(decision.bills[0], lines=tuple(_reduced(lines, option)), cycles=cycles)
    return attrs.evolve(decision, bills=(bill,))


def _reduced(lines: Sequence[LineDraft], option: PrepayOption) -> list[LineDraft]:
    """Answer lines with what paying them at once takes off, after all other discounts."""
    open_to = {n: line.base for n, line in enumerate(lines) if line.kind is not LineKind.SETUP_FEE and line.base.minor}
    if not open_to:
        return list(lines)
    off = dict(zip(open_to, prepaid(list(open_to.values()), option.off), strict=True))
    return [_less(line, line.base.minor - off[n].minor) if n in off else line for n, line in enumerate(lines)]


def _less(line: LineDraft, minor: int) -> LineDraft:
    if not minor:
        return line
    return attrs.evolve(line, discounts=(*line.discounts, DiscountTaken(PREPAID_CODE, minor)))
