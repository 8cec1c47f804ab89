"""Who is behind a session value, and whether their proofs are good enough for what they want to do."""

from collections.abc import Collection
from datetime import datetime

import attrs

from shopaccounts.customers import CUSTOMERS, Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation, SessionScope, require_level
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import FULL_ONLY, NextValue, Present, Where
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Bring, Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.kernel.tickets import fits, selector_in
from shopaccounts.passwords import PASSWORDS
from shopaccounts.signin.authenticators import AUTHENTICATORS
from shopaccounts.signin.devices import agent_family, device_label
from shopaccounts.signin.errors import NotWhileImpersonating, SignInRequired
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.impersonating import may_while_acting
from shopaccounts.signin.model import REALMS, SESSION, SESSIONS, Acting, EndReason, Session, WhyNoSession
from shopaccounts.signin.policy import IdleReauth, StepUpPolicy
from shopaccounts.signin.sessions import is_orphaned, judge_session

__all__ = ["Live", "SessionDoorkeeper"]

_ALWAYS_BROUGHT = (
    CUSTOMERS.via("account"),
    SECURITY.via("account"),
    REALMS.via("realm"),
    AUTHENTICATORS.via("account"),
)
_TO_REACH = (PASSWORDS.via("account"),)
"""What tells how the account can be opened, and how far that reaches."""
_TAKES_A_FACTOR = frozenset({Operation.CHANGE_FACTORS, Operation.CHANGE_PASSWORD})
"""What takes one of the account's second steps itself, however strong the other proofs are."""


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
    staff: Staff
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
            NotWhileImpersonating: An agent who acts for a customer may not.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        live = await self.look_up(value, context, (*_TO_REACH, *bring), though_idle=self._may_be_idle(operation))
        if isinstance(live, WhyNoSession) or live.session.auth.scope not in scopes:
            raise SignInRequired
        if not may_while_acting(live.session.acting, operation):
            raise NotWhileImpersonating(operation.value)
        account = (live.customer, live.found[AUTHENTICATORS], live.found[PASSWORDS])
        can_reach = self.gate.offered.can_reach(*account)
        need = self.step_up.rules.get(operation)
        if need is not None:
            methods = self.gate.offered.methods(*account, live.session.auth)
            require_level(live.session.auth, need, can_reach, self.desk.now(), methods)
        if operation in _TAKES_A_FACTOR:
            self.gate.offered.check_factor_shown(live.found[AUTHENTICATORS], live.session.auth, need, self.desk.now())
        return Present(
            account=live.customer.id,
            session=live.session.public_id,
            auth=live.session.auth,
            since=live.session.created_at,
            where=Where(
                device=device_label(live.session.agent),
                place=live.session.place or "",
                session=live.session.public_id,
            ),
            can_reach=can_reach,
            password_reaches=self.gate.offered.password_reaches(live.found[AUTHENTICATORS]),
            ways=self.gate.offered.ways_in(*account),
            security=live.security,
            found=live.found,
        )

    def hand_on(self, present: Present, security: AccountSecurity, now: datetime) -> tuple[NextValue, Change]:
        """Answer a new value for this session under new stamps, and the part that makes it so; see ``Doorkeeper``."""
        session: Session = present.found.it
        successor, text = self.gate.rotated(session, security, now)
        moved = security != present.security
        part = self.gate.replaced(session, EndReason.ROTATED, successor, now) | Change(
            writes=(SECURITY.change(present.security, security),) if moved else (),
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

    async def look_up(
        self,
        value: Secret[str],
        context: RequestContext,
        bring: tuple[Bring, ...] = (),
        *,
        though_idle: bool = False,
    ) -> Live | WhyNoSession:
        """Answer the live session of this value, or why there is none; *though_idle* takes one that was idle too."""
        return await self.judge(await self.find(value, bring), context, though_idle=though_idle)

    async def judge(
        self, found: Found[Session] | None, context: RequestContext, *, though_idle: bool = False
    ) -> Live | WhyNoSession:
        """Answer whether a session that was found is live, as ``look_up``."""
        customer, security = (found[CUSTOMERS], found[SECURITY]) if found else (None, None)
        if found is None or customer is None or security is None:
            return WhyNoSession.UNKNOWN
        dead = judge_session(found.it, customer, security, found[REALMS], self.desk.now())
        if dead is WhyNoSession.IDLE and though_idle and found.it.ended is None:
            dead = None
        if dead is None and is_orphaned(found.it, found[AUTHENTICATORS], self.gate.offered.closed):
            dead = WhyNoSession.REVOKED
        if dead is None and self._is_other_agent(found.it, context):
            dead = WhyNoSession.OTHER_AGENT
        if dead is None and found.it.acting and not await self._may_still_act(found.it.acting):
            dead = WhyNoSession.REVOKED
        return dead or Live(session=found.it, customer=customer, security=security, found=found)

    def _may_be_idle(self, operation: Operation) -> bool:
        """Tell whether a session that was idle for too long may prove again who it belongs to."""
        return operation is Operation.CONFIRM_IDENTITY and self.gate.policy.idle_reauth is IdleReauth.ANY_FACTOR

    def _is_other_agent(self, session: Session, context: RequestContext) -> bool:
        return self.gate.policy.pin_agent and agent_family(session.agent) != agent_family(context.user_agent)

    async def _may_still_act(self, acting: Acting) -> bool:
        facts = await self.staff.known(Actor(ActorKind.AGENT, acting.agent))
        return facts is not None and Permission.IMPERSONATE in facts.permissions
