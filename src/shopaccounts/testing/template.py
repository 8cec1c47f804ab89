"""A storage adapter to start from: the shop's books in one SQLite file, with nothing but the standard library.

It keeps every promise and makes no haste: one table of keys and values, and what is listed or due is picked out in
Python. Copy it, pass the contracts, then give your database the columns and indexes that make it fast.

Three habits carry it: one transaction that excludes other writers, so that what was judged still holds when it is
written; any doubt raises, and the transaction takes everything back; and it decides nothing, but reports facts.
"""

import json
import operator
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from shopaccounts.kernel.bounds import page_limit, require_counter_states, require_few_ids
from shopaccounts.kernel.canonical import canonical, time_text
from shopaccounts.kernel.errors import Defect, KeyReused, StaleWrite, Taken, Unavailable
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import BY_ID, Claimed, Counted, Lease, Parked, Position, Rows, Swap
from shopaccounts.kernel.record import (
    MAX_ENTITY_BYTES,
    AnyBook,
    Bring,
    Change,
    Found,
    PageResult,
    Receipt,
    Recorded,
    Replayed,
    Write,
)
from shopaccounts.kernel.scope import Scope
from shopaccounts.serial import dump, load

__all__ = ["TemplateStorage"]

_NEVER: Final = "0001-01-01T00:00:00.000000+00:00"
_TABLE: Final = "CREATE TABLE IF NOT EXISTS kept (realm, space, key, value, PRIMARY KEY (realm, space, key))"
_GET: Final = "SELECT value FROM kept WHERE realm = ? AND space = ? AND key = ?"
_ALL: Final = "SELECT key, value FROM kept WHERE realm = ? AND space = ? ORDER BY key"
_PUT: Final = "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)"
_DROP: Final = "DELETE FROM kept WHERE realm = ? AND space = ? AND key = ?"
_EVERYWHERE: Final = "SELECT realm, space, key, value FROM kept WHERE space LIKE ?"


class _Kept:
    """The keys and values of one realm, within one transaction."""

    def __init__(self, db: sqlite3.Connection, realm: str) -> None:
        self._db, self._realm = db, realm

    def get(self, space: str, key: str, default: Any = None) -> Any:
        row = self._db.execute(_GET, (self._realm, space, key)).fetchone()
        return json.loads(row[0]) if row else default

    def all(self, space: str) -> list[tuple[str, Any]]:
        return [(key, json.loads(value)) for key, value in self._db.execute(_ALL, (self._realm, space))]

    def put(self, space: str, key: str, value: Any) -> None:
        self._db.execute(_PUT, (self._realm, space, key, canonical(value)))

    def drop(self, space: str, key: str) -> None:
        self._db.execute(_DROP, (self._realm, space, key))

    def forget(self, spaces: str, end: Callable[[Any], str], before: str, limit: int) -> int:
        """Drop up to *limit* of what ended first, in all realms; answer how many."""
        found = self._db.execute(_EVERYWHERE, (spaces,)).fetchall()
        gone = sorted((end(json.loads(value)), *place) for *place, value in found if end(json.loads(value)) < before)
        self._db.executemany(_DROP, [place for _, *place in gone[:limit]])
        return len(gone[:limit])

    def next(self, space: str, key: str) -> int:
        number: int = self.get(space, key, 0) + 1
        self.put(space, key, number)
        return number

    def entity(self, book: AnyBook, id: str) -> Any:
        body = self.get(book.name, id)
        return load(book.of, body) if body else None

    def entities(self, book: AnyBook) -> list[Any]:
        return [load(book.of, body) for _, body in self.all(book.name)]


class _Part:
    """What every part of the adapter shares: a file, a realm, and how a transaction goes."""

    def __init__(self, path: str, realm: str) -> None:
        self._path, self._realm = path, realm

    @contextmanager
    def transaction(self) -> Iterator[_Kept]:
        """Everything in it is kept, or nothing (KER-110); nobody else writes meanwhile (KER-114)."""
        try:
            with closing(sqlite3.connect(self._path, timeout=60, isolation_level=None)) as db, db:
                db.execute("BEGIN IMMEDIATE")
                yield _Kept(db, self._realm)
        except sqlite3.Error as failure:
            raise Unavailable("database") from failure  # noqa: EM101  (a reason key)


class TemplateStore(_Part):
    """The books of one realm."""

    # Reading: whole entities, all of one moment (KER-121).

    def find(self, book: AnyBook, key: str, by: str = BY_ID, bring: tuple[Bring, ...] = ()) -> Found[Any] | None:
        with self.transaction() as kept:
            place = [book.name, key] if by == BY_ID else kept.get(f"key {by}", key, ["", ""])
            it = kept.entity(book, place[1]) if place[0] == book.name else None
            return it and Found(it, {wanted.book.name: _brought(kept, wanted, book, it) for wanted in bring})

    def rows(
        self,
        book: AnyBook,
        group: str,
        value: str,
        after: Position | None,
        limit: int,
        *,
        newest_first: bool = False,
    ) -> Rows[Any]:
        limit, sort = page_limit(limit), _sort_key(book)
        with self.transaction() as kept:
            members = (e for e in kept.entities(book) if book.groups[group](e) == value)
            in_order = sorted(members, key=sort, reverse=newest_first)
        comes_after = operator.lt if newest_first else operator.gt
        rest = [e for e in in_order if after is None or comes_after(sort(e), (time_text(after.at), after.id))]
        page = tuple(rest[:limit])
        return Rows(page, Position(book.order(page[-1]), page[-1].id) if book.order and len(rest) > limit else None)

    def pick(self, book: AnyBook, ids: Sequence[str]) -> tuple[Any, ...]:
        wanted = require_few_ids(ids)
        with self.transaction() as kept:
            return tuple(e for e in kept.entities(book) if e.id in wanted)

    # Writing: a receipt goes before stale, stale before taken (KER-113).

    def record(self, change: Change) -> Recorded | Replayed:
        change.checked()
        with self.transaction() as kept:
            if change.receipt and (answered := _answered(kept, change.receipt)):
                return answered
            _judge(kept, change, self._realm)
            return Recorded(numbers=_apply(kept, change))

    def record_page(self, changes: Sequence[Change]) -> tuple[str, ...]:
        return tuple([self._result(change) for change in [change.checked() for change in changes]])

    def _result(self, change: Change) -> str:
        try:
            return PageResult.REPLAYED if isinstance(self.record(change), Replayed) else PageResult.RECORDED
        except StaleWrite:
            return PageResult.STALE
        except Taken:
            return PageResult.TAKEN

    def purge(self, book: AnyBook, before: datetime, limit: int) -> int:
        with self.transaction() as kept:
            lapsed = [(until, e.id, e) for e in kept.entities(book) if (until := book.keep_until(e)) and until < before]
            gone = sorted(lapsed, key=lambda one: one[:2])[:limit]
            for _, _, entity in gone:
                _drop(kept, book, entity)
            return len(gone)

    # Due work: each claim moves the fence, so a late worker's change is stale (KER-143).

    def claim_due(
        self, book: AnyBook, now: datetime, limit: int, lease: timedelta, worker: WorkerId
    ) -> tuple[Claimed[Any], ...]:
        with self.transaction() as kept:
            states = {e.id: _work(kept, book, e.id) | {"by": worker} for e in kept.entities(book)}
            due = [e for e in _heads(kept, book) if _is_due(book, e, states[e.id], time_text(now))]
            due.sort(key=lambda e: (-book.priority(e), _due_at(book, e, states[e.id]), e.id))
            for entity in due[:limit]:
                states[entity.id] |= {"fence": states[entity.id]["fence"] + 1, "until": time_text(now + lease)}
                kept.put(f"work {book.name}", entity.id, states[entity.id])
            return tuple(Claimed(e, states[e.id]["fence"], now + lease, states[e.id]["tries"]) for e in due[:limit])

    def due_in(self, book: AnyBook, group: str, values: Sequence[str], now: datetime, limit: int) -> tuple[Any, ...]:
        wanted = require_few_ids(values)
        with self.transaction() as kept:
            members = [(_work(kept, book, e.id), e) for e in kept.entities(book) if book.groups[group](e) in wanted]
            due = [(_due_at(book, e, state), e.id, e) for state, e in members if _wants(book, e, state, time_text(now))]
            return tuple(e for *_, e in sorted(due, key=lambda one: one[:2])[:limit])

    def renew(self, book: AnyBook, claims: Sequence[Claimed[Any]], now: datetime, lease: timedelta) -> frozenset[str]:
        with self.transaction() as kept:
            moved = {claim.item.id: _move(kept, book, claim, until=time_text(now + lease)) for claim in claims}
            return frozenset(id for id, ours in moved.items() if ours)

    def release(self, book: AnyBook, claims: Sequence[Claimed[Any]], retry_at: datetime | None) -> None:
        tried = {"retry_at": time_text(retry_at)} if retry_at else {}
        with self.transaction() as kept:
            for claim in claims:
                tries = claim.attempts + bool(retry_at)
                _move(kept, book, claim, fence=claim.fence + 1, until=_NEVER, tries=tries, **tried)

    def park(self, book: AnyBook, claim: Claimed[Any], reason: str) -> None:
        with self.transaction() as kept:
            gone = {"fence": claim.fence + 1, "until": _NEVER, "tries": claim.attempts + 1, "parked": reason}
            _move(kept, book, claim, **gone)

    def parked(self, book: AnyBook, limit: int) -> tuple[Parked, ...]:
        with self.transaction() as kept:
            states = [(id, state) for id, state in kept.all(f"work {book.name}") if state["parked"]]
            return tuple(Parked(id, state["parked"], state["tries"]) for id, state in states[:limit])

    def unpark(self, book: AnyBook, id: str) -> bool:
        with self.transaction() as kept:
            state = _work(kept, book, id)
            if state["parked"]:
                kept.put(f"work {book.name}", id, state | {"parked": "", "tries": 0, "retry_at": _NEVER})
            return bool(state["parked"])


def _brought(kept: _Kept, wanted: Bring, book: AnyBook, it: Any) -> Any:
    value = wanted.leads_from(book, it)
    if wanted.group is None:
        return kept.entity(wanted.book, value or "")
    leads = wanted.book.groups[wanted.group]
    members = [e for e in kept.entities(wanted.book) if value is not None and leads(e) == value]
    newest_first = sorted(members, key=_sort_key(wanted.book), reverse=True)
    return next(iter(newest_first[wanted.after :]), None)


def _answered(kept: _Kept, receipt: Receipt) -> Replayed | None:
    text = kept.get(f"receipt {receipt.namespace}", receipt.key)
    earlier = load(Receipt, text) if text else None
    if earlier and earlier.body_hash != receipt.body_hash:
        raise KeyReused(receipt.namespace)
    return Replayed(earlier.result) if earlier else None


def _judge(kept: _Kept, change: Change, realm: str) -> None:
    """Refuse what was decided on something that has moved since."""
    for book, id, version in change.relied_on:
        stored = kept.entity(book, id)
        if (stored.version if stored else None) != version:
            raise StaleWrite(book.name, id)
    for claim in change.claims:
        if _work(kept, claim.book, claim.id)["fence"] != claim.fence:
            raise StaleWrite(claim.book.name, claim.id)
    for lease in change.leases:
        if kept.get("lease", lease.name, [0, _NEVER])[0] != lease.fence:
            raise StaleWrite("leases", lease.name)  # noqa: EM101  (a kind)
    if any(write.now.realm != realm for write in change.all_writes):
        msg = "an entity of another realm"
        raise Defect(msg)


def _apply(kept: _Kept, change: Change) -> dict[str, int]:
    """Write all of it: first what frees keys, then what takes them; answer the numbers that were given."""
    _clear(kept, change)
    numbers = {write.now.id: number for write in change.all_writes if (number := _write(kept, write))}
    for once in change.once:
        if kept.get(f"once {once.namespace}", once.key, _NEVER) > time_text(once.now):
            raise Taken(once.field)
        kept.put(f"once {once.namespace}", once.key, time_text(once.keep_until))
    for event in change.events:
        _write(kept, EVENTS.add(event))
    if change.receipt:
        kept.put(f"receipt {change.receipt.namespace}", change.receipt.key, dump(change.receipt))
    for claim in change.worked_off:
        over = {"fence": claim.fence + 1, "until": _NEVER}
        kept.put(f"work {claim.book.name}", claim.id, _work(kept, claim.book, claim.id) | over)
    return numbers


def _clear(kept: _Kept, change: Change) -> None:
    for sweep in change.sweeps:
        for entity in kept.entities(sweep.book):
            if sweep.book.groups[sweep.group](entity) == sweep.value and entity.id not in sweep.spare:
                _drop(kept, sweep.book, entity)
    for removal in change.removals:
        _drop(kept, removal.book, removal.was)
    for write in change.all_writes:
        for name, key in write.book.keys(write.was) if write.was else ():
            kept.drop(f"key {name}", key)


def _write(kept: _Kept, write: Write) -> int | None:
    """Write an entity, with the next number of its series if it takes one; the transaction takes back what is lost."""
    book, series = write.book, write.book.series(write.now)
    number = None if series is None else kept.next(f"number {book.name}", series)
    entity = write.now if number is None else book.with_number(write.now, number)
    body = dump(entity)
    if len(body.encode()) > MAX_ENTITY_BYTES:
        msg = f"an entity of {book} is too large"
        raise Defect(msg)
    kept.put(book.name, entity.id, body)
    for name, key in sorted(book.keys(entity)):
        if kept.get(f"key {name}", key):
            raise Taken(name)
        kept.put(f"key {name}", key, write.place)
    return number


def _drop(kept: _Kept, book: AnyBook, entity: Any) -> None:
    kept.drop(book.name, entity.id)
    kept.drop(f"work {book.name}", entity.id)
    for name, key in book.keys(entity):
        kept.drop(f"key {name}", key)


def _work(kept: _Kept, book: AnyBook, id: str) -> dict[str, Any]:
    """Answer where an item stands with the workers."""
    fresh = {"fence": 0, "until": _NEVER, "retry_at": _NEVER, "tries": 0, "parked": ""}
    state: dict[str, Any] = kept.get(f"work {book.name}", id, fresh)
    return state


def _move(kept: _Kept, book: AnyBook, claim: Claimed[Any], **columns: Any) -> bool:
    """Change where an item stands, if the claim on it is still ours (KER-144)."""
    state = _work(kept, book, claim.item.id)
    if state["fence"] == claim.fence:
        kept.put(f"work {book.name}", claim.item.id, state | columns)
    return bool(state["fence"] == claim.fence)


def _heads(kept: _Kept, book: AnyBook) -> list[Any]:
    """Answer what wants work, of each lane the first only."""
    heads: dict[str, tuple[int, Any]] = {}
    for entity in kept.entities(book):
        if book.due and book.due(entity) is not None:
            lane, place = book.lane(entity) or (f" {entity.id}", 0)
            heads[lane] = min(heads.get(lane, (place, entity)), (place, entity), key=lambda head: head[0])
    return [entity for _, entity in heads.values()]


def _due_at(book: AnyBook, entity: Any, state: dict[str, Any]) -> str:
    due, retry_at = book.due(entity) if book.due else None, str(state["retry_at"])
    return max(time_text(due) if due else _NEVER, retry_at)


def _is_due(book: AnyBook, entity: Any, state: dict[str, Any], now: str) -> bool:
    return bool(state["until"] <= now) and _wants(book, entity, state, now)


def _wants(book: AnyBook, entity: Any, state: dict[str, Any], now: str) -> bool:
    wanted = book.due is not None and book.due(entity) is not None
    return wanted and not state["parked"] and _due_at(book, entity, state) <= now


def _sort_key(book: AnyBook) -> Any:
    return lambda entity: (time_text(book.order(entity)) if book.order else _NEVER, entity.id)


class TemplateCounters(_Part):
    """Counters of one realm; a revision is never given twice, also when a counter was cleared in between."""

    volatile = False

    def read(self, *keys: str) -> dict[str, Counted]:
        with self.transaction() as kept:
            counters = {key: kept.get("counter", key) for key in keys}
            return {key: Counted(bytes.fromhex(held[0]), held[1]) for key, held in counters.items() if held}

    def swap(self, *swaps: Swap) -> frozenset[str]:
        require_counter_states(swap.state for swap in swaps)
        with self.transaction() as kept:
            unmoved = [swap for swap in swaps if kept.get("counter", swap.key, ["", None])[1] == swap.seen]
            for swap in unmoved:
                new = [swap.state.hex(), kept.next("revision", ""), time_text(swap.keep_until)]
                kept.put("counter", swap.key, new)
            return frozenset(swap.key for swap in unmoved)

    def clear(self, key: str) -> None:
        with self.transaction() as kept:
            kept.drop("counter", key)

    def add(self, key: str, amount: int, now: datetime, keep_until: datetime) -> int:
        with self.transaction() as kept:
            state, _, until = kept.get("counter", key, ["", 0, _NEVER])
            total = amount + (int(bytes.fromhex(state)) if until > time_text(now) else 0)
            kept.put("counter", key, [str(total).encode().hex(), kept.next("revision", ""), time_text(keep_until)])
            return total


class TemplateLeases(_Part):
    """Leases of one realm."""

    def acquire(self, name: str, holder: WorkerId, ttl: timedelta, now: datetime) -> Lease | None:
        with self.transaction() as kept:
            fence, until, *_ = kept.get("lease", name, [0, _NEVER])
            if until > time_text(now):
                return None
            kept.put("lease", name, [fence + 1, time_text(now + ttl), holder])
            return Lease(name, fence + 1, now + ttl)

    def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> Lease | None:
        with self.transaction() as kept:
            fence, until, *holder = kept.get("lease", lease.name, [0, _NEVER])
            if fence != lease.fence or until == _NEVER:
                return None
            kept.put("lease", lease.name, [fence, time_text(now + ttl), *holder])
            return Lease(lease.name, fence, now + ttl)

    def release(self, lease: Lease) -> None:
        with self.transaction() as kept:
            if kept.get("lease", lease.name, [0])[0] == lease.fence:
                kept.put("lease", lease.name, [lease.fence + 1, _NEVER])


class TemplateStorage:
    """The shop's books in one file.

    Args:
        path: Where the file is, or is to be.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with closing(sqlite3.connect(path)) as db:
            db.execute(_TABLE)

    def open(self, scope: Scope) -> TemplateStore:
        """Answer the books of one scope."""
        return TemplateStore(self._path, scope.realm)

    def counters(self, scope: Scope) -> TemplateCounters:
        """Answer the counters of one scope."""
        return TemplateCounters(self._path, scope.realm)

    def leases(self, scope: Scope) -> TemplateLeases:
        """Answer the leases of one scope."""
        return TemplateLeases(self._path, scope.realm)

    def purge_lapsed(self, before: datetime, limit: int) -> int:
        """Forget markers, receipts and counters that ended before *before*, in all realms, up to *limit* of each."""
        ends: dict[str, Callable[[Any], str]] = {
            "once %": str,
            "receipt %": lambda text: time_text(load(Receipt, text).keep_until),
            "counter": lambda counter: str(counter[2]),
        }
        with _Part(self._path, "").transaction() as kept:
            return sum(kept.forget(spaces, end, time_text(before), limit) for spaces, end in ends.items())
