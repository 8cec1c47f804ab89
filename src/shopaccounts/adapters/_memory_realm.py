"""What is kept in memory of one realm."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from shopaccounts.kernel.record import Receipt

__all__ = ["NEVER", "Claim", "Realm"]

NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Before everything that ever happens."""


@attrs.define
class Claim:
    """Where a due item stands with the workers."""

    fence: int = 0
    until: datetime = NEVER
    retry_at: datetime = NEVER
    attempts: int = 0
    parked: str = ""


@attrs.define
class Realm:
    """Everything that is kept of one realm; copied as a whole for snapshots."""

    books: dict[str, dict[str, Any]] = attrs.field(factory=lambda: defaultdict(dict))
    keys: dict[tuple[str, str], tuple[str, str]] = attrs.field(factory=dict)
    claims: dict[tuple[str, str], Claim] = attrs.field(factory=dict)
    once: dict[tuple[str, str], datetime] = attrs.field(factory=dict)
    receipts: dict[tuple[str, str], Receipt] = attrs.field(factory=dict)
    numbers: dict[tuple[str, str], int] = attrs.field(factory=dict)
    counters: dict[str, tuple[bytes, int, datetime]] = attrs.field(factory=dict)
    leases: dict[str, tuple[str, int, datetime]] = attrs.field(factory=dict)
    revision: int = 0

    def ends(self) -> tuple[tuple[dict[Any, Any], dict[Any, datetime]], ...]:
        """Answer what lapses, kind by kind: markers, receipts and counters, each kind with the end of each."""
        return (
            (self.once, self.once),
            (self.receipts, {key: receipt.keep_until for key, receipt in self.receipts.items()}),
            (self.counters, {key: until for key, (_, _, until) in self.counters.items()}),
        )

    def copy(self) -> "Realm":
        """Answer a realm that holds the same and changes by itself."""
        return Realm(
            books=defaultdict(dict, {name: dict(kept) for name, kept in self.books.items()}),
            keys=dict(self.keys),
            claims={place: attrs.evolve(state) for place, state in self.claims.items()},
            once=dict(self.once),
            receipts=dict(self.receipts),
            numbers=dict(self.numbers),
            counters=dict(self.counters),
            leases=dict(self.leases),
            revision=self.revision,
        )
