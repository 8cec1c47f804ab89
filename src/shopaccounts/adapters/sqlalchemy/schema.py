"""Bringing the tables up to date, and telling whether they are."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from shopaccounts.adapters.sqlalchemy.failures import meaning
from shopaccounts.adapters.sqlalchemy.tables import Tables

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

__all__ = ["migrate", "missing_revisions"]

_HOSTS_TABLE = "alembic_version"


def migrate(engine: Engine, tables: Tables) -> None:
    """Run every revision that is missing, in one transaction.

    Raises:
        Unavailable: The database didn't answer.
    """
    from alembic import command  # noqa: PLC0415  (heavy, and seldom needed)

    try:
        with engine.begin() as conn:
            command.upgrade(_config(tables, conn), "shopaccounts@head")
    except SQLAlchemyError as failure:
        raise meaning(failure) from None


def missing_revisions(engine: Engine, tables: Tables) -> tuple[str, ...]:
    """Answer the revisions that are yet to be run, oldest first.

    They may have been run by ``migrate``, or by the host's own Alembic.

    Raises:
        Unavailable: The database didn't answer.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415  (as above)

    script = ScriptDirectory.from_config(_config(tables, None))
    try:
        with engine.connect() as conn:
            done = {*_heads(conn, tables, f"{tables.prefix}schema"), *_heads(conn, tables, _HOSTS_TABLE)}
    except SQLAlchemyError as failure:
        raise meaning(failure) from None
    return _missing(script, done)


def _missing(script: "ScriptDirectory", done: set[str]) -> tuple[str, ...]:
    newest_first = [revision.revision for revision in script.walk_revisions()]
    missing = []
    for revision in newest_first:
        if revision in done:
            break
        missing.append(revision)
    return tuple(reversed(missing))


def _heads(conn: Connection, tables: Tables, table: str) -> tuple[str, ...]:
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  (as above)

    told = {"version_table": table, "version_table_schema": tables.schema}
    return MigrationContext.configure(conn, opts=told).get_current_heads()


def _config(tables: Tables, conn: Connection | None) -> "Config":
    from alembic.config import Config  # noqa: PLC0415  (as above)

    config = Config()
    config.set_main_option("script_location", "shopaccounts.adapters.sqlalchemy:migrations")
    told: dict[str, Any] = {"prefix": tables.prefix, "schema": tables.schema, "connection": conn}
    config.attributes["shopaccounts"] = told
    return config
