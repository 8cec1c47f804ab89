"""Boxes: which there are, what becomes of them, and how they are handed over."""

from shopaccounts.subscriptions.boxes.changes import edit_delivery, make_good, move_delivery, skip_delivery
from shopaccounts.subscriptions.boxes.delivering import Settlement, due_deliveries
from shopaccounts.subscriptions.boxes.listing import deliveries, deliveries_of_cycle, joined

__all__ = [
    "Settlement",
    "deliveries",
    "deliveries_of_cycle",
    "due_deliveries",
    "edit_delivery",
    "joined",
    "make_good",
    "move_delivery",
    "skip_delivery",
]
