"""Reading more than a store answers at once: a whole group of a book, and however many entities by their ids."""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.bounds import MAX_IDS
from shopaccounts.kernel.ports import Position, Records
from shopaccounts.kernel.record import Book, Entity

__all__ = ["all_picked", "all_rows"]

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


async def all_picked(records: Records, book: Book[T], ids: Iterable[str]) -> dict[str, T]:
    """Answer entities by their ids, however many; those that are missing are left out.

    Args:
        records: Where they are kept.
        book: Which book.
        ids: Which; nothing is asked for none.
    """
    wanted = sorted(set(ids))
    pages = [wanted[at : at + MAX_IDS] for at in range(0, len(wanted), MAX_IDS)]
    return {one.id: one for page in pages for one in await got(records.pick(book, page))}
