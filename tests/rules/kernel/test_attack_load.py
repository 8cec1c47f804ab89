"""Counters stand an attack: who has to wait costs one read, and what strangers made up goes away by itself."""

from datetime import UTC, datetime, timedelta

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.limits import Held, Limit, Throttle, Wait, Window
from shopaccounts.testing.recording import Recorder

pytestmark = pytest.mark.proves("KER-155")

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WAIT = Wait(free=2, base=timedelta(minutes=1), cap=timedelta(hours=1), forget_after=DAY)
WINDOW = Window(limit=2, per=timedelta(hours=1))
READ = [("counters", "read")]


@pytest.mark.parametrize("rule", [WAIT, WINDOW])
async def test_an_attempt_that_has_to_wait_costs_one_read_and_no_write(storage, scope, rule):
    recorder = Recorder()
    throttle = Throttle(recorder(storage).counters(scope))
    limit, fresh = Limit("k", rule), Limit("fresh", rule)
    for _ in range(3):
        await throttle.charge(limit, now=NOW)
    for behind, limits in (((), (limit,)), ((limit,), (fresh,)), ((), (fresh, limit))):
        for _ in range(20):
            recorder.trace.clear()
            assert isinstance(await throttle.charge(*limits, now=NOW, behind=behind), Held)
            assert recorder.trace == READ


@pytest.mark.parametrize("rule", [WAIT, WINDOW])
async def test_what_several_limits_admit_costs_one_read_and_one_write(storage, scope, rule):
    recorder = Recorder()
    throttle = Throttle(recorder(storage).counters(scope))
    for _ in range(2):
        recorder.trace.clear()
        await throttle.charge(*(Limit(key, rule) for key in "abc"), now=NOW, behind=[Limit("d", rule)])
        assert recorder.trace == [*READ, ("counters", "swap")]


@pytest.mark.parametrize("rule", [WAIT, WINDOW])
async def test_what_was_counted_for_names_that_nobody_has_lapses(storage, scope, rule):
    throttle = Throttle(storage.counters(scope))
    for n in range(10):
        await throttle.charge(Limit(f"unknown-{n}", rule), now=NOW)
    assert await got(storage.purge_lapsed(NOW + timedelta(hours=1), 100)) == 0
    assert await got(storage.purge_lapsed(NOW + 3 * DAY, 100)) == 10
