"""Hashes of older settings are made anew at sign-in; being slower than somebody else in that costs nothing."""

import attrs
import pytest

from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.passwords import PASSWORDS, PasswordPolicy
from shopaccounts.signin import Resumed, SignedIn, SignInRefused
from shopaccounts.testing.builders import PASSWORD, Between, quick_policies, request_from

ANN, HERE = "ann@lamp.example", request_from(agent="a browser")
NEW = "another lamp by the river"
pytestmark = pytest.mark.proves("PAS-31")


def rehashed(builder):
    events = builder.storage.snapshot()[builder.scope.realm].books[EVENTS.name].values()
    return [event.name for event in events].count("passwords.rehashed")


def dearer(builder):
    hashing = attrs.evolve(builder.policies.passwords.hashing, memory_kib=16)
    return quick_policies(passwords=PasswordPolicy(hashing=hashing))


async def test_of_sign_ins_that_meet_one_rehashes_and_all_succeed(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.policies = dearer(builder)
    between = Between(lambda: builder.build().signin.sign_in_with_password(ANN, PASSWORD, HERE))
    step = await builder.build(between).signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert between.happened
    assert isinstance(await shop.sessions.resume(step.session, HERE), Resumed)
    assert (await builder.kept(PASSWORDS, account.id)).version == 2
    assert rehashed(builder) == 1


async def test_being_slower_costs_no_further_try(shop, builder) -> None:
    account = await shop.open_account(ANN)
    for _ in range(4):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    builder.policies = dearer(builder)
    between = Between(lambda: builder.edit(PASSWORDS, account.id, lambda p: p))
    step = await builder.build(between).signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert between.happened
    assert isinstance(step, SignedIn)


async def test_losing_the_race_for_the_hash_never_overwrites_a_newer_password(shop, builder) -> None:
    account = await shop.open_account(ANN)
    change = shop.passwords.change_password
    between = Between(lambda: change(account.session, PASSWORD, NEW, HERE))
    builder.policies = dearer(builder)
    with pytest.raises(SignInRefused):
        await builder.build(between).signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert between.happened
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)
