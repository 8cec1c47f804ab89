"""What happens to an account on its way: it opens, starts over, and comes alive with what waited in its attempt."""

from datetime import datetime
from typing import Final

from shopaccounts.customers import CUSTOMERS, ContactPoint, Customer, Origin, VerificationMethod, as_of
from shopaccounts.kernel.assurance import KIND_OF, Method, Proof, ProofKind
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.record import Change, Found, Write
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp
from shopaccounts.passwords import PASSWORDS, PasswordRecord
from shopaccounts.registration.deciding import activated, awaited_contact, holder_of, opened, restarted, vacated
from shopaccounts.registration.errors import ContactLinkInvalid, ContactLinkStale
from shopaccounts.registration.events import (
    AccountActivated,
    AccountCleansed,
    AccountOpened,
    AttemptRestarted,
    ContactVerified,
    DuplicateAttempted,
    TermsAccepted,
)
from shopaccounts.registration.model import ATTEMPTS, Attempt, Details, WaitingPassword, Wish

__all__ = [
    "BY_EMAIL",
    "BY_IMPORT",
    "BY_INVITATION",
    "BY_PROVIDER",
    "BY_STAFF",
    "activation",
    "coming_alive",
    "moving",
    "opening",
    "proofs_of",
    "waiting_account",
]

BY_EMAIL: Final = "email"
BY_INVITATION: Final = "invitation"
BY_PROVIDER: Final = "provider"
BY_STAFF: Final = "staff"
BY_IMPORT: Final = "import"
_ORIGINS: Final = {BY_STAFF: Origin.STAFF, BY_IMPORT: Origin.IMPORT}


def opening(
    desk: Desk, known: Customer | None, wish: Wish, until: datetime, now: datetime, way: str | None = None
) -> Change:
    """Answer what a registration does to the account that holds its address; where there is none, one opens.

    Args:
        desk: Puts what happened into envelopes.
        known: Who holds the address, as the record is now.
        wish: What somebody filled in.
        until: How long the account waits for its proof.
        now: When.
        way: By which way the account came about; None: by what is registered, ``email`` or ``phone``.
    """
    if known is None:
        came = way or wish.value.kind.value
        customer = opened(wish, desk.scope.realm, until, now, _ORIGINS.get(came, Origin.REGISTRATION))
        told = desk.tell(AccountOpened(at=now, account=customer.id, way=came))
        return Change(writes=(CUSTOMERS.add(customer),), events=told)
    if holder_of(known).is_owner:
        told = desk.tell(DuplicateAttempted(at=now, account=known.id))
        return Change(guards=(CUSTOMERS.unchanged(known),), events=told)
    again = restarted(known, wish, until, now)
    told = desk.tell(AccountCleansed(at=now, account=known.id), AttemptRestarted(at=now, account=known.id))
    return Change(writes=(CUSTOMERS.change(known, again),), events=told)


def moving(
    desk: Desk, mine: Customer | None, known: Customer | None, wish: Wish, until: datetime, now: datetime
) -> Change:
    """Answer what a corrected address does to the account that had opened at the wrong one, and to its new holder.

    Args:
        desk: Puts what happened into envelopes.
        mine: The account that had opened, None if the wrong address had an owner.
        known: Who holds the right address, as the record is now.
        wish: What is to be registered.
        until: How long the account waits for its proof.
        now: When.
    """
    change = opening(desk, known or mine, wish, until, now)
    if mine is None or known is None or mine.id == known.id:
        return change
    told = desk.tell(AccountCleansed(at=now, account=mine.id))
    return change | Change(writes=(CUSTOMERS.change(mine, vacated(mine, until)),), events=told)


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
    contact = awaited_contact(customer, found.it.value)
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
    contact = contact.proven(method, proven.challenge.id, now)
    account = activated(customer, contact, proven.locale, proven.details.fields)
    writes = (ATTEMPTS.change(found.it, left), CUSTOMERS.change(customer, account))
    living = coming_alive(
        desk,
        account,
        contact,
        proven.own_password,
        proven.details,
        now,
        disposable=proven.disposable,
        security=found[SECURITY],
    )
    return account, Change(writes=writes) | living


def coming_alive(
    desk: Desk,
    account: Customer,
    contact: ContactPoint,
    password: WaitingPassword | None,
    details: Details,
    now: datetime,
    *,
    disposable: bool,
    way: str | None = None,
    security: AccountSecurity | None = None,
) -> Change:
    """Answer what an account has from the moment its address is proven, and what is told of it.

    Args:
        desk: Puts what happened into envelopes.
        account: As it is from now on.
        contact: What was proven.
        password: What waited for the proof, bound to this account.
        details: What else waited.
        now: When.
        disposable: Whether the address lives for a few minutes.
        way: By which way the account came about; None: by what was proven, ``email`` or ``phone``.
        security: The row of an account that was closed and is reopened: nothing from before its end comes back.
    """
    fresh = AccountSecurity(id=account.id, realm=account.realm)
    safe = SECURITY.change(security, security.bump(Stamp.ACCOUNT)) if security else SECURITY.add(fresh)
    writes: tuple[Write, ...] = (safe,)
    if password:
        writes += (PASSWORDS.add(_record(account, password, now)),)
    method = contact.verified.method.value if contact.verified else ""
    verified = ContactVerified(at=now, account=account.id, contact=contact.id, method=method)
    locale = account.locale or desk.scope.locale
    came = way or contact.kind.value
    alive = AccountActivated(at=now, account=account.id, way=came, locale=locale, disposable=disposable)
    return Change(writes=writes, events=desk.tell(verified, alive, *_agreed(account, details, now)))


def _agreed(account: Customer, details: Details, now: datetime) -> tuple[Event, ...]:
    if not details.accepted and not details.choices:
        return ()
    told = TermsAccepted(
        at=now,
        account=account.id,
        documents=tuple(term.document for term in details.accepted),
        versions=tuple(term.version for term in details.accepted),
        locales=tuple(term.locale for term in details.accepted),
        agreed=tuple(sorted(purpose for purpose, answer in details.choices.items() if answer)),
        declined=tuple(sorted(purpose for purpose, answer in details.choices.items() if not answer)),
    )
    return (told,)


def proofs_of(attempt: Attempt, now: datetime) -> tuple[Proof, ...]:
    """Answer what the holder proved on the way to the account: the mailbox, and the password where one was chosen.

    A number is proven by its code alone: a password that was just chosen makes no second factor of it.
    """
    if attempt.value.kind is ContactKind.PHONE:
        return (Proof(method=Method.SMS_CODE, kind=KIND_OF[Method.SMS_CODE], at=now),)
    mailbox = Proof(method=Method.EMAIL_CODE, kind=ProofKind.MAILBOX, at=now)
    if attempt.own_password is None:
        return (mailbox,)
    return (mailbox, Proof(method=Method.PASSWORD, kind=ProofKind.KNOWLEDGE, at=now))


def _record(account: Customer, waiting: WaitingPassword, now: datetime) -> PasswordRecord:
    return PasswordRecord(
        id=account.id,
        realm=account.realm,
        hash=waiting.hash,
        set_at=now,
        meets_single_factor_minimum=waiting.meets_single_factor_minimum,
        breach_unchecked=waiting.breach_unchecked,
    )
