"""Taxes of lines: last, on the side on which prices are quoted, and never lost between lines and totals."""

from datetime import date

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import BadPolicy, Defect
from shopaccounts.kernel.money import CurrencyMismatch, Money, Rate, add_tax, extract_tax, share, total
from shopaccounts.kernel.policy import overlay
from shopaccounts.subscriptions.invoices.invoicing import InvoiceDraft, assemble
from shopaccounts.subscriptions.papers.documents import (
    DiscountTaken,
    InvoiceKind,
    Line,
    LineDraft,
    LineKind,
    LineTax,
    TaxMode,
)
from shopaccounts.subscriptions.policy.invoicing import TaxPolicy, TaxRounding

VAT, REDUCED, CITY = Rate.percent(19), Rate.percent(7), Rate.percent("0.375")
EXCLUSIVE, INCLUSIVE = TaxMode.EXCLUSIVE, TaxMode.INCLUSIVE
ON_THE_SUM = TaxPolicy(rounding=TaxRounding.PER_INVOICE)


def euro(amount: str) -> Money:
    return Money.of(amount, "EUR")


def line(amount: Money | str, rates=(VAT,), off: int = 0, **more) -> LineDraft:
    return LineDraft(
        kind=more.pop("kind", LineKind.RECURRING),
        key="plan",
        product="coffee",
        start=date(2026, 5, 12),
        end=date(2026, 6, 12),
        amount=euro(amount) if isinstance(amount, str) else amount,
        discounts=(DiscountTaken("WELCOME", off),) if off else (),
        rates=tuple(rates),
        **more,
    )


def invoice(*lines: LineDraft, mode: TaxMode = EXCLUSIVE, tax: TaxPolicy | None = None) -> InvoiceDraft:
    return assemble(lines, key="k", kind=InvoiceKind.PERIODIC, mode=mode, tax=tax or TaxPolicy())


def taxes(draft: InvoiceDraft) -> list[tuple[int, ...]]:
    return [each.taxed for each in draft.lines]


rates = st.lists(st.sampled_from([VAT, REDUCED, CITY, Rate.percent(0), Rate.percent(1000)]), max_size=3).map(tuple)
amounts = st.builds(Money, st.integers(0, 10**7), st.just("EUR"))
drafts = st.builds(
    lambda amount, theirs, part: line(amount, theirs, off=share(amount, part, 100).minor),
    amounts,
    rates,
    st.integers(0, 100),
)
invoices = st.lists(drafts, min_size=1, max_size=8)


@pytest.mark.proves("INV-3", "INV-4")
def test_discounts_come_off_before_tax_and_tax_is_on_the_rounded_net():
    billed = invoice(line("29.99", off=333))
    assert (billed.subtotal, billed.discount) == (euro("29.99"), euro("3.33"))
    only = billed.lines[0]
    assert (only.base, only.net, only.tax, only.gross) == (euro("26.66"), euro("26.66"), euro("5.07"), euro("31.73"))
    assert only.taxes == (LineTax(VAT, euro("5.07")),)
    assert billed.total == euro("31.73")


@pytest.mark.proves("INV-3", "INV-4")
def test_prices_that_include_tax_stay_what_was_quoted():
    billed = invoice(line("12.50", [REDUCED]), mode=INCLUSIVE)
    only = billed.lines[0]
    assert (only.base, only.gross, only.net, only.tax) == (euro("12.50"), euro("12.50"), euro("11.68"), euro("0.82"))
    assert (billed.subtotal, billed.tax, billed.total) == (euro("12.50"), euro("0.82"), euro("12.50"))


@pytest.mark.proves("INV-4", "PRO-7")
def test_tax_is_rounded_on_each_line_unless_the_shop_rounds_it_on_the_sum():
    three = [line("0.33")] * 3
    assert taxes(invoice(*three)) == [(6,), (6,), (6,)]
    assert invoice(*three).tax == euro("0.18")
    assert taxes(invoice(*three, tax=ON_THE_SUM)) == [(7,), (6,), (6,)]
    assert invoice(*three, tax=ON_THE_SUM).tax == share(euro("0.99"), 19, 100) == euro("0.19")


@pytest.mark.proves("INV-4")
def test_a_rate_is_summed_over_all_lines_that_have_it_whatever_else_they_have():
    billed = invoice(line("0.33"), line("0.33", [VAT, CITY]), line("0.33", [CITY, VAT]), tax=ON_THE_SUM)
    assert taxes(billed) == [(7,), (6, 0), (0, 6)]


@pytest.mark.proves("INV-4")
def test_taxes_in_a_price_are_told_from_one_another_together():
    billed = invoice(line("0.99", [VAT, CITY]), line("0.99", [VAT, CITY]), line("0.99"), mode=INCLUSIVE, tax=ON_THE_SUM)
    both, alone = extract_tax(euro("1.98"), [VAT, CITY]), extract_tax(euro("0.99"), [VAT])
    assert sum(taxed[0] for taxed in taxes(billed)[:2]) == both.taxes[0].minor
    assert sum(taxed[1] for taxed in taxes(billed)[:2]) == both.taxes[1].minor
    assert taxes(billed)[2] == (alone.taxes[0].minor,)


@pytest.mark.proves("INV-4")
def test_the_same_rate_twice_on_a_line_is_two_taxes():
    assert taxes(invoice(line("1.00", [CITY, CITY]), line("1.00", [CITY]), tax=ON_THE_SUM)) == [(1, 0), (0,)]


@pytest.mark.proves("INV-4")
@pytest.mark.parametrize("tax", [TaxPolicy(), ON_THE_SUM])
@pytest.mark.parametrize("mode", TaxMode)
def test_what_takes_something_back_keeps_the_tax_that_it_brought(mode, tax):
    back = line("-10.00", [VAT], taxed=(-189,), kind=LineKind.CREDIT)
    billed = assemble(
        [line("20.00", []), back], [(REDUCED,), (REDUCED,)], key="k", kind=InvoiceKind.CHANGE, mode=mode, tax=tax
    )
    assert billed.lines[0].rates == (REDUCED,)
    assert (billed.lines[1].rates, billed.lines[1].taxed) == ((VAT,), (-189,))


@pytest.mark.proves("INV-4")
@pytest.mark.parametrize("mode", TaxMode)
def test_what_is_below_zero_gets_no_part_of_the_tax_of_other_lines(mode):
    alone, with_less = (
        invoice(*lines, mode=mode, tax=ON_THE_SUM)
        for lines in ([line("0.33")] * 3, [line("0.33")] * 3 + [line("-5.00"), line("0.00")])
    )
    assert taxes(with_less)[:3] == taxes(alone)
    assert taxes(with_less)[3:5] == taxes(invoice(line("-5.00"), line("0.00"), mode=mode))[:2]


@pytest.mark.proves("INV-4")
def test_rates_belong_to_lines_and_there_are_as_many():
    with pytest.raises(Defect, match="rates for 1 of 2"):
        assemble([line("1.00")] * 2, [(VAT,)], key="k", kind=InvoiceKind.PERIODIC, mode=EXCLUSIVE)


@pytest.mark.proves("INV-3")
def test_an_invoice_has_lines_and_one_currency():
    with pytest.raises(Defect, match="without lines"):
        invoice()
    with pytest.raises(CurrencyMismatch):
        invoice(line("1.00"), line(Money.of(1, "USD")))


@pytest.mark.proves("INV-3", "INV-4", "PRO-7")
@given(invoices, st.sampled_from(TaxMode), st.sampled_from(TaxRounding))
def test_every_total_is_the_sum_of_lines_and_each_line_adds_up(lines, mode, rounding):
    billed = invoice(*lines, mode=mode, tax=TaxPolicy(rounding=rounding))
    on_top = billed.tax if mode is EXCLUSIVE else euro("0.00")
    assert billed.subtotal - billed.discount + on_top == billed.total
    for of, whole in [("amount", "subtotal"), ("discount", "discount"), ("tax", "tax"), ("gross", "total")]:
        assert total((getattr(each, of) for each in billed.lines), "EUR") == getattr(billed, whole)
    assert all(each.net + each.tax == each.gross and each.net.minor >= 0 for each in billed.lines)
    assert all(each.base == (each.net if mode is EXCLUSIVE else each.gross) for each in billed.lines)


@pytest.mark.proves("INV-4")
@given(invoices, st.sampled_from(TaxMode))
def test_on_lines_the_kernel_says_what_a_tax_is(lines, mode):
    compute = add_tax if mode is EXCLUSIVE else extract_tax
    for each in invoice(*lines, mode=mode).lines:
        assert each.taxes == tuple(map(LineTax, each.rates, compute(each.base, each.rates).taxes))


@pytest.mark.proves("INV-4")
@given(st.lists(amounts, min_size=1, max_size=8))
def test_on_the_sum_a_rate_comes_to_its_share_of_the_sum_and_no_line_is_a_unit_off(bases):
    billed = invoice(*map(line, bases), tax=ON_THE_SUM)
    assert billed.tax == share(total(bases, "EUR"), 19, 100)
    assert all(abs(each.tax.minor - each.base.minor * 0.19) <= 1.5 for each in billed.lines)


@pytest.mark.proves("INV-2")
def test_lines_stand_by_subscription_and_within_it_by_what_they_are_for():
    given_so = [
        line("1.00", subscription="b", kind=LineKind.ADD_ON, quantity=1),
        line("2.00", subscription="a", kind=LineKind.CHARGE),
        line("3.00", subscription="a", kind=LineKind.USAGE),
        line("4.00", subscription="b", kind=LineKind.RECURRING),
        line("5.00", subscription="b", kind=LineKind.ADD_ON, quantity=2),
        line("6.00", subscription="a", kind=LineKind.STUB),
        line("7.00", subscription="a", kind=LineKind.SETUP_FEE),
    ]
    billed = invoice(*given_so)
    assert [each.amount.minor // 100 for each in billed.lines] == [4, 1, 5, 7, 6, 3, 2]


@pytest.mark.proves("INV-2")
def test_a_line_is_made_of_its_draft_and_loses_nothing_of_it():
    draft = line("17.90", subscription="s", quantity=3, category="standard", quantity_from="meter at noon")
    made = invoice(draft).lines[0]
    for field in attrs.fields(LineDraft):
        if field.name != "taxed":
            assert getattr(made, field.name) == getattr(draft, field.name), field.name
    assert isinstance(made, Line)
    assert (made.taxed, made.tax_credited, made.credited, made.live_until) == ((340,), (0,), euro("0.00"), None)


@pytest.mark.proves("CHG-11")
@pytest.mark.parametrize(("mode", "missing"), [(EXCLUSIVE, "12.80"), (INCLUSIVE, "10.90")])
def test_a_negative_sum_is_lifted_to_zero_and_the_balance_gets_it(mode, missing):
    back = line("-15.90", [VAT], taxed=(-285,), kind=LineKind.CREDIT)
    billed = invoice(back, line("5.00"), mode=mode)
    assert billed.lines[-1].kind is LineKind.TO_BALANCE
    assert billed.lines[-1].amount == billed.to_balance == euro(missing)
    assert billed.total == euro("0.00")
    on_top = billed.tax if mode is EXCLUSIVE else euro("0.00")
    assert billed.subtotal - billed.discount + on_top == billed.total


@pytest.mark.proves("INV-4", "POL-1")
def test_tax_is_rounded_on_lines_by_default_and_a_setting_says_otherwise():
    assert TaxPolicy().rounding is TaxRounding.PER_LINE
    assert overlay(TaxPolicy(), {"rounding": "per_invoice"}) == ON_THE_SUM
    with pytest.raises(BadPolicy):
        overlay(TaxPolicy(), {"rounding": "sometimes"})
    with pytest.raises(TypeError):
        TaxPolicy(rounding="per_line")  # type: ignore[arg-type]
