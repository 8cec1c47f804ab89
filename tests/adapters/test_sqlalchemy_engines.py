"""What the library sets on engines, and claims where rows can't be skipped."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.due import DueWorkContract
from shopaccounts.testing.contracts.races import RaceContract
from shopaccounts.testing.plugin import ASYNC, BLOCKING, Drive
from shopaccounts.testing.toys import BOXES, LIDS, NOW, TOYS, box, lid

SETTINGS = {"journal_mode": "wal", "busy_timeout": 5000, "foreign_keys": 1, "synchronous": 1}


def made(storage: SqlStorage) -> SqlStorage:
    storage.tables.metadata.create_all(storage.engine)
    return storage


def sent_by(engine: Engine) -> list[str]:
    listed: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: listed.append(statement.split()[0]))
    return listed


@pytest.mark.proves("SQL-3")
def test_sqlite_is_set_for_one_writer_at_a_time_and_readers_beside_it(tmp_path: Path, scope: Scope) -> None:
    storage = made(SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}", books=TOYS))
    with storage.engine.connect() as conn:
        found = {name: conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in SETTINGS}
    assert found == SETTINGS
    sent = sent_by(storage.engine)
    store = storage.open(scope)
    store.record(Change(writes=(LIDS.add(lid(scope)),)))
    assert sent == ["BEGIN", "INSERT"]
    sent.clear()
    store.find(LIDS, "box")
    storage.counters(scope).add("k", 1, NOW, NOW)
    assert sent == ["SELECT", "INSERT"]
    storage.close()


@pytest.mark.proves("SQL-3")
def test_an_engine_that_is_handed_in_is_set_once(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    first, second = SqlStorage(engine, books=TOYS), SqlStorage(engine, books=TOYS)
    sent = sent_by(engine)
    with engine.begin() as conn:
        conn.exec_driver_sql("SELECT 1")
    assert sent == ["BEGIN", "SELECT"]
    assert first.engine is second.engine is engine
    first.close()


@pytest.mark.proves("SQL-3")
def test_a_connection_that_was_open_before_is_made_safe_too(scope: Scope) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.connect() as conn:
        conn.exec_driver_sql("SELECT 1")
    storage = made(SqlStorage(engine, books=TOYS))
    store = storage.open(scope)
    store.record(Change(writes=(LIDS.add(lid(scope)),)))
    assert store.find(LIDS, "box") is not None
    later = NOW + timedelta(hours=1)
    assert [storage.counters(scope).add("k", 1, NOW, later) for _ in range(2)] == [1, 2]
    storage.close()


@pytest.mark.proves("SQL-3")
def test_all_threads_share_the_database_in_memory(scope: Scope) -> None:
    storage = made(SqlStorage("sqlite://", books=TOYS))
    found: list[bool] = []

    def take_part(n: int) -> None:
        storage.open(scope).record(Change(writes=(LIDS.add(lid(scope, f"l{n}")),)))
        found.append(storage.open(scope).find(LIDS, f"l{n}") is not None)

    crowd = [threading.Thread(target=take_part, args=(n,)) for n in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert found == [True] * 8
    storage.close()


@pytest.mark.proves("SQL-3", "ADA-101")
class TestInAsyncHosts:
    @pytest.fixture
    def host(self) -> str:
        return ASYNC

    async def test_an_async_engine_sends_the_same_statements(self, tmp_path: Path, scope: Scope) -> None:
        plain = made(SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}", books=TOYS))
        late = AsyncSqlStorage(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}", books=TOYS)
        sent: list[list[str]] = []
        for engine in (plain.engine, late.engine.sync_engine):
            listed: list[str] = []
            event.listen(engine, "before_cursor_execute", lambda _c, _u, text, *_, to=listed: to.append(text))
            sent.append(listed)
        one, other = (Change(writes=(BOXES.add(box(scope, id, name=id)),)) for id in "ab")
        plain.open(scope).record(one)
        await late.open(scope).record(other)
        plain.open(scope).find(BOXES, "b", "box_name")
        await late.open(scope).find(BOXES, "a", "box_name")
        assert sent[0] == sent[1]
        assert sent[0][0] == "BEGIN IMMEDIATE"
        plain.close()
        await late.close()


class Unskipping:
    """Gives the contracts a server whose rows are claimed by a conditional update."""

    @pytest.fixture(params=[BLOCKING, ASYNC])
    def host(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def storage(self, host: str, postgres_url: str, drive: Drive) -> Iterator[Any]:
        if host == BLOCKING:
            storage = SqlStorage(postgres_url, books=TOYS, skip_locked=False)
            yield storage
            storage.close()
            return
        late = AsyncSqlStorage(postgres_url, books=TOYS, skip_locked=False)
        yield late
        drive(late.close())


@pytest.mark.proves("KER-148", "TES-102")
class TestDueWork(Unskipping, DueWorkContract): ...


@pytest.mark.proves("KER-148", "TES-102")
class TestRaces(Unskipping, RaceContract):
    callers: ClassVar[int] = 8
    rounds: ClassVar[int] = 1


@pytest.mark.proves("KER-148", "KER-140")
@pytest.mark.parametrize("skip_locked", [True, False])
def test_a_worker_that_comes_too_late_for_one_item_takes_the_next(
    postgres_url: str, scope: Scope, skip_locked: bool
) -> None:
    """Each of several workers wants one item; while any are left, none goes away empty-handed."""
    storage = SqlStorage(postgres_url, books=TOYS, skip_locked=skip_locked)
    storage.open(scope).record(Change(writes=tuple(BOXES.add(box(scope, f"b{n}", due_at=NOW)) for n in range(40))))
    barrier, claimed = threading.Barrier(4), list[str]()

    def work() -> None:
        barrier.wait(10)
        for _ in range(10):
            claims = storage.open(scope).claim_due(BOXES, NOW, 1, timedelta(hours=1), WorkerId("w"))
            claimed.extend(claim.item.id for claim in claims)

    crowd = [threading.Thread(target=work) for _ in range(4)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert len(set(claimed)) == len(claimed)
    assert len(claimed) == 40 if skip_locked else len(claimed) >= 10
    storage.close()
