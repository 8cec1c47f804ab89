"""A box shop: billed by the quarter, delivered by the month, with skips, pauses, unpaid boxes and downtime."""

import json
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeVar

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money, allocate
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Book, Entity
from shopaccounts.kernel.time import FixedClock, start_of_day, zone
from shopaccounts.subscriptions import (
    ACCOUNTS,
    BALANCE_ENTRIES,
    DELIVERY_ROUNDS,
    INVOICES,
    SUBSCRIPTION_DELIVERIES,
    SUBSCRIPTIONS,
    CancelWish,
    How,
    PauseWish,
    SubscriptionPolicy,
)
from shopaccounts.subscriptions.boxes.listing import Delivery
from shopaccounts.subscriptions.boxes.states import DeliveryState
from shopaccounts.subscriptions.errors import (
    CutOffPassed,
    DateNotPossible,
    OnHold,
    OperationNotAllowed,
    SubscriptionUnknown,
    TransitionRefused,
)
from shopaccounts.subscriptions.model import Hold
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, Goods, PlanVersionId
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.policy.deliveries import DeliveryPolicy, LostBox
from shopaccounts.subscriptions.policy.pausing import PauseHow
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import BuiltShop, quick_policies
from shopaccounts.testing.gateway import ScriptedGateway
from shopaccounts.testing.subscribers import flat_plan

if TYPE_CHECKING:
    from tests.usecases.subscriptions.conftest import CoffeeShop

ANN, BOB = CustomerId("ann"), CustomerId("bob")
WORKER = WorkerId("w")
BERLIN = zone("Europe/Berlin")
DAY = timedelta(days=1)
MONTHLY = DeliveryPlan(interval=Interval.months(1), cut_off_days=3)
BOX = flat_plan("90.00", Interval.months(3), goods=Goods.PHYSICAL, deliveries=MONTHLY)
BY_HALF_YEARS = flat_plan(
    "180.00", Interval.months(6), goods=Goods.PHYSICAL, deliveries=MONTHLY, id=PlanVersionId("half a year")
)
S = DeliveryState
T = TypeVar("T", bound=Entity)


@pytest.fixture
def plans() -> FixedPlans:
    """What the box shop sells."""
    return FixedPlans([BOX, BY_HALF_YEARS])


@attrs.frozen
class BoxShop:
    """The box shop, and short ways through its days."""

    till: "CoffeeShop"
    gateway: ScriptedGateway

    @property
    def shop(self) -> BuiltShop:
        return self.till.shop

    @property
    def clock(self) -> FixedClock:
        return self.till.builder.clock

    async def subscribed(self, customer: CustomerId = ANN) -> str:
        made = await self.till.subscribed(self.till.order(plan=BOX.id, ship_to="address-1"), customer)
        return made.subscription.id

    async def work(self) -> None:
        """Bill, collect and deliver."""
        await self.shop.billing.run_billing(worker=WORKER)
        await self.shop.payments.collect_due(worker=WORKER)
        report = await self.shop.boxes.run_deliveries(worker=WORKER)
        assert report.failures == ()

    async def go_to(self, day: date, *, step: timedelta = DAY) -> None:
        """Let days go by, with work in the morning of each."""
        at = start_of_day(day, BERLIN) + timedelta(hours=6)
        while self.clock.now() < at:
            self.clock.set(min(self.clock.now() + step, at))
            await self.work()

    async def boxes(
        self, id: str, start: date = date(2031, 1, 1), end: date = date(2032, 2, 1)
    ) -> tuple[Delivery, ...]:
        return await self.shop.boxes.deliveries(ANN, id, start, end)

    async def rows(self, book: Book[T], group: str, value: str) -> tuple[T, ...]:
        """All entities of a group."""
        builder = self.till.builder
        rows = await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))
        assert rows.next is None
        return rows.items

    async def told(self, name: str) -> list[str]:
        """The boxes that something was told about, in order."""
        events = await self.rows(EVENTS, "subject", ANN)
        return [json.loads(one.data)["delivery"] for one in events if one.name == f"subscriptions.{name}"]


@pytest.fixture
def box(till, gateway) -> BoxShop:
    """The shop, open on the last day of January."""
    return BoxShop(till, gateway)


def states(boxes) -> list[tuple[str, str]]:
    return [(f"{one.on:%d %b}", one.state.value) for one in boxes]


def credited_of(account) -> str:
    return str(account.balance("EUR"))


async def account_of(box: BoxShop, customer: CustomerId = ANN):
    return await box.till.builder.kept(ACCOUNTS, f"main/{customer}")


@pytest.mark.proves("DLV-1", "DLV-4")
async def test_who_subscribes_gets_boxes_by_the_month_and_bills_by_the_quarter(box) -> None:
    id = await box.subscribed()
    kept = await box.till.builder.kept(SUBSCRIPTIONS, id)
    assert [one.number for one in kept.delivery_segments] == [0]
    assert kept.ship_to == "address-1"
    await box.go_to(date(2031, 5, 1))
    assert states(await box.boxes(id, end=date(2031, 7, 1))) == [
        ("31 Jan", "handed_over"),
        ("28 Feb", "handed_over"),
        ("31 Mar", "handed_over"),
        ("30 Apr", "handed_over"),
        ("31 May", "planned"),
        ("30 Jun", "planned"),
    ]
    assert len(await box.told("delivery_due")) == 4
    assert len(await box.rows(INVOICES, "customer", ANN)) == 2


@pytest.mark.proves("DLV-4")
async def test_a_box_is_locked_at_its_cut_off_and_cant_be_changed_from_then_on(box) -> None:
    id = await box.subscribed()
    await box.work()
    january, february = (await box.boxes(id))[:2]
    assert january.state is S.HANDED_OVER
    name = str(february.key)
    await box.go_to(date(2031, 2, 24))
    tea = await box.shop.boxes.edit_delivery(ANN, id, name, contents={"tea": 2}, ship_to="address-2")
    assert [(line.product, line.quantity) for line in tea.lines] == [("tea", 2)]
    await box.go_to(date(2031, 2, 25))
    assert (await box.boxes(id))[1].state is S.LOCKED
    with pytest.raises(CutOffPassed) as refused:
        await box.shop.boxes.skip_delivery(ANN, id, name)
    assert refused.value.cut_off == start_of_day(date(2031, 2, 25), BERLIN)
    with pytest.raises(CutOffPassed):
        await box.shop.boxes.edit_delivery(ANN, id, name, ship_to="address-3")
    with pytest.raises(CutOffPassed):
        await box.shop.boxes.move_delivery(ANN, id, name, date(2031, 3, 5))
    await box.go_to(date(2031, 2, 28))
    out = (await box.boxes(id))[1]
    assert (out.state, out.ship_to, out.lines[0].product) == (S.HANDED_OVER, "address-2", "tea")


@pytest.mark.proves("DLV-5")
async def test_a_skipped_box_is_credited_once_on_its_day_and_the_next_bill_is_smaller(box) -> None:
    id = await box.subscribed()
    february = (await box.boxes(id))[1]
    skipped = await box.shop.boxes.skip_delivery(ANN, id, str(february.key))
    assert skipped.state is S.SKIPPED
    assert await box.told("delivery_skipped") == [str(february.key)]
    with pytest.raises(TransitionRefused):
        await box.shop.boxes.skip_delivery(ANN, id, str(february.key))
    await box.go_to(date(2031, 2, 27))
    assert credited_of(await account_of(box)) == "0.00 EUR"
    await box.go_to(date(2031, 3, 5))
    assert credited_of(await account_of(box)) == "30.00 EUR"
    entry = await box.till.builder.kept(BALANCE_ENTRIES, f"{february.key}:to_balance")
    assert (entry.amount, entry.document) == (Money.of("30.00", "EUR"), str(february.key))
    await box.go_to(date(2031, 5, 1))
    bill = await box.till.builder.kept(INVOICES, (await box.till.builder.kept(SUBSCRIPTIONS, id)).live[-1].invoice)
    assert (str(bill.total), str(bill.balance_applied)) == ("107.10 EUR", "30.00 EUR")
    assert await box.told("delivery_skipped") == [str(february.key)]


@pytest.mark.proves("DLV-5")
async def test_a_skipped_box_may_come_later_instead(box) -> None:
    policy = SubscriptionPolicy(deliveries=DeliveryPolicy(skipped=LostBox.PUSH_BACK))
    box.till.builder.policies = quick_policies(subscriptions=policy)
    box = BoxShop(attrs.evolve(box.till, shop=box.till.builder.build()), box.gateway)
    id = await box.subscribed()
    await box.shop.boxes.skip_delivery(ANN, id, f"{id}/0/1")
    await box.go_to(date(2031, 5, 1))
    assert states(await box.boxes(id, end=date(2031, 5, 1))) == [
        ("31 Jan", "handed_over"),
        ("28 Feb", "skipped"),
        ("31 Mar", "handed_over"),
        ("15 Apr", "handed_over"),
        ("30 Apr", "handed_over"),
    ]
    assert credited_of(await account_of(box)) == "0.00 EUR"


@pytest.mark.proves("DLV-4", "INV-6", "CHG-4")
@pytest.mark.parametrize("preset", [Preset.PRORATE_NOW, Preset.PRORATE_NEXT])
async def test_boxes_go_on_where_they_are_paid_by_half_years_from_now_on(box, preset) -> None:
    id = await box.subscribed()
    await box.go_to(date(2031, 2, 10))
    await box.shop.subscription_changes.change_plan(ANN, id, BY_HALF_YEARS.id, how=How(preset=preset))
    await box.go_to(date(2031, 4, 12))
    boxes = await box.boxes(id, end=date(2031, 4, 12))
    assert {one.state for one in boxes} == {S.HANDED_OVER}
    assert [one.cycle.index for one in boxes] == [0, 1, 1]


@pytest.mark.proves("DLV-5", "CHG-4")
async def test_a_box_that_is_paid_for_with_a_change_is_credited_like_any_other(box) -> None:
    id = await box.subscribed()
    await box.go_to(date(2031, 2, 10))
    how = How(preset=Preset.PRORATE_NOW)
    done = await box.shop.subscription_changes.change_plan(ANN, id, BY_HALF_YEARS.id, how=how)
    (charge,) = (line for line in done.invoices[0].lines if line.kind is LineKind.CHARGE)
    before = (await account_of(box)).balance("EUR")
    ahead = [one for one in await box.boxes(id) if one.cycle.index == 1]
    await box.shop.boxes.skip_delivery(ANN, id, str(ahead[0].key))
    await box.go_to(date(2031, 4, 1))
    credited = (await account_of(box)).balance("EUR") - before
    assert credited == allocate(charge.base, [1] * len(ahead))[0]


@pytest.mark.proves("DLV-4")
async def test_an_unpaid_box_is_held_and_goes_out_when_the_money_comes(box) -> None:
    id = await box.subscribed()
    await box.go_to(date(2031, 4, 28))
    box.gateway.cards["card-1"] = Declined(DeclineKind.SOFT, "no_funds")
    await box.go_to(date(2031, 5, 2))
    assert (await box.boxes(id))[3].state is S.HELD
    del box.gateway.cards["card-1"]
    await box.go_to(date(2031, 5, 10))
    assert (await box.boxes(id))[3].state is S.HANDED_OVER
    assert (await box.told("delivery_due")).count(f"{id}/0/3") == 1


@pytest.mark.proves("DLV-4")
async def test_a_payment_makes_a_held_box_due_at_once(box) -> None:
    id = await box.subscribed()
    await box.go_to(date(2031, 4, 28))
    box.gateway.cards["card-1"] = Declined(DeclineKind.SOFT, "no_funds")
    await box.go_to(date(2031, 5, 2))
    invoice = (await box.till.builder.kept(SUBSCRIPTIONS, id)).live[-1].invoice
    assert (await box.till.builder.kept(DELIVERY_ROUNDS, id)).due_at > box.clock.now()
    await box.shop.payments.record_payment(invoice, Money.of("107.10", "EUR"), "transfer-1")
    assert (await box.till.builder.kept(DELIVERY_ROUNDS, id)).due_at == box.clock.now()
    report = await box.shop.boxes.run_deliveries(worker=WORKER)
    assert report.boxes == {S.HANDED_OVER: 1}


@pytest.mark.proves("DLV-6")
async def test_running_twice_changes_nothing_and_downtime_sends_one_box(box) -> None:
    id = await box.subscribed()
    await box.work()
    assert (await box.shop.boxes.run_deliveries(worker=WORKER)).pages == 0
    box.clock.set(start_of_day(date(2031, 4, 2), BERLIN))
    await box.work()
    assert states(await box.boxes(id, end=date(2031, 4, 10))) == [
        ("31 Jan", "handed_over"),
        ("28 Feb", "missed"),
        ("31 Mar", "handed_over"),
    ]
    assert credited_of(await account_of(box)) == "30.00 EUR"
    before = await box.rows(EVENTS, "subject", ANN)
    assert (await box.shop.boxes.run_deliveries(worker=WORKER)).pages == 0
    assert await box.rows(EVENTS, "subject", ANN) == before


@pytest.mark.proves("DLV-6")
async def test_many_are_delivered_page_by_page(box) -> None:
    for n in range(5):
        await box.subscribed(CustomerId(f"c{n}"))
    report = await box.shop.boxes.run_deliveries(limit=2, max_pages=1, worker=WORKER)
    assert (report.pages, report.subscriptions, report.boxes) == (1, 2, {S.HANDED_OVER: 2})
    rest = await box.shop.boxes.run_deliveries(limit=2, worker=WORKER)
    assert (rest.pages, rest.subscriptions) == (2, 3)


@pytest.mark.proves("DLV-5")
async def test_a_pause_takes_its_boxes_along_for_good(box) -> None:
    id = await box.subscribed()
    await box.go_to(date(2031, 2, 10))
    until = start_of_day(date(2031, 3, 10), BERLIN)
    await box.shop.pauses.pause(ANN, id, PauseWish(how=PauseHow.NOW, until=until))
    assert (await box.boxes(id))[1].state is S.CANCELED
    await box.go_to(date(2031, 4, 5))
    assert states(await box.boxes(id, end=date(2031, 4, 5)))[:3] == [
        ("31 Jan", "handed_over"),
        ("28 Feb", "canceled"),
        ("31 Mar", "handed_over"),
    ]


@pytest.mark.proves("DLV-5")
async def test_boxes_of_a_pause_stay_away_where_nobody_looked_meanwhile(box) -> None:
    id = await box.subscribed()
    await box.go_to(date(2031, 2, 10))
    await box.shop.pauses.pause(ANN, id, PauseWish(how=PauseHow.NOW))
    box.clock.set(start_of_day(date(2031, 3, 10), BERLIN))
    await box.shop.pauses.resume(ANN, id)
    await box.work()
    assert (await box.boxes(id))[1].state is S.CANCELED
    assert await box.told("delivery_missed") == []


@pytest.mark.proves("DLV-4")
async def test_a_box_moves_between_its_neighbours(box) -> None:
    id = await box.subscribed()
    name = f"{id}/0/1"
    with pytest.raises(DateNotPossible):
        await box.shop.boxes.move_delivery(ANN, id, name, date(2031, 4, 1))
    moved = await box.shop.boxes.move_delivery(ANN, id, name, date(2031, 2, 14))
    assert moved.cut_off == start_of_day(date(2031, 2, 11), BERLIN)
    await box.go_to(date(2031, 2, 14))
    assert states(await box.boxes(id, end=date(2031, 3, 10))) == [("31 Jan", "handed_over"), ("14 Feb", "handed_over")]


@pytest.mark.proves("DLV-4", "ABU-7")
async def test_boxes_of_others_and_boxes_that_dont_exist_arent_there(box) -> None:
    id = await box.subscribed()
    with pytest.raises(SubscriptionUnknown):
        await box.shop.boxes.skip_delivery(BOB, id, f"{id}/0/1")
    with pytest.raises(SubscriptionUnknown):
        await box.shop.boxes.deliveries(BOB, id, date(2031, 1, 1), date(2031, 2, 1))
    for name in ("", "x", f"{id}/0", f"{id}/7/1", f"{id}/0/1/1", f"{id}/0/-1", "other/0/1", f"{id}/0/９"):
        with pytest.raises(InvalidInput):
            await box.shop.boxes.skip_delivery(ANN, id, name)
    for contents in ({}, {"tea": 0}, {"tea": True}, {"": 1}):
        with pytest.raises(InvalidInput):
            await box.shop.boxes.edit_delivery(ANN, id, f"{id}/0/1", contents=contents)
    with pytest.raises(InvalidInput):
        await box.boxes(id, date(2031, 1, 1), date(2041, 1, 1))


@pytest.mark.proves("DLV-4", "RUN-12")
async def test_boxes_of_a_subscription_on_hold_and_of_one_that_ended_arent_changed(box) -> None:
    id = await box.subscribed()
    hold = Hold(since=box.clock.now(), code="backlog")
    await box.till.builder.edit(SUBSCRIPTIONS, id, lambda one: attrs.evolve(one, hold=hold))
    with pytest.raises(OnHold):
        await box.shop.boxes.skip_delivery(ANN, id, f"{id}/0/1")
    await box.till.builder.edit(SUBSCRIPTIONS, id, lambda one: attrs.evolve(one, hold=None))
    await box.go_to(date(2031, 2, 1))
    await box.shop.cancellations.cancel(ANN, id)
    await box.go_to(date(2031, 5, 2))
    with pytest.raises(OperationNotAllowed):
        await box.shop.boxes.skip_delivery(ANN, id, f"{id}/0/4")
    assert states(await box.boxes(id)) == [
        ("31 Jan", "handed_over"),
        ("28 Feb", "handed_over"),
        ("31 Mar", "handed_over"),
    ]


@pytest.mark.proves("DLV-6", "RUN-5")
async def test_boxes_that_cant_be_decided_are_tried_again_and_stop_no_other(box) -> None:
    bad, good = await box.subscribed(BOB), await box.subscribed()
    await box.till.builder.edit(SUBSCRIPTIONS, bad, lambda one: attrs.evolve(one, segments=()))
    waits = []
    for attempt in range(1, 6):
        report = await box.shop.boxes.run_deliveries(worker=WORKER)
        (failure,) = report.failures
        assert (failure.subscription, failure.attempt) == (bad, attempt)
        if failure.next_try is not None:
            waits.append(failure.next_try - box.clock.now())
            box.clock.set(failure.next_try)
    assert waits == [timedelta(minutes=n) for n in (1, 4, 16, 64)]
    box.clock.advance(timedelta(hours=5))
    assert (await box.shop.boxes.run_deliveries(worker=WORKER)).pages == 0
    assert (await box.boxes(good))[0].state is S.HANDED_OVER


@pytest.mark.proves("DLV-6", "DLV-4", "DLV-5")
async def test_a_year_with_all_that_happens_has_no_box_twice_and_loses_no_cent(box) -> None:
    id = await box.subscribed()
    await box.go_to(date(2031, 2, 20))
    await box.shop.boxes.skip_delivery(ANN, id, f"{id}/0/1")
    await box.go_to(date(2031, 5, 10))
    until = start_of_day(date(2031, 6, 15), BERLIN)
    await box.shop.pauses.pause(ANN, id, PauseWish(how=PauseHow.NOW, until=until))
    await box.go_to(date(2031, 7, 28))
    box.gateway.cards["card-1"] = Declined(DeclineKind.SOFT, "no_funds")
    await box.go_to(date(2031, 8, 2))
    del box.gateway.cards["card-1"]
    await box.go_to(date(2031, 9, 20))
    await box.go_to(date(2031, 12, 3), step=74 * DAY)
    await box.go_to(date(2032, 1, 20))
    boxes = await box.boxes(id)
    assert states(boxes) == [
        ("31 Jan", "handed_over"),
        ("28 Feb", "skipped"),
        ("31 Mar", "handed_over"),
        ("30 Apr", "handed_over"),
        ("31 May", "canceled"),
        ("30 Jun", "handed_over"),
        ("31 Jul", "handed_over"),
        ("31 Aug", "handed_over"),
        ("30 Sep", "missed"),
        ("31 Oct", "missed"),
        ("30 Nov", "handed_over"),
        ("31 Dec", "handed_over"),
        ("31 Jan", "planned"),
    ]
    handed = await box.told("delivery_due")
    assert Counter(handed) == Counter(str(one.key) for one in boxes if one.state is S.HANDED_OVER)
    rows = await box.rows(BALANCE_ENTRIES, "account", f"main/{ANN}")
    assert sorted(str(one.amount) for one in rows if one.reason.value == "to_balance") == ["30.00 EUR"] * 3
    stored = await box.rows(SUBSCRIPTION_DELIVERIES, "subscription", id)
    assert len({one.id for one in stored}) == len(stored)


@pytest.mark.proves("SIM-2")
async def test_what_is_to_come_shows_the_boxes_that_then_go_out_on_their_days(box) -> None:
    id = await box.subscribed()
    await box.work()
    february, march, april, *_ = (await box.boxes(id))[1:]
    await box.shop.boxes.skip_delivery(ANN, id, str(march.key))
    await box.shop.boxes.move_delivery(ANN, id, str(april.key), date(2031, 5, 2))
    until = start_of_day(date(2031, 7, 1), BERLIN)
    ahead = await box.shop.subscription_views.upcoming(ANN, id, until=until)
    shown = [(f"{one.at.astimezone(BERLIN.info):%d %b}", one.kind.value) for one in ahead]
    assert shown == [
        ("28 Feb", "delivery"),
        ("30 Apr", "charge"),
        ("02 May", "delivery"),
        ("31 May", "delivery"),
        ("30 Jun", "delivery"),
    ]
    assert ahead[0].box == february
    before = len(await box.told("delivery_due"))
    await box.go_to(date(2031, 7, 1))
    assert (await box.told("delivery_due"))[before:] == [str(one.box.key) for one in ahead if one.box]


@pytest.mark.proves("SIM-2")
async def test_a_customer_sees_the_next_box_that_comes(box) -> None:
    id = await box.subscribed()
    await box.work()
    february, march = (await box.boxes(id))[1:3]
    (view,) = await box.shop.subscription_views.my_subscriptions(ANN)
    assert view.next_delivery == february
    await box.shop.boxes.skip_delivery(ANN, id, str(february.key))
    (view,) = await box.shop.subscription_views.my_subscriptions(ANN)
    assert view.next_delivery == march
    await box.shop.cancellations.cancel(ANN, id, CancelWish(when=CancelWhen.NOW))
    (view,) = await box.shop.subscription_views.my_subscriptions(ANN)
    assert view.next_delivery is None
