"""Commands of the shop's own people to one account.

* They are carried out on the account as it is now, however long the agent has looked at it.
* An agent who says which version that was is told if it has changed since; one who doesn't gets the command repeated
  where somebody else was faster.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar

import attrs

from shopaccounts.customers.errors import NotFound
from shopaccounts.customers.lifecycle import as_of
from shopaccounts.customers.model import CUSTOMERS, Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import StaleWrite
from shopaccounts.kernel.record import Bring, Found
from shopaccounts.kernel.text import require_text

__all__ = ["commanded"]

T = TypeVar("T")

_ROUNDS: Final = 3


async def commanded(
    desk: Desk,
    account: str,
    expected_version: int | None,
    bring: tuple[Bring, ...],
    decide: Callable[[Found[Customer], datetime], Awaitable[T]],
) -> T:
    """Answer what *decide* answers for an account.

    Args:
        desk: Whose records.
        account: Which.
        expected_version: The version that the agent looked at; None if none.
        bring: What else to read in the same moment.
        decide: Gets the record as it is now, and the time; records what it decides.

    Raises:
        NotFound: There is no such account.
        StaleWrite: It has changed since the agent looked, or keeps changing.
        InvalidInput: That can be no id.
    """
    id = require_text(account, "account", cap=64)

    async def look_and_decide() -> T:
        now = desk.now()
        found = await got(desk.records.find(CUSTOMERS, id, bring=bring))
        if found is None:
            raise NotFound
        if expected_version not in {None, found.it.version}:
            raise StaleWrite(CUSTOMERS.name, id)
        return await decide(attrs.evolve(found, it=as_of(found.it, now)), now)

    return await desk.retrying(look_and_decide, _ROUNDS if expected_version is None else 1)
