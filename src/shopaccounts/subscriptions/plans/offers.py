"""Plans: what a shop sells that comes again.

The rules, in plain English:

* A plan has versions, and a version never changes. Whoever edits a plan makes another version of it; subscriptions stay
  at theirs, and at the prices they were sold for.
* A plan that contradicts itself is refused when it is made, not when it is billed: its phases, its prices in each
  currency, its billing day, its deliveries, the keys of its lines.
* A plan is sold in the currencies in which all its phases have a price. A subscription has one of them, for life.
* Boxes come as often as they are billed, or more often; never less.
"""

from datetime import date
from enum import Enum
from typing import Final, NewType, final

import attrs

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.money import Currency
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.cycles.schedules import BillingDay, StartDay, open_cycle
from shopaccounts.subscriptions.plans.add_ons import (
    AddOn,
    AfterPrepaid,
    Metered,
    MinimumSpend,
    PrepayOption,
    QuantityRule,
    SetupFee,
    SetupFeeWhen,
)
from shopaccounts.subscriptions.plans.checks import a_name, require_plan, tuple_of, whole_number
from shopaccounts.subscriptions.plans.comparing import Direction, Priced, direction, months_in, per_month
from shopaccounts.subscriptions.plans.phases import Cycles, Days, Length, Months, Phase, PhaseKind, require_phases
from shopaccounts.subscriptions.plans.tariffs import MOST_UNITS, InACurrency, Tariff, in_currency, require_prices
from shopaccounts.subscriptions.plans.terms import AtCommitmentEnd, EarlyExit, Fee, Refuse, RemainderDue, Term

__all__ = [
    "MOST_LINES",
    "PLAN_LINE",
    "SETUP_FEE_LINE",
    "AddOn",
    "AfterPrepaid",
    "Alignment",
    "AtCommitmentEnd",
    "CatchUpMode",
    "Cycles",
    "Days",
    "DeliveryPlan",
    "Direction",
    "EarlyExit",
    "Fee",
    "FirstDelivery",
    "Goods",
    "Length",
    "Metered",
    "MinimumSpend",
    "Months",
    "Phase",
    "PhaseKind",
    "Plan",
    "PlanId",
    "PlanVersion",
    "PlanVersionId",
    "PrepayOption",
    "Priced",
    "QuantityRule",
    "Refuse",
    "RemainderDue",
    "SetupFee",
    "SetupFeeWhen",
    "ShipWhen",
    "Term",
    "TrialTerms",
    "direction",
    "per_month",
    "price_in",
]

PlanId = NewType("PlanId", str)
PlanVersionId = NewType("PlanVersionId", str)

PLAN_LINE: Final = "plan"
"""The key of the line that is the plan itself."""
SETUP_FEE_LINE: Final = "setup_fee"
"""The key of the line that is the fee for setting up."""
MOST_LINES: Final = 250
"""How many lines a plan may have: its own, its add-ons, its meters."""

_ANY_DAY: Final = date(2000, 1, 1)
_instance_of = attrs.validators.instance_of
_optional = attrs.validators.optional


class Goods(Enum):
    """Whether something is shipped."""

    DIGITAL = "digital"
    PHYSICAL = "physical"


class Alignment(Enum):
    """Whose billing day a subscription follows: its own, its customer's, or the calendar's."""

    SUBSCRIPTION = "subscription"
    CUSTOMER = "customer"
    CALENDAR = "calendar"


class CatchUpMode(Enum):
    """What happens to periods that came due while nothing was billed.

    Each has its invoice; all share one; the latest alone is billed; or a person decides.
    """

    EACH = "each"
    COLLAPSE = "collapse"
    LATEST_ONLY = "latest_only"
    HOLD = "hold"


class FirstDelivery(Enum):
    """When the first box goes out: at once, or on the first delivery date that can still be reached."""

    ASAP = "asap"
    NEXT_DATE = "next_date"


class ShipWhen(Enum):
    """Whether a box waits for its money."""

    PAID = "paid"
    INVOICED = "invoiced"


def _require_day_fits(interval: Interval, day: BillingDay) -> None:
    """Refuse a billing day that doesn't suit an interval, as opening a cycle would."""
    open_cycle(_ANY_DAY, interval, day, zone=zone("UTC"))


@final
@attrs.frozen(kw_only=True)
class DeliveryPlan:
    """When boxes are delivered; that they are billed in another rhythm is usual.

    Args:
        interval: How long it is from one delivery to the next.
        day: On which day deliveries fall.
        first: When the first box goes out.
        cut_off_days: How many days before a delivery, at local midnight, its box is settled; 0 to 365.
        ship_when: Whether a box waits for its money; None for the shop's policy.

    Raises:
        BadPlan: The day doesn't suit the interval, or *cut_off_days* is out of bounds.
        TypeError: A field is of another type.
    """

    interval: Interval = attrs.field(validator=_instance_of(Interval))
    day: BillingDay = attrs.field(factory=StartDay)
    first: FirstDelivery = attrs.field(default=FirstDelivery.ASAP, validator=_instance_of(FirstDelivery))
    cut_off_days: int = attrs.field(default=3, validator=whole_number(0, 365))
    ship_when: ShipWhen | None = attrs.field(default=None, validator=_optional(_instance_of(ShipWhen)))

    def __attrs_post_init__(self) -> None:
        _require_day_fits(self.interval, self.day)


@final
@attrs.frozen(kw_only=True)
class TrialTerms:
    """What a plan's own trial asks for; its length is that of the trial phase.

    Args:
        needs_payment_method: Whether nobody may begin it without a payment method.
    """

    needs_payment_method: bool = attrs.field(default=False, validator=_instance_of(bool))


@final
@attrs.frozen(kw_only=True)
class Plan:
    """What all versions of a plan have in common.

    Args:
        id: Opaque.
        code: What the shop calls it.
        group: A customer has one subscription of the plans of a group, and one trial.
        goods: Whether something is shipped.
        version: How often it was edited.

    Raises:
        BadPlan: *code* or *group* is empty, or *version* less than one.
        TypeError: A field is of another type.
    """

    id: PlanId
    code: str = attrs.field(validator=a_name)
    group: str = attrs.field(validator=a_name)
    goods: Goods = attrs.field(validator=_instance_of(Goods))
    version: int = attrs.field(default=1, validator=whole_number(1, MOST_UNITS))


@final
@attrs.frozen(kw_only=True)
class PlanVersion:
    """A plan as it is sold, once and for all.

    Args:
        id: Opaque; another edit has another one.
        plan: Which plan this is a version of.
        phases: Its phases, one after the other.
        interval: How long a cycle is, where a phase doesn't say otherwise.
        billing_day: On which day cycles begin, for a subscription that follows its own or the calendar's.
        alignment: Whose billing day it follows; None for the shop's policy.
        mode: Whether its own line is paid when a period begins, or when it has ended.
        quantities: Which quantities of it may be chosen.
        add_ons: What is sold with it.
        metered: Usage that is billed with it.
        setup_fee: What is charged once.
        minimum: The least that a period costs, once for each currency.
        prepay: Offers to pay several cycles at once.
        term: For how long it is agreed; None if it can be left at any boundary.
        early_exit: What leaving a term early costs; None for the shop's policy.
        tax_category: What the tax port needs to know.
        deliveries: How boxes are delivered; None where nothing is.
        trial: What its trial asks for; None for the shop's policy.
        catch_up: What happens after an outage; None for the shop's policy.

    Raises:
        BadPlan: Something contradicts something else; ``problem`` says what.
        TypeError: A field is of another type.
    """

    id: PlanVersionId
    plan: Plan = attrs.field(validator=_instance_of(Plan))
    phases: tuple[Phase, ...] = attrs.field(validator=tuple_of(Phase))
    interval: Interval = attrs.field(validator=_instance_of(Interval))
    billing_day: BillingDay = attrs.field(factory=StartDay)
    alignment: Alignment | None = attrs.field(default=None, validator=_optional(_instance_of(Alignment)))
    mode: BillingMode = attrs.field(default=BillingMode.IN_ADVANCE, validator=_instance_of(BillingMode))
    quantities: QuantityRule = attrs.field(factory=QuantityRule, validator=_instance_of(QuantityRule))
    add_ons: tuple[AddOn, ...] = attrs.field(default=(), validator=tuple_of(AddOn))
    metered: tuple[Metered, ...] = attrs.field(default=(), validator=tuple_of(Metered))
    setup_fee: SetupFee | None = attrs.field(default=None, validator=_optional(_instance_of(SetupFee)))
    minimum: tuple[MinimumSpend, ...] = attrs.field(default=(), validator=tuple_of(MinimumSpend))
    prepay: tuple[PrepayOption, ...] = attrs.field(default=(), validator=tuple_of(PrepayOption))
    term: Term | None = attrs.field(default=None, validator=_optional(_instance_of(Term)))
    early_exit: EarlyExit | None = attrs.field(default=None, validator=_optional(_instance_of(EarlyExit)))
    tax_category: str = attrs.field(default="", validator=_instance_of(str))
    deliveries: DeliveryPlan | None = attrs.field(default=None, validator=_optional(_instance_of(DeliveryPlan)))
    trial: TrialTerms | None = attrs.field(default=None, validator=_optional(_instance_of(TrialTerms)))
    catch_up: CatchUpMode | None = attrs.field(default=None, validator=_optional(_instance_of(CatchUpMode)))

    def __attrs_post_init__(self) -> None:
        _require_priced_throughout(self, require_phases(self.phases))
        _require_lines(self)
        _require_rhythm(self)
        _require_agreement(self)

    @property
    def has_trial(self) -> bool:
        """Whether it begins with a trial."""
        return self.phases[0].kind is PhaseKind.TRIAL

    @property
    def currencies(self) -> frozenset[Currency]:
        """The currencies that it is sold in; its last phase is never free."""
        return self.phases[-1].currencies


def _require_priced_throughout(version: PlanVersion, currencies: frozenset[Currency]) -> None:
    """Demand that what is charged with every subscription has a price in each currency of the plan."""
    parts: list[tuple[str, tuple[InACurrency, ...]]] = [(f"meter {line.key}", line.prices) for line in version.metered]
    if version.setup_fee:
        parts.append(("the setup fee", version.setup_fee.prices))
    if version.minimum:
        parts.append(("the minimum", version.minimum))
    for what, prices in parts:
        require_plan(require_prices(what, prices) == currencies, f"{what} is in the currencies of the plan")


def _require_lines(version: PlanVersion) -> None:
    """Demand that there aren't too many lines, and that each has a key of its own."""
    keys = [PLAN_LINE, *(line.key for line in version.add_ons), *(line.key for line in version.metered)]
    require_plan(len(keys) <= MOST_LINES, f"a plan has at most {MOST_LINES} lines")
    require_plan(len({SETUP_FEE_LINE, *keys}) == len(keys) + 1, "each line has a key of its own")


def _require_rhythm(version: PlanVersion) -> None:
    """Demand that billing day and deliveries suit every interval of the plan."""
    deliveries = version.deliveries
    for interval in {phase.interval or version.interval for phase in version.phases}:
        _require_day_fits(interval, version.billing_day)
        require_plan(
            deliveries is None or months_in(deliveries.interval) <= months_in(interval),
            "boxes come at least as often as they are billed",
        )


def _require_agreement(version: PlanVersion) -> None:
    """Demand that trial, offers and early exit have something to refer to."""
    has_trial = version.phases[0].kind is PhaseKind.TRIAL
    require_plan(version.trial is None or has_trial, "only a plan with a trial has terms for it")
    counts = [option.cycles for option in version.prepay]
    require_plan(len(set(counts)) == len(counts), "so many cycles are offered at one price")
    require_plan(version.early_exit is None or version.term is not None, "only a plan with a term can be left early")
    if isinstance(version.early_exit, Fee):
        fee = version.early_exit.money.currency
        require_plan(version.currencies == {fee}, "a fee for leaving early is in the one currency of the plan")


def price_in(version: PlanVersion, code: str) -> tuple[Tariff | None, ...]:
    """Answer what each phase of a plan costs in a currency, None for one that is free: what a subscription pins.

    Raises:
        NoPriceInCurrency: The plan isn't sold in it.
        UnknownCurrency: *code* is no currency of the table.
    """
    return tuple(in_currency(phase.prices, code) if phase.prices else None for phase in version.phases)
