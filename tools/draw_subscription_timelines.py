"""Draw what subscriptions do through time, as pictures for the docs.

Every day and every amount in them is asked of the library: of its rules, or of a shop whose time is moved on.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final, TypeVar

from pictures import CONTEXTS, keep
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import FixedClock, add_months, instant_of, local_date, start_of_day, zone
from shopaccounts.subscriptions import BillingPorts, CancelWish, Order, SubscriptionPolicy
from shopaccounts.subscriptions.boxes import deliveries, joined, skip_delivery
from shopaccounts.subscriptions.cycles import (
    BillingDay,
    CalendarDay,
    DayOfMonth,
    Method,
    Schedule,
    StartDay,
    open_cycle,
    period_factor,
    prorate,
    service_period,
)
from shopaccounts.subscriptions.leaving.cancelling import cancel
from shopaccounts.subscriptions.papers import Invoice
from shopaccounts.subscriptions.pausing import PauseWish, pause, reschedule_cycle, resume, skip_cycle
from shopaccounts.subscriptions.payments import Declined, DeclineKind
from shopaccounts.subscriptions.plans import CatchUpMode, Cycles, Days, DeliveryPlan, Flat, Phase, PhaseKind, TrialTerms
from shopaccounts.subscriptions.policy import (
    CancelPolicy,
    CancelWhen,
    CatchUpPolicy,
    DunningPolicy,
    FirstPayment,
    OnResume,
    PauseHow,
    PausePolicy,
    SubscribePolicy,
)
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.boxes import box_subscription
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.gateway import ScriptedGateway
from shopaccounts.testing.simulator import Simulator
from shopaccounts.testing.subscribers import Course, flat_plan
from timelines import Look, Mark, Row, Stretch, Timeline

__all__ = ["pictures"]

T = TypeVar("T")
FOLDER: Final = CONTEXTS / "subscriptions"
BERLIN: Final = zone("Europe/Berlin")
MONTHLY: Final = Interval.months(1)
COFFEE: Final = flat_plan("31.00")
ANNA: Final = CustomerId("anna")


def on(year: int, month: int, day: int) -> datetime:
    """Answer when a day begins in Berlin."""
    return start_of_day(date(year, month, day), BERLIN)


def billed(invoices: Iterable[Invoice]) -> Iterator[Stretch]:
    """Answer what was billed for which days."""
    return (Stretch(line.start, line.end, amount(line.amount)) for paper in invoices for line in paper.lines)


def known(value: T | None) -> T:
    """Answer what is there, as it always is in these examples.

    Raises:
        LookupError: It isn't.
    """
    if value is None:
        raise LookupError
    return value


def amount(money: Money) -> str:
    """Answer an amount without its currency, which is the same everywhere here."""
    return str(money).partition(" ")[0]


@cache
def the_31st() -> Timeline:
    """Draw a year of cycles from the 31st on, beside months added to the last date."""
    start = date(2031, 5, 31)
    cycle, chain = open_cycle(start, MONTHLY, StartDay(), zone=BERLIN), [start]
    for _ in range(12):
        chain.append(add_months(chain[-1], 1))
    return Timeline(
        path=FOLDER / "the-31st.svg",
        title="Monthly from 31 May 2031, through a leap year",
        rows=[
            Row(name="boundary n is\ncounted from 31 May", marks=[Mark(cycle.boundary(n)) for n in range(13)]),
            Row(name="a month added to\nthe last date drifts", marks=[Mark(day) for day in chain]),
        ],
    )


@cache
def stubs() -> Timeline:
    """Draw the first periods of somebody who starts on 18 March, by billing day."""
    days: dict[str, tuple[Interval, BillingDay]] = {
        "monthly on the 5th": (MONTHLY, DayOfMonth(5)),
        "monthly on the 25th": (MONTHLY, DayOfMonth(25)),
        "quarterly on the 5th": (Interval.quarters(1), DayOfMonth(5)),
        "calendar months": (MONTHLY, CalendarDay()),
        "its own day: no stub": (MONTHLY, StartDay()),
    }
    return Timeline(
        path=FOLDER / "stubs.svg",
        title="Stubs of somebody who starts on 18 March 2029 and pays 31.00",
        rows=[Row(name=name, stretches=list(first_periods(*how))) for name, how in days.items()],
    )


def first_periods(interval: Interval, day: BillingDay) -> Iterator[Stretch]:
    """Answer the first two periods from 18 March 2029 on."""
    start, price = date(2029, 3, 18), Money.of("31.00", "EUR")
    cycle = open_cycle(start, interval, day, zone=BERLIN)
    for index in range(2):
        period = service_period(Schedule(cycle, start), index)
        part = period_factor(cycle, period, Method.ACTUAL_DAYS)
        cost = amount(prorate(price, part))
        if period.is_stub:
            yield Stretch(period.start, period.end, f"{part.numerator} of {part.denominator} days, {cost}", Look.BACK)
        else:
            yield Stretch(period.start, period.end, cost)


@cache
def phases() -> Timeline:
    """Draw a trial, two cycles at a lower price, and the price that stays."""
    low, full = (Flat(Money.of(price, "EUR")) for price in ("19.00", "31.00"))
    plan = flat_plan(
        "31.00",
        phases=(
            Phase(PhaseKind.TRIAL, Days(14)),
            Phase(PhaseKind.INTRO, Cycles(2), (low,)),
            Phase(PhaseKind.EVERGREEN, None, (full,)),
        ),
        trial=TrialTerms(),
    )
    began = instant_of(date(2031, 1, 17), time(15, 10), BERLIN)
    course = Course.begin(plan, began)
    course.settle(on(2031, 5, 2))
    bills = list(billed(course.invoices.values()))
    names = {PhaseKind.TRIAL: ("trial", Look.FREE), PhaseKind.INTRO: ("introduction", Look.PLAIN)}
    phases_of = [
        Stretch(one.start, one.end or bills[-1].end, *names.get(one.kind, ("from then on", Look.PAID)))
        for one in course.subscription.terms.phases
    ]
    return Timeline(
        path=FOLDER / "phases.svg",
        title="A trial of 14 days, two cycles for 19.00, then 31.00",
        rows=[
            Row(name="the plan", stretches=phases_of),
            Row(name="what is billed", stretches=bills),
        ],
    )


@cache
def change() -> Timeline:
    """Draw what a change in the middle of a month gives back and charges."""
    old, new = flat_plan("17.90"), flat_plan("29.90", id="coffee-2")
    runs_at_once = SubscriptionPolicy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
    shop = ShopBuilder(
        clock=(clock := FixedClock(datetime(2026, 5, 12, 9, tzinfo=UTC))),
        policies=quick_policies(subscriptions=runs_at_once),
        ports={"billing": BillingPorts(plans=FixedPlans([old, new]))},
    ).blocking()
    order = Order(plan=old.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
    made = shop.subscriptions.subscribe(ANNA, order, request_id="cart-1")
    clock.set(datetime(2026, 5, 23, 9, tzinfo=UTC))
    quote = known(shop.subscription_changes.preview_change_plan(ANNA, made.subscription.id, new.id).quote)
    (back,), (charge,) = quote.credits, quote.charges
    first = known(made.invoice).lines[0]
    return Timeline(
        path=FOLDER / "change.svg",
        title="From 17.90 to 29.90 a month on 23 May 2026, with 20 of 31 days left",
        rows=[
            Row(name="was billed", stretches=[Stretch(first.start, first.end, amount(first.amount))]),
            Row(
                name="the old plan",
                stretches=[
                    Stretch(first.start, back.start, "used", Look.OFF),
                    Stretch(back.start, back.end, f"given back: {amount(back.amount)}", Look.BACK),
                ],
            ),
            Row(
                name="the new plan",
                stretches=[
                    Stretch(charge.start, charge.end, f"charged: {amount(charge.amount)}"),
                    Stretch(charge.end, add_months(charge.end, 1), amount(known(quote.next_invoice).net)),
                ],
            ),
        ],
    )


@cache
def pauses() -> Timeline:
    """Draw a pause in the middle of a paid month, and the three ways on from it."""
    names = {
        OnResume.KEEP_ANCHOR: "KEEP_ANCHOR",
        OnResume.REANCHOR: "REANCHOR",
        OnResume.EXTEND: "EXTEND: the days\nleft come first",
    }
    return Timeline(
        path=FOLDER / "pauses.svg",
        title="A pause at once on 11 March 2031, resumed on 16 April",
        rows=[Row(name=name, stretches=list(paused(how))) for how, name in names.items()],
    )


def paused(how: OnResume) -> Iterator[Stretch]:
    """Answer a March with a pause in it, and what follows until June."""
    leaves, back = on(2031, 3, 11), on(2031, 4, 16)
    course = Course.begin(COFFEE, on(2031, 3, 1), policy=SubscriptionPolicy(pausing=PausePolicy(on_resume=how)))
    at_once = PauseWish(how=PauseHow.NOW)
    course.take(pause(course.subscription, at_once, leaves, course.facts, course.policy), leaves)
    course.settle(back)
    course.take(resume(course.subscription, None, back, course.facts, course.policy), back)
    course.settle(on(2031, 5, 20))
    (first, *later) = billed(course.invoices.values())
    since, until = local_date(leaves, BERLIN), local_date(back, BERLIN)
    yield Stretch(first.start, since, first.text)
    yield Stretch(since, until, "pause", Look.OFF)
    if (goes_on := later[0].start) > until:
        yield Stretch(until, goes_on, f"{(goes_on - until).days} days left", Look.FREE)
    yield from later


@cache
def single_cycles() -> Timeline:
    """Draw months as they were agreed, and with one left out and one moved."""
    plain, edited = (Course.begin(COFFEE, on(2031, 3, 1)) for _ in range(2))
    now = on(2031, 3, 10)
    edited.take(skip_cycle(edited.subscription, 1, now, edited.facts, edited.policy), now)
    moved = reschedule_cycle(edited.subscription, 3, date(2031, 6, 9), now, edited.facts, edited.policy)
    edited.take(moved, now)
    for course in (plain, edited):
        course.settle(on(2031, 7, 2))
    gone = next(cycle for cycle in plain.invoices.values() if cycle.lines[0].start == date(2031, 4, 1)).lines[0]
    left_out = Stretch(gone.start, gone.end, "left out", Look.OFF)
    return Timeline(
        path=FOLDER / "single-cycles.svg",
        title="April is left out, and June begins on the 9th",
        rows=[
            Row(name="as agreed", stretches=list(billed(plain.invoices.values()))),
            Row(name="as changed", stretches=[*billed(edited.invoices.values()), left_out]),
        ],
    )


@cache
def catching_up() -> Timeline:
    """Draw the four ways on after nobody billed from May to August."""
    return Timeline(
        path=FOLDER / "catching-up.svg",
        title="Nobody billed from May to August: what a run on 6 August 2031 does",
        rows=[Row(name=mode.name, stretches=list(caught_up(mode))) for mode in CatchUpMode],
    )


def caught_up(mode: CatchUpMode) -> Iterator[Stretch]:
    """Answer what becomes of eight cycles of which the last four are due together."""
    policy = SubscriptionPolicy(catch_up=CatchUpPolicy(digital=mode))
    course = Course.begin(COFFEE, on(2031, 1, 5), policy=policy)
    for month in (2, 3, 4):
        course.advance(on(2031, month, 6))
    in_time = len(course.invoices)
    course.advance(on(2031, 8, 6))
    of_cycle = {line.start: number for number, paper in enumerate(course.invoices.values(), 1) for line in paper.lines}
    held = course.subscription.hold is not None
    for index in range(8):
        start, end = (course.subscription.segments[0].cycle.boundary(n) for n in (index, index + 1))
        number = of_cycle.get(start)
        look = Look.OFF if number is None else Look.FREE if number <= in_time else Look.PAID
        yield Stretch(start, end, f"invoice {number}" if number else "waits" if held else "lapses", look)


@cache
def dunning() -> Timeline:
    """Draw a card that is declined: one that is replaced, and one that isn't."""
    return Timeline(
        path=FOLDER / "dunning.svg",
        title="A card without money on 3 November 2026",
        rows=[
            Row(name="another card\non 8 November", marks=list(tried(date(2026, 11, 8)))),
            Row(name="no other card", marks=list(tried(None))),
            Row(name="access", stretches=[grace()]),
        ],
    )


def grace() -> Stretch:
    """Answer how long access lasts after the first failure."""
    first = date(2026, 11, 3)
    return Stretch(first, first + DunningPolicy().grace, "grace", Look.FREE)


def tried(other_card_on: date | None) -> Iterator[Mark]:
    """Answer on which days a card is tried, and what comes of it."""
    bank = ScriptedGateway()
    plan = flat_plan("24.90")
    clock = FixedClock(datetime(2026, 10, 3, 9, tzinfo=UTC))
    shop = Simulator(ShopBuilder(clock=clock, ports={"billing": BillingPorts(plans=FixedPlans([plan]), gateway=bank)}))
    order = Order(plan=plan.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
    run(shop.shop.subscriptions.subscribe(ANNA, order, request_id="cart-1"))
    bank.cards["card-1"] = Declined(DeclineKind.SOFT, "no_funds")
    if other_card_on is not None:
        run(shop.advance_to(start_of_day(other_card_on, BERLIN) + timedelta(hours=9)))
        run(shop.shop.payments.change_payment_method(ANNA, "card-2"))
    run(shop.advance_to(datetime(2026, 11, 25, 9, tzinfo=UTC)))
    told = {
        "subscriptions.payment_failed": "declined",
        "subscriptions.dunning_recovered": "paid",
        "subscriptions.subscription_canceled": "ends",
    }
    texts: dict[date, str] = {}
    for event in shop.happened(*told):
        day = local_date(event.occurred_at, BERLIN)
        texts[day] = f"{texts[day]}, {told[event.name]}" if day in texts else told[event.name]
    return (Mark(day, text) for day, text in texts.items())


@cache
def boxes() -> Timeline:
    """Draw boxes that come by the month and are billed by the quarter, one of them left out."""
    plan = DeliveryPlan(interval=MONTHLY, cut_off_days=3)
    nora = box_subscription(date(2031, 1, 31), plan, billing=Interval.months(3))
    first, last = date(2031, 1, 31), date(2031, 8, 1)
    planned = deliveries(nora, first, last)
    skipped = skip_delivery(planned[1], planned[1].cut_off - timedelta(seconds=1))
    cycle = nora.segments[0].cycle
    return Timeline(
        path=FOLDER / "boxes.svg",
        title="Billed by the quarter, delivered by the month, the box of February left out",
        rows=[
            Row(
                name="bills",
                stretches=[Stretch(cycle.boundary(n), cycle.boundary(n + 1), "90.00") for n in range(2)],
            ),
            Row(
                name="boxes",
                marks=[
                    Mark(box.on, "left out" if box.state is skipped.state else "box")
                    for box in joined(nora, [skipped], first, last)
                ],
            ),
            Row(
                name="until then a box\ncan be changed",
                marks=[Mark(local_date(box.cut_off, BERLIN)) for box in planned],
            ),
        ],
    )


@cache
def leaving() -> Timeline:
    """Draw when a subscription ends that is cancelled on some day, with and without a notice."""
    notice, now = CancelPolicy(notice_days=14), CancelWish(when=CancelWhen.NOW)
    return Timeline(
        path=FOLDER / "leaving.svg",
        title="Cancelled in March 2031, by when it is said",
        rows=[
            Row(name="at the end of\nwhat is paid", stretches=[*left(10, CancelPolicy(), CancelWish())]),
            Row(name="14 days of notice,\nsaid in time", stretches=[*left(10, notice, CancelWish())]),
            Row(name="14 days of notice,\nsaid too late", stretches=[*left(20, notice, CancelWish())]),
            Row(name="now", stretches=[*left(10, CancelPolicy(), now)]),
        ],
    )


def left(day: int, policy: CancelPolicy, wish: CancelWish) -> Iterator[Stretch]:
    """Answer the days before it is said, those until the end, and those within which it can be taken up again."""
    rules = SubscriptionPolicy(cancelling=policy)
    course, asked = Course.begin(COFFEE, on(2031, 3, 1), policy=rules), on(2031, 3, day)
    planned = cancel(course.subscription, wish, asked, course.facts, rules).subscription.scheduled.cancel
    ends = planned.at if planned else asked
    begin, told, end = date(2031, 3, 1), local_date(asked, BERLIN), local_date(ends, BERLIN)
    yield Stretch(begin, told, "runs")
    if end > told:
        yield Stretch(told, end, "cancelled, still there", Look.FREE)
    back = local_date(ends + rules.winning_back.window, BERLIN)
    yield Stretch(end, back, "over; can be taken up again", Look.OFF)


def pictures() -> tuple[Timeline, ...]:
    """Answer all pictures."""
    drawn = (the_31st, stubs, phases, change, pauses, single_cycles, catching_up, dunning, boxes, leaving)
    return tuple(one() for one in drawn)


if __name__ == "__main__":
    keep(*pictures())
