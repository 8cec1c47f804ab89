"""One way to stand between a use-case and its ports: count calls, delay them, make them fail, write them down.

A wrapped storage opens wrapped ports, and so does what opens counters alone, so that it is enough to wrap what a shop
is built from.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import attrs

from shopaccounts.kernel.answers import Answer

__all__ = ["Around", "PortCall", "afterwards", "wrapped"]

T = TypeVar("T")
P = TypeVar("P")
OPENERS = {"open": "records", "counters": "counters", "leases": "leases"}


@attrs.frozen
class PortCall:
    """One call of a port that is about to be made.

    Args:
        port: ``records``, ``counters`` or ``leases`` for what a storage opens, else the name of the port's class.
        method: Which method is called.
        make: Makes the call and answers what the port answers.
    """

    port: str
    method: str
    make: Callable[[], Answer[Any]]


Around = Callable[[PortCall], Answer[Any]]
"""What happens in place of a call; it may make the call, once or never."""


def wrapped(port: P, around: Around, name: str = "") -> P:
    """Answer a stand-in for *port*, or for a whole storage, each of whose calls goes through *around*."""
    return cast("P", _Wrapped(port, around, name or type(port).__name__))


def afterwards(answer: Answer[T], then: Callable[[], None]) -> Answer[T]:
    """Answer *answer*, with *then* called once it is there."""
    if inspect.isawaitable(answer):
        return _later(answer, then)
    then()
    return answer


async def _later(answer: Any, then: Callable[[], None]) -> Any:
    result = await answer
    then()
    return result


class _Wrapped:
    def __init__(self, port: Any, around: Around, name: str) -> None:
        self._port, self._around, self._name = port, around, name

    def __getattr__(self, method: str) -> Any:
        attribute = getattr(self._port, method)
        if not callable(attribute):
            return attribute
        if method in OPENERS and self._opens(method):
            return lambda *args, **named: _Wrapped(attribute(*args, **named), self._around, OPENERS[method])
        return lambda *args, **named: self._around(PortCall(self._name, method, partial(attribute, *args, **named)))

    def _opens(self, method: str) -> bool:
        """Tell whether a call answers a port; what a vault opens is none."""
        return method == "counters" or all(hasattr(self._port, opener) for opener in OPENERS)

    def __repr__(self) -> str:
        return f"<wrapped {self._port!r}>"
