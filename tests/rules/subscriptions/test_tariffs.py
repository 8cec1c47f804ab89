"""Tariffs: exact for any quantity and any part of a period, and rounded once."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.money import AmountTooLarge, BadShare, Money, UnknownCurrency, share, total
from shopaccounts.subscriptions.errors import BadPlan, BadQuantity, NoPriceInCurrency
from shopaccounts.subscriptions.plans.tariffs import (
    MOST_UNITS,
    Flat,
    Graduated,
    Packages,
    PerUnit,
    Tier,
    Volume,
    charge,
    in_currency,
)

HALF = Fraction(1, 2)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


STEPS = (Tier(10, eur("5.00"), eur("2.00")), Tier(20, eur("4.00")), Tier(None, eur("3.00"), eur("1.00")))

prices = st.integers(0, 10**6).map(lambda minor: Money(minor, "EUR"))
pers = st.sampled_from([1, 3, 7, 1000])


@st.composite
def tier_lists(draw):
    ends = sorted(draw(st.sets(st.integers(1, 60), max_size=4)))
    return tuple(Tier(end, draw(prices), draw(st.none() | prices), draw(pers)) for end in [*ends, None])


tariffs = st.one_of(
    st.builds(Flat, prices),
    st.builds(PerUnit, prices, pers),
    st.builds(Packages, prices, st.integers(1, 1000)),
    st.builds(Graduated, tier_lists()),
    st.builds(Volume, tier_lists()),
)


def once(tier: Tier) -> int:
    return 0 if tier.flat is None else tier.flat.minor


def one_by_one(tiers: tuple[Tier, ...], quantity: int) -> Fraction:
    """Each unit at the price of its tier, and the flats of the tiers that have a unit, or are first."""
    homes = [
        next(tier for tier in tiers if tier.up_to is None or unit <= tier.up_to) for unit in range(1, quantity + 1)
    ]
    reached = [tier for tier in tiers if tier in homes or tier is tiers[0]]
    return Fraction(sum(map(once, reached))) + sum((Fraction(tier.unit.minor, tier.per) for tier in homes), Fraction(0))


def exact(tariff, quantity: int) -> Fraction:
    """What a quantity costs, by other means than the library's."""
    match tariff:
        case Flat(money):
            return Fraction(money.minor if quantity else 0)
        case PerUnit(money, per):
            return Fraction(money.minor * quantity, per)
        case Packages(money, size):
            return Fraction(money.minor * len(range(0, quantity, size)))
        case Graduated(tiers):
            return one_by_one(tiers, quantity)
    reached = next(tier for tier in tariff.tiers if tier.up_to is None or tier.up_to >= quantity)
    return quantity * Fraction(reached.unit.minor, reached.per) + once(reached)


class TestWhatThingsCost:
    @pytest.mark.proves("PLN-4")
    @pytest.mark.parametrize(("quantity", "amount"), [(0, "0.00"), (1, "17.90"), (500, "17.90")])
    def test_a_flat_price_is_the_same_for_any_quantity(self, quantity, amount):
        assert charge(Flat(eur("17.90")), quantity) == eur(amount)

    @pytest.mark.proves("PLN-4")
    @pytest.mark.parametrize(
        ("quantity", "amount"), [(0, "0.00"), (1, "0.00"), (2, "0.01"), (1000, "3.50"), (1001, "3.50"), (2_345, "8.21")]
    )
    def test_a_price_for_a_thousand_units_is_exact_for_one(self, quantity, amount):
        assert charge(PerUnit(eur("3.50"), per=1000), quantity) == eur(amount)
        assert charge(PerUnit(eur("3.50"), 1000), quantity) == share(eur("3.50"), quantity, 1000)

    @pytest.mark.proves("PLN-4")
    @pytest.mark.parametrize(("quantity", "packages"), [(0, 0), (1, 1), (99, 1), (100, 1), (101, 2), (250, 3)])
    def test_a_package_that_is_begun_is_paid(self, quantity, packages):
        assert charge(Packages(eur("9.00"), 100), quantity) == eur("9.00") * packages

    @pytest.mark.proves("PLN-4")
    @pytest.mark.parametrize(
        ("quantity", "amount"),
        [(0, "2.00"), (1, "7.00"), (10, "52.00"), (11, "56.00"), (20, "92.00"), (21, "96.00"), (30, "123.00")],
    )
    def test_graduated_tiers_price_each_unit_by_its_own_tier(self, quantity, amount):
        assert charge(Graduated(STEPS), quantity) == eur(amount)

    @pytest.mark.proves("PLN-4")
    @pytest.mark.parametrize(
        ("quantity", "amount"),
        [(0, "2.00"), (1, "7.00"), (10, "52.00"), (11, "44.00"), (20, "80.00"), (21, "64.00"), (30, "91.00")],
    )
    def test_volume_tiers_price_all_units_by_the_tier_that_is_reached(self, quantity, amount):
        assert charge(Volume(STEPS), quantity) == eur(amount)

    @pytest.mark.proves("PLN-4")
    @given(tariffs, st.integers(0, 80))
    def test_whole_periods_cost_what_counting_by_hand_gives(self, tariff, quantity):
        assert abs(charge(tariff, quantity).minor - exact(tariff, quantity)) <= HALF


class TestOneRounding:
    @pytest.mark.proves("PLN-4")
    def test_no_unit_is_rounded_before_it_is_multiplied(self):
        assert charge(PerUnit(eur("9.99")), 3, 17, 29) == eur("17.57")
        assert share(eur("9.99"), 17, 29) * 3 == eur("17.58")

    @pytest.mark.proves("PLN-4")
    def test_no_tier_is_rounded_before_it_is_added(self):
        thirds = Graduated(
            (Tier(1, eur("0.01"), None, 3), Tier(2, eur("0.01"), None, 3), Tier(None, eur("0.01"), per=3))
        )
        assert charge(thirds, 3) == eur("0.01")
        assert charge(thirds, 3, 1, 2) == eur("0.01")
        assert charge(thirds, 2, 1, 2) == eur("0.00")

    @pytest.mark.proves("PLN-4")
    @given(tariffs, st.integers(0, 80), st.integers(0, 5000), st.integers(1, 4000))
    def test_a_part_of_a_period_is_within_half_a_unit_of_its_exact_price(self, tariff, quantity, part, whole):
        price = exact(tariff, quantity) * Fraction(part, whole)
        amount = charge(tariff, quantity, part, whole)
        assert amount.minor >= 0
        assert -HALF < amount.minor - price <= HALF

    @pytest.mark.proves("PLN-4")
    @given(tariffs, st.integers(0, 10**6), st.integers(1, 400), st.integers(1, 400))
    def test_a_factor_in_other_terms_gives_the_same_amount(self, tariff, quantity, part, scale):
        assert charge(tariff, quantity, part, 400) == charge(tariff, quantity, part * scale, 400 * scale)

    @pytest.mark.proves("PLN-4")
    def test_what_is_on_the_way_may_be_larger_than_an_amount_can_be(self):
        most = PerUnit(Money(2**63 - 1, "JPY"))
        assert charge(most, 1000, 1, 1000) == most.money
        with pytest.raises(AmountTooLarge):
            charge(most, 2)


class TestWhatIsRefused:
    @pytest.mark.proves("PLN-4", "ABU-8")
    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda: Flat(eur("-0.01")), id="negative"),
            pytest.param(lambda: PerUnit(eur("-1")), id="negative unit"),
            pytest.param(lambda: PerUnit(eur("1"), 0), id="per nothing"),
            pytest.param(lambda: Packages(eur("-1"), 10), id="negative package"),
            pytest.param(lambda: Packages(eur("1"), 0), id="empty package"),
            pytest.param(lambda: Tier(1, eur("-1")), id="negative tier"),
            pytest.param(lambda: Tier(1, eur("1"), eur("-1")), id="negative flat"),
            pytest.param(lambda: Tier(0, eur("1")), id="tier up to nothing"),
            pytest.param(lambda: Tier(1, eur("1"), Money.of("1", "USD")), id="two currencies in a tier"),
            pytest.param(lambda: Graduated(()), id="no tiers"),
            pytest.param(lambda: Graduated((Tier(10, eur("1")),)), id="last tier closed"),
            pytest.param(lambda: Volume((Tier(None, eur("1")), Tier(None, eur("1")))), id="open tier in the middle"),
            pytest.param(lambda: Volume((Tier(9, eur("1")), Tier(9, eur("1")), Tier(None, eur("1")))), id="same end"),
            pytest.param(lambda: Volume((Tier(9, eur("1")), Tier(8, eur("1")), Tier(None, eur("1")))), id="falling"),
            pytest.param(lambda: Volume((Tier(9, eur("1")), Tier(None, Money.of("1", "USD")))), id="two currencies"),
        ],
    )
    def test_a_tariff_that_contradicts_itself_is_refused(self, make):
        with pytest.raises(BadPlan) as refusal:
            make()
        assert refusal.value.problem

    @pytest.mark.proves("PLN-4", "ABU-8")
    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda: Flat(17.9), id="float price"),  # type: ignore[arg-type]
            pytest.param(lambda: Flat(1790), id="int price"),  # type: ignore[arg-type]
            pytest.param(lambda: PerUnit(eur("1"), 1.0), id="float per"),  # type: ignore[arg-type]
            pytest.param(lambda: PerUnit(eur("1"), True), id="bool per"),
            pytest.param(lambda: Packages(eur("1"), "10"), id="text size"),  # type: ignore[arg-type]
            pytest.param(lambda: Tier(1.5, eur("1")), id="float end"),  # type: ignore[arg-type]
            pytest.param(lambda: Graduated(((None, eur("1")),)), id="tier as a tuple"),  # type: ignore[arg-type]
        ],
    )
    def test_a_wrong_type_is_named(self, make):
        with pytest.raises(TypeError, match="must be"):
            make()

    @pytest.mark.proves("PLN-4")
    def test_usage_is_priced_up_to_what_a_database_stores(self):
        assert MOST_UNITS == 2**63 - 1
        assert charge(PerUnit(eur("0.01"), MOST_UNITS), MOST_UNITS) == eur("0.01")

    @pytest.mark.proves("PLN-4", "ABU-8")
    @pytest.mark.parametrize("quantity", [-1, -(10**12), MOST_UNITS + 1])
    def test_a_quantity_is_zero_or_more(self, quantity):
        with pytest.raises(BadQuantity) as refusal:
            charge(Flat(eur("1")), quantity)
        assert (refusal.value.min, refusal.value.max, refusal.value.step) == (0, MOST_UNITS, 1)

    @pytest.mark.proves("PLN-4", "ABU-8")
    @pytest.mark.parametrize(
        "numbers", [(1.5, 1, 1), (True, 1, 1), (1, 0.5, 1), (1, True, 1), (1, 1, 2.0), (1, 1, True)]
    )
    def test_quantities_and_factors_are_ints(self, numbers):
        with pytest.raises(TypeError, match="must be int"):
            charge(PerUnit(eur("1")), *numbers)

    @pytest.mark.proves("PLN-4")
    @pytest.mark.parametrize("factor", [(-1, 1), (1, 0), (1, -1)])
    @pytest.mark.parametrize("quantity", [0, 1])
    def test_a_factor_is_not_negative_and_has_a_denominator(self, factor, quantity):
        with pytest.raises(BadShare):
            charge(Flat(eur("1")), quantity, *factor)


@pytest.mark.proves("PLN-5")
def test_the_price_of_a_currency_is_found_or_refused():
    sold = (Flat(eur("10.00")), PerUnit(Money.of("12.00", "USD")), Graduated((Tier(None, Money.of("900", "JPY")),)))
    assert [in_currency(sold, code) for code in ("EUR", "USD", "JPY")] == list(sold)
    assert in_currency((eur("1.00"),), "EUR") == eur("1.00")
    with pytest.raises(NoPriceInCurrency) as refusal:
        in_currency(sold, "CHF")
    assert refusal.value.currency == "CHF"
    with pytest.raises(UnknownCurrency):
        in_currency(sold, "eur")


@pytest.mark.proves("PLN-4")
@given(st.lists(prices, min_size=1, max_size=9), st.integers(1, 31))
def test_a_line_of_several_lines_is_never_rounded_twice(minors, days):
    lines = [charge(Flat(price), 1, days, 31) for price in minors]
    assert abs(total(lines, "EUR").minor - sum(price.minor for price in minors) * Fraction(days, 31)) <= len(minors) / 2


@given(tariffs)
def test_a_tariff_survives_storage(tariff):
    assert serial.load(type(tariff), serial.dump(tariff)) == tariff
