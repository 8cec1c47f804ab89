"""The books, counters and leases of one realm, for blocking hosts; async ones run the same code in a greenlet."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, TypeVar

from shopaccounts.adapters.sqlalchemy.drafting import Draft, Place
from shopaccounts.adapters.sqlalchemy.judging import AlreadyAnswered, Lost
from shopaccounts.adapters.sqlalchemy.works import Works
from shopaccounts.kernel.bounds import page_limit, require_counter_states, require_few_ids
from shopaccounts.kernel.errors import StaleWrite, Taken
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import BY_ID, Claimed, Counted, Lease, Parked, Position, Rows, Swap
from shopaccounts.kernel.record import Book, Bring, Change, Entity, Found, PageResult, Recorded, Replayed

__all__ = ["SqlCounters", "SqlLeases", "SqlStore"]

T = TypeVar("T", bound=Entity)
_ROUNDS: Final = 5
"""How often a change is judged again, and a worker looks again, if somebody came in between."""
_REVISION_BYTES: Final = 7
"""A first revision is drawn from so many bytes, which leaves room to count on."""


class SqlStore:
    """The books of one realm."""

    def __init__(self, works: Works, realm: str) -> None:
        self._works, self._realm = works, realm
        self._alone, self._whole = works.transactions.alone, works.transactions.whole

    # Reading

    def find(self, book: Book[T], key: str, by: str = BY_ID, bring: tuple[Bring, ...] = ()) -> Found[T] | None:
        """Answer the entity with this id or unique key, and those to bring along; None if there is none."""
        find = self._works.reader.find
        return self._alone(lambda conn: find(conn, self._realm, book, key, by, bring))

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
        """List the entities of a group, oldest first unless told otherwise, at most *limit*."""
        rows, most = self._works.reader.rows, page_limit(limit)
        return self._alone(lambda conn: rows(conn, self._realm, book, group, value, after, most, newest_first))

    def pick(self, book: Book[T], ids: Sequence[str]) -> tuple[T, ...]:
        """Answer the entities with these ids, ordered by id; those that are missing are left out."""
        pick, wanted = self._works.reader.pick, sorted(require_few_ids(ids))
        return self._alone(lambda conn: pick(conn, self._realm, book, wanted)) if wanted else ()

    # Writing

    def record(self, change: Change) -> Recorded | Replayed:
        """Store *change* whole."""
        change = change.checked()
        if change.is_empty:
            return Recorded(self._works.transactions.durable)
        draft = self._works.drafter.draft(self._realm, change)
        numbers = self._stored_straight(draft)
        return self._judged(draft) if numbers is None else Recorded(self._works.transactions.durable, numbers)

    def record_page(self, changes: Sequence[Change]) -> tuple[str, ...]:
        """Store many changes, each whole or not at all, in a number of statements that doesn't grow with them."""
        drafts = [self._works.drafter.draft(self._realm, change.checked()) for change in changes]
        if all(change.is_empty for change in changes):
            return (PageResult.RECORDED,) * len(changes)
        if any(change.sweeps for change in changes):
            return self._one_by_one(changes)
        return self._stored_as_page(drafts) or self._one_by_one(changes)

    def purge(self, book: Book[T], before: datetime, limit: int) -> int:
        """Remove up to *limit* entities whose ``keep_until`` is before *before*; answer how many."""
        purge = self._works.writer.purge
        if not book.unique:
            return self._alone(lambda conn: purge(conn, self._realm, book, before, limit))
        return self._whole(lambda conn: purge(conn, self._realm, book, before, limit), (book.name, ""))

    def _stored_straight(self, draft: Draft) -> Mapping[str, int] | None:
        try:
            return self._whole(lambda conn: self._works.writer.straight(conn, self._realm, draft), _about([draft]))
        except Lost:
            return None

    def _stored_as_page(self, drafts: Sequence[Draft]) -> tuple[str, ...] | None:
        try:
            return self._whole(lambda conn: self._works.writer.page(conn, self._realm, drafts), _about(drafts))
        except Lost:
            return None

    def _judged(self, draft: Draft) -> Recorded | Replayed:
        for _ in range(_ROUNDS):
            try:
                numbers = self._whole(lambda conn: self._works.writer.judged(conn, self._realm, draft), _about([draft]))
            except AlreadyAnswered as earlier:
                return Replayed(earlier.result)
            except Lost:
                continue
            return Recorded(self._works.transactions.durable, numbers)
        raise StaleWrite(*_about([draft]))

    def _one_by_one(self, changes: Sequence[Change]) -> tuple[str, ...]:
        return tuple(self._result(change) for change in changes)

    def _result(self, change: Change) -> str:
        try:
            answer = self.record(change)
        except StaleWrite:
            return PageResult.STALE
        except Taken:
            return PageResult.TAKEN
        return PageResult.REPLAYED if isinstance(answer, Replayed) else PageResult.RECORDED

    # Due work

    def claim_due(
        self,
        book: Book[T],
        now: datetime,
        limit: int,
        lease: timedelta,
        worker: WorkerId,  # noqa: ARG002  (fences tell workers apart)
    ) -> tuple[Claimed[T], ...]:
        """Claim up to *limit* due items until *now* + *lease*."""
        worker_of = self._works.worker
        for _ in range(_ROUNDS):
            claims = self._alone(lambda conn: worker_of.claim(conn, self._realm, book, now, now + lease, limit))
            if claims or not self._alone(lambda conn: worker_of.came_too_late(conn, self._realm, book, now)):
                return claims
        return ()

    def due_in(self, book: Book[T], group: str, values: Sequence[str], now: datetime, limit: int) -> tuple[T, ...]:
        """Answer what is due at *now* in a group with one of these values, at most *limit*; claim none of it."""
        due_in, wanted = self._works.worker.due_in, sorted(require_few_ids(values))
        return self._alone(lambda conn: due_in(conn, self._realm, book, group, wanted, now, limit)) if wanted else ()

    def renew(self, book: Book[T], claims: Sequence[Claimed[T]], now: datetime, lease: timedelta) -> frozenset[str]:
        """Move the end of our claims; answer the ids that were still ours."""
        if not claims:
            return frozenset()
        return self._alone(lambda conn: self._works.worker.renew(conn, self._realm, book, claims, now + lease))

    def release(self, book: Book[T], claims: Sequence[Claimed[T]], retry_at: datetime | None) -> None:
        """Give claims back: due again at *retry_at* with one attempt more, or (None) at once without counting one."""
        if claims:
            self._alone(lambda conn: self._works.worker.release(conn, self._realm, book, claims, retry_at))

    def park(self, book: Book[T], claim: Claimed[T], reason: str) -> None:
        """Set a claimed item aside until a person puts it back."""
        self._alone(lambda conn: self._works.worker.park(conn, self._realm, book, claim, reason))

    def parked(self, book: Book[T], limit: int) -> tuple[Parked, ...]:
        """List the items set aside."""
        return self._alone(lambda conn: self._works.worker.parked(conn, self._realm, book, limit))

    def unpark(self, book: Book[T], id: str) -> bool:
        """Put an item back, its attempts forgotten; false if it isn't parked."""
        return self._alone(lambda conn: self._works.worker.unpark(conn, self._realm, book, id))


class SqlCounters:
    """The counters of one realm."""

    volatile = False

    def __init__(self, works: Works, realm: str) -> None:
        self._works, self._realm = works, realm
        self._alone, self._counting = works.transactions.alone, works.counting

    def read(self, *keys: str) -> Mapping[str, Counted]:
        """Answer the states under *keys*; of one that is absent, nothing."""
        return self._alone(lambda conn: self._counting.read(conn, self._realm, keys))

    def swap(self, *swaps: Swap) -> frozenset[str]:
        """Replace states that are still at the revision that was seen; answer the keys of those that were."""
        require_counter_states(swap.state for swap in swaps)
        counting, realm, first = self._counting, self._realm, self._first_revision()
        in_order = sorted(swaps, key=attrgetter("key"))
        new = [swap for swap in in_order if swap.seen is None]
        old = [swap for swap in in_order if swap.seen is not None]
        begun = self._alone(lambda conn: counting.begin(conn, realm, new, first)) if new else frozenset[str]()
        return begun | self._alone(lambda conn: counting.move(conn, realm, old)) if old else begun

    def clear(self, key: str) -> None:
        """Forget the state or sum under *key*, if there is one."""
        self._alone(lambda conn: self._counting.clear(conn, self._realm, key))

    def add(self, key: str, amount: int, now: datetime, keep_until: datetime) -> int:
        """Add *amount* and answer the new sum; a sum that lapsed before *now* counts as nothing."""
        counting, first = self._counting, self._first_revision()
        return self._alone(lambda conn: counting.add(conn, self._realm, key, amount, first, now, keep_until))

    def _first_revision(self) -> int:
        return int.from_bytes(self._works.entropy.raw(_REVISION_BYTES), "big")


class SqlLeases:
    """The leases of one realm."""

    def __init__(self, works: Works, realm: str) -> None:
        self._works, self._realm = works, realm
        self._alone, self._leasing = works.transactions.alone, works.leasing

    def acquire(self, name: str, holder: WorkerId, ttl: timedelta, now: datetime) -> Lease | None:
        """Take the lease until *now* + *ttl*, or answer None while another holds it."""
        return self._alone(lambda conn: self._leasing.acquire(conn, self._realm, name, holder, now, now + ttl))

    def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> Lease | None:
        """Move the end of our lease; None if it is no longer ours."""
        return self._alone(lambda conn: self._leasing.renew(conn, self._realm, lease, now + ttl))

    def release(self, lease: Lease) -> None:
        """Give the lease back."""
        self._alone(lambda conn: self._leasing.release(conn, self._realm, lease))


def _about(drafts: Sequence[Draft]) -> Place:
    """Name what a transaction is about, for the case that the database never lets it through."""
    return next((place for draft in drafts for place in draft.moved), ("changes", ""))
