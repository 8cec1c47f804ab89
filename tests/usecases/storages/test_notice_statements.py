"""What notices and new prices cost: nothing, to a page that they don't concern; and never more for a larger page."""

from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import attrs
import pytest
from sqlalchemy import event

from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions import BillingPorts, Order, SubscriptionPolicy
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.pricing import PRICE_CHANGES, PriceChange
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax, OneJurisdiction
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.subscribers import EUR, flat_plan

WORKER = WorkerId("counting")
START = datetime(2031, 3, 10, 20, tzinfo=UTC)
MONTH = timedelta(days=32)
COFFEE = flat_plan("10.00")
BOOKS = ("price_changes", "price_answers", "notice_agendas", "sent_notices", "subscriptions", "invoices")


@pytest.fixture(params=["sqlite", "postgresql"])
def flavour(request):
    """Statements are the same whether somebody waits for them or not."""
    return request.param


@pytest.fixture
def crowd(builder):
    """Subscribes so many customers at one place."""

    async def subscribe(number: int, place: str = "", *, changed: bool = False):
        policy = SubscriptionPolicy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
        billing = BillingPorts(plans=FixedPlans([COFFEE]), taxes=FlatTax("19"), jurisdictions=OneJurisdiction(place))
        builder.policies, builder.ports = quick_policies(subscriptions=policy), {"billing": billing}
        builder.clock.set(START)
        shop = builder.build()
        order = Order(plan=COFFEE.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
        for n in range(number):
            await shop.subscriptions.subscribe(CustomerId(f"customer {n}"), order, request_id=f"o-{n}")
        if changed:
            await builder.add(PRICE_CHANGES, attrs.evolve(DEARER, realm=builder.scope.realm))
        return shop

    return subscribe


DEARER = PriceChange(
    id="dearer",
    realm=RealmId("main"),
    store=StoreId("main"),
    plan="coffee",
    plan_version="coffee-2",
    prices=(Flat(Money.of("12.00", EUR)),),
    effective_on=date(2031, 4, 1),
    announced_at=START,
)


@contextmanager
def counted(builder):
    """Counts the statements that are made meanwhile, by the book that they read or write first."""
    engine = builder.storage.engine
    books: Counter[str] = Counter()

    def note(_connection, _cursor, statement, *_):
        named = [(statement.find(book), book) for book in BOOKS if book in statement]
        if named:
            books[min(named)[1]] += 1

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield books
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def billed(builder, shop, **how):
    builder.clock.set(START + MONTH)
    with counted(builder) as books:
        report = await shop.billing.run_billing(worker=WORKER, **how)
    return report, books


@pytest.mark.proves("RUN-10", "PRI-1")
async def test_a_run_that_concerns_neither_looks_up_once_whether_prices_change(builder, crowd) -> None:
    shop = await crowd(9)
    report, books = await billed(builder, shop, limit=3)
    assert (report.pages, report.invoices) == (3, 9)
    assert books["price_changes"] == 1
    assert books["notice_agendas"] == books["sent_notices"] == books["price_answers"] == 0


@pytest.mark.proves("RUN-10")
@pytest.mark.parametrize("number", [2, 12])
async def test_what_was_announced_is_looked_up_once_for_a_page(builder, crowd, number) -> None:
    shop = await crowd(number, "IN")
    report, books = await billed(builder, shop)
    assert report.invoices == number
    lookups, notes = 1, 1
    assert books["notice_agendas"] <= lookups + 2 * notes
    assert books["sent_notices"] == 0


@pytest.mark.proves("PRI-1")
@pytest.mark.parametrize("number", [2, 12])
async def test_a_change_of_price_costs_a_page_what_was_sent_and_what_was_answered(builder, crowd, number) -> None:
    shop = await crowd(number, changed=True)
    report, books = await billed(builder, shop)
    assert report.invoices == number
    assert (books["price_changes"], books["price_answers"], books["notice_agendas"]) == (1, 1, 1)


@pytest.mark.proves("NOT-3")
async def test_a_run_of_notices_costs_the_same_for_a_large_page(builder, crowd) -> None:
    shop = await crowd(12)
    costs = []
    for limit in (2, 10):
        with counted(builder) as books:
            report = await shop.billing_notices.run_notices(limit=limit, max_pages=1, worker=WORKER)
        assert report.looked_at == limit
        costs.append(sum(books.values()))
    assert costs[0] == costs[1]
