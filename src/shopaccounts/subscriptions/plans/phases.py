"""Phases: a trial first, then an introduction, then the price that stays; and how long each of them lasts.

The rules, in plain English:

* Phases come in this order: at most one trial, any number of introductions, a fixed term, evergreen. The last one is
  evergreen, which has no end, or a fixed term.
* Days and months run from the day on which the phase begins. Months keep the day of the month, or take the last day of
  a shorter one. Months upon months keep the first one's day, and from a boundary they keep the agreed day, so that a
  phase that began on the 31st ends on a 31st again.
* So many cycles are whole cycles. What is left of a running cycle, when a phase begins inside it, comes on top.
* The end of a phase cuts lines, never cycles: a period with a change in it has one line for each phase, and the next
  period begins when it would have begun anyway.
* A phase with another interval counts its own cycles from its first day.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import Enum
from itertools import pairwise
from typing import Final, final

import attrs

from shopaccounts.kernel.cycles import Cycle, Interval
from shopaccounts.kernel.money import Currency
from shopaccounts.kernel.time import DateOutOfRange, add_months, require_day
from shopaccounts.subscriptions.cycles.schedules import BillingDay, StartDay, open_cycle
from shopaccounts.subscriptions.plans.checks import require_plan, whole_number
from shopaccounts.subscriptions.plans.tariffs import Tariff, are_tariffs, require_prices

__all__ = [
    "Cycles",
    "Days",
    "Length",
    "Months",
    "Phase",
    "PhaseKind",
    "PhaseSpan",
    "phase_end",
    "phase_on",
    "phase_spans",
    "phases_within",
    "require_phases",
]

_MOST_DAYS: Final = 3660
_MOST_MONTHS: Final = 120


@final
@attrs.frozen
class Days:
    """So many local days, 1 to 3660.

    Raises:
        BadPlan: There are fewer or more.
    """

    count: int = attrs.field(validator=whole_number(1, _MOST_DAYS))


@final
@attrs.frozen
class Months:
    """So many calendar months, 1 to 120.

    Raises:
        BadPlan: There are fewer or more.
    """

    count: int = attrs.field(validator=whole_number(1, _MOST_MONTHS))


@final
@attrs.frozen
class Cycles:
    """So many whole cycles, 1 to 3660.

    Raises:
        BadPlan: There are fewer or more.
    """

    count: int = attrs.field(validator=whole_number(1, _MOST_DAYS))


Length = Days | Months | Cycles
"""How long something lasts that has an end."""


class PhaseKind(Enum):
    """What a phase is; a plan has them in this order."""

    TRIAL = "trial"
    INTRO = "intro"
    FIXED_TERM = "fixed_term"
    EVERGREEN = "evergreen"


_ORDER: Final = {kind: place for place, kind in enumerate(PhaseKind)}


@final
@attrs.frozen
class Phase:
    """A part of a subscription's life with prices of its own.

    Args:
        kind: What it is.
        length: How long it lasts; None for an evergreen phase, which has no end.
        prices: A tariff for each currency of the plan. A trial without any is free.
        interval: How long its cycles are, where that differs from the plan's.

    Raises:
        BadPlan: An evergreen phase has a length, or another one none; no prices, two in one currency, or one in a
            currency that went out of use.
        TypeError: A field is of another type.
    """

    kind: PhaseKind = attrs.field(validator=attrs.validators.instance_of(PhaseKind))
    length: Length | None = attrs.field(
        validator=attrs.validators.optional(attrs.validators.instance_of((Days, Months, Cycles)))
    )
    prices: tuple[Tariff, ...] = attrs.field(default=(), validator=are_tariffs)
    interval: Interval | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.instance_of(Interval))
    )

    def __attrs_post_init__(self) -> None:
        evergreen = self.kind is PhaseKind.EVERGREEN
        require_plan((self.length is None) == evergreen, "each phase has a length, and an evergreen one has none")
        require_plan(bool(self.prices) or self.kind is PhaseKind.TRIAL, "only a trial is free of any price")
        require_prices("a phase", self.prices)

    @property
    def currencies(self) -> frozenset[Currency]:
        """The currencies in which it has a price."""
        return frozenset(tariff.currency for tariff in self.prices)


@final
@attrs.frozen
class PhaseSpan:
    """The days of a phase, from ``start`` to before ``end`` or for ever; ``cycle`` is the one that it is billed in."""

    phase: Phase
    start: date
    end: date | None
    cycle: Cycle


def require_phases(phases: Sequence[Phase]) -> frozenset[Currency]:
    """Demand that *phases* make a plan, and answer the currencies that it is sold in.

    Raises:
        BadPlan: There are none; their order is wrong; there are two trials, two fixed terms, or two evergreen phases;
            the last one is a trial or an introduction; not all are sold in the same currencies.
    """
    require_plan(bool(phases), "a plan has at least one phase")
    for before, after in pairwise(phases):
        require_plan(
            _ORDER[before.kind] < _ORDER[after.kind] or before.kind is after.kind is PhaseKind.INTRO,
            f"no {after.kind.value} follows a phase that is {before.kind.value}",
        )
    require_plan(
        phases[-1].kind in {PhaseKind.FIXED_TERM, PhaseKind.EVERGREEN}, "the last phase is a fixed term or evergreen"
    )
    sold_in = {phase.currencies for phase in phases if phase.prices}
    require_plan(len(sold_in) == 1, "all phases are priced in the same currencies")
    return sold_in.pop()


def phase_end(
    length: Length | None, start: date, cycle: Cycle, *, nominal: int | None = None, done: int = 0
) -> date | None:
    """Answer the day after the last one of a phase.

    Args:
        length: How long it lasts; None has no end.
        start: Its first day; for so many cycles, where they were last counted from.
        cycle: The cycles that are billed.
        nominal: The day of the month that months aim at, where it isn't that of *start*.
        done: How many of its whole cycles were over before *start*, when cycles are counted anew inside a phase.

    Raises:
        DateOutOfRange: It lies beyond the year 9999.
        TypeError: *start* is a datetime.
    """
    match length:
        case None:
            return None
        case Days(count):
            return _days_after(start, count)
        case Months(count):
            return add_months(start, count, anchor_day=nominal)
        case Cycles(count):
            return cycle.boundary(_first_whole(cycle, start) + count - done)


def _days_after(start: date, count: int) -> date:
    try:
        return require_day(start) + timedelta(days=count)
    except OverflowError:
        raise DateOutOfRange from None


def _first_whole(cycle: Cycle, start: date) -> int:
    """Answer the index of the first cycle that begins on *start* or later."""
    index = cycle.index_on(start)
    return index if cycle.boundary(index) == start else index + 1


def _nominal(start: date, cycle: Cycle) -> int:
    """Answer the day of the month that months from *start* aim at: the agreed one, if *start* stands for it."""
    on_grid = cycle.interval.total_months and cycle.boundary_on_or_after(start) == start
    return cycle.anchor.day if on_grid else start.day


def phase_spans(
    phases: Sequence[Phase], start: date, cycle: Cycle, interval: Interval, day: BillingDay | None = None
) -> tuple[PhaseSpan, ...]:
    """Answer the days of each phase of a subscription that begins on *start*.

    Args:
        phases: The phases, or those that are still to come.
        start: The first day of the first of them.
        cycle: The cycles that are billed from that day on.
        interval: How long the cycles are of a phase that doesn't say so itself.
        day: On which day cycles begin, should a phase with another interval open new ones; its first day by default.

    Raises:
        BadPlan: *day* doesn't suit the interval of a phase.
        DateOutOfRange: A phase ends beyond the year 9999.
        TypeError: *start* is a datetime.
    """
    spans: list[PhaseSpan] = []
    begin, nominal = require_day(start), None
    for phase in phases:
        wanted = phase.interval or interval
        if wanted != cycle.interval:
            anchor = cycle.anchor
            cycle = open_cycle(begin, wanted, day or StartDay(), zone=anchor.zone, at=anchor.at)
        nominal = (nominal or _nominal(begin, cycle)) if isinstance(phase.length, Months) else None
        end = phase_end(phase.length, begin, cycle, nominal=nominal)
        spans.append(PhaseSpan(phase, begin, end, cycle))
        if end is None:
            break
        begin = end
    return tuple(spans)


def phase_on(spans: Sequence[PhaseSpan], day: date) -> PhaseSpan | None:
    """Answer which phase a day is in; None before the first one and after a fixed term.

    Raises:
        TypeError: *day* is a datetime.
    """
    require_day(day)
    return next((span for span in spans if span.start <= day and (span.end is None or day < span.end)), None)


def phases_within(spans: Sequence[PhaseSpan], start: date, end: date) -> tuple[PhaseSpan, ...]:
    """Answer the pieces into which phases cut the service period from *start* up to *end*, each a line of its own.

    Raises:
        TypeError: One of the days is a datetime.
    """
    require_day(start)
    require_day(end)
    return tuple(
        PhaseSpan(span.phase, max(span.start, start), end if span.end is None else min(span.end, end), span.cycle)
        for span in spans
        if span.start < end and (span.end is None or start < span.end)
    )
