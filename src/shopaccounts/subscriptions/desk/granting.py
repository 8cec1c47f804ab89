"""Discounts that the shop's people grant, and take away again.

The rules, in plain English:

* A discount acts from the next cycle on that isn't billed. Granted at once, it acts on the running one too: what it
  would have taken is credited, no more than is left of each line, and that is its first use.
* A discount that was taken away took what it took: issued invoices stay. One that was never used may be granted again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.billing.unused import Unused, ahead_lines
from shopaccounts.subscriptions.charges.period_lines import cycle_ref
from shopaccounts.subscriptions.cycles.schedules import CycleRef, ServicePeriod
from shopaccounts.subscriptions.cycles.segments import index_at, service_period_of
from shopaccounts.subscriptions.decision import Decision, TakenBack
from shopaccounts.subscriptions.errors import NothingToChange
from shopaccounts.subscriptions.events import DiscountApplied, DiscountEnded
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import CreditTo, Invoice
from shopaccounts.subscriptions.plans.discounts import (
    AppliedDiscount,
    Discount,
    Discountable,
    add_discount,
    discount,
    is_live,
    used,
)

__all__ = ["GRANTED", "grant_discount", "take_discount_away"]

GRANTED = "discount"
"""The reason of a credit note for a discount that was granted at once, where nobody says another."""


def grant_discount(
    subscription: Subscription,
    wanted: Discount,
    invoices: Mapping[str, Invoice],
    now: datetime,
    *,
    at_once: bool = False,
    reason: str = GRANTED,
) -> Decision:
    """Grant a discount.

    Args:
        subscription: To which.
        wanted: What is granted.
        invoices: Those that the subscription names as live, by id.
        now: This instant.
        at_once: Whether it is for the running cycle too.
        reason: Why, for the credit note.

    Raises:
        DiscountAlreadyApplied: It has or had one of the same code.
        TooManyDiscounts: So many are live already.
        CurrencyMismatch: The amount is in another currency.
    """
    period = _period(subscription, subscription.billed_to)
    granted = add_discount(
        subscription.discounts, wanted, subscription.currency, cycle_ref(subscription, period), period.start
    )
    notes: tuple[TakenBack, ...] = ()
    if at_once:
        now_used, notes = _at_once(subscription, granted[-1], invoices, now, reason)
        granted = (*granted[:-1], now_used)
    told = DiscountApplied(at=now, account=subscription.customer, subscription=subscription.id, discount=wanted.code)
    after = attrs.evolve(subscription, discounts=granted)
    return Decision(subscription=after, credits=notes, events=(told,))


def _period(subscription: Subscription, index: int) -> ServicePeriod:
    return service_period_of(subscription.segments, index, moved=subscription.moved)


def _at_once(
    subscription: Subscription, granted: AppliedDiscount, invoices: Mapping[str, Invoice], now: datetime, reason: str
) -> tuple[AppliedDiscount, tuple[TakenBack, ...]]:
    """Answer a discount as it is used by the running cycle, and what is credited for that."""
    index = index_at(subscription.segments, now, moved=subscription.moved)
    if index is None or index >= subscription.billed_to:
        return granted, ()
    period = _period(subscription, index)
    ref = cycle_ref(subscription, period)
    billed = list(_billed(subscription, invoices, ref, now))
    if not billed:
        return granted, ()
    open_to = [Discountable(one.line.key, one.line.creditable, one.line.start) for one in billed]
    (taken,) = discount(open_to, (granted,), ref)
    wanted: dict[str, dict[int, Money]] = {}
    for one, part in zip(billed, taken.shares, strict=True):
        if part.minor:
            wanted.setdefault(one.invoice.id, {})[one.number] = part
    notes = tuple(
        TakenBack(
            key=f"{subscription.id}/{GRANTED}/{granted.discount.code}/{invoice}",
            invoice=invoice,
            wanted=lines,
            to=CreditTo.BALANCE,
            reason=reason,
        )
        for invoice, lines in wanted.items()
    )
    return used(granted, taken, ref, period.start), notes


def _billed(subscription: Subscription, invoices: Mapping[str, Invoice], ref: CycleRef, now: datetime) -> list[Unused]:
    """Answer the lines that were billed in advance for the running cycle, and count still."""
    today = local_date(now, subscription.zone)
    return [one for one in ahead_lines(subscription, invoices, today) if one.line.cycle == ref]


def take_discount_away(subscription: Subscription, code: str, now: datetime) -> Decision:
    """Take a discount away, from the next cycle on that isn't billed.

    Args:
        subscription: From which.
        code: Which.
        now: This instant.

    Raises:
        NothingToChange: It has no such discount, or it is over.
    """
    period = _period(subscription, subscription.billed_to)
    ref = cycle_ref(subscription, period)
    live = [one for one in subscription.discounts if one.discount.code == code and is_live(one, ref, period.start)]
    if not live:
        raise NothingToChange
    (gone,) = live
    last = period.start - timedelta(days=1)
    over = attrs.evolve(gone, discount=attrs.evolve(gone.discount, not_after=last))
    kept = [one if one is not gone else over for one in subscription.discounts if one is not gone or one.uses]
    told = DiscountEnded(
        at=now, account=subscription.customer, subscription=subscription.id, discount=code, reason="removed"
    )
    return Decision(subscription=attrs.evolve(subscription, discounts=tuple(kept)), events=(told,))
