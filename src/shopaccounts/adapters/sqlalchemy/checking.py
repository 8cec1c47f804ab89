"""Reading, under locks, all that a change relies on.

The rules, in plain English:

* What is read stays so until the transaction ends. SQLite has one writer; elsewhere rows that are written are locked
  against others, and rows that are only relied on are shared.
* Locks are taken in the order of tables and ids, so that two changes never wait for each other in a circle.
* That something is absent can't be locked. Whoever relies on it takes its place and leaves it again: until the
  transaction ends, nobody else can.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Delete,
    Integer,
    Select,
    Table,
    Text,
    and_,
    delete,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.sql.expression import CompoundSelect

from shopaccounts.adapters.sqlalchemy.drafting import Draft, Place
from shopaccounts.adapters.sqlalchemy.judging import Known, Lost
from shopaccounts.adapters.sqlalchemy.prepared import Prepared, prepared
from shopaccounts.adapters.sqlalchemy.sets import ROWS
from shopaccounts.adapters.sqlalchemy.statements import (
    Statements,
    among,
    built_once,
    equal,
    insert_new,
    listed,
    numbered,
)
from shopaccounts.adapters.sqlalchemy.tables import Shelf
from shopaccounts.adapters.sqlalchemy.types import Instant

__all__ = ["Checker", "expect", "expect_all"]

_LEASES: Final = "leases"
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MANY: Final = 2
Shape = tuple[tuple[str, bool, int], ...]
"""Tables in the order of their names, whether their rows are only to be shared, and whether it is one row or many."""


class Checker(Statements):
    """Reads what changes rely on."""

    def places(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> Known:
        """Answer versions and fences of everything that is written, removed, guarded or claimed: one statement."""
        moved, relied_on = _wanted(drafts)
        params: dict[str, Any] = {"is_realm": realm}
        shape: list[tuple[str, bool, int]] = []
        for name in sorted(moved.keys() | relied_on.keys()):
            ids = sorted(moved.get(name, set()) | relied_on.get(name, set()))
            params |= numbered(f"ids_{name}", ids)
            shape.append((name, name not in moved, min(len(ids), _MANY)))
        return _known(self._places(tuple(shape)).rows(conn, params)) if shape else Known()

    def answers(self, conn: Connection, realm: str, drafts: Sequence[Draft], known: Known) -> None:
        """Add the receipts that are there."""
        asked = [draft.change.receipt for draft in drafts if draft.change.receipt]
        if asked:
            wanted = _pairs(realm, "namespace", ((receipt.namespace, receipt.key) for receipt in asked))
            found = conn.execute(self._receipts(), wanted).all()
            known.receipts = {(row.namespace, row.key): (row.body_hash, row.result) for row in found}

    def keys(self, conn: Connection, realm: str, drafts: Sequence[Draft], known: Known) -> None:
        """Add the unique keys and once-markers that are held."""
        claimed = [(row["name"], row["key"]) for draft in drafts for row in draft.keys_in]
        if claimed:
            found = conn.execute(self._keys(), _pairs(realm, "name", claimed)).all()
            known.keys = {(row.name, row.key) for row in found}
        once = [(marker.namespace, marker.key) for draft in drafts for marker in draft.change.once]
        if once:
            set_before = conn.execute(self._once(), _pairs(realm, "namespace", once)).all()
            known.once = {(row.namespace, row.key): row.keep_until for row in set_before}

    def hold_absent(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> None:
        """Keep others from adding what a change relies on not being there."""
        if conn.dialect.name == "sqlite":
            return
        absent = {
            guard.place
            for draft in drafts
            for guard in draft.change.guards
            if guard.version is None and guard.place not in draft.moved
        }
        for name in sorted({name for name, _ in absent}):
            shelf = self.tables.shelf(name)
            rows = [_placeholder(shelf, realm, id) for book, id in sorted(absent) if book == name]
            expect(conn, self.new(shelf.table, conn.dialect.name), rows)
            conn.execute(self._leave(shelf), {"is_realm": realm, "ids": [row["id"] for row in rows]})

    @prepared
    def new(self, table: Table, dialect: str) -> Any:
        """Insert rows, leaving out those whose place is taken."""
        return insert_new(table, dialect)

    @built_once
    def _leave(self, shelf: Shelf) -> Delete:
        c = shelf.table.c
        return delete(shelf.table).where(*equal(shelf.table.c, "realm"), listed(c.id, "ids"))

    @prepared
    def _places(self, shape: Shape) -> Select[Any] | CompoundSelect[Any]:
        arms = [
            self._leased(count) if name == _LEASES else self._standing(name, shared, count)
            for name, shared, count in shape
        ]
        return arms[0] if len(arms) == 1 else union_all(*(select(arm.subquery()) for arm in arms))

    def _standing(self, name: str, shared: bool, count: int) -> Select[Any]:  # noqa: FBT001  (part of a shape)
        shelf = self.tables.shelf(name)
        c = shelf.table.c
        fence = c.fence if shelf.is_worked else literal_column("0", BigInteger)
        read = select(literal_column(f"'{name}'", Text).label("book"), c.id, c.version, fence.label("fence"))
        mine = and_(*equal(shelf.table.c, "realm"), among(c.id, f"ids_{name}", count))
        return read.where(mine).order_by(c.id).with_for_update(read=shared, key_share=not shared)

    def _leased(self, count: int) -> Select[Any]:
        leases = self.tables.leases
        c = leases.c
        number = literal_column("0", BigInteger).label("version")
        read = select(literal_column(f"'{_LEASES}'", Text).label("book"), c.name.label("id"), number, c.fence)
        mine = and_(*equal(leases.c, "realm"), among(c.name, f"ids_{_LEASES}", count), c.until.is_not(None))
        return read.where(mine).order_by(c.name).with_for_update(read=True)

    @built_once
    def _receipts(self) -> Select[Any]:
        c = self.tables.receipts.c
        return select(c.namespace, c.key, c.body_hash, c.result).where(*_in_pairs(self.tables.receipts, "namespace"))

    @built_once
    def _keys(self) -> Select[Any]:
        c = self.tables.keys.c
        return select(c.name, c.key).where(*_in_pairs(self.tables.keys, "name"))

    @built_once
    def _once(self) -> Select[Any]:
        c = self.tables.once.c
        return select(c.namespace, c.key, c.keep_until).where(*_in_pairs(self.tables.once, "namespace"))


def expect(conn: Connection, statement: Prepared, rows: list[dict[str, Any]]) -> None:
    """Execute a statement for each row, and see that each had its effect.

    Raises:
        Lost: One had none.
    """
    if statement.touched(conn, *rows) != len(rows):
        raise Lost


def expect_all(conn: Connection, statement: Prepared, rows: list[dict[str, Any]]) -> None:
    """Do the same with a statement that takes all rows together."""
    if statement.touched(conn, {ROWS: rows}) != len(rows):
        raise Lost


def _wanted(drafts: Sequence[Draft]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    moved: dict[str, set[str]] = {}
    relied_on: dict[str, set[str]] = {}
    for draft in drafts:
        change = draft.change
        _gather(moved, draft.moved)
        _gather(relied_on, (guard.place for guard in change.guards))
        _gather(relied_on, ((claim.book.name, claim.id) for claim in change.claims))
        _gather(relied_on, ((_LEASES, lease.name) for lease in change.leases))
    return moved, relied_on


def _gather(ids: dict[str, set[str]], places: Iterable[Place]) -> None:
    for name, id in places:
        ids.setdefault(name, set()).add(id)


def _known(rows: Iterable[Any]) -> Known:
    known = Known()
    for name, id, version, fence in rows:
        if name == _LEASES:
            known.leases[id] = fence
        else:
            known.versions[(name, id)], known.fences[(name, id)] = version, fence
    return known


def _placeholder(shelf: Shelf, realm: str, id: str) -> dict[str, Any]:
    nothing = {
        column.name: _LONG_AGO if isinstance(column.type, Instant) else 0 if isinstance(column.type, Integer) else ""
        for column in shelf.table.columns
        if not column.nullable
    }
    return nothing | {"realm": realm, "id": id}


def _pairs(realm: str, first: str, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Answer the parameters that read all of *pairs*, and some besides: names and keys are looked up apart."""
    wanted = list(pairs)
    return {
        "is_realm": realm,
        f"{first}s": sorted({name for name, _ in wanted}),
        "keys": sorted({key for _, key in wanted}),
    }


def _in_pairs(table: Table, first: str) -> list[Any]:
    return [*equal(table.c, "realm"), listed(table.c[first], f"{first}s"), listed(table.c.key, "keys")]
