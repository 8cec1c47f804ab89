"""What this context needs from outside."""

from datetime import datetime
from typing import Protocol

from shopaccounts.kernel.answers import Answer
from shopaccounts.providers.errors import Why
from shopaccounts.providers.id_tokens import ID_TOKEN_TYPES, IdTokenRefused
from shopaccounts.providers.policy import ProviderConfig
from shopaccounts.providers.tokens import SignedToken

__all__ = ["NoIdTokens", "ProviderKeys", "SignedTokens"]


class ProviderKeys(Protocol):
    """Fetches the keys that a provider publishes.

    Promises:
        1. ``fetch`` answers the bytes that stand at the address, or None if they can't be had now; it never raises.
        2. It follows no redirects, reads no more than 262,144 bytes, and waits for a few seconds at most.
    """

    def fetch(self, address: str) -> Answer[bytes | None]:
        """Answer the key set that stands at *address*."""
        ...


class SignedTokens(Protocol):
    """Checks whose signature stands under a token; what the token says is judged elsewhere.

    Promises:
        1. A token is answered only if its signature is of exactly one key of the provider, by a configured algorithm.
        2. A key that isn't known is asked for once in five minutes; until then a token with it is refused.
        3. Secret keys, short keys and keys for other uses are no keys, whatever the provider publishes.
        4. It never raises, whatever text comes, and tells nothing of it.
        5. It reads no clock.
    """

    def opened(
        self, token: str, config: ProviderConfig, now: datetime, types: frozenset[str | None] = ID_TOKEN_TYPES
    ) -> Answer[SignedToken | IdTokenRefused]:
        """Answer the parts of a token that is signed by a provider.

        Args:
            token: As it came.
            config: The provider.
            now: When, an aware time.
            types: What its header may call it.
        """
        ...


class NoIdTokens:
    """For shops without OpenID Connect: nothing is signed well."""

    def opened(
        self,
        token: str,  # noqa: ARG002  (the port names it)
        config: ProviderConfig,  # noqa: ARG002  (as above)
        now: datetime,  # noqa: ARG002  (as above)
        types: frozenset[str | None] = ID_TOKEN_TYPES,  # noqa: ARG002  (as above)
    ) -> IdTokenRefused:
        """Refuse it."""
        return IdTokenRefused(Why.KEYS_UNAVAILABLE)
