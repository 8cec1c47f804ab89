"""Asking whether messages to a contact arrive.

The shop's people may ask, with a reason: one open question for a contact, a few a month. Whoever reads the message
presses a button, and that is all it takes; it proves nothing about who they are and opens nothing.
"""

from datetime import datetime
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.tickets import Purpose, Ticket
from shopaccounts.kernel.web import Landing
from shopaccounts.registration.changing import LINK_REFUSALS

__all__ = ["CHECK", "CONTACT_CHECKS", "CheckOffer", "CheckState", "ContactCheck"]

CHECK: Final = Purpose("check_contact", "chk", frozenset(), LINK_REFUSALS)
"""Answers that a message has arrived."""


class CheckState(Enum):
    """How a check stands."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    FAILED = "failed"


@described(data_class="contact_points", default=impersonal("ids, times, states"))
@attrs.frozen(kw_only=True)
class ContactCheck:
    """One question whether messages to a contact arrive; its id is the selector of its link."""

    id: str
    realm: RealmId
    version: int = 1
    account: AccountId
    contact: ContactId
    link: Ticket
    asked_at: datetime
    state: CheckState = CheckState.OPEN


CONTACT_CHECKS = Book(
    name="contact_checks",
    of=ContactCheck,
    unique={"open_contact_check": lambda c: [c.contact] if c.state is CheckState.OPEN else []},
    groups={"account": lambda c: c.account},
    order=lambda c: c.asked_at,
    due=lambda c: c.link.expires_at if c.state is CheckState.OPEN else None,
    keep_until=lambda c: c.link.expires_at,
)


@attrs.frozen(kw_only=True)
class CheckOffer(Landing):
    """What the landing page of a check shows; looking changes nothing."""

    expires_at: datetime
