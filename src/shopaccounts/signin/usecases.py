"""What customers do at the door: sign in, come back, look where they are signed in, sign out."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import (
    CUSTOMERS,
    NOT_ME_SIGN_IN,
    AccountStatus,
    Customer,
    Notices,
    as_of,
    identifier_key,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Proof, ProofKind
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import NextValue, Where
from shopaccounts.kernel.errors import StaleWrite, Taken, Throttled
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found, Once
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamps
from shopaccounts.kernel.text import require_text
from shopaccounts.passwords import PASSWORDS, Caretaker, Prepared, Resets, Tended, prepare_to_verify
from shopaccounts.signin.confirming import Confirmation
from shopaccounts.signin.devices import Met, Visitor, agent_family, device_label, meet, recognise, wider_network
from shopaccounts.signin.errors import SignInRefused
from shopaccounts.signin.events import SessionEnded, SignInRefusedEvent
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.model import (
    DEVICES,
    REALMS,
    SESSIONS,
    AccountSuspended,
    EndReason,
    KnownDevices,
    PasswordChangeNeeded,
    SignedIn,
    SignInStep,
)
from shopaccounts.signin.placing import place_of
from shopaccounts.signin.ports import Places
from shopaccounts.signin.proving import AlreadyJudged, Judged, PasswordCheck
from shopaccounts.signin.sessions import made_room
from shopaccounts.signin.throttling import Attempts, bucket
from shopaccounts.signin.unusual import notice_of

__all__ = ["SignIn"]

_OPENS: Final = frozenset({AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSING})
_DAY: Final = timedelta(days=1)
_CROWD: Final = 32
"""So many sign-ins to one account may meet, each with a device to be noted or an old session to be put away."""
_BROUGHT: Final = (SECURITY.via(), PASSWORDS.via(), DEVICES.via())


@attrs.frozen(kw_only=True)
class SignIn:
    """Signing in, and proving again who one is."""

    desk: Desk
    records: Records
    caretaker: Caretaker
    resets: Resets
    attempts: Attempts
    passwords: PasswordCheck
    gate: Gate
    confirmation: Confirmation
    places: Places
    notices: Notices
    letters: Letters
    usernames: bool
    transport: TransportPolicy

    async def sign_in_with_password(
        self, identifier: str, password: object, context: RequestContext, *, remember: bool = False
    ) -> SignInStep:
        """Sign in with an e-mail address, or a user name where the shop has them, and a password.

        Args:
            identifier: The address or name as typed.
            password: What was typed, text or ``Secret``.
            context: Where the request came from.
            remember: Keep the session beyond the browser's.

        Returns:
            What the proof leads to; match on it.

        Raises:
            SignInRefused: It didn't open an account, whatever the reason.
            TooManySessions: The account has as many sessions as it may have, where the shop refuses one more.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters or the hasher are not available.
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput: The address can't be one.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        key = identifier_key(require_text(identifier, "identifier", printable=False), usernames=self.usernames)
        typed = prepare_to_verify(password)
        judged: AlreadyJudged = {}

        async def decide() -> tuple[SignInStep, Customer]:
            return await self._with_password(key, typed, context, judged, remember=remember)

        step, customer = await self.desk.retrying(decide, _CROWD)
        if isinstance(step, PasswordChangeNeeded) and step.via == "mailbox":
            await self._mail_reset(customer.sign_in_email, context)
        return step

    async def confirm_identity(self, value: Secret[str], password: object, context: RequestContext) -> NextValue:
        """Prove again who one is, before something that matters; the session goes on under a new value.

        Args:
            value: The session value.
            password: What was typed, text or ``Secret``.
            context: Where the request came from.

        Raises:
            SignInRefused: That isn't the account's password; the session goes on as it was.
            SignInRequired: The value opens nothing.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters or the hasher are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        return await self.confirmation.confirm(value, password, context)

    # Signing in

    async def _with_password(
        self,
        key: str,
        typed: Prepared | None,
        context: RequestContext,
        judged: AlreadyJudged,
        *,
        remember: bool,
    ) -> tuple[SignInStep, Customer]:
        now = self.desk.now()
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=_BROUGHT))
        known = found if found and _may_open(found.it, key, now) else None
        tried, record = (known.it.id, known[PASSWORDS]) if known else (key, None)
        subject = _subject(known, context, now) if known else tried
        verdict = await self.passwords.judge(subject, record, typed, context, judged, look_up=True)
        if known is None or record is None or not verdict.ok:
            await self._note_failure(key, tried, known, context, now)
            raise SignInRefused
        step = await self._admit(known, verdict, typed, context, now, remember=remember)
        await self.passwords.succeeded(subject, record)
        return step, known.it

    async def _mail_reset(self, email: EmailAddress | None, context: RequestContext) -> None:
        """Mail the owner the link that changes a password which nobody may change here."""
        if email is None:
            return
        try:
            await self.resets.request_reset(email.stored, context)
        except Throttled:
            return  # the link that was mailed a moment ago is still good

    async def _note_failure(
        self, key: str, tried: str, known: Found[Customer] | None, context: RequestContext, now: datetime
    ) -> None:
        customer, record = (known.it, known[PASSWORDS]) if known else (None, None)
        followed = await self.passwords.failed(tried, customer, record, context, now)
        stranger = await self.attempts.digest("tried", key)
        told = SignInRefusedEvent(
            at=now,
            tried=known.it.id if known else stranger,
            reason="refused",
            network=await self.attempts.digest("network", context.network),
        )
        await self.desk.record(followed | Change(events=self.desk.tell(told)))

    async def _admit(
        self,
        found: Found[Customer],
        verdict: Judged,
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
        met = await self._met(customer, found[DEVICES], context, now)
        tended = await self.caretaker.tend(customer, record, typed, verdict.breach, now, rehash=verdict.rehash)
        step, part = self.gate.let_in(
            customer,
            security,
            (proof,),
            context,
            now,
            network=network,
            remember=remember,
            met=met,
            password=tended.record,
        )
        guarded = Change(guards=(CUSTOMERS.unchanged(customer), SECURITY.unchanged(security)))
        change = part | guarded
        if isinstance(step, AccountSuspended):
            await self._record_suspended(change | tended.part, customer, now)
            return step
        if not isinstance(step, PasswordChangeNeeded) or step.session is not None:
            change |= await self._room(customer, security, now)
        if isinstance(step, SignedIn):
            unusual = notice_of(met, found[DEVICES], verdict.tries - 1, self.gate.devices, now)
            change |= await self._notice(unusual, customer, met, step, now) if unusual else Change()
        await self._record(change, tended)
        return step

    async def _record(self, change: Change, tended: Tended) -> None:
        """Store a sign-in; that somebody else was faster in looking after the same password doesn't refuse it.

        A newer password moves the account's stamps, and so has this decided anew.
        """
        try:
            await self.desk.record(change | tended.part)
        except StaleWrite as faster:
            if not tended.dispensable or faster.kind != PASSWORDS.name:
                raise
            await self.desk.record(change)

    async def _met(self, customer: Customer, known: KnownDevices | None, context: RequestContext, now: datetime) -> Met:
        """Answer the device that somebody came with."""
        label = device_label(context.user_agent)
        like = f"{agent_family(context.user_agent)} {wider_network(context.client_ip)}"
        visitor = Visitor(
            device=context.device,
            label=label,
            place=await place_of(self.places, context),
            seen_like=await self.attempts.digest("seen_like", like),
        )
        return meet(customer, known, visitor, self.gate.devices, self.desk.entropy, now)

    async def _room(self, customer: Customer, security: AccountSecurity, now: datetime) -> Change:
        """Answer the part that puts away dead sessions, and what is too many of the live ones.

        Raises:
            TooManySessions: One more is refused.
        """
        most = self.gate.policy.max_sessions
        still_open = await got(self.records.rows(SESSIONS, "open", customer.id, None, 2 * most))
        full = len(still_open.items) >= most
        realm = await got(self.records.find(REALMS, customer.realm)) if full else None
        ending = made_room(still_open.items, security, realm.it if realm else None, self.gate.policy, now)
        crowded_out = (was for was, after in ending if after.ended is EndReason.CROWDED_OUT)
        told = (
            SessionEnded(at=now, account=was.account, session=was.public_id, reason=EndReason.CROWDED_OUT.value)
            for was in crowded_out
        )
        return Change(writes=tuple(SESSIONS.change(was, after) for was, after in ending), events=self.desk.tell(*told))

    async def _notice(self, template: str, customer: Customer, met: Met, step: SignedIn, now: datetime) -> Change:
        return await self.notices.about(
            customer,
            template,
            f"signed_in {step.public_id}",
            now,
            objection=NOT_ME_SIGN_IN,
            bound=step.public_id,
            where=Where(device=met.device.label, place=met.place or ""),
        )

    async def _record_suspended(self, change: Change, customer: Customer, now: datetime) -> None:
        """Tell the owner once a day that somebody knows the password of the stopped account."""
        once = Once(namespace="signin.suspended_tried", key=customer.id, now=now, keep_until=now + _DAY)
        try:
            await self.desk.record(change | Change(messages=await self._warning(customer, now), once=(once,)))
        except Taken:
            await self.desk.record(change)

    async def _warning(self, customer: Customer, now: datetime) -> tuple[Message, ...]:
        email = customer.sign_in_email
        if email is None:
            return ()
        message = await self.letters.write(
            "signin.suspended_tried",
            email.stored,
            key=f"suspended_tried {self.desk.entropy.token(128)}",
            until=now + _DAY,
            subject=customer.id,
            locale=customer.locale,
        )
        return (message,)


def _subject(known: Found[Customer], context: RequestContext, now: datetime) -> str:
    """Answer whose counter a try is charged on."""
    security = known[SECURITY]
    stamps = security.stamps if security else Stamps()
    return bucket(known.it.id, recognise(known[DEVICES], context.device, now), stamps)


def _may_open(customer: Customer, key: str, now: datetime) -> bool:
    return customer.signs_in_by(key) and as_of(customer, now).status in _OPENS
