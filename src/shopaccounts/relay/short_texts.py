"""How long a text message is: what a network cuts it into, and what each piece costs.

* A text of the GSM alphabet has 160 units in one piece; a longer one goes in pieces of 153, as each says which it is.
  Ten characters of its second table take two units.
* One character outside of it, and the whole text goes in UTF-16: 70 units, or pieces of 67.
* No character is cut in two: what doesn't fit at the end of a piece begins the next.

[3GPP TS 23.038 section 6.2.1; 3GPP TS 23.040 section 9.2.3.24.1]
"""

from enum import Enum
from typing import Final

import attrs

__all__ = ["SmsEncoding", "SmsParts", "sms_parts"]

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_SECOND: Final = frozenset("\f^{}\\[~]|€")
_ALONE: Final = {"gsm7": 160, "ucs2": 70}
_IN_PIECES: Final = {"gsm7": 153, "ucs2": 67}


class SmsEncoding(Enum):
    """How a network carries a text."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


@attrs.frozen
class SmsParts:
    """What a text message takes.

    Args:
        encoding: How it is carried.
        units: Its length, in units of that encoding.
        segments: How many pieces it is sent and paid in; none for no text.
    """

    encoding: SmsEncoding
    units: int
    segments: int


def sms_parts(text: str) -> SmsParts:
    """Answer what *text* takes as a text message."""
    plain = all(sign in _BASIC or sign in _SECOND for sign in text)
    encoding = SmsEncoding.GSM7 if plain else SmsEncoding.UCS2
    sizes = [_septets(sign) if plain else _utf16(sign) for sign in text]
    units = sum(sizes)
    if units <= _ALONE[encoding.value]:
        return SmsParts(encoding, units, 1 if units else 0)
    return SmsParts(encoding, units, _pieces(sizes, _IN_PIECES[encoding.value]))


def _pieces(sizes: list[int], room: int) -> int:
    pieces, left = 1, room
    for size in sizes:
        if size > left:
            pieces, left = pieces + 1, room
        left -= size
    return pieces


def _septets(sign: str) -> int:
    return 2 if sign in _SECOND else 1


def _utf16(sign: str) -> int:
    return 2 if ord(sign) > 0xFFFF else 1  # noqa: PLR2004  (the end of what one unit can hold)
