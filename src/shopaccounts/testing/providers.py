"""A little provider for tests: it publishes keys, signs what it is told to, and bends whatever a test wants bent."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import attrs
from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from shopaccounts.adapters.oidc import JoseTokens
from shopaccounts.kernel.doorkeeper import NextValue
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.providers.id_tokens import LOGOUT_EVENT
from shopaccounts.providers.model import ExchangeOrder, Intent, LinkOutcome, ProviderRedirect
from shopaccounts.providers.policy import ProviderConfig, ProviderKind, TrustsEmail
from shopaccounts.testing.builders import BuiltShop, request_from

__all__ = ["Browser", "LittleProvider", "QuickTokens", "signing_key"]

CLIENT: Final = "the-shop"
_EVERY: Final = ("HS256", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")


@cache
def signing_key(name: str, kind: str = "P-256") -> Key:
    """Answer a key pair, the same for the same name.

    Args:
        name: What it is called (``kid``).
        kind: A curve, ``Ed25519``, the bits of an RSA key, or ``oct`` for a secret that is no pair.
    """
    named: Any = {"kid": name}
    if kind == "oct":
        return OctKey.generate_key(256, named)
    if kind == "Ed25519":
        return OKPKey.generate_key("Ed25519", named)
    return RSAKey.generate_key(int(kind), named) if kind.isdigit() else ECKey.generate_key(kind, named)


class LittleProvider:
    """An OpenID Connect provider without pages; it plays the part of ``ProviderKeys`` too.

    Args:
        now: Tells the time.
        id: What the shop calls it.
    """

    def __init__(self, now: Callable[[], datetime], id: str = "lampen") -> None:
        self.id = id
        self.now = now
        self.issuer = f"https://{id}.example"
        self.key = signing_key(f"{id} 1")
        self.alg = "ES256"
        self.published: list[Mapping[str, Any]] = [self.key.as_dict(private=False)]
        self.fetched = 0
        self.is_down = False

    def config(self, **changed: Any) -> ProviderConfig:
        """Answer how a shop would configure it; believed with addresses unless told otherwise."""
        usual: dict[str, Any] = {
            "id": self.id,
            "issuer": self.issuer,
            "client_id": CLIENT,
            "redirect_uri": f"https://shop.example/sign-in/{self.id}",
            "keys": f"{self.issuer}/keys",
            "algorithms": ("ES256", "RS256"),
            "trusts_email": TrustsEmail.WHEN_VERIFIED,
        }
        return ProviderConfig(**(usual | changed))

    def plain_config(self, **changed: Any) -> ProviderConfig:
        """Answer how a shop would configure it if it spoke plain OAuth 2."""
        usual: dict[str, Any] = {
            "id": self.id,
            "kind": ProviderKind.OAUTH2,
            "client_id": CLIENT,
            "redirect_uri": f"https://shop.example/sign-in/{self.id}",
            "trusts_email": TrustsEmail.WHEN_VERIFIED,
            "scopes": ("user:email",),
        }
        return ProviderConfig(**(usual | changed))

    def fetch(self, address: str) -> bytes | None:  # noqa: ARG002  (it has one set of keys)
        """Answer what it publishes."""
        self.fetched += 1
        return None if self.is_down else json.dumps({"keys": self.published}).encode()

    def turn_keys(self) -> None:
        """Sign with a new key from now on, and publish it beside the old one."""
        self.key = signing_key(f"{self.id} {len(self.published) + 1}")
        self.published.append(self.key.as_dict(private=False))

    def answer(self, redirect: ProviderRedirect, **more: str) -> dict[str, str]:
        """Answer what comes back with the browser that was sent here, once its customer has said yes."""
        return {"state": redirect.parameters["state"], "code": "a code", **more}

    def claims(self, subject: str, nonce: str, /, **changed: Any) -> dict[str, Any]:
        """Answer what an ID token says; a claim that is changed to ``...`` is left out."""
        at = int(self.now().timestamp())
        usual: dict[str, Any] = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": subject,
            "iat": at,
            "exp": at + 300,
            "auth_time": at,
            "nonce": nonce,
        }
        return {name: value for name, value in (usual | changed).items() if value is not ...}

    def id_token(
        self, subject: str, redirect: ProviderRedirect, *, header: Mapping[str, Any] | None = None, **changed: Any
    ) -> Secret[str]:
        """Answer an ID token for a browser that was sent here.

        Args:
            subject: Who signed in.
            redirect: What the browser brought.
            header: What stands in the token's header besides the usual.
            changed: Claims besides the usual, or in their place.
        """
        return self.signed(self.claims(subject, redirect.parameters["nonce"], **changed), header)

    def logout_token(self, subject: str, **changed: Any) -> Secret[str]:
        """Answer the word that somebody has signed out here."""
        at = int(self.now().timestamp())
        usual: dict[str, Any] = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": subject,
            "iat": at,
            "jti": f"{subject} {at}",
            "events": {LOGOUT_EVENT: {}},
        }
        claims = {name: value for name, value in (usual | changed).items() if value is not ...}
        return self.signed(claims, {"typ": "logout+jwt"})

    def signed(
        self,
        claims: Mapping[str, Any] | bytes,
        header: Mapping[str, Any] | None = None,
        *,
        key: Key | None = None,
        alg: str | None = None,
    ) -> Secret[str]:
        """Answer claims, or any bytes, under a signature."""
        by = key or self.key
        usual = {"alg": alg or self.alg, "kid": by.kid, "typ": "JWT"}
        protected = {name: value for name, value in (usual | dict(header or {})).items() if value is not ...}
        body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        registry = jws.JWSRegistry(algorithms=_EVERY, strict_check_header=False)
        registry.max_header_length = 10**6
        return Secret(jws.serialize_compact(protected, body, by, registry=registry))


class QuickTokens(JoseTokens):
    """Real signatures with keys that are at hand, so they hold up nobody."""

    holds_up_the_loop = False


@attrs.define(kw_only=True)
class Browser:
    """A browser that goes to a provider and comes back; it keeps the cookie of what it began.

    Args:
        held: The value of that cookie.
        session: The value of the session that it is signed in with; empty where it is not.
    """

    shop: BuiltShop
    provider: LittleProvider
    held: Secret[str] | None = None
    session: Secret[str] = attrs.field(factory=lambda: Secret(""))

    @property
    def context(self) -> RequestContext:
        """Where its requests come from."""
        return request_from(browser=self.held)

    async def goes(self, intent: Intent = Intent.SIGN_IN) -> ProviderRedirect:
        """Begin, and go to the provider."""
        redirect = await self.shop.providers.start_provider(self.provider.id, intent, self.context, self.session)
        for cookie in redirect.set_cookies:
            self.held = cookie.value
        return redirect

    async def returns(self, redirect: ProviderRedirect, **more: str) -> ExchangeOrder:
        """Come back with the provider's answer."""
        params = self.provider.answer(redirect, **more)
        return await self.shop.providers.accept_callback(params, self.context, provider_id=self.provider.id)

    async def comes(
        self, subject: str, intent: Intent = Intent.SIGN_IN, *, more: Mapping[str, Any] | None = None, **claims: Any
    ) -> Any:
        """Go there and back, and answer what the shop makes of it.

        Args:
            subject: Who signs in at the provider.
            intent: What for.
            more: What else is handed to ``finish_provider``.
            claims: What the ID token says besides the usual.
        """
        redirect = await self.goes(intent)
        order = await self.returns(redirect)
        token = self.provider.id_token(subject, redirect, **claims)
        given = {"session": self.session, **(more or {})}
        answer = await self.shop.providers.finish_provider(order.flow, token, self.context, **given)
        return self.keeps(answer)

    def keeps(self, answer: Any) -> Any:
        """Keep the session of an answer, and answer it."""
        following = answer.next_value if isinstance(answer, LinkOutcome) else answer
        if isinstance(following, NextValue):
            self.session = following.session
        elif getattr(answer, "session", None) is not None:
            self.session = answer.session
        return answer
