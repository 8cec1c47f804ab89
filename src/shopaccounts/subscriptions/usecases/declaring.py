"""The forms with which contracts are ended in writing, without signing in.

The rules, in plain English:

* Whoever sends a form gets a receipt at the address that they gave, recorded with the statement. The answer, the
  receipt and the work behind them are the same whether the shop has such a contract or not.
* A contract is found by its id or by what the customer's papers call it. If the address is one that its customer has
  proven, it ends. If it isn't, the customer is asked at an address of their own, and the time of receipt stands.
* What fits nothing, and what gives a reason that somebody has to judge, is for a clerk.
* Sent twice, a form is one statement with one receipt.
* A mailbox gets so many of these letters and no more, whoever asks; and nobody is asked again and again whether they
  want to leave.
* A withdrawal takes two steps. Only a customer who is signed in is told that it comes too late; anybody else gets the
  receipt, and a clerk looks.
"""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.ports import Position, Rows
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import TICKETS, read_selector, spend
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.boxes.listing import SUBSCRIPTION_DELIVERIES
from shopaccounts.subscriptions.boxes.states import DeliveryState
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import (
    CancellationLinkInvalid,
    SubscriptionUnknown,
    WithdrawalPeriodOver,
)
from shopaccounts.subscriptions.events import CancellationSubmitted
from shopaccounts.subscriptions.leaving.cancelling import cancel_as_stated
from shopaccounts.subscriptions.leaving.contracts_on_file import Contract, contract_under
from shopaccounts.subscriptions.leaving.statements import (
    CANCELLATION_STATEMENTS,
    WITHDRAWAL_STATEMENTS,
    CancellationForm,
    CancellationStatement,
    Match,
    StatementReceipt,
    WithdrawalForm,
    WithdrawalStatement,
    cancellation_statement,
    confirmed,
    match_statement,
    receipt_of,
    statement_id,
    withdrawal_statement,
)
from shopaccounts.subscriptions.leaving.withdrawing import window_of, withdraw
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, Subscription
from shopaccounts.subscriptions.office.desk_work import Case, Done, Office
from shopaccounts.subscriptions.ports import Jurisdictions
from shopaccounts.subscriptions.usecases.cancellations import invoices_of
from shopaccounts.subscriptions.usecases.statement_letters import CONFIRM_CANCELLATION, StatementLetters

__all__ = ["Statements"]

_ASKED: Final = Window(limit=2, per=timedelta(days=1))
"""How often a customer is asked in a day whether they cancelled."""
_OPENED: Final = Window(limit=20, per=timedelta(hours=1))
"""How many withdrawals are begun from one network in an hour."""
_ROUNDS: Final = 3
_MOST: Final = 500


@attrs.frozen(kw_only=True)
class Statements:
    """Takes cancellations and withdrawals from whoever sends them.

    Args:
        desk: Whose books.
        office: Decides about subscriptions.
        letters: Writes receipts and questions.
        budget: How many letters a mailbox gets.
        staff: Who may see what waits for a clerk.
        places: Knows whose law holds for a customer.
        holidays: The days on which nobody works.
        transport: Whether forms may come unencrypted.
    """

    desk: Desk
    office: Office
    letters: StatementLetters
    budget: SendBudget
    staff: Staff
    places: Jurisdictions
    holidays: frozenset[date]
    transport: TransportPolicy

    async def submit_cancellation(self, form: CancellationForm, context: RequestContext) -> StatementReceipt:
        """Take a cancellation from somebody who needn't sign in.

        Args:
            form: What was filled in; its contact is an e-mail address, which gets the receipt.
            context: Of the request.

        Returns:
            The receipt; for the same form, that of the first time.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters: The contact is no address.
            Throttled: That mailbox, or that network, has asked for too much.
            InsecureTransport: The form came unencrypted.
            TryLater: The counters failed.
        """
        self.transport.check(context)
        to = EmailAddress.parse(form.contact)
        earlier = await self._cancellation(self._id(form))
        if earlier is not None:
            return receipt_of(earlier)
        await self.budget.charge(to, context.network, self.desk.now())
        may_ask = await self._may_ask(form.reference)

        async def decide() -> StatementReceipt:
            return await self._take_cancellation(form, to, may_ask=may_ask)

        return await self.desk.retrying(decide, _ROUNDS, on_taken=True)

    async def confirm_cancellation(self, token: Secret[str], context: RequestContext) -> StatementReceipt:
        """Let a cancellation count that its customer has confirmed, from the time at which it came in.

        Args:
            token: From the link that the customer got.
            context: Of the request.

        Raises:
            CancellationLinkInvalid, CancellationLinkExpired, CancellationLinkUsed, CancellationLinkStale: The link
                doesn't work, or not any more.
            InsecureTransport: It came unencrypted.
        """
        self.transport.check(context)
        selector = read_selector(token, CONFIRM_CANCELLATION)

        async def decide() -> StatementReceipt:
            now = self.desk.now()
            found = await got(self.desk.records.find(TICKETS, selector))
            ticket = found.it if found else None
            spent, proof = spend(ticket, token, CONFIRM_CANCELLATION, Stamps(), now)
            statement = await self._cancellation(proof.bound)
            if statement is None or ticket is None:
                raise CancellationLinkInvalid
            contract = await contract_under(self.desk, statement.subscription)
            used = Change(writes=(TICKETS.change(ticket, spent),))

            async def told(done: Done) -> Change:
                return used | await self.letters.outcome(statement.id, statement.received_at, contract, done)

            await self.office.conclude_once(statement.subscription, self._ending(statement), told)
            return receipt_of(statement)

        return await self.desk.retrying(decide, _ROUNDS, on_taken=True)

    async def open_withdrawal(
        self, form: WithdrawalForm, context: RequestContext, customer: CustomerId | None = None
    ) -> StatementReceipt:
        """Take the first step of a withdrawal: what is declared, to be looked at and confirmed.

        Args:
            form: What was filled in; its contact is an e-mail address.
            context: Of the request.
            customer: Who is signed in, None for nobody.

        Returns:
            The statement with its id; for the same form, that of the first time.

        Raises:
            WithdrawalPeriodOver: It is the signed-in customer's contract, and too late.
            EmailInvalid, EmailUnsupportedCharacters: The contact is no address.
            Throttled: That network has asked for too much.
            InsecureTransport: The form came unencrypted.
            TryLater: The counters failed.
        """
        self.transport.check(context)
        to = EmailAddress.parse(form.contact)
        await self.budget.take("withdrawals", context.network, _OPENED, self.desk.now())

        async def decide() -> StatementReceipt:
            found = await got(self.desk.records.find(WITHDRAWAL_STATEMENTS, self._id(form)))
            if found is not None:
                return receipt_of(found.it)
            statement = await self._opened(form, to, customer)
            await self.desk.record(Change(writes=(WITHDRAWAL_STATEMENTS.add(statement),)))
            return receipt_of(statement)

        return await self.desk.retrying(decide, _ROUNDS, on_taken=True)

    async def confirm_withdrawal(
        self, id: str, context: RequestContext, customer: CustomerId | None = None
    ) -> StatementReceipt:
        """Take the second step of a withdrawal: the contract ends now, and the money goes back.

        Args:
            id: Of the statement, from the first step.
            context: Of the request.
            customer: Who is signed in, None for nobody.

        Returns:
            The receipt, which is mailed as well; asked again, that of the first time.

        Raises:
            SubscriptionUnknown: There is no such statement.
            WithdrawalPeriodOver: It is the signed-in customer's contract, and too late.
            Throttled: That mailbox, or that network, has asked for too much.
            InsecureTransport: It came unencrypted.
            TryLater: The counters failed.
        """
        self.transport.check(context)
        require_text(id, "id", cap=64)
        opened = await self._withdrawal(id)
        if opened.confirmed_at is not None:
            return receipt_of(opened)
        to = EmailAddress.parse(opened.said.contact)
        await self.budget.charge(to, context.network, self.desk.now())
        if opened.match is Match.MATCHED:
            await self.office.bring_up_to_date(None, opened.subscription)

        async def decide() -> StatementReceipt:
            return await self._confirm(await self._withdrawal(id), to, customer)

        return await self.desk.retrying(decide, _ROUNDS, on_taken=True)

    async def unmatched_statements(
        self, reason: str, *, after: Position | None = None, limit: int = 50
    ) -> Rows[CancellationStatement]:
        """List the cancellations that a clerk has to look at, the newest first.

        Those that fit no contract, and those that give a reason to end one at once.

        Args:
            reason: Why the agent looks.
            after: Where the page before ended.
            limit: How many at most, up to 500.

        Raises:
            Forbidden: The agent may not.
            InvalidInput: No reason.
        """
        await self.staff.require(Permission.HELP_WITH_CONTRACTS, reason)
        rows = self.desk.records.rows
        store = self.desk.scope.store
        return await got(rows(CANCELLATION_STATEMENTS, "queue", store, after, limit, newest_first=True))

    async def unmatched_withdrawals(
        self, reason: str, *, after: Position | None = None, limit: int = 50
    ) -> Rows[WithdrawalStatement]:
        """List the withdrawals that ended no contract by themselves, the newest first.

        Args:
            reason: Why the agent looks.
            after: Where the page before ended.
            limit: How many at most, up to 500.

        Raises:
            Forbidden: The agent may not.
            InvalidInput: No reason.
        """
        await self.staff.require(Permission.HELP_WITH_CONTRACTS, reason)
        rows = self.desk.records.rows
        return await got(rows(WITHDRAWAL_STATEMENTS, "queue", self.desk.scope.store, after, limit, newest_first=True))

    # Finding

    def _id(self, form: CancellationForm | WithdrawalForm) -> str:
        return statement_id(self.desk.scope.realm, self.desk.scope.store, form)

    async def _cancellation(self, id: str) -> CancellationStatement | None:
        found = await got(self.desk.records.find(CANCELLATION_STATEMENTS, id))
        return found.it if found else None

    async def _withdrawal(self, id: str) -> WithdrawalStatement:
        found = await got(self.desk.records.find(WITHDRAWAL_STATEMENTS, id))
        if found is None or found.it.store != self.desk.scope.store:
            raise SubscriptionUnknown
        return found.it

    async def _may_ask(self, reference: str) -> bool:
        """Tell whether the customer of a contract may be asked once more today."""
        try:
            await self.budget.take("cancel_asked", reference.strip().casefold(), _ASKED, self.desk.now())
        except Throttled:
            return False
        return True

    # Cancelling

    async def _take_cancellation(self, form: CancellationForm, to: EmailAddress, *, may_ask: bool) -> StatementReceipt:
        earlier = await self._cancellation(self._id(form))
        if earlier is not None:
            return receipt_of(earlier)
        now, scope = self.desk.now(), self.desk.scope
        contract = await contract_under(self.desk, form.reference)
        found = match_statement(contract.on_file, login_key(ContactKind.EMAIL, to.key))
        statement = cancellation_statement(form, found, realm=scope.realm, store=scope.store, now=now)
        kept = await self._kept(statement, contract, to)
        if found[0] is Match.MATCHED:
            told = self._told_with(kept, statement.id, now, contract)
            await self.office.conclude_once(statement.subscription, self._ending(statement), told)
        else:
            asks = found[0] is Match.CONFIRM and may_ask

            async def asked() -> Change:
                return kept | await self.letters.question(statement, contract, to, asks=asks)

            await self.office.record_alone(asked)
        return receipt_of(statement)

    def _told_with(
        self, kept: Change, statement: str, now: datetime, contract: Contract
    ) -> Callable[[Done], Awaitable[Change]]:
        """Answer what is recorded together with the end of a contract: the statement, and the letter about it."""

        async def told(done: Done) -> Change:
            return kept | await self.letters.outcome(statement, now, contract, done)

        return told

    def _ending(self, statement: CancellationStatement) -> Callable[[Case], Decision]:
        return lambda case: cancel_as_stated(
            case.subscription,
            statement.said.ends_on,
            statement.received_at,
            case.now,
            case.facts,
            self.office.policy,
        )

    async def _kept(self, statement: CancellationStatement, contract: Contract, to: EmailAddress) -> Change:
        """Answer the part of a change that keeps a statement, with its receipt."""
        at = statement.received_at
        receipt = await self.letters.receipt(
            "subscriptions.cancellation_received", statement.id, statement.said, to, at
        )
        told = CancellationSubmitted(
            at=at,
            statement=statement.id,
            account=contract.customer.id if contract.customer and statement.subscription else None,
            subscription=statement.subscription or None,
        )
        return Change(
            writes=(CANCELLATION_STATEMENTS.add(statement),), messages=(receipt,), events=self.desk.tell(told)
        )

    # Withdrawing

    async def _opened(self, form: WithdrawalForm, to: EmailAddress, customer: CustomerId | None) -> WithdrawalStatement:
        now, scope = self.desk.now(), self.desk.scope
        contract = await contract_under(self.desk, form.reference)
        subscription = contract.subscription
        found = match_statement(contract.on_file, login_key(ContactKind.EMAIL, to.key))
        if subscription is not None and subscription.customer == customer:
            await self._require_in_time(subscription, now)
            found = (Match.MATCHED, subscription.id)
        return withdrawal_statement(form, found, realm=scope.realm, store=scope.store, now=now)

    async def _confirm(
        self, opened: WithdrawalStatement, to: EmailAddress, customer: CustomerId | None
    ) -> StatementReceipt:
        if opened.confirmed_at is not None:
            return receipt_of(opened)
        now = self.desk.now()
        found = await got(self.desk.records.find(SUBSCRIPTIONS, opened.subscription)) if opened.subscription else None
        subscription = found.it if found and opened.match is Match.MATCHED else None
        if subscription is not None and not await self._is_in_time(subscription, now):
            if subscription.customer == customer:
                await self._require_in_time(subscription, now)
            subscription, opened_now = None, attrs.evolve(opened, match=Match.UNMATCHED)
        else:
            opened_now = opened
        statement = confirmed(opened_now, now)
        receipt = await self.letters.receipt("subscriptions.withdrawal_received", statement.id, statement.said, to, now)
        kept = Change(writes=(WITHDRAWAL_STATEMENTS.change(opened, statement),), messages=(receipt,))
        if subscription is None:
            await self.desk.record(kept)
            return receipt_of(statement)
        contract = await contract_under(self.desk, subscription.id)
        told = self._told_with(kept, statement.id, now, contract)
        await self.office.conclude_once(subscription.id, self._withdrawing(statement), told)
        return receipt_of(statement)

    def _withdrawing(self, statement: WithdrawalStatement) -> Callable[[Case], Awaitable[Decision]]:
        async def decide(case: Case) -> Decision:
            invoices = await invoices_of(self.office, case.subscription)
            return withdraw(case.subscription, statement.id, invoices, case.now, self.office.policy)

        return decide

    async def _is_in_time(self, subscription: Subscription, now: datetime) -> bool:
        try:
            await self._require_in_time(subscription, now)
        except WithdrawalPeriodOver:
            return False
        return True

    async def _require_in_time(self, subscription: Subscription, now: datetime) -> None:
        """Refuse a withdrawal that comes too late, or to which no law gives the right."""
        made_on = local_date(subscription.created_at, subscription.zone)
        place = await got(self.places.of(subscription.account, made_on))
        today = local_date(now, subscription.zone)
        delivered = await self._delivered_on(subscription)
        window = window_of(subscription, place, delivered, today, self.holidays)
        if window is None or now >= window.ends_at:
            raise WithdrawalPeriodOver(window.ends_on if window else made_on)

    async def _delivered_on(self, subscription: Subscription) -> date | None:
        """Answer the local day of the first box that was handed over."""
        rows = self.desk.records.rows
        kept = await got(rows(SUBSCRIPTION_DELIVERIES, "subscription", subscription.id, None, _MOST))
        came = (row.delivery.on for row in kept.items if row.delivery.state is DeliveryState.HANDED_OVER)
        return min(came, default=None)
