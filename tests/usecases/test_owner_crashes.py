"""The machine stops while subscriptions pass to somebody else, end with an account, or lose what paid them."""

from typing import Any

import pytest

from shopaccounts.customers.events import (
    CustomerClosed,
    CustomerErased,
    CustomersMerged,
    PaymentMethodChanged,
    PaymentMethodRemoved,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.record import Change
from shopaccounts.subscriptions.owners import handing_over
from tests.usecases.billing_worlds import PHONE, SMALL, TRIED, Walk, having, order_of
from tests.usecases.test_subscription_crashes import behind

BEN = CustomerId("ben")
running = having(SMALL, days=10)


async def two(world):
    """Ann has a subscription; Ben tries one of that group, and has a telephone."""
    await running(world)
    order = order_of(TRIED, payment_method="card-2")
    await world.shop.subscriptions.subscribe(BEN, order, request_id="o-2")
    await world.shop.subscriptions.subscribe(BEN, order_of(PHONE), request_id="o-3")


def told(arrange, event):
    """Something has happened, and after that something to a customer, of which nobody has heard yet."""

    async def happened(world):
        await arrange(world)
        builder = world.builder
        store = builder.storage.open(builder.scope)
        ports = {"records": store, "clock": builder.clock, "entropy": builder.entropy, "bell": SilentBell()}
        desk = Desk(scope=builder.scope, **ports)
        await got(store.record(Change(events=desk.tell(event(world.hand["customer"], builder.clock.now())))))

    return happened


def merged(customer, at):
    return CustomersMerged(at=at, account=customer, source=BEN, merge="m-1")


COMMANDS: dict[str, Any] = {
    "belongs to another": (
        two,
        None,
        lambda shop, hand: shop.subscription_records.move_subscriptions(BEN, hand["customer"]),
    ),
    "no card any more": (
        running,
        None,
        lambda shop, hand: shop.payments.remove_payment_method(hand["customer"], "card-1"),
    ),
    "an account was closed": (
        told(running, lambda customer, at: CustomerClosed(at=at, account=customer)),
        None,
        lambda shop, _: shop.relay.deliver_pending(),
    ),
    "somebody was erased": (
        told(running, lambda customer, at: CustomerErased(at=at, account=customer, erasure="e-1")),
        None,
        lambda shop, _: shop.relay.deliver_pending(),
    ),
    "two became one": (told(two, merged), None, lambda shop, _: shop.relay.deliver_pending()),
    "a card was changed": (
        told(behind, lambda customer, at: PaymentMethodChanged(at=at, account=customer, method="card-2")),
        None,
        lambda shop, _: shop.relay.deliver_pending(),
    ),
    "a card was removed": (
        told(running, lambda customer, at: PaymentMethodRemoved(at=at, account=customer, method="card-1")),
        None,
        lambda shop, _: shop.relay.deliver_pending(),
    ),
}
WALK = Walk(COMMANDS)
begin, perform = WALK.begin, WALK.perform


@pytest.mark.proves("TES-107", "KER-154", "LIF-1", "LIF-2", "LIF-3")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_what_follows_happens_once(host, command) -> None:
    await WALK.ends_well(host, command)


@pytest.mark.proves("TES-107", "LIF-1", "LIF-2")
@pytest.mark.parametrize("command", ["belongs to another", "somebody was erased"])
async def test_a_crash_between_two_steps_of_a_large_account_is_gone_on_from(host, command, monkeypatch) -> None:
    monkeypatch.setattr(handing_over, "_ROOM", 2)
    await WALK.ends_well(host, command)


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_of_them_does_something(host, command) -> None:
    world = await begin(host, command)
    before = world.builder.storage.snapshot()["main"].books["subscriptions"]
    accounts = world.builder.storage.snapshot()["main"].books["billing_accounts"]
    await perform(world, command)
    after = world.builder.storage.snapshot()["main"].books
    assert (after["subscriptions"], after["billing_accounts"]) != (before, accounts)
