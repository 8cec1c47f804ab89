"""Taking a paused subscription up again.

The rules, in plain English:

* A subscription keeps its billing day, begins anew that day, or gets first the days that were left: the shop's choice.
  Who comes back within the paid time pays nothing, unless it was credited.
* Who gets the days that were left, gets exactly those: the cycle that was interrupted ends so many days later.
* Cycles that were paid ahead and hadn't begun aren't lost: where days are given after the pause, they move by as many,
  and where cycles begin anew, they are the first ones.
* A trial that waits for a payment method begins to be paid for on the day on which it is there.
* Where cycles count anew, what was different about later ones is dropped, and told.
* A pause that reaches the longest that the shop allows ends by itself, or ends the subscription; one that has an end of
  its own just ends.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

import attrs

from shopaccounts.kernel.cycles import Anchor, Cycle
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.time import instant_of, local_date
from shopaccounts.subscriptions.charges.period_lines import is_in_arrears
from shopaccounts.subscriptions.cycles.schedules import SegmentReason
from shopaccounts.subscriptions.cycles.segments import end_instant_of, index_at
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import NotPaused, PaymentMethodNeeded
from shopaccounts.subscriptions.events import ChangeScheduled, SubscriptionResumed
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.lifecycle.ending import end
from shopaccounts.subscriptions.lifecycle.regrouping import regrouped
from shopaccounts.subscriptions.model import LiveInvoice, Pause, PauseReason, Subscription
from shopaccounts.subscriptions.pausing.overrides import with_override
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.pausing import AtLimit, OnResume, PausePolicy
from shopaccounts.subscriptions.scheduled import Override, OverrideKind, ResumeAt
from shopaccounts.subscriptions.states import Lifecycle, Trigger, moved

__all__ = ["anchored_on", "lasting_until", "paid_until_of", "resume", "resume_due", "resume_now", "since_day"]


def resume(
    subscription: Subscription, at: datetime | None, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Decision:
    """Take a paused subscription up again, now or at a later time; what is planned already is told once.

    Args:
        subscription: One that is paused.
        at: When; None for now.
        now: This instant.
        facts: Whether there is a payment method.
        policy: From where on it counts.

    Raises:
        NotPaused: It isn't paused.
        PaymentMethodNeeded: Its trial ended, and it waits for a payment method.
        InvalidInput: *at* is in the past, or after the end of the pause.
    """
    rests = subscription.pause
    if subscription.lifecycle is not Lifecycle.PAUSED or rests is None:
        raise NotPaused
    if rests.reason is PauseReason.TRIAL and not facts.has_method:
        raise PaymentMethodNeeded
    if at is None or at == now:
        return resume_now(subscription, now, policy)
    if at < now or (rests.until and at > rests.until):
        raise InvalidInput(field="at", reason="range")
    if (planned := ResumeAt(at=at)) == subscription.scheduled.resume:
        return Decision(subscription=subscription)
    later = attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, resume=planned))
    told = ChangeScheduled(at=now, account=later.customer, subscription=later.id, kind="resume", takes_effect_at=at)
    return Decision(subscription=later, events=(told,))


def resume_due(subscription: Subscription, at: datetime, _: Facts, policy: SubscriptionPolicy) -> Decision:
    """End a pause whose time is over."""
    planned, rests = subscription.scheduled.resume, subscription.pause
    at_limit = rests is not None and rests.left_open and (planned is None or planned.at > at)
    if at_limit and policy.pausing.at_limit is AtLimit.CANCEL:
        return end(subscription, at, Trigger.CANCELED, policy, reason="pause_limit")
    return resume_now(subscription, at, policy)


def resume_now(subscription: Subscription, at: datetime, policy: SubscriptionPolicy) -> Decision:
    """Take a paused subscription up again at an instant.

    Args:
        subscription: One that is paused.
        at: When.
        policy: From where on it counts.

    Raises:
        NotPaused: It isn't paused.
    """
    rests = subscription.pause
    if rests is None:
        raise NotPaused
    on, zone = local_date(at, subscription.zone), subscription.zone
    again = max(on, policy.proration.first_unused(local_date(rests.since, zone)))
    counted, told = _counted_again(subscription, rests, at, again, policy)
    runs = attrs.evolve(
        since_day(counted, again),
        lifecycle=moved(subscription.lifecycle, Trigger.RESUMED),
        pause=None,
        resumed_on=on if rests.reason is PauseReason.ASKED else subscription.resumed_on,
        scheduled=attrs.evolve(subscription.scheduled, resume=None),
    )
    resumed = SubscriptionResumed(at=at, account=runs.customer, subscription=runs.id)
    return Decision(subscription=runs, events=(*told, resumed))


def _counted_again(
    subscription: Subscription, rests: Pause, at: datetime, again: date, policy: SubscriptionPolicy
) -> tuple[Subscription, tuple[Event, ...]]:
    """Answer from where on cycles count after a pause, and what of later cycles is dropped for it."""
    grid = _grid(subscription, at)
    paid_until = paid_until_of(subscription)
    unpaid = instant_of(again, grid.anchor.at, grid.anchor.zone) if again > local_date(at, subscription.zone) else at
    begins, cycle, reason = unpaid, grid, SegmentReason.RESUME
    ahead = _paid_ahead(subscription, rests)
    put_off: dict[int, date] = {}
    match _how(rests, policy.pausing):
        case OnResume.KEEP_ANCHOR:
            if at < paid_until and not rests.credited:
                return subscription, ()
            begins = unpaid if rests.credited else at
        case OnResume.REANCHOR:
            cycle = anchored_on(grid, local_date(begins, subscription.zone))
            if ahead:
                put_off = {index: cycle.boundary(place) for place, index in enumerate(ahead)}
                begins, reason = cycle.boundary_instant(len(ahead)), SegmentReason.EXTENSION
        case OnResume.EXTEND:
            first = again + timedelta(days=rests.days_left)
            if not rests.credited and first == local_date(paid_until, subscription.zone):
                return subscription, ()
            cycle = anchored_on(grid, first)
            begins = max(unpaid, instant_of(first, grid.anchor.at, grid.anchor.zone))
            reason = SegmentReason.EXTENSION if rests.days_left else reason
            later = first - local_date(paid_until, subscription.zone)
            put_off = {index: subscription.begins_on(index) + later for index in ahead}
    return _from(_beginning_on(subscription, put_off, again), cycle, begins, at, reason)


def _paid_ahead(subscription: Subscription, rests: Pause) -> range:
    """Answer the cycles that were paid when a pause began and hadn't begun, unless they were credited."""
    running = index_at(subscription.segments, rests.since, moved=subscription.moved)
    first = 0 if running is None else running + 1
    return range(first, first if rests.credited else subscription.billed_to)


def _beginning_on(subscription: Subscription, days: Mapping[int, date], made_on: date) -> Subscription:
    """Answer a subscription of which some cycles begin on other days."""
    for index, day in days.items():
        move = Override(kind=OverrideKind.MOVE, index=index, on=day, made_on=made_on)
        subscription = with_override(subscription, move)
    return subscription


def _how(rests: Pause, policy: PausePolicy) -> OnResume:
    return OnResume.REANCHOR if rests.reason is PauseReason.TRIAL else policy.on_resume


def _grid(subscription: Subscription, at: datetime) -> Cycle:
    """Answer the cycle of the next bill: that of what was billed last, or of a phase that has begun since."""
    index = subscription.billed_to
    begun = [one for one in subscription.segments if one.first_index <= index or one.start_instant <= at]
    return begun[-1].cycle


def _from(
    subscription: Subscription, cycle: Cycle, begins: datetime, at: datetime, reason: SegmentReason
) -> tuple[Subscription, tuple[Event, ...]]:
    """Answer a subscription whose next cycle begins at an instant, in a segment of its own."""
    index = subscription.billed_to
    was = local_date(paid_until_of(subscription), subscription.zone)
    last = index - 1 if reason is SegmentReason.EXTENSION else index  # what lasts longer, lasts until this begins
    reached = tuple(segment for segment in subscription.segments if segment.first_index <= last)
    before = attrs.evolve(subscription, segments=reached)
    after, told = regrouped(before, cycle, begins, index, reason, told_at=at)
    if reason is SegmentReason.EXTENSION:
        return lasting_until(after, was, local_date(begins, subscription.zone)), told
    usage_to = after.usage_to if any(cut.line.meter for cut in after.cut) else index
    return attrs.evolve(after, arrears_to=index, usage_to=usage_to), told


def lasting_until(subscription: Subscription, was: date, now: date) -> Subscription:
    """Answer a subscription that remembers its invoices as long as the paid time lasts, which ends on another day.

    Args:
        subscription: Which.
        was: The day on which the paid time ended.
        now: The day on which it ends.
    """
    live = tuple(LiveInvoice(invoice=one.invoice, until=now) if one.until == was else one for one in subscription.live)
    return attrs.evolve(subscription, live=live)


def anchored_on(cycle: Cycle, on: date) -> Cycle:
    """Answer the cycle that begins on a day, with the same wall time and interval."""
    anchor = cycle.anchor
    return Cycle(Anchor.on(on, anchor.zone, anchor.at), cycle.interval)


def paid_until_of(subscription: Subscription) -> datetime:
    """Answer until when a subscription is paid in advance, or tried."""
    ends = end_instant_of(subscription.segments, subscription.billed_to - 1, moved=subscription.moved)
    return max(ends, subscription.trial.ends_at) if subscription.trial else ends


def since_day(subscription: Subscription, day: date) -> Subscription:
    """Answer a subscription whose lines that are paid later are so from a day on, also in cycles that are billed."""
    return attrs.evolve(
        subscription,
        lines=_lines_since(subscription.lines, day),
        overrides=tuple(
            attrs.evolve(each, lines=_lines_since(each.lines, day))
            if each.index < subscription.billed_to and each.kind is OverrideKind.EDIT
            else each
            for each in subscription.overrides
        ),
    )


def _lines_since(lines: Iterable[SubscribedLine], day: date) -> tuple[SubscribedLine, ...]:
    return tuple(line.so_since(day) if is_in_arrears(line) or line.meter else line for line in lines)
