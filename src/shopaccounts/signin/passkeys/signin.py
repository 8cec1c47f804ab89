"""Signing in with a passkey, and asking for one as a second step or a fresh proof."""

from datetime import datetime
from typing import Literal

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Identifiers, customer_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Operation
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import ENROLLING_TOO, Doorkeeper
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.limits import Held, Limit, Throttle, Wait
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.signin.admitting import CROWD, Admission, Arrival, is_open
from shopaccounts.signin.authenticators import AUTHENTICATORS, Authenticators, Passkey, credential_key
from shopaccounts.signin.errors import PasskeyRefused, SignInRefused, WayNotOffered
from shopaccounts.signin.events import AttackSuspected, SignInRefusedEvent
from shopaccounts.signin.factor_check import Memory
from shopaccounts.signin.model import SignInStep
from shopaccounts.signin.passkeys.asking import Ceremonies, Questioned
from shopaccounts.signin.passkeys.ceremonies import CeremonyPurpose, PasskeyRequest
from shopaccounts.signin.passkeys.proving import PasskeyCheck, subject_of
from shopaccounts.signin.passkeys.responses import AssertionResponse, read_assertion
from shopaccounts.signin.passkeys.rules import Descriptor, descriptors, fake_descriptors
from shopaccounts.signin.reaching import Offered
from shopaccounts.signin.second_step import HalfDone
from shopaccounts.signin.throttling import Attempts

__all__ = ["PasskeySignIn"]


@attrs.frozen(kw_only=True)
class PasskeySignIn:
    """Passkeys at the door."""

    desk: Desk
    records: Records
    ceremonies: Ceremonies
    check: PasskeyCheck
    admission: Admission
    half_done: HalfDone
    doorkeeper: Doorkeeper
    offered: Offered
    attempts: Attempts
    keyring: Keyring
    wait: Wait
    identifiers: Identifiers
    transport: TransportPolicy

    async def passkey_options(self, context: RequestContext, identifier: str | None = None) -> PasskeyRequest:
        """Ask a browser to sign in with a passkey.

        The answer tells nothing of any account. Only a shop whose policy says ``identifier_first`` looks at
        *identifier*: then keys are named, and an address without any has a made-up one.

        Args:
            context: Where the request came from.
            identifier: The address or user name as typed; None if nobody was asked.

        Raises:
            WayNotOffered: The shop has no passkeys.
            Throttled: The network has asked too often; wait ``retry_after``.
            TryLater: The counters are not available.
            EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid, InvalidInput: The address can't be one.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        policy = self.ceremonies.policy
        typed = await self.identifiers.key(identifier) if identifier is not None else None
        await self._charge(context)
        if typed is None or not policy.identifier_first:
            return await self._ask(Questioned(purpose=CeremonyPurpose.SIGN_IN), (), context)
        found = await got(self.records.find(CUSTOMERS, typed, by="login_contact", bring=(AUTHENTICATORS.via(),)))
        own = found[AUTHENTICATORS] if found and found.it.signs_in_by(typed) else None
        made_up = fake_descriptors(typed, (await got(self.keyring.current(Ring.LOOKUP))).secret)
        allow = descriptors(self.offered.usable_passkeys(own)) or made_up
        asked = Questioned(purpose=CeremonyPurpose.SIGN_IN, account=own.id if own else None, is_named=True)
        return await self._ask(asked, allow, context)

    async def sign_in_with_passkey(
        self, handle: Secret[str], response: str, context: RequestContext, *, remember: bool = False
    ) -> SignInStep:
        """Sign in with what a browser answered.

        Args:
            handle: From ``passkey_options``.
            response: What ``navigator.credentials.get`` answered, as JSON text.
            context: Where the request came from; the browser that was asked.
            remember: Keep the session beyond the browser's.

        Returns:
            What the proof leads to; match on it.

        Raises:
            SignInRefused: It didn't open an account, whatever the reason.
            PasskeyRefused: The question is over, or was asked elsewhere (``over``), or what came can't be read
                (``form``).
            WayNotOffered: The shop has no passkeys.
            TooManySessions: The account has as many sessions as it may have, where the shop refuses one more.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters are not available.
            InvalidInput: The answer is no text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        self.ceremonies.check_offered()
        answer = read_assertion(response)
        memory: Memory = {}

        async def decide() -> tuple[SignInStep, Customer]:
            return await self._sign_in(handle, answer, context, memory, remember=remember)

        step, customer = await self.desk.retrying(decide, CROWD)
        return await self.admission.follow_up(step, customer, context)

    async def step_options(self, progress: Secret[str], context: RequestContext) -> PasskeyRequest:
        """Ask a browser for a passkey as the second step of a sign-in.

        Args:
            progress: The handle from ``SecondFactorNeeded``.
            context: Where the request came from.

        Returns:
            What to ask the browser; its answer goes into a ``PasskeyAnswer``.

        Raises:
            ProgressEnded: It was too long ago, answered too often, or began in another browser.
            WayNotOffered: The account has no passkey that could be used for this.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        under_way = await self.half_done.under_way(progress, context)
        passkeys = self.offered.usable_passkeys(under_way.tried.own)
        others = tuple(passkey for passkey in passkeys if passkey.id not in under_way.progress.shown)
        return await self._ask_owner(under_way.tried.account, others, under_way.tried.bound, context)

    async def confirmation_options(self, value: Secret[str], context: RequestContext) -> PasskeyRequest:
        """Ask the browser of somebody who is signed in for a passkey as a fresh proof.

        Where one of the account's passkeys verifies its user, it has to.

        Args:
            value: The session value.
            context: Where the request came from.

        Returns:
            What to ask the browser; its answer goes into a ``PasskeyAnswer``.

        Raises:
            WayNotOffered: The account has no passkey that could be used.
            SignInRequired: The value opens nothing, or not this.
            InsecureTransport: The request didn't come over TLS.
        """
        here = await self.doorkeeper.present(value, context, Operation.CONFIRM_IDENTITY, scopes=ENROLLING_TOO)
        passkeys = self.offered.usable_passkeys(here[AUTHENTICATORS])
        wish: Literal["required"] | None = "required" if any(one.user_verified for one in passkeys) else None
        return await self._ask_owner(customer_of(here).id, passkeys, f"session {here.session}", context, wish)

    async def _ask(
        self,
        asked: Questioned,
        allow: tuple[Descriptor, ...],
        context: RequestContext,
        wish: Literal["required"] | None = None,
    ) -> PasskeyRequest:
        request, part = await self.ceremonies.ask_to_use(asked, allow, context, user_verification=wish)
        await self.desk.record(part)
        return request

    async def _ask_owner(
        self,
        account: AccountId,
        passkeys: tuple[Passkey, ...],
        bound: str,
        context: RequestContext,
        wish: Literal["required"] | None = None,
    ) -> PasskeyRequest:
        if not passkeys:
            raise WayNotOffered(way="passkey")
        asked = Questioned(purpose=CeremonyPurpose.PROVE, account=account, is_named=True, bound=bound)
        return await self._ask(asked, descriptors(passkeys), context, wish)

    async def _charge(self, context: RequestContext) -> None:
        key = await self.attempts.digest("passkey_options", context.network)
        limit = Limit(key, self.ceremonies.policy.requests)
        charged = await Throttle(self.attempts.counters).charge(limit, now=self.desk.now())
        if isinstance(charged, Held):
            raise Throttled(charged.retry_after)

    # Signing in

    async def _sign_in(
        self,
        handle: Secret[str],
        answer: AssertionResponse,
        context: RequestContext,
        memory: Memory,
        *,
        remember: bool,
    ) -> tuple[SignInStep, Customer]:
        ceremony = await self.ceremonies.find(handle, CeremonyPurpose.SIGN_IN, "", context)
        now, key = self.desk.now(), credential_key(answer.credential)
        brought = (CUSTOMERS.via(), *self.admission.bring())
        found = await got(self.records.find(AUTHENTICATORS, key, by="credential", bring=brought))
        subject = subject_of(found.it, answer.credential) if found else await self.attempts.digest("credential", key)
        tries = await self._tried(subject, context, now, memory)
        customer = _opening(found, now)
        if found is None or customer is None:
            await self._note_failure(found.it if found else None, subject, "credential", context, now)
            raise SignInRefused
        try:
            use = await self.check.judge(customer, found.it, answer, ceremony)
        except PasskeyRefused as why:
            await self._note_failure(found.it, subject, why.reason, context, now)
            raise SignInRefused from None
        arrival = Arrival(
            customer=customer,
            found=found,
            proofs=(use.proof,),
            used=use.part | Change(writes=(AUTHENTICATORS.change(found.it, use.own),)),
            failures=tries - 1,
            shown=frozenset({use.passkey.id}),
            counted={Method.PASSKEY: subject},
        )
        return await self.admission.admit(arrival, context, now, remember=remember), customer

    async def _tried(self, subject: str, context: RequestContext, now: datetime, memory: Memory) -> int:
        """Charge one try, once for one request; answer how many there were with it."""
        if subject not in memory:
            memory[subject] = await self.attempts.charge(
                subject, context.network, now, authenticator=Method.PASSKEY, rule=self.wait
            )
        tries: int = memory[subject]
        return tries

    async def _note_failure(
        self, own: Authenticators | None, subject: str, reason: str, context: RequestContext, now: datetime
    ) -> None:
        await self.attempts.failed(context.network, now)
        failures = await self.attempts.attack(now)
        alarm = (AttackSuspected(at=now, failures=failures),) if failures else ()
        network = await self.attempts.digest("network", context.network)
        told = SignInRefusedEvent(at=now, tried=own.id if own else subject, reason=f"passkey_{reason}", network=network)
        await self.desk.record(Change(events=self.desk.tell(*alarm, told)))


def _opening(found: Found[Authenticators] | None, now: datetime) -> Customer | None:
    """Answer the customer whose account it is, if proofs of theirs are looked at all."""
    customer = found[CUSTOMERS] if found else None
    return customer if customer and is_open(customer, now) else None
