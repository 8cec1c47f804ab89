"""What was added to an account lately: whoever has just got it back is shown it, and removes what they don't know.

* Lately is within 30 days. Shown are contacts besides the one that the reset went by, and devices.
* What is removed so is gone: a contact that nobody knows hears nothing more, and can't come back by itself.
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
from shopaccounts.signin import KnownDevices

__all__ = ["RECENT", "recent_additions", "without_recent"]

RECENT: Final = timedelta(days=30)


def recent_additions(
    customer: Customer, known: KnownDevices | None, now: datetime, *, besides: str = ""
) -> tuple[RecentAddition, ...]:
    """Answer what was added to an account lately, masked, the newest first.

    Args:
        customer: The record as it is now.
        known: The devices that the account knows.
        now: When.
        besides: The id of a contact to be left out.
    """
    found = sorted(_additions(customer, known), key=lambda one: one.at, reverse=True)
    return tuple(one for one in found if now - one.at < RECENT and one.id != besides)


def without_recent(
    customer: Customer, known: KnownDevices | None, ids: Collection[str], now: datetime
) -> tuple[Customer, KnownDevices | None]:
    """Answer an account without some of what was added lately.

    Raises:
        NotFound: One of them is nothing that was added lately.
        LastLoginContact, LastNoticeContact: The owner can't do without it.
    """
    if not frozenset(ids) <= {one.id for one in recent_additions(customer, known, now)}:
        raise NotFound
    for contact in customer.contacts:
        if contact.id in ids:
            check_removable(customer, contact)
            customer = attrs.evolve(customer, contacts=tuple(c for c in customer.contacts if c.id != contact.id))
    if known is not None:
        known = attrs.evolve(known, devices=tuple(d for d in known.devices if d.public_id not in ids))
    return customer, known


def _additions(customer: Customer, known: KnownDevices | None) -> Iterator[RecentAddition]:
    for contact in customer.contacts:
        yield RecentAddition(id=contact.id, kind="contact", label=mask(contact.value), at=contact.added_at)
    for device in known.devices if known else ():
        yield RecentAddition(id=device.public_id, kind="device", label=device.label, at=device.first_seen)
