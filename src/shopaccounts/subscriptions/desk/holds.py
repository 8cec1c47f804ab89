"""What a person decides about a subscription that waits: billed after all, in one of several ways, or waived.

The rules, in plain English:

* What was held is decided as if it had been decided in time: each cycle by itself, all together, the latest alone.
  Ends, changes and trials that came due meanwhile happen in their order.
* Who waives charges nothing for the cycles that were held. The customer had them, so they count toward a term; but no
  discount is used up by them, and a fee for setting up still waits for the first invoice that charges money.
* A long backlog is decided in bites, each whole or not at all; so is one with a planned change or pause within, which
  has to find on paper what was billed before it. Until the last bite it is on hold.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.billing.catchup import backlog
from shopaccounts.subscriptions.decision import Bill, Decision
from shopaccounts.subscriptions.due import What, next_due, renewal_due
from shopaccounts.subscriptions.errors import NothingToChange
from shopaccounts.subscriptions.events import HoldResolved
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.model import Hold, Subscription
from shopaccounts.subscriptions.papers.documents import BilledCycle, CycleEnd, InvoiceKind, cycle_key
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.plans.offers import CatchUpMode
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.running import MOST_PERIODS

__all__ = ["HoldMode", "resolve_hold"]

_MOST_LINES: Final = 120
"""How many lines one invoice of a backlog has at most, so that it can be stored."""
_NO_BACKLOG: Final = frozenset({What.CHANGE, What.PAUSE})
"""What needs nobody's decision, where no cycle is left that was held."""


class HoldMode(Enum):
    """What becomes of the cycles that were held."""

    EACH = "each"
    COLLAPSE = "collapse"
    LATEST_ONLY = "latest_only"
    WAIVE = "waive"


_AS_IF: Final = MappingProxyType(
    {
        HoldMode.EACH: CatchUpMode.EACH,
        HoldMode.COLLAPSE: CatchUpMode.COLLAPSE,
        HoldMode.LATEST_ONLY: CatchUpMode.LATEST_ONLY,
        HoldMode.WAIVE: CatchUpMode.EACH,
    }
)


def resolve_hold(
    subscription: Subscription, mode: HoldMode, facts: Facts, policy: SubscriptionPolicy, now: datetime
) -> Decision:
    """Decide about a subscription that waits.

    Args:
        subscription: One on hold.
        mode: What becomes of the cycles that were held.
        facts: What is known besides.
        policy: How the shop bills.
        now: This instant.

    Returns:
        As much as goes into one change. If that isn't all, the subscription is still on hold.

    Raises:
        NothingToChange: It isn't on hold.
    """
    hold = subscription.hold
    if hold is None:
        raise NothingToChange
    freed = attrs.evolve(subscription, hold=None)
    decision = plan(freed, facts, _in_bites(subscription, mode, policy), now, mode=_AS_IF[mode])
    if mode is HoldMode.WAIVE:
        decision = _waived(freed, decision, now)
    due = next_due(decision.subscription, policy)
    if due is not None and due.at <= now:
        left = tuple(backlog(decision.subscription, renewal_due(decision.subscription, policy), policy, now))
        if left or due.what not in _NO_BACKLOG:
            return _held_on(decision, hold, left)
    told = HoldResolved(at=now, account=freed.customer, subscription=freed.id, decision=mode.value)
    return attrs.evolve(decision, events=(*decision.events, told))


def _in_bites(subscription: Subscription, mode: HoldMode, policy: SubscriptionPolicy) -> SubscriptionPolicy:
    """Answer the shop's policy with as many cycles at once as go into one change."""
    if mode is HoldMode.EACH or mode is HoldMode.LATEST_ONLY:
        return policy
    lines = len(subscription.lines) if mode is HoldMode.COLLAPSE else 1
    cap = max(1, min(MOST_PERIODS, _MOST_LINES // lines))
    return attrs.evolve(policy, catch_up=attrs.evolve(policy.catch_up, cap=cap))


def _held_on(decision: Decision, hold: Hold, left: tuple[int, ...]) -> Decision:
    held = attrs.evolve(decision.subscription, hold=attrs.evolve(hold, periods=left))
    return attrs.evolve(decision, subscription=held)


def _waived(before: Subscription, decision: Decision, now: datetime) -> Decision:
    """Charge nothing for cycles that would have been billed."""
    dropped = [bill for bill in decision.bills if bill.kind is InvoiceKind.PERIODIC]
    rows = tuple(row for bill in dropped for row in _rows(before, bill, now))
    after = attrs.evolve(decision.subscription, discounts=before.discounts, setup_fee_due=before.setup_fee_due)
    return attrs.evolve(
        decision,
        subscription=after,
        bills=tuple(bill for bill in decision.bills if bill not in dropped),
        cycles=(*decision.cycles, *rows),
    )


def _rows(subscription: Subscription, bill: Bill, now: datetime) -> Iterator[BilledCycle]:
    for claimed in bill.cycles:
        yield BilledCycle(
            id=cycle_key(claimed.cycle, claimed.part),
            realm=subscription.realm,
            store=subscription.store,
            subscription=claimed.cycle.subscription,
            segment=claimed.cycle.segment,
            index=claimed.cycle.index,
            part=claimed.part,
            start=claimed.start,
            end=claimed.end,
            ended=CycleEnd.WAIVED,
            total=Money.zero(subscription.currency),
            at=now,
        )
