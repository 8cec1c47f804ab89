"""The billing run on real databases: few statements a page, and many workers that bill each cycle once."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from sqlalchemy import event

from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import (
    ACCOUNTS,
    CYCLES,
    INVOICES,
    SUBSCRIPTIONS,
    BillingPorts,
    Order,
    SubscriptionPolicy,
)
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.races import race
from shopaccounts.testing.subscribers import flat_plan

START = datetime(2031, 1, 31, 12, tzinfo=UTC)
COFFEE = flat_plan("17.90")
ORDER = Order(plan=COFFEE.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
AROUND = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA", "SHOW", "SET ")


@pytest.fixture
def coffee(builder):
    """A shop that sells coffee, and lets it run before the first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing))
    builder.ports = {**builder.ports, "billing": BillingPorts(plans=FixedPlans([COFFEE]), taxes=FlatTax("19"))}
    builder.clock = FixedClock(START)
    builder.entropy = SystemEntropy()
    return builder


async def subscribed(shop, count: int) -> list[CustomerId]:
    """Subscribe so many customers."""
    customers = [CustomerId(f"customer-{n:03}") for n in range(count)]
    for customer in customers:
        await shop.subscriptions.subscribe(customer, ORDER, request_id="o-1")
    return customers


async def everything(builder, book, group, values):
    """All entities of a book that belong to some accounts."""
    store = builder.storage.open(builder.scope)
    from shopaccounts.kernel.answers import got  # noqa: PLC0415

    found = []
    for value in values:
        found += (await got(store.rows(book, group, value, None, 500))).items
    return found


def accounts_of(customers) -> list[str]:
    return [f"main/{customer}" for customer in customers]


@pytest.mark.proves("RUN-1", "RUN-2", "RUN-11")
async def test_a_run_bills_what_is_due_page_by_page_and_reports_it(coffee) -> None:
    shop = coffee.build()
    customers = await subscribed(shop, 7)
    coffee.clock.advance(timedelta(days=30))
    report = await shop.billing.run_billing(limit=3, worker=WorkerId("w"))
    assert (report.pages, report.subscriptions, report.invoices, report.failures) == (3, 7, 7, ())
    assert [str(amount) for amount in report.amounts] == ["149.10 EUR"]
    invoices = await everything(coffee, INVOICES, "account", accounts_of(customers))
    assert len(invoices) == 14
    assert sorted(invoice.number for invoice in invoices) == list(range(1, 15))


@pytest.mark.proves("RUN-6")
async def test_running_twice_is_running_once(coffee) -> None:
    shop = coffee.build()
    await subscribed(shop, 3)
    coffee.clock.advance(timedelta(days=30))
    first = await shop.billing.run_billing(worker=WorkerId("w"))
    second = await shop.billing.run_billing(worker=WorkerId("w"))
    assert (first.invoices, second.invoices, second.pages) == (3, 0, 0)


@pytest.mark.proves("RUN-3", "RUN-6", "KER-180")
async def test_many_workers_bill_each_cycle_once(coffee) -> None:
    customers = await subscribed(coffee.build(), 12)
    coffee.clock.advance(timedelta(days=100))

    async def work(n: int) -> object:
        return await coffee.build().billing.run_billing(limit=2, worker=WorkerId(f"w{n}"))

    outcomes = await race(4, work)
    assert [one.error for one in outcomes if one.error] == []
    coffee.clock.advance(timedelta(minutes=6))
    await coffee.build().billing.run_billing(worker=WorkerId("late"))
    invoices = await everything(coffee, INVOICES, "account", accounts_of(customers))
    assert len(invoices) == 12 * 4
    assert sorted(invoice.number for invoice in invoices) == list(range(1, 12 * 4 + 1))
    assert len({invoice.key for invoice in invoices}) == len(invoices)


@pytest.mark.proves("RUN-2")
async def test_a_large_account_takes_several_pages_under_one_claim_at_a_time(coffee) -> None:
    policy = coffee.policies.subscriptions
    alone = attrs.evolve(policy.subscribing, one_live_per=type(policy.subscribing.one_live_per)("none"))
    coffee.policies = attrs.evolve(coffee.policies, subscriptions=attrs.evolve(policy, subscribing=alone))
    shop = coffee.build()
    for n in range(7):
        await shop.subscriptions.subscribe(CustomerId("firm"), ORDER, request_id=f"o-{n}")
    coffee.clock.advance(timedelta(days=30))
    report = await shop.billing.run_billing(limit=3, worker=WorkerId("w"))
    assert (report.subscriptions, report.invoices) == (7, 7)
    assert report.pages >= 3


async def test_the_documents_of_a_run_hang_together(coffee) -> None:
    shop = coffee.build()
    customers = await subscribed(shop, 2)
    coffee.clock.advance(timedelta(days=30))
    await shop.billing.run_billing(worker=WorkerId("w"))
    (subscription,) = await everything(coffee, SUBSCRIPTIONS, "account", accounts_of(customers)[:1])
    cycles = await everything(coffee, CYCLES, "subscription", [subscription.id])
    invoices = {one.id: one for one in await everything(coffee, INVOICES, "account", accounts_of(customers)[:1])}
    assert sorted(cycle.index for cycle in cycles) == [0, 1]
    assert {cycle.invoice for cycle in cycles} == set(invoices)
    assert all(cycle.total == invoices[cycle.invoice].total for cycle in cycles)
    (account,) = await everything(coffee, ACCOUNTS, "customer", [customers[0]])
    assert account.balances == ()


@contextmanager
def counted(builder):
    """Lists the statements that are made meanwhile; beginning and ending apart."""
    engine, statements = builder.storage.engine, []

    def note(_connection, _cursor, statement, *_):
        if not statement.lstrip().upper().startswith(AROUND):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


ONCE_A_RUN = ("SELECT shopaccounts_last_billing_runs", "SELECT shopaccounts_price_changes")
"""What is looked up once for a run, however many pages it has."""


@pytest.mark.proves("PRF-4", "TES-112")
@pytest.mark.parametrize("flavour", ["sqlite", "postgresql"])
async def test_a_page_costs_as_many_statements_for_ten_as_for_a_hundred(coffee) -> None:
    shop = coffee.build()
    costs = []
    await subscribed(shop, 110)
    coffee.clock.advance(timedelta(days=30))
    for size in (10, 100):
        coffee.clock.advance(timedelta(seconds=1))
        with counted(coffee) as statements:
            report = await shop.billing.run_billing(limit=size, max_pages=1, worker=WorkerId("w"))
        assert report.invoices == size
        once_a_run = [one for one in statements if one.startswith(ONCE_A_RUN)]
        assert len(once_a_run) == len(ONCE_A_RUN)
        costs.append(len(statements) - len(once_a_run))
    assert costs[0] == costs[1], statements
    assert costs[1] <= 12, "\n\n".join(statements)
