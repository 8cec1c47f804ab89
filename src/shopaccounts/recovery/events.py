"""What happened on the way back in; ids only."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId

__all__ = ["PasswordReset", "ResetRequested"]


@attrs.frozen(kw_only=True)
class ResetRequested(Event):
    """Somebody asked for a reset link for this account; nothing about the account has changed."""

    name: ClassVar[str] = "recovery.reset_requested"
    account: AccountId


@attrs.frozen(kw_only=True)
class PasswordReset(Event):
    """A reset link was used; every session has ended."""

    name: ClassVar[str] = "recovery.password_reset"
    owasp_name: ClassVar[str] = "authn_password_change"
    account: AccountId
