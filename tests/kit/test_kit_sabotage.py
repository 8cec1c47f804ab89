"""The contracts and the random machine find storages that are almost right."""

from collections.abc import Callable
from typing import TypeVar

import attrs
import pytest

from shopaccounts.adapters.memory import MemoryStorage, MemoryStore
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import StaleWrite, Taken
from shopaccounts.kernel.ports import Position, Rows, Storage
from shopaccounts.kernel.record import Book, Change, Entity, Recorded, Replayed
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.due import DueWorkContract
from shopaccounts.testing.contracts.events import EventsContract
from shopaccounts.testing.contracts.keys import KeysContract
from shopaccounts.testing.contracts.reading import ReadingContract
from shopaccounts.testing.contracts.writing import WritingContract
from shopaccounts.testing.random_machine import machine_against, run_machine

T = TypeVar("T", bound=Entity)


class Careless(MemoryStorage):
    """A storage whose stores are of a class that forgets one thing."""

    kind: type[MemoryStore]

    def open(self, scope: Scope) -> MemoryStore:
        store = super().open(scope)
        store.__class__ = self.kind
        return store


class NoGuards(MemoryStore):
    def record(self, change: Change) -> Recorded | Replayed:
        return super().record(attrs.evolve(change, guards=()))


class NoVersions(MemoryStore):
    def _judge(self, change: Change) -> None:
        self._judge_keys(change)


class FoldedKeys(MemoryStore):
    def _judge(self, change: Change) -> None:
        super()._judge(change)
        held = {(name, key.casefold()) for name, key in self._realm.keys}
        for write in change.writes:
            own = write.book.keys(write.was) if write.was else frozenset()
            for name, key in write.book.keys(write.now) - own:
                if (name, key.casefold()) in held:
                    raise Taken(name)


class NoReceipts(MemoryStore):
    def record(self, change: Change) -> Recorded | Replayed:
        return super().record(attrs.evolve(change, receipt=None))


class LostEvents(MemoryStore):
    def record(self, change: Change) -> Recorded | Replayed:
        return super().record(attrs.evolve(change, events=change.events[:0]))


class TakenFirst(MemoryStore):
    def _judge(self, change: Change) -> None:
        self._judge_keys(change)
        super()._judge(change)


class Unsorted(MemoryStore):
    def rows(
        self,
        book: Book[T],
        group: str,
        value: str,
        after: Position | None,
        limit: int,
        *,
        newest_first: bool = False,
    ) -> Rows[T]:
        page = super().rows(book, group, value, after, limit, newest_first=newest_first)
        return attrs.evolve(page, items=page.items[::-1])


class SweepsAll(MemoryStore):
    def record(self, change: Change) -> Recorded | Replayed:
        swept = tuple(attrs.evolve(sweep, spare=frozenset()) for sweep in change.sweeps)
        return super().record(attrs.evolve(change, sweeps=swept))


class NoFences(MemoryStore):
    def record(self, change: Change) -> Recorded | Replayed:
        return super().record(attrs.evolve(change, claims=(), leases=()))


class Torn(MemoryStore):
    def record(self, change: Change) -> Recorded | Replayed:
        try:
            return super().record(change)
        except (StaleWrite, Taken):
            super().record(Change(events=change.events))
            raise


SABOTEURS: dict[str, type[MemoryStore]] = {
    kind.__name__: kind
    for kind in (
        NoGuards,
        NoVersions,
        FoldedKeys,
        NoReceipts,
        LostEvents,
        TakenFirst,
        Unsorted,
        SweepsAll,
        NoFences,
        Torn,
    )
}


def careless(kind: type[MemoryStore]) -> Callable[[], Storage]:
    return type("Kind", (Careless,), {"kind": kind})


@pytest.mark.proves("TES-103")
def test_random_histories_find_no_difference_where_there_is_none() -> None:
    run_machine(machine_against(MemoryStorage, run), histories=5)


@pytest.mark.proves("TES-103")
@pytest.mark.parametrize("name", ["NoVersions", "LostEvents", "Torn"])
def test_random_histories_find_a_storage_that_forgets_one_thing(name: str) -> None:
    with pytest.raises(AssertionError, match="in memory"):
        run_machine(machine_against(careless(SABOTEURS[name]), run), histories=300, shrink=False)


TESTS: dict[str, tuple[type, str, dict[str, str]]] = {
    "NoGuards": (
        WritingContract,
        "test_nothing_is_stored_if_one_part_does_not_hold",
        {"spoilt": "guard-on-a-missing-one"},
    ),
    "NoVersions": (WritingContract, "test_an_entity_that_is_removed_may_be_added_anew", {}),
    "FoldedKeys": (KeysContract, "test_keys_that_look_alike_are_different_keys", {"kind": "case"}),
    "NoReceipts": (KeysContract, "test_a_command_asked_again_is_answered_the_same_and_writes_nothing", {}),
    "LostEvents": (WritingContract, "test_a_change_is_stored_with_all_its_parts", {}),
    "TakenFirst": (WritingContract, "test_stale_goes_before_taken", {}),
    "Unsorted": (ReadingContract, "test_a_listing_is_in_order_and_ties_go_by_id", {}),
    "SweepsAll": (WritingContract, "test_a_sweep_ends_a_group_but_for_those_that_are_spared", {}),
    "NoFences": (DueWorkContract, "test_a_worker_that_slept_through_its_claim_changes_nothing", {}),
    "Torn": (EventsContract, "test_a_refused_change_leaves_no_gap_in_the_numbers", {}),
}


async def prove(contract: type, test: str, storage: Storage, scope: Scope, **arguments: str) -> None:
    """Run one test of a contract by hand."""
    await getattr(contract(), test)(store=storage.open(scope), scope=scope, **arguments)


@pytest.mark.proves("TES-101")
@pytest.mark.parametrize("name", SABOTEURS)
def test_a_contract_finds_a_storage_that_forgets_one_thing(name: str, scope: Scope) -> None:
    contract, test, arguments = TESTS[name]
    run(prove(contract, test, MemoryStorage(), scope, **arguments))
    with pytest.raises((AssertionError, Taken, StaleWrite, pytest.fail.Exception)):
        run(prove(contract, test, careless(SABOTEURS[name])(), scope, **arguments))
