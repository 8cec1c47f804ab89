"""When a subscription next wants work, and what for.

The rules, in plain English:

* What is due is computed from the facts alone: from where cycles count, up to where they are billed, what is planned.
  Nothing ever asks when it was due last.
* What is due stays due. A day on which nobody looked is made up for, in the order in which things should have happened.
* At one instant a subscription begins or ends first, then it changes, pauses, resumes, leaves its trial, and is billed
  last: whoever has cancelled by then is not billed.
* A cycle of a trial is due when it begins. What is paid for after it is not due before the trial has ended, nor is a
  cycle that is free in part.
* A cycle is due in advance when it begins, or some days before; in arrears when it has ended; and its usage a while
  later, when it has been reported. After the last bill of usage it is asked once more what was reported late.
* A subscription that waits for the shop's decision, and one that has ended, want nothing.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import IntEnum, unique

import attrs

from shopaccounts.kernel.time import instant_of, local_date
from shopaccounts.subscriptions.charges.period_lines import is_in_arrears
from shopaccounts.subscriptions.cycles.segments import delay_of, due_in_advance, due_in_arrears, start_instant_of
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.offers import AfterPrepaid, Goods
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import ENDED, Collection, Lifecycle

__all__ = [
    "Due",
    "What",
    "arrears_due",
    "fixed_end",
    "is_last_usage",
    "last_day",
    "next_due",
    "projected",
    "renewal_due",
    "stops_before",
    "usage_due",
    "usage_end",
    "waiting_for",
]


@unique
class What(IntEnum):
    """What is due, in the order in which it happens at one instant."""

    GIVE_UP_FIRST_PAYMENT = 1
    START = 2
    END = 3
    CHANGE = 4
    PAUSE = 5
    RESUME = 6
    LEAVE_TRIAL = 7
    END_GRACE = 8
    RENEW = 9
    BILL_PAST = 10
    LATE_USAGE = 11


@attrs.frozen(order=True)
class Due:
    """Something that is due from ``at`` on, for ever."""

    at: datetime
    what: What


def next_due(subscription: Subscription, policy: SubscriptionPolicy) -> Due | None:
    """Answer what a subscription wants next; None if it wants nothing.

    Args:
        subscription: Which.
        policy: How the shop bills.
    """
    if subscription.hold is not None:
        return None
    if subscription.lifecycle in ENDED:
        return min(_left(subscription, policy), default=None)
    return min(_wanted(subscription, policy), default=None)


def _left(subscription: Subscription, policy: SubscriptionPolicy) -> Iterator[Due]:
    if (last := _usage_left(subscription, policy)) is not None:
        yield last
    if subscription.late_usage_at:
        yield Due(subscription.late_usage_at, What.LATE_USAGE)


def is_last_usage(subscription: Subscription, policy: SubscriptionPolicy) -> bool:
    """Tell whether no further bill of usage can be foreseen: it has ended, rests, or has nothing metered any more.

    Args:
        subscription: Which, as it is after a bill of usage.
        policy: How the shop bills.
    """
    if subscription.lifecycle in ENDED:
        return _usage_left(subscription, policy) is None
    return usage_due(subscription, policy) is None


def _usage_left(subscription: Subscription, policy: SubscriptionPolicy) -> Due | None:
    """Answer when the last usage of a subscription that has ended is reported."""
    over, at = subscription.ended_at, usage_due(subscription, policy)
    if over is None or at is None or subscription.lifecycle is Lifecycle.INCOMPLETE_EXPIRED:
        return None
    begins = start_instant_of(subscription.segments, subscription.usage_to, moved=subscription.moved)
    return Due(at, What.BILL_PAST) if begins < over else None


def projected(subscription: Subscription, policy: SubscriptionPolicy) -> Subscription:
    """Answer the subscription with the time at which it next wants work, so that a worker finds it."""
    return waiting_for(subscription, next_due(subscription, policy))


def waiting_for(subscription: Subscription, due: Due | None) -> Subscription:
    """Answer the subscription with the time of what it wants next."""
    at = due.at if due else None
    return subscription if subscription.due_at == at else subscription.but(due_at=at)


def _wanted(subscription: Subscription, policy: SubscriptionPolicy) -> Iterator[Due]:
    yield from _ending(subscription)
    match subscription.lifecycle:
        case Lifecycle.PENDING:
            yield Due(subscription.segments[0].start_instant, What.START)
        case Lifecycle.INCOMPLETE:
            if subscription.first_payment_by:
                yield Due(subscription.first_payment_by, What.GIVE_UP_FIRST_PAYMENT)
        case _:
            yield from _running(subscription, policy)


def _ending(subscription: Subscription) -> Iterator[Due]:
    if subscription.scheduled.cancel:
        yield Due(subscription.scheduled.cancel.at, What.END)
    if (fixed := fixed_end(subscription)) is not None:
        yield Due(fixed, What.END)


def _running(subscription: Subscription, policy: SubscriptionPolicy) -> Iterator[Due]:
    planned, lifecycle, past_due = subscription.scheduled, subscription.lifecycle, subscription.past_due
    if planned.change:
        yield Due(planned.change.at, What.CHANGE)
    if planned.pause:
        yield Due(planned.pause.at, What.PAUSE)
    if past_due and not past_due.grace_told:
        yield Due(past_due.since + policy.dunning.grace, What.END_GRACE)
    if lifecycle is Lifecycle.TRIALING and subscription.trial:
        yield Due(subscription.trial.ends_at, What.LEAVE_TRIAL)
    if lifecycle is Lifecycle.PAUSED:
        yield from _resuming(subscription)
    if subscription.late_usage_at:
        yield Due(subscription.late_usage_at, What.LATE_USAGE)
    yield from _billing(subscription, policy)


def _resuming(subscription: Subscription) -> Iterator[Due]:
    if subscription.scheduled.resume:
        yield Due(subscription.scheduled.resume.at, What.RESUME)
    if subscription.pause and subscription.pause.until:
        yield Due(subscription.pause.until, What.RESUME)


def renewal_due(subscription: Subscription, policy: SubscriptionPolicy) -> datetime | None:
    """Answer when the next cycle is billed that is paid in advance; None while none is."""
    if not _renews(subscription, policy) or stops_before(subscription):
        return None
    tried = subscription.lifecycle is Lifecycle.TRIALING
    delay = delay_of(subscription.account, policy.running.spread)
    at = due_in_advance(
        subscription.segments,
        subscription.billed_to,
        moved=subscription.moved,
        bill_ahead=timedelta(days=0 if tried else policy.running.bill_ahead_days),
        delay=delay,
    )
    trial = subscription.trial
    if trial is None or at >= trial.ends_at + delay or subscription.billed_to < subscription.paid_from:
        return at
    return trial.ends_at + delay


def stops_before(subscription: Subscription) -> bool:
    """Tell whether the subscription ends or pauses before its next cycle begins, or on its first day."""
    pause, last = subscription.scheduled.pause, last_day(subscription)
    if pause is None and last is None:
        return False
    begins = start_instant_of(subscription.segments, subscription.billed_to, moved=subscription.moved)
    if pause is not None and begins >= pause.at:
        return True
    return last is not None and local_date(begins, subscription.zone) >= last


def last_day(subscription: Subscription) -> date | None:
    """Answer the day from which on a subscription isn't served any more, if one is planned or reached."""
    fixed, cancel = _fixed_day(subscription), subscription.scheduled.cancel
    at = subscription.ended_at or (cancel.at if cancel else None)
    if at is None:
        return fixed
    ends = local_date(at, subscription.zone)
    return ends if fixed is None else min(ends, fixed)


def fixed_end(subscription: Subscription) -> datetime | None:
    """Answer when a subscription of a fixed length ends by itself; None for one that goes on."""
    last = _fixed_day(subscription)
    if last is None:
        return None
    anchor = subscription.segments[-1].cycle.anchor
    return instant_of(last, anchor.at, anchor.zone)


def _fixed_day(subscription: Subscription) -> date | None:
    """Answer the day on which all is over that was agreed, or paid at once without anything to follow."""
    last, run = subscription.terms.phases[-1].end, subscription.prepaid
    if run is None or run.option.after is not AfterPrepaid.EXPIRE or run.until == run.first:
        return last
    ends = subscription.begins_on(run.until)
    return ends if last is None else min(ends, last)


def arrears_due(subscription: Subscription, policy: SubscriptionPolicy) -> datetime | None:
    """Answer when the next cycle has ended that is paid in arrears; None where nothing is."""
    if not _has_arrears(subscription):
        return None
    delay = delay_of(subscription.account, policy.running.spread)
    return due_in_arrears(subscription.segments, subscription.arrears_to, moved=subscription.moved, delay=delay)


def _has_arrears(subscription: Subscription) -> bool:
    """Tell whether anything is paid in arrears; of a paused subscription, whether anything was used before."""
    if any(is_in_arrears(cut.line) for cut in subscription.cut):
        return True
    runs = subscription.lifecycle is not Lifecycle.PAUSED
    return runs and (subscription.terms.minimum is not None or any(map(is_in_arrears, subscription.lines)))


def usage_due(subscription: Subscription, policy: SubscriptionPolicy) -> datetime | None:
    """Answer when the usage of the next cycle has been reported; None where nothing is metered."""
    metered = subscription.lines if subscription.lifecycle is not Lifecycle.PAUSED else ()
    if not (any(line.meter for line in metered) or any(cut.line.meter for cut in subscription.cut)):
        return None
    return due_in_arrears(
        subscription.segments,
        subscription.usage_to,
        moved=subscription.moved,
        end=usage_end(subscription),
        usage_grace=policy.usage.usage_grace,
        delay=delay_of(subscription.account, policy.running.spread),
    )


def usage_end(subscription: Subscription) -> date | None:
    """Answer the day before which the last usage of a subscription that has ended lies; None while it runs.

    Who leaves within a day has used something on it.
    """
    over = subscription.ended_at
    if over is None:
        return None
    anchor = subscription.segments[-1].cycle.anchor
    day = local_date(over, anchor.zone)
    return day if instant_of(day, anchor.at, anchor.zone) >= over else day + timedelta(days=1)


def _billing(subscription: Subscription, policy: SubscriptionPolicy) -> Iterator[Due]:
    if (renews := renewal_due(subscription, policy)) is not None:
        yield Due(renews, What.RENEW)
    for ended in (arrears_due(subscription, policy), usage_due(subscription, policy)):
        if ended is not None:
            yield Due(ended, What.BILL_PAST)


def _renews(subscription: Subscription, policy: SubscriptionPolicy) -> bool:
    """Tell whether the next cycle is billed when it begins; a trial is billed as any other phase, where it costs."""
    if subscription.lifecycle is Lifecycle.TRIALING:
        return subscription.billed_to < subscription.paid_from
    if subscription.lifecycle is not Lifecycle.ACTIVE:
        return False
    ships = subscription.terms.goods is Goods.PHYSICAL
    return subscription.collection is Collection.OK or policy.dunning.renews_while_past_due(ships=ships)
