"""A passkey that has opened the door is no second step of the same sign-in."""

import pytest

from shopaccounts.signin import CodeWrong, PasskeyAnswer, SecondFactorNeeded, SignedIn
from shopaccounts.testing.authenticator import Bends
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from tests.usecases.signin.test_passkeys import HERE, PASSKEYS, add, ann_with, device, sign_in

UNSEEN = Bends(user_verified=False)


@pytest.fixture
def builder(host: str):
    """A shop with passkeys."""
    return ShopBuilder(host=host, policies=quick_policies(passkeys=PASSKEYS))


@pytest.mark.proves("SIG-1", "SIG-20")
async def test_a_passkey_that_did_not_verify_its_user_takes_another_one_and_not_itself(shop) -> None:
    first, second = device("first"), device("second")
    await ann_with(shop, first)
    signed_in = await sign_in(shop, first)
    await add(shop, signed_in.session, second)
    step = await sign_in(shop, first, UNSEEN)
    assert isinstance(step, SecondFactorNeeded)
    (held,) = first.held
    asked = await shop.passkey_signin.step_options(step.progress, HERE)
    with pytest.raises(CodeWrong):
        await shop.second_step.give_second_factor(
            step.progress, PasskeyAnswer(asked.handle, first.get(asked.options, held=held)), HERE
        )
    asked = await shop.passkey_signin.step_options(step.progress, HERE)
    answer = PasskeyAnswer(asked.handle, second.get(asked.options))
    assert isinstance(await shop.second_step.give_second_factor(step.progress, answer, HERE), SignedIn)
