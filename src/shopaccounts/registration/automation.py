"""Telling people from programs that fill in forms.

The rules, in plain English:

* Who fills in the field that people can't see, or needs less time than anybody, is a program. It gets the ordinary
  answer and nothing comes of it, so that it has nothing to learn from.
* From a network that has registered a few times within the hour, a puzzle has to be solved that only people solve, if
  the shop has one. A puzzle whose service is out doesn't count as solved. [OWASP ASVS 5.0 2.4.1]
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.request import HumanEvidence, RequestContext
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.registration.errors import HumanCheckNeeded
from shopaccounts.registration.policy import RegistrationPolicy
from shopaccounts.registration.ports import HumanCheck, HumanVerdict

__all__ = ["Automation"]

_NOTHING: Final = HumanEvidence()


@attrs.frozen(kw_only=True)
class Automation:
    """Keeps programs out.

    Args:
        policy: When to ask for a puzzle.
        budget: Counts what each network does.
        human: The puzzle; None for a shop without one.
    """

    policy: RegistrationPolicy
    budget: SendBudget
    human: HumanCheck | None = None

    def sign(self, context: RequestContext) -> str | None:
        """Answer what shows that a program filled in the form, None if nothing does."""
        evidence = context.human or _NOTHING
        if evidence.honeypot:
            return "honeypot"
        filled_in = evidence.filled_in
        return "too_fast" if filled_in is not None and filled_in < self.policy.fastest_form else None

    async def require_human(self, action: str, context: RequestContext, now: datetime) -> None:
        """Ask for the puzzle where the network has been busy.

        Raises:
            HumanCheckNeeded: It has, and nobody has shown to be a person.
            TryLater: The counters failed.
        """
        if self.human is None or not await self._is_busy(context, now):
            return
        verdict = await got(self.human.judge(context.human or _NOTHING, action))
        if verdict is not HumanVerdict.HUMAN:
            raise HumanCheckNeeded

    async def _is_busy(self, context: RequestContext, now: datetime) -> bool:
        if self.policy.human_check_after is None:
            return False
        try:
            await self.budget.take("unpuzzled", context.network, self.policy.human_check_after, now)
        except Throttled:
            return True
        return False
