"""What is promised of numbers: in each series one after the other, none twice and none left out."""

# ruff: noqa: D102  (a test's name is its sentence)
from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import StaleWrite, Taken
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.ports import Storage, Store
from shopaccounts.kernel.record import Change, PageResult, Receipt, Recorded
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put, refused
from shopaccounts.testing.races import race
from shopaccounts.testing.toys import BOXES, LIDS, NOW, Box, box, happened, lid

__all__ = ["NumbersContract"]

HOUR = timedelta(hours=1)


class NumbersContract:
    """An entity takes the next number of its series when it is recorded, and keeps it.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS`` and serves many threads, or many tasks.
    """

    callers: ClassVar[int] = 8

    @pytest.fixture
    def store(self, storage: Storage, scope: Scope) -> Store:
        """Open a store in a realm of its own."""
        return storage.open(scope)

    @staticmethod
    async def numbers(store: Store, ids: Iterable[str]) -> list[int | None]:
        """Answer the numbers of boxes, None for those that are not there."""
        found = [await find(store, BOXES, id) for id in ids]
        return [item.number if item else None for item in found]

    @staticmethod
    async def record(store: Store, *boxes: Box) -> dict[str, int]:
        """Record boxes anew in one change, and answer the numbers that are told."""
        answer = await got(store.record(Change(writes=tuple(map(BOXES.add, boxes)))))
        assert isinstance(answer, Recorded)
        return dict(answer.numbers)

    @pytest.mark.proves("KER-180")
    async def test_each_series_goes_its_way_in_the_order_of_the_writes(self, store: Store, scope: Scope) -> None:
        told = await self.record(
            store,
            box(scope, "z", series="north"),
            box(scope, "none"),
            box(scope, "b", series="south"),
            box(scope, "a", series="north"),
        )
        assert told == {"z": 1, "b": 1, "a": 2}
        assert await self.record(store, box(scope, "c", series="north")) == {"c": 3}
        assert await self.record(store, box(scope, "d", series="NORTH")) == {"d": 1}
        assert await self.record(store, box(scope, "nothing")) == {}
        assert await self.numbers(store, ["z", "a", "c", "b", "d", "none"]) == [1, 2, 3, 1, 1, None]

    @pytest.mark.proves("KER-180")
    async def test_what_is_numbered_is_found_and_listed_with_its_number(self, store: Store, scope: Scope) -> None:
        await self.record(store, box(scope, "a", series="s", owner="ann", name="n"), box(scope, "b", series="s"))
        kept = await find(store, BOXES, "a")
        assert kept is not None
        assert (kept.number, kept.version) == (1, 1)
        assert await find(store, BOXES, "n", "box_name") == kept
        assert await find(store, BOXES, "s 1", "box_number") == kept
        assert await listed(store, BOXES, "owner", "ann") == (kept,)

    @pytest.mark.proves("KER-180")
    async def test_who_has_a_number_keeps_it_and_who_needs_one_later_gets_it_then(
        self, store: Store, scope: Scope
    ) -> None:
        await self.record(store, box(scope, "first", series="s"), box(scope, "draft", due_at=NOW))
        first, draft = [await find(store, BOXES, id) for id in ("first", "draft")]
        assert first is not None
        assert draft is not None
        writes = (
            BOXES.change(first, attrs.evolve(first, count=1)),
            BOXES.change(draft, attrs.evolve(draft, series="s", count=2, owner="ann", due_at=NOW + HOUR)),
            BOXES.add(box(scope, "new", series="s")),
        )
        answer = await got(store.record(Change(writes=writes)))
        assert isinstance(answer, Recorded)
        assert answer.numbers == {"draft": 2, "new": 3}
        issued = await find(store, BOXES, "s 2", "box_number")
        assert issued == attrs.evolve(writes[1].now, number=2)
        assert await listed(store, BOXES, "owner", "ann") == (issued,)
        assert await self.numbers(store, ["first", "draft", "new"]) == [1, 2, 3]

    @pytest.mark.proves("KER-180")
    async def test_who_loses_takes_no_number(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, "held", name="held"))
        lost = BOXES.add(box(scope, "lost", series="s"))
        receipt = Receipt(namespace="toys", key="k", body_hash="b", result=b"", keep_until=NOW)
        await refused(StaleWrite, store.record, Change(writes=(lost, BOXES.add(box(scope, "held")))))
        await refused(StaleWrite, store.record, Change(writes=(lost,), guards=(BOXES.absent("held"),)))
        await refused(Taken, store.record, Change(writes=(lost, BOXES.add(box(scope, "b", name="held")))))
        await got(store.record(Change(receipt=receipt)))
        await got(store.record(Change(writes=(lost,), receipt=receipt)))
        assert await self.record(store, box(scope, "next", series="s")) == {"next": 1}

    @pytest.mark.proves("KER-180", "KER-119")
    async def test_winners_of_a_page_are_numbered_in_its_order(self, store: Store, scope: Scope) -> None:
        kept, *_ = await put(store, BOXES, box(scope, "kept", name="kept"), box(scope, "a", series="s"))
        page = (
            Change(writes=(BOXES.add(box(scope, "z", series="s")),), events=(happened(scope, "e", "ann"),)),
            Change(writes=(BOXES.add(box(scope, "a", series="s")),)),
            Change(writes=(BOXES.change(kept, attrs.evolve(kept, series="s")),)),
            Change(writes=(BOXES.add(box(scope, "b", series="s", name="kept")),)),
            Change(writes=(BOXES.add(box(scope, "d", series="t")), BOXES.add(box(scope, "c", series="s")))),
            Change(writes=(LIDS.add(lid(scope)),)),
        )
        assert await got(store.record_page(page)) == (
            PageResult.RECORDED,
            PageResult.STALE,
            PageResult.RECORDED,
            PageResult.TAKEN,
            PageResult.RECORDED,
            PageResult.RECORDED,
        )
        assert await self.numbers(store, ["a", "z", "kept", "c", "d"]) == [1, 2, 3, 4, 1]

    @pytest.mark.proves("KER-180", "KER-192")
    async def test_a_number_is_never_given_again(self, store: Store, scope: Scope) -> None:
        await self.record(store, box(scope, "a", series="s"), box(scope, "b", series="s", keep_until=NOW))
        kept = await find(store, BOXES, "a")
        assert kept is not None
        await got(store.record(Change(removals=(BOXES.remove(kept),))))
        assert await got(store.purge(BOXES, NOW + HOUR, 10)) == 1
        assert await self.record(store, box(scope, "a", series="s")) == {"a": 3}

    @pytest.mark.proves("KER-120")
    async def test_each_realm_has_series_of_its_own(self, storage: Storage, scope: Scope) -> None:
        elsewhere = attrs.evolve(scope, realm=RealmId(f"{scope.realm}-elsewhere"))
        for here in (scope, elsewhere):
            assert await self.record(storage.open(here), box(here, "a", series="s")) == {"a": 1}

    @pytest.mark.proves("KER-114", "KER-180")
    async def test_of_many_at_once_each_gets_another_number_and_none_is_left_out(
        self, storage: Storage, scope: Scope
    ) -> None:
        await put(storage.open(scope), BOXES, *(box(scope, f"draft-{n}") for n in range(self.callers)))

        async def issue(n: int) -> int:
            store, issued = storage.open(scope), 0
            draft = await find(store, BOXES, f"draft-{n // 2}")  # two at once want to issue the same
            assert draft is not None
            issuing = Change(writes=(BOXES.change(draft, attrs.evolve(draft, series="s")),))
            news = [
                Change(writes=(BOXES.add(box(scope, f"{n}-{m}", series="s", name=f"{n // 2}-{m}")),)) for m in range(4)
            ]
            told = [Change(events=(happened(scope, f"{n}-{m}", "ann"),)) for m in range(2)]
            for change in (news[0] | told[0], issuing):
                try:
                    answer = await got(store.record(change))
                    issued += len(answer.numbers) if isinstance(answer, Recorded) else 0
                except (StaleWrite, Taken):
                    continue
            results = await got(store.record_page((news[1], news[2] | told[1], news[3])))
            return issued + results.count(PageResult.RECORDED)

        outcomes = await race(self.callers, issue)
        assert [outcome.error for outcome in outcomes] == [None] * self.callers
        issued = sum(outcome.value for outcome in outcomes)
        assert issued == self.callers // 2 * 5
        store = storage.open(scope)
        ids = [f"draft-{n}" for n in range(self.callers)] + [f"{n}-{m}" for n in range(self.callers) for m in range(4)]
        given = [number for number in await self.numbers(store, ids) if number is not None]
        assert sorted(given) == list(range(1, issued + 1))
