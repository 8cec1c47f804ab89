"""Asking for a second factor at a reset: the code that goes to a phone or mailbox, the passkey of a browser."""

import attrs

from shopaccounts.customers import ContactPoint
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.recovery.resetting import Opened, Resetting
from shopaccounts.signin import (
    STEP,
    Ceremonies,
    CeremonyPurpose,
    CodeSent,
    FactorUnknown,
    PasskeyRequest,
    Questioned,
    SentCodes,
    WayNotOffered,
    descriptors,
)

__all__ = ["ResetSecond"]


@attrs.frozen(kw_only=True)
class ResetSecond:
    """Asks for what is wanted at a reset besides the link."""

    desk: Desk
    resetting: Resetting
    codes: SentCodes
    ceremonies: Ceremonies

    async def charge(self, opened: Opened, factor: str, context: RequestContext) -> None:
        """Charge one message.

        Raises:
            FactorUnknown: No such second factor is asked for.
            WayNotOffered: The number was put on another card a short while ago.
            Throttled, TryLater: Too many messages, or the counters are not available.
        """
        await self.codes.charge(self._point(opened, factor).value, context)

    async def send(self, opened: Opened, factor: str, context: RequestContext) -> tuple[CodeSent, Change]:
        """Answer a code that is on its way, and what is recorded."""
        point = self._point(opened, factor)
        return await self.codes.send_to(point, opened.customer, opened.security, STEP, opened.bound, context)

    async def ask_for_passkey(self, opened: Opened, context: RequestContext) -> tuple[PasskeyRequest, Change]:
        """Answer what a browser is asked, and what is recorded.

        Raises:
            WayNotOffered: No passkey is asked for.
        """
        options = self.resetting.second_of(opened) or ()
        passkeys = self.resetting.offered.usable_passkeys(opened.own)
        if "passkey" not in {option.kind for option in options}:
            raise WayNotOffered(way="passkey")
        asked = Questioned(purpose=CeremonyPurpose.PROVE, account=opened.customer.id, is_named=True, bound=opened.bound)
        return await self.ceremonies.ask_to_use(asked, descriptors(passkeys), context)

    def _point(self, opened: Opened, factor: str) -> ContactPoint:
        options = {option.factor for option in self.resetting.second_of(opened) or ()}
        usable = self.resetting.offered.usable_factors(opened.own, opened.customer)
        wanted = {one.contact for one in usable if one.id == factor and one.id in options and one.contact is not None}
        point = next((contact for contact in opened.customer.contacts if contact.id in wanted), None)
        if point is None:
            raise FactorUnknown
        return point
