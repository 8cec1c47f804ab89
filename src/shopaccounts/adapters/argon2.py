"""Passwords hashed with Argon2id (RFC 9106), through argon2-cffi.

The text that is kept has the form ``$argon2id-owner$v=19$m=47104,t=1,p=1$salt$hash``, with salt and hash in base 64
without padding. What is hashed is the owner's id, a zero byte and the password in UTF-8, so that a hash that somebody
moves to another account opens nothing there; the scheme's name tells it from plain ``argon2id``.

Everything costly goes through the library's one raw function, and everything else is done here. So hashing, checking
and spending cost the same by construction, and the library never gets to obey parameters that stand in a stored text.
"""

import asyncio
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Final, TypeVar

import attrs
from argon2 import low_level
from argon2.exceptions import HashingError

from shopaccounts.kernel.chance import Entropy, SystemEntropy
from shopaccounts.kernel.errors import InvalidInput, TryLater
from shopaccounts.kernel.secret import same
from shopaccounts.passwords.model import Match, StoredHash
from shopaccounts.passwords.policy import MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES, Argon2Profile
from shopaccounts.passwords.preparing import Prepared

__all__ = ["SCHEME", "Argon2Hasher", "ThreadedArgon2Hasher"]

SCHEME: Final = "argon2id-owner"
"""The name under which these hashes are kept."""

T = TypeVar("T")

_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_KIB_A_LANE: Final = 8
_READABLE_SALT: Final = range(8, 65)
_READABLE_HASH: Final = range(16, 65)
_TEXT: Final = re.compile(
    rf"\$({SCHEME})\$v=19\$m=([1-9][0-9]{{0,9}}),t=([1-9][0-9]{{0,9}}),p=([1-9][0-9]{{0,9}})"
    r"\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{1,128})"
)
_PATIENCE: Final = timedelta(seconds=5)


@attrs.frozen(kw_only=True)
class _Encoded:
    """A stored text taken apart."""

    memory_kib: int
    passes: int
    lanes: int
    salt: bytes
    tag: bytes = attrs.field(repr=False)

    @classmethod
    def read(cls, text: str) -> "_Encoded | None":
        """Answer the parts of *text*, None if they can't be computed here."""
        found = _TEXT.fullmatch(text)
        if not found:
            return None
        memory, passes, lanes = map(int, found.group(2, 3, 4))
        salt, tag = map(_unpadded, found.group(5, 6))
        encoded = cls(memory_kib=memory, passes=passes, lanes=lanes, salt=salt, tag=tag)
        return encoded if encoded.is_affordable and encoded.is_well_formed else None

    @property
    def is_affordable(self) -> bool:
        return self.memory_kib <= MAX_MEMORY_KIB and self.passes <= MAX_PASSES and self.lanes <= MAX_LANES

    @property
    def is_well_formed(self) -> bool:
        sizes = len(self.salt) in _READABLE_SALT and len(self.tag) in _READABLE_HASH
        return sizes and self.memory_kib >= _KIB_A_LANE * self.lanes

    @property
    def settings(self) -> tuple[int, ...]:
        return (self.memory_kib, self.passes, self.lanes, len(self.salt), len(self.tag))

    def compute(self, secret: bytes) -> bytes:
        """Do the work for *secret* that this hash took; the only costly step there is."""
        try:
            return low_level.hash_secret_raw(
                secret, self.salt, self.passes, self.memory_kib, self.lanes, len(self.tag), low_level.Type.ID
            )
        except HashingError:  # the machine has not that much memory just now
            raise TryLater from None

    def text(self) -> str:
        """Answer the text that is kept."""
        costs = f"m={self.memory_kib},t={self.passes},p={self.lanes}"
        return f"${SCHEME}$v={low_level.ARGON2_VERSION}${costs}${_base64(self.salt)}${_base64(self.tag)}"


class Argon2Hasher:
    """Keeps and checks passwords in a blocking host. Keeps the promises of ``Hasher``.

    Args:
        profile: What one hash costs.
        max_parallel: Most hashes at once, over all threads; as many as there are processors by default.
        patience: How long a hash waits for its turn before ``TryLater``.
        entropy: Where salts come from.
    """

    holds_up_the_loop = True

    def __init__(
        self,
        profile: Argon2Profile,
        max_parallel: int | None = None,
        patience: timedelta = _PATIENCE,
        entropy: Entropy | None = None,
    ) -> None:
        self._work = _Work(profile, entropy or SystemEntropy())
        self._places = BoundedSemaphore(max_parallel or os.cpu_count() or 1)
        self._patience = patience

    def hash(self, password: Prepared, owner: str) -> StoredHash:
        """Hash *password* for *owner*."""
        return self.in_turn(self._work.hash, password, owner)

    def verify(self, stored: StoredHash, password: Prepared | None, owner: str) -> Match:
        """Tell whether *password* is the one that was hashed for *owner*."""
        return self.in_turn(self._work.verify, stored, password, owner)

    def spend(self, password: Prepared | None) -> None:
        """Do the work of a ``verify`` and answer nothing."""
        self.in_turn(self._work.spend, password)

    def in_turn(self, work: Callable[..., T], *arguments: object) -> T:
        """Do other costly *work* as one of the hashes that are computed at once.

        Raises:
            TryLater: Too many hashes are waiting.
        """
        if not self._places.acquire(timeout=self._patience.total_seconds()):
            raise TryLater
        try:
            return work(*arguments)
        finally:
            self._places.release()


class ThreadedArgon2Hasher:
    """Keeps and checks passwords in an async host, in threads of its own; Argon2 leaves Python's lock to others.

    Args:
        profile: What one hash costs.
        max_parallel: Most hashes at once; as many as there are processors by default.
        patience: How long a hash waits for its turn before ``TryLater``.
        entropy: Where salts come from.
    """

    def __init__(
        self,
        profile: Argon2Profile,
        max_parallel: int | None = None,
        patience: timedelta = _PATIENCE,
        entropy: Entropy | None = None,
    ) -> None:
        self._work = _Work(profile, entropy or SystemEntropy())
        self._threads = ThreadPoolExecutor(max_parallel or os.cpu_count() or 1, thread_name_prefix="argon2")
        self._patience = patience

    async def hash(self, password: Prepared, owner: str) -> StoredHash:
        """Hash *password* for *owner*."""
        return await self.in_turn(self._work.hash, password, owner)

    async def verify(self, stored: StoredHash, password: Prepared | None, owner: str) -> Match:
        """Tell whether *password* is the one that was hashed for *owner*."""
        return await self.in_turn(self._work.verify, stored, password, owner)

    async def spend(self, password: Prepared | None) -> None:
        """Do the work of a ``verify`` and answer nothing."""
        await self.in_turn(self._work.spend, password)

    def close(self) -> None:
        """Give the threads back, after the hash that each is computing."""
        self._threads.shutdown(cancel_futures=True)

    async def in_turn(self, work: Callable[..., T], *arguments: object) -> T:
        """Do other costly *work* in a thread, as one of the hashes that are computed at once.

        Raises:
            TryLater: Too many hashes are waiting.
        """
        job = self._threads.submit(work, *arguments)
        ending = asyncio.wrap_future(job)
        try:
            done, _ = await asyncio.wait({ending}, timeout=self._patience.total_seconds())
            if not done and job.cancel():
                raise TryLater
            return await ending
        finally:
            job.cancel()  # of use only if we are cancelled while the job still waits


class _Work:
    """What both hashers do once it is their turn."""

    def __init__(self, profile: Argon2Profile, entropy: Entropy) -> None:
        self._entropy = entropy
        self._current = _Encoded(
            memory_kib=profile.memory_kib,
            passes=profile.passes,
            lanes=profile.lanes,
            salt=bytes(_SALT_BYTES),
            tag=bytes(_HASH_BYTES),
        )

    def hash(self, password: Prepared, owner: str) -> StoredHash:
        if not password:
            raise InvalidInput(field="password", reason="empty")
        fresh = attrs.evolve(self._current, salt=self._entropy.raw(_SALT_BYTES))
        return StoredHash(attrs.evolve(fresh, tag=fresh.compute(_bound(password, owner))).text())

    def verify(self, stored: StoredHash, password: Prepared | None, owner: str) -> Match:
        encoded = _Encoded.read(stored.text)
        computed = (encoded or self._current).compute(_bound(password, owner))
        if encoded is None:
            return Match(ok=False, unusable=True)
        ok = same(computed, encoded.tag) and bool(password)
        return Match(ok=ok, rehash=ok and encoded.settings != self._current.settings)

    def spend(self, password: Prepared | None) -> None:
        self._current.compute(_bound(password, ""))


def _bound(password: Prepared | None, owner: str) -> bytes:
    """Answer *owner* and *password* as one secret; no owner's id holds the zero between them."""
    text = password.text.reveal() if password else ""
    return f"{owner}\0{text}".encode("utf-8", "surrogatepass")


def _base64(data: bytes) -> str:
    return b64encode(data).rstrip(b"=").decode()


def _unpadded(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4)) if len(text) % 4 != 1 else b""
