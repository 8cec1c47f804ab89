"""Statements that are compiled once, and from then on only bound and sent.

SQLAlchemy looks each statement up in its cache, takes it apart for its parameters and works out how to read the answer,
every time; for statements as short as ours that takes longer than the database does. So what a statement compiles to is
kept here, with the functions that SQLAlchemy's types have for its parameters and its columns, and is handed to the
driver by ``exec_driver_sql``: the same text with the same values, heard by the same listeners and failing in the same
ways. What can't be known beforehand is left to SQLAlchemy: how many values a list has, the answers to many rows at
once, and a host that moves tables to other schemas.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import attrs
from sqlalchemy import Connection, CursorResult, Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from shopaccounts.adapters.sqlalchemy.statements import Statements, built_once

__all__ = ["Prepared", "prepared"]

S = TypeVar("S", bound=Statements)
P = ParamSpec("P")
Params = Mapping[str, Any]
Way = Callable[[Any], Any]
"""How SQLAlchemy's type turns a value into what the driver takes, or what the driver gives into a value."""


@attrs.frozen
class _Text:
    """What a statement is compiled to, for one dialect and one set of parameters.

    Args:
        sql: As the driver takes it.
        names: The parameters in their order; None if the driver takes them by name.
        own: Values that stand in the statement itself.
        writes: The parameters that are not handed over as they are.
        reads: The columns of the answer that are not taken as they are, by their places.
    """

    sql: str
    names: tuple[str, ...] | None
    own: Params
    writes: tuple[tuple[str, Way], ...]
    reads: tuple[tuple[int, Way], ...]

    def bound(self, params: Params) -> Any:
        """Answer the parameters as the driver takes them."""
        values = {**self.own, **params}
        for name, write in self.writes:
            values[name] = write(values[name])
        return values if self.names is None else tuple([values[name] for name in self.names])

    def read(self, row: Sequence[Any]) -> Sequence[Any]:
        """Answer a row with the values that it stands for."""
        cells = list(row)
        for place, read in self.reads:
            cells[place] = read(cells[place])
        return cells


class Prepared:
    """A statement with what it compiles to."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._texts: dict[tuple[Any, ...], _Text | None] = {}

    def rows(self, conn: Connection, *each: Params) -> Sequence[Sequence[Any]]:
        """Execute the statement, for each set of parameters, and answer its rows."""
        text = self._text(conn, each[0]) if len(each) == 1 else None
        if text is None:
            return self._left_to_sqlalchemy(conn, each).all()
        rows = conn.exec_driver_sql(text.sql, text.bound(each[0])).all()
        return [text.read(row) for row in rows] if text.reads else rows

    def row(self, conn: Connection, params: Params) -> Sequence[Any] | None:
        """Execute the statement and answer its first row, None if there is none."""
        return next(iter(self.rows(conn, params)), None)

    def cells(self, conn: Connection, params: Params) -> list[Any]:
        """Execute the statement and answer the first cell of each row."""
        return [row[0] for row in self.rows(conn, params)]

    def touched(self, conn: Connection, *each: Params) -> int:
        """Execute the statement, for each set of parameters, and answer how many rows it had its effect on."""
        text = self._text(conn, each[0])
        if text is None:
            return self._left_to_sqlalchemy(conn, each).rowcount
        bound = [text.bound(params) for params in each]
        return conn.exec_driver_sql(text.sql, bound if len(bound) > 1 else bound[0]).rowcount

    def _left_to_sqlalchemy(self, conn: Connection, each: Sequence[Params]) -> CursorResult[Any]:
        return conn.execute(self._statement, each if len(each) > 1 else each[0])

    def _text(self, conn: Connection, params: Params) -> _Text | None:
        if "schema_translate_map" in conn.get_execution_options():
            return None
        shape = (conn.dialect, *params)
        if shape not in self._texts:
            self._texts[shape] = _compiled(self._statement, conn.dialect, list(params))
        return self._texts[shape]


def prepared(build: Callable[Concatenate[S, P], Any]) -> Callable[Concatenate[S, P], Prepared]:
    """Keep what *build* answers, as ``built_once`` does, and what it compiles to."""

    @built_once
    @wraps(build)
    def statement(self: S, /, *shape: P.args, **no_more: P.kwargs) -> Prepared:
        return Prepared(build(self, *shape, **no_more))

    return statement


def _compiled(statement: Any, dialect: Dialect, names: list[str]) -> _Text | None:
    compiled = cast("SQLCompiler", statement.compile(dialect=dialect, column_keys=names))
    if any(bind.expanding for bind in compiled.binds.values()):
        return None
    writes = {name: _way(bind.type, dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    columns = enumerate(statement.exported_columns)
    reads = ((place, _way(column.type, dialect).result_processor(dialect, None)) for place, column in columns)
    return _Text(
        sql=compiled.string,
        names=tuple(compiled.positiontup or ()) if compiled.positional else None,
        own={name: value for name, value in compiled.params.items() if name not in names},
        writes=tuple((name, write) for name, write in writes.items() if write),
        reads=tuple((place, read) for place, read in reads if read),
    )


def _way(kind: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return kind.dialect_impl(dialect)
