"""What happens to several cycles that are due at once, because nothing was billed for a while.

The rules, in plain English:

* A shop says what happens: each cycle gets its invoice, oldest first (EACH); all share one (COLLAPSE); the latest alone
  is billed and the others lapse (LATEST_ONLY); or a person decides (HOLD).
* A cycle that lapses costs nothing and gives nothing: no money, no access, no box.
* Beyond a number of cycles that the shop may choose, and beyond 60 always, a person decides.
* A cycle that begins when the subscription is over, or paused, is no backlog. Nor is one of a free trial: it costs
  nothing, however late it is looked at. Those of a trial with a price are a backlog of their own.
"""

from datetime import datetime, timedelta

from shopaccounts.subscriptions.cycles.segments import index_at, start_instant_of
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.offers import CatchUpMode
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.running import MOST_PERIODS
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["backlog", "catch_up_mode", "is_too_much"]


def catch_up_mode(subscription: Subscription, policy: SubscriptionPolicy) -> CatchUpMode:
    """Answer what happens to a subscription's backlog: what its plan says, else the shop."""
    return subscription.terms.catch_up or policy.catch_up.mode(subscription.terms.goods)


def backlog(subscription: Subscription, renews: datetime | None, policy: SubscriptionPolicy, now: datetime) -> range:
    """Answer the numbers of the cycles that are due in advance by now, and would be billed.

    Args:
        subscription: Whose.
        renews: When the first of them is due, as ``renewal_due`` answers it.
        policy: How the shop bills.
        now: This instant.
    """
    first = subscription.billed_to
    if renews is None or renews > now:
        return range(first, first)
    tried = subscription.lifecycle is Lifecycle.TRIALING
    if tried and subscription.terms.phases[0].tariff is None:
        return range(first, first + 1)
    ahead = timedelta(days=0 if tried else policy.running.bill_ahead_days)
    stops = [plan.at for plan in (subscription.scheduled.cancel, subscription.scheduled.pause) if plan]
    until = min([now + ahead, *(stop - timedelta(microseconds=1) for stop in stops)])
    if start_instant_of(subscription.segments, first + 1, moved=subscription.moved) > until:
        return range(first, first + 1)
    last = index_at(subscription.segments, until, moved=subscription.moved)
    end = first if last is None else max(last, first) + 1
    end = min(end, subscription.paid_from) if tried else end
    term = subscription.term
    return range(first, end if term is None else min(end, first + max(term.agreed.cycles - term.begun, 1)))


def is_too_much(periods: range, mode: CatchUpMode, policy: SubscriptionPolicy) -> bool:
    """Tell whether a person has to decide about a backlog."""
    limit = min(MOST_PERIODS, policy.catch_up.hold_over or MOST_PERIODS)
    return len(periods) > (1 if mode is CatchUpMode.HOLD else limit)
