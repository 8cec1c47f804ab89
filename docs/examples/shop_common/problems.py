"""What went wrong with a form, in words, and beside which field.

The library says ``no`` with a value: its code and its facts. ``Messages`` words most of them. What is wrong with a
password is worded here, since a shop may want to sound like itself when it asks for a better one.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from shopaccounts.adapters.babel import Messages
from shopaccounts.kernel.contact import EmailInvalid, EmailUnsupportedCharacters
from shopaccounts.kernel.errors import Rejected
from shopaccounts.passwords import Finding, FindingCode, PasswordUnacceptable
from shopaccounts.registration import CodeExhausted, CodeWrong

__all__ = ["NOTHING_WRONG", "Problems"]

_BESIDE: Final[Mapping[type[Rejected], str]] = {
    EmailInvalid: "email",
    EmailUnsupportedCharacters: "email",
    PasswordUnacceptable: "password",
    CodeWrong: "code",
    CodeExhausted: "code",
}
_PASSWORD: Final = {
    FindingCode.TOO_SHORT: "Use at least {min} characters; four or five words are easy to remember.",
    FindingCode.TOO_LONG: "Use at most {max} characters.",
    FindingCode.CHARACTERS_NOT_ALLOWED: "Some of these characters can't be typed everywhere. Use others.",
    FindingCode.COMMON: "Many people use this one, so it is guessed first. Choose words that don't belong together.",
    FindingCode.PATTERN: "Repetitions and rows such as 12345 are guessed easily.",
    FindingCode.CONTEXT_WORD: "Leave out the name of the shop and what others know about you.",
    FindingCode.SAME_AS_CURRENT: "This is the password you have now. Choose another one.",
    FindingCode.USED_BEFORE: "You have used this password before. Choose another one.",
    FindingCode.BREACHED: "It is known from a break-in elsewhere. Choose another one, and change it there too.",
}


@attrs.frozen(kw_only=True)
class Problems:
    """What is wrong with a form: texts by the name of the field, ``""`` for what belongs to none."""

    texts: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, rejected: Rejected, locale: str = "en") -> "Problems":
        """Word a rejection for the page that it belongs to."""
        if isinstance(rejected, PasswordUnacceptable):
            return cls(texts={"password": tuple(_say(finding) for finding in rejected.findings)})
        return cls(texts={_BESIDE.get(type(rejected), ""): (Messages(locale).say(rejected),)})

    def __bool__(self) -> bool:
        return bool(self.texts)

    def beside(self, field: str) -> tuple[str, ...]:
        """Answer what to say beside a field."""
        return self.texts.get(field, ())


NOTHING_WRONG: Final = Problems()


def _say(finding: Finding) -> str:
    return _PASSWORD[finding.code].format_map(finding.facts)
