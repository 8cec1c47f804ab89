"""Slowing down who guesses, without locking out who owns.

An attempt is counted before the secret is looked at: read the state, ask the rule, swap; if somebody swapped in
between, ask again. So any number of attempts at once gets in exactly as often as the rule says, and a held attempt
writes nothing and reaches no hasher.

``Wait`` is a delay that doubles and never locks. ``Window`` is an exact sliding window, for things that are sent.
[NIST SP 800-63B-4 3.2.2; OWASP ASVS 6.3.1; OWASP Authentication Cheat Sheet]
"""

import hashlib
import hmac
import logging
import struct
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import TryLater
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.ports import Counted, Counters
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
log = logging.getLogger("shopaccounts")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_LONG = timedelta(days=3650)
_NO_TIME = timedelta(0)
_MAX_DOUBLINGS = 64


@attrs.frozen
class Wait:
    """An exponential delay between attempts; never a lock.

    Args:
        free: Attempts that need no waiting.
        base: The first wait; it doubles with each further attempt.
        cap: The longest wait.
        forget_after: Silence after which the count starts anew, no shorter than the longest wait; None: only success
            forgets.
    """

    free: int
    base: timedelta
    cap: timedelta
    forget_after: timedelta | None

    def __attrs_post_init__(self) -> None:
        require(self.free >= 1, "a wait leaves at least one attempt free")
        require(timedelta(0) < self.base <= self.cap, "a wait starts above zero and below its cap")
        require(self.forget_after is None or self.forget_after >= self.cap, "a wait is not forgotten before it ends")


@attrs.frozen
class Window:
    """At most *limit* within any stretch of *per*, and at least *gap* between two.

    Why these defaults:
        gap: none; a window that wants a pause, as before the next mail to one mailbox, sets it.
    """

    limit: int
    per: timedelta
    gap: timedelta = timedelta(0)

    def __attrs_post_init__(self) -> None:
        require(1 <= self.limit <= MAX_WINDOW, f"a window holds 1 to {MAX_WINDOW}")
        require(timedelta(0) <= self.gap <= self.per, "a gap is no longer than its window")


MAX_WINDOW: Final = 30
"""As many times as fit in the 256 bytes of a counter."""


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


S = TypeVar("S", Failures, SendLog)


@attrs.frozen
class Admitted(Generic[S]):
    """The attempt may go on; *state* is to be stored first."""

    state: S
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
    factor = 2 ** min(count - rule.free, _MAX_DOUBLINGS)
    return rule.base * factor if factor <= rule.cap // rule.base else rule.cap


def admit(state: Failures | None, rule: Wait, now: datetime) -> Admitted[Failures] | Held:
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


def take(state: SendLog | None, rule: Window, now: datetime) -> Admitted[SendLog] | Held:
    """Judge one sending against a window.

    What was sent stays counted when a clock steps back.
    """
    earlier = () if state is None else state.sent_at
    recent = sorted(at for at in earlier if now - at < rule.per)[-rule.limit :]
    waits = [recent[-1] + rule.gap - now] if recent and rule.gap else []
    if len(recent) >= rule.limit:
        waits.append(recent[0] + rule.per - now)
    wait = max(waits, default=_NO_TIME)
    if wait > _NO_TIME:
        return Held(wait)
    sent_at = (*recent, now)
    return Admitted(SendLog(sent_at), max(sent_at) + rule.per + _DAY)


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
            TryLater: The counters failed.
        """
        return await _or_later(self._charge(key, rule, now))

    async def send(self, key: str, rule: Window, now: datetime) -> Held | None:
        """Charge one sending; None lets it go on.

        Raises:
            TryLater: The counters failed.
        """
        return await _or_later(self._charge(key, rule, now))

    async def held(self, key: str, rule: Wait | Window, now: datetime) -> Held | None:
        """Tell whether an attempt or a sending would have to wait, and charge nothing.

        Raises:
            TryLater: The counters failed.
        """
        return await _or_later(self._held(key, rule, now))

    async def forget(self, key: str) -> None:
        """Forget the failures under *key*, after a success; attempts that are being made meanwhile stay counted."""
        try:
            seen = await got(self.counters.read(key))
            if seen is not None:
                await got(self.counters.clear(key, seen.revision))
        except Exception:
            log.exception("the counters failed; a success could not clear what was counted before it")

    async def _held(self, key: str, rule: Wait | Window, now: datetime) -> Held | None:
        seen = await got(self.counters.read(key))
        verdict = _judge(seen, rule, now)
        return verdict if isinstance(verdict, Held) else None

    async def _charge(self, key: str, rule: Wait | Window, now: datetime) -> Held | None:
        for _ in range(ROUNDS):
            seen = await got(self.counters.read(key))
            verdict = _judge(seen, rule, now)
            if isinstance(verdict, Held):
                return verdict
            revision = seen.revision if seen else None
            if await got(self.counters.swap(key, revision, verdict.state.dump(), verdict.keep_until)):
                return None
        return Held(timedelta(seconds=1))


def _judge(seen: Counted | None, rule: Wait | Window, now: datetime) -> Admitted[Failures] | Admitted[SendLog] | Held:
    if isinstance(rule, Wait):
        return admit(Failures.load(seen.state) if seen else None, rule, now)
    return take(SendLog.load(seen.state) if seen else None, rule, now)


async def _or_later(answer: Awaitable[Held | None]) -> Held | None:
    """Take the counters' answer; whatever goes wrong with them, nobody gets in uncounted."""
    try:
        return await answer
    except Exception as failure:
        log.exception("the counters failed; the attempt is refused")
        raise TryLater from failure


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
