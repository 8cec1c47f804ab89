from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import BadPolicy, Defect, Unavailable
from shopaccounts.kernel.money import Money, total
from shopaccounts.kernel.time import start_of_day, zone
from shopaccounts.serial import dump, load
from shopaccounts.subscriptions.charges.metering import (
    Measured,
    Measurements,
    Missing,
    UsageRequest,
    measurements,
)
from shopaccounts.subscriptions.charges.usage import (
    METERS,
    BilledUsage,
    Meter,
    Told,
    UsagePart,
    late_usage,
    spent,
    thresholds_reached,
    usage_billed,
    usage_line,
    usage_parts,
)
from shopaccounts.subscriptions.cycles.proration import Method
from shopaccounts.subscriptions.cycles.schedules import CycleRef, DayOfMonth
from shopaccounts.subscriptions.cycles.segments import due_in_arrears, service_period_of
from shopaccounts.subscriptions.model import CutLine, Subscription
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.tariffs import Graduated, PerUnit, Tier, Volume
from shopaccounts.subscriptions.policy.usage import UsagePolicy
from shopaccounts.subscriptions.scheduled import Override, OverrideKind
from shopaccounts.testing.boxes import box_subscription

BERLIN = zone("Europe/Berlin")
MONTHLY = Interval.months(1)
CENT = PerUnit(Money.of("0.01", "EUR"))
CALLS = SubscribedLine(key="calls", product="calls", tariff=CENT, meter="calls", included=1000)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def metered(*lines: SubscribedLine, start: date = date(2031, 3, 1), **facts) -> Subscription:
    nora = box_subscription(start, None, billing=MONTHLY, **facts)
    return attrs.evolve(nora, lines=(*nora.lines, *(lines or (CALLS,))))


def parts_of(subscription: Subscription, index: int = 0, method: Method = Method.ACTUAL_DAYS, **facts):
    return usage_parts(
        subscription,
        service_period_of(subscription.segments, index, moved=subscription.moved, **facts),
        method,
    )


def counted(*pairs: tuple[UsagePart, int], watermark: str = "w1") -> Measurements:
    requests = [part.request for part, _ in pairs]
    return measurements(requests, [Measured(quantity, watermark) for _, quantity in pairs])


# What is asked


@pytest.mark.proves("USE-1")
def test_a_meter_is_asked_for_the_instants_of_a_period_though_clocks_change_in_it():
    (march,) = parts_of(metered())
    assert march.request == UsageRequest("sub-1", "calls", utc("2031-02-28 23:00"), utc("2031-03-31 22:00"))
    assert march.cycle == CycleRef("sub-1", 0, 0)
    (february,) = parts_of(metered(start=date(2031, 1, 31)), 1)
    assert (february.start, february.end) == (date(2031, 2, 28), date(2031, 3, 31))


@pytest.mark.proves("USE-1")
def test_a_period_that_begins_within_a_day_is_asked_from_that_instant_on():
    (part,) = parts_of(metered(start=start_of_day(date(2031, 3, 1), BERLIN) + timedelta(hours=15)))
    assert part.request.start == utc("2031-03-01 14:00")


@pytest.mark.proves("USE-1")
def test_only_metered_lines_are_asked_for_as_long_as_they_are_there():
    size = attrs.evolve(CALLS, key="bytes", meter="bytes", until_cycle=1)
    nora = metered(CALLS, size)
    assert [part.request.meter for part in parts_of(nora)] == ["bytes", "calls"]
    assert [part.request.meter for part in parts_of(nora, 1)] == ["calls"]
    assert parts_of(box_subscription(date(2031, 3, 1), None)) == ()


@pytest.mark.proves("USE-1")
def test_a_metered_line_without_a_price_is_a_defect():
    (part,) = parts_of(metered(attrs.evolve(CALLS, tariff=None)))
    with pytest.raises(Defect, match="calls"):
        part.cost(1)


# What is answered


def as_told(quantity: Any, watermark: Any = "w") -> Measured:
    """Answer a count as a source may give it that keeps to no types."""
    return Measured(quantity, watermark)


@pytest.mark.proves("USE-1")
@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (Missing(), Unavailable),
        (Measured(-1, "w"), Defect),
        (as_told(1.5), Defect),
        (as_told(2.0), Defect),
        (Measured(True, "w"), Defect),
        (as_told(None), Defect),
        (as_told("7"), Defect),
        (Measured(2**63, "w"), Defect),
        (as_told(1, None), Defect),
        (None, Defect),
        (7, Defect),
    ],
)
def test_what_is_wrong_with_one_count_keeps_one_subscription_from_being_billed(answer, failure):
    (mine,) = parts_of(metered())
    other = UsageRequest("sub-2", "calls", mine.request.start, mine.request.end)
    second = attrs.evolve(mine.request, meter="bytes")
    measured = measurements([mine.request, other, second], [answer, Measured(7, "w"), Measured(0, "w")])
    assert measured.of(other) == Measured(7, "w")
    for request in (mine.request, second):
        with pytest.raises(failure):
            measured.of(request)
    with pytest.raises(failure):
        usage_billed([mine], measured)


@pytest.mark.proves("USE-1")
def test_that_a_count_is_missing_is_nobodys_fault_and_not_zero():
    (part,) = parts_of(metered())
    with pytest.raises(Unavailable) as missing:
        usage_billed([part], measurements([part.request], [Missing()]))
    assert missing.value.reason == "usage_missing"
    (none,) = usage_billed([part], counted((part, 0)))
    assert none.amount.is_zero


@pytest.mark.proves("USE-1")
def test_a_count_may_be_as_large_as_what_can_be_stored():
    (part,) = parts_of(metered())
    assert counted((part, 2**63 - 1)).of(part.request).quantity == 2**63 - 1


@pytest.mark.proves("USE-1")
def test_too_few_answers_or_too_many_are_a_defect_of_the_whole_page():
    (part,) = parts_of(metered())
    for answers in ([], [Measured(1, "w")] * 2):
        with pytest.raises(Defect):
            measurements([part.request], answers)


# What it costs


@pytest.mark.proves("USE-3")
def test_included_units_cost_nothing_and_the_rest_has_its_tariff():
    (part,) = parts_of(metered())
    assert [part.cost(quantity) for quantity in (0, 999, 1000, 1001, 12_345)] == [
        (0, eur("0")),
        (0, eur("0")),
        (0, eur("0")),
        (1, eur("0.01")),
        (11_345, eur("113.45")),
    ]


@pytest.mark.proves("USE-3")
def test_a_stub_includes_its_part_rounded_down():
    nora = metered(start=date(2031, 3, 18), billing_day=DayOfMonth(5))
    assert parts_of(nora)[0].included == 1000 * 18 // 31 == 580
    assert parts_of(nora, 1)[0].included == 1000
    assert parts_of(nora, method=Method.FIXED_30)[0].included == 1000 * 17 // 30 == 566
    assert parts_of(nora, method=Method.NONE)[0].included == 580
    assert parts_of(nora, 1, end=date(2031, 4, 20))[0].included == 1000 * 15 // 30


@pytest.mark.proves("USE-3")
def test_a_period_that_was_moved_includes_what_it_would_have_included():
    longer = Override(kind=OverrideKind.MOVE, index=1, on=date(2031, 4, 10), made_on=date(2031, 3, 1))
    (part,) = parts_of(attrs.evolve(metered(), overrides=(longer,)))
    assert (part.included, part.end, part.to_instant) == (1000, date(2031, 4, 10), utc("2031-04-09 22:00"))


@pytest.mark.proves("USE-3")
def test_a_change_within_a_period_cuts_usage_and_each_part_has_its_own_price():
    dearer = attrs.evolve(CALLS, tariff=PerUnit(eur("0.02")), included=310, since=date(2031, 3, 11))
    cut = CutLine(line=CALLS, start=date(2031, 3, 1), end=date(2031, 3, 11))
    nora = attrs.evolve(metered(dearer), cut=(cut,))
    before, after = parts_of(nora)
    assert (before.to_instant, after.from_instant) == (utc("2031-03-10 23:00"),) * 2
    assert (before.included, after.included) == (1000 * 10 // 31, 310 * 21 // 31) == (322, 210)
    billed = usage_billed((before, after), counted((before, 422), (after, 310)))
    assert [(each.quantity, each.amount) for each in billed] == [(100, eur("1.00")), (100, eur("2.00"))]
    assert len(parts_of(nora, 1)) == 1


@pytest.mark.proves("USE-3")
def test_a_line_that_was_cut_before_or_after_a_period_has_no_part_in_it():
    earlier = CutLine(line=CALLS, start=date(2031, 2, 1), end=date(2031, 3, 1))
    plain = CutLine(line=SubscribedLine(product="coffee"), start=date(2031, 3, 1), end=date(2031, 3, 9))
    later = attrs.evolve(CALLS, since=date(2031, 4, 1))
    assert parts_of(attrs.evolve(metered(later), cut=(earlier, plain))) == ()


@pytest.mark.proves("USE-3")
def test_while_everything_is_free_usage_is_free():
    nora = metered()
    (phase,) = nora.terms.phases
    trial = attrs.evolve(phase, tariff=None, end=date(2031, 3, 16))
    paid = attrs.evolve(phase, start=date(2031, 3, 16))
    in_trial = attrs.evolve(nora, terms=attrs.evolve(nora.terms, phases=(trial, paid)))
    (part,) = parts_of(in_trial)
    assert (part.start, part.end, part.included) == (date(2031, 3, 16), date(2031, 4, 1), 1000 * 16 // 31)
    intro = attrs.evolve(in_trial.terms, phases=(attrs.evolve(trial, tariff=phase.tariff), paid))
    assert [each.start for each in parts_of(attrs.evolve(in_trial, terms=intro))] == [date(2031, 3, 1)]
    long = attrs.evolve(in_trial.terms, phases=(attrs.evolve(trial, end=date(2031, 6, 1)), paid))
    assert parts_of(attrs.evolve(in_trial, terms=long)) == ()


@pytest.mark.proves("USE-3")
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(2, 31))
def test_a_cut_never_includes_more_than_the_whole_period_does(included, quantity, day):
    line = attrs.evolve(CALLS, included=included)
    (whole,) = parts_of(metered(line))
    changed = date(2031, 3, day)
    cut = attrs.evolve(
        metered(attrs.evolve(line, since=changed)),
        cut=(CutLine(line=line, start=date(2031, 3, 1), end=changed),),
    )
    before, after = parts_of(cut)
    assert (before.from_instant, after.to_instant) == (whole.from_instant, whole.to_instant)
    assert before.to_instant == after.from_instant
    assert whole.included - 1 <= before.included + after.included <= whole.included == included
    assert whole.cost(quantity)[1] == eur("0.01") * max(quantity - included, 0)


# When it is final, and what comes later


@pytest.mark.proves("USE-2")
def test_a_period_is_final_an_hour_after_its_end():
    nora, policy = metered(), UsagePolicy()
    assert due_in_arrears(nora.segments, 0, usage_grace=policy.usage_grace) == utc("2031-03-31 23:00")
    with pytest.raises(BadPolicy):
        UsagePolicy(usage_grace=timedelta(microseconds=-1))
    with pytest.raises(BadPolicy):
        UsagePolicy(alerts=(eur("0"),))


@pytest.mark.proves("USE-2")
def test_a_line_says_what_was_to_be_paid_of_which_days_and_up_to_where_was_counted():
    (part,) = parts_of(metered())
    (billed,) = usage_billed([part], counted((part, 1500), watermark="offset 77"))
    line = usage_line(billed)
    assert line is not None
    assert (line.kind, line.key, line.quantity, line.amount) == (LineKind.USAGE, "calls", 500, eur("5.00"))
    assert (line.start, line.end, line.cycle) == (part.start, part.end, part.cycle)
    assert (line.tariff, line.quantity_from) == (CENT, "calls offset 77")
    (free,) = usage_billed([part], counted((part, 1000)))
    assert usage_line(free) is None


@pytest.mark.proves("USE-2")
def test_usage_that_was_reported_later_is_a_line_of_its_own_with_its_own_days():
    (part,) = parts_of(metered())
    billed = usage_billed([part], counted((part, 900)))
    billed, new = late_usage(billed, counted((part, 1300), watermark="w2"))
    (line,) = map(usage_line, new)
    assert line is not None
    assert (line.quantity, line.amount, line.start, line.end) == (300, eur("3.00"), part.start, part.end)
    assert line.quantity_from == "calls w2"
    assert late_usage(billed, counted((part, 1300), watermark="w3")) == (billed, ())
    billed, new = late_usage(billed, counted((part, 1400)))
    assert [each.amount for each in new] == [eur("1.00")]


@pytest.mark.proves("USE-2")
def test_reading_again_never_takes_back_what_was_billed():
    (part,) = parts_of(metered())
    billed = usage_billed([part], counted((part, 1500)))
    assert late_usage(billed, counted((part, 1200), watermark="w2")) == (billed, ())


TIERS = (Tier(100, eur("0.10"), eur("5.00")), Tier(1000, eur("0.05")), Tier(None, eur("0.01"), per=3))


@pytest.mark.proves("USE-2", "USE-3")
@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=6),
    st.sampled_from([PerUnit(eur("0.07"), per=9), Graduated(TIERS)]),
)
def test_what_is_billed_in_time_and_late_is_what_all_of_it_would_have_cost(counts, tariff):
    (part,) = parts_of(metered(attrs.evolve(CALLS, tariff=tariff)))
    first, *later = counts
    billed = usage_billed([part], counted((part, first)))
    amounts = [each.amount for each in billed]
    for count in later:
        billed, new = late_usage(billed, counted((part, count)))
        assert all(each.amount.minor > 0 for each in new)
        amounts += [each.amount for each in new]
    assert total(amounts, "EUR") == part.cost(max(counts))[1] == billed[0].amount


@pytest.mark.proves("USE-2")
def test_where_more_usage_costs_less_nothing_is_billed_late_and_nothing_taken_back():
    cheaper = Volume((Tier(10, eur("1.00")), Tier(None, eur("0.10"))))
    (part,) = parts_of(metered(attrs.evolve(CALLS, tariff=cheaper, included=0)))
    billed = usage_billed([part], counted((part, 10)))
    assert late_usage(billed, counted((part, 20))) == (billed, ())
    assert late_usage(billed, counted((part, 100))) == (billed, ())  # which costs the same
    _, new = late_usage(billed, counted((part, 101)))
    assert [(each.quantity, each.amount) for each in new] == [(91, eur("0.10"))]


# Alerts


@pytest.mark.proves("USE-3")
def test_what_is_spent_so_far_is_asked_up_to_now():
    dearer = attrs.evolve(CALLS, tariff=PerUnit(eur("0.02")), included=0, since=date(2031, 3, 11))
    cut = CutLine(line=attrs.evolve(CALLS, included=0), start=date(2031, 3, 1), end=date(2031, 3, 11))
    parts = parts_of(attrs.evolve(metered(dearer), cut=(cut,)))
    at = utc("2031-03-05 12:00")
    request = parts[0].request_until(at)
    assert request == attrs.evolve(parts[0].request, end=at)
    assert parts[1].request_until(at) is None
    assert parts[1].request_until(parts[1].from_instant) is None
    assert spent(parts, measurements([request], [Measured(250, "w")]), at, "EUR") == eur("2.50")
    at = utc("2031-05-01 00:00")
    assert [part.request_until(at) for part in parts] == [part.request for part in parts]
    assert spent(parts, counted((parts[0], 250), (parts[1], 100)), at, "EUR") == eur("4.50")


@pytest.mark.proves("USE-3")
def test_each_amount_is_told_once_in_a_period():
    alerts = (eur("50.00"), eur("10.00"), Money.of("1.00", "USD"), eur("10.00"))
    assert thresholds_reached(eur("9.99"), alerts, ()) == ()
    assert thresholds_reached(eur("10.00"), alerts, ()) == (eur("10.00"),)
    assert thresholds_reached(eur("60.00"), alerts, ()) == (eur("10.00"), eur("50.00"))
    nora = metered()
    meter = Meter.of(nora).tell(0, "calls", (eur("10.00"),))
    assert thresholds_reached(eur("60.00"), alerts, meter.told_within(0, "calls")) == (eur("50.00"),)
    assert thresholds_reached(eur("10.00"), alerts, meter.told_within(0, "texts")) == (eur("10.00"),)
    meter = meter.tell(0, "calls", (eur("50.00"),))
    assert thresholds_reached(eur("60.00"), alerts, meter.told_within(0, "calls")) == ()
    assert thresholds_reached(eur("60.00"), alerts, meter.told_within(1, "calls")) == (eur("10.00"), eur("50.00"))
    assert meter.tell(1, "calls", (eur("10.00"),)).told == (Told("calls", eur("10.00")),)


@pytest.mark.proves("USE-2")
def test_what_was_billed_of_a_meter_is_stored_and_read_as_it_is():
    (part,) = parts_of(metered(attrs.evolve(CALLS, tariff=Graduated(TIERS))))
    meter = Meter.of(metered())
    full = attrs.evolve(meter, billed=usage_billed([part], counted((part, 1500)))).tell(3, "calls", (eur("10.00"),))
    assert load(Meter, dump(full)) == full
    assert isinstance(full.billed[0], BilledUsage)
    assert (full.id, METERS.groups["customer"](full)) == ("sub-1", "nora")
