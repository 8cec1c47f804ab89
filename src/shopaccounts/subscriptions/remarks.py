"""What people write in their own words: comments, reasons, statements.

* At most 2000 characters; more is refused, never cut.
* Control characters are taken out, and so are signs that turn the direction of writing: nobody hides anything in them.
  A line break or tab becomes a space.
* Such text is kept with what it belongs to. It stands in no event and in no log.
"""

import unicodedata
from typing import Final

from shopaccounts.kernel.text import require_text

__all__ = ["MAX_REMARK", "clean_remark"]

MAX_REMARK: Final = 2000
"""The longest remark, in characters."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_JOINERS: Final = frozenset({"\u200c", "\u200d"})
_BREAKS: Final = frozenset({"\t", "\n", "\v", "\f", "\r", "\x85", "\u2028", "\u2029"})


def clean_remark(value: object, field: str) -> str:
    """Answer what somebody wrote, without control characters and without white space around it.

    Args:
        value: What came from outside.
        field: Name of the argument, for the refusal.

    Raises:
        InvalidInput: No text, longer than 2000 characters, or half of a surrogate pair.
    """
    text = require_text(value, field, cap=MAX_REMARK, printable=False)
    if text.isascii() and text.isprintable():
        return text.strip()
    return "".join(map(_shown, text)).strip()


def _shown(character: str) -> str:
    if character in _BREAKS:
        return " "
    hidden = unicodedata.category(character) in _UNSEEN and character not in _JOINERS
    return "" if hidden else character
