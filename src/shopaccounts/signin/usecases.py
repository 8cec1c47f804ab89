"""What customers do at the door: sign in, come back, look where they are signed in, sign out."""

from collections import deque
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, ContactRole, Customer, as_of, is_verified, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Proof, ProofKind, SessionScope
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import StaleWrite, Taken
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.ports import Position, Records
from shopaccounts.kernel.record import Change, Found, Once
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import fits, selector_in
from shopaccounts.kernel.vault import Vault
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie
from shopaccounts.kernel.writing import compose
from shopaccounts.passwords import PASSWORDS, Hasher, Match, PasswordRecord, Prepared, prepare_to_verify
from shopaccounts.passwords.events import PasswordRehashed
from shopaccounts.signin.errors import SessionUnknown, SignInRefused, SignInRequired
from shopaccounts.signin.events import SessionEnded, SignInRefusedEvent
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.model import (
    SESSION,
    SESSIONS,
    AccountSuspended,
    EndReason,
    NoSession,
    Resumed,
    Session,
    SessionSummary,
    SignedIn,
    SignedOut,
    SignInStep,
    WhyNoSession,
)
from shopaccounts.signin.policy import SessionPolicy
from shopaccounts.signin.sessions import end, is_live, judge_session, touched
from shopaccounts.signin.throttling import Attempts

__all__ = ["SignIn"]

_CLEAR: Final = (ClearCookie(SESSION_COOKIE),)
_OPENS: Final = frozenset({AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSING})
_LISTED: Final = 500
_DAY: Final = timedelta(days=1)

_Judged: TypeAlias = dict[tuple[str, int], Match]
"""What came of comparing, by whose password and its version: who has to decide again doesn't guess again."""


@attrs.frozen(kw_only=True)
class _Live:
    """A live session with what it was judged by."""

    session: Session
    customer: Customer
    security: AccountSecurity


@attrs.frozen(kw_only=True)
class SignIn:
    """Sign-in, sessions, sign-out."""

    desk: Desk
    records: Records
    hasher: Hasher
    attempts: Attempts
    gate: Gate
    vault: Vault
    storefront: Storefront
    sessions: SessionPolicy
    transport: TransportPolicy

    async def sign_in_with_password(
        self, identifier: str, password: object, context: RequestContext, *, remember: bool = False
    ) -> SignInStep:
        """Sign in with an e-mail address and a password.

        Args:
            identifier: The address as typed.
            password: What was typed, text or ``Secret``.
            context: Where the request came from.
            remember: Keep the session beyond the browser's.

        Returns:
            What the proof leads to; match on it.

        Raises:
            SignInRefused: It didn't open an account, whatever the reason.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters or the hasher are not available.
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput: The address can't be one.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        email = EmailAddress.parse(require_text(identifier, "identifier", printable=False))
        typed = prepare_to_verify(password)
        judged: _Judged = {}

        async def decide() -> SignInStep:
            return await self._with_password(email, typed, context, judged, remember=remember)

        return await self.desk.retrying(decide)

    async def resume(self, value: Secret[str], context: RequestContext) -> Resumed | NoSession:
        """Answer who a session value belongs to.

        Raises:
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        live = await self._look_up(value)
        if isinstance(live, WhyNoSession):
            return NoSession(reason=live, clear_cookies=_CLEAR)
        await self._touch(live.session)
        return Resumed(account=live.customer.id, auth=live.session.auth, public_id=live.session.public_id)

    async def list_sessions(self, value: Secret[str], context: RequestContext) -> tuple[SessionSummary, ...]:
        """Answer where the account is signed in: of its newest 500 sessions those that are live, newest first.

        Raises:
            SignInRequired: The value opens nothing.
        """
        live = await self._require(value, context)
        newest = await self._newest_sessions(live.customer.id)
        now = self.desk.now()
        return tuple(_summary(s, live.session) for s in reversed(newest) if is_live(s, live.security, now))

    async def end_session(self, value: Secret[str], public_id: str, context: RequestContext) -> None:
        """End one session of the account.

        Raises:
            SessionUnknown: The account has no such session; another account's is answered the same.
            SignInRequired: The value opens nothing.
        """
        require_text(public_id, "label")

        async def decide() -> None:
            live = await self._require(value, context)
            named = await got(self.records.rows(SESSIONS, "public_id", public_id, None, 1))
            if not named.items or named.items[0].account != live.customer.id:
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
            found = await self._find(value)
            if found is not None:
                await self._end(found.it, EndReason.SIGNED_OUT)
            return SignedOut(clear_cookies=_CLEAR)

        return await self.desk.retrying(decide)

    async def sign_out_everywhere(self, value: Secret[str], context: RequestContext) -> SignedOut:
        """End every session of the account, this one too; it costs the same for one and for a thousand.

        Raises:
            SignInRequired: The value opens nothing.
        """

        async def decide() -> SignedOut:
            live = await self._require(value, context)
            now = self.desk.now()
            told = SessionEnded(at=now, account=live.customer.id, session=None, reason=EndReason.ENDED_BY_OWNER.value)
            moved = SECURITY.change(live.security, live.security.bump(Stamp.ACCOUNT))
            await self.desk.record(Change(writes=(moved,), events=self.desk.tell(told)))
            return SignedOut(clear_cookies=_CLEAR)

        return await self.desk.retrying(decide)

    async def end_other_sessions(self, value: Secret[str], context: RequestContext) -> SignedIn:
        """End every session of the account but this one, which gets a new value.

        Raises:
            SignInRequired: The value opens nothing.
        """

        async def decide() -> SignedIn:
            live = await self._require(value, context)
            now = self.desk.now()
            security = live.security.bump(Stamp.ACCOUNT)
            successor, text = self.gate.rotated(live.session, security, now)
            told = SessionEnded(at=now, account=live.customer.id, session=None, reason=EndReason.ENDED_BY_OWNER.value)
            writes = (
                SECURITY.change(live.security, security),
                SESSIONS.change(live.session, end(live.session, EndReason.ROTATED)),
                SESSIONS.add(successor),
            )
            await self.desk.record(Change(writes=writes, events=self.desk.tell(told)))
            return SignedIn(
                session=text,
                account=live.customer.id,
                public_id=successor.public_id,
                auth=successor.auth,
                set_cookies=(self.gate.cookie(successor, text, now),),
            )

        return await self.desk.retrying(decide)

    # Signing in

    async def _with_password(
        self, email: EmailAddress, typed: Prepared | None, context: RequestContext, judged: _Judged, *, remember: bool
    ) -> SignInStep:
        now = self.desk.now()
        key = login_key(ContactKind.EMAIL, email.login_key)
        bring = (SECURITY.via(), PASSWORDS.via())
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=bring))
        known = found if found and _may_open(found.it, email, now) else None
        subject, record = (known.it.id, known[PASSWORDS]) if known else (email.login_key, None)
        against = (subject, record.version if record else 0)
        if against not in judged:
            await self.attempts.charge(subject, context.network, now)
            judged[against] = await self._compare(record, typed)
        if known is None or not judged[against].ok:
            await self._note_failure(email, known, context, now)
            raise SignInRefused
        step = await self._admit(known, judged[against], typed, context, now, remember=remember)
        await self.attempts.succeeded(subject)
        return step

    async def _compare(self, record: PasswordRecord | None, typed: Prepared | None) -> Match:
        """Compare passwords, or do the same work where there is none to compare with."""
        if record is None:
            await got(self.hasher.spend(typed))
            return Match(ok=False)
        return await got(self.hasher.verify(record.stored, typed, record.id))

    async def _note_failure(
        self, email: EmailAddress, known: Found[Customer] | None, context: RequestContext, now: datetime
    ) -> None:
        await self.attempts.failed(context.network, now)
        stranger = await self.attempts.digest("tried", email.login_key)
        told = SignInRefusedEvent(
            at=now,
            tried=known.it.id if known else stranger,
            reason="refused",
            network=await self.attempts.digest("network", context.network),
        )
        await self.desk.record(Change(events=self.desk.tell(told)))

    async def _admit(
        self,
        found: Found[Customer],
        match: Match,
        typed: Prepared | None,
        context: RequestContext,
        now: datetime,
        *,
        remember: bool,
    ) -> SignInStep:
        customer, security, record = as_of(found.it, now), found[SECURITY], found[PASSWORDS]
        if security is None or record is None:
            raise SignInRefused
        proof = Proof(method=Method.PASSWORD, kind=ProofKind.KNOWLEDGE, at=now)
        network = await self.attempts.digest("network", context.network)
        step, part = self.gate.let_in(customer, security, (proof,), context, now, network=network, remember=remember)
        guarded = Change(guards=(CUSTOMERS.unchanged(customer), SECURITY.unchanged(security)))
        kept = await self._kept_password(record, typed if match.rehash else None, now)
        if isinstance(step, AccountSuspended):
            await self._record_suspended(part | guarded | kept, customer, now)
        else:
            await self.desk.record(part | guarded | kept)
        return step

    async def _record_suspended(self, change: Change, customer: Customer, now: datetime) -> None:
        """Tell the owner once a day that somebody knows the password of the stopped account."""
        once = Once(namespace="signin.suspended_tried", key=customer.id, now=now, keep_until=now + _DAY)
        try:
            await self.desk.record(change | Change(messages=await self._warning(customer, now), once=(once,)))
        except Taken:
            await self.desk.record(change)

    async def _warning(self, customer: Customer, now: datetime) -> tuple[Message, ...]:
        contact = next(iter(customer.contacts_for(ContactRole.LOGIN)), None)
        if contact is None or not isinstance(contact.value, EmailAddress):
            return ()
        message = await compose(
            self.desk,
            self.vault,
            template="signin.suspended_tried",
            channel=Channel.EMAIL,
            to=contact.value.stored,
            locale=customer.locale or self.desk.scope.locale,
            variables=self.storefront.variables(),
            secrets={},
            subject=customer.id,
            key=f"suspended_tried {self.desk.entropy.token(128)}",
            category=MessageCategory.SECURITY,
            priority=Priority.SECURITY,
            expires_at=now + _DAY,
        )
        return (message,)

    async def _kept_password(self, record: PasswordRecord, to_hash: Prepared | None, now: datetime) -> Change:
        """Answer the part that guards the password, or writes a hash made with the current settings."""
        if to_hash is None:
            return Change(guards=(PASSWORDS.unchanged(record),))
        stored = await got(self.hasher.hash(to_hash, record.id))
        better = attrs.evolve(record, hash=stored.text)
        told = self.desk.tell(PasswordRehashed(at=now, account=record.id))
        return Change(writes=(PASSWORDS.change(record, better),), events=told)

    # Sessions

    async def _find(self, value: Secret[str]) -> Found[Session] | None:
        """Answer the session of this value, dead or alive; None if there is no such session."""
        selector = selector_in(value, SESSION)
        bring = (CUSTOMERS.via("account"), SECURITY.via("account"))
        found = await got(self.records.find(SESSIONS, selector, bring=bring)) if selector else None
        return found if found and fits(value, SESSION, found.it.realm, found.it.id, found.it.digest) else None

    async def _look_up(self, value: Secret[str]) -> _Live | WhyNoSession:
        found = await self._find(value)
        customer, security = (found[CUSTOMERS], found[SECURITY]) if found else (None, None)
        if found is None or customer is None or security is None:
            return WhyNoSession.UNKNOWN
        dead = judge_session(found.it, customer, security, self.desk.now())
        return dead or _Live(session=found.it, customer=customer, security=security)

    async def _require(self, value: Secret[str], context: RequestContext) -> _Live:
        self.transport.check(context)
        live = await self._look_up(value)
        if isinstance(live, WhyNoSession) or live.session.auth.scope is not SessionScope.FULL:
            raise SignInRequired
        return live

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
        seen = touched(session, self.sessions, self.desk.now())
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


def _may_open(customer: Customer, email: EmailAddress, now: datetime) -> bool:
    contact = customer.contact_with(ContactKind.EMAIL, email.login_key)
    known = contact is not None and ContactRole.LOGIN in contact.roles and is_verified(contact)
    return known and as_of(customer, now).status in _OPENS


def _summary(session: Session, current: Session) -> SessionSummary:
    return SessionSummary(
        public_id=session.public_id,
        agent=session.agent,
        created_at=session.created_at,
        last_seen=session.last_seen,
        level=int(session.auth.level),
        methods=tuple(proof.method.value for proof in session.auth.proofs),
        current=session.id == current.id,
    )
