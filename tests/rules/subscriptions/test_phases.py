"""Phases: their order, their days, and the pieces into which they cut a period."""

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.cycles import Anchor, Cycle, Interval
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import DateOutOfRange, add_months, zone
from shopaccounts.subscriptions.cycles.schedules import CalendarDay, DayOfMonth, StartDay, Weekday, open_cycle
from shopaccounts.subscriptions.errors import BadPlan
from shopaccounts.subscriptions.plans.phases import (
    Cycles,
    Days,
    Months,
    Phase,
    PhaseKind,
    phase_end,
    phase_on,
    phase_spans,
    phases_within,
    require_phases,
)
from shopaccounts.subscriptions.plans.tariffs import Flat, charge

BERLIN = zone("Europe/Berlin")
MONTHLY = Interval.months(1)
FULL = (Flat(Money.of("20.00", "EUR")),)
LESS = (Flat(Money.of("5.00", "EUR")),)
TRIAL, INTRO, FIXED_TERM, EVERGREEN = PhaseKind
FOR_EVER = Phase(EVERGREEN, None, FULL)


def monthly_from(day: date, nominal: int | None = None) -> Cycle:
    return Cycle(Anchor(year=day.year, month=day.month, day=nominal or day.day, zone=BERLIN), MONTHLY)


def ends(spans) -> list[date | None]:
    return [span.end for span in spans]


lengths = st.one_of(st.integers(1, 400).map(Days), st.integers(1, 24).map(Months), st.integers(1, 24).map(Cycles))
starts = st.dates(date(2001, 1, 1), date(2099, 12, 31))
month_intervals = st.sampled_from([MONTHLY, Interval.quarters(1), Interval.years(1)])
day_intervals = st.sampled_from([Interval.weeks(2), Interval.days(10)])


@st.composite
def plans(draw):
    """Draw phases, a start, and the cycle that begins them: on the start's own day or on another one of the month."""
    intro = st.builds(Phase, st.just(INTRO), lengths, st.just(LESS), st.none() | month_intervals | day_intervals)
    phases = (*draw(st.lists(intro, max_size=4)), FOR_EVER)
    interval, start = draw(month_intervals), draw(starts)
    day = draw(st.just(StartDay()) | st.integers(1, 31).map(DayOfMonth))
    return phases, start, open_cycle(start, interval, day, zone=BERLIN), interval


class TestTheOrder:
    @pytest.mark.proves("PLN-2")
    @pytest.mark.parametrize(
        "kinds",
        [
            (EVERGREEN,),
            (FIXED_TERM,),
            (TRIAL, EVERGREEN),
            (INTRO, INTRO, INTRO, EVERGREEN),
            (TRIAL, INTRO, FIXED_TERM),
            (TRIAL, INTRO, INTRO, FIXED_TERM, EVERGREEN),
        ],
    )
    def test_phases_come_in_their_order(self, kinds):
        phases = [Phase(kind, None if kind is EVERGREEN else Months(1), FULL) for kind in kinds]
        assert require_phases(phases) == {"EUR"}

    @pytest.mark.proves("PLN-2", "ABU-8")
    @pytest.mark.parametrize(
        "kinds",
        [
            (),
            (TRIAL,),
            (INTRO,),
            (TRIAL, INTRO),
            (TRIAL, TRIAL, EVERGREEN),
            (INTRO, TRIAL, EVERGREEN),
            (EVERGREEN, EVERGREEN),
            (EVERGREEN, FIXED_TERM),
            (FIXED_TERM, FIXED_TERM),
            (FIXED_TERM, INTRO, EVERGREEN),
            (EVERGREEN, INTRO),
        ],
    )
    def test_any_other_order_is_refused(self, kinds):
        phases = [Phase(kind, None if kind is EVERGREEN else Months(1), FULL) for kind in kinds]
        with pytest.raises(BadPlan) as refusal:
            require_phases(phases)
        assert refusal.value.problem

    @pytest.mark.proves("PLN-2")
    @pytest.mark.parametrize("kind", [TRIAL, INTRO, FIXED_TERM])
    def test_only_the_evergreen_phase_has_no_end(self, kind):
        with pytest.raises(BadPlan):
            Phase(kind, None, FULL)
        with pytest.raises(BadPlan):
            Phase(EVERGREEN, Months(1), FULL)

    @pytest.mark.proves("PLN-2")
    def test_only_a_trial_needs_no_price(self):
        assert Phase(TRIAL, Days(14)).currencies == frozenset()
        with pytest.raises(BadPlan):
            Phase(INTRO, Days(14))
        with pytest.raises(BadPlan):
            Phase(EVERGREEN, None)

    @pytest.mark.proves("PLN-2", "ABU-8")
    @pytest.mark.parametrize("length", [Days, Months, Cycles])
    def test_a_length_is_at_least_one_and_at_most_about_ten_years(self, length):
        most = 120 if length is Months else 3660
        assert length(1).count == 1
        assert length(most).count == most
        for count in (0, -1, most + 1, 10**12):
            with pytest.raises(BadPlan):
                length(count)
        for other in (1.5, True, "1", None):
            with pytest.raises(TypeError, match="must be int"):
                length(other)

    @pytest.mark.proves("PLN-2", "ABU-8")
    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda: Phase("intro", Days(1), FULL), id="kind"),  # type: ignore[arg-type]
            pytest.param(lambda: Phase(INTRO, 14, FULL), id="length"),  # type: ignore[arg-type]
            pytest.param(lambda: Phase(INTRO, Days(1), (Money.of("1", "EUR"),)), id="price"),  # type: ignore[arg-type]
            pytest.param(lambda: Phase(INTRO, Days(1), FULL, "P1M"), id="interval"),  # type: ignore[arg-type]
        ],
    )
    def test_the_parts_of_a_phase_are_of_their_types(self, make):
        with pytest.raises(TypeError):
            make()

    @pytest.mark.proves("PLN-4", "ABU-8", "MON-3")
    @pytest.mark.parametrize("prices", [(*FULL, *LESS), (Flat(Money.of("20.00", "HRK")),)], ids=["twice", "withdrawn"])
    def test_a_phase_has_one_price_in_a_currency_that_is_in_use(self, prices):
        with pytest.raises(BadPlan):
            Phase(EVERGREEN, None, prices)

    @pytest.mark.proves("PLN-4", "PLN-5")
    def test_all_phases_are_sold_in_the_same_currencies(self):
        dollars = Flat(Money.of("6.00", "USD"))
        with pytest.raises(BadPlan):
            require_phases((Phase(INTRO, Days(9), (*LESS, dollars)), FOR_EVER))
        assert require_phases((Phase(TRIAL, Days(9)), Phase(EVERGREEN, None, (*FULL, dollars)))) == {"EUR", "USD"}


class TestTheDays:
    @pytest.mark.proves("PLN-2")
    def test_days_run_from_the_first_day_of_the_phase(self):
        start = date(2029, 3, 20)
        assert phase_end(Days(14), start, monthly_from(start)) == date(2029, 4, 3)

    @pytest.mark.proves("PLN-2")
    def test_months_take_the_last_day_of_a_shorter_month(self):
        start = date(2031, 1, 31)
        cycle = monthly_from(start)
        assert phase_end(Months(1), start, cycle) == date(2031, 2, 28)
        assert phase_end(Months(2), start, cycle) == date(2031, 3, 31)

    @pytest.mark.proves("PLN-2")
    def test_months_upon_months_do_not_drift(self):
        start = date(2031, 1, 31)
        phases = (Phase(INTRO, Months(1), LESS), Phase(INTRO, Months(1), LESS), FOR_EVER)
        for cycle in (monthly_from(start), Cycle(Anchor.on(start, BERLIN), Interval.years(1))):
            assert ends(phase_spans(phases, start, cycle, cycle.interval)) == [
                date(2031, 2, 28),
                date(2031, 3, 31),
                None,
            ]

    @pytest.mark.proves("PLN-2")
    def test_months_from_a_shortened_boundary_keep_the_agreed_day(self):
        cycle = monthly_from(date(2031, 1, 31))
        assert ends(phase_spans((Phase(INTRO, Months(1), LESS), FOR_EVER), date(2031, 2, 28), cycle, MONTHLY)) == [
            date(2031, 3, 31),
            None,
        ]
        inside = phase_spans((Phase(INTRO, Months(1), LESS), FOR_EVER), date(2031, 2, 27), cycle, MONTHLY)
        assert inside[0].end == date(2031, 3, 27)

    @pytest.mark.proves("PLN-2")
    def test_months_after_days_count_from_where_the_days_ended(self):
        phases = (Phase(TRIAL, Days(28)), Phase(INTRO, Months(1), LESS), FOR_EVER)
        spans = phase_spans(phases, date(2031, 1, 31), monthly_from(date(2031, 1, 31)), MONTHLY)
        assert ends(spans) == [date(2031, 2, 28), date(2031, 3, 31), None]
        spans = phase_spans(phases, date(2031, 1, 30), monthly_from(date(2031, 1, 31)), MONTHLY)
        assert ends(spans) == [date(2031, 2, 27), date(2031, 3, 27), None]

    @pytest.mark.proves("PLN-2")
    def test_a_leading_stub_does_not_use_up_a_cycle(self):
        start = date(2029, 3, 18)
        on_the_fifth = open_cycle(start, MONTHLY, DayOfMonth(5), zone=BERLIN)
        assert phase_end(Cycles(2), start, on_the_fifth) == date(2029, 6, 5)
        assert phase_end(Cycles(2), start, monthly_from(start)) == date(2029, 5, 18)
        assert phase_end(Cycles(1), date(2029, 2, 11), monthly_from(date(2029, 1, 30))) == date(2029, 3, 30)

    @pytest.mark.proves("PLN-2")
    def test_cycles_that_are_counted_anew_inside_a_phase_leave_out_what_is_done(self):
        moved = open_cycle(date(2029, 5, 18), MONTHLY, DayOfMonth(1), zone=BERLIN)
        assert phase_end(Cycles(6), date(2029, 5, 18), moved, done=2) == date(2029, 10, 1)

    @pytest.mark.proves("PLN-2")
    def test_a_fixed_term_ends(self):
        start = date(2029, 1, 1)
        spans = phase_spans((Phase(FIXED_TERM, Cycles(12), FULL),), start, monthly_from(start), MONTHLY)
        assert ends(spans) == [date(2030, 1, 1)]
        assert phase_on(spans, date(2029, 12, 31)) is spans[0]
        assert phase_on(spans, date(2030, 1, 1)) is None

    @pytest.mark.proves("PLN-2")
    def test_a_day_is_in_one_phase(self):
        start = date(2029, 3, 20)
        phases = (Phase(TRIAL, Days(14)), Phase(INTRO, Months(3), LESS), FOR_EVER)
        spans = phase_spans(phases, start, monthly_from(start), MONTHLY)
        assert ends(spans) == [date(2029, 4, 3), date(2029, 7, 3), None]
        on = {day: phase_on(spans, day) for day in (date(2029, 3, 19), start, date(2029, 4, 2), date(2029, 4, 3))}
        assert [span and span.phase.kind for span in on.values()] == [None, TRIAL, TRIAL, INTRO]
        assert phase_on(spans, date(2999, 1, 1)) is spans[-1]

    @pytest.mark.proves("PLN-2", "ABU-8")
    def test_phases_are_dates_and_stay_in_the_calendar(self):
        cycle = monthly_from(date(2029, 1, 1))
        noon = datetime(2029, 1, 1, 12)  # noqa: DTZ001  (what is refused)
        for ask in (
            lambda: phase_spans((FOR_EVER,), noon, cycle, MONTHLY),
            lambda: phase_end(Days(1), noon, cycle),
            lambda: phase_on((), noon),
            lambda: phases_within((), noon, date(2029, 1, 2)),
            lambda: phases_within((), date(2029, 1, 1), noon),
        ):
            with pytest.raises(TypeError):
                ask()
        for length in (Days(3660), Months(120), Cycles(3660)):
            with pytest.raises(DateOutOfRange):
                phase_end(length, date(9998, 1, 1), cycle)

    @pytest.mark.proves("PLN-2")
    @given(plans())
    def test_phases_follow_one_another_without_a_gap(self, plan):
        phases, start, cycle, interval = plan
        spans = phase_spans(phases, start, cycle, interval)
        assert [span.phase for span in spans] == list(phases)
        assert spans[0].start == start
        assert all(before.end == after.start > before.start for before, after in pairwise(spans))

    @pytest.mark.proves("PLN-2")
    @given(plans())
    def test_so_many_cycles_are_so_many_whole_cycles(self, plan):
        phases, start, cycle, interval = plan
        for span in phase_spans(phases, start, cycle, interval):
            if isinstance(span.phase.length, Cycles) and span.end:
                first = span.cycle.boundary_on_or_after(span.start)
                assert span.cycle.index_on(span.end) - span.cycle.index_on(first) == span.phase.length.count
                assert span.cycle.boundary_on_or_after(span.end) == span.end

    @pytest.mark.proves("PLN-2")
    @given(st.lists(st.integers(1, 12), min_size=1, max_size=5), starts, month_intervals)
    def test_months_in_pieces_end_where_the_months_together_would(self, counts, start, interval):
        phases = (*(Phase(INTRO, Months(count), LESS) for count in counts), FOR_EVER)
        spans = phase_spans(phases, start, Cycle(Anchor.on(start, BERLIN), interval), interval)
        assert spans[-1].start == add_months(start, sum(counts))


class TestTheCuts:
    @pytest.mark.proves("PLN-3")
    def test_a_period_with_a_change_has_a_piece_for_each_phase(self):
        start = date(2029, 5, 12)
        cycle = monthly_from(start)
        spans = phase_spans((Phase(INTRO, Days(11), LESS), FOR_EVER), start, cycle, MONTHLY)
        pieces = phases_within(spans, start, date(2029, 6, 12))
        assert [(piece.start, piece.end) for piece in pieces] == [
            (start, date(2029, 5, 23)),
            (date(2029, 5, 23), date(2029, 6, 12)),
        ]
        amounts = [
            charge(piece.phase.prices[0], 1, (piece.end - piece.start).days, 31) for piece in pieces if piece.end
        ]
        assert amounts == [Money.of("1.77", "EUR"), Money.of("12.90", "EUR")]
        assert pieces[0].cycle == pieces[1].cycle == cycle

    @pytest.mark.proves("PLN-3")
    def test_a_period_inside_one_phase_is_one_piece(self):
        start = date(2029, 5, 12)
        spans = phase_spans((Phase(INTRO, Months(1), LESS), FOR_EVER), start, monthly_from(start), MONTHLY)
        for begin, end, phase in (
            (start, date(2029, 6, 12), spans[0].phase),
            (date(2029, 6, 12), date(2029, 7, 12), FOR_EVER),
        ):
            (piece,) = phases_within(spans, begin, end)
            assert (piece.start, piece.end, piece.phase) == (begin, end, phase)

    @pytest.mark.proves("PLN-3")
    def test_what_lies_after_a_fixed_term_belongs_to_no_phase(self):
        start = date(2029, 1, 1)
        spans = phase_spans((Phase(FIXED_TERM, Days(20), FULL),), start, monthly_from(start), MONTHLY)
        (piece,) = phases_within(spans, start, date(2029, 2, 1))
        assert (piece.start, piece.end) == (start, date(2029, 1, 21))
        assert phases_within(spans, date(2029, 2, 1), date(2029, 3, 1)) == ()

    @pytest.mark.proves("PLN-3")
    @given(plans(), st.integers(0, 40))
    def test_the_pieces_of_a_period_are_its_days_each_once(self, plan, index):
        phases, start, cycle, interval = plan
        spans = phase_spans(phases, start, cycle, interval)
        period = cycle.period(cycle.index_on(start) + index)
        begin = max(period.start, start)
        pieces = phases_within(spans, begin, period.end)
        assert sum(((piece.end or date.max) - piece.start for piece in pieces), timedelta()) == period.end - begin
        assert all(before.end == after.start for before, after in pairwise(pieces))
        ruling = [phase_on(spans, piece.start) for piece in pieces]
        assert [span and span.phase for span in ruling] == [piece.phase for piece in pieces]

    @pytest.mark.proves("PLN-3")
    def test_a_phase_with_another_interval_counts_its_own_cycles(self):
        start = date(2029, 3, 20)
        phases = (Phase(INTRO, Cycles(2), LESS, Interval.weeks(1)), Phase(EVERGREEN, None, FULL))
        weekly = Cycle(Anchor.on(start, BERLIN), Interval.weeks(1))
        first, second = phase_spans(phases, start, weekly, MONTHLY)
        assert (first.end, first.cycle) == (date(2029, 4, 3), weekly)
        assert second.cycle == Cycle(Anchor.on(date(2029, 4, 3), BERLIN), MONTHLY)

    @pytest.mark.proves("PLN-3")
    def test_its_own_cycles_follow_the_billing_day_of_the_plan(self):
        start = date(2029, 3, 20)
        phases = (Phase(INTRO, Days(10), LESS), Phase(INTRO, Cycles(1), LESS, Interval.quarters(1)), FOR_EVER)
        first, second, third = phase_spans(phases, start, monthly_from(start), MONTHLY, CalendarDay())
        assert (first.end, second.end) == (date(2029, 3, 30), date(2029, 7, 1))
        assert second.cycle.period(second.cycle.index_on(second.start)).start == date(2029, 1, 1)
        assert third.cycle.boundary_on_or_after(third.start) == date(2029, 7, 1)
        with pytest.raises(BadPlan):
            phase_spans(phases, start, monthly_from(start), MONTHLY, Weekday(1))


def test_phases_survive_storage():
    for phase in (Phase(TRIAL, Days(14)), Phase(INTRO, Cycles(3), LESS, Interval.weeks(2)), FOR_EVER):
        assert serial.load(Phase, serial.dump(phase)) == phase
        assert hash(phase) == hash(serial.load(Phase, serial.dump(phase)))
