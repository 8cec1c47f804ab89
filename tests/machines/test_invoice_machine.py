"""A customer, a clerk, a bank and some invoices: issued, paid, credited, refunded, voided, given up, charged back.

Whatever they do, in whatever order, no cent comes from nowhere or is lost:

* of an invoice: total = balance + paid + credited + due, nothing below zero, and refunds are no more than was paid;
* of a credit note: total = taken off + paid back + to the balance, and all notes together are no more than the invoice;
* of the balance: it is the sum of its entries, and they are what notes, overpayments, goodwill and lifted invoices gave
  less what invoices and the customer got.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import Money, Rate, currency, share, total
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.invoices.balance import credit, pay_out, replay, waiting
from shopaccounts.subscriptions.invoices.crediting import (
    credit_draft,
    credit_note,
    credit_note_lines,
    returned,
    taken_back,
)
from shopaccounts.subscriptions.invoices.invoicing import InvoiceDraft, assemble
from shopaccounts.subscriptions.invoices.issuing import Issued, issue, issue_kept, keep
from shopaccounts.subscriptions.invoices.settling import pay, refund, reverse, void, write_off
from shopaccounts.subscriptions.model import BillingAccount
from shopaccounts.subscriptions.papers.documents import (
    BalanceEntry,
    BalanceReason,
    CreditNote,
    CreditTo,
    Invoice,
    InvoiceKind,
    InvoiceState,
    LineDraft,
    LineKind,
    TaxMode,
)
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy, TaxPolicy, TaxRounding

EUR = currency("EUR")
NOTHING = Money.zero(EUR)
SET = InvoicePolicy(min_charge=(Money.of("0.50", "EUR"),))
LIVING = (InvoiceState.OPEN, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE)

amounts = (st.integers(1, 200) | st.integers(1, 5000)).map(lambda minor: Money(minor, EUR))
parts = st.sampled_from([33, 50, 100]) | st.integers(1, 100)
which = st.integers(0, 5)
rates = st.sampled_from([(), (Rate.percent(19),), (Rate.percent(7), Rate.percent("0.375"))])


class InvoiceMachine(RuleBasedStateMachine):
    """What the shop knows of its money follows from what people did with it."""

    @initialize(mode=st.sampled_from(TaxMode), rounding=st.sampled_from(TaxRounding))
    def opens(self, mode: TaxMode, rounding: TaxRounding) -> None:
        self.mode, self.tax = mode, TaxPolicy(rounding=rounding)
        self.now = datetime(2026, 5, 12, tzinfo=UTC)
        self.account = BillingAccount(
            id="main/ann",
            realm=RealmId("main"),
            store=StoreId("main"),
            customer=CustomerId("ann"),
            zone=zone("Europe/Berlin"),
            created_at=self.now,
        )
        self.invoices: dict[str, Invoice] = {}
        self.notes: list[CreditNote] = []
        self.entries: list[BalanceEntry] = []
        self.refunds: dict[str, Money] = {}
        self.brought = self.taken = self.made = 0

    def an_id(self, what: str) -> str:
        self.made += 1
        self.now += timedelta(hours=1)
        return f"{what}{self.made}"

    def one(self, place: int) -> Invoice | None:
        known = list(self.invoices.values())
        return known[place % len(known)] if known else None

    def holds(self, done: Any) -> None:
        """Keep what a decision came to."""
        self.account = done.account
        self.entries += done.entries
        self.invoices[done.invoice.id] = done.invoice

    def books(self, booked: Any) -> None:
        self.account = booked.account
        self.entries.append(booked.entry)

    def bill(self, *lines: LineDraft) -> InvoiceDraft:
        return assemble(
            lines,
            key=self.an_id("key"),
            kind=InvoiceKind.CHANGE,
            mode=self.mode,
            tax=self.tax,
            waiting=waiting(self.account, EUR),
        )

    @staticmethod
    def a_line(amount: Money, rates: tuple[Rate, ...]) -> LineDraft:
        return LineDraft(
            kind=LineKind.RECURRING,
            subscription="box",
            key="plan",
            product="coffee",
            start=date(2026, 5, 12),
            end=date(2026, 6, 12),
            amount=amount,
            rates=rates,
        )

    # What people do

    @rule(amounts=st.lists(amounts, min_size=1, max_size=3), rates=rates)
    def the_shop_bills(self, amounts: list[Money], rates: tuple[Rate, ...]) -> None:
        draft = self.bill(*(self.a_line(amount, rates) for amount in amounts))
        done = issue(draft, self.account, SET, id=self.an_id("I"), now=self.now)
        if isinstance(done, Issued):
            self.holds(done)
        else:
            self.account = done.account

    @rule(amount=amounts, rates=rates)
    def the_shop_keeps_a_bill(self, amount: Money, rates: tuple[Rate, ...]) -> None:
        self.holds(keep(self.bill(self.a_line(amount, rates)), self.account, id=self.an_id("I"), now=self.now))

    @rule(place=which)
    def the_shop_issues_what_it_kept(self, place: int) -> None:
        invoice = self.one(place)
        if invoice and invoice.state is InvoiceState.DRAFT:
            self.holds(issue_kept(invoice, self.account, SET, self.now))

    @rule(place=which, part=parts, amount=amounts)
    def the_customer_changes_plans(self, place: int, part: int, amount: Money) -> None:
        invoice = self.one(place)
        line = invoice.lines[0] if invoice and invoice.state in LIVING else None
        base = share(line.creditable, part, 100) if line else NOTHING
        if invoice and line and base.minor:
            (back,) = credit_note_lines(invoice, {1: base})
            negative = credit_draft(invoice, back, start=date(2026, 6, 1), end=line.end)
            draft = self.bill(negative, self.a_line(amount, line.rates))
            done = issue(draft, self.account, SET, id=self.an_id("I"), now=self.now)
            self.invoices[invoice.id] = taken_back(invoice, [back], live_until=date(2026, 6, 1))
            if isinstance(done, Issued):
                self.holds(done)
            else:
                self.account = done.account

    @rule(place=which, amount=amounts)
    def somebody_pays(self, place: int, amount: Money) -> None:
        invoice = self.one(place)
        if invoice and invoice.state is not InvoiceState.DRAFT:
            done = pay(invoice, amount, self.account, payment=self.an_id("payment"), now=self.now)
            assert done.invoice.paid - invoice.paid + done.overpaid == amount
            self.holds(done)
            self.brought += amount.minor

    @rule(place=which)
    def the_card_pays_what_is_due(self, place: int) -> None:
        invoice = self.one(place)
        if invoice and invoice.state in LIVING and invoice.due.minor:
            self.somebody_pays(place, invoice.due)
            assert self.invoices[invoice.id].state is InvoiceState.PAID

    @rule(place=which, part=parts, to=st.sampled_from(CreditTo), all_lines=st.booleans())
    def the_shop_credits(self, place: int, part: int, to: CreditTo, *, all_lines: bool) -> None:
        invoice = self.one(place)
        if invoice is None or invoice.state not in LIVING:
            return
        left = {n: share(line.creditable, part, 100) for n, line in enumerate(invoice.lines, 1)}
        wanted = {n: base for n, base in left.items() if base.minor and (all_lines or n == 1)}
        if wanted:
            id = self.an_id("N")
            done = credit_note(invoice, wanted, self.account, to, id=id, key=id, reason="", now=self.now)
            self.holds(done)
            self.notes.append(done.note)
            self.taken += done.note.refund.minor

    @rule(place=which, amount=amounts)
    def the_shop_refunds(self, place: int, amount: Money) -> None:
        invoice = self.one(place)
        if invoice and amount <= invoice.refundable:
            self.invoices[invoice.id] = refund(invoice, amount)
            self.refunds[invoice.id] = self.refunds.get(invoice.id, NOTHING) + amount
            self.taken += amount.minor

    @rule(place=which, part=parts)
    def the_bank_takes_back(self, place: int, part: int) -> None:
        invoice = self.one(place)
        amount = share(invoice.refundable, part, 100) if invoice else NOTHING
        if invoice and amount.minor:
            self.invoices[invoice.id] = reverse(invoice, amount)
            self.taken += amount.minor

    @rule(place=which, rebill=st.booleans())
    def the_shop_voids(self, place: int, *, rebill: bool) -> None:
        invoice = self.one(place)
        if invoice and invoice.state is InvoiceState.OPEN and invoice.paid.is_zero:
            self.holds(void(invoice, self.account, self.now, rebill=rebill))
            for id, other in self.invoices.items():
                self.invoices[id] = returned(other, invoice.lines)

    @rule(place=which)
    def the_shop_gives_up(self, place: int) -> None:
        invoice = self.one(place)
        if invoice and invoice.state is InvoiceState.OPEN:
            self.invoices[invoice.id] = write_off(invoice)

    @rule(amount=amounts)
    def the_shop_is_kind(self, amount: Money) -> None:
        self.books(credit(self.account, amount, BalanceReason.GOODWILL, self.an_id("kindness"), self.now))

    @rule(part=parts)
    def the_shop_pays_out(self, part: int) -> None:
        amount = share(self.account.balance(EUR), part, 100)
        if amount.minor:
            self.books(pay_out(self.account, amount, self.an_id("payout"), self.now))
            self.taken += amount.minor

    @rule(place=which, what=st.sampled_from(["void", "write_off", "issue", "reverse", "refund", "credit", "pay_out"]))
    def somebody_tries_what_cant_be(self, place: int, what: str) -> None:
        invoice, much = self.one(place), Money(10**9, EUR)
        if invoice is None:
            return
        tries: dict[str, Any] = {
            "void": lambda: void(invoice, self.account, self.now),
            "write_off": lambda: write_off(invoice),
            "issue": lambda: issue_kept(invoice, self.account, SET, self.now),
            "reverse": lambda: reverse(invoice, much),
            "refund": lambda: refund(invoice, much),
            "credit": lambda: credit_note_lines(invoice, {1: much}),
            "pay_out": lambda: pay_out(self.account, much, "payout", self.now),
        }
        may = {
            "void": invoice.state is InvoiceState.OPEN and invoice.paid.is_zero,
            "write_off": invoice.state is InvoiceState.OPEN,
            "issue": invoice.state is InvoiceState.DRAFT,
        }
        if not may.get(what, False):
            with pytest.raises(Rejected):
                tries[what]()

    # What is so

    @invariant()
    def no_invoice_loses_money(self) -> None:
        for invoice in self.invoices.values():
            sides = (invoice.balance_applied, invoice.paid, invoice.credited, invoice.due, invoice.refunded)
            assert min(side.minor for side in (invoice.total, *sides)) >= 0
            assert invoice.refunded <= invoice.paid
            if invoice.state is InvoiceState.VOID:
                assert {invoice.balance_applied, invoice.paid, invoice.due} == {NOTHING}
                continue
            assert invoice.balance_applied + invoice.paid + invoice.credited + invoice.due == invoice.total
            if invoice.state is not InvoiceState.DRAFT:
                assert invoice.due.is_zero == (invoice.state is InvoiceState.PAID)

    @invariant()
    def no_line_is_taken_back_twice(self) -> None:
        for invoice in self.invoices.values():
            for line in invoice.lines:
                assert NOTHING <= line.credited <= max(line.base, NOTHING)
                if line.credited == line.base:
                    assert line.tax_credited == line.taxed
                assert all(0 <= back <= tax for back, tax in zip(line.tax_credited, line.taxed, strict=True) if tax > 0)

    @invariant()
    def no_note_loses_money(self) -> None:
        for note in self.notes:
            assert note.applied + note.refund + note.to_balance == note.total
        for invoice in self.invoices.values():
            own = [note for note in self.notes if note.invoice == invoice.id]
            billed = total((line.gross for line in invoice.lines if line.gross.minor > 0), EUR)
            assert total((note.total for note in own), EUR) <= billed
            assert total((note.applied for note in own), EUR) == invoice.credited
            paid_back = total((note.refund for note in own), EUR) + self.refunds.get(invoice.id, NOTHING)
            assert paid_back == invoice.refunded

    @invariant()
    def the_balance_is_what_came_and_went(self) -> None:
        balance = self.account.balance(EUR)
        assert replay(self.entries, EUR) == balance
        assert len({entry.id for entry in self.entries}) == len(self.entries)
        by_reason = dict.fromkeys(BalanceReason, NOTHING)
        for entry in self.entries:
            by_reason[entry.reason] += entry.amount
        applied = total((invoice.balance_applied for invoice in self.invoices.values()), EUR)
        assert by_reason[BalanceReason.APPLIED] == -applied
        assert by_reason[BalanceReason.CREDIT_NOTE] == total((note.to_balance for note in self.notes), EUR)
        issued = [each for each in self.invoices.values() if each.state is not InvoiceState.DRAFT]
        lifted = [line.amount for each in issued for line in each.lines if line.kind is LineKind.TO_BALANCE]
        assert by_reason[BalanceReason.TO_BALANCE] == total(lifted, EUR)

    @invariant()
    def the_till_is_what_was_brought_less_what_was_taken(self) -> None:
        on_invoices = sum((invoice.paid - invoice.refunded).minor for invoice in self.invoices.values())
        over = sum(entry.amount.minor for entry in self.entries if entry.reason is BalanceReason.OVERPAYMENT)
        out = sum(entry.amount.minor for entry in self.entries if entry.reason is BalanceReason.PAID_OUT)
        assert self.brought - self.taken == on_invoices + over + out


@pytest.mark.proves("INV-5", "INV-11", "INV-12", "INV-13", "INV-14")
def test_whatever_is_done_with_invoices_no_cent_is_made_or_lost() -> None:
    many = settings(max_examples=60, stateful_step_count=30)
    run_state_machine_as_test(InvoiceMachine, settings=many)
