"""What is promised of quotas: no crowd takes more than there is, and nothing is given back twice."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import timedelta
from typing import Final

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.quotas import QUOTAS, Quota, give_back, take
from shopaccounts.kernel.record import Change, Recorded
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.time import FixedClock
from shopaccounts.testing.contracts.steps import find, put, refused
from shopaccounts.testing.races import assert_one_winner, race
from shopaccounts.testing.toys import BOXES, NOW, box

__all__ = ["QuotasContract"]

HOUR = timedelta(hours=1)
CROWD: Final = 16
LIMIT: Final = 24
PATIENCE: Final = 200
"""How often somebody in a crowd decides again; so that all of them come to an end."""


class QuotasContract:
    """A quota is taken in the change that uses it, and never beyond its limit.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    @pytest.mark.proves("KER-156")
    async def test_no_crowd_takes_more_than_there_is(self, storage: Storage, scope: Scope) -> None:
        await put(storage.open(scope), QUOTAS, Quota(id="points", realm=scope.realm))
        outcomes = await race(CROWD, lambda index: _take_until_none_is_left(storage, scope, index))
        assert [outcome.error for outcome in outcomes] == [None] * CROWD
        final = await find(storage.open(scope), QUOTAS, "points")
        assert final is not None
        assert (final.taken, sum(outcome.value for outcome in outcomes)) == (LIMIT, LIMIT)

    @pytest.mark.proves("KER-156")
    async def test_a_crowd_gives_the_same_back_once(self, storage: Storage, scope: Scope) -> None:
        await put(storage.open(scope), QUOTAS, Quota(id="points", realm=scope.realm, taken=LIMIT))
        outcomes = await race(CROWD, lambda _: _return(storage, scope, "order-1"))
        assert_one_winner(outcomes, Taken)
        await _return(storage, scope, "order-2")
        final = await find(storage.open(scope), QUOTAS, "points")
        assert final is not None
        assert final.taken == LIMIT - 2 * 5

    @pytest.mark.proves("KER-156")
    async def test_what_a_change_takes_is_taken_with_it_or_not_at_all(self, storage: Storage, scope: Scope) -> None:
        store = storage.open(scope)
        (quota,) = await put(store, QUOTAS, Quota(id="points", realm=scope.realm))
        await put(store, BOXES, box(scope, "held", name="n"))
        more, _ = take(quota, 3, LIMIT)
        wanted = (QUOTAS.change(quota, more), BOXES.add(box(scope, "new", name="n")))
        await refused(Taken("box_name"), store.record, Change(writes=wanted))
        assert await find(store, QUOTAS, "points") == quota
        assert isinstance(await got(store.record(Change(writes=wanted[:1]))), Recorded)
        taken = await find(store, QUOTAS, "points")
        assert taken is not None
        assert taken.taken == len(("three", "of", "them"))


def _desk(storage: Storage, scope: Scope) -> Desk:
    return Desk(
        scope=scope,
        records=storage.open(scope),
        clock=FixedClock(NOW),
        entropy=SystemEntropy(),
        bell=SilentBell(),
    )


async def _quota(desk: Desk) -> Quota:
    quota = await find(desk.records, QUOTAS, "points")
    assert quota is not None
    return quota


async def _take_until_none_is_left(storage: Storage, scope: Scope, index: int) -> int:
    desk, mine = _desk(storage, scope), 0

    async def decide() -> int:
        seen = await _quota(desk)
        more, granted = take(seen, index % 3 + 1, LIMIT)
        if granted:
            await desk.record(Change(writes=(QUOTAS.change(seen, more),)))
        return granted

    while granted := await desk.retrying(decide, PATIENCE):
        mine += granted
    return mine


async def _return(storage: Storage, scope: Scope, key: str) -> None:
    desk = _desk(storage, scope)

    async def decide() -> None:
        await desk.record(give_back(await _quota(desk), 5, key=key, now=NOW, keep_until=NOW + HOUR))

    await desk.retrying(decide, PATIENCE)
