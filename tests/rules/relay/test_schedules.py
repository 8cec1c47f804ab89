"""When another try is due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.relay import DEFAULT, delay_before, next_attempt_at

NOW = datetime(2027, 2, 1, 12, tzinfo=UTC)
FRACTIONS = st.floats(0, 1, exclude_max=True)


@pytest.mark.proves("REL-8")
def test_the_waits_before_the_tries_are_those_of_the_schedule() -> None:
    waits = [delay_before(attempt) for attempt in range(1, 9)]
    seconds = [None if wait is None else wait.total_seconds() for wait in waits]
    assert seconds == [0, 30, 120, 600, 3600, 21600, 86400, None]


@pytest.mark.proves("REL-8")
@pytest.mark.parametrize("attempt", [0, -1])
def test_tries_are_counted_from_one(attempt: int) -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        delay_before(attempt)


@pytest.mark.proves("REL-8")
@given(st.integers(1, len(DEFAULT) - 1), FRACTIONS)
def test_a_wait_is_spread_by_a_fifth_at_most(failed: int, fraction: float) -> None:
    planned = DEFAULT[failed]
    at = next_attempt_at(failed, NOW, fraction)
    assert at is not None
    assert planned * 0.8 <= at - NOW <= planned * 1.2


@pytest.mark.proves("REL-8")
def test_half_a_chance_spreads_nothing_and_the_ends_spread_most() -> None:
    ends = [next_attempt_at(1, NOW, fraction) for fraction in (0, 0.5)]
    assert ends == [NOW + timedelta(seconds=24), NOW + timedelta(seconds=30)]
    assert next_attempt_at(1, NOW, 0, spread=0) == NOW + timedelta(seconds=30)


@pytest.mark.proves("REL-8")
@given(FRACTIONS)
def test_after_the_last_try_there_is_none(fraction: float) -> None:
    assert next_attempt_at(len(DEFAULT), NOW, fraction) is None


@pytest.mark.proves("REL-8")
@pytest.mark.parametrize(
    ("wish", "wait"),
    [
        (timedelta(seconds=1), timedelta(seconds=30)),
        (timedelta(hours=1), timedelta(hours=1)),
        (timedelta(days=9), timedelta(hours=24)),
    ],
)
def test_the_other_sides_wish_counts_if_it_is_later_up_to_a_day(wish: timedelta, wait: timedelta) -> None:
    assert next_attempt_at(1, NOW, 0.5, retry_after=wish) == NOW + wait
