"""Leaving: when a subscription ends, what that costs, what comes back, and how somebody returns."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.money import Money, Rate, total
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.errors import (
    CancellationReached,
    CancellationScheduled,
    CommitmentRunning,
    OperationNotAllowed,
    SettleFirst,
    WinBackWindowClosed,
)
from shopaccounts.subscriptions.events import (
    CancellationPlanned,
    CancellationUndone,
    SubscriptionCanceled,
    SubscriptionReactivated,
)
from shopaccounts.subscriptions.invoices.settling import pay
from shopaccounts.subscriptions.leaving.cancelling import CancelWish, cancel, cancel_as_stated, undo_cancellation
from shopaccounts.subscriptions.leaving.winning_back import Return, owed, reactivate
from shopaccounts.subscriptions.leaving.withdrawing import withdraw
from shopaccounts.subscriptions.lifecycle.ending import INVOLUNTARY, end
from shopaccounts.subscriptions.model import PastDue
from shopaccounts.subscriptions.papers.documents import InvoiceKind, InvoiceState
from shopaccounts.subscriptions.pausing.pauses import PauseWish, pause
from shopaccounts.subscriptions.plans.add_ons import MinimumSpend, SetupFee
from shopaccounts.subscriptions.plans.discounts import Discount, Once, Percent
from shopaccounts.subscriptions.plans.phases import Days, Phase, PhaseKind
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.plans.terms import Fee, Refuse, RemainderDue, Term
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cancelling import CancelPolicy, CancelWhen, WinBackAnchor, WinBackPolicy
from shopaccounts.subscriptions.policy.pausing import PauseHow, Unused
from shopaccounts.subscriptions.policy.running import RunPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.scheduled import Override, OverrideKind, PauseAt
from shopaccounts.subscriptions.states import Lifecycle, Trigger
from shopaccounts.testing.subscribers import EUR, Course, flat_plan

START = datetime(2031, 1, 5, 9, tzinfo=UTC)
DAY = timedelta(days=1)
COFFEE = flat_plan("31.00")
TRIED = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.TRIAL, Days(14)), *COFFEE.phases))
BOUND = attrs.evolve(COFFEE, term=Term(12, 3, auto_renew=True))
NOW, LATER = CancelWhen.NOW, CancelWhen.AT_PERIOD_END


def euro(amount: str) -> Money:
    return Money.of(amount, EUR)


def policy(*, cancelling=None, **more) -> SubscriptionPolicy:
    return SubscriptionPolicy(cancelling=cancelling or CancelPolicy(), **more)


def begun(version=COFFEE, how=None, *, paid=True, **choice) -> Course:
    course = Course.begin(version, START, policy=how, **choice)
    if paid:
        settle_all(course)
    return course


def settle_all(course) -> None:
    """Let every open invoice be paid."""
    for invoice in course.invoices.values():
        if invoice.state is InvoiceState.OPEN:
            course.invoices[invoice.id] = pay(invoice, invoice.due, course.account, payment="card", now=START).invoice


def leave(course, at, when=None, **wish):
    """Cancel, after what was due by then."""
    course.settle(at)
    chosen = CancelWish(when=when, **wish)
    return course.take(cancel(course.subscription, chosen, at, course.facts, course.policy), at)


def back(course, at, **wish):
    course.settle(at)
    unpaid = owed(course.subscription, course.invoices.values())
    decision = reactivate(course.subscription, Return(**wish), unpaid, at, course.facts, course.policy)
    return course.take(decision, at)


def end_of(course) -> datetime | None:
    planned = course.subscription.scheduled.cancel
    return planned.at if planned else None


def planned_end(course) -> datetime:
    ends = end_of(course)
    assert ends is not None
    return ends


def lifecycle_of(course: Course) -> Lifecycle:
    return course.subscription.lifecycle


def local(day, hour=0) -> datetime:
    """Answer midnight in Berlin in winter, in UTC."""
    return datetime.combine(day, datetime.min.time(), UTC) - timedelta(hours=1) + timedelta(hours=hour)


class TestPlanning:
    @pytest.mark.proves("CAN-1")
    def test_a_cancelled_subscription_runs_to_the_end_of_its_paid_period(self) -> None:
        course = begun()
        papers = leave(course, START + 10 * DAY, reason="too_expensive")
        assert lifecycle_of(course) is Lifecycle.ACTIVE
        assert end_of(course) == local(date(2031, 2, 5))
        assert [type(event) for event in papers.events] == [CancellationPlanned]
        assert not papers.invoices
        assert not papers.notes
        course.settle(START + 40 * DAY)
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        assert course.subscription.ended_at == local(date(2031, 2, 5))
        parting = course.subscription.parting
        assert parting is not None
        assert parting.reason == "too_expensive"

    @pytest.mark.proves("CAN-1")
    def test_cancelling_again_answers_the_same_and_tells_nothing(self) -> None:
        course = begun()
        leave(course, START + 10 * DAY, reason="first")
        before = course.subscription
        papers = leave(course, START + 12 * DAY, reason="second")
        assert course.subscription == before
        assert not papers.events

    @pytest.mark.proves("CAN-1")
    def test_an_earlier_end_brings_the_planned_one_forward(self) -> None:
        course = begun()
        leave(course, START + 10 * DAY, date(2031, 3, 20))
        leave(course, START + 11 * DAY, LATER)
        assert end_of(course) == local(date(2031, 2, 5))
        leave(course, START + 12 * DAY, NOW)
        assert course.subscription.ended_at == START + 12 * DAY

    @pytest.mark.proves("CAN-1")
    def test_a_later_end_needs_the_planned_one_taken_back_first(self) -> None:
        course = begun()
        leave(course, START + 10 * DAY)
        with pytest.raises(CancellationScheduled):
            leave(course, START + 11 * DAY, date(2031, 3, 20))
        course.take(undo_cancellation(course.subscription, START + 11 * DAY, course.policy), START + 11 * DAY)
        leave(course, START + 11 * DAY, date(2031, 3, 20))
        assert end_of(course) == local(date(2031, 3, 20))

    @pytest.mark.proves("CAN-1")
    def test_a_day_in_the_past_is_refused_and_today_is_now(self) -> None:
        course = begun()
        with pytest.raises(InvalidInput):
            leave(course, START + 10 * DAY, date(2031, 1, 14))
        leave(course, START + 10 * DAY, date(2031, 1, 15))
        assert course.subscription.ended_at == START + 10 * DAY

    @pytest.mark.proves("CAN-1")
    def test_the_last_period_is_billed_up_to_the_day_that_was_named(self) -> None:
        course = begun()
        leave(course, START + 10 * DAY, date(2031, 2, 19))
        course.settle(START + 60 * DAY)
        last = list(course.invoices.values())[-1]
        assert (last.lines[0].start, last.lines[0].end) == (date(2031, 2, 5), date(2031, 2, 19))
        assert last.lines[0].amount == euro("15.50")

    @pytest.mark.proves("CAN-1")
    def test_who_has_ended_cannot_cancel(self) -> None:
        course = begun()
        leave(course, START + 10 * DAY, NOW)
        with pytest.raises(OperationNotAllowed):
            leave(course, START + 11 * DAY, NOW)

    @pytest.mark.proves("CAN-1")
    @pytest.mark.parametrize("when", [None, NOW, LATER, date(2031, 5, 1)])
    def test_what_never_began_is_called_off_without_any_paper(self, when) -> None:
        course = Course.begin(COFFEE, START, paid=False)
        assert lifecycle_of(course) is Lifecycle.INCOMPLETE
        papers = leave(course, START + timedelta(hours=1), when)
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        assert [invoice.state for invoice in papers.changed] == [InvoiceState.VOID]
        assert not papers.notes
        assert not papers.invoices
        assert course.subscription.due_at is None

    @pytest.mark.proves("CAN-1", "ABU-10")
    @pytest.mark.parametrize("wrong", [{"reason": "Too expensive!"}, {"reason": "x" * 65}, {"comment": "x" * 2001}])
    def test_a_reason_is_a_word_and_a_comment_has_its_bounds(self, wrong) -> None:
        with pytest.raises(InvalidInput):
            CancelWish(**wrong)

    @pytest.mark.proves("ABU-10")
    def test_a_comment_is_kept_cleaned_and_stands_in_no_event_and_no_text(self) -> None:
        course = begun()
        papers = leave(course, START + DAY, NOW, comment="Anna\x07 says\u202e no")
        parting = course.subscription.parting
        assert parting is not None
        assert parting.comment == "Anna says no"
        assert all("Anna" not in event.data() for event in papers.events)
        assert "Anna" not in repr(course.subscription)

    @pytest.mark.proves("CAN-1")
    @pytest.mark.parametrize(("asked", "ends"), [(12, date(2031, 2, 5)), (50, None)])
    def test_a_paused_one_ends_with_its_paid_time_or_at_once_if_that_is_over(self, asked, ends) -> None:
        course = begun()
        at = START + 5 * DAY
        wish = PauseWish(how=PauseHow.NOW)
        course.take(pause(course.subscription, wish, at, course.facts, course.policy), at)
        leave(course, START + asked * DAY, LATER)
        assert end_of(course) == (local(ends) if ends else None)
        assert course.subscription.ended_at == (None if ends else START + asked * DAY)
        course.settle(START + 120 * DAY)
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        assert len(course.invoices) == 1


class TestUndoing:
    @pytest.mark.proves("CAN-2")
    @given(days=st.integers(0, 400), hours=st.integers(0, 23), when=st.sampled_from([LATER, 3, 40, 200]))
    def test_planning_an_end_and_taking_it_back_changes_nothing(self, days, hours, when) -> None:
        course = begun()
        at = START + days * DAY + timedelta(hours=hours)
        course.settle(at)
        before = course.subscription
        wish = LATER if when is LATER else (at + when * DAY).date()
        planned = cancel(before, CancelWish(when=wish), at, course.facts, course.policy)
        ready = projected(planned.subscription, course.policy)
        again = undo_cancellation(ready, at + timedelta(minutes=1), course.policy)
        assert projected(again.subscription, course.policy) == before
        assert [type(event) for event in (*planned.events, *again.events)] == [CancellationPlanned, CancellationUndone]
        assert not any((planned.bills, planned.credits, again.bills, again.credits))

    @pytest.mark.proves("CAN-2")
    def test_it_can_be_taken_back_until_the_end_and_not_from_it_on(self) -> None:
        course = begun()
        leave(course, START + DAY)
        ends = planned_end(course)
        undo_cancellation(course.subscription, ends - timedelta(microseconds=1), course.policy)
        with pytest.raises(CancellationReached):
            undo_cancellation(course.subscription, ends, course.policy)
        course.settle(ends)
        with pytest.raises(CancellationReached):
            undo_cancellation(course.subscription, ends + DAY, course.policy)

    @pytest.mark.proves("CAN-2")
    def test_without_a_planned_end_there_is_nothing_to_take_back(self) -> None:
        course = begun()
        with pytest.raises(OperationNotAllowed):
            undo_cancellation(course.subscription, START + DAY, course.policy)


class TestTheBoundary:
    @pytest.mark.proves("CAN-3")
    @given(
        asked=st.integers(0, 100),
        late=st.integers(0, 90),
        ahead=st.integers(0, 10),
        when=st.sampled_from([LATER, 1, 17, 31, 60]),
    )
    def test_nothing_is_billed_that_begins_at_the_end_or_after_it(self, asked, late, ahead, when) -> None:
        course = begun(how=policy(running=RunPolicy(bill_ahead_days=ahead)))
        at = START + asked * DAY
        leave(course, at, when if when is LATER else (at + when * DAY).date())
        ends = planned_end(course)
        billed = set(course.invoices)
        course.settle(ends + late * DAY)
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        new = [course.invoices[id] for id in course.invoices.keys() - billed]
        last = (ends + timedelta(hours=2)).date()
        assert all(line.start < last and line.end <= last for invoice in new for line in invoice.lines)

    @pytest.mark.proves("CAN-3")
    def test_the_end_goes_before_the_renewal_of_the_same_instant_also_a_month_late(self) -> None:
        course = begun()
        leave(course, START + DAY)
        papers = course.advance(START + 60 * DAY)
        assert not papers.invoices
        assert len(course.invoices) == 1

    @pytest.mark.proves("CAN-3")
    def test_what_was_planned_besides_is_dropped(self) -> None:
        course = begun()
        leave(course, START + DAY)
        plans = attrs.evolve(course.subscription.scheduled, pause=PauseAt(at=planned_end(course)))
        course.subscription = attrs.evolve(course.subscription, scheduled=plans)
        papers = course.advance(START + 60 * DAY)
        assert [event.name for event in papers.events] == [
            "subscriptions.scheduled_change_dropped",
            "subscriptions.subscription_canceled",
        ]


class TestAtOnce:
    @pytest.mark.proves("CAN-4")
    def test_paid_time_is_left_behind_unless_the_shop_says_otherwise(self) -> None:
        course = begun()
        papers = leave(course, START + 10 * DAY, NOW)
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        assert not papers.notes
        (told,) = papers.events
        assert isinstance(told, SubscriptionCanceled)
        assert told.voluntary

    @pytest.mark.proves("CAN-4")
    @pytest.mark.parametrize("asked_for", ["by the shop", "by wish"])
    def test_unused_days_are_credited_in_the_proportion_of_days(self, asked_for) -> None:
        shops = Unused.CREDIT if asked_for == "by the shop" else Unused.KEEP
        course = begun(how=policy(cancelling=CancelPolicy(unused=shops)))
        papers = leave(course, START + 10 * DAY, NOW, unused=None if asked_for == "by the shop" else Unused.CREDIT)
        (note,) = papers.notes
        assert (note.total, note.to_balance) == (euro("21.00"), euro("21.00"))
        assert course.account.balance(EUR) == euro("21.00")

    @pytest.mark.proves("CAN-4")
    def test_an_open_invoice_for_time_that_is_served_stays_due(self) -> None:
        how = policy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
        course = begun(how=how, paid=False)
        papers = leave(course, START + 10 * DAY, NOW)
        assert not papers.notes
        assert [invoice.due for invoice in course.invoices.values()] == [euro("31.00")]

    @pytest.mark.proves("CAN-4")
    def test_an_open_invoice_for_time_that_is_not_served_at_all_is_taken_back_in_full(self) -> None:
        course = begun(how=policy(running=RunPolicy(bill_ahead_days=7)))
        at = datetime(2031, 2, 1, 12, tzinfo=UTC)
        papers = leave(course, at, NOW)
        (note,) = papers.notes
        ahead = course.invoices[note.invoice]
        assert ahead.lines[0].start == date(2031, 2, 5)
        assert (note.total, note.applied, ahead.due) == (euro("31.00"), euro("31.00"), euro("0.00"))
        paid = [invoice for invoice in course.invoices.values() if invoice.id != note.invoice]
        assert all(invoice.credited.is_zero for invoice in paid)

    @pytest.mark.proves("CAN-4")
    def test_the_fee_for_setting_up_is_not_given_back(self) -> None:
        fee = attrs.evolve(COFFEE, setup_fee=SetupFee((euro("9.00"),)))
        course = begun(fee)
        papers = leave(course, START + timedelta(hours=2), NOW, unused=Unused.CREDIT)
        assert papers.notes[0].total == euro("31.00")

    @pytest.mark.proves("CAN-4")
    def test_what_is_paid_in_arrears_gets_a_final_invoice_up_to_the_end(self) -> None:
        course = begun(attrs.evolve(COFFEE, mode=BillingMode.IN_ARREARS))
        papers = leave(course, START + 10 * DAY, NOW)
        (final,) = papers.invoices
        assert (final.kind, final.total) == (InvoiceKind.FINAL, euro("10.00"))
        assert (final.lines[0].start, final.lines[0].end) == (date(2031, 1, 5), date(2031, 1, 15))

    @pytest.mark.proves("CAN-4")
    @given(days=st.integers(0, 200), unused=st.sampled_from(list(Unused)), ahead=st.integers(0, 5))
    def test_never_more_is_taken_back_than_was_billed_and_nothing_is_owed_below_zero(self, days, unused, ahead) -> None:
        course = begun(how=policy(running=RunPolicy(bill_ahead_days=ahead)))
        at = START + days * DAY
        course.settle(at)
        papers = leave(course, at, NOW, unused=unused)
        for invoice in course.invoices.values():
            assert all(line.credited <= line.base for line in invoice.lines)
            assert invoice.due.minor >= 0
        for note in papers.notes:
            assert note.applied + note.refund + note.to_balance == note.total
        assert course.subscription.due_at is None


class TestNoticeAndCommitment:
    @pytest.mark.proves("CAN-5")
    @pytest.mark.parametrize(("days", "ends"), [(17, date(2031, 2, 5)), (18, date(2031, 3, 5))])
    @pytest.mark.parametrize("when", [LATER, date(2031, 2, 5)])
    def test_who_gives_notice_too_late_stays_until_the_boundary_after(self, days, ends, when) -> None:
        course = begun(how=policy(cancelling=CancelPolicy(notice_days=14)))
        leave(course, START + days * DAY, when)
        assert end_of(course) == local(ends)

    @pytest.mark.proves("CAN-5")
    def test_leaving_at_once_is_no_way_round_the_notice(self) -> None:
        course = begun(how=policy(cancelling=CancelPolicy(notice_days=14)))
        leave(course, START + 20 * DAY, NOW)
        assert end_of(course) == local(date(2031, 3, 5))
        in_time = begun(how=policy(cancelling=CancelPolicy(notice_days=14)))
        leave(in_time, START + 2 * DAY, NOW)
        assert in_time.subscription.ended_at == START + 2 * DAY

    @pytest.mark.proves("CAN-5")
    def test_a_notice_longer_than_a_cycle_counts_in_days_too(self) -> None:
        course = begun(how=policy(cancelling=CancelPolicy(notice_days=40)))
        leave(course, START + DAY)
        assert end_of(course) == local(date(2031, 3, 5))

    @pytest.mark.proves("PLN-11")
    @pytest.mark.parametrize("when", [None, NOW, LATER, date(2031, 2, 20)])
    def test_who_is_bound_stays_until_the_minimum_is_over(self, when) -> None:
        course = begun(BOUND)
        leave(course, START + 10 * DAY, when)
        assert planned_end(course).date() == date(2031, 4, 4)  # midnight of April 5 in Berlin, in summer time
        course.settle(START + 120 * DAY)
        assert len(course.invoices) == 3

    @pytest.mark.proves("PLN-11")
    def test_who_wants_to_stay_longer_than_bound_may(self) -> None:
        course = begun(BOUND)
        leave(course, START + 10 * DAY, date(2031, 6, 20))
        assert planned_end(course).date() == date(2031, 6, 19)

    @pytest.mark.proves("PLN-11", "PLN-10")
    def test_when_the_minimum_has_begun_to_the_last_cycle_its_end_is_the_end(self) -> None:
        course = begun(BOUND)
        course.settle(datetime(2031, 3, 10, tzinfo=UTC))
        leave(course, datetime(2031, 3, 10, tzinfo=UTC), NOW)
        assert course.subscription.lifecycle is Lifecycle.CANCELED

    @pytest.mark.proves("PLN-11")
    def test_a_plan_may_let_nobody_go_before(self) -> None:
        course = begun(attrs.evolve(BOUND, early_exit=Refuse()))
        with pytest.raises(CommitmentRunning) as refused:
            leave(course, START + 10 * DAY)
        assert refused.value.earliest_exit == date(2031, 4, 5)
        leave(course, START + 10 * DAY, date(2031, 4, 5))
        assert planned_end(course).date() == date(2031, 4, 4)

    @pytest.mark.proves("PLN-11")
    @pytest.mark.parametrize("when", [NOW, LATER])
    def test_a_fee_for_leaving_early_stands_on_the_final_invoice(self, when) -> None:
        course = begun(attrs.evolve(BOUND, early_exit=Fee(euro("25.00"))))
        leave(course, START + 10 * DAY, when)
        course.settle(START + 60 * DAY)
        final = list(course.invoices.values())[-1]
        assert (final.kind, final.total) == (InvoiceKind.FINAL, euro("25.00"))
        assert [line.key for line in final.lines] == ["early_exit"]
        assert len(course.invoices) == 2

    @pytest.mark.proves("PLN-11")
    @pytest.mark.parametrize("when", [NOW, LATER])
    def test_all_whole_cycles_that_are_left_stand_on_one_final_invoice(self, when) -> None:
        course = begun(
            attrs.evolve(BOUND, early_exit=RemainderDue()), policy(cancelling=CancelPolicy(unused=Unused.CREDIT))
        )
        papers = leave(course, START + 10 * DAY, when)
        assert not papers.notes
        course.settle(START + 60 * DAY)
        final = list(course.invoices.values())[-1]
        assert [line.start for line in final.lines] == [date(2031, 2, 5), date(2031, 3, 5)]
        assert (final.kind, final.total) == (InvoiceKind.FINAL, euro("62.00"))
        assert len(course.invoices) == 2

    @pytest.mark.proves("PLN-11", "PLN-10")
    def test_a_cycle_that_is_left_out_is_none_of_those_that_are_due(self) -> None:
        course = begun(attrs.evolve(BOUND, early_exit=RemainderDue()))
        skip = Override(kind=OverrideKind.SKIP, index=1, made_on=START.date())
        course.subscription = attrs.evolve(course.subscription, overrides=(skip,))
        (final,) = leave(course, START + 10 * DAY, NOW).invoices
        assert [line.start for line in final.lines] == [date(2031, 3, 5), date(2031, 4, 5)]

    @pytest.mark.proves("PLN-11")
    def test_who_takes_an_early_end_back_pays_nothing_for_it(self) -> None:
        course = begun(attrs.evolve(BOUND, early_exit=Fee(euro("25.00"))))
        leave(course, START + 10 * DAY, LATER)
        course.take(undo_cancellation(course.subscription, START + 11 * DAY, course.policy), START + 11 * DAY)
        course.settle(START + 100 * DAY)
        assert {str(invoice.total) for invoice in course.invoices.values()} == {"31.00 EUR"}

    @pytest.mark.proves("PLN-11", "CAN-6")
    def test_an_end_because_nobody_pays_costs_no_fee_and_says_which_invoice_it_was(self) -> None:
        course = begun(attrs.evolve(BOUND, early_exit=Fee(euro("25.00"))))
        (unpaid,) = course.invoices
        owing = attrs.evolve(course.subscription, past_due=PastDue(since=START, invoices=(unpaid,)))
        papers = course.take(end(owing, START + 30 * DAY, Trigger.GAVE_UP, course.policy), START + 30 * DAY)
        assert not papers.invoices
        parting = course.subscription.parting
        assert parting is not None
        assert (parting.reason, parting.voluntary, parting.invoices) == (INVOLUNTARY, False, (unpaid,))

    @pytest.mark.proves("CAN-6")
    def test_a_payment_that_comes_after_the_end_settles_the_invoice_and_revives_nothing(self) -> None:
        how = policy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
        course = begun(how=how, paid=False)
        course.take(end(course.subscription, START + 30 * DAY, Trigger.GAVE_UP, how), START + 30 * DAY)
        settle_all(course)
        course.settle(START + 90 * DAY)
        assert [invoice.state for invoice in course.invoices.values()] == [InvoiceState.PAID]
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        assert course.subscription.due_at is None


class TestTrials:
    @pytest.mark.proves("TRI-5")
    def test_a_cancelled_trial_is_used_to_its_end_and_never_billed(self) -> None:
        course = begun(TRIED)
        leave(course, START + 3 * DAY)
        assert end_of(course) == START + 14 * DAY
        assert lifecycle_of(course) is Lifecycle.TRIALING
        course.settle(START + 90 * DAY)
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        assert not course.invoices

    @pytest.mark.proves("TRI-5")
    def test_a_trial_ends_at_once_on_request(self) -> None:
        course = begun(TRIED)
        leave(course, START + 3 * DAY, NOW)
        assert course.subscription.ended_at == START + 3 * DAY
        assert not course.invoices

    @pytest.mark.proves("TRI-5", "CAN-2")
    def test_until_the_end_of_the_trial_it_can_be_taken_back(self) -> None:
        course = begun(TRIED)
        leave(course, START + 3 * DAY)
        course.take(undo_cancellation(course.subscription, START + 13 * DAY, course.policy), START + 13 * DAY)
        course.settle(START + 14 * DAY)
        assert course.subscription.lifecycle is Lifecycle.ACTIVE

    @pytest.mark.proves("TRI-5", "PLN-11")
    def test_nobody_is_bound_during_a_trial(self) -> None:
        bound = attrs.evolve(TRIED, term=Term(12, 12, auto_renew=True), early_exit=Fee(euro("25.00")))
        course = begun(bound)
        leave(course, START + 3 * DAY)
        course.settle(START + 90 * DAY)
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        assert not course.invoices


class TestStatements:
    @pytest.mark.proves("CAN-8")
    @pytest.mark.parametrize(
        ("wish", "ends"),
        [
            (None, date(2031, 2, 5)),
            (date(2030, 1, 1), date(2031, 2, 5)),
            (date(2031, 2, 5), date(2031, 2, 5)),
            (date(2031, 2, 6), date(2031, 3, 5)),
        ],
    )
    def test_it_ends_at_the_first_boundary_from_the_wished_day_on(self, wish, ends) -> None:
        course = begun()
        at = START + 10 * DAY
        course.take(cancel_as_stated(course.subscription, wish, at, at, course.facts, course.policy), at)
        assert end_of(course) == local(ends)

    @pytest.mark.proves("CAN-8")
    def test_who_is_bound_leaves_when_the_minimum_is_over_and_pays_no_fee(self) -> None:
        course = begun(attrs.evolve(BOUND, early_exit=Fee(euro("25.00"))))
        at = START + 10 * DAY
        course.take(cancel_as_stated(course.subscription, None, at, at, course.facts, course.policy), at)
        course.settle(START + 120 * DAY)
        assert {str(invoice.total) for invoice in course.invoices.values()} == {"31.00 EUR"}
        assert len(course.invoices) == 3

    @pytest.mark.proves("CAN-8")
    def test_an_end_that_is_planned_earlier_stays(self) -> None:
        course = begun()
        leave(course, START + 9 * DAY)
        before, at = course.subscription, START + 10 * DAY
        again = cancel_as_stated(before, date(2031, 8, 1), at, at, course.facts, course.policy)
        assert again.subscription == before

    @pytest.mark.proves("CAN-8")
    def test_a_statement_that_is_confirmed_late_counts_from_its_receipt(self) -> None:
        course = begun()
        received, confirmed = START + 29 * DAY, START + 35 * DAY
        course.settle(confirmed)
        assert len(course.invoices) == 2
        stated = cancel_as_stated(course.subscription, None, received, confirmed, course.facts, course.policy)
        papers = course.take(stated, confirmed)
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        (note,) = papers.notes
        assert (note.total, course.invoices[note.invoice].due) == (euro("31.00"), euro("0.00"))


class TestComingBack:
    @pytest.mark.proves("CAN-7")
    def test_cycles_count_anew_and_the_time_between_costs_nothing(self) -> None:
        course = begun()
        leave(course, START + 10 * DAY)
        at = datetime(2031, 2, 20, 10, tzinfo=UTC)
        papers = back(course, at)
        assert course.subscription.lifecycle is Lifecycle.ACTIVE
        (invoice,) = papers.invoices
        assert (invoice.kind, invoice.total) == (InvoiceKind.START, euro("31.00"))
        assert (invoice.lines[0].start, invoice.lines[0].end) == (date(2031, 2, 20), date(2031, 3, 20))
        assert isinstance(papers.events[0], SubscriptionReactivated)
        assert len(course.subscription.segments) == 2
        course.settle(datetime(2031, 3, 21, tzinfo=UTC))
        days = [line.start for one in course.invoices.values() for line in one.lines]
        assert days == [date(2031, 1, 5), date(2031, 2, 20), date(2031, 3, 20)]

    @pytest.mark.proves("CAN-7")
    def test_cycles_may_go_on_as_before_after_a_stub(self) -> None:
        course = begun(how=policy(winning_back=WinBackPolicy(anchor=WinBackAnchor.KEEP_ANCHOR)))
        leave(course, START + 10 * DAY)
        papers = back(course, datetime(2031, 2, 19, 10, tzinfo=UTC))
        (invoice,) = papers.invoices
        assert (invoice.lines[0].start, invoice.lines[0].end) == (date(2031, 2, 19), date(2031, 3, 5))
        assert invoice.total == euro("15.50")

    @pytest.mark.proves("CAN-7")
    def test_who_comes_back_within_the_paid_period_pays_when_it_is_over(self) -> None:
        course = begun(how=policy(winning_back=WinBackPolicy(anchor=WinBackAnchor.KEEP_ANCHOR)))
        leave(course, START + 10 * DAY, NOW)
        papers = back(course, START + 12 * DAY)
        assert not papers.invoices
        course.settle(START + 40 * DAY)
        assert [one.lines[0].start for one in course.invoices.values()] == [date(2031, 1, 5), date(2031, 2, 5)]

    @pytest.mark.proves("CAN-7")
    def test_who_got_the_rest_credited_pays_it_again(self) -> None:
        course = begun(how=policy(winning_back=WinBackPolicy(anchor=WinBackAnchor.KEEP_ANCHOR)))
        leave(course, START + 10 * DAY, NOW, unused=Unused.CREDIT)
        (invoice,) = back(course, START + 12 * DAY).invoices
        assert (invoice.lines[0].start, invoice.total) == (date(2031, 1, 17), euro("19.00"))
        assert invoice.balance_applied == euro("19.00")

    @pytest.mark.proves("CAN-7")
    def test_there_is_no_second_trial(self) -> None:
        course = begun(TRIED)
        leave(course, START + 3 * DAY, NOW)
        (invoice,) = back(course, START + 5 * DAY).invoices
        assert invoice.total == euro("31.00")
        assert course.subscription.lifecycle is Lifecycle.ACTIVE

    @pytest.mark.proves("CAN-7")
    def test_there_is_no_second_fee_for_setting_up_but_one_that_was_never_charged_is_due(self) -> None:
        fee = attrs.evolve(COFFEE, setup_fee=SetupFee((euro("9.00"),)))
        course = begun(fee)
        leave(course, START + 10 * DAY, NOW)
        assert back(course, START + 12 * DAY).invoices[0].total == euro("31.00")
        never = Course.begin(fee, START, paid=False)
        leave(never, START + timedelta(hours=1))
        assert back(never, START + DAY).invoices[0].total == euro("40.00")

    @pytest.mark.proves("CAN-7")
    def test_what_is_owed_is_paid_first_unless_the_shop_waives_that(self) -> None:
        how = policy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
        course = begun(how=how, paid=False)
        leave(course, START + 10 * DAY, NOW)
        with pytest.raises(SettleFirst) as refused:
            back(course, START + 12 * DAY)
        assert (refused.value.invoices, refused.value.amount) == (tuple(course.invoices), euro("31.00"))
        course.policy = attrs.evolve(how, winning_back=WinBackPolicy(settle_first=False))
        back(course, START + 12 * DAY)
        assert course.subscription.lifecycle is Lifecycle.ACTIVE

    @pytest.mark.proves("CAN-7")
    def test_the_window_closes_after_so_many_local_days_though_clocks_change_meanwhile(self) -> None:
        course = begun()
        leave(course, datetime(2031, 3, 10, 11, tzinfo=UTC), NOW)
        settle_all(course)
        closes = datetime(2031, 4, 9, 10, tzinfo=UTC)  # noon in Berlin, as it was thirty days before
        with pytest.raises(WinBackWindowClosed) as refused:
            back(course, closes)
        assert refused.value.closed_on == date(2031, 4, 9)
        back(course, closes - timedelta(microseconds=1))

    @pytest.mark.proves("CAN-7")
    def test_what_ended_with_all_that_was_agreed_is_not_taken_up_again(self) -> None:
        season = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.FIXED_TERM, Days(31), (Flat(euro("31.00")),)),))
        course = begun(season)
        course.settle(START + 40 * DAY)
        assert course.subscription.lifecycle is Lifecycle.EXPIRED
        with pytest.raises(OperationNotAllowed):
            back(course, START + 41 * DAY)

    @pytest.mark.proves("CAN-7")
    def test_a_discount_may_sweeten_it(self) -> None:
        course = begun()
        leave(course, START + 10 * DAY)
        gift = Discount(code="back", kind=Percent(Rate.percent(50)), duration=Once())
        (invoice,) = back(course, datetime(2031, 2, 20, 10, tzinfo=UTC), discount=gift).invoices
        assert invoice.total == euro("15.50")

    @pytest.mark.proves("CAN-7")
    def test_nobody_who_comes_back_is_bound_once_more(self) -> None:
        course = begun(attrs.evolve(BOUND, early_exit=Fee(euro("25.00"))))
        assert leave(course, START + 10 * DAY, NOW).invoices[0].total == euro("25.00")
        settle_all(course)
        back(course, START + 12 * DAY)
        assert not leave(course, START + 13 * DAY, NOW).invoices
        assert course.subscription.lifecycle is Lifecycle.CANCELED

    @pytest.mark.proves("CAN-7")
    def test_time_in_which_it_was_paused_is_not_billed_later(self) -> None:
        least = MinimumSpend(euro("5.00"))
        course = begun(attrs.evolve(COFFEE, mode=BillingMode.IN_ARREARS, minimum=(least,)))
        at = START + 5 * DAY
        wish = PauseWish(how=PauseHow.NOW)
        course.take(pause(course.subscription, wish, at, course.facts, course.policy), at)
        leave(course, START + 50 * DAY, NOW)
        settle_all(course)
        back(course, START + 52 * DAY)
        assert course.subscription.arrears_to == course.subscription.segments[-1].first_index

    @pytest.mark.proves("CAN-7")
    @pytest.mark.parametrize("anchor", list(WinBackAnchor))
    def test_what_is_paid_in_arrears_is_billed_from_the_return_on(self, anchor) -> None:
        course = begun(attrs.evolve(COFFEE, mode=BillingMode.IN_ARREARS))
        leave(course, START + 10 * DAY, NOW)
        settle_all(course)
        old = set(course.invoices)
        back(course, START + 20 * DAY, anchor=anchor)
        course.settle(START + 55 * DAY)
        new = [line for id, one in course.invoices.items() if id not in old for line in one.lines]
        ends = date(2031, 2, 25) if anchor is WinBackAnchor.REANCHOR else date(2031, 2, 5)
        assert [(line.start, line.end) for line in new][:1] == [(date(2031, 1, 25), ends)]

    @pytest.mark.proves("CAN-7")
    @given(stay=st.integers(0, 70), away=st.integers(0, 29), keep=st.booleans(), unused=st.sampled_from(list(Unused)))
    def test_no_day_is_billed_twice_and_none_of_those_between(self, stay, away, keep, unused) -> None:
        anchor = WinBackAnchor.KEEP_ANCHOR if keep else WinBackAnchor.REANCHOR
        course = begun(how=policy(winning_back=WinBackPolicy(anchor=anchor)))
        left = START + stay * DAY
        course.settle(left)
        settle_all(course)
        leave(course, left, NOW, unused=unused)
        old = set(course.invoices)
        returned = left + away * DAY
        back(course, returned)
        course.settle(returned + 70 * DAY)
        new = [line for id, one in course.invoices.items() if id not in old for line in one.lines]
        assert all(line.start >= returned.date() for line in new)
        ordered = sorted(new, key=lambda line: line.start)
        assert all(one.end == two.start for one, two in pairwise(ordered))


class TestWithdrawing:
    def withdrawn(self, course, at):
        course.settle(at)
        decision = withdraw(course.subscription, "s-1", course.invoices.values(), at, course.policy)
        return course.take(decision, at)

    @pytest.mark.proves("CAN-9", "PLN-11")
    def test_it_ends_at_once_and_everything_is_taken_back(self) -> None:
        fee = attrs.evolve(BOUND, setup_fee=SetupFee((euro("9.00"),)), early_exit=Fee(euro("25.00")))
        course = begun(fee)
        papers = self.withdrawn(course, START + 10 * DAY)
        assert course.subscription.lifecycle is Lifecycle.CANCELED
        parting = course.subscription.parting
        assert parting is not None
        assert parting.reason == "withdrawal"
        assert total((note.total for note in papers.notes), EUR) == euro("40.00")
        assert not papers.invoices

    @pytest.mark.proves("CAN-9")
    def test_what_was_served_on_express_wish_stays_due_by_its_days(self) -> None:
        course = begun(attrs.evolve(COFFEE, setup_fee=SetupFee((euro("9.00"),))))
        course.subscription = attrs.evolve(course.subscription, begun_on_wish=True)
        papers = self.withdrawn(course, START + 10 * DAY)
        assert papers.notes[0].total == euro("21.00") + euro("9.00")

    @pytest.mark.proves("CAN-9")
    @pytest.mark.parametrize(("wished", "billed"), [(True, ["10.00 EUR"]), (False, [])])
    def test_what_is_paid_in_arrears_is_billed_only_on_express_wish(self, wished, billed) -> None:
        course = begun(attrs.evolve(COFFEE, mode=BillingMode.IN_ARREARS))
        course.subscription = attrs.evolve(course.subscription, begun_on_wish=wished)
        papers = self.withdrawn(course, START + 10 * DAY)
        assert [str(invoice.total) for invoice in papers.invoices] == billed

    @pytest.mark.proves("CAN-9")
    def test_who_has_cancelled_already_still_gets_the_money_back(self) -> None:
        course = begun()
        leave(course, START + 2 * DAY, NOW)
        papers = self.withdrawn(course, START + 3 * DAY)
        assert papers.notes[0].total == euro("31.00")

    @pytest.mark.proves("CAN-9")
    def test_what_is_not_paid_yet_is_void(self) -> None:
        course = Course.begin(COFFEE, START, paid=False)
        papers = self.withdrawn(course, START + timedelta(hours=2))
        assert [invoice.state for invoice in papers.changed] == [InvoiceState.VOID]
        assert not papers.notes


def test_the_interval_of_a_yearly_plan_gives_a_yearly_boundary() -> None:
    course = begun(flat_plan("120.00", Interval.years(1)))
    leave(course, START + 10 * DAY)
    assert end_of(course) == local(date(2032, 1, 5))
