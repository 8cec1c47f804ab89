"""What happened to passwords; ids only."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId

__all__ = ["PasswordRehashed", "PasswordSet"]


@attrs.frozen(kw_only=True)
class PasswordSet(Event):
    """An account has a new password."""

    name: ClassVar[str] = "passwords.set"
    owasp_name: ClassVar[str] = "authn_password_change"
    account: AccountId


@attrs.frozen(kw_only=True)
class PasswordRehashed(Event):
    """The same password is kept with better settings."""

    name: ClassVar[str] = "passwords.rehashed"
    account: AccountId
