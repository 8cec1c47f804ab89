"""One invoice, a gateway that forgets to answer, a customer with bad cards: what is debited, and how often it is tried.

The machine does what a worker does: it records an intent, submits it, asks the gateway, and settles what it hears. It
may die in between; requests and answers get lost, come late, come twice; the customer pays part of it elsewhere, names
other cards and confirms payments; the shop credits the invoice. What is checked after each step:

* under one key money moved once at most, and an invoice has one undecided charge at most;
* a worker knows of no more money than was debited; what was debited beyond what was due is told as an overpayment;
* attempts keep to the plan and to every limit; after a hard decline nothing is tried without a change of method, and
  after a change once.

When all news has come through, every cent that was debited is either paid on the invoice or overpaid.
"""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money, total
from shopaccounts.subscriptions.payments.charging import (
    ActionNeeded,
    Charged,
    ChargeRequest,
    Declined,
    DeclineKind,
    NoAnswer,
)
from shopaccounts.subscriptions.payments.dunning import (
    Retry,
    Stop,
    StopReason,
    attempts_of,
    limit_reached,
    next_attempt,
)
from shopaccounts.subscriptions.payments.intents import (
    IntentReason,
    IntentState,
    PaymentIntent,
    bring_forward,
    drop,
    is_live,
    settle,
    submit,
    time_out,
)
from shopaccounts.subscriptions.policy.dunning import DunningPolicy, RetryPlan
from shopaccounts.testing.gateway import Arrives, Delayed, Lost, ScriptedGateway, Unheard

ISSUED = datetime(2026, 11, 3, 9, tzinfo=UTC)
TOTAL = Money.of(20, "EUR")
NOTHING = Money.zero("EUR")
LEASE = timedelta(minutes=5)
DAY = timedelta(days=1)
SOFT, HARD = Declined(DeclineKind.SOFT, "no_funds"), Declined(DeclineKind.HARD, "stolen")
DECISIONS = (Charged("ok"), SOFT, SOFT, HARD, ActionNeeded("confirm"))
FATES = st.one_of(
    st.sampled_from([kind(decision) for kind in (Arrives, Arrives, Unheard, Delayed) for decision in DECISIONS]),
    st.just(Lost()),
)
POLICIES = st.builds(
    DunningPolicy,
    retries=st.sampled_from(
        [
            DunningPolicy().retries,
            RetryPlan.after_previous([DAY, 2 * DAY, 3 * DAY]),
            RetryPlan.after_first([DAY / 24, DAY / 2, DAY]),
        ]
    ),
    max_attempts=st.sampled_from([3, 5, 15]),
    max_declines=st.sampled_from([2, 4, 8]),
    max_age=st.sampled_from([14 * DAY, 30 * DAY]),
)
ANY = st.integers(0, 50)


class DunningMachine(RuleBasedStateMachine):
    """What the shop has recorded stands in ``intents``; what really happened, in the gateway's own books."""

    @initialize(policy=POLICIES)
    def issues(self, policy) -> None:
        self.policy, self.gateway, self.now = policy, ScriptedGateway(), ISSUED
        self.method, self.changes = "card-0", 0
        self.changed_at: datetime | None = None
        self.elsewhere = self.paid = self.overpaid = NOTHING
        self.is_void = False
        self.stopped: StopReason | None = None
        self.asked_at: dict[str, datetime] = {}
        self.intents: list[PaymentIntent] = []
        self.hard_then: list[tuple[datetime, datetime]] = []
        self.plans_next()

    @property
    def due(self) -> Money:
        return NOTHING if self.is_void else TOTAL - self.elsewhere - self.paid

    @property
    def live(self) -> PaymentIntent | None:
        return next((intent for intent in self.intents if is_live(intent)), None)

    @property
    def history(self):
        return attempts_of(self.intents)

    def replaces(self, intent: PaymentIntent) -> None:
        self.intents[intent.attempt - 1] = intent

    # What the shop does

    def plans_next(self) -> None:
        if self.live or self.due.is_zero:
            return
        step = next_attempt(self.history, self.policy, self.now, method_changed_at=self.changed_at)
        self.stopped = step.reason if isinstance(step, Stop) else None
        if isinstance(step, Retry):
            number = len(self.intents) + 1
            self.intents.append(
                PaymentIntent(
                    id=f"inv:{number}",
                    realm=RealmId("realm"),
                    store=StoreId("store"),
                    invoice="inv",
                    account="acc",
                    attempt=number,
                    reason=step.reason,
                    amount=self.due,
                    method=self.method,
                    due_at=step.at,
                    planned_at=self.now,
                )
            )

    def settles(self, intent: PaymentIntent, found) -> None:
        settlement = settle(intent, found, self.now, self.due)
        self.paid += settlement.paid
        self.overpaid += settlement.overpaid
        self.replaces(settlement.intent)
        if self.due.is_zero and self.live and self.live.state is IntentState.READY:
            self.replaces(drop(self.live, self.now))
        self.plans_next()

    def submits(self, intent: PaymentIntent, *, dies: bool) -> None:
        if intent.reason is not IntentReason.FIRST and limit_reached(self.history, self.policy, self.now):
            self.replaces(drop(intent, self.now))
            self.plans_next()
            return
        sent = submit(intent, self.due, self.now, self.now + LEASE, method=self.method)
        self.replaces(sent)
        if sent.state is IntentState.ABANDONED:
            self.plans_next()
            return
        self.asked_at.setdefault(sent.key, self.now)
        answer = self.gateway.charge(
            ChargeRequest(key=sent.key, amount=sent.amount, method=sent.method, invoice="inv", account="acc")
        )
        if not dies:
            self.settles(sent, answer)

    @rule(dies=st.booleans())
    def a_worker_comes_by(self, dies) -> None:
        intent = self.live
        if intent is None or intent.due_at is None or intent.due_at > self.now:
            return
        match intent.state:
            case IntentState.READY:
                self.submits(intent, dies=dies)
            case IntentState.IN_FLIGHT:
                self.settles(intent, NoAnswer())
            case IntentState.UNKNOWN:
                self.settles(intent, self.gateway.lookup(intent.key))
            case IntentState.NEEDS_ACTION:
                self.replaces(time_out(intent, self.now))
                self.plans_next()

    @rule(which=ANY, twice=st.booleans())
    def a_webhook_comes(self, which, twice) -> None:
        news = list(self.gateway.webhooks())
        if news:
            key, decision = news[which % len(news)]
            for _ in range(2 if twice else 1):
                self.settles(next(intent for intent in self.intents if intent.key == key), decision)

    # What others do

    @rule(fate=FATES)
    def the_next_request_has_a_fate(self, fate) -> None:
        intent = self.live
        if intent is not None and intent.state is IntentState.READY:
            self.gateway.script("inv", intent.attempt, fate)

    @rule(which=ANY)
    def a_request_arrives_at_last(self, which) -> None:
        if self.intents:
            self.gateway.arrive(self.intents[which % len(self.intents)].key)

    @rule(which=ANY, confirms=st.booleans())
    def the_customer_acts(self, which, confirms) -> None:
        if self.intents:
            key = self.intents[which % len(self.intents)].key
            self.gateway.act(key, Charged("confirmed") if confirms else SOFT)

    @rule(down=st.booleans())
    def the_gateway_goes_down_or_up(self, down) -> None:
        self.gateway.is_down = down

    @rule(span=st.one_of(st.timedeltas(timedelta(0), timedelta(hours=2)), st.timedeltas(DAY, 8 * DAY)))
    def time_passes(self, span) -> None:
        self.now += span

    @rule()
    def time_passes_until_something_is_due(self) -> None:
        if self.live is not None and self.live.due_at is not None:
            self.now = max(self.now, self.live.due_at)

    @precondition(lambda self: self.due > Money.of(5, "EUR"))
    @rule()
    def the_customer_pays_a_part_elsewhere(self) -> None:
        self.elsewhere += Money.of(5, "EUR")

    @precondition(lambda self: not self.is_void and self.paid.is_zero and self.changes > 1)
    @rule()
    def the_shop_credits_the_invoice(self) -> None:
        self.is_void = True

    @rule()
    def the_customer_names_another_card(self) -> None:
        self.now += timedelta(seconds=1)
        self.changes += 1
        self.method, self.changed_at = f"card-{self.changes}", self.now
        waiting = self.live
        if waiting is not None and waiting.state is IntentState.READY and waiting.reason is not IntentReason.FIRST:
            self.replaces(bring_forward(waiting, self.method, self.now))
        self.plans_next()

    # What must hold

    @invariant()
    def money_moves_once_under_a_key_and_one_charge_is_undecided(self) -> None:
        assert all(len(self.gateway.debits_of(intent.key)) <= 1 for intent in self.intents)
        assert sum(is_live(intent) for intent in self.intents) <= 1
        assert [intent.key for intent in self.intents] == [f"inv:{place + 1}" for place in range(len(self.intents))]

    @invariant()
    def what_is_known_of_was_debited_and_the_invoice_is_never_overpaid_unsaid(self) -> None:
        debited = total((debit.amount for debit in self.gateway.debits), "EUR")
        assert self.paid + self.overpaid <= debited
        assert self.paid + self.elsewhere <= TOTAL

    @invariant()
    def attempts_keep_to_every_limit(self) -> None:
        history = self.history
        begun = sorted(self.asked_at.values())
        assert len(history) <= self.policy.max_attempts
        assert len(begun) <= self.policy.max_attempts + sum(it.state is IntentState.ABANDONED for it in self.intents)
        failures = [attempt.at for attempt in history if attempt.decline is not None]
        assert len(failures) <= self.policy.max_declines
        if failures:
            assert all(at <= failures[0] + self.policy.max_age for at in begun)

    @invariant()
    def a_new_method_is_tried_once_and_a_hard_decline_is_not_tried_without_one(self) -> None:
        history = self.history
        assert sum(attempt.reason is IntentReason.METHOD_CHANGE for attempt in history) <= self.changes
        methods = {intent.key: intent.method for intent in self.intents if intent.key in self.asked_at}
        stolen = [it for it in self.intents if it.decline is DeclineKind.HARD]
        for intent in stolen:
            later = [key for key in methods if int(key.removeprefix("inv:")) > intent.attempt]
            assert all(methods[key] != intent.method for key in later)

    def teardown(self) -> None:
        if not hasattr(self, "gateway"):
            return
        self.gateway.is_down = False
        for key, decision in (*self.gateway.webhooks(), *self.gateway.webhooks()):
            self.settles(next(intent for intent in self.intents if intent.key == key), decision)
        debited = total((debit.amount for debit in self.gateway.debits), "EUR")
        assert self.paid + self.overpaid == debited
        if debited > TOTAL - self.elsewhere:
            assert self.overpaid > NOTHING


@pytest.mark.proves("PAY-2", "PAY-3", "PAY-4", "DUN-1", "DUN-2", "DUN-3")
def test_money_is_debited_once_and_attempts_keep_to_every_limit() -> None:
    run_state_machine_as_test(DunningMachine, settings=settings(stateful_step_count=40))


def opened(**facts) -> DunningMachine:
    machine = DunningMachine()
    machine.issues(DunningPolicy(**facts))
    return machine


def state_of_the_live_one(machine: DunningMachine) -> IntentState:
    live = machine.live
    assert live is not None
    return live.state


def works(machine: DunningMachine, fate) -> None:
    machine.time_passes_until_something_is_due()
    machine.the_next_request_has_a_fate(fate)
    machine.a_worker_comes_by(dies=False)


def test_the_machine_gets_to_the_end_of_a_plan() -> None:
    machine = opened()
    for _ in range(5):
        works(machine, Arrives(SOFT))
    assert (machine.stopped, len(machine.history)) == (StopReason.PLAN_USED_UP, 5)
    machine.teardown()


def test_the_machine_gets_from_a_hard_decline_to_a_new_card_and_a_payment() -> None:
    machine = opened()
    works(machine, Arrives(HARD))
    assert machine.live is None
    assert machine.stopped is None
    machine.the_customer_names_another_card()
    works(machine, Unheard(Charged("ok")))
    assert state_of_the_live_one(machine) is IntentState.UNKNOWN
    works(machine, Arrives(SOFT))
    assert (machine.due, machine.live, machine.overpaid) == (NOTHING, None, NOTHING)
    machine.teardown()


@pytest.mark.proves("PAY-3")
def test_the_machine_gets_to_two_debits_of_which_one_is_an_overpayment() -> None:
    machine = opened()
    works(machine, Delayed(Charged("late")))
    works(machine, Arrives(SOFT))
    assert state_of_the_live_one(machine) is IntentState.READY
    machine.the_customer_pays_a_part_elsewhere()
    machine.a_worker_comes_by(dies=False)
    works(machine, Arrives(Charged("ok")))
    machine.a_request_arrives_at_last(0)
    assert len(machine.gateway.debits) == 2
    machine.a_webhook_comes(1, twice=True)
    assert (machine.paid, machine.overpaid) == (Money.of(15, "EUR"), TOTAL)
    machine.teardown()


def test_the_machine_gets_to_a_payment_that_its_owner_confirms_and_one_that_nobody_does() -> None:
    for confirms in (True, False):
        machine = opened()
        works(machine, Arrives(ActionNeeded("confirm")))
        assert state_of_the_live_one(machine) is IntentState.NEEDS_ACTION
        if confirms:
            machine.the_customer_acts(0, confirms=True)
            machine.a_webhook_comes(0, twice=False)
            assert machine.due == NOTHING
        else:
            machine.time_passes_until_something_is_due()
            machine.a_worker_comes_by(dies=False)
            assert [attempt.decline for attempt in machine.history] == [DeclineKind.SOFT]
        machine.teardown()


def test_the_machine_survives_a_worker_that_dies() -> None:
    machine = opened()
    machine.a_worker_comes_by(dies=True)
    assert state_of_the_live_one(machine) is IntentState.IN_FLIGHT
    for _ in range(2):
        works(machine, Lost())
    assert machine.due == NOTHING
    assert len(machine.gateway.debits) == 1
    assert attrs.asdict(machine.intents[0])["reference"] == "charge-inv:1"
    machine.teardown()
