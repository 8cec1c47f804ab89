"""Proving again who one is, while signed in.

Nothing but the account's own password counts, whoever else's password that may be. A try is charged like one at the
door. A right one makes a new value for the session, and the earlier value is dead; a wrong one leaves the session as it
is. The proof belongs to this session alone. [OWASP ASVS 7.5; NIST SP 800-63B-4 5.2]
"""

from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.assurance import Method, Operation, Proof, ProofKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import NextValue, Present
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, PasswordRecord, Prepared, prepare_to_verify
from shopaccounts.signin.devices import recognise
from shopaccounts.signin.doorkeeping import SessionDoorkeeper
from shopaccounts.signin.errors import SignInRefused
from shopaccounts.signin.events import StepUpDone, StepUpRefused
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.model import DEVICES, EndReason, Session
from shopaccounts.signin.proving import AlreadyJudged, PasswordCheck
from shopaccounts.signin.sessions import confirmed
from shopaccounts.signin.throttling import bucket

__all__ = ["Confirmation"]

_BROUGHT: Final = (PASSWORDS.via("account"), DEVICES.via("account"))


@attrs.frozen(kw_only=True)
class Confirmation:
    """Takes a proof from somebody who is signed in."""

    desk: Desk
    doorkeeper: SessionDoorkeeper
    passwords: PasswordCheck
    gate: Gate

    async def confirm(self, value: Secret[str], password: object, context: RequestContext) -> NextValue:
        """Take a password as a fresh proof.

        Raises:
            SignInRefused: That isn't the account's password.
            SignInRequired: The value opens nothing.
            Throttled, TryLater: Too many tries, or they can't be counted.
        """
        typed, judged = prepare_to_verify(password), AlreadyJudged()

        async def decide() -> NextValue:
            return await self._confirm(value, typed, context, judged)

        return await self.desk.retrying(decide)

    async def _confirm(
        self, value: Secret[str], typed: Prepared | None, context: RequestContext, judged: AlreadyJudged
    ) -> NextValue:
        here = await self.doorkeeper.present(value, context, Operation.CONFIRM_IDENTITY, _BROUGHT)
        record = here[PASSWORDS]
        device = recognise(here[DEVICES], context.device, self.desk.now())
        subject = bucket(here.account, device, here.security.stamps)
        verdict = await self.passwords.judge(subject, record, typed, context, judged)
        if record is None or not verdict.ok:
            await self._refuse(here, record, context)
            raise SignInRefused
        answer = await self._go_on(here, record)
        await self.passwords.succeeded(subject, record)
        return answer

    async def _refuse(self, here: Present, record: PasswordRecord | None, context: RequestContext) -> None:
        now = self.desk.now()
        followed = await self.passwords.failed(here.account, here[CUSTOMERS], record, context, now)
        told = StepUpRefused(at=now, account=here.account, session=here.session)
        await self.desk.record(followed | Change(events=self.desk.tell(told)))

    async def _go_on(self, here: Present, record: PasswordRecord) -> NextValue:
        now, session = self.desk.now(), here.found.it
        proof = Proof(method=Method.PASSWORD, kind=ProofKind.KNOWLEDGE, at=now)
        rotated, text = self.gate.rotated(session, here.security, now)
        successor: Session = confirmed(rotated, proof, self.gate.policy, now)
        told = StepUpDone(at=now, account=here.account, session=successor.public_id, methods=(proof.method.value,))
        guarded = Change(guards=(SECURITY.unchanged(here.security), PASSWORDS.unchanged(record)))
        part = self.gate.replaced(session, EndReason.ROTATED, successor, now)
        await self.desk.record(part | guarded | Change(events=self.desk.tell(told)))
        cookies = (self.gate.cookie(successor, text, now),)
        return NextValue(session=text, public_id=successor.public_id, set_cookies=cookies)
