"""How keys and times stand in a column, the same on every database.

The rules, in plain English:

* A time is UTC with microseconds. Where a database has no such type it is text of fixed length, so that the order of
  the texts is the order of the times.
* A key is compared byte by byte: no case, accent, space or locale plays a part. Every text can be looked up; what a
  database can't store is written in other characters, and no two keys are written alike.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["Instant", "KeyText", "KeyTexts"]


class Instant(TypeDecorator[datetime]):
    """An aware time in UTC: ISO 8601 text on SQLite, ``timestamptz`` elsewhere.

    SQLite columns are declared TEXT, since hosts such as Django register converters for DATETIME and TIMESTAMP.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type for a database."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write a time."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read a time."""
        if value is None:
            return None
        at: datetime = datetime.fromisoformat(value) if dialect.name == "sqlite" else value
        return at.astimezone(UTC)


class KeyText(TypeDecorator[str]):
    """Text that is looked up and sorted byte by byte (``COLLATE "C"`` on PostgreSQL, BINARY on SQLite)."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type for a database."""
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  (same everywhere)
        """Write a key: a backslash as two, NUL as backslash and zero, half of a surrogate pair as its number."""
        return key_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  (as above)
        """Read a key."""
        if value is None or "\\" not in value:
            return value
        return "\\".join(part.replace("\\0", "\0") for part in value.split("\\\\"))


class KeyTexts(TypeDecorator[Sequence[str]]):
    """Keys that something is looked up by, as JSON: one parameter, however many there are."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str | None:  # noqa: ARG002  (as above)
        """Write keys, each as ``KeyText`` writes it."""
        return None if value is None else orjson.dumps([key_text(key) for key in value]).decode()


def key_text(key: str | None) -> str | None:
    """Write a key as every database can store it; no key as none."""
    if key is None or ("\0" not in key and "\\" not in key and key.isascii()):
        return key
    written = key.replace("\\", "\\\\").replace("\0", "\\0")
    return written.encode("utf-8", "backslashreplace").decode()
