"""A double click that reaches two machines at once: what it asks for is done once, and both get the same answer."""

from datetime import timedelta
from typing import Any

import pytest

from shopaccounts.kernel.ids import CustomerId
from shopaccounts.subscriptions import (
    BillingPorts,
    CancelWish,
    Order,
    PauseWish,
)
from shopaccounts.subscriptions.model import SUBSCRIPTIONS
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.pausing import PauseHow, Unused
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.changing import a_plan
from shopaccounts.testing.gateway import ScriptedGateway
from shopaccounts.testing.races import race

ANN, CLICKS = CustomerId("ann"), 2
SMALL, LARGE = a_plan("28.00", id="small", per_unit=True), a_plan("56.00", id="large")
STAY_AWAY = CancelWish(when=CancelWhen.NOW, unused=Unused.REFUND)
ASKS: dict[str, Any] = {
    "another plan": lambda shop, id, key: shop.subscription_changes.change_plan(ANN, id, LARGE.id, request_id=key),
    "a pause": lambda shop, id, key: shop.pauses.pause(ANN, id, PauseWish(how=PauseHow.NOW), request_id=key),
    "no more": lambda shop, id, key: shop.cancellations.cancel(ANN, id, STAY_AWAY, request_id=key),
    "another card": lambda shop, _, key: shop.payments.change_payment_method(ANN, "card-2", request_id=key),
}


async def a_subscriber(builder):
    """A shop with a customer who has paid for a month, ten days ago."""
    gateway = ScriptedGateway()
    builder.ports = {"billing": BillingPorts(plans=FixedPlans([SMALL, LARGE]), gateway=gateway)}
    shop = builder.build()
    order = Order(plan=SMALL.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
    made = await shop.subscriptions.subscribe(ANN, order, request_id="o-1")
    builder.clock.advance(timedelta(days=10))
    return shop, made.subscription.id, gateway


@pytest.mark.proves("UC-1", "SUB-8", "ABU-6")
@pytest.mark.parametrize("ask", ASKS)
async def test_two_clicks_at_once_under_one_key_do_it_once(builder, ask) -> None:
    shop, id, gateway = await a_subscriber(builder)
    before = await builder.kept(SUBSCRIPTIONS, id)

    async def click(_):
        return await ASKS[ask](shop, id, "k-1")

    outcomes = await race(CLICKS, click)
    assert [one.error for one in outcomes] == [None] * CLICKS
    assert len({papers_of(one.value) for one in outcomes}) == 1, outcomes
    after = await builder.kept(SUBSCRIPTIONS, id)
    assert after.change_seq <= before.change_seq + 1
    assert after.version <= before.version + 2, "one change, and its payment"
    assert max(gateway.asked.values()) == 1


def papers_of(answer):
    """The ids of what was written."""
    papers = getattr(answer, "papers", answer)
    names = ("invoices", "notes", "tried")
    return tuple(tuple(one.id for one in getattr(papers, name, ())) for name in names)


@pytest.mark.proves("UC-1", "SUB-8")
async def test_two_requests_at_once_under_one_key_are_one_and_a_refusal(builder) -> None:
    shop, id, _ = await a_subscriber(builder)

    async def skip(index):
        return await shop.pauses.skip_cycle(ANN, id, index + 1, request_id="k-1")

    outcomes = await race(CLICKS, skip)
    assert sorted(str(one.error) for one in outcomes) == ["None", "subscriptions.request_id_reused"]
    (skipped,) = (await builder.kept(SUBSCRIPTIONS, id)).overrides
    winner = next(index for index, one in enumerate(outcomes) if one.error is None)
    assert skipped.index == winner + 1
