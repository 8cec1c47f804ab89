"""The lines of invoices: what is to be billed, and what was billed.

The rules, in plain English:

* A line's amount was rounded once. Discounts come off it, and what is left is its *base*, on the side of tax on which
  prices are quoted. Tax comes last.
* What is computed from something else isn't stored: a line has its amount, what was taken off and its taxes, and all
  other figures follow.
* A line remembers what was taken back of it, so that nothing is credited twice and all of it comes to exactly the line.
"""

from datetime import date, datetime
from enum import Enum
from typing import ClassVar

import attrs

from shopaccounts.kernel.money import Money, Rate
from shopaccounts.subscriptions.cycles.proration import Factor
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.plans.tariffs import Tariff

__all__ = [
    "DiscountTaken",
    "Line",
    "LineDraft",
    "LineKind",
    "LineRef",
    "LineTax",
    "PendingLine",
    "TaxMode",
]


class TaxMode(Enum):
    """Whether prices are quoted without tax or with it."""

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


class LineKind(Enum):
    """What a line is for."""

    RECURRING = "recurring"
    STUB = "stub"
    ADD_ON = "add_on"
    SETUP_FEE = "setup_fee"
    USAGE = "usage"
    MINIMUM = "minimum"
    CHARGE = "charge"
    CREDIT = "credit"
    TO_BALANCE = "to_balance"


@attrs.frozen
class LineTax:
    """One tax on one line."""

    rate: Rate
    amount: Money


@attrs.frozen
class DiscountTaken:
    """What one discount, by its code, took off one line: so many minor units of the line's currency."""

    code: str
    minor: int


@attrs.frozen
class LineRef:
    """Where a line stands: on which invoice, and as which of its lines, counted from 1."""

    invoice: str
    number: int


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class LineDraft:
    """What is to be billed as one line.

    Args:
        kind: What it is for.
        subscription: Whose, empty for a line that belongs to none.
        cycle: The cycle that it is about, if it is about one.
        key: Which line of the subscription it bills, such as ``plan`` or an add-on's key.
        product: What is sold.
        quantity: How many.
        tariff: What one costs; None where the amount was given.
        start: First day of what is billed.
        end: The day after the last.
        factor: Which part of the nominal period that is.
        amount: Price times quantity times factor, rounded once; below zero where something is taken back.
        discounts: What was taken off.
        rates: The rates of its taxes.
        taxed: What each of them comes to, in minor units; None while it isn't computed. What takes something back has
            brought it along.
        category: Which tax category the product has.
        credits_line: The line that this one takes back.
        quantity_from: Where the quantity of a metered line was read, and as of when.
    """

    kind: LineKind
    subscription: str = ""
    cycle: CycleRef | None = None
    key: str
    product: str
    quantity: int = 1
    tariff: Tariff | None = None
    start: date
    end: date
    factor: Factor | None = None
    amount: Money
    discounts: tuple[DiscountTaken, ...] = ()
    rates: tuple[Rate, ...] = ()
    taxed: tuple[int, ...] | None = None
    category: str = ""
    credits_line: LineRef | None = None
    quantity_from: str = ""

    @property
    def discount(self) -> Money:
        """All that was taken off."""
        return Money(sum(taken.minor for taken in self.discounts), self.amount.currency)

    @property
    def base(self) -> Money:
        """Amount less discounts: what taxes and credits are computed of, on the side of tax where prices are quoted."""
        return self.amount - self.discount if self.discounts else self.amount


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class Line(LineDraft):
    """One line of an invoice; what it bills never changes, and what was taken back of it is added up.

    Args:
        mode: On which side of tax its amount is.
        taxed: What each of its taxes comes to, in minor units, in the order of the rates.
        credited: How much of its base was taken back so far.
        tax_credited: How much of each tax was taken back with it, in minor units.
        live_until: The day from which on it counts no more, because a change replaced it; None: its end.
    """

    stored_in_columns: ClassVar = True

    mode: TaxMode
    taxed: tuple[int, ...]
    credited: Money
    tax_credited: tuple[int, ...]
    live_until: date | None = None

    @property
    def taxes(self) -> tuple[LineTax, ...]:
        """Each tax on it."""
        pairs = zip(self.rates, self.taxed, strict=True)
        return tuple(LineTax(rate, Money(minor, self.amount.currency)) for rate, minor in pairs)

    @property
    def tax(self) -> Money:
        """All its taxes together."""
        return Money(sum(self.taxed), self.amount.currency)

    @property
    def net(self) -> Money:
        """What it comes to without tax."""
        return self.base if self.mode is TaxMode.EXCLUSIVE else self.base - self.tax

    @property
    def gross(self) -> Money:
        """What it comes to with tax."""
        return self.base if self.mode is TaxMode.INCLUSIVE else self.base + self.tax

    @property
    def creditable(self) -> Money:
        """How much of its base can still be taken back: nothing of a line that takes back itself."""
        return Money(max(self.base.minor - self.credited.minor, 0), self.amount.currency)


@attrs.frozen(kw_only=True)
class PendingLine:
    """A line that waits for the next invoice in its currency, such as one too small to be charged alone."""

    id: str
    line: LineDraft
    since: datetime
