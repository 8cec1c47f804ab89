"""What every context may rely on from storage. Each numbered promise is a contract test in ``shopaccounts.testing``.

Three primitives decide every race, and nothing else may: *consume* (change an entity at its version, or set a
``Once``), *compare and set* (``was``, ``Guard``, ``swap``), *increment* (``add``).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

import attrs

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.record import Book, Bring, Change, Entity, Found, Recorded, Replayed
from shopaccounts.kernel.scope import Scope

__all__ = [
    "BY_ID",
    "Claimed",
    "Counted",
    "Counters",
    "DueWork",
    "Lease",
    "Leases",
    "OpensCounters",
    "Parked",
    "Position",
    "Records",
    "Rows",
    "Storage",
    "Store",
    "Swap",
]

T = TypeVar("T", bound=Entity)

BY_ID = "id"
"""Look an entity up by its id; any other name is that of a unique key of its book."""


@attrs.frozen
class Position:
    """Where a listing went on: the sort key and id of the last entity seen."""

    at: datetime
    id: str


@attrs.frozen
class Rows(Generic[T]):
    """One page of a listing; ``next`` is None at its end."""

    items: tuple[T, ...]
    next: Position | None


@attrs.frozen
class Claimed(Generic[T]):
    """A due item that is ours until *until*; *fence* makes us lose if we are later than that."""

    item: T
    fence: int
    until: datetime
    attempts: int


@attrs.frozen
class Parked:
    """A due item that failed too often and waits for a person."""

    id: str
    reason: str
    attempts: int


@attrs.frozen
class Counted:
    """A counter's state and the revision it was read at."""

    state: bytes
    revision: int


@attrs.frozen
class Swap:
    """A new state for a counter that was read at revision *seen* (None: absent), worth keeping until *keep_until*."""

    key: str
    seen: int | None
    state: bytes
    keep_until: datetime


@attrs.frozen
class Lease:
    """A named, time-limited right of one worker; *fence* grows with every new holder."""

    name: str
    fence: int
    until: datetime


class Records(Protocol):
    """The shop's books, for one scope: read as of one moment, written whole or not at all.

    Promises:
        1. All or nothing: every part of a change is stored, or none (KER-110).
        2. A version, guard, removal or fence that doesn't hold: nothing stored, ``StaleWrite`` (KER-111).
        3. A unique key or once-marker that is held: nothing stored, ``Taken`` with its logical name (KER-112).
        4. Stale goes before taken; a receipt that is there goes before both (KER-113, KER-136).
        5. Of N callers at once exactly one wins (KER-114); no update is lost, no part of a change is seen (KER-115).
        6. Changes that touch the same things in any order both end (KER-116).
        7. The events of one subject are numbered 1, 2, 3 without gaps, within ``record`` (REL-102), and so are the
           entities of one series; who loses takes no number (KER-180).
        8. Another realm's entities can't be seen, written, or collided with (KER-120).
        9. What a look-up answers is from one moment (KER-121), and equals what was written (KER-195).
        10. A listing shows every entity that was there all the while exactly once (KER-123).
        11. A store that fails raises ``Unavailable``; it never answers "nothing" (KER-127).
        12. Of many ids, all entities that are there are answered at once, each whole and from one moment (KER-121).
    """

    def find(self, book: Book[T], key: str, by: str = BY_ID, bring: tuple[Bring, ...] = ()) -> Answer[Found[T] | None]:
        """Answer the entity with this id or unique key, and those to bring along; None if there is none."""
        ...

    def rows(
        self,
        book: Book[T],
        group: str,
        value: str,
        after: Position | None,
        limit: int,
        *,
        newest_first: bool = False,
    ) -> Answer[Rows[T]]:
        """List the entities of a group, oldest first unless told otherwise, at most *limit*.

        Raises:
            Defect: A *limit* of less than 1 or more than 500.
        """
        ...

    def pick(self, book: Book[T], ids: Sequence[str]) -> Answer[tuple[T, ...]]:
        """Answer the entities with these ids, ordered by id, in one statement; those that are missing are left out.

        Raises:
            Defect: More than 1,000 ids.
        """
        ...

    def record(self, change: Change) -> Answer[Recorded | Replayed]:
        """Store *change* whole.

        Raises:
            StaleWrite: What the decision was based on has moved.
            Taken: A unique key or once-marker is held.
            KeyReused: The request key was used with another content.
            Unavailable: The store didn't answer; OutcomeUnknown if it broke while committing.
        """
        ...

    def record_page(self, changes: Sequence[Change]) -> Answer[tuple[str, ...]]:
        """Store many changes, each whole or not at all, in a number of statements that doesn't grow with them.

        Returns:
            A ``PageResult`` for each change, in order; one that loses undoes no other.
        """
        ...

    def purge(self, book: Book[T], before: datetime, limit: int) -> Answer[int]:
        """Remove up to *limit* entities whose ``keep_until`` is before *before*; answer how many."""
        ...


class DueWork(Protocol):
    """Items that want work done at their time, shared between workers.

    Promises:
        1. An item is in at most one live claim (KER-140).
        2. Only items due at *now*, by priority, then oldest first, ties by id; of a lane only its first (KER-141,
           REL-5).
        3. After the lease an item can be claimed again, with a larger fence (KER-142).
        4. A change with an old fence is a ``StaleWrite`` (KER-143).
        5. ``renew`` and ``release`` move only claims that are still ours (KER-144).
        6. A released item comes back at ``retry_at`` with one attempt more; a parked one only by ``unpark`` (KER-145).
        7. Whatever is due in some groups is told whether claimed or not; nothing that is put off or parked (KER-141).
        8. A change that writes an item under its claim ends the claim with it; any other write leaves it (KER-142).
    """

    def claim_due(
        self, book: Book[T], now: datetime, limit: int, lease: timedelta, worker: WorkerId
    ) -> Answer[tuple[Claimed[T], ...]]:
        """Claim up to *limit* due items until *now* + *lease*."""
        ...

    def due_in(
        self, book: Book[T], group: str, values: Sequence[str], now: datetime, limit: int
    ) -> Answer[tuple[T, ...]]:
        """Answer what is due at *now* in a group with one of these values, in one statement, and claim none of it.

        A worker that has claimed the first item of a lane takes those along that wait behind it. Their versions see to
        it that nobody else changes them meanwhile.

        Args:
            book: Where they are.
            group: By which they are listed together.
            values: At most 1,000.
            now: What is due later, was put off until later, or is parked, is left out; claimed or not is all the same.
            limit: How many at most: those that have been due longest, ties by id.

        Raises:
            Defect: More than 1,000 values.
        """
        ...

    def renew(
        self, book: Book[T], claims: Sequence[Claimed[T]], now: datetime, lease: timedelta
    ) -> Answer[frozenset[str]]:
        """Move the end of our claims; answer the ids that were still ours."""
        ...

    def release(self, book: Book[T], claims: Sequence[Claimed[T]], retry_at: datetime | None) -> Answer[None]:
        """Give claims back: due again at *retry_at* with one attempt more, or (None) at once without counting one."""
        ...

    def park(self, book: Book[T], claim: Claimed[T], reason: str) -> Answer[None]:
        """Set a claimed item aside until a person puts it back."""
        ...

    def parked(self, book: Book[T], limit: int) -> Answer[tuple[Parked, ...]]:
        """List the items set aside."""
        ...

    def unpark(self, book: Book[T], id: str) -> Answer[bool]:
        """Put an item back, its attempts forgotten; false if it isn't parked."""
        ...


class Store(Records, DueWork, Protocol):
    """What an adapter opens for a scope."""


class Counters(Protocol):
    """Small states that many may change at once; they may live apart from the records.

    Promises:
        1. ``swap`` stores each state iff its revision is still *seen* (None: absent), and tells which (KER-150).
        2. N ``add(1)`` at once on an absent key answer 1 to N, each once (KER-150).
        3. A state of up to 256 bytes comes back as it went in, until *keep_until* (KER-151).
        4. A counter outlives a restart, unless the adapter says ``volatile`` (KER-153).
    """

    volatile: bool

    def read(self, *keys: str) -> Answer[Mapping[str, Counted]]:
        """Answer the states under *keys*; of one that is absent, nothing."""
        ...

    def swap(self, *swaps: Swap) -> Answer[frozenset[str]]:
        """Replace states, no key twice; each goes by itself, and those whose revision has moved stay as they are.

        Returns:
            The keys of those that were replaced.

        Raises:
            Defect: A state of more than 256 bytes; none was replaced.
        """
        ...

    def clear(self, key: str) -> Answer[None]:
        """Forget the state or sum under *key*, if there is one."""
        ...

    def add(self, key: str, amount: int, now: datetime, keep_until: datetime) -> Answer[int]:
        """Add *amount* and answer the new sum; a sum that lapsed before *now* counts as nothing."""
        ...


class OpensCounters(Protocol):
    """Where counters lie: with the records, as in every ``Storage``, or apart from them.

    Promises:
        1. Each realm has counters of its own (KER-120).
        2. Nothing relies on a transaction that records and counters would share (KER-154).
    """

    def counters(self, scope: Scope) -> Counters:
        """Answer the counters of one scope."""
        ...


class Leases(Protocol):
    """Named rights that one worker holds at a time.

    Promises:
        1. Of N workers at once one gets the lease; the others get None.
        2. After ``until`` it can be taken again, with a larger fence.
        3. ``renew`` and ``release`` touch only a lease that is still ours.
    """

    def acquire(self, name: str, holder: WorkerId, ttl: timedelta, now: datetime) -> Answer[Lease | None]:
        """Take the lease until *now* + *ttl*, or answer None while another holds it."""
        ...

    def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> Answer[Lease | None]:
        """Move the end of our lease; None if it is no longer ours."""
        ...

    def release(self, lease: Lease) -> Answer[None]:
        """Give the lease back."""
        ...


class Storage(Protocol):
    """A database, or whatever keeps the shop's books; opened once for each process.

    Promises:
        1. Markers, receipts and counters that have lapsed are forgotten page by page; whatever hasn't stays (KER-196).
    """

    def open(self, scope: Scope) -> Store:
        """Answer the books of one scope."""
        ...

    def counters(self, scope: Scope) -> Counters:
        """Answer the counters of one scope."""
        ...

    def leases(self, scope: Scope) -> Leases:
        """Answer the leases of one scope."""
        ...

    def purge_lapsed(self, before: datetime, limit: int) -> Answer[int]:
        """Forget markers, receipts and counters that ended before *before*, in all realms, up to *limit* of each kind.

        Returns:
            How many there were of all three kinds; 0 if none is left.
        """
        ...
