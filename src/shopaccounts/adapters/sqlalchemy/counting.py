"""Counters and leases: who was first is decided by a single statement, which needs no transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Delete,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    null,
    or_,
    select,
    update,
)

from shopaccounts.adapters.sqlalchemy.prepared import prepared
from shopaccounts.adapters.sqlalchemy.statements import Statements, equal, insert_into, insert_new
from shopaccounts.adapters.sqlalchemy.types import Instant
from shopaccounts.kernel.ports import Counted, Lease, Swap

__all__ = ["Counting", "Leasing"]

_NEW: Final = ("state", "keep_until")
_GIVEN: Final = ("key", *_NEW)


class Counting(Statements):
    """Small states and sums.

    A revision is drawn at random when a counter begins and moves on by one with each change, so that a counter that was
    cleared and begun anew is never mistaken for the one before.
    """

    def read(self, conn: Connection, realm: str, keys: Sequence[str]) -> dict[str, Counted]:
        """Answer the states of counters; a sum is answered as its decimal digits."""
        params = {"is_realm": realm, **{f"key_{n}": key for n, key in enumerate(keys)}}
        rows = self._read(len(keys)).rows(conn, params)
        return {
            key: Counted(str(total).encode() if state is None else state, revision)
            for key, state, total, revision in rows
        }

    def begin(self, conn: Connection, realm: str, swaps: Sequence[Swap], revision: int) -> frozenset[str]:
        """Keep first states; answer the keys under which there was none."""
        params: dict[str, Any] = {"realm": realm, "revision": revision, **_numbered(swaps)}
        return frozenset(self._begin(len(swaps), conn.dialect.name).cells(conn, params))

    def move(self, conn: Connection, realm: str, swaps: Sequence[Swap]) -> frozenset[str]:
        """Replace states that are at the revision that was seen; answer the keys of those that were."""
        seen = {f"seen_{n}": swap.seen for n, swap in enumerate(swaps)}
        params: dict[str, Any] = {"is_realm": realm, **seen, **_numbered(swaps)}
        return frozenset(self._move(len(swaps)).cells(conn, params))

    def clear(self, conn: Connection, realm: str, key: str) -> None:
        """Forget a state or a sum."""
        self._clear().touched(conn, {"is_realm": realm, "is_key": key})

    def add(
        self, conn: Connection, realm: str, key: str, amount: int, revision: int, now: datetime, keep_until: datetime
    ) -> int:
        """Add to a sum, or begin a new one if it has lapsed."""
        row = {"realm": realm, "key": key, "total": amount, "revision": revision, "keep_until": keep_until, "now": now}
        (total,) = self._add(conn.dialect.name).cells(conn, row)
        return int(total)

    @prepared
    def _read(self, count: int) -> Select[Any]:
        c = self.tables.counters.c
        named = c.key.in_([_given(c.key, n) for n in range(count)])
        return select(c.key, c.state, c.total, c.revision).where(*equal(self.tables.counters.c, "realm"), named)

    @prepared
    def _begin(self, count: int, dialect: str) -> Any:
        counters = self.tables.counters
        shared = {name: bindparam(name, type_=counters.c[name].type) for name in ("realm", "revision")}
        rows = [shared | {name: _given(counters.c[name], n) for name in _GIVEN} for n in range(count)]
        return insert_new(counters, dialect).values(rows).returning(counters.c.key)

    @prepared
    def _move(self, count: int) -> Any:
        counters = self.tables.counters
        c, places = counters.c, range(count)
        mine = [c.key == _given(c.key, n) for n in places]
        seen = or_(*(and_(mine[n], c.revision == bindparam(f"seen_{n}")) for n in places))
        new = {name: case(*((mine[n], _given(c[name], n)) for n in places)) for name in _NEW}
        moved = update(counters).where(*equal(counters.c, "realm"), seen)
        return moved.values(revision=c.revision + 1, total=None, **new).returning(c.key)

    @prepared
    def _clear(self) -> Delete:
        return delete(self.tables.counters).where(*equal(self.tables.counters.c, "realm", "key"))

    @prepared
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
        fences = self._acquire(conn.dialect.name).cells(conn, row)
        return Lease(name, fences[0], until) if fences else None

    def renew(self, conn: Connection, realm: str, lease: Lease, until: datetime) -> Lease | None:
        """Move the end of a lease that is still ours."""
        params = {"is_realm": realm, "is_name": lease.name, "is_fence": lease.fence, "until": until}
        renewed = self._renew().touched(conn, params) == 1
        return Lease(lease.name, lease.fence, until) if renewed else None

    def release(self, conn: Connection, realm: str, lease: Lease) -> None:
        """Give a lease back."""
        self._release().touched(conn, {"is_realm": realm, "is_name": lease.name, "is_fence": lease.fence})

    @prepared
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

    @prepared
    def _renew(self) -> Update:
        leases = self.tables.leases
        return update(leases).where(*equal(leases.c, "realm", "name", "fence"), leases.c.until.is_not(None))

    @prepared
    def _release(self) -> Update:
        leases = self.tables.leases
        return update(leases).where(*equal(leases.c, "realm", "name", "fence")).values(until=null())


def _given(column: ColumnElement[Any], number: int) -> BindParameter[Any]:
    """Answer one of the parameters of ``_numbered``."""
    return bindparam(f"{column.key}_{number}", type_=column.type)


def _numbered(swaps: Sequence[Swap]) -> Mapping[str, Any]:
    return {f"{name}_{n}": getattr(swap, name) for n, swap in enumerate(swaps) for name in _GIVEN}
