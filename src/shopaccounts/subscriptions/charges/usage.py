"""Usage: what a meter counts in a period, and what that costs.

The rules, in plain English:

* Usage is billed when its period has ended and reports of it have had some time.
* A whole period includes so many units. A part of one includes its part of them, rounded down.
* Where a line changes within a period, usage is cut at that instant, and each part has its own price. What a part
  includes goes by days, and the day of the change counts for what comes after it. While everything is free, usage is
  free as well.
* What was billed stays as it is. Usage that was reported later is a line of its own, with the days on which it was, for
  as much as the two together cost more than what was billed. Where less is counted later, nothing is taken back.
* When usage comes to an amount that the shop named, that is told once in a period.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Final, final

import attrs

from shopaccounts.kernel.cycles import Cycle
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import Money, total
from shopaccounts.kernel.personal import Category, Source, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.time import instant_of
from shopaccounts.subscriptions.charges.metering import Counts, Measured, UsageRequest
from shopaccounts.subscriptions.charges.period_lines import cycle_ref, lines_in
from shopaccounts.subscriptions.cycles.proration import Method, factor, period_factor
from shopaccounts.subscriptions.cycles.schedules import CycleRef, ServicePeriod
from shopaccounts.subscriptions.cycles.segments import end_instant_of, segment_of, start_instant_of
from shopaccounts.subscriptions.marks import AN_ID, KEPT
from shopaccounts.subscriptions.model import CutLine, Subscription
from shopaccounts.subscriptions.papers.lines import LineDraft, LineKind
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.tariffs import Tariff, charge

__all__ = [
    "METERS",
    "BilledUsage",
    "Meter",
    "Told",
    "UsagePart",
    "late_usage",
    "outlasts",
    "spent",
    "thresholds_reached",
    "usage_billed",
    "usage_line",
    "usage_parts",
]

_COUNTED: Final = personal("subscription", Category.BEHAVIOUR, source=Source.OBSERVED, on_erase=KEPT)


@final
@attrs.frozen(kw_only=True)
class UsagePart:
    """A stretch of a period in which usage of one line has one price.

    Args:
        cycle: The cycle that it lies in.
        line: The line, as it was meanwhile.
        start: The first local day.
        end: The day after the last one.
        from_instant: When it begins, in UTC.
        to_instant: When it ends, in UTC.
        included: How many units cost nothing.
    """

    cycle: CycleRef
    line: SubscribedLine
    start: date
    end: date
    from_instant: datetime
    to_instant: datetime
    included: int

    @property
    def request(self) -> UsageRequest:
        """What to ask about it."""
        return UsageRequest(self.cycle.subscription, self.line.meter, self.from_instant, self.to_instant)

    def request_until(self, now: datetime) -> UsageRequest | None:
        """Answer what to ask about it while it runs; None before it begins."""
        if now <= self.from_instant:
            return None
        return UsageRequest(self.cycle.subscription, self.line.meter, self.from_instant, min(now, self.to_instant))

    def cost(self, quantity: int) -> tuple[int, Money]:
        """Answer how many of the units that were counted are to be paid, and what they cost."""
        payable = max(quantity - self.included, 0)
        return payable, charge(_tariff(self.line), payable)


def _tariff(line: SubscribedLine) -> Tariff:
    if line.tariff is None:
        msg = f"the metered line {line.key} has no price"
        raise Defect(msg)
    return line.tariff


def usage_parts(
    subscription: Subscription, period: ServicePeriod, method: Method = Method.ACTUAL_DAYS
) -> tuple[UsagePart, ...]:
    """Answer for which stretches of a period usage is to be paid, line by line, oldest first.

    Args:
        subscription: Whose.
        period: Which period, with its end cut where the subscription ends within it.
        method: How the part of a period is measured, of which included units are a part; where parts of periods cost
            nothing, days are counted.

    Raises:
        DateOutOfRange: The period lies outside the years 1 to 9999.
    """
    method = Method.ACTUAL_DAYS if method is Method.NONE else method
    parts = (
        _part(subscription, period, priced, method)
        for span in _spans(subscription, period)
        for priced in _priced(subscription, span)
    )
    served = (part for part in parts if part.from_instant < part.to_instant)
    return tuple(sorted(served, key=lambda part: (part.line.key, part.from_instant)))


@attrs.frozen(kw_only=True)
class _Span:
    """The days of a period on which a metered line was so, and the instants where those aren't whole days."""

    line: SubscribedLine
    start: date
    end: date
    since: datetime | None = None
    until: datetime | None = None


def _spans(subscription: Subscription, period: ServicePeriod) -> Iterator[_Span]:
    """Answer when each metered line was so within a period; never, for those that were so at other times."""
    for cut in subscription.cut:
        line, start, end = cut.line, max(cut.start, period.start), min(cut.end, period.end)
        if line.meter and start <= end:
            since = line.since_at if cut.start == line.since == start else None
            yield _Span(line=line, start=start, end=end, since=since, until=cut.until if cut.end == end else None)
    for line in lines_in(subscription, period.index):
        start = max(line.since or period.start, period.start)
        if line.meter and start < period.end:
            since = line.since_at if line.since == start else None
            yield _Span(line=line, start=start, end=period.end, since=since)


def _priced(subscription: Subscription, span: _Span) -> Iterator[_Span]:
    """Answer what of a span lies in no free phase; phases with a price aren't told apart."""
    start = span.start
    for phase in subscription.terms.phases:
        if phase.tariff is None and phase.end is not None:
            start = max(start, min(phase.end, span.end))
    if start == span.start:
        yield span
    elif start < span.end:
        yield attrs.evolve(span, start=start, since=None)


def outlasts(subscription: Subscription, cut: CutLine, period: ServicePeriod) -> bool:
    """Tell whether a part of a cut line lies beyond a period.

    Args:
        subscription: Whose.
        cut: The line.
        period: Which period.
    """
    if cut.end != period.end or cut.until is None:
        return cut.end > period.end
    return cut.until > end_instant_of(subscription.segments, period.index, moved=subscription.moved, end=period.end)


def _part(subscription: Subscription, period: ServicePeriod, span: _Span, method: Method) -> UsagePart:
    segments, moved = subscription.segments, subscription.moved
    cycle = segment_of(segments, period.index).cycle
    anchor, start, end = cycle.anchor, span.start, span.end
    opens = start_instant_of(segments, period.index, moved=moved)
    closes = end_instant_of(segments, period.index, moved=moved, end=period.end)
    since = span.since or (opens if start == period.start else instant_of(start, anchor.at, anchor.zone))
    until = span.until or (closes if end == period.end else instant_of(end, anchor.at, anchor.zone))
    return UsagePart(
        cycle=cycle_ref(subscription, period),
        line=span.line,
        start=start,
        end=max(end, start + timedelta(days=1)),
        from_instant=max(since, opens),
        to_instant=min(until, closes),
        included=_included(cycle, period, span, method),
    )


def _included(cycle: Cycle, period: ServicePeriod, span: _Span, method: Method) -> int:
    """Answer how many units a part includes: its part of them by days, rounded down."""
    if span.start >= span.end:
        return 0
    whole = (span.start, span.end) == (period.start, period.end)
    part = (
        period_factor(cycle, period, method) if whole else factor(cycle, period.nominal, span.start, span.end, method)
    )
    return span.line.included * part.numerator // part.denominator


@final
@attrs.frozen(kw_only=True)
class BilledUsage:
    """What was billed of a stretch of usage, late lines included.

    Args:
        part: Which stretch.
        quantity: How many units were to be paid.
        amount: What they cost.
        watermark: Up to where the source had counted.
    """

    part: UsagePart
    quantity: int
    amount: Money
    watermark: str


def usage_billed(parts: Iterable[UsagePart], measured: Counts) -> tuple[BilledUsage, ...]:
    """Answer what is to be billed of a period, part by part; a part that costs nothing as well.

    Raises:
        Unavailable: A count isn't there; try later.
        Defect: One is negative, or no whole number.
        AmountTooLarge: An amount is beyond what can be stored.
    """
    return tuple(_billed(part, measured.of(part.request)) for part in parts)


def _billed(part: UsagePart, measured: Measured) -> BilledUsage:
    quantity, amount = part.cost(measured.quantity)
    return BilledUsage(part=part, quantity=quantity, amount=amount, watermark=measured.watermark)


def late_usage(
    billed: Iterable[BilledUsage], measured: Counts
) -> tuple[tuple[BilledUsage, ...], tuple[BilledUsage, ...]]:
    """Answer what was reported after a period was billed.

    Args:
        billed: What was billed of it.
        measured: What the meters say by now.

    Returns:
        What is billed of it in all by now; and what of that is new.

    Raises:
        Unavailable: A count isn't there; try later.
        Defect: One is negative, or no whole number.
    """
    now, new = [], []
    for was in billed:
        seen = _billed(was.part, measured.of(was.part.request))
        more, cost = max(seen.quantity - was.quantity, 0), seen.amount - was.amount
        if not more or cost.minor <= 0:
            now.append(was)
            continue
        now.append(seen)
        new.append(attrs.evolve(seen, quantity=more, amount=cost))
    return tuple(now), tuple(new)


def usage_line(billed: BilledUsage) -> LineDraft | None:
    """Answer the line of an invoice for usage, late or in time; None where it costs nothing."""
    part = billed.part
    if billed.amount.is_zero:
        return None
    return LineDraft(
        kind=LineKind.USAGE,
        subscription=part.cycle.subscription,
        cycle=part.cycle,
        key=part.line.key,
        product=part.line.product,
        quantity=billed.quantity,
        tariff=part.line.tariff,
        start=part.start,
        end=part.end,
        amount=billed.amount,
        category=part.line.category,
        quantity_from=f"{part.line.meter} {billed.watermark}",
    )


def spent(parts: Iterable[UsagePart], measured: Counts, now: datetime, currency: str) -> Money:
    """Answer what the usage of a period that runs costs so far.

    Args:
        parts: The parts of the period; asked for by ``request_until``.
        measured: What the meters say.
        now: The same instant.
        currency: In which currency.

    Raises:
        Unavailable: A count isn't there; try later.
        Defect: One is negative, or no whole number.
    """
    asked = ((part, part.request_until(now)) for part in parts)
    return total((part.cost(measured.of(request).quantity)[1] for part, request in asked if request), currency)


def thresholds_reached(spent: Money, alerts: Iterable[Money], told: Iterable[Money]) -> tuple[Money, ...]:
    """Answer which amounts usage has come to that weren't told yet, the smallest first.

    Args:
        spent: What it costs so far.
        alerts: The amounts that are to be told; those in other currencies don't count.
        told: Those that were told in this period.
    """
    known = set(told)
    open_ones = {alert for alert in alerts if alert.currency == spent.currency and alert not in known}
    return tuple(sorted(alert for alert in open_ones if alert <= spent))


@final
@attrs.frozen(order=True)
class Told:
    """That the usage of a line came to an amount."""

    key: str
    amount: Money


@described(data_class="subscription", default=impersonal("ids and counters"))
@attrs.frozen(kw_only=True)
class Meter:
    """What is remembered of the meters of a subscription. Its id is the subscription's.

    Args:
        id: The subscription's.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        customer: Whose.
        billed: What was billed of the last period: usage of it may still be reported.
        told_in: The number of the cycle that ``told`` is about.
        told: The amounts that were told in it, with the lines that came to them.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    customer: CustomerId
    billed: tuple[BilledUsage, ...] = attrs.field(default=(), metadata=_COUNTED)
    told_in: int = 0
    told: tuple[Told, ...] = attrs.field(default=(), metadata=_COUNTED)

    @classmethod
    def of(cls, subscription: Subscription) -> "Meter":
        """Answer what is remembered of a subscription of which no usage was billed."""
        return cls(
            id=subscription.id,
            realm=subscription.realm,
            store=subscription.store,
            customer=subscription.customer,
        )

    def told_within(self, index: int, key: str) -> tuple[Money, ...]:
        """Answer the amounts that were told of a line in a cycle."""
        return tuple(one.amount for one in self.told if one.key == key) if index == self.told_in else ()

    def tell(self, index: int, key: str, amounts: tuple[Money, ...]) -> "Meter":
        """Remember that the usage of a line came to these amounts in a cycle."""
        before = self.told if index == self.told_in else ()
        return attrs.evolve(self, told_in=index, told=(*before, *(Told(key, amount) for amount in amounts)))


METERS: Final = Book(name="subscription_meters", of=Meter, groups={"customer": lambda meter: meter.customer})
