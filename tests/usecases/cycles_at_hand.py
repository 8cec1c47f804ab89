"""Cycles that another hand has written down as settled."""

from typing import Any

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions import Subscription
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.papers.documents import BilledCycle, BilledFor, CycleEnd, cycle_key

PRICE = Money.of("21.30", "EUR")
"""A month of coffee: 17.90 with 19 % tax."""


def settled(one: Subscription, index: int, **more: Any) -> BilledCycle:
    """How another hand has written down that a cycle ended."""
    period = service_period_of(one.segments, index, moved=one.moved)
    usual = BilledCycle(
        id=cycle_key(CycleRef(one.id, period.segment, index), BilledFor.ADVANCE),
        realm=one.realm,
        store=one.store,
        subscription=one.id,
        segment=period.segment,
        index=index,
        part=BilledFor.ADVANCE,
        start=period.start,
        end=period.end,
        ended=CycleEnd.BILLED,
        invoice="from-the-backup",
        total=PRICE,
        at=one.segments[0].start_instant,
    )
    return attrs.evolve(usual, **more)
