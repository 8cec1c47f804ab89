"""Judging passkeys: who asked, for which site, and whether the device may be believed.

The rules, in plain English:

* The browser must say that it was asked for this very thing, with this very challenge, by a page of the shop. A page
  in somebody else's frame counts only where the shop named that somebody.
* The device must have made its answer for the shop's domain, with its user present; and with its user verified where
  that is asked for. What is asked for and isn't there is refused, never counted as less.
* A key that can't be copied isn't copied; whether it can be never changes.
* A counter that was in use moves on with each use. One that doesn't tells that there may be two of that device.
* People who say who they are first learn nothing from the list of keys they are asked for: an address without passkeys
  has a made-up one, always the same.

[W3C WebAuthn 3 sections 6.1, 7.1, 7.2, 14.6.2]
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Final, Literal

import attrs

from shopaccounts.kernel.secret import Secret, same
from shopaccounts.signin.authenticators import Passkey
from shopaccounts.signin.errors import PasskeyRefused
from shopaccounts.signin.passkeys.policy import PasskeyPolicy
from shopaccounts.signin.passkeys.responses import AssertionResponse, as_bytes, read_object

__all__ = [
    "Assertion",
    "Counting",
    "Descriptor",
    "Expected",
    "NewCredential",
    "Seen",
    "check_owner",
    "descriptors",
    "fake_descriptors",
    "judge_authenticator",
    "judge_client_data",
    "judge_counter",
    "used",
]

_HEAD: Final = 37
"""Hash of the domain (32), flags (1), counter (4)."""
_PRESENT, _VERIFIED, _ELIGIBLE, _BACKED_UP = 1 << 0, 1 << 2, 1 << 3, 1 << 4
_LENGTHS: Final = (16, 20, 32)
"""How long the names are that common devices give their keys."""
_SYNCED: Final = ("hybrid", "internal")


@attrs.frozen(kw_only=True)
class Expected:
    """What an answer is held against.

    Args:
        challenge: What the browser was given.
        policy: The shop's.
        user_verification: Whether the device has to have verified its user.
        now: When the answer came; certificates are judged as of then.
    """

    challenge: bytes = attrs.field(repr=False)
    policy: PasskeyPolicy
    user_verification: bool
    now: datetime


@attrs.frozen(kw_only=True)
class Seen:
    """What a device says of itself and of its user."""

    user_verified: bool
    is_backup_eligible: bool
    is_backed_up: bool
    counter: int


@attrs.frozen(kw_only=True)
class NewCredential:
    """A key that was made, as far as it may be believed.

    Args:
        credential: Its name.
        public_key: The key, as COSE.
        aaguid: The make of the device, as it says itself.
        transports: How a browser reaches it.
        seen: What the device says.
    """

    credential: bytes = attrs.field(repr=False)
    public_key: bytes = attrs.field(repr=False)
    aaguid: str
    transports: tuple[str, ...]
    seen: Seen


@attrs.frozen(kw_only=True)
class Assertion:
    """A use of a key whose signature is right."""

    seen: Seen


@attrs.frozen(kw_only=True)
class Descriptor:
    """One key that a browser is told of."""

    credential: bytes = attrs.field(repr=False)
    transports: tuple[str, ...] = ()


class Counting(Enum):
    """What a counter tells."""

    FINE = "fine"
    SUSPECT = "suspect"


def judge_client_data(raw: bytes, kind: Literal["webauthn.create", "webauthn.get"], expected: Expected) -> None:
    """Check what a browser says of the page that asked.

    Raises:
        PasskeyRefused: ``form``, ``type``, ``challenge``, ``origin`` or ``cross_origin``.
    """
    try:
        said = read_object(raw.decode())
    except UnicodeDecodeError:
        raise PasskeyRefused(reason="form") from None
    if said.get("type") != kind:
        raise PasskeyRefused(reason="type")
    if not same(as_bytes(said.get("challenge")), expected.challenge):
        raise PasskeyRefused(reason="challenge")
    if said.get("origin") not in expected.policy.origins:
        raise PasskeyRefused(reason="origin")
    if not _may_be_framed(said.get("crossOrigin", False), said.get("topOrigin"), expected.policy):
        raise PasskeyRefused(reason="cross_origin")


def _may_be_framed(is_framed: object, by: object, policy: PasskeyPolicy) -> bool:
    return by is None if is_framed is False else is_framed is True and by in policy.cross_origin


def judge_authenticator(raw: bytes, expected: Expected) -> Seen:
    """Answer what a device says of this use.

    Args:
        raw: The authenticator data, as it was signed.
        expected: What it is held against.

    Raises:
        PasskeyRefused: ``form``, ``relying_party``, ``user_presence``, ``user_verification`` or ``backup_state``.
    """
    if len(raw) < _HEAD:
        raise PasskeyRefused(reason="form")
    site, flags, counter = raw[:32], raw[32], int.from_bytes(raw[33:_HEAD], "big")
    if not same(site, hashlib.sha256(expected.policy.rp_id.encode()).digest()):
        raise PasskeyRefused(reason="relying_party")
    if not flags & _PRESENT:
        raise PasskeyRefused(reason="user_presence")
    if expected.user_verification and not flags & _VERIFIED:
        raise PasskeyRefused(reason="user_verification")
    if flags & _BACKED_UP and not flags & _ELIGIBLE:
        raise PasskeyRefused(reason="backup_state")
    return Seen(
        user_verified=bool(flags & _VERIFIED),
        is_backup_eligible=bool(flags & _ELIGIBLE),
        is_backed_up=bool(flags & _BACKED_UP),
        counter=counter,
    )


def check_owner(response: AssertionResponse, user_handle: bytes | None, *, named: bool) -> None:
    """Check that the device says whose key it is, and that this is whose we know it to be.

    Args:
        response: What the browser answered.
        user_handle: The account's.
        named: Whether the account was known when the browser was asked; only then the device need not say.

    Raises:
        PasskeyRefused: ``user_handle``.
    """
    said = response.user_handle
    if said is None and named:
        return
    if said is None or user_handle is None or not same(said, user_handle):
        raise PasskeyRefused(reason="user_handle")


def judge_counter(stored: int, seen: int) -> Counting:
    """Tell whether a counter moved on, where one is kept at all."""
    return Counting.SUSPECT if (stored != 0 or seen != 0) and seen <= stored else Counting.FINE


def used(passkey: Passkey, assertion: Assertion, policy: PasskeyPolicy, now: datetime) -> tuple[Passkey, Counting]:
    """Answer a passkey after a use, and what its counter tells; the counter never goes back.

    Raises:
        PasskeyRefused: ``backup_state``: whether it may be copied has changed; ``counter``, where the shop refuses.
    """
    seen = assertion.seen
    if seen.is_backup_eligible is not passkey.is_backup_eligible:
        raise PasskeyRefused(reason="backup_state")
    counting = judge_counter(passkey.counter, seen.counter)
    if counting is Counting.SUSPECT and policy.counter == "refuse":
        raise PasskeyRefused(reason="counter")
    after = attrs.evolve(
        passkey,
        counter=max(passkey.counter, seen.counter),
        is_backed_up=seen.is_backed_up,
        user_verified=passkey.user_verified or seen.user_verified,
        last_used_at=now,
    )
    return after, counting


def descriptors(passkeys: Sequence[Passkey]) -> tuple[Descriptor, ...]:
    """Answer what a browser is told of passkeys."""
    return tuple(Descriptor(credential=one.credential, transports=one.transports) for one in passkeys)


def fake_descriptors(typed: str, key: Secret[bytes]) -> tuple[Descriptor, ...]:
    """Answer what a browser is told where there are no passkeys: one that nobody has, the same each time.

    Args:
        typed: What was typed, in the form in which accounts are found by it.
        key: Keeps others from telling it from a real one.
    """
    drawn = hmac.digest(key.reveal(), f"passkey\0{typed}".encode("utf-8", "surrogatepass"), hashlib.sha512)
    length = _LENGTHS[drawn[-1] % len(_LENGTHS)]
    return (Descriptor(credential=drawn[:length], transports=_SYNCED),)
