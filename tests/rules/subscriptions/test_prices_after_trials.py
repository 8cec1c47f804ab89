"""A new price and a trial: what is paid for after the trial has the same price, however the trial is cut."""

from datetime import UTC, date, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.changing.price_moves import price_instance, priced_from
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.events import PriceChanged, PriceChangeDeferred
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import NoticeFacts, NoticeTrigger
from shopaccounts.subscriptions.laws.notices import SentNotice
from shopaccounts.subscriptions.notices.occasions import price_occasions
from shopaccounts.subscriptions.plans.offers import Alignment, Phase, PhaseKind, PlanVersion
from shopaccounts.subscriptions.plans.phases import Cycles, Days
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cycles import CyclePolicy
from shopaccounts.subscriptions.policy.notices import NoticePolicy
from shopaccounts.subscriptions.policy.trials import TrialCycles, TrialPolicy
from shopaccounts.subscriptions.pricing import Consent, PriceAnswer, PriceChange, Reply
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.subscribers import EUR, Course, flat_plan

START = datetime(2026, 4, 20, 9, tzinfo=UTC)
ENDS = START + timedelta(days=21)  # the 11th of May
TRIED = flat_plan(
    "31.00", phases=(Phase(PhaseKind.TRIAL, Days(21)), Phase(PhaseKind.EVERGREEN, None, (Flat(Money.of("31", EUR)),)))
)


def introduced(length: Days | Cycles) -> PlanVersion:
    """Answer the plan with an introductory price after its trial."""
    intro = Phase(PhaseKind.INTRO, length, (Flat(Money.of("15.50", EUR)),))
    return attrs.evolve(TRIED, phases=(TRIED.phases[0], intro, TRIED.phases[1]))


def policy(*, cut: bool) -> SubscriptionPolicy:
    return SubscriptionPolicy(
        cycles=CyclePolicy(alignment=Alignment.CALENDAR),
        trials=TrialPolicy(cycles=TrialCycles.GRID, cut_at_end=cut),
    )


def change(price: str, on: date, **more) -> PriceChange:
    return PriceChange(
        id="p-1",
        realm=RealmId("main"),
        store=StoreId("main"),
        plan="coffee",
        plan_version="coffee-2",
        prices=(Flat(Money.of(price, EUR)),),
        effective_on=on,
        announced_at=START,
        **more,
    )


def course(of: PriceChange, sent: datetime | None = START, *, cut: bool = False, version=TRIED) -> Course:
    """Somebody tries coffee, and is told of a new price; the cycle in which the trial ends is cut there, or whole."""
    notice = SentNotice(
        id="n-1",
        realm=of.realm,
        store=of.store,
        subscription="box",
        rule="shop.price_change",
        instance=price_instance(of.id),
        trigger_at=START,
        sent_at=sent or START,
        facts=NoticeFacts(),
    )
    begun = Course.begin(version, START, policy=policy(cut=cut))
    begun.told = Facts(price_changes=(of,), notices=(notice,) if sent else ())
    return begun


def paid_days(this: Course, until: date) -> list[tuple[date, date, str]]:
    """Answer what was billed for which days, once a day, as runs in time do."""
    day = START
    while day.date() <= until:
        this.settle(day)
        day += timedelta(days=1)
    lines = (line for invoice in this.invoices.values() for line in invoice.lines)
    return [(line.start, line.end, str(line.amount)) for line in lines if line.amount.minor]


def told(this: Course, kind: type) -> list[object]:
    return [event for papers in this.papers for event in papers.events if type(event) is kind]


@pytest.mark.proves("PRI-1", "TRI-3")
@pytest.mark.parametrize(
    ("on", "first"),
    [
        (date(2026, 4, 25), "14.00 EUR"),  # before that cycle
        (date(2026, 5, 5), "14.00 EUR"),  # within it, while it is free
        (date(2026, 5, 11), "14.00 EUR"),  # on the day on which it is paid for
        (date(2026, 5, 12), "21.00 EUR"),
    ],
)
def test_what_is_paid_for_of_the_cycle_in_which_the_trial_ends_has_the_new_price(on, first) -> None:
    this = course(change("20.67", on), sent=None)  # cheaper, so that nobody needs to be told: 21 of 31 days
    assert paid_days(this, date(2026, 6, 2)) == [
        (date(2026, 5, 11), date(2026, 6, 1), first),
        (date(2026, 6, 1), date(2026, 7, 1), "20.67 EUR"),
    ]
    assert not told(this, PriceChangeDeferred)


@pytest.mark.proves("PRI-1", "PRI-2", "TRI-3")
@given(
    price=st.sampled_from(["20.67", "31.00", "62.00"]),
    on=st.dates(date(2026, 4, 21), date(2026, 7, 10)),
    sent=st.none() | st.integers(0, 70).map(lambda days: START + timedelta(days=days)),
    intro=st.none() | st.integers(1, 50),
)
def test_it_is_the_price_that_those_days_have_where_the_cycle_is_cut(price, on, sent, intro) -> None:
    of, version = change(price, on), introduced(Days(intro)) if intro else TRIED
    whole, cut = course(of, sent, version=version), course(of, sent, cut=True, version=version)
    assert paid_days(whole, date(2026, 7, 2)) == paid_days(cut, date(2026, 7, 2))
    assert len(told(whole, PriceChanged)) == len(told(cut, PriceChanged))


@pytest.mark.proves("PRI-2", "NOT-3")
def test_it_is_announced_for_the_day_on_which_it_is_paid_for() -> None:
    this = course(change("62.00", date(2026, 4, 25)), sent=None)
    (found,) = price_occasions(this.subscription, this.told, this.policy, START)
    assert (found.at, found.index) == (ENDS, 1)
    late = START + timedelta(days=8)
    (later,) = price_occasions(this.subscription, this.told, this.policy, late)
    assert (later.at.date(), later.index) == (date(2026, 5, 31), 2)  # midnight in Berlin: 14 days are too short


@pytest.mark.proves("PRI-3", "TRI-5")
def test_who_does_not_want_it_leaves_when_the_trial_ends_and_pays_nothing() -> None:
    of = change("62.00", date(2026, 4, 25), consent=Consent.OPT_OUT)
    this = course(of)
    no = PriceAnswer(
        id="box p-1",
        realm=of.realm,
        store=of.store,
        subscription="box",
        change=of.id,
        reply=Reply.DECLINED,
        answered_at=START,
        notice="n-1",
    )
    this.told = attrs.evolve(this.told, price_answers=(no,))
    assert paid_days(this, date(2026, 6, 2)) == []
    assert (this.subscription.lifecycle, this.subscription.ended_at) == (Lifecycle.CANCELED, ENDS)


@pytest.mark.proves("PRI-3")
@pytest.mark.parametrize(
    ("length", "amounts"),
    [
        (Cycles(1), ["10.50 EUR", "15.50 EUR", "62.00 EUR"]),
        (Days(10), ["5.00 EUR", "11.00 EUR", "62.00 EUR", "62.00 EUR"]),
        (Days(40), ["10.50 EUR", "9.82 EUR", "11.37 EUR", "62.00 EUR"]),
    ],
)
def test_an_introduction_after_the_trial_stays_until_it_ends_and_so_does_its_cycle(length, amounts) -> None:
    of = change("62.00", date(2026, 4, 25))
    this = course(of, version=introduced(length))
    assert [amount for _, _, amount in paid_days(this, date(2026, 7, 2))] == amounts
    begun = course(of, sent=None, version=introduced(Days(10)))
    (found,) = price_occasions(begun.subscription, begun.told, begun.policy, START)
    assert (found.at.date(), found.index) == (date(2026, 5, 31), 2)


@pytest.mark.proves("PRI-2", "NOT-8")
@pytest.mark.parametrize(("since", "first"), [(date(2026, 5, 11), "21.00 EUR"), (date(2026, 5, 12), "42.00 EUR")])
def test_a_law_counts_that_holds_on_the_day_on_which_it_is_paid_for(since, first) -> None:
    law = next(one for one in NoticePolicy().laws if NoticeTrigger.PRICE_CHANGE in one.triggers)
    laws = (attrs.evolve(law, jurisdiction="DE", valid_from=since, valid_until=None),)
    this = course(change("62.00", date(2026, 4, 25)))
    this.policy = attrs.evolve(this.policy, notices=attrs.evolve(this.policy.notices, laws=laws))
    this.told = attrs.evolve(this.told, place="DE")
    assert paid_days(this, date(2026, 5, 20)) == [(date(2026, 5, 11), date(2026, 6, 1), first)]


@pytest.mark.proves("PRI-1")
def test_any_other_period_begins_with_its_first_day() -> None:
    for cut in (True, False):
        this = course(change("62.00", date(2026, 4, 25)), cut=cut)
        periods = [service_period_of(this.subscription.segments, index) for index in range(4)]
        starts = [priced_from(this.subscription, period)[0] for period in periods]
        paid = [date(2026, 5, 11)] if not cut else [date(2026, 5, 1), date(2026, 5, 11)]
        assert starts[: len(paid) + 2] == [date(2026, 4, 20), *paid, date(2026, 6, 1)]
