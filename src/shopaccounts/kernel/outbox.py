"""The books of what is to be handed on: events, and their delivery to each target.

Messages have their own (``messages.py``). A store gives each event its place in the history of its subject; all else
about events and deliveries is ordinary: they are due, claimed, changed and purged like anything else.
"""

from datetime import datetime
from enum import Enum

import attrs

from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.ids import EventId, RealmId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book

__all__ = ["DELIVERIES", "EVENTS", "Delivery", "DeliveryState"]


class DeliveryState(Enum):
    """How far the delivery of one event to one target got."""

    PENDING = "pending"
    PUBLISHED = "published"
    DEAD = "dead"
    DISCARDED = "discarded"


@described(data_class="outbox", default=impersonal("ids, states, counters"))
@attrs.frozen(kw_only=True)
class Delivery:
    """One event on its way to one target."""

    id: str
    realm: RealmId
    version: int = 1
    event_id: EventId
    target: str = attrs.field(metadata=impersonal("the name of a target"))
    subject: str = attrs.field(metadata=impersonal("an opaque id"))
    seq: int | None
    recorded_at: datetime
    due_at: datetime
    parks: bool = False
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    ended_at: datetime | None = None
    last_error: str = attrs.field(default="", metadata=impersonal("a reason key"))

    @property
    def is_open(self) -> bool:
        """Whether it still waits, or holds back what comes after it."""
        return self.state is DeliveryState.PENDING


EVENTS = Book(
    name="events",
    of=Envelope,
    groups={"subject": lambda e: e.subject or None},
    order=lambda e: e.recorded_at,
    due=lambda e: None if e.fanned_out_at else e.recorded_at,
    lane=lambda e: (e.subject, e.seq) if e.seq else None,
    keep_until=lambda e: e.fanned_out_at,
)

DELIVERIES = Book(
    name="deliveries",
    of=Delivery,
    groups={"event": lambda d: d.event_id, "subject": lambda d: d.subject or None},
    order=lambda d: d.recorded_at,
    due=lambda d: d.due_at if d.is_open else None,
    lane=lambda d: (f"{d.target} {d.subject}", d.seq) if d.seq else None,
    keep_until=lambda d: d.ended_at,
)
