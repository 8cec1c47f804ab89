"""Sessions, devices, and the answers of the gate."""

from datetime import datetime
from enum import Enum

import attrs

from shopaccounts.kernel.assurance import AuthContext, SessionScope
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamp, Stamps
from shopaccounts.kernel.tickets import Use
from shopaccounts.kernel.web import ClearCookie, SetCookie
from shopaccounts.passwords import ChangeVia

__all__ = [
    "DEVICE",
    "DEVICES",
    "REALMS",
    "SESSION",
    "SESSIONS",
    "AccountClosing",
    "AccountSuspended",
    "Acting",
    "ActingScope",
    "Device",
    "DeviceSummary",
    "EndReason",
    "EnrolmentNeeded",
    "FactorOption",
    "KnownDevices",
    "NoSession",
    "PasswordChangeNeeded",
    "RealmSecurity",
    "Resumed",
    "SecondFactorNeeded",
    "Session",
    "SessionSummary",
    "SignInStep",
    "SignedIn",
    "SignedOut",
    "WhyNoSession",
]

SESSION = Use("session", "ses", frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS, Stamp.FACTORS}))
"""What the value in a session cookie is for, and what ends it."""
DEVICE = Use("device", "dev", frozenset())
"""What a value in a device cookie is for: to be recognised, and nothing else."""


class ActingScope(Enum):
    """How far an agent goes who acts for a customer."""

    READ_ONLY = "read_only"
    ASSIST = "assist"


@described(data_class="session", default=impersonal("ids and switches"))
@attrs.frozen(kw_only=True)
class Acting:
    """On whose behalf a session is somebody else's."""

    agent: str = attrs.field(metadata=impersonal("the host's id of an agent"))
    reason: str = attrs.field(repr=False, metadata=personal("session", Category.CONTENT, on_erase=OnErase.BLANK))
    scope: ActingScope


class EndReason(Enum):
    """Why a session ended before its time."""

    SIGNED_OUT = "signed_out"
    ENDED_BY_OWNER = "ended_by_owner"
    ENDED_BY_STAFF = "ended_by_staff"
    ROTATED = "rotated"
    RENEWED = "renewed"
    REPLACED = "replaced"
    REUSED = "reused"
    CROWDED_OUT = "crowded_out"
    LAPSED = "lapsed"
    OTHER_AGENT = "other_agent"
    UNLINKED = "unlinked"


class WhyNoSession(Enum):
    """Why a session value opens nothing."""

    UNKNOWN = "unknown"
    ENDED = "ended"
    IDLE = "idle"
    OVER = "over"
    REVOKED = "revoked"
    ACCOUNT_STOPPED = "account_stopped"
    OTHER_AGENT = "other_agent"


@described(data_class="session", default=impersonal("ids, times, counters"))
@attrs.frozen(kw_only=True)
class Session:
    """One browser or app that is signed in.

    Args:
        id: The selector of the session value.
        public_id: Names the session in lists, events and addresses; opens nothing.
        digest: Digest of the session value.
        auth: How it came about.
        idle_until: Moves with activity.
        ends_at: Moves only when the customer proves again who they are.
        stamps: Of the account when the session was opened.
        device: The device that it was opened on, by its public id.
        place: About where it was opened, as far as the shop can tell.
        family: The same for every value that a session has in its life.
        generation: How often the value was renewed.
        issued_at: When this value was made.
        is_used: Whether a renewed value has opened anything yet.
        acting: The agent who acts for the customer; None for the customer's own sessions.
    """

    id: str
    realm: RealmId
    version: int = 1
    account: AccountId
    public_id: str = attrs.field(metadata=impersonal("an opaque id"))
    digest: bytes = attrs.field(repr=False, metadata=secret("session", "digest of the session value"))
    auth: AuthContext
    created_at: datetime
    last_seen: datetime
    idle_until: datetime
    ends_at: datetime
    remembered: bool
    agent: str = attrs.field(metadata=personal("session", Category.TECHNICAL, on_erase=OnErase.BLANK), repr=False)
    stamps: Stamps
    device: str | None = attrs.field(default=None, metadata=impersonal("an opaque id"))
    place: str | None = attrs.field(
        default=None, repr=False, metadata=personal("session", Category.LOCATION, on_erase=OnErase.NULL)
    )
    family: str = attrs.field(metadata=impersonal("an opaque id"))
    generation: int = 0
    issued_at: datetime
    is_used: bool = False
    acting: Acting | None = None
    ended: EndReason | None = None
    ended_at: datetime | None = None


SESSIONS = Book(
    name="sessions",
    of=Session,
    groups={
        "account": lambda s: s.account,
        "public_id": lambda s: s.public_id,
        "open": lambda s: s.account if s.ended is None else None,
        "full": lambda s: s.account if s.auth.scope is SessionScope.FULL and s.acting is None else None,
        "renewed": lambda s: s.family if s.generation and s.ended is None else None,
    },
    order=lambda s: s.created_at,
    keep_until=lambda s: s.ends_at,
)


@described(data_class="security", default=impersonal("ids, times"))
@attrs.frozen(kw_only=True)
class RealmSecurity:
    """What holds for every session of a realm: those that began before *not_before* are over, and *why*."""

    id: RealmId
    realm: RealmId
    version: int = 1
    not_before: datetime
    why: str = attrs.field(repr=False, metadata=personal("security", Category.CONTENT, on_erase=OnErase.BLANK))


REALMS = Book(name="realms", of=RealmSecurity)


@described(data_class="device", default=impersonal("ids, times"))
@attrs.frozen(kw_only=True)
class Device:
    """A browser or app that one account was signed in with.

    Args:
        id: The selector of the device value.
        public_id: Names the device in lists and events; opens nothing.
        digest: Digest of the device value.
        label: What it calls itself, as ``Firefox, Linux``.
        place: About where it was first seen, as far as the shop can tell.
        seen_like: Keyed digest of its kind of browser and its wider network.
        last_seen: The last sign-in, to within a day.
        known_until: From then on it is as new.
        trusted_until: Until then it stands for the second step after a password.
        trusted_under: Stamps of the account when that was said; a new password or factor ends it.
        trusted_beside: The second steps that the account had then; with any other it is asked for them again, also
            where the shop lets sessions go on.
    """

    id: str
    public_id: str = attrs.field(metadata=impersonal("an opaque id"))
    digest: bytes = attrs.field(repr=False, metadata=secret("device", "digest of the device value"))
    label: str = attrs.field(metadata=personal("device", Category.TECHNICAL, on_erase=OnErase.BLANK), repr=False)
    place: str | None = attrs.field(
        default=None, repr=False, metadata=personal("device", Category.LOCATION, on_erase=OnErase.NULL)
    )
    seen_like: str = attrs.field(metadata=impersonal("a keyed digest"))
    first_seen: datetime
    last_seen: datetime
    known_until: datetime
    trusted_until: datetime | None = None
    trusted_under: Stamps | None = None
    trusted_beside: frozenset[str] = attrs.field(default=frozenset(), metadata=impersonal("opaque ids"))


@described(data_class="device", default=impersonal("ids"))
@attrs.frozen(kw_only=True)
class KnownDevices:
    """The devices of one account: few, so that a sign-in reads them along with the account."""

    id: AccountId
    realm: RealmId
    version: int = 1
    devices: tuple[Device, ...] = ()


DEVICES = Book(
    name="devices",
    of=KnownDevices,
    keep_until=lambda known: max((device.known_until for device in known.devices), default=None),
)


@attrs.frozen(kw_only=True)
class FactorOption:
    """One way to answer for the second step.

    Args:
        kind: ``totp``, ``passkey``, ``sms``, ``email_step``, ``recovery_codes`` or ``password``.
        factor: Which one; None where the kind says all.
        label: What its owner calls it.
        hint: Where a code would go, masked.
    """

    kind: str
    factor: str | None = None
    label: str = attrs.field(default="", repr=False)
    hint: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class SignedIn:
    """The gate opened. *session* is the value for the browser; an earlier session of the request is to be dropped.

    *new_device* tells that the account was not signed in with this browser before, *second_step* that this ``device``
    stood for the second step. *recovery_code* is a fresh code for the one that was used, to be shown once.
    """

    session: Secret[str]
    account: AccountId
    public_id: str
    auth: AuthContext
    set_cookies: tuple[SetCookie, ...]
    new_device: bool = False
    second_step: str | None = None
    recovery_code: Secret[str] | None = None


@attrs.frozen(kw_only=True)
class SecondFactorNeeded:
    """The first proof was right, and the account asks for a second.

    Args:
        progress: The handle of the half-done sign-in; good for its second step and nothing else, in this browser.
        options: What to answer with; without any, only the way back for lost factors is left.
        expires_at: When it begins anew.
        set_cookies: What goes into the browser with it.
    """

    progress: Secret[str]
    options: tuple[FactorOption, ...]
    expires_at: datetime
    set_cookies: tuple[SetCookie, ...] = ()


@attrs.frozen(kw_only=True)
class EnrolmentNeeded:
    """Every proof was right, and the shop wants a second factor; the session may enrol one, and nothing else.

    *recovery_code* is as in ``SignedIn``.
    """

    session: Secret[str]
    set_cookies: tuple[SetCookie, ...]
    recovery_code: Secret[str] | None = None


@attrs.frozen(kw_only=True)
class AccountSuspended:
    """Every proof was right, and the account is stopped; *recovery_code* is as in ``SignedIn``."""

    reason: str | None
    until: datetime | None
    recovery_code: Secret[str] | None = None


@attrs.frozen(kw_only=True)
class AccountClosing:
    """Every proof was right, and the account is being closed; the session may stop that, and nothing else.

    *recovery_code* is as in ``SignedIn``.
    """

    session: Secret[str]
    closes_at: datetime | None
    set_cookies: tuple[SetCookie, ...]
    recovery_code: Secret[str] | None = None


@attrs.frozen(kw_only=True)
class PasswordChangeNeeded:
    """Every proof was right, and the password has to be changed before anything else.

    Args:
        via: ``here``: with *session*, which may do nothing else; ``mailbox``: by the link that was mailed to the owner
            or, where there is only a number to sign in by, by the code that went there.
        reason: Why: ``breached``, ``reported``, ``staff_flag`` or ``import_weak``.
        since: Since when.
        session: The value for the browser; None if the mailbox decides.
        reset: The handle for ``reset_with_code``, where a code went to a number; None also where nothing could be sent
            there just now.
        set_cookies: What goes into the browser with it.
        recovery_code: As in ``SignedIn``.
    """

    via: ChangeVia
    reason: str
    since: datetime | None
    session: Secret[str] | None = None
    reset: Secret[str] | None = None
    set_cookies: tuple[SetCookie, ...] = ()
    recovery_code: Secret[str] | None = None


SignInStep = SignedIn | SecondFactorNeeded | EnrolmentNeeded | PasswordChangeNeeded | AccountSuspended | AccountClosing
"""What a way in leads to; a host matches on it."""


@attrs.frozen(kw_only=True)
class Resumed:
    """A live session.

    Args:
        renewal_due: Tells a client to have its value renewed.
        impersonated_by: The agent who acts for the customer; the page has to say so.
    """

    account: AccountId
    auth: AuthContext
    public_id: str
    renewal_due: bool = False
    impersonated_by: str | None = None


@attrs.frozen(kw_only=True)
class NoSession:
    """The value opens nothing; the cookie is to be removed."""

    reason: WhyNoSession
    clear_cookies: tuple[ClearCookie, ...]


@attrs.frozen(kw_only=True)
class SignedOut:
    """The session has ended on the server, whatever happens to the cookie."""

    clear_cookies: tuple[ClearCookie, ...]


@attrs.frozen(kw_only=True)
class SessionSummary:
    """A session as its owner sees it."""

    public_id: str
    agent: str
    device: str
    place: str | None
    created_at: datetime
    last_seen: datetime
    level: int
    methods: tuple[str, ...]
    current: bool


@attrs.frozen(kw_only=True)
class DeviceSummary:
    """A device as its owner sees it."""

    public_id: str
    label: str
    place: str | None
    first_seen: datetime
    last_seen: datetime
    current: bool
