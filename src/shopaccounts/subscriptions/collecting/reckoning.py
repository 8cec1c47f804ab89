"""Reckoning up what news about a payment comes to, from the invoice to the next attempt."""

from collections.abc import Callable
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.collecting.chasing import catch_up, fall_behind, give_up, is_behind_for
from shopaccounts.subscriptions.collecting.dossiers import Dossier, Note, Outcome, Unsettled, attempt, owed, transfer
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.events import (
    BalanceApplied,
    DunningExhausted,
    DunningStarted,
    InvoiceIssued,
    InvoicePaid,
    InvoiceWrittenOff,
    Overpaid,
    PaymentActionNeeded,
    PaymentFailed,
    PaymentReversed,
    PaymentSucceeded,
    RefundSucceeded,
)
from shopaccounts.subscriptions.invoices.balance import apply, credit, pay_out
from shopaccounts.subscriptions.invoices.issuing import issue_kept, overdue_from
from shopaccounts.subscriptions.invoices.settling import closed, pay, reverse, write_off
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import BalanceEntry, BalanceReason, Invoice, InvoiceKind, InvoiceState
from shopaccounts.subscriptions.payments.debts import WaitForInvoice, exhaustion, held_back, overdue, tried_together
from shopaccounts.subscriptions.payments.dunning import (
    Attempt,
    DunningLetter,
    Retry,
    Step,
    Stop,
    StopReason,
    WaitForMethod,
    attempts_of,
    first_failure,
    letter_after,
    next_attempt,
)
from shopaccounts.subscriptions.payments.intents import (
    IntentReason,
    IntentState,
    PaymentIntent,
    Purpose,
    Settlement,
    drop,
    is_live,
)
from shopaccounts.subscriptions.planning.beginning import first_paid
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import Collection, Lifecycle, Trigger

__all__ = ["Reckoning"]

_LETTERS: Final = MappingProxyType(
    {
        DunningLetter.FAILED: "payment_failed",
        DunningLetter.LAST_WARNING: "last_warning",
    }
)
"""How letters about a failure are called; every other one is a reminder."""


class Reckoning:
    """Where the outcome of one decision piles up."""

    def __init__(self, dossier: Dossier, policy: SubscriptionPolicy, now: datetime) -> None:
        self.dossier, self.policy, self.now = dossier, policy, now
        self.account, self.invoice = dossier.account, dossier.invoice
        self.issued: dict[str, Invoice] = {}
        self.intents = {one.id: one for one in dossier.intents}
        self.decisions = {id: Decision(subscription=one) for id, one in dossier.subscriptions.items()}
        self.entries: list[BalanceEntry] = []
        self.events: list[Event] = []
        self.notes: list[Note] = []

    def outcome(self) -> Outcome:
        """Answer what it comes to."""
        return Outcome(
            account=self.account,
            invoices={self.invoice.id: self.invoice, **self.issued},
            intents=self.intents,
            decisions=tuple(self.decisions.values()),
            entries=tuple(self.entries),
            events=tuple(self.events),
            notes=tuple(self.notes),
        )

    def keep(self, intent: PaymentIntent) -> None:
        """Remember a payment as it is now."""
        self.intents[intent.id] = intent

    # News of the gateway

    def take(self, settlement: Settlement) -> None:
        """Go on with what an answer comes to."""
        intent = settlement.intent
        self.keep(intent)
        if intent.purpose is Purpose.REFUND:
            self._refunded(settlement)
        elif not (settlement.paid + settlement.overpaid).is_zero:
            self._tell(PaymentSucceeded, intent.amount, intent=intent.id, attempt=intent.attempt)
            self.book(settlement.paid, settlement.overpaid, intent.key)
        elif intent.state is IntentState.DECLINED:
            self.fail(intent)
        elif intent.state is IntentState.NEEDS_ACTION:
            self._ask_for_action(intent)
        if intent.reason is IntentReason.FIRST and not is_live(intent):
            self._try_small_debts()

    def fail(self, intent: PaymentIntent) -> None:
        """Go on with a charge that failed."""
        self.keep(intent)
        step = self.step()
        next_at = step.at if isinstance(step, Retry) else None
        kind = intent.decline.value if intent.decline else ""
        self._tell(PaymentFailed, intent.amount, intent=intent.id, attempt=intent.attempt, kind=kind, next_at=next_at)
        if not self._is_first_payment:
            self._fall_behind(first_failure(self._history) or self.now, Trigger.PAYMENT_FAILED)
        self.follow(step)

    def _ask_for_action(self, intent: PaymentIntent) -> None:
        self._tell(PaymentActionNeeded, intent.amount, intent=intent.id, attempt=intent.attempt)
        if not self._is_first_payment:
            self._write("payment_action", f"{intent.key}:action", intent.amount, intent.due_at)

    def _refunded(self, settlement: Settlement) -> None:
        intent = settlement.intent
        if not settlement.refunded.is_zero:
            self._tell(RefundSucceeded, intent.amount, intent=intent.id, attempt=intent.attempt)
        elif intent.state is IntentState.DECLINED:
            self.invoice = attrs.evolve(self.invoice, refunded=self.invoice.refunded - intent.amount)
            self._to_balance(intent.amount, intent.key)

    # Money that comes

    def receive(self, amount: Money, reference: str) -> None:
        """Take money that no gateway brought."""
        over = pay(self.invoice, amount, self.account, payment=reference, now=self.now).overpaid
        so_far = Unsettled(invoice=self.invoice, intents=tuple(self.intents.values()))
        came = transfer(self.account, so_far, amount, reference, self.now)
        self.keep(came)
        self._tell(PaymentSucceeded, amount, intent=came.id, attempt=came.attempt)
        self.book(amount - over, over, came.key)

    def book(self, paid: Money, over: Money, payment: str) -> None:
        """Put money on the invoice, and what is too much into the balance."""
        was_owed = not owed(self.invoice).is_zero
        if not paid.is_zero:
            self.invoice = pay(self.invoice, paid, self.account, payment=payment, now=self.now).invoice
        if not over.is_zero:
            self._to_balance(over, payment)
            self._use_balance(payment)
        if was_owed and owed(self.invoice).is_zero:
            self._tell(InvoicePaid, self.invoice.total)
            self._begin()
            self.catch_up()

    def _to_balance(self, amount: Money, payment: str) -> None:
        booked = credit(self.account, amount, BalanceReason.OVERPAYMENT, payment, self.now)
        self.account = booked.account
        self.entries.append(booked.entry)
        self._tell(Overpaid, amount)

    def _use_balance(self, payment: str) -> None:
        """Pay what the invoice still owes out of what came too late for it."""
        amount = min(owed(self.invoice), self.account.balance(self.invoice.currency))
        if amount.is_zero:
            return
        booked = apply(self.account, amount, self.invoice.id, self.now, brought_by=payment)
        self.account = booked.account
        self.entries.append(booked.entry)
        self.invoice = closed(attrs.evolve(self.invoice, balance_applied=self.invoice.balance_applied + amount))
        self._tell(BalanceApplied, amount)

    def _begin(self) -> None:
        """Let those run that waited for their first payment."""
        for id, so_far in self.decisions.items():
            if so_far.subscription.lifecycle is Lifecycle.INCOMPLETE and self.invoice.kind is InvoiceKind.START:
                self.decisions[id] = so_far.then(first_paid(so_far.subscription, self.now))

    def catch_up(self) -> None:
        """Stop chasing an invoice that is settled."""
        self.invoice = attrs.evolve(self.invoice, chase_at=None)
        for intent in tuple(self.intents.values()):
            if intent.state is IntentState.READY and intent.purpose is Purpose.CHARGE:
                self.keep(drop(intent, self.now))
        recovered = self._decide(lambda one: catch_up(one, self.invoice.id, self.dossier.owed, self.now, self.policy))
        before = self.dossier.subscriptions
        back = [one for one in recovered if one.collection is not before[one.id].collection]
        if back:
            self._write("payment_recovered", f"{self._cause}:recovered", self.invoice.total, of=back[0].id)
            self._issue_drafts()

    def _issue_drafts(self) -> None:
        """Issue what was kept as drafts while these were unpaid."""
        now_ok = {id for id, one in self.decisions.items() if one.subscription.collection is Collection.OK}
        for draft in self.dossier.drafts:
            if not now_ok.issuperset(draft.subscriptions):
                continue
            done = issue_kept(draft, self.account, self.policy.invoices, self.now)
            self.account, self.issued[draft.id] = done.account, done.invoice
            self.entries.extend(done.entries)
            self._tell(InvoiceIssued, draft.total, done.invoice, kind=draft.kind.value)
            if not done.invoice.balance_applied.is_zero:
                self._tell(BalanceApplied, done.invoice.balance_applied, done.invoice)
            if done.invoice.state is InvoiceState.PAID:
                self._tell(InvoicePaid, draft.total, done.invoice)
            else:
                self._ask_for(done.invoice)

    def _ask_for(self, invoice: Invoice) -> None:
        """Let an invoice that is issued now be paid: by itself, or until its day."""
        method, new = self.dossier.method, Unsettled(invoice=invoice, intents=())
        if method is not None:
            self.keep(attempt(self.account, new, method, self.now, self.now, IntentReason.FIRST))
        else:
            late = overdue_from(invoice, self.account.zone)
            self.issued[invoice.id] = attrs.evolve(invoice, chase_at=late)

    def reverse(self, intent: PaymentIntent) -> None:
        """Take a payment off again."""
        taken = Money.zero(intent.amount.currency) if intent.paid is None else min(intent.paid, self.invoice.refundable)
        self.keep(attrs.evolve(intent, reversed_at=self.now))
        self._tell(PaymentReversed, intent.amount, intent=intent.id, attempt=intent.attempt)
        over = min(intent.amount - taken, self.account.balance(intent.amount.currency))
        if not over.is_zero:
            booked = pay_out(self.account, over, f"{intent.key}:reversed", self.now)
            self.account = booked.account
            self.entries.append(booked.entry)
        if taken.is_zero:
            return
        until = self.now + self.policy.dunning.max_age
        self.invoice = attrs.evolve(reverse(self.invoice, taken), chase_at=until)
        self._fall_behind(self.now, Trigger.PAYMENT_REVERSED)

    # Money that doesn't come

    @property
    def _history(self) -> tuple[Attempt, ...]:
        return attempts_of(self.intents.values())

    @property
    def _is_first_payment(self) -> bool:
        return any(one.subscription.lifecycle is Lifecycle.INCOMPLETE for one in self.decisions.values())

    @property
    def _cause(self) -> str:
        """What is unique about this step of an invoice: how often it was written."""
        return f"{self.invoice.id}:{self.dossier.invoice.version}:{len(self.intents)}"

    def step(self) -> Step | WaitForInvoice:
        """Answer what follows the attempts so far."""
        history, dunning, method = self._history, self.policy.dunning, self.dossier.method
        last = max(self.intents.values(), key=lambda intent: intent.attempt, default=None)
        changed = self.now if last is not None and method is not None and last.method != method else None
        step = next_attempt(history, dunning, self.now, zone=self.account.zone, method_changed_at=changed)
        limits = [one.first_payment_by for one in self.dossier.subscriptions.values() if one.first_payment_by]
        if isinstance(step, Retry) and any(step.at >= limit for limit in limits):
            return Stop(StopReason.MAX_AGE)
        if not dunning.min_amount:
            return step
        debts = [Unsettled(invoice=self.invoice, intents=tuple(self.intents.values())), *self.dossier.others]
        total = overdue([one.as_debt(self.account) for one in debts], self.invoice.currency, self.now)
        return held_back(step, total, dunning)

    def follow(self, step: Step | WaitForInvoice) -> None:
        """Do what follows a failure, and tell the customer."""
        ended = False
        self.invoice = attrs.evolve(self.invoice, chase_at=step.until if isinstance(step, WaitForMethod) else None)
        if isinstance(step, Retry):
            self._plan(step)
        elif isinstance(step, Stop) and step.reason is not StopReason.SUCCEEDED and not self._is_first_payment:
            ended = self._give_up()
        if not self._is_first_payment and not isinstance(step, WaitForInvoice):
            self._tell_customer(step, ended=ended)

    def _tell_customer(self, step: Step, *, ended: bool) -> None:
        if ended:
            self._write("ended_unpaid", f"{self.invoice.id}:ended:{len(self.intents)}", self.invoice.due, self.now)
            return
        letter = letter_after(self.invoice.id, self._history, step, self.policy.dunning, zone=self.account.zone)
        if letter is not None and letter.kind is not DunningLetter.RECOVERED:
            template = _LETTERS.get(letter.kind, "payment_reminder")
            at = step.at if isinstance(step, Retry) else None
            self._write(template, f"{letter.key}:{len(self.intents)}", self.invoice.due, at)

    def _plan(self, step: Retry) -> None:
        so_far = Unsettled(invoice=self.invoice, intents=tuple(self.intents.values()))
        if so_far.live_charge is None:
            method = self.dossier.method or so_far.intents[-1].method
            self.keep(attempt(self.account, so_far, method, step.at, self.now, step.reason))

    def _try_small_debts(self) -> None:
        """Try what is too little to be tried on its own together with this invoice."""
        method = self.dossier.method
        mine = [one for one in self.dossier.others if one.invoice.currency == self.invoice.currency]
        waiting = {one.invoice.id: one for one in mine if one.live_charge is None}
        debts = [one.as_debt(self.account) for one in mine]
        for debt in tried_together(debts, self.policy.dunning, self.now) if method is not None else ():
            if debt.invoice in waiting:
                of = waiting[debt.invoice]
                self.keep(attempt(self.account, of, method or "", self.now, self.now, IntentReason.WITH_ANOTHER))

    def look_after(self) -> None:
        """Do what the time has come for."""
        late = overdue_from(self.invoice, self.account.zone)
        if owed(self.invoice).is_zero:
            self.catch_up()
        elif self._is_first_payment or any(map(is_live, self.intents.values())):
            self.invoice = attrs.evolve(self.invoice, chase_at=None)
        elif self.invoice.chase_at == late and not self._history:
            self._fall_behind(late, Trigger.INVOICE_OVERDUE)
            self.invoice = attrs.evolve(self.invoice, chase_at=late + self.policy.dunning.max_age)
            self._write("payment_reminder", f"{self.invoice.id}:overdue", self.invoice.due)
        else:
            self.follow(Stop(StopReason.MAX_AGE))

    def _fall_behind(self, since: datetime, trigger: Trigger) -> None:
        known = any(is_behind_for(one.subscription, self.invoice.id) for one in self.decisions.values())
        if not known:
            self._tell(DunningStarted, self.invoice.due)
        self._decide(lambda one: Decision(subscription=fall_behind(one, self.invoice.id, since, trigger)))

    def _give_up(self) -> bool:
        """Give the invoice up; answer whether a subscription ended by it."""
        self._tell(DunningExhausted, self.invoice.due, outcome=self.policy.dunning.on_exhausted.value)
        writes_off = exhaustion(self.policy.dunning, Lifecycle.ACTIVE, Collection.PAST_DUE).writes_off
        if writes_off and self.invoice.state is InvoiceState.OPEN:
            self._tell(InvoiceWrittenOff, self.invoice.due)
            self.invoice = write_off(self.invoice)
        after = self._decide(lambda one: give_up(one, self.now, self.policy))
        return any(one.ended_at == self.now for one in after)

    # Telling

    def _decide(self, rule: Callable[[Subscription], Decision]) -> list[Subscription]:
        """Apply a rule to each subscription; answer them as they are now."""
        for id, so_far in self.decisions.items():
            self.decisions[id] = so_far.then(rule(so_far.subscription))
        return [one.subscription for one in self.decisions.values()]

    def _tell(self, event: Callable[..., Event], amount: Money, about: Invoice | None = None, **more: Any) -> None:
        invoice = about or self.invoice
        self.events.append(
            event(
                at=self.now,
                account=invoice.customer,
                billing_account=invoice.account,
                invoice=invoice.id,
                subscriptions=invoice.subscriptions,
                amount=amount,
                **more,
            )
        )

    def _write(self, template: str, key: str, amount: Money, at: datetime | None = None, *, of: str = "") -> None:
        about = of or next(iter(self.invoice.subscriptions), "")
        self.notes.append(Note(template=template, key=key, subscription=about, amount=amount, at=at))
