"""Usage in the course of a subscription: what the planner bills of it, and when."""

from datetime import UTC, date, datetime, timedelta

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import Unavailable
from shopaccounts.kernel.money import Money, total
from shopaccounts.subscriptions.announcing.timeline import UpcomingKind, upcoming
from shopaccounts.subscriptions.billing.usage_billing import may_ask
from shopaccounts.subscriptions.changing.quoting import quote_change
from shopaccounts.subscriptions.changing.wishes import applied
from shopaccounts.subscriptions.charges.metering import Asked, Measured, UsageRequest
from shopaccounts.subscriptions.due import usage_due
from shopaccounts.subscriptions.events import UsageThresholdReached
from shopaccounts.subscriptions.lifecycle.agreeing import agreed_lines
from shopaccounts.subscriptions.lifecycle.ending import end
from shopaccounts.subscriptions.model import PauseReason
from shopaccounts.subscriptions.office.counting import NOT_METERED
from shopaccounts.subscriptions.papers.documents import BilledFor, InvoiceKind
from shopaccounts.subscriptions.papers.lines import Line, LineKind
from shopaccounts.subscriptions.pausing.pauses import pause_now
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.plans.add_ons import Metered as MeteredLine
from shopaccounts.subscriptions.plans.offers import CatchUpMode
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.policy.usage import UsagePolicy
from shopaccounts.subscriptions.scheduled import Aspect, Wish
from shopaccounts.subscriptions.states import Trigger
from shopaccounts.testing.subscribers import EUR, Course, flat_plan

START = datetime(2031, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
CALLS = MeteredLine(key="calls", meter="calls", prices=(PerUnit(Money.of("0.10", "EUR")),), included=10)
PHONE = flat_plan("10.00", metered=(CALLS,))
FREE_OF_NONE = flat_plan("10.00", metered=(attrs.evolve(CALLS, included=0),))
NOT_REQUIRED = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)


class Log:
    """A meter that counts what is used at instants; it notes what it was asked."""

    def __init__(self, *used: tuple[datetime, int]) -> None:
        self.used = list(used)
        self.asked: list[UsageRequest] = []

    def of(self, request: UsageRequest) -> Measured:
        """Count what lies in a stretch."""
        self.asked.append(request)
        return Measured(sum(n for at, n in self.used if request.start <= at < request.end), f"{len(self.used)}")


class Metered(Course):
    """The course of a subscription with a meter."""

    log: Log

    @property
    def facts(self):
        """What rules are told: what the log says, and what was billed before."""
        meters = {one.id: one for papers in self.papers for one in papers.meters}
        return attrs.evolve(super().facts, measured=self.log, meters=meters)


def day(month: int, number: int, hour: int = 12) -> datetime:
    return datetime(2031, month, number, hour, tzinfo=UTC)


def phone(*used: tuple[datetime, int], version=PHONE, **policy) -> Metered:
    course = Metered.begin(version, START, policy=SubscriptionPolicy(subscribing=NOT_REQUIRED, **policy))
    assert isinstance(course, Metered)
    course.log = Log(*used)
    return course


def unit_price(line: Line) -> str:
    assert isinstance(line.tariff, PerUnit)
    return str(line.tariff.money)


def usage_of(course: Course) -> list[tuple[str, list[tuple[int, str, date]]]]:
    invoices = [one for one in course.invoices.values() if one.kind is InvoiceKind.USAGE]
    return [(str(one.total), [(line.quantity, str(line.amount), line.start) for line in one.lines]) for one in invoices]


@pytest.mark.proves("USE-1", "USE-2")
def test_usage_is_billed_an_hour_after_its_period_on_an_invoice_of_its_own():
    course = phone((day(1, 5), 25), (day(2, 2), 12))
    boundary = course.subscription.due_at
    assert boundary is not None
    course.settle(boundary + HOUR - timedelta(seconds=1))
    assert usage_of(course) == []
    assert usage_due(course.subscription, course.policy) == boundary + HOUR
    course.settle(boundary + HOUR)
    assert usage_of(course) == [("1.50 EUR", [(15, "1.50 EUR", date(2031, 1, 1))])]
    course.settle(day(3, 2))
    assert usage_of(course)[1:] == [("0.20 EUR", [(2, "0.20 EUR", date(2031, 2, 1))])]
    claimed = [(one.index, str(one.total)) for one in course.cycles if one.part is BilledFor.USAGE]
    assert claimed == [(0, "1.50 EUR"), (1, "0.20 EUR")]


@pytest.mark.proves("USE-1")
def test_what_isnt_counted_isnt_billed_as_zero():
    course = phone()
    with pytest.raises(Unavailable):
        plan(course.subscription, NOT_METERED.told(super(Metered, course).facts), course.policy, day(2, 2))


@pytest.mark.proves("USE-1")
def test_what_to_ask_is_found_by_deciding_with_nothing_counted():
    course = phone((day(1, 5), 25))
    asked = Asked()
    plan(course.subscription, attrs.evolve(course.facts, measured=asked), course.policy, day(3, 2))
    course.settle(day(3, 2))
    assert set(asked.requests) == set(course.log.asked)
    assert {one.meter for one in asked.requests} == {"calls"}


@pytest.mark.proves("USE-2")
def test_late_usage_stands_on_the_next_invoice_with_its_own_days():
    course = phone((day(1, 5), 25))
    course.settle(day(2, 2))
    course.log.used += [(day(1, 31), 7), (day(2, 10), 11)]
    before = dict(course.invoices)
    course.settle(day(3, 2))
    (lines,) = [lines for _, lines in usage_of(course)[1:]]
    assert lines == [(7, "0.70 EUR", date(2031, 1, 1)), (1, "0.10 EUR", date(2031, 2, 1))]
    assert all(course.invoices[id].lines == one.lines for id, one in before.items())
    course.settle(day(4, 2))
    assert usage_of(course)[2:] == []


@pytest.mark.proves("USE-2")
def test_many_periods_at_once_are_billed_as_one_after_the_other():
    used = [(day(month, 5), 10 + month) for month in range(1, 6)]
    jump, steps = phone(*used), phone(*used)
    jump.settle(day(6, 2))
    at = START
    while at < day(6, 2):
        steps.settle(at)
        at += timedelta(hours=6)
    steps.settle(day(6, 2))
    assert usage_of(jump) == usage_of(steps)
    assert len(usage_of(jump)) == 5


@pytest.mark.proves("USE-2")
def test_late_usage_is_billed_once_where_several_periods_are_due_at_once():
    course = phone((day(1, 5), 25), (day(2, 5), 12), (day(3, 5), 13))
    course.settle(day(2, 2))
    course.log.used.append((day(1, 31), 7))
    course.settle(day(4, 2))
    lines = [line for _, lines in usage_of(course)[1:] for line in lines]
    assert [(quantity, start) for quantity, _, start in lines] == [
        (7, date(2031, 1, 1)),
        (2, date(2031, 2, 1)),
        (3, date(2031, 3, 1)),
    ]


@pytest.mark.proves("RUN-8", "USE-1")
def test_usage_of_lapsed_periods_is_billed_together():
    version = attrs.evolve(PHONE, catch_up=CatchUpMode.LATEST_ONLY)
    course = phone((day(1, 5), 20), (day(2, 5), 30), (day(3, 5), 40), version=version)
    course.settle(day(4, 2))
    assert usage_of(course) == [
        (
            "6.00 EUR",
            [
                (10, "1.00 EUR", date(2031, 1, 1)),
                (20, "2.00 EUR", date(2031, 2, 1)),
                (30, "3.00 EUR", date(2031, 3, 1)),
            ],
        )
    ]


@pytest.mark.proves("USE-1", "USE-3")
def test_who_leaves_within_a_day_pays_for_what_was_used_on_it():
    course = phone((day(1, 5), 100), (day(2, 10, 8), 50))
    course.settle(day(2, 2))
    course.take(end(course.subscription, day(2, 10), Trigger.CANCELED, course.policy), day(2, 10))
    course.settle(day(2, 10, 23))
    assert usage_of(course)[1:] == []
    course.settle(day(2, 11, 0))
    assert [lines for _, lines in usage_of(course)[1:]] == [[(47, "4.70 EUR", date(2031, 2, 1))]]
    course.settle(day(2, 20))
    assert course.subscription.due_at is None


@pytest.mark.proves("USE-1")
def test_an_order_that_nobody_paid_has_no_usage():
    course = Metered.begin(PHONE, START, paid=False)
    assert isinstance(course, Metered)
    course.log = Log((day(1, 1), 100))
    course.settle(day(3, 2))
    assert usage_of(course) == []
    assert course.subscription.due_at is None


@pytest.mark.proves("USE-3")
def test_what_was_used_before_a_pause_is_billed_and_nothing_of_the_pause():
    course = phone((day(1, 5), 100), (day(2, 3), 50), (day(2, 20), 1000))
    course.settle(day(2, 1, 0))
    at = day(2, 10, 11)
    paused = pause_now(course.subscription, at, day(5, 1), PauseReason.ASKED, course.facts, course.policy)
    course.take(paused, at)
    course.settle(day(4, 2))
    assert usage_of(course) == [
        ("9.00 EUR", [(90, "9.00 EUR", date(2031, 1, 1))]),
        ("4.70 EUR", [(47, "4.70 EUR", date(2031, 2, 1))]),
    ]


@pytest.mark.proves("USE-3")
def test_an_amount_that_usage_came_to_is_told_with_the_bill_once():
    alerts = UsagePolicy(alerts=(Money.of("1.00", "EUR"), Money.of("5.00", "EUR")))
    course = phone((day(1, 5), 40), (day(2, 5), 100), usage=alerts)
    course.settle(day(3, 2))
    told = [
        (event.index, str(event.threshold))
        for papers in course.papers
        for event in papers.events
        if event.name == "subscriptions.usage_threshold_reached" and isinstance(event, UsageThresholdReached)
    ]
    assert told == [(0, "1.00 EUR"), (1, "1.00 EUR"), (1, "5.00 EUR")]


@pytest.mark.proves("USE-1")
def test_what_is_to_come_shows_charges_to_which_usage_is_added():
    course = phone((day(1, 5), 40))
    ahead = upcoming(course.subscription, course.account, course.facts, course.policy, count=4)
    charges = [one for one in ahead if one.kind is UpcomingKind.CHARGE]
    assert charges
    assert all(one.is_open and str(one.amount) == "10.00 EUR" for one in charges)
    assert course.log.asked == []


@pytest.mark.proves("USE-1")
def test_only_who_has_a_meter_is_asked_about():
    assert may_ask(phone().subscription)
    assert not may_ask(phone(version=flat_plan("10.00")).subscription)


def test_usage_lines_say_what_they_are():
    course = phone((day(1, 5), 25))
    course.settle(day(2, 2))
    (line,) = [line for one in course.invoices.values() if one.kind is InvoiceKind.USAGE for line in one.lines]
    assert (line.kind, line.quantity_from) == (LineKind.USAGE, "calls 1")


def calls_at(course: Metered, price: str, *, included: int = 0) -> Wish:
    """The wish for a plan on which a call costs so much."""
    meter = attrs.evolve(CALLS, prices=(PerUnit(Money.of(price, "EUR")),), included=included)
    offers = agreed_lines(attrs.evolve(PHONE, metered=(meter,)), EUR, 1, {}, course.subscription.segments[-1])
    terms = attrs.evolve(course.subscription.terms, version=f"phone at {price}")
    return Wish(aspect=Aspect.PLAN, line=offers[0], terms=terms, offers=offers[1:])


@pytest.mark.proves("USE-3")
def test_a_change_cuts_usage_at_its_instant() -> None:
    course = phone((day(2, 10, 8), 20), (day(2, 10, 10), 3), version=FREE_OF_NONE)
    course.settle(day(2, 2))
    at = day(2, 10, 9)
    wish = calls_at(course, "1.00")
    course.take(
        quote_change(course.subscription, course.facts, [wish], Preset.NO_MONEY, course.policy, at).decision, at
    )
    course.settle(day(3, 2))
    assert [lines for _, lines in usage_of(course)] == [
        [(20, "2.00 EUR", date(2031, 2, 1)), (3, "3.00 EUR", date(2031, 2, 10))]
    ]


@pytest.mark.proves("USE-3", "USE-1")
@given(
    changes=st.lists(st.integers(0, 28 * 24 * 60 - 1), max_size=4, unique=True).map(sorted),
    used=st.lists(st.integers(0, 28 * 24 * 60 - 1), max_size=8),
)
@example(changes=[10], used=[5, 15])  # while reports of the cycle before are awaited
@example(changes=[600, 700, 800], used=[550, 650, 750, 850])  # there and back within a day
def test_each_call_costs_what_it_cost_at_its_instant(changes: list[int], used: list[int]) -> None:
    begins = datetime(2031, 1, 31, 23, tzinfo=UTC)
    minute, prices = timedelta(minutes=1), ["0.10", "1.00", "0.30", "0.10", "2.00"]
    course = phone(*((begins + each * minute, 1) for each in used), version=FREE_OF_NONE)
    course.settle(begins)
    for price, each in zip(prices[1:], changes, strict=False):
        at = begins + each * minute
        course.settle(at)
        wish = calls_at(course, price)
        quoted = quote_change(course.subscription, course.facts, [wish], Preset.NO_MONEY, course.policy, at)
        course.take(quoted.decision, at)
    course.settle(day(3, 2))
    billed = [line for one in course.invoices.values() if one.kind is InvoiceKind.USAGE for line in one.lines]
    at_once = [Money.of(prices[sum(change <= each for change in changes)], "EUR") for each in used]
    assert total((line.amount for line in billed), EUR) == total(at_once, EUR)
    assert sum(line.quantity for line in billed) == len(used)


@pytest.mark.proves("USE-3")
@pytest.mark.parametrize("on", [date(2031, 2, 1), date(2031, 2, 11)])
def test_a_change_cuts_usage_also_where_reports_of_the_cycle_before_are_still_awaited(on):
    course = phone((day(1, 5), 25), (day(2, 5), 30), (day(2, 20), 40))
    boundary = course.subscription.due_at
    assert boundary is not None
    course.settle(boundary)
    course.subscription = applied(course.subscription, [calls_at(course, "1.00", included=10)], on)
    course.advance(day(3, 2))
    invoices = [one for one in course.invoices.values() if one.kind is InvoiceKind.USAGE]
    january = [line for one in invoices for line in one.lines if line.start < date(2031, 2, 1)]
    assert [str(line.amount) for line in january] == ["1.50 EUR"]
    february = [line for one in invoices for line in one.lines if line.start >= date(2031, 2, 1)]
    assert [unit_price(line) for line in february] == {
        date(2031, 2, 1): ["1.00 EUR"],
        date(2031, 2, 11): ["0.10 EUR", "1.00 EUR"],
    }[on]
