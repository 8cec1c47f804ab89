"""What happened on the way to an account; ids only."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event, SecurityEvent
from shopaccounts.kernel.ids import AccountId, AttemptId

__all__ = [
    "AccountActivated",
    "AccountCleansed",
    "AccountOpened",
    "AttemptExpired",
    "AttemptRestarted",
    "AttemptStarted",
    "AutomationSuspected",
    "ContactChangeApplied",
    "ContactChangeCancelled",
    "ContactChangeExpired",
    "ContactChangeRequested",
    "ContactChangeSettled",
    "ContactChangeUndone",
    "ContactVerified",
    "DuplicateAttempted",
    "InvitationAccepted",
    "InvitationDeclined",
    "InvitationExpired",
    "InvitationRevoked",
    "InvitationSent",
    "TermsAccepted",
    "UsernameChanged",
]


@attrs.frozen(kw_only=True)
class AttemptStarted(Event):
    """Somebody filled in the form; *disposable* if the address lives for a few minutes."""

    name: ClassVar[str] = "registration.started"
    attempt: AttemptId
    disposable: bool


@attrs.frozen(kw_only=True)
class AutomationSuspected(Event):
    """A program filled in a form; nothing came of it. *sign* says how it showed: ``honeypot`` or ``too_fast``."""

    name: ClassVar[str] = "registration.automation_suspected"
    network: str
    sign: str


@attrs.frozen(kw_only=True)
class AccountOpened(SecurityEvent):
    """A pending account waits for its address to be proven."""

    name: ClassVar[str] = "registration.account_opened"
    account: AccountId
    way: str


@attrs.frozen(kw_only=True)
class AttemptRestarted(SecurityEvent):
    """Somebody registered an address again that nobody had proven; what the earlier attempt brought is gone."""

    name: ClassVar[str] = "registration.attempt_restarted"
    account: AccountId


@attrs.frozen(kw_only=True)
class DuplicateAttempted(SecurityEvent):
    """Somebody registered an address that has an account; its owner was told."""

    name: ClassVar[str] = "registration.duplicate_attempted"
    account: AccountId


@attrs.frozen(kw_only=True)
class ContactVerified(SecurityEvent):
    """A contact was proven."""

    name: ClassVar[str] = "registration.contact_verified"
    account: AccountId
    contact: str
    method: str


@attrs.frozen(kw_only=True)
class AccountActivated(SecurityEvent):
    """An account came alive; once for each account."""

    name: ClassVar[str] = "registration.account_activated"
    account: AccountId
    way: str
    locale: str
    disposable: bool


@attrs.frozen(kw_only=True)
class TermsAccepted(SecurityEvent):
    """What the holder of a proven address had accepted and chosen in the form; told once, and only after the proof.

    Args:
        documents, versions, locales: Place by place: a document, its version and the language it was read in.
        agreed, declined: The purposes that were answered with yes and with no.
    """

    name: ClassVar[str] = "registration.terms_accepted"
    account: AccountId
    documents: tuple[str, ...]
    versions: tuple[str, ...]
    locales: tuple[str, ...]
    agreed: tuple[str, ...]
    declined: tuple[str, ...]


@attrs.frozen(kw_only=True)
class AccountCleansed(SecurityEvent):
    """Everything that an unproven attempt had brought to the account was removed before its owner got it."""

    name: ClassVar[str] = "guests.account_cleansed"
    account: AccountId


@attrs.frozen(kw_only=True)
class AttemptExpired(SecurityEvent):
    """Nobody proved the address in time; the record is empty."""

    name: ClassVar[str] = "registration.attempt_expired"
    account: AccountId


@attrs.frozen(kw_only=True)
class UsernameChanged(SecurityEvent):
    """A customer took, changed or gave up a user name."""

    name: ClassVar[str] = "registration.username_changed"
    account: AccountId


@attrs.frozen(kw_only=True)
class InvitationSent(Event):
    """Somebody was invited; *inviter* is None where the shop itself did it."""

    name: ClassVar[str] = "registration.invitation_sent"
    invitation: str
    inviter: AccountId | None


@attrs.frozen(kw_only=True)
class InvitationAccepted(SecurityEvent):
    """An invitation was taken up, by a new account or one that was there."""

    name: ClassVar[str] = "registration.invitation_accepted"
    invitation: str
    inviter: AccountId | None
    account: AccountId


@attrs.frozen(kw_only=True)
class InvitationDeclined(Event):
    """Who was invited doesn't want to."""

    name: ClassVar[str] = "registration.invitation_declined"
    invitation: str
    inviter: AccountId | None


@attrs.frozen(kw_only=True)
class InvitationRevoked(Event):
    """Who had invited took it back."""

    name: ClassVar[str] = "registration.invitation_revoked"
    invitation: str
    inviter: AccountId | None


@attrs.frozen(kw_only=True)
class InvitationExpired(Event):
    """Nobody answered an invitation in time."""

    name: ClassVar[str] = "registration.invitation_expired"
    invitation: str
    inviter: AccountId | None


@attrs.frozen(kw_only=True)
class ContactChangeRequested(SecurityEvent):
    """Somebody who is signed in asked to sign in by another address; nothing has changed yet."""

    name: ClassVar[str] = "registration.contact_change_requested"
    account: AccountId
    change: str
    kind: str


@attrs.frozen(kw_only=True)
class ContactChangeApplied(SecurityEvent):
    """Another address is in force; the old one can take that back for a while."""

    name: ClassVar[str] = "registration.contact_change_applied"
    account: AccountId
    change: str
    kind: str


@attrs.frozen(kw_only=True)
class ContactChangeUndone(SecurityEvent):
    """A change was taken back from the old address; everything that came since is gone."""

    name: ClassVar[str] = "registration.contact_change_undone"
    account: AccountId
    change: str
    kind: str


@attrs.frozen(kw_only=True)
class ContactChangeCancelled(SecurityEvent):
    """A change will not happen: it was cancelled, replaced by a newer one, objected to, or overtaken."""

    name: ClassVar[str] = "registration.contact_change_cancelled"
    account: AccountId
    change: str
    kind: str
    reason: str


@attrs.frozen(kw_only=True)
class ContactChangeExpired(SecurityEvent):
    """Nobody confirmed a change in time."""

    name: ClassVar[str] = "registration.contact_change_expired"
    account: AccountId
    change: str
    kind: str


@attrs.frozen(kw_only=True)
class ContactChangeSettled(SecurityEvent):
    """A change can't be taken back any more, and the old address is free."""

    name: ClassVar[str] = "registration.contact_change_settled"
    account: AccountId
    change: str
    kind: str
