"""The shop's books in memory: the reference that every other adapter is compared with.

One lock for each storage; entities are immutable, so nothing handed out can change what is kept. A change is applied to
nothing until every part of it has been judged.
"""

import functools
import operator
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import NoneType
from typing import Any, Final, TypeVar, cast

import attrs

from shopaccounts.adapters._memory_counters import MemoryCounters, MemoryLeases
from shopaccounts.adapters._memory_realm import NEVER, Claim, Realm
from shopaccounts.kernel.bounds import page_limit, require_few_ids
from shopaccounts.kernel.errors import Defect, KeyReused, StaleWrite, Taken
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import BY_ID, Claimed, Parked, Position, Rows
from shopaccounts.kernel.record import (
    MAX_ENTITY_BYTES,
    AnyBook,
    Book,
    Bring,
    Change,
    Entity,
    Found,
    PageResult,
    Receipt,
    Recorded,
    Replayed,
    Write,
)
from shopaccounts.kernel.scope import Scope

__all__ = ["MemoryStorage"]

T = TypeVar("T", bound=Entity)
_LEASES = "leases"
_UNCLAIMED: Final = Claim()
_SHORT: Final = 20
"""About what a number, a time or a word of a closed list takes, as text."""
_MANY: Final = 2
_SMALL: Final = frozenset({NoneType, bool, int, float, datetime, date, timedelta})


class MemoryStorage:
    """Books for tests, examples and simulations; they are gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._realms: dict[str, Realm] = defaultdict(Realm)

    def open(self, scope: Scope) -> "MemoryStore":
        """Answer the books of one scope."""
        return MemoryStore(self._realm(scope), self._lock, scope.realm)

    def counters(self, scope: Scope) -> "MemoryCounters":
        """Answer the counters of one scope."""
        return MemoryCounters(self._realm(scope), self._lock)

    def leases(self, scope: Scope) -> "MemoryLeases":
        """Answer the leases of one scope."""
        return MemoryLeases(self._realm(scope), self._lock)

    def purge_lapsed(self, before: datetime, limit: int) -> int:
        """Forget markers, receipts and counters that ended before *before*, in all realms, up to *limit* of each."""
        with self._lock:
            kinds = zip(*(realm.ends() for realm in self._realms.values()), strict=True)
            return sum(_forget(kind, before, limit) for kind in kinds)

    def _realm(self, scope: Scope) -> Realm:
        with self._lock:
            return self._realms[scope.realm]

    def snapshot(self) -> dict[str, Realm]:
        """Answer a copy of everything that is kept."""
        with self._lock:
            return {name: realm.copy() for name, realm in self._realms.items()}

    def restore(self, snapshot: dict[str, Realm]) -> None:
        """Go back to a snapshot; stores that are open see it."""
        with self._lock:
            for name, realm in self._realms.items():
                kept = snapshot.get(name, Realm()).copy()
                for field in attrs.fields(Realm):
                    setattr(realm, field.name, getattr(kept, field.name))


class MemoryStore:
    """The books of one realm."""

    def __init__(self, realm: Realm, lock: threading.RLock, name: str) -> None:
        self._realm, self._lock, self._name = realm, lock, name

    # Reading

    def find(self, book: Book[T], key: str, by: str = BY_ID, bring: tuple[Bring, ...] = ()) -> Found[T] | None:
        with self._lock:
            entity = self._by_id(book, key) if by == BY_ID else self._by_key(book, by, key)
            brought = {} if entity is None else {b.book.name: self._brought(b, book, entity) for b in bring}
            return None if entity is None else Found(entity, brought)

    def rows(
        self,
        book: Book[T],
        group: str,
        value: str,
        after: Position | None,
        limit: int,
        *,
        newest_first: bool = False,
    ) -> Rows[T]:
        sort, limit = _sort_key(book), page_limit(limit)
        with self._lock:
            kept = self._realm.books.get(book.name, {}).values()
            members = sorted((e for e in kept if book.groups[group](e) == value), key=sort, reverse=newest_first)
        comes_after = operator.lt if newest_first else operator.gt
        rest = [e for e in members if after is None or comes_after(sort(e), (after.at, after.id))]
        page = tuple(rest[:limit])
        return Rows(page, Position(*sort(page[-1])) if len(rest) > limit else None)

    def pick(self, book: Book[T], ids: Sequence[str]) -> tuple[T, ...]:
        wanted = sorted(require_few_ids(ids))
        with self._lock:
            kept = self._realm.books.get(book.name, {})
            return tuple(kept[id] for id in wanted if id in kept)

    def _by_id(self, book: Book[T], id: str) -> T | None:
        entity: T | None = self._realm.books.get(book.name, {}).get(id)
        return entity

    def _by_key(self, book: Book[T], name: str, key: str) -> T | None:
        kept_in, id = self._realm.keys.get((name, key), ("", ""))
        return self._by_id(book, id) if kept_in == book.name else None

    def _brought(self, bring: Bring, book: AnyBook, entity: Any) -> Any:
        value = bring.leads_from(book, entity)
        kept = self._realm.books.get(bring.book.name, {})
        if bring.group is None:
            return kept.get(value or "")
        members = [e for e in kept.values() if value is not None and bring.book.groups[bring.group](e) == value]
        newest_first = sorted(members, key=_sort_key(bring.book), reverse=True)
        return next(iter(newest_first[bring.after :]), None)

    # Writing

    def record(self, change: Change) -> Recorded | Replayed:
        return self._record(_checked(change))

    def _record(self, change: Change) -> Recorded | Replayed:
        if change.is_empty:
            return Recorded()
        with self._lock:
            if change.receipt and (answered := self._answered(change.receipt)):
                return answered
            self._judge(change)
            return Recorded(numbers=self._apply(change))

    def record_page(self, changes: Sequence[Change]) -> tuple[str, ...]:
        return tuple(self._result(change) for change in [_checked(change) for change in changes])

    def purge(self, book: Book[T], before: datetime, limit: int) -> int:
        with self._lock:
            kept = self._realm.books.get(book.name, {}).values()
            lapsed = [(e, until) for e in kept if (until := book.keep_until(e)) and until < before]
            gone = [entity for entity, _ in sorted(lapsed, key=lambda pair: (pair[1], pair[0].id))[:limit]]
            for entity in gone:
                self._drop(book, entity)
            return len(gone)

    def _result(self, change: Change) -> str:
        try:
            answer = self._record(change)
        except StaleWrite:
            return PageResult.STALE
        except Taken:
            return PageResult.TAKEN
        return PageResult.REPLAYED if isinstance(answer, Replayed) else PageResult.RECORDED

    def _answered(self, receipt: Receipt) -> Replayed | None:
        earlier = self._realm.receipts.get((receipt.namespace, receipt.key))
        if earlier is None:
            return None
        if earlier.body_hash != receipt.body_hash:
            raise KeyReused(receipt.namespace)
        return Replayed(earlier.result)

    def _judge(self, change: Change) -> None:
        self._judge_versions(change)
        self._judge_fences(change)
        self._judge_keys(change)
        for once in change.once:
            if self._realm.once.get((once.namespace, once.key), NEVER) > once.now:
                raise Taken(once.field)

    def _judge_versions(self, change: Change) -> None:
        for book, id, version in change.relied_on:
            stored = self._realm.books[book.name].get(id)
            if (stored.version if stored else None) != version:
                raise StaleWrite(book.name, id)
        for write in change.all_writes:
            if write.now.realm != self._name:
                msg = f"{write.place} belongs to another realm"
                raise Defect(msg)

    def _judge_fences(self, change: Change) -> None:
        for claim in change.claims:
            if self._state(claim.book, claim.id).fence != claim.fence:
                raise StaleWrite(claim.book.name, claim.id)
        for lease in change.leases:
            _, fence, until = self._realm.leases.get(lease.name, ("", 0, NEVER))
            if fence != lease.fence or until == NEVER:
                raise StaleWrite(_LEASES, lease.name)

    def _judge_keys(self, change: Change) -> None:
        freed = {key for w in change.all_writes if w.was for key in w.book.keys(w.was)}
        freed |= {key for removal in change.removals for key in removal.book.keys(removal.was)}
        freed |= {key for s in change.sweeps for e in self._swept(s) for key in s.book.keys(e)}
        claimed: set[tuple[str, str]] = set()
        for write in change.all_writes:
            for key in sorted(write.book.keys(write.now)):
                if key in claimed or (key in self._realm.keys and key not in freed):
                    raise Taken(key[0])
                claimed.add(key)

    def _apply(self, change: Change) -> dict[str, int]:
        """Store everything, and answer the numbers that entities were given."""
        for sweep in change.sweeps:
            for entity in self._swept(sweep):
                self._drop(sweep.book, entity)
        for removal in change.removals:
            self._drop(removal.book, removal.was)
        for write in change.all_writes:
            if write.was:
                self._free_keys(write.book, write.was)
        numbers = {write.now.id: number for write in change.all_writes if (number := self._put(write)) is not None}
        for once in change.once:
            self._realm.once[(once.namespace, once.key)] = once.keep_until
        for event in change.events:
            self._put(EVENTS.add(event))
        if change.receipt:
            self._realm.receipts[(change.receipt.namespace, change.receipt.key)] = change.receipt
        for claim in change.worked_off:
            self._end_claim(claim.book, claim.id)
        return numbers

    def _swept(self, sweep: Any) -> list[Any]:
        kept = self._realm.books[sweep.book.name].values()
        return [e for e in kept if sweep.book.groups[sweep.group](e) == sweep.value and e.id not in sweep.spare]

    def _put(self, write: Write) -> int | None:
        """Store an entity, and answer the number that it was given."""
        book, entity = write.book, write.now
        number = self._next_number(book, entity)
        if number is not None:
            entity = book.with_number(entity, number)
        self._realm.books[book.name][entity.id] = entity
        for key in book.keys(entity):
            self._realm.keys[key] = write.place
        return number

    def _drop(self, book: AnyBook, entity: Any) -> None:
        self._realm.books[book.name].pop(entity.id, None)
        self._realm.claims.pop((book.name, entity.id), None)
        self._free_keys(book, entity)

    def _free_keys(self, book: AnyBook, entity: Any) -> None:
        for key in book.keys(entity):
            self._realm.keys.pop(key, None)

    def _next_number(self, book: AnyBook, entity: Any) -> int | None:
        series = book.series(entity)
        if series is None:
            return None
        number = self._realm.numbers.get((book.name, series), 0) + 1
        self._realm.numbers[(book.name, series)] = number
        return number

    # Due work

    def claim_due(
        self,
        book: Book[T],
        now: datetime,
        limit: int,
        lease: timedelta,
        worker: WorkerId,  # noqa: ARG002  (fences tell workers apart)
    ) -> tuple[Claimed[T], ...]:
        with self._lock:
            due = [e for e in self._heads(book) if self._is_claimable(book, e, now)]
            due.sort(key=lambda e: (-book.priority(e), self._due_at(book, e), e.id))
            return tuple(self._claim(book, entity, now + lease) for entity in due[:limit])

    def due_in(self, book: Book[T], group: str, values: Sequence[str], now: datetime, limit: int) -> tuple[T, ...]:
        wanted = require_few_ids(values)
        with self._lock:
            kept = self._realm.books.get(book.name, {}).values()
            due = [e for e in kept if book.groups[group](e) in wanted and self._wants_work(book, e, now)]
            due.sort(key=lambda e: (self._due_at(book, e), e.id))
            return tuple(due[:limit])

    def renew(self, book: Book[T], claims: Sequence[Claimed[T]], now: datetime, lease: timedelta) -> frozenset[str]:
        with self._lock:
            ours = [claim for claim in claims if self._is_ours(book, claim)]
            for claim in ours:
                self._realm.claims[(book.name, claim.item.id)].until = now + lease
            return frozenset(claim.item.id for claim in ours)

    def release(self, book: Book[T], claims: Sequence[Claimed[T]], retry_at: datetime | None) -> None:
        with self._lock:
            for claim in claims:
                if self._is_ours(book, claim):
                    state = self._end_claim(book, claim.item.id)
                    if retry_at is not None:
                        state.retry_at, state.attempts = retry_at, state.attempts + 1

    def park(self, book: Book[T], claim: Claimed[T], reason: str) -> None:
        with self._lock:
            if self._is_ours(book, claim):
                state = self._end_claim(book, claim.item.id)
                state.parked, state.attempts = reason, state.attempts + 1

    def parked(self, book: Book[T], limit: int) -> tuple[Parked, ...]:
        with self._lock:
            claims = sorted(self._realm.claims.items(), key=lambda claim: claim[0])
            parked = [(id, state) for (name, id), state in claims if name == book.name and state.parked]
            return tuple(Parked(id, state.parked, state.attempts) for id, state in parked[:limit])

    def unpark(self, book: Book[T], id: str) -> bool:
        with self._lock:
            state = self._realm.claims.get((book.name, id))
            if state is None or not state.parked:
                return False
            state.parked, state.attempts, state.retry_at = "", 0, NEVER
            return True

    def _heads(self, book: Book[T]) -> Iterable[T]:
        """Answer what wants work, of each lane the first only."""
        heads: dict[str, tuple[int, T]] = {}
        for entity in self._realm.books[book.name].values():
            if book.due and book.due(entity) is not None:
                lane, place = book.lane(entity) or (f"\0{entity.id}", 0)
                if lane not in heads or place < heads[lane][0]:
                    heads[lane] = (place, entity)
        return [entity for _, entity in heads.values()]

    def _is_claimable(self, book: AnyBook, entity: Any, now: datetime) -> bool:
        return self._state(book, entity.id).until <= now and self._wants_work(book, entity, now)

    def _wants_work(self, book: AnyBook, entity: Any, now: datetime) -> bool:
        wants_at = book.due(entity) if book.due else None
        state = self._state(book, entity.id)
        return wants_at is not None and wants_at <= now and state.retry_at <= now and not state.parked

    def _due_at(self, book: AnyBook, entity: Any) -> datetime:
        wants_at = cast("Callable[[Any], datetime]", book.due)(entity)
        return max(wants_at, self._state(book, entity.id).retry_at)

    def _state(self, book: AnyBook, id: str) -> Claim:
        """Answer where an item stands, only to be looked at."""
        return self._realm.claims.get((book.name, id), _UNCLAIMED)

    def _claim(self, book: Book[T], entity: T, until: datetime) -> Claimed[T]:
        state = self._realm.claims.setdefault((book.name, entity.id), Claim())
        state.fence, state.until = state.fence + 1, until
        return Claimed(entity, state.fence, until, state.attempts)

    def _end_claim(self, book: AnyBook, id: str) -> Claim:
        state = self._realm.claims.setdefault((book.name, id), Claim())
        state.until, state.fence = NEVER, state.fence + 1
        return state

    def _is_ours(self, book: AnyBook, claim: Claimed[Any]) -> bool:
        state = self._realm.claims.get((book.name, claim.item.id))
        return state is not None and state.fence == claim.fence


def _forget(kept: Iterable[tuple[dict[Any, Any], dict[Any, datetime]]], before: datetime, limit: int) -> int:
    """Forget what ended first, of one kind and all realms."""
    lapsed = [(until, key, held) for held, ends in kept for key, until in ends.items() if until < before]
    gone = sorted(lapsed, key=lambda end: end[0])[:limit]
    for _, key, held in gone:
        del held[key]
    return len(gone)


def _checked(change: Change) -> Change:
    for write in change.checked().writes:
        if _weight(write.now) > MAX_ENTITY_BYTES:
            msg = f"an entity of {write.book} has more than {MAX_ENTITY_BYTES} bytes"
            raise Defect(msg)
    return change


def _weight(value: Any) -> int:
    """Answer about how many bytes a value takes as text."""
    return _together((value,))


def _together(values: Iterable[Any]) -> int:
    """Answer about how many bytes values take; only texts and what holds them can be large."""
    weight = 0
    for value in values:
        kind: Any = type(value)
        if kind in _SMALL:
            weight += _SHORT
        elif kind is str and value.isascii():
            weight += len(value)
        elif kind is tuple:
            weight += _together(value)
        else:
            weight += _weigher(kind)(value)
    return weight


@functools.cache
def _weigher(kind: Any) -> Callable[[Any], int]:
    """Answer how values of a class are weighed."""
    if attrs.has(kind):
        return _fields_weigher(tuple(field.name for field in attrs.fields(kind)))
    if issubclass(kind, str):
        return lambda text: len(text.encode("utf-8", "surrogatepass"))
    if issubclass(kind, bytes):
        return lambda blob: len(blob) * 4 // 3
    if issubclass(kind, Mapping):
        return lambda held: _together(held) + _together(held.values())
    if issubclass(kind, (tuple, list, frozenset)):
        return _together
    return lambda _: _SHORT


def _fields_weigher(names: tuple[str, ...]) -> Callable[[Any], int]:
    fixed = sum(map(len, names))
    if len(names) < _MANY:
        return lambda value: fixed + _together([getattr(value, name) for name in names])
    taken = operator.attrgetter(*names)
    return lambda value: fixed + _together(taken(value))


def _sort_key(book: AnyBook) -> Callable[[Any], tuple[datetime, str]]:
    return lambda entity: (book.order(entity) if book.order else NEVER, entity.id)
