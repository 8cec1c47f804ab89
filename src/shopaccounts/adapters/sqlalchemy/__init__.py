"""The shop's books in SQLite or PostgreSQL, with SQLAlchemy Core.

``SqlStorage`` is for blocking hosts and ``AsyncSqlStorage`` for async ones. On an engine or a URL they own their
transactions; ``joined`` makes them write into the host's. Tables come from the Alembic branch ``shopaccounts``.
"""

from typing import TYPE_CHECKING, Any

from shopaccounts.adapters.sqlalchemy.storage import SqlStorage

if TYPE_CHECKING:
    from shopaccounts.adapters.sqlalchemy.async_storage import AsyncSqlStorage

__all__ = ["AsyncSqlStorage", "SqlStorage"]


def __getattr__(name: str) -> Any:
    """Load the async storage where it is asked for: it needs SQLAlchemy's extra ``asyncio``."""
    if name == "AsyncSqlStorage":
        from shopaccounts.adapters.sqlalchemy.async_storage import AsyncSqlStorage  # noqa: PLC0415  (as it says)

        return AsyncSqlStorage
    msg = f"module {__name__} has no {name}"
    raise AttributeError(msg)
