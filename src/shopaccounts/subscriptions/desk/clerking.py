"""What the shop's own people do to a customer's subscription: trials, discounts, holds, the zone, the price."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.canonical import plain_fields, time_text
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.ports import Position, Rows
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.staff import Permission
from shopaccounts.kernel.time import local_date, require_day
from shopaccounts.kernel.time import zone as zone_named
from shopaccounts.subscriptions.changing.relocating import relocate
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.desk.acts import CLERK_ACTS, ActKind
from shopaccounts.subscriptions.desk.granting import grant_discount, take_discount_away
from shopaccounts.subscriptions.desk.holds import HoldMode, resolve_hold
from shopaccounts.subscriptions.desk.work import Acted, ActPage, Clerks, Errand, written
from shopaccounts.subscriptions.errors import (
    NothingToChange,
    OnHold,
    OperationNotAllowed,
    PlanUnknown,
    SubscriptionUnknown,
)
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.lifecycle.regrouping import overrides_dropped
from shopaccounts.subscriptions.lifecycle.trials import end_trial_now, extend_trial
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, Subscription, account_id
from shopaccounts.subscriptions.office.campaigns import granted_to
from shopaccounts.subscriptions.office.desk_work import Besides, Case, Done, Office
from shopaccounts.subscriptions.office.standing import behind, on_file
from shopaccounts.subscriptions.pausing.rescheduling import postpone_all
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.plans.discounts import Discount
from shopaccounts.subscriptions.plans.offers import PlanVersion, PlanVersionId
from shopaccounts.subscriptions.states import ENDED

__all__ = ["BillingDesk"]

_MOST_SUBSCRIPTIONS = 500
ClerkRule = Callable[[Case], Decision | Awaitable[Decision]]
Look = Callable[[Subscription], Mapping[str, str]]
"""What an act notes of a subscription, before and after."""


@attrs.frozen(kw_only=True)
class BillingDesk:
    """Where a shop's people look after customers' subscriptions.

    Every act takes an agent who may do it and a reason, and is kept with both: see ``acts``. With a *request_id* of the
    clerk's own an act is done once, and asked again it answers what it led to.

    Args:
        clerks: Who may do it, and what is kept of it.
        office: Loads, decides and records.
    """

    clerks: Clerks
    office: Office

    async def acts(self, customer: CustomerId, reason: str, after: Position | None = None, limit: int = 50) -> ActPage:
        """Answer what the shop's people did in a customer's account, the newest first.

        Args:
            customer: Whose account.
            reason: Why somebody looks, up to 500 characters.
            after: Where the page before ended.
            limit: How many at most, 1 to 500.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            InvalidInput: No reason.
        """
        await self.clerks.staff.require(Permission.BILLING, reason)
        desk = self.clerks.desk
        account = account_id(desk.scope.store, customer)
        rows = await got(desk.records.rows(CLERK_ACTS, "account", account, after, limit, newest_first=True))
        return ActPage(acts=rows.items, after=rows.next)

    async def doubled(self, reason: str, after: Position | None = None, limit: int = 50) -> Rows[Subscription]:
        """List the subscriptions whose customer has another one of that group of plans, because two became one.

        Both run, and each is billed. A clerk asks the customer which of them is meant, and ends the other.

        Args:
            reason: Why somebody looks, up to 500 characters.
            after: Where the page before ended.
            limit: How many at most, 1 to 500.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            InvalidInput: No reason.
        """
        await self.clerks.staff.require(Permission.BILLING, reason)
        desk = self.clerks.desk
        return await got(desk.records.rows(SUBSCRIPTIONS, "doubled", desk.scope.store, after, limit))

    # Trials

    async def extend_trial(self, subscription: str, until: datetime, reason: str, *, request_id: str = "") -> Acted:
        """Let a trial last longer; what is paid for begins later by as much.

        Args:
            subscription: One on trial.
            until: When it ends then.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: There is none.
            OperationNotAllowed: It isn't on trial.
            OnHold: It waits for a decision.
            InvalidInput: *until* isn't later than now planned or beyond what a trial may last, or there is no reason.
            RequestIdReused: The key was used for something else.
        """
        errand = await self.clerks.errand(
            ActKind.EXTEND_TRIAL, subscription, reason, request_id, {"until": time_text(until)}
        )

        async def rule(case: Case) -> Decision:
            version = await self._version(case.subscription)
            longer = extend_trial(case.subscription, until, version, case.account, self.office.policy)
            return Decision(subscription=longer, events=overrides_dropped(case.subscription, longer, case.now))

        return await self._act(errand, rule, _trial)

    async def end_trial_now(self, subscription: str, reason: str, *, request_id: str = "") -> Acted:
        """End a trial at once: what is paid for begins now, with cycles that count from today.

        Args:
            subscription: One on trial.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: There is none.
            OperationNotAllowed: It isn't on trial.
            OnHold: It waits for a decision.
            InvalidInput: There is no reason.
            RequestIdReused: The key was used for something else.
        """
        errand = await self.clerks.errand(ActKind.END_TRIAL, subscription, reason, request_id)

        async def rule(case: Case) -> Decision:
            version, policy = await self._version(case.subscription), self.office.policy
            over = end_trial_now(case.subscription, case.now, version, case.account, policy)
            told = overrides_dropped(case.subscription, over, case.now)
            return Decision(subscription=over, events=told).then(plan(over, case.facts, policy, case.now))

        return await self._act(errand, rule, _trial)

    async def _version(self, subscription: Subscription) -> PlanVersion:
        version = await got(self.office.plans.version(PlanVersionId(subscription.terms.version)))
        if version is None:
            raise PlanUnknown
        return version

    # Discounts, and the price

    async def apply_discount(
        self, subscription: str, discount: Discount, reason: str, *, now: bool = False, request_id: str = ""
    ) -> Acted:
        """Grant a customer a discount, from the next cycle on that isn't billed.

        Args:
            subscription: To which.
            discount: What is granted.
            reason: Why, up to 500 characters.
            now: Whether the running cycle has it too; what it would have taken is credited.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: There is none.
            OperationNotAllowed: It has ended.
            OnHold: It waits for a decision.
            DiscountAlreadyApplied: It has or had one of the same code.
            DiscountLimitReached: The customer has it on as many other subscriptions as it is for.
            TooManyDiscounts: So many are live already.
            CurrencyMismatch: The amount is in another currency.
            InvalidInput: There is no reason.
            RequestIdReused: The key was used for something else.
        """
        asked = {"discount": plain_fields(discount), "now": now}
        errand = await self.clerks.errand(ActKind.APPLY_DISCOUNT, subscription, reason, request_id, asked)

        campaign = Besides()

        async def rule(case: Case) -> Decision:
            one = case.subscription
            require_operation(one, Operation.APPLY_DISCOUNT, case.now, self.office.policy)
            granted = grant_discount(one, discount, case.facts.invoices, case.now, at_once=now, reason=errand.reason)
            campaign.change = await granted_to(self.clerks.desk, one.customer, one.id, [discount])
            return granted

        return await self._act(errand, rule, _discounts, campaign)

    async def remove_discount(self, subscription: str, discount: str, reason: str, *, request_id: str = "") -> Acted:
        """Take a discount away, from the next cycle on that isn't billed; issued invoices stay.

        Args:
            subscription: From which.
            discount: Which, by its code.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: There is none.
            OperationNotAllowed: It has ended.
            OnHold: It waits for a decision.
            NothingToChange: It has no such discount, or it is over.
            InvalidInput: There is no reason.
            RequestIdReused: The key was used for something else.
        """
        errand = await self.clerks.errand(ActKind.REMOVE_DISCOUNT, subscription, reason, request_id, {"code": discount})

        def rule(case: Case) -> Decision:
            require_operation(case.subscription, Operation.APPLY_DISCOUNT, case.now, self.office.policy)
            return take_discount_away(case.subscription, discount, case.now)

        return await self._act(errand, rule, _discounts)

    async def lock_price(self, subscription: str, until: date | None, reason: str, *, request_id: str = "") -> Acted:
        """Promise a customer that no change of price touches a subscription for a while.

        Args:
            subscription: Which.
            until: The local day before which its price stays; None takes a promise back.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: There is none.
            OperationNotAllowed: It has ended.
            OnHold: It waits for a decision.
            NothingToChange: It is promised already, or there is no promise to take back.
            InvalidInput: The day is over, or there is no reason.
            RequestIdReused: The key was used for something else.
        """
        asked = {"until": require_day(until).isoformat() if until else ""}
        errand = await self.clerks.errand(ActKind.LOCK_PRICE, subscription, reason, request_id, asked)

        def rule(case: Case) -> Decision:
            one = case.subscription
            _require_running(one, ActKind.LOCK_PRICE)
            if until == one.price_locked_until:
                raise NothingToChange
            if until is not None and until <= local_date(case.now, one.zone):
                raise InvalidInput(field="until", reason="range")
            return Decision(subscription=attrs.evolve(one, price_locked_until=until))

        return await self._act(errand, rule, _price)

    # Cycles

    async def postpone_all(self, subscription: str, days: int, reason: str, *, request_id: str = "") -> Acted:
        """Put off all that is to come of a subscription; what is paid for lasts longer by as much, for nothing.

        Args:
            subscription: Which.
            days: By how many days, 1 to 366.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: There is none.
            OperationNotAllowed: It doesn't run.
            OnHold: It waits for a decision.
            CancellationScheduled: It ends before the next cycle, or with it.
            InvalidInput: A number of days that can't be, or there is no reason.
            RequestIdReused: The key was used for something else.
        """
        errand = await self.clerks.errand(ActKind.POSTPONE_ALL, subscription, reason, request_id, {"days": days})

        def rule(case: Case) -> Decision:
            require_operation(case.subscription, Operation.MOVE_BILLING_DAY, case.now, self.office.policy)
            return postpone_all(case.subscription, days, case.now)

        return await self._act(errand, rule, _next_cycle)

    # Holds

    async def resolve_hold(self, subscription: str, mode: HoldMode, reason: str, *, request_id: str = "") -> Acted:
        """Decide about a subscription that waits for a person, over all that is due of it by now.

        A cycle that is on file already stays there as it is, whatever is decided about the others. A long backlog takes
        several changes; the answer names the documents of the last.

        Args:
            subscription: One on hold, for whatever reason.
            mode: Each held cycle on an invoice of its own, all on one, the latest alone, or none.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: There is none.
            NothingToChange: It isn't on hold.
            InvalidInput: There is no reason.
            RequestIdReused: The key was used for something else.
        """
        asked = {"mode": mode.value}
        errand = await self.clerks.errand(ActKind.RESOLVE_HOLD, subscription, reason, request_id, asked)
        before: dict[str, str] = {}

        async def rule(case: Case) -> Decision:
            if not before:
                before.update(_hold(case.subscription))
            decision = resolve_hold(case.subscription, mode, case.facts, self.office.policy, case.now)
            return behind(decision, await on_file(self.clerks.desk.records, [decision]), case.now)

        def part(done: Done) -> Change:
            if done.subscription.hold is not None:
                return Change()
            after, ids = _hold(done.subscription), written(done.papers)
            return self.clerks.kept(errand, done.papers.account, before, after, ids)

        async def work() -> None:
            while True:
                done = await self.office.conclude(None, subscription, rule, part=part)
                if done.subscription.hold is None:
                    return

        return await self.clerks.once(errand, work)

    # The zone

    async def change_zone(self, customer: CustomerId, zone: str, reason: str, *, request_id: str = "") -> Acted:
        """Let a customer's days begin where those of another time zone do, from the next unbilled cycle on.

        All subscriptions of the account that haven't ended move along, each from its own next cycle on.

        Args:
            customer: Whose.
            zone: Where the customer lives now, as a key of the tz database.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: The customer has no billing account.
            OnHold: A subscription waits for a decision.
            UnknownZone: There is no such zone.
            NothingToChange: The account is there already.
            InvalidInput: There is no reason.
            RequestIdReused: The key was used for something else.
        """
        there, desk = zone_named(zone), self.clerks.desk
        account = account_id(desk.scope.store, customer)
        errand = await self.clerks.errand(ActKind.CHANGE_ZONE, account, reason, request_id, {"zone": zone})

        def rule(case: Case) -> Decision:
            settled = case.subscription.lifecycle in ENDED or case.subscription.zone == there
            return Decision(subscription=case.subscription) if settled else relocate(case.subscription, there, case.now)

        async def move() -> None:
            found = await got(desk.records.find(ACCOUNTS, account))
            if found is None:
                raise SubscriptionUnknown
            if found.it.zone == there:
                raise NothingToChange
            now = attrs.evolve(found.it, zone=there)
            kept = self.clerks.kept(errand, now, {"zone": found.it.zone.name}, {"zone": there.name})
            await desk.record(Change(writes=(ACCOUNTS.change(found.it, now),)) | kept)

        async def work() -> None:
            rows = await got(desk.records.rows(SUBSCRIPTIONS, "account", account, None, _MOST_SUBSCRIPTIONS))
            running = [one for one in rows.items if one.lifecycle not in ENDED and one.zone != there]
            for one in running:
                _require_running(one, ActKind.CHANGE_ZONE)
            for one in running:
                await self.office.conclude(None, one.id, rule)
            await desk.retrying(move, 3)

        return await self.clerks.once(errand, work)

    async def _act(self, errand: Errand, rule: ClerkRule, look: Look, besides: Besides | None = None) -> Acted:
        """Decide about a subscription, and keep what it looked like before and after."""
        before: dict[str, str] = {}

        async def noting(case: Case) -> Decision:
            if case.subscription.hold is not None and case.subscription.lifecycle not in ENDED:
                raise OnHold(case.subscription.hold.since)
            before.update(look(case.subscription))
            return await got(rule(case))

        def part(done: Done) -> Change:
            after = look(done.subscription)
            kept = self.clerks.kept(errand, done.papers.account, before, after, written(done.papers))
            return kept | besides.change if besides else kept

        return await self.clerks.once(errand, lambda: self.office.conclude(None, errand.subject, noting, part=part))


def _require_running(subscription: Subscription, act: ActKind) -> None:
    if subscription.hold is not None:
        raise OnHold(subscription.hold.since)
    if subscription.lifecycle in ENDED:
        raise OperationNotAllowed(act.value, subscription.lifecycle.value, subscription.collection.value)


def _trial(subscription: Subscription) -> Mapping[str, str]:
    ends = time_text(subscription.trial.ends_at) if subscription.trial else ""
    return {"lifecycle": subscription.lifecycle.value, "trial_ends_at": ends}


def _discounts(subscription: Subscription) -> Mapping[str, str]:
    return {"discounts": ", ".join(one.discount.code for one in subscription.discounts)}


def _price(subscription: Subscription) -> Mapping[str, str]:
    until = subscription.price_locked_until
    return {"price_locked_until": until.isoformat() if until else ""}


def _next_cycle(subscription: Subscription) -> Mapping[str, str]:
    return {"next_cycle": subscription.begins_on(subscription.billed_to).isoformat()}


def _hold(subscription: Subscription) -> Mapping[str, str]:
    hold = subscription.hold
    return {"hold": hold.code if hold else "", "billed_to": str(subscription.billed_to)}
