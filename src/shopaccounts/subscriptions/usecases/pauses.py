"""Pausing, leaving single cycles out, moving them and filling them differently, as a customer does it.

The rules, in plain English:

* A preview is the same decision, not recorded.
* What a customer may do goes by where the subscription stands: who owes doesn't pause, and skips nothing.
"""

from datetime import date, datetime

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.canonical import plain_fields, time_text
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.time import require_day
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import PlanUnknown
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.office.desk_work import Case, Done, Office, Rule
from shopaccounts.subscriptions.pausing.cycle_content import CycleContent, content_of, edit_cycle
from shopaccounts.subscriptions.pausing.overrides import skip_cycle, unskip_cycle
from shopaccounts.subscriptions.pausing.pauses import PauseWish, pause, pause_begins, undo_pause
from shopaccounts.subscriptions.pausing.rescheduling import reschedule_cycle, unreschedule_cycle
from shopaccounts.subscriptions.pausing.resuming import resume
from shopaccounts.subscriptions.plans.offers import PlanVersionId
from shopaccounts.subscriptions.requests import Request

__all__ = ["Pauses"]


@attrs.frozen(kw_only=True)
class Pauses:
    """Lets subscriptions rest, and single cycles be different.

    Args:
        office: Loads, decides and records.
    """

    office: Office

    async def pause(
        self, customer: CustomerId, subscription: str, wish: PauseWish | None = None, *, request_id: str = ""
    ) -> Done:
        """Pause a subscription, at once or when its paid time ends.

        Args:
            customer: Whose it is.
            subscription: Which one.
            wish: How; None for the shop's way.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It isn't paid, or doesn't run.
            OnHold: It waits for a decision of the shop.
            CancellationScheduled: It ends first.
            PauseLimitReached: There were too many pauses, the last is too short ago, or this one would last too long.
            InvalidInput: The pause would end before it begins.
            RequestIdReused: The key was used for another request.
        """
        wanted = wish or PauseWish()
        request = Request(Operation.PAUSE.value, request_id, plain_fields(wanted))
        return await self.office.conclude(customer, subscription, self._pausing(wanted), request=request)

    async def preview_pause(self, customer: CustomerId, subscription: str, wish: PauseWish | None = None) -> Done:
        """Answer what ``pause`` would lead to now; nothing is recorded.

        Args:
            customer: Whose it is.
            subscription: Which one.
            wish: How; None for the shop's way.

        Raises:
            Rejected: As ``pause`` would.
        """
        return await self.office.preview(customer, subscription, self._pausing(wish or PauseWish()))

    async def undo_pause(self, customer: CustomerId, subscription: str, *, request_id: str = "") -> Done:
        """Take back a pause that is planned and hasn't begun.

        Args:
            customer: Whose it is.
            subscription: Which one.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OnHold: It waits for a decision of the shop.
            NotPaused: No pause is planned.
            RequestIdReused: The key was used for another request.
        """
        return await self.office.conclude(
            customer,
            subscription,
            lambda case: undo_pause(case.subscription, case.now),
            request=Request("undo_pause", request_id),
        )

    async def resume(
        self, customer: CustomerId, subscription: str, at: datetime | None = None, *, request_id: str = ""
    ) -> Done:
        """Take a paused subscription up again.

        Args:
            customer: Whose it is.
            subscription: Which one.
            at: When, within the pause; None for now.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            NotPaused: It isn't paused.
            OperationNotAllowed: It is paused until its debts are paid.
            PaymentMethodNeeded: Its trial ended, and it waits for a payment method.
            InvalidInput: *at* is in the past, or after the end of the pause.
            RequestIdReused: The key was used for another request.
        """
        request = Request(Operation.RESUME.value, request_id, {"at": time_text(at) if at else ""})
        return await self.office.conclude(customer, subscription, self._resuming(at), request=request)

    async def preview_resume(self, customer: CustomerId, subscription: str, at: datetime | None = None) -> Done:
        """Answer what ``resume`` would lead to now; nothing is recorded.

        Args:
            customer: Whose it is.
            subscription: Which one.
            at: When, within the pause; None for now.

        Raises:
            Rejected: As ``resume`` would.
        """
        return await self.office.preview(customer, subscription, self._resuming(at))

    async def skip_cycle(self, customer: CustomerId, subscription: str, index: int, *, request_id: str = "") -> Done:
        """Leave one cycle out: it isn't billed, and nothing comes.

        Args:
            customer: Whose it is.
            subscription: Which one.
            index: The number of the cycle.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It isn't paid, or doesn't run.
            InvalidInput: There is no such cycle, or it is too far ahead.
            CycleAlreadyBilled: It is billed.
            CutOffPassed: It is too late.
            SkipLimitReached: There are too many in a row, or in a year.
            NothingToChange: It is left out already.
            RequestIdReused: The key was used for another request.
        """

        def rule(case: Case) -> Decision:
            self._require(case, Operation.SKIP_CYCLE)
            return skip_cycle(case.subscription, index, case.now, case.facts, self.office.policy)

        request = Request(Operation.SKIP_CYCLE.value, request_id, {"index": index})
        return await self.office.conclude(customer, subscription, rule, request=request)

    async def unskip_cycle(self, customer: CustomerId, subscription: str, index: int, *, request_id: str = "") -> Done:
        """Take back that a cycle is left out.

        Args:
            customer: Whose it is.
            subscription: Which one.
            index: The number of the cycle.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It isn't paid, or doesn't run.
            CycleAlreadyBilled: It has passed.
            CutOffPassed: It is too late.
            NothingToChange: It isn't left out.
            RequestIdReused: The key was used for another request.
        """

        def rule(case: Case) -> Decision:
            self._require(case, Operation.UNSKIP_CYCLE)
            return unskip_cycle(case.subscription, index, case.now, case.facts, self.office.policy)

        request = Request(Operation.UNSKIP_CYCLE.value, request_id, {"index": index})
        return await self.office.conclude(customer, subscription, rule, request=request)

    async def reschedule_cycle(
        self, customer: CustomerId, subscription: str, index: int, on: date, *, request_id: str = ""
    ) -> Done:
        """Move the beginning of one cycle to another day.

        Args:
            customer: Whose it is.
            subscription: Which one.
            index: The number of the cycle.
            on: The local day on which it is to begin.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It isn't paid, or doesn't run.
            CycleAlreadyBilled: It is billed.
            CutOffPassed: It is too late.
            DateNotPossible: Another day would be possible; says from when to when.
            NothingToChange: It begins on that day already.
            RequestIdReused: The key was used for another request.
        """

        def rule(case: Case) -> Decision:
            self._require(case, Operation.RESCHEDULE_CYCLE)
            return reschedule_cycle(case.subscription, index, on, case.now, case.facts, self.office.policy)

        content = {"index": index, "on": require_day(on).isoformat()}
        request = Request(Operation.RESCHEDULE_CYCLE.value, request_id, content)
        return await self.office.conclude(customer, subscription, rule, request=request)

    async def unreschedule_cycle(
        self, customer: CustomerId, subscription: str, index: int, *, request_id: str = ""
    ) -> Done:
        """Let a cycle that was moved begin again when it should.

        Args:
            customer: Whose it is.
            subscription: Which one.
            index: The number of the cycle.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It isn't paid, or doesn't run.
            CycleAlreadyBilled: It is billed.
            CutOffPassed: It is too late.
            DateNotPossible: That day has passed, or a neighbour was moved there.
            NothingToChange: It wasn't moved.
            RequestIdReused: The key was used for another request.
        """

        def rule(case: Case) -> Decision:
            self._require(case, Operation.UNRESCHEDULE_CYCLE)
            return unreschedule_cycle(case.subscription, index, case.now, case.facts, self.office.policy)

        request = Request(Operation.UNRESCHEDULE_CYCLE.value, request_id, {"index": index})
        return await self.office.conclude(customer, subscription, rule, request=request)

    async def edit_cycle(
        self, customer: CustomerId, subscription: str, index: int, content: CycleContent, *, request_id: str = ""
    ) -> Done:
        """Let one cycle hold something else; the next one holds what was agreed.

        Args:
            customer: Whose it is.
            subscription: Which one.
            index: The number of the cycle.
            content: What it holds; nothing said takes an earlier edit back.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It isn't paid, or doesn't run.
            CycleAlreadyBilled: It is billed.
            CutOffPassed: It is too late.
            BadPlan: The plan sells no such add-on.
            BadQuantity: A quantity that may not be chosen.
            NoPriceInCurrency: An add-on isn't sold in the subscription's currency.
            NothingToChange: It holds that already.
            RequestIdReused: The key was used for another request.
        """
        asked = {"index": index, **plain_fields(content)}
        request = Request(Operation.EDIT_CYCLE.value, request_id, asked)
        return await self.office.conclude(customer, subscription, self._editing(index, content), request=request)

    async def preview_edit_cycle(
        self, customer: CustomerId, subscription: str, index: int, content: CycleContent
    ) -> Done:
        """Answer what ``edit_cycle`` would lead to now; nothing is recorded.

        Args:
            customer: Whose it is.
            subscription: Which one.
            index: The number of the cycle.
            content: What it would hold.

        Raises:
            Rejected: As ``edit_cycle`` would.
        """
        return await self.office.preview(customer, subscription, self._editing(index, content))

    def _require(self, case: Case, operation: Operation, begins: datetime | None = None) -> None:
        require_operation(case.subscription, operation, case.now, self.office.policy, begins=begins)

    def _pausing(self, wish: PauseWish) -> Rule:
        def rule(case: Case) -> Decision:
            begins = pause_begins(case.subscription, wish, case.now, self.office.policy)
            self._require(case, Operation.PAUSE, begins)
            return pause(case.subscription, wish, case.now, case.facts, self.office.policy)

        return rule

    def _resuming(self, at: datetime | None) -> Rule:
        def rule(case: Case) -> Decision:
            self._require(case, Operation.RESUME)
            return resume(case.subscription, at, case.now, case.facts, self.office.policy)

        return rule

    def _editing(self, index: int, content: CycleContent) -> Rule:
        async def rule(case: Case) -> Decision:
            self._require(case, Operation.EDIT_CYCLE)
            version = await got(self.office.plans.version(PlanVersionId(case.subscription.terms.version)))
            if version is None:
                raise PlanUnknown
            lines = content_of(case.subscription, index, content, version)
            return edit_cycle(case.subscription, index, lines, case.now, case.facts, self.office.policy)

        return rule
