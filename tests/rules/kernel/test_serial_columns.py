"""Many values that are much alike are written in columns, and read as they were."""

import json
from typing import ClassVar

import attrs
import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.money import Money


@attrs.frozen
class Round:
    diameter: int


@attrs.frozen
class Square:
    width: int
    height: int


@attrs.frozen
class Row:
    stored_in_columns: ClassVar = True

    name: str
    amount: Money
    shape: Round | Square | None = None
    parts: tuple[int, ...] = ()


@attrs.frozen
class Sheet:
    rows: tuple[Row, ...]


shapes = st.none() | st.builds(Round, st.integers(0, 2)) | st.builds(Square, st.integers(0, 2), st.integers(0, 2))
rows = st.builds(
    Row,
    st.sampled_from(["a", "b"]),
    st.builds(Money, st.integers(-1, 1), st.sampled_from(["EUR", "USD"])),
    shapes,
    st.lists(st.integers(0, 1), max_size=2).map(tuple),
)


@pytest.mark.proves("KER-195")
@given(st.lists(rows, max_size=6).map(tuple).map(Sheet))
def test_what_is_written_in_columns_is_read_as_it_was(sheet):
    assert serial.load(Sheet, serial.dump(sheet)) == sheet


@pytest.mark.proves("KER-195")
def test_what_all_have_in_common_is_written_once():
    sheet = Sheet(tuple(Row("tea", Money(minor, "EUR")) for minor in (1, 2, 3)))
    assert json.loads(serial.dump(sheet))["rows"] == {
        "count": 3,
        "of": {
            "amount": {"of": {"currency": {"all": "EUR"}, "minor": {"each": [1, 2, 3]}}},
            "name": {"all": "tea"},
            "parts": {"all": []},
            "shape": {"all": None},
        },
    }


@pytest.mark.proves("KER-195")
@pytest.mark.parametrize(
    "plain",
    [
        [],
        {},
        {"count": "1", "all": {}},
        {"count": 1},
        {"count": 2, "each": {"0": 1}},
        {"count": 1, "of": []},
        {"count": 1, "of": {"name": {"each": ["a", "b"]}, "amount": {"all": {"currency": "EUR", "minor": 1}}}},
        {"count": 1, "all": {"name": 1, "amount": {"currency": "EUR", "minor": 1}}},
    ],
)
def test_what_was_never_written_isnt_read(plain):
    with pytest.raises((cattrs.BaseValidationError, KeyError, TypeError, ValueError)):
        serial.load(Sheet, json.dumps({"rows": plain}))


@pytest.mark.proves("KER-194", "KER-195")
def test_a_value_that_holds_a_default_stays_in_its_column():
    sheet = Sheet((Row("tea", Money(1, "EUR")), Row("tea", Money(1, "EUR"), parts=(1,))))
    written = json.loads(serial.dump(sheet))["rows"]
    assert written["of"]["parts"] == {"each": [[], [1]]}
    assert written["of"]["shape"] == {"all": None}
    assert serial.load(Sheet, serial.dump(sheet)) == sheet
