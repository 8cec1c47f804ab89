"""What ``record`` costs beside the bare driver doing the same statements in the same transaction.

The statements of ours are overheard on a database of their own; the driver then replays them on a copy of it. So both
do the same work in the database, and the difference is what we spend on deciding and saying it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from benchmarks.databases import KINDS, Make, opened
from benchmarks.measuring import Contestant, Effort, race
from benchmarks.peers import ours
from benchmarks.replaying import connect, connect_later, overhear, record, record_later, replay, replay_later
from benchmarks.reports import Curve, Report, Row
from benchmarks.sessions import ONE, TWO, Sessions, filled

__all__ = ["run"]

MOST: Final = 200
"""Changes in one turn."""
Measured: TypeAlias = tuple[str, Mapping[str, float]]


def run(effort: Effort) -> Report:
    """Compare one write, and two writes with an event, at three sizes of the table."""
    rows: list[Row] = []
    curves: list[Curve] = []
    with asyncio.Runner() as runner:
        for kind in KINDS:
            points: dict[str, list[tuple[float, float]]] = {ONE: [], TWO: []}
            for size in effort.sizes:
                with opened(kind) as make:
                    for what, times in _compare(make, size, runner, effort):
                        case = f"{what}, {kind}, {size:,} rows"
                        rows.append(_row(case, times["ours"], times["bare"]))
                        rows.append(_row(f"{case}, async", times["ours, async"], times["bare, async"]))
                        points[what].append((float(size), times["ours"]))
            curves += [Curve(f"{what}, {kind}", tuple(measured)) for what, measured in points.items()]
    return Report(
        name="recording",
        title="Recording a change",
        rows=tuple(rows),
        curves=tuple(curves),
        size="rows in the table",
        notes=("The bare driver is told the very statements of ours, with their values, in one transaction.",),
    )


def _row(case: str, ours_took: float, bare_took: float) -> Row:
    return Row(case=case, ours=ours_took, other=bare_took, beside="bare driver, same statements")


def _compare(make: Make, size: int, runner: asyncio.Runner, effort: Effort) -> Iterator[Measured]:
    """Race the four ways of writing, each on a copy of one database; the driver's are overheard on further copies."""
    first, kept = filled(make, size)
    shops: list[ours.Shop[Any]] = [ours.open_shop(make(like=first)) for _ in range(3)]
    async_shop = runner.run(ours.open_async_shop(make(like=first)))
    now, heard, heard_later = (Sessions(shop, list(kept)) for shop in shops)
    later = Sessions(async_shop, list(kept))
    bare, bare_later = connect(make(like=first)), runner.run(connect_later(make(like=first)))
    for what in (ONE, TWO):
        contestants = [
            Contestant("ours", lambda work: record(now, work), MOST, _changes(now, what)),
            Contestant("bare", lambda work: replay(bare, work), MOST, _overheard(heard, what)),
            Contestant("ours, async", lambda work: runner.run(record_later(later, work)), MOST, _changes(later, what)),
            Contestant(
                "bare, async",
                lambda work: runner.run(replay_later(bare_later, work)),
                MOST,
                _overheard(heard_later, what),
            ),
        ]
        yield what, race(contestants, effort)
    for shop in shops:
        shop.storage.close()
    bare.close()
    runner.run(_closed(async_shop.storage, bare_later))


def _changes(sessions: Sessions, what: str) -> Callable[[int], Any]:
    return lambda times: sessions.changes(what, times)


def _overheard(sessions: Sessions, what: str) -> Callable[[int], Any]:
    return lambda times: overhear(sessions, sessions.changes(what, times))


async def _closed(*open_ones: Any) -> None:
    for each in open_ones:
        await each.close()
