"""Money: what is exact, what is refused, and where every minor unit goes."""

import ast
import copy
import hashlib
import inspect
import operator
import pickle
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from math import floor, gcd
from types import ModuleType
from typing import Any

import attrs
import pytest
from babel.numbers import get_currency_precision
from hypothesis import assume, given
from hypothesis import strategies as st

from shopaccounts.kernel import _amounts, _currencies, money
from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.money import (
    AmountTooLarge,
    AmountTooPrecise,
    AmountUnreadable,
    BadRate,
    BadShare,
    CurrencyMismatch,
    Money,
    NothingToAllocateTo,
    Rate,
    Rounding,
    UnknownCurrency,
    add_tax,
    allocate,
    allocate_capped,
    currency,
    exact_shares,
    exponent,
    extract_tax,
    share,
    split,
    total,
)

LIMIT = 2**63 - 1
TABLE_SHA256 = "856305437365dab936688d5026c03b6392179569b05a639aada3d885fabebd11"

codes = st.sampled_from(sorted(_currencies.EXPONENTS))
amounts_of_any_size = st.builds(Money, st.integers(-LIMIT, LIMIT), codes)
euros = st.builds(Money, st.integers(-(10**12), 10**12), st.just("EUR"))
payable = st.builds(Money, st.integers(0, 10**12), st.just("EUR"))
weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any)
rates = st.builds(lambda millionths: Rate(millionths, 10**8), st.integers(0, 10**9))
everyday_rates = st.builds(lambda tenths: Rate(tenths, 1000), st.integers(0, 500))


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def minors(parts: Sequence[Money]) -> list[int]:
    return [part.minor for part in parts]


# Amounts


@pytest.mark.proves("MON-1")
@pytest.mark.parametrize("minor", [True, 1.0, Fraction(1), Decimal(1), "1", None], ids=repr)
def test_minor_units_are_an_int_and_nothing_that_looks_like_one(minor: Any) -> None:
    with pytest.raises(TypeError, match="minor must be int"):
        Money(minor, "EUR")


@pytest.mark.proves("MON-1")
@pytest.mark.parametrize("amount", [True, 1.5, Fraction(3, 2), None, b"1"], ids=repr)
def test_amounts_are_never_read_from_floats_or_fractions(amount: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        Money.of(amount, "EUR")


@pytest.mark.proves("MON-1")
def test_the_largest_amounts_fit_and_one_more_does_not() -> None:
    assert Money(LIMIT, "EUR").minor == -Money(-LIMIT, "EUR").minor == LIMIT
    for minor in (LIMIT + 1, -LIMIT - 1):
        with pytest.raises(AmountTooLarge) as refusal:
            Money(minor, "EUR")
        assert refusal.value.limit == LIMIT


@pytest.mark.proves("MON-1")
@pytest.mark.parametrize(
    "calculate",
    [
        pytest.param(lambda most: most + Money(1, "JPY"), id="sum"),
        pytest.param(lambda most: -most - Money(1, "JPY"), id="difference"),
        pytest.param(lambda most: most * 2, id="product"),
        pytest.param(lambda most: -2 * most, id="product from the left"),
        pytest.param(lambda most: share(most, 2, 1), id="share"),
        pytest.param(lambda most: total((most, most), "JPY"), id="total"),
        pytest.param(lambda most: add_tax(most, (Rate(1, 1),)), id="tax"),
        pytest.param(lambda _: Money.of(LIMIT + 1, "JPY"), id="int"),
        pytest.param(lambda _: Money.of(str(LIMIT + 1), "JPY"), id="text"),
        pytest.param(lambda _: Money.of(str(LIMIT), "EUR"), id="text in cents"),
        pytest.param(lambda _: Money.of("9" * 10_000, "JPY"), id="long text"),
        pytest.param(lambda _: Money.of(10**10_000, "JPY"), id="long int"),
        pytest.param(lambda _: Money.of(Decimal("1E+999999"), "JPY"), id="Decimal"),
    ],
)
def test_no_result_leaves_the_limit(calculate: Callable[[Money], object]) -> None:
    with pytest.raises(AmountTooLarge):
        calculate(Money(LIMIT, "JPY"))


@pytest.mark.proves("MON-1")
def test_a_total_may_be_beyond_the_limit_on_its_way() -> None:
    most = Money(LIMIT, "JPY")
    assert total((most, most, -most), "JPY") == most


@pytest.mark.proves("MON-1")
def test_an_amount_is_frozen_and_usable_as_a_key() -> None:
    amount = eur("1.00")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        amount.minor = 2  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        amount.note = "more"  # type: ignore[attr-defined]
    assert {amount: "one"}[Money(100, "EUR")] == "one"


@pytest.mark.proves("MON-1")
@given(amounts_of_any_size)
def test_an_amount_survives_copies_and_pickles(amount: Money) -> None:
    assert copy.deepcopy(amount) == pickle.loads(pickle.dumps(amount)) == amount  # noqa: S301  (our own bytes)


# Currencies


@pytest.mark.proves("MON-2")
def test_the_table_of_currencies_is_the_pinned_one() -> None:
    """A new exponent changes what every stored amount is worth: change this only together with a data migration."""
    rows = (
        f"{code} {decimals} {'withdrawn' if code in _currencies.WITHDRAWN else 'current'}\n"
        for code, decimals in sorted(_currencies.EXPONENTS.items())
    )
    assert hashlib.sha256("".join(rows).encode()).hexdigest() == TABLE_SHA256


@pytest.mark.proves("MON-2")
@pytest.mark.parametrize(
    ("code", "decimals"),
    [("EUR", 2), ("JPY", 0), ("ISK", 0), ("UGX", 0), ("HUF", 2), ("TWD", 2), ("KWD", 3), ("TND", 3), ("CLF", 4)],
)
def test_every_currency_has_its_iso_decimals(code: str, decimals: int) -> None:
    assert exponent(code) == decimals


@pytest.mark.proves("MON-2")
@pytest.mark.parametrize("code", ["IQD", "LBP", "RSD", "MGA", "ALL", "AFN", "IRR", "MMK"])
def test_decimals_for_display_are_not_decimals_of_account(code: str) -> None:
    """CLDR shows these without decimals; ISO 4217 counts them with two or three."""
    assert get_currency_precision(code) == 0
    assert exponent(code) == (3 if code == "IQD" else 2)


@pytest.mark.proves("MON-2")
@pytest.mark.parametrize("module", [money, _amounts, _currencies])
def test_money_asks_neither_babel_nor_the_locale(module: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(module))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name for name in named if not name.startswith("shopaccounts.kernel.")}
    assert outside <= {"functools", "math", "re", "collections.abc", "decimal", "enum", "fractions", "typing", "attrs"}


@pytest.mark.proves("MON-3")
@given(codes)
def test_every_code_of_the_table_is_a_currency(code: str) -> None:
    assert currency(code) == code
    assert Money.zero(code).currency == code


@pytest.mark.proves("MON-3")
@pytest.mark.parametrize(
    "code",
    [
        *("", "eur", "EU", "EURO", "EUR ", " EUR", "EUR\n", "€", "978", "ABC", "\uff25\uff35\uff32"),
        *("XAU", "XAG", "XPT", "XPD", "XDR", "XSU", "XUA", "XTS", "XXX"),
    ],
)
def test_other_texts_are_no_currency(code: str) -> None:
    for ask in (currency, exponent, Money.zero, lambda code: total((), code), lambda code: Money.of("1", code)):
        with pytest.raises(UnknownCurrency) as refusal:
            ask(code)
        assert refusal.value.currency == code


@pytest.mark.proves("MON-3")
@given(st.text(max_size=4))
def test_a_text_is_a_currency_only_if_the_table_has_it(code: str) -> None:
    assume(code not in _currencies.EXPONENTS)
    with pytest.raises(UnknownCurrency):
        currency(code)


@pytest.mark.proves("MON-3")
@pytest.mark.parametrize("code", [None, 978, b"EUR", ["EUR"]], ids=repr)
def test_a_currency_is_asked_for_by_text(code: Any) -> None:
    with pytest.raises(TypeError, match="a currency must be str"):
        currency(code)


@pytest.mark.proves("MON-3")
@pytest.mark.parametrize("code", ["ANG", "BGN", "CUC", "HRK", "SLL", "ZWL"])
def test_amounts_in_withdrawn_currencies_can_be_read_and_refunded(code: str) -> None:
    assert code in _currencies.WITHDRAWN
    assert -Money.of("12.50", code) == Money(-1250, code)


# Reading and writing


@pytest.mark.proves("MON-4")
@pytest.mark.parametrize(
    ("amount", "code", "minor"),
    [
        ("12.5", "EUR", 1250),
        ("12.500", "EUR", 1250),
        ("-0.00", "EUR", 0),
        ("-0.01", "EUR", -1),
        ("007", "EUR", 700),
        ("0" * 9_999 + "1", "EUR", 100),
        ("0." + "0" * 9_999, "EUR", 0),
        ("1250.000", "JPY", 1250),
        ("0.001", "KWD", 1),
        (12, "EUR", 1200),
        (-12, "JPY", -12),
        (Decimal("12.5"), "EUR", 1250),
        (Decimal("-1.250E+1"), "EUR", -1250),
        (Decimal("0E-99999"), "EUR", 0),
        (Decimal("-0"), "EUR", 0),
        ("92233720368547758.07", "EUR", LIMIT),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_amounts_are_read_exactly(amount: str | int | Decimal, code: str, minor: int) -> None:
    assert Money.of(amount, code) == Money(minor, code)


@pytest.mark.proves("MON-4")
@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "1\n",
            "1,00",
            "1 000",
            "1_000",
            "1,000.00",
            "1.",
            ".5",
            "1.2.3",
            "--1",
            "1e2",
            "1E2",
        ),
        *("NaN", "Infinity", "-inf", "0x10", "1\u0662", "\uff11", "\u00b2", "1\u00a0000", "12.50 EUR", "\u22121"),
    ],
)
def test_texts_of_another_shape_are_unreadable(text: str) -> None:
    with pytest.raises(AmountUnreadable) as refusal:
        eur(text)
    assert refusal.value.text == text


@pytest.mark.proves("MON-4")
@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_decimals_that_are_no_number_are_unreadable(number: str) -> None:
    with pytest.raises(AmountUnreadable):
        Money.of(Decimal(number), "EUR")


@pytest.mark.proves("MON-4")
@pytest.mark.parametrize(
    ("amount", "code", "allowed"),
    [
        ("12.345", "EUR", 2),
        ("0.5", "JPY", 0),
        ("0.0001", "KWD", 3),
        (Decimal("0.001"), "EUR", 2),
        (Decimal("1E-999999"), "EUR", 2),
    ],
    ids=str,
)
def test_parts_of_a_minor_unit_are_refused(amount: str | Decimal, code: str, allowed: int) -> None:
    with pytest.raises(AmountTooPrecise) as refusal:
        Money.of(amount, code)
    assert refusal.value.digits_allowed == allowed


@pytest.mark.proves("MON-4", "MON-6")
@given(amounts_of_any_size)
def test_what_is_written_reads_back(amount: Money) -> None:
    number, code = str(amount).split()
    with localcontext(prec=1):  # the context of the host must not matter
        assert Money.of(number, code) == amount
        assert Money.of(amount.to_decimal(), code) == amount


@pytest.mark.proves("MON-4")
@given(st.integers(-(10**14), 10**14), codes)
def test_a_whole_number_means_major_units(major: int, code: str) -> None:
    assert Money.of(major, code) == Money.of(str(major), code) == Money(major * 10 ** exponent(code), code)


@pytest.mark.proves("MON-6")
@pytest.mark.parametrize(
    ("minor", "code", "text"),
    [
        (-1250, "EUR", "-12.50 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (1250, "JPY", "1250 JPY"),
        (-1, "KWD", "-0.001 KWD"),
        (123456, "CLF", "12.3456 CLF"),
        (123456789, "EUR", "1234567.89 EUR"),
    ],
)
def test_amounts_are_written_with_the_decimals_of_their_currency(minor: int, code: str, text: str) -> None:
    amount = Money(minor, code)
    assert str(amount) == text
    assert f"{amount.to_decimal()} {code}" == text


@pytest.mark.proves("MON-6")
@given(amounts_of_any_size)
def test_an_amount_is_serialised_as_minor_units_and_currency(amount: Money) -> None:
    data = attrs.asdict(amount)
    assert list(data.items()) == [("minor", amount.minor), ("currency", str(amount.currency))]
    assert type(data["currency"]) is str
    assert Money(**data) == amount


# Calculating and comparing


@pytest.mark.proves("MON-5")
@given(euros, euros, st.integers(-1000, 1000))
def test_amounts_calculate_and_compare_as_their_minor_units_do(a: Money, b: Money, times: int) -> None:
    assert (a + b).minor == a.minor + b.minor
    assert (a - b).minor == a.minor - b.minor
    assert (-a).minor == -a.minor
    assert abs(a).minor == abs(a.minor)
    assert (a * times).minor == (times * a).minor == a.minor * times
    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        assert compare(a, b) is compare(a.minor, b.minor)


@pytest.mark.proves("MON-5")
@pytest.mark.parametrize(
    "mix", [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge], ids=lambda f: f.__name__
)
def test_two_currencies_never_meet(mix: Callable[[Money, Money], object]) -> None:
    with pytest.raises(CurrencyMismatch) as refusal:
        mix(Money.zero("EUR"), Money.zero("USD"))
    assert (refusal.value.left, refusal.value.right) == ("EUR", "USD")


@pytest.mark.proves("MON-5")
def test_amounts_of_two_currencies_are_unequal_even_at_zero() -> None:
    assert Money.zero("EUR") != Money.zero("USD")
    assert len({Money.zero("EUR"), Money.zero("USD"), Money.zero("EUR")}) == 2
    nothing: Any = 0
    assert Money.zero("EUR") != nothing


@pytest.mark.proves("MON-5")
@pytest.mark.parametrize(
    "calculate",
    [
        pytest.param(lambda m: m / 2, id="divided"),
        pytest.param(lambda m: m // 2, id="floor divided"),
        pytest.param(lambda m: m % 2, id="remainder"),
        pytest.param(lambda m: divmod(m, 2), id="divmod"),
        pytest.param(lambda m: m / m, id="ratio"),
        pytest.param(lambda m: m * 1.5, id="times float"),
        pytest.param(lambda m: 1.5 * m, id="float times"),
        pytest.param(lambda m: m * Decimal(2), id="times Decimal"),
        pytest.param(lambda m: m * Fraction(1, 2), id="times Fraction"),
        pytest.param(lambda m: m * True, id="times bool"),
        pytest.param(lambda m: m * m, id="squared"),
        pytest.param(lambda m: m + 1, id="plus int"),
        pytest.param(lambda m: 1 + m, id="int plus"),
        pytest.param(lambda m: m - 1, id="minus int"),
        pytest.param(lambda m: m < 1, id="below int"),
        pytest.param(lambda m: m >= 0, id="at least int"),
        pytest.param(lambda m: sum([m, m]), id="built-in sum"),
        pytest.param(lambda m: total([m, m.minor], "EUR"), id="total with int"),
    ],
)
def test_money_is_not_a_number(calculate: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError):
        calculate(eur("2.00"))


@pytest.mark.proves("MON-5")
def test_an_amount_has_no_truth_value() -> None:
    for amount in (Money.zero("EUR"), eur("1.00")):
        with pytest.raises(TypeError, match="is_zero"):
            bool(amount)
    assert Money.zero("EUR").is_zero
    assert not eur("-0.01").is_zero


@pytest.mark.proves("MON-5")
@given(st.lists(euros), st.randoms(use_true_random=False))
def test_a_total_does_not_depend_on_the_order(amounts: list[Money], chance: Any) -> None:
    shuffled = amounts.copy()
    chance.shuffle(shuffled)
    assert total(amounts, "EUR") == total(iter(shuffled), "EUR") == Money(sum(minors(amounts)), "EUR")


@pytest.mark.proves("MON-5")
def test_a_total_of_nothing_is_zero_and_a_total_has_one_currency() -> None:
    assert total((), "JPY") == Money.zero("JPY")
    with pytest.raises(CurrencyMismatch):
        total((eur("1.00"), Money.of(1, "USD")), "EUR")
    with pytest.raises(CurrencyMismatch):
        total((eur("0.00"),), "USD")


# Shares

shares = st.tuples(st.integers(0, 10**6), st.integers(1, 10**6))


@pytest.mark.proves("MON-7")
def test_half_of_an_odd_amount_goes_away_from_zero_unless_told_otherwise() -> None:
    assert share(eur("9.99"), 1, 2) == eur("5.00")
    assert share(eur("-9.99"), 1, 2) == eur("-5.00")
    assert share(eur("9.99"), 1, 2, Rounding.DOWN) == eur("4.99")
    assert share(eur("-9.99"), 1, 2, Rounding.DOWN) == eur("-4.99")
    assert share(eur("10.00"), 1, 3, Rounding.UP) == eur("3.34")
    assert share(eur("-10.00"), 1, 3, Rounding.UP) == eur("-3.34")
    assert share(eur("10.00"), 3, 2) == eur("15.00")


@pytest.mark.proves("MON-7")
@given(euros, shares)
def test_a_share_is_the_nearest_unit_and_down_and_up_are_its_bounds(amount: Money, part: tuple[int, int]) -> None:
    exact = abs(amount.minor) * Fraction(*part)
    with localcontext(prec=1):
        down, nearest, up = (abs(share(amount, *part, rounding)).minor for rounding in _by_size())
    assert down == floor(exact)
    assert nearest == floor(exact + Fraction(1, 2))
    assert up == -floor(-exact)


def _by_size() -> tuple[Rounding, ...]:
    return (Rounding.DOWN, Rounding.HALF_UP, Rounding.UP)


@pytest.mark.proves("MON-7")
@given(euros, shares, st.sampled_from(Rounding))
def test_a_refund_mirrors_its_charge(amount: Money, part: tuple[int, int], rounding: Rounding) -> None:
    assert share(-amount, *part, rounding) == -share(amount, *part, rounding)


@pytest.mark.proves("MON-7")
@given(amounts_of_any_size, st.integers(1, 10**30), st.sampled_from(Rounding))
def test_the_whole_share_is_the_amount_and_no_share_is_nothing(amount: Money, whole: int, rounding: Rounding) -> None:
    assert share(amount, whole, whole, rounding) == amount
    assert share(amount, 0, whole, rounding) == Money.zero(amount.currency)


@pytest.mark.proves("MON-7")
@pytest.mark.parametrize(("numerator", "denominator"), [(-1, 2), (1, 0), (0, 0), (1, -2), (-1, -2)])
def test_a_share_is_not_negative_and_has_a_whole(numerator: int, denominator: int) -> None:
    with pytest.raises(BadShare):
        share(eur("1.00"), numerator, denominator)


@pytest.mark.proves("MON-7")
@pytest.mark.parametrize("arguments", [(0.5, 1), (1, 2.0), (True, 2), (1, True), ("1", 2), (1, 2, "down")], ids=repr)
def test_a_share_is_two_whole_numbers(arguments: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        share(eur("1.00"), *arguments)


# Dividing


@pytest.mark.proves("MON-8")
@pytest.mark.parametrize(
    ("amount", "by", "parts"),
    [
        ("10.00", (3, 3, 1), ("4.29", "4.28", "1.43")),
        ("-10.00", (3, 3, 1), ("-4.29", "-4.28", "-1.43")),
        ("0.01", (1, 1), ("0.01", "0.00")),
        ("0.01", (1, 2), ("0.00", "0.01")),
        ("1.00", (0, 1, 0), ("0.00", "1.00", "0.00")),
        ("0.05", (1, 0, 1), ("0.03", "0.00", "0.02")),
        ("0.00", (0, 0), ("0.00", "0.00")),
        ("0.00", (-1, 5), ("0.00", "0.00")),
        ("0.00", (), ()),
    ],
)
def test_the_minor_units_left_over_go_to_the_largest_remainders(
    amount: str, by: tuple[int, ...], parts: tuple[str, ...]
) -> None:
    assert allocate(eur(amount), by) == tuple(eur(part) for part in parts)


@pytest.mark.proves("MON-8")
@given(euros, weights)
def test_the_parts_add_up_to_the_whole(amount: Money, by: list[int]) -> None:
    parts = allocate(amount, by)
    assert len(parts) == len(by)
    assert total(parts, "EUR") == amount


@pytest.mark.proves("MON-8", "MON-9")
@given(euros, weights)
def test_no_part_is_a_minor_unit_away_from_its_exact_share(amount: Money, by: list[int]) -> None:
    exact = exact_shares(amount, by)
    assert sum(exact) == amount.minor
    assert all(abs(part.minor - due) < 1 for part, due in zip(allocate(amount, by), exact, strict=True))


@pytest.mark.proves("MON-8")
@given(euros, weights, st.integers(1, 10**9))
def test_only_the_proportion_of_the_weights_counts(amount: Money, by: list[int], scale: int) -> None:
    assert allocate(amount, [weight * scale for weight in by]) == allocate(amount, by)


@pytest.mark.proves("MON-8")
@given(euros, weights)
def test_credits_are_divided_as_charges_are(amount: Money, by: list[int]) -> None:
    assert allocate(-amount, by) == tuple(-part for part in allocate(amount, by))


@pytest.mark.proves("MON-8")
@given(payable, weights)
def test_extra_units_go_to_the_largest_remainders_and_the_first_at_a_tie(amount: Money, by: list[int]) -> None:
    exact = exact_shares(amount, by)
    claims = [(floor(due) - due, index) for index, due in enumerate(exact)]
    extra = [part.minor - floor(due) for part, due in zip(allocate(amount, by), exact, strict=True)]
    assert set(extra) <= {0, 1}
    assert [extra[index] for _, index in sorted(claims)] == sorted(extra, reverse=True)


@pytest.mark.proves("MON-8")
@pytest.mark.parametrize("divide", [allocate, exact_shares])
@pytest.mark.parametrize("by", [(), (0,), (0, 0), (-1, 2), (1, -2), (-1,)])
def test_there_must_be_somebody_to_give_to(divide: Callable[..., object], by: tuple[int, ...]) -> None:
    for amount in (eur("0.01"), eur("-0.01")):
        with pytest.raises(NothingToAllocateTo):
            divide(amount, by)


@pytest.mark.proves("MON-8")
@pytest.mark.parametrize("amount", ["1.00", "0.00"])
@pytest.mark.parametrize("by", [(0.5, 0.5), (True, 1), ("1",), (Decimal(1),)], ids=repr)
def test_weights_are_whole_numbers(amount: str, by: Any) -> None:
    with pytest.raises(TypeError, match="a weight must be int"):
        allocate(eur(amount), by)


@pytest.mark.proves("MON-9")
@given(payable, st.lists(payable, max_size=12))
def test_no_line_gets_more_than_itself_and_the_rest_is_not_given_out(amount: Money, over: list[Money]) -> None:
    parts = allocate_capped(amount, over)
    assert total(parts, "EUR") == min(amount, total(over, "EUR"))
    assert all(0 <= part.minor <= line.minor for part, line in zip(parts, over, strict=True))


@pytest.mark.proves("MON-9")
def test_a_voucher_over_lines_is_proportional_until_it_covers_them() -> None:
    lines = (eur("20.00"), eur("10.00"))
    assert allocate_capped(eur("10.00"), lines) == (eur("6.67"), eur("3.33"))
    assert allocate_capped(eur("50.00"), lines) == lines
    assert allocate_capped(eur("50.00"), (eur("0.00"),)) == (eur("0.00"),)
    assert allocate_capped(eur("50.00"), ()) == ()


@pytest.mark.proves("MON-9")
@pytest.mark.parametrize(("amount", "over"), [("1.00", ("-1.00", "2.00")), ("-1.00", ("1.00",)), ("-1.00", ())])
def test_only_amounts_of_zero_or_more_can_be_capped(amount: str, over: tuple[str, ...]) -> None:
    with pytest.raises(NothingToAllocateTo):
        allocate_capped(eur(amount), [eur(line) for line in over])


@pytest.mark.proves("MON-9")
def test_an_amount_is_capped_by_amounts_of_its_currency() -> None:
    with pytest.raises(CurrencyMismatch):
        allocate_capped(eur("1.00"), (Money.of(1, "USD"),))


@pytest.mark.proves("MON-9")
@given(euros, st.integers(1, 60))
def test_equal_parts_differ_by_a_minor_unit_at_most_and_the_first_are_larger(amount: Money, parts: int) -> None:
    divided = split(amount, parts)
    sizes = [abs(part.minor) for part in divided]
    assert len(divided) == parts
    assert total(divided, "EUR") == amount
    assert all(0 <= before - after <= 1 for before, after in pairwise(sizes))
    assert sizes[0] - sizes[-1] <= 1


@pytest.mark.proves("MON-9")
@pytest.mark.parametrize("amount", ["1.00", "0.00"])
def test_an_amount_is_split_into_one_part_or_more(amount: str) -> None:
    for parts in (0, -1):
        with pytest.raises(NothingToAllocateTo):
            split(eur(amount), parts)
    wrong: Any
    for wrong in (2.0, True, "2"):
        with pytest.raises(TypeError, match="parts must be int"):
            split(eur(amount), wrong)


@pytest.mark.proves("MON-9")
def test_exact_shares_keep_the_fractions_of_a_minor_unit() -> None:
    assert exact_shares(eur("10.00"), (3, 3, 1)) == (Fraction(3000, 7), Fraction(3000, 7), Fraction(1000, 7))
    assert exact_shares(eur("0.00"), (0, 0)) == (Fraction(0), Fraction(0))


# Rates and taxes


@pytest.mark.proves("MON-10")
@pytest.mark.parametrize(
    ("percent", "numerator", "denominator"),
    [
        ("8.875", 71, 800),
        ("7", 7, 100),
        (19, 19, 100),
        (Decimal("5.5"), 11, 200),
        ("0", 0, 1),
        ("-0.0", 0, 1),
        ("1000", 10, 1),
        (1000, 10, 1),
        ("0.000001", 1, 10**8),
        ("7.0000000000", 7, 100),
    ],
    ids=repr,
)
def test_a_percentage_is_kept_exactly_in_lowest_terms(
    percent: str | int | Decimal, numerator: int, denominator: int
) -> None:
    rate = Rate.percent(percent)
    assert (rate.numerator, rate.denominator) == (numerator, denominator)


@pytest.mark.proves("MON-10")
@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_equal_rates_are_equal_however_they_are_written(millionths: int, scale: int) -> None:
    rate = Rate.percent(Decimal(millionths).scaleb(-6))
    assert Fraction(rate.numerator, rate.denominator) == Fraction(millionths, 10**8)
    assert gcd(rate.numerator, rate.denominator) == 1
    assert Rate(millionths * scale, 10**8 * scale) == rate


@pytest.mark.proves("MON-10")
@pytest.mark.parametrize(
    "percent",
    [
        *("-1", "1000.000001", "9" * 30, "0.0000001", "100.0000001", "", "7 %", "7,5", "1e1"),
        *(Decimal("NaN"), Decimal("Infinity"), Decimal("1E+9999")),
        *(-1, 1001, pytest.param(10**5000, id="a very long int")),
    ],
    ids=repr,
)
def test_other_percentages_are_no_rate(percent: str | int | Decimal) -> None:
    with pytest.raises(BadRate):
        Rate.percent(percent)


@pytest.mark.proves("MON-10")
@pytest.mark.parametrize(("numerator", "denominator"), [(1, 0), (1, -1), (-1, -1), (-1, 100), (1001, 100)])
def test_a_rate_has_a_whole_and_stays_in_bounds(numerator: int, denominator: int) -> None:
    with pytest.raises(BadRate):
        Rate(numerator, denominator)


@pytest.mark.proves("MON-10")
@pytest.mark.parametrize("percent", [7.0, True, None, Fraction(7)], ids=repr)
def test_a_rate_is_never_read_from_a_float(percent: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        Rate.percent(percent)
    with pytest.raises(TypeError, match="must be int"):
        Rate(percent, 100)


@pytest.mark.proves("MON-10", "MON-11")
@given(euros, rates)
def test_a_rate_is_applied_as_a_share(net: Money, rate: Rate) -> None:
    assert add_tax(net, (rate,)).taxes == (share(net, rate.numerator, rate.denominator),)


@pytest.mark.proves("MON-11")
def test_seven_percent_on_top_of_a_price_and_inside_of_it() -> None:
    seven = (Rate.percent(7),)
    added, extracted = add_tax(eur("12.50"), seven), extract_tax(eur("12.50"), seven)
    assert (added.net, added.taxes, added.gross) == (eur("12.50"), (eur("0.88"),), eur("13.38"))
    assert (extracted.net, extracted.taxes, extracted.gross) == (eur("11.68"), (eur("0.82"),), eur("12.50"))


@pytest.mark.proves("MON-11")
def test_two_taxes_are_both_of_the_price_and_not_of_each_other() -> None:
    """Quebec: 5 % federal and 9.975 % provincial, both on the price."""
    both = (Rate.percent(5), Rate.percent("9.975"))
    price = Money.of(100, "CAD")
    added = add_tax(price, both)
    assert [str(tax) for tax in added.taxes] == ["5.00 CAD", "9.98 CAD"]
    assert extract_tax(added.gross, both) == added


@pytest.mark.proves("MON-11")
@given(euros, st.lists(rates, max_size=5))
def test_net_and_taxes_are_the_gross(amount: Money, of: list[Rate]) -> None:
    added, extracted = add_tax(amount, of), extract_tax(amount, of)
    assert added.net == extracted.gross == amount
    for taxed in (added, extracted):
        assert len(taxed.taxes) == len(of)
        assert taxed.net + total(taxed.taxes, "EUR") == taxed.gross


@pytest.mark.proves("MON-11")
@given(euros, st.lists(rates, max_size=5))
def test_only_the_net_is_rounded_in_a_price_that_includes_tax(gross: Money, of: list[Rate]) -> None:
    exact = abs(gross.minor) / (1 + sum(Fraction(rate.numerator, rate.denominator) for rate in of))
    assert abs(extract_tax(gross, of).net).minor == floor(exact + Fraction(1, 2))


@pytest.mark.proves("MON-11")
def test_a_half_unit_belongs_to_the_net_and_not_to_the_tax() -> None:
    taxed = extract_tax(eur("0.03"), (Rate.percent(100),))
    assert (taxed.net, taxed.taxes) == (eur("0.02"), (eur("0.01"),))


@pytest.mark.proves("MON-11")
@given(euros, everyday_rates)
def test_what_one_tax_adds_it_takes_out_again(net: Money, rate: Rate) -> None:
    assert extract_tax(add_tax(net, (rate,)).gross, (rate,)) == add_tax(net, (rate,))


@pytest.mark.proves("MON-11")
@given(euros, st.lists(rates, max_size=5))
def test_the_tax_of_a_credit_mirrors_the_tax_of_its_charge(amount: Money, of: list[Rate]) -> None:
    for tax in (add_tax, extract_tax):
        assert tax(-amount, of).taxes == tuple(-part for part in tax(amount, of).taxes)


@pytest.mark.proves("MON-11")
def test_an_untaxed_price_is_its_own_gross() -> None:
    for none in ((), (Rate.percent(0),)):
        for tax in (add_tax, extract_tax):
            taxed = tax(eur("12.50"), none)
            assert taxed.net == taxed.gross == eur("12.50")
            assert total(taxed.taxes, "EUR").is_zero


@pytest.mark.proves("MON-11")
@pytest.mark.parametrize("tax", [add_tax, extract_tax])
@pytest.mark.parametrize("rate", [7, 0.07, "7", Fraction(7, 100)], ids=repr)
def test_a_bare_number_is_no_tax_rate(tax: Callable[..., object], rate: object) -> None:
    """An int has a numerator and a denominator too: taken for a rate, 7 would be 700 percent."""
    with pytest.raises(TypeError, match="a rate must be Rate"):
        tax(eur("1.00"), (rate,))


@pytest.mark.proves("MON-1")
@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda number: share(number, 1, 2), id="share"),
        pytest.param(lambda number: allocate(number, (1,)), id="allocate"),
        pytest.param(lambda number: allocate_capped(number, ()), id="allocate_capped"),
        pytest.param(lambda number: split(number, 1), id="split"),
        pytest.param(lambda number: exact_shares(number, (1,)), id="exact_shares"),
        pytest.param(lambda number: add_tax(number, ()), id="add_tax"),
        pytest.param(lambda number: extract_tax(number, ()), id="extract_tax"),
    ],
)
def test_only_money_can_be_divided_and_taxed(use: Callable[[Any], object]) -> None:
    for number in (1, 1.0, Decimal(1)):
        with pytest.raises(TypeError, match="an amount must be Money"):
            use(number)


# The way to a posted amount


POSTED = ("share", "allocate", "allocate_capped", "split", "total", "add_tax", "extract_tax")
INEXACT = {"Decimal", "Fraction", "decimal", "fractions", "float", "round", "exact_shares", "to_decimal"}


def _functions() -> dict[str, ast.AST]:
    """Every function of the two modules, and every method of Money by its bare name."""
    trees = [ast.parse(inspect.getsource(module)) for module in (money, _amounts)]
    return {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _inexact_in(*starts: str) -> set[str]:
    """What a function, or any it leads to, uses that is not whole-number arithmetic."""
    functions, seen, found = _functions(), set[str](), set[str]()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in ast.walk(functions[name]):
            used = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            found |= {used} & INEXACT
            if isinstance(node, ast.Div) or (isinstance(node, ast.Constant) and isinstance(node.value, float)):
                found.add(type(node).__name__)
            if used in functions:
                waiting.append(used)
    return found


@pytest.mark.proves("MON-12")
def test_amounts_are_posted_by_whole_number_arithmetic_only() -> None:
    operators = [name for name in _functions() if name in {"__add__", "__sub__", "__neg__", "__abs__", "__mul__"}]
    assert len(operators) == 5
    assert _inexact_in(*POSTED, *operators, "within_limit", "currency") == set()


@pytest.mark.proves("MON-12")
def test_the_check_for_whole_number_arithmetic_sees_what_it_looks_for() -> None:
    assert _inexact_in("exact_shares") == {"Fraction"}
    assert _inexact_in("to_decimal") == {"Decimal"}
    assert "Decimal" in _inexact_in("of")


# Refusals


@pytest.mark.proves("MON-1", "MON-3", "MON-4", "MON-5", "MON-7", "MON-8", "MON-10")
@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (UnknownCurrency("ABC"), "money.unknown_currency"),
        (AmountUnreadable("?"), "money.amount_unreadable"),
        (AmountTooPrecise(2), "money.amount_too_precise"),
        (AmountTooLarge(LIMIT), "money.amount_too_large"),
        (CurrencyMismatch("EUR", "USD"), "money.currency_mismatch"),
        (NothingToAllocateTo(), "money.nothing_to_allocate_to"),
        (BadShare(), "money.bad_share"),
        (BadRate(), "money.bad_rate"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_refusal_has_its_code(refusal: Rejected, code: str) -> None:
    assert (refusal.code, refusal.kind) == (code, Kind.INVALID)
