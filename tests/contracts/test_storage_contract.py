"""Every storage keeps every promise: in memory, in SQLite and in PostgreSQL, whether it answers at once or late."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import Recorded
from shopaccounts.testing.contracts.counters import CountersContract, LeasesContract
from shopaccounts.testing.contracts.due import DueWorkContract
from shopaccounts.testing.contracts.events import EventsContract
from shopaccounts.testing.contracts.failures import FailuresContract
from shopaccounts.testing.contracts.keys import KeysContract
from shopaccounts.testing.contracts.numbers import NumbersContract
from shopaccounts.testing.contracts.paging import PagesContract
from shopaccounts.testing.contracts.purging import PurgingContract
from shopaccounts.testing.contracts.quotas import QuotasContract
from shopaccounts.testing.contracts.races import ProcessesContract, RaceContract
from shopaccounts.testing.contracts.reading import ReadingContract
from shopaccounts.testing.contracts.realms import RealmsContract
from shopaccounts.testing.contracts.values import ValuesContract
from shopaccounts.testing.contracts.writing import WritingContract
from shopaccounts.testing.doubles import Late
from shopaccounts.testing.plugin import ASYNC, BLOCKING, Drive
from shopaccounts.testing.processes import Crowd
from shopaccounts.testing.random_machine import machine_against, run_machine
from shopaccounts.testing.sql import committing, committing_later
from shopaccounts.testing.toys import TOYS, with_toys

FLAVOURS: Final = {
    "memory": BLOCKING,
    "memory-late": ASYNC,
    "sqlite": BLOCKING,
    "sqlite-in-memory": BLOCKING,
    "sqlite-joined": BLOCKING,
    "sqlite-async": ASYNC,
    "postgresql": BLOCKING,
    "postgresql-joined": BLOCKING,
    "postgresql-async": ASYNC,
}
SHARED: Final = ["sqlite", "sqlite-async", "postgresql", "postgresql-async"]


def async_url(url: str) -> str:
    """The same database for the async driver; psycopg is both."""
    return url.replace("sqlite:", "sqlite+aiosqlite:")


@pytest.fixture(scope="module")
def opened(
    request: pytest.FixtureRequest, event_loop_of_the_session: asyncio.Runner
) -> Iterator[Callable[[str], Storage]]:
    """Opens each kind of storage once, and closes what was opened in the end."""
    kept: dict[str, SqlStorage | AsyncSqlStorage] = {}

    def own(flavour: str) -> SqlStorage | AsyncSqlStorage:
        if flavour == "sqlite-in-memory":
            fresh = SqlStorage("sqlite://", books=TOYS)
            fresh.tables.metadata.create_all(fresh.engine)
            return fresh
        url = str(request.getfixturevalue("sqlite_url" if flavour.startswith("sqlite") else "postgres_url"))
        late = flavour.endswith("-async")
        return AsyncSqlStorage(async_url(url), books=TOYS) if late else SqlStorage(url, books=TOYS)

    def open_once(flavour: str) -> Storage:
        if flavour.startswith("memory"):
            return MemoryStorage() if FLAVOURS[flavour] == BLOCKING else Late(MemoryStorage())
        owner = flavour.removesuffix("-joined")
        if owner not in kept:
            kept[owner] = own(owner)
        return kept[owner] if owner == flavour else join(kept[owner])

    yield open_once
    for storage in kept.values():
        closing = storage.close()
        if closing is not None:
            event_loop_of_the_session.run(closing)


def join(storage: SqlStorage | AsyncSqlStorage) -> Storage:
    """A storage in the transactions of a host that uses the same engine."""
    if isinstance(storage, SqlStorage):
        return committing(storage.engine)
    return committing_later(storage.engine)


@pytest.fixture(scope="module")
def crowds() -> Iterator[dict[str, Crowd]]:
    """Two processes for each kind of host, which wait for what to do next."""
    with Crowd(2) as blocking, Crowd(2, late=True) as late:
        yield {BLOCKING: blocking, ASYNC: late}


class Flavoured:
    """Runs a contract on each kind of storage, in the host that it is for."""

    @pytest.fixture(params=FLAVOURS)
    def flavour(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def host(self, flavour: str) -> str:
        return FLAVOURS[flavour]

    @pytest.fixture
    def storage(self, flavour: str, opened: Callable[[str], Storage]) -> Storage:
        return opened(flavour)


class TestReading(Flavoured, ReadingContract): ...


class TestWriting(Flavoured, WritingContract):
    @pytest.fixture
    def recorded(self, flavour: str) -> Recorded:
        return Recorded(durable=not flavour.endswith("-joined"))


class TestKeys(Flavoured, KeysContract): ...


class TestPages(Flavoured, PagesContract): ...


class TestValues(Flavoured, ValuesContract): ...


class TestEvents(Flavoured, EventsContract): ...


class TestRealms(Flavoured, RealmsContract): ...


class TestPurging(Flavoured, PurgingContract): ...


class TestDueWork(Flavoured, DueWorkContract): ...


class TestCounters(Flavoured, CountersContract): ...


class TestLeases(Flavoured, LeasesContract): ...


class TestRaces(Flavoured, RaceContract): ...


class TestNumbers(Flavoured, NumbersContract): ...


class TestQuotas(Flavoured, QuotasContract): ...


class TestRandomHistories(Flavoured):
    @pytest.fixture(params=[flavour for flavour in FLAVOURS if not flavour.endswith("-joined")])
    def flavour(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.mark.proves("TES-103", "KER-101")
    def test_random_histories_are_the_same_as_in_memory(self, storage: Storage, drive: Drive) -> None:
        run_machine(machine_against(lambda: storage, drive), histories=6, steps=20)


class TestProcesses(Flavoured, ProcessesContract):
    @pytest.fixture(params=SHARED)
    def flavour(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def reopen(self, flavour: str, request: pytest.FixtureRequest) -> Callable[[], Storage]:
        url = request.getfixturevalue("sqlite_url" if flavour.startswith("sqlite") else "postgres_url")
        if FLAVOURS[flavour] == BLOCKING:
            return partial(with_toys, SqlStorage, url)
        return partial(with_toys, AsyncSqlStorage, async_url(url))

    @pytest.fixture
    def crowd(self, crowds: dict[str, Crowd], host: str) -> Crowd:
        return crowds[host]


class TestFailures(Flavoured, FailuresContract):
    """The file of a SQLite database lies in a folder that isn't there yet."""

    @pytest.fixture(params=["sqlite", "sqlite-async"])
    def flavour(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def broken(self, flavour: str, tmp_path: Path, drive: Drive) -> Iterator[Storage]:
        url = f"sqlite:///{tmp_path / 'folder' / 'shop.db'}"
        if flavour == "sqlite":
            storage = SqlStorage(url, books=TOYS)
            yield storage
            storage.close()
        else:
            late = AsyncSqlStorage(async_url(url), books=TOYS)
            yield late
            drive(late.close())

    @pytest.fixture
    def mend(self, tmp_path: Path) -> Callable[[], None]:
        def create() -> None:
            (tmp_path / "folder").mkdir()
            storage = SqlStorage(f"sqlite:///{tmp_path / 'folder' / 'shop.db'}", books=TOYS)
            storage.tables.metadata.create_all(storage.engine)
            storage.close()

        return create
