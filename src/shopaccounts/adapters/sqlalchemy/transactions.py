"""Who begins and ends the transaction: this library, or the host.

The rules, in plain English:

* On its own engine a store begins, commits and, when the database asks for it, tries again. Pauses between tries grow
  and are drawn at random, so that those who collided once don't collide again.
* In the host's transaction a store sets a savepoint for each change and never commits or rolls back more than that.
  It doesn't try again: what failed is the host's whole transaction, which only the host can repeat.
* A look-up, and a write that is a single statement, needs no transaction of its own.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from shopaccounts.adapters.sqlalchemy.engines import alone
from shopaccounts.adapters.sqlalchemy.failures import TryAgain, meaning
from shopaccounts.adapters.sqlalchemy.hosts import Host
from shopaccounts.adapters.sqlalchemy.tables import Tables
from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.errors import Defect, StaleWrite, Unavailable

__all__ = ["HostTransactions", "OwnTransactions", "Transactions", "pause"]

R = TypeVar("R")
Work = Callable[[Connection], R]
Place = tuple[str, str]

RETRIES: Final = 5
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 1.0
_SUPPORTED: Final = ("sqlite", "postgresql")


class Transactions(Protocol):
    """Runs work on a connection and tells failures in the shop's words."""

    durable: bool

    def alone(self, work: Work[R]) -> R:
        """Run work that is a single statement."""
        ...

    def whole(self, work: Work[R], about: Place) -> R:
        """Run work whose statements all take effect, or none; *about* names it in a ``StaleWrite``."""
        ...


class OwnTransactions:
    """Transactions of a store that has an engine."""

    durable = True

    def __init__(self, engine: Engine, entropy: Entropy, host: Host) -> None:
        _require_known(engine.dialect.name)
        self._engine, self._alone = engine, alone(engine)
        self._entropy, self._host = entropy, host

    def alone(self, work: Work[R]) -> R:
        """Run a single statement, which the database commits by itself."""
        return self._trying(lambda: self._single(work), lambda: Unavailable("lock_timeout"))

    def whole(self, work: Work[R], about: Place) -> R:
        """Run work in a transaction and commit it."""
        return self._trying(lambda: self._committed(work), lambda: StaleWrite(*about))

    def _single(self, work: Work[R]) -> R:
        try:
            with self._alone.connect() as conn:
                return work(conn)
        except SQLAlchemyError as failure:
            raise meaning(failure) from None

    def _committed(self, work: Work[R]) -> R:
        committing = False
        try:
            with self._engine.begin() as conn:
                answer = work(conn)
                committing = True
        except SQLAlchemyError as failure:
            raise meaning(failure, committing=committing) from None
        return answer

    def _trying(self, once: Callable[[], R], in_vain: Callable[[], Exception]) -> R:
        for tries in range(RETRIES):
            try:
                return once()
            except TryAgain:
                self._host.pause(pause(tries, self._entropy))
        try:
            return once()
        except TryAgain:
            raise in_vain() from None


class HostTransactions:
    """Work inside the transaction that the host has on its own connection.

    Args:
        connection: Answers the host's connection; it is asked anew for each piece of work.
        tables: Where to take SQLite's right to write.
        host: How the host waits.
    """

    durable = False

    def __init__(self, connection: Callable[[], Answer[Any]], tables: Tables, host: Host) -> None:
        self._connection, self._host = connection, host
        numbers = tables.numbers
        self._claim_right_to_write = numbers.update().values(last=numbers.c.last).where(text("0 = 1"))

    def alone(self, work: Work[R]) -> R:
        """Run a single statement in the host's transaction."""
        return self._told(lambda: work(self._conn()))

    def whole(self, work: Work[R], about: Place) -> R:  # noqa: ARG002  (nothing is tried again)
        """Run work in a savepoint."""
        return self._told(lambda: self._saved(self._conn(), work))

    def _saved(self, conn: Connection, work: Work[R]) -> R:
        """Take SQLite's right to write first: a driver that begins late would commit with the savepoint."""
        if conn.dialect.name == "sqlite":
            conn.execute(self._claim_right_to_write)
        with conn.begin_nested():
            return work(conn)

    def _told(self, work: Callable[[], R]) -> R:
        try:
            return work()
        except SQLAlchemyError as failure:
            told = meaning(failure)
            raise Unavailable("serialization") if isinstance(told, TryAgain) else told from None

    def _conn(self) -> Connection:
        lent = self._host.take(self._connection())
        conn: Connection = getattr(lent, "sync_connection", lent)
        _require_known(conn.dialect.name)
        return conn


def pause(tries: int, entropy: Entropy) -> float:
    """Answer the seconds to wait before the next try: anything up to a bound that doubles ("full jitter")."""
    return entropy.fraction() * min(_LONGEST_PAUSE, _FIRST_PAUSE * float(2**tries))


def _require_known(dialect: str) -> None:
    if dialect not in _SUPPORTED:
        msg = f"the shop's books can be kept in {' or '.join(_SUPPORTED)}, not in {dialect}"
        raise Defect(msg)
