"""Statements are built once for each set of tables, and then only executed."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from shopaccounts.adapters.sqlalchemy.tables import Tables

__all__ = ["Statements", "among", "built_once", "equal", "insert_into", "insert_new", "numbered"]

S = TypeVar("S", bound="Statements")
P = ParamSpec("P")
R = TypeVar("R")
Columns = ReadOnlyColumnCollection[str, Any]


class Statements:
    """The statements of one part of a store; they know the tables, no realm and no connection."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.built: dict[tuple[Any, ...], Any] = {}


def built_once(build: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Keep what *build* answers for each shape it is asked for; shapes are given by position and can be hashed."""

    @wraps(build)
    def statement(self: S, /, *shape: P.args, **no_more: P.kwargs) -> R:
        key = (build, *shape)
        known: R | None = self.built.get(key)
        if known is None:
            known = self.built[key] = build(self, *shape, **no_more)
        return known

    return statement


def insert_into(table: Table, dialect: str) -> "sqlite.Insert | postgresql.Insert":
    """Answer an insert that can say what is to happen on a conflict, and that tells how many rows it touched."""
    new = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    return new.execution_options(preserve_rowcount=True)


def insert_new(table: Table, dialect: str) -> "sqlite.Insert | postgresql.Insert":
    """Answer an insert that leaves out rows whose primary key is taken; any other constraint still refuses."""
    return insert_into(table, dialect).on_conflict_do_nothing(index_elements=list(table.primary_key.columns))


def equal(columns: Columns, *names: str) -> list[ColumnElement[bool]]:
    """Answer the conditions that columns equal the parameters ``is_<column>``."""
    return [columns[name] == bindparam(f"is_{name}") for name in names]


def among(column: ColumnElement[Any], name: str, count: int) -> ColumnElement[bool]:
    """Answer the condition that a column is one of the parameters that ``numbered`` answers for so many values.

    A single value is compared, which needs no work at execution; a list is written out each time.
    """
    if count == 1:
        return column == bindparam(f"{name}_0")
    return column.in_(bindparam(name, expanding=True))


def numbered(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """Answer the parameters of ``among``."""
    return {f"{name}_0": values[0]} if len(values) == 1 else {name: list(values)}
