"""What customers do at the door: sign in, come back, look where they are signed in, sign out."""

from datetime import datetime

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Identifiers, as_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Proof, ProofKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import NextValue
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.passwords import PASSWORDS, Caretaker, Prepared, prepare_to_verify
from shopaccounts.signin.admitting import CROWD, Admission, Arrival, may_open
from shopaccounts.signin.confirming import Confirmation
from shopaccounts.signin.devices import recognise
from shopaccounts.signin.errors import SignInRefused
from shopaccounts.signin.events import SignInRefusedEvent
from shopaccounts.signin.model import DEVICES, SignInStep
from shopaccounts.signin.proving import AlreadyJudged, Judged, PasswordCheck
from shopaccounts.signin.throttling import Attempts, bucket

__all__ = ["SignIn"]


@attrs.frozen(kw_only=True)
class SignIn:
    """Signing in, and proving again who one is."""

    desk: Desk
    records: Records
    caretaker: Caretaker
    attempts: Attempts
    passwords: PasswordCheck
    admission: Admission
    confirmation: Confirmation
    identifiers: Identifiers
    transport: TransportPolicy

    async def sign_in_with_password(
        self, identifier: str, password: object, context: RequestContext, *, remember: bool = False
    ) -> SignInStep:
        """Sign in with an e-mail address, a phone number, or a user name where the shop has them, and a password.

        Args:
            identifier: The address, number or name as typed.
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
            EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid, InvalidInput: It can't be an address or a number.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        key = await self.identifiers.key(identifier)
        typed = prepare_to_verify(password)
        judged: AlreadyJudged = {}

        async def decide() -> tuple[SignInStep, Customer]:
            return await self._with_password(key, typed, context, judged, remember=remember)

        step, customer = await self.desk.retrying(decide, CROWD)
        return await self.admission.follow_up(step, customer, context)

    async def confirm_identity(self, value: Secret[str], answer: object, context: RequestContext) -> NextValue:
        """Prove again who one is, before something that matters; the session goes on under a new value.

        Args:
            value: The session value.
            answer: Any ``Answer``; what is none is the password, text or ``Secret``.
            context: Where the request came from.

        Raises:
            SignInRefused: That isn't the account's password; the session goes on as it was.
            CodeWrong: That isn't the code, or not the account's passkey; the session goes on as it was.
            CodeExhausted: The code that was sent takes no more answers.
            SignInLinkInvalid, SignInLinkExpired, SignInLinkUsed, SignInLinkStale: The handle of the code is of no use.
            WayNotOffered: The shop has no such thing.
            SignInRequired: The value opens nothing.
            NotWhileImpersonating: An agent who acts for a customer may not.
            InvalidInput: The code that was sent is no text, or too long.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters or the hasher are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        return await self.confirmation.confirm(value, answer, context)

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
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=self.admission.bring()))
        known = found if found and may_open(found.it, key, now) else None
        tried, record = (known.it.id, known[PASSWORDS]) if known else (key, None)
        subject = _subject(known, context, now) if known else tried
        verdict = await self.passwords.judge(subject, record, typed, context, judged, look_up=True)
        if known is None or record is None or not verdict.ok:
            await self._note_failure(key, tried, known, context, now)
            raise SignInRefused
        step = await self._admit(known, subject, verdict, typed, context, now, remember=remember)
        return step, known.it

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
        subject: str,
        verdict: Judged,
        typed: Prepared | None,
        context: RequestContext,
        now: datetime,
        *,
        remember: bool,
    ) -> SignInStep:
        customer, record = as_of(found.it, now), found[PASSWORDS]
        if record is None:
            raise SignInRefused
        arrival = Arrival(
            customer=found.it,
            found=found,
            proofs=(Proof(method=Method.PASSWORD, kind=ProofKind.KNOWLEDGE, at=now),),
            failures=verdict.tries - 1,
            counted={Method.PASSWORD: subject},
            tended=await self.caretaker.tend(customer, record, typed, verdict.breach, now, rehash=verdict.rehash),
        )
        return await self.admission.admit(arrival, context, now, remember=remember)


def _subject(known: Found[Customer], context: RequestContext, now: datetime) -> str:
    """Answer whose counter a try is charged on."""
    security = known[SECURITY]
    stamps = security.stamps if security else Stamps()
    return bucket(known.it.id, recognise(known[DEVICES], context.device, now), stamps)
