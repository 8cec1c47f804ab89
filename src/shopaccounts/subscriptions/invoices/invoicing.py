"""From lines to an invoice that can be issued.

The rules, in plain English:

* A line is its amount, less discounts, and its tax; a total is the sum of the lines. Where prices are without tax,
  subtotal less discount plus tax is the total. Where they are with it, subtotal less discount is, and contains the tax.
* Lines stand by subscription, and there the fee for setting up comes before what recurs, add-ons, arrears and changes.
* No invoice comes to less than nothing. Where more is taken back than is billed, a line lifts the sum to zero, and the
  customer's balance gets the rest.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.money import Currency, CurrencyMismatch, Money, Rate
from shopaccounts.subscriptions.invoices.taxing import Taxable, taxes_of
from shopaccounts.subscriptions.papers.documents import InvoiceKind
from shopaccounts.subscriptions.papers.lines import Line, LineDraft, LineKind, PendingLine, TaxMode
from shopaccounts.subscriptions.policy.invoicing import TaxPolicy

__all__ = ["InvoiceDraft", "LineDraft", "assemble"]

_RANKS: Final = {
    LineKind.SETUP_FEE: 0,
    LineKind.RECURRING: 1,
    LineKind.STUB: 1,
    LineKind.ADD_ON: 2,
    LineKind.USAGE: 3,
    LineKind.MINIMUM: 3,
    LineKind.CHARGE: 4,
    LineKind.CREDIT: 4,
    LineKind.TO_BALANCE: 5,
}
_TAKING_BACK: Final = frozenset({LineKind.CREDIT, LineKind.TO_BALANCE})
_THE_CUSTOMARY: Final = TaxPolicy()


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class InvoiceDraft:
    """An invoice before it is issued: computed, and neither numbered nor recorded.

    Args:
        key: Natural key of what causes it.
        kind: Why it is written.
        currency: Of every amount on it.
        mode: On which side of tax its prices are quoted.
        lines: In the order in which they stand.
        fresh: Of what the lines were made, but for those that had waited, each with the rates of its taxes.
        joined: The lines that had waited for an invoice.
        subtotal: Sum of the amounts.
        discount: Sum of what was taken off.
        tax: Sum of the taxes.
        total: What it comes to.
        to_balance: What the balance gets, because more was taken back than billed.
    """

    key: str
    kind: InvoiceKind
    currency: Currency
    mode: TaxMode
    lines: tuple[Line, ...]
    fresh: tuple[Taxable, ...]
    joined: tuple[PendingLine, ...] = ()
    subtotal: Money
    discount: Money
    tax: Money
    total: Money
    to_balance: Money

    @property
    def takes_back(self) -> bool:
        """Whether a line takes something back."""
        return any(line.kind in _TAKING_BACK for line in self.lines)


def assemble(
    lines: Sequence[LineDraft],
    rates: Sequence[tuple[Rate, ...]] | None = None,
    *,
    key: str,
    kind: InvoiceKind,
    mode: TaxMode,
    tax: TaxPolicy = _THE_CUSTOMARY,
    waiting: Sequence[PendingLine] = (),
) -> InvoiceDraft:
    """Make an invoice of lines: put them in order, compute their tax, and add them up.

    Args:
        lines: What is billed, after discounts.
        rates: The rates of the taxes of each line; None where the lines have them. What takes something back keeps its
            own.
        key: Natural key of what causes the invoice, the same at every try.
        kind: Why it is written.
        mode: On which side of tax prices are quoted to this customer.
        tax: Where tax is rounded.
        waiting: Lines that waited for this invoice, oldest first.

    Raises:
        CurrencyMismatch: A line is in another currency than the first.
        Defect: There is no line, or there are not as many rates as lines.
    """
    fresh = _with_rates(lines, rates)
    in_order = _in_order([*((pending.line, pending.line.rates) for pending in waiting), *fresh])
    currency = _one_currency(in_order)
    nothing = Money.zero(currency)
    taxes = taxes_of(in_order, mode, tax.rounding)
    made = [_line(*each, taxed, mode, nothing) for each, taxed in zip(in_order, taxes, strict=True)]
    subtotal, off, taxed_in_all = _sums(made)
    comes_to = subtotal - off + (taxed_in_all if mode is TaxMode.EXCLUSIVE else 0)
    if comes_to < 0:
        made.append(_line(_lifting(made[-1], -comes_to), (), (), mode, nothing))
        subtotal -= comes_to
    return InvoiceDraft(
        key=key,
        kind=kind,
        currency=currency,
        mode=mode,
        lines=tuple(made),
        fresh=fresh,
        joined=tuple(waiting),
        subtotal=Money(subtotal, currency),
        discount=Money(off, currency) if off else nothing,
        tax=Money(taxed_in_all, currency),
        total=Money(comes_to, currency) if comes_to > 0 else nothing,
        to_balance=Money(-comes_to, currency) if comes_to < 0 else nothing,
    )


def _with_rates(lines: Sequence[LineDraft], rates: Sequence[tuple[Rate, ...]] | None) -> tuple[Taxable, ...]:
    if rates is None:
        return tuple((line, line.rates) for line in lines)
    if len(rates) != len(lines):
        msg = f"rates for {len(rates)} of {len(lines)} lines"
        raise Defect(msg)
    pairs = zip(lines, rates, strict=True)
    return tuple((line, theirs if line.taxed is None else line.rates) for line, theirs in pairs)


def _in_order(lines: list[Taxable]) -> list[Taxable]:
    if len(lines) < 2:  # noqa: PLR2004  (one line is in order)
        return lines
    first_seen: dict[str, int] = {}
    for place, (line, _) in enumerate(lines):
        first_seen.setdefault(line.subscription, place)
    return sorted(lines, key=lambda each: (first_seen[each[0].subscription], _RANKS[each[0].kind]))


def _one_currency(lines: Sequence[Taxable]) -> Currency:
    if not lines:
        msg = "an invoice without lines"
        raise Defect(msg)
    currency = lines[0][0].amount.currency
    for line, _ in lines:
        if line.amount.currency != currency:
            raise CurrencyMismatch(left=currency, right=line.amount.currency)
    return currency


def _line(draft: LineDraft, rates: tuple[Rate, ...], taxed: tuple[int, ...], mode: TaxMode, nothing: Money) -> Line:
    return Line(
        kind=draft.kind,
        subscription=draft.subscription,
        cycle=draft.cycle,
        key=draft.key,
        product=draft.product,
        quantity=draft.quantity,
        tariff=draft.tariff,
        start=draft.start,
        end=draft.end,
        factor=draft.factor,
        amount=draft.amount,
        discounts=draft.discounts,
        rates=rates,
        category=draft.category,
        credits_line=draft.credits_line,
        quantity_from=draft.quantity_from,
        mode=mode,
        taxed=taxed,
        credited=nothing,
        tax_credited=(0,) * len(taxed),
    )


def _sums(lines: Sequence[Line]) -> tuple[int, int, int]:
    """Answer the sums of amounts, discounts and taxes."""
    amounts = sum(line.amount.minor for line in lines)
    off = sum(taken.minor for line in lines for taken in line.discounts)
    return amounts, off, sum(minor for line in lines for minor in line.taxed)


def _lifting(last: LineDraft, missing: int) -> LineDraft:
    amount = Money(missing, last.amount.currency)
    return LineDraft(kind=LineKind.TO_BALANCE, key="balance", product="", start=last.start, end=last.end, amount=amount)
