"""Working off what is due, a page at a time.

* A page of due items is claimed, each is decided on by itself, and all is recorded at once.
* What somebody else changed meanwhile stays as it is, and comes up again; so does what a worker that died had claimed.
* So it is safe to run at any time, twice, and by many workers.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import DueWork
from shopaccounts.kernel.record import Book, Change, ClaimGuard, Entity, PageResult

__all__ = ["work_off"]

T = TypeVar("T", bound=Entity)

_LEASE: Final = timedelta(minutes=1)


async def work_off(
    desk: Desk, work: DueWork, book: Book[T], decide: Callable[[T], Answer[Change]], limit: int, worker: WorkerId
) -> int:
    """Decide on up to *limit* due items of a book, record what was decided, and answer how many that were.

    Args:
        desk: Whose records.
        work: Who hands out the items.
        book: Where they are.
        decide: Answers what is recorded for one of them; it has to move the item on, or it is due again.
        limit: How many at most.
        worker: Who works them off.
    """
    claims = await got(work.claim_due(book, desk.now(), limit, _LEASE, worker))
    changes = [
        await got(decide(claim.item)) | Change(claims=(ClaimGuard(book, claim.item.id, claim.fence),))
        for claim in claims
    ]
    results = await got(desk.records.record_page(changes)) if changes else ()
    return tuple(results).count(PageResult.RECORDED)
