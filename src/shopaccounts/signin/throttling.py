"""Counting guesses: first the network's failures, then the account's own counter.

The account's counter is charged before the password is looked at, under the account where what was typed leads to one,
else under what was typed, so that known and unknown answer alike. Success clears that counter alone.
"""

from datetime import datetime

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.limits import Held, Throttle, counter_key
from shopaccounts.kernel.ports import Counters
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.signin.policy import AttemptPolicy

__all__ = ["Attempts"]


@attrs.frozen(kw_only=True)
class Attempts:
    """The counters of sign-in."""

    counters: Counters
    keyring: Keyring
    policy: AttemptPolicy

    async def charge(self, subject: str, network: str, now: datetime) -> None:
        """Charge one try at the password of *subject*.

        Raises:
            Throttled: The network or the subject has to wait.
            TryLater: The counters didn't answer, so nobody is let in.
        """
        throttle = Throttle(self.counters)
        _refuse(await throttle.held(await self._key("network", network), self.policy.network, now))
        _refuse(await throttle.attempt(await self._key("password", subject), self.policy.password, now))

    async def failed(self, network: str, now: datetime) -> None:
        """Count a failure against its network."""
        await Throttle(self.counters).attempt(await self._key("network", network), self.policy.network, now)

    async def succeeded(self, subject: str) -> None:
        """Forget the tries at the password of *subject*."""
        await Throttle(self.counters).forget(await self._key("password", subject))

    async def digest(self, what: str, value: str) -> str:
        """Answer a keyed digest of *value* that a log may hold."""
        return await self._key(what, value)

    async def _key(self, prefix: str, value: str) -> str:
        key = await got(self.keyring.current(Ring.THROTTLE))
        return counter_key(key.secret, prefix, value)


def _refuse(held: Held | None) -> None:
    if held is not None:
        raise Throttled(held.retry_after)
