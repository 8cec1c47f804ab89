"""What happened on the way back in; ids only."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event, SecurityEvent
from shopaccounts.kernel.ids import AccountId

__all__ = [
    "CaseBlocked",
    "CaseCancelled",
    "CaseCompleted",
    "CaseExpired",
    "CaseOpened",
    "CaseReady",
    "PasswordReset",
    "QuestionsAnsweredWrong",
    "QuestionsDisabled",
    "QuestionsRemoved",
    "QuestionsReviewDue",
    "QuestionsSet",
    "QuestionsUsed",
    "ResetAskedInVain",
    "ResetRequested",
    "ResetStarted",
]


@attrs.frozen(kw_only=True)
class ResetRequested(SecurityEvent):
    """Somebody asked for a reset link for this account; nothing about the account has changed."""

    name: ClassVar[str] = "recovery.reset_requested"
    account: AccountId


@attrs.frozen(kw_only=True)
class ResetAskedInVain(Event):
    """Somebody asked for a reset where there is none to be had; ``tried`` is a keyed digest of what was typed."""

    name: ClassVar[str] = "recovery.reset_asked_in_vain"
    tried: str


@attrs.frozen(kw_only=True)
class PasswordReset(SecurityEvent):
    """A reset link was used; every session has ended."""

    name: ClassVar[str] = "recovery.password_reset"
    owasp_name: ClassVar[str] = "authn_password_change"
    account: AccountId


@attrs.frozen(kw_only=True)
class QuestionsSet(SecurityEvent):
    """A customer set security questions."""

    name: ClassVar[str] = "recovery.questions_set"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId


@attrs.frozen(kw_only=True)
class QuestionsRemoved(SecurityEvent):
    """A customer gave up security questions."""

    name: ClassVar[str] = "recovery.questions_removed"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId


@attrs.frozen(kw_only=True)
class QuestionsUsed(SecurityEvent):
    """Security questions were answered on the way back in."""

    name: ClassVar[str] = "recovery.questions_used"
    owasp_name: ClassVar[str] = "authn_login_success"
    account: AccountId


@attrs.frozen(kw_only=True)
class QuestionsAnsweredWrong(SecurityEvent):
    """Security questions were answered wrong; ``failures`` counts those in a row."""

    name: ClassVar[str] = "recovery.questions_answered_wrong"
    owasp_name: ClassVar[str] = "authn_login_fail"
    account: AccountId
    failures: int


@attrs.frozen(kw_only=True)
class QuestionsDisabled(SecurityEvent):
    """Security questions are asked no more, after too many wrong answers."""

    name: ClassVar[str] = "recovery.questions_disabled"
    owasp_name: ClassVar[str] = "authn_login_fail_max"
    account: AccountId


@attrs.frozen(kw_only=True)
class QuestionsReviewDue(SecurityEvent):
    """A customer should look whether the answers still hold."""

    name: ClassVar[str] = "recovery.questions_review_due"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId


@attrs.frozen(kw_only=True)
class ResetStarted(SecurityEvent):
    """An agent had a reset link mailed to the owner; *reason* is the agent's."""

    name: ClassVar[str] = "recovery.reset_started"
    account: AccountId
    reason: str


@attrs.frozen(kw_only=True)
class CaseOpened(SecurityEvent):
    """The proofs are complete; the case waits now, and everybody has been told."""

    name: ClassVar[str] = "recovery.case_opened"
    account: AccountId
    case: str
    kind: str


@attrs.frozen(kw_only=True)
class CaseReady(SecurityEvent):
    """The case has waited, and may be completed."""

    name: ClassVar[str] = "recovery.case_ready"
    account: AccountId
    case: str
    kind: str


@attrs.frozen(kw_only=True)
class CaseCompleted(SecurityEvent):
    """What was lost is gone from the account, or replaced; every session has ended."""

    name: ClassVar[str] = "recovery.case_completed"
    owasp_name: ClassVar[str] = "user_updated"
    account: AccountId
    case: str
    kind: str


@attrs.frozen(kw_only=True)
class CaseCancelled(SecurityEvent):
    """It is off; *reason* is ``notice``, ``not_me``, ``session``, ``staff`` or ``found`` (what was lost was used)."""

    name: ClassVar[str] = "recovery.case_cancelled"
    account: AccountId
    case: str
    kind: str
    reason: str


@attrs.frozen(kw_only=True)
class CaseExpired(SecurityEvent):
    """Nobody completed the case in time."""

    name: ClassVar[str] = "recovery.case_expired"
    account: AccountId
    case: str
    kind: str


@attrs.frozen(kw_only=True)
class CaseBlocked(SecurityEvent):
    """Something about the account's security or standing has changed meanwhile."""

    name: ClassVar[str] = "recovery.case_blocked"
    account: AccountId
    case: str
    kind: str
