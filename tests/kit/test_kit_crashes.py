"""Crashes and kills at every step are played through, and what is torn shows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import Change, Receipt, Recorded, Replayed
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, put
from shopaccounts.testing.crashes import Aftermath, Crash, CrashAt, Side, walk_crashes
from shopaccounts.testing.doubles import Late
from shopaccounts.testing.plugin import BLOCKING
from shopaccounts.testing.races import Wrap
from shopaccounts.testing.toys import BOXES, LIDS, NOW, box, happened, lid

SCOPE = Scope.single()
RECEIPT = Receipt(namespace="toys", key="k", body_hash="b", result=b"done", keep_until=NOW + timedelta(hours=1))


@pytest.fixture
def world(host: str) -> Callable[[], Storage]:
    return MemoryStorage if host == BLOCKING else lambda: Late(MemoryStorage())


async def one_change(storage: Storage, wrap: Wrap) -> bytes:
    """Look, then store everything at once, under a receipt."""
    store = wrap(storage).open(SCOPE)
    await got(store.find(BOXES, "nobody"))
    change = Change(writes=(BOXES.add(box(SCOPE)),), events=(happened(SCOPE, "e", "ann"),), receipt=RECEIPT)
    answer: Recorded | Replayed = await got(store.record(change))
    return answer.result if isinstance(answer, Replayed) else RECEIPT.result


async def two_changes(storage: Storage, wrap: Wrap) -> None:
    """Store a box, and its lid after it."""
    store = wrap(storage).open(SCOPE)
    if await find(store, BOXES, "box") is None:
        await put(store, BOXES, box(SCOPE))
        await put(store, LIDS, lid(SCOPE))


async def contents(storage: Storage) -> tuple[object, ...]:
    store = storage.open(SCOPE)
    return await find(store, BOXES, "box"), await find(store, LIDS, "box"), await find(store, EVENTS, "e")


async def as_if_nothing_had_happened(after: Aftermath[Storage, Any]) -> None:
    assert await contents(after.world) == await contents(after.quiet_world)
    assert after.result == after.quiet_result


@pytest.mark.proves("TES-107", "KER-110")
async def test_a_use_case_that_records_once_ends_as_if_it_had_never_crashed(world: Callable[[], Storage]) -> None:
    seen: list[tuple[int, Side]] = []

    async def check(after: Aftermath[Storage, bytes]) -> None:
        seen.append((after.call, after.side))
        await as_if_nothing_had_happened(after)

    assert await walk_crashes(world, one_change, check) == 2
    assert seen == [(1, Side.BEFORE), (1, Side.AFTER), (2, Side.BEFORE), (2, Side.AFTER)]


@pytest.mark.proves("TES-107")
async def test_a_use_case_that_records_twice_is_found_torn(world: Callable[[], Storage]) -> None:
    with pytest.raises(AssertionError):
        await walk_crashes(world, two_changes, as_if_nothing_had_happened)


@pytest.mark.proves("TES-107")
async def test_no_except_clause_of_a_use_case_holds_up_a_crash(world: Callable[[], Storage]) -> None:
    store = CrashAt(1, Side.BEFORE)(world()).open(SCOPE)

    async def clumsy() -> None:
        try:
            await got(store.find(BOXES, "box"))
        except Exception:  # noqa: BLE001  (that is the point)
            pytest.fail("a machine that stopped went on")

    with pytest.raises(Crash):
        await clumsy()
