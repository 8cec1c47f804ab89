"""Text messages and calls by a gateway over HTTP, and a courier that shows them on the screen of a developer.

What a gateway gets, and how it knows that it is from the shop:

* One POST for each message: JSON with ``id``, ``channel`` (``sms`` or ``voice``), ``to`` (E.164), ``text`` and
  ``locale``. The header ``Idempotency-Key`` is the id, the same on each try.
* The signature is that of Standard Webhooks: ``webhook-signature`` is ``v1,`` and the Base64 of HMAC-SHA-256 over
  ``{webhook-id}.{webhook-timestamp}.{body}`` under the shared secret. A gateway computes it over the bytes that came,
  compares in constant time, and refuses a timestamp (seconds since 1970) that is more than a few minutes away.
  [Standard Webhooks 1.0.0]
* 2xx takes the message over; its JSON may say ``{"id": ...}``. 401 and 403 are about our secret and raise an alarm.
  408, 425, 429 and 5xx are for now, with ``Retry-After`` in seconds. Any other 4xx is for good; its JSON may say
  ``{"reason": ...}``: ``undeliverable`` speaks of the number, ``unsupported`` of the message.
* Redirects are not followed: a number and a code go nowhere else.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, TextIO

from shopaccounts.adapters.extras import require_extra
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import Clock, SystemClock
from shopaccounts.kernel.web import is_https
from shopaccounts.relay import (
    LOGIN_REFUSED,
    Accepted,
    CourierAnswer,
    PermanentFailure,
    Refusal,
    Rendered,
    SmsPolicy,
    TemporaryFailure,
    sms_parts,
)

__all__ = ["AsyncHttpSmsCourier", "ConsoleCourier", "HttpSmsCourier", "signature"]

EXTRA: Final = "sms"
_SHORTEST_SECRET: Final = 24
_LONGEST_ANSWER: Final = 16_384
_LONGEST_ID: Final = 200
_LOGIN_CODES: Final = frozenset({401, 403})
_FOR_NOW: Final = frozenset({408, 425, 429})
_NO_CONNECTION: Final = TemporaryFailure("sms.no_connection")
_TIMEOUT: Final = TemporaryFailure("sms.timeout")
_TOO_LONG: Final = PermanentFailure(Refusal.UNSUPPORTED)
_DAY: Final = 86_400


class HttpSmsCourier:
    """Hands text messages and calls to a gateway, in a blocking host.

    Args:
        address: Where messages are posted; ``http`` only on the own machine.
        secret: What the gateway knows too, at least 24 bytes.
        policy: How long a message may be, and how long the gateway may take.
        clock: Measures how long an answer takes that comes in drops; such a one is given up at twice the timeout.

    Raises:
        ExtraMissing: The extra ``sms`` isn't installed.
        BadPolicy: *address* is no https address, or the secret is too short.
    """

    holds_up_the_loop = True

    def __init__(
        self, address: str, secret: Secret[bytes], policy: SmsPolicy | None = None, *, clock: Clock | None = None
    ) -> None:
        require_extra(EXTRA, self, "httpx")
        import httpx  # noqa: PLC0415  (optional)

        self._address, self._secret, self._policy = address, _checked(address, secret), policy or SmsPolicy()
        self._clock = clock or SystemClock()
        self._client = httpx.Client(timeout=self._policy.timeout.total_seconds(), follow_redirects=False)

    def send(self, message: Rendered) -> CourierAnswer:
        """Send one message to one number."""
        import httpx  # noqa: PLC0415  (optional)

        if _is_too_long(message, self._policy):
            return _TOO_LONG
        until, body = self._clock.now() + self._policy.timeout, bytearray()
        try:
            with self._client.stream("POST", self._address, **_posted(message, self._secret)) as response:
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > _LONGEST_ANSWER or self._clock.now() >= until:
                        break
                return _read(response.status_code, response.headers, bytes(body))
        except httpx.TimeoutException:
            return _TIMEOUT
        except httpx.HTTPError:
            return _NO_CONNECTION

    def hang_up(self) -> None:
        """Keep the connections: the next page of messages uses them."""

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


class AsyncHttpSmsCourier:
    """Hands text messages and calls to a gateway, in an async host.

    Args:
        address: Where messages are posted; ``http`` only on the own machine.
        secret: What the gateway knows too, at least 24 bytes.
        policy: How long a message may be, and how long the gateway may take.

    Raises:
        ExtraMissing: The extra ``sms`` isn't installed.
        BadPolicy: *address* is no https address, or the secret is too short.
    """

    def __init__(self, address: str, secret: Secret[bytes], policy: SmsPolicy | None = None) -> None:
        require_extra(EXTRA, self, "httpx")
        import httpx  # noqa: PLC0415  (optional)

        self._address, self._secret, self._policy = address, _checked(address, secret), policy or SmsPolicy()
        self._seconds = self._policy.timeout.total_seconds()
        self._client = httpx.AsyncClient(timeout=self._seconds, follow_redirects=False)

    async def send(self, message: Rendered) -> CourierAnswer:
        """Send one message to one number."""
        import httpx  # noqa: PLC0415  (optional)

        if _is_too_long(message, self._policy):
            return _TOO_LONG
        try:
            async with asyncio.timeout(self._seconds):
                return await self._sent(message)
        except (TimeoutError, httpx.TimeoutException):
            return _TIMEOUT
        except httpx.HTTPError:
            return _NO_CONNECTION

    async def hang_up(self) -> None:
        """Keep the connections: the next page of messages uses them."""

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def _sent(self, message: Rendered) -> CourierAnswer:
        body = bytearray()
        async with self._client.stream("POST", self._address, **_posted(message, self._secret)) as response:
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _LONGEST_ANSWER:
                    break
            return _read(response.status_code, response.headers, bytes(body))


class ConsoleCourier:
    """Shows messages instead of sending them: for developers, on their own machine only.

    Args:
        out: Where; None is the standard output.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def send(self, message: Rendered) -> CourierAnswer:
        """Show one message."""
        out = self._out or sys.stdout
        out.write(f"--- {message.channel.value} to {message.to}\n{message.wording.text.rstrip()}\n---\n")
        out.flush()
        return Accepted()

    def hang_up(self) -> None:
        """There is nothing to let go of."""


def signature(secret: Secret[bytes], id: str, timestamp: int, body: bytes) -> str:
    """Answer the signature of a message, for gateways of one's own and their tests.

    Args:
        secret: What both sides know.
        id: The header ``webhook-id``.
        timestamp: The header ``webhook-timestamp``, in seconds since 1970.
        body: What was posted, byte for byte.
    """
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret.reveal(), signed, hashlib.sha256)).decode()


def _checked(address: str, secret: Secret[bytes]) -> Secret[bytes]:
    require(is_https(address, local=True), "a gateway is asked over https")
    require(len(secret.reveal()) >= _SHORTEST_SECRET, "a gateway's secret has at least 24 bytes")
    return secret


def _is_too_long(message: Rendered, policy: SmsPolicy) -> bool:
    return sms_parts(message.wording.text.strip()).segments > policy.max_segments


def _posted(message: Rendered, secret: Secret[bytes]) -> dict[str, Any]:
    said = {
        "id": message.id,
        "channel": message.channel.value,
        "to": message.to,
        "text": message.wording.text.strip(),
        "locale": message.wording.locale,
    }
    body = json.dumps(said, separators=(",", ":")).encode()
    timestamp = int(message.at.timestamp())
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "shopaccounts",
        "Idempotency-Key": message.id,
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message.id, timestamp, body),
    }
    return {"content": body, "headers": headers}


def _read(status: int, headers: Mapping[str, str], body: bytes) -> CourierAnswer:
    """Say what a gateway's answer means."""
    if 200 <= status < 300:  # noqa: PLR2004  (the codes of success)
        return Accepted(_told(body, "id")[:_LONGEST_ID])
    if status in _LOGIN_CODES:
        return TemporaryFailure(LOGIN_REFUSED)
    if status in _FOR_NOW or status >= 500:  # noqa: PLR2004  (the gateway's own failures)
        return TemporaryFailure("sms.temporary", _pause(headers.get("Retry-After", "")))
    if status < 400:  # noqa: PLR2004  (it wants us to go elsewhere)
        return TemporaryFailure("sms.moved")
    kinds = {kind.value: kind for kind in (Refusal.UNDELIVERABLE, Refusal.UNSUPPORTED)}
    return PermanentFailure(kinds.get(_told(body, "reason"), Refusal.REJECTED))


def _told(body: bytes, name: str) -> str:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, str) else ""


def _pause(text: str) -> timedelta | None:
    return timedelta(seconds=min(int(text), _DAY)) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004  (longer than any day in seconds)
