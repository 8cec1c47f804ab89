"""Subscribing: what a customer chose becomes a subscription with its first invoice, once."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import CustomerId, StoreId
from shopaccounts.kernel.money import currency
from shopaccounts.kernel.receipts import body_hash, request_key
from shopaccounts.kernel.record import Change, Write
from shopaccounts.kernel.time import zone as zone_named
from shopaccounts.subscriptions.changing.prepaying import begin_ahead
from shopaccounts.subscriptions.collecting.usecases import Collecting
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.errors import (
    AlreadySubscribed,
    PaymentMethodNeeded,
    PlanUnknown,
    RequestIdReused,
)
from shopaccounts.subscriptions.events import TermsAccepted
from shopaccounts.subscriptions.facts import NO_FACTS, Facts
from shopaccounts.subscriptions.lifecycle.agreeing import Choice, agree, with_billing_day
from shopaccounts.subscriptions.lifecycle.trials import TRIALS, TrialUse, may_try, trial_uses
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription, account_id
from shopaccounts.subscriptions.office.beside import waiting_beside
from shopaccounts.subscriptions.office.campaigns import granted_to
from shopaccounts.subscriptions.office.filing import filed, new_ids
from shopaccounts.subscriptions.office.known import Lookups, PriceList
from shopaccounts.subscriptions.papers.documents import INVOICES, Invoice
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentState, PaymentIntent
from shopaccounts.subscriptions.planning.beginning import sign_up
from shopaccounts.subscriptions.planning.taxes import rates_for
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, Papers, write_up
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.subscribing import OneLivePer
from shopaccounts.subscriptions.policy.trials import OncePer
from shopaccounts.subscriptions.ports import PaymentMethods, Plans, Taxes
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.subscriptions.usecases.admitting import admitted
from shopaccounts.subscriptions.usecases.orders import Order, discounts_of, plain, start_of

__all__ = ["ActionNeeded", "PaymentPending", "Preview", "SubscribeAnswer", "Subscribed", "Subscribing"]

_COMMAND = "subscriptions.subscribe"


@attrs.frozen(kw_only=True)
class Subscribed:
    """A subscription that was made, with what was written for it.

    Args:
        subscription: As it is now; ``lifecycle`` says whether it runs already.
        invoice: Its first invoice, None where there is nothing to pay yet.
        payment: The payment of that invoice, None where none is tried by itself.
    """

    subscription: Subscription
    invoice: Invoice | None
    payment: PaymentIntent | None


@attrs.frozen(kw_only=True)
class PaymentPending:
    """A subscription that runs as soon as its first invoice is paid.

    Args:
        subscription: As it is now.
        invoice: Its first invoice.
        payment: The payment of that, as it is now: not answered yet, or declined, and then the customer needs another
            payment method; None where none is tried by itself.
    """

    subscription: Subscription
    invoice: Invoice | None
    payment: PaymentIntent | None


@attrs.frozen(kw_only=True)
class ActionNeeded:
    """A subscription that runs as soon as the customer has done what its first payment needs.

    Args:
        subscription: As it is now.
        invoice: Its first invoice.
        payment: The payment of that, as it is now.
        action: What the customer has to do, as the gateway says it, such as an address to open.
    """

    subscription: Subscription
    invoice: Invoice | None
    payment: PaymentIntent
    action: str


SubscribeAnswer: TypeAlias = Subscribed | PaymentPending | ActionNeeded
"""What an order leads to."""


@attrs.frozen(kw_only=True)
class Preview:
    """What an operation would lead to, computed as if it were done now."""

    subscription: Subscription
    invoices: tuple[Invoice, ...]
    account: BillingAccount


@attrs.frozen(kw_only=True)
class _Ordered:
    """An order that was decided and isn't recorded."""

    before: BillingAccount | None
    beside: Mapping[str, Subscription]
    decision: Decision
    papers: Papers
    accepted: tuple[Event, ...]
    tried: tuple[Write, ...]
    campaigns: Change


@attrs.frozen(kw_only=True)
class Subscribing:
    """Takes orders for subscriptions.

    Args:
        desk: Whose books.
        plans: What is sold.
        taxes: Which rates hold.
        methods: What is known of payment methods.
        payments: Tries the first payment, as soon as it is recorded.
        lookups: Knows the changes of price, for cycles that are paid long before they begin.
        policy: How the shop bills.
    """

    desk: Desk
    plans: Plans
    taxes: Taxes
    methods: PaymentMethods
    payments: Collecting
    lookups: Lookups
    policy: SubscriptionPolicy

    async def subscribe(self, customer: CustomerId, order: Order, *, request_id: str) -> SubscribeAnswer:
        """Make a subscription, and try its first payment at once; asked with the same *request_id*, answer the same.

        Args:
            customer: Who subscribes, as the host has signed them in.
            order: What they want.
            request_id: A key of the caller's choice for this order, 1 to 128 printable ASCII characters.

        Raises:
            AccountNeeded: A guest, in a shop that wants an account for that.
            StatusForbids: The record is closed, erased, or part of another one.
            PlanUnknown: There is no such plan.
            NoPriceInCurrency: It isn't sold in that currency.
            BadQuantity: A quantity that may not be chosen.
            AlreadySubscribed: The customer has a subscription of that group of plans.
            PrepayNotOffered: The plan doesn't offer so many cycles at once.
            CancellationScheduled: It ends before so many have begun.
            TrialAlreadyUsed: The customer, or the card, had a trial.
            PaymentMethodNeeded: The trial needs a payment method.
            DiscountAlreadyApplied: It names a discount of one code twice.
            DiscountLimitReached: The customer has a discount on as many other subscriptions as it is for.
            TooManyDiscounts: So many can't be on one subscription.
            CurrencyMismatch: A discount is in another currency.
            RequestIdReused: The key was used with another order.
            InvalidInput: The start is in the past or too far ahead.
        """

        async def decide() -> SubscribeAnswer:
            asked = body_hash(_COMMAND, plain(order, customer))
            id = _id(self.desk.scope.store, customer, request_key(request_id))
            if (made := await got(self.desk.records.find(SUBSCRIPTIONS, id))) is not None:
                return await self._again(made.it, asked)
            allowed = await admitted(self.desk, customer, self.policy.subscribing)
            try:
                ordered = await self._ordered(customer, order, id, asked)
            except Rejected:  # perhaps because the same order came through meanwhile
                if (made := await got(self.desk.records.find(SUBSCRIPTIONS, id))) is not None:
                    return await self._again(made.it, asked)
                raise
            subscription = ordered.papers.subscriptions[0]
            change = filed(
                self.desk,
                ordered.papers,
                account=ordered.before,
                subscriptions={},
                invoices={},
                beside=ordered.beside,
            )
            told = Change(writes=ordered.tried, events=self.desk.tell(*ordered.accepted))
            await self.desk.record(change | told | ordered.campaigns | allowed)
            invoices, intents = ordered.papers.invoices, ordered.papers.intents
            return _answer(subscription, invoices[0] if invoices else None, intents[0] if intents else None)

        made = await self.desk.retrying(decide, 3, on_taken=True)
        return await self._paid_at_once(made) if _waits_to_be_tried(made.payment) else made

    async def _paid_at_once(self, made: SubscribeAnswer) -> SubscribeAnswer:
        """Try the first payment."""
        if made.payment is None:
            return made
        payment = await self.payments.try_now(made.payment.invoice)
        subscription = await got(self.desk.records.find(SUBSCRIPTIONS, made.subscription.id))
        invoice = await got(self.desk.records.find(INVOICES, made.payment.invoice))
        if subscription is None or invoice is None:
            return made
        return _answer(subscription.it, invoice.it, payment)

    async def preview_subscribe(self, customer: CustomerId, order: Order) -> Preview:
        """Answer what an order would lead to now; nothing is recorded.

        Args:
            customer: Who would subscribe.
            order: What they would want.

        Raises:
            Rejected: As ``subscribe`` would.
        """
        await admitted(self.desk, customer, self.policy.subscribing)
        papers = (await self._ordered(customer, order, "preview", "")).papers
        return Preview(subscription=papers.subscriptions[0], invoices=papers.invoices, account=papers.account)

    async def _ordered(self, customer: CustomerId, order: Order, id: str, asked: str) -> _Ordered:
        now = self.desk.now()
        version = await got(self.plans.version(order.plan))
        if version is None:
            raise PlanUnknown
        found = await got(self.desk.records.find(ACCOUNTS, account_id(self.desk.scope.store, customer)))
        before = found.it if found else None
        account = _with_order(before or self._new_account(customer, order, now), order)
        await self._require_alone(account, version)
        trial, uses = await self._trial(customer, order, version, account, now)
        choice = Choice(
            version=version,
            currency=currency(order.currency),
            quantity=order.quantity,
            add_ons=order.add_ons,
            starts_at=start_of(order, account.zone, now, self.policy),
            trial=trial,
            discounts=discounts_of(order, id, account.zone, now),
            payment_method=_own_method(order, account),
        )
        agreed = agree(choice, account, self.policy, id=id, zone=account.zone, now=now)
        agreed = attrs.evolve(
            agreed,
            request=asked,
            reference=order.reference,
            ship_to=order.ship_to,
            begun_on_wish=order.begin_on_wish,
            told_of_withdrawal=order.told_of_withdrawal,
        )
        account = with_billing_day(account, agreed)
        facts = NO_FACTS
        if order.prepay is not None:
            facts = Facts(price_changes=await self.lookups.prices(PriceList(), now))
            agreed = begin_ahead(agreed, order.prepay, now, facts, self.policy)
        signed = sign_up(agreed, now, facts, self.policy)
        signed = attrs.evolve(signed, subscription=projected(signed.subscription, self.policy))
        beside = await waiting_beside(self.desk.records, [account], ())
        papers = await self._written(account, signed, beside, now)
        return _Ordered(
            before=before,
            beside=beside,
            decision=signed,
            papers=papers,
            accepted=_accepted(agreed, order, now),
            tried=self._tried(agreed, uses) if agreed.trial else (),
            campaigns=await granted_to(self.desk, customer, id, order.discounts),
        )

    def _new_account(self, customer: CustomerId, order: Order, now: datetime) -> BillingAccount:
        scope = self.desk.scope
        return BillingAccount(
            id=account_id(scope.store, customer),
            realm=scope.realm,
            store=scope.store,
            customer=customer,
            zone=zone_named(order.zone),
            payment_method=order.payment_method,
            tax_profile=order.tax_profile,
            locale=order.locale,
            created_at=now,
        )

    async def _require_alone(self, account: BillingAccount, version: PlanVersion) -> None:
        if self.policy.subscribing.one_live_per is OneLivePer.NONE:
            return
        held = f"{account.id}/{version.plan.group}"
        found = await got(self.desk.records.find(SUBSCRIPTIONS, held, "live_plan_group"))
        if found is not None:
            raise AlreadySubscribed(existing=found.it.id)

    async def _trial(
        self, customer: CustomerId, order: Order, version: PlanVersion, account: BillingAccount, now: datetime
    ) -> tuple[bool, tuple[tuple[str, TrialUse | None], ...]]:
        """Tell whether there is a trial, and under which ids it is remembered."""
        if not order.trial or not version.has_trial:
            return False, ()
        method = order.payment_method or account.payment_method
        asks = self.policy.trials.needs_payment_method or (version.trial and version.trial.needs_payment_method)
        if asks and method is None:
            raise PaymentMethodNeeded
        fingerprint = await got(self.methods.fingerprint(method)) if method else None
        of = version.plan.group if self.policy.trials.once_per is OncePer.PLAN_GROUP else version.plan.id
        ids = trial_uses(self.desk.scope.store, customer, fingerprint, of)
        earlier = {use.id: use for use in await got(self.desk.records.pick(TRIALS, ids))}
        allowed = may_try(tuple(earlier.values()), self.policy.trials, now)
        return allowed, tuple((id, earlier.get(id)) for id in ids)

    def _tried(self, agreed: Subscription, uses: tuple[tuple[str, TrialUse | None], ...]) -> tuple[Write, ...]:
        """Remember a trial, of the customer and of the card."""
        return tuple(self._use(id, was, agreed) for id, was in uses)

    def _use(self, id: str, was: TrialUse | None, agreed: Subscription) -> Write:
        use = TrialUse(
            id=id,
            realm=agreed.realm,
            store=agreed.store,
            customer=agreed.customer,
            subscription=agreed.id,
            at=agreed.created_at,
        )
        return TRIALS.change(was, use) if was else TRIALS.add(use)

    async def _written(
        self, account: BillingAccount, signed: Decision, beside: Mapping[str, Subscription], now: datetime
    ) -> Papers:
        rates = await rates_for(self.taxes, [signed], {account.id: account})
        facts = PaperFacts(rates=rates.get(account.id, {}), method=account.payment_method, beside=beside)
        return write_up(account, [signed], facts, self.policy, now, new_ids(self.desk))

    async def _again(self, made: Subscription, asked: str) -> SubscribeAnswer:
        """Answer what an order led to that came before."""
        if made.request != asked:
            raise RequestIdReused
        live = made.live[:1]
        invoices = await got(self.desk.records.pick(INVOICES, [one.invoice for one in live])) if live else ()
        if not invoices:
            return _answer(made, None, None)
        last = await got(self.desk.records.rows(INTENTS, "invoice", invoices[0].id, None, 1, newest_first=True))
        return _answer(made, invoices[0], last.items[0] if last.items else None)


def _answer(subscription: Subscription, invoice: Invoice | None, payment: PaymentIntent | None) -> SubscribeAnswer:
    """Answer what an order led to, by whether the subscription runs and what it waits for."""
    if subscription.lifecycle is not Lifecycle.INCOMPLETE:
        return Subscribed(subscription=subscription, invoice=invoice, payment=payment)
    if payment is not None and payment.state is IntentState.NEEDS_ACTION:
        return ActionNeeded(subscription=subscription, invoice=invoice, payment=payment, action=payment.action)
    return PaymentPending(subscription=subscription, invoice=invoice, payment=payment)


def _waits_to_be_tried(payment: PaymentIntent | None) -> bool:
    return payment is not None and payment.state is IntentState.READY


def _id(store: StoreId, customer: CustomerId, request: str) -> str:
    """Answer the id of the one subscription that a request of a customer makes."""
    return hashlib.sha256(f"{store}\0{customer}\0{request}".encode()).hexdigest()[:32]


def _with_order(account: BillingAccount, order: Order) -> BillingAccount:
    """Answer an account that has a payment method, if the order brings the first."""
    if account.payment_method is not None or order.payment_method is None:
        return account
    return attrs.evolve(account, payment_method=order.payment_method, method_removed=False)


def _own_method(order: Order, account: BillingAccount) -> str | None:
    """Answer what pays this subscription alone; what the account has anyway changes with the account."""
    return None if order.payment_method == account.payment_method else order.payment_method


def _accepted(agreed: Subscription, order: Order, now: datetime) -> tuple[Event, ...]:
    if not order.accepts_terms:
        return ()
    return (TermsAccepted(at=now, account=agreed.customer, subscription=agreed.id, plan=agreed.terms.version),)
