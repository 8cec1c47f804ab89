"""Counters in Valkey, or in Redis, which speaks the same protocol (6.2 or newer); no records.

The rules, in plain English:

* One call is one script, which the server runs to its end before it does anything else. So a state is replaced only by
  who has seen it, and no addition is lost.
* The server's clock judges nothing. It forgets a counter a day after its end, and a day after its last change at the
  earliest, so that a server whose clock is ahead sets nobody free. Whether a sum has lapsed is judged by the time that
  is handed in.
* All counters of a realm begin with its name in braces, so that a cluster keeps them on one node, where one script can
  reach them. No name of a customer is in any key.
* A server that is not reached, takes too long, is full or takes no writes is ``Unavailable``; then nobody is let in.
  Anything else that it refuses is a defect.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from shopaccounts.adapters.extras import require_extra
from shopaccounts.kernel.bounds import require_counter_states
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import Defect, Unavailable
from shopaccounts.kernel.ports import Counted, Swap
from shopaccounts.kernel.scope import Scope

if TYPE_CHECKING:
    import valkey
    import valkey.asyncio

__all__ = ["AsyncRealmCounters", "AsyncValkeyCounters", "RealmCounters", "ValkeyCounters"]

EXTRA: Final = "valkey"
KEPT_AFTER_END: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REVISION_BYTES: Final = 7

_READ: Final = """
local found = {}
for n, key in ipairs(KEYS) do
  local kept = redis.call('HMGET', key, 'revision', 'state')
  found[n] = kept[1] and kept or false
end
return found
"""
_CLEAR: Final = "redis.call('DEL', KEYS[1])"
_KEEP: Final = f"""
local function keep(key, revision, ends)
  redis.call('HSET', key, 'revision', revision, 'ends', ends)
  local now = tonumber(redis.call('TIME')[1])
  local last = math.max(now, math.ceil(tonumber(ends) / 1000000))
  redis.call('EXPIREAT', key, string.format('%.0f', last + {KEPT_AFTER_END.total_seconds():.0f}))
end
"""
_SWAP: Final = f"""{_KEEP}
local replaced = {{}}
for n, key in ipairs(KEYS) do
  local seen, state, ends = unpack(ARGV, 3 * n - 1, 3 * n + 1)
  if (redis.call('HGET', key, 'revision') or '') == seen then
    redis.call('HSET', key, 'state', state)
    keep(key, ARGV[1], ends)
    replaced[#replaced + 1] = n
  end
end
return replaced
"""
_ADD: Final = f"""{_KEEP}
local revision, amount, now, ends = unpack(ARGV)
local ended = redis.call('HGET', KEYS[1], 'ends')
if ended and ended <= now then
  redis.call('HDEL', KEYS[1], 'state')
end
redis.call('HINCRBY', KEYS[1], 'state', amount)
keep(KEYS[1], revision, ends)
return redis.call('HGET', KEYS[1], 'state')
"""


class ValkeyCounters:
    """Counters for blocking hosts, apart from the shop's books.

    Args:
        server: Its URL (``valkey://``, with TLS ``valkeys://``, or ``unix://``), or a client that has your own
            settings, its timeouts among them.
        volatile: Whether the server forgets with a restart; it doesn't if it keeps an append-only file.
        timeout: How long a server that is given as a URL is waited for.

    Raises:
        ExtraMissing: The extra ``valkey`` isn't installed.
        Defect: The client decodes what it reads; a state is bytes.

    Why these defaults:
        volatile: yes, as servers are delivered; only you know what yours keeps. [Valkey documentation, persistence]
        timeout: 1 second; a sign-in waits for a handful of answers, which take less than a millisecond each.
    """

    holds_up_the_loop = True

    def __init__(
        self, server: "str | valkey.Valkey", *, volatile: bool = True, timeout: timedelta = timedelta(seconds=1)
    ) -> None:
        require_extra(EXTRA, self, "valkey")
        import valkey  # noqa: PLC0415  (optional)

        self.volatile, self._is_own = volatile, isinstance(server, str)
        self._client: Any = valkey.Valkey.from_url(server, **_settings(timeout)) if isinstance(server, str) else server
        self._scripts = _Scripts(self._client)

    def counters(self, scope: Scope) -> "RealmCounters":
        """Answer the counters of one realm, which all of its storefronts share."""
        return RealmCounters(self._scripts, scope, volatile=self.volatile)

    def close(self) -> None:
        """Give the connections back; those of a client that was handed in stay its owner's."""
        if self._is_own:
            self._client.close()


class RealmCounters:
    """The counters of one realm; made by ``ValkeyCounters``. Keeps the promises of ``Counters``."""

    def __init__(self, scripts: "_Scripts", scope: Scope, *, volatile: bool) -> None:
        self.volatile, self._scripts, self._words = volatile, scripts, _Words(scope)

    def read(self, *keys: str) -> Mapping[str, Counted]:
        """Answer the states under *keys*; of one that is absent, nothing."""
        with _told():
            return _found(keys, self._scripts.read(self._words.named(keys)) if keys else ())

    def swap(self, *swaps: Swap) -> frozenset[str]:
        """Replace states that are still at the revision that was seen; answer the keys of those that were."""
        require_counter_states(swap.state for swap in swaps)
        with _told():
            return _replaced(swaps, self._scripts.swap(*self._words.swap(swaps)) if swaps else ())

    def clear(self, key: str) -> None:
        """Forget the state or sum under *key*, if there is one."""
        with _told():
            self._scripts.clear(self._words.named([key]))

    def add(self, key: str, amount: int, now: datetime, keep_until: datetime) -> int:
        """Add *amount* and answer the new sum; a sum that lapsed before *now* counts as nothing."""
        with _told():
            return int(self._scripts.add(*self._words.add(key, amount, now, keep_until)))


class AsyncValkeyCounters:
    """Counters for async hosts, apart from the shop's books.

    Args:
        server: As for ``ValkeyCounters``; a client is one of ``valkey.asyncio``.
        volatile: Whether the server forgets with a restart; it doesn't if it keeps an append-only file.
        timeout: How long a server that is given as a URL is waited for.

    Raises:
        ExtraMissing: The extra ``valkey`` isn't installed.
        Defect: The client decodes what it reads; a state is bytes.

    Why these defaults:
        volatile: yes, as servers are delivered; only you know what yours keeps. [Valkey documentation, persistence]
        timeout: 1 second; a sign-in waits for a handful of answers, which take less than a millisecond each.
    """

    def __init__(
        self, server: "str | valkey.asyncio.Valkey", *, volatile: bool = True, timeout: timedelta = timedelta(seconds=1)
    ) -> None:
        require_extra(EXTRA, self, "valkey")
        import valkey.asyncio  # noqa: PLC0415  (optional)

        self.volatile, self._is_own = volatile, isinstance(server, str)
        opened = valkey.asyncio.Valkey.from_url
        self._client: Any = opened(server, **_settings(timeout)) if isinstance(server, str) else server
        self._scripts = _Scripts(self._client)

    def counters(self, scope: Scope) -> "AsyncRealmCounters":
        """Answer the counters of one realm, which all of its storefronts share."""
        return AsyncRealmCounters(self._scripts, scope, volatile=self.volatile)

    async def close(self) -> None:
        """Give the connections back; those of a client that was handed in stay its owner's."""
        if self._is_own:
            await self._client.aclose()


class AsyncRealmCounters:
    """The counters of one realm; made by ``AsyncValkeyCounters``. Keeps the promises of ``Counters``."""

    def __init__(self, scripts: "_Scripts", scope: Scope, *, volatile: bool) -> None:
        self.volatile, self._scripts, self._words = volatile, scripts, _Words(scope)

    async def read(self, *keys: str) -> Mapping[str, Counted]:
        """Answer the states under *keys*; of one that is absent, nothing."""
        with _told():
            return _found(keys, await self._scripts.read(self._words.named(keys)) if keys else ())

    async def swap(self, *swaps: Swap) -> frozenset[str]:
        """Replace states that are still at the revision that was seen; answer the keys of those that were."""
        require_counter_states(swap.state for swap in swaps)
        with _told():
            return _replaced(swaps, await self._scripts.swap(*self._words.swap(swaps)) if swaps else ())

    async def clear(self, key: str) -> None:
        """Forget the state or sum under *key*, if there is one."""
        with _told():
            await self._scripts.clear(self._words.named([key]))

    async def add(self, key: str, amount: int, now: datetime, keep_until: datetime) -> int:
        """Add *amount* and answer the new sum; a sum that lapsed before *now* counts as nothing."""
        with _told():
            return int(await self._scripts.add(*self._words.add(key, amount, now, keep_until)))


class _Scripts:
    """The scripts, by the client that sends them: whole only to a server that doesn't know them yet."""

    def __init__(self, client: Any) -> None:
        if client.get_encoder().decode_responses:
            msg = "counters hold bytes; give them a client that doesn't decode responses"
            raise Defect(msg)
        self.read, self.swap, self.clear, self.add = map(client.register_script, (_READ, _SWAP, _CLEAR, _ADD))


class _Words:
    """What is said to the server about one realm: keys and arguments.

    A revision is drawn at random with each change, so that a counter that was cleared and begun anew is never mistaken
    for the one before.
    """

    def __init__(self, scope: Scope) -> None:
        self._prefix = f"shopaccounts:{{{quote(scope.realm, safe='')}}}:"
        self._entropy = SystemEntropy()

    def named(self, keys: Sequence[str]) -> list[str]:
        return [self._prefix + key for key in keys]

    def swap(self, swaps: Sequence[Swap]) -> tuple[list[str], list[bytes | str | int]]:
        said: list[bytes | str | int] = [self._revision()]
        for swap in swaps:
            said += ["" if swap.seen is None else swap.seen, swap.state, _digits(swap.keep_until)]
        return self.named([swap.key for swap in swaps]), said

    def add(self, key: str, amount: int, now: datetime, keep_until: datetime) -> tuple[list[str], list[str | int]]:
        return self.named([key]), [self._revision(), amount, _digits(now), _digits(keep_until)]

    def _revision(self) -> int:
        return int.from_bytes(self._entropy.raw(_REVISION_BYTES), "big")


def _settings(timeout: timedelta) -> dict[str, Any]:
    return dict.fromkeys(("socket_timeout", "socket_connect_timeout"), timeout.total_seconds())


def _digits(at: datetime) -> str:
    """Answer a time in microseconds, with as many digits as any has, so that texts are in the order of the times."""
    return f"{(at - _EPOCH) // timedelta(microseconds=1):018}"


def _found(keys: Sequence[str], answer: Sequence[Any]) -> Mapping[str, Counted]:
    kept = zip(keys, answer, strict=True)
    return {key: Counted(found[1], int(found[0])) for key, found in kept if found is not None}


def _replaced(swaps: Sequence[Swap], answer: Sequence[int]) -> frozenset[str]:
    return frozenset(swaps[n - 1].key for n in answer)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what a refusal of the server means, and nothing of its text."""
    from valkey.exceptions import ValkeyError  # noqa: PLC0415  (optional)

    try:
        yield
    except ValkeyError as failure:
        raise _meaning(failure) from None


def _meaning(failure: Exception) -> Exception:
    from valkey import exceptions  # noqa: PLC0415  (optional)

    reasons = {
        exceptions.TimeoutError: "timed_out",
        exceptions.ConnectionError: "connection_lost",
        exceptions.ReadOnlyError: "read_only",
        exceptions.OutOfMemoryError: "memory_full",
    }
    reason = next((reason for kind, reason in reasons.items() if isinstance(failure, kind)), None)
    return Unavailable(reason) if reason else Defect(f"the server of the counters refused: {type(failure).__name__}")
