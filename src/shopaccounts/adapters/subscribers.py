"""Python functions that hear of events after these are stored.

The rules, in plain English:

* A function is told at least once, in order for each customer. The same event may come twice; its ``event_id`` tells.
* It gets the event in today's form, however old the recorded one is.
* Whatever it raises means: try again later. ``Ignore`` means: done, nothing to do here.
* A function that writes to the library's own books puts ``handled_once`` into its change; losing on that marker means
  that it had been told before, and counts as done.
"""

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.errors import BadPolicy, Taken
from shopaccounts.kernel.events import Envelope, Event, Upcasts
from shopaccounts.relay import Ack, Dead, Retry, TargetAnswer, TargetPolicy
from shopaccounts.relay.rules import HANDLED, UNREADABLE

__all__ = ["CallableTarget", "Ignore", "read_event"]


class Ignore(Exception):  # noqa: N818  (an order, not an error: raise Ignore("not ours"))
    """Raised by a subscriber that wants nothing done about an event, and not to be told again."""


class CallableTarget:
    """Tells a Python function of events.

    Args:
        name: Stable for good: deliveries are kept under it.
        patterns: Which events: names, ``context.*`` or ``*``.
        tell: Called with the event and its envelope; plain or async, as its host is.
        upcasts: How old schemas become newer ones, one step each.
        policy: How the function is served.
    """

    def __init__(
        self,
        name: str,
        patterns: tuple[str, ...],
        tell: Callable[[Any, Envelope], Answer[None]],
        *,
        upcasts: Upcasts | None = None,
        policy: TargetPolicy | None = None,
    ) -> None:
        self.name, self.patterns, self.policy = name, patterns, policy or TargetPolicy()
        self._tell, self._upcasts = tell, upcasts or {}

    def publish(self, batch: Sequence[Envelope]) -> Answer[Sequence[TargetAnswer]]:
        """Tell the function of each event in turn."""
        return self._publish(batch)

    async def _publish(self, batch: Sequence[Envelope]) -> Sequence[TargetAnswer]:
        return [await self._told(envelope) for envelope in batch]

    async def _told(self, envelope: Envelope) -> TargetAnswer:
        try:
            event = read_event(envelope, self._upcasts)
        except BadPolicy:  # recorded by a newer version, which may be running beside this one
            return Retry("relay.event_unknown")
        except Exception:  # noqa: BLE001  (whatever is wrong with a recorded text, it can't be read)
            return Dead(UNREADABLE)
        try:
            await got(self._tell(event, envelope))
        except Ignore:
            return Ack()
        except Taken as held:
            return Ack() if held.field.startswith(f"once:{HANDLED}") else Retry("kernel.taken")
        except Exception as failure:  # noqa: BLE001  (an exception means: try again)
            return Retry(f"relay.raised:{type(failure).__name__}")
        return Ack()


def read_event(envelope: Envelope, upcasts: Upcasts) -> Event:
    """Answer the event in an envelope as an instance of today's class.

    Raises:
        BadPolicy: The library has no event of this name, or no way from the recorded schema to today's.
    """
    from shopaccounts import serial  # noqa: PLC0415  (as in the kernel: cattrs is loaded with the first event)

    kind = _kinds().get(envelope.name)
    if kind is None:
        _kinds.cache_clear()  # a module with events may have been imported since
        kind = _kinds().get(envelope.name)
    if kind is None or envelope.schema > kind.schema:
        msg = f"no event is called {envelope.name} with schema {envelope.schema}"
        raise BadPolicy(msg)
    data: dict[str, Any] = json.loads(envelope.data)
    for schema in range(envelope.schema, kind.schema):
        if (envelope.name, schema) not in upcasts:
            msg = f"no way up from schema {schema} of {envelope.name}"
            raise BadPolicy(msg)
        data = upcasts[envelope.name, schema](data)
    return serial.load(kind, json.dumps({**data, "at": envelope.occurred_at.isoformat()}))


@functools.cache
def _kinds() -> dict[str, type[Event]]:
    found, waiting = dict[str, type[Event]](), [Event]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if "name" in vars(kind):
                found[kind.name] = kind
    return found
