"""What a customer orders, and how the same order is known again."""

from collections.abc import Mapping
from datetime import date, datetime

import attrs

from shopaccounts.kernel.canonical import plain_fields
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import currency
from shopaccounts.kernel.time import Zone, local_date, start_of_day
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, add_discount
from shopaccounts.subscriptions.plans.offers import PlanVersionId
from shopaccounts.subscriptions.policy import SubscriptionPolicy

__all__ = ["Order", "discounts_of", "plain", "start_of"]


@attrs.frozen(kw_only=True)
class Order:
    """What a customer orders.

    Args:
        plan: Which version of which plan.
        currency: In which currency, by its ISO 4217 code.
        zone: Where the customer's days begin, as a key of the tz database.
        quantity: How many.
        add_ons: How many of which add-ons, by their keys.
        start: The local day on which it begins; None for now.
        trial: Whether with the plan's trial, if it has one.
        payment_method: What pays it, as the host names it; None for what the account has.
        prepay: How many cycles are paid at once, as the plan offers it: the first ones, or after a trial those that
            follow it; None for one by one.
        discounts: What makes it cheaper; the host has checked that the customer may have it.
        locale: The language that the customer reads.
        tax_profile: What the tax port needs to know of the customer.
        reference: How the customer's papers name it, besides its id; at most one in a store has it.
        ship_to: The id of the address that its boxes go to.
        begin_on_wish: Whether the customer expressly wishes that it begin before the time for withdrawing is over.
        told_of_withdrawal: Whether the customer was told about the right to withdraw.
        accepts_terms: Whether the customer has accepted the terms of this plan, so that it is told for good.
    """

    plan: PlanVersionId
    currency: str
    zone: str
    quantity: int = 1
    add_ons: Mapping[str, int] = attrs.field(factory=dict)
    start: date | None = None
    trial: bool = True
    payment_method: str | None = None
    prepay: int | None = None
    discounts: tuple[Discount, ...] = ()
    locale: str = "en"
    tax_profile: Mapping[str, str] = attrs.field(factory=dict)
    reference: str = ""
    ship_to: str = ""
    begin_on_wish: bool = False
    told_of_withdrawal: bool = True
    accepts_terms: bool = False


def start_of(order: Order, zone: Zone, now: datetime, policy: SubscriptionPolicy) -> datetime:
    """Answer when an order begins.

    Args:
        order: Which.
        zone: Where the customer's days begin.
        now: This instant.
        policy: How far ahead it may be.

    Raises:
        InvalidInput: The start is in the past or too far ahead.
    """
    today = local_date(now, zone)
    if order.start is None or order.start == today:
        return now
    if not today < order.start <= today + policy.subscribing.furthest_start:
        raise InvalidInput(field="start", reason="range")
    return start_of_day(order.start, zone)


def discounts_of(order: Order, id: str, zone: Zone, now: datetime) -> tuple[AppliedDiscount, ...]:
    """Answer the discounts of an order, each of which must go with the others.

    Args:
        order: Which.
        id: The subscription that it makes.
        zone: Where the customer's days begin.
        now: This instant.

    Raises:
        DiscountAlreadyApplied: It names one code twice.
        TooManyDiscounts: So many can't be on one subscription.
        CurrencyMismatch: One is in another currency.
    """
    granted: tuple[AppliedDiscount, ...] = ()
    for one in order.discounts:
        start = order.start or local_date(now, zone)
        granted = add_discount(granted, one, currency(order.currency), CycleRef(id, 0, 0), start)
    return granted


def plain(order: Order, customer: CustomerId) -> dict[str, object]:
    """Answer an order as plain values, so that the same one is known again.

    Args:
        order: Which.
        customer: Whose.
    """
    return {
        "customer": customer,
        "plan": order.plan,
        "currency": order.currency,
        "zone": order.zone,
        "quantity": order.quantity,
        "add_ons": dict(order.add_ons),
        "start": order.start.isoformat() if order.start else "",
        "trial": order.trial,
        "payment_method": order.payment_method or "",
        "discounts": [plain_fields(one) for one in order.discounts],
        "reference": order.reference,
        "ship_to": order.ship_to,
        "prepay": order.prepay or 0,
        "begin_on_wish": order.begin_on_wish,
        "told_of_withdrawal": order.told_of_withdrawal,
        "accepts_terms": order.accepts_terms,
    }
