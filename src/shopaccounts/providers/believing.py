"""Whose word is believed: what came from a provider is opened, judged, and good once.

A token that bears a name is remembered until it is too old to be believed anyway. [OWASP ASVS 10.5.1]
"""

import hashlib
from datetime import timedelta
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.record import Change, Once
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import require_text
from shopaccounts.providers.errors import Why
from shopaccounts.providers.id_tokens import (
    LOGOUT_TYPES,
    OLDEST,
    SKEW,
    Ended,
    Expected,
    IdTokenRefused,
    OAuthProfile,
    VerifiedIdentity,
    identity_of_profile,
    judge_id_token,
    judge_logout_token,
)
from shopaccounts.providers.model import ProviderFlow, ProviderTokens
from shopaccounts.providers.policy import ProviderConfig, ProviderKind
from shopaccounts.providers.ports import SignedTokens
from shopaccounts.providers.tokens import LONGEST_TOKEN, SignedToken
from shopaccounts.registration import RegistrationForm

__all__ = ["ID_TOKEN", "LOGOUT_TOKEN", "Believing", "check_brought", "text_of"]

ID_TOKEN: Final = "id_token"  # noqa: S105  (the name of a marker)
LOGOUT_TOKEN: Final = "logout_token"  # noqa: S105  (as above)


@attrs.frozen(kw_only=True)
class Believing:
    """Judges what providers say.

    Args:
        tokens: Checks signatures.
    """

    desk: Desk
    tokens: SignedTokens

    async def judge(
        self, config: ProviderConfig, flow: ProviderFlow, answer: object, tokens: ProviderTokens | None
    ) -> VerifiedIdentity | IdTokenRefused:
        """Answer who somebody is, or why that isn't believed.

        Args:
            config: The provider.
            flow: What the browser was sent there for.
            answer: The ID token; the profile, of a provider that speaks plain OAuth 2.
            tokens: What came along.
        """
        if isinstance(answer, OAuthProfile) is not (config.kind is ProviderKind.OAUTH2):
            return IdTokenRefused(Why.FORM)
        if isinstance(answer, OAuthProfile):
            return identity_of_profile(answer, config)
        now = self.desk.now()
        opened: SignedToken | IdTokenRefused = await got(self.tokens.opened(text_of(answer), config, now))
        if isinstance(opened, IdTokenRefused):
            return opened
        max_age = timedelta(seconds=flow.max_age) if flow.max_age is not None else None
        expected = Expected(nonce_digest=flow.nonce_digest, max_age=max_age)
        access = tokens.access if tokens else None
        return judge_id_token(opened.header, opened.claims, config, expected, now, access_token=access)

    async def ended(self, config: ProviderConfig, token: str) -> Ended | IdTokenRefused:
        """Answer who has signed out at a provider, or why that isn't believed."""
        now = self.desk.now()
        opened: SignedToken | IdTokenRefused = await got(self.tokens.opened(token, config, now, LOGOUT_TYPES))
        if isinstance(opened, IdTokenRefused):
            return opened
        return judge_logout_token(opened.header, opened.claims, config, now)

    def once(self, namespace: str, issuer: str, jti: str | None) -> Change:
        """Answer the part of a change that remembers a token until it is too old to be believed anyway."""
        if jti is None:
            return Change()
        now = self.desk.now()
        key = hashlib.sha256(f"{len(issuer)} {issuer} {jti}".encode("utf-8", "surrogatepass")).hexdigest()
        return Change(once=(Once(namespace=namespace, key=key, now=now, keep_until=now + OLDEST + 2 * SKEW),))


def text_of(token: object) -> str:
    """Open a secret from outside, where a host may have put whatever it got into it.

    Raises:
        InvalidInput: Not even a secret text, or endless.
    """
    raw = token.reveal() if isinstance(token, Secret) else None
    return require_text(raw, "token", cap=LONGEST_TOKEN, printable=False)


def check_brought(answer: object, tokens: object, form: object) -> None:
    """Refuse what nobody brings from a provider.

    Raises:
        InvalidInput: Something isn't what it should be, or endless.
    """
    if not isinstance(answer, OAuthProfile):
        text_of(answer)
    if not isinstance(tokens, ProviderTokens | None):
        raise InvalidInput(field="tokens", reason="type")
    if not isinstance(form, RegistrationForm | None):
        raise InvalidInput(field="form", reason="type")
