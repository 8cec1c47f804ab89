"""Asking again answers the same: what people ask for under a key of their own.

The rules, in plain English:

* A request may bring a key of the caller's choice. What it led to is written down under that key, in the same change:
  there is neither without the other.
* Asked again under the key, nothing is done, and it answers what the request led to, as that stands by then. So it is
  also when the subscription has moved on, and what was asked for would be refused by now.
* A key is good for one request of a customer in a store. With anything else it is refused.
* What was refused is not written down: under the same key it may be asked for once more.
* A key is remembered for 400 days, of the house: tasks of every year that are named by what they are for come back
  under it. Then it may stand for something else.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeVar

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.receipts import body_hash, request_key
from shopaccounts.kernel.record import Book, Change
from shopaccounts.subscriptions.errors import RequestIdReused
from shopaccounts.subscriptions.marks import AN_ID

__all__ = [
    "NO_KEY",
    "SUBSCRIPTION_REQUESTS",
    "Asked",
    "KeptRequest",
    "Request",
    "asked_by",
    "done_before",
    "once",
    "remembered",
]


T = TypeVar("T")
KEPT_FOR: Final = timedelta(days=400)
"""How long a key is remembered."""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_NO_IDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


@attrs.frozen
class Request:
    """What somebody asks for.

    Args:
        command: Which operation, by its stable name.
        key: A key of the caller's choice, 1 to 128 printable ASCII characters; empty for none.
        content: What else was said, as plain values.
    """

    command: str
    key: str = ""
    content: Mapping[str, Any] = _NOTHING


NO_KEY: Final = Request("")
"""What nobody can ask for again."""


@attrs.frozen(kw_only=True)
class Asked:
    """A request with a key, as it is known again.

    Args:
        id: Made of the store, of who asks, and of the key.
        asker: Who asks: a customer, or one of the shop's people.
        subject: The id of what it is about.
        content: A digest of what exactly was asked for.
    """

    id: str
    asker: str
    subject: str
    content: str


@described(data_class="billing", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class KeptRequest:
    """A request that was carried out, and what it led to.

    Args:
        id: Made of the store, of who asked, and of the key.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written: once.
        asker: Who asked: a customer, or one of the shop's people.
        subject: The id of what it was about.
        asked: A digest of what exactly was asked for.
        led_to: The ids of what was written, by what they are.
        at: When it was carried out.
    """

    id: str = attrs.field(metadata=impersonal("a digest"))
    realm: RealmId
    store: StoreId
    version: int = 1
    asker: str = attrs.field(metadata=AN_ID)
    subject: str = attrs.field(metadata=AN_ID)
    asked: str = attrs.field(metadata=impersonal("a digest"))
    led_to: Mapping[str, tuple[str, ...]] = attrs.field(default=_NO_IDS, metadata=impersonal("opaque ids"))
    at: datetime


SUBSCRIPTION_REQUESTS: Final = Book(
    name="subscription_requests",
    of=KeptRequest,
    groups={"asker": lambda kept: kept.asker},
    keep_until=lambda kept: kept.at + KEPT_FOR,
)
"""Every request with a key that was carried out."""


def asked_by(desk: Desk, asker: str, subject: str, request: Request) -> Asked | None:
    """Answer a request as it is known again; None where it has no key.

    Args:
        desk: In which store.
        asker: Who asks.
        subject: The id of what it is about.
        request: What is asked for.

    Raises:
        InvalidInput: It has what can't be a key.
    """
    if not request.key:
        return None
    made_of = "\0".join((desk.scope.store, asker, request_key(request.key)))
    return Asked(
        id=hashlib.sha256(made_of.encode()).hexdigest()[:32],
        asker=asker,
        subject=subject,
        content=body_hash(f"subscriptions.{request.command}", {"subject": subject, **request.content}),
    )


async def done_before(desk: Desk, asked: Asked | None) -> KeptRequest | None:
    """Answer a request that was carried out under the same key; None if none was.

    Args:
        desk: Whose books.
        asked: What is asked for; None where it has no key.

    Raises:
        RequestIdReused: Something else was asked for under that key.
    """
    found = await got(desk.records.find(SUBSCRIPTION_REQUESTS, asked.id)) if asked else None
    if asked is None or found is None:
        return None
    if found.it.asked != asked.content:
        raise RequestIdReused
    return found.it


async def once(
    desk: Desk,
    asked: Asked | None,
    work: Callable[[], Awaitable[T]],
    again: Callable[[KeptRequest], Awaitable[T]],
) -> T:
    """Do something unless it was done under the same key.

    What is refused may have been done by somebody else between two looks, so that nothing is left to do: that is looked
    up before it is told.

    Args:
        desk: Whose books.
        asked: What is asked for; None where it has no key.
        work: Does it, and records the request with it.
        again: Answers what it led to before.

    Raises:
        RequestIdReused: Something else was asked for under that key.
        Rejected: As *work* says.
    """
    if (before := await done_before(desk, asked)) is not None:
        return await again(before)
    try:
        return await work()
    except Rejected:
        if (before := await done_before(desk, asked)) is not None:
            return await again(before)
        raise


def remembered(desk: Desk, asked: Asked | None, led_to: Mapping[str, tuple[str, ...]] = _NO_IDS) -> Change:
    """Answer what is recorded together with what a request leads to; nothing where it has no key.

    Args:
        desk: Whose books.
        asked: What was asked for.
        led_to: The ids of what is written, by what they are.
    """
    if asked is None:
        return Change()
    kept = KeptRequest(
        id=asked.id,
        realm=desk.scope.realm,
        store=desk.scope.store,
        asker=asked.asker,
        subject=asked.subject,
        asked=asked.content,
        led_to=led_to,
        at=desk.now(),
    )
    return Change(writes=(SUBSCRIPTION_REQUESTS.add(kept),))
