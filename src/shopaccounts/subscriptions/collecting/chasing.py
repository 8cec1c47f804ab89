"""What unpaid invoices do to a subscription: it falls behind, catches up, or is given up.

The rules, in plain English:

* A subscription remembers which of its invoices are overdue or being chased, and since when the first of them is.
* It has caught up when the last of them is settled. What was paused for its debt runs again then, and renewals that
  were held back are due.
* Whether it runs changes only by what the shop's policy says about debts that nobody pays. A pause for a debt gives
  nothing back.
* While its first invoice is open, a subscription can't fall behind: it has its own time limit for that.
"""

from collections.abc import Collection as Some
from datetime import datetime
from typing import Final

import attrs

from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.events import DunningRecovered
from shopaccounts.subscriptions.facts import NO_FACTS
from shopaccounts.subscriptions.lifecycle.ending import end
from shopaccounts.subscriptions.model import PastDue, PauseReason, Subscription
from shopaccounts.subscriptions.pausing.pauses import pause_now
from shopaccounts.subscriptions.pausing.resuming import resume_now
from shopaccounts.subscriptions.payments.debts import exhaustion, recovery
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import COLLECTION, Lifecycle, Trigger, collected

__all__ = ["catch_up", "fall_behind", "give_up", "is_behind_for"]

_NOT_BEGUN: Final = frozenset({Lifecycle.PENDING, Lifecycle.INCOMPLETE})


def is_behind_for(subscription: Subscription, invoice: str) -> bool:
    """Tell whether an invoice is among those for which a subscription is overdue."""
    return subscription.past_due is not None and invoice in subscription.past_due.invoices


def fall_behind(subscription: Subscription, invoice: str, since: datetime, trigger: Trigger) -> Subscription:
    """Answer a subscription one of whose invoices wasn't paid.

    Args:
        subscription: Which.
        invoice: What wasn't paid.
        since: From when on.
        trigger: PAYMENT_FAILED, INVOICE_OVERDUE or PAYMENT_REVERSED.
    """
    if subscription.lifecycle in _NOT_BEGUN:
        return subscription
    happens = (subscription.collection, trigger) in COLLECTION
    state = collected(subscription.collection, trigger) if happens else subscription.collection
    before = subscription.past_due or PastDue(since=since, invoices=())
    invoices = tuple(dict.fromkeys((*before.invoices, invoice)))
    return attrs.evolve(subscription, collection=state, past_due=attrs.evolve(before, invoices=invoices))


def catch_up(
    subscription: Subscription, settled: str, owed: Some[str], at: datetime, policy: SubscriptionPolicy
) -> Decision:
    """Decide what becomes of a subscription when an invoice of it is settled.

    Args:
        subscription: Which.
        settled: The invoice.
        owed: Which of its other overdue invoices are still owed.
        at: When it was settled.
        policy: Whether what was paused for its debt runs again.
    """
    if subscription.past_due is None:
        return Decision(subscription=subscription)
    left = tuple(one for one in subscription.past_due.invoices if one != settled and one in owed)
    if left:
        still = attrs.evolve(subscription.past_due, invoices=left)
        return Decision(subscription=attrs.evolve(subscription, past_due=still))
    paused_for_debt = subscription.pause is not None and subscription.pause.reason is PauseReason.UNPAID
    what = recovery((), policy.dunning, subscription.collection, at, paused_for_debt=paused_for_debt)
    if what is None or what.collection is None:
        return Decision(subscription=attrs.evolve(subscription, past_due=None))
    state = collected(subscription.collection, what.collection)
    told = DunningRecovered(
        at=at, account=subscription.customer, billing_account=subscription.account, subscription=subscription.id
    )
    again = Decision(subscription=attrs.evolve(subscription, collection=state, past_due=None), events=(told,))
    return again.then(resume_now(again.subscription, at, policy)) if what.lifecycle is Trigger.RESUMED else again


def give_up(subscription: Subscription, at: datetime, policy: SubscriptionPolicy) -> Decision:
    """Decide what becomes of a subscription when an invoice of it isn't tried any more.

    Args:
        subscription: Which.
        at: When it was given up.
        policy: What the shop does then.
    """
    what = exhaustion(policy.dunning, subscription.lifecycle, subscription.collection)
    if what.collection is not None:
        subscription = attrs.evolve(subscription, collection=collected(subscription.collection, what.collection))
    if what.lifecycle is Trigger.GAVE_UP:
        return end(subscription, at, Trigger.GAVE_UP, policy)
    if what.lifecycle is Trigger.GAVE_UP_PAUSED:
        return pause_now(subscription, at, None, PauseReason.UNPAID, NO_FACTS, policy)
    return Decision(subscription=subscription)
