"""Who may subscribe.

The rules, in plain English:

* Whoever pays again and again has an account, unless the shop says that a guest may subscribe, too.
* A customer whom the shop keeps no record of is the host's own, and the host has looked.
* Who has left, was forgotten, or became part of another record subscribes to nothing. What is found when somebody
  subscribes still holds when that is recorded.
"""

from typing import Final

from shopaccounts.customers import CUSTOMERS, AccountStatus, StatusForbids
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.record import Change
from shopaccounts.subscriptions.errors import AccountNeeded
from shopaccounts.subscriptions.policy import SubscribePolicy

__all__ = ["admitted"]

_GONE: Final = frozenset({AccountStatus.CLOSED, AccountStatus.ERASED, AccountStatus.MERGED})


async def admitted(desk: Desk, customer: CustomerId, policy: SubscribePolicy) -> Change:
    """Answer what is recorded with a subscription so that its customer is still somebody who may have one.

    Args:
        desk: Whose books.
        customer: Who subscribes.
        policy: Whether guests may.

    Raises:
        AccountNeeded: A guest, in a shop that wants an account for that.
        StatusForbids: Somebody whose record is closed, erased, or part of another one.
    """
    found = await got(desk.records.find(CUSTOMERS, customer))
    if found is None:
        return Change()
    if found.it.status is AccountStatus.GUEST and not policy.guests:
        raise AccountNeeded
    if found.it.status in _GONE:
        raise StatusForbids(found.it.status.value, "subscribe")
    return Change(guards=(CUSTOMERS.unchanged(found.it),))
