"""What happened, told once and for good.

An event is frozen, named in the past participle, holds ids only and never personal data. Its envelope adds which one it
was, where it happened, who did it and its place in the history of its subject. Old schemas are upgraded on reading.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import attrs

from shopaccounts.kernel.canonical import canonical, plain_fields
from shopaccounts.kernel.ids import EventId, RealmId, StoreId
from shopaccounts.kernel.scope import Actor

__all__ = ["Envelope", "Event", "SecurityEvent", "Upcasts"]


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened; subclasses add ids and amounts.

    ``name`` is the stable wire name ``context.past_participle``; ``schema`` grows when fields change; ``kept_for`` is
    how long it is kept at least, from when it happened.
    """

    name: ClassVar[str]
    schema: ClassVar[int] = 1
    kept_for: ClassVar[timedelta] = timedelta(0)
    at: datetime

    @property
    def subject(self) -> str:
        """Whose history this belongs to: the customer where there is one, else nobody's."""
        return str(getattr(self, "account", None) or "")

    def data(self) -> str:
        """Answer the event's own fields as canonical JSON, without the time that stands on the envelope."""
        fields = plain_fields(self)
        del fields["at"]
        return canonical(fields)


class SecurityEvent(Event):
    """Something that the security history of its account tells.

    It is kept for 400 days, of the house: over a year, so that what happens once a year can be compared with the time
    before. [OWASP ASVS 16.2, 16.3; OWASP Logging Cheat Sheet]
    """

    kept_for: ClassVar[timedelta] = timedelta(days=400)


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class Envelope:
    """An event as it is kept and handed on.

    ``seq`` is given by the store inside ``record``: the place of this event in the history of its
    subject, without gaps. ``kept_until`` is when it may go, once everybody has heard of it.
    """

    event_id: EventId
    name: str
    schema: int
    occurred_at: datetime
    recorded_at: datetime
    realm: RealmId
    store: StoreId
    subject: str
    actor: Actor
    cause: str
    data: str
    seq: int | None = None
    fanned_out_at: datetime | None = None
    kept_until: datetime
    version: int = 1

    @property
    def id(self) -> str:
        """The event's own id."""
        return self.event_id

    @property
    def is_security(self) -> bool:
        """Whether the security history of its account tells it."""
        return self.kept_until - self.occurred_at >= SecurityEvent.kept_for


Upcast = Callable[[dict[str, Any]], dict[str, Any]]
Upcasts = Mapping[tuple[str, int], Upcast]
"""From (name, old schema) to the function that turns old data into that of the next schema."""
