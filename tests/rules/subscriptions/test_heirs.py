"""One of a group of plans has ended: which of its doubles takes its place."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.answers import run
from shopaccounts.subscriptions.lifecycle.doubles import heirs, is_marked
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.office.doubling import doubles_on_file
from shopaccounts.subscriptions.states import ENDED, Lifecycle
from shopaccounts.testing.subscribers import Course, flat_plan, somebody

AT = datetime(2031, 3, 1, 12, tzinfo=UTC)
OVER: list[Lifecycle] = sorted(ENDED, key=lambda state: state.value)
COURSE = Course.begin(flat_plan("17.90"), AT)


def one(id: str, doubles: str = "", lifecycle: Lifecycle = Lifecycle.ACTIVE, age: int = 0) -> Subscription:
    """Answer a subscription that holds its group, or is marked."""
    return attrs.evolve(
        COURSE.subscription,
        id=id,
        doubles=doubles,
        holds_group=not doubles,
        lifecycle=lifecycle,
        created_at=AT - timedelta(days=age),
    )


@pytest.mark.proves("LIF-1")
def test_a_double_of_one_that_runs_stays_one_whatever_else_has_ended() -> None:
    elsewhere = one("tea", lifecycle=Lifecycle.CANCELED)
    assert heirs([one("a"), one("b", "a"), elsewhere]) == ()


@pytest.mark.proves("LIF-1")
@pytest.mark.parametrize("over", OVER)
def test_one_that_has_ended_itself_takes_nobodys_place(over) -> None:
    gone, late = one("a", lifecycle=Lifecycle.EXPIRED), one("c", "a")
    assert [each.id for each in heirs([gone, one("b", "a", over, age=9), late])] == ["c"]
    assert heirs([gone, one("b", "a", over)]) == ()


@pytest.mark.proves("LIF-1")
@given(st.lists(st.integers(0, 50), max_size=6), st.sampled_from(OVER))
def test_one_is_left_that_holds_the_group_and_all_others_are_its_doubles(ages, over) -> None:
    doubles = [one(f"b-{place}", "a", age=age) for place, age in enumerate(ages)]
    after = heirs([one("a", lifecycle=over), *doubles])
    assert len(after) == len(doubles)
    if after:
        first, *others = after
        assert (first.doubles, first.holds_group) == ("", True)
        assert first.created_at == min(each.created_at for each in doubles)
        assert {(each.doubles, each.holds_group) for each in others} <= {(first.id, False)}
        assert all(map(is_marked, others))


@pytest.mark.proves("LIF-1", "PRF-4")
def test_nothing_is_looked_up_while_nothing_ends_or_nothing_is_marked() -> None:
    nowhere = cast("Any", None)
    runs, over = one("a"), one("a", lifecycle=Lifecycle.CANCELED)
    assert run(doubles_on_file(nowhere, [(somebody(doubled=("b",)), [runs]), (somebody(), [over])])) == {}
