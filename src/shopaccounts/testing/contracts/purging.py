"""What retention promises: bounded, repeatable, and nothing becomes usable again."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import datetime, timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.ports import Storage, Store, Swap
from shopaccounts.kernel.record import Change, Once, Receipt, Recorded, Replayed
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put, refused
from shopaccounts.testing.toys import BOXES, LIDS, NOW, box, lid

__all__ = ["PurgingContract"]

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


class PurgingContract:
    """What has reached its end goes page by page; the rest stays.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    @pytest.fixture
    def store(self, storage: Storage, scope: Scope) -> Store:
        """Open a store in a realm of its own."""
        return storage.open(scope)

    @pytest.mark.proves("KER-196")
    async def test_what_has_reached_its_end_goes_page_by_page(self, store: Store, scope: Scope) -> None:
        ends = [NOW - n * SECOND for n in range(5)]
        await put(store, BOXES, *(box(scope, f"b{n}", owner="ann", keep_until=end) for n, end in enumerate(ends)))
        for removed, left in ((2, 3), (2, 1), (0, 1)):
            assert await got(store.purge(BOXES, NOW, 2)) == removed
            assert len(await listed(store, BOXES, "owner", "ann")) == left
        assert await find(store, BOXES, "b0") is not None

    @pytest.mark.proves("KER-196")
    async def test_what_has_no_end_or_has_not_reached_it_stays(self, store: Store, scope: Scope) -> None:
        kept = await put(store, BOXES, box(scope, "no-end"), box(scope, "later", keep_until=NOW))
        await put(store, LIDS, lid(scope))
        assert await got(store.purge(BOXES, NOW, 10)) == 0
        assert await got(store.purge(LIDS, NOW + timedelta(days=36500), 10)) == 0
        assert [await find(store, BOXES, item.id) for item in kept] == list(kept)

    @pytest.mark.proves("KER-134", "KER-196")
    async def test_what_was_purged_is_unknown_and_gives_up_its_keys(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, name="n", nicknames=("x", "y"), keep_until=NOW, due_at=NOW))
        assert await got(store.purge(BOXES, NOW + SECOND, 10)) == 1
        assert await find(store, BOXES, "box") is None
        assert await find(store, BOXES, "n", "box_name") is None
        await put(store, BOXES, box(scope, "new", name="n", nicknames=("y",)))

    @pytest.mark.proves("KER-134")
    async def test_what_was_used_stays_tellable_until_it_is_purged(self, store: Store, scope: Scope) -> None:
        used = box(scope, name="ticket", is_open=False, keep_until=NOW)
        (kept,) = await put(store, BOXES, used)
        assert await got(store.purge(BOXES, NOW, 10)) == 0
        assert await find(store, BOXES, "ticket", "box_name") == kept
        assert await got(store.purge(BOXES, NOW + SECOND, 10)) == 1
        assert await find(store, BOXES, "ticket", "box_name") is None
        assert await got(store.record(Change(guards=(BOXES.absent("box"),)))) is not None

    @pytest.mark.proves("KER-196", "KER-134")
    async def test_what_has_lapsed_is_forgotten_page_by_page_and_the_rest_stays(
        self, storage: Storage, scope: Scope
    ) -> None:
        await self.lapse(storage, NOW + 99 * HOUR)
        store, counters = storage.open(scope), storage.counters(scope)
        for n in range(5):
            await got(store.record(_lapsing(n)))
        await got(counters.add("k0", 1, NOW, NOW))
        await got(counters.swap(*(Swap(f"k{n}", None, b"", NOW + n * HOUR) for n in (1, 3, 2, 4))))
        seen = await got(counters.read("k2", "k4"))
        await got(counters.swap(*(Swap(f"k{n}", seen[f"k{n}"].revision, b"", NOW + n * HOUR) for n in (2, 4))))
        pages = [await got(storage.purge_lapsed(NOW + 3 * HOUR, 2)) for _ in range(3)]
        assert pages == [6, 3, 0]
        assert set(await got(counters.read(*(f"k{n}" for n in range(5))))) == {"k3", "k4"}
        for n, answer in ((2, Recorded), (3, Replayed)):
            assert isinstance(await got(store.record(Change(receipt=_lapsing(n).receipt))), answer)
        await refused(Taken("once:toys"), store.record, Change(once=_lapsing(3).once))

    @pytest.mark.proves("KER-196")
    async def test_what_has_lapsed_is_forgotten_in_all_realms(self, storage: Storage, scope: Scope) -> None:
        await self.lapse(storage, NOW + 99 * HOUR)
        for realm in (scope, attrs.evolve(scope, realm=RealmId(f"{scope.realm}-too"))):
            await got(storage.open(realm).record(_lapsing(0)))
        assert await got(storage.purge_lapsed(NOW, 10)) == 0
        assert await got(storage.purge_lapsed(NOW + SECOND, 10)) == len(("marker", "receipt")) * 2

    @staticmethod
    async def lapse(storage: Storage, before: datetime) -> None:
        """Forget what others have left behind."""
        while await got(storage.purge_lapsed(before, 500)):
            pass


def _lapsing(n: int) -> Change:
    """Answer a change whose marker and receipt lapse after *n* hours."""
    end = NOW + n * HOUR
    return Change(
        once=(Once(namespace="toys", key=f"k{n}", now=NOW, keep_until=end),),
        receipt=Receipt(namespace="toys", key=f"k{n}", body_hash="b", result=b"answer", keep_until=end),
    )
