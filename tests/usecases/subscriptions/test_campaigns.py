"""A campaign is for so many subscriptions of a customer, whoever grants it, whatever ended, and whatever is void."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import CurrencyMismatch, Money, Rate
from shopaccounts.subscriptions import (
    CAMPAIGN_USES,
    SUBSCRIPTIONS,
    CancelWish,
    Lifecycle,
    Return,
    RunningElsewhere,
)
from shopaccounts.subscriptions.errors import (
    BadPlan,
    DiscountAlreadyApplied,
    DiscountLimitReached,
    RequestIdReused,
    TooManyDiscounts,
)
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, Fixed, Forever, Once, Percent
from shopaccounts.subscriptions.plans.phases import Cycles, Months
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.testing.subscribers import flat_plan
from tests.usecases.billing_worlds import plan_of

ANN, BOB, WHY = CustomerId("ann"), CustomerId("bob"), "a goodwill gesture"
AT_ONCE = CancelWish(when=CancelWhen.NOW)
TEA, JAM = flat_plan("9.00", **plan_of("tea")), flat_plan("5.00", **plan_of("jam"))
DURATIONS = {"once": Once(), "months": Months(2), "cycles": Cycles(2), "forever": Forever()}


def campaign(code="SPRING", **more):
    usual: dict[str, Any] = {"kind": Percent(Rate.percent(50)), "duration": Once()}
    return Discount(code=code, **(usual | more))


@pytest.fixture
def spring(till, plans):
    """A shop that takes money for coffee, tea and jam."""
    for one in (TEA, JAM):
        plans.add(one)
    return till


async def having(till, *discounts, plan=None, customer=ANN, key="o-1"):
    """Subscribe with discounts; answer the id."""
    order = till.order(discounts=discounts, **({"plan": plan.id} if plan else {}))
    return (await till.subscribed(order, customer, key)).subscription.id


async def kept(till, id):
    return await till.builder.kept(SUBSCRIPTIONS, id)


async def refused(till, *discounts, plan=TEA, key="o-2"):
    """Subscribing with these is refused and leaves nothing; what was said."""
    before = till.builder.storage.snapshot()["main"].books
    with pytest.raises(DiscountLimitReached) as said:
        await having(till, *discounts, plan=plan, key=key)
    assert till.builder.storage.snapshot()["main"].books == before
    return said.value


@pytest.mark.proves("ABU-2")
@pytest.mark.parametrize("lasts", DURATIONS)
async def test_a_campaign_is_had_on_one_subscription_also_when_that_was_cancelled(spring, lasts) -> None:
    once = campaign(duration=DURATIONS[lasts])
    id = await having(spring, once)
    assert (await kept(spring, id)).discounts[0].uses == 1
    said = await refused(spring, once)
    assert (said.discount, said.limit) == ("SPRING", 1)
    await spring.shop.cancellations.cancel(ANN, id, AT_ONCE)
    await refused(spring, once, plan=None, key="o-3")
    await refused(spring, once)


@pytest.mark.proves("ABU-2")
async def test_another_customer_and_another_campaign_are_not_concerned(spring) -> None:
    await having(spring, campaign())
    assert await having(spring, campaign(), customer=BOB)
    assert await having(spring, campaign("SUMMER"), plan=TEA, key="o-2")


@pytest.mark.proves("ABU-2")
async def test_it_may_be_for_more_or_for_any_number_of_subscriptions(spring) -> None:
    twice, any_number = campaign(per_customer=2), campaign("ALWAYS", per_customer=None)
    await having(spring, twice, any_number)
    await having(spring, twice, any_number, plan=TEA, key="o-2")
    assert (await refused(spring, twice, plan=JAM, key="o-3")).limit == 2
    assert await having(spring, any_number, plan=JAM, key="o-3")


@pytest.mark.proves("ABU-2")
async def test_who_comes_back_gets_no_second_use(spring) -> None:
    await having(spring, campaign(), plan=TEA)
    id = await having(spring, plan=None, key="o-2")
    await spring.shop.cancellations.cancel(ANN, id, AT_ONCE)
    for act in (spring.shop.cancellations.preview_reactivate, spring.shop.cancellations.reactivate):
        with pytest.raises(DiscountLimitReached):
            await act(ANN, id, Return(discount=campaign()))
    done = await spring.shop.cancellations.reactivate(ANN, id, Return(discount=campaign("SUMMER")))
    assert done.papers.invoices[0].discount == Money.of("8.95", "EUR")
    await refused(spring, campaign("SUMMER"), plan=JAM, key="o-3")


@pytest.mark.proves("ABU-2")
async def test_who_comes_back_with_what_was_used_gets_nothing_off(spring) -> None:
    id = await having(spring, campaign())
    await spring.shop.cancellations.cancel(ANN, id, AT_ONCE)
    done = await spring.shop.cancellations.reactivate(ANN, id)
    assert done.papers.invoices[0].discount.is_zero


@pytest.fixture
def broke(spring, gateway):
    """The same shop, when Ann's card is empty."""
    gateway.cards["card-1"] = Declined(DeclineKind.SOFT, "no_funds")
    return spring


@pytest.mark.proves("ABU-2", "DIS-3")
@pytest.mark.parametrize("ends", ["cancelled", "too late"])
async def test_a_first_invoice_that_is_void_gives_its_use_back(broke, gateway, ends) -> None:
    id = await having(broke, campaign())
    assert (await kept(broke, id)).discounts[0].uses == 1
    await refused(broke, campaign())
    if ends == "cancelled":
        await broke.shop.cancellations.cancel(ANN, id, AT_ONCE)
    else:
        broke.builder.clock.advance(timedelta(hours=24))
        await broke.shop.billing.run_billing(worker="w")
    ended = await kept(broke, id)
    assert (ended.ended_at is not None, ended.discounts[0].uses, ended.live) == (True, 0, ())
    gateway.cards.clear()
    again = await having(broke, campaign(), plan=TEA, key="o-2")
    assert (await kept(broke, again)).discounts[0].uses == 1


@pytest.mark.proves("ABU-2", "DIS-3")
async def test_an_invoice_that_a_clerk_voids_gives_its_use_back_and_it_is_used_once(spring, clerk, gateway) -> None:
    id = await having(spring, plan=None)
    await clerk.billing_desk.apply_discount(id, campaign(), WHY)
    gateway.cards["card-1"] = Declined(DeclineKind.SOFT, "no_funds")
    spring.builder.clock.advance(timedelta(days=29))
    await spring.shop.billing.run_billing(worker="w")
    await spring.shop.cancellations.cancel(ANN, id, AT_ONCE)
    await refused(spring, campaign())
    await clerk.document_desk.void_invoice((await kept(spring, id)).live[-1].invoice, WHY)
    gateway.cards.clear()
    other = await having(spring, campaign(), plan=TEA, key="o-2")
    assert (await kept(spring, other)).discounts[0].uses == 1
    done = await spring.shop.cancellations.reactivate(ANN, id)
    assert done.papers.invoices[0].discount.is_zero
    assert not (await kept(spring, id)).discounts, "what another one used up is gone"


@pytest.mark.proves("ABU-2")
async def test_who_comes_back_with_an_unused_campaign_has_it_and_nobody_else(spring, clerk) -> None:
    id = await having(spring, plan=None)
    await clerk.billing_desk.apply_discount(id, campaign(), WHY)
    await spring.shop.cancellations.cancel(ANN, id, AT_ONCE)
    done = await spring.shop.cancellations.reactivate(ANN, id)
    assert done.papers.invoices[0].discount == Money.of("8.95", "EUR")
    await refused(spring, campaign())


@pytest.mark.proves("ABU-2")
async def test_clerks_are_held_to_it_too_unless_they_say_otherwise(spring, clerk) -> None:
    await having(spring, campaign(), plan=TEA)
    id = await having(spring, plan=None, key="o-2")
    with pytest.raises(DiscountLimitReached):
        await clerk.billing_desk.apply_discount(id, campaign(), WHY)
    assert not (await kept(spring, id)).discounts
    assert await clerk.billing_desk.apply_discount(id, campaign(per_customer=2), WHY)


@pytest.mark.proves("ABU-2")
async def test_what_was_taken_away_unused_may_be_had_elsewhere(spring, clerk) -> None:
    id = await having(spring, plan=None)
    await clerk.billing_desk.apply_discount(id, campaign(), WHY)
    await refused(spring, campaign())
    await clerk.billing_desk.remove_discount(id, "SPRING", WHY)
    assert await having(spring, campaign(), plan=TEA, key="o-2")


@pytest.mark.proves("ABU-2")
async def test_what_was_used_elsewhere_counts_when_it_is_imported(spring, clerk) -> None:
    running = RunningElsewhere(
        customer=ANN,
        plan=TEA.id,
        currency="EUR",
        zone="Europe/Berlin",
        period_start=date(2031, 1, 15),
        payment_method="card-1",
        discounts=(AppliedDiscount(discount=campaign(), uses=1),),
    )
    await clerk.subscription_imports.import_subscription(running, WHY, request_id="old-1")
    await refused(spring, campaign(), plan=None)


@pytest.mark.proves("ABU-2", "DIS-6")
async def test_what_is_ordered_at_once_must_go_together(spring) -> None:
    with pytest.raises(DiscountAlreadyApplied):
        await having(spring, campaign(), campaign())
    with pytest.raises(TooManyDiscounts):
        await having(spring, *(campaign(f"c{n}") for n in range(6)))
    with pytest.raises(CurrencyMismatch):
        await having(spring, campaign(kind=Fixed(Money.of("1.00", "USD"))))
    assert not spring.builder.storage.snapshot()["main"].books["subscriptions"]


@pytest.mark.proves("ABU-2", "SUB-8")
async def test_the_same_code_with_another_amount_is_another_order(spring) -> None:
    await having(spring, campaign())
    with pytest.raises(RequestIdReused):
        await having(spring, campaign(kind=Percent(Rate.percent(60))))


@pytest.mark.proves("ABU-2")
@given(limit=st.integers(max_value=0))
def test_a_limit_below_one_is_no_discount(limit) -> None:
    with pytest.raises(BadPlan):
        campaign(per_customer=limit)


@pytest.mark.proves("ABU-2")
@pytest.mark.parametrize("limit", [1.0, True, "1"])
def test_a_limit_is_a_whole_number(limit) -> None:
    with pytest.raises(TypeError):
        campaign(per_customer=limit)


@pytest.mark.proves("ABU-2")
async def test_what_is_kept_of_a_campaign_names_who_has_it(spring) -> None:
    first = await having(spring, campaign(per_customer=2))
    second = await having(spring, campaign(per_customer=2), plan=TEA, key="o-2")
    (use,) = spring.builder.storage.snapshot()["main"].books[CAMPAIGN_USES.name].values()
    assert (use.customer, use.code, use.subscriptions) == (ANN, "SPRING", (first, second))
    assert (await kept(spring, first)).lifecycle is Lifecycle.ACTIVE


@pytest.mark.proves("ABU-2")
async def test_it_counts_however_long_ago_it_was_though_each_order_brings_another_last_day(spring) -> None:
    id = await having(spring, campaign(not_after=date(2031, 3, 31)), plan=None)
    await spring.shop.cancellations.cancel(ANN, id, AT_ONCE)
    spring.builder.clock.advance(timedelta(days=30 * 366))
    while not (await spring.shop.upkeep.tick()).finished:
        pass
    said = await refused(spring, campaign(not_after=date(2061, 6, 30)))
    assert (said.discount, said.limit) == ("SPRING", 1)
    assert await having(spring, campaign("SPRING-61", not_after=date(2061, 6, 30)), key="o-3")
