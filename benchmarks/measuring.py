"""Timing contestants side by side.

The rules, in plain English:

* What is compared is timed in the same process, taking turns: a slow moment of the machine hits all of them.
* Each turn does the work so often that it lasts long enough to be timed; how often is found out before the first turn.
* What counts is the median of the turns, and the ratio is that of two medians. Ratios carry over to other machines;
  microseconds do not.
* What only computes is timed by the processor's clock, what waits for a database by the wall's.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

__all__ = ["FULL", "QUICK", "Contestant", "Effort", "Line", "best_line", "race"]

LONGEST_BATCH: Final = 200_000


@attrs.frozen
class Effort:
    """How much time a run may take.

    Args:
        turns: How often each contestant is timed; at least five for figures that are kept.
        turn_seconds: How long one turn lasts.
        sizes: How full the tables are for what is measured at three sizes.
    """

    turns: int
    turn_seconds: float
    sizes: tuple[int, ...]

    @property
    def is_quick(self) -> bool:
        """Whether this is a look rather than a measurement."""
        return self is QUICK


FULL: Final = Effort(turns=9, turn_seconds=0.15, sizes=(1_000, 10_000, 100_000))
QUICK: Final = Effort(turns=3, turn_seconds=0.03, sizes=(100, 1_000, 10_000))


@attrs.frozen
class Contestant:
    """Something to be timed.

    Args:
        name: As the table shows it.
        batch: Does the work with what *supply* answered: by default so many times.
        most: Most times in one turn, where each time uses something up.
        supply: Prepares so many pieces of work, untimed.
    """

    name: str
    batch: Callable[[Any], object]
    most: int = LONGEST_BATCH
    supply: Callable[[int], Any] = int

    @classmethod
    def of(cls, name: str, work: Callable[[], object], most: int = LONGEST_BATCH) -> "Contestant":
        """Answer a contestant that does *work* over and over."""

        def batch(times: int) -> None:
            for _ in range(times):
                work()

        return cls(name, batch, most)


def race(
    contestants: Iterable[Contestant], effort: Effort, clock: Callable[[], float] = time.perf_counter
) -> Mapping[str, float]:
    """Answer the median seconds of one piece of work of each contestant."""
    runners = [(contestant, _times(contestant, effort)) for contestant in contestants]
    turns: dict[str, list[float]] = {contestant.name: [] for contestant, _ in runners}
    for turn in range(effort.turns):
        shift = turn % len(runners)
        for contestant, times in runners[shift:] + runners[:shift]:
            turns[contestant.name].append(_time(contestant, times, clock) / times)
    return {name: statistics.median(measured) for name, measured in turns.items()}


def _times(contestant: Contestant, effort: Effort) -> int:
    """Answer how often the work is to be done in one turn; warms up on the way."""
    times = 1
    while True:
        taken = _time(contestant, times, time.perf_counter)
        if taken >= effort.turn_seconds / 4 or times >= contestant.most:
            return max(1, min(contestant.most, round(times * effort.turn_seconds / taken)))
        times *= 2


def _time(contestant: Contestant, times: int, clock: Callable[[], float]) -> float:
    supplied = contestant.supply(times)
    gc.collect()
    gc.disable()
    try:
        start = clock()
        contestant.batch(supplied)
        return clock() - start
    finally:
        gc.enable()


@attrs.frozen
class Line:
    """A line of best fit: what the work costs at nothing, and what each unit of size adds."""

    at_zero: float
    slope: float


def best_line(sizes: Sequence[float], costs: Sequence[float]) -> Line:
    """Answer the line with the least squares."""
    slope, at_zero = statistics.linear_regression(sizes, costs)
    return Line(at_zero, slope)
