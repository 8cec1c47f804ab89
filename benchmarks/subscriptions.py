"""The material of the benchmark of billing: books full of subscriptions, and a shop that bills them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any, Final

import attrs
from sqlalchemy import Connection, Table, Text, text

from benchmarks.databases import Make
from benchmarks.peers import ours
from benchmarks.peers.sites import Place
from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.adapters.sqlalchemy.types import KeyText
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
_READY, _WAITING = "ready-one", "later-one"
"""What stands for the number of a subscription that is copied."""
_NUMBERED: Final = {
    "sqlite": (
        "printf('%08d', i)",
        "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {size}) SELECT i FROM n)",
    ),
    "postgresql": ("lpad(CAST(i AS text), 8, '0')", "generate_series(0, {size} - 1) AS numbers(i)"),
}
"""How each database writes a number, and how it counts."""


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
    """Make a database with so many subscriptions, of which some are due.

    Two of them, one due and one not, are written as a shop writes them; the database copies the rest.
    """
    place = make()
    storage = SqlStorage(place.url)
    storage.tables.metadata.create_all(storage.engine)
    storage.open(Scope.single()).record(Change(writes=(*_writes(_READY, due=True), *_writes(_WAITING, due=False))))
    with storage.engine.begin() as connection:
        for table in storage.tables.metadata.sorted_tables:
            _multiply(connection, table, size, due)
    storage.close()
    place.look_over()
    return place


def _multiply(connection: Connection, table: Table, size: int, due: int) -> None:
    """Put copies in place of what a table holds of either, each with its own number for the word that stands for it."""
    number, series = _NUMBERED[connection.dialect.name]
    texts = [column.name for column in table.columns if isinstance(column.type, Text | KeyText)]
    named = {name: f"replace(replace({name}, '{_READY}', {number}), '{_WAITING}', {number})" for name in texts}
    cells = ", ".join(named.get(column.name, column.name) for column in table.columns)
    together = " || ".join(f"coalesce({name}, '')" for name in texts)
    fits = f"({together} LIKE '%{_READY}%') = (i < {due})"
    for statement in (
        f"CREATE TEMPORARY TABLE pattern AS SELECT * FROM {table}",  # noqa: S608  (our own tables and words)
        f"DELETE FROM {table}",  # noqa: S608  (as above)
        f"INSERT INTO {table} SELECT {cells} FROM pattern, {series.format(size=size)} WHERE {fits}",  # noqa: S608  (as above)
        "DROP TABLE pattern",
    ):
        connection.execute(text(statement))


def stocked(storage: Any, size: int, due: int) -> None:
    """Write so many subscriptions, of which some are due, each with its customer's billing account."""
    store = storage.open(Scope.single())
    writes = (write for number in range(size) for write in _writes(f"{number:08}", due=number < due))
    while page := tuple(islice(writes, 2 * PAGE)):
        store.record(Change(writes=page))


def _writes(name: str, *, due: bool) -> Iterator[Write]:
    course = _course(BEGAN if due else BEGAN + LATER)
    customer, account = CustomerId(f"customer-{name}"), f"main/customer-{name}"
    yield ACCOUNTS.add(attrs.evolve(course.account, id=account, customer=customer))
    yield SUBSCRIPTIONS.add(
        course.subscription.but(id=f"subscription-{name}", version=1, account=account, customer=customer, live=())
    )


@cache
def _course(began: datetime) -> Course:
    return Course.begin(COFFEE, began)
