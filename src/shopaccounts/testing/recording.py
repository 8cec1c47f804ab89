"""What a use-case asks of its ports, and whether somebody who watches could tell two situations apart."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

from shopaccounts.kernel.answers import Answer
from shopaccounts.testing.wrapping import PortCall, wrapped

__all__ = ["Recorder", "assert_indistinguishable", "seen_from_outside"]

P = TypeVar("P")
S = TypeVar("S")
Trace = Sequence[tuple[str, str]]
_COMPARING: Final = frozenset({"verify", "spend"})
"""Comparing a password, and doing as much work where there is none: each hasher promises that they cost the same."""


class Recorder:
    """Wraps ports or storages and lists their calls in ``trace``: pairs of port and method, in order."""

    def __init__(self) -> None:
        self.trace: list[tuple[str, str]] = []

    def __call__(self, port: P, name: str = "") -> P:
        """Answer a stand-in for a port or a storage.

        Args:
            port: What to watch.
            name: Under which name its calls are listed; its class, if none is given.
        """
        return wrapped(port, self._around, name)

    def _around(self, call: PortCall) -> Answer[Any]:
        self.trace.append((call.port, call.method))
        return call.make()


def seen_from_outside(trace: Trace) -> list[tuple[str, str]]:
    """Answer a trace without what nobody outside can tell apart."""
    return [("hasher", "compare") if method in _COMPARING else (port, method) for port, method in trace]


async def assert_indistinguishable(
    use_case: Callable[[S, Recorder], Coroutine[Any, Any, Any]],
    situations: Mapping[str, S],
) -> None:
    """Check that a use-case answers the same, and asks the same of its ports, in each situation.

    That a password was compared and that as much work was done without one is the same to somebody who watches.

    Args:
        use_case: Builds the use-case for a situation over ports wrapped in the recorder, runs it, and answers all that
            somebody outside can see: the result with its random handles replaced, waits, the number of messages.
        situations: The rows of a decision table, by name.
    """
    seen = {}
    for name, situation in situations.items():
        recorder = Recorder()
        answer = await use_case(situation, recorder)
        seen[name] = (answer, seen_from_outside(recorder.trace))
    (first, expected), *others = seen.items()
    for name, (answer, trace) in others:
        assert answer == expected[0], f"{name!r} answers {answer!r}, but {first!r} answers {expected[0]!r}"
        assert trace == expected[1], f"{name!r} asks {trace}, but {first!r} asks {expected[1]}"
