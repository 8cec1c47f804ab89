"""The first invoice of a subscription that never began is void: its cycles are waived, as when a clerk voids one."""

from datetime import date, timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.subscriptions import CYCLES, INVOICES, SUBSCRIPTIONS, SubscriptionPolicy
from shopaccounts.subscriptions.papers.documents import CycleEnd, InvoiceState
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.plans.offers import Alignment
from shopaccounts.subscriptions.policy.cycles import CyclePolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, OneLivePer, SubscribePolicy
from shopaccounts.subscriptions.states import ENDED, Lifecycle
from shopaccounts.testing.builders import quick_policies

ANN, WORKER = CustomerId("ann"), WorkerId("w")
DAY = timedelta(days=1)


@pytest.fixture
def unpaid(till, gateway):
    """The shop, with a card that has no money."""
    gateway.cards["card-1"] = Declined(DeclineKind.SOFT, "no_funds")
    return till


def book(till, of) -> list[Any]:
    return list(till.builder.storage.snapshot()["main"].books[of.name].values())


async def nobody_pays(till, _id) -> None:
    till.builder.clock.advance(2 * DAY)
    await till.shop.billing.run_billing(worker=WORKER)


async def it_is_cancelled(till, id) -> None:
    await till.shop.cancellations.cancel(ANN, id)


def ended(till, id) -> list[tuple[CycleEnd, InvoiceState]]:
    invoices = {one.id: one for one in book(till, INVOICES)}
    return [(row.ended, invoices[row.invoice].state) for row in book(till, CYCLES) if row.subscription == id]


@pytest.mark.proves("INV-7")
@pytest.mark.parametrize("ends", [nobody_pays, it_is_cancelled])
async def test_the_cycle_of_a_first_invoice_that_is_void_is_waived(unpaid, ends) -> None:
    made = (await unpaid.subscribed()).subscription
    assert (made.lifecycle, ended(unpaid, made.id)) == (Lifecycle.INCOMPLETE, [(CycleEnd.BILLED, InvoiceState.OPEN)])
    (before,) = book(unpaid, CYCLES)
    await ends(unpaid, made.id)
    assert (await unpaid.builder.kept(SUBSCRIPTIONS, made.id)).lifecycle in ENDED
    assert ended(unpaid, made.id) == [(CycleEnd.WAIVED, InvoiceState.VOID)]
    (after,) = book(unpaid, CYCLES)
    assert after == attrs.evolve(before, ended=CycleEnd.WAIVED, version=2)


@pytest.mark.proves("INV-7")
async def test_of_several_on_a_page_each_has_its_own_cycle_waived(unpaid) -> None:
    made = [(await unpaid.subscribed(customer=CustomerId(name))).subscription.id for name in ("ann", "bob", "cleo")]
    unpaid.builder.clock.advance(2 * DAY)
    report = await unpaid.shop.billing.run_billing(worker=WORKER)
    assert (report.pages, report.subscriptions, report.stale) == (1, 3, 0)
    assert [ended(unpaid, id) for id in made] == [[(CycleEnd.WAIVED, InvoiceState.VOID)]] * 3


@pytest.mark.proves("INV-7")
async def test_so_it_is_when_a_clerk_voids_an_invoice(till, clerk) -> None:
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    till.builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing))
    made = await till.builder.build().subscriptions.subscribe(ANN, till.order(payment_method=None), request_id="o")
    (before,) = book(till, CYCLES)
    await clerk.document_desk.void_invoice(made.invoice.id, "she never used it")
    (after,) = book(till, CYCLES)
    assert after == attrs.evolve(before, ended=CycleEnd.WAIVED, version=2)


@pytest.mark.proves("INV-7")
async def test_who_leaves_before_the_run_has_billed_the_start_leaves_a_waived_cycle(unpaid) -> None:
    made = (await unpaid.subscribed(unpaid.order(start=date(2031, 2, 5)))).subscription
    unpaid.builder.clock.advance(5 * DAY)
    await it_is_cancelled(unpaid, made.id)
    assert ended(unpaid, made.id) == [(CycleEnd.WAIVED, InvoiceState.VOID)]


@pytest.fixture
def together(unpaid):
    """A shop that puts an account's subscriptions on one invoice, and two that begin at one instant."""
    policy = SubscriptionPolicy(
        subscribing=SubscribePolicy(one_live_per=OneLivePer.NONE),
        cycles=CyclePolicy(alignment=Alignment.CUSTOMER, consolidate=True),
    )
    unpaid.builder.policies = quick_policies(subscriptions=policy)
    return attrs.evolve(unpaid, shop=unpaid.builder.build())


async def two_begun(till):
    made = [(await till.subscribed(till.order(start=date(2031, 2, 5)), key=key)).subscription.id for key in ("1", "2")]
    till.builder.clock.advance(5 * DAY)
    await till.shop.billing.run_billing(worker=WORKER)
    return made


@pytest.mark.proves("INV-7", "PLN-9")
async def test_a_first_invoice_is_shared_with_no_other_that_has_to_be_paid_first(together) -> None:
    first, second = await two_begun(together)
    assert sorted(one.subscriptions for one in book(together, INVOICES)) == sorted([(first,), (second,)])
    await it_is_cancelled(together, first)
    assert ended(together, first) == [(CycleEnd.WAIVED, InvoiceState.VOID)]
    assert ended(together, second) == [(CycleEnd.BILLED, InvoiceState.OPEN)]


@pytest.mark.proves("INV-7", "RUN-5")
async def test_two_that_nobody_pays_are_over_at_once(together, gateway) -> None:
    gateway.cards.clear()
    made = await two_begun(together)
    together.builder.clock.advance(2 * DAY)
    report = await together.shop.billing.run_billing(worker=WORKER)
    assert (report.failures, report.held) == ((), 0)
    for id in made:
        assert (await together.builder.kept(SUBSCRIPTIONS, id)).lifecycle is Lifecycle.INCOMPLETE_EXPIRED
        assert ended(together, id) == [(CycleEnd.WAIVED, InvoiceState.VOID)]


@pytest.mark.proves("INV-7", "RUN-7")
async def test_a_run_that_comes_when_the_time_for_paying_is_over_leaves_no_open_invoice(unpaid, gateway) -> None:
    made = (await unpaid.subscribed(unpaid.order(start=date(2031, 2, 5)))).subscription
    gateway.cards.clear()
    unpaid.builder.clock.advance(15 * DAY)
    await unpaid.shop.billing.run_billing(worker=WORKER)
    one = await unpaid.builder.kept(SUBSCRIPTIONS, made.id)
    assert (one.lifecycle, one.live) == (Lifecycle.INCOMPLETE_EXPIRED, ())
    assert ended(unpaid, made.id) == [(CycleEnd.WAIVED, InvoiceState.VOID)]
    await unpaid.shop.sweeping.sweep(worker=WORKER)
    assert gateway.debits == []
