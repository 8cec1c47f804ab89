"""The storage in memory can be set back, and hands out nothing through which it could be changed."""

import attrs

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change, Once, Receipt, Recorded
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.toys import BOXES, NOW, box, happened

SCOPE = Scope.single()
ONCE = Once(namespace="toys", key="k", now=NOW, keep_until=NOW.replace(year=2030))
RECEIPT = Receipt(namespace="toys", key="k", body_hash="b", result=b"", keep_until=NOW)


def fill(storage: MemoryStorage) -> None:
    """Use everything that a storage has."""
    store = storage.open(SCOPE)
    kept = box(SCOPE, name="n", due_at=NOW)
    change = Change(writes=(BOXES.add(kept),), once=(ONCE,), receipt=RECEIPT, events=(happened(SCOPE, "e", "ann"),))
    assert store.record(change) == Recorded()
    assert store.claim_due(BOXES, NOW, 1, NOW - NOW.replace(hour=11), WorkerId("w"))
    storage.counters(SCOPE).add("k", 1, NOW, NOW.replace(year=2030))
    storage.leases(SCOPE).acquire("nightly", WorkerId("w"), NOW - NOW.replace(hour=11), NOW)


def test_a_storage_that_is_set_back_has_forgotten_all_that_came_since() -> None:
    storage = MemoryStorage()
    store = storage.open(SCOPE)
    before = storage.snapshot()
    for _ in range(2):
        fill(storage)
        assert storage.snapshot() != before
        storage.restore(before)
        assert store.find(BOXES, "box") is None
        assert store.find(EVENTS, "e") is None


def test_a_snapshot_stays_as_it_was_taken() -> None:
    storage = MemoryStorage()
    fill(storage)
    taken = storage.snapshot()
    store = storage.open(SCOPE)
    kept = store.find(BOXES, "box")
    assert kept is not None
    store.record(Change(writes=(BOXES.change(kept.it, attrs.evolve(kept.it, name="other")),)))
    storage.restore(taken)
    assert store.find(BOXES, "n", "box_name") == kept
    assert storage.snapshot() == taken
