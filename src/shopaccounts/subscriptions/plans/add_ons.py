"""What comes on top of a plan's price: add-ons, usage, a fee for setting up, a minimum, cycles paid in advance.

The rules, in plain English:

* A line has a quantity within the bounds that the plan sets, a million at most.
* A fee for setting up is an amount of its own, never a part of a period's price.
* Where a period costs less than the minimum, the difference is added; a stub has a part of the minimum.
* Cycles that are paid in advance stay cycles: each has its own amount, so that each can be credited to the cent.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, final

import attrs

from shopaccounts.kernel.cycles import BillingMode
from shopaccounts.kernel.money import Currency, Money, Rate, allocate, share, total
from shopaccounts.subscriptions.errors import BadQuantity
from shopaccounts.subscriptions.plans.checks import a_name, require_plan, require_whole, tuple_of, whole_number
from shopaccounts.subscriptions.plans.phases import Cycles
from shopaccounts.subscriptions.plans.tariffs import MOST_UNITS, Tariff, are_tariffs, require_prices

__all__ = [
    "LARGEST_QUANTITY",
    "AddOn",
    "AfterPrepaid",
    "Metered",
    "MinimumSpend",
    "PrepayOption",
    "QuantityRule",
    "SetupFee",
    "SetupFeeWhen",
    "minimum_due",
    "prepaid",
]

LARGEST_QUANTITY: Final = 1_000_000
"""How many of anything a line may have. Usage that is metered has no such bound."""

_is_text = attrs.validators.instance_of(str)
_is_money = attrs.validators.instance_of(Money)
_a_quantity = whole_number(1, LARGEST_QUANTITY)


@final
@attrs.frozen
class QuantityRule:
    """Which quantities may be chosen: from *min* to *max*, in multiples of *step*.

    Raises:
        BadPlan: A number is less than 1 or more than a million, or no quantity meets all three.
        TypeError: A number isn't exactly an ``int``.
    """

    min: int = attrs.field(default=1, validator=_a_quantity)
    max: int = attrs.field(default=LARGEST_QUANTITY, validator=_a_quantity)
    step: int = attrs.field(default=1, validator=_a_quantity)

    def __attrs_post_init__(self) -> None:
        require_plan(-(-self.min // self.step) * self.step <= self.max, "some quantity can be chosen")

    def check(self, quantity: int) -> int:
        """Answer *quantity*, if it may be chosen.

        Raises:
            BadQuantity: It may not; says which may.
            TypeError: It isn't exactly an ``int``.
        """
        require_whole("a quantity", quantity)
        if not self.min <= quantity <= self.max or quantity % self.step:
            raise BadQuantity(min=self.min, max=self.max, step=self.step)
        return quantity


@final
@attrs.frozen(kw_only=True)
class AddOn:
    """Something that is sold with a plan, on a line of its own, in the same cycles.

    Args:
        key: Which line it is, unique in the plan.
        product: What it is.
        prices: A tariff for each currency that it is sold in.
        mode: Paid when a period begins, or when it has ended.
        cycles: After how many whole cycles it ends by itself; None for never.
        quantities: Which quantities may be chosen.
        tax_category: What the tax port needs to know; empty for the plan's.

    Raises:
        BadPlan: The key is empty; no prices, two in one currency, or one in a currency that went out of use.
        TypeError: A field is of another type.
    """

    key: str = attrs.field(validator=a_name)
    product: str = attrs.field(validator=a_name)
    prices: tuple[Tariff, ...] = attrs.field(validator=are_tariffs)
    mode: BillingMode = attrs.field(default=BillingMode.IN_ADVANCE, validator=attrs.validators.instance_of(BillingMode))
    cycles: Cycles | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.instance_of(Cycles))
    )
    quantities: QuantityRule = attrs.field(factory=QuantityRule, validator=attrs.validators.instance_of(QuantityRule))
    tax_category: str = attrs.field(default="", validator=_is_text)

    def __attrs_post_init__(self) -> None:
        require_plan(bool(require_prices("an add-on", self.prices)), "an add-on has a price")


@final
@attrs.frozen(kw_only=True)
class Metered:
    """Usage that a meter counts, billed when the period has ended.

    Args:
        key: Which line it is, unique in the plan.
        meter: Which meter is read.
        prices: A tariff for each currency of the plan.
        included: How many units a whole period includes.
        tax_category: What the tax port needs to know; empty for the plan's.

    Raises:
        BadPlan: The key or the meter is empty; no prices, two in one currency, or one in a currency that went out of
            use; *included* is negative.
        TypeError: A field is of another type.
    """

    key: str = attrs.field(validator=a_name)
    meter: str = attrs.field(validator=a_name)
    prices: tuple[Tariff, ...] = attrs.field(validator=are_tariffs)
    included: int = attrs.field(default=0, validator=whole_number(0, MOST_UNITS))
    tax_category: str = attrs.field(default="", validator=_is_text)

    def __attrs_post_init__(self) -> None:
        require_plan(bool(require_prices("a meter", self.prices)), "a meter has a price")


class SetupFeeWhen(Enum):
    """When the fee for setting up is charged."""

    WITH_FIRST_PAID = "with_first_paid"
    AT_START = "at_start"


@final
@attrs.frozen
class SetupFee:
    """What is charged once for setting up, in each currency of the plan; it is never prorated.

    Raises:
        BadPlan: No amounts, one that isn't above zero, two in one currency, or one in a currency that went out of use.
        TypeError: A field is of another type.
    """

    prices: tuple[Money, ...] = attrs.field(validator=tuple_of(Money))
    when: SetupFeeWhen = attrs.field(
        default=SetupFeeWhen.WITH_FIRST_PAID, validator=attrs.validators.instance_of(SetupFeeWhen)
    )

    def __attrs_post_init__(self) -> None:
        require_plan(bool(require_prices("a setup fee", self.prices)), "a setup fee has an amount")
        require_plan(all(price.minor > 0 for price in self.prices), "a setup fee is above zero")


@final
@attrs.frozen
class MinimumSpend:
    """The least that the lines of a whole period cost together, after discounts and before tax.

    Raises:
        BadPlan: The amount isn't above zero.
        TypeError: It is no ``Money``.
    """

    money: Money = attrs.field(validator=_is_money)

    def __attrs_post_init__(self) -> None:
        require_plan(self.money.minor > 0, "a minimum is above zero")

    @property
    def currency(self) -> Currency:
        """The currency of the amount."""
        return self.money.currency


def minimum_due(minimum: MinimumSpend, spent: Money, numerator: int = 1, denominator: int = 1) -> Money:
    """Answer what is missing to the minimum of a period; zero if nothing is.

    Args:
        minimum: What was agreed for a whole period.
        spent: What the period's lines cost, after discounts and before tax.
        numerator: How much of a whole period it was, over
        denominator: how much that has.

    Raises:
        CurrencyMismatch: The two are in different currencies.
        BadShare: The numerator is negative, or the denominator not above zero.
    """
    missing = share(minimum.money, numerator, denominator) - spent
    return missing if missing.minor > 0 else Money.zero(missing.currency)


class AfterPrepaid(Enum):
    """What follows cycles that were paid in advance."""

    RENEW = "renew"
    PER_CYCLE = "per_cycle"
    EXPIRE = "expire"


@final
@attrs.frozen
class PrepayOption:
    """An offer to pay several cycles at once.

    Args:
        cycles: How many, 2 to 36.
        off: What is taken off their sum; at most all of it.
        after: What follows: as many again, cycle by cycle, or the end.

    Raises:
        BadPlan: *cycles* is out of bounds, or *off* above 100 percent.
        TypeError: A field is of another type.
    """

    cycles: int = attrs.field(validator=whole_number(2, 36))
    off: Rate = attrs.field(default=Rate(0, 1), validator=attrs.validators.instance_of(Rate))
    after: AfterPrepaid = attrs.field(default=AfterPrepaid.RENEW, validator=attrs.validators.instance_of(AfterPrepaid))

    def __attrs_post_init__(self) -> None:
        require_plan(self.off.numerator <= self.off.denominator, "no more than all is taken off")


def prepaid(amounts: Sequence[Money], off: Rate) -> tuple[Money, ...]:
    """Answer what each of several cycles costs that are paid at once.

    The reduction is computed on their sum, rounded once, and divided over them, so that it is exact in total and each
    cycle can be credited by itself.

    Args:
        amounts: What the cycles cost one by one, at least one.
        off: What is taken off their sum, at most 100 percent.

    Raises:
        CurrencyMismatch: They aren't all of one currency.
        NothingToAllocateTo: An amount is negative.
    """
    reduction = share(total(amounts, amounts[0].currency), off.numerator, off.denominator)
    shares = allocate(reduction, [amount.minor for amount in amounts])
    return tuple(amount - part for amount, part in zip(amounts, shares, strict=True))
