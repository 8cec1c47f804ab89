"""The one gate: every way in ends here, and nothing else opens a session.

What the gate says depends on the account's status, and only after every proof was right:

* active: a session as strong as the proofs;
* suspended or frozen: no session, the reason;
* closing: a restricted session that may stop the closing;
* anything else is as if there were no account.
"""

from datetime import datetime

import attrs

from shopaccounts.customers import AccountStatus, Customer
from shopaccounts.kernel.assurance import AuthContext, Proof, SessionScope, level_of
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import AccountSecurity
from shopaccounts.kernel.tickets import forge
from shopaccounts.kernel.web import SESSION_COOKIE, SetCookie
from shopaccounts.signin.errors import SignInRefused
from shopaccounts.signin.events import SignedInEvent, SuspendedTried
from shopaccounts.signin.model import (
    SESSION,
    SESSIONS,
    AccountClosing,
    AccountSuspended,
    Session,
    SignedIn,
    SignInStep,
)
from shopaccounts.signin.policy import SessionPolicy

__all__ = ["Gate", "next_scope"]

_SCOPES = {AccountStatus.ACTIVE: SessionScope.FULL, AccountStatus.CLOSING: SessionScope.CLOSING}


def next_scope(customer: Customer, security: AccountSecurity) -> SessionScope | None:
    """Answer what a session of this account may be used for, None if it gets no session.

    Raises:
        SignInRefused: To outsiders there is no such account.
    """
    if customer.status is AccountStatus.SUSPENDED or security.frozen:
        return None
    if customer.status not in _SCOPES:
        raise SignInRefused
    return _SCOPES[customer.status]


@attrs.frozen(kw_only=True)
class Gate:
    """Lets in who proved enough."""

    desk: Desk
    policy: SessionPolicy

    def let_in(
        self,
        customer: Customer,
        security: AccountSecurity,
        proofs: tuple[Proof, ...],
        context: RequestContext,
        now: datetime,
        *,
        network: str,
        remember: bool = False,
    ) -> tuple[SignInStep, Change]:
        """Answer what the proofs lead to, and the part of a change that makes it so.

        The caller records the part together with what the proofs used up, guarded by what it decided on.

        Raises:
            SignInRefused: To outsiders there is no such account.
        """
        scope = next_scope(customer, security)
        if scope is None:
            return self._turned_away(customer, now)
        auth = AuthContext(proofs=proofs, level=level_of(proofs), authenticated_at=now, scope=scope)
        session, value = self._open_session(customer, security, auth, context, now, remember=remember)
        told = SignedInEvent(
            at=now,
            account=customer.id,
            session=session.public_id,
            methods=tuple(proof.method.value for proof in proofs),
            level=int(auth.level),
            network=network,
        )
        part = Change(writes=(SESSIONS.add(session),), events=self.desk.tell(told))
        cookies = (self.cookie(session, value, now),)
        if scope is SessionScope.CLOSING:
            return AccountClosing(session=value, closes_at=customer.status_until, set_cookies=cookies), part
        signed_in = SignedIn(
            session=value, account=customer.id, public_id=session.public_id, auth=auth, set_cookies=cookies
        )
        return signed_in, part

    def rotated(self, session: Session, security: AccountSecurity, now: datetime) -> tuple[Session, Secret[str]]:
        """Answer a successor of *session* with a new value and present stamps; its level and end stay."""
        forged = forge(SESSION, self.desk.scope.realm, self.desk.entropy)
        successor = attrs.evolve(
            session,
            id=forged.selector,
            digest=forged.digest,
            public_id=self.desk.entropy.token(128),
            stamps=security.stamps,
            last_seen=now,
        )
        return successor, forged.text

    def cookie(self, session: Session, value: Secret[str], now: datetime) -> SetCookie:
        """Answer the cookie that carries a session; it outlives the browser only if the customer asked for that."""
        life = session.ends_at - now if session.remembered else None
        return SetCookie(name=SESSION_COOKIE, value=value, same_site=self.policy.same_site, max_age=life)

    def _turned_away(self, customer: Customer, now: datetime) -> tuple[SignInStep, Change]:
        reason = customer.status_reason.value if customer.status_reason else None
        told = self.desk.tell(SuspendedTried(at=now, account=customer.id))
        return AccountSuspended(reason=reason, until=customer.status_until), Change(events=told)

    def _open_session(
        self,
        customer: Customer,
        security: AccountSecurity,
        auth: AuthContext,
        context: RequestContext,
        now: datetime,
        *,
        remember: bool,
    ) -> tuple[Session, Secret[str]]:
        full = auth.scope is SessionScope.FULL
        idle, absolute = self.policy.lives(remembered=remember) if full else (self.policy.restricted,) * 2
        forged = forge(SESSION, self.desk.scope.realm, self.desk.entropy)
        session = Session(
            id=forged.selector,
            realm=self.desk.scope.realm,
            account=customer.id,
            public_id=self.desk.entropy.token(128),
            digest=forged.digest,
            auth=auth,
            created_at=now,
            last_seen=now,
            idle_until=now + idle,
            ends_at=now + absolute,
            remembered=remember and full,
            agent=context.user_agent,
            stamps=security.stamps,
        )
        return session, forged.text
