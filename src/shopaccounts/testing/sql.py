"""Trying out SQL storages: a process that dies between two statements, and a host with transactions of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Unavailable
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.kills import change_everything
from shopaccounts.testing.crashes import KillAt
from shopaccounts.testing.toys import TOYS
from shopaccounts.testing.wrapping import PortCall, wrapped

__all__ = ["change_everything_or_die", "committing", "committing_later", "statements_made", "step_at_statements"]

SERIALIZATION = "serialization"
RERUNS = 50
"""How often a host runs a request again that the database couldn't put in order."""


def step_at_statements(engine: Engine, kill: KillAt) -> None:
    """Make each statement of an engine a step before it and one after it, and each commit as well."""
    for moment in ("before_cursor_execute", "after_cursor_execute", "begin", "commit"):
        event.listen(engine, moment, kill.step)


@contextmanager
def statements_made(engine: Engine) -> Iterator[list[str]]:
    """List the statements that an engine makes meanwhile; those that begin, end or set something up apart."""
    made: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(_AROUND):
            made.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(engine, "before_cursor_execute", note)


_AROUND: Final = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA", "SHOW", "SET ")


def change_everything_or_die(url: str, realm: str, kill: KillAt) -> None:
    """Record a change with every part on the database at *url*; each call and each statement is a step."""
    storage = SqlStorage(url, books=TOYS)
    with storage.engine.connect():
        """Connecting is no step."""
    step_at_statements(storage.engine, kill)
    run(change_everything(kill(storage), Scope(realm=RealmId(realm), store=StoreId("store"))))
    storage.close()


def committing(engine: Engine) -> Storage:
    """Answer a storage that has joined a host which opens a transaction for each call, and commits it whatever happens.

    A request that the database can't put in order is run again, as hosts have to.
    """
    lent: ContextVar[Connection] = ContextVar("lent")

    def around(call: PortCall) -> Any:
        for _ in range(RERUNS):
            with engine.connect() as connection:
                token = lent.set(connection)
                try:
                    return call.make()
                except Unavailable as failure:
                    connection.rollback()
                    _demand_serialization(failure)
                finally:
                    connection.commit()
                    lent.reset(token)
        raise Unavailable(SERIALIZATION)

    return wrapped(SqlStorage.joined(lent.get, books=TOYS), around)


def committing_later(engine: AsyncEngine) -> Storage:
    """Answer the same for an async host; see ``committing``."""
    lent: ContextVar[AsyncConnection] = ContextVar("lent")

    async def around(call: PortCall) -> Any:
        for _ in range(RERUNS):
            async with engine.connect() as connection:
                token = lent.set(connection)
                try:
                    return await call.make()
                except Unavailable as failure:
                    await connection.rollback()
                    _demand_serialization(failure)
                finally:
                    await connection.commit()
                    lent.reset(token)
        raise Unavailable(SERIALIZATION)

    async def lend() -> AsyncConnection:
        return lent.get()

    return wrapped(AsyncSqlStorage.joined(lend, books=TOYS), around)


def _demand_serialization(failure: Unavailable) -> None:
    if failure.reason != SERIALIZATION:
        raise failure
