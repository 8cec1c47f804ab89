"""Counters and leases: each call is one statement, and that statement alone decides who was first."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Delete, Select, Update, and_, bindparam, case, delete, null, select, update

from shopaccounts.adapters.sqlalchemy.statements import Statements, built_once, equal, insert_into, insert_new
from shopaccounts.adapters.sqlalchemy.types import Instant
from shopaccounts.kernel.ports import Counted, Lease

__all__ = ["Counting", "Leasing"]

Key = dict[str, str]


class Counting(Statements):
    """Small states and sums.

    A revision is drawn at random when a counter begins and moves on by one with each change, so that a counter that was
    cleared and begun anew is never mistaken for the one before.
    """

    def read(self, conn: Connection, realm: str, key: str) -> Counted | None:
        """Answer the state of a counter; a sum is answered as its decimal digits."""
        row = conn.execute(self._read(), _at(realm, key)).first()
        if row is None:
            return None
        state, total, revision = row
        return Counted(str(total).encode() if state is None else state, revision)

    def begin(self, conn: Connection, realm: str, key: str, state: bytes, revision: int, keep_until: datetime) -> bool:
        """Keep a first state; false if there is one."""
        row = {"realm": realm, "key": key, "state": state, "revision": revision, "keep_until": keep_until}
        return conn.execute(self._begin(conn.dialect.name), row).rowcount == 1

    def swap(self, conn: Connection, realm: str, key: str, seen: int, state: bytes, keep_until: datetime) -> bool:
        """Replace the state of a revision."""
        params = {**_at(realm, key), "is_revision": seen, "state": state, "keep_until": keep_until}
        return conn.execute(self._swap(), params).rowcount == 1

    def clear(self, conn: Connection, realm: str, key: str, seen: int) -> bool:
        """Forget the state of a revision."""
        return conn.execute(self._clear(), {**_at(realm, key), "is_revision": seen}).rowcount == 1

    def add(
        self, conn: Connection, realm: str, key: str, amount: int, revision: int, now: datetime, keep_until: datetime
    ) -> int:
        """Add to a sum, or begin a new one if it has lapsed."""
        row = {"realm": realm, "key": key, "total": amount, "revision": revision, "keep_until": keep_until, "now": now}
        total: int = conn.execute(self._add(conn.dialect.name), row).scalar_one()
        return total

    @built_once
    def _read(self) -> Select[Any]:
        c = self.tables.counters.c
        return select(c.state, c.total, c.revision).where(*equal(self.tables.counters.c, "realm", "key"))

    @built_once
    def _begin(self, dialect: str) -> Any:
        return insert_new(self.tables.counters, dialect)

    @built_once
    def _swap(self) -> Update:
        counters = self.tables.counters
        seen = update(counters).where(*equal(counters.c, "realm", "key", "revision"))
        return seen.values(revision=counters.c.revision + 1, total=None)

    @built_once
    def _clear(self) -> Delete:
        return delete(self.tables.counters).where(*equal(self.tables.counters.c, "realm", "key", "revision"))

    @built_once
    def _add(self, dialect: str) -> Any:
        counters = self.tables.counters
        new = insert_into(counters, dialect)
        goes_on = and_(counters.c.keep_until > bindparam("now", type_=Instant), counters.c.total.is_not(None))
        added = new.on_conflict_do_update(
            index_elements=list(counters.primary_key.columns),
            set_={
                "state": null(),
                "total": new.excluded.total + case((goes_on, counters.c.total), else_=0),
                "revision": counters.c.revision + 1,
                "keep_until": new.excluded.keep_until,
            },
        )
        return added.returning(counters.c.total)


class Leasing(Statements):
    """Named rights of one worker at a time."""

    def acquire(
        self, conn: Connection, realm: str, name: str, holder: str, now: datetime, until: datetime
    ) -> Lease | None:
        """Take a lease that nobody holds at *now*."""
        row = {"realm": realm, "name": name, "holder": holder, "fence": 1, "until": until, "now": now}
        fence: int | None = conn.execute(self._acquire(conn.dialect.name), row).scalar()
        return None if fence is None else Lease(name, fence, until)

    def renew(self, conn: Connection, realm: str, lease: Lease, until: datetime) -> Lease | None:
        """Move the end of a lease that is still ours."""
        params = {"is_realm": realm, "is_name": lease.name, "is_fence": lease.fence, "until": until}
        renewed = conn.execute(self._renew(), params).rowcount == 1
        return Lease(lease.name, lease.fence, until) if renewed else None

    def release(self, conn: Connection, realm: str, lease: Lease) -> None:
        """Give a lease back."""
        conn.execute(self._release(), {"is_realm": realm, "is_name": lease.name, "is_fence": lease.fence})

    @built_once
    def _acquire(self, dialect: str) -> Any:
        leases = self.tables.leases
        new = insert_into(leases, dialect)
        over = leases.c.until.is_(None) | (leases.c.until <= bindparam("now", type_=Instant))
        taken = new.on_conflict_do_update(
            index_elements=list(leases.primary_key.columns),
            set_={"holder": new.excluded.holder, "fence": leases.c.fence + 1, "until": new.excluded.until},
            where=over,
        )
        return taken.returning(leases.c.fence)

    @built_once
    def _renew(self) -> Update:
        leases = self.tables.leases
        return update(leases).where(*equal(leases.c, "realm", "name", "fence"), leases.c.until.is_not(None))

    @built_once
    def _release(self) -> Update:
        leases = self.tables.leases
        return update(leases).where(*equal(leases.c, "realm", "name", "fence")).values(until=null())


def _at(realm: str, key: str) -> Key:
    return {"is_realm": realm, "is_key": key}
