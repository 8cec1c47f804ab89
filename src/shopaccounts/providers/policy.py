"""Which providers a shop works with, and how far it trusts each of them."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.policy import require
from shopaccounts.kernel.web import is_https

__all__ = [
    "ALGORITHMS",
    "TENANT",
    "AutoLink",
    "ProviderConfig",
    "ProviderKind",
    "ProviderPolicy",
    "Quirk",
    "TrustsEmail",
    "Vouches",
]

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"}
)
"""Signatures with a private and a public key; with any other, whoever can check could also forge."""
TENANT: Final = "{tenant}"
"""Stands in the issuer of a provider that has one for each of its customers."""
_ID: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_OF_THEIR_OWN_FORM: Final = frozenset({"birthday", "time_zone"})
_MINUTE: Final = timedelta(minutes=1)
_LONGEST_LIFE: Final = 10 * _MINUTE
_LONGEST_REGISTRATION: Final = 30 * _MINUTE


class ProviderKind(Enum):
    """What a provider speaks."""

    OIDC = "oidc"
    OAUTH2 = "oauth2"


class TrustsEmail(Enum):
    """Whether the shop believes a provider that an address was proven."""

    NEVER = "never"
    WHEN_VERIFIED = "when_verified"


class AutoLink(Enum):
    """Whether an account is linked by the address alone."""

    NEVER = "never"
    BOTH_VERIFIED = "both_verified"


class Vouches(Enum):
    """What a provider's sign-in counts for besides one federated proof."""

    KNOWLEDGE = "knowledge"
    MULTI = "multi"


class Quirk(Enum):
    """What a provider does otherwise than others, and is forgiven: headers that are passed over, odd types."""

    JKU = "jku"
    X5U = "x5u"
    JWK = "jwk"
    X5C = "x5c"
    EMAIL_VERIFIED_AS_TEXT = "email_verified_as_text"
    EMAIL_VERIFIED_AS_NUMBER = "email_verified_as_number"


@attrs.frozen(kw_only=True)
class ProviderConfig:
    """One provider.

    Args:
        id: The shop's own name for it, in small letters; it stands in addresses of pages and in events.
        kind: OpenID Connect, or plain OAuth 2 with a profile that the host fetches.
        issuer: As it stands in ID tokens, to the letter; ``{tenant}`` in it stands for one of *allowed_tenants*.
        client_id: What the provider calls the shop.
        redirect_uri: The exact page of the shop that the provider sends customers back to.
        keys: Where the provider publishes its keys (``jwks_uri``).
        algorithms: How its tokens may be signed.
        scopes: What is asked for.
        enabled: Whether customers may use it; switched off, it opens nothing.
        end_sessions: Whether switching it off ends the sessions that it opened.
        trusts_email: Whether its word proves an address.
        authoritative_domains: It is believed only about addresses of these domains; empty for any.
        auto_link: Whether it opens an account that has proven the same address, without being linked first.
        amr_map: What the values of ``amr`` and ``acr`` count for.
        max_age: How long ago the customer may have signed in there; None doesn't ask.
        response_iss_required: Answers without ``iss`` are refused.
        announces_response_iss: It says that it sends ``iss``; required then as soon as there are two providers.
        allowed_tenants: Whose customers are let in, where the issuer has a ``{tenant}``.
        quirks: What it is forgiven.
        keep_tokens: Keep its access and refresh tokens, sealed.
        import_fields: Claim to profile field; only empty fields are filled.

    Why these defaults:
        kind: OpenID Connect, whose answers are signed and made for one sign-in. [OWASP ASVS 10.5; RFC 9700 2.1.1]
        issuer, keys: none, as there is no provider that every shop has; OpenID Connect needs both, plain OAuth 2 has
            neither. [OpenID Connect Core 2; OpenID Connect Discovery 3]
        algorithms: RS256, which every provider signs with. [OpenID Connect Core 3.1.3.7]
        scopes: who it is and their address, nothing more. [OWASP ASVS 10.2.3; GDPR Art. 5(1)(c)]
        enabled: who configures a provider wants to use it.
        end_sessions: no; what the owner opened goes on. Of the house.
        trusts_email: never; only the shop knows whose word is good. [OWASP ASVS 6.8.1]
        authoritative_domains: none is singled out.
        auto_link: never; an address that moved to another person would open the account. [OWASP ASVS 6.8.1]
        amr_map: nothing; who says nothing has proven one factor at most. [OWASP ASVS 6.8.4]
        max_age: not asked; many providers can't tell.
        response_iss_required, announces_response_iss: no, as few providers send it. [RFC 9207]
        allowed_tenants, quirks: none.
        keep_tokens: no; what isn't kept can't leak. Of the house.
        import_fields: nothing is copied. [GDPR Art. 5(1)(c)]

    Raises:
        BadPolicy: Values that would let forged tokens in, or that contradict each other.
    """

    id: str
    kind: ProviderKind = ProviderKind.OIDC
    issuer: str = ""
    client_id: str
    redirect_uri: str
    keys: str = ""
    algorithms: tuple[str, ...] = ("RS256",)
    scopes: tuple[str, ...] = ("openid", "email")
    enabled: bool = True
    end_sessions: bool = False
    trusts_email: TrustsEmail = TrustsEmail.NEVER
    authoritative_domains: frozenset[str] = frozenset()
    auto_link: AutoLink = AutoLink.NEVER
    amr_map: Mapping[str, Vouches] = MappingProxyType({})
    max_age: timedelta | None = None
    response_iss_required: bool = False
    announces_response_iss: bool = False
    allowed_tenants: frozenset[str] = frozenset()
    quirks: frozenset[Quirk] = frozenset()
    keep_tokens: bool = False
    import_fields: Mapping[str, str] = MappingProxyType({})

    def __attrs_post_init__(self) -> None:
        require(_ID.fullmatch(self.id) is not None, "a provider is named in_small_letters, up to 40")
        require(bool(self.client_id), f"{self.id}: the provider has a name for the shop")
        require(is_https(self.redirect_uri, local=True), f"{self.id}: customers come back to an https page")
        linked = self.auto_link is AutoLink.NEVER or self.trusts_email is not TrustsEmail.NEVER
        require(linked, f"{self.id}: whose word proves no address can't link by address")
        require(all(map(_DOMAIN.fullmatch, self.authoritative_domains)), f"{self.id}: domains in small ASCII letters")
        require(self.max_age is None or self.max_age > timedelta(0), f"{self.id}: a sign-in there has some age")
        if self.kind is ProviderKind.OIDC:
            self._check_tokens()

    def _check_tokens(self) -> None:
        require(bool(self.algorithms), f"{self.id}: tokens are signed by some algorithm")
        unfit = sorted(set(self.algorithms) - ALGORITHMS)
        require(not unfit, f"{self.id}: {', '.join(unfit)} can be forged by whoever can check it")
        require(is_https(self.issuer), f"{self.id}: the issuer is an https address")
        require(is_https(self.keys, local=True), f"{self.id}: the keys are fetched over https")
        require("openid" in self.scopes, f"{self.id}: an ID token is asked for with the scope openid")
        has_tenants = bool(self.allowed_tenants)
        require((TENANT in self.issuer) is has_tenants, f"{self.id}: an issuer with a tenant names those let in")

    @property
    def issuers(self) -> frozenset[str]:
        """Who its identities are from: of plain OAuth 2 it is the configuration's own id."""
        if self.kind is ProviderKind.OAUTH2:
            return frozenset({self.id})
        if TENANT in self.issuer:
            return frozenset(self.issuer.replace(TENANT, tenant) for tenant in self.allowed_tenants)
        return frozenset({self.issuer})


@attrs.frozen(kw_only=True)
class ProviderPolicy:
    """The providers of a shop.

    Args:
        configs: Each of them.
        flow_life: How long a customer may stay at a provider.
        proposal_life: How long a customer has to prove that an account is theirs, to link it.
        email_life: How long a customer has to name an address, where the provider gives none that is believed.

    Why these defaults:
        configs: none; only the shop knows.
        flow_life, proposal_life: 10 minutes, long enough to sign in with a second factor. [RFC 9700 4.7; of the house]
        email_life: 30 minutes, as long as all codes of one registration together; of the house.

    Raises:
        BadPolicy: Two providers of one name, or of one issuer and client.
    """

    configs: tuple[ProviderConfig, ...] = ()
    flow_life: timedelta = _LONGEST_LIFE
    proposal_life: timedelta = _LONGEST_LIFE
    email_life: timedelta = _LONGEST_REGISTRATION

    def __attrs_post_init__(self) -> None:
        require(_no_two(config.id for config in self.configs), "no two providers have one name")
        pairs = [f"{issuer} {config.client_id}" for config in self.configs for issuer in config.issuers]
        require(_no_two(pairs), "no two providers have one issuer and client")
        for life in (self.flow_life, self.proposal_life):
            require(_MINUTE <= life <= _LONGEST_LIFE, "a flow lives for 1 to 10 minutes")
        require(_MINUTE <= self.email_life <= _LONGEST_REGISTRATION, "an address is named and proven in 30 minutes")

    @property
    def enabled(self) -> tuple[ProviderConfig, ...]:
        """The providers that customers may use."""
        return tuple(config for config in self.configs if config.enabled)

    def check_fields(self, known: frozenset[str]) -> None:
        """Refuse to import what the shop has no field for, or what has a form of its own.

        Raises:
            BadPolicy: A provider fills such a field.
        """
        filled = {field for config in self.configs for field in config.import_fields.values()}
        unfit = sorted(filled - known | filled & _OF_THEIR_OWN_FORM)
        require(not unfit, f"no provider fills {', '.join(unfit)}")

    def named(self, id: str) -> ProviderConfig | None:
        """Answer the provider of that name if customers may use it."""
        return next((config for config in self.enabled if config.id == id), None)


def _no_two(names: Iterable[str]) -> bool:
    listed = list(names)
    return len(listed) == len(set(listed))
