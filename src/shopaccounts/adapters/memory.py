"""The shop's books in memory: the reference that every other adapter is compared with.

One lock for each storage; entities are immutable, so nothing handed out can change what is kept. A change is applied to
nothing until every part of it has been judged.
"""

import operator
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import attrs

from shopaccounts.adapters._memory_realm import NEVER, Claim, Realm
from shopaccounts.kernel.bounds import page_limit, require_counter_states
from shopaccounts.kernel.errors import Defect, KeyReused, StaleWrite, Taken
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import BY_ID, Claimed, Counted, Lease, Parked, Position, Rows, Swap
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
        change = _checked(change)
        if change.is_empty:
            return Recorded()
        with self._lock:
            if change.receipt and (answered := self._answered(change.receipt)):
                return answered
            self._judge(change)
            self._apply(change)
        return Recorded()

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
            answer = self.record(change)
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
            if self._realm.claims.get((claim.book.name, claim.id), Claim()).fence != claim.fence:
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

    def _apply(self, change: Change) -> None:
        for sweep in change.sweeps:
            for entity in self._swept(sweep):
                self._drop(sweep.book, entity)
        for removal in change.removals:
            self._drop(removal.book, removal.was)
        for write in change.all_writes:
            if write.was:
                self._free_keys(write.book, write.was)
        for write in change.all_writes:
            self._put(write)
        for once in change.once:
            self._realm.once[(once.namespace, once.key)] = once.keep_until
        for event in change.events:
            self._put(EVENTS.add(self._numbered(event)))
        if change.receipt:
            self._realm.receipts[(change.receipt.namespace, change.receipt.key)] = change.receipt

    def _swept(self, sweep: Any) -> list[Any]:
        kept = self._realm.books[sweep.book.name].values()
        return [e for e in kept if sweep.book.groups[sweep.group](e) == sweep.value and e.id not in sweep.spare]

    def _put(self, write: Write) -> None:
        self._realm.books[write.book.name][write.now.id] = write.now
        for key in write.book.keys(write.now):
            self._realm.keys[key] = write.place

    def _drop(self, book: AnyBook, entity: Any) -> None:
        self._realm.books[book.name].pop(entity.id, None)
        self._realm.claims.pop((book.name, entity.id), None)
        self._free_keys(book, entity)

    def _free_keys(self, book: AnyBook, entity: Any) -> None:
        for key in book.keys(entity):
            self._realm.keys.pop(key, None)

    def _numbered(self, event: Envelope) -> Envelope:
        if not event.subject:
            return event
        seq = self._realm.last_seq.get(event.subject, 0) + 1
        self._realm.last_seq[event.subject] = seq
        return attrs.evolve(event, seq=seq)

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
                    state = self._realm.claims[(book.name, claim.item.id)]
                    state.until = NEVER
                    state.fence += 1
                    if retry_at is not None:
                        state.retry_at, state.attempts = retry_at, state.attempts + 1

    def park(self, book: Book[T], claim: Claimed[T], reason: str) -> None:
        with self._lock:
            if self._is_ours(book, claim):
                state = self._realm.claims[(book.name, claim.item.id)]
                state.until, state.parked, state.attempts = NEVER, reason, state.attempts + 1
                state.fence += 1

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
        state = self._realm.claims.get((book.name, entity.id), Claim())
        return not state.parked and state.until <= now and self._due_at(book, entity) <= now

    def _due_at(self, book: AnyBook, entity: Any) -> datetime:
        state = self._realm.claims.get((book.name, entity.id), Claim())
        return max(cast("Callable[[Any], datetime]", book.due)(entity), state.retry_at)

    def _claim(self, book: Book[T], entity: T, until: datetime) -> Claimed[T]:
        state = self._realm.claims.setdefault((book.name, entity.id), Claim())
        state.fence, state.until = state.fence + 1, until
        return Claimed(entity, state.fence, until, state.attempts)

    def _is_ours(self, book: AnyBook, claim: Claimed[Any]) -> bool:
        state = self._realm.claims.get((book.name, claim.item.id))
        return state is not None and state.fence == claim.fence


class MemoryCounters:
    """Counters of one realm; gone with the process, so assurance profiles refuse them."""

    volatile = True

    def __init__(self, realm: Realm, lock: threading.RLock) -> None:
        self._realm, self._lock = realm, lock

    def read(self, *keys: str) -> Mapping[str, Counted]:
        with self._lock:
            kept = self._realm.counters
            return {key: Counted(*kept[key][:2]) for key in keys if key in kept}

    def swap(self, *swaps: Swap) -> frozenset[str]:
        require_counter_states(swap.state for swap in swaps)
        with self._lock:
            unmoved = [swap for swap in swaps if self._revision(swap.key) == swap.seen]
            for swap in unmoved:
                self._store(swap.key, swap.state, swap.keep_until)
            return frozenset(swap.key for swap in unmoved)

    def clear(self, key: str) -> None:
        with self._lock:
            self._realm.counters.pop(key, None)

    def add(self, key: str, amount: int, now: datetime, keep_until: datetime) -> int:
        with self._lock:
            kept = self._realm.counters.get(key)
            total = amount + (int(kept[0]) if kept and kept[2] > now else 0)
            self._store(key, str(total).encode(), keep_until)
            return total

    def _revision(self, key: str) -> int | None:
        kept = self._realm.counters.get(key)
        return kept[1] if kept else None

    def _store(self, key: str, state: bytes, keep_until: datetime) -> None:
        self._realm.revision += 1
        self._realm.counters[key] = (state, self._realm.revision, keep_until)


class MemoryLeases:
    """Leases of one realm."""

    def __init__(self, realm: Realm, lock: threading.RLock) -> None:
        self._realm, self._lock = realm, lock

    def acquire(self, name: str, holder: WorkerId, ttl: timedelta, now: datetime) -> Lease | None:
        with self._lock:
            _, fence, until = self._realm.leases.get(name, ("", 0, NEVER))
            if until > now:
                return None
            self._realm.leases[name] = (holder, fence + 1, now + ttl)
            return Lease(name, fence + 1, now + ttl)

    def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> Lease | None:
        with self._lock:
            holder, fence, until = self._realm.leases.get(lease.name, ("", 0, NEVER))
            if fence != lease.fence or until == NEVER:
                return None
            self._realm.leases[lease.name] = (holder, fence, now + ttl)
            return Lease(lease.name, fence, now + ttl)

    def release(self, lease: Lease) -> None:
        with self._lock:
            holder, fence, _ = self._realm.leases.get(lease.name, ("", 0, NEVER))
            if fence == lease.fence:
                self._realm.leases[lease.name] = (holder, fence, NEVER)


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
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return len(value) * 4 // 3
    if isinstance(value, Mapping):
        return sum(_weight(key) + _weight(held) for key, held in value.items())
    if isinstance(value, (tuple, list, frozenset)):
        return sum(map(_weight, value))
    if attrs.has(type(value)):
        return sum(len(field.name) + _weight(getattr(value, field.name)) for field in attrs.fields(type(value)))
    return len(str(value))


def _sort_key(book: AnyBook) -> Callable[[Any], tuple[datetime, str]]:
    return lambda entity: (book.order(entity) if book.order else NEVER, entity.id)
