"""A shop, its bank and its customer, all at once: whatever they do, an invoice has one undecided charge at most.

The shop is a whole one, over books in memory; others do as they like in between: machines bill and collect, stop in the
middle and come late; news of the bank comes twice or never; the customer names other cards and pays by transfer; the
shop gives small debts up for a while and tries them with the next invoice. What is checked after each step:

* an invoice has one charge at most that is ready, under way, unanswered or waiting for its customer;
* its payments are numbered 1, 2, 3, each under the key of the invoice and that number;
* under one key money moved once at most.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions import BillingPorts, SubscriptionPolicy
from shopaccounts.subscriptions.payments.charging import ActionNeeded, Charged, Declined, DeclineKind
from shopaccounts.subscriptions.payments.intents import PaymentIntent, Purpose, is_live
from shopaccounts.subscriptions.policy.dunning import DunningPolicy, OnExhausted
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.gateway import Arrives, Delayed, Lost, ScriptedGateway, Unheard
from shopaccounts.testing.subscribers import flat_plan
from tests.usecases.billing_worlds import order_of

PLAN = flat_plan("10.00")
ANN, WORKER = CustomerId("ann"), WorkerId("w")
SOFT, HARD = Declined(DeclineKind.SOFT, "no_funds"), Declined(DeclineKind.HARD, "stolen")
DECISIONS = (Charged("ok"), SOFT, SOFT, HARD, ActionNeeded("confirm"))
FATES = st.one_of(
    st.sampled_from([kind(decision) for kind in (Arrives, Arrives, Unheard, Delayed) for decision in DECISIONS]),
    st.just(Lost()),
)
CARDS = st.sampled_from([SOFT, SOFT, HARD, ActionNeeded("confirm"), Charged("ok")])
SMALL = st.sampled_from([(), (Money.of(15, "EUR"),), (Money.of(35, "EUR"),)])
ANY = st.integers(0, 50)


class LiveChargeMachine(RuleBasedStateMachine):
    """The payments are read from the books after each step."""

    @initialize(small=SMALL, first=CARDS)
    def opens(self, small, first) -> None:
        dunning = DunningPolicy(on_exhausted=OnExhausted.KEEP, min_amount=small)
        subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
        policy = SubscriptionPolicy(subscribing=subscribing, dunning=dunning)
        self.gateway = ScriptedGateway()
        billing = BillingPorts(plans=FixedPlans([PLAN]), gateway=self.gateway)
        self.builder: Any = ShopBuilder(policies=quick_policies(subscriptions=policy), ports={"billing": billing})
        self.shop: Any = self.builder.build()
        self.cards = self.transfers = 0
        self.gateway.cards["card-1"] = first
        run(self.shop.subscriptions.subscribe(ANN, order_of(PLAN), request_id="o-1"))

    @property
    def payments(self) -> list[PaymentIntent]:
        books = self.builder.storage.snapshot()["main"].books
        return sorted(books.get("payment_intents", {}).values(), key=lambda one: (one.invoice, one.attempt))

    def tries(self, work) -> None:
        try:
            run(work)
        except Rejected:
            return

    # What the shop does

    @rule()
    def bills(self) -> None:
        run(self.shop.billing.run_billing(worker=WORKER))

    @rule(limit=st.integers(1, 3))
    def collects(self, limit) -> None:
        run(self.shop.payments.collect_due(limit=limit, max_pages=1, worker=WORKER))

    # What others do

    @rule(fate=FATES)
    def the_next_request_has_a_fate(self, fate) -> None:
        for one in self.payments:
            if is_live(one):
                self.gateway.script(one.invoice, one.attempt, fate)

    @rule(which=ANY)
    def a_request_arrives_at_last(self, which) -> None:
        self.gateway.arrive(self.payments[which % len(self.payments)].key)

    @rule(which=ANY, twice=st.booleans())
    def a_webhook_comes(self, which, twice) -> None:
        news = list(self.gateway.webhooks())
        if news:
            key, decision = news[which % len(news)]
            for _ in range(2 if twice else 1):
                self.tries(self.shop.payments.settle_payment(key, decision))

    @rule(which=ANY)
    def the_customer_confirms(self, which) -> None:
        self.gateway.act(self.payments[which % len(self.payments)].key, Charged("confirmed"))

    @rule(card=CARDS)
    def the_customer_names_another_card(self, card) -> None:
        self.cards += 1
        self.gateway.cards[f"new-{self.cards}"] = card
        self.builder.clock.advance(timedelta(seconds=1))
        self.tries(self.shop.payments.change_payment_method(ANN, f"new-{self.cards}"))

    @rule(which=ANY)
    def the_customer_pays_a_part_by_transfer(self, which) -> None:
        self.transfers += 1
        invoice = self.payments[which % len(self.payments)].invoice
        self.tries(self.shop.payments.record_payment(invoice, Money.of(4, "EUR"), f"T-{self.transfers}"))

    @rule(which=ANY)
    def the_bank_takes_money_back(self, which) -> None:
        self.tries(self.shop.payments.reverse_payment(self.payments[which % len(self.payments)].key))

    @rule(days=st.sampled_from([0, 1, 1, 4, 10, 31]), minutes=st.sampled_from([1, 6, 60]))
    def time_goes_by(self, days, minutes) -> None:
        self.builder.clock.advance(timedelta(days=days, minutes=minutes))

    # What always holds

    @invariant()
    def an_invoice_has_one_undecided_charge(self) -> None:
        if not hasattr(self, "shop"):
            return
        by_invoice: dict[str, list[PaymentIntent]] = {}
        for one in self.payments:
            by_invoice.setdefault(one.invoice, []).append(one)
        for invoice, mine in by_invoice.items():
            live = [one for one in mine if is_live(one) and one.purpose is Purpose.CHARGE]
            assert len(live) <= 1
            assert [one.key for one in mine] == [f"{invoice}:{place + 1}" for place in range(len(mine))]
            assert all(len(self.gateway.debits_of(one.key)) <= 1 for one in mine)


@pytest.mark.proves("PAY-2", "PAY-3")
def test_an_invoice_has_one_undecided_charge_whatever_happens() -> None:
    run_state_machine_as_test(LiveChargeMachine, settings=settings(max_examples=40, stateful_step_count=30))
