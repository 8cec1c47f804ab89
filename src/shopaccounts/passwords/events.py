"""What happened to passwords; ids only."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import SecurityEvent
from shopaccounts.kernel.ids import AccountId

__all__ = [
    "PasswordBreachFound",
    "PasswordChanged",
    "PasswordFlagged",
    "PasswordImported",
    "PasswordRehashed",
    "PasswordReminderDue",
    "PasswordRemoved",
    "PasswordSet",
]


@attrs.frozen(kw_only=True)
class PasswordSet(SecurityEvent):
    """An account has a new password."""

    name: ClassVar[str] = "passwords.set"
    owasp_name: ClassVar[str] = "authn_password_change"
    account: AccountId


@attrs.frozen(kw_only=True)
class PasswordRehashed(SecurityEvent):
    """The same password is kept with better settings."""

    name: ClassVar[str] = "passwords.rehashed"
    account: AccountId


@attrs.frozen(kw_only=True)
class PasswordImported(SecurityEvent):
    """A password came along from another system; *scheme* is how it was kept there."""

    name: ClassVar[str] = "passwords.imported"
    account: AccountId
    scheme: str


@attrs.frozen(kw_only=True)
class PasswordChanged(SecurityEvent):
    """The owner changed the password; every other session has ended."""

    name: ClassVar[str] = "passwords.changed"
    owasp_name: ClassVar[str] = "authn_password_change"
    account: AccountId


@attrs.frozen(kw_only=True)
class PasswordRemoved(SecurityEvent):
    """The owner removed the password and uses another way in."""

    name: ClassVar[str] = "passwords.removed"
    owasp_name: ClassVar[str] = "authn_password_change"
    account: AccountId


@attrs.frozen(kw_only=True)
class PasswordFlagged(SecurityEvent):
    """An agent said that a password has to be changed; *reason* is the agent's."""

    name: ClassVar[str] = "passwords.flagged"
    account: AccountId
    evidence: str
    reason: str


@attrs.frozen(kw_only=True)
class PasswordBreachFound(SecurityEvent):
    """A password that is in use was seen in leaked data, and has to be changed."""

    name: ClassVar[str] = "passwords.breach_found"
    account: AccountId


@attrs.frozen(kw_only=True)
class PasswordReminderDue(SecurityEvent):
    """It is time to remind an owner of an old password; *reason* is the key of the text that says why."""

    name: ClassVar[str] = "passwords.reminder_due"
    account: AccountId
    reason: str
