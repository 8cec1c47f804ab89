"""Who is it? What an identity of a provider opens here.

An identity is issuer and subject; an address is never identity. The first rule that fits decides:

* From a session that links: it becomes theirs, unless it is theirs already, or somebody else's.
* Linked: its account is signed in to.
* No address that is believed: whoever it is names one and proves it, like anybody who registers. What the provider said
  of an address is neither reserved nor told to be taken.
* Nobody has the address: an account opens, its address proven.
* Somebody began to register it and never proved it: what they brought is removed, then as above.
* An account that is stopped or closing has it: its state is told, nothing is linked or opened.
* A living account has it: linked at once where the shop wants that and the account asks for no second step, else once
  its owner proves that it is theirs.

[OWASP ASVS 6.8.1, 10.5.2]
"""

import attrs

from shopaccounts.customers import AccountStatus, Customer, is_verified
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.ids import AccountId
from shopaccounts.providers.id_tokens import VerifiedIdentity
from shopaccounts.providers.policy import AutoLink, ProviderConfig

__all__ = [
    "AskForEmail",
    "BelongsElsewhere",
    "Decision",
    "LinkAndSignIn",
    "LinkHere",
    "LinkedAlready",
    "Linking",
    "Open",
    "Propose",
    "SignInLinked",
    "TellStatus",
    "decide_identity",
    "decide_linking",
]


@attrs.frozen
class SignInLinked:
    """Sign in to the account that is linked; *email_differs* where the provider knows its customer by another."""

    email_differs: bool = False


@attrs.frozen
class LinkedAlready:
    """It is linked with the account that asks; nothing changes."""


@attrs.frozen
class BelongsElsewhere:
    """It is linked with another account."""


@attrs.frozen
class LinkHere:
    """Link it with the account that asks."""


@attrs.frozen
class AskForEmail:
    """Ask for an address and have it proven."""


@attrs.frozen
class Open:
    """Open an account; *waiting* is the unproven one that is emptied first."""

    email: EmailAddress = attrs.field(repr=False)
    waiting: Customer | None


@attrs.frozen
class LinkAndSignIn:
    """Link it with the owner of the address, and sign in; propose it where the account asks for a second step."""

    owner: Customer
    email: EmailAddress = attrs.field(repr=False)


@attrs.frozen
class Propose:
    """Offer to link it, once somebody proves that the account is theirs."""

    owner: Customer
    email: EmailAddress = attrs.field(repr=False)


@attrs.frozen
class TellStatus:
    """Tell that the account is stopped or closing."""

    owner: Customer


Decision = SignInLinked | AskForEmail | Open | LinkAndSignIn | Propose | TellStatus
Linking = LinkedAlready | BelongsElsewhere | LinkHere


def decide_identity(
    identity: VerifiedIdentity, linked: Customer | None, by_email: Customer | None, config: ProviderConfig
) -> Decision:
    """Answer what an identity at the door leads to.

    Args:
        identity: Who it is at the provider.
        linked: The account that the identity is linked with, as it is now.
        by_email: Who holds the address that the provider has proven, as it is now.
        config: The provider.
    """
    email = identity.proven_email
    if linked is not None:
        return SignInLinked(email_differs=email is not None and not _has(linked, email))
    return AskForEmail() if email is None else _by_email(email, by_email, config)


def decide_linking(linked_with: AccountId | None, account: AccountId) -> Linking:
    """Answer what an identity leads to that somebody wants to link from a session.

    Args:
        linked_with: The account that it is linked with.
        account: Whose session it is.
    """
    if linked_with is None:
        return LinkHere()
    return LinkedAlready() if linked_with == account else BelongsElsewhere()


def _by_email(email: EmailAddress, owner: Customer | None, config: ProviderConfig) -> Decision:
    if owner is None or owner.status is AccountStatus.PENDING:
        return Open(email, owner)
    if owner.status is not AccountStatus.ACTIVE:
        return TellStatus(owner)
    if config.auto_link is AutoLink.BOTH_VERIFIED and _has(owner, email):
        return LinkAndSignIn(owner, email)
    return Propose(owner, email)


def _has(customer: Customer, email: EmailAddress) -> bool:
    """Tell whether a customer has proven an address."""
    contact = customer.contact_with(ContactKind.EMAIL, email.login_key)
    return contact is not None and is_verified(contact)
