"""Proration: which part of a price a part of a period costs.

The rules, in plain English:

* A part costs its share of the whole *nominal* period that it lies in: 18 of the 31 days from 5 March to 5 April. Not
  of 30 days, not of the month in which the bill is written, and not of a stub.
* Days are counted by the calendar: a day of 23 hours is a day.
* Where months count 30 days each, a boundary counts as the day of the month that was agreed, so that a whole period is
  one, and so are the two sides of every cut.
* Seconds are real ones: a month in which clocks are set forward is an hour shorter.
* A share is kept as a fraction. A line is rounded once, when price, quantity and fraction have been multiplied; a total
  is the sum of its lines.
* A period whose boundary was moved costs what it cost before. What is left of it is counted to its actual end, over the
  days of its nominal period.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Final, Never, final

import attrs

from shopaccounts.kernel.cycles import Cycle, Period
from shopaccounts.kernel.money import BadShare, Money, allocate, share
from shopaccounts.kernel.time import InvalidDateSequence, instant_of, require_day, require_instant
from shopaccounts.subscriptions.cycles.schedules import ServicePeriod

__all__ = [
    "Factor",
    "Method",
    "StubPricing",
    "factor",
    "factor_between",
    "factor_left",
    "factors",
    "line_amount",
    "period_factor",
    "prorate",
    "shown_sum",
    "split_price",
]

_DAYS_IN_MONTH: Final = 30
_MONTHS_IN_YEAR: Final = 12
_SHOWN_DIGITS: Final = 9
_ONE_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Method(Enum):
    """How the part of a period is measured."""

    ACTUAL_DAYS = "actual_days"
    """Calendar days of the part over those of the whole period."""
    FIXED_30 = "fixed_30"
    """Months of 30 days; for days and weeks, calendar days."""
    SECONDS = "seconds"
    """Seconds of the part over those of the whole period."""
    NONE = "none"
    """Whole periods cost their price, parts of them nothing."""


class StubPricing(Enum):
    """What a period costs that the schedule made shorter than a whole one."""

    PRORATE = "prorate"
    """Its share."""
    FULL = "full"
    """As much as a whole one."""
    FREE = "free"
    """Nothing."""


@final
@attrs.frozen
class Factor:
    """Which part of a price is to be paid, as an exact fraction; more than the whole is possible.

    Args:
        numerator: Units of the part.
        denominator: Units of the whole nominal period.
        method: What the units are.

    Raises:
        BadShare: The numerator is negative, or the denominator not above zero.
        TypeError: One of them is no int, or *method* no ``Method``.
    """

    numerator: int
    denominator: int
    method: Method

    def __attrs_post_init__(self) -> None:
        _require_ints(self.numerator, self.denominator)
        if type(self.method) is not Method:
            _refuse_method(self.method)
        if self.numerator < 0 or self.denominator <= 0:
            raise BadShare

    def rounded(self, digits: int = _SHOWN_DIGITS) -> Decimal:
        """Answer it as a decimal number, half up: to be shown and audited, never to be multiplied with a price.

        Args:
            digits: How many decimals.
        """
        return _decimal(self._units(digits), digits)

    def _units(self, digits: int) -> int:
        return (2 * self.numerator * int(10**digits) + self.denominator) // (2 * self.denominator)


def _decimal(units: int, digits: int) -> Decimal:
    return Decimal(f"{units}E-{digits}")  # exact, whatever the decimal context


def _require_ints(*numbers: int) -> None:
    for number in numbers:
        if type(number) is not int:
            msg = f"a share is made of ints, not {number!r}"
            raise TypeError(msg)


def _refuse_method(method: object) -> Never:
    msg = f"a method is a Method, not {method!r}"
    raise TypeError(msg)


def factor(cycle: Cycle, nominal: Period, start: date, end: date, method: Method) -> Factor:
    """Answer which part of a nominal period the days from *start* to *end*, excluded, are.

    Args:
        cycle: Whose boundaries count as the agreed day, and at whose wall time days begin where seconds are counted.
        nominal: The whole period of the cycle; it costs the whole price.
        start: The first day of the part.
        end: The day after its last; days beyond the nominal period count too.
        method: How the part is measured. Where it is ``FIXED_30`` and the cycle counts days or weeks, the answer is
            measured, and marked, as ``ACTUAL_DAYS``.

    Raises:
        InvalidDateSequence: *end* is before *start*.
        TypeError: One of the days is a datetime, or *method* no ``Method``.
    """
    if require_day(end) < require_day(start):
        raise InvalidDateSequence(start, end)
    months = cycle.interval.total_months
    if method is Method.ACTUAL_DAYS or (method is Method.FIXED_30 and not months):
        return Factor((end - start).days, nominal.days, Method.ACTUAL_DAYS)
    if method is Method.FIXED_30:
        return Factor(_day_of_30(cycle, end) - _day_of_30(cycle, start), _DAYS_IN_MONTH * months, method)
    if method is Method.SECONDS:
        whole = _seconds(cycle, nominal.end) - _seconds(cycle, nominal.start)
        return Factor(_seconds(cycle, end) - _seconds(cycle, start), whole, method)
    if method is Method.NONE:
        return Factor(int(start <= nominal.start and nominal.end <= end), 1, method)
    _refuse_method(method)


def _day_of_30(cycle: Cycle, day: date) -> int:
    """Number a day by months of 30 days, a boundary of the cycle by the day of the month that was agreed."""
    is_boundary = cycle.boundary_on_or_after(day) == day
    in_month = cycle.anchor.day if is_boundary else day.day
    return (day.year * _MONTHS_IN_YEAR + day.month) * _DAYS_IN_MONTH + in_month


def _seconds(cycle: Cycle, day: date) -> int:
    return _whole_seconds(instant_of(day, cycle.anchor.at, cycle.anchor.zone))


def _whole_seconds(at: datetime) -> int:
    return (require_instant(at) - _EPOCH) // _SECOND


def factor_between(cycle: Cycle, n: int, start: datetime, end: datetime) -> Factor:
    """Answer which part of nominal period *n* the seconds between two instants are.

    Args:
        cycle: Whose period.
        n: Its number in the cycle.
        start: The beginning of the part; fractions of a second are cut off.
        end: Its end; seconds beyond the period count too.

    Raises:
        InvalidDateSequence: *end* is before *start*.
        BadShare: The period has no length, because its only day never existed in the zone.
        TypeError: One of the instants has no zone of its own.
    """
    if require_instant(end) < require_instant(start):
        raise InvalidDateSequence(start, end)
    whole = _whole_seconds(cycle.boundary_instant(n + 1)) - _whole_seconds(cycle.boundary_instant(n))
    return Factor(_whole_seconds(end) - _whole_seconds(start), whole, Method.SECONDS)


def factors(cycle: Cycle, start: date, end: date, method: Method) -> tuple[Factor, ...]:
    """Cut the days from *start* to *end*, excluded, at the boundaries, and answer the factor of each piece in order.

    Raises:
        InvalidDateSequence: *end* is before *start*.
        TypeError: One of the days is a datetime, or *method* no ``Method``.
    """
    if require_day(end) < require_day(start):
        raise InvalidDateSequence(start, end)
    if start == end:
        return ()
    first, last = cycle.index_on(start), cycle.index_on(end - _ONE_DAY)
    periods = [cycle.period(n) for n in range(first, last + 1)]
    return tuple(factor(cycle, p, max(start, p.start), min(end, p.end), method) for p in periods)


def shown_sum(terms: Iterable[Factor]) -> Decimal:
    """Add factors up for people to read: each is rounded to nine decimals, half up, before it is added."""
    return _decimal(sum(each._units(_SHOWN_DIGITS) for each in terms), _SHOWN_DIGITS)  # noqa: SLF001  (a factor's own)


def period_factor(
    cycle: Cycle,
    period: ServicePeriod,
    method: Method,
    *,
    first_stub: StubPricing = StubPricing.PRORATE,
    last_stub: StubPricing = StubPricing.PRORATE,
) -> Factor:
    """Answer which part of the price a service period costs: that of its scheduled days, also if it was moved.

    Args:
        cycle: The cycle of its segment.
        period: Which one.
        method: How a stub is measured.
        first_stub: What a stub costs that begins within its nominal period.
        last_stub: What a stub costs that begins with its nominal period, and ends before it.

    Raises:
        TypeError: *method* is no ``Method``.
    """
    part = factor(cycle, period.nominal, period.scheduled_start, period.scheduled_end, method)
    if not period.is_stub:
        return part
    pricing = last_stub if period.scheduled_start == period.nominal.start else first_stub
    if pricing is StubPricing.FULL:
        units = part.numerator or 1
        return Factor(units, units, part.method)
    return part if pricing is StubPricing.PRORATE else Factor(0, part.denominator, part.method)


def factor_left(cycle: Cycle, period: ServicePeriod, change: date, method: Method) -> Factor:
    """Answer which part of a nominal period is left of a service period: from a change on to its actual end.

    Args:
        cycle: The cycle of its segment.
        period: Which one.
        change: The first day that is left, as the policy's ``first_unused`` answers it.
        method: How the rest is measured.

    Raises:
        InvalidDateSequence: *change* is not within the period.
        TypeError: *change* is a datetime, or *method* no ``Method``.
    """
    if not period.start <= require_day(change) <= period.end:
        raise InvalidDateSequence(period.start, period.end, change)
    return factor(cycle, period.nominal, change, period.end, method)


def prorate(price: Money, f: Factor) -> Money:
    """Answer the part of a price, rounded once, half up.

    Raises:
        AmountTooLarge: The result is out of bounds.
        TypeError: *price* is no ``Money``.
    """
    return share(price, f.numerator, f.denominator)


def line_amount(price: Money, quantity: int, f: Factor, *, per: int = 1) -> Money:
    """Answer what a quantity costs for part of a period: price, quantity and part multiplied, then rounded once.

    Args:
        price: What *per* units cost for a whole period.
        quantity: How many units.
        f: The part.
        per: How many units the price is for.

    Raises:
        BadShare: *quantity* is negative, or *per* not above zero.
        AmountTooLarge: The result is out of bounds.
        TypeError: *price* is no ``Money``, or one of the numbers no int.
    """
    _require_ints(quantity, per)
    return share(price, quantity * f.numerator, per * f.denominator)


def split_price(price: Money, parts: Sequence[int]) -> tuple[Money, ...]:
    """Divide one price of one period over several lines, so that they add up to it exactly.

    Args:
        price: What is divided.
        parts: The weights of the lines, such as their days.

    Raises:
        NothingToAllocateTo: There are no weights, a negative one, or only zeros.
        TypeError: A weight is no int.
    """
    return allocate(price, parts)
