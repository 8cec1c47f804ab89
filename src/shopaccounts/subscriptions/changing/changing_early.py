"""Changing what isn't paid for yet: before it begins, and while it is tried.

The rules, in plain English:

* What hasn't begun is agreed anew, for the same beginning. A trial it has only if it had one.
* Another plan in a trial costs nothing. Its own trial counts from the first day on, so that hopping from plan to plan
  makes no trial longer. If that is over, or the plan has none, the trial ends now. A shop may keep the end instead, or
  end every trial that is changed.
* Who wanted to begin with several cycles paid at once begins so with the other plan, if it offers as many.
"""

from datetime import date, datetime

import attrs

from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.changing.told import events_of
from shopaccounts.subscriptions.changing.wanting import require_same_group
from shopaccounts.subscriptions.cycles.schedules import Segment, SegmentReason
from shopaccounts.subscriptions.cycles.segments import segment_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import NothingToChange
from shopaccounts.subscriptions.lifecycle.agreeing import (
    Choice,
    agree,
    agreed_lines,
    agreed_terms,
    outset,
)
from shopaccounts.subscriptions.lifecycle.regrouping import overrides_dropped
from shopaccounts.subscriptions.lifecycle.trials import cycles_until, tried_until, with_trial_until
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.plans.agreed import RunningPhase, RunningTerm, Trial
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.plans.trial_length import trial_end
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.trials import TrialChange
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["change_plan_early"]


def change_plan_early(
    subscription: Subscription,
    version: PlanVersion,
    quantity: int | None,
    account: BillingAccount,
    policy: SubscriptionPolicy,
    now: datetime,
) -> Decision:
    """Change the plan of a subscription that hasn't begun or is on trial; a trial that ends by it is due to end.

    Args:
        subscription: Which.
        version: Its new plan.
        quantity: How many; None for as many as there are.
        account: Who pays.
        policy: How the shop bills, and when a trial ends whose plan is changed.
        now: This instant.

    Raises:
        NothingToChange: It is its plan already.
        BadPlan: It is of another group of plans.
        NoPriceInCurrency: It isn't sold in the subscription's currency.
        BadQuantity: A quantity that may not be chosen.
    """
    require_same_group(subscription, version)
    count = quantity or subscription.plan_line.quantity
    if version.id == subscription.terms.version and count == subscription.plan_line.quantity:
        raise NothingToChange
    change = _tried if subscription.lifecycle is Lifecycle.TRIALING else _not_begun
    after = change(subscription, version, count, account, policy, now)
    after = attrs.evolve(
        after,
        term=RunningTerm(agreed=version.term) if version.term else None,
        setup_fee_due=subscription.setup_fee_due and after.terms.setup_fee is not None,
        change_seq=subscription.change_seq + 1,
    )
    told = (*events_of(subscription, after, date.max, now), *overrides_dropped(subscription, after, now))
    return Decision(subscription=after, events=told)


def _add_ons(subscription: Subscription, version: PlanVersion) -> dict[str, int]:
    """Answer the add-ons that the new plan sells too."""
    sold = {one.key for one in version.add_ons}
    return {line.key: line.quantity for line in subscription.lines[1:] if line.key in sold and not line.meter}


def _not_begun(
    subscription: Subscription,
    version: PlanVersion,
    quantity: int,
    account: BillingAccount,
    policy: SubscriptionPolicy,
    now: datetime,
) -> Subscription:
    choice = Choice(
        version=version,
        currency=subscription.currency,
        quantity=quantity,
        add_ons=_add_ons(subscription, version),
        starts_at=subscription.segments[0].start_instant,
        trial=subscription.trial is not None,
    )
    fresh = agree(choice, account, policy, id=subscription.id, zone=subscription.zone, now=now)
    return attrs.evolve(
        subscription,
        terms=fresh.terms,
        lines=fresh.lines,
        segments=fresh.segments,
        delivery_segments=fresh.delivery_segments,
        trial=fresh.trial,
        setup_fee_due=fresh.setup_fee_due,
    )


def _tried(
    subscription: Subscription,
    version: PlanVersion,
    quantity: int,
    account: BillingAccount,
    policy: SubscriptionPolicy,
    now: datetime,
) -> Subscription:
    ends = _ends(subscription, version, policy, now)
    until = with_trial_until if version.has_trial else _without_trial
    after = until(subscription, ends, version, account, policy)
    add_ons = _add_ons(subscription, version)
    return attrs.evolve(after, lines=agreed_lines(version, subscription.currency, quantity, add_ons, _paid(after)))


def _paid(subscription: Subscription) -> Segment:
    """Answer the segment of what is paid for after a trial, as if it began with that."""
    running = segment_of(subscription.segments, subscription.paid_from)
    on = local_date(subscription.trial.ends_at, subscription.zone) if subscription.trial else running.start
    return attrs.evolve(running, first_index=subscription.paid_from, start=max(on, running.start))


def _ends(subscription: Subscription, version: PlanVersion, policy: SubscriptionPolicy, now: datetime) -> datetime:
    """Answer when a trial ends whose plan is changed."""
    began, length = subscription.segments[0].start_instant, version.phases[0].length
    ends = subscription.trial.ends_at if subscription.trial else now
    match policy.trials.plan_change:
        case TrialChange.KEEP_END:
            return ends
        case TrialChange.FROM_START if version.has_trial and length is not None:
            return max(trial_end(began, length, subscription.zone, version.interval), now)
    return now


def _without_trial(
    subscription: Subscription,
    ends: datetime,
    version: PlanVersion,
    account: BillingAccount,
    policy: SubscriptionPolicy,
) -> Subscription:
    """Let the trial that runs end, and what is paid for begin there, of a plan that has none itself."""
    free, zone = subscription.segments[0], subscription.zone
    index, reason = cycles_until(subscription, ends), SegmentReason.TRIAL_END
    begins = outset((free,), version, ends, zone, account, policy, trial=None, first_index=index, reason=reason)
    terms = agreed_terms(version, subscription.currency, account, policy, begins.paid)
    tried: RunningPhase = attrs.evolve(subscription.terms.phases[0], end=local_date(ends, zone))
    trial = Trial(started_at=free.start_instant, ends_at=ends)
    return tried_until(subscription, begins, trial, attrs.evolve(terms, phases=(tried, *terms.phases)))
