"""Slowing down who guesses, without locking out who owns.

An attempt is counted before the secret is looked at: read the state, ask the rule, swap; if somebody swapped in
between, ask again. So any number of attempts at once gets in exactly as often as the rule says, and a held attempt
writes nothing and reaches no hasher.

``Wait`` is a delay that doubles and never locks. ``Window`` is an exact sliding window, for things that are sent.
[NIST SP 800-63B-4 3.2.2; OWASP ASVS 6.3.1; OWASP Authentication Cheat Sheet]
"""

import hashlib
import hmac
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import TryLater, Unavailable
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.ports import Counters
from shopaccounts.kernel.secret import Secret

__all__ = [
    "Admitted",
    "Failures",
    "Held",
    "SendLog",
    "Throttle",
    "Wait",
    "Window",
    "admit",
    "counter_key",
    "take",
    "wait_after",
]

ROUNDS: Final = 16
"""How often a lost swap is tried again before the attempt is held for a second."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_LONG = timedelta(days=3650)


@attrs.frozen
class Wait:
    """An exponential delay between attempts; never a lock.

    Args:
        free: Attempts that need no waiting.
        base: The first wait; it doubles with each further attempt.
        cap: The longest wait.
        forget_after: Silence after which the count starts anew; None: only success forgets.
    """

    free: int
    base: timedelta
    cap: timedelta
    forget_after: timedelta | None

    def __attrs_post_init__(self) -> None:
        require(self.free >= 1, "a wait leaves at least one attempt free")
        require(timedelta(0) < self.base <= self.cap, "a wait starts above zero and below its cap")


@attrs.frozen
class Window:
    """At most *limit* within any stretch of *per*, and at least *gap* between two."""

    limit: int
    per: timedelta
    gap: timedelta = timedelta(0)

    def __attrs_post_init__(self) -> None:
        require(1 <= self.limit <= MAX_WINDOW, f"a window holds 1 to {MAX_WINDOW}")


MAX_WINDOW: Final = 30


@attrs.frozen
class Failures:
    """How many attempts were admitted since the last success, and until when the next one is held."""

    count: int
    held_until: datetime
    last_at: datetime

    def dump(self) -> bytes:
        """Answer the state as a counter keeps it."""
        return struct.pack(">Iqq", self.count, _micros(self.held_until), _micros(self.last_at))

    @classmethod
    def load(cls, state: bytes) -> "Failures":
        """Read what ``dump`` wrote."""
        count, held_until, last_at = struct.unpack(">Iqq", state)
        return cls(count, _instant(held_until), _instant(last_at))


@attrs.frozen
class SendLog:
    """When the last things were sent, oldest first."""

    sent_at: tuple[datetime, ...]

    def dump(self) -> bytes:
        """Answer the state as a counter keeps it."""
        return struct.pack(f">{len(self.sent_at)}q", *map(_micros, self.sent_at))

    @classmethod
    def load(cls, state: bytes) -> "SendLog":
        """Read what ``dump`` wrote."""
        return cls(tuple(map(_instant, struct.unpack(f">{len(state) // 8}q", state))))


@attrs.frozen
class Admitted:
    """The attempt may go on; *state* is to be stored first."""

    state: Failures | SendLog
    keep_until: datetime


@attrs.frozen
class Held:
    """The attempt has to wait."""

    retry_after: timedelta


def wait_after(count: int, rule: Wait) -> timedelta:
    """Answer how long to wait after the *count*-th attempt.

    Nothing up to the free ones; then ``base``, doubled for each further one, at most ``cap``.
    """
    if count < rule.free:
        return timedelta(0)
    doublings = min(count - rule.free, 64)
    return min(rule.cap, rule.base * 2**doublings) if doublings < _enough(rule) else rule.cap


def _enough(rule: Wait) -> int:
    return (rule.cap // rule.base).bit_length() + 1


def admit(state: Failures | None, rule: Wait, now: datetime) -> Admitted | Held:
    """Judge one attempt against a wait.

    A clock that steps back keeps a hold; it never shortens one.
    """
    if state is not None and rule.forget_after is not None and now - state.last_at >= rule.forget_after:
        state = None
    if state is not None and now < state.held_until:
        return Held(state.held_until - now)
    count = 1 if state is None else state.count + 1
    charged = Failures(count, now + wait_after(count, rule), now)
    return Admitted(charged, max(charged.held_until, now + (rule.forget_after or _LONG)) + _DAY)


def take(state: SendLog | None, rule: Window, now: datetime) -> Admitted | Held:
    """Judge one sending against a window."""
    earlier = () if state is None else state.sent_at
    recent = tuple(at for at in earlier if now - at < rule.per)[-rule.limit :]
    if recent and now - recent[-1] < rule.gap:
        return Held(rule.gap - (now - recent[-1]))
    if len(recent) >= rule.limit:
        return Held(rule.per - (now - recent[0]))
    return Admitted(SendLog((*recent, now)), now + rule.per + _DAY)


def counter_key(secret: Secret[bytes], prefix: str, *parts: str) -> str:
    """Answer a counter's name: a short plain prefix and 16 bytes of HMAC, so that no identifier stands in clear."""
    message = "\0".join((prefix, *parts)).encode("utf-8", "surrogatepass")
    return f"{prefix}:{hmac.digest(secret.reveal(), message, hashlib.sha256)[:16].hex()}"


@attrs.frozen
class Throttle:
    """Charges attempts on counters; who can't be counted isn't let in."""

    counters: Counters

    async def attempt(self, key: str, rule: Wait, now: datetime) -> Held | None:
        """Charge one attempt; None lets it go on.

        Raises:
            TryLater: The counters didn't answer.
        """
        return await self._charge(key, lambda state: admit(Failures.load(state) if state else None, rule, now))

    async def send(self, key: str, rule: Window, now: datetime) -> Held | None:
        """Charge one sending; None lets it go on.

        Raises:
            TryLater: The counters didn't answer.
        """
        return await self._charge(key, lambda state: take(SendLog.load(state) if state else None, rule, now))

    async def held(self, key: str, rule: Wait, now: datetime) -> Held | None:
        """Tell whether an attempt would have to wait, and charge nothing.

        Raises:
            TryLater: The counters didn't answer.
        """
        try:
            seen = await got(self.counters.read(key))
        except Unavailable as failure:
            raise TryLater from failure
        verdict = admit(Failures.load(seen.state) if seen else None, rule, now)
        return verdict if isinstance(verdict, Held) else None

    async def forget(self, key: str) -> None:
        """Forget the failures under *key*, after a success."""
        try:
            seen = await got(self.counters.read(key))
            if seen is not None:
                await got(self.counters.clear(key, seen.revision))
        except Unavailable:
            return

    async def _charge(self, key: str, judge: Callable[[bytes | None], Admitted | Held]) -> Held | None:
        try:
            for _ in range(ROUNDS):
                seen = await got(self.counters.read(key))
                verdict = judge(seen.state if seen else None)
                if isinstance(verdict, Held):
                    return verdict
                revision = seen.revision if seen else None
                if await got(self.counters.swap(key, revision, verdict.state.dump(), verdict.keep_until)):
                    return None
        except Unavailable as failure:
            raise TryLater from failure
        return Held(timedelta(seconds=1))


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
