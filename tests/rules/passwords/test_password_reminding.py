"""Reminders of old passwords, in shops that want them."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.passwords import PasswordPolicy, PasswordRecord, ReminderDue, reminder_due
from shopaccounts.passwords.reminding import reminded, scheduled

NOW = datetime(2031, 3, 1, tzinfo=UTC)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
RECORD = PasswordRecord(
    id=AccountId("anna"),
    realm=RealmId("lampenhaus"),
    hash="$scheme$text",
    set_at=NOW,
    meets_single_factor_minimum=True,
)
YEARLY = PasswordPolicy(remind_after=YEAR)
pytestmark = pytest.mark.proves("PAS-26")


def test_nobody_is_reminded_unless_the_shop_says_so() -> None:
    assert reminder_due(RECORD, PasswordPolicy(), NOW + 100 * YEAR) is None
    assert scheduled(RECORD, PasswordPolicy()).remind_at is None
    assert not PasswordPolicy().deviations
    assert [deviation.rule for deviation in YEARLY.deviations] == ["NIST 3.1.1.2(6)"]


@pytest.mark.parametrize("period", [timedelta(0), -DAY, timedelta(days=29)])
def test_a_shop_reminds_once_in_thirty_days_at_most(period: timedelta) -> None:
    with pytest.raises(BadPolicy):
        PasswordPolicy(remind_after=period)
    PasswordPolicy(remind_after=timedelta(days=30))


def test_a_reminder_is_due_when_the_period_is_over_and_says_why() -> None:
    assert reminder_due(RECORD, YEARLY, NOW + YEAR - timedelta(microseconds=1)) is None
    due = reminder_due(RECORD, YEARLY, NOW + YEAR)
    assert due == ReminderDue(set_at=NOW, why="passwords.unchanged_for_long")


@given(st.lists(st.timedeltas(timedelta(0), 2 * YEAR), max_size=20))
def test_there_is_one_reminder_in_each_period_at_most(steps: list[timedelta]) -> None:
    now, record, at = NOW, RECORD, []
    for step in steps:
        now += step
        if reminder_due(record, YEARLY, now):
            record = reminded(record, YEARLY, now)
            at.append(now)
    assert all(later - earlier >= YEAR for earlier, later in zip([NOW, *at], at, strict=False))


def test_the_next_look_follows_the_present_policy() -> None:
    assert scheduled(RECORD, YEARLY).remind_at == NOW + YEAR
    assert scheduled(scheduled(RECORD, YEARLY), PasswordPolicy()) == RECORD
    assert reminded(RECORD, YEARLY, NOW + YEAR).remind_at == NOW + 2 * YEAR


def test_a_reminder_forces_nothing() -> None:
    after = reminded(RECORD, YEARLY, NOW + YEAR)
    assert attrs.evolve(after, reminded_at=None, remind_at=None) == RECORD
