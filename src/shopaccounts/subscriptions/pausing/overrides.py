"""What is different about single cycles, and which cycles are left out.

The rules, in plain English:

* Something can be different about a cycle that is to come and isn't billed, up to twelve cycles ahead and until its
  cut-off: local midnight, so many days before it begins; for boxes no later than those are packed.
* A cycle that begins when the subscription is over isn't any, and nothing is different about it.
* Who leaves a cycle out isn't billed for it, has nothing in it, and keeps the billing day. There may be so many in a
  row, and so many in a year; what is taken back doesn't count.
* What was different about a cycle is remembered for a year, since it counts toward the limits, and then forgotten.
"""

from datetime import date, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.time import local_date, start_of_day
from shopaccounts.subscriptions.billing.bills import is_skipped
from shopaccounts.subscriptions.cycles.schedules import require_index
from shopaccounts.subscriptions.cycles.segments import segment_of, start_instant_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import fixed_end
from shopaccounts.subscriptions.errors import (
    CancellationScheduled,
    CutOffPassed,
    CycleAlreadyBilled,
    NothingToChange,
    SkipLimitReached,
)
from shopaccounts.subscriptions.events import CycleEdited, CycleSkipped, CycleUnskipped
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.offers import Goods
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.pausing import SkipPolicy
from shopaccounts.subscriptions.scheduled import Override, OverrideKind

__all__ = [
    "cut_off_of_cycle",
    "override_of",
    "require_not_over",
    "require_open",
    "skip_cycle",
    "told_of",
    "unskip_cycle",
    "with_override",
    "without_override",
]

_YEAR: Final = timedelta(days=365)


def cut_off_of_cycle(subscription: Subscription, index: int, policy: SubscriptionPolicy) -> datetime:
    """Answer until when something can be different about a cycle, that instant excluded.

    Args:
        subscription: Whose.
        index: Which cycle.
        policy: How many days before it begins.
    """
    terms, days = subscription.terms, policy.skipping.cut_off_days_digital
    if terms.goods is Goods.PHYSICAL:
        days = policy.skipping.cut_off_days_physical
    if terms.deliveries is not None:
        days = max(days, terms.deliveries.cut_off_days)
    return start_of_day(subscription.begins_on(index) - timedelta(days=days), subscription.zone)


def require_open(
    subscription: Subscription, index: int, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> None:
    """Refuse to have something different about a cycle that is settled, too far ahead, or won't come.

    Raises:
        InvalidInput: There is no such cycle, or it is too far ahead.
        CycleAlreadyBilled: It is billed.
        CancellationScheduled: The subscription ends first.
        CutOffPassed: It is too late.
    """
    require_index(index)
    if index < 0 or index - subscription.billed_to >= policy.skipping.furthest_ahead:
        raise InvalidInput(field="index", reason="range")
    if index < subscription.billed_to:
        raise CycleAlreadyBilled(_invoice_of(subscription, index, facts))
    require_not_over(subscription, index)
    if now >= (cut_off := cut_off_of_cycle(subscription, index, policy)):
        raise CutOffPassed(cut_off)


def require_not_over(subscription: Subscription, index: int) -> None:
    """Refuse a cycle that won't come.

    Raises:
        CancellationScheduled: The subscription ends before it begins, or with it.
    """
    begins = start_instant_of(subscription.segments, index, moved=subscription.moved)
    cancel = subscription.scheduled.cancel
    ends = [stop for stop in (cancel.at if cancel else None, fixed_end(subscription)) if stop]
    if ends and min(ends) <= begins:
        raise CancellationScheduled(at=min(ends))


def _invoice_of(subscription: Subscription, index: int, facts: Facts) -> str:
    """Answer the invoice of a cycle, if it is one of the time that isn't over."""
    for invoice in facts.invoices.values():
        cycles = (line.cycle for line in invoice.lines)
        if any(each and each.subscription == subscription.id and each.index == index for each in cycles):
            return invoice.id
    return ""


def override_of(subscription: Subscription, index: int, kind: OverrideKind) -> Override | None:
    """Answer what is different about a cycle in one way, if it is."""
    return next((each for each in subscription.overrides if each.index == index and each.kind is kind), None)


def without_override(subscription: Subscription, gone: Override | None) -> Subscription:
    """Answer a subscription that has one override less."""
    return attrs.evolve(subscription, overrides=tuple(each for each in subscription.overrides if each != gone))


def with_override(subscription: Subscription, new: Override) -> Subscription:
    """Answer a subscription with one more override, in their order, and without those that nobody asks for any more."""
    stays = (each for each in subscription.overrides if (each.index, each.kind) != (new.index, new.kind))
    run = subscription.prepaid
    next_one = min(subscription.billed_to, run.first) if run else subscription.billed_to
    first = next_one - 2  # of the cycle before this one something may still be billed
    kept = [each for each in stays if each.index >= first or each.made_on > new.made_on - _YEAR]
    ordered = sorted([*kept, new], key=lambda each: (each.index, each.kind.value))
    return attrs.evolve(subscription, overrides=tuple(ordered))


def told_of(
    kind: type[CycleSkipped | CycleUnskipped | CycleEdited], subscription: Subscription, index: int, now: datetime
) -> CycleSkipped | CycleUnskipped | CycleEdited:
    """Answer the event of one cycle."""
    return kind(
        at=now,
        account=subscription.customer,
        subscription=subscription.id,
        segment=segment_of(subscription.segments, index).number,
        index=index,
    )


def skip_cycle(
    subscription: Subscription, index: int, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Decision:
    """Leave one cycle out.

    Args:
        subscription: Whose.
        index: Which cycle.
        now: This instant.
        facts: The invoices of the time that isn't over.
        policy: How many may be left out, and until when.

    Raises:
        InvalidInput: There is no such cycle, or it is too far ahead.
        CycleAlreadyBilled: It is billed.
        CancellationScheduled: The subscription ends first.
        CutOffPassed: It is too late.
        NothingToChange: It is left out already.
        SkipLimitReached: There are too many in a row, or in a year.
    """
    require_open(subscription, index, now, facts, policy)
    if is_skipped(subscription, index):
        raise NothingToChange
    today = local_date(now, subscription.zone)
    _require_few(subscription, today, policy.skipping)
    _require_apart(subscription, index, policy.skipping)
    without = with_override(subscription, Override(kind=OverrideKind.SKIP, index=index, made_on=today))
    return Decision(subscription=without, events=(told_of(CycleSkipped, without, index, now),))


def _require_few(subscription: Subscription, today: date, policy: SkipPolicy) -> None:
    most = policy.max_skips_per_year
    made = sorted(each.made_on for each in subscription.overrides if each.kind is OverrideKind.SKIP)
    recent = [day for day in made if day > today - _YEAR]
    if len(recent) >= most:
        raise SkipLimitReached(limit=most, available_on=recent[-most] + _YEAR if most else date.max)


def _require_apart(subscription: Subscription, index: int, policy: SkipPolicy) -> None:
    """Refuse too many in a row, and say which cycle is the next that could be left out."""
    most = policy.max_successive_skips
    skipped = {each.index for each in subscription.overrides if each.kind is OverrideKind.SKIP}
    if _in_a_row(skipped, index) <= most:
        return
    following = range(index + 1, index + len(skipped) + 3)
    possible = next((each for each in following if each not in skipped and _in_a_row(skipped, each) <= most), None)
    available = date.max if possible is None else subscription.begins_on(possible)
    raise SkipLimitReached(limit=most, available_on=available)


def _in_a_row(skipped: set[int], index: int) -> int:
    """Count how many cycles in a row are left out, if one more is."""
    first = last = index
    while first - 1 in skipped:
        first -= 1
    while last + 1 in skipped:
        last += 1
    return last - first + 1


def unskip_cycle(
    subscription: Subscription, index: int, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Decision:
    """Take back that a cycle is left out.

    Args:
        subscription: Whose.
        index: Which cycle.
        now: This instant.
        facts: The invoices of the time that isn't over.
        policy: Until when that is possible.

    Raises:
        InvalidInput: There is no such cycle.
        CycleAlreadyBilled: It has passed, or is settled.
        CancellationScheduled: The subscription ends first.
        CutOffPassed: It is too late.
        NothingToChange: It isn't left out.
    """
    require_open(subscription, index, now, facts, policy)
    gone = override_of(subscription, index, OverrideKind.SKIP)
    if gone is None:
        raise NothingToChange
    after = without_override(subscription, gone)
    return Decision(subscription=after, events=(told_of(CycleUnskipped, after, index, now),))
