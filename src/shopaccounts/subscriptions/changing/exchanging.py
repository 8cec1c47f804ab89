"""What a change gives back of what is paid, and what it charges instead, while cycles stay as they are.

The rules, in plain English:

* Of each line that is replaced the rest is given back, and the rest of the new one is charged. Lines that stay as they
  are, are left alone.
* What is given back starts from what was billed, with the part of each discount that was granted on it. The new line
  has the same percentage off, or as much of a fixed amount as was given back. In cycles that were paid at once it has
  the same reduction.
* What waits for an invoice isn't billed yet. It is cut, and nothing has to be given back.
* A change that restores on the same day what another change took back gives exactly that again: amount, discount and
  tax to the cent, and no new rounding.
* Nothing is on no line: what comes to zero isn't written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import attrs

from shopaccounts.kernel.money import Money, share
from shopaccounts.subscriptions.billing.bills import is_skipped
from shopaccounts.subscriptions.billing.unused import ahead_lines, discounts_of, rest_of
from shopaccounts.subscriptions.billing.waiting_lines import cut_short, waiting_ahead
from shopaccounts.subscriptions.changing.wishes import period_on
from shopaccounts.subscriptions.charges.period_lines import cycle_ref, rest_lines
from shopaccounts.subscriptions.cycles.schedules import CycleRef, ServicePeriod
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.decision import Outdated, TakenBack, Waits
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.invoices.crediting import credit_draft, credit_note_lines
from shopaccounts.subscriptions.model import Replaced, Subscription
from shopaccounts.subscriptions.papers.documents import CreditLine
from shopaccounts.subscriptions.papers.lines import DiscountTaken, LineDraft, LineKind, LineRef, PendingLine
from shopaccounts.subscriptions.plans.discounts import PREPAID_CODE, Discount, Percent, discount_change, is_live
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.changes import CreditForm

__all__ = [
    "Exchange",
    "billed_periods",
    "charged",
    "forfeited",
    "given_back",
    "is_same",
    "mirror",
    "paid_ahead",
    "percentages",
    "remembered",
    "rests",
    "took_back",
]

Rests = Mapping[str, tuple[LineDraft, ...]]
"""What the rest of each line is, by its key."""


@attrs.define(kw_only=True)
class Exchange:
    """What is given back and what is charged, as far as it is known.

    Args:
        backs: What is given back, as lines; those that only waited among them.
        billed: Those of them that were on an invoice.
        charges: What is charged instead.
        restored: What waits again as it did before a change of the same day.
        waits: What lines are now that waited for an invoice.
        outdated: Lines that count no more though nothing of them is taken back.
        waited: The lines that waited, as they were, by their line's key.
    """

    backs: list[LineDraft] = attrs.field(factory=list)
    billed: list[LineDraft] = attrs.field(factory=list)
    charges: list[LineDraft] = attrs.field(factory=list)
    restored: list[LineDraft] = attrs.field(factory=list)
    waits: list[Waits] = attrs.field(factory=list)
    outdated: list[Outdated] = attrs.field(factory=list)
    waited: dict[str, list[PendingLine]] = attrs.field(factory=dict)

    def back_for(self, key: str) -> list[LineDraft]:
        """Answer what is given back of a line."""
        return [back for back in self.backs if back.key == key]


def billed_periods(subscription: Subscription, day: date) -> tuple[ServicePeriod, ...]:
    """Answer the cycles that are billed in advance and last beyond a day, but for those that were left out."""
    first = period_on(subscription, day).index
    return tuple(
        service_period_of(subscription.segments, index, moved=subscription.moved)
        for index in range(first, subscription.billed_to)
        if not is_skipped(subscription, index)
    )


def rests(subscription: Subscription, periods: Iterable[ServicePeriod], day: date, policy: SubscriptionPolicy) -> Rests:
    """Answer what the rest of some cycles is, from a day on, line by line."""
    found: dict[str, list[LineDraft]] = {}
    for period in periods:
        for line in rest_lines(subscription, period, day, policy):
            found.setdefault(line.key, []).append(line)
    return {key: tuple(lines) for key, lines in found.items()}


def is_same(before: Sequence[LineDraft], after: Sequence[LineDraft]) -> bool:
    """Tell whether two rests are of the same product, price, quantity and days."""
    return list(map(_what, before)) == list(map(_what, after))


def _what(line: LineDraft) -> tuple[object, ...]:
    return line.product, line.quantity, line.tariff, line.start, line.end


def given_back(subscription: Subscription, facts: Facts, day: date, keys: frozenset[str] | None = None) -> Exchange:
    """Answer what is unused from a day on of what was billed, or waits to be billed.

    Args:
        subscription: Whose.
        facts: Its invoices, and what waits.
        day: The first day that isn't used.
        keys: Of which lines; None for all.
    """
    exchange = Exchange()
    for left in ahead_lines(subscription, facts.invoices, day, keys=keys):
        line, ref = left.line, LineRef(left.invoice.id, left.number)
        back = (
            CreditLine(line=left.number, base=left.base, taxed=(0,) * len(line.taxed), gross=left.base)
            if left.base.is_zero
            else credit_note_lines(left.invoice, {left.number: left.base})[0]
        )
        draft = credit_draft(
            left.invoice,
            back,
            start=max(day, line.start),
            end=line.end,
            factor=rest_of(subscription, line, day),
            discounts=discounts_of(subscription, line, day, left.base),
        )
        if draft.amount.is_zero:
            exchange.outdated.append(Outdated(ref, draft.start))
        else:
            exchange.backs.append(draft)
            exchange.billed.append(draft)
    for pending in waiting_ahead(subscription, facts.pending, day, keys=keys):
        cut = cut_short(subscription, pending, day)
        exchange.backs.append(cut.back)
        exchange.waits.append(Waits(pending.id, cut.kept))
        exchange.waited.setdefault(pending.line.key, []).append(pending)
    return exchange


def forfeited(exchange: Exchange) -> tuple[Outdated, ...]:
    """Answer which lines count no more when nothing is given back of them."""
    return (
        *exchange.outdated,
        *(Outdated(back.credits_line, back.start) for back in exchange.billed if back.credits_line is not None),
    )


def charged(
    before: Subscription,
    after: Subscription,
    facts: Facts,
    rest: Sequence[LineDraft],
    period: ServicePeriod,
    exchange: Exchange,
) -> None:
    """Charge the rest of one new line.

    Args:
        before: As it was.
        after: As it is.
        facts: What waits.
        rest: What the rest of the line is.
        period: The cycle that it begins in.
        exchange: Where it goes, with what is given back.
    """
    key = rest[0].key
    again = _taken_before(before, after, facts, rest)
    if again is not None:
        ref = rest[0].cycle if len({line.cycle for line in rest}) == 1 else None
        for back in again.backs:
            (exchange.charges if back.credits_line else exchange.restored).append(mirror(back, ref))
        exchange.waits += [Waits(pending.id, _waiting_for(pending, ref)) for pending in again.waited]
        return
    granted = _granted(before, after, exchange.back_for(key), rest[0], period)
    for piece in rest:
        if piece.amount.is_zero:
            continue
        off = discount_change(piece.amount, granted)
        taken = tuple(DiscountTaken(one.code, part.minor) for (one, _), part in zip(granted, off, strict=True))
        granted = [(one, back - part) for (one, back), part in zip(granted, off, strict=True)]
        line = attrs.evolve(piece, kind=LineKind.CHARGE, discounts=tuple(each for each in taken if each.minor))
        exchange.charges.append(paid_ahead(after, line))


def _taken_before(
    before: Subscription, after: Subscription, facts: Facts, rest: Sequence[LineDraft]
) -> Replaced | None:
    """Answer what a change took back on the same day, if this restores it; none of which a part is billed since."""
    still = {pending.id for pending in facts.pending}
    codes = {PREPAID_CODE, *(applied.discount.code for applied in after.discounts)}
    for one in before.replaced:
        if one.key == rest[0].key and is_same(one.was, rest):
            granted = {taken.code for back in one.backs for taken in back.discounts}
            unbilled = all(was.line.start >= one.on or was.id in still for was in one.waited)
            return one if granted <= codes and unbilled else None
    return None


def _waiting_for(pending: PendingLine, ref: CycleRef | None) -> PendingLine:
    """Answer what waits again, for the cycle that it is for by now."""
    return attrs.evolve(pending, line=attrs.evolve(pending.line, cycle=ref or pending.line.cycle))


def mirror(back: LineDraft, ref: CycleRef | None) -> LineDraft:
    """Answer what gives exactly that again which was taken back; for the same cycle, or for another."""
    return attrs.evolve(
        back,
        kind=LineKind.CHARGE,
        cycle=ref or back.cycle,
        amount=-back.amount,
        discounts=tuple(DiscountTaken(one.code, -one.minor) for one in back.discounts),
        taxed=None if back.taxed is None else tuple(-minor for minor in back.taxed),
        credits_line=None,
    )


def _granted(
    before: Subscription,
    after: Subscription,
    backs: Sequence[LineDraft],
    piece: LineDraft,
    period: ServicePeriod,
) -> list[tuple[Discount, Money]]:
    """Answer the discounts of a new line, in the order in which they act, each with what of it was given back."""
    nothing = piece.amount * 0
    gave: dict[str, int] = {}
    for back in backs:
        for taken in back.discounts:
            gave[taken.code] = gave.get(taken.code, 0) - taken.minor
    ordered = sorted(after.discounts, key=lambda applied: applied.discount.position)
    if backs:
        return [
            (applied.discount, Money(gave[applied.discount.code], nothing.currency))
            for applied in ordered
            if applied.discount.code in gave
        ]
    return percentages(before, after, piece.key, period, nothing)


def paid_ahead(subscription: Subscription, line: LineDraft) -> LineDraft:
    """Answer a line of a change as it is in a cycle that was paid with others: with the same part off.

    Args:
        subscription: As it is after the change.
        line: A line with its discounts.
    """
    run = subscription.prepaid
    if run is None or line.cycle is None or not run.holds(line.cycle.index):
        return line
    off = share(line.base, run.option.off.numerator, run.option.off.denominator)
    if off.is_zero:
        return line
    return attrs.evolve(line, discounts=(*line.discounts, DiscountTaken(PREPAID_CODE, off.minor)))


def percentages(
    before: Subscription, after: Subscription, key: str, period: ServicePeriod, amount: Money
) -> list[tuple[Discount, Money]]:
    """Answer the percentages that a line has off in a cycle that it had no part in; nothing of them was given back."""
    ref = cycle_ref(before, period)
    return [
        (applied.discount, amount * 0)
        for applied in sorted(after.discounts, key=lambda one: one.discount.position)
        if isinstance(applied.discount.kind, Percent)
        and applied.discount.is_for(key)
        and is_live(applied, ref, period.start)
    ]


def remembered(
    subscription: Subscription, day: date, was: Rests, keys: Iterable[str], exchange: Exchange
) -> tuple[Replaced, ...]:
    """Answer what the changes of a day took back, with what this one does."""
    new = [
        Replaced(
            on=day,
            key=key,
            was=was[key],
            backs=tuple(exchange.back_for(key)),
            waited=tuple(exchange.waited.get(key, ())),
        )
        for key in keys
        if key in was
    ]
    earlier = [
        one
        for one in subscription.replaced
        if one.on == day and not any(one.key == other.key and is_same(one.was, other.was) for other in new)
    ]
    return (*earlier, *new)


def took_back(
    exchange: Exchange, key: str, day: date, policy: SubscriptionPolicy
) -> tuple[list[LineDraft], tuple[TakenBack, ...], tuple[Outdated, ...]]:
    """Answer how what is given back is written: as lines of a bill, or as credit notes against the old ones."""
    if policy.changes.credit_form is CreditForm.LINES:
        return exchange.billed, (), tuple(exchange.outdated)
    wanted: dict[str, dict[int, Money]] = {}
    gone = list(exchange.outdated)
    for back in exchange.billed:
        ref = back.credits_line
        if ref is not None and back.base.minor:
            wanted.setdefault(ref.invoice, {})[ref.number] = -back.base
        elif ref is not None:
            gone.append(Outdated(ref, back.start))
    notes = tuple(_notes(wanted, key, day, policy))
    return [], notes, tuple(gone)


def _notes(
    wanted: Mapping[str, Mapping[int, Money]], key: str, day: date, policy: SubscriptionPolicy
) -> Iterator[TakenBack]:
    for invoice, lines in wanted.items():
        yield TakenBack(
            key=f"{key}/{invoice}",
            invoice=invoice,
            wanted=lines,
            to=policy.invoices.credit_to,
            reason="change",
            live_until=day,
        )
