"""What has to be done now and then: one call a minute is all that a small shop needs.

What nobody can use any more is removed. An attempt goes with its last link, and the secrets in it too; tickets and
sessions stay for a month, so that who comes late is told that a link was used, and not that it never was. Markers,
receipts and counters stay for a day after their end, so that a clock that steps back a little revives nothing.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import Records, Storage
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.providers import FLOWS
from shopaccounts.recovery import CASES, STOP_NOTICES
from shopaccounts.registration import ADDITIONS, ATTEMPTS, CONTACT_CHANGES, CONTACT_CHECKS, INVITATIONS
from shopaccounts.relay import Relay
from shopaccounts.signin import CEREMONIES, DEVICE_BINDINGS, DEVICES, IMPERSONATIONS, PROGRESSES, SENT_CODES, SESSIONS
from shopaccounts.subscriptions import SUBSCRIPTION_REQUESTS

__all__ = ["DueTask", "TickReport", "Upkeep"]

DueTask = Callable[[int, WorkerId], Awaitable[int]]
"""Does up to so many pieces of due work for a worker, and answers how many; safe to run twice, and by many workers."""

PAGE: Final = 500
_WORKER: Final = WorkerId("upkeep")
_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)
_YEAR: Final = timedelta(days=400)
_KEPT_FOR: Final[tuple[tuple[Book[Any], timedelta], ...]] = (
    (ATTEMPTS, timedelta(0)),
    (STOP_NOTICES, timedelta(0)),
    (TICKETS, _MONTH),
    (INVITATIONS, _MONTH),
    (ADDITIONS, timedelta(0)),
    (CONTACT_CHANGES, _MONTH),
    (CONTACT_CHECKS, _MONTH),
    (SESSIONS, _MONTH),
    (PROGRESSES, _MONTH),
    (CEREMONIES, timedelta(0)),
    (DEVICE_BINDINGS, timedelta(0)),
    (SENT_CODES, _MONTH),
    (FLOWS, timedelta(0)),
    (DEVICES, timedelta(0)),
    (IMPERSONATIONS, _YEAR),
    (CASES, timedelta(0)),
    (SUBSCRIPTION_REQUESTS, timedelta(0)),
)
"""How long the entities of a book stay after nobody can use them."""


@attrs.frozen(kw_only=True)
class TickReport:
    """What one round of upkeep did; *finished* is false if its time ran out before its work."""

    delivered: int = 0
    worked: int = 0
    purged: int = 0
    finished: bool = True


@attrs.frozen(kw_only=True)
class Upkeep:
    """The due work of every context, in a fixed order, page by page."""

    desk: Desk
    records: Records
    storage: Storage
    relay: Relay
    tasks: tuple[DueTask, ...]

    async def tick(self, budget: timedelta = timedelta(seconds=30)) -> TickReport:
        """Do what is due, until nothing is left or *budget* is spent. Safe from anywhere, any number at once."""
        until = self.desk.now() + budget
        report = TickReport(finished=False)
        while True:
            done = TickReport(
                delivered=(await self.relay.deliver_pending(PAGE)).handled,
                worked=sum([await task(PAGE, _WORKER) for task in self.tasks]),
                purged=await self._purge(),
            )
            report = TickReport(
                delivered=report.delivered + done.delivered,
                worked=report.worked + done.worked,
                purged=report.purged + done.purged,
                finished=not (done.delivered or done.worked or done.purged),
            )
            if report.finished or self.desk.now() >= until:
                return report

    async def _purge(self) -> int:
        """Remove what nobody can use any more."""
        now, purged = self.desk.now(), 0
        for book, kept_for in _KEPT_FOR:
            purged += await got(self.records.purge(book, now - kept_for, PAGE))
        purged += await got(self.storage.purge_lapsed(now - _DAY, PAGE))
        return purged + await self.relay.prune(PAGE)
