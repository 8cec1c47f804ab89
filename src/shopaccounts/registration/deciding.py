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
    Standing,
    Trigger,
    follow,
)
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.registration.model import Attempt, AttemptState, WaitingPassword

__all__ = [
    "Holder",
    "activated",
    "awaited_contact",
    "cleansed",
    "holder_of",
    "lapsed",
    "opened",
    "restarted",
    "settled",
    "taken_over",
]


class Holder(Enum):
    """Who holds an address; the value names the message to its owner."""

    NOBODY = "nobody"
    PENDING = "pending"
    ACTIVE = "registration.already_registered"
    SUSPENDED = "registration.account_suspended"
    CLOSING = "registration.account_closing"

    @property
    def is_owner(self) -> bool:
        """Whether an account has proven the address, or was stopped before it could."""
        return self not in {Holder.NOBODY, Holder.PENDING}


_HOLDERS = {
    AccountStatus.PENDING: Holder.PENDING,
    AccountStatus.ACTIVE: Holder.ACTIVE,
    AccountStatus.SUSPENDED: Holder.SUSPENDED,
    AccountStatus.CLOSING: Holder.CLOSING,
}

_ROLES = frozenset({ContactRole.PRIMARY, ContactRole.LOGIN, ContactRole.NOTIFY})


def holder_of(customer: Customer | None) -> Holder:
    """Answer who holds an address that leads to *customer*, as the record is now."""
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
        standing=Standing(status=AccountStatus.PENDING, until=until),
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


def awaited_contact(customer: Customer, email: EmailAddress) -> ContactPoint | None:
    """Answer the contact that waits for its proof, None if the account or the address has gone another way since."""
    waits = customer.status is AccountStatus.PENDING
    return customer.contact_with(ContactKind.EMAIL, email.login_key) if waits else None


def activated(customer: Customer, proven: ContactPoint, locale: str) -> Customer:
    """Answer the account with its address proven, in the language of whoever proved it.

    Raises:
        StatusForbids: The account can't come alive from where it stands.
    """
    return attrs.evolve(follow(customer.with_contact(proven), Trigger.VERIFY), locale=locale)


def lapsed(customer: Customer) -> Customer:
    """Answer the empty record of an account that nobody proved in time.

    Raises:
        StatusForbids: It isn't pending.
    """
    return follow(attrs.evolve(customer, contacts=(), former_contacts=(), locale=None), Trigger.LAPSE)


def settled(proven: Attempt, now: datetime) -> Attempt:
    """Answer an attempt that reached its end: both tickets spent, the password gone to the account."""
    return attrs.evolve(
        proven,
        state=AttemptState.PROVEN,
        password=None,
        handle=attrs.evolve(proven.handle, spent_at=now),
        link=attrs.evolve(proven.link, spent_at=now),
    )


def taken_over(attempt: Attempt, mac: bytes, now: datetime) -> Attempt:
    """Answer what is left for whoever started an attempt once somebody else has proven its mailbox.

    It goes on and leads nowhere, like an attempt at an address that had an owner all along.

    Args:
        attempt: As it is stored.
        mac: A digest that no code has.
        now: When the link was used.
    """
    return attrs.evolve(
        attempt,
        account=None,
        password=None,
        challenge=attrs.evolve(attempt.challenge, code_mac=mac),
        link=attrs.evolve(attempt.link, spent_at=now),
    )


def cleansed(attempt: Attempt, password: WaitingPassword | None, locale: str) -> Attempt:
    """Answer the attempt as whoever proved the mailbox takes it over: with their own password, nothing else of it."""
    return attrs.evolve(attempt, password=password, locale=locale, return_path="/")


def _contact(email: EmailAddress, id: ContactId, now: datetime) -> ContactPoint:
    return ContactPoint(id=id, kind=ContactKind.EMAIL, value=email, roles=_ROLES, added_at=now)
