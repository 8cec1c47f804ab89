"""The balance: entries that are only added, never below zero, and the lines that wait for an invoice."""

from datetime import UTC, date, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import Money, Rate, currency, total
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.errors import BalanceTooLow
from shopaccounts.subscriptions.invoices.balance import (
    apply,
    credit,
    give_back,
    joined,
    pay_out,
    put_off,
    replay,
    require_amount,
    waiting,
)
from shopaccounts.subscriptions.invoices.invoicing import assemble
from shopaccounts.subscriptions.invoices.issuing import Issued, NotIssued, issue
from shopaccounts.subscriptions.model import BillingAccount
from shopaccounts.subscriptions.papers.documents import (
    BALANCE_ENTRIES,
    BalanceEntry,
    BalanceReason,
    InvoiceKind,
    LineDraft,
    LineKind,
    TaxMode,
)
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy

NOW = datetime(2026, 5, 12, 9, tzinfo=UTC)
EUR = currency("EUR")
ACCOUNT = BillingAccount(
    id="main/ann",
    realm=RealmId("main"),
    store=StoreId("main"),
    customer=CustomerId("ann"),
    zone=zone("Europe/Berlin"),
    created_at=NOW,
)
GROWING = [
    BalanceReason.CREDIT_NOTE,
    BalanceReason.OVERPAYMENT,
    BalanceReason.GOODWILL,
    BalanceReason.TO_BALANCE,
]


def euro(amount: str) -> Money:
    return Money.of(amount, "EUR")


def line(amount: str, code: str = "EUR", rates=()) -> LineDraft:
    return LineDraft(
        kind=LineKind.CHARGE,
        subscription="box",
        key="plan",
        product="coffee",
        start=date(2026, 5, 12),
        end=date(2026, 6, 12),
        amount=Money.of(amount, code),
        rates=rates,
    )


def be_kind(account: BillingAccount, amount: Money, document: str, now: datetime):
    return credit(account, amount, BalanceReason.GOODWILL, document, now)


amounts = st.builds(Money, st.integers(1, 500), st.sampled_from(["EUR", "USD"]))


@pytest.mark.proves("INV-13")
@pytest.mark.parametrize("reason", GROWING)
def test_an_entry_says_why_how_much_and_of_what_and_the_balance_is_more_by_it(reason):
    booked = credit(ACCOUNT, euro("5.00"), reason, "doc", NOW)
    assert booked.account.balances == (euro("5.00"),)
    entry = booked.entry
    assert (entry.reason, entry.amount, entry.document, entry.at) == (reason, euro("5.00"), "doc", NOW)
    assert (entry.account, entry.customer, entry.realm, entry.store) == ("main/ann", "ann", "main", "main")
    assert entry.id == f"doc:{reason.value}"
    assert serial.load(BalanceEntry, serial.dump(entry)) == entry


@pytest.mark.proves("INV-13")
def test_one_document_is_entered_once_for_each_reason():
    again = [credit(ACCOUNT, euro("5.00"), reason, "doc", NOW).entry.id for reason in (*GROWING, *GROWING)]
    rich = credit(ACCOUNT, euro("9.00"), BalanceReason.GOODWILL, "g", NOW).account
    applied, out = apply(rich, euro("1.00"), "doc", NOW), pay_out(rich, euro("1.00"), "doc", NOW)
    back = give_back(applied.account, euro("1.00"), "doc", NOW)
    assert len({*again, applied.entry.id, out.entry.id, back.entry.id}) == len(GROWING) + 3


@pytest.mark.proves("INV-13")
@pytest.mark.parametrize("take", [apply, pay_out])
def test_a_balance_is_never_below_zero(take):
    rich = credit(ACCOUNT, euro("5.00"), BalanceReason.GOODWILL, "g", NOW).account
    with pytest.raises(BalanceTooLow) as refused:
        take(rich, euro("5.01"), "doc", NOW)
    assert refused.value.available == euro("5.00")
    with pytest.raises(BalanceTooLow) as refused:
        take(rich, Money.of("0.01", "USD"), "doc", NOW)
    assert refused.value.available == Money.zero("USD")
    assert take(rich, euro("5.00"), "doc", NOW).account == ACCOUNT


@pytest.mark.proves("INV-13")
@pytest.mark.parametrize("move", [apply, pay_out, give_back, be_kind])
def test_money_is_moved_in_amounts_above_zero(move):
    rich = attrs.evolve(ACCOUNT, balances=(euro("5.00"),))
    for wrong in (euro("0.00"), euro("-1.00")):
        with pytest.raises(InvalidInput):
            move(rich, wrong, "doc", NOW)
    for other in (1, 1.5, True, "1.00", None):
        with pytest.raises(TypeError):
            move(rich, other, "doc", NOW)
    assert require_amount(euro("0.01")) == euro("0.01")


@pytest.mark.proves("INV-13")
@given(st.lists(st.tuples(st.sampled_from(["credit", "apply", "pay_out", "give_back"]), amounts), max_size=25))
def test_a_balance_is_the_sum_of_its_entries_and_refusals_change_nothing(moves):
    account, entries = ACCOUNT, []
    for n, (move, amount) in enumerate(moves):
        try:
            match move:
                case "credit":
                    booked = credit(account, amount, GROWING[n % 4], str(n), NOW)
                case "apply":
                    booked = apply(account, amount, str(n), NOW)
                case "pay_out":
                    booked = pay_out(account, amount, str(n), NOW)
                case _:
                    booked = give_back(account, amount, str(n), NOW)
        except BalanceTooLow as refused:
            assert refused.available == account.balance(amount.currency) < amount  # noqa: PT017  (with what it tells)
            continue
        account = booked.account
        entries.append(booked.entry)
    for code in ("EUR", "USD"):
        own = [entry.amount for entry in entries if entry.amount.currency == code]
        assert account.balance(currency(code)) == total(own, code) == replay(entries, currency(code))
        assert total(own, code).minor >= 0
    assert all(balance.minor > 0 for balance in account.balances)


@pytest.mark.proves("INV-13")
def test_entries_that_no_balance_can_have_are_found_out():
    rich = credit(ACCOUNT, euro("5.00"), BalanceReason.GOODWILL, "g", NOW)
    spent = apply(rich.account, euro("5.00"), "I1", NOW)
    assert replay([rich.entry, spent.entry], EUR).is_zero
    with pytest.raises(BalanceTooLow):
        replay([spent.entry, rich.entry], EUR)


@pytest.mark.proves("INV-13")
def test_entries_are_listed_by_account_and_customer_in_their_order():
    entry = credit(ACCOUNT, euro("5.00"), BalanceReason.GOODWILL, "g", NOW).entry
    assert {name: of(entry) for name, of in BALANCE_ENTRIES.groups.items()} == {
        "account": "main/ann",
        "customer": "ann",
    }
    assert BALANCE_ENTRIES.order is not None
    assert BALANCE_ENTRIES.order(entry) == NOW


@pytest.mark.proves("INV-15")
def test_lines_wait_in_their_currency_oldest_first_and_stop_waiting_once():
    later = put_off(ACCOUNT, [line("2.00"), line("3.00", "USD")], "second", NOW + timedelta(days=1))
    both = put_off(later, [line("1.00")], "first", NOW)
    euros = waiting(both, EUR)
    assert [pending.line.amount for pending in euros] == [euro("1.00"), euro("2.00")]
    assert [pending.id for pending in euros] == ["first:1", "second:1"]
    assert [pending.line.amount.currency for pending in joined(both, euros).pending] == ["USD"]
    assert joined(joined(both, euros), euros) == joined(both, euros)
    assert put_off(ACCOUNT, [], "k", NOW) == joined(ACCOUNT, ()) == ACCOUNT


@pytest.mark.proves("INV-15", "INV-9")
def test_waiting_lines_join_the_next_invoice_and_come_to_what_they_would_have_come_to():
    policy, vat = InvoicePolicy(min_charge=(euro("1.00"),)), (Rate.percent(19),)

    def bill(account, amount, n):
        lines = waiting(account, EUR)
        draft = assemble(
            [line(amount)], [vat], key=f"k{n}", kind=InvoiceKind.PERIODIC, mode=TaxMode.EXCLUSIVE, waiting=lines
        )
        return issue(draft, account, policy, id=f"I{n}", now=NOW + timedelta(days=n))

    first = bill(ACCOUNT, "0.30", 1)
    assert isinstance(first, NotIssued)
    second = bill(first.account, "0.40", 2)
    assert isinstance(second, NotIssued)
    assert [(pending.id, pending.since) for pending in second.account.pending] == [
        ("k1:1", NOW + timedelta(days=1)),
        ("k2:1", NOW + timedelta(days=2)),
    ]
    third = bill(second.account, "0.50", 3)
    assert isinstance(third, Issued)
    assert [each.amount for each in third.invoice.lines] == [euro("0.30"), euro("0.40"), euro("0.50")]
    assert [each.taxed for each in third.invoice.lines] == [(6,), (8,), (10,)]
    assert third.account == ACCOUNT
