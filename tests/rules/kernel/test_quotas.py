"""So many and no more."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.quotas import Quota, give_back, take
from shopaccounts.kernel.record import Once

pytestmark = pytest.mark.proves("KER-156")

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EMPTY = Quota(id="points", realm=RealmId("main"))
amounts = st.integers(0, 60)


@given(st.lists(st.tuples(amounts, amounts), max_size=12))
def test_the_sum_never_passes_the_limit_of_its_day_nor_goes_below_what_was_granted(wishes):
    quota, granted_in_all = EMPTY, 0
    for wanted, limit in wishes:
        before = quota.taken
        quota, granted = take(quota, wanted, limit)
        granted_in_all += granted
        assert 0 <= granted <= wanted
        assert quota.taken == granted_in_all <= max(limit, before)


@given(amounts, amounts, amounts)
def test_who_takes_gets_what_is_wanted_or_what_is_left(taken, wanted, limit):
    _, granted = take(attrs.evolve(EMPTY, taken=taken), wanted, limit)
    assert granted == min(wanted, max(0, limit - taken))


@given(amounts, amounts)
def test_what_was_taken_and_given_back_is_there_again(wanted, limit):
    quota, granted = take(EMPTY, wanted, limit)
    (write,) = give_back(quota, granted, key="order-1", now=NOW, keep_until=NOW + HOUR).writes
    assert (write.was, write.now.taken) == (quota, 0)


def test_giving_back_sets_a_marker_of_its_quota_and_key_in_the_same_change():
    quota = attrs.evolve(EMPTY, taken=5)

    def marker(id, key):
        (once,) = give_back(attrs.evolve(quota, id=id), 5, key=key, now=NOW, keep_until=NOW + HOUR).once
        return once

    assert marker("points", "order-1") == Once(
        namespace="quota", key="6 points order-1", now=NOW, keep_until=NOW + HOUR
    )
    assert len({marker(*names).key for names in (("a", "b c"), ("a b", "c"), ("a", "b"), ("b", "b"))}) == 4


@pytest.mark.parametrize("amount", [-1, 6])
def test_less_than_nothing_or_more_than_was_taken_is_not_given_back(amount):
    with pytest.raises(Defect):
        give_back(attrs.evolve(EMPTY, taken=5), amount, key="k", now=NOW, keep_until=NOW + HOUR)


def test_less_than_nothing_is_not_taken():
    with pytest.raises(Defect):
        take(EMPTY, -1, 10)
