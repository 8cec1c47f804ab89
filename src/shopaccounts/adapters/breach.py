"""The list of leaked passwords over HTTP: the k-anonymity range API of Have I Been Pwned, or a mirror of it.

One GET for each check, ``{base}/range/{prefix}``, with padding asked for, a deadline and no second try. Redirects are
not followed. Whatever is not a whole, well-formed answer in time is an outage; the reason is a key of ours, and nothing
that the network or the library says goes any further.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final

from shopaccounts.adapters.extras import require_extra
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.time import Clock, SystemClock
from shopaccounts.kernel.web import is_https
from shopaccounts.passwords.breaches import Outage
from shopaccounts.passwords.policy import BreachPolicy

__all__ = ["PUBLIC_LIST", "AsyncHttpBreachedPasswords", "HttpBreachedPasswords"]

PUBLIC_LIST: Final = "https://api.pwnedpasswords.com"
"""The public list."""

EXTRA: Final = "breach"
_HEADERS: Final = {"Add-Padding": "true", "User-Agent": "shopaccounts", "Accept": "text/plain"}
_LONGEST: Final = 1_000_000
_PREFIX: Final = re.compile(r"[0-9A-F]{5}")
_LINE: Final = re.compile(r"([0-9A-F]{35}):([0-9]{1,12})")
_OK: Final = 200

_TIMEOUT: Final = Outage("timeout")
_UNREACHABLE: Final = Outage("unreachable")
_STATUS: Final = Outage("status")
_TOO_LONG: Final = Outage("too_long")
_NO_LINES: Final = Outage("no_lines")


class HttpBreachedPasswords:
    """Asks the list in a blocking host. Keeps the promises of ``BreachedPasswords``.

    Args:
        policy: Says how long it is waited for.
        base: Where the list is; ``http`` only on the own machine.
        clock: Measures how long an answer takes that comes in drops; such a one is given up at twice the timeout.

    Raises:
        ExtraMissing: The extra ``breach`` isn't installed.
        BadPolicy: *base* is no https address.
    """

    holds_up_the_loop = True

    def __init__(self, policy: BreachPolicy | None = None, base: str = PUBLIC_LIST, clock: Clock | None = None) -> None:
        require_extra(EXTRA, self, "httpx")
        import httpx  # noqa: PLC0415  (optional)

        self._timeout, self._clock = (policy or BreachPolicy()).timeout, clock or SystemClock()
        self._client = httpx.Client(**_settings(base, self._timeout.total_seconds()))

    def range(self, prefix: str) -> Sequence[tuple[str, int]] | Outage:
        """Answer every listed fingerprint that begins with *prefix*."""
        import httpx  # noqa: PLC0415  (optional)

        until, body = self._clock.now() + self._timeout, bytearray()
        try:
            with self._client.stream("GET", _path(prefix)) as response:
                if response.status_code != _OK:
                    return _STATUS
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > _LONGEST:
                        return _TOO_LONG
                    if self._clock.now() >= until:
                        return _TIMEOUT
        except httpx.TimeoutException:
            return _TIMEOUT
        except httpx.HTTPError:
            return _UNREACHABLE
        return _read(bytes(body))

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


class AsyncHttpBreachedPasswords:
    """Asks the list in an async host. Keeps the promises of ``BreachedPasswords``.

    Args:
        policy: Says how long it is waited for.
        base: Where the list is; ``http`` only on the own machine.

    Raises:
        ExtraMissing: The extra ``breach`` isn't installed.
        BadPolicy: *base* is no https address.
    """

    def __init__(self, policy: BreachPolicy | None = None, base: str = PUBLIC_LIST) -> None:
        require_extra(EXTRA, self, "httpx")
        import httpx  # noqa: PLC0415  (optional)

        self._seconds = (policy or BreachPolicy()).timeout.total_seconds()
        self._client = httpx.AsyncClient(**_settings(base, self._seconds))

    async def range(self, prefix: str) -> Sequence[tuple[str, int]] | Outage:
        """Answer every listed fingerprint that begins with *prefix*."""
        import httpx  # noqa: PLC0415  (optional)

        try:
            async with asyncio.timeout(self._seconds):
                return await self._asked(_path(prefix))
        except (TimeoutError, httpx.TimeoutException):
            return _TIMEOUT
        except httpx.HTTPError:
            return _UNREACHABLE

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def _asked(self, path: str) -> Sequence[tuple[str, int]] | Outage:
        body = bytearray()
        async with self._client.stream("GET", path) as response:
            if response.status_code != _OK:
                return _STATUS
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _LONGEST:
                    return _TOO_LONG
        return _read(bytes(body))


def _settings(base: str, seconds: float) -> dict[str, Any]:
    require(is_https(base, local=True), "the list of leaked passwords is asked over https")
    return {"base_url": base, "headers": _HEADERS, "timeout": seconds, "follow_redirects": False}


def _path(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        msg = "a prefix has five upper-case hex digits"
        raise Defect(msg)
    return f"/range/{prefix}"


def _read(body: bytes) -> Sequence[tuple[str, int]] | Outage:
    lines = map(_LINE.fullmatch, body.decode("ascii", "replace").splitlines())
    return tuple((line[1], int(line[2])) for line in lines if line) or _NO_LINES
