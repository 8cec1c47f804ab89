"""Clocks: one that was set back bills nothing and is told of; where the host stands is nobody's; seconds are even."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import LAST_RUNS, SUBSCRIPTIONS, RunReport, SubscriptionPolicy
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.policy.running import RunPolicy
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.subscribers import Course, flat_plan
from tests.usecases.billing_worlds import SMALL, BillingWorld, having, order_of

WORKER, DAY, HOUR = WorkerId("w"), timedelta(days=1), timedelta(hours=1)
PLACES = ("UTC", "Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kathmandu")


async def with_bert(host):
    """A shop of which Ann's second month is due on 1 February, and Bert's on the 15th."""
    world = BillingWorld(host)
    await having(SMALL, days=14)(world)
    await world.shop.subscriptions.subscribe(CustomerId("bert"), order_of(SMALL), request_id="o-2")
    return world


def set_to(world, at):
    """The clock of the host shows something else from now on."""
    world.builder.clock = FixedClock(at)
    world.shop = world.builder.build()


def books_of(world):
    return world.builder.storage.snapshot()["main"].books


async def bills(world, **more):
    return await world.shop.billing.run_billing(worker=WORKER, **more)


@pytest.mark.proves("ABU-9", "RUN-11")
@pytest.mark.parametrize("back", [timedelta(microseconds=1), HOUR, 10 * DAY, 400 * DAY])
async def test_a_clock_that_was_set_back_bills_nothing_and_the_report_says_so(host, back) -> None:
    world = await with_bert(host)
    world.later(days=20)
    ran_at = world.builder.clock.now()
    assert (await bills(world)).clock_was is None
    before = books_of(world)
    set_to(world, ran_at - back)
    report = await bills(world)
    assert (report.clock_was, report.pages, report.invoices) == (ran_at, 0, 0)
    assert books_of(world) == before


@pytest.mark.proves("ABU-9", "RUN-9")
async def test_what_became_due_while_the_clock_was_behind_is_billed_when_it_has_caught_up(host) -> None:
    world, quiet = await with_bert(host), await with_bert(host)
    for one in (world, quiet):
        one.later(days=18)
        await bills(one)
    late = world.builder.clock.now()
    set_to(world, late - 3 * DAY)
    assert (await bills(world)).clock_was == late
    set_to(world, late + 20 * DAY)
    quiet.later(days=20)
    caught_up, same = await bills(world), await bills(quiet)
    assert (caught_up.clock_was, caught_up.invoices) == (None, same.invoices)
    assert {one.key: one.total for one in world.rows("invoices")} == {
        one.key: one.total for one in quiet.rows("invoices")
    }


@pytest.mark.proves("ABU-9")
async def test_nothing_is_billed_either_that_is_due_at_the_earlier_instant(host) -> None:
    world = await with_bert(host)
    world.later(days=18)
    ran_at = world.builder.clock.now()
    await bills(world)
    due_at = ran_at - DAY
    await world.builder.edit(SUBSCRIPTIONS, world.hand["id"], lambda one: attrs.evolve(one, due_at=due_at))
    set_to(world, due_at + HOUR)
    report = await bills(world)
    assert (report.clock_was, report.pages) == (ran_at, 0)
    assert (await world.kept(SUBSCRIPTIONS, "id")).due_at == due_at


class Stepping:
    """A clock that somebody sets back while a run is at work."""

    def __init__(self, at, readings, back):
        self.at, self.readings, self.back = at, readings, back

    def now(self):
        self.readings -= 1
        return self.at - (self.back if self.readings < 0 else timedelta(0))


@pytest.mark.proves("ABU-9")
async def test_a_run_stops_between_two_pages_when_the_clock_is_set_back(host) -> None:
    world = await with_bert(host)
    world.builder.policies = attrs.evolve(
        quick_policies(), subscriptions=SubscriptionPolicy(running=RunPolicy(limit=1))
    )
    world.later(days=40)
    at = world.builder.clock.now()
    quiet = Stepping(at, 10**6, timedelta(0))
    world.builder.clock = quiet
    world.shop = world.builder.build()
    snapshot = world.builder.storage.snapshot()
    assert (await bills(world, max_pages=1)).pages == 1
    counted = 10**6 - quiet.readings
    world.builder.storage.restore(snapshot)
    world.builder.clock = Stepping(at, counted, DAY)
    world.shop = world.builder.build()
    report = await bills(world)
    assert (report.pages, report.clock_was) == (1, at)


@pytest.mark.proves("ABU-9")
async def test_what_is_written_down_of_runs_never_goes_back_and_quiet_ones_write_nothing(host) -> None:
    world = await with_bert(host)
    assert not world.rows(LAST_RUNS.name)
    await bills(world)
    assert not world.rows(LAST_RUNS.name)
    seen = []
    for _ in range(3):
        world.later(days=31)
        await bills(world)
        (last,) = world.rows(LAST_RUNS.name)
        seen.append(last.at)
        assert last.at == world.builder.clock.now()
        world.later(minutes=1)
        before = books_of(world)
        await bills(world)
        assert books_of(world) == before
    assert seen == sorted(seen)


@pytest.mark.proves("ABU-9")
def test_a_report_of_several_runs_says_that_a_clock_was_behind() -> None:
    at = datetime(2031, 1, 1, tzinfo=UTC)
    assert (RunReport(pages=1) + RunReport(clock_was=at)).clock_was == at
    assert (RunReport(clock_was=at) + RunReport(pages=1)).clock_was == at


@pytest.mark.proves("ABU-9")
@given(ahead=st.integers(0, 400), back=st.timedeltas(timedelta(microseconds=1), 400 * DAY))
def test_what_is_decided_up_to_an_instant_has_nothing_due_before_it(ahead, back) -> None:
    begin = datetime(2031, 1, 31, 12, tzinfo=UTC)
    course = Course.begin(flat_plan("17.90"), begin)
    at = begin + ahead * DAY
    while course.subscription.due_at <= at:
        course.advance(at)
    earlier = max(at - back, begin)
    planned = plan(course.subscription, course.facts, course.policy, earlier)
    assert planned.subscription == course.subscription
    assert not planned.bills
    assert not planned.events


@contextmanager
def a_host_in(place) -> Iterator[None]:
    """The computer stands somewhere, as its operating system knows it."""
    was = os.environ.get("TZ")
    os.environ["TZ"] = place
    time.tzset()
    try:
        yield
    finally:
        if was is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = was
        time.tzset()


async def months_of(host):
    """What a shop has billed when summer time has begun, with a customer in Berlin."""
    world = BillingWorld(host)
    await having(SMALL)(world)
    for _ in range(5):
        world.later(days=31)
        await world.shop.sweeping.sweep(worker=WORKER)
    return books_of(world)


@pytest.mark.proves("ABU-9")
async def test_a_host_in_another_place_bills_the_same(host) -> None:
    seen = []
    for place in PLACES:
        with a_host_in(place):
            seen.append((time.tzname, await months_of(host)))
    assert len({names for names, _ in seen}) == len(PLACES), "the hosts really stand in other places"
    assert all(books == seen[0][1] for _, books in seen)


@pytest.mark.proves("ABU-9")
@pytest.mark.parametrize("day", [datetime(2015, 6, 30, tzinfo=UTC), datetime(2016, 12, 31, tzinfo=UTC)])
def test_days_with_a_leap_second_are_as_long_as_any(day) -> None:
    course = Course.begin(flat_plan("1.00", Interval.days(1)), day - DAY)
    instants: list[datetime] = []
    for ahead in range(3):
        instants += [at for at in [course.subscription.due_at] if at]
        (invoice,) = course.advance(day + ahead * DAY).invoices
        assert invoice.total.minor == 100
    assert [later - earlier for earlier, later in pairwise(instants)] == [DAY, DAY]
