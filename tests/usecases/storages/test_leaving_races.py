"""Cancelling, coming back and declaring in writing at the same moment, many times over; on every kind of storage."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import (
    CANCELLATION_STATEMENTS,
    CREDIT_NOTES,
    INVOICES,
    SUBSCRIPTIONS,
    BillingPorts,
    CancellationForm,
    CancelWish,
    Order,
    SubscriptionPolicy,
    WithdrawalForm,
)
from shopaccounts.subscriptions.errors import OperationNotAllowed
from shopaccounts.subscriptions.policy.cancelling import CancelWhen, WinBackPolicy
from shopaccounts.subscriptions.policy.pausing import Unused
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax, OneJurisdiction
from shopaccounts.testing.builders import quick_policies, request_from, without_gaps
from shopaccounts.testing.races import assert_one_winner, race
from shopaccounts.testing.subscribers import flat_plan

START = datetime(2031, 1, 31, 12, tzinfo=UTC)
COFFEE = flat_plan("17.90")
ANN = "ann@lamp.example"
NOW = CancelWish(when=CancelWhen.NOW)


@pytest.fixture
def coffee(builder):
    """A shop that sells coffee, and lets people come back who owe something."""
    rules = SubscriptionPolicy(
        subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED),
        winning_back=WinBackPolicy(settle_first=False),
    )
    builder.policies = quick_policies(subscriptions=rules, sends=without_gaps())
    ports = BillingPorts(plans=FixedPlans([COFFEE]), taxes=FlatTax("19"), jurisdictions=OneJurisdiction("DE"))
    builder.ports = {**builder.ports, "billing": ports}
    builder.clock = FixedClock(START)
    return builder


async def anns(builder):
    """Answer Ann's subscription, which her papers call V-2041."""
    shop = builder.build()
    account = await shop.open_account(ANN)
    order = Order(plan=COFFEE.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1", reference="V-2041")
    return (await shop.subscriptions.subscribe(CustomerId(account.id), order, request_id="o-1")).subscription


async def papers_of(builder, subscription, book):
    rows = builder.storage.open(builder.scope).rows
    return (await got(rows(book, "account", subscription.account, None, 500))).items


@pytest.mark.proves("CAN-10", "CAN-8")
async def test_one_form_sent_many_times_at_once_is_one_statement_with_one_receipt(coffee) -> None:
    subscription = await anns(coffee)
    form = CancellationForm(name="Ann Lund", reference="V-2041", contact=ANN)

    async def submit(_: int) -> object:
        return await coffee.build().statements.submit_cancellation(form, request_from())

    outcomes = await race(4, submit)
    assert [one.error for one in outcomes if one.error] == []
    assert len({one.value.statement for one in outcomes}) == 1
    rows = coffee.storage.open(coffee.scope).rows
    kept = await got(rows(CANCELLATION_STATEMENTS, "subscription", subscription.id, None, 500))
    assert len(kept.items) == 1
    assert (await coffee.kept(SUBSCRIPTIONS, subscription.id)).scheduled.cancel is not None
    receipts = [one for one in coffee.mailbag.letters if one.template == "subscriptions.cancellation_received"]
    assert len({one.message.id for one in receipts}) == 1


@pytest.mark.proves("CAN-9", "CAN-10")
async def test_a_withdrawal_confirmed_many_times_at_once_pays_back_once(coffee) -> None:
    subscription = await anns(coffee)
    form = WithdrawalForm(name="Ann Lund", reference="V-2041", contact=ANN)
    opened = await coffee.build().statements.open_withdrawal(form, request_from())

    async def confirm(_: int) -> object:
        return await coffee.build().statements.confirm_withdrawal(opened.statement, request_from())

    outcomes = await race(4, confirm)
    assert [one.error for one in outcomes if one.error] == []
    assert len({one.value.received_at for one in outcomes}) == 1
    notes = await papers_of(coffee, subscription, CREDIT_NOTES)
    assert [str(note.total) for note in notes] == ["21.30 EUR"]


@pytest.mark.proves("CAN-7")
async def test_who_comes_back_in_two_tabs_is_billed_once(coffee) -> None:
    subscription = await anns(coffee)
    await coffee.build().cancellations.cancel(subscription.customer, subscription.id, NOW)
    coffee.clock.advance(timedelta(days=5))

    async def again(_: int) -> object:
        return await coffee.build().cancellations.reactivate(subscription.customer, subscription.id)

    assert_one_winner(await race(4, again), OperationNotAllowed)
    assert len(await papers_of(coffee, subscription, INVOICES)) == 2


@pytest.mark.proves("CAN-4", "CAN-1")
async def test_leaving_in_two_tabs_takes_back_once(coffee) -> None:
    subscription = await anns(coffee)
    wish = attrs.evolve(NOW, unused=Unused.CREDIT)

    async def leave(_: int) -> object:
        return await coffee.build().cancellations.cancel(subscription.customer, subscription.id, wish)

    assert_one_winner(await race(4, leave), OperationNotAllowed)
    assert (await coffee.kept(SUBSCRIPTIONS, subscription.id)).lifecycle is Lifecycle.CANCELED
    assert [str(note.total) for note in await papers_of(coffee, subscription, CREDIT_NOTES)] == ["21.30 EUR"]
