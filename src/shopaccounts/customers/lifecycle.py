"""The life of a customer record, as a table.

A guest may open an account, which waits (pending) until its owner proves the address. An active account can be
suspended and reinstated, closed with a time of grace, merged into another, and erased; erased is the end. A step that
is not in the table is refused and changes nothing. Repeating the step that led to the present status does nothing.

Who is suspended, asks to close and stays after all is still suspended: every stop remembers where the record stood. A
suspension until a time is over at that time, whether or not anybody has written so.
"""

from datetime import datetime
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.customers.errors import StatusForbids
from shopaccounts.customers.model import AccountStatus, Customer, Standing, StatusReason, Trigger
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.text import require_text

__all__ = ["RESUMES", "TRANSITIONS", "as_of", "follow"]

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


RESUMES: Final = None
"""In the table: back to where the record stood when it was stopped."""

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
_NOTE_LENGTHS: Final = range(3, 501)


def follow(
    customer: Customer,
    trigger: Trigger,
    *,
    reason: StatusReason | None = None,
    note: str | None = None,
    until: datetime | None = None,
) -> Customer:
    """Answer *customer* after *trigger*.

    Args:
        customer: The record as it is now, which ``as_of`` answers.
        trigger: What happens.
        reason: Why; a suspension needs one.
        note: The reason in words, 3 to 500 characters, for ``StatusReason.OTHER``.
        until: When the new status ends or lapses by itself.

    Raises:
        StatusForbids: The table has no such step.
        InvalidInput: A suspension without a reason, or another reason without words.
    """
    now, step = customer.standing, (customer.status, trigger)
    if step not in TRANSITIONS:
        if now.led_by is trigger:
            return customer
        raise StatusForbids(customer.status.value, trigger.value)
    target = TRANSITIONS[step]
    if target is RESUMES:
        return _resumed(customer, trigger)
    if trigger is Trigger.SUSPEND:
        _check_reason(reason, note)
    before = now if target in _KEEPS_THE_WAY_BACK else None
    standing = Standing(status=target, led_by=trigger, reason=reason, note=note, until=until, before=before)
    return attrs.evolve(customer, standing=standing)


def as_of(customer: Customer, now: datetime) -> Customer:
    """Answer *customer* as everybody sees the record at *now*: a suspension ends by itself at its time."""
    over = customer.status is SUSPENDED and customer.status_until is not None and now >= customer.status_until
    return follow(customer, Trigger.LIFT) if over else customer


def _resumed(customer: Customer, trigger: Trigger) -> Customer:
    before = customer.standing.before
    if before is None:
        raise StatusForbids(customer.status.value, trigger.value)
    return attrs.evolve(customer, standing=attrs.evolve(before, led_by=trigger))


def _check_reason(reason: StatusReason | None, note: str | None) -> None:
    if reason is None:
        raise InvalidInput(field="reason", reason="missing")
    if reason is StatusReason.OTHER and len(require_text(note, "note", cap=max(_NOTE_LENGTHS))) not in _NOTE_LENGTHS:
        raise InvalidInput(field="note", reason="too_short")
