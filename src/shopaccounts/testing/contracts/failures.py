"""What a storage that can't be reached promises: it says so."""

# ruff: noqa: D102  (a test's name is its sentence)
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.errors import OutcomeUnknown, Unavailable
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import Claimed, Lease, Storage, Swap
from shopaccounts.kernel.record import Change, Recorded
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, put
from shopaccounts.testing.toys import BOXES, NOW, box

__all__ = ["FailuresContract"]

HOUR = timedelta(hours=1)
WORKER = WorkerId("worker")
Ask = Callable[[Storage, Scope], Answer[Any]]


def _claim(scope: Scope) -> Claimed[Any]:
    return Claimed(box(scope), 1, NOW, 0)


CALLS: dict[str, Ask] = {
    "find": lambda s, c: s.open(c).find(BOXES, "box"),
    "find-by-key": lambda s, c: s.open(c).find(BOXES, "name", "box_name"),
    "rows": lambda s, c: s.open(c).rows(BOXES, "owner", "ann", None, 10),
    "pick": lambda s, c: s.open(c).pick(BOXES, ("box",)),
    "record": lambda s, c: s.open(c).record(Change(writes=(BOXES.add(box(c)),))),
    "record-guards": lambda s, c: s.open(c).record(Change(guards=(BOXES.absent("box"),))),
    "record-page": lambda s, c: s.open(c).record_page((Change(writes=(BOXES.add(box(c)),)),)),
    "purge": lambda s, c: s.open(c).purge(BOXES, NOW, 10),
    "claim": lambda s, c: s.open(c).claim_due(BOXES, NOW, 10, HOUR, WORKER),
    "due-in": lambda s, c: s.open(c).due_in(BOXES, "owner", ("ann",), NOW, 10),
    "renew-claim": lambda s, c: s.open(c).renew(BOXES, (_claim(c),), NOW, HOUR),
    "release-claim": lambda s, c: s.open(c).release(BOXES, (_claim(c),), NOW),
    "park": lambda s, c: s.open(c).park(BOXES, _claim(c), "reason"),
    "parked": lambda s, c: s.open(c).parked(BOXES, 10),
    "unpark": lambda s, c: s.open(c).unpark(BOXES, "box"),
    "read": lambda s, c: s.counters(c).read("k"),
    "swap": lambda s, c: s.counters(c).swap(Swap("k", None, b"", NOW)),
    "clear": lambda s, c: s.counters(c).clear("k"),
    "add": lambda s, c: s.counters(c).add("k", 1, NOW, NOW),
    "acquire": lambda s, c: s.leases(c).acquire("nightly", WORKER, HOUR, NOW),
    "renew-lease": lambda s, c: s.leases(c).renew(Lease("nightly", 1, NOW), HOUR, NOW),
    "purge-lapsed": lambda s, _: s.purge_lapsed(NOW, 10),
    "release-lease": lambda s, c: s.leases(c).release(Lease("nightly", 1, NOW)),
}
"""Every call of every port of a storage."""


class FailuresContract:
    """A storage that fails raises; it never answers "nothing", a default, or "done".

    Give the fixtures ``broken``, a storage that can't be reached, and ``mend``, a function after which it can.
    """

    @pytest.mark.proves("KER-127", "ADA-110")
    @pytest.mark.parametrize("call", CALLS)
    async def test_a_storage_that_is_not_reached_says_so(self, broken: Storage, scope: Scope, call: str) -> None:
        with pytest.raises(Unavailable) as caught:
            await got(CALLS[call](broken, scope))
        assert not isinstance(caught.value, OutcomeUnknown), "nothing was committed, so the outcome is known"
        assert caught.value.reason.isidentifier()
        assert caught.value.args == (caught.value.reason,)

    @pytest.mark.proves("ADA-110")
    async def test_when_the_cause_is_gone_the_next_call_works(
        self, broken: Storage, scope: Scope, mend: Callable[[], None]
    ) -> None:
        store = broken.open(scope)
        with pytest.raises(Unavailable):
            await put(store, BOXES, box(scope))
        mend()
        (kept,) = await put(store, BOXES, box(scope))
        assert await find(store, BOXES, "box") == kept

    @pytest.mark.proves("KER-106")
    async def test_an_empty_change_asks_nothing_of_the_storage(self, broken: Storage, scope: Scope) -> None:
        assert isinstance(await got(broken.open(scope).record(Change())), Recorded)
        assert await got(broken.open(scope).record_page(())) == ()
