"""Whose billing day a subscription follows: its own, its customer's or the calendar's, and who sets the customer's."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.cycles import Anchor, Interval
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions import RunningElsewhere
from shopaccounts.subscriptions.changing.wanting import plan_wish
from shopaccounts.subscriptions.cycles import BillingDay, CalendarDay, DayOfMonth, DayOfYear, GridDate, StartDay
from shopaccounts.subscriptions.lifecycle.agreeing import Choice, agree, alignment_of, with_billing_day
from shopaccounts.subscriptions.lifecycle.importing import imported
from shopaccounts.subscriptions.lifecycle.trials import extend_trial
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.plans import (
    Alignment,
    Days,
    Flat,
    Months,
    Phase,
    PhaseKind,
    PlanVersion,
    PlanVersionId,
    Trial,
)
from shopaccounts.subscriptions.policy import CyclePolicy, SubscriptionPolicy
from shopaccounts.testing.subscribers import EUR, Course, flat_plan, somebody

BERLIN = zone("Europe/Berlin")
APRIL_20 = datetime(2031, 4, 20, 12, tzinfo=UTC)
MARCH_31 = datetime(2031, 3, 31, 12, tzinfo=UTC)
NOW = datetime(2031, 5, 2, 12, tzinfo=UTC)
MONTHLY, ONE_EURO = flat_plan("30.00"), (Flat(Money.of("1.00", EUR)),)
FREE = Phase(PhaseKind.TRIAL, Days(10))
YEARLY = flat_plan("300.00", Interval.years(1), id=PlanVersionId("yearly"))


def shop(alignment: Alignment, **cycles: Any) -> SubscriptionPolicy:
    return SubscriptionPolicy(cycles=CyclePolicy(alignment=alignment, **cycles))


CUSTOMER, CALENDAR = shop(Alignment.CUSTOMER), shop(Alignment.CALENDAR)


def agreed(version: PlanVersion, policy: SubscriptionPolicy = CUSTOMER, at: datetime = APRIL_20) -> Subscription:
    choice = Choice(version=version, currency=EUR, starts_at=at)
    return agree(choice, somebody(), policy, id="box", zone=BERLIN, now=at)


def moved_in(version: PlanVersion, policy: SubscriptionPolicy = CUSTOMER, **more: Any) -> Subscription:
    usual: dict[str, Any] = {
        "plan": version.id,
        "currency": "EUR",
        "zone": "Europe/Berlin",
        "period_start": date(2031, 4, 20),
    }
    running = RunningElsewhere(customer=CustomerId("ann"), **usual | more)
    return imported(running, version, EUR, somebody(), policy, id="box", now=NOW)


# Who sets the customer's billing day

DAYS: dict[str, tuple[BillingDay, int]] = {
    "the day on which it begins": (StartDay(), 20),
    "an agreed day that April doesn't have": (DayOfMonth(31), 31),
    "an agreed day of another month": (DayOfYear(9, 17), 17),
    "an agreed day of a grid": (GridDate(date(2031, 2, 28), 30), 30),
}


@pytest.mark.proves("PLN-9")
@pytest.mark.parametrize(("day", "expected"), DAYS.values(), ids=DAYS)
def test_the_first_period_that_is_paid_by_the_month_sets_the_day(day: BillingDay, expected: int) -> None:
    account = with_billing_day(somebody(), agreed(attrs.evolve(MONTHLY, billing_day=day)))
    assert account.billing_day == expected


@pytest.mark.proves("PLN-9")
def test_with_a_trial_it_is_the_day_on_which_that_ends() -> None:
    tried = attrs.evolve(MONTHLY, phases=(FREE, *MONTHLY.phases))
    assert with_billing_day(somebody(), agreed(tried)).billing_day == 30
    day_31 = attrs.evolve(tried, billing_day=DayOfMonth(31))
    assert with_billing_day(somebody(), agreed(day_31)).billing_day == 31
    a_month = attrs.evolve(MONTHLY, phases=(attrs.evolve(FREE, length=Months(1)), *MONTHLY.phases))
    assert with_billing_day(somebody(), agreed(a_month, at=MARCH_31)).billing_day == 30


@pytest.mark.proves("PLN-9")
def test_a_later_phase_sets_it_if_it_is_the_first_to_be_paid_by_the_month_and_not_otherwise() -> None:
    weeks = Phase(PhaseKind.INTRO, Days(15), ONE_EURO, Interval.weeks(1))
    weekly_first = attrs.evolve(MONTHLY, phases=(weeks, *MONTHLY.phases))
    assert with_billing_day(somebody(), agreed(weekly_first)).billing_day == 5
    months = Phase(PhaseKind.INTRO, Days(15), ONE_EURO, Interval.months(1))
    yearly_later = attrs.evolve(YEARLY, phases=(months, *YEARLY.phases))
    assert [one.cycle.anchor.day for one in agreed(yearly_later).segments] == [20, 5]
    assert with_billing_day(somebody(), agreed(yearly_later)).billing_day == 20


@pytest.mark.proves("PLN-9")
def test_weeks_and_plans_with_their_own_day_set_none_and_one_that_is_set_stays() -> None:
    assert with_billing_day(somebody(), agreed(flat_plan("7.00", Interval.weeks(1)))).billing_day is None
    own = attrs.evolve(MONTHLY, alignment=Alignment.SUBSCRIPTION)
    assert with_billing_day(somebody(), agreed(own)).billing_day is None
    assert with_billing_day(somebody(), agreed(MONTHLY, CALENDAR)).billing_day is None
    assert with_billing_day(somebody(billing_day=3), agreed(MONTHLY)).billing_day == 3


@pytest.mark.proves("PLN-9", "CYC-10")
def test_what_moves_in_sets_the_day_that_was_agreed_though_its_month_was_too_short() -> None:
    anchor = Anchor(year=2031, month=3, day=31, zone=BERLIN)
    made = moved_in(MONTHLY, period_start=date(2031, 4, 30), anchor=anchor)
    assert made.segments[0].start.day == 30
    assert with_billing_day(somebody(), made).billing_day == 31


@pytest.mark.proves("PLN-9", "SUB-9")
def test_what_moves_in_on_trial_sets_the_day_on_which_that_ends_and_one_that_is_over_sets_none() -> None:
    tried = attrs.evolve(MONTHLY, phases=(FREE, *MONTHLY.phases))
    running = Trial(started_at=datetime(2031, 4, 27, 12, tzinfo=UTC), ends_at=datetime(2031, 5, 7, 12, tzinfo=UTC))
    assert with_billing_day(somebody(), moved_in(tried, trial=running)).billing_day == 7
    over = Trial(started_at=datetime(2030, 4, 27, 12, tzinfo=UTC), ends_at=datetime(2030, 5, 7, 12, tzinfo=UTC))
    assert with_billing_day(somebody(), moved_in(tried, trial=over)).billing_day == 20


# The alignment that holds


@pytest.mark.proves("PLN-9")
@pytest.mark.parametrize("of_shop", list(Alignment))
@pytest.mark.parametrize("of_plan", [None, *Alignment])
def test_a_plan_says_whose_day_it_follows_or_else_the_shop(of_plan: Alignment | None, of_shop: Alignment) -> None:
    version, policy = attrs.evolve(MONTHLY, alignment=of_plan), shop(of_shop)
    holds = of_plan or of_shop
    assert alignment_of(version, policy) is holds
    assert agreed(version, policy).terms.alignment is holds
    assert moved_in(version, policy).terms.alignment is holds
    wish = plan_wish(agreed(MONTHLY, policy), version, somebody(), date(2031, 5, 1), policy)
    assert wish.terms is not None
    assert wish.terms.alignment is holds


@pytest.mark.proves("PLN-9")
def test_another_plan_follows_the_day_that_the_shop_says() -> None:
    before = agreed(MONTHLY, CALENDAR)
    calendar = plan_wish(before, YEARLY, somebody(), date(2031, 5, 1), CALENDAR)
    customer = plan_wish(before, YEARLY, somebody(billing_day=7), date(2031, 5, 1), CUSTOMER)
    assert calendar.terms is not None
    assert customer.terms is not None
    assert calendar.terms.billing_day == CalendarDay()
    assert customer.terms.billing_day == DayOfMonth(7)


@pytest.mark.proves("PLN-9")
def test_what_shares_an_invoice_goes_on_sharing_it_after_a_change_and_a_longer_trial() -> None:
    together = shop(Alignment.CUSTOMER, consolidate=True)
    wish = plan_wish(agreed(MONTHLY, together), YEARLY, somebody(), date(2031, 5, 1), together)
    assert wish.terms is not None
    assert wish.terms.consolidate
    tried = attrs.evolve(MONTHLY, phases=(FREE, *MONTHLY.phases))
    course = Course.begin(tried, APRIL_20, policy=together)
    assert course.subscription.trial is not None
    until = course.subscription.trial.ends_at + timedelta(days=5)
    longer = extend_trial(course.subscription, until, tried, course.account, together)
    assert (longer.terms.consolidate, moved_in(MONTHLY, together).terms.consolidate) == (True, True)
