"""Due work: items are claimed, looked up, renewed, given back and set aside by one statement each.

The rules, in plain English:

* An item may be claimed when it is due, not parked, in nobody's live claim, and first of those that wait in its lane.
* Higher priority goes first, then what has been due longest, then the smaller id.
* Each claim, and each giving back, raises the item's fence; whoever holds an older fence has lost it. Writing an item
  under its claim is giving it back.
* Where rows can be skipped while another worker holds them, workers don't wait for each other. Elsewhere the claim is
  an update that names its conditions, and a worker that came too late looks again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Update,
    bindparam,
    case,
    exists,
    or_,
    select,
    tuple_,
    update,
)

from shopaccounts.adapters.sqlalchemy.prepared import prepared
from shopaccounts.adapters.sqlalchemy.sealing import Bodies
from shopaccounts.adapters.sqlalchemy.statements import Statements, among, built_once, equal, listed, numbered
from shopaccounts.adapters.sqlalchemy.tables import Shelf, Tables
from shopaccounts.adapters.sqlalchemy.types import Instant
from shopaccounts.kernel.ports import Claimed, Parked
from shopaccounts.kernel.record import AnyBook, Book, Entity

__all__ = ["Worker"]

T = TypeVar("T", bound=Entity)
_MANY: Final = 2


class Worker(Statements):
    """Shares due items among workers.

    Args:
        tables: The tables.
        bodies: How entities are read.
        skip_locked: Whether to skip rows that another worker is claiming, where the database can (PostgreSQL).
    """

    def __init__(self, tables: Tables, bodies: Bodies, *, skip_locked: bool) -> None:
        super().__init__(tables)
        self._bodies, self._skip_locked = bodies, skip_locked

    def claim(
        self, conn: Connection, realm: str, book: Book[T], now: datetime, until: datetime, limit: int
    ) -> tuple[Claimed[T], ...]:
        """Claim due items until *until*."""
        shelf = self.tables[book]
        if not shelf.is_worked:
            return ()
        params = {"is_realm": realm, "now": now, "until": until, "limit": limit}
        rows = sorted(conn.execute(self._claim(shelf), params).all(), key=_turn)
        return tuple(
            Claimed(self._bodies.read(shelf.book, realm, *cells), fence, until, attempts)
            for _, _, _, fence, attempts, *cells in rows
        )

    def came_too_late(self, conn: Connection, realm: str, book: AnyBook, now: datetime) -> bool:
        """Tell whether there still is something to claim: then another worker took what this one was about to."""
        shelf = self.tables[book]
        if self._skip_locked or conn.dialect.name == "sqlite" or not shelf.is_worked:
            return False
        params = {"is_realm": realm, "now": now, "limit": 1}
        return conn.execute(self._waiting(shelf), params).first() is not None

    def due_in(
        self, conn: Connection, realm: str, book: Book[T], group: str, values: Sequence[str], now: datetime, limit: int
    ) -> tuple[T, ...]:
        """Answer what is due in a group with one of these values."""
        shelf = self.tables[book]
        if not shelf.is_worked:
            return ()
        params = {"is_realm": realm, "now": now, "limit": limit, **numbered("value", values)}
        rows = self._due_in(shelf, group, min(len(values), _MANY)).rows(conn, params)
        return tuple(self._bodies.read(shelf.book, realm, *cells) for cells in rows)

    def renew(
        self, conn: Connection, realm: str, book: Book[T], claims: Sequence[Claimed[T]], until: datetime
    ) -> frozenset[str]:
        """Move the end of claims that are still ours."""
        params = {"until": until, **_mine(realm, claims)}
        return frozenset(conn.execute(self._renewed(self.tables[book]), params).scalars())

    def release(
        self, conn: Connection, realm: str, book: Book[T], claims: Sequence[Claimed[T]], retry_at: datetime | None
    ) -> None:
        """Give claims back, with one attempt more if they are to be tried again later."""
        shelf, mine = self.tables[book], _mine(realm, claims)
        if retry_at is None:
            conn.execute(self._given_back(shelf), mine)
        else:
            conn.execute(self._put_off(shelf), {"later": retry_at, **mine})

    def park(self, conn: Connection, realm: str, book: Book[T], claim: Claimed[T], reason: str) -> None:
        """Set a claimed item aside."""
        conn.execute(self._set_aside(self.tables[book]), {"reason": reason or None, **_mine(realm, [claim])})

    def parked(self, conn: Connection, realm: str, book: AnyBook, limit: int) -> tuple[Parked, ...]:
        """List what was set aside."""
        shelf = self.tables[book]
        if not shelf.is_worked:
            return ()
        rows = conn.execute(self._aside(shelf), {"is_realm": realm, "limit": limit}).all()
        return tuple(Parked(*row) for row in rows)

    def unpark(self, conn: Connection, realm: str, book: AnyBook, id: str) -> bool:
        """Put an item back, its attempts forgotten."""
        shelf = self.tables[book]
        if not shelf.is_worked:
            return False
        return conn.execute(self._put_back(shelf), {"is_realm": realm, "is_id": id}).rowcount > 0

    @built_once
    def _claim(self, shelf: Shelf) -> Any:
        """Choose and claim in one statement; the conditions stand twice, for a database that looks again at a row."""
        c = shelf.table.c
        chosen = self._chosen(shelf).cte("chosen")
        mine = [*equal(shelf.table.c, "realm"), c.id.in_(select(chosen.c.id)), *_is_free(shelf.table)]
        taken = update(shelf.table).where(*mine).values(fence=c.fence + 1, claimed_until=bindparam("until"))
        turn = (c.priority if shelf.has_priorities else c.fence * 0, c.due_at, c.id)
        return taken.returning(*turn, c.fence, c.attempts, *shelf.cells(shelf.table))

    @built_once
    def _waiting(self, shelf: Shelf) -> Select[Any]:
        return self._chosen(shelf)

    def _chosen(self, shelf: Shelf) -> Select[Any]:
        waiting = shelf.table.alias("waiting")
        c = waiting.c
        conditions = [*equal(waiting.c, "realm"), *_is_free(waiting), c.due_at <= bindparam("now")]
        if shelf.has_lanes:
            conditions.append(_is_first_of_its_lane(shelf, waiting))
        order = [c.priority.desc()] if shelf.has_priorities else []
        chosen = select(c.id).where(*conditions).order_by(*order, c.due_at, c.id).limit(bindparam("limit"))
        return chosen.with_for_update(skip_locked=True) if self._skip_locked else chosen

    @prepared
    def _due_in(self, shelf: Shelf, group: str, count: int) -> Select[Any]:
        """Go by the group; said in two conditions, databases without statistics would go through all that is due."""
        c = shelf.table.c
        mine = [*equal(shelf.table.c, "realm"), among(c[f"g_{group}"], "value", count)]
        due_unless_parked = case((c.parked.is_(None), c.due_at))
        due = select(*shelf.cells(shelf.table)).where(*mine, due_unless_parked <= bindparam("now", type_=Instant))
        return due.order_by(c.due_at, c.id).limit(bindparam("limit"))

    @built_once
    def _renewed(self, shelf: Shelf) -> Any:
        return _ours(shelf).values(claimed_until=bindparam("until")).returning(shelf.table.c.id)

    @built_once
    def _given_back(self, shelf: Shelf) -> Update:
        return _ours(shelf).values(claimed_until=None, fence=shelf.table.c.fence + 1)

    @built_once
    def _put_off(self, shelf: Shelf) -> Update:
        c = shelf.table.c
        later = bindparam("later", type_=Instant)
        due_at = case((c.wants_at.is_(None), None), (c.wants_at > later, c.wants_at), else_=later)
        return self._given_back(shelf).values(retry_at=later, due_at=due_at, attempts=c.attempts + 1)

    @built_once
    def _set_aside(self, shelf: Shelf) -> Update:
        return self._given_back(shelf).values(parked=bindparam("reason"), attempts=shelf.table.c.attempts + 1)

    @built_once
    def _aside(self, shelf: Shelf) -> Select[Any]:
        c = shelf.table.c
        listed = select(c.id, c.parked, c.attempts).where(*equal(shelf.table.c, "realm"), c.parked.is_not(None))
        return listed.order_by(c.id).limit(bindparam("limit"))

    @built_once
    def _put_back(self, shelf: Shelf) -> Update:
        c = shelf.table.c
        aside = update(shelf.table).where(*equal(shelf.table.c, "realm", "id"), c.parked.is_not(None))
        return aside.values(parked=None, attempts=0, retry_at=None, due_at=c.wants_at)


def _is_free(table: Any) -> list[ColumnElement[bool]]:
    c = table.c
    return [c.parked.is_(None), or_(c.claimed_until.is_(None), c.claimed_until <= bindparam("now"))]


def _is_first_of_its_lane(shelf: Shelf, waiting: Any) -> ColumnElement[bool]:
    before = shelf.table.alias("before")
    same_lane = (before.c.realm == waiting.c.realm) & (before.c.lane == waiting.c.lane) & before.c.wants_at.is_not(None)
    earlier = tuple_(before.c.lane_place, before.c.id) < tuple_(waiting.c.lane_place, waiting.c.id)
    return ~exists().where(same_lane, earlier)


def _ours(shelf: Shelf) -> Update:
    """Update what is claimed under the fences that we were given."""
    c = shelf.table.c
    fences = tuple_(c.id, c.fence).in_(bindparam("fences", expanding=True))
    return update(shelf.table).where(*equal(shelf.table.c, "realm"), listed(c.id, "ids"), fences)


def _mine(realm: str, claims: Sequence[Claimed[Any]]) -> dict[str, Any]:
    fences = sorted((claim.item.id, claim.fence) for claim in claims)
    return {"is_realm": realm, "ids": [id for id, _ in fences], "fences": fences}


def _turn(row: Any) -> tuple[int, datetime, str]:
    return (-row[0], row[1], row[2])
