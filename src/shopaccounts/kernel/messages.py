"""What is to be said to a person, kept until it was said.

A message is recorded with the change that causes it, so nothing is changed without its notice and no notice is sent for
what did not happen. Address and secrets travel sealed and are wiped when the message ends, however it ends.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, IntEnum

import attrs

from shopaccounts.kernel.ids import MessageId, RealmId, StoreId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.vault import Sealed

__all__ = ["MESSAGES", "Channel", "Message", "MessageCategory", "MessageState", "Priority"]


class Channel(Enum):
    """By which way a message goes out."""

    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"


class MessageCategory(Enum):
    """Why it is sent; security messages ask neither consent nor the hour."""

    SECURITY = "security"
    TRANSACTIONAL = "transactional"
    LEGAL = "legal"
    MARKETING = "marketing"


class MessageState(Enum):
    """How far it got."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DISCARDED = "discarded"
    EXPIRED = "expired"
    DEAD = "dead"


class Priority(IntEnum):
    """What goes first when much is waiting."""

    BULK = 0
    NORMAL = 5
    SECURITY = 9


@described(data_class="message", default=impersonal("ids, states, counters"))
@attrs.frozen(kw_only=True)
class Message:
    """One message to one person by one channel.

    Args:
        template: Which text, as ``context.situation``.
        template_version: Of the variables that the template is given.
        subject: The customer it is about, empty for strangers.
        sealed: Address and secret variables, sealed for this message alone; None once it has ended.
        variables: Plain values for the text; wiped with the secret part.
        deliver: False for a decoy, which is ended unsent and differs from others in nothing else.
        expires_at: The end of life of what it says; it is not sent from then on.
        id: Made of the store and the key of the cause, so that no cause is told of twice.
        idempotency_key: Natural key of the cause.
    """

    id: MessageId
    realm: RealmId
    store: StoreId
    version: int = 1
    template: str = attrs.field(metadata=impersonal("which text"))
    template_version: int = 1
    channel: Channel
    locale: str = attrs.field(metadata=impersonal("a language"))
    category: MessageCategory
    priority: Priority
    subject: str = attrs.field(metadata=impersonal("an opaque id"))
    sealed: Sealed | None = attrs.field(metadata=secret("message", "address and secrets of a message"))
    variables: Mapping[str, str] = attrs.field(
        metadata=personal("message", Category.CONTENT, on_erase=OnErase.NULL, export=False)
    )
    deliver: bool = True
    created_at: datetime
    due_at: datetime
    expires_at: datetime
    idempotency_key: str = attrs.field(metadata=impersonal("built from opaque ids"))
    state: MessageState = MessageState.PENDING
    attempts: int = 0
    ended_at: datetime | None = None
    end_reason: str = attrs.field(default="", metadata=impersonal("a reason key"))
    provider_id: str = attrs.field(default="", metadata=impersonal("the courier's id of the message"))

    @property
    def is_open(self) -> bool:
        """Whether it still waits to be said."""
        return self.state is MessageState.PENDING


def _due(message: Message) -> datetime | None:
    return message.due_at if message.is_open else None


MESSAGES = Book(
    name="messages",
    of=Message,
    groups={"subject": lambda m: m.subject or None},
    order=lambda m: m.created_at,
    due=_due,
    priority=lambda m: m.priority,
    keep_until=lambda m: m.ended_at,
)
