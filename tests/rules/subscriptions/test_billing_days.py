from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Anchor, Interval, Unit
from shopaccounts.kernel.time import DateOutOfRange, add_months, days_in_month, zone
from shopaccounts.serial import dump, load
from shopaccounts.subscriptions.cycles.schedules import (
    CalendarDay,
    DayOfMonth,
    DayOfYear,
    GridDate,
    StartDay,
    Weekday,
    first_boundary,
    open_cycle,
)
from shopaccounts.subscriptions.errors import BadPlan

BERLIN = zone("Europe/Berlin")
MONTHLY, QUARTERLY, YEARLY = Interval.months(1), Interval.quarters(1), Interval.years(1)
WEEKLY, DAILY = Interval.weeks(1), Interval.days(1)
MIDDLE_OF_MARCH = date(2029, 3, 18)
TUESDAY = date(2029, 8, 14)
NOON = datetime(2029, 1, 31, 12, tzinfo=UTC)

days = st.dates(date(1900, 1, 1), date(2200, 12, 31))
months = st.one_of(st.integers(1, 120).map(Interval.months), st.integers(1, 10).map(Interval.years))


def first(start, interval, day, **options):
    return first_boundary(start, interval, day, zone=BERLIN, **options)


def following(start, interval, day, **options):
    """The two first boundaries on or after the start."""
    cycle = open_cycle(start, interval, day, zone=BERLIN, **options)
    boundary = cycle.boundary_on_or_after(start)
    return boundary, cycle.next_boundary(boundary)


class TestTheStartDay:
    @pytest.mark.proves("SCH-1")
    @given(days, st.sampled_from(Unit), st.integers(1, 9))
    def test_a_plan_that_bills_from_the_start_has_no_stub(self, start, unit, count):
        assert first(start, Interval(count, unit), StartDay()) == start

    @pytest.mark.proves("SCH-1")
    def test_who_starts_on_the_31st_pays_on_the_31st_again_after_a_short_month(self):
        cycle = open_cycle(date(2029, 1, 31), MONTHLY, StartDay(), zone=BERLIN)
        assert [cycle.boundary(n).day for n in range(4)] == [31, 28, 31, 30]

    @pytest.mark.proves("SCH-1")
    def test_a_cycle_has_the_zone_and_the_wall_time_that_are_asked_for(self):
        cycle = open_cycle(date(2029, 1, 31), MONTHLY, StartDay(), zone=BERLIN, at=time(9))
        assert cycle.anchor == Anchor(year=2029, month=1, day=31, at=time(9), zone=BERLIN)


class TestDaysOfTheMonthAndYear:
    @pytest.mark.proves("SCH-1", "SCH-4")
    @pytest.mark.parametrize(
        ("interval", "day", "boundary"),
        [
            (MONTHLY, DayOfMonth(5), date(2029, 4, 5)),
            (MONTHLY, DayOfMonth(25), date(2029, 3, 25)),
            (QUARTERLY, DayOfMonth(5), date(2029, 6, 5)),
            (YEARLY, DayOfMonth(5), date(2030, 3, 5)),
            (MONTHLY, DayOfMonth(18), date(2029, 3, 18)),
            (YEARLY, DayOfYear(3, 5), date(2030, 3, 5)),
            (YEARLY, DayOfYear(5, 31), date(2029, 5, 31)),
            (QUARTERLY, DayOfYear(2, 15), date(2029, 5, 15)),
            (QUARTERLY, DayOfYear(11, 15), date(2029, 5, 15)),
        ],
    )
    def test_a_day_that_has_gone_by_comes_again_one_whole_interval_later(self, interval, day, boundary):
        assert first(MIDDLE_OF_MARCH, interval, day) == boundary

    @pytest.mark.proves("SCH-1")
    def test_a_day_that_the_month_has_not_got_is_its_last_day_and_itself_in_longer_months(self):
        assert following(date(2029, 2, 28), MONTHLY, DayOfMonth(31)) == (date(2029, 2, 28), date(2029, 3, 31))
        assert following(date(2029, 1, 1), YEARLY, DayOfYear(2, 31)) == (date(2029, 2, 28), date(2030, 2, 28))

    @pytest.mark.proves("SCH-1")
    @given(days, st.integers(1, 31), months)
    def test_the_first_boundary_is_in_the_starts_month_or_one_interval_later(self, start, day, interval):
        this_month = add_months(start, 0, anchor_day=day)
        later = add_months(start, interval.total_months, anchor_day=day)
        assert first(start, interval, DayOfMonth(day)) == (this_month if this_month >= start else later)

    @pytest.mark.proves("SCH-1")
    @given(days, st.integers(1, 12), st.integers(1, 31))
    def test_a_day_of_the_year_is_in_this_year_or_the_next(self, start, month, day):
        boundary = first(start, YEARLY, DayOfYear(month, day))
        assert boundary.month == month
        assert boundary.day == min(day, days_in_month(boundary.year, month))
        assert boundary >= start
        assert open_cycle(start, YEARLY, DayOfYear(month, day), zone=BERLIN).boundary(0).year == start.year

    @pytest.mark.proves("SCH-2")
    @pytest.mark.parametrize("interval", [DAILY, WEEKLY])
    @pytest.mark.parametrize("day", [DayOfMonth(5), DayOfYear(3, 5)])
    def test_a_plan_by_the_day_or_week_has_no_day_of_the_month(self, interval, day):
        with pytest.raises(BadPlan) as refused:
            first(MIDDLE_OF_MARCH, interval, day)
        assert "needs an interval of months or years" in refused.value.problem

    @pytest.mark.proves("SCH-2")
    @pytest.mark.parametrize("interval", [DAILY, MONTHLY, YEARLY])
    def test_only_a_plan_by_the_week_has_a_weekday(self, interval):
        with pytest.raises(BadPlan) as refused:
            first(MIDDLE_OF_MARCH, interval, Weekday(1))
        assert refused.value.problem.endswith("needs an interval of weeks")


class TestWeekdays:
    @pytest.mark.proves("SCH-1")
    def test_the_first_such_weekday_on_or_after_the_start_is_the_first_boundary(self):
        assert first(TUESDAY, WEEKLY, Weekday(2)) == TUESDAY
        assert first(TUESDAY, WEEKLY, Weekday(1)) == date(2029, 8, 20)
        assert first(TUESDAY, WEEKLY, Weekday(7)) == date(2029, 8, 19)

    @pytest.mark.proves("SCH-1")
    def test_several_weeks_count_from_it(self):
        assert following(TUESDAY, Interval.weeks(3), Weekday(1)) == (date(2029, 8, 20), date(2029, 9, 10))

    @pytest.mark.proves("SCH-1")
    @given(days, st.integers(1, 7), st.integers(1, 520))
    def test_it_is_never_a_week_away(self, start, weekday, weeks):
        boundary = first(start, Interval.weeks(weeks), Weekday(weekday))
        assert boundary.isoweekday() == weekday
        assert 0 <= (boundary - start).days < 7

    @pytest.mark.proves("SCH-1")
    def test_a_weekday_after_the_end_of_the_calendar_is_refused(self):
        assert first(date.max, WEEKLY, Weekday(5)) == date.max
        with pytest.raises(DateOutOfRange):
            first(date.max, WEEKLY, Weekday(6))


class TestDatesAgreedOn:
    @pytest.mark.proves("SCH-1")
    @pytest.mark.parametrize("on", [date(2029, 1, 10), date(2029, 3, 20), date(2031, 11, 10)])
    def test_a_date_fixes_the_grid_before_and_after_it(self, on):
        boundary = first(MIDDLE_OF_MARCH, Interval.days(10), GridDate(on))
        assert (boundary - on).days % 10 == 0
        assert 0 <= (boundary - MIDDLE_OF_MARCH).days < 10

    @pytest.mark.proves("SCH-1")
    def test_boundaries_before_a_date_in_the_future_count_too(self):
        assert first(MIDDLE_OF_MARCH, QUARTERLY, GridDate(date(2031, 11, 10))) == date(2029, 5, 10)
        assert first(MIDDLE_OF_MARCH, Interval.weeks(2), GridDate(date(2029, 4, 4))) == date(2029, 3, 21)

    @pytest.mark.proves("SCH-1")
    def test_a_date_in_a_short_month_may_stand_for_a_later_day(self):
        end_of_february = date(2029, 2, 28)
        assert following(date(2029, 3, 1), MONTHLY, GridDate(end_of_february, day=31))[0] == date(2029, 3, 31)
        assert following(date(2029, 3, 1), MONTHLY, GridDate(end_of_february))[0] == date(2029, 3, 28)

    @pytest.mark.proves("SCH-1")
    @pytest.mark.parametrize(("on", "day"), [(date(2029, 2, 27), 31), (date(2029, 1, 30), 31), (date(2029, 1, 31), 30)])
    def test_a_day_that_does_not_fall_on_the_date_is_refused(self, on, day):
        with pytest.raises(BadPlan):
            GridDate(on, day=day)


class TestTheCalendar:
    @pytest.mark.proves("SCH-1", "SCH-4")
    @pytest.mark.parametrize(
        ("interval", "boundaries"),
        [
            (DAILY, (TUESDAY, date(2029, 8, 15))),
            (Interval.days(10), (TUESDAY, date(2029, 8, 24))),
            (WEEKLY, (date(2029, 8, 20), date(2029, 8, 27))),
            (Interval.weeks(3), (date(2029, 8, 20), date(2029, 9, 10))),
            (MONTHLY, (date(2029, 9, 1), date(2029, 10, 1))),
            (Interval.months(2), (date(2029, 9, 1), date(2029, 11, 1))),
            (QUARTERLY, (date(2029, 10, 1), date(2030, 1, 1))),
            (Interval.months(4), (date(2029, 9, 1), date(2030, 1, 1))),
            (Interval.half_years(1), (date(2030, 1, 1), date(2030, 7, 1))),
            (YEARLY, (date(2030, 1, 1), date(2031, 1, 1))),
            (Interval.months(5), (date(2029, 9, 1), date(2030, 2, 1))),
            (Interval.months(18), (date(2029, 9, 1), date(2031, 3, 1))),
            (Interval.years(2), (date(2030, 1, 1), date(2032, 1, 1))),
            (Interval.months(24), (date(2030, 1, 1), date(2032, 1, 1))),
        ],
    )
    def test_periods_change_when_calendars_do(self, interval, boundaries):
        assert following(TUESDAY, interval, CalendarDay()) == boundaries

    @pytest.mark.proves("SCH-1")
    @pytest.mark.parametrize("interval", [MONTHLY, YEARLY, Interval.months(5), Interval.years(2), WEEKLY])
    def test_who_starts_when_the_calendar_changes_has_no_stub(self, interval):
        new_year = date(2029, 1, 1)  # a Monday
        assert first(new_year, interval, CalendarDay()) == new_year

    @pytest.mark.proves("SCH-1")
    @pytest.mark.parametrize("month", range(1, 12))
    def test_months_that_do_not_divide_a_year_count_from_the_very_next_month(self, month):
        assert first(date(2029, month, 15), Interval.months(5), CalendarDay()) == date(2029, month + 1, 1)

    @pytest.mark.proves("SCH-1")
    def test_a_week_begins_on_monday_unless_the_shop_says_otherwise(self):
        assert first(TUESDAY, WEEKLY, CalendarDay(), week_start=7) == date(2029, 8, 19)
        with pytest.raises(BadPlan):
            first(TUESDAY, WEEKLY, CalendarDay(), week_start=0)


class TestWhatIsNoBillingDay:
    @pytest.mark.proves("SCH-1")
    @pytest.mark.parametrize(
        ("kind", "numbers"),
        [
            (DayOfMonth, (0,)),
            (DayOfMonth, (32,)),
            (DayOfYear, (0, 1)),
            (DayOfYear, (13, 1)),
            (DayOfYear, (1, 32)),
            (Weekday, (0,)),
            (Weekday, (8,)),
            (GridDate, (date(2029, 1, 31), 32)),
            (GridDate, (date(2029, 1, 31), 0)),
        ],
    )
    def test_a_day_that_no_calendar_has_is_refused(self, kind, numbers):
        with pytest.raises(BadPlan):
            kind(*numbers)

    @pytest.mark.proves("SCH-1")
    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            (DayOfMonth, (True,)),
            (DayOfMonth, (5.0,)),
            (DayOfYear, ("3", 1)),
            (DayOfYear, (3, False)),
            (Weekday, (None,)),
            (GridDate, (NOON,)),
            (GridDate, (date(2029, 1, 31), 31.0)),
        ],
    )
    def test_a_value_of_another_type_is_no_day(self, kind, values):
        with pytest.raises(TypeError):
            kind(*values)

    @pytest.mark.proves("SCH-1")
    def test_a_cycle_is_opened_on_a_day_with_a_billing_day(self):
        for wrong in (
            lambda: first(NOON, MONTHLY, StartDay()),
            lambda: first(date(2029, 1, 31), MONTHLY, 31),
            lambda: first(date(2029, 1, 31), WEEKLY, CalendarDay(), week_start=True),
        ):
            with pytest.raises(TypeError):
                wrong()

    @pytest.mark.proves("SCH-1")
    @pytest.mark.parametrize(
        "day",
        [StartDay(), DayOfMonth(31), DayOfYear(2, 29), Weekday(7), GridDate(date(2029, 2, 28), day=31), CalendarDay()],
    )
    def test_a_billing_day_is_stored_and_read(self, day):
        assert load(type(day), dump(day)) == day
