"""Many rows in one statement.

PostgreSQL reads rows from one parameter, as JSON, and inserts or updates them together: that takes it two thirds of the
time that it takes row by row, and the driver a quarter. SQLite, which is a function call away, has nothing to gain from
it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import JSON, Connection, Dialect, FromClause, Text, bindparam, cast, column, func
from sqlalchemy.types import TypeDecorator, TypeEngine

from shopaccounts.adapters.sqlalchemy.types import KeyText, key_text

__all__ = ["FEW", "ROWS", "read_as_rows", "takes_sets"]

FEW: Final = 20
"""So many rows are not worth it."""
ROWS: Final = "rows"
"""The parameter that holds them."""
Row = Mapping[str, Any]


def takes_sets(conn: Connection, rows: Sequence[Any]) -> bool:
    """Tell whether so many rows are to be handed over together."""
    return conn.dialect.name == "postgresql" and len(rows) > FEW


def read_as_rows(columns: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """Answer the rows of the parameter ``ROWS``, in its order, each with these columns.

    Args:
        columns: The name of each, and its type.
    """
    keys = tuple(name for name, kind in columns.items() if isinstance(kind, KeyText))
    handed_over = cast(bindparam(ROWS, type_=_Rows(keys)), JSON)
    named = [column(name, kind) for name, kind in columns.items()]
    return func.json_to_recordset(handed_over).table_valued(*named).render_derived(with_types=True)


class _Rows(TypeDecorator[Sequence[Row]]):
    """Rows as JSON.

    Args:
        keys: Which of their columns hold keys, to be written as ``KeyText`` writes them.
    """

    impl = Text
    cache_ok = True

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__()
        self.keys = keys

    def process_bind_param(self, value: Sequence[Row] | None, dialect: Dialect) -> str | None:  # noqa: ARG002  (same everywhere)
        """Write rows."""
        return None if value is None else orjson.dumps([self._written(row) for row in value]).decode()

    def _written(self, row: Row) -> Row:
        odd = {name: written for name in self.keys if (written := key_text(row[name])) is not row[name]}
        return {**row, **odd} if odd else row
