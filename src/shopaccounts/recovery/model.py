"""The answers of recovery, and what it remembers of them."""

from datetime import datetime, timedelta

import attrs

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.web import Landing
from shopaccounts.passwords import PasswordGuide

__all__ = ["STOP_NOTICES", "PasswordWasReset", "ResetOffer", "ResetSent", "StopNotice"]


@described(data_class="security", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class StopNotice:
    """When the owner of a suspended account who asked for a reset was last told that it is suspended."""

    id: AccountId
    realm: RealmId
    version: int = 1
    told_at: datetime


STOP_NOTICES = Book(name="stop_notices", of=StopNotice, keep_until=lambda n: n.told_at + timedelta(days=1))


@attrs.frozen(kw_only=True)
class ResetSent:
    """What everybody who asks is told, whatever the shop knows of the address."""

    channel: Channel
    masked: str
    resend_after: timedelta


@attrs.frozen(kw_only=True)
class ResetOffer(Landing):
    """What the landing page of a reset link shows; looking changes nothing."""

    masked: str
    expires_at: datetime
    guide: PasswordGuide


@attrs.frozen(kw_only=True)
class PasswordWasReset:
    """The new password holds; the customer signs in with it as usual."""

    masked: str
