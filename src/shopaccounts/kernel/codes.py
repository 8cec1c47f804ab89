"""Short codes that a person types: one answer costs one try.

A code counts only together with the handle of the challenge it was issued for. It is kept as a keyed digest, judged in
one canonical form, and dead after a handful of tries, however they arrive.
[NIST SP 800-63B-4 3.1.3.2; OWASP ASVS 6.5, 6.6]
"""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.chance import LETTERS, Entropy
from shopaccounts.kernel.personal import described, impersonal, secret
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.secret import Secret, same

__all__ = [
    "Challenge",
    "ChallengeState",
    "CodeShape",
    "Judged",
    "Verdict",
    "answer_challenge",
    "canonical_code",
    "code_mac",
    "resend",
]

MAX_CODE_LIFE: Final = timedelta(minutes=10)
MAX_CHALLENGE_LIFE: Final = timedelta(minutes=30)
_MIN_DIGITS: Final = 6
_MIN_LETTERS: Final = 5
"""Five letters of twenty are 21.6 bits."""


class ChallengeState(Enum):
    """How far a challenge got."""

    OPEN = "open"
    SOLVED = "solved"
    EXHAUSTED = "exhausted"


class Verdict(Enum):
    """How one answer was judged."""

    RIGHT = "right"
    WRONG = "wrong"
    EXHAUSTED = "exhausted"


@attrs.frozen
class CodeShape:
    """What a code looks like: so many digits, or so many letters.

    Why these defaults:
        digits, letters: six digits and no letters, the shortest code of digits that counts. [NIST SP 800-63B-4 3.1.3.2]
    """

    digits: int = 6
    letters: int = 0

    def __attrs_post_init__(self) -> None:
        require((self.digits == 0) != (self.letters == 0), "a code is of digits or of letters")
        require(self.digits == 0 or self.digits >= _MIN_DIGITS, "a code has at least 6 digits [NIST 3.1.3.2]")
        require(self.letters == 0 or self.letters >= _MIN_LETTERS, "a code has at least 20 bits [ASVS 6.5.4]")

    def draw(self, entropy: Entropy) -> Secret[str]:
        """Answer a fresh code."""
        return Secret(entropy.digits(self.digits) if self.digits else entropy.letters(self.letters))


@described(data_class="security", default=impersonal("ids, times, counters"))
@attrs.frozen(kw_only=True)
class Challenge:
    """A code that was sent and waits for its answer."""

    id: str
    purpose: str = attrs.field(metadata=impersonal("the name of a purpose"))
    code_mac: bytes = attrs.field(metadata=secret("security", "keyed digest of a code"), repr=False)
    key_id: str = attrs.field(metadata=impersonal("which key made the digest"))
    shape: CodeShape
    tries: int = 0
    max_tries: int = 5
    issued_at: datetime
    code_expires_at: datetime
    expires_at: datetime
    state: ChallengeState = ChallengeState.OPEN


@attrs.frozen
class Judged:
    """The challenge after an answer, to be stored before the verdict is told."""

    challenge: Challenge
    verdict: Verdict

    @property
    def tries_left(self) -> int:
        """How many answers are left."""
        return self.challenge.max_tries - self.challenge.tries


def canonical_code(typed: str, shape: CodeShape) -> str | None:
    """Answer a typed code in the one form that is judged; None if it can't be a code.

    Spaces and hyphens fall away, letters become capitals. Digits of other scripts are not digits here.
    """
    text = typed.replace(" ", "").replace("-", "")
    if shape.digits:
        return text if re.fullmatch(rf"[0-9]{{{shape.digits}}}", text) else None
    text = "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in text)
    return text if re.fullmatch(rf"[{LETTERS}]{{{shape.letters}}}", text) else None


def code_mac(key: Secret[bytes], challenge_id: str, purpose: str, code: str) -> bytes:
    """Answer the keyed digest of a canonical code, good for one challenge and purpose."""
    return hmac.digest(key.reveal(), f"{challenge_id}\0{purpose}\0{code}".encode(), hashlib.sha256)


def answer_challenge(challenge: Challenge, typed: str, key: Secret[bytes], now: datetime) -> Judged:
    """Judge one answer; each answer that is told costs one try, and the last wrong one ends the challenge."""
    if challenge.state is not ChallengeState.OPEN:
        return Judged(challenge, Verdict.EXHAUSTED)
    charged = attrs.evolve(challenge, tries=challenge.tries + 1)
    code = canonical_code(typed, challenge.shape)
    mac = code_mac(key, challenge.id, challenge.purpose, code or "")
    if code is not None and same(mac, challenge.code_mac) and now < challenge.code_expires_at:
        return Judged(attrs.evolve(charged, state=ChallengeState.SOLVED), Verdict.RIGHT)
    is_last = charged.tries >= charged.max_tries
    return Judged(attrs.evolve(charged, state=ChallengeState.EXHAUSTED) if is_last else charged, Verdict.WRONG)


def resend(challenge: Challenge, mac: bytes, key_id: str, life: timedelta, now: datetime) -> Challenge:
    """Answer the challenge with a new code: the old one is dead, the tries stay counted, the end doesn't move."""
    return attrs.evolve(challenge, code_mac=mac, key_id=key_id, code_expires_at=min(now + life, challenge.expires_at))
