"""A customer moves: whatever the zones, no instant is left out and none is served twice."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.changing.relocating import relocate
from shopaccounts.subscriptions.cycles.segments import end_instant_of, service_period_of, start_instant_of
from shopaccounts.subscriptions.errors import NothingToChange
from shopaccounts.subscriptions.scheduled import PauseAt, Scheduled
from shopaccounts.testing.subscribers import Course, flat_plan, somebody

ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu", "UTC")
INTERVALS = (Interval.days(1), Interval.weeks(2), Interval.months(1), Interval.years(1))
NOTHING = timedelta(0)
BEGAN = datetime(2031, 1, 31, 12, tzinfo=UTC)


@pytest.mark.proves("SCH-10")
@given(
    zones=st.lists(st.sampled_from(ZONES), min_size=2, max_size=4),
    interval=st.sampled_from(INTERVALS),
    days=st.integers(0, 400),
)
def test_periods_touch_through_every_change_of_zone(zones, interval, days) -> None:
    course = Course.begin(flat_plan("10", interval), BEGAN, account=somebody(zones[0]))
    course.settle(BEGAN + timedelta(days=min(days, 20)))
    subscription, billed = course.subscription, course.subscription.billed_to
    before = [end_instant_of(subscription.segments, index) for index in range(billed)]
    for name in zones[1:]:
        if subscription.zone != zone(name):
            subscription = relocate(subscription, zone(name), BEGAN).subscription
    segments = subscription.segments
    assert [end_instant_of(segments, index) for index in range(billed)] == before
    for index in range(billed + 3):
        assert end_instant_of(segments, index) == start_instant_of(segments, index + 1)
        length = end_instant_of(segments, index) - start_instant_of(segments, index)
        assert length > NOTHING or (length == NOTHING and interval == Interval.days(1))  # a leap of 25 hours
        assert service_period_of(segments, index).end == service_period_of(segments, index + 1).start


def test_who_lives_there_already_doesnt_move() -> None:
    course = Course.begin(flat_plan("10"), BEGAN)
    with pytest.raises(NothingToChange):
        relocate(course.subscription, zone("Europe/Berlin"), BEGAN)


@pytest.mark.proves("SCH-10")
def test_what_is_planned_before_the_next_cycle_stays_at_its_instant() -> None:
    course = Course.begin(flat_plan("10"), BEGAN)
    at = BEGAN + timedelta(days=3)
    planned = attrs.evolve(course.subscription, scheduled=Scheduled(pause=PauseAt(at=at)))
    pause = relocate(planned, zone("Asia/Tokyo"), BEGAN).subscription.scheduled.pause
    assert pause is not None
    assert pause.at == at
