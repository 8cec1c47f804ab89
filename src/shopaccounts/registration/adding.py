"""A further contact that waits for its proof.

What somebody typed is no contact of the account yet: it is nowhere written to but for its own proof, and nobody signs
in or recovers by it. A code from the message proves it in the session that asked, the link there or in a session that
was signed in to a short while ago. Any change of the account's security ends that.
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers import ContactPoint, ContactRole, Customer, VerificationMethod
from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.codes import Challenge, code_mac
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.tickets import Purpose, Ticket
from shopaccounts.kernel.vault import Key
from shopaccounts.registration.changing import CONTACT_STAMPS, LINK_REFUSALS
from shopaccounts.registration.errors import ContactLinkExpired, ContactLinkStale, ContactLinkUsed
from shopaccounts.registration.policy import RegistrationPolicy

__all__ = [
    "ADDITIONS",
    "PROVE_ADDED",
    "Addition",
    "challenge_for",
    "check_live",
    "with_added",
]

PROVE_ADDED: Final = Purpose("add_contact", "adc", CONTACT_STAMPS, LINK_REFUSALS)
"""Proves a further contact."""


@described(data_class="contact_points", default=impersonal("ids, times, states"))
@attrs.frozen(kw_only=True)
class Addition:
    """A contact that somebody wants to have, until it is proven or given up.

    Args:
        id: The selector of its link.
        session: The public id of the session that asked.
        contact: The id that it will have.
        email: The address.
        challenge: The code that was sent; where another account signs in by the address, it is one that nobody has.
        link: Proves that somebody reads the mailbox.
    """

    id: str
    realm: RealmId
    version: int = 1
    account: AccountId
    session: str = attrs.field(metadata=impersonal("an opaque id"))
    contact: ContactId
    email: EmailAddress
    challenge: Challenge
    link: Ticket
    started_at: datetime


ADDITIONS = Book(
    name="contact_additions",
    of=Addition,
    groups={"account": lambda a: a.account},
    order=lambda a: a.started_at,
    keep_until=lambda a: a.link.expires_at,
    personal=True,
)


def challenge_for(
    key: Key, id: str, policy: RegistrationPolicy, now: datetime, entropy: Entropy, *, decoy: bool
) -> tuple[Challenge, Secret[str]]:
    """Answer a challenge for an addition, and its code; a decoy's code fits nothing."""
    code = policy.code_shape.draw(entropy)
    right = code_mac(key.secret, id, PROVE_ADDED.name, code.reveal())
    challenge = Challenge(
        id=id,
        purpose=PROVE_ADDED.name,
        code_mac=entropy.raw(len(right)) if decoy else right,
        key_id=key.id,
        shape=policy.code_shape,
        max_tries=policy.code_tries,
        issued_at=now,
        code_expires_at=now + policy.code_life,
        expires_at=now + policy.challenge_life,
    )
    return challenge, code


def check_live(addition: Addition, stamps: Stamps, now: datetime) -> None:
    """Refuse an addition that was proven, is over, or was overtaken by a change of the account's security.

    Raises:
        ContactLinkUsed, ContactLinkExpired, ContactLinkStale: It is.
    """
    link = addition.link
    if link.spent_at is not None:
        raise ContactLinkUsed(link.purpose, link.spent_at)
    if now >= link.expires_at:
        raise ContactLinkExpired(link.purpose, link.expires_at)
    if stamps.moved(link.stamps, PROVE_ADDED.depends_on):
        raise ContactLinkStale(link.purpose)


def with_added(customer: Customer, addition: Addition, method: VerificationMethod, now: datetime) -> Customer:
    """Answer the customer with a contact that was just proven; it hears of what happens from now on."""
    known = customer.contact_with(ContactKind.EMAIL, addition.email.login_key)
    base = known or ContactPoint(id=addition.contact, kind=ContactKind.EMAIL, value=addition.email, added_at=now)
    proven = attrs.evolve(base, roles=base.roles | {ContactRole.NOTIFY}).proven(method, addition.id, now)
    if known:
        return customer.with_contact(proven)
    return attrs.evolve(customer, contacts=(*customer.contacts, proven))
