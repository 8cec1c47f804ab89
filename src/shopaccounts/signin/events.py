"""What happened at the door; ids only. ``owasp_name`` is the word of the OWASP Logging Vocabulary."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event, SecurityEvent
from shopaccounts.kernel.ids import AccountId

__all__ = [
    "AttackSuspected",
    "DeviceNew",
    "DeviceRevoked",
    "ImpersonationEnded",
    "ImpersonationStarted",
    "PasswordDisabled",
    "Repudiated",
    "SessionEnded",
    "SessionReuseDetected",
    "SessionsEndedByStaff",
    "SignInRefusedEvent",
    "SignedInEvent",
    "StepUpDone",
    "StepUpRefused",
    "SuspendedTried",
]


@attrs.frozen(kw_only=True)
class SignedInEvent(SecurityEvent):
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
class SessionEnded(SecurityEvent):
    """A session ended; ``session`` None means all sessions of the account."""

    name: ClassVar[str] = "signin.session_ended"
    owasp_name: ClassVar[str] = "session_expired"
    account: AccountId
    session: str | None
    reason: str


@attrs.frozen(kw_only=True)
class SuspendedTried(SecurityEvent):
    """Somebody gave the right password of a suspended account."""

    name: ClassVar[str] = "signin.suspended_tried"
    owasp_name: ClassVar[str] = "authn_login_fail"
    account: AccountId


@attrs.frozen(kw_only=True)
class ImpersonationStarted(SecurityEvent):
    """An agent began to act for a customer."""

    name: ClassVar[str] = "signin.impersonation_started"
    owasp_name: ClassVar[str] = "privilege_permissions_changed"
    account: AccountId
    session: str
    scope: str


@attrs.frozen(kw_only=True)
class ImpersonationEnded(SecurityEvent):
    """An agent no longer acts for a customer."""

    name: ClassVar[str] = "signin.impersonation_ended"
    owasp_name: ClassVar[str] = "privilege_permissions_changed"
    account: AccountId
    session: str
    outcome: str


@attrs.frozen(kw_only=True)
class DeviceNew(SecurityEvent):
    """A customer signed in with a browser that the account didn't know."""

    name: ClassVar[str] = "signin.device_new"
    account: AccountId
    device: str


@attrs.frozen(kw_only=True)
class DeviceRevoked(SecurityEvent):
    """A device is known no more; ``device`` None means all devices of the account."""

    name: ClassVar[str] = "signin.device_revoked"
    account: AccountId
    device: str | None


@attrs.frozen(kw_only=True)
class StepUpDone(SecurityEvent):
    """A customer who was signed in proved again who they are."""

    name: ClassVar[str] = "signin.step_up_done"
    owasp_name: ClassVar[str] = "authn_login_success"
    account: AccountId
    session: str
    methods: tuple[str, ...]


@attrs.frozen(kw_only=True)
class StepUpRefused(SecurityEvent):
    """Somebody who was signed in gave a wrong proof."""

    name: ClassVar[str] = "signin.step_up_refused"
    owasp_name: ClassVar[str] = "authn_login_fail"
    account: AccountId
    session: str


@attrs.frozen(kw_only=True)
class SessionReuseDetected(SecurityEvent):
    """A session's value came back after it was renewed, so that two hold it; the session has ended."""

    name: ClassVar[str] = "signin.session_reuse_detected"
    owasp_name: ClassVar[str] = "session_use_after_expire"
    account: AccountId
    session: str


@attrs.frozen(kw_only=True)
class PasswordDisabled(SecurityEvent):
    """Too many failures in a row: the password opens nothing until its owner has reset it."""

    name: ClassVar[str] = "signin.password_disabled"
    owasp_name: ClassVar[str] = "authn_login_fail_max"
    account: AccountId


@attrs.frozen(kw_only=True)
class AttackSuspected(Event):
    """A realm had ``failures`` failed sign-ins within a short time; nobody was refused for that."""

    name: ClassVar[str] = "signin.attack_suspected"
    owasp_name: ClassVar[str] = "excess_rate_limit_exceeded"
    failures: int


@attrs.frozen(kw_only=True)
class SessionsEndedByStaff(SecurityEvent):
    """An agent ended every session of an account, or, ``account`` being None, of everybody."""

    name: ClassVar[str] = "signin.sessions_ended_by_staff"
    owasp_name: ClassVar[str] = "session_expired"
    account: AccountId | None


@attrs.frozen(kw_only=True)
class Repudiated(SecurityEvent):
    """An owner said "that wasn't me", of a session or (``session`` None) of a change: every session has ended."""

    name: ClassVar[str] = "signin.repudiated"
    account: AccountId
    session: str | None
