"""Changing keys while the shop is open: bodies are sealed anew and unique keys digested anew, page by page.

The rules, in plain English:

* A new version of a key is added first; from then on everything is written under it, and the old one still opens.
* ``reseal`` walks a book by id. It replaces a body only if the entity is as it was read, and moves no version: nobody
  who decides anything notices. ``backfill`` does the same for the digests of unique keys, and adds without replacing.
* When ``is_complete`` says so, the digests of the old version can be dropped; when ``uses_key`` says no, the key can be
  retired. Stopping anywhere in between harms nothing.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Delete,
    Select,
    Update,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.expression import CompoundSelect

from shopaccounts.adapters.sqlalchemy.sealing import Bodies, SealedBodies
from shopaccounts.adapters.sqlalchemy.statements import Statements, built_once, equal, insert_new, listed
from shopaccounts.adapters.sqlalchemy.tables import Shelf
from shopaccounts.adapters.sqlalchemy.works import Works
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.record import AnyBook
from shopaccounts.kernel.vault import KeyInUse, Ring

__all__ = ["SqlRotation", "uses_key"]


class RotationStatements(Statements):
    """The statements of this module."""

    @built_once
    def page(self, shelf: Shelf) -> Select[Any]:
        """Read bodies in the order of their ids."""
        c = shelf.table.c
        read = select(c.id, c.version, c.body, c.key_id).where(
            *equal(shelf.table.c, "realm"), c.id > bindparam("after")
        )
        return read.order_by(c.id).limit(bindparam("limit"))

    @built_once
    def resealed(self, shelf: Shelf) -> Update:
        """Replace a body that is still the one that was read."""
        return update(shelf.table).where(*equal(shelf.table.c, "realm", "id", "version"))

    @built_once
    def unchanged(self, shelf: Shelf) -> Select[Any]:
        """Hold entities as they are until the digests of their keys are stored."""
        c = shelf.table.c
        held = select(c.id, c.version).where(*equal(shelf.table.c, "realm"), listed(c.id, "ids"))
        return held.order_by(c.id).with_for_update(read=True)

    @built_once
    def digested(self, dialect: str) -> Any:
        """Add digests that aren't there yet."""
        return insert_new(self.tables.keys, dialect)

    @built_once
    def undigested(self) -> Delete:
        """Drop keys in the clear, from the time before the shop sealed."""
        keys = self.tables.keys
        mine = listed(keys.c.entity_id, "ids")
        return delete(keys).where(*equal(keys.c, "realm", "book"), mine, keys.c.key_id.is_(None))

    @built_once
    def incomplete(self) -> Select[Any]:
        """Find an entity that has other keys under one version than under another."""
        keys = self.tables.keys
        current = func.count(case((keys.c.key_id == bindparam("current"), 1)))
        live = listed(keys.c.key_id, "versions")
        each = select(keys.c.entity_id).where(*equal(keys.c, "realm", "book"), live | keys.c.key_id.is_(None))
        return each.group_by(keys.c.entity_id).having(func.count() != bindparam("count") * current).limit(1)

    @built_once
    def dropped(self) -> Delete:
        """Drop the digests of one version."""
        return delete(self.tables.keys).where(*equal(self.tables.keys.c, "realm", "book", "key_id"))

    @built_once
    def using(self) -> CompoundSelect[Any]:
        """Find anything that a key is needed for, in any realm."""
        tables = [shelf.table for shelf in self.tables.shelves if shelf.book.personal]
        return union_all(
            *(select(literal(1)).where(*equal(table.c, "key_id")) for table in (*tables, self.tables.keys))
        )


class SqlRotation:
    """Moves what is stored of one realm to new keys; a page takes up to *limit* entities.

    Raises:
        BadPolicy: The storage seals nothing.
    """

    def __init__(self, works: Works, realm: str) -> None:
        self._works, self._realm = works, realm
        self._statements = RotationStatements(works.tables)
        self._bodies = _sealed(works.bodies)

    def reseal(self, book: AnyBook, after: str, limit: int) -> str | None:
        """Seal bodies anew that are under an old key, or in the clear, for entities whose id is after *after*.

        Returns:
            The id to go on after, None at the end.
        """
        shelf, page = self._page(book, after, limit)
        moved = [row for row in (self._resealed(shelf.book, *found) for found in page) if row]
        if moved:
            statement = self._statements.resealed(shelf)
            self._works.transactions.whole(lambda conn: conn.execute(statement, moved), (book.name, after))
        return page[-1].id if len(page) == limit else None

    def backfill(self, book: AnyBook, after: str, limit: int) -> str | None:
        """Add the digests that unique keys lack under a live version, for entities whose id is after *after*.

        Returns:
            The id to go on after, None at the end.
        """
        shelf, page = self._page(book, after, limit)
        versions = {row.id: row.version for row in page}
        keys = {row.id: self._key_rows(shelf.book, row.id, row.body, row.key_id) for row in page}
        if page and book.unique:
            self._works.transactions.whole(lambda conn: self._add(conn, shelf, versions, keys), (book.name, after))
        return page[-1].id if len(page) == limit else None

    def is_complete(self, book: AnyBook) -> bool:
        """Tell whether every unique key stands under every live version, so that the old one isn't needed any more."""
        versions = [key.id for key in self._bodies.versions()]
        params = {
            "is_realm": self._realm,
            "is_book": book.name,
            "versions": versions,
            "count": len(versions),
            "current": versions[0],
        }
        statement = self._statements.incomplete()
        return self._works.transactions.alone(lambda conn: conn.execute(statement, params).first()) is None

    def drop(self, book: AnyBook, key_id: str) -> int:
        """Drop the digests of a version that isn't the active one.

        Returns:
            How many there were.

        Raises:
            KeyInUse: It is the active one, or not every key stands under every version yet.
        """
        if key_id == self._bodies.versions()[0].id or not self.is_complete(book):
            raise KeyInUse(Ring.INDEX_LOGIN.value)
        params = {"is_realm": self._realm, "is_book": book.name, "is_key_id": key_id}
        statement = self._statements.dropped()
        return self._works.transactions.alone(lambda conn: conn.execute(statement, params).rowcount)

    def _page(self, book: AnyBook, after: str, limit: int) -> tuple[Shelf, Sequence[Any]]:
        shelf = self._works.tables[book]
        if not shelf.book.personal:
            return shelf, ()
        params = {"is_realm": self._realm, "after": after, "limit": limit}
        statement = self._statements.page(shelf)
        return shelf, self._works.transactions.alone(lambda conn: conn.execute(statement, params).all())

    def _resealed(self, book: AnyBook, id: str, version: int, body: str, key_id: str | None) -> dict[str, Any] | None:
        if key_id is None:
            sealed: Any = self._bodies.write(book, self._realm, self._bodies.read(book, self._realm, body))
        else:
            sealed = self._bodies.resealed(book, self._realm, id, body)
        if sealed is None:
            return None
        return {"is_realm": self._realm, "is_id": id, "is_version": version, "body": sealed[0], "key_id": sealed[1]}

    def _key_rows(self, book: AnyBook, id: str, body: str, key_id: str | None) -> list[dict[str, Any]]:
        entity = self._bodies.read(book, self._realm, body, id, key_id)
        return self._works.drafter.key_rows(self._realm, book, id, book.keys(entity))

    def _add(
        self, conn: Connection, shelf: Shelf, versions: dict[str, int], keys: dict[str, list[dict[str, Any]]]
    ) -> None:
        held = conn.execute(self._statements.unchanged(shelf), {"is_realm": self._realm, "ids": list(versions)}).all()
        same = [id for id, version in held if versions[id] == version]
        rows = [row for id in same for row in keys[id]]
        if rows:
            conn.execute(self._statements.digested(conn.dialect.name), rows)
        conn.execute(self._statements.undigested(), {"is_realm": self._realm, "is_book": shelf.book.name, "ids": same})


def uses_key(works: Works, key_id: str) -> bool:
    """Tell whether anything is sealed or digested with a key, in any realm."""
    statement = RotationStatements(works.tables).using()
    return works.transactions.alone(lambda conn: conn.execute(statement, {"is_key_id": key_id}).first()) is not None


def _sealed(bodies: Bodies) -> SealedBodies:
    if not isinstance(bodies, SealedBodies):
        msg = "a storage that seals nothing has no keys to change"
        raise BadPolicy(msg)
    return bodies
