"""Changing what was agreed: now, at the end of a period, or on a day.

The rules, in plain English:

* A change holds at once, or is planned and priced when it comes. One that is planned can be replaced or dropped until
  then. Wishes for one instant are joined: the later one wins for the same aspect of the same line.
* The shop's people may date a change back to the beginning of the running period, but not before the last change.
* Who changes now what was planned to change, means now: the plan is dropped.
* A planned change waits for the end of what is paid, also where that was moved meanwhile. One that can't be made any
  more is dropped, and told.
* What hasn't begun, rests or is on trial is changed without money.
* There may be so many changes in a day.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.errors import InvalidInput, Rejected
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.time import local_date, start_of_day
from shopaccounts.subscriptions.changing.quoting import ChangeQuote, ChangeWarning, default_preset, quote_change
from shopaccounts.subscriptions.changing.told import events_of, told_of_billing_day
from shopaccounts.subscriptions.changing.wishes import applied, merged, period_on
from shopaccounts.subscriptions.cycles.schedules import BillingDay, SegmentReason
from shopaccounts.subscriptions.cycles.segments import segment_of, start_instant_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import (
    BackdatedTooFar,
    CancellationScheduled,
    ChangeLimitReached,
    NothingToChange,
)
from shopaccounts.subscriptions.events import ChangeScheduled, ScheduledChangeDropped
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.lifecycle.regrouping import moved_to, on_the_same_anchor, regrouped
from shopaccounts.subscriptions.lifecycle.trials import cut_at_trial_end
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.offers import Alignment
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.scheduled import ChangeAt, Wish
from shopaccounts.subscriptions.states import Lifecycle

__all__ = [
    "When",
    "change",
    "change_due",
    "change_without_money",
    "drop_change",
    "end_of_paid_time",
    "move_billing_day",
    "require_below_limit",
]


class When(Enum):
    """When a change holds: today, or where what is paid ends."""

    NOW = "now"
    AT_PERIOD_END = "at_period_end"


_FURTHEST: Final = timedelta(days=366)
_ONE_DAY: Final = timedelta(days=1)


def end_of_paid_time(subscription: Subscription) -> datetime:
    """Answer when the next cycle begins that isn't billed yet."""
    return start_instant_of(subscription.segments, subscription.billed_to, moved=subscription.moved)


def change(
    subscription: Subscription,
    facts: Facts,
    wishes: Sequence[Wish],
    preset: Preset | None,
    when: date | When | None,
    policy: SubscriptionPolicy,
    now: datetime,
    *,
    by_shop: bool = False,
) -> ChangeQuote:
    """Change a subscription that runs, or plan it; the quote has the decision.

    Args:
        subscription: Which.
        facts: What is known besides.
        wishes: What is wanted.
        preset: How it is priced; None for the shop's way. AT_PERIOD_END plans it for the end of what is paid.
        when: On which local day, now, or at the end of what is paid; None for what goes with the price.
        policy: How the shop bills.
        now: This instant.
        by_shop: Whether the shop's people do it, who may date it back.

    Raises:
        NothingToChange: All is so already.
        BackdatedTooFar: The day lies before the first possible one.
        ChangeLimitReached: There were so many changes today.
        CancellationScheduled: It ends before.
        Rejected: As ``quote_change`` says.
    """
    today = local_date(now, subscription.zone)
    require_below_limit(subscription, today, policy)
    on = today if when is When.NOW else when if isinstance(when, date) else None
    _require_possible(subscription, on, today, by_shop=by_shop)
    day = on or today
    how = preset or (Preset.AT_PERIOD_END if when is When.AT_PERIOD_END else None)
    if (how is Preset.AT_PERIOD_END and on) or (how is not Preset.AT_PERIOD_END and when is When.AT_PERIOD_END):
        raise InvalidInput(field="when", reason="contradiction")
    if how is None:
        how = default_preset(subscription, applied(subscription, wishes, day), wishes, day, policy)
        how = Preset.PRORATE_NOW if on and how is Preset.AT_PERIOD_END else how
    if how is not Preset.AT_PERIOD_END and day <= today:
        quoted = quote_change(subscription, facts, wishes, how, policy, now, day=day)
        return _with(quoted, _without_planned(quoted.decision.subscription, wishes, now))
    at = end_of_paid_time(subscription) if how is Preset.AT_PERIOD_END else start_of_day(day, subscription.zone)
    return _planned(subscription, facts, wishes, how, at, policy, now)


def require_below_limit(subscription: Subscription, today: date, policy: SubscriptionPolicy) -> None:
    """Refuse one more change than there may be in a day.

    Raises:
        ChangeLimitReached: There were so many.
    """
    most = policy.changes.max_changes_per_day
    if sum(day == today for day in subscription.changed_on) >= most:
        raise ChangeLimitReached(limit=most, available_on=today + _ONE_DAY)


def _require_possible(subscription: Subscription, on: date | None, today: date, *, by_shop: bool) -> None:
    if on is None or on == today:
        return
    if on > today + _FURTHEST:
        raise InvalidInput(field="when", reason="range")
    begun = period_on(subscription, today).start
    earliest = max((begun, *subscription.changed_on[-1:])) if by_shop else today
    if on < earliest:
        raise BackdatedTooFar(earliest=earliest)


def _with(quoted: ChangeQuote, more: Decision) -> ChangeQuote:
    return attrs.evolve(quoted, decision=quoted.decision.then(more))


def _without_planned(subscription: Subscription, wishes: Sequence[Wish], now: datetime) -> Decision:
    """Drop what was planned for the same aspects of the same lines."""
    planned = subscription.scheduled.change
    if planned is None:
        return Decision(subscription=subscription)
    done = {(wish.key, wish.aspect) for wish in wishes}
    left = tuple(wish for wish in planned.wishes if (wish.key, wish.aspect) not in done)
    if left == planned.wishes:
        return Decision(subscription=subscription)
    if not left:
        return _dropped(subscription, now)
    rest = attrs.evolve(planned, wishes=left)
    return Decision(
        subscription=attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, change=rest))
    )


def _planned(
    subscription: Subscription,
    facts: Facts,
    wishes: Sequence[Wish],
    preset: Preset,
    at: datetime,
    policy: SubscriptionPolicy,
    now: datetime,
) -> ChangeQuote:
    """Plan a change, joined with what is planned for the same instant already."""
    cancel, planned = subscription.scheduled.cancel, subscription.scheduled.change
    if cancel is not None and cancel.at <= at:
        raise CancellationScheduled(at=cancel.at)
    if planned is not None and planned.at == at:
        wishes = merged(planned.wishes, wishes)
    quoted = quote_change(subscription, facts, wishes, preset, policy, at)
    return attrs.evolve(
        quoted,
        invoice_now=(),
        warnings=(ChangeWarning.PRICED_WHEN_IT_COMES, *quoted.warnings),
        decision=_kept_for(subscription, wishes, preset, at, now),
    )


def drop_change(subscription: Subscription, now: datetime) -> Decision:
    """Drop the change that is planned.

    Raises:
        NothingToChange: None is.
    """
    if subscription.scheduled.change is None:
        raise NothingToChange
    return _dropped(subscription, now)


def _dropped(subscription: Subscription, at: datetime) -> Decision:
    planned = subscription.scheduled.change
    told = (
        ()
        if planned is None
        else (
            ScheduledChangeDropped(
                at=at,
                account=subscription.customer,
                subscription=subscription.id,
                kind="change",
                takes_effect_at=planned.at,
            ),
        )
    )
    return Decision(subscription=_unplanned(subscription), events=told)


def _unplanned(subscription: Subscription) -> Subscription:
    return attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, change=None))


def change_due(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Make a change that was planned, at the price of the instant for which it was planned.

    Args:
        subscription: Whose time for it has come.
        at: That instant.
        facts: The invoices of which something is given back, and what waits.
        policy: How the shop bills.
    """
    planned = subscription.scheduled.change
    if planned is None:
        return Decision(subscription=subscription)
    preset = Preset(planned.preset)
    if preset is Preset.AT_PERIOD_END and (end := end_of_paid_time(subscription)) > at:
        later = attrs.evolve(planned, at=end)
        return Decision(
            subscription=attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, change=later))
        )
    try:
        if subscription.lifecycle is not Lifecycle.ACTIVE:
            return change_without_money(_unplanned(subscription), planned.wishes, policy, at)
        return quote_change(_unplanned(subscription), facts, planned.wishes, preset, policy, at).decision
    except Rejected:
        return _dropped(subscription, at)


def change_without_money(
    subscription: Subscription, wishes: Sequence[Wish], policy: SubscriptionPolicy, at: datetime
) -> Decision:
    """Change a subscription for which nothing is billed now: one that rests, hasn't begun, or is on trial.

    Args:
        subscription: Which.
        wishes: What is wanted; a plan of another frequency is another matter.
        policy: How the shop bills.
        at: This instant.

    Raises:
        NothingToChange: All is so already.
        Rejected: As ``applied`` says.
    """
    day = policy.proration.first_unused(local_date(at, subscription.zone))
    after = applied(subscription, wishes, day, at)
    cycle = segment_of(subscription.segments, subscription.billed_to).cycle
    interval = after.terms.phases[-1].interval
    told: tuple[Event, ...] = ()
    if subscription.lifecycle is Lifecycle.PAUSED and interval != cycle.interval:
        end = end_of_paid_time(subscription)
        if end > at:
            return _kept_for(subscription, wishes, Preset.AT_PERIOD_END, end, at)
        steps = on_the_same_anchor(cycle, interval)
        after, told = regrouped(after, steps, at, subscription.billed_to, SegmentReason.RESUME, told_at=at)
    most = policy.changes.max_changes_per_day
    after = attrs.evolve(
        after,
        change_seq=subscription.change_seq + 1,
        changed_on=(*subscription.changed_on, local_date(at, subscription.zone))[-most:],
    )
    return Decision(subscription=after, events=(*events_of(subscription, after, day, at), *told))


def _kept_for(
    subscription: Subscription, wishes: Sequence[Wish], preset: Preset, at: datetime, now: datetime
) -> Decision:
    """Keep wishes for the instant for which they are."""
    change_at = ChangeAt(at=at, wishes=tuple(wishes), preset=preset.value)
    later = attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, change=change_at))
    told = ChangeScheduled(at=now, account=later.customer, subscription=later.id, kind="change", takes_effect_at=at)
    return Decision(subscription=later, events=(told,))


def move_billing_day(
    subscription: Subscription, day: BillingDay, policy: SubscriptionPolicy, now: datetime
) -> Decision:
    """Move the billing day: from the end of what is paid on, with a stub of the new cycles up to the first new day.

    Args:
        subscription: Which.
        day: On which day cycles begin.
        policy: How the shop bills.
        now: This instant.

    Raises:
        NothingToChange: It is the billing day already.
        BadPlan: The day doesn't suit the interval.
    """
    index = subscription.billed_to
    if subscription.trial is not None and subscription.lifecycle in {Lifecycle.PENDING, Lifecycle.TRIALING}:
        subscription = cut_at_trial_end(subscription)
        index = subscription.paid_from
    terms = attrs.evolve(subscription.terms, billing_day=day, alignment=Alignment.SUBSCRIPTION)
    cycle = moved_to(subscription, index, day, policy)
    begins = start_instant_of(subscription.segments, index, moved=subscription.moved)
    later = attrs.evolve(subscription, terms=terms, change_seq=subscription.change_seq + 1)
    after, told = regrouped(later, cycle, begins, index, SegmentReason.BILLING_DAY, told_at=now)
    return Decision(subscription=after, events=(told_of_billing_day(after, now), *told))
