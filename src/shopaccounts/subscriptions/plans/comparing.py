"""Which of two prices is the higher one, whatever their intervals.

The rules, in plain English:

* Prices are compared by what they cost in a month, exactly, without rounding.
* The calendar repeats every 400 years: 4,800 months are 146,097 days. That is how days become months.
"""

from enum import Enum
from fractions import Fraction
from typing import Final, final

import attrs

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.money import CurrencyMismatch, Money
from shopaccounts.subscriptions.plans.tariffs import Flat, Tariff

__all__ = ["Direction", "Priced", "direction", "months_in", "per_month"]

_MONTHS_IN_A_DAY: Final = Fraction(4_800, 146_097)


class Direction(Enum):
    """Where a change of a price leads."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    SIDEWAYS = "sideways"


@final
@attrs.frozen
class Priced:
    """So many of something at a price for each interval."""

    tariff: Tariff
    quantity: int
    interval: Interval


def months_in(interval: Interval) -> Fraction:
    """Answer how many months an interval has in the mean of the Gregorian calendar: a week 11200/48699."""
    return Fraction(interval.total_months) or interval.total_days * _MONTHS_IN_A_DAY


def per_month(price: Money | Tariff, interval: Interval, quantity: int = 1) -> Fraction:
    """Answer what *quantity* units cost in a month, in minor units, neither rounded nor bounded.

    Args:
        price: The price for each interval; an amount stands for all units together.
        interval: How often it is paid.
        quantity: How many units, where it is a tariff.
    """
    tariff = Flat(price) if isinstance(price, Money) else price
    return Fraction(*tariff.exactly(quantity)) / months_in(interval)


def direction(old: Priced, new: Priced) -> Direction:
    """Tell whether *new* costs more in a month than *old*, less, or the same.

    Raises:
        CurrencyMismatch: They are in different currencies.
    """
    if old.tariff.currency != new.tariff.currency:
        raise CurrencyMismatch(left=old.tariff.currency, right=new.tariff.currency)
    before = per_month(old.tariff, old.interval, old.quantity)
    after = per_month(new.tariff, new.interval, new.quantity)
    if before == after:
        return Direction.SIDEWAYS
    return Direction.UPGRADE if after > before else Direction.DOWNGRADE
