"""What the relay tells about its own work."""

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId, EventId, MessageId

__all__ = [
    "CourierRefusedLogin",
    "DeliveryDied",
    "MessageBounced",
    "MessageDelivered",
    "MessageDropped",
    "MessageExpired",
]


@attrs.frozen(kw_only=True)
class DeliveryDied(Event):
    """An event could not be delivered to a target and lies in the box of dead letters."""

    name = "relay.delivery_died"
    delivery: str
    event: EventId
    target: str
    reason: str


@attrs.frozen(kw_only=True)
class MessageDelivered(Event):
    """A courier has taken a message over."""

    name = "relay.message_delivered"
    message: MessageId
    template: str
    account: AccountId | None


@attrs.frozen(kw_only=True)
class MessageDropped(Event):
    """A message will not be sent; ``reason`` says why."""

    name = "relay.message_dropped"
    message: MessageId
    template: str
    account: AccountId | None
    reason: str


@attrs.frozen(kw_only=True)
class MessageBounced(Event):
    """A courier refused a message for good: ``undeliverable``, ``rejected`` or ``unsupported``.

    Only ``undeliverable`` says something about the address.
    """

    name = "relay.message_bounced"
    message: MessageId
    template: str
    account: AccountId | None
    bounce: str


@attrs.frozen(kw_only=True)
class MessageExpired(Event):
    """What a message said was no longer true when its turn came."""

    name = "relay.message_expired"
    message: MessageId
    template: str
    account: AccountId | None


@attrs.frozen(kw_only=True)
class CourierRefusedLogin(Event):
    """A courier didn't accept the shop's own login: somebody has to look at its settings."""

    name = "relay.courier_refused_login"
    channel: str
