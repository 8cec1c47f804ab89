"""What a shop can hear of its subscriptions: each event that is promised is there, and something tells it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import shopaccounts.subscriptions
from shopaccounts.subscriptions import events

PROMISED: Final = (
    "subscription_started",
    "trial_started",
    "trial_ending",
    "trial_converted",
    "trial_lapsed",
    "subscription_activated",
    "subscription_renewed",
    "cycle_skipped",
    "cycle_unskipped",
    "cycle_rescheduled",
    "cycle_edited",
    "cycles_lapsed",
    "override_dropped",
    "plan_changed",
    "quantity_changed",
    "frequency_changed",
    "billing_day_moved",
    "zone_changed",
    "change_scheduled",
    "scheduled_change_dropped",
    "subscription_paused",
    "subscription_resumed",
    "cancellation_scheduled",
    "cancellation_undone",
    "subscription_canceled",
    "subscription_expired",
    "subscription_reactivated",
    "first_payment_expired",
    "price_change_announced",
    "price_change_accepted",
    "price_change_declined",
    "price_change_deferred",
    "price_changed",
    "discount_applied",
    "discount_ended",
    "invoice_issued",
    "invoice_paid",
    "invoice_voided",
    "invoice_written_off",
    "credit_note_issued",
    "balance_credited",
    "balance_applied",
    "overpaid",
    "payment_succeeded",
    "payment_failed",
    "payment_action_needed",
    "payment_reversed",
    "refund_succeeded",
    "dunning_started",
    "dunning_recovered",
    "dunning_exhausted",
    "grace_ended",
    "subscription_held",
    "hold_resolved",
    "notice_sent",
    "notice_missed",
    "notice_amount_differs",
    "delivery_due",
    "delivery_skipped",
    "delivery_missed",
    "usage_threshold_reached",
    "cancellation_submitted",
    "withdrawal_confirmed",
    "terms_accepted",
)
SOURCE: Final = Path(shopaccounts.subscriptions.__file__).parent
KINDS: Final = {kind.name: kind.__name__ for name in events.__all__ if hasattr(kind := getattr(events, name), "name")}


def told_in(file: Path) -> Iterator[str]:
    """What a module makes, or hands to whatever makes it: names of classes that are called, passed on or chosen."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            used = [node.func, *node.args]
        elif isinstance(node, ast.IfExp):
            used = [node.body, node.orelse]
        else:
            continue
        yield from (one.id for one in used if isinstance(one, ast.Name))


@pytest.fixture(scope="module")
def told() -> frozenset[str]:
    modules = (file for file in SOURCE.rglob("*.py") if file.parent.name != "events")
    return frozenset(name for file in modules for name in told_in(file))


@pytest.mark.proves("EVT-1")
@pytest.mark.parametrize("name", PROMISED)
def test_each_event_that_is_promised_is_told_by_something(name: str, told: frozenset[str]) -> None:
    kind = KINDS.get(f"subscriptions.{name}")
    assert kind is not None, "there is no such event"
    assert kind in told, "nothing tells it"
