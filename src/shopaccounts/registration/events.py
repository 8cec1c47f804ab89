"""What happened on the way to an account; ids only."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId

__all__ = [
    "AccountActivated",
    "AccountCleansed",
    "AccountOpened",
    "AttemptExpired",
    "AttemptRestarted",
    "ContactVerified",
    "DuplicateAttempted",
]


@attrs.frozen(kw_only=True)
class AccountOpened(Event):
    """A pending account waits for its address to be proven."""

    name: ClassVar[str] = "registration.account_opened"
    account: AccountId
    way: str


@attrs.frozen(kw_only=True)
class AttemptRestarted(Event):
    """Somebody registered an address again that nobody had proven; what the earlier attempt brought is gone."""

    name: ClassVar[str] = "registration.attempt_restarted"
    account: AccountId


@attrs.frozen(kw_only=True)
class DuplicateAttempted(Event):
    """Somebody registered an address that has an account; its owner was told."""

    name: ClassVar[str] = "registration.duplicate_attempted"
    account: AccountId


@attrs.frozen(kw_only=True)
class ContactVerified(Event):
    """A contact was proven."""

    name: ClassVar[str] = "registration.contact_verified"
    account: AccountId
    contact: str
    method: str


@attrs.frozen(kw_only=True)
class AccountActivated(Event):
    """An account came alive; once for each account."""

    name: ClassVar[str] = "registration.account_activated"
    account: AccountId
    way: str
    locale: str


@attrs.frozen(kw_only=True)
class AccountCleansed(Event):
    """Everything that an unproven attempt had brought to the account was removed before its owner got it."""

    name: ClassVar[str] = "guests.account_cleansed"
    account: AccountId


@attrs.frozen(kw_only=True)
class AttemptExpired(Event):
    """Nobody proved the address in time; the record is empty."""

    name: ClassVar[str] = "registration.attempt_expired"
    account: AccountId
