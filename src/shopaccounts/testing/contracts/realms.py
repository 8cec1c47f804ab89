"""What a scope promises: another realm's entities can't be seen, written, or collided with."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import StaleWrite
from shopaccounts.kernel.ids import RealmId, WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage, Store, Swap
from shopaccounts.kernel.record import Change, ClaimGuard, Guard, LeaseGuard, Once, Receipt, Recorded, Sweep
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put, refused
from shopaccounts.testing.toys import BOXES, LIDS, NOW, Box, box, happened, lid

__all__ = ["RealmsContract"]

HOUR = timedelta(hours=1)
WORKER = WorkerId("worker")


class RealmsContract:
    """A known id from another realm behaves like a missing one.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    @pytest.fixture
    def elsewhere(self, scope: Scope) -> Scope:
        """Give the scope of another realm."""
        return attrs.evolve(scope, realm=RealmId(f"{scope.realm}-elsewhere"))

    @pytest.fixture
    def theirs(self, storage: Storage, elsewhere: Scope) -> Store:
        """Open the other realm."""
        return storage.open(elsewhere)

    @pytest.fixture
    def ours(self, storage: Storage, scope: Scope) -> Store:
        """Open our realm."""
        return storage.open(scope)

    @staticmethod
    async def stranger(theirs: Store, elsewhere: Scope) -> Box:
        """Record a box in the other realm."""
        (kept,) = await put(theirs, BOXES, box(elsewhere, name="n", owner="ann", due_at=NOW, keep_until=NOW))
        return kept

    @pytest.mark.proves("KER-120")
    async def test_entities_of_another_realm_are_not_seen(
        self, ours: Store, theirs: Store, scope: Scope, elsewhere: Scope
    ) -> None:
        await self.stranger(theirs, elsewhere)
        await put(theirs, LIDS, lid(elsewhere, "b", box="b"))
        await put(ours, BOXES, box(scope, "b"))
        assert await find(ours, BOXES, "box") is None
        assert await find(ours, BOXES, "n", "box_name") is None
        assert await listed(ours, BOXES, "owner", "ann") == ()
        assert [item.id for item in await got(ours.pick(BOXES, ("box", "b")))] == ["b"]
        assert await got(ours.due_in(BOXES, "owner", ("ann",), NOW, 10)) == ()
        for bring in (LIDS.via(), LIDS.newest("box")):
            found = await got(ours.find(BOXES, "b", bring=(bring,)))
            assert found is not None
            assert found[LIDS] is None

    @pytest.mark.proves("KER-120")
    async def test_entities_of_another_realm_are_not_written_guarded_swept_or_purged(
        self, ours: Store, theirs: Store, scope: Scope, elsewhere: Scope
    ) -> None:
        kept = await self.stranger(theirs, elsewhere)
        disguised = attrs.evolve(kept, realm=scope.realm)
        for change in (
            Change(writes=(BOXES.change(disguised, disguised),)),
            Change(removals=(BOXES.remove(disguised),)),
            Change(guards=(BOXES.unchanged(disguised),)),
        ):
            await refused(StaleWrite("toy_boxes", "box"), ours.record, change)
        await got(ours.record(Change(sweeps=(Sweep(book=BOXES, group="owner", value="ann"),))))
        assert await got(ours.purge(BOXES, NOW + HOUR, 10)) == 0
        assert await find(theirs, BOXES, "box") == kept
        assert isinstance(await got(ours.record(Change(guards=(Guard(book=BOXES, id="box", version=None),)))), Recorded)

    @pytest.mark.proves("KER-120", "KER-131")
    async def test_keys_ids_markers_and_requests_of_two_realms_do_not_collide(
        self, ours: Store, theirs: Store, scope: Scope, elsewhere: Scope
    ) -> None:
        once = Once(namespace="toys", key="k", now=NOW, keep_until=NOW + HOUR)
        for store, here, body in ((theirs, elsewhere, "one"), (ours, scope, "two")):
            receipt = Receipt(namespace="toys", key="k", body_hash=body, result=b"", keep_until=NOW + HOUR)
            write = BOXES.add(box(here, name="n", nicknames=("x",)))
            change = Change(writes=(write,), once=(once,), receipt=receipt, events=(happened(here, "e", "ann"),))
            assert isinstance(await got(store.record(change)), Recorded)
            event = await find(store, EVENTS, "e")
            assert event is not None
            assert event.seq == 1

    @pytest.mark.proves("KER-120")
    async def test_work_of_another_realm_is_not_claimed_and_does_not_hold_up_ours(
        self, ours: Store, theirs: Store, scope: Scope, elsewhere: Scope
    ) -> None:
        await put(theirs, BOXES, box(elsewhere, due_at=NOW, lane="lane", place=1))
        assert await got(ours.claim_due(BOXES, NOW, 10, HOUR, WORKER)) == ()
        await put(ours, BOXES, box(scope, due_at=NOW, lane="lane", place=2))
        (claim,) = await got(ours.claim_due(BOXES, NOW, 10, HOUR, WORKER))
        assert claim.item.realm == scope.realm
        guard = Change(claims=(ClaimGuard(BOXES, "box", claim.fence),))
        await refused(StaleWrite, theirs.record, guard)
        await got(theirs.park(BOXES, claim, "not theirs"))
        await got(theirs.release(BOXES, (claim,), None))
        assert await got(theirs.renew(BOXES, (claim,), NOW, HOUR)) == frozenset()
        assert isinstance(await got(ours.record(guard)), Recorded)
        assert len(await got(theirs.claim_due(BOXES, NOW, 10, HOUR, WORKER))) == 1

    @pytest.mark.proves("KER-120")
    async def test_what_another_realm_set_aside_is_not_seen_or_put_back(
        self, ours: Store, theirs: Store, elsewhere: Scope
    ) -> None:
        await self.stranger(theirs, elsewhere)
        (claim,) = await got(theirs.claim_due(BOXES, NOW, 10, HOUR, WORKER))
        await got(theirs.park(BOXES, claim, "broken"))
        assert await got(ours.parked(BOXES, 10)) == ()
        assert not await got(ours.unpark(BOXES, "box"))
        assert len(await got(theirs.parked(BOXES, 10))) == 1

    @pytest.mark.proves("KER-120")
    async def test_counters_and_leases_of_two_realms_are_apart(
        self, storage: Storage, scope: Scope, elsewhere: Scope
    ) -> None:
        for here in (scope, elsewhere):
            counters, leases = storage.counters(here), storage.leases(here)
            assert await got(counters.add("sum", 1, NOW, NOW + HOUR)) == 1
            assert not await got(counters.read("state"))
            assert await got(counters.swap(Swap("state", None, b"x", NOW + HOUR)))
            assert await got(leases.acquire("nightly", WORKER, HOUR, NOW)) is not None
        lease = await got(storage.leases(scope).acquire("other", WORKER, HOUR, NOW))
        assert lease is not None
        guard = Change(leases=(LeaseGuard("other", lease.fence),))
        await refused(StaleWrite, storage.open(elsewhere).record, guard)
        await got(storage.leases(elsewhere).release(lease))
        assert isinstance(await got(storage.open(scope).record(guard)), Recorded)
