"""Storing a change, or a page of them, whole or not at all.

A change on its own is stored straight away, and each statement says whether it had its effect: an update names the
version it expects, an insert leaves out what is there already. Only if one had none, all is taken back, everything
that counts is read under locks, and it is judged who has lost and why. A page is read and judged at once, so that the
number of statements doesn't grow with it.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

import attrs
from sqlalchemy import Connection, Delete, Update, bindparam, case, delete, select, update

from shopaccounts.adapters.sqlalchemy.checking import Checker, expect
from shopaccounts.adapters.sqlalchemy.drafting import Draft, Drafter, Put, Row
from shopaccounts.adapters.sqlalchemy.judging import AlreadyAnswered, Known, Lost, judge, judge_places
from shopaccounts.adapters.sqlalchemy.prepared import Prepared, prepared
from shopaccounts.adapters.sqlalchemy.statements import among, built_once, equal, insert_into, insert_new, numbered
from shopaccounts.adapters.sqlalchemy.tables import Shelf, Tables
from shopaccounts.adapters.sqlalchemy.types import Instant
from shopaccounts.kernel.errors import Conflict, KeyReused, Taken
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import AnyBook, PageResult, Sweep

__all__ = ["Writer"]

_MANY: Final = 2
_MOST_IDS: Final = 10_000
"""How many ids one statement names; databases allow some 32,000 parameters."""


class Writer(Checker):
    """Stores drafts; each method works inside a transaction that others begin and end."""

    def __init__(self, tables: Tables, drafter: Drafter) -> None:
        super().__init__(tables)
        self._drafter = drafter

    def straight(self, conn: Connection, realm: str, draft: Draft) -> None:
        """Store one change in as few statements as can be.

        Raises:
            StaleWrite: Something that it relies on has moved.
            Lost: A statement had no effect.
        """
        self._answer(conn, realm, [draft])
        if draft.relies_on_others:
            judge_places(draft, self.places(conn, realm, [draft]))
            self.hold_absent(conn, realm, [draft])
        self._sweep(conn, realm, [draft])
        self._apply(conn, realm, [draft])

    def judged(self, conn: Connection, realm: str, draft: Draft) -> None:
        """Read all that counts, judge, and store one change.

        Raises:
            AlreadyAnswered, KeyReused, StaleWrite, Taken: As it was judged.
            Lost: Somebody came in between.
        """
        known = self._relied_on(conn, realm, [draft])
        self._sweep(conn, realm, [draft])
        self.keys(conn, realm, [draft], known)
        judge(draft, known)
        self._store(conn, realm, [draft])

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

    def _store(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> None:
        self._answer(conn, realm, drafts)
        self.hold_absent(conn, realm, drafts)
        self._apply(conn, realm, drafts)

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

    def _apply(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> None:
        removals = [removal for draft in drafts for removal in draft.change.removals]
        puts = [put for draft in drafts for put in draft.puts]
        for name in sorted({book for draft in drafts for book, _ in draft.moved}):
            shelf = self.tables.shelf(name)
            mine = [put for put in puts if put.shelf is shelf]
            gone = [_expecting(realm, r.was.id, r.was.version) for r in removals if r.book.name == name]
            changed = [_changed_row(realm, put, put.was) for put in mine if put.was is not None]
            added = [put.columns for put in mine if put.was is None]
            _each(conn, self._removed(shelf), gone, "is_id")
            _each(conn, self._changed(shelf), changed, "is_id")
            _each(conn, self.put(shelf, conn.dialect.name), added, "id")
        self._move_keys(conn, drafts)
        self._mark(conn, realm, drafts)
        self._tell(conn, realm, [event for draft in drafts for event in draft.change.events])

    def _move_keys(self, conn: Connection, drafts: Sequence[Draft]) -> None:
        freed = sorted((row for draft in drafts for row in draft.keys_out), key=itemgetter("name", "key"))
        if freed:
            self._freed().touched(conn, *({f"is_{name}": value for name, value in row.items()} for row in freed))
        claimed = [row for draft in drafts for row in draft.keys_in]
        _each(conn, self._claimed(conn.dialect.name), claimed, "name", "key")

    def _mark(self, conn: Connection, realm: str, drafts: Sequence[Draft]) -> None:
        once = {(o.namespace, o.key): o for draft in drafts for o in draft.change.once}
        rows = [
            {"realm": realm, "namespace": o.namespace, "key": o.key, "set_at": o.now, "keep_until": o.keep_until}
            for _, o in sorted(once.items())
        ]
        if rows:
            expect(conn, self._marked(conn.dialect.name), rows)

    def _tell(self, conn: Connection, realm: str, events: Sequence[Envelope]) -> None:
        """Give each event its place in the history of its subject, and store all of them."""
        if not events:
            return
        shelf = self.tables[EVENTS]
        numbered = self._numbered(conn, realm, events)
        rows = [self._drafter.first_row(realm, shelf, e, self._drafter.columns(realm, shelf, e)) for e in numbered]
        expect(conn, self.put(shelf, conn.dialect.name), rows)

    def _numbered(self, conn: Connection, realm: str, events: Sequence[Envelope]) -> list[Envelope]:
        counts = Counter(event.subject for event in events if event.subject)
        rows = [{"realm": realm, "subject": subject, "last_seq": count} for subject, count in sorted(counts.items())]
        last = self._counted(conn.dialect.name).rows(conn, *rows) if rows else []
        next_seq = {subject: last_seq - counts[subject] for subject, last_seq in last}
        numbered = []
        for event in events:
            if event.subject:
                next_seq[event.subject] += 1
            numbered.append(attrs.evolve(event, seq=next_seq.get(event.subject), version=1))
        return numbered

    def free_keys_of(self, conn: Connection, realm: str, shelf: Shelf, ids: Sequence[str]) -> None:
        """Free every unique key of entities that are gone."""
        if not shelf.book.unique:
            return
        for start in range(0, len(ids), _MOST_IDS):
            some = ids[start : start + _MOST_IDS]
            conn.execute(self._freed_of(), {"is_realm": realm, "is_book": shelf.book.name, "ids": some})

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
    def _removed(self, shelf: Shelf) -> Delete:
        return delete(shelf.table).where(*equal(shelf.table.c, "realm", "id", "version"))

    @prepared
    def _changed(self, shelf: Shelf) -> Update:
        """Update at the expected version; an item stays put off until its ``retry_at``."""
        c = shelf.table.c
        changed = update(shelf.table).where(*equal(shelf.table.c, "realm", "id", "version"))
        if not shelf.is_worked:
            return changed
        wants_at = bindparam("is_wanted_at", type_=Instant)
        return changed.values(due_at=case((c.retry_at > wants_at, c.retry_at), else_=wants_at))

    @prepared
    def _freed(self) -> Delete:
        return delete(self.tables.keys).where(*equal(self.tables.keys.c, "realm", "name", "key", "book", "entity_id"))

    @built_once
    def _freed_of(self) -> Delete:
        keys = self.tables.keys
        ids = keys.c.entity_id.in_(bindparam("ids", expanding=True))
        return delete(keys).where(*equal(keys.c, "realm", "book"), ids)

    @prepared
    def _claimed(self, dialect: str) -> Any:
        return insert_new(self.tables.keys, dialect)

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
        subjects = self.tables.subjects
        new = insert_into(subjects, dialect)
        further = new.on_conflict_do_update(
            index_elements=list(subjects.primary_key.columns),
            set_={"last_seq": subjects.c.last_seq + new.excluded.last_seq},
        )
        return further.returning(subjects.c.subject, subjects.c.last_seq)


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


def _each(conn: Connection, statement: Prepared, rows: list[Row], *by: str) -> None:
    if rows:
        expect(conn, statement, sorted(rows, key=itemgetter(*by)))


def _expecting(realm: str, id: str, version: int) -> Row:
    return {"is_realm": realm, "is_id": id, "is_version": version}


def _changed_row(realm: str, put: Put, was: int) -> Row:
    row = put.columns | _expecting(realm, put.id, was)
    return row | {"is_wanted_at": put.columns["wants_at"]} if put.shelf.is_worked else row
