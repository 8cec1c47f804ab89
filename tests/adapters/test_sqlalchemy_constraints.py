"""What the database itself enforces: keys by their logical names, and nothing between things of different owners."""

import re
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
from sqlalchemy import text

from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.books import BOOKS
from shopaccounts.kernel.errors import Defect, Taken
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.servers import Postgres
from shopaccounts.testing.toys import BOXES, TOYS, box


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    """A database of the test's own, which it may change."""
    server: Postgres | None = None
    url, name = f"sqlite:///{tmp_path / 'shop.db'}", f"constraints_{request.getfixturevalue('worker')}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.create(name)
    storage = SqlStorage(url, books=TOYS)
    storage.tables.metadata.create_all(storage.engine)
    yield storage
    storage.close()
    if server:
        server.drop(name)


def adding(scope: Scope, id: str, **fields: Any) -> Change:
    return Change(writes=(BOXES.add(box(scope, id, **fields)),))


@pytest.mark.proves("ADA-104")
@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": "box_nickname"}, "box_name"),
        ({"nicknames": ("box_name",)}, "box_nickname"),
    ],
)
def test_a_key_that_is_taken_is_told_by_its_logical_name_whatever_its_value_says(
    storage: SqlStorage, scope: Scope, fields: dict[str, Any], name: str
) -> None:
    store = storage.open(scope)
    store.record(adding(scope, "holder", **fields))
    with pytest.raises(Taken) as caught:
        store.record(adding(scope, "late", **fields))
    assert caught.value.field == name
    assert "Integrity" not in "".join(format_exception(caught.value))


@pytest.mark.proves("ADA-104")
def test_a_constraint_that_is_not_ours_is_a_defect_without_its_values(storage: SqlStorage, scope: Scope) -> None:
    boxes = storage.tables[BOXES].table.name
    with storage.engine.begin() as conn:
        conn.execute(text(f"CREATE UNIQUE INDEX box_name ON {boxes} (g_owner)"))
    store = storage.open(scope)
    store.record(adding(scope, "holder", owner="ann@lamp.example"))
    with pytest.raises(Defect) as caught:
        store.record(adding(scope, "late", owner="ann@lamp.example"))
    assert not re.search("ann|lamp|owner|box_name", str(caught.value))
    assert store.find(BOXES, "late") is None
    assert store.find(BOXES, "holder") is not None


@pytest.mark.proves("ADA-105")
@pytest.mark.parametrize("books", [BOOKS, TOYS])
def test_no_table_points_to_another(books: Any) -> None:
    storage = SqlStorage("sqlite://", books=books)
    assert storage.tables.metadata.tables
    assert [table.name for table in storage.tables.metadata.tables.values() if table.foreign_keys] == []
    storage.close()
