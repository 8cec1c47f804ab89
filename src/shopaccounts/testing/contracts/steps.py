"""What the contracts do again and again."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.ports import BY_ID, Position, Records
from shopaccounts.kernel.record import Book, Change, Entity, Recorded

__all__ = ["find", "listed", "put", "refused"]

T = TypeVar("T", bound=Entity)
E = TypeVar("E", bound=BaseException)


async def put(store: Records, book: Book[T], *entities: T) -> tuple[T, ...]:
    """Record *entities* anew, and answer them as they are kept."""
    added = tuple(book.add(entity) for entity in entities)
    assert isinstance(await got(store.record(Change(writes=added))), Recorded)
    return tuple(write.now for write in added)


async def find(store: Records, book: Book[T], key: str, by: str = BY_ID) -> T | None:
    """Answer what is found under *key*, without what else a look-up answers."""
    found = await got(store.find(book, key, by))
    return None if found is None else found.it


async def listed(
    store: Records, book: Book[T], group: str, value: str, limit: int = 500, *, newest_first: bool = False
) -> tuple[T, ...]:
    """Answer a whole group, page by page."""
    items: tuple[T, ...] = ()
    after: Position | None = None
    while True:
        page = await got(store.rows(book, group, value, after, limit, newest_first=newest_first))
        items += page.items
        if page.next is None:
            return items
        after = page.next


async def refused(expected: E | type[E], ask: Callable[..., Answer[Any]], *args: Any) -> E:
    """Call a port that has to raise, now or later, and answer the error.

    Args:
        expected: The class of the error, and no subclass; or an error with the same facts.
        ask: What is called.
        args: With what.
    """
    kind = expected if isinstance(expected, type) else type(expected)
    with pytest.raises(kind) as caught:
        await got(ask(*args))
    raised = caught.value
    assert type(raised) is kind, f"{raised!r} rather than {kind.__name__}"
    assert isinstance(expected, type) or raised.args == expected.args, f"{raised!r} rather than {expected!r}"
    return raised
