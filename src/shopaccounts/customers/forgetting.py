"""Erasing a customer, once nobody has to keep anything with that customer's name on it."""

from datetime import datetime

import attrs

from shopaccounts.customers.erasing import Belongings, erasure
from shopaccounts.customers.errors import NotFound
from shopaccounts.customers.model import CUSTOMERS
from shopaccounts.customers.ports import ErasureObjections
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.text import require_text

__all__ = ["Erasures"]


@attrs.frozen(kw_only=True)
class Erasures:
    """Leaves a tombstone of a record; whoever hears of that forgets the rest.

    Args:
        desk: Whose books.
        objections: Who may have to keep something for now.
        belongings: What goes with the record.
    """

    desk: Desk
    objections: tuple[ErasureObjections, ...]
    belongings: Belongings

    async def erase(self, account: AccountId, erasure_id: str, first_order_month: datetime | None = None) -> None:
        """Erase a customer; one who is erased stays so.

        Args:
            account: Whom.
            erasure_id: By which erasure.
            first_order_month: The first instant of the month of the first order; None if there was none.

        Raises:
            NotFound: There is no such customer.
            StatusForbids: A record of this status is erased with another one.
            Rejected: Somebody has to keep something for now, as that says.
        """
        id = require_text(account, "account", cap=64)

        async def decide() -> None:
            found = await got(self.desk.records.find(CUSTOMERS, id, bring=self.belongings.bring))
            if found is None:
                raise NotFound
            for objections in self.objections:
                await got(objections.require_erasable(found.it.id))
            now = self.desk.now()
            await self.desk.record(erasure(self.desk, found, self.belongings, erasure_id, now, first_order_month))

        await self.desk.retrying(decide)
