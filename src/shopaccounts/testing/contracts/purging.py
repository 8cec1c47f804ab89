"""What retention promises: bounded, repeatable, and nothing becomes usable again."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import timedelta

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ports import Storage, Store
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put
from shopaccounts.testing.toys import BOXES, LIDS, NOW, box, lid

__all__ = ["PurgingContract"]

SECOND = timedelta(seconds=1)


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
