"""Sixteen collect at once, and hear the same news at once: money moves once, and counts once, on every storage."""

from datetime import timedelta

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.subscriptions import BillingPorts, Order, Subscribed
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS
from shopaccounts.subscriptions.papers.documents import INVOICES, InvoiceState
from shopaccounts.subscriptions.payments.charging import Charged, Declined, DeclineKind
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentState
from shopaccounts.subscriptions.plans.offers import Goods, Phase, PhaseKind, Plan, PlanId, PlanVersion, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.states import Collection
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.gateway import ScriptedGateway, Unheard
from shopaccounts.testing.races import race

CROWD = 16
COFFEE = PlanVersion(
    id=PlanVersionId("coffee-1"),
    plan=Plan(id=PlanId("coffee"), code="coffee", group="coffee", goods=Goods.DIGITAL),
    phases=(Phase(PhaseKind.EVERGREEN, None, (Flat(Money.of(10, "EUR")),)),),
    interval=Interval.months(1),
)
ORDER = Order(plan=COFFEE.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()


async def with_renewals(builder, gateway, *customers):
    """A shop in which each of these customers owes a second month; their invoices."""
    ports = BillingPorts(plans=FixedPlans([COFFEE]), gateway=gateway)
    builder.ports = {**builder.ports, "billing": ports}
    shop = builder.build()
    made = [await shop.subscriptions.subscribe(CustomerId(one), ORDER, request_id=one) for one in customers]
    assert all(isinstance(one, Subscribed) for one in made)
    builder.clock.advance(timedelta(days=32))
    await shop.billing.run_billing(worker="night shift")
    subscriptions = [await builder.kept(SUBSCRIPTIONS, one.subscription.id) for one in made]
    return shop, [one.live[-1].invoice for one in subscriptions]


async def told(builder, name):
    """How often something was told of Ann."""
    store = builder.storage.open(builder.scope)
    rows = await got(store.rows(EVENTS, "subject", "ann", None, 500))
    return sum(one.name == f"subscriptions.{name}" for one in rows.items)


@pytest.mark.proves("PAY-1", "PAY-2", "RUN-6")
async def test_sixteen_workers_collect_each_invoice_once(builder, gateway) -> None:
    names = ("ann", "bob", "eve", "dan")
    shop, invoices = await with_renewals(builder, gateway, *names)

    async def collect(index):
        return await shop.payments.collect_due(limit=2, worker=f"w{index}")

    outcomes = await race(CROWD, collect)
    assert [one.error for one in outcomes] == [None] * CROWD
    assert sum(one.value.charged for one in outcomes) == len(names)
    for invoice in invoices:
        assert gateway.debits_of(f"{invoice}:1") == (Money.of(10, "EUR"),)
        assert gateway.asked[f"{invoice}:1"] == 1
        assert (await builder.kept(INVOICES, invoice)).state is InvoiceState.PAID


@pytest.mark.proves("PAY-3", "INV-14")
async def test_news_that_comes_sixteen_times_at_once_counts_once(builder, gateway) -> None:
    shop, (invoice,) = await with_renewals(builder, gateway, "ann")
    gateway.script(invoice, 1, Unheard(Charged("ok")))
    await shop.payments.collect_due(worker="w")
    builder.clock.advance(timedelta(minutes=6))
    before = await told(builder, "payment_succeeded")

    async def hear(index):
        if index % 4:
            return await shop.payments.settle_payment(f"{invoice}:1", Charged("ok"))
        return await shop.payments.collect_due(worker=f"w{index}")

    outcomes = await race(CROWD, hear)
    assert [one.error for one in outcomes] == [None] * CROWD
    paid = await builder.kept(INVOICES, invoice)
    assert (paid.state, paid.paid) == (InvoiceState.PAID, paid.total)
    assert await told(builder, "payment_succeeded") == before + 1
    assert (await builder.kept(ACCOUNTS, paid.account)).balance("EUR").is_zero
    assert gateway.debits_of(f"{invoice}:1") == (paid.total,)


@pytest.mark.proves("PAY-2", "DUN-1")
async def test_a_failure_that_comes_sixteen_times_at_once_plans_one_retry(builder, gateway) -> None:
    shop, (invoice,) = await with_renewals(builder, gateway, "ann")
    declined = Declined(DeclineKind.SOFT, "no_funds")
    gateway.script(invoice, 1, Unheard(declined))
    await shop.payments.collect_due(worker="w")

    async def hear(_):
        return await shop.payments.settle_payment(f"{invoice}:1", declined)

    outcomes = await race(CROWD, hear)
    assert [one.value.state for one in outcomes] == [IntentState.DECLINED] * CROWD, outcomes
    assert (await builder.kept(INTENTS, f"{invoice}:2")).state is IntentState.READY
    assert await builder.kept(INTENTS, f"{invoice}:3") is None
    (subscription,) = (await builder.kept(INVOICES, invoice)).subscriptions
    assert (await builder.kept(SUBSCRIPTIONS, subscription)).collection is Collection.PAST_DUE


@pytest.mark.proves("DUN-3", "DUN-4")
async def test_sixteen_changes_of_a_card_at_once_try_an_invoice_once_with_each_success(builder, gateway) -> None:
    shop, (invoice,) = await with_renewals(builder, gateway, "ann")
    gateway.cards["card-1"] = Declined(DeclineKind.HARD, "stolen")
    await shop.payments.collect_due(worker="w")
    builder.clock.advance(timedelta(minutes=1))

    async def change(index):
        return await shop.payments.change_payment_method(CustomerId("ann"), f"new-{index}")

    await race(CROWD, change)
    paid = await builder.kept(INVOICES, invoice)
    assert (paid.state, paid.paid) == (InvoiceState.PAID, paid.total)
    assert [debit.amount for debit in gateway.debits if debit.key.startswith(invoice)] == [paid.total]
