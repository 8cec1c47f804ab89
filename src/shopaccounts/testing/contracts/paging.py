"""What ``record_page`` promises: each change by itself, in few statements."""

# ruff: noqa: D102  (a test's name is its sentence)
from collections.abc import Sequence
from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Defect, StaleWrite
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Claimed, Storage, Store
from shopaccounts.kernel.record import Change, ClaimGuard, Once, PageResult, Receipt, Write
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put, refused
from shopaccounts.testing.toys import BOXES, NOW, Box, box, happened, notice

__all__ = ["PagesContract"]

FEW, MANY = 3, 60
HOUR = timedelta(hours=1)


class PagesContract:
    """Winners of a page are stored, losers are told, and none undoes another.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    @pytest.fixture
    def store(self, storage: Storage, scope: Scope) -> Store:
        """Open a store in a realm of its own."""
        return storage.open(scope)

    @pytest.mark.proves("KER-119")
    async def test_losers_of_a_page_undo_no_winner(self, store: Store, scope: Scope) -> None:
        (held,) = await put(store, BOXES, box(scope, "held", name="held"))
        receipt = Receipt(namespace="toys", key="k", body_hash="b", result=b"", keep_until=NOW)
        once = Once(namespace="toys", key="spent", now=NOW, keep_until=NOW.replace(year=2030))
        await got(store.record(Change(receipt=receipt, once=(once,))))
        page = (
            self.adding(scope, "a"),
            attrs.evolve(self.adding(scope, "b"), guards=(BOXES.absent("held"),)),
            self.adding(scope, "c"),
            self.adding(scope, "d", name="held"),
            attrs.evolve(self.adding(scope, "e"), receipt=receipt),
            attrs.evolve(self.adding(scope, "f"), once=(once,)),
            Change(writes=(BOXES.change(held, attrs.evolve(held, count=1)),)),
            self.adding(scope, "g"),
        )
        assert await got(store.record_page(page)) == (
            PageResult.RECORDED,
            PageResult.STALE,
            PageResult.RECORDED,
            PageResult.TAKEN,
            PageResult.REPLAYED,
            PageResult.TAKEN,
            PageResult.RECORDED,
            PageResult.RECORDED,
        )
        assert [id for id in "abcdefg" if await find(store, BOXES, id)] == ["a", "c", "g"]
        assert [id for id in "abcdefg" if await find(store, EVENTS, f"event-{id}")] == ["a", "c", "g"]
        events = await listed(store, EVENTS, "subject", "ann")
        assert {event.id: event.seq for event in events} == {"event-a": 1, "event-c": 2, "event-g": 3}

    @staticmethod
    def adding(scope: Scope, id: str, name: str | None = None) -> Change:
        """Answer a change that adds a box, with its event and its message."""
        return Change(
            writes=(BOXES.add(box(scope, id, name=name)),),
            events=(happened(scope, f"event-{id}", "ann"),),
            messages=(notice(scope, f"message-{id}"),),
        )

    @pytest.mark.proves("KER-119")
    async def test_changes_of_a_page_are_recorded_in_their_order(self, store: Store, scope: Scope) -> None:
        (kept,) = await put(store, BOXES, box(scope, name="n"))
        first = BOXES.change(kept, attrs.evolve(kept, count=1, name=None))
        then: Write = BOXES.change(first.now, attrs.evolve(first.now, count=2))
        page = (
            Change(writes=(first,)),
            Change(writes=(BOXES.change(kept, kept),)),
            Change(writes=(then,)),
            Change(writes=(BOXES.add(box(scope, "heir", name="n")),)),
            Change(writes=(BOXES.add(box(scope, "late", name="n")),)),
        )
        expected = (
            PageResult.RECORDED,
            PageResult.STALE,
            PageResult.RECORDED,
            PageResult.RECORDED,
            PageResult.TAKEN,
        )
        assert await got(store.record_page(page)) == expected
        found = await find(store, BOXES, "box")
        assert found is not None
        assert (found.count, found.version) == (2, 3)

    @pytest.mark.proves("KER-119", "KER-106")
    async def test_a_page_may_be_empty_and_so_may_its_changes(self, store: Store) -> None:
        assert await got(store.record_page(())) == ()
        assert await got(store.record_page((Change(), Change()))) == (PageResult.RECORDED,) * 2

    @pytest.mark.proves("KER-119", "KER-105")
    async def test_a_page_with_a_defect_stores_nothing(self, store: Store, scope: Scope) -> None:
        wrong = box(scope, "wrong")
        contradiction = Change(writes=(BOXES.add(wrong),), removals=(BOXES.remove(wrong),))
        page = (self.adding(scope, "a"), contradiction)
        await refused(Defect, store.record_page, page)
        assert await find(store, BOXES, "a") is None

    @pytest.mark.proves("KER-119")
    async def test_a_large_page_is_recorded(self, store: Store, scope: Scope) -> None:
        page = tuple(self.adding(scope, f"b{n:03}") for n in range(120))
        assert await got(store.record_page(page)) == (PageResult.RECORDED,) * len(page)
        assert await got(store.record_page(page)) == (PageResult.STALE,) * len(page)
        numbers = [event.seq for event in await listed(store, EVENTS, "subject", "ann")]
        assert sorted(number or 0 for number in numbers) == list(range(1, len(page) + 1))

    @pytest.mark.parametrize("size", [FEW, MANY])
    @pytest.mark.proves("KER-119")
    async def test_a_large_page_writes_over_what_a_small_one_does(self, store: Store, scope: Scope, size: int) -> None:
        odd = [f"{n:02} \\ \" ' \U0001f411 {{%s}}" for n in range(size)]
        await put(store, BOXES, *(box(scope, id, name=id, owner="ann\\", text=id, due_at=NOW) for id in odd))
        worked_on, put_off = await self.halves(store, size)
        changes = self.worked_off(worked_on) + tuple(self.written(claim.item) for claim in put_off)
        assert await got(store.record_page(changes)) == (PageResult.RECORDED,) * size
        assert await got(store.record_page(changes)) == (PageResult.STALE,) * size
        found = {one.id: one for one in await listed(store, BOXES, "owner", "ann\\")}
        assert list(found) == odd
        for id, one in found.items():
            assert (one.name, one.text, one.count, one.due_at, one.version) == (f"now {id}", id, 1, NOW + HOUR, 2)
            assert await find(store, BOXES, f"now {id}", by="box_name") == one
            assert await find(store, BOXES, id, by="box_name") is None
        again = {claim.item.id: claim for claim in await self.claim(store, HOUR)}
        assert list(again) == [claim.item.id for claim in worked_on]
        assert {claim.fence for claim in again.values()} == {3}  # claimed, worked off, claimed
        assert [claim.item.id for claim in await self.claim(store, 2 * HOUR)] == [claim.item.id for claim in put_off]

    @pytest.mark.parametrize("size", [FEW, MANY])
    @pytest.mark.proves("KER-102")
    async def test_a_large_change_is_stored_whole_or_not_at_all_too(
        self, store: Store, scope: Scope, size: int
    ) -> None:
        boxes = await put(store, BOXES, *(box(scope, f"b{n:02}") for n in range(size)))
        later = Change(writes=tuple(BOXES.change(one, attrs.evolve(one, count=1)) for one in boxes))
        await got(store.record(Change(writes=(BOXES.change(boxes[-1], attrs.evolve(boxes[-1], count=9)),))))
        await refused(StaleWrite, store.record, later)
        added = Change(writes=tuple(BOXES.add(box(scope, f"b{n:02}")) for n in range(size - 1, 2 * size)))
        await refused(StaleWrite, store.record, added)
        counts = [one.count if (one := await find(store, BOXES, f"b{n:02}")) else None for n in range(2 * size)]
        assert counts == [0] * (size - 1) + [9] + [None] * size

    @staticmethod
    async def claim(store: Store, after: timedelta) -> tuple[Claimed[Box], ...]:
        return await got(store.claim_due(BOXES, NOW + after, 500, 9 * HOUR, WorkerId("one")))

    async def halves(self, store: Store, size: int) -> tuple[Sequence[Claimed[Box]], Sequence[Claimed[Box]]]:
        """Claim what is due, put every second off by two hours, and answer those that weren't and those that were."""
        claims = await self.claim(store, timedelta(0))
        assert len(claims) == size
        await got(store.release(BOXES, claims[1::2], NOW + 2 * HOUR))
        return claims[::2], claims[1::2]

    def worked_off(self, claims: Sequence[Claimed[Box]]) -> tuple[Change, ...]:
        """Answer changes of boxes that are claimed."""
        guards = [ClaimGuard(BOXES, claim.item.id, claim.fence) for claim in claims]
        return tuple(
            attrs.evolve(self.written(claim.item), claims=(guard,)) for claim, guard in zip(claims, guards, strict=True)
        )

    @staticmethod
    def written(was: Box) -> Change:
        """Answer a change of a box, which wants work in an hour from then on."""
        now = attrs.evolve(was, name=f"now {was.id}", count=was.count + 1, due_at=NOW + HOUR)
        return Change(writes=(BOXES.change(was, now),))
