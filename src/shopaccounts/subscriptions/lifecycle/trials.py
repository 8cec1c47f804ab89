"""Trials: what they lead to, how they are made longer or shorter, and who may have one.

The rules, in plain English:

* When it ends, what is paid for begins there. Who has left no payment method is cancelled, paused or billed, as the
  shop chooses; what costs nothing needs no method.
* A trial can be made longer up to a limit, or ended early. What was billed before stays as it is.
* Who had a trial has no second one: not of the same plans, not with the same card, not after coming back.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.cycles.schedules import Segment, SegmentReason
from shopaccounts.subscriptions.cycles.segments import index_at, open_segment, service_period_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import OperationNotAllowed, TrialAlreadyUsed
from shopaccounts.subscriptions.events import SubscriptionPaused, TrialConverted
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.lifecycle.agreeing import Outset, agreed_terms, outset
from shopaccounts.subscriptions.lifecycle.ending import end
from shopaccounts.subscriptions.marks import AN_ID
from shopaccounts.subscriptions.model import BillingAccount, Pause, PauseReason, Subscription
from shopaccounts.subscriptions.plans.agreed import Terms, Trial
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.plans.tariffs import charge
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.trials import OnMissingMethod, TrialPolicy
from shopaccounts.subscriptions.states import Lifecycle, Trigger, moved

__all__ = [
    "TRIALS",
    "TrialUse",
    "cut_at_trial_end",
    "cycles_until",
    "end_trial_now",
    "extend_trial",
    "leave_trial",
    "may_try",
    "trial_uses",
    "tried_until",
    "with_trial_until",
]


def leave_trial(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """End a trial whose time is over: what is paid for begins, if anything can pay for it.

    Args:
        subscription: One on trial.
        at: When the trial ended.
        facts: Whether there is a payment method.
        policy: What happens without one.
    """
    missing = policy.trials.on_missing_method
    if facts.has_method or _is_free_after(subscription) or missing is OnMissingMethod.CREATE_INVOICE:
        return _converted(subscription, at)
    if missing is OnMissingMethod.CANCEL:
        return end(subscription, at, Trigger.TRIAL_LAPSED, policy)
    paused = attrs.evolve(
        subscription,
        lifecycle=moved(subscription.lifecycle, Trigger.TRIAL_PAUSED),
        billed_to=subscription.paid_from,
        pause=Pause(since=at, until=None, reason=PauseReason.TRIAL),
    )
    told = SubscriptionPaused(
        at=at, account=paused.customer, subscription=paused.id, reason=PauseReason.TRIAL.value, until=None
    )
    return Decision(subscription=paused, events=(told,))


def _is_free_after(subscription: Subscription) -> bool:
    """Tell whether the phase after the trial costs nothing."""
    paid = subscription.terms.phases[1]
    return paid.tariff is None or charge(paid.tariff, subscription.plan_line.quantity).is_zero


def _converted(subscription: Subscription, at: datetime) -> Decision:
    active = attrs.evolve(
        subscription,
        lifecycle=moved(subscription.lifecycle, Trigger.TRIAL_CONVERTED),
        billed_to=subscription.paid_from,
        arrears_to=min(subscription.arrears_to, subscription.paid_from),
        usage_to=min(subscription.usage_to, subscription.paid_from),
    )
    told = TrialConverted(at=at, account=active.customer, subscription=active.id, plan=active.terms.version)
    return Decision(subscription=active, events=(told,))


def extend_trial(
    subscription: Subscription,
    until: datetime,
    version: PlanVersion,
    account: BillingAccount,
    policy: SubscriptionPolicy,
) -> Subscription:
    """Let a trial last longer; what is paid for begins later by as much.

    Args:
        subscription: One on trial.
        until: When it ends then.
        version: The version of its plan.
        account: Who pays.
        policy: How long a trial may become.

    Raises:
        OperationNotAllowed: It isn't on trial.
        InvalidInput: *until* isn't later than now planned, or beyond what a trial may last.
    """
    trial = _on_trial(subscription, "extend_trial")
    if until <= trial.ends_at or until - trial.started_at > policy.trials.max_length:
        raise InvalidInput(field="until", reason="range")
    return with_trial_until(subscription, until, version, account, policy)


def end_trial_now(
    subscription: Subscription, now: datetime, version: PlanVersion, account: BillingAccount, policy: SubscriptionPolicy
) -> Subscription:
    """Let a trial end at this instant: its end is due then, and what it leads to.

    Args:
        subscription: One on trial.
        now: This instant.
        version: The version of its plan.
        account: Who pays.
        policy: How the shop bills.

    Raises:
        OperationNotAllowed: It isn't on trial.
    """
    _on_trial(subscription, "end_trial_now")
    return with_trial_until(subscription, now, version, account, policy)


def _on_trial(subscription: Subscription, operation: str) -> Trial:
    if subscription.lifecycle is not Lifecycle.TRIALING or subscription.trial is None:
        raise OperationNotAllowed(operation, subscription.lifecycle.value, subscription.collection.value)
    return subscription.trial


def with_trial_until(
    subscription: Subscription,
    ends: datetime,
    version: PlanVersion,
    account: BillingAccount,
    policy: SubscriptionPolicy,
) -> Subscription:
    """Answer a subscription whose trial ends at another time: what comes after it begins there, as agreed."""
    began, zone = subscription.segments[0].start_instant, subscription.zone
    trial = Trial(started_at=began, ends_at=ends)
    settled = subscription.billed_to
    begins = outset((), version, began, zone, account, policy, trial=trial, settled=settled)
    terms = agreed_terms(version, subscription.currency, account, policy, begins.paid, free=begins.free)
    return tried_until(subscription, begins, trial, terms)


def tried_until(subscription: Subscription, begins: Outset, trial: Trial, terms: Terms) -> Subscription:
    """Answer a subscription on trial with another trial; one that ends on its first day has nothing to bill later.

    What was different about a cycle to come stays so only if that has the same days still.

    Args:
        subscription: Which.
        begins: What it begins with then.
        trial: Its trial.
        terms: What is agreed then.
    """
    over = begins.paid.first_index if begins.paid.start == subscription.segments[0].start else 0
    stay = (one for one in subscription.overrides if _is_the_same(subscription, begins.segments, one.index))
    return attrs.evolve(
        subscription,
        trial=trial,
        segments=begins.segments,
        overrides=tuple(stay),
        terms=terms,
        arrears_to=max(subscription.arrears_to, over),
        usage_to=max(subscription.usage_to, over),
    )


def _is_the_same(subscription: Subscription, segments: tuple[Segment, ...], index: int) -> bool:
    """Tell whether a cycle is settled, or has the same days in other segments."""
    if index < subscription.billed_to:
        return True
    was, now = service_period_of(subscription.segments, index), service_period_of(segments, index)
    return (was.start, was.end) == (now.start, now.end)


def cut_at_trial_end(subscription: Subscription) -> Subscription:
    """Answer a subscription whose trial is followed by a segment of its own, also where a cycle was left whole there.

    Args:
        subscription: One with a trial that isn't over.
    """
    trial, segments = subscription.trial, subscription.segments
    if trial is None or any(one.reason is SegmentReason.TRIAL_END for one in segments):
        return subscription
    begun = cycles_until(subscription, trial.ends_at)
    before = tuple(one for one in segments if one.start_instant <= trial.ends_at)
    cycle, reason = before[-1].cycle, SegmentReason.TRIAL_END
    cut = open_segment(before, cycle, trial.ends_at, first_index=begun, reason=reason)
    return attrs.evolve(subscription, segments=cut)


def cycles_until(subscription: Subscription, ends: datetime) -> int:
    """Count the cycles that a trial has had when it ends at an instant, one at least.

    Args:
        subscription: One with a trial.
        ends: When it ends.
    """
    index = index_at(subscription.segments, ends, moved=subscription.moved) or 0
    begun = index + int(subscription.begins_on(index) < local_date(ends, subscription.zone))
    return max(begun, 1)


# Who may try


@described(data_class="subscription", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class TrialUse:
    """That somebody, or some card, had a trial. Its id is made of both, so that it is known in one look.

    Args:
        id: See ``trial_uses``.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        customer: Who had it.
        subscription: In which subscription.
        at: When it began.
    """

    id: str = attrs.field(metadata=impersonal("a digest"))
    realm: RealmId
    store: StoreId
    version: int = 1
    customer: CustomerId
    subscription: str = attrs.field(metadata=AN_ID)
    at: datetime


TRIALS: Final = Book(name="trial_uses", of=TrialUse, groups={"customer": lambda use: use.customer})


def trial_uses(store: StoreId, customer: CustomerId, fingerprint: str | None, of: str) -> tuple[str, ...]:
    """Answer under which ids trials are remembered: one for the customer, and one for the card.

    Args:
        store: The storefront.
        customer: Who tries.
        fingerprint: What tells the card again, None without one.
        of: What is tried: a plan, or a group of plans.
    """
    who = (f"customer/{customer}", *((f"card/{fingerprint}",) if fingerprint else ()))
    return tuple(hashlib.sha256(f"{store}\0{of}\0{one}".encode()).hexdigest()[:32] for one in who)


def may_try(earlier: Sequence[TrialUse], policy: TrialPolicy, now: datetime) -> bool:
    """Tell whether a trial may begin, after those that the customer or the card had.

    Args:
        earlier: What is remembered of them.
        policy: Whether, and when, somebody may try again.
        now: This instant.

    Raises:
        TrialAlreadyUsed: Not with a trial, and the shop wants that said instead of charging at once.
    """
    again = policy.again_after
    if all(again is not None and use.at + again <= now for use in earlier):
        return True
    if policy.without_if_used:
        return False
    raise TrialAlreadyUsed
