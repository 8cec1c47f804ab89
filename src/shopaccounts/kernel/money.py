"""Amounts of money, and how to divide them without losing or inventing a cent.

The rules, in plain English:

* Money is a whole number of minor units (cents, yen, fils) and a currency. There are no floats, and no binary or
  decimal rounding on the way to an amount that is charged.
* How many decimals a currency has stands in a table of this library, after ISO 4217.
* Two currencies never meet in a calculation. Zero euro is not zero dollars.
* A share of an amount is rounded once, half away from zero unless told otherwise, so that a refund mirrors its charge.
* A sum that is divided stays whole: everybody gets the rounded-down share, and the minor units left over go one each
  to those who lost most by the rounding, the first in line at a tie.
* Tax is computed once from the price and the other figure follows by adding or subtracting, so net + taxes = gross.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Never, NewType, Self, final

import attrs

from shopaccounts.kernel._amounts import read_units, refuse_type, require_ints, within_limit
from shopaccounts.kernel._currencies import EXPONENTS
from shopaccounts.kernel.money_errors import (
    AmountTooLarge,
    AmountTooPrecise,
    AmountUnreadable,
    BadRate,
    BadShare,
    CurrencyMismatch,
    NothingToAllocateTo,
    UnknownCurrency,
)

__all__ = [
    "AmountTooLarge",
    "AmountTooPrecise",
    "AmountUnreadable",
    "BadRate",
    "BadShare",
    "Currency",
    "CurrencyMismatch",
    "Money",
    "NothingToAllocateTo",
    "Rate",
    "Rounding",
    "Taxed",
    "UnknownCurrency",
    "add_tax",
    "allocate",
    "allocate_capped",
    "currency",
    "exact_shares",
    "exponent",
    "extract_tax",
    "share",
    "split",
    "total",
]

Currency = NewType("Currency", str)
"""The ISO 4217 code of a currency in the table; ``currency`` checks a text and returns one."""

_CURRENCIES = {code: Currency(code) for code in EXPONENTS}
_RATE_DECIMALS = 6
_HIGHEST_RATE = 10  # 1000 percent


def currency(code: str) -> Currency:
    """Check an ISO 4217 code, three capitals; codes since withdrawn are known too, so that old amounts stay readable.

    Raises:
        UnknownCurrency: The table does not have it. Precious metals, SDR and test codes are not in the table.
        TypeError: *code* is not text.
    """
    try:
        return _CURRENCIES[code]
    except (KeyError, TypeError):
        if isinstance(code, str):
            raise UnknownCurrency(code) from None
        refuse_type("a currency", "str", code)


def exponent(currency: str) -> int:
    """Tell how many decimals the major unit of *currency* has (ISO 4217): EUR 2, JPY 0, KWD 3.

    Raises:
        UnknownCurrency: The table does not have *currency*.
    """
    return EXPONENTS[_known(currency)]


_known = currency  # for functions that have an argument of that name


@final
@attrs.frozen
class Money:
    """An amount of money, exact to the minor unit.

    Add, subtract, negate, compare amounts of one currency, and multiply by an ``int``. To divide, use ``share``,
    ``allocate`` or ``split``, which say where the remainder goes; to sum many, ``total``. Equality across currencies
    is false, never an error. An amount has no truth value: ask ``is_zero``.

    Args:
        minor: How many minor units, within plus or minus 2^63 - 1.
        currency: The ISO 4217 code.

    Raises:
        UnknownCurrency: The table does not have *currency*.
        AmountTooLarge: *minor* is out of bounds; the result of any calculation is held to the same limit.
        TypeError: *minor* is not an ``int``; a ``bool`` is not one.
    """

    minor: int = attrs.field(converter=within_limit)
    currency: Currency = attrs.field(converter=currency)

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: str) -> Self:
        """Read an amount in major units: ``Money.of("12.50", "EUR")``.

        Args:
            amount: An ``int``, a finite ``Decimal``, or a text of ASCII digits with an optional leading minus and an
                optional point between digits.
            currency: The ISO 4217 code.

        Raises:
            AmountUnreadable: The text is anything else (plus sign, spaces, grouping, exponent, NaN ...).
            AmountTooPrecise: It is no whole number of minor units; zeros at the end do not count.
            AmountTooLarge: It is beyond 2^63 - 1 minor units.
            UnknownCurrency: The table does not have *currency*.
            TypeError: *amount* is a ``float``, a ``bool`` or another type.
        """
        return cls(read_units(amount, exponent(currency)), currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Return nothing at all, in *currency*."""
        return _zero(currency)

    @property
    def is_zero(self) -> bool:
        """Tell whether this is an amount of nothing."""
        return self.minor == 0

    def to_decimal(self) -> Decimal:
        """Return the amount in major units, with the decimals of its currency, whatever the decimal context."""
        return Decimal(self._number())

    def _number(self) -> str:
        decimals = EXPONENTS[self.currency]
        if decimals == 0:
            return str(self.minor)
        digits = str(abs(self.minor)).zfill(decimals + 1)
        return f"{'-' if self.minor < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"

    def __str__(self) -> str:
        """Write it for logs and tests, the same in every locale: ``-12.50 EUR``."""
        return f"{self._number()} {self.currency}"

    def __bool__(self) -> Never:
        msg = "an amount of money has no truth value; ask is_zero"
        raise TypeError(msg)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + _minor(other, self.currency), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - _minor(other, self.currency), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __abs__(self) -> "Money":
        return Money(abs(self.minor), self.currency)

    def __mul__(self, times: int) -> "Money":
        if type(times) is not int:
            return NotImplemented
        return Money(self.minor * times, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: "Money") -> bool:
        return self.minor < _minor(other, self.currency)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= _minor(other, self.currency)

    def __gt__(self, other: "Money") -> bool:
        return self.minor > _minor(other, self.currency)

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= _minor(other, self.currency)


@functools.cache
def _zero(currency: str) -> Money:
    return Money(0, currency)


def _require_money(amount: Money) -> None:
    if type(amount) is not Money:
        refuse_type("an amount", "Money", amount)


def _minor(amount: Money, expected: Currency) -> int:
    """Return the minor units of *amount*, which has to be in the *expected* currency."""
    _require_money(amount)
    if amount.currency != expected:
        raise CurrencyMismatch(left=expected, right=amount.currency)
    return amount.minor


@final
@attrs.frozen
class Rate:
    """An exact fraction to apply to amounts, such as a tax rate; kept in lowest terms.

    ``share(amount, rate.numerator, rate.denominator)`` applies it.

    Raises:
        BadRate: It is below 0 or above 1000 percent, or the denominator is not above zero.
        TypeError: One of the two is not an ``int``.
    """

    numerator: int
    denominator: int

    def __attrs_post_init__(self) -> None:
        require_ints("a rate's numerator and denominator", self.numerator, self.denominator)
        if self.denominator <= 0 or not 0 <= self.numerator <= _HIGHEST_RATE * self.denominator:
            raise BadRate
        common = math.gcd(self.numerator, self.denominator)
        object.__setattr__(self, "numerator", self.numerator // common)
        object.__setattr__(self, "denominator", self.denominator // common)

    @classmethod
    def percent(cls, percent: str | int | Decimal) -> Self:
        """Read a percentage, written as amounts are: ``Rate.percent("8.875")``.

        Raises:
            BadRate: It is unreadable, has more than six decimals, is below 0 or above 1000.
            TypeError: It is a ``float``, a ``bool`` or another type.
        """
        try:
            return cls(read_units(percent, _RATE_DECIMALS), 100 * 10**_RATE_DECIMALS)
        except (AmountUnreadable, AmountTooPrecise, AmountTooLarge):
            raise BadRate from None


class Rounding(Enum):
    """Where a share goes that is no whole number of minor units; each treats credits as the mirror of charges."""

    HALF_UP = "half_up"
    """To the nearest unit, a half away from zero: what invoices do."""
    DOWN = "down"
    """Toward zero."""
    UP = "up"
    """Away from zero."""


@final
@attrs.frozen
class Taxed:
    """A price without its taxes, each tax in the order of the rates asked for, and the price with them."""

    net: Money
    taxes: tuple[Money, ...]
    gross: Money


def share(amount: Money, numerator: int, denominator: int, rounding: Rounding = Rounding.HALF_UP) -> Money:
    """Take *numerator* / *denominator* of an amount, rounded once; more than the whole is allowed.

    A share of a negative amount is the mirror of the positive one: half of 9.99 EUR is 5.00, half of -9.99 is -5.00.

    Raises:
        BadShare: The numerator is negative, or the denominator is not above zero.
        AmountTooLarge: The result is out of bounds.
        TypeError: An argument is of another type.
    """
    if type(amount) is not Money:
        refuse_type("an amount", "Money", amount)
    if type(numerator) is not int or type(denominator) is not int:
        require_ints("a share's numerator and denominator", numerator, denominator)
    if numerator < 0 or denominator <= 0:
        raise BadShare
    minor = amount.minor
    size = abs(minor) * numerator
    if rounding is Rounding.HALF_UP:
        size = (2 * size + denominator) // (2 * denominator)
    elif rounding is Rounding.DOWN:
        size //= denominator
    elif rounding is Rounding.UP:
        size = -(-size // denominator)
    else:
        refuse_type("rounding", "Rounding", rounding)
    return Money(-size if minor < 0 else size, amount.currency)


def _whole_weight(amount: Money, weights: Sequence[int]) -> int:
    """Return what the weights add up to, once they are known to be something that *amount* can be divided by."""
    _require_money(amount)
    require_ints("a weight", *weights)
    whole = sum(weights)
    if amount.minor and (whole <= 0 or min(weights) < 0):
        raise NothingToAllocateTo
    return whole


def allocate(amount: Money, weights: Sequence[int]) -> tuple[Money, ...]:
    """Divide an amount by weights so that the parts add up to it (largest remainder method, Hamilton 1792).

    10.00 EUR over 3, 3, 1 is 4.29, 4.28, 1.43. No part is a whole minor unit or more away from its exact share, and
    weights that are all multiplied by the same number give the same parts. An amount of zero is divided into zeros.

    Raises:
        NothingToAllocateTo: The amount is not zero, and there are no weights, a negative one, or only zeros.
        TypeError: A weight is not an ``int``.
    """
    whole = _whole_weight(amount, weights)
    if amount.minor == 0:
        return (amount,) * len(weights)
    size = abs(amount.minor)
    shares = [divmod(size * weight, whole) for weight in weights]
    parts = [part for part, _ in shares]
    by_remainder = sorted(range(len(parts)), key=lambda index: -shares[index][1])
    for index in by_remainder[: size - sum(parts)]:
        parts[index] += 1
    sign = 1 if amount.minor > 0 else -1
    return tuple(Money(sign * part, amount.currency) for part in parts)


def allocate_capped(amount: Money, over: Sequence[Money]) -> tuple[Money, ...]:
    """Divide an amount over amounts, in proportion to them and never more to one than itself.

    What exceeds their total is not given out: a voucher of 50.00 over lines of 20.00 and 10.00 gives 20.00 and 10.00.

    Raises:
        NothingToAllocateTo: The amount or one of those to divide it over is negative.
        CurrencyMismatch: They are not all of one currency.
    """
    _require_money(amount)
    caps = [_minor(cap, amount.currency) for cap in over]
    if min([amount.minor, *caps]) < 0:
        raise NothingToAllocateTo
    return allocate(Money(min(amount.minor, sum(caps)), amount.currency), caps)


def split(amount: Money, parts: int) -> tuple[Money, ...]:
    """Divide an amount into equal parts; the first ones are one minor unit larger where it does not come out even.

    Raises:
        NothingToAllocateTo: *parts* is below one.
        TypeError: *parts* is not an ``int``.
    """
    require_ints("parts", parts)
    if parts < 1:
        raise NothingToAllocateTo
    return allocate(amount, (1,) * parts)


def exact_shares(amount: Money, weights: Sequence[int]) -> tuple[Fraction, ...]:
    """Return what ``allocate`` would give if minor units could be divided: for audits and reports, never to charge.

    Returns:
        Fractions of minor units, which add up to the amount.

    Raises:
        NothingToAllocateTo: As for ``allocate``.
        TypeError: A weight is not an ``int``.
    """
    whole = _whole_weight(amount, weights)
    return tuple(Fraction(amount.minor * weight, whole or 1) for weight in weights)


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Add up amounts of one currency; the total of nothing is zero.

    Raises:
        CurrencyMismatch: One of them is in another currency than *currency*.
        UnknownCurrency: The table does not have *currency*.
        AmountTooLarge: The total is out of bounds; sums on the way to it may be.
    """
    expected = _known(currency)
    return Money(sum(_minor(amount, expected) for amount in amounts), expected)


def _require_rates(rates: Sequence[Rate]) -> None:
    for rate in rates:
        if type(rate) is not Rate:  # an int has a numerator too: 7 would be 700 percent
            refuse_type("a rate", "Rate", rate)


def add_tax(net: Money, rates: Sequence[Rate]) -> Taxed:
    """Put taxes on a price that excludes them, each computed from that price and none from another tax.

    12.50 EUR at 7 % becomes 13.38: the tax is 0.88.

    Raises:
        AmountTooLarge: The price with its taxes is out of bounds.
        TypeError: *net* is not ``Money``, or one of *rates* no ``Rate``.
    """
    _require_money(net)
    _require_rates(rates)
    taxes = tuple(share(net, rate.numerator, rate.denominator) for rate in rates)
    return Taxed(net=net, taxes=taxes, gross=net + total(taxes, net.currency))


def extract_tax(gross: Money, rates: Sequence[Rate]) -> Taxed:
    """Find the taxes in a price that includes them: the price without them is rounded, the taxes are the rest.

    12.50 EUR at 7 % contains 0.82 of tax; 11.68 remain. Several rates divide the tax in proportion, by ``allocate``.

    Raises:
        TypeError: *gross* is not ``Money``, or one of *rates* no ``Rate``.
    """
    _require_rates(rates)
    common = math.lcm(*(rate.denominator for rate in rates))
    weights = [rate.numerator * (common // rate.denominator) for rate in rates]
    net = share(gross, common, common + sum(weights))
    return Taxed(net=net, taxes=allocate(gross - net, weights), gross=gross)
