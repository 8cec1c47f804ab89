"""Each request that changes a subscription or its papers is asked once more under its key: nothing is done twice.

Every use-case of subscriptions that takes a key is here, in a shop of its own, with another request for the same key.
"""

import contextlib
from datetime import date, timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput, Rejected, StaleWrite
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Rate
from shopaccounts.subscriptions import (
    SUBSCRIPTION_REQUESTS,
    SUBSCRIPTIONS,
    CancelWish,
    Changed,
    CycleContent,
    Done,
    HoldMode,
    MethodChanged,
    Office,
    Return,
)
from shopaccounts.subscriptions.cycles.schedules import DayOfMonth, Weekday
from shopaccounts.subscriptions.errors import RequestIdReused
from shopaccounts.subscriptions.plans.discounts import Discount, Once, Percent
from shopaccounts.subscriptions.policy.cancelling import WinBackAnchor
from shopaccounts.testing.builders import BEGINNING
from shopaccounts.testing.faces import use_cases
from tests.usecases.billing_worlds import (
    CHEAP,
    DEARER,
    EVE,
    LARGE,
    SMALL,
    WHY,
    WORKER,
    YEARLY,
    BillingWorld,
    Walk,
    a_customer,
    billed,
    euro,
    order_of,
    paid,
)
from tests.usecases.test_billing_desk_crashes import SORRY, cheaper, held, moved_in, rich, trying
from tests.usecases.test_subscription_crashes import (
    AT_ONCE,
    LATER,
    REST,
    STAY_AWAY,
    asked_about_a_price,
    behind,
    gone,
    leaving,
    mine,
    moved,
    paying_ahead,
    planned,
    resting,
    running,
    skipped,
    will_rest,
    with_a_box_to_come,
    with_a_seat,
)

TEA = Discount(code="TEA", kind=Percent(Rate.percent(10)), duration=Once())


def of_mine(face, name, *said, **named):
    """Somebody asks for something about their subscription."""

    def ask(shop, hand, key):
        return getattr(getattr(shop, face), name)(*mine(hand), *said, **named, request_id=key)

    return ask


def of_a_box(name, *said, **named):
    """Somebody asks for something about a box of theirs."""
    return lambda shop, hand, key: getattr(shop.boxes, name)(*mine(hand), hand["box"], *said, **named, request_id=key)


def of_a_price(name):
    """Somebody answers to a new price."""
    return lambda shop, hand, key: getattr(shop.subscription_prices, name)(*mine(hand), hand["change"], request_id=key)


def by_a_clerk(face, name, named, *said, **more):
    """A clerk does something about what is in hand."""

    def act(shop, hand, key):
        return getattr(getattr(shop, face), name)(hand[named], *said, WHY, **more, request_id=key)

    return act


def announcing(version):
    """A clerk announces a price."""
    return lambda shop, _, key: shop.subscription_prices.announce_price_change(
        SMALL.id, version.id, effective_on=date(2031, 4, 1), reason=WHY, request_id=key
    )


def ordering(**more):
    return lambda shop, hand, key: shop.subscriptions.subscribe(
        hand["customer"], order_of(SMALL, **more), request_id=key
    )


def paying(card):
    return lambda shop, hand, key: shop.payments.change_payment_method(hand["customer"], card, request_id=key)


def without_a_card(card):
    return lambda shop, hand, key: shop.payments.remove_payment_method(hand["customer"], card, request_id=key)


def importing(**more):
    return lambda shop, hand, key: shop.subscription_imports.import_subscription(
        attrs.evolve(moved_in(hand), **more), WHY, request_id=key
    )


CHANGES, PAUSES, LEAVING = "subscription_changes", "pauses", "cancellations"
DESK, PAPERS = "billing_desk", "document_desk"
ASKS: dict[str, tuple[Any, Any, Any]] = {
    "subscriptions.subscribe": (a_customer, ordering(), ordering(quantity=2)),
    "subscription_changes.change_plan": (
        running,
        of_mine(CHANGES, "change_plan", LARGE.id, how=AT_ONCE),
        of_mine(CHANGES, "change_plan", CHEAP.id, how=AT_ONCE),
    ),
    "subscription_changes.change_frequency": (
        running,
        of_mine(CHANGES, "change_frequency", YEARLY.id, how=AT_ONCE),
        of_mine(CHANGES, "change_frequency", YEARLY.id, how=LATER),
    ),
    "subscription_changes.change_quantity": (
        running,
        of_mine(CHANGES, "change_quantity", 3, how=AT_ONCE),
        of_mine(CHANGES, "change_quantity", 4, how=AT_ONCE),
    ),
    "subscription_changes.add_add_on": (
        running,
        of_mine(CHANGES, "add_add_on", "seat", how=AT_ONCE),
        of_mine(CHANGES, "add_add_on", "seat", quantity=2, how=AT_ONCE),
    ),
    "subscription_changes.remove_add_on": (
        with_a_seat,
        of_mine(CHANGES, "remove_add_on", "seat", how=AT_ONCE),
        of_mine(CHANGES, "remove_add_on", "plan", how=AT_ONCE),
    ),
    "subscription_changes.swap_product": (
        running,
        of_mine(CHANGES, "swap_product", "decaf", how=AT_ONCE),
        of_mine(CHANGES, "swap_product", "espresso", how=AT_ONCE),
    ),
    "subscription_changes.move_billing_day": (
        running,
        of_mine(CHANGES, "move_billing_day", DayOfMonth(15)),
        of_mine(CHANGES, "move_billing_day", Weekday(3)),
    ),
    "subscription_changes.prepay": (
        paying_ahead,
        of_mine(CHANGES, "prepay", 3),
        of_mine(CHANGES, "prepay", 6),
    ),
    "subscription_changes.drop_change": (planned, of_mine(CHANGES, "drop_change"), of_mine(PAUSES, "pause")),
    "pauses.pause": (running, of_mine(PAUSES, "pause", REST), of_mine(PAUSES, "pause")),
    "pauses.undo_pause": (will_rest, of_mine(PAUSES, "undo_pause"), of_mine(PAUSES, "pause")),
    "pauses.resume": (
        resting,
        of_mine(PAUSES, "resume"),
        of_mine(PAUSES, "resume", BEGINNING + timedelta(days=70)),
    ),
    "pauses.skip_cycle": (running, of_mine(PAUSES, "skip_cycle", 1), of_mine(PAUSES, "skip_cycle", 2)),
    "pauses.unskip_cycle": (skipped, of_mine(PAUSES, "unskip_cycle", 2), of_mine(PAUSES, "unskip_cycle", 1)),
    "pauses.reschedule_cycle": (
        running,
        of_mine(PAUSES, "reschedule_cycle", 1, date(2031, 2, 10)),
        of_mine(PAUSES, "reschedule_cycle", 1, date(2031, 2, 11)),
    ),
    "pauses.unreschedule_cycle": (
        moved,
        of_mine(PAUSES, "unreschedule_cycle", 1),
        of_mine(PAUSES, "unreschedule_cycle", 2),
    ),
    "pauses.edit_cycle": (
        running,
        of_mine(PAUSES, "edit_cycle", 1, CycleContent(quantity=2)),
        of_mine(PAUSES, "edit_cycle", 1, CycleContent(quantity=3)),
    ),
    "cancellations.cancel": (
        running,
        of_mine(LEAVING, "cancel", STAY_AWAY),
        of_mine(LEAVING, "cancel", CancelWish(reason="too_dear")),
    ),
    "cancellations.undo_cancellation": (leaving, of_mine(LEAVING, "undo_cancellation"), of_mine(LEAVING, "cancel")),
    "cancellations.reactivate": (
        gone,
        of_mine(LEAVING, "reactivate", Return(discount=TEA)),
        of_mine(LEAVING, "reactivate", Return(anchor=WinBackAnchor.KEEP_ANCHOR)),
    ),
    "subscription_prices.accept_price_change": (
        asked_about_a_price,
        of_a_price("accept_price_change"),
        of_a_price("decline_price_change"),
    ),
    "subscription_prices.decline_price_change": (
        asked_about_a_price,
        of_a_price("decline_price_change"),
        of_a_price("accept_price_change"),
    ),
    "boxes.skip_delivery": (with_a_box_to_come, of_a_box("skip_delivery"), of_a_box("edit_delivery", ship_to="a-2")),
    "boxes.edit_delivery": (
        with_a_box_to_come,
        of_a_box("edit_delivery", contents={"tea": 2}),
        of_a_box("edit_delivery", contents={"tea": 3}),
    ),
    "boxes.move_delivery": (
        with_a_box_to_come,
        of_a_box("move_delivery", date(2031, 2, 10)),
        of_a_box("move_delivery", date(2031, 2, 11)),
    ),
    "payments.change_payment_method": (behind, paying("card-2"), paying("card-3")),
    "payments.remove_payment_method": (running, without_a_card("card-1"), without_a_card("card-2")),
    "subscription_prices.announce_price_change": (running, announcing(DEARER), announcing(SMALL)),
    "subscription_imports.import_subscription": (a_customer, importing(), importing(quantity=2)),
    "billing_desk.extend_trial": (
        trying,
        by_a_clerk(DESK, "extend_trial", "id", BEGINNING + timedelta(days=30)),
        by_a_clerk(DESK, "extend_trial", "id", BEGINNING + timedelta(days=31)),
    ),
    "billing_desk.end_trial_now": (
        trying,
        by_a_clerk(DESK, "end_trial_now", "id"),
        lambda shop, _, key: shop.billing_desk.end_trial_now("another", WHY, request_id=key),
    ),
    "billing_desk.apply_discount": (
        running,
        by_a_clerk(DESK, "apply_discount", "id", SORRY, now=True),
        by_a_clerk(DESK, "apply_discount", "id", TEA, now=True),
    ),
    "billing_desk.remove_discount": (
        cheaper,
        by_a_clerk(DESK, "remove_discount", "id", "SORRY"),
        by_a_clerk(DESK, "remove_discount", "id", "TEA"),
    ),
    "billing_desk.lock_price": (
        running,
        by_a_clerk(DESK, "lock_price", "id", date(2033, 1, 1)),
        by_a_clerk(DESK, "lock_price", "id", None),
    ),
    "billing_desk.postpone_all": (
        running,
        by_a_clerk(DESK, "postpone_all", "id", 10),
        by_a_clerk(DESK, "postpone_all", "id", 11),
    ),
    "billing_desk.resolve_hold": (
        held,
        by_a_clerk(DESK, "resolve_hold", "id", HoldMode.EACH),
        by_a_clerk(DESK, "resolve_hold", "id", HoldMode.WAIVE),
    ),
    "billing_desk.change_zone": (
        running,
        by_a_clerk(DESK, "change_zone", "customer", "Asia/Tokyo"),
        by_a_clerk(DESK, "change_zone", "customer", "America/Lima"),
    ),
    "document_desk.void_invoice": (
        billed,
        by_a_clerk(PAPERS, "void_invoice", "invoice"),
        by_a_clerk(PAPERS, "void_invoice", "invoice", rebill=True),
    ),
    "document_desk.write_off": (
        billed,
        by_a_clerk(PAPERS, "write_off", "invoice"),
        lambda shop, _, key: shop.document_desk.write_off("another", WHY, request_id=key),
    ),
    "document_desk.issue_credit_note": (
        paid,
        by_a_clerk(PAPERS, "issue_credit_note", "invoice", {1: euro("10")}),
        by_a_clerk(PAPERS, "issue_credit_note", "invoice", {1: euro("11")}),
    ),
    "document_desk.refund": (
        paid,
        by_a_clerk(PAPERS, "refund", "invoice", euro("20")),
        by_a_clerk(PAPERS, "refund", "invoice", euro("21")),
    ),
    "document_desk.give_goodwill": (
        running,
        by_a_clerk(PAPERS, "give_goodwill", "customer", euro("5")),
        by_a_clerk(PAPERS, "give_goodwill", "customer", euro("6")),
    ),
    "document_desk.pay_out": (
        rich,
        by_a_clerk(PAPERS, "pay_out", "customer", euro("3")),
        by_a_clerk(PAPERS, "pay_out", "customer", euro("2")),
    ),
}
BY_CLERKS = frozenset({"announce_price_change", "import_subscription"})
ON_PAPER = frozenset({"subscriptions.subscribe"})
"""What is known again by the very thing that it made."""


def actor_of(ask):
    face, name = ask.split(".")
    return EVE if face in {DESK, PAPERS} or name in BY_CLERKS else None


@contextlib.asynccontextmanager
async def a_world(host, ask):
    """A world in which somebody has just asked for something under a key."""
    arrange, first, _ = ASKS[ask]
    world = BillingWorld(host)
    await arrange(world)
    shop = world.acting(actor_of(ask))
    yield world, shop, await first(shop, world.hand, "k-1")


def books_of(world):
    return world.builder.storage.snapshot()["main"].books


def gist(answer):
    """What an answer says, without the numbers that only storing brings."""
    if isinstance(answer, Done):
        papers = answer.papers
        answer = (answer.subscription, papers.invoices, papers.notes, papers.intents, papers.entries)
    if isinstance(answer, Changed):
        answer = (answer.subscription, answer.invoices, answer.notes)
    return unnumbered(answer)


def unnumbered(value):
    if isinstance(value, tuple):
        return tuple(map(unnumbered, value))
    if not attrs.has(type(value)):
        return value
    names = {field.name for field in attrs.fields(type(value))}
    return attrs.evolve(value, **dict.fromkeys({"version", "number"} & names))


@pytest.mark.proves("UC-1", "SUB-8", "CHG-12")
@pytest.mark.parametrize("ask", ASKS)
async def test_asked_once_more_under_one_key_it_answers_the_same_and_does_nothing(host, ask) -> None:
    async with a_world(host, ask) as (world, shop, first):
        before = books_of(world)
        again = await ASKS[ask][1](shop, world.hand, "k-1")
        assert gist(again) == gist(first)
        assert books_of(world) == before


@pytest.mark.proves("UC-1", "SUB-8")
@pytest.mark.parametrize("ask", ASKS)
async def test_another_request_under_a_used_key_is_refused_and_does_nothing(host, ask) -> None:
    async with a_world(host, ask) as (world, shop, _):
        before = books_of(world)
        with pytest.raises(RequestIdReused):
            await ASKS[ask][2](shop, world.hand, "k-1")
        assert books_of(world) == before


@pytest.mark.proves("UC-1", "SUB-8")
@pytest.mark.parametrize("ask", ASKS)
async def test_an_answer_comes_back_when_everything_has_moved_on(host, ask) -> None:
    async with a_world(host, ask) as (world, _, first):
        id = world.hand.get("id")
        world.later(days=40)
        await world.shop.sweeping.sweep(worker=WORKER)
        with contextlib.suppress(Rejected):
            await world.shop.cancellations.cancel(world.hand["customer"], id or "", STAY_AWAY)
        before, shop = books_of(world), world.acting(actor_of(ask))
        again = await ASKS[ask][1](shop, world.hand, "k-1")
        assert type(again) is type(first) or ask in ON_PAPER
        assert books_of(world) == before


@pytest.mark.parametrize("ask", ASKS)
async def test_what_can_be_no_key_is_refused(host, ask) -> None:
    arrange, first, _ = ASKS[ask]
    world = BillingWorld(host)
    await arrange(world)
    before = books_of(world)
    with pytest.raises(InvalidInput):
        await first(world.acting(actor_of(ask)), world.hand, "ö")
    assert books_of(world) == before


@pytest.mark.proves("UC-1")
async def test_the_papers_that_a_request_made_come_back_with_their_numbers(host) -> None:
    async with a_world(host, "cancellations.cancel") as (world, shop, first):
        again = await ASKS["cancellations.cancel"][1](shop, world.hand, "k-1")
        assert [one.id for one in again.papers.notes] == [one.id for one in first.papers.notes]
        assert again.papers.notes[0].number is not None
        assert again.papers.intents[0].id == first.papers.intents[0].id


@pytest.mark.proves("UC-1")
async def test_a_key_is_its_owners_alone(host) -> None:
    async with a_world(host, "pauses.skip_cycle") as (world, shop, _):
        bert = CustomerId("bert")
        made = await shop.subscriptions.subscribe(bert, order_of(SMALL), request_id="o-1")
        done = await shop.pauses.skip_cycle(bert, made.subscription.id, 1, request_id="k-1")
        assert done.subscription.id == made.subscription.id
        assert len(world.rows(SUBSCRIPTION_REQUESTS.name)) == 2


@pytest.mark.proves("UC-1")
async def test_what_was_refused_may_be_asked_for_again_under_its_key(host) -> None:
    world = BillingWorld(host)
    await running(world)
    ask = of_mine(PAUSES, "undo_pause")
    with pytest.raises(Rejected):
        await ask(world.shop, world.hand, "k-1")
    await world.shop.pauses.pause(*mine(world.hand))
    done = await ask(world.shop, world.hand, "k-1")
    assert done.subscription.scheduled.pause is None


@pytest.mark.proves("UC-1", "DUN-4")
async def test_a_card_that_was_changed_twice_is_not_tried_before_its_next_time(host) -> None:
    world = BillingWorld(host)
    await behind(world)
    soft = world.gateway.cards["card-2"] = world.gateway.cards["card-1"]
    ask = ASKS["payments.change_payment_method"][1]
    first = await ask(world.shop, world.hand, "k-1")
    assert isinstance(first, MethodChanged)
    tried = world.gateway.asked.total()
    again = await ask(world.shop, world.hand, "k-1")
    assert world.gateway.asked.total() == tried, soft
    assert [one.invoice for one in again.tried] == [one.invoice for one in first.tried]


@pytest.mark.proves("UC-1")
@pytest.mark.parametrize("ask", [ask for ask in ASKS if ask.split(".")[0] not in {DESK, PAPERS}])
async def test_a_machine_that_stops_between_record_and_answer_answers_the_next_time(host, ask) -> None:
    arrange, first, _ = ASKS[ask]
    walk = Walk({ask: (arrange, actor_of(ask), lambda shop, hand: first(shop, hand, "k-1"))})
    await walk.ends_well(host, ask)


@pytest.mark.proves("UC-1")
def test_every_use_case_that_takes_a_key_is_here() -> None:
    takes = {str(one) for one in use_cases() if any(each.name == "request_id" for each in one.parameters)}
    assert set(ASKS) == takes


@pytest.mark.proves("UC-1")
def test_every_use_case_that_changes_a_subscription_takes_a_key() -> None:
    faces = {ask.split(".")[0] for ask in ASKS}
    looks = {"acts", "deliveries", "doubled", "open_price_changes"}
    works = {"run_deliveries", "collect_due", "try_now", "settle_payment", "reverse_payment", "record_payment"}
    asking = {
        str(one)
        for one in use_cases()
        if one.face in faces and one.name not in looks | works and not one.name.startswith("preview_")
    }
    assert asking == set(ASKS)


@pytest.mark.proves("UC-1", "ABU-6")
@pytest.mark.parametrize("ask", [ask for ask in ASKS if ask.startswith((PAUSES, CHANGES, LEAVING, DESK))])
async def test_who_is_overtaken_by_the_same_request_is_answered_and_not_refused(host, ask, monkeypatch) -> None:
    arrange, first, _ = ASKS[ask]
    world, others = BillingWorld(host), list[Any]()
    await arrange(world)
    shop, decided = world.acting(actor_of(ask)), Office._decided

    async def overtaken(office, *about):
        if not others:
            others.append("is at it")
            others.append(await first(shop, world.hand, "k-1"))
        return await decided(office, *about)

    monkeypatch.setattr(Office, "_decided", overtaken)
    answer = await first(shop, world.hand, "k-1")
    assert gist(answer) == gist(others[1])


@pytest.mark.proves("UC-1")
@pytest.mark.parametrize("ask", [ask for ask in ASKS if ask.startswith((PAUSES, CHANGES, LEAVING, "boxes"))])
async def test_who_is_always_too_late_decides_three_times_and_is_told(host, ask, monkeypatch) -> None:
    arrange, first, _ = ASKS[ask]
    world, rounds = BillingWorld(host), []
    await arrange(world)

    async def late(_desk, change):
        rounds.append(change)
        raise StaleWrite(SUBSCRIPTIONS.name, world.hand["id"])

    monkeypatch.setattr(Desk, "record", late)
    with pytest.raises(StaleWrite):
        await first(world.shop, world.hand, "k-1")
    assert len(rounds) == 3
