"""What happened at the door; ids only. ``owasp_name`` is the word of the OWASP Logging Vocabulary."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId

__all__ = ["SessionEnded", "SignInRefusedEvent", "SignedInEvent", "SuspendedTried"]


@attrs.frozen(kw_only=True)
class SignedInEvent(Event):
    """A customer signed in; ``network`` is a keyed digest."""

    name: ClassVar[str] = "signin.signed_in"
    owasp_name: ClassVar[str] = "authn_login_success"
    account: AccountId
    session: str
    methods: tuple[str, ...]
    level: int
    network: str


@attrs.frozen(kw_only=True)
class SignInRefusedEvent(Event):
    """Somebody was refused; ``tried`` is the account or, where there is none, a keyed digest of what was typed.

    It belongs to nobody's history, so that an attack makes no writer wait for another.
    """

    name: ClassVar[str] = "signin.refused"
    owasp_name: ClassVar[str] = "authn_login_fail"
    tried: str
    reason: str
    network: str


@attrs.frozen(kw_only=True)
class SessionEnded(Event):
    """A session ended; ``session`` None means all sessions of the account."""

    name: ClassVar[str] = "signin.session_ended"
    owasp_name: ClassVar[str] = "session_expired"
    account: AccountId
    session: str | None
    reason: str


@attrs.frozen(kw_only=True)
class SuspendedTried(Event):
    """Somebody gave the right password of a suspended account."""

    name: ClassVar[str] = "signin.suspended_tried"
    owasp_name: ClassVar[str] = "authn_login_fail"
    account: AccountId
