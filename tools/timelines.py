"""Draw what happens on which day as a picture for the docs: a row for each case, stretches of days and single days."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Final

import attrs

from pictures import canvas, words

__all__ = ["Look", "Mark", "Row", "Stretch", "Timeline"]

WIDTH: Final = 900
LEFT: Final = 176
RIGHT: Final = 44
TOP: Final = 34
BAR: Final = 24
LEVEL: Final = 14
BETWEEN: Final = 14
LETTER: Final = 6.1
"""How wide a letter of size 11 is, on average."""
MORE_THAN_A_MONTH: Final = timedelta(days=31)
Label = tuple[float, str, str]
"""Where it stands, which part of it, and what it says."""


class Look(Enum):
    """What a stretch of days is; its text says so too."""

    PAID = "paid"
    FREE = "free"
    OFF = "off"
    BACK = "back"
    PLAIN = "box"


@attrs.frozen
class Stretch:
    """Days that belong together, with their price or whatever else they have.

    Args:
        start: The first day.
        end: The day after the last.
        text: What it is.
        look: How it is drawn.
    """

    start: date
    end: date
    text: str
    look: Look = Look.PAID


@attrs.frozen
class Mark:
    """A single day on which something happens."""

    on: date
    text: str = ""


@attrs.frozen(kw_only=True)
class Row:
    """One case.

    Args:
        name: What is different about it, a line or two.
        stretches: Its stretches of days.
        marks: Its single days.
    """

    name: str
    stretches: Sequence[Stretch] = ()
    marks: Sequence[Mark] = ()

    @property
    def days(self) -> Iterator[date]:
        """The days on which something begins, ends or happens."""
        yield from (day for one in self.stretches for day in (one.start, one.end))
        yield from (one.on for one in self.marks)

    def about(self) -> str:
        """Answer the row in words."""
        spans = [f"{one.text} from {said(one.start)} to {said(one.end)}" for one in self.stretches]
        days = [f"{said(one.on)} {one.text}".strip() for one in self.marks]
        return f"{self.name.replace(chr(10), ' ')}: {', '.join([*spans, *days])}."


@attrs.frozen(kw_only=True)
class Timeline:
    """A picture of days.

    Args:
        path: Where it is kept.
        title: What it shows.
        rows: The cases, from above.
    """

    path: Path
    title: str
    rows: Sequence[Row]

    def drawing(self) -> str:
        """Answer the picture as SVG."""
        parts: list[str] = []
        y = TOP + 10
        for row in self.rows:
            drawn, height = self._row(row, y)
            parts += drawn
            y += height
        about = " ".join(row.about() for row in self.rows)
        return canvas(WIDTH, y, self.title, about, [*self._months(y), *parts])

    @property
    def _first(self) -> date:
        return min(day for row in self.rows for day in row.days)

    @property
    def _last(self) -> date:
        return max(day for row in self.rows for day in row.days)

    def _x(self, day: date) -> float:
        """Answer where a day begins, across."""
        whole = (self._last - self._first).days
        return LEFT + (WIDTH - LEFT - RIGHT) * (day - self._first).days / whole

    def _months(self, bottom: int) -> Iterator[str]:
        """Answer a line at the beginning of each month, with its name."""
        year = ""
        for first in month_starts(self._first, self._last):
            x, named = self._x(first), f"{first:%Y}"
            yield f'<path d="M{x:.1f},{TOP} V{bottom - 8}" class="faint"/>'
            yield words(x, TOP - 8, f"{first:%b}" if named == year else f"{first:%b} {named}", 11)
            year = named

    def _row(self, row: Row, y: int) -> tuple[list[str], int]:
        """Answer what is drawn of a row, and how high it is."""
        parts = [
            words(10, y + 16 + 14 * number, line, 12, "start") for number, line in enumerate(row.name.splitlines())
        ]
        labels: list[Label] = []
        for one in row.stretches:
            shape, label = self._stretch(one, y)
            parts += shape
            labels.append(label)
        for mark in row.marks:
            x = self._x(mark.on)
            parts.append(f'<path d="M{x:.1f},{y} v{BAR}" class="line"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{y + BAR / 2:.1f}" r="5" class="edge-fill"/>')
            labels.append((x, "middle", f"{said(mark.on)} {mark.text}".strip()))
        below, levels = placed(labels, y + BAR + 12)
        named = 14 * len(row.name.splitlines()) + 6
        return [*parts, *below], max(BAR + levels * LEVEL, named) + BETWEEN

    def _stretch(self, one: Stretch, y: int) -> tuple[list[str], Label]:
        left, right = self._x(one.start), self._x(one.end)
        shape = f'<rect x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="{BAR}" rx="4" '
        parts = [f'{shape}class="{one.look.value} edge"/>']
        if len(one.text) * LETTER + 6 > right - left:
            return parts, (left, "start", f"{said(one.start)}: {one.text}")
        place = f'x="{(left + right) / 2:.0f}" y="{y + 16}" text-anchor="middle" font-size="11"'
        parts.append(f'<text {place} class="inside">{one.text}</text>')
        return parts, (left, "start", said(one.start))


def said(day: date) -> str:
    """Answer a day as a person says it."""
    return f"{day.day} {day:%b}"


def month_starts(first: date, last: date) -> Iterator[date]:
    """Answer the first days of the months that begin between two days."""
    day = first if first.day == 1 else (first.replace(day=1) + MORE_THAN_A_MONTH).replace(day=1)
    while day <= last:
        yield day
        day = (day + MORE_THAN_A_MONTH).replace(day=1)


def placed(labels: Iterable[Label], y: int) -> tuple[list[str], int]:
    """Answer the texts below a row, on as many levels as keep them apart, and how many these are."""
    ends: list[float] = []
    parts = []
    for x, anchor, text in sorted(labels):
        width = len(text) * LETTER
        begins = min(x - width / 2 if anchor == "middle" else x, WIDTH - 6 - width)
        level = next((number for number, end in enumerate(ends) if begins > end + 6), len(ends))
        ends[level : level + 1] = [begins + width]
        parts.append(words(begins, y + level * LEVEL, text, 11, "start"))
    return parts, len(ends)
