"""What customers are told of their second steps."""

from datetime import datetime

import attrs

from shopaccounts.kernel.doorkeeper import NextValue
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import ClearCookie
from shopaccounts.passwords import GuidanceKey
from shopaccounts.signin.authenticators import FactorKind

__all__ = [
    "EnrolledFactors",
    "FactorEnrolment",
    "FactorOffer",
    "FactorSummary",
    "FactorWasRemoved",
    "RecoveryCodesSummary",
    "RecoveryCodesWereRenewed",
    "TotpStarted",
]


@attrs.frozen(kw_only=True)
class TotpStarted:
    """What an app is set up with; it is shown now and never again.

    Args:
        factor: The id that the factor will have.
        secret: To be typed into an app, in base 32.
        uri: The same for apps that take a link.
        qr: The same for a camera, as an SVG picture; None where the shop draws none.
        expires_at: Until when it waits for the app's first code.
    """

    factor: str
    secret: Secret[str]
    uri: Secret[str]
    qr: Secret[str] | None
    expires_at: datetime


@attrs.frozen(kw_only=True)
class FactorEnrolment:
    """A second step was added.

    Args:
        factor: Its id.
        recovery_codes: Fresh recovery codes, to be shown once; empty if it isn't the first step beyond e-mail.
        next_value: How the session goes on. None for a session that was opened for enrolling alone: it has done its
            work, and the customer signs in anew.
        clear_cookies: What the browser is to drop.
    """

    factor: str
    recovery_codes: tuple[Secret[str], ...]
    next_value: NextValue | None
    clear_cookies: tuple[ClearCookie, ...] = ()


@attrs.frozen(kw_only=True)
class FactorWasRemoved:
    """A second step was removed.

    Args:
        next_value: How the session goes on.
        recovery_codes_removed: It was the last one beyond e-mail, and the recovery codes went with it.
        guidance: What the customer should know of the new password, if there is one.
    """

    next_value: NextValue
    recovery_codes_removed: bool
    guidance: tuple[GuidanceKey, ...] = ()


@attrs.frozen(kw_only=True)
class RecoveryCodesWereRenewed:
    """The account has new recovery codes, to be shown once; those from before open nothing."""

    recovery_codes: tuple[Secret[str], ...]
    next_value: NextValue


@attrs.frozen(kw_only=True)
class FactorSummary:
    """What the list shows of one second step.

    Args:
        hint: Where its codes go, masked; empty for an app.
        is_disabled: It failed too often in a row, and can only be removed.
    """

    id: str
    kind: FactorKind
    label: str = attrs.field(repr=False)
    hint: str = attrs.field(repr=False)
    created_at: datetime
    last_used_at: datetime | None
    is_disabled: bool


@attrs.frozen(kw_only=True)
class RecoveryCodesSummary:
    """When an account's recovery codes were made, and how many are left."""

    made_at: datetime
    left: int


@attrs.frozen(kw_only=True)
class FactorOffer:
    """A second step that the customer may add.

    Args:
        contact: The id of the number or address that codes would go to; None for an app.
        hint: That number or address, masked.
        warning: What to say of it: ``sms_is_weaker``; empty for nothing.
    """

    kind: FactorKind
    contact: ContactId | None = None
    hint: str = attrs.field(default="", repr=False)
    warning: str = ""


@attrs.frozen(kw_only=True)
class EnrolledFactors:
    """An account's second steps, and what may be added to them."""

    factors: tuple[FactorSummary, ...]
    recovery_codes: RecoveryCodesSummary | None
    offers: tuple[FactorOffer, ...]
