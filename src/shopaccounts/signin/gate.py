"""The one gate: every way in ends here, and nothing else opens a session.

What the gate says depends on the account's status, and only after every proof was right:

* active: a session as strong as the proofs; if the password has to be changed, one that may do only that, or none and
  a link by mail;
* suspended: no session, the reason;
* closing: a restricted session that may stop the closing, or, where the shop wants it so, the account stays;
* anything else is as if there were no account.
"""

from datetime import datetime

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, Customer, LifecyclePolicy, Trigger, follow
from shopaccounts.customers.events import ClosingCanceled
from shopaccounts.kernel.assurance import AuthContext, Level, Proof, SessionScope, level_of
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import AccountSecurity
from shopaccounts.kernel.tickets import forge
from shopaccounts.kernel.web import SESSION_COOKIE, SetCookie
from shopaccounts.passwords import ChangeVia, PasswordRecord, change_via
from shopaccounts.signin.devices import Met, Visitor, device_label, meet
from shopaccounts.signin.errors import SignInRefused
from shopaccounts.signin.events import DeviceNew, SignedInEvent, SignInRefusedEvent, SuspendedTried
from shopaccounts.signin.model import (
    SESSION,
    SESSIONS,
    AccountClosing,
    AccountSuspended,
    Acting,
    EndReason,
    PasswordChangeNeeded,
    Session,
    SignedIn,
    SignInStep,
)
from shopaccounts.signin.policy import DevicePolicy, SessionPolicy
from shopaccounts.signin.sessions import end

__all__ = ["Gate", "next_scope"]

_SCOPES = {AccountStatus.ACTIVE: SessionScope.FULL, AccountStatus.CLOSING: SessionScope.CLOSING}


def next_scope(customer: Customer) -> SessionScope | None:
    """Answer what a session of this account may be used for, None if it gets no session.

    Raises:
        SignInRefused: To outsiders there is no such account.
    """
    if customer.status is AccountStatus.SUSPENDED:
        return None
    if customer.status not in _SCOPES:
        raise SignInRefused
    return _SCOPES[customer.status]


@attrs.frozen(kw_only=True)
class Gate:
    """Lets in who proved enough."""

    desk: Desk
    policy: SessionPolicy
    devices: DevicePolicy
    lifecycle: LifecyclePolicy

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
        met: Met | None = None,
        password: PasswordRecord | None = None,
    ) -> tuple[SignInStep, Change]:
        """Answer what the proofs lead to, and the part of a change that makes it so.

        The caller records the part together with what the proofs used up, guarded by what it decided on. Without a
        device that the account has *met* this is the first time of all that somebody is let in. The *password* is asked
        for where it may have to be changed.

        Raises:
            SignInRefused: To outsiders there is no such account.
        """
        if customer.status is AccountStatus.CLOSING and self.lifecycle.sign_in_cancels_closing:
            kept, staying = self._kept(customer, now)
            given = (kept, security, proofs, context, now)
            step, part = self.let_in(*given, network=network, remember=remember, met=met, password=password)
            if isinstance(step, SignedIn):
                return step, staying | part
        scope = next_scope(customer)
        if scope is None:
            return self._turned_away(customer, now)
        way = _way_to_change(scope, proofs, password)
        if way == "mailbox":
            return self._sent_to_mailbox(customer, password, network, now)
        scope = SessionScope.CHANGE_PASSWORD if way else scope
        auth = AuthContext(proofs=proofs, level=level_of(proofs), authenticated_at=now, scope=scope)
        stays = remember and self.policy.remembers
        opened, value = self._open_session(customer, security, auth, context, now, remember=stays)
        visitor = Visitor(device=context.device, label=device_label(context.user_agent))
        met = met or meet(customer, None, visitor, self.devices, self.desk.entropy, now)
        session = attrs.evolve(opened, device=met.device.public_id, place=met.place)
        told = SignedInEvent(
            at=now,
            account=customer.id,
            session=session.public_id,
            methods=tuple(proof.method.value for proof in proofs),
            level=int(auth.level),
            network=network,
        )
        new = (DeviceNew(at=now, account=customer.id, device=met.device.public_id),) if met.is_new else ()
        part = met.change | Change(writes=(SESSIONS.add(session),), events=self.desk.tell(*new, told))
        cookies = (self.cookie(session, value, now), *met.cookies)
        if scope is SessionScope.CLOSING:
            return AccountClosing(session=value, closes_at=customer.status_until, set_cookies=cookies), part
        if scope is SessionScope.CHANGE_PASSWORD:
            return _change_needed("here", password, value, cookies), part
        signed_in = SignedIn(
            session=value,
            account=customer.id,
            public_id=session.public_id,
            auth=auth,
            set_cookies=cookies,
            new_device=met.is_new,
        )
        return signed_in, part

    def let_act(
        self,
        customer: Customer,
        security: AccountSecurity,
        acting: Acting,
        until: datetime,
        context: RequestContext,
        now: datetime,
    ) -> tuple[Session, Secret[str], Change]:
        """Answer a session in which an agent acts for a customer until *until*; it proves nothing.

        Args:
            customer: For whom.
            security: The account's row.
            acting: Who acts, why, and how far.
            until: When it ends, whatever happens.
            context: Where the agent's request came from.
            now: When it begins.
        """
        auth = AuthContext(proofs=(), level=Level.NONE, authenticated_at=now)
        opened, value = self._open_session(customer, security, auth, context, now, remember=False)
        session = attrs.evolve(opened, acting=acting, idle_until=until, ends_at=until)
        return session, value, Change(writes=(SESSIONS.add(session),))

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
            issued_at=now,
        )
        return successor, forged.text

    def replaced(self, session: Session, reason: EndReason, successor: Session, now: datetime) -> Change:
        """Answer the part of a change by which *successor* takes the place of *session*."""
        return Change(writes=(SESSIONS.change(session, end(session, reason, now)), SESSIONS.add(successor)))

    def cookie(self, session: Session, value: Secret[str], now: datetime) -> SetCookie:
        """Answer the cookie that carries a session; it outlives the browser only if the customer asked for that."""
        life = session.ends_at - now if session.remembered else None
        return SetCookie(name=SESSION_COOKIE, value=value, same_site=self.policy.same_site, max_age=life)

    def _sent_to_mailbox(
        self, customer: Customer, password: PasswordRecord | None, network: str, now: datetime
    ) -> tuple[SignInStep, Change]:
        needed = _change_needed("mailbox", password)
        told = SignInRefusedEvent(at=now, tried=customer.id, reason=needed.reason, network=network)
        return needed, Change(events=self.desk.tell(told))

    def _kept(self, customer: Customer, now: datetime) -> tuple[Customer, Change]:
        """Answer an account that stays since its owner signed in, and the part that makes it so."""
        kept = follow(customer, Trigger.CANCEL_CLOSING)
        told = self.desk.tell(ClosingCanceled(at=now, account=customer.id))
        return kept, Change(writes=(CUSTOMERS.change(customer, kept),), events=told)

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
        public_id = self.desk.entropy.token(128)
        session = Session(
            id=forged.selector,
            realm=self.desk.scope.realm,
            account=customer.id,
            public_id=public_id,
            family=public_id,
            digest=forged.digest,
            auth=auth,
            created_at=now,
            issued_at=now,
            last_seen=now,
            idle_until=now + idle,
            ends_at=now + absolute,
            remembered=remember and full,
            agent=context.user_agent,
            stamps=security.stamps,
        )
        return session, forged.text


def _way_to_change(scope: SessionScope, proofs: tuple[Proof, ...], password: PasswordRecord | None) -> ChangeVia | None:
    """Answer how a password has to be changed before somebody who gets in whole may go on; None if it may stay."""
    if scope is not SessionScope.FULL or password is None or password.must_change is None:
        return None
    return change_via(password.must_change, vouched=level_of(proofs) >= Level.MULTI)


def _change_needed(
    via: ChangeVia,
    password: PasswordRecord | None,
    session: Secret[str] | None = None,
    set_cookies: tuple[SetCookie, ...] = (),
) -> PasswordChangeNeeded:
    evidence = password.must_change if password else None
    return PasswordChangeNeeded(
        via=via,
        reason=evidence.value if evidence else "",
        since=password.must_change_since if password else None,
        session=session,
        set_cookies=set_cookies,
    )
