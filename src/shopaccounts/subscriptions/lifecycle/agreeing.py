"""From a plan to a subscription: what is agreed on with one customer, in one currency, from one moment on.

The rules, in plain English:

* What was agreed is copied: prices, phases, lines. The plan may be edited after that, and nothing changes.
* A trial lasts from its first moment to the same wall time some days or months later. What is paid for begins there.
* A subscription follows its own billing day, its customer's or the calendar's. Until the first such day it has a stub.
  Days and weeks know no day of the month, so the customer's billing day says nothing about them.
* A phase with another interval begins a segment of its own, with cycles of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import attrs

from shopaccounts.kernel.cycles import Cycle
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
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["Choice", "agree", "agreed_lines", "agreed_terms", "aligned", "billing_day_for", "segments_from"]


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
    version, starts = aligned(choice.version, policy), choice.starts_at
    trial = _trial(choice, zone)
    day = billing_day_for(version, account)
    segments = segments_from((), version, starts, zone, day, policy, trial=trial)
    free, paid = (segments[0], segments[1]) if trial else (None, segments[0])
    terms = agreed_terms(version, choice.currency, account, paid, free=free)
    shares = policy.cycles.consolidate and version.alignment is Alignment.CUSTOMER
    return Subscription(
        id=id,
        realm=account.realm,
        store=account.store,
        account=account.id,
        customer=account.customer,
        holds_group=policy.subscribing.one_live_per is OneLivePer.PLAN_GROUP,
        currency=choice.currency,
        terms=attrs.evolve(terms, consolidate=True) if shares else terms,
        lines=agreed_lines(version, choice.currency, choice.quantity, choice.add_ons, segments[-1]),
        segments=segments,
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


def aligned(version: PlanVersion, policy: SubscriptionPolicy) -> PlanVersion:
    """Answer a plan that says whose billing day it follows: its own word, or else the shop's."""
    return version if version.alignment else attrs.evolve(version, alignment=policy.cycles.alignment)


def billing_day_for(version: PlanVersion, account: BillingAccount) -> BillingDay:
    """Answer on which day a plan is billed for a customer."""
    match version.alignment:
        case Alignment.CALENDAR:
            return CalendarDay()
        case Alignment.CUSTOMER if account.billing_day is not None and version.interval.total_months:
            return DayOfMonth(account.billing_day)
        case _:
            return version.billing_day


def segments_from(
    before: tuple[Segment, ...],
    version: PlanVersion,
    starts: datetime,
    zone: Zone,
    day: BillingDay,
    policy: SubscriptionPolicy,
    *,
    trial: Trial | None,
    first_index: int = 0,
    reason: SegmentReason = SegmentReason.START,
) -> tuple[Segment, ...]:
    """Answer the segments of a plan from a moment on: its trial, what is paid for, phases with another interval.

    Args:
        before: The segments so far.
        version: The plan.
        starts: When the first of the new ones begins.
        zone: Where days begin.
        day: On which day cycles begin.
        policy: How the shop bills.
        trial: The trial to begin with, None without.
        first_index: The number of the first new cycle.
        reason: Why the first of the new ones is opened.
    """
    at = policy.cycles.boundary_time(starts, zone)
    segments, paid_from = before, starts
    if trial is not None:
        length = trial_interval(version.phases[0].length, version.interval)
        whole = open_cycle(local_date(starts, zone), length, StartDay(), zone=zone, at=at)
        segments = open_segment(segments, whole, starts, first_index=first_index, reason=reason)
        paid_from, first_index, reason = trial.ends_at, first_index + 1, SegmentReason.TRIAL_END
    phases = _paid_phases(version)
    on = local_date(paid_from, zone)
    first = open_cycle(
        on, phases[0].interval or version.interval, day, zone=zone, at=at, week_start=policy.cycles.week_start
    )
    segments = open_segment(segments, first, paid_from, first_index=first_index, reason=reason)
    for span in phase_spans(phases, on, first, version.interval, day):
        if span.cycle != segments[-1].cycle:
            segments = _with_other_interval(segments, span.cycle, span.start)
    return segments


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
    paid: Segment,
    *,
    free: Segment | None = None,
) -> Terms:
    """Answer the snapshot of a plan for one customer.

    Args:
        version: The plan.
        currency: In which currency.
        account: Whose billing day it may follow.
        paid: The segment in which it begins to be paid for.
        free: The segment of its trial, None without.

    Raises:
        NoPriceInCurrency: It isn't sold in that currency.
    """
    fee = version.setup_fee
    minimum = [one for one in version.minimum if one.currency == currency]
    return Terms(
        version=version.id,
        plan=version.plan.id,
        priced_on=(free or paid).start,
        group=version.plan.group,
        goods=version.plan.goods,
        billing_day=billing_day_for(version, account),
        alignment=version.alignment or Alignment.SUBSCRIPTION,
        phases=_running(version, currency, billing_day_for(version, account), paid, free),
        setup_fee=in_currency(fee.prices, currency) if fee else None,
        setup_fee_first=fee is not None and fee.when is SetupFeeWhen.AT_START,
        minimum=minimum[0] if minimum else None,
        early_exit=version.early_exit,
        catch_up=version.catch_up,
        deliveries=version.deliveries,
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
