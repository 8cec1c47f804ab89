"""Which texts look alike, by the Unicode data in confusable-homoglyphs.

Two texts look alike if they have the same skeleton. The package says of each sign which others look like it, in both
directions, and has no skeletons of its own; so all that look alike are gathered, and one of them stands for all: the
longest, since ``rn`` can stand for ``m`` and not the other way round, and of those the first. [UTS 39 section 4]
"""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

from shopaccounts.adapters.extras import require_extra

__all__ = ["UnicodeConfusables"]

_MARKS: Final = "\u200e\u200f"
_ROUNDS: Final = 5


class UnicodeConfusables:
    """Keeps the promises of ``Confusables``.

    Raises:
        ExtraMissing: The extra ``confusables`` isn't installed.
    """

    def __init__(self) -> None:
        require_extra("confusables", self, "confusable_homoglyphs.confusables")
        from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415  (optional)

        self._prototypes = str.maketrans(_prototypes(confusables_data))

    def skeleton(self, text: str) -> str:
        """Answer what *text* looks like, as one text for all that look like it."""
        for _ in range(_ROUNDS):
            before, text = text, _plain(_plain(text).translate(self._prototypes))
            if text == before:
                break
        return text


def _prototypes(data: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, str]:
    leader: dict[str, str] = {}

    def led_by(text: str) -> str:
        while (other := leader.setdefault(text, text)) != text:
            text = other
        return text

    for sign, alike in data.items():
        for other in alike:
            pair = led_by(_plain(sign)), led_by(_plain(other["c"]))
            winner = min(pair, key=lambda text: (-len(text), text))
            leader.update(dict.fromkeys(pair, winner))
    return {sign: led_by(sign) for sign in list(leader) if len(sign) == 1}


def _plain(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFD", text) if sign not in _MARKS)
