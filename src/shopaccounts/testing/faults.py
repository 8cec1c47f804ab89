"""Stores that fail, on call: not reached, broken while committing, faster than we are."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from shopaccounts.kernel.answers import Answer
from shopaccounts.testing.wrapping import PortCall, afterwards, wrapped

__all__ = ["Fault", "Faulty", "Plan"]

P = TypeVar("P")


@attrs.frozen
class Fault:
    """An error in place of an answer.

    Args:
        error: What is raised, such as ``Unavailable``, ``OutcomeUnknown`` or ``StaleWrite``.
        took_effect: Whether the call was made all the same, as when a connection breaks after the commit.
    """

    error: Exception
    took_effect: bool = False

    def strike(self) -> None:
        """Raise the error."""
        raise self.error


Plan = Mapping[tuple[str, int], Fault]
"""From a method and which of its calls, counted from 1, to what happens there: ``{("record", 2): Fault(...)}``."""


class Faulty:
    """Wraps ports or storages so that they fail as planned; calls are counted over all of them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._calls: Counter[str] = Counter()

    def __call__(self, port: P) -> P:
        """Answer a stand-in for a port or a storage."""
        return wrapped(port, self._around)

    @property
    def unused(self) -> frozenset[tuple[str, int]]:
        """What was planned and never came to pass."""
        return frozenset(place for place in self._plan if self._calls[place[0]] < place[1])

    def _around(self, call: PortCall) -> Answer[Any]:
        self._calls[call.method] += 1
        fault = self._plan.get((call.method, self._calls[call.method]))
        if fault is None:
            return call.make()
        if not fault.took_effect:
            fault.strike()
        return afterwards(call.make(), fault.strike)
