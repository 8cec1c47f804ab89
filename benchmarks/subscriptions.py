"""The material of the benchmark of billing: books full of subscriptions, and a shop that bills them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import attrs

from benchmarks.databases import Make
from benchmarks.peers import ours
from benchmarks.peers.sites import Place
from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.record import Change, Write
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import ACCOUNTS, SUBSCRIPTIONS, BillingPorts
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.subscribers import Course, flat_plan

__all__ = ["PAGE", "Biller", "filled", "opened_on", "stocked"]

PAGE: Final = 500
BEGAN: Final = datetime(2031, 1, 31, 12, tzinfo=UTC)
NOW: Final = BEGAN + timedelta(days=30)
LATER: Final = timedelta(days=10)
COFFEE: Final = flat_plan("17.90")


@attrs.frozen
class Biller:
    """A shop with subscriptions that are due.

    Args:
        shop: The shop.
    """

    shop: ours.Shop[Any]

    def bill(self, pages: int, limit: int = PAGE, worker: str = "benchmark") -> int:
        """Bill so many pages, and answer how many invoices were written.

        Raises:
            RuntimeError: They weren't full.
        """
        billing = self.shop.accounts.billing
        report = billing.run_billing(limit=limit, max_pages=pages, worker=WorkerId(worker))
        if report.invoices != pages * limit:
            msg = f"{pages} pages of {limit} came to {report.invoices} invoices"
            raise RuntimeError(msg)
        return limit * pages

    def bill_all(self, worker: str, limit: int = PAGE, pages: int | None = None) -> int:
        """Bill what is due and nobody else has, and answer how many invoices were written."""
        billing = self.shop.accounts.billing
        return int(billing.run_billing(limit=limit, max_pages=pages, worker=WorkerId(worker)).invoices)


def opened_on(storage: Any) -> Biller:
    """Answer a shop on a storage, on the day on which subscriptions are due."""
    ports = BillingPorts(plans=FixedPlans([COFFEE]), taxes=FlatTax("19"))
    return Biller(ours.shop_on(storage, FixedClock(NOW), billing=ports))


def filled(make: Make, size: int, due: int) -> Place:
    """Make a database with so many subscriptions, of which some are due."""
    place = make()
    storage = SqlStorage(place.url)
    storage.tables.metadata.create_all(storage.engine)
    stocked(storage, size, due)
    storage.close()
    place.look_over()
    return place


def stocked(storage: Any, size: int, due: int) -> None:
    """Write so many subscriptions, of which some are due, each with its customer's billing account."""
    store, writes = storage.open(Scope.single()), _writes(size, due)
    while page := tuple(islice(writes, 2 * PAGE)):
        store.record(Change(writes=page))


def _writes(size: int, due: int) -> Iterator[Write]:
    ready, waiting = Course.begin(COFFEE, BEGAN), Course.begin(COFFEE, BEGAN + LATER)
    for number in range(size):
        course = ready if number < due else waiting
        customer, account = CustomerId(f"customer-{number:08}"), f"main/customer-{number:08}"
        yield ACCOUNTS.add(attrs.evolve(course.account, id=account, customer=customer))
        yield SUBSCRIPTIONS.add(
            course.subscription.but(
                id=f"subscription-{number:08}", version=1, account=account, customer=customer, live=()
            )
        )
