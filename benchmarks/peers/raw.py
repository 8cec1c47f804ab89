"""The least that any shop has to do: one hash and two statements, on the bare driver."""

import secrets
import sqlite3
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.peers.sites import CHEAP, PASSWORD, PRAGMAS, Place, Site

__all__ = ["async_raw", "raw"]

TABLES: Final = (
    "CREATE TABLE account (id TEXT PRIMARY KEY, email TEXT UNIQUE NOT NULL, hash TEXT NOT NULL)",
    "CREATE TABLE session (id TEXT PRIMARY KEY, account TEXT NOT NULL, made_at TEXT NOT NULL)",
)
FIND: Final = "SELECT id, hash FROM account WHERE email = {0}"
ADD: Final = "INSERT INTO account VALUES ({0}, {0}, {0})"
ENTER: Final = "INSERT INTO session VALUES ({0}, {0}, {0})"


def raw(place: Place) -> Site:
    """Answer a shop on a blocking driver."""
    connection, mark = _connect(place)
    find, add, enter = (statement.format(mark) for statement in (FIND, ADD, ENTER))
    begin = "BEGIN IMMEDIATE" if place.is_sqlite else "BEGIN"
    for table in TABLES:
        connection.execute(table)

    def register(address: str) -> None:
        account = _account(address)
        connection.execute(begin)
        connection.execute(add, account)
        connection.execute(enter, _session(account[0]))
        connection.execute("COMMIT")

    def sign_in(address: str) -> None:
        account, kept = connection.execute(find, (address,)).fetchone()
        _verify(kept)
        connection.execute(begin)
        connection.execute(enter, _session(account))
        connection.execute("COMMIT")

    return Site(name="raw", register=register, sign_in=sign_in, admit=register, close=connection.close)


async def async_raw(place: Place) -> Site:
    """Answer a shop on an async driver."""
    connection, mark = await _connect_later(place)
    find, add, enter = (statement.format(mark) for statement in (FIND, ADD, ENTER))
    begin = "BEGIN IMMEDIATE" if place.is_sqlite else "BEGIN"
    for table in TABLES:
        await connection.execute(table)

    async def register(address: str) -> None:
        account = _account(address)
        await connection.execute(begin)
        await connection.execute(add, account)
        await connection.execute(enter, _session(account[0]))
        await connection.execute("COMMIT")

    async def sign_in(address: str) -> None:
        cursor = await connection.execute(find, (address,))
        account, kept = await cursor.fetchone()
        _verify(kept)
        await connection.execute(begin)
        await connection.execute(enter, _session(account))
        await connection.execute("COMMIT")

    return Site(name="raw", register=register, sign_in=sign_in, admit=register, close=connection.close)


def _account(address: str) -> tuple[str, str, str]:
    from argon2 import low_level  # noqa: PLC0415  (loaded where it is needed, as the library does)

    cost = (CHEAP.time_cost, CHEAP.memory_cost, CHEAP.parallelism)
    kept = low_level.hash_secret(PASSWORD.encode(), secrets.token_bytes(16), *cost, 32, low_level.Type.ID)
    return secrets.token_urlsafe(16), address, kept.decode()


def _verify(kept: str) -> None:
    from argon2 import low_level  # noqa: PLC0415  (as above)

    low_level.verify_secret(kept.encode(), PASSWORD.encode(), low_level.Type.ID)


def _session(account: str) -> tuple[str, str, str]:
    return secrets.token_urlsafe(32), account, datetime.now(UTC).isoformat()


def _connect(place: Place) -> tuple[Any, str]:
    if not place.is_sqlite:
        import psycopg  # noqa: PLC0415  (only where there is such a server)

        return psycopg.connect(place.bare, autocommit=True), "%s"
    connection = sqlite3.connect(place.bare, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection, "?"


async def _connect_later(place: Place) -> tuple[Any, str]:
    if not place.is_sqlite:
        import psycopg  # noqa: PLC0415  (as above)

        return await psycopg.AsyncConnection.connect(place.bare, autocommit=True), "%s"
    import aiosqlite  # noqa: PLC0415  (as above)

    connection = await aiosqlite.connect(place.bare, isolation_level=None)
    for pragma in PRAGMAS:
        await connection.execute(f"PRAGMA {pragma}")
    return connection, "?"
