"""Says the rules before the person types, and offers a password to who wants none of their own.

What else belongs to a good form is the host's part: hide what is typed behind a switch that shows it, and let people
paste and use password managers. [NIST SP 800-63B-4 3.1.1.2; OWASP ASVS 6.2.6, 6.2.7]
"""

from collections.abc import Mapping
from typing import Final

import attrs

from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import CAPS
from shopaccounts.passwords.model import FindingCode, GuidanceKey
from shopaccounts.passwords.policy import PasswordPolicy, PasswordRule

__all__ = ["PasswordGuide", "describe", "suggest"]

_GROUPS: Final = 4
_GROUP_LENGTH: Final = 5
_REFUSES: Final = {
    PasswordRule.LENGTH: (FindingCode.TOO_SHORT, FindingCode.TOO_LONG),
    PasswordRule.CHARACTERS: (FindingCode.CHARACTERS_NOT_ALLOWED,),
    PasswordRule.COMMON: (FindingCode.COMMON,),
    PasswordRule.PATTERN: (FindingCode.PATTERN,),
    PasswordRule.CONTEXT: (FindingCode.CONTEXT_WORD,),
    PasswordRule.HISTORY: (FindingCode.SAME_AS_CURRENT,),
}
_HELPS: Final = {
    PasswordRule.LENGTH: (GuidanceKey.USE_SEVERAL_WORDS, GuidanceKey.USE_PASSWORD_MANAGER),
    PasswordRule.COMMON: (GuidanceKey.CHOOSE_UNRELATED_WORDS,),
    PasswordRule.PATTERN: (GuidanceKey.AVOID_REPEATS, GuidanceKey.AVOID_SEQUENCES),
    PasswordRule.CONTEXT: (GuidanceKey.AVOID_SHOP_NAME, GuidanceKey.AVOID_OWN_DETAILS),
}


@attrs.frozen(kw_only=True)
class PasswordGuide:
    """What a page says about passwords before one is typed.

    Args:
        minimum: The shortest password, in characters.
        maximum: The longest password, in characters.
        refused: Every reason for which one can be refused.
        guidance: What makes a good one.
    """

    minimum: int
    maximum: int
    refused: tuple[FindingCode, ...]
    guidance: tuple[GuidanceKey, ...]

    @property
    def html(self) -> Mapping[str, str]:
        """Attributes for the input of a new password.

        ``maxlength`` is larger than ``maximum``, since browsers count in other units and silently cut off what is
        longer; a password must never be cut.
        """
        return {
            "minlength": str(self.minimum),
            "maxlength": str(CAPS["password"]),
            "autocomplete": "new-password",
            "passwordrules": f"minlength: {self.minimum}; maxlength: {self.maximum}; allowed: ascii-printable;",
        }


def describe(policy: PasswordPolicy, can_reach: Level) -> PasswordGuide:
    """Answer what to tell a person who is about to choose a password.

    Args:
        policy: What a good password is in this shop.
        can_reach: What the account reaches with all its factors.
    """
    used_before = (FindingCode.USED_BEFORE,) if policy.history else ()
    return PasswordGuide(
        minimum=policy.minimum(can_reach),
        maximum=policy.max_length,
        refused=tuple(code for rule in policy.rules for code in _REFUSES[rule]) + used_before,
        guidance=tuple(key for rule in policy.rules for key in _HELPS.get(rule, ())),
    )


def suggest(entropy: Entropy) -> Secret[str]:
    """Draw a password of 100 random bits: four groups of five characters that are hard to misread."""
    drawn = entropy.base32(_GROUPS * _GROUP_LENGTH)
    groups = (drawn[start : start + _GROUP_LENGTH] for start in range(0, len(drawn), _GROUP_LENGTH))
    return Secret("-".join(groups))
