"""What waits for an invoice, when what it is for ends or changes before it is written.

The rules, in plain English:

* What waits isn't billed yet. It is cut where it ends, and nothing has to be given back.
* What is measured is the part that isn't used, as with a line that is billed; the rest goes on waiting.
"""

from collections.abc import Iterable, Iterator
from datetime import date

import attrs

from shopaccounts.kernel.money import Money, share
from shopaccounts.subscriptions.billing.unused import PAID_AHEAD, rest_of
from shopaccounts.subscriptions.cycles.proration import Factor
from shopaccounts.subscriptions.decision import Waits
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.lines import DiscountTaken, LineDraft, LineKind, PendingLine

__all__ = ["CutShort", "cut_short", "cut_waiting", "waiting_ahead"]


@attrs.frozen
class CutShort:
    """A line that waits, cut: what isn't billed of it, as a credit, and what goes on waiting, if anything does."""

    back: LineDraft
    kept: PendingLine | None


def waiting_ahead(
    subscription: Subscription, pending: Iterable[PendingLine], day: date, *, keys: frozenset[str] | None = None
) -> Iterator[PendingLine]:
    """Answer which lines that wait are for days from a day on.

    Args:
        subscription: Whose.
        pending: What waits in the account.
        day: The first day that isn't used.
        keys: Of which lines of the subscription; None for all.
    """
    for one in pending:
        line = one.line
        wanted = line.subscription == subscription.id and (keys is None or line.key in keys)
        if wanted and line.kind in PAID_AHEAD and day < line.end:
            yield one


def cut_waiting(subscription: Subscription, pending: Iterable[PendingLine], day: date) -> tuple[Waits, ...]:
    """Answer what waits from now on, where nothing is used any more from a day on.

    Args:
        subscription: Whose.
        pending: What waits in the account.
        day: The first day that isn't used.
    """
    ahead = waiting_ahead(subscription, pending, day)
    return tuple(Waits(one.id, cut_short(subscription, one, day).kept) for one in ahead)


def cut_short(subscription: Subscription, pending: PendingLine, day: date) -> CutShort:
    """Cut a line that waits at a day: what isn't used of it isn't billed."""
    line, left = pending.line, rest_of(subscription, pending.line, day)
    part = (left.numerator, line.factor.numerator) if left and line.factor and line.factor.numerator else (1, 1)
    amount = share(line.amount, *part)
    off = tuple(
        DiscountTaken(one.code, share(Money(one.minor, amount.currency), *part).minor) for one in line.discounts
    )
    back = attrs.evolve(
        line,
        kind=LineKind.CREDIT,
        start=max(day, line.start),
        factor=left,
        amount=-amount,
        discounts=tuple(DiscountTaken(one.code, -one.minor) for one in off),
    )
    if day <= line.start:
        return CutShort(back, None)
    less = zip(line.discounts, off, strict=True)
    rest = attrs.evolve(
        line,
        end=day,
        amount=line.amount - amount,
        discounts=tuple(DiscountTaken(one.code, one.minor - gone.minor) for one, gone in less),
        factor=_used(line.factor, left),
    )
    return CutShort(back, attrs.evolve(pending, line=rest))


def _used(whole: Factor | None, left: Factor | None) -> Factor | None:
    if whole is None or left is None:
        return whole
    return Factor(whole.numerator - left.numerator, whole.denominator, whole.method)
