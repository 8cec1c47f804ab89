"""What customers do at the door: sign in, come back, look where they are signed in, sign out."""

from datetime import datetime, timedelta
from typing import Final, TypeAlias

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, ContactRole, Customer, as_of, is_verified, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Proof, ProofKind
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found, Once
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.vault import Vault
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie
from shopaccounts.kernel.writing import compose
from shopaccounts.passwords import PASSWORDS, Hasher, Match, PasswordRecord, Prepared, prepare_to_verify
from shopaccounts.passwords.events import PasswordRehashed
from shopaccounts.signin.errors import SignInRefused
from shopaccounts.signin.events import SignInRefusedEvent
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.model import (
    AccountSuspended,
    Session,
    SignInStep,
)
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


def _may_open(customer: Customer, email: EmailAddress, now: datetime) -> bool:
    contact = customer.contact_with(ContactKind.EMAIL, email.login_key)
    known = contact is not None and ContactRole.LOGIN in contact.roles and is_verified(contact)
    return known and as_of(customer, now).status in _OPENS
