"""What it costs that a use-case is written once, for blocking and for async hosts."""

import asyncio
from functools import partial
from typing import Final

from benchmarks.measuring import Contestant, Effort, race
from benchmarks.reports import Curve, Report, Row
from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.answers import run as drive

__all__ = ["run"]

CALLS: Final = (1, 3, 10)
MOST: Final = 5e-6


class Port:
    """A port that answers now and does next to nothing."""

    def ask(self, number: int) -> Answer[int]:
        """Answer a number."""
        return number + 1

    def ask_plainly(self, number: int) -> int:
        """Answer a number, to callers who needn't ask whether it comes later."""
        return number + 1


async def use_case(port: Port, calls: int) -> int:
    """Ask a port as every use-case does."""
    number = 0
    for _ in range(calls):
        number = await got(port.ask(number))
    return number


def plain(port: Port, calls: int) -> int:
    """Ask a port as a function would that knows blocking hosts only."""
    number = 0
    for _ in range(calls):
        number = port.ask_plainly(number)
    return number


def _driven(port: Port, calls: int) -> int:
    return drive(use_case(port, calls))


def run(effort: Effort) -> Report:
    """Compare the driver with a plain function, and with an event loop for each call."""
    port = Port()
    driven, plainly = [], []
    for calls in CALLS:
        times = race(
            [
                Contestant.of("ours", partial(_driven, port, calls)),
                Contestant.of("plain", partial(plain, port, calls)),
            ],
            effort,
        )
        driven.append((float(calls), times["ours"]))
        plainly.append((float(calls), times["plain"]))
    looped = race([Contestant.of("loop", lambda: asyncio.run(use_case(port, 3)))], effort)["loop"]
    (_, ours), (_, other) = driven[1], plainly[1]
    rows = (
        Row(case="use-case of 3 port calls", ours=ours, other=other, beside="plain function", at_most=MOST),
        Row(case="use-case of 3 port calls", ours=ours, other=looped, beside="asyncio.run"),
    )
    curves = (Curve("driven use-case", tuple(driven)), Curve("plain function", tuple(plainly)))
    title = "One source for blocking and async hosts"
    return Report(name="driver", title=title, rows=rows, curves=curves, size="port calls")
