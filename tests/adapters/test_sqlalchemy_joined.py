"""Storages in the sessions of hosts, whatever those hosts have set."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.errors import Defect, StaleWrite, Taken, Unavailable
from shopaccounts.kernel.record import Change, Receipt, Recorded, Replayed
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.plugin import ASYNC
from shopaccounts.testing.toys import BOXES, LIDS, NOW, TOYS, Box, box, lid


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    storage = SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}", books=TOYS)
    storage.tables.metadata.create_all(storage.engine)
    storage.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """The host's own engine, as SQLAlchemy makes it: on SQLite with the driver's late BEGIN."""
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def seen(url: str) -> Iterator[SqlStorage]:
    """A storage of its own, which sees what is committed and nothing else."""
    storage = SqlStorage(url, books=TOYS)
    yield storage
    storage.close()


@pytest.mark.proves("HST-13", "HST-18", "KER-117")
def test_a_change_lives_and_dies_with_the_sessions_transaction(engine: Engine, seen: SqlStorage, scope: Scope) -> None:
    with Session(engine) as session:
        store = SqlStorage.joined(session.connection, books=TOYS).open(scope)
        assert store.record(Change(writes=(BOXES.add(box(scope, "a", name="n")),))) == Recorded(durable=False)
        assert store.find(BOXES, "a") is not None
        session.rollback()
        assert store.find(BOXES, "a") is None
        store.record(Change(writes=(BOXES.add(box(scope, "b", name="n")),)))
        with pytest.raises(Taken):
            store.record(Change(writes=(LIDS.add(lid(scope)), BOXES.add(box(scope, "c", name="n")))))
        with pytest.raises(StaleWrite):
            store.record(Change(writes=(LIDS.add(lid(scope)),), guards=(BOXES.absent("b"),)))
        session.commit()
    own = seen.open(scope)
    assert [own.find(BOXES, id) is not None for id in "abc"] == [False, True, False]
    assert own.find(LIDS, "box") is None


@pytest.mark.proves("HST-13", "HST-18")
class TestInAsyncHosts:
    @pytest.fixture
    def host(self) -> str:
        return ASYNC

    async def test_a_change_lives_and_dies_with_the_async_sessions_transaction(self, url: str, scope: Scope) -> None:
        engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
        async with AsyncSession(engine) as session:
            store = AsyncSqlStorage.joined(session.connection, books=TOYS).open(scope)
            await store.record(Change(writes=(BOXES.add(box(scope, "a")),)))
            await session.rollback()
            assert await store.find(BOXES, "a") is None
            assert await store.record(Change(writes=(BOXES.add(box(scope, "b")),))) == Recorded(durable=False)
            await session.commit()
        async with AsyncSession(engine) as session:
            store = AsyncSqlStorage.joined(session.connection, books=TOYS).open(scope)
            assert await store.find(BOXES, "b") is not None
            with pytest.raises(StaleWrite):
                await store.record(Change(writes=(BOXES.add(box(scope, "b")),)))
        await engine.dispose()


@pytest.mark.proves("SQL-1", "SQL-2", "HST-18")
def test_no_update_is_lost_whatever_the_host_has_set(engine: Engine, seen: SqlStorage, scope: Scope) -> None:
    """Four threads, fifty increments each, in transactions that the host begins as its driver pleases."""
    seen.open(scope).record(Change(writes=(BOXES.add(box(scope)),)))
    ends = Counter[str]()

    def count() -> None:
        for _ in range(50):
            try:
                with Session(engine) as session:
                    store = SqlStorage.joined(session.connection, books=TOYS).open(scope)
                    found = store.find(BOXES, "box")
                    assert found is not None
                    more = attrs.evolve(found.it, count=found.it.count + 1)
                    store.record(Change(writes=(BOXES.change(found.it, more),)))
                    session.commit()
                ends["committed"] += 1
            except (StaleWrite, Unavailable):
                ends["refused"] += 1

    crowd = [threading.Thread(target=count) for _ in range(4)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    final = seen.open(scope).find(BOXES, "box")
    assert final is not None
    assert ends.total() == 200
    assert final.it.count == ends["committed"] > 0


def guarded(session: Session, scope: Scope, mine: Box, other: Box) -> None:
    """Open my box only while the other is closed."""
    store = SqlStorage.joined(session.connection, books=TOYS).open(scope)
    opened = BOXES.change(mine, attrs.evolve(mine, is_open=True))
    store.record(Change(writes=(opened,), guards=(BOXES.unchanged(other),)))


@pytest.mark.proves("KER-111", "ADA-103")
def test_of_two_that_rely_on_each_other_one_is_refused_though_no_isolation_level_would_see_it(
    engine: Engine, seen: SqlStorage, scope: Scope
) -> None:
    a, b = box(scope, "a", is_open=False), box(scope, "b", is_open=False)
    seen.open(scope).record(Change(writes=(BOXES.add(a), BOXES.add(b))))
    barrier, ends = threading.Barrier(2), []

    def open_one(mine: Box, other: Box) -> None:
        with Session(engine) as session:
            SqlStorage.joined(session.connection, books=TOYS).open(scope).find(BOXES, other.id)
            barrier.wait(10)
            try:
                guarded(session, scope, mine, other)
                session.commit()
                ends.append("opened")
            except (StaleWrite, Unavailable):
                ends.append("refused")

    crowd = [threading.Thread(target=open_one, args=pair) for pair in ((a, b), (b, a))]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    found = [seen.open(scope).find(BOXES, id) for id in "ab"]
    assert sum(one.it.is_open for one in found if one) == ends.count("opened") <= 1


@pytest.mark.proves("HST-14", "KER-116")
def test_a_serialization_failure_is_left_to_the_host(postgres_url: str, scope: Scope) -> None:
    storage = SqlStorage(postgres_url, books=TOYS)
    kept = box(scope)
    storage.open(scope).record(Change(writes=(BOXES.add(kept),)))
    strict = create_engine(postgres_url, isolation_level="REPEATABLE READ")
    changed = Change(writes=(BOXES.change(kept, attrs.evolve(kept, count=1)),))
    with Session(strict) as session:
        session.execute(text("SELECT 1"))
        store = SqlStorage.joined(session.connection, books=TOYS).open(scope)
        assert store.find(BOXES, "box") is not None
        storage.open(scope).record(changed)
        with pytest.raises(Unavailable, match="serialization"):
            store.record(changed)
    strict.dispose()
    storage.close()


@pytest.mark.proves("HST-13", "KER-136")
def test_a_replay_leaves_the_host_going(engine: Engine, seen: SqlStorage, scope: Scope) -> None:
    receipt = Receipt(namespace="toys", key="k", body_hash="b", result=b"answer", keep_until=NOW)
    seen.open(scope).record(Change(receipt=receipt))
    with Session(engine) as session:
        store = SqlStorage.joined(session.connection, books=TOYS).open(scope)
        assert store.record(Change(writes=(LIDS.add(lid(scope)),), receipt=receipt)) == Replayed(b"answer")
        store.record(Change(writes=(LIDS.add(lid(scope, "other")),)))
        session.commit()
    assert seen.open(scope).find(LIDS, "box") is None
    assert seen.open(scope).find(LIDS, "other") is not None


def test_a_host_on_another_database_is_refused_at_its_first_call(scope: Scope) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as conn:
        conn.dialect = mysql.dialect()
        with pytest.raises(Defect, match="not in mysql"):
            SqlStorage.joined(lambda: conn, books=TOYS).open(scope).find(LIDS, "box")
