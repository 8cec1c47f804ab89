"""Cycles that are on file without their subscriptions knowing, on real databases and with many workers."""

from datetime import UTC, datetime, timedelta

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import CYCLES, INVOICES, SUBSCRIPTIONS, BillingPorts, Order, SubscriptionPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.races import race
from shopaccounts.testing.subscribers import flat_plan
from tests.usecases.cycles_at_hand import settled

COFFEE = flat_plan("17.90")
ORDER = Order(plan=COFFEE.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
OTHERWISE = {"other": {"total": Money.of("11.90", "EUR")}, "same": {}}


@pytest.fixture
def coffee(builder):
    """A shop that sells coffee, and lets it run before the first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing))
    builder.ports = {**builder.ports, "billing": BillingPorts(plans=FixedPlans([COFFEE]), taxes=FlatTax("19"))}
    builder.clock = FixedClock(datetime(2031, 1, 31, 12, tzinfo=UTC))
    builder.entropy = SystemEntropy()
    return builder


async def put_back(coffee, each: int) -> dict[str, list[str]]:
    """Subscribe customers of three kinds: the second cycle of some is on file as it should be, of some otherwise."""
    shop = coffee.build()
    ids: dict[str, list[str]] = {}
    for kind in ("good", *OTHERWISE):
        for n in range(each):
            customer = CustomerId(f"{kind}-{n}")
            one = (await shop.subscriptions.subscribe(customer, ORDER, request_id="o-1")).subscription
            ids.setdefault(kind, []).append(one.id)
            if kind in OTHERWISE:
                await coffee.add(CYCLES, settled(one, 1, **OTHERWISE[kind]))
    coffee.clock.advance(timedelta(days=31))
    return ids


async def require_as_it_should_be(coffee, ids: dict[str, list[str]]) -> None:
    """Each was billed once, goes on without a second invoice, or is held."""
    store = coffee.storage.open(coffee.scope)
    for kind, invoices, billed_to in (("good", 2, 2), ("same", 1, 2), ("other", 1, 1)):
        for one in await got(store.pick(SUBSCRIPTIONS, ids[kind])):
            written = (await got(store.rows(INVOICES, "account", one.account, None, 9))).items
            assert (len(written), one.billed_to, one.hold is not None) == (invoices, billed_to, kind == "other"), kind


@pytest.mark.proves("INV-6")
async def test_a_cycle_put_back_is_gone_over_or_held(coffee) -> None:
    ids = await put_back(coffee, 2)
    report = await coffee.build().billing.run_billing(worker=WorkerId("w"), max_pages=5)
    assert (report.pages, report.subscriptions, report.invoices, report.held) == (1, 4, 2, 2)
    assert sorted(one.subscription for one in report.failures) == sorted(ids["other"])
    await require_as_it_should_be(coffee, ids)
    assert (await coffee.build().billing.run_billing(worker=WorkerId("w"), max_pages=5)).pages == 0


@pytest.mark.proves("INV-6", "RUN-3", "RUN-6")
async def test_many_workers_go_over_cycles_put_back_once(coffee) -> None:
    ids = await put_back(coffee, 4)

    async def work(n: int) -> object:
        return await coffee.build().billing.run_billing(limit=2, max_pages=20, worker=WorkerId(f"w{n}"))

    outcomes = await race(4, work)
    assert [one.error for one in outcomes if one.error] == []
    coffee.clock.advance(timedelta(minutes=6))
    await coffee.build().billing.run_billing(worker=WorkerId("late"), max_pages=20)
    await require_as_it_should_be(coffee, ids)
    assert sum(one.value.held for one in outcomes if one.value) <= len(ids["other"])
