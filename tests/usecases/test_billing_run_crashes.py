"""The machine stops while the shop bills, collects, writes letters and ships: nothing is lost or done twice."""

from typing import Any

import pytest

from shopaccounts.kernel.ids import CustomerId
from shopaccounts.subscriptions.payments.charging import Charged, Declined, DeclineKind
from tests.usecases.billing_worlds import (
    BOX,
    PHONE,
    SMALL,
    TRIED,
    WORKER,
    YEARLY,
    Walk,
    billed,
    euro,
    having,
    order_of,
    paid,
    waits,
)

SOFT = Declined(DeclineKind.SOFT, "no_funds")
due, three_due, tried = having(SMALL, days=31), having(SMALL, days=92), having(TRIED, days=15)
ripe = waits(billed, 15)


async def two_due(world):
    """Bob's month is over as well, and he has no card."""
    await having(SMALL)(world)
    bob = order_of(SMALL, payment_method=None)
    await world.shop.subscriptions.subscribe(CustomerId("bob"), bob, request_id="o-2")
    world.later(days=31)


async def phoned(world):
    """So much was phoned in the month that is over."""
    await having(PHONE)(world)
    world.meter.quantity = 30
    world.later(days=31)


async def declined(world):
    """The bank will refuse."""
    await ripe(world)
    world.gateway.cards["card-1"] = SOFT


async def behind(world):
    """The bank has refused."""
    await declined(world)
    await world.collects()
    world.gateway.cards.clear()


async def unheard(world):
    """The bank was asked, and has not answered."""
    await ripe(world)
    world.gateway.is_down = True
    await world.collects()
    world.gateway.is_down = False


async def a_year_on(world):
    """A long time renews in some days."""
    await having(YEARLY, days=358)(world)


async def with_a_box(world):
    """A box is due today."""
    await having(BOX, days=31, ship_to="address-1")(world)


async def much_due(world):
    """A bill, its payment, a letter and a box are due."""
    await with_a_box(world)
    world.later(days=62)


COMMANDS: dict[str, Any] = {
    "bill": (due, None, lambda shop, _: shop.billing.run_billing(worker=WORKER)),
    "bill two customers": (two_due, None, lambda shop, _: shop.billing.run_billing(worker=WORKER)),
    "bill three months": (three_due, None, lambda shop, _: shop.billing.run_billing(worker=WORKER)),
    "bill after a trial": (tried, None, lambda shop, _: shop.billing.run_billing(worker=WORKER)),
    "bill what was phoned": (phoned, None, lambda shop, _: shop.billing.run_billing(worker=WORKER)),
    "watch what is phoned": (
        phoned,
        None,
        lambda shop, hand: shop.usage_watch.check_usage([hand["id"]]),
    ),
    "do all that is due": (much_due, None, lambda shop, _: shop.sweeping.sweep(worker=WORKER)),
    "do a page of all": (much_due, None, lambda shop, _: shop.sweeping.sweep_page(100, WORKER)),
    "ship": (with_a_box, None, lambda shop, _: shop.boxes.run_deliveries(worker=WORKER)),
    "write letters": (a_year_on, None, lambda shop, _: shop.billing_notices.run_notices(worker=WORKER)),
    "collect": (ripe, None, lambda shop, _: shop.payments.collect_due(worker=WORKER)),
    "collect in vain": (declined, None, lambda shop, _: shop.payments.collect_due(worker=WORKER)),
    "collect after all": (unheard, None, lambda shop, _: shop.payments.collect_due(worker=WORKER)),
    "hear of a payment": (
        unheard,
        None,
        lambda shop, hand: shop.payments.settle_payment(hand["payment"], Charged("told")),
    ),
    "hear of a refusal": (unheard, None, lambda shop, hand: shop.payments.settle_payment(hand["payment"], SOFT)),
    "hear of a chargeback": (paid, None, lambda shop, hand: shop.payments.reverse_payment(hand["payment"])),
    "take a transfer": (
        billed,
        None,
        lambda shop, hand: shop.payments.record_payment(hand["invoice"], euro("10"), "T-1"),
    ),
    "try now": (behind, None, lambda shop, hand: shop.payments.try_now(hand["invoice"])),
}
WALK = Walk(COMMANDS, rounds=frozenset({"do all that is due", "do a page of all"}))
begin, perform = WALK.begin, WALK.perform


@pytest.mark.proves("TES-107", "KER-154", "RUN-6", "PAY-1")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_work_ends_well(host, command) -> None:
    await WALK.ends_well(host, command)


@pytest.mark.parametrize("command", COMMANDS)
async def test_there_was_something_to_do(host, command) -> None:
    world = await begin(host, command)
    before = world.builder.storage.snapshot()["main"].books
    await perform(world, command)
    assert world.builder.storage.snapshot()["main"].books != before
