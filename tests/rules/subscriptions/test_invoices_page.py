"""The page about invoices shows how amounts are rounded, and what becomes of an invoice."""

from pathlib import Path

import pytest

from shopaccounts.subscriptions.invoices.states import INVOICE

PAGE = (Path(__file__).parents[3] / "docs/contexts/subscriptions/invoices.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.proves("DOC-9")
def test_the_page_shows_the_numbers_of_a_change_and_of_two_notes():
    rounding = section("How amounts are rounded")
    for number in ("17.90", "29.90", "11.55", "19.29", "7.74", "87.50", "16.63", "31.90", "55.60", "6.06", "10.57"):
        assert number in rounding


@pytest.mark.proves("INV-5")
def test_the_page_lists_every_way_from_state_to_state_and_no_other():
    rows = [
        row.strip("| ").split(" | ") for row in section("What becomes of an invoice").splitlines() if row[:1] == "|"
    ]
    shown = sorted((before, after) for before, _, after in rows[2:])
    assert shown == sorted((before.value, after.value) for (before, _), after in INVOICE.items())
