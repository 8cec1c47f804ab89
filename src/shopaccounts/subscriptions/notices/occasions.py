"""What there is to announce about a subscription: the next renewal, debit, end of a trial, new price.

The rules, in plain English:

* Of each kind the next one is announced. Each has a name that stays when it is moved: the number of the cycle, the
  trial, the change of price, the year of the contract.
* A subscription with a term renews when the term does; one without, with every cycle that it is charged for. Where
  several cycles are paid at once, it renews for all of them.
* What has been cancelled is not renewed, and nothing that would come after its end is announced.
* The last day on which a customer can refuse that a term is renewed lies before its end by the notice that the shop
  asks for.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import attrs

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.time import add_days, add_months, instant_of, local_date
from shopaccounts.subscriptions.changing.prepaying import following_option
from shopaccounts.subscriptions.changing.price_moves import (
    concerning,
    offer_until,
    price_instance,
    price_moment,
    priced_from,
)
from shopaccounts.subscriptions.cycles.schedules import ServicePeriod
from shopaccounts.subscriptions.cycles.segments import index_at, segment_of, service_period_of, start_instant_of
from shopaccounts.subscriptions.due import fixed_end, renewal_due
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import ContractFacts, NoticeFacts, NoticeRule, NoticeTrigger
from shopaccounts.subscriptions.laws.notices import NoticeKey, SentNotice
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.offers import AfterPrepaid, PhaseKind
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import MethodFacts
from shopaccounts.subscriptions.pricing import PriceChange, may_move_from
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["Occasion", "contract_facts", "cycle_instance", "notice_of", "occasions", "offer_end", "price_occasions"]

_MONTHS_IN_YEAR = 12
_CARD = "card"


@attrs.frozen(kw_only=True)
class Occasion:
    """One thing that is announced.

    Args:
        trigger: What kind.
        instance: The name that it keeps.
        at: When it happens.
        index: The number of the cycle that is billed then.
        change: The change of price that it is about.
        since: Notices of something up to then are about an earlier thing of that name.
    """

    trigger: NoticeTrigger
    instance: str
    at: datetime
    index: int
    change: PriceChange | None = None
    since: datetime | None = None

    def about(self, sent: Iterable[SentNotice]) -> tuple[SentNotice, ...]:
        """Answer what of some notices was sent about this."""
        return tuple(
            one for one in sent if one.instance == self.instance and (self.since is None or one.trigger_at > self.since)
        )


def notice_of(
    subscription: Subscription, occasion: Occasion, rule: NoticeRule, facts: NoticeFacts, sent_at: datetime
) -> SentNotice:
    """Answer the notice that a letter is, for one of the rules that it serves.

    Args:
        subscription: About which.
        occasion: What is announced.
        rule: Which rule.
        facts: What is said.
        sent_at: When it is sent.
    """
    key = NoticeKey(subscription=subscription.id, rule=rule.id, instance=occasion.instance, trigger_at=occasion.at)
    return SentNotice(
        id=hashlib.sha256(key.text.encode()).hexdigest()[:32],
        realm=subscription.realm,
        store=subscription.store,
        subscription=subscription.id,
        rule=rule.id,
        instance=occasion.instance,
        trigger_at=occasion.at,
        sent_at=sent_at,
        facts=facts,
    )


def cycle_instance(index: int) -> str:
    """Answer the name under which the beginning of a cycle, and its charge, is announced."""
    return f"cycle {index}"


def contract_facts(subscription: Subscription, method: MethodFacts | None, *, has_method: bool) -> ContractFacts:
    """Answer what of a subscription decides which rules concern it.

    Args:
        subscription: Which.
        method: What is known of its payment method; one of which nothing is known counts as a card, so that a notice
            goes out rather once too often.
        has_method: Whether there is one.
    """
    term, phases = subscription.term, subscription.terms.phases
    interval, prepaid = phases[-1].interval, following_option(subscription)
    rhythm = _times(interval, prepaid.cycles) if prepaid else interval
    bound = _times(interval, term.agreed.cycles) if term else rhythm
    goes_on = _stop(subscription) is None and (prepaid is None or prepaid.after is not AfterPrepaid.EXPIRE)
    renewed = rhythm
    if term is not None:
        goes_on = goes_on and term.agreed.auto_renew
        renewed = _times(interval, term.agreed.renewal_cycles or 1)
    offer = next((one for one in phases if one.kind in {PhaseKind.TRIAL, PhaseKind.INTRO}), None)
    return ContractFacts(
        initial_term=bound,
        renewal_term=renewed if goes_on else None,
        interval=rhythm,
        trial_days=(offer.end - offer.start).days if offer and offer.end else 0,
        method=(method.kind if method else _CARD) if has_method else "",
    )


def _times(interval: Interval, count: int) -> Interval:
    """Answer so many intervals as one; of terms beyond what an interval can say, ten years."""
    months, days = interval.total_months * count, interval.total_days * count
    return Interval.months(min(months, 120)) if months else Interval.days(min(days, 3660))


def occasions(
    subscription: Subscription, facts: Facts, policy: SubscriptionPolicy, method: MethodFacts | None, now: datetime
) -> tuple[Occasion, ...]:
    """Answer what there is to announce, whether or not its time has come.

    Args:
        subscription: Which.
        facts: The changes of price, and what was sent about them.
        policy: How the shop bills.
        method: What is known of its payment method.
        now: This instant.
    """
    if subscription.hold is not None or subscription.lifecycle not in {Lifecycle.TRIALING, Lifecycle.ACTIVE}:
        return ()
    found = (
        *_charges(subscription, facts, policy, method),
        *_offer(subscription),
        *price_occasions(subscription, facts, policy, now),
        *_term(subscription, policy),
        *_anniversary(subscription, now),
    )
    stop = _stop(subscription)
    return tuple(one for one in found if stop is None or one.at < stop)


def _stop(subscription: Subscription) -> datetime | None:
    planned, fixed = subscription.scheduled.cancel, fixed_end(subscription)
    return min((at for at in (planned.at if planned else None, fixed) if at is not None), default=None)


def _next_index(subscription: Subscription) -> int:
    """Answer the number of the next cycle that is charged; on trial, of the first that is paid for."""
    if subscription.lifecycle is Lifecycle.TRIALING:
        return max(subscription.billed_to, subscription.paid_from)
    return subscription.billed_to


def _charges(
    subscription: Subscription, facts: Facts, policy: SubscriptionPolicy, method: MethodFacts | None
) -> Iterator[Occasion]:
    """The next cycle: that it is renewed, that it is charged, and that its method will have expired by then."""
    index = _next_index(subscription)
    starts = start_instant_of(subscription.segments, index, moved=subscription.moved)
    charged = renewal_due(subscription, policy) if subscription.billed_to == index else None
    if charged is None and subscription.lifecycle is Lifecycle.ACTIVE:
        return
    at = charged or max(starts, subscription.trial.ends_at if subscription.trial else starts)
    instance = cycle_instance(index)
    if subscription.lifecycle is Lifecycle.ACTIVE and subscription.term is None:
        yield Occasion(trigger=NoticeTrigger.RENEWAL, instance=instance, at=at, index=index)
    if facts.has_method:
        yield Occasion(trigger=NoticeTrigger.PRE_DEBIT, instance=instance, at=at, index=index)
        if method and method.expires_on and method.expires_on <= local_date(at, subscription.zone):
            yield Occasion(trigger=NoticeTrigger.PAYMENT_METHOD_EXPIRING, instance=instance, at=at, index=index)


def _offer(subscription: Subscription) -> Iterator[Occasion]:
    """The end of the trial, or of the introductory price."""
    index = _next_index(subscription)
    if subscription.lifecycle is Lifecycle.TRIALING and subscription.trial:
        yield Occasion(trigger=NoticeTrigger.TRIAL_END, instance="trial", at=subscription.trial.ends_at, index=index)
        return
    if (ends := offer_end(subscription)) is not None:
        place = index_at(subscription.segments, ends, moved=subscription.moved)
        yield Occasion(trigger=NoticeTrigger.INTRO_END, instance="intro", at=ends, index=place or index)


def offer_end(subscription: Subscription) -> datetime | None:
    """Answer when the introductory price ends that the next cycle has, or that ends with it."""
    start = service_period_of(subscription.segments, subscription.billed_to, moved=subscription.moved).start
    phases = [one for one in subscription.terms.phases if one.kind is PhaseKind.INTRO and one.end]
    ahead = next((one.end for one in phases if one.end and one.end >= start), None)
    if ahead is None:
        return None
    anchor = segment_of(subscription.segments, subscription.billed_to).cycle.anchor
    return instant_of(ahead, anchor.at, anchor.zone)


def price_occasions(
    subscription: Subscription, facts: Facts, policy: SubscriptionPolicy, now: datetime
) -> Iterator[Occasion]:
    """The first period for which a notice of each change of price can still be in time."""
    for change in concerning(subscription, facts.price_changes):
        told = _told_on(change, subscription, facts) or local_date(now, subscription.zone)
        period = _period(subscription, _next_index(subscription))
        first, _ = priced_from(subscription, period)
        earliest = may_move_from(
            change,
            told,
            policy.prices,
            locked_until=subscription.price_locked_until,
            intro_until=offer_until(subscription.terms, first),
        )
        while priced_from(subscription, period)[0] < earliest:
            period = _period(subscription, period.index + 1)
        moment = price_moment(change, subscription, period, facts)
        if moment is not None and moment.after > moment.before:
            yield Occasion(
                trigger=NoticeTrigger.PRICE_CHANGE,
                instance=price_instance(change.id),
                at=moment.starts_at,
                index=period.index,
                change=change,
            )


def _period(subscription: Subscription, index: int) -> ServicePeriod:
    return service_period_of(subscription.segments, index, moved=subscription.moved)


def _told_on(change: PriceChange, subscription: Subscription, facts: Facts) -> date | None:
    sent = [one.sent_at for one in facts.notices if one.instance == price_instance(change.id)]
    return local_date(min(sent), subscription.zone) if sent else None


def _term(subscription: Subscription, policy: SubscriptionPolicy) -> Iterator[Occasion]:
    """The end of a term: its renewal, and the last day on which that can be refused."""
    term = subscription.term
    if term is None or not term.agreed.auto_renew or subscription.lifecycle is not Lifecycle.ACTIVE:
        return
    index = subscription.billed_to + max(term.agreed.cycles - term.begun, 0)
    ends = start_instant_of(subscription.segments, index, moved=subscription.moved)
    yield Occasion(trigger=NoticeTrigger.RENEWAL, instance=cycle_instance(index), at=ends, index=index)
    days = policy.cancelling.notice_days
    refuse_by = add_days(ends, -days, subscription.zone) if days else ends
    first = max(subscription.billed_to - term.begun, 0)
    begun = start_instant_of(subscription.segments, first, moved=subscription.moved)
    yield Occasion(trigger=NoticeTrigger.TERM_END, instance="term", at=refuse_by, index=index, since=begun)


def _anniversary(subscription: Subscription, now: datetime) -> Iterator[Occasion]:
    """The day on which the contract began, this year or next."""
    anchor = subscription.segments[0].cycle.anchor
    began = subscription.segments[0].start
    today = local_date(now - timedelta(days=1), subscription.zone)
    years = max(today.year - began.year, 1)
    if add_months(began, years * _MONTHS_IN_YEAR) < today:
        years += 1
    at = instant_of(add_months(began, years * _MONTHS_IN_YEAR), anchor.at, subscription.zone)
    yield Occasion(trigger=NoticeTrigger.ANNUAL, instance=f"year {years}", at=at, index=_next_index(subscription))
