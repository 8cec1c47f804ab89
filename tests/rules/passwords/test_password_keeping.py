"""What is kept when a password is chosen."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.passwords import MustChange, NewPassword, PasswordPolicy, PasswordRecord, StoredHash, keep

NOW = datetime(2031, 3, 1, tzinfo=UTC)
ANNA, REALM = AccountId("anna"), RealmId("lampenhaus")


def new(number: int) -> NewPassword:
    return NewPassword(stored=StoredHash(f"$scheme${number}"), meets_single_factor_minimum=True)


@pytest.mark.proves("PAS-27")
@pytest.mark.parametrize("remembered", [0, 1, 3, 10])
def test_as_many_earlier_hashes_are_kept_as_the_shop_remembers(remembered: int) -> None:
    policy, record = PasswordPolicy(history=remembered), None
    for number in range(15):
        record = keep(ANNA, REALM, new(number), policy, NOW, record)
    assert record is not None
    assert record.hash == "$scheme$14"
    assert record.earlier == tuple(f"$scheme${13 - n}" for n in range(remembered))


@pytest.mark.proves("PAS-27")
def test_a_shop_that_remembers_less_forgets_at_the_next_change() -> None:
    record = None
    for number in range(4):
        record = keep(ANNA, REALM, new(number), PasswordPolicy(history=3), NOW, record)
    assert keep(ANNA, REALM, new(9), PasswordPolicy(), NOW, record).earlier == ()


@pytest.mark.proves("PAS-25", "PAS-26")
def test_a_new_password_has_nothing_of_the_old_ones_flags_and_times() -> None:
    was = PasswordRecord(
        id=ANNA,
        realm=REALM,
        hash="$scheme$old",
        set_at=NOW - timedelta(days=900),
        meets_single_factor_minimum=False,
        breach_unchecked=True,
        must_change=MustChange.REPORTED,
        must_change_since=NOW - timedelta(days=3),
        reminded_at=NOW - timedelta(days=30),
    )
    record = keep(ANNA, REALM, new(1), PasswordPolicy(remind_after=timedelta(days=365)), NOW, was)
    fresh = keep(ANNA, REALM, new(1), PasswordPolicy(), NOW)
    assert record == attrs.evolve(fresh, remind_at=NOW + timedelta(days=365))
    assert (fresh.must_change, fresh.must_change_since, fresh.breach_unchecked) == (None, None, False)


def test_no_hash_is_shown_by_a_record() -> None:
    was = keep(ANNA, REALM, new(1), PasswordPolicy(), NOW)
    record = keep(ANNA, REALM, new(2), PasswordPolicy(history=5), NOW, was)
    assert "$scheme$" not in repr(record)
