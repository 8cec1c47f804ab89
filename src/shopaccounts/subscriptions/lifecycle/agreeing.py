"""From a plan to a subscription: what is agreed on with one customer, in one currency, from one moment on.

The rules, in plain English:

* What was agreed is copied: prices, phases, lines. The plan may be edited after that, and nothing changes.
* A trial lasts from its first moment to the same wall time some days or months later. What is paid for begins there.
* A subscription follows its own billing day, its customer's or the calendar's: whose, says its plan, or else the shop.
  Until the first such day it has a stub. Days and weeks know no day of the month, so the customer's billing day says
  nothing about them.
* The customer's billing day is set by the first period that is paid by the month: it is the day of the month that was
  agreed for it, though its first month be too short for that, or else the day on which it begins.
* A phase with another interval begins a segment of its own, with cycles of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

import attrs

from shopaccounts.kernel.cycles import Cycle, Interval
from shopaccounts.kernel.money import Currency
from shopaccounts.kernel.time import Zone, instant_of, local_date
from shopaccounts.subscriptions.cycles.schedules import (
    BillingDay,
    CalendarDay,
    DayOfMonth,
    Segment,
    SegmentReason,
    StartDay,
    open_cycle,
)
from shopaccounts.subscriptions.cycles.segments import open_segment
from shopaccounts.subscriptions.errors import BadPlan
from shopaccounts.subscriptions.lifecycle.trial_cycles import tried_by_grid, tried_whole
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.plans.add_ons import AddOn, SetupFeeWhen
from shopaccounts.subscriptions.plans.agreed import RunningPhase, RunningTerm, SubscribedLine, Terms, Trial
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount
from shopaccounts.subscriptions.plans.offers import PLAN_LINE, Alignment, PlanVersion
from shopaccounts.subscriptions.plans.phases import Phase, PhaseKind, phase_spans
from shopaccounts.subscriptions.plans.tariffs import in_currency
from shopaccounts.subscriptions.plans.trial_length import trial_end, trial_interval
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.subscribing import OneLivePer
from shopaccounts.subscriptions.policy.trials import TrialCycles
from shopaccounts.subscriptions.states import Lifecycle

__all__ = [
    "Choice",
    "Outset",
    "agree",
    "agreed_lines",
    "agreed_terms",
    "alignment_of",
    "billing_day_for",
    "outset",
    "with_billing_day",
]


@attrs.frozen(kw_only=True)
class Choice:
    """What a customer chose.

    Args:
        version: Of which plan.
        currency: In which currency.
        quantity: How many.
        add_ons: How many of which add-ons, by their keys.
        starts_at: When it begins.
        trial: Whether with the plan's trial, if it has one.
        discounts: What makes it cheaper.
        payment_method: What pays it, None for the account's method.
    """

    version: PlanVersion
    currency: Currency
    quantity: int = 1
    add_ons: Mapping[str, int] = attrs.field(factory=dict)
    starts_at: datetime
    trial: bool = True
    discounts: tuple[AppliedDiscount, ...] = ()
    payment_method: str | None = None


def agree(
    choice: Choice, account: BillingAccount, policy: SubscriptionPolicy, *, id: str, zone: Zone, now: datetime
) -> Subscription:
    """Answer the subscription that a choice makes; it waits for its start.

    Args:
        choice: What the customer chose.
        account: Who pays.
        policy: How the shop bills.
        id: What it is to be called.
        zone: Where its days begin.
        now: This instant.

    Raises:
        NoPriceInCurrency: The plan or an add-on isn't sold in that currency.
        BadQuantity: A quantity that may not be chosen.
        BadPlan: There is no such add-on.
    """
    version, trial = choice.version, _trial(choice, zone)
    begins = outset((), version, choice.starts_at, zone, account, policy, trial=trial)
    terms = agreed_terms(version, choice.currency, account, policy, begins.paid, free=begins.free)
    return Subscription(
        id=id,
        realm=account.realm,
        store=account.store,
        account=account.id,
        customer=account.customer,
        holds_group=policy.subscribing.one_live_per is OneLivePer.PLAN_GROUP,
        currency=choice.currency,
        terms=terms,
        lines=agreed_lines(version, choice.currency, choice.quantity, choice.add_ons, begins.last),
        segments=begins.segments,
        lifecycle=Lifecycle.PENDING,
        discounts=choice.discounts,
        setup_fee_due=terms.setup_fee is not None,
        trial=trial,
        term=RunningTerm(agreed=version.term) if version.term else None,
        payment_method=choice.payment_method,
        created_at=now,
    )


def _trial(choice: Choice, zone: Zone) -> Trial | None:
    first = choice.version.phases[0]
    if first.kind is not PhaseKind.TRIAL or first.length is None or not choice.trial:
        return None
    ends = trial_end(choice.starts_at, first.length, zone, choice.version.interval)
    return Trial(started_at=choice.starts_at, ends_at=ends)


def alignment_of(version: PlanVersion, policy: SubscriptionPolicy) -> Alignment:
    """Answer whose billing day a plan follows: its own word, or else the shop's."""
    return version.alignment or policy.cycles.alignment


def billing_day_for(version: PlanVersion, account: BillingAccount, policy: SubscriptionPolicy) -> BillingDay:
    """Answer on which day a plan is billed for a customer."""
    return _day_of_others(version, account, policy) or version.billing_day


def _day_of_others(version: PlanVersion, account: BillingAccount, policy: SubscriptionPolicy) -> BillingDay | None:
    """Answer the billing day that the calendar or the customer's account has set; None for a plan with its own."""
    match alignment_of(version, policy):
        case Alignment.CALENDAR:
            return CalendarDay()
        case Alignment.CUSTOMER if account.billing_day is not None and version.interval.total_months:
            return DayOfMonth(account.billing_day)
        case _:
            return None


def with_billing_day(account: BillingAccount, agreed: Subscription) -> BillingAccount:
    """Answer an account whose billing day is set by its first period that is paid by the month.

    Args:
        account: Who pays.
        agreed: What was agreed with that customer just now.
    """
    if account.billing_day is not None or agreed.terms.alignment is not Alignment.CUSTOMER:
        return account
    paid = (one.cycle for one in agreed.segments if one.first_index >= agreed.paid_from)
    first = next((cycle for cycle in paid if cycle.interval.total_months), None)
    return account if first is None else attrs.evolve(account, billing_day=first.anchor.day)


@attrs.frozen(kw_only=True)
class Outset:
    """What a plan begins with.

    Args:
        segments: Its segments, with those before.
        free: That of its trial, None without.
        paid: What is paid for first, as a segment; where a trial leaves the cycle whole in which it ends, that is in
            the middle of one.
    """

    segments: tuple[Segment, ...]
    free: Segment | None
    paid: Segment

    @property
    def last(self) -> Segment:
        """The last segment, but nothing of a trial."""
        last = self.segments[-1]
        return self.paid if last is self.free else last


def outset(
    before: tuple[Segment, ...],
    version: PlanVersion,
    starts: datetime,
    zone: Zone,
    account: BillingAccount,
    policy: SubscriptionPolicy,
    *,
    trial: Trial | None,
    first_index: int = 0,
    reason: SegmentReason = SegmentReason.START,
    settled: int = 0,
) -> Outset:
    """Answer the segments of a plan from a moment on: its trial, what is paid for, phases with another interval.

    Args:
        before: The segments so far; none before a trial.
        version: The plan.
        starts: When the first of the new ones begins.
        zone: Where days begin.
        account: Whose billing day it may follow.
        policy: How the shop bills.
        trial: The trial to begin with, None without.
        first_index: The number of the first new cycle, without a trial.
        reason: Why the first of the new ones is opened, without a trial.
        settled: So many cycles of a trial are settled already.
    """
    phases, day = _paid_phases(version), billing_day_for(version, account, policy)
    cycle_from = _cycles(phases[0].interval or version.interval, day, starts, zone, policy)
    if trial is None:
        segments = open_segment(before, cycle_from(starts), starts, first_index=first_index, reason=reason)
        free, paid = None, segments[-1]
    elif policy.trials.cycles is TrialCycles.GRID and _day_of_others(version, account, policy):
        grid = cycle_from(starts)
        segments, paid = tried_by_grid(grid, starts, trial.ends_at, policy.trials, settled=settled)
        free = segments[0]
    else:
        length = trial_interval(version.phases[0].length, version.interval)
        whole = _cycles(length, StartDay(), starts, zone, policy)(starts)
        segments = tried_whole(whole, cycle_from(trial.ends_at), starts, trial.ends_at)
        free, paid = segments
    for span in phase_spans(phases, paid.start, paid.cycle, version.interval, day):
        if span.cycle != segments[-1].cycle:
            segments = _with_other_interval(segments, span.cycle, span.start)
    return Outset(segments=segments, free=free, paid=paid)


def _cycles(
    interval: Interval, day: BillingDay, starts: datetime, zone: Zone, policy: SubscriptionPolicy
) -> Callable[[datetime], Cycle]:
    """Answer how the cycle is opened that counts from an instant on; its wall time is that of the start."""
    at, week_start = policy.cycles.boundary_time(starts, zone), policy.cycles.week_start
    return lambda begins: open_cycle(local_date(begins, zone), interval, day, zone=zone, at=at, week_start=week_start)


def _paid_phases(version: PlanVersion) -> Sequence[Phase]:
    return version.phases[1:] if version.phases[0].kind is PhaseKind.TRIAL else version.phases


def _with_other_interval(segments: tuple[Segment, ...], cycle: Cycle, start: date) -> tuple[Segment, ...]:
    last = segments[-1]
    passed = last.cycle.index_on(start - timedelta(days=1)) - last.cycle.index_on(last.start) + 1
    at = instant_of(start, cycle.anchor.at, cycle.anchor.zone)
    return open_segment(segments, cycle, at, first_index=last.first_index + passed, reason=SegmentReason.FREQUENCY)


def agreed_terms(
    version: PlanVersion,
    currency: Currency,
    account: BillingAccount,
    policy: SubscriptionPolicy,
    paid: Segment,
    *,
    free: Segment | None = None,
) -> Terms:
    """Answer the snapshot of a plan for one customer.

    Args:
        version: The plan.
        currency: In which currency.
        account: Whose billing day it may follow.
        policy: How the shop bills.
        paid: The segment in which it begins to be paid for.
        free: The segment of its trial, None without.

    Raises:
        NoPriceInCurrency: It isn't sold in that currency.
    """
    fee, alignment = version.setup_fee, alignment_of(version, policy)
    day = billing_day_for(version, account, policy)
    minimum = [one for one in version.minimum if one.currency == currency]
    return Terms(
        version=version.id,
        plan=version.plan.id,
        priced_on=(free or paid).start,
        group=version.plan.group,
        goods=version.plan.goods,
        billing_day=day,
        alignment=alignment,
        consolidate=policy.cycles.consolidate and alignment is Alignment.CUSTOMER,
        phases=_running(version, currency, day, paid, free),
        setup_fee=in_currency(fee.prices, currency) if fee else None,
        setup_fee_first=fee is not None and fee.when is SetupFeeWhen.AT_START,
        minimum=minimum[0] if minimum else None,
        early_exit=version.early_exit,
        catch_up=version.catch_up,
        deliveries=version.deliveries,
        prepay=version.prepay,
    )


def _running(
    version: PlanVersion, currency: Currency, day: BillingDay, paid: Segment, free: Segment | None
) -> tuple[RunningPhase, ...]:
    """Answer the days of each phase, and its price in one currency."""
    spans = phase_spans(_paid_phases(version), paid.start, paid.cycle, version.interval, day)
    running = tuple(
        RunningPhase(
            kind=span.phase.kind,
            tariff=in_currency(span.phase.prices, currency),
            start=span.start,
            end=span.end,
            interval=span.phase.interval or version.interval,
        )
        for span in spans
    )
    if free is None:
        return running
    trial = version.phases[0]
    tariff = in_currency(trial.prices, currency) if trial.prices else None
    tried = RunningPhase(kind=trial.kind, tariff=tariff, start=free.start, end=paid.start, interval=free.cycle.interval)
    return (tried, *running)


def agreed_lines(
    version: PlanVersion, currency: Currency, quantity: int, add_ons: Mapping[str, int], segment: Segment
) -> tuple[SubscribedLine, ...]:
    """Answer the lines of a plan with the add-ons that were chosen.

    Raises:
        NoPriceInCurrency: An add-on isn't sold in that currency.
        BadQuantity: A quantity that may not be chosen.
        BadPlan: There is no such add-on.
    """
    offered = {one.key: one for one in version.add_ons}
    if unknown := add_ons.keys() - offered.keys():
        problem = f"the plan has no add-on {', '.join(sorted(unknown))}"
        raise BadPlan(problem)
    own = SubscribedLine(
        key=PLAN_LINE,
        product=version.plan.code,
        quantity=version.quantities.check(quantity),
        mode=version.mode,
        quantities=version.quantities,
        category=version.tax_category,
    )
    chosen = [add_on_line(offered[key], count, currency, version, segment) for key, count in sorted(add_ons.items())]
    metered = [
        SubscribedLine(
            key=one.key,
            product=one.meter,
            tariff=in_currency(one.prices, currency),
            meter=one.meter,
            included=one.included,
            category=one.tax_category or version.tax_category,
        )
        for one in version.metered
    ]
    return (own, *chosen, *metered)


def add_on_line(
    add_on: AddOn, quantity: int, currency: Currency, version: PlanVersion, segment: Segment
) -> SubscribedLine:
    """Answer the line of an add-on that is chosen from a segment's first cycle on.

    Raises:
        NoPriceInCurrency: It isn't sold in that currency.
        BadQuantity: A quantity that may not be chosen.
    """
    stub = segment.cycle.boundary_on_or_after(segment.start) != segment.start
    until = segment.first_index + add_on.cycles.count + int(stub) if add_on.cycles else None
    return SubscribedLine(
        key=add_on.key,
        product=add_on.product,
        quantity=add_on.quantities.check(quantity),
        tariff=in_currency(add_on.prices, currency),
        mode=add_on.mode,
        quantities=add_on.quantities,
        until_cycle=until,
        category=add_on.tax_category or version.tax_category,
    )
