from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.time import local_date, start_of_day, zone
from shopaccounts.subscriptions.errors import BadPlan, PriceChangeOver
from shopaccounts.subscriptions.laws.notice_rules import NoticeFacts
from shopaccounts.subscriptions.laws.notices import SentNotice
from shopaccounts.subscriptions.laws.rows import NOTICE_RULES
from shopaccounts.subscriptions.plans.tariffs import Flat, Graduated, Packages, PerUnit, Tariff, Tier, Volume
from shopaccounts.subscriptions.policy.pricing import OnSilence, PricePolicy
from shopaccounts.subscriptions.pricing import (
    AppliesTo,
    CancelsAtPeriodEnd,
    Consent,
    Deferral,
    Deferred,
    KeepsOld,
    Moves,
    PriceAnswer,
    PriceChange,
    PriceDecision,
    PriceMoment,
    Reply,
    answer_price_change,
    decide_price_change,
    may_move_from,
    require_within_cap,
)

POLICY = PricePolicy()
NEW_YORK, LOS_ANGELES = zone("America/New_York"), zone("America/Los_Angeles")
EFFECTIVE = date(2027, 3, 1)
PERIOD = date(2027, 3, 20)
OLD, NEW = Money.of("17.90", "USD"), Money.of("19.90", "USD")
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
(CALIFORNIA,) = (rule for rule in NOTICE_RULES if rule.id == "us_ca.price_change")


def price_change(**changed: Any) -> PriceChange:
    given: dict[str, Any] = {
        "id": "change-1",
        "realm": RealmId("main"),
        "store": StoreId("main"),
        "plan": "box",
        "plan_version": "box-2",
        "prices": (Flat(NEW),),
        "effective_on": EFFECTIVE,
        "announced_at": datetime(2027, 1, 10, tzinfo=UTC),
    }
    return PriceChange(**(given | changed))


def moment(starts_on: date = PERIOD, **changed: Any) -> PriceMoment:
    at = start_of_day(starts_on, NEW_YORK)
    given: dict[str, Any] = {"starts_on": starts_on, "starts_at": at, "zone": NEW_YORK, "before": OLD, "after": NEW}
    return PriceMoment(**(given | changed))


def told(on: date, rule: str = "shop.price_change") -> SentNotice:
    return SentNotice(
        id=f"notice {rule}",
        realm=RealmId("main"),
        store=StoreId("main"),
        subscription="subscription-1",
        rule=rule,
        instance="price change-1",
        trigger_at=start_of_day(PERIOD, NEW_YORK),
        sent_at=start_of_day(on + DAY, NEW_YORK) - MOMENT,
        facts=NoticeFacts(price_before=OLD, price_after=NEW),
    )


IN_TIME = told(PERIOD - 14 * DAY)


def decide(
    change: PriceChange | None = None,
    at: PriceMoment | None = None,
    sent: tuple[SentNotice, ...] = (IN_TIME,),
    policy: PricePolicy = POLICY,
) -> PriceDecision:
    return decide_price_change(change or price_change(), at or moment(), (), sent, policy)


class TestMoving:
    @pytest.mark.proves("PRI-1")
    def test_a_subscription_moves_at_its_first_period_that_starts_on_the_day_or_later(self):
        early = told(date(2027, 1, 10))
        assert decide(at=moment(EFFECTIVE - DAY), sent=(early,)) == KeepsOld()
        assert decide(at=moment(EFFECTIVE), sent=(early,)) == Moves()
        assert decide(at=moment(EFFECTIVE + 30 * DAY), sent=(early,)) == Moves()

    @pytest.mark.proves("PRI-1")
    def test_14_days_of_notice_are_local_days(self):
        assert decide(sent=(told(date(2027, 3, 6)),)) == Moves()
        assert decide(sent=(told(date(2027, 3, 7)),)) == Deferred(Deferral.NOTICE, "shop.price_change")

    @pytest.mark.proves("PRI-1")
    def test_a_change_for_new_customers_leaves_running_subscriptions_alone(self):
        assert decide(price_change(applies_to=AppliesTo.NEW_ONLY)) == KeepsOld()
        assert decide(price_change(applies_to=AppliesTo.NEW_ONLY), moment(after=OLD)) == KeepsOld()

    @pytest.mark.proves("PRI-1")
    @pytest.mark.parametrize(
        ("told_on", "locked_until", "intro_until", "first"),
        [
            (date(2027, 1, 10), None, None, EFFECTIVE),
            (date(2027, 2, 20), None, None, date(2027, 3, 6)),
            (date(2027, 1, 10), date(2027, 5, 1), None, date(2027, 5, 1)),
            (date(2027, 1, 10), date(2027, 5, 1), date(2027, 6, 1), date(2027, 6, 1)),
            (date(2028, 2, 20), None, None, date(2028, 3, 5)),
        ],
    )
    def test_the_first_day_to_move_is_the_last_of_all_that_have_to_pass(
        self, told_on, locked_until, intro_until, first
    ):
        days = may_move_from(price_change(), told_on, POLICY, locked_until=locked_until, intro_until=intro_until)
        assert days == first

    @pytest.mark.proves("PRI-1", "PRI-2")
    @given(
        told_on=st.dates(date(2027, 1, 1), date(2027, 6, 1)),
        locked=st.none() | st.dates(date(2027, 1, 1), date(2027, 6, 1)),
        intro=st.none() | st.dates(date(2027, 1, 1), date(2027, 6, 1)),
        starts_on=st.dates(date(2027, 1, 1), date(2027, 8, 1)),
        notice=st.integers(0, 40),
    )
    def test_a_higher_price_holds_from_the_first_day_to_move_and_not_before(
        self, told_on, locked, intro, starts_on, notice
    ):
        policy = PricePolicy(min_notice=notice * DAY)
        first = may_move_from(price_change(), told_on, policy, locked_until=locked, intro_until=intro)
        at = moment(starts_on, locked_until=locked, intro_until=intro)
        sent = attrs.evolve(told(told_on), sent_at=start_of_day(told_on, NEW_YORK))
        assert (decide(at=at, sent=(sent,), policy=policy) == Moves()) is (starts_on >= first)

    @pytest.mark.proves("PRI-3")
    def test_locked_prices_and_introductory_prices_stay_until_they_end(self):
        assert decide(at=moment(locked_until=PERIOD + DAY)) == Deferred(Deferral.LOCKED)
        assert decide(at=moment(locked_until=PERIOD)) == Moves()
        assert decide(at=moment(intro_until=PERIOD + DAY)) == Deferred(Deferral.INTRO)
        assert decide(at=moment(intro_until=PERIOD)) == Moves()
        lower = moment(after=Money.of(10, "USD"), locked_until=PERIOD + DAY)
        assert decide(at=lower) == Deferred(Deferral.LOCKED)


class TestNotice:
    @pytest.mark.proves("PRI-2")
    def test_without_notice_the_old_price_stays_and_the_shop_is_told_why(self):
        assert decide(sent=()) == Deferred(Deferral.NOTICE, "shop.price_change")
        assert decide(sent=(told(PERIOD - 14 * DAY, "shop.other"),)) == Deferred(Deferral.NOTICE, "shop.price_change")

    @pytest.mark.proves("PRI-2")
    @pytest.mark.parametrize(
        ("days_before", "decision"),
        [
            (31, Deferred(Deferral.NOTICE, "us_ca.price_change")),
            (30, Moves()),
            (7, Moves()),
            (6, Deferred(Deferral.NOTICE, "us_ca.price_change")),
            (None, Deferred(Deferral.NOTICE, "us_ca.price_change")),
        ],
    )
    def test_the_notice_of_the_law_has_to_be_in_its_window_besides(self, days_before, decision):
        legal = () if days_before is None else (told(PERIOD - days_before * DAY, CALIFORNIA.id),)
        assert decide_price_change(price_change(), moment(), [CALIFORNIA], (IN_TIME, *legal), POLICY) == decision

    @pytest.mark.proves("PRI-2")
    def test_a_lower_price_and_an_equal_one_need_neither_notice_nor_consent(self):
        for after in (OLD, OLD - Money(1, "USD"), Money.zero("USD")):
            for consent in Consent:
                assert decide(price_change(consent=consent), moment(after=after), sent=()) == Moves()
        dearer = moment(after=OLD + Money(1, "USD"))
        assert decide(at=dearer, sent=()) == Deferred(Deferral.NOTICE, "shop.price_change")

    def test_what_a_period_after_a_deferred_one_costs_is_decided_anew(self):
        late = told(PERIOD - 5 * DAY)
        assert decide(sent=(late,)) == Deferred(Deferral.NOTICE, "shop.price_change")
        assert decide(at=moment(date(2027, 4, 20)), sent=(late,)) == Moves()


class TestConsent:
    @pytest.mark.proves("PRI-3")
    @pytest.mark.parametrize(
        ("consent", "reply", "on_silence", "decision"),
        [
            (Consent.NOT_NEEDED, None, OnSilence.KEEP_OLD, Moves()),
            (Consent.OPT_OUT, None, OnSilence.KEEP_OLD, Moves()),
            (Consent.OPT_OUT, Reply.ACCEPTED, OnSilence.KEEP_OLD, Moves()),
            (Consent.OPT_OUT, Reply.DECLINED, OnSilence.KEEP_OLD, CancelsAtPeriodEnd()),
            (Consent.OPT_IN, Reply.ACCEPTED, OnSilence.KEEP_OLD, Moves()),
            (Consent.OPT_IN, None, OnSilence.KEEP_OLD, KeepsOld()),
            (Consent.OPT_IN, Reply.DECLINED, OnSilence.KEEP_OLD, KeepsOld()),
            (Consent.OPT_IN, Reply.ACCEPTED, OnSilence.CANCEL_AT_PERIOD_END, Moves()),
            (Consent.OPT_IN, None, OnSilence.CANCEL_AT_PERIOD_END, CancelsAtPeriodEnd()),
            (Consent.OPT_IN, Reply.DECLINED, OnSilence.CANCEL_AT_PERIOD_END, CancelsAtPeriodEnd()),
        ],
    )
    def test_what_consent_and_silence_mean(self, consent, reply, on_silence, decision):
        policy = PricePolicy(on_silence=on_silence)
        assert decide(price_change(consent=consent), moment(reply=reply), policy=policy) == decision

    @pytest.mark.proves("PRI-2", "PRI-3")
    def test_nobody_is_cancelled_for_silence_who_was_not_asked_in_time(self):
        policy = PricePolicy(on_silence=OnSilence.CANCEL_AT_PERIOD_END)
        asked = price_change(consent=Consent.OPT_IN)
        assert decide(asked, sent=(), policy=policy) == Deferred(Deferral.NOTICE, "shop.price_change")

    @pytest.mark.proves("PRI-3")
    def test_an_answer_is_kept_with_its_time_and_its_notice_and_the_same_again_changes_nothing(self):
        change = price_change(consent=Consent.OPT_OUT)
        now, closes_at = datetime(2027, 3, 8, tzinfo=UTC), start_of_day(PERIOD, NEW_YORK)

        def answer(reply: Reply, earlier: Any = None, at: datetime = now) -> Any:
            return answer_price_change(
                change, "subscription-1", reply, notice="notice-1", earlier=earlier, closes_at=closes_at, now=at
            )

        first = answer(Reply.DECLINED)
        assert (first.subscription, first.change, first.reply) == ("subscription-1", "change-1", Reply.DECLINED)
        assert (first.answered_at, first.notice) == (now, "notice-1")
        assert serial.load(PriceAnswer, serial.dump(first)) == first
        assert answer(Reply.DECLINED, first, now + DAY) is first
        assert answer(Reply.DECLINED, first, closes_at + DAY) is first
        second = answer(Reply.ACCEPTED, first, now + DAY)
        assert second == attrs.evolve(first, reply=Reply.ACCEPTED, answered_at=now + DAY)
        assert answer(Reply.ACCEPTED, at=closes_at - MOMENT).reply is Reply.ACCEPTED
        for earlier in (None, first):
            with pytest.raises(PriceChangeOver):
                answer(Reply.ACCEPTED, earlier, closes_at)

    @pytest.mark.proves("PRI-3")
    @pytest.mark.parametrize(
        "changed", [{"consent": Consent.NOT_NEEDED}, {"consent": Consent.OPT_IN, "applies_to": AppliesTo.NEW_ONLY}]
    )
    def test_who_is_not_asked_has_nothing_to_answer(self, changed):
        with pytest.raises(PriceChangeOver):
            answer_price_change(
                price_change(**changed),
                "subscription-1",
                Reply.DECLINED,
                notice="notice-1",
                earlier=None,
                closes_at=start_of_day(PERIOD, NEW_YORK),
                now=datetime(2027, 3, 8, tzinfo=UTC),
            )


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def tiered(kind: Any, *steps: tuple[int | None, str]) -> Any:
    return kind(tuple(Tier(up_to, usd(amount)) for up_to, amount in steps))


class TestCap:
    @pytest.mark.proves("PRI-2")
    @pytest.mark.parametrize(
        ("old", "new", "within"),
        [
            (Flat(usd("10.00")), Flat(usd("11.00")), True),
            (Flat(usd("10.00")), Flat(usd("11.01")), False),
            (Flat(usd("10.00")), Flat(usd("1.00")), True),
            (Flat(usd("0.00")), Flat(usd("0.01")), False),
            (Flat(usd("0.00")), Flat(usd("0.00")), True),
            (Flat(usd("10.00")), Flat(Money.of(99, "EUR")), True),
            (PerUnit(usd("3.00"), 1000), PerUnit(usd("3.30"), 1000), True),
            (PerUnit(usd("3.00"), 1000), PerUnit(usd("3.31"), 1000), False),
            (Packages(usd("5.00"), 10), Packages(usd("5.00"), 9), False),
            (tiered(Graduated, (10, "2.00"), (None, "1.00")), tiered(Graduated, (10, "2.00"), (None, "1.20")), False),
            (tiered(Graduated, (10, "2.00"), (None, "1.00")), tiered(Graduated, (10, "2.20"), (None, "1.10")), True),
            (
                tiered(Volume, (10, "2.00"), (None, "1.00")),
                tiered(Volume, (20, "2.00"), (None, "1.00")),
                False,
            ),
        ],
    )
    def test_no_quantity_gets_dearer_than_the_cap_allows(self, old: Tariff, new: Tariff, within: bool):
        policy = PricePolicy(cap=Rate.percent(10))
        if within:
            require_within_cap([old], [new], policy)
        else:
            with pytest.raises(BadPlan):
                require_within_cap([old], [new], policy)
        require_within_cap([old], [new], POLICY)

    @pytest.mark.proves("PRI-2")
    @pytest.mark.parametrize("from_unit", [1, 11])
    def test_an_amount_that_is_added_once_counts_where_it_weighs_most(self, from_unit):
        below = (Tier(from_unit - 1, usd("1.00")),) if from_unit > 1 else ()
        old: Any = Graduated((Tier(None, usd("1.00")),))
        new: Any = Graduated((*below, Tier(None, usd("1.00"), flat=usd("5.00"))))
        with pytest.raises(BadPlan):
            require_within_cap([old], [new], PricePolicy(cap=Rate.percent(45)))
        require_within_cap([old], [new], PricePolicy(cap=Rate.percent(500)))

    @pytest.mark.proves("PRI-2")
    @given(
        before=st.integers(1, 10**6),
        after=st.integers(1, 10**6),
        percent=st.integers(0, 200),
    )
    def test_the_cap_is_exact_for_flat_and_unit_prices(self, before, after, percent):
        policy = PricePolicy(cap=Rate.percent(percent))
        allowed = after * 100 <= before * (100 + percent)
        for kind in (Flat, PerUnit):
            try:
                require_within_cap([kind(Money(before, "USD"))], [kind(Money(after, "USD"))], policy)
            except BadPlan:
                assert not allowed
            else:
                assert allowed


class TestData:
    @pytest.mark.proves("PRI-1")
    @pytest.mark.parametrize("prices", [(), (Flat(OLD), Flat(NEW)), (Flat(Money.of(5, "HRK")),)])
    def test_a_change_has_one_price_in_each_currency_and_none_in_a_dead_one(self, prices):
        with pytest.raises(BadPlan):
            price_change(prices=prices)

    def test_a_change_is_kept_as_it_was_announced(self):
        change = price_change(prices=(Flat(NEW), PerUnit(Money.of("3.50", "EUR"), 1000)), consent=Consent.OPT_IN)
        assert serial.load(PriceChange, serial.dump(change)) == change

    def test_a_change_comes_on_a_day(self):
        with pytest.raises(TypeError):
            price_change(effective_on=datetime(2027, 3, 1, tzinfo=UTC))

    def test_a_local_day_is_the_accounts(self):
        assert local_date(moment().starts_at, NEW_YORK) == PERIOD
        assert local_date(moment().starts_at, LOS_ANGELES) == PERIOD - DAY

    @pytest.mark.proves("PRI-1")
    def test_the_defaults_are_14_days_and_the_old_price(self):
        assert (POLICY.min_notice, POLICY.on_silence, POLICY.cap) == (14 * DAY, OnSilence.KEEP_OLD, None)

    @pytest.mark.parametrize("notice", [-DAY, timedelta(hours=36)])
    def test_notice_is_given_before_and_in_whole_days(self, notice):
        with pytest.raises(BadPolicy):
            PricePolicy(min_notice=notice)
