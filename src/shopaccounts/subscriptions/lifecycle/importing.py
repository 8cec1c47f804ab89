"""Taking over subscriptions that run already, somewhere else.

The rules, in plain English:

* What was billed elsewhere isn't billed again. The running period begins on the day that is given, and so many periods
  from there on count as billed; what was delivered in arrears, and isn't billed yet, is billed here when it ends.
* If the running period began on one of the agreed days, cycles go on from there. Otherwise the agreed days hold, and
  the rest of the running period until the next of them is a stub.
* Phases count from the day on which the customer first paid: who had the introduction doesn't have it again.
* A trial that is running ends when it was to end; one that is over is remembered, so that nobody tries twice. What is
  paused stays paused.
* Boxes of earlier days were shipped elsewhere.
* The price is that of the plan's version: customers who pay an older price get the version that has it.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

import attrs

from shopaccounts.kernel.cycles import Anchor, adopt_cycle
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Currency, Money
from shopaccounts.kernel.time import Zone, instant_of, local_date
from shopaccounts.subscriptions.cycles.schedules import CycleRef, SegmentReason
from shopaccounts.subscriptions.cycles.segments import index_at, open_segment, service_period_of
from shopaccounts.subscriptions.lifecycle.agreeing import Outset, agreed_lines, agreed_terms, outset
from shopaccounts.subscriptions.model import BillingAccount, Pause, PauseReason, Subscription
from shopaccounts.subscriptions.papers.documents import BilledCycle, BilledFor, CycleEnd, cycle_key
from shopaccounts.subscriptions.plans.agreed import RunningTerm, Terms, Trial
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount
from shopaccounts.subscriptions.plans.offers import PlanVersion, PlanVersionId
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.subscribing import OneLivePer
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["RunningElsewhere", "imported", "rows_billed_elsewhere"]

_MOST_BILLED: Final = 36
"""So many cycles a customer may have paid ahead, as with offers to prepay."""


@attrs.frozen(kw_only=True)
class RunningElsewhere:
    """A subscription that another system has billed so far.

    Args:
        customer: Whose.
        plan: The version of the plan, at the price that the customer pays.
        currency: In which currency, by its ISO 4217 code.
        zone: Where the customer's days begin, as a key of the tz database; it counts for a new billing account.
        period_start: The local day on which the running period began.
        anchor: The billing day that was agreed, with its wall time and zone; None: that on which the period began.
        billed: How many periods, from the running one on, are billed already.
        paid_since: The local day from which on it was first paid for, where phases begin; None: the running period.
        term_done: How many whole cycles of its term have begun, the running one included.
        trial: Its trial; one that isn't over makes it a subscription on trial.
        paused_since: Since when it is paused, None for one that runs.
        paused_until: When the pause ends by itself.
        quantity: How many.
        add_ons: How many of which add-ons, by their keys.
        discounts: What makes it cheaper, as far as it is used up.
        setup_fee_due: Whether the fee for setting up is still to be charged.
        payment_method: What pays it, as the host names it; None for what the account has.
        price_locked_until: The day before which its price stays.
        reference: How the customer's papers name it.
        ship_to: The id of the address that its boxes go to.
        boxes_from: The first local day whose boxes are shipped from here; None: the day of the import.
        locale: The language that the customer reads; for a new account.
        tax_profile: What the tax port needs to know; for a new account.
    """

    customer: CustomerId
    plan: PlanVersionId
    currency: str
    zone: str
    period_start: date
    anchor: Anchor | None = None
    billed: int = 1
    paid_since: date | None = None
    term_done: int = 0
    trial: Trial | None = None
    paused_since: datetime | None = None
    paused_until: datetime | None = None
    quantity: int = 1
    add_ons: Mapping[str, int] = attrs.field(factory=dict)
    discounts: tuple[AppliedDiscount, ...] = ()
    setup_fee_due: bool = False
    payment_method: str | None = None
    price_locked_until: date | None = None
    reference: str = ""
    ship_to: str = ""
    boxes_from: date | None = None
    locale: str = "en"
    tax_profile: Mapping[str, str] = attrs.field(factory=dict)


def imported(
    running: RunningElsewhere,
    version: PlanVersion,
    currency: Currency,
    account: BillingAccount,
    policy: SubscriptionPolicy,
    *,
    id: str,
    now: datetime,
) -> Subscription:
    """Answer a subscription that goes on here as it ran elsewhere.

    Args:
        running: How it ran.
        version: Of which plan.
        currency: In which currency.
        account: Who pays.
        policy: How the shop bills.
        id: What it is to be called.
        now: This instant.

    Raises:
        NoPriceInCurrency: The plan or an add-on isn't sold in that currency.
        BadQuantity: A quantity that may not be chosen.
        BadPlan: There is no such add-on.
        InvalidInput: The running period hasn't begun, too much is billed, a pause or a trial can't be so, or phases of
            the plan have cycles of their own.
    """
    _require_possible(running, version, account.zone, now)
    trial = running.trial if running.trial and running.trial.ends_at > now else None
    begins = _tried(trial, version, account, policy) if trial else _paid(running, version, account)
    terms = _terms(running, begins, version, currency, account, policy)
    return Subscription(
        id=id,
        realm=account.realm,
        store=account.store,
        account=account.id,
        customer=running.customer,
        holds_group=policy.subscribing.one_live_per is OneLivePer.PLAN_GROUP,
        currency=currency,
        terms=terms,
        lines=agreed_lines(version, currency, running.quantity, running.add_ons, begins.last),
        segments=begins.segments,
        lifecycle=_lifecycle(running, trial),
        billed_to=_given_away(begins, now) if trial else running.billed,
        discounts=running.discounts,
        setup_fee_due=running.setup_fee_due and terms.setup_fee is not None,
        trial=trial or running.trial,
        pause=_pause(running),
        term=RunningTerm(agreed=version.term, begun=running.term_done) if version.term else None,
        payment_method=None if running.payment_method == account.payment_method else running.payment_method,
        price_locked_until=running.price_locked_until,
        created_at=now,
        reference=running.reference,
        ship_to=running.ship_to,
    )


def _require_possible(running: RunningElsewhere, version: PlanVersion, zone: Zone, now: datetime) -> None:
    if any(phase.interval not in {None, version.interval} for phase in version.phases):
        raise InvalidInput(field="plan", reason="interval")
    trial, paused = running.trial, running.paused_since
    on_trial = trial is not None and trial.ends_at > now
    wrong = {
        "period_start": running.period_start > local_date(now, zone),
        "paid_since": running.paid_since is not None and running.paid_since > running.period_start,
        "billed": not 0 <= running.billed <= _MOST_BILLED,
        "term_done": running.term_done < 0,
        "trial": trial is not None and not trial.started_at < trial.ends_at,
        "paused_since": paused is not None and (paused > now or on_trial),
        "paused_until": running.paused_until is not None and (paused is None or running.paused_until <= now),
    }
    for field, is_wrong in wrong.items():
        if is_wrong:
            raise InvalidInput(field=field, reason="range")


def _terms(
    running: RunningElsewhere,
    begins: Outset,
    version: PlanVersion,
    currency: Currency,
    account: BillingAccount,
    policy: SubscriptionPolicy,
) -> Terms:
    """Answer what was agreed: phases count from the day on which it was first paid for, the price from now on."""
    if begins.free is not None:
        return agreed_terms(version, currency, account, policy, begins.paid, free=begins.free)
    first = attrs.evolve(begins.paid, start=running.paid_since or running.period_start)
    return attrs.evolve(agreed_terms(version, currency, account, policy, first), priced_on=running.period_start)


def _tried(trial: Trial, version: PlanVersion, account: BillingAccount, policy: SubscriptionPolicy) -> Outset:
    """Answer the segments of one on trial: what is paid for begins when the trial ends, as agreed."""
    if not version.has_trial:
        raise InvalidInput(field="trial", reason="plan")
    return outset((), version, trial.started_at, account.zone, account, policy, trial=trial)


def _given_away(begins: Outset, now: datetime) -> int:
    """Count the cycles of a trial that have begun; one in which it ends is settled then, where it is left whole."""
    running = index_at(begins.segments, now) or 0
    return min(running + 1, begins.paid.first_index)


def _paid(running: RunningElsewhere, version: PlanVersion, account: BillingAccount) -> Outset:
    """Answer the segment of one that is paid for: its cycles go on from the running period."""
    start = running.period_start
    anchor = running.anchor or Anchor.on(start, account.zone)
    cycle = adopt_cycle(start, anchor, version.interval)
    begins = instant_of(start, anchor.at, anchor.zone)
    segments = open_segment((), cycle, begins, first_index=0, reason=SegmentReason.START)
    return Outset(segments=segments, free=None, paid=segments[0])


def _lifecycle(running: RunningElsewhere, trial: Trial | None) -> Lifecycle:
    if trial is not None:
        return Lifecycle.TRIALING
    return Lifecycle.ACTIVE if running.paused_since is None else Lifecycle.PAUSED


def _pause(running: RunningElsewhere) -> Pause | None:
    if running.paused_since is None:
        return None
    return Pause(since=running.paused_since, until=running.paused_until, reason=PauseReason.ASKED)


def rows_billed_elsewhere(subscription: Subscription) -> tuple[BilledCycle, ...]:
    """Answer how the cycles ended that another system billed, or gave away as a trial: each is settled.

    Args:
        subscription: As it was imported.
    """
    ended = CycleEnd.FREE if subscription.lifecycle is Lifecycle.TRIALING else CycleEnd.BILLED
    return tuple(_row(subscription, index, ended) for index in range(subscription.billed_to))


def _row(subscription: Subscription, index: int, ended: CycleEnd) -> BilledCycle:
    period = service_period_of(subscription.segments, index)
    return BilledCycle(
        id=cycle_key(CycleRef(subscription.id, period.segment, index), BilledFor.ADVANCE),
        realm=subscription.realm,
        store=subscription.store,
        subscription=subscription.id,
        segment=period.segment,
        index=index,
        part=BilledFor.ADVANCE,
        start=period.start,
        end=period.end,
        ended=ended,
        total=Money.zero(subscription.currency),
        at=subscription.created_at,
    )
