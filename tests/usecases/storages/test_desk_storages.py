"""The billing desk on real databases: an act and its effect are one, and the same click pays once."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import (
    ACCOUNTS,
    BALANCE_ENTRIES,
    CLERK_ACTS,
    CYCLES,
    INVOICES,
    SUBSCRIPTIONS,
    BillingPorts,
    Order,
    SubscriptionPolicy,
)
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import BuiltShop, ShopBuilder, quick_policies
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.races import race
from shopaccounts.testing.subscribers import EUR, flat_plan

ANN, WHY, WORKER = CustomerId("ann"), "she rang us", WorkerId("w")
START = datetime(2031, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def shop(builder: ShopBuilder) -> BuiltShop:
    """A shop that works for Eve, and has a subscriber."""
    policy = SubscriptionPolicy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
    builder.policies = quick_policies(subscriptions=policy)
    ports = BillingPorts(plans=FixedPlans([flat_plan("17.90")]), taxes=FlatTax("19"))
    builder.ports = {**builder.ports, "billing": ports}
    builder.clock, builder.agents = FixedClock(START), StaffRoom()
    builder.agents.hire("eve")
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    return builder.build()


async def subscribed(shop):
    order = Order(plan=flat_plan("17.90").id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
    return await shop.subscriptions.subscribe(ANN, order, request_id="o-1")


async def rows(builder, book, group, value):
    return (await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))).items


@pytest.mark.proves("INV-13")
async def test_a_double_click_gives_once(builder, shop) -> None:
    made = await subscribed(shop)

    async def give(_: int) -> object:
        return await builder.build().document_desk.give_goodwill(ANN, Money.of("5", EUR), WHY, request_id="g-1")

    outcomes = await race(3, give)
    assert [one.error for one in outcomes if one.error] == []
    acts = [one.value.act for one in outcomes]
    assert acts == acts[:1] * 3
    account = made.subscription.account
    assert (await builder.kept(ACCOUNTS, account)).balance(EUR) == Money.of("5", EUR)
    assert len(await rows(builder, BALANCE_ENTRIES, "account", account)) == 1
    assert len(await rows(builder, CLERK_ACTS, "account", account)) == 1


@pytest.mark.proves("INV-7", "RUN-3", "KER-142")
async def test_a_cycle_that_is_freed_in_the_minute_of_its_run_is_billed_by_the_next_run(builder, shop) -> None:
    made = await subscribed(shop)
    builder.clock.advance(timedelta(days=31))
    assert (await shop.billing.run_billing(worker=WORKER)).invoices == 1
    renewed = await builder.kept(SUBSCRIPTIONS, made.subscription.id)
    await builder.build().document_desk.void_invoice(renewed.live[-1].invoice, WHY, rebill=True)
    report = await builder.build().billing.run_billing(worker=WorkerId("another"))
    assert (report.invoices, report.pages) == (1, 1), "nobody holds what was worked off"


@pytest.mark.proves("INV-7")
async def test_what_is_voided_twice_at_once_is_billed_anew_once(builder, shop) -> None:
    made = await subscribed(shop)

    async def void(_: int) -> object:
        return await builder.build().document_desk.void_invoice(made.invoice.id, WHY, rebill=True)

    outcomes = await race(2, void)
    assert sum(one.error is None for one in outcomes) == 1
    builder.clock.advance(timedelta(minutes=6))
    assert (await shop.billing.run_billing(worker=WORKER)).invoices == 1
    invoices = await rows(builder, INVOICES, "account", made.subscription.account)
    assert sorted(one.state.value for one in invoices) == ["open", "void"]
    cycles = await rows(builder, CYCLES, "subscription", made.subscription.id)
    assert [one.index for one in cycles] == [0]
    acts = (await shop.billing_desk.acts(ANN, WHY)).acts
    assert [act.after["state"] for act in acts] == ["void"]
