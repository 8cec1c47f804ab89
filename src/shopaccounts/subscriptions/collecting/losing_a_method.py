"""What becomes of subscriptions whose payment method is gone.

The rules, in plain English:

* What was paid by it alone is paid by the account's method from then on. Where that is gone, too, charges are written
  down all the same, and fail at once: so the customer is chased as after any other failure, and a new method is tried.
* The customer hears of it at once, and not only when the next charge fails.
* Who pays by invoice needs no method, and hears nothing.
"""

from collections.abc import Sequence
from datetime import datetime

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.kernel.record import Write
from shopaccounts.subscriptions.collecting.dossiers import Note
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, CollectionMode, Subscription
from shopaccounts.subscriptions.states import ENDED

__all__ = ["MethodGone", "without_method"]


@attrs.frozen(kw_only=True)
class MethodGone:
    """What losing a payment method led to.

    Args:
        account: As it is then.
        unpaid: The running subscriptions that nothing pays any more, as they are then.
        writes: What is written down.
    """

    account: BillingAccount
    unpaid: tuple[Subscription, ...]
    writes: tuple[Write, ...]

    @property
    def note(self) -> Note | None:
        """What the customer is written: about the subscription that is charged first."""
        due = [(one.due_at, one) for one in self.unpaid if one.due_at is not None]
        if not due:
            return None
        at, first = min(due, key=_first)
        key = f"{self.account.id} {self.account.version}"
        return Note(template="method_removed", key=key, subscription=first.id, amount=Money.zero(first.currency), at=at)


def _first(due: tuple[datetime, Subscription]) -> tuple[datetime, str]:
    return due[0], due[1].id


def without_method(
    account: BillingAccount, subscriptions: Sequence[Subscription], method: str, *, charges: bool
) -> MethodGone:
    """Decide what a payment method leaves behind that can't be charged any more.

    Args:
        account: Whose it was.
        subscriptions: All of the account.
        method: What is gone.
        charges: Whether the shop charges by itself.
    """
    mine = [one for one in subscriptions if one.payment_method == method]
    if account.payment_method != method and not mine:
        return MethodGone(account=account, unpaid=(), writes=())
    left = None if account.payment_method == method else account.payment_method
    automatic = charges and account.collection_mode is CollectionMode.AUTOMATIC
    after = attrs.evolve(account, payment_method=left, method_removed=automatic and left is None)
    changed = {one.id: attrs.evolve(one, payment_method=None) for one in mine}
    now = [changed.get(one.id, one) for one in subscriptions]
    unpaid = (one for one in now if one.lifecycle not in ENDED and one.payment_method is None)
    return MethodGone(
        account=after,
        unpaid=tuple(unpaid) if after.method_removed else (),
        writes=(ACCOUNTS.change(account, after), *(SUBSCRIPTIONS.change(one, changed[one.id]) for one in mine)),
    )
