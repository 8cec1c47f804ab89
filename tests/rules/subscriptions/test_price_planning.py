"""A running subscription takes a new price: when, from which day on, and what stays as it is."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import start_of_day, zone
from shopaccounts.subscriptions.changing.price_moves import concerning, price_instance, with_price
from shopaccounts.subscriptions.events import (
    CancellationPlanned,
    PriceChanged,
    PriceChangeDeferred,
    SubscriptionCanceled,
    SubscriptionExpired,
)
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import NoticeFacts
from shopaccounts.subscriptions.laws.notices import SentNotice
from shopaccounts.subscriptions.plans.agreed import RunningPhase
from shopaccounts.subscriptions.plans.offers import Cycles, Phase, PhaseKind, PlanVersion, Term
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.pricing import OnSilence, PricePolicy
from shopaccounts.subscriptions.pricing import AppliesTo, Consent, PriceAnswer, PriceChange, Reply
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.subscribers import EUR, Course, flat_plan

BERLIN = zone("Europe/Berlin")
START = datetime(2026, 1, 10, 9, tzinfo=UTC)
EVENING = timedelta(hours=18)


def euro(amount: str) -> Flat:
    return Flat(Money.of(amount, EUR))


def change(price: str = "12.00", on: date = date(2026, 3, 1), **more: Any) -> PriceChange:
    given: dict[str, Any] = {
        "id": "change-1",
        "realm": RealmId("main"),
        "store": StoreId("main"),
        "plan": "coffee",
        "plan_version": f"coffee at {price}",
        "prices": (euro(price),),
        "effective_on": on,
        "announced_at": START,
    }
    return PriceChange(**given | more)


def told(of: PriceChange, at: datetime, rule: str = "shop.price_change") -> SentNotice:
    return SentNotice(
        id=f"notice of {of.id}",
        realm=of.realm,
        store=of.store,
        subscription="box",
        rule=rule,
        instance=price_instance(of.id),
        trigger_at=at,
        sent_at=at,
        facts=NoticeFacts(),
    )


def said(of: PriceChange, reply: Reply) -> PriceAnswer:
    return PriceAnswer(
        id=f"box {of.id}",
        realm=of.realm,
        store=of.store,
        subscription="box",
        change=of.id,
        reply=reply,
        answered_at=START,
        notice="",
    )


def course(version: PlanVersion | None = None, *changes: PriceChange, sent: bool = True, **more: Any) -> Course:
    policy = more.pop("policy", None)
    begun = Course.begin(version or flat_plan("10.00"), START, policy=policy, **more)
    notices = tuple(told(one, START) for one in changes) if sent else ()
    begun.told = Facts(price_changes=changes, notices=notices)
    return begun


def monthly(this: Course, months: int) -> list[str]:
    """What the invoices come to that are written at the next so many boundaries."""
    for month in range(2, months + 2):
        this.settle(start_of_day(date(2026 + (month - 1) // 12, (month - 1) % 12 + 1, 10), BERLIN) + EVENING)
    return list(this.totals.values())


def events(this: Course, kind: type) -> list[Any]:
    return [event for papers in this.papers for event in papers.events if type(event) is kind]


class TestMoving:
    @pytest.mark.proves("PRI-1")
    def test_the_first_period_from_the_day_of_the_change_on_has_the_new_price(self) -> None:
        this = course(None, change("12.00", date(2026, 3, 1)))
        assert monthly(this, 3) == ["10.00 EUR", "10.00 EUR", "12.00 EUR", "12.00 EUR"]
        (moved,) = events(this, PriceChanged)
        assert (moved.price_change, moved.index, moved.at) == ("change-1", 2, start_of_day(date(2026, 3, 10), BERLIN))
        assert this.subscription.terms.version == "coffee at 12.00"

    @pytest.mark.proves("PRI-1")
    def test_a_period_that_begins_on_that_very_day_has_it(self) -> None:
        assert monthly(course(None, change(on=date(2026, 3, 10))), 2)[-1] == "12.00 EUR"
        assert monthly(course(None, change(on=date(2026, 3, 11))), 2)[-1] == "10.00 EUR"

    @pytest.mark.proves("PRI-1")
    def test_the_phase_is_cut_where_the_period_begins_and_what_is_billed_keeps_its_price(self) -> None:
        this = course(None, change())
        before = dict(this.invoices)
        monthly(this, 3)
        old, new = this.subscription.terms.phases
        assert (old.tariff, old.end, new.start, new.tariff) == (
            euro("10.00"),
            date(2026, 3, 10),
            date(2026, 3, 10),
            euro("12.00"),
        )
        assert all(this.invoices[id].total == invoice.total for id, invoice in before.items())

    @pytest.mark.proves("PRI-1")
    def test_a_run_that_comes_late_bills_each_period_at_the_price_it_would_have_had(self) -> None:
        in_time, late = course(None, change()), course(None, change())
        monthly(in_time, 4)
        late.settle(start_of_day(date(2026, 5, 20), BERLIN))
        assert late.totals == in_time.totals

    @pytest.mark.proves("PRI-1")
    def test_what_is_paid_in_arrears_keeps_the_old_price_for_the_days_before(self) -> None:
        this = course(flat_plan("10.00", mode=BillingMode.IN_ARREARS), change())
        assert monthly(this, 3) == ["10.00 EUR", "10.00 EUR", "12.00 EUR"]

    @pytest.mark.proves("PRI-1")
    def test_only_running_subscriptions_of_that_plan_are_concerned(self) -> None:
        others = (
            change(applies_to=AppliesTo.NEW_ONLY),
            change(plan="tea"),
            change(plan_version="coffee-1"),
            change(on=START.date()),
            change(prices=(Flat(Money.of("12.00", "USD")),)),
        )
        this = course(None, *others)
        assert concerning(this.subscription, others) == ()
        assert monthly(this, 3)[-1] == "10.00 EUR"

    @pytest.mark.proves("PRI-1")
    def test_of_two_changes_the_later_one_wins_and_the_earlier_never_comes_back(self) -> None:
        dear = change("15.00", date(2026, 4, 1), id="change-2")
        this = course(None, change("12.00"), dear)
        assert monthly(this, 5) == ["10.00 EUR", "10.00 EUR", "12.00 EUR", "15.00 EUR", "15.00 EUR", "15.00 EUR"]
        cheap_first = course(None, change("8.00"), dear)
        assert monthly(cheap_first, 5)[2:] == ["8.00 EUR", "15.00 EUR", "15.00 EUR", "15.00 EUR"]


class TestDeferring:
    @pytest.mark.proves("PRI-2")
    def test_without_a_notice_the_old_price_stays_for_each_period_and_each_time_it_is_told_why(self) -> None:
        this = course(None, change(), sent=False)
        assert monthly(this, 3) == ["10.00 EUR"] * 4
        assert [(event.reason, event.price_change) for event in events(this, PriceChangeDeferred)] == [
            ("notice_missed", "change-1")
        ] * 2

    @pytest.mark.proves("PRI-2", "PRI-1")
    def test_a_notice_that_came_late_moves_the_change_to_the_next_period(self) -> None:
        this = course(None, change(), sent=False)
        this.told = attrs.evolve(this.told, notices=(told(change(), datetime(2026, 2, 25, 12, tzinfo=UTC)),))
        assert monthly(this, 3) == ["10.00 EUR", "10.00 EUR", "10.00 EUR", "12.00 EUR"]

    @pytest.mark.proves("PRI-2")
    def test_in_california_the_notice_of_that_law_is_needed_as_well(self) -> None:
        this = course(None, change())
        this.told = attrs.evolve(this.told, place="US-CA")
        assert monthly(this, 2)[-1] == "10.00 EUR"
        in_time = told(change(), datetime(2026, 3, 20, 12, tzinfo=UTC), "us_ca.price_change")
        this.told = attrs.evolve(this.told, notices=(*this.told.notices, in_time))
        assert monthly(this, 3)[-1] == "12.00 EUR"

    @pytest.mark.proves("PRI-2")
    def test_a_lower_price_needs_no_notice(self) -> None:
        assert monthly(course(None, change("8.00"), sent=False), 2)[-1] == "8.00 EUR"


class TestAsking:
    @pytest.mark.proves("PRI-3")
    @pytest.mark.parametrize(("reply", "last"), [(Reply.ACCEPTED, "12.00 EUR"), (Reply.DECLINED, "10.00 EUR")])
    def test_who_is_asked_has_the_new_price_only_after_a_yes(self, reply: Reply, last: str) -> None:
        asked = change(consent=Consent.OPT_IN)
        this = course(None, asked)
        assert monthly(this, 2)[-1] == "10.00 EUR"
        this.told = attrs.evolve(this.told, price_answers=(said(asked, reply),))
        assert monthly(this, 3)[-1] == last

    @pytest.mark.proves("PRI-3")
    def test_silence_ends_the_subscription_where_the_shop_wants_that(self) -> None:
        policy = SubscriptionPolicy(prices=PricePolicy(on_silence=OnSilence.CANCEL_AT_PERIOD_END))
        this = course(None, change(consent=Consent.OPT_IN), policy=policy)
        assert monthly(this, 3) == ["10.00 EUR", "10.00 EUR"]
        assert this.subscription.lifecycle is Lifecycle.CANCELED

    @pytest.mark.proves("PRI-3")
    def test_who_objects_leaves_at_the_end_of_the_period_whatever_term_was_agreed(self) -> None:
        bound = flat_plan("10.00", term=Term(cycles=12, min_cycles=12))
        this = course(bound, asked := change(consent=Consent.OPT_OUT))
        this.told = attrs.evolve(this.told, price_answers=(said(asked, Reply.DECLINED),))
        assert monthly(this, 4) == ["10.00 EUR", "10.00 EUR"]
        ends = start_of_day(date(2026, 3, 10), BERLIN)
        assert this.subscription.ended_at == ends
        (planned,), (canceled,) = events(this, CancellationPlanned), events(this, SubscriptionCanceled)
        assert (planned.ends_at, canceled.reason, canceled.voluntary) == (ends, "price_change", True)
        assert not events(this, SubscriptionExpired)

    @pytest.mark.proves("PRI-3")
    def test_an_introductory_price_stays_until_it_ends(self) -> None:
        intro = flat_plan(
            "10.00",
            phases=(
                Phase(PhaseKind.INTRO, Cycles(4), (euro("5.00"),)),
                Phase(PhaseKind.EVERGREEN, None, (euro("10.00"),)),
            ),
        )
        this = course(intro, change())
        assert monthly(this, 5) == ["5.00 EUR"] * 4 + ["12.00 EUR"] * 2
        assert [event.reason for event in events(this, PriceChangeDeferred)] == ["intro", "intro"]

    @pytest.mark.proves("PRI-3")
    def test_a_trial_stays_free_until_it_ends(self) -> None:
        tried = flat_plan(
            "10.00",
            phases=(Phase(PhaseKind.TRIAL, Cycles(2), ()), Phase(PhaseKind.EVERGREEN, None, (euro("10.00"),))),
        )
        this = course(tried, change(on=date(2026, 2, 1)), trial=True)
        monthly(this, 4)
        assert [str(one.total) for one in this.invoices.values()] == ["12.00 EUR"] * 3

    @pytest.mark.proves("PRI-3")
    def test_a_locked_price_stays_until_its_day(self) -> None:
        this = course(None, change())
        this.subscription = attrs.evolve(this.subscription, price_locked_until=date(2026, 4, 10))
        assert monthly(this, 3) == ["10.00 EUR", "10.00 EUR", "10.00 EUR", "12.00 EUR"]
        assert [event.reason for event in events(this, PriceChangeDeferred)] == ["locked"]


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.dates(date(2026, 1, 1), date(2027, 6, 1)),
)
def test_a_new_price_changes_no_day_before_it_and_every_day_after_it(lengths: list[int], start: date) -> None:
    begins, phases = date(2026, 1, 10), []
    for place, days in enumerate(lengths):
        ends = begins + timedelta(days=days)
        last = place == len(lengths) - 1
        phases.append(
            RunningPhase(
                kind=PhaseKind.EVERGREEN if last else PhaseKind.FIXED_TERM,
                tariff=euro(f"{place + 1}.00"),
                start=begins,
                end=None if last else ends,
                interval=Interval.months(1),
            )
        )
        begins = ends
    running = course().subscription
    running = attrs.evolve(running, terms=attrs.evolve(running.terms, phases=tuple(phases)))
    after = with_price(running, change("99.00"), start).terms.phases
    assert [phase.start for phase in after[1:]] == [phase.end for phase in after[:-1]]
    assert (after[0].start, after[-1].end) == (phases[0].start, None)
    for phase in after:
        is_new = phase.start >= start
        assert (phase.tariff == euro("99.00")) is is_new
        assert is_new or phase.end is None or phase.end <= start or phase.tariff != euro("99.00")
