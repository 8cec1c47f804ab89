"""Credit notes: no more than was billed, exactly its tax, and nothing paid back that wasn't paid."""

from datetime import UTC, date, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import CurrencyMismatch, Money, Rate, share, total
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.errors import CreditTooLarge, InvoiceNotOpen
from shopaccounts.subscriptions.invoices.crediting import (
    NoteUse,
    credit_draft,
    credit_note,
    credit_note_lines,
    returned,
    settle_note,
    taken_back,
)
from shopaccounts.subscriptions.invoices.invoicing import assemble
from shopaccounts.subscriptions.invoices.issuing import Issued, issue, keep
from shopaccounts.subscriptions.invoices.settling import pay, void, write_off
from shopaccounts.subscriptions.model import BillingAccount
from shopaccounts.subscriptions.papers.documents import (
    CREDIT_NOTES,
    BalanceReason,
    CreditNote,
    CreditTo,
    Invoice,
    InvoiceKind,
    InvoiceState,
    LineDraft,
    LineKind,
    LineRef,
    TaxMode,
)
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy, TaxPolicy, TaxRounding

NOW = datetime(2026, 5, 12, 9, tzinfo=UTC)
VAT, REDUCED = Rate.percent(19), Rate.percent(7)
BALANCE, REFUND = CreditTo.BALANCE, CreditTo.REFUND
ACCOUNT = BillingAccount(
    id="main/ann",
    realm=RealmId("main"),
    store=StoreId("main"),
    customer=CustomerId("ann"),
    zone=zone("Europe/Berlin"),
    created_at=NOW,
)


def euro(amount: str) -> Money:
    return Money.of(amount, "EUR")


def draft(*amounts: Money, mode: TaxMode = TaxMode.EXCLUSIVE, rates=(VAT,), tax: TaxPolicy | None = None):
    lines = [
        LineDraft(
            kind=LineKind.RECURRING,
            subscription="box",
            key="plan",
            product="coffee",
            quantity=2,
            start=date(2026, 5, 12),
            end=date(2026, 6, 12),
            amount=amount,
            rates=tuple(rates),
            category="food",
        )
        for amount in amounts
    ]
    return assemble(lines, key="k", kind=InvoiceKind.PERIODIC, mode=mode, tax=tax or TaxPolicy())


def open_invoice(*amounts: Money, **how) -> Invoice:
    issued = issue(draft(*amounts, **how), ACCOUNT, InvoicePolicy(issue_zero_invoices=True), id="I1", now=NOW)
    assert isinstance(issued, Issued)
    return issued.invoice


def credit(invoice: Invoice, wanted: dict[int, Money], to: CreditTo = BALANCE, *, account=ACCOUNT, id="N1"):
    return credit_note(invoice, wanted, account, to, id=id, key=f"key of {id}", reason="broken beans", now=NOW)


def paid(invoice: Invoice, amount: Money) -> Invoice:
    return pay(invoice, amount, ACCOUNT, payment="I1:1", now=NOW).invoice


bases = st.builds(Money, st.integers(1, 10**6), st.just("EUR"))


@pytest.mark.proves("INV-11")
def test_two_notes_that_use_up_a_line_carry_exactly_its_tax():
    invoice = open_invoice(euro("87.50"))
    assert invoice.tax == euro("16.63")
    first = credit(invoice, {1: euro("31.90")})
    assert [line.tax for line in first.note.lines] == [euro("6.06")]
    assert first.note.total == euro("37.96")
    second = credit(first.invoice, {1: euro("55.60")}, account=first.account, id="N2")
    assert [line.tax for line in second.note.lines] == [euro("10.57")]
    assert second.note.total == euro("66.17")
    assert share(euro("31.90"), 19, 100) + share(euro("55.60"), 19, 100) == euro("16.62")
    assert first.note.total + second.note.total == invoice.total
    assert second.invoice.lines[0].creditable.is_zero
    with pytest.raises(CreditTooLarge) as refused:
        credit(second.invoice, {1: euro("0.01")})
    assert refused.value.creditable == euro("0.00")


@pytest.mark.proves("INV-11")
def test_no_more_is_credited_than_is_left_of_a_line():
    invoice = open_invoice(euro("10.00"), euro("20.00"))
    with pytest.raises(CreditTooLarge) as refused:
        credit_note_lines(invoice, {2: euro("20.01")})
    assert refused.value.creditable == euro("20.00")
    once = credit(invoice, {2: euro("15.00")}).invoice
    with pytest.raises(CreditTooLarge) as refused:
        credit_note_lines(once, {1: euro("10.00"), 2: euro("5.01")})
    assert refused.value.creditable == euro("5.00")


@pytest.mark.proves("INV-11")
def test_prices_with_tax_are_credited_with_tax():
    back = credit(open_invoice(euro("12.50"), mode=TaxMode.INCLUSIVE, rates=[REDUCED]), {1: euro("12.50")}).note
    assert (back.lines[0].base, back.lines[0].tax, back.lines[0].gross) == (euro("12.50"), euro("0.82"), euro("12.50"))
    assert back.total == euro("12.50")


@pytest.mark.proves("INV-11")
@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ({}, InvalidInput),
        ({0: euro("1.00")}, InvalidInput),
        ({3: euro("1.00")}, InvalidInput),
        ({True: euro("1.00")}, InvalidInput),
        ({1: euro("0.00")}, InvalidInput),
        ({1: euro("-1.00")}, InvalidInput),
        ({1: Money.of(1, "USD")}, CurrencyMismatch),
        ({1: 100}, TypeError),
        ({1: 1.0}, TypeError),
    ],
)
def test_what_is_wanted_names_lines_of_the_invoice_and_amounts_above_zero(wanted, refusal):
    with pytest.raises(refusal):
        credit_note_lines(open_invoice(euro("10.00"), euro("20.00")), wanted)


@pytest.mark.proves("INV-11", "INV-5")
def test_only_an_invoice_that_counts_can_be_credited():
    invoice, wanted = open_invoice(euro("10.00")), {1: euro("1.00")}
    kept = keep(draft(euro("10.00")), ACCOUNT, id="I2", now=NOW).invoice
    for gone in (void(invoice, ACCOUNT, NOW).invoice, kept):
        with pytest.raises(InvoiceNotOpen) as refused:
            credit_note_lines(gone, wanted)
        assert refused.value.state == gone.state.value
    for counts in (invoice, write_off(invoice), paid(invoice, invoice.total)):
        assert credit_note_lines(counts, wanted)


@pytest.mark.proves("INV-12")
@pytest.mark.parametrize(
    ("note", "owed", "refundable", "to", "use"),
    [
        ("30.00", "50.00", "0.00", BALANCE, ("30.00", "0.00", "0.00")),
        ("30.00", "10.00", "0.00", BALANCE, ("10.00", "0.00", "20.00")),
        ("30.00", "0.00", "30.00", BALANCE, ("0.00", "0.00", "30.00")),
        ("30.00", "0.00", "30.00", REFUND, ("0.00", "30.00", "0.00")),
        ("30.00", "10.00", "5.00", REFUND, ("10.00", "5.00", "15.00")),
        ("30.00", "30.00", "99.00", REFUND, ("30.00", "0.00", "0.00")),
    ],
)
def test_a_note_pays_what_is_owed_and_then_goes_where_the_shop_says(note, owed, refundable, to, use):
    applied, refund, to_balance = map(euro, use)
    expected = NoteUse(applied=applied, refund=refund, to_balance=to_balance)
    assert settle_note(euro(note), euro(owed), euro(refundable), to) == expected


@pytest.mark.proves("INV-12")
@given(bases, bases, bases, st.sampled_from(CreditTo))
def test_a_note_is_what_it_takes_off_pays_back_and_gives_to_the_balance(note, owed, refundable, to):
    use = settle_note(note, owed, refundable, to)
    assert use.applied + use.refund + use.to_balance == note
    assert min(use.applied, use.refund, use.to_balance).minor >= 0
    assert use.applied <= owed
    assert use.refund <= refundable


@pytest.mark.proves("INV-12", "INV-1")
def test_a_note_takes_off_what_is_owed_and_closes_what_is_owed_no_more():
    invoice = open_invoice(euro("100.00"), rates=[])
    half = credit(invoice, {1: euro("40.00")})
    assert (half.invoice.credited, half.invoice.due, half.invoice.state) == (
        euro("40.00"),
        euro("60.00"),
        InvoiceState.OPEN,
    )
    whole = credit(paid(half.invoice, euro("50.00")), {1: euro("60.00")}, REFUND)
    assert (whole.note.applied, whole.note.refund, whole.note.to_balance) == (
        euro("10.00"),
        euro("50.00"),
        euro("0.00"),
    )
    assert (whole.invoice.state, whole.invoice.refunded, whole.invoice.due) == (
        InvoiceState.PAID,
        euro("50.00"),
        euro("0.00"),
    )
    assert whole.entries == ()


@pytest.mark.proves("INV-12", "INV-5")
def test_a_note_that_is_worth_more_than_is_owed_closes_its_invoice_too():
    done = credit(paid(open_invoice(euro("100.00"), rates=[]), euro("50.00")), {1: euro("80.00")})
    assert (done.note.applied, done.note.to_balance) == (euro("50.00"), euro("30.00"))
    assert (done.invoice.state, done.invoice.due) == (InvoiceState.PAID, euro("0.00"))


@pytest.mark.proves("INV-12", "INV-13")
def test_what_isnt_owed_and_wasnt_paid_in_money_goes_to_the_balance():
    rich = attrs.evolve(ACCOUNT, balances=(euro("100.00"),))
    issued = issue(draft(euro("100.00"), rates=[]), rich, InvoicePolicy(), id="I1", now=NOW)
    assert isinstance(issued, Issued)
    back = credit(issued.invoice, {1: euro("30.00")}, REFUND, account=issued.account)
    assert (back.note.refund, back.note.to_balance) == (euro("0.00"), euro("30.00"))
    (entry,) = back.entries
    assert (entry.reason, entry.amount, entry.document) == (BalanceReason.CREDIT_NOTE, euro("30.00"), "N1")
    assert back.account.balances == (euro("30.00"),)


@pytest.mark.proves("INV-11", "INV-8")
def test_a_note_says_of_what_and_why_and_is_numbered_by_its_store():
    invoice = open_invoice(euro("10.00"))
    note = credit(invoice, {1: euro("10.00")}).note
    assert (note.invoice, note.account, note.customer, note.reason) == ("I1", ACCOUNT.id, "ann", "broken beans")
    assert (note.number, note.issued_at) == (None, NOW)
    assert CREDIT_NOTES.series(note) == "main"
    assert CREDIT_NOTES.keys(note) == {("note_key", "key of N1")}
    assert {name: of(note) for name, of in CREDIT_NOTES.groups.items()} == {
        "invoice": "I1",
        "account": "main/ann",
        "customer": "ann",
    }
    assert CREDIT_NOTES.order is not None
    assert CREDIT_NOTES.order(note) == NOW
    assert serial.load(CreditNote, serial.dump(note)) == note


@pytest.mark.proves("INV-4", "INV-11")
def test_a_line_that_takes_back_has_the_rates_and_the_tax_of_what_it_takes_back():
    invoice = open_invoice(euro("87.50"))
    (back,) = credit_note_lines(invoice, {1: euro("31.90")})
    negative = credit_draft(invoice, back, start=date(2026, 6, 1), end=date(2026, 6, 12))
    assert (negative.kind, negative.amount, negative.taxed) == (LineKind.CREDIT, euro("-31.90"), (-606,))
    assert (negative.rates, negative.credits_line) == ((VAT,), LineRef("I1", 1))
    assert (negative.subscription, negative.key, negative.product, negative.quantity, negative.category) == (
        "box",
        "plan",
        "coffee",
        2,
        "food",
    )
    assert (negative.start, negative.end) == (date(2026, 6, 1), date(2026, 6, 12))


@pytest.mark.proves("INV-2", "INV-11")
def test_a_line_remembers_what_was_taken_back_and_until_when_it_lives():
    invoice = open_invoice(euro("87.50"), euro("10.00"))
    (back,) = credit_note_lines(invoice, {1: euro("31.90")})
    cut = taken_back(invoice, [back], live_until=date(2026, 6, 1))
    assert (cut.lines[0].credited, cut.lines[0].tax_credited) == (euro("31.90"), (606,))
    assert (cut.lines[0].live_until, cut.lines[1]) == (date(2026, 6, 1), invoice.lines[1])
    again = taken_back(cut, credit_note_lines(cut, {1: euro("10.00")}))
    assert again.lines[0].live_until == date(2026, 6, 1)
    assert (cut.credited, cut.due) == (euro("0.00"), invoice.total)


@pytest.mark.proves("INV-7", "INV-11")
def test_what_a_void_invoice_took_back_can_be_taken_back_again():
    invoice = open_invoice(euro("87.50"), euro("10.00"))
    (back,) = credit_note_lines(invoice, {1: euro("31.90")})
    cut = taken_back(invoice, [back])
    negative = credit_draft(invoice, back, start=date(2026, 6, 1), end=date(2026, 6, 12))
    change = assemble([negative], key="c", kind=InvoiceKind.CHANGE, mode=TaxMode.EXCLUSIVE)
    assert returned(cut, change.lines) == invoice
    assert returned(attrs.evolve(cut, id="another"), change.lines).lines == cut.lines


@pytest.mark.proves("INV-5")
def test_a_line_that_takes_back_or_lifts_cant_be_taken_back_itself():
    invoice = open_invoice(euro("10.00"))
    (back,) = credit_note_lines(invoice, {1: euro("10.00")})
    negative = credit_draft(invoice, back, start=date(2026, 6, 1), end=date(2026, 6, 12))
    change = assemble([negative], key="c", kind=InvoiceKind.CHANGE, mode=TaxMode.EXCLUSIVE)
    issued = issue(change, ACCOUNT, InvoicePolicy(), id="I2", now=NOW)
    assert isinstance(issued, Issued)
    with pytest.raises(CreditTooLarge) as refused:
        credit_note_lines(issued.invoice, {1: euro("0.01")})
    assert refused.value.creditable == euro("0.00")


@pytest.mark.proves("INV-11", "INV-12")
@given(
    st.lists(bases, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 100)), max_size=12),
    st.sampled_from(TaxMode),
    st.sampled_from(TaxRounding),
    st.sampled_from([(), (VAT,), (VAT, REDUCED), (Rate.percent("0.001"),), (Rate.percent(1000),)]),
)
def test_however_an_invoice_is_cut_into_notes_they_come_to_exactly_its_lines(amounts, cuts, mode, rounding, rates):
    invoice = open_invoice(*amounts, mode=mode, rates=rates, tax=TaxPolicy(rounding=rounding))
    billed, account, notes = invoice, ACCOUNT, []
    wishes = [(place % len(amounts), part) for place, part in cuts] + [(place, 100) for place in range(len(amounts))]
    for n, (place, part) in enumerate(wishes):
        left = invoice.lines[place].creditable
        base = share(left, part, 100)
        if base.minor:
            done = credit(invoice, {place + 1: base}, account=account, id=f"N{n}")
            invoice, account = done.invoice, done.account
            notes.append(done.note)
            assert min((0, *done.note.lines[0].taxed)) == 0
            assert total((note.total for note in notes), "EUR") <= invoice.total
            assert invoice.due.minor >= 0
    assert total((note.total for note in notes), "EUR") == invoice.total
    assert total((line.tax for note in notes for line in note.lines), "EUR") == invoice.tax
    for now, was in zip(invoice.lines, billed.lines, strict=True):
        assert (now.credited, now.tax_credited) == (was.base, was.taxed)
    assert (invoice.state, invoice.credited) == (InvoiceState.PAID, invoice.total)
