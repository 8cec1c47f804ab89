"""What becomes of a card that fails: from the first decline to recovery, and to the involuntary end."""

import json
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.subscriptions import ActionNeeded, Subscribed
from shopaccounts.subscriptions.entitlements import EntitlementReason, entitlement
from shopaccounts.subscriptions.invoices.settling import write_off
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, Hold, PauseReason
from shopaccounts.subscriptions.papers.documents import INVOICES, InvoiceState
from shopaccounts.subscriptions.payments import charging as told
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentReason, IntentState
from shopaccounts.subscriptions.plans.offers import Goods
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.dunning import DunningPolicy, OnExhausted, OnMethodChange
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.gateway import ScriptedGateway

if TYPE_CHECKING:
    from tests.usecases.subscriptions.conftest import CoffeeShop

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ANN, WORKER = CustomerId("ann"), WorkerId("w")
SOFT, HARD = Declined(DeclineKind.SOFT, "no_funds"), Declined(DeclineKind.HARD, "stolen")
DUNNING = ("payment_failed", "payment_reminder", "last_warning", "payment_recovered", "ended_unpaid", "payment_action")


@attrs.frozen
class Ann:
    """A customer with a mailbox, whose second month is billed and whose card fails from now on."""

    till: "CoffeeShop"
    gateway: ScriptedGateway
    id: str
    subscription: str
    invoice: str

    @property
    def payments(self):
        return self.till.shop.payments

    @property
    def clock(self):
        return self.till.builder.clock

    async def now(self):
        return await self.till.builder.kept(SUBSCRIPTIONS, self.subscription)

    async def owed(self, id=None):
        return await self.till.builder.kept(INVOICES, id or self.invoice)

    async def attempt(self, number, invoice=None):
        return await self.till.builder.kept(INTENTS, f"{invoice or self.invoice}:{number}")

    async def collects(self, days=0):
        self.clock.advance(days * DAY)
        return await self.payments.collect_due(worker=WORKER)

    async def bills(self):
        return await self.till.shop.billing.run_billing(worker=WORKER)

    async def events(self, *names):
        store = self.till.builder.storage.open(self.till.builder.scope)
        rows = await got(store.rows(EVENTS, "subject", self.id, None, 500))
        told = [one for one in rows.items if one.name.removeprefix("subscriptions.") in names]
        return [one.name.removeprefix("subscriptions.") for one in told]

    @property
    def letters(self):
        return [one for one in self.till.builder.mailbag.to("ann@lamp.example") if one.template in LETTERS]

    @property
    def subjects(self):
        return [one.template.removeprefix("subscriptions.") for one in self.letters]


LETTERS = {f"subscriptions.{name}" for name in DUNNING}


async def unlucky(till, gateway, answer=SOFT, policy=None):
    """A customer whose card worked once."""
    if policy is not None:
        till.builder.policies = quick_policies(subscriptions=policy)
    till = attrs.evolve(till, shop=till.builder.build())
    account = await till.shop.open_account("ann@lamp.example")
    made = await till.subscribed(customer=CustomerId(account.id))
    assert isinstance(made, Subscribed)
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker="w")
    subscription = await till.builder.kept(SUBSCRIPTIONS, made.subscription.id)
    gateway.cards["card-1"] = answer
    return Ann(till, gateway, account.id, subscription.id, subscription.live[-1].invoice)


def ending(how, **more):
    return SubscriptionPolicy(dunning=DunningPolicy(on_exhausted=how, **more))


@pytest.mark.proves("DUN-1", "DUN-3", "DUN-7", "DUN-9", "SUB-3", "PAY-2")
async def test_a_failed_card_from_the_first_decline_to_recovery(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    await ann.collects()
    first = await ann.now()
    assert (first.lifecycle, first.collection) == (Lifecycle.ACTIVE, Collection.PAST_DUE)
    assert first.past_due.since == ann.clock.now()
    assert (await ann.attempt(2)).due_at == ann.clock.now() + DAY
    assert entitlement(first, ann.clock.now(), SubscriptionPolicy()).reason is EntitlementReason.GRACE

    gateway.cards["card-1"] = HARD
    await ann.collects(days=1)
    assert await ann.attempt(3) is None
    assert (await ann.owed()).chase_at == first.past_due.since + 30 * DAY
    await ann.collects(days=3)
    assert gateway.asked[f"{ann.invoice}:2"] == 1

    changed = await ann.payments.change_payment_method(ann.id, "card-2")
    assert [(one.attempt, one.reason, one.state) for one in changed.tried] == [
        (3, IntentReason.METHOD_CHANGE, IntentState.SUCCEEDED)
    ]
    again = await ann.now()
    assert (again.collection, again.past_due) == (Collection.OK, None)
    paid = await ann.owed()
    assert (paid.state, paid.chase_at) == (InvoiceState.PAID, None)
    names = ("dunning_started", "payment_failed", "payment_succeeded", "dunning_recovered", "invoice_paid")
    assert (await ann.events(*names))[2:] == [
        "payment_failed",
        "dunning_started",
        "payment_failed",
        "payment_succeeded",
        "invoice_paid",
        "dunning_recovered",
    ]
    assert ann.subjects == ["payment_failed", "payment_reminder", "payment_recovered"]


@pytest.mark.proves("DUN-1", "DUN-6", "DUN-9")
async def test_a_failed_card_to_the_involuntary_end(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    failed_at = ann.clock.now()
    for days in (0, 1, 2, 4, 7):
        await ann.collects(days=days)
    over = await ann.now()
    assert (over.lifecycle, over.collection) == (Lifecycle.CANCELED, Collection.UNPAID)
    assert over.ended_at == failed_at + 14 * DAY
    assert (await ann.owed()).state is InvoiceState.UNCOLLECTIBLE
    assert ann.subjects == ["payment_failed", "payment_reminder", "payment_reminder", "last_warning", "ended_unpaid"]
    told = await ann.events("dunning_exhausted", "invoice_written_off", "subscription_canceled")
    assert sorted(told) == ["dunning_exhausted", "invoice_written_off", "subscription_canceled"]
    assert (await ann.collects(days=30)).pages == 0
    assert [gateway.asked[f"{ann.invoice}:{number}"] for number in range(1, 7)] == [1, 1, 1, 1, 1, 0]


@pytest.mark.proves("DUN-9")
async def test_a_letter_says_how_much_for_what_and_when_something_follows(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    await ann.collects()
    letter = ann.letters[-1]
    tomorrow = (ann.clock.now() + DAY).date().isoformat()
    assert (letter.variables["amount"], letter.variables["product"]) == ("21.30 EUR", "coffee")
    assert (letter.variables["date"], letter.variables["shop"]) == (tomorrow, "Lampenhaus")
    assert letter.variables["link"] == "https://lampenhaus.example/account/subscription"


@pytest.mark.proves("DUN-9")
async def test_who_has_no_address_gets_no_letter(till, gateway) -> None:
    await till.subscribed()
    till.builder.clock.advance(28 * DAY)
    gateway.cards["card-1"] = SOFT
    await till.shop.billing.run_billing(worker="w")
    report = await till.shop.payments.collect_due(worker="w")
    assert (report.declined, till.builder.mailbag.letters) == (1, ())


@pytest.mark.proves("DUN-6")
async def test_a_hard_decline_without_another_card_is_given_up_at_the_greatest_age(till, gateway) -> None:
    ann = await unlucky(till, gateway, HARD)
    await ann.collects()
    await ann.collects(days=29)
    assert (await ann.now()).lifecycle is Lifecycle.ACTIVE
    report = await ann.collects(days=1)
    assert report.looked_after == 1
    assert (await ann.now()).lifecycle is Lifecycle.CANCELED
    assert (await ann.owed()).state is InvoiceState.UNCOLLECTIBLE
    assert ann.subjects == ["payment_failed", "ended_unpaid"]


@pytest.mark.proves("DUN-6", "DUN-5")
async def test_what_is_marked_unpaid_runs_without_access_and_its_drafts_are_issued_when_it_is_paid(
    till, gateway
) -> None:
    policy = ending(OnExhausted.MARK_UNPAID)
    ann = await unlucky(till, gateway, policy=policy)
    for days in (0, 1, 2, 4, 7):
        await ann.collects(days=days)
    unpaid = await ann.now()
    assert (unpaid.lifecycle, unpaid.collection) == (Lifecycle.ACTIVE, Collection.UNPAID)
    assert not entitlement(unpaid, ann.clock.now(), policy).granted
    ann.clock.advance(17 * DAY)
    await ann.bills()
    draft = (await ann.now()).live[-1].invoice
    assert (await ann.owed(draft)).state is InvoiceState.DRAFT
    done = await ann.payments.record_payment(ann.invoice, (await ann.owed()).due, "T-1")
    assert done.state is InvoiceState.PAID
    assert (await ann.now()).collection is Collection.OK
    assert (await ann.owed(draft)).state is InvoiceState.OPEN
    assert (await ann.owed(draft)).number is not None
    gateway.cards.clear()
    await ann.collects()
    assert (await ann.owed(draft)).state is InvoiceState.PAID


@pytest.mark.proves("DUN-6")
async def test_what_is_paused_for_its_debt_runs_again_when_that_is_paid(till, gateway) -> None:
    ann = await unlucky(till, gateway, policy=ending(OnExhausted.PAUSE))
    for days in (0, 1, 2, 4, 7):
        await ann.collects(days=days)
    paused = await ann.now()
    assert (paused.lifecycle, paused.pause.reason) == (Lifecycle.PAUSED, PauseReason.UNPAID)
    assert (await ann.owed()).state is InvoiceState.OPEN
    await ann.payments.record_payment(ann.invoice, (await ann.owed()).due, "T-1")
    again = await ann.now()
    assert (again.lifecycle, again.collection, again.pause) == (Lifecycle.ACTIVE, Collection.OK, None)
    assert ann.subjects[-1] == "payment_recovered"


@pytest.mark.proves("DUN-6")
async def test_what_is_kept_waits_for_a_person(till, gateway) -> None:
    ann = await unlucky(till, gateway, policy=ending(OnExhausted.KEEP))
    for days in (0, 1, 2, 4, 7):
        await ann.collects(days=days)
    kept = await ann.now()
    assert (kept.lifecycle, kept.collection) == (Lifecycle.ACTIVE, Collection.PAST_DUE)
    assert (await ann.owed()).state is InvoiceState.OPEN
    assert (await ann.collects(days=60)).pages == 0


@pytest.mark.proves("DUN-7")
async def test_grace_ends_once_and_by_itself_however_retries_go(till, gateway) -> None:
    policy = ending(OnExhausted.KEEP, grace=5 * DAY)
    ann = await unlucky(till, gateway, policy=policy)
    await ann.collects()
    assert (await ann.now()).due_at == ann.clock.now() + 5 * DAY
    for days in (4, 1, 1):
        await ann.collects(days=days)
        await ann.bills()
    assert await ann.events("grace_ended") == ["grace_ended"]
    assert entitlement(await ann.now(), ann.clock.now(), policy).reason is EntitlementReason.GRACE_OVER


@pytest.mark.proves("DUN-5", "SUB-3")
@pytest.mark.parametrize("goods", [Goods.DIGITAL, Goods.PHYSICAL])
async def test_while_a_debt_is_overdue_boxes_wait_and_what_is_digital_renews(till, gateway, goods, plans) -> None:
    plan = plans.version("coffee-1")
    shipped = attrs.evolve(plan, plan=attrs.evolve(plan.plan, goods=goods))
    billing = attrs.evolve(till.builder.ports["billing"], plans=type(plans)([shipped]))
    till.builder.ports = {"billing": billing}
    ann = await unlucky(till, gateway, HARD, ending(OnExhausted.KEEP))
    await ann.collects()
    ann.clock.advance(62 * DAY)
    await ann.bills()
    renewed = (await ann.now()).live[-1].invoice != ann.invoice
    assert renewed is (goods is Goods.DIGITAL)
    await ann.payments.record_payment(ann.invoice, (await ann.owed()).due, "T-1")
    before = (await ann.now()).billed_to
    ann.clock.advance(5 * MINUTE)  # until the claim of the run before lapses
    await ann.bills()
    after = (await ann.now()).billed_to
    assert (after > before) is (goods is Goods.PHYSICAL)
    if goods is Goods.PHYSICAL:  # boxes don't pile up: only the latest is billed
        assert await ann.events("cycles_lapsed") == ["cycles_lapsed"]


@pytest.mark.proves("SUB-3", "DUN-9")
async def test_a_subscription_has_recovered_when_all_that_is_overdue_is_paid(till, gateway) -> None:
    ann = await unlucky(till, gateway, policy=ending(OnExhausted.KEEP))
    await ann.collects()
    ann.clock.advance(31 * DAY)
    await ann.bills()
    second = (await ann.now()).live[-1].invoice
    await ann.collects()
    assert set((await ann.now()).past_due.invoices) == {ann.invoice, second}
    await ann.payments.record_payment(ann.invoice, (await ann.owed()).due, "T-1")
    still = await ann.now()
    assert (still.collection, still.past_due.invoices) == (Collection.PAST_DUE, (second,))
    assert "payment_recovered" not in ann.subjects
    await ann.payments.record_payment(second, (await ann.owed(second)).due, "T-2")
    assert (await ann.now()).collection is Collection.OK
    assert ann.subjects[-1] == "payment_recovered"


@pytest.mark.proves("DUN-4")
@pytest.mark.parametrize("agrees", [True, False])
async def test_a_new_card_never_collects_several_invoices_unawares(till, gateway, agrees) -> None:
    ann = await unlucky(till, gateway, HARD, ending(OnExhausted.KEEP, max_age=60 * DAY))
    await ann.collects()
    first_due = (await ann.owed()).due
    ann.clock.advance(20 * DAY)
    await ann.bills()
    ann.clock.advance(11 * DAY)
    await ann.bills()
    await ann.collects()
    second = (await ann.now()).live[-1].invoice
    ann.clock.advance(MINUTE)
    preview = await ann.payments.preview_method_change(ann.id)
    assert preview.total == first_due + (await ann.owed(second)).due
    changed = await ann.payments.change_payment_method(ann.id, "card-2", agreed_total=None if agrees else first_due)
    assert [one.invoice for one in changed.tried] == [second]
    assert changed.left == (ann.invoice,)
    assert (await ann.owed()).state is InvoiceState.OPEN
    if agrees:
        ann.clock.advance(MINUTE)
        rest = await ann.payments.change_payment_method(ann.id, "card-3", agreed_total=first_due)
        assert [(one.invoice, one.state) for one in rest.tried] == [(ann.invoice, IntentState.SUCCEEDED)]


@pytest.mark.proves("DUN-4")
async def test_a_total_that_was_agreed_to_collects_all_of_them(till, gateway) -> None:
    policy = ending(OnExhausted.KEEP, max_age=60 * DAY)
    ann = await unlucky(till, gateway, HARD, policy)
    await ann.collects()
    ann.clock.advance(31 * DAY)
    await ann.bills()
    await ann.collects()
    ann.clock.advance(MINUTE)
    total = (await ann.payments.preview_method_change(ann.id)).total
    changed = await ann.payments.change_payment_method(ann.id, "card-2", agreed_total=total)
    assert [one.state for one in changed.tried] == [IntentState.SUCCEEDED, IntentState.SUCCEEDED]
    assert (changed.left, (await ann.now()).collection) == ((), Collection.OK)


@pytest.mark.proves("DUN-3", "LIF-1")
async def test_a_change_of_method_is_tried_once_and_uses_up_no_retry(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    await ann.collects()
    gateway.cards["card-2"] = SOFT
    changed = await ann.payments.change_payment_method(ann.id, "card-2")
    assert [(one.attempt, one.state) for one in changed.tried] == [(2, IntentState.DECLINED)]
    tried = await ann.attempt(2)
    assert (tried.reason, tried.state, tried.method) == (IntentReason.METHOD_CHANGE, IntentState.DECLINED, "card-2")
    planned = await ann.attempt(3)
    assert (planned.reason, planned.due_at) == (IntentReason.PLANNED, ann.clock.now() + DAY)


@pytest.mark.proves("DUN-4", "LIF-1")
async def test_a_shop_may_leave_open_invoices_to_their_next_retry(till, gateway) -> None:
    ann = await unlucky(till, gateway, policy=ending(OnExhausted.CANCEL, on_method_change=OnMethodChange.NONE))
    await ann.collects()
    changed = await ann.payments.change_payment_method(ann.id, "card-2")
    assert (changed.tried, changed.left) == ((), (ann.invoice,))
    await ann.collects(days=1)
    assert (await ann.attempt(2)).method == "card-2"
    assert (await ann.owed()).state is InvoiceState.PAID


@pytest.mark.proves("DUN-3", "LIF-1")
async def test_one_subscription_may_have_a_method_of_its_own(till, gateway) -> None:
    ann = await unlucky(till, gateway, HARD)
    await ann.collects()
    ann.clock.advance(MINUTE)
    changed = await ann.payments.change_payment_method(ann.id, "card-2", subscription=ann.subscription)
    assert [one.state for one in changed.tried] == [IntentState.SUCCEEDED]
    assert (await ann.now()).payment_method == "card-2"
    account = await till.builder.kept(ACCOUNTS, (await ann.now()).account)
    assert account.payment_method == "card-1"
    assert (await ann.payments.change_payment_method(ann.id, "card-3")).tried == ()


@pytest.mark.proves("LIF-1")
async def test_a_renewal_without_a_payment_method_fails_for_want_of_one(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    account = (await ann.now()).account
    await till.builder.edit(ACCOUNTS, account, lambda one: attrs.evolve(one, payment_method=None))
    report = await ann.collects()
    failed = await ann.attempt(1)
    assert (report.not_asked, failed.state, failed.code) == (1, IntentState.DECLINED, "needs_method")
    assert (await ann.now()).collection is Collection.PAST_DUE
    assert gateway.asked[failed.key] == 0
    ann.clock.advance(MINUTE)
    changed = await ann.payments.change_payment_method(ann.id, "card-2")
    assert [one.state for one in changed.tried] == [IntentState.SUCCEEDED]


@pytest.mark.proves("PAY-2", "DUN-9")
async def test_what_the_customer_never_confirms_counts_as_a_soft_decline(till, gateway) -> None:
    ann = await unlucky(till, gateway, told.ActionNeeded("https://bank.example/confirm"))
    await ann.collects()
    assert (await ann.now()).collection is Collection.OK
    assert ann.subjects == ["payment_action"]
    ann.clock.advance(timedelta(hours=23))
    gateway.cards.clear()
    await ann.collects()
    timed_out = await ann.attempt(1)
    assert (timed_out.state, timed_out.decline) == (IntentState.ABANDONED, DeclineKind.SOFT)
    assert (await ann.now()).collection is Collection.PAST_DUE
    await ann.collects(days=1)
    assert (await ann.owed()).state is InvoiceState.PAID


@pytest.mark.proves("PAY-3")
async def test_a_confirmation_whose_news_got_lost_is_found_before_the_payment_is_given_up(till, gateway) -> None:
    ann = await unlucky(till, gateway, told.ActionNeeded("https://bank.example/confirm"))
    await ann.collects()
    gateway.act(f"{ann.invoice}:1", told.Charged("confirmed"))
    ann.clock.advance(timedelta(hours=23))
    await ann.collects()
    assert (await ann.owed()).state is InvoiceState.PAID
    assert await ann.attempt(2) is None


@pytest.mark.proves("DUN-8")
async def test_a_small_debt_is_tried_together_with_the_next_invoice(till, gateway) -> None:
    policy = ending(OnExhausted.KEEP, min_amount=(Money.of(30, "EUR"),))
    ann = await unlucky(till, gateway, policy=policy)
    await ann.collects()
    assert await ann.attempt(2) is None
    assert (await ann.collects(days=5)).pages == 0
    gateway.cards.clear()
    ann.clock.advance(26 * DAY)
    await ann.bills()
    second = (await ann.now()).live[-1].invoice
    assert second != ann.invoice
    await ann.collects()
    assert (await ann.owed(second)).state is InvoiceState.PAID
    assert (await ann.owed()).state is InvoiceState.PAID
    assert (await ann.now()).collection is Collection.OK


@pytest.mark.proves("RUN-12")
async def test_what_is_on_hold_is_collected_all_the_same(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    gateway.cards.clear()
    hold = Hold(since=ann.clock.now(), code="backlog")
    await till.builder.edit(SUBSCRIPTIONS, ann.subscription, lambda one: attrs.evolve(one, hold=hold, due_at=None))
    assert (await ann.collects()).charged == 1
    assert (await ann.now()).due_at is None


async def test_no_action_is_asked_for_twice(till, gateway) -> None:
    gateway.cards["card-1"] = told.ActionNeeded("https://bank.example/confirm")
    first, second = await till.subscribed(), await till.subscribed()
    assert isinstance(first, ActionNeeded)
    assert first == second
    assert gateway.asked[first.payment.key] == 1


@pytest.mark.proves("PAY-2", "SUB-3")
async def test_what_is_voided_is_chased_no_more_and_its_subscription_has_caught_up(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    await ann.collects()
    now = ann.clock.now()
    await till.builder.edit(INVOICES, ann.invoice, lambda one: attrs.evolve(one, state=InvoiceState.VOID, chase_at=now))
    assert (await ann.collects()).looked_after == 1
    assert (await ann.attempt(2)).state is IntentState.ABANDONED
    assert (await ann.now()).collection is Collection.OK
    assert (await ann.collects(days=2)).pages == 0


@pytest.mark.proves("PAY-2", "INV-5")
async def test_what_is_written_off_is_charged_no_more_and_may_still_be_paid(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    await ann.collects()
    await till.builder.edit(INVOICES, ann.invoice, write_off)
    gateway.cards.clear()
    report = await ann.collects(days=1)
    assert (report.not_asked, (await ann.attempt(2)).state) == (1, IntentState.ABANDONED)
    assert await ann.attempt(3) is None
    assert (await ann.now()).collection is Collection.PAST_DUE
    paid = await ann.payments.record_payment(ann.invoice, (await ann.owed()).due, "T-1")
    assert paid.state is InvoiceState.PAID
    assert (await ann.now()).collection is Collection.OK


@pytest.mark.proves("DUN-10")
async def test_the_open_invoice_of_a_subscription_that_is_over_is_chased_all_the_same(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    over = {"lifecycle": Lifecycle.CANCELED, "ended_at": ann.clock.now(), "due_at": None}
    await till.builder.edit(SUBSCRIPTIONS, ann.subscription, lambda one: attrs.evolve(one, **over))
    await ann.collects()
    assert (await ann.now()).collection is Collection.PAST_DUE
    gateway.cards.clear()
    await ann.collects(days=1)
    now = await ann.now()
    assert ((await ann.owed()).state, now.collection, now.lifecycle) == (
        InvoiceState.PAID,
        Collection.OK,
        Lifecycle.CANCELED,
    )


@pytest.mark.proves("DUN-9")
@pytest.mark.parametrize("answer", [SOFT, HARD, told.ActionNeeded("https://bank.example/confirm")])
async def test_every_letter_brings_what_its_text_needs(till, gateway, answer) -> None:
    ann = await unlucky(till, gateway, answer)
    for days in (0, 1, 2, 4, 7, 16):
        await ann.collects(days=days)
    assert ann.letters
    for letter in ann.letters:
        context, name = letter.template.split(".")
        kept = files("shopaccounts") / "locale" / "templates" / context / name / "sample.json"
        sample = json.loads(kept.read_text())
        needed = sample["variables"].keys() - set(sample["optional"])
        assert needed <= letter.variables.keys() <= sample["variables"].keys(), letter.template


@pytest.mark.proves("DUN-2")
async def test_a_retry_that_was_missed_is_not_made_beyond_the_greatest_age(till, gateway) -> None:
    ann = await unlucky(till, gateway)
    await ann.collects()
    report = await ann.collects(days=31)
    assert (report.not_asked, (await ann.attempt(2)).state) == (1, IntentState.ABANDONED)
    assert gateway.asked[f"{ann.invoice}:2"] == 0
    assert (await ann.now()).lifecycle is Lifecycle.CANCELED
    assert ann.subjects == ["payment_failed", "ended_unpaid"]
