"""What follows a failed payment: when it is tried again, when no more, and what becomes of the subscription.

The rules, in plain English:

* A retry is planned from the first failure or from the one before, as the shop's plan says. Those that were missed
  while nothing ran are not made up: one is made at once, then the plan goes on.
* It ends at the first limit that is reached: the plan is used up, too many declines, too many attempts, or too much
  time since the first failure. Attempts before a success don't count into the plan, the declines and the time.
* After a hard decline nothing is tried until the customer names another payment method. Then it is tried once, at once.
  If that fails softly the rest of the plan goes on, for such an attempt uses up none of it.
* A new payment method never collects a pile of old invoices unawares: more than one is tried only for a total that the
  customer has agreed to.
* Who owes less than is worth a try is tried together with the next invoice.
* Grace is a time of its own. It ends when it ends, however retries go.
* A subscription has recovered when nothing else of it is overdue or still being chased.
* After a success nothing is tried by itself, whatever a bank takes back later.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from itertools import dropwhile
from typing import Final, TypeAlias

import attrs

from shopaccounts.kernel.time import Zone, instant_of, local_date, zone
from shopaccounts.subscriptions.payments.charging import DeclineKind
from shopaccounts.subscriptions.payments.intents import IntentReason, IntentState, PaymentIntent, Purpose
from shopaccounts.subscriptions.policy.dunning import CountFrom, DunningPolicy, RetryPlan

__all__ = [
    "Attempt",
    "DunningLetter",
    "Letter",
    "Retry",
    "Step",
    "Stop",
    "StopReason",
    "WaitForMethod",
    "attempts_of",
    "first_failure",
    "grace_ends",
    "letter_after",
    "limit_reached",
    "next_attempt",
    "planned_retries",
]

_UTC: Final = zone("UTC")
_ONE_DAY: Final = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Attempt:
    """A payment of an invoice that was decided.

    Args:
        at: When that was.
        decline: Why it failed, None for a success.
        reason: Why it was tried.
        begun_at: When the gateway was asked; the same moment unless told otherwise.
    """

    at: datetime
    decline: DeclineKind | None
    reason: IntentReason = IntentReason.PLANNED
    begun_at: datetime = attrs.field(default=attrs.Factory(lambda self: self.at, takes_self=True))


@attrs.frozen
class Retry:
    """It is tried, again or for the first time, at this instant."""

    at: datetime
    reason: IntentReason = IntentReason.PLANNED


class StopReason(Enum):
    """Why an invoice isn't tried any more."""

    SUCCEEDED = "succeeded"
    PLAN_USED_UP = "plan_used_up"
    MAX_DECLINES = "max_declines"
    MAX_ATTEMPTS = "max_attempts"
    MAX_AGE = "max_age"


@attrs.frozen
class Stop:
    """It isn't tried any more."""

    reason: StopReason


@attrs.frozen
class WaitForMethod:
    """It isn't tried before the payment method changes; if it doesn't *until* then, not at all."""

    until: datetime


Step: TypeAlias = Retry | Stop | WaitForMethod
"""What follows the attempts so far."""


def attempts_of(intents: Iterable[PaymentIntent]) -> tuple[Attempt, ...]:
    """Answer the attempts that the charges of one invoice were, in the order in which they were decided.

    Args:
        intents: All intents of the invoice. Those that are undecided, were dropped, or pay something back are none.
    """
    charges = (intent for intent in intents if intent.purpose is Purpose.CHARGE)
    attempts = (_attempt(charge) for charge in charges)
    return tuple(sorted((attempt for attempt in attempts if attempt), key=lambda attempt: attempt.at))


def _attempt(charge: PaymentIntent) -> Attempt | None:
    decided = charge.decline is not None or charge.state is IntentState.SUCCEEDED
    if not decided or charge.settled_at is None:
        return None
    begun_at = charge.submitted_at or charge.settled_at
    return Attempt(at=charge.settled_at, decline=charge.decline, reason=charge.reason, begun_at=begun_at)


def planned_retries(plan: RetryPlan, first_failure: datetime, zone: Zone = _UTC) -> tuple[datetime, ...]:
    """Answer when retries are made, if every attempt fails when it is planned.

    Args:
        plan: The shop's.
        first_failure: When the first attempt failed.
        zone: The customer's, which says when the plan's wall time is.

    Returns:
        Instants that ascend. Two retries that are moved to one moment are one.
    """
    instants: list[datetime] = []
    for wait in plan.waits:
        before = instants[-1] if instants and plan.count_from is CountFrom.PREVIOUS else first_failure
        instants.append(_moved(before + wait, plan, zone))
    return tuple(dict.fromkeys(instants))


def _moved(planned: datetime, plan: RetryPlan, zone: Zone) -> datetime:
    if plan.at_local_time is None:
        return planned
    day = local_date(planned, zone)
    moved = instant_of(day, plan.at_local_time, zone)
    return moved if moved >= planned else instant_of(day + _ONE_DAY, plan.at_local_time, zone)


def first_failure(history: Sequence[Attempt]) -> datetime | None:
    """Answer when an invoice first failed after its last success, None if it didn't."""
    failures = _failures(history)
    return failures[0].at if failures else None


def _failures(history: Sequence[Attempt]) -> list[Attempt]:
    """Answer the failures since the last success."""
    newest_first = list(reversed(history))
    since = next((place for place, attempt in enumerate(newest_first) if attempt.decline is None), len(newest_first))
    return newest_first[:since][::-1]


def limit_reached(history: Sequence[Attempt], policy: DunningPolicy, at: datetime) -> StopReason | None:
    """Tell which limit forbids another attempt at an instant; also asked right before one that was planned is made."""
    failures = _failures(history)
    if len(failures) >= policy.max_declines:
        return StopReason.MAX_DECLINES
    if len(history) >= policy.max_attempts:
        return StopReason.MAX_ATTEMPTS
    if failures and at > failures[0].at + policy.max_age:
        return StopReason.MAX_AGE
    return None


def next_attempt(
    history: Sequence[Attempt],
    policy: DunningPolicy,
    now: datetime,
    *,
    zone: Zone = _UTC,
    method_changed_at: datetime | None = None,
) -> Step:
    """Answer what follows the attempts that an invoice has seen.

    Args:
        history: Its attempts, in the order in which they were decided.
        policy: The shop's.
        now: This instant.
        zone: The customer's.
        method_changed_at: When the payment method last changed, for an invoice that such a change tries (see
            ``method_changes``); it counts until an attempt was begun after it.
    """
    if not history:
        return Retry(now, IntentReason.FIRST)
    failures = _failures(history)
    if not failures:
        return Stop(StopReason.SUCCEEDED)
    if reason := limit_reached(history, policy, now):
        return Stop(reason)
    if method_changed_at is not None and all(attempt.begun_at < method_changed_at for attempt in history):
        return Retry(now, IntentReason.METHOD_CHANGE)
    if failures[-1].decline is DeclineKind.HARD:
        return _wait_for_method(failures, policy, now)
    planned = _next_planned(policy.retries, failures, zone)
    return _planned_retry(planned, history, policy, now)


def _wait_for_method(failures: Sequence[Attempt], policy: DunningPolicy, now: datetime) -> Step:
    until = failures[0].at + policy.max_age
    return WaitForMethod(until) if now < until else Stop(StopReason.MAX_AGE)


def _planned_retry(planned: datetime | None, history: Sequence[Attempt], policy: DunningPolicy, now: datetime) -> Step:
    if planned is None:
        return Stop(StopReason.PLAN_USED_UP)
    at = max(planned, now)
    reason = limit_reached(history, policy, at)
    return Stop(reason) if reason else Retry(at)


def _next_planned(plan: RetryPlan, failures: Sequence[Attempt], zone: Zone) -> datetime | None:
    """Answer the planned moment of the next retry, which may lie in the past; None if the plan is used up."""
    last = failures[-1].at
    if plan.count_from is CountFrom.FIRST:
        return next(dropwhile(lambda at: at <= last, planned_retries(plan, failures[0].at, zone)), None)
    used = sum(failure.reason is IntentReason.PLANNED for failure in failures[1:])
    return _moved(last + plan.waits[used], plan, zone) if used < len(plan.waits) else None


def grace_ends(first_failure: datetime, policy: DunningPolicy) -> datetime:
    """Answer when a customer loses what was subscribed, unless the debt is paid: the first instant without it."""
    return first_failure + policy.grace


class DunningLetter(Enum):
    """What a customer is told about a payment that failed."""

    FAILED = "failed"
    REMINDER = "reminder"
    LAST_WARNING = "last_warning"
    RECOVERED = "recovered"
    ENDED = "ended"


@attrs.frozen(kw_only=True)
class Letter:
    """One letter about one invoice: a message with this key is sent once."""

    kind: DunningLetter
    invoice: str
    number: int

    @property
    def key(self) -> str:
        """Unique for the invoice and the step."""
        return f"{self.invoice}:{self.kind.value}:{self.number}"


def letter_after(
    invoice: str, history: Sequence[Attempt], step: Step, policy: DunningPolicy, *, zone: Zone = _UTC
) -> Letter | None:
    """Answer what the customer is told after an attempt was decided.

    Args:
        invoice: What it was to pay.
        history: All attempts of the invoice, this one the last.
        step: What follows, from ``next_attempt``.
        policy: The shop's.
        zone: The customer's.

    Returns:
        A letter whose number is that of the failure it is about; None for an invoice that was paid without any.
    """
    failures = _failures(history)
    if not failures:
        earlier = sum(attempt.decline is not None for attempt in history)
        return Letter(kind=DunningLetter.RECOVERED, invoice=invoice, number=earlier) if earlier else None
    number = len(failures)
    if isinstance(step, Stop):
        kind = DunningLetter.ENDED
    elif number == 1:
        kind = DunningLetter.FAILED
    elif isinstance(step, Retry) and _is_last(step, history, policy, zone):
        kind = DunningLetter.LAST_WARNING
    else:
        kind = DunningLetter.REMINDER
    return Letter(kind=kind, invoice=invoice, number=number)


def _is_last(retry: Retry, history: Sequence[Attempt], policy: DunningPolicy, zone: Zone) -> bool:
    failed = Attempt(at=retry.at, decline=DeclineKind.SOFT, reason=retry.reason)
    return isinstance(next_attempt((*history, failed), policy, retry.at, zone=zone), Stop)
