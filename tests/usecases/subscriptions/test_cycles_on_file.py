"""A cycle that is on file already, though its subscription doesn't know: after data was put back in part, say."""

import json
import logging
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change
from shopaccounts.subscriptions import ACCOUNTS, CYCLES, INVOICES, SUBSCRIPTIONS, SubscriptionPolicy
from shopaccounts.subscriptions.desk.holds import HoldMode
from shopaccounts.subscriptions.invoices.balance import put_off
from shopaccounts.subscriptions.papers.documents import CycleEnd, InvoiceState
from shopaccounts.subscriptions.papers.lines import LineDraft
from shopaccounts.subscriptions.plans.offers import CatchUpMode
from shopaccounts.subscriptions.policy.running import CatchUpPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, OneLivePer, SubscribePolicy
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.subscriptions.usecases.billing_run import CLASH
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.wrapping import PortCall, wrapped
from tests.usecases.cycles_at_hand import PRICE, settled

if TYPE_CHECKING:
    from tests.usecases.subscriptions.conftest import CoffeeShop

WORKER = WorkerId("w")
MONTH = timedelta(days=31)
LESS = Money.of("11.90", "EUR")
WHY = "the backup of March"


def policy(mode: CatchUpMode = CatchUpMode.EACH) -> Any:
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED, one_live_per=OneLivePer.NONE)
    return quick_policies(
        subscriptions=SubscriptionPolicy(subscribing=subscribing, catch_up=CatchUpPolicy(digital=mode))
    )


@pytest.fixture
def builder(builder: Any) -> Any:
    """A shop that lets a subscription run before its first payment."""
    builder.policies = policy()
    return builder


async def put_back(shop: "CoffeeShop", index: int = 1, customer: str = "ann", **more: Any) -> str:
    """Somebody has subscribed, and one of the cycles to come is on file."""
    one = (await shop.subscribed(customer=CustomerId(customer))).subscription
    await shop.builder.add(CYCLES, settled(one, index, **more))
    return one.id


async def bills(shop: "CoffeeShop", pages: int = 4) -> Any:
    return await shop.builder.build().billing.run_billing(worker=WORKER, max_pages=pages)


def book(shop: "CoffeeShop", name: str) -> list[Any]:
    storage: Any = shop.builder.storage
    return list(storage.snapshot()["main"].books[name].values())


def told(shop: "CoffeeShop", name: str) -> list[dict[str, Any]]:
    return [json.loads(one.data) for one in book(shop, EVENTS.name) if one.name == f"subscriptions.{name}"]


@pytest.mark.proves("INV-6")
async def test_a_cycle_on_file_that_agrees_lets_its_subscription_go_on_without_a_second_invoice(coffee) -> None:
    id = await put_back(coffee)
    before = {name: len(book(coffee, name)) for name in ("invoices", "payment_intents", "billed_cycles")}
    coffee.builder.clock.advance(MONTH)
    report = await bills(coffee)
    assert (report.pages, report.subscriptions, report.invoices) == (1, 1, 0)
    assert (report.stale, report.held, report.failures) == (0, 0, ())
    one = await coffee.builder.kept(SUBSCRIPTIONS, id)
    assert (one.billed_to, one.hold) == (2, None)
    assert one.due_at > coffee.builder.clock.now()
    assert {name: len(book(coffee, name)) for name in before} == before
    assert told(coffee, "subscription_renewed") == []
    assert (await bills(coffee)).pages == 0
    coffee.builder.clock.advance(MONTH)
    assert (await bills(coffee)).invoices == 1
    (renewed,) = told(coffee, "subscription_renewed")
    assert renewed["index"] == 2


@pytest.mark.proves("INV-6", "RUN-11")
@pytest.mark.parametrize(
    "other",
    [
        {"total": LESS},
        {"total": Money.of("21.30", "USD")},
        {"ended": CycleEnd.LAPSED, "total": Money.zero("EUR"), "invoice": ""},
    ],
    ids=["another total", "another currency", "lapsed"],
)
async def test_a_cycle_on_file_that_differs_holds_its_subscription_until_a_person_decides(
    coffee, caplog, other
) -> None:
    id = await put_back(coffee, **other)
    await coffee.subscribed(customer=CustomerId("good"))
    coffee.builder.clock.advance(MONTH)
    with caplog.at_level(logging.ERROR, "shopaccounts"):
        report = await bills(coffee)
    assert (report.pages, report.invoices, report.held, report.stale) == (1, 1, 1, 0)
    (failure,) = report.failures
    assert (failure.subscription, failure.code, failure.next_try) == (id, "InvoiceKeyClash", None)
    one = await coffee.builder.kept(SUBSCRIPTIONS, id)
    assert (one.hold.code, one.hold.since, one.billed_to) == (CLASH, coffee.builder.clock.now(), 1)
    (event,) = told(coffee, "subscription_held")
    assert (event["subscription"], event["reason"]) == (id, CLASH)
    assert id in caplog.text
    assert (await bills(coffee)).pages == 0


@pytest.mark.proves("INV-6")
async def test_a_cycle_on_file_with_another_period_is_a_clash(coffee) -> None:
    one = (await coffee.subscribed()).subscription
    row = settled(one, 1)
    await coffee.builder.add(CYCLES, attrs.evolve(row, end=row.end + timedelta(days=1)))
    coffee.builder.clock.advance(MONTH)
    assert [failure.code for failure in (await bills(coffee)).failures] == ["InvoiceKeyClash"]


@pytest.mark.proves("INV-6")
async def test_of_an_account_only_the_subscription_with_the_clash_is_held(coffee) -> None:
    bad = await put_back(coffee, total=LESS)
    same = (await coffee.subscribed(key="o-2")).subscription
    await coffee.builder.add(CYCLES, settled(same, 1))
    good = (await coffee.subscribed(key="o-3")).subscription
    coffee.builder.clock.advance(MONTH)
    report = await bills(coffee)
    assert (report.invoices, report.held, report.subscriptions) == (1, 1, 2)
    kept = {one.id: one for one in book(coffee, SUBSCRIPTIONS.name)}
    assert {id: (one.billed_to, one.hold is not None) for id, one in kept.items()} == {
        bad: (1, True),
        same.id: (2, False),
        good.id: (2, False),
    }


@pytest.mark.proves("INV-6", "INV-15")
async def test_what_waits_of_a_subscription_that_comes_again_is_remembered_by_it(coffee) -> None:
    await put_back(coffee)
    other = (await coffee.subscribed(key="o-2")).subscription
    (line,) = (await coffee.builder.kept(INVOICES, other.live[0].invoice)).lines
    draft = LineDraft(**{field.name: getattr(line, field.name) for field in attrs.fields(LineDraft)})
    waits = attrs.evolve(draft, key="gift", cycle=None, taxed=None, end=line.end + 9 * MONTH)
    now = coffee.builder.clock.now()
    await coffee.builder.edit(ACCOUNTS, other.account, lambda one: put_off(one, [waits], "gift", now))
    coffee.builder.clock.advance(2 * MONTH)
    await bills(coffee)
    (mine,) = [one for one in book(coffee, INVOICES.name) if any(line.key == "gift" for line in one.lines)]
    assert len(mine.subscriptions) == 2
    kept = await coffee.builder.kept(SUBSCRIPTIONS, other.id)
    assert mine.id in [live.invoice for live in kept.live]
    assert kept.billed_to == 3


@pytest.mark.proves("INV-6")
@pytest.mark.parametrize(("mode", "invoices"), [(CatchUpMode.EACH, [PRICE] * 2), (CatchUpMode.COLLAPSE, [PRICE * 2])])
async def test_of_several_cycles_those_are_billed_that_are_not_on_file(coffee, mode, invoices) -> None:
    coffee.builder.policies = policy(mode)
    id = await put_back(coffee, index=2)
    coffee.builder.clock.advance(3 * MONTH)
    await bills(coffee)
    one = await coffee.builder.kept(SUBSCRIPTIONS, id)
    assert (one.billed_to, one.hold) == (4, None)
    late = [each for each in book(coffee, INVOICES.name) if each.kind.value == "periodic"]
    assert [each.total for each in late] == invoices
    assert sorted(row.index for row in book(coffee, CYCLES.name)) == [0, 1, 2, 3]
    assert sorted(event["index"] for event in told(coffee, "subscription_renewed")) == [1, 3]


@pytest.mark.proves("INV-6")
async def test_cycles_on_file_as_lapsed_are_not_told_to_have_lapsed_again(coffee) -> None:
    coffee.builder.policies = policy(CatchUpMode.LATEST_ONLY)
    id = await put_back(coffee, ended=CycleEnd.LAPSED, total=Money.zero("EUR"), invoice="")
    coffee.builder.clock.advance(2 * MONTH)
    assert (await bills(coffee)).invoices == 1
    assert (await coffee.builder.kept(SUBSCRIPTIONS, id)).billed_to == 3
    assert told(coffee, "cycles_lapsed") == []


@pytest.mark.proves("INV-6")
@pytest.mark.parametrize(("state", "remembered"), [(InvoiceState.OPEN, True), (InvoiceState.VOID, False)])
async def test_the_invoice_of_a_cycle_on_file_is_remembered_unless_it_is_void(coffee, state, remembered) -> None:
    one = (await coffee.subscribed()).subscription
    first = await coffee.builder.kept(INVOICES, one.live[0].invoice)
    again = attrs.evolve(first, id="older", key="older", number=None, state=state, version=1)
    await coffee.builder.add(INVOICES, again)
    row = settled(one, 1, invoice="older")
    await coffee.builder.add(CYCLES, row)
    coffee.builder.clock.advance(MONTH)
    await bills(coffee)
    now = await coffee.builder.kept(SUBSCRIPTIONS, one.id)
    assert now.billed_to == 2
    assert [(live.invoice, live.until) for live in now.live if live.invoice == "older"] == (
        [("older", row.end)] if remembered else []
    )


@pytest.mark.proves("INV-6")
@pytest.mark.parametrize("first_payment", FirstPayment)
async def test_a_first_cycle_on_file_lets_a_subscription_begin(coffee, first_payment) -> None:
    policies = coffee.builder.policies
    subscribing = attrs.evolve(policies.subscriptions.subscribing, first_payment=first_payment)
    coffee.builder.policies = attrs.evolve(
        policies, subscriptions=attrs.evolve(policies.subscriptions, subscribing=subscribing)
    )
    shop = attrs.evolve(coffee, shop=coffee.builder.build())
    one = (await shop.subscribed(shop.order(start=date(2031, 2, 5)))).subscription
    assert one.lifecycle is Lifecycle.PENDING
    await coffee.builder.add(CYCLES, settled(one, 0))
    coffee.builder.clock.advance(timedelta(days=5, minutes=1))
    report = await bills(coffee)
    assert (report.pages, report.invoices, report.failures) == (1, 0, ())
    now = await coffee.builder.kept(SUBSCRIPTIONS, one.id)
    assert (now.lifecycle, now.billed_to) == (Lifecycle.ACTIVE, 1)
    assert len(told(coffee, "subscription_activated")) == 1


@pytest.mark.proves("INV-6")
async def test_it_waits_for_its_payment_while_the_invoice_of_that_cycle_is_open(coffee) -> None:
    paid_first = SubscriptionPolicy(subscribing=SubscribePolicy(one_live_per=OneLivePer.NONE))
    coffee.builder.policies = quick_policies(subscriptions=paid_first)
    shop = attrs.evolve(coffee, shop=coffee.builder.build())
    first = await coffee.builder.kept(INVOICES, (await shop.subscribed()).subscription.live[0].invoice)
    one = (await shop.subscribed(shop.order(start=date(2031, 2, 5)), key="o-2")).subscription
    older = attrs.evolve(first, id="older", key="older", number=None, version=1, subscriptions=(one.id,))
    await coffee.builder.add(INVOICES, older)
    await coffee.builder.add(CYCLES, settled(one, 0, invoice="older"))
    coffee.builder.clock.set(datetime(2031, 2, 5, tzinfo=UTC))
    await bills(coffee)
    now = await coffee.builder.kept(SUBSCRIPTIONS, one.id)
    assert (now.lifecycle, [live.invoice for live in now.live]) == (Lifecycle.INCOMPLETE, ["older"])


@pytest.mark.proves("INV-6", "RUN-3")
@pytest.mark.parametrize("total", [PRICE, LESS], ids=["as we would", "otherwise"])
async def test_what_another_worker_has_billed_meanwhile_is_no_clash(coffee, total) -> None:
    one = (await coffee.subscribed()).subscription
    coffee.builder.clock.advance(MONTH)
    storage, overtaken = coffee.builder.storage, list[object]()

    def in_between(call: PortCall) -> Answer[Any]:
        if call.method == "record_page" and not overtaken:
            store = storage.open(coffee.builder.scope)
            was = store.find(SUBSCRIPTIONS, one.id).it
            now = attrs.evolve(was, billed_to=2)
            writes = (SUBSCRIPTIONS.change(was, now), CYCLES.add(settled(one, 1, total=total)))
            overtaken.append(store.record(Change(writes=writes)))
        return call.make()

    shop = coffee.builder.build(partial(wrapped, around=in_between))
    report = await shop.billing.run_billing(worker=WORKER, max_pages=4)
    assert overtaken
    assert (report.invoices, report.held, report.failures) == (0, 0, ())
    now = await coffee.builder.kept(SUBSCRIPTIONS, one.id)
    assert (now.billed_to, now.hold) == (2, None)
    assert now.due_at > coffee.builder.clock.now(), "it was looked at again in the same run"
    assert told(coffee, "subscription_held") == []


@pytest.mark.proves("INV-6", "RUN-12")
@pytest.mark.parametrize(
    ("mode", "billed"),
    [(HoldMode.WAIVE, 0), (HoldMode.EACH, 2), (HoldMode.COLLAPSE, 1), (HoldMode.LATEST_ONLY, 1)],
)
async def test_a_clerk_lets_a_clash_go_and_what_is_on_file_stays(till, clerk, mode, billed) -> None:
    till.builder.policies = policy()
    shop = attrs.evolve(till, shop=till.builder.build())
    id = await put_back(shop, total=LESS)
    row = next(each for each in book(shop, CYCLES.name) if each.total == LESS)
    till.builder.clock.advance(MONTH)
    assert (await bills(till)).held == 1
    till.builder.clock.advance(2 * MONTH)
    done = await clerk.billing_desk.resolve_hold(id, mode, WHY)
    assert (done.subscription.hold, done.subscription.billed_to) == (None, 4)
    assert (done.act.before["hold"], done.act.after["hold"]) == (CLASH, "")
    assert len(done.invoices) == billed
    assert await till.builder.kept(CYCLES, row.id) == row
    assert (await bills(till)).pages == 0
    till.builder.clock.advance(MONTH)
    assert (await bills(till)).invoices == 1
