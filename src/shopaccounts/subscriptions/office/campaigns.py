"""Looking up what a customer has of a campaign, and what is recorded when it is granted."""

from collections.abc import Iterable

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.record import Change
from shopaccounts.subscriptions.errors import DiscountLimitReached
from shopaccounts.subscriptions.lifecycle.campaigns import (
    CAMPAIGN_USES,
    CampaignUse,
    campaign_id,
    is_unused,
    require_left,
)
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, Subscription
from shopaccounts.subscriptions.plans.discounts import Discount

__all__ = ["counted_too", "granted_to", "kept_by"]


async def granted_to(desk: Desk, customer: CustomerId, subscription: str, discounts: Iterable[Discount]) -> Change:
    """Answer what is recorded with discounts that are granted.

    Args:
        desk: Whose books.
        customer: Whose subscription it is.
        subscription: Its id.
        discounts: What is granted.

    Raises:
        DiscountLimitReached: The customer has one of them on as many other subscriptions as it is for.
    """
    change = Change()
    for one in discounts:
        if one.per_customer is not None:
            was = await _use(desk, customer, one.code)
            require_left(one, await _others(desk, was, subscription))
            change |= _noted(was, subscription)
    return change


async def counted_too(desk: Desk, customer: CustomerId, subscription: str, discounts: Iterable[Discount]) -> Change:
    """Answer what is recorded with discounts that a subscription brought along: they count, and are not refused.

    Args:
        desk: Whose books.
        customer: Whose subscription it is.
        subscription: Its id.
        discounts: What it has.
    """
    change = Change()
    for one in discounts:
        if one.per_customer is not None:
            change |= _noted(await _use(desk, customer, one.code), subscription)
    return change


async def kept_by(desk: Desk, subscription: Subscription) -> tuple[Subscription, Change]:
    """Answer a subscription that comes back, without what another one has used up, and what is recorded with that.

    Args:
        desk: Whose books.
        subscription: One that has ended.
    """
    change, kept = Change(), []
    for one in subscription.discounts:
        if one.discount.per_customer is not None and is_unused(subscription, one.discount.code):
            was = await _use(desk, subscription.customer, one.discount.code)
            try:
                require_left(one.discount, await _others(desk, was, subscription.id))
            except DiscountLimitReached:
                continue
            change |= _noted(was, subscription.id)
        kept.append(one)
    return attrs.evolve(subscription, discounts=tuple(kept)), change


async def _use(desk: Desk, customer: CustomerId, code: str) -> CampaignUse:
    """Answer what a customer has of a campaign; version 0 where nothing is kept of that."""
    scope = desk.scope
    id = campaign_id(scope.store, customer, code)
    found = await got(desk.records.find(CAMPAIGN_USES, id))
    if found is not None:
        return found.it
    return CampaignUse(id=id, realm=scope.realm, store=scope.store, version=0, customer=customer, code=code)


async def _others(desk: Desk, use: CampaignUse, subscription: str) -> tuple[Subscription, ...]:
    ids = [id for id in use.subscriptions if id != subscription]
    return tuple(await got(desk.records.pick(SUBSCRIPTIONS, ids))) if ids else ()


def _noted(was: CampaignUse, subscription: str) -> Change:
    """Write it down anew, also where nothing changes: whoever counted meanwhile counts again."""
    now = attrs.evolve(was, subscriptions=tuple(dict.fromkeys((*was.subscriptions, subscription))))
    write = CAMPAIGN_USES.change(was, now) if was.version else CAMPAIGN_USES.add(now)
    return Change(writes=(write,))
