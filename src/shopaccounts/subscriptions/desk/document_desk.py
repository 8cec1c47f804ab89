"""What the shop's own people do to invoices and balances: void, write off, credit, pay back, give."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.receipts import request_key
from shopaccounts.kernel.record import Change, Removal, Write
from shopaccounts.subscriptions.boxes.filing import box_writes, boxes_on_file
from shopaccounts.subscriptions.collecting.chasing import catch_up
from shopaccounts.subscriptions.collecting.dossiers import owed
from shopaccounts.subscriptions.decision import Decision, TakenBack
from shopaccounts.subscriptions.desk.acts import ActKind
from shopaccounts.subscriptions.desk.work import Acted, Clerks, Errand, written
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.errors import InvoiceUnknown, SubscriptionUnknown
from shopaccounts.subscriptions.events import BalanceCredited, InvoiceVoided, InvoiceWrittenOff
from shopaccounts.subscriptions.invoices import settling
from shopaccounts.subscriptions.invoices.balance import Booked, credit, pay_out
from shopaccounts.subscriptions.invoices.crediting import returned
from shopaccounts.subscriptions.invoices.voiding import freed, put_off_rest, require_begun, require_voidable, without
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription, account_id
from shopaccounts.subscriptions.office.desk_work import Case, Done, Office
from shopaccounts.subscriptions.papers.documents import (
    BALANCE_ENTRIES,
    CYCLES,
    INVOICES,
    BalanceReason,
    BilledCycle,
    BilledFor,
    CreditTo,
    Invoice,
    InvoiceState,
)
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentState, PaymentIntent, Purpose, drop
from shopaccounts.subscriptions.payments.refunds import refund_intents

__all__ = ["DocumentDesk"]

_MOST = 500


@attrs.frozen(kw_only=True)
class _File:
    """An invoice, with all that hangs on it."""

    invoice: Invoice
    account: BillingAccount
    subscriptions: tuple[Subscription, ...]
    payments: tuple[PaymentIntent, ...]
    now: datetime

    @property
    def about(self) -> dict[str, Any]:
        """What every event about the invoice says."""
        return {
            "account": self.invoice.customer,
            "billing_account": self.invoice.account,
            "invoice": self.invoice.id,
            "subscriptions": self.invoice.subscriptions,
        }

    def dropped(self) -> tuple[Write, ...]:
        """Give up the payments that nobody has asked for yet."""
        return tuple(
            INTENTS.change(one, drop(one, self.now))
            for one in self.payments
            if one.state is IntentState.READY and one.purpose is Purpose.CHARGE
        )


@attrs.frozen(kw_only=True)
class DocumentDesk:
    """Where a shop's people look after customers' invoices and balances.

    Every act takes an agent who may do it and a reason, and is kept with both. What moves money takes a *request_id* of
    the clerk's own too: it is done once, and asked again it answers what it led to.

    Args:
        clerks: Who may do it, and what is kept of it.
        office: Loads, decides and records.
    """

    clerks: Clerks
    office: Office

    async def void_invoice(self, invoice: str, reason: str, *, rebill: bool = False, request_id: str = "") -> Acted:
        """Make an open invoice count no more; what the balance paid of it is given back.

        Args:
            invoice: Which; one of which nothing is paid or taken back.
            reason: Why, up to 500 characters.
            rebill: Whether the next run is to bill its cycles anew; otherwise they are waived.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            InvoiceUnknown: There is none.
            InvoiceNotOpen: It isn't open, or a part of it is paid or taken back.
            OperationNotAllowed: It is the first of a subscription that waits for its payment; or it is to be billed
                anew to one that has ended.
            OnHold: It is to be billed anew, and a subscription waits for a decision.
            CycleAlreadyBilled: It is to be billed anew, and a later cycle is billed already: void that first.
            InvalidInput: There is no reason.
            RequestIdReused: The key was used for something else.
        """
        errand = await self.clerks.errand(ActKind.VOID_INVOICE, invoice, reason, request_id, {"rebill": rebill})

        async def decide() -> None:
            file = await self._file(invoice)
            await self.clerks.desk.record(await self._voided(file, errand, rebill=rebill))

        return await self._once(errand, decide)

    async def write_off(self, invoice: str, reason: str, *, request_id: str = "") -> Acted:
        """Give an open invoice up: nobody is asked for it any more, and it holds no subscription back.

        Whoever pays it after all is welcome.

        Args:
            invoice: Which.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            InvoiceUnknown: There is none.
            InvoiceNotOpen: It isn't open.
            OperationNotAllowed: It is the first of a subscription that waits for its payment.
            InvalidInput: There is no reason.
            RequestIdReused: The key was used for something else.
        """
        errand = await self.clerks.errand(ActKind.WRITE_OFF, invoice, reason, request_id)

        async def decide() -> None:
            file = await self._file(invoice)
            await self.clerks.desk.record(await self._written_off(file, errand))

        return await self._once(errand, decide)

    async def issue_credit_note(
        self,
        invoice: str,
        wanted: Mapping[int, Money],
        reason: str,
        *,
        to: CreditTo = CreditTo.BALANCE,
        request_id: str,
    ) -> Acted:
        """Take a part of an invoice back.

        Args:
            invoice: Of which.
            wanted: The number of a line to how much of it, on the side of tax on which its price is quoted.
            reason: Why, up to 500 characters; it stands on the note.
            to: Where goes what isn't owed any more: to the balance, or back as money as far as money came.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            InvoiceUnknown: There is none.
            InvoiceNotOpen: It is a draft or void.
            CreditTooLarge: Less than that is left of a line.
            OperationNotAllowed: It is the first of a subscription that waits for its payment.
            CurrencyMismatch: An amount is in another currency.
            InvalidInput: An amount isn't above zero, there is no such line, or there is no reason or key.
            RequestIdReused: The key was used for something else.
        """
        asked = {"wanted": {str(number): str(amount) for number, amount in wanted.items()}, "to": to.value}
        errand = await self.clerks.errand(ActKind.CREDIT_NOTE, invoice, reason, request_key(request_id), asked)
        before: dict[str, str] = {}

        def rule(case: Case) -> Decision:
            require_begun([case.subscription], ActKind.CREDIT_NOTE.value)
            back = TakenBack(key=errand.id, invoice=invoice, wanted=wanted, to=to, reason=errand.reason)
            return Decision(subscription=case.subscription, credits=(back,))

        def part(done: Done) -> Change:
            after = next(one for one in done.papers.changed if one.id == invoice)
            return self.clerks.kept(errand, done.papers.account, before, _facts(after), written(done.papers))

        async def work() -> None:
            found = (await self._file(invoice)).invoice
            before.update(_facts(found))
            await self.office.conclude(None, found.subscriptions[0], rule, part=part)

        return await self.clerks.once(errand, work)

    async def refund(self, invoice: str, amount: Money, reason: str, *, request_id: str) -> Acted:
        """Pay money back that was paid for an invoice, to the method that it came from.

        The invoice stays paid: whoever wants to take something of it back as well issues a credit note instead.

        Args:
            invoice: Which.
            amount: How much, no more than was paid by payment methods and isn't paid back.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            InvoiceUnknown: There is none.
            RefundTooLarge: Less than that can be paid back.
            CurrencyMismatch: The amount is in another currency.
            InvalidInput: The amount isn't above zero, or there is no reason or key.
            RequestIdReused: The key was used for something else.
        """
        errand = await self.clerks.errand(
            ActKind.REFUND, invoice, reason, request_key(request_id), {"amount": str(amount)}
        )

        async def decide() -> None:
            file = await self._file(invoice)
            back = settling.refund(file.invoice, amount)
            payments = refund_intents(file.invoice, amount, file.payments, file.now)
            writes = (INVOICES.change(file.invoice, back), *map(INTENTS.add, payments))
            ids = tuple(one.id for one in payments)
            kept = self.clerks.kept(errand, file.account, _facts(file.invoice), _facts(back), ids)
            await self.clerks.desk.record(Change(writes=writes) | kept)

        return await self._once(errand, decide)

    # The balance

    async def give_goodwill(self, customer: CustomerId, amount: Money, reason: str, *, request_id: str) -> Acted:
        """Give a customer an amount: it pays the next invoices in its currency.

        Args:
            customer: Whom.
            amount: How much, above zero.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: The customer has no billing account.
            InvalidInput: The amount isn't above zero, or there is no reason or key.
            RequestIdReused: The key was used for something else.
        """
        return await self._book(ActKind.GOODWILL, customer, amount, reason, request_id)

    async def pay_out(self, customer: CustomerId, amount: Money, reason: str, *, request_id: str) -> Acted:
        """Take an amount off a customer's balance that the shop pays out in money.

        The shop sends the money itself, such as by a transfer: what lies in a balance need not have come from a card.

        Args:
            customer: Whose.
            amount: How much, above zero.
            reason: Why, up to 500 characters.
            request_id: A key of the clerk's own.

        Raises:
            Forbidden: Nobody, or an agent who may not do this.
            SubscriptionUnknown: The customer has no billing account.
            BalanceTooLow: The balance has less.
            InvalidInput: The amount isn't above zero, or there is no reason or key.
            RequestIdReused: The key was used for something else.
        """
        return await self._book(ActKind.PAY_OUT, customer, amount, reason, request_id)

    async def _book(self, kind: ActKind, customer: CustomerId, amount: Money, reason: str, request_id: str) -> Acted:
        desk = self.clerks.desk
        id = account_id(desk.scope.store, customer)
        errand = await self.clerks.errand(kind, id, reason, request_key(request_id), {"amount": str(amount)})

        async def decide() -> None:
            found = await got(desk.records.find(ACCOUNTS, id))
            if found is None:
                raise SubscriptionUnknown
            now = desk.now()
            booked, told = _booked(kind, found.it, amount, errand.id, now)
            before, after = _balance(found.it, amount), _balance(booked.account, amount)
            kept = self.clerks.kept(errand, found.it, before, after, (booked.entry.id,))
            writes = (ACCOUNTS.change(found.it, booked.account), BALANCE_ENTRIES.add(booked.entry))
            await desk.record(Change(writes=writes, events=desk.tell(*told)) | kept)

        return await self._once(errand, decide)

    # Deciding

    async def _once(self, errand: Errand, decide: Callable[[], Awaitable[None]]) -> Acted:
        return await self.clerks.once(errand, lambda: self.clerks.desk.retrying(decide, 3))

    async def _file(self, invoice: str) -> _File:
        desk = self.clerks.desk
        found = await got(desk.records.find(INVOICES, invoice, bring=(ACCOUNTS.via("account"),)))
        if found is None or found.it.store != desk.scope.store or (account := found[ACCOUNTS]) is None:
            raise InvoiceUnknown
        return _File(
            invoice=found.it,
            account=account,
            subscriptions=await got(desk.records.pick(SUBSCRIPTIONS, found.it.subscriptions)),
            payments=(await got(desk.records.rows(INTENTS, "invoice", invoice, None, _MOST))).items,
            now=desk.now(),
        )

    async def _voided(self, file: _File, errand: Errand, *, rebill: bool) -> Change:
        require_voidable(file.invoice, file.subscriptions, rebill=rebill)
        desk, now = self.clerks.desk, file.now
        settled = settling.void(file.invoice, file.account, now, rebill=rebill)
        invoice = attrs.evolve(settled.invoice, chase_at=now)
        rows = (await got(desk.records.rows(CYCLES, "invoice", invoice.id, None, _MOST))).items
        account = settled.account
        if rebill:
            account = put_off_rest(account, file.invoice, rows, file.subscriptions, now)
        told = InvoiceVoided(at=now, amount=invoice.total, rebill=rebill, **file.about)
        before, after = _facts(file.invoice), _facts(invoice)
        ids = tuple(one.id for one in settled.entries)
        return Change(
            writes=(
                INVOICES.change(file.invoice, invoice),
                *_changed(file.account, account),
                *(await self._subscriptions(file, self._freed(file, rows, rebill=rebill))),
                *map(BALANCE_ENTRIES.add, settled.entries),
                *(await self._returned(file.invoice, rebill=rebill)),
                *(_ended(row, rebill=rebill) for row in rows if not (rebill and row.part is BilledFor.ADVANCE)),
                *file.dropped(),
            ),
            removals=tuple(Removal(book=CYCLES, was=row) for row in rows if rebill and row.part is BilledFor.ADVANCE),
            events=desk.tell(told),
        ) | self.clerks.kept(errand, account, before, after, ids)

    def _freed(self, file: _File, rows: tuple[BilledCycle, ...], *, rebill: bool) -> list[Subscription]:
        """Answer the subscriptions of a void invoice as they are now."""
        return [freed(one, file.invoice, rows) if rebill else without(one, file.invoice) for one in file.subscriptions]

    async def _subscriptions(self, file: _File, after: list[Subscription]) -> tuple[Write, ...]:
        """Answer what is written of subscriptions that became others, and of their boxes."""
        stored = {one.id: one for one in file.subscriptions}
        now = [projected(one, self.office.policy) for one in after if one != stored[one.id]]
        boxes = await boxes_on_file(self.clerks.desk.records, now, stored, file.now)
        writes = (SUBSCRIPTIONS.change(stored[one.id], one) for one in now)
        return (*writes, *box_writes(now, stored, boxes, file.now))

    async def _returned(self, invoice: Invoice, *, rebill: bool) -> tuple[Write, ...]:
        """Let older lines be taken back again that a void invoice took back; one billed anew still does."""
        ids = sorted({line.credits_line.invoice for line in invoice.lines if line.credits_line})
        if rebill or not ids:
            return ()
        older = await got(self.clerks.desk.records.pick(INVOICES, ids))
        return tuple(INVOICES.change(one, returned(one, invoice.lines)) for one in older)

    async def _written_off(self, file: _File, errand: Errand) -> Change:
        require_begun(file.subscriptions, ActKind.WRITE_OFF.value)
        desk, now = self.clerks.desk, file.now
        given_up = attrs.evolve(settling.write_off(file.invoice), chase_at=None)
        events: list[Event] = [InvoiceWrittenOff(at=now, amount=file.invoice.due, **file.about)]
        left = await self._still_owed(file)
        caught_up = [catch_up(one, given_up.id, left, now, self.office.policy) for one in file.subscriptions]
        events.extend(event for decision in caught_up for event in decision.events)
        kept = self.clerks.kept(errand, file.account, _facts(file.invoice), _facts(given_up))
        after = await self._subscriptions(file, [decision.subscription for decision in caught_up])
        writes = (INVOICES.change(file.invoice, given_up), *file.dropped(), *after)
        return Change(writes=writes, events=desk.tell(*events)) | kept

    async def _still_owed(self, file: _File) -> frozenset[str]:
        """Answer which other overdue invoices of these subscriptions somebody still has to pay."""
        behind = (one.past_due.invoices for one in file.subscriptions if one.past_due)
        ids = sorted({id for invoices in behind for id in invoices} - {file.invoice.id})
        others = await got(self.clerks.desk.records.pick(INVOICES, ids)) if ids else ()
        return frozenset(one.id for one in others if one.state is InvoiceState.OPEN and not owed(one).is_zero)


def _changed(was: BillingAccount, now: BillingAccount) -> tuple[Write, ...]:
    return () if now is was else (ACCOUNTS.change(was, now),)


def _ended(row: BilledCycle, *, rebill: bool) -> Write:
    """Answer how a cycle ended whose invoice is void: nobody pays it, or its lines wait for the next invoice."""
    return CYCLES.change(row, attrs.evolve(row, invoice="") if rebill else settling.waive(row))


def _booked(
    kind: ActKind, account: BillingAccount, amount: Money, document: str, now: datetime
) -> tuple[Booked, tuple[Event, ...]]:
    """Book an act on a balance, and tell of what it gives."""
    if kind is ActKind.PAY_OUT:
        return pay_out(account, amount, document, now), ()
    given = credit(account, amount, BalanceReason.GOODWILL, document, now)
    told = BalanceCredited(
        at=now,
        account=account.customer,
        billing_account=account.id,
        amount=amount,
        reason=BalanceReason.GOODWILL.value,
        document=document,
    )
    return given, (told,)


def _balance(account: BillingAccount, amount: Money) -> Mapping[str, str]:
    return {"balance": str(account.balance(amount.currency))}


def _facts(invoice: Invoice) -> Mapping[str, str]:
    """Answer what an act notes of an invoice."""
    return {
        "state": invoice.state.value,
        "due": str(invoice.due),
        "paid": str(invoice.paid),
        "credited": str(invoice.credited),
        "refunded": str(invoice.refunded),
    }
