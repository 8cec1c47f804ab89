"""What a page of the billing run costs: beside the bare driver, and beside an ORM that commits each subscription.

What ours has the database do is overheard on a database of its own, and the bare driver does it on a copy of that, row
by row, in the same batches and transactions. Where ours hands whole sets of rows over, the bare driver is also told the
very statements, for which somebody has decided everything and written it up as JSON.

The books of a million subscriptions take 2 GB on the disk, four times over.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from typing import Any, Final
from unittest.mock import patch

import attrs
from sqlalchemy import event

from benchmarks.databases import KINDS, Make, opened
from benchmarks.measuring import Contestant, Effort, race
from benchmarks.peers.on_orm import OrmBilling
from benchmarks.peers.sites import Place
from benchmarks.replaying import Work, connect, overhearing, replay
from benchmarks.reports import Curve, Reach, Report, Row
from benchmarks.subscriptions import PAGE, Biller, filled, opened_on, stocked
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.sqlalchemy import SqlStorage

__all__ = ["run"]

SIZES: Final = (10_000, 100_000, 1_000_000)
QUICK_SIZES: Final = (2_500, 5_000)
SECONDS: Final = {"SQLite": PAGE / 1_000, "PostgreSQL": PAGE / 2_000, "memory": PAGE / 5_000}
"""What a page may take."""
MOST_STATEMENTS: Final = 12
CREW: Final = (1, 2, 4)
CREW_BILLS: Final = 8 * PAGE + CREW[-1]
"""So many subscriptions are due for each crew."""
PATIENCE: Final = 120
"""So many seconds workers wait for each other; one that fails stops all."""
TAKES_SETS: Final = "shopaccounts.adapters.sqlalchemy.writing.takes_sets"
AROUND: Final = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA", "SHOW", "SET ")


def run(effort: Effort) -> Report:
    """Bill pages of 500 in memory and on both databases, from books of several sizes, and by several workers."""
    rows, curves = [_in_memory(effort)], []
    sizes = QUICK_SIZES if effort.is_quick else SIZES
    for kind in KINDS:
        with opened(kind) as make:
            times = _pages(make, sizes, effort)
            rows += _page_rows(kind, sizes, times)
            curves.append(Curve(f"a page, {kind}", tuple((float(size), times[f"ours {size}"]) for size in sizes)))
            rows += _statement_rows(kind, make)
            if kind == "PostgreSQL":
                rows += _crew_rows(make, effort)
    notes = (
        f"A page is {PAGE} subscriptions that renew with one line each. As many are due whatever is in the books.",
        "The bare driver does row by row what ours has the database do, in the same batches and transactions.",
        "Ours hands rows over as sets on PostgreSQL; beside it stands the driver that is told these very statements.",
        "The ORM has a transaction, and seven rows in five tables, for each subscription, and decides next to nothing.",
        "Workers are processes; time runs from when all are ready until the last is done.",
    )
    return Report(
        name="billing",
        title="Billing runs",
        rows=tuple(rows),
        curves=tuple(curves),
        size="subscriptions in the books",
        notes=notes,
    )


def _due(effort: Effort) -> int:
    """Answer how many subscriptions all turns together bill, with one page to warm up."""
    return PAGE * (effort.turns + 1)


def _in_memory(effort: Effort) -> Row:
    storage = MemoryStorage()
    stocked(storage, _due(effort), _due(effort))
    times = race([_billing("ours", opened_on(storage))], effort)
    return Row(case=f"page of {PAGE}, in memory", ours=times["ours"], at_most=SECONDS["memory"])


def _billing(name: str, biller: Biller) -> Contestant:
    return Contestant(name, biller.bill, 1)


def _pages(make: Make, sizes: tuple[int, ...], effort: Effort) -> Mapping[str, float]:
    """Race a page of ours, of the bare driver and of the ORM, with books of all sizes."""
    with ExitStack() as stack:
        contestants = [_orm(make, effort, stack)]
        for size in sizes:
            place = filled(make, size, _due(effort))
            ours = SqlStorage(make(like=place).url)
            stack.callback(ours.close)
            contestants += [
                _billing(f"ours {size}", opened_on(ours)),
                _bare(f"bare {size}", make, place, stack, row_by_row=True),
            ]
            if size == sizes[0] and not place.is_sqlite:
                contestants.append(_bare("told", make, place, stack, row_by_row=False))
        return race(contestants, effort)


def _bare(name: str, make: Make, place: Place, stack: ExitStack, *, row_by_row: bool) -> Contestant:
    heard = SqlStorage(make(like=place).url)
    stack.callback(heard.close)
    bare = stack.enter_context(closing(connect(make(like=place))))
    return Contestant(name, _replaying(bare), 1, _overheard(heard, row_by_row=row_by_row))


def _replaying(connection: Any) -> Callable[[Work], None]:
    return lambda work: replay(connection, work)


def _overheard(storage: SqlStorage, *, row_by_row: bool) -> Callable[[int], Work]:
    biller = opened_on(storage)

    def listen(pages: int) -> Work:
        with ExitStack() as stack:
            if row_by_row:
                stack.enter_context(patch(TAKES_SETS, lambda *_: False))
            work = stack.enter_context(overhearing(storage.engine))
            biller.bill(pages)
        return work

    return listen


def _orm(make: Make, effort: Effort, stack: ExitStack) -> Contestant:
    most = 20
    shop = stack.enter_context(closing(OrmBilling(make(), most * 2 * (effort.turns + 5))))
    return Contestant("orm", shop.bill, most)


def _page_rows(kind: str, sizes: tuple[int, ...], times: Mapping[str, float]) -> Iterator[Row]:
    smallest = times[f"ours {sizes[0]}"]
    orm = times["orm"] * PAGE
    for size in sizes:
        case, ours = f"page of {PAGE}, {kind}, {size:,} in the books", times[f"ours {size}"]
        yield Row(case=case, ours=ours, other=times[f"bare {size}"], beside="bare driver", reach=Reach(2))
        if size == sizes[0]:
            if "told" in times:
                yield Row(case=case, ours=ours, other=times["told"], beside="the same statements")
            yield Row(case=case, ours=ours, at_most=SECONDS[kind])
            beside = "ORM, a transaction each"
            yield Row(case=case, ours=ours, other=orm, beside=beside, reach=Reach.faster(10))
        else:
            yield Row(case=case, ours=ours, other=smallest, beside=f"{sizes[0]:,} in the books", reach=Reach(1.3))


def _statement_rows(kind: str, make: Make) -> Iterator[Row]:
    storage = SqlStorage(filled(make, 4 * PAGE, 4 * PAGE).url)
    biller = opened_on(storage)
    biller.bill(1, 10)  # what is needed once for each process is no part of a page
    for limit in (10, PAGE):
        one, two = (_counted(storage, partial(biller.bill, pages, limit)) for pages in (1, 2))
        heard = two - one  # what is looked up once for a run isn't either
        case = f"statements for a page of {limit}, {kind}"
        yield Row(case=case, ours=heard, at_most=MOST_STATEMENTS, counted="statement")
    storage.close()


def _counted(storage: SqlStorage, work: Callable[[], object]) -> int:
    heard: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(AROUND):
            heard.append(statement)

    event.listen(storage.engine, "before_cursor_execute", note)
    work()
    event.remove(storage.engine, "before_cursor_execute", note)
    return len(heard)


# Many workers


@attrs.frozen
class Crew:
    """Workers that bill the same books at once.

    Args:
        place: The books.
        number: How many.
    """

    place: Place
    number: int

    def seconds(self) -> float:
        """Bill everything that is due, and answer how long an invoice took.

        Raises:
            RuntimeError: Not each subscription was billed once.
        """
        context = multiprocessing.get_context("spawn")
        ready, billed = context.Barrier(self.number + 1), context.SimpleQueue()
        workers = [
            context.Process(target=_work, args=(self.place.url, f"worker {n}", ready, billed))
            for n in range(self.number)
        ]
        for worker in workers:
            worker.start()
        ready.wait(PATIENCE)
        start = time.perf_counter()
        before, count = map(sum, zip(*(billed.get() for _ in workers), strict=True))
        taken = time.perf_counter() - start
        for worker in workers:
            worker.join()
        if before + count != CREW_BILLS:
            msg = f"{self.number} workers wrote {before + count} invoices for {CREW_BILLS} subscriptions"
            raise RuntimeError(msg)
        return taken / count


def _work(url: str, name: str, ready: Any, billed: Any) -> None:
    storage = SqlStorage(url)
    biller = opened_on(storage)
    before = biller.bill_all(name, 1, 1)  # what is needed once for each process is no part of it
    ready.wait(PATIENCE)
    billed.put((before, biller.bill_all(name)))
    storage.close()


def _crew_rows(make: Make, effort: Effort) -> Iterator[Row]:
    """Let one, two and four workers bill as many in turns."""
    turns: dict[int, list[float]] = {number: [] for number in CREW}
    place = filled(make, 2 * CREW_BILLS, CREW_BILLS)
    for _ in range(min(effort.turns, 5)):
        for number in CREW:
            turns[number].append(Crew(make(like=place), number).seconds())
    alone, *more = (statistics.median(turns[number]) for number in CREW)
    yield Row(case="an invoice, PostgreSQL, 1 worker", ours=alone)
    for number, seconds in zip(CREW[1:], more, strict=True):
        reach = Reach.faster(1.5) if number == CREW[-1] else None
        case = f"an invoice, PostgreSQL, {number} workers"
        yield Row(case=case, ours=seconds, other=alone, beside="1 worker", reach=reach)
