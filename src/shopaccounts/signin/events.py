"""What happened at the door; ids only. ``owasp_name`` is the word of the OWASP Logging Vocabulary."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event, SecurityEvent
from shopaccounts.kernel.ids import AccountId

__all__ = [
    "AttackSuspected",
    "CodeSentEvent",
    "DeviceNew",
    "DeviceRevoked",
    "DeviceTrusted",
    "FactorDisabled",
    "FactorEnrolled",
    "FactorRemoved",
    "ImpersonationEnded",
    "ImpersonationStarted",
    "LinkOpenedElsewhere",
    "PasskeyAdded",
    "PasskeyMaybeCloned",
    "PasskeyRemoved",
    "PasswordDisabled",
    "RecoveryCodeUsed",
    "RecoveryCodesLow",
    "RecoveryCodesRenewed",
    "Repudiated",
    "SecondFactorAsked",
    "SecondFactorMissed",
    "SecondFactorUnderAttack",
    "SessionEnded",
    "SessionReuseDetected",
    "SessionsEndedByStaff",
    "SignInRefusedEvent",
    "SignedInEvent",
    "StepUpDone",
    "StepUpRefused",
    "SuspendedTried",
    "TotpReplayed",
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
class SecondFactorAsked(SecurityEvent):
    """The first proof was right, and a second was asked for."""

    name: ClassVar[str] = "signin.second_factor_asked"
    owasp_name: ClassVar[str] = "authn_login_success"
    account: AccountId
    methods: tuple[str, ...]
    network: str


@attrs.frozen(kw_only=True)
class SecondFactorMissed(SecurityEvent):
    """The first proof was right, and nobody could give the second: five wrong answers, or none at all."""

    name: ClassVar[str] = "signin.second_factor_missed"
    owasp_name: ClassVar[str] = "authn_login_fail"
    account: AccountId
    reason: str


@attrs.frozen(kw_only=True)
class SecondFactorUnderAttack(SecurityEvent):
    """Too many second steps of an account were wrong within a day, all after a right first proof."""

    name: ClassVar[str] = "signin.second_factor_under_attack"
    owasp_name: ClassVar[str] = "authn_login_fail_max"
    account: AccountId
    failures: int


@attrs.frozen(kw_only=True)
class FactorDisabled(SecurityEvent):
    """Too many failures in a row: this factor or passkey counts no more until its owner has enrolled it anew."""

    name: ClassVar[str] = "signin.factor_disabled"
    owasp_name: ClassVar[str] = "authn_login_fail_max"
    account: AccountId
    factor: str


@attrs.frozen(kw_only=True)
class DeviceTrusted(SecurityEvent):
    """A device stands for the second step after a password from now on."""

    name: ClassVar[str] = "signin.device_trusted"
    account: AccountId
    device: str


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


@attrs.frozen(kw_only=True)
class CodeSentEvent(Event):
    """A code was asked for; ``asked_for`` is the account or, where there is none, a keyed digest of what was typed.

    It belongs to nobody's history, as strangers can ask for as many as they like.
    """

    name: ClassVar[str] = "signin.code_sent"
    asked_for: str
    purpose: str
    channel: str


@attrs.frozen(kw_only=True)
class LinkOpenedElsewhere(SecurityEvent):
    """A sign-in link was opened in another browser than the one that asked; nobody was signed in."""

    name: ClassVar[str] = "signin.link_opened_elsewhere"
    account: AccountId


@attrs.frozen(kw_only=True)
class FactorEnrolled(SecurityEvent):
    """An account has one more second step; ``kind`` is ``totp``, ``sms`` or ``email_step``."""

    name: ClassVar[str] = "signin.factor_enrolled"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId
    factor: str
    kind: str


@attrs.frozen(kw_only=True)
class FactorRemoved(SecurityEvent):
    """An account has one second step less; ``kind`` as at its enrolment."""

    name: ClassVar[str] = "signin.factor_removed"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId
    factor: str
    kind: str


@attrs.frozen(kw_only=True)
class TotpReplayed(SecurityEvent):
    """A code of an app came that was used up before; it opened nothing."""

    name: ClassVar[str] = "signin.totp_replayed"
    owasp_name: ClassVar[str] = "authn_login_fail"
    account: AccountId
    factor: str


@attrs.frozen(kw_only=True)
class RecoveryCodeUsed(SecurityEvent):
    """One of an account's recovery codes was used; ``left`` are left."""

    name: ClassVar[str] = "signin.recovery_code_used"
    owasp_name: ClassVar[str] = "authn_login_success"
    account: AccountId
    left: int


@attrs.frozen(kw_only=True)
class RecoveryCodesLow(SecurityEvent):
    """Few recovery codes are left; their owner may want new ones."""

    name: ClassVar[str] = "signin.recovery_codes_low"
    account: AccountId
    left: int


@attrs.frozen(kw_only=True)
class RecoveryCodesRenewed(SecurityEvent):
    """An account has a new set of recovery codes; those from before open nothing."""

    name: ClassVar[str] = "signin.recovery_codes_renewed"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId


@attrs.frozen(kw_only=True)
class PasskeyAdded(SecurityEvent):
    """An account has one more passkey; ``passkey`` is its opaque id."""

    name: ClassVar[str] = "signin.passkey_added"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId
    passkey: str


@attrs.frozen(kw_only=True)
class PasskeyRemoved(SecurityEvent):
    """An account has one passkey less."""

    name: ClassVar[str] = "signin.passkey_removed"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId
    passkey: str


@attrs.frozen(kw_only=True)
class PasskeyMaybeCloned(SecurityEvent):
    """A passkey's counter didn't move on: there may be two of the device that keeps it."""

    name: ClassVar[str] = "signin.passkey_maybe_cloned"
    account: AccountId
    passkey: str
