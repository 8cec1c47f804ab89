"""Discounts: what makes a cycle cheaper, by how much, and for how long.

The rules, in plain English:

* Discounts act one after the other, by position, each on what the earlier ones left, before tax. None makes a line
  cheaper than free. The fee for setting up is discounted only by one that names it.
* A percentage is computed once, on the sum of the lines that it is for, and divided over them to the cent. A fixed
  amount is divided over them and never exceeds them.
* A discount begins with the first cycle in which it takes something. *Once* has that cycle, with all its lines.
  *Months* run from that cycle's first day, by the calendar. *Cycles* count what is billed, so they stand still while
  nothing is. *Forever* doesn't end.
* An invoice that is voided gives its use back.
* A change within a cycle credits what was paid, after discounts. What is charged instead has the same percentage, or as
  much of a fixed amount as the credit gave back: there and back costs nothing.
* At most five are live at once, and a campaign's code is taken once by a subscription. It is for so many subscriptions
  of a customer as it says: one, unless the shop wants it otherwise.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final, final

import attrs

from shopaccounts.kernel.money import (
    BadRate,
    Currency,
    CurrencyMismatch,
    Money,
    NothingToAllocateTo,
    Rate,
    allocate,
    allocate_capped,
    share,
    total,
)
from shopaccounts.kernel.time import add_months, require_day
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.errors import DiscountAlreadyApplied, TooManyDiscounts
from shopaccounts.subscriptions.plans.checks import a_name, require_plan, require_whole
from shopaccounts.subscriptions.plans.offers import SETUP_FEE_LINE
from shopaccounts.subscriptions.plans.phases import Cycles, Months

__all__ = [
    "MAX_DISCOUNTS",
    "AppliedDiscount",
    "Discount",
    "DiscountShares",
    "Discountable",
    "Duration",
    "Fixed",
    "Forever",
    "Once",
    "Percent",
    "add_discount",
    "discount",
    "discount_change",
    "given_back",
    "is_live",
    "require_room",
    "used",
]

PREPAID_CODE: Final = "prepaid"
"""Under this name a line says what paying several cycles at once took off it."""

MAX_DISCOUNTS: Final = 5
"""How many discounts of a subscription may be live at once."""


@final
@attrs.frozen
class Percent:
    """A part of the price: above 0, at most 100 percent.

    Raises:
        BadRate: It is outside.
        TypeError: It is no ``Rate``.
    """

    rate: Rate = attrs.field(validator=attrs.validators.instance_of(Rate))

    def __attrs_post_init__(self) -> None:
        if not 0 < self.rate.numerator <= self.rate.denominator:
            raise BadRate


@final
@attrs.frozen
class Fixed:
    """An amount above zero.

    Raises:
        BadPlan: It isn't above zero.
        TypeError: It is no ``Money``.
    """

    money: Money = attrs.field(validator=attrs.validators.instance_of(Money))

    def __attrs_post_init__(self) -> None:
        require_plan(self.money.minor > 0, "a discount takes something")


@final
@attrs.frozen
class Once:
    """The first cycle in which the discount takes something."""


@final
@attrs.frozen
class Forever:
    """Every cycle."""


Duration = Once | Months | Cycles | Forever
"""How long a discount lasts."""


@final
@attrs.frozen(kw_only=True)
class Discount:
    """Something off.

    Args:
        code: The campaign, or what the shop's people call it.
        kind: A percentage, or an amount.
        duration: How long it lasts.
        scope: The keys of the lines that it is for; None for all but the fee for setting up.
        position: Where it comes among others, the smallest number first.
        not_after: The last day on which a period may begin that it is for; None for any.
        per_customer: On how many subscriptions of one customer it may be, one after the other or at once; None for any
            number.

    Raises:
        BadPlan: The limit is below one, the code is empty, or it is for no line.
        TypeError: A field is of another type.
    """

    code: str = attrs.field(validator=a_name)
    kind: Percent | Fixed = attrs.field(validator=attrs.validators.instance_of((Percent, Fixed)))
    duration: Duration = attrs.field(validator=attrs.validators.instance_of((Once, Months, Cycles, Forever)))
    scope: frozenset[str] | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.instance_of(frozenset))
    )
    position: int = 0
    not_after: date | None = attrs.field(default=None, converter=attrs.converters.optional(require_day))
    per_customer: int | None = 1

    def __attrs_post_init__(self) -> None:
        require_whole("a position", self.position)
        if self.per_customer is not None:
            require_whole("a limit", self.per_customer)
            require_plan(self.per_customer >= 1, "a discount is for some subscription")
        require_plan(self.scope is None or bool(self.scope), "a discount is for some line")

    def is_for(self, key: str) -> bool:
        """Tell whether it is for the line of that key."""
        return key != SETUP_FEE_LINE if self.scope is None else key in self.scope


@final
@attrs.frozen(kw_only=True)
class AppliedDiscount:
    """A discount of one subscription, and how far it is used up.

    Args:
        discount: What was granted.
        first: The first cycle in which it took something; None before that.
        since: The first day of that cycle's period.
        last: The last cycle that it was used in.
        uses: In how many cycles it was used.
    """

    discount: Discount
    first: CycleRef | None = None
    since: date | None = None
    last: CycleRef | None = None
    uses: int = 0


@final
@attrs.frozen
class Discountable:
    """A line before discounts: its key, its amount, and the first day of its period.

    Raises:
        NothingToAllocateTo: The amount is negative: a credit is not discounted.
    """

    key: str
    amount: Money
    start: date

    def __attrs_post_init__(self) -> None:
        if self.amount.minor < 0:
            raise NothingToAllocateTo


@final
@attrs.frozen
class DiscountShares:
    """What one discount takes of each line, in the order of the lines."""

    code: str
    shares: tuple[Money, ...]

    @property
    def takes(self) -> bool:
        """Whether it takes anything."""
        return any(part.minor for part in self.shares)


def is_live(applied: AppliedDiscount, cycle: CycleRef, start: date) -> bool:
    """Tell whether a discount is for a period of a cycle.

    Args:
        applied: The discount, as far as it is used up.
        cycle: The cycle that is billed.
        start: The first day of the period that is billed.
    """
    granted = applied.discount
    if granted.not_after is not None and start > granted.not_after:
        return False
    match granted.duration:
        case Once():
            return applied.first is None or applied.first == cycle
        case Months(count):
            return applied.since is None or start < add_months(applied.since, count)
        case Cycles(count):
            return applied.uses < count or applied.last == cycle
    return True


def discount(
    lines: Sequence[Discountable],
    discounts: Sequence[AppliedDiscount],
    cycle: CycleRef,
    *,
    numerator: int = 1,
    denominator: int = 1,
) -> tuple[DiscountShares, ...]:
    """Answer what each discount takes of each line of one cycle.

    Args:
        lines: What the cycle costs, all in one currency.
        discounts: The subscription's, whether they are live or not.
        cycle: The cycle that is billed.
        numerator: How much of a fixed amount is granted, over
        denominator: how much of it there is. A stub's own factor, where fixed amounts are prorated.

    Returns:
        One for each of *discounts*, in the same order.

    Raises:
        CurrencyMismatch: A line or a fixed amount is in another currency than the rest.
        BadShare: The numerator is negative, or the denominator not above zero.
    """
    if not discounts:
        return ()
    left = [line.amount for line in lines]
    taken: dict[int, tuple[Money, ...]] = {}
    for place in sorted(range(len(discounts)), key=lambda index: discounts[index].discount.position):
        applied = discounts[place]
        open_to = [
            amount if applied.discount.is_for(line.key) and is_live(applied, cycle, line.start) else amount * 0
            for line, amount in zip(lines, left, strict=True)
        ]
        taken[place] = _shares(applied.discount.kind, open_to, numerator, denominator)
        left = [amount - part for amount, part in zip(left, taken[place], strict=True)]
    return tuple(DiscountShares(applied.discount.code, taken[place]) for place, applied in enumerate(discounts))


def _shares(kind: Percent | Fixed, amounts: Sequence[Money], numerator: int, denominator: int) -> tuple[Money, ...]:
    if not any(amount.minor for amount in amounts):
        return tuple(amounts)
    if isinstance(kind, Fixed):
        return allocate_capped(share(kind.money, numerator, denominator), amounts)
    rate = kind.rate
    off = share(total(amounts, amounts[0].currency), rate.numerator, rate.denominator)
    return allocate(off, [amount.minor for amount in amounts])


def used(applied: AppliedDiscount, shares: DiscountShares, cycle: CycleRef, start: date) -> AppliedDiscount:
    """Answer a discount after a cycle was billed.

    Args:
        applied: The discount before.
        shares: What it took.
        cycle: The cycle that was billed.
        start: The first day of its period.
    """
    begins = applied.first is None and shares.takes
    if not begins and (applied.first is None or applied.last == cycle or not is_live(applied, cycle, start)):
        return applied
    return AppliedDiscount(
        discount=applied.discount,
        first=applied.first or cycle,
        since=applied.since or start,
        last=cycle,
        uses=applied.uses + 1,
    )


def given_back(applied: AppliedDiscount, cycle: CycleRef) -> AppliedDiscount:
    """Answer a discount after the invoice of a cycle was voided in which it was used.

    A discount that has no other use begins anew.

    Args:
        applied: The discount before.
        cycle: The cycle of that invoice.
    """
    if applied.uses == 1 and cycle in {applied.first, applied.last}:
        return AppliedDiscount(discount=applied.discount)
    if applied.uses <= 1:
        return applied
    return attrs.evolve(applied, uses=applied.uses - 1, last=None if applied.last == cycle else applied.last)


def discount_change(charge: Money, granted: Iterable[tuple[Discount, Money]]) -> tuple[Money, ...]:
    """Answer what discounts take of a charge that replaces something within a cycle.

    Args:
        charge: The new charge before discounts.
        granted: The discounts of the line that is replaced, in the order in which they acted, each with what the credit
            gave back of it.

    Returns:
        For each of them: the same percentage, or exactly what was given back of a fixed amount, and never more than the
        earlier ones left.

    Raises:
        CurrencyMismatch: An amount is in another currency than the charge.
    """
    left, taken = charge, []
    for one, back in granted:
        part = (
            min(back, left)
            if isinstance(one.kind, Fixed)
            else share(left, one.kind.rate.numerator, one.kind.rate.denominator)
        )
        taken.append(part)
        left -= part
    return tuple(taken)


def add_discount(
    discounts: Sequence[AppliedDiscount],
    new: Discount,
    currency: Currency,
    cycle: CycleRef,
    start: date,
    most: int = MAX_DISCOUNTS,
) -> tuple[AppliedDiscount, ...]:
    """Answer the discounts of a subscription with a new one, which acts from the next cycle on that isn't billed.

    Args:
        discounts: Those that it has, used up ones too.
        new: What is granted.
        currency: The subscription's.
        cycle: The next cycle that isn't billed.
        start: The first day of its period.
        most: How many may be live at once.

    Raises:
        DiscountAlreadyApplied: It has or had one of the same code.
        TooManyDiscounts: So many are live already.
        CurrencyMismatch: The amount is in another currency.
    """
    if any(applied.discount.code == new.code for applied in discounts):
        raise DiscountAlreadyApplied(new.code)
    if isinstance(new.kind, Fixed) and new.kind.money.currency != currency:
        raise CurrencyMismatch(left=currency, right=new.kind.money.currency)
    require_room(discounts, cycle, start, most)
    return (*discounts, AppliedDiscount(discount=new))


def require_room(discounts: Sequence[AppliedDiscount], cycle: CycleRef, start: date, most: int = MAX_DISCOUNTS) -> None:
    """Refuse one more discount than may be live at once.

    Args:
        discounts: Those that a subscription has, used up ones too.
        cycle: The next cycle that isn't billed.
        start: The first day of its period.
        most: How many may be live at once.

    Raises:
        TooManyDiscounts: So many are live already.
    """
    if sum(is_live(applied, cycle, start) for applied in discounts) >= most:
        raise TooManyDiscounts(most)
