"""How this context says no to what is wanted of a contract."""

from datetime import date, datetime

import attrs

from shopaccounts.kernel.errors import Kind, Rejected

__all__ = [
    "AccountNeeded",
    "AlreadySubscribed",
    "BackdatedTooFar",
    "BadPlan",
    "BadQuantity",
    "ChangeLimitReached",
    "CutOffPassed",
    "DateNotPossible",
    "NotPaused",
    "NothingToChange",
    "OnHold",
    "OperationNotAllowed",
    "PauseLimitReached",
    "PlanUnknown",
    "RequestIdReused",
    "SkipLimitReached",
    "SubscriptionUnknown",
    "TransitionRefused",
    "TrialAlreadyUsed",
]


@attrs.frozen
class BadPlan(Rejected):
    """The plan contradicts itself; ``problem`` says in English what is wrong, for the shopkeeper."""

    code = "subscriptions.bad_plan"
    kind = Kind.INVALID
    problem: str


@attrs.frozen
class BadQuantity(Rejected):
    """The quantity is less than ``min``, more than ``max``, or no multiple of ``step``."""

    code = "subscriptions.bad_quantity"
    kind = Kind.INVALID
    min: int
    max: int
    step: int


@attrs.frozen
class BackdatedTooFar(Rejected):
    """A change can't take effect before ``earliest``."""

    code = "subscriptions.backdated_too_far"
    kind = Kind.INVALID
    earliest: date


@attrs.frozen
class DateNotPossible(Rejected):
    """The day isn't between ``earliest`` and ``latest``."""

    code = "subscriptions.date_not_possible"
    kind = Kind.INVALID
    earliest: date
    latest: date


@attrs.frozen
class CutOffPassed(Rejected):
    """What is to be changed was settled at ``cut_off``."""

    code = "subscriptions.cut_off_passed"
    kind = Kind.INVALID
    cut_off: datetime


@attrs.frozen
class SubscriptionUnknown(Rejected):
    """There is no such subscription, or it is another customer's."""

    code = "subscriptions.not_found"
    kind = Kind.NOT_FOUND


@attrs.frozen
class PlanUnknown(Rejected):
    """There is no such plan version."""

    code = "subscriptions.plan_not_found"
    kind = Kind.NOT_FOUND


@attrs.frozen
class AlreadySubscribed(Rejected):
    """A subscription of this group of plans is live already."""

    code = "subscriptions.already_subscribed"
    kind = Kind.CONFLICT
    existing: str


@attrs.frozen
class RequestIdReused(Rejected):
    """The request id was used before with another content."""

    code = "subscriptions.request_id_reused"
    kind = Kind.CONFLICT


@attrs.frozen
class TrialAlreadyUsed(Rejected):
    """The customer has had a trial of this already."""

    code = "subscriptions.trial_already_used"
    kind = Kind.CONFLICT


@attrs.frozen
class OnHold(Rejected):
    """The subscription waits for a decision of the shop."""

    code = "subscriptions.on_hold"
    kind = Kind.CONFLICT
    since: datetime


@attrs.frozen
class TransitionRefused(Rejected):
    """What happened has no place in the present state."""

    code = "subscriptions.transition_refused"
    kind = Kind.CONFLICT
    state: str
    trigger: str


@attrs.frozen
class OperationNotAllowed(Rejected):
    """The operation isn't open in the subscription's present state."""

    code = "subscriptions.operation_not_allowed"
    kind = Kind.CONFLICT
    operation: str
    lifecycle: str
    collection: str


@attrs.frozen
class NothingToChange(Rejected):
    """All is as was asked for already."""

    code = "subscriptions.nothing_to_change"
    kind = Kind.CONFLICT


@attrs.frozen
class NotPaused(Rejected):
    """The subscription isn't paused."""

    code = "subscriptions.not_paused"
    kind = Kind.CONFLICT


@attrs.frozen
class AccountNeeded(Rejected):
    """Who bought as a guest needs an account to subscribe."""

    code = "subscriptions.account_needed"
    kind = Kind.FORBIDDEN


@attrs.frozen
class SkipLimitReached(Rejected):
    """So many cycles may be skipped, and no more until ``available_on``."""

    code = "subscriptions.skip_limit_reached"
    kind = Kind.THROTTLED
    limit: int
    available_on: date


@attrs.frozen
class PauseLimitReached(Rejected):
    """So many pauses are possible, and no more until ``available_on``."""

    code = "subscriptions.pause_limit_reached"
    kind = Kind.THROTTLED
    limit: int
    available_on: date


@attrs.frozen
class ChangeLimitReached(Rejected):
    """So many changes are possible in a day, and no more until ``available_on``."""

    code = "subscriptions.change_limit_reached"
    kind = Kind.THROTTLED
    limit: int
    available_on: date
