"""When a change holds: at once, later, or from the end of a pause; and what it makes of everything else planned."""

from datetime import date, timedelta

import attrs
import pytest

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.errors import BadPolicy, InvalidInput
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import start_of_day, zone
from shopaccounts.subscriptions.billing.unused import rest_of
from shopaccounts.subscriptions.changing.changes import (
    When,
    change,
    change_due,
    drop_change,
    end_of_paid_time,
    move_billing_day,
)
from shopaccounts.subscriptions.changing.relocating import relocate
from shopaccounts.subscriptions.changing.wanting import product_wish, quantity_wish, removal_wish
from shopaccounts.subscriptions.changing.wishes import merged
from shopaccounts.subscriptions.cycles.schedules import CalendarDay, DayOfMonth, Weekday
from shopaccounts.subscriptions.cycles.segments import segment_numbered
from shopaccounts.subscriptions.errors import (
    BackdatedTooFar,
    BadPlan,
    BadQuantity,
    CancellationScheduled,
    NothingToChange,
)
from shopaccounts.subscriptions.model import PauseReason
from shopaccounts.subscriptions.pausing.pauses import pause_now
from shopaccounts.subscriptions.pausing.resuming import resume_now
from shopaccounts.subscriptions.plans.add_ons import QuantityRule
from shopaccounts.subscriptions.plans.agreed import RunningTerm
from shopaccounts.subscriptions.plans.offers import PlanVersionId, Term
from shopaccounts.subscriptions.plans.phases import Cycles, Phase, PhaseKind
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy.changes import ChangePolicy, Preset
from shopaccounts.subscriptions.scheduled import (
    Aspect,
    CancelAt,
    ChangeAt,
    Override,
    OverrideKind,
    PauseAt,
    Scheduled,
)
from shopaccounts.testing.changing import Ledger, a_plan, no_first_payment

SMALL, LARGE = a_plan("31.00"), a_plan("62.00")
SEATS = a_plan("31.00", id="seats", add_ons={"seat": "3.10"}, per_unit=True)
YEARLY = a_plan("365.00", Interval.months(12))
MAY_12, MAY_23, JUNE_12 = date(2026, 5, 12), date(2026, 5, 23), date(2026, 6, 12)
P = Preset


def nora(version=SMALL, day: date = MAY_23, **more) -> Ledger:
    return Ledger(version, MAY_12, **more).until(day, 15)


def changed(books: Ledger, *wishes, preset: Preset | None = None, when: date | When | None = None, **more):
    quoted = change(books.subscription, books.facts, wishes, preset, when, books.policy, books.now, **more)
    books.take(quoted.decision)
    return quoted


def planned(books: Ledger, **plans) -> Ledger:
    books.subscription = attrs.evolve(books.subscription, scheduled=Scheduled(**plans))
    return books


def planned_change(books: Ledger) -> ChangeAt:
    plan = books.subscription.scheduled.change
    assert plan is not None
    return plan


def names(decision) -> list[str]:
    return [event.name.removeprefix("subscriptions.") for event in decision.events]


def midnight(day: date):
    return start_of_day(day, nora().subscription.zone)


@pytest.mark.proves("CHG-2")
def test_a_later_wish_replaces_an_earlier_one_about_the_same_aspect_of_the_same_line():
    books = nora(SEATS)
    tea = product_wish(books.subscription, "tea")
    seats = quantity_wish(2, "seat")
    assert merged([quantity_wish(2), seats], [quantity_wish(5), tea]) == (quantity_wish(5), seats, tea)


@pytest.mark.proves("CHG-2")
def test_a_second_plan_for_another_instant_replaces_the_first():
    books = nora(SEATS)
    changed(books, quantity_wish(2), when=date(2026, 6, 1))
    changed(books, quantity_wish(3), when=date(2026, 6, 2))
    plan = planned_change(books)
    assert (plan.at, plan.wishes) == (midnight(date(2026, 6, 2)), (quantity_wish(3),))


@pytest.mark.proves("CHG-2")
def test_what_is_changed_now_is_planned_no_more_and_the_rest_stays_planned():
    books = nora(SEATS, add_ons={"seat": 2}, quantity=4)
    changed(books, quantity_wish(2), removal_wish("seat"), when=When.AT_PERIOD_END)
    changed(books, quantity_wish(5))
    assert [wish.aspect for wish in planned_change(books).wishes] == [Aspect.REMOVE]
    quoted = changed(nora(SEATS), quantity_wish(3), when=When.AT_PERIOD_END)
    books = planned(nora(SEATS), change=quoted.decision.subscription.scheduled.change)
    dropped = changed(books, quantity_wish(2))
    assert names(dropped.decision) == ["quantity_changed", "scheduled_change_dropped"]
    assert books.subscription.scheduled.change is None


@pytest.mark.proves("CHG-2")
def test_a_day_that_is_over_or_too_far_ahead_is_refused():
    books = nora()
    with pytest.raises(BackdatedTooFar) as refused:
        changed(books, books.plan_wish(LARGE), when=MAY_23 - timedelta(days=1))
    assert refused.value.earliest == MAY_23
    with pytest.raises(BackdatedTooFar) as refused:
        changed(books, books.plan_wish(LARGE), when=MAY_12 - timedelta(days=1), by_shop=True)
    assert refused.value.earliest == MAY_12
    with pytest.raises(InvalidInput):
        changed(books, books.plan_wish(LARGE), when=MAY_23 + timedelta(days=367))


def test_the_end_of_a_period_and_another_day_contradict_each_other():
    books = nora()
    for preset, when in ((P.AT_PERIOD_END, MAY_23), (P.PRORATE_NOW, When.AT_PERIOD_END)):
        with pytest.raises(InvalidInput):
            changed(books, books.plan_wish(LARGE), preset=preset, when=when)


def test_who_wants_less_now_has_the_rest_back_now():
    books = nora(LARGE)
    quoted = changed(books, books.plan_wish(SMALL), when=When.NOW)
    assert (quoted.preset, str(quoted.net)) == (P.PRORATE_NOW, "-20.00 EUR")


@pytest.mark.proves("SUB-4")
def test_another_plan_drops_a_planned_pause_and_another_quantity_does_not():
    pause = PauseAt(at=midnight(JUNE_12), until=midnight(date(2026, 7, 1)))
    books = planned(nora(), pause=pause)
    quoted = books.quote(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    assert (names(quoted.decision)[-1], quoted.decision.subscription.scheduled.pause) == (
        "scheduled_change_dropped",
        None,
    )
    books = planned(nora(SEATS), pause=pause)
    assert books.quote(quantity_wish(2)).decision.subscription.scheduled.pause == pause


@pytest.mark.proves("SUB-4")
def test_nothing_is_planned_for_after_the_end():
    books = planned(nora(SEATS), cancel=CancelAt(at=midnight(JUNE_12), asked_at=midnight(MAY_12)))
    with pytest.raises(CancellationScheduled):
        changed(books, quantity_wish(2), when=When.AT_PERIOD_END)
    assert changed(books, quantity_wish(2), when=When.NOW).charges


@pytest.mark.proves("CHG-2", "PAU-9")
def test_a_planned_change_goes_along_with_a_boundary_that_is_moved():
    books = nora()
    changed(books, books.plan_wish(LARGE), when=When.AT_PERIOD_END)
    later = date(2026, 6, 20)
    move = Override(kind=OverrideKind.MOVE, index=1, on=later, made_on=MAY_23)
    books.subscription = attrs.evolve(books.subscription, overrides=(move,))
    books.until(JUNE_12)
    assert planned_change(books).at == midnight(later) == end_of_paid_time(books.subscription)
    books.until(later)
    assert [str(line.base) for line in books.written[-1].invoices[0].lines] == ["62.00 EUR"]


@pytest.mark.proves("CHG-2")
def test_a_planned_change_that_cannot_be_made_any_more_is_dropped_and_told():
    books = nora(SEATS, add_ons={"seat": 1})
    changed(books, removal_wish("seat"), when=When.AT_PERIOD_END)
    books.subscription = attrs.evolve(books.subscription, lines=books.subscription.lines[:1])
    decision = change_due(books.subscription, midnight(JUNE_12), books.facts, books.policy)
    assert (names(decision), decision.subscription.scheduled.change) == (["scheduled_change_dropped"], None)


def test_a_plan_that_nobody_has_cannot_be_dropped():
    books = nora()
    with pytest.raises(NothingToChange):
        drop_change(books.subscription, books.now)
    assert change_due(books.subscription, books.now, books.facts, books.policy).subscription is books.subscription


@pytest.mark.proves("CHG-12")
def test_changes_are_counted_and_their_days_kept():
    books = nora(SEATS)
    for count in (2, 3):
        books.change(quantity_wish(count), preset=P.PRORATE_NOW)
    assert (books.subscription.change_seq, books.subscription.changed_on) == (2, (MAY_23, MAY_23))


@pytest.mark.proves("CHG-1")
@pytest.mark.parametrize("count", [0, -1, 7, 1_000_001])
def test_quantities_that_may_not_be_chosen_are_refused(count):
    version = attrs.evolve(SEATS, quantities=QuantityRule(min=2, max=10, step=2))
    books = nora(version, quantity=2)
    with pytest.raises(BadQuantity):
        books.quote(quantity_wish(count))


def test_lines_that_are_not_there_are_not_changed():
    books = nora(SEATS)
    for wish in (quantity_wish(2, "seat"), removal_wish("seat"), removal_wish("plan")):
        with pytest.raises(InvalidInput):
            books.quote(wish)


@pytest.mark.proves("PLN-10")
def test_a_commitment_is_not_got_rid_of_by_changing():
    a_year, two_years = Term(cycles=12, min_cycles=6), Term(cycles=24)
    bound = attrs.evolve(SMALL, term=a_year)
    books = nora(bound)
    books.change(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    assert books.subscription.term == RunningTerm(agreed=a_year, begun=1)
    longer = attrs.evolve(a_plan("70.00"), term=two_years)
    books.change(books.plan_wish(longer), preset=P.PRORATE_NOW)
    assert books.subscription.term == RunningTerm(agreed=two_years, begun=1)


def test_a_change_leads_to_the_price_that_stays_and_not_to_an_introduction():
    cheap = a_plan("1.00").phases[0].prices[0]
    assert isinstance(cheap, Flat)
    cheap_first = Phase(PhaseKind.INTRO, Cycles(3), (Flat(cheap.money),))
    version = attrs.evolve(LARGE, phases=(cheap_first, *LARGE.phases))
    books = nora()
    assert [str(line.base) for line in books.quote(books.plan_wish(version)).charges] == ["40.00 EUR"]


@pytest.mark.proves("CHG-14")
def test_a_moved_billing_day_has_a_stub_of_the_new_cycles():
    books = nora()
    decision = move_billing_day(books.subscription, DayOfMonth(20), books.policy, books.now)
    assert names(decision) == ["billing_day_moved"]
    books.take(decision)
    books.until(JUNE_12)
    (line,) = books.written[-1].invoices[0].lines
    assert line.factor is not None
    assert (line.end, line.factor.numerator, line.factor.denominator) == (date(2026, 6, 20), 8, 31)
    books.until(date(2026, 6, 20))
    assert books.written[-1].invoices[0].lines[0].end == date(2026, 7, 20)


@pytest.mark.proves("CHG-14")
def test_the_same_billing_day_is_nothing_new_and_one_that_does_not_suit_is_refused():
    books = nora()
    with pytest.raises(NothingToChange):
        move_billing_day(books.subscription, DayOfMonth(12), books.policy, books.now)
    with pytest.raises(BadPlan):
        move_billing_day(books.subscription, Weekday(1), books.policy, books.now)


@pytest.mark.proves("CHG-14", "PAU-8")
def test_what_was_different_about_cycles_beyond_a_moved_day_is_dropped():
    books = nora()
    skip = Override(kind=OverrideKind.SKIP, index=3, made_on=MAY_23)
    books.subscription = attrs.evolve(books.subscription, overrides=(skip,))
    decision = move_billing_day(books.subscription, CalendarDay(), books.policy, books.now)
    assert (names(decision), decision.subscription.overrides) == (["billing_day_moved", "override_dropped"], ())


@pytest.mark.proves("SUB-5")
def test_what_rests_is_changed_without_money_and_runs_on_at_the_new_price():
    books = nora()
    paused = pause_now(books.subscription, books.now, None, PauseReason.ASKED, books.facts, books.policy)
    books.take(paused)
    later = ChangeAt(at=midnight(date(2026, 6, 1)), wishes=(books.plan_wish(LARGE),), preset=P.PRORATE_NOW.value)
    planned(books, change=later).until(date(2026, 6, 1))
    assert (books.written[-1].invoices, books.subscription.terms.version) == ((), LARGE.id)
    books.until(date(2026, 6, 27))
    books.take(resume_now(books.subscription, books.now, books.policy))
    books.until(date(2026, 6, 27))
    (line,) = books.written[-1].invoices[0].lines
    assert (line.start, line.end, str(line.base)) == (date(2026, 6, 27), date(2026, 7, 12), "31.00 EUR")


@pytest.mark.proves("SUB-5")
@pytest.mark.parametrize("resumed", [date(2026, 6, 2), date(2026, 6, 27)])
def test_another_frequency_of_what_rests_begins_where_the_paid_time_ends(resumed):
    books = nora()
    books.take(pause_now(books.subscription, books.now, None, PauseReason.ASKED, books.facts, books.policy))
    later = ChangeAt(at=books.now, wishes=(books.plan_wish(YEARLY),), preset=P.PRORATE_NOW.value)
    planned(books, change=later).until(MAY_23, 16)
    assert planned_change(books).at == midnight(JUNE_12)
    books.until(resumed)
    books.take(resume_now(books.subscription, books.now, books.policy))
    books.until(date(2026, 6, 27))
    (line,) = books.written[-1].invoices[0].lines
    begins = max(resumed, JUNE_12)
    assert (line.start, line.product) == (begins, YEARLY.plan.code)
    assert line.end == date(2027, 6 if resumed < JUNE_12 else 5, 12)


@pytest.mark.proves("POL-1")
def test_a_way_that_is_none_of_the_eight_is_no_policy():
    for wrong in ({"max_changes_per_day": 0}, {"conversion_every_days": 0}, {"upgrade": "prorate"}):
        with pytest.raises(BadPolicy):
            ChangePolicy(**wrong)
    assert no_first_payment().changes == ChangePolicy()


@pytest.mark.proves("CHG-13")
@pytest.mark.parametrize("units", [1, 2])
def test_a_change_at_a_boundary_leaves_the_period_that_ended_at_its_own_price(units):
    small, large = (a_plan(price, mode=BillingMode.IN_ARREARS, per_unit=True) for price in ("31.00", "62.00"))
    books = nora(small)
    wishes = (books.plan_wish(large),) if units == 1 else (quantity_wish(units),)
    changed(books, *wishes, when=When.AT_PERIOD_END)
    books.until(date(2026, 7, 12))
    bills = [line for papers in books.written for invoice in papers.invoices for line in invoice.lines]
    assert [(line.start, str(line.amount)) for line in bills] == [(MAY_12, "31.00 EUR"), (JUNE_12, "62.00 EUR")]


WEEKS_FIRST = attrs.evolve(
    SMALL,
    id=PlanVersionId("weeks-first"),
    phases=(Phase(PhaseKind.INTRO, Cycles(2), (Flat(Money.of("7.00", "EUR")),), Interval.weeks(1)), *SMALL.phases),
)
"""Two weeks, and months from 26 May on."""


def two_weeks_in(*, ahead: int) -> Ledger:
    """In the second week; the first month is billed already, or not."""
    usual = no_first_payment()
    policy = attrs.evolve(usual, running=attrs.evolve(usual.running, bill_ahead_days=ahead))
    return Ledger(WEEKS_FIRST, MAY_12, policy=policy).until(MAY_23, 15)


@pytest.mark.proves("INV-6", "SCH-9", "RUN-9", "CHG-5")
@pytest.mark.parametrize("preset", [P.RESET_CREDIT, P.RESET_FORFEIT, P.PRORATE_NOW, P.TIME_CONVERSION])
def test_cycles_that_count_anew_are_others_than_those_of_a_phase_that_was_billed_ahead(preset):
    books = two_weeks_in(ahead=3)
    assert books.subscription.billed_to == 3
    books.change(books.plan_wish(YEARLY), preset=preset)
    books.until(date(2028, 1, 1))
    keys = [cycle.id for papers in books.written for cycle in papers.cycles]
    assert len(keys) == len(set(keys))
    bills = [invoice.key for papers in books.written for invoice in papers.invoices]
    assert len(bills) == len(set(bills))


@pytest.mark.proves("CHG-3", "CHG-5", "RUN-9")
@pytest.mark.parametrize("preset", [P.RESET_CREDIT, P.PRORATE_NOW])
def test_what_was_billed_ahead_of_a_phase_that_never_begins_is_given_back_in_full(preset):
    early, in_time = two_weeks_in(ahead=3), two_weeks_in(ahead=0)
    assert [one.subscription.billed_to for one in (early, in_time)] == [3, 2]
    for one in (early, in_time):
        one.change(one.plan_wish(YEARLY), preset=preset)
    assert early.owed == in_time.owed
    assert early.subscription.billed_to == in_time.subscription.billed_to
    for one in (early, in_time):
        one.until(JUNE_12).change(one.plan_wish(LARGE), preset=P.RESET_CREDIT)
    assert early.owed == in_time.owed


@pytest.mark.proves("CHG-3", "SCH-9")
def test_all_is_left_of_what_was_billed_of_a_segment_that_never_began():
    books = two_weeks_in(ahead=3)
    (line,) = [one for invoice in books.invoices.values() for one in invoice.lines if one.cycle and one.cycle.index > 1]
    books.change(books.plan_wish(YEARLY), preset=P.RESET_FORFEIT)
    assert segment_numbered(books.subscription.segments, 1) is None
    assert rest_of(books.subscription, line, line.start + timedelta(1)) == line.factor


@pytest.mark.proves("SCH-9")
def test_a_number_of_a_segment_is_given_once():
    books = two_weeks_in(ahead=0)
    assert [one.number for one in books.subscription.segments] == [0, 1]
    books.change(books.plan_wish(YEARLY), preset=P.RESET_CREDIT)
    assert [one.number for one in books.subscription.segments] == [0, 2]
    books.change(books.plan_wish(LARGE), preset=P.RESET_CREDIT)
    assert [one.number for one in books.subscription.segments] == [0, 2, 3]
    moved = relocate(books.subscription, zone("Europe/Lisbon"), books.now).subscription
    assert [one.number for one in moved.segments] == [0, 2, 3, 4]
