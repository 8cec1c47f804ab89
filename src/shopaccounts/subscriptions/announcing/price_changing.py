"""New prices: a shop announces them, and customers say what they think of them.

The rules, in plain English:

* A new price is that of a new version of the plan. It is announced for a day that is still to come.
* Whoever announces it says why. Who it was, and why, is kept with it.
* A customer sees what is going to change, from when on, and until when an answer counts. The same answer twice is one.
* What becomes of it is decided when each subscription's next period begins: see ``pricing`` and ``price_moves``.
"""

from datetime import date, datetime

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.staff import OnDuty, Permission, Staff
from shopaccounts.kernel.time import local_date, require_day
from shopaccounts.subscriptions.changing.price_moves import price_instance, price_moment
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.errors import PlanUnknown, PriceChangeOver, SubscriptionUnknown
from shopaccounts.subscriptions.events import PriceChangeAccepted, PriceChangeAnnounced, PriceChangeDeclined
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.laws.notices import SentNotice
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, Subscription
from shopaccounts.subscriptions.notices.agenda import NOTICE_AGENDAS
from shopaccounts.subscriptions.notices.occasions import Occasion, price_occasions
from shopaccounts.subscriptions.plans.offers import PhaseKind, PlanVersion, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import Tariff
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import Plans
from shopaccounts.subscriptions.pricing import (
    PRICE_ANSWERS,
    PRICE_CHANGES,
    AppliesTo,
    Consent,
    PriceAnswer,
    PriceChange,
    Reply,
    answer_id,
    answer_price_change,
    require_within_cap,
)
from shopaccounts.subscriptions.requests import Request, asked_by, done_before, remembered

__all__ = ["OpenPriceChange", "Prices"]

_MOST = 100
_ANNOUNCE = "announce_price_change"


@attrs.frozen(kw_only=True)
class OpenPriceChange:
    """A new price that a subscription is going to have.

    Args:
        change: Id of the change.
        starts_on: The first local day on which it would hold.
        answer_by: The instant from which on no answer counts.
        before: What a whole period costs now, as prices are quoted to the customer.
        after: What it would cost.
        consent: Whether the customer is asked.
        reply: What the customer said, None for nothing.
    """

    change: str
    starts_on: date
    answer_by: datetime
    before: Money
    after: Money
    consent: Consent
    reply: Reply | None


@attrs.frozen(kw_only=True)
class Prices:
    """Changes the prices of running subscriptions.

    Args:
        desk: Whose books.
        staff: Who may announce.
        plans: What is sold.
        policy: How the shop changes prices.
    """

    desk: Desk
    staff: Staff
    plans: Plans
    policy: SubscriptionPolicy

    async def announce_price_change(
        self,
        former: PlanVersionId,
        version: PlanVersionId,
        *,
        effective_on: date,
        reason: str,
        applies_to: AppliesTo = AppliesTo.AT_RENEWAL,
        consent: Consent = Consent.NOT_NEEDED,
        request_id: str = "",
    ) -> PriceChange:
        """Announce that a plan has a new price from a day on.

        Args:
            former: The version at whose price it is sold until then.
            version: The version of the same plan at whose price it is sold then.
            effective_on: The first local day on which the new price can hold.
            reason: Why, up to 500 characters.
            applies_to: For whom.
            consent: Whether customers are asked.
            request_id: A key of the clerk's own: asked again with it, nothing is announced twice.

        Raises:
            Forbidden: Whoever acts may not do it.
            InvalidInput: No reason, or a day that is over.
            PlanUnknown: One of the versions isn't known, or they are of two plans.
            RequestIdReused: The key was used for another request.
            BadPlan: The price rises by more than the shop allows.
        """
        duty = await self.staff.require(Permission.CHANGE_PRICES, reason)
        content = {
            "version": version,
            "effective_on": require_day(effective_on).isoformat(),
            "applies_to": applies_to.value,
            "consent": consent.value,
        }
        asked = asked_by(self.desk, f"agent/{duty.agent}", former, Request(_ANNOUNCE, request_id, content))

        async def decide() -> PriceChange:
            if (known := await done_before(self.desk, asked)) is not None:
                return await self._change(known.led_to[PRICE_CHANGES.name][0])
            id = self.desk.entropy.new_id(self.desk.now())
            change = await self._announced(id, former, version, effective_on, applies_to, consent, duty)
            told = PriceChangeAnnounced(
                at=change.announced_at, price_change=id, plan=change.plan, effective_on=effective_on
            )
            kept = remembered(self.desk, asked, {PRICE_CHANGES.name: (id,)})
            await self.desk.record(Change(writes=(PRICE_CHANGES.add(change),), events=self.desk.tell(told)) | kept)
            return change

        return await self.desk.retrying(decide, 3, on_taken=True)

    async def _change(self, id: str) -> PriceChange:
        found = await got(self.desk.records.find(PRICE_CHANGES, id))
        if found is None:
            raise PriceChangeOver
        return found.it

    async def _announced(
        self,
        id: str,
        former: PlanVersionId,
        version: PlanVersionId,
        effective_on: date,
        applies_to: AppliesTo,
        consent: Consent,
        duty: OnDuty,
    ) -> PriceChange:
        now, scope = self.desk.now(), self.desk.scope
        old, new = await got(self.plans.versions([former, version]))
        if old is None or new is None or old.plan.id != new.plan.id:
            raise PlanUnknown
        if require_day(effective_on) < now.date():
            raise InvalidInput(field="effective_on", reason="range")
        require_within_cap(_lasting(old), _lasting(new), self.policy.prices)
        return PriceChange(
            id=id,
            realm=scope.realm,
            store=scope.store,
            plan=new.plan.id,
            plan_version=new.id,
            prices=_lasting(new),
            effective_on=effective_on,
            applies_to=applies_to,
            consent=consent,
            announced_at=now,
            announced_by=duty.agent,
            reason=duty.reason,
        )

    async def open_price_changes(self, customer: CustomerId, subscription: str) -> tuple[OpenPriceChange, ...]:
        """Answer which higher prices a subscription is going to have, the earliest first.

        Args:
            customer: Whose it is.
            subscription: Which.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
        """
        found = await self._found(customer, subscription)
        store = str(self.desk.scope.store)
        rows = await got(self.desk.records.rows(PRICE_CHANGES, "store", store, None, _MOST, newest_first=True))
        now = self.desk.now()
        ids = [answer_id(subscription, change.id) for change in rows.items]
        answers = await got(self.desk.records.pick(PRICE_ANSWERS, ids)) if ids else ()
        facts = Facts(price_changes=rows.items, price_answers=answers, notices=_sent(found))
        awaited = price_occasions(found.it, facts, self.policy, now)
        return tuple(one for occasion in awaited if (one := _open(occasion, found.it, facts)))

    async def accept_price_change(
        self, customer: CustomerId, subscription: str, change: str, *, request_id: str = ""
    ) -> PriceAnswer:
        """Agree to a new price; again is all the same.

        Args:
            customer: Whose subscription it is.
            subscription: Which.
            change: Id of the change of price.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It has ended.
            OnHold: It waits for a decision of the shop.
            PriceChangeOver: Nobody is asked, or it is too late.
            RequestIdReused: The key was used for another request.
        """
        return await self._answer(
            customer,
            subscription,
            change,
            Reply.ACCEPTED,
            Request("accept_price_change", request_id, {"change": change}),
        )

    async def decline_price_change(
        self, customer: CustomerId, subscription: str, change: str, *, request_id: str = ""
    ) -> PriceAnswer:
        """Refuse a new price; again is all the same.

        Args:
            customer: Whose subscription it is.
            subscription: Which.
            change: Id of the change of price.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            OperationNotAllowed: It has ended.
            OnHold: It waits for a decision of the shop.
            PriceChangeOver: Nobody is asked, or it is too late.
            RequestIdReused: The key was used for another request.
        """
        return await self._answer(
            customer,
            subscription,
            change,
            Reply.DECLINED,
            Request("decline_price_change", request_id, {"change": change}),
        )

    async def _answer(
        self, customer: CustomerId, id: str, change_id: str, reply: Reply, request: Request
    ) -> PriceAnswer:
        asked, operation = asked_by(self.desk, customer, id, request), Operation(request.command)

        async def decide() -> PriceAnswer:
            known = await done_before(self.desk, asked)
            found = await self._found(customer, id)
            if known is None:
                require_operation(found.it, operation, self.desk.now(), self.policy)
            change = await self._change(change_id)
            earlier = await got(self.desk.records.find(PRICE_ANSWERS, answer_id(id, change_id)))
            before, now = earlier.it if earlier else None, self.desk.now()
            if known is not None and before is not None:
                return before
            answer, kept = self._answered(change, found, reply, before, now), remembered(self.desk, asked)
            if answer is not before:
                kept |= self._recorded(answer, before, found.it)
            await self.desk.record(kept)
            return answer

        return await self.desk.retrying(decide, 3, on_taken=True)

    def _answered(
        self,
        change: PriceChange,
        found: Found[Subscription],
        reply: Reply,
        before: PriceAnswer | None,
        now: datetime,
    ) -> PriceAnswer:
        sent = _sent(found)
        awaited = tuple(price_occasions(found.it, Facts(price_changes=(change,), notices=sent), self.policy, now))
        asked = [one.id for one in sent if one.instance == price_instance(change.id)]
        return answer_price_change(
            change,
            found.it.id,
            reply,
            notice=asked[-1] if asked else "",
            earlier=before,
            closes_at=awaited[0].at if awaited else now,
            now=now,
        )

    def _recorded(self, answer: PriceAnswer, before: PriceAnswer | None, subscription: Subscription) -> Change:
        event = PriceChangeAccepted if answer.reply is Reply.ACCEPTED else PriceChangeDeclined
        told = event(
            at=answer.answered_at,
            account=subscription.customer,
            subscription=subscription.id,
            price_change=answer.change,
        )
        write = PRICE_ANSWERS.change(before, answer) if before else PRICE_ANSWERS.add(answer)
        return Change(writes=(write,), guards=(SUBSCRIPTIONS.unchanged(subscription),), events=self.desk.tell(told))

    async def _found(self, customer: CustomerId, id: str) -> Found[Subscription]:
        found = await got(self.desk.records.find(SUBSCRIPTIONS, id, bring=(NOTICE_AGENDAS.via(),)))
        if found is None or found.it.customer != customer:
            raise SubscriptionUnknown
        return found


def _lasting(version: PlanVersion) -> tuple[Tariff, ...]:
    """Answer the prices of a plan after trial and introduction."""
    offers = {PhaseKind.TRIAL, PhaseKind.INTRO}
    lasting = next((phase for phase in version.phases if phase.kind not in offers), version.phases[-1])
    return lasting.prices


def _sent(found: Found[Subscription]) -> tuple[SentNotice, ...]:
    agenda = found[NOTICE_AGENDAS]
    return agenda.sent if agenda else ()


def _open(occasion: Occasion, subscription: Subscription, facts: Facts) -> OpenPriceChange | None:
    change = occasion.change
    if change is None:
        return None
    period = service_period_of(subscription.segments, occasion.index, moved=subscription.moved)
    moment = price_moment(change, subscription, period, facts)
    if moment is None:
        return None
    return OpenPriceChange(
        change=change.id,
        starts_on=local_date(moment.starts_at, subscription.zone),
        answer_by=moment.starts_at,
        before=moment.before,
        after=moment.after,
        consent=change.consent,
        reply=moment.reply,
    )
