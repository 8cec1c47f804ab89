"""How much may be sent to one mailbox, and for one network.

Budgets count for every address, known or not, so that a refusal tells nothing about accounts. Spellings of one mailbox
share one budget (``abuse_key``); a budget is never an access.

A part of each mailbox's budget is kept for browsers that its owner is known by, so that a stranger who asks all day
leaves the owner something.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.limits import Held, Limit, Throttle, Window, counter_key
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.ports import Counters
from shopaccounts.kernel.vault import Keyring, Ring

__all__ = ["SendBudget", "SendPolicy"]


@attrs.frozen(kw_only=True)
class SendPolicy:
    """How much mail one mailbox and one network may cause.

    Why these defaults:
        mailbox_hourly, mailbox_daily: 5 and 10, a minute apart: enough for a slow mail server, too little to flood
            somebody. [OWASP Forgot Password Cheat Sheet asks for a limit for each account]
        network_hourly: 20, of the house.
        kept_for_owner: 2 of each mailbox budget, for a first message and another one; of the house.
    """

    mailbox_hourly: Window = Window(limit=5, per=timedelta(hours=1), gap=timedelta(seconds=60))
    mailbox_daily: Window = Window(limit=10, per=timedelta(hours=24))
    network_hourly: Window = Window(limit=20, per=timedelta(hours=1))
    kept_for_owner: int = 2

    def __attrs_post_init__(self) -> None:
        smallest = min(self.mailbox_hourly.limit, self.mailbox_daily.limit)
        require(0 <= self.kept_for_owner < smallest, "what is kept for owners leaves others something")

    def for_mailbox(self, window: Window, *, by_owner: bool) -> Window:
        """Answer the window of a mailbox for its owner's browsers, or for everybody else's."""
        return window if by_owner else attrs.evolve(window, limit=window.limit - self.kept_for_owner)


@attrs.frozen(kw_only=True)
class SendBudget:
    """The budgets of a store's messages."""

    counters: Counters
    keyring: Keyring
    policy: SendPolicy

    @property
    def resend_after(self) -> timedelta:
        """How long to wait before the next message to the same mailbox."""
        return self.policy.mailbox_hourly.gap

    async def charge(self, email: EmailAddress, network: str, now: datetime, *, by_owner: bool = False) -> None:
        """Charge one message to *email* that a request from *network* asked for.

        A message that one budget refuses takes nothing from the others, so whoever is impatient, or keeps asking from a
        network that has used up its own budget, doesn't use up the mailbox's.

        Args:
            email: Where the message goes.
            network: Where the request came from.
            now: When.
            by_owner: Whether a browser asked that the owner of the mailbox is known by; others leave some for it.

        Raises:
            Throttled: A budget is used up.
            TryLater: The counters failed.
        """
        budgets = (
            ("send_network", network, self.policy.network_hourly),
            ("send_hour", email.abuse_key, self.policy.for_mailbox(self.policy.mailbox_hourly, by_owner=by_owner)),
            ("send_day", email.abuse_key, self.policy.for_mailbox(self.policy.mailbox_daily, by_owner=by_owner)),
        )
        await self._charge(budgets, now)

    async def take(self, prefix: str, value: str, window: Window, now: datetime) -> None:
        """Charge one thing against a window of its own.

        Raises:
            Throttled: The window is full.
            TryLater: The counters failed.
        """
        await self._charge(((prefix, value, window),), now)

    async def _charge(self, budgets: Iterable[tuple[str, str, Window]], now: datetime) -> None:
        secret = (await got(self.keyring.current(Ring.THROTTLE))).secret
        limits = (Limit(counter_key(secret, prefix, value), window) for prefix, value, window in budgets)
        charged = await Throttle(self.counters).charge(*limits, now=now)
        if isinstance(charged, Held):
            raise Throttled(charged.retry_after)
