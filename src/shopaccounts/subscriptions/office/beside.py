"""The subscriptions whose lines wait for an invoice, where another one's may come first: they have to remember it."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.reading import all_picked
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, BillingAccount, Subscription

__all__ = ["NOBODY_BESIDE", "waiting_beside"]

NOBODY_BESIDE: Final[Mapping[str, Subscription]] = MappingProxyType({})


async def waiting_beside(
    records: Records, accounts: Iterable[BillingAccount], at_hand: Collection[str]
) -> Mapping[str, Subscription]:
    """Look up the subscriptions whose lines wait in accounts; nothing, where none does but of those at hand.

    Args:
        records: Where.
        accounts: Whose invoices may be written.
        at_hand: The ids of the subscriptions that are loaded anyway.
    """
    owners = {pending.line.subscription for account in accounts for pending in account.pending}
    return await all_picked(records, SUBSCRIPTIONS, owners.difference(at_hand, {""})) or NOBODY_BESIDE
