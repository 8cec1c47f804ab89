"""Two machines grant one campaign to one customer at once: it is granted as often as it is for, on every storage."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Rate
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.subscriptions import CAMPAIGN_USES, BillingPorts, CancelWish, Order
from shopaccounts.subscriptions.errors import DiscountLimitReached
from shopaccounts.subscriptions.lifecycle.campaigns import campaign_id
from shopaccounts.subscriptions.model import SUBSCRIPTIONS
from shopaccounts.subscriptions.plans.discounts import Discount, Once, Percent
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.gateway import ScriptedGateway
from shopaccounts.testing.races import assert_one_winner, race
from shopaccounts.testing.subscribers import flat_plan
from tests.usecases.billing_worlds import plan_of

ANN, AT_ONCE = CustomerId("ann"), CancelWish(when=CancelWhen.NOW)
PLANS = tuple(flat_plan("10.00", **plan_of(f"plan-{number}")) for number in range(6))


def spring(limit=1):
    return Discount(code="SPRING", kind=Percent(Rate.percent(50)), duration=Once(), per_customer=limit)


@pytest.fixture
def shop(builder):
    """A shop that sells six things, and takes money."""
    builder.ports = {"billing": BillingPorts(plans=FixedPlans(PLANS), gateway=ScriptedGateway())}
    return builder.build()


async def subscribes(shop, number, *discounts):
    order = Order(
        plan=PLANS[number].id, currency="EUR", zone="Europe/Berlin", payment_method="card-1", discounts=discounts
    )
    return await shop.subscriptions.subscribe(ANN, order, request_id=f"o-{number}")


async def using(builder):
    """The subscriptions of Ann that have used the campaign, or may still use it."""
    use = await builder.kept(CAMPAIGN_USES, campaign_id(builder.scope.store, ANN, "SPRING"))
    found = [await builder.kept(SUBSCRIPTIONS, id) for id in use.subscriptions]
    return [one for one in found if one.discounts and (one.discounts[0].uses or one.ended_at is None)]


@pytest.mark.proves("ABU-2")
@pytest.mark.parametrize("begun", [False, True], ids=["a new customer", "a known one"])
async def test_two_orders_at_once_with_one_campaign_are_one(builder, shop, begun) -> None:
    if begun:
        await subscribes(shop, 5)
    outcomes = await race(2, lambda number: subscribes(shop, number, spring()))
    assert_one_winner(outcomes, DiscountLimitReached)
    assert len(await using(builder)) == 1


@pytest.mark.proves("ABU-2")
async def test_three_orders_at_once_get_as_many_as_there_are(builder, shop) -> None:
    await subscribes(shop, 5)
    outcomes = await race(3, lambda number: subscribes(shop, number, spring(2)))
    refused = [one.error for one in outcomes if one.error]
    assert [type(one) for one in refused] == [DiscountLimitReached]
    assert len(await using(builder)) == 2


@pytest.mark.proves("ABU-2")
async def test_who_comes_back_and_orders_at_once_has_it_once(builder, shop) -> None:
    builder.agents = staff = StaffRoom()
    staff.hire("eve", signed_in_at=builder.clock.now())
    made = await subscribes(shop, 0)
    was, builder.scope = builder.scope, attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    desk = builder.build().billing_desk
    builder.scope = was
    await desk.apply_discount(made.subscription.id, spring(), "a gift")
    await shop.cancellations.cancel(ANN, made.subscription.id, AT_ONCE)
    builder.clock.advance(timedelta(days=1))

    async def click(number):
        if number:
            return await subscribes(shop, 1, spring())
        return await shop.cancellations.reactivate(ANN, made.subscription.id)

    outcomes = await race(2, click)
    assert outcomes[0].error is None
    assert isinstance(outcomes[1].error, DiscountLimitReached | None)
    assert len(await using(builder)) == 1
