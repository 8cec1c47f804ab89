"""The eight ways to price a change.

The rules, in plain English:

* The rest of what is replaced is given back, and the rest of the new is charged; now, or with the next bill.
* Or cycles begin anew: the rest is given back, or forfeited, and a whole new period is charged.
* Or the difference of the two prices is charged, whatever is left of the period; never less than nothing.
* Or what is left is turned into days at the new price: the value is kept as money, and days are rounded up. That goes
  once in a while, and not into something that costs nothing.
* Or no money moves: the new price holds from the next period on. So it is at the end of a period.
* What is paid in arrears has nothing to give back.
* Where cycles count anew, all is given back that was paid ahead, and what follows is billed cycle by cycle. The first
  of them is settled with the change: billed, be it that its charge waits, or free where there is none.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.cycles import BillingMode
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.money import Money, share, total
from shopaccounts.kernel.time import instant_of
from shopaccounts.subscriptions.billing.bills import bill_next, ended_cycle
from shopaccounts.subscriptions.billing.spending import spent_in, with_spent
from shopaccounts.subscriptions.changing.exchanging import (
    Exchange,
    billed_periods,
    charged,
    forfeited,
    given_back,
    is_same,
    mirror,
    paid_ahead,
    percentages,
    remembered,
    rests,
    took_back,
)
from shopaccounts.subscriptions.changing.told import operation_key
from shopaccounts.subscriptions.changing.wishes import phase_on_day
from shopaccounts.subscriptions.charges.period_lines import cycle_ref, lines_in
from shopaccounts.subscriptions.cycles.proration import Factor, factor, period_factor
from shopaccounts.subscriptions.cycles.schedules import SegmentReason, ServicePeriod
from shopaccounts.subscriptions.cycles.segments import segment_of, service_period_of, start_instant_of
from shopaccounts.subscriptions.decision import Claimed, Decision, Outdated, TakenBack, Waits
from shopaccounts.subscriptions.due import last_day
from shopaccounts.subscriptions.errors import CannotConvertTime
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.lifecycle.regrouping import anchored_anew, instant_on, on_the_same_anchor, regrouped
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import BilledCycle, BilledFor, CycleEnd, InvoiceKind
from shopaccounts.subscriptions.papers.lines import DiscountTaken, LineDraft, LineKind
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.discounts import discount_change
from shopaccounts.subscriptions.plans.tariffs import Tariff
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.changes import NewInterval, Preset

__all__ = ["Answer", "Asked", "exactly", "priced"]


@attrs.frozen(kw_only=True)
class Asked:
    """What is asked: the subscription before and after, from which day on, in which period, and what is known."""

    before: Subscription
    after: Subscription
    facts: Facts
    day: date
    period: ServicePeriod
    at: datetime
    policy: SubscriptionPolicy
    preset: Preset

    @property
    def index(self) -> int:
        """The number of the first period that begins on the day or later, if cycles count anew from it."""
        period = self.period
        return period.index if self.day <= period.start else period.index + 1

    @property
    def is_billed(self) -> bool:
        """Whether the period that the day is in is billed."""
        return self.period.index < self.before.billed_to

    @property
    def has_other_interval(self) -> bool:
        """Whether cycles have another length afterwards."""
        old = segment_of(self.before.segments, self.period.index).cycle.interval
        new = phase_on_day(self.after.terms, self.day).interval
        return (old.total_months, old.total_days) != (new.total_months, new.total_days)


@attrs.define(kw_only=True)
class Answer:
    """What a way of pricing answers."""

    subscription: Subscription
    credits: Sequence[LineDraft] = ()
    charges: Sequence[LineDraft] = ()
    lines: Sequence[LineDraft] = ()
    cycles: tuple[Claimed, ...] = ()
    fixed_part: tuple[int, int] = (1, 1)
    notes: tuple[TakenBack, ...] = ()
    outdated: tuple[Outdated, ...] = ()
    waits: tuple[Waits, ...] = ()
    ended: tuple[BilledCycle, ...] = ()
    events: tuple[Event, ...] = ()
    wait: bool = False


def exactly(tariff: Tariff | None, quantity: int) -> Fraction:
    """Answer what a quantity costs before rounding, in minor units; nothing without a tariff."""
    return Fraction(*tariff.exactly(quantity)) if tariff is not None else Fraction(0)


def priced(asked: Asked) -> Answer:
    """Answer what a change comes to, in the way that is asked for.

    Raises:
        CannotConvertTime: What is left can't be turned into days.
        InvalidInput: Prices of cycles of different lengths have no difference.
    """
    return _WAYS[asked.preset](asked)


def _prorate(asked: Asked) -> Answer:
    """Give the rest back, charge the rest, and keep the day."""
    before, day, policy = asked.before, asked.day, asked.policy
    after, periods = asked.after, billed_periods(before, day)
    told: tuple[Event, ...] = ()
    first: ServicePeriod | None = None
    new_periods = periods
    if asked.has_other_interval:
        after, told = _other_steps(asked)
        new_periods = ()
        if asked.is_billed:
            first = service_period_of(after.segments, asked.index, end=last_day(after))
            new_periods = (first,)
            after = attrs.evolve(after, billed_to=asked.index + 1, prepaid=None)
    old, new = rests(before, periods, day, policy), rests(after, new_periods, day, policy)
    keys = [key for key in dict.fromkeys((*old, *new)) if first or not is_same(old.get(key, ()), new.get(key, ()))]
    exchange = given_back(before, asked.facts, day, frozenset(keys))
    for key in keys:
        if key in new:
            charged(before, after, asked.facts, new[key], new_periods[0], exchange)
    cycles, ended = _settled(after, first, exchange, asked.at) if first else ((), ())
    everything = [*exchange.backs, *exchange.charges]
    operation = operation_key(before, asked.preset.value, day, everything)
    backs, notes, outdated = took_back(exchange, operation, day, policy)
    return Answer(
        subscription=attrs.evolve(
            _with_spent(asked, after, exchange), replaced=remembered(before, day, old, keys, exchange)
        ),
        credits=exchange.backs,
        charges=[*exchange.charges, *exchange.restored],
        lines=[*backs, *exchange.charges],
        cycles=cycles,
        notes=notes,
        outdated=outdated,
        waits=tuple(exchange.waits),
        ended=ended,
        events=told,
        wait=asked.preset is Preset.PRORATE_NEXT,
    )


def _with_spent(asked: Asked, after: Subscription, exchange: Exchange) -> Subscription:
    """Answer what cycles have cost afterwards; where they count anew, what was paid ahead of the running one is out."""
    lines = [*exchange.backs, *exchange.charges, *exchange.restored]
    if not asked.has_other_interval:
        return with_spent(after, lines)
    mine = [line for line in exchange.backs if line.cycle is None or line.cycle.index == asked.period.index]
    before = spent_in(asked.before, asked.period.index)
    return with_spent(after.but(spent=before), [*mine, *exchange.charges, *exchange.restored])


def _other_steps(asked: Asked) -> tuple[Subscription, tuple[Event, ...]]:
    """Count other steps from the same day, beginning with the change."""
    cycle = segment_of(asked.before.segments, asked.period.index).cycle
    steps = on_the_same_anchor(cycle, phase_on_day(asked.after.terms, asked.day).interval)
    begins = instant_on(asked.before, asked.day, asked.at)
    return regrouped(asked.after, steps, begins, asked.index, SegmentReason.FREQUENCY, told_at=asked.at)


def _settled(
    after: Subscription, period: ServicePeriod, exchange: Exchange, at: datetime
) -> tuple[tuple[Claimed, ...], tuple[BilledCycle, ...]]:
    """Settle the cycle that begins with a change: by the bill of its charge, or else by a row of its own."""
    if exchange.charges:
        return (Claimed(cycle_ref(after, period), BilledFor.ADVANCE, period.start, period.end),), ()
    ended = CycleEnd.BILLED if exchange.restored else CycleEnd.FREE  # what is restored waits for an invoice already
    return (), (ended_cycle(after, period, ended, at),)


def _reset(asked: Asked) -> Answer:
    """Let cycles begin anew, and charge a whole new period."""
    before, policy = asked.before, asked.policy
    after, told = _anew(asked)
    exchange = given_back(before, asked.facts, asked.day)
    begun = Decision(subscription=after)
    if asked.is_billed:
        begun = bill_next(after, asked.at, policy, InvoiceKind.CHANGE)
    bill = begun.bills[0] if begun.bills else None
    charges = bill.lines if bill else ()
    forfeits = asked.preset is Preset.RESET_FORFEIT
    operation = operation_key(before, asked.preset.value, asked.day, (*exchange.backs, *charges))
    backs, notes, outdated = took_back(exchange, operation, asked.day, policy)
    if forfeits:
        backs, notes, outdated = [], (), forfeited(exchange)
    return Answer(
        subscription=attrs.evolve(begun.subscription, replaced=()),
        credits=() if forfeits else exchange.backs,
        charges=charges,
        lines=[*backs, *charges],
        cycles=bill.cycles if bill else (),
        fixed_part=bill.fixed_part if bill else (1, 1),
        notes=notes,
        outdated=outdated,
        waits=() if forfeits else tuple(exchange.waits),
        ended=begun.cycles,
        events=told,
    )


def _anew(asked: Asked) -> tuple[Subscription, tuple[Event, ...]]:
    """Let cycles begin on the day of the change."""
    interval = phase_on_day(asked.after.terms, asked.day).interval
    cycle = anchored_anew(asked.after, asked.day, interval, asked.policy)
    begins = instant_on(asked.before, asked.day, asked.at)
    after, told = regrouped(asked.after, cycle, begins, asked.index, SegmentReason.RESET, told_at=asked.at)
    return (attrs.evolve(after, billed_to=asked.index, prepaid=None) if asked.is_billed else after), told


def _difference(asked: Asked) -> Answer:
    """Charge the difference of the prices, whatever is left of the period."""
    if asked.has_other_interval:
        raise InvalidInput(field="preset", reason="interval")
    before, after, charges = asked.before, asked.after, []
    for period in billed_periods(before, asked.day):
        cycle, stubs = segment_of(before.segments, period.index).cycle, asked.policy.cycles
        part = period_factor(
            cycle, period, asked.policy.proration.method, first_stub=stubs.first_stub, last_stub=stubs.last_stub
        )
        for line in _in_advance(after, period.index):
            more = _price_of(after, period.index, line.key, asked.day) - _price_of(
                before, period.index, line.key, asked.day
            )
            if more > 0:
                charges.append(_dearer(asked, line, period, part, more))
    return Answer(subscription=asked.after, charges=charges, lines=charges)


def _in_advance(subscription: Subscription, index: int) -> list[SubscribedLine]:
    return [line for line in lines_in(subscription, index) if line.mode is BillingMode.IN_ADVANCE and not line.meter]


def _price_of(subscription: Subscription, index: int, key: str, day: date) -> Fraction:
    """Answer what a line costs in a whole period, exactly; nothing if there is none."""
    phase = phase_on_day(subscription.terms, day)
    lines = [line for line in _in_advance(subscription, index) if line.key == key]
    return sum((exactly(line.tariff or phase.tariff, line.quantity) for line in lines), Fraction(0))


def _dearer(asked: Asked, line: SubscribedLine, period: ServicePeriod, part: Factor, more: Fraction) -> LineDraft:
    amount = share(
        Money(1, asked.before.currency), more.numerator * part.numerator, more.denominator * part.denominator
    )
    granted = percentages(asked.before, asked.after, line.key, period, amount)
    off = discount_change(amount, granted)
    taken = tuple(DiscountTaken(one.code, cut.minor) for (one, _), cut in zip(granted, off, strict=True) if cut.minor)
    dearer = LineDraft(
        kind=LineKind.CHARGE,
        subscription=asked.before.id,
        cycle=cycle_ref(asked.before, period),
        key=line.key,
        product=line.product,
        quantity=line.quantity,
        start=max(asked.day, period.start),
        end=period.end,
        factor=part,
        amount=amount,
        discounts=taken,
        category=line.category,
    )
    return paid_ahead(asked.after, dearer)


def _convert(asked: Asked) -> Answer:
    """Turn what is left into days at the new price."""
    before, day, policy = asked.before, asked.day, asked.policy
    earliest = before.converted_on and before.converted_on + timedelta(days=policy.changes.conversion_every_days)
    exchange = given_back(before, asked.facts, day)
    value = -total((back.base for back in exchange.backs), before.currency)
    until = day + timedelta(days=_days_for(asked, value)) if value.minor > 0 else day
    if until == day or (earliest and day < earliest):
        raise CannotConvertTime
    period = asked.period
    interval = phase_on_day(asked.after.terms, until).interval
    cycle = anchored_anew(asked.after, until, interval, policy)
    begins = instant_of(until, cycle.anchor.at, cycle.anchor.zone)
    after, told = regrouped(asked.after, cycle, begins, period.index + 1, SegmentReason.RESET, told_at=asked.at)
    charges = [_kept_as_value(asked, back, until) for back in exchange.backs]
    return Answer(
        subscription=attrs.evolve(after, billed_to=period.index + 1, prepaid=None, converted_on=day, replaced=()),
        credits=exchange.backs,
        charges=charges,
        lines=[*exchange.billed, *charges],
        outdated=tuple(exchange.outdated),
        waits=tuple(exchange.waits),
        events=told,
        wait=True,
    )


def _days_for(asked: Asked, value: Money) -> int:
    """Answer how many days a value buys at the new price, the last one rounded up."""
    fresh, _ = _anew(asked)
    probe = bill_next(fresh, asked.at, asked.policy, InvoiceKind.CHANGE)
    lines = [line for bill in probe.bills for line in bill.lines if line.kind is not LineKind.SETUP_FEE]
    price = sum(line.base.minor for line in lines)
    if price <= 0:
        raise CannotConvertTime
    period = service_period_of(fresh.segments, asked.index)
    return -(-value.minor * (period.end - period.start).days // price)


def _kept_as_value(asked: Asked, back: LineDraft, until: date) -> LineDraft:
    """Answer the line on which a value goes on that was given back: as much, for other days."""
    period = asked.period
    cycle = segment_of(asked.before.segments, period.index).cycle
    lines = {line.key: line for line in asked.after.lines}
    line = lines.get(back.key, asked.after.plan_line)
    return attrs.evolve(
        mirror(back, cycle_ref(asked.before, period)),
        product=line.product,
        quantity=line.quantity,
        tariff=None,
        start=asked.day,
        end=until,
        factor=factor(cycle, period.nominal, asked.day, until, asked.policy.proration.method),
    )


def _no_money(asked: Asked) -> Answer:
    """Let the new price hold from the next period on."""
    if not asked.has_other_interval:
        return Answer(subscription=asked.after)
    before, index = asked.before, asked.before.billed_to
    interval = phase_on_day(asked.after.terms, asked.day).interval
    steps = on_the_same_anchor(segment_of(before.segments, asked.period.index).cycle, interval)
    begins = start_instant_of(before.segments, index, moved=before.moved)
    after, told = regrouped(asked.after, steps, begins, index, SegmentReason.FREQUENCY, told_at=asked.at)
    return Answer(subscription=after, events=told)


def _at_the_end(asked: Asked) -> Answer:
    """Change where nothing is billed yet: what comes is billed at the new price."""
    if not asked.has_other_interval:
        return Answer(subscription=asked.after)
    if asked.policy.changes.new_interval is NewInterval.KEEP:
        after, told = _other_steps(asked)
    else:
        after, told = _anew(asked)
    return Answer(subscription=after, events=told)


_WAYS: Final[Mapping[Preset, Callable[[Asked], Answer]]] = MappingProxyType(
    {
        Preset.PRORATE_NOW: _prorate,
        Preset.PRORATE_NEXT: _prorate,
        Preset.RESET_CREDIT: _reset,
        Preset.RESET_FORFEIT: _reset,
        Preset.DIFFERENCE: _difference,
        Preset.TIME_CONVERSION: _convert,
        Preset.NO_MONEY: _no_money,
        Preset.AT_PERIOD_END: _at_the_end,
    }
)
