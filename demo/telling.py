"""How the story is told: plain words, a little colour on a terminal."""

import textwrap
from typing import Final, TextIO

__all__ = ["Teller"]

_WIDTH: Final = 100
_BOLD: Final = "1"
_FAINT: Final = "2"
_GREEN: Final = "32"


class Teller:
    """Writes the story down.

    Args:
        out: Where to.
        colours: Whether it understands colours.
    """

    def __init__(self, out: TextIO, *, colours: bool) -> None:
        self._out, self._colours, self._chapters = out, colours, 0

    def chapter(self, title: str) -> None:
        """Begin the next chapter."""
        self._chapters += 1
        self._line()
        self._line(f"{self._chapters}. {title}", _BOLD)
        self._line()

    def say(self, text: str) -> None:
        """Tell what happens."""
        for line in textwrap.wrap(text, _WIDTH):
            self._line(line)

    def good(self, text: str) -> None:
        """Tell what was found to be as it should be."""
        for line in textwrap.wrap(text, _WIDTH - 2):
            self._line(f"  {line}", _GREEN)

    def quote(self, text: str) -> None:
        """Show what somebody reads."""
        self._line()
        for line in text.splitlines():
            self._line(f"  | {line}".rstrip())
        self._line()

    def stored(self, lines: list[str]) -> None:
        """Show what is in the database now that was not there before."""
        for line in lines or ["nothing"]:
            self._line(f"    stored: {line}", _FAINT)

    def _line(self, text: str = "", colour: str = "") -> None:
        shown = f"\033[{colour}m{text}\033[0m" if text and colour and self._colours else text
        print(shown, file=self._out, flush=True)
