"""Stand-ins that tests script: the dice, storage that answers late."""

import asyncio
import hashlib
from typing import Any, TypeVar

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.chance import Entropy
from shopaccounts.testing.wrapping import PortCall, wrapped

__all__ = ["Late", "ScriptedEntropy"]

P = TypeVar("P")


class ScriptedEntropy(Entropy):
    """Random bytes that are the same for the same seed, so that two runs can be compared."""

    def __init__(self, seed: str = "seed") -> None:
        self._seed = seed.encode()
        self._drawn = 0
        super().__init__(self._next)

    def _next(self, count: int) -> bytes:
        self._drawn += 1
        block = hashlib.shake_256(self._seed + self._drawn.to_bytes(8, "big"))
        return block.digest(count)


def Late(port: P) -> P:  # noqa: N802  (reads as the thing it answers)
    """Answer a stand-in for *port*, or for a whole storage, that answers later, as an async adapter does."""
    return wrapped(port, _late)


def _late(call: PortCall) -> Answer[Any]:
    async def answer() -> Any:
        await asyncio.sleep(0)
        return await got(call.make())

    return answer()
