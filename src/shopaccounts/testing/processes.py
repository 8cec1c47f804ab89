"""Other processes: crowds of them at one barrier, and one that is to die."""

import asyncio
import inspect
import multiprocessing
import sys
import traceback
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from types import TracebackType
from typing import Any, Self

from shopaccounts.kernel.answers import run
from shopaccounts.testing.races import PATIENCE, Outcome, outcome_of

__all__ = ["Crowd", "in_a_process", "race_processes"]

Task = Callable[..., Coroutine[Any, Any, Any]]


class Crowd:
    """Processes that wait to do one thing at the same moment, and then the next; a context manager.

    Args:
        n: How many.
        late: Whether what they do is to run in an event loop.
    """

    def __init__(self, n: int, *, late: bool = False) -> None:
        context = multiprocessing.get_context("spawn")
        self._barrier = context.Barrier(n)
        pipes = [context.Pipe() for _ in range(n)]
        self._lines = [ours for ours, _ in pipes]
        self._processes = [
            context.Process(target=_serve, args=(line, self._barrier, late), daemon=True) for _, line in pipes
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for line in self._lines:
            with suppress(OSError):  # of a process that has ended already
                line.send(None)
            line.close()
        for process in self._processes:
            process.join(PATIENCE)
            process.kill()
            process.join()
            process.close()

    def race(self, action: Task, *args: object) -> tuple[Outcome, ...]:
        """Start ``action(index, *args)`` in all of them at the same moment.

        Args:
            action: A function that another process can import; it opens what it needs by itself.
            args: Values that can be pickled.

        Returns:
            How each one ended, in order. Values are as they were pickled; so are errors.
        """
        for index, line in enumerate(self._lines):
            line.send((action, (index, *args)))
        return tuple(self._answer(line) for line in self._lines)

    @staticmethod
    def _answer(line: Connection) -> Outcome:
        assert line.poll(PATIENCE), "a deadlock: a process never came back"
        outcome: Outcome = line.recv()
        return outcome


def race_processes(n: int, action: Task, *args: object, late: bool = False) -> tuple[Outcome, ...]:
    """Start ``action(index, *args)`` in *n* new processes at the same moment; see ``Crowd``."""
    with Crowd(n, late=late) as crowd:
        return crowd.race(action, *args)


def _serve(line: Connection, barrier: Barrier, late: bool) -> None:  # noqa: FBT001  (an argument of a process)
    with asyncio.Runner() as runner:
        drive = runner.run if late else run
        while (task := line.recv()) is not None:
            action, args = task
            barrier.wait(PATIENCE)
            line.send(drive(outcome_of(action(*args))))


def in_a_process(act: Callable[..., None], *args: object) -> int:
    """Run ``act(*args)`` in a process of its own.

    Returns:
        0, 1 if it raised, or the negative number of the signal that killed it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([inspect.unwrap(getattr(act, "func", act)).__module__])
    process = context.Process(target=_run, args=(act, args))
    process.start()
    process.join(PATIENCE)
    code = process.exitcode
    process.kill()
    process.join()
    process.close()
    assert code is not None, "the process never came back"
    return code


def _run(act: Callable[..., None], args: Sequence[object]) -> None:
    try:
        act(*args)
    except Exception:  # noqa: BLE001  (the parent sees the exit code)
        traceback.print_exc()
        sys.exit(1)
