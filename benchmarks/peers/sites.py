"""What a shop of the comparison can do, and where its database is."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import attrs

__all__ = ["CHEAP", "PASSWORD", "Place", "Site", "fresh_address", "hearing", "made_fit"]

PASSWORD: Final = "a lamp in the winter wind"  # noqa: S105  (nobody's)


@attrs.frozen
class Cost:
    """What one hash costs, as argon2-cffi calls it."""

    time_cost: int = 1
    memory_cost: int = 8
    parallelism: int = 1


CHEAP: Final = Cost()
PRAGMAS: Final = ("busy_timeout = 5000", "foreign_keys = ON", "synchronous = NORMAL", "journal_mode = WAL")
"""The settings of our own engines, for everybody."""
_numbers = count(1)


def fresh_address() -> str:
    """Answer an address that nobody has registered yet."""
    return f"nora.{next(_numbers)}@example.org"


@attrs.frozen
class Place:
    """An empty database.

    Args:
        url: For SQLAlchemy, with the blocking driver.
    """

    url: str

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.url.startswith("sqlite")

    @property
    def async_url(self) -> str:
        """The same for async drivers."""
        return self.url.replace("sqlite:", "sqlite+aiosqlite:", 1)

    @property
    def bare(self) -> str:
        """What the driver itself wants to know: a file's name or a connection string."""
        return self.url.removeprefix("sqlite:///").replace("postgresql+psycopg:", "postgresql:", 1)

    def look_over(self) -> None:
        """Have PostgreSQL count what is in its tables, as it does by itself within a minute or so."""
        if self.is_sqlite:
            return
        import psycopg  # noqa: PLC0415  (only where there is such a server)

        with psycopg.connect(self.bare, autocommit=True) as connection:
            connection.execute("ANALYZE")


@attrs.frozen(kw_only=True)
class Site:
    """One shop.

    Args:
        name: As the table shows it.
        register: Takes an address and registers it with ``PASSWORD``; may answer later.
        sign_in: Takes the address of a customer and signs in with ``PASSWORD``, from the browser that the customer has
            always come with; may answer later.
        sign_in_anew: The same from a browser that is new to the account, where a shop minds; may answer later.
        admit: Makes a customer with that address who may sign in at once; may answer later.
        close: Gives back what is open; may answer later.
    """

    name: str
    register: Callable[[str], Any]
    sign_in: Callable[[str], Any]
    admit: Callable[[str], Any]
    sign_in_anew: Callable[[str], Any] | None = None
    close: Callable[[], Any] = lambda: None

    @property
    def answers_later(self) -> bool:
        """Whether it wants an event loop."""
        return inspect.iscoroutinefunction(self.register)

    def often(self, runner: asyncio.Runner, work: Callable[[], Any]) -> Callable[[int], None]:
        """Answer a batch that does *work* of this site so many times."""

        async def awaiting(times: int) -> None:
            for _ in range(times):
                await work()

        def blocking(times: int) -> None:
            for _ in range(times):
                work()

        return (lambda times: runner.run(awaiting(times))) if self.answers_later else blocking


@contextmanager
def hearing() -> Iterator[list[str]]:
    """Write down every SQL statement of SQLAlchemy and Django, except for the ends of transactions."""
    from django.conf import settings  # noqa: PLC0415  (peers stand in the benchmarks' environment only)
    from django.db import connection  # noqa: PLC0415  (as above)
    from sqlalchemy import Engine, event  # noqa: PLC0415  (as above)

    heard: list[str] = []

    def note(statement: str) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "PRAGMA")):
            heard.append(statement)

    def on_engine(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        note(statement)

    def on_django(execute: Callable[..., Any], sql: str, params: Any, many: Any, context: Any) -> Any:
        note(sql)
        return execute(sql, params, many, context)

    event.listen(Engine, "before_cursor_execute", on_engine)
    try:
        if settings.configured:
            with connection.execute_wrapper(on_django):
                yield heard
        else:
            yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", on_engine)


def made_fit(engine: Any) -> Any:
    """Give an engine of a peer the settings that ours has on SQLite."""
    from sqlalchemy import event  # noqa: PLC0415  (as above)

    def on_connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    if engine.dialect.name == "sqlite":
        event.listen(getattr(engine, "sync_engine", engine), "connect", on_connect)
    return engine
