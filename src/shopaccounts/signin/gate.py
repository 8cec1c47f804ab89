"""The one gate: every way in ends here, and nothing else opens a session.

What the gate says depends on the account's status, and only after every proof was right:

* active: a session as strong as the proofs; if the password has to be changed, one that may do only that, or none and
  a link by mail; if a second factor has to be enrolled, one that may do only that;
* suspended: no session, the reason;
* closing: a restricted session that may stop the closing, or, where the shop wants it so, the account stays;
* anything else is as if there were no account.

Before it says any of this it asks for the second step, where the account has one: of a suspended account nobody hears
after the password alone. A trusted device stands for the second step after a password, and for nothing else.
"""

from collections.abc import Mapping
from datetime import datetime

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, Customer, LifecyclePolicy, Trigger, follow
from shopaccounts.customers.events import ClosingCanceled
from shopaccounts.kernel.assurance import AuthContext, Level, Method, Proof, SessionScope, level_of
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.flows import bind
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import AccountSecurity
from shopaccounts.kernel.tickets import forge
from shopaccounts.kernel.web import SESSION_COOKIE, SetCookie
from shopaccounts.passwords import ChangeVia, PasswordRecord, change_via
from shopaccounts.signin.authenticators import Authenticators
from shopaccounts.signin.devices import Met, Visitor, device_label, is_trusted, meet
from shopaccounts.signin.errors import SignInRefused
from shopaccounts.signin.events import (
    DeviceNew,
    DeviceTrusted,
    SecondFactorAsked,
    SignedInEvent,
    SignInRefusedEvent,
    SuspendedTried,
)
from shopaccounts.signin.model import (
    SESSION,
    SESSIONS,
    AccountClosing,
    AccountSuspended,
    Acting,
    EndReason,
    EnrolmentNeeded,
    PasswordChangeNeeded,
    SecondFactorNeeded,
    Session,
    SignedIn,
    SignInStep,
)
from shopaccounts.signin.policy import DevicePolicy, SessionPolicy
from shopaccounts.signin.progress import PROGRESS, PROGRESS_LIFE, PROGRESSES, Progress
from shopaccounts.signin.reaching import Asked, Offered
from shopaccounts.signin.sessions import end

__all__ = ["Credentials", "Gate", "next_scope"]

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
class Credentials:
    """What somebody has shown of what an account can be opened with.

    Args:
        proofs: What was proven.
        password: The account's password, where it has one.
        own: What else it has enrolled.
        shown: The passkey, or the contact that a code went to, that proved it.
        failures: How many tries had failed before.
        counted: Whose counters were charged, by method.
        is_complete: Whether the second step was given, if one was asked for.
    """

    proofs: tuple[Proof, ...]
    password: PasswordRecord | None = None
    own: Authenticators | None = None
    shown: frozenset[str] = frozenset()
    failures: int = 0
    counted: Mapping[Method, str] = attrs.field(factory=dict)
    is_complete: bool = False


@attrs.frozen
class _Visit:
    """Somebody at the gate, with all that it decides on."""

    customer: Customer
    security: AccountSecurity
    given: Credentials
    context: RequestContext
    now: datetime
    network: str
    met: Met
    remember: bool

    @property
    def is_waived(self) -> bool:
        """Whether the device stands for the second step: after a password, and nothing else."""
        by_password = {proof.method for proof in self.given.proofs} == {Method.PASSWORD}
        steps = self.given.own.steps if self.given.own else frozenset()
        return by_password and is_trusted(self.met.device, self.security.stamps, steps, self.now)


@attrs.frozen(kw_only=True)
class Gate:
    """Lets in who proved enough."""

    desk: Desk
    policy: SessionPolicy
    devices: DevicePolicy
    lifecycle: LifecyclePolicy
    offered: Offered

    def let_in(
        self,
        customer: Customer,
        security: AccountSecurity,
        given: Credentials,
        context: RequestContext,
        now: datetime,
        *,
        network: str,
        remember: bool = False,
        met: Met | None = None,
    ) -> tuple[SignInStep, Change]:
        """Answer what the proofs lead to, and the part of a change that makes it so.

        The caller records the part together with what the proofs used up, guarded by what it decided on. Without a
        device that the account has *met* this is the first time of all that somebody is let in.

        Raises:
            SignInRefused: To outsiders there is no such account.
        """
        met = met or self._first_met(customer, context, now)
        visit = _Visit(customer, security, given, context, now, network, met, remember and self.policy.remembers)
        return self._let_in(visit)

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

    def _let_in(self, visit: _Visit) -> tuple[SignInStep, Change]:
        customer, given = visit.customer, visit.given
        scope, asked = next_scope(customer), self._asked(visit)
        if asked is not None and not visit.is_waived:
            return self._half_done(visit, asked)
        if customer.status is AccountStatus.CLOSING and self.lifecycle.sign_in_cancels_closing:
            kept, staying = self._kept(customer, visit.now)
            step, part = self._let_in(attrs.evolve(visit, customer=kept))
            if isinstance(step, SignedIn):
                return step, staying | part
        if scope is None:
            return self._turned_away(customer, visit.now)
        way = _way_to_change(scope, given.proofs, given.password)
        if way == "mailbox":
            return self._sent_to_mailbox(visit)
        if way is not None:
            scope = SessionScope.CHANGE_PASSWORD
        elif scope is SessionScope.FULL and self.offered.must_enrol(given.own, given.proofs):
            scope = SessionScope.ENROL_ONLY
        return self._opened(visit, scope, waived=asked is not None)

    def _opened(self, visit: _Visit, scope: SessionScope, *, waived: bool) -> tuple[SignInStep, Change]:
        now, met, proofs = visit.now, visit.met, visit.given.proofs
        auth = AuthContext(proofs=proofs, level=level_of(proofs), authenticated_at=now, scope=scope)
        given = (visit.customer, visit.security, auth, visit.context, now)
        opened, value = self._open_session(*given, remember=visit.remember)
        session = attrs.evolve(opened, device=met.device.public_id, place=met.place)
        part = met.change | Change(writes=(SESSIONS.add(session),), events=self.desk.tell(*_told(visit, session)))
        cookies = (self.cookie(session, value, now), *met.cookies)
        if scope is SessionScope.CLOSING:
            return AccountClosing(session=value, closes_at=visit.customer.status_until, set_cookies=cookies), part
        if scope is SessionScope.CHANGE_PASSWORD:
            return _change_needed("here", visit.given.password, value, cookies), part
        if scope is SessionScope.ENROL_ONLY:
            return EnrolmentNeeded(session=value, set_cookies=cookies), part
        signed_in = SignedIn(
            session=value,
            account=visit.customer.id,
            public_id=session.public_id,
            auth=auth,
            set_cookies=cookies,
            new_device=met.is_new,
            second_step="device" if waived else None,
        )
        return signed_in, part

    def _asked(self, visit: _Visit) -> Asked | None:
        given = visit.given
        if given.is_complete:
            return None
        return self.offered.second_step(visit.customer, given.own, given.password, given.proofs, given.shown)

    def _first_met(self, customer: Customer, context: RequestContext, now: datetime) -> Met:
        visitor = Visitor(device=context.device, label=device_label(context.user_agent))
        return meet(customer, None, visitor, self.devices, self.desk.entropy, now)

    def _half_done(self, visit: _Visit, asked: Asked) -> tuple[SignInStep, Change]:
        forged = forge(PROGRESS, self.desk.scope.realm, self.desk.entropy)
        binding, given = bind(visit.context, self.desk.entropy), visit.given
        progress = Progress(
            id=forged.selector,
            realm=self.desk.scope.realm,
            account=visit.customer.id,
            digest=forged.digest,
            browser=binding.digest,
            proofs=given.proofs,
            shown=given.shown,
            stamps=visit.security.stamps,
            remember=visit.remember,
            is_known=visit.met.was_known,
            failures=given.failures,
            counted=given.counted,
            opened_at=visit.now,
            expires_at=visit.now + PROGRESS_LIFE,
        )
        told = SecondFactorAsked(
            at=visit.now, account=visit.customer.id, methods=_methods(given.proofs), network=visit.network
        )
        step = SecondFactorNeeded(
            progress=forged.text,
            options=asked.options,
            expires_at=progress.expires_at,
            set_cookies=binding.cookies,
        )
        return step, Change(writes=(PROGRESSES.add(progress),), events=self.desk.tell(told))

    def _sent_to_mailbox(self, visit: _Visit) -> tuple[SignInStep, Change]:
        needed = _change_needed("mailbox", visit.given.password)
        told = SignInRefusedEvent(at=visit.now, tried=visit.customer.id, reason=needed.reason, network=visit.network)
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


def _told(visit: _Visit, session: Session) -> tuple[Event, ...]:
    """Answer what the shop hears of a session that was opened."""
    now, account, device = visit.now, visit.customer.id, visit.met.device.public_id
    new = (DeviceNew(at=now, account=account, device=device),) if visit.met.is_new else ()
    trusted = (DeviceTrusted(at=now, account=account, device=device),) if visit.met.is_trusted_now else ()
    signed_in = SignedInEvent(
        at=now,
        account=account,
        session=session.public_id,
        methods=_methods(visit.given.proofs),
        level=int(session.auth.level),
        network=visit.network,
    )
    return (*new, *trusted, signed_in)


def _methods(proofs: tuple[Proof, ...]) -> tuple[str, ...]:
    return tuple(proof.method.value for proof in proofs)


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
