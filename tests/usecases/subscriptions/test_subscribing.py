"""A customer subscribes: once, at the price of that day, with one invoice."""

import json
from datetime import date, timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import BadPolicy, InvalidInput
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.subscriptions import SUBSCRIPTIONS
from shopaccounts.subscriptions.announcing.timeline import UpcomingKind
from shopaccounts.subscriptions.errors import (
    AlreadySubscribed,
    BadQuantity,
    NoPriceInCurrency,
    PaymentMethodNeeded,
    PlanUnknown,
    RequestIdReused,
    SubscriptionUnknown,
    TrialAlreadyUsed,
)
from shopaccounts.subscriptions.plans.offers import Alignment, PlanId, PlanVersionId
from shopaccounts.subscriptions.plans.phases import Days, Phase, PhaseKind
from shopaccounts.subscriptions.policy.cycles import CyclePolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.subscribers import flat_plan

COFFEE = flat_plan("17.90")
TRIED = attrs.evolve(
    COFFEE, id=PlanVersionId("coffee-trial"), phases=(Phase(PhaseKind.TRIAL, Days(14)), *COFFEE.phases)
)
ANN, BEN = CustomerId("ann"), CustomerId("ben")


@pytest.fixture
def plans() -> FixedPlans:
    """What the shop sells."""
    return FixedPlans([COFFEE, TRIED])


@pytest.mark.proves("SUB-9")
async def test_what_has_a_price_waits_for_its_first_payment(coffee) -> None:
    made = await coffee.subscribed()
    assert made.subscription.lifecycle is Lifecycle.INCOMPLETE
    assert str(made.invoice.total) == "21.30 EUR"
    assert made.payment.amount == made.invoice.total


@pytest.mark.proves("SUB-8", "ABU-6")
async def test_asking_again_answers_the_same_subscription(coffee) -> None:
    first, second = await coffee.subscribed(), await coffee.subscribed()
    assert (second.subscription.id, second.invoice.id) == (first.subscription.id, first.invoice.id)
    assert second.payment == first.payment


@pytest.mark.proves("SUB-8")
async def test_another_order_under_the_same_key_is_refused(coffee) -> None:
    await coffee.subscribed()
    with pytest.raises(RequestIdReused):
        await coffee.subscribed(coffee.order(quantity=2))


@pytest.mark.proves("SUB-8")
async def test_a_second_one_of_the_group_is_refused_and_named(coffee) -> None:
    first = await coffee.subscribed()
    with pytest.raises(AlreadySubscribed) as refused:
        await coffee.subscribed(key="o-2")
    assert refused.value.existing == first.subscription.id
    await coffee.subscribed(customer=BEN)


async def test_one_that_is_over_makes_room_for_another(coffee) -> None:
    await coffee.subscribed()
    coffee.builder.clock.advance(timedelta(hours=23))
    await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    again = await coffee.subscribed(key="o-2")
    assert again.subscription.lifecycle is Lifecycle.INCOMPLETE


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"plan": PlanVersionId("tea")}, PlanUnknown),
        ({"currency": "USD"}, NoPriceInCurrency),
        ({"quantity": 0}, BadQuantity),
        ({"quantity": 1_000_001}, BadQuantity),
        ({"start": date(2031, 1, 30)}, InvalidInput),
        ({"start": date(2032, 2, 3)}, InvalidInput),
    ],
    ids=["plan", "currency", "none", "too many", "past", "too far"],
)
async def test_an_order_that_cant_be_is_refused_and_leaves_nothing(coffee, change, refusal) -> None:
    with pytest.raises(refusal):
        await coffee.subscribed(coffee.order(**change))
    assert await coffee.shop.subscription_views.my_subscriptions(ANN) == ()


@pytest.mark.proves("SUB-9")
async def test_a_start_in_the_future_is_billed_then(coffee) -> None:
    made = await coffee.subscribed(coffee.order(start=date(2031, 2, 10)))
    assert (made.subscription.lifecycle, made.invoice) == (Lifecycle.PENDING, None)
    coffee.builder.clock.advance(timedelta(days=10))
    report = await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    assert report.invoices == 1


@pytest.mark.proves("TRI-7", "ABU-1")
async def test_a_trial_is_had_once_by_customer_and_by_card(coffee) -> None:
    made = await coffee.subscribed(coffee.order(plan=TRIED.id))
    assert (made.subscription.lifecycle, made.invoice) == (Lifecycle.TRIALING, None)
    coffee.builder.clock.advance(timedelta(days=14))
    found = await coffee.builder.kept(SUBSCRIPTIONS, made.subscription.id)
    await coffee.builder.edit(
        SUBSCRIPTIONS, found.id, lambda one: attrs.evolve(one, lifecycle=Lifecycle.CANCELED, due_at=None)
    )
    with pytest.raises(TrialAlreadyUsed):
        await coffee.subscribed(coffee.order(plan=TRIED.id), key="o-2")
    without = await coffee.subscribed(coffee.order(plan=TRIED.id, trial=False), key="o-3")
    assert without.subscription.trial is None


@pytest.mark.proves("TRI-4")
async def test_a_trial_may_ask_for_a_payment_method(coffee) -> None:
    policies = coffee.builder.policies
    strict = attrs.evolve(policies.subscriptions.trials, needs_payment_method=True)
    billing = attrs.evolve(policies.subscriptions, trials=strict)
    coffee.builder.policies = attrs.evolve(policies, subscriptions=billing)
    with pytest.raises(PaymentMethodNeeded):
        await coffee.builder.build().subscriptions.subscribe(
            ANN, coffee.order(plan=TRIED.id, payment_method=None), request_id="o-1"
        )


@pytest.mark.proves("SIM-1")
async def test_a_preview_is_the_order_without_the_recording(coffee) -> None:
    shown = await coffee.shop.subscriptions.preview_subscribe(ANN, coffee.order())
    assert await coffee.shop.subscription_views.my_subscriptions(ANN) == ()
    made = await coffee.subscribed()
    (expected,) = shown.invoices
    assert (expected.lines[0].amount, expected.total) == (made.invoice.lines[0].amount, made.invoice.total)


async def test_a_customer_sees_what_comes_and_what_may_be_done(coffee) -> None:
    made = await coffee.subscribed(coffee.order(plan=TRIED.id))
    (view,) = await coffee.shop.subscription_views.my_subscriptions(ANN)
    assert view.entitlement.granted
    assert str(view.next_charge.amount) == "21.30 EUR"
    ahead = await coffee.shop.subscription_views.upcoming(ANN, made.subscription.id, count=3)
    assert [one.kind for one in ahead] == [UpcomingKind.TRIAL_END, UpcomingKind.CHARGE, UpcomingKind.CHARGE]
    with pytest.raises(SubscriptionUnknown):
        await coffee.shop.subscription_views.upcoming(BEN, made.subscription.id)


async def test_invoices_are_listed_the_newest_first(coffee) -> None:
    made = await coffee.subscribed()
    page = await coffee.shop.subscription_views.my_invoices(ANN)
    assert [one.id for one in page.invoices] == [made.invoice.id]
    assert page.after is None
    assert (await coffee.shop.subscription_views.my_invoices(BEN)).invoices == ()


TEA = flat_plan(
    "9.90",
    id=PlanVersionId("tea-1"),
    plan=attrs.evolve(COFFEE.plan, id=PlanId("tea"), code="tea", group="tea"),
)


@pytest.mark.proves("PLN-9")
@pytest.mark.parametrize("consolidate", [True, False], ids=["one invoice", "two invoices"])
async def test_later_subscriptions_follow_the_customers_day_and_may_share_one(coffee, plans, consolidate) -> None:
    plans.add(TEA)
    policies = coffee.builder.policies
    together = attrs.evolve(policies.subscriptions.cycles, alignment=Alignment.CUSTOMER, consolidate=consolidate)
    free = attrs.evolve(policies.subscriptions.subscribing, first_payment=FirstPayment.NOT_REQUIRED)
    billing = attrs.evolve(policies.subscriptions, cycles=together, subscribing=free)
    coffee.builder.policies = attrs.evolve(policies, subscriptions=billing)
    shop = coffee.builder.build()
    await shop.subscriptions.subscribe(ANN, coffee.order(), request_id="o-1")
    coffee.builder.clock.advance(timedelta(days=14))
    tea = await shop.subscriptions.subscribe(ANN, coffee.order(plan=TEA.id), request_id="o-2")
    (stub,) = tea.invoice.lines
    assert (stub.start, stub.end) == (date(2031, 2, 14), date(2031, 2, 28))
    coffee.builder.clock.advance(timedelta(days=16))
    report = await shop.billing.run_billing(worker=WorkerId("w"))
    assert report.invoices == (1 if consolidate else 2)
    assert [str(amount) for amount in report.amounts] == ["33.08 EUR"]


@pytest.mark.proves("POL-1")
def test_a_shared_invoice_needs_a_shared_day() -> None:
    with pytest.raises(BadPolicy):
        CyclePolicy(consolidate=True)


@pytest.mark.proves("EVT-1")
@pytest.mark.parametrize("accepts", [False, True])
async def test_terms_that_the_customer_accepted_are_told_with_the_plan_that_they_are_of(coffee, accepts) -> None:
    order = coffee.order(accepts_terms=accepts)
    made = await coffee.subscribed(order)
    await coffee.subscribed(order)
    rows = await got(coffee.builder.storage.open(coffee.builder.scope).rows(EVENTS, "subject", ANN, None, 500))
    told = [json.loads(one.data) for one in rows.items if one.name == "subscriptions.terms_accepted"]
    assert [(one["subscription"], one["plan"]) for one in told] == [(made.subscription.id, COFFEE.id)] * accepts
    with pytest.raises(RequestIdReused):
        await coffee.subscribed(attrs.evolve(order, accepts_terms=not accepts))
