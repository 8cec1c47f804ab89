"""What has to stay when a password or the last second factor goes."""

from datetime import UTC, datetime

import attrs
import pytest

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.passwords import (
    FactorProtectsShortPassword,
    NewPassword,
    NoOtherWayIn,
    PasswordPolicy,
    PasswordRecord,
    StoredHash,
    check_factor_may_go,
    check_password_may_go,
)

LONG = PasswordRecord(
    id=AccountId("anna"),
    realm=RealmId("lampenhaus"),
    hash="$scheme$text",
    set_at=datetime(2031, 3, 1, tzinfo=UTC),
    meets_single_factor_minimum=True,
)
SHORT = attrs.evolve(LONG, meets_single_factor_minimum=False)


def chosen(*, enough: bool) -> NewPassword:
    return NewPassword(stored=StoredHash("$scheme$other"), meets_single_factor_minimum=enough)


@pytest.mark.proves("PAS-22")
def test_a_password_goes_only_if_another_way_in_stays() -> None:
    with pytest.raises(NoOtherWayIn):
        check_password_may_go(frozenset())
    check_password_may_go({"a code by mail"})


@pytest.mark.proves("PAS-23")
def test_the_last_factor_stays_while_it_protects_a_short_password() -> None:
    policy = PasswordPolicy(min_single_factor=20)
    with pytest.raises(FactorProtectsShortPassword) as refused:
        check_factor_may_go(SHORT, policy)
    assert refused.value.min == 20
    check_factor_may_go(LONG, policy)
    check_factor_may_go(None, policy)


@pytest.mark.proves("PAS-23")
def test_a_long_enough_password_that_comes_at_the_same_time_sets_the_factor_free() -> None:
    check_factor_may_go(SHORT, PasswordPolicy(), chosen(enough=True))
    with pytest.raises(FactorProtectsShortPassword):
        check_factor_may_go(LONG, PasswordPolicy(), chosen(enough=False))
