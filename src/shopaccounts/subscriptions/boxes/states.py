"""In what state a box can be, and what leads from one to another.

The rules, in plain English:

* A box is *planned* until its cut-off. Until then it can be changed, skipped, sent elsewhere.
* From the cut-off on it is *locked*: somebody packs it.
* On its day it is *handed over*; or it is *held*, because the money isn't there yet, and handed over when it is. A box
  that is still held when the next one is due is *missed*.
* A box can be *cancelled* as long as it isn't handed over.
* What leads where is a table. Whatever isn't in it is refused, and the docs draw their diagram from it.
"""

from enum import Enum
from types import MappingProxyType
from typing import Final

from shopaccounts.subscriptions.states import step

__all__ = ["DELIVERY", "DeliveryState", "DeliveryTrigger", "delivered"]


class DeliveryState(Enum):
    """What became of a box."""

    PLANNED = "planned"
    LOCKED = "locked"
    HELD = "held"
    HANDED_OVER = "handed_over"
    MISSED = "missed"
    SKIPPED = "skipped"
    CANCELED = "canceled"


class DeliveryTrigger(Enum):
    """What happens to a box."""

    CUT_OFF = "cut_off"
    """Its cut-off has come."""
    DUE = "due"
    """Its day has come, and nothing is in the way; or what was in the way is gone."""
    UNPAID = "unpaid"
    """Its day has come, and the money hasn't."""
    OVERTAKEN = "overtaken"
    """A later box is due, so this one doesn't go out any more."""
    SKIPPED = "skipped"
    CANCELED = "canceled"


_S, _T = DeliveryState, DeliveryTrigger

DELIVERY: Final = MappingProxyType(
    {
        (_S.PLANNED, _T.CUT_OFF): _S.LOCKED,
        (_S.PLANNED, _T.SKIPPED): _S.SKIPPED,
        (_S.PLANNED, _T.UNPAID): _S.HELD,
        (_S.LOCKED, _T.UNPAID): _S.HELD,
        (_S.LOCKED, _T.DUE): _S.HANDED_OVER,
        (_S.HELD, _T.DUE): _S.HANDED_OVER,
        (_S.PLANNED, _T.OVERTAKEN): _S.MISSED,
        (_S.LOCKED, _T.OVERTAKEN): _S.MISSED,
        (_S.HELD, _T.OVERTAKEN): _S.MISSED,
        (_S.PLANNED, _T.CANCELED): _S.CANCELED,
        (_S.LOCKED, _T.CANCELED): _S.CANCELED,
        (_S.HELD, _T.CANCELED): _S.CANCELED,
        (_S.MISSED, _T.CANCELED): _S.CANCELED,
        (_S.SKIPPED, _T.CANCELED): _S.CANCELED,
    }
)
"""Where each trigger leads."""


def delivered(state: DeliveryState, trigger: DeliveryTrigger) -> DeliveryState:
    """Answer where *trigger* leads a box from *state*.

    Raises:
        TransitionRefused: It leads nowhere.
    """
    return step(DELIVERY, state, trigger)
