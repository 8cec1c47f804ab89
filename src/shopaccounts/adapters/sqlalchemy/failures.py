"""What a database's refusal means to the shop.

The rules, in plain English:

* Two writers that wait for each other, or whose order the database can't tell, may simply try again.
* A database that is gone, full, locked for too long or read-only is ``Unavailable``, with a stable reason.
* A connection that breaks during the commit leaves it unknown whether the change is stored.
* Anything else is a defect. It tells the database's code and nothing of its text, which may hold values.

Codes: PostgreSQL, appendix A (SQLSTATE); SQLite, result and extended result codes.
"""

from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shopaccounts.kernel.errors import Defect, OutcomeUnknown, Unavailable

__all__ = ["TryAgain", "meaning"]

LOST: Final = "connection_lost"
_TRY_AGAIN: Final = "try_again"
_SQLSTATES: Final = {
    "40001": _TRY_AGAIN,  # serialization_failure
    "40P01": _TRY_AGAIN,  # deadlock_detected
    "55P03": "lock_timeout",  # lock_not_available
    "57014": "timed_out",  # query_canceled, by statement_timeout
    "25006": "read_only",  # read_only_sql_transaction
    "53100": "disk_full",
    "53": "overloaded",  # insufficient_resources
    "58": "disk_failed",  # system_error
    "08": LOST,  # connection_exception
    "57": LOST,  # operator_intervention: shutdown, crash, cannot connect now
    "25P03": LOST,  # idle_in_transaction_session_timeout
}
_SQLITE_CODES: Final = {
    5: _TRY_AGAIN,  # SQLITE_BUSY
    6: _TRY_AGAIN,  # SQLITE_LOCKED
    8: "read_only",  # SQLITE_READONLY
    10: "disk_failed",  # SQLITE_IOERR
    11: "disk_failed",  # SQLITE_CORRUPT
    13: "disk_full",  # SQLITE_FULL
    14: LOST,  # SQLITE_CANTOPEN
    26: "disk_failed",  # SQLITE_NOTADB
}
_PRIMARY_CODE: Final = 0xFF
_MISSING_TABLE: Final = "the tables are missing or behind; migrate the schema"


class TryAgain(Exception):  # noqa: N818  (tells what to do)
    """The database ended the transaction so that another could go on; the same work may succeed now."""


def meaning(failure: SQLAlchemyError, *, committing: bool = False) -> Exception:
    """Answer the exception that a failure of the database stands for.

    Args:
        failure: What SQLAlchemy raised.
        committing: Whether the commit was under way.
    """
    if isinstance(failure, PoolTimeout):
        return Unavailable("pool_exhausted")
    if not isinstance(failure, DBAPIError):
        return Defect(f"SQLAlchemy refused a statement ({type(failure).__name__})")
    reason = LOST if failure.connection_invalidated else _reason(failure)
    if reason == _TRY_AGAIN:
        return TryAgain()
    if reason == LOST and committing:
        return OutcomeUnknown()
    return Unavailable(reason) if reason else Defect(_complaint(failure))


def _reason(failure: DBAPIError) -> str | None:
    state: str | None = getattr(failure.orig, "sqlstate", None)
    if state:
        return _SQLSTATES.get(state) or _SQLSTATES.get(state[:2])
    code: int | None = getattr(failure.orig, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE_CODES.get(code & _PRIMARY_CODE)
    return LOST if isinstance(failure, (OperationalError, InterfaceError)) else None


def _complaint(failure: DBAPIError) -> str:
    state: str | None = getattr(failure.orig, "sqlstate", None)
    if state in {"42P01", "42703"} or "no such" in str(failure.orig):
        return _MISSING_TABLE
    return f"the database refused a statement ({state or getattr(failure.orig, 'sqlite_errorname', 'no code')})"
