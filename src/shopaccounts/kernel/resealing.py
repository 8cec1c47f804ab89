"""Bringing what lies sealed in a book under the current key, page by page.

* The book lists its entities by the key that they are sealed with; what lies under the current key isn't looked at.
* Whoever is faster seals with the current key anyway, so a lost race is left alone.
* What can't be opened is named, and left as it is.
* So it is safe at any time, twice, and again after a crash.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.errors import Conflict
from shopaccounts.kernel.ports import Position, Records, Rows
from shopaccounts.kernel.record import Book, Change, Entity
from shopaccounts.kernel.vault import KeyMissing, SealBroken

__all__ = ["ResealAt", "ResealedPage", "reseal_page"]

T = TypeVar("T", bound=Entity)


@attrs.frozen
class ResealAt:
    """Where resealing goes on: among what lies under one key, after one of them."""

    key_id: str
    after: Position | None = None


@attrs.frozen(kw_only=True)
class ResealedPage:
    """What a page of resealing did.

    Args:
        moved: How many entities came under the current key.
        unreadable: Ids of those that can't be opened.
        next: Where to go on; None at the end.
    """

    moved: int
    unreadable: tuple[str, ...]
    next: ResealAt | None


async def reseal_page(
    records: Records,
    book: Book[T],
    group: str,
    keys: Sequence[str],
    fresh: Callable[[T], Answer[T]],
    at: ResealAt | None,
    limit: int,
) -> ResealedPage:
    """Bring one page of a book under the current key.

    Args:
        records: Where the book is.
        book: Which.
        group: The group of the book that names the key.
        keys: Every key that something may still lie under, in the order in which they are gone through.
        fresh: Answers an entity with all that it holds under the current key.
        at: Where the last page says to go on; None to begin.
        limit: How many entities to look at, at most 500.

    Raises:
        Defect: A *limit* below 1 or above 500.
    """
    at = at or ResealAt(keys[0])
    page: Rows[T] = await got(records.rows(book, group, at.key_id, at.after, limit))
    unreadable, moved = [], 0
    for entity in page.items:
        try:
            moved += await _moved(records, book, entity, await got(fresh(entity)))
        except (KeyMissing, SealBroken):
            unreadable.append(entity.id)
    return ResealedPage(moved=moved, unreadable=tuple(unreadable), next=_next(at.key_id, page.next, keys))


def _next(key_id: str, after: Position | None, keys: Sequence[str]) -> ResealAt | None:
    if after:
        return ResealAt(key_id, after)
    rest = keys[keys.index(key_id) + 1 :] if key_id in keys else ()
    return ResealAt(rest[0]) if rest else None


async def _moved(records: Records, book: Book[T], entity: T, fresh: T) -> bool:
    if fresh == entity:
        return False
    try:
        await got(records.record(Change(writes=(book.change(entity, fresh),))))
    except Conflict:  # whoever was faster has sealed with the current key
        return False
    return True
