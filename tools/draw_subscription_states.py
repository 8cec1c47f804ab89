"""Draw the tables of the states of subscriptions and boxes, as pictures for the docs."""

from collections import defaultdict
from collections.abc import Mapping
from enum import Enum
from typing import Any

from pictures import CONTEXTS, keep
from shopaccounts.subscriptions.boxes.states import DELIVERY
from shopaccounts.subscriptions.states import COLLECTION, LIFECYCLE
from state_pictures import StatePicture


def steps(table: Mapping[Any, Enum]) -> dict[tuple[str, str], list[str]]:
    """Answer the names of the steps between each two states; what isn't there yet has no name."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (source, trigger), target in table.items():
        found[source.value if source else "", target.value].append(trigger.value)
    return found


PICTURES = (
    StatePicture(
        path=CONTEXTS / "subscriptions" / "lifecycle.svg",
        title="Whether a subscription runs",
        width=1170,
        height=630,
        half_width=72,
        places={
            "": (40, 230),
            "pending": (240, 70),
            "incomplete": (240, 460),
            "incomplete_expired": (240, 590),
            "trialing": (560, 70),
            "active": (590, 235),
            "paused": (1000, 140),
            "expired": (1080, 390),
            "canceled": (900, 570),
        },
        steps=steps(LIFECYCLE),
    ),
    StatePicture(
        path=CONTEXTS / "subscriptions" / "collection.svg",
        title="Whether a subscription is paid",
        width=900,
        height=240,
        places={"ok": (90, 190), "past_due": (450, 90), "unpaid": (810, 190)},
        steps=steps(COLLECTION),
    ),
    StatePicture(
        path=CONTEXTS / "subscriptions" / "deliveries.svg",
        title="What becomes of a box",
        width=900,
        height=440,
        places={
            "planned": (90, 200),
            "locked": (330, 110),
            "handed_over": (620, 40),
            "held": (600, 140),
            "missed": (810, 300),
            "skipped": (90, 340),
            "canceled": (450, 390),
        },
        steps=steps(DELIVERY),
        quiet=frozenset({"canceled"}),
        note="thin: canceled",
    ),
)

if __name__ == "__main__":
    keep(*PICTURES)
