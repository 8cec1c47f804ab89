"""The page about changes prices one change in all eight ways, with figures that are computed."""

from pathlib import Path

import pytest

from shopaccounts.subscriptions.policy.changes import Preset

PAGE = (Path(__file__).parents[3] / "docs/contexts/subscriptions/changes.md").read_text("utf-8")


@pytest.mark.proves("DOC-3", "CHG-8")
def test_the_page_prices_one_change_in_all_eight_ways_and_lists_them():
    for preset in Preset:
        assert f"priced(Preset.{preset.name}) ==" in PAGE
        assert f"| `{preset.name}` |" in PAGE
    for figure in ("11.55", "19.29", "7.74", "37.64", "265 of 365", "217.08", "12 days", "4 June"):
        assert figure in PAGE
