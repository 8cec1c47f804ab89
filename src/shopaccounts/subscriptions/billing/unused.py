"""What is left of what was paid in advance, when something ends or changes before its period does.

The rules, in plain English:

* A credit starts from what was billed, after discounts, and never exceeds what is still there of it.
* The part that is unused is measured as the line itself was: a stub's credit starts from what the stub cost.
* Where the end of a cycle was moved, what is left counts up to where it ends now.
* What was set up, used or taken back before gives nothing back. From the day on which a line is credited, it counts no
  more: nothing is credited twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import attrs

from shopaccounts.kernel.money import Money, share
from shopaccounts.subscriptions.cycles.proration import Factor, factor
from shopaccounts.subscriptions.cycles.schedules import Segment
from shopaccounts.subscriptions.cycles.segments import segment_numbered, service_period_of
from shopaccounts.subscriptions.decision import TakenBack
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import CreditTo, Invoice, InvoiceState
from shopaccounts.subscriptions.papers.lines import DiscountTaken, Line, LineDraft, LineKind

__all__ = [
    "PAID_AHEAD",
    "Unused",
    "ahead_lines",
    "credits_for_unused",
    "discounts_of",
    "notes_for",
    "rest_of",
    "unused_lines",
]

PAID_AHEAD = frozenset({LineKind.RECURRING, LineKind.STUB, LineKind.ADD_ON, LineKind.CHARGE})
"""The kinds of lines that are paid before they are used."""
_BILLED = frozenset({InvoiceState.OPEN, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE})


@attrs.frozen
class Unused:
    """How much of a line's base is unused from a day on.

    Args:
        invoice: The invoice that it is on.
        number: Which of its lines.
        line: The line.
        base: How much of its base is unused.
    """

    invoice: Invoice
    number: int
    line: Line
    base: Money


def ahead_lines(
    subscription: Subscription, invoices: Mapping[str, Invoice], day: date, *, keys: frozenset[str] | None = None
) -> Iterator[Unused]:
    """Answer the lines of invoices that last beyond a day, with what is unused of each, be it nothing.

    Args:
        subscription: Whose.
        invoices: Those that it names as live, by id.
        day: The first day that isn't used.
        keys: Of which lines of the subscription; None for all.
    """
    for live in subscription.live:
        invoice = invoices[live.invoice]
        for number, line in enumerate(invoice.lines, 1):
            wanted = line.subscription == subscription.id and (keys is None or line.key in keys)
            if (
                wanted
                and line.kind in PAID_AHEAD
                and invoice.state in _BILLED
                and day < _lasts_until(subscription, line)
            ):
                yield Unused(invoice, number, line, _unused(subscription, line, day))


def unused_lines(
    subscription: Subscription, invoices: Mapping[str, Invoice], day: date, *, keys: frozenset[str] | None = None
) -> Iterator[Unused]:
    """Answer what is unused from a day on of what a subscription paid in advance, line by line.

    Args:
        subscription: Whose.
        invoices: Those that it names as live, by id.
        day: The first day that isn't used.
        keys: Of which lines of the subscription; None for all.
    """
    return (left for left in ahead_lines(subscription, invoices, day, keys=keys) if not left.base.is_zero)


def rest_of(subscription: Subscription, line: LineDraft, day: date) -> Factor | None:
    """Answer which part of its nominal period is left of a line from a day on; None of one that isn't measured."""
    if line.cycle is None or line.factor is None:
        return None
    if day <= line.start:
        return line.factor
    segment = segment_numbered(subscription.segments, line.cycle.segment)
    if segment is None:
        return line.factor
    nominal = segment.cycle.period(_place_of(segment) + line.cycle.index)
    return factor(segment.cycle, nominal, day, max(day, _cycle_ends(subscription, line)), line.factor.method)


def _lasts_until(subscription: Subscription, line: Line) -> date:
    """Answer the day from which on a line counts no more."""
    return line.live_until or _cycle_ends(subscription, line)


def _cycle_ends(subscription: Subscription, line: LineDraft) -> date:
    """Answer where a line ends that was billed up to the end of its cycle, as that is now: it may have been moved."""
    if line.cycle is None:
        return line.end
    segments, index = subscription.segments, line.cycle.index
    following = next((one for one in segments if one.number > line.cycle.segment), None)
    if following and following.first_index <= index + 1 and following.start <= line.start:
        return line.start  # nothing of it was served: cycles count anew from its first day on
    period = service_period_of(segments, index, moved=subscription.moved)
    lasts = period.segment == line.cycle.segment and line.end >= period.scheduled_end
    return period.end if lasts else line.end


def _place_of(segment: Segment) -> int:
    return segment.cycle.index_on(segment.start) - segment.first_index


def _unused(subscription: Subscription, line: Line, day: date) -> Money:
    """Answer how much of a line's base is unused, no more than is left of it."""
    left = rest_of(subscription, line, day)
    if left is None or line.factor is None or day <= line.start:
        return line.creditable
    if not line.factor.numerator:
        return line.creditable * 0
    return min(share(line.base, left.numerator, line.factor.numerator), line.creditable)


def discounts_of(subscription: Subscription, line: LineDraft, day: date, base: Money) -> tuple[DiscountTaken, ...]:
    """Answer what of the discounts of a line goes with the part of it that is unused.

    Args:
        subscription: Whose.
        line: The line.
        day: The first day that isn't used.
        base: How much of the line's base is unused.
    """
    if not line.discounts:
        return ()
    whole, part = line.base.minor, base.minor
    if not whole:
        left = rest_of(subscription, line, day)
        part, whole = (left.numerator, line.factor.numerator) if left and line.factor else (1, 1)
    taken = [(one.code, share(Money(one.minor, base.currency), part, whole or 1).minor) for one in line.discounts]
    return tuple(DiscountTaken(code, minor) for code, minor in taken)


def credits_for_unused(
    subscription: Subscription, invoices: Mapping[str, Invoice], day: date, to: CreditTo, *, reason: str
) -> tuple[TakenBack, ...]:
    """Answer the credit notes for all that is unused from a day on, one for each invoice.

    Args:
        subscription: Whose.
        invoices: Those that it names as live, by id.
        day: The first day that isn't used.
        to: Where goes what isn't owed any more.
        reason: Why, as a word.
    """
    return notes_for(subscription, unused_lines(subscription, invoices, day), day, to, reason=reason)


def notes_for(
    subscription: Subscription, unused: Iterable[Unused], day: date, to: CreditTo, *, reason: str
) -> tuple[TakenBack, ...]:
    """Answer the credit notes for some lines, one for each invoice.

    Args:
        subscription: Whose.
        unused: What is taken back of which lines.
        day: The first day that isn't used.
        to: Where goes what isn't owed any more.
        reason: Why, as a word.
    """
    wanted: dict[str, dict[int, Money]] = {}
    for left in unused:
        if not left.base.is_zero:
            wanted.setdefault(left.invoice.id, {})[left.number] = left.base
    return tuple(
        TakenBack(
            key=f"{subscription.id}/{reason}/{day.isoformat()}/{invoice}",
            invoice=invoice,
            wanted=lines,
            to=to,
            reason=reason,
            live_until=day,
        )
        for invoice, lines in wanted.items()
    )
