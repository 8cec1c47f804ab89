"""What all tests share: the kinds of host, and one server of each kind for the whole run."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import settings

from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.adapters.valkey import AsyncValkeyCounters, ValkeyCounters
from shopaccounts.testing.servers import Postgres, Valkey, postgres, valkey
from shopaccounts.testing.toys import TOYS

pytest_plugins = ["shopaccounts.testing.plugin", "pytester"]

settings.register_profile("untimed", parent=settings.default, deadline=None)  # no test looks at the clock
settings.load_profile("untimed")

SERVERS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVERS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash[SERVERS]:
        terminalreporter.write_line(f"server: {line}")


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Iterator[Postgres]:
    """One server for the run; that there is none fails the tests that need it."""
    with postgres() as server:
        pytestconfig.stash[SERVERS].append(f"PostgreSQL ({server.origin})")
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres, worker: str) -> Iterator[str]:
    """The name of a database that has every table and no rows, to be copied."""
    name = f"shopaccounts_{worker}_template"
    storage = SqlStorage(postgres_server.create(name), books=TOYS)
    storage.tables.metadata.create_all(storage.engine)
    storage.close()
    yield name
    postgres_server.drop(name)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Postgres, postgres_template: str, worker: str) -> Iterator[str]:
    """A database of this worker's own; tests keep apart by realm."""
    name = f"shopaccounts_{worker}"
    yield postgres_server.create(name, postgres_template)
    postgres_server.drop(name)


@pytest.fixture(scope="session")
def valkey_server(pytestconfig: pytest.Config) -> Iterator[Valkey]:
    """One server for the run; that there is none fails the tests that need it."""
    with valkey() as server:
        pytestconfig.stash[SERVERS].append(f"Valkey ({server.origin})")
        yield server


@pytest.fixture(scope="session")
def valkey_counters(valkey_server: Valkey) -> Iterator[ValkeyCounters]:
    """The server's counters for blocking hosts; tests keep apart by realm."""
    counters = ValkeyCounters(valkey_server.url)
    yield counters
    counters.close()


@pytest.fixture(scope="session")
def late_valkey_counters(
    valkey_server: Valkey, event_loop_of_the_session: asyncio.Runner
) -> Iterator[AsyncValkeyCounters]:
    """The server's counters for async hosts; tests keep apart by realm."""
    counters = AsyncValkeyCounters(valkey_server.url)
    yield counters
    event_loop_of_the_session.run(counters.close())


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of this worker's own; tests keep apart by realm."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'shop.db'}"
    storage = SqlStorage(url, books=TOYS)
    storage.tables.metadata.create_all(storage.engine)
    storage.close()
    return url


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """The name of this process among those that share the work."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "main"))
