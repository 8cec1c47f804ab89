"""What a database's refusals become: tried again, unavailable, unknown, or a defect."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError

from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.adapters.sqlalchemy.failures import TryAgain, meaning
from shopaccounts.adapters.sqlalchemy.store import SqlStore
from shopaccounts.adapters.sqlalchemy.transactions import RETRIES, pause
from shopaccounts.kernel.errors import Defect, OutcomeUnknown, StaleWrite, Unavailable
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change, Once, Receipt, Recorded
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.doubles import ScriptedEntropy
from shopaccounts.testing.toys import BOXES, LIDS, NOW, TOYS, box, happened, lid

SECRET: Final = "a value that nobody may see"


def of_postgres(state: str) -> Exception:
    error = psycopg.errors.lookup(state) if state else psycopg.OperationalError
    return error(SECRET)


def of_sqlite(code: int, name: str = "SQLITE_X") -> Exception:
    error = sqlite3.OperationalError(SECRET)
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


def wrapped(orig: Exception, *, lost: bool = False) -> DBAPIError:
    kind = OperationalError if "Operational" in str(type(orig).__mro__) else ProgrammingError
    return kind(f"SELECT {SECRET}", {"x": SECRET}, orig, connection_invalidated=lost)


REASONS: Final[dict[str, tuple[DBAPIError, str]]] = {
    "the server's connection broke": (wrapped(of_postgres("08006")), "connection_lost"),
    "the server is shut down": (wrapped(of_postgres("57P01")), "connection_lost"),
    "the server is starting": (wrapped(of_postgres("57P03")), "connection_lost"),
    "the server is not reached": (wrapped(of_postgres("")), "connection_lost"),
    "the driver's connection is closed": (InterfaceError("", {}, psycopg.InterfaceError("closed")), "connection_lost"),
    "the pool noticed": (wrapped(of_postgres("42601"), lost=True), "connection_lost"),
    "a lock took too long": (wrapped(of_postgres("55P03")), "lock_timeout"),
    "a statement took too long": (wrapped(of_postgres("57014")), "timed_out"),
    "the server is a replica": (wrapped(of_postgres("25006")), "read_only"),
    "the server's disk is full": (wrapped(of_postgres("53100")), "disk_full"),
    "too many connections": (wrapped(of_postgres("53300")), "overloaded"),
    "the server's disk fails": (wrapped(of_postgres("58030")), "disk_failed"),
    "the file is read-only": (wrapped(of_sqlite(8)), "read_only"),
    "the file is on a read-only disk": (wrapped(of_sqlite(8 | (6 << 8))), "read_only"),
    "the disk is full": (wrapped(of_sqlite(13)), "disk_full"),
    "the disk fails": (wrapped(of_sqlite(10)), "disk_failed"),
    "the file can't be opened": (wrapped(of_sqlite(14)), "connection_lost"),
    "the file is no database": (wrapped(of_sqlite(26)), "disk_failed"),
}
COLLISIONS: Final = {
    "serialization": wrapped(of_postgres("40001")),
    "deadlock": wrapped(of_postgres("40P01")),
    "busy": wrapped(of_sqlite(5)),
    "busy with an old snapshot": wrapped(of_sqlite(5 | (2 << 8))),
    "locked": wrapped(of_sqlite(6)),
}


@pytest.mark.proves("ADA-110")
@pytest.mark.parametrize("cause", REASONS)
def test_a_database_that_does_not_serve_is_unavailable_for_a_stable_reason(cause: str) -> None:
    failure, reason = REASONS[cause]
    told = meaning(failure)
    assert type(told) is Unavailable
    assert told.args == (reason,)


@pytest.mark.proves("KER-116")
@pytest.mark.parametrize("cause", COLLISIONS)
def test_a_collision_may_be_tried_again_in_whatever_part_of_the_transaction(cause: str) -> None:
    assert type(meaning(COLLISIONS[cause])) is TryAgain
    assert type(meaning(COLLISIONS[cause], committing=True)) is TryAgain


@pytest.mark.proves("KER-118")
def test_a_connection_that_breaks_in_the_commit_leaves_the_outcome_unknown() -> None:
    assert type(meaning(wrapped(of_postgres("")), committing=True)) is OutcomeUnknown
    assert type(meaning(wrapped(of_sqlite(13)), committing=True)) is Unavailable


@pytest.mark.proves("ADA-110", "KER-112")
@pytest.mark.parametrize(
    "failure",
    [wrapped(of_postgres("23505")), wrapped(of_postgres("22P02")), wrapped(of_sqlite(19)), wrapped(of_sqlite(1))],
)
def test_anything_else_is_a_defect_that_tells_a_code_and_no_value(failure: DBAPIError) -> None:
    told = meaning(failure)
    assert type(told) is Defect
    assert SECRET not in str(told)


# In a storage


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    storage = SqlStorage(url, books=TOYS, entropy=ScriptedEntropy(), sleep=slept.append)
    storage.tables.metadata.create_all(storage.engine)
    slept.clear()
    yield storage
    storage.close()


slept: list[float] = []


@pytest.fixture
def store(storage: SqlStorage, scope: Scope) -> SqlStore:
    return storage.open(scope)


def collision(engine: Engine) -> Exception:
    return of_sqlite(5) if engine.dialect.name == "sqlite" else of_postgres("40001")


def break_statements(engine: Engine, times: int, error: Callable[[Engine], Exception], after: int = 0) -> None:
    """Let *times* statements fail, after so many that succeed."""
    count = 0

    def execute(_cursor: Any, _statement: str, _params: Any, _context: Any) -> None:
        nonlocal count
        count += 1
        if after < count <= after + times:
            raise error(engine)

    event.listen(engine, "do_execute", execute)


def break_commits(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, times: int, error: Exception, *, before: bool
) -> None:
    """Let *times* commits fail, before or after they took effect."""
    commit, left = engine.dialect.do_commit, [None] * times

    def do_commit(connection: Any) -> None:
        if not left:
            commit(connection)
            return
        left.pop()
        if not before:
            commit(connection)
        raise error

    monkeypatch.setattr(engine.dialect, "do_commit", do_commit)


def of_many_parts(scope: Scope) -> Change:
    """A change that takes four statements at least."""
    return Change(
        writes=(BOXES.add(box(scope, name="n")), LIDS.add(lid(scope))),
        once=(Once(namespace="toys", key="k", now=NOW, keep_until=NOW),),
        events=(happened(scope, "e", "ann"),),
        receipt=Receipt(namespace="toys", key="k", body_hash="b", result=b"", keep_until=NOW),
    )


@pytest.mark.proves("KER-116", "SQL-4", "SQL-7")
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_change_that_collides_is_tried_again_up_to_five_times(
    storage: SqlStorage, store: SqlStore, scope: Scope, after: int
) -> None:
    break_statements(storage.engine, RETRIES, collision, after)
    assert store.record(of_many_parts(scope)) == Recorded()
    assert len(slept) == RETRIES
    found = store.find(EVENTS, "e")
    assert found is not None
    assert found.it.seq == 1


@pytest.mark.proves("KER-116", "SQL-4")
def test_a_change_that_never_gets_through_is_stale(storage: SqlStorage, store: SqlStore, scope: Scope) -> None:
    break_statements(storage.engine, 1000, collision)
    with pytest.raises(StaleWrite) as caught:
        store.record(Change(writes=(LIDS.add(lid(scope)),)))
    assert caught.value.args == ("toy_lids", "box")
    assert caught.value.__suppress_context__
    assert len(slept) == RETRIES


@pytest.mark.proves("KER-116", "KER-127")
def test_a_look_up_that_never_gets_through_is_unavailable(storage: SqlStorage, store: SqlStore) -> None:
    break_statements(storage.engine, 1000, collision)
    with pytest.raises(Unavailable, match="lock_timeout"):
        store.find(LIDS, "box")


@pytest.mark.proves("SQL-4")
def test_pauses_between_tries_are_drawn_below_a_bound_that_doubles() -> None:
    class Most(ScriptedEntropy):
        def fraction(self) -> float:
            return 1.0

    bounds = [pause(tries, Most()) for tries in range(10)]
    assert bounds[:4] == [0.01, 0.02, 0.04, 0.08]
    assert max(bounds) == 1.0
    drawn = {pause(3, ScriptedEntropy(str(seed))) for seed in range(50)}
    assert len(drawn) == 50
    assert all(0 <= seconds < 0.08 for seconds in drawn)


@pytest.mark.proves("SQL-4", "SQL-7", "KER-116")
def test_a_commit_that_collides_is_tried_again(
    storage: SqlStorage, store: SqlStore, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_commits(monkeypatch, storage.engine, 2, collision(storage.engine), before=True)
    store.record(Change(writes=(LIDS.add(lid(scope)),), events=(happened(scope, "e", "ann"),)))
    found = store.find(EVENTS, "e")
    assert found is not None
    assert found.it.seq == 1


@pytest.mark.proves("KER-118")
@pytest.mark.parametrize("before", [True, False])
def test_a_commit_whose_answer_is_lost_is_not_tried_again(
    storage: SqlStorage, store: SqlStore, scope: Scope, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    lost = of_sqlite(14) if storage.engine.dialect.name == "sqlite" else of_postgres("08006")
    break_commits(monkeypatch, storage.engine, 1, lost, before=before)
    with pytest.raises(OutcomeUnknown):
        store.record(Change(writes=(LIDS.add(lid(scope)),)))
    assert slept == []
    assert (store.find(LIDS, "box") is None) == before


@pytest.mark.proves("ADA-110", "KER-110")
@pytest.mark.parametrize("after", range(4))
def test_a_connection_that_breaks_between_statements_leaves_nothing_and_the_next_call_works(
    storage: SqlStorage, store: SqlStore, scope: Scope, after: int
) -> None:
    lost = of_sqlite(14) if storage.engine.dialect.name == "sqlite" else of_postgres("08006")
    break_statements(storage.engine, 1, lambda _: lost, after)
    change = of_many_parts(scope)
    with pytest.raises(Unavailable, match="connection_lost"):
        store.record(change)
    assert store.find(BOXES, "n", "box_name") is None
    assert store.find(LIDS, "box") is None
    assert store.record(change) == Recorded()


@pytest.mark.proves("ADA-110")
def test_a_read_only_file_is_read_and_not_written(tmp_path: Path, scope: Scope) -> None:
    path = tmp_path / "shop.db"
    writable = SqlStorage(f"sqlite:///{path}", books=TOYS)
    writable.tables.metadata.create_all(writable.engine)
    writable.open(scope).record(Change(writes=(LIDS.add(lid(scope)),)))
    writable.close()
    storage = SqlStorage(f"sqlite:///file:{path}?mode=ro&uri=true", books=TOYS)
    store = storage.open(scope)
    assert store.find(LIDS, "box") is not None
    with pytest.raises(Unavailable, match="read_only"):
        store.record(Change(writes=(LIDS.add(lid(scope, "two")),)))
    storage.close()


@pytest.mark.proves("ADA-110")
def test_a_full_disk_is_told_and_the_next_change_fits_again(tmp_path: Path, scope: Scope) -> None:
    storage = SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}", books=TOYS)
    storage.tables.metadata.create_all(storage.engine)
    store = storage.open(scope)

    def allow(pages: int) -> None:
        with storage.engine.connect().execution_options(shopaccounts_alone=True) as conn:
            conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    allow(1)
    with pytest.raises(Unavailable, match="disk_full"):
        store.record(Change(writes=tuple(LIDS.add(lid(scope, f"l{n}")) for n in range(900))))
    allow(100_000)
    assert store.find(LIDS, "l0") is None
    assert store.record(Change(writes=(LIDS.add(lid(scope)),))) == Recorded()
    storage.close()


@pytest.mark.proves("ADA-110")
def test_a_writer_that_waits_too_long_for_the_file_is_told_so(tmp_path: Path, scope: Scope) -> None:
    storage = SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}", books=TOYS, sleep=lambda _: None)
    storage.tables.metadata.create_all(storage.engine)
    event.listen(storage.engine, "checkout", lambda dbapi, *_: dbapi.execute("PRAGMA busy_timeout = 0"))
    with sqlite3.connect(tmp_path / "shop.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StaleWrite):
            storage.open(scope).record(Change(writes=(LIDS.add(lid(scope)),)))
        with pytest.raises(Unavailable, match="lock_timeout"):
            storage.counters(scope).add("k", 1, NOW, NOW)
        assert storage.open(scope).find(LIDS, "box") is None
    other.close()
    storage.close()


@pytest.mark.proves("ADA-106")
def test_a_database_without_tables_says_what_to_do(tmp_path: Path, scope: Scope) -> None:
    storage = SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}", books=TOYS)
    with pytest.raises(Defect, match="migrate the schema"):
        storage.open(scope).find(LIDS, "box")
    storage.close()


@pytest.mark.proves("ADA-110")
def test_a_pool_that_has_no_connection_left_is_unavailable(tmp_path: Path, scope: Scope) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}", pool_size=1, max_overflow=0, pool_timeout=0)
    storage = SqlStorage(engine, books=TOYS)
    storage.tables.metadata.create_all(engine)
    with engine.connect(), pytest.raises(Unavailable, match="pool_exhausted"):
        storage.open(scope).find(LIDS, "box")
    assert storage.open(scope).find(LIDS, "box") is None
    storage.close()


def test_another_database_is_refused_when_the_storage_is_made() -> None:
    engine = create_engine("sqlite://")
    engine.dialect = mysql.dialect()
    with pytest.raises(Defect, match="not in mysql"):
        SqlStorage(engine, books=TOYS)


@pytest.mark.proves("SQL-7")
def test_faults_at_random_leave_what_some_order_without_faults_leaves(storage: SqlStorage, scope: Scope) -> None:
    """Every statement and every commit may collide; what is stored is what the recorded changes say, in their order."""
    dice, store = ScriptedEntropy("dice"), storage.open(scope)

    def execute(_cursor: Any, statement: str, _params: Any, _context: Any) -> None:
        if dice.fraction() < 0.25 and statement.split(maxsplit=1)[0] in {
            "INSERT",
            "UPDATE",
            "DELETE",
            "SELECT",
            "BEGIN",
        }:
            raise collision(storage.engine)

    store.record(Change(writes=(BOXES.add(box(scope)),)))
    event.listen(storage.engine, "do_execute", execute)
    recorded = 0
    for n in range(60):
        try:
            found = store.find(BOXES, "box")
            assert found is not None
            more = attrs.evolve(found.it, count=found.it.count + 1, name=f"n{n}")
            events = (happened(scope, f"e{n}", "ann"),)
            store.record(Change(writes=(BOXES.change(found.it, more),), events=events))
            recorded += 1
        except (StaleWrite, Unavailable):
            continue
    event.remove(storage.engine, "do_execute", execute)
    found = store.find(BOXES, "box")
    assert found is not None
    assert 0 < recorded < 60
    assert (found.it.count, found.it.version) == (recorded, recorded + 1)
    told = store.rows(EVENTS, "subject", "ann", None, 500).items
    assert sorted(one.seq or 0 for one in told) == list(range(1, recorded + 1))
