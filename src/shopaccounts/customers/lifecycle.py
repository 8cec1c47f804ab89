"""The life of a customer record, as a table.

A guest may open an account, which waits (pending) until its owner proves the address. An active account can be
suspended and reinstated, closed with a time of grace, merged into another, and erased; erased is the end. A step that
is not in the table is refused and changes nothing. Repeating the step that led to the present status does nothing.
"""

from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.customers.errors import StatusForbids
from shopaccounts.customers.model import AccountStatus, Customer, StatusReason

__all__ = ["RESUMES", "TRANSITIONS", "Trigger", "follow"]

GUEST, PENDING, ACTIVE, SUSPENDED = (
    AccountStatus.GUEST,
    AccountStatus.PENDING,
    AccountStatus.ACTIVE,
    AccountStatus.SUSPENDED,
)
CLOSING, CLOSED, ERASED, MERGED = (
    AccountStatus.CLOSING,
    AccountStatus.CLOSED,
    AccountStatus.ERASED,
    AccountStatus.MERGED,
)


class Trigger(Enum):
    """What can happen to a customer record."""

    OPEN_ACCOUNT = "open_account"
    VERIFY = "verify"
    RESTART = "restart"
    LAPSE = "lapse"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    LIFT = "lift"
    REQUEST_CLOSING = "request_closing"
    CANCEL_CLOSING = "cancel_closing"
    CLOSE = "close"
    REOPEN = "reopen"
    MERGE = "merge"
    UNMERGE = "unmerge"
    ERASE = "erase"


RESUMES: Final = None
"""In the table: back to the status that was kept when the step away from it was taken."""

TRANSITIONS: Final = MappingProxyType[tuple[AccountStatus, Trigger], AccountStatus | None](
    {
        (GUEST, Trigger.OPEN_ACCOUNT): PENDING,
        (GUEST, Trigger.LAPSE): ERASED,
        (PENDING, Trigger.VERIFY): ACTIVE,
        (PENDING, Trigger.RESTART): PENDING,
        (PENDING, Trigger.LAPSE): ERASED,
        **{(status, Trigger.SUSPEND): SUSPENDED for status in (GUEST, PENDING, ACTIVE)},
        (SUSPENDED, Trigger.REINSTATE): RESUMES,
        (SUSPENDED, Trigger.LIFT): RESUMES,
        (ACTIVE, Trigger.REQUEST_CLOSING): CLOSING,
        (SUSPENDED, Trigger.REQUEST_CLOSING): CLOSING,
        (CLOSING, Trigger.CANCEL_CLOSING): RESUMES,
        (CLOSING, Trigger.CLOSE): CLOSED,
        (CLOSED, Trigger.REOPEN): PENDING,
        **{(status, Trigger.MERGE): MERGED for status in (GUEST, PENDING, ACTIVE, SUSPENDED)},
        (MERGED, Trigger.UNMERGE): RESUMES,
        **{(status, Trigger.ERASE): ERASED for status in (GUEST, PENDING, ACTIVE, SUSPENDED, CLOSING, CLOSED)},
    }
)

_KEEPS_THE_WAY_BACK = frozenset({SUSPENDED, CLOSING, MERGED})
_REPEATABLE = MappingProxyType(
    {
        Trigger.SUSPEND: SUSPENDED,
        Trigger.REQUEST_CLOSING: CLOSING,
        Trigger.CLOSE: CLOSED,
        Trigger.MERGE: MERGED,
        Trigger.ERASE: ERASED,
        Trigger.VERIFY: ACTIVE,
    }
)


def follow(
    customer: Customer, trigger: Trigger, *, reason: StatusReason | None = None, until: datetime | None = None
) -> Customer:
    """Answer *customer* after *trigger*.

    Args:
        customer: The record as it is.
        trigger: What happens.
        reason: Why, where the new status keeps one.
        until: When the new status ends or lapses by itself.

    Raises:
        StatusForbids: The table has no such step.
    """
    if _REPEATABLE.get(trigger) is customer.status:
        return customer
    step = (customer.status, trigger)
    if step not in TRANSITIONS:
        raise StatusForbids(customer.status.value, trigger.value)
    status = TRANSITIONS[step] or customer.resume_status or ACTIVE
    way_back = customer.status if status in _KEEPS_THE_WAY_BACK else None
    if customer.status in _KEEPS_THE_WAY_BACK and status in _KEEPS_THE_WAY_BACK:
        way_back = customer.resume_status
    return attrs.evolve(customer, status=status, status_reason=reason, status_until=until, resume_status=way_back)
