"""What becomes of a payment, whatever a gateway says, however often and in whatever order."""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import permutations, product
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import CurrencyMismatch, Money, total
from shopaccounts.serial import dump, load
from shopaccounts.subscriptions.errors import RefundTooLarge, TransitionRefused
from shopaccounts.subscriptions.payments.charging import (
    ActionNeeded,
    Charged,
    Declined,
    DeclineKind,
    Found,
    NeverSeen,
    NoAnswer,
)
from shopaccounts.subscriptions.payments.intents import (
    ACTION_TIMEOUT,
    INTENT,
    INTENTS,
    LIVE,
    LOOK_UP_AFTER,
    IntentReason,
    IntentState,
    IntentTrigger,
    PaymentIntent,
    Purpose,
    advanced,
    bring_forward,
    drop,
    is_live,
    settle,
    step_up,
    submit,
    time_out,
)
from shopaccounts.subscriptions.payments.refunds import RefundPart, refund_parts

NOW = datetime(2026, 11, 3, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANSWER_BY = NOW + timedelta(minutes=5)
S, T = IntentState, IntentTrigger
SOFT = Declined(DeclineKind.SOFT, "insufficient_funds", "Not today.")
HARD = Declined(DeclineKind.HARD, "stolen_card")
CONFIRM = ActionNeeded("confirm")
ANSWERS = (Charged("ref"), SOFT, CONFIRM, NoAnswer(), NeverSeen())

SPECIFIED = {
    S.READY: {T.SUBMITTED: S.IN_FLIGHT, T.DROPPED: S.ABANDONED},
    S.IN_FLIGHT: {
        T.CHARGED: S.SUCCEEDED,
        T.DECLINED: S.DECLINED,
        T.ACTION_NEEDED: S.NEEDS_ACTION,
        T.NO_ANSWER: S.UNKNOWN,
    },
    S.UNKNOWN: {T.FOUND_CHARGED: S.SUCCEEDED, T.FOUND_DECLINED: S.DECLINED, T.NEVER_SEEN: S.READY},
    S.NEEDS_ACTION: {T.CHARGED: S.SUCCEEDED, T.DECLINED: S.DECLINED, T.TIMED_OUT: S.ABANDONED},
    S.SUCCEEDED: {},
    S.DECLINED: {},
    S.ABANDONED: {},
}


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


DUE = eur("20")
NOTHING = eur("0")


def intent(**facts) -> PaymentIntent:
    known: dict[str, Any] = {
        "id": f"inv-1:{facts.get('attempt', 1)}",
        "realm": RealmId("realm"),
        "store": StoreId("store"),
        "invoice": "inv-1",
        "account": "acc-1",
        "subscriptions": ("sub-1",),
        "attempt": 1,
        "amount": DUE,
        "method": "card-1",
        "due_at": NOW,
        "planned_at": NOW,
    }
    return PaymentIntent(**known | facts)


def in_state(state: IntentState, **facts) -> PaymentIntent:
    """An intent that came to a state by what may happen to it."""
    fresh = intent(**facts)
    sent = submit(fresh, DUE, NOW, ANSWER_BY)
    asked: dict[IntentState, Found] = {
        S.SUCCEEDED: Charged("ref"),
        S.DECLINED: SOFT,
        S.NEEDS_ACTION: CONFIRM,
        S.UNKNOWN: NoAnswer(),
    }
    if state in asked:
        return settle(sent, asked[state], NOW, DUE).intent
    return {S.READY: fresh, S.IN_FLIGHT: sent, S.ABANDONED: drop(fresh, NOW)}[state]


# The table


@pytest.mark.proves("PAY-2")
@pytest.mark.parametrize(("state", "trigger"), list(product(S, T)), ids=lambda it: it.value)
def test_each_trigger_leads_where_the_table_says_or_is_refused(state, trigger) -> None:
    if trigger in SPECIFIED[state]:
        assert advanced(state, trigger) is SPECIFIED[state][trigger]
        return
    with pytest.raises(TransitionRefused) as refused:
        advanced(state, trigger)
    assert (refused.value.state, refused.value.trigger) == (state.value, trigger.value)


@pytest.mark.proves("PAY-2")
def test_the_table_has_nothing_else() -> None:
    assert {(state, trigger): to for state, row in SPECIFIED.items() for trigger, to in row.items()} == INTENT


@pytest.mark.proves("PAY-2")
def test_the_docs_draw_the_table_as_it_is() -> None:
    page = Path(__file__).parents[3] / "docs/contexts/subscriptions/payments.md"
    drawn, state = {}, ""
    for line in page.read_text("utf-8").splitlines():
        if arrow := re.match(r"([A-Z_]*) +--([A-Z_]+)--> +([A-Z_]+)", line):
            state = arrow[1] or state
            drawn[S[state], T[arrow[2]]] = S[arrow[3]]
    assert drawn == INTENT


@pytest.mark.proves("PAY-2")
def test_an_intent_is_live_until_it_is_decided_and_its_id_is_its_key() -> None:
    for state in S:
        payment = in_state(state)
        assert is_live(payment) == (state in {S.READY, S.IN_FLIGHT, S.UNKNOWN, S.NEEDS_ACTION}) == (state in LIVE)
        assert payment.key == payment.id == f"{payment.invoice}:{payment.attempt}"


@pytest.mark.proves("PAY-2", "PAY-3")
def test_a_live_intent_is_due_for_work_and_a_decided_one_never_again() -> None:
    assert (timedelta(hours=23), timedelta(minutes=1)) == (ACTION_TIMEOUT, LOOK_UP_AFTER)
    assert INTENTS.due is not None
    due = {state: INTENTS.due(in_state(state)) for state in S}
    assert due == {
        S.READY: NOW,
        S.IN_FLIGHT: ANSWER_BY,
        S.UNKNOWN: NOW + LOOK_UP_AFTER,
        S.NEEDS_ACTION: NOW + ACTION_TIMEOUT,
        S.SUCCEEDED: None,
        S.DECLINED: None,
        S.ABANDONED: None,
    }


@pytest.mark.parametrize("state", S)
def test_an_intent_is_stored_and_read_again_as_it_was(state) -> None:
    payment = in_state(state)
    assert load(PaymentIntent, dump(payment)) == payment


def test_what_a_gateway_said_in_words_is_not_stored() -> None:
    assert "Not today" not in dump(in_state(S.DECLINED))


# Submitting


@pytest.mark.proves("PAY-4")
def test_what_is_charged_is_what_is_due_when_the_gateway_is_asked() -> None:
    sent = submit(intent(), eur("13.50"), NOW, ANSWER_BY)
    assert (sent.state, sent.amount, sent.submitted_at) == (S.IN_FLIGHT, eur("13.50"), NOW)


@pytest.mark.proves("PAY-4", "PAY-2")
def test_nothing_is_charged_where_nothing_is_due_any_more() -> None:
    dropped = submit(intent(), NOTHING, NOW, ANSWER_BY)
    assert (dropped.state, dropped.submitted_at, dropped.due_at) == (S.ABANDONED, None, None)


def test_a_debt_in_another_currency_is_no_amount_of_this_invoice() -> None:
    with pytest.raises(CurrencyMismatch):
        settle(in_state(S.IN_FLIGHT), Charged(), NOW, Money.of("20", "USD"))


@pytest.mark.proves("PAY-3", "PAY-2")
def test_a_request_that_nobody_saw_is_made_again_under_its_key() -> None:
    ready = settle(in_state(S.UNKNOWN), NeverSeen(), LATER, DUE).intent
    assert (ready.state, ready.due_at) == (S.READY, LATER)
    again = submit(ready, DUE, LATER, ANSWER_BY)
    assert (again.state, again.key, again.submitted_at) == (S.IN_FLIGHT, "inv-1:1", NOW)


@pytest.mark.proves("PAY-2", "PAY-4")
@pytest.mark.parametrize(("due", "method"), [(eur("5"), "card-1"), (DUE, "card-2")], ids=["amount", "method"])
def test_a_key_that_the_gateway_may_know_never_stands_for_something_else(due, method) -> None:
    ready = settle(in_state(S.UNKNOWN), NeverSeen(), LATER, DUE).intent
    given_up = submit(ready, due, LATER, ANSWER_BY, method=method)
    assert (given_up.state, given_up.amount, given_up.method) == (S.ABANDONED, DUE, "card-1")


def test_what_is_asked_for_the_first_time_is_asked_of_the_method_that_pays_now() -> None:
    assert submit(intent(), DUE, NOW, ANSWER_BY, method="card-2").method == "card-2"


def test_only_what_is_ready_is_submitted_dropped_or_brought_forward() -> None:
    for state in set(S) - {S.READY}:
        for act in (
            lambda it: submit(it, DUE, NOW, ANSWER_BY),
            lambda it: drop(it, NOW),
            lambda it: bring_forward(it, "card-2", NOW),
        ):
            with pytest.raises(TransitionRefused):
                act(in_state(state))


@pytest.mark.proves("DUN-3")
def test_a_retry_that_waits_is_brought_forward_with_the_new_method() -> None:
    waiting = intent(due_at=LATER, reason=IntentReason.PLANNED, attempt=3)
    now_due = bring_forward(waiting, "card-2", NOW)
    assert (now_due.due_at, now_due.method, now_due.reason) == (NOW, "card-2", IntentReason.METHOD_CHANGE)
    assert now_due.key == waiting.key


@pytest.mark.proves("DUN-3", "PAY-2")
def test_a_request_under_way_keeps_its_method_until_it_is_known_what_became_of_it() -> None:
    ready = settle(in_state(S.UNKNOWN), NeverSeen(), LATER, DUE).intent
    assert bring_forward(ready, "card-2", LATER) == ready


# What a gateway says


@pytest.mark.proves("PAY-3")
def test_no_answer_is_never_a_decline() -> None:
    unknown = settle(in_state(S.IN_FLIGHT), NoAnswer(), LATER, DUE).intent
    assert (unknown.state, unknown.decline, unknown.due_at) == (S.UNKNOWN, None, LATER + LOOK_UP_AFTER)
    still = settle(unknown, NoAnswer(), LATER + LOOK_UP_AFTER, DUE)
    assert still.changed
    assert (still.intent.state, still.intent.due_at) == (S.UNKNOWN, LATER + 2 * LOOK_UP_AFTER)


@pytest.mark.proves("PAY-3")
@pytest.mark.parametrize("state", [S.READY, S.IN_FLIGHT, S.UNKNOWN, S.NEEDS_ACTION])
def test_a_success_settles_what_is_undecided_in_whatever_state_the_news_finds_it(state) -> None:
    settlement = settle(in_state(state), Charged("ref"), LATER, DUE)
    assert settlement.changed
    assert (settlement.paid, settlement.overpaid, settlement.refunded) == (DUE, NOTHING, NOTHING)
    assert (settlement.intent.state, settlement.intent.settled_at) == (S.SUCCEEDED, LATER)
    assert (settlement.intent.reference, settlement.intent.paid) == ("ref", DUE)


@pytest.mark.proves("PAY-3")
@pytest.mark.parametrize("state", [S.READY, S.IN_FLIGHT, S.UNKNOWN, S.NEEDS_ACTION])
def test_a_decline_settles_what_is_undecided_and_is_remembered(state) -> None:
    settlement = settle(in_state(state), HARD, LATER, DUE)
    assert (settlement.paid, settlement.overpaid) == (NOTHING, NOTHING)
    declined = settlement.intent
    assert (declined.state, declined.decline, declined.code) == (S.DECLINED, DeclineKind.HARD, "stolen_card")


@pytest.mark.parametrize("state", [S.READY, S.IN_FLIGHT, S.UNKNOWN])
def test_a_payment_that_needs_its_owner_waits_for_them(state) -> None:
    waiting = settle(in_state(state), CONFIRM, LATER, DUE).intent
    assert (waiting.state, waiting.action, waiting.due_at) == (S.NEEDS_ACTION, "confirm", LATER + ACTION_TIMEOUT)


@pytest.mark.proves("PAY-2", "DUN-3")
def test_an_owner_who_does_nothing_counts_as_a_soft_decline() -> None:
    given_up = time_out(in_state(S.NEEDS_ACTION), LATER)
    assert (given_up.state, given_up.decline, given_up.settled_at) == (S.ABANDONED, DeclineKind.SOFT, LATER)
    assert (given_up.code, given_up.due_at) == ("action_timed_out", None)
    for state in set(S) - {S.NEEDS_ACTION}:
        with pytest.raises(TransitionRefused):
            time_out(in_state(state), LATER)


@pytest.mark.proves("PAY-3")
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_a_success_is_final(answer) -> None:
    done = in_state(S.SUCCEEDED)
    settlement = settle(done, answer, LATER, NOTHING)
    assert not settlement.changed
    assert settlement.intent == done
    assert (settlement.paid, settlement.overpaid) == (NOTHING, NOTHING)


@pytest.mark.proves("PAY-3")
@pytest.mark.parametrize("state", [S.ABANDONED, S.DECLINED])
@pytest.mark.parametrize("due", [DUE, NOTHING], ids=["still owed", "settled"])
def test_a_success_after_the_end_is_an_overpayment_once(state, due) -> None:
    over = in_state(state)
    late = settle(over, Charged("ref"), LATER, due)
    assert (late.paid, late.overpaid, late.changed) == (NOTHING, DUE, True)
    assert (late.intent.state, late.intent.late_at, late.intent.reference) == (state, LATER, "ref")
    again = settle(late.intent, Charged("ref"), LATER, due)
    assert (again.overpaid, again.changed) == (NOTHING, False)


@pytest.mark.proves("PAY-3")
def test_a_success_of_a_timed_out_payment_is_an_overpayment() -> None:
    late = settle(time_out(in_state(S.NEEDS_ACTION), NOW), Charged("ref"), LATER, DUE)
    assert late.overpaid == DUE


@pytest.mark.proves("PAY-3")
@pytest.mark.parametrize("due", ["0", "4.99"])
def test_a_success_after_another_success_pays_what_is_still_due_and_overpays_the_rest(due) -> None:
    settlement = settle(in_state(S.UNKNOWN), Charged("ref"), LATER, eur(due))
    assert settlement.paid == settlement.intent.paid == eur(due)
    assert settlement.overpaid == DUE - eur(due)


@pytest.mark.proves("PAY-3")
@pytest.mark.parametrize("state", [S.ABANDONED, S.DECLINED])
@pytest.mark.parametrize("answer", ANSWERS[1:], ids=lambda answer: type(answer).__name__)
def test_other_news_after_the_end_changes_nothing(state, answer) -> None:
    over = in_state(state)
    assert settle(over, answer, LATER, DUE).intent == over
    assert not settle(over, answer, LATER, DUE).changed


@pytest.mark.parametrize("state", [S.READY, S.IN_FLIGHT, S.NEEDS_ACTION])
def test_that_a_key_was_never_seen_says_nothing_about_a_payment_that_nobody_looked_for(state) -> None:
    assert not settle(in_state(state), NeverSeen(), LATER, DUE).changed


def test_that_nobody_answered_is_no_news_unless_somebody_waits_for_an_answer() -> None:
    for state in set(S) - {S.IN_FLIGHT, S.UNKNOWN}:
        assert not settle(in_state(state), NoAnswer(), LATER, DUE).changed


def told(state: IntentState, news) -> tuple[PaymentIntent, Money]:
    payment, taken, due = in_state(state), NOTHING, DUE
    for item in news:
        settlement = settle(payment, item, LATER, due)
        payment, taken, due = (
            settlement.intent,
            taken + settlement.paid + settlement.overpaid,
            due - settlement.paid,
        )
    return payment, taken


@pytest.mark.proves("PAY-3")
@pytest.mark.parametrize("state", [S.READY, S.IN_FLIGHT, S.UNKNOWN, S.NEEDS_ACTION, S.ABANDONED])
def test_news_in_any_order_and_twice_takes_the_money_once(state) -> None:
    for order in permutations([Charged("ref"), SOFT, CONFIRM, NoAnswer(), NeverSeen()]):
        for news in (order, (*order, *order), (*order, *reversed(order))):
            payment, taken = told(state, news)
            assert taken == DUE
            assert payment.has_moved_money


@pytest.mark.proves("PAY-3")
@given(state=st.sampled_from(S), news=st.lists(st.sampled_from(ANSWERS), max_size=8))
def test_what_is_told_twice_counts_once(state, news) -> None:
    payment, taken = told(state, news)
    twice = [item for item in news for _ in range(2)]
    again, taken_again = told(state, [*twice, *twice])
    assert taken_again >= taken
    assert taken_again <= DUE
    assert payment.key == again.key
    if state is S.SUCCEEDED:
        assert payment == again


# Refunds


def charge(attempt: int, paid: str, **facts) -> PaymentIntent:
    sent = submit(intent(attempt=attempt), eur(paid), NOW, ANSWER_BY)
    return attrs.evolve(settle(sent, Charged(f"ref-{attempt}"), NOW, eur(paid)).intent, **facts)


def refund(attempt: int, of: PaymentIntent, amount: str) -> PaymentIntent:
    return intent(attempt=attempt, purpose=Purpose.REFUND, amount=eur(amount), refund_of=of.key)


@pytest.mark.proves("PAY-4")
def test_a_refund_goes_back_to_the_newest_charge_first() -> None:
    charges = [charge(1, "8"), charge(2, "12")]
    assert refund_parts(eur("5"), charges) == (RefundPart("inv-1:2", eur("5")),)
    assert refund_parts(eur("15"), charges) == (RefundPart("inv-1:2", eur("12")), RefundPart("inv-1:1", eur("3")))


@pytest.mark.proves("PAY-4")
def test_refunds_are_never_more_than_what_was_paid() -> None:
    paid = charge(1, "20")
    under_way = refund(2, paid, "5")
    done = settle(submit(refund(3, paid, "6"), NOTHING, NOW, ANSWER_BY), Charged(), NOW, NOTHING).intent
    assert refund_parts(eur("9"), [paid, under_way, done]) == (RefundPart("inv-1:1", eur("9")),)
    with pytest.raises(RefundTooLarge) as too_large:
        refund_parts(eur("9.01"), [paid, under_way, done])
    assert too_large.value.refundable == eur("9")


@pytest.mark.proves("PAY-4")
def test_a_refund_that_failed_can_be_asked_for_again_and_one_that_succeeded_late_counts() -> None:
    paid = charge(1, "20")
    failed = settle(submit(refund(2, paid, "20"), NOTHING, NOW, ANSWER_BY), HARD, NOW, NOTHING).intent
    assert refund_parts(eur("20"), [paid, failed])
    late = settle(failed, Charged(), LATER, NOTHING)
    assert (late.refunded, late.overpaid, late.paid) == (eur("20"), NOTHING, NOTHING)
    with pytest.raises(RefundTooLarge):
        refund_parts(eur("0.01"), [paid, late.intent])


@pytest.mark.proves("PAY-4")
def test_what_was_overpaid_or_never_charged_is_not_refunded_with_the_invoice() -> None:
    overpaid = settle(in_state(S.IN_FLIGHT), Charged(), NOW, eur("15")).intent
    assert refund_parts(eur("15"), [overpaid])
    for intents in ([overpaid], [in_state(S.DECLINED)], [in_state(S.IN_FLIGHT)], []):
        with pytest.raises(RefundTooLarge):
            refund_parts(eur("15.01"), intents)


@pytest.mark.proves("PAY-4")
def test_a_refund_is_an_intent_of_the_amount_that_was_decided_on() -> None:
    sent = submit(refund(2, charge(1, "20"), "7"), NOTHING, NOW, ANSWER_BY)
    assert (sent.state, sent.amount, sent.key) == (S.IN_FLIGHT, eur("7"), "inv-1:2")
    settlement = settle(sent, Charged("back"), LATER, NOTHING)
    assert (settlement.refunded, settlement.paid, settlement.overpaid) == (eur("7"), NOTHING, NOTHING)
    assert settlement.intent.paid is None
    assert not settle(settlement.intent, Charged("back"), LATER, NOTHING).changed


@pytest.mark.parametrize("wanted", ["0", "-1"])
def test_a_refund_is_more_than_nothing(wanted) -> None:
    with pytest.raises(InvalidInput):
        refund_parts(eur(wanted), [charge(1, "20")])


@pytest.mark.proves("PAY-4")
@given(
    paid=st.lists(st.integers(1, 5000), min_size=1, max_size=4),
    wanted=st.lists(st.integers(1, 4000), max_size=8),
)
def test_refunds_one_after_another_add_up_to_no_more_than_was_paid(paid, wanted) -> None:
    intents = [charge(number, str(eur("0.01") * cents)[:-4]) for number, cents in enumerate(paid, 1)]
    for cents in wanted:
        amount = eur("0.01") * cents
        try:
            parts = refund_parts(amount, intents)
        except RefundTooLarge as too_large:
            assert amount > too_large.refundable  # noqa: PT017  (both ways are right, each at its time)
            continue
        assert total((part.amount for part in parts), "EUR") == amount
        intents += [
            intent(attempt=len(intents) + 1, purpose=Purpose.REFUND, refund_of=part.charge, amount=part.amount)
            for part in parts
        ]
    back = total((it.amount for it in intents if it.purpose is Purpose.REFUND), "EUR")
    assert back <= eur("0.01") * sum(paid)


# Laws about confirming

IN_FORCE = date(2026, 11, 3)


@pytest.mark.proves("PAY-6")
def test_above_the_limit_of_a_law_a_charge_waits_for_the_customer_instead_of_being_made() -> None:
    needed = step_up(Money.of("15000.01", "INR"), "IN", IN_FORCE, customer_present=False)
    assert needed == ActionNeeded("confirm")
    sent = submit(intent(amount=Money.of(1, "INR")), Money.of("15000.01", "INR"), NOW, ANSWER_BY)
    waiting = settle(sent, needed, NOW, sent.amount).intent
    assert (waiting.state, waiting.action) == (S.NEEDS_ACTION, "confirm")


@pytest.mark.proves("PAY-6")
@pytest.mark.parametrize(
    ("amount", "place", "on", "present"),
    [
        (Money.of(15_000, "INR"), "IN", IN_FORCE, False),
        (Money.of(20_000, "INR"), "IN", IN_FORCE, True),
        (Money.of(20_000, "INR"), "DE", IN_FORCE, False),
        (Money.of(20_000, "INR"), "", IN_FORCE, False),
        (Money.of(20_000, "EUR"), "IN", IN_FORCE, False),
        (Money.of(20_000, "INR"), "IN", date(2022, 6, 15), False),
    ],
    ids=["at the limit", "customer present", "elsewhere", "place unknown", "other currency", "before the law"],
)
def test_otherwise_the_gateway_is_asked(amount, place, on, present) -> None:
    assert step_up(amount, place, on, customer_present=present) is None
