"""What is left of a customer who was erased, and what goes with them.

* The record stays as a tombstone: id, status, when and by which erasure, the months in which the customer came and
  first ordered, how they came, and whom they became part of. Old ids and statistics resolve by it; no address does.
* Everything else is gone, whatever fields a record may have by then: a tombstone is built anew, not emptied.
* With the record goes what other contexts keep of the account; a list names it, book by book.

[GDPR Art. 17]
"""

from datetime import datetime
from typing import Any

import attrs

from shopaccounts.customers.events import CustomerErased
from shopaccounts.customers.lifecycle import follow
from shopaccounts.customers.model import CUSTOMERS, Customer, Tombstone, Trigger
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.record import Book, Bring, Change, Found, Sweep

__all__ = ["Belongings", "Kept", "erased", "erasure"]


@attrs.frozen
class Kept:
    """A book that keeps something of an account.

    Args:
        book: Which.
        group: By which group it is found; empty if it is one entity with the account's id.
    """

    book: Book[Any]
    group: str = ""


@attrs.frozen(kw_only=True)
class Belongings:
    """What goes when an account is closed, and what goes besides when its customer is erased."""

    on_closing: tuple[Kept, ...] = ()
    on_erasing: tuple[Kept, ...] = ()

    @property
    def bring(self) -> tuple[Bring, ...]:
        """What to read along with a customer, so that it can be removed."""
        return tuple(kept.book.via() for kept in (*self.on_closing, *self.on_erasing) if not kept.group)

    def gone_on_closing(self, found: Found[Customer]) -> Change:
        """Answer the part that removes what opens the account."""
        return _gone(self.on_closing, found)

    def gone_on_erasing(self, found: Found[Customer]) -> Change:
        """Answer the part that removes all there is of the account."""
        return _gone((*self.on_closing, *self.on_erasing), found)


def erased(customer: Customer, erasure_id: str, now: datetime, first_order_month: datetime | None = None) -> Customer:
    """Answer the tombstone of *customer*; one that is a tombstone stays the one it is.

    Args:
        customer: The record as it is now.
        erasure_id: By which erasure.
        now: When.
        first_order_month: The first instant of the month of the first order; None if there was none.

    Raises:
        StatusForbids: A record of this status is erased with another one.
    """
    after = follow(customer, Trigger.ERASE)
    if after is customer:
        return customer
    month = customer.created_at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Customer(
        id=customer.id,
        realm=customer.realm,
        version=customer.version,
        standing=after.standing,
        merged_into=customer.merged_into,
        created_at=month,
        origin=customer.origin,
        tombstone=Tombstone(erased_at=now, erasure_id=erasure_id, first_order_month=first_order_month),
    )


def erasure(
    desk: Desk,
    found: Found[Customer],
    belongings: Belongings,
    erasure_id: str,
    now: datetime,
    first_order_month: datetime | None = None,
) -> Change:
    """Answer the part of a change that erases a customer; nothing if that is done.

    Args:
        desk: Puts what happened into its envelope.
        found: The record, with what ``belongings.bring`` names.
        belongings: What goes with it.
        erasure_id: By which erasure.
        now: When.
        first_order_month: As in ``erased``.

    Raises:
        StatusForbids: A record of this status is erased with another one.
    """
    after = erased(found.it, erasure_id, now, first_order_month)
    if after is found.it:
        return Change()
    told = desk.tell(CustomerErased(at=now, account=after.id, erasure=erasure_id))
    return Change(writes=(CUSTOMERS.change(found.it, after),), events=told) | belongings.gone_on_erasing(found)


def _gone(kept: tuple[Kept, ...], found: Found[Customer]) -> Change:
    rows = ((one.book, found[one.book]) for one in kept if not one.group)
    return Change(
        removals=tuple(book.remove(row) for book, row in rows if row is not None),
        sweeps=tuple(Sweep(book=one.book, group=one.group, value=found.it.id) for one in kept if one.group),
    )
