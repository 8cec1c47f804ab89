"""What agents do who act for a customer: begin, and end."""

from datetime import datetime

import attrs

from shopaccounts.customers import CUSTOMERS, NOT_ME_SIGN_IN, AccountStatus, Customer, Notices, as_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.staff import Agents, OnDuty, Permission, Staff
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie, SetCookie
from shopaccounts.signin.doorkeeping import SessionDoorkeeper
from shopaccounts.signin.errors import ImpersonationNotAllowed, SignInRequired
from shopaccounts.signin.events import ImpersonationEnded, ImpersonationStarted
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.impersonating import IMPERSONATIONS, Impersonated, Outcome, ended, is_over, may_act
from shopaccounts.signin.model import SESSIONS, Acting, ActingScope, EndReason, Session, SignedOut
from shopaccounts.signin.policy import ImpersonationPolicy
from shopaccounts.signin.sessions import end

__all__ = ["Impersonating", "Impersonation"]


@attrs.frozen(kw_only=True)
class Impersonating:
    """The agent acts for the customer until *until*; the page has to say so all the while."""

    session: Secret[str]
    account: AccountId
    public_id: str
    scope: ActingScope
    until: datetime
    set_cookies: tuple[SetCookie, ...]


@attrs.frozen(kw_only=True)
class Impersonation:
    """Acting for a customer."""

    desk: Desk
    records: Records
    work: DueWork
    gate: Gate
    doorkeeper: SessionDoorkeeper
    staff: Staff
    agents: Agents
    notices: Notices
    policy: ImpersonationPolicy
    transport: TransportPolicy

    async def start_impersonation(
        self, account: AccountId, reason: str, scope: ActingScope, context: RequestContext
    ) -> Impersonating:
        """Let the agent of this scope see the shop as a customer does, for half an hour at most.

        Args:
            account: For whom.
            reason: Why, in words, up to 500 characters.
            scope: How far the agent goes.
            context: Where the agent's request came from.

        Raises:
            Forbidden: Nobody, or somebody who may not.
            ImpersonationNotAllowed: Not offered, not with this sign-in, not for this account, or not two at once.
            InvalidInput: No reason.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        if self.desk.scope.actor.on_behalf_of is not None:
            raise ImpersonationNotAllowed(reason="nested")
        duty = await self.staff.require(Permission.IMPERSONATE, reason)
        require_text(account, "label")
        may_act(duty.facts, scope, self.policy, self.desk.now())

        async def decide() -> Impersonating:
            return await self._start(account, duty, scope, context)

        return await self.desk.retrying(decide, on_taken=True)

    async def end_impersonation(self, value: Secret[str], context: RequestContext) -> SignedOut:
        """End it; the customer hears that somebody was there.

        Raises:
            SignInRequired: The value is of no session in which an agent acts, or it has ended.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> SignedOut:
            found = await self.doorkeeper.find(value, (IMPERSONATIONS.via("public_id"),))
            one = found[IMPERSONATIONS] if found else None
            if found is None or one is None or one.outcome:
                raise SignInRequired
            part = await self._over(one, found[CUSTOMERS], Outcome.ENDED_BY_AGENT)
            await self.desk.record(part | _session_ended(found.it, self.desk.now()))
            return SignedOut(clear_cookies=(ClearCookie(SESSION_COOKIE),))

        return await self.desk.retrying(decide)

    async def end_due(self, limit: int, worker: WorkerId) -> int:
        """Tell the end of up to *limit* whose time is over, however their sessions ended; answer how many.

        Safe to run at any time, twice, and by many workers.
        """
        return await work_off(self.desk, self.work, IMPERSONATIONS, self._timed_out, limit, worker)

    async def _timed_out(self, one: Impersonated) -> Change:
        customer = await got(self.records.find(CUSTOMERS, one.account))
        return await self._over(one, customer.it if customer else None, Outcome.OVER)

    async def _start(
        self, account: AccountId, duty: OnDuty, scope: ActingScope, context: RequestContext
    ) -> Impersonating:
        now = self.desk.now()
        earlier = await got(self.records.find(IMPERSONATIONS, duty.agent, by="impersonating"))
        if earlier is not None and not is_over(earlier.it, now):
            raise ImpersonationNotAllowed(reason="busy")
        found = await got(self.records.find(CUSTOMERS, account, bring=(SECURITY.via(),)))
        customer, security = self._target(found, now), found[SECURITY] if found else None
        if security is None or await got(self.agents.is_protected(account)):
            raise ImpersonationNotAllowed(reason="target")
        acting = Acting(agent=duty.agent, reason=duty.reason, scope=scope)
        until = now + self.policy.life
        session, value, opened = self.gate.let_act(customer, security, acting, until, context, now)
        one = Impersonated(
            id=session.public_id, realm=customer.realm, account=account, acting=acting, started_at=now, until=until
        )
        told = ImpersonationStarted(at=now, account=account, session=session.public_id, scope=scope.value)
        part = Change(
            writes=(IMPERSONATIONS.add(one),),
            guards=(CUSTOMERS.unchanged(customer), SECURITY.unchanged(security)),
            events=self.desk.tell(told),
        )
        left_open = await self._over(earlier.it, customer, Outcome.OVER) if earlier else Change()
        await self.desk.record(opened | part | left_open)
        return Impersonating(
            session=value,
            account=account,
            public_id=session.public_id,
            scope=scope,
            until=until,
            set_cookies=(self.gate.cookie(session, value, now),),
        )

    def _target(self, found: Found[Customer] | None, now: datetime) -> Customer:
        """Answer the customer, if an agent may act for them at all; why not isn't told."""
        customer = as_of(found.it, now) if found else None
        if customer is None or customer.status is not AccountStatus.ACTIVE:
            raise ImpersonationNotAllowed(reason="target")
        return customer

    async def _over(self, one: Impersonated, customer: Customer | None, outcome: Outcome) -> Change:
        """Answer the part that writes and tells the end, with a mail to the customer where the shop wants one."""
        now = self.desk.now()
        over = ended(one, outcome, now)
        told = ImpersonationEnded(at=now, account=one.account, session=one.id, outcome=outcome.value)
        desk = self.desk.by_itself if outcome is Outcome.OVER else self.desk
        part = Change(writes=(IMPERSONATIONS.change(one, over),), events=desk.tell(told))
        if customer is None or not self.policy.notice:
            return part
        return part | await self.notices.about(
            customer,
            "signin.impersonation_ended",
            f"impersonated {one.id}",
            now,
            objection=NOT_ME_SIGN_IN,
            bound=one.id,
            variables={"started_at": one.started_at.isoformat(timespec="minutes")},
        )


def _session_ended(session: Session, now: datetime) -> Change:
    return Change(writes=(SESSIONS.change(session, end(session, EndReason.SIGNED_OUT, now)),))
