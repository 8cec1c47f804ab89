"""What the Argon2 adapter adds to the promises: known answers, the library's traps, and how many hash at once."""

import asyncio
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event, Lock
from typing import Any

import pytest
from argon2 import low_level
from argon2.exceptions import HashingError
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts.adapters.argon2 import SCHEME, Argon2Hasher, ThreadedArgon2Hasher
from shopaccounts.kernel.errors import TryLater
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import Argon2Profile, Match, Prepared, StoredHash, prepare
from shopaccounts.testing.doubles import ScriptedEntropy

CHEAP = Argon2Profile.tests_only()
HASHER = Argon2Hasher(CHEAP)
TEAPOT = prepare("winter teapot balcony")


def stored(
    salt: str = "c2FsdHNhbHRzYWx0c2FsdA", tag: str = "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g", **cost: str
) -> StoredHash:
    m, t, p = cost.get("m", "8"), cost.get("t", "1"), cost.get("p", "1")
    return StoredHash(f"${SCHEME}$v=19$m={m},t={t},p={p}${salt}${tag}")


@pytest.mark.proves("ADA-207")
def test_the_hash_is_argon2id_of_owner_zero_byte_and_password() -> None:
    text = HASHER.hash(TEAPOT, "anna").text
    *_, salt, tag = text.split("$")
    raw = b64decode(salt + "==")
    plain = low_level.hash_secret(b"anna\0winter teapot balcony", raw, 1, 8, 1, 32, low_level.Type.ID).decode()
    assert text == plain.replace("$argon2id$", f"${SCHEME}$")
    assert len(raw) == 16
    assert len(b64decode(tag + "=")) == 32


@pytest.mark.proves("ADA-207")
def test_salts_are_drawn_from_the_entropy_that_is_handed_in() -> None:
    one, same = Argon2Hasher(CHEAP, entropy=ScriptedEntropy("a")), Argon2Hasher(CHEAP, entropy=ScriptedEntropy("a"))
    assert one.hash(TEAPOT, "anna") == same.hash(TEAPOT, "anna")


@pytest.mark.proves("ADA-207")
@pytest.mark.parametrize("kind", [low_level.Type.I, low_level.Type.D, low_level.Type.ID])
def test_plain_argon2_texts_are_foreign_even_if_they_would_match(kind: low_level.Type) -> None:
    for secret in (b"winter teapot balcony", b"anna\0winter teapot balcony"):
        plain = low_level.hash_secret(secret, bytes(16), 1, 8, 1, 32, kind).decode()
        assert HASHER.verify(StoredHash(plain), TEAPOT, "anna") == Match(ok=False, unusable=True)


@pytest.mark.proves("ADA-207")
@pytest.mark.parametrize(
    "odd",
    [
        stored(m="0"),
        stored(m="08"),
        stored(m="8", p="2"),
        stored(m="99999999999"),
        stored(t="0"),
        stored(t="-1"),
        stored(p="0"),
        stored(salt="c2Fs"),
        stored(salt="c2FsdHNhbHRzYWx0c2FsdA=="),
        stored(tag="aGFz"),
        stored(tag="a" * 129),
        stored(tag="aaaaa"),
        StoredHash(stored().text.replace("v=19", "v=16")),
        StoredHash(stored().text.replace("v=19$", "")),
        StoredHash(stored().text + "\n"),
        StoredHash(stored().text.replace("m=8", "m=٨")),
    ],
    ids=lambda odd: ascii(odd.text)[:70],
)
def test_odd_parameters_are_unusable_and_never_reach_the_library(
    odd: StoredHash, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs: list[tuple[Any, ...]] = []

    def compute(_secret: bytes, _salt: bytes, *cost: Any) -> bytes:
        costs.append(cost)
        return bytes(32)

    monkeypatch.setattr(low_level, "hash_secret_raw", compute)
    assert HASHER.verify(odd, TEAPOT, "anna") == Match(ok=False, unusable=True)
    assert costs == [(1, 8, 1, 32, low_level.Type.ID)]


@pytest.mark.proves("ADA-207")
@given(st.text(max_size=80), st.text(max_size=20))
@settings(max_examples=60)
def test_no_stored_text_and_no_password_makes_checking_raise(text: str, attempt: str) -> None:
    cheap = stored().text
    for damaged in (text or "-", cheap + text, text + cheap, cheap.replace("$v=19", text or "$", 1)):
        assert HASHER.verify(StoredHash(damaged), Prepared(Secret(attempt)), "anna").ok is False


@pytest.mark.proves("PAS-31")
@pytest.mark.parametrize(
    ("salt_bytes", "tag_bytes"), [(8, 32), (24, 32), (16, 16), (16, 64)], ids=lambda size: f"{size} bytes"
)
def test_another_salt_or_hash_length_matches_and_asks_for_a_new_hash(salt_bytes: int, tag_bytes: int) -> None:
    plain = low_level.hash_secret(
        b"anna\0winter teapot balcony", bytes(salt_bytes), 1, 8, 1, tag_bytes, low_level.Type.ID
    ).decode()
    old = StoredHash(plain.replace("$argon2id$", f"${SCHEME}$"))
    assert HASHER.verify(old, TEAPOT, "anna") == Match(ok=True, rehash=True)


@pytest.mark.proves("ADA-207", "PAS-34")
@pytest.mark.parametrize("nothing", [None, Prepared(Secret(""))], ids=["none", "empty"])
def test_nothing_typed_never_matches_not_even_a_hash_of_nothing(nothing: Prepared | None) -> None:
    plain = low_level.hash_secret(b"anna\0", bytes(16), 1, 8, 1, 32, low_level.Type.ID).decode()
    hash_of_nothing = StoredHash(plain.replace("$argon2id$", f"${SCHEME}$"))
    assert HASHER.verify(hash_of_nothing, nothing, "anna") == Match(ok=False)


@pytest.mark.proves("PAS-30")
def test_the_profile_decides_what_is_computed() -> None:
    for profile in (Argon2Profile.owasp_19mib(), Argon2Profile(memory_kib=64, passes=3, lanes=4, for_tests=True)):
        text = Argon2Hasher(profile).hash(TEAPOT, "anna").text
        assert f"$m={profile.memory_kib},t={profile.passes},p={profile.lanes}$" in text


@pytest.mark.proves("ADA-207")
def test_a_machine_without_memory_asks_to_try_later_and_shows_no_text_of_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exhausted(*_: Any) -> bytes:
        raise HashingError

    monkeypatch.setattr(low_level, "hash_secret_raw", exhausted)
    with pytest.raises(TryLater) as refused:
        HASHER.verify(stored(), TEAPOT, "anna")
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


class Crowd:
    """Counts how many compute at once, and lets them go on in pairs only."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock = Lock()
        self.pair = Barrier(2, timeout=30)

    def compute(self, *_: Any) -> bytes:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.pair.wait()
        with self.lock:
            self.now -= 1
        return bytes(32)


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    crowd = Crowd()
    monkeypatch.setattr(low_level, "hash_secret_raw", crowd.compute)
    return crowd


@pytest.mark.proves("ADA-207")
def test_in_a_blocking_host_as_many_hash_at_once_as_are_allowed_and_the_others_wait(crowd: Crowd) -> None:
    hasher = Argon2Hasher(CHEAP, max_parallel=2, patience=timedelta(seconds=60))
    with ThreadPoolExecutor(8) as requests:
        list(requests.map(hasher.spend, [TEAPOT] * 8))
    assert crowd.most == 2


@pytest.fixture
def threaded() -> Iterator[ThreadedArgon2Hasher]:
    hasher = ThreadedArgon2Hasher(CHEAP, max_parallel=2, patience=timedelta(seconds=60))
    yield hasher
    hasher.close()


@pytest.mark.proves("ADA-207")
def test_in_an_async_host_as_many_hash_at_once_as_are_allowed_and_the_others_wait(
    crowd: Crowd, threaded: ThreadedArgon2Hasher
) -> None:
    async def requests() -> None:
        await asyncio.gather(*(threaded.spend(TEAPOT) for _ in range(8)))

    asyncio.run(requests())
    assert crowd.most == 2


@pytest.mark.proves("ADA-207")
def test_a_cancelled_request_that_still_waits_is_never_computed(
    monkeypatch: pytest.MonkeyPatch, threaded: ThreadedArgon2Hasher
) -> None:
    started, leave = [], Event()

    def compute(*_: Any) -> bytes:
        started.append(1)
        assert leave.wait(30)
        return bytes(32)

    async def requests() -> None:
        running = [asyncio.create_task(threaded.spend(TEAPOT)) for _ in range(2)]
        waiting = asyncio.create_task(threaded.spend(TEAPOT))
        await asyncio.wait({*running, waiting}, timeout=0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        leave.set()
        await asyncio.gather(*running)

    monkeypatch.setattr(low_level, "hash_secret_raw", compute)
    asyncio.run(requests())
    assert len(started) == 2
