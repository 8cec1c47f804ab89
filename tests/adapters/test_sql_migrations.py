"""The revisions make exactly the tables that the shop's books are kept in."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect

from shopaccounts.adapters.sqlalchemy import SqlStorage

Shape = dict[str, tuple[set[tuple[str, str, bool]], set[tuple[str, ...]]]]


def shape(engine: Engine, prefix: str) -> Shape:
    """Every table with its columns and indexes."""
    found, made = inspect(engine), {}
    for table in found.get_table_names():
        if table.startswith(prefix) and table != f"{prefix}schema":
            columns = {(c["name"], str(c["type"]), bool(c["nullable"])) for c in found.get_columns(table)}
            indexes = {(str(i["name"]), *map(str, i["column_names"])) for i in found.get_indexes(table)}
            made[table] = (columns, indexes | {("primary", *found.get_pk_constraint(table)["constrained_columns"])})
    return made


@pytest.mark.proves("ADA-106")
@pytest.mark.parametrize("options", [{}, {"prefix": "accounts_"}], ids=["usual", "prefixed"])
def test_migrating_makes_the_tables_that_the_books_are_kept_in(tmp_path: Path, options: dict[str, Any]) -> None:
    migrated = SqlStorage(f"sqlite:///{tmp_path}/migrated.sqlite", **options)
    made_whole = SqlStorage(f"sqlite:///{tmp_path}/whole.sqlite", **options)
    migrated.migrate()
    made_whole.tables.metadata.create_all(made_whole.engine)
    prefix = migrated.tables.prefix
    assert shape(migrated.engine, prefix) == shape(made_whole.engine, prefix)
    migrated.close()
    made_whole.close()


@pytest.mark.proves("ADA-106")
def test_what_is_missing_is_named_until_it_is_there(tmp_path: Path) -> None:
    storage = SqlStorage(f"sqlite:///{tmp_path}/shop.sqlite")
    assert storage.check_schema() == ("shopaccounts_0001",)
    storage.migrate()
    assert storage.check_schema() == ()
    storage.migrate()
    assert storage.check_schema() == ()
    storage.close()
