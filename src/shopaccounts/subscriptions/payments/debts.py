"""What a customer owes over several invoices: what a new payment method tries, who has recovered, how it ends.

The rules, in plain English:

* A new payment method never collects a pile of old invoices unawares. More than one is tried only for a total that the
  customer has seen and agreed to; otherwise that of the running period is tried, or else the oldest, and the others are
  named.
* Who owes less than is worth a try is tried together with the next invoice.
* A subscription has recovered when no other invoice of it is overdue or still being chased.
* When nobody pays, the shop's policy says what becomes of the subscription. Where it is over already, that concerns the
  invoice alone.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from shopaccounts.kernel.money import Money, total
from shopaccounts.subscriptions.payments.charging import DeclineKind
from shopaccounts.subscriptions.payments.dunning import (
    Attempt,
    Retry,
    Step,
    Stop,
    StopReason,
    limit_reached,
    next_attempt,
)
from shopaccounts.subscriptions.payments.intents import IntentReason
from shopaccounts.subscriptions.policy.dunning import DunningPolicy, OnExhausted, OnMethodChange
from shopaccounts.subscriptions.states import COLLECTION, LIFECYCLE, Collection, Lifecycle, Trigger

__all__ = [
    "Debt",
    "Exhaustion",
    "MethodChange",
    "Recovery",
    "WaitForInvoice",
    "exhaustion",
    "held_back",
    "method_change",
    "overdue",
    "recovery",
    "tried_together",
]


@attrs.frozen(kw_only=True)
class Debt:
    """An open invoice, as far as chasing it goes.

    Args:
        invoice: Its id.
        due: What is owed, above zero.
        overdue_from: The first instant at which it is overdue.
        starts: When the time begins that it is for.
        ends: When that is over.
        attempts: Its payments so far, in the order in which they were decided.
    """

    invoice: str
    due: Money
    overdue_from: datetime
    starts: datetime
    ends: datetime
    attempts: tuple[Attempt, ...] = ()

    @property
    def is_chased(self) -> bool:
        """Whether its last payment failed."""
        return bool(self.attempts) and self.attempts[-1].decline is not None

    def is_overdue(self, now: datetime) -> bool:
        """Whether its day is over, or a payment of it failed."""
        return self.is_chased or now >= self.overdue_from


@attrs.frozen(kw_only=True)
class MethodChange:
    """What a new payment method does to open invoices: those that are tried at once, and the others.

    Args:
        tried: Each gets one attempt.
        left: They wait for their next retry, or for the customer to pay them.
        total: What the customer has to agree to so that all that can be are tried; None if that is not one amount.
    """

    tried: tuple[Debt, ...]
    left: tuple[Debt, ...]
    total: Money | None


def method_change(
    debts: Sequence[Debt], policy: DunningPolicy, now: datetime, *, agreed_total: Money | None = None
) -> MethodChange:
    """Answer which open invoices are tried at once with a new payment method.

    Args:
        debts: The open invoices that the method pays.
        policy: The shop's.
        now: When the method changed.
        agreed_total: What the customer agreed to pay, as told by an earlier answer to the same question; without it, or
            if it is no longer the total, at most one is tried.
    """
    triable = [debt for debt in debts if isinstance(_after_change(debt, policy, now), Retry)]
    sum_of_all = _total(triable)
    tried = _chosen(triable, policy.on_method_change, now, agreed=sum_of_all is not None and agreed_total == sum_of_all)
    left = tuple(debt for debt in debts if debt not in tried)
    return MethodChange(tried=tuple(tried), left=left, total=sum_of_all)


def _after_change(debt: Debt, policy: DunningPolicy, now: datetime) -> Step:
    return next_attempt(debt.attempts, policy, now, method_changed_at=now)


def _total(debts: Sequence[Debt]) -> Money | None:
    currencies = {debt.due.currency for debt in debts}
    return total((debt.due for debt in debts), currencies.pop()) if len(currencies) == 1 else None


def _chosen(debts: Sequence[Debt], choice: OnMethodChange, now: datetime, *, agreed: bool) -> Sequence[Debt]:
    oldest_first = sorted(debts, key=lambda debt: (debt.starts, debt.invoice))
    current = [debt for debt in oldest_first if debt.starts <= now < debt.ends][-1:]
    match choice:
        case OnMethodChange.ALL:
            return oldest_first if agreed else current or oldest_first[:1]
        case OnMethodChange.CURRENT:
            return current
        case OnMethodChange.OLDEST:
            return oldest_first[:1]
        case OnMethodChange.NONE:
            return ()


@attrs.frozen
class WaitForInvoice:
    """So little is overdue that it is tried together with the next invoice."""


def overdue(debts: Iterable[Debt], currency: str, now: datetime) -> Money:
    """Answer what an account owes in one currency that is overdue."""
    return total((debt.due for debt in debts if debt.due.currency == currency and debt.is_overdue(now)), currency)


_ENDS_BY_TIME: Final = frozenset({StopReason.PLAN_USED_UP, StopReason.MAX_AGE})


def held_back(step: Step, overdue: Money, policy: DunningPolicy) -> Step | WaitForInvoice:
    """Answer *step*, unless so little is overdue that nothing is tried, or given up, on its own.

    Args:
        step: What follows for one invoice.
        overdue: What the account owes in its currency that is overdue.
        policy: The shop's.
    """
    is_retry = isinstance(step, Retry) and step.reason is not IntentReason.FIRST
    waits = is_retry or (isinstance(step, Stop) and step.reason in _ENDS_BY_TIME)
    return WaitForInvoice() if waits and not policy.is_worth_retrying(overdue) else step


def tried_together(
    debts: Sequence[Debt], policy: DunningPolicy, now: datetime, *, method_changed_at: datetime | None = None
) -> tuple[Debt, ...]:
    """Answer which small debts get an attempt along with the first one of a new invoice.

    Args:
        debts: What the account owes besides the new invoice, in its currency.
        policy: The shop's.
        now: When the new invoice is first tried.
        method_changed_at: When the payment method last changed; one that declined hard isn't asked again.
    """
    chased = [debt for debt in debts if debt.is_chased]
    if not chased or policy.is_worth_retrying(overdue(debts, chased[0].due.currency, now)):
        return ()
    return tuple(debt for debt in chased if _may_join(debt, policy, method_changed_at))


def _may_join(debt: Debt, policy: DunningPolicy, method_changed_at: datetime | None) -> bool:
    last = debt.attempts[-1]
    stuck = last.decline is DeclineKind.HARD and (method_changed_at is None or last.begun_at >= method_changed_at)
    return not stuck and limit_reached(debt.attempts, policy, last.at) in {None, StopReason.MAX_AGE}


_Ending: TypeAlias = tuple[Trigger | None, Trigger | None]

_EXHAUSTED: Final[MappingProxyType[OnExhausted, _Ending]] = MappingProxyType(
    {
        OnExhausted.CANCEL: (Trigger.RETRIES_EXHAUSTED, Trigger.GAVE_UP),
        OnExhausted.MARK_UNPAID: (Trigger.RETRIES_EXHAUSTED, None),
        OnExhausted.PAUSE: (Trigger.RETRIES_EXHAUSTED, Trigger.GAVE_UP_PAUSED),
        OnExhausted.KEEP: (None, None),
    }
)


@attrs.frozen(kw_only=True)
class Exhaustion:
    """What happens to a subscription one of whose invoices isn't tried any more.

    Args:
        collection: What its collection undergoes, None for nothing.
        lifecycle: What its lifecycle undergoes, None for nothing; if it ends by that, it wasn't the customer who ended
            it.
        writes_off: Whether the invoice becomes uncollectible; if not, it stays open.
        drafts_renewals: Whether its renewals are written as drafts from now on.
    """

    collection: Trigger | None
    lifecycle: Trigger | None
    writes_off: bool
    drafts_renewals: bool


def exhaustion(policy: DunningPolicy, lifecycle: Lifecycle, collection: Collection) -> Exhaustion:
    """Answer what happens when an invoice isn't tried any more.

    Args:
        policy: The shop's.
        lifecycle: Whether the subscription runs.
        collection: How its collection stands.

    Returns:
        Only what can happen from there: nobody cancels what is over.
    """
    on_collection, on_lifecycle = _EXHAUSTED[policy.on_exhausted]
    return Exhaustion(
        collection=on_collection if (collection, on_collection) in COLLECTION else None,
        lifecycle=on_lifecycle if (lifecycle, on_lifecycle) in LIFECYCLE else None,
        writes_off=policy.on_exhausted is OnExhausted.CANCEL,
        drafts_renewals=policy.on_exhausted is OnExhausted.MARK_UNPAID,
    )


@attrs.frozen(kw_only=True)
class Recovery:
    """What happens to a subscription that owes nothing overdue any more; None for nothing."""

    collection: Trigger | None
    lifecycle: Trigger | None


def recovery(
    others: Iterable[Debt],
    policy: DunningPolicy,
    collection: Collection,
    now: datetime,
    *,
    paused_for_debt: bool = False,
) -> Recovery | None:
    """Answer what happens when an invoice of a subscription is settled.

    Args:
        others: The other open invoices of the subscription.
        policy: The shop's.
        collection: How its collection stands.
        now: When the invoice was settled.
        paused_for_debt: Whether it is paused because nobody paid.

    Returns:
        None while another invoice is overdue or still being chased, and where collection is in order.
    """
    if (collection, Trigger.SETTLED) not in COLLECTION or any(other.is_overdue(now) for other in others):
        return None
    resumes = paused_for_debt and policy.resume_on_recovery
    return Recovery(collection=Trigger.SETTLED, lifecycle=Trigger.RESUMED if resumes else None)
