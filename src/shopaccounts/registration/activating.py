"""An account comes alive: its address is proven, and it gets what waited in its attempt."""

from datetime import datetime
from typing import Final

from shopaccounts.customers import CUSTOMERS, Customer, VerificationMethod
from shopaccounts.kernel.assurance import Method, Proof, ProofKind
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.record import Change, Found, Write
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.passwords import PASSWORDS, PasswordRecord
from shopaccounts.registration.deciding import activated, settled
from shopaccounts.registration.errors import ContactLinkInvalid
from shopaccounts.registration.events import AccountActivated, ContactVerified
from shopaccounts.registration.model import ATTEMPTS, Attempt, WaitingPassword

__all__ = ["WAY", "activation", "proofs_of"]

WAY: Final = "email"


def activation(
    desk: Desk, found: Found[Attempt], proven: Attempt, method: VerificationMethod, now: datetime
) -> tuple[Customer, Change]:
    """Answer the account with its address proven, and the change that makes it so.

    Args:
        desk: Puts what happened into envelopes.
        found: The attempt as it is stored, with its account.
        proven: The attempt as it was proven: by its holder, or cleansed by who takes it over.
        method: How it was proven.
        now: When.

    Raises:
        ContactLinkInvalid: The attempt leads to no account.
        StatusForbids: The account can't come alive from where it stands.
    """
    customer = found[CUSTOMERS]
    if customer is None:
        raise ContactLinkInvalid
    account = activated(customer, proven.email, method, proven.challenge.id, now)
    writes: tuple[Write, ...] = (
        ATTEMPTS.change(found.it, settled(proven, now)),
        CUSTOMERS.change(customer, account),
        SECURITY.add(AccountSecurity(id=account.id, realm=account.realm)),
    )
    if proven.password:
        writes += (PASSWORDS.add(_record(account, proven.password, now)),)
    contact = account.contact_with(ContactKind.EMAIL, proven.email.login_key)
    verified = ContactVerified(at=now, account=account.id, contact=contact.id if contact else "", method=method.value)
    alive = AccountActivated(at=now, account=account.id, way=WAY, locale=proven.locale)
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
