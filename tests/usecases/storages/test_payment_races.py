"""Sixteen collect at once, and hear the same news at once: money moves once, and counts once, on every storage."""

from datetime import timedelta
from functools import partial

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change
from shopaccounts.subscriptions import BillingPorts, Order, Subscribed, SubscriptionPolicy
from shopaccounts.subscriptions.collecting.dossiers import Unsettled, attempt
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS
from shopaccounts.subscriptions.papers.documents import INVOICES, InvoiceState
from shopaccounts.subscriptions.payments.charging import Charged, Declined, DeclineKind
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentReason, IntentState, is_live
from shopaccounts.subscriptions.plans.offers import Goods, Phase, PhaseKind, Plan, PlanId, PlanVersion, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy.dunning import DunningPolicy
from shopaccounts.subscriptions.states import Collection
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import quick_policies, without_gaps
from shopaccounts.testing.gateway import ScriptedGateway, Unheard
from shopaccounts.testing.races import race
from shopaccounts.testing.wrapping import PortCall, wrapped

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


@pytest.mark.proves("PAY-2", "DUN-8")
async def test_of_two_that_try_a_debt_anew_at_once_one_does(builder, gateway) -> None:
    """Two later invoices are paid, and each would have the small debt tried with it: neither writes to the debt."""
    policy = SubscriptionPolicy(dunning=DunningPolicy(min_amount=(Money.of(35, "EUR"),)))
    builder.policies = quick_policies(sends=without_gaps(), subscriptions=policy)
    shop, (debt,) = await with_renewals(builder, gateway, "ann")
    gateway.cards["card-1"] = Declined(DeclineKind.SOFT, "no_funds")
    await shop.payments.collect_due(worker="w")
    assert await builder.kept(INTENTS, f"{debt}:2") is None, "it is too little to be tried on its own"
    gateway.cards.clear()
    builder.clock.advance(timedelta(days=31))
    await shop.billing.run_billing(worker="w")
    (subscription,) = (await builder.kept(INVOICES, debt)).subscriptions
    later = (await builder.kept(SUBSCRIPTIONS, subscription)).live[-1].invoice
    gateway.script(later, 1, Unheard(Charged("ok")))
    await shop.payments.collect_due(worker="w")
    owing, others = await builder.kept(INVOICES, debt), builder.storage.open(builder.scope)
    of = Unsettled(invoice=owing, intents=(await builder.kept(INTENTS, f"{debt}:1"),))
    account = await builder.kept(ACCOUNTS, owing.account)
    now, reason = builder.clock.now(), IntentReason.WITH_ANOTHER
    theirs = Change(writes=(INTENTS.add(attempt(account, of, "card-1", now, now, reason)),))
    came = list[object]()

    def in_between(call: PortCall):
        """Somebody else's invoice comes first, between our looking and our writing."""
        if call.method not in {"record", "record_page"} or came:
            return call.make()
        came.append(others.record(theirs))
        return call.make() if not hasattr(came[0], "__await__") else _after(came[0], call)

    slow = builder.build(partial(wrapped, around=in_between))
    await slow.payments.settle_payment(f"{later}:1", Charged("ok"))
    tried = [await builder.kept(INTENTS, f"{debt}:{number}") for number in (2, 3)]
    assert tried[0] is not None
    assert (tried[0].state, tried[1]) == (IntentState.READY, None)
    rows = await got(others.rows(INTENTS, "invoice", debt, None, 10))
    assert [one.id for one in rows.items if is_live(one)] == [f"{debt}:2"]
    await shop.payments.collect_due(worker="w")
    assert gateway.debits_of(f"{debt}:2") == (Money.of(10, "EUR"),)
    assert (await builder.kept(INVOICES, debt)).state is InvoiceState.PAID


async def _after(first, call):
    await first
    return await call.make()
