"""Whether a customer may use what a subscription is for.

The rules, in plain English:

* The shop decides on access. This is what it can go by; billing never asks it.
* Who is on trial, and who has paid, may use it. Who hasn't paid may use it for a while longer, counted from the first
  payment that failed, however often it is tried again.
* An end that is planned takes nothing away before it comes, and gives nothing after it, even if nobody has looked yet.
* Who leaves a cycle out, or whose cycle lapsed, has nothing in it.
"""

from datetime import datetime
from enum import Enum

import attrs

from shopaccounts.kernel.time import require_instant
from shopaccounts.subscriptions.billing.bills import is_skipped
from shopaccounts.subscriptions.cycles.segments import end_instant_of, index_at, start_instant_of
from shopaccounts.subscriptions.due import fixed_end
from shopaccounts.subscriptions.guards import Standing, standing_of
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import CycleEnd
from shopaccounts.subscriptions.payments.dunning import grace_ends
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.scheduled import OverrideKind

__all__ = ["Entitlement", "EntitlementReason", "entitlement"]


class EntitlementReason(Enum):
    """Why a customer may use what a subscription is for, or may not."""

    TRIAL = "trial"
    PAID = "paid"
    GRACE = "grace"
    NOT_STARTED = "not_started"
    FIRST_PAYMENT_OPEN = "first_payment_open"
    SKIPPED = "skipped"
    LAPSED = "lapsed"
    GRACE_OVER = "grace_over"
    UNPAID = "unpaid"
    PAUSED = "paused"
    ENDED = "ended"


@attrs.frozen
class Entitlement:
    """What a shop can go by.

    Args:
        granted: Whether the customer may use it.
        until: Until when that holds, as far as is planned now; None for no end that is known.
        reason: Why.
    """

    granted: bool
    until: datetime | None
    reason: EntitlementReason


_NOT_RUNNING = {
    Standing.PENDING: EntitlementReason.NOT_STARTED,
    Standing.INCOMPLETE: EntitlementReason.FIRST_PAYMENT_OPEN,
    Standing.UNPAID: EntitlementReason.UNPAID,
    Standing.PAUSED: EntitlementReason.PAUSED,
    Standing.ENDED: EntitlementReason.ENDED,
}


def entitlement(
    subscription: Subscription, now: datetime, policy: SubscriptionPolicy, *, ended_as: CycleEnd | None = None
) -> Entitlement:
    """Answer whether a customer may use what a subscription is for.

    Args:
        subscription: Which.
        now: This instant.
        policy: How long one may use what isn't paid.
        ended_as: How the cycle that *now* lies in ended, where that is recorded.

    Raises:
        TypeError: *now* has no zone of its own.
    """
    require_instant(now)
    if _has_come(subscription, now):
        return Entitlement(granted=False, until=None, reason=EntitlementReason.ENDED)
    standing = standing_of(subscription)
    if reason := _NOT_RUNNING.get(standing):
        return Entitlement(granted=False, until=_begins(subscription, standing, now), reason=reason)
    if missing := _missing_cycle(subscription, now, ended_as):
        return missing
    if standing is Standing.PAST_DUE:
        return _in_grace(subscription, now, policy)
    reason = EntitlementReason.TRIAL if standing is Standing.TRIALING else EntitlementReason.PAID
    return Entitlement(granted=True, until=_next_stop(subscription, now), reason=reason)


def _has_come(subscription: Subscription, now: datetime) -> bool:
    """Tell whether the planned or agreed end of a subscription has come."""
    planned, agreed = subscription.scheduled.cancel, fixed_end(subscription)
    return any(end <= now for end in (planned.at if planned else None, agreed) if end)


def _begins(subscription: Subscription, standing: Standing, now: datetime) -> datetime | None:
    """Answer when a subscription that doesn't run will run, if that is planned."""
    if standing is Standing.PENDING:
        return subscription.segments[0].start_instant
    if standing is not Standing.PAUSED:
        return None
    resume, pause = subscription.scheduled.resume, subscription.pause
    planned = (resume.at if resume else None, pause.until if pause else None)
    return min((at for at in planned if at and at > now), default=None)


def _missing_cycle(subscription: Subscription, now: datetime, ended_as: CycleEnd | None) -> Entitlement | None:
    """Answer a refusal for as long as the present cycle lasts, if it was left out or lapsed."""
    index = index_at(subscription.segments, now, moved=subscription.moved)
    if index is None:
        return None
    if ended_as is CycleEnd.LAPSED:
        reason = EntitlementReason.LAPSED
    elif ended_as is CycleEnd.SKIPPED or is_skipped(subscription, index):
        reason = EntitlementReason.SKIPPED
    else:
        return None
    until = end_instant_of(subscription.segments, index, moved=subscription.moved)
    return Entitlement(granted=False, until=until, reason=reason)


def _in_grace(subscription: Subscription, now: datetime, policy: SubscriptionPolicy) -> Entitlement:
    since = subscription.past_due.since if subscription.past_due else now  # no recorded failure locks nobody out
    ends = grace_ends(since, policy.dunning)
    if ends <= now:
        return Entitlement(granted=False, until=None, reason=EntitlementReason.GRACE_OVER)
    until = min(filter(None, (ends, _next_stop(subscription, now))))
    return Entitlement(granted=True, until=until, reason=EntitlementReason.GRACE)


def _next_stop(subscription: Subscription, now: datetime) -> datetime | None:
    """Answer when a subscription that runs next stops, as far as is planned: for good, for a pause, for one cycle."""
    cancel, pause = subscription.scheduled.cancel, subscription.scheduled.pause
    skipped = (
        start_instant_of(subscription.segments, each.index, moved=subscription.moved)
        for each in subscription.overrides
        if each.kind is OverrideKind.SKIP
    )
    stops = (cancel.at if cancel else None, fixed_end(subscription), pause.at if pause else None, *skipped)
    return min((at for at in stops if at and at > now), default=None)
