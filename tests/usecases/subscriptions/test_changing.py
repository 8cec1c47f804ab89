"""Customers change what they agreed on: what it costs is what the preview said, and nobody changes another's."""

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import InvalidInput, Rejected
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money, currency
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.subscriptions import (
    INVOICES,
    SUBSCRIPTIONS,
    Changed,
    How,
    SubscriptionPolicy,
    When,
)
from shopaccounts.subscriptions.cycles.schedules import DayOfMonth
from shopaccounts.subscriptions.errors import (
    BackdatedTooFar,
    BadPlan,
    ChangeLimitReached,
    NothingToChange,
    OperationNotAllowed,
    PlanUnknown,
    RequestIdReused,
    SubscriptionUnknown,
)
from shopaccounts.subscriptions.model import Pause, PauseReason
from shopaccounts.subscriptions.plans.offers import PlanVersionId
from shopaccounts.subscriptions.plans.phases import Days, Phase, PhaseKind
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy.changes import ChangePolicy, Preset
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.policy.trials import OnMissingMethod, TrialChange, TrialPolicy
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.changing import a_plan

if TYPE_CHECKING:
    from tests.usecases.subscriptions.conftest import CoffeeShop

EUR = currency("EUR")
ANN, BEN = CustomerId("ann"), CustomerId("ben")
SMALL = a_plan("28.00", id="small", add_ons={"seat": "2.80"}, per_unit=True)
LARGE, CHEAP = a_plan("56.00", id="large"), a_plan("14.00", id="cheap")
YEARLY = a_plan("280.00", Interval.months(12), id="yearly")
OTHER = attrs.evolve(LARGE, id=PlanVersionId("tea"), plan=attrs.evolve(LARGE.plan, group="tea"))
FREE_FIRST = (Phase(PhaseKind.TRIAL, Days(30)), Phase(PhaseKind.EVERGREEN, None, (Flat(Money.of("28.00", EUR)),)))
TRIED = attrs.evolve(LARGE, id=PlanVersionId("tried"), phases=FREE_FIRST)
LONGER = attrs.evolve(LARGE, id=PlanVersionId("longer"), phases=(Phase(PhaseKind.TRIAL, Days(45)), *FREE_FIRST[1:]))
DAY = timedelta(days=1)
ASKED = PauseReason.ASKED
NOW = How(when=When.NOW)


@pytest.fixture
def plans() -> FixedPlans:
    """What the shop sells."""
    return FixedPlans([SMALL, LARGE, CHEAP, YEARLY, OTHER, TRIED, LONGER])


@pytest.fixture
def policy() -> dict[str, object]:
    """What is special about the shop."""
    return {}


@pytest.fixture
def builder(builder, policy):
    """A shop that lets a subscription run before its first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing, **policy))
    return builder


async def begun(coffee: "CoffeeShop", version=SMALL, days: int = 14, **more) -> str:
    """Subscribe Ann, and let some days go by."""
    made = await coffee.subscribed(coffee.order(plan=version.id, **more))
    coffee.builder.clock.advance(days * DAY)
    await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    return made.subscription.id


async def kept(coffee, id: str):
    """Answer a subscription as it is stored."""
    return await coffee.builder.kept(SUBSCRIPTIONS, id)


def told(changed: Changed) -> list[tuple[str, str]]:
    return [(line.product, str(line.base)) for invoice in changed.invoices for line in invoice.lines]


def but_ids(changed: Changed) -> tuple[object, ...]:
    """Answer what a change led to, without ids and versions."""
    fresh = [attrs.evolve(invoice, id="", version=0, number=None) for invoice in changed.invoices]
    subscription = attrs.evolve(changed.subscription, version=0, live=())
    return subscription, fresh, changed.notes, attrs.evolve(changed.account, version=0), changed.quote


@pytest.mark.proves("CHG-6", "SIM-1")
async def test_an_upgrade_is_charged_at_once_as_the_preview_said(coffee) -> None:
    id = await begun(coffee)
    changes = coffee.shop.subscription_changes
    before = await kept(coffee, id)
    seen = await changes.preview_change_plan(ANN, id, LARGE.id)
    assert await kept(coffee, id) == before
    done = await changes.change_plan(ANN, id, LARGE.id)
    assert told(done) == [("small", "-14.00 EUR"), ("large", "28.00 EUR")]
    assert str(done.quote.net) == "14.00 EUR"
    assert but_ids(seen) == but_ids(done)
    stored = await kept(coffee, id)
    assert (stored.terms.version, stored.change_seq) == (LARGE.id, 1)


@pytest.mark.proves("SIM-1")
@pytest.mark.parametrize("preset", Preset)
async def test_each_way_does_what_its_preview_says(coffee, preset) -> None:
    id = await begun(coffee)
    changes = coffee.shop.subscription_changes
    how = How(preset=preset)
    seen = await changes.preview_change_plan(ANN, id, LARGE.id, how=how)
    assert but_ids(seen) == but_ids(await changes.change_plan(ANN, id, LARGE.id, how=how))


@pytest.mark.proves("CHG-2", "CHG-6")
async def test_a_downgrade_waits_for_the_end_of_the_period_and_is_billed_there(coffee) -> None:
    id = await begun(coffee)
    done = await coffee.shop.subscription_changes.change_plan(ANN, id, CHEAP.id)
    assert done.invoices == ()
    assert done.subscription.scheduled.change.at.date() == date(2031, 2, 27)  # midnight of the 28th in Berlin
    coffee.builder.clock.advance(14 * DAY)
    report = await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    assert (report.failures, report.invoices) == ((), 1)
    stored = await kept(coffee, id)
    assert (stored.terms.version, stored.scheduled.change) == (CHEAP.id, None)
    renewal = await coffee.builder.kept(INVOICES, stored.live[-1].invoice)
    assert str(renewal.subtotal) == "14.00 EUR"


@pytest.mark.proves("CHG-2")
async def test_a_planned_change_can_be_dropped_until_it_comes(coffee) -> None:
    id = await begun(coffee)
    changes = coffee.shop.subscription_changes
    await changes.change_plan(ANN, id, CHEAP.id)
    dropped = await changes.drop_change(ANN, id)
    assert dropped.subscription.scheduled.change is None
    with pytest.raises(NothingToChange):
        await changes.drop_change(ANN, id)


@pytest.mark.proves("CHG-2")
async def test_wishes_for_one_instant_are_joined_and_carried_out_together(coffee) -> None:
    id = await begun(coffee, add_ons={"seat": 3})
    changes, later = coffee.shop.subscription_changes, How(when=When.AT_PERIOD_END)
    await changes.change_quantity(ANN, id, 2, how=later)
    await changes.change_quantity(ANN, id, 4, how=later)
    await changes.remove_add_on(ANN, id, "seat")
    coffee.builder.clock.advance(14 * DAY)
    await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    stored = await kept(coffee, id)
    assert [(line.key, line.quantity) for line in stored.lines] == [("plan", 4)]


@pytest.mark.proves("CHG-2")
async def test_a_change_can_be_planned_for_a_day_and_is_priced_then(coffee) -> None:
    id = await begun(coffee)
    how = How(when=date(2031, 2, 21))
    done = await coffee.shop.subscription_changes.change_plan(ANN, id, LARGE.id, how=how)
    assert done.invoices == ()
    assert done.quote.warnings[0].value == "priced_when_it_comes"
    coffee.builder.clock.advance(7 * DAY)
    await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    stored = await kept(coffee, id)
    invoice = await coffee.builder.kept(INVOICES, stored.live[-1].invoice)
    assert [str(line.base) for line in invoice.lines] == ["-7.00 EUR", "14.00 EUR"]


@pytest.mark.proves("CHG-2")
async def test_only_the_shop_dates_back_and_not_before_the_period_or_the_last_change(coffee) -> None:
    id = await begun(coffee)
    early = How(when=date(2031, 2, 7))
    with pytest.raises(BackdatedTooFar):
        await coffee.shop.subscription_changes.change_plan(ANN, id, LARGE.id, how=early)
    clerk = Actor(ActorKind.AGENT, "kim")
    coffee.builder.scope = attrs.evolve(coffee.builder.scope, actor=clerk)
    office = coffee.builder.build().subscription_changes
    with pytest.raises(BackdatedTooFar) as refused:
        await office.change_plan(ANN, id, LARGE.id, how=How(when=date(2031, 1, 30)))
    assert refused.value.earliest == date(2031, 1, 31)
    done = await office.change_plan(ANN, id, LARGE.id, how=early)
    assert told(done) == [("small", "-21.00 EUR"), ("large", "42.00 EUR")]
    await office.change_plan(ANN, id, YEARLY.id, how=NOW)
    with pytest.raises(BackdatedTooFar) as refused:
        await office.change_plan(ANN, id, SMALL.id, how=How(when=date(2031, 2, 10)))
    assert refused.value.earliest == date(2031, 2, 14)


@pytest.mark.proves("CHG-12")
async def test_asking_again_under_one_key_changes_nothing_twice(coffee) -> None:
    id = await begun(coffee)
    changes, key = coffee.shop.subscription_changes, {"request_id": "click-1"}
    first = await changes.change_plan(ANN, id, LARGE.id, **key)
    again = await changes.change_plan(ANN, id, LARGE.id, **key)
    assert [one.id for one in again.invoices] == [one.id for one in first.invoices]
    assert again.subscription.change_seq == 1
    with pytest.raises(RequestIdReused):
        await changes.change_plan(ANN, id, CHEAP.id, **key)


@pytest.mark.proves("ABU-3")
@pytest.mark.parametrize("policy", [{"changes": ChangePolicy(max_changes_per_day=2)}])
async def test_there_are_so_many_changes_in_a_day_and_more_tomorrow(coffee) -> None:
    id = await begun(coffee)
    changes = coffee.shop.subscription_changes
    for count in (2, 3):
        await changes.change_quantity(ANN, id, count, how=NOW)
    with pytest.raises(ChangeLimitReached) as refused:
        await changes.change_quantity(ANN, id, 4, how=NOW)
    assert (refused.value.limit, refused.value.available_on) == (2, date(2031, 2, 15))
    coffee.builder.clock.advance(DAY)
    assert await changes.change_quantity(ANN, id, 4, how=NOW)


@pytest.mark.proves("ABU-7")
async def test_another_customers_subscription_is_not_there(coffee) -> None:
    id = await begun(coffee)
    for attempt in (
        coffee.shop.subscription_changes.change_plan(BEN, id, LARGE.id),
        coffee.shop.subscription_changes.preview_change_quantity(BEN, id, 2),
        coffee.shop.subscription_changes.drop_change(BEN, id),
    ):
        with pytest.raises(SubscriptionUnknown):
            await attempt


async def test_a_plan_that_is_unknown_or_of_another_group_is_refused(coffee) -> None:
    id = await begun(coffee)
    with pytest.raises(PlanUnknown):
        await coffee.shop.subscription_changes.change_plan(ANN, id, PlanVersionId("gone"))
    with pytest.raises(BadPlan):
        await coffee.shop.subscription_changes.change_plan(ANN, id, OTHER.id)


async def everything_told(coffee):
    """All that was told, each with its name."""
    rows = await got(coffee.builder.storage.open(coffee.builder.scope).rows(EVENTS, "subject", ANN, None, 500))
    return [{"name": one.name, **json.loads(one.data)} for one in rows.items]


@pytest.mark.proves("CHG-1")
async def test_add_ons_and_products_come_and_go(coffee) -> None:
    id = await begun(coffee)
    changes = coffee.shop.subscription_changes
    added = await changes.add_add_on(ANN, id, "seat", quantity=2)
    assert told(added) == [("seat", "2.80 EUR")]
    fewer = await changes.change_quantity(ANN, id, 1, line="seat", how=NOW)
    assert told(fewer)[0] == ("seat", "-2.80 EUR")
    swapped = await changes.swap_product(ANN, id, "decaf")
    assert (swapped.subscription.plan_line.product, swapped.invoices) == ("decaf", ())
    events = [one for one in await everything_told(coffee) if one["name"] == "subscriptions.plan_changed"]
    assert [(one["line"], one["former_product"], one["product"]) for one in events] == [("plan", "small", "decaf")]
    assert events[0]["plan"] == events[0]["former_plan"] == SMALL.id
    with pytest.raises(InvalidInput):
        await changes.remove_add_on(ANN, id, "plan")


@pytest.mark.proves("CHG-1")
async def test_a_change_of_frequency_is_one_to_another_rhythm(coffee) -> None:
    id = await begun(coffee)
    changes = coffee.shop.subscription_changes
    with pytest.raises(NothingToChange):
        await changes.change_frequency(ANN, id, LARGE.id)
    done = await changes.change_frequency(ANN, id, YEARLY.id, how=How(preset=Preset.RESET_CREDIT))
    assert told(done) == [("yearly", "280.00 EUR"), ("small", "-14.00 EUR")] or told(done)[0][0] in {"small", "yearly"}
    assert done.quote.first_new_period.end == date(2032, 2, 14)


@pytest.mark.proves("CHG-14")
async def test_a_billing_day_moves_with_the_end_of_what_is_paid(coffee) -> None:
    id = await begun(coffee)
    changes = coffee.shop.subscription_changes
    seen = await changes.preview_move_billing_day(ANN, id, DayOfMonth(15))
    moved = await changes.move_billing_day(ANN, id, DayOfMonth(15))
    assert (moved.subscription.segments, moved.invoices) == (seen.subscription.segments, ())
    with pytest.raises(NothingToChange):
        await changes.move_billing_day(ANN, id, DayOfMonth(15))
    coffee.builder.clock.advance(14 * DAY)
    await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    stored = await kept(coffee, id)
    (line,) = (await coffee.builder.kept(INVOICES, stored.live[-1].invoice)).lines
    assert (line.start, line.end, str(line.base)) == (date(2031, 2, 28), date(2031, 3, 15), "15.00 EUR")


@pytest.mark.proves("TRI-6", "SUB-5")
async def test_another_plan_in_a_trial_counts_from_the_first_day_and_costs_nothing(coffee) -> None:
    id = await begun(coffee, TRIED)
    began = (await kept(coffee, id)).trial.started_at
    done = await coffee.shop.subscription_changes.change_plan(ANN, id, LONGER.id)
    assert done.invoices == ()
    assert (done.subscription.lifecycle, done.subscription.trial.ends_at) == (Lifecycle.TRIALING, began + 45 * DAY)


@pytest.mark.proves("TRI-6", "ABU-1")
async def test_a_plan_without_a_trial_ends_it_and_is_paid_from_now_on(coffee) -> None:
    id = await begun(coffee, TRIED)
    done = await coffee.shop.subscription_changes.change_plan(ANN, id, LARGE.id)
    assert done.subscription.lifecycle is Lifecycle.ACTIVE
    assert told(done) == [("large", "56.00 EUR")]
    (line,) = done.invoices[0].lines
    assert (line.start, line.end) == (date(2031, 2, 14), date(2031, 3, 14))


@pytest.mark.proves("TRI-6")
@pytest.mark.parametrize("policy", [{"trials": TrialPolicy(plan_change=TrialChange.KEEP_END)}])
async def test_a_shop_may_keep_the_end_of_a_trial(coffee) -> None:
    id = await begun(coffee, TRIED)
    ends = (await kept(coffee, id)).trial.ends_at
    done = await coffee.shop.subscription_changes.change_plan(ANN, id, LARGE.id)
    assert (done.subscription.lifecycle, done.subscription.trial.ends_at) == (Lifecycle.TRIALING, ends)
    coffee.builder.clock.advance(20 * DAY)
    await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    assert (await kept(coffee, id)).lifecycle is Lifecycle.ACTIVE


@pytest.mark.proves("TRI-6")
@pytest.mark.parametrize(
    "policy",
    [{"trials": TrialPolicy(plan_change=TrialChange.END_NOW, on_missing_method=OnMissingMethod.CREATE_INVOICE)}],
)
async def test_a_shop_may_end_every_trial_that_is_changed(coffee) -> None:
    id = await begun(coffee, TRIED, days=0)
    done = await coffee.shop.subscription_changes.change_plan(ANN, id, LONGER.id)
    assert (done.subscription.lifecycle, len(done.invoices)) == (Lifecycle.ACTIVE, 1)


@pytest.mark.proves("SUB-5", "TRI-6")
async def test_quantities_in_a_trial_cost_nothing_yet(coffee) -> None:
    id = await begun(coffee, TRIED)
    done = await coffee.shop.subscription_changes.change_quantity(ANN, id, 5)
    assert (done.invoices, done.quote, done.subscription.plan_line.quantity) == ((), None, 5)


@pytest.mark.proves("SUB-5")
async def test_what_has_not_begun_is_agreed_anew_without_money(coffee) -> None:
    id = await begun(coffee, SMALL, days=0, start=date(2031, 2, 10))
    changes = coffee.shop.subscription_changes
    await changes.change_quantity(ANN, id, 2)
    done = await changes.change_plan(ANN, id, YEARLY.id)
    assert (done.subscription.lifecycle, done.invoices) == (Lifecycle.PENDING, ())
    coffee.builder.clock.advance(10 * DAY)
    await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    stored = await kept(coffee, id)
    (line,) = (await coffee.builder.kept(INVOICES, stored.live[-1].invoice)).lines
    assert (line.product, line.start, line.end) == ("yearly", date(2031, 2, 10), date(2032, 2, 10))


@pytest.mark.proves("SUB-5")
async def test_who_owes_pays_first(coffee) -> None:
    id = await begun(coffee)
    await coffee.builder.edit(SUBSCRIPTIONS, id, lambda one: attrs.evolve(one, collection=Collection.UNPAID))
    with pytest.raises(OperationNotAllowed):
        await coffee.shop.subscription_changes.change_plan(ANN, id, LARGE.id)


@pytest.mark.proves("CHG-14", "SUB-5")
async def test_the_billing_day_of_what_is_on_trial_moves_with_the_end_of_the_trial(coffee) -> None:
    id = await begun(coffee, TRIED)
    moved = await coffee.shop.subscription_changes.move_billing_day(ANN, id, DayOfMonth(15))
    assert (moved.subscription.lifecycle, moved.invoices) == (Lifecycle.TRIALING, ())
    coffee.builder.clock.advance(17 * DAY)
    report = await coffee.shop.billing.run_billing(worker=WorkerId("w"))
    assert report.failures == ()
    stored = await kept(coffee, id)
    (line,) = (await coffee.builder.kept(INVOICES, stored.live[-1].invoice)).lines
    assert (line.start, line.end, str(line.base)) == (date(2031, 3, 2), date(2031, 3, 15), "13.00 EUR")


@pytest.mark.proves("SUB-5")
async def test_what_rests_can_be_changed_without_money(coffee) -> None:
    id = await begun(coffee)
    rests = {"lifecycle": Lifecycle.PAUSED, "pause": Pause(since=coffee.builder.clock.now(), until=None, reason=ASKED)}
    await coffee.builder.edit(SUBSCRIPTIONS, id, lambda one: attrs.evolve(one, **rests))
    done = await coffee.shop.subscription_changes.change_plan(ANN, id, LARGE.id)
    assert (done.subscription.terms.version, done.invoices, done.quote) == (LARGE.id, (), None)
    later = await coffee.shop.subscription_changes.change_plan(ANN, id, YEARLY.id)
    assert later.subscription.scheduled.change.at.date() == date(2031, 2, 27)


@pytest.mark.proves("CHG-1")
async def test_a_change_that_is_refused_leaves_everything_as_it_was(coffee) -> None:
    id = await begun(coffee)
    before = await kept(coffee, id)
    for how in (How(preset=Preset.DIFFERENCE), How(when=date(2031, 2, 1))):
        with pytest.raises(Rejected):
            await coffee.shop.subscription_changes.change_plan(ANN, id, YEARLY.id, how=how)
    assert await kept(coffee, id) == before
