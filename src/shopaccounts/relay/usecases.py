"""Handing on what waits: messages to couriers, events to targets, and what could not be delivered to a person."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import BadPolicy, Defect, Forbidden, InvalidInput, Rejected, StaleWrite
from shopaccounts.kernel.events import Envelope, Event
from shopaccounts.kernel.ids import StoreId, WorkerId
from shopaccounts.kernel.messages import MESSAGES, Channel, Message, MessageState
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Claimed, Position, Rows, Store
from shopaccounts.kernel.record import Change, ClaimGuard, PageResult
from shopaccounts.kernel.scope import ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Vault
from shopaccounts.kernel.writing import read_sealed, seal_context
from shopaccounts.relay.errors import DeadLetterUnknown
from shopaccounts.relay.model import (
    DEAD,
    DELIVERIES,
    LOGIN_REFUSED,
    LOST,
    OPEN,
    Ack,
    Dead,
    Delivered,
    Delivery,
    RelayStatus,
    Rendered,
    Retry,
    TargetAnswer,
    TargetStatus,
    TemporaryFailure,
    is_dead,
)
from shopaccounts.relay.policy import OnDead, RelayPolicy
from shopaccounts.relay.ports import Courier, Target, Templates
from shopaccounts.relay.rules import (
    DECOY,
    UNREADABLE,
    Ended,
    MessageOutcome,
    after_publishing,
    after_sending,
    check_target,
    count,
    fan_out,
    in_batches,
    requeued,
    thrown_away,
)

__all__ = ["Relay"]

T = TypeVar("T")
_PAGE: Final = 500
_WORKER: Final = WorkerId("relay")
_GONE: Final = "relay.event_gone"

log = logging.getLogger("shopaccounts.relay")


@attrs.frozen(kw_only=True)
class Relay:
    """Hands on what was recorded, at least once. Any number may work at the same time.

    Args:
        desk: For whom, and when; its bell is not rung.
        store: The books.
        vault: Opens the sealed part of messages.
        templates: Words messages.
        couriers: Who takes the messages of each channel.
        targets: Who hears of events.
        policy: How the work is done.
        worker: A name for this worker in the claims it makes.

    Raises:
        BadPolicy: Two targets of one name, or one that can't work.
    """

    desk: Desk
    store: Store
    vault: Vault
    templates: Templates
    couriers: Mapping[Channel, Courier]
    targets: tuple[Target, ...] = ()
    policy: RelayPolicy = attrs.field(factory=RelayPolicy)
    worker: WorkerId = _WORKER

    def __attrs_post_init__(self) -> None:
        for target in self.targets:
            check_target(target.name, target.patterns)
        if len(self._by_name) < len(self.targets):
            msg = "two targets have one name"
            raise BadPolicy(msg)

    @property
    def _by_name(self) -> dict[str, Target]:
        return {target.name: target for target in self.targets}

    async def deliver_pending(self, limit: int = 1000) -> Delivered:
        """Hand on what is due, until nothing is left or about *limit* items were looked at.

        Args:
            limit: 0 or more.

        Raises:
            InvalidInput: *limit* is negative.
            Unavailable: The store didn't answer; what was done so far is done.
        """
        if limit < 0:
            raise InvalidInput(field="limit", reason="negative")
        total = Delivered()
        try:
            while total.handled < limit:
                done = await self._round(min(self.policy.page, limit - total.handled))
                total += done
                if not done.handled:
                    break
        except Exception:
            await self._hang_up()
            raise
        await self._hang_up()
        return total

    async def dead_letters(self, after: Position | None = None, limit: int = 100) -> Rows[Delivery]:
        """List the deliveries in the box, those of the oldest events first.

        Args:
            after: The ``next`` of the page before.
            limit: 1 to 500.
        """
        return await got(self.store.rows(DELIVERIES, "standing", DEAD, after, limit))

    async def requeue(self, ids: Collection[str]) -> None:
        """Put dead deliveries back on their way, all of them or none; each starts its schedule anew.

        Args:
            ids: At most 500 deliveries from the box.

        Raises:
            Forbidden: A customer asks.
            DeadLetterUnknown: One is not in the box.
            StaleWrite: Somebody else was faster.
        """
        now = self.desk.now()
        dead = await self._boxed(ids)
        await got(self.store.record(Change(writes=tuple(DELIVERIES.change(d, requeued(d, now)) for d in dead))))

    async def discard_dead(self, ids: Collection[str], reason: str) -> None:
        """Give dead deliveries up, all of them or none.

        Args:
            ids: At most 500 deliveries from the box.
            reason: A key such as ``consumer_gone``, kept with each.

        Raises:
            Forbidden, DeadLetterUnknown, StaleWrite: As ``requeue``.
        """
        now = self.desk.now()
        dead = await self._boxed(ids)
        writes = tuple(DELIVERIES.change(d, thrown_away(d, reason, now)) for d in dead)
        await got(self.store.record(Change(writes=writes)))

    async def status(self) -> RelayStatus:
        """Answer what waits for each target, and what lies in the box."""
        counted = {name: TargetStatus(target=name) for name in self._by_name}
        waiting: list[tuple[str, Position | None]] = [(OPEN, None), (DEAD, None)]
        while waiting:
            standing, after = waiting.pop()
            page = await got(self.store.rows(DELIVERIES, "standing", standing, after, _PAGE))
            for delivery in page.items:
                known = counted.get(delivery.target, TargetStatus(target=delivery.target))
                counted[delivery.target] = known.with_one(delivery)
            waiting += [(standing, page.next)] if page.next else []
        return RelayStatus(tuple(counted[name] for name in sorted(counted)))

    async def prune(self, limit: int = 500) -> int:
        """Remove what was kept long enough; nothing that a target still waits for.

        Args:
            limit: How many rows of each kind are removed at most, 1 to 500; call again while that many are.

        Returns:
            How many rows are gone.
        """
        now = self.desk.now()
        keep = self.policy.keep_published
        gone = await got(self.store.purge(MESSAGES, now - keep, limit))
        gone += await got(self.store.purge(DELIVERIES, now - keep, limit))
        gone += await self._prune_dead(now - self.policy.keep_dead, limit)
        return gone + await got(self.store.purge(EVENTS, min(now, await self._oldest_kept(now) + keep), limit))

    # One round

    async def _round(self, room: int) -> Delivered:
        done = await self._send(room)
        if done.handled < room:
            done += await self._fan_out(room - done.handled)
        if done.handled < room:
            done += await self._publish(room - done.handled)
        return done

    async def _hang_up(self) -> None:
        for channel in self.couriers:
            try:
                await got(self.couriers[channel].hang_up())
            except Exception as failure:  # noqa: BLE001  (nothing that was delivered may fail for it)
                log.warning("the courier for %s could not hang up: %s", channel.value, type(failure).__name__)

    def _is_late(self, claim: Claimed[T]) -> bool:  # type: ignore[type-var]  # any claim has a lease
        return self.desk.now() >= claim.until - self.policy.stop_before

    def _told(self, events: Sequence[Event], store: StoreId) -> tuple[Envelope, ...]:
        return tuple(attrs.evolve(envelope, store=store) for envelope in self.desk.by_itself.tell(*events))

    # Messages

    async def _send(self, room: int) -> Delivered:
        now, policy = self.desk.now(), self.policy
        claims = await got(self.store.claim_due(MESSAGES, now, room, policy.lease, self.worker))
        total, refused = Delivered(), set[Channel]()
        for place, claim in enumerate(claims):
            if self._is_late(claim):
                await got(self.store.release(MESSAGES, claims[place:], None))
                break
            total += await self._send_one(claim, refused)
        return total

    async def _send_one(self, claim: Claimed[Message], refused: set[Channel]) -> Delivered:
        message = claim.item
        outcome = await self._outcome(message, refused)
        settled, events = after_sending(message, outcome, self.desk.now(), self.desk.entropy.fraction(), self.policy)
        if isinstance(outcome, TemporaryFailure) and outcome.reason == LOGIN_REFUSED:
            refused.add(message.channel)
        change = Change(
            writes=(MESSAGES.change(message, settled),),
            claims=(ClaimGuard(MESSAGES, message.id, claim.fence),),
            events=self._told(events, message.store),
        )
        try:
            await got(self.store.record(change))
        except StaleWrite:
            return LOST
        return count(settled)

    async def _outcome(self, message: Message, refused: set[Channel]) -> MessageOutcome:
        if not message.deliver:
            return Ended(MessageState.DISCARDED, DECOY)
        if self.desk.now() >= message.expires_at:
            return Ended(MessageState.EXPIRED)
        channel = message.channel
        courier = self.couriers[channel] if channel in self.couriers else None  # noqa: SIM401  (no port is asked here)
        if courier is None or channel in refused:
            return TemporaryFailure("relay.courier_down" if courier else "relay.no_courier")
        rendered = await self._rendered(message)
        if not isinstance(rendered, Rendered):
            return rendered
        try:
            return await got(courier.send(rendered))
        except Exception as failure:  # noqa: BLE001  (a courier's bug is one message's failure, not the page's)
            log.warning("sending message %s raised %s", message.id, type(failure).__name__)
            return TemporaryFailure(f"relay.raised:{type(failure).__name__}")

    async def _rendered(self, message: Message) -> Rendered | MessageOutcome:
        try:
            opened = await self._opened(message)
            if opened is None:
                return Ended(MessageState.DEAD, UNREADABLE)
            to, secrets = opened
            variables = {**message.variables, **secrets}
            wording = await got(self.templates.render(message.template, message.locale, variables, message.channel))
        except Rejected as failure:
            return TemporaryFailure(failure.code)
        except Exception as failure:  # noqa: BLE001  (as above)
            log.warning("wording message %s raised %s", message.id, type(failure).__name__)
            return TemporaryFailure(f"relay.raised:{type(failure).__name__}")
        return Rendered(
            id=message.id,
            template=message.template,
            channel=message.channel,
            to=to.reveal(),
            wording=wording,
            at=self.desk.now(),
        )

    async def _opened(self, message: Message) -> tuple[Secret[str], dict[str, str]] | None:
        try:
            if message.sealed is None:
                return None
            return read_sealed(await got(self.vault.open(message.sealed, seal_context(message.id, message.realm))))
        except Defect as failure:
            log.error("message %s can't be opened: %s", message.id, failure)  # noqa: TRY400  (it names ring and field)
            return None

    # Events

    async def _fan_out(self, room: int) -> Delivered:
        now, policy = self.desk.now(), self.policy
        claims = await got(self.store.claim_due(EVENTS, now, room, policy.lease, self.worker))
        patterns = {target.name: target.patterns for target in self.targets}
        changes = [
            fan_out(claim.item, patterns, now, policy.keep_published)
            | Change(claims=(ClaimGuard(EVENTS, claim.item.id, claim.fence),))
            for claim in claims
        ]
        results = await got(self.store.record_page(changes)) if changes else ()
        recorded = sum(result == PageResult.RECORDED for result in results)
        return Delivered(fanned_out=recorded, lost=len(results) - recorded)

    async def _publish(self, room: int) -> Delivered:
        now, policy = self.desk.now(), self.policy
        claims = await got(self.store.claim_due(DELIVERIES, now, room, policy.lease, self.worker))
        total, late = Delivered(), list[Claimed[Delivery]]()
        for name, batch in in_batches(claims, {target.name: target.policy for target in self.targets}):
            if late or self._is_late(batch[0]):
                late += batch
            else:
                total += await self._publish_batch(self._by_name.get(name), batch)
        if late:
            await got(self.store.release(DELIVERIES, late, None))
        return total

    async def _publish_batch(self, target: Target | None, claims: list[Claimed[Delivery]]) -> Delivered:
        events = [await self._event(claim.item) for claim in claims]
        there = [event for event in events if event is not None]
        outcomes = iter(await self._answers(target, there))
        on_dead = target.policy.on_dead if target else OnDead.SKIP
        settled = [
            self._settled(claim, event, next(outcomes) if event else None, on_dead)
            for claim, event in zip(claims, events, strict=True)
        ]
        results = await got(self.store.record_page([change for _, change in settled]))
        kept = [result == PageResult.RECORDED for result in results]
        return sum((count(now) if ok else LOST for (now, _), ok in zip(settled, kept, strict=True)), Delivered())

    async def _event(self, delivery: Delivery) -> Envelope | None:
        found = await got(self.store.find(EVENTS, delivery.event_id))
        return found.it if found else None

    async def _answers(self, target: Target | None, batch: list[Envelope]) -> Sequence[TargetAnswer]:
        if target is None:
            return [Retry("relay.target_unknown")] * len(batch)
        if not batch:
            return []
        try:
            answers = await got(target.publish(tuple(batch)))
        except Exception as failure:  # noqa: BLE001  (an exception means: try again)
            log.warning("target %s raised %s", target.name, type(failure).__name__)
            return [Retry(f"relay.raised:{type(failure).__name__}")] * len(batch)
        if len(answers) != len(batch) or not all(isinstance(answer, Ack | Retry | Dead) for answer in answers):
            log.error("target %s breaks its contract: it answers one outcome for each event", target.name)
            return [Retry("relay.bad_target")] * len(batch)
        return answers

    def _settled(
        self, claim: Claimed[Delivery], event: Envelope | None, outcome: TargetAnswer | None, on_dead: OnDead
    ) -> tuple[Delivery, Change]:
        now, told = self.desk.now(), tuple[Event, ...]()
        if event is None or outcome is None:
            settled = thrown_away(claim.item, _GONE, now)
        else:
            fraction = self.desk.entropy.fraction()
            settled, told = after_publishing(claim.item, event.name, outcome, now, fraction, self.policy, on_dead)
        return settled, Change(
            writes=(DELIVERIES.change(claim.item, settled),),
            claims=(ClaimGuard(DELIVERIES, claim.item.id, claim.fence),),
            events=self._told(told, event.store) if event else (),
        )

    # The box

    async def _boxed(self, ids: Collection[str]) -> list[Delivery]:
        actor = self.desk.scope.actor
        if actor.kind is ActorKind.CUSTOMER and actor.id:
            raise Forbidden
        if len(ids) > _PAGE:
            raise InvalidInput(field="ids", reason="too_long")
        boxed = []
        for id in dict.fromkeys(ids):
            found = await got(self.store.find(DELIVERIES, id))
            if found is None or not is_dead(found.it):
                raise DeadLetterUnknown(id)
            boxed.append(found.it)
        return boxed

    async def _prune_dead(self, before: datetime, limit: int) -> int:
        page = await got(self.store.rows(DELIVERIES, "skipped", DEAD, None, limit))
        old = [delivery for delivery in page.items if delivery.ended_at and delivery.ended_at < before]
        changes = [Change(removals=(DELIVERIES.remove(delivery),)) for delivery in old]
        results = await got(self.store.record_page(changes)) if changes else ()
        return sum(result == PageResult.RECORDED for result in results)

    async def _oldest_kept(self, now: datetime) -> datetime:
        first = [await got(self.store.rows(DELIVERIES, "standing", standing, None, 1)) for standing in (OPEN, DEAD)]
        return min((page.items[0].recorded_at for page in first if page.items), default=now)
