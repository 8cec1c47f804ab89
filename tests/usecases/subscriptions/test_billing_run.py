"""The billing run: one subscription that can't be decided stops no other."""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.record import Change
from shopaccounts.subscriptions import ACCOUNTS, SUBSCRIPTIONS, SubscriptionPolicy
from shopaccounts.subscriptions.failures import MOST_FAILURES
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.usecases.billing_run import FAILED
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.wrapping import PortCall, wrapped

if TYPE_CHECKING:
    from tests.usecases.subscriptions.conftest import CoffeeShop

WORKER = WorkerId("w")


@pytest.fixture
def builder(builder):
    """A shop that lets a subscription run before its first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing))
    return builder


async def broken(coffee: "CoffeeShop", customer: str) -> str:
    """Subscribe somebody whose subscription then has no phase any more, as no rule would leave it."""
    made = await coffee.subscribed(customer=CustomerId(customer))
    no_phase = attrs.evolve(made.subscription.terms, phases=())
    await coffee.builder.edit(SUBSCRIPTIONS, made.subscription.id, lambda one: attrs.evolve(one, terms=no_phase))
    return made.subscription.id


@pytest.mark.proves("RUN-5", "KER-145")
async def test_what_cant_be_decided_is_tried_again_later_and_the_others_are_billed(coffee) -> None:
    bad = await broken(coffee, "bad")
    await coffee.subscribed(customer=CustomerId("good"))
    coffee.builder.clock.advance(timedelta(days=30))
    report = await coffee.shop.billing.run_billing(worker=WORKER)
    assert report.invoices == 1
    (failure,) = report.failures
    assert (failure.subscription, failure.code, failure.attempt) == (bad, "IndexError", 1)
    assert failure.next_try == coffee.builder.clock.now() + timedelta(minutes=1)
    assert (await coffee.shop.billing.run_billing(worker=WORKER)).pages == 0


@pytest.mark.proves("RUN-5")
async def test_after_five_failures_a_person_has_to_look(coffee) -> None:
    bad = await broken(coffee, "bad")
    coffee.builder.clock.advance(timedelta(days=30))
    waits = []
    for _ in range(MOST_FAILURES):
        (failure,) = (await coffee.shop.billing.run_billing(worker=WORKER)).failures
        if failure.next_try is not None:
            waits.append(failure.next_try - coffee.builder.clock.now())
            coffee.builder.clock.set(failure.next_try)
    assert waits == [timedelta(minutes=minutes) for minutes in (1, 4, 16, 64)]
    held = await coffee.builder.kept(SUBSCRIPTIONS, bad)
    assert held is not None
    assert held.hold is not None
    assert held.hold.code == FAILED
    coffee.builder.clock.advance(timedelta(days=1))
    assert (await coffee.shop.billing.run_billing(worker=WORKER)).pages == 0


@pytest.mark.proves("RUN-1")
async def test_a_run_may_stop_after_some_pages(coffee) -> None:
    for n in range(5):
        await coffee.subscribed(customer=CustomerId(f"c{n}"))
    coffee.builder.clock.advance(timedelta(days=30))
    report = await coffee.shop.billing.run_billing(limit=2, max_pages=1, worker=WORKER)
    assert (report.pages, report.invoices) == (1, 2)


@pytest.mark.proves("RUN-8")
async def test_a_long_backlog_is_worked_off_in_one_run(coffee) -> None:
    await coffee.subscribed()
    coffee.builder.clock.advance(timedelta(days=740))
    report = await coffee.shop.billing.run_billing(worker=WORKER)
    assert report.invoices == 24
    assert report.pages == 2


@pytest.mark.proves("RUN-5")
async def test_what_cant_be_written_up_is_set_aside_too(coffee) -> None:
    made = await coffee.subscribed(customer=CustomerId("bad"))
    dollars = attrs.evolve(made.subscription.plan_line, key="gift", tariff=Flat(Money.of("1.00", "USD")))
    odd = (*made.subscription.lines, dollars)
    await coffee.builder.edit(SUBSCRIPTIONS, made.subscription.id, lambda one: attrs.evolve(one, lines=odd))
    await coffee.subscribed(customer=CustomerId("good"))
    coffee.builder.clock.advance(timedelta(days=30))
    report = await coffee.shop.billing.run_billing(worker=WORKER)
    assert report.invoices == 1
    assert [(one.subscription, one.code) for one in report.failures] == [
        (made.subscription.id, "money.currency_mismatch")
    ]


@pytest.mark.proves("RUN-4", "KER-103")
@pytest.mark.parametrize("book", [SUBSCRIPTIONS, ACCOUNTS], ids=["the subscription", "its account"])
async def test_what_somebody_changed_meanwhile_is_left_and_the_rest_of_the_page_is_recorded(coffee, book) -> None:
    slow = (await coffee.subscribed(customer=CustomerId("slow"))).subscription
    await coffee.subscribed(customer=CustomerId("quick"))
    coffee.builder.clock.advance(timedelta(days=30))
    storage = coffee.builder.storage

    def in_between(call: PortCall) -> Answer[Any]:
        if call.method == "record_page" and not touched:
            store = storage.open(coffee.builder.scope)
            now = store.find(book, slow.id if book is SUBSCRIPTIONS else slow.account)
            touched.append(store.record(Change(writes=(book.change(now.it, now.it),))))
        return call.make()

    touched: list[object] = []
    shop = coffee.builder.build(partial(wrapped, around=in_between))
    report = await shop.billing.run_billing(worker=WORKER, max_pages=1)
    assert (report.invoices, report.stale) == (1, 1)
    assert (await coffee.shop.billing.run_billing(worker=WORKER)).invoices == 1, "it is decided anew at once"
