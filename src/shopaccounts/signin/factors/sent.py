"""Phones and the mailbox as second steps: codes that are sent there make them one.

* A factor of this kind points to a contact of the account, which has to be proven; each contact is a factor once.
* Its first code is sent there and typed in, within the time in which an enrolment waits.
* A number that was put on another card a short while ago becomes none. [NIST SP 800-63B-4 3.1.3.3]
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers import ContactPoint, customer_of, is_verified
from shopaccounts.kernel.assurance import Method
from shopaccounts.kernel.codes import Verdict
from shopaccounts.kernel.contact import ContactKind, PhoneNumber
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Present
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import PhoneNotServed, Phones
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin.authenticators import Factor, FactorKind
from shopaccounts.signin.codes.sending import SentCodes
from shopaccounts.signin.codes.sent import STEP, CodeSent, has_moved
from shopaccounts.signin.errors import (
    CodeExhausted,
    CodeWrong,
    EnrolmentEnded,
    EnrolmentNeedsVerifiedContact,
    TooManyFactors,
)
from shopaccounts.signin.factors.changes import FactorChanges
from shopaccounts.signin.factors.enrolling import begun, check_may_enrol, waiting
from shopaccounts.signin.throttling import Attempts

__all__ = ["SentFactors"]

_KIND_OF: Final = {FactorKind.SMS: ContactKind.PHONE, FactorKind.EMAIL_STEP: ContactKind.EMAIL}
_METHOD_OF: Final = {FactorKind.SMS: Method.SMS_CODE, FactorKind.EMAIL_STEP: Method.EMAIL_CODE}


@attrs.frozen(kw_only=True)
class SentFactors:
    """Begins and confirms second steps to which codes are sent."""

    desk: Desk
    changes: FactorChanges
    codes: SentCodes
    phones: Phones
    attempts: Attempts
    wait: Wait

    def point(self, here: Present, kind: FactorKind, contact: str | None) -> ContactPoint:
        """Answer the contact that is to become a second step.

        Args:
            here: Who is signed in.
            kind: As what.
            contact: Which contact of the account; None for the address that it signs in by.

        Raises:
            WayNotOffered: The shop doesn't offer it, or not to who has nothing stronger.
            EnrolmentNeedsVerifiedContact: It is no proven contact of the account, or not of that kind.
            TooManyFactors: It is a second step already, or the account has as many as it may have.
            PhoneNotServed: The shop sends no texts, or none to this kind of line.
        """
        customer, own = customer_of(here), self.changes.own(here)
        check_may_enrol(customer, own, kind, self.changes.policy)
        email = customer.sign_in_email
        proven = (one for one in customer.contacts if is_verified(one) and one.kind is _KIND_OF[kind])
        wanted = next((one for one in proven if one.id == contact or (contact is None and one.value == email)), None)
        if wanted is None:
            raise EnrolmentNeedsVerifiedContact
        if any(factor.contact == wanted.id for factor in own.factors):
            raise TooManyFactors(1)
        if isinstance(wanted.value, PhoneNumber):
            self.phones.check_reach(wanted.value, Channel.SMS)
        return wanted

    def reaches(self, point: ContactPoint) -> bool:
        """Tell whether the shop can send codes to a contact."""
        try:
            if isinstance(point.value, PhoneNumber):
                self.phones.check_reach(point.value, Channel.SMS)
        except PhoneNotServed:
            return False
        return True

    async def begin(
        self, here: Present, kind: FactorKind, point: ContactPoint, label: str, context: RequestContext
    ) -> CodeSent:
        """Send a contact its first code, and let it wait for that."""
        now, own = self.desk.now(), self.changes.own(here)
        factor = Factor(id=self.desk.entropy.token(128), kind=kind, label=label, created_at=now, contact=point.id)
        sent, part = await self.codes.send_to(point, customer_of(here), here.security, STEP, _bound(factor), context)
        await self.desk.record(self.changes.write(here, begun(own, factor, now)) | part)
        return sent

    def waiting(self, here: Present) -> Factor:
        """Answer the phone or mailbox that waits for its first code, if it may still become a second step.

        Raises:
            EnrolmentEnded: None does, or it waited too long.
            WayNotOffered, EnrolmentNeedsVerifiedContact, TooManyFactors: As ``point``.
        """
        factor = waiting(self.changes.own(here), self.desk.now())
        if factor.kind not in _KIND_OF:
            raise EnrolmentEnded
        self.point(here, factor.kind, factor.contact)
        return factor

    async def charge(self, here: Present, factor: Factor, context: RequestContext) -> tuple[str, Method]:
        """Charge one try at a code; answer whose counter that is.

        Raises:
            Throttled: Too many tries.
            TryLater: The counters are not available.
        """
        subject, method = f"{here.account} {factor.id}", _METHOD_OF[factor.kind]
        now = self.desk.now()
        await self.attempts.charge(subject, context.network, now, authenticator=method, rule=self.wait)
        return subject, method

    async def judge(
        self, here: Present, factor: Factor, handle: Secret[str], typed: str, context: RequestContext
    ) -> Change:
        """Answer what a right code uses up.

        Raises:
            CodeWrong: It isn't right.
            CodeExhausted: It takes no more tries.
            SignInLinkInvalid, SignInLinkExpired, SignInLinkUsed, SignInLinkStale: The handle is of no use here.
        """
        now = self.desk.now()
        sent = (await self.codes.find(STEP, handle, bound=_bound(factor))).it
        judged = await self.codes.judge(sent, typed, now)
        if judged.verdict is Verdict.EXHAUSTED:
            raise CodeExhausted
        if judged.verdict is Verdict.RIGHT and not has_moved(sent, STEP, here.security):
            return judged.part
        await self._failed(judged.part, context, now)
        raise CodeWrong(judged.tries_left)

    async def _failed(self, part: Change, context: RequestContext, now: datetime) -> None:
        await self.desk.record(part)
        await self.attempts.failed(context.network, now)


def _bound(factor: Factor) -> str:
    return f"enrolment {factor.id}"
