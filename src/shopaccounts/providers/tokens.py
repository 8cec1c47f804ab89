"""Taking a signed token apart, strictly: what two readers could read in two ways is no token.

* Three parts, each base64url without padding and in its one spelling; at most 16,384 characters together.
* Header and claims are JSON objects in UTF-8. A name that stands there twice, a number that is none (NaN, infinity),
  and anything nested deeper than 32 is refused.

[RFC 7515 3.1, 5.2, 10.12; RFC 8725 2.4]
"""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, NoReturn

import attrs

from shopaccounts.kernel.chance import as_token

__all__ = ["LONGEST_TOKEN", "SignedToken", "read_json", "read_token"]

LONGEST_TOKEN: Final = 16_384
"""In characters."""
_DEEPEST: Final = 32
_PARTS: Final = 3
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[{\]}]")
_BLOCK: Final = 4


@attrs.frozen(kw_only=True)
class SignedToken:
    """A token in its parts; nothing of it is believed yet.

    Args:
        signed: What the signature stands under.
    """

    header: Mapping[str, Any] = attrs.field(repr=False)
    claims: Mapping[str, Any] = attrs.field(repr=False)
    signed: bytes = attrs.field(repr=False)
    signature: bytes = attrs.field(repr=False)


def read_token(text: object) -> SignedToken | None:
    """Answer the parts of a token, None if it is none."""
    parts = text.split(".") if isinstance(text, str) and len(text) <= LONGEST_TOKEN and text.isascii() else ()
    if len(parts) != _PARTS:
        return None
    header, claims, signature = map(_decoded, parts)
    if header is None or claims is None or not signature:
        return None
    protected, told = read_json(header), read_json(claims)
    if protected is None or told is None:
        return None
    return SignedToken(header=protected, claims=told, signed=f"{parts[0]}.{parts[1]}".encode(), signature=signature)


def read_json(raw: bytes) -> Mapping[str, Any] | None:
    """Answer the object that *raw* is, None if it is none or could be read in two ways."""
    if _is_deep(raw):
        return None
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_refuse, parse_float=_finite
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _decoded(part: str) -> bytes | None:
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % _BLOCK))
    except ValueError:
        return None
    return raw if as_token(raw) == part else None


def _is_deep(raw: bytes) -> bool:
    depth = 0
    for bracket in _BRACKET.findall(_QUOTED.sub(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        if depth > _DEEPEST:
            return True
    return False


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        msg = "a name twice"
        raise ValueError(msg)
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number
