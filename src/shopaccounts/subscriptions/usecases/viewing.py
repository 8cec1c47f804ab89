"""What customers see of their subscriptions: how they stand, what comes next, what they may do, what was written."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict

import attrs

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Rate
from shopaccounts.kernel.ports import Position
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.announcing.letters import NoticeLetters
from shopaccounts.subscriptions.announcing.timeline import (
    NO_OTHERS,
    BoxesAhead,
    OtherSubscriptions,
    Upcoming,
    next_charge,
    upcoming,
)
from shopaccounts.subscriptions.boxes.filing import open_boxes
from shopaccounts.subscriptions.boxes.listing import Delivery, OpenBoxes, boxes_ahead
from shopaccounts.subscriptions.changing.price_moves import concerning
from shopaccounts.subscriptions.entitlements import Entitlement, entitlement
from shopaccounts.subscriptions.errors import SubscriptionUnknown
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.guards import Allowed, Refusal
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription, account_id
from shopaccounts.subscriptions.notices.agenda import NOTICE_AGENDAS, NoticeAgenda
from shopaccounts.subscriptions.office.known import Lookups, PriceList
from shopaccounts.subscriptions.papers.documents import INVOICES, Invoice
from shopaccounts.subscriptions.planning.last_bill import is_to_be_billed
from shopaccounts.subscriptions.planning.possibilities import allowed_operations
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import MethodFacts, Taxes, TaxRequest

__all__ = ["InvoicePage", "SubscriptionView", "Viewing"]

_PAGE = 50
_NONE = OpenBoxes()
_A_YEAR = timedelta(days=366)


@attrs.frozen(kw_only=True)
class SubscriptionView:
    """How a subscription stands.

    Args:
        subscription: As it is.
        entitlement: Whether the customer has the use of it now, until when, and why.
        next_charge: The next charge, None if none is to come.
        next_delivery: The next box, None if none is to come within a year.
        operations: What the customer may do, and why not the rest.
    """

    subscription: Subscription
    entitlement: Entitlement
    next_charge: Upcoming | None
    next_delivery: Delivery | None
    operations: tuple[Allowed | Refusal, ...]


@attrs.frozen(kw_only=True)
class InvoicePage:
    """Some invoices, the newest first; ``after`` leads to the next page, None at the end."""

    invoices: tuple[Invoice, ...]
    after: Position | None


class _Outlook(TypedDict):
    """What decides about the future of a subscription."""

    facts: Facts
    rates: Mapping[str, tuple[Rate, ...]]
    agenda: NoticeAgenda | None
    method: MethodFacts | None
    others: OtherSubscriptions


@attrs.frozen(kw_only=True)
class Viewing:
    """Shows customers their subscriptions; it writes nothing.

    Args:
        desk: Whose books.
        taxes: Which rates hold.
        policy: How the shop bills.
        lookups: Knows changes of price, places and payment methods.
        letters: Knows whom a letter reaches.
    """

    desk: Desk
    taxes: Taxes
    policy: SubscriptionPolicy
    lookups: Lookups
    letters: NoticeLetters

    async def my_subscriptions(self, customer: CustomerId) -> tuple[SubscriptionView, ...]:
        """Answer all subscriptions of a customer, the newest first.

        Args:
            customer: Whose.
        """
        found = await got(self.desk.records.find(ACCOUNTS, account_id(self.desk.scope.store, customer)))
        if found is None:
            return ()
        rows = await got(self.desk.records.rows(SUBSCRIPTIONS, "account", found.it.id, None, _PAGE, newest_first=True))
        outlooks = await self._outlooks(rows.items, found.it, are_all=rows.next is None)
        boxes = await open_boxes(self.desk.records, rows.items)
        return tuple(
            [self._view(one, found.it, outlooks[one.id], boxes.get(one.id, OpenBoxes())) for one in rows.items]
        )

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
        rows = await got(self.desk.records.rows(SUBSCRIPTIONS, "account", account.id, None, _PAGE, newest_first=True))
        others = (one for one in rows.items if one.id != subscription and is_to_be_billed(one))
        outlook = (await self._outlooks([found.it, *others], account, are_all=rows.next is None))[subscription]
        on_record = await open_boxes(self.desk.records, [found.it])
        boxes = BoxesAhead(self.desk.now(), on_record.get(subscription, _NONE))
        return upcoming(found.it, account, policy=self.policy, boxes=boxes, until=until, count=count, **outlook)

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

    def _view(
        self,
        subscription: Subscription,
        account: BillingAccount,
        outlook: _Outlook,
        boxes: OpenBoxes,
    ) -> SubscriptionView:
        now = self.desk.now()
        today = local_date(now, subscription.zone)
        return SubscriptionView(
            subscription=subscription,
            entitlement=entitlement(subscription, now, self.policy),
            next_charge=next_charge(subscription, account, policy=self.policy, **outlook),
            next_delivery=next(boxes_ahead(subscription, boxes, today, today + _A_YEAR), None),
            operations=allowed_operations(subscription, now, self.policy),
        )

    async def _outlooks(
        self, subscriptions: Sequence[Subscription], account: BillingAccount, *, are_all: bool
    ) -> Mapping[str, _Outlook]:
        """Look up what decides about the future of an account's subscriptions, be they all that are to be billed."""
        now, records = self.desk.now(), self.desk.records
        live = sorted({one.invoice for each in subscriptions for one in each.live})
        invoices = {one.id: one for one in (await got(records.pick(INVOICES, live)) if live else ())}
        agendas = {one.id: one for one in await got(records.pick(NOTICE_AGENDAS, [each.id for each in subscriptions]))}
        customer = await got(records.pick(CUSTOMERS, [account.customer]))
        reached = bool(self.letters.addresses(next(iter(customer), None), now))
        changes = await self.lookups.prices(PriceList(), now)
        answers = await self.lookups.answers({one.id: concerning(one, changes) for one in subscriptions})
        place = await got(self.lookups.jurisdictions.of(account.id, local_date(now, account.zone)))
        methods = await self.lookups.methods(subscriptions, {account.id: account})
        rates = await self._rates(subscriptions, account)
        facts = {
            one.id: Facts(
                has_method=(one.payment_method or account.payment_method) is not None,
                invoices=invoices,
                price_changes=changes if concerning(one, changes) else (),
                price_answers=answers.get(one.id, ()),
                notices=agenda.sent if (agenda := agendas.get(one.id)) else (),
                place=place,
            )
            for one in subscriptions
        }
        others = [(one, facts[one.id]) for one in subscriptions if is_to_be_billed(one)]
        beside = OtherSubscriptions(tuple(others), are_all) if self._may_wait(subscriptions, account) else NO_OTHERS
        return {
            one.id: {
                "facts": facts[one.id],
                "rates": rates,
                "agenda": _from(agendas.get(one.id), now) if reached else None,
                "method": methods.get(one.payment_method or account.payment_method or ""),
                "others": beside,
            }
            for one in subscriptions
        }

    def _may_wait(self, subscriptions: Sequence[Subscription], account: BillingAccount) -> bool:
        """Tell whether anything waits, or may come to wait, that joins the next bill of whichever subscription."""
        small = bool(self.policy.invoices.min_charge)
        return small or bool(account.pending) or any(one.scheduled.change for one in subscriptions)

    async def _rates(
        self, subscriptions: Sequence[Subscription], account: BillingAccount
    ) -> dict[str, tuple[Rate, ...]]:
        """Answer today's rates of each tax category of some subscriptions."""
        categories = list(dict.fromkeys(line.category for one in subscriptions for line in one.lines))
        on = local_date(self.desk.now(), account.zone)
        requests = [
            TaxRequest(account=account.id, profile=account.tax_profile, category=category, on=on)
            for category in categories
        ]
        answers: Sequence[tuple[Rate, ...]] = await got(self.taxes.rates(requests))
        return dict(zip(categories, answers, strict=True))


def _from(agenda: NoticeAgenda | None, now: datetime) -> NoticeAgenda | None:
    """Answer an agenda that nobody looks at before now; None for one that nobody looks at any more."""
    if agenda is None or agenda.due_at is None:
        return None
    return attrs.evolve(agenda, due_at=max(agenda.due_at, now))
