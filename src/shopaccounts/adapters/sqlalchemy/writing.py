"""Storing a change, or a page of them, whole or not at all.

A change on its own is stored straight away, and each statement says whether it had its effect: an update names the
version it expects, an insert leaves out what is there already. Where there is one writer at a time (SQLite), the first
update names the versions that are relied on as well, which saves a look at them. Only if one had none, all is taken
back, everything that counts is read under locks, and it is judged who has lost and why. A page is read and judged at
once, so that the number of statements doesn't grow with it. Where a WITH may write (PostgreSQL), new rows of all tables
go in one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import reduce
from itertools import groupby
from operator import add, attrgetter, itemgetter
from typing import Any, Final

import attrs
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Delete,
    Select,
    Table,
    Update,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from shopaccounts.adapters.sqlalchemy.checking import Checker, expect, expect_all
from shopaccounts.adapters.sqlalchemy.drafting import Draft, Drafter, Put, Row
from shopaccounts.adapters.sqlalchemy.judging import AlreadyAnswered, Known, Lost, judge, judge_places
from shopaccounts.adapters.sqlalchemy.numbering import Series, counts, further, given
from shopaccounts.adapters.sqlalchemy.prepared import Prepared, prepared
from shopaccounts.adapters.sqlalchemy.sets import FEW, ROWS, read_as_rows, takes_sets
from shopaccounts.adapters.sqlalchemy.statements import (
    among,
    built_once,
    equal,
    insert_into,
    insert_new,
    listed,
    numbered,
)
from shopaccounts.adapters.sqlalchemy.tables import Shelf, Tables
from shopaccounts.adapters.sqlalchemy.types import Instant
from shopaccounts.kernel.errors import Conflict, KeyReused, Taken
from shopaccounts.kernel.record import AnyBook, Guard, PageResult, Sweep

__all__ = ["Writer"]

_MANY: Final = 2
_OF_WORK: Final[Mapping[str, TypeEngine[Any]]] = {"is_wanted_at": Instant(), "is_ended": BigInteger()}
"""What a change tells of an item besides its columns."""
NewRow = tuple[Table, Row]
Numbers = Mapping[str, int]
"""The numbers that entities were given, by their ids."""
Shape = tuple[tuple[Any, ...], ...]
"""For each row its table, and the columns that it sets."""


class Writer(Checker):
    """Stores drafts; each method works inside a transaction that others begin and end."""

    def __init__(self, tables: Tables, drafter: Drafter) -> None:
        super().__init__(tables)
        self._drafter = drafter

    def straight(self, conn: Connection, realm: str, draft: Draft) -> Numbers:
        """Store one change in as few statements as can be, and answer the numbers that its entities were given.

        Raises:
            StaleWrite: Something that it relies on has moved.
            Lost: A statement had no effect.
        """
        self._answer(conn, realm, [draft])
        carried = draft.carried if conn.dialect.name == "sqlite" else None  # others have to lock what is relied on
        if draft.relies_on_others and carried is None:
            judge_places(draft, self.places(conn, realm, [draft]))
            self.hold_absent(conn, realm, [draft])
        self._sweep(conn, realm, [draft])
        return self._apply(conn, realm, [draft], carried or ())

    def judged(self, conn: Connection, realm: str, draft: Draft) -> Numbers:
        """Read all that counts, judge, and store one change; answer the numbers that its entities were given.

        Raises:
            AlreadyAnswered, KeyReused, StaleWrite, Taken: As it was judged.
            Lost: Somebody came in between.
        """
        known = self._relied_on(conn, realm, [draft])
        self._sweep(conn, realm, [draft])
        self.keys(conn, realm, [draft], known)
        judge(draft, known)
        return self._store(conn, realm, [draft])

    def page(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """Judge many changes that sweep nothing, store those that pass, and answer how each ended.

        Raises:
            Lost: Somebody came in between, one change goes on from another, or a request key was used with another
                content: then they are to be recorded one by one.
        """
        known = self._relied_on(conn, realm, drafts)
        self.keys(conn, realm, drafts, known)
        results = tuple(_result(draft, known) for draft in drafts)
        won = [draft for draft, result in zip(drafts, results, strict=True) if result == PageResult.RECORDED]
        self._store(conn, realm, won)
        return results

    def _relied_on(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> Known:
        known = self.places(conn, realm, drafts)
        self.answers(conn, realm, drafts, known)
        return known

    def _store(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> Numbers:
        self._answer(conn, realm, drafts)
        self.hold_absent(conn, realm, drafts)
        return self._apply(conn, realm, drafts)

    # The parts of a change, in the order in which they are stored

    def _answer(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> None:
        """Keep receipts first: of several equal commands at once, all but one wait here."""
        rows = [{"realm": realm, **attrs.asdict(d.change.receipt)} for d in drafts if d.change.receipt]
        if rows:
            expect(conn, self._keep_receipt(conn.dialect.name), rows)

    def _sweep(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            for sweep in draft.change.sweeps:
                self._sweep_one(conn, realm, draft, sweep)

    def _sweep_one(self, conn: Connection, realm: str, draft: Draft, sweep: Sweep) -> None:
        shelf = self.tables[sweep.book]
        spare = sweep.spare | {id for name, id in draft.moved if name == sweep.book.name}
        params = {"is_realm": realm, f"is_g_{sweep.group}": sweep.value, **numbered("spare", sorted(spare))}
        swept = self._swept(shelf, sweep.group, min(len(spare), _MANY)).cells(conn, params)
        self.free_keys_of(conn, realm, shelf, swept)

    def _apply(self, conn: Connection, realm: str, drafts: Sequence[Draft], carried: Sequence[Guard] = ()) -> Numbers:
        """Store everything; the first write that has to find something carries the guards."""
        gone, changed = _written_over(realm, drafts)
        for name in sorted(gone.keys() | changed.keys()):
            shelf = self.tables.shelf(name)
            if name in gone:
                guards, carried = carried, ()
                _each(conn, self._removed(shelf, *_names(guards)), _guarding(gone[name], guards))
            if name in changed:
                guards, carried = carried, ()
                self._change(conn, shelf, changed[name], guards)
        self._free_keys(conn, drafts)
        self._mark(conn, realm, drafts)
        told = [self._drafter.told(event) for draft in drafts for event in draft.change.events]
        last = self._add(conn, self._new_rows(drafts), counts(realm, told))
        self._write_numbered(conn, realm, given(told, last))
        return self._number(conn, realm, [put for draft in drafts for put in draft.numbered])

    def _change(self, conn: Connection, shelf: Shelf, rows: list[Row], guards: Sequence[Guard] = ()) -> None:
        if takes_sets(conn, rows):
            expect_all(conn, self._changed_set(shelf, *rows[0]), rows)
        else:
            _each(conn, self._changed(shelf, *_names(guards)), _guarding(rows, guards))

    def _number(self, conn: Connection, realm: str, puts: Sequence[Put]) -> Numbers:
        """Give entities their numbers; from here on nobody else gets one of the same series until we are done."""
        if not puts:
            return {}
        numbered = given(puts, self._add(conn, (), counts(realm, puts)))
        self._write_numbered(conn, realm, numbered)
        return {put.id: getattr(entity, put.shelf.book.numbered_as) for put, entity in numbered}

    def _free_keys(self, conn: Connection, drafts: Sequence[Draft]) -> None:
        freed = sorted((row for draft in drafts for row in draft.keys_out), key=itemgetter("name", "key"))
        if freed:
            self._freed().touched(conn, *({f"is_{name}": value for name, value in row.items()} for row in freed))

    def _new_rows(self, drafts: Sequence[Draft]) -> list[NewRow]:
        """Answer what is to be inserted, in the order of tables and ids, and the unique keys that are claimed."""
        added = [put for draft in drafts for put in draft.puts if put.was is None and not put.waits]
        claimed = sorted((row for draft in drafts for row in draft.keys_in), key=itemgetter("name", "key"))
        entities: list[NewRow] = [(put.shelf.table, put.columns) for put in sorted(added, key=attrgetter("place"))]
        return entities + [(self.tables.keys, row) for row in claimed]

    def _add(self, conn: Connection, new: Sequence[NewRow], counts: Sequence[Row]) -> Mapping[Series, int]:
        """Insert rows, then count series on, and answer the last number of each.

        Raises:
            Lost: A row's place is taken.
        """
        dialect = conn.dialect.name
        if dialect != "sqlite" and _MANY <= len(new) + len(counts) <= FEW:
            return self._add_at_once(conn, new, counts)
        for table, rows in groupby(new, key=itemgetter(0)):
            self._insert(conn, table, [row for _, row in rows])
        sums = self._count(conn, counts) if counts else ()
        return {(book, series): last for book, series, last in sums}

    def _insert(self, conn: Connection, table: Table, rows: list[Row]) -> None:
        if takes_sets(conn, rows):
            expect_all(conn, self._new_set(table, *rows[0]), rows)
        else:
            expect(conn, self.new(table, conn.dialect.name), rows)

    def _count(self, conn: Connection, counts: Sequence[Row]) -> Sequence[Sequence[Any]]:
        if takes_sets(conn, counts):
            return self._counted_set(*counts[0]).rows(conn, {ROWS: counts})
        return self._counted(conn.dialect.name).rows(conn, *counts)

    def _add_at_once(self, conn: Connection, new: Sequence[NewRow], counts: Sequence[Row]) -> Mapping[Series, int]:
        """Do the same in one statement, which saves ways to the database and back."""
        rows = [*new, *((self.tables.numbers, row) for row in counts)]
        shape = tuple((table, *row) for table, row in rows)
        params = {f"{name}_{n}": value for n, (_, row) in enumerate(rows) for name, value in row.items()}
        ((added, *sums),) = self._at_once(shape).rows(conn, params)
        if added != len(new):
            raise Lost
        return {(row["book"], row["series"]): last for row, last in zip(counts, sums, strict=True)}

    def _mark(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> None:
        once = {(o.namespace, o.key): o for draft in drafts for o in draft.change.once}
        rows = [
            {"realm": realm, "namespace": o.namespace, "key": o.key, "set_at": o.now, "keep_until": o.keep_until}
            for _, o in sorted(once.items())
        ]
        if rows:
            expect(conn, self._marked(conn.dialect.name), rows)

    def _write_numbered(self, conn: Connection, realm: str, numbered: Sequence[tuple[Put, Any]]) -> None:
        """Store entities that were given their numbers, and the keys that they hold with them."""
        new: defaultdict[Table, list[Row]] = defaultdict(list)
        changed: defaultdict[Shelf, list[Row]] = defaultdict(list)
        for put, entity in numbered:
            shelf, book = put.shelf, put.shelf.book
            if put.was is None:
                new[shelf.table].append(self._drafter.first_row(realm, shelf, entity))
            else:
                columns = self._drafter.columns(realm, shelf, entity)
                changed[shelf].append(_changed_row(realm, shelf, columns, put.id, entity.version))
            if book.unique:
                held = book.keys(entity) - book.keys(put.entity)
                new[self.tables.keys] += self._drafter.key_rows(realm, book, put.id, held)
        for shelf, rows in changed.items():
            self._change(conn, shelf, rows)
        self._add(conn, [(table, row) for table, rows in new.items() for row in rows], ())

    def free_keys_of(self, conn: Connection, realm: str, shelf: Shelf, ids: Sequence[str]) -> None:
        """Free every unique key of entities that are gone."""
        if shelf.book.unique and ids:
            conn.execute(self._freed_of(), {"is_realm": realm, "is_book": shelf.book.name, "ids": ids})

    def purge(self, conn: Connection, realm: str, book: AnyBook, before: datetime, limit: int) -> int:
        """Remove entities that are kept no longer, those first whose time ended first."""
        shelf = self.tables[book]
        if not shelf.is_kept_for_a_time:
            return 0
        params = {"is_realm": realm, "before": before, "limit": limit}
        gone = conn.execute(self._purged(shelf), params).scalars().all()
        self.free_keys_of(conn, realm, shelf, gone)
        return len(gone)

    # Their statements

    @prepared
    def _keep_receipt(self, dialect: str) -> Any:
        return insert_new(self.tables.receipts, dialect)

    @prepared
    def _swept(self, shelf: Shelf, group: str, spare: int) -> Any:
        c = shelf.table.c
        mine = [*equal(shelf.table.c, "realm", f"g_{group}"), ~among(c.id, "spare", spare)]
        return delete(shelf.table).where(*mine).returning(c.id)

    @built_once
    def _purged(self, shelf: Shelf) -> Any:
        """Remove those that lapsed first; choosing locks them, so that none is kept for longer meanwhile."""
        c = shelf.table.alias("lapsed").c
        lapsed = select(c.id).where(*equal(c, "realm"), c.keep_until < bindparam("before"))
        first = lapsed.order_by(c.keep_until, c.id).limit(bindparam("limit")).with_for_update().cte("first")
        gone = delete(shelf.table).where(*equal(shelf.table.c, "realm"), shelf.table.c.id.in_(select(first.c.id)))
        return gone.returning(shelf.table.c.id)

    @prepared
    def _removed(self, shelf: Shelf, *guarded: str) -> Delete:
        mine = equal(shelf.table.c, "realm", "id", "version")
        return delete(shelf.table).where(*mine, *self._unchanged(*guarded))

    @prepared
    def _changed(self, shelf: Shelf, *guarded: str) -> Update:
        """Update at the expected version; an item stays put off until its ``retry_at``.

        Who worked it off gives it back by the same statement; anybody else leaves the claim on it as it is.
        """
        mine = equal(shelf.table.c, "realm", "id", "version")
        changed = update(shelf.table).where(*mine, *self._unchanged(*guarded))
        if not shelf.is_worked:
            return changed
        told = {name: bindparam(name, type_=kind) for name, kind in _OF_WORK.items()}
        return changed.values(_worked(shelf, told))

    @prepared
    def _changed_set(self, shelf: Shelf, *names: str) -> Update:
        """Update many rows as ``_changed`` updates one."""
        c = shelf.table.c
        new: Any = read_as_rows({name: _OF_WORK.get(name) or c[name.removeprefix("is_")].type for name in names}).c
        mine = [c[name] == new[f"is_{name}"] for name in ("realm", "id", "version")]
        changed = update(shelf.table).where(*mine).values({name: new[name] for name in names if name in c})
        return changed.values(_worked(shelf, new)) if shelf.is_worked else changed

    @prepared
    def _new_set(self, table: Table, *names: str) -> Any:
        """Insert many rows, leaving out those whose place is taken."""
        new = read_as_rows({name: table.c[name].type for name in names})
        return insert_new(table, "postgresql").from_select(names, select(new))

    def _unchanged(self, *books: str) -> Iterator[ColumnElement[bool]]:
        """Say that there is the guarded entity of each of these books, at the version that was relied on."""
        for n, book in enumerate(books):
            c = self.tables.shelf(book).table.alias(f"guarded_{n}").c
            held = (c.id == bindparam(f"guarded_id_{n}")) & (c.version == bindparam(f"guarded_version_{n}"))
            yield exists().where(*equal(c, "realm"), held)

    @prepared
    def _freed(self) -> Delete:
        return delete(self.tables.keys).where(*equal(self.tables.keys.c, "realm", "name", "key", "book", "entity_id"))

    @built_once
    def _freed_of(self) -> Delete:
        keys = self.tables.keys
        return delete(keys).where(*equal(keys.c, "realm", "book"), listed(keys.c.entity_id, "ids"))

    @prepared
    def _marked(self, dialect: str) -> Any:
        """Set markers, in place of those that have lapsed by the time of the change."""
        once = self.tables.once
        new = insert_into(once, dialect)
        return new.on_conflict_do_update(
            index_elements=list(once.primary_key.columns),
            set_={"set_at": new.excluded.set_at, "keep_until": new.excluded.keep_until},
            where=once.c.keep_until <= new.excluded.set_at,
        )

    @prepared
    def _counted(self, dialect: str) -> Any:
        return self._counting(insert_into(self.tables.numbers, dialect))

    @prepared
    def _counted_set(self, *names: str) -> Any:
        """Count many series on."""
        new = read_as_rows({name: self.tables.numbers.c[name].type for name in names})
        return self._counting(insert_into(self.tables.numbers, "postgresql").from_select(names, select(new)))

    def _counting(self, new: Any) -> Any:
        numbers = self.tables.numbers
        return further(new, numbers).returning(numbers.c.book, numbers.c.series, numbers.c.last)

    @prepared
    def _at_once(self, shape: Shape) -> Select[Any]:
        """Insert rows, and count series on, each by a part of one statement (which PostgreSQL takes in this order)."""
        added: list[Any] = [literal_column("0", BigInteger)]
        sums: list[Any] = []
        for n, (table, *names) in enumerate(shape):
            row = {name: bindparam(f"{name}_{n}", type_=table.c[name].type) for name in names}
            if table is self.tables.numbers:
                counted = further(postgresql.insert(table).values(row), table).returning(table.c.last).cte()
                sums.append(select(counted.c.last).scalar_subquery())
            else:
                inserted = insert_new(table, "postgresql").values(row).returning(table.c.realm).cte()
                added.append(select(func.count()).select_from(inserted).scalar_subquery())
        return select(reduce(add, added), *sums)


def _result(draft: Draft, known: Known) -> str:
    try:
        judge(draft, known)
    except AlreadyAnswered:
        return PageResult.REPLAYED
    except KeyReused:
        raise Lost from None
    except Conflict as conflict:
        return PageResult.TAKEN if isinstance(conflict, Taken) else PageResult.STALE
    return PageResult.RECORDED


def _each(conn: Connection, statement: Prepared, rows: list[Row]) -> None:
    expect(conn, statement, sorted(rows, key=itemgetter("is_id")))


def _written_over(realm: str, drafts: Sequence[Draft]) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """Answer by the names of books what is removed, and what is changed."""
    gone: dict[str, list[Row]] = {}
    changed: dict[str, list[Row]] = {}
    for draft in drafts:
        ended = {claim.place for claim in draft.change.worked_off}
        for removal in draft.change.removals:
            gone.setdefault(removal.book.name, []).append(_expecting(realm, removal.was.id, removal.was.version))
        for put in draft.puts:
            if put.was is not None:
                row = _changed_row(realm, put.shelf, put.columns, put.id, put.was, ends_claim=put.place in ended)
                changed.setdefault(put.shelf.book.name, []).append(row)
    return gone, changed


def _names(guards: Sequence[Guard]) -> tuple[str, ...]:
    return tuple(guard.book.name for guard in guards)


def _guarding(rows: list[Row], guards: Sequence[Guard]) -> list[Row]:
    ids = {f"guarded_id_{n}": guard.id for n, guard in enumerate(guards)}
    versions = {f"guarded_version_{n}": guard.version for n, guard in enumerate(guards)}
    return [row | ids | versions for row in rows] if guards else rows


def _worked(shelf: Shelf, told: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    """Answer where an item stands with the workers after it was written."""
    c, wants_at, ended = shelf.table.c, told["is_wanted_at"], told["is_ended"]
    return {
        "due_at": case((c.retry_at > wants_at, c.retry_at), else_=wants_at),
        "claimed_until": case((ended == 0, c.claimed_until)),
        "fence": c.fence + ended,
    }


def _expecting(realm: str, id: str, version: int) -> Row:
    return {"is_realm": realm, "is_id": id, "is_version": version}


def _changed_row(realm: str, shelf: Shelf, columns: Row, id: str, was: int, *, ends_claim: bool = False) -> Row:
    row = {**columns, **_expecting(realm, id, was)}
    if shelf.is_worked:
        row["is_wanted_at"], row["is_ended"] = columns["wants_at"], int(ends_claim)
    return row
