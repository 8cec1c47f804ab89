"""What customers answer when one proof isn't enough, in their words; and the page of a sign-in that asks for it."""

from collections.abc import Iterable, Mapping
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode

import attrs

from shopaccounts.kernel.assurance import Method
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import (
    Answer,
    FactorKind,
    FactorSummary,
    PasskeyAnswer,
    PasswordAnswer,
    RecoveryCodeAnswer,
    SecondFactorNeeded,
    TotpCode,
)

__all__ = ["Asked", "answer_in", "ways_to_prove"]

_WORDS: Final[Mapping[str, str]] = {
    "totp": "The code that your app shows",
    "recovery_codes": "One of your recovery codes",
    "password": "Your password",
    "passkey": "A passkey",
}
_KINDS: Final[Mapping[str, str]] = {
    Method.PASSWORD.value: "password",
    Method.TOTP.value: "totp",
    Method.RECOVERY_CODE.value: "recovery_codes",
    Method.PASSKEY.value: "passkey",
}


@attrs.frozen(kw_only=True)
class Asked:
    """A half-done sign-in. Its page keeps it in hidden fields, so that the form can be shown again.

    Args:
        progress: The library's handle; it is worth nothing in another browser.
        ways: What can be answered, to the words for it.
        path: Where to go afterwards.
    """

    progress: Secret[str]
    ways: Mapping[str, str]
    path: str

    @classmethod
    def of(cls, needed: SecondFactorNeeded, path: str) -> Self:
        """Answer what the page is to ask."""
        ways = {_way(option.kind, option.factor): _worded(option.kind, option.label) for option in needed.options}
        return cls(progress=needed.progress, ways=ways, path=path)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Answer what the page had asked."""
        ways = dict(parse_qsl(form.get("ways", "")))
        return cls(progress=Secret(form.get("progress", "")), ways=ways, path=form.get("next", "/"))

    @property
    def kept(self) -> Mapping[str, str]:
        """The hidden fields."""
        return {"progress": self.progress.reveal(), "ways": urlencode(self.ways), "next": self.path}


def ways_to_prove(methods: Iterable[str], factors: Iterable[FactorSummary]) -> Mapping[str, str]:
    """Answer by what somebody who is signed in can prove again who they are, to the words for it.

    Args:
        methods: From ``FreshSignInNeeded``; without any, everything is offered.
        factors: What the account has enrolled.
    """
    kinds = [_KINDS[method] for method in methods if method in _KINDS] or list(_KINDS.values())
    apps = {_way("totp", one.id): _worded("totp", one.label) for one in factors if one.kind is FactorKind.TOTP}
    return {way: words for kind in kinds for way, words in (apps if kind == "totp" else {kind: _WORDS[kind]}).items()}


def answer_in(form: Mapping[str, str]) -> Answer:
    """Answer what a form with such a question brings."""
    kind, _, factor = form.get("way", "").partition(" ")
    typed = form.get("answer", "")
    match kind:
        case "passkey":
            return PasskeyAnswer(Secret(form.get("handle", "")), form.get("response", ""))
        case "totp":
            return TotpCode(typed, factor or None)
        case "recovery_codes":
            return RecoveryCodeAnswer(typed)
        case _:
            return PasswordAnswer(typed)


def _way(kind: str, factor: str | None) -> str:
    return f"{kind} {factor}" if factor else kind


def _worded(kind: str, label: str) -> str:
    return f"{_WORDS[kind]} ({label})" if label else _WORDS[kind]
