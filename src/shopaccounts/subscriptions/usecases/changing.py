"""What customers change about a subscription: plan, quantity, add-ons, product, frequency, billing day."""

from collections.abc import Awaitable, Callable
from datetime import date

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.canonical import plain_fields
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.scope import ActorKind
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.changing.changes import (
    change,
    change_without_money,
    drop_change,
    move_billing_day,
    require_below_limit,
)
from shopaccounts.subscriptions.changing.changing_early import change_plan_early
from shopaccounts.subscriptions.changing.prepaying import prepay
from shopaccounts.subscriptions.changing.quoting import ChangeQuote
from shopaccounts.subscriptions.changing.wanting import add_on_wish, plan_wish
from shopaccounts.subscriptions.cycles.schedules import BillingDay
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.errors import NothingToChange, PlanUnknown
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.office.desk_work import Case, Done, Office
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.plans.offers import PLAN_LINE, PlanVersion, PlanVersionId
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.requests import Request
from shopaccounts.subscriptions.scheduled import Wish
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.subscriptions.usecases.change_requests import (
    Changed,
    ChangeRequest,
    How,
    Said,
    product_request,
    quantity_request,
    removal_request,
)

__all__ = ["Changing"]

_EARLY = frozenset({Lifecycle.PENDING, Lifecycle.TRIALING})
_WITHOUT_MONEY = _EARLY | {Lifecycle.PAUSED}


_ANY_WAY = How()


@attrs.frozen(kw_only=True)
class Changing:
    """Changes what was agreed on. Each change has a preview: what it would lead to now, with nothing recorded.

    Somebody of the shop, an agent of the scope, may date a change back.

    Args:
        office: Loads, decides and records.
    """

    office: Office

    async def change_plan(
        self,
        customer: CustomerId,
        id: str,
        version: PlanVersionId,
        *,
        quantity: int | None = None,
        how: How = _ANY_WAY,
        request_id: str = "",
    ) -> Changed:
        """Change to another plan of the same group, or to another version of it.

        Args:
            customer: Whose it is.
            id: Which subscription.
            version: Its new plan.
            quantity: How many; None for as many as there are.
            how: When it holds, and how it is priced.
            request_id: A key of the caller's choice: asked again with it, nothing is changed twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            PlanUnknown: There is no such plan.
            BadPlan: It is of another group of plans.
            NothingToChange: It is so already.
            OperationNotAllowed: The subscription can't be changed as it stands.
            ChangeLimitReached: There were so many changes today.
            RequestIdReused: The key was used for another request.
            Rejected: As ``changes.change`` says.
        """
        return await self._done(customer, id, self._plan(Operation.CHANGE_PLAN, version, quantity, how), request_id)

    async def preview_change_plan(
        self,
        customer: CustomerId,
        id: str,
        version: PlanVersionId,
        *,
        quantity: int | None = None,
        how: How = _ANY_WAY,
    ) -> Changed:
        """Answer what ``change_plan`` would lead to now; nothing is recorded."""
        return await self._seen(customer, id, self._plan(Operation.CHANGE_PLAN, version, quantity, how))

    async def change_frequency(
        self, customer: CustomerId, id: str, version: PlanVersionId, *, how: How = _ANY_WAY, request_id: str = ""
    ) -> Changed:
        """Change to a plan of the same group that is billed in another rhythm.

        Args:
            customer: Whose it is.
            id: Which subscription.
            version: The plan with the other rhythm.
            how: When it holds, and how it is priced.
            request_id: A key of the caller's choice: asked again with it, nothing is changed twice.

        Raises:
            NothingToChange: It has the rhythm that there is now.
            Rejected: As ``change_plan`` says.
        """
        return await self._done(customer, id, self._plan(Operation.CHANGE_FREQUENCY, version, None, how), request_id)

    async def preview_change_frequency(
        self, customer: CustomerId, id: str, version: PlanVersionId, *, how: How = _ANY_WAY
    ) -> Changed:
        """Answer what ``change_frequency`` would lead to now; nothing is recorded."""
        return await self._seen(customer, id, self._plan(Operation.CHANGE_FREQUENCY, version, None, how))

    async def change_quantity(
        self,
        customer: CustomerId,
        id: str,
        quantity: int,
        *,
        line: str = PLAN_LINE,
        how: How = _ANY_WAY,
        request_id: str = "",
    ) -> Changed:
        """Have more or less of the plan, or of an add-on.

        Args:
            customer: Whose it is.
            id: Which subscription.
            quantity: How many.
            line: Of which line.
            how: When it holds, and how it is priced.
            request_id: A key of the caller's choice: asked again with it, nothing is changed twice.

        Raises:
            BadQuantity: A quantity that may not be chosen.
            InvalidInput: There is no such line.
            Rejected: As ``change_plan`` says, but for plans.
        """
        return await self._done(customer, id, quantity_request(quantity, line, how), request_id)

    async def preview_change_quantity(
        self, customer: CustomerId, id: str, quantity: int, *, line: str = PLAN_LINE, how: How = _ANY_WAY
    ) -> Changed:
        """Answer what ``change_quantity`` would lead to now; nothing is recorded."""
        return await self._seen(customer, id, quantity_request(quantity, line, how))

    async def add_add_on(
        self,
        customer: CustomerId,
        id: str,
        key: str,
        *,
        quantity: int = 1,
        how: How = _ANY_WAY,
        request_id: str = "",
    ) -> Changed:
        """Add something that is sold with the plan.

        Args:
            customer: Whose it is.
            id: Which subscription.
            key: Which add-on of its plan.
            quantity: How many.
            how: When it holds, and how it is priced.
            request_id: A key of the caller's choice: asked again with it, nothing is changed twice.

        Raises:
            BadPlan: The plan has no such add-on.
            NoPriceInCurrency: It isn't sold in the subscription's currency.
            BadQuantity: A quantity that may not be chosen.
            Rejected: As ``change_plan`` says, but for plans.
        """
        return await self._done(customer, id, self._add_on(key, quantity, how), request_id)

    async def preview_add_add_on(
        self, customer: CustomerId, id: str, key: str, *, quantity: int = 1, how: How = _ANY_WAY
    ) -> Changed:
        """Answer what ``add_add_on`` would lead to now; nothing is recorded."""
        return await self._seen(customer, id, self._add_on(key, quantity, how))

    async def remove_add_on(
        self, customer: CustomerId, id: str, key: str, *, how: How = _ANY_WAY, request_id: str = ""
    ) -> Changed:
        """Have an add-on no more.

        Args:
            customer: Whose it is.
            id: Which subscription.
            key: Which add-on.
            how: When it holds, and how it is priced.
            request_id: A key of the caller's choice: asked again with it, nothing is changed twice.

        Raises:
            InvalidInput: There is no such line, or it is the plan's own.
            Rejected: As ``change_plan`` says, but for plans.
        """
        return await self._done(customer, id, removal_request(key, how), request_id)

    async def preview_remove_add_on(self, customer: CustomerId, id: str, key: str, *, how: How = _ANY_WAY) -> Changed:
        """Answer what ``remove_add_on`` would lead to now; nothing is recorded."""
        return await self._seen(customer, id, removal_request(key, how))

    async def swap_product(
        self,
        customer: CustomerId,
        id: str,
        product: str,
        *,
        line: str = PLAN_LINE,
        how: How = _ANY_WAY,
        request_id: str = "",
    ) -> Changed:
        """Have another product on a line, at the same price; the host has checked that the customer may.

        Args:
            customer: Whose it is.
            id: Which subscription.
            product: What is delivered or licensed instead.
            line: On which line.
            how: When it holds.
            request_id: A key of the caller's choice: asked again with it, nothing is changed twice.

        Raises:
            InvalidInput: There is no such line.
            Rejected: As ``change_plan`` says, but for plans.
        """
        return await self._done(customer, id, product_request(product, line, how), request_id)

    async def preview_swap_product(
        self, customer: CustomerId, id: str, product: str, *, line: str = PLAN_LINE, how: How = _ANY_WAY
    ) -> Changed:
        """Answer what ``swap_product`` would lead to now; nothing is recorded."""
        return await self._seen(customer, id, product_request(product, line, how))

    async def move_billing_day(
        self, customer: CustomerId, id: str, day: BillingDay, *, request_id: str = ""
    ) -> Changed:
        """Move the day on which periods begin: from the end of what is paid on, with a stub up to the first new day.

        Args:
            customer: Whose it is.
            id: Which subscription.
            day: On which day of the month, year or week.
            request_id: A key of the caller's choice: asked again with it, nothing is changed twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            NothingToChange: It is that day already.
            BadPlan: The day doesn't suit the plan's rhythm.
            OperationNotAllowed: The subscription can't be changed as it stands.
            RequestIdReused: The key was used for another request.
        """
        content = {"kind": type(day).__name__, **plain_fields(day)}
        request = Request(Operation.MOVE_BILLING_DAY.value, request_id, content)
        done = await self.office.conclude(customer, id, self._moved(day), request=request)
        return _changed(done)

    async def preview_move_billing_day(self, customer: CustomerId, id: str, day: BillingDay) -> Changed:
        """Answer what ``move_billing_day`` would lead to now; nothing is recorded."""
        done = await self.office.preview(customer, id, self._moved(day))
        return _changed(done)

    async def prepay(self, customer: CustomerId, id: str, cycles: int, *, request_id: str = "") -> Changed:
        """Pay for several cycles at once, from the end of what is paid on, at what the plan takes off for that.

        Args:
            customer: Whose it is.
            id: Which subscription.
            cycles: How many, as its plan offers it, 2 to 36.
            request_id: A key of the caller's choice: asked again with it, nothing is billed twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            PrepayNotOffered: The plan doesn't offer so many at once.
            AlreadyPrepaid: Several cycles are paid already, and the last of them hasn't begun.
            CancellationScheduled: It ends before so many have begun.
            OperationNotAllowed: It doesn't run, isn't paid, or is about to pause.
            OnHold: It waits for a decision of the shop.
            RequestIdReused: The key was used for another request.
            TypeError: *cycles* is no whole number.
        """
        request = Request(Operation.PREPAY.value, request_id, {"cycles": cycles})
        return _changed(await self.office.conclude(customer, id, self._prepaid(cycles), request=request))

    async def preview_prepay(self, customer: CustomerId, id: str, cycles: int) -> Changed:
        """Answer what ``prepay`` would lead to now; nothing is recorded."""
        return _changed(await self.office.preview(customer, id, self._prepaid(cycles)))

    async def drop_change(self, customer: CustomerId, id: str, *, request_id: str = "") -> Changed:
        """Drop the change that is planned.

        Args:
            customer: Whose it is.
            id: Which subscription.
            request_id: A key of the caller's choice: asked again with it, nothing is changed twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            NothingToChange: None is planned.
            RequestIdReused: The key was used for another request.
        """
        request = Request("drop_change", request_id)
        done = await self.office.conclude(
            customer, id, lambda case: drop_change(case.subscription, case.now), request=request
        )
        return _changed(done)

    @property
    def policy(self) -> SubscriptionPolicy:
        """How the shop bills."""
        return self.office.policy

    def _moved(self, day: BillingDay) -> Callable[[Case], Decision]:
        def rule(case: Case) -> Decision:
            require_operation(case.subscription, Operation.MOVE_BILLING_DAY, case.now, self.policy)
            return move_billing_day(case.subscription, day, self.policy, case.now)

        return rule

    def _prepaid(self, cycles: int) -> Callable[[Case], Awaitable[Decision]]:
        async def rule(case: Case) -> Decision:
            require_operation(case.subscription, Operation.PREPAY, case.now, self.policy)
            facts = await self.office.with_prices(case)
            return prepay(case.subscription, cycles, case.now, facts, self.policy)

        return rule

    def _plan(
        self,
        operation: Operation,
        id: PlanVersionId,
        quantity: int | None,
        how: How,
    ) -> ChangeRequest:
        async def wanted(case: Case, day: date) -> tuple[Wish, PlanVersion | None]:
            version = await self._version(id)
            wish = plan_wish(case.subscription, version, case.account, day, self.policy, quantity=quantity)
            other = wish.terms and wish.terms.phases[-1].interval != case.subscription.terms.phases[-1].interval
            if operation is Operation.CHANGE_FREQUENCY and not other:
                raise NothingToChange
            return wish, version

        body: dict[str, object] = {"plan": id, "quantity": quantity or 0}
        return ChangeRequest(operation=operation, wanted=wanted, body=body, how=how)

    def _add_on(self, key: str, quantity: int, how: How) -> ChangeRequest:
        async def wanted(case: Case, day: date) -> tuple[Wish, PlanVersion | None]:
            version = await self._version(PlanVersionId(case.subscription.terms.version))
            return add_on_wish(case.subscription, version, key, quantity, day), None

        body: dict[str, object] = {"key": key, "quantity": quantity}
        return ChangeRequest(operation=Operation.ADD_ADD_ON, wanted=wanted, body=body, how=how)

    async def _version(self, id: PlanVersionId) -> PlanVersion:
        version = await got(self.office.plans.version(id))
        if version is None:
            raise PlanUnknown
        return version

    async def _done(self, customer: CustomerId, id: str, wish: ChangeRequest, key: str) -> Changed:
        said = Said()
        done = await self.office.conclude(customer, id, self._rule(wish, said), request=wish.under(key))
        return _changed(done, said.quote)

    async def _seen(self, customer: CustomerId, id: str, wish: ChangeRequest) -> Changed:
        said = Said()
        done = await self.office.preview(customer, id, self._rule(wish, said))
        return _changed(done, said.quote)

    def _rule(self, wish: ChangeRequest, said: Said) -> Callable[[Case], Awaitable[Decision]]:
        async def rule(case: Case) -> Decision:
            require_operation(case.subscription, wish.operation, case.now, self.policy)
            return await self._decided(case, wish, said)

        return rule

    async def _decided(self, case: Case, wish: ChangeRequest, said: Said) -> Decision:
        subscription, now = case.subscription, case.now
        today = local_date(now, subscription.zone)
        when = wish.how.when
        wanted, version = await wish.wanted(case, when if isinstance(when, date) else today)
        if subscription.lifecycle not in _WITHOUT_MONEY:
            said.quote = change(
                subscription,
                case.facts,
                (wanted,),
                wish.how.preset,
                when,
                self.policy,
                now,
                by_shop=self.office.desk.scope.actor.kind is ActorKind.AGENT,
            )
            return said.quote.decision
        require_below_limit(subscription, today, self.policy)
        if version is None or subscription.lifecycle not in _EARLY:
            return change_without_money(subscription, (wanted,), self.policy, now)
        early = change_plan_early(subscription, version, wanted.quantity, case.account, self.policy, now)
        return early.then(plan(projected(early.subscription, self.policy), case.facts, self.policy, now))


def _changed(done: Done, quote: ChangeQuote | None = None) -> Changed:
    papers = done.papers
    return Changed(
        subscription=done.subscription,
        invoices=papers.invoices,
        notes=papers.notes,
        account=papers.account,
        quote=quote,
    )
