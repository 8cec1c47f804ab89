"""Reminding people that a password is old, where a shop wants to.

Age is no reason to change a password, so nobody is ever made to: a shop that reminds says so once in each period, and
nothing follows from it. The period begins when the password was chosen or its owner was last reminded. Shops don't
remind unless they say so. [NIST SP 800-63B-4 3.1.1.2(6)]
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.passwords.model import PasswordRecord
from shopaccounts.passwords.policy import PasswordPolicy

__all__ = ["ReminderDue", "reminded", "reminder_due", "scheduled"]

WHY: Final = "passwords.unchanged_for_long"
"""The key of the text that says why the shop asks."""


@attrs.frozen(kw_only=True)
class ReminderDue:
    """It is time to remind the owner of a password.

    Args:
        set_at: When the password was chosen.
        why: Key of the text that says why the shop asks.
    """

    set_at: datetime
    why: str = WHY


def reminder_due(record: PasswordRecord, policy: PasswordPolicy, now: datetime) -> ReminderDue | None:
    """Answer the reminder that is due at *now*; None if there is none, or the shop doesn't remind."""
    due_at = _next(record, policy)
    return ReminderDue(set_at=record.set_at) if due_at is not None and now >= due_at else None


def reminded(record: PasswordRecord, policy: PasswordPolicy, now: datetime) -> PasswordRecord:
    """Answer the record after its owner was reminded."""
    return scheduled(attrs.evolve(record, reminded_at=now), policy)


def scheduled(record: PasswordRecord, policy: PasswordPolicy) -> PasswordRecord:
    """Answer the record with its next reminder where the present policy has it."""
    due_at = _next(record, policy)
    return record if record.remind_at == due_at else attrs.evolve(record, remind_at=due_at)


def _next(record: PasswordRecord, policy: PasswordPolicy) -> datetime | None:
    return (record.reminded_at or record.set_at) + policy.remind_after if policy.remind_after else None
