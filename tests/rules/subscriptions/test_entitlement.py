"""Whether a customer may use what a subscription is for."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.time import start_of_day
from shopaccounts.subscriptions.entitlements import Entitlement, EntitlementReason, entitlement
from shopaccounts.subscriptions.model import PastDue, Pause, PauseReason, Subscription
from shopaccounts.subscriptions.papers.documents import CycleEnd
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.dunning import DunningPolicy
from shopaccounts.subscriptions.scheduled import CancelAt, Override, OverrideKind, PauseAt, ResumeAt, Scheduled
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.boxes import box_subscription

NOW = datetime(2031, 3, 14, 12, tzinfo=UTC)
DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
L, C, R = Lifecycle, Collection, EntitlementReason
POLICY = SubscriptionPolicy()
NORA = box_subscription(date(2031, 1, 10), None, billing=Interval.months(1))
MARCH, APRIL, MAY = (start_of_day(date(2031, month, 10), NORA.zone) for month in (3, 4, 5))


def subscription(lifecycle: Lifecycle = L.ACTIVE, collection: Collection = C.OK, **facts) -> Subscription:
    return attrs.evolve(NORA, lifecycle=lifecycle, collection=collection, **facts)


def cancel(at: datetime) -> CancelAt:
    return CancelAt(at=at, asked_at=NOW - DAY)


def override(index: int, kind: OverrideKind = OverrideKind.SKIP, **facts) -> Override:
    return Override(kind=kind, index=index, made_on=date(2031, 1, 11), **facts)


def overdue(since: datetime, **facts) -> Subscription:
    return subscription(L.ACTIVE, C.PAST_DUE, past_due=PastDue(since=since, invoices=("i-1",)), **facts)


def asked(nora: Subscription, at: datetime = NOW, policy: SubscriptionPolicy = POLICY, **facts) -> tuple[Any, ...]:
    return attrs.astuple(entitlement(nora, at, policy, **facts))


@pytest.mark.proves("SUB-7")
@pytest.mark.parametrize(
    ("lifecycle", "collection", "granted", "reason"),
    [
        (L.TRIALING, C.OK, True, R.TRIAL),
        (L.TRIALING, C.PAST_DUE, True, R.TRIAL),
        (L.ACTIVE, C.OK, True, R.PAID),
        (L.ACTIVE, C.UNPAID, False, R.UNPAID),
        (L.PAUSED, C.OK, False, R.PAUSED),
        (L.PAUSED, C.UNPAID, False, R.PAUSED),
        (L.INCOMPLETE, C.OK, False, R.FIRST_PAYMENT_OPEN),
        (L.INCOMPLETE_EXPIRED, C.OK, False, R.ENDED),
        (L.CANCELED, C.OK, False, R.ENDED),
        (L.EXPIRED, C.OK, False, R.ENDED),
    ],
)
def test_who_is_on_trial_or_has_paid_may_use_it_and_others_may_not(lifecycle, collection, granted, reason):
    assert entitlement(subscription(lifecycle, collection), NOW, POLICY) == Entitlement(granted, None, reason)


@pytest.mark.proves("SUB-7")
def test_what_starts_later_is_told_when():
    at = MARCH - DAY
    later = attrs.evolve(box_subscription(MARCH, None), lifecycle=L.PENDING)
    assert asked(later, at) == (False, MARCH, R.NOT_STARTED)


@pytest.mark.proves("SUB-7")
def test_who_does_not_pay_keeps_it_for_the_time_of_grace_and_not_an_instant_longer():
    policy = SubscriptionPolicy(dunning=DunningPolicy(grace=5 * DAY))
    nora, ends = overdue(NOW), NOW + 5 * DAY
    assert asked(nora, NOW, policy) == (True, ends, R.GRACE)
    assert asked(nora, ends - INSTANT, policy) == (True, ends, R.GRACE)
    assert asked(nora, ends, policy) == (False, None, R.GRACE_OVER)
    assert asked(nora, NOW + 14 * DAY - INSTANT, POLICY) == (True, NOW + 14 * DAY, R.GRACE)


@pytest.mark.proves("SUB-7")
def test_an_end_that_is_planned_takes_nothing_away_before_it_comes():
    nora = subscription(scheduled=Scheduled(cancel=cancel(APRIL)))
    assert asked(nora) == (True, APRIL, R.PAID)
    assert asked(nora, APRIL - INSTANT) == (True, APRIL, R.PAID)
    assert asked(nora, APRIL) == (False, None, R.ENDED)
    trial = subscription(L.TRIALING, scheduled=Scheduled(cancel=cancel(APRIL)))
    assert asked(trial) == (True, APRIL, R.TRIAL)
    assert asked(trial, APRIL) == (False, None, R.ENDED)


@pytest.mark.proves("SUB-7")
def test_of_grace_and_a_planned_end_the_earlier_one_counts():
    assert asked(overdue(NOW, scheduled=Scheduled(cancel=cancel(NOW + DAY)))) == (True, NOW + DAY, R.GRACE)
    later = overdue(NOW, scheduled=Scheduled(cancel=cancel(NOW + 99 * DAY)))
    assert asked(later) == (True, NOW + 14 * DAY, R.GRACE)
    assert asked(later, NOW + 15 * DAY) == (False, None, R.GRACE_OVER)


@pytest.mark.proves("SUB-7")
def test_a_plan_of_a_fixed_length_ends_with_it():
    phase = attrs.evolve(NORA.terms.phases[0], end=date(2031, 4, 10))
    nora = attrs.evolve(NORA, terms=attrs.evolve(NORA.terms, phases=(phase,)))
    assert asked(nora) == (True, APRIL, R.PAID)
    assert asked(nora, APRIL) == (False, None, R.ENDED)


@pytest.mark.proves("SUB-7")
def test_a_cycle_that_is_left_out_gives_nothing_from_its_first_instant_to_its_last():
    nora = subscription(overrides=(override(3),))
    assert asked(nora, APRIL - INSTANT) == (True, APRIL, R.PAID)
    assert asked(nora, APRIL) == (False, MAY, R.SKIPPED)
    assert asked(nora, MAY - INSTANT) == (False, MAY, R.SKIPPED)
    assert asked(nora, MAY) == (True, None, R.PAID)
    assert asked(subscription(L.TRIALING, overrides=(override(2),))) == (False, APRIL, R.SKIPPED)
    assert asked(subscription(overrides=(override(2, OverrideKind.EDIT),))) == (True, None, R.PAID)


@pytest.mark.proves("SUB-7")
def test_a_cycle_that_begins_later_is_left_out_from_then_on():
    moved = override(3, OverrideKind.MOVE, on=date(2031, 4, 20))
    nora, begins = subscription(overrides=(moved, override(3))), start_of_day(date(2031, 4, 20), NORA.zone)
    assert asked(nora, APRIL) == (True, begins, R.PAID)
    assert asked(nora, begins) == (False, MAY, R.SKIPPED)


@pytest.mark.proves("SUB-7")
@pytest.mark.parametrize(
    ("ended", "answer"),
    [
        (CycleEnd.LAPSED, (False, APRIL, R.LAPSED)),
        (CycleEnd.SKIPPED, (False, APRIL, R.SKIPPED)),
        (CycleEnd.BILLED, (True, None, R.PAID)),
        (CycleEnd.FREE, (True, None, R.PAID)),
        (CycleEnd.WAIVED, (True, None, R.PAID)),
    ],
)
def test_a_cycle_that_lapsed_gives_nothing_and_one_that_cost_nothing_does(ended, answer):
    assert asked(subscription(), ended_as=ended) == answer


@pytest.mark.proves("SUB-7")
def test_a_pause_is_told_when_it_comes_and_when_it_goes():
    assert asked(subscription(scheduled=Scheduled(pause=PauseAt(at=APRIL)))) == (True, APRIL, R.PAID)
    pause = Pause(since=MARCH, until=MAY, reason=PauseReason.ASKED)
    assert asked(subscription(L.PAUSED, pause=pause)) == (False, MAY, R.PAUSED)
    resumes = Scheduled(resume=ResumeAt(at=APRIL))
    assert asked(subscription(L.PAUSED, pause=pause, scheduled=resumes)) == (False, APRIL, R.PAUSED)
    assert asked(subscription(L.PAUSED, pause=pause), MAY) == (False, None, R.PAUSED)


@pytest.mark.proves("SUB-7")
def test_before_its_first_cycle_there_is_none_to_miss():
    assert asked(subscription(overrides=(override(0),)), NORA.segments[0].start_instant - DAY)[0]


@pytest.mark.proves("SUB-7")
def test_a_failure_that_nobody_recorded_locks_nobody_out():
    assert asked(subscription(L.ACTIVE, C.PAST_DUE)) == (True, NOW + 14 * DAY, R.GRACE)


@pytest.mark.proves("SUB-7")
def test_a_time_without_a_zone_is_refused():
    with pytest.raises(TypeError):
        entitlement(NORA, NOW.replace(tzinfo=None), POLICY)
