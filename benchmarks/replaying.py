"""Listening to what a store tells its database, and telling it again through the bare driver."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from sqlalchemy import Engine, event

from benchmarks.peers.sites import PRAGMAS, Place
from benchmarks.sessions import Sessions
from shopaccounts.kernel.record import Change

__all__ = [
    "Work",
    "connect",
    "connect_later",
    "overhear",
    "overhearing",
    "record",
    "record_later",
    "replay",
    "replay_later",
]

Statement: TypeAlias = tuple[str, Any, bool]
Work: TypeAlias = list[list[Statement]]
"""The statements of each change, with their values, and whether they are executed for many rows."""


def record(sessions: Sessions, changes: Sequence[Change]) -> None:
    """Record each change."""
    for change in changes:
        sessions.store.record(change)


async def record_later(sessions: Sessions, changes: Sequence[Change]) -> None:
    """Record each change in an async host."""
    for change in changes:
        await sessions.store.record(change)


def overhear(sessions: Sessions, changes: Sequence[Change]) -> Work:
    """Record each change, and answer what the database was told."""
    engine: Engine = sessions.shop.storage.engine
    work: Work = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:  # noqa: FBT001  (as SQLAlchemy calls it)
        work[-1].append((statement, values, many))

    event.listen(engine, "before_cursor_execute", note)
    for change in changes:
        work.append([])
        sessions.store.record(change)
    event.remove(engine, "before_cursor_execute", note)
    return work


@contextmanager
def overhearing(engine: Engine) -> Iterator[Work]:
    """Write down all that a database is told meanwhile, a list for each transaction that is committed."""
    work: Work = [[]]

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:  # noqa: FBT001  (as SQLAlchemy calls it)
        in_one = not isinstance(values, list)  # SQLAlchemy makes one INSERT of many where it wants answers
        work[-1].append((statement, values, many and not in_one))

    def end(_conn: Any) -> None:
        work.append([])

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", end)
    try:
        yield work
    finally:
        event.remove(engine, "before_cursor_execute", note)
        event.remove(engine, "commit", end)


def connect(place: Place) -> Any:
    """Connect with the blocking driver."""
    if not place.is_sqlite:
        import psycopg  # noqa: PLC0415  (only where there is such a server)

        return psycopg.connect(place.bare)
    connection = sqlite3.connect(place.bare, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


async def connect_later(place: Place) -> Any:
    """Connect with the async driver."""
    if not place.is_sqlite:
        import psycopg  # noqa: PLC0415  (as above)

        return await psycopg.AsyncConnection.connect(place.bare)
    import aiosqlite  # noqa: PLC0415  (as above)

    connection = await aiosqlite.connect(place.bare, isolation_level=None)
    for pragma in PRAGMAS:
        await connection.execute(f"PRAGMA {pragma}")
    return connection


def replay(connection: Any, work: Work) -> None:
    """Tell the database the same, each change in its transaction."""
    cursor = connection.cursor()
    for statements in work:
        for statement, values, many in statements:
            (cursor.executemany if many else cursor.execute)(statement, values)
            if cursor.description:
                cursor.fetchall()
        connection.commit()
    cursor.close()


async def replay_later(connection: Any, work: Work) -> None:
    """Do the same with an async driver."""
    for statements in work:
        for statement, values, many in statements:
            if many:
                cursor = connection.cursor()
                cursor = await cursor if hasattr(cursor, "__await__") else cursor
                await cursor.executemany(statement, values)
            else:
                cursor = await connection.execute(statement, values)
                if cursor.description:
                    await cursor.fetchall()
            await cursor.close()
        await connection.commit()
