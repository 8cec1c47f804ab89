"""What follows a failed payment: the next attempt, the letters, the end of it all."""

from datetime import UTC, datetime, time, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.payments.charging import ActionNeeded, Charged, Declined, DeclineKind
from shopaccounts.subscriptions.payments.debts import (
    Debt,
    Exhaustion,
    Recovery,
    WaitForInvoice,
    exhaustion,
    held_back,
    method_change,
    overdue,
    recovery,
    tried_together,
)
from shopaccounts.subscriptions.payments.dunning import (
    Attempt,
    DunningLetter,
    Letter,
    Retry,
    Stop,
    StopReason,
    WaitForMethod,
    attempts_of,
    first_failure,
    grace_ends,
    letter_after,
    limit_reached,
    next_attempt,
    planned_retries,
)
from shopaccounts.subscriptions.payments.intents import (
    IntentReason,
    IntentState,
    PaymentIntent,
    Purpose,
    drop,
    settle,
    submit,
    time_out,
)
from shopaccounts.subscriptions.policy.dunning import DunningPolicy, OnExhausted, OnMethodChange, RetryPlan
from shopaccounts.subscriptions.states import Collection, Lifecycle, Trigger

SOFT, HARD, ACTION = DeclineKind.SOFT, DeclineKind.HARD, DeclineKind.ACTION
FIRST, PLANNED, CHANGE = IntentReason.FIRST, IntentReason.PLANNED, IntentReason.METHOD_CHANGE
DAY = timedelta(days=1)
FAILED = datetime(2026, 11, 3, 9, tzinfo=UTC)
GAPS = DunningPolicy(retries=RetryPlan.after_previous([DAY, 3 * DAY, 5 * DAY]))
OFFSETS = DunningPolicy(retries=RetryPlan.after_first([DAY, 3 * DAY, 5 * DAY]))
BOTH = pytest.mark.parametrize("policy", [GAPS, OFFSETS], ids=["gaps", "offsets"])


def nov(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def failed(day: int, kind: DeclineKind = SOFT, reason: IntentReason = PLANNED, hour: int = 9) -> Attempt:
    return Attempt(at=nov(day, hour), decline=kind, reason=reason)


def paid(day: int, reason: IntentReason = PLANNED) -> Attempt:
    return Attempt(at=nov(day), decline=None, reason=reason)


SOFTLY = failed(3, reason=FIRST)
FOR_GOOD = failed(3, HARD, FIRST)


# The plan


def test_what_was_never_tried_is_tried_at_once() -> None:
    assert next_attempt((), GAPS, FAILED) == Retry(FAILED, FIRST)
    assert first_failure(()) is None


@pytest.mark.proves("DUN-1")
@BOTH
@pytest.mark.parametrize("kind", [SOFT, ACTION])
def test_each_failure_leads_to_the_next_planned_retry_until_the_plan_is_used_up(policy, kind) -> None:
    history = [failed(3, kind, FIRST)]
    for planned in planned_retries(policy.retries, FAILED):
        assert next_attempt(history, policy, history[-1].at) == Retry(planned)
        history.append(Attempt(at=planned, decline=kind))
    assert next_attempt(history, policy, history[-1].at) == Stop(StopReason.PLAN_USED_UP)


@pytest.mark.proves("DUN-1")
def test_of_offsets_that_were_missed_one_is_made_up_at_once_and_the_plan_goes_on() -> None:
    assert next_attempt([SOFTLY], OFFSETS, nov(7)) == Retry(nov(7))
    assert next_attempt([SOFTLY, failed(7)], OFFSETS, nov(7)) == Retry(nov(8))
    assert next_attempt([SOFTLY, failed(7), failed(8)], OFFSETS, nov(8)) == Stop(StopReason.PLAN_USED_UP)
    assert next_attempt([SOFTLY], OFFSETS, nov(20)) == Retry(nov(20))
    assert next_attempt([SOFTLY, failed(20)], OFFSETS, nov(20)) == Stop(StopReason.PLAN_USED_UP)


@pytest.mark.proves("DUN-1")
def test_of_gaps_that_were_missed_one_is_made_up_at_once_and_the_next_counts_from_it() -> None:
    assert next_attempt([SOFTLY], GAPS, nov(8)) == Retry(nov(8))
    assert next_attempt([SOFTLY, failed(8)], GAPS, nov(8)) == Retry(nov(11))
    assert next_attempt([SOFTLY, failed(8), failed(11)], GAPS, nov(11)) == Retry(nov(16))


@pytest.mark.proves("DUN-1")
def test_a_retry_waits_for_its_wall_time_and_one_that_was_missed_for_nothing() -> None:
    plan = RetryPlan.after_previous([DAY, DAY], at_local_time=time(18))
    policy, berlin = DunningPolicy(retries=plan), zone("Europe/Berlin")
    assert next_attempt([SOFTLY], policy, nov(3), zone=berlin) == Retry(nov(4, 17))
    assert next_attempt([SOFTLY], policy, nov(6), zone=berlin) == Retry(nov(6))


@pytest.mark.proves("DUN-1")
def test_an_offset_that_passed_while_an_answer_was_awaited_is_not_made_up() -> None:
    found_declined = Attempt(at=nov(6, 10), begun_at=nov(4), decline=SOFT)
    assert next_attempt([SOFTLY, found_declined], OFFSETS, nov(6, 10)) == Retry(nov(8))


# Limits


@pytest.mark.proves("DUN-2")
def test_it_stops_after_so_many_declines() -> None:
    policy = attrs.evolve(GAPS, max_declines=2)
    assert next_attempt([SOFTLY], policy, nov(3)) == Retry(nov(4))
    assert next_attempt([SOFTLY, failed(4)], policy, nov(4)) == Stop(StopReason.MAX_DECLINES)


@pytest.mark.proves("DUN-2")
def test_it_stops_after_so_many_attempts_however_they_ended() -> None:
    policy = attrs.evolve(GAPS, max_attempts=3)
    assert next_attempt([SOFTLY, failed(4)], policy, nov(4)) == Retry(nov(7))
    assert next_attempt([SOFTLY, paid(4), failed(5)], policy, nov(5)) == Stop(StopReason.MAX_ATTEMPTS)


@pytest.mark.proves("DUN-2")
def test_no_retry_lies_beyond_the_greatest_age_since_the_first_failure() -> None:
    policy = attrs.evolve(GAPS, max_age=9 * DAY)
    assert next_attempt([SOFTLY, failed(4), failed(7)], policy, nov(7)) == Retry(nov(12))
    assert next_attempt([SOFTLY, failed(4), failed(7, hour=10)], policy, nov(7, 10)) == Stop(StopReason.MAX_AGE)
    assert next_attempt([SOFTLY, failed(4), failed(7)], policy, nov(12, 10)) == Stop(StopReason.MAX_AGE)


@pytest.mark.proves("DUN-2")
def test_age_declines_and_plan_begin_anew_after_a_success() -> None:
    policy = attrs.evolve(OFFSETS, max_age=5 * DAY, max_declines=2)
    history = [SOFTLY, paid(4), failed(20)]
    assert first_failure(history) == nov(20)
    assert next_attempt(history, policy, nov(20)) == Retry(nov(21))
    gaps = attrs.evolve(GAPS, max_declines=3)
    assert next_attempt([SOFTLY, failed(4), paid(7), failed(20)], gaps, nov(20)) == Retry(nov(21))


@pytest.mark.proves("DUN-2")
def test_a_retry_that_was_planned_in_time_is_not_made_too_late() -> None:
    assert limit_reached([SOFTLY], OFFSETS, FAILED + 30 * DAY) is None
    assert limit_reached([SOFTLY], OFFSETS, FAILED + 30 * DAY + timedelta(seconds=1)) is StopReason.MAX_AGE
    assert limit_reached([], OFFSETS, FAILED) is None


@pytest.mark.proves("DUN-10")
@BOTH
def test_after_a_success_nothing_is_tried_by_itself_though_the_bank_takes_it_back(policy) -> None:
    for history in ([paid(3, FIRST)], [SOFTLY, failed(4), paid(7)]):
        for days in (0, 1, 100):
            assert next_attempt(history, policy, nov(7) + days * DAY) == Stop(StopReason.SUCCEEDED)


# Hard declines and new payment methods


@pytest.mark.proves("DUN-3")
@BOTH
def test_after_a_hard_decline_nothing_is_tried_until_the_method_changes(policy) -> None:
    for now in (nov(3), nov(4), FAILED + 30 * DAY - timedelta(seconds=1)):
        assert next_attempt([FOR_GOOD], policy, now) == WaitForMethod(FAILED + 30 * DAY)
    assert next_attempt([SOFTLY, failed(4, HARD)], policy, nov(4)) == WaitForMethod(FAILED + 30 * DAY)


@pytest.mark.proves("DUN-3", "DUN-6")
@BOTH
def test_who_names_no_other_method_is_given_up_at_the_greatest_age(policy) -> None:
    assert next_attempt([FOR_GOOD], policy, FAILED + 30 * DAY) == Stop(StopReason.MAX_AGE)
    assert next_attempt([FOR_GOOD], policy, FAILED + 40 * DAY) == Stop(StopReason.MAX_AGE)


@pytest.mark.proves("DUN-3")
@BOTH
@pytest.mark.parametrize("before", [SOFTLY, FOR_GOOD], ids=["soft", "hard"])
def test_a_new_method_is_tried_once_and_at_once(policy, before) -> None:
    assert next_attempt([before], policy, nov(5), method_changed_at=nov(5)) == Retry(nov(5), CHANGE)
    tried = [before, failed(5, HARD, CHANGE)]
    assert next_attempt(tried, policy, nov(5), method_changed_at=nov(5)) == WaitForMethod(FAILED + 30 * DAY)
    tried = [before, failed(5, SOFT, CHANGE)]
    assert next_attempt(tried, policy, nov(5), method_changed_at=nov(5)) != Retry(nov(5), CHANGE)
    assert next_attempt(tried, policy, nov(6), method_changed_at=nov(6)) == Retry(nov(6), CHANGE)


@pytest.mark.proves("DUN-3")
def test_an_old_change_of_method_says_nothing_about_what_failed_with_it() -> None:
    assert next_attempt([FOR_GOOD], GAPS, nov(5), method_changed_at=nov(1)) == WaitForMethod(FAILED + 30 * DAY)
    assert next_attempt([SOFTLY], GAPS, nov(3), method_changed_at=nov(1)) == Retry(nov(4))


@pytest.mark.proves("DUN-3")
def test_a_method_that_changed_while_the_old_one_was_being_asked_is_tried() -> None:
    asked_before = Attempt(at=nov(5), begun_at=nov(3), decline=HARD, reason=FIRST)
    assert next_attempt([asked_before], GAPS, nov(5), method_changed_at=nov(4)) == Retry(nov(5), CHANGE)


@pytest.mark.proves("DUN-3")
@pytest.mark.parametrize("before", [SOFTLY, FOR_GOOD], ids=["soft", "hard"])
def test_after_a_new_method_failed_softly_the_rest_of_the_plan_goes_on(before) -> None:
    history = [before, failed(5, SOFT, CHANGE)]
    assert next_attempt(history, OFFSETS, nov(5)) == Retry(nov(6))
    assert next_attempt([*history, failed(6)], OFFSETS, nov(6)) == Retry(nov(8))
    assert next_attempt(history, GAPS, nov(5)) == Retry(nov(6))
    assert next_attempt([*history, failed(6)], GAPS, nov(6)) == Retry(nov(9))


@pytest.mark.proves("DUN-3")
def test_a_new_method_that_failed_eats_no_planned_retry() -> None:
    history = [SOFTLY, failed(3, SOFT, CHANGE, hour=12), failed(3, SOFT, CHANGE, hour=15)]
    assert next_attempt(history, OFFSETS, nov(3, 15)) == Retry(nov(4))
    assert next_attempt(history, GAPS, nov(3, 15)) == Retry(nov(4, 15))
    assert next_attempt([*history, failed(4)], OFFSETS, nov(4)) == Retry(nov(6))


@pytest.mark.proves("DUN-2", "DUN-3")
def test_limits_hold_for_new_methods_too() -> None:
    declined = attrs.evolve(GAPS, max_declines=1)
    tired = attrs.evolve(GAPS, max_attempts=1)
    for policy, now, reason in [
        (declined, nov(5), StopReason.MAX_DECLINES),
        (tired, nov(5), StopReason.MAX_ATTEMPTS),
        (GAPS, FAILED + 31 * DAY, StopReason.MAX_AGE),
    ]:
        assert next_attempt([FOR_GOOD], policy, now, method_changed_at=now) == Stop(reason)


kinds = st.sampled_from([SOFT, HARD, ACTION])
policies = st.builds(
    DunningPolicy,
    retries=st.sampled_from([GAPS.retries, OFFSETS.retries, RetryPlan.after_first(()), DunningPolicy().retries]),
    max_attempts=st.integers(1, 6),
    max_declines=st.integers(1, 6),
    max_age=st.sampled_from([14 * DAY, 20 * DAY]),
)


@pytest.mark.proves("DUN-1", "DUN-2", "DUN-3")
@given(policy=policies, moves=st.lists(st.tuples(kinds, st.booleans(), st.timedeltas(timedelta(0), 4 * DAY))))
def test_whatever_happens_attempts_keep_to_every_limit(policy, moves) -> None:
    now, changes = FAILED, 0
    changed_at: datetime | None = None
    history: list[Attempt] = []
    for kind, changes_method, late in moves:
        now += late
        if changes_method:
            changed_at, changes = now, changes + 1
        step = next_attempt(history, policy, now, method_changed_at=changed_at)
        if isinstance(step, Stop):
            break
        if isinstance(step, WaitForMethod):
            assert history[-1].decline is HARD
            continue
        assert step.at >= now
        if history and history[-1].decline is HARD:
            assert step.reason is CHANGE
        now = step.at
        history.append(Attempt(at=now, decline=kind, reason=step.reason))
    assert sum(attempt.reason is CHANGE for attempt in history) <= changes
    assert sum(attempt.reason is PLANNED for attempt in history) <= len(policy.retries.waits)
    assert len(history) <= min(policy.max_attempts, policy.max_declines)
    assert all(attempt.at <= history[0].at + policy.max_age for attempt in history)


# What was tried


def charge(number: int, **facts) -> PaymentIntent:
    return PaymentIntent(
        id=f"int-{number}",
        realm=RealmId("realm"),
        store=StoreId("store"),
        invoice="inv-1",
        account="acc-1",
        attempt=number,
        amount=Money.of(20, "EUR"),
        method="card",
        due_at=nov(3),
        planned_at=nov(3),
        **facts,
    )


def asked(intent: PaymentIntent, begun: datetime) -> PaymentIntent:
    return submit(intent, Money.of(20, "EUR"), begun, begun + timedelta(minutes=5))


@pytest.mark.proves("DUN-2", "DUN-3", "PAY-2")
def test_attempts_are_the_charges_that_were_decided() -> None:
    due = Money.of(20, "EUR")
    declined = settle(asked(charge(1), nov(3)), Declined(HARD, "x"), nov(3, 10), due).intent
    silent = time_out(settle(asked(charge(2, reason=CHANGE), nov(4)), ActionNeeded("x"), nov(4), due).intent, nov(5))
    dropped = drop(charge(3, reason=PLANNED), nov(5))
    charged = settle(asked(charge(4, reason=PLANNED), nov(6)), Charged(), nov(6, 10), due).intent
    refund = settle(asked(charge(5, purpose=Purpose.REFUND), nov(7)), Declined(SOFT), nov(7), due).intent
    undecided = asked(charge(6, reason=PLANNED), nov(8))
    assert attempts_of([undecided, refund, charged, dropped, silent, declined]) == (
        Attempt(at=nov(3, 10), begun_at=nov(3), decline=HARD, reason=FIRST),
        Attempt(at=nov(5), begun_at=nov(4), decline=SOFT, reason=CHANGE),
        Attempt(at=nov(6, 10), begun_at=nov(6), decline=None, reason=PLANNED),
    )
    assert charged.state is IntentState.SUCCEEDED


# Several invoices and one new method


def debt(invoice: str, cents: int = 1000, month: int = 11, *attempts: Attempt, currency: str = "EUR") -> Debt:
    """An invoice for a month of 2026, due on its first day."""
    starts = datetime(2026, month, 1, tzinfo=UTC)
    return Debt(
        invoice=invoice,
        due=Money(cents, currency),
        overdue_from=starts + DAY,
        starts=starts,
        ends=datetime(2026, month + 1, 1, tzinfo=UTC),
        attempts=attempts,
    )


OLD, MIDDLE, CURRENT = (debt(name, 1000, month) for name, month in [("sep", 9), ("oct", 10), ("nov", 11)])
PILE = (CURRENT, OLD, MIDDLE)
ALL_OF_IT = Money.of(30, "EUR")


def tried(debts, choice: OnMethodChange = OnMethodChange.ALL, agreed: Money | None = None, now: datetime = FAILED):
    answer = method_change(debts, DunningPolicy(on_method_change=choice), now, agreed_total=agreed)
    names = [one.invoice for one in answer.tried]
    assert sorted(names + [one.invoice for one in answer.left]) == sorted(one.invoice for one in debts)
    return names


@pytest.mark.proves("DUN-4")
def test_a_pile_of_invoices_is_tried_only_for_the_total_that_was_agreed_to() -> None:
    assert method_change(PILE, DunningPolicy(), FAILED).total == ALL_OF_IT
    assert tried(PILE, agreed=ALL_OF_IT) == ["sep", "oct", "nov"]
    for agreed in (None, Money.of("29.99", "EUR"), Money.of("30.01", "EUR"), Money.of(30, "USD")):
        assert tried(PILE, agreed=agreed) == ["nov"]


@pytest.mark.proves("DUN-4")
def test_without_an_agreed_total_the_oldest_is_tried_where_no_period_runs() -> None:
    assert tried(PILE, now=datetime(2027, 2, 1, tzinfo=UTC)) == ["sep"]
    assert tried([CURRENT]) == ["nov"]
    assert tried([OLD]) == ["sep"]
    assert tried([]) == []


@pytest.mark.proves("DUN-4")
@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (OnMethodChange.CURRENT, ["nov"]),
        (OnMethodChange.OLDEST, ["sep"]),
        (OnMethodChange.NONE, []),
    ],
)
def test_a_shop_may_choose_which_one_is_tried(choice, expected) -> None:
    assert tried(PILE, choice, ALL_OF_IT) == expected
    if choice is OnMethodChange.CURRENT:
        assert tried(PILE, choice, now=datetime(2027, 2, 1, tzinfo=UTC)) == []


@pytest.mark.proves("DUN-4")
def test_the_running_period_begins_with_its_first_instant_and_is_over_with_its_last() -> None:
    assert tried(PILE, OnMethodChange.CURRENT, now=CURRENT.starts) == ["nov"]
    assert tried(PILE, OnMethodChange.CURRENT, now=CURRENT.starts - timedelta(microseconds=1)) == ["oct"]
    assert tried(PILE, OnMethodChange.CURRENT, now=CURRENT.ends) == []


@pytest.mark.proves("DUN-4")
def test_amounts_of_two_currencies_have_no_total_to_agree_to() -> None:
    debts = (OLD, attrs.evolve(CURRENT, due=Money.of(10, "USD")))
    assert method_change(debts, DunningPolicy(), FAILED).total is None
    assert tried(debts, agreed=Money.of(20, "EUR")) == ["nov"]


@pytest.mark.proves("DUN-4", "DUN-2")
def test_an_invoice_whose_limits_are_reached_is_named_and_not_tried() -> None:
    worn_out = debt("nov", 1000, 11, *[failed(3)] * 8)
    answer = method_change((OLD, worn_out), DunningPolicy(), FAILED)
    assert (answer.tried, answer.left, answer.total) == ((OLD,), (worn_out,), OLD.due)


@pytest.mark.proves("DUN-3", "DUN-4")
def test_an_invoice_that_was_declined_for_good_is_tried_with_the_new_method() -> None:
    assert tried([debt("nov", 1000, 11, FOR_GOOD)], now=nov(5)) == ["nov"]


# Small debts


FIVE_EUROS = DunningPolicy(min_amount=(Money.of(5, "EUR"),))
SMALL, ENOUGH = Money.of("4.99", "EUR"), Money.of(5, "EUR")


@pytest.mark.proves("DUN-8")
def test_what_is_less_than_worth_a_try_waits_for_the_next_invoice() -> None:
    for step in (Retry(nov(4)), Retry(nov(4), CHANGE), Stop(StopReason.PLAN_USED_UP), Stop(StopReason.MAX_AGE)):
        assert held_back(step, SMALL, FIVE_EUROS) == WaitForInvoice()
        assert held_back(step, ENOUGH, FIVE_EUROS) == step
        assert held_back(step, SMALL, DunningPolicy()) == step


@pytest.mark.proves("DUN-8", "DUN-2")
@pytest.mark.parametrize(
    "step",
    [
        Retry(nov(4), FIRST),
        WaitForMethod(nov(30)),
        Stop(StopReason.MAX_DECLINES),
        Stop(StopReason.MAX_ATTEMPTS),
        Stop(StopReason.SUCCEEDED),
    ],
    ids=str,
)
def test_first_attempts_and_counts_of_tries_are_not_held_back(step) -> None:
    assert held_back(step, SMALL, FIVE_EUROS) == step


@pytest.mark.proves("DUN-8")
def test_small_debts_are_tried_together_with_the_first_attempt_of_the_next_invoice() -> None:
    small = debt("oct", 300, 10, failed(3))
    older = debt("sep", 100, 9, failed(3))
    never_tried = debt("nov", 50, 11)
    assert tried_together([older, small, never_tried], FIVE_EUROS, FAILED) == (older, small)
    assert tried_together([small], DunningPolicy(), FAILED) == ()
    assert tried_together([small, debt("sep", 200, 9, failed(3))], FIVE_EUROS, FAILED) == ()
    assert tried_together([never_tried], FIVE_EUROS, FAILED) == ()


@pytest.mark.proves("DUN-8", "DUN-2", "DUN-3")
def test_small_debts_keep_to_their_count_of_tries_and_to_hard_declines() -> None:
    aged = debt("oct", 300, 10, failed(3))
    worn_out = debt("sep", 1, 9, *[failed(3)] * 8)
    stolen = debt("aug", 1, 8, FOR_GOOD)
    next_year = datetime(2027, 2, 1, tzinfo=UTC)
    assert tried_together([aged, worn_out, stolen], FIVE_EUROS, next_year) == (aged,)
    for tried_already in (nov(1), nov(3)):
        assert tried_together([stolen], FIVE_EUROS, next_year, method_changed_at=tried_already) == ()
    assert tried_together([stolen], FIVE_EUROS, next_year, method_changed_at=nov(5)) == (stolen,)


@pytest.mark.proves("DUN-8")
def test_what_is_overdue_is_added_up_for_each_currency() -> None:
    yen = debt("x", 100, 10, currency="JPY")
    future = debt("y", 100, 11)
    assert overdue([OLD, MIDDLE, yen, future], "EUR", nov(1)) == Money.of(20, "EUR")
    assert overdue([OLD, yen], "JPY", nov(1)) == Money.of(100, "JPY")
    assert overdue([attrs.evolve(future, attempts=(SOFTLY,))], "EUR", nov(1)) == Money.of(1, "EUR")


# The end


@pytest.mark.proves("DUN-6")
@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (OnExhausted.CANCEL, (Trigger.RETRIES_EXHAUSTED, Trigger.GAVE_UP, True, False)),
        (OnExhausted.MARK_UNPAID, (Trigger.RETRIES_EXHAUSTED, None, False, True)),
        (OnExhausted.PAUSE, (Trigger.RETRIES_EXHAUSTED, Trigger.GAVE_UP_PAUSED, False, False)),
        (OnExhausted.KEEP, (None, None, False, False)),
    ],
)
def test_what_becomes_of_a_subscription_that_nobody_pays_is_the_shops_choice(choice, expected) -> None:
    policy = DunningPolicy(on_exhausted=choice)
    assert attrs.astuple(exhaustion(policy, Lifecycle.ACTIVE, Collection.PAST_DUE)) == expected


@pytest.mark.proves("DUN-10", "DUN-6")
def test_the_invoice_of_a_subscription_that_is_over_is_given_up_by_itself() -> None:
    only_the_invoice = Exhaustion(collection=None, lifecycle=None, writes_off=True, drafts_renewals=False)
    assert exhaustion(DunningPolicy(), Lifecycle.CANCELED, Collection.UNPAID) == only_the_invoice
    paused = exhaustion(DunningPolicy(), Lifecycle.PAUSED, Collection.PAST_DUE)
    assert (paused.lifecycle, paused.collection) == (Trigger.GAVE_UP, Trigger.RETRIES_EXHAUSTED)
    again = exhaustion(DunningPolicy(on_exhausted=OnExhausted.PAUSE), Lifecycle.PAUSED, Collection.UNPAID)
    assert (again.lifecycle, again.collection) == (None, None)


@pytest.mark.proves("DUN-6", "DUN-9")
def test_a_subscription_recovers_when_nothing_else_is_owed() -> None:
    settled = Recovery(collection=Trigger.SETTLED, lifecycle=None)
    resumed = Recovery(collection=Trigger.SETTLED, lifecycle=Trigger.RESUMED)
    for collection in (Collection.PAST_DUE, Collection.UNPAID):
        assert recovery([], DunningPolicy(), collection, FAILED) == settled
        assert recovery([], DunningPolicy(), collection, FAILED, paused_for_debt=True) == resumed
        stays = DunningPolicy(resume_on_recovery=False)
        assert recovery([], stays, collection, FAILED, paused_for_debt=True) == settled
    assert recovery([], DunningPolicy(), Collection.OK, FAILED) is None


@pytest.mark.proves("DUN-9")
def test_one_invoice_that_is_paid_is_no_recovery_while_another_is_overdue_or_chased() -> None:
    not_yet_due = debt("nov", 1000, 11)
    moment = not_yet_due.overdue_from
    assert recovery([not_yet_due], DunningPolicy(), Collection.PAST_DUE, moment - timedelta(microseconds=1))
    assert recovery([not_yet_due], DunningPolicy(), Collection.PAST_DUE, moment) is None
    chased = attrs.evolve(not_yet_due, attempts=(SOFTLY,))
    assert recovery([chased], DunningPolicy(), Collection.PAST_DUE, moment - DAY) is None
    taken_back = attrs.evolve(not_yet_due, attempts=(SOFTLY, paid(4)))
    assert recovery([taken_back], DunningPolicy(), Collection.PAST_DUE, moment - DAY)


@pytest.mark.proves("DUN-7")
def test_grace_runs_from_the_first_failure_however_retries_go() -> None:
    assert grace_ends(FAILED, DunningPolicy()) == nov(17)
    assert grace_ends(FAILED, DunningPolicy(grace=timedelta(0), retries=RetryPlan.after_first(()))) == FAILED
    history = [SOFTLY, failed(4), failed(10, SOFT, CHANGE)]
    since = first_failure(history)
    assert since == FAILED
    assert grace_ends(since, OFFSETS) == grace_ends(since, GAPS) == nov(17)


# Letters


def letters(history, policy) -> list[tuple[str, int]]:
    told = []
    for count in range(1, len(history) + 1):
        so_far = history[:count]
        letter = letter_after("inv-1", so_far, next_attempt(so_far, policy, so_far[-1].at), policy)
        if letter:
            told.append((letter.kind.value, letter.number))
    return told


@pytest.mark.proves("DUN-9")
def test_a_customer_is_told_of_each_failure_warned_before_the_last_retry_and_told_of_the_end() -> None:
    history = [SOFTLY, failed(4), failed(6), failed(8)]
    assert letters(history, OFFSETS) == [("failed", 1), ("reminder", 2), ("last_warning", 3), ("ended", 4)]
    only_two = attrs.evolve(OFFSETS, max_declines=3)
    assert letters(history[:3], only_two) == [("failed", 1), ("last_warning", 2), ("ended", 3)]


@pytest.mark.proves("DUN-9")
def test_a_customer_is_told_that_all_is_well_again_and_only_after_bad_news() -> None:
    assert letters([SOFTLY, failed(4), paid(6)], OFFSETS) == [("failed", 1), ("reminder", 2), ("recovered", 2)]
    assert letters([paid(3, FIRST)], OFFSETS) == []


@pytest.mark.proves("DUN-9")
def test_a_hard_decline_is_a_letter_too() -> None:
    assert letters([FOR_GOOD], OFFSETS) == [("failed", 1)]
    assert letters([SOFTLY, failed(4, HARD)], OFFSETS) == [("failed", 1), ("reminder", 2)]


@pytest.mark.proves("DUN-9")
def test_a_letter_is_sent_once_for_an_invoice_and_a_step() -> None:
    keys = {
        Letter(kind=kind, invoice=invoice, number=number).key
        for kind in DunningLetter
        for invoice in ("a", "b")
        for number in (1, 2)
    }
    assert len(keys) == 5 * 2 * 2
    assert Letter(kind=DunningLetter.REMINDER, invoice="inv-1", number=2).key == "inv-1:reminder:2"
