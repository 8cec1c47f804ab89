"""In what state a subscription can be, and what leads from one to another.

The rules, in plain English:

* Three questions are kept apart: does it run (*lifecycle*), is it paid (*collection*), and what is planned for it
  (its schedule, see ``model``). One status for all three could not say "running, unpaid, and cancelled for May".
* What leads where is a table. Whatever isn't in it is refused, and the docs draw their diagrams from it.
* Money never changes the lifecycle by itself. What becomes of a subscription that nobody pays is the shop's policy.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from shopaccounts.subscriptions.errors import TransitionRefused

__all__ = ["COLLECTION", "ENDED", "LIFECYCLE", "Collection", "Lifecycle", "Trigger", "collected", "moved", "step"]

S = TypeVar("S", bound=Enum)


class Lifecycle(Enum):
    """Whether a subscription runs."""

    PENDING = "pending"
    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAUSED = "paused"
    CANCELED = "canceled"
    EXPIRED = "expired"


class Collection(Enum):
    """Whether a running subscription is paid."""

    OK = "ok"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"


class Trigger(Enum):
    """What happens to a subscription."""

    SUBSCRIBED_LATER = "subscribed_later"
    SUBSCRIBED_UNPAID = "subscribed_unpaid"
    SUBSCRIBED_TRIAL = "subscribed_trial"
    SUBSCRIBED = "subscribed"
    STARTED_UNPAID = "started_unpaid"
    STARTED_TRIAL = "started_trial"
    STARTED = "started"
    FIRST_PAID = "first_paid"
    FIRST_PAID_TRIAL = "first_paid_trial"
    FIRST_UNPAID_EXPIRED = "first_unpaid_expired"
    TRIAL_CONVERTED = "trial_converted"
    TRIAL_PAUSED = "trial_paused"
    TRIAL_LAPSED = "trial_lapsed"
    PAUSED = "paused"
    RESUMED = "resumed"
    CANCELED = "canceled"
    CANCEL_REACHED = "cancel_reached"
    GAVE_UP = "gave_up"
    GAVE_UP_PAUSED = "gave_up_paused"
    TERM_ENDED = "term_ended"
    REACTIVATED = "reactivated"
    PAYMENT_FAILED = "payment_failed"
    INVOICE_OVERDUE = "invoice_overdue"
    PAYMENT_REVERSED = "payment_reversed"
    SETTLED = "settled"
    RETRIES_EXHAUSTED = "retries_exhausted"


_L, _C, _T = Lifecycle, Collection, Trigger

LIFECYCLE: Final = MappingProxyType(
    {
        (None, _T.SUBSCRIBED_LATER): _L.PENDING,
        (None, _T.SUBSCRIBED_UNPAID): _L.INCOMPLETE,
        (None, _T.SUBSCRIBED_TRIAL): _L.TRIALING,
        (None, _T.SUBSCRIBED): _L.ACTIVE,
        (_L.PENDING, _T.STARTED_UNPAID): _L.INCOMPLETE,
        (_L.PENDING, _T.STARTED_TRIAL): _L.TRIALING,
        (_L.PENDING, _T.STARTED): _L.ACTIVE,
        (_L.PENDING, _T.CANCELED): _L.CANCELED,
        (_L.INCOMPLETE, _T.FIRST_PAID): _L.ACTIVE,
        (_L.INCOMPLETE, _T.FIRST_PAID_TRIAL): _L.TRIALING,
        (_L.INCOMPLETE, _T.FIRST_UNPAID_EXPIRED): _L.INCOMPLETE_EXPIRED,
        (_L.INCOMPLETE, _T.CANCELED): _L.CANCELED,
        (_L.TRIALING, _T.TRIAL_CONVERTED): _L.ACTIVE,
        (_L.TRIALING, _T.TRIAL_PAUSED): _L.PAUSED,
        (_L.TRIALING, _T.TRIAL_LAPSED): _L.CANCELED,
        (_L.TRIALING, _T.CANCELED): _L.CANCELED,
        (_L.TRIALING, _T.CANCEL_REACHED): _L.CANCELED,
        (_L.ACTIVE, _T.PAUSED): _L.PAUSED,
        (_L.ACTIVE, _T.CANCELED): _L.CANCELED,
        (_L.ACTIVE, _T.CANCEL_REACHED): _L.CANCELED,
        (_L.ACTIVE, _T.GAVE_UP): _L.CANCELED,
        (_L.ACTIVE, _T.GAVE_UP_PAUSED): _L.PAUSED,
        (_L.ACTIVE, _T.TERM_ENDED): _L.EXPIRED,
        (_L.PAUSED, _T.RESUMED): _L.ACTIVE,
        (_L.PAUSED, _T.CANCELED): _L.CANCELED,
        (_L.PAUSED, _T.CANCEL_REACHED): _L.CANCELED,
        (_L.PAUSED, _T.GAVE_UP): _L.CANCELED,
        (_L.PAUSED, _T.TERM_ENDED): _L.EXPIRED,
        (_L.CANCELED, _T.REACTIVATED): _L.ACTIVE,
        (_L.EXPIRED, _T.REACTIVATED): _L.ACTIVE,
    }
)
"""Where each trigger leads; a subscription that isn't there yet stands as None."""

COLLECTION: Final = MappingProxyType(
    {
        (_C.OK, _T.PAYMENT_FAILED): _C.PAST_DUE,
        (_C.OK, _T.INVOICE_OVERDUE): _C.PAST_DUE,
        (_C.OK, _T.PAYMENT_REVERSED): _C.PAST_DUE,
        (_C.PAST_DUE, _T.PAYMENT_FAILED): _C.PAST_DUE,
        (_C.PAST_DUE, _T.SETTLED): _C.OK,
        (_C.PAST_DUE, _T.RETRIES_EXHAUSTED): _C.UNPAID,
        (_C.UNPAID, _T.PAYMENT_FAILED): _C.UNPAID,
        (_C.UNPAID, _T.SETTLED): _C.OK,
    }
)

ENDED: Final = frozenset({Lifecycle.CANCELED, Lifecycle.EXPIRED, Lifecycle.INCOMPLETE_EXPIRED})
"""Those in which nothing happens any more, unless the customer is won back."""


def step(table: Mapping[tuple[Any, Any], S], state: Enum | None, trigger: Enum) -> S:
    """Answer where *trigger* leads from *state*, by a table of states.

    Raises:
        TransitionRefused: It leads nowhere.
    """
    try:
        return table[state, trigger]
    except KeyError:
        raise TransitionRefused(state.value if state else "", trigger.value) from None


def moved(state: Lifecycle | None, trigger: Trigger) -> Lifecycle:
    """Answer where *trigger* leads a subscription from *state*; None is one that doesn't exist yet.

    Raises:
        TransitionRefused: It leads nowhere.
    """
    return step(LIFECYCLE, state, trigger)


def collected(state: Collection, trigger: Trigger) -> Collection:
    """Answer where *trigger* leads the collection of a subscription's invoices.

    Raises:
        TransitionRefused: It leads nowhere.
    """
    return step(COLLECTION, state, trigger)
