"""How entities and their keys are written down: in the clear, or sealed where a book is about persons.

The rules, in plain English:

* Sealed, a body is opened only with its key and in its own place: another row, book or realm makes it worthless.
* Sealed, a unique key stands as a keyed digest. While a new version of the key is being introduced, each key stands
  under both versions, so that nobody takes it a second time under the other one.
* A body that was written in the clear before the shop began to seal can still be read, so that it can be sealed. A key
  in the clear is not found; a shop seals everything it has before it opens again.
"""

import base64
import functools
import hmac
from typing import Any, Final, Protocol

import attrs

from shopaccounts.adapters.sqlalchemy.hosts import Host
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.record import MAX_ENTITY_BYTES, AnyBook
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Key, Keyring, KeyState, Ring, SealContext, Sealed, Vault
from shopaccounts.serial import dump, load

__all__ = ["Bodies", "ClearBodies", "HeldKey", "SealedBodies", "digest"]

_LAYOUT: Final = b"shopaccounts/keys/1"
_MOST_BYTES_OF_A_CHARACTER: Final = 4


@attrs.frozen(order=True)
class HeldKey:
    """A unique key as it stands in the table of keys; *key_id* names the key of its digest, if it is one."""

    name: str
    key: str
    key_id: str | None = None


class Bodies(Protocol):
    """Turns entities into what is stored, and back."""

    def write(self, book: AnyBook, realm: str, entity: Any) -> tuple[str, str | None]:
        """Answer the body and the id of the key it is sealed with."""
        ...

    def read(self, book: AnyBook, realm: str, body: str, id: str = "", key_id: str | None = None) -> Any:
        """Answer the entity that was written."""
        ...

    def held(self, book: AnyBook, realm: str, keys: frozenset[tuple[str, str]]) -> list[HeldKey]:
        """Answer how unique keys are written, in the order of their names and values."""
        ...

    def spellings(self, book: AnyBook, realm: str, name: str, key: str) -> tuple[str, ...]:
        """Answer every way in which a key may have been written."""
        ...


class ClearBodies:
    """Writes canonical JSON."""

    def write(self, book: AnyBook, realm: str, entity: Any) -> tuple[str, str | None]:  # noqa: ARG002
        """Answer the body as text."""
        return _body(book, entity), None

    def read(self, book: AnyBook, realm: str, body: str, id: str = "", key_id: str | None = None) -> Any:  # noqa: ARG002
        """Answer the entity."""
        if key_id is not None:
            msg = f"{book} holds sealed bodies; give the storage its vault"
            raise Defect(msg)
        kind: Any = book.of
        return _read_lately(kind, body)

    def held(self, book: AnyBook, realm: str, keys: frozenset[tuple[str, str]]) -> list[HeldKey]:  # noqa: ARG002
        """Answer keys as they are."""
        return [HeldKey(name, key) for name, key in sorted(keys)]

    def spellings(self, book: AnyBook, realm: str, name: str, key: str) -> tuple[str, ...]:  # noqa: ARG002
        """Answer the key as it is."""
        return (key,)


class SealedBodies:
    """Seals the bodies of books about persons with ring ``personal``, and digests their keys with ``index:login``."""

    def __init__(self, vault: Vault, keyring: Keyring, host: Host) -> None:
        self._vault, self._keyring, self._host = vault, keyring, host
        self._clear = ClearBodies()

    def write(self, book: AnyBook, realm: str, entity: Any) -> tuple[str, str | None]:
        """Answer the sealed body as base 64."""
        text = _body(book, entity)
        if not book.personal:
            return text, None
        sealed = self._host.take(self._vault.seal(Secret(text.encode()), place(book, realm, entity.id)))
        return as_text(sealed), sealed.key_id

    def read(self, book: AnyBook, realm: str, body: str, id: str = "", key_id: str | None = None) -> Any:
        """Open the body."""
        if key_id is None:
            return self._clear.read(book, realm, body)
        plain = self._host.take(self._vault.open(as_sealed(body), place(book, realm, id)))
        return load(book.of, plain.reveal())

    def held(self, book: AnyBook, realm: str, keys: frozenset[tuple[str, str]]) -> list[HeldKey]:
        """Answer the digests of all live versions."""
        if not book.personal:
            return self._clear.held(book, realm, keys)
        versions = self.versions()
        return [
            HeldKey(name, digest(version, realm, name, key), version.id)
            for name, key in sorted(keys)
            for version in versions
        ]

    def spellings(self, book: AnyBook, realm: str, name: str, key: str) -> tuple[str, ...]:
        """Answer the digests of all live versions."""
        if not book.personal:
            return (key,)
        return tuple(digest(version, realm, name, key) for version in self.versions())

    def versions(self) -> tuple[Key, ...]:
        """Answer the live keys that unique keys are digested with."""
        keys = self._host.take(self._keyring.all(Ring.INDEX_LOGIN))
        return tuple(key for key in keys if key.state is not KeyState.RETIRED)

    def resealed(self, book: AnyBook, realm: str, id: str, body: str) -> tuple[str, str] | None:
        """Answer a body under the current key, None if it is already."""
        sealed = self._host.take(self._vault.reseal(as_sealed(body), place(book, realm, id)))
        return None if sealed is None else (as_text(sealed), sealed.key_id)


def digest(version: Key, realm: str, name: str, key: str) -> str:
    """Answer the digest of a unique key: HMAC-SHA-256 over realm, logical name and key, as base64url."""
    message = b"\0".join((_LAYOUT, realm.encode(), name.encode(), key.encode()))
    mac = hmac.digest(version.secret.reveal(), message, "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def place(book: AnyBook, realm: str, id: str) -> SealContext:
    """Answer where a body belongs."""
    return SealContext(ring=Ring.PERSONAL, realm=realm, kind=book.name, id=id, field="body")


def as_text(sealed: Sealed) -> str:
    """Write a sealed value as text."""
    return base64.b64encode(sealed.data).decode()


def as_sealed(text: str) -> Sealed:
    """Read a sealed value."""
    return Sealed(base64.b64decode(text))


@functools.lru_cache(maxsize=1_024)
def _read_lately(kind: Any, body: str) -> Any:
    """Read a body, but not one that was read a moment ago: entities are frozen, so equal texts may share one.

    Who claims a page and then loads what hangs on it reads the same rows twice.
    """
    return load(kind, body)


def _body(book: AnyBook, entity: Any) -> str:
    text = dump(entity)
    if len(text) * _MOST_BYTES_OF_A_CHARACTER > MAX_ENTITY_BYTES and len(text.encode()) > MAX_ENTITY_BYTES:
        msg = f"an entity of {book} has more than {MAX_ENTITY_BYTES} bytes"
        raise Defect(msg)
    return text
