"""Text from outside, checked before anything else is done with it."""

import re
import unicodedata
from enum import Enum
from typing import Final, TypeVar

from shopaccounts.kernel.errors import InvalidInput

__all__ = ["CAPS", "require_choice", "require_locale", "require_text"]

E = TypeVar("E", bound=Enum)

CAPS: Final = {
    "identifier": 320,
    "phone": 40,
    "password": 1024,
    "code": 64,
    "token": 128,
    "handle": 128,
    "label": 64,
    "locale": 35,
    "return_path": 2048,
    "request_key": 128,
}
"""The longest text that is looked at, in characters; longer input is refused before it is parsed or hashed."""

_HEADER_BREAKING = frozenset({"Cc", "Cf", "Zl", "Zp"})
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


def require_text(value: object, field: str, *, cap: int | None = None, printable: bool = True) -> str:
    """Answer *value* as plain text, or refuse it before any port is called.

    Args:
        value: What came from outside.
        field: Name of the argument; also selects the cap where none is given.
        cap: Longest text in characters.
        printable: Refuse controls, format characters and line separators as well.

    Raises:
        InvalidInput: Not a ``str``, too long, a lone surrogate, or a character that may not be there.
    """
    if not isinstance(value, str):
        raise InvalidInput(field, "type")
    text = str.__str__(value)
    if len(text) > (CAPS[field] if cap is None else cap):
        raise InvalidInput(field, "too_long")
    if text.isascii() and text.isprintable():
        return text
    categories = {unicodedata.category(character) for character in text}
    if "Cs" in categories or (printable and categories & _HEADER_BREAKING):
        raise InvalidInput(field, "characters")
    return text


def require_choice(value: object, field: str, choices: type[E]) -> E:
    """Answer *value* if it is one of the *choices*, or refuse it before any port is called; its text isn't enough.

    Raises:
        InvalidInput: It is none of them.
    """
    if not isinstance(value, choices):
        raise InvalidInput(field, "type")
    return value


def require_locale(value: object) -> str:
    """Answer *value* if it has the form of a language tag of RFC 5646, such as ``en`` or ``pt-BR``.

    Raises:
        InvalidInput: It has not.
    """
    text = require_text(value, "locale")
    if not _LOCALE.fullmatch(text):
        raise InvalidInput(field="locale", reason="form")
    return text
