"""The passwords that everybody tries first.

A password that many people have chosen is refused, since guessing starts with the most frequent ones. The list has two
tiers, 8 to 14 and 15 or more characters, because a list of short passwords says nothing to a shop that asks for 15.
Only the whole password is looked up, never a part of it, and the letter case does not matter.

The list is kept as sorted fingerprints: 8 bytes each, the beginning of SHA-256. How the built-in one was made is told
in ``data/README.md``. [NIST SP 800-63B-4 3.1.1.2; OWASP ASVS 6.2.4]
"""

import hashlib
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache
from typing import Final, Protocol, final

import attrs

__all__ = ["BUILT_IN", "CommonPasswords", "Fingerprints"]

_WIDTH: Final = 8
_COUNT: Final = 4
_HEADER: Final = 2 * _COUNT
_LONG: Final = 15


class CommonPasswords(Protocol):
    """A list of passwords that can tell whether it holds one."""

    def holds(self, password: str) -> bool:
        """Tell whether the whole of *password* is listed, in whatever letter case."""
        ...


@attrs.frozen(repr=False)
class Fingerprints:
    """A list of common passwords, kept as fingerprints in two tiers by length.

    Args:
        data: Number of short entries and of long entries (4 bytes each, big-endian), then the sorted 8-byte
            fingerprints of the short ones, then those of the long ones.
    """

    data: bytes

    @classmethod
    def of(cls, passwords: Iterable[str]) -> "Fingerprints":
        """Answer a list that holds *passwords*."""
        short: set[bytes] = set()
        long: set[bytes] = set()
        for folded in map(_folded, passwords):
            (long if len(folded) >= _LONG else short).add(_fingerprint(folded))
        header = len(short).to_bytes(_COUNT, "big") + len(long).to_bytes(_COUNT, "big")
        return cls(header + b"".join(sorted(short)) + b"".join(sorted(long)))

    @property
    def counts(self) -> tuple[int, int]:
        """How many short and how many long entries there are."""
        return int.from_bytes(self.data[:_COUNT], "big"), int.from_bytes(self.data[_COUNT:_HEADER], "big")

    def holds(self, password: str) -> bool:
        """Tell whether the whole of *password* is listed, in whatever letter case."""
        folded = _folded(password)
        wanted = _fingerprint(folded)
        short, long = self.counts
        first, last = (short, short + long) if len(folded) >= _LONG else (0, short)
        place = bisect_left(range(last), wanted, lo=first, key=self._entry)
        return place < last and self._entry(place) == wanted

    def _entry(self, place: int) -> bytes:
        start = _HEADER + place * _WIDTH
        return self.data[start : start + _WIDTH]


@final
class _BuiltIn:
    """The list that ships with the library, read from disk on first use."""

    def __repr__(self) -> str:
        return "BUILT_IN"

    def holds(self, password: str) -> bool:
        return _shipped().holds(password)


BUILT_IN: Final[CommonPasswords] = _BuiltIn()
"""The most frequent passwords of a public list; about 116 kB once it is loaded."""


@cache
def _shipped() -> Fingerprints:
    from importlib.resources import files  # noqa: PLC0415  (only who judges a password needs it)

    return Fingerprints(files("shopaccounts.passwords").joinpath("data", "common_passwords.bin").read_bytes())


def _folded(password: str) -> str:
    return unicodedata.normalize("NFC", password).casefold()


def _fingerprint(folded: str) -> bytes:
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).digest()[:_WIDTH]
