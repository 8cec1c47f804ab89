"""When retries are made if every attempt fails when planned, and which policies make no sense."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.policy import overlay
from shopaccounts.kernel.time import local_date, zone
from shopaccounts.serial import dump, load
from shopaccounts.subscriptions.payments.dunning import planned_retries
from shopaccounts.subscriptions.policy.dunning import (
    CountFrom,
    DunningPolicy,
    OnExhausted,
    OnMethodChange,
    RetryPlan,
)

FAILED = datetime(2026, 11, 3, 9, tzinfo=UTC)
BERLIN = zone("Europe/Berlin")
NINE = time(9)


def days(*counts: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(days=count) for count in counts)


def november(*days_of_month: int) -> tuple[datetime, ...]:
    return tuple(datetime(2026, 11, day, 9, tzinfo=UTC) for day in days_of_month)


# Plans


@pytest.mark.proves("DUN-1")
def test_gaps_count_from_the_failure_before() -> None:
    assert planned_retries(RetryPlan.after_previous(days(1, 3, 5)), FAILED) == november(4, 7, 12)


@pytest.mark.proves("DUN-1")
def test_offsets_count_from_the_first_failure() -> None:
    assert planned_retries(RetryPlan.after_first(days(1, 3, 5)), FAILED) == november(4, 6, 8)


@pytest.mark.proves("DUN-1")
def test_a_plan_may_have_no_retry() -> None:
    assert planned_retries(RetryPlan.after_first(()), FAILED) == ()
    assert planned_retries(RetryPlan.after_previous([]), FAILED) == ()


@pytest.mark.proves("DUN-1")
@pytest.mark.parametrize("waits", [days(0), days(-1), days(1, 0, 3)], ids=["none", "backwards", "one of several"])
@pytest.mark.parametrize("plan", [RetryPlan.after_first, RetryPlan.after_previous], ids=["offsets", "gaps"])
def test_each_wait_is_longer_than_nothing(plan, waits) -> None:
    with pytest.raises(BadPolicy):
        plan(waits)


@pytest.mark.proves("DUN-1")
@pytest.mark.parametrize("offsets", [days(3, 1), days(1, 1), days(1, 5, 3)], ids=["falling", "equal", "mixed"])
def test_offsets_ascend_and_gaps_need_not(offsets) -> None:
    with pytest.raises(BadPolicy):
        RetryPlan.after_first(offsets)
    assert RetryPlan.after_previous(offsets).waits == offsets


@pytest.mark.parametrize(
    ("count_from", "waits", "at"),
    [
        ("first", days(1), None),
        (CountFrom.FIRST, [*days(1)], None),
        (CountFrom.FIRST, (1, 3), None),
        (CountFrom.FIRST, days(1), "09:00"),
    ],
    ids=["text", "list", "numbers", "text for a time"],
)
def test_a_plan_is_made_of_durations_and_a_wall_time(count_from, waits, at) -> None:
    with pytest.raises(TypeError):
        RetryPlan(count_from=count_from, waits=waits, at_local_time=at)


@pytest.mark.proves("DUN-1")
def test_a_wall_time_has_no_zone_of_its_own() -> None:
    with pytest.raises(BadPolicy):
        RetryPlan.after_first(days(1), at_local_time=time(9, tzinfo=UTC))


# At a wall time


@pytest.mark.proves("DUN-1")
def test_a_retry_is_moved_to_a_wall_time_of_its_local_day() -> None:
    plan = RetryPlan.after_first(days(1, 3), at_local_time=time(18, 30))
    assert planned_retries(plan, FAILED, BERLIN) == (
        datetime(2026, 11, 4, 17, 30, tzinfo=UTC),
        datetime(2026, 11, 6, 17, 30, tzinfo=UTC),
    )


@pytest.mark.proves("DUN-1")
def test_a_retry_is_never_moved_to_an_earlier_moment() -> None:
    plan = RetryPlan.after_first(days(1), at_local_time=NINE)
    assert planned_retries(plan, FAILED, BERLIN) == (datetime(2026, 11, 5, 8, tzinfo=UTC),)
    assert planned_retries(plan, FAILED, zone("UTC")) == november(4)


@pytest.mark.proves("DUN-1")
def test_the_local_day_is_the_customers_and_clocks_may_change_between() -> None:
    failed = datetime(2026, 10, 23, 23, tzinfo=UTC)  # 24 October, 01:00 in Berlin; clocks go back on the 25th
    plan = RetryPlan.after_first(days(1, 2), at_local_time=NINE)
    assert planned_retries(plan, failed, BERLIN) == (
        datetime(2026, 10, 25, 8, tzinfo=UTC),
        datetime(2026, 10, 26, 8, tzinfo=UTC),
    )


@pytest.mark.proves("DUN-1")
def test_gaps_count_from_the_moment_to_which_the_retry_before_was_moved() -> None:
    plan = RetryPlan.after_previous(days(1, 1), at_local_time=time(8))
    assert planned_retries(plan, FAILED) == (
        datetime(2026, 11, 5, 8, tzinfo=UTC),
        datetime(2026, 11, 6, 8, tzinfo=UTC),
    )


@pytest.mark.proves("DUN-1")
def test_two_retries_that_are_moved_to_one_moment_are_one() -> None:
    hours = (timedelta(hours=1), timedelta(hours=2), timedelta(days=2))
    plan = RetryPlan.after_first(hours, at_local_time=time(18))
    assert planned_retries(plan, FAILED) == (
        datetime(2026, 11, 3, 18, tzinfo=UTC),
        datetime(2026, 11, 5, 18, tzinfo=UTC),
    )


waits = st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=5)), max_size=6)
ascending = waits.map(lambda spans: sorted(set(spans)))
wall_times = st.none() | st.times().map(lambda at: at.replace(fold=0))
plans = st.one_of(
    st.builds(lambda gaps, at: RetryPlan.after_previous(gaps, at_local_time=at), waits, wall_times),
    st.builds(lambda offsets, at: RetryPlan.after_first(offsets, at_local_time=at), ascending, wall_times),
)
zones = st.sampled_from([zone("UTC"), BERLIN, zone("America/St_Johns"), zone("+05:45"), zone("Pacific/Apia")])
failures = st.datetimes(datetime(2011, 12, 20), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (bounds)


@pytest.mark.proves("DUN-1")
@given(plan=plans, first=failures, where=zones)
def test_retries_ascend_lie_after_the_failure_and_never_before_their_time(plan, first, where) -> None:
    made = planned_retries(plan, first, where)
    assert all(before < after for before, after in pairwise((first, *made)))
    assert len(made) <= len(plan.waits)
    unmoved = planned_retries(attrs.evolve(plan, at_local_time=None), first, where)
    if plan.at_local_time is None:
        assert made == unmoved
    if plan.count_from is CountFrom.FIRST:
        for planned in unmoved:
            moved = next(at for at in made if at >= planned)
            assert (local_date(moved, where) - local_date(planned, where)).days <= 2


# Policies


@pytest.mark.proves("DUN-2", "DUN-5", "DUN-6", "DUN-7")
def test_the_defaults_are_those_that_the_docs_name() -> None:
    policy = DunningPolicy()
    assert policy.retries == RetryPlan.after_first(days(1, 3, 7, 14))
    assert (policy.max_attempts, policy.max_declines) == (15, 8)
    assert (policy.max_age, policy.grace) == days(30, 14)
    assert policy.on_exhausted is OnExhausted.CANCEL
    assert policy.on_method_change is OnMethodChange.ALL
    assert (policy.renew_while_past_due, policy.min_amount, policy.resume_on_recovery) == (None, (), True)


@pytest.mark.proves("DUN-1")
def test_eight_days_is_three_retries_each_after_the_one_before() -> None:
    policy = DunningPolicy.eight_days()
    assert planned_retries(policy.retries, FAILED) == (*november(11, 19, 27),)
    assert attrs.evolve(policy, retries=DunningPolicy().retries) == DunningPolicy()


@pytest.mark.proves("POL-1")
@pytest.mark.parametrize(
    "plan",
    [RetryPlan.after_first(days(1, 30.001)), RetryPlan.after_previous(days(10, 10, 10.001))],
    ids=["offsets", "gaps"],
)
def test_no_retry_lies_beyond_the_greatest_age(plan) -> None:
    with pytest.raises(BadPolicy, match="max_age"):
        DunningPolicy(retries=plan)
    assert DunningPolicy(retries=plan, max_age=timedelta(days=31))


@pytest.mark.proves("POL-1")
def test_a_retry_at_the_greatest_age_is_none_too_late() -> None:
    for plan in (RetryPlan.after_first(days(1, 30)), RetryPlan.after_previous(days(10, 10, 10))):
        assert DunningPolicy(retries=plan).retries.length == timedelta(days=30)
    assert RetryPlan.after_first(()).length == RetryPlan.after_previous(()).length == timedelta(0)


@pytest.mark.parametrize(
    "facts",
    [
        {"max_attempts": 0},
        {"max_declines": 0},
        {"max_age": timedelta(0), "retries": RetryPlan.after_first(())},
        {"grace": timedelta(microseconds=-1)},
        {"min_amount": (Money.of(0, "EUR"),)},
        {"min_amount": (Money.of(1, "EUR"), Money.of(2, "EUR"))},
    ],
    ids=["attempts", "declines", "age", "grace", "nothing for a least amount", "two least amounts"],
)
def test_limits_that_make_no_sense_are_refused_at_start_up(facts) -> None:
    with pytest.raises(BadPolicy):
        DunningPolicy(**facts)


@pytest.mark.parametrize(
    "facts",
    [
        {"max_attempts": "15"},
        {"max_age": 30},
        {"grace": 14},
        {"on_exhausted": "cancel"},
        {"on_method_change": "all"},
        {"renew_while_past_due": 1},
        {"resume_on_recovery": "yes"},
        {"min_amount": [Money.of(1, "EUR")]},
        {"retries": days(1)},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_a_field_of_another_type_is_refused(facts) -> None:
    with pytest.raises(TypeError):
        DunningPolicy(**facts)


@pytest.mark.proves("DUN-5")
def test_what_is_shipped_waits_for_its_debt_and_what_is_digital_renews_unless_the_shop_says_otherwise() -> None:
    by_goods = DunningPolicy()
    assert not by_goods.renews_while_past_due(ships=True)
    assert by_goods.renews_while_past_due(ships=False)
    for renews in (True, False):
        policy = DunningPolicy(renew_while_past_due=renews)
        assert policy.renews_while_past_due(ships=True) is renews
        assert policy.renews_while_past_due(ships=False) is renews


@pytest.mark.proves("DUN-8")
def test_below_the_least_amount_of_its_currency_nothing_is_worth_a_try() -> None:
    policy = DunningPolicy(min_amount=(Money.of(5, "EUR"), Money.of(500, "JPY")))
    assert not policy.is_worth_retrying(Money.of("4.99", "EUR"))
    assert policy.is_worth_retrying(Money.of(5, "EUR"))
    assert not policy.is_worth_retrying(Money.of(499, "JPY"))
    assert policy.is_worth_retrying(Money.of("0.01", "USD"))
    assert DunningPolicy().is_worth_retrying(Money.of("0.01", "EUR"))


def test_a_policy_can_be_written_down_and_overridden_by_name() -> None:
    policy = DunningPolicy(min_amount=(Money.of(1, "EUR"),))
    assert load(DunningPolicy, dump(policy)) == policy
    at_nine = overlay(policy, {"max_declines": 3, "on_exhausted": "pause", "retries": {"at_local_time": "09:00:00"}})
    assert at_nine.retries == RetryPlan.after_first(days(1, 3, 7, 14), at_local_time=NINE)
    assert (at_nine.max_declines, at_nine.on_exhausted) == (3, OnExhausted.PAUSE)
    with pytest.raises(BadPolicy):
        overlay(policy, {"max_age": timedelta(days=13)})
