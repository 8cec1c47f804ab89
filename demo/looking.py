"""Looks into the database and says what is there, in words; persons stay masked, secrets stay sealed."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any, Final

from sqlalchemy import select

from demo.shop import OpenShop, Place
from shopaccounts.customers import CUSTOMERS, Customer, is_verified
from shopaccounts.kernel.contact import mask
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.messages import MESSAGES, Message
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import AnyBook
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.kernel.tickets import TICKETS, Ticket
from shopaccounts.passwords import PASSWORDS, PasswordRecord
from shopaccounts.registration import ATTEMPTS, CONTACT_CHANGES, Attempt, ContactChange
from shopaccounts.signin import (
    AUTHENTICATORS,
    CEREMONIES,
    DEVICES,
    PROGRESSES,
    SESSIONS,
    Authenticators,
    Ceremony,
    KnownDevices,
    Progress,
    Session,
)

__all__ = ["Ledger", "contains", "fingerprint"]

Seen = dict[tuple[str, str], str]


def _customer(customer: Customer) -> str:
    contacts = [f"{mask(c.value)} {'proven' if is_verified(c) else 'not proven'}" for c in customer.contacts]
    return f"{customer.status.value}, {', '.join(contacts)}"


def _attempt(attempt: Attempt) -> str:
    return f"{attempt.state.value}, {attempt.challenge.tries} of {attempt.challenge.max_tries} tries used"


def _password(record: PasswordRecord) -> str:
    return f"{record.stored.text.rpartition('$')[0].rpartition('$')[0]}$..."


def _security(security: AccountSecurity) -> str:
    stamps = security.stamps
    numbers = (
        f"password {stamps.password}, contacts {stamps.contacts}, factors {stamps.factors}, account {stamps.account}"
    )
    return f"{numbers}; what is older than its stamp is dead"


def _session(session: Session) -> str:
    return f"{session.agent}, {session.ended.value if session.ended else 'open'}"


def _devices(known: KnownDevices) -> str:
    return f"{len(known.devices)} known, only digests of their cookies"


def _own(own: Authenticators) -> str:
    left = own.recovery_codes.left if own.recovery_codes else 0
    what = f"apps {len(own.factors)}, passkeys {len(own.passkeys)}, recovery codes {left}"
    return f"{what}; secrets of apps sealed, of the others only public keys and digests"


def _progress(progress: Progress) -> str:
    return f"{'over' if progress.ended_at else 'waits'}, wrong answers {progress.wrong}, only a digest of its handle"


def _ceremony(ceremony: Ceremony) -> str:
    return f"{ceremony.purpose.value}, {'answered' if ceremony.used_at else 'not answered'}"


def _change(change: ContactChange) -> str:
    return f"{mask(change.old.value)} to {mask(change.new.value) if change.new else 'none'}, {change.state.value}"


def _ticket(ticket: Ticket) -> str:
    return f"{ticket.purpose}, {'used' if ticket.spent_at else 'not used'}, only a digest of it"


def _message(message: Message) -> str:
    inside = "address and secrets sealed" if message.sealed else "address and secrets wiped"
    return f"{message.template}, {message.state.value}, {inside}"


def _event(event: Envelope) -> str:
    return f"{event.name}" + (f", number {event.seq} of this customer" if event.seq else "")


_WORDS: Final[Mapping[str, tuple[AnyBook, Callable[[Any], str]]]] = {
    "customer": (CUSTOMERS, _customer),
    "attempt": (ATTEMPTS, _attempt),
    "password": (PASSWORDS, _password),
    "stamps": (SECURITY, _security),
    "session": (SESSIONS, _session),
    "devices": (DEVICES, _devices),
    "second steps": (AUTHENTICATORS, _own),
    "half-done sign-in": (PROGRESSES, _progress),
    "passkey question": (CEREMONIES, _ceremony),
    "change": (CONTACT_CHANGES, _change),
    "link": (TICKETS, _ticket),
    "message": (MESSAGES, _message),
    "event": (EVENTS, _event),
}


class Ledger:
    """Remembers what was stored, so that it can say what is new."""

    def __init__(self) -> None:
        self._seen: Seen = {}

    def news(self, opened: OpenShop) -> list[str]:
        """Answer what was added or changed since the last look, and how many rows there are now."""
        now = dict(_rows(opened))
        news = Counter(f"{kind}: {text}" for (kind, id), text in now.items() if self._seen.get((kind, id)) != text)
        self._seen = now
        told = [f"{count} times {text}" if count > 1 else text for text, count in news.items()]
        return [*told, _counts(now)] if told else []


def _rows(opened: OpenShop) -> Iterable[tuple[tuple[str, str], str]]:
    store = opened.storage.open(Scope.single())
    for kind, (book, words) in _WORDS.items():
        table = opened.storage.tables[book].table
        with opened.storage.engine.connect() as connection:
            ids = connection.execute(select(table.c.id).order_by(table.c.id)).scalars().all()
        for id in ids:
            found = store.find(book, id)
            if found:
                yield (kind, id), words(found.it)


def _counts(seen: Seen) -> str:
    kinds = [kind for kind, _ in seen]
    return "in all " + ", ".join(f"{kinds.count(kind)} x {kind}" for kind in _WORDS if kind in kinds)


def fingerprint(place: Place) -> str:
    """Answer a digest over every row of every table."""
    with closing(sqlite3.connect(f"{place.database.as_uri()}?mode=ro", uri=True)) as connection:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()


def contains(place: Place, text: str) -> bool:
    """Tell whether a text stands anywhere in the files of the database."""
    files = place.folder.glob(f"{place.database.name}*")
    return any(text.encode() in file.read_bytes() for file in files)
