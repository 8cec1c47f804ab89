"""Moving in: a shop brings along the subscriptions that another system has billed so far."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.canonical import plain_fields
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.money import currency as currency_of
from shopaccounts.kernel.receipts import request_key
from shopaccounts.kernel.record import Change, Write
from shopaccounts.kernel.time import local_date
from shopaccounts.kernel.time import zone as zone_named
from shopaccounts.subscriptions.boxes.delivering import DELIVERY_ROUNDS
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.desk.acts import ActKind
from shopaccounts.subscriptions.desk.work import Acted, Clerks, Errand
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.errors import AlreadySubscribed, PlanUnknown
from shopaccounts.subscriptions.events import SubscriptionActivated, SubscriptionPaused, TrialStarted
from shopaccounts.subscriptions.lifecycle.agreeing import with_billing_day
from shopaccounts.subscriptions.lifecycle.importing import RunningElsewhere, imported, rows_billed_elsewhere
from shopaccounts.subscriptions.lifecycle.trials import TRIALS, TrialUse, trial_uses
from shopaccounts.subscriptions.model import (
    ACCOUNTS,
    SUBSCRIPTIONS,
    BillingAccount,
    PauseReason,
    Subscription,
    account_id,
)
from shopaccounts.subscriptions.office.campaigns import counted_too
from shopaccounts.subscriptions.office.filing import filed
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, write_up
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.trials import OncePer
from shopaccounts.subscriptions.ports import PaymentMethods, Plans
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["SubscriptionImports"]


@attrs.frozen(kw_only=True)
class SubscriptionImports:
    """Takes over running subscriptions.

    Args:
        desk: Whose books.
        clerks: Who may do it, and what is kept of it.
        plans: What is sold.
        methods: What is known of payment methods.
        policy: How the shop bills.
    """

    desk: Desk
    clerks: Clerks
    plans: Plans
    methods: PaymentMethods
    policy: SubscriptionPolicy

    async def import_subscription(self, running: RunningElsewhere, reason: str, *, request_id: str) -> Acted:
        """Let a subscription go on here as it ran elsewhere; nothing that was billed is billed again.

        Args:
            running: How it runs.
            reason: Why, up to 500 characters.
            request_id: What the other system calls it: the same one is imported once.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            PlanUnknown: There is no such plan.
            NoPriceInCurrency: It isn't sold in that currency.
            BadQuantity: A quantity that may not be chosen.
            BadPlan: There is no such add-on.
            AlreadySubscribed: The customer has a subscription of that group of plans.
            RequestIdReused: The key was used with another subscription.
            InvalidInput: It can't have run like that, or there is no reason or key.
        """
        errand = await self.clerks.errand(
            ActKind.IMPORT_SUBSCRIPTION, running.customer, reason, request_key(request_id), _plain(running)
        )

        async def decide() -> None:
            await self.desk.record(await self._import(running, errand))

        return await self.clerks.once(errand, lambda: self.desk.retrying(decide, 3))

    async def _import(self, running: RunningElsewhere, errand: Errand) -> Change:
        now = self.desk.now()
        version = await got(self.plans.version(running.plan))
        if version is None:
            raise PlanUnknown
        found = await got(self.desk.records.find(ACCOUNTS, account_id(self.desk.scope.store, running.customer)))
        account = found.it if found else self._account(running, now)
        await self._require_alone(account, version)
        made = imported(
            running, version, currency_of(running.currency), account, self.policy, id=f"{errand.id}-s", now=now
        )
        made = projected(made, self.policy)
        account = with_billing_day(account, made)
        begun = Decision(subscription=made, cycles=rows_billed_elsewhere(made), events=_told(made, now))
        papers = write_up(account, [begun], PaperFacts(), self.policy, now, str)
        change = filed(self.desk, papers, account=found.it if found else None, subscriptions={}, invoices={})
        change = _without_earlier_boxes(change, running.boxes_from or local_date(now, made.zone))
        after = {"lifecycle": made.lifecycle.value, "billed_to": str(made.billed_to)}
        kept = self.clerks.kept(errand, account, {}, after, (made.id,))
        campaigns = await counted_too(self.desk, made.customer, made.id, [one.discount for one in made.discounts])
        return change | Change(writes=await self._trial_uses(running, version, made)) | campaigns | kept

    def _account(self, running: RunningElsewhere, now: datetime) -> BillingAccount:
        scope = self.desk.scope
        return BillingAccount(
            id=account_id(scope.store, running.customer),
            realm=scope.realm,
            store=scope.store,
            customer=running.customer,
            zone=zone_named(running.zone),
            payment_method=running.payment_method,
            tax_profile=running.tax_profile,
            locale=running.locale,
            created_at=now,
        )

    async def _require_alone(self, account: BillingAccount, version: PlanVersion) -> None:
        held = f"{account.id}/{version.plan.group}"
        found = await got(self.desk.records.find(SUBSCRIPTIONS, held, "live_plan_group"))
        if found is not None:
            raise AlreadySubscribed(existing=found.it.id)

    async def _trial_uses(
        self, running: RunningElsewhere, version: PlanVersion, made: Subscription
    ) -> tuple[Write, ...]:
        """Remember a trial, of the customer and of the card, that isn't remembered yet."""
        if running.trial is None:
            return ()
        fingerprint = await got(self.methods.fingerprint(running.payment_method)) if running.payment_method else None
        of = version.plan.group if self.policy.trials.once_per is OncePer.PLAN_GROUP else version.plan.id
        ids = trial_uses(made.store, made.customer, fingerprint, of)
        known = {use.id for use in await got(self.desk.records.pick(TRIALS, ids))}
        begun = running.trial.started_at
        return tuple(TRIALS.add(_use(id, made, begun)) for id in ids if id not in known)


def _plain(running: RunningElsewhere) -> Mapping[str, Any]:
    anchor = f"{running.anchor} {running.anchor.zone.name}" if running.anchor else ""
    return plain_fields(attrs.evolve(running, anchor=None)) | {"anchor": anchor}


def _without_earlier_boxes(change: Change, day: date) -> Change:
    """Answer the same change, in which boxes are looked after from a day on: earlier ones were somebody else's."""
    writes = [
        attrs.evolve(one, now=attrs.evolve(one.now, decided_to=max(one.now.decided_to, day)))
        if one.book is DELIVERY_ROUNDS
        else one
        for one in change.writes
    ]
    return attrs.evolve(change, writes=tuple(writes))


def _use(id: str, made: Subscription, begun: datetime) -> TrialUse:
    return TrialUse(id=id, realm=made.realm, store=made.store, customer=made.customer, subscription=made.id, at=begun)


def _told(made: Subscription, now: datetime) -> tuple[Event, ...]:
    """Tell that a subscription runs here from now on; one that is paused has run before."""
    plan, who = made.terms.version, made.customer
    if made.lifecycle is Lifecycle.TRIALING and made.trial:
        return (TrialStarted(at=now, account=who, subscription=made.id, plan=plan, ends_at=made.trial.ends_at),)
    runs = SubscriptionActivated(at=now, account=who, subscription=made.id, plan=plan)
    if made.pause is None:
        return (runs,)
    asked, until = PauseReason.ASKED.value, made.pause.until
    return runs, SubscriptionPaused(at=now, account=who, subscription=made.id, reason=asked, until=until)
