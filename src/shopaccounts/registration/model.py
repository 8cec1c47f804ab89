"""An attempt to register, and the answers of registration."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.codes import Challenge
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.ids import AccountId, AttemptId, ContactId, RealmId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.tickets import Ticket
from shopaccounts.kernel.web import Landing
from shopaccounts.signin import SignInStep

__all__ = [
    "ATTEMPTS",
    "NO_DETAILS",
    "AcceptedTerm",
    "Attempt",
    "AttemptState",
    "CodeSent",
    "ContactConfirmed",
    "ContactOffer",
    "Details",
    "HolderUnknown",
    "Registered",
    "RegistrationForm",
    "RegistrationStarted",
    "WaitingPassword",
    "Wanted",
    "Wish",
]


@described(data_class="attempt", default=impersonal("times"))
@attrs.frozen(kw_only=True)
class AcceptedTerm:
    """A document that somebody accepted.

    Args:
        document: The shop's name of it.
        version: Which version was shown.
        locale: The language it was shown in.
        at: When it was accepted.
    """

    document: str = attrs.field(metadata=impersonal("a document of the shop"))
    version: str = attrs.field(metadata=impersonal("a version of it"))
    locale: str = attrs.field(metadata=personal("attempt", Category.PREFERENCE, on_erase=OnErase.BLANK))
    at: datetime


@described(data_class="attempt", default=impersonal("switches"))
@attrs.frozen(kw_only=True)
class Details:
    """What somebody told and accepted beside address and password; it waits with the attempt for the proof."""

    fields: Mapping[str, str] = attrs.field(
        factory=dict, repr=False, metadata=personal("attempt", Category.IDENTITY, on_erase=OnErase.NULL)
    )
    accepted: tuple[AcceptedTerm, ...] = attrs.field(
        default=(), metadata=personal("attempt", Category.PREFERENCE, on_erase=OnErase.NULL)
    )
    choices: Mapping[str, bool] = attrs.field(
        factory=dict, metadata=personal("attempt", Category.PREFERENCE, on_erase=OnErase.NULL)
    )


NO_DETAILS: Final = Details()


@attrs.frozen(kw_only=True)
class RegistrationForm:
    """What a person fills in; nothing else can be set by a form.

    Args:
        identifier: The e-mail address or phone number as typed.
        password: As typed; None for an account without one.
        locale: The language to write in; None takes the shop's.
        return_path: Where the person was; only a path of this site is kept.
        fields: Profile fields by the names that the shop's policy puts on the form.
        accepted: The documents that were accepted.
        choices: The purposes that were answered with yes or no; what wasn't asked is left out.
        by_call: Call the number and say the code, instead of sending a text message.
    """

    identifier: str = attrs.field(repr=False)
    password: object = attrs.field(default=None, repr=False)
    locale: str | None = None
    return_path: str = "/"
    fields: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    accepted: tuple[AcceptedTerm, ...] = ()
    choices: Mapping[str, bool] = attrs.field(factory=dict)
    by_call: bool = False


@attrs.frozen
class Wanted:
    """An address or number that the shop takes, and by which way codes go there."""

    value: Contact
    channel: Channel
    disposable: bool = False


@attrs.frozen(kw_only=True)
class Wish:
    """What somebody filled in, checked; and the ids for what comes of it."""

    value: Contact
    channel: Channel = Channel.EMAIL
    disposable: bool = False
    details: Details = NO_DETAILS
    locale: str
    return_path: str = "/"
    account: AccountId
    contact: ContactId


class AttemptState(Enum):
    """How far an attempt got."""

    WAITING = "waiting"
    PROVEN = "proven"


@described(data_class="attempt", default=impersonal("switches"))
@attrs.frozen(kw_only=True)
class WaitingPassword:
    """The hash of a password that waits with its attempt; the account gets it when the holder proves the address."""

    account: AccountId
    hash: str = attrs.field(repr=False, metadata=secret("security", "hash of a password"))
    meets_single_factor_minimum: bool
    breach_unchecked: bool = False


@described(data_class="attempt", default=impersonal("ids, times, states"))
@attrs.frozen(kw_only=True)
class Attempt:
    """One go at registering an address.

    Args:
        id: The selector in its handle and in its link, by which either finds it.
        account: The pending account; None for a decoy, which leads nowhere and answers like any other.
        destined: An id that no other attempt has: of the account that opened for this one, or will if its address is
            corrected.
        contact: Keyed digest of the address, by which a newer attempt replaces this one.
        value: The address or number.
        channel: By which way its code goes out.
        challenge: The code that was sent.
        handle: Proves that somebody is whoever filled in the form.
        link: Proves that somebody reads the mailbox.
        details: What was filled in beside address and password.
        disposable: Whether the address is one that lives for a few minutes.
        corrections: How often its address was corrected.
    """

    id: AttemptId
    realm: RealmId
    version: int = 1
    account: AccountId | None
    destined: AccountId
    contact: str = attrs.field(metadata=secret("attempt", "keyed digest of an address"))
    value: Contact
    channel: Channel = Channel.EMAIL
    password: WaitingPassword | None
    challenge: Challenge
    handle: Ticket
    link: Ticket
    locale: str = attrs.field(metadata=personal("attempt", Category.PREFERENCE, on_erase=OnErase.BLANK))
    return_path: str = attrs.field(metadata=impersonal("a page of the shop"))
    started_at: datetime
    state: AttemptState = AttemptState.WAITING
    details: Details = attrs.field(default=NO_DETAILS, metadata=personal("attempt", Category.IDENTITY))
    disposable: bool = False
    corrections: int = 0

    @property
    def own_password(self) -> WaitingPassword | None:
        """The password that waits, if it was hashed for the account that the attempt leads to."""
        return self.password if self.password and self.password.account == self.account else None


ATTEMPTS = Book(
    name="attempts",
    of=Attempt,
    groups={"account": lambda a: a.account, "contact": lambda a: a.contact},
    order=lambda a: a.started_at,
    keep_until=lambda a: a.link.expires_at,
    personal=True,
)


@attrs.frozen(kw_only=True)
class RegistrationStarted:
    """What everybody who registers is told, whatever the shop knows of the address.

    Args:
        handle: For this browser alone; together with the code it completes the registration.
        masked: The typed address or number, masked.
        resend_after: How long to wait before another message.
        expires_at: When the code is of no use any more.
    """

    handle: Secret[str]
    channel: Channel
    masked: str
    resend_after: timedelta
    expires_at: datetime


@attrs.frozen(kw_only=True)
class CodeSent:
    """Another message is on its way, if the address leads anywhere."""

    channel: Channel
    masked: str
    resend_after: timedelta
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Registered:
    """The address is proven and the account lives; *step* is what the gate says to its proofs."""

    account: AccountId
    return_path: str
    step: SignInStep


@attrs.frozen(kw_only=True)
class ContactOffer(Landing):
    """What the landing page of a link shows; looking changes nothing."""

    masked: str
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ContactConfirmed:
    """The address is proven by the holder; sign-in goes on as usual."""

    account: AccountId
    return_path: str


@attrs.frozen
class HolderUnknown:
    """The mailbox is proven, but not by who filled in the form: nothing changed, and the link stays good.

    Offer to take the address over with a new password.
    """
