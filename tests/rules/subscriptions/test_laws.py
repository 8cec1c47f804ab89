from datetime import date

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import add_months
from shopaccounts.subscriptions.laws.notice_rules import (
    Applies,
    LawRow,
    NoticeEffect,
    NoticeFact,
    NoticeTrigger,
    Offset,
)
from shopaccounts.subscriptions.laws.notices import terms_evidence_until
from shopaccounts.subscriptions.laws.rows import (
    EU_MEMBERS,
    EVIDENCE_RULES,
    LAWS,
    NOTICE_RULES,
    RENEWAL_TERM_RULES,
    STEP_UP_RULES,
    WITHDRAWAL_RULES,
    in_force,
    in_jurisdiction,
    renewal_term_problems,
    step_up_needed,
)

EVIDENCE, STEP_UP, TERM, WITHDRAWAL = EVIDENCE_RULES[0], STEP_UP_RULES[0], RENEWAL_TERM_RULES[0], WITHDRAWAL_RULES[0]
OFFER_ENDS = {NoticeTrigger.TRIAL_END, NoticeTrigger.INTRO_END}
FLAG, BLOCKS, DEFERS = NoticeEffect.FLAG, NoticeEffect.BLOCKS_CHARGE, NoticeEffect.DEFERS_CHANGE
days = st.dates(date(2020, 1, 1), date(2080, 12, 31))


class TestTheTable:
    @pytest.mark.proves("NOT-1")
    @pytest.mark.parametrize(
        ("id", "place", "triggers", "earliest", "latest", "effect", "valid_from"),
        [
            (
                "us_ca.annual_renewal", "US-CA", {NoticeTrigger.RENEWAL},
                Offset.days(45), Offset.days(15), FLAG, date(2022, 7, 1),
            ),
            ("us_ca.trial_end", "US-CA", OFFER_ENDS, Offset.days(21), Offset.days(3), FLAG, date(2022, 7, 1)),
            (
                "us_ca.price_change", "US-CA", {NoticeTrigger.PRICE_CHANGE},
                Offset.days(30), Offset.days(7), DEFERS, date(2025, 7, 1),
            ),
            (
                "us_ca.annual_reminder", "US-CA", {NoticeTrigger.ANNUAL},
                Offset.days(30), Offset.days(0), FLAG, date(2025, 7, 1),
            ),
            (
                "in.pre_debit", "IN", {NoticeTrigger.PRE_DEBIT},
                Offset.hours(72), Offset.hours(24), BLOCKS, date(2021, 10, 1),
            ),
            (
                "de.cancel_button", "DE", {NoticeTrigger.CANCEL_RECEIPT},
                Offset.hours(0), Offset.hours(0), FLAG, date(2022, 7, 1),
            ),
            (
                "eu.withdrawal_function", "EU", {NoticeTrigger.WITHDRAWAL_RECEIPT},
                Offset.hours(0), Offset.hours(0), FLAG, date(2026, 6, 19),
            ),
            (
                "fr.tacit_renewal", "FR", {NoticeTrigger.TERM_END},
                Offset.months(3), Offset.months(1), FLAG, date(2016, 7, 1),
            ),
            ("visa.trial_reminder", "", OFFER_ENDS, Offset.days(10), Offset.days(7), FLAG, date(2020, 4, 18)),
        ],
    )  # fmt: skip
    def test_a_notice_has_the_window_effect_and_first_day_of_its_law(
        self, id, place, triggers, earliest, latest, effect, valid_from
    ):
        (row,) = (rule for rule in NOTICE_RULES if rule.id == id)
        assert (row.jurisdiction, row.triggers) == (place, triggers)
        assert (row.earliest, row.latest, row.effect, row.valid_from) == (earliest, latest, effect, valid_from)

    @pytest.mark.proves("NOT-1")
    def test_whom_a_notice_concerns_is_what_its_law_says(self):
        applies = {rule.id: rule.applies for rule in NOTICE_RULES}
        assert applies == {
            "us_ca.annual_renewal": Applies(initial_months=12, renewal_over_months=1, consumers_only=True),
            "us_ca.trial_end": Applies(trial_over_days=31, consumers_only=True),
            "us_ca.price_change": Applies(consumers_only=True),
            "us_ca.annual_reminder": Applies(renews=True, consumers_only=True),
            "in.pre_debit": Applies(methods=frozenset({"card", "upi"})),
            "de.cancel_button": Applies(consumers_only=True),
            "eu.withdrawal_function": Applies(consumers_only=True),
            "fr.tacit_renewal": Applies(renews=True, consumers_only=True),
            "visa.trial_reminder": Applies(methods=frozenset({"card"})),
        }

    @pytest.mark.proves("NOT-1")
    def test_customers_may_leave_at_any_time_where_these_were_missed(self):
        assert {rule.id for rule in NOTICE_RULES if rule.missed_frees} == {"de.cancel_button", "fr.tacit_renewal"}

    @pytest.mark.proves("NOT-5")
    def test_every_notice_says_what_it_is_about(self):
        for rule in NOTICE_RULES:
            if rule.triggers & {NoticeTrigger.CANCEL_RECEIPT, NoticeTrigger.WITHDRAWAL_RECEIPT}:
                assert rule.facts == {NoticeFact.STATEMENT, NoticeFact.RECEIVED_AT}
            else:
                assert NoticeFact.HOW_TO_CANCEL in rule.facts
        (price,) = (rule for rule in NOTICE_RULES if rule.id == "us_ca.price_change")
        assert {NoticeFact.PRICE_BEFORE, NoticeFact.PRICE_AFTER} <= price.facts
        (annual,) = (rule for rule in NOTICE_RULES if rule.id == "us_ca.annual_reminder")
        assert {NoticeFact.PRODUCT, NoticeFact.AMOUNT, NoticeFact.INTERVAL} <= annual.facts

    @pytest.mark.proves("NOT-1")
    @pytest.mark.parametrize("row", LAWS, ids=lambda row: row.id)
    def test_every_row_says_where_it_stands_and_when_somebody_looked(self, row):
        assert row.law
        assert row.source
        assert row.valid_from <= row.reviewed_on

    @pytest.mark.proves("NOT-1")
    @pytest.mark.parametrize("row", NOTICE_RULES, ids=lambda row: row.id)
    def test_a_row_is_data_that_can_be_written_down_and_read_again(self, row):
        assert serial.load(type(row), serial.dump(row)) == row

    def test_no_two_rows_have_one_name(self):
        assert len({row.id for row in LAWS}) == len(LAWS) == 13


class TestWhere:
    @pytest.mark.proves("NOT-8")
    @pytest.mark.parametrize(
        ("place", "jurisdiction", "concerned"),
        [
            ("US-CA", "US-CA", True),
            ("US-CA", "US", True),
            ("US", "US-CA", False),
            ("US-NY", "US-CA", False),
            ("DE", "EU", True),
            ("DE-BY", "EU", True),
            ("GB", "EU", False),
            ("NO", "EU", False),
            ("", "EU", False),
            ("", "DE", False),
            ("", "", True),
            ("JP", "", True),
        ],
    )
    def test_a_rule_concerns_its_place_and_the_parts_of_it(self, place, jurisdiction, concerned):
        assert in_jurisdiction(place, jurisdiction) is concerned

    @pytest.mark.proves("NOT-8")
    @pytest.mark.parametrize(
        ("place", "on", "rows"),
        [
            ("US-CA", date(2025, 7, 1), EVIDENCE_RULES),
            ("US-CA", date(2025, 6, 30), ()),
            ("US-NY", date(2025, 7, 1), ()),
        ],
    )
    def test_rows_that_ask_for_no_notice_go_by_place_and_day_too(self, place, on, rows):
        assert in_force(EVIDENCE_RULES, place, on) == rows

    def test_the_union_has_27_members(self):
        assert len(EU_MEMBERS) == 27
        assert {len(code) for code in EU_MEMBERS} == {2}


class TestEvidence:
    @pytest.mark.proves("NOT-7")
    @pytest.mark.parametrize(
        ("accepted", "ended", "until"),
        [
            (date(2026, 1, 10), date(2026, 7, 10), date(2029, 1, 10)),
            (date(2026, 1, 10), date(2028, 1, 10), date(2029, 1, 10)),
            (date(2026, 1, 10), date(2028, 1, 11), date(2029, 1, 11)),
            (date(2028, 2, 29), date(2028, 3, 31), date(2031, 2, 28)),
            (date(2024, 6, 1), date(2028, 2, 29), date(2029, 2, 28)),
        ],
    )
    def test_consent_is_kept_three_years_or_one_after_the_end_whichever_is_later(self, accepted, ended, until):
        assert terms_evidence_until(accepted, ended, EVIDENCE_RULES) == until

    @pytest.mark.proves("NOT-7")
    def test_consent_is_kept_while_the_contract_runs_and_where_no_law_asks_until_it_ends(self):
        assert terms_evidence_until(date(2026, 1, 10), None, EVIDENCE_RULES) is None
        assert terms_evidence_until(date(2026, 1, 10), date(2027, 1, 10), ()) == date(2027, 1, 10)

    @pytest.mark.proves("NOT-7")
    @given(accepted=days, length=st.integers(0, 4000), years=st.integers(0, 10), after=st.integers(0, 10))
    def test_the_longest_of_several_rules_holds(self, accepted: date, length: int, years: int, after: int):
        ended = date.fromordinal(accepted.toordinal() + length)
        other = attrs.evolve(EVIDENCE, id="other", years_from_consent=years, years_after_end=after)
        alone = [terms_evidence_until(accepted, ended, [one]) for one in (EVIDENCE, other)]
        assert terms_evidence_until(accepted, ended, [EVIDENCE, other]) == max(day for day in alone if day)
        assert alone[1] == max(ended, add_months(accepted, 12 * years), add_months(ended, 12 * after))


class TestOtherRows:
    @pytest.mark.proves("NOT-1")
    def test_a_charge_above_15000_rupees_is_confirmed_by_the_customer(self):
        assert not step_up_needed(Money.of("15000", "INR"), STEP_UP_RULES)
        assert step_up_needed(Money.of("15000.01", "INR"), STEP_UP_RULES)
        assert not step_up_needed(Money.of("99999", "EUR"), STEP_UP_RULES)
        assert not step_up_needed(Money.of("99999", "INR"), ())
        assert (STEP_UP.jurisdiction, STEP_UP.valid_from) == ("IN", date(2022, 6, 16))

    @pytest.mark.proves("NOT-1")
    @pytest.mark.parametrize(
        ("initial", "renewal", "notice_days", "problems"),
        [
            (Interval.months(24), None, 28, 0),
            (Interval.years(2), None, 0, 0),
            (Interval.days(730), None, 0, 0),
            (Interval.months(25), None, 0, 1),
            (Interval.days(731), None, 0, 1),
            (Interval.months(12), Interval.months(12), 0, 1),
            (Interval.months(12), None, 29, 1),
            (Interval.years(3), Interval.years(1), 90, 3),
        ],
    )
    def test_a_german_contract_binds_for_24_months_and_then_runs_on_with_a_month_of_notice(
        self, initial, renewal, notice_days, problems
    ):
        found = renewal_term_problems(TERM, initial, renewal, notice_days)
        assert len(found) == problems
        assert all(problem.startswith("de.renewal_term: ") for problem in found)

    def test_the_german_rule_and_the_withdrawal_have_their_numbers(self):
        assert (TERM.initial_months, TERM.notice_months, TERM.valid_from) == (24, 1, date(2022, 3, 1))
        assert (WITHDRAWAL.days, WITHDRAWAL.uninformed_months) == (14, 12)
        assert (EVIDENCE.years_from_consent, EVIDENCE.years_after_end) == (3, 1)

    @pytest.mark.parametrize("wrong", [{"days": -1}, {"uninformed_months": -1}, {"law": ""}])
    def test_a_withdrawal_rule_has_no_negative_lengths_and_says_where_it_stands(self, wrong):
        with pytest.raises(BadPolicy):
            attrs.evolve(WITHDRAWAL, **wrong)

    def test_every_row_is_a_row_of_law(self):
        assert all(isinstance(row, LawRow) for row in LAWS)
