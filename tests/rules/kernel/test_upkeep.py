from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.record import Change, Once, Receipt
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.tickets import TICKETS, mint
from shopaccounts.kernel.time import FixedClock
from shopaccounts.recovery.deciding import RESET
from shopaccounts.testing.doubles import ScriptedEntropy
from shopaccounts.upkeep import PAGE, TickReport, Upkeep

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


class Backlog:
    """Work of a context: so much in all, so much on each page; each page takes a second."""

    def __init__(self, clock, total, lapsed=0):
        self.clock, self.total, self.pages, self.lapsed = clock, total, [], lapsed

    def page(self, limit):
        done = min(limit, self.total)
        self.total -= done
        self.pages.append(done)
        self.clock.advance(SECOND)
        return done

    async def deliver_pending(self, limit):
        return SimpleNamespace(handled=self.page(limit))

    async def task(self, limit, _worker):
        return self.page(limit)

    async def prune(self, limit):
        gone = min(limit, self.lapsed)
        self.lapsed -= gone
        return gone


@pytest.fixture
def clock():
    return FixedClock(NOW)


@pytest.fixture
def upkeep(storage, scope, clock):
    store = storage.open(scope)
    desk = Desk(scope=scope, records=store, clock=clock, entropy=ScriptedEntropy(), bell=SilentBell())
    idle: Any = Backlog(clock, 0)
    return Upkeep(desk=desk, records=store, storage=storage, relay=idle, tasks=(idle.task,))


async def issue(upkeep, *lives):
    tickets = [
        mint(
            RESET, realm=upkeep.desk.scope.realm, subject=f"account-{n}", bound="", stamps=Stamps(), life=life,
            now=upkeep.desk.now(), entropy=upkeep.desk.entropy,
        )[0]
        for n, life in enumerate(lives)
    ]  # fmt: skip
    await upkeep.desk.record(Change(writes=tuple(TICKETS.add(ticket) for ticket in tickets)))
    return tickets


class TestTick:
    @pytest.mark.proves("REL-14")
    async def test_where_nothing_is_due_it_is_done_at_once(self, upkeep):
        assert await upkeep.tick() == TickReport()

    @pytest.mark.proves("REL-14")
    async def test_it_goes_on_page_by_page_until_nothing_is_left(self, upkeep, clock):
        relay, few, many = Backlog(clock, 2 * PAGE + 1), Backlog(clock, 3), Backlog(clock, 4 * PAGE)
        report = await attrs.evolve(upkeep, relay=relay, tasks=(few.task, many.task)).tick()
        assert report == TickReport(delivered=2 * PAGE + 1, worked=4 * PAGE + 3)
        assert relay.pages == [PAGE, PAGE, 1, 0, 0]
        assert few.pages == [3, 0, 0, 0, 0]

    @pytest.mark.proves("REL-14")
    async def test_it_stops_between_pages_when_its_time_is_spent_and_says_so(self, upkeep, clock):
        relay = Backlog(clock, 100 * PAGE)
        busy = attrs.evolve(upkeep, relay=relay)
        report = await busy.tick(10 * SECOND)
        assert not report.finished
        assert report.delivered == 5 * PAGE
        assert clock.now() == NOW + 10 * SECOND
        assert (await busy.tick(HOUR)).delivered == 95 * PAGE

    @pytest.mark.proves("REL-14")
    async def test_without_any_time_it_still_does_one_page_of_everything(self, upkeep, clock):
        relay, one, other = (Backlog(clock, 2 * PAGE) for _ in range(3))
        report = await attrs.evolve(upkeep, relay=relay, tasks=(one.task, other.task)).tick(timedelta(0))
        assert report == TickReport(delivered=PAGE, worked=2 * PAGE, finished=False)

    @pytest.mark.proves("REL-14", "REL-13")
    async def test_what_the_relay_has_kept_long_enough_goes_too(self, upkeep, clock):
        report = await attrs.evolve(upkeep, relay=Backlog(clock, 0, lapsed=PAGE + 2)).tick()
        assert report == TickReport(purged=PAGE + 2)

    @pytest.mark.proves("REL-14", "KER-134")
    async def test_a_ticket_is_removed_a_month_after_its_end_so_that_used_stays_tellable_till_then(self, upkeep, clock):
        over, running = await issue(upkeep, HOUR, 3 * DAY)
        clock.advance(30 * DAY + HOUR - 10 * SECOND)
        assert (await upkeep.tick()).purged == 0
        clock.advance(20 * SECOND)
        assert (await upkeep.tick()).purged == 1
        assert await stored(upkeep, over) is None
        assert await stored(upkeep, running) == running

    @pytest.mark.proves("REL-14", "KER-196")
    async def test_a_marker_a_receipt_and_a_counter_go_a_day_after_their_end(self, upkeep, storage, scope, clock):
        end = NOW + HOUR
        once = Once(namespace="toys", key="k", now=NOW, keep_until=end)
        receipt = Receipt(namespace="toys", key="k", body_hash="b", result=b"answer", keep_until=end)
        await upkeep.desk.record(Change(once=(once,), receipt=receipt))
        await got(storage.counters(scope).add("k", 1, NOW, end))
        clock.advance(HOUR + DAY - 10 * SECOND)
        assert (await upkeep.tick()).purged == 0
        clock.advance(20 * SECOND)
        assert (await upkeep.tick()).purged == len(("marker", "receipt", "counter"))
        assert not await got(storage.counters(scope).read("k"))


async def stored(upkeep, ticket):
    found = await got(upkeep.records.find(TICKETS, ticket.id))
    return found.it if found else None
