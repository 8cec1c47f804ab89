"""Reading what a browser answers, before anything is believed.

The rules, in plain English:

* The answer is a JSON text as ``PublicKeyCredential.toJSON()`` writes it, of at most 65,536 characters; a field that is
  written twice, a number that is none, and what isn't there make it unreadable.
* Bytes are base64url in the one way to write them: no padding, no stray bits.
* What isn't needed is not looked at; browsers may add to it.

[W3C WebAuthn 3 section 5.1]
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final, Never

import attrs

from shopaccounts.kernel.chance import as_token
from shopaccounts.kernel.text import require_text
from shopaccounts.signin.errors import PasskeyRefused
from shopaccounts.signin.passkeys.policy import MAX_CREDENTIAL_BYTES, MAX_RESPONSE

__all__ = [
    "AssertionResponse",
    "RegistrationResponse",
    "as_bytes",
    "read_assertion",
    "read_object",
    "read_registration",
]

_TRANSPORTS: Final = ("usb", "nfc", "ble", "smart-card", "hybrid", "internal")


@attrs.frozen(kw_only=True)
class RegistrationResponse:
    """What a browser answers when a passkey was made.

    Args:
        credential: The name that the device gave the key.
        client_data: What the browser says of the page that asked, as it wrote it.
        attestation: What the device says of the key.
        transports: How a browser reaches the device.
    """

    credential: bytes = attrs.field(repr=False)
    client_data: bytes = attrs.field(repr=False)
    attestation: bytes = attrs.field(repr=False)
    transports: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class AssertionResponse:
    """What a browser answers when a passkey was used.

    Args:
        credential: Which key signed, as its device names it.
        client_data: As in ``RegistrationResponse``.
        authenticator_data: What the device says of this use.
        signature: Over both.
        user_handle: Whose key it is, if the device says so.
    """

    credential: bytes = attrs.field(repr=False)
    client_data: bytes = attrs.field(repr=False)
    authenticator_data: bytes = attrs.field(repr=False)
    signature: bytes = attrs.field(repr=False)
    user_handle: bytes | None = attrs.field(default=None, repr=False)


def read_registration(text: object) -> RegistrationResponse:
    """Answer what stands in a browser's answer to making a passkey.

    Raises:
        InvalidInput: No text, or too long.
        PasskeyRefused: It can't be read (``form``).
    """
    credential, response = _read(text)
    listed = response.get("transports")
    told = listed if isinstance(listed, list) else []
    return RegistrationResponse(
        credential=credential,
        client_data=as_bytes(response.get("clientDataJSON")),
        attestation=as_bytes(response.get("attestationObject")),
        transports=tuple(name for name in _TRANSPORTS if name in told),
    )


def read_assertion(text: object) -> AssertionResponse:
    """Answer what stands in a browser's answer to using a passkey.

    Raises:
        InvalidInput, PasskeyRefused: As ``read_registration``.
    """
    credential, response = _read(text)
    handle = response.get("userHandle")
    return AssertionResponse(
        credential=credential,
        client_data=as_bytes(response.get("clientDataJSON")),
        authenticator_data=as_bytes(response.get("authenticatorData")),
        signature=as_bytes(response.get("signature")),
        user_handle=None if handle is None else as_bytes(handle),
    )


def read_object(text: str) -> Mapping[str, Any]:
    """Answer a JSON object, read strictly.

    Raises:
        PasskeyRefused: It is none (``form``).
    """
    try:
        value = json.loads(text, object_pairs_hook=_unlike, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise PasskeyRefused(reason="form") from None
    if not isinstance(value, dict):
        raise PasskeyRefused(reason="form")
    return value


def as_bytes(text: object) -> bytes:
    """Answer the bytes of a base64url text without padding.

    Raises:
        PasskeyRefused: It is no such text, or empty (``form``).
    """
    if not isinstance(text, str) or not text or not text.isascii():
        raise PasskeyRefused(reason="form")
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise PasskeyRefused(reason="form") from None
    if as_token(raw) != text:
        raise PasskeyRefused(reason="form")
    return raw


def _read(text: object) -> tuple[bytes, Mapping[str, Any]]:
    answer = read_object(require_text(text, "response", cap=MAX_RESPONSE, printable=False))
    named, response = answer.get("id"), answer.get("response")
    if answer.get("type") != "public-key" or answer.get("rawId") != named or not isinstance(response, dict):
        raise PasskeyRefused(reason="form")
    credential = as_bytes(named)
    if len(credential) > MAX_CREDENTIAL_BYTES:
        raise PasskeyRefused(reason="form")
    return credential, response


def _unlike(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Answer an object whose names all differ."""
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a name stands twice"
        raise ValueError(msg)
    return found


def _no_number(_: str) -> Never:
    msg = "not a number of JSON"
    raise ValueError(msg)
