"""A subscription holds what was agreed; what its customer's subscriptions share is in one account for each store."""

from datetime import UTC, datetime

import attrs
import pytest

from shopaccounts.kernel.ids import CustomerId, StoreId
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import BillingAccount, BillingPorts, Order, Subscription
from shopaccounts.subscriptions.plans import Goods, Plan, PlanId, PlanVersion, PlanVersionId
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import ShopBuilder
from shopaccounts.testing.subscribers import flat_plan

ANNA, BERT = CustomerId("anna"), CustomerId("bert")
OF_A_SUBSCRIPTION = {
    *("id", "realm", "store", "account", "customer", "terms", "currency", "lines", "segments", "lifecycle"),
    *("collection", "scheduled", "overrides", "billed_to", "discounts", "trial", "pause", "term"),
    *("payment_method", "change_seq", "hold", "due_at", "version"),
}
OF_AN_ACCOUNT = {
    *("id", "customer", "zone", "billing_day", "payment_method", "tax_mode", "tax_profile", "locale"),
    *("collection_mode", "balances", "version"),
}


def sold(group: str) -> PlanVersion:
    plan = Plan(id=PlanId(group), code=group, group=group, goods=Goods.DIGITAL)
    return flat_plan("10.00", id=PlanVersionId(group), plan=plan)


@pytest.mark.proves("SUB-1")
def test_a_subscription_and_a_billing_account_hold_each_their_own_facts() -> None:
    held, shared = (set(attrs.fields_dict(kind)) for kind in (Subscription, BillingAccount))
    assert held >= OF_A_SUBSCRIPTION
    assert shared >= OF_AN_ACCOUNT
    assert not held & {"zone", "billing_day", "tax_profile", "balances"}  # these are the account's alone


@pytest.mark.proves("SUB-1")
def test_a_customer_has_one_account_in_a_store_whatever_is_subscribed_to_and_another_in_another_store() -> None:
    versions = [sold("coffee"), sold("tea")]
    builder = ShopBuilder(
        clock=FixedClock(datetime(2031, 1, 5, 9, tzinfo=UTC)),
        ports={"billing": BillingPorts(plans=FixedPlans(versions))},
    )
    shop = builder.blocking()
    elsewhere = shop.for_scope(attrs.evolve(builder.scope, store=StoreId("outlet")))
    orders = [
        Order(plan=version.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1") for version in versions
    ]
    here = [shop.subscriptions.subscribe(ANNA, order, request_id=order.plan).subscription for order in orders]
    there = elsewhere.subscriptions.subscribe(ANNA, orders[0], request_id="there").subscription
    berts = shop.subscriptions.subscribe(BERT, orders[0], request_id="bert").subscription
    assert here[0].account == here[1].account
    assert len({here[0].account, there.account, berts.account}) == 3
