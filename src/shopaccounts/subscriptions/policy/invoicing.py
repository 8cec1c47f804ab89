"""How invoices are written, paid and taken back, and how their tax is rounded."""

from datetime import timedelta
from enum import Enum

import attrs
from attrs.validators import deep_iterable, instance_of

from shopaccounts.kernel.money import Money
from shopaccounts.kernel.policy import require
from shopaccounts.subscriptions.papers.documents import CreditTo

__all__ = ["CreditTo", "InvoicePolicy", "PaymentTerms", "TaxPolicy", "TaxRounding"]

_NOTHING = timedelta(0)
_ONE_DAY = timedelta(days=1)


class TaxRounding(Enum):
    """Where tax is rounded."""

    PER_LINE = "per_line"
    """On the rounded net of each line."""
    PER_INVOICE = "per_invoice"
    """Once for each rate, on what all lines with it come to; each line gets its part."""


def _whole_days(_: object, field: "attrs.Attribute[timedelta]", value: timedelta) -> None:
    if not isinstance(value, timedelta):
        msg = f"{field.name} must be timedelta, not {type(value).__name__}"
        raise TypeError(msg)
    require(value >= _NOTHING and value % _ONE_DAY == _NOTHING, "payment terms are whole days, and none is negative")


@attrs.frozen(kw_only=True)
class PaymentTerms:
    """How many days after its local day of issue an invoice is to be paid.

    Args:
        automatic: Where a payment method is charged.
        send_invoice: Where the customer pays an invoice.

    Why these defaults:
        automatic: none, of the house: the method is charged at once.
        send_invoice: 14 days, of the house: two weeks are time to pay a bill, and well inside the 30 days after which
            businesses in the EU owe interest where nothing was agreed. [Directive 2011/7/EU, article 3(3)]

    Raises:
        BadPolicy: They are negative, or no whole days.
        TypeError: They are no ``timedelta``.
    """

    automatic: timedelta = attrs.field(default=_NOTHING, validator=_whole_days)
    send_invoice: timedelta = attrs.field(default=timedelta(days=14), validator=_whole_days)


@attrs.frozen(kw_only=True)
class InvoicePolicy:
    """What becomes an invoice, when it is to be paid, and where credits go.

    Args:
        payment_terms: When an invoice is to be paid.
        issue_zero_invoices: Whether a cycle that costs nothing gets an invoice, paid when it is issued.
        min_charge: For each currency, the least that is invoiced; what is less waits for the next invoice.
        credit_to: Where goes what a credit note leaves after what is owed, unless somebody says.

    Why these defaults:
        payment_terms: as its own fields say.
        issue_zero_invoices: no, of the house: that it was billed is kept with the cycle, and nobody needs the paper.
        min_charge: none, of the house: only the shop's gateway knows the least that it moves.
        credit_to: BALANCE, as with Kill Bill and Stripe, which refund nothing by themselves.

    Raises:
        BadPolicy: A least amount isn't above zero, or a currency has two.
        TypeError: A field is of another type.
    """

    payment_terms: PaymentTerms = attrs.field(factory=PaymentTerms, validator=instance_of(PaymentTerms))
    issue_zero_invoices: bool = attrs.field(default=False, validator=instance_of(bool))
    min_charge: tuple[Money, ...] = attrs.field(
        default=(), validator=deep_iterable(instance_of(Money), instance_of(tuple))
    )
    credit_to: CreditTo = attrs.field(default=CreditTo.BALANCE, validator=instance_of(CreditTo))

    def __attrs_post_init__(self) -> None:
        require(all(least.minor > 0 for least in self.min_charge), "a least charge is more than nothing")
        currencies = {least.currency for least in self.min_charge}
        require(len(currencies) == len(self.min_charge), "a currency has one least charge")

    def is_too_small(self, total: Money) -> bool:
        """Tell whether something above zero is less than what is invoiced in its currency."""
        return any(0 < total.minor < least.minor for least in self.min_charge if least.currency == total.currency)


@attrs.frozen(kw_only=True)
class TaxPolicy:
    """How tax is rounded.

    Args:
        rounding: On each line, or once for each rate of an invoice.

    Why these defaults:
        rounding: PER_LINE, of the house: lines are the truth, and one that is taken back takes exactly its tax along.

    Raises:
        TypeError: A field is of another type.
    """

    rounding: TaxRounding = attrs.field(default=TaxRounding.PER_LINE, validator=instance_of(TaxRounding))
