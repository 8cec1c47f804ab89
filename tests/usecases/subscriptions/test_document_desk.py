"""The document desk: invoices and balances in the hands of a shop's people; no cent comes or goes unseen."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.cycles import BillingMode
from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import CurrencyMismatch, Money, Rate
from shopaccounts.subscriptions import (
    ACCOUNTS,
    BALANCE_ENTRIES,
    CREDIT_NOTES,
    CYCLES,
    INVOICES,
    SUBSCRIPTIONS,
)
from shopaccounts.subscriptions.errors import (
    BalanceTooLow,
    CreditTooLarge,
    CycleAlreadyBilled,
    InvoiceNotOpen,
    InvoiceUnknown,
    OnHold,
    OperationNotAllowed,
    RefundTooLarge,
    RequestIdReused,
    SubscriptionUnknown,
)
from shopaccounts.subscriptions.invoices.balance import replay
from shopaccounts.subscriptions.model import CollectionMode, Hold
from shopaccounts.subscriptions.papers.documents import BalanceReason, CreditTo, CycleEnd, InvoiceState
from shopaccounts.subscriptions.payments.charging import Charged, Declined, DeclineKind
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentState, Purpose
from shopaccounts.subscriptions.plans.add_ons import AddOn
from shopaccounts.subscriptions.plans.discounts import Discount, Percent
from shopaccounts.subscriptions.plans.offers import PlanVersionId, Term
from shopaccounts.subscriptions.plans.phases import Cycles
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.gateway import Delayed
from shopaccounts.testing.subscribers import EUR, flat_plan

ANN, WHY, DAY = CustomerId("ann"), "she rang us", timedelta(days=1)
SOFT = Declined(DeclineKind.SOFT, "no_funds")
BOTH = attrs.evolve(
    flat_plan("17.90"),
    id=PlanVersionId("both-1"),
    add_ons=(AddOn(key="milk", product="milk", prices=(Flat(Money.of("3", EUR)),), mode=BillingMode.IN_ARREARS),),
)


@pytest.fixture
def plans():
    """Coffee, and coffee with milk that is paid afterwards."""
    return FixedPlans([flat_plan("17.90"), BOTH])


def euro(amount):
    return Money.of(amount, EUR)


def rows(till, book):
    return list(till.builder.storage.snapshot()["main"].books[book.name].values())


async def kept(till, made):
    return await till.builder.kept(SUBSCRIPTIONS, made.subscription.id)


async def newest(till, made):
    return await till.builder.kept(INVOICES, (await kept(till, made)).live[-1].invoice)


async def renewed(till, wanted=None, days=28):
    """A subscription whose next month is billed, and not paid yet."""
    made = await till.subscribed(wanted)
    till.builder.clock.advance(days * DAY)
    await till.shop.billing.run_billing(worker="w")
    return made, await newest(till, made)


async def next_run(till, days=0):
    """The next run: at once, if no days go by."""
    till.builder.clock.advance(days * DAY)
    return await till.shop.billing.run_billing(worker="w")


async def paid(till):
    """A subscription whose first month is paid."""
    made = await till.subscribed()
    return made, await till.builder.kept(INVOICES, made.invoice.id)


def money_is_conserved(till):
    """Law 10: per invoice, per note, and per balance."""
    for invoice in rows(till, INVOICES):
        if invoice.state is not InvoiceState.VOID:
            assert invoice.total == invoice.balance_applied + invoice.paid + invoice.credited + invoice.due
        assert invoice.refunded <= invoice.paid
    for note in rows(till, CREDIT_NOTES):
        assert note.total == note.applied + note.refund + note.to_balance
    entries = sorted(rows(till, BALANCE_ENTRIES), key=lambda entry: (entry.at, entry.amount.minor < 0))
    for account in rows(till, ACCOUNTS):
        mine = [entry for entry in entries if entry.account == account.id]
        assert replay(mine, EUR) == account.balance(EUR)


ACTS = {
    "void_invoice": lambda desk, id, why: desk.void_invoice(id, why),
    "write_off": lambda desk, id, why: desk.write_off(id, why),
    "issue_credit_note": lambda desk, id, why: desk.issue_credit_note(id, {1: euro("1")}, why, request_id="k"),
    "refund": lambda desk, id, why: desk.refund(id, euro("1"), why, request_id="k"),
    "give_goodwill": lambda desk, id, why: desk.give_goodwill(CustomerId(id), euro("1"), why, request_id="k"),
    "pay_out": lambda desk, id, why: desk.pay_out(CustomerId(id), euro("1"), why, request_id="k"),
}


@pytest.mark.parametrize("act", ACTS)
async def test_who_may_not_is_told_so_and_nothing_else(till, others, act) -> None:
    _, invoice = await renewed(till)
    for shop in others:
        for id in (invoice.id, "unknown"):
            with pytest.raises(Forbidden):
                await ACTS[act](shop.document_desk, id, WHY)
    assert await till.builder.kept(INVOICES, invoice.id) == invoice


@pytest.mark.parametrize("act", ACTS)
async def test_every_act_needs_a_reason(till, clerk, act) -> None:
    _, invoice = await renewed(till)
    with pytest.raises(InvalidInput):
        await ACTS[act](clerk.document_desk, invoice.id, " ")


@pytest.mark.parametrize("act", ACTS)
async def test_what_isnt_there_is_unknown(clerk, act) -> None:
    with pytest.raises(SubscriptionUnknown if act in {"give_goodwill", "pay_out"} else InvoiceUnknown):
        await ACTS[act](clerk.document_desk, "unknown", WHY)


@pytest.mark.parametrize("act", ["issue_credit_note", "refund", "give_goodwill", "pay_out"])
async def test_what_moves_money_needs_a_key_of_the_clerk(till, clerk, act) -> None:
    made, invoice = await paid(till)
    desk = clerk.document_desk
    tries = {
        "issue_credit_note": lambda: desk.issue_credit_note(invoice.id, {1: euro("1")}, WHY, request_id=""),
        "refund": lambda: desk.refund(invoice.id, euro("1"), WHY, request_id=""),
        "give_goodwill": lambda: desk.give_goodwill(ANN, euro("1"), WHY, request_id=""),
        "pay_out": lambda: desk.pay_out(ANN, euro("1"), WHY, request_id=""),
    }
    with pytest.raises(InvalidInput):
        await tries[act]()
    assert await till.builder.kept(INVOICES, invoice.id) == invoice
    assert (await till.builder.kept(ACCOUNTS, made.subscription.account)).balances == ()


# Voiding


@pytest.mark.proves("INV-7")
async def test_the_cycle_of_a_void_invoice_is_waived_and_never_billed_again(till, clerk) -> None:
    made, invoice = await renewed(till)
    done = await clerk.document_desk.void_invoice(invoice.id, WHY)
    (void,) = done.invoices
    assert (void.state, void.number, void.due) == (InvoiceState.VOID, invoice.number, euro("0"))
    (row,) = [row for row in rows(till, CYCLES) if row.invoice == invoice.id]
    assert row.ended is CycleEnd.WAIVED
    assert (await next_run(till)).invoices == 0
    assert (await kept(till, made)).billed_to == 2
    assert (done.act.before["state"], done.act.after["state"]) == ("open", "void")
    money_is_conserved(till)


@pytest.mark.proves("INV-7")
async def test_voided_to_be_billed_anew_the_next_run_bills_it_anew(till, clerk) -> None:
    made, invoice = await renewed(till)
    await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=True)
    assert (await kept(till, made)).billed_to == 1
    assert not [row for row in rows(till, CYCLES) if row.invoice == invoice.id]
    assert (await next_run(till)).invoices == 1
    again = await newest(till, made)
    assert again.id != invoice.id
    assert (again.total, again.lines[0].start) == (invoice.total, invoice.lines[0].start)
    assert again.number == invoice.number + 1
    assert (await kept(till, made)).billed_to == 2
    money_is_conserved(till)


@pytest.mark.proves("INV-7")
async def test_the_payment_of_a_void_invoice_isnt_asked_for(till, clerk, gateway) -> None:
    _, invoice = await renewed(till)
    await clerk.document_desk.void_invoice(invoice.id, WHY)
    intent = await till.builder.kept(INTENTS, f"{invoice.id}:1")
    assert intent.state is IntentState.ABANDONED
    await till.shop.payments.collect_due(worker="w")
    assert gateway.debits_of(f"{invoice.id}:1") == ()


@pytest.mark.proves("INV-14", "INV-7")
async def test_a_payment_that_was_under_way_goes_to_the_balance_and_is_paid_out(till, clerk, gateway) -> None:
    made, invoice = await renewed(till)
    gateway.script(invoice.id, 1, Delayed(Charged("late")))
    await till.shop.payments.collect_due(worker="w")
    await clerk.document_desk.void_invoice(invoice.id, WHY)
    await till.shop.payments.settle_payment(f"{invoice.id}:1", Charged("late"))
    account = await till.builder.kept(ACCOUNTS, made.subscription.account)
    assert account.balance(EUR) == invoice.total
    money_is_conserved(till)
    done = await clerk.document_desk.pay_out(ANN, invoice.total, WHY, request_id="p-1")
    assert [(entry.reason, entry.amount) for entry in done.entries] == [(BalanceReason.PAID_OUT, -invoice.total)]
    with pytest.raises(BalanceTooLow):
        await clerk.document_desk.pay_out(ANN, euro("0.01"), WHY, request_id="p-2")
    money_is_conserved(till)


@pytest.mark.proves("INV-7", "INV-13")
@pytest.mark.parametrize("rebill", [False, True])
async def test_voiding_gives_back_what_the_balance_paid(till, clerk, rebill) -> None:
    made = await till.subscribed()
    await clerk.document_desk.give_goodwill(ANN, euro("5"), WHY, request_id="g-1")
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker="w")
    invoice = await newest(till, made)
    assert invoice.balance_applied == euro("5")
    done = await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=rebill)
    assert [entry.amount for entry in done.entries] == [euro("5")]
    assert (await till.builder.kept(ACCOUNTS, invoice.account)).balance(EUR) == euro("5")
    money_is_conserved(till)


@pytest.mark.proves("INV-7", "DIS-3")
@pytest.mark.parametrize("rebill", [False, True])
async def test_voiding_gives_the_use_of_a_discount_back(till, clerk, rebill) -> None:
    twice = Discount(code="TWICE", kind=Percent(Rate.percent(50)), duration=Cycles(2))
    made, invoice = await renewed(till, till.order(discounts=(twice,)))
    assert (await kept(till, made)).discounts[0].uses == 2
    await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=rebill)
    assert (await kept(till, made)).discounts[0].uses == 1
    await next_run(till, 0 if rebill else 31)
    assert (await newest(till, made)).discount == euro("8.95")


@pytest.mark.proves("INV-7")
async def test_a_term_counts_a_cycle_once_that_is_billed_anew(till, clerk, plans) -> None:
    term = attrs.evolve(flat_plan("17.90"), id=PlanVersionId("term-1"), term=Term(cycles=12))
    plans.add(term)
    made, invoice = await renewed(till, till.order(plan=term.id))
    assert (await kept(till, made)).term.begun == 2
    await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=True)
    await next_run(till)
    assert (await kept(till, made)).term.begun == 2


@pytest.mark.proves("INV-7")
async def test_what_isnt_billed_in_advance_waits_for_the_invoice_that_comes_instead(till, clerk) -> None:
    made, invoice = await renewed(till, till.order(plan=BOTH.id, add_ons={"milk": 1}))
    assert [line.key for line in invoice.lines] == ["plan", "milk"]
    await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=True)
    assert (await next_run(till)).invoices == 1
    again = await newest(till, made)
    assert sorted(line.key for line in again.lines) == ["milk", "plan"]
    assert again.total == invoice.total
    assert len({row.id for row in rows(till, CYCLES)}) == len(rows(till, CYCLES)) == 3
    till.builder.clock.advance(31 * DAY)
    await till.shop.billing.run_billing(worker="w")
    assert (await newest(till, made)).total == invoice.total


@pytest.mark.proves("INV-7")
async def test_only_the_latest_cycles_are_billed_anew(till, clerk) -> None:
    made, invoice = await renewed(till)
    till.builder.clock.advance(31 * DAY)
    await till.shop.billing.run_billing(worker="w")
    later = await newest(till, made)
    before = await kept(till, made)
    with pytest.raises(CycleAlreadyBilled) as refused:
        await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=True)
    assert refused.value.invoice == later.id
    assert await kept(till, made) == before
    await clerk.document_desk.void_invoice(later.id, WHY, rebill=True)
    await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=True)
    assert (await next_run(till)).invoices == 2


@pytest.mark.proves("INV-5", "INV-7")
async def test_what_is_paid_or_taken_back_isnt_voided(till, clerk) -> None:
    _, invoice = await paid(till)
    with pytest.raises(InvoiceNotOpen):
        await clerk.document_desk.void_invoice(invoice.id, WHY)
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker="w")
    (open_one,) = [one for one in rows(till, INVOICES) if one.state is InvoiceState.OPEN]
    await clerk.document_desk.issue_credit_note(open_one.id, {1: euro("1")}, WHY, request_id="n")
    with pytest.raises(InvoiceNotOpen):
        await clerk.document_desk.void_invoice(open_one.id, WHY)
    await till.shop.payments.record_payment(open_one.id, euro("1"), "transfer-1")
    with pytest.raises(InvoiceNotOpen):
        await clerk.document_desk.void_invoice(open_one.id, WHY)
    money_is_conserved(till)


@pytest.mark.proves("INV-7")
async def test_a_second_void_is_refused_and_under_its_key_answers_the_first(till, clerk) -> None:
    _, invoice = await renewed(till)
    first = await clerk.document_desk.void_invoice(invoice.id, WHY, request_id="v-1")
    assert await clerk.document_desk.void_invoice(invoice.id, WHY, request_id="v-1") == first
    with pytest.raises(InvoiceNotOpen):
        await clerk.document_desk.void_invoice(invoice.id, WHY)
    with pytest.raises(RequestIdReused):
        await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=True, request_id="v-1")


async def test_the_first_invoice_of_what_hasnt_begun_is_left_to_its_cancellation(coffee, clerk) -> None:
    made = await coffee.subscribed()
    assert made.subscription.lifecycle is Lifecycle.INCOMPLETE
    for act in ("void_invoice", "write_off", "issue_credit_note"):
        with pytest.raises(OperationNotAllowed):
            await ACTS[act](clerk.document_desk, made.invoice.id, WHY)


async def test_nothing_is_billed_anew_of_what_has_ended_or_waits(till, clerk) -> None:
    made, invoice = await renewed(till)
    hold = Hold(since=till.builder.clock.now(), code="backlog")
    await till.builder.edit(SUBSCRIPTIONS, made.subscription.id, lambda s: attrs.evolve(s, hold=hold))
    with pytest.raises(OnHold):
        await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=True)
    ended = {"hold": None, "lifecycle": Lifecycle.CANCELED, "ended_at": till.builder.clock.now()}
    await till.builder.edit(SUBSCRIPTIONS, made.subscription.id, lambda s: attrs.evolve(s, **ended))
    with pytest.raises(OperationNotAllowed):
        await clerk.document_desk.void_invoice(invoice.id, WHY, rebill=True)
    await clerk.document_desk.void_invoice(invoice.id, WHY)


async def test_who_is_behind_for_a_void_invoice_has_caught_up(till, clerk, gateway) -> None:
    made, invoice = await overdue(till, gateway)
    await clerk.document_desk.void_invoice(invoice.id, WHY)
    await till.shop.payments.collect_due(worker="w")
    assert (await kept(till, made)).collection is Collection.OK
    money_is_conserved(till)


# Writing off


async def overdue(till, gateway):
    """A subscription that is behind, because its second month was declined."""
    made, invoice = await renewed(till)
    gateway.script(invoice.id, 1, SOFT)
    await till.shop.payments.collect_due(worker="w")
    assert (await kept(till, made)).collection is Collection.PAST_DUE
    return made, invoice


@pytest.mark.proves("INV-5")
async def test_what_is_written_off_is_asked_for_no_more_and_holds_nothing_back(till, clerk, gateway) -> None:
    made, invoice = await overdue(till, gateway)
    done = await clerk.document_desk.write_off(invoice.id, WHY)
    assert done.invoices[0].state is InvoiceState.UNCOLLECTIBLE
    after = await kept(till, made)
    assert (after.collection, after.past_due) == (Collection.OK, None)
    till.builder.clock.advance(30 * DAY)
    await till.shop.payments.collect_due(worker="w")
    assert gateway.debits_of(f"{invoice.id}:2") == ()
    assert (await kept(till, made)).lifecycle is Lifecycle.ACTIVE
    with pytest.raises(InvoiceNotOpen):
        await clerk.document_desk.write_off(invoice.id, WHY)
    money_is_conserved(till)


@pytest.mark.proves("INV-5")
async def test_who_pays_after_all_is_welcome(till, clerk, gateway) -> None:
    _, invoice = await overdue(till, gateway)
    await clerk.document_desk.write_off(invoice.id, WHY)
    done = await till.shop.payments.record_payment(invoice.id, invoice.total, "transfer-7")
    assert done.state is InvoiceState.PAID
    money_is_conserved(till)


# Credit notes and refunds


@pytest.mark.proves("INV-12")
async def test_a_note_first_pays_what_is_owed(till, clerk) -> None:
    _, invoice = await renewed(till)
    done = await clerk.document_desk.issue_credit_note(invoice.id, {1: euro("10")}, WHY, request_id="n")
    (note,) = done.notes
    assert (str(note.total), str(note.applied), note.number) == ("11.90 EUR", "11.90 EUR", 1)
    assert str((await till.builder.kept(INVOICES, invoice.id)).due) == "9.40 EUR"
    money_is_conserved(till)


@pytest.mark.proves("INV-12")
async def test_of_a_paid_invoice_a_note_goes_to_the_balance(till, clerk) -> None:
    made, invoice = await paid(till)
    await clerk.document_desk.issue_credit_note(invoice.id, {1: euro("10")}, WHY, request_id="n")
    assert str((await till.builder.kept(ACCOUNTS, invoice.account)).balance(EUR)) == "11.90 EUR"
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker="w")
    assert str((await newest(till, made)).due) == "9.40 EUR"
    money_is_conserved(till)


@pytest.mark.proves("INV-12", "PAY-4")
async def test_or_back_to_the_card_that_paid(till, clerk) -> None:
    _, invoice = await paid(till)
    wanted, to = {1: euro("10")}, CreditTo.REFUND
    done = await clerk.document_desk.issue_credit_note(invoice.id, wanted, WHY, to=to, request_id="n")
    (note,), (refund,) = done.notes, done.payments
    assert (str(note.refund), note.to_balance.minor) == ("11.90 EUR", 0)
    assert (refund.purpose, refund.amount, refund.method) == (Purpose.REFUND, note.refund, "card-1")
    await till.shop.payments.collect_due(worker="w")
    assert (await till.builder.kept(INTENTS, refund.id)).state is IntentState.SUCCEEDED
    assert await clerk.document_desk.issue_credit_note(invoice.id, wanted, WHY, to=to, request_id="n") == attrs.evolve(
        done, payments=(await till.builder.kept(INTENTS, refund.id),)
    )
    assert len(rows(till, CREDIT_NOTES)) == 1
    money_is_conserved(till)


@pytest.mark.proves("INV-11")
async def test_no_more_is_taken_back_than_is_left_of_a_line(till, clerk) -> None:
    _, invoice = await paid(till)
    desk = clerk.document_desk
    await desk.issue_credit_note(invoice.id, {1: euro("10")}, WHY, request_id="n1")
    with pytest.raises(CreditTooLarge) as refused:
        await desk.issue_credit_note(invoice.id, {1: euro("7.91")}, WHY, request_id="n2")
    assert refused.value.creditable == euro("7.90")
    last = await desk.issue_credit_note(invoice.id, {1: euro("7.90")}, WHY, request_id="n3")
    assert sum(note.total.minor for note in rows(till, CREDIT_NOTES)) == invoice.total.minor
    assert last.notes[0].number == 2
    for wanted in ({}, {2: euro("1")}, {1: euro("0")}):
        with pytest.raises(InvalidInput):
            await desk.issue_credit_note(invoice.id, wanted, WHY, request_id="n4")
    money_is_conserved(till)


@pytest.mark.proves("PAY-4", "INV-12")
async def test_a_refund_goes_back_where_it_came_from_and_never_beyond_what_was_paid(till, clerk) -> None:
    _, invoice = await paid(till)
    desk = clerk.document_desk
    done = await desk.refund(invoice.id, euro("20"), WHY, request_id="r-1")
    assert [(one.amount, one.refund_of) for one in done.payments] == [(euro("20"), f"{invoice.id}:1")]
    assert (done.act.before["refunded"], done.act.after["refunded"]) == ("0.00 EUR", "20.00 EUR")
    assert await desk.refund(invoice.id, euro("20"), WHY, request_id="r-1") == done
    with pytest.raises(RefundTooLarge) as refused:
        await desk.refund(invoice.id, euro("1.31"), WHY, request_id="r-2")
    assert refused.value.refundable == euro("1.30")
    with pytest.raises(CurrencyMismatch):
        await desk.refund(invoice.id, Money.of("1", "USD"), WHY, request_id="r-3")
    await desk.refund(invoice.id, euro("1.30"), WHY, request_id="r-4")
    after = await till.builder.kept(INVOICES, invoice.id)
    assert (after.state, after.refunded) == (InvoiceState.PAID, invoice.total)
    await till.shop.payments.collect_due(worker="w")
    refunds = [one for one in rows(till, INTENTS) if one.purpose is Purpose.REFUND]
    assert [one.state for one in refunds] == [IntentState.SUCCEEDED] * 2
    money_is_conserved(till)


@pytest.mark.proves("INV-12", "PAY-4")
async def test_nothing_is_refunded_that_wasnt_paid(till, clerk) -> None:
    _, invoice = await renewed(till)
    with pytest.raises(RefundTooLarge):
        await clerk.document_desk.refund(invoice.id, euro("0.01"), WHY, request_id="r-1")
    with pytest.raises(InvalidInput):
        await clerk.document_desk.refund(invoice.id, euro("0"), WHY, request_id="r-1")


@pytest.mark.proves("INV-12")
async def test_what_no_card_paid_goes_to_the_balance(till, clerk) -> None:
    made, invoice = await renewed(till)
    account = made.subscription.account
    by_invoice = {"collection_mode": CollectionMode.SEND_INVOICE}
    await till.builder.edit(ACCOUNTS, account, lambda one: attrs.evolve(one, **by_invoice))
    await till.shop.payments.record_payment(invoice.id, invoice.total, "transfer-1")
    wanted, to = {1: euro("10")}, CreditTo.REFUND
    done = await clerk.document_desk.issue_credit_note(invoice.id, wanted, WHY, to=to, request_id="n")
    note = done.notes[0]
    assert note.total == note.applied + note.refund + note.to_balance
    money_is_conserved(till)


# The balance


@pytest.mark.proves("INV-13")
async def test_goodwill_is_given_once_and_pays_the_next_invoice(till, clerk) -> None:
    made = await till.subscribed()
    desk = clerk.document_desk
    done = await desk.give_goodwill(ANN, euro("5"), WHY, request_id="g-1")
    assert await desk.give_goodwill(ANN, euro("5"), WHY, request_id="g-1") == done
    assert (done.act.before, done.act.after) == ({"balance": "0.00 EUR"}, {"balance": "5.00 EUR"})
    with pytest.raises(RequestIdReused):
        await desk.give_goodwill(ANN, euro("6"), WHY, request_id="g-1")
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker="w")
    assert (await newest(till, made)).balance_applied == euro("5")
    money_is_conserved(till)


@pytest.mark.proves("INV-13", "INV-14")
async def test_a_balance_is_paid_out_once_and_never_below_zero(till, clerk) -> None:
    await till.subscribed()
    desk = clerk.document_desk
    await desk.give_goodwill(ANN, euro("5"), WHY, request_id="g-1")
    done = await desk.pay_out(ANN, euro("3"), WHY, request_id="p-1")
    assert await desk.pay_out(ANN, euro("3"), WHY, request_id="p-1") == done
    with pytest.raises(BalanceTooLow) as refused:
        await desk.pay_out(ANN, euro("2.01"), WHY, request_id="p-2")
    assert refused.value.available == euro("2")
    for amount in ("0", "-1"):
        with pytest.raises(InvalidInput):
            await desk.pay_out(ANN, euro(amount), WHY, request_id="p-3")
    money_is_conserved(till)


async def test_two_clerks_may_use_the_same_key(till, clerk, staff) -> None:
    from tests.usecases.subscriptions.conftest import acting  # noqa: PLC0415

    await till.subscribed()
    staff.hire("max")
    await clerk.document_desk.give_goodwill(ANN, euro("5"), WHY, request_id="1")
    await acting(till.builder, "max").document_desk.give_goodwill(ANN, euro("7"), WHY, request_id="1")
    assert (await till.builder.kept(ACCOUNTS, "main/ann")).balance(EUR) == euro("12")
    acts = (await clerk.billing_desk.acts(ANN, WHY)).acts
    assert {act.agent for act in acts} == {"eve", "max"}
