"""The machine stops while customers subscribe, change, pause and leave: nothing is half, and nothing is paid twice."""

from datetime import date, timedelta
from typing import Any

import pytest

from shopaccounts.subscriptions import (
    CancellationForm,
    CancelWish,
    CycleContent,
    How,
    PauseWish,
    When,
    WithdrawalForm,
)
from shopaccounts.subscriptions.cycles.schedules import DayOfMonth
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.pausing import PauseHow, Unused
from shopaccounts.subscriptions.pricing import Consent
from shopaccounts.testing.builders import BEGINNING
from tests.usecases.billing_worlds import (
    AHEAD,
    BOX,
    CHEAP,
    DEARER,
    EVE,
    LARGE,
    SMALL,
    WHY,
    WORKER,
    YEARLY,
    Walk,
    a_customer,
    and_then,
    having,
    order_of,
    waits,
)
from tests.usecases.test_other_crashes import ANN, HERE

KEY = {"request_id": "r-1"}
SOFT = Declined(DeclineKind.SOFT, "no_funds")
AT_ONCE = How(when=When.NOW)
LATER = How(when=When.AT_PERIOD_END)
REST, STAY_AWAY = PauseWish(how=PauseHow.NOW), CancelWish(when=CancelWhen.NOW, unused=Unused.REFUND)
FORM = CancellationForm(name="Ann Lund", reference="V-2041", contact=ANN)
BY_LINK = CancellationForm(name="Ann Lund", reference="V-2041", contact="mia@lamp.example")
WITHDRAWAL = WithdrawalForm(name="Ann Lund", reference="V-2041", contact=ANN)
paying_ahead = having(AHEAD, days=10)
running, late, boxed = having(SMALL, days=10), having(SMALL, days=31), having(BOX, days=2, ship_to="address-1")


def mine(hand):
    """Who asks, and about which subscription."""
    return hand["customer"], hand["id"]


planned = and_then(running, lambda shop, hand: shop.subscription_changes.change_plan(*mine(hand), CHEAP.id))
with_a_seat = having(SMALL, days=10, add_ons={"seat": 2})
resting = waits(and_then(running, lambda shop, hand: shop.pauses.pause(*mine(hand), REST)), 40)
will_rest = and_then(running, lambda shop, hand: shop.pauses.pause(*mine(hand)))
skipped = and_then(running, lambda shop, hand: shop.pauses.skip_cycle(*mine(hand), 2))
moved = and_then(running, lambda shop, hand: shop.pauses.reschedule_cycle(*mine(hand), 1, date(2031, 2, 10)))
leaving = and_then(running, lambda shop, hand: shop.cancellations.cancel(*mine(hand)))
gone = and_then(running, lambda shop, hand: shop.cancellations.cancel(*mine(hand), STAY_AWAY))
known = having(SMALL, days=3, reference="V-2041")


async def wrote_from_elsewhere(world):
    await known(world)
    await world.shop.statements.submit_cancellation(BY_LINK, HERE)
    world.hand["link"] = world.newest("subscriptions.confirm_cancellation").token


async def withdraws(world):
    await known(world)
    world.hand["statement"] = (await world.shop.statements.open_withdrawal(WITHDRAWAL, HERE)).statement


async def asked_about_a_price(world):
    await having(SMALL)(world)
    change = await world.acting(EVE).subscription_prices.announce_price_change(
        SMALL.id, DEARER.id, effective_on=date(2031, 4, 1), reason=WHY, consent=Consent.OPT_OUT, request_id="p-1"
    )
    await world.shop.billing_notices.run_notices(worker=WORKER)
    world.hand["change"] = change.id


async def with_a_box_to_come(world):
    await boxed(world)
    boxes = await world.shop.boxes.deliveries(*mine(world.hand), date(2031, 2, 1), date(2031, 4, 1))
    world.hand["box"] = str(boxes[0].key)


async def behind(world):
    await having(SMALL, days=31)(world)
    await world.bills()
    world.gateway.cards["card-1"] = SOFT
    world.later(days=15)
    await world.collects()


COMMANDS: dict[str, Any] = {
    "subscribe": (
        a_customer,
        None,
        lambda shop, hand: shop.subscriptions.subscribe(hand["customer"], order_of(SMALL), request_id="o-1"),
    ),
    "another plan": (
        running,
        None,
        lambda shop, hand: shop.subscription_changes.change_plan(*mine(hand), LARGE.id, how=AT_ONCE, **KEY),
    ),
    "another plan later": (
        running,
        None,
        lambda shop, hand: shop.subscription_changes.change_plan(*mine(hand), CHEAP.id, how=LATER, **KEY),
    ),
    "drop a change": (planned, None, lambda shop, hand: shop.subscription_changes.drop_change(*mine(hand))),
    "more of it": (
        running,
        None,
        lambda shop, hand: shop.subscription_changes.change_quantity(*mine(hand), 3, how=AT_ONCE, **KEY),
    ),
    "an add-on": (
        running,
        None,
        lambda shop, hand: shop.subscription_changes.add_add_on(*mine(hand), "seat", quantity=2, how=AT_ONCE, **KEY),
    ),
    "no add-on": (
        with_a_seat,
        None,
        lambda shop, hand: shop.subscription_changes.remove_add_on(*mine(hand), "seat", how=AT_ONCE, **KEY),
    ),
    "another product": (
        running,
        None,
        lambda shop, hand: shop.subscription_changes.swap_product(*mine(hand), "decaf", how=AT_ONCE, **KEY),
    ),
    "another rhythm": (
        running,
        None,
        lambda shop, hand: shop.subscription_changes.change_frequency(*mine(hand), YEARLY.id, how=AT_ONCE, **KEY),
    ),
    "another day": (
        running,
        None,
        lambda shop, hand: shop.subscription_changes.move_billing_day(*mine(hand), DayOfMonth(15)),
    ),
    "several months at once": (
        paying_ahead,
        None,
        lambda shop, hand: shop.subscription_changes.prepay(*mine(hand), 3, request_id="r-1"),
    ),
    "several months at once when one is due": (
        having(AHEAD, days=31),
        None,
        lambda shop, hand: shop.subscription_changes.prepay(*mine(hand), 3, request_id="r-1"),
    ),
    "pause": (running, None, lambda shop, hand: shop.pauses.pause(*mine(hand), REST)),
    "pause later": (running, None, lambda shop, hand: shop.pauses.pause(*mine(hand))),
    "no pause": (will_rest, None, lambda shop, hand: shop.pauses.undo_pause(*mine(hand))),
    "go on": (resting, None, lambda shop, hand: shop.pauses.resume(*mine(hand))),
    "go on later": (
        resting,
        None,
        lambda shop, hand: shop.pauses.resume(*mine(hand), BEGINNING + timedelta(days=70)),
    ),
    "leave a month out": (running, None, lambda shop, hand: shop.pauses.skip_cycle(*mine(hand), 1)),
    "leave none out": (skipped, None, lambda shop, hand: shop.pauses.unskip_cycle(*mine(hand), 2)),
    "move a month": (
        running,
        None,
        lambda shop, hand: shop.pauses.reschedule_cycle(*mine(hand), 1, date(2031, 2, 10)),
    ),
    "move it back": (moved, None, lambda shop, hand: shop.pauses.unreschedule_cycle(*mine(hand), 1)),
    "fill a month": (
        running,
        None,
        lambda shop, hand: shop.pauses.edit_cycle(*mine(hand), 1, CycleContent(quantity=2)),
    ),
    "cancel": (running, None, lambda shop, hand: shop.cancellations.cancel(*mine(hand))),
    "cancel at once": (running, None, lambda shop, hand: shop.cancellations.cancel(*mine(hand), STAY_AWAY)),
    "cancel when a month is due": (
        late,
        None,
        lambda shop, hand: shop.cancellations.cancel(*mine(hand), STAY_AWAY),
    ),
    "stay": (leaving, None, lambda shop, hand: shop.cancellations.undo_cancellation(*mine(hand))),
    "come back": (gone, None, lambda shop, hand: shop.cancellations.reactivate(*mine(hand))),
    "send a form": (known, None, lambda shop, _: shop.statements.submit_cancellation(FORM, HERE)),
    "confirm a form": (
        wrote_from_elsewhere,
        None,
        lambda shop, hand: shop.statements.confirm_cancellation(hand["link"], HERE),
    ),
    "begin to withdraw": (known, None, lambda shop, _: shop.statements.open_withdrawal(WITHDRAWAL, HERE)),
    "withdraw": (withdraws, None, lambda shop, hand: shop.statements.confirm_withdrawal(hand["statement"], HERE)),
    "agree to a price": (
        asked_about_a_price,
        None,
        lambda shop, hand: shop.subscription_prices.accept_price_change(*mine(hand), hand["change"]),
    ),
    "refuse a price": (
        asked_about_a_price,
        None,
        lambda shop, hand: shop.subscription_prices.decline_price_change(*mine(hand), hand["change"]),
    ),
    "refill a box": (
        with_a_box_to_come,
        None,
        lambda shop, hand: shop.boxes.edit_delivery(*mine(hand), hand["box"], contents={"tea": 2}),
    ),
    "move a box": (
        with_a_box_to_come,
        None,
        lambda shop, hand: shop.boxes.move_delivery(*mine(hand), hand["box"], date(2031, 2, 10)),
    ),
    "leave a box out": (
        with_a_box_to_come,
        None,
        lambda shop, hand: shop.boxes.skip_delivery(*mine(hand), hand["box"]),
    ),
    "another card": (behind, None, lambda shop, hand: shop.payments.change_payment_method(hand["customer"], "card-2")),
}
DONE_BEFORE = {
    "drop a change": "subscriptions.nothing_to_change",
    "another day": "subscriptions.nothing_to_change",
    "pause": "subscriptions.operation_not_allowed",
    "no pause": "subscriptions.not_paused",
    "go on": "subscriptions.not_paused",
    "leave a month out": "subscriptions.nothing_to_change",
    "leave none out": "subscriptions.nothing_to_change",
    "move a month": "subscriptions.nothing_to_change",
    "move it back": "subscriptions.nothing_to_change",
    "fill a month": "subscriptions.nothing_to_change",
    "cancel at once": "subscriptions.operation_not_allowed",
    "cancel when a month is due": "subscriptions.operation_not_allowed",
    "stay": "subscriptions.operation_not_allowed",
    "come back": "subscriptions.operation_not_allowed",
    "confirm a form": "subscriptions.cancellation_link_used",
    "leave a box out": "subscriptions.transition_refused",
}
"""What the same request is told whose effect was stored before the machine stopped."""
WALK = Walk(COMMANDS, DONE_BEFORE)
begin, perform = WALK.begin, WALK.perform


@pytest.mark.proves("TES-107", "KER-154")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    await WALK.ends_well(host, command)


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_command_does_something(host, command) -> None:
    world = await begin(host, command)
    before = world.builder.storage.snapshot()["main"].books
    await perform(world, command)
    assert world.builder.storage.snapshot()["main"].books != before
