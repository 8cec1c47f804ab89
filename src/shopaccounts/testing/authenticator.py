"""A passkey device and its browser, in software: for tests of a shop's pages without either.

``SoftwareAuthenticator`` answers what ``passkey_options`` and ``start_adding`` ask, with real keys and real signatures.
What it does is right unless ``Bends`` say otherwise, so that a test can see each thing refused.
"""

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from shopaccounts.kernel.chance import Entropy, as_token

__all__ = ["EDDSA", "ES256", "RS256", "STRAIGHT", "Bends", "HeldPasskey", "SoftwareAuthenticator"]

ES256: Final = -7
EDDSA: Final = -8
RS256: Final = -257
"""The signatures that authenticators make, as COSE numbers them. [RFC 9053 section 2; RFC 8812 section 2]"""
_PRESENT, _VERIFIED, _ELIGIBLE, _BACKED_UP, _ATTESTED = 1 << 0, 1 << 2, 1 << 3, 1 << 4, 1 << 6
_AAGUID: Final = bytes(range(16))


class _Key(Protocol):
    """The private half of a passkey."""

    def sign(self, data: bytes) -> bytes: ...

    @property
    def cose(self) -> Mapping[int, Any]: ...


@attrs.frozen(kw_only=True)
class Bends:
    """What the device or the browser does wrong; None is as it should be.

    Args:
        type: What the browser says it was asked for.
        challenge: What it says it was asked with.
        origin: The page that it says has asked.
        cross_origin, top_origin: What it says of frames.
        rp_id: The domain that the device answers for.
        user_present, user_verified: What the device says of its user.
        eligible, backed_up: What it says of copies.
        counter: How often it says the key was used.
        self_attested: Whether the new key vouches for itself.
        signed_by: The key that signs instead.
        credential: What it says the key is called.
        user_handle: Whose key it says that is; empty: it says nothing.
    """

    type: str | None = None
    challenge: bytes | None = None
    origin: str | None = None
    cross_origin: object = None
    top_origin: object = None
    rp_id: str | None = None
    user_present: bool = True
    user_verified: bool | None = None
    eligible: bool | None = None
    backed_up: bool | None = None
    counter: int | None = None
    self_attested: bool = False
    signed_by: "HeldPasskey | None" = None
    credential: bytes | None = None
    user_handle: bytes | None = None


STRAIGHT: Final = Bends()
"""Nothing is bent."""


@attrs.define(kw_only=True)
class HeldPasskey:
    """A passkey as its device holds it."""

    credential: bytes
    rp_id: str
    user_handle: bytes
    key: _Key
    counter: int = 0


@attrs.define(kw_only=True)
class SoftwareAuthenticator:
    """A device and the browser that it is in.

    Args:
        origin: The page that the browser shows.
        algorithm: The signature that the device makes, as COSE numbers it: ES256, EdDSA or RS256.
        verifies_user: Whether it verifies who uses it, as by a fingerprint.
        syncs: Whether its keys are copied to other devices; those keep no counter.
        id_bytes: How long the names of its keys are.
        entropy: Draws those names and the keys; keys for RS256 are made anew each time.
    """

    origin: str = "https://lampenhaus.example"
    algorithm: int = ES256
    verifies_user: bool = True
    syncs: bool = False
    id_bytes: int = 32
    entropy: Entropy
    held: list[HeldPasskey] = attrs.field(factory=list)

    def create(self, options: str, bends: Bends = STRAIGHT) -> str:
        """Make a passkey as ``navigator.credentials.create`` does; answer the JSON that goes to the shop."""
        from webauthn.helpers import encode_cbor  # noqa: PLC0415  (optional)

        asked = json.loads(options)
        held = HeldPasskey(
            credential=self.entropy.raw(self.id_bytes),
            rp_id=asked["rp"]["id"],
            user_handle=_bytes(asked["user"]["id"]),
            key=_KINDS[self.algorithm](self.entropy),
        )
        client_data = self._client_data("webauthn.create", asked, bends)
        attested = _AAGUID + len(held.credential).to_bytes(2, "big") + held.credential + encode_cbor(held.key.cose)
        data = self._authenticator_data(held, bends, attested)
        signature = held.key.sign(data + hashlib.sha256(client_data).digest())
        statement = {"alg": self.algorithm, "sig": signature} if bends.self_attested else {}
        form = "packed" if bends.self_attested else "none"
        self.held.append(held)
        response = {
            "clientDataJSON": as_token(client_data),
            "attestationObject": as_token(encode_cbor({"fmt": form, "attStmt": statement, "authData": data})),
            "transports": ["internal", "hybrid"],
        }
        return _answer(bends.credential or held.credential, response)

    def get(self, options: str, bends: Bends = STRAIGHT, *, held: HeldPasskey | None = None) -> str:
        """Use a passkey as ``navigator.credentials.get`` does; the newest that fits unless *held* names one.

        Raises:
            LookupError: The device has none that is asked for.
        """
        asked = json.loads(options)
        held = held or self._fitting(asked)
        if not self.syncs:
            held.counter += 1
        client_data = self._client_data("webauthn.get", asked, bends)
        data = self._authenticator_data(held, bends)
        signer = bends.signed_by or held
        handle = held.user_handle if bends.user_handle is None else bends.user_handle
        response = {
            "clientDataJSON": as_token(client_data),
            "authenticatorData": as_token(data),
            "signature": as_token(signer.key.sign(data + hashlib.sha256(client_data).digest())),
            "userHandle": as_token(handle) if handle else None,
        }
        return _answer(bends.credential or held.credential, response)

    def _fitting(self, asked: Mapping[str, Any]) -> HeldPasskey:
        named = {_bytes(one["id"]) for one in asked["allowCredentials"]}
        for held in reversed(self.held):
            if held.rp_id == asked["rpId"] and (not named or held.credential in named):
                return held
        msg = "this device holds no passkey that is asked for"
        raise LookupError(msg)

    def _client_data(self, kind: str, asked: Mapping[str, Any], bends: Bends) -> bytes:
        said: dict[str, object] = {
            "type": bends.type or kind,
            "challenge": as_token(bends.challenge) if bends.challenge else asked["challenge"],
            "origin": bends.origin or self.origin,
            "crossOrigin": False if bends.cross_origin is None else bends.cross_origin,
        }
        return json.dumps(said if bends.top_origin is None else said | {"topOrigin": bends.top_origin}).encode()

    def _authenticator_data(self, held: HeldPasskey, bends: Bends, attested: bytes = b"") -> bytes:
        flags = (
            (_PRESENT, bends.user_present),
            (_VERIFIED, _or(bends.user_verified, self.verifies_user)),
            (_ELIGIBLE, _or(bends.eligible, self.syncs)),
            (_BACKED_UP, _or(bends.backed_up, self.syncs)),
            (_ATTESTED, bool(attested)),
        )
        raised = sum(flag for flag, is_raised in flags if is_raised)
        counter = held.counter if bends.counter is None else bends.counter
        site = hashlib.sha256((bends.rp_id or held.rp_id).encode()).digest()
        return site + bytes([raised]) + counter.to_bytes(4, "big") + attested


class _Es256:
    def __init__(self, entropy: Entropy) -> None:
        self._key = ec.derive_private_key(int.from_bytes(entropy.raw(31), "big") + 1, ec.SECP256R1())

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    @property
    def cose(self) -> Mapping[int, Any]:
        point = self._key.public_key().public_numbers()
        return {1: 2, 3: ES256, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}


class _EdDsa:
    def __init__(self, entropy: Entropy) -> None:
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(entropy.raw(32))

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    @property
    def cose(self) -> Mapping[int, Any]:
        return {1: 1, 3: EDDSA, -1: 6, -2: self._key.public_key().public_bytes_raw()}


class _Rs256:
    def __init__(self, _: Entropy) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    @property
    def cose(self) -> Mapping[int, Any]:
        numbers = self._key.public_key().public_numbers()
        return {1: 3, 3: RS256, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}


_KINDS: Final[Mapping[int, Callable[[Entropy], _Key]]] = {ES256: _Es256, EDDSA: _EdDsa, RS256: _Rs256}


def _or(bent: bool | None, straight: bool) -> bool:  # noqa: FBT001  (reads as a choice)
    return straight if bent is None else bent


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _answer(credential: bytes, response: Mapping[str, Any]) -> str:
    named = as_token(credential)
    return json.dumps(
        {
            "id": named,
            "rawId": named,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
    )
