"""One decision, one change, stored whole or not at all.

A use-case loads, decides purely, and hands a ``Change`` to ``record``: plain data that says what is to be written, what
must still be so while it is written, what happened and what is to be sent. Building one touches nothing.

A ``Book`` says what the shop keeps of one class: under which name, which keys are unique, by what it is listed, and
when it is due for work. Stores know books and nothing of the business, so a new context adds a book and no code to a
store.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, Self, runtime_checkable

import attrs

from shopaccounts.kernel._books import AnyBook, Book, Bring, Entity, Found, Guard, Removal, Write
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.events import Envelope

if TYPE_CHECKING:
    from shopaccounts.kernel.messages import Message

__all__ = [
    "AnyBook",
    "Book",
    "Bring",
    "Change",
    "ClaimGuard",
    "Entity",
    "Found",
    "Guard",
    "LeaseGuard",
    "Once",
    "PageResult",
    "Receipt",
    "Recorded",
    "Removal",
    "Replayed",
    "Sweep",
    "Write",
]

MAX_WRITES: Final = 1000
MAX_EVENTS: Final = 200
MAX_MESSAGES: Final = 50
MAX_RECEIPT_BYTES: Final = 4096
MAX_ENTITY_BYTES: Final = 65536


@runtime_checkable
class Mergeable(Protocol):
    """An entity of which two changes, decided from the same version, can be joined into one."""

    def merged(self, other: Self, was: Self) -> Self:
        """Answer what *was* becomes when both changes happen."""
        ...


@attrs.frozen
class ClaimGuard:
    """The claim on a due item must still be ours; a change that writes the item as well has worked it off.

    Then the claim ends with the change: whoever makes the item due again needn't wait for the lease to end.
    """

    book: AnyBook
    id: str
    fence: int

    @property
    def place(self) -> tuple[str, str]:
        """Which item is claimed."""
        return (self.book.name, self.id)


@attrs.frozen
class LeaseGuard:
    """The named lease must still be ours."""

    name: str
    fence: int


@attrs.frozen(kw_only=True)
class Once:
    """A marker that can be set a single time until *keep_until*; *now* decides whether an earlier one has lapsed."""

    namespace: str
    key: str
    now: datetime
    keep_until: datetime

    @property
    def field(self) -> str:
        """The logical name under which a second setting is refused."""
        return f"once:{self.namespace}"


@attrs.frozen(kw_only=True)
class Sweep:
    """Remove every entity of a book whose group has a value, except some: one statement, however many there are."""

    book: AnyBook
    group: str
    value: str
    spare: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class Receipt:
    """The answer of a command, kept under its request key so that asking again answers the same."""

    namespace: str
    key: str
    body_hash: str
    result: bytes
    keep_until: datetime


@attrs.frozen
class Recorded:
    """The change is stored.

    Args:
        durable: False while it waits for the host's own commit.
        numbers: The numbers that its entities were given, by their ids; those of events are not told.
    """

    durable: bool = True
    numbers: Mapping[str, int] = attrs.field(factory=dict, hash=False)


@attrs.frozen
class Replayed:
    """The command was answered before; nothing was written."""

    result: bytes


class PageResult:
    """How one change of a page ended."""

    RECORDED: Final = "recorded"
    STALE: Final = "stale"
    TAKEN: Final = "taken"
    REPLAYED: Final = "replayed"


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class Change:
    """Everything that one decision stores; ``a | b`` joins two parts so that both happen or neither."""

    writes: tuple[Write, ...] = ()
    removals: tuple[Removal, ...] = ()
    guards: tuple[Guard, ...] = ()
    claims: tuple[ClaimGuard, ...] = ()
    leases: tuple[LeaseGuard, ...] = ()
    once: tuple[Once, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    events: tuple[Envelope, ...] = ()
    messages: tuple["Message", ...] = ()
    receipt: Receipt | None = None

    def __or__(self, part: "Change") -> "Change":
        """Join two parts.

        Raises:
            Defect: They write one entity differently, guard what the other changes, or bring two receipts.
        """
        if part.is_empty:
            return self
        if self.receipt and part.receipt and self.receipt != part.receipt:
            msg = "two receipts in one change"
            raise Defect(msg)
        joined = Change(
            writes=_joined_writes(self.writes + part.writes),
            removals=_joined_removals(self.removals + part.removals),
            guards=tuple(dict.fromkeys(self.guards + part.guards)),
            claims=tuple(dict.fromkeys(self.claims + part.claims)),
            leases=tuple(dict.fromkeys(self.leases + part.leases)),
            once=tuple(dict.fromkeys(self.once + part.once)),
            sweeps=tuple(dict.fromkeys(self.sweeps + part.sweeps)),
            events=self.events + part.events,
            messages=self.messages + part.messages,
            receipt=self.receipt or part.receipt,
        )
        return joined.checked()

    @property
    def is_empty(self) -> bool:
        """Whether recording it would do nothing at all."""
        return self == _EMPTY

    @property
    def all_writes(self) -> tuple[Write, ...]:
        """Answer the writes, those of the messages among them."""
        if not self.messages:
            return self.writes
        from shopaccounts.kernel.messages import MESSAGES  # noqa: PLC0415  (messages are entities, and build on this)

        return self.writes + tuple(MESSAGES.add(message) for message in self.messages)

    @property
    def worked_off(self) -> tuple[ClaimGuard, ...]:
        """Answer the claims that end with this change: those on items that it writes."""
        changed = {write.place for write in self.all_writes if write.was is not None} if self.claims else ()
        return tuple(claim for claim in self.claims if claim.place in changed)

    @property
    def relied_on(self) -> tuple[tuple[AnyBook, str, int | None], ...]:
        """Answer each entity that must be as it was when the decision was taken, with its version; None: absent."""
        written = tuple((w.book, w.now.id, w.was.version if w.was else None) for w in self.all_writes)
        removed = tuple((r.book, r.was.id, r.was.version) for r in self.removals)
        return written + removed + tuple((g.book, g.id, g.version) for g in self.guards)

    def checked(self) -> "Change":
        """Answer this change if it is one that a store may be asked to record.

        Raises:
            Defect: It contradicts itself or is too large.
        """
        _refuse_oversize(self)
        _refuse_contradictions(self)
        return self


_EMPTY = Change()


def _joined_removals(removals: tuple[Removal, ...]) -> tuple[Removal, ...]:
    by_place: dict[tuple[str, str], Removal] = {}
    for removal in removals:
        if by_place.setdefault(removal.place, removal) != removal:
            msg = f"two different removals of {removal.place}"
            raise Defect(msg)
    return tuple(by_place.values())


def _joined_writes(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    by_place: dict[tuple[str, str], Write] = {}
    for write in writes:
        known = by_place.get(write.place)
        by_place[write.place] = write if known is None or known == write else _merged(known, write)
    return tuple(by_place.values())


def _merged(one: Write, other: Write) -> Write:
    if one.was is None or one.was != other.was or not isinstance(one.now, Mergeable):
        msg = f"two different writes of {one.place}"
        raise Defect(msg)
    both = one.now.merged(other.now, one.was)
    return one.book.change(one.was, both)


def _refuse_oversize(change: Change) -> None:
    sizes = {
        "writes": (len(change.writes) + len(change.removals), MAX_WRITES),
        "events": (len(change.events), MAX_EVENTS),
        "messages": (len(change.messages), MAX_MESSAGES),
        "receipt bytes": (len(change.receipt.result) if change.receipt else 0, MAX_RECEIPT_BYTES),
    }
    for what, (size, limit) in sizes.items():
        if size > limit:
            msg = f"a change with {size} {what}; at most {limit}"
            raise Defect(msg)


def _refuse_contradictions(change: Change) -> None:
    written = {write.place: write.was.version if write.was else None for write in change.writes}
    removed = {removal.place: removal.was.version for removal in change.removals}
    for place in written.keys() & removed.keys():
        msg = f"{place} is both written and removed"
        raise Defect(msg)
    if len(written) < len(change.writes) or len(removed) < len(change.removals):
        msg = "one entity is written or removed twice"
        raise Defect(msg)
    relied_on = written | removed
    for guard in change.guards:
        if guard.place in relied_on and relied_on[guard.place] != guard.version:
            msg = f"a guard contradicts the write of {guard.place}"
            raise Defect(msg)
