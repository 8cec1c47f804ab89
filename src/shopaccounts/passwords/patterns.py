"""Passwords that are one simple movement.

A password is refused if the whole of it, letter case aside, is

* one block of up to eight characters said again and again (``lamplamplamplamp``); the last block may be cut short, but
  less than half a block said again is no repetition, else every short word that ends as it begins would be one;
* a run through the alphabet or the digits, up or down (``abcdefghijklmno``);
* a walk along the rows of a keyboard, in one direction (``qwertyuiopasdfgh``): QWERTY, QWERTZ, AZERTY or digits;
* a date and nothing else (``14.02.1984``), in any order of day, month and year, with separators or without.

Such a movement *inside* a longer password does no harm. [NIST SP 800-63B-4 3.1.1.2: repetitive, sequential]
"""

from enum import Enum
from itertools import pairwise, permutations
from typing import Final

__all__ = ["Pattern", "find_pattern"]

_LONGEST_BLOCK: Final = 8
_SHORTEST_MOVEMENT: Final = 3
_WALKS: Final = (
    "1234567890qwertyuiopasdfghjklzxcvbnm",
    "1234567890qwertzuiopasdfghjklyxcvbnm",
    "1234567890qwertzuiopüasdfghjklöäyxcvbnm",
    "1234567890azertyuiopqsdfghjklmwxcvbn",
)
_SEPARATORS: Final = str.maketrans(dict.fromkeys("./-_,: ", " "))
_PARTS_OF_A_DATE: Final = 3
_YEARS: Final = range(1900, 2100)
_SHORT_YEAR: Final = 2
_LONG_YEAR: Final = 4


class Pattern(Enum):
    """The movements that make a password easy to guess."""

    REPEAT = "repeat"
    RUN = "run"
    KEYBOARD = "keyboard"
    DATE = "date"


def find_pattern(password: str) -> Pattern | None:
    """Answer the movement that the whole of *password* is, None if it is none."""
    text = password.casefold()
    for pattern, is_one in _TELLING.items():
        if is_one(text):
            return pattern
    return None


def is_repeat(text: str) -> bool:
    """Tell whether *text* is one block of 1 to 8 characters, repeated to the end."""
    sizes = range(1, min(_LONGEST_BLOCK, len(text) * 2 // 3) + 1)
    return len(text) > 1 and any(text[size:] == text[:-size] for size in sizes)


def is_run(text: str) -> bool:
    """Tell whether each character of *text* is the next one in Unicode's order, or each the one before."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return len(text) >= _SHORTEST_MOVEMENT and steps in ({1}, {-1})


def is_walk(text: str) -> bool:
    """Tell whether *text* goes along the rows of a keyboard in one direction."""
    return len(text) >= _SHORTEST_MOVEMENT and any(text in walk or text[::-1] in walk for walk in _WALKS)


def is_date(text: str) -> bool:
    """Tell whether *text* is a day, a month and a year in any order, and nothing else."""
    parts = text.translate(_SEPARATORS).split()
    if len(parts) == _PARTS_OF_A_DATE:
        splits = [parts]
    else:
        splits = [_cut(text, year_at) for year_at in (0, 2, 4)] if len(parts) == 1 else []
    return any(
        _is_day(day) and _is_month(month) and _is_year(year)
        for split in splits
        for day, month, year in permutations(split)
    )


def _cut(digits: str, year_at: int) -> list[str]:
    """Cut 6 or 8 digits into two parts of two and a year that begins at *year_at*."""
    year_end = year_at + len(digits) - 4
    rest = digits[:year_at] + digits[year_end:]
    return [rest[:2], rest[2:], digits[year_at:year_end]]


def _is_day(part: str) -> bool:
    return _is_number(part) and len(part) <= 2 and 1 <= int(part) <= 31  # noqa: PLR2004  (the calendar)


def _is_month(part: str) -> bool:
    return _is_number(part) and len(part) <= 2 and 1 <= int(part) <= 12  # noqa: PLR2004  (the calendar)


def _is_year(part: str) -> bool:
    if not _is_number(part):
        return False
    return len(part) == _SHORT_YEAR or (len(part) == _LONG_YEAR and int(part) in _YEARS)


def _is_number(part: str) -> bool:
    return len(part) <= _LONG_YEAR and part.isdecimal()


_TELLING: Final = {
    Pattern.REPEAT: is_repeat,
    Pattern.RUN: is_run,
    Pattern.KEYBOARD: is_walk,
    Pattern.DATE: is_date,
}
