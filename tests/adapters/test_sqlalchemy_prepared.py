"""A statement that is compiled once answers what SQLAlchemy would have answered."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, create_engine, event, insert, select, update

from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.adapters.sqlalchemy.prepared import Prepared
from shopaccounts.adapters.sqlalchemy.tables import Tables
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.toys import BOXES, TOYS, box, happened

NOW = datetime(2031, 3, 1, 12, 30, 15, 42, tzinfo=UTC)
KEYS = ("plain", "back\\slash", "nul\0", "\N{SNOWMAN}", "%(x)s ? :y")
TABLE = Tables(TOYS, "prepared_").counters


@pytest.fixture(params=["sqlite", "postgresql"])
def conn(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    """A transaction that is never committed."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    engine = create_engine(url)
    with engine.connect() as conn:
        TABLE.create(conn)
        yield conn
    engine.dispose()


def row(key: str, **other: Any) -> dict[str, Any]:
    return {"realm": "main", "key": key, "state": b"\0\xff", "revision": 1, "keep_until": NOW} | other


class TestAnswers:
    def test_values_go_in_and_come_out_as_with_sqlalchemy(self, conn: Connection) -> None:
        add = Prepared(insert(TABLE).execution_options(preserve_rowcount=True))
        find = select(TABLE).where(TABLE.c.key == bindparam("is_key"), TABLE.c.revision < 2**40)
        for key in KEYS:
            assert add.touched(conn, row(key, state=None, total=2**62)) == 1
            (theirs,) = conn.execute(find, {"is_key": key}).all()
            for _ in range(2):
                assert list(Prepared(find).rows(conn, {"is_key": key})[0]) == list(theirs)
            assert list(theirs) == ["main", key, None, 2**62, 1, NOW]

    def test_the_same_statement_takes_other_parameters_the_next_time(self, conn: Connection) -> None:
        add, change = Prepared(insert(TABLE)), Prepared(update(TABLE).where(TABLE.c.key == bindparam("is_key")))
        first, later = Prepared(select(TABLE.c.state)), NOW + timedelta(days=1)
        add.touched(conn, row("k"))
        assert change.touched(conn, {"is_key": "k", "state": b"new"}) == 1
        assert change.touched(conn, {"is_key": "absent", "state": b"none"}) == 0
        assert change.touched(conn, {"is_key": "k", "keep_until": later, "revision": 7}) == 1
        assert first.cells(conn, {}) == [b"new"]
        assert Prepared(select(TABLE.c.keep_until, TABLE.c.revision)).row(conn, {}) == [later, 7]
        assert Prepared(select(TABLE.c.key).where(TABLE.c.revision == 1)).row(conn, {}) is None

    def test_a_list_of_values_and_many_rows_are_left_to_sqlalchemy(self, conn: Connection) -> None:
        add = Prepared(insert(TABLE).execution_options(preserve_rowcount=True))
        listed = Prepared(select(TABLE.c.key).where(TABLE.c.key.in_(bindparam("keys", expanding=True))))
        assert add.touched(conn, *map(row, KEYS)) == len(KEYS)
        for wanted in ([], ["plain"], ["nul\0", "plain", "absent"]):
            assert set(listed.cells(conn, {"keys": wanted})) == set(wanted) - {"absent"}

    def test_a_statement_is_compiled_once_and_heard_every_time(
        self, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        heard: list[str] = []
        event.listen(conn, "before_cursor_execute", lambda *args: heard.append(args[2]))
        find = Prepared(select(TABLE.c.key).where(TABLE.c.key == bindparam("is_key")))
        find.rows(conn, {"is_key": "k"})
        monkeypatch.setattr(type(conn.dialect), "statement_compiler", None)
        find.rows(conn, {"is_key": "other"})
        assert len(heard) == 2
        assert len(set(heard)) == 1


def test_a_host_that_moves_tables_to_another_schema_is_followed(tmp_path: Path, scope: Scope) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.connect() as plain:
        plain.exec_driver_sql(f"ATTACH '{tmp_path / 'tenant.db'}' AS tenant")
        moved = plain.execution_options(schema_translate_map={None: "tenant"})
        joined = SqlStorage.joined(lambda: moved, books=TOYS)
        joined.tables.metadata.create_all(moved)
        joined.counters(scope).add("k", 1, NOW, NOW)
        assert moved.exec_driver_sql("SELECT count(*) FROM tenant.shopaccounts_counters").scalar() == 1
    engine.dispose()


def test_new_rows_of_many_tables_in_one_statement_follow_such_a_host_too(postgres_url: str, scope: Scope) -> None:
    engine = create_engine(postgres_url)
    with engine.connect() as plain:
        plain.exec_driver_sql("CREATE SCHEMA tenant")
        moved = plain.execution_options(schema_translate_map={None: "tenant"})
        joined = SqlStorage.joined(lambda: moved, books=TOYS)
        joined.tables.metadata.create_all(moved)
        events = (happened(scope, "e1", "ann"), happened(scope, "e2", "ben"), happened(scope, "e3", "ann"))
        joined.open(scope).record(Change(writes=(BOXES.add(box(scope, name="n")),), events=events))
        kept = "SELECT series, last FROM tenant.shopaccounts_numbers ORDER BY series"
        assert plain.exec_driver_sql(kept).all() == [("ann", 2), ("ben", 1)]
        assert joined.open(scope).find(BOXES, "n", "box_name") is not None
    engine.dispose()
