"""Taking a password from a person, so that the same keys always mean the same password.

Keyboards and systems write the same sign in different ways. So every kind of space becomes the plain space, and
composed and decomposed spellings become one (NFC); that form is what is counted, judged, hashed and compared. Nothing
else is changed: a password is never trimmed, cut, or put into another letter case, and signs that only look alike stay
different. Which characters a *new* password may hold is a rule of judging; checking an existing one never asks, since a
later Unicode version or an imported password must not lock anybody out. [RFC 8265 4.2 OpaqueString; NIST 3.1.1.2(9)]
"""

import unicodedata
from typing import Final

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import CAPS, require_text

__all__ = ["Prepared", "prepare", "prepare_to_verify"]

_FIELD: Final = "password"


@attrs.frozen
class Prepared:
    """A password in the one form that is counted, judged and hashed."""

    text: Secret[str]

    def __len__(self) -> int:
        """Code points of the composed form."""
        return len(self.text.reveal())


def prepare(raw: object) -> Prepared:
    """Take *raw* as a new password; ``judge`` says whether it will do.

    Args:
        raw: What the person typed, as ``str`` or as ``Secret`` of one.

    Raises:
        InvalidInput: Not text, over 1,024 characters, or text with a lone surrogate.
    """
    text = require_text(raw.reveal() if isinstance(raw, Secret) else raw, _FIELD, printable=False)
    if text.isascii():
        return Prepared(Secret(text))
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    composed = unicodedata.normalize("NFC", spaced)
    if len(composed) > CAPS[_FIELD]:  # a few characters have no composed form and become longer
        raise InvalidInput(_FIELD, "too_long")
    return Prepared(Secret(composed))


def prepare_to_verify(raw: object) -> Prepared | None:
    """Take *raw* as an attempt at an existing password; None if no password can look like that.

    None is a wrong password like any other, and a ``Hasher`` spends the same work on it.
    """
    try:
        prepared = prepare(raw)
    except InvalidInput:
        return None
    return prepared if len(prepared) else None
