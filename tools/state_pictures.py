"""Draw a table of states as a picture for the docs: a box for each state, an arrow between two, its steps on it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from pictures import canvas, words

HALF_HEIGHT: Final = 18
DOT: Final = 9
Point = tuple[float, float]


@attrs.frozen(kw_only=True)
class StatePicture:
    """A picture of states and the steps between them.

    Args:
        path: Where it is kept.
        title: Of what these are the states.
        width: How wide it is.
        height: How high.
        half_width: Half the width of a box.
        places: The middle of each state's box; the state "" is a dot, from where things begin.
        steps: The names of the steps between each two states.
        quiet: Steps that are drawn thinly and not named.
        note: What stands below.
    """

    path: Path
    title: str
    width: int
    height: int
    half_width: int = 58
    places: Mapping[str, Point]
    steps: Mapping[tuple[str, str], Sequence[str]]
    quiet: frozenset[str] = frozenset()
    note: str = ""

    def drawing(self) -> str:
        """Answer the picture as SVG."""
        lines: list[str] = []
        for (source, target), names in self.steps.items():
            lines += self._loop(source, names) if source == target else self._arrow(source, target, names)
        lines += [part for state in self.places for part in self._node(state)]
        note = [words(self.width / 2, self.height - 10, self.note, 12)] if self.note else []
        return canvas(self.width, self.height, self.title, self._about(), [*lines, *note])

    def _about(self) -> str:
        """Answer the picture in words: from where each step leads to where."""
        told = (f"{source or 'new'} to {target}: {', '.join(names)}" for (source, target), names in self.steps.items())
        return f"{'; '.join(told)}."

    def _loop(self, state: str, names: Sequence[str]) -> Iterator[str]:
        x, y = self.places[state]
        yield f'<path d="M{x - 20},{y - HALF_HEIGHT} c-10,-34 50,-34 40,0" {_arrow_line("line")}/>'
        yield words(x, y - HALF_HEIGHT - 29, ", ".join(names), 11)

    def _arrow(self, source: str, target: str, names: Sequence[str]) -> Iterator[str]:
        (ax, ay), (bx, by) = self.places[source], self.places[target]
        length = math.hypot(bx - ax, by - ay)
        aside_x, aside_y = (by - ay) / length * 9, (ax - bx) / length * 9  # there and back lie side by side
        ax, ay, bx, by = ax + aside_x, ay + aside_y, bx + aside_x, by + aside_y
        start, end = self._border(source, (ax, ay), (bx, by)), self._border(target, (bx, by), (ax, ay))
        weight = "faint" if self.quiet >= set(names) else "line"
        yield f'<path d="M{start[0]:.0f},{start[1]:.0f} L{end[0]:.0f},{end[1]:.0f}" {_arrow_line(weight)}/>'
        if named := [name for name in names if name not in self.quiet]:
            middle = ((start[0] * 3 + end[0] * 2) / 5 + aside_x, (start[1] * 3 + end[1] * 2) / 5 + aside_y)
            yield words(*middle, ", ".join(named), 11)

    def _border(self, state: str, middle: Point, other: Point) -> Point:
        """Answer where the line to another point leaves the box, or the dot, around the first."""
        (x, y), (to_x, to_y) = middle, other
        half_width, half_height = (self.half_width, HALF_HEIGHT) if state else (DOT, DOT)
        across = half_width / abs(to_x - x) if to_x != x else math.inf
        along = half_height / abs(to_y - y) if to_y != y else math.inf
        share = min(across, along)
        return x + (to_x - x) * share, y + (to_y - y) * share

    def _node(self, state: str) -> Iterator[str]:
        x, y = self.places[state]
        if not state:
            yield f'<circle cx="{x}" cy="{y}" r="{DOT}" class="edge-fill"/>'
            return
        yield (
            f'<rect x="{x - self.half_width}" y="{y - HALF_HEIGHT}" width="{2 * self.half_width}" '
            f'height="{2 * HALF_HEIGHT}" rx="9" class="box edge"/>'
        )
        yield words(x, y + 5, state, 14)


def _arrow_line(weight: str) -> str:
    return f'class="{weight}" marker-end="url(#tip)"'
