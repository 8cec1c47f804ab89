"""Moving in: what another system billed so far goes on here, and nothing is billed twice."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.cycles import Anchor, Interval
from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions import ACCOUNTS, CYCLES, INVOICES, SUBSCRIPTIONS, TRIALS, RunningElsewhere
from shopaccounts.subscriptions.errors import (
    AlreadySubscribed,
    NoPriceInCurrency,
    PlanUnknown,
    RequestIdReused,
    TrialAlreadyUsed,
)
from shopaccounts.subscriptions.papers.documents import CycleEnd
from shopaccounts.subscriptions.plans.agreed import Trial
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, Percent
from shopaccounts.subscriptions.plans.offers import (
    Alignment,
    DeliveryPlan,
    Goods,
    Phase,
    PhaseKind,
    PlanVersionId,
    ShipWhen,
    Term,
)
from shopaccounts.subscriptions.plans.phases import Cycles, Days, Months
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.subscribers import EUR, flat_plan

ANN, WHY, BERLIN = CustomerId("ann"), "we move in", zone("Europe/Berlin")
DAY = timedelta(days=1)
MONTHLY = flat_plan("17.90")
TRIED = attrs.evolve(
    MONTHLY, id=PlanVersionId("tried-1"), phases=(Phase(PhaseKind.TRIAL, Days(14), ()), *MONTHLY.phases)
)
INTRO = attrs.evolve(
    MONTHLY,
    id=PlanVersionId("intro-1"),
    phases=(Phase(PhaseKind.INTRO, Months(3), (Flat(Money.of("5", EUR)),)), *MONTHLY.phases),
)
FORTNIGHTLY = attrs.evolve(flat_plan("17.90", Interval.weeks(2)), id=PlanVersionId("weeks-1"))


@pytest.fixture
def plans():
    """What the shop sells."""
    return FixedPlans([MONTHLY, TRIED, INTRO, FORTNIGHTLY])


def running(**more):
    usual: dict[str, Any] = {
        "customer": ANN,
        "plan": MONTHLY.id,
        "currency": "EUR",
        "zone": "Europe/Berlin",
        "period_start": date(2031, 1, 15),
        "payment_method": "card-1",
    }
    return RunningElsewhere(**usual | more)


async def brought(clerk, key="old-1", **more):
    done = await clerk.subscription_imports.import_subscription(running(**more), WHY, request_id=key)
    assert done.act.documents == (done.subscription.id,)
    return done.subscription


async def billed(till, days):
    """The first days of the lines that are billed by then."""
    till.builder.clock.advance(days * DAY)
    await till.shop.billing.run_billing(worker="w")
    invoices = sorted(rows(till, INVOICES), key=lambda one: one.lines[0].start)
    return [(str(one.subtotal), one.lines[0].start) for one in invoices]


def rows(till, book):
    return list(till.builder.storage.snapshot()["main"].books[book.name].values())


async def test_only_who_may_brings_subscriptions_along_and_says_why(till, clerk, others) -> None:
    for shop in others:
        with pytest.raises(Forbidden):
            await shop.subscription_imports.import_subscription(running(), WHY, request_id="old-1")
    for reason, key in (("", "old-1"), (WHY, "")):
        with pytest.raises(InvalidInput):
            await clerk.subscription_imports.import_subscription(running(), reason, request_id=key)
    assert rows(till, SUBSCRIPTIONS) == []


@pytest.mark.proves("SUB-9", "CYC-10")
async def test_what_was_billed_elsewhere_isnt_billed_again(till, clerk) -> None:
    made = await brought(clerk)
    assert (made.lifecycle, made.billed_to) == (Lifecycle.ACTIVE, 1)
    assert made.due_at == datetime(2031, 2, 14, 23, tzinfo=UTC)
    (row,) = rows(till, CYCLES)
    assert (row.ended, row.start, row.end, row.invoice) == (CycleEnd.BILLED, date(2031, 1, 15), date(2031, 2, 15), "")
    assert await billed(till, 14) == []
    assert await billed(till, 1) == [("17.90 EUR", date(2031, 2, 15))]


@pytest.mark.proves("SUB-9")
@pytest.mark.parametrize(("periods", "first"), [(0, date(2031, 1, 15)), (3, date(2031, 4, 15))])
async def test_as_many_periods_count_as_billed_as_are_given(till, clerk, periods, first) -> None:
    await brought(clerk, billed=periods)
    assert (await billed(till, 90))[0][1] == first


@pytest.mark.proves("CYC-10")
@pytest.mark.parametrize(
    ("start", "next_start"),
    [(date(2031, 1, 20), date(2031, 2, 3)), (date(2031, 1, 22), date(2031, 1, 27))],
    ids=["an off-phase week", "no billing day at all"],
)
async def test_cycles_go_on_from_the_running_period_or_from_the_agreed_days(till, clerk, start, next_start) -> None:
    anchor = Anchor.on(date(2030, 12, 2), BERLIN)  # a Monday; 20 January lies in an odd fortnight
    await brought(clerk, plan=FORTNIGHTLY.id, period_start=start, anchor=anchor)
    assert (await billed(till, 20))[0] == ("17.90 EUR", next_start)


@pytest.mark.proves("CYC-10")
async def test_the_31st_stays_the_31st_though_the_running_period_began_on_the_30th(till, clerk) -> None:
    anchor = Anchor(year=2030, month=8, day=31, zone=BERLIN)
    await brought(clerk, period_start=date(2030, 11, 30), anchor=anchor, billed=2)
    assert [start for _, start in await billed(till, 120)] == [
        date(2031, 1, 31),
        date(2031, 2, 28),
        date(2031, 3, 31),
        date(2031, 4, 30),
        date(2031, 5, 31),
    ]


@pytest.mark.proves("SUB-9")
async def test_phases_count_from_the_day_on_which_it_was_first_paid_for(till, clerk) -> None:
    await brought(clerk, plan=INTRO.id, paid_since=date(2030, 12, 15))
    assert [price for price, _ in await billed(till, 45)] == ["5.00 EUR", "17.90 EUR"]


@pytest.mark.proves("SUB-9")
async def test_a_running_trial_ends_when_it_was_to_end(till, clerk) -> None:
    trial = Trial(started_at=datetime(2031, 1, 20, 9, tzinfo=UTC), ends_at=datetime(2031, 2, 5, 9, tzinfo=UTC))
    made = await brought(clerk, plan=TRIED.id, trial=trial)
    assert (made.lifecycle, made.trial, made.due_at) == (Lifecycle.TRIALING, trial, trial.ends_at)
    assert [row.ended for row in rows(till, CYCLES)] == [CycleEnd.FREE]
    assert await billed(till, 4) == []
    assert await billed(till, 1) == [("17.90 EUR", date(2031, 2, 5))]


@pytest.mark.proves("SUB-9", "TRI-7")
async def test_a_trial_that_is_over_is_remembered(till, clerk) -> None:
    trial = Trial(started_at=datetime(2030, 1, 20, tzinfo=UTC), ends_at=datetime(2030, 2, 3, tzinfo=UTC))
    made = await brought(clerk, plan=TRIED.id, trial=trial)
    assert made.lifecycle is Lifecycle.ACTIVE
    assert [use.at for use in rows(till, TRIALS)] == [trial.started_at]
    over = {"lifecycle": Lifecycle.CANCELED, "ended_at": till.builder.clock.now(), "due_at": None}
    await till.builder.edit(SUBSCRIPTIONS, made.id, lambda one: attrs.evolve(one, **over))
    with pytest.raises(TrialAlreadyUsed):
        await till.subscribed(till.order(plan=TRIED.id))


@pytest.mark.proves("SUB-9")
async def test_what_is_paused_stays_paused_until_its_day(till, clerk) -> None:
    since, until = datetime(2031, 1, 20, tzinfo=UTC), datetime(2031, 3, 1, tzinfo=UTC)
    made = await brought(clerk, paused_since=since, paused_until=until)
    assert (made.lifecycle, made.pause.since, made.due_at) == (Lifecycle.PAUSED, since, until)
    assert await billed(till, 28) == []
    assert (await billed(till, 20))[0][1] >= date(2031, 3, 1)


@pytest.mark.proves("SUB-9")
async def test_discounts_terms_and_promises_come_along_as_far_as_they_are_used_up(till, clerk, plans) -> None:
    term = attrs.evolve(MONTHLY, id=PlanVersionId("term-1"), term=Term(cycles=12))
    plans.add(term)
    half = Discount(code="HALF", kind=Percent(Rate.percent(50)), duration=Cycles(3))
    made = await brought(
        clerk,
        plan=term.id,
        term_done=4,
        discounts=(AppliedDiscount(discount=half, uses=2),),
        price_locked_until=date(2032, 1, 1),
        reference="A-77",
    )
    assert (made.term.begun, made.price_locked_until, made.reference) == (4, date(2032, 1, 1), "A-77")
    await billed(till, 45)
    first, second = sorted(rows(till, INVOICES), key=lambda one: one.lines[0].start)
    assert (str(first.discount), str(second.discount)) == ("8.95 EUR", "0.00 EUR")


async def test_it_is_told_that_it_runs_and_that_it_rests(till, clerk) -> None:
    await brought(clerk, paused_since=datetime(2031, 1, 20, tzinfo=UTC))
    told = [(one.name, one.actor.id) for one in rows(till, EVENTS)]
    assert told == [("subscriptions.subscription_activated", "eve"), ("subscriptions.subscription_paused", "eve")]


async def test_boxes_go_on_from_the_running_period(till, clerk, plans) -> None:
    monthly = DeliveryPlan(interval=Interval.months(1), cut_off_days=3, ship_when=ShipWhen.INVOICED)
    boxes = flat_plan("30.00", id=PlanVersionId("box-1"), goods=Goods.PHYSICAL, deliveries=monthly)
    plans.add(boxes)
    made = await brought(clerk, plan=boxes.id, ship_to="address-1")
    assert made.delivery_segments[0].start == date(2031, 1, 15)
    to_come = await till.shop.boxes.deliveries(ANN, made.id, date(2031, 2, 1), date(2031, 4, 1))
    assert [(one.on, one.ship_to) for one in to_come] == [
        (date(2031, 2, 15), "address-1"),
        (date(2031, 3, 15), "address-1"),
    ]
    await till.shop.boxes.run_deliveries(worker="w")
    assert "subscriptions.delivery_due" not in [one.name for one in rows(till, EVENTS)]
    till.builder.clock.advance(15 * DAY)
    await till.shop.billing.run_billing(worker="w")
    await till.shop.boxes.run_deliveries(worker="w")
    assert [one.name for one in rows(till, EVENTS)].count("subscriptions.delivery_due") == 1


async def test_the_first_day_of_boxes_can_be_said(till, clerk, plans) -> None:
    daily = DeliveryPlan(interval=Interval.days(1), ship_when=ShipWhen.INVOICED)
    rolls = flat_plan("30.00", id=PlanVersionId("rolls-1"), goods=Goods.PHYSICAL, deliveries=daily)
    plans.add(rolls)
    await brought(clerk, plan=rolls.id, boxes_from=date(2031, 2, 3))
    till.builder.clock.advance(4 * DAY)
    await till.shop.boxes.run_deliveries(worker="w")
    told = {"subscriptions.delivery_due", "subscriptions.delivery_missed"}
    boxes = [json.loads(one.data)["delivery"].split("/")[-1] for one in rows(till, EVENTS) if one.name in told]
    assert sorted(boxes) == ["19", "20"]  # 3 and 4 February, counted from 15 January on


async def test_the_first_to_be_brought_makes_the_account_and_others_join_it(till, clerk, plans) -> None:
    aligned = attrs.evolve(MONTHLY, id=PlanVersionId("tea-1"), alignment=Alignment.CUSTOMER)
    tea = attrs.evolve(aligned, plan=attrs.evolve(MONTHLY.plan, group="tea"))
    plans.add(tea)
    await brought(clerk, plan=tea.id, locale="de", tax_profile={"region": "BE"})
    await brought(clerk, "old-2", zone="Asia/Tokyo", payment_method="card-2")
    (account,) = rows(till, ACCOUNTS)
    assert (account.billing_day, account.locale, account.zone.name) == (15, "de", "Europe/Berlin")
    assert (account.payment_method, account.tax_profile) == ("card-1", {"region": "BE"})


@pytest.mark.proves("SUB-9")
async def test_the_same_one_is_imported_once(till, clerk) -> None:
    made = await brought(clerk)
    assert await brought(clerk) == made
    assert len(rows(till, SUBSCRIPTIONS)) == 1
    with pytest.raises(RequestIdReused):
        await brought(clerk, quantity=2)
    with pytest.raises(AlreadySubscribed) as refused:
        await brought(clerk, "old-2")
    assert refused.value.existing == made.id


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"plan": PlanVersionId("none")}, PlanUnknown),
        ({"currency": "USD"}, NoPriceInCurrency),
        ({"period_start": date(2031, 2, 1)}, InvalidInput),
        ({"billed": -1}, InvalidInput),
        ({"billed": 37}, InvalidInput),
        ({"term_done": -1}, InvalidInput),
        ({"paid_since": date(2031, 1, 16)}, InvalidInput),
        ({"paused_since": datetime(2031, 2, 1, tzinfo=UTC)}, InvalidInput),
        ({"paused_until": datetime(2031, 3, 1, tzinfo=UTC)}, InvalidInput),
        (
            {"trial": Trial(started_at=datetime(2031, 1, 1, tzinfo=UTC), ends_at=datetime(2031, 3, 1, tzinfo=UTC))},
            InvalidInput,
        ),
    ],
)
async def test_what_cant_have_run_like_that_is_refused_and_leaves_nothing(till, clerk, more, error) -> None:
    with pytest.raises(error):
        await brought(clerk, **more)
    assert rows(till, SUBSCRIPTIONS) == rows(till, ACCOUNTS) == rows(till, CYCLES) == []


async def test_a_plan_with_cycles_of_several_lengths_is_refused(clerk, plans) -> None:
    weekly = Phase(PhaseKind.INTRO, Months(1), (Flat(Money.of("5", EUR)),), Interval.weeks(1))
    plans.add(attrs.evolve(MONTHLY, id=PlanVersionId("mixed-1"), phases=(weekly, *MONTHLY.phases)))
    with pytest.raises(InvalidInput):
        await brought(clerk, plan=PlanVersionId("mixed-1"))
