"""A meter for the page where people type: from 0 to 4, and what would help.

A password that is listed, a simple movement, or leans on words of the shop or the person scores 0. Any other is rated
by its length, where characters that only repeat the one before or go on with a run (``aaaa``, ``1234``) don't count.
The meter guides and never decides: whether a password is accepted is judged by the rules alone.
"""

from bisect import bisect
from itertools import pairwise
from typing import Final

import attrs

from shopaccounts.passwords.judging import PasswordContext, findings_by
from shopaccounts.passwords.model import GuidanceKey
from shopaccounts.passwords.policy import PasswordPolicy, PasswordRule
from shopaccounts.passwords.preparing import Prepared

__all__ = ["Strength", "rate"]

_LENGTHS: Final = (8, 12, 15, 20)
_BEST: Final = len(_LENGTHS)
_GUESSED_FIRST: Final = (PasswordRule.COMMON, PasswordRule.PATTERN, PasswordRule.CONTEXT)


@attrs.frozen
class Strength:
    """How well a password would stand against guessing.

    Args:
        score: 0 (guessed first) to 4.
        guidance: What would help; empty at 4.
    """

    score: int
    guidance: tuple[GuidanceKey, ...]


def rate(candidate: Prepared, about: PasswordContext, policy: PasswordPolicy) -> Strength:
    """Rate *candidate* for a meter.

    Args:
        candidate: What was typed so far, as ``prepare`` answers it.
        about: The shop and the person.
        policy: Holds the list of common passwords and the shop's further words.
    """
    findings = findings_by(_GUESSED_FIRST, candidate, about, policy)
    if findings:
        return Strength(0, tuple(dict.fromkeys(key for finding in findings for key in finding.guidance)))
    score = bisect(_LENGTHS, _surprising(candidate.text.reveal().casefold()))
    return Strength(score, () if score == _BEST else (GuidanceKey.ADD_LENGTH, GuidanceKey.USE_SEVERAL_WORDS))


def _surprising(text: str) -> int:
    """Count the characters that neither repeat the one before nor go on with a run."""
    steps = [ord(after) - ord(before) for before, after in pairwise(text)]
    dull = sum(
        step == 0 or (step in {1, -1} and step == before) for before, step in zip([0, *steps], steps, strict=False)
    )
    return len(text) - dull
