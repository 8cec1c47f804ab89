"""How money says no; offered to the outside by ``shopaccounts.kernel.money``."""

import attrs

from shopaccounts.kernel.errors import Kind, Rejected

__all__ = [
    "AmountTooLarge",
    "AmountTooPrecise",
    "AmountUnreadable",
    "BadRate",
    "BadShare",
    "CurrencyMismatch",
    "NothingToAllocateTo",
    "UnknownCurrency",
]


@attrs.frozen
class UnknownCurrency(Rejected):
    """The code is not one of the currencies the library knows."""

    code = "money.unknown_currency"
    kind = Kind.INVALID
    currency: str


@attrs.frozen
class AmountUnreadable(Rejected):
    """The text is not an amount: digits, perhaps a minus before them, perhaps a point with digits after them."""

    code = "money.amount_unreadable"
    kind = Kind.INVALID
    text: str


@attrs.frozen
class AmountTooPrecise(Rejected):
    """The amount has more decimals than its currency."""

    code = "money.amount_too_precise"
    kind = Kind.INVALID
    digits_allowed: int


@attrs.frozen
class AmountTooLarge(Rejected):
    """The amount, or the result of a calculation, is beyond ``limit`` minor units on either side of zero."""

    code = "money.amount_too_large"
    kind = Kind.INVALID
    limit: int


@attrs.frozen
class CurrencyMismatch(Rejected):
    """Two currencies met in one calculation or comparison."""

    code = "money.currency_mismatch"
    kind = Kind.INVALID
    left: str
    right: str


@attrs.frozen
class NothingToAllocateTo(Rejected):
    """There is nobody to give the amount to: no parts, only weights of zero, or something negative among them."""

    code = "money.nothing_to_allocate_to"
    kind = Kind.INVALID


@attrs.frozen
class BadShare(Rejected):
    """A share needs a numerator of zero or more and a denominator above zero."""

    code = "money.bad_share"
    kind = Kind.INVALID


@attrs.frozen
class BadRate(Rejected):
    """A rate lies between 0 and 1000 percent and has at most six decimals."""

    code = "money.bad_rate"
    kind = Kind.INVALID
