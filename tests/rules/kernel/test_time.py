from datetime import UTC, date, datetime, time, timedelta, timezone
from pkgutil import get_data

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel import time as kernel_time
from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.time import (
    BadAnchor,
    BadInterval,
    Clock,
    ClockWentBack,
    DateOutOfRange,
    FixedClock,
    InvalidDateSequence,
    SystemClock,
    UnknownZone,
    Zone,
    add_days,
    add_months,
    days_in_month,
    instant_of,
    local_date,
    require_day,
    require_instant,
    start_of_day,
    zone,
)

BERLIN = zone("Europe/Berlin")
NAIVE = datetime(2026, 5, 1, 12)  # noqa: DTZ001  (what must be refused)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ZONE_NAMES = (get_data("tzdata", "zones") or b"").decode().split()
SOME_ZONES = [zone(name) for name in ("UTC", "+05:45", "-11:00", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia")]

zones = st.sampled_from([*SOME_ZONES, BERLIN])
days = st.dates(date(1900, 1, 1), date(2200, 12, 31))
seconds = st.integers(-70 * 366 * 86_400, 230 * 366 * 86_400)
instants = seconds.map(lambda since: utc("1970-01-01") + timedelta(seconds=since))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestInstantsAndDays:
    @pytest.mark.proves("TIM-1")
    def test_an_instant_comes_back_in_utc(self):
        at = datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))
        assert require_instant(at) == NOON
        assert require_instant(at).tzinfo is UTC

    @pytest.mark.proves("TIM-1")
    @pytest.mark.parametrize("wrong", [NAIVE, date(2026, 5, 1), "2026-05-01T12:00Z", 0, None])
    def test_what_is_no_aware_datetime_is_refused_as_an_instant(self, wrong):
        with pytest.raises(TypeError, match="aware datetime"):
            require_instant(wrong)

    @pytest.mark.proves("TIM-1")
    @pytest.mark.parametrize("wrong", [NAIVE, NOON, "2026-05-01", None])
    def test_a_datetime_is_refused_as_a_day(self, wrong):
        with pytest.raises(TypeError, match="date without a time"):
            require_day(wrong)

    @pytest.mark.proves("TIM-1")
    def test_no_calculation_takes_a_datetime_for_a_day_or_a_naive_datetime_for_an_instant(self):
        for wrong in (
            lambda: add_months(NOON, 1),
            lambda: start_of_day(NOON, BERLIN),
            lambda: instant_of(NOON, time(0), BERLIN),
            lambda: local_date(NAIVE, BERLIN),
            lambda: add_days(NAIVE, 0, BERLIN),
        ):
            with pytest.raises(TypeError):
                wrong()

    @pytest.mark.proves("TIM-1")
    def test_a_wall_time_with_a_zone_of_its_own_is_refused(self):
        with pytest.raises(TypeError, match="wall time"):
            instant_of(date(2026, 5, 1), time(0, tzinfo=UTC), BERLIN)


class TestZones:
    @pytest.mark.proves("TIM-2")
    @pytest.mark.parametrize("name", ["Europe/Berlin", "US/Pacific", "GMT+0", "UTC", "+05:45", "-00:30", "+23:59"])
    def test_a_zone_is_a_key_of_the_tz_database_or_an_offset(self, name):
        assert zone(name).name == name
        assert zone(name) == Zone(name)
        assert hash(zone(name)) == hash(Zone(name))

    @pytest.mark.proves("TIM-2")
    def test_every_key_of_the_tz_database_is_a_zone(self):
        assert len({zone(name) for name in ZONE_NAMES}) == len(ZONE_NAMES) > 500

    @pytest.mark.proves("TIM-2")
    @pytest.mark.parametrize(
        "name",
        [
            *(
                "",
                " ",
                "Mars/Olympus",
                "Europe",
                "europe/berlin",
                " Europe/Berlin",
                "Europe/Berlin\n",
                "Europe/Berlin\0",
            ),
            *("+24:00", "+05:60", "+5:30", "+0530", "05:30", "+05:30:00", "+05:30\n", "+\u0660\u0665:\u0663\u0660"),
            *("localtime", "posixrules", "right/Europe/Berlin", "posix/Europe/Berlin", "zone.tab", "CET-1CEST"),
            *("../../etc/passwd", "/etc/localtime", "\ud800", "a" * 10_000),
        ],
    )
    def test_any_other_name_is_unknown(self, name):
        with pytest.raises(UnknownZone) as refused:
            zone(name)
        assert refused.value.name == name

    @pytest.mark.proves("TIM-2")
    def test_a_zone_is_named_by_text(self):
        with pytest.raises(TypeError):
            zone(2)

    @pytest.mark.proves("TIM-2")
    @pytest.mark.parametrize(
        ("name", "day"),
        [("UTC", date(2026, 4, 30)), ("Europe/Berlin", date(2026, 5, 1)), ("+02:00", date(2026, 5, 1))],
    )
    def test_the_day_of_an_instant_depends_on_the_zone(self, name, day):
        assert local_date(utc("2026-04-30T22:30"), zone(name)) == day

    @pytest.mark.proves("TIM-2")
    def test_only_an_offset_says_that_it_is_one(self):
        assert [zone(name).is_offset for name in ("+02:00", "-02:00", "UTC", "Europe/Berlin")] == [
            True,
            True,
            False,
            False,
        ]


class TestWallTimes:
    @pytest.mark.proves("TIM-3")
    @pytest.mark.parametrize(
        ("place", "day", "at", "instant"),
        [
            pytest.param("Europe/Berlin", date(2026, 7, 1), time(9), "2026-07-01T07:00", id="once"),
            pytest.param("Europe/Berlin", date(2026, 10, 25), time(2, 30), "2026-10-25T00:30", id="twice"),
            pytest.param("Europe/Berlin", date(2026, 3, 29), time(2, 30), "2026-03-29T01:00", id="never"),
            pytest.param(
                "Europe/Berlin", date(2026, 3, 29), time(2, 0, 0, 1), "2026-03-29T01:00", id="never, by a hair"
            ),
            pytest.param("Europe/Berlin", date(2026, 3, 29), time(2), "2026-03-29T01:00", id="start of the gap"),
            pytest.param("Europe/Berlin", date(2026, 3, 29), time(3), "2026-03-29T01:00", id="end of the gap"),
            pytest.param("America/Santiago", date(2024, 9, 8), time(0), "2024-09-08T04:00", id="no midnight"),
            pytest.param("Pacific/Kwajalein", date(1993, 8, 21), time(0), "1993-08-21T12:00", id="no such day"),
            pytest.param(
                "Pacific/Kwajalein", date(1993, 8, 21), time(17, 5), "1993-08-21T12:00", id="nor its afternoon"
            ),
            pytest.param("Pacific/Apia", date(2011, 12, 30), time(0), "2011-12-30T10:00", id="no such day in Samoa"),
            pytest.param(
                "America/Toronto", date(1919, 3, 31), time(0), "1919-03-31T04:30", id="gap began the day before"
            ),
            pytest.param("America/St_Johns", date(2006, 10, 29), time(0), "2006-10-29T02:30", id="two midnights"),
            pytest.param("UTC", date(2026, 3, 29), time(2, 30), "2026-03-29T02:30", id="UTC"),
            pytest.param("-03:30", date(2026, 3, 29), time(2, 30), "2026-03-29T06:00", id="offset"),
        ],
    )
    def test_a_wall_time_is_the_only_the_earlier_or_the_next_instant(self, place, day, at, instant):
        assert instant_of(day, at, zone(place)) == utc(instant)

    @pytest.mark.proves("TIM-3")
    def test_the_day_after_a_gap_that_began_the_evening_before_starts_at_half_past_midnight(self):
        toronto = zone("America/Toronto")
        start = start_of_day(date(1919, 3, 31), toronto)
        assert start.astimezone(toronto.info).time() == time(0, 30)
        assert (start - timedelta(seconds=1)).astimezone(toronto.info).time() == time(23, 29, 59)

    @pytest.mark.proves("TIM-3")
    def test_the_wall_time_marked_as_second_is_read_as_the_first(self):
        assert instant_of(date(2026, 10, 25), time(2, 30, fold=1), BERLIN) == utc("2026-10-25T00:30")

    @pytest.mark.proves("TIM-3")
    @given(instants, zones)
    def test_the_wall_time_of_an_instant_leads_back_to_it_or_to_the_first_time_it_was_shown(self, at, place):
        shown = at.astimezone(place.info)
        back = instant_of(shown.date(), shown.time(), place)
        assert back == at if shown.fold == 0 else back < at
        assert back.astimezone(place.info).replace(tzinfo=None) == shown.replace(tzinfo=None)

    @pytest.mark.proves("TIM-3")
    def test_in_every_zone_every_day_near_a_clock_change_begins_once_and_in_order(self):
        places = {get_data("tzdata", f"zoneinfo/{name}"): zone(name) for name in ZONE_NAMES}.values()
        wrong = [(place.name, day) for place in places for day in days_of_change(place) if not begins_well(day, place)]
        assert not wrong


def days_of_change(place: Zone) -> list[date]:
    """Find the days from 1970 to 2037 on which clocks change in a zone."""
    found: list[date] = []
    step, day = timedelta(days=15), timedelta(days=1)
    low, end = utc("1970-01-01"), utc("2038-01-01")
    offset = low.astimezone(place.info).utcoffset()
    while low < end:
        high = low + step
        new = high.astimezone(place.info).utcoffset()
        if new != offset:
            first = next(at for n in range(1, 16) if (at := low + n * day).astimezone(place.info).utcoffset() != offset)
            found.append(first.date())
        low, offset = high, new
    return found


def begins_well(changed: date, place: Zone) -> bool:
    """Tell whether the days around a change begin in order, on themselves or the next day there is, and not earlier."""
    around = [changed + timedelta(days=n) for n in range(-2, 3)]
    starts = [start_of_day(day, place) for day in around]
    skipped = [start for day, start in zip(around, starts, strict=True) if local_date(start, place) != day]
    return (
        starts == sorted(starts)
        and all(
            day > local_date(start - timedelta(seconds=1), place) for day, start in zip(around, starts, strict=True)
        )
        and all(start == start_of_day(local_date(start, place), place) for start in skipped)
        and all(local_date(start, place) >= day for day, start in zip(around, starts, strict=True))
    )


class TestClocks:
    @pytest.mark.proves("TIM-4")
    def test_the_system_clock_asks_the_machine_for_utc(self, monkeypatch):
        class Machine:
            @staticmethod
            def now(tz: object) -> datetime:
                assert tz is UTC
                return NOON

        monkeypatch.setattr(kernel_time, "datetime", Machine)
        clock: Clock = SystemClock()
        assert clock.now() == NOON

    @pytest.mark.proves("TIM-4")
    def test_a_fixed_clock_shows_what_it_was_set_to(self):
        clock: Clock = FixedClock(NOON.astimezone(BERLIN.info))
        assert clock.now() == NOON
        assert clock.now().tzinfo is UTC

    @pytest.mark.proves("TIM-4")
    def test_a_fixed_clock_moves_forward(self):
        clock = FixedClock(NOON)
        clock.advance(timedelta(days=400))
        assert clock.now() == NOON + timedelta(days=400)
        clock.set(NOON + timedelta(days=401))
        clock.set(NOON + timedelta(days=401))
        clock.advance(timedelta(0))
        assert clock.now() == NOON + timedelta(days=401)

    @pytest.mark.proves("TIM-4")
    def test_a_fixed_clock_refuses_to_go_back_and_stays_where_it_is(self):
        clock = FixedClock(NOON)
        second = timedelta(seconds=1)
        with pytest.raises(ClockWentBack) as refused:
            clock.advance(-second)
        assert (refused.value.was, refused.value.asked) == (NOON, NOON - second)
        with pytest.raises(ClockWentBack):
            clock.set(NOON - second)
        assert clock.now() == NOON

    @pytest.mark.proves("TIM-4")
    def test_a_fixed_clock_takes_no_naive_time(self):
        with pytest.raises(TypeError):
            FixedClock(NAIVE)
        with pytest.raises(TypeError):
            FixedClock(NOON).set(NAIVE)


class TestLocalDays:
    @pytest.mark.proves("TIM-4")
    def test_fourteen_days_later_clocks_show_the_same_time_though_they_were_changed(self):
        place = zone("Australia/Lord_Howe")
        start = instant_of(date(2026, 3, 28), time(22, 15), place)
        end = add_days(start, 14, place)
        assert end == instant_of(date(2026, 4, 11), time(22, 15), place)
        assert end - start == timedelta(days=14, minutes=30)

    @pytest.mark.proves("TIM-4")
    def test_from_20_october_to_3_november_on_lord_howe(self):
        place = zone("Australia/Lord_Howe")
        end = add_days(instant_of(date(2026, 10, 20), time(22, 15), place), 14, place)
        assert end.astimezone(place.info).replace(tzinfo=None).isoformat() == "2026-11-03T22:15:00"

    @pytest.mark.proves("TIM-4")
    def test_no_days_later_is_the_same_instant_even_in_the_doubled_hour(self):
        second_time = utc("2026-10-25T01:30")
        assert add_days(second_time, 0, BERLIN) == second_time

    @pytest.mark.proves("TIM-4")
    @given(instants, st.integers(-1000, 1000), zones)
    def test_so_many_days_later_is_that_many_days_on_the_calendar_or_past_one_that_never_was(self, at, count, place):
        expected = local_date(at, place) + timedelta(days=count)
        assert local_date(add_days(at, count, place), place) - expected in {timedelta(0), timedelta(days=1)}


class TestMonths:
    @pytest.mark.proves("TIM-5", "SHR-3")
    @pytest.mark.parametrize(
        ("day", "months", "result"),
        [
            (date(2031, 5, 31), 1, date(2031, 6, 30)),
            (date(2031, 5, 31), -3, date(2031, 2, 28)),
            (date(2031, 12, 15), 1, date(2032, 1, 15)),
            (date(2031, 1, 15), -1, date(2030, 12, 15)),
            (date(2032, 2, 29), 12, date(2033, 2, 28)),
            (date(2032, 2, 29), 48, date(2036, 2, 29)),
            (date(2000, 1, 31), 1, date(2000, 2, 29)),
            (date(2100, 1, 31), 1, date(2100, 2, 28)),
            (date(2027, 4, 30), 1, date(2027, 5, 30)),
            (date(2027, 4, 30), 0, date(2027, 4, 30)),
        ],
    )
    def test_a_month_on_is_the_same_day_or_the_last_of_a_shorter_month(self, day, months, result):
        assert add_months(day, months) == result

    @pytest.mark.proves("TIM-5")
    def test_the_day_aimed_at_may_be_another_than_the_day_counted_from(self):
        assert add_months(date(2031, 6, 30), 1, anchor_day=31) == date(2031, 7, 31)
        assert add_months(date(2031, 6, 30), 0, anchor_day=1) == date(2031, 6, 1)

    @pytest.mark.proves("TIM-5")
    @pytest.mark.parametrize("anchor_day", [0, 32, -1])
    def test_a_day_that_no_month_has_is_refused(self, anchor_day):
        with pytest.raises(BadAnchor):
            add_months(date(2031, 6, 30), 1, anchor_day=anchor_day)

    @pytest.mark.proves("TIM-5")
    @pytest.mark.parametrize("months", [12 * 7968 + 7, 10**6, 10**30, -(12 * 2031 + 12), -(10**30)])
    def test_months_that_lead_out_of_the_calendar_are_refused(self, months):
        with pytest.raises(DateOutOfRange):
            add_months(date(2031, 6, 30), months)

    @pytest.mark.proves("TIM-5")
    def test_the_first_and_the_last_month_of_the_calendar_are_in_reach(self):
        assert add_months(date(2031, 6, 30), 12 * 7968 + 6) == date(9999, 12, 30)
        assert add_months(date(2031, 6, 30), -(12 * 2030 + 5)) == date(1, 1, 30)

    @pytest.mark.proves("TIM-5")
    def test_days_and_instants_that_lead_out_of_the_calendar_are_refused(self):
        for beyond in (
            lambda: add_days(NOON, 10**7, BERLIN),
            lambda: add_days(NOON, 10**30, BERLIN),
            lambda: start_of_day(date.min, zone("+01:00")),
            lambda: instant_of(date.max, time(23, 30), zone("-01:00")),
            lambda: local_date(datetime.max.replace(tzinfo=UTC), zone("+01:00")),
            lambda: require_instant(datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))),
            lambda: FixedClock(NOON).advance(timedelta.max),
        ):
            with pytest.raises(DateOutOfRange):
                beyond()

    @pytest.mark.proves("TIM-5")
    @given(days, st.integers(-1200, 1200))
    def test_month_arithmetic_lands_in_the_right_month_on_the_nearest_possible_day(self, day, months):
        result = add_months(day, months)
        assert (result.year - day.year) * 12 + result.month - day.month == months
        assert result.day == day.day or (result.day < day.day and (result + timedelta(days=1)).day == 1)

    @pytest.mark.proves("SHR-3")
    def test_adding_a_month_to_the_result_drifts_and_counting_from_the_original_day_does_not(self):
        assert add_months(add_months(date(2027, 1, 31), 1), 1) == date(2027, 3, 28)
        assert add_months(date(2027, 1, 31), 2) == date(2027, 3, 31)

    @pytest.mark.proves("SHR-3")
    @given(days, days, st.integers(0, 60))
    def test_a_later_day_never_gives_an_earlier_deadline(self, one, other, months):
        earlier, later = sorted([one, other])
        assert add_months(earlier, months) <= add_months(later, months)

    @pytest.mark.proves("TIM-5")
    @given(st.integers(1, 9998), st.integers(1, 12))
    def test_the_length_of_a_month_reaches_to_the_first_of_the_next(self, year, month):
        following = date(year + month // 12, month % 12 + 1, 1)
        assert (following - date(year, month, 1)).days == days_in_month(year, month)


@pytest.mark.proves("TIM-2", "TIM-4", "TIM-5", "CYC-1", "CYC-2", "CYC-9")
def test_every_rejection_has_its_code_and_is_an_invalid_request():
    codes: dict[str, type[Rejected]] = {
        "time.unknown_zone": UnknownZone,
        "time.clock_went_back": ClockWentBack,
        "time.date_out_of_range": DateOutOfRange,
        "time.invalid_date_sequence": InvalidDateSequence,
        "time.bad_anchor": BadAnchor,
        "time.bad_interval": BadInterval,
    }
    assert all((rejection.code, rejection.kind) == (code, Kind.INVALID) for code, rejection in codes.items())
