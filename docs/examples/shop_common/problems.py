"""What went wrong with a form, in words, and beside which field.

The library says ``no`` with a value: its code and its facts. ``Messages`` words most of them. What is wrong with a
password is worded here, since a shop may want to sound like itself when it asks for a better one.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from shopaccounts.adapters.babel import Messages
from shopaccounts.kernel.contact import EmailInvalid, EmailUnsupportedCharacters
from shopaccounts.kernel.errors import Rejected
from shopaccounts.passwords import Finding, FindingCode, GuidanceKey, PasswordUnacceptable, WrongPassword
from shopaccounts.registration import CodeExhausted, CodeWrong
from shopaccounts.signin import CodeWrong as AnswerWrong

__all__ = ["NOTHING_WRONG", "Problems"]

_BESIDE: Final[Mapping[type[Rejected], str]] = {
    EmailInvalid: "email",
    EmailUnsupportedCharacters: "email",
    PasswordUnacceptable: "password",
    WrongPassword: "current",
    CodeWrong: "code",
    CodeExhausted: "code",
    AnswerWrong: "answer",
}
_WRONG: Final = {
    FindingCode.TOO_SHORT: "Use at least {min} characters.",
    FindingCode.TOO_LONG: "Use at most {max} characters.",
    FindingCode.CHARACTERS_NOT_ALLOWED: "Some of these characters can't be used.",
    FindingCode.COMMON: "Many people use this one, so it is guessed first.",
    FindingCode.PATTERN: "Patterns are guessed easily.",
    FindingCode.CONTEXT_WORD: "It holds what others would guess first.",
    FindingCode.SAME_AS_CURRENT: "This is the password you have now.",
    FindingCode.USED_BEFORE: "You have used this password before.",
    FindingCode.BREACHED: "It is known from a break-in elsewhere.",
}
_HELP: Final = {
    GuidanceKey.USE_SEVERAL_WORDS: "Four or five words are easy to remember.",
    GuidanceKey.ADD_LENGTH: "Length helps more than odd characters.",
    GuidanceKey.AVOID_SHOP_NAME: "Leave out the name of the shop.",
    GuidanceKey.AVOID_OWN_DETAILS: "Leave out what others know about you.",
    GuidanceKey.AVOID_REPEATS: "Don't repeat characters.",
    GuidanceKey.AVOID_SEQUENCES: "Leave out rows such as 12345.",
    GuidanceKey.CHOOSE_UNRELATED_WORDS: "Choose words that don't belong together.",
    GuidanceKey.USE_PASSWORD_MANAGER: "A password manager makes up a good one.",
    GuidanceKey.SEEN_IN_BREACH_ELSEWHERE: "It was stolen there, not here.",
    GuidanceKey.CHANGE_IT_THERE_TOO: "Change it there too.",
    GuidanceKey.UNICODE_MAY_DIFFER: "Not every keyboard has all of its characters.",
}


@attrs.frozen(kw_only=True)
class Problems:
    """What is wrong with a form: texts by the name of the field, ``""`` for what belongs to none."""

    texts: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, rejected: Rejected, locale: str = "en") -> "Problems":
        """Word a rejection for the page that it belongs to."""
        if isinstance(rejected, PasswordUnacceptable):
            return cls(texts={"password": _say(rejected.findings)})
        return cls(texts={_BESIDE.get(type(rejected), ""): (Messages(locale).say(rejected),)})

    def __bool__(self) -> bool:
        return bool(self.texts)

    def beside(self, field: str) -> tuple[str, ...]:
        """Answer what to say beside a field."""
        return self.texts.get(field, ())


NOTHING_WRONG: Final = Problems()


def _say(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Answer what is wrong with a password, then what would help."""
    known = tuple(findings)
    wrong = (_WRONG[finding.code].format_map(finding.facts) for finding in known)
    return (*wrong, *dict.fromkeys(_HELP[key] for finding in known for key in finding.guidance))
