"""What is promised to processes that die: whatever they were doing, all of it is there or nothing."""

# ruff: noqa: D102  (a test's name is its sentence)
from collections.abc import Callable
from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ids import RealmId, WorkerId
from shopaccounts.kernel.messages import MESSAGES
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import Change, ClaimGuard, Once, Receipt, Recorded, Replayed, Sweep
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put
from shopaccounts.testing.crashes import KillAt, walk_kills
from shopaccounts.testing.plugin import Drive
from shopaccounts.testing.toys import BOXES, LIDS, NOW, box, happened, lid, notice

__all__ = ["KillsContract", "change_everything"]

HOUR = timedelta(hours=1)
Place = tuple[str, Scope]


async def change_everything(storage: Storage, scope: Scope) -> bytes:
    """Claim a box and record a change that has every part, the same each time it is asked for."""
    store = storage.open(scope)
    claims = await got(store.claim_due(BOXES, NOW, 1, HOUR, WorkerId("w")))
    old = await find(store, BOXES, "old")
    doing = await find(store, BOXES, "due")
    change = Change(
        writes=(
            LIDS.add(lid(scope, "new")),
            *(BOXES.change(doing, attrs.evolve(doing, count=1, name="new")) for _ in "1" if doing),
        ),
        removals=tuple(BOXES.remove(old) for _ in "1" if old),
        claims=tuple(ClaimGuard(BOXES, claim.item.id, claim.fence) for claim in claims),
        once=(Once(namespace="toys", key="k", now=NOW, keep_until=NOW + HOUR),),
        sweeps=(Sweep(book=BOXES, group="owner", value="swept"),),
        events=(happened(scope, "event", "ann"), happened(scope, "another", "ann")),
        messages=(notice(scope, "message"),),
        receipt=Receipt(namespace="toys", key="k", body_hash="b", result=b"answer", keep_until=NOW + HOUR),
    )
    answer: Recorded | Replayed = await got(store.record(change))
    return answer.result if isinstance(answer, Replayed) else b"answer"


async def contents(storage: Storage, scope: Scope) -> list[bool]:
    """Tell of each part whether it has taken effect."""
    store = storage.open(scope)
    due = await find(store, BOXES, "due")
    assert due is not None
    return [
        due.count == 1,
        await find(store, LIDS, "new") is not None,
        await find(store, BOXES, "new", "box_name") is not None,
        await find(store, BOXES, "old") is None,
        await listed(store, BOXES, "owner", "swept") == (),
        [event.seq for event in await listed(store, EVENTS, "subject", "ann")] == [2, 1],
        await find(store, MESSAGES, "message") is not None,
    ]


class KillsContract:
    """A process may be killed before, during and after ``record``; asking again then ends as if it had not been.

    Give the fixtures ``storage``, and ``act``: a function that another process can import. It takes a scope's realm and
    a ``KillAt``, opens the same storage, makes each statement a step, wraps the storage in the ``KillAt`` and runs
    ``change_everything``.
    """

    @pytest.mark.proves("TES-107", "KER-110", "KER-136", "REL-101", "REL-110")
    def test_a_process_that_dies_at_any_step_leaves_all_or_nothing(
        self, storage: Storage, scope: Scope, act: Callable[[str, KillAt], None], drive: Drive
    ) -> None:
        realms: list[str] = []
        ends: set[bool] = set()

        def here(realm: str) -> Scope:
            return attrs.evolve(scope, realm=RealmId(realm))

        def world() -> str:
            realms.append(f"{scope.realm}-{len(realms)}")
            drive(self.stock(storage, here(realms[-1])))
            return realms[-1]

        def check(step: int, realm: str) -> None:
            found = drive(contents(storage, here(realm)))
            assert len(set(found)) == 1, f"killed at step {step}, it left a part: {found}"
            ends.add(found[0])
            assert drive(change_everything(storage, here(realm))) == b"answer"
            assert set(drive(contents(storage, here(realm)))) == {True}, f"killed at step {step}, it can't be mended"

        steps = walk_kills(world, act, check)
        assert ends == {True, False}
        assert steps > len(("claim", "old", "due", "record")) * 2, "the statements were no steps"

    @staticmethod
    async def stock(storage: Storage, scope: Scope) -> None:
        """Record what is there before."""
        await put(
            storage.open(scope),
            BOXES,
            box(scope, "old", name="old"),
            box(scope, "due", due_at=NOW),
            *(box(scope, f"swept-{n}", owner="swept") for n in range(2)),
        )
