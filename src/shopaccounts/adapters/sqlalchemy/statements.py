"""Statements are built once for each set of tables, and then only executed."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from shopaccounts.adapters.sqlalchemy.tables import Tables
from shopaccounts.adapters.sqlalchemy.types import KeyTexts

__all__ = ["Statements", "among", "built_once", "equal", "insert_into", "insert_new", "listed", "numbered"]

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
    """Answer the condition that a column is one of the parameters that ``numbered`` answers for so many values."""
    return column == bindparam(f"{name}_0") if count == 1 else listed(column, name)


def listed(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Answer the condition that a column is one of the keys of a list, which is one parameter however long it is."""
    return _Listed(column, bindparam(name, type_=KeyTexts))


class _Listed(FunctionElement[Any]):
    """A column, and the list in which it is to be.

    It has no type: SQLAlchemy would compare a boolean with 1 on SQLite, which then goes through the whole table.
    """

    name = "listed"
    inherit_cache = True


@compiles(_Listed)
def _in_list(listed: _Listed, compiler: SQLCompiler, **kw: Any) -> str:
    column, keys = (compiler.process(part, **kw) for part in listed.clauses)
    return f"({column} IN (SELECT value FROM json_each({keys})))"  # noqa: S608  (what SQLAlchemy compiled)


@compiles(_Listed, "postgresql")
def _in_array(listed: _Listed, compiler: SQLCompiler, **kw: Any) -> str:
    column, keys = (compiler.process(part, **kw) for part in listed.clauses)
    return f"({column} = ANY (ARRAY(SELECT json_array_elements_text(CAST({keys} AS json)))))"


def numbered(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """Answer the parameters of ``among``."""
    return {f"{name}_0": values[0]} if len(values) == 1 else {name: list(values)}
