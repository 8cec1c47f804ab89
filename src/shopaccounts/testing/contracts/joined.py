"""What a storage promises that works inside the host's transaction: it ends with the host's, and never before."""

# ruff: noqa: D102  (a test's name is its sentence)
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import attrs
import pytest

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.errors import KeyReused, StaleWrite, Taken
from shopaccounts.kernel.messages import MESSAGES
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import Change, Once, PageResult, Receipt, Recorded, Replayed
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, put, refused
from shopaccounts.testing.toys import BOXES, NOW, Box, box, happened, notice

__all__ = ["HostTransaction", "JoinedContract"]

HOUR = timedelta(hours=1)


class HostTransaction(Protocol):
    """A transaction of the host, with a storage that has joined it."""

    storage: Storage

    def note(self, text: str) -> Answer[None]:
        """Write a row of the host's own."""
        ...

    def savepoint(self) -> Answer[None]:
        """Begin a savepoint of the host's."""
        ...

    def back_to_savepoint(self) -> Answer[None]:
        """Undo what was done since the savepoint."""
        ...

    def commit(self) -> Answer[None]:
        """End the transaction, and keep what was done."""
        ...

    def rollback(self) -> Answer[None]:
        """End the transaction, and undo what was done."""
        ...


Begin = Callable[[], Answer[HostTransaction]]
Notes = Callable[[], Answer[set[str]]]


def _everything(scope: Scope) -> Change:
    return Change(
        writes=(BOXES.add(box(scope, name="n")),),
        once=(Once(namespace="toys", key="k", now=NOW, keep_until=NOW + HOUR),),
        events=(happened(scope, "event", "ann"),),
        messages=(notice(scope, "message"),),
        receipt=Receipt(namespace="toys", key="k", body_hash="b", result=b"answer", keep_until=NOW + HOUR),
    )


class JoinedContract:
    """What the host does with its transaction happens to what was recorded in it.

    Give the fixtures ``storage``, which looks at the same database from outside, ``begin``, a function that begins a
    transaction of the host, and ``notes``, one that answers the host's own rows as they are seen from outside.
    """

    @staticmethod
    async def seen(storage: Storage, scope: Scope) -> list[bool]:
        """Tell whether the box, the event and the message are seen."""
        store = storage.open(scope)
        return [
            await find(store, BOXES, "box") is not None,
            await find(store, EVENTS, "event") is not None,
            await find(store, MESSAGES, "message") is not None,
        ]

    @pytest.mark.proves("KER-117", "HST-13", "HST-18")
    async def test_what_host_and_shop_wrote_is_committed_together_and_seen_no_earlier(
        self, storage: Storage, scope: Scope, begin: Begin, notes: Notes
    ) -> None:
        host = await got(begin())
        await got(host.note("kept"))
        assert await got(host.storage.open(scope).record(_everything(scope))) == Recorded(durable=False)
        assert await self.seen(host.storage, scope) == [True, True, True]
        assert await self.seen(storage, scope) == [False, False, False]
        assert await got(notes()) == set()
        await got(host.commit())
        assert await self.seen(storage, scope) == [True, True, True]
        assert await got(notes()) == {"kept"}

    @pytest.mark.proves("KER-117", "HST-14", "HST-18", "TES-108")
    async def test_nothing_is_left_of_what_the_host_takes_back(
        self, storage: Storage, scope: Scope, begin: Begin, notes: Notes
    ) -> None:
        host = await got(begin())
        await got(host.note("undone"))
        await got(host.storage.open(scope).record(_everything(scope)))
        await got(host.rollback())
        assert await self.seen(storage, scope) == [False, False, False]
        assert await got(notes()) == set()
        assert isinstance(await got(storage.open(scope).record(_everything(scope))), Recorded), "no receipt, no marker"
        event = await find(storage.open(scope), EVENTS, "event")
        assert event is not None
        assert event.seq == 1

    @pytest.mark.proves("KER-117", "HST-13", "HST-18")
    async def test_a_refusal_leaves_the_transaction_of_the_host_as_it_was(
        self, storage: Storage, scope: Scope, begin: Begin, notes: Notes
    ) -> None:
        await got(storage.open(scope).record(_everything(scope)))
        host = await got(begin())
        store = host.storage.open(scope)
        await got(host.note("before"))
        (first,) = await put(store, BOXES, box(scope, "first"))
        new = BOXES.add(box(scope, "new", name="n"))
        await refused(Taken("box_name"), store.record, Change(writes=(new,), events=(happened(scope, "e", "ann"),)))
        await refused(StaleWrite, store.record, Change(writes=(BOXES.add(box(scope)),)))
        assert await got(store.record(_everything(scope))) == Replayed(b"answer")
        other = Change(receipt=attrs.evolve(_everything(scope).receipt, body_hash="other"))  # type: ignore[misc]  # set
        await refused(KeyReused, store.record, other)
        page = (Change(writes=(BOXES.add(first),)), Change(writes=(BOXES.add(box(scope, "second")),)))
        assert await got(store.record_page(page)) == (PageResult.STALE, PageResult.RECORDED)
        await got(host.note("after"))
        await got(host.commit())
        assert await got(notes()) == {"before", "after"}
        kept = [await find(storage.open(scope), BOXES, id) for id in ("first", "second", "new")]
        assert [item is not None for item in kept] == [True, True, False]
        assert await find(storage.open(scope), EVENTS, "e") is None

    @pytest.mark.proves("HST-18")
    async def test_savepoints_of_the_host_hold_what_was_recorded_in_them(
        self, storage: Storage, scope: Scope, begin: Begin, notes: Notes
    ) -> None:
        host = await got(begin())
        store = host.storage.open(scope)
        await got(host.note("kept"))
        await put(store, BOXES, box(scope, "kept"))
        await got(host.savepoint())
        await got(host.note("undone"))
        await put(store, BOXES, box(scope, "undone", name="n"))
        await got(host.back_to_savepoint())
        await put(store, BOXES, box(scope, "after", name="n"))
        await got(host.commit())
        assert await got(notes()) == {"kept"}
        found = [await find(storage.open(scope), BOXES, id) for id in ("kept", "undone", "after")]
        assert [item is not None for item in found] == [True, False, True]

    @pytest.mark.proves("HST-18", "TES-106", "KER-111")
    async def test_of_two_requests_that_decided_from_one_version_the_later_is_refused(
        self, storage: Storage, scope: Scope, begin: Begin
    ) -> None:
        (seen,) = await put(storage.open(scope), BOXES, box(scope))
        await self.change(await got(begin()), scope, seen)
        host = await got(begin())
        late = Change(writes=(BOXES.change(seen, attrs.evolve(seen, count=2)),))
        await refused(StaleWrite, host.storage.open(scope).record, late)
        await got(host.rollback())

    @pytest.mark.proves("HST-18", "TES-106", "TES-108")
    async def test_a_request_that_was_taken_back_is_in_nobodys_way(
        self, storage: Storage, scope: Scope, begin: Begin
    ) -> None:
        (seen,) = await put(storage.open(scope), BOXES, box(scope))
        await self.change(await got(begin()), scope, seen, commit=False)
        await self.change(await got(begin()), scope, attrs.evolve(seen, count=1))
        found = await find(storage.open(scope), BOXES, "box")
        assert found is not None
        assert (found.count, found.version) == (2, 2)

    @staticmethod
    async def change(host: HostTransaction, scope: Scope, seen: Box, *, commit: bool = True) -> None:
        """Count a box in a transaction of the host, and end it."""
        counted = BOXES.change(seen, attrs.evolve(seen, count=seen.count + 1))
        await got(host.storage.open(scope).record(Change(writes=(counted,))))
        await got(host.commit() if commit else host.rollback())
