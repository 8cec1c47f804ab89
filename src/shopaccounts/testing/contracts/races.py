"""What is promised to crowds: of N at once exactly one wins, and nothing is lost."""

# ruff: noqa: D102  (a test's name is its sentence)
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Final

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Conflict, StaleWrite, Taken
from shopaccounts.kernel.ids import RealmId, WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage, Swap
from shopaccounts.kernel.record import Change, ClaimGuard, Once, Receipt, Recorded, Replayed
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put
from shopaccounts.testing.processes import Crowd
from shopaccounts.testing.races import Outcome, assert_one_winner, outcome_of, race
from shopaccounts.testing.toys import BOXES, LIDS, NOW, Box, Colour, box, happened, lid

__all__ = ["CONTESTS", "Contest", "ProcessesContract", "RaceContract", "compete"]

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
MINE = "box"


class Lost(Conflict):
    """A port answered that somebody else was faster."""


@attrs.frozen
class Contest:
    """Something that one of many may do.

    Args:
        prepare: Brings about the situation.
        enter: What each one does, given its number; it raises if it was not the one.
        losing: How losers end.
    """

    prepare: Callable[[Storage, Scope], Coroutine[Any, Any, None]]
    enter: Callable[[Storage, Scope, int], Coroutine[Any, Any, Any]]
    losing: tuple[type[Exception], ...]


async def _nothing(_storage: Storage, _scope: Scope) -> None:
    return


async def _a_box(storage: Storage, scope: Scope) -> None:
    await put(storage.open(scope), BOXES, box(scope, due_at=NOW, name="mine"))


async def _a_state(storage: Storage, scope: Scope) -> None:
    await got(storage.counters(scope).swap(Swap("k", None, b"", NOW + HOUR)))


async def _record(storage: Storage, scope: Scope, change: Change) -> None:
    assert isinstance(await got(storage.open(scope).record(change)), Recorded)


async def _write(storage: Storage, scope: Scope, n: int) -> None:
    seen = box(scope, due_at=NOW, name="mine")
    await _record(storage, scope, Change(writes=(BOXES.change(seen, attrs.evolve(seen, count=n)),)))


async def _remove(storage: Storage, scope: Scope, _: int) -> None:
    await _record(storage, scope, Change(removals=(BOXES.remove(box(scope, due_at=NOW, name="mine")),)))


async def _add(storage: Storage, scope: Scope, n: int) -> None:
    await _record(storage, scope, Change(writes=(BOXES.add(box(scope, count=n)),)))


async def _take_a_key(storage: Storage, scope: Scope, n: int) -> None:
    await _record(storage, scope, Change(writes=(BOXES.add(box(scope, f"b{n}", name="wanted")),)))


async def _be_the_open_one(storage: Storage, scope: Scope, n: int) -> None:
    await _record(storage, scope, Change(writes=(BOXES.add(box(scope, f"b{n}", owner="ann", colour=Colour.BLUE)),)))


async def _set_a_marker(storage: Storage, scope: Scope, n: int) -> None:
    once = Once(namespace="toys", key="k", now=NOW, keep_until=NOW + HOUR)
    await _record(storage, scope, Change(writes=(LIDS.add(lid(scope, f"l{n}")),), once=(once,)))


async def _add_while_guarded(storage: Storage, scope: Scope, n: int) -> None:
    """Add a lid only if the box is as it was, and move the box on."""
    seen = box(scope, due_at=NOW, name="mine")
    change = Change(writes=(LIDS.add(lid(scope, f"l{n}")),), guards=(BOXES.unchanged(seen),))
    moves = Change(writes=(BOXES.change(seen, attrs.evolve(seen, count=n)),))
    await _record(storage, scope, change | moves)


async def _add_if_absent(storage: Storage, scope: Scope, n: int) -> None:
    change = Change(writes=(LIDS.add(lid(scope, f"l{n}")),), guards=(BOXES.absent(MINE),))
    await _record(storage, scope, change | Change(writes=(BOXES.add(box(scope)),)))


async def _claim(storage: Storage, scope: Scope, n: int) -> None:
    claims = await got(storage.open(scope).claim_due(BOXES, NOW, 5, HOUR, WorkerId(f"w{n}")))
    if not claims:
        raise Lost


async def _lease(storage: Storage, scope: Scope, n: int) -> None:
    if await got(storage.leases(scope).acquire("nightly", WorkerId(f"w{n}"), HOUR, NOW)) is None:
        raise Lost


async def _first_swap(storage: Storage, scope: Scope, n: int) -> None:
    if not await got(storage.counters(scope).swap(Swap("k", None, str(n).encode(), NOW + HOUR))):
        raise Lost


async def _next_swap(storage: Storage, scope: Scope, n: int) -> None:
    counters = storage.counters(scope)
    seen = (await got(counters.read("k"))).get("k")
    assert seen is not None
    if seen.state or not await got(counters.swap(Swap("k", seen.revision, b"%d" % n, NOW + HOUR))):
        raise Lost


async def _command(storage: Storage, scope: Scope, n: int) -> None:
    receipt = Receipt(namespace="toys", key="k", body_hash="b", result=b"%d" % n, keep_until=NOW + HOUR)
    change = Change(writes=(LIDS.add(lid(scope, f"l{n}")),), receipt=receipt)
    if isinstance(await got(storage.open(scope).record(change)), Replayed):
        raise Lost


CONTESTS: Final = {
    "write-from-one-version": Contest(_a_box, _write, (StaleWrite,)),
    "remove-from-one-version": Contest(_a_box, _remove, (StaleWrite,)),
    "add-one-id": Contest(_nothing, _add, (StaleWrite,)),
    "take-a-unique-key": Contest(_nothing, _take_a_key, (Taken,)),
    "be-the-open-one": Contest(_nothing, _be_the_open_one, (Taken,)),
    "set-a-once-marker": Contest(_nothing, _set_a_marker, (Taken,)),
    "write-under-a-guard": Contest(_a_box, _add_while_guarded, (StaleWrite,)),
    "add-what-must-be-absent": Contest(_nothing, _add_if_absent, (StaleWrite,)),
    "claim-an-item": Contest(_a_box, _claim, (Lost,)),
    "take-a-lease": Contest(_nothing, _lease, (Lost,)),
    "swap-from-nothing": Contest(_nothing, _first_swap, (Lost,)),
    "swap-from-one-revision": Contest(_a_state, _next_swap, (Lost,)),
    "send-one-command": Contest(_nothing, _command, (Lost,)),
}
"""What exactly one of any number at once may do."""


def _round(scope: Scope, number: int) -> Scope:
    return attrs.evolve(scope, realm=RealmId(f"{scope.realm}-{number}"))


class RaceContract:
    """Any number at once, each with a store of its own: one wins, the others get the answer that is documented.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS`` and serves many threads, or many tasks.
    """

    callers: ClassVar[int] = 16
    rounds: ClassVar[int] = 2
    """How often each contest is held; more rounds find rarer mistakes."""

    @pytest.mark.proves("KER-114", "KER-136", "KER-140", "KER-150", "TES-105")
    @pytest.mark.parametrize("name", CONTESTS)
    async def test_of_many_at_once_exactly_one_wins(self, storage: Storage, scope: Scope, name: str) -> None:
        contest = CONTESTS[name]
        for number in range(self.rounds):
            here = _round(scope, number)
            await contest.prepare(storage, here)
            outcomes = await race(self.callers, partial(contest.enter, storage, here))
            assert_one_winner(outcomes, *contest.losing)

    @pytest.mark.proves("TES-106", "KER-111")
    @pytest.mark.parametrize("name", CONTESTS)
    async def test_by_hand_the_first_wins_and_the_second_loses(self, storage: Storage, scope: Scope, name: str) -> None:
        contest = CONTESTS[name]
        await contest.prepare(storage, scope)
        first, second = [await outcome_of(contest.enter(storage, scope, number)) for number in (1, 2)]
        assert first.error is None
        assert isinstance(second.error, contest.losing)

    @pytest.mark.proves("KER-136")
    async def test_equal_commands_at_once_all_get_the_answer_of_the_one_that_writes(
        self, storage: Storage, scope: Scope
    ) -> None:
        async def send(n: int) -> bytes:
            receipt = Receipt(namespace="toys", key="k", body_hash="b", result=b"%d" % n, keep_until=NOW + HOUR)
            change = Change(writes=(LIDS.add(lid(scope, f"l{n}", box="b")),), receipt=receipt)
            answer = await got(storage.open(scope).record(change))
            return answer.result if isinstance(answer, Replayed) else b"%d" % n

        outcomes = await race(self.callers, send)
        assert [outcome.error for outcome in outcomes] == [None] * self.callers
        (kept,) = await listed(storage.open(scope), LIDS, "box", "b")
        assert {outcome.value for outcome in outcomes} == {kept.id.removeprefix("l").encode()}

    @pytest.mark.proves("KER-115", "SQL-1", "SQL-2")
    async def test_of_200_increments_by_4_at_once_none_is_lost(self, storage: Storage, scope: Scope) -> None:
        await put(storage.open(scope), BOXES, box(scope))

        async def count(_: int) -> Counter[str]:
            store, ends = storage.open(scope), Counter[str]()
            for _ in range(50):
                seen = await find(store, BOXES, "box")
                assert seen is not None
                try:
                    more = BOXES.change(seen, attrs.evolve(seen, count=seen.count + 1))
                    await got(store.record(Change(writes=(more,))))
                    ends["recorded"] += 1
                except StaleWrite:
                    ends["refused"] += 1
            return ends

        outcomes = await race(4, count)
        assert [outcome.error for outcome in outcomes] == [None] * 4
        ends = sum((outcome.value for outcome in outcomes), Counter[str]())
        final = await find(storage.open(scope), BOXES, "box")
        assert final is not None
        assert ends.total() == 4 * 50
        assert (final.count, final.version) == (ends["recorded"], ends["recorded"] + 1)

    @pytest.mark.proves("KER-111", "KER-114", "ADA-103")
    async def test_of_two_that_each_rely_on_what_the_other_changes_one_wins(
        self, storage: Storage, scope: Scope
    ) -> None:
        for number in range(5 * self.rounds):
            here = _round(scope, number)
            sides = await put(storage.open(here), BOXES, box(here, "left"), box(here, "right"))

            async def lean(index: int, here: Scope = here, sides: Sequence[Box] = sides) -> None:
                own, other = sides[index], sides[1 - index]
                write = BOXES.change(own, attrs.evolve(own, count=1))
                await got(storage.open(here).record(Change(writes=(write,), guards=(BOXES.unchanged(other),))))

            assert_one_winner(await race(2, lean), StaleWrite)

    @pytest.mark.proves("KER-111", "KER-114")
    async def test_of_two_that_each_rely_on_the_absence_of_what_the_other_adds_one_wins(
        self, storage: Storage, scope: Scope
    ) -> None:
        for number in range(self.rounds):
            here = _round(scope, number)

            async def settle(index: int, here: Scope = here) -> None:
                own, other = ("left", "right") if index else ("right", "left")
                change = Change(writes=(BOXES.add(box(here, own)),), guards=(BOXES.absent(other),))
                await got(storage.open(here).record(change))

            assert_one_winner(await race(2, settle), StaleWrite)

    @pytest.mark.proves("KER-116")
    async def test_changes_that_touch_the_same_things_in_any_order_all_end(
        self, storage: Storage, scope: Scope
    ) -> None:
        ids = [f"b{n}" for n in range(6)]
        await put(storage.open(scope), BOXES, *(box(scope, id, nicknames=(id,)) for id in ids))

        async def shuffle(n: int) -> int:
            store, won = storage.open(scope), 0
            turned = ids[n % 6 :] + ids[: n % 6]
            order = turned if n % 2 else turned[::-1]
            for _ in range(4):
                found = [await find(store, BOXES, id) for id in order]
                seen = [item for item in found if item is not None]
                names = [item.nicknames for item in seen]
                swapped = zip(seen, names[1:] + names[:1], strict=True)
                writes = tuple(BOXES.change(item, attrs.evolve(item, nicknames=name)) for item, name in swapped)
                events = tuple(happened(scope, f"e-{n}-{_}-{id}", id) for id in order)
                try:
                    await got(store.record(Change(writes=writes, events=events)))
                    won += 1
                except StaleWrite:
                    continue
            return won

        outcomes = await race(8, shuffle)
        assert [outcome.error for outcome in outcomes] == [None] * 8
        won = sum(outcome.value for outcome in outcomes)
        assert won >= 1
        for id in ids:
            assert await find(storage.open(scope), BOXES, id, "box_nickname") is not None
            numbers = [event.seq for event in await listed(storage.open(scope), EVENTS, "subject", id)]
            assert sorted(number or 0 for number in numbers) == list(range(1, won + 1))

    @pytest.mark.proves("REL-102")
    async def test_events_of_one_subject_told_at_once_are_numbered_without_gaps(
        self, storage: Storage, scope: Scope
    ) -> None:
        async def tell(n: int) -> None:
            for turn in range(3):
                events = (happened(scope, f"{n}-{turn}", "ann"), happened(scope, f"{n}-{turn}-nobody's"))
                await got(storage.open(scope).record(Change(events=events)))

        outcomes = await race(self.callers, tell)
        assert [outcome.error for outcome in outcomes] == [None] * self.callers
        numbers = [event.seq for event in await listed(storage.open(scope), EVENTS, "subject", "ann")]
        assert sorted(number or 0 for number in numbers) == list(range(1, 3 * self.callers + 1))

    @pytest.mark.proves("KER-150")
    async def test_of_n_that_add_one_each_gets_another_sum(self, storage: Storage, scope: Scope) -> None:
        async def add(_: int) -> int:
            return await got(storage.counters(scope).add("k", 1, NOW, NOW + HOUR))

        outcomes = await race(self.callers, add)
        assert [outcome.error for outcome in outcomes] == [None] * self.callers
        assert sorted(outcome.value for outcome in outcomes) == list(range(1, self.callers + 1))

    @pytest.mark.proves("KER-140")
    async def test_workers_at_once_share_what_is_due_without_overlap(self, storage: Storage, scope: Scope) -> None:
        due = {f"b{n:02}" for n in range(40)}
        await put(storage.open(scope), BOXES, *(box(scope, id, due_at=NOW) for id in due))

        async def work(n: int) -> list[str]:
            claims = await got(storage.open(scope).claim_due(BOXES, NOW, 5, HOUR, WorkerId(f"w{n}")))
            return [claim.item.id for claim in claims]

        outcomes = await race(4, work)
        assert [outcome.error for outcome in outcomes] == [None] * 4
        claimed = [id for outcome in outcomes for id in outcome.value]
        assert len(claimed) == len(set(claimed))
        assert set(claimed) <= due
        assert claimed, "something was due, and nobody got any of it"

    @pytest.mark.proves("KER-140", "KER-142", "RUN-3")
    async def test_what_is_worked_off_and_due_again_is_claimed_by_one_at_a_time(
        self, storage: Storage, scope: Scope
    ) -> None:
        await put(storage.open(scope), BOXES, *(box(scope, f"b{n}", due_at=NOW) for n in range(3)))

        async def work(n: int) -> list[tuple[str, int]]:
            """Work off what is due and leave it due, as a backlog is worked off; tell what was done to which."""
            store, done = storage.open(scope), list[tuple[str, int]]()
            for _ in range(6):
                for claim in await got(store.claim_due(BOXES, NOW + 99 * SECOND, 2, HOUR, WorkerId(f"w{n}"))):
                    item, later = claim.item, (claim.item.due_at or NOW) + SECOND
                    counted = BOXES.change(item, attrs.evolve(item, count=item.count + 1, due_at=later))
                    guard = ClaimGuard(BOXES, claim.item.id, claim.fence)
                    await got(storage.open(scope).record(Change(writes=(counted,), claims=(guard,))))
                    done.append((claim.item.id, claim.fence))
            return done

        outcomes = await race(2, work)
        assert [outcome.error for outcome in outcomes] == [None] * 2, "somebody else had the same item"
        done = [one for outcome in outcomes for one in outcome.value]
        assert len(done) == len(set(done)), "no claim was given to two"
        counts = Counter(id for id, _ in done)
        for id in ("b0", "b1", "b2"):
            kept = await find(storage.open(scope), BOXES, id)
            assert kept is not None
            assert kept.count == counts[id] >= 1, "it is claimed again at once"

    @pytest.mark.proves("KER-114", "KER-120")
    async def test_a_realm_that_many_open_first_at_once_is_one_realm(self, storage: Storage, scope: Scope) -> None:
        for number in range(self.rounds):
            here = _round(scope, number)
            outcomes = await race(self.callers, partial(_add, storage, here))
            assert_one_winner(outcomes, StaleWrite)
            assert await find(storage.open(here), BOXES, "box") is not None


async def compete(index: int, reopen: Callable[[], Storage], name: str, scope: Scope) -> Any:
    """Enter a contest from another process."""
    return await CONTESTS[name].enter(reopen(), scope, index)


class ProcessesContract:
    """The same contests, between processes: for storages that several processes share.

    Give the fixtures ``storage``; ``reopen``, a function that can be pickled and opens the same storage from another
    process; and ``crowd``, in which its processes wait.
    """

    @pytest.mark.proves("KER-114", "TES-105", "TES-106")
    @pytest.mark.parametrize("name", CONTESTS)
    async def test_of_many_processes_exactly_one_wins(
        self, storage: Storage, scope: Scope, crowd: Crowd, reopen: Callable[[], Storage], name: str
    ) -> None:
        contest = CONTESTS[name]
        await contest.prepare(storage, scope)
        outcomes: tuple[Outcome, ...] = crowd.race(compete, reopen, name, scope)
        assert_one_winner(outcomes, *contest.losing)
