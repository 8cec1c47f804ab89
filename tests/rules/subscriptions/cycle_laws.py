"""The law of cycles: one row says how a cycle ended that is done with, and none speaks of one that isn't."""

from collections.abc import Iterable

from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.cycles.segments import segment_of
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import BilledCycle, BilledFor, cycle_key

_FAR_ENOUGH = 12  # cycles ahead


def require_settled(subscription: Subscription, rows: Iterable[BilledCycle]) -> None:
    """Demand one row for each cycle that is billed in advance, and none for those to come: they can be billed."""
    keys = [row.id for row in rows if row.subscription == subscription.id]
    assert len(keys) == len(set(keys))
    done = [_key(subscription, index) for index in range(subscription.billed_to)]
    assert [key for key in done if key not in keys] == []
    ahead = range(subscription.billed_to, subscription.billed_to + _FAR_ENOUGH)
    assert [key for index in ahead if (key := _key(subscription, index)) in keys] == []


def _key(subscription: Subscription, index: int) -> str:
    segment = segment_of(subscription.segments, index)
    return cycle_key(CycleRef(subscription.id, segment.number, index), BilledFor.ADVANCE)
