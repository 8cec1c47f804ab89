"""Proving again who one is, while signed in.

Nothing counts but what the account itself has: its own password, a code of its own app, a passkey of its own; whatever
else that may be good for elsewhere. A try is charged like one at the door. A right answer makes a new value for the
session, and the earlier value is dead; a wrong one leaves the session as it is. The proof is this session's alone.
[OWASP ASVS 7.5; NIST SP 800-63B-4 5.2]
"""

from datetime import datetime
from typing import Final, get_args

import attrs

from shopaccounts.customers import CUSTOMERS, customer_of
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import ENROLLING_TOO, NextValue, Present
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS
from shopaccounts.signin.answers import Answer, PasswordAnswer, read_answer
from shopaccounts.signin.authenticators import AUTHENTICATORS
from shopaccounts.signin.doorkeeping import SessionDoorkeeper
from shopaccounts.signin.errors import CodeWrong, SignInRefused
from shopaccounts.signin.events import StepUpDone, StepUpRefused
from shopaccounts.signin.factor_check import FactorCheck, Memory, Proven, Tried, Wrong
from shopaccounts.signin.gate import Gate
from shopaccounts.signin.model import DEVICES, EndReason, Session
from shopaccounts.signin.sessions import confirmed

__all__ = ["Confirmation", "tried_in"]

_BROUGHT: Final = (DEVICES.via("account"),)


@attrs.frozen(kw_only=True)
class Confirmation:
    """Takes a proof from somebody who is signed in."""

    desk: Desk
    doorkeeper: SessionDoorkeeper
    check: FactorCheck
    gate: Gate

    async def confirm(self, value: Secret[str], answer: object, context: RequestContext) -> NextValue:
        """Take an answer as a fresh proof; what is no ``Answer`` is a password.

        Raises:
            SignInRefused: That isn't the account's password.
            CodeWrong: That isn't what the account asked for.
            SignInRequired: The value opens nothing.
            WayNotOffered: The shop has no such thing.
            Throttled, TryLater: Too many tries, or they can't be counted.
            InvalidInput: Something in the answer is no text, or endless.
        """
        given = read_answer(answer if isinstance(answer, get_args(Answer)) else PasswordAnswer(answer))
        memory: Memory = {}

        async def decide() -> NextValue:
            return await self._confirm(value, given, context, memory)

        return await self.desk.retrying(decide)

    async def _confirm(self, value: Secret[str], answer: Answer, context: RequestContext, memory: Memory) -> NextValue:
        here = await self.doorkeeper.present(value, context, Operation.CONFIRM_IDENTITY, _BROUGHT, ENROLLING_TOO)
        outcome = await self.check.judge(tried_in(here, context), answer, memory)
        if isinstance(outcome, Wrong):
            await self._refuse(here, outcome)
            raise SignInRefused if isinstance(answer, PasswordAnswer) else CodeWrong
        next_value = await self.go_on(here, outcome)
        await self.check.succeeded(outcome)
        return next_value

    async def _refuse(self, here: Present, wrong: Wrong) -> None:
        told = StepUpRefused(at=self.desk.now(), account=here.account, session=here.session)
        await self.desk.record(wrong.part | Change(events=self.desk.tell(told)))

    async def go_on(self, here: Present, proven: Proven) -> NextValue:
        """Store that somebody has proven again who they are, and answer the session's next value.

        Args:
            here: Who is signed in.
            proven: By what, and what that used up.
        """
        now, session, record = self.desk.now(), here.found.it, here[PASSWORDS]
        rotated, text = self.gate.rotated(session, here.security, now)
        successor: Session = confirmed(rotated, proven.proof, self.gate.policy, now)
        method = proven.proof.method.value
        told = StepUpDone(at=now, account=here.account, session=successor.public_id, methods=(method,))
        change = (
            self.gate.replaced(session, EndReason.ROTATED, successor, now)
            | self.check.used_up(here[AUTHENTICATORS], proven)
            | _number_used(here, proven, now)
            | Change(
                guards=(SECURITY.unchanged(here.security), *((PASSWORDS.unchanged(record),) if record else ())),
                events=self.desk.tell(told),
            )
        )
        await self.desk.record(change)
        cookies = (self.gate.cookie(successor, text, now),)
        return NextValue(
            session=text, public_id=successor.public_id, set_cookies=cookies, recovery_code=proven.handed_out
        )


def _number_used(here: Present, proven: Proven, now: datetime) -> Change:
    """Answer the part of a change that notes that a code came to a number of the account."""
    customer, own = customer_of(here), here[AUTHENTICATORS]
    used = customer.with_number_used(own.contacts_of(proven.used) if own else (), now)
    return Change(writes=(CUSTOMERS.change(customer, used),)) if used != customer else Change()


def tried_in(here: Present, context: RequestContext) -> Tried:
    """Answer what an answer of somebody who is signed in is held against."""
    return Tried(
        customer=customer_of(here),
        security=here.security,
        own=here[AUTHENTICATORS],
        password=here[PASSWORDS],
        devices=here[DEVICES],
        bound=f"session {here.session}",
        context=context,
    )
