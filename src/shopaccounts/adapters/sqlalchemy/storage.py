"""Storage in a SQL database for blocking hosts: on an engine of its own, or in the host's transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import Unpack

from sqlalchemy import URL, Connection, Engine

from shopaccounts.adapters.sqlalchemy.engines import engine_of
from shopaccounts.adapters.sqlalchemy.hosts import Blocking
from shopaccounts.adapters.sqlalchemy.hosts import sleep as block
from shopaccounts.adapters.sqlalchemy.lapsing import purge_lapsed
from shopaccounts.adapters.sqlalchemy.rotation import SqlRotation, uses_key
from shopaccounts.adapters.sqlalchemy.schema import migrate, missing_revisions
from shopaccounts.adapters.sqlalchemy.store import SqlCounters, SqlLeases, SqlStore
from shopaccounts.adapters.sqlalchemy.tables import Tables
from shopaccounts.adapters.sqlalchemy.transactions import HostTransactions, OwnTransactions
from shopaccounts.adapters.sqlalchemy.works import Options, Works, entropy_of, tables_of, works_of
from shopaccounts.kernel.scope import Scope

__all__ = ["JoinedSqlStorage", "SqlStorage"]


class JoinedSqlStorage:
    """The shop's books in the host's own transaction; made by ``SqlStorage.joined``."""

    holds_up_the_loop = True

    def __init__(self, works: Works) -> None:
        self._works = works

    @property
    def tables(self) -> Tables:
        """The tables, for hosts that look at them."""
        return self._works.tables

    def open(self, scope: Scope) -> SqlStore:
        """Answer the books of one scope."""
        return SqlStore(self._works, scope.realm)

    def counters(self, scope: Scope) -> SqlCounters:
        """Answer the counters of one scope."""
        return SqlCounters(self._works, scope.realm)

    def leases(self, scope: Scope) -> SqlLeases:
        """Answer the leases of one scope."""
        return SqlLeases(self._works, scope.realm)

    def purge_lapsed(self, before: datetime, limit: int) -> int:
        """Forget markers, receipts and counters whose end is before *before*, in all realms; up to *limit* of each."""
        return purge_lapsed(self._works, before, limit)


class SqlStorage(JoinedSqlStorage):
    """The shop's books in SQLite or PostgreSQL, in transactions of their own.

    Args:
        engine: An engine or a URL. An engine for SQLite is made fit for safe writing for whoever else uses it, too.
        sleep: Blocks for some seconds; between tries of a change that collided with others.
        options: What else may be said; see ``Options``.

    Raises:
        BadPolicy: Sealed personal data without vault or keyring.
        Defect: Another database.
    """

    def __init__(
        self, engine: Engine | URL | str, *, sleep: Callable[[float], None] = block, **options: Unpack[Options]
    ) -> None:
        self.engine, host = engine_of(engine), Blocking(sleep)
        transactions = OwnTransactions(self.engine, entropy_of(options), host)
        super().__init__(works_of(options, tables_of(options), transactions, host))

    @classmethod
    def joined(cls, connection: Callable[[], Connection], **options: Unpack[Options]) -> JoinedSqlStorage:
        """Answer a storage that works inside the host's transaction and leaves its end to the host.

        Args:
            connection: Answers the host's connection, such as ``session.connection`` of a SQLAlchemy session.
            options: What else may be said; see ``Options``.
        """
        host, tables = Blocking(block), tables_of(options)
        return JoinedSqlStorage(works_of(options, tables, HostTransactions(connection, tables, host), host))

    def rotation(self, scope: Scope) -> SqlRotation:
        """Answer what moves the sealed contents of one realm to new keys."""
        return SqlRotation(self._works, scope.realm)

    def uses_key(self, key_id: str) -> bool:
        """Tell whether anything is sealed or digested with a key, in any realm; then it can't be retired."""
        return uses_key(self._works, key_id)

    def migrate(self) -> None:
        """Bring the tables up to date."""
        migrate(self.engine, self.tables)

    def check_schema(self) -> tuple[str, ...]:
        """Answer the revisions that the tables lack, oldest first; nothing if they are up to date."""
        return missing_revisions(self.engine, self.tables)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
