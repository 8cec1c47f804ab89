"""Bringing a passkey to another device: a code is shown where one is signed in, and typed where one is not.

* The code counts together with the address of its account. A wrong one counts against both, and an address that there
  isn't answers as one that there is.
* Who gave it may make one passkey, and is signed in by nothing else than that.
* The owner hears of it, and the account's sessions end.

[NIST SP 800-63B-4 4.1.2.2]
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, Customer, Identifiers, Notices, as_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method
from shopaccounts.kernel.codes import Challenge, Judged, Verdict, answer_challenge, code_mac
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import selector_in
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.signin.authenticators import AUTHENTICATORS, Authenticators
from shopaccounts.signin.errors import CodeWrong, PasskeyRefused, PasskeyTaken
from shopaccounts.signin.events import PasskeyAdded
from shopaccounts.signin.factor_check import Memory
from shopaccounts.signin.factors.changes import FactorChanges
from shopaccounts.signin.passkeys.adding import PasskeyAdding, with_user_handle
from shopaccounts.signin.passkeys.ceremonies import (
    BINDING_LIFE,
    BINDING_SHAPE,
    CEREMONY,
    DEVICE_BINDINGS,
    CeremonyPurpose,
    DeviceBinding,
    DeviceBindingStarted,
    PasskeyRequest,
    has_moved,
)
from shopaccounts.signin.passkeys.model import PasskeyWasAdded
from shopaccounts.signin.passkeys.responses import RegistrationResponse, read_registration
from shopaccounts.signin.throttling import Attempts

__all__ = ["AnotherDevice"]

_PURPOSE: Final = "device_binding"
_BOUND: Final = "another device"
_GROUP: Final = 4
_BROUGHT: Final = (SECURITY.via(), AUTHENTICATORS.via(), DEVICE_BINDINGS.via())


@attrs.frozen(kw_only=True)
class AnotherDevice:
    """Passkeys for devices on which nobody is signed in yet."""

    desk: Desk
    records: Records
    keyring: Keyring
    changes: FactorChanges
    adding: PasskeyAdding
    notices: Notices
    attempts: Attempts
    wait: Wait
    identifiers: Identifiers
    transport: TransportPolicy

    async def start_device_binding(self, value: Secret[str], context: RequestContext) -> DeviceBindingStarted:
        """Show a code that brings a passkey to another device; an earlier one is dead.

        Args:
            value: The session value.
            context: Where the request came from.

        Returns:
            Twelve letters, good for ten minutes together with the account's address.

        Raises:
            WayNotOffered: The shop has no passkeys.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            SignInRequired: The value opens nothing, or not this.
            NotWhileImpersonating: An agent who acts for a customer may not.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        self.adding.ceremonies.check_offered()

        async def decide() -> DeviceBindingStarted:
            here = await self.changes.may_change(value, context, (DEVICE_BINDINGS.via("account"),))
            was, code = here[DEVICE_BINDINGS], BINDING_SHAPE.draw(self.desk.entropy)
            binding = DeviceBinding(
                id=here.account,
                realm=self.desk.scope.realm,
                challenge=await self._challenge(code),
                stamps=here.security.stamps,
            )
            write = DEVICE_BINDINGS.change(was, binding) if was else DEVICE_BINDINGS.add(binding)
            await self.desk.record(Change(writes=(write,), guards=(SECURITY.unchanged(here.security),)))
            return DeviceBindingStarted(code=_in_groups(code), expires_at=binding.challenge.expires_at)

        return await self.desk.retrying(decide)

    async def start_adding(self, identifier: str, code: str, context: RequestContext) -> PasskeyRequest:
        """Ask the browser of another device to make a passkey.

        Args:
            identifier: The address or user name as typed.
            code: From ``start_device_binding``, as typed.
            context: Where the request came from.

        Raises:
            CodeWrong: There is no such code for this address, whatever the reason.
            TooManyPasskeys, EnrolmentNeedsVerifiedContact: As for adding one in a session; told to who has the code.
            WayNotOffered: The shop has no passkeys.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters are not available.
            EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid, InvalidInput: The address can't be one, or the code
                isn't text.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        self.adding.ceremonies.check_offered()
        typed = require_text(code, "code", printable=False)
        key = await self.identifiers.key(identifier)
        memory: Memory = {}

        async def decide() -> PasskeyRequest:
            return await self._start(key, typed, context, memory)

        return await self.desk.retrying(decide)

    async def add_passkey(
        self, handle: Secret[str], response: str, label: str, context: RequestContext
    ) -> PasskeyWasAdded:
        """Add the passkey that the browser of another device made; nobody is signed in by that.

        The account's sessions end, and every address hears of it.

        Args:
            handle: From ``start_adding``.
            response: What ``navigator.credentials.create`` answered, as JSON text.
            label: What the customer calls it, up to 64 characters; may be empty.
            context: Where the request came from; the browser that was asked.

        Raises:
            PasskeyRefused: What the browser answered isn't believed; the reason tells why.
            PasskeyTaken: An account has that passkey already.
            TooManyPasskeys, EnrolmentNeedsVerifiedContact, WayNotOffered: As ``start_adding``.
            InvalidInput: The answer or the label is no text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        name, answer = require_text(label, "label").strip(), read_registration(response)

        async def decide() -> PasskeyWasAdded:
            return await self._add(handle, answer, name, context)

        return await self.desk.retrying(decide)

    async def _challenge(self, code: Secret[str]) -> Challenge:
        now, id = self.desk.now(), self.desk.entropy.token(128)
        key = await got(self.keyring.current(Ring.CODES))
        return Challenge(
            id=id,
            purpose=_PURPOSE,
            code_mac=code_mac(key.secret, id, _PURPOSE, code.reveal()),
            key_id=key.id,
            shape=BINDING_SHAPE,
            issued_at=now,
            code_expires_at=now + BINDING_LIFE,
            expires_at=now + BINDING_LIFE,
        )

    # At the other device

    async def _start(self, key: str, typed: str, context: RequestContext, memory: Memory) -> PasskeyRequest:
        now = self.desk.now()
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=_BROUGHT))
        known = found if found and _is_open(found.it, key, now) else None
        subject = f"device_binding {known.it.id if known else key}"
        if subject not in memory:
            memory[subject] = await self.attempts.charge(
                subject, context.network, now, authenticator=Method.PASSKEY, rule=self.wait
            )
        judged = await self._judge(known, typed, now)
        if known is None or judged is None or judged.verdict is not Verdict.RIGHT:
            await self.attempts.failed(context.network, now)
            await self.desk.record(_after(known, judged))
            raise CodeWrong
        request = await self._ask(known, judged, context)
        await self.attempts.succeeded(subject, authenticator=Method.PASSKEY)
        return request

    async def _judge(self, known: Found[Customer] | None, typed: str, now: datetime) -> Judged | None:
        """Answer how a code was judged; None if the account has none that could be answered."""
        binding, security = (known[DEVICE_BINDINGS], known[SECURITY]) if known else (None, None)
        if binding is None or security is None or has_moved(binding, security):
            return None
        key = await got(self.keyring.key(Ring.CODES, binding.challenge.key_id))
        return answer_challenge(binding.challenge, typed, key.secret, now)

    async def _ask(self, known: Found[Customer], judged: Judged, context: RequestContext) -> PasskeyRequest:
        was, customer = known[AUTHENTICATORS], known.it
        own = with_user_handle(was or Authenticators(id=customer.id, realm=customer.realm), self.desk.entropy)
        request, part = await self.adding.ask(customer, own, _BOUND, context)
        kept = AUTHENTICATORS.change(was, own) if was else AUTHENTICATORS.add(own)
        handle = Change(writes=(kept,) if own != was else ())
        question = selector_in(request.handle, CEREMONY)
        await self.desk.record(part | handle | _after(known, judged, question))
        return request

    async def _add(
        self, handle: Secret[str], answer: RegistrationResponse, label: str, context: RequestContext
    ) -> PasskeyWasAdded:
        ceremony = await self.adding.ceremonies.find(handle, CeremonyPurpose.REGISTER, _BOUND, context)
        found = await got(self.records.find(CUSTOMERS, ceremony.account or "", bring=_BROUGHT))
        security, own = (found[SECURITY], found[AUTHENTICATORS]) if found else (None, None)
        binding = found[DEVICE_BINDINGS] if found else None
        if found is None or security is None or own is None or binding is None:
            raise PasskeyRefused(reason="over")
        if binding.question != ceremony.id or has_moved(binding, security):
            raise PasskeyRefused(reason="over")
        passkey, with_it = await self.adding.take(found.it, own, ceremony, answer, label)
        after, codes = await self.changes.with_recovery_codes(own, with_it)
        used_up = self.adding.ceremonies.spent(ceremony) | Change(removals=(DEVICE_BINDINGS.remove(binding),))
        await self._record(found.it, security, own, after, passkey.id, used_up)
        return PasskeyWasAdded(passkey=passkey.id, recovery_codes=codes, next_value=None)

    async def _record(
        self,
        customer: Customer,
        security: AccountSecurity,
        own: Authenticators,
        after: Authenticators,
        passkey: str,
        used_up: Change,
    ) -> None:
        now = self.desk.now()
        notice = await self.notices.about(customer, "signin.passkey_added", f"passkey_added {passkey}", now)
        change = Change(
            writes=(AUTHENTICATORS.change(own, after), SECURITY.change(security, security.bump(Stamp.FACTORS))),
            guards=(CUSTOMERS.unchanged(customer),),
            events=self.desk.tell(PasskeyAdded(at=now, account=customer.id, passkey=passkey)),
        )
        try:
            await self.desk.record(change | used_up | notice)
        except Taken:
            raise PasskeyTaken from None


def _is_open(customer: Customer, key: str, now: datetime) -> bool:
    return customer.signs_in_by(key) and as_of(customer, now).status is AccountStatus.ACTIVE


def _after(known: Found[Customer] | None, judged: Judged | None, question: str | None = None) -> Change:
    """Answer the part of a change that keeps how often a code was answered, and what was asked of who gave it."""
    binding = known[DEVICE_BINDINGS] if known else None
    if binding is None or judged is None or judged.challenge == binding.challenge:
        return Change()
    answered = attrs.evolve(binding, challenge=judged.challenge, question=question)
    return Change(writes=(DEVICE_BINDINGS.change(binding, answered),))


def _in_groups(code: Secret[str]) -> Secret[str]:
    text = code.reveal()
    return Secret("-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP)))
