"""How much may be sent to one mailbox, to one phone, and for one network.

Budgets count for every address and number, known or not, so that a refusal tells nothing about accounts. Spellings of
one mailbox share one budget (``abuse_key``), text messages and calls to one number (E.164) as well; a budget is never
an access.

Text messages cost money, and there are people who earn by having them sent: a store sends to the countries that it
names, and no more of them a day than it wants to pay for.

A part of each mailbox's budget is kept for browsers that its owner is known by, so that a stranger who asks all day
leaves the owner something.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import Contact, PhoneNumber
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.limits import Held, Limit, Throttle, Window, counter_key
from shopaccounts.kernel.phones import CountryNotServed, is_country
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.ports import Counters
from shopaccounts.kernel.vault import Keyring, Ring

__all__ = ["SendBudget", "SendPolicy"]

_DAY: Final = timedelta(days=1)
_NO_STORE: Final = StoreId("")


@attrs.frozen(kw_only=True)
class SendPolicy:
    """How much one mailbox, one phone and one network may cause.

    Args:
        allowed_countries: The countries that text messages and calls go to, as ISO 3166-1 alpha-2; empty: every one.
        sms_per_day: How many text messages and calls a store pays for in a day (UTC), decoys included.

    Why these defaults:
        mailbox_hourly, mailbox_daily: 5 and 10, a minute apart: enough for a slow mail server, too little to flood
            somebody. [OWASP Forgot Password Cheat Sheet asks for a limit for each account]
        phone_hourly, phone_daily: 3 and 5, a minute apart, text messages and calls together; of the house, as
            above.
        network_hourly: 20, of the house.
        allowed_countries: only the shop knows where its customers are; it had better say.
        sms_per_day: 1000, so that whoever pumps messages costs a bounded sum; a large shop allows more. Of the house.
            [OWASP ASVS 5.0 6.6.4 and 2.4.1]
        kept_for_owner: 2 of each mailbox budget, for a first message and another one; of the house.
    """

    mailbox_hourly: Window = Window(limit=5, per=timedelta(hours=1), gap=timedelta(seconds=60))
    mailbox_daily: Window = Window(limit=10, per=timedelta(hours=24))
    phone_hourly: Window = Window(limit=3, per=timedelta(hours=1), gap=timedelta(seconds=60))
    phone_daily: Window = Window(limit=5, per=timedelta(hours=24))
    network_hourly: Window = Window(limit=20, per=timedelta(hours=1))
    kept_for_owner: int = 2
    allowed_countries: frozenset[str] = frozenset()
    sms_per_day: int = 1000

    def __attrs_post_init__(self) -> None:
        smallest = min(self.mailbox_hourly.limit, self.mailbox_daily.limit)
        require(0 <= self.kept_for_owner < smallest, "what is kept for owners leaves others something")
        require(all(map(is_country, self.allowed_countries)), "countries are written with two capital letters")
        require(self.sms_per_day >= 1, "a store that sends text messages sends some")

    def for_mailbox(self, window: Window, *, by_owner: bool) -> Window:
        """Answer the window of a mailbox for its owner's browsers, or for everybody else's."""
        return window if by_owner else attrs.evolve(window, limit=window.limit - self.kept_for_owner)

    def check_served(self, number: PhoneNumber) -> None:
        """Refuse a number of a country that nothing is sent to; so is one whose country nobody knows.

        Raises:
            CountryNotServed: So it is.
        """
        if self.allowed_countries and number.country not in self.allowed_countries:
            raise CountryNotServed(reason="country")


@attrs.frozen(kw_only=True)
class SendBudget:
    """The budgets of a store's messages.

    Args:
        store: Who pays for text messages.
    """

    counters: Counters
    keyring: Keyring
    policy: SendPolicy
    store: StoreId = _NO_STORE

    @property
    def resend_after(self) -> timedelta:
        """How long to wait before the next message to the same mailbox."""
        return self.policy.mailbox_hourly.gap

    async def charge(self, to: Contact, network: str, now: datetime, *, by_owner: bool = False) -> None:
        """Charge one message to *to* that a request from *network* asked for.

        A message that one budget refuses takes nothing from the others, so whoever is impatient, or keeps asking from a
        network that has used up its own budget, doesn't use up the mailbox's.

        Args:
            to: Where the message goes.
            network: Where the request came from.
            now: When.
            by_owner: Whether a browser asked that the owner of the mailbox is known by; others leave some for it.

        Raises:
            Throttled: A budget is used up.
            CountryNotServed: Nothing is sent to this number's country.
            TryLater: The counters failed.
        """
        if isinstance(to, PhoneNumber):
            self.policy.check_served(to)
            hour, day = self.policy.phone_hourly, self.policy.phone_daily
        else:
            hour = self.policy.for_mailbox(self.policy.mailbox_hourly, by_owner=by_owner)
            day = self.policy.for_mailbox(self.policy.mailbox_daily, by_owner=by_owner)
        budgets = (
            ("send_network", network, self.policy.network_hourly),
            ("send_hour", to.budget_key, hour),
            ("send_day", to.budget_key, day),
        )
        await self._charge(budgets, now)
        if isinstance(to, PhoneNumber):
            await self._pay(now)

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

    async def _pay(self, now: datetime) -> None:
        """Count one text message or call of the day, if the store still pays for it."""
        secret = (await got(self.keyring.current(Ring.THROTTLE))).secret
        tomorrow = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        key = counter_key(secret, "sms_cost", self.store, tomorrow.date().isoformat())
        if await Throttle(self.counters).count(key, now, _DAY) > self.policy.sms_per_day:
            raise Throttled(tomorrow - now)
