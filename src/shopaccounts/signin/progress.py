"""A sign-in that waits for its second step.

It lives ten minutes, in the browser in which it began, and takes five wrong answers. It holds what was proven, no
password and no code, and is good for nothing but the second step. It is dead when anything about the account's security
has moved since. When nobody could give the second step, somebody else may know the password, and the owner hears of it.
[OWASP ASVS 2.3.1, 6.3.5; OWASP Multifactor Authentication Cheat Sheet]
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.assurance import Method, Proof
from shopaccounts.kernel.flows import is_same_browser
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import described, impersonal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.security import AccountSecurity, Stamp, Stamps
from shopaccounts.kernel.tickets import Use

__all__ = [
    "PROGRESS",
    "PROGRESSES",
    "PROGRESS_LIFE",
    "WRONG_ANSWERS",
    "Progress",
    "answered",
    "given_up",
    "is_over",
    "missed",
]

PROGRESS: Final = Use(
    "sign_in_progress", "prg", frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS, Stamp.FACTORS})
)
"""What the handle of a half-done sign-in is for."""
PROGRESS_LIFE: Final = timedelta(minutes=10)
WRONG_ANSWERS: Final = 5


@described(data_class="security", default=impersonal("ids, times, counters"))
@attrs.frozen(kw_only=True)
class Progress:
    """One half-done sign-in.

    Args:
        id: The selector of the handle.
        digest: Digest of the handle.
        browser: Digest of the browser in which it began.
        proofs: What was proven.
        shown: The passkey, or the contact that a code went to, that proved it.
        remember: Whether the customer wants to stay signed in beyond the browser.
        is_known: Whether it began in a browser that the account knows.
        failures: How many tries had failed before the first proof was right.
        counted: Whose counters were charged, by method; they are cleared when the sign-in is complete.
        wrong: How many answers were wrong.
        ended_at: When it was used, given up, or missed.
    """

    id: str
    realm: RealmId
    version: int = 1
    account: AccountId
    digest: bytes = attrs.field(repr=False, metadata=secret("security", "digest of a handle"))
    browser: bytes = attrs.field(repr=False, metadata=secret("security", "digest of a browser's value"))
    proofs: tuple[Proof, ...]
    shown: frozenset[str] = attrs.field(default=frozenset(), metadata=impersonal("opaque ids"))
    stamps: Stamps
    remember: bool = False
    is_known: bool
    failures: int = 0
    counted: Mapping[Method, str] = attrs.field(factory=dict, metadata=impersonal("opaque ids"))
    wrong: int = 0
    opened_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None


PROGRESSES = Book(
    name="progresses",
    of=Progress,
    groups={"account": lambda p: p.account},
    order=lambda p: p.opened_at,
    due=lambda p: None if p.ended_at or p.is_known else p.expires_at,
    keep_until=lambda p: p.expires_at,
)


def is_over(progress: Progress, security: AccountSecurity, context: RequestContext, now: datetime) -> bool:
    """Tell whether a half-done sign-in can't be gone on with here and now."""
    in_time = progress.ended_at is None and now < progress.expires_at and progress.wrong < WRONG_ANSWERS
    moved = security.stamps.moved(progress.stamps, PROGRESS.depends_on)
    return not in_time or moved or not is_same_browser(context, progress.browser)


def answered(progress: Progress, now: datetime) -> Progress:
    """Answer the sign-in after its second step, or after its owner was told that nobody gave it."""
    return attrs.evolve(progress, ended_at=now)


def given_up(progress: Progress, now: datetime) -> Progress:
    """Answer the sign-in after it was given up; in a browser that nobody knows it just expires at once."""
    return answered(progress, now) if progress.is_known else attrs.evolve(progress, expires_at=now)


def missed(progress: Progress, now: datetime) -> Progress:
    """Answer the sign-in after a wrong answer; the last one ends it."""
    wrong = progress.wrong + 1
    return attrs.evolve(progress, wrong=wrong, ended_at=now if wrong >= WRONG_ANSWERS else None)
