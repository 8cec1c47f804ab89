"""Laws of changes: there and back costs nothing, there again costs what it cost, and no credit exceeds its line."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.money import Money, Rate, currency
from shopaccounts.subscriptions.changing.wanting import quantity_wish
from shopaccounts.subscriptions.cycles.schedules import DayOfMonth
from shopaccounts.subscriptions.errors import CannotConvertTime
from shopaccounts.subscriptions.papers.documents import TaxMode
from shopaccounts.subscriptions.plans.discounts import Discount, Duration, Fixed, Forever, Once, Percent
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.plans.phases import Cycles
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.changes import ChangePolicy, CreditForm, Preset
from shopaccounts.subscriptions.policy.cycles import ChangeDay, Method, ProrationPolicy
from shopaccounts.subscriptions.policy.invoicing import TaxPolicy, TaxRounding
from shopaccounts.subscriptions.scheduled import Wish
from shopaccounts.testing.changing import Ledger, a_plan, no_first_payment

EUR = currency("EUR")
START = date(2027, 1, 31)
MONTH, YEAR, FORTNIGHT = Interval.months(1), Interval.months(12), Interval.weeks(2)

prices = st.integers(0, 50_000).map(lambda minor: f"{minor // 100}.{minor % 100:02d}")
kinds = st.one_of(
    st.integers(1, 10_000).map(lambda basis: Percent(Rate(basis, 10_000))),
    st.integers(1, 3_000).map(lambda minor: Fixed(Money(minor, EUR))),
)
durations: st.SearchStrategy[Duration] = st.sampled_from([Once(), Forever(), Cycles(2)])


@st.composite
def discounts(draw: st.DrawFn) -> Sequence[Discount]:
    """Up to three discounts, one after the other."""
    wanted = draw(st.lists(st.tuples(kinds, durations), max_size=3))
    return [
        Discount(code=f"c{place}", kind=kind, duration=duration, position=place)
        for place, (kind, duration) in enumerate(wanted)
    ]


@st.composite
def policies(draw: st.DrawFn) -> SubscriptionPolicy:
    """A shop that runs subscriptions at once, and gives back as it likes."""
    return no_first_payment(
        changes=ChangePolicy(credit_form=draw(st.sampled_from(CreditForm))),
        proration=ProrationPolicy(
            method=draw(st.sampled_from([Method.ACTUAL_DAYS, Method.FIXED_30, Method.SECONDS])),
            change_day=draw(st.sampled_from(ChangeDay)),
        ),
        tax=TaxPolicy(rounding=draw(st.sampled_from(TaxRounding))),
    )


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[Ledger, list[PlanVersion]]:
    """A subscription that runs for a while, with a stub or without, and the plans of its group."""
    day = draw(st.sampled_from([None, 5, 30]))
    more: dict[str, Any] = {"billing_day": DayOfMonth(day)} if day else {}
    per_unit = draw(st.booleans())
    versions = [
        a_plan(draw(prices), draw(st.sampled_from([MONTH, MONTH, YEAR])), id=f"p{n}", per_unit=per_unit, **more)
        for n in range(3)
    ]
    books = Ledger(
        versions[0],
        START,
        policy=draw(policies()),
        mode=draw(st.sampled_from(TaxMode)),
        discounts=draw(discounts()),
        quantity=draw(st.integers(1, 7)),
        rates=draw(st.sampled_from([(), (Rate.percent(19),), (Rate.percent(7), Rate.percent(3))])),
    )
    books.until(START + timedelta(days=draw(st.integers(0, 80))), 13)
    return books, versions


both = pytest.mark.parametrize("preset", [Preset.PRORATE_NOW, Preset.PRORATE_NEXT])


def there(books: Ledger, version: PlanVersion, preset: Preset) -> tuple[int, int, int]:
    books.change(books.plan_wish(version), preset=preset)
    return books.owed


@pytest.mark.proves("CHG-10", "DIS-5", "ABU-3")
@both
@settings(max_examples=80)
@given(case=ledgers())
def test_there_and_back_at_one_instant_is_nothing_in_amount_discount_and_tax(preset, case):
    books, (home, away, _) = case
    before = books.owed
    first = there(books, away, preset)
    assert there(books, home, preset) == before
    assert there(books, away, preset) == first
    assert there(books, home, preset) == before


@pytest.mark.proves("CHG-10", "ABU-3")
@both
@settings(max_examples=40)
@given(case=ledgers())
def test_a_round_trip_over_another_plan_is_nothing_either(preset, case):
    books, (home, away, further) = case
    before = books.owed
    first = there(books, away, preset)
    there(books, further, preset)
    assert there(books, away, preset) == first
    assert there(books, home, preset) == before


@pytest.mark.proves("CHG-10", "ABU-4")
@both
@settings(max_examples=40)
@given(case=ledgers(), counts=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_quantities_that_go_up_and_down_within_a_day_cost_nothing(preset, case, counts):
    books, _ = case
    home, before = books.subscription.plan_line.quantity, books.owed
    for count in (*counts, home):
        if count != books.subscription.plan_line.quantity:
            books.change(quantity_wish(count), preset=preset)
    assert books.owed == before


@pytest.mark.proves("CHG-3", "CHG-11")
@settings(max_examples=80)
@given(
    case=ledgers(),
    moves=st.lists(
        st.tuples(
            st.integers(0, 25), st.integers(0, 2), st.sampled_from([p for p in Preset if p is not Preset.DIFFERENCE])
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_no_line_is_credited_beyond_what_it_was_and_no_invoice_is_negative(case, moves):
    books, versions = case
    for days, which, preset in moves:
        books.until((books.now + timedelta(days=days)).date(), 13)
        wish = books.plan_wish(versions[which])
        if wish.terms is not None and wish.terms.version != books.subscription.terms.version:
            attempt(books, wish, preset)
    for invoice in books.invoices.values():
        assert invoice.total.minor >= 0
        assert invoice.due.minor >= 0
        for line in invoice.lines:
            assert 0 <= line.credited.minor <= max(line.base.minor, 0)
            assert all(0 <= back <= max(tax, 0) for back, tax in zip(line.tax_credited, line.taxed, strict=True))


def attempt(books: Ledger, wish: Wish, preset: Preset) -> None:
    """Change as asked, unless what is left is no time to convert."""
    try:
        books.change(wish, preset=preset)
    except CannotConvertTime:
        books.change(wish, preset=Preset.NO_MONEY)
