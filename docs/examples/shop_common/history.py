"""What happened to an account, in the customer's words."""

from collections.abc import Mapping
from typing import Final

from shopaccounts.signin import HistoryEntry

__all__ = ["happened"]

_WORDS: Final[Mapping[str, str]] = {
    "registration.account_activated": "The account was opened",
    "registration.contact_verified": "An address was confirmed",
    "registration.contact_change_requested": "Another address to sign in by was asked for",
    "registration.contact_change_applied": "The address to sign in by was changed",
    "registration.contact_change_undone": "The change of the address was taken back",
    "signin.signed_in": "Signed in",
    "signin.session_ended": "Signed out",
    "signin.device_new": "A new device was used",
    "signin.device_trusted": "A device was trusted, and isn't asked for the second step",
    "signin.factor_enrolled": "An app was added",
    "signin.factor_removed": "An app was removed",
    "signin.passkey_added": "A passkey was added",
    "signin.passkey_removed": "A passkey was removed",
    "signin.recovery_code_used": "A recovery code was used",
    "signin.recovery_codes_renewed": "New recovery codes were made",
    "signin.step_up_done": "You proved again who you are",
    "signin.repudiated": "You told us that somebody else was in",
    "passwords.set": "A password was set",
    "passwords.changed": "The password was changed",
    "passwords.flagged": "The password has to be changed",
    "recovery.reset_requested": "A link for a new password was asked for",
    "recovery.password_reset": "A new password was chosen by a link",
    "customers.customer_suspended": "The account was stopped",
    "customers.closing_requested": "The account is to be closed",
    "customers.closing_canceled": "The account stays",
}


def happened(entry: HistoryEntry) -> str:
    """Answer what an entry says; what has no words here is told by the event's own name."""
    return _WORDS.get(entry.what, entry.what.partition(".")[2].replace("_", " ").capitalize())
