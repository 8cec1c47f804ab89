"""Shops that cut trials by the calendar: what is shown before is what is done, from the order to the first invoice."""

import json
from datetime import UTC, date, datetime, timedelta

import attrs
import pytest

from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import ACCOUNTS, CYCLES, INVOICES, BillingPorts, RunningElsewhere, UpcomingKind
from shopaccounts.subscriptions.cycles import DayOfMonth
from shopaccounts.subscriptions.papers.documents import CycleEnd
from shopaccounts.subscriptions.plans import Alignment, Days, Phase, PhaseKind, PlanId, PlanVersionId, Trial
from shopaccounts.subscriptions.policy import (
    CyclePolicy,
    FirstPayment,
    SubscribePolicy,
    SubscriptionPolicy,
    TrialCycles,
    TrialPolicy,
)
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.subscribers import flat_plan

ANN, DAY, WHY = CustomerId("ann"), timedelta(days=1), "she rang us"
START = datetime(2026, 4, 20, 13, 10, tzinfo=UTC)
ENDS = START + 21 * DAY
COFFEE = flat_plan("31.00")
TRIED = attrs.evolve(COFFEE, id=PlanVersionId("tried"), phases=(Phase(PhaseKind.TRIAL, Days(21)), *COFFEE.phases))
LARGE = attrs.evolve(
    flat_plan("62.00"), id=PlanVersionId("large"), phases=(TRIED.phases[0], *flat_plan("62.00").phases)
)
DAY_31 = attrs.evolve(COFFEE, id=PlanVersionId("day-31"), billing_day=DayOfMonth(31))
TEA = flat_plan(
    "9.90", id=PlanVersionId("tea"), plan=attrs.evolve(COFFEE.plan, id=PlanId("tea"), code="tea", group="tea")
)


@pytest.fixture
def plans():
    """What the shop sells."""
    return FixedPlans([COFFEE, TRIED, LARGE, DAY_31, TEA])


@pytest.fixture(params=[True, False], ids=["cut", "uncut"])
def cut(request):
    """Whether the cycle in which a trial ends is cut."""
    return request.param


@pytest.fixture
def alignment() -> Alignment:
    """Whose billing day subscriptions follow."""
    return Alignment.CALENDAR


@pytest.fixture
def builder(host, plans, alignment, cut):
    """A shop that cuts trials, and lets a subscription run before its first payment."""
    policy = SubscriptionPolicy(
        cycles=CyclePolicy(alignment=alignment),
        trials=TrialPolicy(cycles=TrialCycles.GRID, cut_at_end=cut),
        subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED),
    )
    billing = BillingPorts(plans=plans, taxes=FlatTax("19"))
    clock, policies = FixedClock(START), quick_policies(subscriptions=policy)
    return ShopBuilder(host=host, clock=clock, policies=policies, ports={"billing": billing})


def rows(till, book):
    return list(till.builder.storage.snapshot()["main"].books[book.name].values())


async def billed(till, days):
    """Let days go by, and the shop bills."""
    till.builder.clock.advance(days * DAY)
    await till.shop.billing.run_billing(worker=WorkerId("w"))
    return [(line.start, line.end, str(line.amount)) for invoice in rows(till, INVOICES) for line in invoice.lines]


def lines(invoices):
    return [(line.start, line.end, str(line.amount)) for invoice in invoices for line in invoice.lines]


@pytest.mark.proves("TRI-3", "SIM-1")
async def test_an_order_is_shown_as_it_is_done_and_the_trial_costs_nothing(till, cut) -> None:
    order = till.order(plan=TRIED.id)
    shown = await till.shop.subscriptions.preview_subscribe(ANN, order)
    made = await till.subscribed(order)
    assert (shown.invoices, made.invoice) == ((), None)
    assert shown.subscription.segments == made.subscription.segments
    assert made.subscription.lifecycle is Lifecycle.TRIALING
    assert [(row.start, row.end, row.ended) for row in rows(till, CYCLES)] == [
        (date(2026, 4, 20), date(2026, 5, 1), CycleEnd.FREE)
    ]
    assert made.subscription.due_at == (datetime(2026, 4, 30, 22, tzinfo=UTC) if cut else ENDS)


@pytest.mark.proves("TRI-3", "TRI-1", "SIM-2")
async def test_what_was_shown_ahead_is_billed_when_the_trial_ends(till, cut) -> None:
    made = await till.subscribed(till.order(plan=TRIED.id))
    ahead = await till.shop.subscription_views.upcoming(ANN, made.subscription.id, count=2)
    assert [(one.at, one.kind) for one in ahead] == [(ENDS, UpcomingKind.TRIAL_END), (ENDS, UpcomingKind.CHARGE)]
    assert await billed(till, 20) == []
    paid = (date(2026, 5, 11), date(2026, 6, 1), "21.00 EUR")
    free = [] if cut else [(date(2026, 5, 1), date(2026, 5, 11), "0.00 EUR")]
    assert await billed(till, 1) == [*free, paid]
    (invoice,) = rows(till, INVOICES)
    assert (invoice.total, [one.amount for one in ahead][1]) == (invoice.total, invoice.total)


@pytest.mark.proves("TRI-3", "SIM-4")
@pytest.mark.usefixtures("cut")
async def test_days_of_runs_give_what_one_late_run_gives(host, till, builder) -> None:
    other = attrs.evolve(builder, storage=ShopBuilder(host=host).storage, clock=FixedClock(START))
    late = attrs.evolve(till, builder=other, shop=other.build())
    for shop in (till, late):
        await shop.subscribed(shop.order(plan=TRIED.id))
    for _ in range(45):
        daily = await billed(till, 1)
    assert await billed(late, 45) == daily
    assert [(r.start, r.end, r.ended) for r in rows(late, CYCLES)] == [
        (r.start, r.end, r.ended) for r in rows(till, CYCLES)
    ]


@pytest.mark.proves("TRI-3", "TRI-5")
async def test_the_desk_makes_a_trial_longer_or_ends_it(till, clerk, cut) -> None:
    made = await till.subscribed(till.order(plan=TRIED.id))
    await billed(till, 15)
    until = datetime(2026, 6, 10, 12, tzinfo=UTC)
    await clerk.billing_desk.extend_trial(made.subscription.id, until, WHY)
    assert await billed(till, 30) == []
    done = await clerk.billing_desk.end_trial_now(made.subscription.id, WHY)
    assert done.subscription.lifecycle is Lifecycle.ACTIVE
    expected = [(date(2026, 6, 4), date(2026, 7, 1), "27.90 EUR")]
    assert lines(done.invoices) == (expected if cut else [(date(2026, 6, 1), date(2026, 6, 4), "0.00 EUR"), *expected])


@pytest.mark.proves("TRI-3", "TRI-6", "SIM-1")
async def test_another_plan_in_a_trial_is_shown_as_it_is_done(till) -> None:
    made = await till.subscribed(till.order(plan=TRIED.id))
    await billed(till, 15)
    changes = till.shop.subscription_changes
    shown = await changes.preview_change_plan(ANN, made.subscription.id, LARGE.id)
    done = await changes.change_plan(ANN, made.subscription.id, LARGE.id)
    assert (shown.subscription.segments, shown.invoices) == (done.subscription.segments, ())
    assert (await billed(till, 6))[-1] == (date(2026, 5, 11), date(2026, 6, 1), "42.00 EUR")


@pytest.mark.proves("TRI-3", "TRI-5", "SIM-1")
async def test_a_trial_that_is_cancelled_is_used_to_its_end(till) -> None:
    made = await till.subscribed(till.order(plan=TRIED.id))
    shown = await till.shop.cancellations.preview_cancel(ANN, made.subscription.id)
    done = await till.shop.cancellations.cancel(ANN, made.subscription.id)
    assert (done.subscription.scheduled.cancel.at, shown.subscription.scheduled.cancel.at) == (ENDS, ENDS)
    assert await billed(till, 60) == []


@pytest.mark.proves("TRI-3", "SUB-9")
async def test_a_trial_that_moves_in_has_had_its_cycles_elsewhere(till, clerk, cut) -> None:
    till.builder.clock.advance(15 * DAY)
    running = RunningElsewhere(
        customer=ANN,
        plan=TRIED.id,
        currency="EUR",
        zone="Europe/Berlin",
        period_start=date(2026, 4, 20),
        trial=Trial(started_at=START, ends_at=ENDS),
        payment_method="card-1",
    )
    made = (await clerk.subscription_imports.import_subscription(running, WHY, request_id="old-1")).subscription
    assert (made.billed_to, made.due_at) == (2 if cut else 1, ENDS)
    assert [row.ended for row in rows(till, CYCLES)] == [CycleEnd.FREE] * made.billed_to
    assert (await billed(till, 6))[-1] == (date(2026, 5, 11), date(2026, 6, 1), "21.00 EUR")


@pytest.mark.proves("TRI-3", "PAU-8")
async def test_a_cycle_that_was_to_be_left_out_is_billed_when_the_trial_gives_it_other_days(till, clerk) -> None:
    made = await till.subscribed(till.order(plan=TRIED.id))
    index = made.subscription.paid_from
    await till.shop.pauses.skip_cycle(ANN, made.subscription.id, index)
    done = await clerk.billing_desk.end_trial_now(made.subscription.id, WHY)
    told = [json.loads(one.data)["index"] for one in rows(till, EVENTS) if one.name == "subscriptions.override_dropped"]
    assert told == [index]
    assert (done.subscription.overrides, lines(done.invoices)) == (
        (),
        [(date(2026, 4, 20), date(2026, 5, 1), "11.37 EUR")],
    )


# The customer's billing day


@pytest.mark.proves("PLN-9")
@pytest.mark.parametrize("alignment", [Alignment.CUSTOMER])
async def test_an_order_sets_the_day_that_was_agreed_and_the_next_one_follows_it(till) -> None:
    await till.subscribed(till.order(plan=DAY_31.id))
    (account,) = rows(till, ACCOUNTS)
    assert account.billing_day == 31
    tea = await till.subscribed(till.order(plan=TEA.id), key="o-2")
    (line,) = tea.invoice.lines
    assert (line.start, line.end) == (date(2026, 4, 20), date(2026, 4, 30))


@pytest.mark.proves("PLN-9", "SUB-9")
@pytest.mark.parametrize("alignment", [Alignment.CUSTOMER])
async def test_what_moves_in_sets_the_day_by_the_policy_of_the_shop(till, clerk) -> None:
    running = RunningElsewhere(
        customer=ANN,
        plan=TRIED.id,
        currency="EUR",
        zone="Europe/Berlin",
        period_start=date(2026, 4, 17),
        trial=Trial(started_at=datetime(2025, 1, 1, tzinfo=UTC), ends_at=datetime(2025, 1, 22, tzinfo=UTC)),
    )
    await clerk.subscription_imports.import_subscription(running, WHY, request_id="old-1")
    (account,) = rows(till, ACCOUNTS)
    assert account.billing_day == 17


@pytest.mark.proves("PLN-9", "CHG-5")
async def test_after_another_plan_the_subscription_still_follows_the_calendar(till) -> None:
    yearly = flat_plan("730.00", attrs.evolve(COFFEE.interval, count=12), id=PlanVersionId("yearly"))
    till.builder.ports["billing"].plans.add(yearly)
    made = await till.subscribed(till.order(plan=COFFEE.id))
    done = await till.shop.subscription_changes.change_plan(ANN, made.subscription.id, yearly.id)
    assert done.subscription.terms.alignment is Alignment.CALENDAR
    (charge,) = [line for line in lines(done.invoices) if not line[2].startswith("-")]
    assert charge == (date(2026, 4, 20), date(2027, 1, 1), "512.00 EUR")
