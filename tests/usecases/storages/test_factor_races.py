"""Sixteen give one code at the same moment, and sixteen give different ones; on every kind of storage."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.limits import Wait
from shopaccounts.signin import (
    AUTHENTICATORS,
    AttemptPolicy,
    CodeWrong,
    EnrolmentEnded,
    ProgressEnded,
    RecoveryCodeAnswer,
    SecondFactorNeeded,
    SignedIn,
    SignInRequired,
    TotpCode,
)
from shopaccounts.testing.apps import AuthenticatorApp, enrol_app
from shopaccounts.testing.builders import PASSWORD, quick_policies, request_from, without_gaps
from shopaccounts.testing.races import assert_one_winner, race

ANN, HERE = "ann@lamp.example", request_from()
CROWD = 16
PATIENT = Wait(free=200, base=timedelta(seconds=30), cap=timedelta(hours=1), forget_after=timedelta(hours=24))
EAGER = AttemptPolicy(password=PATIENT, factor=PATIENT, recovery_code=PATIENT, network=PATIENT)
pytestmark = pytest.mark.proves("KER-180")


async def protected(builder):
    """An account with an app, in a shop in which only who loses too many swaps of a counter has to wait."""
    builder.policies = quick_policies(sends=without_gaps(), attempts=EAGER)
    shop = builder.build()
    account = await shop.open_account(ANN)
    return shop, account, await enrol_app(shop.factors, account.session, HERE, builder.clock)


async def half_way(shop):
    """Each of the crowd has given the password, in a browser of its own."""
    steps = [await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE) for _ in range(CROWD)]
    assert all(isinstance(step, SecondFactorNeeded) for step in steps)
    return [(step.progress, attrs.evolve(HERE, binding=step.set_cookies[0].value)) for step in steps]


@pytest.mark.proves("SIG-8", "SIG-36")
async def test_of_sixteen_that_sign_in_with_one_code_of_an_app_one_gets_in(builder) -> None:
    shop, _, enrolled = await protected(builder)
    waiting, code = await half_way(shop), enrolled.app.next_code()

    async def give(index):
        progress, there = waiting[index]
        return await shop.second_step.give_second_factor(progress, TotpCode(code), there)

    assert isinstance(assert_one_winner(await race(CROWD, give), CodeWrong, Throttled), SignedIn)


@pytest.mark.proves("SIG-8", "SIG-41")
async def test_of_sixteen_that_sign_in_with_one_recovery_code_one_gets_in(builder) -> None:
    shop, account, enrolled = await protected(builder)
    waiting, code = await half_way(shop), enrolled.recovery_codes[0]

    async def give(index):
        progress, there = waiting[index]
        return await shop.second_step.give_second_factor(progress, RecoveryCodeAnswer(code), there)

    assert isinstance(assert_one_winner(await race(CROWD, give), CodeWrong, Throttled), SignedIn)
    row = await builder.kept(AUTHENTICATORS, account.id)
    assert row.recovery_codes.left == 9


@pytest.mark.proves("SIG-41")
async def test_different_recovery_codes_at_once_are_all_spent_and_all_get_in(builder) -> None:
    shop, account, enrolled = await protected(builder)
    waiting = await half_way(shop)

    async def give(index):
        progress, there = waiting[index]
        answer = RecoveryCodeAnswer(enrolled.recovery_codes[index])
        return await shop.second_step.give_second_factor(progress, answer, there)

    outcomes = await race(8, give)
    assert [type(outcome.value) for outcome in outcomes] == [SignedIn] * 8, outcomes
    assert (await builder.kept(AUTHENTICATORS, account.id)).recovery_codes.left == 2


@pytest.mark.proves("SIG-30", "SIG-37")
async def test_of_sixteen_that_confirm_one_app_one_adds_it(builder) -> None:
    builder.policies = quick_policies(sends=without_gaps(), attempts=EAGER)
    shop = builder.build()
    account = await shop.open_account(ANN)
    started = await shop.factors.start_totp(account.session, "", HERE)
    code = AuthenticatorApp(started.uri, builder.clock).code()

    async def confirm(_):
        return await shop.factors.confirm_totp(account.session, code, HERE)

    assert_one_winner(await race(CROWD, confirm), SignInRequired, EnrolmentEnded, CodeWrong, Throttled)
    row = await builder.kept(AUTHENTICATORS, account.id)
    assert (len(row.factors), row.recovery_codes.left) == (1, 10)


@pytest.mark.proves("SIG-43")
async def test_of_sixteen_that_renew_recovery_codes_one_set_is_left(builder) -> None:
    shop, account, enrolled = await protected(builder)
    session = (await shop.signin.confirm_identity(enrolled.session, PASSWORD, HERE)).session
    session = (await shop.signin.confirm_identity(session, TotpCode(enrolled.app.next_code()), HERE)).session

    async def renew(_):
        return await shop.factors.renew_recovery_codes(session, HERE)

    winner = assert_one_winner(await race(CROWD, renew), SignInRequired)
    session = winner.next_value.session
    for code in winner.recovery_codes:
        session = (await shop.signin.confirm_identity(session, RecoveryCodeAnswer(code.reveal()), HERE)).session
    assert (await builder.kept(AUTHENTICATORS, account.id)).recovery_codes.left == 0


@pytest.mark.proves("SIG-11", "SIG-8")
async def test_one_half_done_sign_in_lets_in_once_whatever_right_answers_come(builder) -> None:
    shop, account, enrolled = await protected(builder)
    (progress, there), *_ = await half_way(shop)
    codes = enrolled.recovery_codes

    async def give(index):
        answer = RecoveryCodeAnswer(codes[index % len(codes)])
        return await builder.build().second_step.give_second_factor(progress, answer, there)

    assert isinstance(assert_one_winner(await race(CROWD, give), ProgressEnded, CodeWrong, Throttled), SignedIn)
    row = await builder.kept(AUTHENTICATORS, account.id)
    assert row.recovery_codes.left == len(codes) - 1


@pytest.mark.proves("SIG-11", "KER-244")
async def test_sixteen_guesses_at_once_get_five_answers_at_most(builder) -> None:
    shop, _, _ = await protected(builder)
    (progress, there), *_ = await half_way(shop)

    async def guess(index):
        return await builder.build().second_step.give_second_factor(progress, TotpCode(f"{index:06}"), there)

    outcomes = await race(CROWD, guess)
    assert sum(isinstance(one.error, CodeWrong) for one in outcomes) == 5
    assert all(isinstance(one.error, CodeWrong | ProgressEnded) for one in outcomes)
