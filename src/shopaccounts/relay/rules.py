"""What becomes of an event, a delivery and a message.

The rules, in plain English:

* A target gets an event if one of its patterns names it: the whole name, ``context.*``, or ``*``.
* A delivery has the natural key (event, target), so fanning out twice gives the same deliveries.
* What failed is tried again by its schedule. After the schedule, or at once where the target says so, it is dead: it
  lies in the box until a person puts it back or throws it away. A target that parks lets nothing of the same customer
  pass a dead one.
* That a telling of a death could not be told is not told again; the box shows it.
* A message that ends, however it ends, loses its address, its secrets and its variables in the same step.
* A message is tried for the last time before what it says is over, and wiped when it is over.
* What is kept of a failure is a key, never the other side's words: they may hold addresses.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

import attrs

from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.events import Envelope, Event
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.messages import Message, MessageState
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Claimed
from shopaccounts.kernel.record import Change, Once
from shopaccounts.relay.events import (
    CourierRefusedLogin,
    DeliveryDied,
    MessageBounced,
    MessageDelivered,
    MessageDropped,
    MessageExpired,
)
from shopaccounts.relay.model import (
    DELIVERIES,
    LOGIN_REFUSED,
    PARKED_UNTIL,
    Accepted,
    Ack,
    CourierAnswer,
    Dead,
    Delivered,
    Delivery,
    DeliveryState,
    PermanentFailure,
    Retry,
    TargetAnswer,
    TemporaryFailure,
    is_dead,
)
from shopaccounts.relay.policy import OnDead, RelayPolicy, TargetPolicy
from shopaccounts.relay.schedules import next_attempt_at

__all__ = [
    "DECOY",
    "HANDLED",
    "UNREADABLE",
    "Ended",
    "MessageOutcome",
    "after_publishing",
    "after_sending",
    "check_target",
    "count",
    "fan_out",
    "handled_once",
    "in_batches",
    "reason_key",
    "requeued",
    "thrown_away",
    "wants",
]

_PATTERN: Final = re.compile(r"\*|[a-z0-9_]+\.\*|[a-z0-9_]+(\.[a-z0-9_]+)+")
_TARGET: Final = re.compile(r"[a-z0-9_-]{1,64}")
_KEY: Final = re.compile(r"[a-z][a-z0-9_]*([.:][A-Za-z0-9_]+)*")
_LONGEST_KEY: Final = 200
DECOY: Final = "decoy"
UNREADABLE: Final = "relay.unreadable"
HANDLED: Final = "handled:"


@attrs.frozen
class Ended:
    """A message ends without a courier; ``reason`` is a key."""

    state: MessageState
    reason: str = ""


MessageOutcome = CourierAnswer | Ended


def wants(patterns: Iterable[str], name: str) -> bool:
    """Tell whether an event of this name fits one of the patterns."""
    return any(pattern in {"*", name} or _is_family(pattern, name) for pattern in patterns)


def _is_family(pattern: str, name: str) -> bool:
    return pattern.endswith(".*") and name.startswith(pattern[:-1])


def check_target(name: str, patterns: tuple[str, ...]) -> None:
    """Refuse a target that could never work.

    Raises:
        BadPolicy: The name has other signs than a-z, 0-9, ``_`` and ``-``; there is no pattern, or one that is neither
            a name, ``context.*`` nor ``*``.
    """
    if not _TARGET.fullmatch(name):
        msg = f"{name!r} can't be a target's name"
        raise BadPolicy(msg)
    if not patterns or not all(_PATTERN.fullmatch(pattern) for pattern in patterns):
        msg = f"target {name} has no patterns, or one that names no event"
        raise BadPolicy(msg)


def reason_key(text: str) -> str:
    """Answer *text* if it is a key, else a key that says so: what others write may hold addresses and secrets."""
    return text if len(text) <= _LONGEST_KEY and _KEY.fullmatch(text) else "relay.unnamed"


def fan_out(
    event: Envelope, targets: Mapping[str, tuple[str, ...]], now: datetime, keep_published: timedelta
) -> Change:
    """Put an event on its way to each target that wants it; the mark and the deliveries are one change.

    Args:
        event: What is not fanned out yet.
        targets: Names of targets to their patterns.
        now: When it happens.
        keep_published: How long an event is kept from now on, unless it has to be kept longer.
    """
    kept_until = max(event.kept_until, now + keep_published)
    wanting = [name for name, patterns in targets.items() if wants(patterns, event.name)]
    return Change(
        writes=(
            EVENTS.change(event, attrs.evolve(event, fanned_out_at=now, kept_until=kept_until)),
            *(DELIVERIES.add(_delivery(event, target, now)) for target in wanting),
        )
    )


def _delivery(event: Envelope, target: str, now: datetime) -> Delivery:
    return Delivery(
        id=f"{event.event_id}:{target}",
        realm=event.realm,
        event_id=event.event_id,
        target=target,
        subject=event.subject,
        seq=event.seq,
        recorded_at=event.recorded_at,
        due_at=now,
    )


def after_publishing(
    delivery: Delivery,
    event_name: str,
    outcome: TargetAnswer,
    now: datetime,
    fraction: float,
    policy: RelayPolicy,
    on_dead: OnDead,
) -> tuple[Delivery, tuple[Event, ...]]:
    """Decide what a target's answer means for a delivery."""
    tried = attrs.evolve(delivery, attempts=delivery.attempts + 1)
    match outcome:
        case Ack():
            return attrs.evolve(tried, state=DeliveryState.PUBLISHED, ended_at=now, last_error=""), ()
        case Retry(error, after):
            again = next_attempt_at(tried.attempts, now, fraction, spread=policy.spread, retry_after=after)
            if again is None:
                return _dead(tried, event_name, error, now, on_dead)
            return attrs.evolve(tried, due_at=again, last_error=reason_key(error)), ()
        case Dead(error):
            return _dead(tried, event_name, error, now, on_dead)
        case _:
            assert_never(outcome)


def _dead(
    delivery: Delivery, event_name: str, error: str, now: datetime, on_dead: OnDead
) -> tuple[Delivery, tuple[Event, ...]]:
    boxed = attrs.evolve(delivery, ended_at=now, last_error=reason_key(error))
    if on_dead is OnDead.PARK:
        boxed = attrs.evolve(boxed, parks=True, due_at=PARKED_UNTIL)
    else:
        boxed = attrs.evolve(boxed, state=DeliveryState.DEAD)
    if event_name == DeliveryDied.name:
        return boxed, ()
    return boxed, (_died(boxed, now),)


def _died(delivery: Delivery, now: datetime) -> DeliveryDied:
    return DeliveryDied(
        at=now, delivery=delivery.id, event=delivery.event_id, target=delivery.target, reason=delivery.last_error
    )


def requeued(delivery: Delivery, now: datetime) -> Delivery:
    """Answer a dead delivery as one that is tried anew, from its first attempt on."""
    return attrs.evolve(
        delivery,
        state=DeliveryState.PENDING,
        parks=False,
        due_at=now,
        attempts=0,
        ended_at=None,
        last_error="",
    )


def thrown_away(delivery: Delivery, reason: str, now: datetime) -> Delivery:
    """Answer a delivery as one that is given up."""
    return attrs.evolve(
        delivery, state=DeliveryState.DISCARDED, parks=False, ended_at=now, last_error=reason_key(reason)
    )


def handled_once(handler: str, event: Envelope, now: datetime, policy: RelayPolicy | None = None) -> Once:
    """Answer the marker by which a subscriber's change happens once, however often it hears of the event.

    Put it into the ``Change`` that the subscriber records: the second time the store refuses the whole change, and the
    relay takes that for "done". The marker outlives the event itself.

    Args:
        handler: The subscriber's name, stable for good.
        event: What it was told.
        now: When it is told.
        policy: The relay's, if it is not the default.
    """
    kept = (policy or RelayPolicy()).keep_dead
    return Once(namespace=f"{HANDLED}{handler}", key=event.event_id, now=now, keep_until=now + 2 * kept)


def after_sending(
    message: Message, outcome: MessageOutcome, now: datetime, fraction: float, policy: RelayPolicy
) -> tuple[Message, tuple[Event, ...]]:
    """Decide what an outcome means for a message; whatever ends it wipes it."""
    match outcome:
        case Ended(state, reason):
            return _wiped(message, state, reason, now), _ending(message, state, reason, now)
        case Accepted(provider_id):
            sent = attrs.evolve(_tried(message), provider_id=provider_id)
            return _wiped(sent, MessageState.DELIVERED, "", now), (MessageDelivered(at=now, **_facts(message)),)
        case PermanentFailure(kind):
            bounced = MessageBounced(at=now, bounce=kind.value, **_facts(message))
            return _wiped(_tried(message), MessageState.DEAD, kind.value, now), (bounced,)
        case TemporaryFailure():
            return _postponed(_tried(message), outcome, now, fraction, policy)
        case _:
            assert_never(outcome)


def _tried(message: Message) -> Message:
    return attrs.evolve(message, attempts=message.attempts + 1)


def _postponed(
    message: Message, failure: TemporaryFailure, now: datetime, fraction: float, policy: RelayPolicy
) -> tuple[Message, tuple[Event, ...]]:
    reason = reason_key(failure.reason)
    alarm = (CourierRefusedLogin(at=now, channel=message.channel.value),) if reason == LOGIN_REFUSED else ()
    again = next_attempt_at(message.attempts, now, fraction, spread=policy.spread, retry_after=failure.retry_after)
    if again is None:
        return _wiped(message, MessageState.DEAD, reason, now), (
            *alarm,
            *_ending(message, MessageState.DEAD, reason, now),
        )
    return attrs.evolve(message, due_at=min(again, message.expires_at), end_reason=reason), alarm


def _wiped(message: Message, state: MessageState, reason: str, now: datetime) -> Message:
    return attrs.evolve(message, state=state, end_reason=reason, ended_at=now, sealed=None, variables={})


def _ending(message: Message, state: MessageState, reason: str, now: datetime) -> tuple[Event, ...]:
    if state is MessageState.EXPIRED:
        return (MessageExpired(at=now, **_facts(message)),)
    return () if reason == DECOY else (MessageDropped(at=now, reason=reason, **_facts(message)),)


def _facts(message: Message) -> dict[str, Any]:
    return {
        "message": message.id,
        "template": message.template,
        "account": AccountId(message.subject) if message.subject else None,
    }


def in_batches(
    claims: Sequence[Claimed[Delivery]], policies: Mapping[str, TargetPolicy]
) -> Iterator[tuple[str, list[Claimed[Delivery]]]]:
    """Sort claims by target, in the order in which they came, no batch larger than its target wants."""
    waiting: dict[str, list[Claimed[Delivery]]] = {}
    for claim in claims:
        waiting.setdefault(claim.item.target, []).append(claim)
    for name, all_of_it in waiting.items():
        size = policies[name].batch if name in policies else len(all_of_it)
        for start in range(0, len(all_of_it), size):
            yield name, all_of_it[start : start + size]


_BY_MESSAGE_STATE: Final = {
    MessageState.PENDING: Delivered(postponed=1),
    MessageState.DELIVERED: Delivered(sent=1),
    MessageState.DISCARDED: Delivered(unsent=1),
    MessageState.EXPIRED: Delivered(unsent=1),
    MessageState.DEAD: Delivered(failed=1),
}
_BY_DELIVERY_STATE: Final = {
    DeliveryState.PENDING: Delivered(postponed=1),
    DeliveryState.PUBLISHED: Delivered(published=1),
    DeliveryState.DISCARDED: Delivered(discarded=1),
    DeliveryState.DEAD: Delivered(died=1),
}


def count(settled: Message | Delivery) -> Delivered:
    """Answer what became of one item, as a count."""
    if isinstance(settled, Message):
        return _BY_MESSAGE_STATE[settled.state]
    return Delivered(died=1) if is_dead(settled) else _BY_DELIVERY_STATE[settled.state]
