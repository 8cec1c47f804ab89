"""What a browser was asked to do with a passkey, until it answers; and codes that bring a passkey to another device.

* A question holds 32 bytes of chance, waits five minutes, and takes one right answer.
* Its answer counts for what was asked and nothing else: making a passkey, signing in, or proving once more who one is;
  in the browser that was asked; where it was asked in a session or a half-done sign-in, in that; where the account was
  known, for that account. A question about an account that there isn't has no right answer.
* Who is signed in may have a code shown, of twelve letters, and type it into another device together with the address:
  that device may then make one passkey. A code lives ten minutes and takes five wrong answers.

[W3C WebAuthn 3 section 13.4.3; NIST SP 800-63B-4 3.1.6.2, 4.1.2.2]
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.codes import Challenge, CodeShape
from shopaccounts.kernel.flows import is_same_browser
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import described, impersonal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import AccountSecurity, Stamp, Stamps
from shopaccounts.kernel.tickets import Use
from shopaccounts.kernel.web import SetCookie
from shopaccounts.signin.errors import PasskeyRefused

__all__ = [
    "BINDING_LIFE",
    "BINDING_SHAPE",
    "CEREMONIES",
    "CEREMONY",
    "DEVICE_BINDINGS",
    "Ceremony",
    "CeremonyPurpose",
    "DeviceBinding",
    "DeviceBindingStarted",
    "PasskeyRequest",
    "check_answerable",
    "has_moved",
]

CEREMONY: Final = Use("passkey_ceremony", "pky", frozenset())
"""What the handle of a question is for."""
CHALLENGE_BYTES: Final = 32
BINDING_SHAPE: Final = CodeShape(digits=0, letters=12)
"""Twelve letters of twenty are 51 bits."""
BINDING_LIFE: Final = timedelta(minutes=10)
_BINDING_RESTS_ON: Final = frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS, Stamp.FACTORS})


class CeremonyPurpose(Enum):
    """What a browser was asked for."""

    REGISTER = "register"
    SIGN_IN = "sign_in"
    PROVE = "prove"


@described(data_class="security", default=impersonal("ids, times, switches"))
@attrs.frozen(kw_only=True)
class Ceremony:
    """One question to a browser.

    Args:
        id: The selector of its handle.
        digest: Digest of the handle.
        account: Whose passkey it is about, where that is known.
        is_named: Whether somebody was named when it was asked; without an account, nobody's answer is right.
        browser: Digest of the browser that was asked.
        bound: In what it was asked: ``session`` or ``progress`` and its id, or ``another device``; empty for none.
        user_verification: Whether the device has to have verified its user.
        used_at: When it was answered right.
    """

    id: str
    realm: RealmId
    version: int = 1
    purpose: CeremonyPurpose
    digest: bytes = attrs.field(repr=False, metadata=secret("security", "digest of a handle"))
    challenge: bytes = attrs.field(repr=False, metadata=secret("security", "what an answer is bound to"))
    account: AccountId | None = None
    is_named: bool = False
    browser: bytes = attrs.field(repr=False, metadata=secret("security", "digest of a browser's value"))
    bound: str = attrs.field(default="", metadata=impersonal("built from opaque ids"))
    user_verification: bool
    opened_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


CEREMONIES = Book(
    name="passkey_ceremonies",
    of=Ceremony,
    groups={"account": lambda c: c.account},
    order=lambda c: c.opened_at,
    keep_until=lambda c: c.expires_at,
)


@described(data_class="security", default=impersonal("ids, times, counters"))
@attrs.frozen(kw_only=True)
class DeviceBinding:
    """The code by which another device of an account may make a passkey; the newest of the account's.

    Args:
        question: The id of the question that was asked of who gave it; None as long as nobody has.
    """

    id: AccountId
    realm: RealmId
    version: int = 1
    challenge: Challenge
    stamps: Stamps
    question: str | None = None


DEVICE_BINDINGS = Book(
    name="device_bindings", of=DeviceBinding, keep_until=lambda binding: binding.challenge.expires_at
)


@attrs.frozen(kw_only=True)
class PasskeyRequest:
    """What a browser is asked.

    Args:
        handle: Comes back with the answer.
        options: JSON for ``PublicKeyCredential.parseCreationOptionsFromJSON`` or ``parseRequestOptionsFromJSON``.
        expires_at: Until when the answer counts.
        set_cookies: What goes into the browser with it.
    """

    handle: Secret[str]
    options: str = attrs.field(repr=False)
    expires_at: datetime
    set_cookies: tuple[SetCookie, ...] = ()


@attrs.frozen(kw_only=True)
class DeviceBindingStarted:
    """A code for another device; shown now and never again."""

    code: Secret[str]
    expires_at: datetime


def check_answerable(
    ceremony: Ceremony, purpose: CeremonyPurpose, bound: str, context: RequestContext, now: datetime
) -> None:
    """Check that a question may be answered here and now.

    Args:
        ceremony: The question.
        purpose: What the answer is given for.
        bound: In what it is given.
        context: Where it came from.
        now: When.

    Raises:
        PasskeyRefused: ``over``.
    """
    is_waiting = ceremony.used_at is None and now < ceremony.expires_at
    is_the_same = ceremony.purpose is purpose and ceremony.bound == bound and is_same_browser(context, ceremony.browser)
    if not is_waiting or not is_the_same:
        raise PasskeyRefused(reason="over")


def has_moved(binding: DeviceBinding, security: AccountSecurity) -> bool:
    """Tell whether something that a code for another device relied on has moved at the account since."""
    return security.stamps.moved(binding.stamps, _BINDING_RESTS_ON)
