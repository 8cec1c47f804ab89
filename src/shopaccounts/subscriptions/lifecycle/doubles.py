"""Several live subscriptions of one group of plans, because two records of customers became one.

The rules, in plain English:

* One of them holds the group. The others are marked, and say which one that is; the billing account knows them.
* When the one that holds it has ended, the oldest of the others holds it, and is marked no more. Those that are left
  are marked as doubles of that one.
* One that ends is marked no more. Who takes it up again is refused like anybody else while another holds the group.
"""

from collections.abc import Iterable

import attrs

from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.states import ENDED

__all__ = ["heirs", "is_marked", "unmarked"]


def is_marked(subscription: Subscription) -> bool:
    """Tell whether a live subscription is marked as another one's double."""
    return bool(subscription.doubles) and subscription.lifecycle not in ENDED


def unmarked(subscription: Subscription) -> Subscription:
    """Answer a subscription that is nobody's double: it holds its group, if it was marked."""
    return attrs.evolve(subscription, doubles="", holds_group=True) if subscription.doubles else subscription


def heirs(subscriptions: Iterable[Subscription]) -> tuple[Subscription, ...]:
    """Answer what becomes of those that are marked as doubles of one that has ended.

    Args:
        subscriptions: Of one account, those that have ended or are marked, as they are otherwise going to be.
    """
    everything = tuple(subscriptions)
    marked = sorted(filter(is_marked, everything), key=lambda one: (one.created_at, one.id))
    changed: list[Subscription] = []
    for gone in everything:
        left = [one for one in marked if one.doubles == gone.id] if gone.lifecycle in ENDED else []
        changed += map(unmarked, left[:1])
        changed += [attrs.evolve(one, doubles=left[0].id) for one in left[1:]]
    return tuple(changed)
