"""What one cycle holds instead of what was agreed: another quantity, another product, something once on top.

The rules, in plain English:

* What one cycle holds is checked as a change is; the next holds again what was agreed.
* What is sold with the plan can be added once. It is paid when the cycle begins.
* Another product, or a price, is the shop's to say; what is metered stays as it is.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.cycles import BillingMode
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.cycles.segments import segment_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import BadPlan, NothingToChange
from shopaccounts.subscriptions.events import CycleEdited
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.lifecycle.agreeing import add_on_line
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.pausing.overrides import (
    override_of,
    require_open,
    told_of,
    with_override,
    without_override,
)
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.offers import PLAN_LINE, PlanVersion
from shopaccounts.subscriptions.plans.tariffs import Tariff
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.scheduled import Override, OverrideKind

__all__ = ["CycleContent", "content_of", "edit_cycle"]

_MOST_LINES: Final = 250


@attrs.frozen(kw_only=True)
class CycleContent:
    """What one cycle holds; what isn't said is as agreed.

    Args:
        quantity: How many of the plan's own line.
        product: What that line is in this cycle. The host says what may be swapped for what.
        price: What that line costs in this cycle: the shop's word, never the customer's.
        add_ons: How many of which add-ons, by their keys; none takes one out.
    """

    quantity: int | None = None
    product: str | None = None
    price: Tariff | None = None
    add_ons: Mapping[str, int] = attrs.field(factory=dict)


def content_of(
    subscription: Subscription, index: int, content: CycleContent, version: PlanVersion
) -> tuple[SubscribedLine, ...]:
    """Answer the lines of a cycle that holds something else than agreed.

    Args:
        subscription: Whose.
        index: Which cycle.
        content: What it holds.
        version: What its plan sells.

    Raises:
        BadPlan: The plan sells no such add-on.
        BadQuantity: A quantity that may not be chosen.
        NoPriceInCurrency: An add-on isn't sold in the subscription's currency.
    """
    plan, *others = _agreed_for(subscription, index)
    agreed = {line.key: line for line in others}
    plan = attrs.evolve(
        plan,
        quantity=plan.quantity if content.quantity is None else plan.quantities.check(content.quantity),
        product=content.product or plan.product,
        tariff=content.price or plan.tariff,
    )
    for key, count in sorted(content.add_ons.items()):
        if count == 0:
            agreed.pop(key, None)
        elif (line := agreed.get(key)) is not None and not line.meter:
            agreed[key] = attrs.evolve(line, quantity=line.quantities.check(count))
        else:
            agreed[key] = _once(subscription, index, key, count, version)
    chosen = [line for line in agreed.values() if not line.meter]
    return (plan, *chosen, *(line for line in agreed.values() if line.meter))


def _once(subscription: Subscription, index: int, key: str, count: int, version: PlanVersion) -> SubscribedLine:
    """Answer the line of an add-on that one cycle has on top."""
    offered = next((one for one in version.add_ons if one.key == key), None)
    if offered is None:
        problem = f"the plan has no add-on {key}"
        raise BadPlan(problem)
    segment = segment_of(subscription.segments, index)
    line = add_on_line(offered, count, subscription.currency, version, segment)
    return attrs.evolve(line, mode=BillingMode.IN_ADVANCE, until_cycle=None)


def edit_cycle(
    subscription: Subscription,
    index: int,
    lines: Iterable[SubscribedLine],
    now: datetime,
    facts: Facts,
    policy: SubscriptionPolicy,
) -> Decision:
    """Let one cycle hold something else; the next one holds what was agreed.

    Args:
        subscription: Whose.
        index: Which cycle.
        lines: All that it holds, the plan's own line first; what was agreed takes an earlier edit back.
        now: This instant.
        facts: The invoices of the time that isn't over.
        policy: Until when that is possible.

    Raises:
        InvalidInput: There is no such cycle, or it is too far ahead.
        CycleAlreadyBilled: It is billed.
        CancellationScheduled: The subscription ends first.
        CutOffPassed: It is too late.
        BadPlan: The lines don't begin with the plan's own, two have the same key, there are more than 250, or one has
            a price in another currency.
        BadQuantity: A quantity that may not be chosen.
        NothingToChange: It holds that already.
    """
    require_open(subscription, index, now, facts, policy)
    wanted = tuple(line.all_along for line in lines)
    _require_sound(subscription, wanted)
    was = override_of(subscription, index, OverrideKind.EDIT)
    agreed = without_override(subscription, was)
    if wanted == (was.lines if was else _agreed_for(subscription, index)):
        raise NothingToChange
    if wanted != _agreed_for(subscription, index):
        made_on = local_date(now, subscription.zone)
        agreed = with_override(agreed, Override(kind=OverrideKind.EDIT, index=index, lines=wanted, made_on=made_on))
    return Decision(subscription=agreed, events=(told_of(CycleEdited, agreed, index, now),))


def _agreed_for(subscription: Subscription, index: int) -> tuple[SubscribedLine, ...]:
    """Answer what was agreed for a cycle."""
    return tuple(line.all_along for line in subscription.lines if line.until_cycle is None or index < line.until_cycle)


def _require_sound(subscription: Subscription, lines: tuple[SubscribedLine, ...]) -> None:
    keys = [line.key for line in lines]
    problem = ""
    if not keys or keys[0] != PLAN_LINE:
        problem = "the lines of a cycle begin with that of the plan"
    elif len(set(keys)) != len(keys):
        problem = "each line of a cycle has a key of its own"
    elif len(keys) > _MOST_LINES:
        problem = f"a cycle has no more than {_MOST_LINES} lines"
    elif any(line.tariff and line.tariff.currency != subscription.currency for line in lines):
        problem = f"the prices are in {subscription.currency}"
    if problem:
        raise BadPlan(problem)
    for line in lines:
        if not line.meter:
            line.quantities.check(line.quantity)
