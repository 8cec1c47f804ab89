"""What happened around prices, money, notices and boxes of subscriptions; ids, amounts and closed words."""

from datetime import date, datetime
from typing import ClassVar

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.events.contract import SubscriptionEvent

__all__ = [
    "BalanceApplied",
    "BalanceCredited",
    "BillingAccountMoved",
    "BillingEvent",
    "CreditNoteIssued",
    "DeliveryDue",
    "DeliveryMissed",
    "DeliverySkipped",
    "DiscountApplied",
    "DiscountEnded",
    "DunningExhausted",
    "DunningRecovered",
    "DunningStarted",
    "GraceEnded",
    "InvoiceIssued",
    "InvoicePaid",
    "InvoiceVoided",
    "InvoiceWrittenOff",
    "NoticeAmountDiffers",
    "NoticeMissed",
    "NoticeSent",
    "Overpaid",
    "PaymentActionNeeded",
    "PaymentFailed",
    "PaymentReversed",
    "PaymentSucceeded",
    "PriceChangeAccepted",
    "PriceChangeAnnounced",
    "PriceChangeDeclined",
    "PriceChangeDeferred",
    "PriceChanged",
    "RefundSucceeded",
    "UsageThresholdReached",
]


@attrs.frozen(kw_only=True)
class BillingEvent(Event):
    """Something that happened in the billing account that a customer has in a store."""

    account: AccountId
    billing_account: str


@attrs.frozen(kw_only=True)
class _InvoiceEvent(BillingEvent):
    """Something that happened to an invoice with lines of *subscriptions*; *amount* is what it is about."""

    invoice: str
    subscriptions: tuple[str, ...]
    amount: Money


@attrs.frozen(kw_only=True)
class _PaymentEvent(_InvoiceEvent):
    """Something that became of one try to move money; *attempt* counts the tries of that invoice."""

    intent: str
    attempt: int


@attrs.frozen(kw_only=True)
class _OfOneSubscription(BillingEvent):
    """Something about one subscription of the account."""

    subscription: str


@attrs.frozen(kw_only=True)
class _NoticeEvent(_OfOneSubscription):
    """Something about a notice that the rule *rule* asks for before the instant *trigger_at*."""

    rule: str
    trigger_at: datetime


@attrs.frozen(kw_only=True)
class _DeliveryEvent(_OfOneSubscription):
    """Something about one box; *segment* and *index* say to which billing cycle it belongs."""

    delivery: str
    segment: int
    index: int


@attrs.frozen(kw_only=True)
class _PriceChangeEvent(SubscriptionEvent):
    """What an announced change of price means for one subscription."""

    price_change: str


# Invoices and credit notes


@attrs.frozen(kw_only=True)
class InvoiceIssued(_InvoiceEvent):
    """An invoice counts, and has its number; *kind* is why it was written, such as ``periodic``."""

    name: ClassVar[str] = "subscriptions.invoice_issued"
    kind: str


@attrs.frozen(kw_only=True)
class InvoicePaid(_InvoiceEvent):
    """Nothing is owed on an invoice any more."""

    name: ClassVar[str] = "subscriptions.invoice_paid"


@attrs.frozen(kw_only=True)
class InvoiceVoided(_InvoiceEvent):
    """An invoice counts no more; *rebill* if its cycles are billed anew."""

    name: ClassVar[str] = "subscriptions.invoice_voided"
    rebill: bool


@attrs.frozen(kw_only=True)
class InvoiceWrittenOff(_InvoiceEvent):
    """The shop no longer expects *amount* to be paid."""

    name: ClassVar[str] = "subscriptions.invoice_written_off"


@attrs.frozen(kw_only=True)
class CreditNoteIssued(_InvoiceEvent):
    """A part of an invoice was taken back."""

    name: ClassVar[str] = "subscriptions.credit_note_issued"
    credit_note: str


# The balance


@attrs.frozen(kw_only=True)
class BalanceCredited(BillingEvent):
    """A customer's balance grew by *amount*; *document* is what it comes from, if there is one."""

    name: ClassVar[str] = "subscriptions.balance_credited"
    amount: Money
    reason: str
    document: str


@attrs.frozen(kw_only=True)
class BalanceApplied(_InvoiceEvent):
    """A customer's balance paid *amount* of an invoice."""

    name: ClassVar[str] = "subscriptions.balance_applied"


@attrs.frozen(kw_only=True)
class Overpaid(_InvoiceEvent):
    """More was paid than was owed; *amount* is what is too much, and lies in the balance."""

    name: ClassVar[str] = "subscriptions.overpaid"


# Payments


@attrs.frozen(kw_only=True)
class PaymentSucceeded(_PaymentEvent):
    """An amount was paid."""

    name: ClassVar[str] = "subscriptions.payment_succeeded"


@attrs.frozen(kw_only=True)
class PaymentFailed(_PaymentEvent):
    """A payment was declined, *kind* ``soft``, ``hard`` or ``action``; *next_at* is the next try, if any."""

    name: ClassVar[str] = "subscriptions.payment_failed"
    kind: str
    next_at: datetime | None


@attrs.frozen(kw_only=True)
class PaymentActionNeeded(_PaymentEvent):
    """The customer has to approve a payment."""

    name: ClassVar[str] = "subscriptions.payment_action_needed"


@attrs.frozen(kw_only=True)
class PaymentReversed(_PaymentEvent):
    """The customer's bank took a payment back."""

    name: ClassVar[str] = "subscriptions.payment_reversed"


@attrs.frozen(kw_only=True)
class RefundSucceeded(_PaymentEvent):
    """An amount was paid back."""

    name: ClassVar[str] = "subscriptions.refund_succeeded"


@attrs.frozen(kw_only=True)
class DunningStarted(_InvoiceEvent):
    """An invoice wasn't paid when it was due."""

    name: ClassVar[str] = "subscriptions.dunning_started"


@attrs.frozen(kw_only=True)
class DunningExhausted(_InvoiceEvent):
    """Nothing more is tried; *outcome* is ``cancel``, ``mark_unpaid``, ``pause`` or ``keep``."""

    name: ClassVar[str] = "subscriptions.dunning_exhausted"
    outcome: str


@attrs.frozen(kw_only=True)
class DunningRecovered(_OfOneSubscription):
    """All that was overdue of a subscription is paid."""

    name: ClassVar[str] = "subscriptions.dunning_recovered"


@attrs.frozen(kw_only=True)
class GraceEnded(_OfOneSubscription):
    """Who hasn't paid has had the use of it for long enough; told once for each time of grace."""

    name: ClassVar[str] = "subscriptions.grace_ended"


# Whose it is


@attrs.frozen(kw_only=True)
class BillingAccountMoved(BillingEvent):
    """Everything in the billing account of *source*, another customer record, belongs to this customer now."""

    name: ClassVar[str] = "subscriptions.billing_account_moved"
    source: AccountId


# The price


@attrs.frozen(kw_only=True)
class PriceChangeAnnounced(Event):
    """A plan will have another price; which subscriptions that touches, they are told one by one."""

    name: ClassVar[str] = "subscriptions.price_change_announced"
    price_change: str
    plan: str
    effective_on: date


@attrs.frozen(kw_only=True)
class PriceChangeAccepted(_PriceChangeEvent):
    """A customer accepted a new price."""

    name: ClassVar[str] = "subscriptions.price_change_accepted"


@attrs.frozen(kw_only=True)
class PriceChangeDeclined(_PriceChangeEvent):
    """A customer declined a new price."""

    name: ClassVar[str] = "subscriptions.price_change_declined"


@attrs.frozen(kw_only=True)
class PriceChangeDeferred(_PriceChangeEvent):
    """A subscription keeps its price for another cycle; *reason* is why, such as ``notice_missed``."""

    name: ClassVar[str] = "subscriptions.price_change_deferred"
    reason: str


@attrs.frozen(kw_only=True)
class PriceChanged(_PriceChangeEvent):
    """A subscription has the new price, from cycle *index* on."""

    name: ClassVar[str] = "subscriptions.price_changed"
    segment: int
    index: int


@attrs.frozen(kw_only=True)
class DiscountApplied(SubscriptionEvent):
    """A subscription has a discount."""

    name: ClassVar[str] = "subscriptions.discount_applied"
    discount: str


@attrs.frozen(kw_only=True)
class DiscountEnded(SubscriptionEvent):
    """A discount is over; *reason* is ``used_up`` or ``removed``."""

    name: ClassVar[str] = "subscriptions.discount_ended"
    discount: str
    reason: str


# Notices, boxes and usage


@attrs.frozen(kw_only=True)
class NoticeSent(_NoticeEvent):
    """A customer was told in time."""

    name: ClassVar[str] = "subscriptions.notice_sent"
    notice: str


@attrs.frozen(kw_only=True)
class NoticeMissed(_NoticeEvent):
    """A customer should have been told, and wasn't, or too late."""

    name: ClassVar[str] = "subscriptions.notice_missed"


@attrs.frozen(kw_only=True)
class NoticeAmountDiffers(_NoticeEvent):
    """A customer was told *announced*, and *amount* is to be charged."""

    name: ClassVar[str] = "subscriptions.notice_amount_differs"
    notice: str
    announced: Money
    amount: Money


@attrs.frozen(kw_only=True)
class DeliveryDue(_DeliveryEvent):
    """A box is to be shipped, with these *lines*, to the address whose id is *ship_to*; told once for each box."""

    name: ClassVar[str] = "subscriptions.delivery_due"
    lines: tuple[str, ...]
    ship_to: str


@attrs.frozen(kw_only=True)
class DeliverySkipped(_DeliveryEvent):
    """A box is left out."""

    name: ClassVar[str] = "subscriptions.delivery_skipped"


@attrs.frozen(kw_only=True)
class DeliveryMissed(_DeliveryEvent):
    """A box that wasn't shipped in time isn't shipped any more."""

    name: ClassVar[str] = "subscriptions.delivery_missed"


@attrs.frozen(kw_only=True)
class UsageThresholdReached(_OfOneSubscription):
    """What was used in a cycle comes to *threshold*; told once for each cycle and threshold."""

    name: ClassVar[str] = "subscriptions.usage_threshold_reached"
    segment: int
    index: int
    meter: str
    threshold: Money
