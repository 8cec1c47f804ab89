"""Password hashes of other systems, checked until their owners have signed in once; through libpass and bcrypt.

The rules, in plain English:

* Only schemes that the shop names are taken over and checked.
* A hash is read here before the library sees it: its form is strict, and what it would cost is capped, so that no row
  of an import can keep the shop busy. What is read well and costs too much is turned away like what can't be read.
* A sound hash is kept as ``$legacy$scheme$text``. Checking it costs the foreign work and a hash of ours besides, so it
  is never cheaper than any other answer.
* A weak one is wrapped: ``$wrapped$scheme$salt$`` and then our own hash of the old digest. The old digest itself is
  gone, and checking goes through both.
* Each right answer asks for a new hash of the whole password.
* bcrypt looks at 72 bytes and takes no NUL, as it always did; the rest of a longer password counts from the new hash.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import attrs

from shopaccounts.adapters._legacy_schemes import FOREIGN, Check, digest, read_weak
from shopaccounts.adapters.argon2 import Argon2Hasher, ThreadedArgon2Hasher
from shopaccounts.adapters.extras import require_extra
from shopaccounts.kernel.answers import Answer, got, run
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords.importing import WEAK, Adopted, LegacyScheme, RowOutcome
from shopaccounts.passwords.model import Match, StoredHash
from shopaccounts.passwords.ports import Hasher
from shopaccounts.passwords.preparing import Prepared

__all__ = ["LegacyHasher", "ThreadedLegacyHasher"]

_LEGACY: Final = "legacy"
_WRAPPED: Final = "wrapped"


class _TakesTurns(Hasher, Protocol):
    """A hasher that lets other work wait in its line."""

    def in_turn(self, work: Callable[..., bool], *arguments: object) -> Answer[bool]: ...


class LegacyHasher:
    """Checks hashes of other systems besides our own, in a blocking host. Keeps the promises of ``Hasher``.

    Args:
        inner: Makes and checks our own hashes.
        allow: The schemes that the shop takes over.

    Raises:
        ExtraMissing: The extra ``legacy-hashes`` isn't installed.
    """

    def __init__(self, inner: Argon2Hasher, allow: Iterable[LegacyScheme]) -> None:
        require_extra("legacy-hashes", self, "passlib.hash", "bcrypt")
        self._work = _Work(inner, allow)
        self.holds_up_the_loop = inner.holds_up_the_loop

    def hash(self, password: Prepared, owner: str) -> StoredHash:
        """Hash *password* for *owner*."""
        return run(self._work.hash(password, owner))

    def verify(self, stored: StoredHash, password: Prepared | None, owner: str) -> Match:
        """Tell whether *password* is the one that was hashed for *owner*, here or elsewhere."""
        return run(self._work.verify(stored, password, owner))

    def spend(self, password: Prepared | None) -> None:
        """Do the work of a ``verify`` and answer nothing."""
        run(self._work.spend(password))

    def adopt(self, text: Secret[str], scheme: LegacyScheme, owner: str) -> Adopted | RowOutcome:
        """Answer what is to be kept for a hash of another system, or why it is turned away."""
        return run(self._work.adopt(text, scheme, owner))


class ThreadedLegacyHasher:
    """Checks hashes of other systems besides our own, in an async host. Keeps the promises of ``Hasher``.

    Args:
        inner: Makes and checks our own hashes; the others are checked in its threads.
        allow: The schemes that the shop takes over.

    Raises:
        ExtraMissing: The extra ``legacy-hashes`` isn't installed.
    """

    def __init__(self, inner: ThreadedArgon2Hasher, allow: Iterable[LegacyScheme]) -> None:
        require_extra("legacy-hashes", self, "passlib.hash", "bcrypt")
        self._work = _Work(inner, allow)

    async def hash(self, password: Prepared, owner: str) -> StoredHash:
        """Hash *password* for *owner*."""
        return await self._work.hash(password, owner)

    async def verify(self, stored: StoredHash, password: Prepared | None, owner: str) -> Match:
        """Tell whether *password* is the one that was hashed for *owner*, here or elsewhere."""
        return await self._work.verify(stored, password, owner)

    async def spend(self, password: Prepared | None) -> None:
        """Do the work of a ``verify`` and answer nothing."""
        await self._work.spend(password)

    async def adopt(self, text: Secret[str], scheme: LegacyScheme, owner: str) -> Adopted | RowOutcome:
        """Answer what is to be kept for a hash of another system, or why it is turned away."""
        return await self._work.adopt(text, scheme, owner)


class _Work:
    """What both hashers do."""

    def __init__(self, inner: _TakesTurns, allow: Iterable[LegacyScheme]) -> None:
        self._inner = inner
        self._allowed = {scheme.value: scheme for scheme in allow}

    async def hash(self, password: Prepared, owner: str) -> StoredHash:
        return await got(self._inner.hash(password, owner))

    async def spend(self, password: Prepared | None) -> None:
        await got(self._inner.spend(password))

    async def verify(self, stored: StoredHash, password: Prepared | None, owner: str) -> Match:
        if stored.scheme == _LEGACY:
            return await self._verify_foreign(stored.text, password)
        if stored.scheme == _WRAPPED:
            return await self._verify_wrapped(stored.text, password, owner)
        return await got(self._inner.verify(stored, password, owner))

    async def adopt(self, text: Secret[str], scheme: LegacyScheme, owner: str) -> Adopted | RowOutcome:
        if scheme.value not in self._allowed:
            return RowOutcome.SCHEME_NOT_ALLOWED
        kept = text.reveal()
        if scheme not in WEAK:
            if not FOREIGN[scheme].read(kept):
                return RowOutcome.UNPARSABLE
            return Adopted(StoredHash(f"${_LEGACY}${scheme.value}${kept}"), weak=False)
        salt, old = read_weak(scheme, kept)
        if old is None:
            return RowOutcome.UNPARSABLE
        ours: StoredHash = await got(self._inner.hash(old, owner))
        return Adopted(StoredHash(f"${_WRAPPED}${scheme.value}${salt}{ours.text}"), weak=True)

    async def _verify_foreign(self, stored: str, password: Prepared | None) -> Match:
        name, _, text = stored.removeprefix(f"${_LEGACY}$").partition("$")
        foreign = FOREIGN.get(self._allowed[name]) if name in self._allowed else None
        found = foreign.read(text) if foreign else None
        ok = False
        if foreign and found and password:
            ok = await got(self._inner.in_turn(_checked, foreign.check, password, found))
        await got(self._inner.spend(password))
        return Match(ok=ok, rehash=ok, unusable=found is None)

    async def _verify_wrapped(self, stored: str, password: Prepared | None, owner: str) -> Match:
        name, _, rest = stored.removeprefix(f"${_WRAPPED}$").partition("$")
        salt, _, ours = rest.partition("$")
        scheme = self._allowed.get(name)
        if scheme not in WEAK:
            await got(self._inner.spend(password))
            return Match(ok=False, unusable=True)
        old = digest(scheme, salt, password) if password else None
        match = await got(self._inner.verify(StoredHash(f"${ours}"), old, owner))
        return attrs.evolve(match, rehash=match.ok)


def _checked(check: Check, password: Prepared, found: re.Match[str]) -> bool:
    try:
        return check(password.text.reveal().encode("utf-8", "surrogatepass"), found)
    except (ValueError, TypeError, OverflowError, MemoryError):  # what a library can't compute matches nothing
        return False
