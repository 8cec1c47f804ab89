"""What all drawn pictures of the docs share: a canvas that reads in light and in dark, with a title and a description.

Colours are classes, so that a browser chooses those that suit its reader; text stays text, so that it is read aloud,
searched and translated. Nothing is told by colour alone.
"""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Final, Protocol

__all__ = ["CONTEXTS", "DARK", "LIGHT", "Drawn", "canvas", "keep", "words"]

CONTEXTS: Final = Path(__file__).resolve().parent.parent / "docs" / "contexts"
LIGHT: Final = {
    "ground": "#ffffff",
    "ink": "#1a1a1a",
    "line": "#555555",
    "faint": "#cccccc",
    "edge": "#2d5f8b",
    "box": "#eef4fb",
    "paid": "#d3e6f8",
    "free": "#dff2dd",
    "off": "#ececec",
    "back": "#fbe3d0",
}
"""A colour for each use: what is written, and what lies below it."""
DARK: Final = {
    "ground": "#16191d",
    "ink": "#f0f0f0",
    "line": "#a9a9a9",
    "faint": "#4a4f55",
    "edge": "#7fb2e0",
    "box": "#1d2c3b",
    "paid": "#1f4467",
    "free": "#234a2c",
    "off": "#33373c",
    "back": "#5a3a1f",
}


class Drawn(Protocol):
    """A picture of the docs, and where it is kept."""

    @property
    def path(self) -> Path:
        """Where it is kept."""
        ...

    def drawing(self) -> str:
        """Answer the picture as SVG."""
        ...


def canvas(width: int, height: int, title: str, about: str, parts: Iterable[str]) -> str:
    """Answer a picture as SVG.

    Args:
        width: How wide it is.
        height: How high.
        title: What it shows, in a few words.
        about: What can be seen in it, for those who don't see it.
        parts: What is drawn, from below to above.
    """
    dark = f"@media (prefers-color-scheme: dark) {{ {_colours(DARK)} }}"
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
                'role="img" aria-labelledby="title about">'
            ),
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="about">{escape(about)}</desc>',
            f"<style>{_colours(LIGHT)} {dark}</style>",
            (
                '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
                'orient="auto"><path d="M0,0 L8,4 L0,8 z" class="line-fill"/></marker></defs>'
            ),
            f'<rect width="{width}" height="{height}" class="ground"/>',
            *parts,
            "</svg>\n",
        ]
    )


def words(x: float, y: float, text: str, size: int, anchor: str = "middle") -> str:
    """Answer a text, with a halo that keeps lines below it from crossing its letters.

    Args:
        x: Where it stands, across.
        y: Where its letters stand, down.
        text: What it says.
        size: How large its letters are.
        anchor: Which part of it stands at *x*: ``start``, ``middle`` or ``end``.
    """
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {place} class="ink">{escape(text, quote=False)}</text>'


def keep(*pictures: Drawn) -> None:
    """Write pictures; whether they are fresh is checked with all other pages that are written from the code."""
    for one in pictures:
        one.path.write_text(one.drawing(), "utf-8")


def _colours(palette: dict[str, str]) -> str:
    """Answer the style of each class of shape in one palette."""
    stroked = {"line", "faint", "edge"}
    fills = (f".{name} {{ fill: {colour} }}" for name, colour in palette.items() if name not in stroked | {"ink"})
    strokes = (f".{name} {{ fill: none; stroke: {palette[name]} }}" for name in ("line", "faint"))
    rest = (
        f".edge {{ stroke: {palette['edge']} }} .edge-fill {{ fill: {palette['edge']} }}",
        f".line-fill {{ fill: {palette['line']} }}",
        f".ink {{ fill: {palette['ink']}; paint-order: stroke; stroke: {palette['ground']}; stroke-width: 3 }}",
        f".inside {{ fill: {palette['ink']} }}",
    )
    return " ".join([*fills, *strokes, *rest])
