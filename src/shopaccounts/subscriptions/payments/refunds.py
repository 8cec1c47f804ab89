"""Which charges pay back a refund.

The rules, in plain English:

* A refund goes back the way the money came: to a charge that paid the invoice, the newest first.
* All refunds of a charge together are no more than what it took off its invoice. Those under way count; those that
  failed don't. What the customer's bank took back by itself isn't paid back once more.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.money import Currency, Money, total
from shopaccounts.subscriptions.errors import RefundTooLarge
from shopaccounts.subscriptions.papers.documents import Invoice
from shopaccounts.subscriptions.payments.intents import PaymentIntent, Purpose, is_live

__all__ = ["RefundPart", "refund_intents", "refund_parts", "refundable_by"]


@attrs.frozen
class RefundPart:
    """Which charge, by its key, pays back how much."""

    charge: str
    amount: Money


def refund_parts(wanted: Money, intents: Sequence[PaymentIntent]) -> tuple[RefundPart, ...]:
    """Divide a refund over the charges that paid an invoice, the newest first.

    Args:
        wanted: How much is to be paid back, above zero.
        intents: All intents of the invoice. Refunds that are under way count as paid back.

    Raises:
        RefundTooLarge: The charges paid less, or it was paid back already.
        InvalidInput: *wanted* isn't above zero.
    """
    if wanted.minor <= 0:
        raise InvalidInput(field="amount", reason="range")
    refundable = refundable_by(intents, wanted.currency)
    if wanted > refundable:
        raise RefundTooLarge(refundable)
    return tuple(_taken(wanted, _open_parts(intents)))


def refund_intents(
    invoice: Invoice, amount: Money, intents: Sequence[PaymentIntent], now: datetime
) -> tuple[PaymentIntent, ...]:
    """Answer the payments that pay a part of an invoice back, each to one charge.

    Args:
        invoice: Of which.
        amount: How much, above zero.
        intents: All intents of the invoice.
        now: This instant.

    Raises:
        RefundTooLarge: The charges paid less, or it was paid back already.
        InvalidInput: *amount* isn't above zero.
    """
    charges = {one.key: one for one in intents}
    return tuple(
        PaymentIntent(
            id=f"{invoice.id}:{place}",
            realm=invoice.realm,
            store=invoice.store,
            invoice=invoice.id,
            account=invoice.account,
            subscriptions=invoice.subscriptions,
            attempt=place,
            purpose=Purpose.REFUND,
            amount=part.amount,
            method=charges[part.charge].method,
            refund_of=part.charge,
            due_at=now,
            planned_at=now,
        )
        for place, part in enumerate(refund_parts(amount, intents), len(intents) + 1)
    )


def refundable_by(intents: Sequence[PaymentIntent], currency: Currency) -> Money:
    """Answer how much the charges that paid an invoice can still pay back.

    Args:
        intents: All intents of the invoice.
        currency: The invoice's.
    """
    return total((part.amount for part in _open_parts(intents)), currency)


def _open_parts(intents: Sequence[PaymentIntent]) -> list[RefundPart]:
    newest_first = sorted(intents, key=lambda intent: -intent.attempt)
    return [
        RefundPart(charge.key, charge.paid - _paid_back(charge, intents))
        for charge in newest_first
        if charge.purpose is Purpose.CHARGE and charge.paid is not None and charge.reversed_at is None
    ]


def _paid_back(charge: PaymentIntent, intents: Sequence[PaymentIntent]) -> Money:
    refunds = (intent for intent in intents if intent.refund_of == charge.key)
    return total((refund.amount for refund in refunds if _counts(refund)), charge.amount.currency)


def _counts(refund: PaymentIntent) -> bool:
    return is_live(refund) or refund.has_moved_money


def _taken(wanted: Money, parts: Iterable[RefundPart]) -> Iterable[RefundPart]:
    for part in parts:
        taken = min(wanted, part.amount)
        wanted -= taken
        if not taken.is_zero:
            yield RefundPart(part.charge, taken)
