"""What wishes make of an agreement, before anybody asks what it costs.

The rules, in plain English:

* A later wish about the same aspect of the same line replaces an earlier one; all others stay.
* Another plan brings its own prices, from a day on: those that stay, for an introduction is for who begins. Add-ons
  that it sells too go along, at its prices; others end. Its meters replace those of the old plan.
* A commitment isn't got rid of by changing: how much of it has passed counts on, and a plan without one keeps it.
* What is paid in arrears is cut where it changes, and each part is billed later, at its own price.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.time import instant_of, local_date
from shopaccounts.subscriptions.charges.period_lines import is_in_arrears
from shopaccounts.subscriptions.cycles.schedules import ServicePeriod
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.errors import NothingToChange
from shopaccounts.subscriptions.model import CutLine, Subscription
from shopaccounts.subscriptions.plans.agreed import RunningPhase, RunningTerm, SubscribedLine, Terms
from shopaccounts.subscriptions.plans.offers import PLAN_LINE
from shopaccounts.subscriptions.scheduled import Aspect, Wish
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["applied", "interval_of", "merged", "period_on", "phase_on_day"]

_IN_TURN: Final = {aspect: place for place, aspect in enumerate(Aspect)}


def merged(earlier: Iterable[Wish], later: Iterable[Wish]) -> tuple[Wish, ...]:
    """Answer all wishes for one instant: a later one replaces an earlier one about the same aspect of the same line."""
    return tuple({(wish.key, wish.aspect): wish for wish in (*earlier, *later)}.values())


def period_on(subscription: Subscription, day: date) -> ServicePeriod:
    """Answer the service period that a day is in, as far as cycles are billed; else the next one that is billed."""
    index = subscription.billed_to
    period = service_period_of(subscription.segments, index, moved=subscription.moved)
    while index > 0 and period.start > day:
        index -= 1
        period = service_period_of(subscription.segments, index, moved=subscription.moved)
    return period


def phase_on_day(terms: Terms, day: date) -> RunningPhase:
    """Answer the phase that a day is in; before the first, that one, and after the last, that one."""
    return next((phase for phase in terms.phases if phase.end is None or day < phase.end), terms.phases[-1])


def interval_of(subscription: Subscription, day: date) -> str:
    """Answer how long cycles are on a day, as ``P1M``."""
    return str(phase_on_day(subscription.terms, day).interval)


def applied(subscription: Subscription, wishes: Iterable[Wish], day: date, at: datetime | None = None) -> Subscription:
    """Answer a subscription with what is wanted, from a day on; cycles, bills and instants are as they were.

    Args:
        subscription: Which.
        wishes: What is wanted.
        day: The first local day on which it is so.
        at: The instant of the change, which cuts what is metered where it lies on that day; None for its beginning.

    Raises:
        NothingToChange: All is so already.
        BadQuantity: A quantity that may not be chosen.
        InvalidInput: There is no such line, or it can't be removed.
    """
    changed = subscription
    for wish in sorted(wishes, key=lambda one: _IN_TURN[one.aspect]):
        changed = _with(changed, wish, day)
    if changed.lines == subscription.lines and changed.terms == subscription.terms:
        raise NothingToChange
    cut = _cut(subscription, changed, day)
    return _cut_meters(subscription, cut, day, _instant(subscription, day, at))


def _with(subscription: Subscription, wish: Wish, day: date) -> Subscription:
    match wish.aspect:
        case Aspect.PLAN:
            return _with_plan(subscription, wish, day)
        case Aspect.QUANTITY | Aspect.PRODUCT:
            return _with_line(subscription, _same_line(subscription, wish))
        case Aspect.ADD if wish.line is not None:
            return _with_line(subscription, wish.line)
        case Aspect.REMOVE:
            return _without(subscription, wish.key)
    raise InvalidInput(field="wishes", reason="unknown")


def _line(subscription: Subscription, key: str) -> SubscribedLine:
    found = next((line for line in subscription.lines if line.key == key and not line.meter), None)
    if found is None:
        raise InvalidInput(field="line", reason="unknown")
    return found


def _same_line(subscription: Subscription, wish: Wish) -> SubscribedLine:
    """Answer a line in another quantity, or with another product."""
    line = _line(subscription, wish.key)
    if wish.line is not None:
        return attrs.evolve(line, product=wish.line.product, tariff=wish.line.tariff, category=wish.line.category)
    return attrs.evolve(line, quantity=line.quantities.check(wish.quantity or 0))


def _with_line(subscription: Subscription, line: SubscribedLine) -> Subscription:
    """Answer a subscription with a line: in the place of the one of the same key, or before what is metered."""
    if any(one.key == line.key for one in subscription.lines):
        return attrs.evolve(
            subscription, lines=tuple(line if one.key == line.key else one for one in subscription.lines)
        )
    chosen = tuple(one for one in subscription.lines if not one.meter)
    metered = tuple(one for one in subscription.lines if one.meter)
    return attrs.evolve(subscription, lines=(*chosen, line, *metered))


def _without(subscription: Subscription, key: str) -> Subscription:
    if key == PLAN_LINE:
        raise InvalidInput(field="line", reason="unknown")
    gone = _line(subscription, key)
    return attrs.evolve(subscription, lines=tuple(line for line in subscription.lines if line != gone))


def _with_plan(subscription: Subscription, wish: Wish, day: date) -> Subscription:
    terms, own = wish.terms, wish.line
    if terms is None or own is None:
        raise InvalidInput(field="wishes", reason="unknown")
    if terms.version == subscription.terms.version:
        return subscription
    before = subscription.plan_line
    quantity = own.quantities.check(wish.quantity or before.quantity)
    same = before.product == own.product and before.mode is own.mode
    plan_line = attrs.evolve(own, quantity=quantity, since=before.since if same else own.since)
    offers = {line.key: line for line in wish.offers}
    return attrs.evolve(
        subscription,
        terms=attrs.evolve(terms, phases=_phases(subscription, terms.phases[-1], day)),
        lines=(plan_line, *_add_ons(subscription, offers), *_meters(subscription, wish.offers)),
        term=_term(subscription.term, wish),
        setup_fee_due=subscription.setup_fee_due and terms.setup_fee is not None,
    )


def _phases(subscription: Subscription, lasting: RunningPhase, day: date) -> tuple[RunningPhase, ...]:
    """Answer the phases: those of the running cycle up to the day, for what is billed later, and the new one.

    At a boundary that was moved it begins with the scheduled day: what a cycle costs goes by its schedule.
    """
    ends = lasting.end + (day - lasting.start) if lasting.end else None
    if subscription.lifecycle in {Lifecycle.PENDING, Lifecycle.TRIALING}:
        return (attrs.evolve(lasting, start=day, end=ends),)
    period = period_on(subscription, day)
    start = min(day, period.scheduled_start) if day == period.start else day
    since = period.start
    if any(map(is_in_arrears, subscription.lines)):
        since = min(since, subscription.begins_on(subscription.arrears_to))
    before = tuple(
        attrs.evolve(phase, end=start if phase.end is None else min(phase.end, start))
        for phase in subscription.terms.phases
        if since < start and phase.start < start and (phase.end is None or phase.end > since)
    )
    return (*before, attrs.evolve(lasting, start=start, end=ends))


def _add_ons(subscription: Subscription, offers: dict[str, SubscribedLine]) -> Iterable[SubscribedLine]:
    for line in subscription.lines[1:]:
        offered = offers.get(line.key)
        if offered is not None and not line.meter and not offered.meter:
            count = offered.quantities.check(line.quantity)
            yield attrs.evolve(offered, quantity=count, until_cycle=line.until_cycle, since=line.since)


def _meters(subscription: Subscription, offers: Iterable[SubscribedLine]) -> Iterable[SubscribedLine]:
    before = {line.key: line for line in subscription.lines if line.meter}
    for offered in offers:
        if offered.meter:
            was = before.get(offered.key)
            yield was if was is not None and was.all_along == offered else offered


def _term(running: RunningTerm | None, wish: Wish) -> RunningTerm | None:
    """Answer the term: that of the new plan with what has passed of the old one, or else the old one."""
    if wish.term is None:
        return running
    return RunningTerm(agreed=wish.term, begun=running.begun if running else 0)


def _cut(before: Subscription, after: Subscription, day: date) -> Subscription:
    """Cut what is paid in arrears where it changes within a cycle; what is restored on its day is as it was."""
    if before.lifecycle is not Lifecycle.ACTIVE:
        return after
    old, new = _in_arrears(before), _in_arrears(after)
    cut = list(before.cut)
    first = before.begins_on(before.arrears_to)
    for key, line in old.items():
        start = max(line.since or first, first)
        if not _same(line, new.get(key)) and start < day:
            cut.append(CutLine(line=line, start=start, end=day))
    since: dict[str, date | None] = {}
    for key, line in new.items():
        if not _same(line, old.get(key)):
            again = next((one for one in cut if one.end == day and _same(one.line, line)), None)
            since[key] = again.line.since if again else day
            cut = [one for one in cut if one is not again]
    lines = tuple(attrs.evolve(line, since=since[line.key]) if line.key in since else line for line in after.lines)
    return attrs.evolve(after, lines=lines, cut=tuple(cut))


def _cut_meters(before: Subscription, after: Subscription, day: date, at: datetime) -> Subscription:
    """Cut what is metered at the instant of the change: what was used before has the old price, also on that day."""
    old, new = _metered(before), _metered(after)
    if before.lifecycle is not Lifecycle.ACTIVE or not (old or new):
        return after
    first = before.begins_on(before.usage_to)
    cut = tuple(
        CutLine(line=line, start=min(max(line.since or first, first), day), end=day, until=at)
        for key, line in old.items()
        if not _same(line, new.get(key)) and first <= day and (line.since_at is None or line.since_at < at)
    )
    changed = {key for key, line in new.items() if not _same(line, old.get(key))}
    lines = tuple(line.so_since(day, at) if line.key in changed and line.meter else line for line in after.lines)
    return attrs.evolve(after, lines=lines, cut=(*after.cut, *cut))


def _instant(subscription: Subscription, day: date, at: datetime | None) -> datetime:
    """Answer the instant of a change: its own, where that lies on the day, or else the beginning of the day."""
    if at is not None and local_date(at, subscription.zone) == day:
        return at
    anchor = subscription.segments[-1].cycle.anchor
    return instant_of(day, anchor.at, anchor.zone)


def _in_arrears(subscription: Subscription) -> dict[str, SubscribedLine]:
    return {line.key: line for line in subscription.lines if is_in_arrears(line)}


def _metered(subscription: Subscription) -> dict[str, SubscribedLine]:
    return {line.key: line for line in subscription.lines if line.meter}


def _same(line: SubscribedLine, other: SubscribedLine | None) -> bool:
    return other is not None and line.all_along == other.all_along
