"""What a shop keeps of a customer's subscriptions, for those who ask; and whose it is, when that changes."""

from collections.abc import Iterable
from typing import TypeVar

import attrs

from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.reading import all_rows
from shopaccounts.kernel.record import Book, Entity
from shopaccounts.kernel.text import require_text
from shopaccounts.subscriptions.laws.notices import SENT_NOTICES, SentNotice
from shopaccounts.subscriptions.leaving.statements import (
    CANCELLATION_STATEMENTS,
    WITHDRAWAL_STATEMENTS,
    CancellationStatement,
    WithdrawalStatement,
)
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.owners.handing_over import HandingOver, accounts_of
from shopaccounts.subscriptions.papers.documents import (
    BALANCE_ENTRIES,
    CREDIT_NOTES,
    INVOICES,
    BalanceEntry,
    CreditNote,
    Invoice,
)
from shopaccounts.subscriptions.payments.intents import INTENTS, PaymentIntent
from shopaccounts.subscriptions.pricing import PRICE_ANSWERS, PriceAnswer

__all__ = ["CustomerRecords", "KeptOfCustomer"]

T = TypeVar("T", bound=Entity)


@attrs.frozen(kw_only=True)
class KeptOfCustomer:
    """All that a shop keeps of a customer's subscriptions; the marks of its fields say what of that is personal.

    Args:
        accounts: The billing accounts, one for each store.
        subscriptions: All there ever were.
        invoices: All of them, drafts among them.
        notes: The credit notes.
        payments: What was tried to have invoices paid, and what was paid back.
        entries: What the balance got and gave.
        notices: What was announced.
        cancellations: What was declared in writing to end a contract.
        withdrawals: What was declared in writing to withdraw from one.
        answers: What the customer said to new prices.
    """

    accounts: tuple[BillingAccount, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    notes: tuple[CreditNote, ...] = ()
    payments: tuple[PaymentIntent, ...] = ()
    entries: tuple[BalanceEntry, ...] = ()
    notices: tuple[SentNotice, ...] = ()
    cancellations: tuple[CancellationStatement, ...] = ()
    withdrawals: tuple[WithdrawalStatement, ...] = ()
    answers: tuple[PriceAnswer, ...] = ()


@attrs.frozen(kw_only=True)
class CustomerRecords:
    """Tells what is kept of customers, and lets it belong to others.

    Args:
        desk: Whose books.
        handing_over: Passes on what customers have.
    """

    desk: Desk
    handing_over: HandingOver

    async def export_subscriptions(self, customer: CustomerId) -> KeptOfCustomer:
        """Answer all that is kept of a customer's subscriptions, in every store of the realm: Art. 15 of the GDPR.

        Args:
            customer: Whose, as the host has made sure.
        """
        accounts = await accounts_of(self.desk, customer)
        subscriptions = await self._all(SUBSCRIPTIONS, "customer", [customer])
        ids = [one.id for one in subscriptions]
        return KeptOfCustomer(
            accounts=accounts,
            subscriptions=subscriptions,
            invoices=await self._all(INVOICES, "customer", [customer]),
            notes=await self._all(CREDIT_NOTES, "customer", [customer]),
            payments=await self._all(INTENTS, "account", [one.id for one in accounts]),
            entries=await self._all(BALANCE_ENTRIES, "customer", [customer]),
            notices=await self._all(SENT_NOTICES, "subscription", ids),
            cancellations=await self._all(CANCELLATION_STATEMENTS, "subscription", ids),
            withdrawals=await self._all(WITHDRAWAL_STATEMENTS, "subscription", ids),
            answers=await self._all(PRICE_ANSWERS, "subscription", ids),
        )

    async def _all(self, book: Book[T], group: str, values: Iterable[str]) -> tuple[T, ...]:
        """Answer all rows of some groups."""
        records = self.desk.records
        return tuple([one for value in values for one in await all_rows(records, book, group, value)])

    async def move_subscriptions(self, source: CustomerId, target: CustomerId) -> None:
        """Let all that one customer has belong to another, in every store of the realm; done before, it does nothing.

        For a guest who has proven to be somebody with an account, and for two records of one person.

        Args:
            source: Whose it was, as the host has made sure.
            target: Whose it is then.

        Raises:
            InvalidInput: That can't be an id, or it is the same twice.
        """
        for id in (source, target):
            require_text(id, "customer", cap=64)
        if source == target:
            raise InvalidInput(field="customer", reason="same")
        await self.handing_over.to(source, target)
