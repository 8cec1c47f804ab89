"""Many at once, with no sleeps: crowds behind a barrier, and two use-cases in every order of their port calls.

In a blocking host a crowd is threads, in an async host it is tasks, and ``processes.Crowd`` is a crowd of processes.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from shopaccounts.kernel.answers import Answer, got, run
from shopaccounts.testing.wrapping import PortCall, wrapped

__all__ = [
    "Act",
    "Ending",
    "Outcome",
    "Wrap",
    "assert_as_if_in_turn",
    "assert_one_winner",
    "interleave",
    "outcome_of",
    "race",
]

T = TypeVar("T")
W = TypeVar("W")
P = TypeVar("P")
Wrap = Callable[[Any], Any]
"""Answers a stand-in for a port or a storage, which the use-case is to work with instead."""
Act = Callable[[W, Wrap], Coroutine[Any, Any, Any]]
PATIENCE = 60.0
"""Seconds after which a crowd that doesn't end is called a deadlock."""


@attrs.frozen
class Outcome:
    """How one of many ended: with a value, or with an error."""

    value: Any = None
    error: Exception | None = None


async def outcome_of(work: Coroutine[Any, Any, Any]) -> Outcome:
    """Answer how *work* ends, rather than raise."""
    try:
        return Outcome(await work)
    except Exception as error:  # noqa: BLE001  (whatever it is, the caller judges it)
        return Outcome(error=error)


def assert_one_winner(outcomes: Sequence[Outcome], *losing: type[Exception]) -> Any:
    """Check that one of all won, and that each other lost in one of the ways that are documented.

    Returns:
        What the winner got.
    """
    strange = [one.error for one in outcomes if one.error is not None and not isinstance(one.error, losing)]
    if strange:
        msg = "losers that did not end as documented"
        raise ExceptionGroup(msg, strange)
    winners = [one.value for one in outcomes if one.error is None]
    assert len(winners) == 1, f"{len(winners)} of {len(outcomes)} won"
    return winners[0]


async def race(n: int, action: Callable[[int], Coroutine[Any, Any, Any]]) -> tuple[Outcome, ...]:
    """Start *action* for 0 to n - 1 at the same moment; each opens what it needs by itself.

    Returns:
        How each one ended, in order.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _threads(n, action)
    return await _tasks(n, action)


def _threads(n: int, action: Callable[[int], Coroutine[Any, Any, Any]]) -> tuple[Outcome, ...]:
    barrier = threading.Barrier(n)
    outcomes: dict[int, Outcome] = {}

    def take_part(index: int) -> None:
        barrier.wait(PATIENCE)
        outcomes[index] = run(outcome_of(action(index)))

    crowd = [threading.Thread(target=take_part, args=(index,), daemon=True) for index in range(n)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in crowd), "a deadlock: some never came back"
    return tuple(outcomes[index] for index in range(n))


async def _tasks(n: int, action: Callable[[int], Coroutine[Any, Any, Any]]) -> tuple[Outcome, ...]:
    barrier = asyncio.Barrier(n)

    async def take_part(index: int) -> Outcome:
        await barrier.wait()
        return await outcome_of(action(index))

    async with asyncio.timeout(PATIENCE):
        return tuple(await asyncio.gather(*(take_part(index) for index in range(n))))


@attrs.frozen
class Ending(Generic[W]):
    """How two use-cases ended that took turns in one order.

    Args:
        order: Whose port call was made when: ``abba`` is one of a, two of b, one of a.
        world: What both worked on.
        first: How a ended.
        second: How b ended.
    """

    order: str
    world: W
    first: Outcome
    second: Outcome

    @property
    def is_serial(self) -> bool:
        """Whether one of them ended before the other began."""
        return self.order in {"".join(sorted(self.order)), "".join(sorted(self.order, reverse=True))}


async def interleave(world: Callable[[], Answer[W]], a: Act[W], b: Act[W], most: int = 1000) -> tuple[Ending[W], ...]:
    """Run two use-cases against each other in every order of their port calls.

    Args:
        world: Answers fresh data for each order.
        a: Answers a use-case over the world that it is given, which wraps its ports in what it is given besides.
        b: As *a*.
        most: How many orders there may be, and turns in each, so that a retry without end is seen.
    """
    endings: list[Ending[W]] = []
    plan: str | None = ""
    while plan is not None:
        assert len(endings) < most, f"more than {most} orders"
        ending, choices = await _follow(plan, most, await got(world()), a, b)
        endings.append(ending)
        plan = _next_plan(ending.order, choices)
    return tuple(endings)


async def assert_as_if_in_turn(endings: Sequence[Ending[W]], state: Callable[[W], Answer[Any]]) -> None:
    """Check that every order ended in a state that one after the other leads to.

    Args:
        endings: What ``interleave`` answered.
        state: Answers what is to be compared of a world.
    """
    serial = [await got(state(ending.world)) for ending in endings if ending.is_serial]
    for ending in endings:
        seen = await got(state(ending.world))
        assert seen in serial, f"in the order {ending.order} it ended as {seen}, one after the other as {serial}"


def _next_plan(order: str, choices: list[bool]) -> str | None:
    """Answer the start of the next order: the last turn that a took, though b could have, is given to b."""
    for turn in reversed(range(len(order))):
        if order[turn] == "a" and choices[turn]:
            return order[:turn] + "b"
    return None


async def _follow(plan: str, most: int, world: W, a: Act[W], b: Act[W]) -> tuple[Ending[W], list[bool]]:
    sides = {"a": _side(world, a), "b": _side(world, b)}
    try:
        order, choices = await _take_turns(plan, most, sides)
    finally:
        for side in sides.values():
            await side.close()
    first, second = sides["a"].outcome, sides["b"].outcome
    assert first is not None
    assert second is not None
    return Ending(order, world, first, second), choices


async def _take_turns(plan: str, most: int, sides: Mapping[str, "_ByHand | _ByTask"]) -> tuple[str, list[bool]]:
    for side in sides.values():
        await side.step()
    order, choices = "", []
    while waiting := [name for name, side in sides.items() if side.outcome is None]:
        assert len(order) < most, f"more than {most} turns"
        name = plan[len(order)] if len(order) < len(plan) else waiting[0]
        choices.append(len(waiting) > 1)
        order += name
        await sides[name].step()
    return order, choices


def _side(world: W, act: Act[W]) -> "_ByHand | _ByTask":
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _ByHand(world, act)
    return _ByTask(world, act)


class _Pause:
    def __await__(self) -> Generator[None, None, None]:
        yield


class _ByHand:
    """A use-case that is pushed on from one gate to the next; it needs no event loop."""

    def __init__(self, world: W, act: Act[W]) -> None:
        self.outcome: Outcome | None = None
        self._work = outcome_of(act(world, lambda port: wrapped(port, self._through)))

    async def step(self) -> None:
        try:
            self._work.send(None)
        except StopIteration as done:
            self.outcome = done.value

    async def close(self) -> None:
        self._work.close()

    async def _through(self, call: PortCall) -> Any:
        await _Pause()
        return await got(call.make())


class _ByTask:
    """A use-case that waits at each gate until it is let through."""

    def __init__(self, world: W, act: Act[W]) -> None:
        self.outcome: Outcome | None = None
        self._go, self._halt = asyncio.Event(), asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(
            self._whole(outcome_of(act(world, lambda port: wrapped(port, self._through))))
        )

    async def step(self) -> None:
        self._halt.clear()
        self._go.set()
        async with asyncio.timeout(PATIENCE):
            await self._halt.wait()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _whole(self, work: Coroutine[Any, Any, Outcome]) -> None:
        await self._go.wait()
        self._go.clear()
        self.outcome = await work
        self._halt.set()

    async def _through(self, call: PortCall) -> Any:
        self._halt.set()
        await self._go.wait()
        self._go.clear()
        return await got(call.make())
