"""The page about notices lists the rules that are shipped, as they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shopaccounts.subscriptions.laws.notice_rules import LawRow, NoticeRule, NoticeTrigger, Offset
from shopaccounts.subscriptions.laws.rows import LAWS, EvidenceRule, RenewalTermRule, StepUpRule, WithdrawalRule

PAGE = Path(__file__).parents[3] / "docs/contexts/subscriptions/notices.md"
RECEIPTS = {NoticeTrigger.CANCEL_RECEIPT, NoticeTrigger.WITHDRAWAL_RECEIPT}


def when(row: LawRow) -> str:
    match row:
        case NoticeRule(triggers=triggers) if triggers & RECEIPTS:
            return "at once"
        case NoticeRule(earliest=Offset(count=first, unit=unit), latest=Offset(count=last, unit=same)):
            assert unit is same
            return f"{first} to {last} {unit.value} before"
        case EvidenceRule(years_from_consent=years, years_after_end=after):
            return f"kept {years} years, or {after} after the end, whichever is later"
        case StepUpRule(limit=limit):
            return f"above {limit} the customer confirms it"
        case RenewalTermRule(initial_months=months, notice_months=notice):
            return f"{months} months at most, then it runs on with {notice} month of notice at most"
        case WithdrawalRule(days=days, uninformed_months=months):
            return f"{days} days, and {months} months more where the shop did not tell"
    raise AssertionError(row)


def expected(row: LawRow) -> list[str]:
    effect = row.effect.value if isinstance(row, NoticeRule) else "–"
    place = row.jurisdiction or "everywhere"
    return [f"`{row.id}`", place, when(row), effect, row.law, str(row.valid_from), str(row.reviewed_on)]


def shown() -> Iterator[list[str]]:
    section = PAGE.read_text("utf-8").partition("### What is shipped")[2].partition("\n#")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            id, whom, *rest = (cell.strip() for cell in line.strip("|").split("|"))
            assert whom
            yield [id, *rest]


@pytest.mark.proves("DOC-12")
def test_the_page_lists_every_rule_with_its_window_effect_law_and_days():
    assert list(shown()) == [expected(row) for row in LAWS]


@pytest.mark.proves("DOC-12")
def test_the_page_says_that_a_shop_checks_its_own_duties():
    assert "Which duties a shop has, it checks itself." in " ".join(PAGE.read_text("utf-8").split())
