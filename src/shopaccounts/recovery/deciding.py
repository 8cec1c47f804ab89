"""Who asked for a reset, and what goes out.

* An address that leads to no account, or only to one that doesn't own it: nothing goes out (a decoy is recorded).
* An active account: a reset link to the proven address.
* A pending account: its verification again; who proves the mailbox takes the account over.
* A suspended account: a word that it is suspended, once a day.
* An account with its owner's own hold on it: a reset link, which lifts the hold.
* A closing account: how to stay.

By text message or call it is a code in place of the link, unless the number is the account's only second factor: who
has the phone would have both then.

A reset link dies when the account's security, password or contacts change, when a newer one is issued, and when its
owner signs in meanwhile. Only a link that was spent can set a new password, and it sets that of its own account.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from shopaccounts.customers import AccountStatus, ContactPoint, ContactRole, Customer, is_held, is_verified
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.security import Stamp
from shopaccounts.kernel.tickets import Purpose, Refusals, Ticket, TicketSpent
from shopaccounts.passwords import NewPassword, PasswordPolicy, PasswordRecord, keep
from shopaccounts.recovery.errors import ResetLinkExpired, ResetLinkInvalid, ResetLinkStale, ResetLinkUsed
from shopaccounts.recovery.model import StopNotice
from shopaccounts.signin import Authenticators, CodeUse, Session

__all__ = [
    "RESET",
    "RESET_CODE",
    "Reply",
    "contact_of",
    "is_only_factor",
    "new_password",
    "proven_contact",
    "reply_to",
    "signed_in_since",
    "told_lately",
]

_DEPENDS_ON: Final = frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS})
_REFUSALS: Final = Refusals(ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale)
RESET: Final = Purpose("password_reset", "rst", _DEPENDS_ON, _REFUSALS)
RESET_CODE: Final = CodeUse(handle=Purpose("reset_code", "rsc", _DEPENDS_ON, _REFUSALS), template="recovery.reset_code")
"""Codes that set a new password; they go to phones alone."""
_DAY: Final = timedelta(days=1)


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


def reply_to(customer: Customer | None, contact: Contact) -> Reply:
    """Answer what goes out to whoever asked for a reset for *contact*.

    Args:
        customer: Who holds the address or number, as the record is now.
        contact: What was asked for.
    """
    if customer is None:
        return Reply.NOTHING
    if customer.status is AccountStatus.PENDING:
        return Reply.VERIFICATION
    if not proven_contact(customer, contact):
        return Reply.NOTHING
    return Reply.RESET if is_held(customer) else _REPLIES.get(customer.status, Reply.NOTHING)


def proven_contact(customer: Customer, asked_for: Contact) -> ContactPoint | None:
    """Answer the proven contact of *customer* that recovers by this address or number."""
    contact = customer.contact_with(asked_for.kind, asked_for.key)
    if contact is None or not is_verified(contact) or not contact.roles & {ContactRole.LOGIN, ContactRole.RECOVERY}:
        return None
    return contact


def contact_of(customer: Customer, id: str) -> Contact | None:
    """Answer the address or number that the customer's contact with this id has now."""
    return next((contact.value for contact in customer.contacts if contact.id == id), None)


def is_only_factor(own: Authenticators | None, phone: ContactPoint) -> bool:
    """Tell whether codes to this phone are the only second factor of an account."""
    return own is not None and not own.passkeys and {factor.contact for factor in own.factors} == {phone.id}


def told_lately(notice: StopNotice | None, now: datetime) -> bool:
    """Tell whether the owner has heard within a day that the account is suspended."""
    return notice is not None and now - notice.told_at < _DAY


def signed_in_since(ticket: Ticket, newest: Session | None) -> bool:
    """Tell whether the owner has signed in since the ticket was issued, and so has no use for it.

    Args:
        ticket: Opens the reset.
        newest: The owner's newest session that may do everything; an agent's, or one for enrolling alone, is none.
    """
    return newest is not None and newest.created_at > ticket.issued_at


def new_password(
    spent: TicketSpent, realm: RealmId, new: NewPassword, policy: PasswordPolicy, was: PasswordRecord | None = None
) -> PasswordRecord:
    """Answer the password that a spent reset link or code sets; it is that of its own account.

    Raises:
        Defect: The ticket was for something else.
    """
    if spent.purpose not in {RESET.name, RESET_CODE.name}:
        msg = f"a ticket for {spent.purpose} sets no password"
        raise Defect(msg)
    return keep(AccountId(spent.subject), realm, new, policy, spent.at, was)
