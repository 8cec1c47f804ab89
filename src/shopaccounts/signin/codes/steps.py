"""Sending codes to people who have proven something already: for their second step, and for a fresh proof.

* A second step's code goes to a phone or mailbox that the account asks for, and belongs to its half-done sign-in.
* A fresh proof's code goes to such a phone or mailbox, or to the address that one signs in by where the shop has codes
  for signing in, and belongs to its session.
* A number that was put on another card a short while ago gets none. [NIST SP 800-63B-4 3.1.3.3]
"""

import attrs

from shopaccounts.customers import ContactPoint, Customer, is_verified
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import ENROLLING_TOO, Doorkeeper
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import require_text
from shopaccounts.signin.authenticators import Factor, FactorKind
from shopaccounts.signin.codes.policy import CodeWay
from shopaccounts.signin.codes.sending import SentCodes
from shopaccounts.signin.codes.sent import STEP, CodeSent
from shopaccounts.signin.confirming import tried_in
from shopaccounts.signin.devices import recognise
from shopaccounts.signin.errors import FactorUnknown, WayNotOffered
from shopaccounts.signin.factor_check import Tried
from shopaccounts.signin.model import DEVICES
from shopaccounts.signin.reaching import Offered
from shopaccounts.signin.second_step import HalfDone

__all__ = ["StepCodes"]

_SENT = frozenset({FactorKind.SMS, FactorKind.EMAIL_STEP})


@attrs.frozen(kw_only=True)
class StepCodes:
    """Sends codes for second steps and fresh proofs."""

    desk: Desk
    codes: SentCodes
    half_done: HalfDone
    doorkeeper: Doorkeeper
    offered: Offered
    transport: TransportPolicy

    async def send_step_code(self, progress: Secret[str], factor: str, context: RequestContext) -> CodeSent:
        """Send the code for the second step of a sign-in to a phone or mailbox.

        Args:
            progress: The handle from ``SecondFactorNeeded``.
            factor: Which of its options.
            context: Where the request came from.

        Returns:
            The handle of the code, for ``SentCodeAnswer``.

        Raises:
            FactorUnknown: It is none of the options.
            WayNotOffered: The number was put on another card a short while ago.
            ProgressEnded: The half-done sign-in is over.
            Throttled: Too many messages to this number or mailbox, or for this network.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        id = require_text(factor, "factor", cap=64)
        tried = await self._under_way(progress, id, context)
        by_owner = recognise(tried.devices, context.device, self.desk.now()) is not None
        await self.codes.charge(self._point(tried, id).value, context, by_owner=by_owner)

        async def decide() -> CodeSent:
            return await self._send(await self._under_way(progress, id, context), id, context)

        return await self.desk.retrying(decide)

    async def send_confirmation_code(
        self, value: Secret[str], context: RequestContext, factor: str | None = None
    ) -> CodeSent:
        """Send a code to somebody who is signed in, for a fresh proof.

        Args:
            value: The session value.
            context: Where the request came from.
            factor: To which of the account's second steps; None to the e-mail address that it signs in by.

        Returns:
            The handle of the code, for ``SentCodeAnswer`` in this session.

        Raises:
            FactorUnknown: The account has no such second step.
            WayNotOffered: The shop sends no codes to sign in by, or the number was put on another card lately.
            SignInRequired, NotWhileImpersonating: Nobody who may is signed in here.
            Throttled: Too many messages to this number or mailbox, or for this network.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        id = None if factor is None else require_text(factor, "factor", cap=64)
        tried = await self._present(value, context)
        await self.codes.charge(self._point(tried, id).value, context, by_owner=True)

        async def decide() -> CodeSent:
            return await self._send(await self._present(value, context), id, context)

        return await self.desk.retrying(decide)

    async def _under_way(self, progress: Secret[str], factor: str, context: RequestContext) -> Tried:
        under_way = await self.half_done.under_way(progress, context)
        if factor not in {option.factor for option in under_way.options}:
            raise FactorUnknown
        return under_way.tried

    async def _present(self, value: Secret[str], context: RequestContext) -> Tried:
        bring = (DEVICES.via("account"),)
        here = await self.doorkeeper.present(value, context, Operation.CONFIRM_IDENTITY, bring, ENROLLING_TOO)
        return tried_in(here, context)

    def _point(self, tried: Tried, factor: str | None) -> ContactPoint:
        """Answer where the code goes.

        Raises:
            FactorUnknown: The account has no such second step that a code can be sent to.
            WayNotOffered: The shop sends no codes to sign in by.
        """
        if factor is None:
            return self._mailbox(tried.customer)
        usable = self.offered.usable_factors(tried.own, tried.customer)
        point = next((_contact_of(one, tried.customer) for one in usable if one.id == factor), None)
        if point is None:
            raise FactorUnknown
        return point

    def _mailbox(self, customer: Customer) -> ContactPoint:
        email = customer.sign_in_email
        point = customer.contact_with(ContactKind.EMAIL, email.key) if email else None
        if point is None or CodeWay.EMAIL_CODE not in self.codes.policy.ways:
            raise WayNotOffered(CodeWay.EMAIL_CODE.value)
        return point

    async def _send(self, tried: Tried, factor: str | None, context: RequestContext) -> CodeSent:
        point = self._point(tried, factor)
        sent, part = await self.codes.send_to(point, tried.customer, tried.security, STEP, tried.bound, context)
        await self.desk.record(part)
        return sent


def _contact_of(factor: Factor, customer: Customer) -> ContactPoint | None:
    if factor.kind not in _SENT:
        return None
    return next((point for point in customer.contacts if point.id == factor.contact and is_verified(point)), None)
