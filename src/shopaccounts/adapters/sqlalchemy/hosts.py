"""How a blocking host waits, and how an async one does.

Everything else in this package is written once, as plain functions over a SQLAlchemy ``Connection``. An async store
runs them inside one greenlet for each call, where SQLAlchemy's connection awaits its driver by itself. Only what is
waited for besides the database differs, and that is here.
"""

from collections.abc import Awaitable, Callable
from threading import Event
from typing import Protocol, TypeVar

from sqlalchemy.util import await_only

from shopaccounts.kernel.answers import Answer, got, run

__all__ = ["Awaiting", "Blocking", "Host", "sleep", "sleep_async"]

T = TypeVar("T")


class Host(Protocol):
    """Waits for what is not the database."""

    def take(self, answer: Answer[T]) -> T:
        """Take what a port answered, now or later."""
        ...

    def pause(self, seconds: float) -> None:
        """Let some time pass before the next try."""
        ...


class Blocking:
    """A host whose ports answer now."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep

    def take(self, answer: Answer[T]) -> T:
        """Take what a port answered; a port that answers later is a ``Defect``."""
        return run(got(answer))

    def pause(self, seconds: float) -> None:
        """Block."""
        self._sleep(seconds)


class Awaiting:
    """A host with an event loop; works inside SQLAlchemy's greenlets only."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep

    def take(self, answer: Answer[T]) -> T:
        """Take what a port answered, awaiting it if need be."""
        return await_only(answer) if isinstance(answer, Awaitable) else answer

    def pause(self, seconds: float) -> None:
        """Let other tasks run."""
        await_only(self._sleep(seconds))


def sleep(seconds: float) -> None:
    """Block this thread for some seconds."""
    Event().wait(seconds)


async def sleep_async(seconds: float) -> None:
    """Let other tasks run for some seconds."""
    import asyncio  # noqa: PLC0415  (for async hosts only)

    await asyncio.sleep(seconds)
