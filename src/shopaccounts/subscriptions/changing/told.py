"""What is told of a change, and the key under which it is made once."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from shopaccounts.kernel.events import Event
from shopaccounts.subscriptions.changing.wishes import interval_of
from shopaccounts.subscriptions.events import BillingDayMoved, FrequencyChanged, PlanChanged, QuantityChanged
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.lines import LineDraft

__all__ = ["events_of", "operation_key", "told_of_billing_day"]


def operation_key(subscription: Subscription, kind: str, day: date, lines: Iterable[LineDraft]) -> str:
    """Answer the key of a change: the same change again has the same, and another one on the same day another.

    Args:
        subscription: As it was before.
        kind: How it was priced.
        day: From when on it holds.
        lines: What it bills.
    """
    what = sorted(f"{line.key} {line.product} {line.start} {line.end} {line.base}" for line in lines)
    text = "\0".join((subscription.id, str(subscription.change_seq), kind, day.isoformat(), *what))
    return f"{subscription.id}/change/{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def events_of(before: Subscription, after: Subscription, day: date, at: datetime) -> tuple[Event, ...]:
    """Answer what happened to an agreement: its plan, its products, its frequency, its quantities."""
    about: dict[str, Any] = {"at": at, "account": before.customer, "subscription": before.id}
    told: list[Event] = [*_plans(before, after, about)]
    was, now = interval_of(before, day), interval_of(after, day)
    if was != now:
        told.append(FrequencyChanged(interval=now, former_interval=was, **about))
    told += [
        QuantityChanged(line=key, quantity=new, former_quantity=old, **about)
        for key, old, new in _quantities(before, after)
    ]
    return tuple(told)


def _plans(before: Subscription, after: Subscription, about: dict[str, Any]) -> Iterator[PlanChanged]:
    """Tell of another plan, and of other products: what the new plan delivers is told with it."""
    about = about | {"plan": after.terms.version, "former_plan": before.terms.version}
    old = {line.key: line.product for line in before.lines}
    products: dict[str, dict[str, Any]] = {
        line.key: {"line": line.key, "product": line.product, "former_product": old[line.key]}
        for line in after.lines
        if line.key in old and old[line.key] != line.product
    }
    of_the_plan = products.pop(after.plan_line.key, {})
    if of_the_plan or before.terms.version != after.terms.version:
        yield PlanChanged(**of_the_plan, **about)
    for swapped in products.values():
        yield PlanChanged(**swapped, **about)


def _quantities(before: Subscription, after: Subscription) -> Iterator[tuple[str, int, int]]:
    old = {line.key: line.quantity for line in before.lines if not line.meter}
    new = {line.key: line.quantity for line in after.lines if not line.meter}
    for key in dict.fromkeys((*old, *new)):
        if old.get(key, 0) != new.get(key, 0):
            yield key, old.get(key, 0), new.get(key, 0)


def told_of_billing_day(subscription: Subscription, at: datetime) -> Event:
    """Answer what is told of a subscription whose newest segment has another billing day."""
    newest = subscription.segments[-1]
    return BillingDayMoved(
        at=at,
        account=subscription.customer,
        subscription=subscription.id,
        segment=newest.number,
        starts_on=newest.start,
    )
