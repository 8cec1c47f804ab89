"""What only looks at subscriptions: what each look needs to have happened before, and how it is taken."""

from datetime import date
from typing import Any

from shopaccounts.subscriptions import CycleContent
from shopaccounts.subscriptions.cycles.schedules import DayOfMonth
from tests.usecases.billing_worlds import EVE, LARGE, SMALL, WHY, YEARLY, a_customer, order_of
from tests.usecases.test_other_crashes import HERE
from tests.usecases.test_subscription_crashes import (
    AT_ONCE,
    BY_LINK,
    REST,
    STAY_AWAY,
    WITHDRAWAL,
    asked_about_a_price,
    behind,
    boxed,
    gone,
    mine,
    paying_ahead,
    resting,
    running,
    with_a_seat,
)


async def at_the_desk(world):
    """Somebody of the shop looks."""
    await running(world)
    clerk = world.acting(EVE)
    await clerk.billing_desk.lock_price(world.hand["id"], date(2033, 1, 1), WHY, request_id="k-1")
    await clerk.statements.submit_cancellation(BY_LINK, HERE)
    opened = await clerk.statements.open_withdrawal(WITHDRAWAL, HERE)
    await clerk.statements.confirm_withdrawal(opened.statement, HERE)
    world.shop = clerk


READS: dict[str, Any] = {
    "billing_desk.acts": (at_the_desk, lambda work, hand: work(hand["customer"], WHY)),
    "billing_desk.doubled": (at_the_desk, lambda work, _: work(WHY)),
    "boxes.deliveries": (boxed, lambda work, hand: work(*mine(hand), date(2031, 1, 1), date(2031, 4, 1))),
    "cancellations.preview_cancel": (running, lambda work, hand: work(*mine(hand), STAY_AWAY)),
    "cancellations.preview_reactivate": (gone, lambda work, hand: work(*mine(hand))),
    "pauses.preview_edit_cycle": (running, lambda work, hand: work(*mine(hand), 1, CycleContent(quantity=2))),
    "pauses.preview_pause": (running, lambda work, hand: work(*mine(hand), REST)),
    "pauses.preview_resume": (resting, lambda work, hand: work(*mine(hand))),
    "payments.preview_method_change": (behind, lambda work, hand: work(hand["customer"])),
    "statements.unmatched_statements": (at_the_desk, lambda work, _: work(WHY)),
    "statements.unmatched_withdrawals": (at_the_desk, lambda work, _: work(WHY)),
    "subscription_changes.preview_add_add_on": (
        running,
        lambda work, hand: work(*mine(hand), "seat", quantity=2, how=AT_ONCE),
    ),
    "subscription_changes.preview_change_frequency": (
        running,
        lambda work, hand: work(*mine(hand), YEARLY.id, how=AT_ONCE),
    ),
    "subscription_changes.preview_change_plan": (running, lambda work, hand: work(*mine(hand), LARGE.id, how=AT_ONCE)),
    "subscription_changes.preview_change_quantity": (running, lambda work, hand: work(*mine(hand), 3, how=AT_ONCE)),
    "subscription_changes.preview_move_billing_day": (running, lambda work, hand: work(*mine(hand), DayOfMonth(15))),
    "subscription_changes.preview_prepay": (paying_ahead, lambda work, hand: work(*mine(hand), 3)),
    "subscription_changes.preview_remove_add_on": (
        with_a_seat,
        lambda work, hand: work(*mine(hand), "seat", how=AT_ONCE),
    ),
    "subscription_changes.preview_swap_product": (
        running,
        lambda work, hand: work(*mine(hand), "decaf", how=AT_ONCE),
    ),
    "subscription_prices.open_price_changes": (asked_about_a_price, lambda work, hand: work(*mine(hand))),
    "subscription_records.export_subscriptions": (running, lambda work, hand: work(hand["customer"])),
    "subscription_views.my_invoices": (running, lambda work, hand: work(hand["customer"])),
    "subscription_views.my_subscriptions": (running, lambda work, hand: work(hand["customer"])),
    "subscription_views.upcoming": (running, lambda work, hand: work(*mine(hand))),
    "subscriptions.preview_subscribe": (a_customer, lambda work, hand: work(hand["customer"], order_of(SMALL))),
}
