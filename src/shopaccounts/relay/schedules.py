"""When another try is due.

The rules, in plain English:

* A schedule is a list of waits: the first before the first try, the second before the second, and so on. After the last
  one there is no further try.
* Each wait is spread a little, so that what failed together does not come back together.
* Who answers "not before" is listened to if that is later, up to a day.
"""

from datetime import datetime, timedelta
from typing import Final

__all__ = ["DEFAULT", "LONGEST_RETRY_AFTER", "Schedule", "delay_before", "next_attempt_at"]

Schedule = tuple[timedelta, ...]

DEFAULT: Final[Schedule] = (
    timedelta(0),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
"""For functions and mail: seven tries in about 31 hours (house)."""

LONGEST_RETRY_AFTER: Final = timedelta(hours=24)


def delay_before(attempt: int, schedule: Schedule = DEFAULT) -> timedelta | None:
    """Answer the wait before a try; None if there is no such try.

    Args:
        attempt: Which try, the first is 1.
        schedule: The waits.

    Raises:
        ValueError: *attempt* is below 1.
    """
    if attempt < 1:
        msg = "tries are counted from 1"
        raise ValueError(msg)
    return schedule[attempt - 1] if attempt <= len(schedule) else None


def next_attempt_at(
    failed: int,
    now: datetime,
    fraction: float,
    *,
    spread: float = 0.2,
    retry_after: timedelta | None = None,
    schedule: Schedule = DEFAULT,
) -> datetime | None:
    """Answer when to try again after a failure; None if the schedule is used up.

    Args:
        failed: How many tries have failed, the last one included.
        now: When the last one failed.
        fraction: A random number from 0 up to, but without, 1; one half spreads nothing.
        spread: The part by which a wait may become shorter or longer.
        retry_after: The other side's wish; it counts if it is later, up to a day.
        schedule: The waits.
    """
    delay = delay_before(failed + 1, schedule)
    if delay is None:
        return None
    planned = delay * (1 + spread * (2 * fraction - 1))
    wished = min(retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    return now + max(planned, wished)
