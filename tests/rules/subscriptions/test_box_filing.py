"""The stretches of deliveries follow whatever happens to billing, in one place."""

from datetime import UTC, date, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Interval
from shopaccounts.subscriptions.boxes.filing import in_step
from shopaccounts.subscriptions.boxes.listing import deliveries
from shopaccounts.subscriptions.lifecycle.ending import end
from shopaccounts.subscriptions.lifecycle.trials import end_trial_now
from shopaccounts.subscriptions.model import PauseReason
from shopaccounts.subscriptions.pausing.pauses import pause_now
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, Goods
from shopaccounts.subscriptions.plans.phases import Days, Phase, PhaseKind
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.pausing import OnResume, PausePolicy
from shopaccounts.subscriptions.states import Trigger
from shopaccounts.testing.subscribers import Course, flat_plan

START = datetime(2031, 1, 10, 9, tzinfo=UTC)
MONTHLY = DeliveryPlan(interval=Interval.months(1), cut_off_days=3)
BOX = flat_plan("90.00", Interval.months(3), goods=Goods.PHYSICAL, deliveries=MONTHLY)
TRIED = attrs.evolve(BOX, phases=(Phase(PhaseKind.TRIAL, Days(14)), *BOX.phases))
YEAR = date(2031, 1, 1), date(2032, 1, 1)


def days_of(course: Course, start: date = YEAR[0], end: date = YEAR[1]) -> list[str]:
    return [f"{box.on:%d %b}" for box in deliveries(course.subscription, start, end)]


@pytest.mark.proves("DLV-1")
def test_who_subscribes_has_a_stretch_of_deliveries_from_the_start():
    course = Course.begin(BOX, START)
    assert [(one.number, one.start, one.anew) for one in course.subscription.delivery_segments] == [
        (0, date(2031, 1, 10), True)
    ]
    assert days_of(course)[:3] == ["10 Jan", "10 Feb", "10 Mar"]
    assert Course.begin(attrs.evolve(BOX, deliveries=None), START).subscription.delivery_segments == ()


@pytest.mark.proves("DLV-1")
def test_boxes_follow_a_trial_and_its_early_end():
    course = Course.begin(TRIED, START)
    assert days_of(course)[:3] == ["10 Jan", "24 Jan", "24 Feb"]
    at = START + timedelta(days=4)
    course.subscription = end_trial_now(course.subscription, at, TRIED, course.account, course.policy)
    course.advance(at)
    assert [one.number for one in course.subscription.delivery_segments] == [0, 1]
    assert days_of(course)[:3] == ["10 Jan", "14 Feb", "14 Mar"]


@pytest.mark.proves("DLV-1", "DLV-5")
@pytest.mark.parametrize(
    ("how", "days"), [(OnResume.KEEP_ANCHOR, ["10 Apr"]), (OnResume.REANCHOR, ["20 Mar", "20 Apr"])]
)
def test_boxes_follow_a_return_from_a_pause(how, days):
    course = Course.begin(BOX, START, policy=SubscriptionPolicy(pausing=PausePolicy(on_resume=how)))
    at, back = datetime(2031, 2, 1, 9, tzinfo=UTC), datetime(2031, 3, 20, 9, tzinfo=UTC)
    course.take(pause_now(course.subscription, at, back, PauseReason.ASKED, course.facts, course.policy), at)
    course.settle(back)
    assert days_of(course, date(2031, 3, 12), date(2031, 5, 1)) == days


@pytest.mark.proves("DLV-1")
def test_there_are_no_boxes_after_the_end():
    course = Course.begin(BOX, START)
    at = datetime(2031, 2, 20, 9, tzinfo=UTC)
    course.take(end(course.subscription, at, Trigger.CANCELED, course.policy), at)
    assert days_of(course) == ["10 Jan", "10 Feb"]


@pytest.mark.proves("DLV-2")
@given(
    version=st.sampled_from([BOX, TRIED]),
    how=st.sampled_from(list(OnResume)),
    pauses=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=2),
)
def test_looking_again_changes_nothing(version, how, pauses):
    course = Course.begin(version, START, policy=SubscriptionPolicy(pausing=PausePolicy(on_resume=how)))
    at = START + timedelta(days=20)
    course.settle(at)
    for wait, length in pauses:
        at += timedelta(days=wait)
        course.settle(at)
        back = at + timedelta(days=length)
        course.take(pause_now(course.subscription, at, back, PauseReason.ASKED, course.facts, course.policy), at)
        at = back
        course.settle(at)
    once = course.subscription
    assert in_step(once, at) is once
    assert in_step(once, at + timedelta(days=1)).delivery_segments == once.delivery_segments
    keys = [str(box.key) for box in deliveries(once, *YEAR)]
    assert len(set(keys)) == len(keys)
    assert [one.number for one in once.delivery_segments] == list(range(len(once.delivery_segments)))


@pytest.mark.proves("DLV-1")
def test_another_rhythm_of_boxes_begins_when_the_terms_say_so():
    course = Course.begin(BOX, START)
    weekly = attrs.evolve(MONTHLY, interval=Interval.weeks(1))
    now = datetime(2031, 2, 1, 9, tzinfo=UTC)
    terms = attrs.evolve(course.subscription.terms, deliveries=weekly)
    after = in_step(attrs.evolve(course.subscription, terms=terms), now)
    assert [one.plan for one in after.delivery_segments] == [MONTHLY, weekly]
    february = deliveries(after, date(2031, 2, 1), date(2031, 3, 1))
    assert [f"{box.on:%d %b}" for box in february] == ["08 Feb", "15 Feb", "22 Feb"]
