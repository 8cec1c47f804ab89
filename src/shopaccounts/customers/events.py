"""What happened to a customer's record; ids and closed words. Who did it stands on the envelope."""

from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event, SecurityEvent
from shopaccounts.kernel.ids import AccountId

__all__ = [
    "ClosingCanceled",
    "ClosingRequested",
    "ContactAdded",
    "ContactCheckFailed",
    "ContactConfirmed",
    "ContactKeyCollided",
    "ContactRemoved",
    "ContactUnreachable",
    "CustomerClosed",
    "CustomerErased",
    "CustomerReinstated",
    "CustomerReopened",
    "CustomerSuspended",
    "CustomersMerged",
    "PaymentMethodChanged",
    "PaymentMethodRemoved",
]


@attrs.frozen(kw_only=True)
class CustomerSuspended(SecurityEvent):
    """An account was stopped, by an agent or by its owner's own hold; every session has ended."""

    name: ClassVar[str] = "customers.customer_suspended"
    account: AccountId
    reason: str


@attrs.frozen(kw_only=True)
class CustomerReinstated(SecurityEvent):
    """A stop was lifted, by an agent or by a reset."""

    name: ClassVar[str] = "customers.customer_reinstated"
    account: AccountId


@attrs.frozen(kw_only=True)
class ClosingRequested(SecurityEvent):
    """A customer asked to close the account and proved it; *deferred* while something still blocks it."""

    name: ClassVar[str] = "customers.closing_requested"
    account: AccountId
    deferred: bool


@attrs.frozen(kw_only=True)
class ClosingCanceled(SecurityEvent):
    """An account that was to be closed stays: the customer, an agent or an objection wanted it so."""

    name: ClassVar[str] = "customers.closing_canceled"
    account: AccountId


@attrs.frozen(kw_only=True)
class CustomerClosed(SecurityEvent):
    """The time of grace is over; the sign-in address is free."""

    name: ClassVar[str] = "customers.customer_closed"
    owasp_name: ClassVar[str] = "user_archived"
    account: AccountId


@attrs.frozen(kw_only=True)
class CustomerReopened(SecurityEvent):
    """A closed account waits for its owner to prove the address again."""

    name: ClassVar[str] = "customers.customer_reopened"
    account: AccountId


@attrs.frozen(kw_only=True)
class CustomerErased(SecurityEvent):
    """Nothing about the person is left in the record."""

    name: ClassVar[str] = "customers.customer_erased"
    owasp_name: ClassVar[str] = "user_deleted"
    account: AccountId
    erasure: str


@attrs.frozen(kw_only=True)
class ContactAdded(SecurityEvent):
    """A customer has proven a further contact."""

    name: ClassVar[str] = "customers.contact_added"
    account: AccountId
    contact: str


@attrs.frozen(kw_only=True)
class ContactRemoved(SecurityEvent):
    """A customer has removed a contact; it hears of what happens for a while, and can come back."""

    name: ClassVar[str] = "customers.contact_removed"
    account: AccountId
    contact: str


@attrs.frozen(kw_only=True)
class ContactUnreachable(SecurityEvent):
    """A message to a contact can't be delivered for good."""

    name: ClassVar[str] = "customers.contact_unreachable"
    account: AccountId
    contact: str
    reason: str


@attrs.frozen(kw_only=True)
class ContactConfirmed(SecurityEvent):
    """Somebody answered a check: messages to this contact arrive."""

    name: ClassVar[str] = "customers.contact_confirmed"
    account: AccountId
    contact: str


@attrs.frozen(kw_only=True)
class ContactCheckFailed(SecurityEvent):
    """Nobody answered a check in time."""

    name: ClassVar[str] = "customers.contact_check_failed"
    account: AccountId
    contact: str
    reason: str


@attrs.frozen(kw_only=True)
class ContactKeyCollided(SecurityEvent):
    """Two customers would sign in by one key under new rules; both keep their old one until somebody looks."""

    name: ClassVar[str] = "customers.contact_key_collided"
    account: AccountId
    other: AccountId


@attrs.frozen(kw_only=True)
class CustomersMerged(Event):
    """Two records turned out to be one person: what *source* had belongs to *account* now, by one *merge*."""

    name: ClassVar[str] = "customers.customers_merged"
    account: AccountId
    source: AccountId
    merge: str


@attrs.frozen(kw_only=True)
class PaymentMethodChanged(Event):
    """A customer pays by another *method* from now on."""

    name: ClassVar[str] = "customers.payment_method_changed"
    account: AccountId
    method: str


@attrs.frozen(kw_only=True)
class PaymentMethodRemoved(Event):
    """A *method* of a customer can't be charged any more: the customer removed it, or its bank did."""

    name: ClassVar[str] = "customers.payment_method_removed"
    account: AccountId
    method: str
