"""What the contracts do again and again."""

from collections.abc import Callable
from typing import Any, TypeVar

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


async def listed(store: Records, book: Book[T], group: str, value: str, limit: int = 500) -> tuple[T, ...]:
    """Answer a whole group, page by page."""
    items: tuple[T, ...] = ()
    after: Position | None = None
    while True:
        page = await got(store.rows(book, group, value, after, limit))
        items += page.items
        if page.next is None:
            return items
        after = page.next


async def refused(error: type[E], ask: Callable[..., Answer[Any]], *args: Any) -> E:
    """Call a port that has to raise exactly this class of error, now or later, and answer the error."""
    try:
        await got(ask(*args))
    except error as raised:
        assert type(raised) is error, f"{raised!r} rather than {error.__name__}"
        return raised
    msg = f"not refused with {error.__name__}"
    raise AssertionError(msg)
