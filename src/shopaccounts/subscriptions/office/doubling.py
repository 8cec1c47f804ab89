"""What a subscription that ends leaves to those that were marked as its doubles, in the same change."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.reading import all_picked
from shopaccounts.subscriptions.lifecycle.doubles import heirs, is_marked
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.planning.writing_up import Papers
from shopaccounts.subscriptions.states import ENDED

__all__ = ["NO_DOUBLES", "doubles_on_file", "with_heirs"]

NO_DOUBLES: Final[Mapping[str, Subscription]] = MappingProxyType({})


async def doubles_on_file(
    records: Records, after: Iterable[tuple[BillingAccount, Sequence[Subscription]]]
) -> Mapping[str, Subscription]:
    """Look up the marked ones of accounts in which a subscription ends; nothing, where there are none.

    Args:
        records: Where.
        after: Accounts, each with those of its subscriptions that are written, as they are going to be.
    """
    ids = [id for account, its in after if account.doubled and _ends(its) for id in account.doubled]
    return await all_picked(records, SUBSCRIPTIONS, ids)


def _ends(subscriptions: Iterable[Subscription]) -> bool:
    return any(one.lifecycle in ENDED for one in subscriptions)


def with_heirs(papers: Papers, doubles: Mapping[str, Subscription]) -> Papers:
    """Answer papers with what becomes of those that were marked as doubles of one that has ended.

    Args:
        papers: What was written up.
        doubles: What ``doubles_on_file`` found.
    """
    doubled = papers.account.doubled
    if not doubles or not doubled:
        return papers
    written = {one.id: one for one in papers.subscriptions}
    beside = {one.id: one for one in papers.beside}
    known = {**{id: beside.get(id, doubles[id]) for id in doubled if id in doubles}, **written}
    changed = {one.id: one for one in heirs(known.values())}
    left = tuple(id for id in doubled if (one := changed.get(id) or known.get(id)) and is_marked(one))
    account = papers.account if left == doubled else attrs.evolve(papers.account, doubled=left)
    left_beside = tuple(one for id, one in beside.items() if id not in changed)
    subscriptions = tuple({**written, **changed}.values())
    return attrs.evolve(papers, account=account, subscriptions=subscriptions, beside=left_beside)
