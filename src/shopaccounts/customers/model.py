"""The customer record."""

from collections.abc import Iterator
from datetime import datetime
from enum import Enum

import attrs

from shopaccounts.customers.contact_points import ContactPoint, ContactRole, FormerContact, is_verified
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.ids import CustomerId, RealmId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book

__all__ = ["CUSTOMERS", "AccountStatus", "Customer", "Origin", "StatusReason", "login_key"]


class AccountStatus(Enum):
    """Where a customer record stands."""

    GUEST = "guest"
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSING = "closing"
    CLOSED = "closed"
    ERASED = "erased"
    MERGED = "merged"


class StatusReason(Enum):
    """Why an account was stopped."""

    FRAUD_SUSPECTED = "fraud_suspected"
    PAYMENT_DISPUTE = "payment_dispute"
    ABUSE = "abuse"
    SECURITY_HOLD = "security_hold"
    LEGAL_REQUEST = "legal_request"
    CUSTOMER_ASKED = "customer_asked"
    OTHER = "other"


class Origin(Enum):
    """How the record came about."""

    REGISTRATION = "registration"
    GUEST_CHECKOUT = "guest_checkout"
    STAFF = "staff"
    IMPORT = "import"


HOLDS_SIGN_IN_KEY = frozenset(
    {AccountStatus.PENDING, AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSING}
)
"""In these statuses nobody else can have the customer's sign-in address."""


@described(data_class="customer", default=impersonal("ids, states, times"))
@attrs.frozen(kw_only=True)
class Customer:
    """A person known to the shop; every field about the person may be empty."""

    id: CustomerId
    realm: RealmId
    version: int = 1
    status: AccountStatus
    status_reason: StatusReason | None = None
    status_until: datetime | None = None
    resume_status: AccountStatus | None = None
    merged_into: CustomerId | None = None
    contacts: tuple[ContactPoint, ...] = ()
    former_contacts: tuple[FormerContact, ...] = ()
    locale: str | None = attrs.field(
        default=None, metadata=personal("customer", Category.PREFERENCE, on_erase=OnErase.NULL)
    )
    created_at: datetime
    origin: Origin

    def contacts_for(self, role: ContactRole, *, verified: bool = True) -> tuple[ContactPoint, ...]:
        """Answer the contacts with *role*, by default only those that are verified."""
        return tuple(c for c in self.contacts if role in c.roles and (is_verified(c) or not verified))

    def contact_with(self, kind: ContactKind, key: str) -> ContactPoint | None:
        """Answer the contact that has this value."""
        return next((c for c in self.contacts if c.kind is kind and c.key == key), None)

    def with_contact(self, contact: ContactPoint) -> "Customer":
        """Answer the customer with *contact* in place of the one with its id."""
        return attrs.evolve(self, contacts=tuple(contact if c.id == contact.id else c for c in self.contacts))


def login_key(kind: ContactKind, key: str) -> str:
    """Answer the unique key under which the holder of a sign-in address is found."""
    return f"{kind.value} {key}"


def _login_keys(customer: Customer) -> Iterator[str]:
    if customer.status in HOLDS_SIGN_IN_KEY:
        for contact in customer.contacts:
            if ContactRole.LOGIN in contact.roles:
                yield login_key(contact.kind, contact.key)


CUSTOMERS = Book(
    name="customers",
    of=Customer,
    unique={"login_contact": _login_keys},
    order=lambda c: c.created_at,
    due=lambda c: c.status_until if c.status is AccountStatus.PENDING else None,
    personal=True,
)
