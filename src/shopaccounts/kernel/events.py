"""What happened, told once and for good.

An event is frozen, named in the past participle, holds ids only and never personal data. Its envelope adds which one it
was, where it happened, who did it and its place in the history of its subject. Old schemas are upgraded on reading.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

import attrs

from shopaccounts.kernel.canonical import canonical, plain_fields
from shopaccounts.kernel.ids import EventId, RealmId, StoreId
from shopaccounts.kernel.scope import Actor

__all__ = ["Envelope", "Event", "Upcasts"]


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened; subclasses add ids and amounts.

    ``name`` is the stable wire name ``context.past_participle``; ``schema`` grows when fields change.
    """

    name: ClassVar[str]
    schema: ClassVar[int] = 1
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


@attrs.frozen(kw_only=True)
class Envelope:
    """An event as it is kept and handed on.

    ``seq`` is given by the store inside ``record``: the place of this event in the history of its
    subject, without gaps.
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
    version: int = 1

    @property
    def id(self) -> str:
        """The event's own id."""
        return self.event_id


Upcast = Callable[[dict[str, Any]], dict[str, Any]]
Upcasts = Mapping[tuple[str, int], Upcast]
"""From (name, old schema) to the function that turns old data into that of the next schema."""
