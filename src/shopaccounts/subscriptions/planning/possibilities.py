"""What a customer may do with a subscription now, and why not the rest: for account pages.

The rules, in plain English:

* An operation is possible if there is a way to do it that is carried out: as the subscription stands, and as far as
  limits leave something. An operation that isn't, is refused in every way that somebody may try it.
* What somebody tries is judged when they do: which plan or day, which box. So is what isn't in the subscription: unpaid
  invoices, other subscriptions, announced prices, and whether there is a payment method.
* Whatever has become due by now is decided first; ask about a subscription of which nothing is due.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.changing.changes import require_below_limit
from shopaccounts.subscriptions.changing.prepaying import prepay
from shopaccounts.subscriptions.charges.period_lines import cycle_ref
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.errors import CutOffPassed, DateNotPossible, NothingToChange
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.guards import Allowed, Operation, Refusal, require_operation
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.pausing.overrides import override_of, require_open, skip_cycle, unskip_cycle
from shopaccounts.subscriptions.pausing.pauses import PauseWish, pause_begins, require_pause
from shopaccounts.subscriptions.pausing.rescheduling import possible_days, unreschedule_cycle
from shopaccounts.subscriptions.plans.discounts import require_room
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.scheduled import OverrideKind

__all__ = ["allowed_operations"]

_NO_INVOICES: Final = Facts()
Limit = Callable[[Subscription, datetime, SubscriptionPolicy], object]
"""Refuses an operation of which limits leave nothing."""
OfCycle = Callable[[Subscription, int, datetime, Facts, SubscriptionPolicy], object]
"""Refuses an operation on a cycle."""


def allowed_operations(
    subscription: Subscription, now: datetime, policy: SubscriptionPolicy
) -> tuple[Allowed | Refusal, ...]:
    """Answer for each operation whether it is possible at *now*, in the order of ``Operation``.

    A pause is judged as one that begins when pauses of this shop begin unless the customer says otherwise.

    Args:
        subscription: One of which nothing is due.
        now: This instant.
        policy: What the shop allows.

    Raises:
        TypeError: *now* has no zone of its own.
    """
    return tuple(
        Refusal(operation, because)
        if (because := _refusal(subscription, operation, now, policy))
        else Allowed(operation)
        for operation in Operation
    )


def _refusal(
    subscription: Subscription, operation: Operation, now: datetime, policy: SubscriptionPolicy
) -> Rejected | None:
    begins = pause_begins(subscription, PauseWish(), now, policy) if operation is Operation.PAUSE else None
    try:
        require_operation(subscription, operation, now, policy, begins=begins)
        if operation in _LIMITS:
            _LIMITS[operation](subscription, now, policy)
    except Rejected as because:
        return because
    return None


def _changes(subscription: Subscription, now: datetime, policy: SubscriptionPolicy) -> None:
    require_below_limit(subscription, local_date(now, subscription.zone), policy)


def _pause(subscription: Subscription, now: datetime, policy: SubscriptionPolicy) -> None:
    require_pause(subscription, PauseWish(), pause_begins(subscription, PauseWish(), now, policy), policy)


def _prepay(subscription: Subscription, now: datetime, policy: SubscriptionPolicy) -> None:
    fewest = min(option.cycles for option in subscription.terms.prepay)
    prepay(subscription, fewest, now, _NO_INVOICES, policy)


def _discount(subscription: Subscription, _: datetime, __: SubscriptionPolicy) -> None:
    period = service_period_of(subscription.segments, subscription.billed_to, moved=subscription.moved)
    require_room(subscription.discounts, cycle_ref(subscription, period), period.start)


def _on_some_cycle(refuse: OfCycle, kind: OverrideKind | None = None) -> Limit:
    """Answer what refuses an operation that is possible on no cycle.

    Args:
        refuse: Refuses it on one.
        kind: What it takes back; None for nothing.
    """

    def limit(subscription: Subscription, now: datetime, policy: SubscriptionPolicy) -> None:
        because: list[Rejected] = []
        for index in _cycles(subscription, kind, policy):
            try:
                refuse(subscription, index, now, _NO_INVOICES, policy)
            except Rejected as refused:
                because.append(refused)
            else:
                return
        raise max(because, key=_weight)

    return limit


def _cycles(subscription: Subscription, kind: OverrideKind | None, policy: SubscriptionPolicy) -> Sequence[int]:
    """Answer the cycles that something can be different about, or those about which something of a kind is."""
    first = subscription.billed_to
    ahead = range(first, first + max(policy.skipping.furthest_ahead, 1))
    if kind is None:
        return ahead
    return [index for index in ahead if override_of(subscription, index, kind)] or ahead[-1:]


def _weight(because: Rejected) -> int:
    """Answer how much a refusal on one cycle tells: less that it is so already, more that there is a limit."""
    return 0 if isinstance(because, NothingToChange) else 1 if isinstance(because, CutOffPassed) else 2


def _can_move(subscription: Subscription, index: int, now: datetime, facts: Facts, policy: SubscriptionPolicy) -> None:
    """Refuse to move a cycle that can begin on no other day."""
    require_open(subscription, index, now, facts, policy)
    earliest, latest = possible_days(subscription, index, now)
    begins = subscription.begins_on(index)
    if earliest > latest or (earliest, latest) == (begins, begins):
        raise DateNotPossible(earliest, latest)


_LIMITS: Final[Mapping[Operation, Limit]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *(Operation.CHANGE_PLAN, Operation.CHANGE_QUANTITY, Operation.ADD_ADD_ON, Operation.REMOVE_ADD_ON),
                *(Operation.SWAP_PRODUCT, Operation.CHANGE_FREQUENCY),
            ),
            _changes,
        ),
        Operation.PREPAY: _prepay,
        Operation.PAUSE: _pause,
        Operation.APPLY_DISCOUNT: _discount,
        Operation.SKIP_CYCLE: _on_some_cycle(skip_cycle),
        Operation.UNSKIP_CYCLE: _on_some_cycle(unskip_cycle, OverrideKind.SKIP),
        Operation.RESCHEDULE_CYCLE: _on_some_cycle(_can_move),
        Operation.UNRESCHEDULE_CYCLE: _on_some_cycle(unreschedule_cycle, OverrideKind.MOVE),
        Operation.EDIT_CYCLE: _on_some_cycle(require_open),
    }
)
