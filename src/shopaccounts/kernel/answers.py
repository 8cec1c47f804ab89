"""One source for two kinds of host.

A port answers now or later: ``Answer[T] = T | Awaitable[T]``. A use-case is one ``async def`` that takes every answer
through ``await got(...)``. An async host awaits the use-case; a sync host drives the same coroutine with ``run``, which
needs no event loop and no thread, because with ports that answer now the coroutine never suspends.
"""

from collections.abc import Awaitable, Coroutine
from typing import Any, TypeAlias, TypeVar

from shopaccounts.kernel.errors import Defect

__all__ = ["Answer", "got", "run"]

T = TypeVar("T")

Answer: TypeAlias = T | Awaitable[T]


async def got(answer: Answer[T]) -> T:
    """Take what a port answered, now or later."""
    if isinstance(answer, Awaitable):
        return await answer
    return answer


def run(work: Coroutine[Any, Any, T]) -> T:
    """Drive a use-case of a blocking host to its end.

    Raises:
        Defect: A port suspended, so it belongs to an async host.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    msg = "a port suspended in a blocking host"
    raise Defect(msg)
