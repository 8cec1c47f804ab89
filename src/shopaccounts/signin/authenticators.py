"""What an account can prove itself with besides its password: factors, passkeys, recovery codes, provider identities.

All of it is one row for each account. So whatever works once is used up by one compare-and-set, whatever way it was
used; and whether something may go is decided on all that would be left. [NIST SP 800-63B-4 4.1]
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.vault import Sealed

__all__ = [
    "AUTHENTICATORS",
    "SEVERAL_KEYS",
    "Authenticators",
    "Enrolling",
    "Factor",
    "FactorKind",
    "Identity",
    "Passkey",
    "RecoveryCode",
    "RecoveryCodes",
    "TotpSecret",
    "credential_key",
    "identity_key",
]


SEVERAL_KEYS: Final = "several"
"""The group of the accounts whose secrets don't lie under one key."""


class FactorKind(Enum):
    """What a second step of sign-in can be; a ``Factor`` is an app, a phone, or the mailbox."""

    TOTP = "totp"
    PASSKEY = "passkey"
    SMS = "sms"
    EMAIL_STEP = "email_step"
    RECOVERY_CODES = "recovery_codes"


@described(data_class="security", default=impersonal("how codes are made"))
@attrs.frozen(kw_only=True)
class TotpSecret:
    """What makes the codes of an app, and the last of its steps that was used.

    Args:
        sealed: The secret, sealed for this account and factor.
        digits: How long its codes are.
        period: How many seconds a step lasts.
        algorithm: ``SHA1``, ``SHA256`` or ``SHA512``.
        last_step: Steps up to this one are used up.
    """

    sealed: Sealed = attrs.field(repr=False, metadata=secret("security", "the sealed secret of an app"))
    digits: int
    period: int
    algorithm: str = attrs.field(metadata=impersonal("the name of a hash"))
    last_step: int = -1


@described(data_class="security", default=impersonal("ids, times, switches"))
@attrs.frozen(kw_only=True)
class Factor:
    """One second step.

    Args:
        label: What its owner calls it.
        is_disabled: After too many failures in a row; it can only be removed.
        totp: Of an app.
        contact: Where codes go, of a phone or mailbox; usable while that contact is verified.
    """

    id: str = attrs.field(metadata=impersonal("an opaque id"))
    kind: FactorKind
    label: str = attrs.field(
        default="", repr=False, metadata=personal("security", Category.CONTENT, on_erase=OnErase.BLANK)
    )
    created_at: datetime
    last_used_at: datetime | None = None
    is_disabled: bool = False
    totp: TotpSecret | None = None
    contact: ContactId | None = None


@described(data_class="security", default=impersonal("ids, times, switches"))
@attrs.frozen(kw_only=True)
class Passkey:
    """A public key whose private half only its owner's device can use.

    Args:
        credential: The credential id, as the device names the key.
        public_key: The key, as COSE.
        counter: How often it was used, as it says itself.
        aaguid: The make of the authenticator.
        transports: How a browser reaches it.
        is_backup_eligible, is_backed_up: Whether it may be, and is, copied to other devices.
        user_verified: Whether it has verified its user, and so is worth two factors.
    """

    id: str = attrs.field(metadata=impersonal("an opaque id"))
    credential: bytes = attrs.field(repr=False, metadata=personal("security", Category.TECHNICAL))
    public_key: bytes = attrs.field(repr=False, metadata=personal("security", Category.TECHNICAL))
    counter: int
    label: str = attrs.field(
        default="", repr=False, metadata=personal("security", Category.CONTENT, on_erase=OnErase.BLANK)
    )
    created_at: datetime
    last_used_at: datetime | None = None
    aaguid: str = attrs.field(default="", metadata=impersonal("the make of a device"))
    transports: tuple[str, ...] = attrs.field(default=(), metadata=impersonal("names of transports"))
    is_backup_eligible: bool = False
    is_backed_up: bool = False
    user_verified: bool = False
    is_disabled: bool = False


@described(data_class="security", default=impersonal("times"))
@attrs.frozen(kw_only=True)
class RecoveryCode:
    """One code for the day on which everything else is lost; only its keyed digest is kept."""

    mac: bytes = attrs.field(repr=False, metadata=secret("security", "keyed digest of a recovery code"))
    key_id: str = attrs.field(metadata=impersonal("which key made the digest"))
    spent_at: datetime | None = None


@described(data_class="security", default=impersonal("times"))
@attrs.frozen(kw_only=True)
class RecoveryCodes:
    """A set of recovery codes, shown once when it was made."""

    made_at: datetime
    codes: tuple[RecoveryCode, ...]
    last_used_at: datetime | None = None

    @property
    def left(self) -> int:
        """How many are unspent."""
        return sum(code.spent_at is None for code in self.codes)


@described(data_class="security", default=impersonal("times"))
@attrs.frozen(kw_only=True)
class Enrolling:
    """A factor that waits for its first code, from the session in which it was begun."""

    factor: Factor
    begun_at: datetime
    expires_at: datetime


@described(data_class="security", default=impersonal("ids, times"))
@attrs.frozen(kw_only=True)
class Identity:
    """An account elsewhere that opens this one.

    Args:
        provider: By which configuration it was linked.
        issuer, subject: Who it is; compared as exact strings, and nothing else says who it is.
        not_before: What it vouched for earlier is over, since the customer has signed out there.
        tokens: What the provider gave, sealed; None where tokens aren't kept.
        filled: Which empty fields of the profile were filled from there.
    """

    id: str = attrs.field(metadata=impersonal("an opaque id"))
    provider: str = attrs.field(metadata=impersonal("the id of a configuration"))
    issuer: str = attrs.field(metadata=impersonal("the name of a provider"))
    subject: str = attrs.field(repr=False, metadata=personal("security", Category.IDENTITY))
    linked_at: datetime
    last_used_at: datetime | None = None
    not_before: datetime | None = None
    filled: tuple[str, ...] = attrs.field(default=(), metadata=impersonal("names of fields"))
    tokens: Sealed | None = attrs.field(
        default=None, repr=False, metadata=secret("security", "sealed tokens of a provider")
    )


@described(data_class="security", default=impersonal("ids"))
@attrs.frozen(kw_only=True)
class Authenticators:
    """The row of one account.

    Args:
        user_handle: What passkeys know the account by; made once, of chance alone.
        warned_at: When its owner was last told that somebody could not give the second step.
    """

    id: AccountId
    realm: RealmId
    version: int = 1
    user_handle: bytes | None = attrs.field(
        default=None, repr=False, metadata=personal("security", Category.TECHNICAL, on_erase=OnErase.NULL)
    )
    factors: tuple[Factor, ...] = ()
    passkeys: tuple[Passkey, ...] = ()
    recovery_codes: RecoveryCodes | None = None
    enrolling: Enrolling | None = None
    identities: tuple[Identity, ...] = ()
    warned_at: datetime | None = None

    @property
    def steps(self) -> frozenset[str]:
        """The ids of all second steps."""
        return frozenset({factor.id for factor in self.factors} | {passkey.id for passkey in self.passkeys})

    def factor(self, id: str) -> Factor | None:
        """Answer the factor with this id."""
        return next((factor for factor in self.factors if factor.id == id), None)

    def contacts_of(self, factor: str) -> frozenset[str]:
        """Answer the contact that codes of the factor with this id go to; nothing where none do."""
        return frozenset(one.contact for one in self.factors if one.id == factor and one.contact)

    def passkey(self, credential: bytes) -> Passkey | None:
        """Answer the passkey that its device names so."""
        return next((passkey for passkey in self.passkeys if passkey.credential == credential), None)

    def identity(self, id: str | None) -> Identity | None:
        """Answer the identity with this id."""
        return next((identity for identity in self.identities if identity.id == id), None)

    def linked_with(self, issuer: str, subject: str) -> Identity | None:
        """Answer the identity that somebody has at a provider."""
        return next((one for one in self.identities if (one.issuer, one.subject) == (issuer, subject)), None)

    def with_factor(self, factor: Factor) -> "Authenticators":
        """Answer the row with *factor* in place of the one with its id."""
        return attrs.evolve(self, factors=tuple(factor if one.id == factor.id else one for one in self.factors))

    def with_passkey(self, passkey: Passkey) -> "Authenticators":
        """Answer the row with *passkey* in place of the one with its id."""
        return attrs.evolve(self, passkeys=tuple(passkey if one.id == passkey.id else one for one in self.passkeys))

    def with_identity(self, identity: Identity) -> "Authenticators":
        """Answer the row with *identity* in place of the one with its id."""
        return attrs.evolve(self, identities=tuple(identity if i.id == identity.id else i for i in self.identities))


def credential_key(credential: bytes) -> str:
    """Answer the unique key under which the holder of a passkey is found."""
    return hashlib.sha256(credential).hexdigest()


def identity_key(issuer: str, subject: str) -> str:
    """Answer the unique key under which the holder of a provider identity is found."""
    return hashlib.sha256(f"{len(issuer)} {issuer} {subject}".encode()).hexdigest()


def _credentials(own: Authenticators) -> Iterator[str]:
    return (credential_key(passkey.credential) for passkey in own.passkeys)


def _identities(own: Authenticators) -> Iterator[str]:
    return (identity_key(identity.issuer, identity.subject) for identity in own.identities)


def _seeds(own: Authenticators) -> str | None:
    """Answer the id of the key that the secrets of apps are sealed with; None if there are no secrets."""
    waiting = (own.enrolling.factor,) if own.enrolling else ()
    keys = {factor.totp.sealed.key_id for factor in (*own.factors, *waiting) if factor.totp}
    return None if not keys else keys.pop() if len(keys) == 1 else SEVERAL_KEYS


AUTHENTICATORS = Book(
    name="authenticators",
    of=Authenticators,
    unique={"credential": _credentials, "identity": _identities},
    groups={"seeds": _seeds},
    due=lambda own: own.enrolling.expires_at if own.enrolling else None,
    personal=True,
)
