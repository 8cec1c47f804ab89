"""The table of what each status allows, and that the shop does as it says."""

import pytest

from shopaccounts.customers import ABILITIES, CUSTOMERS, Ability, AccountStatus, May, Trigger, may
from shopaccounts.customers.model import HOLDS_SIGN_IN_KEY
from shopaccounts.kernel.answers import got
from shopaccounts.signin import AccountClosing, AccountSuspended, SignedIn, SignInRefused
from shopaccounts.testing.builders import PASSWORD, request_from

ANN, HERE = "ann@lamp.example", request_from()
S = AccountStatus
REACHED = {
    S.PENDING: "pending",
    S.ACTIVE: "active",
    S.SUSPENDED: "suspended",
    S.CLOSING: "closing",
    S.CLOSED: "closed",
}


async def arranged(shop, builder, status):
    account = await shop.arrange(REACHED.get(status, "active"), ANN)
    if status is S.ERASED:
        await builder.step(account, Trigger.ERASE)
    elif status is S.MERGED:
        await builder.step(account, Trigger.MERGE)
    return account


async def signs_in(shop):
    try:
        return await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    except SignInRefused:
        return None


@pytest.mark.proves("CUS-16")
def test_the_table_answers_for_every_status_and_ability() -> None:
    assert {(status, ability) for status in S for ability in Ability} == {
        (status, ability) for ability, row in ABILITIES.items() for status in row
    }


@pytest.mark.proves("CUS-16", "CUS-14", "SIG-2", "SIG-3")
@pytest.mark.parametrize("status", [status for status in S if status is not S.GUEST])
async def test_sign_in_does_as_the_table_says(shop, builder, status) -> None:
    await arranged(shop, builder, status)
    step = await signs_in(shop)
    answer = may(status, Ability.SIGN_IN)
    assert isinstance(step, SignedIn) is (answer is May.YES)
    assert isinstance(step, AccountClosing) is (answer is May.TO_STAY)
    told = isinstance(step, AccountSuspended)
    assert told is (status is S.SUSPENDED), "only who gave the right password of a stopped account learns of it"
    if answer in {May.NO, May.BY_POLICY} and not told:
        assert step is None


@pytest.mark.proves("CUS-16", "SIG-2")
@pytest.mark.parametrize("status", [status for status in S if status is not S.GUEST])
async def test_without_the_password_nobody_tells_the_statuses_apart(shop, builder, status) -> None:
    await arranged(shop, builder, status)
    with pytest.raises(SignInRefused) as refused:
        await shop.signin.sign_in_with_password(ANN, "not the password of ann", HERE)
    assert repr(refused.value) == repr(SignInRefused())
    if may(status, Ability.LOOK_UNKNOWN) is May.YES:
        assert isinstance(await signs_in(shop), AccountSuspended | None)


@pytest.mark.proves("CUS-16")
@pytest.mark.parametrize("status", S)
async def test_who_holds_the_sign_in_address_is_as_the_table_says(shop, builder, status) -> None:
    holds = may(status, Ability.HOLD_SIGN_IN_KEY) is May.YES
    assert holds is (status in HOLDS_SIGN_IN_KEY)
    if status is S.GUEST:
        return
    await arranged(shop, builder, status)
    store = builder.storage.open(builder.scope)
    assert (await got(store.find(CUSTOMERS, f"email {ANN}", by="login_contact")) is not None) is holds


@pytest.mark.proves("CUS-16", "CUS-20")
@pytest.mark.parametrize("status", REACHED)
async def test_registering_opens_a_new_account_where_the_address_is_free(shop, builder, status) -> None:
    old = await arranged(shop, builder, status)
    new = await shop.arrange("pending", ANN)
    owned = status in {S.ACTIVE, S.SUSPENDED, S.CLOSING}
    template = builder.mailbag.last.template
    assert (template == "registration.verify_contact") is (not owned)
    if not owned:
        assert (new != old) is (may(status, Ability.HOLD_SIGN_IN_KEY) is May.NO)


@pytest.mark.proves("CUS-16")
@pytest.mark.parametrize("status", REACHED)
async def test_only_who_may_sign_in_gets_a_reset_link(shop, builder, status) -> None:
    await arranged(shop, builder, status)
    await shop.recovery.request_reset(ANN, HERE)
    letter = builder.mailbag.last
    is_link = letter.deliver and letter.template == "recovery.reset_password"
    assert is_link is (may(status, Ability.SIGN_IN) is May.YES)
