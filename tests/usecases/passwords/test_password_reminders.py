"""Reminders of old passwords: told to the shop, once in each period, by whichever worker comes first."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.passwords import PASSWORDS
from shopaccounts.signin import SignedIn
from shopaccounts.testing.builders import PASSWORD, quick_policies, request_from

ANN, HERE = "ann@lamp.example", request_from()
YEAR = timedelta(days=365)
WORKER = WorkerId("test")
pytestmark = pytest.mark.proves("PAS-26")


def reminders(builder):
    events = builder.storage.snapshot()[builder.scope.realm].books[EVENTS.name].values()
    return [event for event in events if event.name == "passwords.reminder_due"]


def with_reminders(builder, after):
    policy = attrs.evolve(builder.policies.passwords, remind_after=after)
    return attrs.evolve(builder.policies, passwords=policy)


@pytest.fixture
def yearly(builder):
    """A shop that reminds once a year."""
    builder.policies = with_reminders(builder, YEAR)
    return builder.build()


async def entered(shop):
    """An account whose owner has signed in once."""
    account = await shop.open_account(ANN)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    return account


async def test_a_shop_that_does_not_remind_never_looks(shop, builder) -> None:
    await entered(shop)
    builder.clock.advance(10 * YEAR)
    assert await shop.passwords.remind(100, WORKER) == 0
    assert reminders(builder) == []


async def test_one_event_says_that_an_owner_is_to_be_reminded_and_why(yearly, builder) -> None:
    account = await entered(yearly)
    builder.clock.set((await builder.kept(PASSWORDS, account.id)).set_at + YEAR - timedelta(microseconds=1))
    assert await yearly.passwords.remind(100, WORKER) == 0
    builder.clock.advance(timedelta(microseconds=1))
    assert await yearly.passwords.remind(100, WORKER) == 1
    assert await yearly.passwords.remind(100, WORKER) == 0
    (event,) = reminders(builder)
    assert event.subject == account.id
    assert "passwords.unchanged_for_long" in event.data


async def test_there_is_one_in_each_period(yearly, builder) -> None:
    await entered(yearly)
    for _ in range(3):
        earlier = {event.id for event in reminders(builder)}
        builder.clock.advance(YEAR)
        for _ in range(2):
            await yearly.upkeep.tick()
        assert len({event.id for event in reminders(builder)} - earlier) == 1


async def test_it_stops_nobody_and_changes_nothing_else(yearly, builder) -> None:
    account = await entered(yearly)
    before = await builder.kept(PASSWORDS, account.id)
    builder.clock.advance(YEAR)
    await yearly.passwords.remind(100, WORKER)
    after = await builder.kept(PASSWORDS, account.id)
    assert after.must_change is None
    times = {"reminded_at": None, "remind_at": None, "version": 1}
    assert attrs.evolve(after, **times) == attrs.evolve(before, **times)
    assert isinstance(await yearly.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)


async def test_a_shop_that_begins_to_remind_reaches_everybody_who_signs_in(shop, builder) -> None:
    await entered(shop)
    builder.policies = with_reminders(builder, YEAR)
    begun = builder.build()
    await begun.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    builder.clock.advance(YEAR)
    assert await begun.passwords.remind(100, WORKER) == 1
    assert len(reminders(builder)) == 1


async def test_a_shop_that_stops_reminding_reminds_nobody_more(yearly, builder) -> None:
    account = await entered(yearly)
    builder.policies = quick_policies()
    stopped = builder.build()
    builder.clock.advance(YEAR)
    await stopped.passwords.remind(100, WORKER)
    assert reminders(builder) == []
    assert (await builder.kept(PASSWORDS, account.id)).remind_at is None


async def test_many_workers_remind_once(yearly, builder) -> None:
    await entered(yearly)
    builder.clock.advance(YEAR)
    for worker in ("one", "two", "three"):
        await builder.build().passwords.remind(100, WorkerId(worker))
    assert len(reminders(builder)) == 1
