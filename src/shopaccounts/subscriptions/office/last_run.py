"""Until when a store is billed, as its runs have written it down, so that a clock that was set back is noticed.

The rules, in plain English:

* With each page of a run its instant is written down. It never goes back.
* A run whose clock shows an earlier instant plans nothing: papers would bear dates before those of papers with smaller
  numbers. When the clock has caught up, what became due meanwhile is billed as after any other outage.
* What is written down is read before the clock is, so that workers who agree about the time never stop each other.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book, Change, PageResult
from shopaccounts.kernel.time import ClockWentBack
from shopaccounts.subscriptions.marks import AN_ID

__all__ = ["LAST_RUNS", "LastRun", "RunClock"]


@described(data_class="billing", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class LastRun:
    """The latest instant at which a run of a store recorded something.

    Args:
        id: The store.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        at: The instant.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    at: datetime


LAST_RUNS: Final = Book(name="last_billing_runs", of=LastRun)
"""One row for each store."""


@attrs.define
class RunClock:
    """What one run knows about the time: its store's last run is looked up once, and again after another wrote it.

    Args:
        desk: Of which store.
        last: When a run last recorded something, as it is stored; None for never.
        is_known: Whether that was looked up.
    """

    desk: Desk
    last: LastRun | None = None
    is_known: bool = False

    async def page_begins(self) -> datetime:
        """Answer the instant of the next page.

        Raises:
            ClockWentBack: A run has recorded something later than that.
        """
        if not self.is_known:
            found = await got(self.desk.records.find(LAST_RUNS, self.desk.scope.store))
            self.last, self.is_known = found.it if found else None, True
        now = self.desk.now()
        if self.last is not None and now < self.last.at:
            raise ClockWentBack(was=self.last.at, asked=now)
        return now

    async def record(self, at: datetime, changes: Sequence[Change]) -> Sequence[str]:
        """Record a page together with its instant; answer what became of each of its changes.

        Another worker who has written an instant meanwhile agrees about the time: then ours needn't be written.

        Args:
            at: The instant of the page.
            changes: What it recorded.
        """
        if not changes:
            return ()
        note = self._note(at)
        results = await got(self.desk.records.record_page((*note, *changes)))
        for write, result in zip(note, results, strict=False):
            self.is_known = result == PageResult.RECORDED
            self.last = write.writes[0].now
        return results[len(note) :]

    def _note(self, at: datetime) -> tuple[Change, ...]:
        scope, last = self.desk.scope, self.last
        now = LastRun(id=scope.store, realm=scope.realm, store=scope.store, at=at)
        if last is None:
            return (Change(writes=(LAST_RUNS.add(now),)),)
        return (Change(writes=(LAST_RUNS.change(last, now),)),) if last.at < at else ()
