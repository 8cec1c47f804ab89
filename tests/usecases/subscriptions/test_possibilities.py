"""What an account page offers can be done, and what it doesn't offer is refused in every way, limits included."""

from datetime import date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts.kernel.answers import run
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.money import Rate
from shopaccounts.subscriptions import (
    SUBSCRIPTIONS,
    Allowed,
    CancelWish,
    CycleContent,
    How,
    Operation,
    PauseWish,
    Refusal,
    SubscriptionPolicy,
    When,
    allowed_operations,
)
from shopaccounts.subscriptions.cycles.schedules import DayOfMonth
from shopaccounts.subscriptions.model import Hold
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.plans.discounts import Discount, Forever, Percent
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.changes import ChangePolicy
from shopaccounts.subscriptions.policy.operations import OperationPolicy
from shopaccounts.subscriptions.policy.pausing import PauseHow, PausePolicy, SkipPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.boxes import box_subscription
from shopaccounts.testing.builders import quick_policies
from tests.usecases.billing_worlds import (
    CHEAP,
    EVE,
    LARGE,
    SMALL,
    TRIED,
    WHY,
    WORKER,
    YEARLY,
    BillingWorld,
    having,
)

O = Operation  # noqa: E741  (a short name makes the tables readable)
NOW, LATER = How(when=When.NOW), How(when=When.AT_PERIOD_END)
AHEAD = 4
SOFT = Declined(DeclineKind.SOFT, "no_funds")


def mine(world):
    return world.hand["customer"], world.hand["id"]


def discount(code):
    return Discount(code=code, kind=Percent(Rate.percent(1)), duration=Forever())


def small_policy(**fields):
    """A shop of which limits are soon reached."""
    usual: dict[str, Any] = {
        "subscribing": SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED),
        "skipping": SkipPolicy(max_skips_per_year=2, furthest_ahead=AHEAD),
        "changes": ChangePolicy(max_changes_per_day=2),
        "pausing": PausePolicy(max_pauses_per_year=1),
    }
    return SubscriptionPolicy(**(usual | fields))


class Page:
    """An account page of somebody who has done this and that."""

    def __init__(self, version=SMALL, policy=None):
        self.policy = policy or small_policy()
        self.world: Any = BillingWorld("blocking")
        self.world.builder.policies = attrs.evolve(quick_policies(), subscriptions=self.policy)
        self.world.shop = self.world.builder.build()
        run(having(version, days=3)(self.world))

    @property
    def subscription(self):
        return run(self.world.kept(SUBSCRIPTIONS, "id"))

    def catch_up(self):
        """Nothing is due any more."""
        run(self.world.shop.sweeping.sweep(worker=WORKER))

    def do(self, ask):
        """Try something, and tell why not."""
        try:
            run(ask(self.world))
        except Rejected as refused:
            return refused
        return None

    def tried(self, ask):
        """The same, and nothing of it stays."""
        storage, clock = self.world.builder.storage, self.world.builder.clock.now()
        before = storage.snapshot()
        refused = self.do(ask)
        storage.restore(before)
        assert self.world.builder.clock.now() == clock
        return refused

    def offered(self):
        now = self.world.builder.clock.now()
        return {each.operation: each for each in allowed_operations(self.subscription, now, self.policy)}


def pauses(name, *said):
    return lambda world: getattr(world.shop.pauses, name)(*mine(world), *said)


def changes(name, *said, **named):
    return lambda world: getattr(world.shop.subscription_changes, name)(*mine(world), *said, **named)


def leaves(name, *said):
    return lambda world: getattr(world.shop.cancellations, name)(*mine(world), *said)


def granted(code):
    return lambda world: world.acting(EVE).billing_desk.apply_discount(world.hand["id"], discount(code), WHY)


def cycles_of(one):
    return range(max(one.billed_to - 1, 0), one.billed_to + AHEAD + 1)


def on_each_cycle(name):
    return lambda one: [pauses(name, index) for index in cycles_of(one)]


def to_each_day(one):
    near = [(index, timedelta(days=days)) for index in cycles_of(one) for days in (-3, -1, 1, 3)]
    return [pauses("reschedule_cycle", index, one.begins_on(index) + days) for index, days in near]


def in_each_way(name, *said, **named):
    """Now, and when what is paid is over."""
    return [changes(name, *said, **named, how=how) for how in (NOW, LATER)]


def with_a_card(world):
    return world.shop.payments.change_payment_method(world.hand["customer"], "card-9", subscription=world.hand["id"])


def to_a_price(name):
    return lambda world: getattr(world.shop.subscription_prices, name)(*mine(world), "none")


WAYS: dict[Operation, Any] = {
    O.CHANGE_PLAN: lambda _: [ask for plan in (LARGE, CHEAP, SMALL) for ask in in_each_way("change_plan", plan.id)],
    O.CHANGE_QUANTITY: lambda _: [ask for n in (5, 7) for ask in in_each_way("change_quantity", n)],
    O.ADD_ADD_ON: lambda _: [ask for n in (1, 2) for ask in in_each_way("add_add_on", "seat", quantity=n)],
    O.REMOVE_ADD_ON: lambda _: in_each_way("remove_add_on", "seat"),
    O.SWAP_PRODUCT: lambda _: [*in_each_way("swap_product", "decaf"), *in_each_way("swap_product", "mild")],
    O.CHANGE_FREQUENCY: lambda _: [
        *in_each_way("change_frequency", YEARLY.id),
        *in_each_way("change_frequency", SMALL.id),
    ],
    O.MOVE_BILLING_DAY: lambda _: [changes("move_billing_day", DayOfMonth(day)) for day in (3, 15)],
    O.PREPAY: lambda _: [changes("prepay", 3)],
    O.PAUSE: lambda _: [pauses("pause")],
    O.RESUME: lambda _: [pauses("resume")],
    O.SKIP_CYCLE: on_each_cycle("skip_cycle"),
    O.UNSKIP_CYCLE: on_each_cycle("unskip_cycle"),
    O.RESCHEDULE_CYCLE: to_each_day,
    O.UNRESCHEDULE_CYCLE: on_each_cycle("unreschedule_cycle"),
    O.EDIT_CYCLE: lambda one: [
        pauses("edit_cycle", index, CycleContent(quantity=n)) for index in cycles_of(one) for n in (8, 9)
    ],
    O.SKIP_DELIVERY: lambda _: [lambda world: world.shop.boxes.skip_delivery(*mine(world), "none")],
    O.CANCEL: lambda _: [leaves("cancel")],
    O.UNDO_CANCELLATION: lambda _: [leaves("undo_cancellation")],
    O.REACTIVATE: lambda _: [leaves("reactivate")],
    O.APPLY_DISCOUNT: lambda _: [granted("NEW")],
    O.CHANGE_PAYMENT_METHOD: lambda _: [with_a_card],
    O.ACCEPT_PRICE_CHANGE: lambda _: [to_a_price("accept_price_change")],
    O.DECLINE_PRICE_CHANGE: lambda _: [to_a_price("decline_price_change")],
    O.CHANGE_ADDRESS: lambda _: [],
}
"""The ways in which somebody may try each operation on a subscription; an address is the host's."""
OF_A_CHANGE = frozenset(
    {
        *("subscriptions.nothing_to_change", "kernel.invalid_input"),
        *("subscriptions.cancellation_scheduled", "subscriptions.bad_plan"),
    }
)
WHAT_WAS_SAID: dict[Operation, set[str] | frozenset[str]] = {
    O.CHANGE_PLAN: OF_A_CHANGE,
    O.CHANGE_QUANTITY: OF_A_CHANGE,
    O.ADD_ADD_ON: OF_A_CHANGE,
    O.REMOVE_ADD_ON: OF_A_CHANGE,
    O.SWAP_PRODUCT: OF_A_CHANGE,
    O.CHANGE_FREQUENCY: OF_A_CHANGE,
    O.SKIP_DELIVERY: {"kernel.invalid_input"},
    O.ACCEPT_PRICE_CHANGE: {"subscriptions.price_change_over"},
    O.DECLINE_PRICE_CHANGE: {"subscriptions.price_change_over"},
    O.REACTIVATE: {"subscriptions.settle_first"},
}
"""What somebody may be told of an operation that is offered: about what they said, or about what others know."""


def assert_agrees(page):
    """Try everything that is offered, and everything that isn't, in every way."""
    one, offered = page.subscription, page.offered()
    assert list(offered) == list(Operation)
    for operation, each in offered.items():
        tries = WAYS[operation](one)
        if isinstance(each, Refusal):
            told = [page.tried(ask) for ask in tries]
            assert None not in told, (each, one)
            codes = {refused.code for refused in told if refused}
            wrong_wishes = WHAT_WAS_SAID.get(operation) is OF_A_CHANGE and codes <= OF_A_CHANGE
            assert each.code in codes or not tries or wrong_wishes, (each, told)
        else:
            told = []
            for ask in tries:
                told.append(page.tried(ask))
                if told[-1] is None:
                    break
            codes = {refused.code for refused in told if refused}
            done = not tries or told[-1] is None
            assert done or codes <= WHAT_WAS_SAID.get(operation, set()), (each, told)


def later(days):
    async def waits(world):
        world.later(days=days)

    return waits


async def held(world):
    hold = Hold(since=world.builder.clock.now(), code="backlog")
    await world.builder.edit(SUBSCRIPTIONS, world.hand["id"], lambda one: attrs.evolve(one, hold=hold, due_at=None))


async def broke(world):
    world.gateway.cards["card-1"] = SOFT


ACTS = {
    "a day": later(1),
    "three weeks": later(21),
    "a month": later(31),
    "skip 1": pauses("skip_cycle", 1),
    "skip 3": pauses("skip_cycle", 3),
    "unskip 1": pauses("unskip_cycle", 1),
    "move 2": pauses("reschedule_cycle", 2, date(2031, 3, 6)),
    "rest": pauses("pause", PauseWish(how=PauseHow.NOW)),
    "rest later": pauses("pause"),
    "go on": pauses("resume"),
    "leave": leaves("cancel"),
    "leave now": leaves("cancel", CancelWish(when=CancelWhen.NOW)),
    "leave in summer": leaves("cancel", CancelWish(when=date(2031, 7, 1))),
    "stay": leaves("undo_cancellation"),
    "come back": leaves("reactivate"),
    "two": changes("change_quantity", 2, how=NOW),
    "three": changes("change_quantity", 3, how=NOW),
    "a seat": changes("add_add_on", "seat", how=NOW),
    "cheaper later": changes("change_plan", CHEAP.id, how=LATER),
    "no money": broke,
    "held": held,
    **{f"grant {n}": granted(f"c{n}") for n in range(5)},
}


@pytest.mark.proves("SUB-6")
@settings(max_examples=40)
@given(
    version=st.sampled_from([SMALL, SMALL, TRIED]),
    acts=st.lists(st.sampled_from(sorted(ACTS)), max_size=7),
    how=st.sampled_from(PauseHow),
    open_to=st.booleans(),
)
def test_what_is_offered_is_carried_out_and_nothing_else_is(version, acts, how, open_to):
    fields = attrs.fields_dict(OperationPolicy)
    policy = small_policy(
        operations=OperationPolicy(**dict.fromkeys(fields, open_to)),
        pausing=PausePolicy(how=how, max_pauses_per_year=1),
    )
    page = Page(version, policy)
    for act in acts:
        page.do(ACTS[act])
        page.catch_up()
    assert_agrees(page)


def refused_at(page, operation):
    each = page.offered()[operation]
    assert isinstance(each, Refusal), each
    return each


@pytest.mark.proves("SUB-6")
def test_the_account_page_shows_just_that():
    page = Page()
    (view,) = run(page.world.shop.subscription_views.my_subscriptions(page.world.hand["customer"]))
    told = [(each.operation, getattr(each, "code", "")) for each in view.operations]
    assert told == [(each.operation, getattr(each, "code", "")) for each in page.offered().values()]


@pytest.mark.proves("SUB-6")
def test_skips_that_are_used_up_are_not_offered_and_the_page_says_until_when():
    page = Page()
    for index in (1, 3):
        page.do(pauses("skip_cycle", index))
    refused = refused_at(page, O.SKIP_CYCLE)
    assert (refused.code, refused.facts) == (
        "subscriptions.skip_limit_reached",
        {"limit": 2, "available_on": date(2032, 1, 4)},
    )
    assert_agrees(page)
    assert Allowed(O.UNSKIP_CYCLE) in page.offered().values()


@pytest.mark.proves("SUB-6")
def test_who_may_skip_none_in_a_row_is_offered_none():
    page = Page(policy=small_policy(skipping=SkipPolicy(max_successive_skips=0, furthest_ahead=AHEAD)))
    assert refused_at(page, O.SKIP_CYCLE).code == "subscriptions.skip_limit_reached"


@pytest.mark.proves("SUB-6")
def test_where_nothing_is_ahead_nothing_is_offered_about_cycles():
    page = Page(policy=small_policy(skipping=SkipPolicy(furthest_ahead=0)))
    for operation in (O.SKIP_CYCLE, O.EDIT_CYCLE, O.RESCHEDULE_CYCLE):
        assert refused_at(page, operation).code == "kernel.invalid_input"
    assert_agrees(page)


@pytest.mark.proves("SUB-6")
def test_changes_that_are_used_up_are_not_offered_today_planned_ones_neither():
    page = Page()
    for count in (2, 3):
        page.do(changes("change_quantity", count, how=NOW))
    for operation in (O.CHANGE_PLAN, O.CHANGE_QUANTITY, O.ADD_ADD_ON, O.SWAP_PRODUCT, O.CHANGE_FREQUENCY):
        assert refused_at(page, operation).code == "subscriptions.change_limit_reached"
    assert_agrees(page)
    page.world.later(days=1)
    assert Allowed(O.CHANGE_PLAN) in page.offered().values()


@pytest.mark.proves("SUB-6")
def test_pauses_that_are_used_up_are_not_offered():
    page = Page()
    page.do(pauses("pause", PauseWish(how=PauseHow.NOW)))
    page.do(pauses("resume"))
    assert refused_at(page, O.PAUSE).code == "subscriptions.pause_limit_reached"
    assert_agrees(page)


@pytest.mark.proves("SUB-6")
def test_five_discounts_are_all_that_there_are():
    page = Page()
    for n in range(5):
        page.do(granted(f"c{n}"))
    assert refused_at(page, O.APPLY_DISCOUNT).facts == {"limit": 5}
    assert_agrees(page)


@pytest.mark.proves("SUB-6")
def test_who_leaves_after_the_period_may_still_pause_when_it_ends():
    page = Page()
    page.do(leaves("cancel", CancelWish(when=date(2031, 7, 1))))
    assert Allowed(O.PAUSE) in page.offered().values()
    assert_agrees(page)


@pytest.mark.proves("SUB-6")
def test_nothing_is_taken_back_that_isnt_there():
    page = Page()
    for operation in (O.UNSKIP_CYCLE, O.UNRESCHEDULE_CYCLE):
        assert refused_at(page, operation).code == "subscriptions.nothing_to_change"
    page.do(pauses("reschedule_cycle", 2, date(2031, 3, 6)))
    assert Allowed(O.UNRESCHEDULE_CYCLE) in page.offered().values()


@pytest.mark.proves("SUB-6")
def test_of_a_subscription_on_hold_only_the_end_is_offered():
    page = Page()
    page.do(held)
    assert [each for each in page.offered().values() if isinstance(each, Allowed)] == [Allowed(O.CANCEL)]
    assert_agrees(page)


@pytest.mark.proves("SUB-6")
def test_a_box_that_is_packed_tells_so_rather_than_that_it_is_there():
    daily = box_subscription(date(2031, 1, 1), None, billing=Interval.days(1))
    noon = datetime.fromisoformat("2031-01-01T12:00:00Z")
    offered = {each.operation: each for each in allowed_operations(daily, noon, small_policy())}
    assert isinstance(offered[O.RESCHEDULE_CYCLE], Refusal), "there is no day between two days"


@pytest.mark.proves("SUB-6")
def test_it_is_asked_at_an_instant():
    with pytest.raises(TypeError):
        allowed_operations(Page().subscription, datetime(2031, 1, 1), SubscriptionPolicy())  # noqa: DTZ001  (that is it)
