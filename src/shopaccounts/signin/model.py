"""Sessions, and the answers of the gate."""

from datetime import datetime
from enum import Enum

import attrs

from shopaccounts.kernel.assurance import AuthContext
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamp, Stamps
from shopaccounts.kernel.tickets import Use
from shopaccounts.kernel.web import ClearCookie, SetCookie

__all__ = [
    "SESSION",
    "SESSIONS",
    "AccountClosing",
    "AccountSuspended",
    "EndReason",
    "NoSession",
    "Resumed",
    "Session",
    "SessionSummary",
    "SignInStep",
    "SignedIn",
    "SignedOut",
    "WhyNoSession",
]

SESSION = Use("session", "ses", frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS, Stamp.FACTORS}))
"""What the value in a session cookie is for, and what ends it."""


class EndReason(Enum):
    """Why a session ended before its time."""

    SIGNED_OUT = "signed_out"
    ENDED_BY_OWNER = "ended_by_owner"
    ROTATED = "rotated"


class WhyNoSession(Enum):
    """Why a session value opens nothing."""

    UNKNOWN = "unknown"
    ENDED = "ended"
    IDLE = "idle"
    OVER = "over"
    REVOKED = "revoked"
    ACCOUNT_STOPPED = "account_stopped"


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
    ended: EndReason | None = None


SESSIONS = Book(
    name="sessions",
    of=Session,
    groups={"account": lambda s: s.account, "public_id": lambda s: s.public_id},
    order=lambda s: s.created_at,
    keep_until=lambda s: s.ends_at,
)


@attrs.frozen(kw_only=True)
class SignedIn:
    """The gate opened. *session* is the value for the browser; an earlier session of the request is to be dropped."""

    session: Secret[str]
    account: AccountId
    public_id: str
    auth: AuthContext
    set_cookies: tuple[SetCookie, ...]


@attrs.frozen(kw_only=True)
class AccountSuspended:
    """Every proof was right, and the account is stopped."""

    reason: str | None
    until: datetime | None


@attrs.frozen(kw_only=True)
class AccountClosing:
    """Every proof was right, and the account is being closed; the session may stop that, and nothing else."""

    session: Secret[str]
    closes_at: datetime | None
    set_cookies: tuple[SetCookie, ...]


SignInStep = SignedIn | AccountSuspended | AccountClosing
"""What a way in leads to; a host matches on it."""


@attrs.frozen(kw_only=True)
class Resumed:
    """A live session."""

    account: AccountId
    auth: AuthContext
    public_id: str


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
    created_at: datetime
    last_seen: datetime
    level: int
    methods: tuple[str, ...]
    current: bool
