"""The page on moving in says what the rules compute."""

from datetime import date
from pathlib import Path

import pytest

from shopaccounts.kernel.cycles import Anchor, Interval, adopt_cycle
from shopaccounts.kernel.time import zone

PAGE = (Path(__file__).parents[3] / "docs/contexts/subscriptions/billing-desk.md").read_text("utf-8")


@pytest.mark.proves("DOC-11", "CYC-10")
def test_the_page_moves_running_subscriptions_in_with_the_figures_of_the_rules() -> None:
    assert "import_subscription(" in PAGE
    assert "adopt_cycle(began, mondays, fortnight)" in PAGE
    mondays = Anchor.on(date(2026, 1, 5), zone("Europe/Berlin"))
    for began in (date(2026, 3, 9), date(2026, 3, 11)):
        follows = adopt_cycle(began, mondays, Interval.weeks(2)).next_boundary(began)
        row = next(line for line in PAGE.splitlines() if line.startswith("|") and f"{began.day} March" in line)
        assert f"Monday {follows.day} March" in row.split("|")[2]
