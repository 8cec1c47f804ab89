"""The customer record."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.customers.contact_points import (
    ContactPoint,
    ContactRole,
    FormerContact,
    Reach,
    is_verified,
    misfit,
)
from shopaccounts.customers.usernames import Username, canonical_username, username_keys
from shopaccounts.kernel.contact import Contact, ContactKind, EmailAddress, PhoneNumber, looks_like_phone
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import CustomerId, RealmId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book

__all__ = [
    "CUSTOMERS",
    "AccountStatus",
    "Customer",
    "Origin",
    "Standing",
    "StatusReason",
    "Tombstone",
    "Trigger",
    "identifier_key",
    "login_key",
]


_DAY: Final = timedelta(days=1)


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


class Trigger(Enum):
    """What can happen to a customer record."""

    OPEN_ACCOUNT = "open_account"
    VERIFY = "verify"
    RESTART = "restart"
    LAPSE = "lapse"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    LIFT = "lift"
    REQUEST_CLOSING = "request_closing"
    CANCEL_CLOSING = "cancel_closing"
    CLOSE = "close"
    REOPEN = "reopen"
    MERGE = "merge"
    UNMERGE = "unmerge"
    ERASE = "erase"


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


@described(data_class="customer", default=impersonal("states, times"))
@attrs.frozen(kw_only=True)
class Standing:
    """Where a record stands, and where it goes back to from there.

    Args:
        status: What the record may do.
        led_by: The step that led here; None for a record that began here.
        reason: Why it was stopped.
        note: The reason in words, where none of the reasons fits.
        why: What the agent said who did it.
        until: When the status ends or lapses by itself.
        before: Where it stood when it was stopped, asked to close, or merged.
    """

    status: AccountStatus
    led_by: Trigger | None = None
    reason: StatusReason | None = None
    note: str | None = attrs.field(
        default=None, repr=False, metadata=personal("customer", Category.CONTENT, on_erase=OnErase.NULL)
    )
    why: str | None = attrs.field(
        default=None, repr=False, metadata=personal("customer", Category.CONTENT, on_erase=OnErase.NULL)
    )
    until: datetime | None = None
    before: "Standing | None" = None

    @property
    def waits_for_proof(self) -> bool:
        """Whether nobody has proven the address yet, whatever has happened to the record since."""
        return self.status is AccountStatus.PENDING or (self.before is not None and self.before.waits_for_proof)


@described(data_class="customer", default=impersonal("times and months"))
@attrs.frozen(kw_only=True)
class Tombstone:
    """What is left to know of a person who was erased; ``created_at`` of the record is then the start of its month.

    Args:
        erased_at: When.
        erasure_id: By which erasure.
        first_order_month: The first instant of the month of the first order; None if there was none.
    """

    erased_at: datetime
    erasure_id: str = attrs.field(metadata=impersonal("an opaque id"))
    first_order_month: datetime | None = None


@described(data_class="customer", default=impersonal("ids, states, times"))
@attrs.frozen(kw_only=True)
class Customer:
    """A person known to the shop; every field about the person may be empty.

    Raises:
        Defect: The contacts don't fit together, or don't fit the status.
    """

    id: CustomerId
    realm: RealmId
    version: int = 1
    standing: Standing
    merged_into: CustomerId | None = None
    contacts: tuple[ContactPoint, ...] = ()
    former_contacts: tuple[FormerContact, ...] = ()
    locale: str | None = attrs.field(
        default=None, metadata=personal("customer", Category.PREFERENCE, on_erase=OnErase.NULL)
    )
    fields: Mapping[str, str] = attrs.field(
        factory=dict, repr=False, metadata=personal("customer", Category.IDENTITY, on_erase=OnErase.NULL)
    )
    username: Username | None = attrs.field(
        default=None, repr=False, metadata=personal("customer", Category.IDENTITY, on_erase=OnErase.NULL)
    )
    created_at: datetime
    origin: Origin
    tombstone: Tombstone | None = None

    def __attrs_post_init__(self) -> None:
        if wrong := misfit(self.contacts, waiting=self.standing.waits_for_proof):
            raise Defect(wrong)

    @property
    def status(self) -> AccountStatus:
        """Where the record stands as it is stored; ``as_of`` knows what time has changed since."""
        return self.standing.status

    @property
    def status_reason(self) -> StatusReason | None:
        """Why the account was stopped."""
        return self.standing.reason

    @property
    def status_until(self) -> datetime | None:
        """When the status ends or lapses by itself."""
        return self.standing.until

    def contacts_for(self, role: ContactRole, *, verified: bool = True) -> tuple[ContactPoint, ...]:
        """Answer the contacts with *role*, by default only those that are verified."""
        return tuple(c for c in self.contacts if role in c.roles and (is_verified(c) or not verified))

    def notice_contacts(self, now: datetime) -> tuple[Contact, ...]:
        """Answer where notices go: proven contacts that take them or sign in, and those that were replaced lately.

        Nobody can take them from a contact that signs in. Where no e-mail address is left among these, they go to every
        proven one as well, so that one hears of it if there is one.
        """
        former = (former.contact for former in self.former_contacts if now < former.until)
        proven = tuple(filter(is_verified, self.contacts))
        hears = (c for c in proven if c.roles & {ContactRole.NOTIFY, ContactRole.LOGIN})
        told = [c for c in (*hears, *former) if c.reach is not Reach.UNREACHABLE]
        if not any(c.kind is ContactKind.EMAIL for c in told):
            told = [*(c for c in proven if c.kind is ContactKind.EMAIL), *told]
        return tuple(dict.fromkeys(c.value for c in told or proven))

    def former_contact_with(self, kind: ContactKind, key: str) -> FormerContact | None:
        """Answer the contact with this value that was replaced or removed a while ago."""
        return next((f for f in self.former_contacts if f.contact.kind is kind and f.contact.key == key), None)

    def contact_with(self, kind: ContactKind, key: str) -> ContactPoint | None:
        """Answer the contact that has this value."""
        return next((c for c in self.contacts if c.kind is kind and c.key == key), None)

    def signs_in_by(self, key: str) -> bool:
        """Tell whether somebody signs in to this record with what has this ``identifier_key``.

        That is a proven sign-in address or, once there is one, the user name.
        """
        proven = self.contacts_for(ContactRole.LOGIN)
        name = username_keys(self.username)[:1] if self.username and proven else ()
        return key in {*(login_key(contact.kind, contact.key) for contact in proven), *name}

    @property
    def sign_in_email(self) -> EmailAddress | None:
        """The proven address that the customer signs in by."""
        values = (contact.value for contact in self.contacts_for(ContactRole.LOGIN))
        return next((value for value in values if isinstance(value, EmailAddress)), None)

    @property
    def sign_in_contact(self) -> Contact | None:
        """What the customer signs in by: the proven address, else the proven number."""
        phones = (contact.value for contact in self.contacts_for(ContactRole.LOGIN))
        return self.sign_in_email or next(phones, None)

    def with_number_used(self, ids: Collection[str], now: datetime) -> "Customer":
        """Answer the customer after codes that went to these contacts were typed in; noted once a day."""
        after = self
        for contact in self.contacts:
            fresh = contact.used_at is not None and now - contact.used_at < _DAY
            if contact.kind is ContactKind.PHONE and contact.id in ids and not fresh:
                after = after.with_contact(attrs.evolve(contact, used_at=now))
        return after

    def with_contact(self, contact: ContactPoint) -> "Customer":
        """Answer the customer with *contact* in place of the one with its id."""
        return attrs.evolve(self, contacts=tuple(contact if c.id == contact.id else c for c in self.contacts))


def login_key(kind: ContactKind, key: str) -> str:
    """Answer the unique key under which the holder of a sign-in address is found."""
    return f"{kind.value} {key}"


def identifier_key(text: str, *, usernames: bool = False) -> str:
    """Answer the unique key under which whoever signs in with *text* is found.

    Args:
        text: An address, a number in international form, or a user name, as typed. ``Identifiers`` reads numbers in
            other spellings too.
        usernames: Whether the shop has user names.

    Raises:
        EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid: It is none of them; that depends on the text alone.
    """
    name = canonical_username(text) if usernames else None
    if name is not None:
        return f"name {name}"
    contact = PhoneNumber.parse(text) if looks_like_phone(text) else EmailAddress.parse(text)
    return login_key(contact.kind, contact.key)


def _login_keys(customer: Customer) -> Iterator[str]:
    if customer.status in HOLDS_SIGN_IN_KEY:
        for contact in (*customer.contacts, *(former.contact for former in customer.former_contacts)):
            if ContactRole.LOGIN in contact.roles:
                yield login_key(contact.kind, contact.key)
        if customer.username is not None:
            yield from username_keys(customer.username)


def _oldest_key_version(customer: Customer) -> str | None:
    """Answer by which version of the rules the oldest key among a customer's addresses was computed."""
    contacts = (*customer.contacts, *(former.contact for former in customer.former_contacts))
    versions = [c.value.key_version for c in contacts if isinstance(c.value, EmailAddress)]
    return str(min(versions)) if versions else None


CUSTOMERS = Book(
    name="customers",
    of=Customer,
    unique={"login_contact": _login_keys},
    groups={"key_version": _oldest_key_version},
    order=lambda c: c.created_at,
    due=lambda c: c.status_until if c.status is AccountStatus.PENDING else None,
    personal=True,
)
