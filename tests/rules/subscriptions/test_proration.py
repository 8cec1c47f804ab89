from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Anchor, Cycle, Interval
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.money import AmountTooLarge, BadShare, Money, NothingToAllocateTo, total
from shopaccounts.kernel.time import DateOutOfRange, InvalidDateSequence, instant_of, start_of_day, zone
from shopaccounts.serial import dump, load
from shopaccounts.subscriptions.cycles.proration import (
    Factor,
    Method,
    StubPricing,
    factor,
    factor_between,
    factor_left,
    factors,
    line_amount,
    period_factor,
    prorate,
    shown_sum,
    split_price,
)
from shopaccounts.subscriptions.cycles.schedules import (
    DayOfMonth,
    Schedule,
    SegmentReason,
    StartDay,
    open_cycle,
    service_period,
)
from shopaccounts.subscriptions.cycles.segments import open_segment, service_period_of
from shopaccounts.subscriptions.policy.cycles import (
    BoundaryClock,
    ChangeDay,
    CyclePolicy,
    FixedDiscountOnStub,
    ProrationPolicy,
    ZoneFrom,
)

BERLIN = zone("Europe/Berlin")
MONTHLY, QUARTERLY, YEARLY = Interval.months(1), Interval.quarters(1), Interval.years(1)
DAYS, MONTHS_OF_30, SECONDS, NONE = Method.ACTUAL_DAYS, Method.FIXED_30, Method.SECONDS, Method.NONE
NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def eur(text: str) -> Money:
    return Money.of(text, "EUR")


def cycle_on(day: int, interval: Interval = MONTHLY, start: date = date(2026, 1, 1)) -> Cycle:
    return Cycle(Anchor(year=start.year, month=start.month, day=day, zone=BERLIN), interval)


def part(cycle: Cycle, start: date, end: date, method: Method) -> Factor:
    """The factor of a part of the nominal period that *start* is in."""
    return factor(cycle, cycle.period(cycle.index_on(start)), start, end, method)


def exact(f: Factor) -> Fraction:
    return Fraction(f.numerator, f.denominator)


@st.composite
def cut_periods(draw: st.DrawFn) -> tuple[Cycle, int, list[date]]:
    """Draw a nominal period and days at which it is cut, from its start to its end."""
    interval = draw(
        st.one_of(
            st.integers(1, 24).map(Interval.months),
            st.integers(1, 3).map(Interval.years),
            st.integers(1, 100).map(Interval.days),
            st.integers(1, 10).map(Interval.weeks),
        )
    )
    start = draw(st.dates(date(1971, 1, 1), date(2100, 12, 31)))
    day = draw(st.integers(1, 31)) if interval.total_months else start.day
    at = draw(st.sampled_from([time(0), time(2, 30), time(15, 20, 7)]))
    cycle = Cycle(Anchor(year=start.year, month=start.month, day=day, at=at, zone=BERLIN), interval)
    n = draw(st.integers(-20, 20))
    nominal = cycle.period(n)
    offsets = draw(st.lists(st.integers(0, nominal.days), max_size=5))
    return cycle, n, [nominal.start + timedelta(days=offset) for offset in [0, *sorted(offsets), nominal.days]]


class TestCalendarDays:
    @pytest.mark.proves("PRO-1")
    def test_a_part_is_its_days_over_the_days_of_the_nominal_period(self):
        cycle = cycle_on(5, start=date(2029, 3, 5))
        assert part(cycle, date(2029, 3, 18), date(2029, 4, 5), DAYS) == Factor(18, 31, DAYS)

    @pytest.mark.proves("PRO-1", "SCH-3")
    def test_a_stub_into_a_short_month_is_measured_by_the_period_of_the_grid(self):
        start = date(2029, 2, 11)
        cycle = open_cycle(start, MONTHLY, DayOfMonth(30), zone=BERLIN)
        stub = service_period(Schedule(cycle, start), 0)
        assert period_factor(cycle, stub, DAYS) == Factor(17, 29, DAYS)

    @pytest.mark.proves("PRO-1")
    def test_the_day_on_which_clocks_change_is_a_day(self):
        cycle = cycle_on(10, start=date(2027, 3, 10))
        assert part(cycle, date(2027, 3, 27), date(2027, 3, 29), DAYS) == Factor(2, 31, DAYS)

    @pytest.mark.proves("PRO-1", "PRO-5")
    def test_days_beyond_the_period_make_more_than_the_whole(self):
        assert part(cycle_on(10), date(2026, 1, 10), date(2026, 2, 14), DAYS) == Factor(35, 31, DAYS)

    @pytest.mark.proves("PRO-1")
    def test_no_days_are_no_part(self):
        assert part(cycle_on(10), date(2026, 1, 12), date(2026, 1, 12), DAYS) == Factor(0, 31, DAYS)


class TestMonthsOf30Days:
    @pytest.mark.proves("PRO-2")
    @pytest.mark.parametrize(
        ("day", "start", "end", "thirtieths"),
        [
            (20, date(2026, 1, 20), date(2026, 2, 10), 20),
            (31, date(2031, 1, 31), date(2031, 2, 14), 13),
            (31, date(2031, 2, 14), date(2031, 2, 28), 17),
            (31, date(2031, 1, 31), date(2031, 2, 28), 30),
            (31, date(2031, 2, 28), date(2031, 3, 31), 30),
            (20, date(2026, 2, 28), date(2026, 3, 1), 3),
            (20, date(2026, 1, 31), date(2026, 2, 1), 0),
            (20, date(2026, 4, 30), date(2026, 5, 1), 1),
        ],
    )
    def test_each_month_has_30_days_and_a_boundary_is_the_day_that_was_agreed(self, day, start, end, thirtieths):
        cycle = cycle_on(day, start=date(2026, 1, 1))
        assert part(cycle, start, end, MONTHS_OF_30) == Factor(thirtieths, 30, MONTHS_OF_30)

    @pytest.mark.proves("PRO-2")
    def test_an_interval_of_several_months_has_30_days_for_each(self):
        quarters = cycle_on(31, QUARTERLY, start=date(2031, 1, 31))
        assert part(quarters, date(2031, 1, 31), date(2031, 2, 28), MONTHS_OF_30) == Factor(27, 90, MONTHS_OF_30)
        years = cycle_on(31, YEARLY, start=date(2031, 1, 31))
        assert part(years, date(2031, 1, 31), date(2032, 1, 31), MONTHS_OF_30) == Factor(360, 360, MONTHS_OF_30)

    @pytest.mark.proves("PRO-2")
    @pytest.mark.parametrize("interval", [Interval.days(31), Interval.weeks(2)])
    def test_days_and_weeks_are_counted_by_the_calendar_and_the_factor_says_so(self, interval):
        cycle = cycle_on(5, interval)
        found = part(cycle, date(2026, 1, 5), date(2026, 1, 12), MONTHS_OF_30)
        assert found == Factor(7, interval.total_days, DAYS)


class TestSeconds:
    CYCLE = cycle_on(10, start=date(2027, 3, 10))

    @pytest.mark.proves("PRO-3")
    def test_the_month_in_which_clocks_are_set_forward_is_an_hour_shorter(self):
        change = instant_of(date(2027, 3, 25), time(12), BERLIN)
        rest = factor_between(self.CYCLE, 0, change, self.CYCLE.boundary_instant(1))
        assert rest == Factor(1_335_600, 2_674_800, SECONDS)
        assert prorate(eur("46.50"), rest) == eur("23.22")

    @pytest.mark.proves("PRO-3")
    def test_days_are_taken_at_the_wall_time_of_the_boundaries(self):
        whole = part(self.CYCLE, date(2027, 3, 10), date(2027, 4, 10), SECONDS)
        assert whole == Factor(2_674_800, 2_674_800, SECONDS)
        short_day = part(self.CYCLE, date(2027, 3, 28), date(2027, 3, 29), SECONDS)
        assert short_day == Factor(23 * 3600, 2_674_800, SECONDS)
        at_nine = Cycle(Anchor.on(date(2027, 3, 10), BERLIN, time(9)), MONTHLY)
        assert part(at_nine, date(2027, 3, 27), date(2027, 3, 28), SECONDS).numerator == 23 * 3600

    @pytest.mark.proves("PRO-3")
    def test_fractions_of_a_second_are_cut_off(self):
        start = self.CYCLE.boundary_instant(0)
        found = factor_between(self.CYCLE, 0, start, start + timedelta(seconds=9, microseconds=999_999))
        assert found.numerator == 9

    @pytest.mark.proves("PRO-3", "PRO-5")
    def test_seconds_beyond_the_period_make_more_than_the_whole(self):
        start = self.CYCLE.boundary_instant(0)
        assert factor_between(self.CYCLE, 0, start, start + timedelta(days=62)).numerator == 62 * 86_400

    @pytest.mark.proves("PRO-3")
    def test_a_day_that_never_was_has_no_parts(self):
        daily = Cycle(Anchor.on(date(1993, 8, 21), zone("Pacific/Kwajalein")), Interval.days(1))
        with pytest.raises(BadShare):
            factor_between(daily, 0, daily.boundary_instant(0), daily.boundary_instant(1))

    @pytest.mark.proves("PRO-3")
    def test_seconds_run_forward_between_aware_instants(self):
        start = self.CYCLE.boundary_instant(0)
        with pytest.raises(InvalidDateSequence):
            factor_between(self.CYCLE, 0, start, start - timedelta(microseconds=1))
        with pytest.raises(TypeError):
            factor_between(self.CYCLE, 0, start.replace(tzinfo=None), start)


class TestWholePeriodsOnly:
    @pytest.mark.proves("PRO-4")
    @pytest.mark.parametrize(
        ("start", "end", "whole"),
        [
            (date(2026, 1, 10), date(2026, 2, 10), 1),
            (date(2026, 1, 9), date(2026, 2, 11), 1),
            (date(2026, 1, 11), date(2026, 2, 10), 0),
            (date(2026, 1, 10), date(2026, 2, 9), 0),
            (date(2026, 1, 10), date(2026, 1, 10), 0),
        ],
    )
    def test_a_whole_period_costs_its_price_and_a_part_nothing(self, start, end, whole):
        cycle = cycle_on(10)
        assert factor(cycle, cycle.period(0), start, end, NONE) == Factor(whole, 1, NONE)


class TestCuts:
    @pytest.mark.proves("PRO-1", "PRO-2", "PRO-3")
    @given(cut_periods(), st.sampled_from([DAYS, MONTHS_OF_30, SECONDS]))
    def test_the_parts_of_any_cut_make_exactly_one(self, cut, method):
        cycle, n, days = cut
        parts = [factor(cycle, cycle.period(n), start, end, method) for start, end in pairwise(days)]
        assert sum(map(exact, parts)) == 1

    @pytest.mark.proves("PRO-3")
    @given(cut_periods(), st.lists(st.floats(0, 1), max_size=5))
    def test_the_seconds_of_any_cut_make_exactly_one(self, cut, places):
        cycle, n, _ = cut
        start, end = cycle.boundary_instant(n), cycle.boundary_instant(n + 1)
        instants = [start, *(start + (end - start) * place for place in sorted(places)), end]
        parts = [factor_between(cycle, n, earlier, later) for earlier, later in pairwise(instants)]
        assert sum(map(exact, parts)) == 1

    @pytest.mark.proves("PRO-5")
    def test_a_span_over_several_periods_is_cut_at_the_boundaries(self):
        cycle = cycle_on(5, start=date(2029, 3, 5))
        found = factors(cycle, date(2029, 3, 18), date(2029, 5, 20), DAYS)
        assert found == (Factor(18, 31, DAYS), Factor(30, 30, DAYS), Factor(15, 31, DAYS))
        assert factors(cycle, date(2029, 3, 18), date(2029, 4, 5), DAYS) == found[:1]
        assert factors(cycle, date(2029, 3, 18), date(2029, 3, 18), DAYS) == ()

    @pytest.mark.proves("PRO-5")
    @given(cut_periods(), st.integers(0, 20), st.sampled_from([DAYS, MONTHS_OF_30, SECONDS, NONE]))
    def test_whole_periods_in_a_span_are_one_each(self, cut, count, method):
        cycle, n, _ = cut
        found = factors(cycle, cycle.boundary(n), cycle.boundary(n + count), method)
        assert [exact(each) for each in found] == [1] * count

    @pytest.mark.proves("PRO-5")
    def test_sums_are_shown_with_each_term_rounded_before_it_is_added(self):
        third = Factor(1, 3, DAYS)
        assert shown_sum([third, third, third]) == Decimal("0.999999999")
        assert shown_sum([Factor(18, 31, DAYS), Factor(30, 30, DAYS), Factor(15, 31, DAYS)]) == Decimal("2.064516129")
        assert shown_sum([]) == 0

    @pytest.mark.proves("PRO-1", "PRO-5")
    def test_time_runs_forward_and_is_counted_in_days(self):
        cycle = cycle_on(5)
        with pytest.raises(InvalidDateSequence):
            part(cycle, date(2026, 1, 6), date(2026, 1, 5), DAYS)
        with pytest.raises(InvalidDateSequence):
            factors(cycle, date(2026, 1, 6), date(2026, 1, 5), DAYS)
        for wrong in (
            lambda: factor(cycle, cycle.period(0), NOON, date(2026, 1, 6), DAYS),
            lambda: factor(cycle, cycle.period(0), date(2026, 1, 6), NOON, DAYS),
            lambda: factor(cycle, cycle.period(0), date(2026, 1, 6), date(2026, 1, 6), "actual_days"),  # type: ignore[arg-type]
            lambda: factors(cycle, NOON, date(2026, 1, 6), DAYS),
        ):
            with pytest.raises(TypeError):
                wrong()


class TestFactors:
    @pytest.mark.proves("PRO-5")
    @pytest.mark.parametrize(
        ("f", "digits", "shown"),
        [
            (Factor(18, 31, DAYS), 9, "0.580645161"),
            (Factor(2, 3, DAYS), 9, "0.666666667"),
            (Factor(1, 8, DAYS), 2, "0.13"),
            (Factor(35, 31, DAYS), 0, "1"),
            (Factor(0, 31, DAYS), 9, "0"),
        ],
    )
    def test_a_factor_is_shown_rounded_half_up(self, f, digits, shown):
        with localcontext(prec=2):
            assert f.rounded(digits) == Decimal(shown)

    @pytest.mark.proves("PRO-5")
    def test_nine_decimals_are_shown_unless_others_are_asked_for(self):
        assert str(Factor(1, 3, DAYS).rounded()) == "0.333333333"

    @pytest.mark.proves("PRO-1")
    @pytest.mark.parametrize(("numerator", "denominator"), [(-1, 31), (1, 0), (1, -31)])
    def test_a_factor_is_not_negative(self, numerator, denominator):
        with pytest.raises(BadShare):
            Factor(numerator, denominator, DAYS)

    @pytest.mark.proves("PRO-1")
    @pytest.mark.parametrize("values", [(True, 31, DAYS), (1, 31.0, DAYS), (1, 31, "actual_days"), ("1", 31, DAYS)])
    def test_a_factor_is_made_of_ints_and_a_method(self, values):
        with pytest.raises(TypeError):
            Factor(*values)

    @pytest.mark.proves("PRO-1")
    def test_a_factor_is_stored_and_read(self):
        assert load(Factor, dump(Factor(18, 31, MONTHS_OF_30))) == Factor(18, 31, MONTHS_OF_30)


class TestAmounts:
    @pytest.mark.proves("PRO-6")
    def test_a_line_is_rounded_once(self):
        f = Factor(18, 31, DAYS)
        assert line_amount(eur("3.33"), 7, f) == eur("13.53")
        assert prorate(eur("3.33"), f) * 7 == eur("13.51")

    @pytest.mark.proves("PRO-6")
    def test_a_price_for_many_units_stays_exact(self):
        assert line_amount(eur("3.50"), 1_234, Factor(1, 1, DAYS), per=1_000) == eur("4.32")
        assert line_amount(eur("3.50"), 1_234, Factor(10, 31, DAYS), per=1_000) == eur("1.39")

    @pytest.mark.proves("PRO-6")
    def test_the_factor_that_is_shown_is_not_the_one_that_is_charged(self):
        f = Factor(18, 31, DAYS)
        price = Money(10**12, "EUR")
        assert prorate(price, f).minor == 580_645_161_290
        assert int(f.rounded() * price.minor) == 580_645_161_000

    @pytest.mark.proves("PRO-6")
    @pytest.mark.parametrize(("quantity", "per"), [(True, 1), (1, True), (1.5, 1), (1, "1")])
    def test_quantities_are_ints(self, quantity, per):
        with pytest.raises(TypeError):
            line_amount(eur("3.33"), quantity, Factor(1, 2, DAYS), per=per)

    @pytest.mark.proves("PRO-6")
    def test_an_impossible_line_is_refused(self):
        half = Factor(1, 2, DAYS)
        for quantity, per in ((-1, 1), (1, 0), (1, -1)):
            with pytest.raises(BadShare):
                line_amount(eur("3.33"), quantity, half, per=per)
        with pytest.raises(AmountTooLarge):
            line_amount(Money(2**62, "EUR"), 5, half)

    @pytest.mark.proves("PRO-7")
    def test_a_total_is_the_sum_of_lines_that_were_rounded_one_by_one(self):
        f = Factor(10, 31, DAYS)
        lines = [prorate(eur("10.00"), f) for _ in range(3)]
        assert total(lines, "EUR") == eur("9.69")
        assert prorate(eur("30.00"), f) == eur("9.68")

    @pytest.mark.proves("PRO-7")
    def test_a_credit_is_rounded_as_a_charge_is(self):
        half = Factor(1, 2, DAYS)
        assert [prorate(eur("9.99"), half), prorate(eur("-9.99"), half)] == [eur("5.00"), eur("-5.00")]

    @pytest.mark.proves("PRO-7")
    def test_one_price_over_several_lines_comes_out_exactly(self):
        assert split_price(eur("10.00"), [3, 3, 1]) == (eur("4.29"), eur("4.28"), eur("1.43"))
        with pytest.raises(NothingToAllocateTo):
            split_price(eur("10.00"), [])

    @pytest.mark.proves("PRO-7")
    @given(cut_periods(), st.integers(0, 10**9))
    def test_the_lines_of_a_cut_period_add_up_to_its_price(self, cut, minor):
        _, _, days = cut
        price = Money(minor, "EUR")
        lines = split_price(price, [(end - start).days for start, end in pairwise(days)])
        assert total(lines, "EUR") == price


class TestStubs:
    SCHEDULE = Schedule(
        open_cycle(date(2026, 3, 18), MONTHLY, DayOfMonth(5), zone=BERLIN), date(2026, 3, 18), date(2026, 5, 20)
    )
    PRICES = (eur("31.00"), eur("30.00"), eur("31.00"))

    def charged(self, **stubs: StubPricing) -> list[Factor]:
        periods = [service_period(self.SCHEDULE, index) for index in range(3)]
        return [period_factor(self.SCHEDULE.cycle, period, DAYS, **stubs) for period in periods]

    @pytest.mark.proves("SCH-8")
    def test_a_stub_costs_its_share_unless_the_shop_says_otherwise(self):
        assert self.charged() == [Factor(18, 31, DAYS), Factor(30, 30, DAYS), Factor(15, 31, DAYS)]
        assert self.charged(first_stub=StubPricing.PRORATE, last_stub=StubPricing.PRORATE) == self.charged()

    @pytest.mark.proves("SCH-8")
    def test_a_stub_may_cost_as_much_as_a_whole_period(self):
        assert self.charged(first_stub=StubPricing.FULL) == [
            Factor(18, 18, DAYS),
            Factor(30, 30, DAYS),
            Factor(15, 31, DAYS),
        ]

    @pytest.mark.proves("SCH-8")
    def test_a_stub_may_cost_nothing(self):
        first, whole, last = self.charged(last_stub=StubPricing.FREE)
        assert (first, whole) == (Factor(18, 31, DAYS), Factor(30, 30, DAYS))
        assert prorate(eur("29.90"), last) == eur("0.00")

    @pytest.mark.proves("SCH-8")
    def test_a_period_that_is_both_the_first_stub_and_the_last_is_priced_as_the_first(self):
        both = service_period(Schedule(self.SCHEDULE.cycle, date(2026, 3, 18), date(2026, 3, 20)), 0)
        free = period_factor(self.SCHEDULE.cycle, both, DAYS, first_stub=StubPricing.FREE)
        assert free.numerator == 0
        assert period_factor(self.SCHEDULE.cycle, both, DAYS, last_stub=StubPricing.FREE) == Factor(2, 31, DAYS)

    @pytest.mark.proves("SCH-8")
    @pytest.mark.parametrize("method", [MONTHS_OF_30, NONE])
    def test_a_stub_without_units_may_cost_a_whole_period_too(self, method):
        start = date(2026, 1, 31)
        cycle = open_cycle(start, MONTHLY, DayOfMonth(1), zone=BERLIN)
        stub = service_period(Schedule(cycle, start), 0)
        assert period_factor(cycle, stub, method).numerator == 0
        assert period_factor(cycle, stub, method, first_stub=StubPricing.FULL) == Factor(1, 1, method)


class TestMovedCycles:
    CYCLE = open_cycle(date(2026, 4, 20), MONTHLY, StartDay(), zone=BERLIN)
    SEGMENTS = open_segment(
        (), CYCLE, start_of_day(date(2026, 4, 20), BERLIN), first_index=0, reason=SegmentReason.START
    )

    @pytest.mark.proves("PRO-8")
    @pytest.mark.parametrize("to", [date(2026, 5, 13), date(2026, 5, 27)])
    def test_a_cycle_whose_boundary_is_moved_keeps_its_price(self, to):
        longer, shorter = (service_period_of(self.SEGMENTS, index, moved={1: to}) for index in range(2))
        assert period_factor(self.CYCLE, longer, DAYS) == Factor(30, 30, DAYS)
        assert period_factor(self.CYCLE, shorter, DAYS) == Factor(31, 31, DAYS)

    @pytest.mark.proves("PRO-8")
    def test_what_is_left_of_it_runs_to_its_actual_end_over_its_nominal_days(self):
        longer = service_period_of(self.SEGMENTS, 0, moved={1: date(2026, 5, 27)})
        assert factor_left(self.CYCLE, longer, date(2026, 5, 10), DAYS) == Factor(17, 30, DAYS)
        assert factor_left(self.CYCLE, longer, longer.start, DAYS) == Factor(37, 30, DAYS)
        assert factor_left(self.CYCLE, longer, longer.end, DAYS) == Factor(0, 30, DAYS)
        plain = service_period_of(self.SEGMENTS, 0)
        assert factor_left(self.CYCLE, plain, date(2026, 5, 10), DAYS) == Factor(10, 30, DAYS)

    @pytest.mark.proves("PRO-8")
    def test_a_stub_that_is_moved_keeps_the_price_of_the_stub(self):
        start = date(2026, 3, 18)
        cycle = open_cycle(start, MONTHLY, DayOfMonth(5), zone=BERLIN)
        at = start_of_day(start, BERLIN)
        segments = open_segment((), cycle, at, first_index=0, reason=SegmentReason.START)
        stub = service_period_of(segments, 0, moved={1: date(2026, 4, 9)})
        assert period_factor(cycle, stub, DAYS) == Factor(18, 31, DAYS)

    @pytest.mark.proves("PRO-8")
    def test_a_change_lies_within_the_period(self):
        period = service_period_of(self.SEGMENTS, 0)
        for outside in (date(2026, 4, 19), date(2026, 5, 21)):
            with pytest.raises(InvalidDateSequence):
                factor_left(self.CYCLE, period, outside, DAYS)
        with pytest.raises(TypeError):
            factor_left(self.CYCLE, period, NOON, DAYS)


class TestPolicies:
    @pytest.mark.proves("PRO-10")
    def test_the_day_of_a_change_belongs_to_what_comes_after_it(self):
        assert ProrationPolicy().first_unused(date(2026, 5, 23)) == date(2026, 5, 23)

    @pytest.mark.proves("PRO-10")
    def test_a_shop_may_count_the_day_of_a_change_as_used(self):
        policy = ProrationPolicy(change_day=ChangeDay.OLD)
        assert policy.first_unused(date(2026, 5, 31)) == date(2026, 6, 1)
        with pytest.raises(DateOutOfRange):
            policy.first_unused(date.max)

    @pytest.mark.proves("PRO-10")
    @pytest.mark.parametrize("change_day", ChangeDay)
    def test_a_change_is_on_a_day(self, change_day):
        with pytest.raises(TypeError):
            ProrationPolicy(change_day=change_day).first_unused(NOON)

    @pytest.mark.proves("PRO-1", "PRO-10")
    def test_parts_are_measured_in_calendar_days_and_fixed_discounts_granted_in_full(self):
        policy = ProrationPolicy()
        assert (policy.method, policy.fixed_discount_on_stub) == (DAYS, FixedDiscountOnStub.FULL)

    @pytest.mark.proves("SCH-8", "SCH-11")
    def test_stubs_are_prorated_and_periods_change_at_the_customers_midnight(self):
        policy = CyclePolicy()
        assert (policy.first_stub, policy.last_stub) == (StubPricing.PRORATE, StubPricing.PRORATE)
        assert (policy.zone_from, policy.clock, policy.week_start) == (ZoneFrom.CUSTOMER, BoundaryClock.MIDNIGHT, 1)

    @pytest.mark.proves("SCH-11")
    def test_periods_change_at_midnight_or_at_the_time_of_the_start(self):
        began = utc("2026-04-20T13:10")
        assert CyclePolicy().boundary_time(began, BERLIN) == time(0)
        assert CyclePolicy(clock=BoundaryClock.START_TIME).boundary_time(began, BERLIN) == time(15, 10)

    @pytest.mark.proves("SCH-11")
    def test_the_time_of_the_start_is_that_of_every_period_after_it(self):
        began = utc("2026-03-20T13:10")
        at = CyclePolicy(clock=BoundaryClock.START_TIME).boundary_time(began, BERLIN)
        cycle = open_cycle(date(2026, 3, 20), MONTHLY, StartDay(), zone=BERLIN, at=at)
        assert [cycle.boundary_instant(n) for n in range(2)] == [began, utc("2026-04-20T12:10")]

    @pytest.mark.proves("SCH-1")
    @pytest.mark.parametrize("week_start", [0, 8, True, 1.0])
    def test_a_week_begins_on_a_weekday(self, week_start):
        with pytest.raises(BadPolicy):
            CyclePolicy(week_start=week_start)
