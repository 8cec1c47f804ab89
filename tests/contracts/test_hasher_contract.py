"""Both Argon2 hashers keep the promises of the port, alone and with whatever is put around them."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from argon2 import low_level

from shopaccounts.adapters.argon2 import Argon2Hasher, ThreadedArgon2Hasher
from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.adapters.legacy_hashes import LegacyHasher, ThreadedLegacyHasher
from shopaccounts.adapters.pepper import PepperedHasher
from shopaccounts.kernel.answers import got, run
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Ring, SealContext
from shopaccounts.passwords import Argon2Profile, LegacyScheme, StoredHash
from shopaccounts.testing.contracts.hasher import OWNER, RIGHT, HasherContract
from shopaccounts.testing.plugin import ASYNC

CHEAP = Argon2Profile.tests_only()
CHANGED = Argon2Profile(memory_kib=16, passes=2, for_tests=True)
REST = "$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"


class Argon2Contract(HasherContract):
    names: tuple[str, ...] = ("argon2id", "v=19", "m=8,t=1,p=1")
    kind: type[Argon2Hasher] | type[ThreadedArgon2Hasher]
    elsewhere: Callable[..., Any]
    """Drives a coroutine in another thread than the test's."""

    @pytest.fixture(autouse=True)
    def _recorded(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.done: list[object] = []
        self.made: list[Argon2Hasher | ThreadedArgon2Hasher] = []
        self.entered, self.leave = Event(), Event()
        self.leave.set()
        real = low_level.hash_secret_raw

        def recorded(secret: bytes, salt: bytes, *cost: Any) -> bytes:
            self.done.append(cost)
            self.entered.set()
            assert self.leave.wait(30)
            return real(secret, salt, *cost)

        monkeypatch.setattr(low_level, "hash_secret_raw", recorded)
        yield
        for hasher in self.made:
            if isinstance(hasher, ThreadedArgon2Hasher):
                hasher.close()

    def work(self) -> list[object]:
        return self.done

    def made_with(self, profile: Argon2Profile) -> Any:
        self.made.append(self.kind(profile, max_parallel=1))
        return self.around(self.made[-1])

    def around(self, hasher: Any) -> Any:
        """Answer what is under test."""
        return hasher

    def hasher(self) -> Any:
        return self.made_with(CHEAP)

    def changed_hasher(self) -> Any:
        return self.made_with(CHANGED)

    def too_costly(self) -> Iterable[StoredHash]:
        for cost in ("m=262145,t=1,p=1", "m=4294967295,t=1,p=1", "m=64,t=11,p=1", "m=512,t=1,p=17"):
            yield self.kept(f"$argon2id-owner$v=19${cost}{REST}")

    def kept(self, text: str) -> StoredHash:
        """Answer how a hash is kept that says this."""
        return StoredHash(text)

    @contextmanager
    def crowded(self) -> Iterator[Any]:
        hasher = self.hasher()
        self.entered.clear()
        self.leave.clear()
        with ThreadPoolExecutor(1) as others:
            first = others.submit(lambda: type(self).elsewhere(got(hasher.hash(RIGHT, OWNER))))
            assert self.entered.wait(30)
            self.made[-1]._patience = timedelta(0)
            try:
                yield hasher
            finally:
                self.leave.set()
                first.result()


class TestArgon2Hasher(Argon2Contract):
    kind = Argon2Hasher
    elsewhere = staticmethod(run)


class TestThreadedArgon2Hasher(Argon2Contract):
    kind = ThreadedArgon2Hasher
    elsewhere = staticmethod(asyncio.run)

    @pytest.fixture
    def host(self) -> str:
        return ASYNC


class Peppered(Argon2Contract):
    """A hasher whose hashes are sealed, which hides what they cost."""

    names = ("pepper",)
    vault = AesVault(RootKeyring([Secret(b"k" * 32)]), SystemEntropy())
    realm = RealmId("main")

    def around(self, hasher: Any) -> Any:
        return PepperedHasher(hasher, self.vault, self.realm)

    def kept(self, text: str) -> StoredHash:
        place = SealContext(ring=Ring.PEPPER, realm=self.realm, kind="account", id=OWNER, field="password")
        sealed = self.vault.seal(Secret(text.encode()), place)
        return StoredHash(f"$pepper${sealed.key_id}${b64encode(sealed.data).decode()}")


@pytest.mark.proves("PAS-32")
class TestPepperedHasher(Peppered, TestArgon2Hasher):
    """Over a hasher that answers at once."""


@pytest.mark.proves("PAS-32")
class TestPepperedThreadedHasher(Peppered, TestThreadedArgon2Hasher):
    """Over a hasher that answers later."""


@pytest.mark.proves("PAS-33")
class TestLegacyHasher(TestArgon2Hasher):
    def around(self, hasher: Any) -> Any:
        return LegacyHasher(hasher, LegacyScheme)


@pytest.mark.proves("PAS-33")
class TestThreadedLegacyHasher(TestThreadedArgon2Hasher):
    def around(self, hasher: Any) -> Any:
        return ThreadedLegacyHasher(hasher, LegacyScheme)


@pytest.mark.proves("PAS-32", "PAS-33")
class TestPepperedLegacyHasher(Peppered, TestArgon2Hasher):
    """Sealed, whether it was made here or elsewhere."""

    def around(self, hasher: Any) -> Any:
        return super().around(LegacyHasher(hasher, LegacyScheme))
