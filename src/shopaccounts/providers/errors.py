"""How this context says no."""

from enum import StrEnum

import attrs

from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = [
    "FlowExpired",
    "FlowInvalid",
    "FlowStale",
    "FlowUsed",
    "IdentityTaken",
    "IdentityUnknown",
    "ProviderOff",
    "ProviderRefused",
    "TooManyIdentities",
    "Why",
]


class Why(StrEnum):
    """Why a provider's answer isn't believed; nothing of the answer itself goes any further.

    Args:
        FORM: No signed token of three parts, or larger or deeper than any real one.
        ALGORITHM: Signed in a way that isn't configured.
        CRITICAL: It demands an extension that nobody here knows.
        KEY_HEADER: It brings or names its own key.
        TYPE: Another kind of token.
        KEY: No key, or more than one, of the provider fits.
        KEYS_UNAVAILABLE: The provider's keys can't be had.
        SIGNATURE: The signature isn't the provider's.
        ISSUER, AUDIENCE, PARTY, SUBJECT: From somebody else, for somebody else, or about nobody.
        EXPIRES, ISSUED, NOT_BEFORE: Too late or too early, or without saying.
        NONCE: Not what this browser was sent for.
        AUTH_TIME: The customer's sign-in there is too old, or of no known age.
        ACCESS_TOKEN: It belongs to another access token.
        REPLAYED: It was used before.
        EVENT: A message about the end of a session that doesn't say so.
        BROWSER: Another browser began.
        SESSION: Another session began.
        IDENTITY: Somebody else than the one who was to be confirmed.
        DENIED: The customer said no at the provider.
        LOGIN_NEEDED: The provider wants the customer to sign in there first.
        UNAVAILABLE: The provider says that it can't just now.
        OTHER: The provider says no for a reason of its own.
    """

    FORM = "form"
    ALGORITHM = "algorithm"
    CRITICAL = "critical"
    KEY_HEADER = "key_header"
    TYPE = "type"
    KEY = "key"
    KEYS_UNAVAILABLE = "keys_unavailable"
    SIGNATURE = "signature"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    PARTY = "party"
    SUBJECT = "subject"
    EXPIRES = "expires"
    ISSUED = "issued"
    NOT_BEFORE = "not_before"
    NONCE = "nonce"
    AUTH_TIME = "auth_time"
    ACCESS_TOKEN = "access_token"  # noqa: S105  (a reason)
    REPLAYED = "replayed"
    EVENT = "event"
    BROWSER = "browser"
    SESSION = "session"
    IDENTITY = "identity"
    DENIED = "denied"
    LOGIN_NEEDED = "login_needed"
    UNAVAILABLE = "unavailable"
    OTHER = "other"


@attrs.frozen
class ProviderRefused(Rejected):
    """What came from the provider opens nothing.

    Args:
        reason: Why, one of ``Why``; never a value of the answer.
    """

    code = "providers.refused"
    kind = Kind.UNAUTHENTICATED
    reason: str


@attrs.frozen
class ProviderOff(Rejected):
    """Customers can't use this provider."""

    code = "providers.provider_off"
    kind = Kind.FORBIDDEN


@attrs.frozen
class IdentityTaken(Rejected):
    """Another account is linked with this identity."""

    code = "providers.identity_taken"
    kind = Kind.CONFLICT


@attrs.frozen
class IdentityUnknown(Rejected):
    """The account is linked with no such identity."""

    code = "providers.identity_unknown"
    kind = Kind.NOT_FOUND


@attrs.frozen
class TooManyIdentities(Rejected):
    """The account is linked with as many identities as it may be; unlink one first."""

    code = "providers.too_many_identities"
    kind = Kind.CONFLICT
    most: int


class FlowInvalid(LinkInvalid):
    """Nothing was begun that fits this."""

    code = "providers.link_invalid"


class FlowExpired(LinkExpired):
    """It took too long; begin again."""

    code = "providers.link_expired"


class FlowUsed(LinkUsed):
    """This was answered before."""

    code = "providers.link_used"


class FlowStale(LinkStale):
    """The account's security has changed since; begin again."""

    code = "providers.link_stale"
