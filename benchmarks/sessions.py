"""The material of the benchmark of ``record``: a table full of sessions, and changes of them."""

from itertools import count
from typing import Any, Final

import attrs

from benchmarks.databases import Make
from benchmarks.peers import ours
from benchmarks.peers.sites import PASSWORD, Place, fresh_address
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.time import SystemClock
from shopaccounts.signin import SESSIONS
from shopaccounts.signin.events import SignedInEvent
from shopaccounts.signin.model import Session

__all__ = ["ONE", "TWO", "Sessions", "filled", "named"]

ONE: Final = "one write"
TWO: Final = "two writes, one event"
PAGE: Final = 500
STEP: Final = 7919
"""A prime: stepping by it visits all sessions, and none next to the one before."""
_numbers = count(1)


class Sessions:
    """What a database holds, and changes of it that build on each other.

    Args:
        shop: The shop that keeps its books there.
        kept: The sessions that are stored.
    """

    def __init__(self, shop: ours.Shop[Any], kept: list[Session]) -> None:
        self.shop, self.kept = shop, kept
        self.store = shop.storage.open(Scope.single())
        self._desk = Desk(
            scope=Scope.single(), records=self.store, clock=SystemClock(), entropy=SystemEntropy(), bell=SilentBell()
        )
        self._turn = 0

    def changes(self, what: str, times: int) -> list[Change]:
        """Answer so many changes, to be recorded in this order."""
        return [self._touch() if what == ONE else self._touch() | self._arrival() for _ in range(times)]

    def _touch(self) -> Change:
        self._turn += STEP
        at = self._turn % len(self.kept)
        write = SESSIONS.change(self.kept[at], attrs.evolve(self.kept[at], agent=f"turn {self._turn}"))
        self.kept[at] = write.now
        return Change(writes=(write,))

    def _arrival(self) -> Change:
        session = named(self.kept[0], f"new {next(_numbers)}")
        told = SignedInEvent(
            at=session.created_at,
            account=session.account,
            session=session.public_id,
            methods=("password",),
            level=1,
            network="network",
        )
        return Change(writes=(SESSIONS.add(session),), events=self._desk.tell(told))


def named(pattern: Session, name: str) -> Session:
    """Answer a session of somebody else."""
    return attrs.evolve(pattern, id=name, version=1, public_id=f"public {name}", account=AccountId(f"account {name}"))


def filled(make: Make, size: int) -> tuple[Place, list[Session]]:
    """Make a database with so many sessions."""
    place = make()
    shop = ours.open_shop(place)
    pattern = _signed_in(shop)
    kept = [named(pattern, f"{number:08}") for number in range(size)]
    store = shop.storage.open(Scope.single())
    for start in range(0, size, PAGE):
        store.record(Change(writes=tuple(SESSIONS.add(session) for session in kept[start : start + PAGE])))
    shop.storage.close()
    return place, kept


def _signed_in(shop: ours.Shop[Any]) -> Session:
    site, address = ours.bare(shop), fresh_address()
    site.admit(address)
    step = ours.must_be_in(shop.accounts.signin.sign_in_with_password(address, PASSWORD, ours.context()))
    session: Session = shop.storage.open(Scope.single()).rows(SESSIONS, "public_id", step.public_id, None, 1).items[0]
    return session
