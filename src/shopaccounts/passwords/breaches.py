"""Has this password been seen in data that leaked elsewhere?

Who publishes such a list can be asked without being told the password. The password's SHA-1 is written as 40
upper-case hex digits; only the first five are sent, and the answer has the rest of every listed password that begins
alike, each with how often it was seen. The comparison is made here, on all 35 digits that are left. Lines with a count
of 0 are padding, which keeps the length of the answer from telling anything, and are no hit. A count below the
policy's is none either.

A list that doesn't answer has said nothing: the password is *unchecked*, which is neither good nor bad. The policy
says what follows. [OWASP ASVS 6.2.12; the k-anonymity range API of Have I Been Pwned]
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import attrs

from shopaccounts.kernel.secret import same
from shopaccounts.passwords.preparing import Prepared

__all__ = ["BreachVerdict", "Clean", "Outage", "Seen", "Unchecked", "fingerprint", "seen_in"]

_PREFIX: Final = 5


@attrs.frozen
class Outage:
    """The list gave no answer that can be relied on.

    Args:
        reason: A stable key: ``timeout``, ``unreachable``, ``status``, ``too_long``, ``no_lines``.
    """

    reason: str


@attrs.frozen
class Clean:
    """The list was asked, and doesn't hold the password often enough to count."""


@attrs.frozen
class Seen:
    """The password was seen in leaked data, *count* times."""

    count: int


@attrs.frozen
class Unchecked:
    """Nobody could say."""


BreachVerdict = Clean | Seen | Unchecked


def fingerprint(password: Prepared) -> tuple[str, str]:
    """Answer what is sent of *password*, 5 hex digits of its SHA-1, and the 35 that stay here."""
    text = password.text.reveal().encode("utf-8", "surrogatepass")
    digits = hashlib.sha1(text, usedforsecurity=False).hexdigest().upper()  # the list is kept by SHA-1
    return digits[:_PREFIX], digits[_PREFIX:]


def seen_in(listed: Sequence[tuple[str, int]] | Outage, suffix: str, min_count: int) -> BreachVerdict:
    """Look for *suffix* in what the list answered.

    Args:
        listed: Rests of fingerprints with their counts.
        suffix: The 35 digits that ``fingerprint`` kept.
        min_count: The count from which a password is refused.
    """
    if isinstance(listed, Outage):
        return Unchecked()
    count = max((count for other, count in listed if same(other, suffix)), default=0)
    return Seen(count) if count >= max(min_count, 1) else Clean()
