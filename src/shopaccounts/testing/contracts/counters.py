"""What counters and leases promise."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import timedelta

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Defect, StaleWrite
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import Counters, Lease, Leases, Storage
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
    async def revision(counters: Counters, key: str = "k") -> int:
        """Answer the revision of a state that is there."""
        seen = await got(counters.read(key))
        assert seen is not None
        return seen.revision

    @pytest.mark.proves("KER-150", "KER-151")
    async def test_a_state_comes_back_as_it_went_in(self, counters: Counters) -> None:
        for n, state in enumerate((b"", b"\0", bytes(range(256)), b"x" * 256)):
            assert await got(counters.read(f"k{n}")) is None
            assert await got(counters.swap(f"k{n}", None, state, NOW + HOUR))
            seen = await got(counters.read(f"k{n}"))
            assert seen is not None
            assert seen.state == state

    @pytest.mark.proves("KER-151")
    async def test_a_state_of_more_than_256_bytes_is_a_defect(self, counters: Counters) -> None:
        await refused(Defect, counters.swap, "k", None, b"x" * 257, NOW + HOUR)
        assert await got(counters.read("k")) is None
        assert await got(counters.swap("k", None, b"x" * 256, NOW + HOUR))
        first = await self.revision(counters)
        await refused(Defect, counters.swap, "k", first, b"y" * 257, NOW + HOUR)
        assert await self.revision(counters) == first

    @pytest.mark.proves("KER-150")
    async def test_a_state_is_replaced_only_by_who_has_seen_it(self, counters: Counters) -> None:
        assert not await got(counters.swap("k", 1, b"a", NOW + HOUR))
        assert await got(counters.read("k")) is None
        assert await got(counters.swap("k", None, b"a", NOW + HOUR))
        assert not await got(counters.swap("k", None, b"b", NOW + HOUR))
        first = await self.revision(counters)
        assert await got(counters.swap("k", first, b"b", NOW + HOUR))
        assert not await got(counters.swap("k", first, b"c", NOW + HOUR))
        seen = await got(counters.read("k"))
        assert seen is not None
        assert (seen.state, seen.revision != first) == (b"b", True)

    @pytest.mark.proves("KER-150")
    async def test_a_state_is_forgotten_only_by_who_has_seen_it(self, counters: Counters) -> None:
        assert not await got(counters.clear("k", 1))
        await got(counters.swap("k", None, b"a", NOW + HOUR))
        first = await self.revision(counters)
        await got(counters.swap("k", first, b"b", NOW + HOUR))
        assert not await got(counters.clear("k", first))
        assert await got(counters.clear("k", await self.revision(counters)))
        assert await got(counters.read("k")) is None

    @pytest.mark.proves("KER-150", "KER-192")
    async def test_a_state_that_was_forgotten_and_set_anew_is_another_one(self, counters: Counters) -> None:
        await got(counters.swap("k", None, b"a", NOW + HOUR))
        first = await self.revision(counters)
        assert await got(counters.clear("k", first))
        await got(counters.swap("k", None, b"a", NOW + HOUR))
        assert not await got(counters.swap("k", first, b"b", NOW + HOUR))
        assert not await got(counters.clear("k", first))

    @pytest.mark.proves("KER-151")
    async def test_whatever_is_read_can_be_swapped_lapsed_or_not(self, counters: Counters) -> None:
        await got(counters.swap("k", None, b"a", NOW))
        seen = await got(counters.read("k"))
        assert await got(counters.swap("k", seen.revision if seen else None, b"b", NOW + HOUR))

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
        keys = ["pw:ann", "PW:ann", "pw:ann ", "pw:ánn", "pw:%"]
        assert [await got(counters.add(key, 1, NOW, NOW + HOUR)) for key in keys] == [1] * len(keys)

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
