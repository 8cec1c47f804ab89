"""Work that is done twice, by many at once, or again after a crash leaves what one quiet run leaves."""

from collections import Counter
from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import AccountStatus
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.registration import RegistrationForm
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.crashes import walk_crashes
from shopaccounts.testing.races import race

pytestmark = pytest.mark.proves("KER-147")

FORM = RegistrationForm(identifier="", password=PASSWORD)
LEASE = timedelta(minutes=10)
"""After which another worker may do what one that stopped had begun."""


async def waiting(host, accounts=3):
    """A shop with accounts that nobody proved in time, and letters that nobody delivered."""
    builder = ShopBuilder(host=host, entropy=SystemEntropy(), policies=quick_policies(sends=without_gaps()))
    shop = builder.build()
    for number in range(accounts):
        await shop.registration.register(attrs.evolve(FORM, identifier=f"ann{number}@lamp.example"), request_from())
    builder.clock.advance(timedelta(days=31))
    return builder


async def tick(builder, wrap=None):
    builder.clock.advance(LEASE)
    await builder.build(wrap).upkeep.tick()


def left(builder):
    """All that an effect leaves, without what differs by chance: ids, times, and who came first."""
    books = builder.storage.snapshot()["main"].books
    return {
        "customers": Counter((one.status, one.version, one.contacts) for one in books["customers"].values()),
        "told": Counter(event.name for event in books["events"].values()),
        "letters": Counter((one.template, one.state, one.end_reason) for one in books["messages"].values()),
        "tickets, attempts": (len(books["tickets"]), len(books["attempts"])),
    }


async def quiet_run(host, accounts=3):
    builder = await waiting(host, accounts)
    await tick(builder)
    statuses = [one.status for one in builder.storage.snapshot()["main"].books["customers"].values()]
    assert statuses == [AccountStatus.ERASED] * accounts
    return left(builder)


async def test_a_second_round_finds_nothing_left_to_do(host) -> None:
    builder = await waiting(host)
    await tick(builder)
    once = left(builder)
    await tick(builder)
    assert left(builder) == once == await quiet_run(host)


async def test_any_number_of_workers_at_once_do_what_one_does(host) -> None:
    builder = await waiting(host, accounts=12)
    outcomes = await race(8, lambda _: tick(builder))
    assert [outcome.error for outcome in outcomes] == [None] * 8
    await tick(builder)
    assert left(builder) == await quiet_run(host, accounts=12)


async def test_a_worker_that_stops_at_any_call_is_made_good_by_the_next(host) -> None:
    endings = []

    async def world():
        return await waiting(host, accounts=1)

    async def command(builder, wrap):
        await tick(builder, wrap)

    calls = await walk_crashes(world, command, lambda after: endings.append((after.call, left(after.world))))
    quiet = await quiet_run(host, accounts=1)
    assert calls
    assert [(call, end) for call, end in endings if end != quiet] == []
