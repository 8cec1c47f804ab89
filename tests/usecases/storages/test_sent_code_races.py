"""Sixteen use one code, or one link, or guess, at the same moment; on every kind of storage."""

import attrs
import pytest

from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.messages import Channel
from shopaccounts.signin import (
    CodeExhausted,
    CodeSignInPolicy,
    CodeWrong,
    SignedIn,
    SignInLinkUsed,
)
from shopaccounts.testing.builders import quick_policies, request_from, without_gaps
from shopaccounts.testing.races import assert_one_winner, race

ANN, HERE, CROWD = "ann@lamp.example", request_from(), 16
LATE = (SignInLinkUsed, Throttled)
"""Of many who are counted at the same moment, the last may be told to wait a second."""


async def asked(builder):
    shop = builder.build()
    await shop.open_account(ANN)
    sent = await shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, HERE)
    return sent, builder.mailbag.last


def from_browser(sent):
    return attrs.evolve(HERE, binding=sent.set_cookies[0].value)


@pytest.fixture
def impatient(builder):
    """A shop that lets many guess at once, so that nothing but the code itself counts them."""
    waits = attrs.evolve(CodeSignInPolicy().waits, free=CROWD + 1)
    builder.policies = quick_policies(sends=without_gaps(), code_sign_in=CodeSignInPolicy(waits=waits))
    return builder


@pytest.mark.proves("KER-236", "KER-180", "SIG-8")
async def test_one_code_signs_in_once(impatient) -> None:
    sent, letter = await asked(impatient)
    signing_in = lambda _: impatient.build().code_signin.sign_in_with_code(sent.handle, letter.code, HERE)  # noqa: E731
    winner = assert_one_winner(await race(CROWD, signing_in), *LATE)
    assert isinstance(winner, SignedIn)


@pytest.mark.proves("KER-236", "KER-180", "SIG-8", "SIG-16")
async def test_one_link_signs_in_once_and_its_code_never_besides(impatient) -> None:
    sent, letter = await asked(impatient)

    async def either(index):
        face = impatient.build().code_signin
        if index % 2:
            return await face.sign_in_with_code(sent.handle, letter.code, HERE)
        return await face.sign_in_with_link(letter.token, from_browser(sent))

    winner = assert_one_winner(await race(CROWD, either), *LATE)
    assert isinstance(winner, SignedIn)


@pytest.mark.proves("KER-244", "KER-180")
async def test_of_many_guesses_at_once_five_are_answered(impatient) -> None:
    sent, _ = await asked(impatient)
    guessing = lambda _: impatient.build().code_signin.sign_in_with_code(sent.handle, "nonsense", HERE)  # noqa: E731
    errors = [outcome.error for outcome in await race(CROWD, guessing)]
    left = sorted(error.tries_left or 0 for error in errors if isinstance(error, CodeWrong))
    assert left == [0, 1, 2, 3, 4]
    assert sum(isinstance(error, CodeExhausted | Throttled) for error in errors) == CROWD - 5


@pytest.mark.proves("KER-260", "KER-263", "KER-180")
async def test_of_many_guesses_at_once_the_account_admits_five(builder) -> None:
    sent, _ = await asked(builder)
    guessing = lambda _: builder.build().code_signin.sign_in_with_code(sent.handle, "nonsense", HERE)  # noqa: E731
    errors = [outcome.error for outcome in await race(CROWD, guessing)]
    assert sum(isinstance(error, CodeWrong) for error in errors) <= 5
    assert sum(isinstance(error, Throttled) for error in errors) >= CROWD - 5


@pytest.mark.proves("KER-245", "KER-180")
async def test_resending_while_others_guess_gives_no_guess_more(impatient) -> None:
    sent, _ = await asked(impatient)

    async def either(index):
        face = impatient.build().code_signin
        if index % 4 == 0:
            return await face.resend_code(sent.handle, HERE)
        return await face.sign_in_with_code(sent.handle, "nonsense", HERE)

    outcomes = await race(CROWD, either)
    wrong = [outcome.error for outcome in outcomes if isinstance(outcome.error, CodeWrong)]
    assert len(wrong) == 5
