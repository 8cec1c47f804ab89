"""What becomes of due work that fails: it is tried again later, and after some failures a person has to look at it.

It waits a minute first, then four times as long each time. Where data contradict each other nothing is tried again: a
person has to look at once.
"""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.subscriptions.errors import InvoiceKeyClash

__all__ = ["MOST_FAILURES", "BillingFailure", "failed"]

MOST_FAILURES: Final = 5
"""So often something is tried before a person has to look at it."""
_FIRST_WAIT: Final = timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class BillingFailure:
    """A subscription that could not be decided, or whose boxes could not.

    Args:
        subscription: Which.
        code: What was wrong: the code of a rejection, or the name of an error.
        attempt: How often it failed.
        next_try: When it is tried again; None where a person has to look at it.
    """

    subscription: str
    code: str
    attempt: int
    next_try: datetime | None


def failed(subscription: str, failure: Exception, before: int, now: datetime) -> BillingFailure:
    """Answer what is reported of a subscription whose due work failed.

    Args:
        subscription: Which.
        failure: What was wrong.
        before: How often it had failed before.
        now: When it failed.
    """
    attempt = before + 1
    is_for_a_person = attempt >= MOST_FAILURES or isinstance(failure, InvoiceKeyClash)
    next_try = None if is_for_a_person else now + _FIRST_WAIT * 4**before
    code = getattr(failure, "code", type(failure).__name__)
    return BillingFailure(subscription=subscription, code=code, attempt=attempt, next_try=next_try)
