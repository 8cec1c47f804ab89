"""A change as rows: all that can be worked out before the transaction begins, sealing included."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from shopaccounts.adapters.sqlalchemy.sealing import Bodies
from shopaccounts.adapters.sqlalchemy.tables import Shelf, Tables
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.messages import MESSAGES
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import AnyBook, Change, Guard, Write

__all__ = ["Draft", "Drafter", "Place", "Put"]

Row = dict[str, Any]
Place = tuple[str, str]
"""The name of a book and the id of an entity."""


@attrs.frozen
class Put:
    """One entity to be stored.

    Args:
        shelf: Where.
        entity: What.
        was: The version that must be there before; None: nothing.
        columns: What the write sets; nothing yet for one that is added with a number, which is written with it.
        series: From which it takes a number; None: from none.
    """

    shelf: Shelf
    entity: Any
    was: int | None
    columns: Row
    series: str | None = None

    @property
    def id(self) -> str:
        """Its id."""
        id: str = self.entity.id
        return id

    @property
    def waits(self) -> bool:
        """Whether it is written with its number, and not before."""
        return self.was is None and self.series is not None

    @property
    def place(self) -> Place:
        """Which entity is written."""
        return (self.shelf.book.name, self.id)


@attrs.frozen(kw_only=True)
class Draft:
    """A change with its rows, in the order of the change.

    Args:
        change: What is to be recorded.
        puts: Entities and messages to be stored.
        keys_out: Unique keys that become free; kept ones are in neither list.
        keys_in: Unique keys that are claimed.
        moved: Every entity that is written or removed, with the version that must be there before.
    """

    change: Change
    puts: tuple[Put, ...]
    keys_out: tuple[Row, ...]
    keys_in: tuple[Row, ...]
    moved: Mapping[Place, int | None]

    @property
    def numbered(self) -> tuple[Put, ...]:
        """The entities that take a number."""
        return tuple(put for put in self.puts if put.series is not None)

    @property
    def relies_on_others(self) -> bool:
        """Whether something must still be so that the change doesn't write."""
        return bool(self.change.guards or self.change.claims or self.change.leases)

    @property
    def carried(self) -> tuple[Guard, ...] | None:
        """The guards that its first write can carry; None if it relies on more than versions, or writes nothing over.

        What it writes itself needs no guard. A sweep goes before all writes, and might remove what is guarded.
        """
        change = self.change
        more = change.claims or change.leases or change.sweeps or any(guard.version is None for guard in change.guards)
        if more or all(version is None for version in self.moved.values()):
            return None
        return tuple(guard for guard in change.guards if guard.place not in self.moved)


class Drafter:
    """Makes rows of changes."""

    def __init__(self, tables: Tables, bodies: Bodies) -> None:
        self._tables, self._bodies = tables, bodies

    def draft(self, realm: str, change: Change) -> Draft:
        """Answer the rows of a change.

        Raises:
            Defect: An entity belongs to another realm, or is too large.
        """
        writes = change.writes + tuple(MESSAGES.add(message) for message in change.messages)
        keys_out: list[Row] = []
        keys_in: list[Row] = []
        for write in writes:
            had = write.book.keys(write.was) if write.was else frozenset()
            has = write.book.keys(write.now)
            if had != has:
                keys_out += self.key_rows(realm, write.book, write.now.id, had - has)
                keys_in += self.key_rows(realm, write.book, write.now.id, has - had)
        for removal in change.removals:
            keys_out += self.key_rows(realm, removal.book, removal.was.id, removal.book.keys(removal.was))
        puts = tuple(self._put(realm, write) for write in writes)
        moved: dict[Place, int | None] = {put.place: put.was for put in puts}
        moved |= {removal.place: removal.was.version for removal in change.removals}
        return Draft(change=change, puts=puts, keys_out=tuple(keys_out), keys_in=tuple(keys_in), moved=moved)

    def columns(self, realm: str, shelf: Shelf, entity: Any) -> Row:
        """Answer the columns that every write of an entity sets."""
        book = shelf.book
        body, key_id = self._bodies.write(book, realm, entity)
        row: Row = {"version": entity.version, "body": body}
        if book.personal:
            row["key_id"] = key_id
        for group, value_of in book.groups.items():
            row[f"g_{group}"] = value_of(entity)
        if shelf.is_kept_for_a_time:
            row["keep_until"] = book.keep_until(entity)
        return row | _work_columns(shelf, entity) if shelf.is_worked else row

    def _put(self, realm: str, write: Write) -> Put:
        if write.now.realm != realm:
            msg = f"{write.place} belongs to another realm"
            raise Defect(msg)
        shelf = self._tables[write.book]
        was = write.was.version if write.was else None
        series = shelf.book.series(write.now) if shelf.is_numbered else None
        if was is not None:
            return Put(shelf, write.now, was, self.columns(realm, shelf, write.now), series)
        first_row = self.first_row(realm, shelf, write.now) if series is None else {}
        return Put(shelf, write.now, None, first_row, series)

    def told(self, event: Envelope) -> Put:
        """Answer an event as an entity to be stored, with its place in the history of its subject."""
        new = event if event.version == 1 else attrs.evolve(event, version=1)
        return Put(self._tables[EVENTS], new, None, {}, EVENTS.series(new))

    def first_row(self, realm: str, shelf: Shelf, entity: Any) -> Row:
        """Answer a whole row: besides what each write sets, what is set once, and what workers move."""
        columns = self.columns(realm, shelf, entity)
        row = {"realm": realm, "id": entity.id, **columns}
        if shelf.book.order:
            row["sort_at"] = shelf.book.order(entity)
        if shelf.is_worked:
            row |= {"due_at": columns["wants_at"], "fence": 0, "attempts": 0}
        return row

    def key_rows(self, realm: str, book: AnyBook, id: str, keys: Iterable[tuple[str, str]]) -> list[Row]:
        """Answer unique keys as they stand in the table of keys."""
        held = self._bodies.held(self._tables[book].book, realm, frozenset(keys))
        return [
            {"realm": realm, "name": key.name, "key": key.key, "book": book.name, "entity_id": id, "key_id": key.key_id}
            for key in held
        ]


def _work_columns(shelf: Shelf, entity: Any) -> Row:
    book = shelf.book
    row: Row = {"wants_at": book.due(entity) if book.due else None}
    if shelf.has_lanes:
        row["lane"], row["lane_place"] = book.lane(entity) or (None, None)
    if shelf.has_priorities:
        row["priority"] = int(book.priority(entity))
    return row
