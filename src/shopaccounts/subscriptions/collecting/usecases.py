"""Collecting what invoices owe: by itself, on news of the gateway, by other means, and with a new payment method."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Self

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.canonical import plain_fields
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money, currency
from shopaccounts.kernel.record import Change, Write
from shopaccounts.kernel.text import require_text
from shopaccounts.subscriptions.collecting.asking import Asking, verdict_on
from shopaccounts.subscriptions.collecting.casework import Casework
from shopaccounts.subscriptions.collecting.dossiers import Dossier, Outcome, Unsettled
from shopaccounts.subscriptions.collecting.losing_a_method import without_method
from shopaccounts.subscriptions.collecting.outcomes import after_answer, after_payment, after_reversal, tried_anew
from shopaccounts.subscriptions.errors import InvoiceNotOpen, InvoiceUnknown, SubscriptionUnknown
from shopaccounts.subscriptions.guards import Operation, require_operation
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
from shopaccounts.subscriptions.requests import KeptRequest, Request, asked_by, done_before, remembered

__all__ = ["CollectReport", "Collecting", "MethodChanged"]

_ROUNDS = 3
_REFERENCE = 200
_MOST = 500
_REMOVE_METHOD: Final = "remove_payment_method"
_CHANGE_METHOD: Final = "change_payment_method"


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
        return ACCOUNTS.change(self.account, attrs.evolve(self.account, payment_method=method, method_removed=False))


@attrs.frozen(kw_only=True)
class _Switch:
    """What a new payment method is tried on, what is left open, and what all of that comes to."""

    tried: tuple[str, ...]
    left: tuple[str, ...]
    total: Money | None

    @classmethod
    def of(cls, plan: MethodChange, tried: Sequence[str]) -> Self:
        """Answer it as it was decided."""
        return cls(tried=tuple(tried), left=tuple(debt.invoice for debt in plan.left), total=plan.total)

    @classmethod
    def again(cls, known: KeptRequest) -> Self:
        """Answer it as it was decided when it was asked for before."""
        led_to = known.led_to
        total = Money(int(led_to["total"][0]), currency(led_to["total"][1])) if led_to["total"] else None
        return cls(tried=led_to["tried"], left=led_to["left"], total=total)

    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Answer it as it is remembered."""
        total = () if self.total is None else (str(self.total.minor), self.total.currency)
        return {"tried": self.tried, "left": self.left, "total": total}


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
        self,
        customer: CustomerId,
        method: str,
        *,
        agreed_total: Money | None = None,
        subscription: str | None = None,
        request_id: str = "",
    ) -> MethodChanged:
        """Let another payment method pay, and try open invoices with it at once, as far as the customer knows of them.

        Args:
            customer: Whose, as the host has signed them in.
            method: The new method, as the host names it.
            agreed_total: What the customer agreed to pay at once, as ``preview_method_change`` told it; without it at
                most one invoice is tried.
            subscription: The one that is to be paid by it; None for all that have no method of their own.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Raises:
            SubscriptionUnknown: The customer has none, or not this one.
            OperationNotAllowed: The one named has ended.
            OnHold: It waits for a decision of the shop.
            InvalidInput: The method has no name.
            RequestIdReused: The key was used for another request.
        """
        require_text(method, "method", cap=_REFERENCE)
        content = {"method": method, "agreed_total": plain_fields(agreed_total) if agreed_total is not None else None}
        asked = asked_by(self.desk, customer, subscription or "", Request(_CHANGE_METHOD, request_id, content))

        async def decide() -> _Switch:
            if (known := await done_before(self.desk, asked)) is not None:
                return _Switch.again(known)
            now, wallet = self.desk.now(), await self._wallet(customer, subscription)
            plan = method_change(_debts(wallet), self.policy.dunning, now, agreed_total=agreed_total)
            wanted = {debt.invoice for debt in plan.tried}
            chosen = [one for one in wallet.unsettled if one.invoice.id in wanted]
            writes = [write for one in chosen for write in _tried(wallet.account, one, method, now)]
            switch = _Switch.of(plan, [one.invoice.id for one in chosen])
            kept = remembered(self.desk, asked, switch.names())
            await self.desk.record(Change(writes=(wallet.changed(method), *writes)) | kept)
            return switch

        switch = await self.desk.retrying(decide, _ROUNDS, on_taken=True)
        tried = [await self._tried_now(invoice) for invoice in switch.tried]
        return MethodChanged(tried=tuple(one for one in tried if one is not None), left=switch.left, total=switch.total)

    async def _tried_now(self, invoice: str) -> PaymentIntent | None:
        """Try a payment whose time has come; answer the last one of its invoice."""
        intents = await self.casework.intents_of(invoice)
        now = self.desk.now()
        if any(is_live(one) and one.due_at is not None and one.due_at <= now for one in intents):
            return await self.try_now(invoice)
        return intents[-1] if intents else None

    async def remove_payment_method(
        self, customer: CustomerId, method: str, *, request_id: str = ""
    ) -> tuple[str, ...]:
        """Let a payment method pay nothing any more, and tell the customer if nothing else pays.

        What would be charged fails from then on, with the code ``needs_method``, until there is another one. A
        subscription that had it as a method of its own is paid by the account's.

        Args:
            customer: Whose, as the host has signed them in.
            method: What can't be charged any more, as the host names it.
            request_id: A key of the caller's choice: asked again with it, nothing is done twice.

        Returns:
            The running subscriptions that nothing pays now; none if nothing was paid by that method.

        Raises:
            SubscriptionUnknown: The customer has no billing account.
            InvalidInput: The method has no name.
            RequestIdReused: The key was used for another request.
        """
        require_text(method, "method", cap=_REFERENCE)
        asked = asked_by(self.desk, customer, "", Request(_REMOVE_METHOD, request_id, {"method": method}))

        async def decide() -> tuple[str, ...]:
            if (known := await done_before(self.desk, asked)) is not None:
                return known.led_to["unpaid"]
            wallet, now = await self._wallet(customer, None), self.desk.now()
            rows = await got(self.desk.records.rows(SUBSCRIPTIONS, "account", wallet.account.id, None, _MOST))
            gone = without_method(wallet.account, rows.items, method, charges=self.asking is not None)
            letters = await self.casework.tell(gone.account, [note] if (note := gone.note) else [], gone.unpaid, now)
            unpaid = tuple(one.id for one in gone.unpaid)
            kept = remembered(self.desk, asked, {"unpaid": unpaid})
            await self.desk.record(Change(writes=gone.writes, messages=letters) | kept)
            return unpaid

        return await self.desk.retrying(decide, _ROUNDS, on_taken=True)

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
            require_operation(own.it, Operation.CHANGE_PAYMENT_METHOD, self.desk.now(), self.policy)
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
