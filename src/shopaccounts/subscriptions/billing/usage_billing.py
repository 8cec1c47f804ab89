"""Billing what meters counted: cycle by cycle, when reports of it have come in.

The rules, in plain English:

* The usage of a cycle is an invoice of its own, some time after the cycle. Each cycle's usage is billed once.
* What was reported late of the cycle before stands on it too, with the days on which it was used. Where no bill of
  usage is to follow, late reports are waited for once more, and what they come to is billed for good.
* A customer who leaves within a cycle pays for what was used up to that moment.
* A cycle that was skipped has no usage. One that lapsed has, for it was used.
* That the usage of a line came to an amount which the shop named is told once in a cycle, at the latest when the cycle
  is billed.
"""

from collections.abc import Iterable
from datetime import datetime

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.money import Money, total
from shopaccounts.subscriptions.billing.bills import is_skipped
from shopaccounts.subscriptions.charges.period_lines import cycle_ref
from shopaccounts.subscriptions.charges.usage import (
    Meter,
    UsagePart,
    late_usage,
    outlasts,
    thresholds_reached,
    usage_billed,
    usage_line,
    usage_parts,
)
from shopaccounts.subscriptions.cycles.schedules import ServicePeriod
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.decision import Bill, Claimed, Decision
from shopaccounts.subscriptions.due import is_last_usage, usage_end
from shopaccounts.subscriptions.events import UsageThresholdReached
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import BilledFor, InvoiceKind, cycle_key
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import ENDED

__all__ = ["bill_late_usage", "bill_usage", "may_ask", "parts_in", "told_of"]


def may_ask(subscription: Subscription) -> bool:
    """Tell whether deciding a subscription may depend on what a meter counted."""
    planned = subscription.scheduled.change
    return (
        subscription.late_usage_at is not None
        or any(line.meter for line in subscription.lines)
        or any(cut.line.meter for cut in subscription.cut)
        or (planned is not None and any(line.meter for wish in planned.wishes for line in wish.offers))
    )


def parts_in(subscription: Subscription, index: int, policy: SubscriptionPolicy) -> tuple[UsagePart, ...]:
    """Answer for which stretches of a cycle usage is to be paid.

    Args:
        subscription: Whose.
        index: The number of the cycle.
        policy: How parts of cycles are measured.
    """
    if is_skipped(subscription, index):
        return ()
    return usage_parts(subscription, _period(subscription, index), policy.proration.method)


def _period(subscription: Subscription, index: int) -> ServicePeriod:
    return service_period_of(subscription.segments, index, moved=subscription.moved, end=usage_end(subscription))


def bill_usage(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Bill the usage of the next cycle, and what came late of the one before.

    Args:
        subscription: Whose.
        at: When it became due.
        facts: What meters counted, and what is remembered of them.
        policy: How the shop bills.

    Raises:
        Unavailable: A count isn't there; try later.
        Defect: One is negative, or no whole number.
    """
    period = _period(subscription, subscription.usage_to)
    before = facts.meters.get(subscription.id) or Meter.of(subscription)
    _, late = late_usage(before.billed, facts.measured)
    billed = usage_billed(parts_in(subscription, period.index, policy), facts.measured)
    after = subscription.but(
        usage_to=period.index + 1,
        late_usage_at=None,
        cut=tuple(cut for cut in subscription.cut if not cut.line.meter or outlasts(subscription, cut, period)),
    )
    if billed and policy.usage.late_reports and is_last_usage(after, policy):
        after = after.but(late_usage_at=at + policy.usage.late_reports)
    costs = [(one.part, one.amount) for one in billed]
    meter, events = told_of(subscription, before, costs, at, policy)
    meter = attrs.evolve(meter, billed=billed)
    meters = (meter,) if meter != before else ()
    lines = tuple(line for one in (*late, *billed) if (line := usage_line(one)) is not None)
    if not lines:
        return Decision(subscription=after, meters=meters, events=events)
    ref = cycle_ref(subscription, period)
    claimed = Claimed(ref, BilledFor.USAGE, period.start, period.end)
    key = cycle_key(ref, BilledFor.USAGE)
    bill = Bill(key=key, kind=InvoiceKind.USAGE, at=at, lines=lines, cycles=(claimed,))
    return Decision(subscription=after, bills=(bill,), meters=meters, events=events)


def bill_late_usage(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Bill what was reported after the last bill of usage, for good.

    Args:
        subscription: Whose.
        at: When the time for late reports was over.
        facts: What meters counted, and what is remembered of them.
        policy: How the shop bills.

    Raises:
        Unavailable: A count isn't there; try later.
        Defect: One is negative, or no whole number.
    """
    after = subscription.but(late_usage_at=None)
    before = facts.meters.get(subscription.id) or Meter.of(subscription)
    in_all, late = late_usage(before.billed, facts.measured)
    lines = tuple(line for one in late if (line := usage_line(one)) is not None)
    costs = [(one.part, one.amount) for one in in_all]
    meter, events = told_of(subscription, before, costs, at, policy)
    meter = attrs.evolve(meter, billed=())
    meters = (meter,) if meter != before else ()
    if not lines:
        return Decision(subscription=after, meters=meters, events=events)
    key = f"{cycle_key(late[-1].part.cycle, BilledFor.USAGE)}/late"
    kind = InvoiceKind.FINAL if subscription.lifecycle in ENDED else InvoiceKind.USAGE
    bill = Bill(key=key, kind=kind, at=at, lines=lines)
    return Decision(subscription=after, bills=(bill,), meters=meters, events=events)


def told_of(
    subscription: Subscription,
    meter: Meter,
    costs: Iterable[tuple[UsagePart, Money]],
    at: datetime,
    policy: SubscriptionPolicy,
) -> tuple[Meter, tuple[Event, ...]]:
    """Tell which amounts the usage of one cycle has come to, line by line; none is told twice.

    Args:
        subscription: Whose.
        meter: What was told before.
        costs: The stretches of the cycle, each with what its usage costs so far.
        at: When that was found.
        policy: At which amounts somebody is told.
    """
    if not policy.usage.alerts:
        return meter, ()
    costs, events = tuple(costs), list[Event]()
    for part in {part.line.key: part for part, _ in costs}.values():
        spent = total((cost for one, cost in costs if one.line.key == part.line.key), subscription.currency)
        key, ref = part.line.key, part.cycle
        reached = thresholds_reached(spent, policy.usage.alerts, meter.told_within(ref.index, key))
        if reached:
            meter = meter.tell(ref.index, key, reached)
        events += [
            UsageThresholdReached(
                at=at,
                account=AccountId(subscription.customer),
                billing_account=subscription.account,
                subscription=subscription.id,
                segment=ref.segment,
                index=ref.index,
                meter=part.line.meter,
                threshold=threshold,
            )
            for threshold in reached
        ]
    return meter, tuple(events)
