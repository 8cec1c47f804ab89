"""Signatures of ID tokens, with joserfc, and the keys that providers publish.

The library verifies a signature and nothing else. It is handed one key and a list of algorithms that it may use; what
it would decide by itself (which algorithms, which key, what a header may bring along) is decided here or by the rules.
Whatever it raises becomes a reason of ours, and its words go nowhere.

Keys are kept for an hour. A token with a key that isn't among them has them fetched anew, once in five minutes, so that
a provider may change its keys and nobody can make the shop ask all the time. A provider that doesn't answer takes away
no key that was known. [RFC 7515; RFC 7517; RFC 8725 3.1, 3.10; OpenID Connect Core 10.1]
"""

import threading
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from shopaccounts.adapters.extras import require_extra
from shopaccounts.kernel.answers import got, run
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.web import is_https
from shopaccounts.providers.errors import Why
from shopaccounts.providers.id_tokens import ID_TOKEN_TYPES, IdTokenRefused, judge_header
from shopaccounts.providers.policy import ProviderConfig
from shopaccounts.providers.ports import ProviderKeys
from shopaccounts.providers.tokens import SignedToken, read_json, read_token

__all__ = ["AsyncHttpProviderKeys", "AsyncJoseTokens", "HttpProviderKeys", "JoseTokens"]

EXTRA: Final = "oidc"
_KEPT: Final = timedelta(hours=1)
_AGAIN: Final = timedelta(minutes=5)
_SECONDS: Final = 5.0
_LONGEST: Final = 262_144
_LONGEST_HEADER: Final = 12_000
_MOST_KEYS: Final = 100
_SHORTEST_RSA: Final = 2048
_OK: Final = 200
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "Ed25519": "Ed25519"}
_PUBLIC: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}

Jwk = Mapping[str, Any]


class HttpProviderKeys:
    """Fetches keys in a blocking host. Keeps the promises of ``ProviderKeys``.

    Raises:
        ExtraMissing: The extra ``oidc`` isn't installed.
    """

    holds_up_the_loop = True

    def __init__(self) -> None:
        require_extra(EXTRA, self, "httpx")
        import httpx  # noqa: PLC0415  (optional)

        self._client = httpx.Client(timeout=_SECONDS, follow_redirects=False)

    def fetch(self, address: str) -> bytes | None:
        """Answer the key set that stands at *address*, None if it can't be had."""
        import httpx  # noqa: PLC0415  (optional)

        require(is_https(address, local=True), "keys are fetched over https")
        body = bytearray()
        try:
            with self._client.stream("GET", address) as response:
                if response.status_code != _OK:
                    return None
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > _LONGEST:
                        return None
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return bytes(body)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


class AsyncHttpProviderKeys:
    """Fetches keys in an async host. Keeps the promises of ``ProviderKeys``.

    Raises:
        ExtraMissing: The extra ``oidc`` isn't installed.
    """

    def __init__(self) -> None:
        require_extra(EXTRA, self, "httpx")
        import httpx  # noqa: PLC0415  (optional)

        self._client = httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False)

    async def fetch(self, address: str) -> bytes | None:
        """Answer the key set that stands at *address*, None if it can't be had."""
        import httpx  # noqa: PLC0415  (optional)

        require(is_https(address, local=True), "keys are fetched over https")
        body = bytearray()
        try:
            async with self._client.stream("GET", address) as response:
                if response.status_code != _OK:
                    return None
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > _LONGEST:
                        return None
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return bytes(body)

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()


class JoseTokens:
    """Checks signatures in a blocking host. Keeps the promises of ``SignedTokens``.

    Args:
        keys: Where keys come from; None fetches them over HTTP.

    Raises:
        ExtraMissing: The extra ``oidc`` isn't installed.
    """

    holds_up_the_loop = True

    def __init__(self, keys: ProviderKeys | None = None) -> None:
        require_extra(EXTRA, self, "joserfc")
        self._tokens = _Tokens(keys or HttpProviderKeys())

    def opened(
        self, token: str, config: ProviderConfig, now: datetime, types: frozenset[str | None] = ID_TOKEN_TYPES
    ) -> SignedToken | IdTokenRefused:
        """Answer the parts of a token that is signed by a provider."""
        return run(self._tokens.opened(token, config, now, types))


class AsyncJoseTokens:
    """Checks signatures in an async host. Keeps the promises of ``SignedTokens``.

    Args:
        keys: Where keys come from; None fetches them over HTTP.

    Raises:
        ExtraMissing: The extra ``oidc`` isn't installed.
    """

    def __init__(self, keys: ProviderKeys | None = None) -> None:
        require_extra(EXTRA, self, "joserfc")
        self._tokens = _Tokens(keys or AsyncHttpProviderKeys())

    async def opened(
        self, token: str, config: ProviderConfig, now: datetime, types: frozenset[str | None] = ID_TOKEN_TYPES
    ) -> SignedToken | IdTokenRefused:
        """Answer the parts of a token that is signed by a provider."""
        return await self._tokens.opened(token, config, now, types)


@attrs.frozen
class _KeySet:
    """What a provider published; no keys where it has never answered."""

    keys: tuple[Jwk, ...] | None
    fetched_at: datetime | None
    asked_at: datetime


class _Tokens:
    """The common part: which key, and whether the signature is of it."""

    def __init__(self, source: ProviderKeys) -> None:
        self._source = source
        self._known: dict[str, _KeySet] = {}
        self._lock = threading.Lock()

    async def opened(
        self, token: str, config: ProviderConfig, now: datetime, types: frozenset[str | None]
    ) -> SignedToken | IdTokenRefused:
        parts = read_token(token)
        if parts is None:
            return IdTokenRefused(Why.FORM)
        refused = judge_header(parts.header, config, types)
        if refused is not None:
            return refused
        key = await self._key(config, parts.header, now)
        if isinstance(key, IdTokenRefused):
            return key
        return parts if _is_signed(token, key, config) else IdTokenRefused(Why.SIGNATURE)

    async def _key(self, config: ProviderConfig, header: Mapping[str, Any], now: datetime) -> Jwk | IdTokenRefused:
        known = self._known.get(config.keys)
        if known is None or known.keys is None or _is_old(known, now):
            known = await self._ask(config.keys, now, _AGAIN if known and known.keys else timedelta(0))
        key = _only(known.keys or (), header)
        if key is None and known.keys is not None:
            known = await self._ask(config.keys, now, _AGAIN)
            key = _only(known.keys or (), header)
        return key or IdTokenRefused(Why.KEYS_UNAVAILABLE if known.keys is None else Why.KEY)

    async def _ask(self, address: str, now: datetime, gap: timedelta) -> _KeySet:
        """Fetch a key set, unless that was done less than *gap* ago; one that can't be had leaves what was known."""
        with self._lock:
            known = self._known.get(address)
            if known is not None and now - known.asked_at < gap:
                return known
            held = _KeySet(known.keys if known else None, known.fetched_at if known else None, now)
            self._known[address] = held
        raw = await got(self._source.fetch(address))
        keys = _read_keys(raw) if raw is not None else None
        if keys is None:
            return held
        fetched = _KeySet(keys, now, now)
        self._known[address] = fetched
        return fetched


def _is_old(known: _KeySet, now: datetime) -> bool:
    return known.fetched_at is None or now - known.fetched_at >= _KEPT


def _read_keys(raw: bytes) -> tuple[Jwk, ...] | None:
    """Answer the keys of a set; None if it is none."""
    told = read_json(raw)
    keys = told.get("keys") if told else None
    if not isinstance(keys, list) or len(keys) > _MOST_KEYS:
        return None
    return tuple(key for key in keys if isinstance(key, dict))


def _only(keys: tuple[Jwk, ...], header: Mapping[str, Any]) -> Jwk | None:
    """Answer the one key that a header leads to; None if it leads to none, or to several."""
    fit = [key for key in keys if _fits(key, header["alg"])]
    if "kid" in header:
        fit = [key for key in fit if isinstance(key.get("kid"), str) and key["kid"] == header["kid"]]
    return fit[0] if len(fit) == 1 else None


def _fits(key: Jwk, alg: str) -> bool:
    """Tell whether a published key may have signed by an algorithm: public, long enough, and meant for that."""
    if "d" in key or key.get("use", "sig") != "sig" or key.get("alg", alg) != alg:
        return False
    uses = key.get("key_ops", ["verify"])
    if not isinstance(uses, list) or "verify" not in uses:
        return False
    if alg.startswith(("RS", "PS")):
        return key.get("kty") == "RSA" and _bits(key.get("n")) >= _SHORTEST_RSA
    kty = "OKP" if alg == "Ed25519" else "EC"
    return key.get("kty") == kty and key.get("crv") == _CURVES[alg]


def _bits(number: object) -> int:
    """Answer how long a number is that stands in a key."""
    if not isinstance(number, str):
        return 0
    try:
        return int.from_bytes(urlsafe_b64decode(number + "=" * (-len(number) % 4)), "big").bit_length()
    except ValueError:
        return 0


def _is_signed(token: str, key: Jwk, config: ProviderConfig) -> bool:
    from joserfc import jws  # noqa: PLC0415  (optional)
    from joserfc.jwk import JWKRegistry  # noqa: PLC0415  (as above)

    registry = jws.JWSRegistry(algorithms=config.algorithms, strict_check_header=False)
    registry.max_header_length = _LONGEST_HEADER
    try:
        public = JWKRegistry.import_key({name: key[name] for name in _PUBLIC[key["kty"]]})
        jws.deserialize_compact(token, public, registry=registry)
    except Exception:  # noqa: BLE001  (whatever the library can't make sense of is not signed)
        return False
    return True
