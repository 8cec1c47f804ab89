"""Counters and leases in memory, of one realm each."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from shopaccounts.adapters._memory_realm import NEVER, Realm
from shopaccounts.kernel.bounds import require_counter_states
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import Counted, Lease, Swap

__all__ = ["MemoryCounters", "MemoryLeases"]


class MemoryCounters:
    """Counters of one realm; gone with the process, so assurance profiles refuse them."""

    volatile = True

    def __init__(self, realm: Realm, lock: threading.RLock) -> None:
        self._realm, self._lock = realm, lock

    def read(self, *keys: str) -> Mapping[str, Counted]:
        with self._lock:
            kept = self._realm.counters
            return {key: Counted(*kept[key][:2]) for key in keys if key in kept}

    def swap(self, *swaps: Swap) -> frozenset[str]:
        require_counter_states(swap.state for swap in swaps)
        with self._lock:
            unmoved = [swap for swap in swaps if self._revision(swap.key) == swap.seen]
            for swap in unmoved:
                self._store(swap.key, swap.state, swap.keep_until)
            return frozenset(swap.key for swap in unmoved)

    def clear(self, key: str) -> None:
        with self._lock:
            self._realm.counters.pop(key, None)

    def add(self, key: str, amount: int, now: datetime, keep_until: datetime) -> int:
        with self._lock:
            kept = self._realm.counters.get(key)
            total = amount + (int(kept[0]) if kept and kept[2] > now else 0)
            self._store(key, str(total).encode(), keep_until)
            return total

    def _revision(self, key: str) -> int | None:
        kept = self._realm.counters.get(key)
        return kept[1] if kept else None

    def _store(self, key: str, state: bytes, keep_until: datetime) -> None:
        self._realm.revision += 1
        self._realm.counters[key] = (state, self._realm.revision, keep_until)


class MemoryLeases:
    """Leases of one realm."""

    def __init__(self, realm: Realm, lock: threading.RLock) -> None:
        self._realm, self._lock = realm, lock

    def acquire(self, name: str, holder: WorkerId, ttl: timedelta, now: datetime) -> Lease | None:
        with self._lock:
            _, fence, until = self._realm.leases.get(name, ("", 0, NEVER))
            if until > now:
                return None
            self._realm.leases[name] = (holder, fence + 1, now + ttl)
            return Lease(name, fence + 1, now + ttl)

    def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> Lease | None:
        with self._lock:
            holder, fence, until = self._realm.leases.get(lease.name, ("", 0, NEVER))
            if fence != lease.fence or until == NEVER:
                return None
            self._realm.leases[lease.name] = (holder, fence, now + ttl)
            return Lease(lease.name, fence, now + ttl)

    def release(self, lease: Lease) -> None:
        with self._lock:
            holder, fence, _ = self._realm.leases.get(lease.name, ("", 0, NEVER))
            if fence == lease.fence:
                self._realm.leases[lease.name] = (holder, fence, NEVER)
