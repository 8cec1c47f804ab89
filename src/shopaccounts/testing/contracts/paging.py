"""What ``record_page`` promises: each change by itself, in few statements."""

# ruff: noqa: D102  (a test's name is its sentence)
import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage, Store
from shopaccounts.kernel.record import Change, Once, PageResult, Receipt, Write
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put, refused
from shopaccounts.testing.toys import BOXES, NOW, box, happened, notice

__all__ = ["PagesContract"]


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
