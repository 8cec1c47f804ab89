from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Interval, Unit
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import instant_of, start_of_day, zone
from shopaccounts.serial import dump, load
from shopaccounts.subscriptions.boxes.filing import in_step
from shopaccounts.subscriptions.boxes.listing import (
    Delivery,
    DeliveryKey,
    DeliveryRecord,
    deliveries,
    deliveries_from,
    deliveries_of_cycle,
    delivery_value,
    joined,
)
from shopaccounts.subscriptions.boxes.states import DeliveryState
from shopaccounts.subscriptions.cycles.schedules import (
    CycleRef,
    DayOfMonth,
    SegmentReason,
    StartDay,
    Weekday,
    open_cycle,
)
from shopaccounts.subscriptions.cycles.segments import change_zone, open_segment, service_period_of
from shopaccounts.subscriptions.lifecycle.regrouping import on_the_same_anchor, regrouped
from shopaccounts.subscriptions.model import Pause, PauseReason, Subscription
from shopaccounts.subscriptions.plans import delivery_schedule as delivery_dates
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.delivery_schedule import DeliverySegment, open_deliveries
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, FirstDelivery
from shopaccounts.subscriptions.scheduled import CancelAt, Override, OverrideKind, PauseAt, ResumeAt, Scheduled
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.boxes import box_subscription

BERLIN, SANTIAGO = zone("Europe/Berlin"), zone("America/Santiago")
MONTHLY, WEEKLY, QUARTERLY = Interval.months(1), Interval.weeks(1), Interval.months(3)
PLANNED, SKIPPED, CANCELED = DeliveryState.PLANNED, DeliveryState.SKIPPED, DeliveryState.CANCELED
NEXT_DATE = FirstDelivery.NEXT_DATE
ONE_DAY = timedelta(days=1)
NEXT_FRIDAY = DeliveryPlan(interval=WEEKLY, day=Weekday(5), first=NEXT_DATE)


def boxes(start, interval=MONTHLY, **facts):
    return box_subscription(start, DeliveryPlan(interval=interval, **facts))


def noon(day: date) -> datetime:
    return start_of_day(day, BERLIN) + timedelta(hours=12)


def days(subscription: Subscription, start: date, end: date) -> list[date]:
    return [each.on for each in deliveries(subscription, start, end)]


def coming(subscription: Subscription, start: date, end: date) -> list[date]:
    return [each.on for each in deliveries(subscription, start, end) if each.state is PLANNED]


def overridden(subscription: Subscription, *overrides: Override) -> Subscription:
    return attrs.evolve(subscription, overrides=overrides)


def resumed(subscription: Subscription, at: datetime, reason=SegmentReason.RESUME) -> Subscription:
    """Begin another segment with the same billing days, after a gap if the reason is one that follows a gap."""
    last = subscription.segments[-1]
    index = max(last.cycle.index_at(at) - last.cycle.index_on(last.start) + (not reason.follows_a_gap), 1)
    segments = open_segment(subscription.segments, last.cycle, at, first_index=index, reason=reason)
    plan = subscription.terms.deliveries
    assert plan is not None
    return attrs.evolve(
        subscription,
        segments=segments,
        delivery_segments=open_deliveries(subscription.delivery_segments, plan, segments),
    )


# Dates


@pytest.mark.proves("DLV-1")
def test_a_quarter_that_is_billed_at_once_has_a_box_in_each_month():
    nora = boxes(date(2031, 1, 31))
    assert days(nora, date(2031, 1, 1), date(2031, 8, 1)) == [
        date(2031, 1, 31),
        date(2031, 2, 28),
        date(2031, 3, 31),
        date(2031, 4, 30),
        date(2031, 5, 31),
        date(2031, 6, 30),
        date(2031, 7, 31),
    ]
    assert [each.cycle.index for each in deliveries(nora, date(2031, 1, 1), date(2031, 8, 1))] == [0, 0, 0, 1, 1, 1, 2]


@pytest.mark.proves("DLV-1", "DLV-2")
def test_delivery_j_is_boundary_j_of_its_own_cycle_however_far_away():
    nora = boxes(date(2031, 1, 31))
    (far,) = deliveries(nora, date(2931, 1, 15), date(2931, 2, 15))
    cycle = nora.delivery_segments[0].cycle
    assert far.key == DeliveryKey("sub-1", 0, 900 * 12)
    assert far.on == cycle.boundary(900 * 12) == date(2931, 1, 31)


@pytest.mark.proves("DLV-2")
def test_boxes_of_the_next_century_cost_no_more_boundaries_than_those_of_this_year(monkeypatch):
    asked = []
    genuine = delivery_dates.cut_off_of

    def counted(*facts):
        asked.append(facts)
        return genuine(*facts)

    monkeypatch.setattr(delivery_dates, "cut_off_of", counted)
    nora = boxes(date(2031, 1, 31))
    assert len(deliveries(nora, date(2931, 1, 1), date(2931, 4, 1))) == 3
    assert len(asked) == 3


@pytest.mark.proves("DLV-1")
def test_boxes_have_a_day_of_their_own():
    nora = box_subscription(
        date(2031, 3, 18),
        DeliveryPlan(interval=MONTHLY, day=DayOfMonth(5), first=NEXT_DATE),
        billing_day=DayOfMonth(20),
    )
    found = deliveries(nora, date(2031, 3, 1), date(2031, 7, 1))
    assert [each.on for each in found] == [date(2031, 4, 5), date(2031, 5, 5), date(2031, 6, 5)]
    assert [each.cycle.index for each in found] == [1, 1, 1]  # cycle 0 is the stub of two days


@pytest.mark.proves("DLV-1")
def test_the_box_of_a_day_that_a_moved_boundary_gives_to_another_period_belongs_to_that_period():
    nora = boxes(date(2031, 1, 5), WEEKLY)
    later = overridden(nora, Override(kind=OverrideKind.MOVE, index=1, on=date(2031, 4, 8), made_on=date(2031, 3, 1)))
    earlier = overridden(
        nora, Override(kind=OverrideKind.MOVE, index=1, on=date(2031, 3, 28), made_on=date(2031, 3, 1))
    )

    def cycles(subscription):
        return [each.cycle.index for each in deliveries(subscription, date(2031, 3, 23), date(2031, 4, 14))]

    assert days(nora, date(2031, 3, 23), date(2031, 4, 14)) == [
        date(2031, 3, 23),
        date(2031, 3, 30),
        date(2031, 4, 6),
        date(2031, 4, 13),
    ]
    to_a_box = overridden(
        nora, Override(kind=OverrideKind.MOVE, index=1, on=date(2031, 3, 30), made_on=date(2031, 3, 1))
    )
    assert cycles(to_a_box) == [0, 1, 1, 1]
    assert (cycles(nora), cycles(later), cycles(earlier)) == ([0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1])


@pytest.mark.proves("DLV-2")
def test_the_key_of_a_box_is_its_name_for_good():
    nora = boxes(date(2031, 1, 31))
    found = deliveries(nora, date(2031, 1, 1), date(2033, 1, 1))
    assert len({each.key for each in found}) == len(found)
    assert [str(each.key) for each in found[:2]] == ["sub-1/0/0", "sub-1/0/1"]
    assert str(DeliveryKey("sub-1", 0, 1, 2)) == "sub-1/0/1/2"
    assert deliveries(nora, date(2031, 2, 1), date(2031, 3, 1)) == found[1:2]


@pytest.mark.proves("DLV-2")
def test_a_box_is_stored_and_read_as_it_is():
    (box,) = deliveries(boxes(date(2031, 1, 31)), date(2031, 1, 31), date(2031, 2, 1))
    record = DeliveryRecord.of(boxes(date(2031, 1, 31)), box, noon(date(2031, 1, 28)))
    assert load(DeliveryRecord, dump(record)) == record
    assert (record.id, record.customer, record.version) == ("sub-1/0/0", "nora", 1)
    nora = boxes(date(2031, 1, 31))
    assert load(Subscription, dump(nora)) == nora


@pytest.mark.proves("DLV-2")
def test_who_has_no_deliveries_has_none():
    assert deliveries(box_subscription(date(2031, 1, 1), None), date(2031, 1, 1), date(2032, 1, 1)) == ()


@pytest.mark.proves("DLV-2")
def test_a_subscription_whose_first_payment_never_came_has_no_boxes():
    never = attrs.evolve(boxes(date(2031, 1, 1)), lifecycle=Lifecycle.INCOMPLETE_EXPIRED)
    assert deliveries(never, date(2031, 1, 1), date(2032, 1, 1)) == ()


@pytest.mark.proves("DLV-2")
def test_an_end_that_is_planned_an_end_that_was_reached_and_the_end_of_a_term_end_the_boxes():
    nora = boxes(date(2031, 1, 1))
    end = start_of_day(date(2031, 3, 1), BERLIN)
    planned = attrs.evolve(nora, scheduled=Scheduled(cancel=CancelAt(at=end, asked_at=nora.created_at)))
    ended = attrs.evolve(nora, ended_at=noon(date(2031, 2, 1)), lifecycle=Lifecycle.CANCELED)
    term = attrs.evolve(
        nora, terms=attrs.evolve(nora.terms, phases=(attrs.evolve(nora.terms.phases[0], end=date(2031, 2, 1)),))
    )
    year = (date(2031, 1, 1), date(2032, 1, 1))
    assert days(planned, *year) == [date(2031, 1, 1), date(2031, 2, 1)]
    assert days(ended, *year) == [date(2031, 1, 1)]
    assert days(term, *year) == [date(2031, 1, 1)]


# The first one, and cut-offs


@pytest.mark.proves("DLV-3")
def test_at_once_means_on_the_day_of_the_start_and_then_as_cut_offs_allow():
    at_once = boxes(noon(date(2031, 1, 15)), WEEKLY, day=Weekday(5), first=FirstDelivery.ASAP)
    assert days(at_once, date(2031, 1, 1), date(2031, 2, 1)) == [
        date(2031, 1, 15),  # Wednesday
        date(2031, 1, 24),  # not Friday the 17th, whose cut-off was on Tuesday
        date(2031, 1, 31),
    ]
    on_its_day = boxes(noon(date(2031, 1, 17)), WEEKLY, day=Weekday(5), first=FirstDelivery.ASAP)
    assert days(on_its_day, date(2031, 1, 1), date(2031, 2, 1)) == [
        date(2031, 1, 17),
        date(2031, 1, 24),
        date(2031, 1, 31),
    ]
    keys = [each.key.index for each in deliveries(at_once, date(2031, 1, 1), date(2031, 2, 1))]
    assert keys == [-1, 1, 2]


@pytest.mark.proves("DLV-3")
@pytest.mark.parametrize(
    ("ordered", "first"),
    [
        (instant_of(date(2031, 1, 13), datetime.max.time(), BERLIN), date(2031, 1, 17)),
        (start_of_day(date(2031, 1, 14), BERLIN), date(2031, 1, 24)),  # the cut-off itself is too late
        (noon(date(2031, 1, 16)), date(2031, 1, 24)),
        (noon(date(2031, 1, 17)), date(2031, 1, 24)),
        (noon(date(2031, 1, 20)), date(2031, 1, 24)),
        (start_of_day(date(2031, 1, 21), BERLIN), date(2031, 1, 31)),
    ],
)
def test_who_orders_at_or_after_the_cut_off_of_a_date_has_the_first_box_on_the_following_one(ordered, first):
    nora = box_subscription(ordered, NEXT_FRIDAY)
    assert next(deliveries_from(nora, date(2031, 1, 1))).on == first


@pytest.mark.proves("DLV-3")
def test_without_cut_off_days_the_date_itself_is_too_late_from_its_midnight_on():
    plan = attrs.evolve(NEXT_FRIDAY, cut_off_days=0)
    at_midnight = box_subscription(start_of_day(date(2031, 1, 17), BERLIN), plan)
    the_evening_before = box_subscription(noon(date(2031, 1, 16)), plan)
    assert next(deliveries_from(at_midnight, date(2031, 1, 1))).on == date(2031, 1, 24)
    assert next(deliveries_from(the_evening_before, date(2031, 1, 1))).on == date(2031, 1, 17)


@pytest.mark.proves("DLV-3")
def test_a_cut_off_is_local_midnight_though_clocks_change_in_between():
    nora = boxes(date(2030, 12, 1), day=DayOfMonth(1), cut_off_days=3, first=NEXT_DATE)
    april, november = deliveries(nora, date(2031, 4, 1), date(2031, 4, 2)) + deliveries(
        nora, date(2031, 10, 28), date(2031, 11, 2)
    )
    assert april.cut_off == datetime(2031, 3, 28, 23, tzinfo=UTC)  # before clocks go forward on the 30th
    assert november.cut_off == datetime(2031, 10, 28, 23, tzinfo=UTC)
    twice = boxes(date(2031, 10, 20), Interval.days(1), cut_off_days=0)
    assert [str(each.cut_off.time()) for each in deliveries(twice, date(2031, 10, 25), date(2031, 10, 28))] == [
        "22:00:00",
        "22:00:00",
        "23:00:00",
    ]


@pytest.mark.proves("DLV-3")
def test_a_midnight_that_never_was_is_the_first_instant_of_that_day():
    nora = box_subscription(
        date(2024, 9, 1), DeliveryPlan(interval=WEEKLY, day=Weekday(7), cut_off_days=0), where=SANTIAGO
    )
    sunday = deliveries(nora, date(2024, 9, 8), date(2024, 9, 9))[0]
    assert sunday.cut_off == datetime(2024, 9, 8, 4, tzinfo=UTC)


# History


@pytest.mark.proves("DLV-1")
def test_boxes_from_the_day_of_the_start_keep_the_day_that_was_agreed_when_the_zone_changes():
    nora = boxes(date(2031, 1, 31))
    segments = change_zone(nora.segments, 1, zone("Asia/Tokyo"))
    history = open_deliveries(nora.delivery_segments, nora.terms.deliveries, segments)
    moved = attrs.evolve(nora, segments=segments, delivery_segments=history)
    assert [segment.number for segment in history] == [0, 1]
    assert days(moved, date(2031, 3, 1), date(2031, 8, 1)) == [
        date(2031, 3, 31),
        date(2031, 4, 30),
        date(2031, 5, 31),
        date(2031, 6, 30),
        date(2031, 7, 31),
    ]
    found = deliveries(moved, date(2031, 3, 1), date(2031, 8, 1))
    assert [each.key.segment for each in found] == [0, 0, 1, 1, 1]
    assert [(each.cycle.segment, each.cycle.index) for each in found] == [(0, 0), (1, 1), (1, 1), (1, 1), (1, 2)]


@pytest.mark.proves("DLV-1")
def test_a_new_billing_day_moves_boxes_that_follow_it_and_leaves_others_alone():
    follows, own = boxes(date(2031, 1, 1)), boxes(date(2031, 1, 1), day=DayOfMonth(7), first=NEXT_DATE)
    at = start_of_day(date(2031, 4, 11), BERLIN)
    cycle = open_cycle(date(2031, 4, 11), QUARTERLY, StartDay(), zone=BERLIN)

    def postponed(subscription):
        segments = open_segment(subscription.segments, cycle, at, first_index=1, reason=SegmentReason.EXTENSION)
        plan = subscription.terms.deliveries
        history = open_deliveries(subscription.delivery_segments, plan, segments)
        return attrs.evolve(subscription, segments=segments, delivery_segments=history)

    spring = (date(2031, 3, 1), date(2031, 6, 1))
    assert days(postponed(own), *spring) == [date(2031, 3, 7), date(2031, 4, 7), date(2031, 5, 7)]
    assert postponed(own).delivery_segments == own.delivery_segments
    # The box of 11 April, whose cut-off was before, isn't there twice: that of 1 April went out.
    assert days(postponed(follows), *spring) == [date(2031, 3, 1), date(2031, 4, 1), date(2031, 5, 11)]


@pytest.mark.proves("DLV-1", "CHG-4")
@pytest.mark.parametrize("months", [1, 2, 12])
@pytest.mark.parametrize("start", [date(2031, 1, 12), date(2031, 1, 31)])
def test_boxes_stay_on_their_days_when_bills_come_more_or_less_often_and_stay_on_theirs(start, months):
    nora, on = boxes(start), date(2031, 2, 23)
    cycle = on_the_same_anchor(nora.segments[-1].cycle, Interval.months(months))
    at = start_of_day(on, BERLIN)
    changed, _ = regrouped(nora, cycle, at, 1, SegmentReason.FREQUENCY, told_at=at)
    assert changed.segments[-1].start == on
    assert changed.delivery_segments == nora.delivery_segments
    assert in_step(changed, at) == changed
    spring = (start, date(2031, 9, 1))
    assert days(changed, *spring) == days(nora, *spring)
    anew, _ = regrouped(
        changed, open_cycle(on, cycle.interval, StartDay(), zone=BERLIN), at, 1, SegmentReason.RESET, told_at=at
    )
    assert days(anew, date(2031, 4, 1), date(2031, 6, 1)) == [date(2031, 4, 23), date(2031, 5, 23)]


@pytest.mark.proves("DLV-1")
@pytest.mark.parametrize(
    ("start", "interval", "moved_to", "following"),
    [
        (date(2031, 1, 31), MONTHLY, date(2031, 2, 28), date(2031, 3, 28)),  # both have a box on that day
        (date(2031, 1, 1), Interval.months(2), date(2031, 4, 1), date(2031, 6, 1)),  # the other months from now on
    ],
)
def test_boxes_follow_a_billing_day_that_only_looks_the_same(start, interval, moved_to, following):
    nora, at = boxes(start, interval, cut_off_days=0), start_of_day(moved_to, BERLIN)
    cycle = open_cycle(moved_to, QUARTERLY, StartDay(), zone=BERLIN)
    segments = open_segment(nora.segments, cycle, at, first_index=1, reason=SegmentReason.BILLING_DAY)
    history = open_deliveries(nora.delivery_segments, nora.terms.deliveries, segments)
    moved = attrs.evolve(nora, segments=segments, delivery_segments=history)
    assert next(deliveries_from(moved, moved_to + ONE_DAY)).on == following


@pytest.mark.proves("DLV-2", "DLV-3")
def test_a_new_rhythm_begins_after_the_last_box_that_was_settled():
    nora = boxes(date(2031, 1, 1), WEEKLY, day=Weekday(5), first=NEXT_DATE)
    two_weekly = DeliveryPlan(interval=Interval.weeks(2), day=Weekday(5), cut_off_days=1)
    at = noon(
        date(2031, 1, 15)
    )  # a Wednesday; the box of Friday the 17th is settled, and could still be by the new plan
    history = open_deliveries(nora.delivery_segments, two_weekly, nora.segments, at)
    changed = attrs.evolve(nora, delivery_segments=history, terms=attrs.evolve(nora.terms, deliveries=two_weekly))
    found = deliveries(changed, date(2031, 1, 1), date(2031, 2, 20))
    assert [(each.key.segment, each.on) for each in found] == [
        (0, date(2031, 1, 10)),
        (0, date(2031, 1, 17)),
        (1, date(2031, 1, 31)),
        (1, date(2031, 2, 14)),
    ]


@pytest.mark.proves("DLV-1")
def test_a_box_belongs_to_the_right_one_of_many_segments():
    nora, history = boxes(date(2031, 1, 1), WEEKLY), boxes(date(2031, 1, 1), WEEKLY).segments
    for index, day in enumerate((date(2031, 4, 11), date(2031, 7, 21), date(2031, 10, 31)), 1):
        cycle, at = open_cycle(day, QUARTERLY, StartDay(), zone=BERLIN), start_of_day(day, BERLIN)
        history = open_segment(history, cycle, at, first_index=index, reason=SegmentReason.EXTENSION)
    found = deliveries(attrs.evolve(nora, segments=history), date(2031, 1, 1), date(2032, 1, 1))
    places = {each.cycle.index: (each.cycle.segment, each.on) for each in reversed(found)}
    assert places == {
        0: (0, date(2031, 1, 1)),
        1: (1, date(2031, 4, 16)),
        2: (2, date(2031, 7, 23)),
        3: (3, date(2031, 11, 5)),
    }


@pytest.mark.proves("DLV-2")
def test_a_plan_that_delivers_as_before_opens_no_new_stretch():
    nora = boxes(date(2031, 1, 1), WEEKLY)
    plan = nora.terms.deliveries
    assert (
        open_deliveries(nora.delivery_segments, plan, nora.segments, noon(date(2031, 2, 3))) == nora.delivery_segments
    )
    assert open_deliveries(nora.delivery_segments, plan, nora.segments) == nora.delivery_segments
    assert isinstance(nora.delivery_segments[0], DeliverySegment)


@pytest.mark.proves("DLV-2", "DLV-3")
def test_between_an_end_and_a_return_there_are_no_boxes_and_the_return_counts_as_an_order():
    nora = boxes(date(2031, 1, 3), WEEKLY, day=Weekday(5), first=NEXT_DATE)
    back = resumed(nora, noon(date(2031, 5, 14)), SegmentReason.REACTIVATION)  # a Wednesday
    found = days(back, date(2031, 3, 20), date(2031, 6, 1))
    # The period that was billed ends on 3 April, which is the last day of the grid before the gap.
    assert found == [date(2031, 3, 21), date(2031, 3, 28), date(2031, 5, 23), date(2031, 5, 30)]
    monthly = resumed(boxes(date(2031, 1, 3), first=NEXT_DATE, cut_off_days=0), noon(date(2031, 5, 14)))
    assert days(monthly, date(2031, 3, 1), date(2031, 6, 30)) == [date(2031, 3, 3), date(2031, 6, 3)]


@pytest.mark.proves("DLV-1")
def test_before_a_first_day_there_are_no_boxes_and_the_box_of_a_day_is_in_the_period_of_that_day():
    nora = boxes(date(2031, 1, 31), WEEKLY)
    assert days(nora, date(2030, 1, 1), date(2031, 1, 31)) == []
    for each in deliveries(nora, date(2031, 1, 1), date(2032, 1, 1)):
        period = service_period_of(nora.segments, each.cycle.index)
        assert period.start <= each.on < period.end


# Skips, pauses, contents


@pytest.mark.proves("DLV-5")
def test_who_skips_a_billing_period_skips_all_its_boxes():
    nora = overridden(boxes(date(2031, 1, 1)), Override(kind=OverrideKind.SKIP, index=1, made_on=date(2031, 1, 1)))
    states = [each.state for each in deliveries(nora, date(2031, 1, 1), date(2031, 9, 1))]
    assert states == [PLANNED] * 3 + [SKIPPED] * 3 + [PLANNED] * 2


@pytest.mark.proves("DLV-5")
def test_a_pause_cancels_the_boxes_in_it_that_can_still_be_changed():
    nora = boxes(date(2031, 1, 3), WEEKLY, day=Weekday(5), first=NEXT_DATE)
    pause = Pause(since=noon(date(2031, 3, 5)), until=start_of_day(date(2031, 3, 28), BERLIN), reason=PauseReason.ASKED)
    paused = attrs.evolve(nora, lifecycle=Lifecycle.PAUSED, pause=pause)
    assert coming(paused, date(2031, 3, 1), date(2031, 4, 10)) == [
        date(2031, 3, 7),  # settled on the 4th, the day before the pause
        date(2031, 3, 28),  # the pause is over
        date(2031, 4, 4),
    ]
    at_a_cut_off = attrs.evolve(paused, pause=attrs.evolve(pause, since=start_of_day(date(2031, 3, 4), BERLIN)))
    assert coming(at_a_cut_off, date(2031, 3, 1), date(2031, 3, 20)) == [date(2031, 3, 7)]
    open_end = attrs.evolve(paused, pause=attrs.evolve(pause, until=None))
    assert coming(open_end, date(2031, 3, 1), date(2032, 3, 1)) == [date(2031, 3, 7)]
    comes_back = attrs.evolve(open_end, scheduled=Scheduled(resume=ResumeAt(at=start_of_day(date(2031, 4, 1), BERLIN))))
    assert coming(comes_back, date(2031, 3, 10), date(2031, 4, 10)) == [date(2031, 4, 4)]
    sooner = attrs.evolve(comes_back, pause=pause)  # whichever comes first
    assert coming(sooner, date(2031, 3, 10), date(2031, 4, 10)) == [date(2031, 3, 28), date(2031, 4, 4)]


@pytest.mark.proves("DLV-5")
def test_a_pause_that_is_planned_shows_in_advance():
    nora = boxes(date(2031, 1, 1))
    at = start_of_day(date(2031, 4, 1), BERLIN)
    cycles = attrs.evolve(nora, scheduled=Scheduled(pause=PauseAt(at=at, cycles=1)))
    until = attrs.evolve(nora, scheduled=Scheduled(pause=PauseAt(at=at, until=at + timedelta(days=40))))
    year = (date(2031, 3, 1), date(2031, 9, 1))
    # The box of 1 April was settled three days before the pause.
    assert coming(cycles, *year) == [date(2031, 3, 1), date(2031, 4, 1), date(2031, 7, 1), date(2031, 8, 1)]
    assert coming(until, *year)[:3] == [date(2031, 3, 1), date(2031, 4, 1), date(2031, 6, 1)]


@pytest.mark.proves("DLV-4")
def test_a_box_has_the_lines_of_its_period_and_the_address_of_the_subscription():
    nora = boxes(date(2031, 1, 1))
    tea, filters = SubscribedLine(product="tea"), SubscribedLine(key="filters", product="filters", until_cycle=2)
    with_filters = attrs.evolve(nora, lines=(*nora.lines, filters))
    edited = overridden(with_filters, Override(kind=OverrideKind.EDIT, index=1, lines=(tea,), made_on=date(2031, 1, 1)))
    found = deliveries(edited, date(2031, 1, 1), date(2031, 10, 1))
    assert [[line.product for line in each.lines] for each in found] == [
        *[["coffee", "filters"]] * 3,
        *[["tea"]] * 3,
        *[["coffee"]] * 3,
    ]
    assert {each.ship_to for each in found} == {"address-1"}


@pytest.mark.proves("DLV-2")
def test_what_is_kept_goes_before_what_is_computed():
    nora = boxes(date(2031, 1, 1))
    january, february, march = deliveries(nora, date(2031, 1, 1), date(2031, 4, 1))
    out = attrs.evolve(january, state=DeliveryState.HANDED_OVER, done=True)
    moved = attrs.evolve(february, on=date(2031, 3, 15))
    again = attrs.evolve(march, key=attrs.evolve(march.key, again=1), on=date(2031, 3, 20))
    kept = [again, moved, out]
    assert joined(nora, kept, date(2031, 1, 1), date(2031, 4, 1)) == (out, march, moved, again)
    assert joined(nora, kept, date(2031, 2, 1), date(2031, 3, 1)) == ()
    assert joined(nora, kept, date(2031, 3, 15), date(2031, 3, 20)) == (moved,)


@pytest.mark.proves("DLV-5")
def test_a_box_that_was_edited_is_skipped_and_cancelled_like_the_others():
    nora = boxes(date(2031, 1, 1))
    january, may = (deliveries(nora, day, day + ONE_DAY)[0] for day in (date(2031, 1, 1), date(2031, 5, 1)))
    edited = attrs.evolve(may, ship_to="address-2")
    skipped = overridden(nora, Override(kind=OverrideKind.SKIP, index=1, made_on=date(2031, 1, 1)))
    paused = attrs.evolve(nora, pause=Pause(since=january.cut_off, until=None, reason=PauseReason.ASKED))
    may_2031 = (date(2031, 5, 1), date(2031, 6, 1))
    assert [each.state for each in joined(nora, [edited], *may_2031)] == [PLANNED]
    assert [each.state for each in joined(skipped, [edited], *may_2031)] == [SKIPPED]
    assert [each.state for each in joined(paused, [edited], *may_2031)] == [CANCELED]


@pytest.mark.proves("DLV-5")
def test_what_boxes_cost_adds_up_to_the_line_that_billed_them():
    nora = boxes(date(2031, 1, 31))
    of_period = deliveries_of_cycle(nora, 0)
    values = [delivery_value(Money.of("100.00", "EUR"), of_period, each.key) for each in of_period]
    assert [str(value) for value in values] == ["33.34 EUR", "33.33 EUR", "33.33 EUR"]
    put_off = attrs.evolve(of_period[0].key, again=1)
    assert delivery_value(Money.of("100.00", "EUR"), of_period, put_off) == values[0]
    assert delivery_value(Money.of("100.00", "EUR"), of_period, DeliveryKey("sub-1", 0, 17)).is_zero


# Laws


INTERVALS = st.sampled_from(
    [WEEKLY, Interval.weeks(2), MONTHLY, Interval.days(5), Interval.days(31), QUARTERLY, Interval.months(2)]
)
STARTS = st.dates(date(2020, 1, 1), date(2040, 1, 1))


@st.composite
def subscriptions(draw) -> Subscription:
    interval, start = draw(INTERVALS), draw(STARTS)
    own = {Unit.WEEK: st.builds(Weekday, st.integers(1, 7)), Unit.MONTH: st.builds(DayOfMonth, st.integers(1, 31))}
    plan = DeliveryPlan(
        interval=interval,
        day=draw(st.just(StartDay()) | own.get(interval.unit, st.just(StartDay()))),
        first=draw(st.sampled_from(FirstDelivery)),
        cut_off_days=draw(st.integers(0, 10)),
    )
    where = zone(draw(st.sampled_from(["Europe/Berlin", "America/Santiago", "Pacific/Apia", "Asia/Kolkata"])))
    at = start_of_day(start, where) + timedelta(minutes=draw(st.integers(0, 1439)))
    nora = box_subscription(at, plan, where=where, billing_day=draw(st.sampled_from([StartDay(), DayOfMonth(31)])))
    overrides = tuple(
        Override(kind=OverrideKind.SKIP, index=index, made_on=start) for index in draw(st.sets(st.integers(0, 9)))
    )
    pause = None
    if draw(st.booleans()):
        since = at + timedelta(hours=draw(st.integers(0, 20_000)))
        until = draw(st.none() | st.integers(1, 90).map(lambda days: since + timedelta(days=days)))
        pause = Pause(since=since, until=until, reason=PauseReason.ASKED)
    nora = attrs.evolve(nora, overrides=overrides, pause=pause)
    for wait in draw(st.lists(st.integers(0, 60), max_size=3)):
        at += timedelta(days=wait, hours=5)
        plan = attrs.evolve(plan, interval=draw(st.sampled_from([plan.interval, Interval.days(7)])), day=StartDay())
        plan = attrs.evolve(plan, cut_off_days=draw(st.integers(0, 40)))
        history = open_deliveries(nora.delivery_segments, plan, nora.segments, at)
        nora = attrs.evolve(nora, delivery_segments=history, terms=attrs.evolve(nora.terms, deliveries=plan))
    if draw(st.booleans()):
        nora = resumed(nora, at + timedelta(days=draw(st.integers(1, 1200))), draw(st.sampled_from(SegmentReason)))
    return nora


@pytest.mark.proves("DLV-2")
@given(subscriptions(), st.tuples(*[st.integers(-40, 1500)] * 3))
def test_the_boxes_of_two_stretches_of_days_are_together_those_of_both(nora, offsets):
    first = nora.segments[0].start
    start, middle, end = (first + offset * ONE_DAY for offset in sorted(offsets))
    assert deliveries(nora, start, end) == deliveries(nora, start, middle) + deliveries(nora, middle, end)


@pytest.mark.proves("DLV-1", "DLV-2", "DLV-3")
@given(subscriptions())
def test_each_box_has_a_key_and_a_day_of_its_own_and_lies_in_its_billing_period(nora):
    start = nora.segments[0].start
    found = deliveries(nora, start, start + 800 * ONE_DAY)
    assert len({each.key for each in found}) == len(found)
    assert all(one.on < other.on for one, other in pairwise(found))
    for each in found:
        period = service_period_of(nora.segments, each.cycle.index)
        assert period.start <= each.on < period.end
        assert each.cycle == CycleRef(nora.id, period.segment, period.index)
        assert isinstance(each, Delivery)
