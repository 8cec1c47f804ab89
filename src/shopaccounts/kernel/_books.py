"""What the shop keeps of one class, and what a decision writes of it; offered by ``shopaccounts.kernel.record``."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs

from shopaccounts.kernel.evolving import but

__all__ = ["AnyBook", "Book", "Bring", "Entity", "Found", "Guard", "Removal", "Write"]


class Entity(Protocol):
    """A frozen value with an identity; ``version`` is 1 when added and grows by one with every write."""

    @property
    def id(self) -> str:
        """Opaque and unique within its book and realm."""
        ...

    @property
    def realm(self) -> str:
        """The pool of customers it belongs to."""
        ...

    @property
    def version(self) -> int:
        """How often it was written."""
        ...


T = TypeVar("T", bound=Entity)
U = TypeVar("U", bound=Entity)


_NO_KEYS: Final[frozenset[tuple[str, str]]] = frozenset()


def _nothing(_: object) -> None:
    return None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Book(Generic[T]):
    """What the shop keeps of one class, and how it is found again.

    Args:
        name: Stable for good; stores name their table after it.
        of: The entity's class.
        unique: Logical key name to the keys that an entity holds now. Byte for byte unique in a realm.
        groups: Group name to the value by which entities are listed together, such as the account of a session.
        order: What a listing is sorted by, oldest first; it never changes. Ids break ties.
        due: When an entity wants work done, None for never; workers claim what is due.
        lane: Name of the lane that an entity waits in, and its place there: of what wants work in a lane, only the
            first may be claimed.
        priority: Claimed before others that are due, higher first.
        numbered: The series whose next number an entity takes when it is written and has none yet; None for none.
            A series has no gaps, and each realm and each book has series of its own.
        numbered_as: The field that holds that number, None until it is given.
        keep_until: When an entity may be purged, None for never.
        personal: Whether bodies are sealed and keys blinded in shops that seal personal data.
    """

    name: str
    of: type[T]
    unique: Mapping[str, Callable[[T], Iterable[str]]] = attrs.field(factory=dict)
    groups: Mapping[str, Callable[[T], str | None]] = attrs.field(factory=dict)
    order: Callable[[T], datetime] | None = None
    due: Callable[[T], datetime | None] | None = None
    lane: Callable[[T], tuple[str, int] | None] = _nothing
    priority: Callable[[T], int] = lambda _: 0
    numbered: Callable[[T], str | None] = _nothing
    numbered_as: str = "number"
    keep_until: Callable[[T], datetime | None] = _nothing
    personal: bool = False

    def __repr__(self) -> str:
        return f"<Book {self.name}>"

    def add(self, entity: T) -> "Write":
        """Write *entity* anew; it must not exist."""
        now = entity if entity.version == 1 else but(entity, version=1)
        return Write(book=self, now=now, was=None)

    def change(self, was: T, now: T) -> "Write":
        """Write *now* in place of *was*, which must be what is stored."""
        return Write(book=self, now=but(now, version=was.version + 1), was=was)

    def remove(self, entity: T) -> "Removal":
        """Remove *entity*, which must be what is stored."""
        return Removal(book=self, was=entity)

    def unchanged(self, entity: T) -> "Guard":
        """Rely on *entity* being what is stored, without writing it."""
        return Guard(book=self, id=entity.id, version=entity.version)

    def absent(self, id: str) -> "Guard":
        """Rely on no entity having this id."""
        return Guard(book=self, id=id, version=None)

    def via(self, link: str = "id") -> "Bring":
        """Bring along the entity of this book whose id is the found one's id, its realm, or its group *link*."""
        return Bring(self, link)

    def newest(self, group: str, via: str = "id", after: int = 0) -> "Bring":
        """Bring along the newest entity of this book whose *group* is the found one's id, or its group *via*.

        With *after*, so many that are newer are passed over: what comes tells that there are more than so many.
        """
        return Bring(self, via, group, after)

    def series(self, entity: T) -> str | None:
        """Answer the series whose next number *entity* takes when it is written, None if it takes none."""
        series = self.numbered(entity)
        return series if series is not None and getattr(entity, self.numbered_as) is None else None

    def with_number(self, entity: T, number: int) -> T:
        """Answer *entity* with the number that it was given."""
        return but(entity, **{self.numbered_as: number})

    def keys(self, entity: T) -> frozenset[tuple[str, str]]:
        """Answer every unique key that *entity* holds, each with its logical name."""
        if not self.unique:
            return _NO_KEYS
        return frozenset((name, key) for name, held in self.unique.items() for key in held(entity))


AnyBook = Book[Any]
"""A book of whatever class."""
_FOR_ALL: Final = frozenset({"id", "realm"})
"""What leads from every entity to others, besides its groups."""


@attrs.frozen
class Bring:
    """A further entity to answer with the one that is looked up, from the same moment.

    Args:
        book: Where to look.
        via: What of the found entity leads there: its ``id``, its ``realm``, or one of its groups.
        group: None: the entity with that id. A group: the newest entity (last by order, then id) in that group.
        after: How many newer ones of the group are passed over.
    """

    book: AnyBook
    via: str = "id"
    group: str | None = None
    after: int = 0

    def leads_from(self, book: AnyBook, found: Any) -> str | None:
        """Answer the value by which *found*, an entity of *book*, leads there; None if it leads nowhere."""
        value: str | None = getattr(found, self.via) if self.via in _FOR_ALL else book.groups[self.via](found)
        return value


@attrs.frozen
class Found(Generic[T]):
    """What a look-up answers: the entity, and those that were to be brought along."""

    it: T
    brought: Mapping[str, Any] = attrs.field(factory=dict)

    def __getitem__(self, book: Book[U]) -> U | None:
        entity: U | None = self.brought.get(book.name)
        return entity


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class Write:
    """Store *now*; *was* is what the decision was based on, None where nothing may exist."""

    book: AnyBook
    now: Any
    was: Any | None

    @property
    def place(self) -> tuple[str, str]:
        """Which entity is written."""
        return (self.book.name, self.now.id)


@attrs.frozen(kw_only=True)
class Removal:
    """Remove *was*, if it is still what is stored."""

    book: AnyBook
    was: Any

    @property
    def place(self) -> tuple[str, str]:
        """Which entity is removed."""
        return (self.book.name, self.was.id)


@attrs.frozen(kw_only=True)
class Guard:
    """This must still be so when the change is stored: that version, or (None) no such entity."""

    book: AnyBook
    id: str
    version: int | None

    @property
    def place(self) -> tuple[str, str]:
        """Which entity is guarded."""
        return (self.book.name, self.id)
