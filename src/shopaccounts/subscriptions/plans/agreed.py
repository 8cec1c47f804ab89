"""What a customer and the shop agreed on: a snapshot of a plan's version, at the prices of that day.

A shop that edits its catalogue changes no running bill: a subscription never looks its own prices up again.
"""

from datetime import date, datetime

import attrs

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.cycles.schedules import BillingDay
from shopaccounts.subscriptions.plans.offers import (
    PLAN_LINE,
    Alignment,
    CatchUpMode,
    DeliveryPlan,
    EarlyExit,
    Goods,
    MinimumSpend,
    PhaseKind,
    PrepayOption,
    QuantityRule,
    Term,
)
from shopaccounts.subscriptions.plans.tariffs import Tariff

__all__ = ["PrepaidCycles", "RunningPhase", "RunningTerm", "SubscribedLine", "Terms", "Trial"]


@attrs.frozen(kw_only=True)
class SubscribedLine:
    """One line of a subscription, at the price that was agreed.

    Args:
        key: Which line: ``plan``, or the key of an add-on.
        product: What is delivered or licensed.
        quantity: How many.
        tariff: Its price; None for the plan's own line, whose price is that of the running phase.
        mode: Paid when a period begins, or when it has ended.
        quantities: Which quantities may be chosen.
        since: The first day on which it was so, where that is within a cycle; None: all along.
        since_at: The instant since when it is so, of a metered line that was changed within a day.
        until_cycle: Number of the first cycle that doesn't have it any more, None for ever.
        meter: Which meter is read for its quantity, empty for a line that isn't metered.
        included: How many units of the meter a whole period includes.
        category: Which tax category it has.
    """

    key: str = PLAN_LINE
    product: str
    quantity: int = 1
    tariff: Tariff | None = None
    mode: BillingMode = BillingMode.IN_ADVANCE
    quantities: QuantityRule = attrs.field(factory=QuantityRule)
    since: date | None = None
    since_at: datetime | None = None
    until_cycle: int | None = None
    meter: str = ""
    included: int = 0
    category: str = ""

    @property
    def all_along(self) -> "SubscribedLine":
        """The same line, as if it had never been otherwise."""
        return self.so_since(None)

    def so_since(self, day: date | None, at: datetime | None = None) -> "SubscribedLine":
        """Answer the same line, so from a day on, or from an instant within it; None: all along."""
        if self.since == day and self.since_at == at:
            return self
        return attrs.evolve(self, since=day, since_at=at)


@attrs.frozen(kw_only=True)
class RunningPhase:
    """One phase of what was agreed, with its days; the last one of an evergreen plan has no end.

    Args:
        kind: Trial, introduction, fixed term or evergreen.
        tariff: The price of the plan's line meanwhile; None while it is free.
        start: Its first day.
        end: The day after its last, None for ever.
        interval: How long its cycles are.
    """

    kind: PhaseKind
    tariff: Tariff | None
    start: date
    end: date | None
    interval: Interval


@attrs.frozen(kw_only=True)
class Terms:
    """What was agreed: the snapshot of a plan's version in one currency.

    Args:
        version: The version of the plan.
        plan: The plan whose version it is.
        priced_on: The day from which on its price is known to hold: changes of price before it are none of its own.
        group: Of the plans of a group a customer has one.
        goods: Digital, or something that is shipped.
        billing_day: On which day of the month, week or year periods begin.
        alignment: Whose billing day it follows.
        consolidate: Whether its lines may share an invoice with those of the account's other subscriptions.
        phases: Its phases, one after the other.
        setup_fee: What is charged once, None for nothing.
        setup_fee_first: Whether that is charged at the start, even before a trial, instead of with the first paid
            invoice.
        minimum: The least that a period costs.
        early_exit: What leaving early costs.
        catch_up: What happens after an outage, None for the shop's policy.
        deliveries: How boxes are delivered, None where nothing is.
        prepay: How many cycles can be paid at once, and at which reduction.
    """

    version: str
    plan: str = ""
    priced_on: date | None = None
    group: str
    goods: Goods
    billing_day: BillingDay
    alignment: Alignment
    consolidate: bool = False
    phases: tuple[RunningPhase, ...]
    setup_fee: Money | None = None
    setup_fee_first: bool = False
    minimum: MinimumSpend | None = None
    early_exit: EarlyExit | None = None
    catch_up: CatchUpMode | None = None
    deliveries: DeliveryPlan | None = None
    prepay: tuple[PrepayOption, ...] = ()


@attrs.frozen(kw_only=True)
class RunningTerm:
    """The minimum and fixed length that was agreed: what of it has passed.

    Args:
        agreed: What was agreed.
        begun: How many whole cycles of it have begun, without those that were left out.
    """

    agreed: Term
    begun: int = 0


@attrs.frozen(kw_only=True)
class PrepaidCycles:
    """Cycles that were paid at once.

    Args:
        option: The offer that they were paid under: how many, what it takes off, and what follows.
        first: Number of the first of them.
        until: Number of the first cycle after them; that is *first* while they are to be billed, because a subscription
            begins with them, or again, since their invoice was voided.
        spent: What each cost, after discounts; kept only where cycles must cost something at least.
    """

    option: PrepayOption
    first: int
    until: int
    spent: tuple[Money, ...] = ()

    def holds(self, index: int) -> bool:
        """Tell whether a cycle is one of them."""
        return self.first <= index < self.until


@attrs.frozen(kw_only=True)
class Trial:
    """A trial: from when to when, and until when at most."""

    started_at: datetime
    ends_at: datetime
