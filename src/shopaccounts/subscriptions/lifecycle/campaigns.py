"""On how many of a customer's subscriptions a campaign is.

The rules, in plain English:

* A campaign is for so many subscriptions of a customer, one unless it says otherwise, whatever their plans, and also
  when an earlier one has ended or is taken up again.
* A subscription counts that has used it, or that may still use it. One that ended and never did doesn't count: nothing
  was taken off there, or the invoice that it was taken off is void.
* A subscription that comes back has what it had; but not what another one has used up meanwhile.
* What a customer has of a campaign is kept until the customer is forgotten. The shop brings a discount along with each
  order and may give it another last day each time, so nobody knows a day after which it can't be granted again. And
  removing it early would hide nothing: it says what the subscriptions say, which stay as long.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import attrs

from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.subscriptions.errors import DiscountLimitReached
from shopaccounts.subscriptions.marks import AN_ID
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.discounts import Discount
from shopaccounts.subscriptions.states import ENDED

__all__ = ["CAMPAIGN_USES", "CampaignUse", "campaign_id", "is_unused", "require_left", "uses"]


@described(data_class="subscription", default=impersonal("ids"))
@attrs.frozen(kw_only=True)
class CampaignUse:
    """What a customer has of one campaign.

    Args:
        id: Made of the store, the customer and the campaign's code.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        customer: Whose.
        code: Which campaign.
        subscriptions: The ids of those that it was granted to, the earliest first.
    """

    id: str = attrs.field(metadata=impersonal("a digest"))
    realm: RealmId
    store: StoreId
    version: int = 1
    customer: CustomerId
    code: str = attrs.field(metadata=impersonal("the shop's own code"))
    subscriptions: tuple[str, ...] = attrs.field(default=(), metadata=AN_ID)


CAMPAIGN_USES: Final = Book(name="campaign_uses", of=CampaignUse, groups={"customer": lambda use: use.customer})
"""Every campaign with a limit that a customer has or had; whoever grants one writes it, so that two can't at once.

Nothing of it is purged, since a campaign counts however long ago it was; it goes when its customer is forgotten."""


def campaign_id(store: StoreId, customer: CustomerId, code: str) -> str:
    """Answer the id under which it is kept what a customer has of a campaign."""
    return hashlib.sha256(f"{store}\0{customer}\0{code}".encode()).hexdigest()[:32]


def uses(subscription: Subscription, code: str) -> bool:
    """Tell whether a subscription counts for a campaign: it has used it, or may still use it."""
    mine = [one for one in subscription.discounts if one.discount.code == code]
    return any(one.uses for one in mine) or (bool(mine) and subscription.lifecycle not in ENDED)


def is_unused(subscription: Subscription, code: str) -> bool:
    """Tell whether a subscription has a campaign that took nothing yet."""
    return any(one.discount.code == code and not one.uses for one in subscription.discounts)


def require_left(discount: Discount, others: Iterable[Subscription]) -> None:
    """Refuse a campaign that a customer has on as many other subscriptions as it is for.

    Args:
        discount: What would be granted.
        others: The customer's other subscriptions that it was ever granted to.

    Raises:
        DiscountLimitReached: It is on so many already.
    """
    limit = discount.per_customer
    if limit is not None and sum(uses(one, discount.code) for one in others) >= limit:
        raise DiscountLimitReached(discount.code, limit)
