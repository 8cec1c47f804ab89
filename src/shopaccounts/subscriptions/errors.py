"""How this context says no."""

from datetime import date, datetime

import attrs

from shopaccounts.kernel.errors import Conflict, Kind, Rejected
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = [
    "AlreadySubscribed",
    "BackdatedTooFar",
    "BadPlan",
    "BadQuantity",
    "BalanceTooLow",
    "CancellationLinkExpired",
    "CancellationLinkInvalid",
    "CancellationLinkStale",
    "CancellationLinkUsed",
    "CancellationReached",
    "CancellationScheduled",
    "CannotConvertTime",
    "ChangeLimitReached",
    "CommitmentRunning",
    "CreditTooLarge",
    "CutOffPassed",
    "CycleAlreadyBilled",
    "DateNotPossible",
    "DiscountAlreadyApplied",
    "InvoiceKeyClash",
    "InvoiceNotOpen",
    "InvoiceUnknown",
    "NoPriceInCurrency",
    "NotPaused",
    "NothingToChange",
    "OnHold",
    "OperationNotAllowed",
    "PauseLimitReached",
    "PaymentMethodNeeded",
    "PlanUnknown",
    "PriceChangeOver",
    "RefundTooLarge",
    "RequestIdReused",
    "SettleFirst",
    "SkipLimitReached",
    "SubscriptionUnknown",
    "TooManyDiscounts",
    "TransitionRefused",
    "TrialAlreadyUsed",
    "WinBackWindowClosed",
    "WithdrawalPeriodOver",
]


@attrs.frozen
class BadPlan(Rejected):
    """The plan contradicts itself; ``problem`` says in English what is wrong, for the shopkeeper."""

    code = "subscriptions.bad_plan"
    kind = Kind.INVALID
    problem: str


@attrs.frozen
class NoPriceInCurrency(Rejected):
    """The plan or add-on isn't sold in this currency."""

    code = "subscriptions.no_price_in_currency"
    kind = Kind.INVALID
    currency: str


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
class CycleAlreadyBilled(Rejected):
    """The cycle is billed; ``invoice`` says where, empty where it cost nothing."""

    code = "subscriptions.cycle_already_billed"
    kind = Kind.INVALID
    invoice: str


@attrs.frozen
class CannotConvertTime(Rejected):
    """The value left can't be turned into days: the new price is zero, or it was done less than 30 days ago."""

    code = "subscriptions.cannot_convert_time"
    kind = Kind.INVALID


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
class InvoiceUnknown(Rejected):
    """There is no such invoice, or it is another customer's."""

    code = "subscriptions.invoice_not_found"
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
class DiscountAlreadyApplied(Rejected):
    """This discount is used already."""

    code = "subscriptions.discount_already_applied"
    kind = Kind.CONFLICT
    discount: str


@attrs.frozen
class TooManyDiscounts(Rejected):
    """The subscription has ``limit`` discounts already, and no more go with it."""

    code = "subscriptions.too_many_discounts"
    kind = Kind.CONFLICT
    limit: int


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
class CancellationScheduled(Rejected):
    """The subscription ends first."""

    code = "subscriptions.cancellation_scheduled"
    kind = Kind.CONFLICT
    at: datetime


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
class InvoiceNotOpen(Rejected):
    """The invoice isn't open."""

    code = "subscriptions.invoice_not_open"
    kind = Kind.CONFLICT
    state: str


@attrs.frozen
class CreditTooLarge(Rejected):
    """No more than ``creditable`` can still be credited."""

    code = "subscriptions.credit_too_large"
    kind = Kind.CONFLICT
    creditable: Money


@attrs.frozen
class RefundTooLarge(Rejected):
    """No more than ``refundable`` can still be paid back."""

    code = "subscriptions.refund_too_large"
    kind = Kind.CONFLICT
    refundable: Money


@attrs.frozen
class BalanceTooLow(Rejected):
    """The balance has no more than ``available``."""

    code = "subscriptions.balance_too_low"
    kind = Kind.CONFLICT
    available: Money


@attrs.frozen
class PaymentMethodNeeded(Rejected):
    """This needs a payment method."""

    code = "subscriptions.payment_method_needed"
    kind = Kind.FORBIDDEN


@attrs.frozen
class SettleFirst(Rejected):
    """Open invoices are to be paid first."""

    code = "subscriptions.settle_first"
    kind = Kind.FORBIDDEN
    invoices: tuple[str, ...]
    amount: Money


@attrs.frozen
class CommitmentRunning(Rejected):
    """The contract runs until ``earliest_exit`` at least."""

    code = "subscriptions.commitment_running"
    kind = Kind.FORBIDDEN
    earliest_exit: date


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


@attrs.frozen
class CancellationReached(Rejected):
    """The subscription has ended."""

    code = "subscriptions.cancellation_reached"
    kind = Kind.GONE
    at: datetime


class CancellationLinkInvalid(LinkInvalid):
    """No cancellation waits for this link."""

    code = "subscriptions.cancellation_link_invalid"


class CancellationLinkExpired(LinkExpired):
    """The time of the link that confirms a cancellation is over."""

    code = "subscriptions.cancellation_link_expired"


class CancellationLinkUsed(LinkUsed):
    """The cancellation was confirmed before."""

    code = "subscriptions.cancellation_link_used"


class CancellationLinkStale(LinkStale):
    """The cancellation can't be confirmed any more."""

    code = "subscriptions.cancellation_link_stale"


@attrs.frozen
class WinBackWindowClosed(Rejected):
    """The subscription can't be taken up again any more."""

    code = "subscriptions.win_back_window_closed"
    kind = Kind.GONE
    closed_on: date


@attrs.frozen
class WithdrawalPeriodOver(Rejected):
    """The time for a withdrawal is over."""

    code = "subscriptions.withdrawal_period_over"
    kind = Kind.GONE
    ended_on: date


@attrs.frozen
class PriceChangeOver(Rejected):
    """The price change isn't open for an answer."""

    code = "subscriptions.price_change_over"
    kind = Kind.GONE


@attrs.frozen
class InvoiceKeyClash(Conflict):
    """A cycle is billed already, but not with what is to be billed now; ``stored`` and ``planned`` say what."""

    key: str
    stored: str
    planned: str
