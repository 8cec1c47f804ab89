"""Plans: what a shop may offer, what is refused, and how far a term is."""

from datetime import date, datetime
from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.cycles import Anchor, BillingMode, Cycle, Interval
from shopaccounts.kernel.money import (
    BadRate,
    BadShare,
    CurrencyMismatch,
    Money,
    NothingToAllocateTo,
    Rate,
    share,
    total,
)
from shopaccounts.kernel.time import BadInterval, zone
from shopaccounts.subscriptions.cycles.schedules import DayOfMonth, DayOfYear, StartDay, Weekday
from shopaccounts.subscriptions.errors import BadPlan, BadQuantity, NoPriceInCurrency
from shopaccounts.subscriptions.plans.add_ons import LARGEST_QUANTITY, minimum_due, prepaid
from shopaccounts.subscriptions.plans.comparing import months_in
from shopaccounts.subscriptions.plans.offers import (
    MOST_LINES,
    AddOn,
    AfterPrepaid,
    Alignment,
    AtCommitmentEnd,
    CatchUpMode,
    Cycles,
    Days,
    DeliveryPlan,
    Direction,
    Fee,
    FirstDelivery,
    Goods,
    Metered,
    MinimumSpend,
    Months,
    Phase,
    PhaseKind,
    Plan,
    PlanId,
    PlanVersion,
    PlanVersionId,
    PrepayOption,
    Priced,
    QuantityRule,
    Refuse,
    RemainderDue,
    SetupFee,
    SetupFeeWhen,
    ShipWhen,
    Term,
    TrialTerms,
    direction,
    per_month,
    price_in,
)
from shopaccounts.subscriptions.plans.tariffs import Flat, Graduated, PerUnit, Tier
from shopaccounts.subscriptions.plans.terms import next_term, term_progress

TRIAL, INTRO, FIXED_TERM, EVERGREEN = PhaseKind
MONTHLY = Interval.months(1)
QUARTERLY = Interval.quarters(1)
YEARLY = Interval.years(1)
COFFEE = Plan(id=PlanId("coffee"), code="coffee box", group="boxes", goods=Goods.PHYSICAL)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


FULL = (Flat(eur("17.90")), Flat(usd("19.90")))
SIMPLE = PlanVersion(
    id=PlanVersionId("coffee 1"), plan=COFFEE, phases=(Phase(EVERGREEN, None, FULL),), interval=MONTHLY
)
RICH = PlanVersion(
    id=PlanVersionId("coffee 2"),
    plan=COFFEE,
    phases=(
        Phase(TRIAL, Days(14)),
        Phase(INTRO, Months(3), (Flat(eur("9.90")), Flat(usd("10.90")))),
        Phase(FIXED_TERM, Cycles(12), (PerUnit(eur("3.50"), 1000), Graduated((Tier(None, usd("4.00")),)))),
        Phase(EVERGREEN, None, FULL, QUARTERLY),
    ),
    interval=MONTHLY,
    billing_day=DayOfMonth(5),
    alignment=Alignment.CALENDAR,
    mode=BillingMode.IN_ARREARS,
    quantities=QuantityRule(2, 10, 2),
    add_ons=(
        AddOn(key="cups", product="two cups", prices=FULL, cycles=Cycles(1)),
        AddOn(key="support", product="support", prices=FULL[:1], mode=BillingMode.IN_ARREARS, tax_category="service"),
    ),
    metered=(Metered(key="tastings", meter="tasted", prices=FULL, included=3),),
    setup_fee=SetupFee((eur("5.00"), usd("6.00")), SetupFeeWhen.AT_START),
    minimum=(MinimumSpend(eur("8.00")), MinimumSpend(usd("9.00"))),
    prepay=(PrepayOption(6, Rate.percent("10")), PrepayOption(12, Rate.percent("15"), AfterPrepaid.EXPIRE)),
    term=Term(12, 6, auto_renew=True, renewal_cycles=3),
    early_exit=RemainderDue(),
    tax_category="food",
    deliveries=DeliveryPlan(
        interval=Interval.weeks(2), day=Weekday(2), first=FirstDelivery.NEXT_DATE, ship_when=ShipWhen.INVOICED
    ),
    trial=TrialTerms(needs_payment_method=True),
    catch_up=CatchUpMode.HOLD,
)


def changed(**fields):
    """The simple version with other fields."""
    return attrs.evolve(SIMPLE, **fields)


class TestVersions:
    @pytest.mark.proves("PLN-1")
    def test_a_version_never_changes(self):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            SIMPLE.interval = YEARLY  # type: ignore[misc]
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            SIMPLE.phases[0].prices = ()  # type: ignore[misc]
        with pytest.raises(TypeError):
            changed(phases=[Phase(EVERGREEN, None, FULL)])
        assert hash(changed()) == hash(SIMPLE)

    @pytest.mark.proves("PLN-1")
    def test_a_version_has_all_that_a_plan_can_have_and_survives_storage(self):
        for version in (SIMPLE, RICH):
            assert serial.load(PlanVersion, serial.dump(version)) == version

    @pytest.mark.proves("PLN-1")
    @pytest.mark.parametrize("way", [AtCommitmentEnd(), Refuse(), RemainderDue(), Fee(eur("30.00"))])
    def test_each_way_to_leave_early_survives_storage(self, way):
        euros = (Phase(EVERGREEN, None, FULL[:1]),)
        version = changed(phases=euros, term=Term(12, 12), early_exit=way)
        assert serial.load(PlanVersion, serial.dump(version)).early_exit == way

    @pytest.mark.proves("PLN-1")
    def test_the_edits_of_a_plan_count_from_one(self):
        assert COFFEE.version == 1
        with pytest.raises(BadPlan):
            attrs.evolve(COFFEE, version=0)

    @pytest.mark.proves("PLN-1")
    def test_what_a_plan_leaves_open_is_the_shops_to_say(self):
        open_ = (SIMPLE.alignment, SIMPLE.early_exit, SIMPLE.trial, SIMPLE.catch_up)
        assert open_ == (None, None, None, None)
        assert SIMPLE.billing_day == StartDay()
        assert SIMPLE.mode is BillingMode.IN_ADVANCE

    @pytest.mark.proves("PLN-1", "ABU-8")
    @pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201])
    def test_names_can_be_read(self, name):
        with pytest.raises(BadPlan):
            attrs.evolve(COFFEE, code=name)
        with pytest.raises(BadPlan):
            attrs.evolve(COFFEE, group=name)
        with pytest.raises(BadPlan):
            AddOn(key=name, product="cups", prices=FULL)

    @pytest.mark.proves("PLN-1", "ABU-8")
    @pytest.mark.parametrize(
        "fields",
        [
            {"plan": "coffee"},
            {"phases": (FULL,)},
            {"interval": "P1M"},
            {"billing_day": 5},
            {"alignment": "customer"},
            {"mode": "in_advance"},
            {"quantities": 3},
            {"add_ons": ("cups",)},
            {"metered": ("cups",)},
            {"setup_fee": FULL[0]},
            {"minimum": (eur("1"),)},
            {"prepay": (6,)},
            {"term": 12},
            {"early_exit": "refuse"},
            {"tax_category": None},
            {"deliveries": MONTHLY},
            {"trial": 14},
            {"catch_up": "each"},
        ],
        ids=lambda fields: next(iter(fields)),
    )
    def test_the_parts_of_a_version_are_of_their_types(self, fields):
        with pytest.raises(TypeError):
            changed(**fields)

    @pytest.mark.proves("ABU-8")
    def test_an_interval_of_nothing_and_a_day_that_never_comes_are_refused(self):
        with pytest.raises(BadInterval):
            changed(interval=Interval.months(0))
        for day in (0, 32):
            with pytest.raises(BadPlan):
                changed(billing_day=DayOfMonth(day))


class TestWhatContradictsItself:
    @pytest.mark.proves("PLN-2", "ABU-8")
    def test_phases_make_a_plan(self):
        for phases in ((), (Phase(TRIAL, Days(9)),), (Phase(EVERGREEN, None, FULL),) * 2):
            with pytest.raises(BadPlan):
                changed(phases=phases)

    @pytest.mark.proves("PLN-5")
    def test_the_prices_of_a_plan_are_found_by_currency(self):
        assert SIMPLE.currencies == RICH.currencies == {"EUR", "USD"}
        assert price_in(SIMPLE, "USD") == (Flat(usd("19.90")),)
        assert price_in(RICH, "EUR") == (None, Flat(eur("9.90")), PerUnit(eur("3.50"), 1000), Flat(eur("17.90")))

    @pytest.mark.proves("PLN-5")
    def test_a_plan_is_not_sold_where_it_has_no_price(self):
        for version in (SIMPLE, RICH):
            with pytest.raises(NoPriceInCurrency) as refusal:
                price_in(version, "CHF")
            assert refusal.value.currency == "CHF"

    @pytest.mark.proves("PLN-4", "PLN-5", "PLN-12")
    @pytest.mark.parametrize(
        "fields",
        [
            {"setup_fee": SetupFee((eur("5.00"),))},
            {"setup_fee": SetupFee((eur("5.00"), usd("5.00"), Money.of("5", "CHF")))},
            {"minimum": (MinimumSpend(usd("5.00")),)},
            {"minimum": (MinimumSpend(usd("5.00")), MinimumSpend(usd("6.00")))},
            {"metered": (Metered(key="calls", meter="calls", prices=FULL[:1]),)},
        ],
    )
    def test_what_everybody_pays_has_a_price_in_each_currency_of_the_plan(self, fields):
        with pytest.raises(BadPlan):
            changed(**fields)

    @pytest.mark.proves("PLN-4", "ABU-8", "MON-3")
    @pytest.mark.parametrize("code", ["HRK", "BGN", "ANG", "CUC", "SLL", "ZWL"])
    def test_nothing_new_is_sold_in_a_currency_that_went_out_of_use(self, code):
        old = Money.of("5.00", code)
        for make in (
            lambda: changed(phases=(Phase(EVERGREEN, None, (Flat(old),)),)),
            lambda: AddOn(key="cups", product="cups", prices=(Flat(old),)),
            lambda: Metered(key="calls", meter="calls", prices=(Flat(old),)),
            lambda: SetupFee((old,)),
        ):
            with pytest.raises(BadPlan, match=r"subscriptions\.bad_plan") as refusal:
                make()
            assert code in refusal.value.problem

    @pytest.mark.proves("PLN-4", "ABU-8")
    def test_a_line_has_one_price_in_a_currency(self):
        twice = (Flat(eur("1.00")), Flat(eur("2.00")))
        for make in (
            lambda: AddOn(key="cups", product="cups", prices=twice),
            lambda: AddOn(key="cups", product="cups", prices=()),
            lambda: Metered(key="calls", meter="calls", prices=twice),
            lambda: Metered(key="calls", meter="calls", prices=()),
            lambda: SetupFee((eur("1.00"), eur("2.00"))),
            lambda: SetupFee(()),
        ):
            with pytest.raises(BadPlan):
                make()

    @pytest.mark.proves("ABU-8")
    def test_a_setup_fee_is_above_zero(self):
        assert SetupFee((eur("0.01"),)).when is SetupFeeWhen.WITH_FIRST_PAID
        assert Metered(key="calls", meter="calls", prices=FULL).included == 0
        for amount in ("0.00", "-5.00"):
            with pytest.raises(BadPlan):
                SetupFee((usd("5.00"), eur(amount)))

    @pytest.mark.proves("PLN-6", "ABU-8")
    def test_a_plan_has_250_lines_at_most(self):
        add_ons = tuple(AddOn(key=f"no. {number}", product="cups", prices=FULL) for number in range(MOST_LINES - 2))
        calls = Metered(key="calls", meter="calls", prices=FULL)
        assert len(changed(add_ons=add_ons, metered=(calls,)).add_ons) == MOST_LINES - 2 == 248
        for more in (1, 10_000):
            extra = tuple(AddOn(key=f"more {number}", product="cups", prices=FULL) for number in range(more))
            with pytest.raises(BadPlan):
                changed(add_ons=(*add_ons, *extra), metered=(calls,))

    @pytest.mark.proves("PLN-6")
    @pytest.mark.parametrize("key", ["plan", "setup_fee", "cups", "calls"])
    def test_each_line_has_a_key_of_its_own(self, key):
        cups = AddOn(key="cups", product="cups", prices=FULL)
        calls = Metered(key="calls", meter="calls", prices=FULL)
        assert changed(add_ons=(cups,), metered=(calls,)).metered == (calls,)
        with pytest.raises(BadPlan):
            changed(add_ons=(cups, attrs.evolve(cups, key=key)), metered=(calls,))

    @pytest.mark.proves("SCH-2")
    @pytest.mark.parametrize(
        ("interval", "day"),
        [
            (Interval.weeks(1), DayOfMonth(5)),
            (Interval.days(30), DayOfYear(2, 5)),
            (MONTHLY, Weekday(1)),
            (Interval.days(7), Weekday(1)),
        ],
    )
    def test_a_billing_day_suits_every_interval_of_the_plan(self, interval, day):
        with pytest.raises(BadPlan):
            changed(interval=interval, billing_day=day)
        with pytest.raises(BadPlan):
            changed(phases=(Phase(INTRO, Days(30), FULL, interval), Phase(EVERGREEN, None, FULL)), billing_day=day)
        with pytest.raises(BadPlan):
            DeliveryPlan(interval=interval, day=day)

    @pytest.mark.proves("DLV-1")
    @pytest.mark.parametrize(
        ("billed", "delivered"),
        [(QUARTERLY, MONTHLY), (MONTHLY, MONTHLY), (MONTHLY, Interval.days(30)), (YEARLY, Interval.days(365))],
    )
    def test_boxes_may_come_more_often_than_bills(self, billed, delivered):
        boxes = DeliveryPlan(interval=delivered)
        assert changed(interval=billed, deliveries=boxes).deliveries == boxes

    @pytest.mark.proves("DLV-1")
    def test_what_a_delivery_plan_leaves_open_has_a_default(self):
        boxes = DeliveryPlan(interval=MONTHLY)
        assert boxes == DeliveryPlan(
            interval=MONTHLY, day=StartDay(), first=FirstDelivery.ASAP, cut_off_days=3, ship_when=None
        )

    @pytest.mark.proves("DLV-1")
    @pytest.mark.parametrize(
        ("billed", "delivered"),
        [
            (MONTHLY, QUARTERLY),
            (MONTHLY, Interval.days(31)),
            (MONTHLY, Interval.weeks(5)),
            (YEARLY, Interval.days(366)),
            (Interval.weeks(4), MONTHLY),
        ],
    )
    def test_boxes_never_come_less_often_than_bills(self, billed, delivered):
        with pytest.raises(BadPlan):
            changed(interval=billed, deliveries=DeliveryPlan(interval=delivered))
        with pytest.raises(BadPlan):
            changed(
                interval=Interval.years(10),
                phases=(Phase(INTRO, Days(30), FULL, billed), Phase(EVERGREEN, None, FULL)),
                deliveries=DeliveryPlan(interval=delivered),
            )

    @pytest.mark.proves("DLV-1", "ABU-8")
    def test_a_cut_off_is_up_to_a_year_before_a_delivery(self):
        assert [DeliveryPlan(interval=MONTHLY, cut_off_days=days).cut_off_days for days in (0, 365)] == [0, 365]
        for days in (-1, 366):
            with pytest.raises(BadPlan):
                DeliveryPlan(interval=MONTHLY, cut_off_days=days)
        with pytest.raises(TypeError, match="must be int"):
            DeliveryPlan(interval=MONTHLY, cut_off_days=1.5)  # type: ignore[arg-type]

    @pytest.mark.proves("PLN-1")
    def test_what_refers_to_something_needs_it(self):
        with pytest.raises(BadPlan):
            changed(trial=TrialTerms())
        with pytest.raises(BadPlan):
            changed(early_exit=Refuse())
        with pytest.raises(BadPlan):
            changed(term=Term(12, 12), early_exit=Fee(eur("30.00")))  # not what somebody pays who pays in dollars


class TestQuantities:
    @pytest.mark.proves("PLN-6", "ABU-8")
    def test_a_quantity_is_one_to_a_million(self):
        rule = QuantityRule()
        assert [rule.check(quantity) for quantity in (1, 2, LARGEST_QUANTITY)] == [1, 2, 1_000_000]
        for quantity in (0, -1, 10**6 + 1, 10**12):
            with pytest.raises(BadQuantity) as refusal:
                rule.check(quantity)
            assert (refusal.value.min, refusal.value.max, refusal.value.step) == (1, 1_000_000, 1)
        for other in (1.5, True, "1", None):
            with pytest.raises(TypeError, match="must be int"):
                rule.check(other)  # type: ignore[arg-type]

    @pytest.mark.proves("PLN-6")
    def test_a_plan_sets_bounds_and_steps(self):
        rule = QuantityRule(min=4, max=12, step=3)
        assert [rule.check(quantity) for quantity in (6, 9, 12)] == [6, 9, 12]
        for quantity in (1, 3, 4, 5, 7, 8, 10, 11, 13, 15):
            with pytest.raises(BadQuantity) as refusal:
                rule.check(quantity)
            assert (refusal.value.min, refusal.value.max, refusal.value.step) == (4, 12, 3)

    @pytest.mark.proves("PLN-6", "ABU-8")
    @pytest.mark.parametrize("numbers", [(0, 1, 1), (2, 1, 1), (1, 10**6 + 1, 1), (1, 1, 0), (4, 5, 3), (1, 2, 3)])
    def test_bounds_that_no_quantity_meets_are_refused(self, numbers):
        with pytest.raises(BadPlan):
            QuantityRule(*numbers)

    @pytest.mark.proves("PLN-6")
    @given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50), st.integers(1, 60))
    def test_a_rule_allows_something_or_is_no_rule(self, low, high, step, quantity):
        fitting = [number for number in range(low, high + 1) if number % step == 0]
        try:
            rule = QuantityRule(low, high, step)
        except BadPlan:
            assert not fitting
            return
        try:
            assert rule.check(quantity) in fitting
        except BadQuantity:
            assert quantity not in fitting


class TestTerms:
    CYCLE = Cycle(Anchor.on(date(2029, 1, 31), zone("UTC")), MONTHLY)
    START = date(2029, 1, 31)
    YEAR = Term(12, 6, auto_renew=True, renewal_cycles=3)

    def progress(self, done, on, start=START, term=YEAR):
        found = term_progress(term, done, self.CYCLE, start, on)
        return found.done, found.remaining, found.ends_on, found.earliest_end

    @pytest.mark.proves("PLN-10")
    def test_a_term_counts_down_whole_cycles(self):
        ends, bound_to = date(2030, 1, 31), date(2029, 7, 31)
        assert self.progress(0, self.START) == (0, 12, ends, bound_to)
        assert self.progress(0, date(2029, 2, 27)) == (0, 12, ends, bound_to)
        assert self.progress(1, date(2029, 2, 28)) == (1, 11, ends, bound_to)
        assert self.progress(5, date(2029, 6, 30)) == (5, 7, ends, bound_to)
        assert self.progress(5, date(2029, 7, 1)) == (5, 7, ends, bound_to)
        assert self.progress(11, date(2030, 1, 30)) == (11, 1, ends, ends)
        assert self.progress(12, ends) == (12, 0, ends, ends)

    @pytest.mark.proves("PLN-10")
    def test_after_the_minimum_the_next_boundary_is_a_way_out(self):
        assert self.progress(6, date(2029, 7, 31))[-1] == date(2029, 7, 31)
        assert self.progress(6, date(2029, 8, 1))[-1] == date(2029, 8, 31)
        assert self.progress(0, date(2029, 2, 1), term=Term(12))[-1] == date(2029, 2, 28)

    @pytest.mark.proves("PLN-10")
    def test_a_stub_does_not_count(self):
        start = date(2029, 2, 10)
        for on in (start, date(2029, 2, 27)):
            assert self.progress(0, on, start) == (0, 12, date(2030, 2, 28), date(2029, 8, 31))
        assert self.progress(0, date(2029, 2, 28), start) == (0, 12, date(2030, 2, 28), date(2029, 8, 31))

    @pytest.mark.proves("PLN-10")
    def test_a_skipped_cycle_makes_the_term_end_later(self):
        on = date(2029, 4, 30)
        assert self.progress(3, on) == (3, 9, date(2030, 1, 31), date(2029, 7, 31))
        assert self.progress(2, on) == (2, 10, date(2030, 2, 28), date(2029, 8, 31))

    @pytest.mark.proves("PLN-10")
    def test_a_term_is_followed_by_another_one_or_by_none(self):
        following = next_term(self.YEAR)
        assert following == Term(3, 0, auto_renew=True, renewal_cycles=3)
        assert next_term(following) == following
        assert next_term(Term(12, 12, auto_renew=True)) is None
        assert next_term(Term(12, 12)) is None

    @pytest.mark.proves("PLN-10", "ABU-8")
    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda: Term(0), id="no cycle"),
            pytest.param(lambda: Term(3661), id="too long"),
            pytest.param(lambda: Term(12, 13), id="bound for longer"),
            pytest.param(lambda: Term(12, -1), id="negative minimum"),
            pytest.param(lambda: Term(12, renewal_cycles=3), id="renewal that never comes"),
            pytest.param(lambda: Term(12, auto_renew=True, renewal_cycles=0), id="empty renewal"),
            pytest.param(lambda: Fee(eur("0.00")), id="no fee"),
            pytest.param(lambda: Fee(eur("-1.00")), id="negative fee"),
        ],
    )
    def test_a_term_that_contradicts_itself_is_refused(self, make):
        with pytest.raises(BadPlan):
            make()

    @pytest.mark.proves("PLN-10")
    def test_nobody_is_bound_unless_it_is_said(self):
        assert Term(12) == Term(12, 0, auto_renew=False, renewal_cycles=None)
        assert Fee(Money(1, "EUR")).money == eur("0.01")

    @pytest.mark.proves("PLN-10", "ABU-8")
    def test_terms_are_of_their_types(self):
        noon = datetime(2029, 1, 31, 12)  # noqa: DTZ001  (what is refused)
        for make in (
            lambda: Term(1.5),  # type: ignore[arg-type]
            lambda: Term(12, True),
            lambda: Term(12, auto_renew=1),  # type: ignore[arg-type]
            lambda: Fee(30),  # type: ignore[arg-type]
            lambda: self.progress(0, noon),
            lambda: self.progress(0, self.START, noon),
        ):
            with pytest.raises(TypeError):
                make()

    @pytest.mark.proves("PLN-10")
    @given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 80), st.integers(0, 28))
    def test_nobody_is_bound_beyond_the_minimum_or_less_than_it(self, cycles, minimum, done, days):
        term = Term(cycles, min(minimum, cycles))
        running = self.CYCLE.period(done)
        on = min(date.fromordinal(running.start.toordinal() + days), date.fromordinal(running.end.toordinal() - 1))
        found = term_progress(term, done, self.CYCLE, self.START, on)
        assert found.remaining == max(cycles - done, 0)
        assert found.earliest_end >= on
        assert found.earliest_end == max(self.CYCLE.boundary(term.min_cycles), self.CYCLE.boundary_on_or_after(on))


class TestTheMinimum:
    @pytest.mark.proves("PLN-12")
    @pytest.mark.parametrize(
        ("spent", "due"), [("0.00", "8.00"), ("7.99", "0.01"), ("8.00", "0.00"), ("8.01", "0.00"), ("-1.00", "9.00")]
    )
    def test_the_difference_to_the_minimum_is_due(self, spent, due):
        assert minimum_due(MinimumSpend(eur("8.00")), eur(spent)) == eur(due)

    @pytest.mark.proves("PLN-12")
    def test_a_stub_has_a_part_of_the_minimum(self):
        assert minimum_due(MinimumSpend(eur("8.00")), eur("1.00"), 17, 29) == eur("3.69")

    @pytest.mark.proves("PLN-12", "ABU-8")
    def test_a_minimum_is_an_amount_above_zero_in_the_same_currency(self):
        assert MinimumSpend(eur("0.01")).currency == "EUR"
        for amount in ("0.00", "-8.00"):
            with pytest.raises(BadPlan):
                MinimumSpend(eur(amount))
        with pytest.raises(TypeError):
            MinimumSpend(8)  # type: ignore[arg-type]
        with pytest.raises(CurrencyMismatch):
            minimum_due(MinimumSpend(eur("8.00")), usd("1.00"))
        with pytest.raises(BadShare):
            minimum_due(MinimumSpend(eur("8.00")), eur("1.00"), -1, 1)

    @pytest.mark.proves("PLN-12")
    @given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 31))
    def test_with_the_difference_at_least_the_minimum_is_spent(self, minimum, spent, days):
        least = MinimumSpend(Money(minimum, "EUR"))
        due = minimum_due(least, Money(spent, "EUR"), days, 31)
        assert due.minor + spent == max(spent, share(least.money, days, 31).minor)


class TestPaidInAdvance:
    @pytest.mark.proves("PLN-13")
    def test_the_reduction_is_rounded_once_and_divided_to_the_cent(self):
        tenth = Rate.percent("10")
        assert prepaid([eur("9.99")] * 3, tenth) == (eur("8.99"), eur("8.99"), eur("8.99"))
        assert prepaid([eur("3.33"), eur("3.33"), eur("6.64")], Rate.percent("15")) == (
            eur("2.83"),
            eur("2.83"),
            eur("5.64"),
        )
        assert prepaid([eur("0.05")] * 3, tenth) == (eur("0.04"), eur("0.04"), eur("0.05"))

    @pytest.mark.proves("PLN-13")
    @given(st.lists(st.integers(0, 10**7), min_size=2, max_size=36), st.integers(0, 10**8))
    def test_the_cycles_add_up_to_the_reduced_sum(self, minors, millionths):
        off, amounts = Rate(millionths, 10**8), [Money(minor, "EUR") for minor in minors]
        lines = prepaid(amounts, off)
        whole = total(amounts, "EUR")
        assert total(lines, "EUR") == whole - share(whole, off.numerator, off.denominator)
        assert all(0 <= line.minor <= amount.minor for line, amount in zip(lines, amounts, strict=True))

    @pytest.mark.proves("PLN-13", "ABU-8")
    def test_two_to_thirty_six_cycles_are_paid_at_once(self):
        assert PrepayOption(2) == PrepayOption(2, Rate(0, 1), AfterPrepaid.RENEW)
        assert PrepayOption(36, Rate.percent(100)).off == Rate(1, 1)
        for cycles in (-1, 0, 1, 37):
            with pytest.raises(BadPlan):
                PrepayOption(cycles)
        with pytest.raises(BadPlan):
            PrepayOption(6, Rate.percent("100.000001"))
        with pytest.raises(BadRate):
            PrepayOption(6, Rate.percent("100.0000001"))
        for make in (lambda: PrepayOption(6.0), lambda: PrepayOption(True), lambda: PrepayOption(6, 0.1)):  # type: ignore[arg-type]
            with pytest.raises(TypeError):
                make()

    @pytest.mark.proves("PLN-13")
    def test_so_many_cycles_are_offered_once(self):
        with pytest.raises(BadPlan):
            changed(prepay=(PrepayOption(6), PrepayOption(6, Rate.percent(10))))

    @pytest.mark.proves("PLN-13")
    def test_a_cycle_that_is_paid_in_advance_costs_nothing_negative(self):
        with pytest.raises(NothingToAllocateTo):
            prepaid([eur("-1.00"), eur("5.00")], Rate.percent(10))


class TestComparing:
    @pytest.mark.proves("PLN-14")
    @pytest.mark.parametrize(
        ("interval", "months"),
        [
            (MONTHLY, Fraction(1)),
            (QUARTERLY, Fraction(3)),
            (YEARLY, Fraction(12)),
            (Interval.days(1), Fraction(4800, 146097)),
            (Interval.weeks(2), Fraction(14 * 4800, 146097)),
        ],
    )
    def test_400_years_are_4800_months_or_146097_days(self, interval, months):
        assert months_in(interval) == months
        assert per_month(eur("12.00"), interval) == 1200 / months

    @pytest.mark.proves("PLN-14")
    def test_a_price_in_a_month_is_exact(self):
        assert per_month(eur("100.00"), YEARLY) == Fraction(10000, 12)
        assert per_month(PerUnit(eur("3.50"), 1000), MONTHLY, 7) == Fraction(350 * 7, 1000)
        assert per_month(eur("12.00"), MONTHLY, 7) == 1200
        assert per_month(PerUnit(eur("12.00")), MONTHLY) == 1200

    @pytest.mark.proves("PLN-14")
    @pytest.mark.parametrize(
        ("old", "new", "where"),
        [
            (Priced(Flat(eur("17.90")), 1, MONTHLY), Priced(Flat(eur("29.90")), 1, MONTHLY), Direction.UPGRADE),
            (Priced(Flat(eur("29.90")), 1, MONTHLY), Priced(Flat(eur("299.00")), 1, YEARLY), Direction.DOWNGRADE),
            (Priced(Flat(eur("10.00")), 1, MONTHLY), Priced(Flat(eur("120.00")), 1, YEARLY), Direction.SIDEWAYS),
            (Priced(Flat(eur("10.00")), 1, MONTHLY), Priced(Flat(eur("120.01")), 1, YEARLY), Direction.UPGRADE),
            (Priced(PerUnit(eur("5.00")), 2, MONTHLY), Priced(PerUnit(eur("5.00")), 3, MONTHLY), Direction.UPGRADE),
            (Priced(PerUnit(eur("5.00")), 3, MONTHLY), Priced(PerUnit(eur("7.50")), 2, MONTHLY), Direction.SIDEWAYS),
            (Priced(Flat(eur("7.00")), 1, Interval.weeks(1)), Priced(Flat(eur("1.00")), 1, Interval.days(1)),
             Direction.SIDEWAYS),
            (Priced(Flat(eur("7.00")), 1, Interval.weeks(1)), Priced(Flat(eur("30.43")), 1, MONTHLY),
             Direction.DOWNGRADE),
            (Priced(Flat(eur("7.00")), 1, Interval.weeks(1)), Priced(Flat(eur("30.44")), 1, MONTHLY),
             Direction.UPGRADE),
            (Priced(PerUnit(eur("0.01"), 3), 1, MONTHLY), Priced(PerUnit(eur("0.01"), 4), 1, MONTHLY),
             Direction.DOWNGRADE),
        ],
    )  # fmt: skip
    def test_a_change_leads_up_or_down_by_what_a_month_costs(self, old, new, where):
        assert direction(old, new) is where
        opposite = {Direction.UPGRADE: Direction.DOWNGRADE, Direction.DOWNGRADE: Direction.UPGRADE}
        assert direction(new, old) is opposite.get(where, where)

    @pytest.mark.proves("PLN-14")
    def test_prices_in_two_currencies_are_not_compared(self):
        with pytest.raises(CurrencyMismatch):
            direction(Priced(Flat(eur("1.00")), 1, MONTHLY), Priced(Flat(usd("1.00")), 1, MONTHLY))
