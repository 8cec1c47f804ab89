from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import (
    Anchor,
    BillingMode,
    Cycle,
    Interval,
    Period,
    Unit,
    adopt_cycle,
    period_billed_at,
    whole_periods,
)
from shopaccounts.kernel.time import (
    BadAnchor,
    BadInterval,
    DateOutOfRange,
    InvalidDateSequence,
    add_months,
    days_in_month,
    instant_of,
    local_date,
    start_of_day,
    zone,
)

UTC_ZONE = zone("UTC")
BERLIN = zone("Europe/Berlin")
KWAJALEIN = zone("Pacific/Kwajalein")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MONTHLY = Interval.months(1)
YEARLY = Interval.years(1)
DAILY = Interval.days(1)
ONE_DAY = timedelta(days=1)

monthly_intervals = st.one_of(st.integers(1, 120).map(Interval.months), st.integers(1, 10).map(Interval.years))
daily_intervals = st.one_of(st.integers(1, 3660).map(Interval.days), st.integers(1, 520).map(Interval.weeks))
intervals = st.one_of(monthly_intervals, daily_intervals)
zones = st.sampled_from(
    [UTC_ZONE, BERLIN, zone("America/St_Johns"), zone("Africa/Casablanca"), zone("+05:45"), KWAJALEIN]
)
days = st.dates(date(1900, 1, 1), date(2200, 12, 31))
wall_times = st.times().map(lambda at: at.replace(fold=0))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cycle_from(day: date, interval: Interval, at: time = time(0), name: str = "UTC") -> Cycle:
    return Cycle(Anchor.on(day, zone(name), at), interval)


@st.composite
def cycles(draw: st.DrawFn) -> Cycle:
    """Draw a cycle of any interval, with nominal days that the anchor's month need not have."""
    interval, start = draw(intervals), draw(days)
    day = draw(st.integers(1, 31)) if interval.total_months else start.day
    return Cycle(Anchor(year=start.year, month=start.month, day=day, at=draw(wall_times), zone=draw(zones)), interval)


class TestIntervals:
    @pytest.mark.proves("CYC-1")
    @pytest.mark.parametrize(("make", "longest"), [("days", 3660), ("weeks", 520), ("months", 120), ("years", 10)])
    def test_an_interval_is_at_least_one_and_at_most_ten_years(self, make, longest):
        interval = getattr(Interval, make)
        assert interval(1).count == 1
        assert interval(longest).count == longest
        for count in (0, -1, longest + 1):
            with pytest.raises(BadInterval):
                interval(count)

    @pytest.mark.proves("CYC-1")
    @pytest.mark.parametrize("count", [1.0, True, "1", None])
    def test_an_interval_counts_in_ints(self, count):
        with pytest.raises(TypeError, match="an int and a Unit"):
            Interval(count, Unit.DAY)

    @pytest.mark.proves("CYC-1")
    def test_an_interval_has_a_unit(self):
        with pytest.raises(TypeError, match="an int and a Unit"):
            Interval(1, "M")  # type: ignore[arg-type]

    @pytest.mark.proves("CYC-1")
    @pytest.mark.parametrize(
        ("text", "interval"),
        [
            ("P14D", Interval.days(14)),
            ("P2W", Interval.weeks(2)),
            ("P3M", Interval.quarters(1)),
            ("P6M", Interval.half_years(1)),
            ("P9M", Interval.quarters(3)),
            ("P10Y", Interval.years(10)),
        ],
    )
    def test_an_interval_is_read_from_the_durations_of_one_part(self, text, interval):
        assert Interval.parse(text) == interval

    @pytest.mark.proves("CYC-1")
    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                "P",
                "P1",
                "1M",
                "p1m",
                "P1m",
                "P0D",
                "P-1M",
                "P+1M",
                "P1.5M",
                "P1,5M",
                "P1M ",
                "P1M\n",
                " P1M",
                "P01M",
            ),
            *(
                "P1Y6M",
                "PT1H",
                "P1H",
                "P3661D",
                "P521W",
                "P121M",
                "P11Y",
                "P99999D",
                "P" + "9" * 10_000 + "D",
                "P\u0661M",
            ),
        ],
    )
    def test_no_other_text_is_an_interval(self, text):
        with pytest.raises(BadInterval):
            Interval.parse(text)

    @pytest.mark.proves("CYC-1")
    @given(intervals)
    def test_an_interval_is_written_as_it_is_read(self, interval):
        assert Interval.parse(str(interval)) == interval

    @pytest.mark.proves("CYC-1")
    @given(st.integers(1, 10), days, st.integers(-50, 50))
    def test_a_year_is_twelve_months(self, count, start, n):
        in_years, in_months = cycle_from(start, Interval.years(count)), cycle_from(start, Interval.months(12 * count))
        assert in_years.boundary(n) == in_months.boundary(n)


class TestAnchors:
    @pytest.mark.proves("CYC-2")
    def test_31_february_means_the_31st_or_the_last_day(self):
        cycle = Cycle(Anchor(year=2031, month=2, day=31, zone=UTC_ZONE), MONTHLY)
        assert [cycle.boundary(n) for n in range(4)] == [
            date(2031, 2, 28),
            date(2031, 3, 31),
            date(2031, 4, 30),
            date(2031, 5, 31),
        ]

    @pytest.mark.proves("CYC-2")
    @pytest.mark.parametrize(
        "wrong",
        [
            {"day": 0},
            {"day": 32},
            {"month": 0},
            {"month": 13},
            {"year": 0},
            {"year": 10_000},
            {"at": time(0, tzinfo=UTC)},
        ],
    )
    def test_an_anchor_outside_the_calendar_or_with_two_zones_is_refused(self, wrong):
        with pytest.raises(BadAnchor):
            Anchor(**{"year": 2031, "month": 2, "day": 31, "zone": UTC_ZONE} | wrong)

    @pytest.mark.proves("CYC-2")
    @pytest.mark.parametrize("interval", [DAILY, Interval.weeks(1)])
    def test_days_and_weeks_count_from_a_real_day(self, interval):
        anchor = Anchor(year=2031, month=2, day=29, zone=UTC_ZONE)
        with pytest.raises(BadAnchor) as refused:
            Cycle(anchor, interval)
        assert refused.value.value == "2031-02-29T00:00:00"

    @pytest.mark.proves("CYC-2")
    def test_an_anchor_on_a_real_day_takes_its_numbers(self):
        assert Anchor.on(date(2031, 5, 31), BERLIN, time(9)) == Anchor(
            year=2031, month=5, day=31, at=time(9), zone=BERLIN
        )

    @pytest.mark.proves("CYC-2", "TIM-1")
    def test_an_anchor_is_made_of_a_day_a_time_and_a_zone(self):
        for wrong in (
            lambda: Anchor.on(NOON, BERLIN),
            lambda: Anchor.on(date(2031, 5, 31), "Europe/Berlin"),  # type: ignore[arg-type]
            lambda: Anchor.on(date(2031, 5, 31), BERLIN, "09:00"),  # type: ignore[arg-type]
        ):
            with pytest.raises(TypeError):
                wrong()


class TestBoundaries:
    @pytest.mark.proves("CYC-3", "CYC-11")
    @pytest.mark.parametrize(
        ("n", "boundary"),
        [
            (0, date(2031, 5, 31)),
            (1, date(2031, 6, 30)),
            (2, date(2031, 7, 31)),
            (9, date(2032, 2, 29)),
            (10, date(2032, 3, 31)),
            (-1, date(2031, 4, 30)),
            (-3, date(2031, 2, 28)),
        ],
    )
    def test_a_month_from_the_31st_is_the_last_day_and_then_the_31st_again(self, n, boundary):
        assert cycle_from(date(2031, 5, 31), MONTHLY).boundary(n) == boundary

    @pytest.mark.proves("CYC-3", "CYC-11")
    @pytest.mark.parametrize(
        ("n", "boundary"),
        [(1, date(2033, 2, 28)), (4, date(2036, 2, 29)), (68, date(2100, 2, 28)), (-1, date(2031, 2, 28))],
    )
    def test_a_year_from_29_february_is_the_28th_and_the_29th_again_in_leap_years(self, n, boundary):
        assert cycle_from(date(2032, 2, 29), YEARLY).boundary(n) == boundary

    @pytest.mark.proves("CYC-3")
    def test_28_february_is_the_28th_and_not_the_end_of_the_month(self):
        cycle = cycle_from(date(2031, 2, 28), MONTHLY)
        assert {cycle.boundary(n).day for n in range(-60, 60)} == {28}

    @pytest.mark.proves("CYC-3")
    def test_days_and_weeks_are_counted_in_days(self):
        assert cycle_from(date(2026, 1, 5), Interval.weeks(2)).boundary(5) == date(2026, 3, 16)
        assert cycle_from(date(2026, 1, 5), Interval.days(10)).boundary(-1) == date(2025, 12, 26)

    @pytest.mark.proves("CYC-3")
    @given(st.integers(1, 31), days, monthly_intervals, st.integers(-80, 80))
    def test_every_boundary_is_month_arithmetic_from_the_anchor(self, day, start, interval, n):
        cycle = Cycle(Anchor(year=start.year, month=start.month, day=day, zone=UTC_ZONE), interval)
        assert cycle.boundary(n) == add_months(start, n * interval.total_months, anchor_day=day)

    @pytest.mark.proves("CYC-3")
    @given(days, daily_intervals, st.integers(-80, 80))
    def test_every_boundary_is_day_arithmetic_from_the_anchor(self, start, interval, n):
        assert cycle_from(start, interval).boundary(n) == start + n * timedelta(days=interval.total_days)

    @pytest.mark.proves("CYC-3")
    @pytest.mark.parametrize("interval", [DAILY, MONTHLY])
    @pytest.mark.parametrize("n", [10**8, -(10**8), 10**40])
    def test_a_boundary_outside_the_calendar_is_refused(self, interval, n):
        with pytest.raises(DateOutOfRange):
            cycle_from(date(2031, 5, 31), interval).boundary(n)

    @pytest.mark.proves("CYC-4")
    def test_every_boundary_has_the_anchors_wall_time_whatever_clocks_do(self):
        cycle = cycle_from(date(2026, 1, 25), MONTHLY, time(9), "Europe/Berlin")
        assert [cycle.boundary_instant(n) for n in range(4)] == [
            utc("2026-01-25T08:00"),
            utc("2026-02-25T08:00"),
            utc("2026-03-25T08:00"),
            utc("2026-04-25T07:00"),
        ]

    @pytest.mark.proves("CYC-4")
    @given(cycles(), st.integers(-10, 10))
    def test_a_boundary_is_the_instant_of_its_day_and_the_anchors_time_in_the_anchors_zone(self, cycle, n):
        assert cycle.boundary_instant(n) == instant_of(cycle.boundary(n), cycle.anchor.at, cycle.anchor.zone)


class TestPeriods:
    @pytest.mark.proves("CYC-5")
    def test_a_period_has_its_first_day_and_not_the_first_day_of_the_next(self):
        period = cycle_from(date(2031, 1, 31), MONTHLY).period(1)
        assert period == Period(1, date(2031, 2, 28), date(2031, 3, 31))
        assert period.days == 31
        assert [period.contains(day) for day in (date(2031, 2, 27), date(2031, 2, 28), date(2031, 3, 30))] == [
            False,
            True,
            True,
        ]
        assert not period.contains(date(2031, 3, 31))

    @pytest.mark.proves("CYC-5")
    def test_an_instant_on_a_boundary_belongs_to_the_period_that_begins(self):
        cycle = cycle_from(date(2026, 1, 1), MONTHLY, time(9), "Europe/Berlin")
        boundary = cycle.boundary_instant(3)
        assert cycle.index_at(boundary) == 3
        assert cycle.index_at(boundary - timedelta(microseconds=1)) == 2

    @pytest.mark.proves("CYC-5")
    @given(cycles(), st.integers(-10, 10))
    def test_periods_touch_and_go_forward(self, cycle, n):
        assert cycle.period(n).end == cycle.period(n + 1).start
        assert cycle.period(n).start < cycle.period(n).end
        assert cycle.boundary_instant(n) <= cycle.boundary_instant(n + 1)

    @pytest.mark.proves("CYC-5", "TIM-1")
    def test_a_period_does_not_run_backwards_and_contains_no_datetime(self):
        with pytest.raises(InvalidDateSequence):
            Period(0, date(2026, 5, 1), date(2026, 5, 1))
        with pytest.raises(TypeError):
            Period(0, date(2026, 5, 1), date(2026, 5, 2)).contains(NOON)

    @pytest.mark.proves("CYC-5")
    def test_the_day_that_never_was_has_an_empty_period_which_is_never_billed(self):
        cycle = cycle_from(date(1993, 8, 1), DAILY, name="Pacific/Kwajalein")
        skipped = cycle.index_on(date(1993, 8, 21))
        boundary = utc("1993-08-21T12:00")
        assert [cycle.boundary_instant(skipped), cycle.boundary_instant(skipped + 1)] == [boundary, boundary]
        assert [n for n in range(40) if cycle.is_empty(n)] == [skipped]
        assert cycle.index_at(boundary) == skipped + 1
        assert period_billed_at(cycle, boundary, BillingMode.IN_ADVANCE).start == date(1993, 8, 22)
        assert period_billed_at(cycle, boundary, BillingMode.IN_ARREARS).start == date(1993, 8, 20)
        assert period_billed_at(cycle, boundary + ONE_DAY, BillingMode.IN_ARREARS).start == date(1993, 8, 22)

    @pytest.mark.proves("CYC-5")
    def test_a_period_of_several_days_is_never_empty(self):
        cycle = cycle_from(date(1993, 8, 21), Interval.weeks(1), name="Pacific/Kwajalein")
        assert not cycle.is_empty(0)


class TestIndices:
    @pytest.mark.proves("CYC-6")
    @given(cycles(), days)
    def test_the_index_of_a_day_is_the_greatest_boundary_that_is_not_after_it(self, cycle, day):
        n = cycle.index_on(day)
        assert cycle.boundary(n) <= day < cycle.boundary(n + 1)

    @pytest.mark.proves("CYC-6")
    @given(cycles(), st.integers(-10, 10))
    def test_a_boundary_has_its_own_index_and_the_day_before_the_one_before(self, cycle, n):
        assert cycle.index_on(cycle.boundary(n)) == n
        assert cycle.index_on(cycle.boundary(n) - ONE_DAY) == n - 1

    @pytest.mark.proves("CYC-6")
    @given(cycles(), days, st.integers(0, 86_399))
    def test_the_index_of_an_instant_is_the_greatest_boundary_that_is_not_after_it(self, cycle, day, second):
        at = start_of_day(day, UTC_ZONE) + timedelta(seconds=second)
        n = cycle.index_at(at)
        assert cycle.boundary_instant(n) <= at < cycle.boundary_instant(n + 1)

    @pytest.mark.proves("CYC-6")
    @pytest.mark.parametrize("at", [time(0), time(0, 0, 30), time(12), time(23, 30)])
    @pytest.mark.parametrize(
        ("name", "day"),
        [
            ("Pacific/Kwajalein", date(1993, 8, 21)),
            ("Pacific/Apia", date(2011, 12, 30)),
            ("Asia/Manila", date(1844, 12, 31)),
            ("America/Juneau", date(1867, 10, 18)),
            ("America/St_Johns", date(2006, 10, 29)),
            ("America/Toronto", date(1919, 3, 31)),
            ("America/Santiago", date(2024, 9, 8)),
            ("Europe/Berlin", date(2026, 10, 25)),
        ],
    )
    def test_where_clocks_change_every_quarter_of_an_hour_has_the_right_index(self, name, day, at):
        cycle = cycle_from(day - 3 * ONE_DAY, DAILY, at, name)
        begins = [cycle.boundary_instant(n) for n in range(-2, 9)]
        first = begins[2]
        for now in (first + n * timedelta(minutes=15) for n in range(4 * 24 * 5)):
            assert cycle.index_at(now) == max(n for n, begin in enumerate(begins, -2) if begin <= now)

    @pytest.mark.proves("CYC-6")
    @pytest.mark.parametrize("interval", [DAILY, Interval.weeks(3), MONTHLY, Interval.quarters(1), YEARLY], ids=str)
    @pytest.mark.parametrize(
        "ask",
        [
            lambda cycle, at: cycle.index_on(at.date()),
            lambda cycle, at: cycle.index_at(at),
            lambda cycle, at: cycle.next_boundary(at.date()),
            lambda cycle, at: cycle.boundary_on_or_after(at.date()),
            lambda cycle, at: cycle.is_billing_day(at),
        ],
        ids=["index_on", "index_at", "next_boundary", "boundary_on_or_after", "is_billing_day"],
    )
    def test_a_thousand_years_away_at_most_three_boundaries_are_computed(self, monkeypatch, interval, ask):
        computed: list[int] = []
        boundary = Cycle.boundary

        def counted(cycle: Cycle, n: int) -> date:
            computed.append(n)
            return boundary(cycle, n)

        monkeypatch.setattr(Cycle, "boundary", counted)
        ask(cycle_from(date(1970, 1, 31), interval, time(18), "Europe/Berlin"), utc("2999-10-31T05:00"))
        assert len(computed) <= 3

    @pytest.mark.proves("CYC-6", "TIM-1")
    def test_a_datetime_has_no_index_as_a_day_and_a_day_none_as_an_instant(self):
        cycle = cycle_from(date(2026, 1, 31), MONTHLY)
        for wrong in (
            lambda: cycle.index_on(NOON),
            lambda: cycle.next_boundary(NOON),
            lambda: cycle.boundary_on_or_after(NOON),
            lambda: cycle.index_at(date(2026, 5, 1)),  # type: ignore[arg-type]
            lambda: cycle.index_at(NOON.replace(tzinfo=None)),
            lambda: cycle.is_billing_day(NOON.replace(tzinfo=None)),
        ):
            with pytest.raises(TypeError):
                wrong()

    @pytest.mark.proves("CYC-6")
    @given(cycles(), days)
    def test_the_next_boundary_is_after_the_day_and_the_nearest_may_be_the_day_itself(self, cycle, day):
        following, nearest = cycle.next_boundary(day), cycle.boundary_on_or_after(day)
        assert following == cycle.boundary(cycle.index_on(day) + 1)
        assert nearest == (day if cycle.boundary(cycle.index_on(day)) == day else following)

    @pytest.mark.proves("CYC-6")
    def test_the_first_and_last_days_of_the_calendar_have_an_index(self):
        cycle = cycle_from(date(2000, 3, 31), Interval.quarters(1))
        assert cycle.index_on(date.max) == 31_999
        assert cycle.index_on(date.min) == -7_997
        with pytest.raises(DateOutOfRange):
            cycle.index_at(datetime.max.replace(tzinfo=UTC))


class TestBillingDays:
    @pytest.mark.proves("CYC-7")
    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            ("2026-02-27T22:59:59", False),
            ("2026-02-27T23:00", True),
            ("2026-02-28T08:59", True),
            ("2026-02-28T22:59:59", True),
            ("2026-02-28T23:00", False),
            ("2026-01-28T12:00", False),
        ],
    )
    def test_a_billing_day_lasts_from_local_midnight_to_local_midnight(self, at, expected):
        cycle = cycle_from(date(2026, 1, 31), MONTHLY, time(18), "Europe/Berlin")
        assert cycle.is_billing_day(utc(at)) is expected

    @pytest.mark.proves("CYC-7")
    @given(cycles(), days)
    def test_a_day_is_a_billing_day_if_it_is_a_boundary(self, cycle, day):
        at = start_of_day(day, cycle.anchor.zone)
        today = local_date(at, cycle.anchor.zone)
        assert cycle.is_billing_day(at) is (cycle.boundary(cycle.index_on(today)) == today)

    @pytest.mark.proves("CYC-7")
    def test_what_is_due_stays_due_after_the_billing_day(self):
        cycle = cycle_from(date(2026, 1, 31), MONTHLY)
        later = utc("2026-03-05T00:00")
        assert not cycle.is_billing_day(later)
        assert cycle.boundary_instant(1) <= later

    @pytest.mark.proves("CYC-8")
    @pytest.mark.parametrize(
        ("mode", "at", "start"),
        [
            (BillingMode.IN_ADVANCE, "2026-06-01T03:59:59", date(2026, 5, 1)),
            (BillingMode.IN_ADVANCE, "2026-06-01T04:00", date(2026, 6, 1)),
            (BillingMode.IN_ARREARS, "2026-06-01T03:59:59", date(2026, 4, 1)),
            (BillingMode.IN_ARREARS, "2026-06-01T04:00", date(2026, 5, 1)),
        ],
    )
    def test_the_first_in_utc_that_is_still_the_last_in_new_york_bills_as_the_last(self, mode, at, start):
        cycle = cycle_from(date(2026, 1, 1), MONTHLY, name="America/New_York")
        assert period_billed_at(cycle, utc(at), mode).start == start

    @pytest.mark.proves("CYC-8")
    @given(cycles(), days)
    def test_in_arrears_the_period_is_over_and_in_advance_it_is_running(self, cycle, day):
        at = start_of_day(day, UTC_ZONE)
        running = period_billed_at(cycle, at, BillingMode.IN_ADVANCE)
        over = period_billed_at(cycle, at, BillingMode.IN_ARREARS)
        assert cycle.boundary_instant(running.index) <= at < cycle.boundary_instant(running.index + 1)
        assert cycle.boundary_instant(over.index + 1) <= at
        assert over == cycle.last_ended(at)


class TestWholePeriods:
    @pytest.mark.proves("CYC-9")
    @pytest.mark.parametrize(
        ("start", "end", "interval", "count"),
        [
            (date(2029, 10, 31), date(2030, 2, 27), MONTHLY, 3),
            (date(2029, 10, 31), date(2030, 2, 28), MONTHLY, 4),
            (date(2029, 10, 31), date(2029, 10, 31), MONTHLY, 0),
            (date(2029, 10, 31), date(2030, 10, 30), YEARLY, 0),
            (date(2029, 10, 31), date(2029, 11, 14), Interval.weeks(1), 2),
        ],
    )
    def test_whole_periods_are_counted_from_the_start(self, start, end, interval, count):
        assert whole_periods(start, end, interval) == count

    @pytest.mark.proves("CYC-9")
    def test_an_end_before_the_start_is_refused(self):
        with pytest.raises(InvalidDateSequence) as refused:
            whole_periods(date(2029, 10, 31), date(2029, 10, 30), MONTHLY)
        assert (refused.value.start, refused.value.end) == (date(2029, 10, 31), date(2029, 10, 30))

    @pytest.mark.proves("CYC-9")
    @given(days, intervals, st.integers(0, 20))
    def test_to_a_boundary_there_are_as_many_periods_as_its_number(self, start, interval, n):
        end = cycle_from(start, interval).boundary(n)
        assert whole_periods(start, end, interval) == n
        assert whole_periods(start, cycle_from(start, interval).boundary(n + 1) - ONE_DAY, interval) == n


class TestAdopting:
    @pytest.mark.proves("CYC-10")
    @pytest.mark.parametrize(
        ("started", "following"), [(date(2026, 3, 9), date(2026, 3, 23)), (date(2026, 3, 11), date(2026, 3, 16))]
    )
    def test_every_two_weeks_follows_the_running_week_if_it_began_on_the_agreed_weekday(self, started, following):
        cycle = adopt_cycle(started, Anchor.on(date(2026, 1, 5), BERLIN), Interval.weeks(2))
        assert cycle.next_boundary(started) == following

    @pytest.mark.proves("CYC-10")
    @pytest.mark.parametrize(
        ("started", "interval", "day", "following"),
        [
            pytest.param(date(2026, 3, 11), Interval.days(10), 31, date(2026, 3, 21), id="any day will do"),
            pytest.param(date(2026, 2, 28), Interval.quarters(1), 31, date(2026, 5, 31), id="last of a short month"),
            pytest.param(date(2026, 2, 27), Interval.quarters(1), 31, date(2026, 4, 30), id="not the agreed day"),
            pytest.param(date(2025, 1, 31), Interval.years(2), 31, date(2027, 1, 31), id="agreed day of the year"),
            pytest.param(date(2025, 7, 31), Interval.years(2), 31, date(2026, 1, 31), id="other month"),
        ],
    )
    def test_a_running_period_that_began_on_an_agreed_day_fixes_the_phase(self, started, interval, day, following):
        anchor = Anchor(year=2026, month=1, day=day, at=time(9), zone=BERLIN)
        cycle = adopt_cycle(started, anchor, interval)
        assert cycle.next_boundary(started) == following
        assert (cycle.anchor.at, cycle.anchor.zone, cycle.interval) == (time(9), BERLIN, interval)

    @pytest.mark.proves("CYC-10")
    @given(cycles(), days)
    def test_an_adopted_cycle_begins_with_the_running_period_or_keeps_the_agreed_boundaries(self, agreed, started):
        assume(
            agreed.interval.total_months or agreed.anchor.day <= days_in_month(agreed.anchor.year, agreed.anchor.month)
        )
        adopted = adopt_cycle(started, agreed.anchor, agreed.interval)
        if adopted != agreed:
            assert adopted.boundary_on_or_after(started) == started
        if agreed.interval.total_months:
            assert adopted.anchor.day == agreed.anchor.day
        else:
            weekly = agreed.interval.unit is Unit.WEEK
            fits = not weekly or (started - agreed.boundary(0)).days % 7 == 0
            assert (adopted.boundary_on_or_after(started) == started) or not fits

    @pytest.mark.proves("CYC-10")
    @given(cycles(), st.integers(-10, 10))
    def test_a_period_that_began_on_a_boundary_changes_no_boundary(self, agreed, n):
        adopted = adopt_cycle(agreed.boundary(n), agreed.anchor, agreed.interval)
        assert [adopted.boundary(m) for m in range(3)] == [agreed.boundary(n + m) for m in range(3)]

    @pytest.mark.proves("CYC-10", "TIM-1")
    def test_a_running_period_begins_on_a_day(self):
        with pytest.raises(TypeError):
            adopt_cycle(NOON, Anchor.on(date(2026, 1, 5), BERLIN), MONTHLY)


def chained(start: date, n: int) -> date:
    """Add a month to the result, n times."""
    for _ in range(n):
        start = add_months(start, 1)
    return start


def skipping(start: date, n: int) -> date:
    """Take the months that have the day, as calendar rules of RFC 5545 do."""
    months = (add_months(start, m, anchor_day=1) for m in range(5 * n + 1))
    return [month.replace(day=start.day) for month in months if start.day <= days_in_month(month.year, month.month)][n]


def overflowing(start: date, n: int) -> date:
    """Count the days that a month is short into the next one."""
    return add_months(start, n, anchor_day=1) + timedelta(days=start.day - 1)


class TestWaysThatFail:
    @pytest.mark.proves("CYC-12")
    @pytest.mark.parametrize(
        ("way", "february", "march"),
        [
            pytest.param(chained, date(2031, 2, 28), date(2031, 3, 28), id="chained addition drifts"),
            pytest.param(skipping, date(2031, 3, 31), date(2031, 5, 31), id="recurrence rules skip short months"),
            pytest.param(overflowing, date(2031, 3, 3), date(2031, 3, 31), id="overflow bills March twice"),
        ],
    )
    def test_three_common_ways_go_wrong_after_31_january_and_a_cycle_does_not(
        self, way: Callable[[date, int], date], february: date, march: date
    ):
        start = date(2031, 1, 31)
        cycle = cycle_from(start, MONTHLY)
        assert [way(start, 1), way(start, 2)] == [february, march]
        assert [cycle.boundary(1), cycle.boundary(2)] == [date(2031, 2, 28), date(2031, 3, 31)]

    @pytest.mark.proves("CYC-12")
    @given(days)
    def test_a_monthly_cycle_has_one_boundary_in_each_month_and_never_drifts(self, start):
        boundaries = [cycle_from(start, MONTHLY).boundary(n) for n in range(25)]
        assert all((b.year - a.year) * 12 + b.month - a.month == 1 for a, b in pairwise(boundaries))
        assert all(day.day == min(start.day, days_in_month(day.year, day.month)) for day in boundaries)


@pytest.mark.proves("CYC-3")
def test_cycles_with_the_same_anchor_and_interval_are_the_same():
    one = cycle_from(date(2031, 5, 31), MONTHLY)
    assert one == cycle_from(date(2031, 5, 31), MONTHLY)
    assert one != cycle_from(date(2031, 5, 30), MONTHLY)
    assert attrs.evolve(one, interval=YEARLY).boundary(1) == date(2032, 5, 31)
