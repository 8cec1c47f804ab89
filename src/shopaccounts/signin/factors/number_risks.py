"""Remembering what networks said against a phone number.

A network tells of a new card for a day or so; whoever took the number over may come back after that. So a number of
which something was said gets no codes for 72 hours from then on, whatever is said of it meanwhile.
[NIST SP 800-63B-4 3.1.3.3]
"""

from datetime import timedelta
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.limits import Held, Limit, Throttle, Window, counter_key
from shopaccounts.kernel.ports import Counters
from shopaccounts.kernel.time import Clock
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.signin.ports import NumberRisk, RiskSignals

__all__ = ["RememberedRisks"]

_WITHDRAWN: Final = Window(limit=1, per=timedelta(hours=72))
_REMEMBERED: Final = frozenset({NumberRisk.RECENT_SIM_CHANGE})


@attrs.frozen(kw_only=True)
class RememberedRisks:
    """Asks what networks say, and adds what they said in the last 72 hours; keeps the promises of ``RiskSignals``."""

    signals: RiskSignals
    counters: Counters
    keyring: Keyring
    clock: Clock

    async def number(self, number: str) -> frozenset[NumberRisk]:
        """Answer what speaks against sending to *number*, in E.164.

        Raises:
            TryLater: The counters failed.
        """
        said: frozenset[NumberRisk] = await got(self.signals.number(number))
        key = counter_key((await got(self.keyring.current(Ring.THROTTLE))).secret, "number_risk", number)
        limit, now, throttle = Limit(key, _WITHDRAWN), self.clock.now(), Throttle(self.counters)
        if said:
            await throttle.charge(limit, now=now)
            return said
        return _REMEMBERED if isinstance(await throttle.charge(now=now, behind=(limit,)), Held) else said
