"""What customers see of their subscriptions: how they stand, what comes next, what they may do, what was written."""

from collections.abc import Sequence
from datetime import datetime

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Rate
from shopaccounts.kernel.ports import Position
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.entitlements import Entitlement, entitlement
from shopaccounts.subscriptions.errors import SubscriptionUnknown
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.guards import Allowed, Refusal, allowed_operations
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription, account_id
from shopaccounts.subscriptions.papers.documents import INVOICES, Invoice
from shopaccounts.subscriptions.planning.timeline import Upcoming, UpcomingKind, upcoming
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import Taxes, TaxRequest

__all__ = ["InvoicePage", "SubscriptionView", "Viewing"]

_PAGE = 50


@attrs.frozen(kw_only=True)
class SubscriptionView:
    """How a subscription stands.

    Args:
        subscription: As it is.
        entitlement: Whether the customer has the use of it now, until when, and why.
        next_charge: The next charge, None if none is to come.
        operations: What the customer may do, and why not the rest.
    """

    subscription: Subscription
    entitlement: Entitlement
    next_charge: Upcoming | None
    operations: tuple[Allowed | Refusal, ...]


@attrs.frozen(kw_only=True)
class InvoicePage:
    """Some invoices, the newest first; ``after`` leads to the next page, None at the end."""

    invoices: tuple[Invoice, ...]
    after: Position | None


@attrs.frozen(kw_only=True)
class Viewing:
    """Shows customers their subscriptions; it writes nothing.

    Args:
        desk: Whose books.
        taxes: Which rates hold.
        policy: How the shop bills.
    """

    desk: Desk
    taxes: Taxes
    policy: SubscriptionPolicy

    async def my_subscriptions(self, customer: CustomerId) -> tuple[SubscriptionView, ...]:
        """Answer all subscriptions of a customer, the newest first.

        Args:
            customer: Whose.
        """
        found = await got(self.desk.records.find(ACCOUNTS, account_id(self.desk.scope.store, customer)))
        if found is None:
            return ()
        rows = await got(self.desk.records.rows(SUBSCRIPTIONS, "account", found.it.id, None, _PAGE, newest_first=True))
        return tuple([await self._view(one, found.it) for one in rows.items])

    async def upcoming(
        self, customer: CustomerId, subscription: str, *, until: datetime | None = None, count: int = 12
    ) -> tuple[Upcoming, ...]:
        """Answer what is going to happen to a subscription, in order, with amounts.

        Args:
            customer: Whose.
            subscription: Which.
            until: Up to when; None for as long as *count* lasts.
            count: How many things at most, 1 to 100.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            InvalidInput: *count* is out of bounds.
        """
        found = await got(self.desk.records.find(SUBSCRIPTIONS, subscription, bring=(ACCOUNTS.via("account"),)))
        if found is None or found.it.customer != customer or (account := found[ACCOUNTS]) is None:
            raise SubscriptionUnknown
        return await self._upcoming(found.it, account, until=until, count=count)

    async def my_invoices(self, customer: CustomerId, after: Position | None = None, limit: int = 50) -> InvoicePage:
        """Answer a page of a customer's invoices, the newest first.

        Args:
            customer: Whose.
            after: Where the page before ended.
            limit: How many at most, 1 to 500.
        """
        account = account_id(self.desk.scope.store, customer)
        rows = await got(self.desk.records.rows(INVOICES, "account", account, after, limit, newest_first=True))
        return InvoicePage(invoices=rows.items, after=rows.next)

    async def _view(self, subscription: Subscription, account: BillingAccount) -> SubscriptionView:
        now = self.desk.now()
        ahead = await self._upcoming(subscription, account, until=None, count=3)
        return SubscriptionView(
            subscription=subscription,
            entitlement=entitlement(subscription, now, self.policy),
            next_charge=next((one for one in ahead if one.kind is UpcomingKind.CHARGE), None),
            operations=allowed_operations(subscription, now, self.policy),
        )

    async def _upcoming(
        self, subscription: Subscription, account: BillingAccount, *, until: datetime | None, count: int
    ) -> tuple[Upcoming, ...]:
        live = [one.invoice for one in subscription.live]
        invoices = await got(self.desk.records.pick(INVOICES, live)) if live else ()
        method = subscription.payment_method or account.payment_method
        facts = Facts(has_method=method is not None, invoices={one.id: one for one in invoices})
        rates = await self._rates(subscription, account)
        return upcoming(subscription, account, facts, self.policy, rates=rates, until=until, count=count)

    async def _rates(self, subscription: Subscription, account: BillingAccount) -> dict[str, tuple[Rate, ...]]:
        """Answer today's rates of each tax category of a subscription."""
        categories = list(dict.fromkeys(line.category for line in subscription.lines))
        on = local_date(self.desk.now(), account.zone)
        requests = [
            TaxRequest(account=account.id, profile=account.tax_profile, category=category, on=on)
            for category in categories
        ]
        answers: Sequence[tuple[Rate, ...]] = await got(self.taxes.rates(requests))
        return dict(zip(categories, answers, strict=True))
