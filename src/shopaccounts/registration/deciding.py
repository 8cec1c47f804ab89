"""Who holds this address, and what follows from it when somebody registers it.

* Nobody: a pending account is opened.
* A pending account: it starts over. Nothing that the earlier attempt brought is kept, so whoever proves the address
  in the end gets their own attempt and nobody else's.
* An account whose owner proved the address: its owner is told, and nothing else happens.

An address that was mistyped is corrected by whoever began the attempt, while it is unproven and a few times at most.
Then the attempt asks anew who holds the address, and an account that had opened at the wrong one lets go of it.

To whoever registers, all of these look the same.
"""

from collections.abc import Mapping
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
from shopaccounts.kernel.codes import ChallengeState
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.registration.errors import CodeExhausted, CorrectionsUsedUp
from shopaccounts.registration.model import NO_DETAILS, Attempt, AttemptState, WaitingPassword, Wish
from shopaccounts.registration.policy import RegistrationPolicy

__all__ = [
    "Holder",
    "activated",
    "awaited_contact",
    "check_correctable",
    "cleansed",
    "corrected",
    "holder_of",
    "lapsed",
    "opened",
    "restarted",
    "settled",
    "taken_over",
    "vacated",
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


def opened(wish: Wish, realm: RealmId, until: datetime, now: datetime, origin: Origin) -> Customer:
    """Answer a new pending account that waits until *until* for its address to be proven."""
    return Customer(
        id=wish.account,
        realm=realm,
        standing=Standing(status=AccountStatus.PENDING, until=until),
        contacts=(_contact(wish, now),),
        locale=wish.locale,
        created_at=now,
        origin=origin,
    )


def restarted(customer: Customer, wish: Wish, until: datetime, now: datetime) -> Customer:
    """Answer a pending account that starts over, with nothing of what the earlier attempt brought.

    Raises:
        StatusForbids: It isn't pending.
    """
    again = follow(customer, Trigger.RESTART, until=until)
    return attrs.evolve(again, contacts=(_contact(wish, now),), former_contacts=(), locale=wish.locale)


def vacated(customer: Customer, until: datetime) -> Customer:
    """Answer a pending account that has let go of an address that was never its own.

    Raises:
        StatusForbids: It isn't pending.
    """
    return attrs.evolve(follow(customer, Trigger.RESTART, until=until), contacts=(), former_contacts=())


def awaited_contact(customer: Customer, value: Contact) -> ContactPoint | None:
    """Answer the contact that waits for its proof, None if the account or the address has gone another way since."""
    waits = customer.status is AccountStatus.PENDING
    return customer.contact_with(value.kind, value.key) if waits else None


def activated(customer: Customer, proven: ContactPoint, locale: str, fields: Mapping[str, str]) -> Customer:
    """Answer the account with its address proven, in the language and with the details of whoever proved it.

    Raises:
        StatusForbids: The account can't come alive from where it stands.
    """
    alive = follow(customer.with_contact(proven), Trigger.VERIFY)
    return attrs.evolve(alive, locale=locale, fields={**customer.fields, **fields})


def lapsed(customer: Customer) -> Customer:
    """Answer the empty record of an account that nobody proved in time.

    Raises:
        StatusForbids: It isn't pending.
    """
    empty = attrs.evolve(customer, contacts=(), former_contacts=(), locale=None, fields={}, username=None)
    return follow(empty, Trigger.LAPSE)


def settled(proven: Attempt, now: datetime) -> Attempt:
    """Answer an attempt that reached its end: both tickets spent, password and details gone to the account."""
    return attrs.evolve(
        proven,
        state=AttemptState.PROVEN,
        password=None,
        details=NO_DETAILS,
        handle=attrs.evolve(proven.handle, spent_at=now),
        link=attrs.evolve(proven.link, spent_at=now),
    )


def taken_over(attempt: Attempt, destined: AccountId, mac: bytes, now: datetime) -> Attempt:
    """Answer what is left for whoever started an attempt once somebody else has proven its mailbox.

    It goes on and leads nowhere, like an attempt at an address that had an owner all along.

    Args:
        attempt: As it is stored.
        destined: A new id, for what may come of it at another address.
        mac: A digest that no code has.
        now: When the link was used.
    """
    return attrs.evolve(
        attempt,
        account=None,
        destined=destined,
        password=None,
        details=NO_DETAILS,
        challenge=attrs.evolve(attempt.challenge, code_mac=mac),
        link=attrs.evolve(attempt.link, spent_at=now),
    )


def cleansed(attempt: Attempt, password: WaitingPassword | None, locale: str) -> Attempt:
    """Answer the attempt as whoever proved the mailbox takes it over: with their own password, nothing else of it."""
    return attrs.evolve(attempt, password=password, details=NO_DETAILS, locale=locale, return_path="/")


def check_correctable(attempt: Attempt, policy: RegistrationPolicy) -> None:
    """Refuse to correct the address of an attempt once more.

    Raises:
        CorrectionsUsedUp: It was corrected as often as the policy allows.
        CodeExhausted: There were too many wrong codes, so another address would be of no use.
    """
    if attempt.corrections >= policy.typo_corrections:
        raise CorrectionsUsedUp
    if attempt.challenge.state is ChallengeState.EXHAUSTED:
        raise CodeExhausted


def corrected(attempt: Attempt, account: AccountId | None, contact: str, wish: Wish) -> Attempt:
    """Answer the attempt at another address; what was filled in beside it stays.

    Args:
        attempt: As it is stored.
        account: The pending account that the address leads to now; None if it has an owner.
        contact: Keyed digest of the address.
        wish: What is to be registered.
    """
    return attrs.evolve(
        attempt,
        account=account,
        contact=contact,
        value=wish.value,
        channel=wish.channel,
        disposable=wish.disposable,
        corrections=attempt.corrections + 1,
    )


def _contact(wish: Wish, now: datetime) -> ContactPoint:
    return ContactPoint(id=wish.contact, kind=wish.value.kind, value=wish.value, roles=_ROLES, added_at=now)
