"""From what a shop sells to what a customer wants.

The rules, in plain English:

* Another plan is one of the same group, at the price that stays: a trial and an introduction are for who begins.
* An add-on costs what the catalogue says today. One that lasts so many cycles has the rest of the running one on top.
* A product is exchanged for another at the same price; which ones may be is the shop's own matter.
"""

from datetime import date

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.time import instant_of
from shopaccounts.subscriptions.changing.wishes import period_on
from shopaccounts.subscriptions.cycles.schedules import Segment, SegmentReason
from shopaccounts.subscriptions.cycles.segments import segment_of
from shopaccounts.subscriptions.errors import BadPlan
from shopaccounts.subscriptions.lifecycle.agreeing import add_on_line, agreed_lines, agreed_terms
from shopaccounts.subscriptions.lifecycle.regrouping import anchored_anew
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.plans.add_ons import AddOn
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.offers import PLAN_LINE, PlanVersion
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.scheduled import Aspect, Wish

__all__ = ["add_on_wish", "plan_wish", "product_wish", "quantity_wish", "removal_wish", "require_same_group"]


def require_same_group(subscription: Subscription, version: PlanVersion) -> None:
    """Demand that a plan is one that a subscription can change to.

    Raises:
        BadPlan: It is of another group; that is another subscription.
    """
    if version.plan.group != subscription.terms.group:
        problem = f"{version.plan.code} is of group {version.plan.group}, not {subscription.terms.group}"
        raise BadPlan(problem)


def plan_wish(
    subscription: Subscription,
    version: PlanVersion,
    account: BillingAccount,
    day: date,
    policy: SubscriptionPolicy,
    *,
    quantity: int | None = None,
) -> Wish:
    """Answer the wish for another plan, or another version of it.

    Args:
        subscription: Whose.
        version: Which one.
        account: Whose billing day it may follow.
        day: The local day from which on it is to hold.
        policy: How the shop bills.
        quantity: How many; None for as many as there are.

    Raises:
        BadPlan: It is of another group of plans.
        NoPriceInCurrency: It isn't sold in the subscription's currency.
        BadQuantity: A quantity that may not be chosen.
    """
    require_same_group(subscription, version)
    lasting = attrs.evolve(version, phases=version.phases[-1:], trial=None)
    interval = lasting.phases[0].interval or version.interval
    cycle = anchored_anew(subscription, day, interval, policy)
    begins = instant_of(day, cycle.anchor.at, cycle.anchor.zone)
    segment = Segment(0, cycle, 0, day, begins, SegmentReason.RESET)
    count = quantity or subscription.plan_line.quantity
    own, *metered = agreed_lines(lasting, subscription.currency, count, {}, segment)
    offered = [one for one in version.add_ons if any(price.currency == subscription.currency for price in one.prices)]
    return Wish(
        aspect=Aspect.PLAN,
        quantity=quantity,
        line=own,
        terms=agreed_terms(lasting, subscription.currency, account, policy, segment),
        term=version.term,
        offers=(*(_offer(one, subscription, version, segment) for one in offered), *metered),
    )


def _offer(add_on: AddOn, subscription: Subscription, version: PlanVersion, segment: Segment) -> SubscribedLine:
    rule = add_on.quantities
    least = -(-rule.min // rule.step) * rule.step
    return attrs.evolve(add_on_line(add_on, least, subscription.currency, version, segment), until_cycle=None)


def add_on_wish(subscription: Subscription, version: PlanVersion, key: str, quantity: int, day: date) -> Wish:
    """Answer the wish for an add-on of the plan.

    Args:
        subscription: Whose.
        version: The version of its plan.
        key: Which add-on.
        quantity: How many.
        day: The local day from which on.

    Raises:
        BadPlan: The plan has no such add-on.
        NoPriceInCurrency: It isn't sold in the subscription's currency.
        BadQuantity: A quantity that may not be chosen.
    """
    add_on = next((one for one in version.add_ons if one.key == key), None)
    if add_on is None:
        problem = f"the plan has no add-on {key}"
        raise BadPlan(problem)
    period = period_on(subscription, day)
    running = segment_of(subscription.segments, period.index)
    from_here = attrs.evolve(running, first_index=period.index, start=max(day, period.start))
    line = add_on_line(add_on, quantity, subscription.currency, version, from_here)
    return Wish(aspect=Aspect.ADD, key=key, line=line)


def removal_wish(key: str) -> Wish:
    """Answer the wish to have an add-on no more."""
    return Wish(aspect=Aspect.REMOVE, key=key)


def quantity_wish(quantity: int, key: str = PLAN_LINE) -> Wish:
    """Answer the wish for more or less of a line."""
    return Wish(aspect=Aspect.QUANTITY, key=key, quantity=quantity)


def product_wish(subscription: Subscription, product: str, key: str = PLAN_LINE) -> Wish:
    """Answer the wish for another product on a line, at the same price.

    Raises:
        InvalidInput: There is no such line.
    """
    line = next((one for one in subscription.lines if one.key == key and not one.meter), None)
    if line is None:
        raise InvalidInput(field="line", reason="unknown")
    return Wish(aspect=Aspect.PRODUCT, key=key, line=attrs.evolve(line, product=product))
