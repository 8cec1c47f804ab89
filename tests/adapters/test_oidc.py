"""Signatures of ID tokens with joserfc: every trap of the library is closed, in both hosts."""

import inspect
import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts.adapters.oidc import AsyncHttpProviderKeys, AsyncJoseTokens, HttpProviderKeys, JoseTokens
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.providers.errors import Why
from shopaccounts.providers.id_tokens import LOGOUT_TYPES, IdTokenRefused
from shopaccounts.providers.policy import ALGORITHMS, Quirk
from shopaccounts.providers.tokens import SignedToken
from shopaccounts.testing.plugin import BLOCKING
from shopaccounts.testing.providers import LittleProvider, signing_key

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLAIMS = {"sub": "4711"}


@pytest.fixture
def provider() -> LittleProvider:
    return LittleProvider(lambda: NOW)


@attrs.frozen
class Reader:
    """Opens tokens in the host of the test."""

    tokens: Any
    config: Any

    async def __call__(self, token: Any, now: datetime = NOW, config: Any = None, types: Any = None) -> Any:
        raw = token.reveal() if hasattr(token, "reveal") else token
        more = (types,) if types else ()
        answer = self.tokens.opened(raw, config or self.config, now, *more)
        return await answer if inspect.isawaitable(answer) else answer


class Slow:
    """A source of keys that answers later."""

    def __init__(self, provider: LittleProvider) -> None:
        self._provider = provider

    async def fetch(self, address: str) -> bytes | None:
        return self._provider.fetch(address)


@pytest.fixture
def read(host: str, provider: LittleProvider) -> Reader:
    tokens = JoseTokens(provider) if host == BLOCKING else AsyncJoseTokens(Slow(provider))
    return Reader(tokens, provider.config(algorithms=tuple(sorted(ALGORITHMS))))


def why(answer: Any) -> Why | None:
    return answer.reason if isinstance(answer, IdTokenRefused) else None


@pytest.mark.proves("ADA-204")
async def test_a_token_of_the_provider_is_opened(read: Reader, provider: LittleProvider):
    token = await read(provider.signed(CLAIMS))
    assert isinstance(token, SignedToken)
    assert (token.claims, token.header["alg"]) == (CLAIMS, "ES256")


@pytest.mark.proves("ADA-204", "PVD-20")
@pytest.mark.parametrize(
    ("alg", "kind"),
    [
        ("RS256", "2048"),
        ("RS384", "2048"),
        ("RS512", "2048"),
        ("PS256", "2048"),
        ("PS512", "2048"),
        ("ES256", "P-256"),
        ("ES384", "P-384"),
        ("ES512", "P-521"),
        ("Ed25519", "Ed25519"),
    ],
)
async def test_each_algorithm_goes_with_its_kind_of_key(read: Reader, provider: LittleProvider, alg: str, kind: str):
    key = signing_key(f"of {kind}", kind)
    provider.published = [key.as_dict(private=False)]
    token = provider.signed(CLAIMS, key=key, alg=alg)
    assert isinstance(await read(token), SignedToken)
    only_another = attrs.evolve(read.config, algorithms=("ES256" if alg != "ES256" else "RS256",))
    assert why(await read(token, config=only_another)) is Why.ALGORITHM


PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
RFC_7515_A2 = (
    {
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"
        "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS"
        "-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2et"
        "hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB",
    },
    (
        f"eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}."
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU"
        "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
        "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
        "cN_IoypGlUPQGe77Rw"
    ),
)
RFC_7515_A3 = (
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
    (
        f"eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}."
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    ),
)


@pytest.mark.proves("ADA-204")
@pytest.mark.parametrize(("key", "token"), [RFC_7515_A2, RFC_7515_A3], ids=["A.2", "A.3"])
async def test_the_examples_of_rfc_7515_are_opened_and_no_altered_one(
    read: Reader, provider: LittleProvider, key: Mapping[str, Any], token: str
):
    provider.published = [key]
    opened = await read(token)
    assert isinstance(opened, SignedToken)
    assert opened.claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    head, _, tail = token.rpartition(".")
    swapped = "B" if tail[0] == "A" else "A"
    assert why(await read(f"{head}.{swapped}{tail[1:]}")) is Why.SIGNATURE


@pytest.mark.proves("ADA-204", "PVD-20")
async def test_a_secret_key_verifies_nothing_whatever_the_provider_publishes(read: Reader, provider: LittleProvider):
    shared = signing_key("shared", "oct")
    provider.published = [shared.as_dict(private=True), provider.key.as_dict(private=False)]
    assert why(await read(provider.signed(CLAIMS, key=shared, alg="HS256"))) is Why.ALGORITHM
    for config in (read.config, provider.config()):
        assert why(await read(provider.signed(CLAIMS, key=shared, alg="HS256"), config=config)) is Why.ALGORITHM
    assert why(await read(provider.signed(CLAIMS, {"kid": "shared"}))) is Why.KEY


@pytest.mark.proves("ADA-204", "PVD-20")
async def test_the_public_key_of_a_pair_is_no_secret_to_sign_with(read: Reader, provider: LittleProvider):
    from joserfc.jwk import OctKey  # noqa: PLC0415

    forged = OctKey.import_key(json.dumps(provider.key.as_dict(private=False)).encode(), {"kid": str(provider.key.kid)})
    assert why(await read(provider.signed(CLAIMS, key=forged, alg="HS256"))) is Why.ALGORITHM


@pytest.mark.proves("ADA-204", "PVD-20")
async def test_nothing_goes_unsigned(read: Reader):
    def part(value: Any) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    for alg in ("none", "None", "NONE"):
        assert why(await read(f"{part({'alg': alg})}.{part(CLAIMS)}.{part(1)}")) is Why.ALGORITHM
        assert why(await read(f"{part({'alg': alg})}.{part(CLAIMS)}.")) is Why.FORM


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.proves("ADA-204", "PVD-20")
async def test_short_keys_verify_nothing(read: Reader, provider: LittleProvider):
    short = signing_key("short", "1024")
    provider.published = [short.as_dict(private=False)]
    assert why(await read(provider.signed(CLAIMS, key=short, alg="RS256"))) is Why.KEY


@pytest.mark.proves("ADA-204", "PVD-20")
@pytest.mark.parametrize(
    "changed",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"alg": "ES384"},
        {"alg": "HS256"},
        {"crv": "P-384"},
        {"kty": "RSA"},
        {"kty": ["EC"]},
        {"kid": 1},
        {"x": "!!"},
        {"d": "private"},
    ],
    ids=str,
)
async def test_keys_for_other_uses_verify_nothing(read: Reader, provider: LittleProvider, changed: dict[str, Any]):
    provider.published = [dict(provider.key.as_dict(private=False)) | changed]
    assert why(await read(provider.signed(CLAIMS))) in {Why.KEY, Why.SIGNATURE}


@pytest.mark.proves("ADA-204", "PVD-20")
async def test_the_key_id_leads_to_exactly_one_key(read: Reader, provider: LittleProvider):
    public = dict(provider.key.as_dict(private=False))
    other = dict(signing_key("another").as_dict(private=False))
    token, nameless = provider.signed(CLAIMS), provider.signed(CLAIMS, {"kid": ...})
    assert isinstance(await read(nameless), SignedToken)
    provider.published = [public, other]
    later = NOW + timedelta(hours=1)
    assert isinstance(await read(token, later), SignedToken)
    assert why(await read(nameless, later)) is Why.KEY
    provider.published = [public, other | {"kid": public["kid"]}]
    assert why(await read(token, later + timedelta(hours=1))) is Why.KEY


@pytest.mark.proves("ADA-204", "PVD-20")
async def test_a_key_that_the_token_brings_is_never_used(read: Reader, provider: LittleProvider):
    thief = signing_key("thief")
    brought = {"jwk": thief.as_dict(private=False), "kid": "thief"}
    token = provider.signed(CLAIMS, brought, key=thief)
    assert why(await read(token)) is Why.KEY_HEADER
    quirky = attrs.evolve(read.config, quirks=frozenset({Quirk.JWK}))
    assert why(await read(token, config=quirky)) is Why.KEY
    named = provider.signed(CLAIMS, {"jwk": thief.as_dict(private=False), "kid": provider.key.kid}, key=thief)
    assert why(await read(named, config=quirky)) is Why.SIGNATURE


@pytest.mark.proves("ADA-204")
async def test_a_provider_that_sends_long_headers_is_read_where_that_is_configured(
    read: Reader, provider: LittleProvider
):
    long = provider.signed(CLAIMS, {"x5c": ["A" * 3000]})
    assert why(await read(long)) is Why.KEY_HEADER
    quirky = attrs.evolve(read.config, quirks=frozenset({Quirk.X5C}))
    assert isinstance(await read(long, config=quirky), SignedToken)


@pytest.mark.proves("ADA-204", "PVD-24")
@pytest.mark.parametrize(
    "body",
    [
        b'{"sub":"1","sub":"2"}',
        b'{"sub":NaN}',
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
        b"[1]",
        b"not json",
        b"\xff",
        b'{"a":"' + b"x" * 17_000 + b'"}',
    ],
    ids=["twice", "NaN", "deep", "list", "text", "bytes", "long"],
)
async def test_what_could_be_read_in_two_ways_is_refused_though_it_is_signed(
    read: Reader, provider: LittleProvider, body: bytes
):
    assert why(await read(provider.signed(body))) is Why.FORM


@pytest.mark.proves("ADA-204")
@pytest.mark.parametrize(
    "text", [None, 1, b"a.b.c", "", ".", "..", "a.b.c", "\ud800", "é.é.é", ["x"], "[" * 20_000], ids=range(11)
)
async def test_no_text_upsets_it(read: Reader, text: Any):
    assert why(await read(text)) is Why.FORM


@pytest.mark.proves("ADA-204", "PVD-20")
async def test_a_token_of_another_type_is_refused_though_it_is_signed(read: Reader, provider: LittleProvider):
    assert why(await read(provider.signed(CLAIMS, {"typ": "at+jwt"}))) is Why.TYPE
    token = provider.logout_token("4711")
    assert why(await read(token)) is Why.TYPE
    assert isinstance(await read(token, types=LOGOUT_TYPES), SignedToken)


@pytest.mark.proves("ADA-204")
async def test_it_judges_no_claim_and_reads_no_clock(read: Reader, provider: LittleProvider):
    stale = provider.signed(CLAIMS | {"exp": 1, "aud": "another", "iss": "https://evil.example"})
    assert isinstance(await read(stale), SignedToken)


@pytest.mark.proves("PVD-20", "ADA-204")
@settings(max_examples=60)
@given(st.data())
def test_a_token_with_any_sign_altered_is_refused(data: st.DataObject):
    provider = LittleProvider(lambda: NOW)
    tokens, text = JoseTokens(provider), provider.signed(provider.claims("4711", "n")).reveal()
    at = data.draw(st.integers(0, len(text) - 1))
    sign = data.draw(st.sampled_from("ABYZabyz0189-_.").filter(lambda other: other != text[at]))
    assert isinstance(tokens.opened(text[:at] + sign + text[at + 1 :], provider.config(), NOW), IdTokenRefused)


@pytest.mark.proves("PVD-20", "ADA-204")
@settings(max_examples=60)
@given(st.data())
def test_a_token_with_any_field_altered_is_refused(data: st.DataObject):
    provider = LittleProvider(lambda: NOW)
    tokens, text = JoseTokens(provider), provider.signed(provider.claims("4711", "n")).reveal()
    parts = text.split(".")
    which = data.draw(st.sampled_from([0, 1]))
    padded = parts[which] + "=" * (-len(parts[which]) % 4)
    fields = json.loads(urlsafe_b64decode(padded))
    name = data.draw(st.sampled_from([*sorted(fields), "more"]))
    value = data.draw(st.one_of(st.none(), st.integers(), st.text(max_size=5), st.booleans()))
    if fields.get(name, ...) == value:
        return
    parts[which] = urlsafe_b64encode(json.dumps(fields | {name: value}).encode()).rstrip(b"=").decode()
    assert isinstance(tokens.opened(".".join(parts), provider.config(), NOW), IdTokenRefused)


# Keys that turn


@pytest.mark.proves("PVD-20")
async def test_a_new_key_is_fetched_when_a_token_comes_with_it(read: Reader, provider: LittleProvider):
    assert isinstance(await read(provider.signed(CLAIMS)), SignedToken)
    old = provider.signed(CLAIMS)
    provider.turn_keys()
    later = NOW + 6 * MINUTE
    assert isinstance(await read(provider.signed(CLAIMS), later), SignedToken)
    assert isinstance(await read(old, later), SignedToken)
    assert provider.fetched == 2


@pytest.mark.proves("PVD-20")
async def test_unknown_keys_are_asked_for_once_in_five_minutes(read: Reader, provider: LittleProvider):
    stranger = provider.signed(CLAIMS, key=signing_key("stranger"))
    assert isinstance(await read(provider.signed(CLAIMS)), SignedToken)
    for minutes in (0, 1, 4):
        assert why(await read(stranger, NOW + minutes * MINUTE)) is Why.KEY
    assert provider.fetched == 1
    for minutes in (5, 6, 9):
        assert why(await read(stranger, NOW + minutes * MINUTE)) is Why.KEY
    assert provider.fetched == 2
    assert why(await read(stranger, NOW + 10 * MINUTE)) is Why.KEY
    assert provider.fetched == 3


@pytest.mark.proves("PVD-20")
async def test_a_key_that_was_withdrawn_is_forgotten_within_the_hour(read: Reader, provider: LittleProvider):
    old = provider.signed(CLAIMS)
    assert isinstance(await read(old), SignedToken)
    provider.turn_keys()
    del provider.published[0]
    assert isinstance(await read(old, NOW + 59 * MINUTE), SignedToken)
    assert why(await read(old, NOW + 60 * MINUTE)) is Why.KEY


async def test_a_provider_that_does_not_answer_takes_away_no_key(read: Reader, provider: LittleProvider):
    token = provider.signed(CLAIMS)
    assert isinstance(await read(token), SignedToken)
    provider.is_down = True
    assert isinstance(await read(token, NOW + 61 * MINUTE), SignedToken)


async def test_keys_that_were_never_had_are_asked_for_again_at_once(read: Reader, provider: LittleProvider):
    provider.is_down = True
    token = provider.signed(CLAIMS)
    assert why(await read(token)) is Why.KEYS_UNAVAILABLE
    provider.is_down = False
    assert isinstance(await read(token), SignedToken)


def test_many_tokens_with_an_unknown_key_ask_once(provider: LittleProvider):
    tokens, stranger = JoseTokens(provider), provider.signed(CLAIMS, key=signing_key("stranger")).reveal()
    tokens.opened(stranger, provider.config(), NOW)
    later = NOW + 5 * MINUTE
    threads = [threading.Thread(target=tokens.opened, args=(stranger, provider.config(), later)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert provider.fetched == 2


# Over HTTP


class Script:
    """What the server answers next."""

    def __init__(self) -> None:
        self.status, self.body, self.asked, self.address = 200, b"{}", 0, ""


@pytest.fixture
def server() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.asked += 1
            self.send_response(script.status)
            self.send_header("location", f"{script.address}/elsewhere")
            self.send_header("content-length", str(len(script.body)))
            self.end_headers()
            self.wfile.write(script.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (as the standard library names it)
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    script.address = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield script
    listening.shutdown()
    thread.join()
    listening.server_close()


async def fetched(host: str, address: str) -> bytes | None:
    if host == BLOCKING:
        keys = HttpProviderKeys()
        try:
            return keys.fetch(address)
        finally:
            keys.close()
    later = AsyncHttpProviderKeys()
    try:
        return await later.fetch(address)
    finally:
        await later.close()


@pytest.mark.proves("ADA-204")
async def test_keys_come_over_http_whole_or_not_at_all(host: str, server: Script):
    server.body = b'{"keys":[]}'
    assert await fetched(host, f"{server.address}/keys") == server.body
    for status in (302, 404, 500):
        server.status = status
        assert await fetched(host, f"{server.address}/keys") is None
    assert server.asked == 4
    server.status, server.body = 200, b" " * 262_145
    assert await fetched(host, f"{server.address}/keys") is None
    assert await fetched(host, "http://127.0.0.1:9/keys") is None


async def test_keys_are_never_fetched_in_clear_text_over_a_network(host: str):
    with pytest.raises(BadPolicy):
        await fetched(host, "http://id.example/keys")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"keys":1}', b'{"keys":{}}', b"<html>", b'{"keys":' + b"[" * 50])
async def test_what_is_no_key_set_is_none(read: Reader, provider: LittleProvider, body: bytes):
    token = provider.signed(CLAIMS)
    provider.fetch = lambda address: body  # type: ignore[method-assign]  # noqa: ARG005  (a bent answer)
    assert why(await read(token)) is Why.KEYS_UNAVAILABLE


@pytest.mark.proves("ADA-204")
async def test_a_shop_reads_tokens_with_keys_from_a_server(host: str, server: Script, provider: LittleProvider):
    server.body = json.dumps({"keys": provider.published}).encode()
    config = provider.config(keys=f"{server.address}/keys")
    tokens = JoseTokens() if host == BLOCKING else AsyncJoseTokens()
    reader = Reader(tokens, config)
    assert isinstance(await reader(provider.signed(CLAIMS)), SignedToken)
    await reader(provider.signed(CLAIMS))
    assert server.asked == 1


# What is published

PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
PUBLISHED = {
    "RFC 7515 A.2": (
        {
            "kty": "RSA",
            "n": (
                "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
                "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2"
                "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD"
                "TW9gb54h4FRWyuXpoQ"
            ),
            "e": "AQAB",
        },
        (
            f"eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}."
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"
            "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
            "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
            "Ge77Rw"
        ),
    ),
    "RFC 7515 A.3": (
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        (
            f"eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}."
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        ),
    ),
}
"""The signed examples of RFC 7515: the key, and the token that it signed."""


class Published:
    """A source of one published key."""

    def __init__(self, key: Mapping[str, str]) -> None:
        self._key = key

    def fetch(self, address: str) -> bytes:  # noqa: ARG002  (the port names it)
        return json.dumps({"keys": [self._key]}).encode()


@pytest.mark.proves("ADA-204", "PVD-20")
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_tokens_are_opened_with_their_published_keys_and_no_altered_one_is(
    name: str, provider: LittleProvider
) -> None:
    key, token = PUBLISHED[name]
    tokens, config = JoseTokens(Published(key)), provider.config(algorithms=tuple(sorted(ALGORITHMS)))
    opened = tokens.opened(token, config, NOW)
    assert isinstance(opened, SignedToken)
    assert opened.claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    header, payload, signature = token.split(".")
    other = signature[:40] + ("A" if signature[40] != "A" else "B") + signature[41:]
    assert why(tokens.opened(f"{header}.{payload}.{other}", config, NOW)) is Why.SIGNATURE
    another = JoseTokens(Published(PUBLISHED["RFC 7515 A.3" if "A.2" in name else "RFC 7515 A.2"][0]))
    assert why(another.opened(token, config, NOW)) is not None
