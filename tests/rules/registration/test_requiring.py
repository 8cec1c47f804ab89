"""For what a visitor needs an account."""

from datetime import UTC, datetime

import pytest

from shopaccounts.customers import AccountStatus, Customer, Origin, Standing
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import CustomerId, RealmId
from shopaccounts.registration import (
    AccountAction,
    AccountNeed,
    AccountNeeded,
    AccountRequirementPolicy,
    Allowed,
    OfferAccount,
    OpenTo,
    RegistrationPolicy,
    needs_account,
)
from shopaccounts.shop import Policies

POLICY = AccountRequirementPolicy(
    by_action={AccountAction.REVIEW: AccountNeed.NEVER, AccountAction.SUBSCRIBE: AccountNeed.REQUIRED}
)


def customer(status):
    return Customer(
        id=CustomerId("ann"),
        realm=RealmId("main"),
        standing=Standing(status=status),
        created_at=datetime(2031, 1, 1, tzinfo=UTC),
        origin=Origin.REGISTRATION,
    )


@pytest.mark.proves("REG-4")
@pytest.mark.parametrize(
    ("action", "guest"),
    [
        (AccountAction.REVIEW, Allowed()),
        (AccountAction.DOWNLOAD, OfferAccount()),
        (AccountAction.SUBSCRIBE, AccountNeeded()),
    ],
)
def test_what_a_guest_may_do_is_a_matter_of_policy(action, guest) -> None:
    assert needs_account(action, None, POLICY) == guest
    for status in AccountStatus:
        has_account = status is AccountStatus.ACTIVE
        assert needs_account(action, customer(status), POLICY) == (Allowed() if has_account else guest)


@pytest.mark.proves("REG-4")
def test_what_lasts_needs_an_account_and_everything_else_offers_one() -> None:
    policy = AccountRequirementPolicy()
    needed = {action for action in AccountAction if needs_account(action, None, policy) == AccountNeeded()}
    assert needed == {AccountAction.SUBSCRIBE, AccountAction.COLLECT_POINTS}


@pytest.mark.proves("REG-4")
def test_nothing_needs_an_account_that_nobody_can_open() -> None:
    closed = RegistrationPolicy(open_to=OpenTo.NOBODY)
    with pytest.raises(BadPolicy):
        Policies(registration=closed)
    optional = AccountRequirementPolicy(by_action=dict.fromkeys(AccountAction, AccountNeed.OPTIONAL))
    assert Policies(registration=closed, requirements=optional).registration is closed
    assert Policies(registration=RegistrationPolicy(open_to=OpenTo.INVITED))
