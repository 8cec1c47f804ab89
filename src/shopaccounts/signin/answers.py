"""What a customer answers when a second step, or a fresh proof, is asked for; ``kinds`` are those of the options."""

from typing import Any, ClassVar, TypeAlias, get_args

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import check_handle

__all__ = [
    "Answer",
    "PasskeyAnswer",
    "PasswordAnswer",
    "RecoveryCodeAnswer",
    "SentCodeAnswer",
    "TotpCode",
    "read_answer",
]


@attrs.frozen
class PasswordAnswer:
    """The account's password, text or ``Secret``."""

    kinds: ClassVar[frozenset[str]] = frozenset({"password"})
    password: object = attrs.field(repr=False)


@attrs.frozen
class TotpCode:
    """A code of an app.

    Args:
        code: As typed.
        factor: Which app; None is the one that was enrolled first.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"totp"})
    code: str = attrs.field(repr=False)
    factor: str | None = None


@attrs.frozen
class RecoveryCodeAnswer:
    """One of the codes for the day on which everything else is lost."""

    kinds: ClassVar[frozenset[str]] = frozenset({"recovery_codes"})
    code: str = attrs.field(repr=False)


@attrs.frozen
class SentCodeAnswer:
    """A code that was sent to a phone or mailbox, with the handle that asking for it answered.

    Args:
        handle: As asking for it answered it.
        code: As typed.
        factor: To which second step it was sent; None to the address that one signs in by.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"sms", "email_step"})
    handle: Secret[str]
    code: str = attrs.field(repr=False)
    factor: str | None = None


@attrs.frozen
class PasskeyAnswer:
    """What a browser answered with a passkey, as JSON text, with the handle of the question."""

    kinds: ClassVar[frozenset[str]] = frozenset({"passkey"})
    handle: Secret[str]
    response: Any = attrs.field(repr=False)


Answer: TypeAlias = PasswordAnswer | TotpCode | RecoveryCodeAnswer | SentCodeAnswer | PasskeyAnswer


def read_answer(given: object) -> Answer:
    """Answer what was given, if it can be looked at.

    Which password or passkey it is, and what a code says, is judged later: all that is text there is a try.

    Raises:
        InvalidInput: It is no answer, or something in it is no text, or endless.
    """
    if not isinstance(given, get_args(Answer)):
        raise InvalidInput(field="answer", reason="type")
    if isinstance(given, TotpCode | RecoveryCodeAnswer | SentCodeAnswer):
        require_text(given.code, "code", printable=False)
    if isinstance(given, TotpCode | SentCodeAnswer) and given.factor is not None:
        require_text(given.factor, "factor", cap=64)
    if isinstance(given, SentCodeAnswer | PasskeyAnswer):
        check_handle(given.handle)
    answer: Answer = given
    return answer
