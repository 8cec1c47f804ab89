"""Leaving before a minimum that was agreed is over: when that is possible, and what it costs.

The rules, in plain English:

* Who is bound for some cycles may leave when so many whole ones have been served. Stubs and cycles that were left out
  don't count, so that the day moves on by them.
* A cycle that was paid ahead and hasn't begun isn't served yet.
* A trial binds nobody. Whoever has begun the last cycle of the minimum may leave at its end.
* Where leaving early is possible for a price, that price stands on the final invoice: one fee, or each whole cycle that
  is left, at the price that was agreed.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.billing.bills import is_skipped, is_tried
from shopaccounts.subscriptions.charges.period_lines import advance_lines, arrears_lines
from shopaccounts.subscriptions.cycles.segments import index_at, service_period_of, start_instant_of
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.lines import LineDraft, LineKind
from shopaccounts.subscriptions.plans.terms import Fee, RemainderDue
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["EARLY_EXIT_LINE", "exit_lines", "first_exit", "is_whole"]

EARLY_EXIT_LINE: Final = "early_exit"
"""The key of the line that charges the fee for leaving early."""


def first_exit(subscription: Subscription, now: datetime) -> datetime | None:
    """Answer the first boundary at which a customer who is bound may leave; None for one who isn't.

    Args:
        subscription: Whose.
        now: This instant; while it is paused nothing is served, and the rest counts from here.
    """
    index = _exit_index(subscription, now)
    return None if index is None else start_instant_of(subscription.segments, index, moved=subscription.moved)


def _exit_index(subscription: Subscription, now: datetime) -> int | None:
    term = subscription.term
    if term is None or subscription.lifecycle is Lifecycle.TRIALING:
        return None
    running = index_at(subscription.segments, now, moved=subscription.moved)
    following = 0 if running is None else running + 1
    ahead = sum(is_whole(subscription, index) for index in range(following, subscription.billed_to))
    left = term.agreed.min_cycles - term.begun + ahead
    if left <= 0:
        return None
    index = following if ahead else subscription.billed_to
    if subscription.lifecycle is Lifecycle.PAUSED:
        index = max(index, following)
    while left:
        left -= is_whole(subscription, index)
        index += 1
    return index


def is_whole(subscription: Subscription, index: int) -> bool:
    """Tell whether a cycle to come is a whole one that is served.

    Args:
        subscription: Whose.
        index: Which cycle.
    """
    period = service_period_of(subscription.segments, index, moved=subscription.moved)
    return not (period.is_stub or is_skipped(subscription, index) or is_tried(subscription, period))


def exit_lines(subscription: Subscription, at: datetime, policy: SubscriptionPolicy) -> tuple[LineDraft, ...]:
    """Answer what leaving at an instant costs; nothing where the customer isn't bound then, or pays nothing for it.

    Args:
        subscription: As it was until then.
        at: When it ends.
        policy: How parts of periods are priced.
    """
    until = _exit_index(subscription, at)
    if until is None:
        return ()
    match subscription.terms.early_exit:
        case Fee(money):
            return (_fee(subscription, money, local_date(at, subscription.zone)),)
        case RemainderDue():
            return tuple(_remainder(subscription, until, policy))
        case _:
            return ()


def _fee(subscription: Subscription, fee: Money, on: date) -> LineDraft:
    line = subscription.plan_line
    return LineDraft(
        kind=LineKind.CHARGE,
        subscription=subscription.id,
        key=EARLY_EXIT_LINE,
        product=line.product,
        start=on,
        end=on,
        amount=fee,
        category=line.category,
    )


def _remainder(subscription: Subscription, until: int, policy: SubscriptionPolicy) -> Iterator[LineDraft]:
    """Answer what the whole cycles cost that are left of the minimum."""
    for index in range(subscription.billed_to, until):
        if is_whole(subscription, index):
            period = service_period_of(subscription.segments, index, moved=subscription.moved)
            lines = (*advance_lines(subscription, period, policy), *arrears_lines(subscription, period, policy))
            yield from (attrs.evolve(line, kind=LineKind.CHARGE) for line in lines)
