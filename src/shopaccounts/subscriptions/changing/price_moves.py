"""When a subscription takes a new price, and what changes in it then.

The rules, in plain English:

* A change of price concerns the running subscriptions of its plan that agreed on their price before its day, in a
  currency that it has a price for. Who has the version that is sold at the new price has that price already.
* It is decided each time a period begins that is billed by then. Of several that have come the latest wins that this
  subscription may take. A cycle that is left whole though a trial ends in it begins, for its price, where the trial
  ends: it has the price that it would have if it were cut there.
* The phase that runs is cut there: the days before keep their price, those after it have the new one, and so has every
  later phase. A trial and an introduction stay as they are until they end.
* Who leaves because of the price does so at the beginning of the period that would have it.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Final

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.cycles.schedules import ServicePeriod
from shopaccounts.subscriptions.cycles.segments import service_period_of, start_instant_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.events import CancellationPlanned, PriceChanged, PriceChangeDeferred
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import ContractFacts, NoticeRule, NoticeTrigger
from shopaccounts.subscriptions.laws.notices import rules_for
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.agreed import RunningPhase, Terms
from shopaccounts.subscriptions.plans.offers import PhaseKind
from shopaccounts.subscriptions.plans.tariffs import Tariff, charge
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.pricing import (
    AppliesTo,
    CancelsAtPeriodEnd,
    Deferral,
    Deferred,
    Moves,
    PriceChange,
    PriceDecision,
    PriceMoment,
    decide_price_change,
)
from shopaccounts.subscriptions.scheduled import CancelAt
from shopaccounts.subscriptions.states import ENDED

__all__ = [
    "LEFT_FOR_PRICE",
    "concerning",
    "offer_until",
    "price_instance",
    "price_moment",
    "price_rules",
    "price_step",
    "priced_from",
    "tariff_of",
    "with_price",
]

LEFT_FOR_PRICE: Final = "price_change"
"""The reason of an end because a new price was declined, or not agreed to."""

_OFFERS: Final = frozenset({PhaseKind.TRIAL, PhaseKind.INTRO})
_REASONS: Final = {Deferral.NOTICE: "notice_missed", Deferral.LOCKED: "locked", Deferral.INTRO: "intro"}


def price_instance(change: str) -> str:
    """Answer the name under which a change of price is announced."""
    return f"price {change}"


def tariff_of(change: PriceChange, subscription: Subscription) -> Tariff | None:
    """Answer the new price in a subscription's currency; None where there is none."""
    return next((one for one in change.prices if one.currency == subscription.currency), None)


def concerning(subscription: Subscription, changes: Iterable[PriceChange]) -> tuple[PriceChange, ...]:
    """Answer the changes of price that a subscription may still take, the earliest first.

    Args:
        subscription: Which.
        changes: All that were announced.
    """
    if subscription.lifecycle in ENDED:
        return ()
    terms = subscription.terms
    mine = sorted(
        (one for one in changes if one.plan == terms.plan and tariff_of(one, subscription) is not None),
        key=lambda one: (one.effective_on, one.announced_at, one.id),
    )
    had = [place for place, one in enumerate(mine) if one.plan_version == terms.version]
    later = mine[had[-1] + 1 :] if had else mine
    agreed = terms.priced_on
    return tuple(
        one for one in later if one.applies_to is AppliesTo.AT_RENEWAL and (agreed is None or one.effective_on > agreed)
    )


def price_step(subscription: Subscription, at: datetime, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Decide which price the next period has that is billed in advance.

    Args:
        subscription: Whose.
        at: When that period became due.
        facts: The changes of price, what was sent about them, and what the customer answered.
        policy: How the shop changes prices.

    Returns:
        The subscription with the price that holds from that period on; or one that ends where it would begin.
    """
    period = service_period_of(subscription.segments, subscription.billed_to, moved=subscription.moved)
    told: list[Event] = []
    for change in reversed(concerning(subscription, facts.price_changes)):
        decided = _decided(change, subscription, period, facts, policy)
        if isinstance(decided, Moves):
            return _moved(subscription, change, period, at, told)
        if isinstance(decided, CancelsAtPeriodEnd):
            return _left(subscription, period, at, told)
        if isinstance(decided, Deferred):
            told.append(
                PriceChangeDeferred(
                    at=at,
                    account=subscription.customer,
                    subscription=subscription.id,
                    price_change=change.id,
                    reason=_REASONS[decided.reason],
                )
            )
    return Decision(subscription=subscription, events=tuple(told))


def _decided(
    change: PriceChange, subscription: Subscription, period: ServicePeriod, facts: Facts, policy: SubscriptionPolicy
) -> PriceDecision | None:
    moment = price_moment(change, subscription, period, facts)
    if moment is None:
        return None
    rules = price_rules(policy.notices.laws, facts.place, moment.starts_on)
    sent = tuple(one for one in facts.notices if one.instance == price_instance(change.id))
    return decide_price_change(change, moment, rules, sent, policy.prices)


def price_rules(laws: Iterable[NoticeRule], place: str, on: date) -> tuple[NoticeRule, ...]:
    """Answer what laws ask for before a price rises.

    Args:
        laws: Those that the shop follows.
        place: Where the customer is.
        on: The local day on which the price would rise.
    """
    return rules_for(laws, place, on, NoticeTrigger.PRICE_CHANGE, ContractFacts())


def price_moment(
    change: PriceChange, subscription: Subscription, period: ServicePeriod, facts: Facts
) -> PriceMoment | None:
    """Answer what decides whether a period has the new price; None where nothing is charged for it by a plan's price.

    Args:
        change: Which change.
        subscription: Whose period.
        period: One that isn't billed.
        facts: What the customer answered.
    """
    starts_on, starts_at = priced_from(subscription, period)
    before, after = _tariff_on(subscription.terms, starts_on), tariff_of(change, subscription)
    until = offer_until(subscription.terms, starts_on)
    if after is None or (before is None and until is None):
        return None
    quantity = subscription.plan_line.quantity
    reply = next((one.reply for one in facts.price_answers if one.change == change.id), None)
    return PriceMoment(
        starts_on=starts_on,
        starts_at=starts_at,
        zone=subscription.zone,
        before=charge(before, quantity) if before else Money.zero(subscription.currency),
        after=charge(after, quantity),
        locked_until=subscription.price_locked_until,
        intro_until=until,
        reply=reply,
    )


def priced_from(subscription: Subscription, period: ServicePeriod) -> tuple[date, datetime]:
    """Answer from when on a period has its price, as a local day and as an instant: from the end of a trial within it.

    Args:
        subscription: Whose.
        period: One that isn't billed.
    """
    phase, trial = _phase_on(subscription.terms, period.start), subscription.trial
    if trial is not None and phase.kind is PhaseKind.TRIAL and phase.end is not None and phase.end < period.end:
        return phase.end, trial.ends_at
    return period.start, start_instant_of(subscription.segments, period.index, moved=subscription.moved)


def _phase_on(terms: Terms, day: date) -> RunningPhase:
    return next((one for one in terms.phases if one.end is None or day < one.end), terms.phases[-1])


def _tariff_on(terms: Terms, day: date) -> Tariff | None:
    return _phase_on(terms, day).tariff


def offer_until(terms: Terms, day: date) -> date | None:
    """Answer until when the trial or introduction lasts that runs on a day; None where none does."""
    phase = _phase_on(terms, day)
    return phase.end if phase.kind in _OFFERS else None


def _moved(
    subscription: Subscription, change: PriceChange, period: ServicePeriod, at: datetime, told: list[Event]
) -> Decision:
    event = PriceChanged(
        at=at,
        account=subscription.customer,
        subscription=subscription.id,
        price_change=change.id,
        segment=period.segment,
        index=period.index,
    )
    return Decision(subscription=with_price(subscription, change, period.start), events=(*told, event))


def with_price(subscription: Subscription, change: PriceChange, start: date) -> Subscription:
    """Answer a subscription that has a new price from a day on.

    Args:
        subscription: Which.
        change: The new price.
        start: The first day of the first period that has it.
    """
    tariff, terms = tariff_of(change, subscription), subscription.terms
    phases = tuple(part for phase in terms.phases for part in _cut(phase, start, tariff))
    version = change.plan_version or terms.version
    return attrs.evolve(
        subscription, terms=attrs.evolve(terms, phases=phases, version=version, priced_on=change.effective_on)
    )


def _cut(phase: RunningPhase, start: date, tariff: Tariff | None) -> Iterator[RunningPhase]:
    """Answer a phase with the new price from a day on: one part, or two."""
    is_over = phase.end is not None and phase.end <= start
    if is_over or phase.kind in _OFFERS or phase.tariff == tariff:
        yield phase
        return
    if phase.start < start:
        yield attrs.evolve(phase, end=start)
    yield attrs.evolve(phase, start=max(phase.start, start), tariff=tariff)


def _left(subscription: Subscription, period: ServicePeriod, at: datetime, told: list[Event]) -> Decision:
    """Let a subscription end where the period would begin, whatever minimum was agreed."""
    _, ends = priced_from(subscription, period)
    planned = CancelAt(at=ends, asked_at=at, reason=LEFT_FOR_PRICE)
    leaving = attrs.evolve(subscription, scheduled=attrs.evolve(subscription.scheduled, cancel=planned))
    event = CancellationPlanned(at=at, account=leaving.customer, subscription=leaving.id, ends_at=ends)
    return Decision(subscription=leaving, events=(*told, event))
