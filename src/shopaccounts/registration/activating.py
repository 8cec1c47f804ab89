"""What happens to an account on its way: it opens, starts over, and comes alive with what waited in its attempt."""

from datetime import datetime
from typing import Final

from shopaccounts.customers import CUSTOMERS, ContactPoint, Customer, VerificationMethod, as_of
from shopaccounts.kernel.assurance import Method, Proof, ProofKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.record import Change, Found, Write
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.passwords import PASSWORDS, PasswordRecord
from shopaccounts.registration.deciding import activated, awaited_contact, holder_of, opened, restarted
from shopaccounts.registration.errors import ContactLinkInvalid, ContactLinkStale
from shopaccounts.registration.events import (
    AccountActivated,
    AccountCleansed,
    AccountOpened,
    AttemptRestarted,
    ContactVerified,
    DuplicateAttempted,
)
from shopaccounts.registration.model import ATTEMPTS, Attempt, WaitingPassword, Wish

__all__ = ["activation", "opening", "proofs_of", "waiting_account"]

_WAY: Final = "email"


def opening(desk: Desk, known: Customer | None, wish: Wish, until: datetime, now: datetime) -> Change:
    """Answer what a registration does to the account that holds its address; where there is none, one opens.

    Args:
        desk: Puts what happened into envelopes.
        known: Who holds the address, as the record is now.
        wish: What somebody filled in.
        until: How long the account waits for its proof.
        now: When.
    """
    if known is None:
        customer = opened(wish.account, desk.scope.realm, wish.email, wish.contact, wish.locale, until, now)
        told = desk.tell(AccountOpened(at=now, account=customer.id, way=_WAY))
        return Change(writes=(CUSTOMERS.add(customer),), events=told)
    if holder_of(known).is_owner:
        told = desk.tell(DuplicateAttempted(at=now, account=known.id))
        return Change(guards=(CUSTOMERS.unchanged(known),), events=told)
    again = restarted(known, wish.email, wish.contact, wish.locale, until, now)
    told = desk.tell(AccountCleansed(at=now, account=known.id), AttemptRestarted(at=now, account=known.id))
    return Change(writes=(CUSTOMERS.change(known, again),), events=told)


def waiting_account(found: Found[Attempt], now: datetime) -> tuple[Customer, ContactPoint]:
    """Answer the account that waits for this attempt's proof, and the contact that is to be proven.

    Raises:
        ContactLinkInvalid: The attempt leads to no account.
        ContactLinkStale: The account or its address has gone another way since.
    """
    stored = found[CUSTOMERS]
    if stored is None:
        raise ContactLinkInvalid
    customer = as_of(stored, now)
    contact = awaited_contact(customer, found.it.email)
    if contact is None:
        raise ContactLinkStale(found.it.link.purpose)
    return customer, contact


def activation(
    desk: Desk, found: Found[Attempt], proven: Attempt, left: Attempt, method: VerificationMethod, now: datetime
) -> tuple[Customer, Change]:
    """Answer the account with its address proven, and the change that makes it so.

    Args:
        desk: Puts what happened into envelopes.
        found: The attempt as it is stored, with its account.
        proven: The attempt as it was proven: by its holder, or cleansed by who takes it over.
        left: What stays of the attempt.
        method: How it was proven.
        now: When.

    Raises:
        ContactLinkInvalid, ContactLinkStale: As ``waiting_account``.
    """
    customer, contact = waiting_account(found, now)
    account = activated(customer, contact.proven(method, proven.challenge.id, now), proven.locale)
    writes: tuple[Write, ...] = (
        ATTEMPTS.change(found.it, left),
        CUSTOMERS.change(customer, account),
        SECURITY.add(AccountSecurity(id=account.id, realm=account.realm)),
    )
    if proven.password:
        writes += (PASSWORDS.add(_record(account, proven.password, now)),)
    verified = ContactVerified(at=now, account=account.id, contact=contact.id, method=method.value)
    alive = AccountActivated(at=now, account=account.id, way=_WAY, locale=proven.locale)
    return account, Change(writes=writes, events=desk.tell(verified, alive))


def proofs_of(attempt: Attempt, now: datetime) -> tuple[Proof, ...]:
    """Answer what the holder proved on the way to the account: the mailbox, and the password where one was chosen."""
    mailbox = Proof(method=Method.EMAIL_CODE, kind=ProofKind.MAILBOX, at=now)
    if attempt.password is None:
        return (mailbox,)
    return (mailbox, Proof(method=Method.PASSWORD, kind=ProofKind.KNOWLEDGE, at=now))


def _record(account: Customer, waiting: WaitingPassword, now: datetime) -> PasswordRecord:
    return PasswordRecord(
        id=account.id,
        realm=account.realm,
        hash=waiting.hash,
        set_at=now,
        meets_single_factor_minimum=waiting.meets_single_factor_minimum,
    )
