"""Stand-ins that tests script: the dice, storage that answers late, agents, the list of leaked passwords."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.staff import AgentFacts, Permission
from shopaccounts.passwords import Outage, prepare
from shopaccounts.passwords.breaches import fingerprint
from shopaccounts.testing.wrapping import PortCall, wrapped

__all__ = ["Late", "LeakedPasswords", "ScriptedEntropy", "StaffRoom"]

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


class LeakedPasswords:
    """A list of leaked passwords that a test fills.

    Args:
        passwords: Each with how often it was seen.
    """

    def __init__(self, passwords: Mapping[str, int] | None = None) -> None:
        self.passwords = dict(passwords or {})
        self.is_out = False
        self.asked: list[str] = []

    def range(self, prefix: str) -> Sequence[tuple[str, int]] | Outage:
        """Answer what is listed under a prefix, among padding; nothing that helps while the list is out."""
        self.asked.append(prefix)
        if self.is_out:
            return Outage("timeout")
        listed = [(fingerprint(prepare(password)), count) for password, count in self.passwords.items()]
        return [("0" * 35, 0), *((rest, count) for (first, rest), count in listed if first == prefix)]


def Late(port: P) -> P:  # noqa: N802  (reads as the thing it answers)
    """Answer a stand-in for *port*, or for a whole storage, that answers later, as an async adapter does."""
    return wrapped(port, _late)


def _late(call: PortCall) -> Answer[Any]:
    async def answer() -> Any:
        await asyncio.sleep(0)
        return await got(call.make())

    return answer()


class StaffRoom:
    """The shop's own people, as a test says; an ``Agents`` port."""

    def __init__(self) -> None:
        self.agents: dict[str, AgentFacts] = {}
        self.protected: set[str] = set()

    def hire(
        self, agent: str, permissions: Iterable[Permission] = Permission, *, signed_in_at: datetime | None = None
    ) -> None:
        """Let an agent do something, signed in with two factors at *signed_in_at*."""
        self.agents[agent] = AgentFacts(
            active=True, permissions=frozenset(permissions), level=Level.MULTI, authenticated_at=signed_in_at
        )

    def facts(self, agent: str) -> AgentFacts | None:
        """Answer what an agent may do now."""
        return self.agents.get(agent)

    def is_protected(self, account: str) -> bool:
        """Tell whether an account is out of bounds."""
        return account in self.protected
