"""A further contact that waits for its proof.

What somebody typed is no contact of the account yet: it is nowhere written to but for its own proof, and nobody signs
in or recovers by it. A code from the message proves it in the session that asked, the link there or in a session that
was signed in to a short while ago. Any change of the account's security ends that.
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers import ContactPoint, ContactRole, Customer, VerificationMethod
from shopaccounts.kernel.codes import Challenge
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.personal import described, impersonal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.tickets import Purpose, Ticket
from shopaccounts.registration.changing import CONTACT_STAMPS, LINK_REFUSALS
from shopaccounts.registration.errors import ContactLinkExpired, ContactLinkStale, ContactLinkUsed

__all__ = [
    "ADDITIONS",
    "PROVE_ADDED",
    "Addition",
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
        value: The address or number.
        wanted: Keyed digest of it, by which all who want it are found when somebody else proves it.
        channel: By which way its code goes out.
        challenge: The code that was sent; where another account signs in by the address, it is one that nobody has.
        link: Proves that somebody reads the mailbox.
    """

    id: str
    realm: RealmId
    version: int = 1
    account: AccountId
    session: str = attrs.field(metadata=impersonal("an opaque id"))
    contact: ContactId
    value: Contact
    wanted: str = attrs.field(default="", metadata=secret("contact_points", "keyed digest of an address"))
    channel: Channel = Channel.EMAIL
    challenge: Challenge
    link: Ticket
    started_at: datetime


ADDITIONS = Book(
    name="contact_additions",
    of=Addition,
    groups={
        "account": lambda a: a.account,
        "wanted": lambda a: a.wanted if a.wanted and a.link.spent_at is None else None,
    },
    order=lambda a: a.started_at,
    keep_until=lambda a: a.link.expires_at,
    personal=True,
)


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
    value = addition.value
    known = customer.contact_with(value.kind, value.key)
    base = known or ContactPoint(id=addition.contact, kind=value.kind, value=value, added_at=now)
    proven = attrs.evolve(base, roles=base.roles | {ContactRole.NOTIFY}).proven(method, addition.id, now)
    if known:
        return customer.with_contact(proven)
    return attrs.evolve(customer, contacts=(*customer.contacts, proven))
