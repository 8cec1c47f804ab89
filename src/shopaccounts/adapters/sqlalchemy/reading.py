"""Look-ups and listings: each is one statement, so what it answers is from one moment."""

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, bindparam, select, tuple_

from shopaccounts.adapters.sqlalchemy.prepared import prepared
from shopaccounts.adapters.sqlalchemy.sealing import Bodies
from shopaccounts.adapters.sqlalchemy.statements import Statements, among, equal, numbered
from shopaccounts.adapters.sqlalchemy.tables import Shelf, Tables
from shopaccounts.adapters.sqlalchemy.types import Instant
from shopaccounts.kernel.ports import BY_ID, Position, Rows
from shopaccounts.kernel.record import Book, Bring, Entity, Found

__all__ = ["Reader"]

T = TypeVar("T", bound=Entity)
_MANY: Final = 2
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
"""The sort key of entities whose book has no order."""


class Reader(Statements):
    """Finds and lists what is stored."""

    def __init__(self, tables: Tables, bodies: Bodies) -> None:
        super().__init__(tables)
        self._bodies = bodies

    def find(
        self, conn: Connection, realm: str, book: Book[T], key: str, by: str, bring: tuple[Bring, ...]
    ) -> Found[T] | None:
        """Answer the entity with this id or unique key, and those to bring along."""
        shelf = self.tables[book]
        if by == BY_ID:
            row = self._by_id(shelf, bring).row(conn, {"is_realm": realm, "is_id": key})
        else:
            spellings = self._bodies.spellings(shelf.book, realm, by, key)
            params = {"is_realm": realm, "is_name": by, "is_book": book.name, **numbered("key", spellings)}
            row = self._by_key(shelf, bring, len(spellings)).row(conn, params)
        return None if row is None else self._found(realm, shelf, bring, row)

    def rows(
        self,
        conn: Connection,
        realm: str,
        book: Book[T],
        group: str,
        value: str,
        after: Position | None,
        limit: int,
        newest_first: bool,  # noqa: FBT001  (handed through)
    ) -> Rows[T]:
        """List the entities of a group in their order, or the other way round."""
        shelf = self.tables[book]
        params: dict[str, Any] = {"is_realm": realm, f"is_g_{group}": value, "limit": limit + 1}
        if after is not None:
            params |= {"after_at": after.at, "after_id": after.id}
        listed = self._rows(shelf, group, after is not None, newest_first).rows(conn, params)
        items = tuple(self._bodies.read(shelf.book, realm, *row) for row in listed[:limit])
        return Rows(items, _position(book, items[-1]) if len(listed) > limit else None)

    def pick(self, conn: Connection, realm: str, book: Book[T], ids: Sequence[str]) -> tuple[T, ...]:
        """Answer the entities with these ids, ordered by id."""
        shelf = self.tables[book]
        params = {"is_realm": realm, **numbered("id", ids)}
        rows = self._of_ids(shelf, min(len(ids), _MANY)).rows(conn, params)
        found: list[T] = [self._bodies.read(shelf.book, realm, *row) for row in rows]
        return tuple(sorted(found, key=attrgetter("id")))

    def _found(self, realm: str, shelf: Shelf, bring: tuple[Bring, ...], row: Sequence[Any]) -> Found[Any]:
        at = shelf.width
        it = self._bodies.read(shelf.book, realm, *row[:at])
        brought: dict[str, Any] = {}
        for wanted in bring:
            other = self.tables[wanted.book]
            cells = row[at : at + other.width]
            brought[other.book.name] = None if cells[0] is None else self._bodies.read(other.book, realm, *cells)
            at += len(cells)
        return Found(it, brought)

    @prepared
    def _by_id(self, shelf: Shelf, bring: tuple[Bring, ...]) -> Select[Any]:
        found = shelf.table.alias()
        columns, joined = self._brought(shelf, found, bring)
        return select(*columns).select_from(joined).where(*equal(found.c, "realm", "id"))

    @prepared
    def _of_ids(self, shelf: Shelf, count: int) -> Select[Any]:
        c = shelf.table.c
        return select(*shelf.cells(shelf.table)).where(*equal(shelf.table.c, "realm"), among(c.id, "id", count))

    @prepared
    def _by_key(self, shelf: Shelf, bring: tuple[Bring, ...], spellings: int) -> Select[Any]:
        found, keys = shelf.table.alias(), self.tables.keys
        columns, joined = self._brought(shelf, found, bring)
        held = keys.join(joined, and_(found.c.realm == keys.c.realm, found.c.id == keys.c.entity_id))
        mine = [*equal(keys.c, "realm", "name", "book"), among(keys.c.key, "key", spellings)]
        return select(*columns).select_from(held).where(*mine)

    def _brought(self, shelf: Shelf, found: FromClause, bring: tuple[Bring, ...]) -> tuple[list[Any], FromClause]:
        columns: list[Any] = list(shelf.cells(found))
        joined = found
        for wanted in bring:
            other = self.tables[wanted.book]
            if wanted.group is not None and other.width == 1:
                columns.append(_newest(wanted, found, other, "body"))
                continue
            brought = other.table.alias()
            joined = joined.outerjoin(brought, _leads_to(wanted, found, other, brought))
            columns += other.cells(brought)
        return columns, joined

    @prepared
    def _rows(self, shelf: Shelf, group: str, goes_on: bool, newest_first: bool) -> Select[Any]:  # noqa: FBT001  (a shape)
        c = shelf.table.c
        order = [c.sort_at, c.id] if shelf.is_sorted else [c.id]
        listed = select(*shelf.cells(shelf.table)).where(*equal(shelf.table.c, "realm", f"g_{group}"))
        if goes_on:
            seen = [bindparam("after_at", type_=Instant), bindparam("after_id", type_=c.id.type)]
            met, last_seen = tuple_(*order), tuple_(*seen[-len(order) :])
            listed = listed.where(met < last_seen if newest_first else met > last_seen)
        direction = [column.desc() if newest_first else column for column in order]
        return listed.order_by(*direction).limit(bindparam("limit"))


def _leads_to(wanted: Bring, found: Any, other: Shelf, brought: Any) -> ColumnElement[bool]:
    """The entity whose id is meant, or the newest one of the group that is meant."""
    link = _link(wanted, found) if wanted.group is None else _newest(wanted, found, other, "id")
    return and_(brought.c.realm == found.c.realm, brought.c.id == link)


def _newest(wanted: Bring, found: Any, other: Shelf, column: str) -> Any:
    """A column of the newest entity of the group that is meant; a single one needs no join, and so less planning."""
    c = other.table.alias().c
    order = [c.sort_at.desc(), c.id.desc()] if other.is_sorted else [c.id.desc()]
    mine = and_(c.realm == found.c.realm, c[f"g_{wanted.group}"] == _link(wanted, found))
    newest = select(c[column]).where(mine).order_by(*order).limit(1)
    return (newest.offset(wanted.after) if wanted.after else newest).correlate(found).scalar_subquery()


def _link(wanted: Bring, found: Any) -> Any:
    return found.c[wanted.via] if wanted.via in {"id", "realm"} else found.c[f"g_{wanted.via}"]


def _position(book: Book[T], last: T) -> Position:
    return Position(book.order(last) if book.order else _NEVER, last.id)
