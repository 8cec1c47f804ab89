"""How this context says no where money is concerned: prices, papers, payments."""

from datetime import date

import attrs

from shopaccounts.kernel.errors import Conflict, Kind, Rejected
from shopaccounts.kernel.money import Money

__all__ = [
    "AlreadyPrepaid",
    "BalanceTooLow",
    "CannotConvertTime",
    "CreditTooLarge",
    "CycleAlreadyBilled",
    "DiscountAlreadyApplied",
    "DiscountLimitReached",
    "InvoiceKeyClash",
    "InvoiceNotOpen",
    "InvoiceUnknown",
    "NoPriceInCurrency",
    "PaymentMethodNeeded",
    "PrepayNotOffered",
    "PriceChangeOver",
    "RefundTooLarge",
    "SettleFirst",
    "TooManyDiscounts",
]


@attrs.frozen
class NoPriceInCurrency(Rejected):
    """The plan or add-on isn't sold in this currency."""

    code = "subscriptions.no_price_in_currency"
    kind = Kind.INVALID
    currency: str


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
class PrepayNotOffered(Rejected):
    """So many cycles aren't sold at once; ``offered`` says how many are, and is empty where none are."""

    code = "subscriptions.prepay_not_offered"
    kind = Kind.INVALID
    offered: tuple[int, ...]


@attrs.frozen
class InvoiceUnknown(Rejected):
    """There is no such invoice, or it is another customer's."""

    code = "subscriptions.invoice_not_found"
    kind = Kind.NOT_FOUND


@attrs.frozen
class DiscountAlreadyApplied(Rejected):
    """This discount is used already."""

    code = "subscriptions.discount_already_applied"
    kind = Kind.CONFLICT
    discount: str


@attrs.frozen
class DiscountLimitReached(Rejected):
    """The customer has this discount on ``limit`` other subscriptions, or had it there: it is for no more."""

    code = "subscriptions.discount_limit_reached"
    kind = Kind.CONFLICT
    discount: str
    limit: int


@attrs.frozen
class TooManyDiscounts(Rejected):
    """The subscription has ``limit`` discounts already, and no more go with it."""

    code = "subscriptions.too_many_discounts"
    kind = Kind.CONFLICT
    limit: int


@attrs.frozen
class AlreadyPrepaid(Rejected):
    """Several cycles are paid already; more can be from ``available_on`` on, when the last of them has begun."""

    code = "subscriptions.already_prepaid"
    kind = Kind.CONFLICT
    available_on: date


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
