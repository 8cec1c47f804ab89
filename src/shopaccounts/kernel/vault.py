"""Sealing what must be read again but never seen in a stolen database."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import attrs

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.errors import Defect, Kind, Rejected
from shopaccounts.kernel.secret import Secret

__all__ = [
    "Key",
    "KeyInUse",
    "KeyMissing",
    "KeyState",
    "Keyring",
    "Ring",
    "SealBroken",
    "SealContext",
    "Sealed",
    "Vault",
]


class Ring(Enum):
    """What a key is for; a key serves one ring alone."""

    SEEDS = "seeds"
    OUTBOX = "outbox"
    PEPPER = "pepper"
    PROVIDERS = "providers"
    PERSONAL = "personal"
    CODES = "codes"
    LOOKUP = "lookup"
    THROTTLE = "throttle"
    CURSOR = "cursor"
    INDEX_LOGIN = "index:login"
    INDEX_SUPPRESSION = "index:suppression"
    INDEX_ADDRESS_HEALTH = "index:address_health"
    INDEX_IP = "index:ip"
    INDEX_SEARCH = "index:search"


class KeyState(Enum):
    """New things are sealed with the active key; reading keys still open old ones; retired keys do nothing."""

    ACTIVE = "active"
    READING = "reading"
    RETIRED = "retired"


@attrs.frozen
class Key:
    """One version of a ring's key: 16 bytes of id as hex text, and 32 secret bytes."""

    id: str
    secret: Secret[bytes]
    state: KeyState


@attrs.frozen
class Sealed:
    """A ciphertext in its envelope: format, key id, key check, nonce, ciphertext with tag."""

    data: bytes

    @property
    def key_id(self) -> str:
        """Which key sealed it, as hex text."""
        return self.data[1:17].hex()

    def __repr__(self) -> str:
        return f"Sealed({len(self.data)} bytes)"


@attrs.frozen(kw_only=True)
class SealContext:
    """Where a sealed value belongs; opened anywhere else it is worthless."""

    ring: Ring
    realm: str
    kind: str
    id: str
    field: str


class KeyMissing(Defect):
    """A value was sealed with a key that the keyring no longer has."""

    def __init__(self, ring: Ring, field: str = "") -> None:
        super().__init__(f"no such key in ring {ring.value} {field}".rstrip())
        self.ring = ring
        self.field = field


class SealBroken(Defect):
    """A sealed value does not belong here or was altered."""

    def __init__(self, ring: Ring, field: str) -> None:
        super().__init__(f"the seal of {field} in ring {ring.value} does not hold")
        self.ring = ring
        self.field = field


@attrs.frozen
class KeyInUse(Rejected):
    """A key can't be retired while something sealed with it exists."""

    code = "privacy.key_in_use"
    kind = Kind.CONFLICT
    ring: str


class Keyring(Protocol):
    """Where keys come from: environment, file, or a key service.

    Promises:
        1. ``current`` answers the active key of a ring, the same until one is added.
        2. ``key`` answers any key that isn't retired; an unknown id is ``KeyMissing``.
        3. ``all`` answers the active key first, then reading ones, newest first.
        4. Two rings never share a key.
        5. ``retire`` takes a reading key out of use; the active one is refused with ``KeyInUse``.
    """

    def current(self, ring: Ring) -> Answer[Key]:
        """Answer the key that new things are sealed with."""
        ...

    def key(self, ring: Ring, id: str) -> Answer[Key]:
        """Answer the key with this id."""
        ...

    def all(self, ring: Ring) -> Answer[tuple[Key, ...]]:
        """Answer every live key of a ring."""
        ...

    def retire(self, ring: Ring, id: str) -> Answer[None]:
        """Take a key out of use for good."""
        ...


class Vault(Protocol):
    """Seals and opens values, each bound to its place.

    Promises:
        1. ``open(seal(x, about), about)`` is x.
        2. Any other context, key or byte is a ``Defect`` that names ring and field only.
        3. Sealing the same text twice gives different bytes.
        4. ``reseal`` answers None for what is sealed with the current key, else the same text under it.
    """

    def seal(self, plain: Secret[bytes], about: SealContext) -> Answer[Sealed]:
        """Seal *plain* for one place."""
        ...

    def open(self, sealed: Sealed, about: SealContext) -> Answer[Secret[bytes]]:
        """Open what was sealed for this place."""
        ...

    def reseal(self, sealed: Sealed, about: SealContext) -> Answer[Sealed | None]:
        """Answer the value under the current key, None if it is already."""
        ...


def newest_first(keys: Sequence[Key]) -> tuple[Key, ...]:
    """Answer the live keys in the order in which look-ups try them."""
    live = [key for key in keys if key.state is not KeyState.RETIRED]
    return tuple(sorted(live, key=lambda key: key.state is not KeyState.ACTIVE))
