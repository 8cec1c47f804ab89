"""Who asked for a reset, and what goes out.

* An address that leads to no account, or only to one that doesn't own it: nothing goes out (a decoy is recorded).
* An active account: a reset link to the proven address.
* A pending account: its verification again; who proves the mailbox takes the account over.
* A suspended account: a word that it is suspended.
* A closing account: how to stay.

A reset link dies when the account's security, password or contacts change, and when its owner signs in meanwhile.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from shopaccounts.customers import AccountStatus, ContactPoint, ContactRole, Customer, is_verified
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.record import Once
from shopaccounts.kernel.tickets import Ticket
from shopaccounts.signin import Session

__all__ = ["ONCE_A_DAY", "Reply", "email_of", "once_a_day", "proven_contact", "reply_to", "signed_in_since"]

_TOLD: Final = "recovery.told_stopped"
ONCE_A_DAY: Final = f"once:{_TOLD}"
"""The logical name under which a second word in one day is refused."""


class Reply(Enum):
    """What goes out; the value names the message."""

    NOTHING = "recovery.nothing"
    RESET = "recovery.reset_password"
    VERIFICATION = "registration.verify_contact"
    SUSPENDED = "recovery.account_suspended"
    CLOSING = "registration.account_closing"


_REPLIES = {
    AccountStatus.ACTIVE: Reply.RESET,
    AccountStatus.SUSPENDED: Reply.SUSPENDED,
    AccountStatus.CLOSING: Reply.CLOSING,
}


def reply_to(customer: Customer | None, email: EmailAddress) -> Reply:
    """Answer what goes out to whoever asked for a reset for *email*."""
    if customer is None:
        return Reply.NOTHING
    if customer.status is AccountStatus.PENDING:
        return Reply.VERIFICATION
    return _REPLIES.get(customer.status, Reply.NOTHING) if proven_contact(customer, email) else Reply.NOTHING


def proven_contact(customer: Customer, email: EmailAddress) -> ContactPoint | None:
    """Answer the proven contact of *customer* that recovers by this address."""
    contact = customer.contact_with(ContactKind.EMAIL, email.login_key)
    if contact is None or not is_verified(contact) or not contact.roles & {ContactRole.LOGIN, ContactRole.RECOVERY}:
        return None
    return contact


def email_of(customer: Customer, key: str) -> EmailAddress | None:
    """Answer the customer's e-mail address that has this key."""
    contact = customer.contact_with(ContactKind.EMAIL, key)
    return contact.value if contact and isinstance(contact.value, EmailAddress) else None


def once_a_day(account: AccountId, now: datetime) -> Once:
    """Answer the marker that lets an owner be told once a day that the account is stopped."""
    return Once(namespace=_TOLD, key=account, now=now, keep_until=now + timedelta(days=1))


def signed_in_since(ticket: Ticket, newest: Session | None) -> bool:
    """Tell whether the owner has signed in since the ticket was issued, and so has no use for it."""
    return newest is not None and newest.created_at > ticket.issued_at
