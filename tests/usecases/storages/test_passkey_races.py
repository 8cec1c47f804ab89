"""Sixteen do the same with one passkey at the same moment; on every kind of storage."""

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import (
    AUTHENTICATORS,
    SESSIONS,
    CodeWrong,
    PasskeyPolicy,
    PasskeyRefused,
    PasskeyTaken,
    SignedIn,
    SignInRequired,
)
from shopaccounts.testing.authenticator import SoftwareAuthenticator
from shopaccounts.testing.builders import request_from
from shopaccounts.testing.doubles import ScriptedEntropy
from shopaccounts.testing.races import assert_one_winner, race

ANN = "ann@lamp.example"
HERE = request_from(agent="a browser", browser=Secret("the browser at home, quite long"))
PASSKEYS = PasskeyPolicy(rp_id="lampenhaus.example", rp_name="Lampenhaus", origins=("https://lampenhaus.example",))
CROWD, FEW = 16, 8
pytestmark = pytest.mark.proves("KER-180")


@pytest.fixture
def shop(builder):
    builder.policies = attrs.evolve(builder.policies, passkeys=PASSKEYS)
    return builder.build()


def device(seed="mine"):
    return SoftwareAuthenticator(entropy=ScriptedEntropy(seed))


async def listed(builder, book, group, value):
    return (await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))).items


async def ann_with(shop, mine):
    account = await shop.open_account(ANN)
    asked = await shop.passkeys.start_adding(account.session, HERE)
    await shop.passkeys.add_passkey(account.session, asked.handle, mine.create(asked.options), "phone", HERE)
    return account


@pytest.mark.proves("SIG-7", "SIG-8", "SIG-20", "SIG-24")
async def test_one_answer_signs_in_once(shop, builder) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    before = len(await listed(builder, SESSIONS, "account", account.id))
    asked = await shop.passkey_signin.passkey_options(HERE)
    answer = mine.get(asked.options)
    outcomes = await race(
        CROWD, lambda _: builder.build().passkey_signin.sign_in_with_passkey(asked.handle, answer, HERE)
    )
    assert isinstance(assert_one_winner(outcomes, PasskeyRefused, Throttled), SignedIn)
    assert {one.error.reason for one in outcomes if isinstance(one.error, PasskeyRefused)} == {"over"}
    assert len(await listed(builder, SESSIONS, "account", account.id)) == before + 1
    (kept,) = (await builder.kept(AUTHENTICATORS, account.id)).passkeys
    assert kept.counter == 1


@pytest.mark.proves("SIG-8", "SIG-24")
async def test_as_many_answers_as_were_asked_for_sign_in_and_the_counter_is_the_highest(shop, builder) -> None:
    mine = device()
    account = await ann_with(shop, mine)
    answers = []
    for _ in range(FEW):
        asked = await shop.passkey_signin.passkey_options(HERE)
        answers.append((asked.handle, mine.get(asked.options)))
    outcomes = await race(FEW, lambda index: builder.build().passkey_signin.sign_in_with_passkey(*answers[index], HERE))
    assert all(isinstance(one.value, SignedIn) for one in outcomes), outcomes
    (kept,) = (await builder.kept(AUTHENTICATORS, account.id)).passkeys
    assert kept.counter == FEW


@pytest.mark.proves("SIG-20", "SIG-22")
async def test_one_question_adds_one_passkey(shop, builder) -> None:
    account = await shop.open_account(ANN)
    asked = await shop.passkeys.start_adding(account.session, HERE)
    answers = [device(f"device {index}").create(asked.options) for index in range(CROWD)]
    outcomes = await race(
        CROWD,
        lambda index: builder.build().passkeys.add_passkey(account.session, asked.handle, answers[index], "x", HERE),
    )
    assert_one_winner(outcomes, PasskeyRefused, SignInRequired)
    assert len((await builder.kept(AUTHENTICATORS, account.id)).passkeys) == 1
    told = [event.name for event in await listed(builder, EVENTS, "subject", account.id)]
    assert told.count("signin.passkey_added") == 1


@pytest.mark.proves("SIG-22")
async def test_one_passkey_goes_to_one_of_many_accounts(shop, builder) -> None:
    accounts = [await shop.open_account(f"customer{index}@lamp.example") for index in range(4)]
    asked = []
    for account in accounts:
        question = await shop.passkeys.start_adding(account.session, HERE)
        asked.append((account.session, question.handle, device().create(question.options)))
    outcomes = await race(4, lambda index: builder.build().passkeys.add_passkey(*asked[index], "x", HERE))
    assert_one_winner(outcomes, PasskeyTaken)


@pytest.mark.proves("SIG-47")
async def test_one_code_for_another_device_is_answered_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    binding = await shop.another_device.start_device_binding(account.session, HERE)
    code = binding.code.reveal()
    outcomes = await race(4, lambda _: builder.build().another_device.start_adding(ANN, code, HERE))
    asked = assert_one_winner(outcomes, CodeWrong)
    answers = [device(f"device {index}").create(asked.options) for index in range(CROWD)]
    outcomes = await race(
        CROWD, lambda index: builder.build().another_device.add_passkey(asked.handle, answers[index], "x", HERE)
    )
    assert_one_winner(outcomes, PasskeyRefused)
    assert len((await builder.kept(AUTHENTICATORS, account.id)).passkeys) == 1
