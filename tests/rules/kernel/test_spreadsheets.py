"""Every CSV of the library follows one standard, and none of its cells is a formula."""

import csv
import io
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopaccounts.kernel.spreadsheets import csv_text

pytestmark = pytest.mark.proves("KER-207")
FORMULAS = ("=", "+", "-", "@", "\t", "\0")
cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(FORMULAS).map("{}1".format)
tables = st.lists(st.lists(cells, min_size=1, max_size=5), max_size=5)


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_the_form_is_that_of_the_standard() -> None:
    rows = [["when", "what"], ["2031-01-01", 'a "lamp", red'], ["", "two\r\nlines"]]
    assert csv_text(rows) == 'when,what\r\n2031-01-01,"a ""lamp"", red"\r\n,"two\r\nlines"\r\n'


@pytest.mark.parametrize("sign", FORMULAS, ids=ascii)
def test_a_cell_that_would_be_a_formula_begins_with_a_quote(sign: str) -> None:
    assert read(csv_text([["ann", f"{sign}1+1"]])) == [["ann", f"'{sign}1+1"]]
    assert read(csv_text([[sign]])) == [[f"'{sign}"]]


@pytest.mark.parametrize("cell", ["", "1=1", "a-b", "ann@lamp.example", "'=1", " =1", "é"])
def test_any_other_cell_stays_as_it_is(cell: str) -> None:
    assert read(csv_text([["x", cell]])) == [["x", cell]]


@given(tables)
@example([[""]])
@example([["\r"], ["\n", '"']])
def test_what_is_written_is_read_again_and_no_cell_begins_like_a_formula(rows: list[list[str]]) -> None:
    back = read(csv_text(rows))
    assert [len(row) for row in back] == [len(row) for row in rows]
    for written, cell in zip(chain(*back), chain(*rows), strict=True):
        assert written == (f"'{cell}" if cell.startswith(FORMULAS) else cell)
        assert not written.startswith(FORMULAS)


def test_nothing_is_an_empty_table() -> None:
    assert csv_text([]) == ""
