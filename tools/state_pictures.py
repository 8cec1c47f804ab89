"""Draw a table of states as a picture for the docs: a box for each state, an arrow between two, its steps on it."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

CONTEXTS: Final = Path(__file__).resolve().parent.parent / "docs" / "contexts"
HALF_HEIGHT: Final = 18
DOT: Final = 9
Point = tuple[float, float]


@attrs.frozen(kw_only=True)
class StatePicture:
    """A picture of states and the steps between them.

    Args:
        path: Where it is kept.
        width: How wide it is.
        height: How high.
        half_width: Half the width of a box.
        places: The middle of each state's box; the state "" is a dot, from where things begin.
        steps: The names of the steps between each two states.
        quiet: Steps that are drawn thinly and not named.
        note: What stands below.
    """

    path: Path
    width: int
    height: int
    half_width: int = 58
    places: Mapping[str, Point]
    steps: Mapping[tuple[str, str], Sequence[str]]
    quiet: frozenset[str] = frozenset()
    note: str = ""

    def drawing(self) -> str:
        """Answer the picture as SVG."""
        width, height = self.width, self.height
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
            (
                '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
                'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>'
            ),
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
        ]
        for (source, target), names in self.steps.items():
            lines += self._loop(source, names) if source == target else self._arrow(source, target, names)
        lines += [part for state in self.places for part in self._node(state)]
        note = [_words(width / 2, height - 10, self.note, 12)] if self.note else []
        return "\n".join([*lines, *note, "</svg>\n"])

    def _loop(self, state: str, names: Sequence[str]) -> Iterator[str]:
        x, y = self.places[state]
        yield f'<path d="M{x - 20},{y - HALF_HEIGHT} c-10,-34 50,-34 40,0" {_stroke("#555")}/>'
        yield _words(x, y - HALF_HEIGHT - 29, ", ".join(names), 11)

    def _arrow(self, source: str, target: str, names: Sequence[str]) -> Iterator[str]:
        (ax, ay), (bx, by) = self.places[source], self.places[target]
        length = math.hypot(bx - ax, by - ay)
        aside_x, aside_y = (by - ay) / length * 9, (ax - bx) / length * 9  # there and back lie side by side
        ax, ay, bx, by = ax + aside_x, ay + aside_y, bx + aside_x, by + aside_y
        start, end = self._border(source, (ax, ay), (bx, by)), self._border(target, (bx, by), (ax, ay))
        colour = "#ccc" if self.quiet >= set(names) else "#555"
        yield f'<path d="M{start[0]:.0f},{start[1]:.0f} L{end[0]:.0f},{end[1]:.0f}" {_stroke(colour)}/>'
        if named := [name for name in names if name not in self.quiet]:
            middle = ((start[0] * 3 + end[0] * 2) / 5 + aside_x, (start[1] * 3 + end[1] * 2) / 5 + aside_y)
            yield _words(*middle, ", ".join(named), 11)

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
            yield f'<circle cx="{x}" cy="{y}" r="{DOT}" fill="#2d5f8b"/>'
            return
        yield (
            f'<rect x="{x - self.half_width}" y="{y - HALF_HEIGHT}" width="{2 * self.half_width}" '
            f'height="{2 * HALF_HEIGHT}" rx="9" fill="#eef4fb" stroke="#2d5f8b"/>'
        )
        yield _words(x, y + 5, state, 14)


def keep(*pictures: StatePicture) -> int:
    """Write pictures, or with ``--check`` tell whether they are fresh; answer the exit code."""
    if "--check" in sys.argv[1:]:
        return int(any(not one.path.exists() or one.path.read_text("utf-8") != one.drawing() for one in pictures))
    for one in pictures:
        one.path.write_text(one.drawing(), "utf-8")
    return 0


def _words(x: float, y: float, text: str, size: int) -> str:
    halo = 'paint-order="stroke" stroke="#fff" stroke-width="3"'
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" font-size="{size}" fill="#1a1a1a" {halo}>{text}</text>'


def _stroke(colour: str) -> str:
    return f'fill="none" stroke="{colour}" marker-end="url(#tip)"'
