"""Whether what a provider says about a customer is to be believed.

The signature is checked elsewhere; everything else is here, each rule by its name, in order:

* Header: an algorithm that is configured; no extensions; no key that the token brings along; the right type.
* From this provider, for this shop, about somebody; still good, issued at most 10 minutes ago, not from the future.
  Clocks may differ by a minute.
* For the very browser that was sent there: the nonce is the one that it was sent with.
* Where it was asked how long ago the customer signed in there, the answer is there and young enough.
* If an access token came along, the token is about that one.

An address is believed only from a provider that is trusted with it, with the literal ``true``, and about its own
domains where those are named. Strength is believed only as far as the configuration says what its words are worth.

[OpenID Connect Core 3.1.3.7, 3.1.3.8; RFC 8725; OWASP ASVS 9.1, 9.2, 10.5]
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from shopaccounts.kernel.chance import as_token
from shopaccounts.kernel.contact import EmailAddress, EmailInvalid, EmailUnsupportedCharacters
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.secret import Secret, same
from shopaccounts.providers.errors import Why
from shopaccounts.providers.policy import ProviderConfig, Quirk, TrustsEmail, Vouches

__all__ = [
    "ID_TOKEN_TYPES",
    "LOGOUT_TYPES",
    "SKEW",
    "Ended",
    "Expected",
    "IdTokenRefused",
    "OAuthProfile",
    "VerifiedIdentity",
    "identity_of_profile",
    "judge_header",
    "judge_id_token",
    "judge_logout_token",
    "nonce_digest",
]

SKEW: Final = timedelta(seconds=60)
"""How far the provider's clock may be from ours."""
OLDEST: Final = timedelta(minutes=10)
OLDEST_LOGOUT: Final = timedelta(minutes=2)
LONGEST_SUBJECT: Final = 255
_FURTHEST: Final = 1e12
"""Seconds from 1970 that no real time is away."""
LONGEST_FIELD: Final = 120
ID_TOKEN_TYPES: Final = frozenset({None, "JWT", "id_token+jwt"})
LOGOUT_TYPES: Final = frozenset({"logout+jwt"})
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_KEY_HEADERS: Final = {"jku": Quirk.JKU, "x5u": Quirk.X5U, "jwk": Quirk.JWK, "x5c": Quirk.X5C}
_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512, "519": hashlib.sha512}
"""By the end of an algorithm's name: which hash ``at_hash`` is made with; Ed25519 uses SHA-512."""


@attrs.frozen
class IdTokenRefused:
    """A token that isn't believed, and why."""

    reason: Why


@attrs.frozen(kw_only=True)
class Expected:
    """What this browser was sent for.

    Args:
        nonce_digest: SHA-256 of the nonce that it was sent with.
        max_age: How long ago the customer may have signed in there; None if that wasn't asked.
    """

    nonce_digest: bytes = attrs.field(repr=False)
    max_age: timedelta | None = None


@attrs.frozen(kw_only=True)
class VerifiedIdentity:
    """Who somebody is at a provider.

    Args:
        email: The address that the provider knows; nothing is decided by it unless *is_email_verified*.
        vouches: What the sign-in there counts for besides one federated proof.
        fields: Profile fields that the configuration imports.
        jti: What the provider calls the token; None if it gives it no name.
    """

    provider: str
    issuer: str
    subject: str = attrs.field(repr=False)
    email: EmailAddress | None = None
    is_email_verified: bool = False
    vouches: Vouches | None = None
    fields: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    jti: str | None = attrs.field(default=None, repr=False)

    @property
    def proven_email(self) -> EmailAddress | None:
        """The address, if the provider's word proves it."""
        return self.email if self.is_email_verified else None


@attrs.frozen(kw_only=True)
class OAuthProfile:
    """What a host has read at a provider that speaks plain OAuth 2.

    Args:
        subject: The provider's unchanging id of the customer, as text; never an address or a user name.
        email: The address that the provider told; None if none.
        email_verified: What an endpoint of the provider says about exactly this address; false where none says so.
        fields: Further claims by name, as text; only what the configuration imports is looked at.
    """

    subject: str = attrs.field(repr=False)
    email: str | None = attrs.field(default=None, repr=False)
    email_verified: bool = False
    fields: Mapping[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Ended:
    """A provider's word that a customer signed out there."""

    issuer: str
    subject: str = attrs.field(repr=False)
    jti: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class _Case:
    """All that one token is judged by."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    config: ProviderConfig
    now: float
    skew: float
    expected: Expected | None = None
    access_token: Secret[str] | None = None

    def number(self, claim: str) -> float | None:
        """Answer a time among the claims, None if it is none."""
        value = self.claims.get(claim)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return value if -_FURTHEST < value < _FURTHEST else None


_Rule = tuple[Why, Callable[[_Case], bool]]


def nonce_digest(nonce: str) -> bytes:
    """Answer what is kept of a nonce."""
    return hashlib.sha256(nonce.encode("utf-8", "surrogatepass")).digest()


def judge_header(
    header: Mapping[str, Any], config: ProviderConfig, types: frozenset[str | None] = ID_TOKEN_TYPES
) -> IdTokenRefused | None:
    """Answer why a token's header can't be one of this provider, None if it can."""
    alg, typ = header.get("alg"), header.get("typ")
    if not isinstance(alg, str) or alg not in config.algorithms:
        return IdTokenRefused(Why.ALGORITHM)
    if "crit" in header or "b64" in header:
        return IdTokenRefused(Why.CRITICAL)
    if any(name in header and quirk not in config.quirks for name, quirk in _KEY_HEADERS.items()):
        return IdTokenRefused(Why.KEY_HEADER)
    if not (typ is None or isinstance(typ, str)) or ("typ" in header and typ is None) or typ not in types:
        return IdTokenRefused(Why.TYPE)
    return None


def judge_id_token(
    header: Mapping[str, Any],
    claims: Mapping[str, Any],
    config: ProviderConfig,
    expected: Expected,
    now: datetime,
    skew: timedelta = SKEW,
    access_token: Secret[str] | None = None,
) -> VerifiedIdentity | IdTokenRefused:
    """Answer who somebody is, or why the token isn't believed.

    Args:
        header: Of a token whose signature is the provider's.
        claims: What it says.
        config: Of which provider.
        expected: What the browser was sent for.
        now: When, an aware time.
        skew: How far the provider's clock may be off.
        access_token: The access token that came along; None if there was none.
    """
    case = _Case(
        header=header,
        claims=claims,
        config=config,
        now=now.timestamp(),
        skew=skew.total_seconds(),
        expected=expected,
        access_token=access_token,
    )
    refused = judge_header(header, config) or _first_broken(case, _OF_ID_TOKENS)
    if refused is not None:
        return refused
    email = _email(claims.get("email"))
    jti = claims.get("jti")
    return VerifiedIdentity(
        provider=config.id,
        issuer=claims["iss"],
        subject=claims["sub"],
        email=email,
        is_email_verified=_is_proven(email, _says_verified(claims.get("email_verified"), config), config),
        vouches=_vouched(claims, config),
        fields=_imported(claims, config),
        jti=jti if isinstance(jti, str) else None,
    )


def judge_logout_token(
    header: Mapping[str, Any],
    claims: Mapping[str, Any],
    config: ProviderConfig,
    now: datetime,
    skew: timedelta = SKEW,
) -> Ended | IdTokenRefused:
    """Answer who signed out at a provider, or why the token isn't believed.

    [OpenID Connect Back-Channel Logout 2.6]
    """
    case = _Case(header=header, claims=claims, config=config, now=now.timestamp(), skew=skew.total_seconds())
    refused = judge_header(header, config, LOGOUT_TYPES) or _first_broken(case, _OF_LOGOUT_TOKENS)
    return refused or Ended(issuer=claims["iss"], subject=claims["sub"], jti=claims["jti"])


def identity_of_profile(profile: OAuthProfile, config: ProviderConfig) -> VerifiedIdentity | IdTokenRefused:
    """Answer who somebody is at a provider that speaks plain OAuth 2, or why that can't be."""
    if not _is_subject(profile.subject):
        return IdTokenRefused(Why.SUBJECT)
    email = _email(profile.email)
    return VerifiedIdentity(
        provider=config.id,
        issuer=config.id,
        subject=profile.subject,
        email=email,
        is_email_verified=_is_proven(email, profile.email_verified is True, config),
        fields=_imported(profile.fields, config),
    )


# Rules


def _first_broken(case: _Case, rules: tuple[_Rule, ...]) -> IdTokenRefused | None:
    return next((IdTokenRefused(why) for why, holds in rules if not holds(case)), None)


def _from_the_issuer(case: _Case) -> bool:
    issuer = case.claims.get("iss")
    return isinstance(issuer, str) and issuer in case.config.issuers


def _for_this_shop(case: _Case) -> bool:
    audience = case.claims.get("aud")
    if isinstance(audience, str):
        return audience == case.config.client_id
    return (
        isinstance(audience, list) and all(isinstance(a, str) for a in audience) and case.config.client_id in audience
    )


def _by_this_party(case: _Case) -> bool:
    audience = case.claims.get("aud")
    is_needed = isinstance(audience, list) and len(audience) > 1
    return case.claims["azp"] == case.config.client_id if "azp" in case.claims else not is_needed


def _about_somebody(case: _Case) -> bool:
    return _is_subject(case.claims.get("sub"))


def _not_expired(case: _Case) -> bool:
    until = case.number("exp")
    return until is not None and case.now < until + case.skew


def _not_expired_if_it_says(case: _Case) -> bool:
    return "exp" not in case.claims or _not_expired(case)


def _issued_lately(case: _Case) -> bool:
    return _issued_within(case, OLDEST)


def _issued_just_now(case: _Case) -> bool:
    return _issued_within(case, OLDEST_LOGOUT)


def _issued_within(case: _Case, oldest: timedelta) -> bool:
    at = case.number("iat")
    return at is not None and at <= case.now + case.skew and case.now - at <= oldest.total_seconds()


def _begun(case: _Case) -> bool:
    since = case.number("nbf")
    return "nbf" not in case.claims or (since is not None and since <= case.now + case.skew)


def _for_this_browser(case: _Case) -> bool:
    nonce = case.claims.get("nonce")
    return (
        isinstance(nonce, str) and case.expected is not None and same(nonce_digest(nonce), case.expected.nonce_digest)
    )


def _signed_in_lately(case: _Case) -> bool:
    longest = case.expected.max_age if case.expected else None
    if longest is None:
        return True
    at = case.number("auth_time")
    return at is not None and at <= case.now + case.skew and case.now - at <= longest.total_seconds() + case.skew


def _of_the_access_token(case: _Case) -> bool:
    told = case.claims.get("at_hash")
    if case.access_token is None or "at_hash" not in case.claims:
        return True
    digest = _HASHES[case.header["alg"][-3:]](case.access_token.reveal().encode("utf-8", "surrogatepass")).digest()
    return isinstance(told, str) and same(as_token(digest[: len(digest) // 2]), told)


def _says_that_it_ended(case: _Case) -> bool:
    events = case.claims.get("events")
    return isinstance(events, dict) and isinstance(events.get(LOGOUT_EVENT), dict) and "nonce" not in case.claims


def _has_a_name(case: _Case) -> bool:
    return _is_subject(case.claims.get("jti"))


_FROM_THERE_FOR_US: Final[tuple[_Rule, ...]] = (
    (Why.ISSUER, _from_the_issuer),
    (Why.AUDIENCE, _for_this_shop),
    (Why.PARTY, _by_this_party),
    (Why.SUBJECT, _about_somebody),
)
_OF_ID_TOKENS: Final[tuple[_Rule, ...]] = (
    *_FROM_THERE_FOR_US,
    (Why.EXPIRES, _not_expired),
    (Why.ISSUED, _issued_lately),
    (Why.NOT_BEFORE, _begun),
    (Why.NONCE, _for_this_browser),
    (Why.AUTH_TIME, _signed_in_lately),
    (Why.ACCESS_TOKEN, _of_the_access_token),
)
_OF_LOGOUT_TOKENS: Final[tuple[_Rule, ...]] = (
    *_FROM_THERE_FOR_US,
    (Why.EXPIRES, _not_expired_if_it_says),
    (Why.ISSUED, _issued_just_now),
    (Why.EVENT, _says_that_it_ended),
    (Why.REPLAYED, _has_a_name),
)


# What is believed of the claims


def _is_subject(value: object) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_SUBJECT:
        return False
    return not any("\ud800" <= sign <= "\udfff" for sign in value)


def _email(claim: object) -> EmailAddress | None:
    try:
        return EmailAddress.parse(claim) if isinstance(claim, str) else None
    except (EmailInvalid, EmailUnsupportedCharacters, InvalidInput):
        return None


def _says_verified(claim: object, config: ProviderConfig) -> bool:
    if claim is True:
        return True
    if isinstance(claim, str):
        return claim == "true" and Quirk.EMAIL_VERIFIED_AS_TEXT in config.quirks
    is_one = isinstance(claim, int) and not isinstance(claim, bool) and claim == 1
    return is_one and Quirk.EMAIL_VERIFIED_AS_NUMBER in config.quirks


def _is_proven(email: EmailAddress | None, said: bool, config: ProviderConfig) -> bool:  # noqa: FBT001  (what was said)
    if email is None or not said or config.trusts_email is not TrustsEmail.WHEN_VERIFIED:
        return False
    _, _, domain = email.login_key.rpartition("@")
    return not config.authoritative_domains or domain in config.authoritative_domains


def _vouched(claims: Mapping[str, Any], config: ProviderConfig) -> Vouches | None:
    amr, acr = claims.get("amr"), claims.get("acr")
    said = [*(amr if isinstance(amr, list) else ()), acr]
    worth = {config.amr_map[word] for word in said if isinstance(word, str) and word in config.amr_map}
    return Vouches.MULTI if Vouches.MULTI in worth else next(iter(worth), None)


def _imported(claims: Mapping[str, Any], config: ProviderConfig) -> dict[str, str]:
    told = ((field, claims.get(claim)) for claim, field in config.import_fields.items())
    texts = ((field, value.strip()) for field, value in told if isinstance(value, str))
    return {field: text for field, text in texts if 0 < len(text) <= LONGEST_FIELD and text.isprintable()}
