"""A whole group of a book is read page by page, and no further than somebody wants."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.answers import run
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.ports import Position, Rows
from shopaccounts.kernel.reading import all_picked, all_rows
from shopaccounts.testing.toys import BOXES, Box

NUMBERS: Any = BOXES


@attrs.define
class Listing:
    """A book of numbers, which notes how many pages were read."""

    rows_of: Sequence[int]
    read: int = 0

    def rows(self, _book: Any, _group: str, _value: str, after: Any, limit: int, *, newest_first: bool) -> Rows[Any]:
        self.read += 1
        numbers = list(reversed(self.rows_of)) if newest_first else list(self.rows_of)
        first = int(after.id) if after else 0
        page, rest = numbers[first : first + limit], numbers[first + limit :]
        there = Position(datetime(2031, 1, 1, tzinfo=UTC), str(first + limit))
        return Rows(tuple(page), there if rest else None)


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1001])
def test_every_row_is_answered_once_in_order(count: int) -> None:
    listing: Any = Listing(range(count))
    assert run(all_rows(listing, NUMBERS, "owner", "ann")) == list(range(count))
    assert listing.read == max(-(-count // 500), 1)


def test_the_other_way_round_the_newest_comes_first() -> None:
    listing: Any = Listing(range(700))
    assert run(all_rows(listing, NUMBERS, "owner", "ann", newest_first=True)) == list(reversed(range(700)))


def test_only_what_is_wanted_fills_the_room_and_nothing_is_read_after_that() -> None:
    listing: Any = Listing(range(2000))
    wanted: Any = lambda number: number % 100 == 99  # noqa: E731  (rows are numbers here)
    assert run(all_rows(listing, NUMBERS, "owner", "ann", wanted=wanted, room=7)) == [99, 199, 299, 399, 499, 599, 699]
    assert listing.read == 2
    assert run(all_rows(listing, NUMBERS, "owner", "ann", room=0)) == []
    assert listing.read == 2


@attrs.define
class Shelf:
    """Boxes by their ids, with how many were asked for each time."""

    boxes: dict[str, Box]
    asked: list[int] = attrs.field(factory=list)

    def pick(self, _book: Any, ids: Sequence[str]) -> tuple[Box, ...]:
        self.asked.append(len(ids))
        return tuple(self.boxes[id] for id in ids if id in self.boxes)


@pytest.mark.parametrize(("count", "asked"), [(0, []), (1, [1]), (1000, [1000]), (1001, [1000, 1])])
def test_however_many_are_picked_once_each_and_a_thousand_at_a_time(count: int, asked: list[int]) -> None:
    ids = [f"{number:04}" for number in range(count)]
    there = {id: Box(id=id, realm=RealmId("main")) for id in ids[::2]}
    shelf: Any = Shelf(there)
    assert run(all_picked(shelf, BOXES, [*reversed(ids), *ids])) == there
    assert shelf.asked == asked
