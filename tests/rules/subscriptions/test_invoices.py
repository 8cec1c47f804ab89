"""Invoices: issued, paid, voided, written off, charged back; never edited, and never below zero."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import attrs
import pytest

from shopaccounts import serial
from shopaccounts.kernel.errors import BadPolicy, InvalidInput
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import CurrencyMismatch, Money, Rate
from shopaccounts.kernel.policy import overlay
from shopaccounts.kernel.record import MAX_ENTITY_BYTES
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.cycles.proration import Factor, Method
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.errors import InvoiceKeyClash, InvoiceNotOpen, RefundTooLarge
from shopaccounts.subscriptions.invoices.crediting import credit_note, credit_note_lines, taken_back
from shopaccounts.subscriptions.invoices.invoicing import assemble
from shopaccounts.subscriptions.invoices.issuing import (
    Issued,
    NotIssued,
    WhyNot,
    due_on,
    issue,
    issue_kept,
    keep,
    require_same,
)
from shopaccounts.subscriptions.invoices.settling import closed, pay, refund, reverse, void, waive, write_off
from shopaccounts.subscriptions.invoices.states import INVOICE, InvoiceTrigger, led_to
from shopaccounts.subscriptions.model import BillingAccount, CollectionMode
from shopaccounts.subscriptions.papers.documents import (
    CYCLES,
    INVOICES,
    BalanceReason,
    BilledCycle,
    BilledFor,
    CreditTo,
    CycleEnd,
    DiscountTaken,
    Invoice,
    InvoiceKind,
    InvoiceState,
    LineDraft,
    LineKind,
    TaxMode,
    cycle_key,
    segment_key,
)
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy, PaymentTerms

NOW = datetime(2026, 5, 12, 22, 30, tzinfo=UTC)
VAT = Rate.percent(19)
OPEN, PAID, VOID, GIVEN_UP, DRAFT = (
    InvoiceState.OPEN,
    InvoiceState.PAID,
    InvoiceState.VOID,
    InvoiceState.UNCOLLECTIBLE,
    InvoiceState.DRAFT,
)
ACCOUNT = BillingAccount(
    id="main/ann",
    realm=RealmId("main"),
    store=StoreId("main"),
    customer=CustomerId("ann"),
    zone=zone("Europe/Berlin"),
    created_at=NOW,
)
BILLS = attrs.evolve(ACCOUNT, collection_mode=CollectionMode.SEND_INVOICE)
USUAL = InvoicePolicy()
FLOOR = InvoicePolicy(min_charge=(Money.of("0.50", "EUR"),))


def euro(amount: str) -> Money:
    return Money.of(amount, "EUR")


NOTHING = euro("0.00")


def line(amount: str, kind: LineKind = LineKind.RECURRING, **more) -> LineDraft:
    cycle = CycleRef("box", 0, 3)
    days = {"start": date(2026, 5, 12), "end": date(2026, 6, 12)}
    fields = {"subscription": "box", "cycle": cycle, "key": "plan", "product": "coffee", "amount": euro(amount)}
    return LineDraft(kind=kind, **{**fields, **days, **more})


def drafted(*lines: LineDraft, kind: InvoiceKind = InvoiceKind.PERIODIC, waiting=()):
    return assemble(lines, key="box/periodic/0/3", kind=kind, mode=TaxMode.EXCLUSIVE, waiting=waiting)


def issued(*lines: LineDraft, account=ACCOUNT, policy=USUAL, **how) -> Issued:
    done = issue(drafted(*lines), account, policy, id="I1", now=NOW, **how)
    assert isinstance(done, Issued)
    return done


def open_invoice(amount: str = "100.00") -> Invoice:
    return issued(line(amount)).invoice


def paid(invoice: Invoice, amount: str, account=ACCOUNT):
    return pay(invoice, euro(amount), account, payment=f"{invoice.id}:1", now=NOW)


def rich(amount: str) -> BillingAccount:
    return attrs.evolve(ACCOUNT, balances=(euro(amount),))


# Issuing


@pytest.mark.proves("INV-1", "INV-5", "INV-8")
def test_an_invoice_is_issued_open_with_its_real_time_and_its_totals():
    invoice = issued(line("87.50", rates=(VAT,), discounts=(DiscountTaken("X", 1000),))).invoice
    assert (invoice.state, invoice.issued_at, invoice.number, invoice.version) == (OPEN, NOW, None, 1)
    assert (invoice.subtotal, invoice.discount, invoice.tax) == (euro("87.50"), euro("10.00"), euro("14.73"))
    assert (invoice.total, invoice.due) == (euro("92.23"), euro("92.23"))
    assert (invoice.account, invoice.customer, invoice.subscriptions) == ("main/ann", "ann", ("box",))
    assert {invoice.balance_applied, invoice.paid, invoice.credited, invoice.refunded} == {NOTHING}
    assert (invoice.lines[0].start, invoice.lines[0].end) == (date(2026, 5, 12), date(2026, 6, 12))


@pytest.mark.proves("INV-8")
def test_an_invoice_takes_a_number_of_its_store_when_it_is_issued_and_keeps_it():
    kept = keep(drafted(line("10.00")), ACCOUNT, id="I1", now=NOW).invoice
    assert INVOICES.series(kept) is None
    invoice = issue_kept(kept, ACCOUNT, USUAL, NOW).invoice
    assert INVOICES.series(invoice) == "main"
    numbered = INVOICES.with_number(invoice, 7)
    assert INVOICES.series(numbered) is None
    assert void(numbered, ACCOUNT, NOW).invoice.number == 7


@pytest.mark.proves("INV-10")
@pytest.mark.parametrize(("account", "day"), [(ACCOUNT, date(2026, 5, 13)), (BILLS, date(2026, 5, 27))])
def test_an_invoice_is_to_be_paid_at_once_or_in_two_weeks_by_the_customers_calendar(account, day):
    assert due_on(account, USUAL, NOW) == day
    assert issued(line("10.00"), account=account).invoice.due_on == day


@pytest.mark.proves("INV-10", "POL-1")
def test_payment_terms_are_whole_days_of_the_shop():
    policy = overlay(USUAL, {"payment_terms": {"send_invoice": timedelta(days=30)}})
    assert due_on(BILLS, policy, NOW) == date(2026, 6, 12)
    for wrong in (timedelta(days=-1), timedelta(hours=36)):
        with pytest.raises(BadPolicy):
            PaymentTerms(automatic=wrong)
    with pytest.raises(TypeError):
        PaymentTerms(send_invoice=14)  # type: ignore[arg-type]


@pytest.mark.proves("POL-1", "INV-9")
def test_a_policy_that_contradicts_itself_is_refused():
    for wrong in ((NOTHING,), (euro("1.00"), euro("2.00"))):
        with pytest.raises(BadPolicy):
            InvoicePolicy(min_charge=wrong)
    wrong_types: list[tuple[str, Any]] = [
        ("min_charge", [euro("1.00")]),
        ("min_charge", (1,)),
        ("issue_zero_invoices", 1),
        ("credit_to", "refund"),
        ("payment_terms", timedelta(0)),
    ]
    for field, value in wrong_types:
        with pytest.raises(TypeError):
            InvoicePolicy(**{field: value})
    assert (USUAL.issue_zero_invoices, USUAL.credit_to, USUAL.min_charge) == (False, CreditTo.BALANCE, ())


@pytest.mark.proves("INV-9")
def test_what_costs_nothing_gets_no_invoice_unless_the_shop_wants_it():
    free = drafted(line("10.00", discounts=(DiscountTaken("GIFT", 1000),)))
    assert issue(free, ACCOUNT, USUAL, id="I1", now=NOW) == NotIssued(why=WhyNot.NOTHING, account=ACCOUNT)
    on_paper = issue(free, rich("5.00"), InvoicePolicy(issue_zero_invoices=True), id="I1", now=NOW)
    assert isinstance(on_paper, Issued)
    assert (on_paper.invoice.state, on_paper.invoice.total, on_paper.entries) == (PAID, NOTHING, ())
    assert on_paper.account == rich("5.00")


@pytest.mark.proves("INV-9", "CHG-11")
def test_what_takes_something_back_has_its_invoice_whatever_it_comes_to():
    even = issued(line("5.00"), line("-5.00", LineKind.CREDIT, taxed=()))
    assert (even.invoice.total, even.invoice.state, even.entries) == (NOTHING, PAID, ())
    below = issued(line("5.00"), line("-8.00", LineKind.CREDIT, taxed=()))
    assert (below.invoice.total, below.invoice.state) == (NOTHING, PAID)
    assert [(entry.reason, entry.amount) for entry in below.entries] == [(BalanceReason.TO_BALANCE, euro("3.00"))]
    assert below.account.balances == (euro("3.00"),)


@pytest.mark.proves("INV-9", "INV-15")
def test_what_is_below_the_floor_waits_for_the_next_invoice():
    small = issue(drafted(line("0.49")), ACCOUNT, FLOOR, id="I1", now=NOW)
    assert isinstance(small, NotIssued)
    assert (small.why, [pending.line.amount for pending in small.account.pending]) == (
        WhyNot.TOO_SMALL,
        [euro("0.49")],
    )
    assert isinstance(issue(drafted(line("0.50")), ACCOUNT, FLOOR, id="I1", now=NOW), Issued)
    dollars = attrs.evolve(line("0.49"), amount=Money.of("0.49", "USD"))
    assert isinstance(issue(drafted(dollars), ACCOUNT, FLOOR, id="I1", now=NOW), Issued)


@pytest.mark.proves("INV-9", "INV-15")
def test_what_is_below_the_floor_at_the_end_is_waived():
    waits = issue(drafted(line("0.20")), ACCOUNT, FLOOR, id="I1", now=NOW).account
    end = drafted(line("0.20"), waiting=waits.pending)
    assert issue(end, waits, FLOOR, id="I2", now=NOW, last=True) == NotIssued(why=WhyNot.WAIVED, account=ACCOUNT)


@pytest.mark.proves("INV-13", "INV-5")
@pytest.mark.parametrize(
    ("balance", "applied", "left", "state"),
    [
        ("30.00", "30.00", (), OPEN),
        ("100.00", "100.00", (), PAID),
        ("130.00", "100.00", (euro("30.00"),), PAID),
    ],
)
def test_the_balance_pays_first_up_to_the_total(balance, applied, left, state):
    done = issued(line("100.00"), account=rich(balance))
    assert (done.invoice.balance_applied, done.invoice.state) == (euro(applied), state)
    assert done.invoice.due == euro("100.00") - euro(applied)
    assert done.account.balances == left
    (entry,) = done.entries
    assert (entry.reason, entry.amount, entry.document) == (BalanceReason.APPLIED, -euro(applied), "I1")


@pytest.mark.proves("INV-13")
def test_a_balance_in_another_currency_pays_nothing():
    abroad = attrs.evolve(ACCOUNT, balances=(Money.of(50, "USD"),))
    done = issued(line("10.00"), account=abroad)
    assert (done.invoice.balance_applied, done.account, done.entries) == (NOTHING, abroad, ())


@pytest.mark.proves("INV-5", "INV-13")
def test_an_invoice_may_be_kept_as_a_draft_that_touches_no_balance_until_it_is_issued():
    kept = keep(drafted(line("100.00")), rich("30.00"), id="I1", now=NOW)
    assert (kept.invoice.state, kept.invoice.issued_at, kept.invoice.due_on) == (DRAFT, None, None)
    assert (kept.account, kept.entries) == (rich("30.00"), ())
    later = NOW + timedelta(days=9)
    done = issue_kept(kept.invoice, rich("30.00"), USUAL, later)
    assert (done.invoice.state, done.invoice.issued_at, done.invoice.written_at) == (OPEN, later, NOW)
    assert (done.invoice.due_on, done.invoice.balance_applied) == (date(2026, 5, 22), euro("30.00"))
    with pytest.raises(InvoiceNotOpen):
        issue_kept(done.invoice, ACCOUNT, USUAL, later)
    lifting = keep(drafted(line("-8.00", LineKind.CREDIT, taxed=())), ACCOUNT, id="I2", now=NOW)
    assert issue_kept(lifting.invoice, ACCOUNT, USUAL, later).account.balances == (euro("8.00"),)


# What becomes of it


@pytest.mark.proves("INV-5")
@pytest.mark.parametrize(("state", "trigger"), list(product(InvoiceState, InvoiceTrigger)))
def test_only_what_the_table_says_happens_to_an_invoice(state, trigger):
    allowed = {
        (DRAFT, InvoiceTrigger.ISSUED): OPEN,
        (OPEN, InvoiceTrigger.SETTLED): PAID,
        (OPEN, InvoiceTrigger.VOIDED): VOID,
        (OPEN, InvoiceTrigger.WRITTEN_OFF): GIVEN_UP,
        (GIVEN_UP, InvoiceTrigger.SETTLED): PAID,
        (PAID, InvoiceTrigger.PAYMENT_REVERSED): OPEN,
    }
    assert dict(INVOICE) == allowed
    if (state, trigger) in allowed:
        assert led_to(state, trigger) is allowed[state, trigger]
    else:
        with pytest.raises(InvoiceNotOpen) as refused:
            led_to(state, trigger)
        assert refused.value.state == state.value


@pytest.mark.proves("INV-1", "PAY-4")
def test_a_part_payment_leaves_an_invoice_open_and_the_rest_closes_it():
    part = paid(open_invoice(), "30.00")
    assert (part.invoice.state, part.invoice.due, part.entries) == (OPEN, euro("70.00"), ())
    rest = paid(part.invoice, "70.00")
    assert (rest.invoice.state, rest.invoice.paid, rest.overpaid) == (PAID, euro("100.00"), NOTHING)


@pytest.mark.proves("INV-14")
def test_what_is_paid_too_much_goes_to_the_balance():
    done = paid(open_invoice(), "120.00")
    assert (done.invoice.state, done.invoice.paid, done.overpaid) == (PAID, euro("100.00"), euro("20.00"))
    assert done.account.balances == (euro("20.00"),)
    (entry,) = done.entries
    assert (entry.reason, entry.document, entry.id) == (BalanceReason.OVERPAYMENT, "I1:1", "I1:1:overpayment")
    again = paid(done.invoice, "100.00", done.account)
    assert (again.overpaid, again.account.balances) == (euro("100.00"), (euro("120.00"),))


@pytest.mark.proves("INV-14")
def test_a_late_payment_of_a_void_invoice_goes_to_the_balance():
    gone = void(open_invoice(), ACCOUNT, NOW).invoice
    late = paid(gone, "100.00")
    assert (late.invoice, late.overpaid) == (gone, euro("100.00"))


@pytest.mark.proves("INV-5")
def test_what_was_written_off_can_still_be_paid():
    lost = write_off(open_invoice())
    part = paid(lost, "40.00").invoice
    assert (part.state, part.due) == (GIVEN_UP, euro("60.00"))
    assert paid(part, "60.00").invoice.state is PAID
    with pytest.raises(InvoiceNotOpen):
        write_off(lost)


@pytest.mark.proves("INV-5")
def test_an_invoice_that_is_owed_stays_as_it_is_and_a_void_one_too():
    invoice = open_invoice()
    gone = void(invoice, ACCOUNT, NOW).invoice
    assert (closed(invoice), closed(gone)) == (invoice, gone)


@pytest.mark.proves("INV-5")
def test_a_draft_is_not_paid():
    kept = keep(drafted(line("10.00")), ACCOUNT, id="I1", now=NOW).invoice
    with pytest.raises(InvoiceNotOpen):
        paid(kept, "10.00")


@pytest.mark.proves("INV-5")
def test_a_bank_that_takes_a_payment_back_opens_the_invoice_again():
    invoice = reverse(paid(open_invoice(), "100.00").invoice, euro("60.00"))
    assert (invoice.state, invoice.paid, invoice.due) == (OPEN, euro("40.00"), euro("60.00"))
    assert reverse(invoice, euro("40.00")).due == euro("100.00")
    lost = reverse(write_off(invoice), euro("40.00"))
    assert (lost.state, lost.due) == (GIVEN_UP, euro("100.00"))
    with pytest.raises(RefundTooLarge) as refused:
        reverse(invoice, euro("40.01"))
    assert refused.value.refundable == euro("40.00")


@pytest.mark.proves("INV-12", "PAY-4")
def test_nothing_is_paid_back_that_wasnt_paid():
    invoice = refund(paid(open_invoice(), "100.00").invoice, euro("70.00"))
    assert (invoice.state, invoice.refunded, invoice.refundable) == (PAID, euro("70.00"), euro("30.00"))
    for take in (refund, reverse):
        with pytest.raises(RefundTooLarge) as refused:
            take(invoice, euro("30.01"))
        assert refused.value.refundable == euro("30.00")


@pytest.mark.proves("INV-5", "INV-7", "INV-13")
def test_voiding_gives_the_balance_back_and_keeps_the_key():
    done = issued(line("100.00"), account=rich("30.00"))
    gone = void(done.invoice, done.account, NOW)
    assert (gone.invoice.state, gone.invoice.due, gone.invoice.balance_applied) == (VOID, NOTHING, NOTHING)
    assert gone.account == rich("30.00")
    (entry,) = gone.entries
    assert (entry.reason, entry.amount, entry.id) == (BalanceReason.APPLIED, euro("30.00"), "I1:applied:back")
    assert entry.id != done.entries[0].id
    assert INVOICES.keys(gone.invoice) == {("invoice_key", "box/periodic/0/3")}


@pytest.mark.proves("INV-7")
def test_what_is_voided_to_be_billed_anew_frees_its_key():
    gone = void(open_invoice(), ACCOUNT, NOW, rebill=True).invoice
    assert (gone.state, gone.key, INVOICES.keys(gone)) == (VOID, "box/periodic/0/3", frozenset())


@pytest.mark.proves("INV-5")
def test_an_invoice_with_money_on_it_cant_be_voided():
    part = paid(open_invoice(), "0.01").invoice
    with pytest.raises(InvoiceNotOpen) as refused:
        void(part, ACCOUNT, NOW)
    assert refused.value.state == "partly_paid"
    assert void(reverse(part, euro("0.01")), ACCOUNT, NOW).invoice.state is VOID
    for state in (paid(part, "99.99").invoice, write_off(part)):
        with pytest.raises(InvoiceNotOpen):
            void(state, ACCOUNT, NOW)


@pytest.mark.proves("INV-5", "INV-14")
@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        (NOTHING, InvalidInput),
        (euro("-1.00"), InvalidInput),
        (Money.of(1, "USD"), CurrencyMismatch),
        (100, TypeError),
        (1.5, TypeError),
        ("1.00", TypeError),
        (None, TypeError),
    ],
)
def test_money_moves_in_amounts_above_zero_of_the_invoices_currency(amount, refusal):
    invoice = paid(open_invoice(), "50.00").invoice
    for move in (reverse, refund, lambda it, much: pay(it, much, ACCOUNT, payment="p", now=NOW)):
        with pytest.raises(refusal):
            move(invoice, amount)


# Cycles and keys


def cycle(**different) -> BilledCycle:
    facts = {
        "id": cycle_key(CycleRef("box", 1, 12), BilledFor.ADVANCE),
        "realm": "main",
        "store": "main",
        "subscription": "box",
        "segment": 1,
        "index": 12,
        "part": BilledFor.ADVANCE,
        "start": date(2026, 5, 12),
        "end": date(2026, 6, 12),
        "ended": CycleEnd.BILLED,
        "invoice": "I1",
        "total": euro("17.90"),
        "at": NOW,
    }
    return BilledCycle(**{**facts, **different})


@pytest.mark.proves("INV-6")
def test_a_cycle_is_claimed_by_its_address_and_what_of_it_is_billed():
    keys = {
        cycle_key(CycleRef(subscription, segment, index), part)
        for subscription in ("box", "tea")
        for segment in (1, 11)
        for index in (1, 11)
        for part in BilledFor
    }
    assert len(keys) == 2 * 2 * 2 * len(BilledFor)
    assert cycle().id == "box/1/12/advance"
    assert segment_key("box", 1, InvoiceKind.START) == "box/start/1"
    assert {name: of(cycle()) for name, of in CYCLES.groups.items()} == {"subscription": "box", "invoice": "I1"}
    assert CYCLES.groups["invoice"](cycle(invoice="")) is None


@pytest.mark.proves("INV-6")
def test_a_second_bill_for_a_cycle_that_agrees_with_the_first_is_no_news():
    require_same(cycle(), cycle(invoice="I2", at=NOW + timedelta(days=1), ended=CycleEnd.WAIVED))


@pytest.mark.proves("INV-6")
@pytest.mark.parametrize(
    ("different", "planned"),
    [
        ({"total": euro("17.91")}, "2026-05-12/2026-06-12 17.91 EUR"),
        ({"total": Money.of("17.90", "USD")}, "2026-05-12/2026-06-12 17.90 USD"),
        ({"start": date(2026, 5, 13)}, "2026-05-13/2026-06-12 17.90 EUR"),
        ({"end": date(2026, 6, 13)}, "2026-05-12/2026-06-13 17.90 EUR"),
    ],
)
def test_a_second_bill_for_a_cycle_that_doesnt_agree_is_a_clash(different, planned):
    with pytest.raises(InvoiceKeyClash) as clash:
        require_same(cycle(), cycle(**different))
    assert (clash.value.key, clash.value.stored, clash.value.planned) == (
        "box/1/12/advance",
        "2026-05-12/2026-06-12 17.90 EUR",
        planned,
    )


@pytest.mark.proves("INV-7")
def test_the_cycle_of_a_void_invoice_is_waived_and_not_billed_again():
    assert waive(cycle()) == cycle(ended=CycleEnd.WAIVED)
    assert waive(cycle()).id == cycle().id


# Storing


def wide(place: int, subscription: str) -> LineDraft:
    """A line as long as lines get, and like no other."""
    return line(
        str(10 + place),
        LineKind.ADD_ON,
        subscription=subscription,
        cycle=CycleRef(subscription, place % 3, place),
        key=f"add-on-number-{place}",
        product=f"0190a3c2-7d3e-7c3a-9a55-b1c2d3e4{place:04}",
        quantity=place + 1,
        tariff=PerUnit(Money(1700 + place, "EUR")),
        factor=Factor(20, 31, Method.ACTUAL_DAYS),
        discounts=(DiscountTaken("WELCOME-2026", 100 + place),),
        rates=(VAT,),
        category="standard",
    )


@pytest.mark.proves("INV-2", "ABU-8")
@pytest.mark.parametrize("subscription", ["0190a3c2-7d3e-7c3a-9a55-b1c2d3e4f506", "0190a3c2-7d3e-7c3a-9a55-b1c2d3e4{}"])
def test_an_invoice_of_250_lines_fits_into_what_a_store_holds_also_when_it_is_credited(subscription):
    invoice = issued(*(wide(place, subscription.format(1000 + place)) for place in range(250))).invoice
    back = credit_note_lines(invoice, {n: line.base for n, line in enumerate(invoice.lines, 1)})
    credited = taken_back(invoice, back, live_until=date(2026, 6, 1))
    assert len(serial.dump(credited).encode()) <= MAX_ENTITY_BYTES
    assert serial.load(Invoice, serial.dump(credited)) == credited


@pytest.mark.proves("INV-1", "INV-2")
def test_an_invoice_is_read_as_it_was_written():
    done = issued(line("5.00"), line("-8.00", LineKind.CREDIT, taxed=()), account=rich("1.00"))
    noted = credit_note(done.invoice, {1: euro("5.00")}, ACCOUNT, CreditTo.REFUND, id="N", key="n", reason="r", now=NOW)
    for stored in (done.invoice, noted.invoice, done.account, done.entries[0], cycle()):
        assert serial.load(type(stored), serial.dump(stored)) == stored
    small = issue(drafted(wide(1, "box")), ACCOUNT, InvoicePolicy(min_charge=(euro("99.00"),)), id="I", now=NOW)
    assert serial.load(BillingAccount, serial.dump(small.account)) == small.account


@pytest.mark.proves("INV-1")
def test_invoices_are_listed_by_account_and_customer_in_the_order_in_which_they_were_written():
    invoice = open_invoice()
    groups = {name: of(invoice) for name, of in INVOICES.groups.items()}
    assert groups == {"account": "main/ann", "customer": "ann", "unsettled": "main/ann"}
    assert INVOICES.groups["unsettled"](attrs.evolve(invoice, state=InvoiceState.PAID)) is None
    assert INVOICES.order is not None
    assert INVOICES.order(invoice) == invoice.written_at == NOW
