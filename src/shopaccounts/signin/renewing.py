"""Renewing the value of a session, for clients that keep it long: apps, and programs.

* Each renewal makes a new value and ends the one before; the session's last end never moves.
* Whoever lost the answer may ask again with the old value: for a few seconds, and as long as the new value was never
  used. Then a fresh one takes the place of the new one.
* In any other case an old value that comes back means that two hold it. Nobody can tell who is who, so the session
  ends, and its owner is told.

An old value that is merely presented, by a request that crossed the renewal, is forgiven for the same few seconds.
[OWASP ASVS 10.4.5, 10.4.8; RFC 9700 4.14.2]
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, NOT_ME_SIGN_IN, Customer, Notices
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import FULL_ONLY, NextValue, Where
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.signin.devices import device_label
from shopaccounts.signin.doorkeeping import Live, SessionDoorkeeper
from shopaccounts.signin.errors import NotWhileImpersonating, SignInRequired, WayNotOffered
from shopaccounts.signin.events import SessionReuseDetected
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.model import REALMS, SESSIONS, EndReason, Session
from shopaccounts.signin.policy import RenewalPolicy
from shopaccounts.signin.sessions import end, judge_session, touched

__all__ = ["Renewal"]

_CROWD: Final = 32
"""So many requests of one client may renew the same value at once."""


@attrs.frozen(kw_only=True)
class Renewal:
    """Renews values, and notices those that come back."""

    desk: Desk
    records: Records
    doorkeeper: SessionDoorkeeper
    gate: Gate
    notices: Notices
    transport: TransportPolicy

    def is_due(self, session: Session) -> bool:
        """Tell whether a client should have its value renewed."""
        policy = self.gate.policy.renewal
        return policy is not None and self.desk.now() - session.issued_at >= policy.every

    async def renew(self, value: Secret[str], context: RequestContext) -> NextValue:
        """Answer a new value of a session.

        Raises:
            SignInRequired: The value opens nothing, or was renewed before.
            WayNotOffered: The shop renews no values.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        policy = self.gate.policy.renewal
        if policy is None:
            raise WayNotOffered(way="renewal")

        async def decide() -> NextValue:
            return await self._renew(value, context, policy)

        return await self.desk.retrying(decide, _CROWD)

    async def watch(self, found: Found[Session]) -> None:
        """React to a renewed value that somebody presents."""
        policy, now = self.gate.policy.renewal, self.desk.now()
        if policy is None or found.it.ended is not EndReason.RENEWED or _is_recent(found.it, policy, now):
            return
        newest = await self._newest(found, now)
        if newest is not None:
            await self._end_family(found, newest, now)

    async def _renew(self, value: Secret[str], context: RequestContext, policy: RenewalPolicy) -> NextValue:
        now, found = self.desk.now(), await self.doorkeeper.find(value)
        if found is not None and found.it.ended is EndReason.RENEWED:
            return await self._renew_again(found, policy, now)
        live = await self.doorkeeper.judge(found, context)
        if not isinstance(live, Live) or live.session.auth.scope not in FULL_ONLY:
            raise SignInRequired
        if live.session.acting is not None:
            raise NotWhileImpersonating(operation="renew")
        return await self._replace(live.session, EndReason.RENEWED, live.security, now)

    async def _renew_again(self, found: Found[Session], policy: RenewalPolicy, now: datetime) -> NextValue:
        old, newest, security = found.it, await self._newest(found, now), found[SECURITY]
        if newest is None or security is None:
            raise SignInRequired
        is_next = newest.generation == old.generation + 1 and not newest.is_used
        if is_next and _is_recent(old, policy, now):
            return await self._replace(newest, EndReason.REPLACED, security, now)
        await self._end_family(found, newest, now)
        raise SignInRequired

    async def _replace(
        self, session: Session, reason: EndReason, security: AccountSecurity, now: datetime
    ) -> NextValue:
        generation = session.generation + (1 if reason is EndReason.RENEWED else 0)
        active = touched(session, self.gate.policy, now) or session
        rotated, text = self.gate.rotated(active, security, now)
        successor = attrs.evolve(rotated, generation=generation, is_used=False)
        part = self.gate.replaced(session, reason, successor, now)
        await self.desk.record(part | Change(guards=(SECURITY.unchanged(security),)))
        cookies = (self.gate.cookie(successor, text, now),)
        return NextValue(session=text, public_id=successor.public_id, set_cookies=cookies)

    async def _newest(self, found: Found[Session], now: datetime) -> Session | None:
        """Answer the session that a renewed value has become, if it is live."""
        customer, security, old = found[CUSTOMERS], found[SECURITY], found.it
        if customer is None or security is None:
            return None
        still_open = await got(self.records.rows(SESSIONS, "renewed", old.family, None, 1))
        live = (one for one in still_open.items if judge_session(one, customer, security, found[REALMS], now) is None)
        return next(live, None)

    async def _end_family(self, found: Found[Session], newest: Session, now: datetime) -> None:
        customer: Customer | None = found[CUSTOMERS]
        told = SessionReuseDetected(at=now, account=newest.account, session=newest.public_id)
        ending = Change(
            writes=(SESSIONS.change(newest, end(newest, EndReason.REUSED, now)),), events=self.desk.tell(told)
        )
        await self.desk.record(ending | (await self._notice(customer, newest, now) if customer else Change()))

    async def _notice(self, customer: Customer, session: Session, now: datetime) -> Change:
        return await self.notices.about(
            customer,
            "signin.session_reused",
            f"session_reused {session.public_id}",
            now,
            objection=NOT_ME_SIGN_IN,
            bound=session.public_id,
            where=Where(device=device_label(session.agent), place=session.place or ""),
        )


def _is_recent(renewed: Session, policy: RenewalPolicy, now: datetime) -> bool:
    return renewed.ended_at is not None and now - renewed.ended_at < policy.reuse_grace
