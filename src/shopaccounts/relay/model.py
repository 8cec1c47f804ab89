"""What the relay hands out, what it gets back, what it counts and keeps in its box."""

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, Self

import attrs

from shopaccounts.kernel.ids import EventId, MessageId, RealmId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book

__all__ = [
    "DEAD",
    "DELIVERIES",
    "LOGIN_REFUSED",
    "LOST",
    "OPEN",
    "PARKED_UNTIL",
    "Accepted",
    "Ack",
    "CourierAnswer",
    "Dead",
    "Delivered",
    "Delivery",
    "DeliveryState",
    "PermanentFailure",
    "Refusal",
    "RelayStatus",
    "Rendered",
    "Retry",
    "TargetAnswer",
    "TargetStatus",
    "TemporaryFailure",
    "Wording",
    "is_dead",
]

LOGIN_REFUSED: Final = "login_refused"
OPEN: Final = "open"
DEAD: Final = "dead"
PARKED_UNTIL: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""When a parked delivery is due: it holds its customer's place in the lane, and nobody claims it."""


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


@attrs.frozen(kw_only=True)
class Wording:
    """A message put into words.

    Args:
        subject: One line.
        text: The plain text, always there.
        html: The same for mail programs that show HTML, or empty.
        locale: The language it is in, which may be another than was asked for.
    """

    subject: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    html: str = attrs.field(default="", repr=False)
    locale: str


@attrs.frozen(kw_only=True)
class Rendered:
    """A message ready to go: one recipient, one wording. Its ``repr`` shows neither.

    Args:
        id: The message's id, the same on each try; couriers pass it on as idempotency key where they can.
        template: Which text it is.
        channel: By which way it goes.
        to: The address or number.
        wording: What it says.
        at: When this try was made.
    """

    id: MessageId
    template: str
    channel: Channel
    to: str = attrs.field(repr=False)
    wording: Wording
    at: datetime


class Refusal(Enum):
    """Why a courier refuses a message for good; only ``UNDELIVERABLE`` is about the address."""

    UNDELIVERABLE = "undeliverable"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"


@attrs.frozen
class Accepted:
    """The other side has taken the message over, and calls it *provider_id*."""

    provider_id: str = ""


@attrs.frozen
class TemporaryFailure:
    """Not now; ``reason`` is a key such as ``connection``, and ``login_refused`` raises an alarm."""

    reason: str
    retry_after: timedelta | None = None


@attrs.frozen
class PermanentFailure:
    """Never."""

    kind: Refusal


CourierAnswer = Accepted | TemporaryFailure | PermanentFailure


@attrs.frozen
class Ack:
    """The other side has the event."""


@attrs.frozen
class Retry:
    """Try again, not before *after*; *error* is a reason key."""

    error: str
    after: timedelta | None = None


@attrs.frozen
class Dead:
    """Trying again is useless; *error* is a reason key."""

    error: str


TargetAnswer = Ack | Retry | Dead


def is_dead(delivery: Delivery) -> bool:
    """Tell whether a delivery lies in the box of dead letters."""
    return delivery.state is DeliveryState.DEAD or (delivery.is_open and delivery.parks)


def _standing(delivery: Delivery) -> str | None:
    if is_dead(delivery):
        return DEAD
    return OPEN if delivery.is_open else None


def _skipped(delivery: Delivery) -> str | None:
    return DEAD if delivery.state is DeliveryState.DEAD else None


def _keep_until(delivery: Delivery) -> datetime | None:
    return None if is_dead(delivery) else delivery.ended_at


DELIVERIES = Book(
    name="deliveries",
    of=Delivery,
    groups={
        "event": lambda d: d.event_id,
        "subject": lambda d: d.subject or None,
        "standing": _standing,
        "skipped": _skipped,
    },
    order=lambda d: d.recorded_at,
    due=lambda d: d.due_at if d.is_open else None,
    lane=lambda d: (f"{d.target} {d.subject}", d.seq) if d.seq else None,
    keep_until=_keep_until,
)
"""Deliveries, listed by how they stand too; ``skipped`` ones are dead and hold nobody back, and leave by ``prune``."""


@attrs.frozen(kw_only=True)
class Delivered:
    """What one call of ``deliver_pending`` did, counted.

    Args:
        sent: Messages that a courier took over.
        unsent: Decoys and messages whose time was over, ended without being sent.
        failed: Messages that ended undelivered for another reason.
        postponed: Messages and deliveries that will be tried again.
        fanned_out: Events that were put on their way to the targets that want them.
        published: Deliveries that a target took over.
        discarded: Deliveries of events that are gone.
        died: Deliveries that went to the box of dead letters.
        lost: Items that another worker had taken over; nothing was changed.
    """

    sent: int = 0
    unsent: int = 0
    failed: int = 0
    postponed: int = 0
    fanned_out: int = 0
    published: int = 0
    discarded: int = 0
    died: int = 0
    lost: int = 0

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(**{name: count + getattr(other, name) for name, count in attrs.asdict(self).items()})

    @property
    def handled(self) -> int:
        """How many items were looked at."""
        return sum(attrs.astuple(self))


LOST: Final = Delivered(lost=1)


@attrs.frozen(kw_only=True)
class TargetStatus:
    """How one target stands.

    Args:
        target: Its name.
        pending: Deliveries that wait for it.
        dead: Deliveries to it in the box of dead letters.
        oldest: When the oldest of those that wait was recorded.
    """

    target: str
    pending: int = 0
    dead: int = 0
    oldest: datetime | None = None

    def with_one(self, delivery: Delivery) -> Self:
        """Answer the status with one more delivery counted."""
        if is_dead(delivery):
            return attrs.evolve(self, dead=self.dead + 1)
        oldest = min(self.oldest or delivery.recorded_at, delivery.recorded_at)
        return attrs.evolve(self, pending=self.pending + 1, oldest=oldest)


@attrs.frozen
class RelayStatus:
    """How every target stands that something waits for, or that is served, by name."""

    targets: tuple[TargetStatus, ...]
