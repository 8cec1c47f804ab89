"""How a subscription begins: at once or later, with a trial or without, before or after its first payment.

The rules, in plain English:

* What has a price begins when its first invoice is paid. Until then it is incomplete; if nobody pays in time, it is
  over and its invoice is void.
* What costs nothing yet, because there is a trial first or everything is billed in arrears, begins at once.
* Where a trial ends within the first cycle and leaves it whole, that cycle isn't billed before the trial has ended.
* Where several cycles are paid at once from the start, they are billed with the first one; after a trial, when that has
  ended.
* A start in the future waits; nothing is billed before.
"""

from datetime import datetime

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.subscriptions.billing.bills import bill_setup
from shopaccounts.subscriptions.changing.prepaying import bill_coming
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.events import (
    FirstPaymentExpired,
    SubscriptionActivated,
    SubscriptionStarted,
    TrialStarted,
)
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import InvoiceKind
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment
from shopaccounts.subscriptions.states import Lifecycle, Trigger, moved

__all__ = ["begin", "first_paid", "give_up_first_payment", "sign_up"]


def sign_up(subscription: Subscription, now: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Let a subscription begin that was just agreed on: now, or on the day it was agreed for.

    Args:
        subscription: As agreed; it waits for its start.
        now: This instant.
        facts: The changes of price that were announced, where several cycles are paid at once.
        policy: How the shop bills.
    """
    made = SubscriptionStarted(
        at=now,
        account=subscription.customer,
        subscription=subscription.id,
        plan=subscription.terms.version,
        lifecycle=subscription.lifecycle.value,
    )
    if subscription.segments[0].start_instant > now:
        return Decision(subscription=subscription, events=(made,))
    begun = begin(subscription, now, facts, policy)
    made = attrs.evolve(made, lifecycle=begun.subscription.lifecycle.value)
    return attrs.evolve(begun, events=(made, *begun.events))


def begin(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Let a subscription begin whose start has come.

    Args:
        subscription: One that waits for its start.
        at: Its start.
        facts: The changes of price that were announced, where several cycles are paid at once.
        policy: How the shop bills.
    """
    trial = subscription.trial is not None
    waits = trial and not subscription.paid_from
    first = bill_setup(subscription, at) if waits else bill_coming(subscription, at, facts, policy, InvoiceKind.START)
    if first.bills and policy.subscribing.first_payment is FirstPayment.REQUIRED:
        incomplete = attrs.evolve(
            first.subscription,
            lifecycle=moved(subscription.lifecycle, Trigger.STARTED_UNPAID),
            first_payment_by=at + policy.subscribing.first_payment_timeout,
        )
        return attrs.evolve(first, subscription=incomplete)
    trigger = Trigger.STARTED_TRIAL if trial else Trigger.STARTED
    runs = attrs.evolve(first.subscription, lifecycle=moved(subscription.lifecycle, trigger))
    return attrs.evolve(first, subscription=runs, events=(*first.events, _runs(runs, at)))


def first_paid(subscription: Subscription, at: datetime) -> Decision:
    """Let a subscription run whose first invoice is paid.

    Args:
        subscription: One that waits for that payment.
        at: When it was paid.
    """
    trial = subscription.trial is not None and at < subscription.trial.ends_at
    runs = attrs.evolve(
        subscription,
        lifecycle=moved(subscription.lifecycle, Trigger.FIRST_PAID_TRIAL if trial else Trigger.FIRST_PAID),
        first_payment_by=None,
    )
    return Decision(subscription=runs, events=(_runs(runs, at),))


def give_up_first_payment(subscription: Subscription, at: datetime) -> Decision:
    """End a subscription whose first invoice nobody paid.

    Args:
        subscription: One that waits for that payment.
        at: When the time for it was over.
    """
    over = attrs.evolve(
        subscription,
        lifecycle=moved(subscription.lifecycle, Trigger.FIRST_UNPAID_EXPIRED),
        first_payment_by=None,
        ended_at=at,
    )
    invoices = tuple(live.invoice for live in subscription.live)
    told = tuple(
        FirstPaymentExpired(at=at, account=subscription.customer, subscription=subscription.id, invoice=invoice)
        for invoice in invoices
    )
    return Decision(subscription=over, voids=invoices, events=told)


def _runs(subscription: Subscription, at: datetime) -> Event:
    """Tell that a subscription runs from now on, in its trial or for good."""
    plan = subscription.terms.version
    if subscription.lifecycle is Lifecycle.TRIALING and subscription.trial:
        return TrialStarted(
            at=at,
            account=subscription.customer,
            subscription=subscription.id,
            plan=plan,
            ends_at=subscription.trial.ends_at,
        )
    return SubscriptionActivated(at=at, account=subscription.customer, subscription=subscription.id, plan=plan)
