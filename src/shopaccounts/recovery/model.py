"""The answers of recovery."""

from datetime import datetime, timedelta

import attrs

from shopaccounts.kernel.messages import Channel
from shopaccounts.passwords import PasswordGuide

__all__ = ["PasswordWasReset", "ResetOffer", "ResetSent"]


@attrs.frozen(kw_only=True)
class ResetSent:
    """What everybody who asks is told, whatever the shop knows of the address."""

    channel: Channel
    masked: str
    resend_after: timedelta


@attrs.frozen(kw_only=True)
class ResetOffer:
    """What the landing page of a reset link shows; looking changes nothing."""

    masked: str
    expires_at: datetime
    guide: PasswordGuide


@attrs.frozen(kw_only=True)
class PasswordWasReset:
    """The new password holds; the customer signs in with it as usual."""

    masked: str
