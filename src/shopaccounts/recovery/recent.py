"""What was added to an account lately: whoever has just got it back is shown it, and removes what they don't know.

* Lately is within 30 days. Shown are contacts besides the one that the reset went by, second steps, passkeys, linked
  providers and devices.
* What is removed so is gone: a contact that nobody knows hears nothing more, and can't come back by itself. With a
  phone or mailbox goes the second step that used it, with the last second step go the recovery codes.
* The owner is left with an address to sign in by, and one to be told at.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import Customer, NotFound
from shopaccounts.kernel.contact import mask
from shopaccounts.recovery.model import RecentAddition
from shopaccounts.registration import check_removable
from shopaccounts.signin import Authenticators, KnownDevices, left_of

__all__ = ["RECENT", "Owned", "recent_additions", "without_recent"]

RECENT: Final = timedelta(days=30)


@attrs.frozen(kw_only=True)
class Owned:
    """All that can be added to an account: the record, what it proves itself with, the devices that it knows."""

    customer: Customer
    own: Authenticators | None
    devices: KnownDevices | None


def recent_additions(owned: Owned, now: datetime, *, besides: str = "") -> tuple[RecentAddition, ...]:
    """Answer what was added to an account lately, masked, the newest first.

    Args:
        owned: The account as it is now.
        now: When.
        besides: The id of a contact to be left out.
    """
    found = sorted(_additions(owned), key=lambda one: one.at, reverse=True)
    return tuple(one for one in found if now - one.at < RECENT and one.id != besides)


def without_recent(owned: Owned, ids: Collection[str], now: datetime) -> Owned:
    """Answer an account without some of what was added lately.

    Raises:
        NotFound: One of them is nothing that was added lately.
        LastLoginContact, LastNoticeContact: The owner can't do without it.
    """
    if not frozenset(ids) <= {one.id for one in recent_additions(owned, now)}:
        raise NotFound
    customer, known = owned.customer, owned.devices
    for contact in customer.contacts:
        if contact.id in ids:
            check_removable(customer, contact)
            customer = attrs.evolve(customer, contacts=tuple(c for c in customer.contacts if c.id != contact.id))
    if known is not None:
        known = attrs.evolve(known, devices=tuple(d for d in known.devices if d.public_id not in ids))
    return Owned(customer=customer, own=left_of(owned.own, ids), devices=known)


def _additions(owned: Owned) -> Iterator[RecentAddition]:
    for contact in owned.customer.contacts:
        yield RecentAddition(id=contact.id, kind="contact", label=mask(contact.value), at=contact.added_at)
    if owned.own is not None:
        yield from _proofs(owned.own)
    for device in owned.devices.devices if owned.devices else ():
        yield RecentAddition(id=device.public_id, kind="device", label=device.label, at=device.first_seen)


def _proofs(own: Authenticators) -> Iterator[RecentAddition]:
    for factor in own.factors:
        label = factor.label or factor.kind.value
        yield RecentAddition(id=factor.id, kind="factor", label=label, at=factor.created_at)
    for passkey in own.passkeys:
        yield RecentAddition(id=passkey.id, kind="passkey", label=passkey.label, at=passkey.created_at)
    for identity in own.identities:
        yield RecentAddition(id=identity.id, kind="provider", label=identity.provider, at=identity.linked_at)
