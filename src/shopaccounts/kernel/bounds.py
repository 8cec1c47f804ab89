"""How much may be asked of a port at once; every storage asks here, so that all of them refuse the same.

* A page of a listing has 1 to 500 entities.
* Of up to 1,000 ids, or values of a group, everything can be read at once.
* A counter's state has up to 256 bytes.

Whoever asks for more is a programmer who has to act: nothing is read or written, and a ``Defect`` says why.
"""

from collections.abc import Iterable
from typing import Final

from shopaccounts.kernel.errors import Defect

__all__ = ["MAX_IDS", "MAX_PAGE", "MAX_STATE_BYTES", "page_limit", "require_counter_states", "require_few_ids"]

MAX_PAGE: Final = 500
MAX_IDS: Final = 1000
MAX_STATE_BYTES: Final = 256


def page_limit(limit: int) -> int:
    """Answer *limit* if a listing may have so many entities on a page.

    Raises:
        Defect: It is less than 1 or more than 500.
    """
    if not 1 <= limit <= MAX_PAGE:
        msg = f"a page of {limit}; at least 1 and at most {MAX_PAGE}"
        raise Defect(msg)
    return limit


def require_few_ids(ids: Iterable[str]) -> frozenset[str]:
    """Answer *ids*, each once, if so many can be asked for at once.

    Raises:
        Defect: There are more than 1,000.
    """
    wanted = frozenset(ids)
    if len(wanted) > MAX_IDS:
        msg = f"{len(wanted)} ids at once; at most {MAX_IDS}"
        raise Defect(msg)
    return wanted


def require_counter_states(states: Iterable[bytes]) -> None:
    """Demand that counters may hold so many bytes.

    Raises:
        Defect: One has more than 256.
    """
    longest = max(map(len, states), default=0)
    if longest > MAX_STATE_BYTES:
        msg = f"a counter's state of {longest} bytes; at most {MAX_STATE_BYTES}"
        raise Defect(msg)
