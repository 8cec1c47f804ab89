"""Reading a whole group of a book, which a store answers page by page."""

from collections.abc import Callable
from typing import Final, TypeVar

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ports import Position, Records
from shopaccounts.kernel.record import Book, Entity

__all__ = ["all_rows"]

T = TypeVar("T", bound=Entity)
_PAGE: Final = 500


async def all_rows(
    records: Records,
    book: Book[T],
    group: str,
    value: str,
    *,
    wanted: Callable[[T], bool] = lambda _: True,
    room: int | None = None,
    newest_first: bool = False,
) -> list[T]:
    """Answer a group of a book, oldest first.

    Args:
        records: Where it is kept.
        book: Which book.
        group: By which it is listed.
        value: Of which group.
        wanted: Which of its rows.
        room: How many at most; None for all. No page is read after the one that fills it.
        newest_first: Whether to list the other way round.
    """
    found: list[T] = []
    after: Position | None = None
    while room is None or len(found) < room:
        page = await got(records.rows(book, group, value, after, _PAGE, newest_first=newest_first))
        found += filter(wanted, page.items)
        if page.next is None:
            break
        after = page.next
    return found[:room]
