"""Slowing down who guesses, without locking out who owns.

An attempt is counted before the secret is looked at: read the state, ask the rule, swap; if somebody swapped in
between, ask again. So any number of attempts at once gets in exactly as often as the rule says, and a held attempt
writes nothing and reaches no hasher. What several rules have to admit is read at once and charged at once, and only if
all of them do.

``Wait`` is a delay that doubles and never locks. ``Window`` is an exact sliding window, for things that are sent.
[NIST SP 800-63B-4 3.2.2; OWASP ASVS 6.3.1; OWASP Authentication Cheat Sheet]
"""

import hmac
import logging
import struct
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import TryLater
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.ports import Counted, Counters, Swap
from shopaccounts.kernel.secret import Secret

__all__ = [
    "Admitted",
    "Failures",
    "Held",
    "Limit",
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
        disable_after: Failures in a row after which what was tried is no way in any more, until its owner has renewed
            it; None: never. [NIST SP 800-63B-4 3.2.2 asks for 100 at most]

    Why these defaults:
        disable_after: never, since whoever can guess could then take the owner's way in. [OWASP ASVS 6.1.1]
    """

    free: int
    base: timedelta
    cap: timedelta
    forget_after: timedelta | None
    disable_after: int | None = None

    def __attrs_post_init__(self) -> None:
        require(self.disable_after is None or self.disable_after > self.free, "nobody is disabled by free attempts")
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

    @property
    def count(self) -> int:
        """How many things were sent."""
        return len(self.sent_at)

    def dump(self) -> bytes:
        """Answer the state as a counter keeps it."""
        return struct.pack(f">{len(self.sent_at)}q", *map(_micros, self.sent_at))

    @classmethod
    def load(cls, state: bytes) -> "SendLog":
        """Read what ``dump`` wrote."""
        return cls(tuple(map(_instant, struct.unpack(f">{len(state) // 8}q", state))))


S = TypeVar("S", Failures, SendLog)
T = TypeVar("T")


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
    digest = hmac.digest(secret.reveal(), message, "sha256")
    return f"{prefix}:{digest[:16].hex()}"


@attrs.frozen
class Limit:
    """A counter, and the rule that it is judged by."""

    key: str
    rule: Wait | Window


@attrs.frozen
class Throttle:
    """Charges attempts on counters; who can't be counted isn't let in."""

    counters: Counters

    async def charge(self, *limits: Limit, now: datetime, behind: Sequence[Limit] = ()) -> tuple[int, ...] | Held:
        """Charge one attempt, or one sending, on every limit; one that is held is charged on none.

        Of attempts made at the same moment, one that is admitted by some limits and held by others only because of the
        rest may stay charged on those some: one too many is counted, never one too few.

        Args:
            limits: What admits the attempt; the first that doesn't is answered.
            now: When it is made.
            behind: Limits that are asked before and charged nothing.

        Returns:
            How many each limit has counted, this one with them.

        Raises:
            TryLater: The counters failed.
        """
        return await _or_later(self._charge(limits, behind, now))

    async def count(self, key: str, now: datetime, keep_for: timedelta = _LONG) -> int:
        """Count one thing and answer how many there were with it; ``forget`` begins anew.

        Raises:
            TryLater: The counters failed.
        """
        return await _or_later(self._count(key, now, now + keep_for))

    async def forget(self, key: str) -> None:
        """Forget what was counted under *key*, after a success."""
        try:
            await got(self.counters.clear(key))
        except Exception:
            log.exception("the counters failed; a success could not clear what was counted before it")

    async def _count(self, key: str, now: datetime, keep_until: datetime) -> int:
        return await got(self.counters.add(key, 1, now, keep_until))

    async def _charge(self, limits: Sequence[Limit], behind: Sequence[Limit], now: datetime) -> tuple[int, ...] | Held:
        counted: dict[str, int] = {}
        for _ in range(ROUNDS):
            left = [limit for limit in limits if limit.key not in counted]
            verdicts = await self._judge((*behind, *left), now)
            if isinstance(verdicts, Held):
                return verdicts
            charges = verdicts[len(behind) :]
            stored = await got(self.counters.swap(*(charge.swap for charge in charges)))
            counted |= {charge.swap.key: charge.count for charge in charges if charge.swap.key in stored}
            if len(counted) == len(limits):
                return tuple(counted[limit.key] for limit in limits)
        return Held(timedelta(seconds=1))

    async def _judge(self, limits: Sequence[Limit], now: datetime) -> "list[_Charge] | Held":
        seen = await got(self.counters.read(*(limit.key for limit in limits)))
        charges = []
        for limit in limits:
            verdict = _asked(limit, seen.get(limit.key), now)
            if isinstance(verdict, Held):
                return verdict
            charges.append(verdict)
        return charges


@attrs.frozen
class _Charge:
    """What is to be stored for one attempt, and how many there are with it."""

    swap: Swap
    count: int


def _asked(limit: Limit, seen: Counted | None, now: datetime) -> _Charge | Held:
    verdict = _verdict(limit.rule, seen.state if seen else None, now)
    if isinstance(verdict, Held):
        return verdict
    swap = Swap(limit.key, seen.revision if seen else None, verdict.state.dump(), verdict.keep_until)
    return _Charge(swap, verdict.state.count)


def _verdict(rule: Wait | Window, state: bytes | None, now: datetime) -> Admitted[Failures] | Admitted[SendLog] | Held:
    if isinstance(rule, Wait):
        return admit(None if state is None else Failures.load(state), rule, now)
    return take(None if state is None else SendLog.load(state), rule, now)


async def _or_later(answer: Awaitable[T]) -> T:
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
