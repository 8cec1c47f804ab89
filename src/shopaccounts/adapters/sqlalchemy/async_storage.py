"""Storage in a SQL database for async hosts: the same stores, each call in a greenlet that awaits the driver."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar, Unpack

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

from shopaccounts.adapters.sqlalchemy.engines import async_engine_of
from shopaccounts.adapters.sqlalchemy.hosts import Awaiting, sleep_async
from shopaccounts.adapters.sqlalchemy.lapsing import purge_lapsed
from shopaccounts.adapters.sqlalchemy.rotation import SqlRotation, uses_key
from shopaccounts.adapters.sqlalchemy.schema import migrate, missing_revisions
from shopaccounts.adapters.sqlalchemy.store import SqlCounters, SqlLeases, SqlStore
from shopaccounts.adapters.sqlalchemy.tables import Tables
from shopaccounts.adapters.sqlalchemy.transactions import HostTransactions, OwnTransactions
from shopaccounts.adapters.sqlalchemy.works import Options, Works, entropy_of, tables_of, works_of
from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import BY_ID, Claimed, Counted, Lease, Parked, Position, Rows, Swap
from shopaccounts.kernel.record import AnyBook, Book, Bring, Change, Entity, Found, Recorded, Replayed
from shopaccounts.kernel.scope import Scope

__all__ = ["AsyncSqlCounters", "AsyncSqlLeases", "AsyncSqlStorage", "AsyncSqlStore", "JoinedAsyncSqlStorage"]

T = TypeVar("T", bound=Entity)


class AsyncSqlStore:
    """The books of one realm; each method awaits its ``SqlStore`` twin."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def find(self, book: Book[T], key: str, by: str = BY_ID, bring: tuple[Bring, ...] = ()) -> Found[T] | None:
        """Answer the entity with this id or unique key, and those to bring along; None if there is none."""
        return await greenlet_spawn(self._store.find, book, key, by, bring)

    async def rows(
        self,
        book: Book[T],
        group: str,
        value: str,
        after: Position | None,
        limit: int,
        *,
        newest_first: bool = False,
    ) -> Rows[T]:
        """List the entities of a group, oldest first, at most *limit*."""
        return await greenlet_spawn(self._store.rows, book, group, value, after, limit, newest_first=newest_first)

    async def pick(self, book: Book[T], ids: Sequence[str]) -> tuple[T, ...]:
        """Answer the entities with these ids, ordered by id; those that are missing are left out."""
        return await greenlet_spawn(self._store.pick, book, ids)

    async def record(self, change: Change) -> Recorded | Replayed:
        """Store *change* whole."""
        return await greenlet_spawn(self._store.record, change)

    async def record_page(self, changes: Sequence[Change]) -> tuple[str, ...]:
        """Store many changes, each whole or not at all, in a number of statements that doesn't grow with them."""
        return await greenlet_spawn(self._store.record_page, changes)

    async def purge(self, book: Book[T], before: datetime, limit: int) -> int:
        """Remove up to *limit* entities whose ``keep_until`` is before *before*; answer how many."""
        return await greenlet_spawn(self._store.purge, book, before, limit)

    async def claim_due(
        self, book: Book[T], now: datetime, limit: int, lease: timedelta, worker: WorkerId
    ) -> tuple[Claimed[T], ...]:
        """Claim up to *limit* due items until *now* + *lease*."""
        return await greenlet_spawn(self._store.claim_due, book, now, limit, lease, worker)

    async def due_in(
        self, book: Book[T], group: str, values: Sequence[str], now: datetime, limit: int
    ) -> tuple[T, ...]:
        """Answer what is due at *now* in a group with one of these values, at most *limit*; claim none of it."""
        return await greenlet_spawn(self._store.due_in, book, group, values, now, limit)

    async def renew(
        self, book: Book[T], claims: Sequence[Claimed[T]], now: datetime, lease: timedelta
    ) -> frozenset[str]:
        """Move the end of our claims; answer the ids that were still ours."""
        return await greenlet_spawn(self._store.renew, book, claims, now, lease)

    async def release(self, book: Book[T], claims: Sequence[Claimed[T]], retry_at: datetime | None) -> None:
        """Give claims back: due again at *retry_at* with one attempt more, or (None) at once without counting one."""
        await greenlet_spawn(self._store.release, book, claims, retry_at)

    async def park(self, book: Book[T], claim: Claimed[T], reason: str) -> None:
        """Set a claimed item aside until a person puts it back."""
        await greenlet_spawn(self._store.park, book, claim, reason)

    async def parked(self, book: Book[T], limit: int) -> tuple[Parked, ...]:
        """List the items set aside."""
        return await greenlet_spawn(self._store.parked, book, limit)

    async def unpark(self, book: Book[T], id: str) -> bool:
        """Put an item back, its attempts forgotten; false if it isn't parked."""
        return await greenlet_spawn(self._store.unpark, book, id)


class AsyncSqlCounters:
    """The counters of one realm; each method awaits its ``SqlCounters`` twin."""

    volatile = False

    def __init__(self, counters: SqlCounters) -> None:
        self._counters = counters

    async def read(self, *keys: str) -> Mapping[str, Counted]:
        """Answer the states under *keys*; of one that is absent, nothing."""
        return await greenlet_spawn(self._counters.read, *keys)

    async def swap(self, *swaps: Swap) -> frozenset[str]:
        """Replace states that are still at the revision that was seen; answer the keys of those that were."""
        return await greenlet_spawn(self._counters.swap, *swaps)

    async def clear(self, key: str) -> None:
        """Forget the state or sum under *key*, if there is one."""
        await greenlet_spawn(self._counters.clear, key)

    async def add(self, key: str, amount: int, now: datetime, keep_until: datetime) -> int:
        """Add *amount* and answer the new sum; a sum that lapsed before *now* counts as nothing."""
        return await greenlet_spawn(self._counters.add, key, amount, now, keep_until)


class AsyncSqlLeases:
    """The leases of one realm; each method awaits its ``SqlLeases`` twin."""

    def __init__(self, leases: SqlLeases) -> None:
        self._leases = leases

    async def acquire(self, name: str, holder: WorkerId, ttl: timedelta, now: datetime) -> Lease | None:
        """Take the lease until *now* + *ttl*, or answer None while another holds it."""
        return await greenlet_spawn(self._leases.acquire, name, holder, ttl, now)

    async def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> Lease | None:
        """Move the end of our lease; None if it is no longer ours."""
        return await greenlet_spawn(self._leases.renew, lease, ttl, now)

    async def release(self, lease: Lease) -> None:
        """Give the lease back."""
        await greenlet_spawn(self._leases.release, lease)


class AsyncSqlRotation:
    """Moves what is stored of one realm to new keys; each method awaits its ``SqlRotation`` twin."""

    def __init__(self, rotation: SqlRotation) -> None:
        self._rotation = rotation

    async def reseal(self, book: AnyBook, after: str, limit: int) -> str | None:
        """Seal bodies anew, for entities whose id is after *after*; answer the id to go on after."""
        return await greenlet_spawn(self._rotation.reseal, book, after, limit)

    async def backfill(self, book: AnyBook, after: str, limit: int) -> str | None:
        """Add missing digests of unique keys, for entities whose id is after *after*; answer the id to go on after."""
        return await greenlet_spawn(self._rotation.backfill, book, after, limit)

    async def is_complete(self, book: AnyBook) -> bool:
        """Tell whether every unique key stands under every live version."""
        return await greenlet_spawn(self._rotation.is_complete, book)

    async def drop(self, book: AnyBook, key_id: str) -> int:
        """Drop the digests of a version that isn't the active one; answer how many there were."""
        return await greenlet_spawn(self._rotation.drop, book, key_id)


class JoinedAsyncSqlStorage:
    """The shop's books in the host's own transaction; made by ``AsyncSqlStorage.joined``."""

    def __init__(self, works: Works) -> None:
        self._works = works

    @property
    def tables(self) -> Tables:
        """The tables, for hosts that look at them."""
        return self._works.tables

    def open(self, scope: Scope) -> AsyncSqlStore:
        """Answer the books of one scope."""
        return AsyncSqlStore(SqlStore(self._works, scope.realm))

    def counters(self, scope: Scope) -> AsyncSqlCounters:
        """Answer the counters of one scope."""
        return AsyncSqlCounters(SqlCounters(self._works, scope.realm))

    def leases(self, scope: Scope) -> AsyncSqlLeases:
        """Answer the leases of one scope."""
        return AsyncSqlLeases(SqlLeases(self._works, scope.realm))

    async def purge_lapsed(self, before: datetime, limit: int) -> int:
        """Forget markers, receipts and counters whose end is before *before*, in all realms; up to *limit* of each."""
        return await greenlet_spawn(purge_lapsed, self._works, before, limit)


class AsyncSqlStorage(JoinedAsyncSqlStorage):
    """The shop's books in SQLite or PostgreSQL, in transactions of their own.

    Args:
        engine: An async engine or its URL (``sqlite+aiosqlite``, ``postgresql+psycopg``). An engine for SQLite is made
            fit for safe writing for whoever else uses it, too.
        sleep: Lets some seconds pass; between tries of a change that collided with others.
        options: What else may be said; see ``Options``.

    Raises:
        BadPolicy: Sealed personal data without vault or keyring.
        Defect: Another database.
    """

    def __init__(
        self,
        engine: AsyncEngine | URL | str,
        *,
        sleep: Callable[[float], Awaitable[None]] = sleep_async,
        **options: Unpack[Options],
    ) -> None:
        self.engine, host = async_engine_of(engine), Awaiting(sleep)
        transactions = OwnTransactions(self.engine.sync_engine, entropy_of(options), host)
        super().__init__(works_of(options, tables_of(options), transactions, host))

    @classmethod
    def joined(
        cls, connection: Callable[[], Answer[AsyncConnection]], **options: Unpack[Options]
    ) -> JoinedAsyncSqlStorage:
        """Answer a storage that works inside the host's transaction and leaves its end to the host.

        Args:
            connection: Answers the host's connection, such as ``session.connection`` of an ``AsyncSession``.
            options: What else may be said; see ``Options``.
        """
        host, tables = Awaiting(sleep_async), tables_of(options)
        return JoinedAsyncSqlStorage(works_of(options, tables, HostTransactions(connection, tables, host), host))

    def rotation(self, scope: Scope) -> AsyncSqlRotation:
        """Answer what moves the sealed contents of one realm to new keys."""
        return AsyncSqlRotation(SqlRotation(self._works, scope.realm))

    async def uses_key(self, key_id: str) -> bool:
        """Tell whether anything is sealed or digested with a key, in any realm; then it can't be retired."""
        return await greenlet_spawn(uses_key, self._works, key_id)

    async def migrate(self) -> None:
        """Bring the tables up to date."""
        await greenlet_spawn(migrate, self.engine.sync_engine, self.tables)

    async def check_schema(self) -> tuple[str, ...]:
        """Answer the revisions that the tables lack, oldest first; nothing if they are up to date."""
        return await greenlet_spawn(missing_revisions, self.engine.sync_engine, self.tables)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
