"""Many change one password, or are reminded of it, at the same moment; on every kind of storage."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.passwords import PASSWORDS, WrongPassword
from shopaccounts.signin import SignedIn, SignInRequired
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.races import assert_one_winner, race

ANN, HERE = "ann@lamp.example", request_from()
pytestmark = pytest.mark.proves("KER-180")


def words(index):
    return f"lamp number {index} of the long winter"


async def told(builder, account):
    rows = await got(builder.storage.open(builder.scope).rows(EVENTS, "subject", account, None, 500))
    return [event.name for event in rows.items]


@pytest.mark.proves("PAS-28", "PAS-20")
async def test_of_many_changes_at_once_one_holds(shop, builder) -> None:
    account = await shop.open_account(ANN)
    steps = [await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE) for _ in range(5)]
    before = len(builder.mailbag.letters)
    outcomes = await race(
        len(steps),
        lambda index: builder.build().passwords.change_password(steps[index].session, PASSWORD, words(index), HERE),
    )
    assert_one_winner(outcomes, WrongPassword, SignInRequired)
    winner = next(index for index, one in enumerate(outcomes) if one.error is None)
    assert (await builder.kept(PASSWORDS, account.id)).version == 2
    assert len(builder.mailbag.letters) == before + 1
    assert (await told(builder, account.id)).count("passwords.changed") == 1
    builder.clock.advance(timedelta(minutes=1))
    assert isinstance(await shop.signin.sign_in_with_password(ANN, words(winner), HERE), SignedIn)


@pytest.mark.proves("PAS-21")
async def test_of_many_first_passwords_at_once_one_holds(shop, builder) -> None:
    account = await shop.open_account(ANN, None)
    outcomes = await race(
        8, lambda index: builder.build().passwords.set_first_password(account.session, words(index), HERE)
    )
    assert_one_winner(outcomes, SignInRequired)
    winner = next(index for index, one in enumerate(outcomes) if one.error is None)
    assert (await builder.kept(PASSWORDS, account.id)).version == 1
    assert isinstance(await shop.signin.sign_in_with_password(ANN, words(winner), HERE), SignedIn)


@pytest.mark.proves("PAS-26")
async def test_many_workers_at_once_remind_once(builder) -> None:
    policy = attrs.evolve(builder.policies.passwords, remind_after=timedelta(days=90))
    builder.policies = attrs.evolve(builder.policies, passwords=policy)
    shop = builder.build()
    account = await shop.open_account(ANN)
    await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    builder.clock.advance(timedelta(days=91))
    outcomes = await race(8, lambda index: builder.build().passwords.remind(10, WorkerId(f"worker {index}")))
    assert [one.error for one in outcomes] == [None] * 8
    assert sum(one.value for one in outcomes) == 1
    assert (await told(builder, account.id)).count("passwords.reminder_due") == 1
