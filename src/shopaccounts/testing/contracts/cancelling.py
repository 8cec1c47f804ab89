"""What async storages promise to tasks that are cancelled."""

# ruff: noqa: D102  (a test's name is its sentence)
import asyncio

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import Change, Recorded
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find
from shopaccounts.testing.races import race
from shopaccounts.testing.toys import BOXES, LIDS, box, happened, lid

__all__ = ["CancellingContract"]


class CancellingContract:
    """A task may be cancelled at any moment: all of its change is stored or nothing, and nobody else suffers.

    Give the fixture ``storage``: an async storage that was opened with ``toys.TOYS``.
    """

    @pytest.mark.proves("ADA-109", "KER-110")
    async def test_a_change_that_is_cancelled_at_any_moment_is_stored_whole_or_not_at_all(
        self, storage: Storage, scope: Scope
    ) -> None:
        turns, caught = 0, 0
        while await self.cancelled(storage, scope, turns):
            seen = await self.seen(storage, scope, turns)
            assert len(set(seen)) == 1, f"cancelled after {turns} turns, it left a part: {seen}"
            turns, caught = 2 * turns + 1, caught + 1
        assert caught, "no task was caught at work"
        assert await self.seen(storage, scope, turns) == [True] * 3

    @staticmethod
    async def cancelled(storage: Storage, scope: Scope, turns: int) -> bool:
        """Record a change, cancel it after so many turns, and tell whether it was still at work."""
        change = Change(
            writes=(BOXES.add(box(scope, f"b{turns}")), LIDS.add(lid(scope, f"l{turns}"))),
            events=(happened(scope, f"e{turns}", "ann"),),
        )

        async def record() -> None:
            await got(storage.open(scope).record(change))

        task = asyncio.create_task(record())
        for _ in range(turns):
            await asyncio.sleep(0)
        was_at_work = task.cancel()
        await asyncio.wait([task])
        return was_at_work

    @staticmethod
    async def seen(storage: Storage, scope: Scope, turns: int) -> list[bool]:
        """Tell of each part whether it is there."""
        store = storage.open(scope)
        return [
            await find(store, BOXES, f"b{turns}") is not None,
            await find(store, LIDS, f"l{turns}") is not None,
            await find(store, EVENTS, f"e{turns}") is not None,
        ]

    @pytest.mark.proves("ADA-109")
    async def test_connections_of_cancelled_tasks_serve_others_again(self, storage: Storage, scope: Scope) -> None:
        for turns in range(20):
            await self.cancelled(storage, scope, turns)

        async def record(index: int) -> None:
            answer = await got(storage.open(scope).record(Change(writes=(BOXES.add(box(scope, f"after-{index}")),))))
            assert isinstance(answer, Recorded)

        outcomes = await race(20, record)
        assert [outcome.error for outcome in outcomes] == [None] * 20
