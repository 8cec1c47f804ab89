"""What customers are told of their passkeys."""

from datetime import datetime

import attrs

from shopaccounts.kernel.doorkeeper import NextValue
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import ClearCookie

__all__ = ["PasskeySignal", "PasskeySummary", "PasskeyWasAdded", "PasskeyWasRemoved"]


@attrs.frozen(kw_only=True)
class PasskeySummary:
    """What the list shows of one passkey.

    Args:
        aaguid: The make of the device or of the password manager, as it says itself.
        transports: How a browser reaches it: ``usb``, ``nfc``, ``ble``, ``smart-card``, ``hybrid``, ``internal``.
        is_backed_up: Whether it is copied to other devices.
        is_disabled: It failed too often in a row, and can only be removed.
    """

    id: str
    label: str = attrs.field(repr=False)
    created_at: datetime
    last_used_at: datetime | None
    aaguid: str
    transports: tuple[str, ...]
    is_backed_up: bool
    is_disabled: bool


@attrs.frozen(kw_only=True)
class PasskeyWasAdded:
    """A passkey was added.

    Args:
        passkey: Its id.
        recovery_codes: Fresh recovery codes, to be shown once; empty if it isn't the first step beyond e-mail.
        next_value: How the session goes on. None where there was none, or one for enrolling alone: the customer signs
            in anew.
        clear_cookies: What the browser is to drop.
    """

    passkey: str
    recovery_codes: tuple[Secret[str], ...]
    next_value: NextValue | None
    clear_cookies: tuple[ClearCookie, ...] = ()


@attrs.frozen(kw_only=True)
class PasskeyWasRemoved:
    """A passkey was removed.

    Args:
        next_value: How the session goes on.
        recovery_codes_removed: It was the last step beyond e-mail, and the recovery codes went with it.
    """

    next_value: NextValue | None
    recovery_codes_removed: bool


@attrs.frozen(kw_only=True)
class PasskeySignal:
    """What a browser is told, so that it offers no passkey that the shop doesn't take any more.

    The fields are those of ``PublicKeyCredential.signalAllAcceptedCredentials``. [W3C WebAuthn 3 section 5.1.10]

    Args:
        rp_id: The domain of the passkeys.
        user_id: What devices know the account by, as base64url.
        all_accepted_credential_ids: The keys that open the account, as base64url.
    """

    rp_id: str
    user_id: str = attrs.field(repr=False)
    all_accepted_credential_ids: tuple[str, ...] = attrs.field(repr=False)
