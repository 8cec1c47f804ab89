"""Tickets: typed, opaque, single use.

A ticket's text names a row (selector) and proves the right to it (verifier). Only a digest of the verifier is kept,
and the purpose is part of the digest: a ticket for one purpose satisfies no other, even if a store handed out the wrong
row. Unknown, malformed, of another purpose or realm: all the same refusal. Only who holds the right verifier learns
more.

Looking (``peek``) is not using (``spend``): a mail scanner that opens a link changes nothing.
"""

import hashlib
import re
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.chance import Entropy, as_token
from shopaccounts.kernel.errors import InvalidInput, Kind, Rejected
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.personal import described, impersonal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret, same
from shopaccounts.kernel.security import Stamp, Stamps
from shopaccounts.kernel.text import require_text

__all__ = [
    "TICKETS",
    "Forged",
    "LinkExpired",
    "LinkInvalid",
    "LinkStale",
    "LinkUsed",
    "Purpose",
    "Refusals",
    "Ticket",
    "TicketSpent",
    "Use",
    "fits",
    "forge",
    "is_replaced",
    "mint",
    "peek",
    "read_selector",
    "selector_in",
    "spend",
]

SELECTOR_BYTES: Final = 16
VERIFIER_BYTES: Final = 32
LONG_PART: Final = 43
"""As many signs as the last part of a text has."""
CLOCK_SKEW: Final = timedelta(minutes=2)
"""How far in the future a ticket may have been issued, by a host whose clock runs ahead."""
_TEXT: Final = re.compile(r"sa1\.([a-z]{3})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
_DOMAIN: Final = "shopaccounts/ticket/1"


class LinkInvalid(Rejected):
    """No ticket fits this text."""

    kind = Kind.NOT_FOUND


@attrs.frozen
class LinkExpired(Rejected):
    """The ticket's time is over."""

    kind = Kind.GONE
    purpose: str
    at: datetime


@attrs.frozen
class LinkUsed(Rejected):
    """The ticket was spent before."""

    kind = Kind.GONE
    purpose: str
    at: datetime


@attrs.frozen
class LinkStale(Rejected):
    """What the ticket was about has changed since."""

    kind = Kind.GONE
    purpose: str


@attrs.frozen
class Refusals:
    """How one context words the four ways in which a ticket fails."""

    invalid: type[LinkInvalid]
    expired: type[LinkExpired]
    used: type[LinkUsed]
    stale: type[LinkStale]


@attrs.frozen
class Use:
    """What a secret text is for.

    Args:
        name: Stable; part of the digest.
        code: Three letters in the text.
        depends_on: Stamps whose move kills it.
    """

    name: str
    code: str
    depends_on: frozenset[Stamp]


@attrs.frozen
class Purpose(Use):
    """What a ticket is for, and the rejections of the context that consumes it."""

    refusals: Refusals


@described(data_class="security", default=impersonal("ids, times, counters"))
@attrs.frozen(kw_only=True)
class Ticket:
    """The kept half of a ticket; ``bound`` says what exactly it is about, and is compared when it is spent."""

    id: str
    realm: RealmId
    version: int = 1
    purpose: str = attrs.field(metadata=impersonal("the name of a purpose"))
    subject: str = attrs.field(metadata=impersonal("an opaque id"))
    digest: bytes = attrs.field(metadata=secret("security", "digest of a verifier"), repr=False)
    bound: str = attrs.field(metadata=secret("security", "digest or id of what it is about"))
    stamps: Stamps
    issued_at: datetime
    expires_at: datetime
    spent_at: datetime | None = None

    @property
    def selector(self) -> str:
        """The public half of the text, by which the row is found."""
        return self.id


@attrs.frozen
class Forged:
    """A fresh text: the selector and digest are kept, the text is handed out and exists nowhere else."""

    selector: str
    digest: bytes = attrs.field(repr=False)
    text: Secret[str]


@attrs.frozen
class TicketSpent:
    """Proof that a ticket was spent; only ``spend`` makes one."""

    purpose: str
    subject: str
    bound: str
    at: datetime


def is_replaced(ticket: Ticket, newest: Ticket | None) -> bool:
    """Tell whether a newer ticket of its subject and purpose was issued, so that this one is live no more.

    Args:
        ticket: The ticket in hand.
        newest: The newest of its group ``issued``.
    """
    return newest is not None and newest.id != ticket.id


TICKETS = Book(
    name="tickets",
    of=Ticket,
    groups={
        "subject": lambda t: t.subject or None,
        "issued": lambda t: f"{t.subject} {t.purpose}" if t.subject else None,
    },
    order=lambda t: t.issued_at,
    keep_until=lambda t: t.expires_at,
)


def forge(purpose: Use, realm: RealmId, entropy: Entropy, selector: str = "") -> Forged:
    """Answer a new text of *purpose* with the two halves that are kept of it.

    Args:
        purpose: What the text is for.
        realm: Where it is good.
        entropy: The dice.
        selector: That of another text which the same row keeps a half of; a fresh one is drawn if it is empty.
    """
    return Forged(*_drawn(purpose, realm, entropy, selector))


def fits(text: Secret[str], purpose: Use, realm: RealmId, selector: str, digest: bytes) -> bool:
    """Tell whether *text* is the one that was forged for this purpose with these halves.

    Raises:
        InvalidInput: Not even a secret text.
    """
    raw, head = _text_of(text), _head(purpose, selector)
    if not raw.startswith(head) or len(raw) - len(head) != LONG_PART or not raw.isascii():
        return False
    return same(digest, _digest(purpose, realm, selector, raw[len(head) :]))


def mint(
    purpose: Use,
    *,
    realm: RealmId,
    subject: str,
    bound: str,
    stamps: Stamps,
    life: timedelta,
    now: datetime,
    entropy: Entropy,
    selector: str = "",
) -> tuple[Ticket, Secret[str]]:
    """Answer a new ticket and its text, which exists nowhere else; *selector* as in ``forge``."""
    selector, digest, text = _drawn(purpose, realm, entropy, selector)
    ticket = Ticket(
        id=selector,
        realm=realm,
        purpose=purpose.name,
        subject=subject,
        digest=digest,
        bound=bound,
        stamps=stamps,
        issued_at=now,
        expires_at=now + life,
    )
    return ticket, text


def read_selector(text: Secret[str], purpose: Purpose) -> str:
    """Answer the selector in a ticket's text, by which its row is found.

    Raises:
        InvalidInput: Not even a secret text, or longer than any ticket.
        LinkInvalid: The text is no ticket of this purpose.
    """
    check_handle(text)
    selector = selector_in(text, purpose)
    if selector is None:
        raise purpose.refusals.invalid
    return selector


def check_secret(text: Secret[str] | None) -> None:
    """Refuse what isn't even a secret text, where none is needed; None is none.

    Raises:
        InvalidInput: It isn't.
    """
    if text is not None:
        _text_of(text)


def check_handle(text: Secret[str]) -> None:
    """Refuse what can't be a ticket's text or a handle at all.

    Raises:
        InvalidInput: Not even a secret text, or longer than any.
    """
    require_text(_text_of(text), "token", printable=False)


def selector_in(text: Secret[str], purpose: Use) -> str | None:
    """Answer the selector in a text of this purpose, None if it is no such text.

    Raises:
        InvalidInput: Not even a secret text.
    """
    parts = _TEXT.fullmatch(_text_of(text))
    return parts[2] if parts and parts[1] == purpose.code else None


def peek(ticket: Ticket | None, text: Secret[str], purpose: Purpose, stamps: Stamps, now: datetime) -> Ticket:
    """Check that *text* could be spent now, and change nothing.

    Raises:
        LinkInvalid: No such ticket for this purpose, or the verifier is wrong.
        LinkUsed: It was spent.
        LinkExpired: *now* is at or after its end.
        LinkStale: A stamp it depends on has moved.
    """
    refusals = purpose.refusals
    if ticket is None or not fits(text, purpose, ticket.realm, ticket.id, ticket.digest):
        raise refusals.invalid
    if ticket.issued_at - now > CLOCK_SKEW:
        raise refusals.invalid
    if ticket.spent_at is not None:
        raise refusals.used(ticket.purpose, ticket.spent_at)
    if now >= ticket.expires_at:
        raise refusals.expired(ticket.purpose, ticket.expires_at)
    if stamps.moved(ticket.stamps, purpose.depends_on):
        raise refusals.stale(ticket.purpose)
    return ticket


def spend(
    ticket: Ticket | None, text: Secret[str], purpose: Purpose, stamps: Stamps, now: datetime
) -> tuple[Ticket, TicketSpent]:
    """Spend a ticket: it works once, and only before it expires.

    Raises:
        LinkInvalid, LinkUsed, LinkExpired, LinkStale: As ``peek``.
    """
    good = peek(ticket, text, purpose, stamps, now)
    return attrs.evolve(good, spent_at=now), TicketSpent(good.purpose, good.subject, good.bound, now)


def _text_of(text: Secret[str]) -> str:
    """Open a secret from outside, where a host may have put whatever it got into it."""
    raw = text.reveal() if isinstance(text, Secret) else None
    if not isinstance(raw, str):
        raise InvalidInput(field="token")
    return raw


def _drawn(purpose: Use, realm: RealmId, entropy: Entropy, selector: str) -> tuple[str, bytes, Secret[str]]:
    """Answer selector, digest and text of what is forged or minted."""
    drawn = entropy.raw(SELECTOR_BYTES + VERIFIER_BYTES)
    selector, verifier = selector or as_token(drawn[:SELECTOR_BYTES]), as_token(drawn[SELECTOR_BYTES:])
    text = Secret(_head(purpose, selector) + verifier)
    return selector, _digest(purpose, realm, selector, verifier), text


def _head(purpose: Use, selector: str) -> str:
    return f"sa1.{purpose.code}.{selector}."


def _digest(purpose: Use, realm: str, selector: str, verifier: str) -> bytes:
    return hashlib.sha256(f"{_DOMAIN}\0{purpose.name}\0{realm}\0{selector}{verifier}".encode()).digest()
