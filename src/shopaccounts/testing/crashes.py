"""Machines that stop at the worst moment, and what is found when they start again.

``CrashAt`` stops a use-case at its k-th port call, ``walk_crashes`` does it at every call. ``KillAt`` and
``walk_kills`` do the same to a process with ``SIGKILL``, between statements too, where a database survives its client.
"""

import os
import signal
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Generic, TypeVar

import attrs

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.testing.processes import in_a_process
from shopaccounts.testing.races import Wrap
from shopaccounts.testing.wrapping import PortCall, afterwards, wrapped

__all__ = ["Aftermath", "Crash", "CrashAt", "KillAt", "Side", "walk_crashes", "walk_kills"]

P = TypeVar("P")
R = TypeVar("R")
W = TypeVar("W")


class Crash(BaseException):
    """The machine stops; no ``except Exception`` holds it up."""


class Side(Enum):
    """Whether the call that it stops at was still made."""

    BEFORE = "before"
    AFTER = "after"


class CrashAt:
    """Wraps ports and stops the machine at their k-th call, counted over all of them.

    Args:
        call: At which one, from 1; None only counts.
        side: Before the call is made, or after it took effect.
    """

    def __init__(self, call: int | None, side: Side = Side.AFTER) -> None:
        self.calls = 0
        self._call, self._side = call, side

    def __call__(self, port: P) -> P:
        """Answer a stand-in for a port or a storage."""
        return wrapped(port, self._around)

    def _around(self, call: PortCall) -> Answer[Any]:
        self.calls += 1
        here = self.calls == self._call
        if here and self._side is Side.BEFORE:
            raise Crash
        return afterwards(call.make(), _crash) if here else call.make()


def _crash() -> None:
    raise Crash


@attrs.frozen(kw_only=True)
class Aftermath(Generic[W, R]):
    """What is found after a crash, once the same command was run again.

    Args:
        call: At which port call it crashed.
        side: On which side of it.
        world: The data that survived.
        result: What the command answered in the end.
        quiet_world: The data after a run without a crash.
        quiet_result: What that run answered.
    """

    call: int
    side: Side
    world: W
    result: R
    quiet_world: W
    quiet_result: R


async def walk_crashes(
    world: Callable[[], Answer[W]],
    command: Callable[[W, Wrap], Coroutine[Any, Any, R]],
    check: Callable[[Aftermath[W, R]], Answer[None]],
) -> int:
    """Crash a command at each of its port calls, on both sides, run it again and have the end checked.

    Args:
        world: Answers fresh data for each run.
        command: Opens the data anew, wraps its ports in what it is given, and runs a use-case; the same request each
            time.
        check: Raises if what is found is not what a run without a crash leaves.

    Returns:
        How many port calls the command makes.
    """
    quiet_world = await got(world())
    counting = CrashAt(None)
    quiet_result = await command(quiet_world, counting)
    for call in range(1, counting.calls + 1):
        for side in Side:
            hit = await got(world())
            await _crashing(command(hit, CrashAt(call, side)))
            found = Aftermath(
                call=call,
                side=side,
                world=hit,
                result=await command(hit, CrashAt(None)),
                quiet_world=quiet_world,
                quiet_result=quiet_result,
            )
            await got(check(found))
    return counting.calls


async def _crashing(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except Crash:
        return
    msg = "the command made fewer port calls than before"
    raise AssertionError(msg)


class KillAt:
    """Kills its own process at the k-th step; wraps ports, each of whose calls is one step before and one after.

    Further steps are the caller's: give ``step`` to whatever tells about statements, such as SQLAlchemy's event
    ``before_cursor_execute``.
    """

    def __init__(self, step: int) -> None:
        self._left = step

    def __call__(self, port: P) -> P:
        """Answer a stand-in for a port or a storage."""
        return wrapped(port, self._around)

    def step(self, *_: object, **__: object) -> None:
        """Go on, or die if this is the step."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def _around(self, call: PortCall) -> Answer[Any]:
        self.step()
        return afterwards(call.make(), self.step)


def walk_kills(
    world: Callable[[], W],
    act: Callable[[W, KillAt], None],
    check: Callable[[int, W], None],
    most: int = 200,
) -> int:
    """Kill a process that runs *act* at each of its steps, and have what it left checked.

    Args:
        world: Answers fresh data, or rather where it lies, since it goes to another process.
        act: A function that another process can import; it wraps its ports in the ``KillAt`` it is given.
        check: Raises if what is found is neither nothing nor everything.
        most: How many steps there may be.

    Returns:
        How many steps *act* has.
    """
    for step in range(1, most + 1):
        place = world()
        code = in_a_process(act, place, KillAt(step))
        assert code in {0, -signal.SIGKILL}, f"the process ended with {code} at step {step}"
        check(step, place)
        if code == 0:
            return step - 1
    msg = f"more than {most} steps"
    raise AssertionError(msg)
