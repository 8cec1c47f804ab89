"""What every use-case has on its desk: the books, the clock, the dice, and for whom it works."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, TypeVar

import attrs

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.errors import StaleWrite, Taken
from shopaccounts.kernel.events import Envelope, Event
from shopaccounts.kernel.ids import EventId
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Recorded, Replayed
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.time import Clock

__all__ = ["Bell", "Desk", "SilentBell"]

T = TypeVar("T")
log = logging.getLogger("shopaccounts")
ATTEMPTS = 5


class Bell(Protocol):
    """Tells the relay that something waits. Ringing never fails a use-case, and never takes its time.

    Promises:
        1. ``ring`` returns without waiting for any delivery, unless the host chose otherwise.
    """

    def ring(self) -> Answer[None]:
        """Say that something waits."""
        ...


class SilentBell:
    """For shops whose worker looks by itself."""

    def ring(self) -> None:
        """Do nothing."""


@attrs.frozen(kw_only=True)
class Desk:
    """The common part of every use-case."""

    scope: Scope
    records: Records
    clock: Clock
    entropy: Entropy
    bell: Bell

    def now(self) -> datetime:
        """Answer the time at which this decision is taken."""
        return self.clock.now()

    @property
    def by_itself(self) -> "Desk":
        """The same desk for what nobody asked for: the shop acts."""
        return attrs.evolve(self, scope=attrs.evolve(self.scope, actor=Actor(ActorKind.SYSTEM)))

    def tell(self, *events: Event, cause: str = "") -> tuple[Envelope, ...]:
        """Put events into their envelopes."""
        return tuple(self._envelope(event, cause or self.scope.trace) for event in events)

    def _envelope(self, event: Event, cause: str) -> Envelope:
        return Envelope(
            event_id=EventId(self.entropy.new_id(event.at)),
            name=event.name,
            schema=event.schema,
            occurred_at=event.at,
            recorded_at=event.at,
            realm=self.scope.realm,
            store=self.scope.store,
            subject=event.subject,
            actor=self._actor(event.subject),
            cause=cause,
            data=event.data(),
            kept_until=event.at + event.kept_for,
        )

    def _actor(self, subject: str) -> Actor:
        actor = self.scope.actor
        return Actor(actor.kind, subject) if actor.kind is ActorKind.CUSTOMER and not actor.id else actor

    async def record(self, change: Change) -> Recorded | Replayed:
        """Store *change*, then ring for what it brought to the outbox."""
        if change.is_empty:
            return Recorded()
        answer: Recorded | Replayed = await got(self.records.record(change.checked()))
        if isinstance(answer, Recorded) and answer.durable and (change.events or change.messages):
            await self._ring()
        return answer

    async def _ring(self) -> None:
        try:
            await got(self.bell.ring())
        except Exception:
            log.exception("the relay could not be told; it will find the work by itself")

    async def retrying(
        self, decide: Callable[[], Awaitable[T]], attempts: int = ATTEMPTS, *, on_taken: bool = False
    ) -> T:
        """Load, decide and record again when somebody was faster.

        Args:
            decide: Reads the clock anew each round and has no effect but its one ``record``.
            attempts: How many rounds at most.
            on_taken: Decide again also when a unique key is taken.

        Raises:
            StaleWrite, Taken: Still losing after the last round.
        """
        faster = (StaleWrite, Taken) if on_taken else (StaleWrite,)
        for _ in range(attempts - 1):
            try:
                return await decide()
            except faster:
                continue
        return await decide()
