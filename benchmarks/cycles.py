"""Counting cycles and planning bills: ours beside plain arithmetic, beside python-dateutil, and beside our own aims."""

import calendar
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import cycle as endless
from typing import Any, Final

import attrs

from benchmarks.measuring import Contestant, Effort, race
from benchmarks.reports import Curve, Reach, Report, Row
from shopaccounts.kernel.cycles import Anchor, Cycle, Interval
from shopaccounts.kernel.money import Money, allocate, share
from shopaccounts.kernel.time import zone
from shopaccounts.serial import dump
from shopaccounts.subscriptions.announcing.timeline import upcoming
from shopaccounts.subscriptions.changing.quoting import quote_change
from shopaccounts.subscriptions.changing.wanting import quantity_wish
from shopaccounts.subscriptions.cycles.schedules import Segment
from shopaccounts.subscriptions.facts import NO_FACTS
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, write_up
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.testing.subscribers import Course, flat_plan

__all__ = ["run"]

FIRST: Final = date(2031, 1, 31)
FIRST_NOON: Final = datetime(2031, 1, 31, 12, tzinfo=UTC)
NUMBERS: Final = tuple((n * 389) % 600 for n in range(600))
"""Which cycles are asked for: all of fifty years, in no order."""
AGES: Final = (1, 10, 50)
BERLIN: Final = zone("Europe/Berlin")
DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
OURS: Final = Cycle(Anchor.on(FIRST, BERLIN), Interval.months(1))
PLAIN: Final = "table and clamp"
PRICE: Final = Money.of("17.90", "EUR")
PARTS: Final = (5, 4, 3, 2, 1)
AT_MOST: Final = {
    "boundary": 1.5e-6,
    "index_on": 2.5e-6,
    "boundary_instant": 12e-6,
    "index_at": 12e-6,
    "share": 1e-6,
    "allocate over 5": 12e-6,
    "plan": 1 / 20_000,
    "upcoming, 12 of them": 2e-3,
    "quote of a change": 300e-6,
}
"""How long each may take."""


def run(effort: Effort) -> Report:
    """Compare a cycle by its number with others, and measure what a page of billing is made of."""
    ages = race([_planning(age) for age in AGES], effort, time.process_time)
    points = tuple((float(age), ages[f"age {age}"]) for age in AGES)
    rows = [*_cycles(effort), *_kernel(effort), *_plans(ages), *_whole(effort)]
    notes = (
        "A day or an instant is asked for by the number of its cycle, from all cycles of fifty years in no order.",
        "A plan decides one renewal with one line. Its papers are an invoice, a cycle and a payment.",
        "All is measured by the processor's clock.",
    )
    title = "Counting cycles and planning bills"
    curves = (Curve("plan", points),)
    return Report(name="cycles", title=title, rows=tuple(rows), curves=curves, size="years of age", notes=notes)


def _times(works: Mapping[str, Callable[[], object]], effort: Effort) -> Mapping[str, float]:
    return race([Contestant.of(name, work) for name, work in works.items()], effort, time.process_time)


def _cycles(effort: Effort) -> list[Row]:
    """Find the day of a cycle by its number."""
    works = {"ours": _asking(OURS.boundary), PLAIN: _asking(_clamped), **_dateutil()}
    times = _times(works, effort)
    reach = {PLAIN: Reach(3), "relativedelta": Reach.faster(5), "rrule[n]": Reach.faster(500)}
    return [
        Row(case="day of cycle n", ours=times["ours"], other=times[name], beside=name, reach=reach[name])
        for name in reach
    ]


def _asking(answer: Callable[[int], object]) -> Callable[[], object]:
    numbers = endless(NUMBERS)
    return lambda: answer(next(numbers))


def _clamped(n: int) -> date:
    """Count months from the first, and cut the day to the month: what any right answer has to do at least."""
    year, month = divmod(FIRST.year * 12 + FIRST.month - 1 + n, 12)
    last = 29 if month == 1 and calendar.isleap(year) else DAYS[month]
    return date(year, month + 1, min(FIRST.day, last))


def _dateutil() -> dict[str, Callable[[], object]]:
    from dateutil.relativedelta import relativedelta  # noqa: PLC0415  (peers stand in the benchmarks' environment only)
    from dateutil.rrule import MONTHLY, rrule  # noqa: PLC0415  (as above)

    first = datetime(FIRST.year, FIRST.month, FIRST.day)  # noqa: DTZ001  (rrule counts wall times)
    rule = rrule(MONTHLY, dtstart=first, bymonthday=(28, 29, 30, 31), bysetpos=-1)
    return {
        "relativedelta": _asking(lambda n: FIRST + relativedelta(months=n)),
        "rrule[n]": _asking(lambda n: rule[n]),
    }


def _kernel(effort: Effort) -> list[Row]:
    """Measure what a plan asks of the kernel."""
    days, instants = [OURS.boundary(n) for n in NUMBERS], [OURS.boundary_instant(n) for n in NUMBERS]
    works: dict[str, Callable[[], object]] = {
        "boundary": _asking(OURS.boundary),
        "index_on": _asking(lambda n: OURS.index_on(days[n])),
        "boundary_instant": _asking(OURS.boundary_instant),
        "index_at": _asking(lambda n: OURS.index_at(instants[n])),
        "share": lambda: share(PRICE, 17, 31),
        "allocate over 5": lambda: allocate(PRICE, PARTS),
    }
    times = _times(works, effort)
    return [Row(case=name, ours=times[name], at_most=AT_MOST[name]) for name in works]


def _course(age: int) -> tuple[Course, datetime]:
    """Answer a subscription that has run for some years, and the instant at which its next cycle is due."""
    began = datetime(2031 - age, 1, 31, 12, tzinfo=UTC)
    course = Course.begin(flat_plan("17.90"), began)
    (segment,) = course.subscription.segments
    count = segment.cycle.index_at(datetime(2031, 1, 15, tzinfo=UTC))
    course.subscription = course.subscription.but(billed_to=count, live=())
    return course, _due(segment, count)


def _per_seat() -> PlanVersion:
    version = flat_plan("17.90")
    (phase,) = version.phases
    return attrs.evolve(version, phases=(attrs.evolve(phase, prices=(PerUnit(PRICE),)),))


def _due(segment: Segment, index: int) -> datetime:
    return segment.cycle.boundary_instant(index) + timedelta(seconds=1)


def _planning(age: int) -> Contestant:
    course, now = _course(age)
    return Contestant.of(f"age {age}", lambda: plan(course.subscription, NO_FACTS, course.policy, now))


def _plans(ages: Mapping[str, float]) -> list[Row]:
    young = ages[f"age {AGES[0]}"]
    rows = [Row(case=f"plan at the age of {AGES[0]}", ours=young, at_most=AT_MOST["plan"])]
    for age in AGES[1:]:
        beside = f"at the age of {AGES[0]}"
        rows.append(Row(case=f"plan at the age of {age}", ours=ages[f"age {age}"], other=young, beside=beside))
    return rows


def _whole(effort: Effort) -> list[Row]:
    """Measure what comes after the plan."""
    course, now = _course(1)
    facts = PaperFacts(method="card-1")
    seats, a_while_later = Course.begin(_per_seat(), FIRST_NOON), FIRST_NOON + timedelta(days=9)

    def papers() -> Any:
        decision = plan(course.subscription, NO_FACTS, course.policy, now)
        return write_up(course.account, [decision], facts, course.policy, now, lambda key: key)

    def texts() -> list[str]:
        made = papers()
        return list(map(dump, (*made.subscriptions, *made.invoices, *made.cycles, *made.intents)))

    def ahead() -> object:
        return upcoming(course.subscription, course.account, NO_FACTS, course.policy, count=12)

    def quoted() -> object:
        return quote_change(seats.subscription, seats.facts, [quantity_wish(3)], None, seats.policy, a_while_later)

    times = _times({"papers": papers, "texts": texts, "ahead": ahead, "quoted": quoted}, effort)
    return [
        Row(case="plan, and its papers", ours=times["papers"]),
        Row(case="plan, its papers, and their text in the books", ours=times["texts"], at_most=300e-6),
        _held("upcoming, 12 of them", times["ahead"]),
        _held("quote of a change", times["quoted"]),
    ]


def _held(case: str, ours: float) -> Row:
    return Row(case=case, ours=ours, at_most=AT_MOST[case])
