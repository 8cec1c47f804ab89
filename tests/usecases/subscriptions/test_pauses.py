"""Customers let their subscription rest, leave cycles out, move and refill them: recorded once, and nobody else's."""

from datetime import date, datetime, timedelta

import attrs
import pytest

from shopaccounts.kernel.errors import Forbidden
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.staff import Permission
from shopaccounts.subscriptions import (
    CREDIT_NOTES,
    INVOICES,
    SUBSCRIPTIONS,
    CycleContent,
    PauseWish,
    SubscriptionPolicy,
)
from shopaccounts.subscriptions.desk.acts import ActKind
from shopaccounts.subscriptions.errors import (
    CancellationScheduled,
    CycleAlreadyBilled,
    NotPaused,
    OnHold,
    OperationNotAllowed,
    RequestIdReused,
    SubscriptionUnknown,
)
from shopaccounts.subscriptions.model import Hold
from shopaccounts.subscriptions.plans.add_ons import AddOn
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy.pausing import PauseHow, PausePolicy, Unused
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.scheduled import CancelAt, Scheduled
from shopaccounts.subscriptions.states import Collection, Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.subscribers import EUR, flat_plan

ANN, BEN = CustomerId("ann"), CustomerId("ben")
AT_ONCE = PauseWish(how=PauseHow.NOW)
DAY = timedelta(days=1)
MUG = AddOn(key="mug", product="mug", prices=(Flat(Money.of("9.00", EUR)),))
PLAN = attrs.evolve(flat_plan("17.90"), add_ons=(MUG,))


def policies(**pausing):
    """A shop that lets a subscription run before its first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    return quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing, pausing=PausePolicy(**pausing)))


@pytest.fixture
def builder(builder):
    builder.policies = policies()
    return builder


@pytest.fixture
def plans():
    return FixedPlans([PLAN])


async def running(coffee, **more):
    """The id of a subscription of Ann's that runs."""
    made = await coffee.subscribed()
    if more:
        await changed(coffee, made.subscription.id, **more)
    return made.subscription.id


async def changed(coffee, id, **more):
    await coffee.builder.edit(SUBSCRIPTIONS, id, lambda one: attrs.evolve(one, **more))


async def kept(coffee, id):
    return await coffee.builder.kept(SUBSCRIPTIONS, id)


async def billed(coffee, days):
    """Let days go by, and a run of billing come."""
    coffee.builder.clock.advance(days * DAY)
    return (await coffee.shop.billing.run_billing(worker=WorkerId("w"))).invoices


def told(coffee):
    """The names of all events so far."""
    realm = coffee.builder.storage.snapshot()[coffee.builder.scope.realm]
    return [event.name for event in realm.books["events"].values()]


def facts(done):
    """What a preview and the real thing have in common: all but ids and versions."""
    papers = done.papers
    return (
        attrs.evolve(done.subscription, version=0, live=()),
        [(one.key, one.kind, one.total, [line.amount for line in one.lines]) for one in papers.invoices],
        [(one.key, one.total) for one in papers.notes],
        papers.events and [event.name for event in papers.events],
    )


@pytest.mark.proves("PAU-1", "PAU-4")
async def test_a_pause_is_recorded_and_no_run_bills_it_until_it_is_taken_up_again(coffee) -> None:
    id = await running(coffee)
    done = await coffee.shop.pauses.pause(ANN, id, AT_ONCE)
    assert done.subscription.lifecycle is (await kept(coffee, id)).lifecycle is Lifecycle.PAUSED
    assert await billed(coffee, 40) == 0
    done = await coffee.shop.pauses.resume(ANN, id)
    assert done.subscription.lifecycle is Lifecycle.ACTIVE
    assert await billed(coffee, 1) == 1
    assert told(coffee).count("subscriptions.subscription_paused") == 1
    assert told(coffee).count("subscriptions.subscription_resumed") == 1


@pytest.mark.proves("PAU-1")
async def test_a_planned_pause_begins_by_itself_and_ends_by_itself(coffee) -> None:
    id = await running(coffee)
    done = await coffee.shop.pauses.pause(ANN, id, PauseWish(cycles=1))
    assert done.subscription.due_at == done.subscription.scheduled.pause.at
    assert await billed(coffee, 30) == 0
    assert (await kept(coffee, id)).lifecycle is Lifecycle.PAUSED
    assert await billed(coffee, 31) == 1
    assert (await kept(coffee, id)).lifecycle is Lifecycle.ACTIVE


@pytest.mark.proves("PAU-1")
async def test_a_planned_pause_can_be_taken_back(coffee) -> None:
    id = await running(coffee)
    before = (await kept(coffee, id)).due_at
    await coffee.shop.pauses.pause(ANN, id)
    done = await coffee.shop.pauses.undo_pause(ANN, id)
    assert (done.subscription.scheduled.pause, done.subscription.due_at) == (None, before)
    with pytest.raises(NotPaused):
        await coffee.shop.pauses.undo_pause(ANN, id)


@pytest.mark.proves("PAU-2", "SIM-1")
async def test_a_preview_shows_the_credit_and_records_nothing(coffee) -> None:
    coffee.builder.policies = policies(unused=Unused.CREDIT)
    shop = coffee.builder.build()
    id = await running(coffee)
    coffee.builder.clock.advance(14 * DAY)
    before, events = await kept(coffee, id), told(coffee)
    seen = await shop.pauses.preview_pause(ANN, id, AT_ONCE)
    assert (await kept(coffee, id), told(coffee)) == (before, events)
    done = await shop.pauses.pause(ANN, id, AT_ONCE)
    assert facts(seen) == facts(done)
    (note,) = done.papers.notes
    assert await coffee.builder.kept(CREDIT_NOTES, note.id) is not None
    assert (await coffee.builder.kept(INVOICES, note.invoice)).credited == note.total


@pytest.mark.proves("PAU-3", "SIM-1")
async def test_a_preview_of_going_on_is_what_going_on_is(coffee) -> None:
    id = await running(coffee)
    await coffee.shop.pauses.pause(ANN, id, AT_ONCE)
    coffee.builder.clock.advance(40 * DAY)
    seen = await coffee.shop.pauses.preview_resume(ANN, id)
    assert (await kept(coffee, id)).lifecycle is Lifecycle.PAUSED
    assert facts(seen) == facts(await coffee.shop.pauses.resume(ANN, id))


@pytest.mark.proves("PAU-4")
async def test_going_on_can_be_planned_and_what_is_not_paused_does_not_go_on(coffee) -> None:
    id = await running(coffee)
    with pytest.raises(NotPaused):
        await coffee.shop.pauses.resume(ANN, id)
    await coffee.shop.pauses.pause(ANN, id, AT_ONCE)
    at = coffee.builder.clock.now() + 10 * DAY
    done = await coffee.shop.pauses.resume(ANN, id, at)
    assert done.subscription.due_at == at
    await billed(coffee, 10)
    assert (await kept(coffee, id)).lifecycle is Lifecycle.ACTIVE
    with pytest.raises(NotPaused):
        await coffee.shop.pauses.resume(ANN, id)


@pytest.mark.proves("PAU-6")
async def test_a_cycle_is_skipped_and_not_skipped_after_all(coffee) -> None:
    id = await running(coffee)
    with pytest.raises(CycleAlreadyBilled) as refused:
        await coffee.shop.pauses.skip_cycle(ANN, id, 0)
    assert refused.value.invoice == (await kept(coffee, id)).live[0].invoice
    await coffee.shop.pauses.skip_cycle(ANN, id, 1)
    await coffee.shop.pauses.skip_cycle(ANN, id, 3)
    await coffee.shop.pauses.unskip_cycle(ANN, id, 3)
    assert await billed(coffee, 30) == 0
    assert await billed(coffee, 30) == 1
    names = told(coffee)
    assert (names.count("subscriptions.cycle_skipped"), names.count("subscriptions.cycle_unskipped")) == (2, 1)


@pytest.mark.proves("PAU-9")
async def test_a_cycle_is_moved_and_moved_back(coffee) -> None:
    id = await running(coffee)
    before = (await kept(coffee, id)).due_at
    done = await coffee.shop.pauses.reschedule_cycle(ANN, id, 1, date(2031, 3, 10))
    assert done.subscription.due_at == datetime.fromisoformat("2031-03-09T23:00+00:00")
    done = await coffee.shop.pauses.unreschedule_cycle(ANN, id, 1)
    assert done.subscription.due_at == before


@pytest.mark.proves("PAU-10", "SIM-1")
async def test_one_cycle_holds_something_more(coffee) -> None:
    id = await running(coffee)
    content = CycleContent(add_ons={"mug": 1})
    seen = await coffee.shop.pauses.preview_edit_cycle(ANN, id, 1, content)
    assert (await kept(coffee, id)).overrides == ()
    assert facts(seen) == facts(await coffee.shop.pauses.edit_cycle(ANN, id, 1, content))
    assert await billed(coffee, 30) == 1
    live = (await kept(coffee, id)).live
    invoice = await coffee.builder.kept(INVOICES, live[-1].invoice)
    assert [(line.key, str(line.amount)) for line in invoice.lines] == [("plan", "17.90 EUR"), ("mug", "9.00 EUR")]


def acts(shop, customer, id):
    """Everything that a customer does here, with what it takes."""
    pauses = shop.pauses
    return {
        "pause": lambda: pauses.pause(customer, id, AT_ONCE),
        "preview_pause": lambda: pauses.preview_pause(customer, id, AT_ONCE),
        "undo_pause": lambda: pauses.undo_pause(customer, id),
        "resume": lambda: pauses.resume(customer, id),
        "preview_resume": lambda: pauses.preview_resume(customer, id),
        "skip_cycle": lambda: pauses.skip_cycle(customer, id, 1),
        "unskip_cycle": lambda: pauses.unskip_cycle(customer, id, 1),
        "reschedule_cycle": lambda: pauses.reschedule_cycle(customer, id, 1, date(2031, 3, 10)),
        "unreschedule_cycle": lambda: pauses.unreschedule_cycle(customer, id, 1),
        "edit_cycle": lambda: pauses.edit_cycle(customer, id, 1, CycleContent(quantity=2)),
        "preview_edit_cycle": lambda: pauses.preview_edit_cycle(customer, id, 1, CycleContent(quantity=2)),
    }


ACTS = [
    "pause",
    "preview_pause",
    "undo_pause",
    "resume",
    "preview_resume",
    "skip_cycle",
    "unskip_cycle",
    "reschedule_cycle",
    "unreschedule_cycle",
    "edit_cycle",
    "preview_edit_cycle",
]


@pytest.mark.proves("PAU-1", "ABU-7")
@pytest.mark.parametrize("act", ACTS)
async def test_another_customers_subscription_does_not_exist(coffee, act) -> None:
    id = await running(coffee)
    before = await kept(coffee, id)
    for who, which in ((BEN, id), (ANN, "nothing")):
        with pytest.raises(SubscriptionUnknown):
            await acts(coffee.shop, who, which)[act]()
    assert await kept(coffee, id) == before


@pytest.mark.proves("ABU-5", "SUB-5")
@pytest.mark.parametrize("act", sorted(set(ACTS) - {"resume", "preview_resume", "undo_pause"}))
async def test_who_owes_neither_pauses_nor_skips(coffee, act) -> None:
    id = await running(coffee, collection=Collection.PAST_DUE)
    with pytest.raises(OperationNotAllowed):
        await acts(coffee.shop, ANN, id)[act]()


@pytest.mark.proves("RUN-12")
@pytest.mark.parametrize("act", ACTS)
async def test_while_the_shop_decides_nothing_is_different(coffee, act) -> None:
    id = await running(coffee, hold=Hold(since=coffee.builder.clock.now(), code="test"))
    with pytest.raises(OnHold):
        await acts(coffee.shop, ANN, id)[act]()


@pytest.mark.proves("SUB-4")
async def test_who_has_cancelled_pauses_before_the_end_and_not_at_it(coffee) -> None:
    id = await running(coffee)
    ends = (await kept(coffee, id)).due_at
    await changed(coffee, id, scheduled=Scheduled(cancel=CancelAt(at=ends, asked_at=ends - 20 * DAY)))
    with pytest.raises(CancellationScheduled):
        await coffee.shop.pauses.pause(ANN, id)
    done = await coffee.shop.pauses.pause(ANN, id, AT_ONCE)
    assert done.subscription.lifecycle is Lifecycle.PAUSED


@pytest.mark.proves("PAU-1", "CAN-3")
async def test_what_was_due_is_decided_before_a_pause_is(coffee) -> None:
    id = await running(coffee)
    coffee.builder.clock.advance(40 * DAY)
    done = await coffee.shop.pauses.pause(ANN, id, AT_ONCE)
    assert [invoice.total for invoice in done.papers.invoices] == [Money.of("21.30", EUR)]
    assert done.subscription.billed_to == 2


@pytest.mark.proves("PAU-11")
async def test_a_clerk_puts_everything_off_and_that_is_kept(coffee) -> None:
    id = await running(coffee)
    desk = coffee.builder
    desk.agents = StaffRoom()
    desk.agents.hire("eve", [Permission.BILLING])
    scope, desk.scope = desk.scope, attrs.evolve(desk.scope, actor=Actor(ActorKind.AGENT, "eve"))
    office, desk.scope = desk.build(), scope
    acted = await office.billing_desk.postpone_all(id, 10, "the roastery burned")
    assert (acted.act.kind, acted.act.reason) == (ActKind.POSTPONE_ALL, "the roastery burned")
    assert (acted.act.before, acted.act.after) == ({"next_cycle": "2031-02-28"}, {"next_cycle": "2031-03-10"})
    assert (await kept(coffee, id)).segments[-1].start == date(2031, 3, 10)
    assert "subscriptions.billing_day_moved" in told(coffee)
    assert await billed(coffee, 37) == 0
    assert await billed(coffee, 1) == 1
    with pytest.raises(Forbidden):
        await coffee.shop.billing_desk.postpone_all(id, 10, "just so")


@pytest.mark.proves("UC-1")
async def test_a_key_is_remembered_for_400_days_and_may_then_stand_for_something_else(coffee) -> None:
    made = await coffee.subscribed()
    await coffee.shop.pauses.skip_cycle(ANN, made.subscription.id, 1, request_id="k-1")
    clock = coffee.builder.clock
    clock.advance(timedelta(days=400))
    await coffee.shop.upkeep.tick()
    with pytest.raises(RequestIdReused):
        await coffee.shop.cancellations.cancel(ANN, made.subscription.id, request_id="k-1")
    clock.advance(timedelta(microseconds=1))
    await coffee.shop.upkeep.tick()
    assert await coffee.shop.cancellations.cancel(ANN, made.subscription.id, request_id="k-1")
