"""How much work the rules of billing are, counted in calls of functions: on every machine the same, busy or not."""

import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any, Final

import attrs
import pytest

from benchmarks import cycles
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.announcing.timeline import upcoming
from shopaccounts.subscriptions.changing.quoting import quote_change
from shopaccounts.subscriptions.changing.wanting import quantity_wish
from shopaccounts.subscriptions.facts import NO_FACTS
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.plans.add_ons import AddOn
from shopaccounts.subscriptions.plans.tariffs import Flat, PerUnit
from shopaccounts.testing.subscribers import Course, flat_plan

NOON: Final = datetime(2031, 1, 31, 12, tzinfo=UTC)
CALLS: Final = {"plan": 196, "upcoming": 5_172, "quote": 851}
"""What these took when it was last looked at. Whoever makes them dearer on purpose says so by a new number here."""


def calls_of(work: Callable[[], object]) -> list[CodeType]:
    """Answer each function of Python that *work* calls, as often as it does, when what is kept is there already."""
    work()
    called: list[CodeType] = []

    def note(frame: FrameType, what: str, _: Any) -> None:
        if what == "call":
            called.append(frame.f_code)

    gc.collect()
    gc.disable()  # what others left behind is no work of ours
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return called[1:]


def renewing(age: int = 1, add_ons: int = 0) -> tuple[Course, datetime]:
    """Answer a subscription that has run for some years, and when its next cycle is due."""
    extra = tuple(
        AddOn(key=f"extra-{n}", product=f"extra-{n}", prices=(Flat(Money.of("1.00", "EUR")),)) for n in range(add_ons)
    )
    version = attrs.evolve(flat_plan("17.90"), add_ons=extra)
    course = Course.begin(version, NOON.replace(year=2031 - age), add_ons={one.key: 1 for one in extra})
    (segment,) = course.subscription.segments
    count = segment.cycle.index_at(NOON - timedelta(days=1))
    course.subscription = course.subscription.but(billed_to=count, arrears_to=count, live=())
    return course, segment.cycle.boundary_instant(count)


def planning(age: int = 1, add_ons: int = 0) -> Callable[[], object]:
    course, due = renewing(age, add_ons)
    return lambda: plan(course.subscription, NO_FACTS, course.policy, due)


def looking_ahead() -> Callable[[], object]:
    course, _ = renewing()
    return lambda: upcoming(course.subscription, course.account, NO_FACTS, course.policy, count=12)


def quoting() -> Callable[[], object]:
    version = flat_plan("17.90")
    (phase,) = version.phases
    seats = attrs.evolve(version, phases=(attrs.evolve(phase, prices=(PerUnit(Money.of("17.90", "EUR")),)),))
    course = Course.begin(seats, NOON)
    wish = quantity_wish(3)
    return lambda: quote_change(
        course.subscription, course.facts, [wish], None, course.policy, NOON + timedelta(days=9)
    )


@pytest.mark.proves("PRF-1")
def test_a_plan_is_as_much_work_for_an_old_subscription_as_for_a_young_one() -> None:
    assert len({len(calls_of(planning(age))) for age in (1, 2, 10, 50)}) == 1


@pytest.mark.proves("PRF-1")
def test_each_further_line_of_a_plan_is_as_much_work_as_the_one_before() -> None:
    work = [len(calls_of(planning(add_ons=count))) for count in range(0, 25, 6)]
    assert len({later - earlier for earlier, later in pairwise(work)}) == 1


@pytest.mark.proves("PRF-1")
def test_a_plan_looks_up_no_zone_counts_without_fractions_and_asks_nobody() -> None:
    work = planning()
    asked = zone.cache_info()
    called = set(calls_of(work))
    assert zone.cache_info() == asked
    assert not {name for code in called for name in code.co_names} & {"Decimal", "Fraction", "ZoneInfo", "open", "got"}
    homes = {code.co_filename for code in called}
    ours = {home for home in homes if "shopaccounts" in home}
    assert all(home.endswith(("enum.py", "functools.py")) for home in homes - ours)


@pytest.mark.proves("PRF-1", "PRF-6")
@pytest.mark.parametrize(("name", "work"), [("plan", planning), ("upcoming", looking_ahead), ("quote", quoting)])
def test_no_rule_has_become_twice_the_work(name: str, work: Callable[[], Callable[[], object]]) -> None:
    assert CALLS[name] / 2 < len(calls_of(work())) < CALLS[name] * 2


@pytest.mark.proves("PRF-2", "PRF-6")
def test_the_benchmark_wants_what_we_promise() -> None:
    """How long it takes is measured, and printed beside this; no test looks at the clock."""
    assert {name: round(most * 1e6, 1) for name, most in cycles.AT_MOST.items()} == {
        "boundary": 1.5,
        "index_on": 2.5,
        "boundary_instant": 12,
        "index_at": 12,
        "share": 1,
        "allocate over 5": 12,
        "plan": 50,
        "upcoming, 12 of them": 2_000,
        "quote of a change": 300,
    }
