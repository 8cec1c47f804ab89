"""Who holds this address, and what follows from it when somebody registers it.

* Nobody: a pending account is opened.
* A pending account: it starts over. Nothing that the earlier attempt brought is kept, so whoever proves the address
  in the end gets their own attempt and nobody else's.
* An account whose owner proved the address: its owner is told, and nothing else happens.

To whoever registers, all of these look the same.
"""

from datetime import datetime
from enum import Enum

import attrs

from shopaccounts.customers import (
    AccountStatus,
    ContactPoint,
    ContactRole,
    Customer,
    Origin,
    Trigger,
    VerificationMethod,
    follow,
)
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.registration.model import Attempt, AttemptState, WaitingPassword

__all__ = ["Holder", "activated", "cleansed", "holder_of", "lapsed", "opened", "restarted", "settled"]


class Holder(Enum):
    """Who holds an address; the value names the message to its owner."""

    NOBODY = "nobody"
    PENDING = "pending"
    ACTIVE = "registration.already_registered"
    SUSPENDED = "registration.account_suspended"
    CLOSING = "registration.account_closing"

    @property
    def is_owner(self) -> bool:
        """Whether an account has proven the address."""
        return self not in {Holder.NOBODY, Holder.PENDING}


_HOLDERS = {
    AccountStatus.PENDING: Holder.PENDING,
    AccountStatus.ACTIVE: Holder.ACTIVE,
    AccountStatus.SUSPENDED: Holder.SUSPENDED,
    AccountStatus.CLOSING: Holder.CLOSING,
}

_ROLES = frozenset({ContactRole.PRIMARY, ContactRole.LOGIN, ContactRole.NOTIFY, ContactRole.RECOVERY})


def holder_of(customer: Customer | None) -> Holder:
    """Answer who holds an address that leads to *customer*."""
    return Holder.NOBODY if customer is None else _HOLDERS.get(customer.status, Holder.NOBODY)


def opened(
    account: AccountId,
    realm: RealmId,
    email: EmailAddress,
    contact: ContactId,
    locale: str,
    until: datetime,
    now: datetime,
) -> Customer:
    """Answer a new pending account that waits until *until* for its address to be proven."""
    return Customer(
        id=account,
        realm=realm,
        status=AccountStatus.PENDING,
        status_until=until,
        contacts=(_contact(email, contact, now),),
        locale=locale,
        created_at=now,
        origin=Origin.REGISTRATION,
    )


def restarted(
    customer: Customer, email: EmailAddress, contact: ContactId, locale: str, until: datetime, now: datetime
) -> Customer:
    """Answer a pending account that starts over, with nothing of what the earlier attempt brought.

    Raises:
        StatusForbids: It isn't pending.
    """
    again = follow(customer, Trigger.RESTART, until=until)
    return attrs.evolve(again, contacts=(_contact(email, contact, now),), former_contacts=(), locale=locale)


def activated(
    customer: Customer, email: EmailAddress, method: VerificationMethod, proof: str, now: datetime
) -> Customer:
    """Answer the account with its address proven.

    Raises:
        StatusForbids: The account can't come alive from where it stands.
    """
    contact = customer.contact_with(ContactKind.EMAIL, email.login_key)
    proven = follow(customer, Trigger.VERIFY)
    return proven if contact is None else proven.with_contact(contact.proven(method, proof, now))


def lapsed(customer: Customer) -> Customer:
    """Answer the empty record of an account that nobody proved in time."""
    erased = follow(customer, Trigger.LAPSE)
    return attrs.evolve(erased, contacts=(), former_contacts=(), locale=None)


def settled(proven: Attempt, now: datetime) -> Attempt:
    """Answer an attempt that reached its end: both tickets spent, the password gone to the account."""
    return attrs.evolve(
        proven,
        state=AttemptState.PROVEN,
        password=None,
        handle=attrs.evolve(proven.handle, spent_at=now),
        link=attrs.evolve(proven.link, spent_at=now),
    )


def cleansed(attempt: Attempt, password: WaitingPassword | None) -> Attempt:
    """Answer the attempt as whoever proved the mailbox takes it over: with their own password, nothing else of it."""
    return attrs.evolve(attempt, password=password, return_path="/")


def _contact(email: EmailAddress, id: ContactId, now: datetime) -> ContactPoint:
    return ContactPoint(id=id, kind=ContactKind.EMAIL, value=email, roles=_ROLES, added_at=now)
