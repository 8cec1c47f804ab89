"""What follows for subscriptions from what happens to their customers.

The rules, in plain English:

* It is heard of after it is stored, at least once, in order for each customer. What follows from it happens once, in
  every store of the realm, however often it is heard: each step marks that it was done, or finds nothing left to do.
* Whose account is closed has subscriptions no longer than the shop's policy says. Who was erased is forgotten here too.
* Two customers that became one have what both had.
* Another way to pay is told as if the customer had changed it on the shop's own page: without a word about the sum, one
  open invoice is tried at most. A way to pay that is gone pays nothing any more, and the customer is told.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import attrs

from shopaccounts.customers.events import (
    CustomerClosed,
    CustomerErased,
    CustomersMerged,
    PaymentMethodChanged,
    PaymentMethodRemoved,
)
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.events import Envelope, Event
from shopaccounts.kernel.ids import CustomerId, StoreId
from shopaccounts.kernel.reading import all_rows
from shopaccounts.kernel.record import Change, Once
from shopaccounts.subscriptions.collecting.usecases import Collecting
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.leaving.cancelling import leave_with_account
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, Subscription
from shopaccounts.subscriptions.office.desk_work import Case, Office
from shopaccounts.subscriptions.owners.handing_over import HandingOver, accounts_of
from shopaccounts.subscriptions.states import ENDED

__all__ = ["HEARD", "Branch", "Following"]

HEARD: Final = (
    CustomerClosed.name,
    CustomerErased.name,
    CustomersMerged.name,
    PaymentMethodChanged.name,
    PaymentMethodRemoved.name,
)
"""What is heard of."""
_NAMESPACE: Final = "handled:subscriptions"
_REMEMBERED: Final = timedelta(days=180)
"""Longer than any event lies in a box and is put back from there."""


@attrs.frozen(kw_only=True)
class Branch:
    """What decides about the subscriptions of one store."""

    office: Office
    payments: Collecting


@attrs.frozen(kw_only=True)
class Following:
    """Hears of customers.

    Args:
        desk: Whose books; the shop acts by itself.
        handing_over: Passes on what customers have.
        branch: Answers who decides in a store of the realm.
    """

    desk: Desk
    handing_over: HandingOver
    branch: Callable[[StoreId], Branch]

    async def hear(self, event: Event, envelope: Envelope) -> None:
        """Do what follows from an event about a customer.

        Args:
            event: One of those that are ``HEARD``.
            envelope: Which one it is.
        """
        match event:
            case CustomerClosed(account=account):
                await self._end_all(account, envelope)
            case CustomerErased(account=account):
                await self._end_all(account, envelope)
                await self.handing_over.to_nobody(account)
            case CustomersMerged(account=account, source=source):
                await self.handing_over.to(source, account)
            case PaymentMethodChanged(account=account, method=method):
                for one in await accounts_of(self.desk, account):
                    await self.branch(one.store).payments.change_payment_method(
                        account, method, request_id=_key(envelope)
                    )
            case PaymentMethodRemoved(account=account, method=method):
                for one in await accounts_of(self.desk, account):
                    await self.branch(one.store).payments.remove_payment_method(
                        account, method, request_id=_key(envelope)
                    )

    async def _end_all(self, customer: CustomerId, envelope: Envelope) -> None:
        """End the subscriptions of somebody who has left."""
        live = await all_rows(
            self.desk.records, SUBSCRIPTIONS, "customer", customer, wanted=lambda one: one.lifecycle not in ENDED
        )
        for one in live:
            with _not_twice():
                await self._end(one, self._once(envelope, one.id))

    async def _end(self, subscription: Subscription, part: Change) -> None:
        office = self.branch(subscription.store).office

        def rule(case: Case) -> Decision:
            return leave_with_account(case.subscription, case.now, case.facts, office.policy)

        await office.conclude(None, subscription.id, rule, part=part)

    def _once(self, envelope: Envelope, of: str) -> Change:
        """Answer the mark that a step was done."""
        now = self.desk.now()
        key = f"{envelope.event_id} {of}"
        return Change(once=(Once(namespace=_NAMESPACE, key=key, now=now, keep_until=now + _REMEMBERED),))


def _key(envelope: Envelope) -> str:
    """Answer the key under which what follows from an event is asked for."""
    return f"heard {envelope.event_id}"


@contextmanager
def _not_twice() -> Iterator[None]:
    """Pass over a step that is marked as done."""
    try:
        yield
    except Taken as held:
        if held.field != f"once:{_NAMESPACE}":
            raise
