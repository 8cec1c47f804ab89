"""What counters and leases promise."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import timedelta

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Defect, StaleWrite
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import Counted, Counters, Lease, Leases, Storage, Swap
from shopaccounts.kernel.record import Change, LeaseGuard, Recorded
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import refused
from shopaccounts.testing.toys import NOW

__all__ = ["CountersContract", "LeasesContract"]

HOUR = timedelta(hours=1)
ONE, OTHER = WorkerId("one"), WorkerId("other")


class CountersContract:
    """A state is replaced only by who has seen it, and no addition is lost.

    Give the fixture ``storage``; only its counters are used.
    """

    @pytest.fixture
    def counters(self, storage: Storage, scope: Scope) -> Counters:
        """Open the counters of a realm of its own."""
        return storage.counters(scope)

    @staticmethod
    async def seen(counters: Counters, key: str = "k") -> Counted:
        """Answer a state that is there."""
        return (await got(counters.read(key)))[key]

    @pytest.mark.proves("KER-150", "KER-151")
    async def test_a_state_comes_back_as_it_went_in(self, counters: Counters) -> None:
        for n, state in enumerate((b"", b"\0", bytes(range(256)), b"x" * 256)):
            assert not await got(counters.read(f"k{n}"))
            assert await got(counters.swap(Swap(f"k{n}", None, state, NOW + HOUR))) == {f"k{n}"}
            assert (await self.seen(counters, f"k{n}")).state == state

    @pytest.mark.proves("KER-150")
    async def test_several_states_are_read_at_once_and_those_that_are_absent_are_left_out(
        self, counters: Counters
    ) -> None:
        assert await got(counters.read()) == {}
        await got(counters.swap(Swap("a", None, b"1", NOW + HOUR), Swap("b", None, b"2", NOW + HOUR)))
        await got(counters.add("sum", 7, NOW, NOW + HOUR))
        read = await got(counters.read("b", "sum", "absent", "a"))
        assert {key: seen.state for key, seen in read.items()} == {"a": b"1", "b": b"2", "sum": b"7"}
        assert {key: await self.seen(counters, key) for key in read} == read

    @pytest.mark.proves("KER-151")
    async def test_a_state_of_more_than_256_bytes_is_a_defect(self, counters: Counters) -> None:
        await refused(Defect, counters.swap, Swap("k", None, b"x" * 257, NOW + HOUR))
        assert not await got(counters.read("k"))
        assert await got(counters.swap(Swap("k", None, b"x" * 256, NOW + HOUR)))
        first = await self.seen(counters)
        small, large = Swap("other", None, b"x", NOW + HOUR), Swap("k", first.revision, b"y" * 257, NOW + HOUR)
        await refused(Defect, counters.swap, small, large)
        assert await got(counters.read("k", "other")) == {"k": first}

    @pytest.mark.proves("KER-150")
    async def test_a_state_is_replaced_only_by_who_has_seen_it(self, counters: Counters) -> None:
        assert not await got(counters.swap(Swap("k", 1, b"a", NOW + HOUR)))
        assert not await got(counters.read("k"))
        assert await got(counters.swap(Swap("k", None, b"a", NOW + HOUR))) == {"k"}
        assert not await got(counters.swap(Swap("k", None, b"b", NOW + HOUR)))
        first = (await self.seen(counters)).revision
        assert await got(counters.swap(Swap("k", first, b"b", NOW + HOUR))) == {"k"}
        assert not await got(counters.swap(Swap("k", first, b"c", NOW + HOUR)))
        seen = await self.seen(counters)
        assert (seen.state, seen.revision != first) == (b"b", True)

    @pytest.mark.proves("KER-150")
    async def test_of_several_states_each_is_replaced_by_itself(self, counters: Counters) -> None:
        assert await got(counters.swap()) == frozenset()
        await got(counters.swap(*(Swap(key, None, b"old", NOW + HOUR) for key in ("kept", "moved", "mov\0ing"))))
        read = await got(counters.read("kept", "moved", "mov\0ing"))
        await got(counters.swap(Swap("moved", read["moved"].revision, b"theirs", NOW + HOUR)))
        seen = [(key, read[key].revision) for key in ("mov\0ing", "moved")] + [
            (key, None) for key in ("new", "kept", "n\\0wer")
        ]
        swaps = [Swap(key, revision, f"our {key}".encode(), NOW + HOUR) for key, revision in seen]
        assert await got(counters.swap(*swaps)) == {"mov\0ing", "new", "n\\0wer"}
        read = await got(counters.read("kept", "moved", "mov\0ing", "new", "n\\0wer"))
        ours = {key: f"our {key}".encode() for key in ("mov\0ing", "new", "n\\0wer")}
        assert {key: seen.state for key, seen in read.items()} == {"kept": b"old", "moved": b"theirs"} | ours

    @pytest.mark.proves("KER-150")
    async def test_what_is_forgotten_is_absent_and_whatever_else_there_is_stays(self, counters: Counters) -> None:
        await got(counters.clear("k"))
        await got(counters.swap(Swap("k", None, b"a", NOW + HOUR), Swap("other", None, b"b", NOW + HOUR)))
        other = await self.seen(counters, "other")
        await got(counters.add("sum", 3, NOW, NOW + HOUR))
        for gone in ("k", "sum"):
            await got(counters.clear(gone))
        assert await got(counters.read("k", "sum", "other")) == {"other": other}
        assert await got(counters.add("sum", 1, NOW, NOW + HOUR)) == 1

    @pytest.mark.proves("KER-150", "KER-192")
    async def test_a_state_that_was_forgotten_and_set_anew_is_another_one(self, counters: Counters) -> None:
        await got(counters.swap(Swap("k", None, b"a", NOW + HOUR)))
        first = (await self.seen(counters)).revision
        await got(counters.clear("k"))
        assert not await got(counters.swap(Swap("k", first, b"b", NOW + HOUR)))
        await got(counters.swap(Swap("k", None, b"a", NOW + HOUR)))
        assert not await got(counters.swap(Swap("k", first, b"b", NOW + HOUR)))

    @pytest.mark.proves("KER-151")
    async def test_whatever_is_read_can_be_swapped_lapsed_or_not(self, counters: Counters) -> None:
        await got(counters.swap(Swap("k", None, b"a", NOW)))
        seen = (await got(counters.read("k"))).get("k")
        assert await got(counters.swap(Swap("k", seen.revision if seen else None, b"b", NOW + HOUR)))

    @pytest.mark.proves("KER-150")
    async def test_amounts_add_up(self, counters: Counters) -> None:
        sums = [await got(counters.add("k", amount, NOW, NOW + HOUR)) for amount in (1, 5, 0, -2, 2**40)]
        assert sums == [1, 6, 6, 4, 4 + 2**40]
        assert await got(counters.add("other", 1, NOW, NOW + HOUR)) == 1

    @pytest.mark.proves("KER-151")
    async def test_a_sum_that_lapsed_counts_as_nothing(self, counters: Counters) -> None:
        await got(counters.add("k", 5, NOW, NOW + HOUR))
        kept = await got(counters.add("k", 1, NOW + HOUR - timedelta(microseconds=1), NOW + 2 * HOUR))
        anew = await got(counters.add("k", 1, NOW + 2 * HOUR, NOW + 3 * HOUR))
        assert (kept, anew) == (6, 1)

    @pytest.mark.proves("KER-150")
    async def test_keys_that_look_alike_are_different_counters(self, counters: Counters) -> None:
        keys = ["pw:ann", "PW:ann", "pw:ann ", "pw:ánn", "pw:%", "pw:\\0", "pw:\0"]
        assert [await got(counters.add(key, n, NOW, NOW + HOUR)) for n, key in enumerate(keys)] == list(
            range(len(keys))
        )
        read = await got(counters.read(*keys, "pw:Ann"))
        assert {key: seen.state for key, seen in read.items()} == {key: b"%d" % n for n, key in enumerate(keys)}

    @pytest.mark.proves("KER-153")
    async def test_counters_say_whether_they_outlive_a_restart(
        self, counters: Counters, storage: Storage, scope: Scope
    ) -> None:
        assert counters.volatile in {True, False}
        await got(counters.add("k", 1, NOW, NOW + HOUR))
        assert await got(storage.counters(scope).add("k", 1, NOW, NOW + HOUR)) == len(("once", "twice"))


class LeasesContract:
    """A lease has one holder at a time, and whoever is late renews and guards nothing.

    Give the fixture ``storage``.
    """

    @pytest.fixture
    def leases(self, storage: Storage, scope: Scope) -> Leases:
        """Open the leases of a realm of its own."""
        return storage.leases(scope)

    @staticmethod
    async def acquire(leases: Leases, at: timedelta = timedelta(0), holder: WorkerId = ONE) -> Lease:
        """Take a lease that has to be free."""
        lease = await got(leases.acquire("nightly", holder, HOUR, NOW + at))
        assert lease is not None
        return lease

    @pytest.mark.proves("KER-142", "KER-192")
    async def test_a_lease_is_held_by_one_until_it_ends_and_its_fence_grows(self, leases: Leases) -> None:
        first = await self.acquire(leases)
        assert (first.name, first.until) == ("nightly", NOW + HOUR)
        for holder in (ONE, OTHER):
            assert await got(leases.acquire("nightly", holder, HOUR, NOW + HOUR - timedelta(microseconds=1))) is None
        assert await got(leases.acquire("other", OTHER, HOUR, NOW)) is not None
        second = await self.acquire(leases, HOUR, OTHER)
        assert second.fence > first.fence
        assert await got(leases.acquire("nightly", ONE, HOUR, NOW - HOUR)) is None

    @pytest.mark.proves("KER-144")
    async def test_only_a_lease_that_is_still_ours_is_renewed(self, leases: Leases) -> None:
        first = await self.acquire(leases)
        renewed = await got(leases.renew(first, HOUR, NOW + HOUR / 2))
        assert renewed == Lease("nightly", first.fence, NOW + 1.5 * HOUR)
        assert await got(leases.acquire("nightly", OTHER, HOUR, NOW + HOUR)) is None
        second = await self.acquire(leases, 1.5 * HOUR, OTHER)
        assert await got(leases.renew(first, HOUR, NOW + 1.5 * HOUR)) is None
        assert await got(leases.renew(second, HOUR, NOW + 1.5 * HOUR)) is not None

    @pytest.mark.proves("KER-144")
    async def test_giving_back_a_lease_that_is_lost_does_nothing(self, leases: Leases) -> None:
        lost = await self.acquire(leases)
        held = await self.acquire(leases, HOUR, OTHER)
        await got(leases.release(lost))
        assert await got(leases.acquire("nightly", ONE, HOUR, NOW + HOUR)) is None
        assert await got(leases.renew(held, HOUR, NOW + HOUR)) is not None

    @pytest.mark.proves("KER-142")
    async def test_a_lease_that_was_given_back_is_free_and_not_ours_any_more(self, leases: Leases) -> None:
        first = await self.acquire(leases)
        await got(leases.release(first))
        assert await got(leases.renew(first, HOUR, NOW)) is None
        second = await self.acquire(leases, holder=OTHER)
        assert second.fence > first.fence

    @pytest.mark.proves("KER-143")
    async def test_a_lease_guards_a_change_while_it_is_ours(
        self, leases: Leases, storage: Storage, scope: Scope
    ) -> None:
        store = storage.open(scope)
        first = await self.acquire(leases)
        guarded = Change(leases=(LeaseGuard("nightly", first.fence),))
        assert isinstance(await got(store.record(guarded)), Recorded)
        second = await self.acquire(leases, HOUR, OTHER)
        await refused(StaleWrite("leases", "nightly"), store.record, guarded)
        guarded = Change(leases=(LeaseGuard("nightly", second.fence),))
        assert isinstance(await got(store.record(guarded)), Recorded)
        await got(leases.release(second))
        await refused(StaleWrite, store.record, guarded)
