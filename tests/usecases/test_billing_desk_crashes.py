"""The machine stops in the middle of what a shop's people do to bills: nothing is lost, or done or paid twice."""

from datetime import date, timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.money import Rate
from shopaccounts.subscriptions import SUBSCRIPTIONS, HoldMode, RunningElsewhere
from shopaccounts.subscriptions.model import Hold
from shopaccounts.subscriptions.papers.documents import CreditTo
from shopaccounts.subscriptions.plans.discounts import Discount, Forever, Percent
from shopaccounts.testing.builders import BEGINNING
from tests.usecases.billing_worlds import (
    DEARER,
    EVE,
    SMALL,
    TRIED,
    WHY,
    Walk,
    a_customer,
    and_then,
    billed,
    euro,
    having,
    paid,
)

KEY = {"request_id": "k-1"}
SORRY = Discount(code="SORRY", kind=Percent(Rate.percent(10)), duration=Forever())
running, trying = having(SMALL, days=10), having(TRIED, days=3)
cheaper = having(SMALL, days=10, discounts=(SORRY,))
BACK = CreditTo.REFUND
rich = and_then(
    running, lambda shop, hand: shop.document_desk.give_goodwill(hand["customer"], euro("5"), WHY, request_id="g-1")
)


async def held(world):
    """So many months are due that a person decides."""
    await having(SMALL, days=31 * 3)(world)
    hold = Hold(since=world.builder.clock.now(), code="backlog")
    await world.builder.edit(SUBSCRIPTIONS, world.hand["id"], lambda one: attrs.evolve(one, hold=hold, due_at=None))


def moved_in(hand):
    """What another system has billed so far."""
    return RunningElsewhere(
        customer=hand["customer"],
        plan=SMALL.id,
        currency="EUR",
        zone="Europe/Berlin",
        period_start=date(2030, 12, 15),
        payment_method="card-1",
    )


COMMANDS: dict[str, Any] = {
    "void": (billed, EVE, lambda shop, hand: shop.document_desk.void_invoice(hand["invoice"], WHY, **KEY)),
    "void and bill anew": (
        billed,
        EVE,
        lambda shop, hand: shop.document_desk.void_invoice(hand["invoice"], WHY, rebill=True, **KEY),
    ),
    "refund": (paid, EVE, lambda shop, hand: shop.document_desk.refund(hand["invoice"], euro("20"), WHY, **KEY)),
    "credit": (
        paid,
        EVE,
        lambda shop, hand: shop.document_desk.issue_credit_note(hand["invoice"], {1: euro("10")}, WHY, **KEY),
    ),
    "credit and pay back": (
        paid,
        EVE,
        lambda shop, hand: shop.document_desk.issue_credit_note(hand["invoice"], {1: euro("10")}, WHY, to=BACK, **KEY),
    ),
    "write off": (billed, EVE, lambda shop, hand: shop.document_desk.write_off(hand["invoice"], WHY, **KEY)),
    "give": (
        running,
        EVE,
        lambda shop, hand: shop.document_desk.give_goodwill(hand["customer"], euro("5"), WHY, **KEY),
    ),
    "pay out": (rich, EVE, lambda shop, hand: shop.document_desk.pay_out(hand["customer"], euro("3"), WHY, **KEY)),
    "a longer trial": (
        trying,
        EVE,
        lambda shop, hand: shop.billing_desk.extend_trial(hand["id"], BEGINNING + timedelta(days=30), WHY, **KEY),
    ),
    "no more trial": (trying, EVE, lambda shop, hand: shop.billing_desk.end_trial_now(hand["id"], WHY, **KEY)),
    "a discount": (
        running,
        EVE,
        lambda shop, hand: shop.billing_desk.apply_discount(hand["id"], SORRY, WHY, now=True, **KEY),
    ),
    "no discount": (
        cheaper,
        EVE,
        lambda shop, hand: shop.billing_desk.remove_discount(hand["id"], "SORRY", WHY, **KEY),
    ),
    "the same price": (
        running,
        EVE,
        lambda shop, hand: shop.billing_desk.lock_price(hand["id"], date(2033, 1, 1), WHY, **KEY),
    ),
    "put everything off": (running, EVE, lambda shop, hand: shop.billing_desk.postpone_all(hand["id"], 10, WHY, **KEY)),
    "bill what was held": (
        held,
        EVE,
        lambda shop, hand: shop.billing_desk.resolve_hold(hand["id"], HoldMode.EACH, WHY, **KEY),
    ),
    "forgive what was held": (
        held,
        EVE,
        lambda shop, hand: shop.billing_desk.resolve_hold(hand["id"], HoldMode.WAIVE, WHY, **KEY),
    ),
    "another zone": (
        running,
        EVE,
        lambda shop, hand: shop.billing_desk.change_zone(hand["customer"], "Asia/Tokyo", WHY, **KEY),
    ),
    "move in": (
        a_customer,
        EVE,
        lambda shop, hand: shop.subscription_imports.import_subscription(moved_in(hand), WHY, **KEY),
    ),
    "a new price": (
        running,
        EVE,
        lambda shop, _: shop.subscription_prices.announce_price_change(
            SMALL.id, DEARER.id, effective_on=date(2031, 4, 1), reason=WHY, **KEY
        ),
    ),
}
WALK = Walk(COMMANDS)
begin, perform = WALK.begin, WALK.perform


@pytest.mark.proves("TES-107", "KER-154", "INV-7", "INV-12")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_act_ends_well(host, command) -> None:
    await WALK.ends_well(host, command)


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_act_does_something(host, command) -> None:
    world = await begin(host, command)
    before = world.builder.storage.snapshot()["main"].books
    await perform(world, command)
    assert world.builder.storage.snapshot()["main"].books != before
