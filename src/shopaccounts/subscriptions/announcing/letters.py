"""The letters that announce what is going to happen to a subscription.

The rules, in plain English:

* Each goes to every e-mail address that hears of the account. Somebody without one can't be told by mail.
* It says what, when, how much, how often, and until when one can cancel. It leads to the page on which one does.
* What a letter said is kept with the notice that it is.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.customers import Customer
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Message, MessageCategory
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.laws.notice_rules import NoticeFacts, NoticeTrigger
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.notices.occasions import Occasion
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.pricing import OnSilence
from shopaccounts.subscriptions.pricing import Consent

__all__ = ["NoticeLetters"]

_ONE_DAY: Final = timedelta(days=1)
_LIFE: Final = timedelta(days=3)
"""A mail server that is down over a weekend loses none."""
_T = NoticeTrigger
_TEMPLATES: Final[Mapping[NoticeTrigger, str]] = MappingProxyType(
    {
        _T.RENEWAL: "renewal_soon",
        _T.INTRO_END: "renewal_soon",
        _T.TERM_END: "renewal_soon",
        _T.ANNUAL: "renewal_soon",
        _T.TRIAL_END: "trial_ending",
        _T.PRICE_CHANGE: "price_change",
        _T.PRE_DEBIT: "pre_debit",
        _T.PAYMENT_METHOD_EXPIRING: "method_expiring",
    }
)


@attrs.frozen(kw_only=True)
class NoticeLetters:
    """Writes what is announced.

    Args:
        letters: Writes letters, and knows the shop's pages.
        policy: Until when one can cancel, and what silence means.
    """

    letters: Letters
    policy: SubscriptionPolicy

    @property
    def page(self) -> str:
        """The page on which customers cancel; empty for a shop that has none."""
        store, links = self.letters.desk.scope.store, self.letters.storefront.links
        return links.page(store, "subscription") if store in links.base else ""

    def addresses(self, customer: Customer | None, now: datetime) -> tuple[EmailAddress, ...]:
        """Answer where letters to a customer go; nowhere without an address, or a page on which one cancels.

        Args:
            customer: To whom, None for somebody whom the shop doesn't know.
            now: This instant.
        """
        if customer is None or not self.page:
            return ()
        return tuple(one for one in customer.notice_contacts(now) if isinstance(one, EmailAddress))

    def facts(
        self, subscription: Subscription, occasion: Occasion, amount: Money, before: Money | None, charged_at: datetime
    ) -> NoticeFacts:
        """Answer what is said.

        Args:
            subscription: About which.
            occasion: What is announced.
            amount: What will be charged, taxes included.
            before: What it would be at the old price, for a new price.
            charged_at: When it is charged.
        """
        day = charged_at if occasion.trigger is _T.ANNUAL else occasion.at
        return NoticeFacts(
            product=subscription.plan_line.product,
            amount=amount,
            next_date=local_date(day, subscription.zone),
            interval=subscription.terms.phases[-1].interval,
            how_to_cancel=self.page,
            contact=self.letters.storefront.contact,
            price_before=before,
            price_after=amount if before is not None else None,
        )

    async def write(
        self,
        customer: Customer | None,
        subscription: Subscription,
        occasion: Occasion,
        facts: NoticeFacts,
        key: str,
        now: datetime,
    ) -> tuple[Message, ...]:
        """Answer the letters to a customer; none where nobody would get one.

        Args:
            customer: To whom, None for somebody whom the shop doesn't know.
            subscription: About which.
            occasion: What is announced.
            facts: What is said.
            key: Id of the notice.
            now: This instant.
        """
        if customer is None:
            return ()
        letters = [
            await self.letters.write(
                f"subscriptions.{_TEMPLATES[occasion.trigger]}",
                to,
                key=f"notice {key} {number}",
                until=max(occasion.at, now + _LIFE),
                subject=customer.id,
                locale=customer.locale,
                variables=self._variables(subscription, occasion, facts),
                category=MessageCategory.TRANSACTIONAL,
            )
            for number, to in enumerate(self.addresses(customer, now))
        ]
        return tuple(letters)

    def _variables(self, subscription: Subscription, occasion: Occasion, facts: NoticeFacts) -> Mapping[str, str]:
        day = facts.next_date or local_date(occasion.at, subscription.zone)
        costs = facts.amount is None or not facts.amount.is_zero
        named = {
            "product": facts.product,
            "link": facts.how_to_cancel,
            "date": day.isoformat(),
        }
        if costs or occasion.trigger is not _T.TRIAL_END:
            named |= {
                "amount": str(facts.amount),
                "interval": str(facts.interval),
                "until": self._cancel_by(day).isoformat(),
            }
        if facts.price_before is not None:
            named |= {"before": str(facts.price_before), "after": str(facts.price_after)}
        if occasion.change and occasion.change.consent is Consent.OPT_IN:
            keeps = self.policy.prices.on_silence is OnSilence.KEEP_OLD
            named["silence"] = "keep_old" if keeps else "cancel"
        return {name: named[name] for name in _NAMED[_TEMPLATES[occasion.trigger]] if name in named}

    def _cancel_by(self, day: date) -> date:
        return day - self.policy.cancelling.notice_days * _ONE_DAY - _ONE_DAY


_NAMED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "renewal_soon": ("product", "link", "amount", "date", "interval", "until"),
        "trial_ending": ("product", "link", "amount", "date", "interval", "until"),
        "price_change": ("product", "link", "before", "after", "date", "interval", "until", "silence"),
        "pre_debit": ("product", "link", "amount", "date", "until"),
        "method_expiring": ("product", "link", "amount", "date"),
    }
)
