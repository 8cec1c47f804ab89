"""The tax of lines, and of what is taken back of them.

The rules, in plain English:

* Where prices exclude tax, each tax is a share of the line's base. Where they include it, the price without tax is
  rounded and the taxes are the rest.
* Tax is rounded on each line. A shop may round it once for each rate on the sum of the lines instead; then every line
  gets its part of that by largest remainder, so that lines still add up to their invoice.
* What takes something back has brought its taxes along: those of the line that it takes back, at the rates of that
  line, whatever rates hold today.
* Of each tax of a line, as much is taken back in all as belongs to all that was credited so far. A credit gets that
  less what earlier ones took. So credits that use up a line use up its tax, however it was cut into pieces.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from shopaccounts.kernel.money import Money, Rate, allocate, extract_tax, share, total
from shopaccounts.subscriptions.papers.lines import Line, LineDraft, TaxMode
from shopaccounts.subscriptions.policy.invoicing import TaxRounding

__all__ = ["tax_taken_back", "taxes_of"]

Taxed = tuple[int, ...]
"""What each tax of a line comes to, in minor units."""
Taxable = tuple[LineDraft, tuple[Rate, ...]]
"""A line and the rates of its taxes."""


def taxes_of(lines: Sequence[Taxable], mode: TaxMode, rounding: TaxRounding) -> list[Taxed]:
    """Answer what each tax of each line comes to, in minor units, in the order of the line's rates.

    Args:
        lines: Each with its rates. What takes something back has its taxes already.
        mode: On which side of tax the amounts are.
        rounding: Where tax is rounded.
    """
    together = _on_sums(lines, mode) if rounding is TaxRounding.PER_INVOICE else {}
    return [
        together.get(place, ()) or _taxes(line.base, rates, mode) if line.taxed is None else line.taxed
        for place, (line, rates) in enumerate(lines)
    ]


def _taxes(base: Money, rates: Sequence[Rate], mode: TaxMode) -> Taxed:
    if not rates:
        return ()
    if mode is TaxMode.EXCLUSIVE:  # what add_tax answers, without the amounts that nobody asks for here
        return tuple(share(base, rate.numerator, rate.denominator).minor for rate in rates)
    return tuple(tax.minor for tax in extract_tax(base, rates).taxes)


def _on_sums(lines: Sequence[Taxable], mode: TaxMode) -> dict[int, Taxed]:
    """Answer the taxes of those lines that are taxed together, by the place of the line."""
    together = [n for n, (line, rates) in enumerate(lines) if line.taxed is None and rates and line.base.minor > 0]
    parts: dict[tuple[int, int], int] = {}
    groups = _by_rate if mode is TaxMode.EXCLUSIVE else _by_rates
    for rates, members in groups(lines, together).items():
        bases = [lines[place][0].base for place, _ in members]
        taxes = _taxes(total(bases, bases[0].currency), rates, mode)
        for offset, tax in enumerate(taxes):
            for (place, tax_place), part in zip(members, _divided(tax, bases), strict=True):
                parts[place, tax_place + offset] = part
    return {place: tuple(parts[place, n] for n in range(len(lines[place][1]))) for place in together}


Groups = dict[tuple[Rate, ...], list[tuple[int, int]]]
"""Rates to the lines that have them, each by its place and that of the first of these rates among its own."""


def _by_rate(lines: Sequence[Taxable], places: Iterable[int]) -> Groups:
    """Answer which lines have a rate; one that a line has twice counts twice."""
    groups: Groups = defaultdict(list)
    for place in places:
        for tax_place, rate in enumerate(lines[place][1]):
            groups[(rate,)].append((place, tax_place))
    return groups


def _by_rates(lines: Sequence[Taxable], places: Iterable[int]) -> Groups:
    """Answer which lines have the same rates: only together can taxes be told from a price that includes them."""
    groups: Groups = defaultdict(list)
    for place in places:
        groups[lines[place][1]].append((place, 0))
    return groups


def _divided(tax: int, bases: Sequence[Money]) -> list[int]:
    weights = [base.minor for base in bases]
    return [part.minor for part in allocate(Money(tax, bases[0].currency), weights)]


def tax_taken_back(line: Line, base: Money) -> Taxed:
    """Answer what of each tax of a line goes with a part of its base that is taken back.

    Of 87.50 at 19 %, 31.90 takes 6.06 of the tax along and the remaining 55.60 takes 10.57: together the 16.63 of the
    line, where rounding each would make it 16.62.

    Args:
        line: The line, with what was taken back of it so far.
        base: How much of its base is taken back now: no more than is left.

    Returns:
        The parts in minor units, in the order of the line's rates.
    """
    so_far = (line.credited + base).minor
    if not so_far:
        return (0,) * len(line.taxed)
    whole, currency = line.base.minor, line.amount.currency
    taken = zip(line.taxed, line.tax_credited, strict=True)
    return tuple(max(share(Money(tax, currency), so_far, whole).minor - before, 0) for tax, before in taken)
