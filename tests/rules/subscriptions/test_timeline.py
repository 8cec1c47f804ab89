"""The timeline: what is shown ahead is what will happen, computed by the rules that make it happen."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.subscriptions.announcing.timeline import Upcoming, UpcomingKind, upcoming
from shopaccounts.subscriptions.plans.phases import Days, Months, Phase, PhaseKind
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.plans.terms import Term
from shopaccounts.subscriptions.scheduled import CancelAt, Scheduled
from shopaccounts.testing.subscribers import EUR, Course, flat_plan

START = datetime(2031, 1, 31, 12, tzinfo=UTC)
COFFEE = flat_plan("17.90")


def ahead(course: Course, **how: Any) -> tuple[Upcoming, ...]:
    return upcoming(course.subscription, course.account, course.facts, course.policy, **how)


@pytest.mark.proves("SIM-2")
def test_charges_are_shown_with_their_tax() -> None:
    shown = ahead(Course.begin(COFFEE, START), count=3, rates={"": (Rate.percent("19"),)})
    assert [(one.at.date(), one.kind, str(one.amount)) for one in shown] == [
        (date(2031, 2, 27), UpcomingKind.CHARGE, "21.30 EUR"),
        (date(2031, 3, 30), UpcomingKind.CHARGE, "21.30 EUR"),
        (date(2031, 4, 29), UpcomingKind.CHARGE, "21.30 EUR"),
    ]


@pytest.mark.proves("SIM-2")
def test_a_trial_an_introduction_and_an_end_are_shown_in_order() -> None:
    phases = (
        Phase(PhaseKind.TRIAL, Days(14)),
        Phase(PhaseKind.INTRO, Months(1), (Flat(Money.of("1.00", EUR)),)),
        *COFFEE.phases,
    )
    course = Course.begin(attrs.evolve(COFFEE, phases=phases, term=Term(3)), START)
    assert [one.kind.value for one in ahead(course)] == [
        "trial_end",
        "charge",
        "phase",
        "charge",
        "charge",
        "end",
    ]


@pytest.mark.proves("SIM-2")
def test_the_future_is_cut_at_a_day_and_at_a_number() -> None:
    course = Course.begin(COFFEE, START)
    assert len(ahead(course, until=START + timedelta(days=60))) == 2
    assert len(ahead(course, count=100)) == 100
    for wrong in (0, 101, True):
        with pytest.raises(InvalidInput):
            ahead(course, count=wrong)


def test_nothing_comes_after_the_end() -> None:
    course = Course.begin(COFFEE, START)
    cancel = CancelAt(at=START + timedelta(days=10), asked_at=START)
    course.subscription = attrs.evolve(course.subscription, scheduled=Scheduled(cancel=cancel))
    assert [one.kind for one in ahead(course)] == [UpcomingKind.END]


@pytest.mark.proves("SIM-1", "SIM-2")
@given(
    price=st.sampled_from(["0.01", "17.90"]),
    trial=st.sampled_from([0, 20]),
    term=st.sampled_from([None, Term(2), Term(2, auto_renew=True, renewal_cycles=1)]),
    day=st.integers(0, 60),
)
def test_what_is_shown_is_what_happens(price: str, trial: int, term: Term | None, day: int) -> None:
    phases = ((Phase(PhaseKind.TRIAL, Days(trial)),) if trial else ()) + flat_plan(price).phases
    start = START + timedelta(days=day)
    course = Course.begin(attrs.evolve(COFFEE, phases=phases, term=term), start)
    shown = [one for one in ahead(course, count=6) if one.kind is UpcomingKind.CHARGE]
    before = len(course.invoices)
    course.settle(start + timedelta(days=400))
    happened = list(course.invoices.values())[before:]
    assert [(one.amount, one.lines) for one in shown] == [
        (invoice.due, invoice.lines) for invoice in happened[: len(shown)]
    ]
