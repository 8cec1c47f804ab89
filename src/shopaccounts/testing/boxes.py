"""A subscription of a box shop, for tests of what is delivered when."""

from datetime import date, datetime

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import Zone, local_date, start_of_day, zone
from shopaccounts.subscriptions.cycles.schedules import BillingDay, SegmentReason, StartDay, open_cycle
from shopaccounts.subscriptions.cycles.segments import open_segment
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans.agreed import RunningPhase, SubscribedLine, Terms
from shopaccounts.subscriptions.plans.delivery_schedule import open_deliveries
from shopaccounts.subscriptions.plans.offers import Alignment, DeliveryPlan, Goods, PhaseKind
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["box_subscription"]

_PRICE = PerUnit(Money.of("90.00", "EUR"))


def box_subscription(
    start: date | datetime,
    deliveries: DeliveryPlan | None,
    *,
    billing: Interval | None = None,
    billing_day: BillingDay | None = None,
    where: Zone | None = None,
) -> Subscription:
    """Answer a running subscription to boxes for 90.00 EUR a period.

    Args:
        start: The day it starts, at midnight, or the instant.
        deliveries: How boxes are delivered; None: not at all.
        billing: How long a period is; a quarter by default.
        billing_day: On which day it begins; that of the start by default.
        where: Where days begin; Europe/Berlin by default.
    """
    where, billing, billing_day = (
        where or zone("Europe/Berlin"),
        billing or Interval.months(3),
        billing_day or StartDay(),
    )
    at = start if isinstance(start, datetime) else start_of_day(start, where)
    day = local_date(at, where)
    cycle = open_cycle(day, billing, billing_day, zone=where)
    segments = open_segment((), cycle, at, first_index=0, reason=SegmentReason.START)
    return Subscription(
        id="sub-1",
        realm=RealmId("main"),
        store=StoreId("main"),
        account="main/nora",
        customer=CustomerId("nora"),
        currency=_PRICE.currency,
        terms=Terms(
            version="box-1",
            group="box",
            goods=Goods.PHYSICAL,
            billing_day=billing_day,
            alignment=Alignment.SUBSCRIPTION,
            phases=(RunningPhase(kind=PhaseKind.EVERGREEN, tariff=_PRICE, start=day, end=None, interval=billing),),
            deliveries=deliveries,
        ),
        lines=(SubscribedLine(product="coffee"),),
        segments=segments,
        delivery_segments=open_deliveries((), deliveries, segments) if deliveries else (),
        ship_to="address-1",
        lifecycle=Lifecycle.ACTIVE,
        created_at=at,
    )
