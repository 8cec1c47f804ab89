"""Collecting what invoices owe: by itself, on news of the gateway, by other means, and with a new payment method."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.record import Change, Write
from shopaccounts.kernel.text import require_text
from shopaccounts.subscriptions.collecting.asking import Asking, verdict_on
from shopaccounts.subscriptions.collecting.casework import Casework
from shopaccounts.subscriptions.collecting.dossiers import Dossier, Outcome, Unsettled
from shopaccounts.subscriptions.collecting.outcomes import after_answer, after_payment, after_reversal, tried_anew
from shopaccounts.subscriptions.errors import InvoiceNotOpen, InvoiceUnknown, SubscriptionUnknown
from shopaccounts.subscriptions.model import (
    ACCOUNTS,
    SUBSCRIPTIONS,
    BillingAccount,
    CollectionMode,
    Subscription,
    account_id,
)
from shopaccounts.subscriptions.papers.documents import INVOICES, Invoice, InvoiceState
from shopaccounts.subscriptions.payments.charging import ActionNeeded, Charged, Declined
from shopaccounts.subscriptions.payments.debts import Debt, MethodChange, method_change
from shopaccounts.subscriptions.payments.intents import INTENTS, PaymentIntent, Purpose, is_live
from shopaccounts.subscriptions.policy import SubscriptionPolicy

__all__ = ["CollectReport", "Collecting", "MethodChanged"]

_ROUNDS = 3
_REFERENCE = 200


@attrs.frozen(kw_only=True)
class CollectReport:
    """What a round of collecting did; it tells nothing about any person.

    Args:
        pages: How many pages were worked on.
        charged: How many payments succeeded, refunds included.
        declined: How many were declined.
        waiting: How many wait for their customer.
        unknown: How many are looked up later, because no answer came.
        asked_again: How many the gateway had never seen, and are asked for once more.
        not_asked: How many came to something without asking: nothing was due any more, there was no payment method, or
            a law wants the customer there.
        looked_after: How many invoices became overdue, were given up, or were settled by something else.
    """

    pages: int = 0
    charged: int = 0
    declined: int = 0
    waiting: int = 0
    unknown: int = 0
    asked_again: int = 0
    not_asked: int = 0
    looked_after: int = 0


@attrs.frozen(kw_only=True)
class MethodChanged:
    """What a new payment method led to.

    Args:
        tried: The payments that were tried at once, as they are now.
        left: The other open invoices.
        total: What the customer has to agree to so that all are tried; None if that is not one amount.
    """

    tried: tuple[PaymentIntent, ...]
    left: tuple[str, ...]
    total: Money | None


@attrs.frozen(kw_only=True)
class _Wallet:
    """What a payment method pays: an account, or one subscription of it; and what is open of that."""

    account: BillingAccount
    subscription: Subscription | None
    unsettled: tuple[Unsettled, ...]

    def changed(self, method: str) -> Write:
        """Write the method down."""
        if self.subscription is not None:
            return SUBSCRIPTIONS.change(self.subscription, attrs.evolve(self.subscription, payment_method=method))
        return ACCOUNTS.change(self.account, attrs.evolve(self.account, payment_method=method))


@attrs.frozen(kw_only=True)
class Collecting:
    """Has invoices paid, and chases those that aren't.

    Args:
        desk: Whose books.
        casework: Decides and records.
        asking: Asks the gateway; None for shops whose customers pay by themselves.
        policy: How the shop chases.
    """

    desk: Desk
    casework: Casework
    asking: Asking | None
    policy: SubscriptionPolicy

    # By itself

    async def collect_due(self, *, limit: int = 100, max_pages: int | None = None, worker: WorkerId) -> CollectReport:
        """Work off payments and unpaid invoices whose time has come, page by page, until nothing is left.

        Safe at any time, twice, by many workers, and after any crash: under one key money moves once.

        Args:
            limit: How many payments a page has at most, 1 to 500.
            max_pages: After how many pages of payments to stop.
            worker: Who works.

        Raises:
            InvalidInput: The limit is out of its range.
        """
        if not 1 <= limit <= 500:  # noqa: PLR2004  (a page of any listing)
            raise InvalidInput(field="limit", reason="range")
        looked_after = 0
        while (page := await self.casework.look_after(limit, worker)) > 0:
            looked_after += page
        counted, pages = Counter[str](), 0
        while self.asking is not None and (max_pages is None or pages < max_pages):
            came_to = await self.asking.page(limit, worker)
            if came_to is None:
                break
            counted, pages = counted + came_to, pages + 1
        return CollectReport(
            pages=pages,
            charged=counted["Charged"],
            declined=counted["Declined"],
            waiting=counted["ActionNeeded"],
            unknown=counted["NoAnswer"],
            asked_again=counted["NeverSeen"],
            not_asked=counted["given_up"],
            looked_after=looked_after,
        )

    async def try_now(self, invoice: str) -> PaymentIntent | None:
        """Try the payment of an invoice at once that waits for its time, while the customer is there.

        Args:
            invoice: Which.

        Returns:
            The payment that waited, or the last one if none did, as it is now; None if the invoice has none.

        Raises:
            InvoiceUnknown: There is no such invoice.
        """
        await self._invoice(invoice)
        intents = await self.casework.intents_of(invoice)
        waiting = next((one for one in intents if is_live(one) and one.purpose is Purpose.CHARGE), None)
        if waiting is None or self.asking is None:
            return waiting or (intents[-1] if intents else None)
        await self.asking.try_now(invoice)
        return await self._intent(waiting.key)

    # News

    async def settle_payment(self, intent_key: str, outcome: Charged | Declined | ActionNeeded) -> PaymentIntent:
        """Take news of the gateway, such as a webhook whose signature the host has checked: twice, and in any order.

        Args:
            intent_key: The key under which the gateway was asked.
            outcome: What became of that.

        Returns:
            The payment, as it is now.

        Raises:
            InvoiceUnknown: Nothing was ever asked under that key.
        """
        intent = await self._intent(intent_key)

        def rule(dossier: Dossier, one: PaymentIntent, policy: SubscriptionPolicy, now: datetime) -> Outcome | None:
            return after_answer(dossier, one, outcome, policy, now)

        await self.casework.decide(intent.invoice, verdict_on(intent.id, rule, self.policy))
        return await self._intent(intent_key)

    async def reverse_payment(self, intent_key: str) -> PaymentIntent:
        """Take a payment off its invoice again, because the customer's bank took it back: a chargeback.

        Nothing is tried by itself after that. Told twice, it counts once.

        Args:
            intent_key: The key of the payment.

        Returns:
            The payment, as it is now.

        Raises:
            InvoiceUnknown: There is no such payment.
        """
        intent = await self._intent(intent_key)
        await self.casework.decide(intent.invoice, verdict_on(intent.id, after_reversal, self.policy))
        return await self._intent(intent_key)

    async def record_payment(self, invoice: str, amount: Money, reference: str) -> Invoice:
        """Take money that came by other means than the gateway, such as a bank transfer, or part of it.

        What is too much goes to the customer's balance.

        Args:
            invoice: What is paid.
            amount: How much came, above zero.
            reference: The number of the transfer, 1 to 200 characters; recorded twice, it counts once.

        Returns:
            The invoice, as it is now.

        Raises:
            InvoiceUnknown: There is no such invoice.
            InvoiceNotOpen: It is a draft.
            CurrencyMismatch: The money is in another currency.
            InvalidInput: The amount isn't above zero, or the reference can't be one.
        """
        require_text(reference, "reference", cap=_REFERENCE)
        found = await self._invoice(invoice)
        if found.state is InvoiceState.DRAFT:
            raise InvoiceNotOpen(found.state.value)

        def verdict(dossier: Dossier, now: datetime) -> Outcome | None:
            return after_payment(dossier, amount, reference, self.policy, now)

        await self.casework.decide(invoice, verdict)
        return await self._invoice(invoice)

    # Another payment method

    async def change_payment_method(
        self, customer: CustomerId, method: str, *, agreed_total: Money | None = None, subscription: str | None = None
    ) -> MethodChanged:
        """Let another payment method pay, and try open invoices with it at once, as far as the customer knows of them.

        Args:
            customer: Whose, as the host has signed them in.
            method: The new method, as the host names it.
            agreed_total: What the customer agreed to pay at once, as ``preview_method_change`` told it; without it at
                most one invoice is tried.
            subscription: The one that is to be paid by it; None for all that have no method of their own.

        Raises:
            SubscriptionUnknown: The customer has none, or not this one.
            InvalidInput: The method has no name.
        """
        require_text(method, "method", cap=_REFERENCE)

        async def decide() -> tuple[MethodChange, list[str]]:
            now, wallet = self.desk.now(), await self._wallet(customer, subscription)
            plan = method_change(_debts(wallet), self.policy.dunning, now, agreed_total=agreed_total)
            wanted = {debt.invoice for debt in plan.tried}
            chosen = [one for one in wallet.unsettled if one.invoice.id in wanted]
            writes = [write for one in chosen for write in _tried(wallet.account, one, method, now)]
            await self.desk.record(Change(writes=(wallet.changed(method), *writes)))
            return plan, [one.invoice.id for one in chosen]

        plan, chosen = await self.desk.retrying(decide, _ROUNDS, on_taken=True)
        tried = [await self.try_now(invoice) for invoice in chosen]
        return MethodChanged(
            tried=tuple(one for one in tried if one is not None),
            left=tuple(debt.invoice for debt in plan.left),
            total=plan.total,
        )

    async def preview_method_change(self, customer: CustomerId, *, subscription: str | None = None) -> MethodChange:
        """Answer which open invoices a new payment method would be tried on now, and what all of them come to.

        Args:
            customer: Whose, as the host has signed them in.
            subscription: The one that is to be paid by it; None for all that have no method of their own.

        Raises:
            SubscriptionUnknown: The customer has none, or not this one.
        """
        wallet = await self._wallet(customer, subscription)
        return method_change(_debts(wallet), self.policy.dunning, self.desk.now())

    async def _wallet(self, customer: CustomerId, subscription: str | None) -> _Wallet:
        found = await got(self.desk.records.find(ACCOUNTS, account_id(self.desk.scope.store, customer)))
        own = await got(self.desk.records.find(SUBSCRIPTIONS, subscription)) if subscription is not None else None
        if found is None or (subscription is not None and (own is None or own.it.customer != customer)):
            raise SubscriptionUnknown
        open_ones = [one for one in await self.casework.unsettled(found.it) if one.invoice.state is InvoiceState.OPEN]
        if own is not None:
            mine = [one for one in open_ones if own.it.id in one.invoice.subscriptions]
            return _Wallet(account=found.it, subscription=own.it, unsettled=tuple(mine))
        apart = await self._paid_apart(open_ones)
        theirs = [one for one in open_ones if not apart.issuperset(one.invoice.subscriptions)]
        return _Wallet(account=found.it, subscription=None, unsettled=tuple(theirs))

    async def _paid_apart(self, unsettled: Sequence[Unsettled]) -> set[str]:
        """Answer the subscriptions that have a payment method of their own."""
        ids = sorted({id for one in unsettled for id in one.invoice.subscriptions})
        found = await got(self.desk.records.pick(SUBSCRIPTIONS, ids)) if ids else ()
        return {one.id for one in found if one.payment_method is not None}

    # Looking up

    async def _intent(self, key: str) -> PaymentIntent:
        found = await got(self.desk.records.find(INTENTS, key))
        if found is None:
            raise InvoiceUnknown
        return found.it

    async def _invoice(self, id: str) -> Invoice:
        found = await got(self.desk.records.find(INVOICES, id))
        if found is None:
            raise InvoiceUnknown
        return found.it


def _debts(wallet: _Wallet) -> list[Debt]:
    if wallet.account.collection_mode is CollectionMode.SEND_INVOICE:
        return []
    return [one.as_debt(wallet.account) for one in wallet.unsettled]


def _tried(account: BillingAccount, unsettled: Unsettled, method: str, now: datetime) -> list[Write]:
    """Write the attempt that an open invoice gets, if none is under way."""
    known = {one.id: one for one in unsettled.intents}
    intent = tried_anew(account, unsettled, method, now)
    if intent is None or intent == known.get(intent.id):
        return []
    return [INTENTS.change(known[intent.id], intent) if intent.id in known else INTENTS.add(intent)]
