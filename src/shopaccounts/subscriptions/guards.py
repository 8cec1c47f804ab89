"""What a customer may do with a subscription as it stands.

The rules, in plain English:

* One table says which operation is open in which standing. A shop's policy opens a few cells more, and closes none.
* A subscription can be cancelled as long as it hasn't ended; also while it waits for a decision of the shop, when
  nothing else is possible.
* A cancellation counts from its instant on, also where the work of that hour is late: from then on nothing is possible.
* Who rests because nothing was paid is taken up again by paying.
* Who has cancelled doesn't pause: the end comes first. A pause that begins before the end is another matter.
* Who leaves, or is about to pause, pays no cycles ahead. Who has paid several pays more when the last one has begun.
* An end that is planned can be taken back until it comes. A subscription that has ended can be taken up again for a
  while.
* What an account page offers and what is refused in the end are decided here, by the same function; what limits leave
  is added to that where operations are.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

import attrs

from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.time import add_days, local_date, require_instant
from shopaccounts.subscriptions.cycles.segments import start_instant_of
from shopaccounts.subscriptions.due import fixed_end
from shopaccounts.subscriptions.errors import (
    AlreadyPrepaid,
    CancellationReached,
    CancellationScheduled,
    NotPaused,
    OnHold,
    OperationNotAllowed,
    PrepayNotOffered,
    WinBackWindowClosed,
)
from shopaccounts.subscriptions.model import PauseReason, Subscription
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import ENDED, Collection, Lifecycle

__all__ = [
    "OPEN",
    "OPENED_BY_POLICY",
    "Allowed",
    "Operation",
    "Refusal",
    "Standing",
    "require_operation",
    "standing_of",
]


class Operation(Enum):
    """What a customer does with a subscription. Statements that the law asks for are taken in any state."""

    CHANGE_PLAN = "change_plan"
    CHANGE_QUANTITY = "change_quantity"
    ADD_ADD_ON = "add_add_on"
    REMOVE_ADD_ON = "remove_add_on"
    SWAP_PRODUCT = "swap_product"
    CHANGE_FREQUENCY = "change_frequency"
    MOVE_BILLING_DAY = "move_billing_day"
    PREPAY = "prepay"
    PAUSE = "pause"
    RESUME = "resume"
    SKIP_CYCLE = "skip_cycle"
    UNSKIP_CYCLE = "unskip_cycle"
    RESCHEDULE_CYCLE = "reschedule_cycle"
    UNRESCHEDULE_CYCLE = "unreschedule_cycle"
    EDIT_CYCLE = "edit_cycle"
    SKIP_DELIVERY = "skip_delivery"
    CANCEL = "cancel"
    UNDO_CANCELLATION = "undo_cancellation"
    REACTIVATE = "reactivate"
    APPLY_DISCOUNT = "apply_discount"
    CHANGE_PAYMENT_METHOD = "change_payment_method"
    CHANGE_ADDRESS = "change_address"
    ACCEPT_PRICE_CHANGE = "accept_price_change"
    DECLINE_PRICE_CHANGE = "decline_price_change"


class Standing(Enum):
    """Where a subscription stands: whether it runs, and if so whether it is paid."""

    PENDING = "pending"
    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    ENDED = "ended"


_O, _S = Operation, Standing
_CHANGES: Final = (
    *(_O.CHANGE_PLAN, _O.CHANGE_QUANTITY, _O.ADD_ADD_ON, _O.REMOVE_ADD_ON),
    *(_O.SWAP_PRODUCT, _O.CHANGE_FREQUENCY, _O.MOVE_BILLING_DAY),
)
_CYCLES: Final = (
    *(_O.SKIP_CYCLE, _O.UNSKIP_CYCLE, _O.RESCHEDULE_CYCLE, _O.UNRESCHEDULE_CYCLE),
    *(_O.EDIT_CYCLE, _O.SKIP_DELIVERY),
)
_DETAILS: Final = (
    *(_O.CANCEL, _O.UNDO_CANCELLATION, _O.APPLY_DISCOUNT, _O.CHANGE_PAYMENT_METHOD, _O.CHANGE_ADDRESS),
    *(_O.ACCEPT_PRICE_CHANGE, _O.DECLINE_PRICE_CHANGE),
)

OPEN: Final[Mapping[Operation, frozenset[Standing]]] = MappingProxyType(
    {
        **dict.fromkeys(_CHANGES, frozenset({_S.PENDING, _S.TRIALING, _S.ACTIVE, _S.PAUSED})),
        **dict.fromkeys(_CYCLES, frozenset({_S.PENDING, _S.TRIALING, _S.ACTIVE})),
        **dict.fromkeys(_DETAILS, frozenset(_S) - {_S.ENDED}),
        _O.PREPAY: frozenset({_S.ACTIVE}),
        _O.PAUSE: frozenset({_S.ACTIVE}),
        _O.RESUME: frozenset({_S.PAUSED}),
        _O.REACTIVATE: frozenset({_S.ENDED}),
    }
)
"""In which standings each operation is open."""

OPENED_BY_POLICY: Final[Mapping[tuple[Operation, Standing], str]] = MappingProxyType(
    {
        (_O.PAUSE, _S.TRIALING): "pause_in_trial",
        (_O.PAUSE, _S.PAST_DUE): "pause_past_due",
        **{(operation, _S.PAST_DUE): "change_past_due" for operation in _CHANGES},
        **{(operation, _S.PAST_DUE): "skip_past_due" for operation in _CYCLES},
    }
)
"""What else a shop may open, and the field of its ``OperationPolicy`` that does."""


@attrs.frozen
class Allowed:
    """An operation that is possible now."""

    operation: Operation


@attrs.frozen
class Refusal:
    """An operation that isn't possible now, and what whoever tried it would be told."""

    operation: Operation
    because: Rejected

    @property
    def code(self) -> str:
        """The stable code of the rejection."""
        return self.because.code

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts of the rejection."""
        kind = type(self.because)
        names = attrs.fields_dict(kind) if attrs.has(kind) else ()
        return {name: getattr(self.because, name) for name in names}


def standing_of(subscription: Subscription) -> Standing:
    """Answer where a subscription stands."""
    if subscription.lifecycle in ENDED:
        return Standing.ENDED
    if subscription.lifecycle is Lifecycle.ACTIVE and subscription.collection is not Collection.OK:
        return Standing(subscription.collection.value)
    return Standing(subscription.lifecycle.value)


def require_operation(
    subscription: Subscription,
    operation: Operation,
    now: datetime,
    policy: SubscriptionPolicy,
    *,
    begins: datetime | None = None,
) -> None:
    """Refuse an operation that isn't possible as the subscription stands.

    Args:
        subscription: Which.
        operation: What the customer wants to do.
        now: This instant.
        policy: What the shop allows.
        begins: For a pause, the instant at which it begins; None: at the end of the period, where a planned end goes
            first.

    Raises:
        OperationNotAllowed: It isn't open in this standing, or there is nothing to undo.
        OnHold: The subscription waits for a decision of the shop.
        CancellationReached: Its planned end has come.
        CancellationScheduled: It ends before it would pause, or is to be paid ahead though its end is planned.
        NotPaused: It was to be resumed, and isn't paused.
        PrepayNotOffered: No cycles are sold at once.
        AlreadyPrepaid: Several cycles are paid already.
        WinBackWindowClosed: It ended too long ago.
        TypeError: *now* has no zone of its own.
    """
    if because := _refusal(subscription, operation, now, policy, begins):
        raise because


def _refusal(
    subscription: Subscription,
    operation: Operation,
    now: datetime,
    policy: SubscriptionPolicy,
    begins: datetime | None,
) -> Rejected | None:
    require_instant(now)
    standing = standing_of(subscription)
    if because := _stops_everything(subscription, operation, standing, now):
        return because
    if not _is_open(operation, standing, policy) or (
        operation is Operation.RESUME and _waits_for_payment(subscription)
    ):
        return _closed(subscription, operation)
    return _stands_against(subscription, operation, now, policy, begins)


def _stands_against(
    subscription: Subscription,
    operation: Operation,
    now: datetime,
    policy: SubscriptionPolicy,
    begins: datetime | None,
) -> Rejected | None:
    """Answer what stands against an operation that is open."""
    match operation:
        case Operation.PAUSE:
            return _ends_first(subscription, begins)
        case Operation.PREPAY:
            return _pays_nothing_ahead(subscription, now)
        case Operation.UNDO_CANCELLATION if subscription.scheduled.cancel is None:
            return _closed(subscription, operation)
        case Operation.REACTIVATE:
            return _left_too_long_ago(subscription, now, policy)
    return None


def _stops_everything(
    subscription: Subscription, operation: Operation, standing: Standing, now: datetime
) -> Rejected | None:
    """Answer what stands against any operation on a subscription that hasn't ended, but for cancelling one on hold."""
    if standing is Standing.ENDED:
        return None
    planned = subscription.scheduled.cancel
    if planned and planned.at <= now:
        return CancellationReached(planned.at)
    if subscription.hold and operation is not Operation.CANCEL:
        return OnHold(subscription.hold.since)
    return None


def _is_open(operation: Operation, standing: Standing, policy: SubscriptionPolicy) -> bool:
    opened_by = OPENED_BY_POLICY.get((operation, standing))
    return standing in OPEN[operation] or (opened_by is not None and getattr(policy.operations, opened_by))


def _closed(subscription: Subscription, operation: Operation) -> Rejected:
    if operation is Operation.RESUME and subscription.lifecycle is not Lifecycle.PAUSED:
        return NotPaused()
    if operation is Operation.UNDO_CANCELLATION and subscription.ended_at:
        return CancellationReached(subscription.ended_at)
    return OperationNotAllowed(operation.value, subscription.lifecycle.value, subscription.collection.value)


def _waits_for_payment(subscription: Subscription) -> bool:
    """Tell whether a subscription rests because it isn't paid: paying it is what takes it up again."""
    rests = subscription.pause
    unpaid = subscription.collection is not Collection.OK
    return rests is not None and rests.reason is PauseReason.UNPAID and unpaid


def _ends_first(subscription: Subscription, begins: datetime | None) -> Rejected | None:
    planned = subscription.scheduled.cancel
    if planned and (begins is None or planned.at <= begins):
        return CancellationScheduled(planned.at)
    return None


def _pays_nothing_ahead(subscription: Subscription, now: datetime) -> Rejected | None:
    """Answer what stands against paying several cycles at once."""
    if not subscription.terms.prepay:
        return PrepayNotOffered(())
    planned, run = subscription.scheduled, subscription.prepaid
    if planned.cancel:
        return CancellationScheduled(planned.cancel.at)
    if planned.pause:
        return _closed(subscription, Operation.PREPAY)
    if run is None or run.until == run.first:
        return None
    last = start_instant_of(subscription.segments, run.until - 1, moved=subscription.moved)
    return AlreadyPrepaid(local_date(last, subscription.zone)) if last > now else None


def _left_too_long_ago(subscription: Subscription, now: datetime, policy: SubscriptionPolicy) -> Rejected | None:
    if subscription.lifecycle is Lifecycle.INCOMPLETE_EXPIRED or subscription.ended_at is None:
        return _closed(subscription, Operation.REACTIVATE)  # it never ran
    fixed = fixed_end(subscription)
    if fixed is not None and fixed <= now:
        return _closed(subscription, Operation.REACTIVATE)  # all that was agreed is over
    window = policy.winning_back.window
    days = timedelta(days=window.days)
    closes = add_days(subscription.ended_at, window.days, subscription.zone) + (window - days)
    return WinBackWindowClosed(local_date(closes, subscription.zone)) if closes <= now else None
