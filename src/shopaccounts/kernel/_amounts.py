"""How a number is read as a count of minor units, and how large such a count may be.

The number is taken apart digit by digit, so neither the decimal context nor a text of a million digits can hurt.
"""

import re
from decimal import Decimal
from typing import Never

from shopaccounts.kernel.money_errors import AmountTooLarge, AmountTooPrecise, AmountUnreadable

__all__ = ["LIMIT", "read_units", "refuse_type", "require_ints", "within_limit"]

LIMIT = 2**63 - 1
"""The largest integer that every supported database stores."""

_LIMIT_DIGITS = len(str(LIMIT))
_NUMBER = re.compile(r"(-)?([0-9]+)(?:\.([0-9]+))?")


def refuse_type(what: str, accepted: str, value: object) -> Never:
    """Raise the TypeError that names what would have been accepted."""
    msg = f"{what} must be {accepted}, not {type(value).__name__}"
    raise TypeError(msg)


def require_ints(what: str, *numbers: int) -> None:
    """Refuse whatever is not exactly an ``int``; a ``bool`` is not one."""
    for number in numbers:
        if type(number) is not int:
            refuse_type(what, "int", number)


def within_limit(minor: int) -> int:
    """Let a count of minor units through.

    Raises:
        AmountTooLarge: It is beyond the limit on either side of zero.
        TypeError: It is not an ``int``.
    """
    if type(minor) is not int:
        refuse_type("minor", "int", minor)
    if not -LIMIT <= minor <= LIMIT:
        raise AmountTooLarge(LIMIT)
    return minor


def read_units(number: str | int | Decimal, decimals: int) -> int:
    """Read *number* as a count of units of its last allowed decimal; zeros at the end do not count as decimals.

    Raises:
        AmountUnreadable: It is no number written as ``-12.50`` is.
        AmountTooPrecise: It has more than *decimals* decimals.
        AmountTooLarge: It has more digits than the limit.
        TypeError: It is neither text, ``int`` nor ``Decimal``.
    """
    if isinstance(number, int):
        require_ints("a number", number)
        return number * int(10**decimals)
    negative, digits, power = _taken_apart(number)
    kept = digits.rstrip("0")
    if not kept:
        return 0
    shift = power + len(digits) - len(kept) + decimals
    if shift < 0:
        raise AmountTooPrecise(decimals)
    if len(kept) + shift > _LIMIT_DIGITS:
        raise AmountTooLarge(LIMIT)
    units = int(kept) * int(10**shift)
    return -units if negative else units


def _taken_apart(number: str | Decimal) -> tuple[bool, str, int]:
    """Tell whether *number* is negative, its digits without leading zeros, and the power of ten they stand for."""
    if isinstance(number, Decimal):
        sign, figures, power = number.as_tuple()
        if not isinstance(power, int):
            raise AmountUnreadable(str(number))
        return bool(sign), "".join(map(str, figures)).lstrip("0"), power
    if not isinstance(number, str):
        refuse_type("a number", "str, int or Decimal", number)
    match = _NUMBER.fullmatch(number)
    if match is None:
        raise AmountUnreadable(number)
    minus, whole, decimals = match.groups("")
    return bool(minus), (whole + decimals).lstrip("0"), -len(decimals)
