"""Pausing a subscription.

The rules, in plain English:

* While a subscription is paused nothing is billed that begins, nothing is delivered, and nobody is chased anew. What
  was used before, and is paid in arrears, is billed when the pause begins; what a meter counted, when its cycle ends.
* A pause has an end: the one that the customer chose, so many cycles, or the longest that the shop allows. There it
  ends by itself, or, if nobody said when, the subscription may end instead.
* Whoever ends first, doesn't pause: a planned end that comes before the pause, or with it, wins.
* Paid days that a pause interrupts are kept, or credited to the balance. What is credited is paid no more.
* There may be so many pauses in a year, and so much time between them.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.billing.bills import bill_used, is_skipped
from shopaccounts.subscriptions.billing.unused import credits_for_unused
from shopaccounts.subscriptions.billing.waiting_lines import cut_waiting
from shopaccounts.subscriptions.charges.period_lines import lines_in
from shopaccounts.subscriptions.cycles.segments import service_period_of, start_instant_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import fixed_end
from shopaccounts.subscriptions.errors import (
    CancellationScheduled,
    NotPaused,
    OnHold,
    PauseLimitReached,
)
from shopaccounts.subscriptions.events import (
    ChangeScheduled,
    ScheduledChangeDropped,
    SubscriptionPaused,
)
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.model import CutLine, Pause, PauseReason, Subscription
from shopaccounts.subscriptions.papers.documents import CreditTo
from shopaccounts.subscriptions.pausing.resuming import paid_until_of, since_day
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.pausing import PauseHow, PausePolicy, Unused
from shopaccounts.subscriptions.scheduled import PauseAt
from shopaccounts.subscriptions.states import Lifecycle, Trigger, moved

__all__ = [
    "PauseWish",
    "pause",
    "pause_begins",
    "pause_due",
    "pause_now",
    "require_pause",
    "undo_pause",
]

_YEAR: Final = timedelta(days=365)
_NOT_YET: Final = date.max
"""Since when a line is so again that rests: nobody knows yet."""


@attrs.frozen(kw_only=True)
class PauseWish:
    """How a customer wants to pause.

    Args:
        how: At once or at the end of the paid period; None for the shop's way, and for whole *cycles* at the end.
        cycles: For so many whole cycles, from the end of the paid period on.
        until: Until when; None together with no *cycles* for as long as the shop allows.
    """

    how: PauseHow | None = None
    cycles: int | None = None
    until: datetime | None = None


def pause_begins(subscription: Subscription, wish: PauseWish, now: datetime, policy: SubscriptionPolicy) -> datetime:
    """Answer when a pause begins that is wished for now.

    Args:
        subscription: One that runs.
        wish: How.
        now: This instant.
        policy: How the shop pauses.
    """
    how = wish.how or (PauseHow.AT_PERIOD_END if wish.cycles is not None else policy.pausing.how)
    if how is PauseHow.NOW:
        return now
    begins = start_instant_of(subscription.segments, subscription.billed_to, moved=subscription.moved)
    return max(begins, paid_until_of(subscription), now)


def pause(
    subscription: Subscription, wish: PauseWish, now: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Decision:
    """Pause a subscription, at once or when its paid period ends; what is planned already is told once.

    Args:
        subscription: One that runs.
        wish: How.
        now: This instant.
        facts: The invoices of which paid days may be credited.
        policy: How the shop pauses.

    Raises:
        CancellationScheduled: The subscription ends first.
        PauseLimitReached: There were too many pauses, the last one is too short ago, or this one would last too long.
        InvalidInput: The pause would end before it begins, or for both so many cycles and until a time.
    """
    at = pause_begins(subscription, wish, now, policy)
    planned = require_pause(subscription, wish, at, policy)
    if at == now:
        return _begun(subscription, planned, now, facts, policy)
    if planned == subscription.scheduled.pause:
        return Decision(subscription=subscription)
    later = attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, pause=planned))
    told = ChangeScheduled(at=now, account=later.customer, subscription=later.id, kind="pause", takes_effect_at=at)
    return Decision(subscription=later, events=(told,))


def require_pause(subscription: Subscription, wish: PauseWish, at: datetime, policy: SubscriptionPolicy) -> PauseAt:
    """Answer the pause that somebody wishes for, if there may be one more.

    Args:
        subscription: One that runs.
        wish: How.
        at: When it would begin.
        policy: How the shop pauses.

    Raises:
        CancellationScheduled: The subscription ends first.
        PauseLimitReached: There were too many pauses, the last one is too short ago, or this one would last too long.
        InvalidInput: The pause would end before it begins, or for both so many cycles and until a time.
    """
    _require_running(subscription, at)
    _require_within_limits(subscription, local_date(at, subscription.zone), policy.pausing)
    return _planned(subscription, wish, at, policy.pausing)


def _planned(subscription: Subscription, wish: PauseWish, at: datetime, policy: PausePolicy) -> PauseAt:
    if wish.cycles is not None and (wish.cycles < 1 or wish.until is not None):
        raise InvalidInput(field="cycles", reason="range")
    left_open = wish.cycles is None and wish.until is None
    planned = PauseAt(at=at, until=wish.until, cycles=wish.cycles, left_open=left_open)
    until = _until(subscription, planned, policy)
    if until <= at:
        raise InvalidInput(field="until", reason="range")
    longest = at + policy.max_length
    if until > longest:
        available = local_date(longest, subscription.zone)
        raise PauseLimitReached(limit=policy.max_length.days, available_on=available)
    return attrs.evolve(planned, until=until)


def _until(subscription: Subscription, planned: PauseAt, policy: PausePolicy) -> datetime:
    """Answer when a pause ends by itself, as cycles are now."""
    if planned.cycles is not None:
        index = max(subscription.billed_to, subscription.paid_from) + planned.cycles
        return start_instant_of(subscription.segments, index, moved=subscription.moved)
    return planned.until if planned.until and not planned.left_open else planned.at + policy.max_length


def _require_running(subscription: Subscription, at: datetime) -> None:
    """Refuse to pause what has ended by then, be it cancelled, of a fixed length, or at the end of its term."""
    cancel, fixed, term = subscription.scheduled.cancel, fixed_end(subscription), subscription.term
    ends = [stop for stop in (cancel.at if cancel else None, fixed) if stop]
    if term and term.begun >= term.agreed.cycles and not term.agreed.auto_renew:
        ends.append(paid_until_of(subscription))
    if ends and min(ends) <= at:
        raise CancellationScheduled(at=min(ends))


def _require_within_limits(subscription: Subscription, on: date, policy: PausePolicy) -> None:
    most = policy.max_pauses_per_year
    recent = [day for day in subscription.pauses if day > on - _YEAR]
    if len(recent) >= most:
        raise PauseLimitReached(limit=most, available_on=recent[-most] + _YEAR if most else date.max)
    last = subscription.resumed_on
    if last and on < last + policy.min_between:
        raise PauseLimitReached(limit=most, available_on=last + policy.min_between)


def undo_pause(subscription: Subscription, now: datetime) -> Decision:
    """Take a planned pause back: it runs on as if nobody had asked.

    Args:
        subscription: One with a planned pause.
        now: This instant.

    Raises:
        OnHold: The subscription waits for a decision of the shop.
        NotPaused: No pause is planned.
    """
    if subscription.hold is not None:
        raise OnHold(subscription.hold.since)
    if subscription.scheduled.pause is None:
        raise NotPaused
    return _dropped(subscription, now)


def _dropped(subscription: Subscription, at: datetime) -> Decision:
    planned = subscription.scheduled.pause
    stays = attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, pause=None))
    told = ScheduledChangeDropped(
        at=at,
        account=stays.customer,
        subscription=stays.id,
        kind="pause",
        takes_effect_at=planned.at if planned else at,
    )
    return Decision(subscription=stays, events=(told,))


def pause_due(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Begin a pause that was planned; if it would be over by then, it is dropped."""
    planned = subscription.scheduled.pause or PauseAt(at=at, left_open=True)
    planned = attrs.evolve(planned, at=at)
    until = _until(subscription, planned, policy.pausing)
    if until <= at:
        return _dropped(subscription, at)
    return _begun(subscription, attrs.evolve(planned, until=until), at, facts, policy)


def _begun(
    subscription: Subscription, planned: PauseAt, at: datetime, facts: Facts, policy: SubscriptionPolicy
) -> Decision:
    begun = pause_now(subscription, at, planned.until, PauseReason.ASKED, facts, policy)
    paused = begun.subscription
    if not planned.left_open or paused.pause is None:
        return begun
    left_open = attrs.evolve(paused, pause=attrs.evolve(paused.pause, left_open=True))
    return attrs.evolve(begun, subscription=left_open)


def pause_now(
    subscription: Subscription,
    at: datetime,
    until: datetime | None,
    reason: PauseReason,
    facts: Facts,
    policy: SubscriptionPolicy,
) -> Decision:
    """Pause a subscription at an instant.

    Args:
        subscription: One that runs.
        at: When the pause begins.
        until: When it ends by itself, None for never.
        reason: Who or what paused it.
        facts: The invoices of which paid days may be credited.
        policy: How the shop pauses.
    """
    on, zone = local_date(at, subscription.zone), subscription.zone
    first = policy.proration.first_unused(on)
    days_left = max((local_date(paid_until_of(subscription), zone) - first).days, 0)
    asked = reason is PauseReason.ASKED
    credited = asked and policy.pausing.unused is Unused.CREDIT and days_left > 0
    used = bill_used(subscription, first, at, policy)
    ran = used.subscription
    rests = _resting(ran, first)
    paused = attrs.evolve(
        rests,
        lifecycle=moved(ran.lifecycle, _trigger(ran, reason)),
        pause=Pause(since=at, until=until, reason=reason, days_left=0 if credited else days_left, credited=credited),
        pauses=(*(day for day in ran.pauses if day > on - _YEAR), on) if asked else ran.pauses,
        scheduled=attrs.evolve(ran.scheduled, pause=None),
        prepaid=None if credited else ran.prepaid,
    )
    told = SubscriptionPaused(at=at, account=paused.customer, subscription=paused.id, reason=reason.value, until=until)
    back = credits_for_unused(ran, facts.invoices, first, CreditTo.BALANCE, reason="pause") if credited else ()
    waits = cut_waiting(ran, facts.pending, first) if credited else ()
    return used.then(Decision(subscription=paused, credits=back, waits=waits, events=(told,)))


def _trigger(subscription: Subscription, reason: PauseReason) -> Trigger:
    if reason is PauseReason.UNPAID:
        return Trigger.GAVE_UP_PAUSED
    return Trigger.TRIAL_PAUSED if subscription.lifecycle is Lifecycle.TRIALING else Trigger.PAUSED


def _resting(subscription: Subscription, first: date) -> Subscription:
    """Answer a subscription of which nothing is used from a day on; what was metered before waits to be billed."""
    metered = [
        cut
        for index in range(subscription.usage_to, subscription.billed_to)
        for cut in _metered(subscription, index, first)
    ]
    return since_day(attrs.evolve(subscription, cut=(*subscription.cut, *metered)), _NOT_YET)


def _metered(subscription: Subscription, index: int, first: date) -> Iterable[CutLine]:
    if is_skipped(subscription, index):
        return
    period = service_period_of(subscription.segments, index, moved=subscription.moved)
    for line in lines_in(subscription, index):
        start, stop = max(line.since or period.start, period.start), min(first, period.end)
        if line.meter and start < stop:
            yield CutLine(line=line, start=start, end=stop)
