"""What customers do once they are in: come back, look where they are signed in, sign out."""

from collections import deque
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import NextValue, Present
from shopaccounts.kernel.errors import StaleWrite
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.ports import Position, Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie
from shopaccounts.signin.doorkeeping import SessionDoorkeeper
from shopaccounts.signin.errors import SessionUnknown
from shopaccounts.signin.events import SessionEnded
from shopaccounts.signin.model import (
    SESSIONS,
    EndReason,
    NoSession,
    Resumed,
    Session,
    SessionSummary,
    SignedOut,
    WhyNoSession,
)
from shopaccounts.signin.policy import SessionPolicy
from shopaccounts.signin.sessions import end, is_live, touched

__all__ = ["Sessions"]

_CLEAR: Final = (ClearCookie(SESSION_COOKIE),)
_LISTED: Final = 500


@attrs.frozen(kw_only=True)
class Sessions:
    """Coming back, and signing out."""

    desk: Desk
    records: Records
    doorkeeper: SessionDoorkeeper
    policy: SessionPolicy
    transport: TransportPolicy

    async def resume(self, value: Secret[str], context: RequestContext) -> Resumed | NoSession:
        """Answer who a session value belongs to.

        Raises:
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        live = await self.doorkeeper.look_up(value)
        if isinstance(live, WhyNoSession):
            return NoSession(reason=live, clear_cookies=_CLEAR)
        await self._touch(live.session)
        return Resumed(account=live.customer.id, auth=live.session.auth, public_id=live.session.public_id)

    async def list_sessions(self, value: Secret[str], context: RequestContext) -> tuple[SessionSummary, ...]:
        """Answer where the account is signed in: of its newest 500 sessions those that are live, newest first.

        Raises:
            SignInRequired: The value opens nothing.
        """
        here = await self.doorkeeper.present(value, context, Operation.LOOK)
        newest = await self._newest_sessions(here.account)
        now = self.desk.now()
        return tuple(_summary(s, here) for s in reversed(newest) if is_live(s, here.security, now))

    async def end_session(self, value: Secret[str], public_id: str, context: RequestContext) -> None:
        """End one session of the account.

        Raises:
            SessionUnknown: The account has no such session; another account's is answered the same.
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The last proof is too old.
        """
        require_text(public_id, "label")

        async def decide() -> None:
            here = await self.doorkeeper.present(value, context, Operation.END_SESSIONS)
            named = await got(self.records.rows(SESSIONS, "public_id", public_id, None, 1))
            if not named.items or named.items[0].account != here.account:
                raise SessionUnknown
            await self._end(named.items[0], EndReason.ENDED_BY_OWNER)

        await self.desk.retrying(decide)

    async def sign_out(self, value: Secret[str], context: RequestContext) -> SignedOut:
        """End the session on the server, whatever happens to the cookie; ending twice is no error.

        Raises:
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> SignedOut:
            found = await self.doorkeeper.find(value)
            if found is not None:
                await self._end(found.it, EndReason.SIGNED_OUT)
            return SignedOut(clear_cookies=_CLEAR)

        return await self.desk.retrying(decide)

    async def sign_out_everywhere(self, value: Secret[str], context: RequestContext) -> SignedOut:
        """End every session of the account, this one too; it costs the same for one and for a thousand.

        Signing out needs no fresh proof: whoever holds the session can only give it up.

        Raises:
            SignInRequired: The value opens nothing.
        """

        async def decide() -> SignedOut:
            here = await self.doorkeeper.present(value, context, Operation.LOOK)
            moved = SECURITY.change(here.security, here.security.bump(Stamp.ACCOUNT))
            await self.desk.record(Change(writes=(moved,)) | self._all_ended(here))
            return SignedOut(clear_cookies=_CLEAR)

        return await self.desk.retrying(decide)

    async def end_other_sessions(self, value: Secret[str], context: RequestContext) -> NextValue:
        """End every session of the account but this one, which gets a new value.

        Raises:
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The last proof is too old.
        """

        async def decide() -> NextValue:
            here = await self.doorkeeper.present(value, context, Operation.END_SESSIONS)
            security = here.security.bump(Stamp.ACCOUNT)
            next_value, part = self.doorkeeper.hand_on(here, security, self.desk.now())
            await self.desk.record(part | self._all_ended(here))
            return next_value

        return await self.desk.retrying(decide)

    def _all_ended(self, here: Present) -> Change:
        told = SessionEnded(
            at=self.desk.now(), account=here.account, session=None, reason=EndReason.ENDED_BY_OWNER.value
        )
        return Change(events=self.desk.tell(told))

    async def _newest_sessions(self, account: AccountId) -> tuple[Session, ...]:
        newest: deque[Session] = deque(maxlen=_LISTED)
        after: Position | None = None
        while True:
            rows = await got(self.records.rows(SESSIONS, "account", account, after, _LISTED))
            newest.extend(rows.items)
            if rows.next is None:
                return tuple(newest)
            after = rows.next

    async def _touch(self, session: Session) -> None:
        """Note the activity; losing it to another request does no harm."""
        seen = touched(session, self.policy, self.desk.now())
        if seen is None:
            return
        try:
            await self.desk.record(Change(writes=(SESSIONS.change(session, seen),)))
        except StaleWrite:
            return

    async def _end(self, session: Session, reason: EndReason) -> None:
        if session.ended is not None:
            return
        told = SessionEnded(at=self.desk.now(), account=session.account, session=session.public_id, reason=reason.value)
        ended = SESSIONS.change(session, end(session, reason))
        await self.desk.record(Change(writes=(ended,), events=self.desk.tell(told)))


def _summary(session: Session, here: Present) -> SessionSummary:
    return SessionSummary(
        public_id=session.public_id,
        agent=session.agent,
        created_at=session.created_at,
        last_seen=session.last_seen,
        level=int(session.auth.level),
        methods=tuple(proof.method.value for proof in session.auth.proofs),
        current=session.public_id == here.session,
    )
