"""Counting guesses: first the network's failures, then the account's own counter.

The account's counter is charged before the password is looked at, under the account where what was typed leads to one,
else under what was typed, so that known and unknown answer alike. A device that the account knows has a counter of its
own, so that a stranger's guesses keep nobody out who comes from home. A new password begins that counter anew.

Success clears the counter that was charged, and no other. Nothing but a complete sign-in or a reset clears any.

How often sign-in fails in the whole realm is counted too; that refuses nobody, the shop is told.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method
from shopaccounts.kernel.errors import Throttled, TryLater
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.limits import Held, Limit, Throttle, Wait, Window, counter_key
from shopaccounts.kernel.ports import Counters
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.signin.model import Device
from shopaccounts.signin.policy import AttemptPolicy

__all__ = ["Attempts", "bucket"]

log = logging.getLogger("shopaccounts")
_DAY: Final = timedelta(days=1)


def bucket(account: AccountId, device: Device | None, stamps: Stamps) -> str:
    """Answer whose counter a try at an account's password is charged on: the account's, or a known device's own."""
    return account if device is None else f"{account} {device.id} {stamps.password}"


@attrs.frozen(kw_only=True)
class Attempts:
    """The counters of sign-in."""

    counters: Counters
    keyring: Keyring
    policy: AttemptPolicy

    async def charge(
        self,
        subject: str,
        network: str,
        now: datetime,
        *,
        authenticator: Method = Method.PASSWORD,
        rule: Wait | None = None,
    ) -> int:
        """Charge one try at an authenticator of *subject*, and answer how many there were with it.

        Args:
            subject: Whose counter: the account, a known device of it, or what was typed where that leads to none.
            network: Where the try came from; asked first, and charged only by ``failed``.
            now: When it came.
            authenticator: What is tried; each has a counter of its own.
            rule: How long that counter makes wait; None: as for passwords.

        Raises:
            Throttled: The network or the subject has to wait.
            TryLater: The counters didn't answer, so nobody is let in.
        """
        limit = Limit(await self._key(authenticator.value, subject), rule or self.policy.password)
        charged = await Throttle(self.counters).charge(limit, now=now, behind=(await self._failures_of(network),))
        if isinstance(charged, Held):
            raise Throttled(charged.retry_after)
        return charged[0]

    async def failed(self, network: str, now: datetime) -> None:
        """Count a failure against its network."""
        await Throttle(self.counters).charge(await self._failures_of(network), now=now)

    async def succeeded(self, subject: str, *, authenticator: Method = Method.PASSWORD) -> None:
        """Forget the tries at an authenticator of *subject*."""
        await Throttle(self.counters).forget(await self._key(authenticator.value, subject))

    async def is_worn_out(self, tried: str, now: datetime) -> bool:
        """Count a failure at what was tried, from wherever it came; tell whether these are too many in a row."""
        most = self.policy.password.disable_after
        return most is not None and await Throttle(self.counters).count(await self._key("in_a_row", tried), now) >= most

    async def is_fresh_again(self, tried: str) -> None:
        """Forget the failures in a row."""
        if self.policy.password.disable_after is not None:
            await Throttle(self.counters).forget(await self._key("in_a_row", tried))

    async def attack(self, now: datetime) -> int | None:
        """Count a failure of the whole realm; answer how many there were when they first become too many."""
        stretch = (now - datetime.min.replace(tzinfo=now.tzinfo)) // self.policy.attack_within
        key = await self._key("realm", str(stretch))
        try:
            failures = await Throttle(self.counters).count(key, now, self.policy.attack_within)
        except TryLater:
            log.warning("failed sign-ins of the realm could not be counted")
            return None
        return failures if failures == self.policy.attack_at else None

    async def missed(self, account: AccountId, now: datetime) -> int | None:
        """Count a wrong second step of an account; answer how many there were when they first become too many.

        Counted over a sliding day; whoever is told hears of it once, until fewer are within a day again.
        """
        window = Window(limit=self.policy.missed_at + 1, per=_DAY)
        try:
            counted = await Throttle(self.counters).charge(Limit(await self._key("missed", account), window), now=now)
        except TryLater:
            log.warning("missed second steps could not be counted")
            return None
        return None if isinstance(counted, Held) or counted[0] <= self.policy.missed_at else counted[0]

    async def digest(self, what: str, value: str) -> str:
        """Answer a keyed digest of *value* that a log may hold."""
        return await self._key(what, value)

    async def _failures_of(self, network: str) -> Limit:
        return Limit(await self._key("network", network), self.policy.network)

    async def _key(self, prefix: str, value: str) -> str:
        key = await got(self.keyring.current(Ring.THROTTLE))
        return counter_key(key.secret, prefix, value)
