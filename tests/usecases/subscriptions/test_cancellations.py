"""Customers leave and come back: what is recorded, what is paid back, and what nobody else can do."""

from datetime import date, timedelta
from functools import partial
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.ids import CustomerId, StoreId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions import (
    CREDIT_NOTES,
    INTENTS,
    INVOICES,
    SUBSCRIPTIONS,
    CancelWish,
    Return,
    SubscriptionPolicy,
)
from shopaccounts.subscriptions.errors import (
    AlreadySubscribed,
    CancellationReached,
    OperationNotAllowed,
    SettleFirst,
    SubscriptionUnknown,
)
from shopaccounts.subscriptions.invoices.settling import pay
from shopaccounts.subscriptions.papers.documents import InvoiceState
from shopaccounts.subscriptions.payments.intents import IntentState, Purpose
from shopaccounts.subscriptions.policy.cancelling import CancelWhen, WinBackAnchor
from shopaccounts.subscriptions.policy.pausing import Unused
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.wrapping import PortCall, wrapped

ANN, BEN = CustomerId("ann"), CustomerId("ben")
NOW = CancelWish(when=CancelWhen.NOW)
DAY = timedelta(days=1)


@pytest.fixture
def builder(builder):
    """A shop that lets a subscription run before its first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing))
    return builder


async def paid(coffee, made):
    """Let the first invoice of a subscription be paid by its charge."""
    invoice, now = made.invoice, coffee.builder.clock.now()

    def done(intent):
        return attrs.evolve(intent, state=IntentState.SUCCEEDED, due_at=None, settled_at=now, paid=intent.amount)

    await coffee.builder.edit(INTENTS, made.payment.id, done)
    settled = {"state": InvoiceState.PAID, "paid": invoice.due}
    await coffee.builder.edit(INVOICES, invoice.id, lambda one: attrs.evolve(one, **settled))
    return made.subscription.id


async def kept(coffee, id):
    return await coffee.builder.kept(SUBSCRIPTIONS, id)


def told(coffee):
    """The names of all events so far."""
    realm = coffee.builder.storage.snapshot()[coffee.builder.scope.realm]
    return [event.name for event in realm.books["events"].values()]


@pytest.mark.proves("CAN-1", "CAN-5")
async def test_cancelling_answers_when_it_ends_and_again_the_same(coffee) -> None:
    id = await paid(coffee, await coffee.subscribed())
    first = await coffee.shop.cancellations.cancel(ANN, id, CancelWish(reason="moving_away"))
    assert first.subscription.scheduled.cancel.at.date() == date(2031, 2, 27)
    coffee.builder.clock.advance(DAY)
    second = await coffee.shop.cancellations.cancel(ANN, id)
    assert second.subscription.scheduled == first.subscription.scheduled
    assert told(coffee).count("subscriptions.cancellation_scheduled") == 1


@pytest.mark.proves("CAN-2")
async def test_taking_it_back_lets_it_go_on_and_the_run_bills_the_next_month(coffee) -> None:
    id = await paid(coffee, await coffee.subscribed())
    before = (await kept(coffee, id)).due_at
    await coffee.shop.cancellations.cancel(ANN, id)
    done = await coffee.shop.cancellations.undo_cancellation(ANN, id)
    assert (done.subscription.scheduled.cancel, done.subscription.due_at) == (None, before)
    coffee.builder.clock.advance(30 * DAY)
    assert (await coffee.shop.billing.run_billing(worker=WorkerId("w"))).invoices == 1


@pytest.mark.proves("CAN-2", "CAN-3")
async def test_at_the_end_it_is_too_late_though_no_run_has_come_by(coffee) -> None:
    id = await paid(coffee, await coffee.subscribed())
    await coffee.shop.cancellations.cancel(ANN, id)
    coffee.builder.clock.advance(60 * DAY)
    with pytest.raises(CancellationReached):
        await coffee.shop.cancellations.undo_cancellation(ANN, id)
    assert (await coffee.shop.billing.run_billing(worker=WorkerId("w"))).invoices == 0
    assert (await kept(coffee, id)).lifecycle is Lifecycle.CANCELED


@pytest.mark.proves("CAN-4")
async def test_unused_days_are_paid_back_by_the_charge_that_paid_them(coffee) -> None:
    id = await paid(coffee, made := await coffee.subscribed())
    coffee.builder.clock.advance(14 * DAY)
    wish = attrs.evolve(NOW, unused=Unused.REFUND)
    seen = await coffee.shop.cancellations.preview_cancel(ANN, id, wish)
    assert (await kept(coffee, id)).lifecycle is Lifecycle.ACTIVE
    done = await coffee.shop.cancellations.cancel(ANN, id, wish)
    (note,), (back,) = done.papers.notes, done.papers.intents
    assert note.total == seen.papers.notes[0].total
    assert note.total == Money.of("10.65", "EUR")  # half of 17.90, and 19 % of that
    assert (back.purpose, back.refund_of, back.amount) == (Purpose.REFUND, made.payment.key, note.refund)
    assert note.refund == note.total
    assert (await coffee.builder.kept(CREDIT_NOTES, note.id)).number == 1


@pytest.mark.proves("CAN-4")
async def test_money_that_no_charge_brought_goes_to_the_balance(coffee) -> None:
    made = await coffee.subscribed()
    account = (await coffee.shop.cancellations.preview_cancel(ANN, made.subscription.id)).papers.account
    await coffee.builder.edit(
        INVOICES,
        made.invoice.id,
        lambda one: attrs.evolve(pay(one, one.due, account, payment="bank", now=one.written_at).invoice, version=1),
    )
    coffee.builder.clock.advance(14 * DAY)
    done = await coffee.shop.cancellations.cancel(ANN, made.subscription.id, attrs.evolve(NOW, unused=Unused.REFUND))
    (note,) = done.papers.notes
    assert (note.refund.minor, note.to_balance) == (0, note.total)


@pytest.mark.proves("CAN-4")
async def test_what_nobody_had_billed_yet_is_billed_and_taken_back_all_the_same(coffee) -> None:
    id = await paid(coffee, await coffee.subscribed())
    coffee.builder.clock.advance(28 * DAY)  # noon of the day on which the next month begins
    done = await coffee.shop.cancellations.cancel(ANN, id, NOW)
    (note,) = done.papers.notes
    assert (note.total, note.applied) == (Money.of("21.30", "EUR"), Money.of("21.30", "EUR"))
    assert done.subscription.lifecycle is Lifecycle.CANCELED


@pytest.mark.proves("ABU-7")
@pytest.mark.parametrize("act", ["cancel", "preview_cancel", "undo_cancellation", "reactivate", "preview_reactivate"])
async def test_another_customers_subscription_does_not_exist(coffee, act) -> None:
    id = await paid(coffee, await coffee.subscribed())
    with pytest.raises(SubscriptionUnknown):
        await getattr(coffee.shop.cancellations, act)(BEN, id)
    with pytest.raises(SubscriptionUnknown):
        await getattr(coffee.shop.cancellations, act)(ANN, "nothing")


@pytest.mark.proves("ABU-7")
async def test_nor_does_one_of_another_store(coffee) -> None:
    id = await paid(coffee, await coffee.subscribed())
    elsewhere = attrs.evolve(coffee.builder.scope, store=StoreId("elsewhere"))
    coffee.builder.scope = elsewhere
    with pytest.raises(SubscriptionUnknown):
        await coffee.builder.build().cancellations.cancel(ANN, id)


@pytest.mark.proves("ABU-10")
async def test_a_comment_is_kept_and_stands_in_no_event(coffee) -> None:
    id = await paid(coffee, await coffee.subscribed())
    await coffee.shop.cancellations.cancel(ANN, id, attrs.evolve(NOW, comment="My name is Ann Lund"))
    assert (await kept(coffee, id)).parting.comment == "My name is Ann Lund"
    realm = coffee.builder.storage.snapshot()[coffee.builder.scope.realm]
    assert all("Lund" not in event.data for event in realm.books["events"].values())


@pytest.mark.proves("CAN-7")
async def test_coming_back_bills_a_new_period_once_everything_is_paid(coffee) -> None:
    made = await coffee.subscribed()
    id = made.subscription.id
    await coffee.shop.cancellations.cancel(ANN, id)
    coffee.builder.clock.advance(40 * DAY)
    await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    with pytest.raises(SettleFirst) as refused:
        await coffee.shop.cancellations.reactivate(ANN, id)
    assert refused.value.invoices == (made.invoice.id,)
    await paid(coffee, made)
    seen = await coffee.shop.cancellations.preview_reactivate(ANN, id)
    done = await coffee.shop.cancellations.reactivate(ANN, id)
    assert done.subscription.lifecycle is Lifecycle.ACTIVE
    assert [str(one.total) for one in done.papers.invoices] == [str(one.total) for one in seen.papers.invoices]
    assert [str(one.total) for one in done.papers.invoices] == ["21.30 EUR"]
    assert [intent.method for intent in done.papers.intents] == ["card-1"]


@pytest.mark.proves("CAN-7")
async def test_who_has_another_of_the_group_by_now_cannot_come_back_to_the_old_one(coffee) -> None:
    id = await paid(coffee, await coffee.subscribed())
    await coffee.shop.cancellations.cancel(ANN, id, NOW)
    other = await coffee.subscribed(key="o-2")
    with pytest.raises(AlreadySubscribed) as refused:
        await coffee.shop.cancellations.reactivate(ANN, id, Return(anchor=WinBackAnchor.KEEP_ANCHOR))
    assert refused.value.existing == other.subscription.id


@pytest.mark.proves("CAN-7")
async def test_the_place_in_the_group_is_taken_again(coffee) -> None:
    id = await paid(coffee, await coffee.subscribed())
    await coffee.shop.cancellations.cancel(ANN, id, NOW)
    await coffee.shop.cancellations.reactivate(ANN, id)
    with pytest.raises(AlreadySubscribed) as refused:
        await coffee.subscribed(key="o-2")
    assert refused.value.existing == id


@pytest.mark.proves("CAN-7", "UC-1")
async def test_who_came_back_in_another_tab_meanwhile_hears_that_it_runs(coffee) -> None:
    made = await coffee.subscribed()
    id, tabs = made.subscription.id, list[str]()
    await coffee.shop.cancellations.cancel(ANN, id, NOW)

    def around(call: PortCall) -> Answer[Any]:
        args = call.make.args if isinstance(call.make, partial) else ()
        return meanwhile(call) if "live_plan_group" in args and not tabs else call.make()

    async def meanwhile(call: PortCall) -> Any:
        tabs.append("another")
        await coffee.shop.cancellations.reactivate(ANN, id)
        return await got(call.make())

    tab = coffee.builder.build(lambda port: wrapped(port, around))
    with pytest.raises(OperationNotAllowed):
        await tab.cancellations.reactivate(ANN, id)
    assert tabs == ["another"]


@pytest.mark.proves("CAN-7")
async def test_who_comes_back_before_anybody_recorded_the_end_is_taken_up_again(till) -> None:
    made = await till.subscribed()
    await till.shop.cancellations.cancel(ANN, made.subscription.id)
    till.builder.clock.advance(timedelta(days=31))
    seen = await till.shop.cancellations.preview_reactivate(ANN, made.subscription.id)
    done = await till.shop.cancellations.reactivate(ANN, made.subscription.id)
    assert seen.subscription.lifecycle is done.subscription.lifecycle is Lifecycle.ACTIVE
