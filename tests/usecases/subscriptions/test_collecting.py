"""Money is collected: recorded before it is asked for, asked for once, and believed when it is told."""

from datetime import timedelta
from typing import TypeVar

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Book, Entity
from shopaccounts.subscriptions import ActionNeeded, BillingPorts, How, Order, PaymentPending, Subscribed, When
from shopaccounts.subscriptions.errors import InvoiceUnknown, SubscriptionUnknown
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, CollectionMode
from shopaccounts.subscriptions.papers.documents import BALANCE_ENTRIES, INVOICES, InvoiceState
from shopaccounts.subscriptions.payments import charging as told
from shopaccounts.subscriptions.payments.charging import Charged, Declined, DeclineKind
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentState, PaymentIntent, Purpose
from shopaccounts.subscriptions.plans.offers import Phase, PhaseKind, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import ShopBuilder
from shopaccounts.testing.crashes import walk_crashes
from shopaccounts.testing.gateway import Delayed, Lost, ScriptedGateway, Unheard
from shopaccounts.testing.recording import Recorder

ANN = CustomerId("ann")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FIVE_MINUTES = timedelta(minutes=5)
SOFT, HARD = Declined(DeclineKind.SOFT, "no_funds"), Declined(DeclineKind.HARD, "stolen")
NEW_CARD = "card-2"
T = TypeVar("T", bound=Entity)


async def open_renewal(till, **script):
    """A subscription whose second month is billed, and not paid yet."""
    made = await till.subscribed(**script)
    assert isinstance(made, Subscribed)
    till.builder.clock.advance(timedelta(days=28))
    await till.shop.billing.run_billing(worker="w")
    return made, await renewal_of(till, made)


async def renewal_of(till, made):
    """The newest invoice of a subscription."""
    subscription = await till.builder.kept(SUBSCRIPTIONS, made.subscription.id)
    return await till.builder.kept(INVOICES, subscription.live[-1].invoice)


async def kept(till, made):
    return await till.builder.kept(SUBSCRIPTIONS, made.subscription.id)


async def intent_of(till, invoice, attempt=1):
    return await till.builder.kept(INTENTS, f"{invoice.id}:{attempt}")


async def collect(till, **how):
    return await till.shop.payments.collect_due(worker="w", **how)


@pytest.mark.proves("PAY-1", "SUB-9")
async def test_the_first_payment_is_tried_at_once_and_the_subscription_runs(till, gateway) -> None:
    made = await till.subscribed()
    assert isinstance(made, Subscribed)
    assert made.subscription.lifecycle is Lifecycle.ACTIVE
    assert made.invoice is not None
    assert made.payment is not None
    assert (made.invoice.state, made.payment.state) == (InvoiceState.PAID, IntentState.SUCCEEDED)
    assert gateway.debits_of(made.payment.key) == (made.invoice.total,)


@pytest.mark.proves("SUB-9")
@pytest.mark.parametrize("answer", [SOFT, HARD])
async def test_a_first_payment_that_is_declined_leaves_the_subscription_waiting(till, gateway, answer) -> None:
    gateway.cards["card-1"] = answer
    made = await till.subscribed()
    assert isinstance(made, PaymentPending)
    assert made.payment is not None
    assert (made.subscription.lifecycle, made.payment.state) == (Lifecycle.INCOMPLETE, IntentState.DECLINED)
    assert made.subscription.collection is Collection.OK
    till.builder.clock.advance(timedelta(hours=22))
    assert (await collect(till)).pages == 0
    changed = await till.shop.payments.change_payment_method(ANN, NEW_CARD)
    assert [one.state for one in changed.tried] == [IntentState.SUCCEEDED]
    assert (await kept(till, made)).lifecycle is Lifecycle.ACTIVE


@pytest.mark.proves("SUB-9")
async def test_a_first_payment_that_needs_its_customer_says_so_and_a_webhook_lets_it_run(till, gateway) -> None:
    gateway.charge = lambda _: told.ActionNeeded("https://bank.example/confirm")
    made = await till.subscribed()
    assert isinstance(made, ActionNeeded)
    assert made.action == "https://bank.example/confirm"
    again = await till.subscribed()
    assert again == made
    paid = await till.shop.payments.settle_payment(made.payment.key, Charged("pi"))
    assert paid.state is IntentState.SUCCEEDED
    assert (await kept(till, made)).lifecycle is Lifecycle.ACTIVE
    assert isinstance(await till.subscribed(), Subscribed)


@pytest.mark.proves("SUB-9")
async def test_without_a_gateway_the_first_payment_waits(coffee) -> None:
    made = await coffee.subscribed()
    assert isinstance(made, PaymentPending)
    assert made.payment is not None
    assert made.payment.state is IntentState.READY
    assert (await coffee.shop.payments.collect_due(worker="w")).pages == 0


@pytest.mark.proves("PAY-1")
async def test_a_renewal_is_charged_by_the_next_round_of_collecting(till, gateway) -> None:
    made, invoice = await open_renewal(till)
    assert (await intent_of(till, invoice)).state is IntentState.READY
    report = await collect(till)
    assert (report.pages, report.charged) == (1, 1)
    paid = await till.builder.kept(INVOICES, invoice.id)
    assert (paid.state, paid.paid) == (InvoiceState.PAID, invoice.total)
    assert gateway.debits_of(f"{invoice.id}:1") == (invoice.total,)
    assert (await collect(till)).pages == 0
    assert (await kept(till, made)).collection is Collection.OK


@pytest.mark.proves("PAY-1", "PAY-3")
async def test_that_a_payment_is_on_its_way_is_recorded_before_the_gateway_is_asked(till, gateway) -> None:
    await open_renewal(till)
    seen = []
    charge = gateway.charge

    def watched(request):
        store = till.builder.storage.open(till.builder.scope)
        seen.append(store.find(INTENTS, request.key).it.state)
        return charge(request)

    gateway.charge = watched
    await collect(till)
    assert seen == [IntentState.IN_FLIGHT]


@pytest.mark.proves("PAY-3")
@pytest.mark.parametrize("fate", [Unheard(Charged("ok")), Delayed(Charged("ok")), Lost()])
async def test_no_answer_is_looked_up_and_the_money_moves_once(till, gateway, fate) -> None:
    made, invoice = await open_renewal(till)
    gateway.script(invoice.id, 1, fate)
    assert (await collect(till)).unknown == 1
    assert (await kept(till, made)).collection is Collection.OK
    assert (await collect(till)).pages == 0
    till.builder.clock.advance(MINUTE)
    gateway.arrive(f"{invoice.id}:1")
    await collect(till)
    assert (await till.builder.kept(INVOICES, invoice.id)).state is InvoiceState.PAID
    assert gateway.debits_of(f"{invoice.id}:1") == (invoice.total,)
    assert (await intent_of(till, invoice, 2)) is None


@pytest.mark.proves("PAY-1", "PAY-3")
@pytest.mark.parametrize("arrives", [True, False])
async def test_a_worker_that_dies_while_it_asks_leaves_a_payment_that_is_looked_up(till, gateway, arrives) -> None:
    _, invoice = await open_renewal(till)
    charge = gateway.charge

    class Dead(BaseException):
        """The process is gone."""

    def dies(request):
        if arrives:
            charge(request)
        raise Dead

    gateway.charge = dies
    with pytest.raises(Dead):
        await collect(till)
    gateway.charge = charge
    assert (await intent_of(till, invoice)).state is IntentState.IN_FLIGHT
    assert (await collect(till)).pages == 0
    till.builder.clock.advance(FIVE_MINUTES)
    await collect(till)
    assert (await till.builder.kept(INVOICES, invoice.id)).state is InvoiceState.PAID
    assert gateway.debits_of(f"{invoice.id}:1") == (invoice.total,)


@pytest.mark.proves("PAY-3")
async def test_a_gateway_that_raises_has_not_answered(till, gateway) -> None:
    _, invoice = await open_renewal(till)
    charge = gateway.charge

    def broken(_):
        raise ConnectionError

    gateway.charge = broken
    assert (await collect(till)).unknown == 1
    assert (await intent_of(till, invoice)).state is IntentState.UNKNOWN
    gateway.charge = charge
    till.builder.clock.advance(MINUTE)
    report = await collect(till)
    assert (report.asked_again, report.charged) == (1, 1)


@pytest.mark.proves("PAY-3")
async def test_a_webhook_counts_once_however_often_it_comes(till) -> None:
    _, invoice = await open_renewal(till)
    await collect(till)
    before = await till.builder.kept(INVOICES, invoice.id)
    for _ in range(2):
        paid = await till.shop.payments.settle_payment(f"{invoice.id}:1", Charged("again"))
        assert paid.state is IntentState.SUCCEEDED
    await till.shop.payments.settle_payment(f"{invoice.id}:1", SOFT)
    assert await till.builder.kept(INVOICES, invoice.id) == before


@pytest.mark.proves("PAY-3")
async def test_a_webhook_may_come_before_the_answer_was_recorded(till, gateway) -> None:
    made, invoice = await open_renewal(till)
    gateway.script(invoice.id, 1, Unheard(Charged("ok")))
    await collect(till)
    await till.shop.payments.settle_payment(f"{invoice.id}:1", Charged("ok"))
    assert (await till.builder.kept(INVOICES, invoice.id)).state is InvoiceState.PAID
    till.builder.clock.advance(MINUTE)
    assert (await collect(till)).pages == 0
    assert (await kept(till, made)).collection is Collection.OK


@pytest.mark.proves("PAY-3", "INV-14")
async def test_a_success_that_comes_too_late_is_the_customers_and_pays_what_is_still_owed(till, gateway) -> None:
    made, invoice = await open_renewal(till)
    gateway.cards["card-1"] = SOFT
    await collect(till)
    await till.shop.payments.settle_payment(f"{invoice.id}:1", Charged("after all"))
    after = await till.builder.kept(INVOICES, invoice.id)
    assert (after.state, after.paid, after.balance_applied) == (
        InvoiceState.PAID,
        Money.zero("EUR"),
        invoice.total,
    )
    assert (await kept(till, made)).collection is Collection.OK
    assert (await intent_of(till, invoice, 2)).state is IntentState.ABANDONED
    await till.shop.payments.settle_payment(f"{invoice.id}:1", Charged("after all"))
    account = await till.builder.kept(ACCOUNTS, after.account)
    assert account.balance("EUR").is_zero


@pytest.mark.proves("PAY-3", "INV-14")
async def test_a_second_success_lies_in_the_balance(till, gateway) -> None:
    _, invoice = await open_renewal(till)
    gateway.cards["card-1"] = SOFT
    await collect(till)
    gateway.cards.clear()
    till.builder.clock.advance(DAY)
    await collect(till)
    assert (await till.builder.kept(INVOICES, invoice.id)).state is InvoiceState.PAID
    await till.shop.payments.settle_payment(f"{invoice.id}:1", Charged("after all"))
    account = await till.builder.kept(ACCOUNTS, invoice.account)
    assert account.balance("EUR") == invoice.total


async def test_news_about_a_key_that_nobody_asked_under_is_refused(till) -> None:
    with pytest.raises(InvoiceUnknown):
        await till.shop.payments.settle_payment("nothing:1", Charged("x"))
    with pytest.raises(InvoiceUnknown):
        await till.shop.payments.try_now("nothing")
    with pytest.raises(InvoiceUnknown):
        await till.shop.payments.record_payment("nothing", Money.of(1, "EUR"), "ref")


@pytest.mark.parametrize("limit", [0, 501])
async def test_a_page_has_a_size(till, limit) -> None:
    with pytest.raises(InvalidInput):
        await collect(till, limit=limit)


async def test_collecting_stops_after_as_many_pages_as_it_was_told(till) -> None:
    for key in ("ann", "bob", "eve"):
        await till.subscribed(customer=CustomerId(key), key=key)
    till.builder.clock.advance(timedelta(days=28))
    await till.shop.billing.run_billing(worker="w")
    report = await collect(till, limit=1, max_pages=2)
    assert (report.pages, report.charged) == (2, 2)
    assert (await collect(till)).charged == 1


# Money that comes by other means


async def bills_by_post(till):
    """A subscription whose invoices are sent, and paid by bank transfer."""
    made = await till.subscribed()
    await till.builder.edit(
        ACCOUNTS, made.subscription.account, lambda one: attrs.evolve(one, collection_mode=CollectionMode.SEND_INVOICE)
    )
    till.builder.clock.advance(timedelta(days=28))
    await till.shop.billing.run_billing(worker="w")
    return made, await renewal_of(till, made)


@pytest.mark.proves("PAY-5")
async def test_an_invoice_that_is_sent_is_charged_by_nobody_and_is_overdue_when_its_day_is_over(till) -> None:
    made, invoice = await bills_by_post(till)
    assert await intent_of(till, invoice) is None
    days = (invoice.due_on - invoice.issued_at.date()).days
    till.builder.clock.advance(timedelta(days=days))
    assert (await collect(till)).looked_after == 0
    assert (await kept(till, made)).collection is Collection.OK
    till.builder.clock.advance(DAY)
    assert (await collect(till)).looked_after == 1
    late = await kept(till, made)
    assert (late.collection, late.past_due.invoices) == (Collection.PAST_DUE, (invoice.id,))
    assert (await collect(till)).looked_after == 0


@pytest.mark.proves("PAY-4", "PAY-5", "SUB-3")
async def test_parts_of_a_transfer_leave_an_invoice_open_and_the_last_one_settles_it(till) -> None:
    made, invoice = await bills_by_post(till)
    till.builder.clock.advance(timedelta(days=16))
    await collect(till)
    part = Money.of(10, "EUR")
    pay = till.shop.payments.record_payment
    after = await pay(invoice.id, part, "T-1")
    assert (after.state, after.due) == (InvoiceState.OPEN, invoice.total - part)
    assert await pay(invoice.id, part, "T-1") == after
    assert (await kept(till, made)).collection is Collection.PAST_DUE
    done = await pay(invoice.id, invoice.total, "T-2")
    assert (done.state, done.due, done.chase_at) == (InvoiceState.PAID, Money.zero("EUR"), None)
    account = await till.builder.kept(ACCOUNTS, invoice.account)
    assert account.balance("EUR") == part
    now = await kept(till, made)
    assert (now.collection, now.past_due) == (Collection.OK, None)


@pytest.mark.proves("PAY-4")
async def test_what_was_paid_in_part_is_charged_for_the_rest(till, gateway) -> None:
    _, invoice = await open_renewal(till)
    part = Money.of(10, "EUR")
    await till.shop.payments.record_payment(invoice.id, part, "T-1")
    await collect(till)
    assert [debit.amount for debit in gateway.debits if debit.key.startswith(invoice.id)] == [invoice.total - part]


@pytest.mark.proves("PAY-2", "PAY-5")
async def test_what_was_paid_by_other_means_is_charged_by_nobody(till, gateway) -> None:
    _, invoice = await open_renewal(till)
    await till.shop.payments.record_payment(invoice.id, invoice.total, "T-1")
    assert (await intent_of(till, invoice)).state is IntentState.ABANDONED
    assert (await collect(till)).pages == 0
    assert gateway.debits_of(f"{invoice.id}:1") == ()


# Money that goes back


@pytest.mark.proves("DUN-10")
async def test_a_chargeback_makes_the_invoice_overdue_and_nothing_is_tried_by_itself(till, gateway) -> None:
    made, invoice = await open_renewal(till)
    await collect(till)
    for _ in range(2):
        await till.shop.payments.reverse_payment(f"{invoice.id}:1")
    rows = await got(till.builder.storage.open(till.builder.scope).rows(EVENTS, "subject", "ann", None, 500))
    assert [one.name for one in rows.items].count("subscriptions.payment_reversed") == 1
    after = await till.builder.kept(INVOICES, invoice.id)
    assert (after.state, after.due) == (InvoiceState.OPEN, invoice.total)
    assert (await kept(till, made)).collection is Collection.PAST_DUE
    asked = sum(gateway.asked.values())
    till.builder.clock.advance(29 * DAY)
    await collect(till)
    assert gateway.asked.total() == asked
    till.builder.clock.advance(DAY)
    await collect(till)
    assert (await till.builder.kept(INVOICES, invoice.id)).state is InvoiceState.UNCOLLECTIBLE
    assert (await kept(till, made)).lifecycle is Lifecycle.CANCELED


@pytest.mark.proves("PAY-4", "INV-13")
async def test_a_refund_that_fails_lies_in_the_balance(till, gateway) -> None:
    _, invoice = await open_renewal(till)
    await collect(till)
    part = Money.of(5, "EUR")
    charge = await intent_of(till, invoice)
    await till.builder.edit(INVOICES, invoice.id, lambda one: attrs.evolve(one, refunded=part))
    refund = PaymentIntent(
        id=f"{invoice.id}:2",
        realm=charge.realm,
        store=charge.store,
        invoice=invoice.id,
        account=charge.account,
        attempt=2,
        purpose=Purpose.REFUND,
        amount=part,
        method=charge.method,
        refund_of=charge.key,
        due_at=till.builder.clock.now(),
        planned_at=till.builder.clock.now(),
    )
    await till.builder.add(INTENTS, refund)
    gateway.script(invoice.id, 2, HARD)
    await collect(till)
    after = await till.builder.kept(INVOICES, invoice.id)
    account = await till.builder.kept(ACCOUNTS, invoice.account)
    assert (after.refunded, after.state, account.balance("EUR")) == (Money.zero("EUR"), InvoiceState.PAID, part)
    entry = await till.builder.kept(BALANCE_ENTRIES, f"{refund.key}:overpayment")
    assert entry.amount == part


# Laws that want the customer there


@pytest.mark.proves("PAY-6")
async def test_a_charge_above_the_limit_of_a_law_waits_for_its_customer(till, gateway) -> None:
    class India:
        def of(self, *_):
            return "IN"

    ports = till.builder.ports["billing"]
    coffee = ports.plans.version("coffee-1")
    rupees = attrs.evolve(coffee, phases=(Phase(PhaseKind.EVERGREEN, None, (Flat(Money.of(20_000, "INR")),)),))
    billing = attrs.evolve(ports, jurisdictions=India(), plans=FixedPlans([rupees]))
    till.builder.ports = {"billing": billing}
    shop = attrs.evolve(till, shop=till.builder.build())
    coffee_id = PlanVersionId("coffee-1")
    wanted = Order(plan=coffee_id, currency="INR", zone="Asia/Kolkata", payment_method="card-1")
    made = await shop.subscribed(wanted)
    assert isinstance(made, Subscribed)  # the customer is there
    till.builder.clock.advance(timedelta(days=29))
    await shop.shop.billing.run_billing(worker="w")
    invoice = await renewal_of(till, made)
    now = till.builder.clock.now()  # the notice before the debit has gone out
    await till.builder.edit(INTENTS, f"{invoice.id}:1", lambda one: attrs.evolve(one, due_at=now))
    assert (await collect(shop)).not_asked == 1
    waiting = await intent_of(till, invoice)
    assert (waiting.state, gateway.asked[waiting.key]) == (IntentState.NEEDS_ACTION, 0)
    done = await shop.shop.payments.try_now(invoice.id)
    assert done.state is IntentState.SUCCEEDED
    assert gateway.debits_of(waiting.key) == (invoice.total,)


async def test_another_customers_subscription_is_unknown(till) -> None:
    made = await till.subscribed()
    payments = till.shop.payments
    await till.subscribed(customer=CustomerId("bob"), key="bob")
    for who, which in (("bob", made.subscription.id), ("nobody", None), ("ann", "nothing")):
        with pytest.raises(SubscriptionUnknown):
            await payments.change_payment_method(CustomerId(who), NEW_CARD, subscription=which)
        with pytest.raises(SubscriptionUnknown):
            await payments.preview_method_change(CustomerId(who), subscription=which)


@pytest.mark.proves("PAY-1")
async def test_a_page_of_any_size_asks_as_often_of_the_books(till, gateway) -> None:
    counts = []
    for size in (2, 20):
        customers = [f"{size}-{number}" for number in range(size)]
        for one in customers:
            await till.subscribed(customer=CustomerId(one), key=one)
        till.builder.clock.advance(timedelta(days=31))
        await till.shop.billing.run_billing(worker="w")
        recorder = Recorder()
        watched = till.builder.build(recorder)
        gateway.cards["card-1"] = SOFT  # each failure plans a retry, and its subscription falls behind
        await watched.payments.collect_due(worker="w", max_pages=1)
        gateway.cards.clear()
        till.builder.clock.advance(FIVE_MINUTES)
        counts.append(sum(method in {"pick", "rows", "find", "record", "record_page"} for _, method in recorder.trace))
        till.builder.clock.advance(timedelta(days=1))
        await collect(till)
    assert 5 < counts[0] == counts[1] <= 12


@attrs.frozen
class Night:
    """A shop at night, in which one renewal is due and one has failed before."""

    builder: ShopBuilder
    gateway: ScriptedGateway
    invoices: tuple[str, ...]

    async def stands(self):
        """How each invoice, subscription and account stands."""
        invoices = [await self._stored(INVOICES, id) for id in self.invoices]
        subscriptions = [await self._stored(SUBSCRIPTIONS, one.subscriptions[0]) for one in invoices]
        accounts = [await self._stored(ACCOUNTS, one.account) for one in invoices]
        paid = [(one.state, one.paid, one.due) for one in invoices]
        return paid, [one.collection for one in subscriptions], [one.balances for one in accounts]

    async def _stored(self, book: Book[T], id: str) -> T:
        found = await self.builder.kept(book, id)
        assert found is not None
        return found


@pytest.mark.proves("PAY-1", "RUN-6", "DUN-9")
@pytest.mark.parametrize("answer", [Charged("ok"), SOFT])
async def test_a_worker_that_dies_at_any_step_loses_nothing_and_debits_nothing_twice(till, host, plans, answer) -> None:
    async def night():
        gateway = ScriptedGateway()
        ports = BillingPorts(plans=plans, gateway=gateway)
        builder = ShopBuilder(host=host, ports={"billing": ports})
        shop = attrs.evolve(till, builder=builder, shop=builder.build())
        made = [await shop.subscribed(customer=CustomerId(one), key=one) for one in ("ann", "bob")]
        builder.clock.advance(timedelta(days=32))
        await shop.shop.billing.run_billing(worker="w")
        invoices = [await renewal_of(shop, one) for one in made]
        gateway.script(invoices[0].id, 1, answer)
        await builder.edit(ACCOUNTS, invoices[1].account, lambda one: attrs.evolve(one, payment_method=None))
        return Night(builder, gateway, tuple(one.id for one in invoices))

    async def works(world, wrap):
        world.builder.clock.advance(FIVE_MINUTES)
        await world.builder.build(wrap).payments.collect_due(worker="w")

    async def check(found):
        assert await found.world.stands() == await found.quiet_world.stands(), (found.call, found.side)
        debits = [len(world.gateway.debits) for world in (found.world, found.quiet_world)]
        assert debits[0] == debits[1]
        letters = [len(world.builder.mailbag.letters) for world in (found.world, found.quiet_world)]
        assert letters[0] == letters[1]

    assert await walk_crashes(night, works, check) > 4


@pytest.mark.proves("PAY-1")
async def test_what_a_customers_own_change_costs_is_charged_as_soon_as_it_is_recorded(till, gateway) -> None:
    ports = till.builder.ports["billing"]
    small = ports.plans.version("coffee-1")
    dear = (Phase(PhaseKind.EVERGREEN, None, (Flat(Money.of(60, "EUR")),)),)
    large = attrs.evolve(small, id=PlanVersionId("coffee-2"), phases=dear)
    till.builder.ports = {"billing": attrs.evolve(ports, plans=FixedPlans([small, large]))}
    shop = till.builder.build()
    made = await till.subscribed()
    await shop.subscription_changes.change_plan(ANN, made.subscription.id, large.id, how=How(when=When.NOW))
    assert len(gateway.debits) == 2
    newest = await till.builder.kept(INVOICES, (await kept(till, made)).live[-1].invoice)
    assert (newest.state, newest.paid) == (InvoiceState.PAID, gateway.debits[-1].amount)
    assert (await collect(till)).pages == 0
