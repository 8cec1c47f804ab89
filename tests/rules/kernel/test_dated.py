from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.dated import (
    BadZone,
    DatedRule,
    HolidayCalendars,
    NoRuleForDate,
    RuleBook,
    WorkCalendar,
    due_at,
    establishment_zone,
    in_force,
    unverified_rules,
)
from shopaccounts.kernel.errors import BadPolicy, InvalidInput, Kind
from shopaccounts.kernel.time import DateOutOfRange, add_months, local_date, zone

NOON = datetime(2026, 8, 11, 12, tzinfo=UTC)
CHANGE = date(2026, 8, 11)
ONE_DAY = timedelta(days=1)


@attrs.frozen(kw_only=True)
class CallRule(DatedRule):
    """A rule on telephone calls, as a context would write it."""

    country: str = "FR"
    channel: str = "voice"
    opt_in: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        return (self.country, self.channel)


OPT_OUT = CallRule(rule_id="fr-calls-opt-out", valid_from=date(2016, 6, 1), valid_to=CHANGE, source="L223-1 old")
OPT_IN = CallRule(rule_id="fr-calls-opt-in", valid_from=CHANGE, source="L223-1 new", opt_in=True, verified=True)
GERMAN = CallRule(rule_id="de-calls", valid_from=date(2009, 8, 4), source="UWG 7", country="DE", opt_in=True)

days = st.dates(date(2000, 1, 1), date(2100, 12, 31))
near_days = st.dates(date(2026, 1, 1), date(2026, 3, 31))
calendars = st.builds(
    WorkCalendar,
    weekend=st.frozensets(st.integers(0, 6), max_size=6),
    holidays=st.frozensets(near_days, max_size=40),
)


def row(
    start: date, end: date | None = None, *, rule_id: str = "answer-in-a-month", source: str = "GDPR 12(3)"
) -> DatedRule:
    return DatedRule(rule_id=rule_id, source=source, valid_from=start, valid_to=end)


class TestDatedRules:
    @pytest.mark.proves("SHR-1")
    @pytest.mark.parametrize(
        ("on", "rule"), [(CHANGE - ONE_DAY, OPT_OUT), (CHANGE, OPT_IN), (date(2999, 1, 1), OPT_IN)]
    )
    def test_a_rule_holds_from_its_first_day_until_before_its_last(self, on, rule):
        assert in_force([OPT_IN, OPT_OUT], on) is rule

    @pytest.mark.proves("SHR-1")
    def test_a_day_without_a_rule_is_refused_and_says_which_question_and_day(self):
        day = date(2016, 5, 31)
        with pytest.raises(NoRuleForDate) as refused:
            in_force([OPT_OUT, OPT_IN], day, regime="FR/voice")
        assert (refused.value.regime, refused.value.date) == ("FR/voice", day)
        assert (refused.value.code, refused.value.kind) == ("privacy.no_rule_for_date", Kind.INVALID)

    @pytest.mark.proves("SHR-1")
    def test_two_rules_on_one_day_are_a_bad_policy(self):
        with pytest.raises(BadPolicy):
            in_force([OPT_OUT, attrs.evolve(OPT_IN, valid_from=CHANGE - ONE_DAY)], CHANGE - ONE_DAY)

    @pytest.mark.proves("SHR-1")
    @pytest.mark.parametrize("facts", [{"rule_id": ""}, {"source": ""}])
    def test_a_rule_has_a_name_and_a_source(self, facts):
        with pytest.raises(BadPolicy):
            row(CHANGE, **facts)

    @pytest.mark.proves("SHR-1")
    def test_a_rule_ends_after_it_begins(self):
        assert row(CHANGE, CHANGE + ONE_DAY).holds_on(CHANGE)
        with pytest.raises(BadPolicy):
            row(CHANGE, CHANGE)

    @pytest.mark.proves("SHR-1", "TIM-1")
    def test_a_rule_is_dated_and_asked_for_by_days(self):
        for wrong in (
            lambda: row(NOON),
            lambda: row(CHANGE, NOON),
            lambda: row(CHANGE).holds_on(NOON),
            lambda: in_force([OPT_IN], NOON),
        ):
            with pytest.raises(TypeError):
                wrong()

    @pytest.mark.proves("SHR-1")
    def test_a_rule_that_nobody_checked_works_and_is_listed(self):
        assert unverified_rules([OPT_OUT, OPT_IN, GERMAN]) == (OPT_OUT, GERMAN)
        assert in_force([GERMAN], CHANGE) is GERMAN


class TestRuleBooks:
    @pytest.mark.proves("SHR-1")
    def test_a_book_answers_by_key_and_day(self):
        book = RuleBook([GERMAN, OPT_IN, OPT_OUT])
        assert book.in_force(CHANGE, "FR", "voice").opt_in
        assert not book.in_force(CHANGE - ONE_DAY, "FR", "voice").opt_in
        assert book.in_force(CHANGE, "DE", "voice") is GERMAN
        assert book.rules == (GERMAN, OPT_IN, OPT_OUT)

    @pytest.mark.proves("SHR-1")
    def test_a_key_without_rules_is_refused(self):
        with pytest.raises(NoRuleForDate) as refused:
            RuleBook([GERMAN]).in_force(CHANGE, "IT", "voice")
        assert refused.value.regime == "IT/voice"

    @pytest.mark.proves("SHR-1")
    @pytest.mark.parametrize("end", [CHANGE + ONE_DAY, None])
    def test_rules_of_one_key_that_overlap_are_refused_when_the_book_is_made(self, end):
        overlapping = attrs.evolve(OPT_OUT, valid_to=end)
        with pytest.raises(BadPolicy, match="FR/voice overlap on 2026-08-11"):
            RuleBook([OPT_IN, overlapping])

    @pytest.mark.proves("SHR-1")
    def test_rules_of_different_keys_may_overlap(self):
        assert RuleBook([OPT_IN, GERMAN]).in_force(CHANGE, "DE", "voice") is GERMAN

    @pytest.mark.proves("SHR-1")
    def test_versions_under_one_name_follow_one_another(self):
        book = RuleBook([row(date(2026, 1, 1)), row(date(2018, 5, 25), date(2026, 1, 1))])
        assert book.in_force(date(2025, 12, 31), "answer-in-a-month").valid_from == date(2018, 5, 25)

    @pytest.mark.proves("SHR-1")
    def test_a_shop_adds_a_rule_and_replaces_the_one_of_the_same_name_and_first_day(self):
        book = RuleBook([OPT_OUT, OPT_IN])
        checked = attrs.evolve(OPT_OUT, verified=True)
        amended = book.amended(checked, GERMAN)
        assert amended.rules == (OPT_IN, checked, GERMAN)
        assert book.rules == (OPT_OUT, OPT_IN)

    @pytest.mark.proves("SHR-1")
    def test_an_amendment_that_overlaps_is_refused(self):
        with pytest.raises(BadPolicy):
            RuleBook([OPT_OUT, OPT_IN]).amended(attrs.evolve(OPT_IN, valid_from=CHANGE - ONE_DAY))

    @pytest.mark.proves("SHR-1")
    @given(st.lists(st.tuples(days, st.integers(1, 2000)), min_size=1, max_size=5), days)
    def test_a_book_that_was_made_never_has_two_rules_for_a_day(self, spans, on):
        rows = [row(start, start + length * ONE_DAY) for start, length in spans]
        holding = [rule for rule in rows if rule.valid_from <= on < (rule.valid_to or date.max)]
        if len(holding) > 1:
            with pytest.raises(BadPolicy):
                RuleBook(rows)
        elif len(rows) == 1 and holding:
            assert RuleBook(rows).in_force(on, "answer-in-a-month") is holding[0]


class TestWorkCalendars:
    @pytest.mark.proves("SHR-2")
    def test_saturday_and_sunday_are_no_working_days_and_a_working_day_is_its_own_next(self):
        calendar = WorkCalendar()
        assert [calendar.is_working_day(date(2027, 5, day)) for day in range(1, 8)] == [False] * 2 + [True] * 5
        assert calendar.next_working_day(date(2027, 5, 1)) == date(2027, 5, 3)
        assert calendar.next_working_day(date(2027, 5, 3)) == date(2027, 5, 3)

    @pytest.mark.proves("SHR-2")
    def test_a_holiday_is_no_working_day(self):
        calendar = WorkCalendar(holidays=frozenset({date(2027, 5, 3)}))
        assert calendar.next_working_day(add_months(date(2027, 4, 1), 1)) == date(2027, 5, 4)

    @pytest.mark.proves("SHR-2")
    def test_the_weekend_is_the_regions_own(self):
        gulf = WorkCalendar(weekend=frozenset({4, 5}))
        assert gulf.next_working_day(date(2027, 4, 30)) == date(2027, 5, 2)

    @pytest.mark.proves("SHR-2")
    @pytest.mark.parametrize(
        ("day", "count", "result"),
        [
            (date(2027, 6, 28), 10, date(2027, 7, 13)),
            (date(2027, 6, 28), 15, date(2027, 7, 20)),
            (date(2027, 6, 28), 1, date(2027, 6, 29)),
            (date(2027, 6, 28), 0, date(2027, 6, 28)),
            (date(2027, 6, 26), 1, date(2027, 6, 28)),
        ],
    )
    def test_the_day_itself_does_not_count(self, day, count, result):
        assert WorkCalendar(holidays=frozenset({date(2027, 7, 5)})).add_working_days(day, count) == result

    @pytest.mark.proves("SHR-2")
    def test_working_days_are_counted_forward(self):
        with pytest.raises(InvalidInput):
            WorkCalendar().add_working_days(date(2027, 6, 28), -1)

    @pytest.mark.proves("SHR-2")
    @pytest.mark.parametrize("weekend", [frozenset(range(7)), frozenset({7}), frozenset({-1, 5})])
    def test_a_weekend_is_days_of_the_week_and_leaves_one_to_work(self, weekend):
        with pytest.raises(BadPolicy):
            WorkCalendar(weekend=weekend)

    @pytest.mark.proves("SHR-2")
    def test_without_holidays_a_reader_is_told_so(self):
        assert WorkCalendar(region="DE-BY").explanation == "no holiday calendar for DE-BY"
        assert WorkCalendar().explanation == "no holiday calendar"
        assert not WorkCalendar(region="DE-BY", holidays=frozenset({date(2027, 5, 3)})).explanation

    @pytest.mark.proves("SHR-2")
    @given(calendars, near_days, near_days, st.integers(0, 30))
    def test_another_holiday_never_makes_a_date_earlier(self, calendar, holiday, day, count):
        more = attrs.evolve(calendar, holidays=calendar.holidays | {holiday})
        assert more.next_working_day(day) >= calendar.next_working_day(day)
        assert more.add_working_days(day, count) >= calendar.add_working_days(day, count)

    @pytest.mark.proves("SHR-2")
    @given(calendars, near_days, st.integers(1, 30))
    def test_so_many_working_days_on_there_are_so_many_working_days_in_between(self, calendar, day, count):
        last = calendar.add_working_days(day, count)
        passed = [day + n * ONE_DAY for n in range(1, (last - day).days + 1)]
        assert calendar.is_working_day(last)
        assert sum(calendar.is_working_day(passed_day) for passed_day in passed) == count

    @pytest.mark.proves("SHR-2", "TIM-1")
    @pytest.mark.parametrize(
        "ask",
        [
            WorkCalendar().is_working_day,
            WorkCalendar().next_working_day,
            lambda day: WorkCalendar().add_working_days(day, 0),
        ],
        ids=["is_working_day", "next_working_day", "add_working_days"],
    )
    def test_a_working_day_is_a_day(self, ask: Callable[[date], object]):
        with pytest.raises(TypeError):
            ask(NOON)

    @pytest.mark.proves("SHR-2")
    def test_at_the_end_of_the_calendar_there_is_no_next_working_day(self):
        last_friday = WorkCalendar(holidays=frozenset({date.max}))
        with pytest.raises(DateOutOfRange):
            last_friday.next_working_day(date.max)

    @pytest.mark.proves("SHR-2")
    def test_holidays_come_from_outside(self):
        class Listed:
            def between(self, region: str, first: date, last: date) -> frozenset[date]:
                return frozenset(
                    day for day in (date(2027, 5, 1), date(2027, 12, 25)) if region and first <= day <= last
                )

        listed: HolidayCalendars = Listed()
        assert listed.between("DE", date(2027, 5, 1), date(2027, 6, 1)) == frozenset({date(2027, 5, 1)})


class TestEndOfDay:
    @pytest.mark.proves("SHR-7")
    @pytest.mark.parametrize(
        ("name", "due", "instant"),
        [
            ("Europe/Madrid", date(2027, 5, 3), "2027-05-03T22:00"),
            ("Europe/Madrid", date(2027, 1, 31), "2027-01-31T23:00"),
            ("America/Sao_Paulo", date(2027, 5, 3), "2027-05-04T03:00"),
            ("America/Santiago", date(2024, 9, 7), "2024-09-08T04:00"),
            ("UTC", date(2027, 5, 3), "2027-05-04T00:00"),
        ],
    )
    def test_a_deadline_passes_when_the_next_day_begins_where_the_shop_is(self, name, due, instant):
        assert due_at(due, establishment_zone(name)) == datetime.fromisoformat(instant).replace(tzinfo=UTC)

    @pytest.mark.proves("SHR-7")
    @given(days, st.sampled_from(["Europe/Madrid", "Asia/Tokyo", "America/St_Johns", "Africa/Casablanca"]))
    def test_the_last_moment_in_time_is_on_the_last_day(self, due, name):
        place = establishment_zone(name)
        passed = due_at(due, place)
        assert local_date(passed - timedelta(microseconds=1), place) == due < local_date(passed, place)

    @pytest.mark.proves("SHR-7")
    @pytest.mark.parametrize("name", ["+02:00", "-00:00", "CEST", "Europe/Atlantis", "localtime", ""])
    def test_an_offset_or_an_unknown_name_is_no_place(self, name):
        with pytest.raises(BadZone) as refused:
            establishment_zone(name)
        assert refused.value.value == name
        assert (refused.value.code, refused.value.kind) == ("consent.bad_zone", Kind.INVALID)

    @pytest.mark.proves("SHR-7")
    def test_no_deadline_ends_by_a_bare_offset(self):
        with pytest.raises(BadZone):
            due_at(CHANGE, zone("+02:00"))

    @pytest.mark.proves("SHR-7", "TIM-1")
    def test_a_deadline_is_a_day_of_the_calendar(self):
        with pytest.raises(TypeError):
            due_at(NOON, zone("Europe/Madrid"))
        with pytest.raises(DateOutOfRange):
            due_at(date.max, zone("Europe/Madrid"))
