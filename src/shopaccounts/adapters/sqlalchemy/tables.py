"""The tables of the shop's books: one for each book, and a few that serve them all.

The rules, in plain English:

* Every primary key begins with the realm, so another realm's rows are neither seen nor collided with, and a database
  that spreads its rows over machines can do so by realm.
* A book's table holds each entity whole, as canonical JSON, and beside it only what it is found by: groups, the order
  of a listing, when it is due, until when it is kept.
* All unique keys of all books stand in one table. Who inserts a key first holds it; no other rule decides.
* The last number of each series stands in a table as well, and is counted on by whoever records.
* Nothing is numbered by the database, filled in by default, or tied by a foreign key to another book.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

import attrs
from sqlalchemy import (
    BigInteger,
    Column,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from shopaccounts.adapters.sqlalchemy.types import Instant, KeyText
from shopaccounts.kernel.messages import MESSAGES
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import AnyBook, Book

__all__ = ["PREFIX", "Shelf", "Tables"]

PREFIX: Final = "shopaccounts_"


@attrs.frozen(eq=False)
class Shelf:
    """Where one book stands: its table, and which of a table's optional columns it has."""

    book: AnyBook
    table: Table

    @cached_property
    def width(self) -> int:
        """How many cells an entity is read from."""
        return 3 if self.book.personal else 1

    def cells(self, table: FromClause) -> list[Column[Any]]:
        """Answer the columns that an entity is read from, of this table or an alias of it."""
        c: Any = table.c
        return [c.body, c.id, c.key_id] if self.book.personal else [c.body]

    @cached_property
    def is_sorted(self) -> bool:
        """Whether listings have an order of their own."""
        return self.book.order is not None

    @cached_property
    def is_worked(self) -> bool:
        """Whether entities can be due."""
        return self.book.due is not None

    @cached_property
    def has_lanes(self) -> bool:
        """Whether entities wait for those before them."""
        return self.is_worked and _says(self.book, "lane")

    @cached_property
    def has_priorities(self) -> bool:
        """Whether some go before others that have been due for longer."""
        return self.is_worked and _says(self.book, "priority")

    @cached_property
    def is_numbered(self) -> bool:
        """Whether entities are given numbers."""
        return _says(self.book, "numbered")

    @cached_property
    def is_kept_for_a_time(self) -> bool:
        """Whether entities can be purged."""
        return _says(self.book, "keep_until")


class Tables:
    """The tables of a set of books under one prefix, in one schema.

    Args:
        books: The books; events and messages are always among them.
        prefix: What every table's name begins with.
        schema: The database schema, None for the connection's own.
    """

    def __init__(self, books: Iterable[AnyBook], prefix: str = PREFIX, schema: str | None = None) -> None:
        self.prefix, self.schema = prefix, schema
        self.metadata = MetaData(schema=schema)
        all_books = {book.name: book for book in (*books, EVENTS, MESSAGES)}
        self._shelves = {name: self._shelf(book) for name, book in sorted(all_books.items())}
        self.keys = self._shared("keys", ("realm", "name", "key"), ("book", "entity_id"), Column("key_id", KeyText))
        Index(self._index("keys", "entity"), self.keys.c.realm, self.keys.c.book, self.keys.c.entity_id)
        self._partial("keys", "sealed", self.keys.c.key_id.is_not(None), self.keys.c.key_id)
        self.numbers = self._shared("numbers", ("realm", "book", "series"), (), _number("last"))
        self.once = self._shared("once", ("realm", "namespace", "key"), (), _instant("set_at"), _instant("keep_until"))
        self.receipts = self._shared(
            "receipts",
            ("realm", "namespace", "key"),
            ("body_hash",),
            Column("result", LargeBinary, nullable=False),
            _instant("keep_until"),
        )
        self.counters = self._shared(
            "counters",
            ("realm", "key"),
            (),
            Column("state", LargeBinary),
            Column("total", BigInteger),
            _number("revision"),
            _instant("keep_until"),
        )
        self.leases = self._shared("leases", ("realm", "name"), ("holder",), _number("fence"), Column("until", Instant))
        for lapsing in (self.once, self.receipts, self.counters):
            Index(f"ix_{lapsing.name}_lapsing", lapsing.c.keep_until)

    def __getitem__(self, book: AnyBook) -> Shelf:
        return self._shelves[book.name]

    def shelf(self, name: str) -> Shelf:
        """Answer where the book of this name stands."""
        return self._shelves[name]

    @property
    def shelves(self) -> Iterable[Shelf]:
        """Where each book stands, by name."""
        return self._shelves.values()

    def _shelf(self, book: AnyBook) -> Shelf:
        columns = [*_common_columns(book), *_listing_columns(book), *_work_columns(book)]
        primary = PrimaryKeyConstraint("realm", "id", name=f"pk_{self.prefix}{book.name}")
        shelf = Shelf(book, Table(self.prefix + book.name, self.metadata, *columns, primary))
        self._add_listing_indexes(shelf)
        self._add_work_indexes(shelf)
        return shelf

    def _add_listing_indexes(self, shelf: Shelf) -> None:
        c = shelf.table.c
        for group in shelf.book.groups:
            listed = (c.sort_at, c.id) if shelf.is_sorted else (c.id,)
            self._partial(
                shelf.book.name, f"g_{group}", c[f"g_{group}"].is_not(None), c.realm, c[f"g_{group}"], *listed
            )
        if shelf.is_kept_for_a_time:
            self._partial(shelf.book.name, "kept", c.keep_until.is_not(None), c.realm, c.keep_until, c.id)
        if shelf.book.personal:
            self._partial(shelf.book.name, "sealed", c.key_id.is_not(None), c.key_id)

    def _add_work_indexes(self, shelf: Shelf) -> None:
        if not shelf.is_worked:
            return
        c = shelf.table.c
        waiting = c.due_at.is_not(None) & c.parked.is_(None)
        self._partial(shelf.book.name, "due", waiting, c.realm, c.due_at, c.id)
        self._partial(shelf.book.name, "parked", c.parked.is_not(None), c.realm, c.id)
        if shelf.has_lanes:
            in_line = c.lane.is_not(None) & c.wants_at.is_not(None)
            self._partial(shelf.book.name, "lane", in_line, c.realm, c.lane, c.lane_place, c.id)

    def _partial(self, table: str, name: str, where: Any, *columns: Column[Any]) -> None:
        Index(self._index(table, name), *columns, sqlite_where=where, postgresql_where=where)

    def _shared(self, name: str, primary: tuple[str, ...], texts: tuple[str, ...], *others: Column[Any]) -> Table:
        columns = [Column(column, KeyText, nullable=False) for column in primary + texts]
        key = PrimaryKeyConstraint(*primary, name=f"pk_{self.prefix}{name}")
        return Table(self.prefix + name, self.metadata, *columns, *others, key)

    def _index(self, table: str, name: str) -> str:
        return f"ix_{self.prefix}{table}_{name}"


def _says(book: AnyBook, what: str) -> bool:
    """Tell whether a book says something of its own, rather than leaving it at "nothing"."""
    return getattr(book, what) is not attrs.fields_dict(Book)[what].default


def _number(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False)


def _instant(name: str) -> Column[Any]:
    return Column(name, Instant, nullable=False)


def _common_columns(book: AnyBook) -> list[Column[Any]]:
    columns = [
        Column("realm", KeyText, nullable=False),
        Column("id", KeyText, nullable=False),
        _number("version"),
        Column("body", Text, nullable=False),
    ]
    return [*columns, Column("key_id", KeyText)] if book.personal else columns


def _listing_columns(book: AnyBook) -> list[Column[Any]]:
    columns: list[Column[Any]] = [Column(f"g_{group}", KeyText) for group in book.groups]
    if book.order:
        columns.append(_instant("sort_at"))
    if _says(book, "keep_until"):
        columns.append(Column("keep_until", Instant))
    return columns


def _work_columns(book: AnyBook) -> list[Column[Any]]:
    """Columns of due work: what the book says (``wants_at``), and where the item stands with the workers."""
    if not book.due:
        return []
    columns: list[Column[Any]] = [
        Column("wants_at", Instant),
        Column("retry_at", Instant),
        Column("due_at", Instant),
        Column("claimed_until", Instant),
        _number("fence"),
        Column("attempts", Integer, nullable=False),
        Column("parked", KeyText),
    ]
    if _says(book, "lane"):
        columns += [Column("lane", KeyText), Column("lane_place", BigInteger)]
    if _says(book, "priority"):
        columns.append(Column("priority", Integer, nullable=False))
    return columns
