from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import Zone, add_months, instant_of, local_date, start_of_day, zone
from shopaccounts.subscriptions.laws.notice_rules import (
    Applies,
    ContractFacts,
    NoticeEffect,
    NoticeFact,
    NoticeFacts,
    NoticeRule,
    NoticeTrigger,
    Offset,
    OffsetUnit,
)
from shopaccounts.subscriptions.laws.notices import (
    Held,
    InTime,
    Missed,
    NotYet,
    SentNotice,
    Window,
    amount_differs,
    charge_after,
    due_notices,
    judge,
    notice_due_at,
    notice_window,
    rules_for,
)
from shopaccounts.subscriptions.laws.rows import NOTICE_RULES
from shopaccounts.subscriptions.policy.notices import NoticePolicy, house_rule

UTC_ZONE, BERLIN, LOS_ANGELES, KOLKATA = (
    zone("UTC"),
    zone("Europe/Berlin"),
    zone("America/Los_Angeles"),
    zone("Asia/Kolkata"),
)
BY_ID = {rule.id: rule for rule in NOTICE_RULES}
ANNUAL = BY_ID["us_ca.annual_renewal"]
PRE_DEBIT = BY_ID["in.pre_debit"]
TACIT = BY_ID["fr.tacit_renewal"]
PRICE = BY_ID["us_ca.price_change"]
YEAR, MONTH = Interval.years(1), Interval.months(1)
RENEWAL = start_of_day(date(2029, 3, 10), LOS_ANGELES)
DEBIT = datetime(2027, 3, 10, 6, 30, tzinfo=UTC)
HOUR, DAY, MOMENT = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)

zones = st.sampled_from([zone(name) for name in ("UTC", "Europe/Berlin", "America/Santiago", "Pacific/Apia", "+05:30")])
instants = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (bounds)
offsets = st.one_of(
    st.builds(Offset.days, st.integers(0, 90)),
    st.builds(Offset.months, st.integers(0, 12)),
    st.builds(Offset.hours, st.integers(0, 2000)),
)


def rule(
    earliest: Offset | None = None, latest: Offset | None = None, effect: NoticeEffect = NoticeEffect.FLAG
) -> NoticeRule:
    return house_rule(
        "shop.test",
        NoticeTrigger.RENEWAL,
        earliest=earliest,
        latest=Offset.days(0) if latest is None else latest,
        effect=effect,
    )


def notice(
    of: NoticeRule, sent_at: datetime, trigger_at: datetime = RENEWAL, amount: Money | None = None
) -> SentNotice:
    return SentNotice(
        id="notice-1",
        realm=RealmId("main"),
        store=StoreId("main"),
        subscription="subscription-1",
        rule=of.id,
        instance="cycle 0 12",
        trigger_at=trigger_at,
        sent_at=sent_at,
        facts=NoticeFacts(amount=amount),
    )


class TestWindows:
    @pytest.mark.proves("NOT-2")
    def test_fifteen_to_forty_five_days_before_a_renewal_are_local_days_both_included(self):
        window = notice_window(ANNUAL, RENEWAL, LOS_ANGELES)
        assert (window.earliest, window.latest) == (date(2029, 1, 24), date(2029, 2, 23))
        assert window.opens_at == start_of_day(date(2029, 1, 24), LOS_ANGELES)
        assert window.late_from == start_of_day(date(2029, 2, 24), LOS_ANGELES)
        assert [window.contains(at) for at in (window.opens_at - MOMENT, window.opens_at)] == [False, True]
        assert [window.contains(at) for at in (window.late_from - MOMENT, window.late_from)] == [True, False]

    @pytest.mark.proves("NOT-2")
    def test_days_count_from_the_local_day_of_the_trigger_not_from_its_day_in_utc(self):
        late_in_the_evening = datetime(2029, 3, 10, 7, tzinfo=UTC)  # 23:00 of the 9th in Los Angeles
        assert notice_window(ANNUAL, late_in_the_evening, LOS_ANGELES).latest == date(2029, 2, 22)
        assert notice_window(ANNUAL, late_in_the_evening, BERLIN).latest == date(2029, 2, 23)

    @pytest.mark.proves("NOT-2")
    @pytest.mark.parametrize(
        ("last_day", "earliest", "latest"),
        [
            (date(2030, 5, 31), date(2030, 2, 28), date(2030, 4, 30)),
            (date(2032, 5, 31), date(2032, 2, 29), date(2032, 4, 30)),
            (date(2030, 3, 31), date(2029, 12, 31), date(2030, 2, 28)),
            (date(2030, 2, 28), date(2029, 11, 28), date(2030, 1, 28)),
        ],
    )
    def test_months_are_counted_back_from_the_day_itself_and_clamped(self, last_day, earliest, latest):
        window = notice_window(TACIT, start_of_day(last_day, BERLIN), BERLIN)
        assert (window.earliest, window.latest) == (earliest, latest)

    @pytest.mark.proves("NOT-2")
    def test_hours_are_instants_whatever_the_clocks_do(self):
        changed = datetime(2027, 3, 28, 12, tzinfo=UTC)  # clocks in Berlin jumped this morning
        window = notice_window(PRE_DEBIT, changed, BERLIN)
        assert (window.earliest, window.latest) == (changed - 72 * HOUR, changed - 24 * HOUR)
        assert window.contains(changed - 24 * HOUR)
        assert not window.contains(changed - 24 * HOUR + MOMENT)
        assert window.contains(changed - 72 * HOUR)
        assert not window.contains(changed - 72 * HOUR - MOMENT)

    @pytest.mark.proves("NOT-2")
    def test_the_days_of_a_window_are_whole_local_days_where_clocks_change_within_it(self):
        window = notice_window(rule(Offset.days(3), Offset.days(1)), start_of_day(date(2027, 3, 30), BERLIN), BERLIN)
        assert window.opens_at == datetime(2027, 3, 26, 23, tzinfo=UTC)
        assert window.late_from == datetime(2027, 3, 29, 22, tzinfo=UTC)

    @pytest.mark.proves("NOT-2")
    def test_a_notice_on_the_day_itself_has_to_come_before_what_it_announces(self):
        noon = datetime(2029, 3, 10, 12, tzinfo=UTC)
        window = notice_window(rule(Offset.days(7), Offset.days(0)), noon, UTC_ZONE)
        assert window.latest == date(2029, 3, 10)
        assert window.contains(noon)
        assert not window.contains(noon + MOMENT)

    @pytest.mark.proves("NOT-2")
    @given(offset=offsets, at=instants, where=zones)
    def test_a_notice_in_its_window_is_as_far_from_its_trigger_as_the_rule_says(
        self, offset: Offset, at: datetime, where: Zone
    ):
        window = notice_window(rule(offset, offset), at, where)
        assert window.opens_at is not None
        last = window.late_from - MOMENT
        assert window.contains(window.opens_at)
        assert window.contains(last)
        assert last <= at
        if offset.unit is OffsetUnit.HOURS:
            assert at - last == offset.count * HOUR
        else:
            expected = (
                local_date(at, where) - offset.count * DAY
                if offset.unit is OffsetUnit.DAYS
                else add_months(local_date(at, where), -offset.count)
            )
            assert window.earliest == window.latest == expected
            assert window.opens_at == start_of_day(expected, where)

    def test_a_trigger_without_a_zone_is_no_instant(self):
        with pytest.raises(TypeError):
            notice_window(ANNUAL, datetime(2029, 3, 10), UTC_ZONE)  # noqa: DTZ001  (what must be refused)

    def test_a_notice_can_be_sent_when_its_window_opens_or_when_the_shop_knows_of_its_trigger(self):
        window = notice_window(ANNUAL, RENEWAL, LOS_ANGELES)
        assert window.opens_at is not None
        assert notice_due_at(window, RENEWAL - 300 * DAY) == window.opens_at
        assert notice_due_at(window, RENEWAL - 20 * DAY) == RENEWAL - 20 * DAY
        assert notice_due_at(notice_window(rule(), RENEWAL, UTC_ZONE), RENEWAL - DAY) == RENEWAL - DAY


class TestRules:
    @pytest.mark.proves("NOT-1", "POL-1")
    @pytest.mark.parametrize(
        ("earliest", "latest"),
        [
            (Offset.days(3), Offset.days(4)),
            (Offset.months(1), Offset.months(2)),
            (Offset.hours(23), Offset.hours(24)),
            (Offset.months(1), Offset.days(30)),  # February
            (Offset.days(1), Offset.hours(24)),  # the day on which clocks jump
            (Offset.hours(24), Offset.days(1)),
        ],
    )
    def test_a_rule_whose_latest_lies_before_its_earliest_is_a_bad_policy(self, earliest, latest):
        with pytest.raises(BadPolicy):
            rule(earliest, latest)

    @pytest.mark.proves("NOT-1")
    @pytest.mark.parametrize(
        ("earliest", "latest"),
        [
            (Offset.days(4), Offset.days(4)),
            (Offset.months(3), Offset.days(30)),
            (Offset.days(2), Offset.hours(24)),
            (Offset.hours(72), Offset.days(1)),
            (None, Offset.days(400)),
        ],
    )
    def test_a_shop_adds_rules_in_days_months_and_hours(self, earliest, latest):
        own = rule(earliest, latest)
        assert own in NoticePolicy(laws=(own,)).rules

    @pytest.mark.proves("NOT-1")
    @given(earliest=offsets, latest=offsets, at=instants, where=zones)
    def test_every_rule_that_is_accepted_has_a_window_that_is_not_empty(
        self, earliest: Offset, latest: Offset, at: datetime, where: Zone
    ):
        if earliest.reaches(latest):
            window = notice_window(rule(earliest, latest), at, where)
            assert window.opens_at is not None
            assert window.opens_at < window.late_from

    @pytest.mark.parametrize("count", [-1, True, 1.5])
    def test_a_distance_is_a_whole_number_from_zero_on(self, count):
        with pytest.raises(BadPolicy):
            Offset.days(count)

    @pytest.mark.parametrize(
        "change",
        [
            {"triggers": frozenset()},
            {"id": ""},
            {"source": ""},
            {"law": ""},
            {"valid_until": date(2022, 7, 1)},
        ],
    )
    def test_a_rule_is_about_something_and_says_where_it_stands(self, change):
        with pytest.raises(BadPolicy):
            attrs.evolve(ANNUAL, **change)

    @pytest.mark.parametrize("field", ["valid_from", "valid_until", "reviewed_on"])
    def test_the_days_of_a_rule_are_days(self, field):
        moment: Any = datetime(2040, 1, 1, tzinfo=UTC)
        with pytest.raises(TypeError):
            attrs.evolve(ANNUAL, **{field: moment})

    @pytest.mark.proves("NOT-8")
    def test_a_rule_holds_from_its_first_day_until_before_its_last_at_the_day_of_the_trigger(self):
        ended = attrs.evolve(ANNUAL, valid_until=date(2029, 3, 10))
        facts = ContractFacts(initial_term=YEAR, renewal_term=YEAR)

        def found(on: date) -> tuple[NoticeRule, ...]:
            return rules_for([ended], "US-CA", on, NoticeTrigger.RENEWAL, facts)

        assert found(date(2022, 6, 30)) == ()
        assert found(date(2022, 7, 1)) == (ended,)
        assert found(date(2029, 3, 9)) == (ended,)
        assert found(date(2029, 3, 10)) == ()

    @pytest.mark.proves("NOT-8")
    @pytest.mark.parametrize(
        ("place", "trigger", "expected"),
        [
            ("US-CA", NoticeTrigger.TRIAL_END, ["us_ca.trial_end", "visa.trial_reminder"]),
            ("US-CA", NoticeTrigger.INTRO_END, ["us_ca.trial_end", "visa.trial_reminder"]),
            ("US-NY", NoticeTrigger.TRIAL_END, ["visa.trial_reminder"]),
            ("", NoticeTrigger.TRIAL_END, ["visa.trial_reminder"]),
            ("DE", NoticeTrigger.CANCEL_RECEIPT, ["de.cancel_button"]),
            ("DE-BY", NoticeTrigger.CANCEL_RECEIPT, ["de.cancel_button"]),
            ("FR", NoticeTrigger.CANCEL_RECEIPT, []),
            ("FR", NoticeTrigger.TERM_END, ["fr.tacit_renewal"]),
            ("FR", NoticeTrigger.WITHDRAWAL_RECEIPT, ["eu.withdrawal_function"]),
            ("IE", NoticeTrigger.WITHDRAWAL_RECEIPT, ["eu.withdrawal_function"]),
            ("CH", NoticeTrigger.WITHDRAWAL_RECEIPT, []),
            ("IN", NoticeTrigger.PRE_DEBIT, ["in.pre_debit"]),
            ("ID", NoticeTrigger.PRE_DEBIT, []),
        ],
    )
    def test_rules_go_by_where_the_customer_is_and_all_that_match_apply(self, place, trigger, expected):
        facts = ContractFacts(initial_term=YEAR, renewal_term=YEAR, trial_days=60, method="card")
        found = rules_for(NOTICE_RULES, place, date(2027, 1, 1), trigger, facts)
        assert [rule.id for rule in found] == expected

    @pytest.mark.proves("NOT-1")
    @pytest.mark.parametrize(
        ("applies", "facts", "concerned"),
        [
            (Applies(initial_months=12), ContractFacts(initial_term=Interval.months(12)), True),
            (Applies(initial_months=12), ContractFacts(initial_term=Interval.months(11)), False),
            (Applies(initial_months=12), ContractFacts(initial_term=Interval.days(365)), True),
            (Applies(initial_months=12), ContractFacts(initial_term=Interval.days(364)), False),
            (Applies(initial_months=12), ContractFacts(), False),
            (Applies(renewal_over_months=1), ContractFacts(renewal_term=Interval.months(1)), False),
            (Applies(renewal_over_months=1), ContractFacts(renewal_term=Interval.months(2)), True),
            (Applies(renewal_over_months=1), ContractFacts(renewal_term=Interval.days(31)), False),
            (Applies(renewal_over_months=1), ContractFacts(renewal_term=Interval.days(32)), True),
            (Applies(renewal_over_months=1), ContractFacts(), False),
            (Applies(interval_months=6), ContractFacts(interval=Interval.months(5)), False),
            (Applies(interval_months=6), ContractFacts(interval=Interval.half_years(1)), True),
            (Applies(trial_over_days=31), ContractFacts(trial_days=31), False),
            (Applies(trial_over_days=31), ContractFacts(trial_days=32), True),
            (Applies(methods=frozenset({"card"})), ContractFacts(method="upi"), False),
            (Applies(methods=frozenset({"card", "upi"})), ContractFacts(method="upi"), True),
            (Applies(renews=True), ContractFacts(), False),
            (Applies(renews=True), ContractFacts(renewal_term=MONTH), True),
            (Applies(consumers_only=True), ContractFacts(consumer=False), False),
            (Applies(consumers_only=True), ContractFacts(), True),
            (Applies(), ContractFacts(), True),
        ],
    )
    def test_a_rule_concerns_the_contracts_that_its_row_describes(self, applies, facts, concerned):
        assert applies.holds_for(facts) is concerned

    @pytest.mark.proves("NOT-5")
    def test_a_notice_keeps_what_it_said_and_tells_what_it_lacks(self):
        wanted = ANNUAL.facts
        full = NoticeFacts(
            product="coffee box",
            amount=Money.of("13.38", "EUR"),
            next_date=date(2029, 3, 10),
            interval=MONTH,
            how_to_cancel="https://shop.example/cancel",
        )
        assert full.missing(wanted) == frozenset()
        assert full.missing(frozenset({NoticeFact.PRICE_AFTER, NoticeFact.CONTACT})) == {
            NoticeFact.PRICE_AFTER,
            NoticeFact.CONTACT,
        }
        assert NoticeFacts().missing(wanted) == wanted
        assert NoticeFacts(statement="s").missing(BY_ID["de.cancel_button"].facts) == frozenset()


class TestJudging:
    @pytest.mark.proves("NOT-4")
    def test_a_flagged_notice_is_in_time_not_yet_sent_or_missed(self):
        window = notice_window(ANNUAL, RENEWAL, LOS_ANGELES)
        assert window.opens_at is not None
        before, late = window.late_from - MOMENT, window.late_from
        assert judge(ANNUAL, (), RENEWAL, LOS_ANGELES, before) == NotYet()
        assert judge(ANNUAL, (), RENEWAL, LOS_ANGELES, late) == Missed()
        assert judge(ANNUAL, [notice(ANNUAL, before)], RENEWAL, LOS_ANGELES, RENEWAL) == InTime()
        assert judge(ANNUAL, [notice(ANNUAL, late)], RENEWAL, LOS_ANGELES, RENEWAL) == Missed()
        assert judge(ANNUAL, [notice(ANNUAL, window.opens_at - MOMENT)], RENEWAL, LOS_ANGELES, RENEWAL) == Missed()
        assert judge(ANNUAL, [notice(TACIT, before)], RENEWAL, LOS_ANGELES, RENEWAL) == Missed()

    @pytest.mark.proves("NOT-4")
    def test_a_notice_that_was_missed_may_let_the_customer_go(self):
        assert judge(TACIT, (), RENEWAL, BERLIN, RENEWAL) == Missed(frees=True)
        assert judge(BY_ID["de.cancel_button"], (), RENEWAL, BERLIN, RENEWAL) == Missed(frees=True)

    @pytest.mark.proves("NOT-4")
    def test_a_receipt_is_in_time_with_the_statement_itself(self):
        button = BY_ID["de.cancel_button"]
        assert judge(button, [notice(button, RENEWAL)], RENEWAL, BERLIN, RENEWAL) == InTime()
        assert judge(button, [notice(button, RENEWAL + MOMENT)], RENEWAL, BERLIN, RENEWAL) == Missed(frees=True)

    @pytest.mark.proves("NOT-4")
    def test_a_deferring_notice_that_was_not_sent_in_time_is_missed(self):
        late = notice_window(PRICE, RENEWAL, LOS_ANGELES).late_from
        assert judge(PRICE, (), RENEWAL, LOS_ANGELES, late - MOMENT) == NotYet()
        assert judge(PRICE, [notice(PRICE, late)], RENEWAL, LOS_ANGELES, RENEWAL) == Missed()

    @pytest.mark.proves("NOT-4")
    def test_a_charge_waits_for_its_notice_and_then_for_as_long_as_the_notice_leads(self):
        def asked(sent_at: datetime | None, now: datetime) -> object:
            sent = () if sent_at is None else (notice(PRE_DEBIT, sent_at, DEBIT),)
            return judge(PRE_DEBIT, sent, DEBIT, KOLKATA, now)

        assert asked(None, DEBIT - MOMENT) == NotYet()
        assert asked(None, DEBIT) == Held()
        assert asked(DEBIT - 24 * HOUR, DEBIT) == InTime()
        assert asked(DEBIT - 23 * HOUR, DEBIT) == Held(DEBIT + HOUR)
        assert asked(DEBIT - 23 * HOUR, DEBIT + HOUR - MOMENT) == Held(DEBIT + HOUR)
        assert asked(DEBIT - 23 * HOUR, DEBIT + HOUR) == InTime()
        assert asked(DEBIT + 5 * DAY, DEBIT + 5 * DAY) == Held(DEBIT + 6 * DAY)
        assert asked(DEBIT - 73 * HOUR, DEBIT) == Held()

    @pytest.mark.proves("NOT-4")
    def test_a_gateway_that_wants_26_hours_is_one_number(self):
        careful = attrs.evolve(PRE_DEBIT, latest=Offset.hours(26))
        sent = (notice(careful, DEBIT - 25 * HOUR, DEBIT),)
        assert judge(careful, sent, DEBIT, KOLKATA, DEBIT) == Held(DEBIT + HOUR)

    @pytest.mark.proves("NOT-4")
    @given(offset=offsets, at=instants, where=zones)
    def test_a_charge_that_waited_would_have_been_announced_in_time_and_no_moment_sooner(
        self, offset: Offset, at: datetime, where: Zone
    ):
        blocking = rule(None, offset, NoticeEffect.BLOCKS_CHARGE)
        until = charge_after(blocking, at, where)
        assert notice_window(blocking, until, where).contains(at)
        if until > at:
            assert not notice_window(blocking, until - MOMENT, where).contains(at)

    @pytest.mark.proves("NOT-4")
    def test_a_month_of_notice_from_the_31st_of_january_ends_in_march(self):
        monthly = rule(None, Offset.months(1), NoticeEffect.BLOCKS_CHARGE)
        told = instant_of(date(2031, 1, 31), datetime(2031, 1, 31, 12, tzinfo=UTC).time(), BERLIN)
        assert charge_after(monthly, told, BERLIN) == start_of_day(date(2031, 3, 1), BERLIN)
        assert charge_after(monthly, told - 3 * DAY, BERLIN) == start_of_day(date(2031, 2, 28), BERLIN)

    @pytest.mark.proves("NOT-5")
    def test_a_charge_waits_where_its_notice_named_another_amount(self):
        named, charged = Money.of("900", "INR"), Money.of("901", "INR")
        sent = notice(PRE_DEBIT, DEBIT - 30 * HOUR, DEBIT, named)
        assert amount_differs(sent, charged)
        assert not amount_differs(sent, named)
        assert not amount_differs(attrs.evolve(sent, facts=NoticeFacts()), charged)
        assert judge(PRE_DEBIT, [sent], DEBIT, KOLKATA, DEBIT, named) == InTime()
        assert judge(PRE_DEBIT, [sent], DEBIT, KOLKATA, DEBIT, charged) == Held()
        anew = notice(PRE_DEBIT, DEBIT, DEBIT + DAY, charged)
        assert judge(PRE_DEBIT, [sent, anew], DEBIT, KOLKATA, DEBIT, charged) == Held(DEBIT + DAY)
        assert judge(PRE_DEBIT, [sent, anew], DEBIT, KOLKATA, DEBIT + DAY, charged) == InTime()

    @pytest.mark.proves("NOT-5")
    def test_another_amount_holds_up_no_charge_that_does_not_wait_for_its_notice(self):
        sent = notice(ANNUAL, RENEWAL - 20 * DAY, amount=Money.of(10, "USD"))
        assert judge(ANNUAL, [sent], RENEWAL, LOS_ANGELES, RENEWAL, Money.of(11, "USD")) == InTime()


class TestSending:
    @pytest.mark.proves("NOT-3")
    def test_a_notice_is_due_while_its_window_is_open_and_once_only(self):
        window = notice_window(ANNUAL, RENEWAL, LOS_ANGELES)
        assert window.opens_at is not None

        def due(now: datetime, *sent: SentNotice) -> tuple[NoticeRule, ...]:
            return due_notices([ANNUAL], sent, RENEWAL, LOS_ANGELES, now)

        assert due(window.opens_at - MOMENT) == ()
        assert due(window.opens_at) == (ANNUAL,)
        assert due(window.opens_at + DAY, notice(ANNUAL, window.opens_at)) == ()
        assert due(RENEWAL) == (ANNUAL,), "late, but better than never"
        assert due(RENEWAL + MOMENT) == ()

    @pytest.mark.proves("NOT-3")
    def test_a_trigger_that_moves_before_the_notice_was_sent_moves_the_notice(self):
        later = RENEWAL + 60 * DAY
        now = RENEWAL - 20 * DAY
        assert due_notices([ANNUAL], (), RENEWAL, LOS_ANGELES, now) == (ANNUAL,)
        assert due_notices([ANNUAL], (), later, LOS_ANGELES, now) == ()

    @pytest.mark.proves("NOT-3")
    def test_a_trigger_that_moves_afterwards_needs_a_new_notice_only_outside_the_old_ones_window(self):
        sent = notice(ANNUAL, RENEWAL - 40 * DAY)
        near, far = RENEWAL + 5 * DAY, RENEWAL + 6 * DAY
        assert due_notices([ANNUAL], [sent], near, LOS_ANGELES, RENEWAL) == ()
        assert judge(ANNUAL, [sent], near, LOS_ANGELES, near) == InTime()
        assert due_notices([ANNUAL], [sent], far, LOS_ANGELES, RENEWAL) == (ANNUAL,)
        assert judge(ANNUAL, [sent], far, LOS_ANGELES, far) == Missed()
        anew = notice(ANNUAL, far - 20 * DAY, far)
        assert judge(ANNUAL, [sent, anew], far, LOS_ANGELES, far) == InTime()

    @pytest.mark.proves("NOT-3")
    def test_a_notice_is_the_same_by_subscription_rule_instance_and_the_time_it_tells(self):
        one = notice(ANNUAL, RENEWAL - 40 * DAY)
        again = attrs.evolve(one, id="notice-2", sent_at=RENEWAL, facts=NoticeFacts(product="tea"))
        assert again.key.text == one.key.text
        elsewhere = attrs.evolve(one, trigger_at=RENEWAL.astimezone(LOS_ANGELES.info))
        assert elsewhere.key.text == one.key.text
        for change in (
            {"subscription": "subscription-2"},
            {"rule": TACIT.id},
            {"instance": "cycle 0 13"},
            {"trigger_at": RENEWAL + DAY},
        ):
            assert attrs.evolve(one, **change).key.text != one.key.text

    @pytest.mark.proves("NOT-3", "NOT-8")
    def test_one_letter_may_serve_two_rules_and_each_of_them_once(self):
        trial, visa = BY_ID["us_ca.trial_end"], BY_ID["visa.trial_reminder"]
        now = RENEWAL - 8 * DAY
        assert due_notices([trial, visa], (), RENEWAL, LOS_ANGELES, now) == (trial, visa)
        assert due_notices([trial, visa], [notice(trial, now)], RENEWAL, LOS_ANGELES, now) == (visa,)

    @pytest.mark.proves("NOT-4", "NOT-5")
    def test_a_notice_that_a_charge_waits_for_stays_due_and_is_due_anew_for_another_amount(self):
        named, charged = Money.of("900", "INR"), Money.of("901", "INR")
        sent = notice(PRE_DEBIT, DEBIT - 30 * HOUR, DEBIT, named)

        def due(now: datetime, *sent: SentNotice) -> tuple[NoticeRule, ...]:
            return due_notices([PRE_DEBIT], sent, DEBIT, KOLKATA, now, charged)

        assert due(DEBIT + 9 * DAY) == (PRE_DEBIT,)
        assert due(DEBIT - HOUR, sent) == ()
        assert due(DEBIT, sent) == (PRE_DEBIT,)
        assert due(DEBIT, sent, notice(PRE_DEBIT, DEBIT, DEBIT + DAY, charged)) == ()


class TestReminders:
    @pytest.mark.proves("NOT-6")
    @pytest.mark.parametrize(
        ("interval", "reminded"),
        [(YEAR, True), (Interval.half_years(1), True), (Interval.months(5), False), (MONTH, False)],
    )
    def test_renewals_are_reminded_of_a_week_before_where_they_come_twice_a_year_or_less(self, interval, reminded):
        facts = ContractFacts(renewal_term=interval, interval=interval)
        found = rules_for(NoticePolicy().rules, "NZ", date(2027, 1, 1), NoticeTrigger.RENEWAL, facts)
        assert [rule.id for rule in found] == ["shop.renewal_reminder"] * reminded
        for one in found:
            window = notice_window(one, start_of_day(date(2027, 3, 10), BERLIN), BERLIN)
            assert (window.earliest, window.latest) == (date(2027, 3, 3), date(2027, 3, 9))

    @pytest.mark.proves("NOT-6")
    @pytest.mark.parametrize("trigger", [NoticeTrigger.TRIAL_END, NoticeTrigger.INTRO_END])
    def test_trials_and_introductory_prices_are_reminded_of_a_week_before(self, trigger):
        found = rules_for(NoticePolicy().rules, "NZ", date(2027, 1, 1), trigger, ContractFacts(trial_days=14))
        assert [rule.id for rule in found] == ["shop.trial_reminder"]
        assert found[0].earliest == Offset.days(7)

    @pytest.mark.proves("NOT-6")
    def test_a_method_that_expires_before_the_next_charge_is_reminded_of(self):
        found = rules_for(
            NoticePolicy().rules, "", date(2027, 1, 1), NoticeTrigger.PAYMENT_METHOD_EXPIRING, ContractFacts()
        )
        assert [rule.id for rule in found] == ["shop.method_reminder"]

    @pytest.mark.proves("NOT-6")
    def test_reminders_can_be_turned_off_and_moved_and_laws_stay(self):
        policy = NoticePolicy(trial_reminder_days=3, renewal_reminder_days=None, method_reminder_days=None)
        assert policy.rules[:-1] == NOTICE_RULES
        assert (policy.rules[-1].id, policy.rules[-1].earliest) == ("shop.trial_reminder", Offset.days(3))

    @pytest.mark.proves("NOT-6")
    def test_the_default_reminders_are_a_week_and_half_a_year(self):
        policy = NoticePolicy()
        assert (policy.trial_reminder_days, policy.renewal_reminder_days, policy.renewal_reminder_from) == (7, 7, 6)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"trial_reminder_days": 0},
            {"renewal_reminder_days": 61},
            {"method_reminder_days": -1},
            {"renewal_reminder_from": -1},
            {"laws": (ANNUAL, ANNUAL)},
        ],
    )
    def test_reminders_that_make_no_sense_are_a_bad_policy(self, wrong):
        with pytest.raises(BadPolicy):
            NoticePolicy(**wrong)

    def test_two_versions_of_one_rule_may_follow_each_other(self):
        until = attrs.evolve(ANNUAL, valid_until=date(2030, 1, 1))
        then = attrs.evolve(ANNUAL, valid_from=date(2030, 1, 1), latest=Offset.days(20))
        assert NoticePolicy(laws=(until, then)).rules[:2] == (until, then)


def test_a_window_without_a_beginning_holds_all_that_is_not_late():
    window = notice_window(rule(), RENEWAL, UTC_ZONE)
    assert isinstance(window, Window)
    assert window.contains(datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.proves("NOT-5")
def test_a_notice_that_was_sent_is_kept_with_all_that_it_said():
    said = NoticeFacts(
        product="coffee box",
        amount=Money.of("13.38", "EUR"),
        next_date=date(2029, 3, 10),
        interval=MONTH,
        how_to_cancel="https://shop.example/cancel",
        contact="+49 30 1234567",
        price_before=Money.of("11.90", "EUR"),
        price_after=Money.of("13.38", "EUR"),
        statement="statement-1",
    )
    for facts in (said, NoticeFacts()):
        sent = attrs.evolve(notice(ANNUAL, RENEWAL - DAY), facts=facts)
        assert serial.load(SentNotice, serial.dump(sent)) == sent
