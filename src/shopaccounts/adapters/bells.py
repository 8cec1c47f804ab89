"""How the relay learns that something waits, right after it was recorded.

The rules, in plain English:

* Ringing takes no time: whether a mail really goes out, or was only pretended to, can't be told by a stop watch.
* Rings while the relay is at work make it look once more; a thousand rings don't make a thousand rounds.
* A failure of the relay is logged and changes nothing for who rang. What was missed is found by the next ring or by
  ``deliver_pending`` on a timer.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Final

from shopaccounts.kernel.answers import Answer

__all__ = ["InlineBell", "TaskBell", "ThreadBell"]

_MISSED: Final = "the relay failed; what waits is tried again with the next ring"
log = logging.getLogger("shopaccounts.relay")


class ThreadBell:
    """For blocking hosts: a thread of its own delivers.

    It starts with the first ring, also in a process that was forked after the bell was made, and it doesn't keep the
    process from ending.

    Args:
        deliver: Delivers what is due, such as ``lambda: run(relay.deliver_pending())``.
    """

    _thread: threading.Thread | None

    def __init__(self, deliver: Callable[[], object]) -> None:
        self._deliver = deliver
        self._new_start()

    def ring(self) -> None:
        """Say that something waits."""
        if self._process != os.getpid():
            self._new_start()
        with self._changed:
            if self._closed:
                return
            self._rung = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="shopaccounts-relay", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until everything that was rung for has been looked at; false if *timeout* seconds were too short."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._rung and not self._busy, timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Look at what was rung for, then stop for good; false if *timeout* seconds were too short."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def _new_start(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._rung = self._busy = self._closed = False
        self._thread = None

    def _work(self) -> None:
        while self._wait():
            try:
                self._deliver()
            except Exception:
                log.exception(_MISSED)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _wait(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._rung or self._closed)
            self._busy, self._rung = self._rung, False
            return self._busy


class TaskBell:
    """For async hosts: a task of the running loop delivers.

    Args:
        deliver: Delivers what is due, such as ``relay.deliver_pending``.
    """

    needs_a_loop = True

    def __init__(self, deliver: Callable[[], Awaitable[object]]) -> None:
        self._deliver = deliver
        self._rung = self._closed = False
        self._task: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Say that something waits."""
        if self._closed:
            return
        self._rung = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work(), name="shopaccounts-relay")

    async def drain(self) -> None:
        """Wait until everything that was rung for has been looked at."""
        if self._task is not None:
            await self._task

    async def close(self) -> None:
        """Look at what was rung for, then stop for good."""
        self._closed = True
        await self.drain()

    async def _work(self) -> None:
        while self._rung:
            self._rung = False
            try:
                await self._deliver()
            except Exception:
                log.exception(_MISSED)


class InlineBell:
    """For tests and demos: who rings waits for the delivery.

    Don't use it where strangers ask: a request that sends a mail then takes longer than one that only pretends to, and
    tells by that who is a customer.

    Args:
        deliver: Delivers what is due.
    """

    def __init__(self, deliver: Callable[[], Answer[object]]) -> None:
        self._deliver = deliver

    def ring(self) -> Answer[None]:
        """Deliver now."""
        return self._wait()

    async def _wait(self) -> None:
        answer = self._deliver()
        if isinstance(answer, Awaitable):
            await answer
