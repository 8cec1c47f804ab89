"""Contact points: an address or number of a customer, and what proves it.

*Verified* is never a stored yes or no. A contact is verified while the value that was proven is the value it has, so a
changed value un-verifies itself. A contact is never edited in place: a new one is added, proven, and put in force.

A customer has at most ten contacts, and at most one primary one of each kind. One signs in and recovers by a verified
contact only; while an account waits for its address to be proven, that one address already holds its place.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal

__all__ = [
    "MAX_CONTACTS",
    "ContactPoint",
    "ContactRole",
    "FormerContact",
    "Reach",
    "Verification",
    "VerificationMethod",
    "is_stale",
    "is_verified",
    "misfit",
]

MAX_CONTACTS: Final = 10


class ContactRole(Enum):
    """What a contact may be used for."""

    PRIMARY = "primary"
    LOGIN = "login"
    NOTIFY = "notify"
    BILLING = "billing"
    RECOVERY = "recovery"


class VerificationMethod(Enum):
    """How a contact was proven."""

    CODE = "code"
    LINK = "link"
    RESET = "reset"
    PROVIDER = "provider"
    STAFF = "staff"
    IMPORT = "import"


class Reach(Enum):
    """Whether messages arrive."""

    UNTRIED = "untried"
    REACHABLE = "reachable"
    DOUBTFUL = "doubtful"
    UNREACHABLE = "unreachable"


_ARRIVED = frozenset({VerificationMethod.CODE, VerificationMethod.LINK, VerificationMethod.RESET})
"""Who proves a contact so has got what was sent there."""


@described(data_class="contact_points", default=impersonal("ids, times"))
@attrs.frozen(kw_only=True)
class Verification:
    """Which value was proven, when, and how."""

    value_key: str = attrs.field(metadata=personal("contact_points", Category.CONTACT), repr=False)
    at: datetime
    method: VerificationMethod
    challenge_id: str = attrs.field(metadata=impersonal("an opaque id"))


@described(data_class="contact_points", default=impersonal("ids, roles, times"))
@attrs.frozen(kw_only=True)
class ContactPoint:
    """One e-mail address or phone number of a customer.

    Args:
        reach: Whether messages arrive; that takes no proof away.
        reach_detail: Why not, as a courier tells it.
        soft_bounces: When messages were put off lately.
        key_before: The key before the keys were computed anew the last time.
        used_at: When a code that went to this number last proved something; kept by the day.
    """

    id: ContactId
    kind: ContactKind
    value: EmailAddress | PhoneNumber
    roles: frozenset[ContactRole] = frozenset()
    verified: Verification | None = None
    reach: Reach = Reach.UNTRIED
    reach_detail: str | None = attrs.field(default=None, metadata=impersonal("a reason key"))
    soft_bounces: tuple[datetime, ...] = ()
    key_before: str | None = attrs.field(
        default=None, repr=False, metadata=personal("contact_points", Category.CONTACT, on_erase=OnErase.DROP_ROW)
    )
    added_at: datetime
    used_at: datetime | None = None

    @property
    def key(self) -> str:
        """The key that the contact is compared by."""
        return self.value.key

    def proven(self, method: VerificationMethod, challenge_id: str, at: datetime) -> "ContactPoint":
        """Answer the contact with its present value proven."""
        verified = Verification(value_key=self.key, at=at, method=method, challenge_id=challenge_id)
        if method not in _ARRIVED:
            return attrs.evolve(self, verified=verified)
        return attrs.evolve(self, verified=verified, reach=Reach.REACHABLE, reach_detail=None, soft_bounces=())


@described(data_class="contact_points", default=impersonal("ids, times"))
@attrs.frozen(kw_only=True)
class FormerContact:
    """A contact that was replaced or removed: it hears of it, and can take it back for a while."""

    contact: ContactPoint
    until: datetime


def is_verified(contact: ContactPoint) -> bool:
    """Tell whether the contact's present value was proven."""
    return contact.verified is not None and contact.verified.value_key == contact.key


def is_stale(contact: ContactPoint, after: timedelta, now: datetime) -> bool:
    """Tell whether a number was unused for so long that it may be somebody else's by now.

    Args:
        contact: An address is never stale.
        after: How long that is.
        now: When.
    """
    if contact.kind is not ContactKind.PHONE or contact.verified is None:
        return False
    return now - max(contact.verified.at, contact.used_at or contact.verified.at) >= after


def misfit(contacts: tuple[ContactPoint, ...], *, waiting: bool) -> str | None:
    """Answer what is wrong with a customer's contacts, None if they fit.

    Args:
        contacts: All of them.
        waiting: Whether the account waits for its first address to be proven.
    """
    if len(contacts) > MAX_CONTACTS:
        return f"more than {MAX_CONTACTS} contacts"
    if any(_count(contacts, ContactRole.PRIMARY, kind) > 1 for kind in ContactKind):
        return "two primary contacts of one kind"
    unproven = tuple(contact for contact in contacts if not is_verified(contact))
    if any(ContactRole.RECOVERY in contact.roles for contact in unproven):
        return "recovery by an unproven contact"
    if sum(ContactRole.LOGIN in contact.roles for contact in unproven) > (1 if waiting else 0):
        return "sign-in by an unproven contact"
    return None


def _count(contacts: Iterable[ContactPoint], role: ContactRole, kind: ContactKind) -> int:
    return sum(contact.kind is kind and role in contact.roles for contact in contacts)
