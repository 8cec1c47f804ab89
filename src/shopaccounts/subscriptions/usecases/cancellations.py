"""Leaving and coming back: what customers do who are signed in."""

from collections.abc import Awaitable, Callable

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.canonical import plain_fields
from shopaccounts.kernel.errors import StaleWrite
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.reading import all_rows
from shopaccounts.kernel.record import Change
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import AlreadySubscribed
from shopaccounts.subscriptions.guards import Operation
from shopaccounts.subscriptions.leaving.cancelling import CancelWish, cancel, undo_cancellation
from shopaccounts.subscriptions.leaving.winning_back import Return, owed, reactivate
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, Subscription, group_key
from shopaccounts.subscriptions.office.campaigns import granted_to, kept_by
from shopaccounts.subscriptions.office.desk_work import Besides, Case, Done, Office
from shopaccounts.subscriptions.papers.documents import INVOICES, Invoice
from shopaccounts.subscriptions.requests import Request
from shopaccounts.subscriptions.states import ENDED

__all__ = ["Cancellations", "invoices_of"]


@attrs.frozen(kw_only=True)
class Cancellations:
    """Ends subscriptions, and takes them up again.

    Args:
        office: Loads, decides and records.
    """

    office: Office

    async def cancel(
        self, customer: CustomerId, id: str, wish: CancelWish | None = None, *, request_id: str = ""
    ) -> Done:
        """Cancel a subscription; who cancels again gets the same answer.

        Args:
            customer: Whose it is, as the host has signed them in.
            id: Which subscription.
            wish: When and why; the shop's way unless said.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Returns:
            The subscription: ``scheduled.cancel.at`` says when it ends, ``ended_at`` that it has.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It has ended.
            CancellationReached: Its planned end has come.
            CancellationScheduled: It ends earlier than on the day wished for.
            CommitmentRunning: The customer is bound for longer.
            InvalidInput: The day is in the past.
            DateOutOfRange: It lies beyond the year 9999.
            RequestIdReused: The key was used for another request.
        """
        chosen = wish or CancelWish()
        request = Request(Operation.CANCEL.value, request_id, plain_fields(chosen))
        return await self.office.conclude(customer, id, self._leaving(chosen), request=request)

    async def preview_cancel(self, customer: CustomerId, id: str, wish: CancelWish | None = None) -> Done:
        """Answer what ``cancel`` would lead to now; nothing is recorded.

        Args:
            customer: Whose it is.
            id: Which subscription.
            wish: When and why.

        Raises:
            Rejected: As ``cancel`` would.
        """
        return await self.office.preview(customer, id, self._leaving(wish or CancelWish()))

    async def undo_cancellation(self, customer: CustomerId, id: str, *, request_id: str = "") -> Done:
        """Let a subscription go on whose end is planned and hasn't come.

        Args:
            customer: Whose it is.
            id: Which subscription.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            CancellationReached: It has ended.
            OperationNotAllowed: No end is planned.
            OnHold: It waits for a decision of the shop.
            RequestIdReused: The key was used for another request.
        """
        return await self.office.conclude(
            customer,
            id,
            lambda case: undo_cancellation(case.subscription, case.now, self.office.policy),
            request=Request(Operation.UNDO_CANCELLATION.value, request_id),
        )

    async def reactivate(
        self, customer: CustomerId, id: str, wish: Return | None = None, *, request_id: str = ""
    ) -> Done:
        """Take a subscription up again that has ended.

        Args:
            customer: Whose it is.
            id: Which subscription.
            wish: How; the shop's way unless said.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It runs, never ran, or was of a fixed length that is over.
            WinBackWindowClosed: It ended too long ago.
            SettleFirst: These invoices are to be paid first.
            AlreadySubscribed: The customer has another one of that group of plans by now.
            DiscountAlreadyApplied: It has or had a discount of that code.
            DiscountLimitReached: The customer has the discount on as many other subscriptions as it is for.
            TooManyDiscounts: It has as many as there may be.
            CurrencyMismatch: The discount is in another currency.
            RequestIdReused: The key was used for another request.
        """
        wanted = wish or Return()
        request = Request(Operation.REACTIVATE.value, request_id, plain_fields(wanted))
        campaigns = Besides()
        rule = self._returning(wanted, campaigns)
        return await self.office.conclude(customer, id, rule, part=lambda _: campaigns.change, request=request)

    async def preview_reactivate(self, customer: CustomerId, id: str, wish: Return | None = None) -> Done:
        """Answer what ``reactivate`` would lead to now; nothing is recorded.

        Args:
            customer: Whose it is.
            id: Which subscription.
            wish: How.

        Raises:
            Rejected: As ``reactivate`` would.
        """
        return await self.office.preview(customer, id, self._returning(wish or Return(), Besides()))

    def _leaving(self, wish: CancelWish) -> Callable[[Case], Decision]:
        return lambda case: cancel(case.subscription, wish, case.now, case.facts, self.office.policy)

    def _returning(self, wish: Return, campaigns: Besides) -> Callable[[Case], Awaitable[Decision]]:
        async def decide(case: Case) -> Decision:
            await self._require_alone(case.subscription)
            unpaid = owed(case.subscription, await invoices_of(self.office, case.subscription))
            one, campaigns.change = await self._with_what_is_left(case.subscription, wish)
            return reactivate(one, wish, unpaid, case.now, case.facts, self.office.policy)

        return decide

    async def _with_what_is_left(self, subscription: Subscription, wish: Return) -> tuple[Subscription, Change]:
        """Answer a subscription without the discounts that others have used up, and what is kept of campaigns."""
        if subscription.lifecycle not in ENDED:
            return subscription, Change()
        desk, customer = self.office.desk, subscription.customer
        one, kept = await kept_by(desk, subscription)
        wanted = (wish.discount,) if wish.discount else ()
        return one, kept | await granted_to(desk, customer, subscription.id, wanted)

    async def _require_alone(self, subscription: Subscription) -> None:
        """Refuse a second subscription of a group of plans.

        One whose end is due, but not recorded, is found as well, as it was read.

        Raises:
            AlreadySubscribed: There is one.
            StaleWrite: It is this one, and was changed: somebody was faster, and all that was read is out of date.
        """
        if not subscription.holds_group or subscription.lifecycle not in ENDED:
            return
        key = group_key(subscription.account, subscription.terms.group)
        found = await got(self.office.desk.records.find(SUBSCRIPTIONS, key, "live_plan_group"))
        if found is None or (found.it.id, found.it.version) == (subscription.id, subscription.version):
            return
        if found.it.id == subscription.id:
            raise StaleWrite(SUBSCRIPTIONS.name, subscription.id)
        raise AlreadySubscribed(existing=found.it.id)


async def invoices_of(office: Office, subscription: Subscription) -> tuple[Invoice, ...]:
    """Answer every invoice with lines of a subscription, oldest first.

    Args:
        office: Whose books.
        subscription: Which.
    """

    def has_lines(invoice: Invoice) -> bool:
        return subscription.id in invoice.subscriptions

    return tuple(await all_rows(office.desk.records, INVOICES, "account", subscription.account, wanted=has_lines))
