"""Tariffs: what a quantity costs.

The rules, in plain English:

* A *flat* price is the same for any quantity. A price *per unit* may be quoted for many units at once, 3.50 for every
  1,000, and is exact for one of them. *Packages* are sold whole: who needs a part of one pays it.
* Tiers are steps of the quantity. *Graduated*: each unit costs what its own tier says. *Volume*: all units cost what
  the tier says that the quantity reaches. A tier may have a flat amount, paid once when it is reached.
* Nothing costs nothing, but for the flat amount of the first tier, which begins at zero.
* A line is computed exactly, tariff, quantity and part of the period together, and rounded once at the end.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeVar, final

import attrs

from shopaccounts.kernel._currencies import WITHDRAWN
from shopaccounts.kernel.money import BadShare, Currency, Money, currency, share
from shopaccounts.subscriptions.errors import BadQuantity, NoPriceInCurrency
from shopaccounts.subscriptions.plans.checks import require_plan, require_whole, tuple_of, whole_number

__all__ = [
    "MOST_UNITS",
    "Flat",
    "Graduated",
    "InACurrency",
    "Packages",
    "PerUnit",
    "Tariff",
    "Tier",
    "Volume",
    "are_tariffs",
    "charge",
    "in_currency",
    "require_prices",
]

MOST_UNITS: Final = 2**63 - 1
"""The largest quantity that can be priced: what every supported database stores."""

Exact = tuple[int, int]
"""An amount before it is rounded: so many minor units, divided by so many."""


class InACurrency(Protocol):
    """Something that is quoted in one currency."""

    @property
    def currency(self) -> Currency:
        """The ISO 4217 code."""
        ...


P = TypeVar("P", bound=InACurrency)


def _a_price(instance: object, field: "attrs.Attribute[Money]", value: Money) -> None:
    if type(value) is not Money:
        msg = f"{type(instance).__name__}.{field.name} must be Money, not {type(value).__name__}"
        raise TypeError(msg)
    require_plan(value.minor >= 0, "a price isn't negative")


@final
@attrs.frozen
class Flat:
    """One price, whatever the quantity.

    Raises:
        BadPlan: The price is negative.
    """

    money: Money = attrs.field(validator=_a_price)

    @property
    def currency(self) -> Currency:
        """The currency of the price."""
        return self.money.currency

    def exactly(self, quantity: int) -> Exact:
        """Answer what *quantity* costs before rounding."""
        return (self.money.minor if quantity else 0), 1


@final
@attrs.frozen
class PerUnit:
    """A price for each unit, quoted for *per* units: ``PerUnit(Money.of("3.50", "EUR"), per=1000)``.

    Raises:
        BadPlan: The price is negative, or *per* is less than one.
    """

    money: Money = attrs.field(validator=_a_price)
    per: int = attrs.field(default=1, validator=whole_number(1, MOST_UNITS))

    @property
    def currency(self) -> Currency:
        """The currency of the price."""
        return self.money.currency

    def exactly(self, quantity: int) -> Exact:
        """Answer what *quantity* costs before rounding."""
        return self.money.minor * quantity, self.per


@final
@attrs.frozen
class Packages:
    """A price for each package of *size* units; one that is only begun costs the same.

    Raises:
        BadPlan: The price is negative, or *size* is less than one.
    """

    money: Money = attrs.field(validator=_a_price)
    size: int = attrs.field(validator=whole_number(1, MOST_UNITS))

    @property
    def currency(self) -> Currency:
        """The currency of the price."""
        return self.money.currency

    def exactly(self, quantity: int) -> Exact:
        """Answer what *quantity* costs before rounding."""
        return self.money.minor * -(-quantity // self.size), 1


@final
@attrs.frozen
class Tier:
    """One step of a tariff with tiers.

    Args:
        up_to: The last quantity that belongs to it; None for the last tier, which has no end.
        unit: What *per* units cost in it.
        flat: What it costs once, as soon as it is reached.
        per: For how many units the price is quoted.

    Raises:
        BadPlan: A price is negative, *up_to* or *per* is less than one, or the two prices have different currencies.
    """

    up_to: int | None = attrs.field(validator=attrs.validators.optional(whole_number(1, MOST_UNITS)))
    unit: Money = attrs.field(validator=_a_price)
    flat: Money | None = attrs.field(default=None, validator=attrs.validators.optional(_a_price))
    per: int = attrs.field(default=1, validator=whole_number(1, MOST_UNITS))

    def __attrs_post_init__(self) -> None:
        require_plan(
            self.flat is None or self.flat.currency == self.unit.currency, "the prices of a tier are of one currency"
        )

    @property
    def once(self) -> int:
        """The flat amount in minor units."""
        return 0 if self.flat is None else self.flat.minor


_are_tiers = tuple_of(Tier)


def _tiers(instance: object, field: "attrs.Attribute[tuple[Tier, ...]]", tiers: tuple[Tier, ...]) -> None:
    """Check that tiers follow one another up to one without an end."""
    _are_tiers(instance, field, tiers)
    ends = [tier.up_to for tier in tiers]
    require_plan(bool(ends) and ends[-1] is None, "the last tier has no end")
    bounds = [end for end in ends[:-1] if end is not None]
    require_plan(len(bounds) == len(ends) - 1, "only the last tier has no end")
    require_plan(bounds == sorted(set(bounds)), "each tier ends after the one before it")
    require_plan(len({tier.unit.currency for tier in tiers}) == 1, "the tiers of a tariff are of one currency")


@final
@attrs.frozen
class Graduated:
    """Tiers of which each prices the units that fall into it, as income tax does.

    Raises:
        BadPlan: There are no tiers, they don't ascend, the last one isn't open, or currencies are mixed.
    """

    tiers: tuple[Tier, ...] = attrs.field(validator=_tiers)

    @property
    def currency(self) -> Currency:
        """The currency of the prices."""
        return self.tiers[0].unit.currency

    def exactly(self, quantity: int) -> Exact:
        """Answer what *quantity* costs before rounding: the sum over a common denominator."""
        parts = math.lcm(*(tier.per for tier in self.tiers))
        amount = below = 0
        for tier in self.tiers:
            end = quantity if tier.up_to is None or quantity < tier.up_to else tier.up_to
            amount += (end - below) * tier.unit.minor * (parts // tier.per) + tier.once * parts
            if end == quantity:
                break
            below = end
        return amount, parts


@final
@attrs.frozen
class Volume:
    """Tiers of which the one that the quantity reaches prices all units.

    Raises:
        BadPlan: There are no tiers, they don't ascend, the last one isn't open, or currencies are mixed.
    """

    tiers: tuple[Tier, ...] = attrs.field(validator=_tiers)

    @property
    def currency(self) -> Currency:
        """The currency of the prices."""
        return self.tiers[0].unit.currency

    def exactly(self, quantity: int) -> Exact:
        """Answer what *quantity* costs before rounding."""
        tier = next(tier for tier in self.tiers if tier.up_to is None or quantity <= tier.up_to)
        return quantity * tier.unit.minor + tier.once * tier.per, tier.per


Tariff = Flat | PerUnit | Packages | Graduated | Volume
"""The ways to price a quantity; there are no others."""

are_tariffs: Final = tuple_of(Tariff)
"""Checks that each price of a part of a plan is a tariff."""


def charge(tariff: Tariff, quantity: int, numerator: int = 1, denominator: int = 1) -> Money:
    """Answer what a quantity costs for a part of a period, rounded once, half up to the minor unit.

    ``charge(PerUnit(Money.of("9.99", "EUR")), 3, 17, 29)`` is three units for 17 of 29 days, 17.57 EUR; rounding a unit
    first would make it 17.58.

    Args:
        tariff: The price.
        quantity: How many units, from zero on.
        numerator: How much of the period, over
        denominator: how much it has.

    Raises:
        BadQuantity: The quantity is negative, or beyond what can be stored.
        BadShare: The numerator is negative, or the denominator not above zero.
        AmountTooLarge: The amount is beyond what can be stored.
        TypeError: A number isn't exactly an ``int``.
    """
    require_whole("a quantity", quantity)
    require_whole("a numerator", numerator)
    require_whole("a denominator", denominator)
    if not 0 <= quantity <= MOST_UNITS:
        raise BadQuantity(min=0, max=MOST_UNITS, step=1)
    if numerator < 0:
        raise BadShare
    amount, parts = tariff.exactly(quantity)
    return share(Money(1, tariff.currency), amount * numerator, parts * denominator)


def in_currency(prices: Iterable[P], code: str) -> P:
    """Answer the one of *prices* that is quoted in the currency *code*: tariffs, amounts, or what else has a currency.

    Raises:
        NoPriceInCurrency: There is none.
        UnknownCurrency: *code* is no currency of the table.
    """
    wanted = currency(code)
    for price in prices:
        if price.currency == wanted:
            return price
    raise NoPriceInCurrency(wanted)


def require_prices(what: str, prices: Sequence[InACurrency]) -> frozenset[Currency]:
    """Demand that a plan can be sold at *prices*, and answer their currencies.

    Raises:
        BadPlan: There are two in one currency, or one in a currency that went out of use.
    """
    currencies = frozenset(price.currency for price in prices)
    require_plan(len(currencies) == len(prices), f"{what} has one price in a currency")
    gone = currencies & WITHDRAWN
    require_plan(not gone, f"{what} has a price in {', '.join(sorted(gone))}, which went out of use")
    return currencies
