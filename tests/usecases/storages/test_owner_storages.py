"""Subscriptions that pass to another customer, or to nobody, on real databases: whole, once, and the books add up."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from shopaccounts.customers.events import CustomerErased, CustomersMerged
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import (
    ACCOUNTS,
    BALANCE_ENTRIES,
    INVOICES,
    SUBSCRIPTIONS,
    BillingPorts,
    CancelWish,
    Order,
    SubscriptionPolicy,
)
from shopaccounts.subscriptions.errors import AlreadySubscribed
from shopaccounts.subscriptions.invoices.balance import replay
from shopaccounts.subscriptions.model import account_id
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import BuiltShop, ShopBuilder, quick_policies
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.races import race
from shopaccounts.testing.subscribers import EUR, flat_plan

ANN, BEN, WHY = CustomerId("ann"), CustomerId("ben"), "she rang us"
START = datetime(2031, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def shop(builder: ShopBuilder) -> BuiltShop:
    """A shop that works for Eve."""
    policy = SubscriptionPolicy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
    builder.policies = quick_policies(subscriptions=policy)
    ports = BillingPorts(plans=FixedPlans([flat_plan("17.90")]), taxes=FlatTax("19"))
    builder.ports = {**builder.ports, "billing": ports}
    builder.clock, builder.agents = FixedClock(START), StaffRoom()
    builder.agents.hire("eve")
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    return builder.build()


async def subscribed(shop, customer):
    order = Order(plan=flat_plan("17.90").id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
    made = await shop.subscriptions.subscribe(customer, order, request_id="o-1")
    await shop.document_desk.give_goodwill(customer, Money.of("5", EUR), WHY, request_id=f"g-{customer}")
    return made.subscription


async def rows(builder, book, group, value):
    return (await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))).items


async def happens(builder, event):
    store = builder.storage.open(builder.scope)
    desk = Desk(scope=builder.scope, records=store, clock=builder.clock, entropy=builder.entropy, bell=SilentBell())
    await desk.record(Change(events=desk.tell(event)))


@pytest.mark.proves("LIF-1", "INV-13")
async def test_two_become_one_though_many_hear_of_it_and_somebody_moves_them_by_hand(builder, shop) -> None:
    mine, bens = await subscribed(shop, ANN), await subscribed(shop, BEN)
    await happens(builder, CustomersMerged(at=builder.clock.now(), account=ANN, source=BEN, merge="m-1"))

    async def work(number: int) -> None:
        one = builder.build()
        if number:
            await one.relay.deliver_pending()
        else:
            await one.subscription_records.move_subscriptions(BEN, ANN)

    outcomes = await race(3, work)
    assert [one.error for one in outcomes if one.error] == []
    builder.clock.advance(timedelta(hours=1))
    await shop.relay.deliver_pending()
    account = account_id(builder.scope.store, ANN)
    assert await builder.kept(ACCOUNTS, bens.account) is None
    assert {one.id for one in await rows(builder, SUBSCRIPTIONS, "account", account)} == {mine.id, bens.id}
    assert len(await rows(builder, INVOICES, "customer", ANN)) == 2
    assert (await builder.kept(ACCOUNTS, account)).balance(EUR) == Money.of("10", EUR)
    assert replay(await rows(builder, BALANCE_ENTRIES, "account", account), EUR) == Money.of("10", EUR)
    assert [one.id for one in (await shop.billing_desk.doubled(WHY)).items] == [bens.id]


@pytest.mark.proves("LIF-2")
async def test_who_was_erased_is_forgotten_in_every_storage(builder, shop) -> None:
    made = await subscribed(shop, ANN)
    await happens(builder, CustomerErased(at=builder.clock.now(), account=ANN, erasure="e-1"))
    await shop.relay.deliver_pending()
    now = await builder.kept(SUBSCRIPTIONS, made.id)
    assert now.customer != ANN
    for book in (ACCOUNTS, SUBSCRIPTIONS, INVOICES, BALANCE_ENTRIES):
        assert await rows(builder, book, "customer", ANN) == ()
    (invoice,) = await rows(builder, INVOICES, "account", now.account)
    assert (invoice.number, invoice.total) == (1, Money.of("21.30", EUR))
    assert replay(await rows(builder, BALANCE_ENTRIES, "account", now.account), EUR) == Money.of("5", EUR)


@pytest.mark.proves("LIF-1", "SUB-8")
async def test_the_group_passes_to_the_double_in_the_change_that_ends_the_other_one(builder, shop) -> None:
    mine, bens = await subscribed(shop, ANN), await subscribed(shop, BEN)
    await shop.subscription_records.move_subscriptions(BEN, ANN)
    await shop.cancellations.cancel(ANN, mine.id, CancelWish(when=CancelWhen.NOW))
    now = await builder.kept(SUBSCRIPTIONS, bens.id)
    assert (now.doubles, now.holds_group) == ("", True)
    assert (await shop.billing_desk.doubled(WHY)).items == ()
    with pytest.raises(AlreadySubscribed) as refused:
        await shop.cancellations.reactivate(ANN, mine.id)
    assert refused.value.existing == bens.id
