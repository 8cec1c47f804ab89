"""Pages for people: where a listing went on, as a text that only we can write.

* A cursor says where a listing went on: the time and the id of the last thing seen, and nothing else.
* It is signed with a key of ring ``CURSOR``, so whoever alters it holds a text that means nothing.
* It counts for one realm, one owner, one query and one format: nobody walks on in a list of somebody else.
* Whatever else comes in place of one is refused in the same way, and it isn't told why.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

import attrs

from shopaccounts.kernel.canonical import canonical
from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.ports import Position
from shopaccounts.kernel.secret import same
from shopaccounts.kernel.time import require_instant
from shopaccounts.kernel.vault import Key, newest_first

__all__ = ["MAX_CURSOR", "CursorInvalid", "Page", "read_cursor", "write_cursor"]

T = TypeVar("T")
_LAYOUT: Final = "1"
"""Every cursor begins with it; one of another layout is outdated."""
_MAC_BYTES: Final = 32
MAX_CURSOR: Final = 1024
_TIME: Final = struct.Struct(">q")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)


@attrs.frozen
class CursorInvalid(Rejected):
    """That is no place in this list; begin again at its first page."""

    code = "kernel.cursor_invalid"
    kind = Kind.INVALID


@attrs.frozen
class Page(Generic[T]):
    """One page of a list for people; ``next`` is the cursor of the page after it, None at the end."""

    items: tuple[T, ...]
    next: str | None


def write_cursor(position: Position, key: Key, *, realm: str, owner: str, query: str) -> str:
    """Answer the text that leads back to *position*.

    Args:
        position: The last thing seen; its id must not be personal data.
        key: The active key of ring ``CURSOR``.
        realm: Where the list is.
        owner: Whose list it is: an account's id, or empty for a list of the shop's own.
        query: Stable name of the list, with what it is narrowed to.

    Returns:
        Letters, digits, ``-`` and ``_``: a layout and, in base64url (RFC 4648), an HMAC-SHA-256 (RFC 2104) and what it
        vouches for.

    Raises:
        TypeError: The position's time doesn't say how far from UTC it is.
    """
    place = _TIME.pack((require_instant(position.at) - _EPOCH) // _MICRO) + position.id.encode()
    signed = _mac(place, key, realm, owner, query) + place
    return _LAYOUT + base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def read_cursor(text: object, keys: Sequence[Key], *, realm: str, owner: str, query: str) -> Position:
    """Answer the place that a cursor leads to.

    Args:
        text: What came from outside, of whatever type.
        keys: The live keys of ring ``CURSOR``; retired ones are passed over.
        realm: Where the list is.
        owner: Whose list it is.
        query: Stable name of the list, with what it is narrowed to.

    Raises:
        CursorInvalid: It was altered, belongs to another list, is outdated, or never was a cursor.
    """
    signed = _signed(text)
    mac, place = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
    if not any(same(mac, _mac(place, key, realm, owner, query)) for key in newest_first(keys)):
        raise CursorInvalid
    (micros,) = _TIME.unpack_from(place)
    return Position(_EPOCH + micros * _MICRO, place[_TIME.size :].decode())


def _signed(text: object) -> bytes:
    """Answer the bytes of a text that has the form of a cursor; each has one spelling only."""
    if not isinstance(text, str) or len(text) > MAX_CURSOR or not text.isascii() or text[:1] != _LAYOUT:
        raise CursorInvalid
    body = text[1:].encode()
    try:
        signed = base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
    except binascii.Error:
        raise CursorInvalid from None
    if base64.urlsafe_b64encode(signed).rstrip(b"=") != body:
        raise CursorInvalid
    return signed


def _mac(place: bytes, key: Key, realm: str, owner: str, query: str) -> bytes:
    about = canonical(["shopaccounts/cursor", _LAYOUT, realm, owner, query, place.hex()])
    return hmac.digest(key.secret.reveal(), about.encode(), hashlib.sha256)
