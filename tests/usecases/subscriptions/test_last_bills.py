"""What waits for a next invoice that never comes: it is the account's last bill, or too little for one."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.answers import run as now
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.staff import Permission
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import (
    ACCOUNTS,
    INTENTS,
    INVOICES,
    SUBSCRIPTIONS,
    BillingPorts,
    CancelWish,
    How,
    Order,
    SubscriptionPolicy,
)
from shopaccounts.subscriptions.announcing.timeline import UpcomingKind
from shopaccounts.subscriptions.errors import CancellationScheduled
from shopaccounts.subscriptions.papers.documents import InvoiceKind
from shopaccounts.subscriptions.plans.add_ons import AddOn
from shopaccounts.subscriptions.plans.offers import PlanId, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.usecases import viewing
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.gateway import ScriptedGateway
from shopaccounts.testing.simulator import Simulator
from shopaccounts.testing.subscribers import EUR, flat_plan
from tests.usecases.subscriptions.conftest import START, acting

ANN, WORKER = CustomerId("ann"), WorkerId("w")
SEAT = AddOn(key="seat", product="seat", prices=(PerUnit(Money.of("2.80", EUR)),))
OFFICE = flat_plan("28.00", add_ons=(SEAT,))
OTHER = flat_plan(
    "10.00",
    id=PlanVersionId("tea-1"),
    tax_category="tea",
    plan=attrs.evolve(OFFICE.plan, id=PlanId("tea"), code="tea", group="tea"),
)
DAYS_LEFT = How(preset=Preset.PRORATE_NEXT)
NOT_REQUIRED = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)


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


# Shown before


async def charges(coffee, id, customer=ANN):
    """When the next charges of a subscription come, and what they are."""
    shown = await coffee.shop.subscription_views.upcoming(customer, id)
    return [(one.at, one.amount) for one in shown if one.kind is UpcomingKind.CHARGE]


async def written(coffee, account, until):
    """What is charged until then, if a run comes by whenever something is due."""
    before = {one.id for one in await invoices(coffee, account)}
    while coffee.builder.clock.now() < until:
        coffee.builder.clock.advance(min(until - coffee.builder.clock.now(), timedelta(hours=1)))
        await run(coffee)
    return [(one.issued_at, one.due) for one in await invoices(coffee, account) if one.id not in before]


@pytest.mark.proves("SIM-2", "INV-15")
@pytest.mark.parametrize("builder", ["1.00", "5.00"], indirect=True)
async def test_what_will_be_the_last_bill_is_shown_when_it_will_be_written_and_with_its_amount(coffee) -> None:
    agreed = await office(coffee)
    await coffee.shop.cancellations.cancel(ANN, agreed.id)
    seen = await charges(coffee, agreed.id)
    ends = (await coffee.builder.kept(SUBSCRIPTIONS, agreed.id)).scheduled.cancel.at
    least = coffee.builder.policies.subscriptions.invoices.min_charge[0].minor
    assert seen == ([(ends, Money.of("1.67", EUR))] if least == 100 else [])
    assert await written(coffee, agreed.account, ends + timedelta(days=2)) == seen


@pytest.mark.proves("SIM-2", "INV-15", "INV-13")
async def test_the_balance_pays_of_the_last_bill_too(coffee, staff) -> None:
    staff.hire("eve", [Permission.BILLING])
    agreed = await office(coffee)
    given = Money.of("1.00", EUR)
    await acting(coffee.builder, "eve").document_desk.give_goodwill(ANN, given, "she rang us", request_id="g-1")
    await coffee.shop.cancellations.cancel(ANN, agreed.id)
    seen = await charges(coffee, agreed.id)
    assert [str(amount) for _, amount in seen] == ["0.67 EUR"]
    assert await written(coffee, agreed.account, seen[0][0] + timedelta(days=2)) == seen


@pytest.mark.proves("SIM-2", "INV-15", "CAN-4")
async def test_who_has_left_at_once_is_shown_the_last_bill_until_it_is_written(coffee) -> None:
    agreed = await office(coffee)
    await coffee.shop.cancellations.cancel(ANN, agreed.id, CancelWish(when=CancelWhen.NOW))
    now = coffee.builder.clock.now()
    (view,) = await coffee.shop.subscription_views.my_subscriptions(ANN)
    seen = await charges(coffee, agreed.id)
    assert seen == [(now, Money.of("1.67", EUR))] == [(view.next_charge.at, view.next_charge.amount)]
    await run(coffee)
    assert [(one.issued_at, one.due) for one in (await invoices(coffee, agreed.account))[1:]] == seen
    assert await charges(coffee, agreed.id) == []


@pytest.mark.proves("SIM-2", "INV-15")
async def test_what_waits_is_no_last_bill_while_another_subscription_runs(coffee) -> None:
    other = (await coffee.subscribed(coffee.order(plan=OTHER.id), key="o-2")).subscription
    coffee.builder.clock.advance(timedelta(days=20))
    agreed = await office(coffee)
    await coffee.shop.cancellations.cancel(ANN, agreed.id)
    assert await charges(coffee, agreed.id) == []
    seen = (await charges(coffee, other.id))[:2]
    assert [str(amount) for _, amount in seen] == ["13.57 EUR", "11.90 EUR"]
    assert await written(coffee, agreed.account, seen[-1][0] + timedelta(days=1)) == seen


@pytest.mark.proves("SIM-2", "INV-15")
async def test_of_an_account_with_more_subscriptions_than_are_looked_at_no_last_bill_is_foretold(
    coffee, monkeypatch
) -> None:
    await coffee.subscribed(coffee.order(plan=OTHER.id), key="o-2")
    agreed = await office(coffee)
    await coffee.shop.cancellations.cancel(ANN, agreed.id)
    monkeypatch.setattr(viewing, "_PAGE", 1)
    assert await charges(coffee, agreed.id) == []


HOUR = timedelta(hours=1)
WHEN = st.sampled_from([CancelWhen.NOW, CancelWhen.AT_PERIOD_END, None])


@pytest.mark.proves("SIM-1", "SIM-2", "INV-15", "INV-9")
@given(
    later=st.integers(0, 40),
    days=st.integers(0, 25),
    ends=st.tuples(WHEN, WHEN),
    between=st.integers(0, 12),
    least=st.sampled_from(["", "1.00", "5.00", "15.00"]),
    planned=st.sampled_from([0, 3, 40]),
    removed=st.booleans(),
)
@example(later=0, days=0, ends=(None, None), between=0, least="15.00", planned=0, removed=False)
@example(later=0, days=0, ends=(None, None), between=0, least="", planned=40, removed=False)
@example(later=0, days=0, ends=(None, None), between=0, least="", planned=0, removed=False)
@example(later=20, days=14, ends=(None, None), between=0, least="", planned=0, removed=False)
@example(
    later=0,
    days=0,
    ends=(CancelWhen.AT_PERIOD_END, CancelWhen.AT_PERIOD_END),
    between=0,
    least="",
    planned=0,
    removed=False,
)
@example(later=20, days=14, ends=(None, None), between=0, least="", planned=40, removed=True)
@example(later=20, days=0, ends=(None, None), between=3, least="", planned=40, removed=True)
@example(later=0, days=0, ends=(None, CancelWhen.NOW), between=0, least="", planned=3, removed=False)
@example(later=0, days=14, ends=(CancelWhen.NOW, None), between=0, least="", planned=3, removed=True)
@example(later=20, days=6, ends=(None, None), between=0, least="", planned=3, removed=True)
@settings(max_examples=25)
def test_two_subscriptions_show_together_what_the_account_is_charged(
    later, days, ends, between, least, planned, removed
) -> None:
    small = InvoicePolicy(min_charge=(Money.of(least, EUR),) if least else ())
    policy = SubscriptionPolicy(subscribing=NOT_REQUIRED, invoices=small)
    ports = BillingPorts(plans=FixedPlans([OFFICE, OTHER]), taxes=FlatTax("19"), gateway=ScriptedGateway())
    builder = ShopBuilder(
        clock=FixedClock(START), policies=quick_policies(subscriptions=policy), ports={"billing": ports}
    )
    time = Simulator(builder)
    shop: Any = time.shop

    def pass_by(span: timedelta) -> None:
        now(time.advance_by(span))

    ids = []
    for plan, wait in ((OTHER, later), (OFFICE, days)):
        order = Order(plan=plan.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
        ids.append(now(shop.subscriptions.subscribe(ANN, order, request_id=plan.id)).subscription.id)
        pass_by(wait * 24 * HOUR)
    day = (builder.clock.now() + planned * 24 * HOUR).date()
    if removed or not planned:
        now(shop.subscription_changes.add_add_on(ANN, ids[1], "seat", how=DAYS_LEFT))
    if planned:
        change = "remove_add_on" if removed else "add_add_on"
        now(getattr(shop.subscription_changes, change)(ANN, ids[1], "seat", how=attrs.evolve(DAYS_LEFT, when=day)))
    for id, when in zip(ids, ends, strict=True):
        if when is not None:
            with suppress(CancellationScheduled):
                now(shop.cancellations.cancel(ANN, id, CancelWish(when=when)))
        pass_by(between * 24 * HOUR)
    before = set(kept_invoices(builder))
    until = builder.clock.now() + 80 * 24 * HOUR
    shown = [now(shop.subscription_views.upcoming(ANN, id, until=until, count=100)) for id in ids]
    now(time.advance_to(until))
    new = [one for id, one in kept_invoices(builder).items() if id not in before]
    seen = [(one.at, one.amount.minor) for each in shown for one in each if one.kind is UpcomingKind.CHARGE]
    assert sorted(seen) == sorted((one.issued_at, one.total.minor - one.balance_applied.minor) for one in new)


def kept_invoices(builder: ShopBuilder) -> dict[str, Any]:
    books: dict[str, dict[str, Any]] = builder.storage.snapshot()["main"].books  # type: ignore[attr-defined]
    return books.get(INVOICES.name, {})
