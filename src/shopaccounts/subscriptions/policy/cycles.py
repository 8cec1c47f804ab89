"""When periods change, what a short one costs, and how the part of a period is measured."""

from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.policy import require
from shopaccounts.kernel.time import DateOutOfRange, Zone, require_day, require_instant
from shopaccounts.subscriptions.cycles.proration import Method, StubPricing
from shopaccounts.subscriptions.plans.offers import Alignment

__all__ = [
    "BoundaryClock",
    "ChangeDay",
    "CyclePolicy",
    "FixedDiscountOnStub",
    "Method",
    "ProrationPolicy",
    "StubPricing",
    "ZoneFrom",
]

_MONDAY: Final = 1
_SUNDAY: Final = 7
_MIDNIGHT: Final = time(0)
_ONE_DAY: Final = timedelta(days=1)


class ZoneFrom(Enum):
    """In whose time zone days begin."""

    CUSTOMER = "customer"
    STORE = "store"


class BoundaryClock(Enum):
    """At which time of the day one period ends and the next begins."""

    MIDNIGHT = "midnight"
    START_TIME = "start_time"
    """The wall time at which the service began."""


class ChangeDay(Enum):
    """To which side the day of a change or cancellation belongs."""

    NEW = "new"
    """To what comes after it: the day is unused."""
    OLD = "old"
    """To what was before: the day is used, and counting begins on the next."""


class FixedDiscountOnStub(Enum):
    """How much of a discount of a fixed amount is granted in a period that is shorter than a whole one."""

    FULL = "full"
    PRORATE = "prorate"


@attrs.frozen(kw_only=True)
class CyclePolicy:
    """When the periods of a subscription change, and what one costs that is shorter than a whole one.

    Args:
        alignment: Whose billing day a subscription follows, unless its plan says.
        consolidate: Whether subscriptions that follow their customer's day share an invoice, where they are due at one
            instant, in one currency and paid alike. One that begins when its first invoice is paid has that for itself.
        week_start: The weekday on which calendars change, 1 for Monday to 7 for Sunday.

    Why these defaults:
        alignment: its own, so that nobody begins with a stub; house rule.
        consolidate: no: an invoice for each subscription is easier to read; house rule.
        zone_from: the customer's, so that a bill is dated as the customer's calendar is. [Kill Bill and Lago bill in
            the customer's time zone]
        clock: midnight, so that the day of a bill is a whole day. [as Kill Bill and Lago]
        first_stub, last_stub: their share, so that nobody pays for days that are not served. [Kill Bill; Stripe,
            ``create_prorations``]
        week_start: Monday. [ISO 8601]

    Raises:
        BadPolicy: *week_start* is no weekday, invoices are shared without a common day, or a stub is priced in another
            way.
    """

    alignment: Alignment = Alignment.SUBSCRIPTION
    consolidate: bool = False
    zone_from: ZoneFrom = ZoneFrom.CUSTOMER
    clock: BoundaryClock = BoundaryClock.MIDNIGHT
    first_stub: StubPricing = StubPricing.PRORATE
    last_stub: StubPricing = StubPricing.PRORATE
    week_start: int = _MONDAY

    def __attrs_post_init__(self) -> None:
        is_weekday = type(self.week_start) is int and _MONDAY <= self.week_start <= _SUNDAY
        require(is_weekday, "a week begins on a weekday, 1 to 7")
        shared = not self.consolidate or self.alignment is Alignment.CUSTOMER
        require(shared, "subscriptions share an invoice if they share their customer's billing day")
        stubs = (self.first_stub, self.last_stub)
        require(all(isinstance(way, StubPricing) for way in stubs), "a stub costs its share, all, or nothing")

    def boundary_time(self, began: datetime, zone: Zone) -> time:
        """Answer the wall time of every boundary of a service.

        Args:
            began: The instant at which the service begins.
            zone: Where its days are.

        Raises:
            TypeError: *began* has no zone of its own.
        """
        if self.clock is BoundaryClock.MIDNIGHT:
            return _MIDNIGHT
        return require_instant(began).astimezone(zone.info).time()


@attrs.frozen(kw_only=True)
class ProrationPolicy:
    """How the part of a period is measured.

    Why these defaults:
        method: calendar days over those of the whole period, which anybody can count on a calendar. [Kill Bill, Lago,
            Meteroid]
        change_day: to what comes after the change, as a period has its first day and not its last. [Kill Bill; Lago
            counts it as used]
        fixed_discount_on_stub: in full, since an amount was promised. [Stripe, amount-off coupons]

    Raises:
        BadPolicy: *method* is no way to measure time.
    """

    method: Method = Method.ACTUAL_DAYS
    change_day: ChangeDay = ChangeDay.NEW
    fixed_discount_on_stub: FixedDiscountOnStub = FixedDiscountOnStub.FULL

    def __attrs_post_init__(self) -> None:
        require(isinstance(self.method, Method), "parts are measured in days, in months of 30, in seconds, or not")

    def first_unused(self, change: date) -> date:
        """Answer the first day that is not used any more, after a change or cancellation on a day.

        Raises:
            DateOutOfRange: It lies beyond the year 9999.
            TypeError: *change* is a datetime.
        """
        require_day(change)
        if self.change_day is ChangeDay.NEW:
            return change
        try:
            return change + _ONE_DAY
        except OverflowError:
            raise DateOutOfRange from None
