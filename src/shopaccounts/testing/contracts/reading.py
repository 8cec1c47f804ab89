"""What look-ups and listings promise: one moment, whole entities, each of a group once."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ports import Position, Storage, Store
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put, refused
from shopaccounts.testing.races import race
from shopaccounts.testing.toys import BOXES, LIDS, NOW, Box, box, lid

__all__ = ["ReadingContract"]

SECOND = timedelta(seconds=1)
ROUNDS = 30


class ReadingContract:
    """A look-up answers whole entities of one moment; a walk over a group meets each member once.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    @pytest.fixture
    def store(self, storage: Storage, scope: Scope) -> Store:
        """Open a store in a realm of its own."""
        return storage.open(scope)

    @pytest.mark.proves("KER-115")
    async def test_what_is_recorded_is_seen_at_once_on_every_connection(self, storage: Storage, scope: Scope) -> None:
        stores = [storage.open(scope) for _ in range(3)]
        (kept,) = await put(stores[0], BOXES, box(scope, name="n", owner="ann"))
        for store in stores:
            assert await find(store, BOXES, "box") == kept
            assert await find(store, BOXES, "n", "box_name") == kept
            assert await listed(store, BOXES, "owner", "ann") == (kept,)
        await got(stores[1].record(Change(removals=(BOXES.remove(kept),))))
        for store in stores:
            assert await find(store, BOXES, "box") is None
            assert await find(store, BOXES, "n", "box_name") is None
            assert await listed(store, BOXES, "owner", "ann") == ()

    @pytest.mark.proves("KER-121")
    async def test_nothing_is_found_under_what_nobody_has(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, name="name"))
        assert await got(store.find(BOXES, "name")) is None
        assert await got(store.find(BOXES, "box", "box_name")) is None
        assert await got(store.find(LIDS, "box")) is None

    @pytest.mark.proves("KER-121", "KER-122")
    async def test_a_look_up_brings_along_what_it_is_asked_for(self, store: Store, scope: Scope) -> None:
        kept, other = await put(store, BOXES, box(scope, name="n", owner="the-owner"), box(scope, "other"))
        own, owners, newest = await put(
            store,
            LIDS,
            lid(scope, "box", count=1),
            lid(scope, "the-owner", count=2),
            lid(scope, "newest", box="other", put_at=NOW),
        )
        await put(store, LIDS, lid(scope, "older", box="other", put_at=NOW - SECOND), lid(scope, "mine", box="other"))
        for key, by in (("box", "id"), ("n", "box_name")):
            found = await got(store.find(BOXES, key, by, (LIDS.via(),)))
            assert found is not None
            assert (found.it, found[LIDS]) == (kept, own)
        by_group = await got(store.find(BOXES, "box", bring=(LIDS.via("owner"),)))
        assert by_group is not None
        assert by_group[LIDS] == owners
        last = await got(store.find(BOXES, "other", bring=(LIDS.newest("box"), BOXES.via())))
        assert last is not None
        assert (last.it, last[LIDS], last[BOXES]) == (other, newest, other)
        (of_all,) = await put(store, LIDS, lid(scope, scope.realm))
        by_realm = await got(store.find(BOXES, "box", bring=(LIDS.via("realm"),)))
        assert by_realm is not None
        assert by_realm[LIDS] == of_all

    @pytest.mark.proves("KER-121", "KER-122")
    async def test_of_a_group_the_newest_after_so_many_tells_that_there_are_more(
        self, store: Store, scope: Scope
    ) -> None:
        await put(store, BOXES, box(scope))
        for at, id in ((NOW, "b"), (NOW - SECOND, "0"), (NOW, "a"), (NOW + SECOND, "c")):
            await put(store, LIDS, lid(scope, id, box="box", put_at=at), lid(scope, f"other {id}", box="other"))
        brought = []
        for after in range(5):
            found = await got(store.find(BOXES, "box", bring=(LIDS.newest("box", after=after),)))
            assert found is not None
            last = found[LIDS]
            brought.append(last.id if last else None)
        assert brought == ["c", "b", "a", "0", None]

    @pytest.mark.proves("KER-121")
    async def test_what_is_missing_is_brought_along_as_nothing(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope))
        await put(store, LIDS, lid(scope, "another", box="another"))
        for bring in (LIDS.via(), LIDS.via("owner"), LIDS.newest("box"), LIDS.newest("box", "owner")):
            found = await got(store.find(BOXES, "box", bring=(bring,)))
            assert found is not None
            assert found[LIDS] is None
        assert await got(store.find(BOXES, "missing", bring=(LIDS.via(),))) is None

    @pytest.mark.proves("KER-115", "KER-121")
    async def test_a_reader_never_sees_part_of_a_change(self, storage: Storage, scope: Scope) -> None:
        await put(storage.open(scope), BOXES, box(scope))
        await put(storage.open(scope), LIDS, lid(scope))
        outcomes = await race(4, lambda index: _write(storage, scope) if index == 0 else _read(storage, scope))
        assert [outcome.error for outcome in outcomes] == [None] * 4
        assert all(box_count == lid_count for one in outcomes[1:] for box_count, lid_count in one.value)
        found = await find(storage.open(scope), LIDS, "box")
        assert found is not None
        assert found.count == ROUNDS

    @pytest.mark.proves("KER-121", "KER-125")
    async def test_of_many_ids_all_that_are_there_are_answered_at_once_in_their_order(
        self, store: Store, scope: Scope
    ) -> None:
        ids = ["b", "a", "Z", "é", "\\", "~"]
        kept = await put(store, BOXES, *(box(scope, id, name=f"n{id}", put_at=NOW - SECOND) for id in ids))
        await put(store, BOXES, box(scope, "other"))
        await put(store, LIDS, lid(scope, "missing"))
        in_order = tuple(sorted(kept, key=lambda one: one.id))
        assert await got(store.pick(BOXES, [*ids, "missing", "na", "b"])) == in_order
        assert await got(store.pick(BOXES, ("b",))) == kept[:1]
        assert await got(store.pick(BOXES, ("missing",))) == await got(store.pick(BOXES, ())) == ()

    @pytest.mark.proves("KER-121")
    async def test_more_than_1000_ids_at_once_are_a_defect(self, store: Store, scope: Scope) -> None:
        (kept,) = await put(store, BOXES, box(scope, "7"))
        ids = [str(n) for n in range(1001)]
        await refused(Defect, store.pick, BOXES, ids)
        assert await got(store.pick(BOXES, ids[:1000])) == (kept,)
        await refused(Defect, store.due_in, BOXES, "owner", ids, NOW, 10)
        assert await got(store.due_in(BOXES, "owner", ids[:1000], NOW, 10)) == ()

    @pytest.mark.proves("KER-123", "KER-125")
    async def test_a_listing_is_in_order_and_ties_go_by_id(self, store: Store, scope: Scope) -> None:
        ids = ["b", "a", "Z", "é", "z", "10", "9", "\U0001f411", "ﬀ", "a-", "aa"]
        late = box(scope, "0-late", owner="ann", put_at=NOW + SECOND)
        early = box(scope, "~early", owner="ann", put_at=NOW - SECOND)
        await put(store, BOXES, late, *(box(scope, id, owner="ann") for id in ids), early)
        for limit in (1, 2, 5, 500):
            found = await listed(store, BOXES, "owner", "ann", limit)
            assert [item.id for item in found] == ["~early", *sorted(ids), "0-late"]

    @pytest.mark.proves("KER-123")
    async def test_a_page_has_no_more_than_its_limit_and_the_last_one_says_so(self, store: Store, scope: Scope) -> None:
        boxes = await put(store, BOXES, *(box(scope, f"b{n}", owner="ann", put_at=NOW + n * SECOND) for n in range(6)))
        first = await got(store.rows(BOXES, "owner", "ann", None, 3))
        assert (first.items, first.next) == (boxes[:3], Position(NOW + 2 * SECOND, "b2"))
        last = await got(store.rows(BOXES, "owner", "ann", first.next, 3))
        assert (last.items, last.next) == (boxes[3:], None)
        empty = await got(store.rows(BOXES, "owner", "nobody", None, 3))
        assert (empty.items, empty.next) == ((), None)

    @pytest.mark.proves("KER-123")
    async def test_a_listing_the_other_way_round_shows_the_same_newest_first(self, store: Store, scope: Scope) -> None:
        late = box(scope, "0-late", owner="ann", put_at=NOW + SECOND)
        await put(store, BOXES, late, *(box(scope, id, owner="ann") for id in "cab"))
        for limit in (1, 2, 500):
            found = await listed(store, BOXES, "owner", "ann", limit, newest_first=True)
            assert [item.id for item in found] == ["0-late", "c", "b", "a"]

    @pytest.mark.proves("KER-123")
    async def test_a_page_of_none_or_of_more_than_500_is_a_defect(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, owner="ann"))
        for limit in (-1, 0, 501, 10_000):
            await refused(Defect, store.rows, BOXES, "owner", "ann", None, limit)
        for limit in (1, 500):
            assert len((await got(store.rows(BOXES, "owner", "ann", None, limit))).items) == 1

    @pytest.mark.proves("KER-123")
    async def test_a_walk_meets_whatever_stays_once_though_others_come_and_go(self, store: Store, scope: Scope) -> None:
        boxes = [box(scope, f"b{n:02}", owner="ann", put_at=NOW + n * SECOND) for n in range(12)]
        kept = list(await put(store, BOXES, *boxes))
        met: list[str] = []
        after: Position | None = None
        for step in range(12):
            page = await got(store.rows(BOXES, "owner", "ann", after, 2))
            met += [item.id for item in page.items]
            if page.next is None:
                break
            after = page.next
            await self.stir(store, scope, kept, step)
        stayed = [f"b{n:02}" for n in range(3, 9)]
        assert [id for id in met if id in stayed] == stayed
        assert len(met) == len(set(met))

    @staticmethod
    async def stir(store: Store, scope: Scope, kept: list[Box], step: int) -> None:
        """Add one before and one behind, change one that stays, remove one at either end."""
        added = [
            box(scope, f"new-{step}-{n}", owner="ann", put_at=NOW + offset)
            for n, offset in enumerate((-SECOND, 5.5 * SECOND, 99 * SECOND))
        ]
        changed = await find(store, BOXES, f"b{3 + step % 6:02}")
        assert changed is not None
        gone = [item for item in kept if item.id in ({"b00", "b11"}, {"b01", "b10"}, {"b02", "b09"})[step % 3]]
        await got(
            store.record(
                Change(
                    writes=(*map(BOXES.add, added), BOXES.change(changed, attrs.evolve(changed, count=step))),
                    removals=tuple(BOXES.remove(item) for item in gone if item in kept),
                )
            )
        )
        for item in gone:
            kept.remove(item)

    @pytest.mark.proves("KER-123")
    async def test_a_listing_has_the_members_of_its_group_as_of_now(self, store: Store, scope: Scope) -> None:
        first, second, _ = await put(
            store, BOXES, box(scope, "a", owner="ann"), box(scope, "b", owner="ben"), box(scope, "c")
        )
        assert await listed(store, BOXES, "owner", "ann") == (first,)
        await got(store.record(Change(writes=(BOXES.change(second, attrs.evolve(second, owner="ann")),))))
        assert [item.id for item in await listed(store, BOXES, "owner", "ann")] == ["a", "b"]
        assert await listed(store, BOXES, "owner", "ben") == ()
        await got(store.record(Change(writes=(BOXES.change(first, attrs.evolve(first, owner=None)),))))
        assert [item.id for item in await listed(store, BOXES, "owner", "ann")] == ["b"]

    @pytest.mark.proves("KER-130")
    async def test_groups_that_look_alike_are_different_groups(self, store: Store, scope: Scope) -> None:
        owners = ["ann", "ANN", "ann ", "ánn", "a\u0301nn", "a%", "a_n"]
        for owner in owners:
            await put(store, BOXES, box(scope, f"of-{owner}", owner=owner))
        for owner in owners:
            assert [item.id for item in await listed(store, BOXES, "owner", owner)] == [f"of-{owner}"]


async def _write(storage: Storage, scope: Scope) -> None:
    store = storage.open(scope)
    for _ in range(ROUNDS):
        one, other = await find(store, BOXES, "box"), await find(store, LIDS, "box")
        assert one is not None
        assert other is not None
        counted = (
            BOXES.change(one, attrs.evolve(one, count=one.count + 1)),
            LIDS.change(other, attrs.evolve(other, count=other.count + 1)),
        )
        await got(store.record(Change(writes=counted)))


async def _read(storage: Storage, scope: Scope) -> list[tuple[int, int]]:
    store = storage.open(scope)
    seen = []
    for _ in range(ROUNDS):
        found = await got(store.find(BOXES, "box", bring=(LIDS.via(),)))
        assert found is not None
        brought = found[LIDS]
        assert brought is not None
        seen.append((found.it.count, brought.count))
    return seen
