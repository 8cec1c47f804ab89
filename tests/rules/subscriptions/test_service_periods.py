from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Cycle, Interval, Period
from shopaccounts.kernel.time import DateOutOfRange, InvalidDateSequence, zone
from shopaccounts.subscriptions.cycles.schedules import (
    BillingDay,
    BillingMode,
    CalendarDay,
    DayOfMonth,
    GridDate,
    Schedule,
    ServicePeriod,
    StartDay,
    Weekday,
    elapsed_cycles,
    open_cycle,
    period_billed_at,
    periods_due,
    service_period,
)

BERLIN = zone("Europe/Berlin")
KWAJALEIN = zone("Pacific/Kwajalein")
MONTHLY, QUARTERLY, YEARLY = Interval.months(1), Interval.quarters(1), Interval.years(1)
DAILY = Interval.days(1)
ADVANCE, ARREARS = BillingMode.IN_ADVANCE, BillingMode.IN_ARREARS
NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)

days = st.dates(date(1971, 1, 1), date(2200, 12, 31))
intervals = st.one_of(
    st.integers(1, 60).map(Interval.months),
    st.integers(1, 5).map(Interval.years),
    st.integers(1, 400).map(Interval.days),
    st.integers(1, 60).map(Interval.weeks),
)


def billing_days(interval: Interval) -> st.SearchStrategy[BillingDay]:
    everywhere = st.one_of(st.just(StartDay()), st.just(CalendarDay()), days.map(GridDate))
    if interval.total_months:
        return everywhere | st.integers(1, 31).map(DayOfMonth)
    if interval.total_days % 7 == 0 and interval.unit.name == "WEEK":
        return everywhere | st.integers(1, 7).map(Weekday)
    return everywhere


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Draw a schedule of any interval and billing day, with an end within four years, or none."""
    interval, start = draw(intervals), draw(days)
    cycle = open_cycle(start, interval, draw(billing_days(interval)), zone=BERLIN)
    length = draw(st.none() | st.integers(0, 1500))
    return Schedule(cycle, start, None if length is None else start + timedelta(days=length))


def schedule(start: date, interval: Interval, day: BillingDay, end: date | None = None) -> Schedule:
    return Schedule(open_cycle(start, interval, day, zone=BERLIN), start, end)


def spans(periods: tuple[ServicePeriod, ...]) -> list[tuple[str, str]]:
    return [(period.start.isoformat()[5:], period.end.isoformat()[5:]) for period in periods]


class TestServicePeriods:
    @pytest.mark.proves("SCH-3")
    def test_a_stub_is_found_by_the_grid_and_not_by_counting_back_from_a_short_month(self):
        found = schedule(date(2029, 2, 11), MONTHLY, DayOfMonth(30))
        stub, whole = service_period(found, 0), service_period(found, 1)
        assert (stub.start, stub.end) == (date(2029, 2, 11), date(2029, 2, 28))
        assert (stub.nominal.start, stub.nominal.end, stub.nominal.days) == (date(2029, 1, 30), date(2029, 2, 28), 29)
        assert (whole.start, whole.end) == (date(2029, 2, 28), date(2029, 3, 30))
        assert [stub.is_stub, whole.is_stub] == [True, False]
        assert [stub.index, whole.index] == [0, 1]

    @pytest.mark.proves("SCH-4")
    @pytest.mark.parametrize(
        ("interval", "day", "end", "part", "whole"),
        [
            (MONTHLY, DayOfMonth(5), date(2029, 4, 5), 18, 31),
            (MONTHLY, DayOfMonth(25), date(2029, 3, 25), 7, 28),
            (QUARTERLY, DayOfMonth(5), date(2029, 6, 5), 79, 92),
            (YEARLY, DayOfMonth(5), date(2030, 3, 5), 352, 365),
        ],
    )
    def test_a_stub_has_so_many_days_of_its_nominal_period(self, interval, day, end, part, whole):
        stub = service_period(schedule(date(2029, 3, 18), interval, day), 0)
        assert (stub.end, (stub.end - stub.start).days, stub.nominal.days) == (end, part, whole)
        assert stub.is_stub
        assert not stub.is_moved

    @pytest.mark.proves("SCH-3")
    @given(schedules(), st.integers(0, 30))
    def test_period_i_lies_in_the_cycles_period_that_is_i_after_that_of_the_start(self, drawn, index):
        endless = Schedule(drawn.cycle, drawn.start)
        period = service_period(endless, index)
        assert period.nominal == drawn.cycle.period(drawn.cycle.index_on(drawn.start) + index)
        assert period.nominal.start <= period.start < period.end == period.nominal.end
        assert period.is_stub == (index == 0 and drawn.cycle.boundary_on_or_after(drawn.start) != drawn.start)

    @pytest.mark.proves("SCH-3")
    @pytest.mark.parametrize("index", [3, 90_000])
    def test_a_period_costs_the_same_near_and_far(self, index):
        daily = schedule(date(2029, 3, 18), DAILY, StartDay())
        with patch.object(Cycle, "boundary", autospec=True, side_effect=Cycle.boundary) as boundary:
            assert service_period(daily, index).start == date(2029, 3, 18) + timedelta(days=index)
        assert boundary.call_count == 2

    @pytest.mark.proves("SCH-5")
    def test_the_end_cuts_the_last_period(self):
        ending = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5), end=date(2026, 5, 20))
        last = service_period(ending, 2)
        assert (last.start, last.end) == (date(2026, 5, 5), date(2026, 5, 20))
        assert last.nominal == Period(2, date(2026, 5, 5), date(2026, 6, 5))
        assert last.is_stub
        assert not service_period(ending, 1).is_stub

    @pytest.mark.proves("SCH-5")
    def test_an_end_on_a_boundary_leaves_the_last_period_whole(self):
        ending = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5), end=date(2026, 5, 5))
        assert not service_period(ending, 1).is_stub
        assert [len(periods_due(ending, date(2026, 8, 1), mode)) for mode in BillingMode] == [2, 2]
        with pytest.raises(InvalidDateSequence):
            service_period(ending, 2)

    @pytest.mark.proves("SCH-3", "SCH-5")
    @pytest.mark.parametrize("index", [-1, -40, 3, 40])
    def test_there_is_no_period_before_the_start_or_after_the_end(self, index):
        ending = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5), end=date(2026, 5, 20))
        with pytest.raises(InvalidDateSequence):
            service_period(ending, index)

    @pytest.mark.proves("SCH-3")
    @pytest.mark.parametrize("index", [True, 1.0, "1", None])
    def test_the_number_of_a_period_is_an_int(self, index):
        with pytest.raises(TypeError, match="an int"):
            service_period(schedule(date(2026, 3, 18), MONTHLY, StartDay()), index)

    @pytest.mark.proves("SCH-3")
    def test_a_period_beyond_the_calendar_is_refused(self):
        with pytest.raises(DateOutOfRange):
            service_period(schedule(date(2026, 3, 18), MONTHLY, StartDay()), 10**6)

    @pytest.mark.proves("SCH-5")
    def test_a_schedule_that_ends_before_it_starts_is_refused(self):
        with pytest.raises(InvalidDateSequence) as refused:
            schedule(date(2026, 3, 18), MONTHLY, StartDay(), end=date(2026, 3, 17))
        assert (refused.value.start, refused.value.end) == (date(2026, 3, 18), date(2026, 3, 17))

    @pytest.mark.proves("SCH-5")
    def test_a_schedule_is_made_of_a_cycle_and_days(self):
        cycle = open_cycle(date(2026, 5, 5), MONTHLY, StartDay(), zone=BERLIN)
        for wrong in (
            lambda: Schedule(cycle, NOON),
            lambda: Schedule(cycle, date(2026, 5, 5), NOON),
            lambda: Schedule(MONTHLY, date(2026, 5, 5)),  # type: ignore[arg-type]
        ):
            with pytest.raises(TypeError):
                wrong()


class TestWhatIsDue:
    TO_MAY = date(2026, 5, 5)

    @pytest.mark.proves("SCH-6")
    def test_in_advance_every_period_that_has_begun_is_due(self):
        monthly = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5))
        due = periods_due(monthly, self.TO_MAY, ADVANCE)
        assert spans(due) == [("03-18", "04-05"), ("04-05", "05-05"), ("05-05", "06-05")]
        assert periods_due(monthly, date(2026, 5, 4), ADVANCE) == due[:2]
        assert due == tuple(service_period(monthly, index) for index in range(3))

    @pytest.mark.proves("SCH-6")
    def test_in_arrears_every_period_that_has_ended_is_due(self):
        monthly = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5))
        due = periods_due(monthly, self.TO_MAY, ARREARS)
        assert spans(due) == [("03-18", "04-05"), ("04-05", "05-05")]
        assert periods_due(monthly, date(2026, 5, 4), ARREARS) == due[:1]
        assert periods_due(monthly, date(2026, 3, 18), ARREARS) == ()

    @pytest.mark.proves("SCH-6")
    @pytest.mark.parametrize("mode", BillingMode)
    @pytest.mark.parametrize("target", [date(2026, 5, 20), date(2036, 1, 1)])
    def test_a_last_period_that_the_end_cuts_is_due_in_both_modes(self, mode, target):
        ending = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5), end=date(2026, 5, 20))
        assert spans(periods_due(ending, target, mode))[2:] == [("05-05", "05-20")]

    @pytest.mark.proves("SCH-6")
    def test_in_arrears_the_last_period_is_not_due_before_the_end(self):
        ending = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5), end=date(2026, 5, 20))
        assert len(periods_due(ending, date(2026, 5, 19), ARREARS)) == 2

    @pytest.mark.proves("SCH-5", "SCH-6")
    @pytest.mark.parametrize("mode", BillingMode)
    @pytest.mark.parametrize("day", [StartDay(), DayOfMonth(5), DayOfMonth(18)])
    def test_a_service_that_ends_on_the_day_it_starts_has_no_periods(self, mode, day):
        empty = schedule(date(2026, 3, 18), MONTHLY, day, end=date(2026, 3, 18))
        assert periods_due(empty, date(2026, 8, 1), mode) == ()
        assert elapsed_cycles(empty, date(2026, 8, 1)) == 0

    @pytest.mark.proves("SCH-6")
    @pytest.mark.parametrize("end", [None, date(2026, 5, 20)])
    def test_asking_for_a_day_before_the_start_is_refused(self, end):
        monthly = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5), end)
        with pytest.raises(InvalidDateSequence) as refused:
            periods_due(monthly, date(2026, 3, 17), ADVANCE)
        assert (refused.value.start, refused.value.target) == (date(2026, 3, 18), date(2026, 3, 17))
        assert refused.value.end == (end or date(2026, 3, 17))

    @pytest.mark.proves("SCH-6")
    def test_due_is_asked_with_a_day_and_a_mode(self):
        monthly = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5))
        for wrong in (
            lambda: periods_due(monthly, NOON, ADVANCE),
            lambda: periods_due(monthly, self.TO_MAY, "in_advance"),  # type: ignore[arg-type]
            lambda: elapsed_cycles(monthly, NOON),
        ):
            with pytest.raises(TypeError):
                wrong()

    @pytest.mark.proves("SCH-6")
    @pytest.mark.parametrize("mode", BillingMode)
    def test_a_day_that_never_was_is_not_due(self, mode):
        daily = Schedule(open_cycle(date(1993, 8, 19), DAILY, StartDay(), zone=KWAJALEIN), date(1993, 8, 19))
        due = periods_due(daily, date(1993, 8, 23), mode)
        assert [period.start.day for period in due][:4] == [19, 20, 22, 23][: 4 if mode is ADVANCE else 3]
        assert [period.index for period in due][:3] == [0, 1, 3]

    @pytest.mark.proves("SCH-6")
    @given(schedules(), st.integers(0, 1500))
    def test_what_is_due_is_what_has_begun_or_ended(self, drawn, after):
        target = drawn.start + timedelta(days=after)
        begun, ended = periods_due(drawn, target, ADVANCE), periods_due(drawn, target, ARREARS)
        assert all(period.start <= target for period in begun)
        assert all(period.end <= target for period in ended)
        assert begun[: len(ended)] == ended
        assert len(begun) - len(ended) in {0, 1}
        if drawn.end is None or target < drawn.end:
            assert begun[-1].start <= target < begun[-1].end
        else:
            assert begun == ended

    @pytest.mark.proves("SCH-7")
    def test_a_stub_at_the_start_counts_as_a_cycle(self):
        monthly = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5))
        targets = [date(2026, 4, 4), date(2026, 4, 5), date(2026, 5, 4), date(2026, 5, 5)]
        assert [elapsed_cycles(monthly, target) for target in targets] == [0, 1, 1, 2]

    @pytest.mark.proves("SCH-7")
    def test_nothing_has_elapsed_before_the_start(self):
        monthly = schedule(date(2026, 3, 18), MONTHLY, DayOfMonth(5))
        assert [elapsed_cycles(monthly, day) for day in (date(2020, 1, 1), date(2026, 3, 18))] == [0, 0]

    @pytest.mark.proves("SCH-7")
    @given(schedules(), st.integers(-100, 1500))
    def test_as_many_cycles_have_elapsed_as_periods_have_ended(self, drawn, after):
        target = drawn.start + timedelta(days=after)
        ended = periods_due(drawn, target, ARREARS) if after >= 0 else ()
        assert elapsed_cycles(drawn, target) == len(ended)

    @pytest.mark.proves("SCH-6")
    def test_the_period_that_is_billed_now_is_the_cycles_own(self):
        cycle = open_cycle(date(2026, 3, 18), MONTHLY, DayOfMonth(5), zone=BERLIN)
        assert period_billed_at(cycle, NOON, ADVANCE).start == date(2026, 5, 5)


class TestLaws:
    @pytest.mark.proves("SCH-3", "SCH-5")
    @given(schedules())
    def test_periods_touch_do_not_overlap_and_cover_the_service(self, drawn):
        last_day = drawn.end or drawn.start + timedelta(days=1500)
        periods = periods_due(drawn, last_day, ADVANCE)
        if drawn.end == drawn.start:
            assert periods == ()
            return
        assert periods[0].start == drawn.start
        assert all(earlier.end == later.start for earlier, later in pairwise(periods))
        assert all(period.start < period.end for period in periods)
        assert [period.index for period in periods] == list(range(len(periods)))
        assert periods[-1].end == drawn.end if drawn.end else periods[-1].end > last_day

    @pytest.mark.proves("SCH-3")
    @given(schedules(), st.integers(-200, 200))
    def test_a_boundary_is_where_its_period_begins_and_later_boundaries_are_later(self, drawn, n):
        cycle = drawn.cycle
        boundary = cycle.boundary(n)
        assert cycle.boundary(n + 1) > boundary
        assert cycle.index_on(boundary) == n
        assert cycle.index_on(boundary - timedelta(days=1)) == n - 1
