"""What follows for subscriptions from what happens to their customers: they leave, become one, pay otherwise."""

from datetime import UTC, date, datetime, timedelta

import attrs
import pytest

from shopaccounts import serial
from shopaccounts.books import BELONGINGS, BOOKS
from shopaccounts.customers import (
    CUSTOMERS,
    AccountStatus,
    Customer,
    Erasures,
    Origin,
    Standing,
    StatusForbids,
    SubscriptionEnds,
)
from shopaccounts.customers.closing import Blocker, CreditLeft
from shopaccounts.customers.events import (
    CustomerClosed,
    CustomerErased,
    CustomersMerged,
    PaymentMethodChanged,
    PaymentMethodRemoved,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.ids import CustomerId, StoreId, WorkerId
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change
from shopaccounts.relay import DELIVERIES, DeliveryState
from shopaccounts.relay.rules import requeued
from shopaccounts.subscriptions import (
    ACCOUNTS,
    BALANCE_ENTRIES,
    CAMPAIGN_USES,
    CREDIT_NOTES,
    INTENTS,
    INVOICES,
    SUBSCRIPTIONS,
    TRIALS,
    CancellationForm,
    CancelWish,
    KeptOfCustomer,
    Stakes,
    SubscriptionPolicy,
    WithdrawalForm,
)
from shopaccounts.subscriptions.errors import AccountNeeded, DiscountLimitReached, ErasureRefused, TrialAlreadyUsed
from shopaccounts.subscriptions.invoices.balance import replay
from shopaccounts.subscriptions.model import CollectionMode, account_id
from shopaccounts.subscriptions.owners import handing_over
from shopaccounts.subscriptions.papers.documents import InvoiceState
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.payments.intents import IntentState
from shopaccounts.subscriptions.plans.discounts import Discount, Once, Percent
from shopaccounts.subscriptions.plans.offers import Phase, PhaseKind, PlanVersionId
from shopaccounts.subscriptions.plans.phases import Days
from shopaccounts.subscriptions.plans.terms import Refuse, Term
from shopaccounts.subscriptions.policy import KeepingPolicy
from shopaccounts.subscriptions.policy.cancelling import CancelPolicy, CancelWhen
from shopaccounts.subscriptions.policy.subscribing import SubscribePolicy
from shopaccounts.subscriptions.policy.trials import TrialPolicy
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.between import Between
from shopaccounts.testing.builders import quick_policies, request_from
from shopaccounts.testing.leaks import assert_no_leak
from shopaccounts.testing.subscribers import EUR, flat_plan
from tests.usecases.billing_worlds import plan_of

ANN, BEN, WORKER = CustomerId("ann"), CustomerId("ben"), WorkerId("night")
DAY, WHY, HERE = timedelta(days=1), "she rang us", request_from()
COFFEE = flat_plan("17.90")
TRIED = attrs.evolve(COFFEE, id=PlanVersionId("tried"), phases=(Phase(PhaseKind.TRIAL, Days(14)), *COFFEE.phases))
TEA = flat_plan("5.00", **plan_of("tea"))
BOUND = flat_plan("9.00", id=PlanVersionId("bound"), term=Term(cycles=12, min_cycles=6), early_exit=Refuse())


@pytest.fixture
def plans(plans):
    """What the shop sells."""
    for one in (TRIED, BOUND, TEA):
        plans.add(one)
    return plans


def desk_of(builder):
    store = builder.storage.open(builder.scope)
    return Desk(scope=builder.scope, records=store, clock=builder.clock, entropy=builder.entropy, bell=SilentBell())


async def happens(till, event, times=1):
    """Something happens to a customer, and the shop hears of it, perhaps more than once."""
    builder = till.builder
    desk = desk_of(builder)
    (envelope,) = desk.tell(event)
    await desk.record(Change(events=(envelope,)))
    await till.shop.relay.deliver_pending()
    delivery = f"{envelope.event_id}:shopaccounts_subscriptions"
    for _ in range(times - 1):
        await builder.edit(DELIVERIES, delivery, lambda one: requeued(one, builder.clock.now()))
        await till.shop.relay.deliver_pending()
    assert (await builder.kept(DELIVERIES, delivery)).state is DeliveryState.PUBLISHED
    return delivery


async def heard_again(till, delivery):
    await till.builder.edit(DELIVERIES, delivery, lambda one: requeued(one, till.builder.clock.now()))
    await till.shop.relay.deliver_pending()


async def rows(builder, book, group, value):
    return (await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))).items


async def kept(till, id):
    return await till.builder.kept(SUBSCRIPTIONS, id)


async def told(builder, customer, *names):
    events = await rows(builder, EVENTS, "subject", customer)
    return [told_name(one.name) for one in events if told_name(one.name) in names]


def told_name(name):
    return name.removeprefix("subscriptions.")


def with_policy(till, **policy):
    till.builder.policies = quick_policies(subscriptions=SubscriptionPolicy(**policy))
    return attrs.evolve(till, shop=till.builder.build())


def closed(till, customer=ANN):
    return CustomerClosed(at=till.builder.clock.now(), account=customer)


def merged(till, source=BEN, into=ANN):
    return CustomersMerged(at=till.builder.clock.now(), account=into, source=source, merge="m-1")


# Leaving


@pytest.mark.proves("LIF-1")
async def test_who_closes_the_account_has_what_was_paid_and_no_more(till) -> None:
    id = (await till.subscribed()).subscription.id
    till.builder.clock.advance(DAY)
    await happens(till, closed(till), times=2)
    planned = (await kept(till, id)).scheduled.cancel
    assert (planned.at.date(), planned.reason) == (date(2031, 2, 27), "account_closed")
    assert await told(till.builder, ANN, "cancellation_scheduled") == ["cancellation_scheduled"]
    till.builder.clock.advance(60 * DAY)
    assert (await till.shop.billing.run_billing(worker=WORKER)).invoices == 0
    assert (await kept(till, id)).lifecycle is Lifecycle.CANCELED


@pytest.mark.proves("LIF-1")
async def test_a_closing_that_is_heard_of_again_undoes_no_change_of_mind(till) -> None:
    id = (await till.subscribed()).subscription.id
    delivery = await happens(till, closed(till))
    await till.shop.cancellations.undo_cancellation(ANN, id)
    await heard_again(till, delivery)
    assert (await kept(till, id)).scheduled.cancel is None


@pytest.mark.proves("LIF-1")
async def test_a_shop_may_end_them_at_once_but_for_those_who_are_bound(till) -> None:
    till = with_policy(till, cancelling=CancelPolicy(with_account=CancelWhen.NOW))
    free = (await till.subscribed()).subscription.id
    bound = (await till.subscribed(till.order(plan=BOUND.id), customer=BEN)).subscription.id
    await happens(till, closed(till))
    await happens(till, closed(till, BEN))
    assert (await kept(till, free)).lifecycle is Lifecycle.CANCELED
    stays = await kept(till, bound)
    assert (stays.lifecycle, stays.scheduled.cancel.at.date()) == (Lifecycle.ACTIVE, date(2031, 7, 30))
    assert stays.scheduled.cancel.charge_remainder is False


@pytest.mark.proves("LIF-1")
async def test_what_never_began_is_called_off_with_the_account(coffee) -> None:
    made = await coffee.subscribed()
    assert made.subscription.lifecycle is Lifecycle.INCOMPLETE
    await happens(coffee, closed(coffee))
    assert (await kept(coffee, made.subscription.id)).lifecycle is Lifecycle.CANCELED
    assert (await coffee.builder.kept(INVOICES, made.invoice.id)).state is InvoiceState.VOID


@pytest.mark.proves("LIF-1", "CUS-17")
async def test_closing_shows_what_ends_and_ends_it_when_the_grace_is_over(till) -> None:
    ann = await till.shop.open_account("ann@lamp.example")
    made = await till.subscribed(customer=ann.id)
    await till.builder.edit(
        ACCOUNTS, made.subscription.account, lambda one: attrs.evolve(one, balances=(Money.of("5", EUR),))
    )
    plan = await till.shop.closings.plan_account_closing(ann.session, HERE)
    assert plan.blockers == ()
    assert set(plan.warnings) == {SubscriptionEnds(made.subscription.id), CreditLeft(Money.of("5", EUR))}
    await till.shop.closings.request_account_closing(ann.session, plan.fingerprint, HERE)
    await till.shop.closings.confirm_account_closing(ann.session, till.builder.mailbag.last.token, HERE)
    till.builder.clock.advance(till.builder.policies.lifecycle.closing_grace)
    await till.shop.closings.finish_closings(10, WORKER)
    await till.shop.relay.deliver_pending()
    assert (await kept(till, made.subscription.id)).scheduled.cancel is not None


@pytest.mark.proves("CUS-17")
async def test_nobody_closes_an_account_with_an_invoice_unpaid(coffee) -> None:
    ann = await coffee.shop.open_account("ann@lamp.example")
    await coffee.subscribed(customer=ann.id)
    plan = await coffee.shop.closings.plan_account_closing(ann.session, HERE)
    assert plan.blockers == (Blocker.INVOICE_UNPAID,)
    other = await coffee.shop.open_account("ben@lamp.example")
    assert (await coffee.shop.closings.plan_account_closing(other.session, HERE)).warnings == ()


# Another way to pay, or none


async def behind(till, gateway):
    """Somebody whose second month wasn't paid."""
    ann = await till.shop.open_account("ann@lamp.example")
    made = await till.subscribed(customer=ann.id)
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker=WORKER)
    gateway.cards["card-1"] = Declined(DeclineKind.HARD, "stolen")
    await till.shop.payments.collect_due(worker=WORKER)
    return ann.id, made.subscription.id


@pytest.mark.proves("LIF-1", "DUN-3", "DUN-4")
async def test_a_changed_method_is_tried_once_however_often_it_is_told(till, gateway) -> None:
    ann, id = await behind(till, gateway)
    gateway.cards["card-2"] = Declined(DeclineKind.HARD, "stolen, too")
    invoice = (await kept(till, id)).live[-1].invoice
    till.builder.clock.advance(timedelta(hours=1))
    at = till.builder.clock.now()
    await happens(till, PaymentMethodChanged(at=at, account=ann, method="card-2"), times=3)
    tries = await rows(till.builder, INTENTS, "invoice", invoice)
    assert [(one.method, one.state) for one in tries] == [
        ("card-1", IntentState.DECLINED),
        ("card-2", IntentState.DECLINED),
    ]
    till.builder.clock.advance(timedelta(hours=1))
    await happens(till, PaymentMethodChanged(at=at, account=ann, method="card-3"))
    assert (await kept(till, id)).collection is Collection.OK


@pytest.mark.proves("LIF-1")
async def test_a_removed_method_is_told_at_once_and_its_renewal_fails_until_there_is_another(till) -> None:
    ann = (await till.shop.open_account("ann@lamp.example")).id
    id = (await till.subscribed(customer=ann)).subscription.id
    at = till.builder.clock.now()
    await happens(till, PaymentMethodRemoved(at=at, account=ann, method="card-1"), times=2)
    letters = [one for one in till.builder.mailbag.letters if one.template == "subscriptions.method_removed"]
    assert [one.variables["date"] for one in letters] == ["2031-02-28"]

    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker=WORKER)
    await till.shop.payments.collect_due(worker=WORKER)
    late = await kept(till, id)
    (failed,) = await rows(till.builder, INTENTS, "invoice", late.live[-1].invoice)
    assert (failed.state, failed.decline, failed.code) == (IntentState.DECLINED, DeclineKind.HARD, "needs_method")
    assert late.collection is Collection.PAST_DUE

    till.builder.clock.advance(timedelta(hours=1))
    await till.shop.payments.change_payment_method(ann, "card-2")
    assert (await kept(till, id)).collection is Collection.OK
    till.builder.clock.advance(31 * DAY)
    await till.shop.billing.run_billing(worker=WORKER)
    await till.shop.payments.collect_due(worker=WORKER)
    assert (await till.builder.kept(INVOICES, (await kept(till, id)).live[-1].invoice)).state is InvoiceState.PAID


@pytest.mark.proves("LIF-1")
async def test_whoever_has_another_method_or_pays_by_invoice_hears_nothing(till) -> None:
    ann = (await till.shop.open_account("ann@lamp.example")).id
    made = await till.subscribed(customer=ann)
    account, id = made.subscription.account, made.subscription.id
    await till.builder.edit(SUBSCRIPTIONS, id, lambda one: attrs.evolve(one, payment_method="card-9"))
    assert await till.shop.payments.remove_payment_method(ann, "card-9") == ()
    assert (await kept(till, id)).payment_method is None
    assert await till.shop.payments.remove_payment_method(ann, "card-7") == ()
    mode = CollectionMode.SEND_INVOICE
    await till.builder.edit(ACCOUNTS, account, lambda one: attrs.evolve(one, collection_mode=mode))
    assert await till.shop.payments.remove_payment_method(ann, "card-1") == ()
    assert not [one for one in till.builder.mailbag.letters if one.template == "subscriptions.method_removed"]


@pytest.mark.proves("LIF-1")
async def test_a_shop_that_charges_nobody_itself_goes_on_writing_invoices(coffee) -> None:
    made = await coffee.subscribed()
    assert await coffee.shop.payments.remove_payment_method(ANN, "card-1", request_id="r-1") == ()
    assert (await coffee.builder.kept(ACCOUNTS, made.subscription.account)).method_removed is False
    await coffee.shop.payments.change_payment_method(ANN, "card-1")
    assert await coffee.shop.payments.remove_payment_method(ANN, "card-1", request_id="r-1") == ()
    assert (await coffee.builder.kept(ACCOUNTS, made.subscription.account)).payment_method == "card-1"


# Two become one


async def two(till):
    """Ann and Ben each drink coffee, have a balance, and an invoice that is open."""
    mine = await till.subscribed()
    order = till.order(payment_method="card-b", reference="V-1")
    made = await till.subscribed(order, customer=BEN, key="o-2")
    account = made.subscription.account
    await till.shop.payments.record_payment(made.invoice.id, Money.of("7.25", EUR), "RF18")
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker=WORKER)
    await till.shop.payments.record_payment(made.invoice.id, Money.of("3", EUR), "RF19")
    await till.shop.payments.record_payment(mine.invoice.id, Money.of("2", EUR), "RF20")
    return mine.subscription, made.subscription, account


@pytest.mark.proves("LIF-1", "INV-13")
async def test_the_record_that_stays_has_what_both_had(till, clerk) -> None:
    anns, bens, account = await two(till)
    before = {one.id: one for one in await rows(till.builder, INVOICES, "account", account)}
    await happens(till, merged(till), times=2)
    mine = account_id(StoreId("main"), ANN)
    assert await till.builder.kept(ACCOUNTS, account) is None
    now = await kept(till, bens.id)
    assert (now.customer, now.account, now.payment_method) == (ANN, mine, "card-b")
    assert {one.id for one in await rows(till.builder, SUBSCRIPTIONS, "account", mine)} == {anns.id, bens.id}
    for book in (INVOICES, INTENTS, BALANCE_ENTRIES, CREDIT_NOTES, SUBSCRIPTIONS):
        assert await rows(till.builder, book, "account", account) == ()
    for id, was in before.items():
        is_now = await till.builder.kept(INVOICES, id)
        assert is_now == attrs.evolve(was, account=mine, customer=ANN, version=is_now.version)
    entries = await rows(till.builder, BALANCE_ENTRIES, "account", mine)
    balance = (await till.builder.kept(ACCOUNTS, mine)).balance(EUR)
    assert replay(entries, EUR) == balance == Money.of("5", EUR)
    assert await told(till.builder, ANN, "billing_account_moved", "subscription_doubled") == [
        "subscription_doubled",
        "billing_account_moved",
    ]
    await till.shop.payments.collect_due(worker=WORKER)
    assert all(one.state is InvoiceState.PAID for one in await rows(till.builder, INVOICES, "account", mine))

    (found,) = (await clerk.billing_desk.doubled(WHY)).items
    assert (found.id, found.doubles, found.holds_group) == (bens.id, anns.id, False)
    await till.shop.cancellations.cancel(ANN, bens.id)
    till.builder.clock.advance(40 * DAY)
    await till.shop.billing.run_billing(worker=WORKER)
    assert (await clerk.billing_desk.doubled(WHY)).items == ()


@pytest.mark.proves("LIF-1")
async def test_nobody_else_sees_who_has_two(others) -> None:
    for shop in others:
        with pytest.raises(Forbidden):
            await shop.billing_desk.doubled(WHY)


@pytest.mark.proves("LIF-1", "LIF-3")
async def test_somebody_without_an_account_takes_one_over_as_it_is(till) -> None:
    made = (await till.subscribed(customer=BEN)).subscription
    was = await till.builder.kept(ACCOUNTS, made.account)
    await till.shop.subscription_records.move_subscriptions(BEN, ANN)
    mine = account_id(StoreId("main"), ANN)
    assert await till.builder.kept(ACCOUNTS, mine) == attrs.evolve(was, id=mine, customer=ANN, version=1)
    now = await kept(till, made.id)
    assert (now.payment_method, now.holds_group, now.doubles) == (None, True, "")
    await till.shop.subscription_records.move_subscriptions(BEN, ANN)
    assert await told(till.builder, ANN, "billing_account_moved") == ["billing_account_moved"]
    with pytest.raises(InvalidInput):
        await till.shop.subscription_records.move_subscriptions(ANN, ANN)


@pytest.mark.proves("LIF-1")
async def test_a_trial_that_one_had_both_had(till) -> None:
    till = with_policy(till, trials=TrialPolicy())
    await till.subscribed(till.order(plan=TRIED.id), customer=BEN)
    await till.shop.cancellations.cancel(BEN, (await rows(till.builder, SUBSCRIPTIONS, "customer", BEN))[0].id)
    till.builder.clock.advance(15 * DAY)
    await till.shop.billing.run_billing(worker=WORKER)
    await happens(till, merged(till))
    assert await rows(till.builder, TRIALS, "customer", BEN) == ()
    with pytest.raises(TrialAlreadyUsed):
        await till.subscribed(till.order(plan=TRIED.id))


SPRING = Discount(code="SPRING", kind=Percent(Rate.percent(50)), duration=Once())
TWICE = Discount(code="TWICE", kind=Percent(Rate.percent(5)), duration=Once(), per_customer=2)


@pytest.mark.proves("LIF-1", "ABU-2")
async def test_of_a_campaign_they_have_what_both_had(till) -> None:
    mine = (await till.subscribed(till.order(discounts=(TWICE,)))).subscription.id
    bens = (await till.subscribed(till.order(discounts=(SPRING, TWICE)), customer=BEN)).subscription.id
    await happens(till, merged(till), times=2)
    assert await rows(till.builder, CAMPAIGN_USES, "customer", BEN) == ()
    uses = {one.code: set(one.subscriptions) for one in await rows(till.builder, CAMPAIGN_USES, "customer", ANN)}
    assert uses == {"SPRING": {bens}, "TWICE": {mine, bens}}
    for one in (SPRING, TWICE):
        with pytest.raises(DiscountLimitReached):
            await till.subscribed(till.order(plan=TEA.id, discounts=(one,)), key="o-3")


@pytest.mark.proves("LIF-1")
async def test_what_somebody_has_in_another_store_passes_too(till) -> None:
    here = (await till.subscribed(customer=BEN)).subscription
    was = till.builder.scope
    till.builder.scope = attrs.evolve(was, store=StoreId("second"))
    there = (await attrs.evolve(till, shop=till.builder.build()).subscribed(customer=BEN)).subscription
    till.builder.scope = was
    await happens(till, merged(till))
    assert {(await kept(till, one.id)).account for one in (here, there)} == {"main/ann", "second/ann"}
    await happens(till, closed(till))
    assert (await kept(till, there.id)).scheduled.cancel is not None


@pytest.mark.proves("LIF-1", "INV-13")
async def test_a_large_account_passes_in_steps_and_goes_on_where_it_was_interrupted(till, monkeypatch) -> None:
    monkeypatch.setattr(handing_over, "_ROOM", 3)
    _, bens, account = await two(till)
    mine = account_id(StoreId("main"), ANN)
    desk = desk_of(till.builder)
    passing = handing_over.HandingOver(desk=desk)
    total = Money.of("5", EUR)
    assert await passing._step(account, ANN)  # the machine stops after that
    assert (await till.builder.kept(ACCOUNTS, account)).passes_to == ANN
    await happens(till, merged(till))
    assert await till.builder.kept(ACCOUNTS, account) is None
    assert (await kept(till, bens.id)).account == mine
    assert (await till.builder.kept(ACCOUNTS, mine)).balance(EUR) == total
    assert replay(await rows(till.builder, BALANCE_ENTRIES, "account", mine), EUR) == total


# Guests


def guest(till):
    return Customer(
        id=CustomerId("guest-1"),
        realm=till.builder.scope.realm,
        standing=Standing(status=AccountStatus.GUEST),
        created_at=till.builder.clock.now(),
        origin=Origin.GUEST_CHECKOUT,
    )


@pytest.mark.proves("LIF-3")
async def test_a_guest_needs_an_account_unless_the_shop_says_otherwise(till) -> None:
    one = await till.builder.add(CUSTOMERS, guest(till))
    with pytest.raises(AccountNeeded):
        await till.subscribed(customer=one.id)
    with pytest.raises(AccountNeeded):
        await till.shop.subscriptions.preview_subscribe(one.id, till.order())
    open_to_all = with_policy(till, subscribing=SubscribePolicy(guests=True))
    made = (await open_to_all.subscribed(customer=one.id)).subscription
    ann = (await open_to_all.shop.open_account("ann@lamp.example")).id
    await open_to_all.shop.subscription_records.move_subscriptions(one.id, ann)
    (view,) = await open_to_all.shop.subscription_views.my_subscriptions(ann)
    assert view.subscription.id == made.id
    assert [one.customer for one in (await open_to_all.shop.subscription_views.my_invoices(ann)).invoices] == [ann]


@pytest.mark.proves("LIF-3")
async def test_whoever_leaves_while_subscribing_subscribes_to_nothing(till) -> None:
    one = await till.builder.add(CUSTOMERS, attrs.evolve(guest(till), standing=Standing(status=AccountStatus.ACTIVE)))
    gone = Standing(status=AccountStatus.CLOSED)
    between = Between(lambda: till.builder.edit(CUSTOMERS, one.id, lambda was: attrs.evolve(was, standing=gone)))
    with pytest.raises(StatusForbids):
        await attrs.evolve(till, shop=till.builder.build(between)).subscribed(customer=one.id)
    assert await rows(till.builder, SUBSCRIPTIONS, "customer", one.id) == ()


@pytest.mark.proves("LIF-3")
@pytest.mark.parametrize("status", [AccountStatus.CLOSED, AccountStatus.MERGED])
async def test_who_is_gone_subscribes_to_nothing(till, status) -> None:
    gone = attrs.evolve(guest(till), standing=Standing(status=status))
    await till.builder.add(CUSTOMERS, gone)
    with pytest.raises(StatusForbids):
        await till.subscribed(customer=gone.id)


# Asking what is kept, and being forgotten

ADDRESS, CARD, WORDS, PAPER = "the-address-of-ann", "the-card-of-ann", "because I am so ill", "V-2041-of-ann-lund"

PLANTED = (
    ADDRESS,
    CARD,
    WORDS,
    PAPER,
    "DE-123456-of-ann",
    "Annabel Lund-Berger",
    "ann@lamp.example",
    "Ann was unhappy",
)


async def wrote(shop, reference, email):
    """Somebody cancels by the form, and somebody withdraws."""
    form = CancellationForm(name="Annabel Lund-Berger", reference=reference, contact=email)
    await shop.statements.submit_cancellation(form, HERE)
    back = WithdrawalForm(name="Annabel Lund-Berger", reference=reference, contact=email)
    await shop.statements.open_withdrawal(back, HERE)


async def with_a_past(till, clerk):
    """Ann paid for two months, cancelled with words, and left; Eve gave her something."""
    ann = (await till.shop.open_account("ann@lamp.example")).id
    order = till.order(payment_method=CARD, ship_to=ADDRESS, reference=PAPER, tax_profile={"vat": "DE-123456-of-ann"})
    id = (await till.subscribed(order, customer=ann)).subscription.id
    await clerk.document_desk.give_goodwill(ann, Money.of("3", EUR), "Ann was unhappy", request_id="g-1")
    till.builder.clock.advance(29 * DAY)
    await till.shop.sweeping.sweep(worker=WORKER)
    await till.shop.cancellations.cancel(ann, id, CancelWish(comment=WORDS), request_id="c-1")
    await wrote(till.shop, PAPER, "ann@lamp.example")
    till.builder.clock.advance(60 * DAY)
    await till.shop.sweeping.sweep(worker=WORKER)
    assert (await kept(till, id)).lifecycle is Lifecycle.CANCELED
    return ann, id


@pytest.mark.proves("LIF-2")
async def test_an_export_has_all_that_is_kept_of_one_customer_and_nothing_of_others(till, clerk) -> None:
    ann, id = await with_a_past(till, clerk)
    await till.subscribed(customer=BEN, key="o-2")
    found = await till.shop.subscription_records.export_subscriptions(ann)
    assert [one.id for one in found.subscriptions] == [id]
    assert len(found.invoices) == 2
    assert {one.account for one in (*found.invoices, *found.payments, *found.entries)} == {
        account_id(StoreId("main"), ann)
    }
    assert [one.customer for one in found.accounts] == [ann]
    assert [one.said.name for one in (*found.cancellations, *found.withdrawals)] == ["Annabel Lund-Berger"] * 2
    assert found.entries
    store = StoreId("main")
    other = await till.shop.subscription_records.export_subscriptions(BEN)
    assert {one.account for one in other.invoices} == {account_id(store, BEN)}
    assert await till.shop.subscription_records.export_subscriptions(CustomerId("nobody")) == KeptOfCustomer()


@pytest.mark.proves("LIF-2")
async def test_nobody_is_erased_who_has_a_contract_or_papers_that_the_law_wants(till) -> None:
    stakes = Stakes(desk=desk_of(till.builder), policy=KeepingPolicy())
    await stakes.require_erasable(ANN)
    made = await till.subscribed()
    with pytest.raises(ErasureRefused) as live:
        await stakes.require_erasable(ANN)
    assert (live.value.reason, live.value.until) == ("live", None)
    await till.shop.cancellations.cancel(ANN, made.subscription.id, CancelWish(when=CancelWhen.NOW))
    with pytest.raises(ErasureRefused) as papers:
        await stakes.require_erasable(ANN)
    assert (papers.value.reason, papers.value.until) == ("retention", date(2042, 1, 1))
    invoice = made.invoice.id
    await till.builder.edit(INVOICES, invoice, lambda one: attrs.evolve(one, state=InvoiceState.OPEN))
    with pytest.raises(ErasureRefused) as unsettled:
        await stakes.require_erasable(ANN)
    assert unsettled.value.reason == "unsettled"
    await till.builder.edit(INVOICES, invoice, lambda one: attrs.evolve(one, state=InvoiceState.PAID))
    till.builder.clock.advance(datetime(2041, 12, 31, 22, 59, tzinfo=UTC) - till.builder.clock.now())
    with pytest.raises(ErasureRefused):
        await stakes.require_erasable(ANN)
    till.builder.clock.advance(timedelta(minutes=1))  # midnight in Berlin
    await stakes.require_erasable(ANN)


@pytest.mark.proves("LIF-2")
async def test_a_statement_is_kept_as_long_as_somebody_may_want_to_prove_it(till, clerk) -> None:
    ann, _ = await with_a_past(till, clerk)
    short = Stakes(desk=desk_of(till.builder), policy=KeepingPolicy(document_years=0))
    with pytest.raises(ErasureRefused) as refused:
        await short.require_erasable(ann)
    assert refused.value.until == date(2035, 1, 1)


@pytest.mark.proves("LIF-2", "CUS-22")
async def test_who_is_erased_is_forgotten_and_the_books_add_up(till, clerk) -> None:
    ann, id = await with_a_past(till, clerk)
    builder = till.builder
    desk = desk_of(builder)
    policy = builder.policies.subscriptions.keeping
    erasures = Erasures(desk=desk, objections=(Stakes(desk=desk, policy=policy),), belongings=BELONGINGS)
    with pytest.raises(ErasureRefused):
        await erasures.erase(ann, "e-1")
    assert (await builder.kept(CUSTOMERS, ann)).status is AccountStatus.ACTIVE
    before = sums(builder)
    builder.clock.advance(timedelta(days=366 * 11))
    await erasures.erase(ann, "e-1")
    await till.shop.relay.deliver_pending()
    assert sums(builder) == before
    forgotten = await kept(till, id)
    assert forgotten.customer != ann
    assert forgotten.account == account_id(StoreId("main"), forgotten.customer)
    invoices = await rows(builder, INVOICES, "account", forgotten.account)
    assert sorted(one.number for one in invoices) == [1, 2]
    realm = builder.storage.snapshot()[builder.scope.realm]
    books = [book for book in BOOKS if book.name not in {"customers", "events", "deliveries", "messages"}]
    left = [(f"{b.name} {key}", f"{key} {serial.dump(one)}") for b in books for key, one in realm.books[b.name].items()]
    planted = [ann, *PLANTED]
    assert_no_leak({text: text for text in planted}, left)
    await erasures.erase(ann, "e-1")
    await till.shop.relay.deliver_pending()
    assert (await kept(till, id)).customer == forgotten.customer


def sums(builder):
    """What the books come to."""
    books = builder.storage.snapshot()[builder.scope.realm].books
    invoices = sorted((one.number, one.total, one.paid, one.due, one.state.value) for one in books["invoices"].values())
    entries = sorted((one.at, one.reason.value, one.amount.minor) for one in books["balance_entries"].values())
    accounts = [one.balances for one in books["billing_accounts"].values()]
    return str((invoices, entries, accounts))


@pytest.mark.proves("LIF-2", "ABU-2")
async def test_that_somebody_used_a_trial_or_a_campaign_is_forgotten_with_them_and_with_nobody_else(till) -> None:
    tried, cheaper = till.order(plan=TRIED.id), till.order(plan=TEA.id, discounts=(SPRING,))
    for customer in (ANN, BEN):
        await till.subscribed(tried, customer=customer)
        await till.subscribed(cheaper, customer=customer, key="o-2")
    at = till.builder.clock.now()
    await happens(till, CustomerErased(at=at, account=ANN, erasure="e-1"), times=2)
    realm = till.builder.storage.snapshot()[till.builder.scope.realm]
    for book in (TRIALS, CAMPAIGN_USES):
        assert {one.customer for one in realm.books[book.name].values()} == {BEN}, book


@pytest.mark.proves("LIF-2")
async def test_a_subscription_that_was_made_while_somebody_was_erased_ends(till) -> None:
    made = await till.subscribed()
    at = till.builder.clock.now()
    await happens(till, CustomerErased(at=at, account=ANN, erasure="e-1"), times=2)
    now = await kept(till, made.subscription.id)
    assert now.scheduled.cancel is not None
    assert ANN not in {now.customer, now.account.partition("/")[2]}


@pytest.mark.proves("LIF-2")
async def test_forgetting_goes_on_under_the_same_name_where_it_was_interrupted(till, clerk, monkeypatch) -> None:
    monkeypatch.setattr(handing_over, "_ROOM", 2)
    ann, id = await with_a_past(till, clerk)
    account = account_id(StoreId("main"), ann)
    passing = handing_over.HandingOver(desk=desk_of(till.builder))
    assert await passing._step(account, None)  # the machine stops after that
    name = (await till.builder.kept(ACCOUNTS, account)).passes_to
    await passing.to_nobody(ann)
    assert (await kept(till, id)).customer == name
    assert {one.customer for one in await rows(till.builder, INVOICES, "account", f"main/{name}")} == {name}
    assert await rows(till.builder, ACCOUNTS, "customer", ann) == ()
