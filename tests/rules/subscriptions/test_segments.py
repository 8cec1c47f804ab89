from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from types import MappingProxyType
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Cycle, Interval
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.time import InvalidDateSequence, instant_of, local_date, start_of_day, zone
from shopaccounts.serial import dump, load
from shopaccounts.subscriptions.cycles.schedules import (
    BillingDay,
    CalendarDay,
    CycleRef,
    DayOfMonth,
    Schedule,
    Segment,
    SegmentReason,
    StartDay,
    open_cycle,
    service_period,
)
from shopaccounts.subscriptions.cycles.segments import (
    change_zone,
    delay_of,
    due_in_advance,
    due_in_arrears,
    end_instant_of,
    index_at,
    open_segment,
    segment_of,
    service_period_of,
    start_instant_of,
)

History = tuple[Segment, ...]
BERLIN, NEW_YORK = zone("Europe/Berlin"), zone("America/New_York")
MONTHLY, DAILY = Interval.months(1), Interval.days(1)
TOUCHING = [
    SegmentReason.TRIAL_END,
    SegmentReason.RESET,
    SegmentReason.EXTENSION,
    SegmentReason.BILLING_DAY,
    SegmentReason.FREQUENCY,
]
AFTER_A_GAP = [SegmentReason.RESUME, SegmentReason.REACTIVATION]
INSTANT = timedelta(microseconds=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def begin(start: date, interval: Interval = MONTHLY, day: BillingDay | None = None, where=BERLIN) -> History:
    """A subscription that starts at midnight."""
    cycle = open_cycle(start, interval, day or StartDay(), zone=where)
    return open_segment((), cycle, start_of_day(start, where), first_index=0, reason=SegmentReason.START)


def then(
    segments: History, start: date, index: int, reason: SegmentReason, interval: Interval = MONTHLY, at: time = time(0)
) -> History:
    """The history with a segment that is anchored on its start, at midnight."""
    cycle = open_cycle(start, interval, StartDay(), zone=BERLIN)
    return open_segment(segments, cycle, instant_of(start, at, BERLIN), first_index=index, reason=reason)


def spans(segments: History, indices: range, **options) -> list[tuple[str, str]]:
    periods = [service_period_of(segments, index, **options) for index in indices]
    return [(period.start.isoformat()[5:], period.end.isoformat()[5:]) for period in periods]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw a subscription with up to four segments that touch, with boundaries at any time of the day."""
    intervals = st.sampled_from([MONTHLY, Interval.months(5), Interval.weeks(2), Interval.days(3), Interval.years(1)])
    at = utc("2020-01-01") + timedelta(minutes=draw(st.integers(0, 6_000_000)))
    segments: History = ()
    index = 0
    for reason in [SegmentReason.START, *draw(st.lists(st.sampled_from(TOUCHING), max_size=3))]:
        interval, where = draw(intervals), draw(st.sampled_from([BERLIN, NEW_YORK, zone("+05:45")]))
        wall = draw(st.sampled_from([time(0), time(9, 30), time(23, 59)]))
        day = draw(st.just(StartDay()) | st.just(CalendarDay()))
        cycle = open_cycle(local_date(at, where), interval, day, zone=where, at=wall)
        segments = open_segment(segments, cycle, at, first_index=index, reason=reason)
        index += draw(st.integers(1, 4))
        at = start_instant_of(segments, index - 1) + timedelta(hours=draw(st.integers(60, 2000)))
    return segments


@st.composite
def moves(draw: st.DrawFn, segments: History) -> dict[int, date]:
    """Draw boundaries that were moved one by one, each between its neighbours."""
    moved: dict[int, date] = {}
    for index in draw(st.lists(st.integers(1, 12), max_size=4)):
        before = service_period_of(segments, index - 1, moved=moved)
        after = service_period_of(segments, index, moved=moved)
        room = (after.end - before.start).days
        if room > 6:
            moved[index] = before.start + timedelta(days=draw(st.integers(3, room - 3)))
    return moved


class TestHistory:
    @pytest.mark.proves("SCH-9")
    def test_a_new_segment_is_added_and_the_old_ones_stay_as_they_are(self):
        before = begin(date(2026, 4, 20))
        after = then(before, date(2026, 6, 3), 2, SegmentReason.RESET)
        assert after[:1] == before
        assert (after[1].number, after[1].first_index, after[1].start) == (1, 2, date(2026, 6, 3))
        assert after[1].start_instant == utc("2026-06-02T22:00")
        assert after[1].reason is SegmentReason.RESET

    @pytest.mark.proves("SCH-9")
    def test_the_numbers_of_the_periods_run_on_across_segments(self):
        segments = then(begin(date(2026, 4, 20)), date(2026, 6, 3), 2, SegmentReason.RESET)
        assert [segment_of(segments, index).number for index in range(4)] == [0, 0, 1, 1]
        assert [service_period_of(segments, index).segment for index in range(4)] == [0, 0, 1, 1]
        assert spans(segments, range(4)) == [
            ("04-20", "05-20"),
            ("05-20", "06-03"),
            ("06-03", "07-03"),
            ("07-03", "08-03"),
        ]

    @pytest.mark.proves("SCH-9")
    def test_a_segment_that_is_replaced_before_its_first_period_has_no_periods(self):
        segments = then(begin(date(2026, 4, 20)), date(2026, 6, 3), 2, SegmentReason.RESET)
        again = then(segments, date(2026, 6, 3), 2, SegmentReason.FREQUENCY, Interval.years(1))
        assert [segment_of(again, index).number for index in range(4)] == [0, 0, 2, 2]
        assert spans(again, range(1, 3)) == [("05-20", "06-03"), ("06-03", "06-03")]

    @pytest.mark.proves("SCH-9")
    def test_history_is_not_written_backwards(self):
        segments = then(begin(date(2026, 4, 20)), date(2026, 6, 3), 2, SegmentReason.RESET)
        with pytest.raises(InvalidDateSequence):
            then(segments, date(2026, 6, 2), 3, SegmentReason.RESET)
        with pytest.raises(Defect):
            then(segments, date(2026, 7, 2), 1, SegmentReason.RESET)

    @pytest.mark.proves("SCH-9")
    def test_segments_and_addresses_of_cycles_are_stored_and_read(self):
        segment = then(begin(date(2026, 4, 20)), date(2026, 6, 3), 2, SegmentReason.ZONE, at=time(9, 30))[1]
        assert load(Segment, dump(segment)) == segment
        ref = CycleRef("sub-1", segment.number, 2)
        assert load(CycleRef, dump(ref)) == ref
        assert ref != CycleRef("sub-1", segment.number, 3)

    @pytest.mark.proves("SCH-9")
    def test_a_segment_is_made_of_a_day_and_an_instant(self):
        cycle = open_cycle(date(2026, 4, 20), MONTHLY, StartDay(), zone=BERLIN)
        noon = utc("2026-04-20T12:00")
        for wrong in (
            lambda: Segment(0, cycle, 0, noon, noon, SegmentReason.START),
            lambda: Segment(0, cycle, 0, date(2026, 4, 20), noon.replace(tzinfo=None), SegmentReason.START),
            lambda: open_segment((), cycle, noon.replace(tzinfo=None), first_index=0, reason=SegmentReason.START),
            lambda: service_period_of(begin(date(2026, 4, 20)), True),
            lambda: segment_of(begin(date(2026, 4, 20)), 1.0),  # type: ignore[arg-type]
        ):
            with pytest.raises(TypeError):
                wrong()

    @pytest.mark.proves("SCH-3", "SCH-9")
    @given(st.integers(0, 200), st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 31))
    def test_one_segment_has_the_periods_of_its_schedule(self, index, start, day):
        segments = begin(start, day=DayOfMonth(day))
        assert service_period_of(segments, index) == service_period(Schedule(segments[0].cycle, start), index)

    @pytest.mark.proves("SCH-9")
    def test_there_is_no_period_before_the_service_or_after_its_end(self):
        segments = begin(date(2026, 4, 20))
        with pytest.raises(InvalidDateSequence):
            service_period_of(segments, -1)
        assert service_period_of(segments, 1, end=date(2026, 5, 21)).end == date(2026, 5, 21)
        for end in (date(2026, 5, 20), date(2026, 1, 1)):
            with pytest.raises(InvalidDateSequence):
                service_period_of(segments, 1, end=end)

    @pytest.mark.proves("SCH-5", "SCH-9")
    def test_the_end_of_the_service_cuts_the_last_period(self):
        last = service_period_of(begin(date(2026, 4, 20)), 1, end=date(2026, 6, 1))
        assert (last.end, last.scheduled_end, last.is_stub, last.is_moved) == (
            date(2026, 6, 1),
            date(2026, 6, 1),
            True,
            False,
        )


class TestWhereSegmentsMeet:
    @pytest.mark.proves("SCH-9")
    @pytest.mark.parametrize("reason", [*TOUCHING, *AFTER_A_GAP])
    def test_a_segment_that_begins_early_cuts_the_period_before_it(self, reason):
        segments = then(begin(date(2026, 5, 12)), date(2026, 5, 23), 1, reason)
        cut = service_period_of(segments, 0)
        assert (cut.end, cut.scheduled_end, cut.is_stub, cut.is_moved) == (
            date(2026, 5, 23),
            date(2026, 5, 23),
            True,
            False,
        )
        assert cut.nominal.end == date(2026, 6, 12)
        assert end_instant_of(segments, 0) == start_instant_of(segments, 1) == utc("2026-05-22T22:00")

    @pytest.mark.proves("SCH-9")
    @pytest.mark.parametrize("reason", TOUCHING)
    def test_a_segment_that_begins_late_makes_the_period_before_it_longer(self, reason):
        segments = then(begin(date(2026, 5, 12)), date(2026, 6, 24), 1, reason)
        longer = service_period_of(segments, 0)
        assert (longer.end, longer.scheduled_end) == (date(2026, 6, 24), date(2026, 6, 12))
        assert longer.is_moved
        assert not longer.is_stub
        assert end_instant_of(segments, 0) == start_instant_of(segments, 1)

    @pytest.mark.proves("SCH-9")
    @pytest.mark.parametrize("reason", AFTER_A_GAP)
    def test_time_between_a_pause_and_its_end_belongs_to_no_period(self, reason):
        segments = then(begin(date(2026, 5, 12)), date(2026, 7, 3), 1, reason)
        assert spans(segments, range(2)) == [("05-12", "06-12"), ("07-03", "08-03")]
        assert not service_period_of(segments, 0).is_moved
        assert end_instant_of(segments, 0) == utc("2026-06-11T22:00")
        assert start_instant_of(segments, 1) == utc("2026-07-02T22:00")
        assert spans(segments, range(1), moved={1: date(2026, 7, 10)}) == [("05-12", "06-12")]
        assert end_instant_of(segments, 0, moved={1: date(2026, 7, 10)}) == utc("2026-06-11T22:00")

    @pytest.mark.proves("SCH-9", "SCH-11")
    @given(histories(), st.data())
    def test_periods_touch_as_days_and_as_instants_whatever_happened(self, segments, data):
        moved = data.draw(moves(segments))
        periods = [service_period_of(segments, index, moved=moved) for index in range(14)]
        assert periods[0].start == segments[0].start
        assert all(earlier.end == later.start for earlier, later in pairwise(periods))
        begins = [start_instant_of(segments, index, moved=moved) for index in range(14)]
        assert all(earlier < later for earlier, later in pairwise(begins))
        assert [end_instant_of(segments, index, moved=moved) for index in range(13)] == begins[1:]

    @pytest.mark.proves("SCH-11")
    @given(histories())
    def test_a_period_begins_on_the_local_day_of_its_instant(self, segments):
        for index in range(14):
            where = segment_of(segments, index).cycle.anchor.zone
            assert local_date(start_instant_of(segments, index), where) == service_period_of(segments, index).start

    @pytest.mark.proves("SCH-9")
    @given(histories(), st.data())
    def test_the_period_of_an_instant_is_the_one_that_began_last(self, segments, data):
        moved = data.draw(moves(segments))
        for index in range(14):
            begins = start_instant_of(segments, index, moved=moved)
            assert index_at(segments, begins, moved=moved) == index
            assert index_at(segments, begins - INSTANT, moved=moved) == (index - 1 if index else None)

    @pytest.mark.proves("SCH-9")
    def test_in_a_gap_the_period_before_it_is_the_last_that_began(self):
        segments = then(begin(date(2026, 5, 12)), date(2026, 9, 3), 1, SegmentReason.RESUME)
        assert index_at(segments, utc("2026-08-01T12:00")) == 0
        assert index_at(segments, utc("2026-09-03T12:00")) == 1
        assert index_at(segments, utc("2020-09-03T12:00")) is None

    @pytest.mark.proves("SCH-9")
    def test_a_long_gap_costs_no_more_than_a_short_one(self):
        segments = then(begin(date(2016, 5, 12), DAILY), date(2026, 9, 3), 1, SegmentReason.REACTIVATION)
        with patch.object(Cycle, "boundary", autospec=True, side_effect=Cycle.boundary) as boundary:
            assert index_at(segments, utc("2026-08-01T12:00")) == 0
        assert boundary.call_count <= 4


class TestMovedBoundaries:
    MOVED = MappingProxyType({1: date(2026, 5, 27)})

    @pytest.mark.proves("PRO-8")
    def test_one_boundary_moves_and_the_periods_on_both_sides_change(self):
        segments = begin(date(2026, 4, 20))
        assert spans(segments, range(3), moved=self.MOVED) == [
            ("04-20", "05-27"),
            ("05-27", "06-20"),
            ("06-20", "07-20"),
        ]
        longer, shorter, same = (service_period_of(segments, index, moved=self.MOVED) for index in range(3))
        assert [longer.is_moved, shorter.is_moved, same.is_moved] == [True, True, False]
        assert not longer.is_stub
        assert not shorter.is_stub
        assert (shorter.scheduled_start, shorter.scheduled_end) == (date(2026, 5, 20), date(2026, 6, 20))
        assert (shorter.nominal.start, shorter.nominal.end) == (date(2026, 5, 20), date(2026, 6, 20))

    @pytest.mark.proves("PRO-8")
    def test_a_moved_boundary_keeps_its_wall_time(self):
        segments = begin(date(2026, 4, 20))
        assert start_instant_of(segments, 1, moved=self.MOVED) == utc("2026-05-26T22:00")
        assert end_instant_of(segments, 0, moved=self.MOVED) == utc("2026-05-26T22:00")

    @pytest.mark.proves("PRO-8")
    def test_where_a_segment_begins_the_boundary_can_be_moved_both_ways(self):
        segments = then(begin(date(2026, 4, 20)), date(2026, 6, 3), 1, SegmentReason.EXTENSION, at=time(15))
        for day in (date(2026, 5, 30), date(2026, 6, 9)):
            assert start_instant_of(segments, 1, moved={1: day}) == start_of_day(day, BERLIN)
            assert service_period_of(segments, 0, moved={1: day}).end == day

    @pytest.mark.proves("PRO-8")
    def test_a_stub_that_is_moved_stays_the_stub_that_was_agreed(self):
        segments = begin(date(2026, 3, 18), day=DayOfMonth(5))
        stub = service_period_of(segments, 0, moved={1: date(2026, 4, 9)})
        assert (stub.end, stub.scheduled_end) == (date(2026, 4, 9), date(2026, 4, 5))
        assert stub.is_stub
        assert stub.is_moved

    @pytest.mark.proves("PRO-8")
    def test_the_end_of_the_service_cuts_a_moved_period_too(self):
        segments = begin(date(2026, 4, 20))
        longer = service_period_of(segments, 0, moved=self.MOVED, end=date(2026, 5, 25))
        assert (longer.end, longer.scheduled_end) == (date(2026, 5, 25), date(2026, 5, 20))
        early = {1: date(2026, 5, 10)}
        complete = service_period_of(segments, 0, moved=early, end=date(2026, 5, 10))
        assert (complete.end, complete.scheduled_end, complete.is_stub) == (date(2026, 5, 10), date(2026, 5, 20), False)
        brought_forward = service_period_of(segments, 1, moved=early, end=date(2026, 5, 15))
        assert (brought_forward.start, brought_forward.end) == (date(2026, 5, 10), date(2026, 5, 15))
        assert brought_forward.scheduled_start == brought_forward.scheduled_end == date(2026, 5, 20)


class TestMovingToAnotherZone:
    @pytest.mark.proves("SCH-10")
    @pytest.mark.parametrize(
        ("old", "new", "begins", "ends"),
        [
            (BERLIN, NEW_YORK, "2026-05-31T22:00", "2026-07-01T04:00"),
            (NEW_YORK, BERLIN, "2026-06-01T04:00", "2026-06-30T22:00"),
        ],
    )
    def test_the_first_period_in_a_new_zone_begins_when_the_one_before_ended(self, old, new, begins, ends):
        before = begin(date(2026, 4, 1), where=old)
        after = change_zone(before, 2, new)
        assert end_instant_of(before, 1) == end_instant_of(after, 1) == start_instant_of(after, 2) == utc(begins)
        assert end_instant_of(after, 2) == start_instant_of(after, 3) == utc(ends)
        assert spans(after, range(1, 4)) == [("05-01", "06-01"), ("06-01", "07-01"), ("07-01", "08-01")]
        assert not service_period_of(after, 2).is_stub

    @pytest.mark.proves("SCH-10")
    def test_billing_day_interval_and_wall_time_stay(self):
        at = instant_of(date(2026, 1, 31), time(9), BERLIN)
        cycle = open_cycle(date(2026, 1, 31), MONTHLY, StartDay(), zone=BERLIN, at=time(9))
        after = change_zone(open_segment((), cycle, at, first_index=0, reason=SegmentReason.START), 1, NEW_YORK)
        moved = after[1]
        assert (moved.start, moved.first_index, moved.reason) == (date(2026, 2, 28), 1, SegmentReason.ZONE)
        assert (moved.cycle.anchor.day, moved.cycle.anchor.at, moved.cycle.anchor.zone) == (31, time(9), NEW_YORK)
        assert service_period_of(after, 1).end == date(2026, 3, 31)
        assert start_instant_of(after, 2) == instant_of(date(2026, 3, 31), time(9), NEW_YORK)

    @pytest.mark.proves("SCH-10")
    def test_a_boundary_that_was_moved_stays_moved(self):
        before, moved = begin(date(2026, 4, 1)), {2: date(2026, 6, 9)}
        after = change_zone(before, 2, NEW_YORK)
        period = service_period_of(after, 2, moved=moved)
        assert (period.start, period.scheduled_start, period.is_stub) == (date(2026, 6, 9), date(2026, 6, 1), False)
        assert start_instant_of(after, 2, moved=moved) == end_instant_of(before, 1, moved=moved)
        assert start_instant_of(after, 3, moved={3: date(2026, 7, 9)}) == utc("2026-07-09T04:00")

    @pytest.mark.proves("SCH-10")
    def test_who_moves_twice_before_a_bill_still_ends_the_last_period_in_the_first_zone(self):
        before, moved = begin(date(2026, 4, 1)), {2: date(2026, 6, 9)}
        after = change_zone(change_zone(before, 2, NEW_YORK), 2, zone("Asia/Tokyo"))
        assert start_instant_of(after, 2) == end_instant_of(before, 1)
        assert start_instant_of(after, 2, moved=moved) == end_instant_of(before, 1, moved=moved)

    @pytest.mark.proves("SCH-10")
    def test_a_trial_that_ends_late_in_the_day_is_no_obstacle(self):
        segments = then(begin(date(2026, 4, 1)), date(2026, 4, 15), 1, SegmentReason.TRIAL_END, at=time(23))
        after = change_zone(segments, 1, zone("Pacific/Kiritimati"))
        assert start_instant_of(after, 1) == utc("2026-04-15T21:00")

    @pytest.mark.proves("SCH-10")
    def test_places_further_apart_than_any_on_earth_are_a_defect(self):
        segments = begin(date(2026, 4, 1), where=zone("-12:00"))
        assert len(change_zone(segments, 1, zone("+13:59"))) == 2
        with pytest.raises(Defect, match="apart"):
            change_zone(segments, 1, zone("+14:00"))
        with pytest.raises(Defect, match="apart"):
            change_zone(begin(date(2026, 4, 1), where=zone("+14:00")), 1, zone("-12:00"))

    @pytest.mark.proves("SCH-10")
    def test_a_daily_service_may_lose_a_period_to_the_journey_and_bills_none_twice(self):
        segments = change_zone(begin(date(2026, 6, 1), DAILY, where=zone("-11:00")), 3, zone("+14:00"))
        begins = [start_instant_of(segments, index) for index in range(8)]
        assert begins == sorted(begins)
        assert start_instant_of(segments, 3) == end_instant_of(segments, 3) == utc("2026-06-04T11:00")
        assert start_instant_of(segments, 5) == utc("2026-06-05T10:00")

    @pytest.mark.proves("SCH-10")
    @given(histories(), st.integers(0, 6), st.sampled_from([zone("-11:00"), NEW_YORK, BERLIN, zone("Asia/Tokyo")]))
    def test_nothing_is_left_out_and_nothing_twice(self, segments, later, where):
        index = segments[-1].first_index + later
        after = change_zone(segments, index, where)
        assert after[:-1] == segments
        assert [start_instant_of(after, n) for n in range(index + 1)] == [
            start_instant_of(segments, n) for n in range(index + 1)
        ]
        periods = range(index + 4)
        assert spans(after, periods) == spans(segments, periods)
        for n in periods:
            assert start_instant_of(after, n) <= end_instant_of(after, n) == start_instant_of(after, n + 1)


class TestInstants:
    @pytest.mark.proves("SCH-11")
    def test_who_starts_in_the_afternoon_is_served_from_then_on(self):
        cycle = open_cycle(date(2026, 4, 20), MONTHLY, StartDay(), zone=BERLIN)
        at = utc("2026-04-20T13:10")
        segments = open_segment((), cycle, at, first_index=0, reason=SegmentReason.START)
        assert start_instant_of(segments, 0) == at
        assert start_instant_of(segments, 1) == utc("2026-05-19T22:00")

    @pytest.mark.proves("SCH-11")
    def test_the_first_day_is_the_local_day_of_the_instant(self):
        segments = begin(date(2026, 4, 20))
        trial_end = utc("2026-05-11T23:30")
        cycle = open_cycle(local_date(trial_end, BERLIN), MONTHLY, StartDay(), zone=BERLIN)
        segments = open_segment(segments, cycle, trial_end, first_index=1, reason=SegmentReason.TRIAL_END)
        assert service_period_of(segments, 1).start == date(2026, 5, 12)
        assert service_period_of(segments, 0).end == date(2026, 5, 12)
        assert end_instant_of(segments, 0) == start_instant_of(segments, 1) == trial_end

    @pytest.mark.proves("SCH-11")
    def test_on_a_billing_day_the_wall_time_of_the_boundary_counts_if_it_is_later(self):
        cycle = open_cycle(date(2026, 4, 20), MONTHLY, StartDay(), zone=BERLIN, at=time(10))
        segments = open_segment((), cycle, utc("2026-04-20T06:00"), first_index=0, reason=SegmentReason.START)
        assert start_instant_of(segments, 0) == utc("2026-04-20T08:00")

    @pytest.mark.proves("SCH-11")
    def test_a_service_that_ends_on_a_day_ends_at_the_wall_time_of_its_boundaries(self):
        segments = begin(date(2026, 4, 20))
        assert end_instant_of(segments, 0, end=date(2026, 5, 3)) == utc("2026-05-02T22:00")
        assert end_instant_of(segments, 0, end=date(2026, 8, 3)) == utc("2026-05-19T22:00")


class TestWhenThingsAreDue:
    SEGMENTS = begin(date(2026, 3, 30))

    @pytest.mark.proves("SCH-13")
    def test_in_advance_a_period_is_due_when_it_begins(self):
        assert due_in_advance(self.SEGMENTS, 1) == start_instant_of(self.SEGMENTS, 1) == utc("2026-04-29T22:00")
        moved = {1: date(2026, 5, 3)}
        assert due_in_advance(self.SEGMENTS, 1, moved=moved) == utc("2026-05-02T22:00")

    @pytest.mark.proves("SCH-13")
    @pytest.mark.parametrize(
        ("ahead", "due"),
        [(timedelta(days=7), "2026-03-22T23:00"), (timedelta(hours=36), "2026-03-28T11:00")],
        ids=["7 days", "36 hours"],
    )
    def test_a_bill_some_days_ahead_keeps_the_wall_time_though_clocks_change(self, ahead, due):
        assert due_in_advance(self.SEGMENTS, 0, bill_ahead=ahead) == utc(due)

    @pytest.mark.proves("SCH-13")
    def test_in_arrears_a_period_is_due_when_it_ends_and_usage_a_while_later(self):
        hour = timedelta(hours=1)
        assert due_in_arrears(self.SEGMENTS, 0) == utc("2026-04-29T22:00")
        assert due_in_arrears(self.SEGMENTS, 0, usage_grace=hour) == utc("2026-04-29T23:00")
        assert due_in_arrears(self.SEGMENTS, 0, end=date(2026, 4, 10)) == utc("2026-04-09T22:00")
        assert due_in_arrears(self.SEGMENTS, 0, moved={1: date(2026, 5, 3)}) == utc("2026-05-02T22:00")

    @pytest.mark.proves("SCH-13")
    def test_an_accounts_own_delay_comes_on_top(self):
        minute, hour = timedelta(minutes=1), timedelta(hours=1)
        assert due_in_advance(self.SEGMENTS, 1, bill_ahead=hour, delay=minute) == utc("2026-04-29T21:01")
        assert due_in_arrears(self.SEGMENTS, 0, usage_grace=hour, delay=minute) == utc("2026-04-29T23:01")

    @pytest.mark.proves("SCH-13")
    def test_the_delay_of_an_account_is_the_same_for_ever(self):
        hour = timedelta(hours=1)
        assert delay_of("account-1", hour) == timedelta(minutes=39, seconds=26)
        assert delay_of("account-2", hour) == timedelta(minutes=10, seconds=51)

    @pytest.mark.proves("SCH-13")
    @given(st.text(), st.timedeltas(timedelta(seconds=1), timedelta(days=2)))
    def test_a_delay_stays_within_the_spread(self, account, spread):
        assert timedelta(0) <= delay_of(account, spread) < spread

    @pytest.mark.proves("SCH-13")
    def test_without_a_spread_nobody_waits_and_with_one_accounts_are_spread_evenly(self):
        assert delay_of("account-1", timedelta(0)) == timedelta(0)
        minutes = [
            delay_of(f"account-{number}", timedelta(minutes=10)) // timedelta(minutes=1) for number in range(1000)
        ]
        assert all(60 < minutes.count(minute) < 140 for minute in range(10))
