"""So many and no more: a programme's thousand points, the first hundred orders.

* Who takes gets what is left, and maybe less than was wanted; the sum never passes the limit.
* A quota is an entity like any other: it is written at its version, in the change that uses what was taken. So both
  are stored or neither, and of any number at once nobody takes what another has.
* What is given back counts once for each key, however often the same thing is undone.
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book, Change, Once

__all__ = ["QUOTAS", "Quota", "give_back", "take"]

_NAMESPACE: Final = "quota"


@described(data_class="quotas", default=impersonal("how much of something was taken, by nobody in particular"))
@attrs.frozen(kw_only=True)
class Quota:
    """How much was taken of something that there is so much of."""

    id: str
    realm: RealmId
    version: int = 1
    taken: int = 0


QUOTAS = Book(name="quotas", of=Quota)


def take(quota: Quota, wanted: int, limit: int) -> tuple[Quota, int]:
    """Take *wanted*, or what is left of *limit* if that is less.

    Args:
        quota: As it was read; what comes of it is recorded as a change of it.
        wanted: How much, at least 0.
        limit: How much there is in all; may be lowered below what is taken, and then nothing is left.

    Returns:
        The quota with that taken, and how much it was.

    Raises:
        Defect: Less than nothing is wanted.
    """
    if wanted < 0:
        msg = f"{wanted} wanted of a quota; what is not needed is given back"
        raise Defect(msg)
    granted = max(0, min(wanted, limit - quota.taken))
    return attrs.evolve(quota, taken=quota.taken + granted), granted


def give_back(quota: Quota, amount: int, *, key: str, now: datetime, keep_until: datetime) -> Change:
    """Answer the change that gives *amount* back, once.

    Args:
        quota: As it was read.
        amount: How much, at least 0 and at most what is taken.
        key: What it was taken for; a second time it is ``Taken("once:quota")``.
        now: When it is given back.
        keep_until: Until when the same may be tried again.

    Raises:
        Defect: More than was taken, or less than nothing.
    """
    if not 0 <= amount <= quota.taken:
        msg = f"{amount} given back to a quota of which {quota.taken} is taken"
        raise Defect(msg)
    once = Once(namespace=_NAMESPACE, key=f"{len(quota.id)} {quota.id} {key}", now=now, keep_until=keep_until)
    left = attrs.evolve(quota, taken=quota.taken - amount)
    return Change(writes=(QUOTAS.change(quota, left),), once=(once,))
