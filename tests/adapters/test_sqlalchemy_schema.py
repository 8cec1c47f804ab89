"""The tables: made by migrations, under any prefix, in any schema, and holding what was written byte for byte."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, inspect, make_url, text
from sqlalchemy.dialects import postgresql, sqlite

from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.adapters.sqlalchemy.schema import _config
from shopaccounts.adapters.sqlalchemy.types import Instant, KeyText
from shopaccounts.books import BOOKS
from shopaccounts.kernel.record import Change, Recorded
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.testing.plugin import ASYNC, Drive
from shopaccounts.testing.servers import Postgres
from shopaccounts.testing.toys import LIDS, TOYS, lid


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"empty_{request.getfixturevalue('worker')}"
    yield server.create(name)
    server.drop(name)


def described(engine: Engine, prefix: str, schema: str | None = None) -> set[Any]:
    """All that the database itself knows of our tables, but for the one that lists revisions."""
    with engine.connect() as conn:
        if engine.dialect.name == "postgresql":
            return _described_by_postgres(conn, prefix, schema or "public")
        texts = conn.execute(text("SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    return {" ".join(sql.split()) for table, sql in texts if table.startswith(prefix) and table != f"{prefix}schema"}


def _described_by_postgres(conn: Connection, prefix: str, schema: str) -> set[Any]:
    names = {"schema": schema, "like": f"{prefix}%", "revisions": f"{prefix}schema"}
    columns = text(
        "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, collation_name, column_default "
        "FROM information_schema.columns "
        "WHERE table_schema = :schema AND table_name LIKE :like AND table_name != :revisions"
    )
    indexes = text(
        "SELECT indexdef FROM pg_indexes "
        "WHERE schemaname = :schema AND tablename LIKE :like AND tablename != :revisions"
    )
    return {tuple(row) for query in (columns, indexes) for row in conn.execute(query, names)}


@pytest.mark.proves("ADA-106")
def test_migrations_make_the_tables_that_the_books_ask_for(url: str) -> None:
    migrated, made = SqlStorage(url), SqlStorage(url, prefix="made_")
    migrated.migrate()
    made.tables.metadata.create_all(made.engine)
    ours, theirs = described(migrated.engine, "shopaccounts_"), described(made.engine, "made_")
    assert len(ours) > 2 * len(BOOKS)
    assert {str(one).replace("shopaccounts_", "made_") for one in ours} == {str(one) for one in theirs}
    migrated.close()
    made.close()


@pytest.mark.proves("ADA-106")
def test_a_storage_tells_which_revisions_are_missing(url: str) -> None:
    storage = SqlStorage(url)
    assert storage.check_schema() == ("shopaccounts_0001",)
    storage.migrate()
    assert storage.check_schema() == ()
    storage.migrate()
    assert storage.check_schema() == ()
    storage.close()


@pytest.mark.proves("ADA-106")
class TestInAsyncHosts:
    @pytest.fixture
    def host(self) -> str:
        return ASYNC

    def test_an_async_storage_migrates_too(self, url: str, scope: Scope, drive: Drive) -> None:
        async def migrate_and_use() -> tuple[Any, ...]:
            storage = AsyncSqlStorage(url.replace("sqlite:", "sqlite+aiosqlite:"))
            before = await storage.check_schema()
            await storage.migrate()
            added = SECURITY.add(AccountSecurity(id="a", realm=scope.realm))  # type: ignore[arg-type]
            recorded = await storage.open(scope).record(Change(writes=(added,)))
            after = await storage.check_schema()
            await storage.close()
            return before, recorded, after

        assert drive(migrate_and_use()) == (("shopaccounts_0001",), Recorded(), ())


@pytest.mark.proves("ADA-106")
def test_two_shops_share_a_database_under_two_prefixes(url: str, scope: Scope) -> None:
    storages = [SqlStorage(url, books=TOYS, prefix=prefix) for prefix in ("one_", "two_")]
    for storage in storages:
        storage.tables.metadata.create_all(storage.engine)
    first, second = (storage.open(scope) for storage in storages)
    first.record(Change(writes=(LIDS.add(lid(scope)),)))
    assert second.find(LIDS, "box") is None
    second.record(Change(writes=(LIDS.add(lid(scope)),)))
    names = inspect(storages[0].engine).get_table_names()
    assert all(name.startswith(("one_", "two_")) for name in names)
    for storage in storages:
        storage.close()


@pytest.mark.proves("ADA-106")
def test_tables_live_in_the_schema_that_is_asked_for(postgres_server: Postgres, worker: str, scope: Scope) -> None:
    url = postgres_server.create(f"schema_{worker}")
    storage = SqlStorage(url, schema="shop", prefix="sa_")
    with storage.engine.begin() as conn:
        conn.execute(text("CREATE SCHEMA shop"))
    storage.migrate()
    assert storage.check_schema() == ()
    assert inspect(storage.engine).get_table_names() == []
    assert "sa_customers" in inspect(storage.engine).get_table_names(schema="shop")
    added = SECURITY.add(AccountSecurity(id="a", realm=scope.realm))  # type: ignore[arg-type]
    assert storage.open(scope).record(Change(writes=(added,), guards=(SECURITY.absent("b"),))) == Recorded()
    assert storage.open(scope).find(SECURITY, "a") is not None
    storage.close()
    postgres_server.drop(f"schema_{worker}")


@pytest.mark.proves("ADA-106")
def test_a_revision_can_be_taken_back(url: str) -> None:
    storage = SqlStorage(url)
    storage.migrate()
    with storage.engine.begin() as conn:
        command.downgrade(_config(storage.tables, conn), "shopaccounts@base")
    assert storage.check_schema() == ("shopaccounts_0001",)
    assert inspect(storage.engine).get_table_names() == ["shopaccounts_schema"]
    storage.close()


# Columns

_instants = st.datetimes(timezones=st.sampled_from([UTC])).map(lambda at: at.replace(tzinfo=UTC))
_keys = st.text(st.characters(), max_size=8) | st.text("\\\0u0d8a\ud800", max_size=6)


@pytest.mark.proves("HST-16", "KER-190")
@given(_instants, _instants)
def test_on_sqlite_times_are_texts_in_the_order_of_the_times(one: datetime, other: datetime) -> None:
    column, dialect = Instant(), sqlite.dialect()
    texts = [column.process_bind_param(at, dialect) for at in (one, other)]
    assert (one < other) == (texts[0] < texts[1])
    assert [column.process_result_value(written, dialect) for written in texts] == [one, other]
    assert len(texts[0]) == len("2026-03-01T12:00:00.000000+00:00")
    assert str(column.load_dialect_impl(dialect)) == "TEXT"


@pytest.mark.proves("HST-16")
def test_no_column_on_sqlite_is_of_a_type_that_hosts_have_converters_for(tmp_path: Path) -> None:
    storage = SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}")
    storage.migrate()
    told = inspect(storage.engine)
    types = {
        str(column["type"])
        for name in told.get_table_names()
        if name != "shopaccounts_schema"
        for column in told.get_columns(name)
    }
    assert types <= {"TEXT", "BIGINT", "INTEGER", "BLOB"}
    storage.close()


@pytest.mark.proves("KER-130")
@given(_keys, _keys)
def test_no_two_keys_are_written_alike_and_each_can_be_stored(one: str, other: str) -> None:
    column, dialect = KeyText(), postgresql.dialect()
    first, second = (column.process_bind_param(key, dialect) for key in (one, other))
    assert first is not None
    assert (one == other) == (first == second)
    assert "\0" not in first
    first.encode()


@pytest.mark.proves("KER-130")
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text("\\\0u0d8a", max_size=6))
def test_a_key_is_read_as_it_was_written(key: str) -> None:
    column, dialect = KeyText(), postgresql.dialect()
    assert column.process_result_value(column.process_bind_param(key, dialect), dialect) == key


@pytest.mark.proves("KER-127")
@pytest.mark.parametrize("key", ["a\0b", "\ud800", "\\", "x" * 3000])
def test_whatever_is_looked_up_is_found_or_not_and_never_fails(url: str, scope: Scope, key: str) -> None:
    storage = SqlStorage(url, books=TOYS)
    storage.tables.metadata.create_all(storage.engine)
    store = storage.open(scope)
    assert store.find(LIDS, key) is None
    assert store.find(TOYS[0], key, "box_name") is None
    assert store.rows(LIDS, "box", key, None, 10).items == ()
    storage.close()


@pytest.mark.proves("KER-190")
def test_a_session_in_another_time_zone_reads_the_same_times(postgres_url: str, scope: Scope) -> None:
    url = make_url(postgres_url).update_query_dict({"options": "-c timezone=Pacific/Auckland"})
    storage = SqlStorage(url, books=TOYS)
    at = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    counters = storage.counters(scope)
    counters.add("k", 1, at, at + timedelta(hours=1))
    assert counters.add("k", 1, at + timedelta(minutes=59), at + timedelta(hours=1)) == 2
    assert counters.add("k", 1, at + timedelta(hours=1), at + timedelta(hours=2)) == 1
    storage.close()


# Hosts that need less


def test_a_blocking_host_needs_neither_greenlet_nor_alembic_to_record(tmp_path: Path) -> None:
    script = f"""
import sys
sys.modules["greenlet"] = sys.modules["alembic"] = None
from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.security import SECURITY, AccountSecurity
storage = SqlStorage("sqlite:///{tmp_path / "shop.db"}")
storage.tables.metadata.create_all(storage.engine)
store = storage.open(Scope.single())
store.record(Change(writes=(SECURITY.add(AccountSecurity(id="a", realm="main")),)))
assert store.find(SECURITY, "a")
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr
