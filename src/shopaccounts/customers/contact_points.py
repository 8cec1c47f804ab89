"""Contact points: an address or number of a customer, and what proves it.

*Verified* is never a stored yes or no. A contact is verified while the value that was proven is the value it has, so a
changed value un-verifies itself. A contact is never edited in place: a new one is added, proven, and put in force.
"""

from datetime import datetime
from enum import Enum

import attrs

from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.personal import Category, described, impersonal, personal

__all__ = [
    "ContactPoint",
    "ContactRole",
    "FormerContact",
    "Verification",
    "VerificationMethod",
    "contact_key",
    "is_verified",
]


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
    STAFF = "staff"
    IMPORT = "import"


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
    """One e-mail address or phone number of a customer."""

    id: ContactId
    kind: ContactKind
    value: EmailAddress | PhoneNumber
    roles: frozenset[ContactRole] = frozenset()
    verified: Verification | None = None
    added_at: datetime

    @property
    def key(self) -> str:
        """The key that the contact is compared by."""
        return contact_key(self.value)

    def proven(self, method: VerificationMethod, challenge_id: str, at: datetime) -> "ContactPoint":
        """Answer the contact with its present value proven."""
        return attrs.evolve(
            self, verified=Verification(value_key=self.key, at=at, method=method, challenge_id=challenge_id)
        )


@described(data_class="contact_points", default=impersonal("ids, times"))
@attrs.frozen(kw_only=True)
class FormerContact:
    """A contact that was replaced or removed: it hears of it, and can take it back for a while."""

    contact: ContactPoint
    until: datetime


def contact_key(value: EmailAddress | PhoneNumber) -> str:
    """Answer the key that a contact value is compared by, byte for byte."""
    return value.login_key if isinstance(value, EmailAddress) else value.e164


def is_verified(contact: ContactPoint) -> bool:
    """Tell whether the contact's present value was proven."""
    return contact.verified is not None and contact.verified.value_key == contact.key
