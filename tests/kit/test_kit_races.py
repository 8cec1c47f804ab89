"""Crowds start at once, and two use-cases meet in every order."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import StaleWrite, Taken
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.races import compete
from shopaccounts.testing.contracts.steps import find, put
from shopaccounts.testing.doubles import Late
from shopaccounts.testing.plugin import BLOCKING
from shopaccounts.testing.processes import Crowd
from shopaccounts.testing.races import Outcome, Wrap, assert_as_if_in_turn, assert_one_winner, interleave, race
from shopaccounts.testing.toys import BOXES, box

SCOPE = Scope.single()


@pytest.mark.proves("TES-105")
async def test_all_of_a_crowd_are_at_work_at_the_same_time(host: str) -> None:
    together: Any = threading.Barrier(4) if host == BLOCKING else asyncio.Barrier(4)

    async def meet(index: int) -> int:
        if host == BLOCKING:
            together.wait(10)
        else:
            await together.wait()
        return index

    assert await race(4, meet) == tuple(Outcome(index) for index in range(4))


@pytest.mark.proves("TES-105")
def test_a_crowd_without_exactly_one_winner_fails() -> None:
    won, lost = Outcome("prize"), Outcome(error=StaleWrite("box", "1"))
    assert assert_one_winner([lost, won, lost], StaleWrite) == "prize"
    for outcomes in ([lost, lost], [won, won, lost]):
        with pytest.raises(AssertionError, match="won"):
            assert_one_winner(outcomes, StaleWrite)
    with pytest.raises(ExceptionGroup, match="documented"):
        assert_one_winner([won, lost], Taken)


@pytest.mark.proves("TES-105")
def test_processes_race_as_well_and_share_no_memory() -> None:
    with Crowd(2) as crowd:
        outcomes = crowd.race(compete, MemoryStorage, "add-one-id", SCOPE)
        assert outcomes == (Outcome(), Outcome())
        unprepared = crowd.race(compete, MemoryStorage, "swap-from-one-revision", SCOPE)
        assert [type(outcome.error) for outcome in unprepared] == [AssertionError] * 2


@attrs.define
class Till:
    """A port that keeps one number and lets anybody overwrite it."""

    amount: int = 0

    def read(self) -> int:
        return self.amount

    def write(self, amount: int) -> None:
        self.amount = amount


async def careless(till: Till, wrap: Wrap) -> None:
    """Add one, with nothing to hold on to between reading and writing."""
    port = wrap(till)
    seen = await got(port.read())
    await got(port.write(seen + 1))


@pytest.mark.proves("TES-104")
async def test_two_pairs_of_calls_have_six_orders_and_a_lost_update_shows_in_four() -> None:
    endings = await interleave(Till, careless, careless)
    assert sorted(ending.order for ending in endings) == ["aabb", "abab", "abba", "baab", "baba", "bbaa"]
    assert {ending.order: ending.world.amount for ending in endings if ending.is_serial} == {"aabb": 2, "bbaa": 2}
    assert [ending.world.amount for ending in endings].count(1) == 4
    with pytest.raises(AssertionError, match="in the order abab it ended as 1"):
        await assert_as_if_in_turn(endings, lambda till: till.amount)


@pytest.fixture
def world(host: str) -> Callable[[], Awaitable[Storage]]:
    async def stocked() -> Storage:
        storage: Storage = MemoryStorage() if host == BLOCKING else Late(MemoryStorage())
        await put(storage.open(SCOPE), BOXES, box(SCOPE))
        return storage

    return stocked


async def careful(storage: Storage, wrap: Wrap) -> None:
    """Add one to a box, and decide again if somebody was faster."""
    store = wrap(storage).open(SCOPE)
    while True:
        seen = await find(store, BOXES, "box")
        assert seen is not None
        try:
            await got(store.record(Change(writes=(BOXES.change(seen, attrs.evolve(seen, count=seen.count + 1)),))))
        except StaleWrite:
            continue
        return


async def count(storage: Storage) -> int:
    seen = await find(storage.open(SCOPE), BOXES, "box")
    assert seen is not None
    return seen.count


@pytest.mark.proves("TES-104")
async def test_a_use_case_that_compares_ends_in_every_order_as_if_in_turn(
    world: Callable[[], Awaitable[Storage]],
) -> None:
    endings = await interleave(world, careful, careful)
    assert {ending.order for ending in endings} == {"aabb", "bbaa", "ababbb", "abbaaa", "baabbb", "babaaa"}
    await assert_as_if_in_turn(endings, count)
    assert {await count(ending.world) for ending in endings} == {2}


@pytest.mark.proves("TES-104")
async def test_how_each_side_ended_is_told(world: Callable[[], Awaitable[Storage]]) -> None:
    async def once(storage: Storage, wrap: Wrap) -> str:
        store = wrap(storage).open(SCOPE)
        seen = await find(store, BOXES, "box")
        assert seen is not None
        await got(store.record(Change(writes=(BOXES.change(seen, seen),))))
        return "won"

    for ending in await interleave(world, once, once):
        sides = [ending.first, ending.second]
        assert Outcome("won") in sides
        losers = [side.error for side in sides if side.error]
        assert len(losers) == (0 if ending.is_serial else 1)
        assert all(isinstance(error, StaleWrite) for error in losers)


@pytest.mark.proves("TES-104")
async def test_a_use_case_that_never_ends_is_seen() -> None:
    async def stubborn(till: Till, wrap: Wrap) -> None:
        port = wrap(till)
        while await got(port.read()) < 100:
            await got(port.write(0))

    with pytest.raises(AssertionError, match="turns"):
        await interleave(Till, stubborn, careless)
