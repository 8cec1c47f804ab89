"""What a decision about an unpaid invoice has to know, and what it comes to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import start_of_day
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.invoices.issuing import overdue_from
from shopaccounts.subscriptions.model import BillingAccount, CollectionMode, Subscription
from shopaccounts.subscriptions.papers.documents import BalanceEntry, Invoice, InvoiceState
from shopaccounts.subscriptions.payments.debts import Debt
from shopaccounts.subscriptions.payments.dunning import attempts_of
from shopaccounts.subscriptions.payments.intents import IntentReason, IntentState, PaymentIntent, Purpose, is_live

__all__ = ["Dossier", "Note", "Outcome", "Unsettled", "attempt", "owed", "transfer"]

_OWED: Final = frozenset({InvoiceState.OPEN, InvoiceState.UNCOLLECTIBLE})


@attrs.frozen(kw_only=True)
class Unsettled:
    """An open invoice, with everything that was tried to have it paid."""

    invoice: Invoice
    intents: tuple[PaymentIntent, ...]

    @property
    def next_number(self) -> int:
        """What the next intent of it is called."""
        return 1 + max((intent.attempt for intent in self.intents), default=0)

    @property
    def live_charge(self) -> PaymentIntent | None:
        """The charge of it that is undecided."""
        charges = (one for one in self.intents if one.purpose is Purpose.CHARGE)
        return next(filter(is_live, charges), None)

    def as_debt(self, account: BillingAccount) -> Debt:
        """Answer how it looks to the rules of chasing."""
        zone, lines = account.zone, self.invoice.lines
        return Debt(
            invoice=self.invoice.id,
            due=self.invoice.due,
            overdue_from=overdue_from(self.invoice, zone),
            starts=start_of_day(min(line.start for line in lines), zone),
            ends=start_of_day(max(line.end for line in lines), zone),
            attempts=attempts_of(self.intents),
        )


@attrs.frozen(kw_only=True)
class Dossier:
    """Everything that a decision about one invoice has to know.

    Args:
        account: Who owes it.
        invoice: What it is about.
        intents: What was tried to have it paid, as far as it matters.
        subscriptions: Those that have lines on it.
        owed: Which other invoices, for which these are overdue, are still owed.
        others: The account's other open invoices, where small debts are tried together.
        drafts: Invoices that were kept as drafts while the account's debts were unpaid.
    """

    account: BillingAccount
    invoice: Invoice
    intents: tuple[PaymentIntent, ...]
    subscriptions: Mapping[str, Subscription]
    owed: frozenset[str] = frozenset()
    others: tuple[Unsettled, ...] = ()
    drafts: tuple[Invoice, ...] = ()

    @property
    def method(self) -> str | None:
        """What pays the invoice now."""
        if self.account.collection_mode is CollectionMode.SEND_INVOICE:
            return None
        own = (one.payment_method for one in self.subscriptions.values())
        return next(filter(None, own), None) or self.account.payment_method


@attrs.frozen(kw_only=True)
class Note:
    """Something that a customer is written.

    Args:
        template: Which text.
        key: Of what it tells, so that it is told once.
        subscription: What it is about.
        amount: How much.
        at: When something follows, None if nothing does by itself.
    """

    template: str
    key: str
    subscription: str
    amount: Money
    at: datetime | None = None


@attrs.frozen(kw_only=True)
class Outcome:
    """What was decided about an invoice.

    Args:
        account: As it is now.
        invoices: The invoice, and drafts that are issued now, by id, as they are now.
        intents: All that are known, and new ones, by id, as they are now.
        decisions: What becomes of each subscription.
        entries: What the balance got or gave.
        events: What happened to money.
        notes: What the customer is written.
    """

    account: BillingAccount
    invoices: Mapping[str, Invoice]
    intents: Mapping[str, PaymentIntent]
    decisions: tuple[Decision, ...]
    entries: tuple[BalanceEntry, ...]
    events: tuple[Event, ...]
    notes: tuple[Note, ...]


def owed(invoice: Invoice) -> Money:
    """Answer what somebody still has to pay of an invoice."""
    return invoice.due if invoice.state in _OWED else Money.zero(invoice.currency)


def transfer(account: BillingAccount, to: Unsettled, amount: Money, reference: str, now: datetime) -> PaymentIntent:
    """Answer what is remembered of money that came by itself.

    Args:
        account: Who paid.
        to: What was paid.
        amount: How much came.
        reference: The number of the transfer.
        now: This instant.
    """
    asked_for = attempt(account, to, "", now, now, IntentReason.FIRST)
    return attrs.evolve(
        asked_for,
        purpose=Purpose.TRANSFER,
        amount=amount,
        state=IntentState.SUCCEEDED,
        due_at=None,
        settled_at=now,
        reference=reference,
        paid=min(amount, owed(to.invoice)),
    )


def attempt(
    account: BillingAccount, of: Unsettled, method: str, at: datetime, now: datetime, reason: IntentReason
) -> PaymentIntent:
    """Answer another attempt to have an open invoice paid.

    Args:
        account: Who owes it.
        of: What is owed, and what was tried.
        method: What pays.
        at: When it is tried.
        now: This instant.
        reason: Why it is tried.
    """
    invoice, number = of.invoice, of.next_number
    return PaymentIntent(
        id=f"{invoice.id}:{number}",
        realm=account.realm,
        store=account.store,
        invoice=invoice.id,
        account=account.id,
        subscriptions=invoice.subscriptions,
        attempt=number,
        reason=reason,
        amount=invoice.due,
        method=method,
        due_at=at,
        planned_at=now,
    )
