"""Sealing with AES-256-GCM, and keys derived from a few root secrets.

The rules, in plain English:

* A sealed value says which key sealed it, and carries a check of that key: GCM alone would let two keys open one
  ciphertext to two different texts. [Envelope: ``01 | key id 16 | key check 16 | nonce 12 | ciphertext and tag``]
* It is bound to its ring, realm, kind, id and field. Moved to another row or column it does not open.
* Keys have 32 bytes, nonces 12, and what a value is bound to is never empty: the primitive would take less.
* Whatever is wrong with a sealed value, the answer is a defect that names the ring and the field and nothing else.
* A shop keeps one root secret for each version of its keys. Every ring's key comes from it by HKDF, so no two rings
  share a key. New things are sealed with the newest root; older roots only open.
* One key seals at most 2^32 values, since nonces are random. [NIST SP 800-38D section 8.3]

Python can't wipe memory: a key that was loaded may stay in the process until it ends.
"""

import base64
import binascii
import hmac
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Self

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.errors import BadPolicy, Defect
from shopaccounts.kernel.secret import Secret, same
from shopaccounts.kernel.vault import (
    Key,
    KeyInUse,
    KeyMissing,
    Keyring,
    KeyState,
    Ring,
    SealBroken,
    SealContext,
    Sealed,
)

__all__ = ["MAX_SEALED", "AesVault", "KeyUsage", "KeyWornOut", "RootKeyring", "new_root"]

MAX_SEALED: Final = 2**32
"""How many values one key seals at most. [NIST SP 800-38D section 8.3, for random 96-bit nonces]"""
_FORMAT: Final = b"\x01"
_KEY: Final = 32
_ID: Final = 16
_CHECK: Final = 16
_NONCE: Final = 12
_TAG: Final = 16
_HEAD: Final = len(_FORMAT) + _ID + _CHECK + _NONCE
_CHECKED_TEXT: Final = b"shopaccounts/key-check/1"
_PLACE: Final = b"shopaccounts/seal/1"

log = logging.getLogger("shopaccounts.crypto")


class KeyWornOut(Defect):
    """A key has sealed as many values as it may; add a new root."""

    def __init__(self, ring: Ring) -> None:
        super().__init__(f"the key of ring {ring.value} has sealed all it may")
        self.ring = ring


@attrs.frozen
class KeyUsage:
    """How much one key was used by this process.

    Args:
        ring: What the key is for.
        key_id: Which version.
        sealed: Values sealed since the process started.
        share: ``sealed`` as a part of what one key may seal, 0 to 1.
    """

    ring: Ring
    key_id: str
    sealed: int
    share: float


class AesVault:
    """Seals with the current key of a ring, opens with whatever live key sealed.

    Args:
        keyring: Where keys come from; it answers at once, since it holds them in memory.
        entropy: Where nonces come from.
        limit: How many values this process seals with one key; with N processes, divide ``MAX_SEALED`` by N.
    """

    def __init__(self, keyring: Keyring, entropy: Entropy, *, limit: int = MAX_SEALED) -> None:
        self._keyring, self._entropy, self._limit = keyring, entropy, limit
        self._sealed: dict[tuple[Ring, str], int] = {}

    def seal(self, plain: Secret[bytes], about: SealContext) -> Sealed:
        """Seal *plain* for one place.

        Raises:
            KeyWornOut: The key has sealed all it may.
        """
        key = _at_once(self._keyring.current(about.ring))
        self._count(about.ring, key.id)
        nonce = self._entropy.raw(_NONCE)
        if len(nonce) != _NONCE:
            msg = "the source of randomness answered too little"
            raise Defect(msg)
        ciphertext = _cipher(key).encrypt(nonce, plain.reveal(), _bound_to(about))
        return Sealed(_FORMAT + bytes.fromhex(key.id) + _check(key) + nonce + ciphertext)

    def open(self, sealed: Sealed, about: SealContext) -> Secret[bytes]:
        """Open what was sealed for this place.

        Raises:
            KeyMissing: The ring has no such key.
            SealBroken: Anything else is wrong with it.
        """
        data = sealed.data
        if len(data) < _HEAD + _TAG or data[: len(_FORMAT)] != _FORMAT:
            raise SealBroken(about.ring, about.field)
        key = self._key(sealed, about)
        check_at, nonce_at = len(_FORMAT) + _ID, len(_FORMAT) + _ID + _CHECK
        if not same(data[check_at:nonce_at], _check(key)):
            raise SealBroken(about.ring, about.field)
        try:
            return Secret(_cipher(key).decrypt(data[nonce_at:_HEAD], data[_HEAD:], _bound_to(about)))
        except InvalidTag:
            raise SealBroken(about.ring, about.field) from None

    def reseal(self, sealed: Sealed, about: SealContext) -> Sealed | None:
        """Answer the value under the current key, None if it is already.

        Raises:
            KeyMissing, SealBroken: As ``open``.
        """
        plain = self.open(sealed, about)
        return None if sealed.key_id == _at_once(self._keyring.current(about.ring)).id else self.seal(plain, about)

    def usage(self) -> tuple[KeyUsage, ...]:
        """Answer how often this process used each key, most used first."""
        counts = sorted(self._sealed.items(), key=lambda item: -item[1])
        return tuple(KeyUsage(ring, id, count, count / MAX_SEALED) for (ring, id), count in counts)

    def _key(self, sealed: Sealed, about: SealContext) -> Key:
        try:
            return _at_once(self._keyring.key(about.ring, sealed.key_id))
        except KeyMissing:
            raise KeyMissing(about.ring, about.field) from None

    def _count(self, ring: Ring, id: str) -> None:
        count = self._sealed[ring, id] = self._sealed.get((ring, id), 0) + 1
        if count > self._limit:
            raise KeyWornOut(ring)
        if count == (self._limit + 1) // 2:
            log.warning("the key %s of ring %s has sealed half of what it may; add a new root", id, ring.value)


def _at_once(answer: Answer[Key]) -> Key:
    if not isinstance(answer, Key):
        msg = "AesVault needs a keyring that answers at once"
        raise Defect(msg)
    return answer


def _cipher(key: Key) -> AESGCM:
    secret = key.secret.reveal()
    if len(secret) != _KEY:
        msg = "a sealing key has 32 bytes"
        raise Defect(msg)
    return AESGCM(secret)


def _check(key: Key) -> bytes:
    return hmac.digest(key.secret.reveal(), _CHECKED_TEXT, "sha256")[:_CHECK]


def _bound_to(about: SealContext) -> bytes:
    parts = (about.ring.value, about.realm, about.kind, about.id, about.field)
    return _PLACE + b"".join(_counted(part.encode("utf-8", "surrogatepass")) for part in parts)


def _counted(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def new_root(entropy: Entropy) -> str:
    """Answer a new root secret as text (base64 of 32 random bytes), to be put where the shop keeps its secrets."""
    return base64.b64encode(entropy.raw(_KEY)).decode()


class RootKeyring:
    """Derives the key of every ring from root secrets.

    Args:
        roots: 32 bytes each, newest first; the newest seals, all open.
        uses_key: Tells whether anything sealed with a ring's key still exists. Without it no key can be retired.

    Raises:
        BadPolicy: No root, one that has not 32 bytes, or the same one twice.
    """

    def __init__(
        self, roots: Sequence[Secret[bytes]], uses_key: Callable[[Ring, str], bool] = lambda _ring, _id: True
    ) -> None:
        self._roots = _checked(roots)
        self._uses_key = uses_key
        self._retired: set[tuple[Ring, str]] = set()
        self._derived: dict[Ring, tuple[Key, ...]] = {}

    def __repr__(self) -> str:
        return f"<RootKeyring of {len(self._roots)}>"

    @classmethod
    def from_environment(cls, name: str, uses_key: Callable[[Ring, str], bool] = lambda _ring, _id: True) -> Self:
        """Read roots from an environment variable: base64 texts, newest first, separated by blanks or commas.

        Raises:
            BadPolicy: It isn't set, or holds no roots.
        """
        return cls(_read(os.environ.get(name, "").replace(",", " ").split(), name), uses_key)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], uses_key: Callable[[Ring, str], bool] = lambda _ring, _id: True
    ) -> Self:
        """Read roots from a file: one base64 text a line, newest first; lines that begin with # are remarks.

        Raises:
            BadPolicy: It holds no roots.
            OSError: It can't be read.
        """
        lines = [line.strip() for line in Path(path).read_text("ascii").splitlines()]
        return cls(_read([line for line in lines if line and not line.startswith("#")], "the key file"), uses_key)

    @classmethod
    def from_callable(
        cls, load: Callable[[], Iterable[bytes]], uses_key: Callable[[Ring, str], bool] = lambda _ring, _id: True
    ) -> Self:
        """Take roots from a function, newest first: for key services. It is called once.

        Raises:
            BadPolicy: It answers no roots.
        """
        return cls([Secret(root) for root in load()], uses_key)

    def add(self, root: Secret[bytes]) -> None:
        """Put a new root in front: from now on it seals, the others only open.

        Raises:
            BadPolicy: It hasn't 32 bytes, or is there already.
        """
        self._roots = _checked([root, *self._roots])
        self._derived = {}

    def current(self, ring: Ring) -> Key:
        """Answer the key that new things are sealed with."""
        return self.all(ring)[0]

    def key(self, ring: Ring, id: str) -> Key:
        """Answer the key with this id.

        Raises:
            KeyMissing: There is none, or it was retired.
        """
        for key in self.all(ring):
            if key.id == id:
                return key
        raise KeyMissing(ring)

    def all(self, ring: Ring) -> tuple[Key, ...]:
        """Answer every live key of a ring, the active one first, then the others from the newest on."""
        if ring not in self._derived:
            keys = (_derived_key(root, ring, active=place == 0) for place, root in enumerate(self._roots))
            self._derived[ring] = tuple(key for key in keys if (ring, key.id) not in self._retired)
        return self._derived[ring]

    def retire(self, ring: Ring, id: str) -> None:
        """Take a key out of use in this process; then remove its root from where the shop keeps it.

        Raises:
            KeyInUse: It is the active key, or something sealed with it still exists.
            KeyMissing: There is no such key.
        """
        if self.key(ring, id).state is KeyState.ACTIVE or self._uses_key(ring, id):
            raise KeyInUse(ring.value)
        self._retired.add((ring, id))
        del self._derived[ring]


def _read(texts: Sequence[str], source: str) -> list[Secret[bytes]]:
    try:
        return [Secret(base64.b64decode(text, validate=True)) for text in texts]
    except binascii.Error:
        msg = f"{source} holds a root that is no base64"
        raise BadPolicy(msg) from None


def _checked(roots: Sequence[Secret[bytes]]) -> tuple[Secret[bytes], ...]:
    texts = [root.reveal() for root in roots]
    if not texts or any(not isinstance(text, bytes) or len(text) != _KEY for text in texts):
        msg = "a keyring needs roots of 32 bytes each"
        raise BadPolicy(msg)
    if len(set(texts)) < len(texts):
        msg = "a keyring has each root once"
        raise BadPolicy(msg)
    return tuple(roots)


def _derived_key(root: Secret[bytes], ring: Ring, *, active: bool) -> Key:
    name = ring.value.encode()
    return Key(
        id=_hkdf(root, b"shopaccounts/key-id/1\0" + name, _ID).hex(),
        secret=Secret(_hkdf(root, b"shopaccounts/key/1\0" + name, _KEY)),
        state=KeyState.ACTIVE if active else KeyState.READING,
    )


def _hkdf(root: Secret[bytes], info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(root.reveal())
