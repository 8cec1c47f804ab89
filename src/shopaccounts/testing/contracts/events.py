"""What the outbox rests on: events and messages are there if and only if their change is."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import StaleWrite, Taken
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.messages import MESSAGES, MessageState
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage, Store
from shopaccounts.kernel.record import Change, ClaimGuard, Once, Sweep
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put, refused
from shopaccounts.testing.toys import BOXES, NOW, box, happened, notice

__all__ = ["EventsContract"]

HOUR = timedelta(hours=1)
WORKER = WorkerId("worker")


class EventsContract:
    """Events are numbered within the history of their subject, and ended messages keep nothing.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    @pytest.fixture
    def store(self, storage: Storage, scope: Scope) -> Store:
        """Open a store in a realm of its own."""
        return storage.open(scope)

    @staticmethod
    async def numbers(store: Store, subject: str) -> list[tuple[str, int | None]]:
        """Answer the events of a subject with their numbers, in that order."""
        events = await listed(store, EVENTS, "subject", subject)
        return sorted(((event.id, event.seq) for event in events), key=lambda pair: pair[1] or 0)

    @pytest.mark.proves("REL-102", "KER-104")
    async def test_events_of_a_subject_are_numbered_in_the_order_they_are_told(
        self, store: Store, scope: Scope
    ) -> None:
        one = Change(events=(happened(scope, "z", "ann"), happened(scope, "b", "ben")))
        other = Change(events=(happened(scope, "y", "ann"), happened(scope, "nobody's"), happened(scope, "x", "ann")))
        await got(store.record(one | other))
        await got(store.record(Change(events=(happened(scope, "w", "ann"), happened(scope, "a", "ben")))))
        assert await self.numbers(store, "ann") == [("z", 1), ("y", 2), ("x", 3), ("w", 4)]
        assert await self.numbers(store, "ben") == [("b", 1), ("a", 2)]

    @pytest.mark.proves("REL-111")
    async def test_messages_of_somebody_who_is_erased_go_with_the_change_that_erases(
        self, store: Store, scope: Scope
    ) -> None:
        told = (notice(scope, "first", subject="ann"), notice(scope, "later", subject="ann", due_at=NOW + HOUR))
        others = (notice(scope, "of-ben", subject="ben"), notice(scope, "of-nobody"))
        await got(store.record(Change(messages=(*told, *others))))
        (held,) = await put(store, BOXES, box(scope, "held"))
        erased = Change(sweeps=(Sweep(book=MESSAGES, group="subject", value="ann"),), removals=(BOXES.remove(held),))
        stale = attrs.evolve(erased, guards=(BOXES.absent("held"),), removals=())
        await refused(StaleWrite("toy_boxes", "held"), store.record, stale)
        assert len(await listed(store, MESSAGES, "subject", "ann")) == len(told)
        await got(store.record(erased))
        assert await listed(store, MESSAGES, "subject", "ann") == ()
        claims = await got(store.claim_due(MESSAGES, NOW + HOUR, 10, HOUR, WORKER))
        assert {claim.item.id for claim in claims} == {"of-ben", "of-nobody"}

    @pytest.mark.proves("REL-102")
    async def test_an_event_without_a_subject_has_no_number(self, store: Store, scope: Scope) -> None:
        await got(store.record(Change(events=(happened(scope, "a"), happened(scope, "b")))))
        for id in "ab":
            event = await find(store, EVENTS, id)
            assert event is not None
            assert event.seq is None

    @pytest.mark.proves("REL-102", "REL-101")
    async def test_a_refused_change_leaves_no_gap_in_the_numbers(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, name="held"))
        await got(store.record(Change(events=(happened(scope, "first", "ann"),))))
        lost = (happened(scope, "lost", "ann"),)
        await refused(StaleWrite, store.record, Change(writes=(BOXES.add(box(scope)),), events=lost))
        held = BOXES.add(box(scope, "b", name="held"))
        await refused(Taken, store.record, Change(writes=(held,), events=lost))
        await got(store.record(Change(events=(happened(scope, "second", "ann"),))))
        assert await self.numbers(store, "ann") == [("first", 1), ("second", 2)]

    @pytest.mark.proves("REL-102", "KER-192")
    async def test_numbers_go_on_after_the_events_are_purged(self, store: Store, scope: Scope) -> None:
        await got(store.record(Change(events=(happened(scope, "first", "ann"),))))
        told = await find(store, EVENTS, "first")
        assert told is not None
        await got(store.record(Change(writes=(EVENTS.change(told, attrs.evolve(told, fanned_out_at=NOW)),))))
        assert await got(store.purge(EVENTS, NOW + HOUR, 10)) == 1
        await got(store.record(Change(events=(happened(scope, "second", "ann"),))))
        assert await self.numbers(store, "ann") == [("second", 2)]

    @pytest.mark.proves("REL-112")
    async def test_an_event_that_was_not_handed_on_is_not_purged(self, store: Store, scope: Scope) -> None:
        await got(store.record(Change(events=(happened(scope, "waiting", "ann"),))))
        assert await got(store.purge(EVENTS, NOW + timedelta(days=3650), 10)) == 0
        assert await self.numbers(store, "ann") == [("waiting", 1)]

    @pytest.mark.proves("REL-102")
    async def test_events_of_a_subject_are_claimed_in_their_order(self, store: Store, scope: Scope) -> None:
        events = (happened(scope, "z", "ann"), happened(scope, "a", "ann"), happened(scope, "m", "ben"))
        await got(store.record(Change(events=events)))
        claims = await got(store.claim_due(EVENTS, NOW, 10, HOUR, WORKER))
        assert sorted(claim.item.id for claim in claims) == ["m", "z"]
        first = next(claim for claim in claims if claim.item.id == "z")
        done = EVENTS.change(first.item, attrs.evolve(first.item, fanned_out_at=NOW))
        await got(store.record(Change(writes=(done,), claims=(ClaimGuard(EVENTS, "z", first.fence),))))
        claims = await got(store.claim_due(EVENTS, NOW, 10, HOUR, WORKER))
        assert [claim.item.id for claim in claims] == ["a"]

    @pytest.mark.proves("REL-103")
    async def test_a_worker_whose_claim_was_taken_over_settles_nothing(self, store: Store, scope: Scope) -> None:
        await got(store.record(Change(messages=(notice(scope, "m"),))))
        (lost,) = await got(store.claim_due(MESSAGES, NOW, 1, HOUR, WORKER))
        (held,) = await got(store.claim_due(MESSAGES, NOW + HOUR, 1, HOUR, WorkerId("another")))
        delivered = attrs.evolve(lost.item, state=MessageState.DELIVERED, ended_at=NOW)
        settle = Change(
            writes=(MESSAGES.change(lost.item, delivered),), claims=(ClaimGuard(MESSAGES, "m", lost.fence),)
        )
        await refused(StaleWrite, store.record, settle)
        assert await got(store.renew(MESSAGES, (lost,), NOW + HOUR, HOUR)) == frozenset()
        await got(store.release(MESSAGES, (lost,), NOW))
        await got(store.park(MESSAGES, lost, "late"))
        assert await got(store.parked(MESSAGES, 10)) == ()
        assert await got(store.claim_due(MESSAGES, NOW + HOUR, 1, HOUR, WORKER)) == ()
        settle = attrs.evolve(settle, claims=(ClaimGuard(MESSAGES, "m", held.fence),))
        await got(store.record(settle))

    @pytest.mark.proves("REL-105")
    async def test_a_message_that_ends_keeps_neither_address_nor_secret(self, store: Store, scope: Scope) -> None:
        await got(store.record(Change(messages=(notice(scope, "m", variables={"name": "Ann"}),))))
        message = await find(store, MESSAGES, "m")
        assert message is not None
        assert message.variables == {"name": "Ann"}
        ended = attrs.evolve(message, state=MessageState.DELIVERED, sealed=None, variables={}, ended_at=NOW)
        await got(store.record(Change(writes=(MESSAGES.change(message, ended),))))
        assert await find(store, MESSAGES, "m") == attrs.evolve(ended, version=2)

    @pytest.mark.proves("REL-109")
    async def test_a_message_that_fails_holds_up_no_other(self, store: Store, scope: Scope) -> None:
        await got(store.record(Change(messages=(notice(scope, "a"), notice(scope, "b")))))
        claims = await got(store.claim_due(MESSAGES, NOW, 2, HOUR, WORKER))
        bad, good = claims
        await got(store.release(MESSAGES, (bad,), NOW + HOUR))
        ended = attrs.evolve(good.item, state=MessageState.DELIVERED, ended_at=NOW)
        settle = Change(
            writes=(MESSAGES.change(good.item, ended),), claims=(ClaimGuard(MESSAGES, good.item.id, good.fence),)
        )
        await got(store.record(settle))
        assert await got(store.claim_due(MESSAGES, NOW, 2, HOUR, WORKER)) == ()
        (again,) = await got(store.claim_due(MESSAGES, NOW + HOUR, 2, HOUR, WORKER))
        assert (again.item.id, again.attempts) == (bad.item.id, 1)

    @pytest.mark.proves("REL-101")
    async def test_an_event_is_handled_once_by_each_subscriber(self, store: Store, scope: Scope) -> None:
        handled = Once(namespace="handled:stock", key="event-1", now=NOW, keep_until=NOW + HOUR)
        await got(store.record(Change(writes=(BOXES.add(box(scope, "a")),), once=(handled,))))
        again = Change(writes=(BOXES.add(box(scope, "b")),), once=(handled,))
        await refused(Taken("once:handled:stock"), store.record, again)
        assert await find(store, BOXES, "b") is None
        other = attrs.evolve(handled, namespace="handled:mail")
        await got(store.record(Change(writes=(BOXES.add(box(scope, "c")),), once=(other,))))
