"""Who is behind a session value, and whether their proofs are good enough for what they want to do."""

from collections.abc import Collection
from datetime import datetime

import attrs

from shopaccounts.customers import CUSTOMERS, Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Level, Operation, SessionScope, require_level
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import FULL_ONLY, NextValue, Present
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Bring, Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.kernel.tickets import fits, selector_in
from shopaccounts.signin.errors import SignInRequired
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.model import SESSION, SESSIONS, EndReason, Session, WhyNoSession
from shopaccounts.signin.policy import StepUpPolicy
from shopaccounts.signin.sessions import end, judge_session

__all__ = ["Live", "SessionDoorkeeper"]

_ALWAYS_BROUGHT = (CUSTOMERS.via("account"), SECURITY.via("account"))
_CAN_REACH = Level.SINGLE
"""The highest level that an account's ways in add up to."""


@attrs.frozen(kw_only=True)
class Live:
    """A live session with what it was judged by."""

    session: Session
    customer: Customer
    security: AccountSecurity
    found: Found[Session]


@attrs.frozen(kw_only=True)
class SessionDoorkeeper:
    """Tells who is behind a session value."""

    desk: Desk
    records: Records
    gate: Gate
    step_up: StepUpPolicy
    transport: TransportPolicy

    async def present(
        self,
        value: Secret[str],
        context: RequestContext,
        operation: Operation,
        bring: tuple[Bring, ...] = (),
        scopes: Collection[SessionScope] = FULL_ONLY,
    ) -> Present:
        """Answer who is signed in, if the proofs are good enough for *operation*; see ``Doorkeeper``.

        Raises:
            SignInRequired: The value opens nothing, or not this.
            FreshSignInNeeded: The proofs are too weak or too old.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        live = await self.look_up(value, bring)
        if isinstance(live, WhyNoSession) or live.session.auth.scope not in scopes:
            raise SignInRequired
        need = self.step_up.rules.get(operation)
        if need is not None:
            require_level(live.session.auth, need, _CAN_REACH, self.desk.now())
        return Present(
            account=live.customer.id,
            session=live.session.public_id,
            auth=live.session.auth,
            since=live.session.created_at,
            security=live.security,
            found=live.found,
        )

    def hand_on(self, present: Present, security: AccountSecurity, now: datetime) -> tuple[NextValue, Change]:
        """Answer a new value for this session under new stamps, and the part that makes it so; see ``Doorkeeper``."""
        session: Session = present.found.it
        successor, text = self.gate.rotated(session, security, now)
        moved = security != present.security
        part = Change(
            writes=(
                *((SECURITY.change(present.security, security),) if moved else ()),
                SESSIONS.change(session, end(session, EndReason.ROTATED)),
                SESSIONS.add(successor),
            ),
            guards=() if moved else (SECURITY.unchanged(security),),
        )
        cookies = (self.gate.cookie(successor, text, now),)
        return NextValue(session=text, public_id=successor.public_id, set_cookies=cookies), part

    async def find(self, value: Secret[str], bring: tuple[Bring, ...] = ()) -> Found[Session] | None:
        """Answer the session of this value, dead or alive; None if there is no such session."""
        selector = selector_in(value, SESSION)
        brought = tuple(dict.fromkeys((*_ALWAYS_BROUGHT, *bring)))
        found = await got(self.records.find(SESSIONS, selector, bring=brought)) if selector else None
        return found if found and fits(value, SESSION, found.it.realm, found.it.id, found.it.digest) else None

    async def look_up(self, value: Secret[str], bring: tuple[Bring, ...] = ()) -> Live | WhyNoSession:
        """Answer the live session of this value, or why there is none."""
        found = await self.find(value, bring)
        customer, security = (found[CUSTOMERS], found[SECURITY]) if found else (None, None)
        if found is None or customer is None or security is None:
            return WhyNoSession.UNKNOWN
        dead = judge_session(found.it, customer, security, self.desk.now())
        return dead or Live(session=found.it, customer=customer, security=security, found=found)
