"""What waits for a next invoice that never comes: it is the account's last bill, or too little for one."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions import ACCOUNTS, INTENTS, INVOICES, CancelWish, How, SubscriptionPolicy
from shopaccounts.subscriptions.papers.documents import InvoiceKind
from shopaccounts.subscriptions.plans.add_ons import AddOn
from shopaccounts.subscriptions.plans.offers import PlanId, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.subscribers import EUR, flat_plan

ANN, WORKER = CustomerId("ann"), WorkerId("w")
SEAT = AddOn(key="seat", product="seat", prices=(PerUnit(Money.of("2.80", EUR)),))
OFFICE = flat_plan("28.00", add_ons=(SEAT,))
OTHER = flat_plan(
    "10.00",
    id=PlanVersionId("tea-1"),
    plan=attrs.evolve(OFFICE.plan, id=PlanId("tea"), code="tea", group="tea"),
)
DAYS_LEFT = How(preset=Preset.PRORATE_NEXT)


@pytest.fixture
def plans() -> FixedPlans:
    """What the shop sells."""
    return FixedPlans([OFFICE, OTHER])


@pytest.fixture
def builder(builder, request):
    """A shop that doesn't invoice less than one euro, unless a test says how much."""
    least = getattr(request, "param", "1.00")
    policy = SubscriptionPolicy(
        subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED),
        invoices=InvoicePolicy(min_charge=(Money.of(least, EUR),) if least else ()),
    )
    builder.policies = quick_policies(subscriptions=policy)
    return builder


async def office(coffee, customer=ANN):
    """Somebody adds a seat in the middle of a month, and pays for it with the next one; it is 1.40 before tax."""
    made = await coffee.subscribed(coffee.order(plan=OFFICE.id), customer)
    await run(coffee, days=14)
    await coffee.shop.subscription_changes.add_add_on(customer, made.subscription.id, "seat", how=DAYS_LEFT)
    return made.subscription


async def invoices(coffee, account):
    rows = await got(coffee.builder.storage.open(coffee.builder.scope).rows(INVOICES, "account", account, None, 100))
    return sorted(rows.items, key=lambda one: one.number or 0)


async def run(coffee, days=0):
    coffee.builder.clock.advance(timedelta(days=days))
    return await coffee.shop.billing.run_billing(worker=WORKER)


async def purse(coffee, account):
    return await coffee.builder.kept(ACCOUNTS, account)


@pytest.mark.proves("INV-15")
async def test_what_waits_is_a_final_invoice_when_the_last_subscription_ends(coffee) -> None:
    agreed = await office(coffee)
    assert len((await purse(coffee, agreed.account)).pending) == 1
    await coffee.shop.cancellations.cancel(ANN, agreed.id)
    report = await run(coffee, days=31)
    last = (await invoices(coffee, agreed.account))[-1]
    assert (last.kind, [line.key for line in last.lines], last.subscriptions) == (
        InvoiceKind.FINAL,
        ["seat"],
        (agreed.id,),
    )
    assert (str(last.subtotal), str(last.total)) == ("1.40 EUR", "1.67 EUR")
    assert (await coffee.builder.kept(INTENTS, f"{last.id}:1")).amount == last.total
    assert (report.invoices, [str(one) for one in report.amounts]) == (1, ["1.67 EUR"])
    after = await purse(coffee, agreed.account)
    assert (after.pending, after.settle_at) == ((), None)
    assert (await run(coffee, days=31)).pages == 0


@pytest.mark.proves("INV-15", "CAN-4")
async def test_so_it_is_for_who_leaves_at_once(coffee) -> None:
    agreed = await office(coffee)
    await coffee.shop.cancellations.cancel(ANN, agreed.id, CancelWish(when=CancelWhen.NOW))
    assert (await purse(coffee, agreed.account)).settle_at is not None
    await run(coffee)
    last = (await invoices(coffee, agreed.account))[-1]
    assert (last.kind, str(last.total)) == (InvoiceKind.FINAL, "1.67 EUR")
    assert (await purse(coffee, agreed.account)).pending == ()


@pytest.mark.proves("INV-15", "INV-9")
@pytest.mark.parametrize("builder", ["5.00"], indirect=True)
async def test_what_is_too_little_at_the_end_is_waived(coffee) -> None:
    agreed = await office(coffee)
    await coffee.shop.cancellations.cancel(ANN, agreed.id)
    report = await run(coffee, days=31)
    assert (report.invoices, len(await invoices(coffee, agreed.account))) == (0, 1)
    after = await purse(coffee, agreed.account)
    assert (after.pending, after.settle_at) == ((), None)


@pytest.mark.proves("INV-15")
@pytest.mark.parametrize("builder", ["5.00"], indirect=True)
async def test_what_waits_goes_on_waiting_while_another_subscription_runs(coffee) -> None:
    await coffee.subscribed(coffee.order(plan=OTHER.id), key="o-2")
    coffee.builder.clock.advance(timedelta(days=20))
    agreed = await office(coffee)
    await coffee.shop.cancellations.cancel(ANN, agreed.id)
    await run(coffee, days=15)
    before = await purse(coffee, agreed.account)
    assert ([one.line.key for one in before.pending], before.settle_at) == (["seat"], None)
    await run(coffee, days=12)
    last = (await invoices(coffee, agreed.account))[-1]
    assert [line.key for line in last.lines] == ["seat", "plan"]
    assert (await purse(coffee, agreed.account)).pending == ()


@pytest.mark.proves("INV-15", "RUN-3", "RUN-6")
async def test_a_machine_that_dies_in_between_is_made_up_for_by_the_next_and_once(coffee) -> None:
    agreed = await office(coffee)
    await coffee.shop.cancellations.cancel(ANN, agreed.id)
    coffee.builder.clock.advance(timedelta(days=31))
    await coffee.shop.billing.run_billing(max_pages=1, worker=WORKER)
    assert (await purse(coffee, agreed.account)).settle_at is not None
    first = await run(coffee)
    second = await run(coffee)
    assert (first.invoices, second.pages) == (1, 0)
    assert len(await invoices(coffee, agreed.account)) == 2
