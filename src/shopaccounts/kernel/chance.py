"""Everything random comes from here, so that tests and simulations can script it.

Each draw is uniform: digits and letters are taken by rejection sampling, never by a remainder.
"""

import secrets
import threading
from binascii import b2a_base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.secret import same

__all__ = ["CROCKFORD", "LETTERS", "Entropy", "SystemEntropy", "same"]

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Consonants that form no words and are not confused when read aloud (RFC 8628 section 6.1)."""
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DIGITS = "0123456789"
_BYTE = 256
_MIN_TOKEN_BITS = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_UUID7_RANDOM_BITS = 74
_UUID7_STEP_BITS = 62
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Entropy:
    """Draws secrets and ids from a source of random bytes.

    Args:
        source: Answers n uniformly random bytes when called with n.
    """

    def __init__(self, source: Callable[[int], bytes]) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._last_id = 0

    def raw(self, count: int) -> bytes:
        """Answer *count* random bytes."""
        return self._source(count)

    def token(self, bits: int) -> str:
        """Answer at least *bits* random bits as base64url text without padding.

        Raises:
            Defect: Fewer than 128 bits: somebody could guess that.
        """
        if bits < _MIN_TOKEN_BITS:
            msg = f"a token of {bits} bits can be guessed; it takes {_MIN_TOKEN_BITS}"
            raise Defect(msg)
        return as_token(self._source((bits + 7) // 8))

    def digits(self, count: int) -> str:
        """Answer *count* decimal digits."""
        return self._draw(_DIGITS, count)

    def letters(self, count: int) -> str:
        """Answer *count* letters that are safe to read aloud (RFC 8628 section 6.1)."""
        return self._draw(LETTERS, count)

    def base32(self, count: int) -> str:
        """Answer *count* characters of Crockford's base 32."""
        return self._draw(CROCKFORD, count)

    def fraction(self) -> float:
        """Answer a number from 0 up to, but without, 1: for spreading retries, never for secrets."""
        return int.from_bytes(self._source(6), "big") / 2**48

    def new_id(self, now: datetime) -> str:
        """Answer a UUIDv7 (RFC 9562 section 5.7) that is greater than every one answered before in this process.

        Where *now* is no later than the last id, the next one lies a random step above it, so that two processes that
        were forked from one don't go on with the same ids.
        """
        drawn = int.from_bytes(self._source(10), "big") >> (80 - _UUID7_RANDOM_BITS)
        fresh = (now - _EPOCH) // _MILLISECOND << _UUID7_RANDOM_BITS | drawn
        step = 1 + (drawn & ((1 << _UUID7_STEP_BITS) - 1))
        with self._lock:
            self._last_id = fresh = fresh if fresh > self._last_id else self._last_id + step
        return _as_uuid7(fresh)

    def _draw(self, alphabet: str, count: int) -> str:
        fair = _BYTE - _BYTE % len(alphabet)
        drawn: list[str] = []
        while len(drawn) < count:
            drawn += [alphabet[byte % len(alphabet)] for byte in self._source(count) if byte < fair]
        return "".join(drawn[:count])


def as_token(raw: bytes) -> str:
    """Write random bytes as base64url text without padding."""
    return b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode()


def _as_uuid7(value: int) -> str:
    """Write a number as the text of a UUIDv7, which ``uuid.UUID`` takes three times as long for."""
    millis, rest = value >> _UUID7_RANDOM_BITS, value & ((1 << _UUID7_RANDOM_BITS) - 1)
    high, low = rest >> 62, rest & ((1 << 62) - 1)
    digits = f"{millis << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class SystemEntropy(Entropy):
    """The operating system's source of randomness."""

    def __init__(self) -> None:
        super().__init__(secrets.token_bytes)
