"""Engines as the shop's books need them.

SQLite: Python's own transaction handling begins a transaction too late, after the reads that a decision rests on, and
two writers then overwrite each other without an error. So it is turned off, and a writing transaction begins with
``BEGIN IMMEDIATE``, which makes it the only one from its first statement on. A statement that stands alone needs none.
"""

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["alone", "async_engine_of", "engine_of"]

_ALONE: Final = "shopaccounts_alone"
_BUSY_TIMEOUT_MS: Final = 5000
_PRAGMAS: Final = (f"busy_timeout = {_BUSY_TIMEOUT_MS}", "foreign_keys = ON", "synchronous = NORMAL")


def engine_of(engine: Engine | URL | str) -> Engine:
    """Answer an engine for blocking hosts; one that is handed in is made fit if it is for SQLite."""
    if not isinstance(engine, Engine):
        url = make_url(engine)
        engine = create_engine(url, **_pool(url, QueuePool, check_same_thread=False))
    return _fit(engine)


def async_engine_of(engine: "AsyncEngine | URL | str") -> "AsyncEngine":
    """Answer an engine for async hosts; one that is handed in is made fit if it is for SQLite."""
    from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine  # noqa: PLC0415  (needs greenlet)

    if not isinstance(engine, AsyncEngine):
        url = make_url(engine)
        engine = create_async_engine(url, **_pool(url, AsyncAdaptedQueuePool))
    _fit(engine.sync_engine)
    return engine


def alone(engine: Engine) -> Engine:
    """Answer the engine for statements that stand alone: no BEGIN and no COMMIT goes over the wire."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_ALONE: True})
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _pool(url: URL, pool: type[Any], **connect_args: Any) -> dict[str, Any]:
    """A database in memory lives in one connection, which everybody takes in turn."""
    in_memory = url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}
    if not in_memory:
        return {}
    return {"poolclass": pool, "pool_size": 1, "max_overflow": 0, "connect_args": connect_args}


def _fit(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite" and not event.contains(engine, "begin", _begin):
        event.listen(engine, "connect", _connect)
        event.listen(engine, "begin", _begin)
    return engine


def _connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _begin(conn: Connection) -> None:
    driver: Any = conn.connection.dbapi_connection
    if driver.isolation_level is not None:  # opened before the engine was handed in
        driver.isolation_level = None
    if not conn.get_execution_options().get(_ALONE):
        conn.exec_driver_sql("BEGIN IMMEDIATE")
