import itertools
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.money import Money, total
from shopaccounts.kernel.time import start_of_day, zone
from shopaccounts.serial import dump, load
from shopaccounts.subscriptions.boxes.changes import (
    canceled_by_pause,
    edit_delivery,
    make_good,
    move_delivery,
    skip_delivery,
)
from shopaccounts.subscriptions.boxes.delivering import (
    DELIVERY_ROUNDS,
    DeliveryRound,
    DueDeliveries,
    Settlement,
    due_deliveries,
    reached,
    settlement,
)
from shopaccounts.subscriptions.boxes.listing import (
    SUBSCRIPTION_DELIVERIES,
    Delivery,
    DeliveryRecord,
    deliveries,
    deliveries_of_cycle,
    joined,
)
from shopaccounts.subscriptions.boxes.states import DELIVERY, DeliveryState, DeliveryTrigger, delivered
from shopaccounts.subscriptions.errors import BadPlan, CutOffPassed, DateNotPossible, TransitionRefused
from shopaccounts.subscriptions.events import DeliveryDue, DeliveryMissed, DeliverySkipped
from shopaccounts.subscriptions.model import Pause, PauseReason, Subscription
from shopaccounts.subscriptions.papers.documents import BilledCycle, CycleEnd, Invoice, InvoiceState
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.delivery_schedule import open_deliveries
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, FirstDelivery, ShipWhen
from shopaccounts.subscriptions.policy.deliveries import DeliveryPolicy, LostBox
from shopaccounts.subscriptions.scheduled import Override, OverrideKind
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.boxes import box_subscription

S, T = DeliveryState, DeliveryTrigger
BERLIN = zone("Europe/Berlin")
MONTHLY, WEEKLY = Interval.months(1), Interval.weeks(1)
PAID, INVOICED, UNBILLED, NONE = (
    Settlement.PAID,
    Settlement.INVOICED,
    Settlement.UNBILLED,
    Settlement.NONE,
)
START = date(2031, 1, 1)
NET = Money.of("100.00", "EUR")


def midnight(month: int, day: int, year: int = 2031) -> datetime:
    return start_of_day(date(year, month, day), BERLIN)


def noon(month: int, day: int) -> datetime:
    return midnight(month, day) + timedelta(hours=12)


def boxes(interval=MONTHLY, **facts) -> Subscription:
    return box_subscription(START, DeliveryPlan(interval=interval, **facts))


def box_of(subscription: Subscription, month: int, day: int = 1) -> Delivery:
    (box,) = deliveries(subscription, date(2031, month, day), date(2031, month, day) + timedelta(days=1))
    return box


class Depot:
    """The records of one subscription, and the run that keeps them."""

    def __init__(self, subscription: Subscription, policy: DeliveryPolicy | None = None) -> None:
        self.subscription = subscription
        self.policy = policy or DeliveryPolicy()
        self.kept: dict[object, Delivery] = {}
        self.decided_to = subscription.delivery_segments[0].start
        self.lost: list[Delivery] = []

    def keep(self, *boxes: Delivery) -> None:
        self.kept |= {box.key: box for box in boxes}

    @property
    def open(self) -> list[Delivery]:
        return [box for box in self.kept.values() if not box.done]

    def run(self, now: datetime, settled: dict[int, Settlement]) -> DueDeliveries:
        due = due_deliveries(self.subscription, self.open, self.decided_to, settled, self.policy, now)
        self.keep(*due.changed)
        self.lost += due.lost
        self.decided_to = due.decided_to
        return due

    def states(self) -> dict[str, str]:
        boxes = sorted(self.kept.values(), key=lambda box: (box.on, box.key))
        return {f"{box.on:%m-%d}": box.state.value for box in boxes}


def what_a_box_tells(event: Event) -> tuple[type[Event], datetime, str]:
    assert isinstance(event, (DeliveryDue, DeliveryMissed, DeliverySkipped))
    return type(event), event.at, event.delivery


# The table


@pytest.mark.proves("DLV-4")
@pytest.mark.parametrize(("state", "trigger"), list(itertools.product(S, T)))
def test_each_trigger_leads_where_the_table_says_or_nowhere(state, trigger):
    if (state, trigger) in DELIVERY:
        assert delivered(state, trigger) is DELIVERY[state, trigger]
    else:
        with pytest.raises(TransitionRefused) as refused:
            delivered(state, trigger)
        assert (refused.value.state, refused.value.trigger) == (state.value, trigger.value)


@pytest.mark.proves("DLV-4")
def test_the_ways_of_a_box():
    ways = {(state.value, trigger.value): to.value for (state, trigger), to in DELIVERY.items()}
    assert ways == {
        ("planned", "cut_off"): "locked",
        ("planned", "skipped"): "skipped",
        ("planned", "unpaid"): "held",
        ("locked", "unpaid"): "held",
        ("locked", "due"): "handed_over",
        ("held", "due"): "handed_over",
        ("planned", "overtaken"): "missed",
        ("locked", "overtaken"): "missed",
        ("held", "overtaken"): "missed",
        ("planned", "canceled"): "canceled",
        ("locked", "canceled"): "canceled",
        ("held", "canceled"): "canceled",
        ("missed", "canceled"): "canceled",
        ("skipped", "canceled"): "canceled",
    }


# From plan to door


@pytest.mark.proves("DLV-4", "DLV-6")
def test_a_box_is_locked_at_its_cut_off_and_handed_over_once_on_its_day():
    depot = Depot(boxes())
    assert depot.run(noon(1, 1), {0: PAID}).due_at == midnight(1, 29)
    assert depot.run(midnight(1, 29) - timedelta(seconds=1), {0: PAID}).changed == ()
    locked = depot.run(midnight(1, 29), {0: PAID})
    assert (depot.states()["02-01"], locked.due_at) == ("locked", midnight(2, 1))
    assert depot.run(midnight(2, 1) - timedelta(seconds=1), {0: PAID}).changed == ()
    (out,) = depot.run(midnight(2, 1), {0: PAID}).changed
    assert (out.on, out.state, out.done) == (date(2031, 2, 1), S.HANDED_OVER, True)
    assert depot.run(midnight(2, 1), {0: PAID}).changed == ()


@pytest.mark.proves("DLV-4", "DLV-6")
def test_each_thing_that_happens_to_a_box_is_told_once_and_in_order():
    skip = Override(kind=OverrideKind.SKIP, index=1, made_on=START)
    depot = Depot(attrs.evolve(boxes(), overrides=(skip,)))
    depot.subscription = attrs.evolve(
        depot.subscription, lines=(attrs.evolve(depot.subscription.plan_line, quantity=2),)
    )
    nothing = depot.run(noon(1, 1), {}).events
    (due,) = depot.run(noon(1, 2), {0: PAID}).events
    assert nothing == ()
    assert due == DeliveryDue(
        at=noon(1, 2),
        account=AccountId("nora"),
        billing_account="main/nora",
        subscription="sub-1",
        delivery="sub-1/0/0",
        segment=0,
        index=0,
        lines=("2 coffee",),
        ship_to="address-1",
    )
    late = depot.run(noon(4, 1), {0: PAID, 1: NONE}).events
    assert [what_a_box_tells(event) for event in late] == [
        (DeliveryMissed, midnight(3, 1), "sub-1/0/1"),
        (DeliveryDue, midnight(3, 1), "sub-1/0/2"),
        (DeliverySkipped, midnight(3, 29), "sub-1/0/3"),
    ]
    assert depot.run(noon(4, 1), {0: PAID, 1: NONE}).events == ()
    assert depot.run(noon(4, 2), {0: PAID, 1: NONE}).events == ()
    skipped = skip_delivery(box_of(depot.subscription, 7), noon(4, 2))
    depot.keep(skipped)
    assert [type(event) for event in depot.run(noon(7, 1), {2: PAID}).events] == [DeliverySkipped] * 2


@pytest.mark.proves("DLV-4")
def test_a_locked_box_keeps_what_was_in_it_though_the_subscription_changes():
    depot = Depot(boxes())
    depot.run(midnight(1, 29), {0: PAID})
    tea = (SubscribedLine(product="tea"),)
    depot.subscription = attrs.evolve(depot.subscription, lines=tea, ship_to="address-2")
    (out,) = depot.run(midnight(2, 1), {0: PAID}).changed
    assert ([line.product for line in out.lines], out.ship_to) == (["coffee"], "address-1")


@pytest.mark.proves("DLV-4")
def test_an_unpaid_box_is_held_and_goes_out_when_it_is_paid():
    depot = Depot(boxes())
    depot.run(noon(1, 1), {0: UNBILLED})
    assert depot.states() == {"01-01": "held"}
    assert depot.run(noon(1, 2), {0: INVOICED}).changed == ()
    depot.run(noon(1, 3), {0: PAID})
    assert depot.states() == {"01-01": "handed_over"}


@pytest.mark.proves("DLV-4")
def test_a_box_that_is_still_held_when_the_next_is_due_is_missed():
    depot = Depot(boxes())
    for month in (1, 2):
        depot.run(noon(month, 1), {0: INVOICED})
    assert depot.states() == {"01-01": "missed", "02-01": "held"}
    assert depot.lost == []
    depot.run(noon(2, 2), {0: PAID})
    assert depot.states() == {"01-01": "missed", "02-01": "handed_over"}
    assert [box.on for box in depot.lost] == [START]  # its money came after all


@pytest.mark.proves("DLV-1", "DLV-4")
@pytest.mark.parametrize(
    ("plan", "shop", "settled", "state"),
    [
        (None, ShipWhen.PAID, INVOICED, S.HELD),
        (None, ShipWhen.INVOICED, INVOICED, S.HANDED_OVER),
        (None, ShipWhen.INVOICED, UNBILLED, S.HELD),
        (ShipWhen.PAID, ShipWhen.INVOICED, INVOICED, S.HELD),
        (ShipWhen.INVOICED, ShipWhen.PAID, INVOICED, S.HANDED_OVER),
        (ShipWhen.PAID, ShipWhen.PAID, PAID, S.HANDED_OVER),
        (None, ShipWhen.PAID, NONE, S.CANCELED),
    ],
)
def test_whether_a_box_waits_for_its_money_the_plan_says_or_else_the_shop(plan, shop, settled, state):
    depot = Depot(boxes(ship_when=plan), DeliveryPolicy(ship_when=shop))
    depot.run(noon(1, 1), {0: settled})
    assert depot.states() == {"01-01": state.value}


@pytest.mark.proves("DLV-4")
def test_what_is_free_and_what_is_billed_afterwards_waits_for_nothing_and_is_never_made_good():
    nora = boxes()
    (phase,) = nora.terms.phases
    trial = attrs.evolve(phase, tariff=None, end=date(2031, 2, 1))
    paid = attrs.evolve(phase, start=date(2031, 2, 1))
    free = attrs.evolve(nora, terms=attrs.evolve(nora.terms, phases=(trial, paid)))
    arrears = attrs.evolve(nora, lines=(attrs.evolve(nora.plan_line, mode=BillingMode.IN_ARREARS),))
    depot = Depot(free)
    depot.run(noon(1, 1), {})
    depot.run(noon(2, 1), {})
    assert depot.states() == {"01-01": "handed_over", "02-01": "held"}
    for subscription, settled in ((free, UNBILLED), (arrears, UNBILLED)):
        late = Depot(subscription)
        late.keep(skip_delivery(box_of(subscription, 1), midnight(12, 1, 2030)))
        late.run(noon(1, 1), {0: settled})
        assert (late.open, late.lost) == ([], [])


@pytest.mark.proves("DLV-6")
def test_after_an_outage_the_latest_box_goes_out_and_the_older_ones_are_missed():
    depot = Depot(boxes(WEEKLY))
    depot.run(noon(1, 1), {0: PAID})
    due = depot.run(noon(1, 30), {0: PAID})
    assert depot.states() == {
        "01-01": "handed_over",
        "01-08": "missed",
        "01-15": "missed",
        "01-22": "missed",
        "01-29": "handed_over",
    }
    assert [box.on.day for box in due.lost] == [8, 15, 22]
    assert (due.decided_to, due.due_at) == (date(2031, 1, 31), midnight(2, 2))
    assert depot.run(noon(1, 30), {0: PAID}).changed == ()


@pytest.mark.proves("DLV-6")
def test_a_box_of_an_earlier_rhythm_is_locked_at_the_cut_off_that_it_had():
    nora = boxes(WEEKLY, cut_off_days=10)
    rhythm = nora.terms.deliveries
    assert rhythm is not None
    sooner = attrs.evolve(rhythm, cut_off_days=1)
    history = open_deliveries(nora.delivery_segments, sooner, nora.segments, noon(1, 6))
    terms = attrs.evolve(nora.terms, deliveries=sooner)
    depot = Depot(attrs.evolve(nora, delivery_segments=history, terms=terms))
    depot.run(noon(1, 6), {0: PAID})
    # That of the 8th was settled before the start already: who started on the 1st has no box then.
    assert depot.states() == {"01-01": "handed_over", "01-15": "locked"}


@pytest.mark.proves("DLV-6")
def test_the_boxes_of_a_period_that_lapsed_do_not_go_out_and_cost_nothing():
    depot = Depot(boxes())
    due = depot.run(noon(4, 2), {0: NONE, 1: PAID})
    assert depot.states() == {
        "01-01": "canceled",
        "02-01": "canceled",
        "03-01": "canceled",
        "04-01": "handed_over",
    }
    assert due.lost == ()


@pytest.mark.proves("DLV-4")
def test_a_box_that_was_locked_before_the_end_was_known_is_cancelled():
    depot = Depot(boxes())
    depot.run(noon(1, 1), {0: PAID})
    depot.run(midnight(3, 29), {0: PAID})
    depot.subscription = attrs.evolve(depot.subscription, lifecycle=Lifecycle.CANCELED, ended_at=midnight(4, 1))
    due = depot.run(noon(4, 1), {0: PAID})
    assert depot.states()["04-01"] == "canceled"
    assert (due.due_at, depot.open) == (None, [])


@pytest.mark.proves("DLV-5")
def test_the_boxes_of_a_skipped_period_end_as_skipped_and_are_not_made_good():
    skip = Override(kind=OverrideKind.SKIP, index=1, made_on=START)
    depot = Depot(attrs.evolve(boxes(), overrides=(skip,)))
    for month in range(1, 8):
        depot.run(noon(month, 1), {0: PAID, 1: NONE, 2: PAID})
    assert list(depot.states().values()) == ["handed_over"] * 3 + ["skipped"] * 3 + ["handed_over"]
    assert (depot.lost, depot.open) == ([], [])


@pytest.mark.proves("DLV-5")
def test_a_pause_stays_in_the_books_when_it_is_over():
    depot = Depot(boxes(WEEKLY))
    depot.run(noon(1, 1), {0: PAID})
    pause = Pause(since=noon(1, 3), until=None, reason=PauseReason.ASKED)
    paused = attrs.evolve(depot.subscription, lifecycle=Lifecycle.PAUSED, pause=pause)
    gone = canceled_by_pause(paused, depot.kept.values(), noon(1, 20))
    # That of the 22nd was to be packed on the 19th, when nobody knew that the pause would end.
    assert [(box.on.day, box.state) for box in gone] == [(8, S.CANCELED), (15, S.CANCELED), (22, S.CANCELED)]
    assert canceled_by_pause(depot.subscription, (), noon(1, 20)) == ()
    at_the_cut_off = attrs.evolve(paused, pause=attrs.evolve(pause, since=midnight(1, 5)))
    assert [box.on.day for box in canceled_by_pause(at_the_cut_off, (), noon(1, 20))] == [15, 22]
    depot.subscription = paused
    depot.run(noon(1, 16), {0: PAID})
    (left,) = canceled_by_pause(paused, depot.kept.values(), noon(1, 20))
    assert left.on.day == 22
    depot.keep(left)
    depot.subscription = attrs.evolve(paused, lifecycle=Lifecycle.ACTIVE, pause=None)
    depot.run(noon(1, 29), {0: PAID})
    assert list(depot.states().values()) == ["handed_over", *["canceled"] * 3, "handed_over"]


@pytest.mark.proves("DLV-5")
def test_a_box_that_was_locked_before_a_pause_goes_out():
    depot = Depot(boxes(WEEKLY))
    depot.run(noon(1, 5), {0: PAID})
    pause = Pause(since=noon(1, 6), until=None, reason=PauseReason.ASKED)
    depot.subscription = attrs.evolve(depot.subscription, lifecycle=Lifecycle.PAUSED, pause=pause)
    depot.run(noon(1, 8), {0: PAID})
    depot.run(noon(1, 15), {0: PAID})
    assert list(depot.states().values()) == ["handed_over", "handed_over", "canceled"]


@pytest.mark.proves("DLV-6")
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=12),
    st.lists(st.sampled_from(Settlement), min_size=5, max_size=5),
    st.integers(0, 9),
)
def test_every_run_is_idempotent_hands_over_one_box_at_most_and_never_takes_one_back(waits, money, cut_off_days):
    depot = Depot(boxes(WEEKLY, cut_off_days=cut_off_days))
    settled, now = dict(enumerate(money)), midnight(1, 1)
    out: set[object] = set()
    for wait in waits:
        now += timedelta(days=wait, hours=7)
        due = depot.run(now, settled)
        handed_over = [box for box in due.changed if box.state is S.HANDED_OVER]
        assert len(handed_over) <= 1
        assert not out & {box.key for box in due.changed}
        out |= {box.key for box in handed_over}
        again = depot.run(now, settled)
        assert (again.changed, again.lost, again.due_at) == ((), (), due.due_at)
        assert due.due_at is not None
        assert due.due_at > now
    assert len({box.key for box in depot.lost}) == len(depot.lost)
    assert all(box.cut_off <= now for box in reached(depot.subscription, depot.open, depot.decided_to, now))


@pytest.mark.proves("DLV-6")
@given(st.integers(1, 60), st.integers(0, 9))
def test_who_wakes_whenever_there_is_work_hands_every_box_over_on_its_day(periods, cut_off_days):
    depot = Depot(boxes(WEEKLY, cut_off_days=cut_off_days))
    now = midnight(1, 1)
    for _ in range(periods):
        due = depot.run(now, dict.fromkeys(range(9), PAID))
        assert all(start_of_day(box.on, BERLIN) == now for box in due.changed if box.state is S.HANDED_OVER)
        woken = due.due_at
        assert woken is not None
        now = woken
    assert {box.state for box in depot.kept.values()} <= {S.LOCKED, S.HANDED_OVER}


# Money


def invoice_that_is(state: InvoiceState) -> Invoice:
    """Stand in for an invoice where nothing but its state is looked at."""
    return cast("Invoice", SimpleNamespace(state=state))


def cycle_that(ended: CycleEnd) -> BilledCycle:
    fields: dict[str, Any] = {field.name: None for field in attrs.fields(BilledCycle)}
    return BilledCycle(**(fields | {"ended": ended}))


@pytest.mark.proves("DLV-4")
def test_what_became_of_the_money_for_a_cycle():
    assert settlement(None, None) is UNBILLED
    assert settlement(cycle_that(CycleEnd.BILLED), invoice_that_is(InvoiceState.OPEN)) is INVOICED
    assert settlement(cycle_that(CycleEnd.BILLED), invoice_that_is(InvoiceState.PAID)) is PAID
    assert settlement(cycle_that(CycleEnd.BILLED), None) is PAID  # too little to be invoiced
    assert settlement(cycle_that(CycleEnd.FREE), None) is PAID
    for ended in set(CycleEnd) - {CycleEnd.BILLED, CycleEnd.FREE}:
        assert settlement(cycle_that(ended), None) is NONE


@pytest.mark.proves("DLV-5")
def test_a_box_that_was_paid_for_and_skipped_is_lost_once():
    depot = Depot(boxes())
    depot.run(noon(1, 1), {0: PAID})
    depot.keep(skip_delivery(box_of(depot.subscription, 2), noon(1, 10)))
    assert depot.run(noon(1, 30), {0: PAID}).changed == ()
    (lost,) = depot.run(noon(2, 1), {0: PAID}).lost
    assert (lost.on, lost.state, lost.made_good, lost.done) == (date(2031, 2, 1), S.SKIPPED, True, True)
    depot.run(noon(2, 2), {0: PAID})
    assert len(depot.lost) == 1


@pytest.mark.proves("DLV-5")
def test_a_box_that_was_made_good_when_it_was_skipped_is_not_made_good_again():
    depot = Depot(boxes())
    depot.run(noon(1, 1), {0: PAID})
    depot.keep(attrs.evolve(skip_delivery(box_of(depot.subscription, 2), noon(1, 10)), made_good=True))
    assert depot.run(noon(2, 1), {0: PAID}).lost == ()
    assert depot.open == []


@pytest.mark.proves("DLV-5")
def test_credits_of_all_boxes_are_the_line_to_the_cent():
    nora, policy = boxes(), DeliveryPolicy()
    credited = [make_good(nora, box, NET, (), policy, noon(1, 1)) for box in deliveries_of_cycle(nora, 0)]
    assert [str(credit) for credit in credited] == ["33.34 EUR", "33.33 EUR", "33.33 EUR"]
    assert total([credit for credit in credited if isinstance(credit, Money)], "EUR") == NET


@pytest.mark.proves("DLV-5")
def test_a_box_may_be_put_off_half_way_to_the_next_period_as_long_as_there_is_a_day():
    nora, policy = boxes(cut_off_days=1), DeliveryPolicy(skipped=LostBox.PUSH_BACK)
    skipped = box_of(nora, 2)
    kept: list[Delivery] = []
    for _ in range(6):
        later = make_good(nora, skipped, NET, kept, policy, noon(2, 2))
        if not isinstance(later, Delivery):
            break
        kept.append(later)
        skipped = later
    assert [box.on for box in kept] == [
        date(2031, 3, 16),
        date(2031, 3, 24),
        date(2031, 3, 28),
        date(2031, 3, 30),
        date(2031, 3, 31),
    ]
    assert [str(box.key) for box in kept[:2]] == ["sub-1/0/1/1", "sub-1/0/1/2"]
    assert {(box.state, box.cycle.index, box.cut_off < midnight(4, 1)) for box in kept} == {(S.PLANNED, 0, True)}
    assert later == Money.of("33.33", "EUR")


@pytest.mark.proves("DLV-5")
def test_a_box_that_is_put_off_can_still_be_packed_or_is_credited():
    nora, policy = boxes(cut_off_days=7), DeliveryPolicy(skipped=LostBox.PUSH_BACK)
    march = box_of(nora, 3)
    later = make_good(nora, march, NET, (), policy, noon(3, 20))
    assert isinstance(later, Delivery)
    assert (later.on, later.cut_off) == (date(2031, 3, 28), midnight(3, 21))
    assert make_good(nora, march, NET, (), policy, noon(3, 24)) == Money.of("33.33", "EUR")


@pytest.mark.proves("DLV-5", "DLV-6")
def test_a_box_that_was_put_off_goes_out_like_the_others():
    depot = Depot(boxes(), DeliveryPolicy(skipped=LostBox.PUSH_BACK))
    depot.run(noon(1, 1), {0: PAID})
    depot.keep(skip_delivery(box_of(depot.subscription, 2), noon(1, 10)))
    (lost,) = depot.run(noon(2, 1), {0: PAID}).lost
    later = make_good(depot.subscription, lost, NET, depot.kept.values(), depot.policy, noon(2, 1))
    assert isinstance(later, Delivery)
    depot.keep(later)
    assert depot.run(noon(3, 2), {0: PAID}).due_at == midnight(3, 13)
    depot.run(midnight(3, 13), {0: PAID})
    depot.run(midnight(3, 16), {0: PAID})
    assert depot.states() == {
        "01-01": "handed_over",
        "02-01": "skipped",
        "03-01": "handed_over",
        "03-16": "handed_over",
    }


@pytest.mark.proves("DLV-5")
def test_a_shop_may_give_nothing():
    nora = boxes()
    assert make_good(nora, box_of(nora, 2), NET, (), DeliveryPolicy(skipped=LostBox.FORFEIT), noon(2, 1)) is None


@pytest.mark.proves("DLV-5")
def test_by_default_a_box_waits_for_its_money_and_one_that_is_lost_is_credited():
    assert DeliveryPolicy() == DeliveryPolicy(ship_when=ShipWhen.PAID, skipped=LostBox.CREDIT)


# Changing one box


@pytest.mark.proves("DLV-4")
def test_until_its_cut_off_a_box_can_be_skipped_refilled_and_sent_elsewhere():
    box = box_of(boxes(), 2)
    before = box.cut_off - timedelta(microseconds=1)
    tea = (SubscribedLine(product="tea"),)
    assert skip_delivery(box, before).state is S.SKIPPED
    assert edit_delivery(box, before, lines=tea) == attrs.evolve(box, lines=tea)
    assert edit_delivery(box, before, ship_to="address-2") == attrs.evolve(box, ship_to="address-2")
    with pytest.raises(BadPlan):
        edit_delivery(box, before, lines=())


@pytest.mark.proves("DLV-4")
def test_from_its_cut_off_on_a_box_can_not_be_changed():
    nora = boxes()
    box = box_of(nora, 2)
    changes = (
        skip_delivery,
        lambda box, now: edit_delivery(box, now, ship_to="address-2"),
        lambda box, now: move_delivery(nora, box, date(2031, 2, 2), (), now),
    )
    early = noon(1, 10)
    for change in changes:
        with pytest.raises(CutOffPassed) as passed:
            change(box, box.cut_off)
        assert passed.value.cut_off == midnight(1, 29)
        for state in (S.LOCKED, S.HELD, S.HANDED_OVER, S.MISSED):
            with pytest.raises(CutOffPassed):
                change(attrs.evolve(box, state=state), early)
        for state in (S.SKIPPED, S.CANCELED):
            with pytest.raises(TransitionRefused):
                change(attrs.evolve(box, state=state), early)


@pytest.mark.proves("DLV-4")
def test_a_box_moves_between_its_neighbours_and_takes_its_cut_off_along():
    nora = boxes()
    february = box_of(nora, 2)
    moved = move_delivery(nora, february, date(2031, 2, 20), (), noon(1, 10))
    assert (moved.key, moved.on, moved.cut_off) == (february.key, date(2031, 2, 20), midnight(2, 17))
    for day in (date(2031, 1, 13), date(2031, 3, 1)):
        with pytest.raises(DateNotPossible) as refused:
            move_delivery(nora, february, day, (), noon(1, 10))
        assert (refused.value.earliest, refused.value.latest) == (date(2031, 1, 14), date(2031, 2, 28))
    for month, days in ((1, (date(2031, 1, 14), date(2031, 1, 31))), (3, (date(2031, 3, 31), date(2031, 2, 2)))):
        box = box_of(nora, month)
        for day in days:
            assert move_delivery(nora, box, day, (), midnight(12, 1, 2030) if month == 1 else noon(1, 10)).on == day
    for day in (date(2031, 2, 1), date(2031, 4, 1)):  # that of February, and another period
        with pytest.raises(DateNotPossible):
            move_delivery(nora, box_of(nora, 3), day, (), noon(1, 10))
    with pytest.raises(TypeError):
        move_delivery(nora, february, noon(2, 3), (), noon(1, 10))


@pytest.mark.proves("DLV-4", "DLV-6")
def test_a_box_that_was_moved_goes_out_on_its_new_day_and_not_on_the_old_one():
    depot = Depot(boxes())
    depot.run(noon(1, 1), {0: PAID})
    february = box_of(depot.subscription, 2)
    depot.keep(move_delivery(depot.subscription, february, date(2031, 2, 20), depot.kept.values(), noon(1, 10)))
    assert depot.run(noon(2, 2), {0: PAID}).due_at == midnight(2, 17)
    depot.run(midnight(2, 17), {0: PAID})
    depot.run(midnight(2, 20), {0: PAID})
    assert depot.states() == {"01-01": "handed_over", "02-20": "handed_over"}
    (box,) = joined(depot.subscription, depot.kept.values(), date(2031, 2, 1), date(2031, 3, 1))
    assert box.state is S.HANDED_OVER


# Books


@pytest.mark.proves("DLV-6")
def test_a_round_begins_on_the_first_day_and_is_due_at_once():
    nora = boxes(first=FirstDelivery.NEXT_DATE)
    begun = DeliveryRound.of(nora, noon(1, 1))
    assert (begun.id, begun.decided_to, begun.due_at) == ("sub-1", START, noon(1, 1))
    assert load(DeliveryRound, dump(begun)) == begun
    assert DELIVERY_ROUNDS.due is not None
    assert DELIVERY_ROUNDS.due(begun) == noon(1, 1)


@pytest.mark.proves("DLV-2")
def test_records_are_listed_by_subscription_and_while_something_may_become_of_them():
    nora = boxes()
    record = DeliveryRecord.of(nora, box_of(nora, 2), noon(1, 10))
    done = attrs.evolve(record, delivery=attrs.evolve(record.delivery, done=True))
    groups = {name: group(record) for name, group in SUBSCRIPTION_DELIVERIES.groups.items()}
    assert groups == {"subscription": "sub-1", "open": "sub-1", "customer": "nora"}
    assert SUBSCRIPTION_DELIVERIES.groups["open"](done) is None
