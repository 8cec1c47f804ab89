"""Forgetting what has lapsed: markers, receipts and counters that nobody can tell from ones that never were."""

from datetime import datetime
from typing import Any

from sqlalchemy import Table, bindparam, delete, select, tuple_

from shopaccounts.adapters.sqlalchemy.statements import Statements, built_once
from shopaccounts.adapters.sqlalchemy.works import Works

__all__ = ["purge_lapsed"]


class _Lapsing(Statements):
    @built_once
    def purged(self, table: Table) -> Any:
        """Remove the rows that lapsed first; choosing locks them, so that none begins anew meanwhile."""
        c, key = table.c, [column.name for column in table.primary_key.columns]
        lapsed = table.alias("lapsed").c
        chosen = select(*(lapsed[name] for name in key)).where(lapsed.keep_until < bindparam("before"))
        first = chosen.order_by(lapsed.keep_until).limit(bindparam("limit")).with_for_update().cte("first")
        gone = delete(table).where(tuple_(*(c[name] for name in key)).in_(select(*(first.c[name] for name in key))))
        return gone.returning(c.realm)


def purge_lapsed(works: Works, before: datetime, limit: int) -> int:
    """Forget markers, receipts and counters whose end is before a time, in all realms; up to *limit* of each.

    Returns:
        How many there were.
    """
    statements, params = _Lapsing(works.tables), {"before": before, "limit": limit}

    def purge(table: Table) -> int:
        statement = statements.purged(table)
        return works.transactions.alone(lambda conn: len(conn.execute(statement, params).all()))

    return sum(purge(table) for table in (works.tables.once, works.tables.receipts, works.tables.counters))
