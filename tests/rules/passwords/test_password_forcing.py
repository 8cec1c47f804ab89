"""When a password has to be changed, and by which way."""

from datetime import UTC, datetime, timedelta
from itertools import product

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.passwords import (
    BreachPolicy,
    Clean,
    MustChange,
    PasswordPolicy,
    PasswordRecord,
    Seen,
    Unchecked,
    change_via,
    flagged,
)
from shopaccounts.passwords.forcing import after_check, is_to_be_checked

NOW = datetime(2031, 3, 1, tzinfo=UTC)
RECORD = PasswordRecord(
    id=AccountId("anna"),
    realm=RealmId("lampenhaus"),
    hash="$scheme$text",
    set_at=NOW - timedelta(days=400),
    meets_single_factor_minimum=True,
)
HERE = {
    (MustChange.STAFF_FLAG, False),
    (MustChange.STAFF_FLAG, True),
    (MustChange.IMPORT_WEAK, False),
    (MustChange.IMPORT_WEAK, True),
    (MustChange.BREACHED, True),
}


@pytest.mark.proves("PAS-16")
@pytest.mark.parametrize(("evidence", "vouched"), list(product(MustChange, [False, True])))
def test_who_may_not_be_the_owner_changes_a_known_password_by_mail_only(evidence: MustChange, vouched: bool) -> None:
    assert change_via(evidence, vouched=vouched) == ("here" if (evidence, vouched) in HERE else "mailbox")


@pytest.mark.proves("PAS-25")
def test_evidence_is_the_only_reason_and_is_kept_with_its_time() -> None:
    assert {evidence.value for evidence in MustChange} == {"breached", "reported", "staff_flag", "import_weak"}
    record = flagged(RECORD, MustChange.STAFF_FLAG, NOW)
    assert (record.must_change, record.must_change_since) == (MustChange.STAFF_FLAG, NOW)
    assert flagged(record, MustChange.STAFF_FLAG, NOW + timedelta(days=1)) == record, "since when stays"


@pytest.mark.proves("PAS-25")
@given(st.lists(st.sampled_from(MustChange), min_size=1), st.booleans())
def test_no_further_evidence_opens_an_easier_way(found: list[MustChange], vouched: bool) -> None:
    record = RECORD
    for evidence in found:
        record = flagged(record, evidence, NOW)
    assert record.must_change is not None
    ways = {change_via(evidence, vouched=vouched) for evidence in found}
    assert change_via(record.must_change, vouched=vouched) == ("mailbox" if "mailbox" in ways else "here")


@pytest.mark.proves("PAS-16")
@pytest.mark.parametrize("evidence", [None, *MustChange])
@pytest.mark.parametrize("unchecked", [False, True])
@pytest.mark.parametrize("at_sign_in", [False, True])
def test_a_right_password_is_looked_up_unless_that_would_change_nothing(
    evidence: MustChange | None, unchecked: bool, at_sign_in: bool
) -> None:
    record = attrs.evolve(RECORD, must_change=evidence, breach_unchecked=unchecked)
    policy = PasswordPolicy(breach=BreachPolicy(at_sign_in=at_sign_in))
    settled = evidence in {MustChange.BREACHED, MustChange.REPORTED}
    assert is_to_be_checked(record, policy) == (not settled and (at_sign_in or unchecked))
    assert not is_to_be_checked(record, PasswordPolicy(breach=None))


@pytest.mark.proves("PAS-15", "PAS-16")
def test_what_the_list_says_of_a_password_that_is_in_use() -> None:
    unchecked = attrs.evolve(RECORD, breach_unchecked=True)
    assert after_check(unchecked, Clean(), NOW) == RECORD
    assert after_check(unchecked, Unchecked(), NOW) == unchecked, "no answer says nothing"
    assert after_check(RECORD, Clean(), NOW) == RECORD
    seen = after_check(unchecked, Seen(3), NOW)
    assert (seen.must_change, seen.must_change_since) == (MustChange.BREACHED, NOW)
    assert not seen.breach_unchecked
