"""What due work promises: each item to one worker at a time, and to no worker that comes late."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import StaleWrite
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import Claimed, Parked, Storage, Store
from shopaccounts.kernel.record import Change, ClaimGuard, Recorded
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, put, refused
from shopaccounts.testing.toys import BOXES, LIDS, NOW, Box, box

__all__ = ["DueWorkContract"]

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=60)
ONE, OTHER = WorkerId("one"), WorkerId("other")


class DueWorkContract:
    """Workers share what is due, and whoever is late changes nothing.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    @pytest.fixture
    def store(self, storage: Storage, scope: Scope) -> Store:
        """Open a store in a realm of its own."""
        return storage.open(scope)

    @staticmethod
    async def claim(store: Store, at: timedelta = timedelta(0), limit: int = 10) -> tuple[Claimed[Box], ...]:
        """Claim what is due so long after ``NOW``."""
        return await got(store.claim_due(BOXES, NOW + at, limit, LEASE, ONE))

    async def ids(self, store: Store, at: timedelta = timedelta(0), limit: int = 10) -> list[str]:
        """Claim, and answer which items it was."""
        return [claim.item.id for claim in await self.claim(store, at, limit)]

    @pytest.mark.proves("KER-141")
    async def test_only_what_is_due_is_claimed_the_oldest_first_ties_by_id(self, store: Store, scope: Scope) -> None:
        await put(
            store,
            BOXES,
            box(scope, "soon", due_at=NOW + timedelta(microseconds=1)),
            box(scope, "b", due_at=NOW),
            box(scope, "a", due_at=NOW),
            box(scope, "old", due_at=NOW - timedelta(days=400)),
            box(scope, "never"),
        )
        claims = await self.claim(store)
        assert [claim.item.id for claim in claims] == ["old", "a", "b"]
        assert [(claim.until, claim.attempts) for claim in claims] == [(NOW + LEASE, 0)] * 3
        assert claims[0].item == await find(store, BOXES, "old")
        assert await self.ids(store, SECOND) == ["soon"]

    @pytest.mark.proves("KER-141")
    async def test_what_is_urgent_goes_before_what_is_older(self, store: Store, scope: Scope) -> None:
        await put(
            store,
            BOXES,
            box(scope, "old", due_at=NOW - LEASE),
            box(scope, "urgent", due_at=NOW, urgency=9),
            box(scope, "urgent-soon", due_at=NOW + SECOND, urgency=9),
        )
        assert await self.ids(store) == ["urgent", "old"]

    @pytest.mark.proves("KER-140", "KER-141", "KER-146")
    async def test_what_was_missed_comes_in_pages_and_none_is_skipped(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, *(box(scope, f"b{n}", due_at=NOW + n * SECOND) for n in range(7)))
        after_a_year = timedelta(days=365)
        pages = [await self.ids(store, after_a_year, 3) for _ in range(4)]
        assert pages == [["b0", "b1", "b2"], ["b3", "b4", "b5"], ["b6"], []]

    @pytest.mark.proves("KER-140", "KER-142", "KER-192")
    async def test_a_claim_can_be_taken_over_when_it_ends_with_a_larger_fence(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, due_at=NOW))
        (first,) = await self.claim(store)
        assert await self.claim(store, LEASE - timedelta(microseconds=1)) == ()
        (second,) = await self.claim(store, LEASE)
        assert second.fence > first.fence
        assert await self.claim(store) == (), "a clock that steps back frees no claim"
        (third,) = await self.claim(store, 2 * LEASE)
        assert third.fence > second.fence

    @pytest.mark.proves("KER-143", "KER-191")
    async def test_a_worker_that_slept_through_its_claim_changes_nothing(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, due_at=NOW))
        (slept,) = await self.claim(store)
        (awake,) = await self.claim(store, LEASE)
        late = Change(writes=(BOXES.change(slept.item, slept.item),), claims=(ClaimGuard(BOXES, "box", slept.fence),))
        await refused(StaleWrite("toy_boxes", "box"), store.record, late)
        assert await got(store.record_page((late,))) == ("stale",)
        in_time = attrs.evolve(late, claims=(ClaimGuard(BOXES, "box", awake.fence),))
        assert isinstance(await got(store.record(in_time)), Recorded)

    @pytest.mark.proves("KER-144")
    async def test_only_claims_that_are_still_ours_are_renewed(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, "a", due_at=NOW), box(scope, "b", due_at=NOW))
        ours = await self.claim(store)
        taken_over = await self.claim(store, LEASE, limit=1)
        assert await got(store.renew(BOXES, ours, NOW + LEASE, LEASE)) == frozenset({"b"})
        assert await self.claim(store, 2 * LEASE - SECOND) == ()
        assert await self.ids(store, 2 * LEASE) == ["a", "b"]
        assert await got(store.renew(BOXES, taken_over, NOW + 2 * LEASE, LEASE)) == frozenset()

    @pytest.mark.proves("KER-144")
    async def test_giving_back_a_claim_that_is_lost_does_nothing(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, due_at=NOW))
        lost = await self.claim(store)
        (held,) = await self.claim(store, LEASE)
        await got(store.release(BOXES, lost, None))
        await got(store.release(BOXES, lost, NOW))
        await got(store.park(BOXES, lost[0], "late"))
        assert await self.claim(store, LEASE) == ()
        assert await got(store.parked(BOXES, 10)) == ()
        (after,) = await self.claim(store, 2 * LEASE)
        assert (after.attempts, after.fence > held.fence) == (0, True)

    @pytest.mark.proves("KER-144")
    async def test_a_claim_that_was_given_back_is_not_ours_any_more(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, due_at=NOW))
        claims = await self.claim(store)
        await got(store.release(BOXES, claims, None))
        await refused(StaleWrite, store.record, Change(claims=(ClaimGuard(BOXES, "box", claims[0].fence),)))
        assert await got(store.renew(BOXES, claims, NOW, LEASE)) == frozenset()
        (again,) = await self.claim(store)
        assert (again.fence > claims[0].fence, again.attempts) == (True, 0)

    @pytest.mark.proves("KER-145")
    async def test_an_item_that_failed_comes_back_when_it_is_to_with_one_attempt_more(
        self, store: Store, scope: Scope
    ) -> None:
        await put(store, BOXES, box(scope, "bad", due_at=NOW), box(scope, "good", due_at=NOW))
        bad, good = await self.claim(store)
        await got(store.release(BOXES, (bad,), NOW + 10 * SECOND))
        await got(store.record(Change(writes=(BOXES.change(good.item, attrs.evolve(good.item, due_at=None)),))))
        assert await self.claim(store, 10 * SECOND - timedelta(microseconds=1)) == ()
        (again,) = await self.claim(store, 10 * SECOND)
        assert (again.item.id, again.attempts) == ("bad", 1)
        await got(store.release(BOXES, (again,), NOW + 20 * SECOND))
        (third,) = await self.claim(store, 20 * SECOND)
        assert third.attempts == len(("first", "second"))

    @pytest.mark.proves("KER-145")
    async def test_an_item_that_is_set_aside_waits_for_a_person(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, "bad", due_at=NOW), box(scope, "good", due_at=NOW + LEASE))
        (bad,) = await self.claim(store)
        await got(store.park(BOXES, bad, "no_such_address"))
        assert await got(store.parked(BOXES, 10)) == (Parked("bad", "no_such_address", 1),)
        assert await got(store.parked(LIDS, 10)) == ()
        await refused(StaleWrite, store.record, Change(claims=(ClaimGuard(BOXES, "bad", bad.fence),)))
        assert await self.ids(store, LEASE) == ["good"]
        assert await got(store.unpark(BOXES, "bad"))
        assert not await got(store.unpark(BOXES, "bad"))
        assert not await got(store.unpark(BOXES, "good"))
        assert await got(store.parked(BOXES, 10)) == ()
        (again,) = await self.claim(store, LEASE)
        assert (again.item.id, again.attempts, again.fence > bad.fence) == ("bad", 0, True)

    @pytest.mark.proves("KER-145")
    async def test_the_list_of_what_is_set_aside_has_a_limit(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, *(box(scope, id, due_at=NOW) for id in "cab"))
        for claim in await self.claim(store):
            await got(store.park(BOXES, claim, f"reason-{claim.item.id}"))
        assert [item.id for item in await got(store.parked(BOXES, 2))] == ["a", "b"]

    @pytest.mark.proves("KER-141")
    async def test_of_a_lane_only_the_first_that_waits_is_claimed(self, store: Store, scope: Scope) -> None:
        await put(
            store,
            BOXES,
            box(scope, "second", due_at=NOW - LEASE, lane="ann", place=2),
            box(scope, "first", due_at=NOW, lane="ann", place=1),
            box(scope, "done", lane="ann", place=0),
            box(scope, "tenth", due_at=NOW, lane="ben", place=10),
            box(scope, "ninth", due_at=NOW + LEASE, lane="ben", place=9),
            box(scope, "free", due_at=NOW),
        )
        first, free = sorted(await self.claim(store), key=lambda claim: claim.item.id)
        assert (first.item.id, free.item.id) == ("first", "free")
        assert await self.claim(store) == (), "the second waits while the first is at work"
        await got(store.record(Change(writes=(BOXES.change(first.item, attrs.evolve(first.item, due_at=None)),))))
        assert await self.ids(store) == ["second"]

    @pytest.mark.proves("KER-145")
    async def test_an_item_that_is_set_aside_holds_up_its_lane(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, *(box(scope, f"b{n}", due_at=NOW, lane="ann", place=n) for n in (1, 2)))
        (first,) = await self.claim(store)
        await got(store.park(BOXES, first, "broken"))
        assert await self.claim(store, LEASE) == ()

    @pytest.mark.proves("KER-141")
    async def test_what_is_due_in_some_groups_is_told_the_oldest_first_claimed_or_not(
        self, store: Store, scope: Scope
    ) -> None:
        await put(
            store,
            BOXES,
            box(scope, "b", owner="ann", due_at=NOW, lane="ann", place=2),
            box(scope, "a", owner="ann", due_at=NOW, lane="ann", place=1, urgency=-9),
            box(scope, "old", owner="ben", due_at=NOW - LEASE),
            box(scope, "soon", owner="ann", due_at=NOW + timedelta(microseconds=1)),
            box(scope, "never", owner="ann"),
            box(scope, "of-another", owner="Ann", due_at=NOW),
            box(scope, "of-nobody", due_at=NOW),
        )
        assert sorted(await self.ids(store)) == ["a", "of-another", "of-nobody", "old"]
        due = await got(store.due_in(BOXES, "owner", ("ben", "nobody", "ann"), NOW, 10))
        assert [item.id for item in due] == ["old", "a", "b"]
        assert due[1] == await find(store, BOXES, "a")
        for limit, owners, expected in ((2, ["ann", "ben"], ["old", "a"]), (1, ["ann"], ["a"]), (9, ["eve"], [])):
            due = await got(store.due_in(BOXES, "owner", owners, NOW, limit))
            assert [item.id for item in due] == expected
        assert await got(store.due_in(BOXES, "owner", (), NOW, 10)) == ()
        assert await got(store.due_in(LIDS, "box", ("ann",), NOW, 10)) == ()

    @pytest.mark.proves("KER-141", "KER-145")
    async def test_what_was_put_off_or_set_aside_is_not_due_in_its_group(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, *(box(scope, id, owner="ann", due_at=NOW) for id in ("aside", "free", "later")))
        aside, free, later = await self.claim(store)
        await got(store.release(BOXES, (free,), None))
        await got(store.release(BOXES, (later,), NOW + SECOND))
        await got(store.park(BOXES, aside, "reason"))
        for at, expected in ((NOW, ["free"]), (NOW + SECOND, ["free", "later"])):
            assert [item.id for item in await got(store.due_in(BOXES, "owner", ("ann",), at, 10))] == expected
        await got(store.unpark(BOXES, "aside"))
        due = await got(store.due_in(BOXES, "owner", ("ann",), NOW + SECOND, 10))
        assert [item.id for item in due] == ["aside", "free", "later"]

    @pytest.mark.proves("KER-141")
    async def test_a_place_in_a_lane_may_be_a_time_in_microseconds(self, store: Store, scope: Scope) -> None:
        first, latest = (NOW - timedelta(days=1)).timestamp(), 2**63 - 1
        await put(
            store,
            BOXES,
            box(scope, "a", due_at=NOW, lane="ann", place=latest),
            box(scope, "z", due_at=NOW, lane="ann", place=int(first * 1_000_000)),
        )
        assert await self.ids(store) == ["z"]

    @pytest.mark.proves("KER-140", "KER-142")
    async def test_what_others_write_keeps_its_claim(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, "a", due_at=NOW), box(scope, "b", due_at=NOW))
        claim, other = await self.claim(store)
        written = BOXES.change(claim.item, attrs.evolve(claim.item, count=1))
        await got(store.record(Change(writes=(written,), claims=(ClaimGuard(BOXES, "b", other.fence),))))
        assert await self.claim(store, SECOND) == ()
        assert await got(store.renew(BOXES, (claim, other), NOW + SECOND, LEASE)) == frozenset({"a", "b"})

    @pytest.mark.proves("KER-142", "KER-144", "RUN-3")
    @pytest.mark.parametrize("as_a_page", [False, True])
    async def test_a_claim_ends_with_the_write_that_works_it_off(
        self,
        store: Store,
        scope: Scope,
        as_a_page: bool,  # noqa: FBT001  (a parameter of a test)
    ) -> None:
        await put(store, BOXES, *(box(scope, id, due_at=NOW) for id in ("off", "seen", "still")))
        claims = await self.claim(store)
        off, seen, _ = claims
        done = Change(
            writes=(BOXES.change(off.item, attrs.evolve(off.item, due_at=NOW + SECOND)),),
            claims=tuple(ClaimGuard(BOXES, claim.item.id, claim.fence) for claim in (off, seen)),
        )
        await (got(store.record_page((done,))) if as_a_page else got(store.record(done)))
        assert await got(store.renew(BOXES, claims, NOW, LEASE)) == frozenset({"seen", "still"}), "only what is written"
        assert await self.claim(store) == (), "it isn't due yet"
        (again,) = await self.claim(store, SECOND)
        assert (again.item.id, again.attempts, again.fence > off.fence + 1) == ("off", 0, True)
        await got(store.release(BOXES, (off,), None))
        assert await self.claim(store, SECOND) == (), "who is done with it holds nothing that could be given back"

    @pytest.mark.proves("KER-142", "KER-143")
    async def test_a_claim_doesnt_end_with_a_write_that_is_refused(self, store: Store, scope: Scope) -> None:
        (kept,) = await put(store, BOXES, box(scope, due_at=NOW))
        (claim,) = await self.claim(store)
        await got(store.record(Change(writes=(BOXES.change(kept, attrs.evolve(kept, count=1)),))))
        stale = Change(writes=(BOXES.change(kept, kept),), claims=(ClaimGuard(BOXES, "box", claim.fence),))
        assert await got(store.record_page((stale,))) == ("stale",)
        await refused(StaleWrite, store.record, stale)
        assert await self.claim(store, SECOND) == ()

    @pytest.mark.proves("KER-142")
    async def test_what_is_removed_can_be_neither_claimed_nor_settled(self, store: Store, scope: Scope) -> None:
        (kept,) = await put(store, BOXES, box(scope, due_at=NOW))
        (claim,) = await self.claim(store)
        await got(store.record(Change(removals=(BOXES.remove(kept),))))
        await refused(StaleWrite, store.record, Change(claims=(ClaimGuard(BOXES, "box", claim.fence),)))
        assert await got(store.renew(BOXES, (claim,), NOW, LEASE)) == frozenset()
        assert await self.claim(store, LEASE) == ()
        assert await got(store.parked(BOXES, 10)) == ()
