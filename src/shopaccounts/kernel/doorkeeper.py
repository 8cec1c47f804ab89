"""Who is signed in: what every context asks before it does something for a customer.

A use-case hands over the session value and says what is to be done. It gets the account back, as of one moment, with
whatever else it wants to decide on; or the customer is asked to sign in, or to prove again who they are.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import attrs

from shopaccounts.kernel.assurance import AuthContext, Level, Operation, SessionScope, WayIn
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.record import Book, Bring, Change, Entity, Found
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import AccountSecurity
from shopaccounts.kernel.web import SetCookie

__all__ = ["ENROLLING_TOO", "FULL_ONLY", "Doorkeeper", "NextValue", "Present", "Where"]

T = TypeVar("T", bound=Entity)

FULL_ONLY: Final = frozenset({SessionScope.FULL})
ENROLLING_TOO: Final = FULL_ONLY | {SessionScope.ENROL_ONLY}
"""Sessions too that were opened for enrolling a second step, and nothing else."""


@attrs.frozen(kw_only=True)
class Where:
    """On which device somebody is, about where, and in which session, as far as the shop can tell; else empty."""

    device: str = attrs.field(default="", repr=False)
    place: str = attrs.field(default="", repr=False)
    session: str = ""


@attrs.frozen(kw_only=True)
class Present:
    """Somebody who is signed in, as of one moment.

    Args:
        account: Whose session it is.
        session: Its public id.
        auth: How it came about.
        since: When the session began.
        where: On which device it was opened, and about where.
        can_reach: The highest level that the account's ways in add up to.
        password_reaches: How far a sign-in with the password gets, by what is asked for after it.
        ways: How the account can be opened.
        security: The account's stamps.
        found: The session with what was to be brought along.
    """

    account: AccountId
    session: str
    auth: AuthContext
    since: datetime
    where: Where
    can_reach: Level
    password_reaches: Level
    ways: frozenset[WayIn]
    security: AccountSecurity
    found: Found[Any]

    def __getitem__(self, book: Book[T]) -> T | None:
        return self.found[book]


@attrs.frozen(kw_only=True)
class NextValue:
    """The value that this browser's session has from now on; the earlier one is dead.

    *recovery_code* is a fresh code for one that was used up on the way, to be shown once.
    """

    session: Secret[str]
    public_id: str
    set_cookies: tuple[SetCookie, ...]
    recovery_code: Secret[str] | None = None


class Doorkeeper(Protocol):
    """Tells who is behind a session value."""

    async def present(
        self,
        value: Secret[str],
        context: RequestContext,
        operation: Operation,
        bring: tuple[Bring, ...] = (),
        scopes: Collection[SessionScope] = FULL_ONLY,
    ) -> Present:
        """Answer who is signed in, if the proofs are good enough for *operation*.

        The customer record and the security row are always brought along.

        Args:
            value: The session value.
            context: Where the request came from.
            operation: What is to be done.
            bring: What else to read in the same moment; linked by the session's group ``account``.
            scopes: Sessions of which scope may do it.

        Raises:
            SignInRequired: The value opens nothing, or not this.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step is among them where it takes one.
            NotWhileImpersonating: An agent who acts for a customer may not.
            InsecureTransport: The request didn't come over TLS.
        """
        ...

    def hand_on(self, present: Present, security: AccountSecurity, now: datetime) -> tuple[NextValue, Change]:
        """Answer a new value for this session under new stamps, and the part of a change that makes it so.

        The part writes the security row, so that whatever its stamps end has ended; the session goes on.

        Args:
            present: Who is signed in.
            security: The account's row after what the customer did.
            now: When.
        """
        ...
