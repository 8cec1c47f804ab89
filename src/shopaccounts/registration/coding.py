"""Making the short codes that prove an address or a number, and judging what somebody typed."""

from datetime import datetime

from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.codes import Challenge, Judged, Verdict, answer_challenge, code_mac
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Key
from shopaccounts.registration.errors import CodeExhausted
from shopaccounts.registration.policy import RegistrationPolicy

__all__ = ["challenge_for", "judged"]


def challenge_for(
    key: Key, id: str, purpose: str, policy: RegistrationPolicy, now: datetime, entropy: Entropy, *, decoy: bool
) -> tuple[Challenge, Secret[str]]:
    """Answer a challenge and its code; a decoy's code fits nothing.

    Args:
        key: The key of codes.
        id: What the challenge belongs to.
        purpose: What it proves.
        policy: The shape and life of codes.
        now: When.
        entropy: The dice.
        decoy: Whether nobody may know the right code.
    """
    code = policy.code_shape.draw(entropy)
    right = code_mac(key.secret, id, purpose, code.reveal())
    challenge = Challenge(
        id=id,
        purpose=purpose,
        code_mac=entropy.raw(len(right)) if decoy else right,
        key_id=key.id,
        shape=policy.code_shape,
        max_tries=policy.code_tries,
        issued_at=now,
        code_expires_at=now + policy.code_life,
        expires_at=now + policy.challenge_life,
    )
    return challenge, code


def judged(challenge: Challenge, typed: str, key: Key, now: datetime) -> Judged:
    """Answer whether that is the code, and what is left of the challenge.

    Raises:
        CodeExhausted: No tries are left.
    """
    answer = answer_challenge(challenge, typed, key.secret, now)
    if answer.verdict is Verdict.EXHAUSTED:
        raise CodeExhausted
    return answer
