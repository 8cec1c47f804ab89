"""SQL storages in the host's transaction, and in processes and tasks that are ended."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path

import attrs
import pytest
from sqlalchemy import Column, Connection, MetaData, Table, Text, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.ports import Storage
from shopaccounts.testing.contracts.cancelling import CancellingContract
from shopaccounts.testing.contracts.joined import JoinedContract
from shopaccounts.testing.contracts.kills import KillsContract
from shopaccounts.testing.crashes import KillAt
from shopaccounts.testing.plugin import ASYNC, BLOCKING, Drive
from shopaccounts.testing.sql import change_everything_or_die
from shopaccounts.testing.toys import TOYS

NOTES = Table("host_notes", MetaData(), Column("text", Text, primary_key=True))


@attrs.define
class Visit:
    """A request of a blocking host."""

    connection: Connection
    storage: Storage = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.storage = SqlStorage.joined(lambda: self.connection, books=TOYS)

    def note(self, text: str) -> None:
        self.connection.execute(NOTES.insert().values(text=text))

    def savepoint(self) -> None:
        self.connection.begin_nested()

    def back_to_savepoint(self) -> None:
        nested = self.connection.get_nested_transaction()
        assert nested is not None
        nested.rollback()

    def commit(self) -> None:
        self.connection.commit()
        self.connection.close()

    def rollback(self) -> None:
        self.connection.rollback()
        self.connection.close()


@attrs.define
class LateVisit:
    """A request of an async host."""

    connection: AsyncConnection
    storage: Storage = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.storage = AsyncSqlStorage.joined(self.lend, books=TOYS)

    async def lend(self) -> AsyncConnection:
        return self.connection

    async def note(self, text: str) -> None:
        await self.connection.execute(NOTES.insert().values(text=text))

    async def savepoint(self) -> None:
        await self.connection.begin_nested()

    async def back_to_savepoint(self) -> None:
        nested = self.connection.get_nested_transaction()
        assert nested is not None
        await nested.rollback()

    async def commit(self) -> None:
        await self.connection.commit()
        await self.connection.close()

    async def rollback(self) -> None:
        await self.connection.rollback()
        await self.connection.close()


class OnADatabase:
    """Gives each test a database of its kind, with the tables of shop and host."""

    @pytest.fixture(params=["sqlite", "postgresql"])
    def url(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "postgresql":
            return str(request.getfixturevalue("postgres_url"))
        storage = SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}", books=TOYS)
        storage.tables.metadata.create_all(storage.engine)
        storage.close()
        return f"sqlite:///{tmp_path / 'shop.db'}"


class TestJoined(OnADatabase, JoinedContract):
    @pytest.fixture
    def host(self) -> str:
        return BLOCKING

    @pytest.fixture
    def storage(self, url: str) -> Iterator[SqlStorage]:
        storage = SqlStorage(url, books=TOYS)
        NOTES.create(storage.engine)
        yield storage
        NOTES.drop(storage.engine)
        storage.close()

    @pytest.fixture
    def begin(self, storage: SqlStorage) -> Iterator[Callable[[], Visit]]:
        with ExitStack() as visits:

            def visit() -> Visit:
                connection = visits.enter_context(storage.engine.connect())
                connection.begin()
                return Visit(connection)

            yield visit

    @pytest.fixture
    def notes(self, storage: SqlStorage) -> Callable[[], set[str]]:
        def texts() -> set[str]:
            with storage.engine.connect().execution_options(shopaccounts_alone=True) as connection:
                return set(connection.scalars(select(NOTES.c.text)))

        return texts


class TestJoinedLate(OnADatabase, JoinedContract):
    @pytest.fixture
    def host(self) -> str:
        return ASYNC

    @pytest.fixture
    def storage(self, url: str, drive: Drive) -> Iterator[AsyncSqlStorage]:
        tables = SqlStorage(url, books=TOYS).engine
        NOTES.create(tables)
        storage = AsyncSqlStorage(url.replace("sqlite:", "sqlite+aiosqlite:"), books=TOYS)
        yield storage
        drive(storage.close())
        NOTES.drop(tables)
        tables.dispose()

    @pytest.fixture
    def begin(self, storage: AsyncSqlStorage, drive: Drive) -> Iterator[Callable[[], object]]:
        visits = AsyncExitStack()

        async def visit() -> LateVisit:
            connection = await visits.enter_async_context(storage.engine.connect())
            await connection.begin()
            return LateVisit(connection)

        yield visit
        drive(visits.aclose())

    @pytest.fixture
    def notes(self, storage: AsyncSqlStorage) -> Callable[[], object]:
        async def texts() -> set[str]:
            async with storage.engine.connect() as connection:
                await connection.execution_options(shopaccounts_alone=True)
                return set(await connection.scalars(select(NOTES.c.text)))

        return texts


class TestKills(OnADatabase, KillsContract):
    @pytest.fixture
    def host(self) -> str:
        return BLOCKING

    @pytest.fixture
    def storage(self, url: str) -> Iterator[SqlStorage]:
        storage = SqlStorage(url, books=TOYS)
        yield storage
        storage.close()

    @pytest.fixture
    def act(self, url: str) -> Callable[[str, KillAt], None]:
        return partial(change_everything_or_die, url)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestCancelling(OnADatabase, CancellingContract):
    """aiosqlite leaves a connection to the garbage collector that was being made when its task was cancelled.

    Python 3.13 warns of that wherever it collects it, so it is collected here.
    """

    @pytest.fixture
    def host(self) -> str:
        return ASYNC

    @pytest.fixture
    def storage(self, url: str, event_loop_of_the_session: asyncio.Runner) -> Iterator[AsyncSqlStorage]:
        storage = AsyncSqlStorage(url.replace("sqlite:", "sqlite+aiosqlite:"), books=TOYS)
        yield storage
        event_loop_of_the_session.run(storage.close())
        gc.collect()
