"""What people are told when they add, change and remove contacts."""

from datetime import datetime, timedelta
from enum import Enum

import attrs

from shopaccounts.kernel.doorkeeper import NextValue
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.web import Landing

__all__ = [
    "AdditionOffer",
    "AdditionStarted",
    "ChangeOffer",
    "ChangeRequested",
    "ConfirmationNeeded",
    "ContactAdded",
    "ContactChangeUndone",
    "ContactChanged",
    "ContactRemoved",
    "ContactSummary",
    "WhichNumber",
]


@attrs.frozen(kw_only=True)
class AdditionStarted:
    """What everybody who adds a contact is told, whatever the shop knows of the address.

    Args:
        addition: Names it when the code is typed; opens nothing.
        resend_after: How long to wait before another message.
        expires_at: When the code is of no use any more.
    """

    addition: str = attrs.field(repr=False)
    channel: Channel
    masked: str
    resend_after: timedelta
    expires_at: datetime


@attrs.frozen(kw_only=True)
class AdditionOffer(Landing):
    """What the landing page of the link shows; looking changes nothing."""

    masked: str
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ContactAdded:
    """The contact is proven, and hears of what happens to the account from now on."""

    contact: str
    masked: str


@attrs.frozen(kw_only=True)
class ContactRemoved:
    """The contact is gone; until *until* it hears of what happens, and can come back.

    Every other session has ended; *next_value* is the value of this one.
    """

    masked: str
    until: datetime
    next_value: NextValue


@attrs.frozen(kw_only=True)
class ContactSummary:
    """A contact as its owner sees it in a list."""

    id: str
    kind: str
    masked: str
    roles: tuple[str, ...]
    verified: bool
    reach: str


class WhichNumber(Enum):
    """Which of both numbers of a change."""

    NEW = "new"
    OLD = "old"


@attrs.frozen(kw_only=True)
class ChangeRequested:
    """What everybody who wants to sign in by another address is told, whatever the shop knows of that address.

    Args:
        masked: The new address or number.
        channel: By which way what proves it goes out: a link to an address, a code to a number.
        confirm_old: Whether the old one has to agree as well.
        resend_after: How long to wait before another message.
        expires_at: When the links, or the code for the new number, are of no use any more.
    """

    masked: str
    channel: Channel
    confirm_old: bool
    resend_after: timedelta
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ChangeOffer(Landing):
    """What the landing page of a change's link shows; looking changes nothing. A removal has no new address."""

    old: str
    new: str | None
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ConfirmationNeeded:
    """Confirmed; the change waits for the other address, *masked*."""

    masked: str


@attrs.frozen(kw_only=True)
class ContactChanged:
    """One signs in by the new address from now on, and every other session has ended.

    Args:
        masked: The new address.
        on_hold_until: Until then nothing of value leaves the account.
        undo_until: Until then the old address can take it back.
        next_value: The value of this browser's session, if it had one of this account.
    """

    masked: str
    on_hold_until: datetime
    undo_until: datetime
    next_value: NextValue | None


@attrs.frozen(kw_only=True)
class ContactChangeUndone:
    """The old address is in force again; every session has ended, and the password has to be chosen anew."""

    masked: str
