"""Books of toys, with which any storage can be tried out before it keeps the books of a shop.

A ``Box`` has everything that a book can be told: unique keys, some of them held only for a while, a group, an order, a
time at which it is due, a lane, a priority, a number and an end. Its contents are of every kind that an entity may
hold. A ``Lid`` belongs to the box of the same id.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import TypeVar

import attrs

from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.ids import EventId, MessageId, RealmId
from shopaccounts.kernel.messages import MESSAGES, Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.quotas import QUOTAS
from shopaccounts.kernel.record import AnyBook, Book
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.vault import Sealed

__all__ = [
    "BOXES",
    "LIDS",
    "NOW",
    "TOYS",
    "Box",
    "Colour",
    "Label",
    "Lid",
    "box",
    "happened",
    "lid",
    "notice",
    "with_toys",
]

S = TypeVar("S")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Colour(Enum):
    """A closed choice."""

    RED = "red"
    BLUE = "blue"


@attrs.frozen(kw_only=True)
class Label:
    """A value inside a value."""

    text: str = ""
    size: int = 0


_TOY = impersonal("a toy")


@described(data_class="toys", default=_TOY)
@attrs.frozen(kw_only=True)
class Box:
    """A toy that holds a value of every kind."""

    id: str
    realm: RealmId
    version: int = 1
    name: str | None = attrs.field(default=None, metadata=_TOY)
    nicknames: tuple[str, ...] = attrs.field(default=(), metadata=_TOY)
    is_open: bool = True
    owner: str | None = attrs.field(default=None, metadata=_TOY)
    put_at: datetime = NOW
    due_at: datetime | None = None
    lane: str = attrs.field(default="", metadata=_TOY)
    place: int = 0
    urgency: int = 0
    series: str = attrs.field(default="", metadata=_TOY)
    number: int | None = None
    keep_until: datetime | None = None
    text: str = attrs.field(default="", metadata=_TOY)
    note: str | None = attrs.field(default=None, metadata=_TOY)
    data: bytes = attrs.field(default=b"", metadata=_TOY)
    count: int = 0
    colour: Colour = Colour.RED
    tags: frozenset[str] = attrs.field(default=frozenset(), metadata=_TOY)
    facts: Mapping[str, str] = attrs.field(factory=dict, metadata=_TOY)
    day: date | None = attrs.field(default=None, metadata=_TOY)
    span: timedelta = timedelta(0)
    label: Label = attrs.field(default=Label(), metadata=_TOY)
    sealed: Sealed | None = attrs.field(default=None, metadata=_TOY)


@described(data_class="toys", default=_TOY)
@attrs.frozen(kw_only=True)
class Lid:
    """A toy that belongs to the box of the same id, and is counted with it."""

    id: str
    realm: RealmId
    version: int = 1
    box: str | None = attrs.field(default=None, metadata=_TOY)
    put_at: datetime = NOW
    count: int = 0


BOXES = Book(
    name="toy_boxes",
    of=Box,
    unique={
        "box_name": lambda b: () if b.name is None else (b.name,),
        "box_nickname": lambda b: b.nicknames,
        "box_number": lambda b: (f"{b.series} {b.number}",) if b.number else (),
        "open_box": lambda b: (b.owner,) if b.owner is not None and b.is_open and b.colour is Colour.BLUE else (),
    },
    groups={"owner": lambda b: b.owner},
    order=lambda b: b.put_at,
    due=lambda b: b.due_at,
    lane=lambda b: (b.lane, b.place) if b.lane else None,
    priority=lambda b: b.urgency,
    numbered=lambda b: b.series or None,
    keep_until=lambda b: b.keep_until,
)
"""``open_box`` is held by blue boxes while they are open: one for each owner."""

LIDS = Book(name="toy_lids", of=Lid, groups={"box": lambda x: x.box}, order=lambda x: x.put_at)

TOYS: tuple[AnyBook, ...] = (BOXES, LIDS, EVENTS, MESSAGES, QUOTAS)
"""Every book that the contracts use."""


def with_toys(open_storage: Callable[..., S], *args: object) -> S:
    """Answer ``open_storage(*args, books=TOYS)``; ``functools.partial`` of it can be sent to another process."""
    return open_storage(*args, books=TOYS)


def box(scope: Scope, id: str = "box", **fields: object) -> Box:
    """Answer a box in the realm of *scope*."""
    return Box(id=id, realm=scope.realm, **fields)  # type: ignore[arg-type]  # as the class says


def lid(scope: Scope, id: str = "box", **fields: object) -> Lid:
    """Answer a lid in the realm of *scope*."""
    return Lid(id=id, realm=scope.realm, **fields)  # type: ignore[arg-type]  # as the class says


def happened(scope: Scope, id: str, subject: str = "", data: str = "{}") -> Envelope:
    """Answer an event, told at ``NOW``."""
    return Envelope(
        event_id=EventId(id),
        name="toys.box_opened",
        schema=1,
        occurred_at=NOW,
        recorded_at=NOW,
        realm=scope.realm,
        store=scope.store,
        subject=subject,
        actor=scope.actor,
        cause="",
        data=data,
        kept_until=NOW,
    )


def notice(scope: Scope, id: str, **fields: object) -> Message:
    """Answer a message that is due at ``NOW``."""
    plain: dict[str, object] = {
        "template": "toys.box_opened",
        "channel": Channel.EMAIL,
        "locale": "en",
        "category": MessageCategory.TRANSACTIONAL,
        "priority": Priority.NORMAL,
        "subject": "",
        "sealed": Sealed(b"sealed"),
        "variables": {},
        "created_at": NOW,
        "due_at": NOW,
        "expires_at": NOW + timedelta(days=1),
    }
    named = {"id": MessageId(id), "realm": scope.realm, "store": scope.store, "idempotency_key": id}
    return Message(**(plain | named | fields))  # type: ignore[arg-type]  # as the class says
