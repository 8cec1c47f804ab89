"""What ``record`` costs beside the bare driver doing the same statements in the same transaction.

The statements of ours are overheard on a database of their own; the driver then replays them on a copy of it. So both
do the same work in the database, and the difference is what we spend on deciding and saying it. Tables of all sizes are
raced together, so that what grows with them shows, and not the machine's mood.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

import attrs

from benchmarks.databases import KINDS, Make, opened
from benchmarks.measuring import Contestant, Effort, race
from benchmarks.peers import ours
from benchmarks.replaying import connect, connect_later, overhear, record, record_later, replay, replay_later
from benchmarks.reports import Curve, Report, Row
from benchmarks.sessions import ONE, TWO, Sessions, filled

__all__ = ["run"]

MOST: Final = 200
"""Changes in one turn."""


@attrs.frozen
class Desks:
    """Copies of one database, each with somebody who writes in it.

    Args:
        size: How many sessions it held at first.
        now: Ours.
        later: Ours, in an async host.
        heard: Where the statements for the bare driver are overheard.
        heard_later: Those for the async one.
        bare: The driver.
        bare_later: The async driver.
    """

    size: int
    now: Sessions
    later: Sessions
    heard: Sessions
    heard_later: Sessions
    bare: Any
    bare_later: Any


def run(effort: Effort) -> Report:
    """Compare one write, and two writes with an event, at three sizes of the table."""
    rows: list[Row] = []
    curves: list[Curve] = []
    with asyncio.Runner() as runner:
        for kind in KINDS:
            with opened(kind) as make, ExitStack() as stack:
                all_desks = [_open(make, size, runner, stack) for size in effort.sizes]
                for what in (ONE, TWO):
                    contestants = [each for desks in all_desks for each in _contestants(desks, what, runner)]
                    times = race(contestants, effort)
                    rows += [row for size in effort.sizes for row in _rows(f"{what}, {kind}", size, times)]
                    points = tuple((float(size), times[f"ours {size}"]) for size in effort.sizes)
                    curves.append(Curve(f"{what}, {kind}", points))
    return Report(
        name="recording",
        title="Recording a change",
        rows=tuple(rows),
        curves=tuple(curves),
        size="rows in the table",
        notes=("The bare driver is told the very statements of ours, with their values, in one transaction.",),
    )


def _rows(case: str, size: int, times: Mapping[str, float]) -> list[Row]:
    beside = "bare driver, same statements"
    return [
        Row(
            case=f"{case}, {size:,} rows{kind}",
            ours=times[f"ours{kind} {size}"],
            other=times[f"bare{kind} {size}"],
            beside=beside,
        )
        for kind in ("", ", async")
    ]


def _open(make: Make, size: int, runner: asyncio.Runner, stack: ExitStack) -> Desks:
    """Fill a database, and open six copies of it."""
    first, kept = filled(make, size)

    def blocking() -> Sessions:
        shop: ours.Shop[Any] = ours.open_shop(make(like=first))
        stack.callback(shop.storage.close)
        return Sessions(shop, list(kept))

    later = runner.run(ours.open_async_shop(make(like=first)))
    bare, bare_later = connect(make(like=first)), runner.run(connect_later(make(like=first)))
    stack.callback(bare.close)
    stack.callback(lambda: runner.run(_closed(later.storage, bare_later)))
    return Desks(size, blocking(), Sessions(later, list(kept)), blocking(), blocking(), bare, bare_later)


def _contestants(desks: Desks, what: str, runner: asyncio.Runner) -> list[Contestant]:
    def bare_later(work: Any) -> None:
        runner.run(replay_later(desks.bare_later, work))

    def ours_later(work: Any) -> None:
        runner.run(record_later(desks.later, work))

    size = desks.size
    return [
        Contestant(f"ours {size}", lambda work: record(desks.now, work), MOST, _changes(desks.now, what)),
        Contestant(f"bare {size}", lambda work: replay(desks.bare, work), MOST, _overheard(desks.heard, what)),
        Contestant(f"ours, async {size}", ours_later, MOST, _changes(desks.later, what)),
        Contestant(f"bare, async {size}", bare_later, MOST, _overheard(desks.heard_later, what)),
    ]


def _changes(sessions: Sessions, what: str) -> Callable[[int], Any]:
    return lambda times: sessions.changes(what, times)


def _overheard(sessions: Sessions, what: str) -> Callable[[int], Any]:
    return lambda times: overhear(sessions, sessions.changes(what, times))


async def _closed(*open_ones: Any) -> None:
    for each in open_ones:
        await each.close()
